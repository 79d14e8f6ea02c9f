//! Bad input gives a typed error that says where, never a panic and never a silent NaN.
#![allow(clippy::unwrap_used)]

use ndarray::{Array2, array};
use segloss::{Input, Loss, LossSpec, Problem, Target};

fn loss(text: &str) -> Loss {
    Loss::new(LossSpec::from_toml(text).unwrap()).unwrap()
}

fn refusal(text: &str, logits: &[f32], shape: &[usize], labels: &[i32]) -> segloss::Error {
    Input::from_slices(logits, shape, labels).and_then(|input| loss(text).value(&input)).unwrap_err()
}

#[test]
fn labels_out_of_range_are_located() {
    let error = refusal("ignore_index = 255", &[0.0; 12], &[1, 3, 2, 2], &[0, 1, 2, 3]);
    let Problem::Label { label, classes, index, .. } = &error.problem else { panic!("{error}") };
    assert_eq!((*label, *classes, index.as_slice()), (3, 3, [0, 1, 1].as_slice()));
    assert_eq!(
        error.to_string(),
        "cross_entropy: target label 3 at [0, 1, 1] is no class: expected 0..=2 or the ignored 255"
    );
    let error = refusal("", &[0.0; 4], &[1, 2, 2], &[0, -1]);
    assert!(error.to_string().contains("label -1 at [0, 1]"), "{error}");
    let error = refusal("kind = 'binary_cross_entropy'", &[0.0; 2], &[1, 1, 2], &[1, 2]);
    assert!(error.to_string().contains("0..=1"), "{error}");
    // Two labels in one channel are a binary problem, not a softmax over one class.
    let error = refusal("", &[0.0; 2], &[1, 1, 2], &[0, 1]);
    assert!(
        error.to_string().contains("label 1 at [0, 1]") && error.to_string().contains("0..=0"),
        "{error}"
    );
}

#[test]
fn a_single_class_costs_nothing() {
    let mut gradient = [f32::NAN; 2];
    let input = Input::from_slices(&[3.0_f32, -80.0], &[1, 1, 2], &[0_u8, 0]).unwrap();
    let result = loss("").value_and_gradient(&input, &mut gradient).unwrap();
    assert_eq!((result.value, gradient), (0.0, [0.0, 0.0]));
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    assert!(matches!(refusal("", &[0.0; 4], &[4], &[0]).problem, Problem::Rank { .. }));
    assert!(matches!(refusal("", &[], &[0, 3], &[]).problem, Problem::Empty { .. }));
    assert!(matches!(refusal("", &[0.0; 5], &[2, 3], &[0, 0]).problem, Problem::Length { .. }));
    assert!(matches!(refusal("", &[0.0; 6], &[2, 3], &[0]).problem, Problem::Length { .. }));

    let logits = array![[[0.0_f32, 1.0], [1.0, 0.0]]];
    let labels = array![[0_u8, 1, 1]];
    let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
    let error = loss("").value(&input).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cross_entropy: target has shape [1, 3]; expected [1, 2] beside these logits"
    );
    let short = array![[true]];
    let labels = array![[0_u8, 1]];
    let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
    let error = loss("").value(&input.clone().with_mask(short.view()).unwrap()).unwrap_err();
    assert!(error.to_string().contains("mask has shape [1, 1]"), "{error}");
    let error = loss("").value_and_gradient(&input, &mut [0.0; 3]).unwrap_err();
    assert!(error.to_string().contains("gradient holds 3 elements; expected 4"), "{error}");
}

#[test]
fn permuted_views_are_refused_with_the_repair() {
    let logits = array![[[0.0_f32, 1.0, 2.0], [1.0, 0.0, 2.0]]];
    let labels: Array2<u8> = array![[0, 1]];
    let permuted = logits.view().permuted_axes([0, 2, 1]);
    let error = Input::new(permuted, Target::indices(labels.view())).unwrap_err();
    assert!(error.to_string().contains("as_standard_layout"), "{error}");
    let error = Input::new(logits.view(), Target::indices(array![[0_u8, 1], [1, 0]].t())).unwrap_err();
    assert!(error.to_string().contains("target"), "{error}");
}

#[test]
fn distributions_must_be_numbers() {
    let logits = array![[0.0_f64, 1.0]];
    for (bad, kind) in [(f64::NAN, "cross_entropy"), (-0.1, "cross_entropy"), (1.5, "binary_cross_entropy")] {
        let y = array![[0.0, bad]];
        let input = Input::new(logits.view(), Target::distribution(y.view())).unwrap();
        let error = loss(&format!("kind = '{kind}'")).value(&input).unwrap_err();
        assert!(matches!(error.problem, Problem::Distribution { class: 1, .. }), "{error}");
    }
}

#[test]
fn logits_of_valid_pixels_must_be_numbers() {
    for kind in ["cross_entropy", "binary_cross_entropy", "document_binary", "document_categorical"] {
        for bad in [f32::NAN, f32::INFINITY] {
            let text = format!("kind = '{kind}'\nlayout = 'channels_last'");
            let error = refusal(&text, &[0.5, 0.1, 0.2, bad], &[1, 2, 2], &[0, 1]);
            let Problem::Logit { class, index, .. } = &error.problem else { panic!("{error}") };
            assert_eq!((*class, index.as_slice()), (1, [0, 1].as_slice()), "{kind}");
        }
    }
}

#[test]
fn options_for_another_number_of_classes_are_refused() {
    for text in
        ["threshold = { logit_shift = [0.5, 0.5] }", "weights = { source = 'fixed', values = [1, 2] }"]
    {
        let error = refusal(text, &[0.0; 3], &[1, 3], &[0]);
        assert!(matches!(error.problem, Problem::PerClass { expected: 3, found: 2, .. }), "{error}");
    }
}

#[test]
fn a_plan_for_other_images_is_refused() {
    let loss = loss("");
    let two = Input::from_slices(&[0.0_f32; 4], &[2, 2], &[0_u8, 1]).unwrap();
    let one = Input::from_slices(&[0.0_f32; 2], &[1, 2], &[0_u8]).unwrap();
    let plan = loss.plan(&loss.census(&two).unwrap()).unwrap();
    assert!(matches!(loss.part(&one, &plan, None).unwrap_err().problem, Problem::Plan { .. }));
    assert!(loss.part(&one, &plan.images(1..2), None).is_ok());
}

#[test]
fn weights_beyond_the_number_type_are_refused() {
    let text = "weights = { source = 'fixed', values = [1e300, 1e300] }\ndenominator = 'images'";
    let error = refusal(text, &[0.0; 2], &[1, 2], &[0]);
    assert!(matches!(error.problem, Problem::Overflow { element: "f32", .. }), "{error}");
}
