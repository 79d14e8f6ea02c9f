//! Class weights and priors, as they are described.

use super::value::words;

/// Class weights: source × scheme × absent-class policy × normalisation. Weights are constants for the
/// gradient.
///
/// A scheme or a normalisation says nothing without a source, so that a text which names one and no source is
/// refused. What does not act is not written either.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightSpec {
    /// Where the class frequencies come from.
    pub source: Source,
    /// How a frequency becomes a weight.
    pub scheme: Scheme,
    /// The weights themselves, for [`Source::Fixed`].
    pub values: Vec<f64>,
    /// For [`Source::Ema`], here and in [`PriorSpec`]: what is kept of the running counts at each batch.
    pub decay: f64,
    /// The weight of a class that the scope does not contain.
    pub absent: Absent,
    /// How the weights of a scope are scaled.
    pub normalise: Normalise,
}

impl Default for WeightSpec {
    fn default() -> Self {
        Self {
            source: Source::None,
            scheme: Scheme::InverseFrequency,
            values: Vec::new(),
            decay: 0.99,
            absent: Absent::Zero,
            normalise: Normalise::None,
        }
    }
}

/// What to write where a source is missed.
pub(crate) const SOURCES: &str = "source = \"per_sample\" takes the weights from each image's own labels, \"per_batch\" \
                                  from the batch, \"dataset\" from [dataset] counts, \"ema\" from a running average";

/// The scope over which class frequencies are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Source {
    /// Every weight is 1.
    #[default]
    None,
    /// `values`, as given: C numbers, or a (negative, positive) pair per channel for the sigmoid kinds that
    /// are sums over pixels.
    Fixed,
    /// The counts in [`LossSpec::dataset`](crate::LossSpec::dataset).
    Dataset,
    /// The valid pixels of the batch together.
    PerBatch,
    /// The valid pixels of each image by itself ([S5](crate::source_document)): dynamic weights without prior knowledge.
    PerSample,
    /// A running average of the counts of the batches so far: see
    /// [`Loss::update_running_counts`](crate::Loss::update_running_counts).
    Ema,
    /// Every class weighs 1; each pixel has a weight of its own, which must be given
    /// ([`Input::with_weight_map`](crate::Input::with_weight_map)). With any other source a given map multiplies.
    Map,
}

words! {
    Source {
        None = "none",
        Fixed = "fixed",
        Dataset = "dataset",
        PerBatch = "per_batch",
        PerSample = "per_sample",
        Ema = "ema",
        Map = "map",
    }
}

impl Source {
    /// Whether weights are made of class counts, so that scheme and absent-class policy act.
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Self::Dataset | Self::PerBatch | Self::PerSample | Self::Ema)
    }
}

/// From the frequency f of a class among C classes, or its number of pixels n, to its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Scheme {
    /// 1/(C·f): every class contributes alike.
    #[default]
    InverseFrequency,
    /// 1 − f, the rule of [S1](crate::source_document) for any number of classes.
    Complement,
    /// 1/√(C·f).
    InverseSqrt,
    /// (C·f)^−γ: 0 is no weight at all, ½ is `inverse_sqrt`, 1 is `inverse_frequency`.
    Power(f64),
    /// median(f)/f, with f counted only over the images that contain the class, and the median over the
    /// classes present (Eigen & Fergus 2015, section 6.2, "median frequency balancing").
    MedianFrequency,
    /// 1/ln(1.02 + f) (Paszke et al. 2016, ENet, section 5.2): between 1.4 and 50.
    Enet,
    /// (1 − β)/(1 − βⁿ) (Cui et al. 2019, "Class-balanced loss based on effective number of samples", eq. 2).
    EffectiveNumber(f64),
    /// Σf/C, the scalar of the [source document](crate::source_document)'s S3: exactly 1/C for every class of one-hot labels. It
    /// balances nothing.
    DocumentScalar,
}

impl Scheme {
    /// Whether all classes weigh alike, whatever their frequencies.
    pub(crate) fn is_constant(self) -> bool {
        matches!(self, Self::DocumentScalar) || self == Self::Power(0.0) || self == Self::EffectiveNumber(0.0)
    }
}

/// The weight of a class without a valid pixel in its scope. It meets no pixel of that scope unless the
/// target is soft, or the scope of the loss is another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Absent {
    /// 0.
    #[default]
    Zero,
    /// The largest weight of a class that is present.
    LargestPresent,
    /// This number; weights of present classes are limited to it as well.
    Cap(f64),
    /// What the scheme makes of the class's [prior](crate::LossSpec::prior).
    Prior,
}

/// The scale of a scope's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Normalise {
    /// As the scheme makes them.
    #[default]
    None,
    /// The mean over the present classes is 1.
    MeanOne,
    /// Σ f_c·w_c = 1: the gradient keeps the scale of the unweighted loss, and every image of a
    /// per-sample source weighs alike.
    ExpectedOne,
    /// The sum is 1.
    SumOne,
}

/// Class priors π_c = max(n_c, 1)/n, with n_c of the n valid pixels of a scope in class c: a class that the
/// scope has not seen counts as one pixel.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct PriorSpec {
    /// The scope; any but `none` and `map`.
    pub source: Source,
    /// π itself, for [`Source::Fixed`]. Only ratios matter to seesaw and LDAM: counts will do there.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub values: Vec<f64>,
}

/// Of the batch.
pub(crate) static DEFAULT_PRIOR: PriorSpec = PriorSpec { source: Source::PerBatch, values: Vec::new() };

impl Default for PriorSpec {
    fn default() -> Self {
        DEFAULT_PRIOR.clone()
    }
}
