//! `cargo xtask check-report`: how often `segloss check` is right about other people's losses.

use segloss_unet::files::write_atomic;
use segloss_verify::identify::benchmark::{self, Mode, Outcome};
use segloss_verify::identify::random::right_losses;
use std::error::Error;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder with cases.csv, answers and captures.
    #[arg(long, value_name = "DIR", default_value = "reports/check")]
    folder: PathBuf,
    /// Only cases whose name contains this; nothing is recorded.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Instead judge so many right losses at random, of every kind of segloss.
    #[arg(long, value_name = "N", conflicts_with_all = ["only", "record"])]
    random: Option<usize>,
    /// Write results.csv and table.md beside the cases.
    #[arg(long, conflicts_with = "only")]
    record: bool,
}

/// Judges every case and prints the table; returns whether no right loss was called wrong.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    if let Some(count) = arguments.random {
        return Ok(random(count));
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    let chosen = |name: &str| arguments.only.as_ref().is_none_or(|text| name.contains(text.as_str()));
    for case in benchmark::cases(&arguments.folder)?.iter().filter(|case| chosen(&case.name)) {
        for mode in Mode::ALL {
            let Some(outcome) = benchmark::judge(&arguments.folder, case, mode)? else { continue };
            if !outcome.hit || arguments.only.is_some() {
                let cause = if case.cause.is_empty() { &case.kind } else { &case.cause };
                eprintln!(
                    "{} {}: {mode:?}: {:?}: {} {} (it is {cause}; {:.1} s)",
                    case.truth, case.name, outcome.verdict, outcome.name, outcome.causes, outcome.seconds
                );
            }
            outcomes.push(outcome);
        }
    }
    let table = benchmark::tables(&outcomes);
    print!("{table}");
    if arguments.record {
        let mut csv = csv::Writer::from_writer(Vec::new());
        outcomes.iter().try_for_each(|outcome| csv.serialize(outcome))?;
        write_atomic(&arguments.folder.join("results.csv"), &csv.into_inner()?)?;
        write_atomic(&arguments.folder.join("table.md"), table.as_bytes())?;
    }
    let alarms =
        benchmark::share(&outcomes, |outcome| outcome.truth == "right", |outcome| !outcome.causes.is_empty());
    Ok(alarms.hits == 0)
}

/// Right losses at random; returns whether none was called wrong.
fn random(count: usize) -> bool {
    let (mut judged, mut named, mut alarms) = (0, 0, 0);
    for found in right_losses(1, count) {
        judged += 1;
        named += usize::from(found.is_named());
        if found.is_false_alarm() {
            alarms += 1;
            eprintln!("{}\n{}", found.spec.to_toml(), found.report);
        }
        if judged % 50 == 0 {
            eprintln!("{judged} judged: {alarms} called wrong, {named} named");
        }
    }
    println!("{judged} right losses at random: {alarms} called wrong, {named} named");
    alarms == 0
}
