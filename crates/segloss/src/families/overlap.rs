//! Losses made of the overlaps of a region ([`overlap`](crate::regions::overlap)).

use super::{Family, Needs, RegionPlan, Scope, TilePass};
use crate::element::Element;
use crate::kernels::block::Block;
use crate::kernels::overlap::{Form, OverlapSlopes, OverlapSums};
use crate::kernels::plane::Plane;
use crate::kernels::pointwise::Wanted;
use crate::regions::overlap::{Overlaps, Score};
use crate::regions::{Partial, Region, Resolved};

/// A loss made of overlaps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overlap<S> {
    pub score: S,
    pub form: Form,
    /// Whether p is of sigmoids; else it is of the softmax.
    pub sigmoid: bool,
}

impl<T: Element, S: Score> Family<T> for Overlap<S> {
    fn needs(&self) -> Needs {
        if self.sigmoid { Needs::Sigmoids } else { Needs::Probabilities }
    }

    fn largest_scale(&self) -> Option<f64> {
        Some(largest::<T>())
    }

    fn tile<'a>(&'a self, scope: Scope<'a>) -> Box<dyn TilePass<T> + 'a> {
        let slopes = match scope.resolved {
            Some(Resolved::Overlap(slopes)) => {
                let scale = scope.scale;
                let less =
                    |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| in_range((a - b) * scale)).collect();
                let tp = slopes.tp.iter().map(|tp| in_range(tp * scale)).collect();
                let (own, other) = (less(&slopes.tp, &slopes.fn_), less(&slopes.fp, &slopes.tn));
                Some(OverlapSlopes { own, other, tp })
            }
            _ => None,
        };
        Box::new(Pass { form: self.form, slopes, sums: OverlapSums::zeros(scope.classes) })
    }

    fn resolve(&self, partial: &Partial, plan: &RegionPlan<'_>) -> Region {
        let Partial::Overlap(sums) = partial else { return Region::default() };
        let slopes = self.score.score(sums, plan.weights);
        Region { losses: slopes.loss.clone(), kept: None, resolved: Some(Resolved::Overlap(slopes)) }
    }
}

struct Pass<T> {
    form: Form,
    /// On the way back.
    slopes: Option<OverlapSlopes<T>>,
    sums: OverlapSums,
}

impl<T: Element> TilePass<T> for Pass<T> {
    fn block(&mut self, block: &mut Block<T>, _: &[Plane<T>], wanted: Wanted) -> bool {
        if wanted.losses {
            block.overlap_sums(self.form, &mut self.sums);
        }
        if let (true, Some(slopes)) = (wanted.gradient, &self.slopes) {
            block.overlap_gradient(self.form, slopes);
        }
        true
    }

    fn finish(self: Box<Self>) -> (Vec<f64>, Partial) {
        let [tp, fp, fn_, tn] = self.sums.totals();
        (Vec::new(), Partial::Overlap(Overlaps { tp, fp, fn_, tn }))
    }
}

/// A slope in the pixels' own type. Where a class is predicted by next to nothing (and s = 0), 1/D is beyond all
/// numbers, and ∞·0 would be NaN at the pixels of the others: there it stays at the largest that may still be
/// multiplied by a weight and added up.
fn in_range<T: Element>(slope: f64) -> T {
    T::of(slope.clamp(-largest::<T>(), largest::<T>()))
}

fn largest<T: Element>() -> f64 {
    T::max_value().wide() * 2f64.powi(-32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hardly_predicted_has_a_slope_that_is_a_number() {
        // p of class 1 is 4e-44, and 1/D with it beyond f32; class 1 is not there, and costs nothing to leave out.
        let spec =
            crate::kinds::Tversky { smooth: 0.0, alpha: 1.0, beta: 0.0, ..crate::kinds::Tversky::default() };
        let loss = crate::Loss::of(spec).build().unwrap();
        let (z, mut gradient) = ([100.0_f32, 0.0], [f32::NAN; 2]);
        let input = crate::Input::from_slices(&z, &[1, 2], &[0u8]).unwrap();
        loss.value_and_gradient(&input, &mut gradient).unwrap();
        assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
        assert_eq!(in_range::<f32>(f64::NEG_INFINITY), -f32::MAX * 2f32.powi(-32));
        assert_eq!(in_range::<f64>(0.25), 0.25);
    }
}
