//! `segloss predict`.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use segloss_unet::{Checkpoint, Predictor, RunFolder, picture};

use crate::options::{CheckpointArg, Threads};

/// Find the class of every pixel of some images.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss predict --run run --out found image.png
  segloss predict --run run --out found DIR/test/images/*.png

For IMAGE.png this writes IMAGE_classes.png, whose grey value is the class, and IMAGE_overlay.png, the
image beside its classes in colour. The paths of the first kind are printed.")]
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
    #[command(flatten)]
    threads: Threads,
    /// PNG or JPEG files of any size.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

impl PredictArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        self.threads.start()?;
        let mut stems = BTreeSet::new();
        for image in &self.images {
            let stem = image.file_stem().unwrap_or_default();
            if !stems.insert(stem) {
                let stem = stem.to_string_lossy();
                return Err(format!("two images are called {stem}, and one would overwrite the other").into());
            }
        }
        let folder = RunFolder::open(&self.run)?;
        let predictor = Predictor::new(Checkpoint::load(&folder.checkpoint_path(self.checkpoint.into()))?);
        segloss_unet::files::make_folder(&self.out)?;
        for path in &self.images {
            let image = predictor.read(path)?;
            let indices = predictor.predict(&image)?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let overlay = picture::panels(&image, &[&indices], predictor.classes());
            picture::write_png(&self.out.join(format!("{stem}_overlay.png")), &overlay)?;
            let classes = self.out.join(format!("{stem}_classes.png"));
            picture::write_mask(&classes, &predictor.classes().stored(&indices, image.width))?;
            writeln!(io::stdout(), "{}", classes.display())?;
        }
        Ok(())
    }
}
