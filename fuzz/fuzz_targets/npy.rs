//! An array from a file: `.npy`, or an `.npz` that holds one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segloss_unet::npy::NpyFile;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let _ = NpyFile::decode(Path::new("fuzzed"), bytes);
});
