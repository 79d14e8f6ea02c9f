//! `segloss export`.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use segloss_unet::exchange::{Format, export};
use segloss_unet::{Checkpoint, RunFolder};

use crate::options::CheckpointArg;

/// Write the net of a run as an ONNX model, or its weights for PyTorch.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss export --run run --out model.onnx             for ONNX Runtime, OpenCV, tract, …
  segloss export --run run --out weights.safetensors    for PyTorch, or `segloss train --weights`

model.onnx takes images (N, C, H, W) as float32, with the values that they were stored with,
such as 0 to 255: the normalisation is part of it. It gives logits (N, classes, H, W). N, H and
W are free; H and W must be multiples of the metadata entry segloss.multiple, to which an image
is padded at the bottom and at the right with its mirror image. The class of a pixel is that of
its largest logit.

weights.safetensors has the names of milesial/Pytorch-UNet (bilinear=False):
`inc.double_conv.0.weight` to `outc.conv.bias`. What the images were normalised with is in its
metadata.

The class names stand in the metadata of both; docs/exchange.md shows how to use either.")]
pub struct ExportArgs {
    /// The run folder.
    #[arg(long, value_name = "RUN")]
    run: PathBuf,
    /// Which epoch's net.
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: CheckpointArg,
    /// The file to write: FILE.onnx or FILE.safetensors.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl ExportArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        // Before a large checkpoint is read.
        Format::of(&self.out)?.output().check(&self.out)?;
        let folder = RunFolder::open(&self.run)?;
        let checkpoint = Checkpoint::load(&folder.checkpoint_path(self.checkpoint.into()))?;
        export(&checkpoint, &self.out)?;
        writeln!(io::stdout(), "{}", self.out.display())?;
        Ok(())
    }
}
