//! What the tests share: reproducible numbers, and gradients by finite differences.

use dfdx::prelude::*;
use dfdx_conv::{Element, Error, Image, Shape4, Vector, data, external_loss};

/// `len` reproducible numbers in (−1, 1), different for every `seed` (splitmix64).
pub fn numbers<E: Element>(len: usize, seed: u64) -> Vec<E> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..len)
        .map(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
            E::narrow(2.0 * unit - 1.0)
        })
        .collect()
}

/// `len` distinct numbers at least `1/len` apart and at least half of that from 0, in mixed-up order:
/// for operations with kinks, which finite differences must not step across.
pub fn separated(len: usize, seed: u64) -> Vec<f64> {
    let mut order: Vec<(f64, usize)> = numbers::<f64>(len, seed).into_iter().zip(0..).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut values = vec![0.0; len];
    for (rank, (_, place)) in order.into_iter().enumerate() {
        values[place] =
            (rank as f64 + 0.5) / len as f64 * 2.0 - 1.0 + if len % 2 == 1 { 0.5 / len as f64 } else { 0.0 };
    }
    values
}

pub fn elements((a, b, c, d): Shape4) -> usize {
    a * b * c * d
}

pub fn image<E: Element>(values: &[E], shape: Shape4) -> Image<E> {
    Cpu::default().tensor_from_vec(values.to_vec(), shape)
}

pub fn vector<E: Element>(values: &[E]) -> Vector<E> {
    Cpu::default().tensor_from_vec(values.to_vec(), (values.len(),))
}

/// Σ coefficientsᵢ·yᵢ with fixed random coefficients: a loss whose gradient has no symmetries that could
/// hide a mistake.
pub fn weighted_sum(y: &[f64]) -> f64 {
    numbers::<f64>(y.len(), 77).iter().zip(y).map(|(c, y)| c * y).sum()
}

/// [`weighted_sum`] on the tape.
pub fn weighted_sum_of<T: Tape<f64, Cpu>>(y: Image<f64, T>) -> Tensor<(), f64, Cpu, T> {
    external_loss(y, |y, gradient| {
        if let Some(gradient) = gradient {
            gradient.copy_from_slice(&numbers(y.len(), 77));
        }
        Ok::<_, Error>(weighted_sum(y))
    })
    .expect("a contiguous image")
}

/// Asserts that `gradient` is that of `f` at `x`: by a central difference of fourth order, to 10⁻⁷ of
/// the largest component, with no absolute allowance.
#[track_caller]
pub fn assert_is_gradient(gradient: &[f64], x: &[f64], f: impl Fn(&[f64]) -> f64) {
    assert_eq!(gradient.len(), x.len());
    let h = 1e-3;
    let mut at = x.to_vec();
    let differences: Vec<f64> = (0..x.len())
        .map(|i| {
            let mut value = |step: f64| {
                at[i] = x[i] + step;
                let value = f(&at);
                at[i] = x[i];
                value
            };
            (8.0 * (value(h) - value(-h)) - (value(2.0 * h) - value(-2.0 * h))) / (12.0 * h)
        })
        .collect();
    assert_close(gradient, &differences, 1e-7);
}

/// Asserts |aᵢ − bᵢ| ≤ tolerance·max|b| for all i. NaN fails.
#[track_caller]
pub fn assert_close<E: Element>(a: &[E], b: &[E], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().map(|b| b.widen().abs()).fold(0.0, f64::max);
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let difference = (a.widen() - b.widen()).abs();
        assert!(difference <= tolerance * largest, "element {i}: {a:?} against {b:?}; largest {largest:e}");
    }
}

/// The elements of a tensor, copied.
pub fn values<E: Element, S: Shape, T>(t: &Tensor<S, E, Cpu, T>) -> Vec<E> {
    data(t).expect("a contiguous tensor").to_vec()
}
