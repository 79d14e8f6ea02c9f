//! Pictures in memory: of the range they were stored in, rows from the top, channels last.

use serde::{Deserialize, Serialize};

/// A picture of 8 bits or another number type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels<T = u8> {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// 1 (grey or class indices) or 3 (RGB).
    pub channels: usize,
    /// `height · width · channels` values.
    pub data: Vec<T>,
}

/// An image as the net will see it before it is normalised: grey or RGB, its values as they were stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// 1 (grey) or 3 (RGB).
    pub channels: usize,
    /// `height · width · channels` values.
    pub values: Values,
}

/// The values of an image, in the type that holds their range.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// 0 to 255.
    Eight(Vec<u8>),
    /// 0 to 65 535.
    Sixteen(Vec<u16>),
    /// Any finite numbers.
    Float(Vec<f32>),
}

/// The range that an image's values were stored in. A net that learned from one cannot judge another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// 8 bits.
    #[default]
    Eight,
    /// 16 bits.
    Sixteen,
    /// Floating point.
    Float,
}

impl Depth {
    /// In words, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eight => "8-bit",
            Self::Sixteen => "16-bit",
            Self::Float => "float",
        }
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Eight(values) => values.len(),
            Self::Sixteen(values) => values.len(),
            Self::Float(values) => values.len(),
        }
    }

    /// The value at a position.
    pub fn number(&self, at: usize) -> f64 {
        match self {
            Self::Eight(values) => values[at].into(),
            Self::Sixteen(values) => values[at].into(),
            Self::Float(values) => values[at].into(),
        }
    }

    /// The largest value of a range of whole numbers.
    pub fn largest(&self) -> Option<f64> {
        match self {
            Self::Eight(_) => Some(u8::MAX.into()),
            Self::Sixteen(_) => Some(u16::MAX.into()),
            Self::Float(_) => None,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    pub fn get(&self, at: usize) -> f64 {
        match self {
            Self::Eight(values) => values[at].into(),
            Self::Sixteen(values) => values[at].into(),
            Self::Float(values) => values[at].into(),
        }
    }

    /// The smallest and the largest one; 0 and 0 of none.
    fn range(&self) -> (f64, f64) {
        let values = || (0..self.len()).map(|at| self.get(at));
        (values().reduce(f64::min).unwrap_or_default(), values().reduce(f64::max).unwrap_or_default())
    }
}

impl Image {
    /// The range of its values.
    pub fn depth(&self) -> Depth {
        match self.values {
            Values::Eight(_) => Depth::Eight,
            Values::Sixteen(_) => Depth::Sixteen,
            Values::Float(_) => Depth::Float,
        }
    }

    /// Grey as RGB with three equal channels, RGB as grey by its luma (Rec. 709 weights), or as it is.
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        let values = match (self.channels, channels) {
            (1, 3) => match self.values {
                Values::Eight(values) => Values::Eight(tripled(&values)),
                Values::Sixteen(values) => Values::Sixteen(tripled(&values)),
                Values::Float(values) => Values::Float(tripled(&values)),
            },
            (3, 1) => match self.values {
                Values::Eight(values) => Values::Eight(grey(&values, |rgb| luma(rgb) as u8)),
                Values::Sixteen(values) => Values::Sixteen(grey(&values, |rgb| luma(rgb) as u16)),
                Values::Float(values) => {
                    Values::Float(grey(&values, |[r, g, b]| 0.2126 * r + 0.7152 * g + 0.0722 * b))
                }
            },
            _ => return self,
        };
        Self { channels, values, ..self }
    }

    /// The image in 8 bits, to be looked at. 8-bit values stay; others are stretched from the image's
    /// smallest value (black) to its largest (white).
    pub fn shown(&self) -> Pixels {
        let data = match &self.values {
            Values::Eight(values) => values.clone(),
            values => {
                let (low, high) = values.range();
                let scale = if high > low { 255.0 / (high - low) } else { 0.0 };
                (0..values.len()).map(|at| ((values.get(at) - low) * scale).round() as u8).collect()
            }
        };
        Pixels { height: self.height, width: self.width, channels: self.channels, data }
    }

    /// The part of the image that begins at row `top` and column `left`.
    ///
    /// # Panics
    /// If the part goes beyond the image.
    #[must_use]
    pub fn crop(&self, (top, left): (usize, usize), (height, width): (usize, usize)) -> Self {
        let values = match &self.values {
            Values::Eight(values) => Values::Eight(self.part(values, (top, left), (height, width))),
            Values::Sixteen(values) => Values::Sixteen(self.part(values, (top, left), (height, width))),
            Values::Float(values) => Values::Float(self.part(values, (top, left), (height, width))),
        };
        Self { height, width, channels: self.channels, values }
    }

    fn part<T: Copy>(
        &self,
        values: &[T],
        (top, left): (usize, usize),
        (height, width): (usize, usize),
    ) -> Vec<T> {
        let at = |y: usize, x: usize| (y * self.width + x) * self.channels;
        (top..top + height).flat_map(|y| &values[at(y, left)..at(y, left + width)]).copied().collect()
    }
}

impl From<Pixels> for Image {
    fn from(Pixels { height, width, channels, data }: Pixels) -> Self {
        Self { height, width, channels, values: Values::Eight(data) }
    }
}

impl Pixels {
    /// Grey as RGB with three equal channels, or as it is.
    #[must_use]
    pub fn in_colour(self) -> Self {
        if self.channels == 3 { self } else { Self { channels: 3, data: tripled(&self.data), ..self } }
    }
}

fn tripled<T: Copy>(values: &[T]) -> Vec<T> {
    values.iter().flat_map(|&value| [value; 3]).collect()
}

fn grey<T: Copy>(values: &[T], luma: impl Fn([T; 3]) -> T) -> Vec<T> {
    values.as_chunks::<3>().0.iter().map(|&rgb| luma(rgb)).collect()
}

/// The luma of whole numbers, rounded: weights in 1/10000, and three 16-bit values times 10000 fit a u64.
fn luma<T: Into<u64>>([r, g, b]: [T; 3]) -> u64 {
    (2126 * r.into() + 7152 * g.into() + 722 * b.into() + 5000) / 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(channels: usize, values: Values) -> Image {
        Image { height: 1, width: values.len() / channels, channels, values }
    }

    #[test]
    fn channels_convert_in_every_depth() {
        for values in
            [Values::Eight(vec![0, 200]), Values::Sixteen(vec![0, 60_000]), Values::Float(vec![-0.5, 2.0])]
        {
            let grey = image(1, values);
            let rgb = grey.clone().with_channels(3);
            assert_eq!(
                (rgb.width, rgb.values.get(2), rgb.values.get(3)),
                (2, grey.values.get(0), grey.values.get(1))
            );
            let back = rgb.with_channels(1);
            assert_eq!((back.width, back.depth()), (2, grey.depth()));
            for at in 0..2 {
                assert!((back.values.get(at) - grey.values.get(at)).abs() <= 1e-6);
            }
        }
        assert_eq!(image(3, Values::Eight(vec![255, 0, 0])).with_channels(1).values, Values::Eight(vec![54]));
    }

    #[test]
    fn deep_images_are_stretched_to_be_looked_at() {
        assert_eq!(image(1, Values::Sixteen(vec![1000, 3000, 2000])).shown().data, [0, 255, 128]);
        assert_eq!(image(1, Values::Float(vec![-1.0, 1.0, -1.0])).shown().data, [0, 255, 0]);
        assert_eq!(image(1, Values::Float(vec![7.0, 7.0])).shown().data, [0, 0]);
        assert_eq!(image(1, Values::Eight(vec![3, 9])).shown().data, [3, 9]);
    }

    #[test]
    fn a_crop_is_that_part() {
        let values = Values::Sixteen((0..24).collect());
        let image = Image { height: 4, width: 3, channels: 2, values };
        let part = image.crop((1, 1), (2, 2));
        assert_eq!(part.values, Values::Sixteen(vec![8, 9, 10, 11, 14, 15, 16, 17]));
    }
}
