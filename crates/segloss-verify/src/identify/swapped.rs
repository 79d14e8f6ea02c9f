//! Prediction and target in each other's place: the logarithm is taken of the target, which is 0 or 1.
//!
//! ```text
//! −Σ_c p_c·ln(y_c + ε) = K·(1 − p_y)       −p·ln(y + ε) − (1 − p)·ln(1 − y + ε) = K·|p − y|,       K = −ln ε
//! ```
//!
//! So the value is the mean of 1 − p, times a number that no mean has.

use super::cause::Cause;
use super::finding::{Evidence, Finding, batch, first};
use super::identified::role;
use super::observation::Observation;
use super::reading::{sigmoid, softmax};
use super::report::short;
use super::symptoms::places;

/// What −ln y is where y is 0.
struct Logarithm {
    words: String,
    /// K.
    factor: f64,
}

/// Values that are those of a logarithm of the target.
pub fn arguments(evidence: &Evidence<'_>) -> Option<Finding> {
    let Logarithm { words, factor } = logarithm_of_target(&evidence.capture.observations)?;
    Some(Finding::new(
        Cause::ArgumentsSwapped,
        format!(
            "{}: the value is the mean of 1 − p of the right class times {}, which is {words}",
            batch(&first(evidence).name),
            short(factor)
        ),
        "the logarithm is taken of the target: a pixel that is confidently wrong gets next to no gradient, and one that is undecided the most",
    ))
}

fn logarithm_of_target(observations: &[Observation]) -> Option<Logarithm> {
    let all: Vec<&Observation> = observations.iter().filter(|o| role(o).1 && o.total().is_some()).collect();
    let first = *all.first()?;
    let factor = |o: &Observation, error: fn(&Observation) -> Option<f64>, per: fn(&Observation) -> f64| {
        Some(o.total()? / error(o)? * per(o))
    };
    let near = |a: f64, b: f64| (a / b - 1.0).abs() <= 1e-5;
    let errors = [of_softmax, of_channels];
    let denominators: [fn(&Observation) -> f64; 4] =
        [|_| 1.0, |o| o.images as f64, |o| o.valid() as f64, |o| (o.valid() * o.classes) as f64];
    for (error, per) in errors.into_iter().flat_map(|error| denominators.map(|per| (error, per))) {
        let Some(found) = factor(first, error, per) else { continue };
        let Some(known) = logarithms().find(|known| near(found, known.factor)) else { continue };
        if all.iter().all(|o| factor(o, error, per).is_some_and(|found| near(found, known.factor))) {
            return Some(known);
        }
    }
    None
}

/// −ln of what people, and libraries, move a probability of 0 to.
fn logarithms() -> impl Iterator<Item = Logarithm> {
    let powers = (3..17).chain([20, 38, 45]).map(|n| (format!("1e-{n}"), 10f64.powi(-n)));
    let rounding = [f64::from(f32::EPSILON), f64::EPSILON, f64::from(f32::MIN_POSITIVE)];
    let all = powers.chain(rounding.map(|x| (format!("{x:.3e}"), x)));
    let held = Logarithm { words: "−ln 0 as PyTorch bounds it".to_owned(), factor: 100.0 };
    all.map(|(text, x)| Logarithm { words: format!("−ln {text}"), factor: -x.ln() }).chain([held])
}

/// Σ (1 − p_y) of the softmax; of one channel Σ |p − y|.
fn of_softmax(o: &Observation) -> Option<f64> {
    if o.classes == 1 {
        return of_channels(o);
    }
    let (labels, p) = (o.labels()?, softmax(&o.logits, &o.shape(), 1));
    let valid = places(o).filter(|&(n, x)| o.is_valid(n, x));
    Some(valid.map(|(n, x)| 1.0 - p[o.at(n, labels[n * o.pixels() + x] as usize, x)]).sum())
}

/// Σ |σ(z) − y| over all channels.
fn of_channels(o: &Observation) -> Option<f64> {
    let valid = places(o).filter(|&(n, x)| o.is_valid(n, x));
    let error = |n: usize, c: usize, x: usize| (sigmoid(o.logits[o.at(n, c, x)]) - o.y(n, c, x)).abs();
    o.labels()?;
    Some(valid.map(|(n, x)| (0..o.classes).map(|c| error(n, c, x)).sum::<f64>()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The factor of a logarithm is known again, another one is not, and one batch that disagrees is enough.
    #[test]
    fn a_logarithm_of_the_target_is_seen() {
        let batch = |shape: &[usize], factor: f64| {
            let mut o = Observation::sample(shape);
            let mean = of_softmax(&o).unwrap() / o.valid() as f64;
            o.value = Some(vec![factor * mean]);
            o
        };
        let seen = |factors: [f64; 2]| {
            let all = [batch(&[2, 3, 3, 4], factors[0]), batch(&[1, 3, 5, 5], factors[1])];
            logarithm_of_target(&all).map(|found| found.words)
        };
        let k = -(1e-7_f64).ln();
        assert_eq!(seen([k, k]).as_deref(), Some("−ln 1e-7"));
        assert_eq!(seen([k, 1.01 * k]), None);
        assert_eq!(seen([1.0, 1.0]), None);
        let mut one = batch(&[2, 1, 4, 4], 100.0);
        assert_eq!(logarithm_of_target(std::slice::from_ref(&one)).map(|found| found.factor), Some(100.0));
        one.value = Some(vec![f64::NAN]);
        assert!(logarithm_of_target(&[one]).is_none());
    }
}
