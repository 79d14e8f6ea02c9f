//! JUnit XML, which build servers read.

use super::data::Report;
use std::fmt::Write;

pub(super) fn suite(report: &Report) -> String {
    let mut xml = String::new();
    // Writing to a string cannot fail.
    _ = write_suite(&mut xml, report);
    xml
}

fn write_suite(xml: &mut String, report: &Report) -> std::fmt::Result {
    let (tests, failures) = (report.checks.len(), report.failed);
    writeln!(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        xml,
        "<testsuite name=\"segloss verify, {}, seed {}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">",
        report.profile, report.seed
    )?;
    for check in &report.checks {
        let name = escaped(check.name);
        if check.held {
            writeln!(xml, "  <testcase classname=\"verify\" name=\"{name}\"/>")?;
            continue;
        }
        let message = match check.cases {
            0 => "nothing compared".to_owned(),
            cases => format!("{} of {cases} comparisons fell short", check.failed),
        };
        writeln!(xml, "  <testcase classname=\"verify\" name=\"{name}\">")?;
        writeln!(
            xml,
            "    <failure message=\"{}\">{}</failure>",
            escaped(&message),
            escaped(&check.failures.join("\n"))
        )?;
        writeln!(xml, "  </testcase>")?;
    }
    writeln!(xml, "</testsuite>")
}

/// Text that is neither a tag nor the end of an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no place for them.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
