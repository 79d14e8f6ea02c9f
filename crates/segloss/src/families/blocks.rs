//! Sums over pixels with a class each, block by block: the way of every loss that has a kernel.

use crate::census::positive_class;
use crate::element::Element;
use crate::families::pixels::{Output, weights};
use crate::input::PixelLabel;
use crate::kernels::block::{Block, LANES, PIXELS};
use crate::kernels::cross_entropy::CrossEntropy;
use crate::sums::Sums;
use crate::tiles::{Tile, TileMut};
use crate::walk::Walk;

/// The losses that have a kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BlockLoss {
    CrossEntropy,
}

/// The class of a pixel that does not count.
const IGNORED: usize = usize::MAX;

impl<T: Element> Walk<'_, T> {
    /// Σ over the pixels of a tile, its gradient and its map. `None` where a pixel is of several classes, and
    /// where a logit, a loss or a gradient is no finite number: pixel by pixel it is found out which, and said.
    pub fn sum_blocks(
        &self,
        kernel: BlockLoss,
        denominator: f64,
        tile: &Tile,
        Output { gradient, map }: &mut Output<'_, T>,
    ) -> Option<Sums> {
        let classes = self.geometry.classes;
        let spec = self.loss.spec();
        let (w_loss, w_gradient): (Vec<T>, Vec<T>) = weights(self.plan.row(tile.image), denominator, |_| 1.0);
        let shift: Vec<T> = self.plan.shift(tile.image).into_iter().flatten().map(|&s| T::of(s)).collect();

        let mut sums = Sums::zero(classes, self.loss.denominator());
        let mut block = Block::new(classes);
        let mut class_of = [IGNORED; PIXELS];
        for start in tile.pixels.clone().step_by(PIXELS) {
            let pixels = PIXELS.min(tile.pixels.end - start);
            block.clear(pixels, classes);
            for (at, class_of) in class_of[..pixels].iter_mut().enumerate() {
                let flat = tile.image * self.geometry.pixels + start + at;
                *class_of = IGNORED;
                let class = match self.input.label(flat, spec.ignore_index) {
                    PixelLabel::Ignored => None,
                    // The census has refused labels that name no class.
                    PixelLabel::Index(label) => positive_class(label, classes, false).flatten(),
                    // A row that is one-hot is its index, to the bit; any other has no kernel.
                    PixelLabel::Distribution(rows) => {
                        Some(self.geometry.one_hot(rows, tile.image, start + at)?)
                    }
                };
                if let Some(class) = class {
                    let m = self.input.weight(flat).unwrap_or(T::one());
                    block.set(at, class, w_loss[class] * m, w_gradient[class] * m);
                    *class_of = class;
                }
            }
            block.read(self.input.logits, self.geometry, tile.image, start, pixels);
            if !shift.is_empty() {
                block.shift(&shift);
            }
            // What does not count may be anything.
            if !block.logits_are_finite() && !block.silence() {
                return None;
            }
            match kernel {
                BlockLoss::CrossEntropy => self.loss.instructions().run(CrossEntropy(&mut block)),
            }
            if !block.results_are_finite() {
                return None;
            }
            let at = start - tile.pixels.start;
            block.write(gradient, at, pixels);
            let losses = block.loss.as_flattened();
            if !matches!(map, TileMut::Nothing) {
                (0..pixels).for_each(|i| map.put(at + i, &losses[i..=i]));
            }
            for (&class, loss) in class_of[..pixels].iter().zip(losses) {
                if let Some(sum) = sums.per_class.get_mut(class) {
                    sum.loss += loss.wide();
                }
            }
        }
        sums.numerator = sums.per_class.iter().map(|class| class.loss).sum();
        Some(sums)
    }
}

const _: () = assert!(PIXELS % LANES == 0);
