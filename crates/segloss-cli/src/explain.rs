//! `segloss explain`.

use std::error::Error;
use std::io::{self, Write};

use segloss_verify::contrast::Contrast;

use crate::options::loss;

/// Why do two losses differ? Shown on a small example.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Which keys differ and what each of them does alone; value and gradient of both on small batches
that part losses (no pixel of a class, one image alone, sure and wrong, ignored pixels, ...); who
gets the gradient; and the pixel on which they differ most.

Examples:
  segloss explain cross_entropy focal
  segloss explain a.toml b.toml --json
  segloss explain dice 'kind = \"dice\"
  smooth = 1.0'

A loss is a file with a specification, a specification itself (TOML or JSON), a kind, or a sum of
kinds as in `cross_entropy + dice`. `segloss losses` lists the kinds and their keys.")]
pub struct ExplainArgs {
    /// One loss.
    #[arg(value_name = "A")]
    a: String,
    /// The other.
    #[arg(value_name = "B")]
    b: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ExplainArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        let [a, b] = [loss(&self.a)?, loss(&self.b)?];
        let contrast = Contrast::new(&a.spec, &b.spec)?;
        let mut out = io::stdout().lock();
        match self.json {
            true => writeln!(out, "{}", serde_json::to_string_pretty(&contrast)?)?,
            false => write!(out, "{contrast}")?,
        }
        Ok(())
    }
}
