//! A tensor's numbers as a slice, without a copy.
//!
//! dfdx 0.13 shows single elements (`tensor[[i, j]]`) or copies all of them; it neither shows its
//! storage nor its strides. But the addresses of elements give the strides away.

use dfdx::prelude::{Cpu, HasShape, Shape, Tensor};

use crate::{Element, Error};

/// The tensor's elements in row-major order, borrowed.
///
/// # Errors
/// [`Error::NotContiguous`] when the tensor is a permuted or broadcast view, whose elements do not
/// lie in memory in this order.
///
/// ```
/// use dfdx::prelude::*;
/// let device = Cpu::default();
/// let t = device.tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(dfdx_conv::data(&t)?, [1.0, 2.0, 3.0, 4.0]);
/// assert!(dfdx_conv::data(&t.permute::<Rank2<2, 2>, _>()).is_err());
/// # Ok::<(), dfdx_conv::Error>(())
/// ```
pub fn data<E: Element, S: Shape, T>(t: &Tensor<S, E, Cpu, T>) -> Result<&[E], Error> {
    view(t, "data")
}

/// The tensor's elements in row-major order, for overwriting in place. The tensor keeps its identity,
/// so gradients keep reaching it: this is what an optimizer's step needs.
///
/// Tensors share storage and copy on write. If a clone of this tensor is alive (a tape holds clones
/// until the backward pass has run), its elements are copied once here and the clone keeps the old ones.
///
/// # Errors
/// [`Error::NotContiguous`], as [`data`].
pub fn data_mut<E: Element, S: Shape, T>(t: &mut Tensor<S, E, Cpu, T>) -> Result<&mut [E], Error> {
    let len = view(t, "data_mut")?.len();
    if len == 0 {
        return Ok(&mut []);
    }
    let first: *mut E = &mut t[S::Concrete::default()];
    // SAFETY: `view` has shown that the tensor is contiguous with `len` elements from its first one,
    // all inside one allocation. Indexing mutably has made this tensor that allocation's only owner
    // (a copy has the same layout), and the result borrows the tensor exclusively.
    Ok(unsafe { std::slice::from_raw_parts_mut(first, len) })
}

/// [`data`], with the name of the operation that asks.
pub(crate) fn view<'t, E: Element, S: Shape, T>(
    t: &'t Tensor<S, E, Cpu, T>,
    operation: &'static str,
) -> Result<&'t [E], Error> {
    let sizes = t.shape().concrete();
    let len = t.shape().num_elements();
    if len == 0 {
        return Ok(&[]);
    }
    let origin = S::Concrete::default();
    let first: *const E = &t[origin];
    // Row-major order means: one step along an axis moves by the product of the sizes after it.
    let mut stride = len;
    for (axis, size) in sizes.into_iter().enumerate() {
        stride /= size;
        if size == 1 {
            continue;
        }
        let mut next = origin;
        next[axis] = 1;
        let address = std::ptr::from_ref(&t[next]).addr();
        if address.wrapping_sub(first.addr()) != stride * size_of::<E>() {
            return Err(Error::NotContiguous { operation, shape: sizes.into_iter().collect() });
        }
    }
    // Touch the last element: indexing checks it against the end of the storage.
    let mut last = origin;
    for (axis, size) in sizes.into_iter().enumerate() {
        last[axis] = size - 1;
    }
    let last = std::ptr::from_ref(&t[last]).addr();
    assert_eq!(last - first.addr(), (len - 1) * size_of::<E>(), "strides are linear");
    // SAFETY: dfdx finds an element at Σ index·stride of one `Vec`. All strides along axes longer
    // than one have just been checked to be those of row-major order, and the last element was found
    // inside that `Vec`, so `first..first + len` lies within it. The result borrows the tensor, which
    // keeps the `Vec` alive and unchanged. (The pointer stems from a reference to the first element;
    // reaching its neighbours through it is within the Tree Borrows model.)
    Ok(unsafe { std::slice::from_raw_parts(first, len) })
}
