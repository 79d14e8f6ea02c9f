//! Single operations, forward and backward, at the sizes of a U-Net's levels, and a training step of a whole one.

mod unet;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dfdx::prelude::*;
// `relu` is also in dfdx's prelude.
use dfdx_conv::relu;
use dfdx_conv::{
    BatchNormMode, Error, Image, KeepLarge, Kernel, RunningStatistics, Vector, batch_norm2d,
    conv_transpose2d, conv2d, external_loss, max_pool2d, upsample_nearest2d,
};

#[global_allocator]
static ALLOCATOR: KeepLarge = KeepLarge::new(4 << 30);

type Traced = Image<f32, OwnedTape<f32, Cpu>>;

/// Backward from a gradient of ones.
fn backward(y: Traced) -> Gradients<f32, Cpu> {
    let loss = external_loss(y, |_, gradient| {
        if let Some(gradient) = gradient {
            gradient.fill(1.0);
        }
        Ok::<_, Error>(0.0)
    });
    loss.expect("contiguous").backward()
}

/// (image side, channels in, channels out), batch 4.
const LEVELS: [(usize, usize, usize); 5] =
    [(128, 16, 16), (128, 32, 16), (64, 32, 32), (32, 64, 64), (8, 256, 256)];

fn convolutions(c: &mut Criterion) {
    let device = Cpu::default();
    for (kernel, name) in [(3, "conv2d 3x3"), (1, "conv2d 1x1"), (2, "conv_transpose2d")] {
        let mut group = c.benchmark_group(name);
        for (side, inputs, outputs) in LEVELS {
            let x: Image<f32> = device.sample_normal_like(&(4, side, side, inputs));
            let w: Kernel<f32> = device.sample_normal_like(&(kernel, kernel, inputs, outputs));
            let id = format!("{side}x{side} {inputs} to {outputs}");
            group.throughput(Throughput::Elements((4 * side * side * w.shape().num_elements()) as u64));
            group.bench_function(BenchmarkId::new("forward", &id), |b| {
                b.iter(|| match kernel {
                    2 => conv_transpose2d(x.clone(), &w, None),
                    _ => conv2d(x.clone(), &w, None),
                });
            });
            group.bench_function(BenchmarkId::new("forward and backward", &id), |b| {
                b.iter(|| {
                    let y = match kernel {
                        2 => conv_transpose2d(x.leaky_trace(), &w, None),
                        _ => conv2d(x.leaky_trace(), &w, None),
                    };
                    black_box(backward(y.expect("shapes agree")))
                });
            });
        }
    }
}

fn elementwise(c: &mut Criterion) {
    let device = Cpu::default();
    let x: Image<f32> = device.sample_normal_like(&(4, 128, 128, 16));
    let (gamma, beta): (Vector<f32>, Vector<f32>) = (device.ones_like(&(16,)), device.zeros_like(&(16,)));
    let mut statistics = RunningStatistics::new(16);
    let mut group = c.benchmark_group("4x128x128x16, forward and backward");
    group.throughput(Throughput::Elements(x.shape().num_elements() as u64));
    let mut bench = |name, operation: &mut dyn FnMut(Traced) -> Result<Traced, Error>| {
        group.bench_function(name, |b| {
            b.iter(|| black_box(backward(operation(x.leaky_trace()).expect("shapes agree"))));
        });
    };
    bench("max_pool2d", &mut max_pool2d);
    bench("upsample_nearest2d", &mut upsample_nearest2d);
    bench("relu", &mut relu);
    bench("batch_norm2d", &mut |x| {
        batch_norm2d(x, &gamma, &beta, 1e-5, BatchNormMode::Train(&mut statistics))
    });
}

fn unet_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("unet");
    for (name, plain) in [("upsample_conv2d", false), ("upsample_nearest2d, conv2d", true)] {
        let net = unet::UNet::new(plain);
        group.throughput(Throughput::Elements(net.parameters() as u64));
        group.bench_function(BenchmarkId::new("forward", name), |b| b.iter(|| black_box(net.forward())));
        group.bench_function(BenchmarkId::new("forward and backward", name), |b| {
            b.iter(|| black_box(net.forward_backward()));
        });
    }
}

criterion_group!(benches, convolutions, elementwise, unet_step);
criterion_main!(benches);
