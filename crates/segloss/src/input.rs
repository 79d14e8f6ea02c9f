//! Logits, target and mask of one call, checked against each other.

use crate::element::{Element, Slice};
use crate::error::{Error, Problem};
use crate::geometry::Geometry;
use crate::kernels::block::no_class;
use crate::layout::Layout;
use crate::simd::Available;
use crate::target::{Label, Target, Values};
use ndarray::{ArrayView, Dimension};

/// What a loss is computed from: logits, their target and, where needed, a mask of valid pixels.
///
/// ```
/// use ndarray::array;
/// use segloss::{Input, Target};
///
/// let logits = array![[[2.0_f32, -1.0], [0.5, 0.0]]]; // (N, C, pixels) = (1, 2, 2)
/// let labels = array![[0_u8, 1]];                     // (N, pixels)
/// let input = Input::new(logits.view(), Target::indices(labels.view()))?;
/// # Ok::<(), segloss::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Input<'a, T> {
    pub(crate) logits: &'a [T],
    pub(crate) shape: Vec<usize>,
    pub(crate) target: Target<'a, T>,
    pub(crate) mask: Option<(Vec<usize>, &'a [bool])>,
    pub(crate) weight_map: Option<(Vec<usize>, &'a [T])>,
    pub(crate) distances: Option<(Vec<usize>, &'a [T])>,
}

/// An input of either number type.
pub(crate) enum TypedInput<'a> {
    F32(Input<'a, f32>),
    F64(Input<'a, f64>),
}

/// What the target says of one pixel.
pub(crate) enum PixelLabel<'a, T> {
    /// Nothing: the pixel is masked out or has the ignored index.
    Ignored,
    /// A class index, not yet checked.
    Index(i64),
    /// See the pixel's place in this distribution, laid out like the logits.
    Distribution(&'a [T]),
}

const OPERATION: &str = "input";

impl<'a, T: Element> Input<'a, T> {
    /// Pairs logits with their target. Which axis holds the classes is the loss's own
    /// [`Layout`], so shapes are compared when a loss is computed.
    ///
    /// # Errors
    /// [`Problem::NotContiguous`] for a view with gaps or a permuted one.
    pub fn new<D: Dimension>(logits: ArrayView<'a, T, D>, target: Target<'a, T>) -> Result<Self, Error> {
        let refuse = |operand| Error { operation: OPERATION, problem: Problem::NotContiguous { operand } };
        let shape = logits.shape().to_vec();
        let logits = logits.to_slice().ok_or_else(|| refuse("logits"))?;
        if matches!(target.values, Values::NotContiguous) {
            return Err(refuse("target"));
        }
        Ok(Self { logits, shape, target, mask: None, weight_map: None, distances: None })
    }

    /// The same from plain slices: `logits` in row-major order of `shape`, one label a pixel.
    ///
    /// # Errors
    /// [`Problem::Length`] if `logits` does not hold as many elements as `shape` says.
    pub fn from_slices<L: Label>(logits: &'a [T], shape: &[usize], labels: &'a [L]) -> Result<Self, Error> {
        // More elements than can be counted are as many as no slice has.
        let product = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
        let expected = product.unwrap_or(usize::MAX);
        if logits.len() != expected {
            let problem = Problem::Length { operand: "logits", expected, found: logits.len() };
            return Err(Error { operation: OPERATION, problem });
        }
        let target = Target { shape: None, values: Values::Indices(L::wrap(labels)) };
        Ok(Self { logits, shape: shape.to_vec(), target, mask: None, weight_map: None, distances: None })
    }

    /// Leaves out the pixels where `mask` (N, spatial…) is false, besides those with the ignored index.
    ///
    /// # Errors
    /// [`Problem::NotContiguous`] for a view with gaps or a permuted one.
    pub fn with_mask<D: Dimension>(mut self, mask: ArrayView<'a, bool, D>) -> Result<Self, Error> {
        let shape = mask.shape().to_vec();
        let problem = Problem::NotContiguous { operand: "mask" };
        let mask = mask.to_slice().ok_or(Error { operation: OPERATION, problem })?;
        self.mask = Some((shape, mask));
        Ok(self)
    }

    /// Multiplies the loss of each pixel with a weight of its own (N, spatial…), besides its class's: a
    /// pixel of weight k counts like k pixels. Class frequencies are counted without it.
    ///
    /// # Errors
    /// [`Problem::NotContiguous`] for a view with gaps or a permuted one.
    pub fn with_weight_map<D: Dimension>(mut self, map: ArrayView<'a, T, D>) -> Result<Self, Error> {
        let shape = map.shape().to_vec();
        let problem = Problem::NotContiguous { operand: "weight map" };
        let map = map.to_slice().ok_or(Error { operation: OPERATION, problem })?;
        self.weight_map = Some((shape, map));
        Ok(self)
    }

    /// The signed distances of each class, shaped and laid out like the logits, for `boundary`: a tile
    /// cannot know the distances of its whole image, and a trainer may keep them from epoch to epoch.
    /// Without them they are computed from the target ([`signed_distances`](crate::signed_distances)).
    ///
    /// # Errors
    /// [`Problem::NotContiguous`] for a view with gaps or a permuted one.
    pub fn with_distances<D: Dimension>(mut self, distances: ArrayView<'a, T, D>) -> Result<Self, Error> {
        let shape = distances.shape().to_vec();
        let problem = Problem::NotContiguous { operand: "distances" };
        let distances = distances.to_slice().ok_or(Error { operation: OPERATION, problem })?;
        self.distances = Some((shape, distances));
        Ok(self)
    }

    /// The same input, its number type named: what follows is compiled once, and not by everybody who computes a loss.
    pub(crate) fn typed(&self) -> TypedInput<'a> {
        let Self { logits, shape, target, mask, weight_map, distances } = self;
        let shapes = |array: &Option<(Vec<usize>, &[T])>| array.as_ref().map(|(shape, _)| shape.clone());
        let (map_shape, distances_shape) = (shapes(weight_map), shapes(distances));
        macro_rules! typed {
            ($variant:ident, $logits:ident) => {{
                let of = |numbers: &'a [T]| match T::slice(numbers) {
                    Slice::$variant(numbers) => numbers,
                    _ => &[],
                };
                let values = match target.values {
                    Values::Indices(labels) => Values::Indices(labels),
                    Values::Distribution(rows) => Values::Distribution(of(rows)),
                    Values::NotContiguous => Values::NotContiguous,
                };
                TypedInput::$variant(Input {
                    logits: $logits,
                    shape: shape.clone(),
                    target: Target { shape: target.shape.clone(), values },
                    mask: mask.clone(),
                    weight_map: map_shape.zip(weight_map.as_ref().map(|(_, map)| of(map))),
                    distances: distances_shape.zip(distances.as_ref().map(|(_, array)| of(array))),
                })
            }};
        }
        match T::slice(logits) {
            Slice::F32(logits) => typed!(F32, logits),
            Slice::F64(logits) => typed!(F64, logits),
        }
    }

    /// The weight of a pixel in the map, if there is one. `flat` counts pixels through all images.
    pub(crate) fn weight(&self, flat: usize) -> Option<T> {
        self.weight_map.as_ref().map(|(_, map)| map[flat])
    }

    /// Whether the mask leaves a pixel out.
    pub(crate) fn is_masked(&self, flat: usize) -> bool {
        self.mask.as_ref().is_some_and(|(_, mask)| !mask[flat])
    }

    /// Decides which pixels count. `flat` counts pixels through all images.
    pub(crate) fn label(&self, flat: usize, ignore_index: Option<i64>) -> PixelLabel<'a, T> {
        if self.is_masked(flat) {
            return PixelLabel::Ignored;
        }
        match self.target.values {
            Values::Indices(labels) if Some(labels.get(flat)) == ignore_index => PixelLabel::Ignored,
            Values::Indices(labels) => PixelLabel::Index(labels.get(flat)),
            Values::Distribution(rows) => PixelLabel::Distribution(rows),
            Values::NotContiguous => unreachable!("refused when the input was made"),
        }
    }

    /// The same of a block of pixels from number `flat` on: the label of each as a number, [`no_class`] of what does not
    /// count, 0 where it is a distribution.
    pub(crate) fn read_labels(
        &self,
        set: Available,
        flat: usize,
        ignore_index: Option<i64>,
        classes: usize,
        labels: &mut [T],
    ) {
        let none = T::of_class(no_class(classes));
        match self.target.values {
            Values::Indices(indices) => indices.read(set, flat, ignore_index, none, labels),
            Values::Distribution(_) | Values::NotContiguous => labels.fill(T::zero()),
        }
        if let Some((_, mask)) = &self.mask {
            for (label, &counts) in labels.iter_mut().zip(&mask[flat..]) {
                *label = if counts { *label } else { none };
            }
        }
    }

    /// Fits the arrays to each other, once the layout is known.
    pub(crate) fn geometry(&self, operation: &'static str, layout: Layout) -> Result<Geometry, Error> {
        let geometry = Geometry::new(operation, &self.shape, layout)?;
        let fit = |operand, shape: fn(&Geometry) -> Vec<usize>, found: &Vec<usize>| {
            let expected = shape(&geometry);
            if *found == expected {
                return Ok(());
            }
            let fitting = geometry.other().filter(|other| shape(other) == *found).map(|other| other.layout);
            Err(Error {
                operation,
                problem: Problem::Shape { operand, expected, found: found.clone(), fitting },
            })
        };
        match (&self.target.shape, &self.target.values) {
            (Some(shape), Values::Indices(_)) => fit("target", Geometry::pixel_shape, shape)?,
            (Some(shape), _) => fit("target", Geometry::full_shape, shape)?,
            (None, Values::Indices(labels)) => {
                let expected = geometry.images * geometry.pixels;
                if labels.len() != expected {
                    let problem = Problem::Length { operand: "target", expected, found: labels.len() };
                    return Err(Error { operation, problem });
                }
            }
            (None, _) => unreachable!("only index targets come without a shape"),
        }
        if let Some((shape, _)) = &self.mask {
            fit("mask", Geometry::pixel_shape, shape)?;
        }
        if let Some((shape, _)) = &self.weight_map {
            fit("weight map", Geometry::pixel_shape, shape)?;
        }
        if let Some((shape, _)) = &self.distances {
            fit("distances", Geometry::full_shape, shape)?;
        }
        Ok(geometry)
    }
}
