//! Losses that sort the errors of a region ([`lovasz`](crate::regions::lovasz)).

use super::{Family, Needs, RegionPlan, Scope, TilePass};
use crate::element::Element;
use crate::kernels::block::{Block, reserve};
use crate::kernels::lovasz::ErrorForm;
use crate::kernels::plane::Plane;
use crate::kernels::pointwise::Wanted;
use crate::regions::lovasz::{Errors, LovaszExtension, Mistake};
use crate::regions::{Partial, Region, Resolved};
use rayon::prelude::*;

/// A Lovász loss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lovasz {
    pub form: ErrorForm,
}

impl<T: Element> Family<T> for Lovasz {
    fn needs(&self) -> Needs {
        match self.form {
            ErrorForm::Probability => Needs::Probabilities,
            ErrorForm::Hinge => Needs::Logits,
        }
    }

    fn tile<'a>(&'a self, scope: Scope<'a>) -> Box<dyn TilePass<T> + 'a> {
        let errors = vec![Vec::new(); scope.classes];
        Box::new(Pass { form: self.form, errors, signed: vec![Plane::of(T::zero()); scope.classes] })
    }

    fn errors(&self, block: &mut Block<T>, out: &mut [Plane<T>]) {
        block.signed_errors(self.form, out);
    }

    fn resolve(&self, partial: &Partial, plan: &RegionPlan<'_>) -> Region {
        let Partial::Lovasz(classes) = partial else { return Region::default() };
        let floor = if self.form == ErrorForm::Hinge { 0.0 } else { f64::NEG_INFINITY };
        let extensions: Vec<_> =
            classes.par_iter().map(|errors| LovaszExtension::new(errors, floor)).collect();
        let weighted = extensions.iter().zip(plan.weights);
        let losses = weighted.map(|(class, &w)| if w > 0.0 { w * class.loss } else { 0.0 }).collect();
        Region { losses, kept: None, resolved: Some(Resolved::Lovasz(extensions)) }
    }
}

/// On the way back the term's own array holds ∂L by the errors, which the driver has looked up.
struct Pass<T> {
    form: ErrorForm,
    errors: Vec<Vec<Mistake>>,
    signed: Vec<Plane<T>>,
}

impl<T: Element> TilePass<T> for Pass<T> {
    fn block(&mut self, block: &mut Block<T>, extra: &[Plane<T>], wanted: Wanted) -> bool {
        if wanted.losses {
            block.signed_errors(self.form, &mut self.signed);
            for (errors, signed) in self.errors.iter_mut().zip(&self.signed) {
                let counted = signed.iter().zip(block.m.iter()).take(block.pixels);
                let counted = counted.filter(|(error, _)| !error.is_nan());
                errors.extend(
                    counted.map(|(error, m)| {
                        Mistake::new(error.wide().abs(), error.is_sign_negative(), m.wide())
                    }),
                );
            }
        }
        if wanted.gradient {
            let gradient = &mut block.gradient;
            let (planes, adds) = match self.form {
                ErrorForm::Probability => (&mut gradient.by_p, &mut gradient.has_by_p),
                ErrorForm::Hinge => (&mut gradient.by_z, &mut gradient.has_by_z),
            };
            reserve(planes, extra.len());
            for (plane, extra) in planes.iter_mut().zip(extra) {
                for (x, &extra) in plane.iter_mut().zip(extra.iter()) {
                    *x = if *adds { *x + extra } else { extra };
                }
            }
            *adds = true;
        }
        true
    }

    fn finish(self: Box<Self>) -> (Vec<f64>, Partial) {
        (Vec::new(), Partial::Lovasz(self.errors.into_iter().map(Errors::new).collect()))
    }
}
