//! The [source document](crate::source_document)'s S4: the winning scores of one class.

use crate::element::Element;
use crate::error::{Error, Problem};
use crate::geometry::Geometry;
use crate::layout::Layout;
use ndarray::{ArrayD, ArrayView, Dimension, IxDyn};

/// The scores of `class` where it is the arg max of its pixel, and 0 everywhere else.
///
/// `scores` has shape (N, C, spatial…) or (N, spatial…, C); the result keeps the class axis with length 1,
/// like the document's slice `[..., k:k+1]`. Of tied classes the first wins, as in `tf.argmax`. A NaN
/// wins nothing.
///
/// ```
/// use ndarray::array;
/// use segloss::{Layout, class_prediction};
///
/// // The worked example of the document.
/// let scores = array![[[[0.5_f32, 0.3, 0.7], [0.6, 0.3, 0.2]], [[0.7, 0.9, 0.6], [0.3, 0.9, 0.3]]]];
/// let first = class_prediction(scores.view(), Layout::ChannelsLast, 0)?;
/// assert_eq!(first, array![[[[0.0], [0.6]], [[0.0], [0.0]]]].into_dyn());
/// # Ok::<(), segloss::Error>(())
/// ```
///
/// # Errors
/// [`Problem::Rank`] or [`Problem::Empty`] for scores without classes or pixels, [`Problem::Option`] if
/// there is no such class.
pub fn class_prediction<T: Element, D: Dimension>(
    scores: ArrayView<'_, T, D>,
    layout: Layout,
    class: usize,
) -> Result<ArrayD<T>, Error> {
    const OPERATION: &str = "class_prediction";
    let geometry = Geometry::new(OPERATION, scores.shape(), layout)?;
    if class >= geometry.classes {
        let expected = format!("one of 0..={}", geometry.classes - 1);
        let problem = Problem::Option { key: "class", expected, found: class.to_string() };
        return Err(Error { operation: OPERATION, problem });
    }
    let scores = scores.as_standard_layout();
    let flat = scores.as_slice().unwrap_or_default();
    let (class_stride, _) = geometry.strides();
    let mut winning = Vec::with_capacity(geometry.images * geometry.pixels);
    for image in 0..geometry.images {
        for pixel in 0..geometry.pixels {
            let offset = geometry.offset(image, pixel);
            let score = |c: usize| flat[offset + c * class_stride];
            let beaten = (0..geometry.classes)
                .any(|other| score(other) > score(class) || other < class && score(other) == score(class));
            winning.push(if beaten || score(class).is_nan() { T::zero() } else { score(class) });
        }
    }
    let shape = Geometry { classes: 1, ..geometry }.full_shape();
    let problem = |_| Error { operation: OPERATION, problem: Problem::Empty { found: shape.clone() } };
    ArrayD::from_shape_vec(IxDyn(&shape), winning).map_err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_first_of_tied_classes_wins() {
        let scores = array![[1.0_f64, 1.0, 0.5]];
        assert_eq!(class_prediction(scores.view(), Layout::ChannelsLast, 0).unwrap()[[0, 0]], 1.0);
        assert_eq!(class_prediction(scores.view(), Layout::ChannelsLast, 1).unwrap()[[0, 0]], 0.0);
    }

    #[test]
    fn layouts_agree() {
        let scores = array![[[0.1_f32, 0.9], [0.4, 0.2], [0.3, 0.8]]]; // (1, 3, 2)
        let last = scores.view().permuted_axes([0, 2, 1]);
        for class in 0..3 {
            let first = class_prediction(scores.view(), Layout::ChannelsFirst, class).unwrap();
            let last = class_prediction(last, Layout::ChannelsLast, class).unwrap();
            assert_eq!(first.iter().collect::<Vec<_>>(), last.iter().collect::<Vec<_>>());
        }
        assert!(class_prediction(scores.view(), Layout::ChannelsFirst, 3).is_err());
    }
}
