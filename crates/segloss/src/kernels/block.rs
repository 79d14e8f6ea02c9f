//! What is known of 64 pixels while their losses are computed.

use super::plane::{PIXELS, Plane};
use crate::simd::{Available, InstructionSets, Real, Simd, Vector};

/// The label of pixels that do not count. A single channel tells two classes apart.
pub(crate) fn no_class(classes: usize) -> usize {
    classes.max(2)
}

/// The pixels of a block, plane by plane. Pixels that do not count, ignored or behind the end of a tile, have the label
/// [`no_class`], weight 0 and logits 0.
pub(crate) struct Block<T> {
    /// What it is computed with.
    pub set: Available,
    /// How many pixels are inside the tile.
    pub pixels: usize,
    /// The class of each pixel; where it is of several, whichever.
    pub label: Plane<T>,
    /// The weight of each pixel in the map.
    pub m: Plane<T>,
    /// The target of each class, where it is a distribution ([`is_soft`](Self::is_soft)).
    pub y: Vec<Plane<T>>,
    /// Whether a pixel is of several classes.
    pub is_soft: bool,
    /// The logits of each class.
    pub z: Vec<Plane<T>>,
    /// The largest logit.
    pub max: Plane<T>,
    /// exp(z − max) of each class.
    pub e: Vec<Plane<T>>,
    /// Σ exp(z − max) over the classes but that of the label.
    pub others: Plane<T>,
    /// z − max and its exponential for the class of the label.
    pub d_own: Plane<T>,
    pub e_own: Plane<T>,
    /// The probability of each class, and 1 − that.
    pub p: Vec<Plane<T>>,
    pub q: Vec<Plane<T>>,
    /// Out: the weighted loss of each pixel; of channels, each channel's.
    pub loss: Vec<Plane<T>>,
    /// Out: the gradient so far, in the form that costs least.
    pub gradient: Gradient<T>,
    /// For arithmetic that is not finished in one loop.
    pub scratch: Vec<Plane<T>>,
}

/// ∂L/∂z as a sum of up to three forms.
pub(crate) struct Gradient<T> {
    /// `e·scale` for every class but the label's, and `own` for that: sums over pixels of a softmax.
    pub scale: Plane<T>,
    pub own: Plane<T>,
    pub has_scale: bool,
    /// ∂L/∂p of each class, to be brought back through the softmax or the sigmoids.
    pub by_p: Vec<Plane<T>>,
    pub has_by_p: bool,
    /// ∂L/∂z itself.
    pub by_z: Vec<Plane<T>>,
    pub has_by_z: bool,
}

impl<T: Real> Gradient<T> {
    /// Nothing so far.
    pub fn clear(&mut self) {
        (self.has_scale, self.has_by_p, self.has_by_z) = (false, false, false);
    }

    /// Whether it must be brought to one form before it is written.
    pub fn is_mixed(&self) -> bool {
        self.has_by_p || self.has_scale && self.has_by_z
    }
}

impl<T: InstructionSets> Block<T> {
    /// Room for a block of so many classes; other planes are made when they are first needed.
    pub fn new(set: Available, classes: usize) -> Self {
        let zeros = Plane::of(T::zero());
        Self {
            set,
            pixels: 0,
            label: zeros,
            m: zeros,
            y: Vec::new(),
            is_soft: false,
            z: vec![zeros; classes],
            max: zeros,
            e: Vec::new(),
            others: zeros,
            d_own: zeros,
            e_own: zeros,
            p: Vec::new(),
            q: Vec::new(),
            loss: Vec::new(),
            gradient: Gradient {
                scale: zeros,
                own: zeros,
                has_scale: false,
                by_p: Vec::new(),
                has_by_p: false,
                by_z: Vec::new(),
                has_by_z: false,
            },
            scratch: Vec::new(),
        }
    }

    /// How many classes, or channels.
    pub fn classes(&self) -> usize {
        self.z.len()
    }

    /// The label that counts as positive in channel 0: a single sigmoid channel tells class 1 from class 0.
    pub fn first_label(&self) -> usize {
        usize::from(self.classes() == 1)
    }

    /// The first pixel in which a loss or a part of the gradient is not finite, and how many entries are.
    pub fn not_finite(&self) -> Option<(usize, u64)> {
        let Gradient { scale, own, has_scale, by_z, has_by_z, .. } = &self.gradient;
        let bad = |pixel: usize| -> u64 {
            let entry = |c: usize| {
                let loss = self.loss.get(c).is_none_or(|loss| loss[pixel].is_finite());
                loss && (!has_by_z || by_z[c][pixel].is_finite())
            };
            let sum = !has_scale || scale[pixel].is_finite() && own[pixel].is_finite();
            (0..self.classes()).filter(|&c| !entry(c)).count() as u64 + u64::from(!sum)
        };
        let first = (0..self.pixels.min(PIXELS)).find(|&pixel| bad(pixel) > 0)?;
        Some((first, (first..self.pixels.min(PIXELS)).map(bad).sum()))
    }
}

/// Makes room for a plane of each class.
pub(crate) fn reserve<T: Real>(planes: &mut Vec<Plane<T>>, count: usize) {
    if planes.len() < count {
        planes.resize(count, Plane::of(T::zero()));
    }
}

/// Whether nothing was NaN or infinite: `non_finite` is a sum of products with 0.
#[inline(always)]
pub(crate) fn is_finite<S: Simd>(simd: S, non_finite: S::Vector) -> bool {
    !simd.any(non_finite.differs(simd.constant(0.0)))
}
