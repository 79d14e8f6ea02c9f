//! The cases that every kind goes through: source × scheme × layout × form of target in full, the other
//! options drawn for each from the run's seed.

use crate::case::{Case, Grid, TargetForm, draw, generator};
use crate::textbook::is_binary;
use rand::RngExt;
use segloss::{
    Absent, Denominator, Kind, Layout, LossSpec, Normalise, Scheme, Source, Threshold, WeightSpec,
};

/// How much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Seconds: a self-test, or a look before a commit.
    Quick,
    /// The whole of it.
    Default,
}

/// Both layouts.
pub const LAYOUTS: [Layout; 2] = [Layout::ChannelsFirst, Layout::ChannelsLast];

/// The label of ignored pixels in drawn cases.
pub const IGNORED: i64 = 255;

/// Logits of drawn cases lie in ± this. The document's S1 gets less: there a larger logit breaks it.
pub fn spread(kind: Kind) -> f64 {
    if kind == Kind::DocumentBinary { 1.2 } else { 4.0 }
}

/// Source and scheme of the weights, as far as a kind takes them.
pub fn weightings(kind: Kind) -> Vec<(Source, Scheme)> {
    use Scheme::{Complement, InverseFrequency, MedianFrequency};
    let plain = (Source::None, Scheme::default());
    let scoped = [Source::PerBatch, Source::PerSample];
    match kind {
        Kind::CrossEntropy | Kind::BinaryCrossEntropy => [plain, (Source::Fixed, Scheme::default())]
            .into_iter()
            .chain(scoped.into_iter().flat_map(|source| {
                [Complement, InverseFrequency, MedianFrequency].map(|scheme| (source, scheme))
            }))
            .collect(),
        Kind::DocumentBinary | Kind::DocumentCategorical => {
            [Source::None, Source::PerBatch, Source::PerSample]
                .map(|source| (source, Scheme::default()))
                .to_vec()
        }
        Kind::DocumentSigmoid => vec![plain],
    }
}

/// Every kind's cases, kind by kind.
pub fn cases(seed: u64, effort: Effort) -> impl Iterator<Item = Case> {
    Kind::ALL.into_iter().flat_map(move |kind| of_kind(seed, effort, kind))
}

/// The cases of one kind.
pub fn of_kind(seed: u64, effort: Effort, kind: Kind) -> Vec<Case> {
    let rounds = if effort == Effort::Quick { 1 } else { 6 };
    let mut cases = Vec::new();
    for (source, scheme) in weightings(kind) {
        for layout in LAYOUTS {
            for form in TargetForm::ALL {
                for round in 0..rounds {
                    cases.push(one(seed, kind, source, scheme, layout, form, round));
                }
            }
        }
    }
    cases
}

fn one(
    seed: u64,
    kind: Kind,
    source: Source,
    scheme: Scheme,
    layout: Layout,
    form: TargetForm,
    round: usize,
) -> Case {
    let name = format!("{}/{source:?}/{scheme:?}/{layout:?}/{form:?}/{round}", kind.name()).to_lowercase();
    let mut rng = generator(seed, &format!("options of {name}"));
    let mut pick = |n: usize| rng.random_range(0..n);
    let grids: &[(usize, usize, &[usize])] = match is_binary(kind) {
        true => &[(2, 1, &[3, 2]), (2, 3, &[3, 2]), (1, 2, &[7]), (2, 2, &[2, 1, 3])],
        false => &[(2, 3, &[3, 2]), (1, 2, &[7]), (3, 4, &[2, 2]), (2, 3, &[2, 1, 3])],
    };
    let (images, classes, spatial) = grids[pick(grids.len())];
    let takes_weights = matches!(kind, Kind::CrossEntropy | Kind::BinaryCrossEntropy);
    let columns = if is_binary(kind) { 2 * classes } else { classes };
    let weights = match takes_weights {
        false => WeightSpec { source, ..WeightSpec::default() },
        true => WeightSpec {
            source,
            scheme,
            values: match source {
                Source::Fixed => (0..columns).map(|_| 0.25 * (1 + pick(12)) as f64).collect(),
                _ => Vec::new(),
            },
            absent: [Absent::Zero, Absent::LargestPresent, Absent::Cap(1.5)][pick(3)],
            normalise: [Normalise::None, Normalise::MeanOne, Normalise::ExpectedOne, Normalise::SumOne]
                [pick(4)],
        },
    };
    let threshold = match (kind, pick(2)) {
        (Kind::CrossEntropy, 1) => {
            Some(Threshold::LogitShift((0..classes).map(|_| 0.1 * (1 + pick(9)) as f64).collect()))
        }
        (Kind::BinaryCrossEntropy, 1) => {
            Some(Threshold::LogitShift((0..classes).map(|_| 0.1 * (1 + pick(9)) as f64).collect()))
        }
        (Kind::DocumentBinary, 1) => Some(Threshold::Document([0.45, 0.5, 0.6][pick(3)])),
        _ => None,
    };
    let denominator = [
        None,
        Some(Denominator::WeightSum),
        Some(Denominator::ValidPixels),
        Some(Denominator::Elements),
        Some(Denominator::Images),
        Some(Denominator::PerPixel),
        Some(Denominator::Constant(37.5)),
    ][pick(7)];
    let ignore_index = (pick(2) == 0).then_some(IGNORED);
    let spec = LossSpec { kind, layout, ignore_index, denominator, threshold, weights };
    draw(seed, &name, spec, Grid::new(images, classes, spatial), form, spread(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_cases_that_its_specification_allows() {
        for kind in Kind::ALL {
            let cases = of_kind(1, Effort::Quick, kind);
            assert!(!cases.is_empty(), "{kind:?}");
            for case in cases {
                segloss::Loss::new(case.spec.clone())
                    .unwrap_or_else(|error| panic!("{}: {error}", case.name));
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: Vec<String> = cases(1, Effort::Default).map(|case| case.name).collect();
        let unique: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }
}
