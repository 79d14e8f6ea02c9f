//! Drawn cases of every kind against the textbook's answers in 320 bits: what `fixtures/exact` holds, compared without
//! the harness that made it.

use ndarray::{ArrayD, Axis, IxDyn};
use segloss::{Evaluation, Input, Layout, Loss, LossSpec, Target};
use serde::Deserialize;
use std::fs;
use std::ops::Range;
use std::path::Path;

/// Relative to the largest entry, nothing absolute. The answers have no error: what is left is our own rounding.
const BOUND: f64 = 2e-14;

#[derive(Deserialize)]
struct Line {
    name: String,
    spec: LossSpec,
    shape: Vec<usize>,
    logits: Vec<f32>,
    labels: Option<Vec<i64>>,
    distribution: Option<Vec<f64>>,
    weight_map: Option<Vec<f64>>,
    value: f64,
    numerator: f64,
    denominator: f64,
    magnitude: f64,
    map: Option<Vec<f64>>,
    weights: Vec<Vec<f64>>,
    gradient: Vec<f64>,
}

/// A case in one of the two layouts.
struct Case {
    loss: Loss,
    logits: ArrayD<f64>,
    labels: Option<ArrayD<i64>>,
    distribution: Option<ArrayD<f64>>,
    weight_map: Option<ArrayD<f64>>,
}

fn lines() -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/exact/cases.jsonl");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Line {
    /// The class axis where `layout` wants it, of an array that is shaped like the logits.
    fn relaid(&self, array: &[f64], layout: Layout) -> ArrayD<f64> {
        let array = ArrayD::from_shape_vec(IxDyn(&self.shape), array.to_vec()).unwrap();
        let mut axes: Vec<usize> = (0..self.shape.len()).collect();
        match (self.spec.layout, layout) {
            (Layout::ChannelsFirst, Layout::ChannelsLast) => axes[1..].rotate_left(1),
            (Layout::ChannelsLast, Layout::ChannelsFirst) => axes[1..].rotate_right(1),
            _ => {}
        }
        array.permuted_axes(axes).as_standard_layout().into_owned()
    }

    fn case(&self, layout: Layout) -> Case {
        let like_logits = |array: &Vec<f64>| self.relaid(array, layout);
        let mut pixels = self.shape.clone();
        pixels.remove(if self.spec.layout == Layout::ChannelsFirst { 1 } else { pixels.len() - 1 });
        let logits = self.logits.iter().map(|&z| f64::from(z)).collect();
        Case {
            loss: Loss::new(LossSpec { layout, ..self.spec.clone() }).unwrap(),
            logits: like_logits(&logits),
            labels: self.labels.clone().map(|labels| ArrayD::from_shape_vec(pixels.clone(), labels).unwrap()),
            distribution: self.distribution.as_ref().map(like_logits),
            weight_map: self.weight_map.clone().map(|map| ArrayD::from_shape_vec(pixels, map).unwrap()),
        }
    }

    /// The value may cancel; its rounding cannot be smaller than that of what was added.
    fn demand_sums(&self, found: &Evaluation) {
        let sum_of_magnitudes = self.magnitude * self.denominator;
        self.demand("value", (found.value - self.value).abs(), self.magnitude);
        self.demand("numerator", (found.sums.numerator - self.numerator).abs(), sum_of_magnitudes);
        self.demand("denominator", (found.sums.denominator - self.denominator).abs(), self.denominator);
    }

    fn demand_array(&self, what: &str, found: &[f64], want: &[f64]) {
        assert_eq!(found.len(), want.len(), "{}: {what}", self.name);
        let largest = want.iter().fold(0.0, |largest: f64, w| largest.max(w.abs()));
        found.iter().zip(want).for_each(|(f, w)| self.demand(what, (f - w).abs(), largest));
    }

    fn demand(&self, what: &str, difference: f64, scale: f64) {
        assert!(difference <= BOUND * scale, "{}: {what} is off by {difference:e} of {scale}", self.name);
    }
}

impl Case {
    /// Hands some of the images to `use_it`.
    fn with<R>(&self, images: Range<usize>, use_it: impl FnOnce(&Input<'_, f64>) -> R) -> R {
        let some = |array: &ArrayD<f64>| array.slice_axis(Axis(0), images.clone().into()).to_owned();
        let labels = self.labels.as_ref().map(|l| l.slice_axis(Axis(0), images.clone().into()).to_owned());
        let (logits, distribution) = (some(&self.logits), self.distribution.as_ref().map(some));
        let target = match (&labels, &distribution) {
            (Some(labels), _) => Target::indices(labels.view()),
            (None, distribution) => Target::distribution(distribution.as_ref().unwrap().view()),
        };
        let input = Input::new(logits.view(), target).unwrap();
        match self.weight_map.as_ref().map(some) {
            None => use_it(&input),
            Some(map) => use_it(&input.with_weight_map(map.view()).unwrap()),
        }
    }

    fn images(&self) -> usize {
        self.logits.len_of(Axis(0))
    }

    /// Value and gradient of the batch, image by image.
    fn in_parts(&self) -> (Evaluation, Vec<f64>) {
        let each = || (0..self.images()).map(|n| n..n + 1);
        let counts = |n| self.with(n, |input| self.loss.label_counts(input).unwrap());
        let mut all = counts(0..1);
        each().skip(1).for_each(|n| all.join_images(counts(n)).unwrap());
        let plan = self.loss.plan(&all).unwrap();
        let part = |n: Range<usize>| {
            let plan = plan.images(n.clone()).unwrap();
            self.with(n, |input| self.loss.part(input, &plan, None).unwrap())
        };
        let mut all = part(0..1);
        each().skip(1).for_each(|n| all.combine(part(n)).unwrap());
        let mut gradient = vec![f64::NAN; self.logits.len()];
        for (n, out) in each().zip(gradient.chunks_mut(self.logits.len() / self.images())) {
            let plan = plan.images(n.clone()).unwrap();
            self.with(n, |input| self.loss.part_gradient(input, &plan, &all, out).unwrap());
        }
        (self.loss.finish(&plan, &all).unwrap(), gradient)
    }
}

#[test]
fn every_kind_is_its_textbook() {
    for line in &lines() {
        for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
            let case = line.case(layout);
            let like_logits = |array: &[f64]| line.relaid(array, layout).into_iter().collect::<Vec<_>>();
            let mut gradient = vec![f64::NAN; line.logits.len()];
            let whole = 0..case.images();
            let evaluate = |input: &Input<'_, f64>| case.loss.value_and_gradient(input, &mut gradient);
            let found = case.with(whole.clone(), evaluate).unwrap();
            line.demand_sums(&found);
            line.demand_array("gradient", &gradient, &like_logits(&line.gradient));
            assert_eq!(found.value, case.with(whole.clone(), |input| case.loss.value(input)).unwrap().value);

            for (n, row) in found.effective_weights.rows().into_iter().enumerate() {
                let want = line.weights.get(n.min(line.weights.len() - 1)).unwrap();
                line.demand_array("weights", &row.to_vec(), want);
            }
            if let Some(want) = &line.map {
                let (_, map) = case.with(whole, |input| case.loss.map(input)).unwrap();
                let want = if map.shape() == case.logits.shape() { like_logits(want) } else { want.clone() };
                line.demand_array("map", &map.into_iter().collect::<Vec<_>>(), &want);
            }
            // What the classes cost is what the loss costs.
            let of_classes: f64 = found.sums.per_class.iter().map(|class| class.loss).sum();
            line.demand(
                "losses of the classes",
                (of_classes - found.sums.numerator).abs(),
                line.magnitude * line.denominator,
            );

            let (found, gradient) = case.in_parts();
            line.demand_sums(&found);
            line.demand_array("gradient in parts", &gradient, &like_logits(&line.gradient));
        }
    }
}
