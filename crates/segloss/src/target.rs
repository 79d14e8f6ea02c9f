//! What the logits are compared with: class indices or a distribution over the classes.

use crate::element::Element;
use crate::simd::{Available, Kernel, Simd};
use ndarray::{ArrayView, Dimension};

/// An integer type of class indices: `u8`, `u16`, `i32` or `i64`.
pub trait Label: Copy + Sync + sealed::Sealed + 'static {
    /// Wraps a slice without widening it.
    #[doc(hidden)]
    fn wrap(labels: &[Self]) -> Labels<'_>;

    /// As many bits as the number of a class has.
    #[doc(hidden)]
    fn low_bits(self) -> i32;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! labels {
    ($($variant:ident $type:ty),*) => {
        /// Class indices in the type they came in; nothing is widened in memory.
        #[derive(Clone, Copy, Debug)]
        #[doc(hidden)]
        pub enum Labels<'a> { $(
            #[doc = concat!("As `", stringify!($type), "`.")]
            $variant(&'a [$type]),
        )* }

        impl Labels<'_> {
            pub(crate) fn len(&self) -> usize {
                match self { $(Self::$variant(labels) => labels.len(),)* }
            }

            pub(crate) fn get(&self, at: usize) -> i64 {
                match self { $(Self::$variant(labels) => i64::from(labels[at]),)* }
            }
        }

        impl Labels<'_> {
            /// Writes the labels from number `start` on as floats, `none` for the ignored one.
            pub(crate) fn read<T: Element>(
                &self,
                set: Available,
                start: usize,
                ignored: Option<i64>,
                none: T,
                out: &mut [T],
            ) {
                match self { $(Self::$variant(labels) => {
                    // An index that the type cannot hold ignores nothing.
                    let ignored = ignored.and_then(|index| <$type>::try_from(index).ok());
                    set.run(ReadLabels { labels: &labels[start..][..out.len()], ignored, none, out });
                })* }
            }
        }

        $(
            impl sealed::Sealed for $type {}
            impl Label for $type {
                fn wrap(labels: &[Self]) -> Labels<'_> { Labels::$variant(labels) }

                #[inline(always)]
                fn low_bits(self) -> i32 { self as i32 }
            }
        )*
    };
}
labels!(U8 u8, U16 u16, I32 i32, I64 i64);

/// See [`Labels::read`].
struct ReadLabels<'a, L, T> {
    labels: &'a [L],
    ignored: Option<L>,
    none: T,
    out: &'a mut [T],
}

impl<L: Label + PartialEq + Default, T: Element> Kernel<T> for ReadLabels<'_, L, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, _: S) {
        let (ignores, ignored) = (self.ignored.is_some(), self.ignored.unwrap_or_default());
        for (out, &label) in self.out.iter_mut().zip(self.labels) {
            *out = if ignores & (label == ignored) { self.none } else { T::of_i32(label.low_bits()) };
        }
    }
}

/// The target of a loss.
///
/// Made by [`Target::indices`] or [`Target::distribution`]; checked when it meets its logits in
/// [`Input`](crate::Input) and the loss.
#[derive(Clone, Debug)]
pub struct Target<'a, T> {
    /// `None` where only the number of elements is known, as for slices.
    pub(crate) shape: Option<Vec<usize>>,
    pub(crate) values: Values<'a, T>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Values<'a, T> {
    Indices(Labels<'a>),
    Distribution(&'a [T]),
    /// A view with gaps; refused with a name as soon as it is used.
    NotContiguous,
}

impl<'a, T> Target<'a, T> {
    /// One class index a pixel: shape (N, spatial…), of `u8`, `u16`, `i32` or `i64`.
    ///
    /// For the binary kinds with one channel the indices are 0 (negative) and 1 (positive); with more
    /// channels an index stands for its one-hot vector, one problem against the rest per channel.
    pub fn indices<L: Label, D: Dimension>(view: ArrayView<'a, L, D>) -> Self {
        let shape = Some(view.shape().to_vec());
        let values = view.to_slice().map_or(Values::NotContiguous, |labels| Values::Indices(L::wrap(labels)));
        Self { shape, values }
    }

    /// A weight for every class and pixel, shaped and laid out like the logits: one-hot rows, soft
    /// labels, or the independent 0/1 targets of multi-label problems.
    ///
    /// Entries lie in [0, 1]; for the softmax kinds those of a pixel sum to 1, within 0.01, so that soft labels stored
    /// in 8 bits pass. A distribution has no ignored index: use [`Input::with_mask`](crate::Input::with_mask).
    pub fn distribution<D: Dimension>(view: ArrayView<'a, T, D>) -> Self {
        let shape = Some(view.shape().to_vec());
        let values = view.to_slice().map_or(Values::NotContiguous, Values::Distribution);
        Self { shape, values }
    }
}
