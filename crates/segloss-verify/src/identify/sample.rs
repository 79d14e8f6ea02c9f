//! A large batch by some of its pixels.
//!
//! A loss that is a sum over pixels shows in any of them. One of regions needs them all, but its gradient need not be compared at all: it is
//! computed on the whole, in single precision, once for every loss, and compared where the others are.

use super::observation::Observation;
use super::whole::{Arrays, Whole};
use segloss::LossSpec;
use segloss_cases::Labels;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries of a batch that is searched as it is.
const LARGE: usize = 16_000;
/// Pixels of each class and image that are looked at.
const PIXELS: usize = 8;

impl Observation {
    /// The batch itself, or of a large one some pixels of every class, as one row; the value is that of all, and left out.
    pub fn view(&self) -> Cow<'_, Self> {
        match self.is_large() {
            true => Cow::Owned(self.sampled()),
            false => Cow::Borrowed(self),
        }
    }

    /// Whether it has too many entries to be computed of for every hypothesis.
    pub fn is_large(&self) -> bool {
        self.logits.len() > LARGE
    }

    /// How many losses over regions may have their numbers searched.
    pub fn refinable(&self) -> usize {
        self.whole.as_ref().map_or(usize::MAX, |whole| whole.affordable() / 20)
    }

    /// How often the numbers of a loss may be gone through; see `numbers::refine`.
    pub fn rounds(&self, spec: &LossSpec) -> usize {
        let dear = |whole: &Arc<Whole>| whole.affordable() < 4_000;
        if self.whole.as_ref().is_some_and(dear) && !spec.kind().is_additive() { 1 } else { 3 }
    }

    fn sampled(&self) -> Self {
        let rows: Vec<Vec<usize>> = (0..self.images).map(|n| self.pixels_of_every_class(n)).collect();
        let per_image = rows.first().map_or(0, Vec::len);
        let entries: Vec<usize> = (0..self.images)
            .flat_map(|n| (0..self.classes).map(move |c| (n, c)))
            .flat_map(|(n, c)| rows[n].iter().map(move |&p| self.at(n, c, p)))
            .collect();
        let of = |array: &[f64]| -> Vec<f64> { entries.iter().map(|&at| array[at]).collect() };
        let target = match &self.target {
            Labels::Distribution(y) => Labels::Distribution(of(y)),
            Labels::Indices(labels) => {
                let label = |(n, row): (usize, &Vec<usize>)| -> Vec<i64> {
                    row.iter().map(|p| labels[n * self.pixels() + p]).collect()
                };
                Labels::Indices(rows.iter().enumerate().flat_map(label).collect())
            }
        };
        let (logits, gradient) = (of(&self.logits), self.gradient.as_deref().map(of));
        let sample = Arrays::new(self, &[per_image], &logits, &target);
        let whole = Whole::new(self, sample, entries);
        Self {
            name: self.name.clone(),
            spatial: vec![per_image],
            logits,
            gradient,
            target,
            value: None,
            class_weights: self.class_weights.clone(),
            // What is computed in single precision is no better than that.
            epsilon: self.epsilon.max(6e-8),
            whole: Some(Arc::new(whole)),
            ..*self
        }
    }

    /// Pixels of an image, as many of every label as there are of any, as far as it has them; as many of every image.
    fn pixels_of_every_class(&self, n: usize) -> Vec<usize> {
        let wanted = (PIXELS * self.classes).min(self.pixels());
        let mut by_label: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for p in 0..self.pixels() {
            let label = self.labels().map_or(0, |labels| labels[n * self.pixels() + p]);
            by_label.entry(label).or_default().push(p);
        }
        // Far from each other: the golden section never comes back to where it was.
        let spread = |pixels: &Vec<usize>, i: usize| {
            let share = (i as f64 * 0.618_033_988_749_895).fract();
            pixels[(share * pixels.len() as f64) as usize]
        };
        let mut taken = std::collections::BTreeSet::new();
        for i in 0.. {
            for pixels in by_label.values() {
                if taken.len() == wanted {
                    return taken.into_iter().collect();
                }
                taken.insert(spread(pixels, i));
            }
            if i > 50 * wanted {
                break;
            }
        }
        // Small classes leave places to whatever comes first.
        let rest: Vec<usize> = (0..self.pixels()).filter(|p| !taken.contains(p)).collect();
        let missing = wanted - taken.len();
        taken.extend(rest.into_iter().take(missing));
        taken.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::answer;
    use super::super::reading::Reading;
    use super::super::shapes::plain;
    use super::*;
    use segloss::Kind;

    /// The sample of a batch has its rare classes, and a loss over regions the gradient of all pixels there.
    #[test]
    fn a_sample_shows_the_whole() {
        let mut o = Observation::sample(&[2, 3, 40, 50]);
        let Labels::Indices(labels) = &mut o.target else { panic!("indices") };
        labels.iter_mut().enumerate().for_each(|(i, label)| *label = if i % 997 == 0 { 2 } else { 0 });
        o.gradient = Some(vec![0.0; o.logits.len()]);
        let sample = o.sampled();
        assert_eq!(sample.pixels(), 3 * PIXELS);
        let rare = sample.labels().map(|labels| labels.iter().filter(|&&label| label == 2).count());
        assert_eq!(rare, Some(5));
        let of = |o: &Observation, kind| {
            answer(o, Reading::PLAIN, &Reading::PLAIN.of(o), &plain(kind), false).map(|found| found.gradient)
        };
        for kind in [Kind::Dice, Kind::LovaszSoftmax, Kind::CrossEntropy] {
            let (whole, part) = (of(&o, kind).unwrap_or_default(), of(&sample, kind).unwrap_or_default());
            let entries = &sample.whole.as_ref().map(|whole| whole.entries.clone()).unwrap_or_default();
            let most = whole.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
            assert_eq!(part.len(), entries.len());
            for (&at, found) in entries.iter().zip(part) {
                assert!((whole[at] - found).abs() <= 1e-6 * most, "{kind:?}: {} {found}", whole[at]);
            }
        }
    }
}
