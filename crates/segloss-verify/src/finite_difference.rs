//! Derivatives from values alone, each with an estimate of its own error.
//!
//! Ridders, C. J. F. (1982), "Accurate computation of F′(x) and F′(x)F″(x)", Advances in Engineering
//! Software 4: central differences at ever smaller steps, extrapolated to step zero. Large steps keep the
//! rounding of f small; extrapolation removes their truncation.

/// A derivative and how far off it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Derivative {
    /// The derivative.
    pub value: f64,
    /// An estimate of the error: how far neighbouring extrapolations differ, and the best ones of two rows; and
    /// no less than what the rounding of the values makes of any difference of them.
    pub error: f64,
}

/// From one step to the next smaller one.
const SHRINK: f64 = 1.6;
/// Rows of the tableau. All are computed: to stop as soon as a row is worse than the best, as is often done,
/// is to stop at the first accident.
const ROWS: usize = 10;

/// f′(x) from values of `f` in [x − step, x + step].
///
/// A NaN anywhere gives a NaN with an infinite error, never a number.
pub fn ridders(mut f: impl FnMut(f64) -> f64, x: f64, step: f64) -> Derivative {
    // The largest value seen: its rounding, over h, is in every difference.
    let mut largest = 0.0f64;
    let mut difference = |h: f64| {
        let (above, below) = (x + h, x - h);
        let (high, low) = (f(above), f(below));
        largest = largest.max(high.abs()).max(low.abs());
        ((high - low) / (above - below), f64::EPSILON * largest / h)
    };
    let mut h = step;
    let mut above = vec![difference(h).0];
    let unknown = Derivative { value: f64::NAN, error: f64::INFINITY };
    // The best of all rows, and the best of the others.
    let (mut best, mut second) = (unknown, unknown);
    for _ in 1..ROWS {
        h /= SHRINK;
        let (first, rounding) = difference(h);
        let mut row = vec![first];
        let mut here = unknown;
        // Each column removes one more even power of h: Neville's scheme in h².
        let mut factor = SHRINK * SHRINK;
        for order in 0..above.len() {
            let next = (row[order] * factor - above[order]) / (factor - 1.0);
            factor *= SHRINK * SHRINK;
            // Two extrapolations may agree by accident, never below the rounding of their values.
            let error = (next - row[order]).abs().max((next - above[order]).abs()).max(rounding);
            if error <= here.error {
                here = Derivative { value: next, error };
            }
            row.push(next);
        }
        if here.error <= best.error {
            (best, second) = (here, best);
        } else if here.error <= second.error {
            second = here;
        }
        above = row;
    }
    // Of so many extrapolations two may be neighbours by accident; another row has no part in that.
    let apart = (best.value - second.value).abs();
    Derivative { error: best.error.max(apart), ..best }
}

/// (f(x + h) − f(x − h)) / 2h: error O(h²), rounding O(ε/h).
pub fn central(mut f: impl FnMut(f64) -> f64, x: f64, h: f64) -> f64 {
    // The step that is really taken, after x ± h is rounded.
    let (above, below) = (x + h, x - h);
    (f(above) - f(below)) / (above - below)
}

/// `f` as a function of one of the numbers that it is of: `entry` says which. The others stay as they are.
pub fn by_one<S: ?Sized>(
    numbers: &mut S,
    entry: impl Fn(&mut S) -> &mut f64,
    f: impl Fn(&S) -> f64,
) -> impl FnMut(f64) -> f64 {
    move |x| {
        let before = std::mem::replace(entry(numbers), x);
        let value = f(numbers);
        *entry(numbers) = before;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_varies_and_is_put_back() {
        let mut numbers = [1.0, 2.0, 3.0];
        let mut f = by_one(&mut numbers, |numbers| &mut numbers[1], |numbers| numbers[0] + 10.0 * numbers[1]);
        assert_eq!([f(5.0), f(7.0)], [51.0, 71.0]);
        drop(f);
        assert_eq!(numbers, [1.0, 2.0, 3.0]);
    }

    /// The estimate must cover the error, or the oracle would vouch for what it does not know.
    #[test]
    fn the_estimate_covers_the_error() {
        for x in [-2.0, -0.3, 0.1, 1.0, 3.7] {
            for (f, slope) in [
                (f64::exp as fn(f64) -> f64, f64::exp as fn(f64) -> f64),
                (f64::sin, f64::cos),
                (|x| (1.0 + x.exp()).ln(), |x| 1.0 / (1.0 + (-x).exp())),
            ] {
                let found = ridders(f, x, 0.5);
                let off = (found.value - slope(x)).abs();
                assert!(off <= 1e-12 * slope(x).abs().max(0.01), "at {x}: off by {off:e}");
                assert!(off <= 10.0 * found.error + 1e-15, "at {x}: off by {off:e}, said {:e}", found.error);
            }
        }
    }

    /// No two extrapolations differ: what is left is the rounding of the values at the largest step but one.
    #[test]
    fn a_line_is_as_sure_as_its_rounding() {
        let h = 0.5 / SHRINK;
        let constant = Derivative { value: 0.0, error: f64::EPSILON * 0.7 / h };
        assert_eq!(ridders(|_| -0.7, 1.0, 0.5), constant);
        // The largest value is 2·1.5.
        let line = Derivative { value: 2.0, error: f64::EPSILON * 3.0 / h };
        assert_eq!(ridders(|x| 2.0 * x, 1.0, 0.5), line);
        // And on the other side of 0, where the largest value is the lower one.
        assert_eq!(ridders(|x| 2.0 * x, -1.0, 0.5), line);
    }

    /// A central difference of xⁿ has errors of h², h⁴ up to hⁿ⁻¹, which n / 2 columns remove.
    #[test]
    fn each_column_removes_a_power_of_the_step() {
        for n in [2, 3, 5, 7, 9, 11] {
            let found = ridders(|x| x.powi(n), 1.0, 2.0);
            let off = (found.value - f64::from(n)).abs();
            let rounding = f64::EPSILON * 3f64.powi(n);
            assert!(
                off <= 4.0 * rounding && found.error <= 20.0 * rounding,
                "{n}: {off:e}, {rounding:e}, {found:?}"
            );
        }
    }

    /// Slope 0 at the two largest steps, 1 at all smaller ones: the first two agree, and are not believed.
    #[test]
    fn two_neighbours_that_agree_by_accident_are_not_sure() {
        let found = ridders(|x: f64| if x.abs() > 0.3 { 0.0 } else { x }, 0.0, 0.5);
        assert_eq!(found, Derivative { value: 0.0, error: 1.0 });
    }

    #[test]
    fn a_central_difference_by_hand() {
        // (2.25² − 1.75²) / 0.5
        assert_eq!(central(|x| x * x, 2.0, 0.25), 4.0);
        // ((−1)³ − (−3)³) / 2
        assert_eq!(central(|x| x * x * x, -2.0, 1.0), 13.0);
    }

    #[test]
    fn nan_stays_nan() {
        let found = ridders(f64::ln, 0.1, 0.5);
        assert!(found.value.is_nan() || found.error.is_infinite() || found.error > 1e-6, "{found:?}");
        assert!(ridders(|_| f64::NAN, 0.0, 0.5).value.is_nan());
    }
}
