//! A case as the library takes it.

use crate::case::{Case, Labels};
use ndarray::{ArrayView, IxDyn};
use segloss::{Element, Input, Target};

impl Case {
    /// Hands the case to `use_it` as the library's input, each number narrowed to its element type.
    ///
    /// # Errors
    /// The library's own words for refusing.
    pub fn with_input<T: Element, R>(
        &self,
        narrow: impl Fn(f64) -> T,
        use_it: impl FnOnce(&Input<'_, T>) -> Result<R, segloss::Error>,
    ) -> Result<R, String> {
        let narrowed = |numbers: &[f64]| -> Vec<T> { numbers.iter().map(|&x| narrow(x)).collect() };
        let (shape, pixel_shape) = (IxDyn(&self.shape()), IxDyn(&self.grid.pixel_shape()));
        let (logits, map) = (narrowed(&self.logits), self.weight_map.as_deref().map(narrowed));
        let logits = ArrayView::from_shape(shape.clone(), &logits).map_err(in_words)?;
        let y;
        let target = match &self.target {
            Labels::Indices(labels) => {
                Target::indices(ArrayView::from_shape(pixel_shape.clone(), labels).map_err(in_words)?)
            }
            Labels::Distribution(numbers) => {
                y = narrowed(numbers);
                Target::distribution(ArrayView::from_shape(shape, &y).map_err(in_words)?)
            }
        };
        let mut input = Input::new(logits, target).map_err(in_words)?;
        if let Some(map) = &map {
            let map = ArrayView::from_shape(pixel_shape, map).map_err(in_words)?;
            input = input.with_weight_map(map).map_err(in_words)?;
        }
        use_it(&input).map_err(in_words)
    }
}

/// An error and what it came of.
pub fn in_words(error: impl std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
