//! Bad arguments are typed errors that say what was expected and what came; nothing panics.

use crate::common::*;
use dfdx::prelude::*;
// `relu` is also in dfdx's prelude.
use dfdx_conv::relu;
use dfdx_conv::*;

fn zeros(shape: Shape4) -> Image<f32> {
    image(&vec![0.0; elements(shape)], shape)
}

#[track_caller]
fn assert_shape_error<R>(result: Result<R, Error>, operation: &str, words: &str) {
    let error = result.err().expect("an error");
    assert!(matches!(error, Error::Shape { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(operation) && text.contains(words), "{text}");
}

#[test]
fn sizes_that_do_not_fit() {
    let x = || zeros((1, 4, 6, 3));
    assert_shape_error(conv2d(x(), &zeros((3, 3, 2, 5)), None), "conv2d", "Cin = 3");
    assert_shape_error(conv2d(x(), &zeros((2, 3, 3, 5)), None), "conv2d", "odd");
    assert_shape_error(conv2d(x(), &zeros((3, 0, 3, 5)), None), "conv2d", "odd");
    let bias = vector(&[0.0; 4]);
    assert_shape_error(conv2d(x(), &zeros((3, 3, 3, 5)), Some(&bias)), "conv2d", "5 elements");
    assert_shape_error(conv_transpose2d(x(), &zeros((2, 2, 2, 5)), None), "conv_transpose2d", "Cin = 3");
    assert_shape_error(conv_transpose2d(x(), &zeros((3, 2, 3, 5)), None), "conv_transpose2d", "(2, 2,");
    let result = conv_transpose2d(x(), &zeros((2, 2, 3, 5)), Some(&bias));
    assert_shape_error(result, "conv_transpose2d", "5 elements");
    assert_shape_error(upsample_conv2d(x(), &zeros((1, 1, 3, 5)), None), "upsample_conv2d", "3×3");
    assert_shape_error(upsample_conv2d(x(), &zeros((3, 3, 2, 5)), None), "upsample_conv2d", "Cin = 3");
    assert_shape_error(max_pool2d(zeros((1, 3, 4, 1))), "max_pool2d", "even");
    assert_shape_error(max_pool2d(zeros((1, 4, 3, 1))), "max_pool2d", "even");
    assert_shape_error(concat_channels(x(), zeros((1, 4, 5, 3))), "concat_channels", "1, 4, 6");
    assert_shape_error(concat_channels(x(), zeros((2, 4, 6, 3))), "concat_channels", "1, 4, 6");
}

#[test]
fn batch_norm_arguments() {
    let (three, two) = (vector(&[1.0; 3]), vector(&[1.0; 2]));
    let run = |x, gamma, beta, epsilon, channels| {
        let mut statistics = RunningStatistics::new(channels);
        let before = statistics.clone();
        let result = batch_norm2d(x, gamma, beta, epsilon, BatchNormMode::Train(&mut statistics));
        assert_eq!(statistics, before, "statistics change on success only");
        result
    };
    let x = || zeros((1, 2, 2, 3));
    assert_shape_error(run(x(), &two, &three, 1e-5, 3), "batch_norm2d", "gamma of 3");
    assert_shape_error(run(x(), &three, &two, 1e-5, 3), "batch_norm2d", "beta of 3");
    assert_shape_error(run(x(), &three, &three, 1e-5, 2), "batch_norm2d", "running mean of 3");
    assert_shape_error(run(zeros((0, 2, 2, 3)), &three, &three, 1e-5, 3), "batch_norm2d", "pixel");
    for epsilon in [-1.0, f32::NAN] {
        assert!(matches!(run(x(), &three, &three, epsilon, 3), Err(Error::Value { .. })));
    }
}

#[test]
fn views_that_are_not_contiguous() {
    let device = Cpu::default();
    let x: Image<f32> = device.sample_normal_like(&(2, 3, 4, 5));
    let permuted: Image<f32> = x.clone().permute::<_, Axes4<0, 3, 1, 2>>();
    let row: Tensor<(usize,), f32, _> = device.ones_like(&(5,));
    let broadcast: Image<f32> = row.broadcast_like::<_, Axes3<0, 1, 2>>(&(2, 3, 4, 5));
    for view in [permuted.clone(), broadcast.clone()] {
        let not_contiguous = |e: Error| assert!(matches!(e, Error::NotContiguous { .. }), "{e:?}");
        not_contiguous(data(&view).unwrap_err());
        not_contiguous(data_mut(&mut view.clone()).unwrap_err());
        not_contiguous(relu(view.clone()).err().unwrap());
        not_contiguous(upsample_nearest2d(view.clone()).err().unwrap());
        not_contiguous(to_channels_last(view.clone()).err().unwrap());
        not_contiguous(external_loss(view.clone(), |_, _| Ok::<_, Error>(0.0)).err().unwrap());
        let kernel = image(&vec![0.0; view.shape().3], (1, 1, view.shape().3, 1));
        not_contiguous(conv2d(view.clone(), &kernel, None).err().unwrap());
        not_contiguous(concat_channels(view.clone(), view.clone()).err().unwrap());
    }
    // A contiguous copy made while the tape is on is fine, and the gradient flows through it.
    let traced = x.leaky_trace().permute::<_, Axes4<0, 3, 1, 2>>().contiguous();
    let mut gradients = relu(traced).unwrap().sum().backward();
    let expected: Vec<f32> = values(&x).iter().map(|x| if *x > 0.0 { 1.0 } else { 0.0 }).collect();
    assert_eq!(parameter_gradient(&mut gradients, &x).unwrap(), expected);
}

#[test]
fn views_whose_unit_axes_have_odd_strides_are_contiguous() {
    // Axes of size 1 are never stepped along: their strides do not matter.
    let x: Image<f32> = Cpu::default().sample_normal_like(&(2, 1, 3, 1));
    let permuted: Image<f32> = x.clone().permute::<_, Axes4<0, 3, 2, 1>>();
    assert_eq!(data(&permuted).unwrap(), values(&x));
    assert_eq!(data(&zeros((0, 2, 3, 4))).unwrap(), [0.0; 0]);
    assert_eq!(data(&zeros((2, 3, 4, 0))).unwrap(), [0.0; 0]);
}

#[test]
fn a_broadcast_scalar_is_refused() {
    let one: Tensor<(), f32, _> = Cpu::default().tensor(1.0);
    let many: Vector<f32> = one.clone().broadcast_like::<_, Axis<0>>(&(3,));
    assert!(data(&many).is_err());
    let single: Vector<f32> = one.broadcast_like::<_, Axis<0>>(&(1,));
    assert_eq!(data(&single).unwrap(), [1.0]);
}

#[test]
fn data_mut_keeps_the_identity_and_spares_clones() {
    let mut w = image(&[1.0, 2.0], (1, 1, 2, 1));
    let before = w.clone();
    data_mut(&mut w).unwrap()[1] = 5.0;
    assert_eq!(values(&w), [1.0, 5.0]);
    assert_eq!(values(&before), [1.0, 2.0]);
    // The clone has the same identity: a gradient for one is a gradient for the other.
    let mut gradients = w.leaky_trace().square().sum().backward();
    assert_eq!(parameter_gradient(&mut gradients, &before).unwrap(), [2.0, 10.0]);
}

#[test]
fn the_callers_own_error_comes_back_from_an_external_loss() {
    #[derive(Debug, PartialEq)]
    enum Mine {
        Bad(u8),
        Theirs(Error),
    }
    impl From<Error> for Mine {
        fn from(error: Error) -> Self {
            Self::Theirs(error)
        }
    }
    let result = external_loss(zeros((1, 1, 1, 1)), |_, _| Err(Mine::Bad(7)));
    assert_eq!(result.err(), Some(Mine::Bad(7)));
}

#[test]
fn the_gradient_of_a_result_is_used_up() {
    let x = image(&[1.0, 2.0], (1, 1, 2, 1));
    let y = relu(x.leaky_trace()).unwrap();
    let result = y.retaped::<NoneTape>();
    let mut gradients = y.sum().backward();
    let expected = Error::GradientConsumed { expected: 2, actual: 0 };
    assert_eq!(parameter_gradient(&mut gradients, &result).err(), Some(expected));
    assert_eq!(parameter_gradient(&mut gradients, &x).unwrap(), [1.0, 1.0]);
}
