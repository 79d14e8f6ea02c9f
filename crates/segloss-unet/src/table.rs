//! The per-class table, for people and for programs. A score that does not exist is `–`, never NaN.

use std::fmt::Write;

use crate::error::{Error, Result};
use crate::metrics::definitions::{CLASS_METRICS, ClassMetric, RUN_METRICS, Unit};
use crate::metrics::report::counts;
use crate::metrics::{Report, Scores};

/// As CSV: parts of 1 in full precision; an empty cell where there is no score.
///
/// # Errors
/// If the table cannot be encoded.
pub fn csv(scores: &Scores) -> Result<String> {
    csv_text("the class table", |writer| scores.classes.iter().try_for_each(|class| writer.serialize(class)))
}

/// The text of a table; `what` names it in messages.
pub(crate) fn csv_text(
    what: &str,
    write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>,
) -> Result<String> {
    let failed = |problem: String| Error::Encoding { what: what.to_owned(), problem };
    let mut writer = csv::Writer::from_writer(Vec::new());
    write(&mut writer).map_err(|error| failed(error.to_string()))?;
    let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
}

/// As Markdown that also reads well as plain text: percentages, columns aligned, totals below.
pub fn markdown(scores: &Scores) -> String {
    let title = ["label", "class", "pixels", "IoU %", "Dice %", "precision %", "recall %"]
        .map(str::to_owned)
        .to_vec();
    let mut rows = vec![title];
    for class in &scores.classes {
        rows.push(vec![
            class.label.to_string(),
            class.name.replace('|', "\\|"),
            class.pixels.to_string(),
            percent(class.iou),
            percent(class.dice),
            percent(class.precision),
            percent(class.recall),
        ]);
    }
    let mut text = aligned(&rows);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\naccuracy {} % · class average {} % · mean IoU {} % · mean Dice {} % · calibration error {} % · {} pixels\n",
        percent(scores.accuracy),
        percent(scores.class_average),
        percent(scores.mean_iou),
        percent(scores.mean_dice),
        percent(scores.calibration_error),
        scores.valid_pixels,
    );
    text
}

/// The scores of an evaluation, as [`markdown`]: the usual ones of each class, or all; then those of all images.
pub fn report(report: &Report, all: bool) -> String {
    let shown: Vec<&ClassMetric> = CLASS_METRICS.iter().filter(|metric| all || metric.usual).collect();
    let counted = ["pixels", "images", "missed_images", "claimed_images"];
    let counted = if all { &counted[..] } else { &counted[..1] };
    let plain = |name: &str| name.replace('_', " ");
    let title =
        ["label".to_owned(), "class".to_owned()].into_iter().chain(counted.iter().map(|name| plain(name)));
    let mut rows = vec![title.chain(shown.iter().map(|metric| titled(metric, report.beta()))).collect()];
    for class in &report.sums.classes {
        let mut row = vec![class.class.label.to_string(), class.class.name.replace('|', "\\|")];
        let count = |(name, count): (&str, u64)| counted.contains(&name).then(|| count.to_string());
        row.extend(counts(class).into_iter().filter_map(count));
        row.extend(
            shown.iter().map(|metric| shown_as(report.of_class(metric, class), metric.definition.unit)),
        );
        rows.push(row);
    }
    let mut mean = vec![String::new(), "mean".to_owned()];
    mean.extend(counted.iter().map(|_| String::new()));
    mean.extend(shown.iter().map(|metric| shown_as(report.mean(metric), metric.definition.unit)));
    rows.push(mean);
    let mut text = aligned(&rows);
    let value = |name: &str, title: &str| {
        let of_class =
            CLASS_METRICS.iter().find(|metric| metric.mean == name).map(|metric| metric.definition);
        let of_run = RUN_METRICS.iter().map(|metric| metric.definition).find(|metric| metric.name == name);
        let unit = of_run.or(of_class).map_or(Unit::Plain, |definition| definition.unit);
        format!("{title} {}{}", shown_as(report.value(name), unit), suffix(unit))
    };
    let measures = report.measures();
    let of_pixels = [
        value("accuracy", "accuracy"),
        value("class_average", "class average"),
        value("mean_iou", "mean IoU"),
        value("mean_dice", "mean Dice"),
        format!("{} pixels", report.sums.valid_pixels),
    ];
    let of_images = [
        format!(
            "{} (worst tenth of the images {} %)",
            value("iou_of_images", "mIoU^I"),
            percent(report.value("iou_of_images_worst"))
        ),
        format!(
            "{} (of each class's images {} %)",
            value("mean_image_iou", "mIoU^C"),
            percent(report.value("mean_image_iou_worst"))
        ),
        format!("{} images", report.images),
    ];
    let of_outlines = [
        format!("{} within {} px", value("mean_surface_dice", "mean NSD"), measures.tolerance),
        format!("{}{}", value("mean_hd95", "mean HD95"), left_out(report)),
        format!(
            "{} (band {} % of the diagonal)",
            value("mean_boundary_iou", "mean boundary IoU"),
            nice(100.0 * measures.band_ratio)
        ),
    ];
    let of_probabilities = [
        value("calibration_error", "calibration error"),
        value("classwise_calibration_error", "class-wise"),
        value("brier", "Brier"),
        value("nll", "NLL"),
    ];
    text.push('\n');
    for line in [&of_pixels[..], &of_images, &of_outlines, &of_probabilities] {
        text.push_str(&line.join(" · "));
        text.push('\n');
    }
    for class in report.sums.classes.iter().filter(|class| class.claimed_images > 0) {
        let (name, claimed, absent) = (&class.class.name, class.claimed_images, class.absent_images);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "`{name}` was predicted in {claimed} of the {absent} images without it: {} pixels",
            class.claimed_pixels
        );
    }
    text
}

/// The scores of each class as CSV: parts of 1 and pixels in full precision; an empty cell where there is no score. The
/// last row has the means.
///
/// # Errors
/// If the table cannot be encoded.
pub fn report_csv(report: &Report) -> Result<String> {
    let cell = |score: Option<f64>| score.map_or_else(String::new, |score| score.to_string());
    csv_text("the table of scores", |writer| {
        let classes = &report.sums.classes;
        let Some(first) = classes.first() else { return Ok(()) };
        let counted = counts(first).map(|(name, _)| name);
        let metrics = CLASS_METRICS.iter().map(|metric| metric.definition.name);
        writer.write_record(["label", "name"].into_iter().chain(counted).chain(metrics))?;
        for class in classes {
            let row = [class.class.label.to_string(), class.class.name.clone()].into_iter();
            let row = row.chain(counts(class).map(|(_, count)| count.to_string()));
            let scores = CLASS_METRICS.iter().map(|metric| cell(report.of_class(metric, class)));
            writer.write_record(row.chain(scores))?;
        }
        let row = [String::new(), "mean".to_owned()].into_iter().chain(counted.map(|_| String::new()));
        let means = CLASS_METRICS.iter().map(|metric| cell(report.mean(metric)));
        writer.write_record(row.chain(means))
    })
}

/// What HD95 does not see.
fn left_out(report: &Report) -> String {
    match report.sums.classes.iter().map(|class| class.missed_images).sum() {
        0 => String::new(),
        1 => " (a class that an image missed is left out)".to_owned(),
        missed => format!(" ({missed} times that an image missed a class are left out)"),
    }
}

/// The head of a column, with its unit.
fn titled(metric: &ClassMetric, beta: f64) -> String {
    let title = metric.definition.title.replace("F_β", &format!("F_{}", nice(beta)));
    // "worst 10 %" says already that it is a part.
    let suffix = if title.ends_with('%') { "" } else { suffix(metric.definition.unit) };
    format!("{title}{suffix}")
}

fn suffix(unit: Unit) -> &'static str {
    match unit {
        Unit::Part => " %",
        Unit::Pixels => " px",
        Unit::Plain => "",
    }
}

fn shown_as(score: Option<f64>, unit: Unit) -> String {
    match (score, unit) {
        (None, _) => "–".to_owned(),
        (score, Unit::Part) => percent(score),
        (Some(score), Unit::Pixels) => format!("{score:.1}"),
        (Some(score), Unit::Plain) => format!("{score:.3}"),
    }
}

/// A number that a person typed, without the digits that binary fractions add.
fn nice(x: f64) -> String {
    ((x * 1e6).round() / 1e6).to_string()
}

/// Whether a cell is a number, or stands for one that there is not.
fn is_number(cell: &str) -> bool {
    let unsigned = cell.trim_start_matches(['+', '−', '±', '-']);
    cell.is_empty() || cell == "–" || unsigned.starts_with(|first: char| first.is_ascii_digit())
}

/// Rows as a Markdown table, the first of them its head: columns of numbers to the right, of words to the left.
pub fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let is_of_words = |column: usize| rows.iter().skip(1).any(|row| !is_number(&row[column]));
    let of_words: Vec<bool> = (0..columns).map(is_of_words).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a String cannot fail.
            let _ = match of_words[column] {
                true => write!(text, "| {cell:<width$} "),
                false => write!(text, "| {cell:>width$} "),
            };
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let _ = match of_words[column] {
                    true => write!(text, "|{:-<1$}", "", width + 2),
                    false => write!(text, "|{:->1$}", ":", width + 2),
                };
            }
            text.push_str("|\n");
        }
    }
    text
}

/// A part of 1 as a percentage with one decimal.
pub fn percent(score: Option<f64>) -> String {
    score.map_or_else(|| "–".to_owned(), |score| format!("{:.1}", 100.0 * score))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Classes;
    use crate::metrics::{Decision, Tally};

    fn scores() -> Scores {
        let mut tally = Tally::new(2);
        tally.add(0, Decision { class: 0, confidence: 1.0 });
        let names = vec!["a|b".into(), "absent".into()];
        tally.scores(&Classes { names, ..Classes::numbered(2, None) })
    }

    #[test]
    fn absent_classes_are_dashes() {
        let text = markdown(&scores());
        assert!(text.contains("|     0 | a\\|b   |      1 | 100.0 |"), "{text}");
        assert!(text.contains("|     1 | absent |      0 |     – |      – |"), "{text}");
        assert!(text.contains("mean IoU 100.0 %") && !text.contains("NaN"), "{text}");
        let widths: Vec<usize> = text.lines().take(4).map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|&width| width == widths[0]), "{text}");
    }

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["score", "n", "by"]), row(["1.5", "100", "arg max"]), row(["–", "−2", "t"])];
        let expected = "| score |   n | by      |\n|------:|----:|---------|\n|   1.5 | 100 | arg max |\n|     – |  −2 | t       |\n";
        assert_eq!(aligned(&rows), expected);
    }

    #[test]
    fn csv_has_empty_cells() {
        let text = csv(&scores()).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("label,name,pixels,predicted,iou,dice,precision,recall"));
        assert_eq!(lines.next(), Some("0,a|b,1,1,1.0,1.0,1.0,1.0"));
        assert_eq!(lines.next(), Some("1,absent,0,0,,,,"));
    }
}
