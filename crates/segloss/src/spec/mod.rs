//! The one description of a loss, as it stands in configuration files, on the command line and in reports.

mod presets;
#[cfg(feature = "serde")]
mod reading;
#[cfg(feature = "serde")]
mod text;
mod validate;

use crate::counts::ClassCounts;
use crate::kinds::{self, Combined, Kind, Options, each_kind};
use crate::layout::Layout;
use crate::options::{
    Absent, Activation, Average, Classes, DEFAULT_PRIOR, OptionValue, PriorSpec, Reduction, Region,
    SharedKeys, Source, Threshold, WeightSpec,
};

/// A loss with all its options. Every key has a default; an unknown key is an error, and so is one that has no
/// effect beside the others, or that the kind does not take ([`Kind::info`] lists those it does).
///
/// ```
/// # #[cfg(feature = "serde")]
/// # {
/// use segloss::{LossSpec, Source};
///
/// let spec = LossSpec::from_toml(r#"
///     kind = "cross_entropy"
///     ignore_index = 255
///     [weights]
///     source = "per_sample"
///     scheme = "inverse_frequency"
/// "#)?;
/// assert_eq!(spec.weights.source, Source::PerSample);
/// assert_eq!(LossSpec::from_json(&spec.to_json())?, spec);
/// # }
/// # Ok::<(), segloss::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LossSpec {
    /// Which loss, with the options of its own. In a text they stand beside the others, and `kind` names the loss.
    pub options: Options,
    /// Where the class axis of the logits lies.
    pub layout: Layout,
    /// The label of pixels that take no part. Absent: every pixel is valid.
    pub ignore_index: Option<i64>,
    /// What the sum over pixels is divided by. Absent: [`Kind::default_reduction`].
    pub reduction: Option<Reduction>,
    /// The activation threshold, or a shift of the logits that acts as one.
    pub threshold: Option<Threshold>,
    /// The weight of each class.
    pub weights: WeightSpec,
    /// The class priors π of logit adjustment, seesaw, LDAM and `weights.absent = "prior"`. Absent: those of the
    /// batch.
    pub prior: Option<PriorSpec>,
    /// The pixel counts of a data set, for `source = "dataset"`: what `segloss weights --toml` prints.
    pub dataset: Option<ClassCounts>,
    /// The parts of a [`combined`](crate::kinds::combined) loss; none of any other.
    pub terms: Vec<Term>,
}

/// A part of a combined loss.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Term {
    /// What its value and gradient are multiplied with.
    #[cfg_attr(feature = "serde", serde(default = "one"))]
    pub factor: f64,
    /// The loss. Layout and ignored index are those of the combined loss.
    pub loss: LossSpec,
}

#[cfg(feature = "serde")]
fn one() -> f64 {
    1.0
}

impl Combined {
    /// The sum of these terms.
    #[allow(
        clippy::new_ret_no_self,
        reason = "the terms are a part of the specification, not of its options"
    )]
    pub fn new(terms: Vec<Term>) -> LossSpec {
        LossSpec { terms, ..Self::default().into() }
    }
}

/// A specification of each kind, from the options of its own.
macro_rules! from_options {
    ($($module:ident::$Kind:ident,)+) => {
        $(
            impl From<kinds::$Kind> for LossSpec {
                fn from(options: kinds::$Kind) -> Self {
                    Options::from(options).into()
                }
            }
        )+
    };
}
each_kind!(from_options);

impl From<Options> for LossSpec {
    fn from(options: Options) -> Self {
        Self { options, ..Self::default() }
    }
}

impl LossSpec {
    /// A kind with all options as they are by default.
    pub fn new(kind: Kind) -> Self {
        kind.options().into()
    }

    /// Which loss.
    pub fn kind(&self) -> Kind {
        self.options.kind()
    }

    /// The reduction in force.
    pub fn reduction(&self) -> Reduction {
        self.reduction.unwrap_or(self.kind().default_reduction())
    }

    /// The parts of a combined loss; none of any other.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The same, to be changed.
    pub fn terms_mut(&mut self) -> &mut [Term] {
        &mut self.terms
    }

    /// Puts the counts of a data set where `source = "dataset"` asks for them and none are given.
    pub fn fill_dataset(&mut self, counts: &ClassCounts) {
        // Counts that stand beside the terms go before any others.
        let own = self.dataset.as_ref().unwrap_or(counts).clone();
        self.terms_mut().iter_mut().for_each(|term| term.loss.fill_dataset(&own));
        if self.asks_for_dataset() && self.dataset.is_none() {
            self.dataset = Some(counts.clone());
        }
    }

    /// The class priors in force.
    pub fn prior(&self) -> &PriorSpec {
        self.prior.as_ref().unwrap_or(&DEFAULT_PRIOR)
    }

    /// Whether anything reads the class priors.
    pub fn reads_prior(&self) -> bool {
        matches!(self.threshold, Some(Threshold::LogitAdjustment(_)))
            || self.kind().reads_prior()
            || self.weights.absent == Absent::Prior
    }

    /// Whether the counts of a data set are needed, by the loss itself.
    fn asks_for_dataset(&self) -> bool {
        let prior = self.reads_prior() && self.prior().source == Source::Dataset;
        self.weights.source == Source::Dataset || prior
    }

    /// The same, by the loss or a term of it.
    pub(crate) fn needs_dataset(&self) -> bool {
        self.asks_for_dataset() || self.terms().iter().any(|term| term.loss.needs_dataset())
    }

    /// Whether the loss, or a term of it, needs a weight for each pixel.
    pub fn needs_weight_map(&self) -> bool {
        self.weights.source == Source::Map || self.terms().iter().any(|term| term.loss.needs_weight_map())
    }

    /// The activation in force.
    pub fn activation(&self) -> Activation {
        self.kind().activation().or_else(|| self.option("activation")).unwrap_or_default()
    }

    /// The region in force.
    pub fn region(&self) -> Region {
        self.option("region").unwrap_or_default()
    }

    /// Which classes of a region count.
    pub fn classes(&self) -> Classes {
        self.option("classes").unwrap_or_default()
    }

    /// Over what the losses of classes and images are averaged.
    pub fn average(&self) -> Average {
        self.option("average").unwrap_or_default()
    }

    /// What the kind reads of the keys beside its own options.
    pub(crate) fn shared_keys(&self) -> SharedKeys<'_> {
        SharedKeys { threshold: self.threshold.as_ref(), weights: &self.weights, terms: self.terms.len() }
    }

    /// An option that some kinds have; none of a kind that has not, or where it is not set.
    fn option<T: OptionValue>(&self, key: &str) -> Option<T> {
        self.options.get(key).and_then(|value| T::of(&value))
    }

    /// Whether every channel is a binary problem of its own.
    pub(crate) fn is_sigmoid(&self) -> bool {
        self.activation().is_sigmoid()
    }

    /// Whether weights come in (negative, positive) pairs, and the loss map has an entry per channel: the
    /// sigmoid kinds that are sums over pixels.
    pub(crate) fn has_pairs(&self) -> bool {
        self.is_sigmoid() && self.kind().is_additive()
    }
}

#[cfg(feature = "serde")]
#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        LossSpec::from_toml(text).and_then(|spec| spec.validate()).unwrap_err().to_string()
    }

    #[test]
    fn every_key_has_a_default() {
        assert_eq!(LossSpec::from_toml("").unwrap(), LossSpec::default());
        assert_eq!(LossSpec::from_json("{}").unwrap(), LossSpec::default());
        assert_eq!(LossSpec::default().kind(), Kind::CrossEntropy);
    }

    #[test]
    fn the_design_s_example_is_read() {
        let spec = LossSpec::from_toml(
            "kind = \"cross_entropy\"\nlayout = \"channels_last\"\nignore_index = 255\nlabel_smoothing = 0.0\n\
             reduction = { constant = 1000.0 }\nthreshold = { logit_shift = [0.2, 0.3, 0.5] }\n\
             [weights]\nsource = \"fixed\"\nvalues = [1.0, 2.0, 3.0]\nabsent = \"zero\"\nnormalise = \"mean_one\"",
        )
        .unwrap();
        spec.validate().unwrap();
        assert_eq!(spec.reduction(), Reduction::Constant(1000.0));
        assert_eq!(LossSpec::from_toml(&spec.to_toml()).unwrap(), spec);
        assert_eq!(LossSpec::from_json(&spec.to_json()).unwrap(), spec);
    }

    #[test]
    fn unknown_keys_and_values_are_named() {
        assert!(refused("gama = 2.0").contains("line 1: unknown key `gama`; did you mean `gamma`"));
        assert!(
            refused("kind = \"cross_entropie\"").contains("`cross_entropie`; did you mean `cross_entropy`")
        );
        assert!(
            refused("\n[weights]\nsource = \"fixd\"")
                .contains("line 3: unknown name `fixd`; did you mean `fixed`")
        );
    }

    #[test]
    fn options_that_a_kind_cannot_use_are_refused() {
        for (text, key) in [
            ("threshold = { document = 0.5 }", "threshold.document"),
            ("kind = \"document_binary\"\nthreshold = { document = 1.0 }", "threshold.document"),
            ("kind = \"document_binary\"\nthreshold = { document = nan }", "threshold.document"),
            ("kind = \"document_categorical\"\nthreshold = { logit_shift = [0.5] }", "threshold"),
            ("kind = \"document_binary\"\nthreshold = { logit_shift = [0.5] }", "threshold.logit_shift"),
            ("gamma = 2.0", "gamma"),
            ("kind = \"focal\"\ngamma = -1.0", "gamma"),
            ("kind = \"focal\"\ngamma = nan", "gamma"),
            ("kind = \"unified_focal\"\ngamma = 1.0", "gamma"),
            ("kind = \"top_k_cross_entropy\"\nkeep = 0.0", "keep"),
            ("kind = \"tversky\"\nalpha = 0.0\nbeta = 0.0", "alpha"),
            ("kind = \"dice\"\nreduction = \"mean_valid\"", "reduction"),
            ("kind = \"dice\"\n[weights]\nsource = \"per_sample\"", "weights.source"),
            ("kind = \"dice\"\nlabel_smoothing = 0.1", "label_smoothing"),
            ("label_smoothing = 1.0", "label_smoothing"),
            ("kind = \"combined\"", "terms"),
            ("kind = \"combined\"\n[[terms]]\nloss = { kind = \"dice\", ignore_index = 3 }", "terms.loss"),
            ("kind = \"combined\"\n[[terms]]\nloss = { kind = \"dice\", gamma = 3.0 }", "gamma"),
            ("[prior]\nsource = \"map\"", "prior.source"),
            (
                "[prior]\nsource = \"per_sample\"\n[weights]\nsource = \"per_batch\"\nabsent = \"prior\"",
                "weights.source",
            ),
            ("[prior]\nsource = \"fixed\"\nvalues = [0.0, 1.0]", "prior.values"),
            ("[weights]\nsource = \"ema\"\ndecay = 1.0", "weights.decay"),
            (
                "[weights]\nsource = \"per_batch\"\nscheme = { effective_number = 1.0 }",
                "weights.scheme.effective_number",
            ),
            ("[dataset]\nvalid = 4.0\npixels = [5.0]\npresent_in = [4.0]", "dataset"),
            ("kind = \"binary_cross_entropy\"\nthreshold = { logit_shift = [1.5] }", "threshold.logit_shift"),
            ("threshold = { logit_shift = [0.0, 1.0] }", "threshold.logit_shift"),
            ("reduction = { constant = 0.0 }", "reduction.constant"),
            ("reduction = { constant = nan }", "reduction.constant"),
            ("[weights]\nsource = \"fixed\"", "weights.values"),
            ("[weights]\nsource = \"fixed\"\nvalues = [1.0, -1.0]", "weights.values"),
            ("[weights]\nsource = \"fixed\"\nvalues = [1.0, inf]", "weights.values"),
            ("[weights]\nvalues = [1.0, 1.0]", "weights.values"),
            ("[weights]\nsource = \"per_batch\"\nabsent = { cap = 0.0 }", "weights.absent.cap"),
            (
                "kind = \"document_categorical\"\n[weights]\nsource = \"per_batch\"\nscheme = \"complement\"",
                "weights",
            ),
            ("kind = \"document_sigmoid\"\n[weights]\nsource = \"per_sample\"", "weights"),
        ] {
            assert!(refused(text).contains(&format!("`{key}`")), "{text}: {}", refused(text));
        }
    }
}
