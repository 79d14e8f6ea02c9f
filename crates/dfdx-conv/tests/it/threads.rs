//! Results and gradients are the same bits for any number of threads.

use crate::common::*;
use dfdx::prelude::*;
// `relu` is also in dfdx's prelude.
use dfdx_conv::relu;
use dfdx_conv::*;

/// A little of everything, on sizes that are cut into many blocks and runs.
fn everything<E: Element>() -> Vec<Vec<E>> {
    let shape = (2, 70, 66, 5);
    let kernel = (3, 3, 5, 16);
    let x = image(&numbers::<E>(elements(shape), 1), shape);
    let w = image(&numbers(elements(kernel), 2), kernel);
    let up = image(&numbers(2 * 2 * 3 * 7, 8), (2, 2, 3, 7));
    let last = image(&numbers(3 * 3 * 7 * 2, 10), (3, 3, 7, 2));
    let head = image(&numbers(32 * 3, 7), (1, 1, 32, 3));
    let (b, gamma, beta) = (vector(&numbers(16, 4)), vector(&numbers(16, 5)), vector(&numbers(16, 6)));
    let mut statistics = RunningStatistics::new(16);
    let y = conv2d(x.leaky_trace(), &w, Some(&b)).unwrap();
    let mode = BatchNormMode::Train(&mut statistics);
    let y = relu(batch_norm2d(y, &gamma, &beta, E::narrow(1e-5), mode).unwrap()).unwrap();
    let skip = y.retaped::<NoneTape>();
    let y = max_pool2d(y).unwrap();
    let y = concat_channels(upsample_nearest2d(y).unwrap(), skip).unwrap();
    let y = conv2d(y, &head, None).unwrap();
    let z = conv_transpose2d(y, &up, None).unwrap();
    let z = upsample_conv2d(z, &last, None).unwrap();
    let z = to_channels_first(z).unwrap();
    let result = values(&z);
    let loss = external_loss(z, |z, g| {
        g.unwrap().copy_from_slice(&numbers(z.len(), 9));
        Ok::<_, Error>(z[0])
    });
    let mut g = loss.unwrap().backward();
    let mut all = vec![result, statistics.mean, statistics.variance];
    for t in [&x, &w, &head, &up, &last] {
        all.push(parameter_gradient(&mut g, t).unwrap().to_vec());
    }
    for t in [&b, &gamma, &beta] {
        all.push(parameter_gradient(&mut g, t).unwrap().to_vec());
    }
    all
}

fn check<E: Element>() {
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(everything::<E>)
    };
    let one = with_threads(1);
    for threads in [2, 3, 7] {
        // `==` on floats would take −0 for 0: compare the bits, by way of f64, which keeps them.
        let bits = |all: &Vec<Vec<E>>| -> Vec<Vec<u64>> {
            all.iter().map(|v| v.iter().map(|x| x.widen().to_bits()).collect()).collect()
        };
        assert!(bits(&one) == bits(&with_threads(threads)), "{threads} threads differ from 1");
    }
}

#[test]
fn bit_identical_for_any_number_of_threads() {
    check::<f32>();
    check::<f64>();
}
