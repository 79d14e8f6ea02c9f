//! Softmax cross-entropy of a block of pixels with a class each: the formulas of
//! [`kinds::cross_entropy`](crate::kinds::cross_entropy), many pixels side by side.

use crate::kernels::block::{Block, LANES};
use crate::kernels::functions::Real;
use crate::kernels::instructions::{Arithmetic, Kernel};

/// Turns the logits of a block into its gradient, and writes the losses.
pub(crate) struct CrossEntropy<'a, T>(pub &'a mut Block<T>);

impl<T: Real> Kernel for CrossEntropy<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self(block) = self;
        let (groups, rows) = (block.groups, block.z.len());
        let (zero, one) = (T::zero(), T::one());
        for group in 0..groups {
            let classes = || (group..rows).step_by(groups);
            let label = block.label[group];
            let mut max = block.z[group];
            for row in classes().skip(1) {
                let z = &block.z[row];
                for i in 0..LANES {
                    max[i] = if z[i] > max[i] { z[i] } else { max[i] };
                }
            }
            // Σ exp(z_j − max) without the first largest logit, whose exponential is 1: the largest are counted
            // instead, and one of them is taken off.
            let (mut others, mut lost, mut largest) = ([zero; LANES], [zero; LANES], [-one; LANES]);
            let (mut z_y, mut e_y) = ([zero; LANES], [zero; LANES]);
            let mut class = zero;
            for row in classes() {
                let z = &mut block.z[row];
                for i in 0..LANES {
                    let d = z[i] - max[i];
                    let e = d.exp_nonpositive::<A>();
                    z[i] = e;
                    let is_largest = d == zero;
                    largest[i] = largest[i] + if is_largest { one } else { zero };
                    let term = if is_largest { zero } else { e };
                    // Two-sum: what the addition rounds away is kept.
                    let sum = others[i] + term;
                    let taken = sum - others[i];
                    lost[i] = lost[i] + ((others[i] - (sum - taken)) + (term - taken));
                    others[i] = sum;
                    let is_label = label[i] == class;
                    z_y[i] = if is_label { d } else { z_y[i] };
                    e_y[i] = if is_label { e } else { e_y[i] };
                }
                class = class + one;
            }
            let (mut scale, mut own) = ([zero; LANES], [zero; LANES]);
            for i in 0..LANES {
                let others = (others[i] + lost[i]) + largest[i];
                let sum = one + others;
                // 1 − p_y: of a largest class the others' share, never a difference from 1.
                let complement = if z_y[i] == zero { others } else { sum - e_y[i] };
                scale[i] = block.w_gradient[group][i] / sum;
                own[i] = -(scale[i] * complement);
                block.loss[group][i] = block.w_loss[group][i] * (others.ln_1p_nonnegative::<A>() - z_y[i]);
            }
            let mut class = zero;
            for row in classes() {
                let z = &mut block.z[row];
                for i in 0..LANES {
                    let other = z[i] * scale[i];
                    z[i] = if label[i] == class { own[i] } else { other };
                }
                class = class + one;
            }
        }
    }
}
