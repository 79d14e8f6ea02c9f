//! Gradients of y = x ⋆ w, with dy = ∂loss/∂y:
//!
//! - dx = dy ⋆ w′, where w′ is w turned by 180° with its channels exchanged: a convolution again;
//! - dw\[i, j, c, o\] = Σ_{n,r,s} x\[n, r+i−⌊Kh/2⌋, s+j−⌊Kw/2⌋, c\] · dy\[n, r, s, o\].

use rayon::prelude::*;

use super::blocks::{Block, Sizes};
use super::forward::add_convolution;
use crate::gemm::{Matrix, add_product};
use crate::scratch::{Scratch, with_scratch};
use crate::{Element, output};

/// dx += dy ⋆ w′
pub(super) fn add_input_gradient<E: Element>(sizes: &Sizes, weight: &[E], dy: &[E], dx: &mut [E]) {
    add_convolution(&sizes.reversed(), dy, &turned(sizes, weight), dx);
}

/// w′\[i, j, o, c\] = w\[Kh−1−i, Kw−1−j, c, o\]
fn turned<E: Element>(sizes: &Sizes, weight: &[E]) -> Vec<E> {
    // Transposing tile by tile keeps both the rows read and the rows written in cache.
    const TILE: usize = 16;
    let &Sizes { inputs, outputs, kernel_height, kernel_width, .. } = sizes;
    let (taps, tap_len) = (kernel_height * kernel_width, inputs * outputs);
    output::build(&vec![tap_len; taps], |tap, turned| {
        let tap = taps - 1 - tap;
        let tap = &weight[tap * tap_len..(tap + 1) * tap_len];
        for c0 in (0..inputs).step_by(TILE) {
            for o0 in (0..outputs).step_by(TILE) {
                for o in o0..outputs.min(o0 + TILE) {
                    for c in c0..inputs.min(c0 + TILE) {
                        turned[o * inputs + c] = tap[c * outputs + o];
                    }
                }
            }
        }
    })
}

/// dw += …, summed over runs of blocks, first within each run and then run by run: a fixed order.
pub(super) fn add_weight_gradient<E: Element>(sizes: &Sizes, x: &[E], dy: &[E], dw: &mut [E]) {
    // Each run needs a copy of dw. Many small ones are cheap, large ones are not.
    const ELEMENTS: usize = 1 << 21;
    let blocks = sizes.blocks();
    if blocks.is_empty() || dw.is_empty() {
        return;
    }
    let runs = (ELEMENTS / dw.len()).clamp(4, 32).min(blocks.len());
    let partial = output::build(&vec![dw.len(); runs], |run, partial| {
        let blocks = &blocks[blocks.len() * run / runs..blocks.len() * (run + 1) / runs];
        with_scratch(|scratch| {
            for block in blocks {
                add_block(sizes, block, x, dy, partial, scratch);
            }
        });
    });
    let len = dw.len();
    dw.par_chunks_mut(1 << 12).enumerate().for_each(|(chunk, dw)| {
        let start = chunk << 12;
        for run in partial.chunks_exact(len) {
            for (dw, p) in dw.iter_mut().zip(&run[start..]) {
                *dw += *p;
            }
        }
    });
}

/// Adds what the pixels of one block contribute.
fn add_block<E: Element>(
    sizes: &Sizes,
    block: &Block,
    x: &[E],
    dy: &[E],
    dw: &mut [E],
    scratch: &mut Scratch<E>,
) {
    let &Sizes { inputs, outputs, kernel_width, .. } = sizes;
    if sizes.is_pointwise() {
        let (x, dy) = (block.of(sizes, x, inputs), block.of(sizes, dy, outputs));
        let pixels = block.rows.len() * sizes.width;
        let x = Matrix::rows(x, pixels, inputs, inputs);
        return add_product(dw, x.transposed(), Matrix::rows(dy, pixels, outputs, outputs));
    }
    let x = block.pad(sizes, x, inputs, &mut scratch.input);
    let dy = block.pad(sizes, dy, outputs, &mut scratch.gradient);
    // From the block's first pixel on; between rows dy is zero, which cancels x's garbage there.
    let span = sizes.span(block.rows.len());
    let first = (sizes.rows_above() * sizes.pitch() + sizes.border()) * outputs;
    let dy = Matrix::rows(&dy[first..], span, outputs, outputs);
    let taps = kernel_width * inputs;
    for (i, kernel_row) in dw.chunks_exact_mut(taps * outputs).enumerate() {
        let seen = Matrix::rows(&x[i * sizes.pitch() * inputs..], span, taps, inputs);
        add_product(kernel_row, seen.transposed(), dy);
    }
}
