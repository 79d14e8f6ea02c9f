//! What is counted and what is timed. `crates/segloss/benches/workload` says what the names mean.

use segloss::{InstructionSet, Kind};

/// The sets in which instructions are counted: valgrind does not know AVX-512, whose kernels are AVX2's, twice as wide.
pub const COUNTED_SETS: [InstructionSet; 2] = [InstructionSet::Portable, InstructionSet::Avx2];

/// Both layouts, as names spell them.
const LAYOUTS: [&str; 2] = ["channels_first", "channels_last"];

/// Four classes, and 4355 pixels: a few blocks of a kernel, and the rest of a block at every end.
const COUNTED_SHAPE: &str = "1x4x67x65";

/// The same of as many classes as kernels compute side by side in every way: eight, four, two and one of them.
const MANY_CLASSES: &str = "1x15x67x65";

/// The same of two classes, whose cross-entropy has a way of its own.
const TWO_CLASSES: &str = "1x2x67x65";

/// Every kind in both layouts, and beside it what is most used: per-sample weights, f64, more classes and two.
pub fn counted() -> Vec<String> {
    let kinds = Kind::ALL.into_iter().map(|kind| (kind.name(), "f32", COUNTED_SHAPE));
    let more = [
        ("cross_entropy+per_sample", "f32", COUNTED_SHAPE),
        ("cross_entropy", "f64", COUNTED_SHAPE),
        ("dice", "f64", COUNTED_SHAPE),
        ("cross_entropy", "f32", MANY_CLASSES),
        ("cross_entropy", "f64", MANY_CLASSES),
        ("dice", "f32", MANY_CLASSES),
        ("cross_entropy", "f32", TWO_CLASSES),
        ("cross_entropy", "f64", TWO_CLASSES),
    ];
    kinds
        .chain(more)
        .flat_map(|(loss, real, shape)| LAYOUTS.map(|layout| format!("{loss}/{layout}/{real}/{shape}")))
        .collect()
}

/// What is timed: the kernel that matters most in both layouts, and one of each of the other ways to compute a loss, in a
/// shape that the second-level cache holds, where a machine repeats itself best; the first once more of few classes, and in
/// a shape that only memory holds.
pub const TIMED: [&str; 8] = [
    "cross_entropy+per_sample/channels_first/f32/1x12x96x96",
    "cross_entropy+per_sample/channels_last/f32/1x12x96x96",
    "dice/channels_last/f32/1x12x96x96",
    "focal/channels_first/f32/1x12x96x96",
    "top_k_cross_entropy/channels_last/f32/1x12x96x96",
    "lovasz_softmax/channels_last/f32/1x12x96x96",
    "cross_entropy+per_sample/channels_first/f32/1x4x128x128",
    "cross_entropy+per_sample/channels_first/f32/2x12x256x256",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_counted_in_both_layouts_and_nothing_twice() {
        let counted = counted();
        let names: std::collections::BTreeSet<&String> = counted.iter().collect();
        assert_eq!((counted.len(), names.len()), (2 * (Kind::ALL.len() + 8), counted.len()));
        for kind in Kind::ALL {
            for layout in LAYOUTS {
                assert!(counted.contains(&format!("{}/{layout}/f32/1x4x67x65", kind.name())));
            }
        }
    }
}
