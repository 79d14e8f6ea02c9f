//! Transposed convolution with a 2×2 kernel and stride 2: learnt up-sampling.
//!
//! The windows of neighbouring pixels do not overlap, so each of the four kernel positions (i, j) is one
//! matrix product of all pixels, whose rows go to every second pixel of every second row.

use dfdx::prelude::{Cpu, HasShape, SplitTape, Tape};

use crate::gemm::{Matrix, add_product, write_product};
use crate::gradient::{backward_error, record};
use crate::output::Runs;
use crate::scratch::{reuse, with_scratch};
use crate::view::view;
use crate::{Element, Error, Image, Kernel, Vector, output};

const NAME: &str = "conv_transpose2d";

/// Transposed 2-D convolution with stride 2 and a 2×2 kernel; it doubles height and width:
///
/// > y\[n, 2r+i, 2s+j, o\] = b\[o\] + Σ_c x\[n, r, s, c\] · w\[i, j, c, o\],  i, j ∈ {0, 1}
///
/// | argument | shape |
/// |---|---|
/// | `x` | (N, H, W, Cin) |
/// | `weight` | (2, 2, Cin, Cout) |
/// | `bias` | (Cout) |
/// | result | (N, 2H, 2W, Cout) |
///
/// # Errors
/// [`Error::Shape`] for a kernel that is not 2×2 or channels that do not agree;
/// [`Error::NotContiguous`].
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Image, Kernel, conv_transpose2d, data};
/// let device = Cpu::default();
/// let x: Image<f32> = device.tensor_from_vec(vec![1.0, 10.0], (1, 1, 2, 1));
/// let w: Kernel<f32> = device.tensor_from_vec(vec![1.0, 2.0, 3.0, 4.0], (2, 2, 1, 1));
/// let y = conv_transpose2d(x, &w, None)?;
/// assert_eq!(data(&y)?, [1.0, 2.0, 10.0, 20.0, 3.0, 4.0, 30.0, 40.0]);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn conv_transpose2d<E: Element, T: Tape<E, Cpu>>(
    x: Image<E, T>,
    weight: &Kernel<E>,
    bias: Option<&Vector<E>>,
) -> Result<Image<E, T>, Error> {
    let sizes = check(&x, weight, bias)?;
    let (x, tape) = x.split_tape();
    let y = {
        let bias = bias.map(|b| view(b, NAME)).transpose()?;
        forward(&sizes, view(&x, NAME)?, view(weight, NAME)?, bias)
    };
    let shape = (sizes.images, 2 * sizes.height, 2 * sizes.width, sizes.outputs);
    let device = x.device().clone();
    let (weight, bias) = (weight.clone(), bias.cloned());
    record(&device, y, shape, tape, move |gradients, dy| {
        let w = view(&weight, NAME).map_err(backward_error)?;
        add_input_gradient(&sizes, w, &dy, gradients.get_or_alloc_mut(&x)?);
        let values = view(&x, NAME).map_err(backward_error)?;
        add_weight_gradient(&sizes, values, &dy, gradients.get_or_alloc_mut(&weight)?);
        if let Some(bias) = &bias {
            crate::channels::add_sums(&dy, gradients.get_or_alloc_mut(bias)?);
        }
        Ok(())
    })
}

#[derive(Clone, Copy)]
struct Sizes {
    images: usize,
    height: usize,
    width: usize,
    inputs: usize,
    outputs: usize,
}

impl Sizes {
    /// Runs of whole rows of x. The rows of all images are numbered through: row r of x always goes to
    /// the rows 2r and 2r + 1 of y.
    fn runs(&self) -> Runs {
        Runs::new(self.images * self.height, self.width * self.inputs.max(4 * self.outputs))
    }

    /// Elements of x in one of its rows.
    fn row_of_x(&self) -> usize {
        self.width * self.inputs
    }

    /// Elements of y that belong to one row of x: two rows of y.
    fn rows_of_y(&self) -> usize {
        4 * self.width * self.outputs
    }

    fn is_empty(&self) -> bool {
        self.images * self.height * self.width * self.inputs * self.outputs == 0
    }
}

fn check<E: Element, T>(
    x: &Image<E, T>,
    weight: &Kernel<E>,
    bias: Option<&Vector<E>>,
) -> Result<Sizes, Error> {
    let &(images, height, width, inputs) = x.shape();
    let outputs = weight.shape().3;
    if *weight.shape() != (2, 2, inputs, outputs) {
        let expected = format!("a kernel (2, 2, Cin, Cout) with Cin = {inputs}, the channels of x");
        return Err(Error::shape(NAME, expected, weight.shape()));
    }
    if let Some(bias) = bias
        && bias.shape().0 != outputs
    {
        let expected = format!("a bias of {outputs} elements, one for each output channel");
        return Err(Error::shape(NAME, expected, bias.shape().0));
    }
    Ok(Sizes { images, height, width, inputs, outputs })
}

/// Calls `visit(p, y)` for the pixels of y that position (i, j) of the kernel reaches from consecutive
/// pixels p of x, row by row.
fn pixels_of_tap<'y, E>(sizes: &Sizes, (i, j): (usize, usize), y: &'y [E]) -> impl Iterator<Item = &'y [E]> {
    let o = sizes.outputs;
    y.chunks_exact(sizes.rows_of_y()).flat_map(move |pair| {
        let half = pair.len() / 2;
        pair[i * half..(i + 1) * half].chunks_exact(2 * o).map(move |two| &two[j * o..(j + 1) * o])
    })
}

/// [`pixels_of_tap`], to write to.
fn pixels_of_tap_mut<'y, E>(
    sizes: &Sizes,
    (i, j): (usize, usize),
    y: &'y mut [E],
) -> impl Iterator<Item = &'y mut [E]> {
    let o = sizes.outputs;
    y.chunks_exact_mut(sizes.rows_of_y()).flat_map(move |pair| {
        let half = pair.len() / 2;
        pair[i * half..(i + 1) * half].chunks_exact_mut(2 * o).map(move |two| &mut two[j * o..(j + 1) * o])
    })
}

const TAPS: [(usize, usize); 4] = [(0, 0), (0, 1), (1, 0), (1, 1)];

fn forward<E: Element>(sizes: &Sizes, x: &[E], weight: &[E], bias: Option<&[E]>) -> Vec<E> {
    let &Sizes { inputs, outputs, .. } = sizes;
    let runs = sizes.runs();
    let lengths: Vec<_> = (0..runs.count()).map(|r| runs.items(r).len() * sizes.rows_of_y()).collect();
    output::build(&lengths, |run, y| {
        if let Some(bias) = bias
            && !bias.is_empty()
        {
            y.chunks_exact_mut(outputs).for_each(|pixel| pixel.copy_from_slice(bias));
        }
        if sizes.is_empty() {
            return;
        }
        let rows = runs.items(run);
        let x = &x[rows.start * sizes.row_of_x()..rows.end * sizes.row_of_x()];
        let pixels = x.len() / inputs;
        with_scratch(|scratch| {
            for (tap, w) in TAPS.into_iter().zip(weight.chunks_exact(inputs * outputs)) {
                let product = reuse(&mut scratch.product, pixels * outputs);
                let x = Matrix::rows(x, pixels, inputs, inputs);
                write_product(product, x, Matrix::rows(w, inputs, outputs, outputs));
                for (y, p) in pixels_of_tap_mut(sizes, tap, y).zip(product.chunks_exact(outputs)) {
                    y.iter_mut().zip(p).for_each(|(y, p)| *y += *p);
                }
            }
        });
    })
}

/// The pixels of dy at one kernel position, side by side.
fn gather<'s, E: Element>(sizes: &Sizes, tap: (usize, usize), dy: &[E], buffer: &'s mut Vec<E>) -> &'s [E] {
    let gathered = reuse(buffer, dy.len() / 4);
    for (g, dy) in gathered.chunks_exact_mut(sizes.outputs).zip(pixels_of_tap(sizes, tap, dy)) {
        g.copy_from_slice(dy);
    }
    gathered
}

/// dx\[n, r, s, c\] += Σ_{i,j,o} dy\[n, 2r+i, 2s+j, o\] · w\[i, j, c, o\]
fn add_input_gradient<E: Element>(sizes: &Sizes, weight: &[E], dy: &[E], dx: &mut [E]) {
    if sizes.is_empty() {
        return;
    }
    let &Sizes { inputs, outputs, .. } = sizes;
    let runs = sizes.runs();
    let lengths: Vec<_> = (0..runs.count()).map(|r| runs.items(r).len() * sizes.row_of_x()).collect();
    output::update(dx, &lengths, |run, dx| {
        let rows = runs.items(run);
        let dy = &dy[rows.start * sizes.rows_of_y()..rows.end * sizes.rows_of_y()];
        let pixels = dx.len() / inputs;
        with_scratch(|scratch| {
            for (tap, w) in TAPS.into_iter().zip(weight.chunks_exact(inputs * outputs)) {
                let dy = gather(sizes, tap, dy, &mut scratch.gradient);
                let dy = Matrix::rows(dy, pixels, outputs, outputs);
                add_product(dx, dy, Matrix::rows(w, inputs, outputs, outputs).transposed());
            }
        });
    });
}

/// dw\[i, j, c, o\] += Σ_{n,r,s} x\[n, r, s, c\] · dy\[n, 2r+i, 2s+j, o\]
fn add_weight_gradient<E: Element>(sizes: &Sizes, x: &[E], dy: &[E], dw: &mut [E]) {
    if sizes.is_empty() {
        return;
    }
    let &Sizes { inputs, outputs, .. } = sizes;
    let runs = sizes.runs();
    // One task for each kernel position; within it, run after run in order.
    output::update(dw, &[inputs * outputs; 4], |tap, dw| {
        with_scratch(|scratch| {
            for run in 0..runs.count() {
                let rows = runs.items(run);
                let x = &x[rows.start * sizes.row_of_x()..rows.end * sizes.row_of_x()];
                let dy = &dy[rows.start * sizes.rows_of_y()..rows.end * sizes.rows_of_y()];
                let dy = gather(sizes, TAPS[tap], dy, &mut scratch.gradient);
                let pixels = x.len() / inputs;
                let x = Matrix::rows(x, pixels, inputs, inputs);
                add_product(dw, x.transposed(), Matrix::rows(dy, pixels, outputs, outputs));
            }
        });
    });
}
