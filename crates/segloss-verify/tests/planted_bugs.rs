//! Every defect of the zoo turns a quick run red, and the library without one leaves it green: a harness
//! that cannot fail proves nothing.

use segloss_verify::planted::{Defect, Planted};
use segloss_verify::subject::{Library, Subject};
use segloss_verify::{Effort, Options, Run, run};

fn quick(subject: &dyn Subject, options: &Options) -> Run {
    run(subject, options, |_| ()).expect("the fixtures are in the repository")
}

fn killers(run: &Run) -> Vec<&'static str> {
    run.results.iter().filter(|result| !result.held()).map(|result| result.name).collect()
}

/// Shown by `cargo test -p segloss-verify --test planted_bugs -- --nocapture`.
#[test]
fn every_planted_bug_is_killed() {
    // One memory for all of them: the judges need not work out their answers again for each.
    let options = Options { effort: Effort::Quick, losses_only: true, ..Options::default() };
    let clean = killers(&quick(&Library, &options));
    println!("{:<22} {clean:?}", "(no defect)");
    assert!(clean.is_empty(), "fails without any defect: {clean:?}");
    for defect in Defect::ALL {
        let killed_by = killers(&quick(&Planted::new(Library, defect), &options));
        println!("{:<22} {:<58} {}", format!("{defect:?}"), defect.stands_for(), killed_by.join(" "));
        assert!(!killed_by.is_empty(), "{defect:?} survives");
    }
}
