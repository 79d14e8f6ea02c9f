//! How well a loss explains a batch, up to what it may be multiplied with.
//!
//! A gradient says more than a value: of C classes and P pixels it has C·P numbers, all of which must fit. What a loss is divided by, and
//! what weights its classes have, only multiplies parts of it. So the parts are fitted first, by least squares, and
//! explained afterwards:
//!
//! ```text
//! all of it         g = k·G
//! image and class   g(x) = k[n, y]·G(x)        of a sum over pixels with one class each
//! class weights     g = Σ_c k[c]·G_c           of anything that is linear in the weights, G_c with the weight of c alone
//! ```

use super::answer::{Answer, answer};
use super::observation::Observation;
use super::reading::{Reading, Seen};
use segloss::{LossSpec, Reduction, Source, WeightSpec};
use segloss_cases::{Labels, has_pairs};
use std::borrow::Cow;

/// What is multiplied by numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parts {
    /// All of it by one.
    All,
    /// The pixels of each image and class; of channels, the positives and the negatives of each.
    ImageAndClass,
    /// The loss of each class, wherever it comes from.
    Class,
    /// The pixels of each place along this axis of (N, C, spatial…); of channels, their positives and negatives.
    Along(usize),
    /// What `focal_of_weighted` fits by itself.
    FocalOfWeighted,
}

/// A loss as it fits a batch.
#[derive(Clone, Debug)]
pub struct Fit {
    /// What the factors belong to.
    pub parts: Parts,
    /// A factor for each part; NaN where the batch has nothing of it.
    pub factors: Vec<f64>,
    /// The value that follows from them.
    pub value: f64,
    /// max |g − ĝ| / max |g|; without a gradient 0, as one number fits one number.
    pub misfit: f64,
}

/// The best fit of a loss; none where it does not take the batch.
pub fn fit(o: &Observation, reading: Reading, seen: &Seen<'_>, spec: &LossSpec, parts: Parts) -> Option<Fit> {
    fit_with_gradient(o, reading, seen, spec, parts).map(|(fit, _)| fit)
}

/// The same with the gradient that follows from it.
pub fn fit_with_gradient(
    o: &Observation,
    reading: Reading,
    seen: &Seen<'_>,
    spec: &LossSpec,
    parts: Parts,
) -> Option<(Fit, Vec<f64>)> {
    match parts {
        Parts::All => Some(by_one(o, answer(o, reading, seen, spec, false)?)),
        Parts::ImageAndClass | Parts::Along(_) => {
            let found = answer(o, reading, seen, spec, true)?;
            by_group(o, seen, spec, &found, parts)
        }
        Parts::Class => by_class(o, reading, seen, spec),
        Parts::FocalOfWeighted => None,
    }
}

/// The parts that a loss may have, from the least to the most.
pub fn possible(o: &Observation, seen: &Seen<'_>, spec: &LossSpec) -> Vec<Parts> {
    let mut all = vec![Parts::All];
    if !spec.kind().info().takes("weights") || spec.kind().owns_its_weight() || o.gradient.is_none() {
        return all;
    }
    if o.whole.is_some() && !spec.kind().is_additive() {
        return all;
    }
    let weighted = spec.weights.source != Source::None;
    if spec.kind().is_additive() && matches!(seen.target, Labels::Indices(_)) && !weighted {
        all.push(Parts::ImageAndClass);
        all.extend((2..o.shape().len()).filter(|&axis| o.shape()[axis] > 1).map(Parts::Along));
    }
    if !weighted && !has_pairs(spec) && !spec.kind().weighs_by_size() && o.classes > 1 {
        all.push(Parts::Class);
    }
    all
}

fn by_one(o: &Observation, found: Answer) -> (Fit, Vec<f64>) {
    let factor = match &o.gradient {
        Some(g) => {
            let (dot, square) = g.iter().zip(&found.gradient).filter(|(g, _)| g.is_finite()).fold(
                (0.0, 0.0),
                |(dot, square), (g, h)| {
                    if h.is_finite() { (dot + g * h, square + h * h) } else { (dot, square) }
                },
            );
            if square > 0.0 { dot / square } else { f64::NAN }
        }
        None => o.total().unwrap_or(f64::NAN) / found.value,
    };
    let mut predicted = found.gradient;
    // A loss without any slope here fits whatever its factor.
    if !factor.is_nan() {
        predicted.iter_mut().for_each(|g| *g *= factor);
    }
    let misfit = o.gradient.as_ref().map_or(0.0, |g| misfit(g, |i| predicted[i]));
    (Fit { parts: Parts::All, factors: vec![factor], value: factor * found.value, misfit }, predicted)
}

/// How far the gradient that is expected of a batch is off; NaN where there is none.
pub fn misfit_of(o: &Observation, expected: Option<Vec<f64>>) -> f64 {
    let pair = o.gradient.as_ref().zip(expected);
    pair.map_or(f64::NAN, |(g, expected)| misfit(g, |i| expected[i]))
}

/// max |g − ĝ| / max |g| over the entries where g is a number; NaN where none is, or ĝ is none.
fn misfit(g: &[f64], of: impl Fn(usize) -> f64) -> f64 {
    let most = g.iter().filter(|g| g.is_finite()).fold(0.0_f64, |most, g| most.max(g.abs()));
    let mut worst = 0.0_f64;
    for (i, &g) in g.iter().enumerate().filter(|(_, g)| g.is_finite()) {
        let difference = (g - of(i)).abs();
        // NaN is as far off as can be.
        worst = if difference <= worst { worst } else { difference };
        if worst.is_nan() {
            return f64::NAN;
        }
    }
    // Where there is no slope, none must be expected.
    if most == 0.0 && worst <= 1e-12 { 0.0 } else { worst / most }
}

/// Which factor an entry has.
struct Groups<'a> {
    o: &'a Observation,
    labels: &'a [i64],
    ignored: Option<i64>,
    parts: Parts,
    /// Of channels, positives and negatives have factors of their own.
    pairs: bool,
}

impl<'a> Groups<'a> {
    fn new(o: &'a Observation, seen: &'a Seen<'_>, spec: &LossSpec, parts: Parts) -> Option<Self> {
        let Labels::Indices(labels) = &seen.target else { return None };
        // Another batch may have fewer axes.
        if matches!(parts, Parts::Along(axis) if axis >= o.shape().len()) {
            return None;
        }
        Some(Self { o, labels, ignored: seen.ignored, parts, pairs: has_pairs(spec) })
    }

    fn columns(&self) -> usize {
        if self.pairs { 2 * self.o.classes } else { self.o.classes }
    }

    fn count(&self) -> usize {
        match self.parts {
            Parts::Along(axis) => 2 * self.o.pixel_shape()[axis - 1],
            _ => self.o.images * self.columns(),
        }
    }

    /// None of an ignored pixel.
    fn of(&self, n: usize, p: usize, c: usize) -> Option<usize> {
        let label = self.labels[n * self.o.pixels() + p];
        if Some(label) == self.ignored {
            return None;
        }
        let is = usize::from(if self.o.classes == 1 { label == 1 } else { label == c as i64 });
        Some(match self.parts {
            Parts::Along(axis) => {
                let length = self.o.spatial[axis - 2];
                let inner: usize = self.o.spatial[axis - 1..].iter().product();
                2 * (p / inner % length) + if self.pairs { is } else { 0 }
            }
            _ => n * self.columns() + if self.pairs { 2 * c + is } else { label as usize },
        })
    }

    /// (image, pixel, class), classes first.
    fn entries(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (images, classes, pixels) = (self.o.images, self.o.classes, self.o.pixels());
        (0..images).flat_map(move |n| (0..classes).flat_map(move |c| (0..pixels).map(move |p| (n, p, c))))
    }

    /// The factor of each group with which the loss comes nearest to `g`; NaN where it has no slope.
    fn project(&self, g: &[f64], onto: &Answer) -> Option<Vec<f64>> {
        let mut sums = vec![(0.0, 0.0); self.count()];
        for (n, p, c) in self.entries() {
            let (Some(group), at) = (self.of(n, p, c), self.o.at(n, c, p)) else { continue };
            let (dot, square) = sums.get_mut(group)?;
            if g[at].is_finite() {
                *dot += g[at] * onto.gradient[at];
                *square += onto.gradient[at] * onto.gradient[at];
            }
        }
        Some(sums.iter().map(|&(dot, square)| if square > 0.0 { dot / square } else { f64::NAN }).collect())
    }

    /// The gradient with these factors.
    fn scaled(&self, factors: &[f64], found: &Answer) -> Vec<f64> {
        let mut scaled = vec![0.0; found.gradient.len()];
        for (n, p, c) in self.entries() {
            let at = self.o.at(n, c, p);
            let product = self.of(n, p, c).map_or(0.0, |group| factors[group] * found.gradient[at]);
            // A group without a slope has no factor, and adds nothing.
            scaled[at] = if product.is_nan() && found.gradient[at] == 0.0 { 0.0 } else { product };
        }
        scaled
    }

    /// The value with these factors.
    fn value(&self, factors: &[f64], map: &[f64]) -> f64 {
        let mut costs = vec![0.0; factors.len()];
        for (n, p, c) in self.entries() {
            let Some(group) = self.of(n, p, c) else { continue };
            costs[group] += match self.pairs {
                true => map[self.o.at(n, c, p)],
                false if c == 0 => map[n * self.o.pixels() + p],
                false => 0.0,
            };
        }
        costs.iter().zip(factors).filter(|(_, k)| k.is_finite()).map(|(cost, k)| k * cost).sum()
    }
}

fn by_group(
    o: &Observation,
    seen: &Seen<'_>,
    spec: &LossSpec,
    found: &Answer,
    parts: Parts,
) -> Option<(Fit, Vec<f64>)> {
    let (g, map) = (o.gradient.as_ref()?, found.map.as_ref()?);
    let groups = Groups::new(o, seen, spec, parts)?;
    let factors = groups.project(g, found)?;
    let (predicted, value) = (groups.scaled(&factors, found), groups.value(&factors, map));
    let misfit = misfit(g, |i| predicted[i]);
    Some((Fit { parts, factors, value, misfit }, predicted))
}

/// Σ of a loss whose images and classes have factors of their own, and another with one: k[n, y]·G + l·H. The fit of each, with value and
/// misfit of the sum, and the gradient.
pub fn by_group_and_one(
    o: &Observation,
    seen: &Seen<'_>,
    spec: &LossSpec,
    first: &Answer,
    second: &Answer,
) -> Option<([Fit; 2], Vec<f64>)> {
    let (g, map) = (o.gradient.as_ref()?, first.map.as_ref()?);
    let groups = Groups::new(o, seen, spec, Parts::ImageAndClass)?;
    // What of g and H no factors of G explain: l is one of these by the other.
    let (of_g, of_h) = (groups.project(g, first)?, groups.project(&second.gradient, first)?);
    let rest = |of: &[f64], factors: &[f64]| -> Vec<f64> {
        of.iter().zip(groups.scaled(factors, first)).map(|(x, y)| x - y).collect()
    };
    let (g_rest, h_rest) = (rest(g, &of_g), rest(&second.gradient, &of_h));
    let pairs = g_rest.iter().zip(&h_rest).filter(|(g, _)| g.is_finite());
    let (dot, square) = pairs.fold((0.0, 0.0), |(dot, square), (g, h)| (dot + g * h, square + h * h));
    let most = second.gradient.iter().fold(0.0_f64, |most, h| most.max(h.abs()));
    // Nothing of H is left: it is a part of G.
    if !(square > 1e-12 * most * most) {
        return None;
    }
    let l = dot / square;
    let factors: Vec<f64> = of_g.iter().zip(&of_h).map(|(g, h)| g - l * h).collect();
    let mut predicted = groups.scaled(&factors, first);
    predicted.iter_mut().zip(&second.gradient).for_each(|(sum, h)| *sum += l * h);
    let misfit = misfit(g, |i| predicted[i]);
    let value = groups.value(&factors, map) + l * second.value;
    let fit = |parts, factors| Fit { parts, factors, value, misfit };
    Some(([fit(Parts::ImageAndClass, factors), fit(Parts::All, vec![l])], predicted))
}

/// The loss of each class by itself: with a weight of 1 for it, and 0 for the others.
pub fn basis(o: &Observation, reading: Reading, seen: &Seen<'_>, spec: &LossSpec) -> Option<Vec<Answer>> {
    (0..o.classes).map(|c| of_class(o, reading, seen, spec, c)).collect()
}

fn of_class(o: &Observation, reading: Reading, seen: &Seen<'_>, spec: &LossSpec, c: usize) -> Option<Answer> {
    let mut values = vec![0.0; o.classes];
    values[c] = 1.0;
    let weights = WeightSpec { source: Source::Fixed, values, ..WeightSpec::default() };
    answer(o, reading, seen, &LossSpec { weights, reduction: Some(Reduction::Sum), ..spec.clone() }, false)
}

fn by_class(o: &Observation, reading: Reading, seen: &Seen<'_>, spec: &LossSpec) -> Option<(Fit, Vec<f64>)> {
    // The factors come from what of a large batch is looked at.
    let view = o.view();
    let basis = basis(&view, reading, &reading.of(&view), spec)?;
    if let Cow::Borrowed(_) = view {
        let (fits, predicted) = by_classes(o, &[&basis])?;
        return Some((fits.into_iter().next()?, predicted));
    }
    let factors = factors(view.gradient.as_ref()?, &basis.iter().collect::<Vec<_>>())?;
    let (mut predicted, mut value) = (vec![0.0; o.logits.len()], 0.0);
    for (c, &k) in factors.iter().enumerate().filter(|(_, k)| k.is_finite()) {
        let found = of_class(o, reading, seen, spec, c)?;
        predicted.iter_mut().zip(&found.gradient).for_each(|(sum, g)| *sum += k * g);
        value += k * found.value;
    }
    let misfit = misfit(o.gradient.as_ref()?, |i| predicted[i]);
    Some((Fit { parts: Parts::Class, factors, value, misfit }, predicted))
}

/// Σ of losses each of whose classes has a factor of its own. The fit of each, with value and misfit of the sum, and the gradient.
pub fn by_classes(o: &Observation, bases: &[&[Answer]]) -> Option<(Vec<Fit>, Vec<f64>)> {
    let all: Vec<&Answer> = bases.iter().flat_map(|basis| basis.iter()).collect();
    let (factors, value, misfit, predicted) = by_answers(o, &all)?;
    let mut factors = factors.into_iter();
    let fit = |basis: &&[Answer]| Fit {
        parts: Parts::Class,
        factors: factors.by_ref().take(basis.len()).collect(),
        value,
        misfit,
    };
    Some((bases.iter().map(fit).collect(), predicted))
}

/// Σ of several losses, k·G + l·H + …. The fit of each, with value and misfit of the sum, and the gradient.
pub fn by_terms(o: &Observation, terms: &[&Answer]) -> Option<(Vec<Fit>, Vec<f64>)> {
    let (factors, value, misfit, predicted) = by_answers(o, terms)?;
    let fit = |k: f64| Fit { parts: Parts::All, factors: vec![k], value, misfit };
    Some((factors.into_iter().map(fit).collect(), predicted))
}

/// The factors of a sum, its value, misfit and gradient. What has no slope has no factor, and adds nothing.
fn by_answers(o: &Observation, answers: &[&Answer]) -> Option<(Vec<f64>, f64, f64, Vec<f64>)> {
    let g = o.gradient.as_ref()?;
    let factors = factors(g, answers)?;
    let (mut predicted, mut value) = (vec![0.0; g.len()], 0.0);
    for (k, answer) in factors.iter().zip(answers).filter(|(k, _)| k.is_finite()) {
        predicted.iter_mut().zip(&answer.gradient).for_each(|(sum, g)| *sum += k * g);
        value += k * answer.value;
    }
    let misfit = misfit(g, |i| predicted[i]);
    Some((factors, value, misfit, predicted))
}

/// By least squares, over the entries where g is a number.
fn factors(g: &[f64], answers: &[&Answer]) -> Option<Vec<f64>> {
    let dot = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).zip(g).filter(|(_, g)| g.is_finite()).map(|((a, b), _)| a * b).sum::<f64>()
    };
    let row = |a: &&Answer| -> Vec<f64> { answers.iter().map(|b| dot(&a.gradient, &b.gradient)).collect() };
    let right = answers.iter().map(|answer| dot(&answer.gradient, g)).collect();
    solve(answers.iter().map(row).collect(), right)
}

/// Gauss' elimination with the largest pivot first; a column of zeros gets NaN.
pub fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    let largest = (0..n).map(|i| a[i][i].abs()).fold(0.0, f64::max);
    if !(largest > 0.0) {
        return None;
    }
    let empty: Vec<bool> = (0..n).map(|i| a[i][i] == 0.0).collect();
    for i in (0..n).filter(|&i| empty[i]) {
        a[i][i] = 1.0;
    }
    for column in 0..n {
        let pivot = (column..n).max_by(|&i, &j| a[i][column].abs().total_cmp(&a[j][column].abs()))?;
        if !(a[pivot][column].abs() > 1e-14 * largest) && !empty[column] {
            return None;
        }
        a.swap(column, pivot);
        b.swap(column, pivot);
        for row in column + 1..n {
            let factor = a[row][column] / a[column][column];
            let (above, below) = a.split_at_mut(row);
            let of = |k: usize| above[column][k];
            below[0].iter_mut().enumerate().skip(column).for_each(|(k, entry)| *entry -= factor * of(k));
            b[row] -= factor * b[column];
        }
    }
    let mut x = vec![0.0; n];
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| a[row][k] * x[k]).sum();
        x[row] = (b[row] - known) / a[row][row];
    }
    (0..n).filter(|&i| empty[i]).for_each(|i| x[i] = f64::NAN);
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved() {
        let x = solve(vec![vec![0.0, 2.0], vec![3.0, 1.0]], vec![4.0, 5.0]);
        // The diagonal's zero is a column without a slope only where its row is zero, too; a matrix of dot products has no other.
        assert!(x.is_some());
        let x = solve(vec![vec![2.0, 1.0], vec![1.0, 3.0]], vec![3.0, 5.0]).unwrap();
        assert!((x[0] - 0.8).abs() < 1e-15 && (x[1] - 1.4).abs() < 1e-15, "{x:?}");
        assert!(solve(vec![vec![1.0, 1.0], vec![1.0, 1.0]], vec![1.0, 1.0]).is_none());
    }
}
