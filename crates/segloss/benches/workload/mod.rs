//! What the benchmarks compute: a loss on a drawn input that looks like segmentation, named so that another program,
//! or another revision, can be asked for the very same.
//!
//! ```text
//! KIND[+VARIANT]/LAYOUT/TYPE/NxCxHxW       cross_entropy+fixed/channels_last/f32/4x12x360x480
//! copy/LAYOUT/TYPE/NxCxHxW                 a parallel copy of the logits: the bytes that must move
//! ```
//!
//! Variants: `fixed`, `per_sample` and `per_batch` weights; `smoothing`, labels smoothed by 0.1; `soft`, a distribution as
//! target, which ignores no pixel; `fresh`, a new gradient buffer for each call; `full`, no pixel is ignored.

pub mod draw;

use draw::IGNORED;
use ndarray::ArrayView;
use rayon::prelude::*;
use segloss::{Element, Input, InstructionSet, Kind, Layout, Loss, LossSpec, Target};
use std::str::FromStr;

/// The name of a workload, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// A kind as specifications spell it, or `copy`.
    pub kind: String,
    pub variants: Vec<String>,
    pub layout: Layout,
    pub wide: bool,
    /// N, C, H, W.
    pub shape: [usize; 4],
}

impl FromStr for Name {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let parts: Vec<&str> = name.split('/').collect();
        let &[kind, layout, real, shape] = parts.as_slice() else {
            return Err(format!("{name}: not KIND/LAYOUT/TYPE/NxCxHxW"));
        };
        let mut words = kind.split('+').map(str::to_owned);
        let kind = words.next().unwrap_or_default();
        let layout = match layout {
            "channels_first" => Layout::ChannelsFirst,
            "channels_last" => Layout::ChannelsLast,
            _ => return Err(format!("{layout}: neither channels_first nor channels_last")),
        };
        let wide = match real {
            "f32" => false,
            "f64" => true,
            _ => return Err(format!("{real}: neither f32 nor f64")),
        };
        let sizes: Result<Vec<usize>, _> = shape.split('x').map(str::parse).collect();
        let shape: [usize; 4] = (sizes.ok().and_then(|sizes| sizes.try_into().ok()))
            .filter(|shape: &[usize; 4]| shape.iter().all(|&n| n > 0))
            .ok_or_else(|| format!("{shape}: not NxCxHxW"))?;
        Ok(Self { kind, variants: words.collect(), layout, wide, shape })
    }
}

impl Name {
    fn has(&self, variant: &str) -> bool {
        self.variants.iter().any(|had| had == variant)
    }

    /// The specification, from the registry's own spelling.
    pub fn spec(&self) -> Result<LossSpec, String> {
        let classes = self.shape[1];
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == self.kind);
        let kind = kind.ok_or_else(|| format!("{}: no such kind", self.kind))?;
        let layout = match self.layout {
            Layout::ChannelsFirst => "channels_first",
            Layout::ChannelsLast => "channels_last",
        };
        let mut text = format!("kind = '{}'\nlayout = '{layout}'\nignore_index = {IGNORED}\n", self.kind);
        if kind == Kind::Combined {
            text += "terms = [{ loss = { kind = 'cross_entropy' } }, { loss = { kind = 'dice' } }]\n";
        }
        if kind == Kind::DocumentBinary {
            // Random logits of any size saturate it.
            text += "threshold = { document = 0.5 }\n";
        }
        for variant in &self.variants {
            match variant.as_str() {
                "fixed" => {
                    let values: Vec<String> = (0..classes).map(|c| draw::weight(c).to_string()).collect();
                    text += &format!("weights = {{ source = 'fixed', values = [{}] }}\n", values.join(", "));
                }
                "per_sample" | "per_batch" => {
                    text += &format!("weights = {{ source = '{variant}', scheme = 'inverse_frequency' }}\n");
                }
                "smoothing" => text += "label_smoothing = 0.1\n",
                "fresh" | "full" | "soft" => {}
                _ => return Err(format!("{variant}: no such variant")),
            }
        }
        LossSpec::from_toml(&text).map_err(|error| error.to_string())
    }
}

/// Something to compute again and again.
pub trait Workload: Send {
    /// Computes it once; returns the value.
    fn call(&mut self) -> f64;

    /// Bytes that must move at least: logits in, gradient out.
    fn bytes(&self) -> usize;
}

/// A workload by its name.
///
/// # Errors
/// Says what is wrong with the name.
pub fn workload(name: &str, instructions: InstructionSet) -> Result<Box<dyn Workload>, String> {
    let name: Name = name.parse()?;
    Ok(match name.wide {
        false => Box::new(Drawn::<f32>::new(name, instructions)?),
        true => Box::new(Drawn::<f64>::new(name, instructions)?),
    })
}

struct Drawn<T> {
    /// Nothing: a copy.
    loss: Option<Loss>,
    shape: Vec<usize>,
    logits: Vec<T>,
    labels: Vec<u8>,
    /// Nothing: the labels are the target.
    distribution: Option<Vec<T>>,
    gradient: Vec<T>,
    fresh: bool,
}

impl<T: Element> Drawn<T> {
    fn new(name: Name, instructions: InstructionSet) -> Result<Self, String> {
        let [images, classes, height, width] = name.shape;
        let loss = match name.kind.as_str() {
            "copy" => None,
            _ => {
                let loss = Loss::new(name.spec()?).map_err(|error| error.to_string())?;
                Some(loss.with_instructions(instructions))
            }
        };
        // Random logits of any size saturate the document's S1.
        let spread = if name.kind == "document_binary" { 0.2 } else { 2.0 };
        // Lovász hinge and its like tell two classes apart.
        let named = if name.kind == "lovasz_hinge" { 2 } else { classes.max(2) };
        let ignoring = !name.has("full") && !name.has("soft");
        let shape = match name.layout {
            Layout::ChannelsFirst => vec![images, classes, height, width],
            Layout::ChannelsLast => vec![images, height, width, classes],
        };
        let pixels = images * height * width;
        let labels: Vec<u8> = (0..pixels).map(|i| draw::label(i, named, [height, width], ignoring)).collect();
        let share = |at: usize| {
            let (pixel, class) = match name.layout {
                Layout::ChannelsLast => (at / classes, at % classes),
                Layout::ChannelsFirst => {
                    let (plane, place) = (at / (height * width), at % (height * width));
                    (plane / classes * height * width + place, plane % classes)
                }
            };
            T::of(draw::share(pixel, class, classes, labels[pixel]))
        };
        let distribution =
            name.has("soft").then(|| (0..pixels * classes).into_par_iter().map(share).collect());
        Ok(Self {
            loss,
            shape,
            logits: (0..pixels * classes).into_par_iter().map(|i| T::of(draw::logit(i) * spread)).collect(),
            labels,
            distribution,
            gradient: vec![T::zero(); pixels * classes],
            fresh: name.has("fresh"),
        })
    }
}

impl<T: Element> Workload for Drawn<T> {
    fn call(&mut self) -> f64 {
        if self.fresh {
            self.gradient = vec![T::zero(); self.logits.len()];
        }
        let Some(loss) = &self.loss else {
            let work = self.gradient.par_chunks_mut(1 << 16).zip(self.logits.par_chunks(1 << 16));
            work.for_each(|(to, from)| to.copy_from_slice(from));
            return 0.0;
        };
        let input = match &self.distribution {
            None => Input::from_slices(&self.logits, &self.shape, &self.labels),
            Some(distribution) => {
                // The constructors above made both as long as the shape says.
                let view = |values| ArrayView::from_shape(self.shape.as_slice(), values);
                match (view(self.logits.as_slice()), view(distribution.as_slice())) {
                    (Ok(logits), Ok(distribution)) => Input::new(logits, Target::distribution(distribution)),
                    _ => unreachable!("a drawn input has its shape"),
                }
            }
        };
        let result = input.and_then(|input| loss.value_and_gradient(&input, &mut self.gradient));
        match result {
            Ok(result) => result.value,
            Err(error) => unreachable!("a drawn input is valid: {error}"),
        }
    }

    fn bytes(&self) -> usize {
        2 * size_of_val(self.logits.as_slice())
    }
}
