//! The number types of the net.

/// `f32` to train with; `f64` so that finite differences can check gradients to many digits.
pub trait Real: dfdx_conv::Element + segloss::Element {}

impl Real for f32 {}
impl Real for f64 {}
