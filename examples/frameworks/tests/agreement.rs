//! The value and the gradient that a framework gets through segloss are those of its own cross-entropy.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use candle_core::{DType, Var};
use segloss::{Loss, LossSpec};
use segloss_frameworks::{with_burn, with_candle};

const SHAPE: [usize; 4] = [2, 3, 4, 5];
const PIXELS: usize = 2 * 4 * 5;

fn loss(text: &str) -> Loss {
    Loss::new(LossSpec::from_toml(text).unwrap()).unwrap()
}

fn labels() -> Vec<u8> {
    (0..PIXELS).map(|i| [0, 0, 1, 0, 2, 0, 1][i % 7]).collect()
}

fn logits() -> Vec<f32> {
    (0..PIXELS * 3).map(|i| ((i * 37 % 101) as f32 / 101.0 - 0.5) * 5.0).collect()
}

/// Relative to the largest; NaN is not close.
fn assert_close(found: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    assert!(largest > 0.0 && found.len() == expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-6 * largest, "{found}, not {expected}");
    }
}

/// Value, and gradient by the logits, channels first.
type Outcome = (f32, Vec<f32>);

fn assert_same((value, gradient): &Outcome, (own, own_gradient): &Outcome) {
    assert_close(&[*value], &[*own]);
    assert_close(gradient, own_gradient);
}

fn in_burn(of: impl Fn(Tensor<4>) -> Tensor<1>) -> Outcome {
    let device = Device::flex().autodiff();
    let z: Tensor<4> = Tensor::from_data(TensorData::new(logits(), SHAPE), &device).require_grad();
    let loss = of(z.clone());
    let gradient = z.grad(&loss.backward()).unwrap().into_data();
    (loss.into_scalar::<f32>(), gradient.as_slice::<f32>().unwrap().to_vec())
}

fn in_candle(of: impl Fn(&candle_core::Tensor) -> candle_core::Tensor) -> Outcome {
    let device = candle_core::Device::Cpu;
    let z = Var::from_tensor(&candle_core::Tensor::from_vec(logits(), &SHAPE, &device).unwrap()).unwrap();
    let loss = of(&z);
    let gradients = loss.backward().unwrap();
    let gradient = gradients.get(&z).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    (loss.to_scalar().unwrap(), gradient)
}

/// The framework's own, of rows.
fn burns_own(z: Tensor<4>, weights: Option<Vec<f32>>) -> Tensor<1> {
    let device = z.device();
    let targets: Vec<i64> = labels().into_iter().map(i64::from).collect();
    let targets: Tensor<1, Int> = Tensor::from_data(TensorData::new(targets, [PIXELS]), &device);
    let rows = z.permute([0, 2, 3, 1]).reshape([PIXELS, 3]);
    CrossEntropyLossConfig::new().with_weights(weights).init(&device).forward(rows, targets)
}

fn candles_own(z: &candle_core::Tensor) -> candle_core::Tensor {
    let targets: Vec<u32> = labels().into_iter().map(u32::from).collect();
    let targets = candle_core::Tensor::from_vec(targets, PIXELS, z.device()).unwrap();
    let rows = z.permute((0, 2, 3, 1)).unwrap().reshape((PIXELS, 3)).unwrap();
    candle_nn::loss::cross_entropy(&rows, &targets).unwrap()
}

const PLAIN: &str = "kind = 'cross_entropy'\nlayout = 'channels_first'";

#[test]
fn burn_gets_its_own_cross_entropy() {
    let through = in_burn(|z| with_burn::of_labels(&loss(PLAIN), z, &labels()).unwrap());
    assert_same(&through, &in_burn(|z| burns_own(z, None)));
}

#[test]
fn burn_gets_its_own_weighted_cross_entropy() {
    let weighted = loss(&format!("{PLAIN}\nweights = {{ source = 'fixed', values = [0.5, 2.0, 3.0] }}"));
    let through = in_burn(|z| with_burn::of_labels(&weighted, z, &labels()).unwrap());
    assert_same(&through, &in_burn(|z| burns_own(z, Some(vec![0.5, 2.0, 3.0]))));
}

#[test]
fn candle_gets_its_own_cross_entropy() {
    let through = in_candle(|z| with_candle::of_labels(&loss(PLAIN), z, &labels()).unwrap());
    assert_same(&through, &in_candle(candles_own));
}

/// One-hot rows as a distribution are the labels.
#[test]
fn distributions_pass_too() {
    let mut hot = vec![0.0_f32; PIXELS * 3];
    for (pixel, label) in labels().into_iter().enumerate() {
        hot[(pixel / 20 * 3 + usize::from(label)) * 20 + pixel % 20] = 1.0;
    }
    let loss = loss(PLAIN);
    let burns = in_burn(|z| {
        let target = Tensor::from_data(TensorData::new(hot.clone(), SHAPE), &z.device());
        with_burn::of_distribution(&loss, z, target).unwrap()
    });
    assert_same(&burns, &in_burn(|z| burns_own(z, None)));
    let candles = in_candle(|z| {
        let target = candle_core::Tensor::from_vec(hot.clone(), &SHAPE, z.device()).unwrap();
        with_candle::of_distribution(&loss, z, &target).unwrap()
    });
    assert_same(&candles, &in_candle(candles_own));
}

/// What comes before the logits and after the loss takes part in the chain rule.
#[test]
fn the_gradient_goes_on_through_the_model() {
    let loss = loss(PLAIN);
    let through = in_burn(|z| with_burn::of_labels(&loss, z.powf_scalar(3.0), &labels()).unwrap() * 0.25);
    assert_same(&through, &in_burn(|z| burns_own(z.powf_scalar(3.0), None) * 0.25));
    let through = in_candle(|z| {
        let cubed = z.powf(3.0).unwrap();
        (with_candle::of_labels(&loss, &cubed, &labels()).unwrap() * 0.25).unwrap()
    });
    assert_same(&through, &in_candle(|z| (candles_own(&z.powf(3.0).unwrap()) * 0.25).unwrap()));
}

#[test]
fn what_segloss_refuses_is_an_error() {
    let device = Device::flex().autodiff();
    let z: Tensor<4> = Tensor::random(SHAPE, Distribution::Default, &device);
    assert!(with_burn::of_labels(&loss(PLAIN), z, &[3; PIXELS]).is_err());
    let z = candle_core::Tensor::zeros(&SHAPE, DType::F32, &candle_core::Device::Cpu).unwrap();
    assert!(with_candle::of_labels(&loss(PLAIN), &z, &[0; PIXELS - 1]).is_err());
    let wide = z.to_dtype(DType::F64).unwrap();
    assert!(with_candle::of_labels(&loss(PLAIN), &wide, &[0; PIXELS]).is_err());
}
