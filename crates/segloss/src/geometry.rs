//! Where a class and a pixel lie in memory.

use crate::error::{Error, Problem};
use crate::layout::Layout;

/// The sizes behind one array of logits: N images of C classes over P pixels each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub layout: Layout,
    pub images: usize,
    pub classes: usize,
    /// The spatial axes, as given; their product is `pixels`.
    pub spatial: Vec<usize>,
    pub pixels: usize,
}

impl Geometry {
    /// Reads N, C and the spatial axes off the shape of the logits.
    pub fn new(operation: &'static str, shape: &[usize], layout: Layout) -> Result<Self, Error> {
        let problem = |problem| Error { operation, problem };
        if shape.len() < 2 {
            return Err(problem(Problem::Rank { found: shape.to_vec() }));
        }
        if shape.contains(&0) {
            return Err(problem(Problem::Empty { found: shape.to_vec() }));
        }
        let (classes, spatial) = match layout {
            Layout::ChannelsFirst => (shape[1], shape[2..].to_vec()),
            Layout::ChannelsLast => (shape[shape.len() - 1], shape[1..shape.len() - 1].to_vec()),
        };
        let pixels = spatial.iter().product();
        Ok(Self { layout, images: shape[0], classes, spatial, pixels })
    }

    /// The same logits in the other layout.
    pub fn other(&self) -> Option<Self> {
        let layout = match self.layout {
            Layout::ChannelsFirst => Layout::ChannelsLast,
            Layout::ChannelsLast => Layout::ChannelsFirst,
        };
        Self::new("", &self.full_shape(), layout).ok()
    }

    /// The shape that index targets, masks and categorical maps have: (N, spatial…).
    pub fn pixel_shape(&self) -> Vec<usize> {
        [&[self.images], self.spatial.as_slice()].concat()
    }

    /// The shape of logits, gradients and distributions.
    pub fn full_shape(&self) -> Vec<usize> {
        let mut shape = self.pixel_shape();
        match self.layout {
            Layout::ChannelsFirst => shape.insert(1, self.classes),
            Layout::ChannelsLast => shape.push(self.classes),
        }
        shape
    }

    /// How far apart two neighbouring (classes, pixels) of one image are.
    pub fn strides(&self) -> (usize, usize) {
        match self.layout {
            Layout::ChannelsFirst => (self.pixels, 1),
            Layout::ChannelsLast => (1, self.classes),
        }
    }

    /// The position of class 0 of a pixel.
    pub fn offset(&self, image: usize, pixel: usize) -> usize {
        image * self.pixels * self.classes + pixel * self.strides().1
    }

    /// The index (n, spatial…) of a pixel, for messages.
    pub fn locate(&self, image: usize, pixel: usize) -> Vec<usize> {
        let mut rest = pixel;
        let mut index: Vec<usize> = self
            .spatial
            .iter()
            .rev()
            .map(|&size| {
                let here = rest % size;
                rest /= size;
                here
            })
            .collect();
        index.push(image);
        index.reverse();
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_name_the_same_sizes() {
        let first = Geometry::new("test", &[2, 3, 4, 5], Layout::ChannelsFirst).unwrap();
        let last = Geometry::new("test", &[2, 4, 5, 3], Layout::ChannelsLast).unwrap();
        assert_eq!((first.images, first.classes, first.pixels), (2, 3, 20));
        assert_eq!((last.images, last.classes, last.pixels), (2, 3, 20));
        assert_eq!(first.pixel_shape(), last.pixel_shape());
        assert_eq!(first.full_shape(), [2, 3, 4, 5]);
        assert_eq!(last.full_shape(), [2, 4, 5, 3]);
    }

    #[test]
    fn a_pixel_is_located_along_every_axis() {
        let volume = Geometry::new("test", &[2, 3, 4, 5, 6], Layout::ChannelsFirst).unwrap();
        assert_eq!(volume.locate(1, 2 * 30 + 3 * 6 + 4), [1, 2, 3, 4]);
        let plain = Geometry::new("test", &[2, 3], Layout::ChannelsLast).unwrap();
        assert_eq!((plain.pixels, plain.locate(1, 0)), (1, vec![1]));
    }

    #[test]
    fn shapes_without_pixels_are_refused() {
        assert!(Geometry::new("test", &[3], Layout::ChannelsFirst).is_err());
        assert!(Geometry::new("test", &[2, 3, 0, 4], Layout::ChannelsFirst).is_err());
    }
}
