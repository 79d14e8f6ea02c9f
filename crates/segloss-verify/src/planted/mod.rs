//! A zoo of defects, each of which must turn the run red.
//!
//! Each wraps a subject that is right and makes one mistake that has been made before.

mod mistakes;

use crate::case::{Case, Labels, distribution};
use crate::network::{NetworkTask, Step};
use crate::operation::{Applied, Task};
use crate::subject::{InParts, Outcome, Precision, Subject};
use segloss::{Kind, Layout, LossSpec, Source, WeightSpec};
use std::ops::Range;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The gradient points uphill.
    FlippedSign,
    /// The gradient is zero everywhere.
    DetachedGradient,
    /// The class weights are forgotten.
    MissingWeight,
    /// The first two classes change places.
    SwappedClasses,
    /// The gradient is that of the sum although the value is the mean.
    DroppedMean,
    /// One entry of the gradient is NaN.
    NanGradient,
    /// The gradient is too large by one millionth.
    ScaledGradient,
    /// Ignored pixels count as class 0.
    IgnoredPixelsCounted,
    /// The gradient of ignored pixels keeps what the buffer held.
    StaleGradient,
    /// Channels-last memory is read as channels-first, and the other way round.
    LayoutMixUp,
    /// S3's weight is taken for 1.
    DocumentWeightOne,
    /// Per-sample weights are estimated over the batch.
    BatchForSample,
    /// A batch in parts: every part estimates weights and denominator for itself.
    WeightsPerPart,
    /// Sums depend on the number of threads.
    ThreadOrder,
    /// The exponentials' maximum is not taken out.
    NaiveExponential,
    /// NaN and infinities are replaced by a number.
    HiddenNan,
    /// Soft targets are rounded to their largest class.
    HardenedTargets,
    /// f64 is computed in f32.
    SinglePrecision,
    /// S4: the last of tied classes wins.
    LastOfTies,
    /// Lovász-softmax takes a pixel's class index for its foreground.
    LovaszOfClassIds,
    /// Focal loss takes p from the weighted cross-entropy.
    FocalOfWeighted,
    /// Ignored pixels are left out of the sum, and divided by.
    IgnoredInDenominator,
    /// Tversky adds up all classes before it divides.
    MicroTversky,
    /// A class that is not there takes all of generalised Dice's weight.
    AbsentTakesAll,
    /// Label smoothing weighs its own term class by class.
    SmoothingPerClass,
    /// Ignored pixels are masked before the activation.
    MaskedLogits,
}

impl Defect {
    /// The whole zoo.
    pub const ALL: [Self; 26] = [
        Self::FlippedSign,
        Self::DetachedGradient,
        Self::MissingWeight,
        Self::SwappedClasses,
        Self::DroppedMean,
        Self::NanGradient,
        Self::ScaledGradient,
        Self::IgnoredPixelsCounted,
        Self::StaleGradient,
        Self::LayoutMixUp,
        Self::DocumentWeightOne,
        Self::BatchForSample,
        Self::WeightsPerPart,
        Self::ThreadOrder,
        Self::NaiveExponential,
        Self::HiddenNan,
        Self::HardenedTargets,
        Self::SinglePrecision,
        Self::LastOfTies,
        Self::LovaszOfClassIds,
        Self::FocalOfWeighted,
        Self::IgnoredInDenominator,
        Self::MicroTversky,
        Self::AbsentTakesAll,
        Self::SmoothingPerClass,
        Self::MaskedLogits,
    ];

    /// The real-world mistake that it stands for.
    pub fn stands_for(self) -> &'static str {
        match self {
            Self::FlippedSign => "p − y written as y − p",
            Self::DetachedGradient => "a loss computed outside the tape, or arg max inside it",
            Self::MissingWeight => "weights accepted and never used",
            Self::SwappedClasses => "background and foreground in the other order",
            Self::DroppedMean => "reduction applied to the value only",
            Self::NanGradient => "0·∞ at a saturated pixel",
            Self::ScaledGradient => "an ε inside a denominator",
            Self::IgnoredPixelsCounted => "void clamped to class 0",
            Self::StaleGradient => "an early return that leaves last step's gradient in place",
            Self::LayoutMixUp => "reshape where a transpose was meant",
            Self::DocumentWeightOne => "S3's scalar taken as harmless and left out",
            Self::BatchForSample => "dynamic weights averaged over the batch",
            Self::WeightsPerPart => "gradient accumulation over micro-batches of unequal weight",
            Self::ThreadOrder => "a parallel reduction in arrival order",
            Self::NaiveExponential => "ln(exp(z)/Σexp(z)) as it stands in the book",
            Self::HiddenNan => "nan_to_num after the loss",
            Self::HardenedTargets => "labels taken by arg max from a distribution",
            Self::SinglePrecision => "a cast in the middle of the computation",
            Self::LastOfTies => "≥ for > in arg max",
            Self::LovaszOfClassIds => "labels fed to a loss that expects one-hot maps",
            Self::FocalOfWeighted => "pt = exp(-F.cross_entropy(z, y, weight))",
            Self::IgnoredInDenominator => ".mean() after masking with zeros",
            Self::MicroTversky => "sums over every axis, the class's too",
            Self::AbsentTakesAll => "1/(size² + ε), with nothing there",
            Self::SmoothingPerClass => "PyTorch's label smoothing beside class weights",
            Self::MaskedLogits => "z·mask before softmax: p = 1/C is no 0",
        }
    }
}

/// A subject with a defect.
#[derive(Clone, Debug)]
pub struct Planted<S> {
    /// The subject that is right.
    pub inner: S,
    /// The mistake.
    pub defect: Defect,
    name: String,
}

impl<S: Subject> Planted<S> {
    /// Plants `defect` into `inner`.
    pub fn new(inner: S, defect: Defect) -> Self {
        let name = format!("{} with {defect:?}", inner.name());
        Self { inner, defect, name }
    }

    /// The case as the defective code misreads it.
    fn misread(&self, case: &Case) -> Case {
        let mut case = case.clone();
        match self.defect {
            Defect::MissingWeight => forget_weights(&mut case.spec),
            Defect::SwappedClasses if case.grid.classes > 1 => swap_targets(&mut case),
            Defect::IgnoredPixelsCounted => {
                if let (Labels::Indices(labels), Some(ignored)) = (&mut case.target, case.spec.ignore_index) {
                    labels.iter_mut().filter(|label| **label == ignored).for_each(|label| *label = 0);
                }
            }
            Defect::LayoutMixUp => {
                case.spec.layout = match case.spec.layout {
                    Layout::ChannelsFirst => Layout::ChannelsLast,
                    Layout::ChannelsLast => Layout::ChannelsFirst,
                }
            }
            Defect::BatchForSample if case.spec.weights.source == Source::PerSample => {
                case.spec.weights.source = Source::PerBatch;
            }
            Defect::HardenedTargets => harden(&mut case),
            Defect::MicroTversky => mistakes::micro_averaged(&mut case),
            Defect::AbsentTakesAll => mistakes::absent_takes_all(&mut case),
            Defect::SmoothingPerClass => mistakes::smoothing_per_class(&mut case),
            Defect::MaskedLogits => mistakes::masked_logits(&mut case),
            _ => {}
        }
        case
    }

    /// What the defective code makes of an answer that is right.
    fn spoil(&self, case: &Case, out: &mut Outcome) -> Result<(), String> {
        let scale = |out: &mut Outcome, by: f64| out.gradient.iter_mut().for_each(|g| *g *= by);
        match self.defect {
            Defect::FlippedSign => scale(out, -1.0),
            Defect::DetachedGradient => out.gradient.fill(0.0),
            Defect::DroppedMean => {
                let denominator = out.denominator;
                scale(out, denominator);
            }
            Defect::NanGradient => out.gradient[0] = f64::NAN,
            Defect::ScaledGradient => scale(out, 1.0 + 1e-6),
            Defect::StaleGradient => {
                for (n, p, c) in case.grid.entries().filter(|&(n, p, _)| case.is_ignored(n, p)) {
                    out.gradient[case.at(n, c, p)] = 1e-3;
                }
            }
            Defect::DocumentWeightOne if case.spec.kind == Kind::DocumentCategorical => {
                let classes = case.grid.classes as f64;
                scale(out, classes);
                out.value *= classes;
                out.numerator *= classes;
            }
            Defect::ThreadOrder if rayon::current_num_threads() > 2 => {
                out.value = f64::from_bits(out.value.to_bits() ^ 1);
            }
            Defect::NaiveExponential if case.logits.iter().any(|z| z.abs() > 700.0) => {
                out.value = f64::NAN;
                out.gradient.fill(f64::NAN);
            }
            Defect::HiddenNan => {
                for x in out.map.iter_mut().flatten().chain(&mut out.gradient).chain([&mut out.value]) {
                    if !x.is_finite() {
                        *x = 0.0;
                    }
                }
                out.broken = 0;
            }
            Defect::LovaszOfClassIds => mistakes::lovasz_of_class_ids(case, out),
            Defect::FocalOfWeighted => mistakes::focal_of_weighted(&self.inner, case, out)?,
            Defect::IgnoredInDenominator => mistakes::ignored_in_denominator(case, out),
            _ => {}
        }
        Ok(())
    }
}

fn forget_weights(spec: &mut LossSpec) {
    spec.weights = WeightSpec::default();
    spec.terms.iter_mut().for_each(|term| forget_weights(&mut term.loss));
}

fn swap_targets(case: &mut Case) {
    let (grid, layout) = (case.grid.clone(), case.spec.layout);
    match &mut case.target {
        Labels::Indices(labels) => {
            for label in labels {
                *label = match *label {
                    0 => 1,
                    1 => 0,
                    other => other,
                };
            }
        }
        Labels::Distribution(y) => {
            for (n, p) in (0..grid.images).flat_map(|n| (0..grid.pixels()).map(move |p| (n, p))) {
                y.swap(grid.at(layout, n, 0, p), grid.at(layout, n, 1, p));
            }
        }
    }
}

fn harden(case: &mut Case) {
    let mut hard = distribution(case);
    for n in 0..case.grid.images {
        for p in 0..case.grid.pixels() {
            let y: Vec<f64> = (0..case.grid.classes).map(|c| case.target(n, p, c)).collect();
            let largest = y.iter().copied().fold(0.0, f64::max);
            let single = case.grid.classes == 1;
            for (c, &y) in y.iter().enumerate() {
                hard[case.at(n, c, p)] = f64::from(u8::from(if single { y >= 0.5 } else { y == largest }));
            }
        }
    }
    if matches!(case.target, Labels::Distribution(_)) {
        case.target = Labels::Distribution(hard);
    }
}

impl<S: Subject> Subject for Planted<S> {
    fn name(&self) -> &str {
        &self.name
    }

    fn evaluate(&self, case: &Case, precision: Precision) -> Result<Outcome, String> {
        let precision = if self.defect == Defect::SinglePrecision { Precision::F32 } else { precision };
        let mut out = self.inner.evaluate(&self.misread(case), precision)?;
        self.spoil(case, &mut out)?;
        Ok(out)
    }

    fn evaluate_in_parts(&self, case: &Case, parts: &[Range<usize>]) -> Result<InParts, String> {
        // A defect of the loss itself is in the parts as it is in the whole.
        let mut out = self.evaluate(case, Precision::F64)?;
        match self.defect {
            Defect::SinglePrecision => {}
            Defect::WeightsPerPart => {
                (out.value, out.gradient) = (0.0, Vec::new());
                for part in parts {
                    // Only the part itself, as if nothing else were in the batch; then the mean over the parts.
                    let alone = self.inner.evaluate(&case.images(part.clone()), Precision::F64)?;
                    out.value += alone.value / parts.len() as f64;
                    out.gradient.extend(alone.gradient.iter().map(|g| g / parts.len() as f64));
                }
            }
            _ => {
                let in_parts = self.inner.evaluate_in_parts(&self.misread(case), parts)?;
                (out.value, out.gradient) = (in_parts.value, in_parts.gradient);
                self.spoil(case, &mut out)?;
            }
        }
        let at_once = case.spec.kind.is_additive().then(|| out.gradient.clone());
        Ok(InParts { value: out.value, gradient: out.gradient, at_once })
    }

    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String> {
        if self.defect != Defect::LastOfTies {
            return self.inner.class_prediction(scores, shape, layout, class);
        }
        // Favours later classes by less than any difference between scores that are not tied.
        let grid = crate::case::Grid::from_shape(shape, layout);
        let mut nudged = scores.to_vec();
        for (n, p, c) in grid.entries() {
            nudged[grid.at(layout, n, c, p)] += 1e-12 * c as f64;
        }
        self.inner.class_prediction(&nudged, shape, layout, class)
    }

    fn operate(&self, task: &Task, precision: Precision) -> Result<Applied, String> {
        self.inner.operate(task, precision)
    }

    fn step(&self, task: &NetworkTask) -> Result<Step, String> {
        self.inner.step(task)
    }
}
