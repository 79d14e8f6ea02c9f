//! The cases that every kind goes through.

use crate::case::Case;
use crate::draw::draw;
use crate::effort::Effort;
use crate::grid::Grid;
use crate::oddity::Oddity;
use crate::options::{sampled, with_activation};
use crate::sampler::OptionSampler;
use crate::spec::{IGNORED, LAYOUTS, forms, is_sigmoid};
use segloss::{Activation, Kind, LossSpec};

/// Every kind's cases, kind by kind.
pub fn cases(seed: u64, effort: Effort) -> impl Iterator<Item = Case> {
    Kind::ALL.into_iter().flat_map(move |kind| of_kind(seed, effort, kind))
}

/// The cases of one kind.
pub fn of_kind(seed: u64, effort: Effort, kind: Kind) -> Vec<Case> {
    let few_options = kind.info().options.len() < 4;
    let count = effort.of(if few_options { [2, 8, 48, 240] } else { [4, 20, 120, 600] });
    let mut sampler = OptionSampler::new(seed, kind.name());
    (0..count).map(|i| one(&mut sampler, seed, kind, i)).collect()
}

/// Specifications of a kind for some number of classes, sampled for a purpose of its own.
pub fn specs(seed: u64, purpose: &str, kind: Kind, classes: usize, count: usize) -> Vec<LossSpec> {
    let mut sampler = OptionSampler::new(seed, &format!("{} for {purpose}", kind.name()));
    let mut one = || {
        let layout = sampler.sample("layout", &LAYOUTS);
        let activation = sampler.sample("activation", &[None, Some(Activation::Sigmoid)]);
        let activation = activation.filter(|_| kind.info().takes("activation"));
        let spec = sampled(&mut sampler, kind, activation, classes);
        LossSpec { layout, ignore_index: Some(IGNORED), ..spec }
    };
    (0..count).map(|_| one()).collect()
}

fn one(sampler: &mut OptionSampler, seed: u64, kind: Kind, i: usize) -> Case {
    let layout = sampler.sample("layout", &LAYOUTS);
    let ignore_index = sampler.sample("ignore_index", &[None, Some(IGNORED)]);
    let activation =
        sampler.sample("activation", &[None, Some(Activation::Softmax), Some(Activation::Sigmoid)]);
    let activation = activation.filter(|_| kind.info().takes("activation"));
    let sigmoid = is_sigmoid(&with_activation(kind, activation));
    let (images, classes, spatial) = match sigmoid {
        true => sampler.sample::<Sizes>(
            "channels",
            &[(2, 1, &[3, 2]), (2, 3, &[3, 2]), (1, 2, &[7]), (2, 2, &[2, 1, 3])],
        ),
        false => sampler.sample::<Sizes>(
            "classes",
            &[(2, 3, &[3, 2]), (1, 2, &[7]), (3, 4, &[2, 2]), (2, 3, &[2, 1, 3])],
        ),
    };
    let spec = sampled(sampler, kind, activation, classes);
    let spec = LossSpec { layout, ignore_index, ..spec };
    let form = match forms(&spec) {
        hard @ [_, _] => sampler.sample("hard form", hard),
        all => sampler.sample("form", all),
    };
    let name = format!("{}/{i}/{layout:?}/{form:?}", kind.name()).to_lowercase();
    let mut case = draw(seed, &name, spec, Grid::new(images, classes, spatial), form);
    if case.weight_map.is_none() && sampler.sample("map", &[false, false, true]) {
        case = case.with_drawn_map(seed);
    }
    sampler.sample("oddity", &Oddity::SHARES).apply(&mut case);
    case
}

/// (images, classes, spatial).
type Sizes = (usize, usize, &'static [usize]);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_cases_that_its_specification_allows() {
        for kind in Kind::ALL {
            for case in of_kind(1, Effort::Default, kind) {
                segloss::Loss::new(case.spec.clone())
                    .unwrap_or_else(|error| panic!("{}: {error}", case.name));
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: Vec<String> = cases(1, Effort::Default).map(|case| case.name).collect();
        let unique: BTreeSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }

    /// The name of an enum's variant.
    fn variant(value: impl std::fmt::Debug) -> String {
        let text = format!("{value:?}");
        text.split(['(', ' ']).next().unwrap_or_default().to_owned()
    }

    /// Whatever the seed: a value that no case has is a value that nobody checks.
    #[test]
    fn every_value_of_every_option_occurs() {
        for seed in [1, 2] {
            for kind in Kind::ALL.into_iter().filter(|kind| kind.info().takes("prior")) {
                let cases = of_kind(seed, Effort::Default, kind);
                let seen = |of: &dyn Fn(&LossSpec) -> String| -> BTreeSet<String> {
                    cases.iter().map(|case| of(&case.spec)).collect()
                };
                let takes = |key: &str| usize::from(kind.info().takes(key));
                let infos = kind.options().infos();
                let values = |key: &str| {
                    infos.iter().find(|info| info.key == key).map_or(1, |info| info.samples.len())
                };
                for (option, wanted, found) in [
                    ("weights.source", 7, seen(&|spec| variant(spec.weights.source))),
                    ("weights.scheme", 8, seen(&|spec| variant(spec.weights.scheme))),
                    ("weights.absent", 4, seen(&|spec| variant(spec.weights.absent))),
                    ("weights.normalise", 4, seen(&|spec| variant(spec.weights.normalise))),
                    ("prior.source", 5, seen(&|spec| variant(spec.prior().source))),
                    ("threshold", 3, seen(&|spec| spec.threshold.as_ref().map_or(String::new(), variant))),
                    (
                        "activation",
                        1 + takes("activation"),
                        seen(&|spec| format!("{:?}", spec.options.get("activation"))),
                    ),
                    ("region", 1 + takes("region"), seen(&|spec| format!("{:?}", spec.region()))),
                    ("classes", values("classes"), seen(&|spec| format!("{:?}", spec.classes()))),
                    (
                        "reduction",
                        1 + takes("reduction") * if kind.sums_regions() { 4 } else { 6 },
                        seen(&|spec| format!("{:?}", spec.reduction)),
                    ),
                ] {
                    let wanted = if option.starts_with("weights") {
                        takes("weights") * (wanted - 1) + 1
                    } else {
                        wanted
                    };
                    assert_eq!(found.len(), wanted, "{} {option} with seed {seed}: {found:?}", kind.name());
                }
                let maps = cases.iter().filter(|case| case.weight_map.is_some()).count();
                assert!(maps * 5 > cases.len(), "{}: {maps} maps", kind.name());
            }
        }
    }
}
