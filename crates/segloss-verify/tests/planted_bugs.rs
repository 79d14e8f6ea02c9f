//! Every bug of the zoo turns a run red, the library without one leaves it green, and no check is idle: a harness
//! that cannot fail proves nothing.

use segloss_verify::self_test::SelfTest;

/// Shown by `cargo test -p segloss-verify --test planted_bugs -- --nocapture`.
#[test]
fn every_planted_bug_is_killed() {
    let found = SelfTest::run(1, |verdict| {
        println!("{:<34} {:<70} {}", verdict.bug, verdict.stands_for, verdict.killed_by.join(" "));
    })
    .expect("the fixtures are in the repository");
    let survivors: Vec<&str> = found.survivors().map(|verdict| verdict.bug).collect();
    let idle: Vec<&str> = found.dispensable().collect();
    assert!(found.false_alarms.is_empty(), "without any bug these fail: {:?}", found.false_alarms);
    assert!(survivors.is_empty(), "survivors: {survivors:?}");
    assert!(idle.is_empty(), "no bug needs these checks: {idle:?}");
    assert!(found.held(), "an error of scale is not seen: {:?}", found.sensitivity);
}
