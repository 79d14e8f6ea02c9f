//! The numbers of a loss that fit best: of those that people write, else whatever they are.

use super::answer::answer;
use super::fit::{misfit_of, solve};
use super::observation::Observation;
use super::reading::{Reading, Seen};
use super::shapes::{number, numeric_keys, plain, usual, with};
use crate::compare;
use segloss::{LossSpec, Value};

/// The same with all numbers as they are by default: what was chosen in words and switches.
pub fn without_numbers(spec: &LossSpec) -> LossSpec {
    let default = spec.kind().options();
    let mut spec = spec.clone();
    for key in numeric_keys(&spec) {
        // That there is a number at all was chosen.
        if let Some(value @ Value::Number(_)) = default.get(key) {
            // The kind's own default is a value that it takes.
            _ = spec.options.set(key, value);
        }
    }
    spec
}

/// Number by number the usual value that fits best; in the last of three rounds, where none fits, all of them at once, whatever they
/// are. `predicted`: the gradient of such a loss with the factors that fit it best.
pub fn refine(
    o: &Observation,
    mut spec: LossSpec,
    rounds: usize,
    predicted: &dyn Fn(&LossSpec) -> Option<Vec<f64>>,
) -> (LossSpec, f64) {
    let misfit = |spec: &LossSpec| misfit_of(o, predicted(spec));
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
                let pair = with(&spec, "beta", (1e9 * (1.0 - x)).round() / 1e9)
                    .and_then(|spec| with(&spec, "alpha", x));
                let Some(other) = pair else { continue };
                let found = misfit(&other);
                if found < best {
                    (spec, best) = (other, found);
                }
            }
        }
        if best <= o.floor() || best >= before {
            break;
        }
    }
    if rounds > 2 && best > o.floor() && best < 0.3 {
        let rest = |spec: &LossSpec| rest(o, &predicted(spec)?);
        if let Some((found, reached)) = all_at_once(&spec, &keys, &rest)
            && reached < best
        {
            (spec, best) = (found, reached);
        }
    }
    (spec, best)
}

/// (g − ĝ)/max|g|, 0 where g is no number.
fn rest(o: &Observation, predicted: &[f64]) -> Option<Vec<f64>> {
    let g = o.gradient.as_ref()?;
    let most = g.iter().filter(|g| g.is_finite()).fold(f64::MIN_POSITIVE, |most, g| most.max(g.abs()));
    let known = |(g, x): (&f64, &f64)| if g.is_finite() { (g - x) / most } else { 0.0 };
    Some(g.iter().zip(predicted).map(known).collect())
}

/// The numbers of a loss over regions that is divided by nothing else. Of a region its gradient shows two numbers, and a factor hides one:
/// values and other batches must say the rest.
pub fn without_factor(
    batches: &[&Observation],
    reading: Reading,
    spec: &LossSpec,
) -> Option<(LossSpec, f64)> {
    let seen: Vec<Seen<'_>> = batches.iter().map(|o| reading.of(o)).collect();
    let rest = |spec: &LossSpec| {
        let mut all = Vec::new();
        for (o, seen) in batches.iter().zip(&seen) {
            let found = answer(o, reading, seen, spec, false)?;
            let value = o.total().filter(|value| value.is_finite() && *value != 0.0)?;
            all.extend(rest(o, &found.gradient)?);
            all.push((value - found.value) / value.abs());
        }
        Some(all)
    };
    let keys = numeric_keys(spec);
    // From both ends of what is usual: one end may lead into a valley that has no bottom.
    let starts = [Some(spec.clone()), with(spec, "smooth", 1.0)];
    let found = starts.into_iter().flatten().filter_map(|spec| all_at_once(&spec, &keys, &rest));
    let (found, misfit) = found.min_by(|a, b| a.1.total_cmp(&b.1))?;
    is_determined(&found, &keys, &rest).then_some((found, misfit))
}

/// Whether each number changes something that no others do.
fn is_determined(
    spec: &LossSpec,
    keys: &[&'static str],
    rest: &dyn Fn(&LossSpec) -> Option<Vec<f64>>,
) -> bool {
    let Some(now) = rest(spec) else { return false };
    let mut known: Vec<Vec<f64>> = Vec::new();
    for &key in keys {
        let Some((mut column, size)) = column(spec, key, &now, rest) else { continue };
        for other in &known {
            let along: f64 = column.iter().zip(other).map(|(a, b)| a * b).sum();
            column.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let left = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        if !(left > 1e-4 * size) {
            return false;
        }
        column.iter_mut().for_each(|x| *x /= left);
        known.push(column);
    }
    true
}

/// How the rest changes with a number, and how much; none where it does not.
fn column(
    spec: &LossSpec,
    key: &'static str,
    now: &[f64],
    rest: &dyn Fn(&LossSpec) -> Option<Vec<f64>>,
) -> Option<(Vec<f64>, f64)> {
    let x = number(spec, key)?;
    let h = 1e-5 * x.abs().max(1e-2);
    let moved = with(spec, key, x + h).and_then(|spec| rest(&spec))?;
    let column: Vec<f64> = moved.iter().zip(now).map(|(a, b)| (a - b) / h).collect();
    let size = column.iter().map(|x| x * x).sum::<f64>().sqrt();
    (size > 1e-9).then_some((column, size))
}

/// Gauss and Newton's steps, each shortened (after Levenberg and Marquardt) until it leads down: the numbers with which Σ rest² is least,
/// and the largest rest.
fn all_at_once(
    spec: &LossSpec,
    keys: &[&'static str],
    rest: &dyn Fn(&LossSpec) -> Option<Vec<f64>>,
) -> Option<(LossSpec, f64)> {
    let sum = |rest: &[f64]| rest.iter().map(|x| x * x).sum::<f64>();
    let (mut found, mut now, mut damping) = (spec.clone(), rest(spec)?, 1e-3);
    for _ in 0..80 {
        let of = |&key: &&'static str| {
            let (column, _) = column(&found, key, &now, rest)?;
            Some((key, number(&found, key)?, column))
        };
        let columns: Vec<(&'static str, f64, Vec<f64>)> = keys.iter().filter_map(of).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let right: Vec<f64> = columns.iter().map(|(.., c)| -dot(c, &now)).collect();
        let mut better = None;
        while better.is_none() && damping < 1e6 {
            let row = |i: usize| {
                let of =
                    |j: usize| dot(&columns[i].2, &columns[j].2) * if i == j { 1.0 + damping } else { 1.0 };
                (0..columns.len()).map(of).collect()
            };
            let steps = solve((0..columns.len()).map(row).collect(), right.clone());
            let moved = steps.and_then(|steps| {
                columns.iter().zip(steps).try_fold(found.clone(), |spec, ((key, x, _), step)| {
                    with(&spec, key, x + step).or_else(|| with(&spec, key, 0.5 * x))
                })
            });
            better =
                moved.and_then(|spec| Some((rest(&spec)?, spec))).filter(|(rest, _)| sum(rest) < sum(&now));
            damping *= if better.is_some() { 0.2 } else { 8.0 };
        }
        let Some((rest, spec)) = better else { break };
        let gained = sum(&now) - sum(&rest);
        (now, found) = (rest, spec);
        if gained <= 1e-12 * sum(&now) || sum(&now) < 1e-26 {
            break;
        }
    }
    let largest =
        |spec: &LossSpec| rest(spec).map_or(f64::NAN, |rest| compare::largest(rest.iter().map(|x| x.abs())));
    let reached = largest(&found);
    // To numbers that a person would write, one after the other.
    for &key in keys {
        let Some(x) = number(&found, key) else { continue };
        let rounded = written(x).into_iter().find_map(|x| {
            let spec = with(&found, key, x)?;
            (largest(&spec) <= 2.0 * reached + 1e-10).then_some(spec)
        });
        found = rounded.unwrap_or(found);
    }
    let reached = largest(&found);
    reached.is_finite().then_some((found, reached))
}

/// The number with one to four digits, and the nearest thirds and eighths.
fn written(x: f64) -> Vec<f64> {
    if x == 0.0 || !x.is_finite() {
        return vec![x];
    }
    let digits = |digits: i32| {
        let scale = 10f64.powi(digits - 1 - x.abs().log10().floor() as i32);
        (x * scale).round() / scale
    };
    let rounded = (1..5).map(digits).chain([3.0, 7.0, 6.0, 9.0, 8.0, 16.0].map(|q| (x * q).round() / q));
    std::iter::once(0.0).chain(rounded).collect()
}

/// Whether all numbers are some that people choose.
pub fn has_usual_numbers(spec: &LossSpec) -> bool {
    let usual =
        |key: &&'static str| number(spec, key).is_none_or(|x| usual(&plain(spec.kind()), key).contains(&x));
    numeric_keys(spec).iter().all(usual)
}
