//! Every operation's result against the slow definition in `dfdx_conv::reference`.

use crate::common::*;
use dfdx_conv::reference::Number;
use dfdx_conv::*;
use proptest::prelude::*;

/// Rounding of a dot product of up to a few hundred terms, relative to the largest result.
fn tolerance<E: Element + Number>() -> f64 {
    if size_of::<E>() == 4 { 2e-6 } else { 1e-14 }
}

fn check_conv2d<E: Element + Number>(shape: Shape4, kernel: Shape4) {
    let (x, w) = (numbers::<E>(elements(shape), 1), numbers::<E>(elements(kernel), 2));
    let b = numbers::<E>(kernel.3, 3);
    let y = conv2d(image(&x, shape), &image(&w, kernel), Some(&vector(&b))).unwrap();
    assert_close(&values(&y), &reference::conv2d(&x, shape, &w, kernel, Some(&b)), tolerance::<E>());
    let y = conv2d(image(&x, shape), &image(&w, kernel), None).unwrap();
    assert_close(&values(&y), &reference::conv2d(&x, shape, &w, kernel, None), tolerance::<E>());
}

fn check_conv_transpose2d<E: Element + Number>(shape: Shape4, outputs: usize) {
    let kernel = (2, 2, shape.3, outputs);
    let (x, w) = (numbers::<E>(elements(shape), 1), numbers::<E>(elements(kernel), 2));
    let b = numbers::<E>(outputs, 3);
    let y = conv_transpose2d(image(&x, shape), &image(&w, kernel), Some(&vector(&b))).unwrap();
    let expected = reference::conv_transpose2d(&x, shape, &w, kernel, Some(&b));
    assert_close(&values(&y), &expected, tolerance::<E>());
    let y = conv_transpose2d(image(&x, shape), &image(&w, kernel), None).unwrap();
    assert_close(&values(&y), &reference::conv_transpose2d(&x, shape, &w, kernel, None), tolerance::<E>());
}

fn check_upsample_conv2d<E: Element + Number>(shape: Shape4, outputs: usize) {
    let (kernel, large) = ((3, 3, shape.3, outputs), (shape.0, 2 * shape.1, 2 * shape.2, shape.3));
    let (x, w) = (numbers::<E>(elements(shape), 1), numbers::<E>(elements(kernel), 2));
    let b = numbers::<E>(outputs, 3);
    let up = reference::upsample_nearest2d(&x, shape);
    for b in [Some(&b), None] {
        let bias = b.map(|b| vector(b));
        let y = upsample_conv2d(image(&x, shape), &image(&w, kernel), bias.as_ref()).unwrap();
        let expected = reference::conv2d(&up, large, &w, kernel, b.map(|b| &b[..]));
        assert_close(&values(&y), &expected, tolerance::<E>());
    }
}

fn check_elementwise<E: Element + Number>(shape: Shape4, more: usize) {
    let (n, h, w, c) = shape;
    let x = numbers::<E>(elements(shape), 4);
    // These only move or select numbers: no rounding.
    let y = upsample_nearest2d(image(&x, shape)).unwrap();
    assert_eq!(values(&y), reference::upsample_nearest2d(&x, shape));
    assert_eq!(values(&relu(image(&x, shape)).unwrap()), reference::relu(&x));
    let even = (n, 2 * h, 2 * w, c);
    let large = numbers::<E>(elements(even), 5);
    assert_eq!(values(&max_pool2d(image(&large, even)).unwrap()), reference::max_pool2d(&large, even));
    let other = (n, h, w, more);
    let b = numbers::<E>(elements(other), 6);
    let y = concat_channels(image(&x, shape), image(&b, other)).unwrap();
    assert_eq!(values(&y), reference::concat_channels(&x, &b, (c, more)));
    // Read the same numbers as (N, C, H, W).
    let last = to_channels_last(image(&x, (n, c, h, w))).unwrap();
    assert_eq!(values(&last), reference::to_channels_last(&x, (n, c, h, w)));
    assert_eq!(values(&to_channels_first(last).unwrap()), x);
}

fn check_batch_norm2d<E: Element + Number>(shape: Shape4) {
    let x = numbers::<E>(elements(shape), 7);
    let (gamma, beta) = (numbers::<E>(shape.3, 8), numbers::<E>(shape.3, 9));
    let epsilon = E::narrow(1e-5);
    let mut statistics = RunningStatistics::new(shape.3);
    let (g, b) = (vector(&gamma), vector(&beta));
    let y = batch_norm2d(image(&x, shape), &g, &b, epsilon, BatchNormMode::Train(&mut statistics)).unwrap();
    // The reference sums in E, one after the other; few pixels, but division by a small σ magnifies.
    let (mean, variance) = reference::moments(&x, shape);
    let expected = reference::batch_norm2d(&x, (&mean, &variance), &gamma, &beta, 1e-5);
    assert_close(&values(&y), &expected, 50.0 * tolerance::<E>());
}

/// Sizes at which something could be special: single rows, columns, pixels and channels, widths around
/// those of vector registers, blocks that do not divide the height.
const SHAPES: [(Shape4, usize); 12] = [
    ((1, 1, 1, 1), 1),
    ((2, 1, 5, 3), 2),
    ((2, 5, 1, 3), 2),
    ((1, 2, 2, 1), 17),
    ((3, 3, 4, 2), 5),
    ((1, 7, 9, 16), 16),
    ((2, 8, 8, 17), 15),
    ((1, 13, 6, 33), 4),
    ((4, 4, 4, 64), 48),
    ((1, 37, 29, 5), 7),
    ((1, 64, 70, 3), 16),
    ((0, 4, 4, 3), 2),
];

#[test]
fn conv2d_agrees_with_its_definition_in_all_sizes() {
    for (shape, outputs) in SHAPES {
        for (kh, kw) in [(3, 3), (1, 1), (1, 3), (3, 1), (5, 5)] {
            check_conv2d::<f32>(shape, (kh, kw, shape.3, outputs));
            check_conv2d::<f64>(shape, (kh, kw, shape.3, outputs));
        }
    }
}

#[test]
fn up_sampling_convolutions_agree_with_their_definitions_in_all_sizes() {
    for (shape, outputs) in SHAPES {
        check_conv_transpose2d::<f32>(shape, outputs);
        check_upsample_conv2d::<f32>(shape, outputs);
        check_upsample_conv2d::<f64>(shape, outputs);
        check_conv_transpose2d::<f64>(shape, outputs);
    }
}

#[test]
fn the_other_operations_agree_with_their_definitions_in_all_sizes() {
    for (shape, more) in SHAPES {
        check_elementwise::<f32>(shape, more);
        check_elementwise::<f64>(shape, more);
        if shape.0 > 0 {
            check_batch_norm2d::<f32>(shape);
            check_batch_norm2d::<f64>(shape);
        }
    }
}

#[test]
fn images_of_many_blocks_agree_with_the_definition() {
    // Large enough that one image is cut into several blocks of unequal height.
    check_conv2d::<f64>((2, 131, 100, 9), (3, 3, 9, 11));
    check_conv_transpose2d::<f64>((2, 67, 50, 9), 11);
    check_upsample_conv2d::<f64>((2, 67, 50, 9), 11);
    check_elementwise::<f64>((2, 67, 50, 9), 4);
    check_batch_norm2d::<f64>((2, 67, 50, 9));
}

/// 64 shapes, or as many as `PROPTEST_CASES` asks for.
fn config() -> ProptestConfig {
    let cases =
        if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { 64 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_shape_agrees_with_the_definition(
        n in 1usize..3, h in 1usize..12, w in 1usize..20, c in 1usize..20, o in 1usize..20,
        kh in 0usize..3, kw in 0usize..3,
    ) {
        check_conv2d::<f64>((n, h, w, c), (2 * kh + 1, 2 * kw + 1, c, o));
        check_conv2d::<f32>((n, h, w, c), (2 * kh + 1, 2 * kw + 1, c, o));
        check_conv_transpose2d::<f64>((n, h, w, c), o);
        check_upsample_conv2d::<f64>((n, h, w, c), o);
        check_elementwise::<f64>((n, h, w, c), o);
        check_batch_norm2d::<f64>((n, h, w, c));
    }
}

#[test]
fn the_first_of_equal_maxima_wins_and_nan_propagates() {
    let nan = f32::NAN;
    let x = [1.0, nan, 5.0, 5.0, 2.0, 3.0, 5.0, 5.0];
    let y = values(&max_pool2d(image(&x, (1, 2, 4, 1))).unwrap());
    assert!(y[0].is_nan());
    assert_eq!(y[1], 5.0);
    for place in 0..4 {
        let mut x = [1.0f32, 2.0, 3.0, 4.0];
        x[place] = nan;
        assert!(values(&max_pool2d(image(&x, (1, 2, 2, 1))).unwrap())[0].is_nan(), "NaN at {place}");
    }
}

#[test]
fn relu_keeps_nan() {
    let y = values(&relu(image(&[f32::NAN, -1.0, f32::INFINITY, -0.0], (1, 1, 1, 4))).unwrap());
    assert!(y[0].is_nan());
    assert_eq!(y[1..], [0.0, f32::INFINITY, 0.0]);
}

#[test]
fn weights_convert_between_orders() {
    // o, i, kh, kw = 2, 3, 1, 2: number each weight by its place in PyTorch's order.
    let oihw = image(&(0..12).map(f64::from).collect::<Vec<_>>(), (2, 3, 1, 2));
    let hwio = hwio_from_oihw(&oihw).unwrap();
    assert_eq!(values(&hwio), [0., 6., 2., 8., 4., 10., 1., 7., 3., 9., 5., 11.]);
    assert_eq!(values(&oihw_from_hwio(&hwio).unwrap()), values(&oihw));
}

#[test]
fn running_statistics_follow_pytorch() {
    let (gamma, beta) = (vector(&[1.0, 1.0]), vector(&[0.0, 0.0]));
    let mut statistics = RunningStatistics::new(2);
    let x = [1.0, 10.0, 2.0, 20.0, 6.0, 30.0];
    for _ in 0..2 {
        let x = image(&x, (1, 1, 3, 2));
        batch_norm2d(x, &gamma, &beta, 1e-5, BatchNormMode::Train(&mut statistics)).unwrap();
    }
    // Batch means 3 and 20, unbiased variances 7 and 100; twice with weight 0.1.
    let twice = |start: f64, batch: f64| 0.9 * (0.9 * start + 0.1 * batch) + 0.1 * batch;
    assert_close(&statistics.mean, &[twice(0.0, 3.0), twice(0.0, 20.0)], 1e-15);
    assert_close(&statistics.variance, &[twice(1.0, 7.0), twice(1.0, 100.0)], 1e-15);
    // Evaluation normalises by them and leaves them alone.
    let before = statistics.clone();
    let y = batch_norm2d(image(&x, (1, 1, 3, 2)), &gamma, &beta, 0.0, BatchNormMode::Evaluate(&statistics))
        .unwrap();
    let expected: Vec<f64> = x
        .iter()
        .enumerate()
        .map(|(i, x)| (x - statistics.mean[i % 2]) / statistics.variance[i % 2].sqrt())
        .collect();
    assert_close(&values(&y), &expected, 1e-15);
    assert_eq!(statistics, before);
}
