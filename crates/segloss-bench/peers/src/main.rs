//! Weighted cross-entropy of another framework, computed on request: the peers of `cargo xtask bench-report --peers`.
//!
//! ```text
//! $ cargo run --release -- burn
//! time cross_entropy+fixed+full/channels_last/f32/4x12x360x480 5    → five durations in nanoseconds
//! value cross_entropy+fixed+full/channels_last/f32/1x4x64x64        → the loss
//! $ cargo run --release -- candle
//! time cross_entropy+fixed/channels_first/f32/4x12x360x480 5
//! ```
//! Names, logits, labels and weights are those of segloss's own workloads, so that values can be compared. An answer
//! is one line, an error one that begins with `error:`.

mod burn_loss;
mod candle_loss;
#[path = "../../../segloss/benches/workload/mod.rs"]
#[allow(dead_code)]
mod workload;

use segloss::Layout;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};
use workload::{Name, draw};

/// What a framework is given.
pub struct Drawn {
    pub layout: Layout,
    /// N, C, H, W.
    pub shape: [usize; 4],
    /// As they lie in memory.
    pub logits: Vec<f32>,
    /// One a pixel.
    pub labels: Vec<u8>,
    /// One a class.
    pub weights: Vec<f32>,
    /// Whether some labels are [`draw::IGNORED`].
    pub ignoring: bool,
}

impl Drawn {
    fn new(name: &str) -> Result<Self, String> {
        let Name { kind, variants, layout, wide, shape } = name.parse()?;
        let variants: Vec<&str> = variants.iter().map(String::as_str).collect();
        let ignoring = match (kind.as_str(), variants.as_slice(), wide) {
            ("cross_entropy", ["fixed"], false) => true,
            ("cross_entropy", ["fixed", "full"], false) => false,
            _ => return Err(format!("{name}: only cross_entropy+fixed[+full] in f32 is compared")),
        };
        let [images, classes, height, width] = shape;
        let pixels = images * height * width;
        Ok(Self {
            layout,
            shape,
            logits: (0..pixels * classes).map(|i| (draw::logit(i) * 2.0) as f32).collect(),
            labels: (0..pixels).map(|i| draw::label(i, classes.max(2), [height, width], ignoring)).collect(),
            weights: (0..classes).map(|class| draw::weight(class) as f32).collect(),
            ignoring,
        })
    }
}

/// The loss of a framework, with its input.
pub trait Peer {
    /// The loss and its gradient by the logits, which is computed and dropped: how long it took, and the loss.
    fn call(&mut self) -> Result<(Duration, f64), String>;
}

/// Times what makes a result; the result is dropped, and its memory freed, after that.
pub fn timed<T>(make: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let made = make();
    (start.elapsed(), made)
}

type Make = fn(&Drawn) -> Result<Box<dyn Peer>, String>;

/// The last request's loss; the next is often the same.
struct Worker {
    make: Make,
    last: Option<(String, Box<dyn Peer>)>,
}

impl Worker {
    fn get(&mut self, name: &str) -> Result<&mut dyn Peer, String> {
        if self.last.as_ref().is_none_or(|(last, _)| last != name) {
            self.last = None;
            self.last = Some((name.to_owned(), (self.make)(&Drawn::new(name)?)?));
        }
        let (_, peer) = self.last.as_mut().ok_or("no loss")?;
        Ok(peer.as_mut())
    }

    fn answer(&mut self, request: &str) -> Result<String, String> {
        match request.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["time", name, calls] => {
                let calls: usize = calls.parse().map_err(|_| format!("{calls}: not a number of calls"))?;
                let peer = self.get(name)?;
                let time = |_| Ok(peer.call()?.0.as_nanos().to_string());
                Ok((0..calls).map(time).collect::<Result<Vec<_>, String>>()?.join(" "))
            }
            ["value", name] => Ok(self.get(name)?.call()?.1.to_string()),
            _ => Err(format!("{request}: neither `time NAME CALLS` nor `value NAME`")),
        }
    }
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let make: Make = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["burn"] => burn_loss::make,
        ["candle"] => candle_loss::make,
        _ => {
            eprintln!("error: burn or candle; found {arguments:?}");
            std::process::exit(2);
        }
    };
    let mut worker = Worker { make, last: None };
    for request in std::io::stdin().lock().lines() {
        let answer = worker.answer(&request?).unwrap_or_else(|error| format!("error: {error}"));
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}
