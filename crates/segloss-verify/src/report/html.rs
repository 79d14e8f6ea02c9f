//! One page with everything on it, for a browser: no other file is needed to read it.

use super::data::Report;
use super::junit::escaped;
use crate::self_test::SelfTest;
use std::fmt::Write;

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;margin:1rem 0;width:100%}\
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}\
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
.held{color:#07733f}.short{color:#b3261e;font-weight:600}code{font-size:.9em}\
.wide{overflow-x:auto}.turned span{writing-mode:vertical-rl}svg{max-width:100%;height:auto}";

/// `files`: the report's other files, of which the pictures go onto the page.
pub(super) fn page(report: &Report, files: &[(&'static str, String)]) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    _ = write_page(&mut page, report, files);
    page
}

fn write_page(page: &mut String, report: &Report, files: &[(&'static str, String)]) -> std::fmt::Result {
    let implementation = escaped(&report.implementation);
    writeln!(page, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">")?;
    writeln!(page, "<title>Verification of {implementation}</title>\n<style>{STYLE}</style>")?;
    writeln!(page, "<h1>Verification of {implementation}</h1>")?;
    let verdict = if report.failed == 0 { "held" } else { "short" };
    writeln!(
        page,
        "<p class=\"{verdict}\">{} passed, {} failed.</p>\n<p>Seed {}, profile {}.</p>",
        report.passed, report.failed, report.seed, report.profile
    )?;
    writeln!(
        page,
        "<h2>Checks</h2>\n<table>\n<tr><th><th>check<th>what holds<th>cases<th>worst<th>99 %<th>bound<th>headroom</tr>"
    )?;
    for check in &report.checks {
        let (class, mark) = if check.held { ("held", "✓") } else { ("short", "✗") };
        let number = |x: f64| if check.cases == 0 { "–".to_owned() } else { format!("{x:.1e}") };
        let headroom =
            if check.headroom.is_finite() { format!("{:.1}×", check.headroom) } else { "–".to_owned() };
        writeln!(
            page,
            "<tr class=\"check\"><td class=\"{class}\">{mark}<td><code>{}</code><td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td><code>{}</code><td class=\"n\">{headroom}</tr>",
            escaped(check.name),
            escaped(check.claim),
            check.cases,
            number(check.worst),
            number(check.p99),
            escaped(check.bound),
        )?;
    }
    writeln!(page, "</table>")?;
    for check in report.checks.iter().filter(|check| !check.failures.is_empty()) {
        writeln!(
            page,
            "<h3 class=\"short\">{}: {} fell short</h3>\n<ul>",
            escaped(check.name),
            check.failed
        )?;
        for failure in &check.failures {
            writeln!(page, "<li>{}</li>", escaped(failure))?;
        }
        writeln!(page, "</ul>")?;
    }
    writeln!(
        page,
        "<h2>The hardest cases</h2>\n<table>\n<tr><th>check<th>case<th>off by<th>bound<th>again</tr>"
    )?;
    for hard in &report.hardest {
        writeln!(
            page,
            "<tr><td><code>{}</code><td>{}<td class=\"n\">{:.3e}<td><code>{}</code><td><code>{}</code></tr>",
            escaped(hard.check),
            escaped(&hard.case),
            hard.difference,
            escaped(hard.bound),
            escaped(&hard.replay)
        )?;
    }
    writeln!(
        page,
        "</table>\n{}<h2>Bounds</h2>\n<table>\n<tr><th>bound<th>allows<th>worst seen<th>99 %<th>cases<th>why</tr>",
        report.self_test.as_ref().map_or_else(String::new, matrix)
    )?;
    for bound in &report.tolerances {
        let seen = |x: Option<f64>| x.map_or("unused".to_owned(), |x| format!("{x:.1e}"));
        writeln!(
            page,
            "<tr><td><code>{}</code><td class=\"n\">{:e}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}</tr>",
            escaped(bound.name),
            bound.bound,
            seen(bound.worst),
            seen(bound.p99),
            bound.cases,
            escaped(bound.reason)
        )?;
    }
    writeln!(page, "</table>")?;
    for (_, picture) in files.iter().filter(|(name, _)| name.ends_with(".svg")) {
        writeln!(page, "{}", picture.trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"))?;
    }
    writeln!(page, "</html>")
}

/// The kill matrix.
fn matrix(found: &SelfTest) -> String {
    let cells =
        |of: &dyn Fn(&'static str) -> String| found.checks.iter().map(|&check| of(check)).collect::<String>();
    let head = cells(&|check| format!("<th class=\"turned\"><span>{}</span>", escaped(check)));
    let rows: String = found
        .bugs
        .iter()
        .map(|bug| {
            let marks = cells(&|check| format!("<td>{}", bug.mark(check)));
            format!("<tr><td>{}<td>{}{marks}</tr>\n", escaped(bug.bug), escaped(bug.stands_for))
        })
        .collect();
    let killed = found.bugs.len() - found.survivors().count();
    format!(
        "<h2>Planted bugs</h2>\n<p>{killed} of {} killed; ◆ marks an only killer.</p>\n\
         <div class=\"wide\"><table>\n<tr><th>bug<th>stands for{head}</tr>\n{rows}</table></div>\n",
        found.bugs.len()
    )
}
