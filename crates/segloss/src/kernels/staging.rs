//! Pixels on their way from memory to the planes of a block, and the gradient on its way back.
//!
//! Whatever the layout, a block is copied in, computed and copied out: planes of large images lie whole powers of two
//! apart, where a cache would hold few of them at once.

use super::block::{Block, Gradient, is_finite, no_class};
use super::plane::{PIXELS, Plane, steps};
use super::softmax::Ahead;
use crate::layout::{Geometry, Layout};
use crate::simd::{COLUMNS, InstructionSets, Kernel, Real, Simd, Vector, column_groups};
use crate::tiles::TileMut;

/// Where a block lies.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub geometry: &'a Geometry,
    /// Of its first logit in an array of the logits' layout.
    pub offset: usize,
    pub pixels: usize,
}

/// Blocks between the one that is computed and the one that is fetched meanwhile.
const DISTANCE: usize = 2;

impl<'a> Place<'a> {
    /// What is read and written soon, in an array of the logits' layout and a tile of the gradient from pixel `start` on.
    pub fn ahead<T>(&self, logits: &'a [T], out: &'a TileMut<'_, T>, start: usize) -> Ahead<'a, T> {
        let (stride, pixel) = self.geometry.strides();
        let behind = |numbers: &'a [T], at: usize| &numbers[numbers.len().min(at)..];
        let next = DISTANCE * PIXELS * pixel;
        let to = match out {
            TileMut::Planes(planes) => behind(planes[0], start + next),
            TileMut::Rows { values, classes } => behind(values, start * classes + next),
            TileMut::Nothing => &[],
        };
        let stride = match self.geometry.layout {
            Layout::ChannelsFirst => stride,
            Layout::ChannelsLast => PIXELS,
        };
        Ahead { from: behind(logits, self.offset + next), to, stride }
    }
}

impl<T: InstructionSets> Block<T> {
    /// Reads the logits, less the shift of each class, and finds the largest of each pixel. Returns whether those of pixels
    /// that count are finite.
    pub fn load(&mut self, logits: &[T], place: Place<'_>, shift: &[T]) -> bool {
        let Self { set, z, max, label, .. } = self;
        let is_finite = set.run(Load { from: logits, place, planes: z, label, max: Some(max), shift });
        self.pixels = place.pixels;
        is_finite
    }

    /// Reads planes of another array of the logits' layout, 0 at pixels that do not count.
    pub fn load_planes(&self, from: &[T], place: Place<'_>, planes: &mut [Plane<T>]) {
        self.set.run(Load { from, place, planes, label: &self.label, max: None, shift: &[] });
    }

    /// Overwrites the gradient from pixel `start` of a tile on with what has been computed.
    pub fn store(&mut self, out: &mut TileMut<'_, T>, start: usize) {
        let Self { set, e, label, gradient, pixels, .. } = self;
        set.run(Store { e, label, gradient, out, start, pixels: *pixels, classes: self.z.len() });
    }
}

/// See [`Block::load`].
struct Load<'a, T> {
    from: &'a [T],
    place: Place<'a>,
    planes: &'a mut [Plane<T>],
    label: &'a Plane<T>,
    /// For the largest of each pixel; none if nobody asks, nor whether all are finite.
    max: Option<&'a mut Plane<T>>,
    shift: &'a [T],
}

impl<T: InstructionSets> Kernel<T> for Load<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) -> bool {
        let Self { from, place: Place { geometry, offset, pixels }, planes, label, max, shift } = self;
        let classes = geometry.classes;
        let from = &from[offset..];
        let none = simd.splat(T::of_class(no_class(classes)));
        let is_whole = pixels == PIXELS;
        // A block as memory has it, where it is short, or where a transpose would reach beyond the end.
        let mut spare: Vec<T> = Vec::new();
        match geometry.layout {
            Layout::ChannelsFirst => {
                for (c, plane) in planes.iter_mut().enumerate() {
                    let from = &from[c * geometry.pixels..];
                    if let (true, Some(from)) = (is_whole, from.first_chunk::<PIXELS>()) {
                        copy(simd, from, plane, label, none);
                    } else {
                        let mut whole = [T::zero(); PIXELS];
                        whole[..pixels].copy_from_slice(&from[..pixels]);
                        copy(simd, &whole, plane, label, none);
                    }
                }
            }
            Layout::ChannelsLast => {
                let rows = match is_whole && from.len() >= PIXELS * classes + COLUMNS {
                    true => from,
                    false => {
                        spare.resize(PIXELS * classes + COLUMNS, T::zero());
                        spare[..pixels * classes].copy_from_slice(&from[..pixels * classes]);
                        &spare
                    }
                };
                for at in steps::<S, 1>() {
                    let counts = simd.load(&label[at..]).differs(none);
                    for c in column_groups(classes) {
                        let columns = simd.columns(&rows[at * classes + c..], classes);
                        for (x, plane) in columns.into_iter().zip(&mut planes[c..]) {
                            Vector::select(counts, x, simd.constant(0.0)).store(&mut plane[at..]);
                        }
                    }
                }
            }
        }
        match max {
            Some(max) => largest(simd, planes, shift, max),
            None => true,
        }
    }
}

/// Copies a plane, 0 where a pixel does not count.
#[inline(always)]
fn copy<S: Simd>(
    simd: S,
    from: &[S::Real; PIXELS],
    plane: &mut Plane<S::Real>,
    label: &Plane<S::Real>,
    none: S::Vector,
) {
    for at in steps::<S, 1>() {
        let counts = simd.load(&label[at..]).differs(none);
        Vector::select(counts, simd.load(&from[at..]), simd.constant(0.0)).store(&mut plane[at..]);
    }
}

/// Subtracts a shift of each class and finds the largest; whether all are finite.
#[inline(always)]
fn largest<S: Simd>(
    simd: S,
    planes: &mut [Plane<S::Real>],
    shift: &[S::Real],
    max: &mut Plane<S::Real>,
) -> bool {
    let zero = simd.constant(0.0);
    let mut doubt = zero;
    for at in steps::<S, 1>() {
        let mut largest = simd.splat(num_traits::Float::min_value());
        for (c, plane) in planes.iter_mut().enumerate() {
            let mut x = simd.load(&plane[at..]);
            if let Some(&shift) = shift.get(c) {
                x = x - simd.splat(shift);
                x.store(&mut plane[at..]);
            }
            largest = largest.max(x);
            doubt = x.mul_add(zero, doubt);
        }
        largest.store(&mut max[at..]);
    }
    is_finite(simd, doubt)
}

/// See [`Block::store`].
struct Store<'a, 'b, T> {
    e: &'a [Plane<T>],
    label: &'a Plane<T>,
    gradient: &'a Gradient<T>,
    out: &'a mut TileMut<'b, T>,
    start: usize,
    pixels: usize,
    classes: usize,
}

impl<T: InstructionSets> Kernel<T> for Store<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        let Self { e, label, gradient, out, start, pixels, classes } = self;
        let from = match (gradient.has_scale, gradient.has_by_z) {
            (true, false) => e,
            (false, true) => gradient.by_z.as_slice(),
            // No term has a gradient here.
            _ => &[],
        };
        let scaled = gradient.has_scale;
        match out {
            TileMut::Planes(planes) => {
                for (c, to) in planes.iter_mut().enumerate().take(classes) {
                    let to = &mut to[start..][..pixels];
                    let Some(from) = from.get(c) else {
                        to.fill(T::zero());
                        continue;
                    };
                    if let Some(to) = to.as_mut_array::<PIXELS>() {
                        plane(simd, from, c, label, scaled.then_some(gradient), to);
                    } else {
                        let mut whole = [T::zero(); PIXELS];
                        plane(simd, from, c, label, scaled.then_some(gradient), &mut whole);
                        to.copy_from_slice(&whole[..pixels]);
                    }
                }
            }
            TileMut::Rows { values, .. } => {
                let rows = &mut values[start * classes..];
                if from.is_empty() {
                    rows[..pixels * classes].fill(T::zero());
                    return;
                }
                // Of narrow rows a transpose writes a few numbers behind the last, which may be somebody's.
                let mut spare: Vec<T> = Vec::new();
                let is_inside = rows.len() >= PIXELS * classes && classes >= COLUMNS;
                let to = match is_inside {
                    true => &mut *rows,
                    false => {
                        spare.resize(PIXELS * classes + COLUMNS, T::zero());
                        spare.as_mut_slice()
                    }
                };
                for at in steps::<S, 1>() {
                    for c in column_groups(classes) {
                        let mut columns = [simd.constant(0.0); COLUMNS];
                        for (i, (x, from)) in columns.iter_mut().zip(&from[c..]).enumerate() {
                            *x = simd.load(&from[at..]);
                            if scaled {
                                *x = unscaled(simd, *x, c + i, label, gradient, at);
                            }
                        }
                        S::Vector::put_columns(columns, &mut to[at * classes + c..], classes);
                    }
                }
                if !is_inside {
                    rows[..pixels * classes].copy_from_slice(&spare[..pixels * classes]);
                }
            }
            TileMut::Nothing => {}
        }
    }
}

/// Writes a class of a block.
#[inline(always)]
fn plane<S: Simd>(
    simd: S,
    from: &Plane<S::Real>,
    c: usize,
    label: &Plane<S::Real>,
    scaled: Option<&Gradient<S::Real>>,
    to: &mut [S::Real; PIXELS],
) {
    match scaled {
        Some(gradient) => {
            for at in steps::<S, 1>() {
                let e = simd.load(&from[at..]);
                unscaled(simd, e, c, label, gradient, at).store(&mut to[at..]);
            }
        }
        None => to.copy_from_slice(&**from),
    }
}

/// The gradient of a class from its exponentials.
#[inline(always)]
fn unscaled<S: Simd>(
    simd: S,
    e: S::Vector,
    c: usize,
    label: &Plane<S::Real>,
    gradient: &Gradient<S::Real>,
    at: usize,
) -> S::Vector {
    let is_own = simd.load(&label[at..]).equal(simd.splat(S::Real::of_class(c)));
    let (scale, own) = (simd.load(&gradient.scale[at..]), simd.load(&gradient.own[at..]));
    Vector::select(is_own, own, e * scale)
}
