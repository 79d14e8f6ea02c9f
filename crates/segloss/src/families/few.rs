//! Cross-entropy of few classes, run by run.

use crate::element::Element;
use crate::families::blocks::Task;
use crate::kernels::block::{Plane, no_class};
use crate::kernels::cross_entropy::CrossEntropy;
use crate::kernels::few::{
    Abreast, Few, Known, PlaneGradient, PlaneLineGradient, PlaneLogits, RUN, RowGradient, RowLogits,
};
use crate::kernels::instructions::Kernel;
use crate::kernels::stream::Stream;
use crate::kernels::vector::Vector;
use crate::layout::Layout;
use crate::tiles::TileMut;
use crate::walk::Walk;

/// A tile of C classes.
pub(crate) struct FewBlocks<'a, 'b, 'c, 'd, T, const C: usize> {
    pub task: Task<'a, 'b, 'c, 'd, T>,
    pub kernel: &'a mut CrossEntropy<T>,
}

impl<T: Element, const C: usize> Kernel<T> for FewBlocks<'_, '_, '_, '_, T, C>
where
    Known: Abreast<C>,
{
    type Output = Option<()>;

    #[inline(always)]
    fn run<V: Vector<Real = T>>(self) -> Option<()> {
        let done = if C == 2 { self.runs::<V, 4>() } else { self.runs::<V, 2>() };
        V::fence();
        done
    }
}

impl<T: Element, const C: usize> FewBlocks<'_, '_, '_, '_, T, C>
where
    Known: Abreast<C>,
{
    /// N registers at a time.
    #[inline(always)]
    fn runs<V: Vector<Real = T>, const N: usize>(self) -> Option<()> {
        let Self { task: Task { walk, tile, gradient, .. }, kernel } = self;
        let Walk { input, geometry, .. } = *walk;
        let (zero, none) = (T::zero(), T::of(no_class(C) as f64));
        let mut few = Few::<V, C>::new(*kernel.w_loss.first_chunk()?, *kernel.w_gradient.first_chunk()?);
        let mut stream = Stream::if_better::<V>(geometry);
        let (mut class, mut m) = (Plane::of(none), Plane::of(T::one()));
        for start in (0..tile.pixels.len()).step_by(RUN) {
            let pixels = RUN.min(tile.pixels.len() - start);
            let is_whole = pixels == RUN;
            let first = tile.pixels.start + start;
            if !is_whole {
                class.fill(none);
            }
            walk.classes(tile.image, first, &mut class[..pixels])?;
            if let Some((_, map)) = &input.weight_map {
                let map = &map[tile.image * geometry.pixels + first..];
                for ((m, &weight), &class) in m.iter_mut().zip(&map[..pixels]).zip(&*class) {
                    // In a map, what does not count may be anything.
                    *m = if class == none { zero } else { weight };
                }
            }
            let classes = (&class, &m);
            let logits = &input.logits[geometry.offset(tile.image, first)..];
            match geometry.layout {
                Layout::ChannelsFirst if is_whole => {
                    let plane = |c: usize| logits[c * geometry.pixels..].first_chunk::<RUN>();
                    let mut planes = [plane(0)?; C];
                    for c in 1..C {
                        planes[c] = plane(c)?;
                    }
                    let logits = PlaneLogits::new(planes);
                    match (&mut *gradient, &mut stream) {
                        (TileMut::Planes(planes), Some(stream)) if start > 0 => {
                            let to = Known::lines(planes.first_chunk_mut()?, start, stream);
                            few.run::<N>(RUN, classes, logits, PlaneLineGradient::new(to));
                        }
                        (TileMut::Planes(planes), stream) => {
                            let to = Known::runs(planes.first_chunk_mut()?, start);
                            few.run::<N>(RUN, classes, logits, PlaneGradient(to));
                            if let Some(stream) = stream {
                                stream.take_up(gradient, RUN);
                            }
                        }
                        _ => {
                            let mut nowhere = [Plane::of(zero); C];
                            few.run::<N>(RUN, classes, logits, PlaneGradient(Known::spare(&mut nowhere)));
                        }
                    }
                }
                Layout::ChannelsFirst => {
                    let (mut z, mut g) = ([Plane::of(zero); C], [Plane::of(zero); C]);
                    for (z, plane) in z.iter_mut().zip(logits.chunks(geometry.pixels)) {
                        z[..pixels].copy_from_slice(&plane[..pixels]);
                    }
                    let mut planes = [&*z[0]; C];
                    for (plane, z) in planes.iter_mut().zip(&z) {
                        *plane = z;
                    }
                    few.run::<N>(pixels, classes, PlaneLogits::new(planes), PlaneGradient(Known::spare(&mut g)));
                    if let Some(stream) = &mut stream {
                        stream.flush(gradient, start);
                    }
                    for (c, g) in g.iter().enumerate() {
                        gradient.put_class(c, start, &g[..pixels]);
                    }
                }
                Layout::ChannelsLast if is_whole => {
                    let logits = RowLogits(logits.as_chunks().0.first_chunk()?);
                    if let TileMut::Rows { values, .. } = gradient {
                        let to = values[start * C..].as_chunks_mut().0.first_chunk_mut()?;
                        few.run::<N>(RUN, classes, logits, RowGradient(to));
                    } else {
                        few.run::<N>(RUN, classes, logits, RowGradient(&mut [[zero; C]; RUN]));
                    }
                }
                Layout::ChannelsLast => {
                    let (mut z, mut g) = ([[zero; C]; RUN], [[zero; C]; RUN]);
                    z[..pixels].copy_from_slice(&logits.as_chunks().0[..pixels]);
                    few.run::<N>(pixels, classes, RowLogits(&z), RowGradient(&mut g));
                    if let TileMut::Rows { values, .. } = gradient {
                        values[start * C..][..pixels * C].copy_from_slice(g[..pixels].as_flattened());
                    }
                }
            }
        }
        if let (Some(stream), 0) = (&mut stream, tile.pixels.len() % RUN) {
            stream.flush(gradient, tile.pixels.len());
        }
        few.finish(&mut kernel.sums).then_some(())
    }
}
