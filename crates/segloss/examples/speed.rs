use rayon::prelude::*;
use segloss::*;
use std::time::Instant;
fn median(mut f: impl FnMut(), n: usize) -> f64 {
    f();
    let mut t: Vec<f64> = (0..n)
        .map(|_| {
            let s = Instant::now();
            f();
            s.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    t.sort_by(f64::total_cmp);
    t[n / 2]
}
fn main() {
    for (n, c, h, w) in
        [(4usize, 12usize, 360usize, 480usize), (8, 4, 512, 512), (2, 21, 512, 512), (1, 2, 64, 64)]
    {
        let len = n * c * h * w;
        let mut s = 1u64;
        let mut next = || {
            s = s.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (s >> 40) as f32 / 16777216.0
        };
        let z: Vec<f32> = (0..len).map(|_| next() * 8.0 - 4.0).collect();
        let y: Vec<u8> = (0..n * h * w)
            .map(|_| {
                let r = next();
                ((r * r * c as f32) as u8).min(c as u8 - 1)
            })
            .collect();
        let mut g = vec![0f32; len];
        let copy = median(
            || g.par_chunks_mut(1 << 16).zip(z.par_chunks(1 << 16)).for_each(|(a, b)| a.copy_from_slice(b)),
            21,
        );
        print!("{:?} copy {copy:.2} ms |", (n, c, h, w));
        for (layout, shape) in [(Layout::ChannelsFirst, [n, c, h, w]), (Layout::ChannelsLast, [n, h, w, c])] {
            for set in [InstructionSet::Avx512] {
                for source in ["none"] {
                    let mut spec = LossSpec::from_toml(&format!(
                        "ignore_index = 255\nweights = {{ source = '{source}' }}"
                    ))
                    .unwrap();
                    spec.layout = layout;
                    let loss = Loss::new(spec).unwrap().with_instructions(set);
                    let input = Input::from_slices(&z, &shape, &y).unwrap();
                    let t = median(
                        || {
                            loss.value_and_gradient(&input, &mut g).unwrap();
                        },
                        9,
                    );
                    print!(" {} {t:.2} ({:.2}x)", set.name(), t / copy);
                    if source == "none" {
                        let t = median(
                            || {
                                loss.census(&input).unwrap();
                            },
                            9,
                        );
                        print!(" census {t:.2}");
                    }
                }
            }
            print!(" |");
        }
        println!();
    }
}
