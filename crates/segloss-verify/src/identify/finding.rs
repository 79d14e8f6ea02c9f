//! A fault in words, and what it is found by.

use super::capture::Capture;
use super::cause::Cause;
use super::expected::Expected;
use super::identified::Identified;
use super::observation::Observation;
use super::search::Found;
use super::symptoms;
use serde::Serialize;

/// A fault, what shows it, and what follows from it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Which.
    pub cause: Cause,
    /// What it is, in words.
    pub title: &'static str,
    /// What shows it: a batch, a pixel, a number.
    pub witness: String,
    /// What it does to a training.
    pub consequence: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Finding {
    /// The cause says what it is and what to do.
    pub fn new(cause: Cause, witness: impl Into<String>, consequence: impl Into<String>) -> Self {
        let (witness, consequence) = (witness.into(), consequence.into());
        Self { cause, title: cause.title(), witness, consequence, remedy: cause.remedy() }
    }
}

/// What was looked for, and what came of it.
pub struct Evidence<'a> {
    /// The answers.
    pub capture: &'a Capture,
    /// The loss that explains the gradients (and the values).
    pub found: &'a Found,
    /// Where no loss explains gradient and value, or there is no gradient: the loss that explains the values.
    pub by_value: Option<&'a Identified>,
    /// Where no loss explains values and gradients: one that does but for pixels that get no gradient.
    pub but_silent: Option<&'a Identified>,
    /// What the user says that it is.
    pub expected: Option<&'a Expected>,
}

/// The batch that is shown where none is named.
pub fn first<'a>(evidence: &Evidence<'a>) -> &'a Observation {
    let all = &evidence.capture.observations;
    // There is one: an empty capture is refused.
    all.iter().find(|o| o.gradient.is_some()).unwrap_or(&all[0])
}

/// A pixel in words.
pub fn in_words((logits, label): &(Vec<f64>, Option<i64>)) -> String {
    let logits: Vec<String> = logits.iter().take(6).map(|z| format!("{z:.3}")).collect();
    let more = if logits.len() == 6 { ", …" } else { "" };
    match label {
        Some(label) => format!("a pixel of class {label} with the logits ({}{more})", logits.join(", ")),
        None => format!("a pixel with the logits ({}{more})", logits.join(", ")),
    }
}

/// The batch's name, where there are several.
pub fn batch(name: &str) -> String {
    if name.is_empty() { "the batch".to_owned() } else { format!("batch `{name}`") }
}

/// A share in percent.
pub fn percent(x: f64) -> String {
    match 100.0 * x {
        0.0 => "0 %".to_owned(),
        x if x < 0.01 => format!("{x:.1e} %"),
        x if x < 10.0 => format!("{x:.2} %"),
        x => format!("{x:.1} %"),
    }
}

/// "class 2, 3 % of the pixels, gets 0.3 % of the gradient".
pub fn rarest(o: &Observation) -> Option<String> {
    let (pixels, gradient) = (symptoms::pixel_shares(o)?, symptoms::gradient_shares(o)?);
    let (class, share) = pixels
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, share)| *share > 0.0)
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(format!(
        "class {class}, {} of the pixels, gets {} of the gradient here",
        percent(share),
        percent(gradient[class])
    ))
}
