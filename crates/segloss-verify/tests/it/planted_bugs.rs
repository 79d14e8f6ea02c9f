//! A sample of the zoo, each bug tried on the check that is meant to notice it: a harness that cannot fail proves nothing.
//! The whole zoo, each bug on every check, is `cargo xtask verify --self-test`, which CI runs.

use segloss_verify::planted::zoo;
use segloss_verify::self_test::SelfTest;

/// One for each kind of mistake: of what is computed, of its gradient, of what is counted, of where it lies, of precision,
/// of an operation, of a net, and a misreading that the textbook shares.
const SAMPLE: [&str; 10] = [
    "swapped_classes",
    "ignored_in_denominator",
    "layout_mix_up",
    "flipped_sign",
    "scaled_by_1e-13",
    "last_of_ties",
    "shared: half the adjustment",
    "shared: a false rule",
    "max_pool_quarter",
    "gradients_not_cleared",
];

#[test]
fn a_sample_of_the_zoo_is_killed_as_meant() {
    let verdicts = SelfTest::sample(1, &SAMPLE).expect("the fixtures are in the repository");
    assert_eq!(verdicts.len(), SAMPLE.len(), "a bug of the sample is no longer in the zoo");
    for verdict in &verdicts {
        assert!(verdict.is_killed_as_meant(), "{} survives {}", verdict.bug, verdict.killer);
    }
}

#[test]
fn every_bug_has_a_check_that_is_meant_to_notice_it() {
    for bug in zoo() {
        let check = segloss_verify::checks::all().find(|check| check.name == bug.killer);
        let judged = check.map(|check| check.judged);
        assert_eq!(judged, Some(bug.judged()), "{}: {}", bug.name, bug.killer);
    }
}
