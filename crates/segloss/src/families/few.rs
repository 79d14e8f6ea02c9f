//! Plain cross-entropy of few classes, run by run: what [`blocks`](super::blocks) does of any loss that has a kernel.

use crate::element::Element;
use crate::families::blocks::Task;
use crate::kernels::block::{Plane, no_class};
use crate::kernels::cross_entropy::CrossEntropy;
use crate::kernels::few::Few;
use crate::kernels::instructions::{InstructionSet, Kernel};
use crate::kernels::run::{RUN, RunOfPlanes, RunOfRows};
use crate::kernels::stream::whole_block;
use crate::kernels::vector::Vector;
use crate::layout::Layout;
use crate::tiles::TileMut;
use crate::walk::Walk;

/// A tile of C classes, run by run.
pub(crate) struct Runs<'a, 'b, 'c, 'd, T, const C: usize> {
    pub task: Task<'a, 'b, 'c, 'd, T>,
    pub kernel: &'a mut CrossEntropy<T>,
}

/// Whether nothing is asked of a tile but its value and gradient, and registers hold the pixels of its two to four classes.
pub(crate) fn suits<T: Element>(task: &Task<'_, '_, '_, '_, T>, kernel: &CrossEntropy<T>) -> bool {
    let are_enough =
        task.walk.geometry.classes == 2 || task.walk.loss.instructions() != InstructionSet::Portable;
    are_enough
        && kernel.is_plain()
        && matches!(task.map, TileMut::Nothing)
        && task.walk.plan.shift(task.tile.image).is_none()
}

impl<T: Element, const C: usize> Kernel<T> for Runs<'_, '_, '_, '_, T, C> {
    type Output = Option<()>;

    #[inline(always)]
    fn run<V: Vector<Real = T>>(self) -> Option<()> {
        // As many as there are registers for.
        if C == 2 { self.runs::<V, 4>() } else { self.runs::<V, 2>() }
    }
}

impl<T: Element, const C: usize> Runs<'_, '_, '_, '_, T, C> {
    /// N registers at a time.
    #[inline(always)]
    fn runs<V: Vector<Real = T>, const N: usize>(self) -> Option<()> {
        let Self { task: Task { walk, tile, gradient, .. }, kernel } = self;
        let Walk { input, geometry, .. } = *walk;
        let (zero, none) = (T::zero(), T::of(no_class(C) as f64));
        let mut few = Few::<V, C>::new(*kernel.w_loss.first_chunk()?, *kernel.w_gradient.first_chunk()?);
        let (mut class, mut m) = (Plane::of(none), Plane::of(T::one()));
        for start in (0..tile.pixels.len()).step_by(RUN) {
            let pixels = RUN.min(tile.pixels.len() - start);
            let is_whole = pixels == RUN;
            let first = tile.pixels.start + start;
            walk.classes(tile.image, first, &mut class[..pixels])?;
            class[pixels..].fill(none);
            if let Some((_, map)) = &input.weight_map {
                let map = &map[tile.image * geometry.pixels + first..];
                for ((m, &weight), &class) in m.iter_mut().zip(&map[..pixels]).zip(&*class) {
                    // In a map, what does not count may be anything.
                    *m = if class == none { zero } else { weight };
                }
            }
            let counted = (&class, &m);
            let logits = &input.logits[geometry.offset(tile.image, first)..];
            match geometry.layout {
                Layout::ChannelsFirst if is_whole => {
                    let plane = |c: usize| logits[c * geometry.pixels..].first_chunk::<RUN>();
                    let mut planes = [plane(0)?; C];
                    for (c, z) in planes.iter_mut().enumerate() {
                        *z = plane(c)?;
                    }
                    let logits = RunOfPlanes(planes);
                    if let TileMut::Planes(planes) = gradient {
                        let planes: &mut [&mut [T]; C] = planes.first_chunk_mut()?;
                        let planes = planes.each_mut().map(|plane| whole_block(plane, start));
                        few.run::<N>(RUN, counted, logits, RunOfPlanes(planes));
                    } else {
                        few.run::<N>(RUN, counted, logits, RunOfPlanes([[zero; RUN]; C].each_mut()));
                    }
                }
                Layout::ChannelsFirst => {
                    let (mut z, mut g) = ([[zero; RUN]; C], [[zero; RUN]; C]);
                    for (z, plane) in z.iter_mut().zip(logits.chunks(geometry.pixels)) {
                        z[..pixels].copy_from_slice(&plane[..pixels]);
                    }
                    few.run::<N>(pixels, counted, RunOfPlanes(z.each_ref()), RunOfPlanes(g.each_mut()));
                    for (c, g) in g.iter().enumerate() {
                        gradient.put_class(c, start, &g[..pixels]);
                    }
                }
                Layout::ChannelsLast if is_whole => {
                    let logits = RunOfRows(logits.as_chunks().0.first_chunk()?);
                    if let TileMut::Rows { values, .. } = gradient {
                        let (rows, _) = values[start * C..].as_chunks_mut();
                        few.run::<N>(RUN, counted, logits, RunOfRows(rows.first_chunk_mut()?));
                    } else {
                        few.run::<N>(RUN, counted, logits, RunOfRows(&mut [[zero; C]; RUN]));
                    }
                }
                Layout::ChannelsLast => {
                    let (mut z, mut g) = ([[zero; C]; RUN], [[zero; C]; RUN]);
                    z[..pixels].copy_from_slice(&logits.as_chunks().0[..pixels]);
                    few.run::<N>(pixels, counted, RunOfRows(&z), RunOfRows(&mut g));
                    if let TileMut::Rows { values, .. } = gradient {
                        values[start * C..][..pixels * C].copy_from_slice(g[..pixels].as_flattened());
                    }
                }
            }
        }
        few.finish(&mut kernel.sums).then_some(())
    }
}
