//! The log of a run, a row for each epoch, and `curves.svg`: its loss and scores over the epochs.

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const SIZE: (u32, u32) = (960, 420);

/// One row of `log.csv`. Scores are of the validation images, parts of 1; empty where there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// Counted from 1.
    pub epoch: usize,
    /// Optimizer steps so far.
    pub step: u64,
    /// Of the epoch's last step.
    pub learning_rate: f64,
    /// Mean over the epoch's images, each in its batch, while the net was learning.
    pub train_loss: f64,
    /// Mean over the epoch's steps of the norm of the gradient, before clipping.
    pub gradient_norm: f64,
    /// Mean over the validation images.
    pub val_loss: f64,
    /// Mean IoU.
    pub mean_iou: Option<f64>,
    /// Mean Dice.
    pub mean_dice: Option<f64>,
    /// Mean recall.
    pub class_average: Option<f64>,
    /// Global accuracy.
    pub accuracy: Option<f64>,
    /// Expected calibration error.
    pub calibration_error: Option<f64>,
    /// Wall time of the training steps.
    pub train_seconds: f64,
    /// Of it, how long the steps waited for their batches.
    #[serde(default)]
    pub wait_seconds: f64,
    /// Wall time of the validation.
    pub val_seconds: f64,
}

/// One line of a chart.
struct Curve {
    name: &'static str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

/// Draws the log as SVG: losses on the left, scores on the right.
///
/// # Errors
/// If the drawing fails.
pub fn draw(log: &[LogRow]) -> Result<String> {
    let curve = |name, colour, value: fn(&LogRow) -> Option<f64>| {
        let point = |row: &LogRow| value(row).filter(|v| v.is_finite()).map(|v| (row.epoch as f64, v));
        Curve { name, colour, points: log.iter().filter_map(point).collect() }
    };
    let losses = [
        curve("training", RGBColor(31, 119, 180), |row| Some(row.train_loss)),
        curve("validation", RGBColor(214, 90, 30), |row| Some(row.val_loss)),
    ];
    let scores = [
        curve("accuracy", RGBColor(127, 127, 127), |row| row.accuracy),
        curve("class average", RGBColor(44, 130, 60), |row| row.class_average),
        curve("mean IoU", RGBColor(148, 60, 160), |row| row.mean_iou),
    ];
    let largest = losses.iter().flat_map(|curve| &curve.points).map(|point| point.1).fold(0.0, f64::max);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let (left, right) = root.split_horizontally(SIZE.0 / 2);
        let epochs = log.last().map_or(1, |row| row.epoch);
        let top = if largest > 0.0 { largest * 1.05 } else { 1.0 };
        // Each legend stands where its curves rarely go: losses fall, scores rise.
        chart(&left, "loss", epochs, top, &losses, SeriesLabelPosition::UpperRight)?;
        chart(&right, "validation scores", epochs, 1.0, &scores, SeriesLabelPosition::LowerRight)?;
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

fn chart(
    area: &DrawingArea<SVGBackend, plotters::coord::Shift>,
    title: &str,
    epochs: usize,
    top: f64,
    curves: &[Curve],
    legend: SeriesLabelPosition,
) -> Result<()> {
    // A run of one epoch still needs an axis of some length.
    let x = 0.0..(epochs.max(2) as f64);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(52)
        .build_cartesian_2d(x, 0.0..top)
        .map_err(failed)?;
    let whole = |value: &f64| if value.fract() == 0.0 { format!("{value}") } else { String::new() };
    chart
        .configure_mesh()
        .x_desc("epoch")
        .x_label_formatter(&whole)
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 13))
        .y_label_formatter(&|value| {
            <plotters::coord::types::RangedCoordf64 as ValueFormatter<f64>>::format(value)
        })
        .draw()
        .map_err(failed)?;
    for curve in curves {
        let style = curve.colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), style).point_size(2))
            .map_err(failed)?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(legend)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 13))
        .draw()
        .map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Encoding { what: "curves.svg".to_owned(), problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_single_and_broken_logs_are_drawn() {
        let row = |epoch, loss| LogRow { epoch, train_loss: loss, val_loss: loss, ..LogRow::default() };
        for log in [vec![], vec![row(1, 0.0)], vec![row(1, 2.0), row(2, f64::NAN), row(3, 1.0)]] {
            let svg = draw(&log).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
            assert!(svg.contains("mean IoU") && !svg.contains("NaN"), "{svg}");
        }
    }
}
