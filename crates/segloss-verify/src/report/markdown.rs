//! The page to read.

use super::data::Report;
use crate::artifact::{Training, TrainingRun};
use crate::sweep::Sweep;
use std::fmt::Write;

pub(super) fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "# Verification of {}\n", report.implementation)?;
    writeln!(
        page,
        "**{} passed, {} failed.** Seed {}, profile {}. Made by `cargo xtask verify` from `report.json`.\n",
        report.passed, report.failed, report.seed, report.profile
    )?;
    writeln!(page, "## Checks\n")?;
    writeln!(page, "| | check | what holds | cases | worst | 99 % | bound | headroom |")?;
    writeln!(page, "|---|---|---|---:|---:|---:|---|---:|")?;
    for check in &report.checks {
        let mark = if check.held { "✓" } else { "✗" };
        let worst =
            if check.cases == 0 { "nothing compared".to_owned() } else { format!("{:.1e}", check.worst) };
        let claim = cell(check.claim);
        let headroom =
            if check.headroom.is_finite() { format!("{:.1}×", check.headroom) } else { "–".to_owned() };
        writeln!(
            page,
            "| {mark} | `{}` | {claim} | {} | {worst} | {:.1e} | {} | {headroom} |",
            check.name, check.cases, check.p99, check.bound
        )?;
    }
    if report.checks.iter().any(|check| !check.failures.is_empty()) {
        writeln!(page, "\n## What fell short\n")?;
        for check in &report.checks {
            for failure in &check.failures {
                writeln!(page, "- `{}`: {}", check.name, cell(failure))?;
            }
            let written = check.failures.len() as u64;
            if check.failed > written {
                writeln!(page, "- `{}`: and {} more", check.name, check.failed - written)?;
            }
        }
        writeln!(
            page,
            "\nReplay: `cargo xtask verify --seed {}`; a case's name says which it is.",
            report.seed
        )?;
    }

    writeln!(page, "\n## The hardest cases\n")?;
    writeln!(page, "| check | case | off by | bound | again |")?;
    writeln!(page, "|---|---|---:|---|---|")?;
    for hard in &report.hardest {
        let case = cell(&hard.case);
        let (check, difference, bound, replay) = (hard.check, hard.difference, hard.bound, &hard.replay);
        writeln!(page, "| `{check}` | {case} | {difference:.3e} | `{bound}` | `{replay}` |")?;
    }
    writeln!(page, "\nTheir inputs are in `report.json`.")?;
    writeln!(page, "\n## Units in the last place\n")?;
    writeln!(page, "![entries by their error in units of the last place](ulps.svg)")?;

    writeln!(page, "\n## Gradients against finite differences\n")?;
    writeln!(page, "![error of a central difference against its step](gradient_error.svg)\n")?;
    writeln!(
        page,
        "The error of a single central difference falls with h² until rounding, which grows with 1/h, takes \
         over: the gradient agrees as well as the difference can tell. The check extrapolates to h = 0."
    )?;
    if let Some(training) = &report.training {
        write_training(page, training)?;
    }

    if let Some(found) = &report.self_test {
        writeln!(page, "\n## Planted bugs\n")?;
        found.write(page)?;
    }

    writeln!(page, "\n## Bounds\n")?;
    writeln!(
        page,
        "All are relative. Where terms nearly cancel (a boundary loss, a slope along a random direction, batch norm's \
         gradient of few pixels) they are relative to Σ|terms|, which is what rounding is relative to.\n"
    )?;
    writeln!(page, "| bound | allows | worst seen | 99 % | cases | why |")?;
    writeln!(page, "|---|---:|---:|---:|---:|---|")?;
    for bound in &report.tolerances {
        let seen = |x: Option<f64>| x.map_or("unused".to_owned(), |x| format!("{x:.1e}"));
        let (worst, p99, reason) = (seen(bound.worst), seen(bound.p99), cell(bound.reason));
        writeln!(
            page,
            "| `{}` | {:e} | {worst} | {p99} | {} | {reason} |",
            bound.name, bound.bound, bound.cases
        )?;
    }
    Ok(())
}

fn write_training(page: &mut String, training: &Training) -> std::fmt::Result {
    let seeds = training.runs_of("plain").count();
    writeln!(page, "\n## Does the loss change the result?\n")?;
    writeln!(
        page,
        "The embedded images, {seeds} seeds, equal budgets: plain cross-entropy against cross-entropy weighted \
         by the inverse class frequency of each image. Scores on images that were not trained on, mean over \
         the seeds (smallest to largest).\n"
    )?;
    writeln!(page, "| class | recall, plain | recall, weighted | IoU, plain | IoU, weighted |")?;
    writeln!(page, "|---|---|---|---|---|")?;
    for (class, name) in training.classes.iter().enumerate() {
        let cell = |loss, of: fn(&TrainingRun) -> &Vec<f64>| {
            let values = || training.runs_of(loss).map(|run| of(run)[class]);
            let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
            format!("{:.3} ({low:.3} to {high:.3})", training.mean(loss, |run| of(run)[class]))
        };
        writeln!(
            page,
            "| {name} | {} | {} | {} | {} |",
            cell("plain", |run| &run.recall),
            cell("weighted", |run| &run.recall),
            cell("plain", |run| &run.iou),
            cell("weighted", |run| &run.iou),
        )?;
    }
    writeln!(
        page,
        "\nThe claim: recall of `{}` rises by at least {} in the mean, and each weighted run beats every plain one.\n",
        training.classes[training.rare], training.margin
    )?;
    writeln!(
        page,
        "![image, truth, plain, weighted](training_images.png)\n\nAn image that was not trained on, its truth, and what the first seed's nets make of it: plain, weighted.\n\n![training loss](training_loss.svg)\n\n![scores by class](training_classes.svg)"
    )
}

/// Many seeds.
pub(super) fn sweep(found: &Sweep) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    _ = write_sweep(&mut page, found);
    page
}

fn write_sweep(page: &mut String, found: &Sweep) -> std::fmt::Result {
    let last = (found.first + found.seeds).saturating_sub(1);
    let (seeds, comparisons, alarms) = (found.seeds, found.comparisons, found.alarms.len());
    writeln!(page, "# Many seeds, a little of each\n")?;
    writeln!(
        page,
        "**{seeds} seeds, {comparisons} comparisons, {alarms} alarms.** Seeds {} to {last}.",
        found.first
    )?;
    writeln!(page, "Made by `cargo xtask verify --seed {} --seeds {seeds}`.\n", found.first)?;
    for (seed, check, what) in &found.alarms {
        writeln!(page, "- seed {seed}, `{check}`: {}", cell(what))?;
    }
    writeln!(page, "| bound | allows | the nearest any seed came | again |\n|---|---:|---|---|")?;
    for (bound, near) in &found.nearest {
        let (off, allowed, seed, check) = (near.difference, near.bound, near.seed, near.check);
        writeln!(
            page,
            "| `{bound}` | {allowed:e} | {off:.1e}, {} | `cargo xtask verify --seeds 1 --seed {seed} --check {check}` |",
            cell(&near.case)
        )?;
    }
    Ok(())
}

/// A pipe would end a table's cell, a line break its row.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
