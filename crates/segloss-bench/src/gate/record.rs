//! Recording a baseline: what got worse needs a reason, and is written down with it.

use super::baseline::{AllowedChange, Changes};
use super::table::Comparison;
use crate::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Adds what a recording makes worse to the changes that were allowed. Returns whether there is anything.
///
/// # Errors
/// [`Error::Record`] if it makes something worse and nobody says why.
pub fn allow(
    changes: &mut Changes,
    costs: Vec<String>,
    reason: Option<&str>,
    revision: &str,
    date: &str,
) -> Result<bool, Error> {
    if costs.is_empty() {
        return Ok(false);
    }
    let Some(reason) = reason.map(str::trim).filter(|reason| !reason.is_empty()) else {
        let count = costs.len();
        let told = costs.join("\n  ");
        return Err(Error::Record(format!(
            "{count} measurements would get worse, and that needs a reason, `--reason \"…\"`:\n  {told}"
        )));
    };
    changes.changes.push(AllowedChange {
        date: date.to_owned(),
        revision: revision.to_owned(),
        reason: reason.to_owned(),
        worse: costs,
    });
    Ok(true)
}

/// What the comparisons found to be worse or gone.
pub fn costs(comparisons: &[Comparison]) -> Vec<String> {
    comparisons.iter().flat_map(Comparison::costs).collect()
}

/// Today, year-month-day, in Greenwich.
pub fn today() -> String {
    date(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The day that lies so long after the beginning of 1970.
///
/// Years are counted from March on, so that the leap day is their last (Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`).
fn date(since_1970: Duration) -> String {
    /// From the first of March of the year 0 to 1970.
    const BEFORE: u64 = 719_468;
    /// Of 400 years, after which the calendar repeats itself.
    const ERA: u64 = 146_097;
    let days = since_1970.as_secs() / 86_400 + BEFORE;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March on have 31, 30, 31, 30, 31 days, and so again: 153 in five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", 400 * era + year + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_needs_a_reason_and_is_written_down() {
        let mut changes = Changes::default();
        let costs = || vec!["errors: a".to_owned(), "allocations: b".to_owned()];
        for reason in [None, Some(""), Some(" \n")] {
            let told = allow(&mut changes, costs(), reason, "r", "d").unwrap_err().to_string();
            assert!(
                told.contains("2 measurements") && told.contains("errors: a") && told.contains("--reason")
            );
            assert!(changes.changes.is_empty());
        }
        assert!(allow(&mut changes, costs(), Some(" more exact "), "r", "d").unwrap());
        let [change] = changes.changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((change.reason.as_str(), change.worse.as_slice()), ("more exact", costs().as_slice()));
        assert_eq!((change.revision.as_str(), change.date.as_str()), ("r", "d"));
    }

    #[test]
    fn what_costs_nothing_needs_none() {
        let mut changes = Changes::default();
        assert!(!allow(&mut changes, Vec::new(), None, "r", "d").unwrap());
        assert!(!allow(&mut changes, Vec::new(), Some("why"), "r", "d").unwrap());
        assert!(changes.changes.is_empty());
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, day) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (790, "1972-03-01"),
            (11_016, "2000-02-29"),
            (11_322, "2000-12-31"),
            (20_781, "2026-11-24"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(Duration::from_secs(86_400 * days + 86_399)), day);
        }
    }
}
