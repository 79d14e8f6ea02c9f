//! Logits that a number for each class was added to: priors of a data set, which no batch shows.
//!
//! ```text
//! ∂L/∂z_c ∝ p'_c = exp(z_c + s_c)/Σ exp(z + s)      for c ≠ y, whatever the pixel weighs
//! s_c − s_d = (ln ∂L/∂z_c − z_c) − (ln ∂L/∂z_d − z_d)
//! ```
//!
//! Of one channel two negatives say it: a = σ(z₁ + s)/σ(z₂ + s), so that e^(−s) = (a − 1)/(e^(−z₂) − a·e^(−z₁)).
//!
//! So one pixel of another class says how far two classes are shifted against each other; the rest is a loss with this shift.

use super::observation::Observation;
use super::shapes::is_valid;
use segloss::{Activation, LossSpec, Threshold};

/// The losses over pixels with the shift that the batch shows; none where it shows none.
pub fn shifted(o: &Observation, shapes: &[LossSpec]) -> Vec<LossSpec> {
    let of_one = o.classes == 1;
    let Some(shift) = (if of_one { shift_of_one(o) } else { shift(o) }) else { return Vec::new() };
    // z − ln(th/(1 − th)) of a channel, z − ln th of a class.
    let threshold = |s: &f64| if of_one { 1.0 / (1.0 + s.exp()) } else { (-s).exp() };
    let thresholds: Vec<f64> = shift.iter().map(threshold).collect();
    let moved = |spec: &LossSpec| LossSpec {
        threshold: Some(Threshold::LogitShift(thresholds.clone())),
        ..spec.clone()
    };
    let activation = if of_one { Activation::Sigmoid } else { Activation::Softmax };
    let able = |spec: &&LossSpec| {
        spec.activation() == activation && spec.threshold.is_none() && spec.kind().is_additive()
    };
    shapes.iter().filter(able).map(moved).filter(is_valid).collect()
}

/// What was added to the logit of each class beyond that of class 0; none where nothing was, or the batch does not say.
fn shift(o: &Observation) -> Option<Vec<f64>> {
    let (labels, g) = (o.labels()?, o.gradient.as_ref()?);
    if o.classes < 3 {
        return None;
    }
    let against_first = |c: usize| {
        let pixels = (0..o.images).flat_map(|n| (0..o.pixels()).map(move |p| (n, p)));
        let of_others = pixels.filter(|&(n, p)| {
            let label = labels[n * o.pixels() + p];
            o.is_valid(n, p) && label != 0 && label != c as i64
        });
        // Where both probabilities are large both logarithms are exact.
        let entries = of_others.map(|(n, p)| (o.at(n, 0, p), o.at(n, c, p)));
        let (first, own) = entries.max_by(|a, b| g[a.0].min(g[a.1]).total_cmp(&g[b.0].min(g[b.1])))?;
        let shift = (g[own] / g[first]).ln() - (o.logits[own] - o.logits[first]);
        shift.is_finite().then_some(shift)
    };
    let shift: Vec<f64> =
        std::iter::once(Some(0.0)).chain((1..o.classes).map(against_first)).collect::<Option<_>>()?;
    shift.iter().any(|s| s.abs() > 1e-4).then_some(shift)
}

/// What was added to the logit of the one channel; none where nothing was, or the batch does not say.
fn shift_of_one(o: &Observation) -> Option<Vec<f64>> {
    let (labels, g) = (o.labels()?, o.gradient.as_ref()?);
    let negatives = || {
        (0..g.len()).filter(|&i| o.is_valid(i / o.pixels(), i % o.pixels()) && labels[i] == 0 && g[i] > 0.0)
    };
    let by_logit = |a: &usize, b: &usize| o.logits[*a].total_cmp(&o.logits[*b]);
    // The furthest apart says it best; far out σ is 1, or the gradient nothing but rounding.
    let near = || negatives().filter(|&i| o.logits[i].abs() < 6.0);
    let (low, high) = (near().min_by(by_logit)?, near().max_by(by_logit)?);
    let a = g[low] / g[high];
    let shift = -((a - 1.0) / ((-o.logits[high]).exp() - a * (-o.logits[low]).exp())).ln();
    (shift.is_finite() && shift.abs() > 1e-4).then(|| vec![shift])
}

#[cfg(test)]
mod tests {
    use super::super::answer::answer;
    use super::super::reading::Reading;
    use super::super::search::{Found, search};
    use super::super::shapes::plain;
    use super::*;
    use segloss::{Kind, Reduction};

    /// ½·ln π of a data set is found, and is no plain cross-entropy.
    #[test]
    fn priors_of_a_data_set_are_found() {
        let mut o = Observation::sample(&[2, 4, 4, 5]);
        o.target = segloss_cases::Labels::Indices((0..40).map(|i| i % 4).collect());
        let thresholds = [0.9_f64, 0.07, 0.02, 0.01].map(|prior| prior.powf(-0.5)).to_vec();
        let threshold = Some(Threshold::LogitShift(thresholds));
        let spec = LossSpec { reduction: Some(Reduction::Mean), threshold, ..plain(Kind::CrossEntropy) };
        o.gradient = Some(vec![0.0; o.logits.len()]);
        let found = answer(&o, Reading::PLAIN, &Reading::PLAIN.of(&o), &spec, false).unwrap();
        (o.value, o.gradient) = (Some(vec![found.value]), Some(found.gradient));
        assert!((shift(&o).unwrap()[1] - 0.5 * (0.07_f64 / 0.9).ln()).abs() < 1e-12);
        let Found::Loss(found) = search(std::slice::from_ref(&o)) else { panic!("nothing is found") };
        assert_eq!(found.name(), "cross_entropy (logit_shift)");
    }
}
