//! Softmax cross-entropy of a block of pixels with a class each: the formulas of
//! [`kinds::cross_entropy`](crate::kinds::cross_entropy), many pixels side by side.

use crate::element::Element;
use crate::kernels::block::{Block, LANES, NO_CLASS};
use crate::kernels::instructions::{Arithmetic, Kernel};

/// Turns the logits of a block into its gradient, and writes the losses. Returns whether all logits of pixels that
/// count, all losses and all of the gradient are finite.
pub(crate) struct CrossEntropy<'a, T> {
    pub block: &'a mut Block<T>,
    /// The weight of each class in the loss.
    pub w_loss: &'a [T],
    /// The same divided by the denominator.
    pub w_gradient: &'a [T],
}

impl<T: Element> Kernel for CrossEntropy<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> bool {
        let Self { block: Block { groups, z, max, class, m, loss }, w_loss, w_gradient } = self;
        let groups = *groups;
        let (zero, one, no_class) = (T::zero(), T::one(), T::of(NO_CLASS));
        // x − x is 0 for a finite x, and NaN for any other: a sum of them tells.
        let mut doubt = [zero; LANES];

        for group in 0..groups {
            let mut top = [T::min_value(); LANES];
            for row in (group..z.len()).step_by(groups) {
                for i in 0..LANES {
                    // What does not count may be anything: it is taken for 0.
                    let z_c = if class[group][i] == no_class { zero } else { z[row][i] };
                    z[row][i] = z_c;
                    doubt[i] = doubt[i] + (z_c - z_c);
                    top[i] = if z_c > top[i] { z_c } else { top[i] };
                }
            }
            max[group] = top;
        }

        for group in 0..groups {
            let (top, label) = (max[group], class[group]);
            // Σ exp(z_j − max) without the first largest logit, whose exponential is 1: the largest are counted
            // instead, and one of them is taken off.
            let (mut others, mut lost, mut largest) = ([zero; LANES], [zero; LANES], [-one; LANES]);
            let (mut z_y, mut e_y) = ([zero; LANES], [zero; LANES]);
            let (mut w, mut v) = ([zero; LANES], [zero; LANES]);
            let mut c = zero;
            for (row, (&w_c, &v_c)) in (group..z.len()).step_by(groups).zip(w_loss.iter().zip(w_gradient)) {
                for i in 0..LANES {
                    let d = z[row][i] - top[i];
                    let e = d.exp_nonpositive::<A>();
                    z[row][i] = e;
                    let is_largest = d == zero;
                    largest[i] = if is_largest { largest[i] + one } else { largest[i] };
                    let term = if is_largest { zero } else { e };
                    // What the addition rounds away is kept (Knuth's two-sum).
                    let sum = others[i] + term;
                    let taken = sum - others[i];
                    lost[i] = lost[i] + ((others[i] - (sum - taken)) + (term - taken));
                    others[i] = sum;
                    let is_label = label[i] == c;
                    z_y[i] = if is_label { d } else { z_y[i] };
                    e_y[i] = if is_label { e } else { e_y[i] };
                    w[i] = if is_label { w_c } else { w[i] };
                    v[i] = if is_label { v_c } else { v[i] };
                }
                c = c + one;
            }

            let (mut scale, mut own) = ([zero; LANES], [zero; LANES]);
            for i in 0..LANES {
                let others = (others[i] + lost[i]) + largest[i];
                let sum = one + others;
                // 1 − p_y: of a largest class the others' share, never a difference from 1.
                let complement = if z_y[i] == zero { others } else { sum - e_y[i] };
                let m = m[group][i];
                scale[i] = v[i] * m / sum;
                own[i] = -(scale[i] * complement);
                let l = w[i] * m * (others.ln_1p_nonnegative::<A>() - z_y[i]);
                loss[group][i] = l;
                doubt[i] = doubt[i] + ((scale[i] - scale[i]) + (l - l));
            }

            let mut c = zero;
            for row in (group..z.len()).step_by(groups) {
                for i in 0..LANES {
                    let other = z[row][i] * scale[i];
                    z[row][i] = if label[i] == c { own[i] } else { other };
                }
                c = c + one;
            }
        }
        doubt.iter().all(|&doubt| doubt == zero)
    }
}
