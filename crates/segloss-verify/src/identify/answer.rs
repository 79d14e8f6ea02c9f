//! What segloss makes of a batch.

use super::observation::Observation;
use super::reading::{Reading, Seen};
use ndarray::{ArrayView, IxDyn};
use segloss::{Input, Kind, LabelCounts, Loss, LossSpec, Options, Region, Source, Target, WeightSpec};
use segloss_cases::Labels;

/// Value and gradient of a loss, and what pixels cost where it is a sum over them.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The value.
    pub value: f64,
    /// ∂value/∂logits, (N, C, spatial…); empty where the batch has none.
    pub gradient: Vec<f64>,
    /// The numerator's share of each pixel (N, P) or entry (N, C, P).
    pub map: Option<Vec<f64>>,
}

/// The loss of a batch as it is read; none where such a loss does not take such a batch.
pub fn answer(
    o: &Observation,
    reading: Reading,
    seen: &Seen<'_>,
    spec: &LossSpec,
    with_map: bool,
) -> Option<Answer> {
    if reading.floor {
        return answer(o, Reading { floor: false, ..reading }, seen, &rounded_down(o, spec)?, with_map);
    }
    if let Some(whole) = o.whole.as_ref().filter(|_| !spec.kind().is_additive()) {
        let found = (reading == Reading::PLAIN).then(|| whole.answer(spec)).flatten();
        return found.map(|(value, gradient)| Answer { value, gradient, map: None });
    }
    with_input(o, seen, spec, |loss, input| {
        // A value alone has nothing that a gradient could be compared with.
        if o.gradient.is_none() && !with_map {
            let value = loss.value(input).ok()?.value;
            return Some(Answer { value, gradient: Vec::new(), map: None });
        }
        let mut gradient = vec![0.0; seen.z.len()];
        let found = loss.value_and_gradient(input, &mut gradient).ok()?;
        let map = match with_map {
            true => loss.map(input).ok().map(|(_, map)| map.into_iter().collect()),
            false => None,
        };
        Some(Answer { value: found.value, gradient: reading.step.pull(o, gradient), map })
    })
}

/// The same with a share of the pixels that comes to ⌊keep·P⌋.
fn rounded_down(o: &Observation, spec: &LossSpec) -> Option<LossSpec> {
    let mut spec = spec.clone();
    let Options::TopKCrossEntropy(options) = &mut spec.options else { return None };
    let pixels = match options.region {
        Region::Batch => o.counted(),
        // As many in every image.
        Region::Image => o.valid_in(0),
    } as f64;
    let kept = (options.keep * pixels + 1e-9).floor();
    options.keep = ((kept - 0.5) / pixels).max(1e-12);
    (kept >= 1.0).then_some(spec)
}

/// How much of each class every image holds, for losses of this kind.
pub fn label_counts(o: &Observation, seen: &Seen<'_>, spec: &LossSpec) -> Option<LabelCounts> {
    let count = |spec: &LossSpec| with_input(o, seen, spec, |loss, input| loss.label_counts(input).ok());
    // Some kinds are no loss without weights.
    let weights = WeightSpec { source: Source::PerBatch, ..WeightSpec::default() };
    count(spec).or_else(|| count(&LossSpec { weights, ..spec.clone() }))
}

/// What the labels alone say: the weights, a row for each image, and what the sum is divided by.
pub fn weights_and_denominator(counts: &LabelCounts, spec: &LossSpec) -> Option<(Vec<Vec<f64>>, f64)> {
    let plan = Loss::new(spec.clone()).ok()?.plan(counts).ok()?;
    let rows = plan.effective_weights();
    // A kind without weights has no row.
    let row = |n: usize| match rows.nrows() {
        0 => vec![1.0; counts.classes()],
        scopes => rows.row(n.min(scopes - 1)).to_vec(),
    };
    // What hard pixels are divided by, the labels do not say.
    let denominator = if spec.kind() == Kind::TopKCrossEntropy { 1.0 } else { plan.denominator() };
    Some(((0..counts.len()).map(row).collect(), denominator))
}

fn with_input<R>(
    o: &Observation,
    seen: &Seen<'_>,
    spec: &LossSpec,
    use_it: impl FnOnce(&Loss, &Input<'_, f64>) -> Option<R>,
) -> Option<R> {
    let mut spec = spec.clone();
    spec.ignore_index = match &seen.target {
        Labels::Indices(_) => seen.ignored,
        Labels::Distribution(_) => None,
    };
    let loss = Loss::new(spec).ok()?;
    let (shape, pixel_shape) = (o.shape(), o.pixel_shape());
    let logits = ArrayView::from_shape(IxDyn(&shape), seen.z.as_ref()).ok()?;
    let target = match &seen.target {
        Labels::Indices(labels) => Target::indices(ArrayView::from_shape(IxDyn(&pixel_shape), labels).ok()?),
        Labels::Distribution(y) => Target::distribution(ArrayView::from_shape(IxDyn(&shape), y).ok()?),
    };
    use_it(&loss, &Input::new(logits, target).ok()?)
}
