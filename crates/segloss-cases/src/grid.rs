//! Where each pixel lies in an array: the harness's own reading of the two layouts, which judges the library's.

use segloss::Layout;

/// N images of C classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// N.
    pub images: usize,
    /// C.
    pub classes: usize,
    /// The spatial axes.
    pub spatial: Vec<usize>,
}

impl Grid {
    /// N images of C classes over the spatial axes.
    pub fn new(images: usize, classes: usize, spatial: &[usize]) -> Self {
        Self { images, classes, spatial: spatial.to_vec() }
    }

    /// Reads the sizes off the shape of an array of logits.
    pub fn from_shape(shape: &[usize], layout: Layout) -> Self {
        match layout {
            Layout::ChannelsFirst => Self::new(shape[0], shape[1], &shape[2..]),
            Layout::ChannelsLast => Self::new(shape[0], shape[shape.len() - 1], &shape[1..shape.len() - 1]),
        }
    }

    /// Pixels of one image.
    pub fn pixels(&self) -> usize {
        self.spatial.iter().product()
    }

    /// Entries of an array of logits.
    pub fn len(&self) -> usize {
        self.images * self.classes * self.pixels()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of logits: (N, C, spatial…) or (N, spatial…, C).
    pub fn shape(&self, layout: Layout) -> Vec<usize> {
        let mut shape = self.pixel_shape();
        let axis = if layout == Layout::ChannelsFirst { 1 } else { shape.len() };
        shape.insert(axis, self.classes);
        shape
    }

    /// The shape of index targets: (N, spatial…).
    pub fn pixel_shape(&self) -> Vec<usize> {
        [&[self.images], self.spatial.as_slice()].concat()
    }

    /// Where class `c` of pixel `p` of image `n` lies.
    pub fn at(&self, layout: Layout, n: usize, c: usize, p: usize) -> usize {
        match layout {
            Layout::ChannelsFirst => (n * self.classes + c) * self.pixels() + p,
            Layout::ChannelsLast => (n * self.pixels() + p) * self.classes + c,
        }
    }

    /// Every pixel: (image, place).
    pub fn places(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let pixels = self.pixels();
        (0..self.images).flat_map(move |n| (0..pixels).map(move |p| (n, p)))
    }

    /// Every (n, p, c), classes fastest.
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let classes = self.classes;
        self.places().flat_map(move |(n, p)| (0..classes).map(move |c| (n, p, c)))
    }

    /// An array of one layout in the other.
    pub fn relaid<T: Copy + Default>(&self, array: &[T], from: Layout, to: Layout) -> Vec<T> {
        let mut out = vec![T::default(); array.len()];
        for (n, p, c) in self.entries() {
            out[self.at(to, n, c, p)] = array[self.at(from, n, c, p)];
        }
        out
    }
}
