//! Exact Euclidean distances on a grid of pixels.
//!
//! Felzenszwalb & Huttenlocher, *Distance Transforms of Sampled Functions*, Theory of Computing 8 (2012):
//! the squared distance is separable, and along one axis it is the lower envelope of a parabola per pixel.
//! Two passes over each line per axis, whatever the seeds; in integers, so that nothing is rounded.

/// No seed has been met yet.
const FAR: u64 = u64::MAX;

/// The squared Euclidean distance, in pixels², of every pixel of a row-major grid to its nearest seed; none without
/// a seed.
///
/// Exact as long as the squares of the sizes sum to less than 2⁶²: axes of two billion pixels.
///
/// ```
/// use segloss::squared_distances;
///
/// let seeds = [true, false, false, false, false, false];
/// assert_eq!(squared_distances(&seeds, &[2, 3]), Some(vec![0, 1, 4, 1, 2, 5]));
/// ```
///
/// # Panics
/// If there are not as many pixels as the axes say.
pub fn squared_distances(seeds: &[bool], spatial: &[usize]) -> Option<Vec<u64>> {
    assert_eq!(seeds.len(), spatial.iter().product::<usize>(), "pixels of the axes {spatial:?}");
    if !seeds.contains(&true) {
        return None;
    }
    let mut squares: Vec<u64> = seeds.iter().map(|&seed| if seed { 0 } else { FAR }).collect();
    let mut envelope = Envelope::default();
    let mut stride = 1;
    for &size in spatial.iter().rev() {
        for slab in squares.chunks_exact_mut(size * stride) {
            (0..stride).for_each(|start| envelope.transform(&mut slab[start..], size, stride));
        }
        stride *= size;
    }
    Some(squares)
}

/// The parabolas (x − site)² + height that are lowest somewhere on a line.
#[derive(Default)]
struct Envelope {
    heights: Vec<u64>,
    /// Each parabola's first pixel and its site; it is the lowest from there to the next one's.
    pieces: Vec<(i64, i64)>,
}

impl Envelope {
    /// Replaces `size` values, one every `stride`, by the minimum over the line of (x − site)² + value.
    fn transform(&mut self, line: &mut [u64], size: usize, stride: usize) {
        self.heights.clear();
        self.heights.extend(line.iter().step_by(stride).take(size));
        let (heights, pieces) = (&self.heights, &mut self.pieces);
        pieces.clear();
        // Where the parabola's own square is taken out, two of them differ by a straight line.
        let offset = |site: i64| heights[site as usize] as i64 + site * site;
        for site in (0..size as i64).filter(|&site| heights[site as usize] != FAR) {
            let from = loop {
                let Some(&(begins, last)) = pieces.last() else { break 0 };
                // The first pixel at which this parabola is the lower one; the division rounds down.
                let from = (offset(site) - offset(last)).div_euclid(2 * (site - last)) + 1;
                if from > begins {
                    break from;
                }
                pieces.pop();
            };
            if from < size as i64 {
                pieces.push((from, site));
            }
        }
        // Without a seed on the line it stays FAR; another axis will bring one.
        let ends = pieces.iter().skip(1).map(|&(begins, _)| begins).chain([size as i64]);
        for (&(begins, site), end) in pieces.iter().zip(ends) {
            for x in begins..end {
                line[x as usize * stride] = x.abs_diff(site).pow(2) + heights[site as usize];
            }
        }
    }
}

/// The level set of a class in one image, in pixels: how far a pixel is from the class's region, with
/// the sign that says on which side it lies (Kervadec et al., *Boundary loss for highly unbalanced
/// segmentation*, MIDL 2019).
///
/// Outside of the class it is the distance to the class's nearest pixel (≥ 1); inside, −(the distance to
/// the nearest valid pixel of another class − 1) (≤ 0), so that the class's outermost pixels are at 0.
/// It is 0 everywhere if the class is absent or covers every valid pixel, for then there is no boundary.
/// Ignored pixels (`None`) are neither inside nor outside: no distance leads to them, and they are at 0.
///
/// `labels` are row-major over the axes `spatial`, any number of them.
///
/// ```
/// use segloss::signed_distances;
///
/// let labels = [0, 0, 1, 1, 1, 0].map(Some);
/// assert_eq!(signed_distances(&labels, &[6], 1), [2.0, 1.0, 0.0, -1.0, 0.0, 1.0]);
/// ```
///
/// # Panics
/// If there are not as many labels as the axes have pixels.
pub fn signed_distances(labels: &[Option<usize>], spatial: &[usize], class: usize) -> Vec<f64> {
    assert_eq!(labels.len(), spatial.iter().product::<usize>(), "labels of the axes {spatial:?}");
    let to = |seed: &dyn Fn(usize) -> bool| {
        let seeds: Vec<bool> = labels.iter().map(|label| label.is_some_and(seed)).collect();
        squared_distances(&seeds, spatial)
    };
    let (Some(to_class), Some(to_others)) = (to(&|label| label == class), to(&|label| label != class)) else {
        return vec![0.0; labels.len()];
    };
    let distance = |square: u64| (square as f64).sqrt();
    let rows = labels.iter().zip(to_class).zip(to_others);
    rows.map(|((label, to_class), to_others)| match label {
        None => 0.0,
        Some(label) if *label == class => 1.0 - distance(to_others),
        Some(_) => distance(to_class),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The index along every axis.
    fn index(mut pixel: usize, spatial: &[usize]) -> Vec<usize> {
        let mut index: Vec<usize> = spatial
            .iter()
            .rev()
            .map(|size| {
                let here = pixel % size;
                pixel /= size;
                here
            })
            .collect();
        index.reverse();
        index
    }

    fn square(a: usize, b: usize, spatial: &[usize]) -> u64 {
        index(a, spatial).into_iter().zip(index(b, spatial)).map(|(a, b)| a.abs_diff(b).pow(2) as u64).sum()
    }

    /// The squared distance to the nearest pixel that will do.
    fn nearest(pixel: usize, spatial: &[usize], seed: impl Fn(usize) -> bool) -> Option<u64> {
        let pixels = 0..spatial.iter().product();
        pixels.filter(|&other| seed(other)).map(|other| square(pixel, other, spatial)).min()
    }

    /// A grid of one to three axes and something for each of its pixels.
    fn grids<T: Strategy + Clone>(pixel: T) -> impl Strategy<Value = (Vec<usize>, Vec<T::Value>)> {
        let spatial = prop_oneof![
            prop::collection::vec(1..40_usize, 1),
            prop::collection::vec(1..12_usize, 2),
            prop::collection::vec(1..6_usize, 3),
        ];
        spatial.prop_flat_map(move |spatial| {
            let pixels = spatial.iter().product::<usize>();
            (Just(spatial), prop::collection::vec(pixel.clone(), pixels))
        })
    }

    proptest! {
        #[test]
        fn every_distance_is_the_smallest((spatial, seeds) in grids(prop::bool::weighted(0.15))) {
            let squares = squared_distances(&seeds, &spatial);
            prop_assert_eq!(squares.is_some(), seeds.contains(&true));
            for (pixel, square) in squares.into_iter().flatten().enumerate() {
                prop_assert_eq!(Some(square), nearest(pixel, &spatial, |other| seeds[other]));
            }
        }

        #[test]
        fn level_sets_are_kervadecs((spatial, labels) in grids(prop::option::weighted(0.8, 0..3_usize))) {
            let levels = signed_distances(&labels, &spatial, 1);
            for (pixel, level) in levels.into_iter().enumerate() {
                let to_class = nearest(pixel, &spatial, |other| labels[other] == Some(1));
                let to_others = nearest(pixel, &spatial, |other| labels[other].is_some_and(|label| label != 1));
                let expected = match (labels[pixel], to_class, to_others) {
                    (None, ..) | (_, None, _) | (_, _, None) => 0.0,
                    (Some(1), _, Some(square)) => -((square as f64).sqrt() - 1.0),
                    (_, Some(square), _) => (square as f64).sqrt(),
                };
                prop_assert_eq!(level, expected);
            }
        }
    }

    #[test]
    fn a_pixel_without_axes_and_a_grid_without_pixels() {
        assert_eq!(squared_distances(&[true], &[]), Some(vec![0]));
        assert_eq!(squared_distances(&[], &[3, 0]), None);
        assert_eq!(signed_distances(&[Some(0)], &[], 0), [0.0]);
        assert!(signed_distances(&[], &[0, 2], 0).is_empty());
    }

    #[test]
    #[should_panic(expected = "labels of the axes [2, 2]")]
    fn labels_must_fill_their_axes() {
        signed_distances(&[Some(0); 3], &[2, 2], 0);
    }
}
