//! Computes losses on request, line by line, so that another program can time several revisions or frameworks in turn.
//!
//! ```text
//! $ cargo run --release -p segloss --example worker [-- --instructions avx2]
//! time cross_entropy+fixed/channels_last/f32/4x12x360x480 5     → five durations in nanoseconds
//! count dice/channels_first/f64/1x4x64x64                       → allocations and bytes of one call
//! value cross_entropy/channels_first/f32/1x4x64x64              → the loss, so that another's can be compared
//! ```
//! An answer is one line, an error one that begins with `error:`. `RAYON_NUM_THREADS` sets the number of threads.
//! `count` computes on one thread, within a function named `measured_call`, which callgrind can be told to collect alone.
//!
//! Two options make it worse than it is, so that a gate can prove that it notices: `--planted-rounds N`, as many rounds
//! of an idle loop in each counted call, and `--planted-slowdown PERCENT`, by which every timed call takes longer.

#[path = "../benches/workload/mod.rs"]
mod workload;

use rayon::{ThreadPool, ThreadPoolBuilder};
use segloss::InstructionSet;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;
use workload::{Workload, workload};

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Only while a call is counted: what is timed should not pay for it.
static COUNTS: AtomicBool = AtomicBool::new(false);

fn count(bytes: usize) {
    if !COUNTS.load(Relaxed) {
        return;
    }
    ALLOCATIONS.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
}

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the trait's contract, handed on.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    // SAFETY: the trait's contract, handed on.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    // SAFETY: the trait's contract, handed on.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What makes a call worse than it is: nothing, unless asked for.
#[derive(Clone, Copy, Default)]
struct Planted {
    /// Of an idle loop, in a counted call.
    rounds: u64,
    /// In per cent, of a timed call.
    slowdown: f64,
}

/// One call, with nothing around it but what is planted.
#[inline(never)]
fn measured_call(workload: &mut dyn Workload, planted: Planted) -> f64 {
    let value = black_box(workload.call());
    for round in 0..planted.rounds {
        black_box(round);
    }
    value
}

/// Nanoseconds of one call.
fn timed_call(workload: &mut dyn Workload, planted: Planted) -> u128 {
    let start = Instant::now();
    black_box(workload.call());
    if planted.slowdown > 0.0 {
        let end = start.elapsed().mul_f64(1.0 + planted.slowdown / 100.0);
        while start.elapsed() < end {
            std::hint::spin_loop();
        }
    }
    start.elapsed().as_nanos()
}

/// Allocations and bytes of one call after another, on this thread.
fn counted_call(workload: &mut dyn Workload, planted: Planted) -> (u64, u64) {
    workload.call();
    COUNTS.store(true, Relaxed);
    let before = (ALLOCATIONS.load(Relaxed), BYTES.load(Relaxed));
    measured_call(workload, planted);
    COUNTS.store(false, Relaxed);
    (ALLOCATIONS.load(Relaxed) - before.0, BYTES.load(Relaxed) - before.1)
}

/// Workloads that are kept. A comparison asks for a few in turn, again and again, and drawing one takes longer than
/// computing it.
const KEPT: usize = 16;

/// The workloads of the last requests, the latest last.
struct Worker {
    instructions: InstructionSet,
    planted: Planted,
    /// Where calls are counted, and what they need is drawn: no work leaves its only thread, none comes to it, so that
    /// memory comes to lie in the same places in every process, and a sort or a copy takes as many instructions.
    alone: Arc<ThreadPool>,
    kept: Vec<(String, Box<dyn Workload>)>,
}

impl Worker {
    fn get(&mut self, name: &str) -> Result<&mut dyn Workload, String> {
        let last = match self.kept.iter().position(|(kept, _)| kept == name) {
            Some(at) => self.kept.remove(at),
            None => {
                if self.kept.len() == KEPT {
                    self.kept.remove(0);
                }
                (name.to_owned(), workload(name, self.instructions)?)
            }
        };
        self.kept.push(last);
        let (_, workload) = self.kept.last_mut().ok_or("no workload")?;
        Ok(workload.as_mut())
    }

    fn answer(&mut self, request: &str) -> Result<String, String> {
        let words: Vec<&str> = request.split_whitespace().collect();
        match words.as_slice() {
            ["time", name, calls] => {
                let calls: usize = calls.parse().map_err(|_| format!("{calls}: not a number of calls"))?;
                let planted = self.planted;
                let workload = self.get(name)?;
                let time = |_| timed_call(workload, planted).to_string();
                Ok((0..calls).map(time).collect::<Vec<_>>().join(" "))
            }
            ["count", name] => {
                let (alone, planted) = (Arc::clone(&self.alone), self.planted);
                let (allocations, bytes) =
                    alone.install(|| self.get(name).map(|workload| counted_call(workload, planted)))?;
                Ok(format!("{allocations} {bytes}"))
            }
            ["value", name] => Ok(self.get(name)?.call().to_string()),
            ["bytes", name] => Ok(self.get(name)?.bytes().to_string()),
            _ => Err(format!("{request}: not `time NAME CALLS`, `count NAME`, `value NAME` or `bytes NAME`")),
        }
    }
}

/// The instruction set and what is planted; none if the arguments are wrong, or the machine lacks the set.
fn parse(arguments: &[String]) -> Option<(InstructionSet, Planted)> {
    let (mut instructions, mut planted) = (InstructionSet::best(), Planted::default());
    for pair in arguments.chunks(2) {
        match pair {
            [option, name] if option == "--instructions" => {
                instructions = InstructionSet::ALL.into_iter().find(|set| set.name() == name)?;
            }
            [option, rounds] if option == "--planted-rounds" => planted.rounds = rounds.parse().ok()?,
            [option, per_cent] if option == "--planted-slowdown" => {
                planted.slowdown = per_cent.parse().ok()?
            }
            _ => return None,
        }
    }
    instructions.is_available().then_some((instructions, planted))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((instructions, planted)) = parse(&arguments) else {
        eprintln!(
            "error: [--instructions SET], one that this machine has, [--planted-rounds N] and \
             [--planted-slowdown PERCENT]; found {arguments:?}"
        );
        std::process::exit(2);
    };
    let alone = Arc::new(ThreadPoolBuilder::new().num_threads(1).build()?);
    // The thread has begun before anything else is allocated.
    alone.install(|| ());
    let mut worker = Worker { instructions, planted, alone, kept: Vec::new() };
    for request in std::io::stdin().lock().lines() {
        let answer = worker.answer(&request?).unwrap_or_else(|error| format!("error: {error}"));
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}
