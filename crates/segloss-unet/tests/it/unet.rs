//! The net: its size, its shapes, its gradient.

use dfdx::prelude::{AsArray, Backward, Gradients, HasShape, Trace};
use segloss_unet::config::{ModelConfig, Norm, Up};
use segloss_unet::objective::Objective;
use segloss_unet::{Classes, UNet};

fn shapes() -> Vec<ModelConfig> {
    let mut shapes = Vec::new();
    for norm in [Norm::Batch, Norm::None] {
        for up in [Up::Transposed, Up::Nearest] {
            for bias in [true, false] {
                shapes.push(ModelConfig { width: 3, depth: 2, norm, up, bias, deep_supervision: false });
            }
        }
    }
    shapes
}

#[test]
fn the_benchmark_s_net_has_2_157_040_weights() {
    let config = ModelConfig { norm: Norm::None, up: Up::Nearest, bias: false, ..ModelConfig::default() };
    assert_eq!(UNet::<f32>::new(&config, 3, 4, 0).unwrap().parameter_count(), 2_157_040);
    assert_eq!(config.kernel_numbers(3, 4), 2_157_040);
    for config in shapes() {
        let net = UNet::<f32>::new(&config, 3, 5, 0).unwrap();
        let kernels = net.parameters.iter().filter(|parameter| parameter.decays());
        let numbers: usize = kernels.map(|kernel| kernel.shape().iter().product::<usize>()).sum();
        assert_eq!(config.kernel_numbers(3, 5), numbers as u128);
    }
}

#[test]
fn names_are_unique_and_first_weights_follow_he() {
    let net = UNet::<f64>::new(&ModelConfig::default(), 3, 4, 0).unwrap();
    let names: std::collections::BTreeSet<_> = net.parameters.iter().map(|p| &p.name).collect();
    assert_eq!(names.len(), net.parameters.len());
    for (name, deviation) in [
        ("bottom.conv2.weight", (2.0 / (9.0 * 256.0_f64)).sqrt()),
        ("up3.up.weight", (1.0 / 256.0_f64).sqrt()),
        ("down3.conv1.weight", (2.0 / (9.0 * 64.0_f64)).sqrt()),
    ] {
        let values = net.parameters.iter().find(|p| p.name == name).unwrap().values().unwrap();
        let found = (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt();
        // The relative standard error is 1/√(2n), n at least 73728.
        assert!((found / deviation - 1.0).abs() < 0.014, "{name}: {found}, not {deviation}");
    }
    let same = UNet::<f64>::new(&ModelConfig::default(), 3, 4, 0).unwrap();
    let other = UNet::<f64>::new(&ModelConfig::default(), 3, 4, 1).unwrap();
    assert_eq!(net.parameters[0].values().unwrap(), same.parameters[0].values().unwrap());
    assert_ne!(net.parameters[0].values().unwrap(), other.parameters[0].values().unwrap());
}

fn numbers(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7919 + 13) % 1009) as f64 / 504.5 - 1.0).collect()
}

#[test]
fn both_layouts_give_the_same_channels_last_logits() {
    let config = ModelConfig { width: 2, depth: 1, ..ModelConfig::default() };
    let mut net = UNet::<f64>::new(&config, 3, 4, 0).unwrap();
    let (n, h, w, c) = (2, 4, 6, 3);
    let last = numbers(n * h * w * c);
    let mut first = vec![0.0; last.len()];
    for (i, &value) in last.iter().enumerate() {
        let (pixel, channel) = (i / c, i % c);
        first[(pixel / (h * w) * c + channel) * h * w + pixel % (h * w)] = value;
    }
    let last = net.tensor(last, (n, h, w, c)).unwrap();
    let first = net.tensor(first, (n, c, h, w)).unwrap();
    let a = net.forward(last).unwrap();
    let b = net.forward_channels_first(first).unwrap();
    assert_eq!(*a.shape(), (2, 4, 6, 4));
    assert_eq!(dfdx_conv::data(&a).unwrap(), dfdx_conv::data(&b).unwrap());
}

#[test]
fn wrong_sizes_are_errors() {
    let mut net =
        UNet::<f32>::new(&ModelConfig { width: 2, depth: 2, ..ModelConfig::default() }, 3, 4, 0).unwrap();
    assert_eq!(net.multiple(), 4);
    for shape in [(1, 6, 4, 3), (1, 4, 4, 2)] {
        let image = net.tensor(vec![0.0; shape.0 * shape.1 * shape.2 * shape.3], shape).unwrap();
        assert!(net.forward(image).is_err(), "{shape:?}");
    }
    assert!(net.tensor(vec![0.0; 3], (1, 4, 4, 3)).is_err());
}

/// The derivative of the loss along a direction in the space of all weights, by the tape and by finite
/// differences, for every kind of net.
#[test]
fn the_gradient_is_the_derivative() {
    let classes = Classes::numbered(3, None);
    let objective = Objective::new(&segloss::LossSpec::default(), &classes, None, false).unwrap();
    let shape = (2, 8, 8, 2);
    let labels: Vec<u8> = (0..128).map(|i| (i * 5 % 7 % 3) as u8).collect();
    for config in shapes() {
        let net = UNet::<f64>::new(&config, 2, 3, 5).unwrap();
        let loss = |net: &mut UNet<f64>| -> f64 {
            let image = net.tensor(numbers(2 * 8 * 8 * 2), shape).unwrap();
            objective.apply(net.forward(image).unwrap(), &labels, &[]).unwrap().0.array()
        };
        let mut traced = net.clone();
        let image = net.tensor(numbers(2 * 8 * 8 * 2), shape).unwrap().traced(Gradients::leaky());
        let logits = traced.forward(image).unwrap();
        let (scalar, evaluation) = objective.apply(logits, &labels, &[]).unwrap();
        assert_eq!(evaluation.value, loss(&mut net.clone()));
        let mut gradients = scalar.try_backward().unwrap();

        // Along each parameter by itself, so that no error hides behind a larger gradient.
        for (i, parameter) in net.parameters.iter().enumerate() {
            let gradient = parameter.gradient(&mut gradients).unwrap();
            let direction: Vec<f64> = numbers(gradient.len() + i).split_off(i);
            let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            let along = |t: f64| {
                let mut moved = net.clone();
                let values = moved.parameters[i].values_mut().unwrap();
                values.iter_mut().zip(&direction).for_each(|(value, d)| *value += t * d);
                loss(&mut moved)
            };
            let step = 1e-6;
            let difference = (along(step) - along(-step)) / (2.0 * step);
            // A kink of ReLU or max-pooling within the step would show as an error of order 1.
            let size = slope.abs().max(1e-3);
            assert!(
                (difference - slope).abs() <= 1e-5 * size,
                "{config:?} {}: {slope} by the tape, {difference} by differences",
                parameter.name
            );
        }
    }
}

/// Positive weights on a dark image with a bright column: what sees the column is above 0, however little.
#[test]
fn a_logit_sees_as_far_as_it_says() {
    for up in [Up::Transposed, Up::Nearest] {
        for depth in 1..=4 {
            let config =
                ModelConfig { width: 1, depth, norm: Norm::None, up, bias: false, deep_supervision: false };
            let mut net = UNet::<f64>::new(&config, 1, 1, 0).unwrap();
            for parameter in &mut net.parameters {
                let values = parameter.values_mut().unwrap();
                let share = 1.0 / values.len() as f64;
                values.fill(share);
            }
            let (multiple, reach) = (net.multiple(), net.reach());
            // `edge` has at least `reach` + 1 columns on each side of it.
            let edge = (reach + 1).next_multiple_of(multiple);
            let (height, width) = (multiple, 2 * edge);
            let logits = |bright: usize| {
                let values = (0..height * width).map(|i| f64::from(i % width == bright)).collect();
                let logits = net.evaluate(net.tensor(values, (1, height, width, 1)).unwrap()).unwrap();
                dfdx_conv::data(&logits).unwrap().to_vec()
            };
            let seen = |bright: usize, columns: std::ops::Range<usize>| {
                let logits = logits(bright);
                (0..height * width).any(|i| columns.contains(&(i % width)) && logits[i] > 0.0)
            };
            let case = format!("{up:?}, depth {depth}, reach {reach}");
            assert!(seen(edge - reach, edge..width), "{case}");
            assert!(!seen(edge - reach - 1, edge..width), "{case}");
            assert!(seen(edge + reach - 1, 0..edge), "{case}");
            assert!(!seen(edge + reach, 0..edge), "{case}");
            let m = depth.min(2) + usize::from(up == Up::Nearest);
            assert_eq!(reach, (m + 4) * multiple - 2, "{case}");
        }
    }
}

/// Whichever layer makes the first number that is not finite, it is the one that is named: a convolution whose weights are
/// large, a normalisation whose γ is, the way up, the head; and weights that are not finite themselves.
#[test]
fn the_first_tensor_that_is_not_finite_is_named() {
    let config = ModelConfig { width: 2, depth: 1, ..ModelConfig::default() };
    let images: Vec<f32> = (0..64).map(|i| (i % 7) as f32 - 3.0).collect();
    let named = |parameter: &str, value: f32| {
        let mut net = UNet::<f32>::new(&config, 1, 2, 0).unwrap();
        if let Some(chosen) = net.parameters.iter_mut().find(|p| p.name == parameter) {
            chosen.values_mut().unwrap().fill(value);
        }
        net.first_non_finite(net.tensor(images.clone(), (1, 8, 8, 1)).unwrap()).unwrap()
    };
    for (parameter, value, expected) in [
        ("none", 0.0, None),
        ("down0.conv1.weight", 3e38, Some("the output of `down0.conv1`")),
        ("down0.norm1.gamma", 3e38, Some("the output of `down0.norm1`")),
        ("up0.up.weight", 3e38, Some("the output of `up0.up`")),
        ("head.weight", 3e38, Some("the logits")),
        ("bottom.conv2.weight", f32::NAN, Some("the weights `bottom.conv2.weight`")),
    ] {
        assert_eq!(named(parameter, value).as_deref(), expected, "{parameter}");
    }
}
