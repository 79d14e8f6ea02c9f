//! What the labels decide before a logit is read: weights, shifts, regions and denominator of a whole scope.

use crate::counts::{ClassCounts, ImageCounts, share};
use crate::description::Description;
use crate::error::{Error, Problem};
use crate::kind::Structure;
use crate::label_counts::LabelCounts;
use crate::options::{Absent, Average, Classes, Reduction, Region, Source, Threshold};
use crate::weights;
use ndarray::{Array2, ArrayView1};
use std::ops::Range;
use std::sync::Arc;

/// The weights and the denominator of a scope, shared by all its parts.
///
/// Made by [`Loss::plan`](crate::Loss::plan) from the label counts of *all* images and tiles that together
/// make one value; the parts are then computed in any order, on any machine, and combined.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The loss that it is for.
    of: Arc<Description>,
    /// What was counted of all images; none where nobody joins parts.
    labels: Option<Arc<LabelCounts>>,
    classes: usize,
    /// The images that this plan's rows stand for.
    images: Range<usize>,
    /// One row for the batch, or one per image.
    weights: Array2<f64>,
    /// What is taken from the logits of each class, likewise.
    shift: Option<Array2<f64>>,
    /// What a kind makes of the class priors: LDAM's margins, seesaw's ln π.
    parameters: Option<Array2<f64>>,
    /// For each region the weight of each class that counts there, 0 for the others.
    counted: Array2<f64>,
    /// For each region its number of valid pixels.
    region_pixels: Box<[u64]>,
    denominator: f64,
    /// What a valid pixel weighs on average.
    mean_weight: f64,
    /// Of a combined loss: the plan of each term.
    terms: Vec<Plan>,
}

impl Plan {
    /// `running`: the counts of the batches so far; `terms`: the plans of the losses that this one is a sum of.
    pub(crate) fn new(
        of: &Arc<Description>,
        running: Option<&ClassCounts>,
        labels: &LabelCounts,
        terms: Vec<Self>,
    ) -> Result<Self, Error> {
        let mut plan = Self {
            of: Arc::clone(of),
            labels: None,
            classes: labels.classes(),
            images: 0..labels.len(),
            weights: Array2::ones((1, labels.classes())),
            shift: None,
            parameters: None,
            counted: Array2::zeros((0, 0)),
            region_pixels: Box::default(),
            denominator: 1.0,
            mean_weight: 1.0,
            terms,
        };
        if of.structure() == Structure::Terms {
            return Ok(plan);
        }
        plan.weights = match of.component {
            None => weights::estimate(&of.spec, labels, running)?,
            Some((component, _)) => component_weights(of, component, labels, running)?,
        };
        plan.shift = shift(of, labels, running)?;
        plan.parameters = parameters(of, labels, running)?;
        (plan.counted, plan.region_pixels) = regions(of, labels, &plan.weights);
        plan.denominator = plan.share(of, labels);
        let total: f64 = (0..plan.classes).map(|class| plan.class_weight(of, labels, class)).sum();
        plan.mean_weight = share(total, labels.valid_pixels() as f64);
        Ok(plan)
    }

    /// The plan for some of the images: the same weights and the same denominator of the whole.
    ///
    /// # Errors
    /// [`Problem::NoSuchImages`] if the range reaches past the plan's images.
    pub fn images(&self, range: Range<usize>) -> Result<Self, Error> {
        let images = self.images.len();
        if !(range.start <= range.end && range.end <= images) {
            let problem = Problem::NoSuchImages { start: range.start, end: range.end, images };
            return Err(Error { operation: "plan", problem });
        }
        let terms = self.terms.iter().map(|term| term.images(range.clone())).collect::<Result<_, _>>()?;
        let images = self.images.start + range.start..self.images.start + range.end;
        Ok(Self { images, terms, ..self.clone() })
    }

    /// The same with the label counts that it was made of: parts are held against them.
    pub(crate) fn remembering(self, labels: LabelCounts) -> Self {
        Self { labels: Some(Arc::new(labels)), ..self }
    }

    /// The loss that it is for.
    pub(crate) fn of(&self) -> &Arc<Description> {
        &self.of
    }

    /// What was counted of all images, also of those that this plan leaves out.
    pub(crate) fn labels(&self) -> Option<&LabelCounts> {
        self.labels.as_deref()
    }

    /// The number of this plan's first image among all.
    pub(crate) fn first_image(&self) -> usize {
        self.images.start
    }

    /// What the sum over the whole scope is divided by, as far as the labels decide it: of top-k
    /// cross-entropy only the sums of all parts tell which pixels' weights count.
    pub fn denominator(&self) -> f64 {
        self.denominator
    }

    /// What a pixel weighs on average; 0 where none is valid.
    pub(crate) fn mean_weight(&self) -> f64 {
        self.mean_weight
    }

    /// The weights in force: one row for the batch or one per image; a column per class, or per channel a
    /// pair (negative, positive) for the sigmoid kinds that are sums over pixels. None for a combined loss.
    pub fn effective_weights(&self) -> Array2<f64> {
        if !self.terms.is_empty() {
            return Array2::zeros((0, self.classes));
        }
        if self.weights.nrows() == 1 {
            return self.weights.clone();
        }
        self.weights.slice(ndarray::s![self.images.clone(), ..]).to_owned()
    }

    pub(crate) fn terms(&self) -> &[Self] {
        &self.terms
    }

    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    /// Which row of a table belongs to one of this part's images.
    fn row_of<'a>(&self, table: &'a Array2<f64>, image: usize) -> ArrayView1<'a, f64> {
        table.row(if table.nrows() == 1 { 0 } else { self.images.start + image })
    }

    pub(crate) fn row(&self, image: usize) -> ArrayView1<'_, f64> {
        self.row_of(&self.weights, image)
    }

    pub(crate) fn shift(&self, image: usize) -> Option<ArrayView1<'_, f64>> {
        self.shift.as_ref().map(|table| self.row_of(table, image))
    }

    /// Whether another plan takes the same from the logits.
    pub(crate) fn has_shift_of(&self, other: &Self) -> bool {
        self.shift == other.shift && self.images == other.images
    }

    pub(crate) fn parameters(&self, image: usize) -> Option<ArrayView1<'_, f64>> {
        self.parameters.as_ref().map(|table| self.row_of(table, image))
    }

    /// The region that one of this part's images belongs to.
    pub(crate) fn region(&self, image: usize) -> usize {
        if self.counted.nrows() == 1 { 0 } else { self.images.start + image }
    }

    /// For each region the weight of each class, 0 where it does not count.
    pub(crate) fn counted(&self) -> &Array2<f64> {
        &self.counted
    }

    /// The valid pixels of each region.
    pub(crate) fn region_pixels(&self) -> &[u64] {
        &self.region_pixels
    }

    /// How much of the denominator some of the scope's pixels carry.
    pub(crate) fn share(&self, of: &Description, labels: &LabelCounts) -> f64 {
        let (spec, classes) = (&of.spec, self.classes as f64);
        let pixels = |count: fn(&ImageCounts) -> u64| labels.images().iter().map(count).sum::<u64>() as f64;
        let by_pixels = of.component.is_some_and(|(_, component)| component.by_pixels);
        if by_pixels && of.structure() == Structure::Pixels {
            // A pixel of weight k counts like k pixels.
            return labels.images().iter().map(|image| image.mapped_valid).sum();
        }
        match of.reduction() {
            Reduction::Mean => match of.structure() {
                Structure::Overlap | Structure::Lovasz => self.regions_weight(of, labels),
                // Every class has its share in the loss of every pixel.
                _ if spec.kind().has_distances() => {
                    let images = labels.images().iter().enumerate();
                    images.map(|(n, image)| image.mapped_valid * self.row(n).sum()).sum()
                }
                _ => (0..self.classes).map(|class| self.class_weight(of, labels, class)).sum(),
            },
            Reduction::MeanValid => pixels(|image| image.valid),
            Reduction::MeanAll => pixels(|image| image.pixels) * if spec.has_pairs() { classes } else { 1.0 },
            Reduction::MeanImages => labels.len() as f64,
            // Not shared out: every part carries the whole constant, and `Sums::combine` keeps it.
            Reduction::Sum => 1.0,
            Reduction::Constant(x) => x,
        }
    }

    /// Σ over the regions of a part of the weights of the classes that count in them.
    fn regions_weight(&self, of: &Description, labels: &LabelCounts) -> f64 {
        let regions: std::collections::BTreeSet<usize> = (0..labels.len()).map(|n| self.region(n)).collect();
        let weight = |region: usize| match of.is_pooled() {
            // One ratio for all classes: the region counts as one.
            true => f64::from(u8::from(self.counted.row(region).iter().any(|&w| w > 0.0))),
            false => self.counted.row(region).sum(),
        };
        regions.into_iter().map(weight).sum()
    }

    /// Σ of the weights that meet the target in a class; for pairs in a channel, negatives included.
    pub(crate) fn class_weight(&self, of: &Description, labels: &LabelCounts, class: usize) -> f64 {
        if of.structure() == Structure::Overlap || of.structure() == Structure::Lovasz {
            return self.counted.column(class).sum();
        }
        let weight = |(number, image): (usize, &ImageCounts)| {
            let (row, mass) = (self.row(number), image.mapped_mass[class]);
            match of.spec.has_pairs() {
                true => row[2 * class] * (image.mapped_valid - mass) + row[2 * class + 1] * mass,
                false if of.spec.kind().has_distances() => row[class] * image.mapped_valid,
                false => row[class] * mass,
            }
        };
        labels.images().iter().enumerate().map(weight).sum()
    }

    pub(crate) fn fit(&self, operation: &'static str, images: usize, classes: usize) -> Result<(), Error> {
        if (self.images.len(), self.classes) == (images, classes) {
            return Ok(());
        }
        let problem = Problem::Plan {
            plan: self.images.len(),
            plan_classes: self.classes,
            part: images,
            part_classes: classes,
        };
        Err(Error { operation, problem })
    }
}

/// What is taken from every logit of a class, a row per scope: ln τ_c, ln(th/(1 − th)), or −t·ln π_c.
fn shift(
    of: &Description,
    labels: &LabelCounts,
    running: Option<&ClassCounts>,
) -> Result<Option<Array2<f64>>, Error> {
    let (spec, classes) = (&of.spec, labels.classes());
    // ln(th/(1 − th)) as a difference: 1 − th is exact near th = 1, and ln1p keeps small th.
    let logit = |t: f64| if spec.is_sigmoid() { t.ln() - (-t).ln_1p() } else { t.ln() };
    match &spec.threshold {
        None | Some(Threshold::Document(_)) => Ok(None),
        Some(Threshold::LogitShift(thresholds)) if thresholds.len() != classes => {
            let found = thresholds.len();
            let problem = Problem::PerClass { key: "threshold.logit_shift", expected: classes, found };
            Err(Error { operation: spec.kind().name(), problem })
        }
        Some(Threshold::LogitShift(thresholds)) => {
            Ok(Some(Array2::from_shape_fn((1, classes), |(_, c)| logit(thresholds[c]))))
        }
        Some(Threshold::LogitAdjustment(t)) => {
            let prior = weights::prior(spec, labels, running)?;
            Ok(Some(prior.mapv(|pi| -t * logit(pi))))
        }
    }
}

/// The weights of a component: its own, or those of the specification.
fn component_weights(
    of: &Description,
    component: usize,
    labels: &LabelCounts,
    running: Option<&ClassCounts>,
) -> Result<Array2<f64>, Error> {
    let (spec, classes) = (&of.spec, labels.classes());
    match spec.options.component_weights(component, classes) {
        Ok(None) => weights::estimate(spec, labels, running),
        Ok(Some(row)) => Ok(Array2::from_shape_fn((1, classes), |(_, c)| row[c])),
        Err((key, expected, found)) => {
            Err(Error { operation: spec.kind().name(), problem: Problem::Option { key, expected, found } })
        }
    }
}

/// What the kind makes of the class priors, a row per scope.
fn parameters(
    of: &Description,
    labels: &LabelCounts,
    running: Option<&ClassCounts>,
) -> Result<Option<Array2<f64>>, Error> {
    let spec = &of.spec;
    if !spec.kind().reads_prior() {
        return Ok(None);
    }
    let mut rows = weights::prior(spec, labels, running)?;
    let counts = match spec.prior().source {
        Source::Fixed => vec![],
        source => weights::scopes(source, "prior.source", spec, labels, running)?,
    };
    for (scope, mut row) in rows.rows_mut().into_iter().enumerate() {
        let seen = |c: usize| counts.get(scope).is_none_or(|counts| counts.pixels[c] > 0.0);
        let seen: Vec<bool> = (0..row.len()).map(seen).collect();
        let parameters = spec.options.parameters(&row.to_vec(), &seen);
        row.assign(&ndarray::aview1(&parameters));
    }
    Ok(Some(rows))
}

/// The weights by region of the classes that count there, and the regions' numbers of valid pixels; nothing where pixels
/// are summed up each by itself.
fn regions(of: &Description, labels: &LabelCounts, weights: &Array2<f64>) -> (Array2<f64>, Box<[u64]>) {
    let spec = &of.spec;
    if of.structure() == Structure::Pixels {
        return (Array2::zeros((0, 0)), Box::default());
    }
    let scopes: Vec<&[ImageCounts]> = match spec.region() {
        Region::Batch => vec![labels.images()],
        Region::Image => labels.images().chunks(1).collect(),
    };
    let classes = spec.classes();
    let mut counted = Array2::zeros((scopes.len(), weights.ncols()));
    let mut pixels = vec![0; scopes.len()];
    for (region, scope) in scopes.iter().enumerate() {
        pixels[region] = scope.iter().map(|image| image.valid).sum();
        let mapped: f64 = scope.iter().map(|image| image.mapped_valid).sum();
        if mapped <= 0.0 {
            continue;
        }
        let mass = |c: usize| scope.iter().map(|image| image.mapped_mass[c]).sum::<f64>();
        let masses: Vec<f64> = (0..weights.ncols()).map(mass).collect();
        let row = weights.row(if weights.nrows() == 1 { 0 } else { region });
        let own = (of.is_pooled() && spec.weights.source == Source::None)
            .then(|| sudre(spec.weights.absent, &masses));
        for (c, &mass) in masses.iter().enumerate() {
            counted[[region, c]] = match &own {
                Some(weights) => weights[c],
                None if classes == Classes::Present && mass <= 0.0 => 0.0,
                None if classes == Classes::Foreground && c == 0 => 0.0,
                None => row[c],
            };
        }
        if spec.average() == Average::Images {
            // The weights of an image sum to 1, so that it counts once, however many classes it has.
            let sum = counted.row(region).sum();
            counted.row_mut(region).mapv_inplace(|weight| share(weight, sum));
        }
    }
    (counted, pixels.into())
}

/// Generalised Dice's own weights 1/(Σy)², which know no absent class: the policy settles it.
fn sudre(absent: Absent, masses: &[f64]) -> Vec<f64> {
    let weight = |mass: f64| share(1.0, mass * mass);
    let largest = masses.iter().map(|&mass| weight(mass)).fold(0.0, f64::max);
    let settle = |&mass: &f64| match absent {
        Absent::Cap(cap) if mass <= 0.0 || weight(mass) > cap => cap,
        _ if mass > 0.0 => weight(mass),
        Absent::LargestPresent => largest,
        _ => 0.0,
    };
    masses.iter().map(settle).collect()
}
