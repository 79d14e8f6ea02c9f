//! The simplest loss that explains every batch.
//!
//! Losses are tried on the first batch, coarsely, and the nearest of each kind with finer numbers; what fits must fit the other
//! batches, too. Plain readings of the arguments go before mistaken ones, single losses before sums.

use super::answer::{Answer, answer};
use super::explain::{Extra, Fitted, explain};
use super::fit::{Fit, Parts, by_two, fit, possible};
use super::focal_of_weighted;
use super::identified::{Identified, Term, ValueFit, role, value_fit};
use super::observation::Observation;
use super::reading::{Reading, Seen, Step, TargetReading};
use super::shapes::{cost, is_rare, number, numeric_keys, plain, shapes, shapes_with_numbers, usual, with};
use rayon::prelude::*;
use segloss::{Kind, LossSpec, Source};

/// What was found.
#[derive(Clone, Debug)]
pub enum Found {
    /// A loss that explains the batches.
    Loss(Box<Identified>),
    /// None; the nearest, and how far off its gradient is.
    Nothing(Option<(String, f64)>),
}

struct Candidate {
    spec: LossSpec,
    parts: Parts,
    misfit: f64,
}

/// The simplest loss that explains all batches.
pub fn search(observations: &[Observation]) -> Found {
    let Some((first, others)) = split(observations) else { return Found::Nothing(None) };
    if first.logits.len() > LARGE && first.gradient.is_some() {
        return search_large(first, &others);
    }
    let shapes = shapes();
    let mut nearest: Option<(String, f64)> = None;
    let readings = Reading::all(first);
    for &reading in &readings {
        let seen = reading.of(first);
        let near = near(first, reading, &seen, &shapes);
        if reading == Reading::PLAIN {
            nearest = near.first().map(|near| (near.spec.kind().name().to_owned(), near.misfit));
        }
        let fits = near.into_iter().filter(|near| near.misfit <= first.tolerance()).collect();
        if let Some(found) = best(first, &others, reading, fits) {
            return Found::Loss(Box::new(found));
        }
        if reading.is_plain()
            && let Some(found) = sums(first, &others, reading, &seen, &shapes)
        {
            return Found::Loss(Box::new(found));
        }
    }
    if let Some(found) = focal_of_weighted::search(first, &others) {
        return Found::Loss(Box::new(found));
    }
    for &reading in readings.iter().filter(|reading| reading.target != TargetReading::AsGiven) {
        if let Some(found) = sums(first, &others, reading, &reading.of(first), &shapes) {
            return Found::Loss(Box::new(found));
        }
    }
    Found::Nothing(nearest)
}

/// Entries of a batch of which only some pixels are looked at first.
const LARGE: usize = 300_000;

/// The same for a large batch. What is a sum over pixels shows in a sample of them; of the others only the plain forms are
/// tried, on the whole.
fn search_large(first: &Observation, others: &[&Observation]) -> Found {
    let sample = first.sampled(1500);
    let (sums, regions): (Vec<LossSpec>, Vec<LossSpec>) =
        shapes().into_iter().partition(|spec| spec.kind().is_additive());
    let everywhere = |reading: &Reading| {
        !reading.floor
            && !matches!(reading.step, Step::ChannelsOfSoftmaxAlong(_) | Step::Viewed)
            && reading.target != TargetReading::Transposed
    };
    let mut nearest = None;
    for reading in Reading::all(&sample).into_iter().filter(everywhere) {
        let near = near(&sample, reading, &reading.of(&sample), &sums);
        if reading.is_plain() {
            nearest = near.first().map(|near| (near.spec.kind().name().to_owned(), near.misfit));
        }
        let mut fits: Vec<Candidate> =
            near.into_iter().filter(|near| near.misfit <= sample.tolerance()).collect();
        fits.sort_by_key(|near| (near.parts, cost(&near.spec)));
        fits.truncate(6);
        if let Some(found) = best(first, others, reading, fits) {
            return Found::Loss(Box::new(found));
        }
    }
    let (reading, plain) = (Reading::PLAIN, |spec: &&LossSpec| {
        without_numbers(spec).options == spec.options
            && spec.weights.source == Source::None
            && !is_rare(spec.kind())
    });
    let seen = reading.of(first);
    let coarse = |specs: &[LossSpec]| -> Vec<Candidate> {
        let one = |spec: &LossSpec| {
            let misfit = fit(first, reading, &seen, spec, Parts::All)?.misfit;
            Some(Candidate { spec: spec.clone(), parts: Parts::All, misfit })
        };
        let mut all: Vec<Candidate> =
            specs.iter().filter_map(one).filter(|near| near.misfit.is_finite()).collect();
        all.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
        all
    };
    let regions: Vec<LossSpec> = regions.iter().filter(plain).cloned().collect();
    let fits: Vec<Candidate> = coarse(&regions);
    if nearest.as_ref().is_none_or(|(_, misfit)| fits.first().is_some_and(|near| near.misfit < *misfit)) {
        nearest = fits.first().map(|near| (near.spec.kind().name().to_owned(), near.misfit));
    }
    let fits = fits.into_iter().filter(|near| near.misfit <= first.tolerance()).take(4).collect();
    if let Some(found) = best(first, others, reading, fits) {
        return Found::Loss(Box::new(found));
    }
    Found::Nothing(nearest)
}

/// The loss that explains the values, whatever the gradients are; of several batches all, of one exactly.
pub fn search_values(observations: &[Observation], steps: &[Step]) -> Option<Identified> {
    let bare: Vec<Observation> = observations.iter().map(Observation::without_gradient).collect();
    let (first, others) = split(&bare)?;
    first.value.as_ref()?;
    // One number is explained by chance if it is compared with thousands.
    let shapes = if others.len() < 3 { shapes() } else { shapes_with_numbers() };
    steps.iter().find_map(|&step| {
        let reading = Reading { step, ..Reading::PLAIN };
        let near = near(first, reading, &reading.of(first), &shapes);
        best(first, &others, reading, near)
    })
}

/// The batches that are fitted: the one that is searched, and those that must agree.
fn split(observations: &[Observation]) -> Option<(&Observation, Vec<&Observation>)> {
    let fitted: Vec<&Observation> = observations.iter().filter(|o| role(o).0).collect();
    let first = *fitted.iter().find(|o| o.gradient.is_some()).or(fitted.first())?;
    Some((first, fitted.into_iter().filter(|o| !std::ptr::eq(*o, first)).collect()))
}

/// The shapes that come nearest to the batch, the nearest first, with finer numbers.
fn near(o: &Observation, reading: Reading, seen: &Seen, shapes: &[LossSpec]) -> Vec<Candidate> {
    let try_all = |spec: &LossSpec| -> Vec<Candidate> {
        let one = |parts| {
            let misfit = fit(o, reading, seen, spec, parts)?.misfit;
            misfit.is_finite().then(|| Candidate { spec: spec.clone(), parts, misfit })
        };
        possible(o, seen, spec).into_iter().filter_map(one).collect()
    };
    let mut all: Vec<Candidate> = shapes.par_iter().flat_map_iter(try_all).collect();
    all.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    if o.gradient.is_none() {
        return all;
    }
    let misfit =
        |spec: &LossSpec, parts| fit(o, reading, seen, spec, parts).map_or(f64::NAN, |fit| fit.misfit);
    let mut finer: Vec<Candidate> = Vec::new();
    // Numbers may hide which of the choices is right: each is tried with numbers of its own first.
    let mut chosen: Vec<(LossSpec, Parts)> = Vec::new();
    for near in all.iter().filter(|near| near.misfit > o.floor()) {
        let choice = (without_numbers(&near.spec), near.parts);
        let limit = match (reading.is_plain(), near.parts) {
            (true, Parts::All) => f64::INFINITY,
            (true, _) => 0.5,
            (false, _) => 0.3,
        };
        if near.misfit < limit && !chosen.contains(&choice) {
            chosen.push(choice);
            finer.push(Candidate { spec: near.spec.clone(), ..*near });
        }
    }
    if !reading.is_plain() {
        finer.truncate(12);
    }
    let swept = |candidate: Candidate, rounds| {
        let (spec, misfit) = refine(candidate.spec, o.floor(), rounds, &|spec| misfit(spec, candidate.parts));
        Some(Candidate { spec, misfit, ..candidate }).filter(|near| near.misfit.is_finite())
    };
    let mut finer: Vec<Candidate> = finer.into_par_iter().filter_map(|near| swept(near, 1)).collect();
    finer.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    finer.retain(|near| near.misfit < 0.3);
    finer.truncate(16);
    let refined: Vec<Candidate> = finer.into_par_iter().filter_map(|near| swept(near, 3)).collect();
    all.extend(refined);
    all.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    all
}

/// The same with all numbers as they are by default: what was chosen in words and switches.
fn without_numbers(spec: &LossSpec) -> LossSpec {
    let default = spec.kind().options();
    let mut spec = spec.clone();
    for key in numeric_keys(&spec) {
        if let Some(value) = default.get(key) {
            // The kind's own default is a value that it takes.
            _ = spec.options.set(key, value);
        }
    }
    spec
}

/// Number by number the usual value that fits best; in the last of three rounds, where none fits, the best in between.
fn refine(
    mut spec: LossSpec,
    tolerance: f64,
    rounds: usize,
    misfit: &dyn Fn(&LossSpec) -> f64,
) -> (LossSpec, f64) {
    let mut best = misfit(&spec);
    let keys = numeric_keys(&spec);
    for _ in 0..rounds {
        let before = best;
        for &key in &keys {
            for x in usual(&spec, key) {
                let Some(other) = with(&spec, key, x) else { continue };
                let found = misfit(&other);
                if found < best {
                    (spec, best) = (other, found);
                }
            }
        }
        // The prices of Tversky are found in pairs.
        if keys.contains(&"alpha") && keys.contains(&"beta") {
            for x in usual(&spec, "alpha") {
                let pair = with(&spec, "beta", 1.0 - x).and_then(|spec| with(&spec, "alpha", x));
                let Some(other) = pair else { continue };
                let found = misfit(&other);
                if found < best {
                    (spec, best) = (other, found);
                }
            }
        }
        if best <= tolerance || best >= before {
            break;
        }
    }
    if rounds > 1 && best > tolerance && best < 0.2 {
        for _ in 0..2 {
            for &key in &keys {
                (spec, best) = between(spec, key, best, misfit);
            }
        }
    }
    (spec, best)
}

/// A step down, and ever smaller ones, in one number.
fn between(
    mut spec: LossSpec,
    key: &'static str,
    mut best: f64,
    misfit: &dyn Fn(&LossSpec) -> f64,
) -> (LossSpec, f64) {
    let Some(at) = number(&spec, key) else { return (spec, best) };
    let (mut x, mut step) = (at, if at == 0.0 { 0.1 } else { 0.3 * at.abs() });
    for _ in 0..60 {
        let tries = [x + step, x - step].map(|x| with(&spec, key, x).map(|spec| (misfit(&spec), x, spec)));
        match tries
            .into_iter()
            .flatten()
            .filter(|(found, ..)| *found < best)
            .min_by(|a, b| a.0.total_cmp(&b.0))
        {
            Some((found, to, other)) => (best, x, spec) = (found, to, other),
            None => step *= 0.4,
        }
        if step < 1e-9 * x.abs().max(1e-6) {
            break;
        }
    }
    // To the digits that a person would write.
    for digits in 2..6 {
        let scale = 10f64.powi(digits);
        if let Some(other) = with(&spec, key, (x * scale).round() / scale) {
            let found = misfit(&other);
            if found <= 2.0 * best + 1e-12 {
                return (other, found);
            }
        }
    }
    (spec, best)
}

/// A loss on all batches.
struct Judged {
    candidate: Candidate,
    identified: Identified,
    edges: usize,
}

/// Of the losses that fit the first batch, the one that explains most of the others, the plainest first.
fn best(
    first: &Observation,
    others: &[&Observation],
    reading: Reading,
    fits: Vec<Candidate>,
) -> Option<Identified> {
    let mut judged: Vec<Judged> = fits
        .into_par_iter()
        .filter_map(|candidate| {
            if first.gradient.is_none() && !is_exact(first, reading, &candidate.spec) {
                return None;
            }
            let (mut fitted, mut unexplained, mut edges) = (Vec::new(), Vec::new(), 0);
            for &o in std::iter::once(&first).chain(others) {
                let seen = reading.of(o);
                let found = fit(o, reading, &seen, &candidate.spec, candidate.parts);
                let good = found.as_ref().is_some_and(|fit| fit.misfit <= o.tolerance());
                match (good, found, role(o).1) {
                    (true, Some(fit), core) => {
                        edges += usize::from(!core);
                        fitted.push(Fitted { o, seen, fit });
                    }
                    (_, _, true) => return None,
                    _ => unexplained.push(o.name.clone()),
                }
            }
            let mut explanation = explain(&candidate.spec, &fitted);
            if explanation.is_none() {
                // Perhaps all but those at the edge.
                let (core, edge): (Vec<_>, Vec<_>) = fitted.into_iter().partition(|f| role(f.o).1);
                explanation = explain(&candidate.spec, &core);
                if explanation.is_some() {
                    unexplained.extend(edge.iter().map(|f| f.o.name.clone()));
                    edges = 0;
                }
                fitted = core;
            }
            // A batch at the edge whose value is another one is not explained, whatever its gradient.
            let core = value_fit(fitted.iter().filter(|f| role(f.o).1).map(|f| (f.o, f.fit.value)));
            let whole = value_fit(fitted.iter().map(|f| (f.o, f.fit.value)));
            let value = match (core, whole) {
                (ValueFit::Same(_) | ValueFit::Offset(_), ValueFit::Other { .. }) => {
                    let odd =
                        fitted.iter().filter(|f| !follows(core, f.o, f.fit.value)).map(|f| f.o.name.clone());
                    unexplained.extend(odd);
                    core
                }
                _ => whole,
            };
            let misfit = fitted.iter().map(|f| f.fit.misfit).fold(0.0, f64::max);
            let term = Term { shape: candidate.spec.clone(), parts: candidate.parts, explanation };
            let identified =
                Identified { reading, terms: vec![term], misfit, value, unexplained, rivals: Vec::new() };
            Some(Judged { candidate, identified, edges })
        })
        .collect();
    // Factors that nothing explains may fit anything: then the value has to say it, too.
    judged.retain(|judged| {
        let term = &judged.identified.terms[0];
        let same = matches!(judged.identified.value, ValueFit::Same(_));
        match (&term.explanation, term.parts) {
            // Gradients that are the same up to a factor may be those of two losses: the values tell.
            (Some(found), _) => {
                let exact = reading.is_plain() && found.constant == 1.0 && found.extra == Extra::None;
                exact || !matches!(judged.identified.value, ValueFit::Other { .. })
            }
            (None, Parts::Class) => false,
            (None, Parts::Along(_)) => same || judged.identified.value == ValueFit::Absent,
            (None, _) => same && reading.is_plain(),
        }
    });
    if first.gradient.is_none() {
        // One number fits one number: only what explains it exactly counts.
        judged.retain(|judged| {
            let explanation = judged.identified.terms[0].explanation.as_ref();
            explanation.is_some_and(|found| found.constant == 1.0)
        });
    }
    // Of those that fit, only those that fit about as well as the best: a small constant shows in the last digits.
    let closest = judged.iter().map(|judged| judged.identified.misfit).fold(f64::INFINITY, f64::min);
    judged.retain(|judged| judged.identified.misfit <= (30.0 * closest).max(first.floor()));
    let rank = |judged: &Judged| {
        let term = &judged.identified.terms[0];
        let explained = match &term.explanation {
            Some(found) if found.constant == 1.0 => 0,
            Some(found) if found.constant > 0.0 => 1,
            Some(_) => 2,
            None => 3,
        };
        let value =
            !matches!(judged.identified.value, ValueFit::Same(_) | ValueFit::Absent | ValueFit::Offset(_));
        let extra = term.explanation.as_ref().map_or(0, |found| found.extra as usize);
        // With numbers of one's choice a rare kind of many is any common one.
        let shape = &judged.candidate.spec;
        let bent = is_rare(shape.kind()) && without_numbers(shape).options != shape.options;
        (
            explained == 3,
            value,
            std::cmp::Reverse(judged.edges),
            bent,
            explained,
            term.parts,
            extra,
            cost(&judged.candidate.spec),
        )
    };
    judged.sort_by_key(rank);
    let mut judged = judged.into_iter();
    let winner = judged.next()?;
    let (edges, mut found) = (winner.edges, winner.identified);
    let own = found.terms[0].clone();
    let others = judged
        .filter(|other| other.edges == edges && other.identified.terms[0].explanation.is_some())
        .map(|other| other.identified.terms[0].clone())
        // Another kind with odd numbers is this one in another's clothes: focal with γ = 0 is cross-entropy.
        .filter(|term| match term.shape.kind() == own.shape.kind() {
            true => has_usual_numbers(&term.shape),
            false => without_numbers(&term.shape).options == term.shape.options,
        });
    for name in others.map(|term| term.name()) {
        if name != own.name() && !found.rivals.contains(&name) && found.rivals.len() < 4 {
            found.rivals.push(name);
        }
    }
    Some(found)
}

/// Whether all numbers are some that people choose.
fn has_usual_numbers(spec: &LossSpec) -> bool {
    let usual =
        |key: &&'static str| number(spec, key).is_none_or(|x| usual(&plain(spec.kind()), key).contains(&x));
    numeric_keys(spec).iter().all(usual)
}

/// Whether a value is explained without a factor.
fn is_exact(o: &Observation, reading: Reading, spec: &LossSpec) -> bool {
    let seen = reading.of(o);
    let fitted = fit(o, reading, &seen, spec, Parts::All).map(|fit| Fitted { o, seen, fit });
    fitted.and_then(|fitted| explain(spec, &[fitted])).is_some_and(|found| found.constant == 1.0)
}

/// Whether a value is what the others' rule makes of it.
fn follows(rule: ValueFit, o: &Observation, expected: f64) -> bool {
    let Some(found) = o.total() else { return true };
    let offset = if let ValueFit::Offset(offset) = rule { offset } else { 0.0 };
    (found - expected - offset).abs() <= 1e-4 * found.abs().max(expected.abs())
}

/// What explains a batch that a loss of this kind does not explain as it is: the same kind, with the arguments misread.
pub fn reread(o: &Observation, kind: Kind) -> Option<Identified> {
    let shapes: Vec<LossSpec> = shapes().into_iter().filter(|spec| spec.kind() == kind).collect();
    Reading::all(o).into_iter().filter(|reading| !reading.is_plain()).find_map(|reading| {
        let near = near(o, reading, &reading.of(o), &shapes);
        let fits = near.into_iter().filter(|near| near.misfit <= o.tolerance()).collect();
        best(o, &[], reading, fits).filter(|found| !matches!(found.value, ValueFit::Other { .. }))
    })
}

/// The sum of two losses, one over pixels and one over regions, that explains all batches.
fn sums(
    first: &Observation,
    others: &[&Observation],
    reading: Reading,
    seen: &Seen,
    shapes: &[LossSpec],
) -> Option<Identified> {
    first.gradient.as_ref()?;
    let over_pixels = |spec: &&LossSpec| {
        use Kind::{BinaryCrossEntropy, CrossEntropy, Focal, TopKCrossEntropy};
        [CrossEntropy, Focal, BinaryCrossEntropy, TopKCrossEntropy].contains(&spec.kind())
            && spec.threshold.is_none()
    };
    let of = |spec: &LossSpec| answer(first, reading, seen, spec, false).map(|answer| (spec.clone(), answer));
    let top_k = |spec: &LossSpec| spec.kind() == Kind::TopKCrossEntropy;
    // Only a share of the pixels is rounded.
    let pixels: Vec<(LossSpec, Answer)> = shapes
        .iter()
        .filter(over_pixels)
        .filter(|spec| reading.floor == top_k(spec))
        .filter_map(of)
        .collect();
    let below = Reading { floor: false, ..reading };
    let of = |spec: &LossSpec| answer(first, below, seen, spec, false).map(|answer| (spec.clone(), answer));
    let regions: Vec<(LossSpec, Answer)> = shapes
        .par_iter()
        .filter(|spec| {
            spec.kind().sums_regions() || spec.kind().weighs_by_size() || spec.kind() == Kind::Boundary
        })
        .filter_map(of)
        .collect();
    let mut pairs: Vec<(f64, usize, usize)> = (0..pixels.len())
        .into_par_iter()
        .flat_map_iter(|i| {
            let pixels = &pixels;
            let regions = &regions;
            (0..regions.len()).filter_map(move |j| {
                let fit = by_two(first, &pixels[i].1, &regions[j].1)?;
                let useful = fit.factors.iter().all(|k| k.is_finite() && *k > 0.0);
                useful.then_some((fit.misfit, i, j))
            })
        })
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs.truncate(24);
    let mut found: Vec<(bool, usize, usize, Identified)> = pairs
        .into_par_iter()
        .filter_map(|(_, i, j)| {
            let (mut a, mut b) = (pixels[i].0.clone(), regions[j].0.clone());
            let two = |a: &LossSpec, b: &LossSpec| {
                let a = answer(first, reading, seen, a, false)?;
                by_two(first, &a, &answer(first, below, seen, b, false)?)
            };
            let misfit = |a: &LossSpec, b: &LossSpec| two(a, b).map_or(f64::NAN, |fit| fit.misfit);
            let mut best = misfit(&a, &b);
            // What is read by mistake is plain in all else.
            for _ in 0..if reading.is_plain() { 2 } else { 0 } {
                if best <= first.tolerance() {
                    break;
                }
                (b, best) = refine(b, first.tolerance(), 3, &|b| misfit(&a, b));
                if best > first.tolerance() {
                    (a, best) = refine(a, first.tolerance(), 3, &|a| misfit(a, &b));
                }
            }
            (best <= first.tolerance()).then(|| together(first, others, reading, a, b)).flatten()
        })
        .collect();
    found.sort_by_key(|(unexplained, edges, cost, _)| (*unexplained, std::cmp::Reverse(*edges), *cost));
    let names: Vec<String> = found.iter().map(|(.., found)| found.name()).collect();
    let (open, _, _, mut winner) = found.into_iter().next()?;
    if open || !reading.is_plain() && matches!(winner.value, ValueFit::Other { .. }) {
        return None;
    }
    winner.rivals = names.into_iter().filter(|name| *name != winner.name()).take(3).collect();
    winner.rivals.dedup();
    Some(winner)
}

/// Two losses on all batches.
fn together(
    first: &Observation,
    others: &[&Observation],
    reading: Reading,
    a: LossSpec,
    b: LossSpec,
) -> Option<(bool, usize, usize, Identified)> {
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    let (mut unexplained, mut edges, mut misfit, mut values) = (Vec::new(), 0, 0.0_f64, Vec::new());
    for &o in std::iter::once(&first).chain(others) {
        let seen = reading.of(o);
        let two = || {
            let below = Reading { floor: false, ..reading };
            let (a, b) = (answer(o, reading, &seen, &a, false)?, answer(o, below, &seen, &b, false)?);
            by_two(o, &a, &b)
        };
        match (two(), role(o).1) {
            (Some(fit), core) if fit.misfit <= o.tolerance() => {
                edges += usize::from(!core);
                misfit = misfit.max(fit.misfit);
                values.push((o, fit.value));
                let one = |i: usize| Fit { factors: vec![fit.factors[i]], ..fit.clone() };
                of_a.push(Fitted { o, seen: reading.of(o), fit: one(0) });
                of_b.push(Fitted { o, seen, fit: one(1) });
            }
            (_, true) => return None,
            _ => unexplained.push(o.name.clone()),
        }
    }
    let term = |spec: &LossSpec, fitted: &[Fitted<'_>]| Term {
        shape: spec.clone(),
        parts: Parts::All,
        explanation: explain(spec, fitted).or_else(|| {
            let core: Vec<Fitted<'_>> = fitted
                .iter()
                .filter(|f| role(f.o).1)
                .map(|f| Fitted { o: f.o, seen: reading.of(f.o), fit: f.fit.clone() })
                .collect();
            explain(spec, &core)
        }),
    };
    let terms = vec![term(&a, &of_a), term(&b, &of_b)];
    let open = terms.iter().any(|term| term.explanation.is_none());
    let value = value_fit(values.into_iter());
    let cost = cost(&a) + cost(&b);
    Some((open, edges, cost, Identified { reading, terms, misfit, value, unexplained, rivals: Vec::new() }))
}
