//! A mask: PNG, TIFF or BMP, and the number that each pixel means.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segloss_unet::decode::decode_mask;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mask) = decode_mask(bytes, Path::new("fuzzed")) {
        let _ = mask.numbers();
    }
});
