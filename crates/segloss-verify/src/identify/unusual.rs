//! What is asked where no loss explains the batches as it stands in the registry, under no reading: what people make of losses by hand, from the
//! cheapest on.

use super::focal_of_weighted;
use super::identified::{Identified, ValueFit};
use super::judge::{Batches, choose};
use super::logit_shift;
use super::near::near;
use super::observation::Observation;
use super::own_class::OwnClass;
use super::reading::{Reading, Step, TargetReading};
use super::search::fitting;
use super::several;
use super::sums::{self, Terms};
use segloss::{Kind, LossSpec};

/// The first that explains all batches. `readings`: of the arguments; `shapes`: the losses of the registry.
pub fn search(
    batches: &Batches<'_>,
    o: &Observation,
    readings: &[Reading],
    shapes: &[LossSpec],
) -> Option<Identified> {
    let may_be_of_a_sum_of = |reading: &Reading| {
        reading.target != TargetReading::AsGiven || matches!(reading.step, Step::Softmax | Step::Sigmoid)
    };
    let misread: Vec<Reading> = readings.iter().copied().filter(may_be_of_a_sum_of).collect();
    let single = focal_of_weighted::search(o, &batches.others)
        .or_else(|| with_logit_shift(batches, o, shapes))
        .or_else(|| logarithms_with_epsilon(batches, o, shapes))
        .or_else(|| without_softmax(batches, o, shapes));
    if single.is_some() {
        return single;
    }
    let plain = Terms::of(o, Reading::PLAIN, shapes)?;
    sums::difference(batches, o, &plain)
        .or_else(|| several::search(batches, o, &plain))
        .or_else(|| sums_with_epsilon(batches, o, &plain, shapes))
        .or_else(|| sums_of_misread(batches, o, &plain, &misread, shapes))
}

/// A sum over pixels whose logits were shifted by a number for each class.
fn with_logit_shift(batches: &Batches<'_>, o: &Observation, shapes: &[LossSpec]) -> Option<Identified> {
    let shapes = logit_shift::shifted(o, shapes);
    let near = near(o, &[], Reading::PLAIN, &Reading::PLAIN.of(o), &shapes);
    choose(batches, fitting(o, Reading::PLAIN, near))
}

/// A sum over pixels of ln(p + ε).
fn logarithms_with_epsilon(
    batches: &Batches<'_>,
    o: &Observation,
    shapes: &[LossSpec],
) -> Option<Identified> {
    let shapes: Vec<LossSpec> = shapes.iter().filter(|spec| is_of_logarithms(spec)).cloned().collect();
    let of = |reading: Reading| fitting(o, reading, near(o, &[], reading, &reading.of(o), &shapes));
    choose(batches, Reading::with_epsilon().flat_map(of).collect())
}

fn is_of_logarithms(spec: &LossSpec) -> bool {
    use Kind::{BinaryCrossEntropy, CrossEntropy, Focal};
    [BinaryCrossEntropy, CrossEntropy, Focal].contains(&spec.kind())
}

/// A sum over pixels that takes logits for probabilities, or sees the right class alone.
fn without_softmax(batches: &Batches<'_>, o: &Observation, shapes: &[LossSpec]) -> Option<Identified> {
    let able = |spec: &&LossSpec| is_of_logarithms(spec) || spec.kind() == Kind::TopKCrossEntropy;
    let shapes: Vec<LossSpec> = shapes.iter().filter(able).cloned().collect();
    Reading::without_softmax(o).into_iter().find_map(|reading| {
        let near = near(o, &[], reading, &reading.of(o), &shapes);
        let found = choose(batches, fitting(o, reading, near))?;
        // 1 − p is a loss of its own; −p is what is left of −ln p without the logarithm.
        let is_meant = match reading.step {
            Step::Own(OwnClass::Probability) => {
                matches!(found.value, ValueFit::Offset(x) if (x + 1.0).abs() < 1e-4)
            }
            _ => found.has_its_value(),
        };
        is_meant.then_some(found)
    })
}

/// A loss over regions and a sum over pixels of ln(p + ε).
fn sums_with_epsilon(
    batches: &Batches<'_>,
    o: &Observation,
    plain: &Terms,
    shapes: &[LossSpec],
) -> Option<Identified> {
    let logarithms: Vec<LossSpec> = shapes.iter().filter(|spec| is_of_logarithms(spec)).cloned().collect();
    Reading::with_epsilon()
        .find_map(|reading| sums::search(batches, o, &Terms::of(o, reading, &logarithms)?, plain))
}

/// A sum of which both terms, or one, misread the arguments.
pub fn sums_of_misread(
    batches: &Batches<'_>,
    o: &Observation,
    plain: &Terms,
    readings: &[Reading],
    shapes: &[LossSpec],
) -> Option<Identified> {
    readings.iter().find_map(|&reading| {
        let misread = Terms::of(o, reading, shapes)?;
        [(&misread, &misread), (&misread, plain), (plain, &misread)]
            .into_iter()
            .find_map(|(over_pixels, over_regions)| sums::search(batches, o, over_pixels, over_regions))
    })
}
