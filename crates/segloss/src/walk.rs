//! One walk over the pixels, tile by tile: what every family of losses does, each with its own visit.

use crate::census::positive_class;
use crate::element::Element;
use crate::error::{Error, Problem};
use crate::input::{Input, PixelLabel};
use crate::kinds::PixelTarget;
use crate::layout::Geometry;
use crate::loss::Loss;
use crate::plan::Plan;
use crate::tiles::{self, Tile};

/// A pixel that counts.
#[derive(Debug)]
pub(crate) struct Visit<'a, T> {
    /// Its number in its image.
    pub pixel: usize,
    /// Its logits, shifted by the threshold.
    pub z: &'a [T],
    pub y: PixelTarget<'a, T>,
    /// Its weight in the map.
    pub m: T,
}

/// Logits and labels, seen with the plan's shift.
pub(crate) struct Walk<'a, T> {
    pub loss: &'a Loss,
    pub input: &'a Input<'a, T>,
    pub geometry: &'a Geometry,
    pub plan: &'a Plan,
    /// Laid out like the logits; stands in for the target, where a kind asks for it.
    pub instead_of_target: Option<&'a [T]>,
}

impl<T: Element> Walk<'_, T> {
    /// Computes something of every tile, in parallel; the results come in the order of the tiles.
    pub fn tiles<W: Send, R: Send>(
        &self,
        outputs: Vec<W>,
        tile: impl Fn(&Tile, W) -> Result<R, Error> + Sync,
    ) -> Result<Vec<R>, Error> {
        let done = tiles::each(self.geometry, outputs, |(number, output)| {
            tile(&Tile::new(self.geometry, number), output)
        });
        // The first error in the order of the pixels, whoever met it first.
        done.into_iter().collect()
    }

    /// Visits the pixels of a tile in order, each with its number in the tile; `None` where it does not count.
    pub fn pixels(
        &self,
        tile: &Tile,
        mut visit: impl FnMut(Option<Visit<'_, T>>, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let classes = self.geometry.classes;
        let spec = self.loss.spec();
        let (class_stride, _) = self.geometry.strides();
        let shift: Vec<T> = self.plan.shift(tile.image).into_iter().flatten().map(|&s| T::of(s)).collect();
        let (mut z, mut y) = (vec![T::zero(); classes], vec![T::zero(); classes]);
        for (at, pixel) in tile.pixels.clone().enumerate() {
            let offset = self.geometry.offset(tile.image, pixel);
            let gather = |from: &[T], to: &mut [T]| {
                to.iter_mut().enumerate().for_each(|(c, to)| *to = from[offset + c * class_stride]);
            };
            let flat = tile.image * self.geometry.pixels + pixel;
            let target = match (self.input.label(flat, spec.ignore_index), self.instead_of_target) {
                (PixelLabel::Ignored, _) => {
                    visit(None, at)?;
                    continue;
                }
                (_, Some(rows)) | (PixelLabel::Distribution(rows), None) => {
                    gather(rows, &mut y);
                    PixelTarget::Distribution(&y)
                }
                // The census has refused labels that name no class.
                (PixelLabel::Index(label), None) => {
                    PixelTarget::Index(positive_class(label, classes, spec.is_sigmoid()).flatten())
                }
            };
            gather(self.input.logits, &mut z);
            z.iter_mut().zip(&shift).for_each(|(z, &s)| *z = *z - s);
            let m = self.input.weight(flat).unwrap_or(T::one());
            visit(Some(Visit { pixel, z: &z, y: target, m }), at)?;
        }
        Ok(())
    }

    /// Refuses logits that are NaN or infinite, also where what is made of them would look finite: the softmax
    /// of −∞ is 0.
    pub fn demand_finite(&self, image: usize, visit: &Visit<'_, T>) -> Result<(), Error> {
        match visit.z.iter().position(|z| !z.is_finite()) {
            None => Ok(()),
            Some(class) => {
                let index = self.geometry.locate(image, visit.pixel);
                let problem = Problem::Logit { value: visit.z[class].wide(), class, index };
                Err(Error { operation: self.loss.operation(), problem })
            }
        }
    }
}
