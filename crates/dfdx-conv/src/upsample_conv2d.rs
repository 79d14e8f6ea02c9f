//! Nearest up-sampling by 2 followed by a 3×3 convolution, without making the large image.
//!
//! Of the three rows that a kernel sees in the doubled image, two are copies of the same row: so at each
//! of the four positions (i, j) of an output pixel within its 2×2 square, the 3×3 kernel acts on the small
//! image as a 2×2 kernel whose weights are sums. Four 2×2 convolutions of small images: 4/9 of the work.

use dfdx::prelude::{Cpu, HasShape, SplitTape, Tape};
use rayon::prelude::*;

use crate::conv2d::blocks::{Block, Sizes};
use crate::gemm::{Matrix, add_product, write_product};
use crate::gradient::{backward_error, record};
use crate::output::Runs;
use crate::scratch::{Scratch, reuse, with_scratch};
use crate::view::view;
use crate::{Element, Error, Image, Kernel, Vector, channels, conv2d, output};

const NAME: &str = "upsample_conv2d";

/// [`upsample_nearest2d`](crate::upsample_nearest2d()) and then [`conv2d`](crate::conv2d()) with a 3×3
/// kernel, in one operation: the same numbers but for rounding, in 4/9 of the work, and the doubled image
/// is never made.
///
/// | argument | shape |
/// |---|---|
/// | `x` | (N, H, W, Cin) |
/// | `weight` | (3, 3, Cin, Cout) |
/// | `bias` | (Cout) |
/// | result | (N, 2H, 2W, Cout) |
///
/// # Errors
/// [`Error::Shape`] for a kernel that is not 3×3 or channels that do not agree;
/// [`Error::NotContiguous`].
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Image, Kernel, data, upsample_conv2d};
/// let device = Cpu::default();
/// let x: Image<f32> = device.ones_like(&(1, 1, 1, 1));
/// let box_filter: Kernel<f32> = device.ones_like(&(3, 3, 1, 1));
/// // One pixel becomes 2×2 ones, and each of them sees all four.
/// assert_eq!(data(&upsample_conv2d(x, &box_filter, None)?)?, [4.0; 4]);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn upsample_conv2d<E: Element, T: Tape<E, Cpu>>(
    x: Image<E, T>,
    weight: &Kernel<E>,
    bias: Option<&Vector<E>>,
) -> Result<Image<E, T>, Error> {
    let &(kernel_height, kernel_width, _, _) = weight.shape();
    if (kernel_height, kernel_width) != (3, 3) {
        return Err(Error::shape(NAME, "a 3×3 kernel", weight.shape()));
    }
    let sizes = conv2d::check(&x, weight, bias, NAME)?;
    let (x, tape) = x.split_tape();
    let y = {
        let bias = bias.map(|b| view(b, NAME)).transpose()?;
        forward(&sizes, view(&x, NAME)?, view(weight, NAME)?, bias)
    };
    let shape = (sizes.images, 2 * sizes.height, 2 * sizes.width, sizes.outputs);
    let device = x.device().clone();
    let (weight, bias) = (weight.clone(), bias.cloned());
    record(&device, y, shape, tape, move |gradients, dy| {
        let parts = parts(&sizes, &dy);
        let w = view(&weight, NAME).map_err(backward_error)?;
        add_input_gradient(&sizes, w, &parts, gradients.get_or_alloc_mut(&x)?);
        let values = view(&x, NAME).map_err(backward_error)?;
        add_weight_gradient(&sizes, values, &parts, gradients.get_or_alloc_mut(&weight)?);
        if let Some(bias) = &bias {
            channels::add_sums(&dy, gradients.get_or_alloc_mut(bias)?);
        }
        Ok(())
    })
}

/// The four positions (i, j) of a pixel within its 2×2 square.
const POSITIONS: [(usize, usize); 4] = [(0, 0), (0, 1), (1, 0), (1, 1)];

/// `FOLD[i][k]`: which of the two small rows the kernel's row k falls on, for output rows 2r + i. With
/// i = 0 the kernel sees the large rows 2r−1, 2r, 2r+1, which are the small rows r−1, r, r; with i = 1
/// they are r, r, r+1. So small row a is row r − 1 + i + a. Columns likewise.
const FOLD: [[usize; 3]; 2] = [[0, 1, 1], [0, 0, 1]];

/// The weights of the four 2×2 kernels: v\[i, j, a, b, c, o\] = Σ w\[k, l, c, o\] over the k and l with
/// `FOLD[i][k]` = a and `FOLD[j][l]` = b.
fn folded<E: Element>(sizes: &Sizes, weight: &[E]) -> Vec<E> {
    let tap = sizes.inputs * sizes.outputs;
    output::build(&[4 * tap; 4], |position, v| {
        for_each_pair(position, |large, small| {
            let w = &weight[large * tap..(large + 1) * tap];
            v[small * tap..(small + 1) * tap].iter_mut().zip(w).for_each(|(v, w)| *v += *w);
        });
    })
}

/// The nine taps 3k + l of the large kernel, each with the tap 2a + b of the small one it falls on.
fn for_each_pair(position: usize, mut visit: impl FnMut(usize, usize)) {
    let (i, j) = POSITIONS[position];
    for (k, a) in FOLD[i].into_iter().enumerate() {
        for (l, b) in FOLD[j].into_iter().enumerate() {
            visit(3 * k + l, 2 * a + b);
        }
    }
}

fn forward<E: Element>(sizes: &Sizes, x: &[E], weight: &[E], bias: Option<&[E]>) -> Vec<E> {
    let blocks = sizes.blocks();
    let folded = folded(sizes, weight);
    let lengths: Vec<_> = blocks.iter().map(|b| 4 * b.rows.len() * sizes.width * sizes.outputs).collect();
    output::build(&lengths, |b, y| {
        if let Some(bias) = bias
            && !bias.is_empty()
        {
            y.chunks_exact_mut(bias.len()).for_each(|pixel| pixel.copy_from_slice(bias));
        }
        with_scratch(|scratch| add_block(sizes, &blocks[b], x, &folded, y, scratch));
    })
}

/// Adds the convolutions to one block of y: the rows 2r and 2r + 1 for the rows r of the block.
fn add_block<E: Element>(
    sizes: &Sizes,
    block: &Block,
    x: &[E],
    folded: &[E],
    y: &mut [E],
    scratch: &mut Scratch<E>,
) {
    let &Sizes { inputs, outputs, width, .. } = sizes;
    if y.is_empty() || inputs == 0 {
        return;
    }
    let padded = block.pad(sizes, x, inputs, &mut scratch.input);
    let span = sizes.span(block.rows.len());
    let product = reuse(&mut scratch.product, span * outputs);
    for ((i, j), kernel) in POSITIONS.into_iter().zip(folded.chunks_exact(4 * inputs * outputs)) {
        for (a, kernel_row) in kernel.chunks_exact(2 * inputs * outputs).enumerate() {
            let seen = seen(sizes, padded, span, (i + a, j), inputs);
            let kernel_row = Matrix::rows(kernel_row, 2 * inputs, outputs, outputs);
            match a {
                0 => write_product(product, seen, kernel_row),
                _ => add_product(product, seen, kernel_row),
            }
        }
        let pairs = y.chunks_exact_mut(4 * width * outputs);
        for (pair, line) in pairs.zip(product.chunks(sizes.pitch() * outputs)) {
            let row = &mut pair[i * 2 * width * outputs..(i + 1) * 2 * width * outputs];
            for (two, p) in row.chunks_exact_mut(2 * outputs).zip(line.chunks_exact(outputs)) {
                two[j * outputs..(j + 1) * outputs].iter_mut().zip(p).for_each(|(y, p)| *y += *p);
            }
        }
    }
}

/// For each pixel of a padded block, two neighbouring pixels as one row of a matrix: those `row` rows
/// below and `column` (and one more) columns right of the pixel's upper left neighbour.
fn seen<'p, E: Element>(
    sizes: &Sizes,
    padded: &'p [E],
    span: usize,
    (row, column): (usize, usize),
    channels: usize,
) -> Matrix<'p, E> {
    let first = (row * sizes.pitch() + column) * channels;
    Matrix::rows(&padded[first..], span, 2 * channels, channels)
}

/// dy taken apart into four small images, one for each position (i, j).
fn parts<E: Element>(sizes: &Sizes, dy: &[E]) -> Vec<Vec<E>> {
    let &Sizes { images, height, width, outputs, .. } = sizes;
    let row = width * outputs;
    let runs = Runs::new(images * height, row);
    let part = |(i, j): (usize, usize)| {
        output::build(&runs.lengths(), |run, part| {
            for (part, r) in part.chunks_exact_mut(row.max(1)).zip(runs.items(run)) {
                let dy = &dy[(2 * r + i) * 2 * row..(2 * r + i + 1) * 2 * row];
                for (part, two) in part.chunks_exact_mut(outputs).zip(dy.chunks_exact(2 * outputs)) {
                    part.copy_from_slice(&two[j * outputs..(j + 1) * outputs]);
                }
            }
        })
    };
    POSITIONS.into_iter().map(part).collect()
}

/// dx\[r, s\] += Σ_{i,j,a,b} dy\[2(r+1−i−a)+i, 2(s+1−j−b)+j\] · v\[i, j, a, b\]ᵀ
fn add_input_gradient<E: Element>(sizes: &Sizes, weight: &[E], parts: &[Vec<E>], dx: &mut [E]) {
    let &Sizes { inputs, outputs, width, .. } = sizes;
    if inputs == 0 || outputs == 0 {
        return;
    }
    let folded = folded(sizes, weight);
    let tap = inputs * outputs;
    // A row of the padded part holds b = 1 before b = 0: turn each pair of taps, and transpose them.
    let turned = output::build(&[tap; 16], |t, turned| {
        let v = &folded[(t ^ 1) * tap..((t ^ 1) + 1) * tap];
        for (c, v) in v.chunks_exact(outputs).enumerate() {
            v.iter().enumerate().for_each(|(o, v)| turned[o * inputs + c] = *v);
        }
    });
    let reversed = sizes.reversed();
    let blocks = reversed.blocks();
    let lengths: Vec<_> = blocks.iter().map(|b| b.rows.len() * width * inputs).collect();
    output::update(dx, &lengths, |b, dx| {
        with_scratch(|scratch| {
            let block = &blocks[b];
            let span = sizes.span(block.rows.len());
            let product = reuse(&mut scratch.product, span * inputs);
            product.fill(E::zero());
            for (((i, j), part), kernel) in POSITIONS.into_iter().zip(parts).zip(turned.chunks_exact(4 * tap))
            {
                let padded = block.pad(&reversed, part, outputs, &mut scratch.gradient);
                for (a, kernel_row) in kernel.chunks_exact(2 * tap).enumerate() {
                    let seen = seen(sizes, padded, span, (2 - i - a, 1 - j), outputs);
                    add_product(product, seen, Matrix::rows(kernel_row, 2 * outputs, inputs, inputs));
                }
            }
            let lines = product.chunks(sizes.pitch() * inputs);
            for (dx, line) in dx.chunks_exact_mut(width * inputs).zip(lines) {
                dx.iter_mut().zip(line).for_each(|(dx, p)| *dx += *p);
            }
        });
    });
}

/// dv as for a convolution, then dw\[k, l\] += Σ_{i,j} dv\[i, j, FOLD\[i\]\[k\], FOLD\[j\]\[l\]\].
fn add_weight_gradient<E: Element>(sizes: &Sizes, x: &[E], parts: &[Vec<E>], dw: &mut [E]) {
    // As in `conv2d`: each run of blocks needs a copy of dv.
    const ELEMENTS: usize = 1 << 21;
    let &Sizes { inputs, outputs, .. } = sizes;
    let (tap, blocks) = (inputs * outputs, sizes.blocks());
    if blocks.is_empty() || tap == 0 {
        return;
    }
    let len = 16 * tap;
    let runs = (ELEMENTS / len).clamp(4, 32).min(blocks.len());
    let first = (sizes.rows_above() * sizes.pitch() + sizes.border()) * outputs;
    let partial = output::build(&vec![len; runs], |run, dv| {
        with_scratch(|scratch| {
            for block in &blocks[blocks.len() * run / runs..blocks.len() * (run + 1) / runs] {
                let x = block.pad(sizes, x, inputs, &mut scratch.input);
                let span = sizes.span(block.rows.len());
                for (((i, j), part), dv) in POSITIONS.into_iter().zip(parts).zip(dv.chunks_exact_mut(4 * tap))
                {
                    let dy = block.pad(sizes, part, outputs, &mut scratch.gradient);
                    let dy = Matrix::rows(&dy[first..], span, outputs, outputs);
                    for (a, dv) in dv.chunks_exact_mut(2 * tap).enumerate() {
                        add_product(dv, seen(sizes, x, span, (i + a, j), inputs).transposed(), dy);
                    }
                }
            }
        });
    });
    dw.par_chunks_exact_mut(tap).enumerate().for_each(|(large, dw)| {
        for run in partial.chunks_exact(len) {
            for (position, dv) in run.chunks_exact(4 * tap).enumerate() {
                for_each_pair(position, |k, small| {
                    if k == large {
                        let dv = &dv[small * tap..(small + 1) * tap];
                        dw.iter_mut().zip(dv).for_each(|(dw, dv)| *dw += *dv);
                    }
                });
            }
        }
    });
}
