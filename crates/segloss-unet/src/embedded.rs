//! The data set that is compiled in: `fixtures/tiny_stardist`, with its source and licence beside it.

use std::path::{Path, PathBuf};

/// The name that stands for the embedded folder in messages.
pub const ROOT: &str = "(embedded)";

/// Its `dataset.toml`.
pub const DESCRIPTION: &str = include_str!("../../../fixtures/tiny_stardist/dataset.toml");

macro_rules! tile {
    ($path:literal) => {
        ($path, include_bytes!(concat!("../../../fixtures/tiny_stardist/", $path)))
    };
}

/// Every file of the set: its path below the root and its bytes.
const FILES: &[(&str, &[u8])] = &[
    tile!("train/images/r0c0.png"),
    tile!("train/images/r0c1.png"),
    tile!("train/images/r0c2.png"),
    tile!("train/images/r0c3.png"),
    tile!("train/images/r1c0.png"),
    tile!("train/images/r1c1.png"),
    tile!("train/images/r1c2.png"),
    tile!("train/images/r1c3.png"),
    tile!("train/masks/r0c0.png"),
    tile!("train/masks/r0c1.png"),
    tile!("train/masks/r0c2.png"),
    tile!("train/masks/r0c3.png"),
    tile!("train/masks/r1c0.png"),
    tile!("train/masks/r1c1.png"),
    tile!("train/masks/r1c2.png"),
    tile!("train/masks/r1c3.png"),
    tile!("val/images/r2c0.png"),
    tile!("val/images/r2c1.png"),
    tile!("val/images/r2c2.png"),
    tile!("val/images/r2c3.png"),
    tile!("val/masks/r2c0.png"),
    tile!("val/masks/r2c1.png"),
    tile!("val/masks/r2c2.png"),
    tile!("val/masks/r2c3.png"),
    tile!("test/images/r3c0.png"),
    tile!("test/images/r3c1.png"),
    tile!("test/images/r3c2.png"),
    tile!("test/images/r3c3.png"),
    tile!("test/masks/r3c0.png"),
    tile!("test/masks/r3c1.png"),
    tile!("test/masks/r3c2.png"),
    tile!("test/masks/r3c3.png"),
];

/// Every file of the set, in the order of their paths.
pub fn list() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = FILES.iter().map(|(path, _)| PathBuf::from(path)).collect();
    paths.sort();
    paths
}

/// The bytes of one file that [`list`] named; empty for any other.
pub fn file(path: &Path) -> &'static [u8] {
    FILES.iter().find(|(name, _)| Path::new(name) == path).map_or(&[], |(_, bytes)| bytes)
}
