//! Class weights from class frequencies.
//!
//! With f_c the share of class c among the valid pixels of a scope (an image or the batch), a scheme
//! makes w_c of it, a policy settles the classes without pixels, and a normalisation sets the scale.
//! Weights are constants for the gradient: they depend on the labels alone.

use crate::census::{Census, ImageCensus};
use crate::error::{Error, Problem};
use crate::kind::Kind;
use crate::spec::{Absent, LossSpec, Normalise, Scheme, Source, WeightSpec};
use ndarray::Array2;

/// One row of weights per scope: a single row for the whole batch, or one per image.
///
/// Categorical kinds have a column per class. Binary kinds have a pair of columns per channel, the
/// weight of the negatives and that of the positives.
pub(crate) fn estimate(spec: &LossSpec, census: &Census) -> Result<Array2<f64>, Error> {
    let groups = Groups { binary: spec.kind.is_binary() };
    let columns = census.classes() * if groups.binary { 2 } else { 1 };
    let scopes: Vec<&[ImageCensus]> = match spec.weights.source {
        Source::PerSample => census.images().chunks(1).collect(),
        _ => vec![census.images()],
    };
    let mut table = Array2::ones((scopes.len(), columns));
    for (mut row, scope) in table.rows_mut().into_iter().zip(scopes) {
        let weights = if spec.kind.owns_its_weight() {
            document(spec.kind, scope, columns)
        } else {
            scheme(&spec.weights, spec.kind, &groups, scope, columns)?
        };
        row.assign(&ndarray::aview1(&weights));
    }
    Ok(table)
}

/// The weight that the document's own formulas compute: w = Σy/size(y).
fn document(kind: Kind, scope: &[ImageCensus], columns: usize) -> Vec<f64> {
    let mass: f64 = scope.iter().flat_map(|image| &image.mass).sum();
    let size: f64 = scope.iter().map(|image| image.valid as f64 * image.mass.len() as f64).sum();
    // Of no pixels at all any weight is right; 0 keeps 0/0 out.
    let w = if size > 0.0 { mass / size } else { 0.0 };
    match kind {
        // S1 weighs negatives by w, positives by 1 − w.
        Kind::DocumentBinary => {
            (0..columns).map(|column| if column % 2 == 0 { w } else { 1.0 - w }).collect()
        }
        Kind::DocumentCategorical => vec![w; columns],
        _ => vec![1.0; columns],
    }
}

/// Which columns compete with each other for the pixels: all of them, or the two of each channel.
struct Groups {
    binary: bool,
}

impl Groups {
    /// The class masses of an image, in column order.
    fn masses(&self, image: &ImageCensus) -> Vec<f64> {
        if !self.binary {
            return image.mass.clone();
        }
        image.mass.iter().flat_map(|&positive| [(image.valid as f64 - positive).max(0.0), positive]).collect()
    }

    fn size(&self, columns: usize) -> usize {
        if self.binary { 2 } else { columns }
    }
}

fn scheme(
    spec: &WeightSpec,
    kind: Kind,
    groups: &Groups,
    scope: &[ImageCensus],
    columns: usize,
) -> Result<Vec<f64>, Error> {
    if spec.source == Source::None {
        return Ok(vec![1.0; columns]);
    }
    if spec.source == Source::Fixed && spec.values.len() != columns {
        let problem =
            Problem::PerClass { key: "weights.values", expected: columns, found: spec.values.len() };
        return Err(Error { operation: kind.name(), problem });
    }
    let frequencies = Frequencies::count(groups, scope, columns);
    let mut weights = Vec::with_capacity(columns);
    for start in (0..columns).step_by(groups.size(columns)) {
        let group = start..start + groups.size(columns);
        let overall = &frequencies.overall[group.clone()];
        weights.extend(match spec.source {
            // Fixed weights know of no absence: each stands as it was given.
            Source::Fixed => {
                let values = spec.values[group].to_vec();
                normalise(spec.normalise, values, overall, |_| true)
            }
            _ => {
                let mut values = raw(spec.scheme, overall, &frequencies.where_present[group]);
                settle_absent(spec.absent, &mut values, overall);
                normalise(spec.normalise, values, overall, |f| f > 0.0)
            }
        });
    }
    Ok(weights)
}

/// Class frequencies of a scope, by column.
struct Frequencies {
    /// Pixels of the class / valid pixels.
    overall: Vec<f64>,
    /// Pixels of the class / valid pixels of the images that contain it.
    where_present: Vec<f64>,
}

impl Frequencies {
    fn count(groups: &Groups, scope: &[ImageCensus], columns: usize) -> Self {
        let mut mass = vec![0.0; columns];
        let mut present_in = vec![0.0; columns];
        let mut valid = 0.0;
        for image in scope {
            valid += image.valid as f64;
            for (column, &here) in groups.masses(image).iter().enumerate() {
                mass[column] += here;
                if here > 0.0 {
                    present_in[column] += image.valid as f64;
                }
            }
        }
        let share = |mass: f64, of: f64| if of > 0.0 { mass / of } else { 0.0 };
        Self {
            overall: mass.iter().map(|&m| share(m, valid)).collect(),
            where_present: mass.iter().zip(&present_in).map(|(&m, &of)| share(m, of)).collect(),
        }
    }
}

/// The scheme's formula; what it gives for a class without pixels is settled afterwards.
fn raw(scheme: Scheme, overall: &[f64], where_present: &[f64]) -> Vec<f64> {
    let classes = overall.len() as f64;
    match scheme {
        Scheme::Complement => overall.iter().map(|f| 1.0 - f).collect(),
        Scheme::InverseFrequency => overall.iter().map(|f| 1.0 / (classes * f)).collect(),
        Scheme::MedianFrequency => {
            let mut present: Vec<f64> = where_present.iter().copied().filter(|&f| f > 0.0).collect();
            present.sort_by(f64::total_cmp);
            // Of an even number the median is the mean of the middle two.
            let median = match present.len() {
                0 => 0.0,
                n => (present[(n - 1) / 2] + present[n / 2]) / 2.0,
            };
            where_present.iter().map(|f| median / f).collect()
        }
    }
}

fn settle_absent(policy: Absent, weights: &mut [f64], overall: &[f64]) {
    let present = |column: usize| overall[column] > 0.0;
    let largest = (0..weights.len()).filter(|&c| present(c)).map(|c| weights[c]).fold(0.0, f64::max);
    for (column, weight) in weights.iter_mut().enumerate() {
        *weight = match (policy, present(column)) {
            (Absent::Cap(cap), true) => weight.min(cap),
            (Absent::Cap(cap), false) => cap,
            (_, true) => *weight,
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

    #[test]
    fn schemes_are_their_formulas() {
        assert_eq!(raw(Scheme::Complement, &F, &F)[..3], [0.5, 0.7, 0.8]);
        assert_eq!(raw(Scheme::InverseFrequency, &F, &F)[..2], [0.5, 1.0 / (4.0 * 0.3)]);
        // Three classes are present: the median is the middle one; of two, the mean.
        assert_eq!(raw(Scheme::MedianFrequency, &F, &F)[..3], [0.3 / 0.5, 1.0, 0.3 / 0.2]);
        assert_eq!(raw(Scheme::MedianFrequency, &[0.25, 0.75], &[0.25, 0.75])[0], 2.0);
    }

    #[test]
    fn absent_classes_follow_the_policy() {
        let settled = |policy| {
            let mut weights = raw(Scheme::InverseFrequency, &F, &F);
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
