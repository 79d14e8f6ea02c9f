//! `cargo xtask bench-report`.

use crate::error::Error;
use crate::speed::bars::Verdict;
use crate::speed::contest::Workers;
use crate::speed::criterion::{self, Estimate};
use crate::speed::machine::Machine;
use crate::speed::page::Page;
use crate::speed::plan::{self, BURN, CANDLE, COMPILED, Effort, OPERATIONS, OURS, TORCH};
use crate::speed::results::{Results, VERSION, Value};
use crate::speed::worker::Worker;
use crate::speed::workload::{AGREED, WEIGHTED, WEIGHTED_FULL, name};
use segloss::InstructionSet;
use segloss_verify::terminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

#[derive(clap::Args)]
pub struct Arguments {
    /// A few rounds and short benchmarks: a minute or two instead of ten, to see that all works.
    #[arg(long)]
    quick: bool,
    /// Time burn and candle, which are built for it, and PyTorch, if a Python has it, on the same shapes in turn.
    #[arg(long)]
    peers: bool,
    /// The Python to look for PyTorch in.
    #[arg(long, value_name = "PYTHON", default_value = "python3", requires = "peers")]
    python: PathBuf,
    /// Where the report goes.
    #[arg(long, value_name = "DIR", default_value = "target/bench", conflicts_with = "record")]
    out: PathBuf,
    /// Write the report to reports/bench, to be committed.
    #[arg(long, conflicts_with = "quick")]
    record: bool,
}

/// Whether every bar that could be measured is met.
pub fn run(arguments: &Arguments) -> Result<bool, Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let recorded = root.join("reports/bench");
    let folder = match arguments.record {
        true => recorded.clone(),
        // The default lies in the project, wherever the command is given; a DIR is the caller's.
        false if arguments.out == Path::new("target/bench") => root.join("target/bench"),
        false => arguments.out.clone(),
    };
    // Before anything is written: what is compared with is what is recorded.
    let before = Results::read(&recorded.join("results.json"))?;
    let mut machine = Machine::here(&root)?;
    let built = Built::new(&root)?;

    let mut workers = ours(&built, machine.cores)?;
    peers(arguments, &root, &built, machine.cores, &mut workers)?;
    let values = agree(&mut workers)?;
    if let Some(version) = workers.ask(TORCH, |torch| torch.ask("version"))? {
        machine.versions.insert(TORCH.to_owned(), version);
    }
    let effort = if arguments.quick { Effort::QUICK } else { Effort::DEFAULT };
    let contests = plan::contests(machine.cores, effort);
    let mut timings = Vec::new();
    for (i, contest) in contests.iter().enumerate() {
        let start = Instant::now();
        timings.extend(contest.run(&mut workers, effort.limits)?);
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("[{}/{}] {}, {seconds:.0} s", i + 1, contests.len(), contest.name);
    }
    let absent = workers.absent().clone();
    // Nobody may be computing beside criterion.
    drop(workers);
    let estimates = benchmarks(&root, &built, arguments.quick)?;

    let results =
        Results { version: VERSION, quick: arguments.quick, machine, absent, values, timings, estimates };
    let page = Page::new(&results, before.as_ref());
    let written = page.write(&folder)?;
    for bar in page.bars() {
        println!("{:<12} {}", bar.name, bar.verdict().name().trim_matches('*'));
    }
    for (along, what, layout, power) in page.steep() {
        println!("{what}, {layout}: grows with {along} to the power of {power:.2}");
    }
    eprintln!("{}", terminal::report(&written));
    let missed = page.bars().iter().filter(|bar| bar.verdict() == Verdict::Missed).count();
    let met = page.bars().iter().filter(|bar| bar.verdict() == Verdict::Met).count();
    println!("{met} met, {missed} missed");
    Ok(page.held())
}

/// Where the programs are.
struct Built {
    cargo: PathBuf,
    /// Cargo's target folder.
    target: PathBuf,
}

impl Built {
    /// Builds those of this project.
    fn new(root: &Path) -> Result<Self, Error> {
        let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        // This program lies in TARGET/PROFILE.
        let own = std::env::current_exe().ok();
        let target = own.as_deref().and_then(|own| own.ancestors().nth(2));
        let target = target.map_or_else(|| root.join("target"), Path::to_path_buf);
        let built = Self { cargo, target };
        for (package, example) in [("segloss", "worker"), ("dfdx-conv", "unet_step")] {
            let mut build = built.cargo(root, &["build", "--release", "-p", package, "--example", example]);
            let status = build.status().map_err(|error| failed("cargo", &error))?;
            if !status.success() {
                return Err(failed("cargo", &format!("{example} does not build")));
            }
        }
        Ok(built)
    }

    fn cargo(&self, root: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo);
        // stdout is data: what cargo and criterion say is not.
        command.args(arguments).current_dir(root).stdout(Stdio::null());
        command
    }

    fn example(&self, name: &str) -> Command {
        Command::new(self.target.join("release/examples").join(name))
    }
}

fn failed(name: &str, what: &dyn std::fmt::Display) -> Error {
    Error::Worker { name: name.to_owned(), what: what.to_string() }
}

/// This library in every setting that is compared, and the U-Net.
fn ours(built: &Built, cores: usize) -> Result<Workers, Error> {
    let mut workers = Workers::default();
    // The number of threads is the machine's, whatever the caller's environment says.
    let worker = |threads: usize| {
        let mut command = built.example("worker");
        command.env("RAYON_NUM_THREADS", threads.to_string());
        command
    };
    workers.require(Worker::start(OURS, &mut worker(cores))?);
    for threads in plan::thread_counts(cores) {
        workers.require(Worker::start(&plan::with_threads(threads), &mut worker(threads))?);
    }
    for set in InstructionSet::ALL {
        let name = plan::with_instructions(set);
        match set.is_available() {
            true => {
                let mut command = worker(cores);
                command.args(["--instructions", set.name()]);
                workers.require(Worker::start(&name, &mut command)?);
            }
            false => workers.miss(&name, "this machine does not have it"),
        }
    }
    let mut unet = built.example("unet_step");
    unet.env("RAYON_NUM_THREADS", cores.to_string());
    workers.require(Worker::start(OPERATIONS, &mut unet)?);
    Ok(workers)
}

/// The others, or why they are not there.
fn peers(
    arguments: &Arguments,
    root: &Path,
    built: &Built,
    cores: usize,
    workers: &mut Workers,
) -> Result<(), Error> {
    if !arguments.peers {
        for peer in plan::PEERS {
            workers.miss(peer, "not asked for (--peers)");
        }
        return Ok(());
    }
    match rust_peers(root, built) {
        Ok(program) => {
            for (name, argument) in [(BURN, "burn"), (CANDLE, "candle")] {
                let mut command = Command::new(&program);
                command.arg(argument).env("RAYON_NUM_THREADS", cores.to_string());
                workers.invite(Worker::start(name, &mut command)?);
            }
        }
        Err(why) => [BURN, CANDLE].into_iter().for_each(|peer| workers.miss(peer, why.clone())),
    }
    match torch(&arguments.python) {
        Ok(()) => {
            let script = root.join("crates/segloss-bench/peers/torch_worker.py");
            let python = || {
                let mut command = Command::new(&arguments.python);
                command.arg(&script).env("OMP_NUM_THREADS", cores.to_string());
                command
            };
            workers.invite(Worker::start(TORCH, &mut python())?);
            workers.invite(Worker::start(COMPILED, python().arg("--compile"))?);
        }
        Err(why) => [TORCH, COMPILED].into_iter().for_each(|peer| workers.miss(peer, why.clone())),
    }
    Ok(())
}

/// Builds burn's and candle's program, a workspace of its own.
fn rust_peers(root: &Path, built: &Built) -> Result<PathBuf, String> {
    eprintln!("building burn and candle");
    let target = built.target.join("peers");
    let manifest = root.join("crates/segloss-bench/peers/Cargo.toml");
    let status = (built.cargo(root, &["build", "--release", "--locked", "--manifest-path"]))
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target)
        .status();
    match status {
        Ok(status) if status.success() => Ok(target.join("release/segloss-peers")),
        Ok(_) => Err("its program does not build".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a Python has PyTorch.
fn torch(python: &Path) -> Result<(), String> {
    let output = Command::new(python).args(["-c", "import torch"]).output();
    // Its name, not its place: reports are the same wherever it lies.
    let called = python.file_name().unwrap_or_default().display();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{called}: {}", said.lines().last().unwrap_or("no import of torch")))
        }
        Err(error) => Err(format!("{called}: {error}")),
    }
}

/// Asks every peer for the value of a small input. Who computes another loss takes no part.
fn agree(workers: &mut Workers) -> Result<Vec<Value>, Error> {
    let mut values = Vec::new();
    let weighted = [(TORCH, WEIGHTED), (COMPILED, WEIGHTED), (BURN, WEIGHTED_FULL), (CANDLE, WEIGHTED)];
    for (peer, what) in weighted.into_iter().chain(plan::TORCH_KINDS.map(|kind| (TORCH, kind))) {
        let workload = name(what, "channels_last", "f32", AGREED);
        let ask = |worker: &mut Worker| {
            let answer = worker.ask(&format!("value {workload}"))?;
            answer.parse::<f64>().map_err(|error| failed(worker.name(), &format!("{answer}: {error}")))
        };
        let (Some(theirs), Some(ours)) = (workers.ask(peer, ask)?, workers.ask(OURS, ask)?) else { continue };
        let value = Value { contestant: peer.to_owned(), workload: workload.clone(), theirs, ours };
        if !value.agrees() {
            workers.miss(peer, format!("computes another loss: {theirs}, not {ours}"));
        }
        values.push(value);
    }
    Ok(values)
}

/// Runs criterion's benchmarks, in a folder that holds nothing of an earlier run.
fn benchmarks(root: &Path, built: &Built, quick: bool) -> Result<Vec<Estimate>, Error> {
    let home = built.target.join("bench-criterion");
    match std::fs::remove_dir_all(&home) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::file(home)(error));
        }
        _ => {}
    }
    let length: &[&str] = match quick {
        true => &["--quick"],
        false => &["--warm-up-time", "0.3", "--measurement-time", "0.8", "--sample-size", "10"],
    };
    for (package, bench) in [("segloss", "losses"), ("dfdx-conv", "operations")] {
        eprintln!("criterion: {package}, {bench}");
        let status = (built.cargo(root, &["bench", "-p", package, "--bench", bench, "--", "--noplot"]))
            .args(length)
            .env("CRITERION_HOME", &home)
            .status();
        let status = status.map_err(|error| failed("cargo bench", &error))?;
        if !status.success() {
            return Err(failed("cargo bench", &format!("{bench}: {status}")));
        }
    }
    criterion::read(&home)
}
