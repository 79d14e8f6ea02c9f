//! Losses that see one number q of a pixel, made of the logit of its right class: −ln q, and focal and hard-pixel losses of it.
//!
//! ```text
//! z'_y = logit(q) + ln(C − 1),   z'_c = 0      so that softmax(z')_y = q, and the cross-entropy of z' is −ln q
//! ```

use super::observation::Observation;
use super::reading::softmax;

/// What q is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnClass {
    /// σ(z_y).
    Sigmoid,
    /// z_y/Σz, clipped to [1e-7, 1 − 1e-7]: logits taken for probabilities, as Keras does without `from_logits`.
    Share,
    /// exp(p_y − 1), p the softmax: −ln q is 1 − p_y.
    Probability,
    /// exp(p_y^γ·ln p_y), p the softmax: −ln q is a focal loss whose factor is p^γ, not (1 − p)^γ.
    Fading(i32),
}

/// What Keras clips a probability to: no less than 1e-7 and no more than one minus it, as the numbers of the batch round them.
pub fn clip(o: &Observation) -> (f64, f64) {
    match o.epsilon > 1e-10 {
        true => (f64::from(1e-7_f32), f64::from(1.0 - 1e-7_f32)),
        false => (1e-7, 1.0 - 1e-7),
    }
}

impl OwnClass {
    pub const ALL: [Self; 6] =
        [Self::Sigmoid, Self::Share, Self::Probability, Self::Fading(2), Self::Fading(1), Self::Fading(3)];

    /// z′. Pixels without a label have z′ = 0.
    pub fn of(self, o: &Observation, z: &[f64]) -> Vec<f64> {
        let others = ((o.classes - 1) as f64).ln();
        let mut out = vec![0.0; z.len()];
        self.each(o, z, |own, _, logit, _| out[own] = logit + others);
        out
    }

    /// The gradient by z, from that by z′.
    pub fn pull(self, o: &Observation, g: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; g.len()];
        self.each(o, &o.logits, |own, entries, _, slopes| {
            entries.iter().zip(slopes).for_each(|(&at, slope)| out[at] = g[own] * slope);
        });
        out
    }

    /// Of each pixel with a label: the entry of its class, all its entries, logit(q), and ∂logit(q)/∂z of each.
    fn each(self, o: &Observation, z: &[f64], mut act: impl FnMut(usize, &[usize], f64, &[f64])) {
        let Some(labels) = o.labels() else { return };
        let (least, most) = clip(o);
        let p = match self {
            Self::Sigmoid | Self::Share => Vec::new(),
            Self::Probability | Self::Fading(_) => softmax(z, &o.shape(), 1),
        };
        let (mut entries, mut slopes) = (vec![0; o.classes], vec![0.0; o.classes]);
        for (n, pixel) in (0..o.images).flat_map(|n| (0..o.pixels()).map(move |p| (n, p))) {
            let label = labels[n * o.pixels() + pixel];
            let Some(y) = usize::try_from(label).ok().filter(|&y| o.is_valid(n, pixel) && y < o.classes)
            else {
                continue;
            };
            (0..o.classes).for_each(|c| entries[c] = o.at(n, c, pixel));
            let own = entries[y];
            slopes.fill(0.0);
            let logit = match self {
                Self::Sigmoid => {
                    slopes[y] = 1.0;
                    z[own]
                }
                Self::Share => {
                    let sum: f64 = entries.iter().map(|&at| z[at]).sum();
                    let share = z[own] / sum;
                    let q = share.clamp(least, most);
                    if share == q {
                        let by_q = 1.0 / (q * (1.0 - q) * sum);
                        slopes.iter_mut().for_each(|slope| *slope = -q * by_q);
                        slopes[y] += by_q;
                    }
                    q.ln() - (-q).ln_1p()
                }
                Self::Probability | Self::Fading(_) => {
                    // ln q and its slope by p.
                    let (ln_q, slope) = match self {
                        Self::Fading(gamma) => {
                            let (power, ln) = (p[own].powi(gamma - 1), p[own].max(1e-300).ln());
                            (power * p[own] * ln, power * (f64::from(gamma) * ln + 1.0))
                        }
                        _ => (p[own] - 1.0, 1.0),
                    };
                    // 1 − q, exact where q is nearly 1.
                    let rest = (-ln_q.exp_m1()).max(1e-300);
                    let by_p = slope / rest;
                    slopes.iter_mut().zip(&entries).for_each(|(slope, &at)| *slope = -p[own] * p[at] * by_p);
                    slopes[y] += p[own] * by_p;
                    ln_q - rest.ln()
                }
            };
            act(own, &entries, logit, &slopes);
        }
    }
}

/// z′ = ln of the logits clipped to [1e-7, 1 − 1e-7], as if they were probabilities.
pub fn logarithms_of_clipped(o: &Observation, z: &[f64]) -> Vec<f64> {
    let (least, most) = clip(o);
    z.iter().map(|z| z.clamp(least, most).ln()).collect()
}

/// z′ = logit of the same.
pub fn logits_of_clipped(o: &Observation, z: &[f64]) -> Vec<f64> {
    let (least, most) = clip(o);
    z.iter().map(|z| z.clamp(least, most)).map(|q| q.ln() - (-q).ln_1p()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::reading::sigmoid;
    use super::*;

    /// The softmax of z′ has q at the right class.
    #[test]
    fn the_right_class_has_the_number() {
        let o = Observation::sample(&[2, 3, 2, 2]);
        let labels = o.labels().unwrap().to_vec();
        for own in OwnClass::ALL {
            let p = softmax(&own.of(&o, &o.logits), &o.shape(), 1);
            let given = softmax(&o.logits, &o.shape(), 1);
            for n in 0..2 {
                for pixel in 0..4 {
                    let at = o.at(n, labels[n * 4 + pixel] as usize, pixel);
                    let sum: f64 = (0..3).map(|c| o.logits[o.at(n, c, pixel)]).sum();
                    let q = match own {
                        OwnClass::Sigmoid => sigmoid(o.logits[at]),
                        OwnClass::Share => (o.logits[at] / sum).clamp(clip(&o).0, clip(&o).1),
                        OwnClass::Probability => (given[at] - 1.0).exp(),
                        OwnClass::Fading(gamma) => given[at].powf(given[at].powi(gamma)),
                    };
                    assert!((p[at] - q).abs() < 1e-12, "{own:?}: {} {q}", p[at]);
                }
            }
        }
    }
}
