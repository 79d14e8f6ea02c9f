//! Small data sets on disk, and small runs.

use std::path::{Path, PathBuf};

use segloss_unet::decode::{Stored, StoredMask};
use segloss_unet::picture::{write_mask, write_png};
use segloss_unet::pixels::Pixels;
use segloss_unet::progress::StepReport;
use segloss_unet::run::Which;
use segloss_unet::{Checkpoint, Config, Dataset, Progress, RunFolder, train};

/// A grey image whose left part is dark (class `classes[0]`) and whose right part is bright.
pub fn write_pair(split: &Path, name: &str, (height, width): (usize, usize), classes: [u8; 2]) {
    let (images, masks) = (split.join("images"), split.join("masks"));
    std::fs::create_dir_all(&images).unwrap();
    std::fs::create_dir_all(&masks).unwrap();
    let right = |i: usize| usize::from(i % width >= width / 3);
    let data = (0..height * width).map(|i| [40, 200][right(i)] + (i * 7 % 31) as u8).collect();
    write_png(&images.join(format!("{name}.png")), &Pixels { height, width, channels: 1, data }).unwrap();
    let labels = (0..height * width).map(|i| u16::from(classes[right(i)])).collect();
    let mask = StoredMask { height, width, values: Stored::Grey(labels) };
    write_mask(&masks.join(format!("{name}.png")), &mask).unwrap();
}

/// Three splits of two images each, of classes 0 and 1.
pub fn write_set(folder: &Path) {
    for split in ["train", "val", "test"] {
        write_pair(&folder.join(split), "a", (20, 24), [0, 1]);
        write_pair(&folder.join(split), "b", (20, 24), [0, 1]);
    }
}

/// A net so small that an epoch takes no time.
pub fn small(folder: Option<PathBuf>) -> Config {
    let mut config = Config::default();
    config.data.folder = folder;
    (config.model.width, config.model.depth) = (4, 2);
    (config.train.epochs, config.train.batch_size, config.train.overlays) = (4, 2, 1);
    config
}

/// A run in `root/run`, and the checkpoint of its last epoch.
pub fn trained(root: &Path, config: &Config) -> Checkpoint {
    let data = Dataset::load(&config.data).unwrap();
    let folder = RunFolder::at(&root.join("run"));
    train(config, &data, &folder, &mut ()).unwrap();
    Checkpoint::load(&folder.checkpoint_path(Which::Last)).unwrap()
}

/// Notes the loss of each step.
#[derive(Default)]
pub struct Losses(pub Vec<f64>);

impl Progress for Losses {
    fn stepped(&mut self, step: &StepReport) {
        self.0.push(step.loss);
    }
}
