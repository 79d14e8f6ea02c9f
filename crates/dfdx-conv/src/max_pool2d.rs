//! Maximum over 2×2 windows.

use dfdx::prelude::{Cpu, HasShape, SplitTape, Tape};

use crate::gradient::{backward_error, record};
use crate::output::Runs;
use crate::view::view;
use crate::{Element, Error, Image, output};

const NAME: &str = "max_pool2d";

/// The maximum of each 2×2 window, channel by channel, with stride 2:
///
/// > y\[n, r, s, c\] = max_{i,j ∈ {0,1}} x\[n, 2r+i, 2s+j, c\]
///
/// `x` is (N, H, W, C) with even H and W; the result is (N, H/2, W/2, C).
///
/// **Ties** go to the first maximum in row-major order: it alone gets the gradient, all of it. **NaN**
/// propagates: a window that holds one gives NaN. Both are as in PyTorch.
///
/// # Errors
/// [`Error::Shape`] for an odd height or width; [`Error::NotContiguous`].
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Image, data, max_pool2d};
/// let x: Image<f32> = Cpu::default().tensor_from_vec(vec![1.0, 7.0, 2.0, 3.0], (1, 2, 2, 1));
/// assert_eq!(data(&max_pool2d(x)?)?, [7.0]);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn max_pool2d<E: Element, T: Tape<E, Cpu>>(x: Image<E, T>) -> Result<Image<E, T>, Error> {
    let &(images, height, width, channels) = x.shape();
    if height % 2 != 0 || width % 2 != 0 {
        return Err(Error::shape(NAME, "an image of even height and width", x.shape()));
    }
    let (x, tape) = x.split_tape();
    let (rows, width) = (images * height / 2, width / 2);
    let y = forward(view(&x, NAME)?, rows, width, channels);
    let device = x.device().clone();
    record(&device, y, (images, height / 2, width, channels), tape, move |gradients, dy| {
        let values = view(&x, NAME).map_err(backward_error)?;
        add_gradient(values, &dy, gradients.get_or_alloc_mut(&x)?, rows, width, channels);
        Ok(())
    })
}

/// Whether `candidate` takes the place of the maximum so far. Strictly greater, so that the first of
/// equal ones stays; NaN takes it, and nothing but NaN takes it back.
#[inline]
fn takes_over<E: Element>(candidate: E, best: E) -> bool {
    (candidate > best) | candidate.is_nan()
}

/// The four pixels of window `s` within a pair of rows of x, by their offsets.
#[inline]
fn window(s: usize, width: usize, channels: usize) -> [usize; 4] {
    let (first, below) = (2 * s * channels, 2 * width * channels);
    [first, first + channels, below + first, below + first + channels]
}

/// `rows` and `width` are those of y. The rows of all images are numbered through.
fn forward<E: Element>(x: &[E], rows: usize, width: usize, channels: usize) -> Vec<E> {
    let row = width * channels;
    let runs = Runs::new(rows, row);
    output::build(&runs.lengths(), |run, y| {
        if row == 0 {
            return;
        }
        let pairs = x[4 * runs.elements(run).start..].chunks_exact(4 * row);
        for (y, pair) in y.chunks_exact_mut(row).zip(pairs) {
            for (s, y) in y.chunks_exact_mut(channels).enumerate() {
                let [a, b, c, d] = window(s, width, channels).map(|p| &pair[p..p + channels]);
                for ((((y, &a), &b), &c), &d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    let mut best = a;
                    best = if takes_over(b, best) { b } else { best };
                    best = if takes_over(c, best) { c } else { best };
                    best = if takes_over(d, best) { d } else { best };
                    *y = best;
                }
            }
        }
    })
}

/// dx += dy at the maximum of each window, 0 elsewhere.
fn add_gradient<E: Element>(x: &[E], dy: &[E], dx: &mut [E], rows: usize, width: usize, channels: usize) {
    let row = width * channels;
    if row == 0 {
        return;
    }
    let runs = Runs::new(rows, row);
    let lengths: Vec<_> = runs.lengths().into_iter().map(|len| 4 * len).collect();
    output::update(dx, &lengths, |run, dx| {
        let elements = runs.elements(run);
        let pairs = x[4 * elements.start..].chunks_exact(4 * row);
        let rows = dy[elements].chunks_exact(row);
        for ((dx, x), dy) in dx.chunks_exact_mut(4 * row).zip(pairs).zip(rows) {
            let (upper, lower) = dx.split_at_mut(2 * row);
            let pixels = upper.chunks_exact_mut(2 * channels).zip(lower.chunks_exact_mut(2 * channels));
            for ((s, dy), (upper, lower)) in dy.chunks_exact(channels).enumerate().zip(pixels) {
                let [a, b, c, d] = window(s, width, channels).map(|p| &x[p..p + channels]);
                let (da, db) = upper.split_at_mut(channels);
                let (dc, dd) = lower.split_at_mut(channels);
                for k in 0..channels {
                    // Without branches, so that the compiler can treat many channels at once.
                    let (mut best, mut at) = (a[k], 0);
                    (best, at) = if takes_over(b[k], best) { (b[k], 1) } else { (best, at) };
                    (best, at) = if takes_over(c[k], best) { (c[k], 2) } else { (best, at) };
                    at = if takes_over(d[k], best) { 3 } else { at };
                    let share = |i| if at == i { dy[k] } else { E::zero() };
                    da[k] += share(0);
                    db[k] += share(1);
                    dc[k] += share(2);
                    dd[k] += share(3);
                }
            }
        }
    });
}
