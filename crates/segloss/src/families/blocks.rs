//! Sums over pixels with a class each, many pixels side by side: the way of every loss that has a kernel.

use crate::element::Element;
use crate::families::few::{self, Runs};
use crate::families::pixels::{Output, weights};
use crate::kernels::binary::Binary;
use crate::kernels::block::{BlockKernel, PIXELS, PlacesOfClasses, no_class};
use crate::kernels::cross_entropy::{CrossEntropy, Shape};
use crate::kernels::instructions::Kernel;
use crate::kernels::lovasz::{LovaszErrors, PullBack};
use crate::kernels::overlap::{OverlapGradient, OverlapSums};
use crate::kernels::power::Power;
use crate::kernels::room::{Place, Room};
use crate::kernels::vector::Vector;
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

impl<T: Element> Walk<'_, T> {
    /// Σ over the pixels of a tile, its gradient and its map; `factor`: what the weight of a class is multiplied with in the
    /// gradient. `None` where a pixel is of several classes, and
    /// where a logit, a loss or a gradient is no finite number: pixel by pixel it is found out which, and said.
    pub fn sum_blocks(
        &self,
        kernel: BlockLoss,
        denominator: f64,
        factor: impl Fn(usize) -> f64,
        tile: &Tile,
        Output { gradient, map }: &mut Output<'_, T>,
    ) -> Option<Sums> {
        let classes = self.geometry.classes;
        let mut sums = Sums::zero(classes, self.loss.reduction());
        let row = self.plan.row(tile.image);
        match kernel {
            BlockLoss::Softmax(shape) => {
                let (w_loss, w_gradient) =
                    weights(row, denominator, factor, CrossEntropy::<T>::weights(classes));
                let mut kernel = CrossEntropy::new(classes, w_loss, w_gradient, shape);
                self.blocks(tile, 1, gradient, map, AnyKernel::CrossEntropy(&mut kernel))?;
                sums.add_losses(kernel.sums.totals());
            }
            BlockLoss::Sigmoid { power } => {
                let (w_loss, w_gradient) = weights(row, denominator, factor, row.len());
                let mut kernel = Binary {
                    w_loss: &w_loss,
                    w_gradient: &w_gradient,
                    power,
                    sums: PlacesOfClasses::zeros(classes),
                };
                self.blocks(tile, classes, gradient, map, AnyKernel::Binary(&mut kernel))?;
                sums.add_losses(kernel.sums.totals());
            }
        }
        Some(sums)
    }

    /// Hands a tile to a kernel, block by block, with `losses` losses for each pixel. `None` as soon as it does not return
    /// true, and where a pixel is of several classes.
    pub fn blocks(
        &self,
        tile: &Tile,
        losses: usize,
        gradient: &mut TileMut<'_, T>,
        map: &mut TileMut<'_, T>,
        kernel: AnyKernel<'_, '_, T>,
    ) -> Option<()> {
        if self.geometry.classes > usize::from(u16::MAX) || self.instead_of_target.is_some() {
            return None;
        }
        T::blocks(Task { walk: self, tile, losses, gradient, map }, kernel)
    }

    /// Writes the classes of the pixels of an image from number `start` on. `None` if one is of several.
    #[inline(always)]
    pub fn classes(&self, image: usize, start: usize, out: &mut [T]) -> Option<()> {
        let none = T::of(no_class(self.geometry.classes) as f64);
        let flat = image * self.geometry.pixels + start;
        let single = self.geometry.classes == 1 && self.loss.spec().is_sigmoid();
        match self.input.target.values {
            Values::Indices(labels) => labels.read(flat, self.loss.spec().ignore_index, none, out),
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
                *out = if counts { *out } else { none };
            }
        }
        Some(())
    }
}

/// Every kernel.
pub enum AnyKernel<'a, 'k, T> {
    CrossEntropy(&'a mut CrossEntropy<T>),
    Binary(&'a mut Binary<'k, T>),
    OverlapSums(&'a mut OverlapSums<T>),
    OverlapGradient(&'a mut OverlapGradient<'k, T>),
    LovaszErrors(&'a mut LovaszErrors<T>),
    PullBack(&'a mut PullBack<'k, T>),
}

/// A number type whose kernels are compiled: here, once. A generic function would be compiled anew by every crate and
/// every test that computes a loss, and these are long ones, times three instruction sets.
pub trait Compiled: Sized {
    /// Computes a tile.
    fn blocks(task: Task<'_, '_, '_, '_, Self>, kernel: AnyKernel<'_, '_, Self>) -> Option<()>;
}

macro_rules! compiled {
    ($($type:ty),*) => { $(
        impl Compiled for $type {
            fn blocks(task: Task<'_, '_, '_, '_, $type>, kernel: AnyKernel<'_, '_, $type>) -> Option<()> {
                let instructions = task.walk.loss.instructions();
                match kernel {
                    AnyKernel::CrossEntropy(kernel) => {
                        match task.walk.geometry.classes {
                            2 if few::suits(&task, kernel) => instructions.run(Runs::<_, 2> { task, kernel }),
                            3 if few::suits(&task, kernel) => instructions.run(Runs::<_, 3> { task, kernel }),
                            4 if few::suits(&task, kernel) => instructions.run(Runs::<_, 4> { task, kernel }),
                            _ => instructions.run(Blocks { task, kernel }),
                        }
                    }
                    AnyKernel::Binary(kernel) => instructions.run(Blocks { task, kernel }),
                    AnyKernel::OverlapSums(kernel) => instructions.run(Blocks { task, kernel }),
                    AnyKernel::OverlapGradient(kernel) => instructions.run(Blocks { task, kernel }),
                    AnyKernel::LovaszErrors(kernel) => instructions.run(Blocks { task, kernel }),
                    AnyKernel::PullBack(kernel) => instructions.run(Blocks { task, kernel }),
                }
            }
        }
    )* };
}
compiled!(f32, f64);

/// A tile, and where its gradient and map go.
pub struct Task<'a, 'b, 'c, 'd, T> {
    pub(crate) walk: &'a Walk<'b, T>,
    pub(crate) tile: &'a Tile,
    /// Losses of a pixel.
    losses: usize,
    pub(crate) gradient: &'a mut TileMut<'c, T>,
    pub(crate) map: &'a mut TileMut<'d, T>,
}

/// A tile, block by block.
struct Blocks<'a, 'b, 'c, 'd, T, K> {
    task: Task<'a, 'b, 'c, 'd, T>,
    kernel: &'a mut K,
}

impl<T: Element, K: BlockKernel<T>> Kernel<T> for Blocks<'_, '_, '_, '_, T, K> {
    type Output = Option<()>;

    #[inline(always)]
    fn run<V: Vector<Real = T>>(self) -> Option<()> {
        let done = self.blocks::<V>();
        // However it ended: what passes the caches is to have arrived before anybody reads or overwrites it.
        V::fence();
        done
    }
}

impl<T: Element, K: BlockKernel<T>> Blocks<'_, '_, '_, '_, T, K> {
    #[inline(always)]
    fn blocks<V: Vector<Real = T>>(self) -> Option<()> {
        let Self { task: Task { walk, tile, losses, gradient, map }, kernel } = self;
        let Walk { input, geometry, .. } = *walk;
        let shift = walk.plan.shift(tile.image);
        let shift: Vec<T> = shift.into_iter().flatten().map(|&s| T::of(s)).collect();
        let mut room = Room::new::<V, K>(geometry, losses);
        for start in (0..tile.pixels.len()).step_by(PIXELS) {
            let pixels = PIXELS.min(tile.pixels.len() - start);
            let first = tile.pixels.start + start;
            walk.classes(tile.image, first, room.start(pixels))?;
            let map_here = tile.image * geometry.pixels + first;
            room.weigh::<V>(input.weight_map.as_ref().map(|(_, map)| &map[map_here..][..pixels]));
            let place = Place { geometry, offset: geometry.offset(tile.image, first), pixels };
            room.read::<V>(input.logits, place, &shift);
            room.catch_up::<V>(gradient, start);
            let mut ahead = room.ahead::<V>(input.logits, place, gradient, start);
            if !kernel.block::<V>(room.planes(), &mut ahead) {
                return None;
            }
            if !matches!(map, TileMut::Nothing) {
                for (channel, losses) in room.losses(pixels).enumerate() {
                    map.put_class(channel, start, losses);
                }
            }
            room.write::<V>(kernel, gradient, start, pixels);
        }
        room.finish::<V>(gradient, tile.pixels.len());
        Some(())
    }
}
