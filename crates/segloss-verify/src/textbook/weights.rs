//! Class weights: source × scheme × absent-class policy × normalisation.
//!
//! A column for each class; for the binary kinds that are sums over pixels a pair for each channel,
//! (negative, positive), which compete with each other and with no other channel.

use super::counts::{self, Counts};
use crate::number::{Number, larger, power, ratio, smaller, sum};
use segloss::{Absent, Kind, Normalise, Scheme, Source};
use segloss_cases::{Case, has_pairs};

/// A row of weights for each image. Images of one scope have equal rows.
pub fn rows<T: Number>(case: &Case) -> Vec<Vec<T>> {
    let scopes = counts::of::<T>(case, case.spec.weights.source);
    let priors = match case.spec.weights.absent {
        Absent::Prior => counts::priors::<T>(case).into_iter().map(Some).collect(),
        _ => vec![None; case.grid.images],
    };
    scopes.iter().zip(priors).map(|(scope, prior)| row(case, scope, prior)).collect()
}

/// The weights of a scope.
fn row<T: Number>(case: &Case, scope: &Counts<T>, prior: Option<Vec<T>>) -> Vec<T> {
    let classes = case.grid.classes;
    let of_document = || {
        // w = sum(y) / size(y) over the entries that count.
        let size = scope.valid.clone() * T::from_f64(classes as f64);
        ratio(sum(scope.pixels.iter().cloned()), size)
    };
    match case.spec.kind() {
        Kind::DocumentBinary => {
            let w = of_document();
            (0..classes).flat_map(|_| [w.clone(), T::one() - w.clone()]).collect()
        }
        Kind::DocumentCategorical => vec![of_document(); classes],
        Kind::DocumentSigmoid => vec![T::one(); 2 * classes],
        _ if has_pairs(&case.spec) => (0..classes)
            .flat_map(|c| {
                let column = |pixels: T, present_in: &[T], prior: Option<T>| Column {
                    fixed: None,
                    pixels,
                    present_in: present_in[c].clone(),
                    prior,
                };
                let pi = prior.as_ref().map(|prior| prior[c].clone());
                let n_c = scope.pixels[c].clone();
                let negative = column(
                    scope.valid.clone() - n_c.clone(),
                    &scope.others_in,
                    pi.clone().map(|pi| T::one() - pi),
                );
                let positive = column(n_c, &scope.present_in, pi);
                group(case, scope, vec![negative, positive], 2 * c)
            })
            .collect(),
        _ => {
            let columns = (0..classes).map(|c| Column {
                fixed: None,
                pixels: scope.pixels[c].clone(),
                present_in: scope.present_in[c].clone(),
                prior: prior.as_ref().map(|prior| prior[c].clone()),
            });
            group(case, scope, columns.collect(), 0)
        }
    }
}

/// One of those that share the pixels of a scope among themselves.
struct Column<T> {
    /// Its weight, where that is given.
    fixed: Option<T>,
    /// n_c.
    pixels: T,
    /// The valid pixels of the images in which it occurs.
    present_in: T,
    /// π_c, where an absent class follows it.
    prior: Option<T>,
}

impl<T: Number> Column<T> {
    fn is_present(&self) -> bool {
        self.fixed.is_some() || self.pixels > T::zero()
    }

    /// f', the frequency over those images only in which the class occurs.
    fn where_present(&self) -> T {
        ratio(self.pixels.clone(), self.present_in.clone())
    }
}

/// The weights of columns that compete. `first`: where their fixed values begin.
fn group<T: Number>(case: &Case, scope: &Counts<T>, mut columns: Vec<Column<T>>, first: usize) -> Vec<T> {
    let spec = &case.spec.weights;
    match spec.source {
        Source::None | Source::Map => return vec![T::one(); columns.len()],
        Source::Fixed => {
            let given = spec.values[first..].iter().map(|&x| Some(T::from_f64(x)));
            columns.iter_mut().zip(given).for_each(|(column, given)| column.fixed = given);
        }
        _ => {}
    }
    let frequency = |column: &Column<T>| ratio(column.pixels.clone(), scope.valid.clone());
    let scheme = Shares {
        scheme: spec.scheme,
        columns: T::from_f64(columns.len() as f64),
        total: sum(columns.iter().map(frequency)),
        median: median(
            columns.iter().filter(|column| column.pixels > T::zero()).map(Column::where_present).collect(),
        ),
    };
    let of_present = |column: &Column<T>| match &column.fixed {
        Some(given) => given.clone(),
        None => scheme.weight(frequency(column), column.pixels.clone(), column.where_present()),
    };
    let present = || columns.iter().filter(|column| column.is_present());
    let largest = present().map(of_present).fold(T::zero(), larger);
    let settled = |column: &Column<T>| match (spec.absent, column.is_present(), &column.prior) {
        _ if column.fixed.is_some() => of_present(column),
        (Absent::Cap(cap), true, _) => smaller(of_present(column), T::from_f64(cap)),
        (_, true, _) => of_present(column),
        (Absent::Cap(cap), false, _) => T::from_f64(cap),
        (Absent::LargestPresent, false, _) => largest.clone(),
        (Absent::Prior, false, Some(pi)) => {
            // As in the prior itself, what was not seen counts as one pixel at least.
            let pixels = larger(pi.clone() * scope.valid.clone(), T::one());
            scheme.weight(pi.clone(), pixels, pi.clone())
        }
        (Absent::Zero | Absent::Prior, false, _) => T::zero(),
    };
    let w: Vec<T> = columns.iter().map(settled).collect();
    let scale = match spec.normalise {
        Normalise::None => return w,
        Normalise::MeanOne => {
            let counted = columns.iter().zip(&w).filter(|(column, _)| column.is_present());
            let (number, total) =
                counted.fold((0, T::zero()), |(number, total), (_, w)| (number + 1, total + w.clone()));
            ratio(total, T::from_f64(f64::from(number)))
        }
        Normalise::ExpectedOne => {
            sum(columns.iter().zip(&w).map(|(column, w)| w.clone() * frequency(column)))
        }
        Normalise::SumOne => sum(w.iter().cloned()),
    };
    if scale > T::zero() { w.into_iter().map(|w| w / scale.clone()).collect() } else { w }
}

/// A scheme, with what it takes from all columns together.
struct Shares<T> {
    scheme: Scheme,
    /// C.
    columns: T,
    /// Σ f_c.
    total: T,
    /// Of f', over the columns that occur.
    median: T,
}

impl<T: Number> Shares<T> {
    /// The weight at a frequency f, n pixels and a frequency f' where present.
    fn weight(&self, f: T, n: T, where_present: T) -> T {
        let one = T::one();
        match self.scheme {
            Scheme::InverseFrequency => one / (self.columns.clone() * f),
            Scheme::Complement => one - f,
            Scheme::InverseSqrt => one / power(self.columns.clone() * f, T::from_f64(0.5)),
            Scheme::Power(gamma) => power(self.columns.clone() * f, T::from_f64(-gamma)),
            Scheme::MedianFrequency => self.median.clone() / where_present,
            Scheme::Enet => one / (T::from_f64(1.02) + f).ln(),
            Scheme::EffectiveNumber(beta) => {
                let beta = T::from_f64(beta);
                (one.clone() - beta.clone()) / (one - power(beta, n))
            }
            Scheme::DocumentScalar => self.total.clone() / self.columns.clone(),
        }
    }
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
    use segloss::LossSpec;
    use segloss_cases::{Grid, Labels};

    fn weights(text: &str, labels: &[i64], images: usize, classes: usize) -> Vec<Vec<f64>> {
        let grid = Grid::new(images, classes, &[labels.len() / images]);
        let (spec, logits) = (LossSpec::from_toml(text).unwrap(), vec![0.0; grid.len()]);
        rows(&Case::new("", spec, grid, logits, Labels::Indices(labels.to_vec())))
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
