//! What the checks judge: anything that computes losses.

use crate::case::{Case, Labels};
use ndarray::{ArrayView, IxDyn};
use segloss::{Element, Error, Input, Layout, Loss, Problem, Target, Warning};
use std::ops::Range;

/// The element type to compute in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 64 bits.
    F64,
}

impl Precision {
    /// Both.
    pub const ALL: [Self; 2] = [Self::F32, Self::F64];

    /// As in the names of fixtures.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// What a subject answers. Numbers are widened to `f64`, which changes none of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The loss.
    pub value: f64,
    /// Σ of the weighted losses.
    pub numerator: f64,
    /// What it was divided by.
    pub denominator: f64,
    /// Pixels that were not ignored.
    pub valid_pixels: u64,
    /// Laid out like the logits.
    pub gradient: Vec<f64>,
    /// The loss before it is summed, of a kind that is a sum over pixels.
    pub map: Option<Vec<f64>>,
    /// A row for each scope; none of a sum of losses.
    pub weights: Vec<Vec<f64>>,
    /// Entries that the subject itself says are NaN or infinite.
    pub broken: u64,
    /// Whether it says that every pixel is ignored.
    pub says_all_ignored: bool,
}

/// What a subject answers for a batch in parts.
#[derive(Clone, Debug, PartialEq)]
pub struct InParts {
    /// The loss of the whole.
    pub value: f64,
    /// The gradient of each part in the light of all others, put side by side.
    pub gradient: Vec<f64>,
    /// The same, each part's without a look at any other's result: of a kind that is a sum over pixels.
    pub at_once: Option<Vec<f64>>,
}

/// A computer of losses: the library, the library with a planted defect, one day somebody else's.
///
/// A refusal is an answer like any other, which a check holds against the subject: hence `String`.
pub trait Subject: Sync {
    /// Names the subject in reports.
    fn name(&self) -> &str;

    /// The only case that it is to be asked about, in a replay.
    fn only(&self) -> Option<&str> {
        None
    }

    /// Value, gradient and map of a case. The gradient's buffer holds NaN before, to prove that it is
    /// overwritten.
    ///
    /// # Errors
    /// The subject's own words for refusing.
    fn evaluate(&self, case: &Case, precision: Precision) -> Result<Outcome, String>;

    /// Value and gradient of a case that is computed in parts of consecutive images.
    ///
    /// # Errors
    /// The subject's own words for refusing.
    fn evaluate_in_parts(&self, case: &Case, parts: &[Range<usize>]) -> Result<InParts, String>;

    /// The document's S4 for a class.
    ///
    /// # Errors
    /// The subject's own words for refusing.
    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String>;
}

/// A subject that is asked about one case only, so that a replay prints that case and nothing else.
pub struct Only<'a> {
    /// Who answers.
    pub subject: &'a dyn Subject,
    /// The name of the case.
    pub case: &'a str,
}

impl Subject for Only<'_> {
    fn name(&self) -> &str {
        self.subject.name()
    }

    fn only(&self) -> Option<&str> {
        Some(self.case)
    }

    fn evaluate(&self, case: &Case, precision: Precision) -> Result<Outcome, String> {
        self.subject.evaluate(case, precision)
    }

    fn evaluate_in_parts(&self, case: &Case, parts: &[Range<usize>]) -> Result<InParts, String> {
        self.subject.evaluate_in_parts(case, parts)
    }

    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String> {
        self.subject.class_prediction(scores, shape, layout, class)
    }
}

/// segloss itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Library;

impl Subject for Library {
    fn name(&self) -> &str {
        "segloss"
    }

    fn evaluate(&self, case: &Case, precision: Precision) -> Result<Outcome, String> {
        match precision {
            Precision::F32 => evaluate(case, |x| x as f32),
            Precision::F64 => evaluate(case, |x| x),
        }
    }

    fn evaluate_in_parts(&self, case: &Case, parts: &[Range<usize>]) -> Result<InParts, String> {
        let loss = Loss::new(case.spec.clone()).map_err(text)?;
        let pieces: Vec<Case> = parts.iter().map(|part| case.images(part.clone())).collect();
        let mut census: Option<segloss::Census> = None;
        for piece in &pieces {
            let one = with_input(piece, |x| x, |input| loss.census(input))?;
            census = Some(match census {
                None => one,
                Some(all) => all.join_images(&one),
            });
        }
        let plan = loss.plan(&census.ok_or("no parts")?).map_err(text)?;
        let mut all: Option<segloss::Part> = None;
        for (piece, part) in pieces.iter().zip(parts) {
            let one = with_input(piece, |x| x, |input| loss.part(input, &plan.images(part.clone()), None))?;
            all = Some(match all {
                None => one,
                Some(all) => all.combine(one),
            });
        }
        let all = all.ok_or("no parts")?;
        let mut gradient = Vec::new();
        let mut at_once = case.spec.kind.is_additive().then(Vec::new);
        for (piece, part) in pieces.iter().zip(parts) {
            let plan = plan.images(part.clone());
            let mut one = vec![f64::NAN; piece.logits.len()];
            with_input(piece, |x| x, |input| loss.part_gradient(input, &plan, &all, &mut one))?;
            gradient.extend(&one);
            if let Some(at_once) = &mut at_once {
                one.fill(f64::NAN);
                with_input(piece, |x| x, |input| loss.part(input, &plan, Some(&mut one)))?;
                at_once.extend(one);
            }
        }
        Ok(InParts { value: loss.finish(&plan, &all).value, gradient, at_once })
    }

    fn class_prediction(
        &self,
        scores: &[f64],
        shape: &[usize],
        layout: Layout,
        class: usize,
    ) -> Result<Vec<f64>, String> {
        let scores = ArrayView::from_shape(IxDyn(shape), scores).map_err(text)?;
        let found = segloss::class_prediction(scores, layout, class).map_err(text)?;
        Ok(found.into_iter().collect())
    }
}

fn evaluate<T: Element + Into<f64>>(
    case: &Case,
    narrow: impl Fn(f64) -> T + Copy,
) -> Result<Outcome, String> {
    let loss = Loss::new(case.spec.clone()).map_err(text)?;
    with_input(case, narrow, |input| {
        let mut gradient = vec![narrow(f64::NAN); case.logits.len()];
        let found = loss.value_and_gradient(input, &mut gradient)?;
        let map = match loss.map(input) {
            Ok((_, map)) => Some(map.into_iter().map(Into::into).collect()),
            Err(Error { problem: Problem::NoMap, .. }) => None,
            Err(other) => return Err(other),
        };
        Ok(Outcome {
            value: found.value,
            numerator: found.sums.numerator,
            denominator: found.sums.denominator,
            valid_pixels: found.sums.valid_pixels,
            gradient: gradient.into_iter().map(Into::into).collect(),
            map,
            weights: found.effective_weights.rows().into_iter().map(|row| row.to_vec()).collect(),
            broken: found.sums.broken.as_ref().map_or(0, |broken| broken.count),
            says_all_ignored: found.warnings.contains(&Warning::AllIgnored),
        })
    })
}

/// Hands the case to `use_it` as the library's input.
fn with_input<T: Element, R>(
    case: &Case,
    narrow: impl Fn(f64) -> T,
    use_it: impl FnOnce(&Input<'_, T>) -> Result<R, Error>,
) -> Result<R, String> {
    let logits: Vec<T> = case.logits.iter().map(|&z| narrow(z)).collect();
    let logits = ArrayView::from_shape(IxDyn(&case.shape()), &logits).map_err(text)?;
    let map: Option<Vec<T>> = case.weight_map.as_ref().map(|map| map.iter().map(|&m| narrow(m)).collect());
    let with_map = |input| weigh(input, case, map.as_deref());
    match &case.target {
        Labels::Indices(labels) => {
            let labels = ArrayView::from_shape(IxDyn(&case.grid.pixel_shape()), labels).map_err(text)?;
            let input = Input::new(logits, Target::indices(labels)).map_err(text)?;
            use_it(&with_map(input)?).map_err(text)
        }
        Labels::Distribution(y) => {
            let y: Vec<T> = y.iter().map(|&y| narrow(y)).collect();
            let y = ArrayView::from_shape(IxDyn(&case.shape()), &y).map_err(text)?;
            let input = Input::new(logits, Target::distribution(y)).map_err(text)?;
            use_it(&with_map(input)?).map_err(text)
        }
    }
}

/// The input with the weight of each pixel, if the case has one.
fn weigh<'a, T: Element>(
    input: Input<'a, T>,
    case: &Case,
    map: Option<&'a [T]>,
) -> Result<Input<'a, T>, String> {
    let Some(map) = map else { return Ok(input) };
    let map = ArrayView::from_shape(IxDyn(&case.grid.pixel_shape()), map).map_err(text)?;
    input.with_weight_map(map).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
