//! The simplest loss that explains every batch.
//!
//! Losses are tried on the first batch, coarsely, and the nearest of each kind with finer numbers; what fits must fit the other
//! batches, too. Plain readings of the arguments go before mistaken ones, single losses before sums.

use super::fit::{Parts, fit};
use super::identified::{Identified, role};
use super::judge::{Batches, Hypothesis, choose};
use super::near::{Near, near};
use super::observation::Observation;
use super::reading::{Reading, Step};
use super::shapes::{cheapest, cost, shapes, shapes_with_numbers};
use super::sums::{self, Terms};
use super::unusual;
use segloss::{Kind, LossSpec};

/// What was found.
#[derive(Clone, Debug)]
pub enum Found {
    /// A loss that explains the batches.
    Loss(Box<Identified>),
    /// None.
    Nothing(Nearest),
}

/// What comes near, where nothing explains the batches.
#[derive(Clone, Debug, Default)]
pub struct Nearest {
    /// The nearest, and how far off its gradient is.
    pub loss: Option<(String, f64)>,
    /// A loss whose gradient every batch has, times a number of that batch that nothing explains.
    pub up_to_a_factor: Option<Box<LossSpec>>,
}

/// The simplest loss that explains all batches.
pub fn search(observations: &[Observation]) -> Found {
    let Some(batches) = Batches::of(observations) else { return Found::Nothing(Nearest::default()) };
    let view = batches.first.view();
    let o = view.as_ref();
    let shapes = match &o.whole {
        Some(whole) => cheapest(shapes(), whole.affordable()),
        None => shapes(),
    };
    let (of_pixels, of_regions): (Vec<_>, Vec<_>) =
        shapes.iter().cloned().partition(|spec| spec.kind().is_additive());
    let readings = Reading::all(o);
    let must: Vec<&Observation> = batches.others.iter().copied().filter(|o| role(o).1).collect();
    let mut nearest = Nearest::default();
    for &reading in &readings {
        let mut fits_of = |shapes: &[LossSpec]| {
            let near = near(o, &must, reading, &reading.of(o), shapes);
            let best = near.first().map(|near| (near.spec.kind().name().to_owned(), near.misfit));
            let so_far = nearest.loss.as_ref().map_or(f64::INFINITY, |(_, misfit)| *misfit);
            if reading == Reading::PLAIN && best.as_ref().is_some_and(|(_, misfit)| *misfit < so_far) {
                nearest.loss = best;
            }
            if reading == Reading::PLAIN && nearest.up_to_a_factor.is_none() {
                nearest.up_to_a_factor = up_to_a_factor(o, &must, &near);
            }
            fitting(o, reading, near)
        };
        let mut fits = fits_of(&of_pixels);
        // Losses over regions cost more, and are asked only where no sum over pixels explains everything by itself: numbers that
        // are found in the batch may be given weights, or made by a loss.
        let by_itself = |found: &Identified| found.is_explained() && !found.has_given_weights();
        let mut found = choose(&batches, fits.clone()).filter(by_itself);
        if found.is_none() {
            fits.extend(fits_of(&of_regions));
            found = choose(&batches, fits);
        }
        let sum = || {
            let terms = Terms::of(o, reading, &shapes).filter(|_| reading.is_plain())?;
            sums::search(&batches, o, &terms, &terms)
        };
        let found = match found {
            Some(found) if found.is_bent() => sum().filter(|sum| !sum.is_bent()).or(Some(found)),
            Some(found) => Some(found),
            None => sum(),
        };
        if let Some(found) = found {
            return Found::Loss(Box::new(found));
        }
    }
    let found = unusual::search(&batches, o, &readings, &shapes);
    found.map_or(Found::Nothing(nearest), |found| Found::Loss(Box::new(found)))
}

/// The plainest of the losses that each of several batches has, times some number.
fn up_to_a_factor(o: &Observation, must: &[&Observation], near: &[Near]) -> Option<Box<LossSpec>> {
    let all = || must.iter().copied().filter(|o| o.gradient.is_some());
    if all().count() < 3 {
        return None;
    }
    let of =
        |o: &Observation, spec: &LossSpec| fit(o, Reading::PLAIN, &Reading::PLAIN.of(o), spec, Parts::All);
    let is = |spec: &&LossSpec| {
        all().all(|o| of(o, spec).is_some_and(|fit| fit.misfit <= o.tolerance() && fit.factors[0] > 0.0))
    };
    let fitting = near.iter().filter(|near| near.parts == Parts::All && near.misfit <= o.tolerance());
    fitting.map(|near| &near.spec).filter(is).min_by_key(|spec| cost(spec)).cloned().map(Box::new)
}

/// Those that fit; of a large batch few, as each is then computed on the whole.
pub fn fitting(o: &Observation, reading: Reading, near: Vec<Near>) -> Vec<Hypothesis> {
    let mut fits: Vec<Near> = near.into_iter().filter(|near| near.misfit <= o.tolerance()).collect();
    if o.whole.is_some() {
        fits.sort_by_key(|near| (near.parts, cost(&near.spec)));
        fits.truncate(6);
    }
    fits.into_iter().map(|near| Hypothesis::of_one(reading, near.spec, near.parts)).collect()
}

/// The loss that explains the values, whatever the gradients are; of several batches all, of one exactly.
pub fn search_values(observations: &[Observation], steps: &[Step]) -> Option<Identified> {
    let bare: Vec<Observation> = observations.iter().map(Observation::without_gradient).collect();
    let batches = Batches::of(&bare)?;
    let first = batches.first;
    first.value.as_ref()?;
    // One number of few digits, or a simple fraction, is anybody's: of saturated logits a loss is a ratio of counts.
    if batches.others.is_empty()
        && first.total().is_some_and(|x| is_short(x) || is_fraction(x, first.epsilon))
    {
        return None;
    }
    // One number of few digits is explained by chance if it is compared with thousands.
    // So is one beside a gradient that says otherwise: then only what is plain is believed.
    let speaks = batches.others.is_empty() && observations.iter().any(|o| o.gradient.is_some());
    let few = batches.others.len() < 3 && first.epsilon > 1e-12 || speaks;
    let mut shapes = if few { shapes() } else { shapes_with_numbers() };
    if let Some(whole) = &first.view().whole {
        shapes = cheapest(shapes, whole.affordable() / 4);
    }
    steps.iter().find_map(|&step| {
        let reading = Reading { step, ..Reading::PLAIN };
        let all = shapes.iter().map(|spec| Hypothesis::of_one(reading, spec.clone(), Parts::All));
        choose(&batches, all.collect())
    })
}

/// The same loss where it explains the gradients, too, among which it was not found.
pub fn confirmed(observations: &[Observation], by_value: &Identified) -> Option<Identified> {
    let found = choose(&Batches::of(observations)?, vec![Hypothesis::from(by_value)]);
    found.filter(Identified::has_its_value)
}

/// Whether a number has three digits at most.
fn is_short(x: f64) -> bool {
    // Zero has no logarithm.
    if !x.is_normal() {
        return x == 0.0;
    }
    let scale = 10f64.powi(2 - x.abs().log10().floor() as i32);
    (x * scale - (x * scale).round()).abs() <= 1e-9 * (x * scale).abs()
}

/// Whether a number is a fraction whose denominator is too small for chance, by its continued fraction.
fn is_fraction(x: f64, epsilon: f64) -> bool {
    // There are about q² fractions with denominators up to q: one in a thousand numbers may lie near one.
    let near = 4.0 * epsilon * x.abs().max(1.0);
    let most = (1e-3 / near).sqrt().min(1000.0);
    let (mut rest, mut denominators) = (x, [0.0, 1.0]);
    loop {
        if (x * denominators[1] - (x * denominators[1]).round()).abs() <= near * denominators[1] {
            return true;
        }
        rest = 1.0 / (rest - rest.floor());
        denominators = [denominators[1], rest.floor() * denominators[1] + denominators[0]];
        if !(denominators[1] <= most) {
            return false;
        }
    }
}

/// What explains a batch that a loss of these kinds does not explain as it is: the same, with the arguments misread.
pub fn reread(o: &Observation, kinds: &[Kind]) -> Option<Identified> {
    let shapes: Vec<LossSpec> = shapes().into_iter().filter(|spec| kinds.contains(&spec.kind())).collect();
    let batches = Batches { first: o, others: Vec::new() };
    let mut misread = Reading::all(o).into_iter().filter(|reading| !reading.is_plain());
    let of = |reading: Reading| {
        let found = choose(&batches, fitting(o, reading, near(o, &[], reading, &reading.of(o), &shapes)));
        found.filter(Identified::has_its_value)
    };
    match kinds {
        [_] => misread.find_map(of),
        _ => {
            let plain = Terms::of(o, Reading::PLAIN, &shapes)?;
            unusual::sums_of_misread(&batches, o, &plain, &misread.collect::<Vec<_>>(), &shapes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::answer;
    use super::super::own_class::OwnClass;
    use super::super::shapes::plain;
    use super::*;
    use segloss::{Reduction, Scheme, Source, WeightSpec};

    /// A value that was typed in says nothing, one that was computed does.
    #[test]
    fn short_numbers_are_told_from_computed_ones() {
        assert!([0.0, 1.0, -0.5, 0.693, 1e-3, 120.0].into_iter().all(is_short));
        assert!(![0.7234, 2.34567891, -3e-7_f64.exp()].into_iter().any(is_short));
        let exact = |x: f64| is_fraction(x, 1.1e-16);
        assert!([2.0 / 3.0, 1.0 - 17.0 / 43.0, 355.0 / 113.0, -6.0 / 7.0, 0.0, 5.0].into_iter().all(exact));
        assert!(![0.5_f64.sqrt(), 0.3_f64.ln(), std::f64::consts::PI, f64::NAN].into_iter().any(exact));
        let single = |x: f64| is_fraction(f64::from(x as f32), 6e-8);
        assert!(single(2.0 / 3.0) && !single(0.5_f64.sqrt()) && !single(0.3_f64.ln()));
    }

    /// What is made of the right class alone is read as that, and weights that favour frequent classes as those.
    #[test]
    fn losses_without_a_softmax_are_read_as_such() {
        let mut o = Observation::sample(&[2, 3, 4, 5]);
        // Some of each class are open, and no sum is 0.
        o.logits.iter_mut().for_each(|z| *z = z.abs() + 0.0371);
        o.target = segloss_cases::Labels::Indices((0..40).map(|i| [0, 0, 0, 1, 0, 2, 1][i % 7]).collect());
        let mean = LossSpec { reduction: Some(Reduction::Mean), ..plain(Kind::CrossEntropy) };
        let searched = |o: &mut Observation, reading: Reading, spec: &LossSpec, offset: f64| {
            o.gradient = Some(vec![0.0; o.logits.len()]);
            let found = answer(o, reading, &reading.of(o), spec, false);
            let found = found.unwrap_or_else(|| panic!("{reading:?} takes no {spec:?}"));
            (o.value, o.gradient) = (Some(vec![found.value + offset]), Some(found.gradient));
            match search(std::slice::from_ref(o)) {
                Found::Loss(found) => *found,
                Found::Nothing(nearest) => panic!("{reading:?} is not found: {nearest:?}"),
            }
        };
        let weighted = LossSpec {
            weights: WeightSpec {
                source: Source::Fixed,
                values: vec![1.0, 2.0, 5.0],
                ..WeightSpec::default()
            },
            ..mean.clone()
        };
        for (step, offset) in [
            (Step::Clipped, 0.0),
            (Step::ChannelsOfClipped, 0.0),
            (Step::Own(OwnClass::Share), 0.0),
            (Step::Own(OwnClass::Probability), -1.0),
        ] {
            let reading = Reading { step, ..Reading::PLAIN };
            let spec = if step == Step::ChannelsOfClipped {
                LossSpec { reduction: Some(Reduction::Mean), ..plain(Kind::BinaryCrossEntropy) }
            } else {
                weighted.clone()
            };
            assert_eq!(searched(&mut o, reading, &spec, offset).reading().step, step);
        }
        let frequent =
            WeightSpec { source: Source::PerSample, scheme: Scheme::Power(-1.0), ..WeightSpec::default() };
        let found = searched(&mut o, Reading::PLAIN, &LossSpec { weights: frequent.clone(), ..mean }, 0.0);
        assert_eq!(found.terms[0].explanation.as_ref().unwrap().spec.weights.scheme, frequent.scheme);
    }

    /// A loss that its values name is right where it has the gradients, too, and only there.
    #[test]
    fn what_values_name_is_held_against_the_gradients() {
        let mut spec = plain(Kind::Jaccard);
        spec.options.set("smooth", 0.01).unwrap();
        let of = |shape: &[usize]| {
            let mut o = Observation::sample(shape);
            o.gradient = Some(vec![0.0; o.logits.len()]);
            let found = answer(&o, Reading::PLAIN, &Reading::PLAIN.of(&o), &spec, false).unwrap();
            (o.value, o.gradient) = (Some(vec![found.value]), Some(found.gradient));
            o
        };
        let mut all: Vec<Observation> =
            [[2, 3, 4, 5], [1, 3, 5, 5], [3, 3, 2, 4], [2, 3, 3, 3]].iter().map(|shape| of(shape)).collect();
        let by_value = search_values(&all, &[Step::AsGiven]).unwrap();
        assert_eq!(
            confirmed(&all, &by_value).map(|found| found.name()).as_deref(),
            Some("jaccard (smooth 0.01)")
        );
        all[2].gradient.as_mut().unwrap()[7] *= 1.01;
        assert!(confirmed(&all, &by_value).is_none());
    }

    /// A batch that is looked at in a sample is explained at every pixel, sums too; one pixel that differs is seen.
    #[test]
    fn a_large_batch_is_explained_as_a_small_one_is() {
        let mut o = Observation::sample(&[2, 3, 250, 220]);
        assert!(o.is_large());
        o.gradient = Some(vec![0.0; o.logits.len()]);
        let mean = LossSpec { reduction: Some(Reduction::Mean), ..plain(Kind::CrossEntropy) };
        let of = |spec| answer(&o, Reading::PLAIN, &Reading::PLAIN.of(&o), spec, false).unwrap();
        let (a, b) = (of(&mean), of(&plain(Kind::Dice)));
        let sum: Vec<f64> = a.gradient.iter().zip(&b.gradient).map(|(a, b)| a + b).collect();
        for (value, gradient, name) in
            [(a.value, a.gradient.clone(), "cross_entropy"), (a.value + b.value, sum, "cross_entropy + dice")]
        {
            (o.value, o.gradient) = (Some(vec![value]), Some(gradient));
            match search(std::slice::from_ref(&o)) {
                Found::Loss(found) => assert_eq!(found.name(), name),
                Found::Nothing(nearest) => panic!("{name} is not found; the nearest is {nearest:?}"),
            }
        }
        o.gradient = Some(a.gradient);
        o.gradient.as_mut().unwrap()[77_777] *= -1.0;
        assert!(matches!(search(std::slice::from_ref(&o)), Found::Nothing(_)));
    }
}
