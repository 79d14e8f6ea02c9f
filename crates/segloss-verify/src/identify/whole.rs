//! A large batch in single precision: losses over regions are computed on it, once each.

use ndarray::{ArrayD, IxDyn};
use segloss::{Input, Loss, LossSpec, Target};
use segloss_cases::Labels;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Entries that losses over regions may be computed of: a few seconds of two cores.
const WORK: usize = 1 << 30;

/// Value, and the gradient at the sample.
type Answers = BTreeMap<String, Option<(f64, Vec<f64>)>>;

/// What a sample was taken from.
#[derive(Debug)]
pub struct Whole {
    logits: ArrayD<f32>,
    target: WholeTarget,
    ignored: Option<i64>,
    /// Pixels that count.
    pub valid: usize,
    /// Where the sample's entries lie.
    pub entries: Vec<usize>,
    answers: Mutex<Answers>,
}

#[derive(Debug)]
enum WholeTarget {
    Indices(ArrayD<i64>),
    Distribution(ArrayD<f32>),
}

impl Whole {
    /// Of logits and target of these shapes, of which a sample was taken at `entries`.
    pub fn new(
        (logits, shape): (&[f64], &[usize]),
        (target, pixel_shape): (&Labels, &[usize]),
        ignored: Option<i64>,
        valid: usize,
        entries: Vec<usize>,
    ) -> Self {
        let narrow = |array: &[f64]| {
            let numbers = array.iter().map(|&x| x as f32).collect();
            // The arrays of a batch have its shape.
            ArrayD::from_shape_vec(IxDyn(shape), numbers).unwrap_or_default()
        };
        let target = match target {
            Labels::Distribution(y) => WholeTarget::Distribution(narrow(y)),
            Labels::Indices(labels) => WholeTarget::Indices(
                ArrayD::from_shape_vec(IxDyn(pixel_shape), labels.clone()).unwrap_or_default(),
            ),
        };
        Self { logits: narrow(logits), target, ignored, valid, entries, answers: Mutex::default() }
    }

    /// How many losses over regions may be tried.
    pub fn affordable(&self) -> usize {
        (WORK / self.logits.len()).max(16)
    }

    /// Computes those that are no sums over pixels, one after the other: each has all threads, and a copy of the batch.
    pub fn prepare(&self, specs: &[LossSpec]) {
        specs.iter().filter(|spec| !spec.kind().is_additive()).for_each(|spec| drop(self.answer(spec)));
    }

    /// Value of the whole, and the gradient at the sample.
    pub fn answer(&self, spec: &LossSpec) -> Option<(f64, Vec<f64>)> {
        let key = spec.to_toml();
        let known = |answers: &Answers| answers.get(&key).cloned();
        if let Some(answer) = self.answers.lock().ok().and_then(|answers| known(&answers)) {
            return answer;
        }
        let answer = self.compute(spec);
        if let Ok(mut answers) = self.answers.lock() {
            answers.insert(key, answer.clone());
        }
        answer
    }

    fn compute(&self, spec: &LossSpec) -> Option<(f64, Vec<f64>)> {
        let mut spec = spec.clone();
        let target = match &self.target {
            WholeTarget::Indices(labels) => Target::indices(labels.view()),
            WholeTarget::Distribution(y) => Target::distribution(y.view()),
        };
        spec.ignore_index = self.ignored.filter(|_| matches!(self.target, WholeTarget::Indices(_)));
        let mut gradient = vec![0.0_f32; self.logits.len()];
        let input = Input::new(self.logits.view(), target).ok()?;
        let found = Loss::new(spec).ok()?.value_and_gradient(&input, &mut gradient).ok()?;
        let gradient = self.entries.iter().map(|&at| f64::from(gradient[at])).collect();
        Some((found.value, gradient))
    }
}
