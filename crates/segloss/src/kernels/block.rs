//! Pixels as kernels want them: class by class, the pixels side by side.

use crate::element::Element;
use crate::layout::{Geometry, Layout};
use crate::tiles::TileMut;

/// The most pixels that a kernel computes side by side: it is given whole groups of them.
pub(crate) const LANES: usize = 16;

/// Pixels of a block that is copied: logits and gradient of some classes fit the first cache.
const COPIED: usize = 256;

/// The class of a pixel that does not count.
pub(crate) const NO_CLASS: f64 = -1.0;

/// What a kernel reads and writes: whole groups of [`LANES`] pixels.
pub(crate) struct Planes<'a, 'b, T> {
    /// The logits of each class.
    pub z: &'a [&'b [T]],
    /// Out: the gradient of each class.
    pub gradient: &'a mut [&'b mut [T]],
    /// The number of each pixel's class, or [`NO_CLASS`]; a float, as wide as the logits that it decides about.
    pub class: &'a [T],
    /// The weight of each pixel in the map.
    pub m: &'a [T],
    /// Out: the weighted loss of each pixel; of channels that are problems of their own, each channel's after the other.
    pub loss: &'a mut [T],
}

/// A run of pixels of a tile, and the room that it needs.
pub(crate) struct Block<T> {
    class: Vec<T>,
    m: Vec<T>,
    loss: Vec<T>,
    z: Vec<T>,
    gradient: Vec<T>,
    classes: usize,
    /// Losses of a pixel.
    losses: usize,
}

/// Pixels of a tile, by their numbers in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub start: usize,
    pub pixels: usize,
    /// Whether they are copied: their classes do not lie in planes, or they are no whole groups.
    pub copied: bool,
}

/// Cuts a tile into runs: where its classes lie in planes, all whole groups are one, and are not copied.
pub(crate) fn runs(pixels: usize, in_planes: bool) -> impl Iterator<Item = Run> {
    let whole = if in_planes { pixels - pixels % LANES } else { 0 };
    let planes = (whole > 0).then_some(Run { start: 0, pixels: whole, copied: false });
    let copied = (whole..pixels).step_by(COPIED);
    planes.into_iter().chain(copied.map(move |start| {
        let pixels = COPIED.min(pixels - start);
        Run { start, pixels, copied: true }
    }))
}

impl<T: Element> Block<T> {
    /// With `losses` losses for each pixel.
    pub fn new(classes: usize, losses: usize) -> Self {
        let empty = Vec::new;
        Self { class: empty(), m: empty(), loss: empty(), z: empty(), gradient: empty(), classes, losses }
    }

    /// Takes up a run, and returns where the classes and weights of its pixels are to be written: none counts so
    /// far, and each weighs 1.
    pub fn start(&mut self, run: Run) -> (&mut [T], &mut [T]) {
        let padded = run.pixels.next_multiple_of(LANES);
        let fill = |all: &mut Vec<T>, count: usize, value: T| {
            all.clear();
            all.resize(count, value);
        };
        fill(&mut self.class, padded, T::of(NO_CLASS));
        fill(&mut self.m, padded, T::one());
        fill(&mut self.loss, self.losses * padded, T::zero());
        (&mut self.class[..run.pixels], &mut self.m[..run.pixels])
    }

    /// Hands the run's planes to a kernel. `offset`: of the run's first logit in class 0.
    pub fn with<R>(
        &mut self,
        run: Run,
        logits: &[T],
        (geometry, offset): (&Geometry, usize),
        shift: &[T],
        out: &mut TileMut<'_, T>,
        kernel: impl FnOnce(Planes<'_, '_, T>) -> R,
    ) -> R {
        if !run.copied
            && let TileMut::Planes(planes) = out
        {
            let plane = |c| &logits[offset + c * geometry.pixels..][..run.pixels];
            let z: Vec<&[T]> = (0..self.classes).map(plane).collect();
            let mut gradient: Vec<&mut [T]> =
                planes.iter_mut().map(|plane| &mut plane[run.start..][..run.pixels]).collect();
            let Self { class, m, loss, .. } = self;
            return kernel(Planes { z: &z, gradient: &mut gradient, class, m, loss });
        }
        let padded = self.class.len();
        self.read(logits, (geometry, offset), run.pixels);
        for (plane, &shift) in self.z.chunks_exact_mut(padded).zip(shift) {
            plane.iter_mut().for_each(|z| *z = *z - shift);
        }
        let z: Vec<&[T]> = self.z.chunks_exact(padded).collect();
        let mut gradient: Vec<&mut [T]> = self.gradient.chunks_exact_mut(padded).collect();
        let (class, m, loss) = (&self.class, &self.m, &mut self.loss);
        let result = kernel(Planes { z: &z, gradient: &mut gradient, class, m, loss });
        self.write(out, run);
        result
    }

    /// The class of each pixel.
    pub fn classes(&self, run: Run) -> &[T] {
        &self.class[..run.pixels]
    }

    /// The weighted losses of the pixels, channel by channel.
    pub fn losses(&self, run: Run) -> impl Iterator<Item = &[T]> {
        self.loss.chunks_exact(self.class.len()).map(move |losses| &losses[..run.pixels])
    }

    fn read(&mut self, logits: &[T], (geometry, offset): (&Geometry, usize), pixels: usize) {
        let (classes, padded) = (self.classes, self.class.len());
        self.z.resize(classes * padded, T::zero());
        self.gradient.resize(classes * padded, T::zero());
        for (class, plane) in self.z.chunks_exact_mut(padded).enumerate() {
            let (values, filling) = plane.split_at_mut(pixels);
            match geometry.layout {
                Layout::ChannelsFirst => {
                    values.copy_from_slice(&logits[offset + class * geometry.pixels..][..pixels]);
                }
                Layout::ChannelsLast => {
                    let rows = logits[offset..][..pixels * classes].chunks_exact(classes);
                    values.iter_mut().zip(rows).for_each(|(value, row)| *value = row[class]);
                }
            }
            filling.fill(T::zero());
        }
    }

    fn write(&self, out: &mut TileMut<'_, T>, run: Run) {
        for (class, plane) in self.gradient.chunks_exact(self.class.len()).enumerate() {
            out.put_class(class, run.start, &plane[..run.pixels]);
        }
    }
}
