//! `segloss predict`.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use segloss_unet::catalogue::is_picture;
use segloss_unet::files::make_folder;
use segloss_unet::metrics::Rule;
use segloss_unet::run::Which;
use segloss_unet::tune::RuleFile;
use segloss_unet::{Checkpoint, Predictor, RunFolder, picture};

use crate::options::{CheckpointArg, Threads};
use crate::progress;

/// Find the class of every pixel of some images.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss predict --run run --out found image.png
  segloss predict --run run --out found DIR/test/images

For IMAGE.png this writes IMAGE_classes.png, a mask that stores classes as those of the training
data do, and IMAGE_overlay.png, the image beside its classes in colour. The paths of the first
kind are printed. Images of a folder keep their path below it.

A large image is cut into tiles that overlap by what the net sees, so that each pixel gets the
class that it would get in the whole image.")]
pub struct PredictArgs {
    /// The run folder.
    #[arg(long, value_name = "RUN")]
    run: PathBuf,
    /// Where to write, made if needed.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Which epoch's net.
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: CheckpointArg,
    /// Decide by the largest logit, whatever `segloss tune` chose.
    #[arg(long)]
    arg_max: bool,
    /// Cut images of more than N x N pixels into tiles of at most that size, 0 for never; the default keeps
    /// memory below 1 GB.
    #[arg(long, value_name = "N")]
    tile: Option<usize>,
    #[command(flatten)]
    threads: Threads,
    /// No progress on standard error.
    #[arg(long, short)]
    quiet: bool,
    /// PNG, JPEG, TIFF or BMP files of any size, and folders: all images in them and below.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

/// Why nothing was predicted.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{}: holds no image{}", path.display(), besides(passed))]
    Empty { path: PathBuf, passed: Passed },
    #[error("{} and {} would both become {}; predict them one after the other, with another --out", one.display(), other.display(), result.display())]
    SameName { one: PathBuf, other: PathBuf, result: PathBuf },
    #[error("{} would overwrite the image {}; choose another --out", result.display(), image.display())]
    Overwriting { image: PathBuf, result: PathBuf },
}

fn besides(passed: &Passed) -> String {
    if passed.is_empty() { String::new() } else { format!("; there are {}", counts(passed)) }
}

/// An image, and where its results go.
struct Input {
    path: PathBuf,
    classes: PathBuf,
    overlay: PathBuf,
}

/// How many files of each kind were passed over.
type Passed = BTreeMap<String, usize>;

impl PredictArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        self.threads.start()?;
        let inputs = self.inputs()?;
        let folder = RunFolder::open(&self.run)?;
        let which = Which::from(self.checkpoint);
        let checkpoint = Checkpoint::load(&folder.checkpoint_path(which))?;
        let (rule, note) = match self.arg_max {
            true => (Rule::default(), None),
            false => RuleFile::of(&folder, which, &checkpoint.meta)?,
        };
        progress::tell(&note.into_iter().collect::<Vec<_>>(), &[]);
        let mut predictor = Predictor::new(checkpoint).with_rule(rule);
        if let Some(tile) = self.tile {
            predictor = predictor.with_tile(tile)?;
        }
        let bar = progress::bar(self.quiet, Some(inputs.len() as u64));
        for Input { path, classes, overlay } in &inputs {
            bar.set_prefix(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
            let image = predictor.read(path)?;
            let indices = predictor.predict(&image)?;
            classes.parent().map_or(Ok(()), make_folder)?;
            picture::write_png(overlay, &picture::panels(&image, &[&indices], predictor.classes()))?;
            picture::write_mask(classes, &predictor.classes().stored(&indices, image.width))?;
            bar.suspend(|| writeln!(io::stdout(), "{}", classes.display()))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Every image in the order given, those of a folder in the order of their paths.
    fn inputs(&self) -> Result<Vec<Input>, PredictError> {
        let mut inputs = Vec::new();
        for given in &self.images {
            let kind = fs::metadata(given);
            let kind =
                kind.map_err(|source| PredictError::Io { action: "read", path: given.clone(), source })?;
            if !kind.is_dir() {
                inputs.push(self.input(given.clone(), Path::new("")));
                continue;
            }
            let (mut found, mut passed) = (Vec::new(), Passed::new());
            walk(given, fs::canonicalize(&self.out).ok().as_deref(), &mut found, &mut passed)?;
            if found.is_empty() {
                return Err(PredictError::Empty { path: given.clone(), passed });
            }
            if !passed.is_empty() {
                let (folder, images) = (given.display(), found.len());
                progress::say(&format!("{folder}: {images} images; passed over {}", counts(&passed)));
            }
            for path in found {
                let below = path.parent().and_then(|folder| folder.strip_prefix(given).ok());
                let below = below.unwrap_or(Path::new("")).to_owned();
                inputs.push(self.input(path, &below));
            }
        }
        self.check(&inputs)?;
        Ok(inputs)
    }

    fn input(&self, path: PathBuf, below: &Path) -> Input {
        let named = |end: &str| {
            let mut name: OsString = path.file_stem().unwrap_or_default().to_owned();
            name.push(end);
            self.out.join(below).join(name)
        };
        Input { classes: named("_classes.png"), overlay: named("_overlay.png"), path }
    }

    /// No result may overwrite another one, or an image.
    fn check(&self, inputs: &[Input]) -> Result<(), PredictError> {
        let mut results: HashMap<&Path, &Path> = HashMap::new();
        for Input { path, classes, .. } in inputs {
            if let Some(one) = results.insert(classes, path) {
                let (one, other, result) = (one.to_owned(), path.clone(), classes.clone());
                return Err(PredictError::SameName { one, other, result });
            }
        }
        let images: HashMap<PathBuf, &Path> = inputs
            .iter()
            .filter_map(|input| Some((fs::canonicalize(&input.path).ok()?, &*input.path)))
            .collect();
        for result in inputs.iter().flat_map(|input| [&input.classes, &input.overlay]) {
            let place = fs::canonicalize(result).ok();
            if let Some(image) = place.and_then(|place| images.get(&place).copied()) {
                return Err(PredictError::Overwriting { image: image.to_owned(), result: result.clone() });
            }
        }
        Ok(())
    }
}

/// The images in a folder and below, sorted; `out`, where earlier results may lie, is passed over.
fn walk(
    folder: &Path,
    out: Option<&Path>,
    found: &mut Vec<PathBuf>,
    passed: &mut Passed,
) -> Result<(), PredictError> {
    let failed = |source| PredictError::Io { action: "list", path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut entries: Vec<fs::DirEntry> = entries.collect::<Result<_, _>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let mut pass = |kind: String| *passed.entry(kind).or_default() += 1;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            pass("hidden".to_owned());
        } else if path.is_dir() {
            // A link to a folder may lead back up.
            if entry.file_type().map_err(failed)?.is_symlink() {
                pass("linked folder".to_owned());
            } else if out.is_some_and(|out| fs::canonicalize(&path).is_ok_and(|path| path == out)) {
                pass("--out folder".to_owned());
            } else {
                walk(&path, out, found, passed)?;
            }
        } else {
            match path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()) {
                Some(extension) if is_picture(&extension) => found.push(path),
                Some(extension) => pass(format!(".{extension}")),
                None => pass("without extension".to_owned()),
            }
        }
    }
    Ok(())
}

/// As in "1 hidden, 3 .txt".
fn counts(passed: &Passed) -> String {
    passed.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
}
