//! The answer as text for a terminal, and as CSV.

use std::fmt::Write;

use super::comparison::{Answer, Comparison, Contrast, Value};
use super::groups;
use super::verdict::{Difference, Verdict};
use crate::error::Result;
use crate::metrics::definitions::{Definition, Unit, definition};
use crate::table::{aligned, csv_text};

/// A score as its unit is shown.
pub fn shown(metric: &str, value: f64) -> String {
    match definition(metric).map(|definition| definition.unit) {
        Some(Unit::Part) => format!("{:.1}", 100.0 * value),
        Some(Unit::Pixels) => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// A difference, with its sign.
pub fn signed(metric: &str, value: f64) -> String {
    let text = shown(metric, value.abs());
    let is_nothing = text.bytes().all(|byte| b"0.".contains(&byte));
    format!(
        "{}{text}",
        if is_nothing {
            "±"
        } else if value < 0.0 {
            "−"
        } else {
            "+"
        }
    )
}

/// As in "−0.3 to +2.1".
pub fn range(metric: &str, interval: Option<[f64; 2]>) -> String {
    interval.map_or("–".to_owned(), |[low, high]| {
        format!("{} to {}", signed(metric, low), signed(metric, high))
    })
}

/// The title and the unit of a score, as in "mean IoU %".
pub fn title(metric: &str) -> String {
    let unit = match definition(metric).map(|definition| definition.unit) {
        Some(Unit::Part) => " %",
        Some(Unit::Pixels) => " px",
        _ => "",
    };
    format!("{}{unit}", name(metric))
}

/// What a score is called.
pub fn name(metric: &str) -> String {
    match metric {
        "class_average" => "class average".to_owned(),
        _ => match (metric.strip_prefix("mean_"), definition(metric)) {
            (Some(_), Some(Definition { title, .. })) => format!("mean {title}"),
            (None, Some(Definition { title, .. })) if metric.starts_with("classwise") => {
                format!("class-wise {title}")
            }
            (None, Some(Definition { title, .. })) => (*title).to_owned(),
            (_, None) => metric.to_owned(),
        },
    }
}

/// The table, what each verdict rests on, and what a reader should know.
pub fn text(comparison: &Comparison) -> String {
    let metric = comparison.metric;
    let mut rows = vec![
        [
            "",
            &title(metric),
            "seeds",
            "against",
            "pairs",
            "difference",
            "other seeds",
            "resampled seeds, images",
            "P(better)",
            "images +/=/− by mean IoU",
            "verdict",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for arm in &comparison.arms {
        rows.extend(contrasts(arm).map(|contrast| row(arm, contrast, metric)));
    }
    let mut text = aligned(&rows);
    text.push('\n');
    // Writing to a String cannot fail.
    for arm in &comparison.arms {
        for (number, contrast) in arm.contrasts.iter().enumerate() {
            // The first is against the first arm.
            let against = if number == 0 { String::new() } else { format!(" against {}", contrast.against) };
            let Contrast { verdict, reason, .. } = contrast;
            let _ = writeln!(
                text,
                "{}{against}: {}; {reason}{}",
                arm.name,
                verdict.name(),
                detectable(contrast, metric)
            );
        }
    }
    if let Some(rows) = groups::rows(&comparison.groups) {
        let _ = write!(text, "\n{}", aligned(&rows));
    }
    let Comparison { images, split, data, seeds, epochs, blocks, .. } = comparison;
    let _ = writeln!(
        text,
        "\n{images} images of {} of {data}, seeds {}, {epochs} epochs, the {} epoch's net; images are resampled as {blocks}",
        split.name(),
        seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        comparison.checkpoint.name(),
    );
    for note in &comparison.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

/// The contrasts of an arm; once none, so that the first arm has a row, too.
fn contrasts(arm: &Answer) -> impl Iterator<Item = Option<&Contrast>> {
    let none = arm.contrasts.is_empty().then_some(None);
    none.into_iter().chain(arm.contrasts.iter().map(Some))
}

fn detectable(contrast: &Contrast, metric: &str) -> String {
    match contrast.difference(metric).and_then(|difference| difference.smallest_detectable) {
        Some(smallest) if contrast.verdict == Verdict::Undecided => {
            format!("; so many seeds would find a difference of {}", shown(metric, smallest))
        }
        _ => String::new(),
    }
}

fn row(arm: &Answer, contrast: Option<&Contrast>, metric: &str) -> Vec<String> {
    let nothing = || "–".to_owned();
    let difference = contrast.and_then(|contrast| contrast.difference(metric));
    let of = |of: fn(&Difference, &str) -> String| difference.map_or_else(nothing, |d| of(d, metric));
    let changed = contrast.and_then(|contrast| contrast.changed);
    vec![
        arm.name.clone(),
        arm.value(metric).map_or_else(nothing, |value| shown(metric, value.mean)),
        arm.seeds.len().to_string(),
        contrast.map_or_else(nothing, |contrast| contrast.against.clone()),
        contrast.map_or_else(nothing, |contrast| contrast.seeds.len().to_string()),
        of(|d, metric| signed(metric, d.mean)),
        of(|d, metric| range(metric, d.interval)),
        of(|d, metric| range(metric, d.resampled)),
        of(|d, _| d.probability_better.map_or("–".to_owned(), |p| format!("{p:.2}"))),
        changed.map_or_else(nothing, |c| format!("{}/{}/{}", c.improved, c.stable, c.worsened)),
        contrast.map_or("the first".to_owned(), |contrast| contrast.verdict.name().to_owned()),
    ]
}

/// Every score of every arm with its intervals, a row for each arm that it is compared with: parts of 1 in full precision, empty
/// where there is none.
///
/// # Errors
/// If the table cannot be encoded.
pub fn csv(comparison: &Comparison) -> Result<String> {
    csv_text("comparison.csv", |writer| {
        writer.write_record([
            "arm",
            "training",
            "decision",
            "metric",
            "seeds",
            "mean",
            "low",
            "high",
            "against",
            "pairs",
            "difference",
            "difference_low",
            "difference_high",
            "resampled_low",
            "resampled_high",
            "p",
            "p_holm",
            "sign_flip_p",
            "probability_better",
            "smallest_detectable",
        ])?;
        for arm in &comparison.arms {
            for value in &arm.values {
                for contrast in contrasts(arm) {
                    writer.write_record(record(arm, value, contrast))?;
                }
            }
        }
        Ok(())
    })
}

fn record(arm: &Answer, value: &Value, contrast: Option<&Contrast>) -> Vec<String> {
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
    let ends = |interval: Option<[f64; 2]>| [number(interval.map(|i| i[0])), number(interval.map(|i| i[1]))];
    let d = contrast.and_then(|contrast| contrast.difference(value.metric));
    let mut record = vec![
        arm.name.clone(),
        arm.training.clone(),
        arm.decision.clone(),
        value.metric.to_owned(),
        value.seeds.len().to_string(),
        value.mean.to_string(),
    ];
    record.extend(ends(value.interval));
    record.push(contrast.map_or_else(String::new, |contrast| contrast.against.clone()));
    record.push(contrast.map_or_else(String::new, |contrast| contrast.seeds.len().to_string()));
    record.push(number(d.map(|d| d.mean)));
    record.extend(ends(d.and_then(|d| d.interval)));
    record.extend(ends(d.and_then(|d| d.resampled)));
    let rest: [fn(&Difference) -> Option<f64>; 5] =
        [|d| d.p, |d| d.p_holm, |d| d.sign_flip_p, |d| d.probability_better, |d| d.smallest_detectable];
    record.extend(rest.map(|of| number(d.and_then(of))));
    record
}

/// Every score of every arm and seed.
///
/// # Errors
/// If the table cannot be encoded.
pub fn runs_csv(comparison: &Comparison) -> Result<String> {
    csv_text("runs.csv", |writer| {
        writer.write_record(["arm", "seed", "metric", "value"])?;
        for arm in &comparison.arms {
            for value in &arm.values {
                for (seed, score) in arm.seeds.iter().zip(&value.seeds) {
                    writer.write_record([&arm.name, &seed.to_string(), value.metric, &score.to_string()])?;
                }
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_unit_and_sign() {
        assert_eq!(signed("mean_iou", 0.0123), "+1.2");
        assert_eq!(signed("mean_iou", -0.0123), "−1.2");
        assert_eq!(signed("mean_iou", -0.0001), "±0.0");
        assert_eq!(range("nll", Some([-0.5, 0.25])), "−0.500 to +0.250");
        assert_eq!(
            (title("mean_iou"), title("mean_hd95"), title("nll")),
            ("mean IoU %".into(), "mean HD95 px".into(), "NLL".into())
        );
        assert_eq!(
            (title("class_average"), title("accuracy")),
            ("class average %".into(), "accuracy %".into())
        );
    }
}
