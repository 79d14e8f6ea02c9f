//! A large batch in single precision: losses over regions are computed on it, once each.

use super::observation::Observation;
use ndarray::{ArrayD, IxDyn};
use segloss::{Input, Kind, Loss, LossSpec, Target};
use segloss_cases::Labels;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Entries that losses over regions may be computed of: a few seconds of two cores.
const WORK: usize = 3 << 27;

/// Value, and the gradient at the sample.
type Answers = BTreeMap<String, Option<(f64, Vec<f64>)>>;

/// What a sample was taken from.
#[derive(Debug)]
pub struct Whole {
    all: Arrays,
    sample: Arrays,
    ignored: Option<i64>,
    /// Pixels that count.
    pub valid: usize,
    /// Where the sample's entries lie.
    pub entries: Vec<usize>,
    answers: Mutex<Answers>,
}

/// Logits and target.
#[derive(Debug)]
pub struct Arrays {
    logits: ArrayD<f32>,
    target: Labelled,
}

#[derive(Debug)]
enum Labelled {
    Indices(ArrayD<i64>),
    Distribution(ArrayD<f32>),
}

impl Arrays {
    /// In single precision, of a batch with these spatial axes.
    pub fn new(o: &Observation, spatial: &[usize], logits: &[f64], target: &Labels) -> Self {
        let shape: Vec<usize> = [o.images, o.classes].iter().chain(spatial).copied().collect();
        let pixels: Vec<usize> = [o.images].iter().chain(spatial).copied().collect();
        let narrow = |array: &[f64]| {
            let numbers = array.iter().map(|&x| x as f32).collect();
            // The arrays of a batch have its shape.
            ArrayD::from_shape_vec(IxDyn(&shape), numbers).unwrap_or_default()
        };
        let target = match target {
            Labels::Distribution(y) => Labelled::Distribution(narrow(y)),
            Labels::Indices(labels) => {
                Labelled::Indices(ArrayD::from_shape_vec(IxDyn(&pixels), labels.clone()).unwrap_or_default())
            }
        };
        Self { logits: narrow(logits), target }
    }

    fn input(&self) -> Option<Input<'_, f32>> {
        let target = match &self.target {
            Labelled::Indices(labels) => Target::indices(labels.view()),
            Labelled::Distribution(y) => Target::distribution(y.view()),
        };
        Input::new(self.logits.view(), target).ok()
    }
}

impl Whole {
    /// Of a batch of which a sample was taken at `entries`.
    pub fn new(o: &Observation, sample: Arrays, entries: Vec<usize>) -> Self {
        let all = Arrays::new(o, &o.spatial, &o.logits, &o.target);
        let (ignored, valid) = (o.ignored, o.valid());
        Self { all, sample, ignored, valid, entries, answers: Mutex::default() }
    }

    /// How many losses over regions may be tried.
    pub fn affordable(&self) -> usize {
        (WORK / self.all.logits.len()).max(16)
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
        spec.ignore_index = self.ignored.filter(|_| matches!(self.all.target, Labelled::Indices(_)));
        let (loss, all, sample) = (Loss::new(spec).ok()?, self.all.input()?, self.sample.input()?);
        if loss.spec().kind() == Kind::Boundary {
            // The sample knows no borders.
            let mut gradient = vec![0.0_f32; self.all.logits.len()];
            let found = loss.value_and_gradient(&all, &mut gradient).ok()?;
            return Some((found.value, self.entries.iter().map(|&at| f64::from(gradient[at])).collect()));
        }
        // Forward over all of it, and back over what is looked at.
        let plan = loss.plan(&loss.label_counts(&all).ok()?).ok()?;
        let part = loss.part(&all, &plan, None).ok()?;
        let mut gradient = vec![0.0_f32; self.entries.len()];
        loss.part_gradient(&sample, &plan, &part, &mut gradient).ok()?;
        let value = loss.finish(&plan, &part).ok()?.value;
        Some((value, gradient.into_iter().map(f64::from).collect()))
    }
}
