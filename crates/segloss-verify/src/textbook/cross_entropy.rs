//! Softmax cross-entropy: Σ_c w_c·y_c·(−ln p_c), p_c = e^(z_c)/Σ_j e^(z_j).

use crate::number::{Number, sum};

/// The loss of one pixel.
pub fn pixel<T: Number>(z: &[T], y: &[T], w: &[T]) -> T {
    let total = sum(z.iter().map(T::exp));
    sum((0..z.len()).map(|c| {
        let p = z[c].exp() / total.clone();
        w[c].clone() * y[c].clone() * -p.ln()
    }))
}
