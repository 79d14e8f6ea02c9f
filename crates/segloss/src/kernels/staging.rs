//! Pixels on their way from memory to the planes of a block, and the gradient on its way back.
//!
//! Whatever the layout, a block is copied in, computed and copied out: planes of large images lie whole powers of two
//! apart, where a cache would hold few of them at once.

use super::block::{Block, Gradient, no_class};
use super::plane::{PIXELS, Plane, steps};
use super::prefetch::{DISTANCE, Prefetch};
use crate::geometry::Geometry;
use crate::layout::Layout;
use crate::simd::{COLUMNS, InstructionSets, Kernel, Simd, Vector, column_groups};
use crate::tiles::TileMut;

/// Where a block lies.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub geometry: &'a Geometry,
    /// Its image, and its first pixel there.
    pub image: usize,
    pub first: usize,
    /// Of its first logit in an array of the logits' layout.
    pub offset: usize,
    pub pixels: usize,
}

impl<'a> Place<'a> {
    /// What is read and written soon, in an array of the logits' layout and a tile of the gradient from pixel `start` on.
    pub fn prefetch<T>(&self, logits: &'a [T], out: &'a TileMut<'_, T>, start: usize) -> Prefetch<'a, T> {
        let (stride, pixel) = self.geometry.strides();
        let behind = |numbers: &'a [T], at: usize| &numbers[numbers.len().min(at)..];
        let next = DISTANCE * PIXELS * pixel;
        let to = match out {
            TileMut::Planes(planes) => behind(planes[0], start + next),
            TileMut::Rows { values, classes } => behind(values, start * classes + next),
            TileMut::Nothing => &[],
        };
        let stride = match self.geometry.layout {
            Layout::ChannelsFirst => Some(stride),
            Layout::ChannelsLast => None,
        };
        Prefetch { from: behind(logits, self.offset + next), to, stride }
    }
}

impl<T: InstructionSets> Block<T> {
    /// Reads the logits, less the shift of each class, and finds the largest of each pixel.
    pub fn load(&mut self, logits: &[T], place: Place<'_>, shift: &[T]) {
        let Self { set, z, max, label, .. } = self;
        set.run(Load { from: logits, place, planes: z, label, max: Some(max), shift });
        self.pixels = place.pixels;
    }

    /// Takes the weight of each pixel from a map: 1 without, 0 where a pixel does not count.
    pub fn weigh(&mut self, map: Option<&[T]>) {
        let none = T::of_class(no_class(self.z.len()));
        self.m = Plane::of(T::one());
        if let Some(map) = map {
            self.m[..map.len()].copy_from_slice(map);
        }
        self.set.run(Weigh { label: &self.label, none, m: &mut self.m });
    }

    /// Reads planes of another array of the logits' layout, 0 at pixels that do not count.
    pub fn load_planes(&self, from: &[T], place: Place<'_>, planes: &mut [Plane<T>]) {
        self.set.run(Load { from, place, planes, label: &self.label, max: None, shift: &[] });
    }

    /// Overwrites the gradient from pixel `start` of a tile on with what has been computed.
    pub fn store(&mut self, out: &mut TileMut<'_, T>, start: usize) {
        let Self { set, e, label, gradient, pixels, .. } = self;
        if !gradient.has_scale && !gradient.has_by_z {
            // No term has a gradient here.
            gradient.by_z.clear();
            gradient.by_z.resize(self.z.len(), Plane::of(T::zero()));
        }
        set.run(Store { e, label, gradient, out, start, pixels: *pixels, classes: self.z.len() });
    }
}

/// See [`Block::weigh`].
struct Weigh<'a, T> {
    label: &'a Plane<T>,
    none: T,
    m: &'a mut Plane<T>,
}

impl<T: InstructionSets> Kernel<T> for Weigh<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        for at in steps::<S, 1>() {
            // In a map, what does not count may be anything.
            let counts = simd.load(&self.label[at..]).differs(simd.splat(self.none));
            let m = Vector::select(counts, simd.load(&self.m[at..]), simd.constant(0.0));
            m.store(&mut self.m[at..]);
        }
    }
}

/// See [`Block::load`].
struct Load<'a, T> {
    from: &'a [T],
    place: Place<'a>,
    planes: &'a mut [Plane<T>],
    label: &'a Plane<T>,
    /// For the largest of each pixel; none if nobody asks.
    max: Option<&'a mut Plane<T>>,
    shift: &'a [T],
}

impl<T: InstructionSets> Kernel<T> for Load<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) {
        let Self { from, place: Place { geometry, offset, pixels, .. }, planes, label, max, shift } = self;
        let classes = geometry.classes;
        let from = &from[offset..];
        let none = simd.splat(T::of_class(no_class(classes)));
        let is_whole = pixels == PIXELS;
        let mut largest = Plane::of(T::min_value());
        // A block as memory has it, where it is short, or where a transpose would reach beyond the end.
        let mut spare: Vec<T> = Vec::new();
        match geometry.layout {
            Layout::ChannelsFirst => {
                let (from, stride) = match is_whole {
                    true => (from, geometry.pixels),
                    false => {
                        spare.resize(PIXELS * classes, T::zero());
                        for (c, to) in spare.chunks_exact_mut(PIXELS).enumerate() {
                            to[..pixels].copy_from_slice(&from[c * geometry.pixels..][..pixels]);
                        }
                        (spare.as_slice(), PIXELS)
                    }
                };
                let (fours, rest) = planes.as_chunks_mut::<TOGETHER>();
                let alone = fours.len() * TOGETHER;
                for (i, planes) in fours.iter_mut().enumerate() {
                    let from = &from[i * TOGETHER * stride..];
                    copy(simd, from, stride, planes, &mut largest, label, none);
                }
                for (c, plane) in rest.iter_mut().enumerate() {
                    let (from, plane) = (&from[(alone + c) * stride..], std::array::from_mut(plane));
                    copy(simd, from, stride, plane, &mut largest, label, none);
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
                    let rows = &rows[at * classes..];
                    let mut max = simd.splat(T::min_value());
                    for c in column_groups(classes) {
                        let columns = simd.columns(&rows[c..], classes);
                        // Inlined where it is known how many planes there are, it is no loop.
                        match planes[c..].first_chunk_mut::<COLUMNS>() {
                            Some(planes) => put(columns, planes, at, counts, &mut max),
                            None => put(columns, &mut planes[c..], at, counts, &mut max),
                        }
                    }
                    max.store(&mut largest[at..]);
                }
            }
        }
        if let Some(max) = max {
            *max = largest;
            if !shift.is_empty() {
                subtract(simd, planes, shift, max, label, none);
            }
        }
    }
}

/// Planes that are read side by side: as many lines at the same place of a page as the first cache surely holds.
const TOGETHER: usize = 4;

/// Copies planes, 0 where a pixel does not count, and finds the largest of what was known and of theirs.
#[inline(always)]
fn copy<S: Simd, const N: usize>(
    simd: S,
    from: &[S::Real],
    stride: usize,
    planes: &mut [Plane<S::Real>; N],
    largest: &mut Plane<S::Real>,
    label: &Plane<S::Real>,
    none: S::Vector,
) {
    let zero = simd.constant(0.0);
    for at in steps::<S, 1>() {
        let counts = simd.load(&label[at..]).differs(none);
        let mut max = simd.load(&largest[at..]);
        for (c, plane) in planes.iter_mut().enumerate() {
            let x = Vector::select(counts, simd.load(&from[c * stride + at..]), zero);
            x.store(&mut plane[at..]);
            max = max.max(x);
        }
        max.store(&mut largest[at..]);
    }
}

/// Puts columns where their planes have them, 0 where a pixel does not count, and finds the largest.
#[inline(always)]
fn put<V: Vector>(
    columns: [V; COLUMNS],
    planes: &mut [Plane<V::Real>],
    at: usize,
    counts: V::Mask,
    max: &mut V,
) {
    for (x, plane) in columns.into_iter().zip(planes) {
        let x = V::select(counts, x, x.zero());
        x.store(&mut plane[at..]);
        *max = max.max(x);
    }
}

/// Subtracts a shift of each class where a pixel counts: an image of ignored pixels may have an infinite one.
#[inline(always)]
fn subtract<S: Simd>(
    simd: S,
    planes: &mut [Plane<S::Real>],
    shift: &[S::Real],
    max: &mut Plane<S::Real>,
    label: &Plane<S::Real>,
    none: S::Vector,
) {
    for at in steps::<S, 1>() {
        let counts = simd.load(&label[at..]).differs(none);
        let mut largest = simd.splat(num_traits::Float::min_value());
        for (plane, &shift) in planes.iter_mut().zip(shift) {
            let x = simd.load(&plane[at..]);
            let x = Vector::select(counts, x - simd.splat(shift), x);
            x.store(&mut plane[at..]);
            largest = largest.max(x);
        }
        largest.store(&mut max[at..]);
    }
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
        let from = if gradient.has_scale { &e[..classes] } else { &gradient.by_z[..classes] };
        let form = Form { scaled: gradient.has_scale, label, scale: &gradient.scale, own: &gradient.own };
        match out {
            TileMut::Planes(planes) if pixels == PIXELS => {
                form.planes(simd, from, planes.iter_mut().map(|plane| &mut **plane), start);
            }
            TileMut::Planes(planes) => {
                for (c, to) in planes.iter_mut().enumerate() {
                    let mut whole = [T::zero(); PIXELS];
                    form.some_planes(simd, [&from[c]], c, [&mut whole]);
                    to[start..][..pixels].copy_from_slice(&whole[..pixels]);
                }
            }
            TileMut::Rows { values, .. } => {
                let rows = &mut values[start * classes..];
                if rows.len() >= PIXELS * classes && classes >= COLUMNS {
                    return form.rows(simd, from, rows);
                }
                // Of narrow rows a transpose writes a few numbers behind the last, which may be somebody's.
                let mut spare = vec![T::zero(); PIXELS * classes + COLUMNS];
                form.rows(simd, from, &mut spare);
                rows[..pixels * classes].copy_from_slice(&spare[..pixels * classes]);
            }
            TileMut::Nothing => {}
        }
    }
}

/// A whole block of a plane.
#[inline(always)]
pub(super) fn whole<T>(plane: &mut [T], start: usize) -> &mut [T; PIXELS] {
    plane[start..].first_chunk_mut().expect("a whole block is written")
}

/// In which form the gradient stands in its planes.
struct Form<'a, T> {
    /// As exponentials, to be multiplied by `scale`; `own` for the class of the label.
    scaled: bool,
    label: &'a Plane<T>,
    scale: &'a Plane<T>,
    own: &'a Plane<T>,
}

impl<T: InstructionSets> Form<'_, T> {
    /// Writes a block's classes from number `start` of their planes on, two by two.
    #[inline(always)]
    fn planes<'t, S: Simd<Real = T>>(
        &self,
        simd: S,
        from: &[Plane<T>],
        mut to: impl Iterator<Item = &'t mut [T]>,
        start: usize,
    ) {
        for (i, from) in from.chunks(2).enumerate() {
            match (from, to.next(), to.next()) {
                ([x, y], Some(a), Some(b)) => {
                    self.some_planes(simd, [x, y], 2 * i, [whole(a, start), whole(b, start)]);
                }
                ([x], Some(a), _) => self.some_planes(simd, [x], 2 * i, [whole(a, start)]),
                _ => {}
            }
        }
    }

    /// Writes N classes from number `c` on side by side: what their pixels share is read once for all.
    #[inline(always)]
    fn some_planes<S: Simd<Real = T>, const N: usize>(
        &self,
        simd: S,
        from: [&Plane<T>; N],
        c: usize,
        to: [&mut [T; PIXELS]; N],
    ) {
        let mut class = [simd.splat(T::of_class(c)); N];
        for (i, class) in class.iter_mut().enumerate() {
            *class = *class + simd.splat(T::of_class(i));
        }
        for at in steps::<S, 1>() {
            let (label, scale, own) = self.shared(simd, at);
            for i in 0..N {
                let x = simd.load(&from[i][at..]);
                self.number(x, class[i], label, scale, own).store(&mut to[i][at..]);
            }
        }
    }

    /// Writes a block's rows.
    #[inline(always)]
    fn rows<S: Simd<Real = T>>(&self, simd: S, from: &[Plane<T>], to: &mut [T]) {
        let classes = from.len();
        for at in steps::<S, 1>() {
            let rows = &mut to[at * classes..];
            for c in column_groups(classes) {
                // Inlined where it is known how many planes there are, it is no loop.
                let columns = match from[c..].first_chunk::<COLUMNS>() {
                    Some(from) => self.columns(simd, from, c, at),
                    None => self.columns(simd, &from[c..], c, at),
                };
                S::Vector::put_columns(columns, &mut rows[c..], classes);
            }
        }
    }

    /// Some classes of a register of pixels.
    #[inline(always)]
    fn columns<S: Simd<Real = T>>(
        &self,
        simd: S,
        from: &[Plane<T>],
        c: usize,
        at: usize,
    ) -> [S::Vector; COLUMNS] {
        let (label, scale, own) = self.shared(simd, at);
        let mut columns = [simd.constant(0.0); COLUMNS];
        let first = simd.splat(T::of_class(c));
        for (i, (x, from)) in columns.iter_mut().zip(from).enumerate() {
            let class = first + simd.splat(T::of_class(i));
            *x = self.number(simd.load(&from[at..]), class, label, scale, own);
        }
        columns
    }

    #[inline(always)]
    fn shared<S: Simd<Real = T>>(&self, simd: S, at: usize) -> (S::Vector, S::Vector, S::Vector) {
        (simd.load(&self.label[at..]), simd.load(&self.scale[at..]), simd.load(&self.own[at..]))
    }

    #[inline(always)]
    fn number<V: Vector<Real = T>>(&self, x: V, class: V, label: V, scale: V, own: V) -> V {
        if self.scaled { V::select(label.equal(class), own, x * scale) } else { x }
    }
}
