//! How often each class occurs: what weights and priors are made of.

use crate::number::{Number, larger, smaller, sum};
use segloss::Source;
use segloss_cases::{Case, is_sigmoid};

/// The pixels of each class in a scope. The weight map has no part in it.
#[derive(Clone, Debug)]
pub struct Counts<T> {
    /// Valid pixels: n.
    pub valid: T,
    /// Those of each class: n_c.
    pub pixels: Vec<T>,
    /// The valid pixels of the images in which the class occurs.
    pub present_in: Vec<T>,
    /// The valid pixels of the images in which something else occurs.
    pub others_in: Vec<T>,
}

impl<T: Number> Counts<T> {
    fn of_images(case: &Case, scope: &[usize]) -> Self {
        let valid = |n: usize| {
            T::from_f64((0..case.grid.pixels()).filter(|&p| !case.is_ignored(n, p)).count() as f64)
        };
        let pixels = |n: usize, c: usize| {
            let pixels = (0..case.grid.pixels()).filter(|&p| !case.is_ignored(n, p));
            sum(pixels.map(|p| T::from_f64(case.target(n, p, c))))
        };
        let over =
            |images: &dyn Fn(usize) -> bool| sum(scope.iter().filter(|&&n| images(n)).map(|&n| valid(n)));
        let classes = 0..case.grid.classes;
        Self {
            valid: over(&|_| true),
            pixels: classes.clone().map(|c| sum(scope.iter().map(|&n| pixels(n, c)))).collect(),
            present_in: classes.clone().map(|c| over(&|n| pixels(n, c) > T::zero())).collect(),
            others_in: classes.map(|c| over(&|n| pixels(n, c) < valid(n))).collect(),
        }
    }

    fn of_dataset(case: &Case) -> Self {
        let counts = case.spec.dataset.as_ref().expect("a case whose source is the data set has its counts");
        let all = |x: &[f64]| x.iter().map(|&x| T::from_f64(x)).collect();
        Self {
            valid: T::from_f64(counts.valid),
            pixels: all(&counts.pixels),
            present_in: all(&counts.present_in),
            others_in: all(&counts.others_in),
        }
    }
}

/// The counts that a source refers to, for each image.
pub fn of<T: Number>(case: &Case, source: Source) -> Vec<Counts<T>> {
    let images: Vec<usize> = (0..case.grid.images).collect();
    match source {
        Source::PerSample => images.iter().map(|&n| Counts::of_images(case, &[n])).collect(),
        Source::Dataset => vec![Counts::of_dataset(case); images.len()],
        // A running average that has seen nothing yet begins with this batch.
        _ => vec![Counts::of_images(case, &images); images.len()],
    }
}

/// π, a row for each image: n_c/n, where a class that the scope has not seen counts as one pixel. A channel that
/// is a problem of its own has two classes, and neither of them goes unseen.
pub fn priors<T: Number>(case: &Case) -> Vec<Vec<T>> {
    let prior = case.spec.prior();
    if prior.source == Source::Fixed {
        return vec![prior.values.iter().map(|&x| T::from_f64(x)).collect(); case.grid.images];
    }
    let (one, two) = (T::one(), T::from_f64(2.0));
    let share = |counts: &Counts<T>, n_c: &T| match is_sigmoid(&case.spec) {
        false => larger(n_c.clone(), one.clone()) / larger(counts.valid.clone(), one.clone()),
        true => {
            let valid = larger(counts.valid.clone(), two.clone());
            smaller(larger(n_c.clone(), one.clone()), valid.clone() - one.clone()) / valid
        }
    };
    let row = |counts: Counts<T>| counts.pixels.iter().map(|n_c| share(&counts, n_c)).collect();
    of(case, prior.source).into_iter().map(row).collect()
}

/// Whether the scope of the prior has seen each class, a row for each image. A prior that is given has.
pub fn seen(case: &Case) -> Vec<Vec<bool>> {
    match case.spec.prior().source {
        Source::Fixed => vec![vec![true; case.grid.classes]; case.grid.images],
        source => of::<f64>(case, source)
            .into_iter()
            .map(|counts| counts.pixels.iter().map(|&n_c| n_c > 0.0).collect())
            .collect(),
    }
}
