//! Every defect of the zoo turns a quick run red, and the library without one leaves it green: a harness
//! that cannot fail proves nothing.

use segloss_verify::checks::Judges;
use segloss_verify::exact::ExactCases;
use segloss_verify::planted::{Defect, Planted};
use segloss_verify::subject::{Library, Subject};
use segloss_verify::{Effort, Options, Run, run};
use std::sync::Arc;

fn quick(subject: &dyn Subject, exact: &Arc<ExactCases>) -> Run {
    let exact = Some(exact.clone());
    let options =
        Options { effort: Effort::Quick, judges: Some(Judges::Losses), exact, ..Options::default() };
    run(subject, &options, |_| ()).expect("the fixtures are in the repository")
}

fn killers(run: &Run) -> Vec<&'static str> {
    run.results.iter().filter(|result| !result.held()).map(|result| result.name).collect()
}

/// Shown by `cargo test -p segloss-verify --test planted_bugs -- --nocapture`.
#[test]
fn every_planted_bug_is_killed() {
    let exact = Arc::new(ExactCases::new(1, Effort::Quick, None));
    let clean = killers(&quick(&Library, &exact));
    println!("{:<22} {clean:?}", "(no defect)");
    assert!(clean.is_empty(), "fails without any defect: {clean:?}");
    for defect in Defect::ALL {
        let killed_by = killers(&quick(&Planted::new(Library, defect), &exact));
        println!("{:<22} {:<58} {}", format!("{defect:?}"), defect.stands_for(), killed_by.join(" "));
        assert!(!killed_by.is_empty(), "{defect:?} survives");
    }
}
