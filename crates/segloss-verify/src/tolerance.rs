//! Every bound of the harness, with its reason. No check holds a number of its own.
//!
//! All bounds are relative ([`compare`](crate::compare)); none has an absolute allowance. A bound that could be four
//! times as tight is too wide to notice much, and fails a default run, which for that looks at the
//! [hardest seeds](crate::hard), too.

use segloss::{Kind, LossSpec};
use segloss_cases::has_term;
use serde::Serialize;

/// A bound and why it is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tolerance {
    /// Names it in reports.
    pub name: &'static str,
    /// The largest difference that passes.
    pub bound: f64,
    /// Why this number, and what it is relative to.
    pub reason: &'static str,
}

impl Tolerance {
    /// Whether a difference passes. NaN does not.
    pub fn holds(&self, difference: f64) -> bool {
        difference <= self.bound
    }

    /// How much of the bound a difference uses; NaN counts as more than all of it.
    pub fn strain(&self, difference: f64) -> f64 {
        match difference / self.bound {
            _ if difference == 0.0 => 0.0,
            strain if strain.is_nan() => f64::INFINITY,
            strain => strain,
        }
    }
}

/// How many times smaller than its bound the worst difference of a default run may be.
pub const SLACK: f64 = 4.0;

/// The same bits.
pub const EXACT: Tolerance = Tolerance {
    name: "exact",
    bound: 0.0,
    reason: "the definition leaves no freedom of rounding: bit for bit",
};

/// Gradients in f64 against finite differences of the textbook.
pub const GRADIENT_F64: Tolerance = Tolerance {
    name: "gradient_f64",
    bound: 1e-11,
    reason: "relative to max|g|. Ridders' extrapolation of a function that is itself good to 1e-15 leaves \
             1e-14 to 1e-12; a factor of 1 + 1e-6 in a gradient is 100 000 times this bound",
};

/// Gradients in f64 against the textbook without rounding.
pub const GRADIENT_EXACT: Tolerance = Tolerance {
    name: "gradient_exact",
    bound: 1.2e-14,
    reason: "relative to max|g|. The reference has no error: what is left is the subject's own rounding, some \
             ten operations a pixel and the sums of a region",
};

/// Entries of maps and gradients, in units of the last place.
pub const ULPS: Tolerance = Tolerance {
    name: "ulps",
    bound: 4.0,
    reason: "units in the last place of the correctly rounded number. An exponential and a logarithm, within 1 \
             each, a sum, a quotient and a product, within ½ each",
};

/// The same where a power is taken.
pub const ULPS_POWER: Tolerance = Tolerance {
    name: "ulps_power",
    bound: 16.0,
    reason: "units in the last place of the correctly rounded number. A power multiplies the relative error of its \
             base by its exponent, and each of its two factors comes with that of the logarithm beside it",
};

/// The textbook's own rounding.
pub const ORACLE_F64: Tolerance = Tolerance {
    name: "oracle_f64",
    bound: 2e-13,
    reason: "relative to the value or max|g|. The definitions in f64 as they stand in the books, 1 − p and all, \
             against 320 bits",
};

/// Values in f64 against the textbook.
pub const VALUE_F64: Tolerance = Tolerance {
    name: "value_f64",
    bound: 1.2e-14,
    reason: "relative to the value. Both add some hundred positive terms, each good to a few 1e-16, in their \
             own order",
};

/// Loss maps in f64 against the textbook.
pub const MAP_F64: Tolerance = Tolerance {
    name: "map_f64",
    bound: 1.2e-14,
    reason: "relative to the largest entry of the map. No sum: exp and ln of the textbook, rounded once each",
};

/// Values in f32 against the textbook in f64, on logits that f32 holds exactly.
pub const VALUE_F32: Tolerance = Tolerance {
    name: "value_f32",
    bound: 7e-7,
    reason: "relative to the value. Each pixel is computed in f32 (ε = 1.2e-7, some ten operations) and \
             summed in f64, so that errors average out and do not grow with the number of pixels",
};

/// Gradients in f32 against those in f64.
pub const GRADIENT_F32: Tolerance = Tolerance {
    name: "gradient_f32",
    bound: 3e-6,
    reason: "relative to max|g|: f32 has ε = 1.2e-7; the exponential's argument, a logit of some units, \
             carries its rounding into the result",
};

/// Values, maps and gradients in f64 where logits are multiplied before they are exponents.
pub const SCALED_F64: Tolerance = Tolerance {
    name: "scaled_f64",
    bound: 4e-14,
    reason: "relative to the value, or to the largest entry. LDAM takes e^−x of x = s·(z_max − z), with shifts in z and \
             s = 30 hundreds in size: the rounding of x, half a unit of ε·x, is a relative error of the result",
};

/// The same in f32.
pub const SCALED_F32: Tolerance = Tolerance {
    name: "scaled_f32",
    bound: 1.2e-5,
    reason: "relative to the value, or to max|g|. As in f64: ε·x/2 = 1.2e-5 for x = 200",
};

/// The bound of a loss: of those for logits that are multiplied where it, or a term of it, does so.
pub fn scaled(spec: &LossSpec, scaled: &'static Tolerance, usual: &'static Tolerance) -> &'static Tolerance {
    if has_term(spec, |kind| kind == Kind::Ldam) { scaled } else { usual }
}

/// Against a framework in f64.
pub const FIXTURE_F64: Tolerance = Tolerance {
    name: "fixture_f64",
    bound: 1.5e-14,
    reason: "relative to the value, or to max of the gradient or map. Both sides are f64 with their own \
             order of summation and their own exp and log",
};

/// Against a framework in f32.
pub const FIXTURE_F32: Tolerance = Tolerance {
    name: "fixture_f32",
    bound: 3e-6,
    reason: "relative to the value, or to max of the gradient. Both sides compute in f32 (ε = 1.2e-7); the \
             framework sums in f32 as well",
};

/// One specification written in two ways.
pub const LAW_F64: Tolerance = Tolerance {
    name: "law_f64",
    bound: 5e-15,
    reason: "relative to the value or max|g|, f64. The same pixels through the same formula: only the order \
             of a sum, or the rounding of a weight, may differ",
};

/// One input computed with other instructions.
pub const INSTRUCTIONS_F64: Tolerance = Tolerance {
    name: "instructions_f64",
    bound: 1.5e-15,
    reason: "relative to the value or max|g|, f64. A product and a sum, rounded once or twice",
};

/// Logits up to 1e4 against the closed form.
pub const EXTREME: Tolerance = Tolerance {
    name: "extreme",
    bound: 1.2e-15,
    reason: "relative to the value, f64. Where classes are 1e3 apart, the log-sum-exp is the maximum plus \
             the logarithm of a small whole number: nothing is left to round but the sum",
};

/// Values of large images and slopes along directions.
pub const LARGE_F64: Tolerance = Tolerance {
    name: "large_f64",
    bound: 3e-14,
    reason: "relative to Σ|terms|, of the value's and of Σ gᵢ·dᵢ, near to cancelling as the latter is. The reference \
             is f64, and adds 65 536 pixels in pairs, and pairs of pairs",
};

/// Single pixels where something saturates, vanishes or ties.
pub const EDGE_F64: Tolerance = Tolerance {
    name: "edge_f64",
    bound: 1.9e-15,
    reason: "relative to the value, or max|g|, against 320 bits. e^−160 is relative to itself, too",
};

/// Operations of the network, forward and backward, f64.
pub const OPERATION_F64: Tolerance = Tolerance {
    name: "operation_f64",
    bound: 8e-15,
    reason: "relative to the largest entry, f64. Sums of some hundred products in another order, and batch norm's \
             1/σ, against 320 bits",
};

/// Operations of the network, forward and backward, f32.
pub const OPERATION_F32: Tolerance = Tolerance {
    name: "operation_f32",
    bound: 1e-5,
    reason: "relative to the largest entry, f32. As in f64, with another ε",
};

/// A whole U-Net with its loss.
pub const NETWORK_F64: Tolerance = Tolerance {
    name: "network_f64",
    bound: 7e-16,
    reason: "relative to the value, or to Σ|gᵢ·dᵢ|, near to cancelling as Σ gᵢ·dᵢ may be. The rounding of a dozen \
             layers, one after the other, against 320 bits",
};

/// The whole table, as reports print it.
pub const ALL: [&Tolerance; 22] = [
    &EXACT,
    &GRADIENT_F64,
    &GRADIENT_EXACT,
    &ORACLE_F64,
    &ULPS,
    &ULPS_POWER,
    &VALUE_F64,
    &MAP_F64,
    &VALUE_F32,
    &GRADIENT_F32,
    &SCALED_F64,
    &SCALED_F32,
    &FIXTURE_F64,
    &FIXTURE_F32,
    &LAW_F64,
    &INSTRUCTIONS_F64,
    &EXTREME,
    &LARGE_F64,
    &EDGE_F64,
    &OPERATION_F64,
    &OPERATION_F32,
    &NETWORK_F64,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_does_not_hold() {
        for tolerance in ALL {
            assert!(!tolerance.holds(f64::NAN) && !tolerance.holds(f64::INFINITY), "{}", tolerance.name);
            assert!(tolerance.holds(0.0) && tolerance.reason.len() > 20, "{}", tolerance.name);
        }
    }

    #[test]
    fn a_bound_holds_up_to_itself_and_as_it_is_printed() {
        for tolerance in ALL {
            let bound = tolerance.bound;
            assert!(tolerance.holds(bound) && !tolerance.holds(bound.next_up()), "{}", tolerance.name);
            // Reports print two digits.
            assert_eq!(format!("{bound:.1e}").parse(), Ok(bound), "{}", tolerance.name);
        }
    }

    #[test]
    fn names_tell_bounds_apart() {
        let names: std::collections::BTreeSet<&str> = ALL.iter().map(|tolerance| tolerance.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn a_loss_is_scaled_if_a_term_of_it_is() {
        let bound = |toml: &str| scaled(&LossSpec::from_toml(toml).unwrap(), &SCALED_F32, &VALUE_F32).name;
        assert_eq!(bound("kind = 'ldam'"), "scaled_f32");
        assert_eq!(bound("kind = 'focal'"), "value_f32");
        let terms = "kind = 'combined'\n[[terms]]\nfactor = 1.0\nloss = { kind = 'dice' }\n[[terms]]\nfactor = 1.0\n\
                     loss = { kind = 'ldam' }";
        assert_eq!(bound(terms), "scaled_f32");
    }

    #[test]
    fn strain_is_the_share_of_the_bound() {
        assert_eq!((ULPS.strain(1.0), ULPS.strain(4.0), ULPS.strain(6.0)), (0.25, 1.0, 1.5));
        assert_eq!((EXACT.strain(0.0), EXACT.strain(1e-300)), (0.0, f64::INFINITY));
        for bad in [f64::NAN, -f64::NAN, f64::INFINITY] {
            assert_eq!(ULPS.strain(bad), f64::INFINITY, "{bad}");
        }
    }
}
