//! Losses that are sums over pixels: value and gradient in one pass.

use crate::element::Element;
use crate::error::{Error, Problem};
use crate::families::blocks::BlockLoss;
use crate::kind::Kind;
use crate::kinds::{Pixel, PixelLoss, PixelWeights};
use crate::sums::{Broken, Sums};
use crate::tiles::{Tile, TileMut};
use crate::walk::{Visit, Walk};
use ndarray::ArrayView1;

/// The outputs of one tile.
pub(crate) struct Output<'a, T> {
    pub gradient: TileMut<'a, T>,
    pub map: TileMut<'a, T>,
}

/// Factors on the weights of an image's pixels, known after a first pass.
pub(crate) trait Rescale<T> {
    /// The kernel that does the same to the loss of another; `None` if there is none.
    fn kernel(&self, of: BlockLoss) -> Option<BlockLoss>;

    /// What the weight of a class is multiplied with in the gradient.
    fn class(&self, _class: usize) -> f64 {
        1.0
    }

    /// What a pixel's loss and gradient are multiplied with.
    fn pixel(&mut self, visit: &Visit<'_, T>) -> T;
}

/// Nothing is rescaled.
pub(crate) struct Plain;

impl<T: Element> Rescale<T> for Plain {
    fn kernel(&self, of: BlockLoss) -> Option<BlockLoss> {
        Some(of)
    }

    fn pixel(&mut self, _: &Visit<'_, T>) -> T {
        T::one()
    }
}

impl<T: Element> Walk<'_, T> {
    /// Σ over the pixels of a tile, its gradient and its map.
    pub fn sum(
        &self,
        kind: &impl PixelLoss<T>,
        mut rescale: impl Rescale<T>,
        denominator: f64,
        tile: &Tile,
        mut output: Output<'_, T>,
    ) -> Result<Sums, Error> {
        if let Some(kernel) = kind.kernel().and_then(|kernel| rescale.kernel(kernel))
            && let Some(sums) = self.sum_blocks(kernel, denominator, |c| rescale.class(c), tile, &mut output)
        {
            return Ok(sums);
        }
        let Output { mut gradient, mut map } = output;
        let classes = self.geometry.classes;
        let pairs = self.loss.spec().has_pairs();
        let row = self.plan.row(tile.image);
        let (weights, scaled) = weights(row, denominator, |c| rescale.class(c), row.len());
        let w = PixelWeights { loss: &weights, gradient: &scaled };
        let parameters: Vec<T> =
            self.plan.parameters(tile.image).into_iter().flatten().map(|&x| T::of(x)).collect();

        let mut sums = Sums::zero(classes, self.loss.reduction());
        let zeros = vec![T::zero(); classes];
        let (mut loss, mut slope, mut scratch) = (zeros.clone(), zeros.clone(), vec![T::zero(); 2 * classes]);
        self.pixels(tile, |visit, at| {
            let Some(visit) = visit else {
                // Written, not left: the caller's buffer may hold the last step's gradient.
                gradient.put(at, &zeros);
                map.put(at, if pairs { &zeros } else { &zeros[..1] });
                return Ok(());
            };
            self.demand_finite(tile.image, &visit)?;
            let pixel = Pixel {
                z: visit.z,
                y: visit.y,
                w,
                parameters: &parameters,
                loss: &mut loss,
                gradient: &mut slope,
                scratch: &mut scratch,
            };
            kind.pixel(pixel);
            let factor = visit.m * rescale.pixel(&visit);
            if factor != T::one() {
                // 0·∞ of the document's S1 stays NaN, as it is.
                loss.iter_mut().for_each(|l| *l = *l * factor);
                slope.iter_mut().for_each(|g| *g = *g * factor);
            }
            self.check(tile.image, &visit, &loss, &slope, &mut sums)?;
            gradient.put(at, &slope);
            let total = loss.iter().fold(T::zero(), |sum, &l| sum + l);
            map.put(at, if pairs { &loss } else { std::slice::from_ref(&total) });
            for (sum, &l) in sums.per_class.iter_mut().zip(&loss) {
                sum.loss += l.wide();
                sums.numerator += l.wide();
            }
            Ok(())
        })?;
        Ok(sums)
    }

    /// Lets no NaN or ∞ of finite logits pass in silence: an overflow is an error, S1's own failures are counted.
    fn check(
        &self,
        image: usize,
        visit: &Visit<'_, T>,
        loss: &[T],
        gradient: &[T],
        sums: &mut Sums,
    ) -> Result<(), Error> {
        let bad = loss.iter().zip(gradient).filter(|(l, g)| !(l.is_finite() && g.is_finite())).count();
        if bad == 0 {
            return Ok(());
        }
        let index = self.geometry.locate(image, visit.pixel);
        if self.loss.spec().kind() != Kind::DocumentBinary {
            let problem = Problem::Overflow { element: T::NAME, index };
            return Err(Error { operation: self.loss.operation(), problem });
        }
        let broken = sums.broken.get_or_insert(Broken { count: 0, first: index });
        broken.count += bad as u64;
        Ok(())
    }
}

/// The weight row of an image in the loss's number type, and divided by the denominator; with room for `room` numbers.
pub(crate) fn weights<T: Element>(
    row: ArrayView1<'_, f64>,
    denominator: f64,
    factor: impl Fn(usize) -> f64,
    room: usize,
) -> (Vec<T>, Vec<T>) {
    let scale = |w: f64| if denominator > 0.0 { w / denominator } else { 0.0 };
    let (mut weights, mut scaled) = (Vec::with_capacity(room), Vec::with_capacity(room));
    weights.extend(row.iter().map(|&w| T::of(w)));
    scaled.extend(row.iter().enumerate().map(|(c, &w)| T::of(scale(w * factor(c)))));
    (weights, scaled)
}
