//! What the factors of a fit come from: weights, and what the sum was divided by.
//!
//! A factor of every batch (image, class) must be constant·w/D with one constant, one way to make weights and one
//! denominator. The plainest that holds is taken: a constant of 1 before any other, no weights before some.

use super::answer::{label_counts, weights_and_denominator};
use super::fit::{Fit, Parts};
use super::observation::Observation;
use super::reading::Seen;
use segloss::{LabelCounts, LossSpec, Normalise, Reduction, Scheme, Source, WeightSpec};
use segloss_cases::has_pairs;

/// What stands in the denominator beside what a specification can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Nothing.
    None,
    /// Each image is divided by its own weights, and the images are averaged.
    ImageMeans,
    /// The number of classes.
    Classes,
    /// The number of classes is in the numerator: a sum over them instead of a mean.
    SumOfClasses,
    /// The number of images.
    Images,
    /// The number of images is in the numerator.
    SumOfImages,
    /// The number of pixels that count.
    Pixels,
    /// The number of pixels of an image.
    Area,
    /// The classes that occur are summed and divided by all.
    AbsentAsZero,
    /// The number of pixels is in the numerator: one number was added to the loss of each pixel.
    SumOfPixels,
    /// The last axis is summed, and the classes are averaged as if they were pixels.
    LastAxis,
}

impl Extra {
    const ALL: [Self; 11] = [
        Self::None,
        Self::ImageMeans,
        Self::Classes,
        Self::SumOfClasses,
        Self::Images,
        Self::SumOfImages,
        Self::Pixels,
        Self::Area,
        Self::AbsentAsZero,
        Self::SumOfPixels,
        Self::LastAxis,
    ];

    /// What it multiplies the denominator with.
    fn of(self, o: &Observation, n: usize, labels: &Labels, of: &Weighed) -> f64 {
        let (classes, images) = (o.classes as f64, o.images as f64);
        let (counts, weights) = (&labels.counts, &of.rows);
        match self {
            Self::None => 1.0,
            Self::ImageMeans => {
                let own: f64 = weights[n].iter().zip(&counts[n]).map(|(w, n)| w * n).sum();
                images * own / of.denominator
            }
            Self::Classes => classes,
            Self::SumOfClasses => 1.0 / classes,
            Self::Images => images,
            Self::SumOfImages => 1.0 / images,
            Self::Pixels => labels.valid,
            Self::Area => o.pixels() as f64,
            Self::SumOfPixels => 1.0 / (images * o.pixels() as f64),
            Self::LastAxis => classes / o.spatial.last().map_or(1.0, |&length| length as f64),
            Self::AbsentAsZero => {
                let present =
                    (0..o.classes).filter(|&c| counts.iter().any(|row| row[c % row.len()] > 0.0)).count();
                classes / present.max(1) as f64
            }
        }
    }
}

/// Where the factors come from.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The loss, with its weights and what it is divided by as far as a specification can say that.
    pub spec: LossSpec,
    /// What else it is divided by.
    pub extra: Extra,
    /// What it is multiplied with besides.
    pub constant: f64,
}

/// A batch with its fit.
#[derive(Clone)]
pub struct Fitted<'a> {
    pub o: &'a Observation,
    /// Of the labels as they are read.
    counts: LabelCounts,
    pub fit: Fit,
}

impl<'a> Fitted<'a> {
    /// None where a loss of this kind does not take the labels.
    pub fn new(o: &'a Observation, seen: &Seen<'_>, spec: &LossSpec, fit: Fit) -> Option<Self> {
        Some(Self { o, counts: label_counts(o, seen, spec)?, fit })
    }
}

const REDUCTIONS: [Reduction; 5] =
    [Reduction::Mean, Reduction::MeanValid, Reduction::MeanAll, Reduction::MeanImages, Reduction::Sum];

/// The plainest explanation of the factors of a loss; none where nothing that is known explains them.
pub fn explain(spec: &LossSpec, fitted: &[Fitted<'_>]) -> Option<Explanation> {
    let parts = fitted.first()?.fit.parts;
    if matches!(parts, Parts::Along(_) | Parts::FocalOfWeighted) {
        return None;
    }
    // One number that is to be explained exactly, or many.
    let bare = fitted.iter().all(|f| f.o.gradient.is_none());
    let tolerance = fitted.iter().map(|f| f.o.tolerance()).fold(0.0, f64::max);
    let tolerance =
        if bare { fitted.iter().map(|f| 40.0 * f.o.epsilon).fold(1e-9, f64::max) } else { 20.0 * tolerance };
    let columns = if has_pairs(spec) { 2 } else { 1 } * fitted[0].o.classes;
    let labels: Vec<Labels> = fitted.iter().map(|f| Labels::of(f.o, columns)).collect();
    let mut found: Vec<(usize, Explanation)> = Vec::new();
    for (cost, weights) in weights(spec, parts, fitted) {
        for (rank, reduction) in reductions(spec).into_iter().enumerate() {
            let weighted = LossSpec { weights: weights.clone(), reduction, ..spec.clone() };
            if segloss::Loss::new(weighted.clone()).is_err() {
                continue;
            }
            let weighed = |f: &Fitted<'_>| {
                let (rows, denominator) = weights_and_denominator(&f.counts, &weighted)?;
                (denominator > 0.0).then_some(Weighed { rows, denominator })
            };
            let Some(weighed) = fitted.iter().map(weighed).collect::<Option<Vec<_>>>() else { continue };
            for (further, extra) in Extra::ALL.into_iter().enumerate() {
                // A sum that is divided is one of the means, which are tried themselves.
                if reduction == Some(Reduction::Sum)
                    && matches!(extra, Extra::Images | Extra::Pixels | Extra::Area)
                {
                    continue;
                }
                let found_constant = constant(&weighted, extra, fitted, &labels, &weighed);
                let Some((constant, spread)) = found_constant else { continue };
                if !(spread <= tolerance) {
                    continue;
                }
                let is_one = (constant - 1.0).abs() <= tolerance;
                // A constant that is no 1 is worse than any weights; an unusual one worse still.
                let odd = if is_one {
                    0
                } else if extra == Extra::None && is_round(constant, tolerance) {
                    40
                } else {
                    80
                };
                let cost = cost + rank + 6 * further + odd;
                let constant = if is_one { 1.0 } else { rounded(constant) };
                let spec = weighted.clone();
                found.push((cost, Explanation { spec, extra, constant }));
            }
        }
    }
    // Of equal ones the first: they are tried from the plainest on.
    found.into_iter().min_by_key(|(cost, _)| *cost).map(|(_, explanation)| explanation)
}

/// A number that somebody would write: up to two digits, or a simple fraction.
pub fn is_round(x: f64, tolerance: f64) -> bool {
    // Of a large number everything is near some digits.
    let near = |x: f64| (x - x.round()).abs() <= (tolerance * x.abs().max(1.0)).min(0.02) && x.round() != 0.0;
    [1.0, 2.0, 3.0, 10.0, 20.0, 100.0].into_iter().any(|scale| near(x * scale))
}

/// What a sum over pixels may be divided by; a mean over regions is a mean.
fn reductions(spec: &LossSpec) -> Vec<Option<Reduction>> {
    match spec.kind().is_additive() && spec.kind().info().takes("reduction") {
        true => REDUCTIONS.map(Some).to_vec(),
        false => vec![spec.reduction],
    }
}

/// Ways to make weights that may explain parts, with what each costs.
fn weights(spec: &LossSpec, parts: Parts, fitted: &[Fitted<'_>]) -> Vec<(usize, WeightSpec)> {
    let own = spec.weights.clone();
    if parts == Parts::All {
        return vec![(0, own)];
    }
    let mut all = vec![(0, own)];
    let given = fitted.first().and_then(|f| f.o.class_weights.clone());
    if let Some(values) = given.and_then(|given| columns(spec, &given, fitted[0].o.classes)) {
        all.push((1, WeightSpec { source: Source::Fixed, values, ..WeightSpec::default() }));
    }
    let sources: &[Source] = match parts {
        Parts::Class => &[Source::PerBatch],
        _ => &[Source::PerBatch, Source::PerSample],
    };
    let schemes = [
        Scheme::InverseFrequency,
        Scheme::InverseSqrt,
        Scheme::MedianFrequency,
        Scheme::Complement,
        Scheme::Enet,
        Scheme::EffectiveNumber(0.999),
        Scheme::EffectiveNumber(0.9999),
        Scheme::EffectiveNumber(0.99),
        Scheme::EffectiveNumber(0.9),
        Scheme::Power(2.0),
        Scheme::Power(0.25),
        Scheme::Power(-1.0),
        Scheme::Power(-0.5),
    ];
    let rules = [Normalise::None, Normalise::MeanOne, Normalise::ExpectedOne, Normalise::SumOne];
    for &source in sources {
        for (i, scheme) in schemes.into_iter().enumerate() {
            for (j, normalise) in rules.into_iter().enumerate() {
                all.push((2 + i + j, WeightSpec { source, scheme, normalise, ..WeightSpec::default() }));
            }
        }
    }
    all.retain(|(_, weights)| !is_even(weights));
    all.extend(fixed(spec, fitted).into_iter().map(|weights| (20, weights)));
    all
}

/// Whether weights are given that are all the same: a factor, and no weights.
fn is_even(weights: &WeightSpec) -> bool {
    weights.source == Source::Fixed && weights.values.windows(2).all(|pair| pair[0] == pair[1])
}

/// Given weights as a specification has them: of channels a pair for each, of which the second was given.
fn columns(spec: &LossSpec, given: &[f64], classes: usize) -> Option<Vec<f64>> {
    match (has_pairs(spec), given.len()) {
        (false, n) if n == classes => Some(given.to_vec()),
        (true, n) if n == classes => Some(given.iter().flat_map(|&w| [1.0, w]).collect()),
        (true, 1) => Some((0..classes).flat_map(|_| [1.0, given[0]]).collect()),
        (true, n) if n == 2 * classes => Some(given.to_vec()),
        _ => None,
    }
}

/// Weights that are the same for every batch: those that the first batch with all classes has, in a readable scale.
fn fixed(spec: &LossSpec, fitted: &[Fitted<'_>]) -> Vec<WeightSpec> {
    let Some(first) = fitted.first() else { return Vec::new() };
    let columns = if has_pairs(spec) { 2 * first.o.classes } else { first.o.classes };
    let mut values = vec![f64::NAN; columns];
    let scale = |k: &[f64]| k.iter().copied().find(|k| k.is_finite() && *k != 0.0);
    for f in fitted {
        // Of one batch as it is; what another adds is only brought to its scale by a class that both have.
        for row in f.fit.factors.chunks(columns) {
            let both = (0..columns).find(|&c| values[c].is_finite() && row[c].is_finite() && row[c] != 0.0);
            let by = match (both, scale(row)) {
                (Some(c), _) => values[c] / row[c],
                (None, Some(_)) if values.iter().all(|w| w.is_nan()) => 1.0,
                _ => continue,
            };
            values.iter_mut().zip(row).filter(|(w, _)| w.is_nan()).for_each(|(w, k)| *w = k * by);
        }
    }
    // What is left of a class without weight is rounding.
    let most = values.iter().filter(|w| w.is_finite()).fold(0.0_f64, |most, w| most.max(w.abs()));
    let noise = fitted.iter().map(nothing).fold(0.0, f64::max);
    values.iter_mut().filter(|w| w.abs() <= noise * most).for_each(|w| *w = 0.0);
    // A class that no batch has may weigh anything.
    values.iter_mut().filter(|w| w.is_nan()).for_each(|w| *w = 1.0);
    let Some(per) = denominators(spec, fitted) else { return Vec::new() };
    let made = |factor: f64| {
        let values: Vec<f64> = values.iter().map(|w| rounded(w * factor)).collect();
        let even = values.windows(2).all(|pair| (pair[0] / pair[1] - 1.0).abs() < 1e-5);
        (!even && values.iter().all(|w| *w >= 0.0 && w.is_finite())).then(|| WeightSpec {
            source: Source::Fixed,
            values,
            ..WeightSpec::default()
        })
    };
    let smallest = values.iter().copied().filter(|w| *w > 0.0).fold(f64::INFINITY, f64::min);
    // Where only their ratios matter, the smallest is 1.
    std::iter::once(1.0 / smallest).chain(per).filter_map(made).collect()
}

/// What of the largest factor is none: it moves the gradient by less than two computations of the same differ.
fn nothing(f: &Fitted<'_>) -> f64 {
    0.1 * f.o.tolerance()
}

/// To five digits, where that is what it is within rounding.
fn rounded(x: f64) -> f64 {
    if !x.is_normal() {
        return x;
    }
    let digits = 5 - x.abs().log10().floor() as i32;
    let near = (x * 10f64.powi(digits)).round() / 10f64.powi(digits);
    if (near - x).abs() <= 1e-6 * x.abs() { near } else { x }
}

/// What the first batch may have been divided by, without its weights.
fn denominators(spec: &LossSpec, fitted: &[Fitted<'_>]) -> Option<Vec<f64>> {
    let first = fitted.first()?;
    let of = |reduction| {
        let spec = LossSpec { reduction: Some(reduction), ..spec.clone() };
        weights_and_denominator(&first.counts, &spec).map(|(_, denominator)| denominator)
    };
    match spec.kind().is_additive() {
        true => Some(REDUCTIONS.into_iter().filter_map(of).collect()),
        false => Some(vec![first.o.classes as f64, 1.0]),
    }
}

/// The constant that is left of all factors, and how far they are from it; none where a factor is not explained at all.
fn constant(
    spec: &LossSpec,
    extra: Extra,
    fitted: &[Fitted<'_>],
    labels: &[Labels],
    weighed: &[Weighed],
) -> Option<(f64, f64)> {
    let mut all = Vec::new();
    for ((f, labels), of) in fitted.iter().zip(labels).zip(weighed) {
        let (o, fit, rows) = (f.o, &f.fit, &of.rows);
        // A specification that is no sum is fitted as the mean it is.
        let own = if spec.kind().is_additive() || fit.parts == Parts::Class { of.denominator } else { 1.0 };
        let ks: Vec<(f64, f64)> = match fit.parts {
            Parts::All => {
                if extra == Extra::ImageMeans && o.images > 1 {
                    let each = |n| extra.of(o, n, labels, of);
                    let first = each(0);
                    if (1..o.images).any(|n| (each(n) / first - 1.0).abs() > 1e-9) {
                        return None;
                    }
                }
                vec![(fit.factors[0], 1.0 / (own * extra.of(o, 0, labels, of)))]
            }
            Parts::ImageAndClass => {
                let columns = rows[0].len();
                let each = |i: usize| {
                    let (n, c) = (i / columns, i % columns);
                    let d = own * extra.of(o, n, labels, of);
                    (fit.factors[i], rows[n][c] / d)
                };
                (0..fit.factors.len()).map(each).collect()
            }
            Parts::Along(_) | Parts::FocalOfWeighted => return None,
            Parts::Class => {
                let d = own * extra.of(o, 0, labels, of);
                fit.factors.iter().zip(&rows[0]).map(|(&k, w)| (k, w / d)).collect()
            }
        };
        let most = ks.iter().map(|(k, _)| k.abs()).filter(|k| k.is_finite()).fold(0.0, f64::max);
        for (k, expected) in ks.into_iter().filter(|(k, _)| k.is_finite()) {
            match (expected == 0.0, k.abs() <= nothing(f) * most) {
                (true, true) => {}
                (true, false) | (false, true) => return None,
                (false, false) => all.push(k / expected),
            }
        }
    }
    if all.iter().any(|k| !k.is_finite()) {
        return None;
    }
    let mut sorted = all.clone();
    sorted.sort_by(f64::total_cmp);
    let middle = *sorted.get(sorted.len() / 2)?;
    let spread = all.iter().map(|k| (k / middle - 1.0).abs()).fold(0.0, f64::max);
    Some((middle, spread))
}

/// What the weights of a batch come to.
struct Weighed {
    /// A row for each image.
    rows: Vec<Vec<f64>>,
    /// What a specification divides by.
    denominator: f64,
}

/// What the labels of a batch come to.
struct Labels {
    /// Pixels of each class in each image; of channels negatives and positives.
    counts: Vec<Vec<f64>>,
    /// Pixels that count.
    valid: f64,
}

impl Labels {
    fn of(o: &Observation, columns: usize) -> Self {
        let of_image = |n: usize| -> Vec<f64> {
            let mut positives = vec![0.0; o.classes];
            for p in (0..o.pixels()).filter(|&p| o.is_valid(n, p)) {
                match o.labels() {
                    Some(labels) if o.classes > 1 => positives[labels[n * o.pixels() + p] as usize] += 1.0,
                    _ => (0..o.classes).for_each(|c| positives[c] += o.y(n, c, p)),
                }
            }
            let valid = o.valid_in(n) as f64;
            match columns == o.classes {
                true => positives,
                false => positives.into_iter().flat_map(|y| [valid - y, y]).collect(),
            }
        };
        Self { counts: (0..o.images).map(of_image).collect(), valid: o.valid() as f64 }
    }
}

impl Explanation {
    /// Weights and denominator in a few words.
    pub fn words(&self) -> String {
        let weights = weights_in_words(&self.spec);
        let by = self.divisor_in_words();
        match (weights.is_empty(), by.is_empty()) {
            (true, _) => by,
            (false, true) => weights,
            (false, false) => format!("{weights}, {by}"),
        }
    }

    /// What it is divided by.
    pub fn divisor_in_words(&self) -> String {
        let additive = self.spec.kind().is_additive();
        let by = match self.spec.reduction() {
            _ if !additive => "",
            Reduction::Mean if self.spec.weights.source == Source::None => "mean over the pixels that count",
            Reduction::Mean => "divided by the sum of the weights",
            Reduction::MeanValid => "mean over the pixels that count",
            Reduction::MeanAll => "mean over all entries, ignored ones too",
            Reduction::MeanImages => "sum over pixels, mean over images",
            Reduction::Sum => "sum",
            Reduction::Constant(_) => "divided by a constant",
        };
        let extra = match self.extra {
            Extra::None => "",
            Extra::ImageMeans => "of each image by itself, then over the images",
            Extra::Classes => "and divided by the number of classes",
            Extra::SumOfClasses => "summed over the classes",
            Extra::Images => "and divided by the number of images",
            Extra::SumOfImages => "summed over the images",
            Extra::Pixels => "and divided by the number of pixels",
            Extra::Area => "and divided by the number of pixels of an image",
            Extra::AbsentAsZero => "absent classes counted as 0",
            Extra::SumOfPixels => "added to the loss of each pixel",
            Extra::LastAxis => "and classes, of sums along the last axis",
        };
        [by, extra].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// The weights of a specification in a few words.
pub fn weights_in_words(spec: &LossSpec) -> String {
    let weights = &spec.weights;
    match weights.source {
        Source::None => String::new(),
        _ if weights.scheme == Scheme::Power(0.0) => String::new(),
        Source::Fixed => {
            let values: Vec<String> = weights.values.iter().map(|w| format!("{w:.4}")).collect();
            format!("weights {}", values.join(" "))
        }
        Source::Map => "weights for each pixel".to_owned(),
        Source::PerSample | Source::PerBatch | Source::Dataset | Source::Ema => {
            let scope = match weights.source {
                Source::PerSample => "of each image",
                Source::Dataset => "of the data set",
                Source::Ema => "of the batches so far",
                _ => "of the batch",
            };
            let text = spec.to_toml();
            let line = |key: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(key))
                    .map(|value| value.trim_matches([' ', '=', '"']).to_owned())
            };
            let scheme = match weights.scheme {
                Scheme::Power(power) => format!("(C·f)^{}", -power),
                Scheme::EffectiveNumber(beta) => format!("effective_number {beta}"),
                _ => line("scheme").unwrap_or_else(|| "inverse_frequency".to_owned()),
            };
            let normalise = line("normalise").filter(|rule| rule != "none");
            let normalise = normalise.map_or_else(String::new, |rule| format!(", {rule}"));
            format!("weights {scheme} {scope}{normalise}")
        }
    }
}
