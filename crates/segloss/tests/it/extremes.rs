//! Where a difference of two large numbers, or of two nearly equal ones, would take all digits.

use segloss::{Input, Loss, LossSpec};

fn run<T: segloss::Element>(kind: &str, logits: [T; 2], label: u8) -> (f64, [T; 2]) {
    let text = format!("kind = '{kind}'\nlayout = 'channels_last'");
    let loss = Loss::new(LossSpec::from_toml(&text).unwrap()).unwrap();
    let mut gradient = [T::zero(); 2];
    let input = Input::from_slices(&logits, &[1, 1, 2], std::slice::from_ref(&label)).unwrap();
    let value = loss.value_and_gradient(&input, &mut gradient).unwrap().value;
    (value, gradient)
}

/// Of two classes one gives what the other takes, however certain the pixel: e^−40 is not lost beside 1.
#[test]
fn a_certain_pixel_s_gradient_adds_up_to_nothing() {
    for kind in ["dice", "jaccard", "generalized_dice", "tversky", "focal_tversky"] {
        for logits in [[0.0_f64, 40.0], [40.0, 0.0]] {
            for label in [0, 1] {
                let (_, [a, b]) = run(kind, logits, label);
                assert!(a != 0.0 && (a + b).abs() <= 1e-14 * a.abs(), "{kind} {logits:?} {label}: {a} {b}");
            }
        }
    }
}

/// What a class without a share of the pixel would cost is not asked: from there the others are infinitely far.
#[test]
fn classes_without_a_share_cost_nothing() {
    for kind in ["seesaw", "cross_entropy"] {
        assert_eq!(run(kind, [3e38_f32, -3e38], 0), (0.0, [0.0; 2]), "{kind}");
    }
}

/// A prior that follows each image is 1 for an image of ignored pixels, and its odds are infinite.
#[test]
fn an_image_of_ignored_pixels_has_no_shift() {
    let text = "kind = 'binary_cross_entropy'\nlayout = 'channels_last'\nignore_index = 255\n\
                threshold = { logit_adjustment = 1.0 }\nprior = { source = 'per_sample' }";
    let loss = Loss::new(LossSpec::from_toml(text).unwrap()).unwrap();
    let (logits, mut gradient) = ([0.5_f64, -1.0, 2.0, f64::NAN], [f64::NAN; 4]);
    let input = Input::from_slices(&logits, &[2, 2, 1], &[0_u8, 1, 255, 255]).unwrap();
    let value = loss.value_and_gradient(&input, &mut gradient).unwrap().value;
    assert!(value.is_finite() && gradient[0] > 0.0 && gradient[1] < 0.0, "{value} {gradient:?}");
    assert_eq!(gradient[2..], [0.0; 2]);
}
