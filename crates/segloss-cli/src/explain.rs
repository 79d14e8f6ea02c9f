//! `segloss explain`.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use segloss::{ClassCounts, WeightSpec};
use segloss_unet::balance::Balance;
use segloss_unet::{Reading, Source, Split};
use segloss_verify::contrast::Contrast;

use crate::options::loss;
use crate::progress::tell;

/// Why do two losses differ? Shown on a small example.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Which keys differ and what each of them does alone; value and gradient of both on small batches
that part losses (no pixel of a class, one image alone, sure and wrong, ignored pixels, ...); who
gets the gradient; and the pixel on which they differ most.

Examples:
  segloss explain cross_entropy focal
  segloss explain a.toml b.toml --json
  segloss explain cross_entropy mine.toml --data DIR       mine.toml has source = \"dataset\"
  segloss explain dice 'kind = \"dice\"
  smooth = 1.0'

A loss is a file with a specification (or a configuration, or an arm of `segloss compare`, of which
the loss alone is looked at), a specification itself (TOML or JSON), a kind, or a sum of kinds as in
`cross_entropy + dice`. `segloss losses` lists the kinds and their keys.")]
pub struct ExplainArgs {
    /// One loss.
    #[arg(value_name = "A")]
    a: String,
    /// The other.
    #[arg(value_name = "B")]
    b: String,
    /// The data set that source = "dataset" counts, as `segloss train --data` takes it.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ExplainArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        let mut both = [loss(&self.a)?.spec, loss(&self.b)?.spec];
        if let Some(data) = &self.data {
            let (given, counts) = (both.clone(), counts(data)?);
            both.iter_mut().for_each(|spec| spec.fill_dataset(&counts));
            if both == given {
                return Err("--data has nothing to do: neither loss lacks the counts of a data set".into());
            }
        }
        let contrast =
            Contrast::new(&both[0], &both[1]).map_err(|error| match error.contains("[dataset]") {
                true => format!("{error}; or give --data DIR"),
                false => error,
            })?;
        let mut out = io::stdout().lock();
        match self.json {
            true => writeln!(out, "{}", serde_json::to_string_pretty(&contrast)?)?,
            false => write!(out, "{contrast}")?,
        }
        Ok(())
    }
}

/// What the training masks of a data set hold.
fn counts(data: &Path) -> Result<ClassCounts, Box<dyn Error>> {
    let reading = Reading::open(&Source::new(Some(data)), &[Split::Train], None)?;
    tell(&reading.notes, &reading.warnings);
    let masks = reading.labels(Split::Train)?;
    let masks = masks.iter().map(Vec::as_slice);
    Ok(Balance::new(masks, &reading.classes, false, &WeightSpec::default(), &[])?.counts)
}
