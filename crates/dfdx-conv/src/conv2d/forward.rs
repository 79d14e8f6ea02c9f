//! y += x ⋆ w, one block of rows at a time.

use super::Activation;
use super::blocks::{Block, Sizes};
use crate::gemm::{Matrix, add_product, write_product};
use crate::scratch::{Scratch, reuse, with_scratch};
use crate::{Element, output, relu};

/// y = activation(b + x ⋆ w).
pub(super) fn convolve<E: Element>(
    sizes: &Sizes,
    x: &[E],
    weight: &[E],
    bias: Option<&[E]>,
    activation: Activation,
) -> Vec<E> {
    let blocks = sizes.blocks();
    output::build(&lengths(sizes, &blocks), |b, y| {
        if let Some(bias) = bias {
            y.chunks_exact_mut(bias.len()).for_each(|pixel| pixel.copy_from_slice(bias));
        }
        with_scratch(|scratch| add_block(sizes, &blocks[b], x, weight, y, scratch));
        // While the block is in cache.
        if activation == Activation::Relu {
            relu::rectify(y);
        }
    })
}

/// y += x ⋆ w.
pub(super) fn add_convolution<E: Element>(sizes: &Sizes, x: &[E], weight: &[E], y: &mut [E]) {
    let blocks = sizes.blocks();
    output::update(y, &lengths(sizes, &blocks), |b, y| {
        with_scratch(|scratch| add_block(sizes, &blocks[b], x, weight, y, scratch));
    });
}

/// Elements of y in each block.
fn lengths(sizes: &Sizes, blocks: &[Block]) -> Vec<usize> {
    blocks.iter().map(|block| block.rows.len() * sizes.width * sizes.outputs).collect()
}

/// Adds the convolution to one block of y.
fn add_block<E: Element>(
    sizes: &Sizes,
    block: &Block,
    x: &[E],
    weight: &[E],
    y: &mut [E],
    scratch: &mut Scratch<E>,
) {
    let &Sizes { inputs, outputs, kernel_width, width, .. } = sizes;
    if y.is_empty() || inputs == 0 {
        return;
    }
    if sizes.is_pointwise() {
        let pixels = y.len() / outputs;
        let x = Matrix::rows(block.of(sizes, x, inputs), pixels, inputs, inputs);
        return add_product(y, x, Matrix::rows(weight, inputs, outputs, outputs));
    }
    let padded = block.pad(sizes, x, inputs, &mut scratch.input);
    let span = sizes.span(block.rows.len());
    let taps = kernel_width * inputs;
    let product = reuse(&mut scratch.product, span * outputs);
    for (i, kernel_row) in weight.chunks_exact(taps * outputs).enumerate() {
        let seen = Matrix::rows(&padded[i * sizes.pitch() * inputs..], span, taps, inputs);
        let kernel_row = Matrix::rows(kernel_row, taps, outputs, outputs);
        match i {
            0 => write_product(product, seen, kernel_row),
            _ => add_product(product, seen, kernel_row),
        }
    }
    // Drop the pixels that straddle two rows.
    let lines = product.chunks(sizes.pitch() * outputs);
    for (y, line) in y.chunks_exact_mut(width * outputs).zip(lines) {
        for (y, p) in y.iter_mut().zip(line) {
            *y += *p;
        }
    }
}
