//! What an evaluation has counted: JSON, whose numbers are held against each other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segloss_unet::metrics::sums::Settings;
use segloss_unet::{Report, Results};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(results) = Results::read(bytes) {
        let _ = Report::new(&results, Settings::default());
    }
});
