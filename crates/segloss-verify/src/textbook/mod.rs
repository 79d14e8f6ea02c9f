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

mod answer;
pub mod class_prediction;
mod combined;
pub mod counts;
pub mod lovasz;
pub mod overlap;
mod pixel;
mod reduce;
mod shift;
pub mod unet;
pub mod weights;

use crate::number::Number;
use crate::number::dual::Dual;
use pixel::Pixel;
use reduce::Definition;
use segloss::{Kind, Options};
use segloss_cases::{Case, has_term};

pub use answer::Answer;
pub(crate) use pixel::{sigmoid, softmax};

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
    case.grid
        .places()
        .filter(|&(n, p)| !case.is_ignored(n, p))
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
        $(mod $module;)+

        fn define<T: Number + 'static>(case: &Case, here: &[Pixel<T>]) -> Definition<T> {
            match &case.spec.options {
                $(Options::$Kind(options) => $module::define(case, options, here),)+
                // A sum is made of whole textbooks: the one definition that needs what stands above it.
                Options::Combined(_) => combined::define(case, |term| {
                    let textbook = Textbook::of(term);
                    Box::new(move |z| textbook.at(z))
                }),
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
}

/// What the rounding of a case's value is relative to: the value, unless its terms may cancel.
pub fn scale(case: &Case, value: f64) -> f64 {
    match has_term(&case.spec, |kind| kind == Kind::Boundary) {
        true => evaluate::<f64>(case).magnitude,
        false => value.abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use segloss::LossSpec;
    use segloss_cases::{Grid, Labels};

    /// At logits of 0 every class has p = 1/C, and every loss a number that a hand can find.
    fn at_even_odds(text: &str, labels: &[i64]) -> f64 {
        let grid = Grid::new(1, 2, &[labels.len()]);
        let spec = LossSpec::from_toml(text).unwrap();
        let logits = vec![0.0; grid.len()];
        evaluate::<f64>(&Case::new("", spec, grid, logits, Labels::Indices(labels.to_vec()))).value
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
        let case = Case::new(
            "",
            LossSpec::from_toml("kind = 'lovasz_hinge'").unwrap(),
            grid,
            vec![0.5, -0.25, 0.0],
            Labels::Indices(vec![0, 1, 1]),
        );
        let textbook = Textbook::of(&case);
        let value = |z: f64| textbook.at(&[z, -0.25, 0.0]).value;
        // Far beyond the places where the order of the errors changes.
        assert_eq!(value(5.0) - value(0.5), 3.0 * (value(2.0) - value(0.5)));
        assert_eq!(value(0.5), evaluate::<f64>(&case).value);
    }
}
