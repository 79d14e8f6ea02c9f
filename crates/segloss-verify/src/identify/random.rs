//! Right losses without number: every kind with options at random, on batches at random. None may be called wrong.

use super::about::About;
use super::capture::Capture;
use super::observation::{Form, Observation};
use super::report::{Report, Verdict};
use crate::implementation::{Implementation, Precision};
use crate::library::Library;
use segloss::{Kind, Layout, LossSpec, Reduction, Scheme, Source};
use segloss_cases::{Case, Grid, IGNORED, Labels, draw, forms, is_sigmoid, matrix};

/// A loss that is right, and what was said of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The loss.
    pub spec: LossSpec,
    /// What was said.
    pub report: Report,
}

impl Judged {
    /// Whether it was called wrong.
    pub fn is_false_alarm(&self) -> bool {
        self.report.verdict == Verdict::Wrong
    }

    /// Whether it was called by its name.
    pub fn is_named(&self) -> bool {
        let name = self.report.name.as_deref().unwrap_or_default();
        self.report.verdict == Verdict::Right && name.split(" (").next() == Some(self.spec.kind().name())
    }
}

/// `count` losses of all kinds in turn.
pub fn right_losses(seed: u64, count: usize) -> impl Iterator<Item = Judged> {
    let kinds: Vec<Kind> =
        Kind::ALL.into_iter().filter(|kind| *kind != Kind::Combined && !kind.owns_its_weight()).collect();
    let each = count.div_ceil(kinds.len());
    let specs: Vec<Vec<LossSpec>> =
        kinds.iter().map(|&kind| matrix::specs(seed, "right losses", kind, 3, each)).collect();
    let cases =
        (0..each).flat_map(move |i| specs.clone().into_iter().map(move |of_kind| (i, of_kind[i].clone())));
    cases.take(count).filter_map(move |(i, spec)| judge(seed, i, spec))
}

fn judge(seed: u64, i: usize, mut spec: LossSpec) -> Option<Judged> {
    // What `check` calls wrong by itself is none of these: weights that balance nothing, ignored pixels in the mean.
    if spec.weights.scheme == Scheme::DocumentScalar && spec.weights.source != Source::None {
        spec.weights.scheme = Scheme::InverseFrequency;
    }
    if spec.reduction == Some(Reduction::MeanAll) {
        spec.reduction = None;
    }
    let form = forms(&spec)[0];
    let name = format!("right loss {i} of {}", spec.kind().name());
    let case = draw(seed, &name, spec, Grid::new(2, 3, &[5, 4]), form);
    let found = Library.evaluate(&case, Precision::F64).ok()?;
    let observation = observation(&case, found.value, &found.gradient)?;
    let capture = Capture {
        about: About::default(),
        observations: vec![observation],
        raised: Vec::new(),
        notes: Vec::new(),
    };
    Some(Judged { report: Report::new(&capture, None), spec: case.spec })
}

fn observation(case: &Case, value: f64, gradient: &[f64]) -> Option<Observation> {
    let Labels::Indices(labels) = &case.target else { return None };
    let first = |array: &[f64]| case.grid.relaid(array, case.spec.layout, Layout::ChannelsFirst);
    // A map is one more factor of every pixel, which a capture does not show.
    if case.weight_map.is_some() || !is_sigmoid(&case.spec) && labels.iter().any(|&y| y > 2 && y != IGNORED) {
        return None;
    }
    Some(Observation {
        name: String::new(),
        images: case.grid.images,
        classes: case.grid.classes,
        spatial: case.grid.spatial.clone(),
        layout: case.spec.layout,
        from_probabilities: false,
        logits: first(&case.logits),
        form: Form::Indices,
        target: Labels::Indices(labels.clone()),
        ignored: case.spec.ignore_index,
        target_scale: 1.0,
        value: Some(vec![value]),
        gradient: Some(first(gradient)),
        class_weights: None,
        epsilon: 1.1e-16,
        whole: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels that are chosen by a weighted or a shifted cost are not silent by mistake: two that were called wrong once.
    #[test]
    fn chosen_pixels_are_not_silent_ones() {
        let told = [
            ["keep = 0.5", "label_smoothing = 0.4", "logit_adjustment = 0.5", "\"ema\""],
            ["keep = 0.25", "confidence = 0.3", "logit_adjustment = 1.0", "\"largest_present\""],
        ];
        let mut judged = 0;
        for (i, spec) in
            matrix::specs(1, "right losses", Kind::TopKCrossEntropy, 3, 60).into_iter().enumerate()
        {
            let text = spec.to_toml();
            if told.iter().any(|words| words.iter().all(|word| text.contains(word))) {
                let found = judge(1, i, spec).unwrap();
                assert!(!found.is_false_alarm(), "{text}\n{}", found.report);
                judged += 1;
            }
        }
        assert!(judged >= 2, "{judged}");
    }

    /// `cargo xtask check-report --random 1000` tries more.
    #[test]
    fn no_right_loss_is_called_wrong() {
        let (mut judged, mut named) = (0, 0);
        for found in right_losses(1, 11) {
            assert!(!found.is_false_alarm(), "{}\n{}", found.spec.to_toml(), found.report);
            judged += 1;
            named += usize::from(found.is_named());
        }
        assert!(judged >= 10 && named >= 2, "{named} of {judged} are named");
    }
}
