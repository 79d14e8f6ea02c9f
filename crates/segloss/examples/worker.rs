//! Computes losses on request, line by line, so that another program can time several revisions or frameworks in turn.
//!
//! ```text
//! $ cargo run --release -p segloss --example worker [-- --instructions avx2]
//! time cross_entropy+fixed/channels_last/f32/4x12x360x480 5     → five durations in nanoseconds
//! count dice/channels_first/f64/1x4x64x64                       → allocations and bytes of one call
//! value cross_entropy/channels_first/f32/1x4x64x64              → the loss, so that another's can be compared
//! ```
//! An answer is one line, an error one that begins with `error:`. `RAYON_NUM_THREADS` sets the number of threads.
//! `count` computes within a function named `measured_call`, which callgrind can be told to collect alone.

#[path = "../benches/workload/mod.rs"]
mod workload;

use segloss::InstructionSet;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::io::{BufRead, Write};
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

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// One call, with nothing around it.
#[inline(never)]
fn measured_call(workload: &mut dyn Workload) -> f64 {
    black_box(workload.call())
}

/// Workloads that are kept. A comparison asks for a few in turn, again and again, and drawing one takes longer than
/// computing it.
const KEPT: usize = 16;

/// The workloads of the last requests, the latest last.
struct Worker {
    instructions: InstructionSet,
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
                let workload = self.get(name)?;
                let time = |_| {
                    let start = Instant::now();
                    black_box(workload.call());
                    start.elapsed().as_nanos().to_string()
                };
                Ok((0..calls).map(time).collect::<Vec<_>>().join(" "))
            }
            ["count", name] => {
                let workload = self.get(name)?;
                workload.call();
                COUNTS.store(true, Relaxed);
                let before = (ALLOCATIONS.load(Relaxed), BYTES.load(Relaxed));
                measured_call(workload);
                COUNTS.store(false, Relaxed);
                let after = (ALLOCATIONS.load(Relaxed), BYTES.load(Relaxed));
                Ok(format!("{} {}", after.0 - before.0, after.1 - before.1))
            }
            ["value", name] => Ok(self.get(name)?.call().to_string()),
            ["bytes", name] => Ok(self.get(name)?.bytes().to_string()),
            _ => Err(format!("{request}: not `time NAME CALLS`, `count NAME`, `value NAME` or `bytes NAME`")),
        }
    }
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let instructions = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Some(InstructionSet::best()),
        ["--instructions", name] => InstructionSet::ALL.into_iter().find(|set| set.name() == *name),
        _ => None,
    };
    let Some(instructions) = instructions.filter(|set| set.is_available()) else {
        eprintln!("error: [--instructions SET], one that this machine has; found {arguments:?}");
        std::process::exit(2);
    };
    let mut worker = Worker { instructions, kept: Vec::new() };
    for request in std::io::stdin().lock().lines() {
        let answer = worker.answer(&request?).unwrap_or_else(|error| format!("error: {error}"));
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}
