//! Boundary IoU: the overlap of what lies just inside of the outlines.
//!
//! Cheng et al. 2021, *Boundary IoU: Improving Object-Centric Image Segmentation Evaluation*: with G the pixels of the class
//! in the truth, P those in the prediction, and X_d the pixels of X that are at most d away from one outside of it,
//!
//! ```text
//! boundary IoU = |G_d ∩ P_d| / |G_d ∪ P_d|,   d = max(1, round(ratio · diagonal of the image)), ratio = 0.02
//! ```
//!
//! As in the authors' code, distances are the larger of |Δrow| and |Δcolumn| (d erosions by 3×3 pixels), and outside of the image
//! is outside of the class; ignored pixels are neither inside nor outside. Over images, both counts are added.
//!
//! Absent classes: 0 where one of the two is empty, none where the class is not in the truth.

use super::surface::UNKNOWN;

/// The pixels of two inner bands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Band {
    /// In both.
    pub both: u64,
    /// In either.
    pub either: u64,
}

impl Band {
    /// Compares the bands of a class in two label images of (rows, columns), `width` pixels wide.
    pub fn measure(truth: &[u8], predicted: &[u8], size: (usize, usize), class: u8, width: usize) -> Self {
        let (truth, predicted) = (band(truth, size, class, width), band(predicted, size, class, width));
        let count = |keep: fn(bool, bool) -> bool| {
            truth.iter().zip(&predicted).filter(|(a, b)| keep(**a, **b)).count() as u64
        };
        Self { both: count(|a, b| a && b), either: count(|a, b| a || b) }
    }
}

/// The width of the band, in pixels, in an image of (rows, columns).
pub fn width((rows, columns): (usize, usize), ratio: f64) -> usize {
    let diagonal = ((rows * rows + columns * columns) as f64).sqrt();
    // As Python's `round`; a ratio of any size fits.
    ((ratio * diagonal).round_ties_even() as usize).clamp(1, rows.max(columns).max(1))
}

/// The pixels of a class that are at most `width` from a pixel of another, or from outside of the image.
fn band(labels: &[u8], (rows, columns): (usize, usize), class: u8, width: usize) -> Vec<bool> {
    let outside: Vec<bool> = labels.iter().map(|&label| label != class && label != UNKNOWN).collect();
    // A square is a stretch of a row, stretched over rows.
    let mut beside = vec![false; labels.len()];
    for y in 0..rows {
        stretch(y * columns, 1, columns, width, &outside, &mut beside);
    }
    let mut near = vec![false; labels.len()];
    for x in 0..columns {
        stretch(x, columns, rows, width, &beside, &mut near);
    }
    for y in 0..rows {
        for x in 0..columns {
            let to_border = (y + 1).min(rows - y).min(x + 1).min(columns - x);
            let at = y * columns + x;
            near[at] = labels[at] == class && (near[at] || to_border <= width);
        }
    }
    near
}

/// Along one line: whether there is a pixel of `of` within `width`.
fn stretch(start: usize, step: usize, length: usize, width: usize, of: &[bool], into: &mut [bool]) {
    // The pixels of `of` among the next `width`, this one and the last `width`.
    let at = |i: usize| start + i * step;
    let mut inside = (0..width.min(length)).filter(|&i| of[at(i)]).count();
    for i in 0..length {
        if i + width < length {
            inside += usize::from(of[at(i + width)]);
        }
        if i > width {
            inside -= usize::from(of[at(i - width - 1)]);
        }
        into[at(i)] = inside > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, pixel by pixel.
    fn slow(labels: &[u8], (rows, columns): (usize, usize), class: u8, width: usize) -> Vec<bool> {
        let (r, c, w) = (rows as isize, columns as isize, width as isize);
        let outside = |y: isize, x: isize| {
            let within = (0..r).contains(&y) && (0..c).contains(&x);
            !within || !matches!(labels[(y * c + x) as usize], label if label == class || label == UNKNOWN)
        };
        let near = |y, x| (y - w..=y + w).any(|v| (x - w..=x + w).any(|u| outside(v, u)));
        let pixels = (0..r).flat_map(|y| (0..c).map(move |x| (y, x)));
        pixels.map(|(y, x)| labels[(y * c + x) as usize] == class && near(y, x)).collect()
    }

    #[test]
    fn bands_are_as_defined() {
        let mut state = 1_u32;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize
        };
        for size in [(1, 1), (1, 9), (7, 1), (9, 12), (14, 11)] {
            for width in 1..=5 {
                // Rare others, so that some pixels are inside.
                let label = |draw: &mut dyn FnMut() -> usize| match draw() % 30 {
                    0 => 0,
                    1 | 2 => UNKNOWN,
                    _ => 1,
                };
                let labels: Vec<u8> = (0..size.0 * size.1).map(|_| label(&mut draw)).collect();
                assert_eq!(band(&labels, size, 1, width), slow(&labels, size, 1, width), "{size:?} {width}");
            }
        }
    }

    #[test]
    fn the_width_follows_the_diagonal() {
        assert_eq!(width((300, 400), 0.02), 10);
        assert_eq!(width((3, 4), 0.02), 1);
        // 0.5 rounds to the even 0, and is 1 all the same; 2.5 rounds to 2.
        assert_eq!((width((3, 4), 0.1), width((3, 4), 0.5)), (1, 2));
        assert_eq!(width((3, 4), 1e300), 4);
    }
}
