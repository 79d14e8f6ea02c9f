//! What each level of the net is asked for: labels and weights at its resolution, and how much its loss counts.
//!
//! Level l has the labels of the full resolution by the nearest pixel, that is of the row y·2ˡ + 2ˡ⁻¹ and of the column
//! likewise, and its loss counts 2⁻ˡ / Σ 2⁻ᵏ over the levels (Isensee et al. 2021, nnU-Net, deep supervision; the lowest
//! level has no head).

use std::borrow::Cow;

use crate::batch::Batch;

/// What a level is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Level<'a, E: Clone> {
    /// (H, W) of one image.
    pub size: (usize, usize),
    /// (N, H, W)
    pub labels: Cow<'a, [u8]>,
    /// As many, or none.
    pub weights: Cow<'a, [E]>,
    /// How much its loss counts.
    pub factor: f64,
}

/// The full resolution, and `lower` levels below it.
pub fn levels<E: Copy>(batch: &Batch<E>, lower: usize) -> Vec<Level<'_, E>> {
    let (_, height, width, _) = batch.shape;
    let total: f64 = (0..=lower).map(|level| 0.5_f64.powi(level as i32)).sum();
    let level = |level: usize| {
        let size = (height >> level, width >> level);
        let factor = 0.5_f64.powi(level as i32) / total;
        if level == 0 {
            let (labels, weights) = (Cow::from(&batch.labels), Cow::from(&batch.weights));
            return Level { size, labels, weights, factor };
        }
        let half = 1 << (level - 1);
        let chosen = |at: usize| (at << level) + half;
        // Of the rows of all images on end.
        let images = batch.labels.len() / (height * width).max(1);
        let rows = (0..images).flat_map(|n| (0..size.0).map(move |y| n * height + chosen(y)));
        let pixels: Vec<usize> =
            rows.flat_map(|row| (0..size.1).map(move |x| row * width + chosen(x))).collect();
        let labels = pixels.iter().map(|&at| batch.labels[at]).collect();
        let weights = match batch.weights.is_empty() {
            true => Vec::new(),
            false => pixels.iter().map(|&at| batch.weights[at]).collect(),
        };
        Level { size, labels, weights: Cow::Owned(weights), factor }
    };
    (0..=lower).map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_levels_see_the_pixel_in_the_middle_and_count_less() {
        let batch = Batch {
            shape: (2, 4, 8, 1),
            images: Vec::new(),
            labels: (0..64).collect(),
            weights: (0..64).map(f64::from).collect(),
            sizes: vec![(4, 8); 2],
        };
        let levels = levels(&batch, 2);
        assert_eq!(levels.iter().map(|level| level.size).collect::<Vec<_>>(), [(4, 8), (2, 4), (1, 2)]);
        assert_eq!(*levels[0].labels, *batch.labels);
        assert_eq!(*levels[1].labels, [9, 11, 13, 15, 25, 27, 29, 31, 41, 43, 45, 47, 57, 59, 61, 63]);
        assert_eq!(*levels[2].labels, [18, 22, 50, 54]);
        assert_eq!(*levels[2].weights, [18.0, 22.0, 50.0, 54.0]);
        assert_eq!(
            levels.iter().map(|level| level.factor).collect::<Vec<_>>(),
            [4.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0]
        );
        let alone = super::levels(&batch, 0);
        assert_eq!((alone.len(), alone[0].factor), (1, 1.0));
    }
}
