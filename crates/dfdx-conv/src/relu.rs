//! The rectifier.

use dfdx::prelude::{Cpu, HasShape, SplitTape, Tape};

use crate::gradient::{backward_error, record};
use crate::output::Runs;
use crate::view::view;
use crate::{Element, Error, Image, output};

const NAME: &str = "relu";

/// max(x, 0), element by element. The gradient is dy where x > 0 and 0 elsewhere, **at 0 included**,
/// as in PyTorch. NaN stays NaN and passes no gradient on.
///
/// # Errors
/// [`Error::NotContiguous`].
///
/// ```
/// use dfdx::prelude::*;
/// use dfdx_conv::{Image, data, relu};
/// let x: Image<f32> = Cpu::default().tensor_from_vec(vec![-1.0, 0.0, 2.0], (1, 1, 1, 3));
/// assert_eq!(data(&relu(x)?)?, [0.0, 0.0, 2.0]);
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn relu<E: Element, T: Tape<E, Cpu>>(x: Image<E, T>) -> Result<Image<E, T>, Error> {
    let shape = *x.shape();
    let (x, tape) = x.split_tape();
    let values = view(&x, NAME)?;
    let runs = Runs::new(values.len(), 1);
    let y = output::build(&runs.lengths(), |run, y| {
        for (y, &x) in y.iter_mut().zip(&values[runs.elements(run)]) {
            // Not `x.max(0)`, which would turn NaN into 0.
            *y = if x < E::zero() { E::zero() } else { x };
        }
    });
    let device = x.device().clone();
    record(&device, y, shape, tape, move |gradients, dy| {
        let values = view(&x, NAME).map_err(backward_error)?;
        let dx = gradients.get_or_alloc_mut(&x)?;
        output::update(dx, &runs.lengths(), |run, dx| {
            let elements = runs.elements(run);
            let terms = values[elements.clone()].iter().zip(&dy[elements]);
            for (dx, (&x, &dy)) in dx.iter_mut().zip(terms) {
                *dx += if x > E::zero() { dy } else { E::zero() };
            }
        });
        Ok(())
    })
}
