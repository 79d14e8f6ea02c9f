//! One input of a loss: specification, logits and target, and where each pixel lies in them.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use segloss::{InstructionSet, Layout, LossSpec, Source};
use std::ops::Range;

/// A loss and an input for it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Names the case in reports; together with the run's seed it says how to make it again.
    pub name: String,
    /// The loss.
    pub spec: LossSpec,
    /// The sizes behind the arrays.
    pub grid: Grid,
    /// Laid out as `spec.layout` says.
    pub logits: Vec<f64>,
    /// What the pixels should be.
    pub target: Labels,
    /// m, what each pixel counts for, (N, spatial…); 1 everywhere if there is none.
    pub weight_map: Option<Vec<f64>>,
    /// What the library is to compute it with.
    pub instructions: InstructionSet,
}

/// The target of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// A class for each pixel, (N, spatial…).
    Indices(Vec<i64>),
    /// y for each pixel and class, laid out like the logits: one-hot or soft.
    Distribution(Vec<f64>),
}

/// N images of C classes; the harness's own reading of the two layouts, which judges the library's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// N.
    pub images: usize,
    /// C.
    pub classes: usize,
    /// The spatial axes.
    pub spatial: Vec<usize>,
}

impl Grid {
    /// N images of C classes over the spatial axes.
    pub fn new(images: usize, classes: usize, spatial: &[usize]) -> Self {
        Self { images, classes, spatial: spatial.to_vec() }
    }

    /// Reads the sizes off the shape of an array of logits.
    pub fn from_shape(shape: &[usize], layout: Layout) -> Self {
        match layout {
            Layout::ChannelsFirst => Self::new(shape[0], shape[1], &shape[2..]),
            Layout::ChannelsLast => Self::new(shape[0], shape[shape.len() - 1], &shape[1..shape.len() - 1]),
        }
    }

    /// Pixels of one image.
    pub fn pixels(&self) -> usize {
        self.spatial.iter().product()
    }

    /// Entries of an array of logits.
    pub fn len(&self) -> usize {
        self.images * self.classes * self.pixels()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of logits: (N, C, spatial…) or (N, spatial…, C).
    pub fn shape(&self, layout: Layout) -> Vec<usize> {
        let mut shape = self.pixel_shape();
        let axis = if layout == Layout::ChannelsFirst { 1 } else { shape.len() };
        shape.insert(axis, self.classes);
        shape
    }

    /// The shape of index targets: (N, spatial…).
    pub fn pixel_shape(&self) -> Vec<usize> {
        [&[self.images], self.spatial.as_slice()].concat()
    }

    /// Where class `c` of pixel `p` of image `n` lies.
    pub fn at(&self, layout: Layout, n: usize, c: usize, p: usize) -> usize {
        match layout {
            Layout::ChannelsFirst => (n * self.classes + c) * self.pixels() + p,
            Layout::ChannelsLast => (n * self.pixels() + p) * self.classes + c,
        }
    }

    /// Every (n, p, c), classes fastest.
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (pixels, classes) = (self.pixels(), self.classes);
        (0..self.images)
            .flat_map(move |n| (0..pixels).flat_map(move |p| (0..classes).map(move |c| (n, p, c))))
    }

    /// An array of one layout in the other.
    pub fn relaid<T: Copy + Default>(&self, array: &[T], from: Layout, to: Layout) -> Vec<T> {
        let mut out = vec![T::default(); array.len()];
        for (n, p, c) in self.entries() {
            out[self.at(to, n, c, p)] = array[self.at(from, n, c, p)];
        }
        out
    }
}

impl Case {
    /// The shape of the logits as they lie in memory.
    pub fn shape(&self) -> Vec<usize> {
        self.grid.shape(self.spec.layout)
    }

    /// Where class `c` of pixel `p` of image `n` lies.
    pub fn at(&self, n: usize, c: usize, p: usize) -> usize {
        self.grid.at(self.spec.layout, n, c, p)
    }

    /// Whether a pixel is ignored.
    pub fn is_ignored(&self, n: usize, p: usize) -> bool {
        match &self.target {
            Labels::Indices(labels) => Some(labels[n * self.grid.pixels() + p]) == self.spec.ignore_index,
            Labels::Distribution(_) => false,
        }
    }

    /// The target y_c of a pixel. A label with a single channel is that channel's 0 or 1.
    pub fn target(&self, n: usize, p: usize, c: usize) -> f64 {
        match &self.target {
            Labels::Distribution(y) => y[self.at(n, c, p)],
            Labels::Indices(labels) => {
                let class = if self.grid.classes == 1 { 1 } else { c as i64 };
                f64::from(u8::from(labels[n * self.grid.pixels() + p] == class))
            }
        }
    }

    /// m, what a pixel counts for.
    pub fn mass(&self, n: usize, p: usize) -> f64 {
        self.weight_map.as_ref().map_or(1.0, |map| map[n * self.grid.pixels() + p])
    }

    /// The same case, each pixel with a weight of its own: quarters from 0 to 2, one in nine of them 0, but not
    /// the first.
    #[must_use]
    pub fn with_drawn_map(mut self, seed: u64) -> Self {
        let mut rng = generator(seed, &format!("map of {}", self.name));
        let pixels = self.grid.images * self.grid.pixels();
        let mut map: Vec<f64> = (0..pixels).map(|_| 0.25 * f64::from(rng.random_range(0..=8u8))).collect();
        map[0] = f64::max(map[0], 0.25);
        self.weight_map = Some(map);
        self
    }

    /// The same case with its arrays in another layout.
    pub fn relaid(&self, to: Layout) -> Self {
        let from = self.spec.layout;
        let mut case = self.clone();
        case.spec.layout = to;
        case.logits = self.grid.relaid(&self.logits, from, to);
        if let Labels::Distribution(y) = &self.target {
            case.target = Labels::Distribution(self.grid.relaid(y, from, to));
        }
        case
    }

    /// Some images of the case as a case of their own.
    pub fn images(&self, range: Range<usize>) -> Self {
        let (pixels, classes) = (self.grid.pixels(), self.grid.classes);
        let of = |per: usize| range.start * per..range.end * per;
        let mut part = self.clone();
        part.grid.images = range.len();
        part.logits = self.logits[of(pixels * classes)].to_vec();
        part.target = match &self.target {
            Labels::Indices(labels) => Labels::Indices(labels[of(pixels)].to_vec()),
            Labels::Distribution(y) => Labels::Distribution(y[of(pixels * classes)].to_vec()),
        };
        part.weight_map = self.weight_map.as_ref().map(|map| map[of(pixels)].to_vec());
        part
    }
}

/// A generator for one case: the run's seed, and a stream of its own for each name.
pub fn generator(seed: u64, name: &str) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // FNV-1a: a fixed, portable hash of the name.
    let stream = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    rng.set_stream(stream);
    rng
}

/// How a target is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// Labels.
    Indices,
    /// Labels, written as a distribution.
    OneHot,
    /// Several classes share a pixel; in binary kinds, any number in [0, 1].
    Soft,
}

impl TargetForm {
    /// All forms.
    pub const ALL: [Self; 3] = [Self::Indices, Self::OneHot, Self::Soft];
}

/// The share of each class, rare ones last: 1, 1/2, 1/4, …
fn draw_class(rng: &mut ChaCha8Rng, classes: usize) -> i64 {
    let total = 2.0 - 0.5f64.powi(classes as i32 - 1);
    let mut left = rng.random::<f64>() * total;
    for class in 0..classes {
        left -= 0.5f64.powi(class as i32);
        if left < 0.0 {
            return class as i64;
        }
    }
    classes as i64 - 1
}

/// Draws a case: logits uniform in ±`spread` and f32-exact, unbalanced labels, about a seventh of them
/// ignored where the specification ignores an index. Every class occurs in the first image if it fits.
pub fn draw(seed: u64, name: &str, spec: LossSpec, grid: Grid, form: TargetForm, spread: f64) -> Case {
    let mut rng = generator(seed, name);
    let logits =
        (0..grid.len()).map(|_| f64::from((rng.random::<f64>() * 2.0 * spread - spread) as f32)).collect();
    let target = Labels::Indices(Vec::new());
    let mut case = Case {
        name: name.to_owned(),
        spec,
        logits,
        target,
        grid,
        weight_map: None,
        instructions: InstructionSet::best(),
    };
    let classes = case.grid.classes;
    let labels: Vec<i64> = (0..case.grid.images * case.grid.pixels())
        .map(|pixel| {
            if pixel < classes.max(2) {
                return pixel as i64;
            }
            let class = draw_class(&mut rng, classes.max(2));
            match case.spec.ignore_index {
                Some(ignored) if form == TargetForm::Indices && rng.random::<f64>() < 1.0 / 7.0 => ignored,
                _ => class,
            }
        })
        .collect();
    case.target = Labels::Indices(labels);
    mistake_first(&mut case);
    match form {
        TargetForm::Indices => {}
        TargetForm::OneHot => case.target = Labels::Distribution(distribution(&case)),
        TargetForm::Soft => case.target = Labels::Distribution(softened(&case, &mut rng)),
    }
    if needs_map(&case.spec) { case.with_drawn_map(seed) } else { case }
}

/// Makes the first pixel wrong. A batch in which all is right has a loss of next to nothing, and next to it
/// every rounding is large.
fn mistake_first(case: &mut Case) {
    let places: Vec<usize> = (0..case.grid.classes).map(|c| case.at(0, c, 0)).collect();
    let own = places[0];
    if case.grid.classes == 1 {
        // Its label is 0.
        case.logits[own] = case.logits[own].abs();
        return;
    }
    let lowest = places.into_iter().min_by(|&a, &b| case.logits[a].total_cmp(&case.logits[b]));
    case.logits.swap(own, lowest.unwrap_or(own));
}

/// Whether the specification, or a term of it, cannot do without a weight for each pixel.
fn needs_map(spec: &LossSpec) -> bool {
    spec.weights.source == Source::Map || spec.terms().iter().any(|term| needs_map(&term.loss))
}

/// The target of a case as a distribution, laid out like its logits; all zero where it is ignored.
pub fn distribution(case: &Case) -> Vec<f64> {
    let mut y = vec![0.0; case.grid.len()];
    for (n, p, c) in case.grid.entries() {
        y[case.at(n, c, p)] = if case.is_ignored(n, p) { 0.0 } else { case.target(n, p, c) };
    }
    y
}

/// Moves a drawn part of each pixel's mass, in sixty-fourths, to another class.
fn softened(case: &Case, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut y = distribution(case);
    let classes = case.grid.classes;
    for n in 0..case.grid.images {
        for p in 0..case.grid.pixels() {
            let part = f64::from(rng.random_range(0..=32u8)) / 64.0;
            if classes == 1 {
                let only = case.at(n, 0, p);
                y[only] += if y[only] > 0.0 { -part } else { part };
                continue;
            }
            let (from, to) = (rng.random_range(0..classes), rng.random_range(0..classes));
            let (from, to) = (case.at(n, from, p), case.at(n, to, p));
            let moved = part.min(y[from]);
            y[from] -= moved;
            y[to] += moved;
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_replays_from_its_seed_and_name() {
        let make = |seed, name| {
            draw(seed, name, LossSpec::default(), Grid::new(2, 3, &[4, 2]), TargetForm::Soft, 4.0)
        };
        assert_eq!(make(1, "a").logits, make(1, "a").logits);
        assert_eq!(make(1, "a").target, make(1, "a").target);
        assert_ne!(make(1, "a").logits, make(2, "a").logits);
        assert_ne!(make(1, "a").logits, make(1, "b").logits);
    }

    #[test]
    fn relaying_twice_is_nothing() {
        let case = draw(1, "a", LossSpec::default(), Grid::new(2, 3, &[4, 2]), TargetForm::Soft, 4.0);
        let there = case.relaid(Layout::ChannelsLast);
        assert_ne!(there.logits, case.logits);
        let back = there.relaid(Layout::ChannelsFirst);
        assert_eq!((back.logits, back.target), (case.logits, case.target));
    }

    #[test]
    fn soft_targets_are_distributions() {
        let case = draw(1, "a", LossSpec::default(), Grid::new(2, 3, &[4, 2]), TargetForm::Soft, 4.0);
        for (n, p) in (0..2).flat_map(|n| (0..8).map(move |p| (n, p))) {
            assert_eq!((0..3).map(|c| case.target(n, p, c)).sum::<f64>(), 1.0);
        }
    }
}
