//! `segloss inspect`: what a data folder holds, what is odd about it, and the dataset.toml that it needs.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use segloss_unet::inspect::{Inspection, dataset_toml, inspect};
use segloss_unet::{Source, files};
use serde::Serialize;

use crate::exit::FoundWrong;
use crate::progress::{self, say, tell};

/// Look at a data folder: what it holds, what is odd about it, and the dataset.toml that it needs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss inspect --data DIR             sizes, types, classes and their shares in each split
  segloss inspect --data DIR --write     and write DIR/dataset.toml, to be edited: names of classes
  segloss inspect --data DIR --json | jq .warnings

What is understood, here and in `train`, `weights` and `evaluate`:

  folders     DIR/{train,val,test}/{images,masks}, DIR/{images,masks}/{train,val,test},
              or DIR/{images,masks},
              which is divided at random; nested folders; validation and testing for val and test;
              labels, annotations and the like for masks
  images      PNG, JPEG, TIFF, BMP; grey or RGB; 8 or 16 bits or floats. EXIF orientation is applied
  masks       PNG, TIFF, BMP of the same name, or with a suffix such as _mask, holding
              labels 0, 1, 2, … (grey or palette); 0 and 255 for background and foreground;
              255 for pixels that are not annotated; any values, with `value` in dataset.toml;
              a colour for each class

  [split]                         # dataset.toml: how a folder without splits is divided
  val = 0.15                      # shares of the images
  test = 0.15
  seed = 0
  group = { before_last = \"_\" }   # images of a group stay together;
                                  # or \"none\", \"folder\", { characters = 6 }

Exit codes: 0 nothing stands in the way of training, 1 something does, 2 there is no data
folder.")]
pub struct InspectArgs {
    /// The data folder; the embedded microscope tiles if left out.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The label that counts for nothing; that of dataset.toml if left out.
    #[arg(long, value_name = "LABEL")]
    ignore: Option<u8>,
    /// Write DIR/dataset.toml; one that is there already is not replaced.
    #[arg(long)]
    write: bool,
    /// No progress on standard error.
    #[arg(long, short)]
    quiet: bool,
    /// Print JSON: {folder, splits, classes, stored, notes, warnings, problems, dataset_toml}.
    #[arg(long)]
    json: bool,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
enum InspectError {
    #[error("the embedded tiles have their dataset.toml; --write needs --data DIR")]
    Embedded,
    #[error("{}: is there already; edit it, or take it away to have it written anew", path.display())]
    Exists { path: PathBuf },
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    inspection: &'a Inspection,
    dataset_toml: Option<&'a str>,
}

impl InspectArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        let source = Source::new(self.data.as_deref());
        let path = source.description_path();
        if self.write {
            self.check(&path)?;
        }
        let bar = progress::bar(self.quiet, None);
        let inspection = inspect(&source, self.ignore, &|| bar.inc(1))?;
        bar.finish_and_clear();
        let toml = inspection.description.as_ref().map(dataset_toml);
        let mut out = io::stdout().lock();
        if self.json {
            let report = Report { inspection: &inspection, dataset_toml: toml.as_deref() };
            writeln!(out, "{}", serde_json::to_string_pretty(&report).map_err(io::Error::from)?)?;
        } else {
            write!(out, "{}", inspection.text())?;
            if let (false, Some(toml), true) = (self.write, &toml, self.data.is_some() && !path.exists()) {
                writeln!(out, "\n--write would write {}:\n\n{toml}", path.display())?;
            }
            tell(&inspection.notes, &inspection.warnings);
        }
        for problem in &inspection.problems {
            say(&format!("problem: {problem}"));
        }
        match toml {
            Some(toml) if self.write => {
                files::write_atomic(&path, toml.as_bytes())?;
                say(&format!("wrote {}", path.display()));
            }
            _ => {}
        }
        if inspection.problems.is_empty() {
            return Ok(());
        }
        let count = inspection.problems.len();
        let these = if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") };
        Err(FoundWrong(format!("{these} must be mended before training")).into())
    }

    fn check(&self, path: &Path) -> Result<(), InspectError> {
        if self.data.is_none() {
            return Err(InspectError::Embedded);
        }
        if path.exists() {
            return Err(InspectError::Exists { path: path.to_owned() });
        }
        Ok(())
    }
}
