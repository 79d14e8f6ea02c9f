//! Sums over pixels with a class each, many pixels side by side: the way of every loss that has a kernel.

use crate::element::Element;
use crate::families::pixels::{Output, weights};
use crate::kernels::binary::Binary;
use crate::kernels::block::{Block, LANES, NO_CLASS, Planes, Run, runs};
use crate::kernels::cross_entropy::{CrossEntropy, Shape};
use crate::kernels::power::Power;
use crate::sums::Sums;
use crate::target::Values;
use crate::tiles::{Tile, TileMut};
use crate::walk::Walk;

/// The losses that have a kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BlockLoss {
    /// Softmax cross-entropy and its kin.
    Softmax(Shape),
    /// Sigmoid cross-entropy, or focal loss.
    Sigmoid { power: Power },
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
        let (w_loss, w_gradient): (Vec<T>, Vec<T>) = weights(self.plan.row(tile.image), denominator, |_| 1.0);
        let (w_loss, w_gradient) = (w_loss.as_slice(), w_gradient.as_slice());
        let instructions = self.loss.instructions();

        let pairs = matches!(kernel, BlockLoss::Sigmoid { .. });
        let mut sums = Sums::zero(classes, self.loss.denominator());
        // By class; of a softmax first the pixels that do not count.
        let mut banks = vec![[0.0; BANKS]; 1 + classes];
        let mut lanes = vec![[0.0; LANES]; if pairs { classes } else { 0 }];
        let kernel = |planes: Planes<'_, '_, T>| match kernel {
            BlockLoss::Softmax(shape) => instructions.run(CrossEntropy { planes, w_loss, w_gradient, shape }),
            BlockLoss::Sigmoid { power } => {
                let sums = &mut lanes;
                instructions.run(Binary { planes, w_loss, w_gradient, power, sums })
            }
        };
        self.blocks(tile, if pairs { classes } else { 1 }, gradient, kernel, |block, run| {
            for (channel, losses) in block.losses(run).enumerate() {
                map.put_class(channel, run.start, losses);
            }
            if !pairs && let Some(losses) = block.losses(run).next() {
                for (classes, losses) in block.classes(run).chunks(BANKS).zip(losses.chunks(BANKS)) {
                    for (bank, (&class, loss)) in classes.iter().zip(losses).enumerate() {
                        banks[(T::class(class) + 1) as usize][bank] += loss.wide();
                    }
                }
            }
        })?;
        let each = sums.per_class.iter_mut();
        match pairs {
            true => each.zip(&lanes).for_each(|(sum, lanes)| sum.loss = lanes.iter().sum()),
            false => each.zip(&banks[1..]).for_each(|(sum, banks)| sum.loss = banks.iter().sum()),
        }
        sums.numerator = sums.per_class.iter().map(|class| class.loss).sum();
        Some(sums)
    }

    /// Hands the planes of a tile to a kernel, run by run, with `losses` losses for each pixel. `None` as soon as it
    /// does not return true, and where a pixel is of several classes.
    pub fn blocks(
        &self,
        tile: &Tile,
        losses: usize,
        out: &mut TileMut<'_, T>,
        mut kernel: impl FnMut(Planes<'_, '_, T>) -> bool,
        mut done: impl FnMut(&Block<T>, Run),
    ) -> Option<()> {
        let classes = self.geometry.classes;
        if classes > usize::from(u16::MAX) || self.instead_of_target.is_some() {
            return None;
        }
        let shift: Vec<T> = self.plan.shift(tile.image).into_iter().flatten().map(|&s| T::of(s)).collect();
        let mut block = Block::new(classes, losses);
        // The shift is taken from a copy.
        let in_planes = matches!(out, TileMut::Planes(_)) && shift.is_empty();
        for run in runs(tile.pixels.len(), in_planes) {
            let start = tile.pixels.start + run.start;
            let (class, m) = block.start(run);
            self.classes(tile.image, start, class)?;
            if let Some((_, map)) = &self.input.weight_map {
                m.copy_from_slice(&map[tile.image * self.geometry.pixels + start..][..run.pixels]);
            }
            let place = (self.geometry, self.geometry.offset(tile.image, start));
            if !block.with(run, self.input.logits, place, &shift, out, &mut kernel) {
                return None;
            }
            done(&block, run);
        }
        Some(())
    }

    /// Writes the classes of the pixels of an image from number `start` on. `None` if one is of several.
    fn classes(&self, image: usize, start: usize, out: &mut [T]) -> Option<()> {
        let flat = image * self.geometry.pixels + start;
        let single = self.geometry.classes == 1 && self.loss.spec().is_sigmoid();
        match self.input.target.values {
            Values::Indices(labels) => labels.read(flat, self.loss.spec().ignore_index, T::of(NO_CLASS), out),
            // A row that is one-hot is its index, to the bit; any other has no kernel.
            Values::Distribution(rows) => {
                for (at, out) in out.iter_mut().enumerate() {
                    if self.input.is_masked(flat + at) {
                        continue;
                    }
                    // A single channel has no other that could be 1 instead.
                    let class = match rows[self.geometry.offset(image, start + at)] {
                        y if single && y == T::zero() => 0,
                        y if single && y == T::one() => 1,
                        _ if single => return None,
                        _ => self.geometry.one_hot(rows, image, start + at)?,
                    };
                    *out = T::of(class as f64);
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
