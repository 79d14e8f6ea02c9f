//! Every operation's gradients against finite differences of the slow definitions, in `f64`, and the
//! bookkeeping: gradients add up, reach skips, and stop where they should.

use crate::common::*;
use dfdx::prelude::*;
// `relu` is also in dfdx's prelude.
use dfdx_conv::relu;
use dfdx_conv::{parameter_gradient as gradient, *};

const SHAPES: [(Shape4, usize); 7] = [
    ((1, 1, 1, 1), 1),
    ((2, 1, 5, 3), 2),
    ((2, 5, 1, 3), 2),
    ((2, 3, 4, 2), 5),
    ((1, 6, 9, 2), 3),
    ((1, 2, 3, 17), 16),
    ((3, 5, 3, 1), 4),
];

#[test]
fn conv2d() {
    for (shape, outputs) in SHAPES {
        for (kh, kw) in [(3, 3), (1, 1), (1, 3), (3, 1), (5, 3)] {
            let kernel = (kh, kw, shape.3, outputs);
            let (xs, ws) = (numbers(elements(shape), 1), numbers(elements(kernel), 2));
            let bs = numbers(outputs, 3);
            let (x, w, b) = (image(&xs, shape), image(&ws, kernel), vector(&bs));
            let y = dfdx_conv::conv2d(x.leaky_trace(), &w, Some(&b)).unwrap();
            let mut g = weighted_sum_of(y).backward();
            let f = |x: &[f64], w: &[f64], b: &[f64]| {
                weighted_sum(&reference::conv2d(x, shape, w, kernel, Some(b)))
            };
            assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, |x| f(x, &ws, &bs));
            assert_is_gradient(gradient(&mut g, &w).unwrap(), &ws, |w| f(&xs, w, &bs));
            assert_is_gradient(gradient(&mut g, &b).unwrap(), &bs, |b| f(&xs, &ws, b));
        }
    }
}

#[test]
fn conv_transpose2d() {
    for (shape, outputs) in SHAPES {
        let kernel = (2, 2, shape.3, outputs);
        let (xs, ws) = (numbers(elements(shape), 1), numbers(elements(kernel), 2));
        let bs = numbers(outputs, 3);
        let (x, w, b) = (image(&xs, shape), image(&ws, kernel), vector(&bs));
        let y = dfdx_conv::conv_transpose2d(x.leaky_trace(), &w, Some(&b)).unwrap();
        let mut g = weighted_sum_of(y).backward();
        let f = |x: &[f64], w: &[f64], b: &[f64]| {
            weighted_sum(&reference::conv_transpose2d(x, shape, w, kernel, Some(b)))
        };
        assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, |x| f(x, &ws, &bs));
        assert_is_gradient(gradient(&mut g, &w).unwrap(), &ws, |w| f(&xs, w, &bs));
        assert_is_gradient(gradient(&mut g, &b).unwrap(), &bs, |b| f(&xs, &ws, b));
    }
}

#[test]
fn upsample_conv2d() {
    for (shape, outputs) in SHAPES.into_iter().chain([((1, 21, 20, 2), 2)]) {
        let (n, h, w, c) = shape;
        let kernel = (3, 3, c, outputs);
        let (xs, ws) = (numbers(elements(shape), 1), numbers(elements(kernel), 2));
        let bs = numbers(outputs, 3);
        let (x, weight, b) = (image(&xs, shape), image(&ws, kernel), vector(&bs));
        let y = dfdx_conv::upsample_conv2d(x.leaky_trace(), &weight, Some(&b)).unwrap();
        let mut g = weighted_sum_of(y).backward();
        let f = |x: &[f64], weight: &[f64], b: &[f64]| {
            let up = reference::upsample_nearest2d(x, shape);
            weighted_sum(&reference::conv2d(&up, (n, 2 * h, 2 * w, c), weight, kernel, Some(b)))
        };
        assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, |x| f(x, &ws, &bs));
        assert_is_gradient(gradient(&mut g, &weight).unwrap(), &ws, |w| f(&xs, w, &bs));
        assert_is_gradient(gradient(&mut g, &b).unwrap(), &bs, |b| f(&xs, &ws, b));
    }
}

#[test]
fn operations_without_parameters() {
    for (shape, more) in SHAPES {
        let (n, h, w, c) = shape;
        // Numbers far enough from each other and from 0 that no step crosses a kink.
        let xs = separated(elements(shape), 4);
        let x = image(&xs, shape);

        let mut g = weighted_sum_of(relu(x.leaky_trace()).unwrap()).backward();
        assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, |x| weighted_sum(&reference::relu(x)));

        let mut g = weighted_sum_of(upsample_nearest2d(x.leaky_trace()).unwrap()).backward();
        let f = |x: &[f64]| weighted_sum(&reference::upsample_nearest2d(x, shape));
        assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, f);

        let first = image(&xs, (n, c, h, w));
        let mut g = weighted_sum_of(to_channels_last(first.leaky_trace()).unwrap()).backward();
        let f = |x: &[f64]| weighted_sum(&reference::to_channels_last(x, (n, c, h, w)));
        assert_is_gradient(gradient(&mut g, &first).unwrap(), &xs, f);

        let mut g = weighted_sum_of(to_channels_first(x.leaky_trace()).unwrap()).backward();
        let there = values(&to_channels_last(image(gradient(&mut g, &x).unwrap(), (n, c, h, w))).unwrap());
        assert_eq!(there.len(), xs.len());

        let even = (n, 2 * h, 2 * w, c);
        let ls = separated(elements(even), 5);
        let large = image(&ls, even);
        let mut g = weighted_sum_of(max_pool2d(large.leaky_trace()).unwrap()).backward();
        let f = |x: &[f64]| weighted_sum(&reference::max_pool2d(x, even));
        assert_is_gradient(gradient(&mut g, &large).unwrap(), &ls, f);

        let bs = numbers(n * h * w * more, 6);
        let b = image(&bs, (n, h, w, more));
        let y = concat_channels(x.leaky_trace(), b.clone()).unwrap();
        let mut g = weighted_sum_of(y).backward();
        let f = |a: &[f64], b: &[f64]| weighted_sum(&reference::concat_channels(a, b, (c, more)));
        assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, |x| f(x, &bs));
        assert_is_gradient(gradient(&mut g, &b).unwrap(), &bs, |b| f(&xs, b));
    }
}

#[test]
fn to_channels_first_is_the_inverse_of_to_channels_last() {
    let x = image(&numbers(2 * 3 * 4 * 5, 1), (2, 3, 4, 5));
    let there_and_back = to_channels_last(to_channels_first(x.leaky_trace()).unwrap()).unwrap();
    let mut g = weighted_sum_of(there_and_back).backward();
    assert_eq!(gradient(&mut g, &x).unwrap(), numbers::<f64>(120, 77));
}

#[test]
fn batch_norm2d_in_training() {
    for shape in [(2, 3, 4, 2), (1, 5, 3, 1), (3, 1, 4, 17)] {
        let c = shape.3;
        let (xs, gs, bs) = (numbers(elements(shape), 7), numbers(c, 8), numbers(c, 9));
        let (x, gamma, beta) = (image(&xs, shape), vector(&gs), vector(&bs));
        let mut statistics = RunningStatistics::new(c);
        let mode = BatchNormMode::Train(&mut statistics);
        let y = batch_norm2d(x.leaky_trace(), &gamma, &beta, 0.1, mode).unwrap();
        let mut g = weighted_sum_of(y).backward();
        let f = |x: &[f64], g: &[f64], b: &[f64]| {
            let (mean, variance) = reference::moments(x, shape);
            weighted_sum(&reference::batch_norm2d(x, (&mean, &variance), g, b, 0.1))
        };
        assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, |x| f(x, &gs, &bs));
        assert_is_gradient(gradient(&mut g, &gamma).unwrap(), &gs, |g| f(&xs, g, &bs));
        assert_is_gradient(gradient(&mut g, &beta).unwrap(), &bs, |b| f(&xs, &gs, b));
    }
}

#[test]
fn batch_norm2d_in_evaluation() {
    let shape = (2, 3, 4, 2);
    let (xs, gs, bs) = (numbers(elements(shape), 7), numbers(2, 8), numbers(2, 9));
    let (x, gamma, beta) = (image(&xs, shape), vector(&gs), vector(&bs));
    let statistics = RunningStatistics { mean: vec![0.3, -0.2], variance: vec![0.5, 2.0], momentum: 0.1 };
    let mode = BatchNormMode::Evaluate(&statistics);
    let y = batch_norm2d(x.leaky_trace(), &gamma, &beta, 0.1, mode).unwrap();
    let mut g = weighted_sum_of(y).backward();
    let running = (&statistics.mean[..], &statistics.variance[..]);
    let f = |x: &[f64], g: &[f64], b: &[f64]| weighted_sum(&reference::batch_norm2d(x, running, g, b, 0.1));
    assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, |x| f(x, &gs, &bs));
    assert_is_gradient(gradient(&mut g, &gamma).unwrap(), &gs, |g| f(&xs, g, &bs));
    assert_is_gradient(gradient(&mut g, &beta).unwrap(), &bs, |b| f(&xs, &gs, b));
}

#[test]
fn large_images_get_the_gradients_of_small_ones() {
    // Many blocks: the gradient with respect to one weight, bias and pixel at a time is affordable by
    // linearity, as the loss is linear in each of them: f(w + e) − f(w) is exact.
    let (shape, kernel) = ((2, 131, 100, 3), (3, 3, 3, 5));
    let (xs, ws, bs) = (numbers(elements(shape), 1), numbers(elements(kernel), 2), numbers(5, 3));
    let (x, w, b) = (image(&xs, shape), image(&ws, kernel), vector(&bs));
    let y = dfdx_conv::conv2d(x.leaky_trace(), &w, Some(&b)).unwrap();
    let mut g = weighted_sum_of(y).backward();
    let f = |x: &[f64], w: &[f64]| weighted_sum(&reference::conv2d(x, shape, w, kernel, Some(&bs)));
    let step = |v: &[f64], i: usize| {
        let mut v = v.to_vec();
        v[i] += 1.0;
        v
    };
    let base = f(&xs, &ws);
    let places = [0, 7, 26, 77, 134];
    let expected: Vec<f64> = places.iter().map(|&i| f(&xs, &step(&ws, i)) - base).collect();
    let actual = gradient(&mut g, &w).unwrap();
    assert_close(&places.map(|i| actual[i]), &expected, 1e-9);
    let places = [0, 299, 3 * 100 * 64 + 5, 3 * 100 * 131 - 1, elements(shape) - 1];
    let expected: Vec<f64> = places.iter().map(|&i| f(&step(&xs, i), &ws) - base).collect();
    let actual = gradient(&mut g, &x).unwrap();
    assert_close(&places.map(|i| actual[i]), &expected, 1e-9);
    // Σ over pixels of the coefficients.
    let coefficients = numbers::<f64>(2 * 131 * 100 * 5, 77);
    let expected: Vec<f64> = (0..5).map(|o| coefficients.iter().skip(o).step_by(5).sum()).collect();
    assert_close(gradient(&mut g, &b).unwrap(), &expected, 1e-12);
}

#[test]
fn a_unique_maximum_gets_the_whole_gradient() {
    let x = image(&[1.0, 2.0, 9.0, 3.0], (1, 2, 2, 1));
    let loss = external_loss(max_pool2d(x.leaky_trace()).unwrap(), |y, g| {
        g.unwrap().fill(1.0);
        Ok::<_, Error>(y[0])
    });
    let mut g = loss.unwrap().backward();
    assert_eq!(gradient(&mut g, &x).unwrap(), [0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn of_equal_maxima_the_first_gets_the_gradient() {
    let x = image(&[5.0, 7.0, 7.0, 7.0], (1, 2, 2, 1));
    let mut g = weighted_sum_of(max_pool2d(x.leaky_trace()).unwrap()).backward();
    assert_eq!(gradient(&mut g, &x).unwrap(), [0.0, numbers::<f64>(1, 77)[0], 0.0, 0.0]);
}

#[test]
fn relu_has_gradient_zero_at_zero() {
    let x = image(&[0.0, -0.0, 1.0], (1, 1, 1, 3));
    let mut g = weighted_sum_of(relu(x.leaky_trace()).unwrap()).backward();
    assert_eq!(gradient(&mut g, &x).unwrap(), [0.0, 0.0, numbers::<f64>(3, 77)[2]]);
}

#[test]
fn gradients_of_a_weight_used_twice_add_up() {
    let (shape, kernel) = ((2, 4, 5, 3), (3, 3, 3, 3));
    let (xs, ws) = (numbers(elements(shape), 1), numbers(elements(kernel), 2));
    let (x, w) = (image(&xs, shape), image(&ws, kernel));
    let once = dfdx_conv::conv2d(x.leaky_trace(), &w, None).unwrap();
    let mut g = weighted_sum_of(dfdx_conv::conv2d(once, &w, None).unwrap()).backward();
    let f = |x: &[f64], w: &[f64]| {
        let once = reference::conv2d(x, shape, w, kernel, None);
        weighted_sum(&reference::conv2d(&once, shape, w, kernel, None))
    };
    assert_is_gradient(gradient(&mut g, &w).unwrap(), &ws, |w| f(&xs, w));
    assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, |x| f(x, &ws));
}

#[test]
fn an_image_joined_with_itself_gets_both_gradients() {
    let shape = (1, 2, 3, 2);
    let xs = numbers(elements(shape), 1);
    let x = image(&xs, shape);
    let mut g = weighted_sum_of(concat_channels(x.leaky_trace(), x.clone()).unwrap()).backward();
    let f = |x: &[f64]| weighted_sum(&reference::concat_channels(x, x, (2, 2)));
    assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, f);
}

#[test]
fn gradients_flow_through_a_skip() {
    // A U-Net of one level: the features before pooling are used twice.
    let (shape, kernel, joint) = ((1, 4, 6, 2), (3, 3, 2, 3), (1, 1, 6, 2));
    let (xs, ws) = (numbers(elements(shape), 1), separated(elements(kernel), 2));
    let vs = numbers(elements(joint), 3);
    let (x, w, v) = (image(&xs, shape), image(&ws, kernel), image(&vs, joint));
    let features = dfdx_conv::conv2d(x.leaky_trace(), &w, None).unwrap();
    let skip = features.retaped::<NoneTape>();
    let deep = upsample_nearest2d(max_pool2d(features).unwrap()).unwrap();
    let y = dfdx_conv::conv2d(concat_channels(deep, skip).unwrap(), &v, None).unwrap();
    let mut g = weighted_sum_of(y).backward();
    let f = |x: &[f64], w: &[f64], v: &[f64]| {
        let features = reference::conv2d(x, shape, w, kernel, None);
        let deep = reference::max_pool2d(&features, (1, 4, 6, 3));
        let deep = reference::upsample_nearest2d(&deep, (1, 2, 3, 3));
        let both = reference::concat_channels(&deep, &features, (3, 3));
        weighted_sum(&reference::conv2d(&both, (1, 4, 6, 6), v, joint, None))
    };
    assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, |x| f(x, &ws, &vs));
    assert_is_gradient(gradient(&mut g, &w).unwrap(), &ws, |w| f(&xs, w, &vs));
    assert_is_gradient(gradient(&mut g, &v).unwrap(), &vs, |v| f(&xs, &ws, v));
}

#[test]
fn operations_mix_with_those_of_dfdx() {
    let shape = (2, 3, 4, 2);
    let kernel = (3, 3, 2, 2);
    let (xs, ws) = (numbers(elements(shape), 1), numbers(elements(kernel), 2));
    let (x, w) = (image(&xs, shape), image(&ws, kernel));
    let y = dfdx_conv::conv2d(x.leaky_trace().square(), &w, None).unwrap();
    let mut g = y.sigmoid().mean().backward();
    let f = |x: &[f64], w: &[f64]| {
        let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
        let y = reference::conv2d(&squares, shape, w, kernel, None);
        y.iter().map(|y| 1.0 / (1.0 + (-y).exp())).sum::<f64>() / y.len() as f64
    };
    assert_is_gradient(gradient(&mut g, &x).unwrap(), &xs, |x| f(x, &ws));
    assert_is_gradient(gradient(&mut g, &w).unwrap(), &ws, |w| f(&xs, w));
}

#[test]
fn gradients_add_to_those_of_an_earlier_pass() {
    let (shape, kernel) = ((1, 4, 4, 2), (3, 3, 2, 2));
    let (x, w) = (image(&numbers(32, 1), shape), image(&numbers(36, 2), kernel));
    let pass =
        |g: Gradients<f64, Cpu>| weighted_sum_of(dfdx_conv::conv2d(x.trace(g), &w, None).unwrap()).backward();
    let mut g = pass(Gradients::leaky());
    let once = gradient(&mut g, &w).unwrap().to_vec();
    let mut g = pass(g);
    let twice: Vec<f64> = once.iter().map(|g| 2.0 * g).collect();
    assert_close(gradient(&mut g, &w).unwrap(), &twice, 1e-15);
}

#[test]
fn a_fused_relu_is_a_relu() {
    let (shape, kernel) = ((2, 5, 6, 3), (3, 3, 3, 4));
    let (x, w) = (image(&numbers(180, 1), shape), image(&numbers(108, 2), kernel));
    let b = vector(&numbers(4, 3));
    let run = |y: Image<f64, OwnedTape<f64, Cpu>>| {
        let result = values(&y);
        let mut g = weighted_sum_of(y).backward();
        let mut all = vec![result, gradient(&mut g, &x).unwrap().to_vec()];
        all.push(gradient(&mut g, &w).unwrap().to_vec());
        all.push(gradient(&mut g, &b).unwrap().to_vec());
        all
    };
    let options = Conv2dOptions { activation: Activation::Relu, ..Conv2dOptions::default() };
    let fused = run(conv2d_with(x.leaky_trace(), &w, Some(&b), options).unwrap());
    let separate = run(relu(dfdx_conv::conv2d(x.leaky_trace(), &w, Some(&b)).unwrap()).unwrap());
    assert!(separate[0].contains(&0.0) && separate[0].iter().any(|y| *y > 0.0));
    assert_eq!(fused, separate);
}

#[test]
fn the_input_gradient_can_be_left_out() {
    let (shape, kernel) = ((1, 4, 4, 2), (3, 3, 2, 2));
    let (x, w) = (image(&numbers(32, 1), shape), image(&numbers(36, 2), kernel));
    let run = |input_gradient| {
        let options = Conv2dOptions { input_gradient, ..Conv2dOptions::default() };
        let y = conv2d_with(x.leaky_trace(), &w, None, options).unwrap();
        let mut g = weighted_sum_of(y).backward();
        (gradient(&mut g, &x).unwrap().to_vec(), gradient(&mut g, &w).unwrap().to_vec())
    };
    let (with, without) = (run(true), run(false));
    assert!(with.0.iter().all(|g| *g != 0.0));
    assert_eq!(without.0, vec![0.0; 32]);
    assert_eq!(with.1, without.1);
}

#[test]
fn an_external_loss_obeys_the_chain_rule_and_skips_the_gradient_without_a_tape() {
    let x = image(&[1.0, 2.0, 3.0], (1, 1, 1, 3));
    let mut g = (weighted_sum_of(x.leaky_trace()) * 3.0).square().backward();
    let f = |x: &[f64]| (3.0 * weighted_sum(x)).powi(2);
    assert_is_gradient(gradient(&mut g, &x).unwrap(), &[1.0, 2.0, 3.0], f);
    let value = external_loss(x, |x, g| {
        assert!(g.is_none());
        Ok::<_, Error>(x[2])
    });
    assert_eq!(value.unwrap().array(), 3.0);
}
