//! x
use rayon::prelude::*;
use segloss_verify::{Effort, finite_difference::*, matrix, textbook::*};
fn main() {
    for seed in 1..5 {
        let cases: Vec<_> = matrix::cases(seed, Effort::Default).collect();
        let mut d: Vec<(f64, String)> = cases
            .par_iter()
            .map(|case| {
                let t = Textbook::of(case);
                let mut z = case.logits.clone();
                let h = if case.spec.kind == segloss::Kind::DocumentBinary {
                    0.2
                } else if case.spec.kind == segloss::Kind::Ldam {
                    0.5 / case.spec.scale.unwrap_or(30.0)
                } else {
                    0.5
                };
                let v: Vec<_> = (0..z.len())
                    .map(|i| {
                        let at = z[i];
                        let r = ridders(
                            |x| {
                                z[i] = x;
                                t.at(&z).value
                            },
                            at,
                            h,
                        );
                        z[i] = at;
                        r
                    })
                    .collect();
                let e = v.iter().map(|d| d.error).fold(0.0, f64::max);
                let g = v.iter().map(|d| d.value.abs()).fold(0.0, f64::max);
                (e / g, case.name.clone())
            })
            .collect();
        d.sort_by(|a, b| b.0.total_cmp(&a.0));
        println!(
            "{}: >1e-10 {} >1e-11 {} >3e-12 {} of {}; {:?}",
            seed,
            d.iter().filter(|x| x.0 > 1e-10).count(),
            d.iter().filter(|x| x.0 > 1e-11).count(),
            d.iter().filter(|x| x.0 > 3e-12).count(),
            d.len(),
            &d[..6]
        );
    }
}
