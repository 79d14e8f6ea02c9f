//! Inputs that drawing labels pixel by pixel rarely makes.

use crate::case::{Case, Labels};
use segloss::Kind;

/// What rarely comes of drawing labels pixel by pixel.
#[derive(Clone, Copy)]
pub(crate) enum Oddity {
    None,
    AbsentClass,
    Ties,
    Mirrored,
    Void,
}

impl Oddity {
    /// A third of the cases stay as they were drawn.
    pub(crate) const SHARES: [Self; 6] =
        [Self::None, Self::None, Self::AbsentClass, Self::Ties, Self::Mirrored, Self::Void];

    pub(crate) fn apply(self, case: &mut Case) {
        match self {
            Self::None => {}
            Self::AbsentClass => case.hand_last_class_over(),
            Self::Ties => case.tie_pixels(),
            Self::Mirrored => case.mirror_pixels(),
            Self::Void => case.ignore_last_image(),
        }
    }
}

impl Case {
    /// Hands the last class's pixels, and shares of pixels, to the first.
    fn hand_last_class_over(&mut self) {
        let last = self.grid.classes.max(2) - 1;
        let places: Vec<(usize, Option<usize>)> = self
            .grid
            .places()
            .map(|(n, p)| match self.grid.classes {
                1 => (self.at(n, 0, p), None),
                _ => (self.at(n, last, p), Some(self.at(n, 0, p))),
            })
            .collect();
        match &mut self.target {
            Labels::Indices(labels) => {
                labels.iter_mut().filter(|label| **label == last as i64).for_each(|label| *label = 0);
            }
            Labels::Distribution(y) => {
                for (from, to) in places {
                    let share = std::mem::take(&mut y[from]);
                    if let Some(to) = to {
                        y[to] = (y[to] + share).min(1.0);
                    }
                }
            }
        }
    }

    /// Makes pixels equal, two by two, logits and label: ties for whatever sorts.
    fn tie_pixels(&mut self) {
        let pixels = self.grid.pixels();
        for (n, p, c) in self.grid.entries().filter(|&(_, p, _)| p % 2 == 1) {
            let (to, from) = (self.at(n, c, p), self.at(n, c, p - 1));
            self.logits[to] = self.logits[from];
            match &mut self.target {
                Labels::Indices(labels) => labels[n * pixels + p] = labels[n * pixels + p - 1],
                Labels::Distribution(y) => y[to] = y[from],
            }
        }
    }

    /// Turns every other pixel of a hinge into its neighbour's opposite, its logits with the other sign and the
    /// next class: what is positive for one is negative for the other, and as wrong. The first errors are 0.
    /// (Under softmax such ties are none: 1 − p and another pixel's p may differ in the last place.)
    fn mirror_pixels(&mut self) {
        if self.spec.kind() != Kind::LovaszHinge {
            return;
        }
        let (classes, pixels) = (self.grid.classes, self.grid.pixels());
        let first = self.at(0, 0, 0);
        self.logits[first] = if self.target(0, 0, 0) > 0.0 { 1.0 } else { -1.0 };
        for (n, p, c) in self.grid.entries().filter(|&(_, p, _)| p % 2 == 1) {
            let (from, to) = (self.at(n, c, p - 1), self.at(n, c, p));
            self.logits[to] = -self.logits[from];
            let next = |class: usize| if classes > 1 { (class + 1) % classes } else { 1 - class };
            let of_next = self.at(n, (c + 1) % classes, p);
            match &mut self.target {
                Labels::Indices(labels) => {
                    let label = labels[n * pixels + p - 1];
                    let class = usize::try_from(label).ok().filter(|&class| class < classes.max(2));
                    labels[n * pixels + p] = class.map_or(label, |class| next(class) as i64);
                }
                Labels::Distribution(y) => y[of_next] = if classes > 1 { y[from] } else { 1.0 - y[from] },
            }
        }
    }

    /// Ignores the last image, where there is another and labels can say so.
    fn ignore_last_image(&mut self) {
        let pixels = self.grid.pixels();
        if let (Labels::Indices(labels), Some(ignored), 2..) =
            (&mut self.target, self.spec.ignore_index, self.grid.images)
        {
            let last = labels.len() - pixels;
            labels[last..].fill(ignored);
        }
    }
}
