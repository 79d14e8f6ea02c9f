//! An image: PNG, JPEG, TIFF or BMP.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segloss_unet::decode::decode_image;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let _ = decode_image(bytes, Path::new("fuzzed"));
});
