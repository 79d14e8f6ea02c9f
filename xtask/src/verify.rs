//! `cargo xtask verify`.

use segloss_verify::implementation::{Implementation, Only};
use segloss_verify::library::Library;
use segloss_verify::report::{self, Report};
use segloss_verify::self_test::SelfTest;
use segloss_verify::sweep::Sweep;
use segloss_verify::terminal::{self, check_line};
use segloss_verify::{Effort, HarnessError, Options};
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// Fewer cases and no training: seconds instead of a minute or two.
    #[arg(long)]
    quick: bool,
    /// Decides everything that is drawn; a failure replays with the seed that its run printed.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Five times as many cases, and the kill matrix in the report: seven minutes on two cores.
    #[arg(long, conflicts_with_all = ["quick", "self_test"])]
    full: bool,
    /// A little of each of N seeds, to show that right code raises no alarm.
    #[arg(long, value_name = "N", conflicts_with_all = ["quick", "full", "self_test"])]
    seeds: Option<u64>,
    /// Judge the harness instead: plant every bug of the zoo, and show which check kills it.
    #[arg(long, conflicts_with_all = ["quick", "check"])]
    self_test: bool,
    /// Only this check; nothing is written.
    #[arg(long, value_name = "CHECK", conflicts_with = "record")]
    check: Option<String>,
    /// Only this drawn case of it: prints how far it is off, bit for bit as in the run that named it.
    #[arg(long, value_name = "CASE", requires = "check")]
    case: Option<String>,
    /// Where the report goes.
    #[arg(long, value_name = "DIR", default_value = "target/verify", conflicts_with = "record")]
    out: PathBuf,
    /// Write the report to reports/verify, to be committed.
    #[arg(long, conflicts_with_all = ["quick", "seed"])]
    record: bool,
}

/// Whether all held.
pub fn run(arguments: &Arguments) -> Result<bool, HarnessError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = match arguments.record {
        true => root.join("reports/verify"),
        // The default lies in the project, wherever the command is given; a DIR is the caller's.
        false if arguments.out == Path::new("target/verify") => root.join("target/verify"),
        false => arguments.out.clone(),
    };
    if arguments.self_test {
        return self_test(arguments.seed, &folder);
    }
    let effort = match arguments {
        Arguments { quick: true, .. } => Effort::Quick,
        Arguments { full: true, .. } => Effort::Full,
        Arguments { seeds: Some(_), check: Some(_), .. } => Effort::Sweep,
        _ => Effort::Default,
    };
    let options =
        Options { seed: arguments.seed, effort, check: arguments.check.clone(), ..Options::default() };
    if options.check.is_some() {
        return replay(arguments, &options);
    }
    if let Some(seeds) = arguments.seeds {
        return sweep(arguments.seed, seeds, &folder);
    }
    prove(&options, &folder)
}

/// The run itself: its lines, its report, its verdict.
fn prove(options: &Options, folder: &Path) -> Result<bool, HarnessError> {
    let run = segloss_verify::run(&Library, options, |result| print(&check_line(result)))?;
    let mut report = Report::new(&run);
    let mut held = run.held();
    if options.effort == Effort::Full {
        let found = judge_itself(options.seed)?;
        held &= found.held();
        report = report.with_self_test(found);
    }
    eprintln!("{}", terminal::report(&report.write(folder)?));
    terminal::replay(&run).iter().for_each(|line| eprintln!("{line}"));
    print(&terminal::totals(&run));
    Ok(held)
}

/// Many seeds, with their number on a terminal as they go by.
fn sweep(first: u64, seeds: u64, folder: &Path) -> Result<bool, HarnessError> {
    let progress = std::io::stderr().is_terminal();
    let mut told = 0;
    let found = Sweep::run(&Library, first, seeds, |sweep| {
        for (seed, check, what) in &sweep.alarms[told..] {
            print(&format!("✗ seed {seed}, {check}: {what}"));
        }
        told = sweep.alarms.len();
        if progress {
            eprint!("\r{} of {seeds} seeds", sweep.seeds);
        }
    })?;
    if progress {
        eprintln!();
    }
    for (bound, near) in &found.nearest {
        let (off, allowed, seed, check, case) =
            (near.difference, near.bound, near.seed, near.check, &near.case);
        print(&format!("{bound:<16} worst {off:<8.1e} bound {allowed:<8e} seed {seed:<5} {check}: {case}"));
    }
    eprintln!("{}", terminal::report(&report::write_sweep(&found, folder)?));
    let (seeds, alarms) = (found.seeds, found.alarms.len());
    print(&format!("{seeds} seeds, {} comparisons, {alarms} alarms", found.comparisons));
    Ok(found.held())
}

/// The kill matrix, as a report of its own.
fn self_test(seed: u64, folder: &Path) -> Result<bool, HarnessError> {
    let found = judge_itself(seed)?;
    eprintln!("{}", terminal::report(&report::write_self_test(&found, folder)?));
    Ok(found.held())
}

/// The kill matrix, bug by bug as they fall, and the smallest error that is seen.
fn judge_itself(seed: u64) -> Result<SelfTest, HarnessError> {
    let found = SelfTest::run(seed, |bug| {
        let verdict = match bug.is_killed_as_meant() {
            true => format!("✓ killed by {}", bug.killed_by.join(" ")),
            false => format!("✗ survives {}, which is meant to notice it", bug.killer),
        };
        print(&format!("{:<34} {:<70} {verdict}", bug.bug, bug.stands_for));
    })?;
    for (kind, error) in &found.sensitivity {
        print(&format!("smallest error of scale seen in {kind:<22} {error:.0e}"));
    }
    for name in &found.false_alarms {
        print(&format!("✗ {name} fails without any bug"));
    }
    for name in found.dispensable() {
        print(&format!("✗ {name} is the only killer of no bug"));
    }
    let (bugs, survivors) = (found.bugs.len(), found.survivors().count());
    print(&format!("{} of {bugs} planted bugs killed", bugs - survivors));
    Ok(found)
}

/// One check, or one case of it, with every number that it measured.
fn replay(arguments: &Arguments, options: &Options) -> Result<bool, HarnessError> {
    let only = arguments.case.as_ref().map(|case| Only { implementation: &Library, case });
    let implementation: &dyn Implementation = match &only {
        Some(only) => only,
        None => &Library,
    };
    let run = segloss_verify::run(implementation, options, |result| print(&check_line(result)))?;
    for hard in run.results.iter().flat_map(|result| &result.tally.hardest) {
        // All digits: the same bits print the same number.
        print(&format!("    {}: off by {:e}, bound {:e}", hard.case, hard.difference, hard.bound.bound));
    }
    Ok(run.held())
}

/// Like `println!`, but a reader that has seen enough (`| head`) is no error.
fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => eprintln!("error: standard output: {error}"),
        _ => {}
    }
}
