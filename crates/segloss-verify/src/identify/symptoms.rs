//! What the answers show by themselves, whatever the loss is.

use super::observation::Observation;
use super::probe::question::{self, Role};
use crate::compare;

/// Where a number is none.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// The batch.
    pub batch: String,
    /// Whether its logits are far out on purpose.
    pub saturated: bool,
    /// How many pixels have a gradient that is no number; 0 where only the value shows it.
    pub pixels: usize,
    /// A pixel of them: its logits and its label.
    pub witness: Option<Pixel>,
    /// The value.
    pub value: Option<f64>,
}

/// Batches whose value or gradient holds NaN or infinity, the tamest first.
pub fn non_finite(observations: &[Observation]) -> Vec<NonFinite> {
    let mut all: Vec<NonFinite> = observations
        .iter()
        .filter_map(|o| {
            let value = o.total();
            let at = |n: usize, p: usize| {
                o.gradient.as_ref().is_some_and(|g| (0..o.classes).any(|c| !g[o.at(n, c, p)].is_finite()))
            };
            let bad: Vec<(usize, usize)> = places(o).filter(|&(n, p)| at(n, p)).collect();
            if bad.is_empty() && value.is_none_or(f64::is_finite) {
                return None;
            }
            let witness = bad.first().map(|&(n, p)| pixel(o, n, p));
            let saturated = o.name == "saturated";
            Some(NonFinite { batch: o.name.clone(), saturated, pixels: bad.len(), witness, value })
        })
        .collect();
    all.sort_by_key(|found| found.saturated);
    all
}

/// What every batch without a finite value lacks, and no other does: a pixel that counts in some image, or a pixel of some class. Only
/// of logits that no logarithm fails at.
pub fn empty_mean(observations: &[Observation]) -> Option<String> {
    let tame = |o: &&Observation| o.logits.iter().all(|z| z.abs() < 16.0) && o.name != "pixel";
    let is_finite = |o: &Observation| {
        o.total().is_none_or(f64::is_finite)
            && o.gradient.as_ref().is_none_or(|g| g.iter().all(|g| g.is_finite()))
    };
    let (finite, bad): (Vec<&Observation>, Vec<&Observation>) =
        observations.iter().filter(tame).partition(|o| is_finite(o));
    let named =
        |o: &Observation| if o.name.is_empty() { String::new() } else { format!("in batch `{}` ", o.name) };
    let lacks_pixels = |o: &Observation| (0..o.images).find(|&n| o.valid_in(n) == 0);
    let lacks_class = |o: &Observation| pixel_shares(o)?.iter().position(|&share| share == 0.0);
    let first = *bad.first()?;
    let only = |lacks: &dyn Fn(&Observation) -> bool| {
        bad.iter().all(|o| lacks(o)) && !finite.iter().any(|o| lacks(o))
    };
    if only(&|o| o.valid() == 0 || lacks_pixels(o).is_some()) {
        let image = lacks_pixels(first).unwrap_or_default();
        return Some(format!(
            "{}image {image} has no pixel that counts, and the value is no number",
            named(first)
        ));
    }
    let class = lacks_class(first)?;
    only(&|o| lacks_class(o).is_some())
        .then(|| format!("{}class {class} has no pixel, and value or gradient is no number", named(first)))
}

/// The logits and the label of a pixel.
pub type Pixel = (Vec<f64>, Option<i64>);

/// Those of one.
pub fn pixel(o: &Observation, n: usize, p: usize) -> Pixel {
    let logits = (0..o.classes).map(|c| o.logits[o.at(n, c, p)]).collect();
    (logits, o.labels().map(|labels| labels[n * o.pixels() + p]))
}

/// Every pixel.
pub fn places(o: &Observation) -> impl Iterator<Item = (usize, usize)> + use<> {
    let pixels = o.pixels();
    (0..o.images).flat_map(move |n| (0..pixels).map(move |p| (n, p)))
}

/// The values of the same batch, asked twice, where they differ.
pub fn two_answers(observations: &[Observation]) -> Option<(f64, f64)> {
    let value = |name: &str| observations.iter().find(|o| o.name == name)?.total();
    let (first, again) = (value("base")?, value("again")?);
    let same = (first - again).abs() <= 1e-5 * first.abs().max(again.abs());
    (!same && first.is_finite() && again.is_finite()).then_some((first, again))
}

/// Whether there is a gradient anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slope {
    /// Some entry is not 0.
    Some,
    /// All of it is 0, on every batch.
    Zero,
    /// There is none.
    None,
}

/// Whether there is a gradient anywhere but far out.
pub fn slope(observations: &[Observation]) -> Slope {
    let near = || observations.iter().filter(|o| o.name != "saturated");
    if near().all(|o| o.gradient.is_none()) {
        return Slope::None;
    }
    let zero = |o: &Observation| o.gradient.as_ref().is_none_or(|g| g.iter().all(|&g| g == 0.0));
    if near().all(zero) { Slope::Zero } else { Slope::Some }
}

/// What the value does along a direction, and what the gradient says that it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Derivative {
    /// (value forward − value backward) / step.
    pub found: f64,
    /// Σ gradient·direction.
    pub said: f64,
}

/// The value along a direction, where the probes `forward` and `backward` are there.
pub fn derivative(observations: &[Observation]) -> Option<Derivative> {
    let named = |name: &str| observations.iter().find(|o| o.name == name);
    let (base, forward, backward) = (named("base")?, named("forward")?, named("backward")?);
    let g = base.gradient.as_ref()?;
    let step = |at: usize| (forward.logits[at] - backward.logits[at]) / 2.0;
    let said: f64 = g.iter().enumerate().map(|(at, g)| g * step(at)).sum();
    let found = (forward.total()? - backward.total()?) / 2.0;
    (said.is_finite() && found.is_finite()).then_some(Derivative { found, said })
}

impl Derivative {
    /// Whether the two agree, as far as such a difference can say.
    pub fn agrees(self, o: &Observation) -> bool {
        let noise = o.epsilon * o.total().unwrap_or_default().abs().max(1.0) * 20.0;
        let scale = o.gradient.as_ref().map_or(0.0, |g| g.iter().map(|g| (g * 1e-3).abs()).sum::<f64>());
        (self.found - self.said).abs() <= 2e-3 * scale + noise
    }
}

/// Pixels that are wrong and get no gradient at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Silent {
    /// The batch.
    pub batch: String,
    /// How many.
    pub pixels: usize,
    /// The largest probability of the right class among them.
    pub probability: f64,
    /// That pixel.
    pub witness: Pixel,
    /// Whether they are the most wrong ones, as of a probability that is clipped.
    pub is_clip: bool,
    /// An image all of whose pixels are among them, beside another one.
    pub image: Option<usize>,
}

/// A pixel whose right class has a probability below ½: that, its image and place, and whether its gradient is exactly 0.
type Wrong = (f64, usize, usize, bool);

/// The wrong ones of a batch.
///
/// `meant`: the gradient of the loss that explains the other batches, where there is one. What is next to nothing there, too, is not
/// silent: it is how the loss is.
fn wrong_pixels(o: &Observation, meant: Option<&[f64]>) -> Vec<Wrong> {
    let (Some(labels), Some(g)) = (o.labels(), o.gradient.as_ref()) else { return Vec::new() };
    let most = meant.map_or(0.0, |meant| compare::largest(meant.iter().map(|g| g.abs())));
    let is_silent = |at: usize| match meant {
        // 1e-200 is no 0, and moves nothing.
        Some(meant) => g[at].abs() < 1e-12 * meant[at].abs() && meant[at].abs() > 1e-6 * most,
        None => g[at] == 0.0,
    };
    let of = |(n, p): (usize, usize)| {
        let logits = |c: usize| o.logits[o.at(n, c, p)];
        let label = labels[n * o.pixels() + p];
        let (right, own) = match o.classes {
            1 => (super::reading::sigmoid(if label == 1 { logits(0) } else { -logits(0) }), 0),
            _ => {
                let own = logits(label as usize);
                (1.0 / (0..o.classes).map(|c| (logits(c) - own).exp()).sum::<f64>(), label as usize)
            }
        };
        let none = if meant.is_some() { 1e-12 * most } else { 0.0 };
        let silent = is_silent(o.at(n, own, p)) && (0..o.classes).all(|c| g[o.at(n, c, p)].abs() <= none);
        (right, n, p, silent)
    };
    places(o).filter(|&(n, p)| o.is_valid(n, p)).map(of).filter(|(right, ..)| *right < 0.5).collect()
}

/// Wrong pixels whose gradient is exactly 0.
pub fn silent(o: &Observation, meant: Option<&[f64]>) -> Option<Silent> {
    let (silent, spoken): (Vec<Wrong>, Vec<Wrong>) =
        wrong_pixels(o, meant).into_iter().partition(|(.., silent)| *silent);
    let (probability, n, p, _) = silent.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let least_silent = silent.iter().map(|wrong| wrong.0).fold(1.0, f64::min);
    let range = spoken.iter().map(|wrong| wrong.0);
    let (least, most) = (range.clone().fold(1.0, f64::min), range.fold(0.0, f64::max));
    // What leaves out easy pixels chooses the hard ones.
    if !spoken.is_empty() && least_silent >= most {
        return None;
    }
    let all_of = |image: usize| {
        places(o).filter(|&(n, _)| n == image).all(|(n, p)| !o.is_valid(n, p) || o.has_no_slope(n, p))
    };
    let image = (0..o.images).find(|&n| all_of(n)).filter(|_| !(0..o.images).all(all_of));
    // An ε is small.
    let is_clip = probability <= least && probability <= 0.1 && image.is_none();
    let witness = pixel(o, n, p);
    Some(Silent { batch: o.name.clone(), pixels: silent.len(), probability, witness, is_clip, image })
}

/// The least probability of the right class among wrong pixels that get a gradient.
pub fn least_spoken<'a>(observations: impl Iterator<Item = &'a Observation>) -> Option<f64> {
    let all = observations.flat_map(|o| wrong_pixels(o, None)).filter(|(.., silent)| !silent);
    all.map(|(right, ..)| right).min_by(f64::total_cmp)
}

/// A class whose pixels of one label all get the same gradient, whatever their logits, and between which logits these lie; none where
/// some class of some image is not so. A ratio of sums of the logits themselves is so.
pub fn ignores_logits(observations: &[Observation]) -> Option<(usize, f64, f64)> {
    let mut witness = None;
    let asked = observations.iter().filter(|o| question::role(&o.name) == Role::Must && o.gradient.is_some());
    for o in asked {
        let (labels, g) = (o.labels()?, o.gradient.as_ref()?);
        let most = g.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        for (n, c) in (0..o.images).flat_map(|n| (0..o.classes).map(move |c| (n, c))) {
            for label in 0..o.classes.max(2) as i64 {
                let pixels =
                    (0..o.pixels()).filter(|&p| o.is_valid(n, p) && labels[n * o.pixels() + p] == label);
                let at: Vec<usize> = pixels.map(|p| o.at(n, c, p)).collect();
                let range = |of: &[f64]| {
                    at.iter()
                        .map(|&at| of[at])
                        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| {
                            (least.min(x), most.max(x))
                        })
                };
                let (slopes, logits) = (range(g), range(&o.logits));
                if at.len() > 1 && !(slopes.1 - slopes.0 <= o.tolerance() * most) {
                    return None;
                }
                if at.len() > 2 && logits.1 - logits.0 > 1.0 && slopes.1 != 0.0 && witness.is_none() {
                    witness = Some((c, logits.0, logits.1));
                }
            }
        }
    }
    witness
}

/// Whether batches with the same labels and other logits have the same gradient.
pub fn is_linear(observations: &[Observation]) -> bool {
    let named = |name: &str| observations.iter().find(|o| o.name == name)?.gradient.as_ref();
    let (Some(base), Some(shifted), Some(sure)) = (named("base"), named("shifted"), named("sure")) else {
        return false;
    };
    let most = compare::largest(base.iter().map(|g| g.abs()));
    let same = |other: &[f64]| {
        other.len() == base.len() && base.iter().zip(other).all(|(a, b)| (a - b).abs() <= 1e-5 * most)
    };
    most > 0.0 && same(shifted) && same(sure)
}

/// An ignored pixel that gets a gradient: the batch, how many there are, and the pixel.
pub fn ignored_with_slope(o: &Observation) -> Option<(usize, Pixel)> {
    let g = o.gradient.as_ref()?;
    let most = g.iter().filter(|g| g.is_finite()).fold(0.0_f64, |most, g| most.max(g.abs()));
    let moved = |n: usize, p: usize| (0..o.classes).any(|c| g[o.at(n, c, p)].abs() > 1e-6 * most);
    let all: Vec<(usize, usize)> = places(o).filter(|&(n, p)| !o.is_valid(n, p) && moved(n, p)).collect();
    all.first().map(|&(n, p)| (all.len(), pixel(o, n, p)))
}

/// The share of |gradient| that goes to the pixels of each class.
pub fn gradient_shares(o: &Observation) -> Option<Vec<f64>> {
    let (labels, g) = (o.labels()?, o.gradient.as_ref()?);
    let mut shares = vec![0.0; o.classes.max(2)];
    for (n, p) in places(o).filter(|&(n, p)| o.is_valid(n, p)) {
        let label = labels[n * o.pixels() + p] as usize;
        shares[label] +=
            (0..o.classes).map(|c| g[o.at(n, c, p)].abs()).filter(|g| g.is_finite()).sum::<f64>();
    }
    let total: f64 = shares.iter().sum();
    (total > 0.0).then(|| shares.into_iter().map(|share| share / total).collect())
}

/// The share of the pixels that each class has.
pub fn pixel_shares(o: &Observation) -> Option<Vec<f64>> {
    let labels = o.labels()?;
    let mut shares = vec![0.0; o.classes.max(2)];
    for (n, p) in places(o).filter(|&(n, p)| o.is_valid(n, p)) {
        shares[labels[n * o.pixels() + p] as usize] += 1.0;
    }
    let total: f64 = shares.iter().sum();
    (total > 0.0).then(|| shares.into_iter().map(|share| share / total).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Channel by channel one number for each label is no activation's work; one pixel that differs is enough.
    #[test]
    fn a_gradient_that_ignores_the_logits_is_seen() {
        let mut o = Observation::sample(&[2, 3, 4, 4]);
        let mut g = vec![0.0; o.logits.len()];
        for (n, p) in places(&o) {
            (0..3).for_each(|c| g[o.at(n, c, p)] = 0.1 + n as f64 + c as f64 - 2.0 * o.y(n, c, p));
        }
        o.gradient = Some(g.clone());
        assert!(ignores_logits(std::slice::from_ref(&o)).is_some());
        g[5] += 0.01;
        o.gradient = Some(g);
        assert!(ignores_logits(std::slice::from_ref(&o)).is_none());
    }

    /// A clip silences the most wrong pixels, hard pixels are chosen by leaving out the others, and everything between is neither.
    #[test]
    fn silent_pixels_are_told_apart() {
        let mut o = Observation::sample(&[2, 1, 1, 4]);
        // The right class of every pixel is 0: σ(−z) is 0.4, 0.2, 0.05 and 0.01.
        o.logits = [0.6f64, 0.8, 0.95, 0.99].repeat(2).iter().map(|p| (p / (1.0 - p)).ln()).collect();
        o.target = segloss_cases::Labels::Indices(vec![0; 8]);
        let of = |g: [f64; 8]| silent(&Observation { gradient: Some(g.to_vec()), ..o.clone() }, None);
        assert_eq!(of([1.0; 8]), None);
        let clip = of([1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0]).unwrap();
        assert!(clip.is_clip && clip.pixels == 2 && (clip.probability - 0.01).abs() < 1e-9);
        assert_eq!(of([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]), None);
        let mixed = of([1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0]).unwrap();
        assert!(!mixed.is_clip && mixed.image.is_none());
        let all = of([0.0; 8]).unwrap();
        assert!(!all.is_clip && all.image.is_none() && all.pixels == 8);
        let image = of([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]).unwrap();
        assert!(!image.is_clip && image.image == Some(1));
    }

    #[test]
    fn an_ignored_pixel_with_a_gradient_is_seen() {
        let mut o = Observation::sample(&[1, 3, 2, 2]);
        if let segloss_cases::Labels::Indices(labels) = &mut o.target {
            labels[2] = 255;
        }
        o.ignored = Some(255);
        let mut g = vec![1.0; 12];
        (0..3).for_each(|c| g[o.at(0, c, 2)] = 0.0);
        o.gradient = Some(g.clone());
        assert_eq!(ignored_with_slope(&o), None);
        g[o.at(0, 1, 2)] = 0.5;
        o.gradient = Some(g);
        assert_eq!(ignored_with_slope(&o).map(|(count, (_, label))| (count, label)), Some((1, Some(255))));
    }
}
