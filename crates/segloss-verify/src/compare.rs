//! How far two answers are apart. Every function here gives NaN or ∞ when in doubt, and a bound holds
//! only if `difference <= bound` is true: NaN never passes.

/// max_i |got_i − want_i| / max_i |want_i|: relative to the norm, with no absolute allowance.
///
/// Where every wanted number is zero, so must be every one got: else the difference is infinite.
pub fn relative_to_max(got: &[f64], want: &[f64]) -> f64 {
    largest_relative_to(got, want, largest(want.iter().map(|x| x.abs())))
}

/// max_i |got_i − want_i| / scale.
pub fn largest_relative_to(got: &[f64], want: &[f64], scale: f64) -> f64 {
    if got.len() != want.len() || want.is_empty() {
        return f64::INFINITY;
    }
    let worst = largest(got.iter().zip(want).map(|(g, w)| (g - w).abs()));
    if worst == 0.0 { 0.0 } else { worst / scale }
}

/// |got − want| / |want|; two zeros agree.
pub fn relative(got: f64, want: f64) -> f64 {
    relative_to(got, want, want.abs())
}

/// |got − want| / scale; two equal numbers agree at any scale.
pub fn relative_to(got: f64, want: f64, scale: f64) -> f64 {
    let apart = (got - want).abs();
    if apart == 0.0 { 0.0 } else { apart / scale }
}

/// As [`relative_to_max`] over the finite entries of `want`; NaN and infinities must be met by their like.
pub fn relative_where_finite(got: &[f64], want: &[f64]) -> f64 {
    if got.len() != want.len() || want.is_empty() {
        return f64::INFINITY;
    }
    let alike = |(g, w): (&f64, &f64)| w.is_finite() || (g.is_nan() && w.is_nan()) || g == w;
    if !got.iter().zip(want).all(alike) {
        return f64::INFINITY;
    }
    let (got, want): (Vec<f64>, Vec<f64>) = got.iter().zip(want).filter(|(_, w)| w.is_finite()).unzip();
    if want.is_empty() { 0.0 } else { relative_to_max(&got, &want) }
}

/// 0 if the numbers are the same bit for bit, else how far they are apart, and never 0.
pub fn bitwise(got: &[f64], want: &[f64]) -> f64 {
    if got.len() == want.len() && got.iter().zip(want).all(|(g, w)| g.to_bits() == w.to_bits()) {
        return 0.0;
    }
    let apart = relative_to_max(got, want);
    if apart == 0.0 { f64::INFINITY } else { apart }
}

/// How many steps from one `f64` to the next lie between two; ∞ where either is NaN, or one is infinite.
pub fn ulps_f64(got: f64, want: f64) -> f64 {
    // The bits of a float, read as a whole number with the sign on top, count its steps from 0.
    let steps = |x: f64| {
        let bits = x.to_bits() as i64;
        if bits < 0 { i128::from(i64::MIN) - i128::from(bits) } else { i128::from(bits) }
    };
    match (got.is_nan() || want.is_nan(), got == want) {
        (true, _) => f64::INFINITY,
        (_, true) => 0.0,
        _ if got.is_infinite() || want.is_infinite() => f64::INFINITY,
        _ => (steps(got) - steps(want)).unsigned_abs() as f64,
    }
}

/// The same for `f32`.
pub fn ulps_f32(got: f32, want: f32) -> f64 {
    let steps = |x: f32| {
        let bits = x.to_bits() as i32;
        if bits < 0 { i64::from(i32::MIN) - i64::from(bits) } else { i64::from(bits) }
    };
    match (got.is_nan() || want.is_nan(), got == want) {
        (true, _) => f64::INFINITY,
        (_, true) => 0.0,
        _ if got.is_infinite() || want.is_infinite() => f64::INFINITY,
        _ => (steps(got) - steps(want)).unsigned_abs() as f64,
    }
}

/// The largest term; NaN as soon as one is NaN, unlike `f64::max`.
pub fn largest(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().fold(0.0, |worst, term| if term.is_nan() || term > worst { term } else { worst })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_never_passes() {
        for (got, want) in [(f64::NAN, 1.0), (1.0, f64::NAN), (f64::NAN, f64::NAN), (f64::NAN, 0.0)] {
            assert!(!(relative(got, want) <= 1e300), "{got} against {want}");
        }
        // A NaN early in the list must not be forgotten for a number later on.
        assert!(largest([f64::NAN, 1.0]).is_nan());
        assert!(largest([1.0, f64::NAN, 2.0]).is_nan());
        assert!(!(relative_to_max(&[f64::NAN, 1.0], &[1.0, 1.0]) <= 1.0));
        assert!(!(bitwise(&[f64::NAN], &[1.0]) <= 0.0));
    }

    #[test]
    fn differences_are_shares_of_a_scale() {
        assert_eq!(relative_to(3.0, 1.0, 4.0), 0.5);
        assert_eq!(relative_to(-3.0, 1.0, 4.0), 1.0);
        assert_eq!(relative_to(7.0, 7.0, 0.0), 0.0);
        assert_eq!((relative(3.0, -4.0), relative(5.0, 4.0), relative(0.0, 0.0)), (1.75, 0.25, 0.0));
        assert_eq!(largest_relative_to(&[3.0, 0.0], &[1.0, 1.0], 8.0), 0.25);
        // The worst of them is 3 off, and the largest that is wanted is 4, whatever its sign.
        assert_eq!(relative_to_max(&[3.0, -1.0], &[1.0, -4.0]), 0.75);
    }

    #[test]
    fn lists_of_other_lengths_are_never_close() {
        for differ in [relative_to_max, relative_where_finite, bitwise] {
            assert_eq!(differ(&[1.0, 2.0], &[1.0]), f64::INFINITY);
            assert_eq!(differ(&[1.0], &[1.0, 2.0]), f64::INFINITY);
        }
        assert_eq!(relative_where_finite(&[], &[]), f64::INFINITY);
        assert_eq!(largest_relative_to(&[1.0, 2.0], &[1.0], 1.0), f64::INFINITY);
    }

    #[test]
    fn the_largest_is_none_of_the_others() {
        assert_eq!(largest([]), 0.0);
        assert_eq!(largest([2.0, 5.0, 5.0, 3.0]), 5.0);
        assert_eq!(largest([1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        // A zero with a sign is no larger than one without.
        assert_eq!(largest([-0.0]).to_bits(), 0);
    }

    #[test]
    fn infinity_is_never_close() {
        assert!(!(relative(f64::INFINITY, f64::INFINITY) <= 1.0));
        assert!(!(relative(1.0, f64::INFINITY) <= 0.5));
        assert_eq!(relative(f64::INFINITY, 1.0), f64::INFINITY);
    }

    #[test]
    fn zero_is_met_only_by_zero() {
        assert_eq!(relative_to_max(&[0.0, 0.0], &[0.0, 0.0]), 0.0);
        assert_eq!(relative_to_max(&[1e-300, 0.0], &[0.0, 0.0]), f64::INFINITY);
        assert_eq!(relative_to_max(&[0.0, 0.0], &[1e-9, 0.0]), 1.0);
        assert_eq!(relative_to_max(&[], &[]), f64::INFINITY);
        assert_eq!(relative_to_max(&[0.0], &[0.0, 0.0]), f64::INFINITY);
    }

    #[test]
    fn breakdowns_are_met_by_their_like() {
        let want = [f64::NAN, f64::INFINITY, 2.0];
        assert_eq!(relative_where_finite(&want, &want), 0.0);
        assert_eq!(relative_where_finite(&[f64::NAN, f64::NAN, 2.0], &want), f64::INFINITY);
        assert_eq!(relative_where_finite(&[f64::NAN, f64::INFINITY, 3.0], &want), 0.5);
        assert!(relative_where_finite(&[1.0], &[f64::NAN]).is_infinite());
    }

    #[test]
    fn steps_are_counted_across_zero() {
        assert_eq!(ulps_f64(1.0, 1.0 + f64::EPSILON), 1.0);
        assert_eq!(ulps_f32(1.0, 1.0 - f32::EPSILON / 2.0), 1.0);
        assert_eq!((ulps_f32(-0.0, 0.0), ulps_f64(0.0, -0.0)), (0.0, 0.0));
        let smallest = f32::from_bits(1);
        assert_eq!(ulps_f32(-smallest, smallest), 2.0);
        assert_eq!((ulps_f32(0.0, smallest), ulps_f32(-0.0, smallest)), (1.0, 1.0));
        assert_eq!(
            (ulps_f32(-1.0, -1.0 - f32::EPSILON), ulps_f32(-1.0, 1.0)),
            (1.0, 2.0 * 127.0 * 8_388_608.0)
        );
        let smallest = f64::from_bits(1);
        assert_eq!(ulps_f64(-smallest, smallest), 2.0);
        assert_eq!((ulps_f64(0.0, smallest), ulps_f64(-0.0, smallest)), (1.0, 1.0));
        assert_eq!(ulps_f64(-1.0, -1.0 - f64::EPSILON), 1.0);
        assert_eq!(ulps_f64(f64::MIN, f64::MAX), 2.0 * f64::MAX.to_bits() as f64);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!((ulps_f64(bad, 1.0), ulps_f64(1.0, bad)), (f64::INFINITY, f64::INFINITY));
            let bad = bad as f32;
            assert_eq!((ulps_f32(bad, 1.0), ulps_f32(1.0, bad)), (f64::INFINITY, f64::INFINITY));
        }
        assert_eq!(
            (ulps_f64(f64::NAN, f64::NAN), ulps_f32(f32::NAN, f32::NAN)),
            (f64::INFINITY, f64::INFINITY)
        );
        assert_eq!(
            (ulps_f64(f64::INFINITY, f64::INFINITY), ulps_f32(f32::INFINITY, f32::INFINITY)),
            (0.0, 0.0)
        );
    }

    #[test]
    fn bits_are_compared_as_bits() {
        assert_eq!(bitwise(&[1.0, f64::NAN], &[1.0, f64::NAN]), 0.0);
        assert!(bitwise(&[0.0], &[-0.0]) > 0.0);
        assert!(bitwise(&[1.0], &[1.0 + f64::EPSILON]) > 0.0);
        assert_eq!(bitwise(&[1.5, 2.0], &[1.0, 2.0]), 0.25);
        assert_eq!((bitwise(&[0.0], &[-0.0]), bitwise(&[], &[])), (f64::INFINITY, 0.0));
    }
}
