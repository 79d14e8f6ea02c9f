//! A step that went wrong: safetensors with the run's configuration in its metadata.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segloss_unet::replay::Replay;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let _ = Replay::decode(bytes, Path::new("fuzzed"));
});
