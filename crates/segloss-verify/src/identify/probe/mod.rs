//! The script that asks a function of the user's, in the framework it is written for.
//!
//! ```text
//! head, batches          what every framework has: what is asked, and in which form
//! torch | keras | jax | numpy    one function: value and gradient of one batch
//! tail                   which form the function takes; answers.npz
//! ```

pub mod question;

use super::error::CheckError;
use segloss::Layout;

/// What is asked, of which function.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// As MODULE:FUNCTION.
    pub function: String,
    /// What it is written for.
    pub framework: Framework,
    /// Channels of the prediction.
    pub classes: usize,
    /// Where they lie; as the framework's own losses have it where it is not told.
    pub layout: Option<Layout>,
    /// Whether the one channel has no axis: (N, H, W).
    pub no_channels: bool,
    /// Whether the function takes probabilities.
    pub probabilities: bool,
    /// The label that it ignores.
    pub ignore_index: Option<i64>,
    /// How it takes the target; all forms are tried where it is not told.
    pub target: Option<TargetForm>,
}

/// What a function is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// PyTorch.
    Torch,
    /// Keras or TensorFlow.
    Keras,
    /// JAX.
    Jax,
    /// NumPy: the gradient is a central difference.
    Numpy,
}

/// How a function takes the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// Class indices, (N, H, W).
    Indices,
    /// One-hot, in the shape of the prediction.
    OneHot,
    /// Class indices with an axis of one channel.
    Channel,
}

impl Framework {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Torch, Self::Keras, Self::Jax, Self::Numpy];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Torch => "torch",
            Self::Keras => "keras",
            Self::Jax => "jax",
            Self::Numpy => "numpy",
        }
    }

    fn imports(self) -> &'static str {
        match self {
            Self::Torch => "import torch\n",
            Self::Keras => "import tensorflow as tf\n",
            Self::Jax => {
                "import jax\nimport jax.numpy as jnp\n\njax.config.update(\"jax_enable_x64\", True)\n"
            }
            Self::Numpy => "",
        }
    }

    fn asks(self) -> &'static str {
        match self {
            Self::Torch => include_str!("torch.py"),
            Self::Keras => include_str!("keras.py"),
            Self::Jax => include_str!("jax.py"),
            Self::Numpy => include_str!("numpy.py"),
        }
    }
}

impl TargetForm {
    fn name(self) -> &'static str {
        match self {
            Self::Indices => "indices",
            Self::OneHot => "one_hot",
            Self::Channel => "channel",
        }
    }
}

impl Probe {
    /// The script.
    ///
    /// # Errors
    /// [`CheckError::Function`] where the function is not named as MODULE:FUNCTION.
    pub fn script(&self) -> Result<String, CheckError> {
        use TargetForm::{Channel, Indices, OneHot};
        let name = |text: &str| {
            let mut letters = text.chars();
            letters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && letters.all(|c| c.is_alphanumeric() || c == '_')
        };
        let dotted = |text: &str| text.split('.').all(name);
        let (module, function) = (self.function.split_once(':'))
            .filter(|(module, function)| dotted(module) && !module.ends_with(".py") && name(function))
            .ok_or_else(|| CheckError::Function(self.function.clone()))?;
        let keras = self.framework == Framework::Keras;
        let last = [Framework::Keras, Framework::Jax].contains(&self.framework);
        let layout = match self.layout {
            _ if self.no_channels => "no_channels",
            Some(Layout::ChannelsFirst) => "channels_first",
            Some(Layout::ChannelsLast) => "channels_last",
            None if last => "channels_last",
            None => "channels_first",
        };
        let forms = match self.target {
            Some(form) => vec![form],
            None if last => vec![OneHot, Indices, Channel],
            None if self.classes == 1 => vec![OneHot, Indices],
            None => vec![Indices, OneHot, Channel],
        };
        let forms: Vec<String> = forms.into_iter().map(|form| format!("\"{}\"", form.name())).collect();
        let text = [
            include_str!("head.py"),
            include_str!("batches.py"),
            self.framework.asks(),
            include_str!("tail.py"),
        ]
        .concat();
        Ok([
            ("{MODULE}", module),
            ("{FUNCTION}", function),
            ("{FRAMEWORK}", self.framework.name()),
            ("{CLASSES}", &self.classes.to_string()),
            ("{LAYOUT}", layout),
            ("{INPUT}", if self.probabilities { "probabilities" } else { "logits" }),
            ("{IGNORED}", &self.ignore_index.map_or_else(|| "None".to_owned(), |label| label.to_string())),
            ("{FORMS}", &format!("[{}]", forms.join(", "))),
            ("{ORDER}", if keras { "target, prediction" } else { "prediction, target" }),
            ("{IMPORTS}", self.framework.imports()),
        ]
        .into_iter()
        .fold(text, |text, (key, value)| text.replace(key, value)))
    }
}
