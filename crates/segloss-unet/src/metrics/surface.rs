//! How far the outline of a predicted region is from that of the true one.
//!
//! **Outline**: the pixels of a class that have one of their four neighbours outside of the image, or of another class. A
//! neighbour that is ignored is neither. With S the outline of the truth, S′ that of the prediction, and d(x, S) the
//! Euclidean distance in pixels from x to the nearest pixel of S:
//!
//! ```text
//! surface Dice (NSD) = (|{x ∈ S′: d(x, S) ≤ τ}| + |{x ∈ S: d(x, S′) ≤ τ}|) / (|S′| + |S|)
//! HD95 = max(95th percentile of d(x, S), x ∈ S′;  95th percentile of d(x, S′), x ∈ S)
//! ```
//!
//! NSD is Nikolov et al. 2018, *Deep learning to achieve clinically applicable segmentation of head and neck anatomy*, at
//! the tolerance τ. Both are MONAI's (`compute_surface_dice` without sub-voxels, `compute_hausdorff_distance` with
//! `percentile=95`): an outline is made of whole pixels and not of the pieces of curve that DeepMind's `surface-distance` weighs;
//! the percentile is between neighbours of the sorted distances, linearly; of both directions the larger one is taken, where nnU-Net and
//! medpy take one percentile of all distances together.
//!
//! Absent classes: NSD is 0 where one of the outlines is empty, and does not exist where both are; HD95 exists only
//! where both outlines do.

use segloss::squared_distances;

/// The label of pixels of which nothing is known; there are at most 255 classes.
pub const UNKNOWN: u8 = u8::MAX;

/// What NSD and HD95 of one class in one image need.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Surface {
    /// Pixels of the truth's outline.
    pub truth: u64,
    /// Those of them that are within the tolerance of the prediction's.
    pub truth_near: u64,
    /// Pixels of the prediction's outline.
    pub predicted: u64,
    /// Those of them that are within the tolerance of the truth's.
    pub predicted_near: u64,
    /// HD95, in pixels.
    pub hd95: Option<f64>,
}

impl Surface {
    /// NSD; none if there is no outline.
    pub fn dice(&self) -> Option<f64> {
        super::overlap::ratio(self.truth_near + self.predicted_near, self.truth + self.predicted)
    }

    /// Compares the outlines of a class in two label images of (rows, columns), with [`UNKNOWN`] where a pixel is ignored.
    /// A distance of exactly the tolerance is within it.
    pub fn measure(truth: &[u8], predicted: &[u8], size: (usize, usize), class: u8, tolerance: f64) -> Self {
        let outlines = [outline(truth, size, class), outline(predicted, size, class)];
        let Some(window) = Window::around(&outlines, size) else { return Self::default() };
        let [truth, predicted] = outlines.map(|outline| window.of(&outline, size.1));
        let size = window.size();
        let from_truth = distances(&truth, &predicted, size);
        let from_predicted = distances(&predicted, &truth, size);
        let count = |outline: &[bool]| outline.iter().filter(|&&on| on).count() as u64;
        let near = |squares: &[u64]| {
            squares.iter().filter(|&&square| square as f64 <= tolerance * tolerance).count() as u64
        };
        // Both or none: each needs the other's outline.
        let hd95 = percentile_95(&from_truth)
            .zip(percentile_95(&from_predicted))
            .map(|(from_truth, from_predicted)| from_truth.max(from_predicted));
        Self {
            truth: count(&truth),
            truth_near: near(&from_truth),
            predicted: count(&predicted),
            predicted_near: near(&from_predicted),
            hd95,
        }
    }
}

/// The pixels of a class that end it.
fn outline(labels: &[u8], (rows, columns): (usize, usize), class: u8) -> Vec<bool> {
    let other = |at: usize| labels[at] != class && labels[at] != UNKNOWN;
    let mut outline = vec![false; labels.len()];
    for y in 0..rows {
        for x in 0..columns {
            let at = y * columns + x;
            outline[at] = labels[at] == class
                && (y == 0
                    || x == 0
                    || y + 1 == rows
                    || x + 1 == columns
                    || other(at - columns)
                    || other(at - 1)
                    || other(at + columns)
                    || other(at + 1));
        }
    }
    outline
}

/// A rectangle of pixels: of rows and of columns, the first and the last.
#[derive(Debug, Clone, Copy)]
struct Window {
    rows: (usize, usize),
    columns: (usize, usize),
}

impl Window {
    /// The smallest one that holds both outlines: the nearest pixel of either lies in it. None if both are empty.
    fn around(outlines: &[Vec<bool>; 2], (rows, columns): (usize, usize)) -> Option<Self> {
        let any = |y: usize, x: usize| outlines.iter().any(|outline| outline[y * columns + x]);
        let row = |&y: &usize| (0..columns).any(|x| any(y, x));
        let rows = ((0..rows).find(row)?, (0..rows).rev().find(row)?);
        let column = |&x: &usize| (rows.0..=rows.1).any(|y| any(y, x));
        Some(Self { rows, columns: ((0..columns).find(column)?, (0..columns).rev().find(column)?) })
    }

    fn size(&self) -> (usize, usize) {
        (self.rows.1 + 1 - self.rows.0, self.columns.1 + 1 - self.columns.0)
    }

    /// What of an outline, so many columns wide, lies in it.
    fn of(&self, outline: &[bool], columns: usize) -> Vec<bool> {
        let rows = outline.chunks_exact(columns).skip(self.rows.0).take(self.size().0);
        rows.flat_map(|row| &row[self.columns.0..=self.columns.1]).copied().collect()
    }
}

/// The squared distance of each pixel of one outline to the other, sorted; nothing if that is empty.
fn distances(from: &[bool], to: &[bool], (rows, columns): (usize, usize)) -> Vec<u64> {
    let squares = squared_distances(to, &[rows, columns]).unwrap_or_default();
    let mut squares: Vec<u64> =
        squares.into_iter().zip(from).filter(|(_, on)| **on).map(|(d, _)| d).collect();
    squares.sort_unstable();
    squares
}

/// The distance at position 0.95·(n − 1) of sorted squares, between neighbours linearly.
fn percentile_95(squares: &[u64]) -> Option<f64> {
    // In twentieths: exact, where 0.95 is not.
    let twentieths = 19 * squares.len().checked_sub(1)?;
    let (below, part) = (twentieths / 20, (twentieths % 20) as f64 / 20.0);
    let distance = |at: usize| (squares[at.min(squares.len() - 1)] as f64).sqrt();
    Some(distance(below) + part * (distance(below + 1) - distance(below)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> (Vec<u8>, (usize, usize)) {
        let rows: Vec<&str> = text.split_whitespace().collect();
        let label = |c: char| c.to_digit(10).map_or(UNKNOWN, |digit| digit as u8);
        (rows.iter().flat_map(|row| row.chars().map(label)).collect(), (rows.len(), rows[0].len()))
    }

    fn measure(truth: &str, predicted: &str, class: u8, tolerance: f64) -> Surface {
        let ((truth, size), (predicted, _)) = (labels(truth), labels(predicted));
        Surface::measure(&truth, &predicted, size, class, tolerance)
    }

    #[test]
    fn by_hand() {
        let truth = "000000 011000 011000 000000";
        let moved = "000000 000110 000110 000000";
        let surface = measure(truth, moved, 1, 1.0);
        // Two columns to the right: half of each outline is 1 away, half is 2.
        let expected = Surface { truth: 4, truth_near: 2, predicted: 4, predicted_near: 2, hd95: Some(2.0) };
        assert_eq!(surface, expected);
        assert_eq!(surface.dice(), Some(0.5));
        assert_eq!(measure(truth, moved, 1, 2.0).dice(), Some(1.0));
        assert_eq!(measure(truth, truth, 1, 0.0).dice(), Some(1.0));
    }

    #[test]
    fn a_class_in_one_or_in_neither() {
        let (square, nothing) = ("000 010 000", "000 000 000");
        let surface = measure(square, nothing, 1, 9.0);
        assert_eq!(
            (surface.truth, surface.truth_near, surface.dice(), surface.hd95),
            (1, 0, Some(0.0), None)
        );
        let surface = measure(nothing, square, 1, 9.0);
        assert_eq!((surface.predicted, surface.dice(), surface.hd95), (1, Some(0.0), None));
        assert_eq!(measure(nothing, nothing, 1, 9.0), Surface::default());
        assert_eq!(Surface::default().dice(), None);
    }

    #[test]
    fn ignored_pixels_end_nothing_and_the_border_of_the_image_does() {
        // Column 2 of the truth's class lies beside ignored pixels.
        let surface = measure("00000 011x0 011x0 011x0 00000", "00000 011x0 011x0 011x0 00000", 1, 0.0);
        assert_eq!((surface.truth, surface.predicted), (5, 5));
        assert_eq!(measure("11 11", "11 11", 1, 0.0).truth, 4);
        // Enclosed by ignored pixels: no outline at all.
        assert_eq!(measure("xxx x1x xxx", "xxx x1x xxx", 1, 0.0), Surface::default());
    }

    #[test]
    fn percentiles_lie_between_neighbours() {
        let squares: Vec<u64> = (0..5_u64).map(|d| d * d).collect();
        // 0.95·4 = 3.8.
        assert_eq!(percentile_95(&squares), Some(3.8));
        assert_eq!((percentile_95(&[9]), percentile_95(&[])), (Some(3.0), None));
    }
}
