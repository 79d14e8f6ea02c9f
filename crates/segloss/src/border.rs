//! The U-Net's border weight map: more weight to the narrow background between cells.

use crate::distance::squared_distances;
use crate::error::{Error, Problem};
use ndarray::{ArrayD, ArrayView, ArrayViewD, Dimension, IxDyn, Slice, Zip};
use std::collections::BTreeMap;
use std::ops::Range;

const OPERATION: &str = "border map";

/// The largest weight: an f32 holds even the sum over a large image.
const LARGEST: f64 = 1e30;

/// The weight map of Ronneberger, Fischer & Brox, *U-Net: Convolutional Networks for Biomedical Image
/// Segmentation*, MICCAI 2015, equation 2:
///
/// w(x) = w_c(x) + w₀ · exp(−(d₁(x) + d₂(x))² / (2σ²))
///
/// - w_c(x) is the class weight of the pixel x, [`background`](Self::background) or [`cell`](Self::cell);
/// - d₁(x), d₂(x) are the Euclidean distances, in pixels, from x to the nearest and the second-nearest
///   cell, measured to the nearest pixel of the cell: 1 right beside it, 0 in it;
/// - [`w0`](Self::w0) is the height of the second term, without unit; [`sigma`](Self::sigma) its width
///   in pixels.
///
/// The formula is written for every pixel, but its purpose is the background between cells, and there alone
/// the authors' own software (the ImageJ plugin *Unet-Segmentation*) adds the second term. So does this
/// map unless [`inside`](Self::inside) is set. Cells that touch have no background between them; the
/// authors put some there, by labelling one of two touching pixels as background.
///
/// With fewer than two cells the second term is 0.
///
/// ```
/// use ndarray::array;
/// use segloss::border::BorderMap;
///
/// // Two cells of one pixel each. Between them d₁ + d₂ = 4 everywhere, beyond them it grows.
/// let cells = array![[0, 1, 0, 0, 0, 2]];
/// let map = BorderMap::default().weights(cells.view())?;
/// let between = 1.0 + 10.0 * (-(4.0_f64 * 4.0) / (2.0 * 5.0 * 5.0)).exp();
/// assert_eq!(map[[0, 1]], 1.0);
/// assert_eq!(map[[0, 3]], between as f32);
/// assert!(map[[0, 0]] < map[[0, 3]]);
/// # Ok::<(), segloss::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BorderMap {
    /// w₀, the weight that the second term adds where two cells are closest. 10 in the paper.
    pub w0: f64,
    /// σ in pixels. About 5 in the paper.
    pub sigma: f64,
    /// w_c of the pixels of no cell; 1 by default.
    pub background: f64,
    /// w_c of the pixels of cells; 1 by default.
    pub cell: f64,
    /// Add the second term inside of cells, too: there d₁ is 0 and d₂ the distance to the nearest other
    /// cell.
    pub inside: bool,
}

impl Default for BorderMap {
    fn default() -> Self {
        Self { w0: 10.0, sigma: 5.0, background: 1.0, cell: 1.0, inside: false }
    }
}

impl BorderMap {
    /// With class weights that balance so many pixels of background and of cells.
    ///
    /// w_c = 1 / (k · f_c), where f_c is the class's share of the pixels and k how many of the two
    /// classes there are: each contributes alike, and Σ f_c · w_c = 1. A class without pixels keeps its
    /// weight.
    ///
    /// ```
    /// use segloss::border::BorderMap;
    ///
    /// let map = BorderMap::default().balanced(750, 250);
    /// assert_eq!((map.background, map.cell), (1.0 / (2.0 * 0.75), 1.0 / (2.0 * 0.25)));
    /// ```
    pub fn balanced(mut self, background: u64, cell: u64) -> Self {
        let present = [background, cell].into_iter().filter(|&pixels| pixels > 0).count() as f64;
        let all = background as f64 + cell as f64;
        for (weight, pixels) in [(&mut self.background, background), (&mut self.cell, cell)] {
            if pixels > 0 {
                *weight = all / (present * pixels as f64);
            }
        }
        self
    }

    /// The weight of every pixel of an image, a volume, …: `cells` has a number for every cell, the same in
    /// all of its pixels, and 0 where there is none. See [`cells`](cells()). Distances are exact; a weight
    /// is rounded once, to f32.
    ///
    /// The time grows with the pixels of the image and of the surroundings of each cell, six σ wide for the
    /// default weights.
    ///
    /// # Errors
    /// [`Problem::Option`] if a weight is no number from 0 to 10³⁰, or σ is not positive and finite.
    pub fn weights<D: Dimension>(&self, cells: ArrayView<'_, u32, D>) -> Result<ArrayD<f32>, Error> {
        self.check()?;
        let cells = cells.into_dyn();
        let squares = two_nearest(&cells, self.reach());
        Ok(Zip::from(&cells).and(&squares).map_collect(|&cell, &squares| {
            let weight = match cell {
                0 => self.background + self.border(squares),
                _ if self.inside => self.cell + self.border(squares),
                _ => self.cell,
            };
            weight as f32
        }))
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |key, expected: String, found: f64| {
            let problem = Problem::Option { key, expected, found: found.to_string() };
            Err(Error { operation: OPERATION, problem })
        };
        for (key, weight) in [("w0", self.w0), ("background", self.background), ("cell", self.cell)] {
            if !(0.0..=LARGEST).contains(&weight) {
                return refuse(key, format!("a number from 0 to {LARGEST:e}"), weight);
            }
        }
        if !(self.sigma > 0.0 && self.sigma.is_finite()) {
            return refuse("sigma", "a positive number of pixels".to_owned(), self.sigma);
        }
        Ok(())
    }

    /// The second term.
    fn border(&self, [d1, d2]: [u64; 2]) -> f64 {
        if d2 == UNSEEN {
            return 0.0;
        }
        let sum = (d1 as f64).sqrt() + (d2 as f64).sqrt();
        self.w0 * (-0.5 * (sum / self.sigma).powi(2)).exp()
    }

    /// How far from a cell, in pixels, its distance can still matter to the map.
    fn reach(&self) -> usize {
        // To add less than half the gap between w_c and the next f32 is to add nothing once the sum is
        // rounded to f32. With r = d₁ + d₂,
        //     w₀ · exp(−r² / 2σ²) < gap / 2  ⇔  r > σ · √(2 ln(2w₀ / gap)),
        // and as each distance is at most r, cells farther away than that make no difference.
        let gap = |weight: f64| {
            let weight = weight as f32;
            f64::from(weight.next_up()) - f64::from(weight)
        };
        let gap = if self.inside { gap(self.background).min(gap(self.cell)) } else { gap(self.background) };
        (self.sigma * (2.0 * (2.0 * self.w0 / gap).ln()).max(0.0).sqrt()).ceil() as usize
    }
}

/// No cell is near enough.
const UNSEEN: u64 = u64::MAX;

/// The squared distances to the two nearest of the cells within `reach`, smaller first.
fn two_nearest(cells: &ArrayViewD<'_, u32>, reach: usize) -> ArrayD<[u64; 2]> {
    let mut nearest = ArrayD::from_elem(cells.raw_dim(), [UNSEEN; 2]);
    for (cell, extent) in extents(cells) {
        // The pixels within reach, and with them every pixel of the cell: what is nearest in this window
        // is nearest in the whole.
        let window = |axis: ndarray::AxisDescription| {
            let Range { start, end } = extent[axis.axis.index()];
            Slice::from(start.saturating_sub(reach)..end.saturating_add(reach).min(axis.len))
        };
        let around = cells.slice_each_axis(window);
        let seeds: Vec<bool> = around.iter().map(|&other| other == cell).collect();
        let squares = squared_distances(&seeds, around.shape()).into_iter().flatten();
        for ([d1, d2], square) in nearest.slice_each_axis_mut(window).iter_mut().zip(squares) {
            *d2 = square.max(*d1).min(*d2);
            *d1 = square.min(*d1);
        }
    }
    nearest
}

/// The smallest box around each cell: a range along every axis.
fn extents(cells: &ArrayViewD<'_, u32>) -> BTreeMap<u32, Vec<Range<usize>>> {
    let mut extents = BTreeMap::new();
    for (index, &cell) in cells.indexed_iter().filter(|(_, cell)| **cell != 0) {
        let here = index.slice().iter().map(|&at| at..at + 1);
        let extent: &mut Vec<Range<usize>> = extents.entry(cell).or_insert_with(|| here.clone().collect());
        for (range, here) in extent.iter_mut().zip(here) {
            *range = range.start.min(here.start)..range.end.max(here.end);
        }
    }
    extents
}

/// Which pixels are neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connectivity {
    /// Those that share a face: 2 in a line, 4 in an image, 6 in a volume.
    #[default]
    Faces,
    /// Those that share a face, an edge or a corner: 2 in a line, 8 in an image, 26 in a volume.
    Full,
}

impl Connectivity {
    /// The steps to the neighbours of a pixel, −1, 0 or 1 along each axis.
    fn steps(self, axes: usize) -> Vec<Vec<isize>> {
        let mut steps = vec![Vec::new()];
        for _ in 0..axes {
            steps =
                steps.iter().flat_map(|step| [-1, 0, 1].map(|next| [&step[..], &[next]].concat())).collect();
        }
        steps.retain(|step| match step.iter().filter(|&&along| along != 0).count() {
            0 => false,
            1 => true,
            _ => self == Self::Full,
        });
        steps
    }
}

/// Numbers the cells of a mask: 1, 2, … for the connected regions of the pixels that belong to one, in the
/// order of their first pixels, and 0 elsewhere. What [`BorderMap::weights`] takes.
///
/// Cells that touch become one. Where a mask marks their outlines with a class of their own, as in the
/// example, leave that class out: the outline is then background between cells, as in the paper.
///
/// ```
/// use ndarray::array;
/// use segloss::border::{Connectivity, cells};
///
/// let mask = array![[1_u8, 1, 2, 0], [2, 2, 1, 1]];
/// let inner = cells(mask.view(), |&label| label == 1, Connectivity::Faces);
/// assert_eq!(inner, array![[1, 1, 0, 0], [0, 0, 2, 2]].into_dyn());
/// let corners = cells(mask.view(), |&label| label == 1, Connectivity::Full);
/// assert_eq!(corners, array![[1, 1, 0, 0], [0, 0, 1, 1]].into_dyn());
/// ```
pub fn cells<L, D: Dimension>(
    labels: ArrayView<'_, L, D>,
    is_cell: impl Fn(&L) -> bool,
    connectivity: Connectivity,
) -> ArrayD<u32> {
    let labels = labels.into_dyn();
    let steps = connectivity.steps(labels.ndim());
    let mut cells = ArrayD::zeros(labels.raw_dim());
    let mut count = 0_u32;
    let mut open: Vec<IxDyn> = Vec::new();
    for (first, label) in labels.indexed_iter() {
        if cells[&first] != 0 || !is_cell(label) {
            continue;
        }
        // Cells beyond 2³² − 1, of an array of eight billion pixels, would share the last number.
        count = count.saturating_add(1);
        cells[&first] = count;
        open.push(first);
        while let Some(pixel) = open.pop() {
            for step in &steps {
                let mut neighbour = pixel.clone();
                for (at, &along) in neighbour.slice_mut().iter_mut().zip(step) {
                    // One step before the first pixel wraps to an index that no array has.
                    *at = at.wrapping_add_signed(along);
                }
                if labels.get(&neighbour).is_some_and(&is_cell) && cells[&neighbour] == 0 {
                    cells[&neighbour] = count;
                    open.push(neighbour);
                }
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, Axis, array};
    use proptest::prelude::*;

    fn distance(a: &IxDyn, b: &IxDyn) -> f64 {
        let axes = a.slice().iter().zip(b.slice());
        axes.map(|(&a, &b)| a.abs_diff(b).pow(2) as f64).sum::<f64>().sqrt()
    }

    /// Equation 2 to the letter: every distance from every pixel.
    fn textbook(map: &BorderMap, cells: &ArrayD<u32>) -> ArrayD<f64> {
        let pixels: Vec<(IxDyn, u32)> = cells.indexed_iter().map(|(index, &cell)| (index, cell)).collect();
        let mut weights = ArrayD::zeros(cells.raw_dim());
        for (pixel, here) in &pixels {
            let mut nearest = BTreeMap::new();
            for (other, cell) in pixels.iter().filter(|(_, cell)| *cell != 0) {
                let d = nearest.entry(cell).or_insert(f64::INFINITY);
                *d = distance(pixel, other).min(*d);
            }
            let mut distances: Vec<f64> = nearest.into_values().collect();
            distances.sort_by(f64::total_cmp);
            let wc = if *here == 0 { map.background } else { map.cell };
            let border = match distances[..] {
                [d1, d2, ..] if *here == 0 || map.inside => {
                    map.w0 * (-(d1 + d2).powi(2) / (2.0 * map.sigma * map.sigma)).exp()
                }
                _ => 0.0,
            };
            weights[pixel] = wc + border;
        }
        weights
    }

    /// The same number but for the last bit of an f32.
    fn same(fast: f32, exact: f64) -> bool {
        (f64::from(fast) - exact).abs() <= exact * f64::from(f32::EPSILON) + f64::from(f32::MIN_POSITIVE)
    }

    /// Sparse numbered pixels on a grid of one to three axes.
    fn images() -> impl Strategy<Value = ArrayD<u32>> {
        let shape = prop_oneof![
            prop::collection::vec(1..40_usize, 1),
            prop::collection::vec(1..12_usize, 2),
            prop::collection::vec(1..6_usize, 3),
        ];
        shape.prop_flat_map(|shape| {
            let cell = prop_oneof![6 => Just(0), 1 => 1..5_u32];
            prop::collection::vec(cell, shape.iter().product::<usize>())
                .prop_map(move |cells| ArrayD::from_shape_vec(IxDyn(&shape), cells).unwrap())
        })
    }

    proptest! {
        #[test]
        fn the_map_is_the_textbooks(
            cells in images(),
            w0 in prop_oneof![Just(0.0), 0.01..100.0_f64],
            // So small that a cell's window ends inside of the image.
            sigma in 0.2..4.0_f64,
            (background, cell) in prop_oneof![Just((0.0, 1.0)), (0.1..10.0_f64, 0.1..10.0_f64)],
            inside: bool,
        ) {
            let map = BorderMap { w0, sigma, background, cell, inside };
            let weights = map.weights(cells.view()).unwrap();
            for (&fast, &exact) in weights.iter().zip(&textbook(&map, &cells)) {
                prop_assert!(same(fast, exact), "{fast} is not {exact}");
            }
        }

        #[test]
        fn a_mirrored_image_has_a_mirrored_map(cells in images(), axis in 0..3_usize) {
            let map = BorderMap::default();
            let axis = Axis(axis % cells.ndim());
            let mut mirrored = cells.view();
            mirrored.invert_axis(axis);
            let mut weights = map.weights(mirrored).unwrap();
            weights.invert_axis(axis);
            prop_assert_eq!(weights, map.weights(cells.view()).unwrap());
        }

        #[test]
        fn two_pixels_are_one_cell_if_a_path_joins_them(image in images(), full: bool) {
            let (connectivity, longest) = if full { (Connectivity::Full, 3) } else { (Connectivity::Faces, 1) };
            let cells = cells(image.view(), |&label| label > 0, connectivity);
            prop_assert!(image.iter().zip(&cells).all(|(&label, &cell)| (label > 0) == (cell > 0)));
            // Neighbours share their number…
            let pixels: Vec<_> = cells.indexed_iter().filter(|(_, cell)| **cell > 0).collect();
            for ((a, cell_a), (b, cell_b)) in pixels.iter().flat_map(|a| pixels.iter().map(move |b| (a, b))) {
                let steps: Vec<usize> =
                    a.slice().iter().zip(b.slice()).map(|(a, b)| a.abs_diff(*b)).collect();
                if steps.iter().all(|&step| step < 2) && steps.iter().sum::<usize>() <= longest {
                    prop_assert_eq!(cell_a, cell_b);
                }
            }
            // …and there are as many numbers as classes of the relation's closure.
            let mut groups: Vec<usize> = (0..pixels.len()).collect();
            for _ in 0..pixels.len() {
                for i in 0..pixels.len() {
                    for j in 0..i {
                        let (a, b) = (pixels[i].0.slice(), pixels[j].0.slice());
                        let steps = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
                        if steps.clone().all(|step| step < 2) && steps.sum::<usize>() <= longest {
                            let group = groups[i].min(groups[j]);
                            (groups[i], groups[j]) = (group, group);
                        }
                    }
                }
            }
            groups.sort_unstable();
            groups.dedup();
            prop_assert_eq!(cells.iter().max().copied().unwrap_or(0) as usize, groups.len());
        }
    }

    #[test]
    fn two_single_pixels_have_a_closed_form() {
        let mut cells = Array2::zeros((41, 41));
        (cells[[20, 10]], cells[[20, 30]]) = (1, 2);
        let map = BorderMap { w0: 3.0, sigma: 7.0, background: 0.5, cell: 2.0, inside: false };
        let weights = map.weights(cells.view()).unwrap();
        for ((y, x), &cell) in cells.indexed_iter() {
            let dy = y as f64 - 20.0;
            let sum = dy.hypot(x as f64 - 10.0) + dy.hypot(x as f64 - 30.0);
            let expected = if cell > 0 { 2.0 } else { 0.5 + 3.0 * (-sum * sum / 98.0).exp() };
            assert!(same(weights[[y, x]], expected), "{y} {x}: {} {expected}", weights[[y, x]]);
        }
    }

    #[test]
    fn nothing_is_added_beyond_the_reach() {
        let map = BorderMap::default();
        let reach = map.reach();
        assert_eq!(reach, 31); // 5 √(2 ln(10 · 2²⁴))
        assert_eq!(BorderMap { w0: 1e3, sigma: 50.0, ..map.clone() }.reach(), 344); // 50 √(2 ln(1000 · 2²⁴))
        let mut cells = Array1::zeros(200);
        (cells[50], cells[51 + reach]) = (1, 2);
        assert!(map.weights(cells.view()).unwrap().iter().all(|&weight| weight == 1.0));
        (cells[51 + reach], cells[50 + reach - 1]) = (0, 2);
        assert!(map.weights(cells.view()).unwrap()[60] > 1.0);
    }

    #[test]
    fn fewer_than_two_cells_have_no_border() {
        let map = BorderMap { cell: 3.0, inside: true, ..BorderMap::default() };
        for cells in [array![0, 0, 0, 0], array![0, 7, 7, 0]] {
            let expected = cells.mapv(|cell| if cell > 0 { 3.0 } else { 1.0 }).into_dyn();
            assert_eq!(map.weights(cells.view()).unwrap(), expected);
        }
        assert!(map.weights(Array2::zeros((0, 4)).view()).unwrap().is_empty());
    }

    #[test]
    fn extreme_numbers_stay_finite() {
        let cells = array![[1, 0, 0, 2], [0, 3, 0, 0]];
        for sigma in [f64::MIN_POSITIVE, f64::MAX] {
            for weight in [0.0, 1e-300, LARGEST] {
                let map = BorderMap { w0: LARGEST, sigma, background: weight, cell: weight, inside: true };
                assert!(map.weights(cells.view()).unwrap().iter().all(|weight| weight.is_finite()));
            }
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        let message = |map: BorderMap| map.weights(array![0].view()).unwrap_err().to_string();
        let map = BorderMap::default();
        assert_eq!(
            message(BorderMap { w0: -1.0, ..map.clone() }),
            "border map: `w0` is -1; expected a number from 0 to 1e30"
        );
        assert!(message(BorderMap { cell: f64::NAN, ..map.clone() }).contains("`cell` is NaN"));
        assert!(
            message(BorderMap { background: f64::INFINITY, ..map.clone() }).contains("`background` is inf")
        );
        assert_eq!(
            message(BorderMap { sigma: 0.0, ..map }),
            "border map: `sigma` is 0; expected a positive number of pixels"
        );
    }

    #[test]
    fn balanced_weights_have_mean_one() {
        let map = BorderMap::default().balanced(900, 100);
        assert!((0.9 * map.background + 0.1 * map.cell - 1.0).abs() < 1e-15);
        assert!((0.9 * map.background - 0.1 * map.cell).abs() < 1e-15);
        let alone = BorderMap::default().balanced(0, 5);
        assert_eq!((alone.background, alone.cell), (1.0, 1.0));
        assert_eq!(BorderMap::default().balanced(0, 0), BorderMap::default());
    }
}
