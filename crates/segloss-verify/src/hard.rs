//! The seeds that came nearest to the bounds, of all that were ever tried.
//!
//! A default run judges them beside its own seed, so that its worst differences are near to the worst there are: a
//! bound can then be told from one that is too wide, whatever the seed. Found by `cargo xtask verify --seeds 1000`,
//! whose report names them.

/// (check, seed).
pub const HARD: &[(&str, u64)] = &[
    ("oracles", 2040),
    ("values_f64", 59),
    ("values_f64", 294),
    ("values_f64", 2128),
    ("values_f32", 58),
    ("values_f32", 494),
    ("values_f32", 2128),
    ("exact_gradients", 59),
    ("exact_gradients", 294),
    ("exact_gradients", 2128),
    ("directions", 74),
    ("extreme_logits", 545),
    ("limits", 2065),
    ("operations", 1233),
    ("operations", 2034),
    ("network", 1216),
];

/// The hard seeds of a check.
pub fn seeds(check: &str) -> impl Iterator<Item = u64> + use<'_> {
    HARD.iter().filter(move |(name, _)| *name == check).map(|(_, seed)| *seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks;

    #[test]
    fn every_hard_seed_is_of_a_check_that_draws() {
        for (name, _) in HARD {
            assert!(checks::all().any(|check| check.name == *name && check.is_drawn()), "{name}");
        }
    }
}
