//! One input of a loss: specification, logits and target, and where each pixel lies in them.

use crate::grid::Grid;
use segloss::{InstructionSet, Layout, LossSpec};
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

impl Case {
    /// A case whose pixels all count as 1, for the best instructions that the machine has.
    pub fn new(
        name: impl Into<String>,
        spec: LossSpec,
        grid: Grid,
        logits: Vec<f64>,
        target: Labels,
    ) -> Self {
        let instructions = InstructionSet::best();
        Self { name: name.into(), spec, grid, logits, target, weight_map: None, instructions }
    }

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

    /// The case with other pixels of its own: image n has those at the places `sources[n]`, as many as all the others.
    pub fn gathered(&self, spatial: &[usize], sources: &[Vec<usize>]) -> Self {
        let mut out = self.clone();
        out.grid.spatial = spatial.to_vec();
        let entries: Vec<(usize, usize)> =
            (out.grid.entries()).map(|(n, p, c)| (out.at(n, c, p), self.at(n, c, sources[n][p]))).collect();
        let of_entries = |from: &[f64]| {
            let mut to = vec![0.0; entries.len()];
            entries.iter().for_each(|&(into, at)| to[into] = from[at]);
            to
        };
        let places: Vec<usize> =
            out.grid.places().map(|(n, p)| n * self.grid.pixels() + sources[n][p]).collect();
        out.logits = of_entries(&self.logits);
        out.target = match &self.target {
            Labels::Indices(labels) => Labels::Indices(places.iter().map(|&at| labels[at]).collect()),
            Labels::Distribution(y) => Labels::Distribution(of_entries(y)),
        };
        out.weight_map = self.weight_map.as_ref().map(|map| places.iter().map(|&at| map[at]).collect());
        out
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
