//! One definition per loss, slow and obvious: what the fast code is judged by.
//!
//! Written from the papers and the source document alone: no code is shared with `segloss`, only the
//! specification and what the registry says of a kind. Each file that has the name of a kind of `segloss` says what that kind is, of a
//! pixel, an entry or a region; `reduce` adds up, [`weights`] and `shift` are what the labels say
//! beforehand.
//!
//! The definitions take logarithms of probabilities as they stand in the books, so that they hold for
//! moderate logits (|z| < 30 in `f64`); larger ones have closed forms of their own in the checks.
//!
//! # Held
//!
//! Some definitions hold a part constant: seesaw's factors by decree (its gradient is none of its value);
//! the order of a sort, the choice of the hardest pixels and the misses of a class because they are steps,
//! flat wherever they have a slope. A [`Textbook`] therefore works these parts out once, at the logits of
//! its case, and holds them while the logits that it is asked about vary. At the case's own logits its value is
//! the loss; around them it is a smooth function with the loss's gradient, whatever the width of a finite
//! difference. At a tie what is held is what the definition says of ties, so that a difference across the
//! tie sees it, too.

pub mod class_prediction;
pub mod counts;
pub mod lovasz;
pub mod overlap;
mod reduce;
mod shift;
pub mod unet;
pub mod weights;

use crate::case::Case;
use crate::number::dual::Dual;
use crate::number::{Number, sum};
use segloss::{Activation, LossSpec, Options};

/// A loss by its definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// numerator / denominator, or 0 where nothing counts.
    pub value: T,
    /// Σ of the weighted losses.
    pub numerator: T,
    /// What it is divided by.
    pub denominator: T,
    /// The value if no two terms of the sum had cancelled: what its rounding is relative to. It differs from
    /// the value only where a loss may be negative.
    pub magnitude: T,
    /// The weighted loss of each pixel, (N, P), or of each pixel and class, laid out like the logits. None of
    /// a loss that is no sum over pixels.
    pub map: Option<Vec<T>>,
    /// The weights, a row for each image. None of a sum of losses.
    pub weights: Vec<Vec<T>>,
}

impl<T: Number> Answer<T> {
    /// Every number of it as the nearest `f64`.
    pub fn rounded(&self) -> Answer<f64> {
        let all = |numbers: &Vec<T>| numbers.iter().map(T::to_f64).collect();
        Answer {
            value: self.value.to_f64(),
            numerator: self.numerator.to_f64(),
            denominator: self.denominator.to_f64(),
            magnitude: self.magnitude.to_f64(),
            map: self.map.as_ref().map(all),
            weights: self.weights.iter().map(all).collect(),
        }
    }
}

/// A pixel that is not ignored, with all that a definition may want of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixel<T> {
    /// Its image.
    pub n: usize,
    /// Its place there.
    pub p: usize,
    /// m, what it counts for.
    pub m: T,
    /// z, after any shift.
    pub z: Vec<T>,
    /// What it should be.
    pub y: Vec<T>,
    /// A weight for each class, or a (negative, positive) pair for each channel.
    pub w: Vec<T>,
}

/// From all pixels to the sums, with what the definition holds.
type Definition<T> = Box<dyn Fn(&[Pixel<T>]) -> reduce::Sums<T>>;

/// The definition of a case's loss, with what it holds at the logits of the case.
pub struct Textbook<T> {
    case: Case,
    weights: Vec<Vec<T>>,
    shifts: Vec<Vec<T>>,
    definition: Definition<T>,
}

/// The loss of `case` by its definition.
pub fn evaluate<T: Number + 'static>(case: &Case) -> Answer<T> {
    Textbook::of(case).at(&case.logits.iter().map(|&z| T::from_f64(z)).collect::<Vec<_>>())
}

/// The loss of `case`, and ∂value/∂z for every logit by dual numbers over `T`: without steps, and of
/// [`Big`](crate::number::big::Big) without rounding. The answer is half the work of the gradient.
pub fn answer_and_gradient<T: Number + 'static>(case: &Case) -> (Answer<Dual<T>>, Vec<T>) {
    let variable = |(i, &z)| Dual::variable(i, T::from_f64(z));
    let z: Vec<Dual<T>> = case.logits.iter().enumerate().map(variable).collect();
    let answer = Textbook::of(case).at(&z);
    let gradient = (0..z.len()).map(|i| answer.value.slope(i)).collect();
    (answer, gradient)
}

impl<T: Number + 'static> Textbook<T> {
    /// Looks the case's loss up.
    pub fn of(case: &Case) -> Self {
        let (weights, shifts) = (weights::rows(case), shift::rows(case));
        let logits: Vec<T> = case.logits.iter().map(|&z| T::from_f64(z)).collect();
        let here = pixels(case, &weights, &shifts, &logits);
        let definition = define(case, &here);
        Self { case: case.clone(), weights, shifts, definition }
    }

    /// The loss at `logits`, which lie as the case's own do.
    pub fn at(&self, logits: &[T]) -> Answer<T> {
        let sums = (self.definition)(&pixels(&self.case, &self.weights, &self.shifts, logits));
        let per = |x: T| if sums.denominator > T::zero() { x / sums.denominator.clone() } else { T::zero() };
        Answer {
            value: per(sums.numerator.clone()),
            magnitude: per(sums.magnitude),
            numerator: sums.numerator,
            denominator: sums.denominator,
            map: sums.map,
            weights: match self.case.spec.kind().is_sum() {
                true => Vec::new(),
                false => self.weights.clone(),
            },
        }
    }
}

/// The pixels that are not ignored, in order.
fn pixels<T: Number>(case: &Case, weights: &[Vec<T>], shifts: &[Vec<T>], logits: &[T]) -> Vec<Pixel<T>> {
    let classes = 0..case.grid.classes;
    let all = (0..case.grid.images).flat_map(|n| (0..case.grid.pixels()).map(move |p| (n, p)));
    all.filter(|&(n, p)| !case.is_ignored(n, p))
        .map(|(n, p)| Pixel {
            n,
            p,
            m: T::from_f64(case.mass(n, p)),
            z: classes.clone().map(|c| logits[case.at(n, c, p)].clone() - shifts[n][c].clone()).collect(),
            y: classes.clone().map(|c| T::from_f64(case.target(n, p, c))).collect(),
            w: weights.get(n).cloned().unwrap_or_default(),
        })
        .collect()
}

/// Makes the list of definitions: a module for each kind, whose `define` is told the case, the options of the kind and
/// the pixels as they are at the case's logits, for what it holds.
macro_rules! textbooks {
    ($($module:ident::$Kind:ident,)+) => {
        $(pub mod $module;)+

        fn define<T: Number + 'static>(case: &Case, here: &[Pixel<T>]) -> Definition<T> {
            match &case.spec.options {
                $(Options::$Kind(options) => $module::define(case, options, here),)+
            }
        }
    };
}

// A kind's definition is a file beside this one and a line here.
textbooks! {
    cross_entropy::CrossEntropy,
    binary_cross_entropy::BinaryCrossEntropy,
    document_binary::DocumentBinary,
    document_sigmoid::DocumentSigmoid,
    document_categorical::DocumentCategorical,
    focal::Focal,
    poly1_cross_entropy::Poly1CrossEntropy,
    seesaw::Seesaw,
    ldam::Ldam,
    recall_cross_entropy::RecallCrossEntropy,
    top_k_cross_entropy::TopKCrossEntropy,
    dice::Dice,
    jaccard::Jaccard,
    generalized_dice::GeneralizedDice,
    tversky::Tversky,
    focal_tversky::FocalTversky,
    unified_focal::UnifiedFocal,
    jaccard_metric::JaccardMetric,
    dice_semimetric::DiceSemimetric,
    mcc::Mcc,
    exponential_logarithmic::ExponentialLogarithmic,
    lovasz_softmax::LovaszSoftmax,
    lovasz_hinge::LovaszHinge,
    boundary::Boundary,
    combined::Combined,
}

/// Whether every channel is a problem of its own.
pub fn is_sigmoid(spec: &LossSpec) -> bool {
    spec.activation() == Activation::Sigmoid
}

/// Whether weights come in (negative, positive) pairs and the map has an entry for each channel: where
/// channels are problems of their own, and their losses a sum over pixels.
pub fn has_pairs(spec: &LossSpec) -> bool {
    is_sigmoid(spec) && spec.kind().is_additive()
}

/// p_c = e^(z_c)/Σ_j e^(z_j).
pub(crate) fn softmax<T: Number>(z: &[T]) -> Vec<T> {
    let total = sum(z.iter().map(T::exp));
    z.iter().map(|z| z.exp() / total.clone()).collect()
}

/// 1 − p_c = Σ_{j≠c} p_j, without the cancellation.
pub(crate) fn others<T: Number>(p: &[T], c: usize) -> T {
    sum((0..p.len()).filter(|&j| j != c).map(|j| p[j].clone()))
}

/// σ(z) = 1/(1 + e^(−z)).
pub(crate) fn sigmoid<T: Number>(z: T) -> T {
    T::one() / (T::one() + (-z).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Grid, Labels};
    use segloss::InstructionSet;

    /// At logits of 0 every class has p = 1/C, and every loss a number that a hand can find.
    fn at_even_odds(text: &str, labels: &[i64]) -> f64 {
        let grid = Grid::new(1, 2, &[labels.len()]);
        evaluate::<f64>(&Case {
            name: String::new(),
            spec: LossSpec::from_toml(text).unwrap(),
            logits: vec![0.0; grid.len()],
            grid,
            target: Labels::Indices(labels.to_vec()),
            weight_map: None,
            instructions: InstructionSet::best(),
        })
        .value
    }

    #[test]
    fn the_definitions_by_hand() {
        let ln2 = 2f64.ln();
        let root = 0.5f64.sqrt();
        for (text, labels, want) in [
            ("kind = 'cross_entropy'", &[0, 1][..], ln2),
            ("kind = 'binary_cross_entropy'", &[0, 1], ln2),
            ("kind = 'focal'", &[0, 1], ln2 / 4.0),
            ("kind = 'poly1_cross_entropy'", &[0, 1], ln2 + 0.5),
            // Of a pixel of the frequent class the rare one has S = ¼; the other way round 1.
            (
                "kind = 'seesaw'\nmitigation = 1.0\nprior = { source = 'fixed', values = [0.8, 0.2] }",
                &[0, 1],
                (1.25f64.ln() + ln2) / 2.0,
            ),
            // Δ = ½·(1/16)^¼ and ½.
            (
                "kind = 'ldam'\nscale = 1.0\nprior = { source = 'fixed', values = [16.0, 1.0] }",
                &[0, 1],
                ((1.0 + 0.25f64.exp()).ln() + (1.0 + 0.5f64.exp()).ln()) / 2.0,
            ),
            // All look like class 0: class 1 is missed altogether.
            ("kind = 'recall_cross_entropy'", &[0, 1], ln2 / 2.0),
            // Two of four places, shared by four.
            ("kind = 'top_k_cross_entropy'\nkeep = 0.5\nreduction = 'sum'", &[0, 1, 0, 1], 2.0 * ln2),
            // TP = FP = FN = ½.
            ("kind = 'dice'\nsmooth = 0.0", &[0, 1], 0.5),
            ("kind = 'dice'\nsmooth = 0.0\nsquared = true", &[0, 1], 0.5 / 1.5),
            ("kind = 'jaccard'\nsmooth = 0.0", &[0, 1], 1.0 / 1.5),
            ("kind = 'jaccard'\nsmooth = 0.5\nsquared = true", &[0, 1], 0.5 / 1.5),
            ("kind = 'tversky'\nsmooth = 0.0\nalpha = 1.0\nbeta = 2.0", &[0, 1], 1.5 / 2.0),
            ("kind = 'focal_tversky'\nsmooth = 0.0\ngamma = 2.0", &[0, 1], root),
            // w = 1/9 and 1: (2/9 + 2)/(5/9 + 3).
            ("kind = 'generalized_dice'", &[0, 0, 0, 1], 0.625),
            (
                "kind = 'unified_focal'\nsmooth = 0.0",
                &[0, 1],
                ((0.4 * root + 0.6) * ln2 / 2.0 + (0.5 + root) / 2.0) / 2.0,
            ),
            // All errors are ½, and the steps of J add up to 1.
            ("kind = 'lovasz_softmax'", &[0, 1, 1], 0.5),
            ("kind = 'lovasz_hinge'", &[0, 1, 1], 1.0),
            // φ = −1, 0, 1 of class 0 and 2, 1, 0 of class 1.
            ("kind = 'boundary'", &[0, 0, 1], 1.5 / 6.0),
            (
                "kind = 'combined'\nterms = [{ loss = { kind = 'cross_entropy' } }, { factor = 2.0, loss = { kind = 'boundary' } }]",
                &[0, 0, 1],
                ln2 + 0.5,
            ),
        ] {
            let found = at_even_odds(text, labels);
            assert!((found - want).abs() <= 1e-15 * want, "{text}: {found} against {want}");
        }
    }

    /// What is held stays while the logits move: the value is a straight line where the definition is one.
    #[test]
    fn what_is_held_does_not_follow_the_logits() {
        let grid = Grid::new(1, 1, &[3]);
        let case = Case {
            name: String::new(),
            spec: LossSpec::from_toml("kind = 'lovasz_hinge'").unwrap(),
            logits: vec![0.5, -0.25, 0.0],
            grid,
            target: Labels::Indices(vec![0, 1, 1]),
            weight_map: None,
            instructions: InstructionSet::best(),
        };
        let textbook = Textbook::of(&case);
        let value = |z: f64| textbook.at(&[z, -0.25, 0.0]).value;
        // Far beyond the places where the order of the errors changes.
        assert_eq!(value(5.0) - value(0.5), 3.0 * (value(2.0) - value(0.5)));
        assert_eq!(value(0.5), evaluate::<f64>(&case).value);
    }
}
