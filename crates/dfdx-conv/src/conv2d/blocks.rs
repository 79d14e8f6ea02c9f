//! How a convolution is cut into blocks of rows, and what a block looks like with its border of zeros.
//!
//! **The padded block.** Rows of W pixels are laid out with P = ⌊Kw/2⌋ zero pixels before each, and P
//! after the last: the zeros on the right of a row are those on the left of the next.
//!
//! ```text
//!   0 a b c 0 d e f 0          W = 3, P = 1: two rows, pitch W + P = 4 pixels
//! ```
//!
//! Pixel q of the block, counted with that pitch, sees its row i of the kernel as the Kw·C numbers that
//! start at position q + i·pitch. So a convolution is one matrix product for each kernel row i, of a
//! matrix with overlapping rows that exists nowhere. The price: P of every W + P rows of the product are
//! garbage (they straddle two image rows) and are dropped.

use std::ops::Range;

use crate::Element;

/// The sizes of one convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) images: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Channels of x.
    pub(crate) inputs: usize,
    /// Channels of y.
    pub(crate) outputs: usize,
    pub(crate) kernel_height: usize,
    pub(crate) kernel_width: usize,
}

/// Some rows of one image.
pub(crate) struct Block {
    pub(crate) image: usize,
    pub(crate) rows: Range<usize>,
}

impl Sizes {
    /// The convolution that leads gradients back: from y's channels to x's.
    pub(crate) fn reversed(self) -> Self {
        Self { inputs: self.outputs, outputs: self.inputs, ..self }
    }

    /// Zero pixels beside a row.
    pub(crate) fn border(&self) -> usize {
        self.kernel_width / 2
    }

    /// Zero rows above an image.
    pub(crate) fn rows_above(&self) -> usize {
        self.kernel_height / 2
    }

    /// Pixels from the start of one padded row to the start of the next.
    pub(crate) fn pitch(&self) -> usize {
        self.width + self.border()
    }

    /// Pixels from the first of `rows` rows to the last one, garbage between rows included.
    pub(crate) fn span(&self, rows: usize) -> usize {
        (rows - 1) * self.pitch() + self.width
    }

    /// One product with the weights as they lie, without any padding, is all a 1×1 kernel needs.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.kernel_height == 1 && self.kernel_width == 1
    }

    /// The blocks in order. They depend on the sizes only, never on the number of threads.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        // About 256 KiB of f32 for a block's wider side, so that it stays in the L2 cache…
        const ELEMENTS: usize = 1 << 16;
        // …but enough blocks to keep a few threads busy.
        const AT_LEAST: usize = 16;
        let row = self.pitch() * self.inputs.max(self.outputs);
        let per_image = (self.height * row).div_ceil(ELEMENTS).max(AT_LEAST.div_ceil(self.images.max(1)));
        // Thin blocks copy their border rows too often and reload the weights too often.
        let per_image = per_image.min(self.height * self.width / 64).clamp(1, self.height.max(1));
        (0..self.images)
            .flat_map(|image| {
                (0..per_image).map(move |b| {
                    let rows = self.height * b / per_image..self.height * (b + 1) / per_image;
                    Block { image, rows }
                })
            })
            .filter(|block| !block.rows.is_empty())
            .collect()
    }
}

impl Block {
    /// Writes the block's rows of `images` (H·W·`channels` elements each) and the rows that the kernel
    /// sees above and below them, with zeros where it looks beyond the image.
    pub(crate) fn pad<'s, E: Element>(
        &self,
        sizes: &Sizes,
        images: &[E],
        channels: usize,
        buffer: &'s mut Vec<E>,
    ) -> &'s [E] {
        let (border, line) = (sizes.border() * channels, sizes.width * channels);
        let padded_rows = self.rows.len() + sizes.kernel_height - 1;
        let padded = crate::scratch::reuse(buffer, padded_rows * (border + line) + border);
        let (body, tail) = padded.split_at_mut(padded_rows * (border + line));
        for (i, padded_row) in body.chunks_exact_mut(border + line).enumerate() {
            let (left, inside) = padded_row.split_at_mut(border);
            left.fill(E::zero());
            match (self.rows.start + i).checked_sub(sizes.rows_above()) {
                Some(row) if row < sizes.height => {
                    let start = (self.image * sizes.height + row) * line;
                    inside.copy_from_slice(&images[start..start + line]);
                }
                _ => inside.fill(E::zero()),
            }
        }
        tail.fill(E::zero());
        padded
    }

    /// The block's part of `images`, as it lies.
    pub(crate) fn of<'i, E>(&self, sizes: &Sizes, images: &'i [E], channels: usize) -> &'i [E] {
        let line = sizes.width * channels;
        let first = self.image * sizes.height;
        &images[(first + self.rows.start) * line..(first + self.rows.end) * line]
    }
}
