//! Drawn cases of every kind against the textbook's answers in 320 bits: what `fixtures/exact` holds, compared without
//! the harness that made it.

use segloss::{Evaluation, Loss, LossSpec};
use segloss_cases::{Case, Grid, LAYOUTS, Labels};
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

fn lines() -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/exact/cases.jsonl");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Line {
    fn case(&self) -> Case {
        let target = match (&self.labels, &self.distribution) {
            (Some(labels), _) => Labels::Indices(labels.clone()),
            (None, distribution) => Labels::Distribution(distribution.clone().unwrap()),
        };
        let grid = Grid::from_shape(&self.shape, self.spec.layout);
        let logits = self.logits.iter().map(|&z| f64::from(z)).collect();
        let case = Case::new(&self.name, self.spec.clone(), grid, logits, target);
        Case { weight_map: self.weight_map.clone(), ..case }
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

/// Value and gradient of the batch, image by image.
fn in_parts(loss: &Loss, case: &Case) -> (Evaluation, Vec<f64>) {
    let images: Vec<(Range<usize>, Case)> =
        (0..case.grid.images).map(|n| (n..n + 1, case.images(n..n + 1))).collect();
    let counts = |image: &Case| image.with_input(|z| z, |input| loss.label_counts(input)).unwrap();
    let mut all = counts(&images[0].1);
    images[1..].iter().for_each(|(_, image)| all.join_images(counts(image)).unwrap());
    let plan = loss.plan(&all).unwrap();
    let part = |(n, image): &(Range<usize>, Case)| {
        let plan = plan.images(n.clone()).unwrap();
        image.with_input(|z| z, |input| loss.part(input, &plan, None)).unwrap()
    };
    let mut all = part(&images[0]);
    images[1..].iter().for_each(|image| all.combine(part(image)).unwrap());
    let mut gradient = vec![f64::NAN; case.logits.len()];
    for ((n, image), out) in images.iter().zip(gradient.chunks_mut(case.logits.len() / images.len())) {
        let plan = plan.images(n.clone()).unwrap();
        image.with_input(|z| z, |input| loss.part_gradient(input, &plan, &all, out)).unwrap();
    }
    (loss.finish(&plan, &all).unwrap(), gradient)
}

#[test]
fn every_kind_is_its_textbook() {
    for line in &lines() {
        let own = line.case();
        for layout in LAYOUTS {
            let case = own.relaid(layout);
            let loss = Loss::new(case.spec.clone()).unwrap();
            let like_logits = |array: &[f64]| own.grid.relaid(array, own.spec.layout, layout);
            let mut gradient = vec![f64::NAN; line.logits.len()];
            let found =
                case.with_input(|z| z, |input| loss.value_and_gradient(input, &mut gradient)).unwrap();
            line.demand_sums(&found);
            line.demand_array("gradient", &gradient, &like_logits(&line.gradient));
            let value = case.with_input(|z| z, |input| loss.value(input)).unwrap().value;
            assert_eq!(found.value, value);

            for (n, row) in found.effective_weights.rows().into_iter().enumerate() {
                let want = line.weights.get(n.min(line.weights.len() - 1)).unwrap();
                line.demand_array("weights", &row.to_vec(), want);
            }
            if let Some(want) = &line.map {
                let (_, map) = case.with_input(|z| z, |input| loss.map(input)).unwrap();
                let want = if map.shape() == case.shape() { like_logits(want) } else { want.clone() };
                line.demand_array("map", &map.into_iter().collect::<Vec<_>>(), &want);
            }
            // What the classes cost is what the loss costs.
            let of_classes: f64 = found.sums.per_class.iter().map(|class| class.loss).sum();
            let off = (of_classes - found.sums.numerator).abs();
            line.demand("losses of the classes", off, line.magnitude * line.denominator);

            let (found, gradient) = in_parts(&loss, &case);
            line.demand_sums(&found);
            line.demand_array("gradient in parts", &gradient, &like_logits(&line.gradient));
        }
    }
}
