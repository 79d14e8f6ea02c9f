//! Each command is a file: parses, calls, prints.

pub mod bench_report;
pub mod gate;

use std::io::{ErrorKind, Write};

/// Like `println!`, but a reader that has seen enough (`| head`) is no error.
fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => eprintln!("error: standard output: {error}"),
        _ => {}
    }
}
