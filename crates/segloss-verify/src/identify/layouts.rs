//! A capture and what is said of it: of the layouts that the arrays go with, in the one in which the loss is right.

use super::about::About;
use super::capture::Capture;
use super::error::CheckError;
use super::expected::Expected;
use super::report::{Report, Verdict};
use std::path::Path;

/// Reads a capture, and says which loss it is of, and what is wrong with it.
///
/// # Errors
/// [`CheckError`] where the capture cannot be read.
pub fn judge(path: &Path, told: About, expected: Option<&Expected>) -> Result<(Capture, Report), CheckError> {
    let capture = Capture::open(path, told)?;
    let report = Report::new(&capture, expected);
    if report.verdict == Verdict::Right {
        return Ok((capture, report));
    }
    for about in capture.other_layouts() {
        let Ok(mut other) = Capture::open(path, about) else { continue };
        other
            .notes
            .push(format!("the loss is right with {}; --layout says another", other.layout_in_words()));
        let found = Report::new(&other, expected);
        if found.verdict == Verdict::Right {
            return Ok((other, found));
        }
    }
    Ok((capture, report))
}
