//! What benchmarks compute: every kind, or it would be missing from the reports unnoticed.

#[path = "../../benches/workload/mod.rs"]
mod workload;

use segloss::{InstructionSet, Kind};
use workload::workload;

fn value(name: &str) -> f64 {
    let mut made = workload(name, InstructionSet::best()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let value = made.call();
    assert_eq!(value.to_bits(), made.call().to_bits(), "{name}: a second call differs");
    value
}

#[test]
fn every_kind_is_computed_in_every_layout_and_precision() {
    for kind in Kind::ALL {
        for layout in ["channels_first", "channels_last"] {
            for real in ["f32", "f64"] {
                for shape in ["1x2x64x64", "2x5x48x40"] {
                    let name = format!("{kind}/{layout}/{real}/{shape}", kind = kind.name());
                    let value = value(&name);
                    assert!(value.is_finite() && value != 0.0, "{name}: {value}");
                }
            }
        }
    }
}

#[test]
fn variants_are_what_they_are_called() {
    let of = |variant: &str| value(&format!("cross_entropy{variant}/channels_last/f32/2x5x208x40"));
    let plain = of("");
    for variant in ["+fixed", "+per_sample", "+per_batch", "+full", "+smoothing", "+soft"] {
        assert!(of(variant) != plain, "{variant} changes nothing");
    }
    assert_eq!(of("+fresh"), plain);
    assert_eq!(of("+fixed+fresh"), of("+fixed"));
}

#[test]
fn soft_targets_are_drawn_by_pixel_and_class() {
    use workload::draw::share;
    for pixel in [0, 1, 4000] {
        let shares: Vec<f64> = (0..5).map(|class| share(pixel, class, 5, 3)).collect();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{shares:?}");
        assert!(shares.iter().all(|&share| share > 0.0) && shares[3] > 0.75, "{shares:?}");
    }
    assert!(share(0, 0, 5, 3) != share(1, 0, 5, 3) && share(0, 0, 5, 3) != share(0, 1, 5, 3));
}

#[test]
fn bytes_are_those_of_logits_and_gradient() {
    let bytes = |name| workload(name, InstructionSet::best()).map(|made| made.bytes());
    assert_eq!(bytes("copy/channels_first/f32/1x2x8x4"), Ok(2 * 64 * 4));
    assert_eq!(bytes("dice/channels_last/f64/1x2x8x4"), Ok(2 * 64 * 8));
}

#[test]
fn names_are_checked() {
    let good = "dice/channels_first/f32/1x2x8x8";
    assert!(workload(good, InstructionSet::best()).is_ok());
    let bad = [
        "dice",
        "dice/channels_first/f32",
        "dice/channels_middle/f32/1x2x8x8",
        "dice/channels_first/f16/1x2x8x8",
        "dice/channels_first/f32/1x2x8",
        "dice/channels_first/f32/1x0x8x8",
        "no_such_kind/channels_first/f32/1x2x8x8",
        "dice+no_such_variant/channels_first/f32/1x2x8x8",
    ];
    for name in bad {
        assert!(workload(name, InstructionSet::best()).is_err(), "{name} passes for a workload");
    }
}
