//! The bridge for a loss that is computed elsewhere.

use dfdx::prelude::{Cpu, Shape, SplitTape, Tape, Tensor};

use crate::gradient::record;
use crate::output::Runs;
use crate::view::view;
use crate::{Element, Error, output};

/// Puts a loss that something else computes, together with its gradient, on dfdx's tape.
///
/// `loss(values, gradient)` gets the elements of `x` in row-major order and returns the loss. When
/// gradients are recorded it also gets a zeroed buffer of the same length, to fill with ∂loss/∂x;
/// without a tape it gets `None` and can skip that work.
///
/// # Errors
/// What `loss` returns comes back as it is. An error of this crate ([`Error::NotContiguous`]) is
/// converted into the same type.
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Error, external_loss, parameter_gradient};
/// let x = Cpu::default().tensor([3.0f32, -1.0]);
/// // ½‖x‖², whose gradient is x.
/// let loss = external_loss(x.leaky_trace(), |x, gradient| {
///     if let Some(gradient) = gradient {
///         gradient.copy_from_slice(x);
///     }
///     Ok::<_, Error>(x.iter().map(|x| 0.5 * x * x).sum())
/// })?;
/// assert_eq!(loss.array(), 5.0);
/// let mut gradients = (loss * 2.0).backward();
/// assert_eq!(parameter_gradient(&mut gradients, &x)?, [6.0, -2.0]);
/// # Ok::<(), Error>(())
/// ```
pub fn external_loss<E, S, T, X, F>(x: Tensor<S, E, Cpu, T>, loss: F) -> Result<Tensor<(), E, Cpu, T>, X>
where
    E: Element,
    S: Shape,
    T: Tape<E, Cpu>,
    X: From<Error>,
    F: FnOnce(&[E], Option<&mut [E]>) -> Result<E, X>,
{
    let (x, tape) = x.split_tape();
    let values = view(&x, "external_loss")?;
    // Pages are touched by many threads here rather than by one inside `loss`.
    let runs = Runs::new(if T::OWNS_TAPE { values.len() } else { 0 }, 1);
    let mut gradient = output::build(&runs.lengths(), |_, _: &mut [E]| ());
    let value = loss(values, T::OWNS_TAPE.then_some(&mut gradient[..]))?;
    let device = x.device().clone();
    Ok(record(&device, vec![value], (), tape, move |gradients, outer| {
        // The chain rule: the loss may have been scaled or added to others.
        let outer = outer[0];
        let dx = gradients.get_or_alloc_mut(&x)?;
        output::update(dx, &runs.lengths(), |run, dx| {
            dx.iter_mut().zip(&gradient[runs.elements(run)]).for_each(|(dx, g)| *dx += outer * *g);
        });
        Ok(())
    })?)
}
