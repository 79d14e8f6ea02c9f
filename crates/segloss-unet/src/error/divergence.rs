//! Where training met a number that is not finite, and what to try.

use std::fmt;
use std::path::PathBuf;

/// Where a number that is not finite was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Met {
    /// Whether it was met in a validation, where nothing is learned and no step is kept.
    pub in_validation: bool,
    /// The first tensor that held one, in words.
    pub first: Option<String>,
    /// The images of the batch, by name.
    pub images: Vec<String>,
    /// The file that replays the step.
    pub replay: Option<PathBuf>,
    /// rate·λ, where AdamW multiplies the weights with 1 − rate·λ ≤ 0.
    pub decay: Option<String>,
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.in_validation {
            write!(f, " in the validation after it")?;
        }
        if let Some(first) = &self.first {
            write!(f, ", first in {first}")?;
        }
        if !self.images.is_empty() {
            write!(f, ", of the images {}", self.images.join(", "))?;
        }
        if let Some(replay) = &self.replay {
            write!(f, " (`segloss replay {}` computes the step again)", replay.display())?;
        }
        if let Some(decay) = &self.decay {
            write!(
                f,
                "; rate · `optimizer.weight_decay` is {decay}, and a step multiplies the weights with 1 less that: keep it \
                 far below 1"
            )?;
        }
        Ok(())
    }
}

/// What to try when training has diverged.
pub(super) fn after_divergence(epoch: usize, taken: u64) -> String {
    if taken == 0 {
        return "no step was taken before, so no learning rate is to blame: look at the loss and at the images"
            .to_owned();
    }
    let how = match epoch - 1 {
        0 => "no epoch was completed, so the same command begins anew in the same folder".to_owned(),
        done => format!("`--resume --set optimizer.learning_rate=…` goes on after epoch {done}"),
    };
    format!(
        "training diverged: try a smaller `optimizer.learning_rate`, or limit the gradient (`optimizer.clip_norm=1`); {how}"
    )
}
