//! Losses put together in code, without a text.

use crate::counts::ClassCounts;
use crate::error::Error;
use crate::kinds::{self, each_kind};
use crate::layout::Layout;
use crate::loss::Loss;
use crate::options::{Absent, Normalise, PriorSpec, Reduction, Scheme, Source, Threshold, WeightSpec};
use crate::spec::{LossSpec, Term};

/// A loss in the making: what a specification says, said in Rust. Begins with a kind, [`Loss::cross_entropy`] and its
/// like, or with the options of one, [`Loss::of`].
///
/// ```
/// use segloss::kinds::{Combined, Dice, Focal};
/// use segloss::{Loss, LossSpec, Reduction, Region, Scheme, Term, WeightSpec};
///
/// let loss = Loss::cross_entropy()
///     .ignore_index(255)
///     .weights(WeightSpec::per_sample(Scheme::InverseFrequency))
///     .build()?;
///
/// // Options of the kind's own are fields of its struct.
/// let focal = Loss::of(Focal { gamma: 3.0, ..Focal::default() }).reduction(Reduction::MeanValid).build()?;
///
/// // A sum of losses: layout and ignored index are said once, for all of them.
/// let dice = Dice { region: Region::Image, ..Dice::default() };
/// let terms = vec![Term::new(1.0, Loss::cross_entropy()), Term::new(0.5, Loss::of(dice))];
/// let sum = Loss::of(Combined::new(terms));
/// let sum = sum.ignore_index(255).build()?;
///
/// // The same as a text of it.
/// # #[cfg(feature = "serde")]
/// assert_eq!(focal, Loss::new(LossSpec::from_toml("kind = 'focal'\ngamma = 3.0\nreduction = 'mean_valid'")?)?);
/// # Ok::<(), segloss::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a loss is made by `build`"]
pub struct LossBuilder {
    spec: LossSpec,
}

impl LossBuilder {
    /// Where the class axis of the logits lies; channels first unless said.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.spec.layout = layout;
        self
    }

    /// The label of pixels that take no part.
    pub fn ignore_index(mut self, label: i64) -> Self {
        self.spec.ignore_index = Some(label);
        self
    }

    /// What the sum over pixels is divided by.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.spec.reduction = Some(reduction);
        self
    }

    /// A shift of the logits, or the document's threshold.
    pub fn threshold(mut self, threshold: Threshold) -> Self {
        self.spec.threshold = Some(threshold);
        self
    }

    /// The weight of each class.
    pub fn weights(mut self, weights: WeightSpec) -> Self {
        self.spec.weights = weights;
        self
    }

    /// The class priors, for what reads some.
    pub fn prior(mut self, prior: PriorSpec) -> Self {
        self.spec.prior = Some(prior);
        self
    }

    /// The counts of a data set, for weights or priors that ask for it.
    pub fn dataset(mut self, counts: ClassCounts) -> Self {
        self.spec.dataset = Some(counts);
        self
    }

    /// Checks all options.
    ///
    /// # Errors
    /// As [`Loss::new`].
    pub fn build(self) -> Result<Loss, Error> {
        Loss::new(self.spec)
    }
}

impl From<LossBuilder> for LossSpec {
    fn from(builder: LossBuilder) -> Self {
        builder.spec
    }
}

impl Loss {
    /// Begins a loss with the options of its kind, or with any specification.
    pub fn of(options: impl Into<LossSpec>) -> LossBuilder {
        LossBuilder { spec: options.into() }
    }
}

macro_rules! constructors {
    ($($module:ident::$Kind:ident,)+) => {
        /// A loss of each kind, begun with the options that it has by default.
        impl Loss {
            $(
                #[doc = concat!("Begins a [`", stringify!($module), "`](crate::kinds::", stringify!($module), ") loss.")]
                pub fn $module() -> LossBuilder {
                    Self::of(kinds::$Kind::default())
                }
            )+
        }
    };
}
each_kind!(constructors);

impl Term {
    /// A part of a sum of losses: a [`LossBuilder`] or a [`LossSpec`], times a factor.
    pub fn new(factor: f64, loss: impl Into<LossSpec>) -> Self {
        Self { factor, loss: loss.into() }
    }
}

impl WeightSpec {
    fn counted(source: Source, scheme: Scheme) -> Self {
        Self { source, scheme, ..Self::default() }
    }

    /// From each image's own labels: dynamic weights without prior knowledge.
    #[must_use]
    pub fn per_sample(scheme: Scheme) -> Self {
        Self::counted(Source::PerSample, scheme)
    }

    /// From the labels of the batch.
    #[must_use]
    pub fn per_batch(scheme: Scheme) -> Self {
        Self::counted(Source::PerBatch, scheme)
    }

    /// From the counts of a data set: see [`LossBuilder::dataset`].
    #[must_use]
    pub fn of_dataset(scheme: Scheme) -> Self {
        Self::counted(Source::Dataset, scheme)
    }

    /// From a running average, of which each batch leaves the share `decay`: see [`Loss::update_running_counts`].
    #[must_use]
    pub fn running(scheme: Scheme, decay: f64) -> Self {
        Self { decay, ..Self::counted(Source::Ema, scheme) }
    }

    /// These weights: one per class, or a (negative, positive) pair per channel for the sigmoid kinds that are sums
    /// over pixels.
    #[must_use]
    pub fn fixed(values: impl Into<Vec<f64>>) -> Self {
        Self { source: Source::Fixed, values: values.into(), ..Self::default() }
    }

    /// None but those of a map, which must come with every input.
    #[must_use]
    pub fn of_map() -> Self {
        Self { source: Source::Map, ..Self::default() }
    }

    /// The same with another weight for the classes that the scope does not contain.
    #[must_use]
    pub fn with_absent(self, absent: Absent) -> Self {
        Self { absent, ..self }
    }

    /// The same on another scale.
    #[must_use]
    pub fn with_normalise(self, normalise: Normalise) -> Self {
        Self { normalise, ..self }
    }
}
