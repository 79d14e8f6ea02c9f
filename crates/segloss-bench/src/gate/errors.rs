//! How far the library was off: no error may grow much, though still within its bound.

use super::table::{Change, Row};
use segloss_verify::Run;
use segloss_verify::tolerance::EXACT;
use serde::{Deserialize, Serialize};

/// How many times its recorded level an error may be.
///
/// The worst of some hundred roundings moves a little with every change of their order; a formula that got less
/// accurate moves it by more.
pub const GROWTH: f64 = 1.5;

/// The worst difference under a bound, in a check, of the cases of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// The check.
    pub check: String,
    /// The bound under which it was compared.
    pub bound: String,
    /// The kind, or the operation; empty where cases are of none.
    pub of: String,
    /// How far it was off, relative or in units of the last place, as the bound has it.
    #[serde(serialize_with = "three_digits")]
    pub worst: f64,
}

impl Row for Worst {
    const TABLE: &'static str = "errors";
    const COLUMNS: &'static [&'static str] = &["check", "bound", "of", "worst"];

    fn key(&self) -> String {
        [&self.check, &self.bound, &self.of].map(String::as_str).join(" ").trim_end().to_owned()
    }

    fn is_sound(&self) -> bool {
        self.worst >= 0.0 && self.worst.is_finite()
    }

    fn since(&self, recorded: &Self) -> Change {
        let unit = unit(&self.bound);
        let allowed = GROWTH * recorded.worst.max(unit);
        let told = format!("{:.2e}, recorded {:.2e}", self.worst, recorded.worst);
        if !(self.worst <= allowed) {
            Change::Worse(format!("{told}, allowed {allowed:.2e}"))
        } else if GROWTH * self.worst.max(unit) < recorded.worst {
            Change::Better(told)
        } else {
            Change::None
        }
    }
}

/// An error below which none is told from another: one unit in the last place.
///
/// Without it an error that happened to be nothing would have to stay nothing, whatever the next change rounds
/// differently.
fn unit(bound: &str) -> f64 {
    match bound {
        ulps if ulps.starts_with("ulps") => 1.0,
        single if single.ends_with("_f32") => f64::from(f32::EPSILON),
        _ => f64::EPSILON,
    }
}

/// The worst differences of a run, check by check. What must be exact is left to the run itself, which lets nothing pass.
pub fn of(run: &Run) -> Vec<Worst> {
    let checks = run.results.iter().flat_map(|result| {
        let worst = result.tally.worst.iter();
        worst.map(|(&(bound, kind), &worst)| Worst {
            check: result.name.to_owned(),
            bound: bound.to_owned(),
            of: kind.map_or("", |kind| kind.name()).to_owned(),
            worst,
        })
    });
    checks.filter(|row| row.bound != EXACT.name).collect()
}

/// Enough beside [`GROWTH`]; all would differ in every line with every change of an order.
fn three_digits<S: serde::Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{x:.2e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use segloss_verify::CheckResult;
    use segloss_verify::Effort;
    use segloss_verify::tally::Tally;
    use segloss_verify::tolerance::{ULPS, VALUE_F64};

    fn worst(bound: &str, worst: f64) -> Worst {
        Worst { check: "values".into(), bound: bound.into(), of: "dice".into(), worst }
    }

    /// Worse, the same or better: +1, 0 or −1.
    fn since(bound: &str, recorded: f64, found: f64) -> i32 {
        match worst(bound, found).since(&worst(bound, recorded)) {
            Change::Worse(_) => 1,
            Change::None => 0,
            Change::Better(_) => -1,
        }
    }

    #[test]
    fn an_error_may_grow_by_half_and_no_more() {
        assert_eq!((since("value_f64", 2e-15, 3e-15), since("value_f64", 2e-15, 3.01e-15)), (0, 1));
        assert_eq!((since("value_f64", 3e-15, 2e-15), since("value_f64", 3.01e-15, 2e-15)), (0, -1));
        for nothing in [f64::NAN, -f64::NAN, f64::INFINITY] {
            assert_eq!(since("value_f64", 1.0, nothing), 1, "{nothing}");
        }
    }

    #[test]
    fn what_is_less_than_a_unit_in_the_last_place_is_not_told_from_nothing() {
        assert_eq!((since("value_f64", 0.0, 3.3e-16), since("value_f64", 0.0, 3.4e-16)), (0, 1));
        assert_eq!((since("value_f32", 0.0, 1.78e-7), since("value_f32", 0.0, 1.8e-7)), (0, 1));
        assert_eq!((since("ulps_power", 0.0, 1.0), since("ulps_power", 0.0, 2.0)), (0, 1));
        assert_eq!(since("value_f64", 3.3e-16, 0.0), 0);
    }

    #[test]
    fn rows_are_of_check_bound_and_kind_but_for_what_must_be_exact() {
        let mut tally = Tally::default();
        tally.measure(&VALUE_F64, 1e-15, "");
        tally.measure(&VALUE_F64, 2.25e-15, "");
        tally.measure(&ULPS, 2.0, "");
        tally.measure(&EXACT, 0.0, "");
        let result = CheckResult { name: "values", claim: "", tally, seconds: 0.0 };
        let run = Run { implementation: "".into(), seed: 1, effort: Effort::Default, results: vec![result] };
        let keys: Vec<(String, f64)> = of(&run).iter().map(|row| (row.key(), row.worst)).collect();
        assert_eq!(keys, [("values ulps".to_owned(), 2.0), ("values value_f64".to_owned(), 2.25e-15)]);
    }

    #[test]
    fn three_digits_are_recorded() {
        let (_, bytes) = super::super::table::write(&[worst("value_f64", 4.210_837e-15)]).unwrap();
        assert!(String::from_utf8(bytes).unwrap().ends_with("values,value_f64,dice,4.21e-15\n"));
        assert!(worst("", 0.0).is_sound() && !worst("", f64::NAN).is_sound() && !worst("", -1.0).is_sound());
        assert!(!worst("", f64::INFINITY).is_sound());
    }
}
