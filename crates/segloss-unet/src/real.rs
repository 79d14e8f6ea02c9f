//! The number types of the net.

/// `f32` to train with; `f64` so that finite differences can check gradients to many digits.
pub trait Real: dfdx_conv::Element + segloss::Element {
    /// The nearest number of the type.
    fn nearest(x: f64) -> Self;
}

impl Real for f32 {
    fn nearest(x: f64) -> Self {
        x as Self
    }
}

impl Real for f64 {
    fn nearest(x: f64) -> Self {
        x
    }
}
