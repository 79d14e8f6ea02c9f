//! What the gate's self-test leaves behind: a page, and every trial of it.

use super::baseline::write;
use super::self_test::{InstructionTrial, MORE_INSTRUCTIONS, SLOWDOWN, SelfTest, count};
use super::timing::{CONTROL, SLOWER, Timing, Verdict};
use crate::error::Error;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Where and of what it was made.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Processor and cores.
    pub machine: String,
    /// Compiler and tools.
    pub tools: String,
    /// The code.
    pub revision: String,
    /// The day.
    pub date: String,
}

/// Writes the page and the trials. Returns the page.
///
/// # Errors
/// [`HarnessError::Report`](segloss_verify::HarnessError::Report) or [`HarnessError::File`](segloss_verify::HarnessError::File).
pub fn write_self_test(found: &SelfTest, origin: &Origin, folder: &Path) -> Result<PathBuf, Error> {
    write(folder, "instructions.csv", &csv(&found.instructions)?)?;
    write(folder, "slowdowns.csv", &csv(&rows(&found.slowdowns))?)?;
    write(folder, "alike.csv", &csv(&rows(&found.alike))?)?;
    write(folder, "README.md", page(found, origin).as_bytes())?;
    Ok(folder.join("README.md"))
}

/// A trial's numbers; ratios in per cent.
#[derive(Serialize)]
struct TimeRow<'a> {
    trial: usize,
    workload: &'a str,
    verdict: &'static str,
    /// Of both series.
    pairs: usize,
    /// Whether the first series raised an alarm, so that there was a second.
    alarmed: bool,
    low: f64,
    median: f64,
    high: f64,
    #[serde(rename = "twin_low")]
    control_low: f64,
    #[serde(rename = "twin_high")]
    control_high: f64,
}

/// ln of a ratio as per cent of change, to a hundredth.
fn per_cent(ln: f64) -> f64 {
    (1e4 * ln.exp_m1()).round() / 100.0
}

fn rows(timings: &[Timing]) -> Vec<TimeRow<'_>> {
    let row = |(i, timing)| {
        let timing: &Timing = timing;
        let (series, of_both) = (timing.decisive(), timing.confirming.map_or(0, |_| timing.first.pairs));
        TimeRow {
            trial: i,
            workload: &timing.workload,
            verdict: timing.verdict().name(),
            pairs: series.pairs + of_both,
            alarmed: timing.first.verdict() == Verdict::Slower,
            low: per_cent(series.candidate.low),
            median: per_cent(series.candidate.median),
            high: per_cent(series.candidate.high),
            control_low: per_cent(series.control.low),
            control_high: per_cent(series.control.high),
        }
    };
    (1..).zip(timings).map(row).collect()
}

fn csv(rows: &[impl Serialize]) -> Result<Vec<u8>, Error> {
    let failed = |what: String| Error::report("CSV", what);
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(|error| failed(error.to_string()))?;
    writer.into_inner().map_err(|error| failed(error.to_string()))
}

fn page(found: &SelfTest, origin: &Origin) -> String {
    let (caught, planted) = found.instructions_caught();
    let rises = found
        .instructions
        .iter()
        .map(|InstructionTrial { recorded, found, .. }| 100.0 * (*found as f64 / *recorded as f64 - 1.0));
    let (least, most) = rises
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), rise| (rise.min(least), rise.max(most)));
    let of = |timings: &[Timing], verdict| format!("{}", count(timings, verdict));
    let line = |what: String, wanted: &str, timings: &[Timing]| {
        format!(
            "| {what} | {wanted} | {} | {} | {} | {} |\n",
            timings.len(),
            of(timings, Verdict::Slower),
            count(timings, Verdict::Held) + count(timings, Verdict::Faster),
            of(timings, Verdict::Inconclusive),
        )
    };
    let first_alarms = found.alike.iter().filter(|timing| timing.first.verdict() == Verdict::Slower).count();
    let mut pairs: Vec<usize> = found.alike.iter().map(|timing| timing.first.pairs).collect();
    pairs.sort_unstable();
    let (few, usual, many) = match pairs.as_slice() {
        [] => (0, 0, 0),
        some => (some[0], some[some.len() / 2], some[some.len() - 1]),
    };
    let Origin { machine, tools, revision, date } = origin;
    let (slower, control) = (100.0 * SLOWER, 100.0 * CONTROL);
    let (counted, different) = (found.recounted, found.different);
    let verdict = if found.held() { "It held." } else { "**It fell short.**" };
    format!(
        "# The gate judges itself\n\n\
         Made by `cargo xtask gate --self-test --record` on {date}, seed {seed}, of {revision}; {machine}; {tools}. \
         {verdict}\n\n\
         ## Instructions\n\n\
         {counted} workloads were counted twice; **{different}** gave another number. In {planted} of them, drawn, {least:.2} to \
         {most:.2} % more instructions were planted ({MORE_INSTRUCTIONS} % was meant): the gate named that workload and \
         no other in **{caught} of {planted}** ([each](instructions.csv); wanted: 19 of 20).\n\n\
         ## Time\n\n\
         A trial is what `cargo xtask gate --time` does for one workload: pairs of fresh processes until the baseline is \
         told from its A/A control to ±{control} % and the candidate as narrowly, and an alarm (all of the 99 % interval above \
         +{slower} %) confirmed by a second series.\n\n\
         | candidate | wanted | trials | slower | held | inconclusive |\n|---|---|---:|---:|---:|---:|\n{slowed}{alike}\n\
         Each trial: [slowed down](slowdowns.csv), [the same](alike.csv). Of the same program {first_alarms} first series \
         raised an alarm that the second had to take back; a series took {few} to {many} pairs, {usual} in the middle.\n",
        seed = found.seed,
        slowed = line(format!("slowed down by {SLOWDOWN} %"), "slower in 19 of 20", &found.slowdowns),
        alike = line("the same program".to_owned(), "slower in none", &found.alike),
    )
}

#[cfg(test)]
mod tests {
    use super::super::self_test::tests::good;
    use super::*;

    #[test]
    fn the_page_has_the_counts_and_beside_it_lies_every_trial() {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin {
            machine: "a machine".into(),
            tools: "tools".into(),
            revision: "72c5954".into(),
            date: "2026-11-24".into(),
        };
        let path = write_self_test(&good(), &origin, folder.path()).unwrap();
        let page = std::fs::read_to_string(path).unwrap();
        for part in [
            "It held.",
            "a machine",
            "72c5954",
            "**19 of 20**",
            "| slowed down by 10 % | slower in 19 of 20 | 20 | 19 | 0 | 1 |",
            "| the same program | slower in none | 200 | 0 | 150 | 50 |",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let lines = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap().lines().count();
        assert_eq!((lines("instructions.csv"), lines("slowdowns.csv"), lines("alike.csv")), (21, 21, 201));
        let mut short = good();
        short.alike.pop();
        let page = write_self_test(&short, &origin, folder.path()).unwrap();
        assert!(std::fs::read_to_string(page).unwrap().contains("fell short"));
    }

    #[test]
    fn ratios_are_told_as_per_cent() {
        assert_eq!((per_cent(1.1f64.ln()), per_cent(0.0), per_cent(0.5f64.ln())), (10.0, 0.0, -50.0));
        let found = good();
        let rows = rows(&found.slowdowns);
        assert_eq!((rows[0].trial, rows[0].verdict, rows[0].pairs, rows[0].alarmed), (1, "slower", 30, true));
        assert_eq!(
            (rows[19].trial, rows[19].verdict, rows[19].pairs, rows[19].alarmed),
            (20, "inconclusive", 15, false)
        );
    }
}
