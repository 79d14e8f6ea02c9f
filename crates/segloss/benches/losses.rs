//! Value and gradient of every kind, and how their cost grows. Throughput: logits in, gradient out.

mod workload;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use segloss::{InstructionSet, Kind};
use std::hint::black_box;
use workload::workload;

const LAYOUTS: [&str; 2] = ["channels_first", "channels_last"];

/// Of `WHAT/LAYOUT/f32`, at a shape.
fn bench(c: &mut Criterion, group: &str, what: &str, layout: &str, shape: &str) {
    let loss = format!("{what}/{layout}/f32");
    // A kind that cannot be drawn must not be missing in silence.
    let mut made = workload(&format!("{loss}/{shape}"), InstructionSet::best()).expect("a workload's name");
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Bytes(made.bytes() as u64));
    group.bench_function(BenchmarkId::new(loss, shape), |b| b.iter(|| black_box(made.call())));
}

/// Every kind, and the copy that they are measured by: one small image, and a larger one of more classes.
fn kinds(c: &mut Criterion) {
    let names = Kind::ALL.into_iter().map(Kind::name);
    for what in names.chain(["copy", "cross_entropy+fixed", "cross_entropy+per_sample"]) {
        for layout in LAYOUTS {
            for shape in ["1x2x64x64", "1x12x180x240"] {
                bench(c, "kinds", what, layout, shape);
            }
        }
    }
}

fn pixels(c: &mut Criterion) {
    for layout in LAYOUTS {
        for side in [64, 256, 1024] {
            bench(c, "pixels", "cross_entropy+fixed", layout, &format!("1x12x{side}x{side}"));
        }
    }
}

fn classes(c: &mut Criterion) {
    for layout in LAYOUTS {
        for classes in [2, 8, 32] {
            bench(c, "classes", "cross_entropy+fixed", layout, &format!("1x{classes}x256x256"));
        }
    }
}

criterion_group!(benches, kinds, pixels, classes);
criterion_main!(benches);
