//! Class weights and priors from class frequencies.
//!
//! With f_c the share of class c among the valid pixels of a scope (an image, the batch, a data set), a
//! scheme makes w_c of it, a policy settles the classes without pixels, and a normalisation sets the scale.
//! Weights and priors are constants for the gradient: they depend on the labels alone.

use crate::counts::{ClassCounts, share};
use crate::error::{Error, Problem};
use crate::kinds::Kind;
use crate::label_counts::LabelCounts;
use crate::options::{Absent, Normalise, Scheme, Source, WeightSpec};
use crate::spec::LossSpec;
use ndarray::Array2;

/// The counts that a source refers to: one for all images, or one per image.
pub(crate) fn scopes(
    source: Source,
    key: &'static str,
    spec: &LossSpec,
    labels: &LabelCounts,
    running: Option<&ClassCounts>,
) -> Result<Vec<ClassCounts>, Error> {
    let classes = labels.classes();
    let fit = |counts: &ClassCounts| match counts.classes() == classes {
        true => Ok(vec![counts.clone()]),
        false => {
            let problem = Problem::PerClass { key: "dataset", expected: classes, found: counts.classes() };
            Err(Error { operation: spec.kind().name(), problem })
        }
    };
    match (source, &spec.dataset, running) {
        (Source::PerSample, ..) => Ok(labels
            .images()
            .iter()
            .map(|image| ClassCounts::of(std::slice::from_ref(image), classes))
            .collect()),
        (Source::Dataset, Some(counts), _) => fit(counts),
        (Source::Dataset, None, _) => {
            Err(Error { operation: spec.kind().name(), problem: Problem::NoDataset { key } })
        }
        (Source::Ema, _, Some(counts)) => fit(counts),
        // A running average that has seen nothing yet begins with this batch.
        _ => Ok(vec![labels.counts()]),
    }
}

/// One row of weights per scope: a single row for the whole batch, or one per image.
///
/// A column per class; for the sigmoid kinds that are sums over pixels a pair of columns per channel, the
/// weight of the negatives and that of the positives.
pub(crate) fn estimate(
    spec: &LossSpec,
    labels: &LabelCounts,
    running: Option<&ClassCounts>,
) -> Result<Array2<f64>, Error> {
    let pairs = spec.has_pairs();
    let columns = labels.classes() * if pairs { 2 } else { 1 };
    if spec.weights.source == Source::Fixed && spec.weights.values.len() != columns {
        let found = spec.weights.values.len();
        let problem = Problem::PerClass { key: "weights.values", expected: columns, found };
        return Err(Error { operation: spec.kind().name(), problem });
    }
    if let Some(row) = constant(spec, columns) {
        return Ok(row);
    }
    let scopes = scopes(spec.weights.source, "weights.source", spec, labels, running)?;
    let prior = match spec.weights.absent {
        Absent::Prior => Some(prior(spec, labels, running)?),
        _ => None,
    };
    let mut table = Array2::ones((scopes.len(), columns));
    for (n, (mut row, scope)) in table.rows_mut().into_iter().zip(&scopes).enumerate() {
        // A prior of another scope than the weights has one row, or one for each image of theirs.
        let prior = prior.as_ref().map(|rows| rows.row(if rows.nrows() == 1 { 0 } else { n }).to_vec());
        let weights = match spec.kind().owns_its_weight() {
            true => document(spec.kind(), scope, columns),
            false => of_counts(&spec.weights, scope, prior.as_deref(), pairs),
        };
        row.assign(&ndarray::aview1(&weights));
    }
    Ok(table)
}

/// Weights that no count decides.
fn constant(spec: &LossSpec, columns: usize) -> Option<Array2<f64>> {
    let WeightSpec { source, normalise, absent, .. } = spec.weights;
    if spec.kind().owns_its_weight() || absent == Absent::Prior {
        return None;
    }
    match source {
        Source::None | Source::Map => Some(Array2::ones((1, columns))),
        Source::Fixed if normalise == Normalise::None => {
            Array2::from_shape_vec((1, columns), spec.weights.values.clone()).ok()
        }
        _ => None,
    }
}

/// π, a row per scope and a column per class: see [`PriorSpec`](crate::PriorSpec).
pub(crate) fn prior(
    spec: &LossSpec,
    labels: &LabelCounts,
    running: Option<&ClassCounts>,
) -> Result<Array2<f64>, Error> {
    let classes = labels.classes();
    let rows = match spec.prior().source {
        Source::Fixed if spec.prior().values.len() != classes => {
            let found = spec.prior().values.len();
            let problem = Problem::PerClass { key: "prior.values", expected: classes, found };
            return Err(Error { operation: spec.kind().name(), problem });
        }
        Source::Fixed => vec![spec.prior().values.clone()],
        source => {
            let scopes = scopes(source, "prior.source", spec, labels, running)?;
            let prior = if spec.is_sigmoid() { ClassCounts::prior_of_channels } else { ClassCounts::prior };
            scopes.iter().map(prior).collect()
        }
    };
    let mut table = Array2::zeros((rows.len(), classes));
    table.rows_mut().into_iter().zip(&rows).for_each(|(mut to, row)| to.assign(&ndarray::aview1(row)));
    Ok(table)
}

impl WeightSpec {
    /// The weights that these counts lead to, a column per class: `source` is taken as answered.
    ///
    /// ```
    /// use segloss::{ClassCounts, WeightSpec};
    ///
    /// let counts = ClassCounts { valid: 8.0, pixels: vec![6.0, 2.0], present_in: vec![8.0; 2], ..Default::default() };
    /// assert_eq!(WeightSpec::default().of_counts(&counts), [1.0 / 1.5, 2.0]); // 1/(C·f)
    /// ```
    pub fn of_counts(&self, counts: &ClassCounts) -> Vec<f64> {
        let prior = (self.absent == Absent::Prior).then(|| counts.prior());
        of_counts(&Self { source: Source::Dataset, ..self.clone() }, counts, prior.as_deref(), false)
    }
}

/// The weight that the document's own formulas compute: w = Σy/size(y).
fn document(kind: Kind, scope: &ClassCounts, columns: usize) -> Vec<f64> {
    let mass: f64 = scope.pixels.iter().sum();
    // Of no pixels at all any weight is right; 0 keeps 0/0 out.
    let w = share(mass, scope.valid * scope.classes() as f64);
    match kind {
        // S1 weighs negatives by w, positives by 1 − w.
        Kind::DocumentBinary => {
            (0..columns).map(|column| if column % 2 == 0 { w } else { 1.0 - w }).collect()
        }
        Kind::DocumentCategorical => vec![w; columns],
        _ => vec![1.0; columns],
    }
}

/// The weights of a scope. All classes compete with each other for its pixels; of pairs, the two of each
/// channel.
fn of_counts(spec: &WeightSpec, scope: &ClassCounts, prior: Option<&[f64]>, pairs: bool) -> Vec<f64> {
    if !pairs {
        let present_in = scope.present_in.clone();
        return of_group(
            spec,
            &spec.values,
            Group::new(scope.valid, scope.pixels.clone(), present_in),
            prior,
        );
    }
    (0..scope.classes())
        .flat_map(|c| {
            let (positive, valid) = (scope.pixels[c], scope.valid);
            let others_in = scope.others_in.get(c).copied().unwrap_or(valid);
            let group = Group::new(
                valid,
                vec![(valid - positive).max(0.0), positive],
                vec![others_in, scope.present_in[c]],
            );
            let prior = prior.map(|prior| [1.0 - prior[c], prior[c]]);
            let values = spec.values.get(2 * c..2 * c + 2).unwrap_or_default();
            of_group(spec, values, group, prior.as_ref().map(<[f64; 2]>::as_slice))
        })
        .collect()
}

/// Columns that share the pixels of a scope.
struct Group {
    /// n.
    valid: f64,
    /// n_c.
    pixels: Vec<f64>,
    /// Pixels of the class / valid pixels.
    overall: Vec<f64>,
    /// The other pixels / valid pixels: from the counts, as 1 − 399/400 would have lost two digits.
    others: Vec<f64>,
    /// Pixels of the class / valid pixels of the images that contain it.
    where_present: Vec<f64>,
}

impl Group {
    fn new(valid: f64, pixels: Vec<f64>, present_in: Vec<f64>) -> Self {
        let overall = pixels.iter().map(|&pixels| share(pixels, valid)).collect();
        let where_present = pixels.iter().zip(&present_in).map(|(&pixels, &of)| share(pixels, of)).collect();
        let others = pixels.iter().map(|&pixels| share(valid - pixels, valid)).collect();
        Self { valid, pixels, overall, others, where_present }
    }
}

impl Group {
    /// What a prior leads to expect of so many pixels: one of each class at least, as in the prior itself.
    fn expected(valid: f64, prior: &[f64]) -> Self {
        let pixels = prior.iter().map(|f| (f * valid).max(1.0)).collect();
        let others = prior.iter().map(|f| 1.0 - f).collect();
        Self { valid, pixels, overall: prior.to_vec(), others, where_present: prior.to_vec() }
    }
}

fn of_group(spec: &WeightSpec, values: &[f64], group: Group, prior: Option<&[f64]>) -> Vec<f64> {
    match spec.source {
        Source::None | Source::Map => vec![1.0; group.pixels.len()],
        // Fixed weights know of no absence: each stands as it was given.
        Source::Fixed => normalise(spec.normalise, values.to_vec(), &group.overall, |_| true),
        _ => {
            let mut weights = raw(spec.scheme, &group);
            if let Some(prior) = prior {
                // The scheme at the prior's frequencies; only the absent classes take it. What the scheme makes
                // of all classes together, a median or the document's scalar, stays that of the scope.
                let fallback = match spec.scheme {
                    Scheme::MedianFrequency => {
                        prior.iter().map(|f| median(&group.where_present) / f).collect()
                    }
                    Scheme::DocumentScalar => weights.clone(),
                    scheme => raw(scheme, &Group::expected(group.valid, prior)),
                };
                let absent = (0..weights.len()).filter(|&c| group.overall[c] <= 0.0);
                absent.for_each(|c| weights[c] = fallback[c]);
            }
            settle_absent(spec.absent, &mut weights, &group.overall);
            normalise(spec.normalise, weights, &group.overall, |f| f > 0.0)
        }
    }
}

/// The scheme's formula; what it gives for a class without pixels is settled afterwards.
fn raw(scheme: Scheme, group: &Group) -> Vec<f64> {
    let classes = group.overall.len() as f64;
    let each = |weight: &dyn Fn(f64) -> f64| group.overall.iter().map(|&f| weight(f)).collect();
    match scheme {
        Scheme::Complement => group.others.clone(),
        Scheme::InverseFrequency => each(&|f| 1.0 / (classes * f)),
        Scheme::InverseSqrt => each(&|f| 1.0 / (classes * f).sqrt()),
        Scheme::Power(gamma) => each(&|f| (classes * f).powf(-gamma)),
        Scheme::MedianFrequency => {
            let median = median(&group.where_present);
            group.where_present.iter().map(|f| median / f).collect()
        }
        Scheme::Enet => each(&|f| 1.0 / (1.02 + f).ln()),
        Scheme::EffectiveNumber(beta) => {
            // 1 − βⁿ = −(e^(n·ln β) − 1): for β near 1 and small n the difference would lose its digits.
            let effective = |n: f64| if beta > 0.0 { -(n * beta.ln()).exp_m1() } else { 1.0 };
            group.pixels.iter().map(|&n| (1.0 - beta) / effective(n)).collect()
        }
        Scheme::DocumentScalar => {
            let scalar = group.overall.iter().sum::<f64>() / classes;
            each(&|_| scalar)
        }
    }
}

/// The middle of the frequencies of the classes that occur; of an even number the mean of the middle two.
fn median(where_present: &[f64]) -> f64 {
    let mut present: Vec<f64> = where_present.iter().copied().filter(|&f| f > 0.0).collect();
    present.sort_by(f64::total_cmp);
    match present.len() {
        0 => 0.0,
        n => (present[(n - 1) / 2] + present[n / 2]) / 2.0,
    }
}

fn settle_absent(policy: Absent, weights: &mut [f64], overall: &[f64]) {
    let present = |column: usize| overall[column] > 0.0;
    let largest = (0..weights.len()).filter(|&c| present(c)).map(|c| weights[c]).fold(0.0, f64::max);
    for (column, weight) in weights.iter_mut().enumerate() {
        *weight = match (policy, present(column)) {
            (Absent::Cap(cap), true) => weight.min(cap),
            (Absent::Cap(cap), false) => cap,
            // What the scheme made of the prior.
            (_, true) | (Absent::Prior, false) => *weight,
            (Absent::Zero, false) => 0.0,
            (Absent::LargestPresent, false) => largest,
        };
    }
}

fn normalise(
    rule: Normalise,
    mut weights: Vec<f64>,
    overall: &[f64],
    counts: impl Fn(f64) -> bool,
) -> Vec<f64> {
    let of = |sum: f64, by: f64| if by > 0.0 { sum / by } else { 0.0 };
    let (total, number) = weights
        .iter()
        .zip(overall)
        .filter(|&(_, &f)| counts(f))
        .fold((0.0, 0.0), |(sum, n), (w, _)| (sum + w, n + 1.0));
    let scale = match rule {
        Normalise::None => return weights,
        Normalise::MeanOne => of(total, number),
        Normalise::ExpectedOne => weights.iter().zip(overall).map(|(w, f)| w * f).sum(),
        Normalise::SumOne => weights.iter().sum(),
    };
    // A scope whose weights are all zero stays so: it has nothing to scale.
    if scale > 0.0 {
        weights.iter_mut().for_each(|w| *w /= scale);
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    const F: [f64; 4] = [0.5, 0.3, 0.2, 0.0];

    fn group(f: &[f64]) -> Group {
        Group::new(100.0, f.iter().map(|f| 100.0 * f).collect(), vec![100.0; f.len()])
    }

    fn raw(scheme: Scheme, f: &[f64]) -> Vec<f64> {
        super::raw(scheme, &group(f))
    }

    #[test]
    fn schemes_are_their_formulas() {
        assert_eq!(raw(Scheme::Complement, &F)[..3], [0.5, 0.7, 0.8]);
        assert_eq!(raw(Scheme::InverseFrequency, &F)[..2], [0.5, 1.0 / (4.0 * 0.3)]);
        // Three classes are present: the median is the middle one; of two, the mean.
        assert_eq!(raw(Scheme::MedianFrequency, &F)[..3], [0.3 / 0.5, 1.0, 0.3 / 0.2]);
        assert_eq!(raw(Scheme::MedianFrequency, &[0.25, 0.75])[0], 2.0);
    }

    #[test]
    fn the_powers_are_a_family() {
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).take(3).all(|(a, b)| (a - b).abs() <= 1e-15 * b);
        assert!(near(&raw(Scheme::Power(1.0), &F), &raw(Scheme::InverseFrequency, &F)));
        assert!(near(&raw(Scheme::Power(0.5), &F), &raw(Scheme::InverseSqrt, &F)));
        assert_eq!(raw(Scheme::Power(0.0), &F), [1.0; 4]);
    }

    #[test]
    fn the_effective_number_lies_between_no_weight_and_the_inverse() {
        assert_eq!(raw(Scheme::EffectiveNumber(0.0), &F)[..3], [1.0; 3]);
        let near_one = raw(Scheme::EffectiveNumber(1.0 - 1e-9), &F);
        assert!((near_one[0] * 50.0 - 1.0).abs() <= 1e-7, "1/n as β → 1: {near_one:?}");
        assert_eq!(raw(Scheme::DocumentScalar, &F), [0.25; 4]);
        assert_eq!(raw(Scheme::Enet, &F)[3], 1.0 / 1.02_f64.ln());
    }

    #[test]
    fn an_absent_class_may_follow_the_prior() {
        let spec = WeightSpec { source: Source::PerBatch, absent: Absent::Prior, ..WeightSpec::default() };
        let weights = of_group(&spec, &[], group(&F), Some(&[0.4, 0.3, 0.2, 0.1]));
        assert_eq!(weights, [0.5, 1.0 / (4.0 * 0.3), 1.0 / (4.0 * 0.2), 1.0 / (4.0 * 0.1)]);
    }

    #[test]
    fn the_prior_s_pixels_are_whole_ones() {
        let absent = |scheme, group: Group, prior: &[f64]| {
            let spec = WeightSpec {
                source: Source::PerBatch,
                scheme,
                absent: Absent::Prior,
                ..WeightSpec::default()
            };
            of_group(&spec, &[], group, Some(prior))
        };
        // A scope without a valid pixel: nothing divides by 0.
        let nothing =
            absent(Scheme::EffectiveNumber(0.9), Group::new(0.0, vec![0.0; 2], vec![0.0; 2]), &[0.5, 0.5]);
        assert!(nothing.iter().all(|&w| (w - 1.0).abs() <= 1e-15), "{nothing:?}");
        // Channels do not share the pixels of a scope: n is that of the scope.
        let channels = Group::new(400.0, vec![25.0, 163.0, 0.0], vec![400.0; 3]);
        let weights = absent(Scheme::EffectiveNumber(0.9), channels, &[0.0625, 0.4075, 0.01]);
        assert!((weights[2] - 0.1 / (1.0 - 0.9_f64.powi(4))).abs() <= 1e-14);
        // One scalar for every class.
        assert_eq!(absent(Scheme::DocumentScalar, group(&F), &[0.25; 4]), [0.25; 4]);
    }

    #[test]
    fn absent_classes_follow_the_policy() {
        let settled = |policy| {
            let mut weights = raw(Scheme::InverseFrequency, &F);
            settle_absent(policy, &mut weights, &F);
            weights
        };
        assert_eq!(settled(Absent::Zero)[3], 0.0);
        assert_eq!(settled(Absent::LargestPresent)[3], 1.0 / (4.0 * 0.2));
        assert_eq!(settled(Absent::Cap(1.0))[2..], [1.0, 1.0]);
    }

    #[test]
    fn normalisations_keep_their_promise() {
        let weights = || vec![0.5, 1.0, 2.0, 0.0];
        let scaled = |rule| normalise(rule, weights(), &F, |f| f > 0.0);
        let close = |x: f64| (x - 1.0).abs() <= 1e-15;
        assert!(close(scaled(Normalise::MeanOne)[..3].iter().sum::<f64>() / 3.0));
        assert!(close(scaled(Normalise::SumOne).iter().sum()));
        assert!(close(scaled(Normalise::ExpectedOne).iter().zip(F).map(|(w, f)| w * f).sum()));
        assert_eq!(normalise(Normalise::SumOne, vec![0.0; 4], &F, |f| f > 0.0), [0.0; 4]);
    }
}
