//! A weight for each pixel of an image, from `maps/NAME.npy`.

use std::path::Path;

use ndarray::ArrayD;

use crate::error::{DataProblem, Error, Result};
use crate::npy::{Array, NpyError, NpyFile};

/// Reads an array (H, W) of floats, all of them finite and not negative.
///
/// # Errors
/// [`Error::Data`] naming `path` for anything else.
pub fn decode(bytes: &[u8], path: &Path, (height, width): (usize, usize)) -> Result<Vec<f32>> {
    let fail = |problem| Error::data(path, problem);
    let file = NpyFile::decode(path, bytes).map_err(|error| match error {
        NpyError::Content { problem, .. } => fail(DataProblem::Decode(problem)),
        other => fail(DataProblem::Decode(other.to_string())),
    })?;
    let map: ArrayD<f32> = match file.array {
        Array::F32(map) => map,
        Array::F64(map) => map.mapv(|weight| weight as f32),
        _ => {
            let problem = format!("holds {}; weights are float16, float32 or float64", file.dtype);
            return Err(fail(DataProblem::Decode(problem)));
        }
    };
    if map.shape() != [height, width] {
        return Err(fail(DataProblem::MapShape { found: map.shape().to_vec(), height, width }));
    }
    let unfit = |weight: &f32| !(weight.is_finite() && *weight >= 0.0);
    if let Some((at, &weight)) = map.iter().enumerate().find(|(_, weight)| unfit(weight)) {
        return Err(fail(DataProblem::NotAWeight { value: weight.into(), x: at % width, y: at / width }));
    }
    Ok(map.into_raw_vec_and_offset().0)
}
