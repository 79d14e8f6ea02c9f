//! The exponential and the logarithm of several registers at once.

use super::real::{ROUND_SIXTEENTHS, Real};
use super::{Simd, Vector};
use std::f64::consts::LOG2_E;

/// eˣ for x ≤ 0, within one unit in the last place; gradual underflow and NaN as they should be. NaN for −∞; for |x| so
/// large that n·ln 2 has no digits behind its point, 0 or no finite number.
#[inline(always)]
pub(crate) fn exp_nonpositive<V: Vector>(x: V) -> V {
    let [e] = V::exp_nonpositive([x]);
    e
}

/// x = n·ln 2 + r with |r| ≤ ½·ln 2; eˣ = 2ⁿ·eʳ. n·ln 2 is subtracted in two parts, the first so short that its
/// product with n is exact: r is as right as x. eʳ is a polynomial ([`Real::EXP`]).
#[inline(always)]
pub(crate) fn exp_by_polynomial<V: Vector, const N: usize>(x: [V; N]) -> [V; N] {
    let simd = x[0].simd();
    let of = |x: f64| simd.constant(x);
    // Added to a number much smaller, it leaves the nearest whole number in the last bits.
    let round = of(V::Real::ROUND);
    let n = map(x, |_, x| x.mul_add(of(LOG2_E), round));
    let n = map(n, |_, n| n - round);
    let r = remainder(x, n);
    let [first, rest @ ..] = V::Real::EXP else { return x };
    let mut p = [of(*first); N];
    for &coefficient in rest {
        p = map(p, |i, p| p.mul_add(r[i], of(coefficient)));
    }
    // Only the product rounds, also where the power is subnormal. For −∞ it is 0, r is NaN, and so is their product.
    for i in 0..N {
        p[i] = p[i] * n[i].power_of_two();
    }
    p
}

/// Registers that hold the powers 2^(j/16) of all j.
pub(crate) trait Sixteenths: Vector<Real = f32> {
    /// 2ⁿ, rounded, of a whole number of sixteenths n ≤ 0 and of n + [`ROUND_SIXTEENTHS`], whose last four bits are j.
    fn power(n: Self, rounded: Self) -> Self;
}

/// The same of f32 with [`Sixteenths`]: n is a whole number of them, and r so small that half the polynomial is enough.
///
/// 2ⁿ is off by half a unit already; 2ⁿ·(eʳ − 1), which is added, is so much smaller that its own errors hardly count.
#[inline(always)]
pub(crate) fn exp_by_table<V: Sixteenths, const N: usize>(x: [V; N]) -> [V; N] {
    // eʳ − 1 = r·(1 + r·(½ + r/6)), the ½ a minimax one: off by 3e-9 of eʳ.
    const HALF: f64 = 0.500_014_66;
    let simd = x[0].simd();
    let of = |x: f64| simd.constant(x);
    let round = of(ROUND_SIXTEENTHS);
    let rounded = map(x, |_, x| x.mul_add(of(LOG2_E), round));
    let n = map(rounded, |_, rounded| rounded - round);
    let r = remainder(x, n);
    let mut power = n;
    for i in 0..N {
        power[i] = V::power(n[i], rounded[i]);
    }
    let q = map(r, |_, r| r.mul_add(of(1.0 / 6.0), of(HALF)));
    let q = map(q, |i, q| q.mul_add(r[i], of(1.0)));
    // For −∞, 2ⁿ is 0, r is NaN, and so is their product.
    let first = map(r, |i, r| power[i] * r);
    map(first, |i, first| first.mul_add(q[i], power[i]))
}

/// x − n·ln 2.
#[inline(always)]
fn remainder<V: Vector, const N: usize>(x: [V; N], n: [V; N]) -> [V; N] {
    let simd = x[0].simd();
    let (high, low) = V::Real::LN_2;
    let r = map(n, |i, n| n.mul_add(simd.constant(-high), x[i]));
    map(n, |i, n| n.mul_add(simd.constant(-low), r[i]))
}

/// A function of each element. (`map` of arrays was found to be compiled as a function of its own.)
#[inline(always)]
pub(crate) fn map<V: Copy, const N: usize>(mut x: [V; N], f: impl Fn(usize, V) -> V) -> [V; N] {
    for (i, x) in x.iter_mut().enumerate() {
        *x = f(i, *x);
    }
    x
}

/// ln(1 + x) for x ≥ 0, small ones to all their digits, within one unit in the last place; of several, step by step side by
/// side.
///
/// 1 + x = 2ᵏ·(1 + f) with 1 + f in [√½, √2); what the sum 1 + x rounded away comes back into f, which for k = 0 is x
/// itself. ln(1 + f) is a [polynomial or a quotient](Real::ln_of_parts).
#[inline(always)]
pub(crate) fn ln_1p_nonnegative<V: Vector, const N: usize>(x: [V; N]) -> [V; N] {
    let one = x[0].one();
    let u = map(x, |_, x| one + x);
    let (mut k, mut m, mut scale) = (u, u, u);
    for i in 0..N {
        (k[i], m[i], scale[i]) = u[i].frexp();
    }
    // Exact: u − 1 is, until 1 is less than a unit of u, where it matters no more.
    let lost = map(x, |i, x| x - (u[i] - one));
    let f = map(lost, |i, lost| lost.mul_add(scale[i], m[i] - one));
    V::Real::ln_of_parts(f, k)
}

/// Horner's rule, the constant coefficient last.
#[inline(always)]
pub(crate) fn polynomial<V: Vector, const N: usize>(coefficients: &[f64], x: [V; N]) -> [V; N] {
    let simd = x[0].simd();
    let mut p = [simd.constant(coefficients[0]); N];
    for &coefficient in &coefficients[1..] {
        p = map(p, |i, p| p.mul_add(x[i], simd.constant(coefficient)));
    }
    p
}

#[cfg(test)]
mod tests {
    use super::super::real::SIXTEENTHS;
    use super::super::{InstructionSet, InstructionSets, Kernel};
    use super::*;

    /// e^−x and ln(1 + x) of some numbers.
    struct Functions<'a, T>(&'a [T]);

    impl<T: InstructionSets> Kernel<T> for Functions<'_, T> {
        type Output = Vec<(T, T)>;

        #[inline(always)]
        fn run<S: Simd<Real = T>>(self, simd: S) -> Self::Output {
            let mut all = Vec::with_capacity(self.0.len());
            for x in self.0.chunks_exact(S::LANES) {
                let (mut e, mut l) = ([T::zero(); 16], [T::zero(); 16]);
                let x = simd.load(x);
                exp_nonpositive(x.neg()).store(&mut e);
                let [ln] = ln_1p_nonnegative([x]);
                ln.store(&mut l);
                all.extend(e.into_iter().zip(l).take(S::LANES));
            }
            all
        }
    }

    fn available() -> impl Iterator<Item = InstructionSet> {
        InstructionSet::ALL.into_iter().filter(|set| set.is_available())
    }

    /// From 1e-20 to 1e3.
    fn arguments() -> impl Iterator<Item = f64> {
        (0..200_000).map(|i| 10f64.powf(-20.0 + f64::from(i) * 23.0 / 2e5))
    }

    /// The reference in f32 is that of f64, rounded; in f64 the system's, itself within one unit.
    #[test]
    fn functions_are_right_to_a_unit_in_the_last_place() {
        let narrow: Vec<f32> = arguments().map(|x| x as f32).collect();
        let wide: Vec<f64> = arguments().collect();
        for set in available() {
            for (&x, (e, l)) in narrow.iter().zip(set.available().run(Functions(&narrow))) {
                let x = f64::from(x);
                let off = |got: f32, want: f64| got.to_bits().abs_diff((want as f32).to_bits());
                assert!(off(e, (-x).exp()) <= 1 && off(l, x.ln_1p()) <= 1, "{set:?}: {x}: {e} {l}");
            }
            for (x, (e, l)) in wide.iter().zip(set.available().run(Functions(&wide))) {
                let off = |got: f64, want: f64| got.to_bits().abs_diff(want.to_bits());
                assert!(off(e, (-x).exp()) <= 1 && off(l, x.ln_1p()) <= 1, "{set:?}: {x}: {e} {l}");
            }
        }
    }

    #[test]
    fn nan_stays_nan_and_nothing_overflows() {
        let special = [f64::NAN, 1e4, 1e6, f64::INFINITY];
        let mut all = [0.0; 16];
        all[..4].copy_from_slice(&special);
        for set in available() {
            let narrow = set.available().run(Functions(&all.map(|x| x as f32)));
            let wide = set.available().run(Functions(&all));
            assert!(narrow[0].0.is_nan() && narrow[0].1.is_nan() && wide[0].0.is_nan() && wide[0].1.is_nan());
            assert!(narrow[1..3].iter().all(|(e, _)| *e == 0.0) && wide[1..3].iter().all(|(e, _)| *e == 0.0));
            assert!(narrow[3].0.is_nan() && wide[3].0.is_nan());
            assert_eq!((narrow[4], wide[4]), ((1.0, 0.0), (1.0, 0.0)));
        }
    }

    #[test]
    fn sixteenths_are_the_nearest_numbers() {
        for (j, x) in (0..16).zip(SIXTEENTHS) {
            assert_eq!(x, (f64::from(j) / 16.0).exp2() as f32, "2^({j}/16)");
        }
    }

    /// 0, or no finite number, for the scalar formula to find.
    #[test]
    fn what_is_too_large_to_be_reduced_is_no_small_number() {
        let large: Vec<f64> =
            (3..=38).flat_map(|power| [1.0, 2.5, 7.3].map(|x| x * 10f64.powi(power))).collect();
        for set in available() {
            let narrow: Vec<f32> = large.iter().map(|&x| x as f32).collect();
            for (x, (e, _)) in narrow.iter().zip(set.available().run(Functions(&narrow[..96]))) {
                assert!(e == 0.0 || !e.is_finite(), "{set:?}: e^-{x} is {e}");
            }
            for (x, (e, _)) in large.iter().zip(set.available().run(Functions(&large[..96]))) {
                assert!(e == 0.0 || !e.is_finite(), "{set:?}: e^-{x} is {e}");
            }
        }
    }

    #[test]
    fn what_is_fused_is_the_same_in_every_register() {
        let x: Vec<f32> = arguments().map(|x| x as f32).collect();
        if InstructionSet::Avx512.is_available() {
            let bits = |set: InstructionSet| -> Vec<(u32, u32)> {
                set.available()
                    .run(Functions(&x))
                    .into_iter()
                    .map(|(e, l)| (e.to_bits(), l.to_bits()))
                    .collect()
            };
            assert!(bits(InstructionSet::Avx2) == bits(InstructionSet::Avx512));
        }
    }
}
