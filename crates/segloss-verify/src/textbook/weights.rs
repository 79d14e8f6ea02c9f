//! Class weights: source × scheme × absent-class policy × normalisation.
//!
//! A column for each class; for binary kinds a pair for each channel, (negative, positive), which
//! compete with each other and with no other channel.

use crate::case::Case;
use crate::number::{Number, sum};
use segloss::{Absent, Kind, Normalise, Scheme, Source};

/// A row of weights for each image. Images of one scope have equal rows.
pub fn rows<T: Number>(case: &Case) -> Vec<Vec<T>> {
    let images: Vec<usize> = (0..case.grid.images).collect();
    match case.spec.weights.source {
        Source::PerSample => images.iter().map(|&n| row(case, &[n])).collect(),
        _ => vec![row(case, &images); images.len()],
    }
}

/// The weights of a scope: of these images together.
fn row<T: Number>(case: &Case, scope: &[usize]) -> Vec<T> {
    let classes = case.grid.classes;
    let of_document = || {
        // w = sum(y) / size(y) over the entries that count.
        let mass = sum((0..classes).flat_map(|c| scope.iter().map(move |&n| mass::<T>(case, n, c))));
        let size: f64 = scope.iter().map(|&n| valid(case, n) * classes as f64).sum();
        if size > 0.0 { mass / T::from_f64(size) } else { T::zero() }
    };
    match case.spec.kind {
        Kind::DocumentBinary => {
            let w = of_document();
            (0..classes).flat_map(|_| [w.clone(), T::one() - w.clone()]).collect()
        }
        Kind::DocumentCategorical => vec![of_document(); classes],
        Kind::DocumentSigmoid => vec![T::one(); 2 * classes],
        Kind::CrossEntropy => group(case, scope, &(0..classes).map(Column::Class).collect::<Vec<_>>(), 0),
        Kind::BinaryCrossEntropy => (0..classes)
            .flat_map(|c| group(case, scope, &[Column::Others(c), Column::Class(c)], 2 * c))
            .collect(),
    }
}

/// What a column counts.
#[derive(Clone, Copy)]
enum Column {
    /// The pixels of a class.
    Class(usize),
    /// The valid pixels that are not of it.
    Others(usize),
}

/// The weights of columns that share the scope's pixels among themselves. `first`: where their fixed
/// values begin.
fn group<T: Number>(case: &Case, scope: &[usize], columns: &[Column], first: usize) -> Vec<T> {
    let spec = &case.spec.weights;
    if spec.source == Source::None {
        return vec![T::one(); columns.len()];
    }
    let of = |n: usize, column: Column| match column {
        Column::Class(c) => mass::<T>(case, n, c),
        Column::Others(c) => T::from_f64(valid(case, n)) - mass::<T>(case, n, c),
    };
    let in_scope = |column: Column| sum(scope.iter().map(|&n| of(n, column)));
    let share = |part: T, whole: f64| if whole > 0.0 { part / T::from_f64(whole) } else { T::zero() };

    // f_c, and f_c over those images only in which the class occurs.
    let all: f64 = scope.iter().map(|&n| valid(case, n)).sum();
    let f: Vec<T> = columns.iter().map(|&column| share(in_scope(column), all)).collect();
    let f_where_present: Vec<T> = columns
        .iter()
        .map(|&column| {
            let with = scope.iter().filter(|&&n| of(n, column) > T::zero());
            share(in_scope(column), with.map(|&n| valid(case, n)).sum())
        })
        .collect();
    let fixed = spec.source == Source::Fixed;
    let present: Vec<bool> = f.iter().map(|f| fixed || *f > T::zero()).collect();

    let mut w: Vec<T> = match (fixed, spec.scheme) {
        (true, _) => spec.values[first..first + columns.len()].iter().map(|&x| T::from_f64(x)).collect(),
        (_, Scheme::Complement) => f.iter().map(|f| T::one() - f.clone()).collect(),
        (_, Scheme::InverseFrequency) => {
            f.iter().map(|f| T::one() / (T::from_f64(columns.len() as f64) * f.clone())).collect()
        }
        (_, Scheme::MedianFrequency) => {
            let median = median(f_where_present.iter().filter(|f| **f > T::zero()).cloned().collect());
            f_where_present.iter().map(|f| median.clone() / f.clone()).collect()
        }
    };
    let largest = w.iter().zip(&present).filter(|(_, present)| **present).map(|(w, _)| w.clone());
    let largest = largest.fold(T::zero(), |most, w| if w > most { w } else { most });
    for (w, &present) in w.iter_mut().zip(&present) {
        match (spec.absent, present) {
            _ if fixed => {}
            (Absent::Cap(cap), true) if *w > T::from_f64(cap) => *w = T::from_f64(cap),
            (_, true) => {}
            (Absent::Zero, false) => *w = T::zero(),
            (Absent::LargestPresent, false) => *w = largest.clone(),
            (Absent::Cap(cap), false) => *w = T::from_f64(cap),
        }
    }
    let counted =
        |x: &[T]| sum(x.iter().zip(&present).filter(|(_, present)| **present).map(|(x, _)| x.clone()));
    let scale = match spec.normalise {
        Normalise::None => return w,
        Normalise::MeanOne => {
            let number = present.iter().filter(|present| **present).count();
            share(counted(&w), number as f64)
        }
        Normalise::ExpectedOne => sum(w.iter().zip(&f).map(|(w, f)| w.clone() * f.clone())),
        Normalise::SumOne => sum(w.iter().cloned()),
    };
    if scale > T::zero() { w.into_iter().map(|w| w / scale.clone()).collect() } else { w }
}

/// Σ y_c over the valid pixels of an image.
fn mass<T: Number>(case: &Case, n: usize, c: usize) -> T {
    let pixels = (0..case.grid.pixels()).filter(|&p| !case.is_ignored(n, p));
    sum(pixels.map(|p| T::from_f64(case.target(n, p, c))))
}

/// The valid pixels of an image.
fn valid(case: &Case, n: usize) -> f64 {
    (0..case.grid.pixels()).filter(|&p| !case.is_ignored(n, p)).count() as f64
}

/// The middle of the sorted numbers; of an even number of them the mean of the middle two.
fn median<T: Number>(mut of: Vec<T>) -> T {
    // Frequencies are numbers, never NaN: they compare.
    of.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    match of.len() {
        0 => T::zero(),
        n => (of[(n - 1) / 2].clone() + of[n / 2].clone()) / T::from_f64(2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Grid, Labels};
    use segloss::LossSpec;

    fn weights(text: &str, labels: &[i64], images: usize, classes: usize) -> Vec<Vec<f64>> {
        let grid = Grid::new(images, classes, &[labels.len() / images]);
        rows(&Case {
            name: String::new(),
            spec: LossSpec::from_toml(text).unwrap(),
            logits: vec![0.0; grid.len()],
            grid,
            target: Labels::Indices(labels.to_vec()),
        })
    }

    #[test]
    fn the_schemes_by_hand() {
        let labels = [0, 0, 1, 0, 0, 0, 0, 2];
        let per = |source, scheme| {
            weights(&format!("weights = {{ source = '{source}', scheme = '{scheme}' }}"), &labels, 2, 3)
        };
        assert_eq!(per("per_batch", "complement"), vec![vec![0.25, 0.875, 0.875]; 2]);
        assert_eq!(per("per_sample", "inverse_frequency")[0], [4.0 / 9.0, 4.0 / 3.0, 0.0]);
        // f = 6/8, 1/4, 1/4: each rare class is counted in its own image only; the median is 1/4.
        assert_eq!(per("per_batch", "median_frequency")[0], [1.0 / 3.0, 1.0, 1.0]);
    }

    #[test]
    fn the_document_s_scalar_is_one_over_the_classes() {
        assert_eq!(weights("kind = 'document_categorical'", &[0, 0, 0, 1], 1, 3), [[1.0 / 3.0; 3]]);
    }

    #[test]
    fn binary_channels_weigh_their_two_sides() {
        let text =
            "kind = 'binary_cross_entropy'\nweights = { source = 'per_sample', scheme = 'complement' }";
        assert_eq!(weights(text, &[0, 0, 0, 1], 1, 1), [[0.25, 0.75]]);
    }
}
