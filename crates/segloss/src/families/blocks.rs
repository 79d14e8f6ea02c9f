//! Sums over pixels with a class each, block by block: the way of every loss that has a kernel.

use crate::element::Element;
use crate::families::pixels::{Output, weights};
use crate::kernels::block::{Block, NO_CLASS, PIXELS};
use crate::kernels::cross_entropy::CrossEntropy;
use crate::sums::Sums;
use crate::target::Values;
use crate::tiles::Tile;
use crate::walk::Walk;

/// The losses that have a kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BlockLoss {
    CrossEntropy,
}

/// Neighbouring pixels are mostly of one class: with a sum of its own for each of eight, no addition waits for another.
const BANKS: usize = 8;

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
        if classes > usize::from(u16::MAX) {
            return None;
        }
        let (w_loss, w_gradient): (Vec<T>, Vec<T>) = weights(self.plan.row(tile.image), denominator, |_| 1.0);
        let shift: Vec<T> = self.plan.shift(tile.image).into_iter().flatten().map(|&s| T::of(s)).collect();

        let mut sums = Sums::zero(classes, self.loss.denominator());
        // The first is of the pixels that do not count.
        let mut partial = vec![[0.0; BANKS]; 1 + classes];
        let mut block = Block::new(classes);
        for start in tile.pixels.clone().step_by(PIXELS) {
            let pixels = PIXELS.min(tile.pixels.end - start);
            let (class, m) = block.start(pixels);
            self.classes(tile.image, start, class)?;
            if let Some((_, map)) = &self.input.weight_map {
                m.copy_from_slice(&map[tile.image * self.geometry.pixels + start..][..pixels]);
            }
            block.read(self.input.logits, self.geometry, tile.image, start, pixels);
            if !shift.is_empty() {
                block.shift(&shift);
            }
            let is_finite = match kernel {
                BlockLoss::CrossEntropy => self.loss.instructions().run(CrossEntropy {
                    block: &mut block,
                    w_loss: &w_loss,
                    w_gradient: &w_gradient,
                }),
            };
            if !is_finite {
                return None;
            }
            let at = start - tile.pixels.start;
            block.write(gradient, at, pixels);
            let (classes, losses) = block.losses(pixels);
            map.put_all(at, losses);
            for (eight, losses) in classes.chunks(BANKS).zip(losses.chunks(BANKS)) {
                for (bank, (class, loss)) in eight.iter().zip(losses).enumerate() {
                    partial[(class.class() + 1) as usize][bank] += loss.wide();
                }
            }
        }
        for (sum, partial) in sums.per_class.iter_mut().zip(&partial[1..]) {
            sum.loss = partial.iter().sum();
            sums.numerator += sum.loss;
        }
        Some(sums)
    }

    /// Writes the classes of the pixels of an image from number `start` on. `None` if one is of several.
    fn classes(&self, image: usize, start: usize, out: &mut [T]) -> Option<()> {
        let flat = image * self.geometry.pixels + start;
        match self.input.target.values {
            Values::Indices(labels) => labels.read(flat, self.loss.spec().ignore_index, T::of(NO_CLASS), out),
            // A row that is one-hot is its index, to the bit; any other has no kernel.
            Values::Distribution(rows) => {
                for (at, out) in out.iter_mut().enumerate() {
                    if !self.input.is_masked(flat + at) {
                        *out = T::of(self.geometry.one_hot(rows, image, start + at)? as f64);
                    }
                }
            }
            Values::NotContiguous => return None,
        }
        if let Some((_, mask)) = &self.input.mask {
            for (out, &counts) in out.iter_mut().zip(&mask[flat..]) {
                *out = if counts { *out } else { T::of(NO_CLASS) };
            }
        }
        Some(())
    }
}
