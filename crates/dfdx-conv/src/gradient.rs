//! The crate's side of dfdx's tape: making results, taking and adding gradients.

use dfdx::prelude::{Cpu, CpuError, Gradients, HasShape, PutTape, Shape, Tape, Tensor, TensorFromVec};

use crate::view::view;
use crate::{Element, Error};

/// The gradient of the loss with respect to `t`, as the backward pass has left it in `gradients`;
/// all zeros when no path led from `t` to the loss (where dfdx's own `Gradients::get` panics).
///
/// # Errors
/// [`Error::GradientConsumed`] when `t` is the *result* of an operation of this crate: such gradients
/// are released as soon as they have been passed on.
///
/// ```
/// use dfdx::prelude::*;
/// let device = Cpu::default();
/// let used = device.tensor([2.0f32, 3.0]);
/// let unused = device.tensor([1.0f32]);
/// let mut gradients = used.leaky_trace().square().sum().backward();
/// assert_eq!(dfdx_conv::parameter_gradient(&mut gradients, &used)?, [4.0, 6.0]);
/// assert_eq!(dfdx_conv::parameter_gradient(&mut gradients, &unused)?, [0.0]);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn parameter_gradient<'g, E: Element, S: Shape>(
    gradients: &'g mut Gradients<E, Cpu>,
    t: &Tensor<S, E, Cpu>,
) -> Result<&'g [E], Error> {
    let expected = t.shape().num_elements();
    let gradient: &[E] = gradients.get_or_alloc_mut(t)?;
    if gradient.len() != expected {
        return Err(Error::GradientConsumed { expected, actual: gradient.len() });
    }
    Ok(gradient)
}

/// Makes the result of an operation from its elements and, when gradients are recorded, puts
/// `backward` on the tape. It is called with all gradients and with the result's own one.
///
/// That one is moved out, for nobody reads it afterwards: all uses of the result lie later on the
/// tape and have run. So its memory is released during the backward pass rather than after it.
pub(crate) fn record<E: Element, S: Shape, T: Tape<E, Cpu>>(
    device: &Cpu,
    elements: Vec<E>,
    shape: S,
    mut tape: T,
    backward: impl FnOnce(&mut Gradients<E, Cpu>, Vec<E>) -> Result<(), CpuError> + 'static,
) -> Result<Tensor<S, E, Cpu, T>, Error> {
    let result = device.try_tensor_from_vec(elements, shape)?;
    if T::OWNS_TAPE {
        let ghost = result.ghost();
        tape.add_backward_op(move |gradients| {
            let gradient = std::mem::take(&mut **gradients.get_or_alloc_mut(&ghost)?);
            backward(gradients, gradient)
        });
    }
    Ok(result.put_tape(tape))
}

/// [`record`] for an operation whose derivative is best told from its result: `backward` also gets
/// that. (The tape then shares the result's memory, and the caller keeps nothing else alive.)
pub(crate) fn record_with_result<E: Element, S: Shape, T: Tape<E, Cpu>>(
    device: &Cpu,
    elements: Vec<E>,
    shape: S,
    mut tape: T,
    backward: impl FnOnce(&mut Gradients<E, Cpu>, Vec<E>, &[E]) -> Result<(), CpuError> + 'static,
) -> Result<Tensor<S, E, Cpu, T>, Error> {
    let result = device.try_tensor_from_vec(elements, shape)?;
    if T::OWNS_TAPE {
        let kept = result.clone();
        tape.add_backward_op(move |gradients| {
            let gradient = std::mem::take(&mut **gradients.get_or_alloc_mut(&kept)?);
            backward(gradients, gradient, view(&kept, "backward").map_err(backward_error)?)
        });
    }
    Ok(result.put_tape(tape))
}

/// An error inside a backward operation, which can only report dfdx's own kind. Shapes and layouts
/// have been checked on the way forward, so this is not expected to happen.
pub(crate) fn backward_error(_: Error) -> CpuError {
    CpuError::WrongNumElements
}
