//! The per-class table, for people and for programs. A score that does not exist is `–`, never NaN.

use std::fmt::Write;

use crate::error::{Error, Result};
use crate::metrics::Scores;

/// As CSV: parts of 1 in full precision; an empty cell where there is no score.
///
/// # Errors
/// If the table cannot be encoded.
pub fn csv(scores: &Scores) -> Result<String> {
    let failed = |error: String| Error::Encoding { what: "the class table".to_owned(), problem: error };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for class in &scores.classes {
        writer.serialize(class).map_err(|error| failed(error.to_string()))?;
    }
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

/// Rows as a Markdown table: the second column to the left, numbers to the right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a String cannot fail.
            let _ = match column {
                1 => write!(text, "| {cell:<width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let _ = match column {
                    1 => write!(text, "|{:-<1$}", "", width + 2),
                    _ => write!(text, "|{:->1$}", ":", width + 2),
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
    fn csv_has_empty_cells() {
        let text = csv(&scores()).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("label,name,pixels,predicted,iou,dice,precision,recall"));
        assert_eq!(lines.next(), Some("0,a|b,1,1,1.0,1.0,1.0,1.0"));
        assert_eq!(lines.next(), Some("1,absent,0,0,,,,"));
    }
}
