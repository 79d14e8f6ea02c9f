//! A specification of a loss: what is accepted is written out, read again and the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segloss::{Loss, LossSpec};

fuzz_target!(|text: &str| {
    let Ok(spec) = LossSpec::from_toml(text) else { return };
    let written = spec.to_toml();
    assert_eq!(LossSpec::from_toml(&written).as_ref(), Ok(&spec), "{written}");
    // May be refused, but with an error.
    let _ = Loss::new(spec);
});
