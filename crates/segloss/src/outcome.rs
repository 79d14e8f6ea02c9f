//! The way of a loss over its pixels: forward to a [`Part`], from all parts to an [`Outcome`], and back to the
//! gradient.

use crate::description::is_same;
use crate::distance::signed_distances;
use crate::element::Element;
use crate::error::{Error, Problem};
use crate::evaluation::Evaluation;
use crate::families::RegionPlan;
use crate::geometry::Geometry;
use crate::input::{Input, PixelLabel};
use crate::kind::Structure;
use crate::kinds::Options;
use crate::label_counts::LabelCounts;
use crate::loss::Loss;
use crate::options::{Reduction, Source, Value};
use crate::part::Part;
use crate::pass::{Array, Leaf, LeafSums, Pass};
use crate::plan::Plan;
use crate::regions::Resolved;
use crate::sums::Sums;
use crate::warning::Warning;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries of a gradient that are looked through at once.
const GRADIENTS: usize = 1 << 13;

/// What all parts together say: the final sums, and what the way back to the gradient needs.
pub(crate) struct Outcome {
    pub value: f64,
    pub sums: Sums,
    /// By region.
    resolved: BTreeMap<usize, Resolved>,
    /// Of a sum of losses: (factor, term).
    terms: Vec<(f64, Outcome)>,
}

impl Outcome {
    /// Those of the losses that are no sums of losses, in order, each with its factor.
    fn leaves<'a>(&'a self, factor: f64, leaves: &mut Vec<(f64, &'a Self)>) {
        match self.terms.is_empty() {
            true => leaves.push((factor, self)),
            false => self.terms.iter().for_each(|(own, term)| term.leaves(factor * own, leaves)),
        }
    }
}

impl Loss {
    /// The value of all pixels, their gradient and their map.
    pub(crate) fn compute<T: Element>(
        &self,
        input: &Input<'_, T>,
        geometry: &Geometry,
        labels: &LabelCounts,
        gradient: Option<&mut [T]>,
        map: Option<&mut [T]>,
    ) -> Result<Evaluation, Error> {
        self.demand_length(input, gradient.as_deref())?;
        let plan = self.plan_of(labels)?;
        let mut leaves = self.leaves(input, geometry, &plan)?;
        // The gradient of a sum over pixels is known at once, any other after all have been seen.
        let (now, afterwards) = if self.is_additive() { (gradient, None) } else { (None, gradient) };
        let channels = if self.spec().has_pairs() { geometry.classes } else { 1 };
        let sums = self.pass(input, geometry, &leaves, true).run(now, map.map(|map| (map, channels)))?;
        let part = self.gather(&plan, labels, &mut sums.into_iter());
        let outcome = self.resolve(&plan, &part);
        self.check_value::<T>(&outcome)?;
        if let Some(gradient) = afterwards {
            self.backward(input, geometry, &mut leaves, &outcome, gradient)?;
        }
        drop(leaves);
        Ok(self.evaluation(&plan, outcome))
    }

    /// One pass over the pixels of a part; with a gradient only where the loss is a sum over pixels.
    pub(crate) fn compute_part<T: Element>(
        &self,
        input: &Input<'_, T>,
        geometry: &Geometry,
        labels: &LabelCounts,
        plan: &Plan,
        gradient: Option<&mut [T]>,
    ) -> Result<Part, Error> {
        self.demand_length(input, gradient.as_deref())?;
        let leaves = self.leaves(input, geometry, plan)?;
        let sums = self.pass(input, geometry, &leaves, true).run(gradient, None)?;
        Ok(self.gather(plan, labels, &mut sums.into_iter()))
    }

    /// One pass over the pixels of a part, writing its gradient.
    pub(crate) fn compute_part_gradient<T: Element>(
        &self,
        input: &Input<'_, T>,
        geometry: &Geometry,
        plan: &Plan,
        all: &Part,
        gradient: &mut [T],
    ) -> Result<(), Error> {
        self.demand_length(input, Some(gradient))?;
        let mut leaves = self.leaves(input, geometry, plan)?;
        self.check_part(plan, all)?;
        let outcome = self.resolve(plan, all);
        self.backward(input, geometry, &mut leaves, &outcome, gradient)
    }

    /// The sums of all leaves in their places.
    fn gather(&self, plan: &Plan, labels: &LabelCounts, leaves: &mut impl Iterator<Item = LeafSums>) -> Part {
        let mut sums = Sums::zero(plan.classes(), self.description().reduction());
        let mut regions = BTreeMap::new();
        if self.terms().is_empty() {
            sums.denominator = plan.share(self.description(), labels);
            if let Some(leaf) = leaves.next() {
                sums.add_losses(leaf.losses.into_iter());
                sums.non_finite = leaf.non_finite;
                regions = leaf.regions;
            }
        }
        let terms = self.terms().iter().zip(plan.terms());
        let terms = terms.map(|((_, term), plan)| term.gather(plan, labels, leaves)).collect();
        sums.valid_pixels = labels.valid_pixels();
        for (class, sums) in sums.per_class.iter_mut().enumerate() {
            (sums.pixels, sums.weight) =
                (labels.mass_of(class), plan.class_weight(self.description(), labels, class));
        }
        Part { of: Arc::clone(self.description()), images: BTreeMap::new(), sums, regions, terms }
    }

    /// Whether a plan is of this loss.
    fn check_plan(&self, plan: &Plan) -> Result<(), Error> {
        match is_same(plan.of(), self.description()) {
            true => Ok(()),
            false => Err(self.description().error(Problem::OtherLoss { operand: "the plan" })),
        }
    }

    /// Whether a plan and all parts together are of this loss, and hold what was counted.
    pub(crate) fn check_part(&self, plan: &Plan, part: &Part) -> Result<(), Error> {
        self.check_plan(plan)?;
        let refuse = |problem| Err(self.description().error(problem));
        if !is_same(&part.of, self.description()) {
            return refuse(Problem::OtherLoss { operand: "the combined part" });
        }
        plan.labels().map_or(Ok(()), |labels| part.check_complete(labels)).or_else(refuse)
    }

    /// From all parts to the value.
    pub(crate) fn resolve(&self, plan: &Plan, part: &Part) -> Outcome {
        let mut sums = part.sums.clone();
        sums.denominator = plan.denominator();
        let terms: Vec<(f64, Outcome)> = (self.terms().iter().zip(plan.terms()).zip(&part.terms))
            .map(|(((factor, term), plan), part)| (*factor, term.resolve(plan, part)))
            .collect();
        let mut resolved = BTreeMap::new();
        if terms.is_empty() {
            let family = self.description().family::<f64>(plan.classes());
            let mut kept: Option<(Vec<f64>, f64)> = None;
            for (&region, partial) in &part.regions {
                let region_plan =
                    RegionPlan { weights: plan.counted().row(region), pixels: plan.region_pixels()[region] };
                let Some(family) = &family else { continue };
                let found = family.resolve(partial, &region_plan);
                sums.add_losses(found.losses.into_iter());
                if let Some((weights, pixels)) = found.kept {
                    let (sum, count) = kept.get_or_insert_with(|| (vec![0.0; weights.len()], 0.0));
                    sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
                    *count += pixels;
                }
                found.resolved.map(|found| resolved.insert(region, found));
            }
            if self.description().structure() == Structure::TopK {
                let (weights, pixels) = kept.unwrap_or_else(|| (vec![0.0; plan.classes()], 0.0));
                match self.description().reduction() {
                    Reduction::Mean => sums.denominator = weights.iter().sum(),
                    Reduction::MeanValid => sums.denominator = pixels,
                    _ => {}
                }
                sums.per_class.iter_mut().zip(weights).for_each(|(class, weight)| class.weight = weight);
            }
        } else {
            Self::add_terms(&terms, &mut sums);
        }
        // 0/0 is not an error: a batch of ignored pixels has no loss, and says so.
        let value = if sums.denominator > 0.0 { sums.numerator / sums.denominator } else { 0.0 };
        Outcome { value, sums, resolved, terms }
    }

    /// The way back over the pixels.
    fn backward<'a, T: Element>(
        &self,
        input: &Input<'_, T>,
        geometry: &Geometry,
        leaves: &mut [Leaf<'a, T>],
        outcome: &'a Outcome,
        gradient: &mut [T],
    ) -> Result<(), Error> {
        let mut outcomes = Vec::new();
        outcome.leaves(1.0, &mut outcomes);
        for (leaf, (factor, outcome)) in leaves.iter_mut().zip(outcomes) {
            leaf.resolve(factor, outcome.sums.denominator, &outcome.resolved);
            leaf.check_scale()?;
        }
        // The gradient's buffer serves one sorted loss; others have an array of their own.
        let sorted: Vec<usize> = (0..leaves.len()).filter(|&i| leaves[i].is_lovasz()).collect();
        for &i in sorted.iter().skip(1) {
            let mut own = vec![T::zero(); gradient.len()];
            self.pass(input, geometry, leaves, false).lovasz_slopes(i, &mut own)?;
            leaves[i].array = Array::Made(own);
        }
        if let Some(&first) = sorted.first() {
            self.pass(input, geometry, leaves, false).lovasz_slopes(first, gradient)?;
            leaves[first].array = Array::InGradient;
        }
        self.pass(input, geometry, leaves, false).run(Some(&mut *gradient), None)?;
        if leaves.iter().any(|leaf| leaf.family.may_break()) {
            return Ok(());
        }
        // Slopes of a region can leave the range of numbers where no pixel's loss does. Without an early end the compiler
        // looks at many at once.
        let is_wrong = |chunk: &[T]| chunk.iter().fold(false, |wrong, g| wrong | !g.is_finite());
        let wrong = gradient.par_chunks(GRADIENTS).find_first(|chunk| is_wrong(chunk));
        match wrong.into_iter().flatten().find(|g| !g.is_finite()) {
            None => Ok(()),
            Some(g) => {
                let (what, found) = ("the gradient", g.wide());
                Err(self.description().error(Problem::NotFinite { what, found }))
            }
        }
    }

    fn pass<'a, T: Element>(
        &self,
        input: &'a Input<'a, T>,
        geometry: &'a Geometry,
        leaves: &'a [Leaf<'a, T>],
        losses: bool,
    ) -> Pass<'a, T> {
        let (ignore_index, set) = (self.spec().ignore_index, self.instructions().available());
        Pass { input, geometry, ignore_index, set, leaves, losses }
    }

    /// The losses that are no sums of losses, in order.
    fn leaves<'a, T: Element>(
        &'a self,
        input: &'a Input<'a, T>,
        geometry: &Geometry,
        plan: &'a Plan,
    ) -> Result<Vec<Leaf<'a, T>>, Error> {
        plan.fit(self.description().operation(), geometry.images, geometry.classes)?;
        self.check_plan(plan)?;
        if !self.terms().is_empty() {
            let mut leaves = Vec::new();
            for ((factor, term), plan) in self.terms().iter().zip(plan.terms()) {
                let terms = term.leaves(input, geometry, plan)?;
                leaves.extend(terms.into_iter().map(|leaf| Leaf { scale: factor * leaf.scale, ..leaf }));
            }
            return Ok(leaves);
        }
        if self.spec().weights.source == Source::Map && input.weight_map.is_none() {
            return Err(self.description().error(Problem::NoWeightMap));
        }
        let Some(family) = self.description().family(geometry.classes) else { return Ok(Vec::new()) };
        // A sum over pixels rounds each pixel's loss, and its gradient only when it is divided by the weights' sum.
        let rounds = matches!(self.description().structure(), Structure::Pixels | Structure::Recall);
        let smallest = if rounds { T::min_positive_value().wide() } else { f64::MIN_POSITIVE };
        let mean = plan.mean_weight();
        if mean > 0.0 && mean < smallest {
            return Err(self.description().error(Problem::TooSmall { found: mean, element: T::NAME }));
        }
        // What the labels decide is what a sum over pixels is divided by; any other loss is divided on the way back.
        let denominator = plan.denominator();
        Ok(vec![Leaf {
            operation: self.description().operation(),
            family,
            plan,
            scale: if denominator > 0.0 { 1.0 / denominator } else { 0.0 },
            resolved: None,
            array: self.distances(input, geometry),
        }])
    }

    /// The outcome with what the caller should know, if it is a number, or a warning says where it is none.
    pub(crate) fn checked_evaluation(&self, plan: &Plan, outcome: Outcome) -> Result<Evaluation, Error> {
        self.check_value::<f64>(&outcome)?;
        Ok(self.evaluation(plan, outcome))
    }

    /// Whether the value is a number of the logits' type, or a warning says where it is none.
    fn check_value<T: Element>(&self, outcome: &Outcome) -> Result<(), Error> {
        let (what, found) = ("the value", outcome.value);
        let problem = match outcome.sums.non_finite.is_some() || T::of(found).is_finite() {
            true => return Ok(()),
            false if found.is_finite() => Problem::TooLarge { what, found, element: T::NAME },
            false => Problem::NotFinite { what, found },
        };
        Err(self.description().error(problem))
    }

    /// The outcome with what the caller should know.
    fn evaluation(&self, plan: &Plan, outcome: Outcome) -> Evaluation {
        let Outcome { value, sums, terms, .. } = outcome;
        let effective_weights = plan.effective_weights();
        let mut warnings = Vec::new();
        if sums.valid_pixels == 0 {
            warnings.push(Warning::AllIgnored);
        } else if self.description().structure() != Structure::Terms
            && sums.per_class.iter().all(|class| class.weight == 0.0)
        {
            warnings.push(Warning::NoWeight);
        }
        if self.description().structure() == Structure::Overlap
            && !self.description().is_pooled()
            && sums.valid_pixels > 0
        {
            let counted = |c: &usize| plan.counted().column(*c).iter().any(|&w| w > 0.0);
            let absent = |c: &usize| sums.per_class[*c].pixels == 0.0;
            let classes: Vec<usize> = (0..plan.classes()).filter(absent).filter(counted).collect();
            let smooth = self.spec().options.get("smooth");
            if !classes.is_empty() && matches!(smooth, Some(Value::Number(s)) if s < 1.0) {
                warnings.push(Warning::AbsentCounted { classes });
            }
        }
        if [Source::Dataset, Source::Ema].contains(&self.spec().weights.source)
            && self.description().structure() != Structure::Terms
        {
            let column = |c: usize| if self.spec().has_pairs() { 2 * c + 1 } else { c };
            let is_uncounted = |&c: &usize| {
                sums.per_class[c].pixels > 0.0
                    && effective_weights.column(column(c)).iter().all(|&w| w == 0.0)
            };
            let classes: Vec<usize> = (0..plan.classes()).filter(is_uncounted).collect();
            if !classes.is_empty() {
                warnings.push(Warning::UncountedClasses { classes });
            }
        }
        if !self.spec().is_sigmoid() && self.description().structure() != Structure::Terms {
            let mut present = (0..plan.classes()).filter(|&c| sums.per_class[c].pixels > 0.0);
            if let (Some(class), None) = (present.next(), present.next()) {
                warnings.push(Warning::OneClass { class });
            }
        }
        if self.spec().weights.source.is_counted() && self.spec().weights.scheme.is_constant() {
            warnings.push(Warning::ConstantScheme);
        }
        if let Some(non_finite) = &sums.non_finite {
            warnings.push(Warning::NonFinite(non_finite.clone()));
        }
        let classes = sums.per_class.len();
        if matches!(self.spec().options, Options::DocumentCategorical(_)) && sums.valid_pixels > 0 {
            warnings.push(Warning::ConstantWeight { weight: effective_weights[[0, 0]], classes });
        }
        let terms = self.terms().iter().zip(plan.terms()).zip(terms);
        let mut terms: Vec<Evaluation> =
            terms.map(|(((_, term), plan), (_, outcome))| term.evaluation(plan, outcome)).collect();
        // What is to be known of a term is to be known of the sum.
        for warning in terms.iter().flat_map(|term| &term.warnings) {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        if !matches!(self.spec().options, Options::Combined(_)) {
            // The components of a kind are its own business.
            terms.clear();
        }
        Evaluation { value, sums, effective_weights, warnings, terms }
    }

    /// Σ factor·value, and each class's share of it.
    fn add_terms(terms: &[(f64, Outcome)], sums: &mut Sums) {
        sums.denominator = 1.0;
        for (factor, term) in terms {
            sums.numerator += factor * term.value;
            if let Some(non_finite) = &term.sums.non_finite {
                sums.non_finite.get_or_insert_with(|| non_finite.clone());
            }
            for (mine, theirs) in sums.per_class.iter_mut().zip(&term.sums.per_class) {
                if term.sums.denominator > 0.0 {
                    mine.loss += factor * theirs.loss / term.sums.denominator;
                }
                // A class's loss is its share of the value: there is nothing to divide it by.
                mine.weight = 1.0;
            }
        }
    }

    /// The signed distances that a boundary loss reads, laid out like the logits.
    fn distances<'a, T: Element>(&self, input: &'a Input<'a, T>, geometry: &Geometry) -> Array<'a, T> {
        if !self.spec().kind().has_distances() {
            return Array::None;
        }
        if let Some((_, given)) = &input.distances {
            return Array::Given(given);
        }
        let (class_stride, _) = geometry.strides();
        let label = |image: usize, pixel: usize| {
            match input.label(image * geometry.pixels + pixel, self.spec().ignore_index) {
                PixelLabel::Ignored => None,
                // Counting the labels has seen to it that the label names a class.
                PixelLabel::Index(label) => Some(usize::try_from(label).unwrap_or(geometry.classes)),
                PixelLabel::Distribution(rows) => {
                    let offset = geometry.offset(image, pixel);
                    let raised = |c: &usize| rows[offset + c * class_stride] > T::zero();
                    Some((0..geometry.classes).find(raised).unwrap_or(geometry.classes))
                }
            }
        };
        let mut out = vec![T::zero(); input.logits.len()];
        let images = out.par_chunks_mut(geometry.pixels * geometry.classes).enumerate();
        images.for_each(|(image, out)| {
            let labels: Vec<_> = (0..geometry.pixels).map(|pixel| label(image, pixel)).collect();
            for class in 0..geometry.classes {
                let distances = signed_distances(&labels, &geometry.spatial, class);
                for (pixel, &distance) in distances.iter().enumerate() {
                    out[geometry.offset(0, pixel) + class * class_stride] = T::of(distance);
                }
            }
        });
        Array::Made(out)
    }

    fn demand_length<T>(&self, input: &Input<'_, T>, gradient: Option<&[T]>) -> Result<(), Error> {
        match gradient {
            Some(gradient) if gradient.len() != input.logits.len() => {
                let (expected, found) = (input.logits.len(), gradient.len());
                Err(self.description().error(Problem::Length { operand: "gradient", expected, found }))
            }
            _ => Ok(()),
        }
    }
}
