//! The rectifier.

use dfdx::prelude::{Cpu, HasShape, SplitTape, Tape};

use crate::gradient::record_with_result;
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
        y.copy_from_slice(&values[runs.elements(run)]);
        rectify(y);
    });
    let (device, x) = (x.device().clone(), x.ghost());
    // x > 0 exactly where y > 0: keeping y alone lets the memory of x go.
    record_with_result(&device, y, shape, tape, move |gradients, mut dy, y| {
        mask(&mut dy, y);
        let dx = gradients.get_or_alloc_mut(&x)?;
        output::update(dx, &runs.lengths(), |run, dx| {
            dx.iter_mut().zip(&dy[runs.elements(run)]).for_each(|(dx, dy)| *dx += *dy);
        });
        Ok(())
    })
}

/// x ← max(x, 0), keeping NaN.
pub(crate) fn rectify<E: Element>(x: &mut [E]) {
    // Not `x.max(0)`, which would turn NaN into 0.
    x.iter_mut().for_each(|x| *x = if *x < E::zero() { E::zero() } else { *x });
}

/// dy ← dy where y > 0, else 0: the derivative of y = max(x, 0), told from y.
pub(crate) fn mask<E: Element>(dy: &mut [E], y: &[E]) {
    let runs = Runs::new(y.len(), 1);
    output::update(dy, &runs.lengths(), |run, dy| {
        for (dy, y) in dy.iter_mut().zip(&y[runs.elements(run)]) {
            *dy = if *y > E::zero() { *dy } else { E::zero() };
        }
    });
}
