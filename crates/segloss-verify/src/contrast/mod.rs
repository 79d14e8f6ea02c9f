//! Why two losses differ: their keys, and what each makes of a few small batches.
//!
//! ```text
//! two specifications ─► keys      which differ, and what each of them does alone
//!                    ─► examples  value and gradient of both, a batch for each question
//!                    ─► Contrast  the same, a multiple, or another: where, and for which class
//! ```

mod example;
mod keys;
mod text;

pub use example::IMAGE;
pub use keys::KeyDifference;

use crate::compare::{largest, largest_relative_to, relative_to_max};
use crate::identify;
use crate::implementation::{Implementation, Outcome, Precision};
use crate::library::Library;
use example::{Example, examples};
use segloss::LossSpec;
use segloss_cases::{Case, Labels};
use serde::Serialize;

/// Gradients whose entries differ by less than this, relative to the largest, are the same.
const SAME: f64 = 1e-9;

/// Two losses side by side.
#[derive(Clone, Debug, Serialize)]
pub struct Contrast {
    /// Kinds and options in a line.
    pub names: [String; 2],
    /// How they go together.
    pub relation: Relation,
    /// The label of pixels that only one leaves out.
    pub ignored_by_one: Option<i64>,
    /// In what the specifications differ.
    pub keys: Vec<KeyDifference>,
    /// Batch by batch.
    pub batches: Vec<Batch>,
    /// What share of the pixels and of each gradient the classes have in the first batch.
    pub shares: Vec<Share>,
    /// The pixel whose gradients differ most.
    pub witness: Option<Witness>,
}

/// How two losses go together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Values and gradients are the same everywhere.
    Same,
    /// The gradients are the same; the value differs by a number that no training sees.
    SameGradient,
    /// The second gradient is this times the first, on every batch.
    Multiple(f64),
    /// It is a multiple on each batch, between these.
    MultipleOfEach(f64, f64),
    /// They differ.
    Different,
}

/// Both losses on a batch.
#[derive(Clone, Debug, Serialize)]
pub struct Batch {
    /// What it asks.
    pub question: &'static str,
    /// The values.
    pub values: [f64; 2],
    /// k, for which the second gradient is nearest to k times the first.
    pub multiple: f64,
    /// How far it still is from it, relative to its largest entry.
    pub difference: f64,
}

/// What a class gets.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// The class.
    pub class: usize,
    /// Its share of the pixels.
    pub pixels: f64,
    /// Its share of Σ |gradient| of both losses.
    pub gradient: [f64; 2],
}

/// A pixel whose gradients differ.
#[derive(Clone, Debug, Serialize)]
pub struct Witness {
    /// The batch.
    pub question: &'static str,
    /// Image, row, column.
    pub place: [usize; 3],
    /// What it should be.
    pub label: i64,
    /// What the net says.
    pub logits: Vec<f64>,
    /// Both gradients by its logits.
    pub gradients: [Vec<f64>; 2],
}

impl Contrast {
    /// Compares two losses.
    ///
    /// # Errors
    /// In words, where one is no loss, or no batch suits both.
    pub fn new(a: &LossSpec, b: &LossSpec) -> Result<Self, String> {
        let classes = classes(a, b)?;
        let ignored = a.ignore_index.or(b.ignore_index);
        if let (Some(a), Some(b)) = (a.ignore_index, b.ignore_index)
            && a != b
        {
            return Err(format!(
                "the first ignores the label {a}, the second {b}: no pixel is ignored by both"
            ));
        }
        let both = [a, b].map(|spec| LossSpec { ignore_index: ignored, ..spec.clone() });
        let examples = examples(&both[0], classes, ignored);
        let answers: Vec<[Outcome; 2]> = examples
            .iter()
            .map(|example| Ok([of(&both[0], example, "first")?, of(&both[1], example, "second")?]))
            .collect::<Result<_, String>>()?;
        let batches: Vec<Batch> =
            examples.iter().zip(&answers).map(|(example, [a, b])| batch(example, a, b)).collect();
        let keys = keys::differences(a, b).into_iter().map(|(key, changed)| {
            let changed = changed.map(|spec| LossSpec { ignore_index: ignored, ..spec });
            let alone = changed.and_then(|spec| moves(&spec, &examples, &answers));
            KeyDifference { alone, ..key }
        });
        // What one of them has no place for, and changes nothing, is beside the point.
        let acts = |key: &KeyDifference| {
            key.a.is_some() && key.b.is_some() || !key.alone.is_some_and(|moved| moved <= SAME)
        };
        Ok(Self {
            names: [a, b].map(name),
            relation: relation(&batches),
            ignored_by_one: ignored.filter(|_| a.ignore_index != b.ignore_index),
            keys: keys.filter(acts).collect(),
            witness: witness(&examples, &answers, &batches),
            shares: shares(&examples[0].case, &answers[0]),
            batches,
        })
    }
}

/// Kind, options that are not the default and weights in a line; of a sum those of its terms.
fn name(spec: &LossSpec) -> String {
    let term = |term: &segloss::Term| match term.factor {
        1.0 => name(&term.loss),
        factor => format!("{factor}·{}", name(&term.loss)),
    };
    match spec.terms() {
        [] => {
            let parts = [identify::name(spec), identify::weights_in_words(spec)];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
        }
        terms => terms.iter().map(term).collect::<Vec<_>>().join(" + "),
    }
}

/// Three classes, or as many as both take.
fn classes(a: &LossSpec, b: &LossSpec) -> Result<usize, String> {
    let takes = |spec: &LossSpec, classes: usize| {
        examples(spec, classes, spec.ignore_index).iter().all(|example| of(spec, example, "").is_ok())
    };
    let tried = || [3, 1, 2].into_iter().chain(4..=64);
    if let Some(classes) = tried().find(|&classes| takes(a, classes) && takes(b, classes)) {
        return Ok(classes);
    }
    let own = |spec: &LossSpec, which: &str| {
        tried().find(|&classes| takes(spec, classes)).ok_or_else(|| {
            let refused = of(spec, &examples(spec, 3, spec.ignore_index)[0], which).err();
            refused.unwrap_or_else(|| format!("no small batch suits the {which}"))
        })
    };
    let [x, y] = [own(a, "first")?, own(b, "second")?];
    Err(format!("the first is a loss of {x} classes, the second of {y}: no batch suits both"))
}

fn of(spec: &LossSpec, example: &Example, which: &str) -> Result<Outcome, String> {
    let spec = LossSpec { layout: example.case.spec.layout, ..spec.clone() };
    let case = Case { spec, ..example.case.clone() };
    Library.evaluate(&case, Precision::F64).map_err(|error| format!("the {which}: {error}"))
}

fn batch(example: &Example, a: &Outcome, b: &Outcome) -> Batch {
    let (multiple, difference) = multiple(&a.gradient, &b.gradient);
    Batch { question: example.question, values: [a.value, b.value], multiple, difference }
}

/// k and max |b − k·a| / max |b|; NaN where an entry is none.
fn multiple(a: &[f64], b: &[f64]) -> (f64, f64) {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let size = |x: &[f64]| largest(x.iter().map(|x| x.abs()));
    let (most, square) = (size(b), dot(a, a));
    if most == 0.0 && square == 0.0 {
        return (1.0, 0.0);
    }
    let k = if square == 0.0 { 0.0 } else { dot(a, b) / square };
    let scaled: Vec<f64> = a.iter().map(|a| k * a).collect();
    (k, largest_relative_to(b, &scaled, most.max(size(&scaled))))
}

/// How far the gradient of the first moves, relative to its largest entry, the most on any batch; none where it is no loss.
fn moves(spec: &LossSpec, examples: &[Example], answers: &[[Outcome; 2]]) -> Option<f64> {
    let on = |(example, [a, _]): (&Example, &[Outcome; 2])| {
        Some(relative_to_max(&of(spec, example, "").ok()?.gradient, &a.gradient))
    };
    Some(largest(examples.iter().zip(answers).map(on).collect::<Option<Vec<f64>>>()?))
}

fn relation(batches: &[Batch]) -> Relation {
    if !batches.iter().all(|batch| batch.difference <= SAME) {
        return Relation::Different;
    }
    let (least, most) = batches.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), batch| {
        (least.min(batch.multiple), most.max(batch.multiple))
    });
    let near = |x: f64, y: f64| (x - y).abs() <= SAME * x.abs().max(y.abs());
    let same_value = |batch: &Batch| near(batch.values[0], batch.values[1]);
    match (near(least, most), near(least, 1.0)) {
        (true, true) if batches.iter().all(same_value) => Relation::Same,
        (true, true) => Relation::SameGradient,
        (true, false) => Relation::Multiple(least),
        (false, _) => Relation::MultipleOfEach(least, most),
    }
}

/// The label of a pixel.
fn label(case: &Case, n: usize, p: usize) -> i64 {
    match &case.target {
        Labels::Indices(labels) => labels[n * case.grid.pixels() + p],
        Labels::Distribution(_) => 0,
    }
}

fn shares(case: &Case, answers: &[Outcome; 2]) -> Vec<Share> {
    let classes = case.grid.classes.max(2);
    let mut all: Vec<Share> =
        (0..classes).map(|class| Share { class, pixels: 0.0, gradient: [0.0; 2] }).collect();
    for (n, p) in case.grid.places() {
        let Some(share) = all.get_mut(label(case, n, p) as usize) else { continue };
        share.pixels += 1.0;
        for (share, answer) in share.gradient.iter_mut().zip(answers) {
            *share += (0..case.grid.classes).map(|c| answer.gradient[case.at(n, c, p)].abs()).sum::<f64>();
        }
    }
    let pixels: f64 = all.iter().map(|share| share.pixels).sum();
    let totals = [0, 1].map(|i| all.iter().map(|share| share.gradient[i]).sum::<f64>());
    for share in &mut all {
        share.pixels /= pixels;
        [0, 1].into_iter().filter(|&i| totals[i] > 0.0).for_each(|i| share.gradient[i] /= totals[i]);
    }
    all
}

fn witness(examples: &[Example], answers: &[[Outcome; 2]], batches: &[Batch]) -> Option<Witness> {
    // Of several that differ as much, the first.
    let worst =
        (0..batches.len()).rev().max_by(|&i, &j| batches[i].difference.total_cmp(&batches[j].difference))?;
    let (example, [a, b], k) = (&examples[worst], &answers[worst], batches[worst].multiple);
    if batches[worst].difference <= SAME {
        return None;
    }
    let case = &example.case;
    let entries = |n: usize, p: usize| (0..case.grid.classes).map(move |c| case.at(n, c, p));
    let off = |(n, p): (usize, usize)| {
        entries(n, p).map(|at| (b.gradient[at] - k * a.gradient[at]).abs()).fold(0.0, f64::max)
    };
    let (n, p) = case.grid.places().max_by(|&x, &y| off(x).total_cmp(&off(y)))?;
    Some(Witness {
        question: example.question,
        place: [n, p / IMAGE[1], p % IMAGE[1]],
        label: label(case, n, p),
        logits: entries(n, p).map(|at| case.logits[at]).collect(),
        gradients: [a, b].map(|answer| entries(n, p).map(|at| answer.gradient[at]).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contrast(a: &str, b: &str) -> Contrast {
        let spec = |text: &str| LossSpec::from_toml(text).unwrap_or_default();
        Contrast::new(&spec(a), &spec(b)).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn what_is_the_same_is_called_so() {
        let relation = |a, b| contrast(a, b).relation;
        assert_eq!(relation("kind = 'dice'", "kind = 'dice'"), Relation::Same);
        // α = β = ½ is Dice.
        assert_eq!(
            relation(
                "kind = 'dice'\nsmooth = 0.0",
                "kind = 'tversky'\nalpha = 0.5\nbeta = 0.5\nsmooth = 0.0"
            ),
            Relation::Same
        );
        let third = relation(
            "kind = 'cross_entropy'",
            "kind = 'cross_entropy'\n[weights]\nsource = 'fixed'\nvalues = [2.0, 2.0, 2.0]",
        );
        assert_eq!(third, Relation::Same);
    }

    #[test]
    fn a_multiple_is_told_from_another_loss() {
        let sum = contrast("kind = 'cross_entropy'", "kind = 'cross_entropy'\nreduction = 'sum'");
        // 96 pixels, and 48 of one image.
        assert!(
            matches!(sum.relation, Relation::MultipleOfEach(a, b) if (a - 48.0).abs() < 1e-6 && (b - 96.0).abs() < 1e-6)
        );
        let focal = contrast("kind = 'cross_entropy'", "kind = 'focal'");
        assert_eq!(focal.relation, Relation::Different);
        assert!(focal.witness.is_some());
        let weighted = "kind = 'cross_entropy'\n[weights]\nsource = 'per_batch'";
        let rare = &contrast("kind = 'cross_entropy'", weighted).shares[2];
        assert!(rare.gradient[1] > 2.0 * rare.gradient[0] && rare.pixels < 0.2, "{rare:?}");
    }

    /// Of the data set, of the batch or of an image are three losses.
    #[test]
    fn weights_are_named_with_what_they_count() {
        let name = |source: &str| {
            let spec = format!("kind = 'cross_entropy'\n[weights]\nsource = '{source}'");
            name(&LossSpec::from_toml(&spec).unwrap_or_default())
        };
        for (source, scope) in [
            ("per_sample", "inverse_frequency of each image"),
            ("per_batch", "inverse_frequency of the batch"),
            ("dataset", "inverse_frequency of the data set"),
            ("ema", "inverse_frequency of the batches so far"),
            ("map", "for each pixel"),
        ] {
            assert_eq!(name(source), format!("cross_entropy, weights {scope}"));
        }
    }

    /// What is NaN is a multiple of nothing.
    #[test]
    fn nan_is_never_the_same() {
        for (a, b) in
            [([f64::NAN, 1.0], [1.0, 1.0]), ([1.0, 1.0], [1.0, f64::NAN]), ([f64::NAN; 2], [f64::NAN; 2])]
        {
            let (multiple, difference) = multiple(&a, &b);
            assert!(!(difference <= SAME), "{a:?} {b:?}: {difference}");
            let batch = Batch { question: "", values: [1.0; 2], multiple, difference };
            assert_eq!(relation(&[batch]), Relation::Different);
        }
    }

    #[test]
    fn each_key_alone_shows_what_it_does() {
        let found = contrast("kind = 'dice'", "kind = 'dice'\nsmooth = 1e-12\nsquared = true");
        let alone =
            |key: &str| found.keys.iter().find(|found| found.key == key).and_then(|found| found.alone);
        assert!(alone("smooth").is_some_and(|moved| moved < 1e-3), "{:?}", alone("smooth"));
        assert!(alone("squared").is_some_and(|moved| moved > 0.1), "{:?}", alone("squared"));
    }

    #[test]
    fn losses_of_different_classes_are_refused() {
        let weights = |values: &str| {
            LossSpec::from_toml(&format!(
                "kind = 'cross_entropy'\n[weights]\nsource = 'fixed'\nvalues = {values}"
            ))
            .unwrap_or_default()
        };
        let found = Contrast::new(&weights("[1.0, 2.0]"), &weights("[1.0, 2.0, 3.0]"));
        assert!(found.is_err_and(|error| error.contains("2 classes") || error.contains("of 3")));
    }
}
