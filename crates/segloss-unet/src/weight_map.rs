//! A weight for each pixel of an image, from `maps/NAME.npy`.

use std::path::Path;

use ndarray::ArrayViewD;
use ndarray_npy::{ViewElement, ViewNpyError, ViewNpyExt};

use crate::error::{DataProblem, Error, Result};

/// Reads an array (H, W) of float32 or float64, all of it finite and not negative.
///
/// # Errors
/// [`Error::Data`] naming `path` for anything else.
pub fn decode(bytes: &[u8], path: &Path, (height, width): (usize, usize)) -> Result<Vec<f32>> {
    let fail = |problem| Err(Error::data(path, problem));
    let map = match view::<f32>(bytes, path)? {
        Some(map) => map.as_standard_layout().into_owned(),
        None => match view::<f64>(bytes, path)? {
            Some(map) => map.mapv(|weight| weight as f32).as_standard_layout().into_owned(),
            None => return fail(DataProblem::Decode("holds neither float32 nor float64".to_owned())),
        },
    };
    if map.shape() != [height, width] {
        return fail(DataProblem::MapShape { found: map.shape().to_vec(), height, width });
    }
    if let Some((at, &weight)) =
        map.iter().enumerate().find(|(_, weight)| !(weight.is_finite() && **weight >= 0.0))
    {
        return fail(DataProblem::NotAWeight { value: weight.into(), x: at % width, y: at / width });
    }
    Ok(map.into_raw_vec_and_offset().0)
}

fn view<'a, T: ViewElement>(bytes: &'a [u8], path: &Path) -> Result<Option<ArrayViewD<'a, T>>> {
    match ArrayViewD::<T>::view_npy(bytes) {
        Ok(view) => Ok(Some(view)),
        Err(ViewNpyError::WrongDescriptor(_)) => Ok(None),
        Err(error) => Err(Error::data(path, DataProblem::Decode(error.to_string()))),
    }
}
