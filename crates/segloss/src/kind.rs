//! What a kind of loss says about itself in its own file.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::options::{Activation, OptionInfo, OptionTable, Reduction, SharedKeys};

/// A kind of loss, implemented by the struct of its options. Its file holds all there is to know about it; the list in
/// [`kinds`](crate::kinds) makes it known.
pub(crate) trait LossKind: OptionTable + Default {
    /// What the registry says.
    const INFO: Info;

    /// What the laws of the tests are tried with: specifications without `kind`, each in TOML, that reach all branches.
    /// No option in them has an entry per class.
    const SAMPLES: &'static [&'static str];

    /// Checks the options, each by itself and against the keys that all kinds share.
    fn validate(&self, _shared: &SharedKeys<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// The parts of a kind that is a sum of losses of its own; none of most.
    fn components(&self) -> Vec<Component> {
        Vec::new()
    }

    /// The weights of the classes in a component that has weights of its own.
    ///
    /// # Errors
    /// (key, what it may be, what it is) of an option that does not fit so many classes.
    fn component_weights(
        &self,
        _component: usize,
        _classes: usize,
    ) -> Result<Option<Vec<f64>>, (&'static str, String, String)> {
        Ok(None)
    }

    /// What it makes of the class priors, of a kind that reads them; `seen`: whether the prior has counted the class.
    fn parameters(&self, _prior: &[f64], _seen: &[bool]) -> Vec<f64> {
        Vec::new()
    }

    /// How it is computed; none of a sum of other losses. `component`: of a kind with components, which.
    fn family<T: Element>(
        &self,
        shared: &SharedKeys<'_>,
        component: usize,
        classes: usize,
    ) -> Option<Box<dyn Family<T>>>;
}

/// A part of a kind that is a sum of losses of its own, each of which is a mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Component {
    pub factor: f64,
    pub structure: Structure,
    /// Whether a sum over pixels is divided by their number, Σ m, whatever the classes weigh.
    pub by_pixels: bool,
}

/// What a kind is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Info {
    /// One line on what it is and when to use it.
    pub summary: &'static str,
    /// The formula: of a pixel, or of the whole where it is no sum over pixels.
    pub formula: &'static str,
    /// Where it is defined.
    pub reference: &'static str,
    /// How it is computed.
    pub structure: Structure,
    /// What makes probabilities of logits; none where the option `activation` says so.
    pub activation: Option<Activation>,
    /// The keys that it takes of those that all kinds share, besides `layout` and `ignore_index`.
    pub shared: &'static [Shared],
    /// What the sum is divided by unless the specification says otherwise.
    pub reduction: Reduction,
    /// Whether a pixel must have one class: a sort knows no shares, and a region no fractional inside.
    pub hard_labels: bool,
    /// Whether it reads the class priors, whatever the options.
    pub reads_prior: bool,
    /// The weights that are part of the kind itself.
    pub own_weights: OwnWeights,
    /// Whether all classes of a region make one ratio.
    pub is_pooled: bool,
    /// Whether every class has its share in the loss of every pixel, by its distance.
    pub has_distances: bool,
    /// What the gradient of a confidently wrong pixel is.
    pub reach: Reach,
}

impl Info {
    /// A softmax loss of single pixels with class weights. Most kinds differ from it in a few points.
    pub const PLAIN: Self = Self {
        summary: "",
        formula: "",
        reference: "",
        structure: Structure::Pixels,
        activation: Some(Activation::Softmax),
        shared: &[Shared::Threshold, Shared::Weights, Shared::Prior, Shared::Reduction],
        reduction: Reduction::Mean,
        hard_labels: false,
        reads_prior: false,
        own_weights: OwnWeights::None,
        is_pooled: false,
        has_distances: false,
        reach: Reach::Always(0.9),
    };
}

/// A key that kinds share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// `threshold`: a shift of the logits.
    Threshold,
    /// `threshold`: the document's own.
    DocumentThreshold,
    /// `weights`.
    Weights,
    /// `weights`, of which only the scope is free.
    DocumentWeights,
    /// `prior`.
    Prior,
    /// `reduction`.
    Reduction,
    /// `terms`.
    Terms,
}

impl Shared {
    /// What it says of itself; `of_regions`: beside a kind that has one loss per class and region.
    pub fn info(self, of_regions: bool) -> OptionInfo {
        match self {
            Self::Threshold => {
                OptionInfo::shared("threshold", "none", "{ logit_shift = [τ…] } or { logit_adjustment = t }")
            }
            Self::DocumentThreshold => {
                OptionInfo::shared("threshold", "{ document = 1/C }", "the document's activation threshold")
            }
            Self::Weights => {
                OptionInfo::shared("weights", "none", "source, scheme, values, decay, absent, normalise")
            }
            Self::DocumentWeights => {
                OptionInfo::shared("weights", "per_batch", "source: per_batch or per_sample")
            }
            Self::Prior => OptionInfo::shared("prior", "per_batch", "source and values of the class priors"),
            Self::Terms => OptionInfo::shared(
                "terms",
                "none",
                "`[[terms]]` with `factor` (1) and `[terms.loss]`, a specification of its own",
            ),
            Self::Reduction if of_regions => {
                OptionInfo::shared("reduction", "mean", "mean | mean_images | sum | { constant = x }")
            }
            Self::Reduction => OptionInfo::shared(
                "reduction",
                "mean",
                "mean | mean_valid | mean_all | mean_images | sum | { constant = x }",
            ),
        }
    }
}

/// How a kind is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Structure {
    /// A sum over pixels: value and gradient in one pass.
    Pixels,
    /// Sums per class over a region first, then a ratio of them.
    Overlap,
    /// All errors of a class in a region are sorted.
    Lovasz,
    /// All pixels of a region are sorted, and the hardest kept.
    TopK,
    /// A sum over pixels whose class weights depend on the predictions of the region.
    Recall,
    /// A sum of other losses.
    Terms,
}

/// Weights that are part of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnWeights {
    /// None: `weights` alone makes some.
    None,
    /// 1/(pixels of the class)² where `weights` names no source. The policy for absent classes acts on them.
    BySize,
    /// The document fixes the weight, so that `weights` cannot.
    Document {
        /// Whether it is Σy/size(y) over a scope (S1, S3).
        scoped: bool,
    },
}

/// How far the gradient of a pixel that is sure and wrong reaches, in the sum over two pixels of each of three classes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// At least this much, at any confidence.
    Always(f64),
    /// Some, however little p·(1 − p) leaves of it.
    WithSlope,
    /// The loss is not defined there.
    Undefined,
}
