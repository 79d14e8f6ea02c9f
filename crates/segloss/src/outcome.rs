//! The way of a loss over its pixels: forward to a [`Part`], from all parts to an [`Outcome`], and back to the
//! gradient.

use crate::census::Census;
use crate::distance::signed_distances;
use crate::element::Element;
use crate::error::{Error, Problem};
use crate::families::lovasz::{self, ErrorForm, Errors, Extension};
use crate::families::overlap::{Overlap, Overlaps, Slopes};
use crate::families::pixels::{Output, Plain};
use crate::families::recall::{Missed, Recalls};
use crate::families::top_k::{Cut, Kept, Ranking};
use crate::input::{Input, PixelLabel};
use crate::kind::{Family, Kind};
use crate::kinds::cross_entropy::PixelCrossEntropy;
use crate::kinds::document_binary::PixelDocumentBinary;
use crate::kinds::focal::{BinaryFocal, PixelFocal};
use crate::kinds::{
    Options, PixelLoss, dice, focal_tversky, generalized_dice, jaccard, tversky, unified_focal,
};
use crate::layout::Geometry;
use crate::loss::{Evaluation, Loss};
use crate::part::{Part, Statistics};
use crate::plan::Plan;
use crate::spec::options::Value;
use crate::spec::{Reduction, Source, Threshold};
use crate::sums::Sums;
use crate::tiles::{self, Tile, TileMut};
use crate::walk::Walk;
use crate::warning::Warning;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What all parts together say: the final sums, and what the way back to the gradient needs.
pub(crate) struct Outcome {
    pub value: f64,
    pub sums: Sums,
    back: Back,
}

enum Back {
    /// The gradient is a pixel's own affair.
    Pixels,
    Overlap(BTreeMap<usize, Slopes>),
    Lovasz(BTreeMap<usize, Vec<Extension>>),
    TopK(BTreeMap<usize, Cut>),
    Recall(BTreeMap<usize, Recalls>),
    Terms(Vec<Outcome>),
}

impl Loss {
    /// One pass over the pixels of a part.
    pub(crate) fn forward<T: Element>(
        &self,
        input: &Input<'_, T>,
        geometry: &Geometry,
        census: &Census,
        plan: &Plan,
        gradient: Option<&mut [T]>,
        map: Option<&mut [T]>,
    ) -> Result<Part, Error> {
        plan.fit(self.operation(), geometry.images, geometry.classes)?;
        self.demand_length(input, gradient.as_deref())?;
        if self.spec().weights.source == Source::Map && input.weight_map.is_none() {
            return Err(self.error(Problem::NoWeightMap));
        }
        let distances = self.distances(input, geometry);
        let walk = Walk { loss: self, input, geometry, plan, instead_of_target: distances.as_deref() };
        let mut sums = Sums::zero(geometry.classes, self.reduction());
        let statistics = match self.family() {
            Family::Pixels => {
                let denominator = plan.denominator();
                for tile in self.pixel_pass(&walk, denominator, gradient, map)? {
                    sums = sums.combine(&tile);
                }
                Statistics::None
            }
            Family::Overlap => {
                let overlap = self.overlap(geometry.classes);
                let parts = walk.tiles(nothing(geometry), |tile, ()| walk.overlaps(&overlap, tile))?;
                let zero = || Overlaps::zero(geometry.classes);
                Statistics::Overlap(by_region(&walk, parts, zero, Overlaps::add))
            }
            Family::Lovasz => {
                let parts = walk.tiles(nothing(geometry), |tile, ()| walk.errors(self.error_form(), tile))?;
                let zero = || vec![Errors::default(); geometry.classes];
                Statistics::Lovasz(by_region(&walk, parts, zero, |mine: &mut Vec<Errors>, theirs| {
                    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.append(theirs));
                }))
            }
            Family::TopK => {
                let kind = self.pixel_cross_entropy();
                let parts = walk.tiles(nothing(geometry), |tile, ()| walk.ranking(kind, tile))?;
                Statistics::TopK(by_region(&walk, parts, Ranking::default, Ranking::append))
            }
            Family::Recall => {
                let kind = self.pixel_cross_entropy();
                let parts = walk.tiles(nothing(geometry), |tile, ()| walk.recalls(kind, tile))?;
                let zero = || Recalls::zero(geometry.classes);
                Statistics::Recall(by_region(&walk, parts, zero, Recalls::add))
            }
            Family::Terms => {
                let terms = self.terms().iter().zip(plan.terms());
                let parts =
                    terms.map(|((_, term), plan)| term.forward(input, geometry, census, plan, None, None));
                Statistics::Terms(parts.collect::<Result<_, _>>()?)
            }
        };
        if self.family() != Family::Terms {
            sums.denominator = plan.share(self, census);
        }
        sums.valid_pixels = census.valid_pixels();
        for (class, sums) in sums.per_class.iter_mut().enumerate() {
            (sums.pixels, sums.weight) = (census.mass_of(class), plan.class_weight(self, census, class));
        }
        Ok(Part { sums, statistics })
    }

    /// From all parts to the value.
    pub(crate) fn resolve(&self, plan: &Plan, mut sums: Sums, statistics: &Statistics) -> Outcome {
        sums.denominator = plan.denominator();
        let back = match statistics {
            Statistics::None => Back::Pixels,
            Statistics::Overlap(regions) => {
                let overlap = self.overlap(plan.classes());
                let slopes: BTreeMap<usize, Slopes> = regions
                    .iter()
                    .map(|(&region, sums)| (region, overlap.slopes(sums, plan.counted().row(region))))
                    .collect();
                slopes.values().for_each(|slopes| sums.add_losses(slopes.loss.iter().copied()));
                Back::Overlap(slopes)
            }
            Statistics::Lovasz(regions) => {
                let extensions = lovasz::extend(regions, self.error_form());
                for (&region, classes) in &extensions {
                    let weighted = classes.iter().zip(plan.counted().row(region));
                    sums.add_losses(weighted.map(|(class, w)| if *w > 0.0 { w * class.loss } else { 0.0 }));
                }
                Back::Lovasz(extensions)
            }
            Statistics::TopK(regions) => Back::TopK(self.cut(plan, regions, &mut sums)),
            Statistics::Recall(regions) => {
                regions.values().for_each(|recalls| sums.add_losses(recalls.losses()));
                Back::Recall(regions.clone())
            }
            Statistics::Terms(parts) => {
                let terms: Vec<Outcome> = (self.terms().iter().zip(plan.terms()).zip(parts))
                    .map(|(((_, term), plan), part)| term.resolve(plan, part.sums.clone(), &part.statistics))
                    .collect();
                self.add_terms(&terms, &mut sums);
                Back::Terms(terms)
            }
        };
        // 0/0 is not an error: a batch of ignored pixels has no loss, and says so.
        let value = if sums.denominator > 0.0 { sums.numerator / sums.denominator } else { 0.0 };
        Outcome { value, sums, back }
    }

    /// One pass over the pixels of a part, writing its gradient.
    pub(crate) fn backward<T: Element>(
        &self,
        input: &Input<'_, T>,
        geometry: &Geometry,
        plan: &Plan,
        outcome: &Outcome,
        gradient: &mut [T],
    ) -> Result<(), Error> {
        plan.fit(self.operation(), geometry.images, geometry.classes)?;
        self.demand_length(input, Some(gradient))?;
        let denominator = outcome.sums.denominator;
        let scale = if denominator > 0.0 { 1.0 / denominator } else { 0.0 };
        let distances = self.distances(input, geometry);
        let walk = Walk { loss: self, input, geometry, plan, instead_of_target: distances.as_deref() };
        let no_map = || TileMut::Nothing;
        match &outcome.back {
            Back::Pixels => {
                self.pixel_pass(&walk, denominator, Some(gradient), None)?;
            }
            Back::Overlap(slopes) => {
                let overlap = self.overlap(geometry.classes);
                let outputs = tiles::split(Some(gradient), geometry);
                walk.tiles(outputs, |tile, out| walk.overlap_gradient(&overlap, slopes, scale, tile, out))?;
            }
            Back::Lovasz(extensions) => {
                let weight = |region: usize, class: usize| plan.counted()[[region, class]] * scale;
                walk.lovasz_gradient(self.error_form(), extensions, weight, gradient)?;
            }
            Back::TopK(cuts) => {
                let kind = self.pixel_cross_entropy();
                let outputs = tiles::split(Some(gradient), geometry);
                walk.tiles(outputs, |tile, gradient| {
                    let cut = cuts.get(&plan.region(tile.image)).copied();
                    let kept = Kept::new(kind, cut, geometry.classes);
                    walk.sum(&kind, kept, denominator, tile, Output { gradient, map: no_map() })
                })?;
            }
            Back::Recall(recalls) => {
                let kind = self.pixel_cross_entropy();
                let outputs = tiles::split(Some(gradient), geometry);
                walk.tiles(outputs, |tile, gradient| {
                    let missed = Missed(recalls.get(&plan.region(tile.image)));
                    walk.sum(&kind, missed, denominator, tile, Output { gradient, map: no_map() })
                })?;
            }
            Back::Terms(outcomes) => {
                gradient.fill(T::zero());
                let mut one = vec![T::zero(); gradient.len()];
                for (((factor, term), plan), outcome) in self.terms().iter().zip(plan.terms()).zip(outcomes) {
                    term.backward(input, geometry, plan, outcome, &mut one)?;
                    let factor = T::of(*factor);
                    gradient.par_iter_mut().zip(&one).for_each(|(sum, &g)| *sum = *sum + factor * g);
                }
            }
        }
        Ok(())
    }

    /// The outcome with what the caller should know.
    pub(crate) fn evaluation(&self, plan: &Plan, outcome: Outcome) -> Evaluation {
        let Outcome { value, sums, back } = outcome;
        let effective_weights = plan.effective_weights();
        let mut warnings = Vec::new();
        if sums.valid_pixels == 0 {
            warnings.push(Warning::AllIgnored);
        } else if self.family() != Family::Terms && sums.per_class.iter().all(|class| class.weight == 0.0) {
            warnings.push(Warning::NoWeight);
        }
        if self.family() == Family::Overlap && !self.is_pooled() && sums.valid_pixels > 0 {
            let counted = |c: &usize| plan.counted().column(*c).iter().any(|&w| w > 0.0);
            let absent = |c: &usize| sums.per_class[*c].pixels == 0.0;
            let classes: Vec<usize> = (0..plan.classes()).filter(absent).filter(counted).collect();
            if !classes.is_empty()
                && matches!(self.spec().options.get("smooth"), Some(Value::Number(s)) if s < 1.0)
            {
                warnings.push(Warning::AbsentCounted { classes });
            }
        }
        if !self.spec().is_sigmoid() && self.family() != Family::Terms {
            let mut present = (0..plan.classes()).filter(|&c| sums.per_class[c].pixels > 0.0);
            if let (Some(class), None) = (present.next(), present.next()) {
                warnings.push(Warning::OneClass { class });
            }
        }
        if self.spec().weights.source.is_counted() && self.spec().weights.scheme.is_constant() {
            warnings.push(Warning::ConstantScheme);
        }
        if let Some(broken) = &sums.broken {
            warnings.push(Warning::Broken(broken.clone()));
        }
        let classes = sums.per_class.len();
        if self.spec().kind() == Kind::DocumentCategorical && sums.valid_pixels > 0 {
            warnings.push(Warning::ConstantWeight { weight: effective_weights[[0, 0]], classes });
        }
        let terms = match back {
            // The two terms of unified focal are its own business.
            Back::Terms(outcomes) if self.spec().kind() == Kind::Combined => {
                let terms = self.terms().iter().zip(plan.terms()).zip(outcomes);
                terms.map(|(((_, term), plan), outcome)| term.evaluation(plan, outcome)).collect()
            }
            _ => Vec::new(),
        };
        Evaluation { value, sums, effective_weights, warnings, terms }
    }

    /// Σ over the pixels, by the formula of the kind.
    fn pixel_pass<T: Element>(
        &self,
        walk: &Walk<'_, T>,
        denominator: f64,
        gradient: Option<&mut [T]>,
        map: Option<&mut [T]>,
    ) -> Result<Vec<Sums>, Error> {
        let geometry = walk.geometry;
        let map = match map {
            Some(_) if !self.spec().has_pairs() => {
                tiles::split(map, &Geometry { classes: 1, ..geometry.clone() })
            }
            _ => tiles::split(map, geometry),
        };
        let outputs: Vec<_> = tiles::split(gradient, geometry)
            .into_iter()
            .zip(map)
            .map(|(gradient, map)| Output { gradient, map })
            .collect();
        let spec = self.spec();
        match &spec.options {
            Options::UnifiedFocal(options) => run(walk, &unified_focal::focal(options), denominator, outputs),
            Options::BinaryCrossEntropy(options) => run(walk, options, denominator, outputs),
            Options::DocumentBinary(_) => {
                let threshold = match spec.threshold {
                    Some(Threshold::Document(th)) => th,
                    // The document: "default 1/nClasses"; a single channel tells two classes apart.
                    _ => 1.0 / geometry.classes.max(2) as f64,
                };
                run(walk, &PixelDocumentBinary { threshold }, denominator, outputs)
            }
            Options::DocumentSigmoid(options) => run(walk, options, denominator, outputs),
            Options::Focal(options) if spec.is_sigmoid() => {
                run(walk, &BinaryFocal { gamma: options.gamma }, denominator, outputs)
            }
            Options::Focal(options) => {
                let gamma = options.gamma;
                run(walk, &PixelFocal { gamma, gamma_of_others: gamma, background: 0 }, denominator, outputs)
            }
            Options::Poly1CrossEntropy(options) => run(walk, options, denominator, outputs),
            Options::Seesaw(options) => run(walk, options, denominator, outputs),
            Options::Ldam(options) => run(walk, options, denominator, outputs),
            Options::Boundary(options) => run(walk, options, denominator, outputs),
            // S3 is cross-entropy with the document's weight; the other families have passes of their own.
            _ => run(walk, &self.pixel_cross_entropy(), denominator, outputs),
        }
    }

    fn pixel_cross_entropy(&self) -> PixelCrossEntropy {
        match &self.spec().options {
            Options::CrossEntropy(options) => PixelCrossEntropy {
                smoothing: options.label_smoothing,
                weight: options.smoothing_weight.unwrap_or_default(),
            },
            Options::RecallCrossEntropy(options) => {
                PixelCrossEntropy { smoothing: options.label_smoothing, ..Default::default() }
            }
            Options::TopKCrossEntropy(options) => {
                PixelCrossEntropy { smoothing: options.label_smoothing, ..Default::default() }
            }
            _ => PixelCrossEntropy::default(),
        }
    }

    fn overlap(&self, classes: usize) -> Overlap {
        match &self.spec().options {
            Options::Dice(options) => dice::overlap(options.squared, options.smooth, classes),
            Options::Jaccard(options) => jaccard::overlap(options, classes),
            Options::GeneralizedDice(options) => generalized_dice::overlap(options, classes),
            Options::Tversky(options) => {
                tversky::overlap(options.alpha, options.beta, options.smooth, classes)
            }
            Options::FocalTversky(options) => focal_tversky::overlap(options, classes),
            Options::UnifiedFocal(options) => unified_focal::overlap(options, classes),
            // No other kind is of this family.
            _ => dice::overlap(false, 0.0, classes),
        }
    }

    fn error_form(&self) -> ErrorForm {
        if self.spec().kind() == Kind::LovaszHinge { ErrorForm::Hinge } else { ErrorForm::Probability }
    }

    /// Keeps the hardest pixels of each region, and adds up what they cost.
    fn cut(&self, plan: &Plan, regions: &BTreeMap<usize, Ranking>, sums: &mut Sums) -> BTreeMap<usize, Cut> {
        let (keep, confidence) = match &self.spec().options {
            Options::TopKCrossEntropy(options) => (options.keep, options.confidence),
            // No other kind is of this family.
            _ => (1.0, None),
        };
        let limit = confidence.map_or(f64::INFINITY, |q| -q.ln());
        sums.per_class.iter_mut().for_each(|class| class.weight = 0.0);
        let (mut kept, mut weight) = (0.0, 0.0);
        let mut cuts = BTreeMap::new();
        for (&region, ranking) in regions {
            // ⌈keep·P⌉, where keep·P may miss a whole number by its rounding: 0.07·100 is 7.000000000000001.
            let wanted = keep * plan.region_pixels()[region] as f64;
            let k = (wanted * (1.0 - 4.0 * f64::EPSILON)).ceil().max(1.0) as usize;
            let cut = Cut::new(ranking, k, limit);
            for pixel in &ranking.0 {
                let share = cut.share(pixel.hardness);
                kept += share;
                weight += share * pixel.weight;
                if let Some(class) = pixel.class.filter(|_| share > 0.0) {
                    let loss = share * pixel.weight * pixel.hardness;
                    sums.numerator += loss;
                    sums.per_class[class].loss += loss;
                    sums.per_class[class].weight += share * pixel.weight;
                }
            }
            cuts.insert(region, cut);
        }
        match self.reduction() {
            Reduction::Mean => sums.denominator = weight,
            Reduction::MeanValid => sums.denominator = kept,
            _ => {}
        }
        cuts
    }

    /// Σ factor·value, and each class's share of it.
    fn add_terms(&self, terms: &[Outcome], sums: &mut Sums) {
        sums.denominator = 1.0;
        for ((factor, _), term) in self.terms().iter().zip(terms) {
            sums.numerator += factor * term.value;
            if let Some(broken) = &term.sums.broken {
                sums.broken.get_or_insert_with(|| broken.clone());
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

    /// The signed distances that a boundary loss reads instead of the target, laid out like the logits.
    fn distances<T: Element>(&self, input: &Input<'_, T>, geometry: &Geometry) -> Option<Vec<T>> {
        if self.spec().kind() != Kind::Boundary {
            return None;
        }
        if let Some((_, given)) = &input.distances {
            return Some(given.to_vec());
        }
        let (class_stride, _) = geometry.strides();
        let label = |image: usize, pixel: usize| {
            match input.label(image * geometry.pixels + pixel, self.spec().ignore_index) {
                PixelLabel::Ignored => None,
                // The census has seen to it that the label names a class.
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
        Some(out)
    }

    fn demand_length<T>(&self, input: &Input<'_, T>, gradient: Option<&[T]>) -> Result<(), Error> {
        match gradient {
            Some(gradient) if gradient.len() != input.logits.len() => {
                let (expected, found) = (input.logits.len(), gradient.len());
                Err(self.error(Problem::Length { operand: "gradient", expected, found }))
            }
            _ => Ok(()),
        }
    }
}

fn run<T: Element>(
    walk: &Walk<'_, T>,
    kind: &impl PixelLoss<T>,
    denominator: f64,
    outputs: Vec<Output<'_, T>>,
) -> Result<Vec<Sums>, Error> {
    walk.tiles(outputs, |tile, output| walk.sum(kind, Plain, denominator, tile, output))
}

/// For a pass that writes nothing.
fn nothing(geometry: &Geometry) -> Vec<()> {
    vec![(); Tile::count(geometry)]
}

/// Adds up the tiles of each region, in their order.
fn by_region<T: Element, S>(
    walk: &Walk<'_, T>,
    tiles: Vec<S>,
    zero: impl Fn() -> S,
    add: impl Fn(&mut S, S),
) -> BTreeMap<usize, S> {
    let mut regions = BTreeMap::new();
    for (number, sums) in tiles.into_iter().enumerate() {
        let tile = Tile::new(walk.geometry, number);
        add(regions.entry(walk.plan.region(tile.image)).or_insert_with(&zero), sums);
    }
    regions
}
