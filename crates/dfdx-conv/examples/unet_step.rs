//! Takes training steps of a U-Net on request, line by line, so that another program can time them in turn with
//! another framework's.
//!
//! ```text
//! $ cargo run --release -p dfdx-conv --example unet_step
//! time unet/forward/channels_last 5                → five durations in nanoseconds
//! time unet/forward_backward/channels_last 5       the loss's gradient by every weight, too
//! time unet+plain/forward/channels_last 5          up-sampling and the convolution after it apart
//! weights unet                                     → how many the net has
//! ```
//! An answer is one line, an error one that begins with `error:`. `RAYON_NUM_THREADS` sets the number of threads.

#[path = "../benches/unet/mod.rs"]
mod unet;

use dfdx_conv::KeepLarge;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};
use unet::UNet;

/// As in any program that trains: without it, much of a step's time goes to fresh pages.
#[global_allocator]
static ALLOCATOR: KeepLarge = KeepLarge::new(4 << 30);

struct Worker {
    fused: UNet,
    plain: UNet,
}

impl Worker {
    fn time(&self, workload: &str) -> Result<Duration, String> {
        let (net, step) = match workload.split('/').collect::<Vec<_>>().as_slice() {
            ["unet", step, "channels_last"] => (&self.fused, *step),
            ["unet+plain", step, "channels_last"] => (&self.plain, *step),
            _ => return Err(format!("{workload}: not unet[+plain]/STEP/channels_last")),
        };
        let text = |error: dfdx_conv::Error| error.to_string();
        let start = Instant::now();
        // What a step leaves behind is freed after it is timed.
        match step {
            "forward" => net.forward().map(|_output| start.elapsed()).map_err(text),
            "forward_backward" => net.forward_backward().map(|_gradients| start.elapsed()).map_err(text),
            _ => Err(format!("{step}: neither forward nor forward_backward")),
        }
    }

    fn answer(&self, request: &str) -> Result<String, String> {
        match request.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["time", workload, calls] => {
                let calls: usize = calls.parse().map_err(|_| format!("{calls}: not a number of calls"))?;
                let time = |_| Ok(self.time(workload)?.as_nanos().to_string());
                Ok((0..calls).map(time).collect::<Result<Vec<_>, String>>()?.join(" "))
            }
            ["weights", "unet"] => Ok(self.fused.parameters().to_string()),
            _ => Err(format!("{request}: neither `time WORKLOAD CALLS` nor `weights unet`")),
        }
    }
}

fn main() -> std::io::Result<()> {
    let worker = Worker { fused: UNet::new(false), plain: UNet::new(true) };
    for request in std::io::stdin().lock().lines() {
        let answer = worker.answer(&request?).unwrap_or_else(|error| format!("error: {error}"));
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}
