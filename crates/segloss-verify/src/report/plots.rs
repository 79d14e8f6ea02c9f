//! The pictures, as SVG.

use super::data::Report;
use crate::artifact::{Training, TrainingRun};
use crate::drawing::{colour, draw, legend, power};
use crate::error::HarnessError;
use plotters::prelude::*;
use std::collections::BTreeSet;

/// Error of a central difference against its step, both logarithmic.
pub(super) fn step_errors(report: &Report) -> Result<String, HarnessError> {
    let usable = || report.step_errors.iter().filter(|point| point.error.is_finite() && point.error > 0.0);
    draw("plot of gradient errors", |area| {
        let mut chart = ChartBuilder::on(area)
            .caption("Gradient against one central difference", ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(42)
            .y_label_area_size(70)
            .build_cartesian_2d((1e-12..1.0f64).log_scale(), (1e-14..1.0f64).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("step h")
            .y_desc("largest error / max|g|")
            .light_line_style(WHITE.mix(0.0))
            .x_label_formatter(&power)
            .y_label_formatter(&power)
            .draw()?;
        let kinds: BTreeSet<&String> = usable().map(|point| &point.kind).collect();
        let (line, number) = (colour(0).mix(0.55).stroke_width(1), kinds.len());
        for (i, kind) in kinds.into_iter().enumerate() {
            let points = usable().filter(|point| &point.kind == kind).map(|point| (point.step, point.error));
            let series = chart.draw_series(LineSeries::new(points, line))?;
            if i == 0 {
                series
                    .label(format!("each of {number} kinds"))
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], line));
            }
        }
        // What theory expects: truncation h², rounding ε/h.
        let guide = BLACK.mix(0.45).stroke_width(1);
        chart
            .draw_series(LineSeries::new([(1e-4, 1e-9), (0.2, 4e-3)], guide))?
            .label("slopes h² and ε/h")
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], guide));
        chart.draw_series(LineSeries::new([(1e-11, 1e-4), (1e-6, 1e-9)], guide))?;
        legend(&mut chart, SeriesLabelPosition::LowerLeft)
    })
}

/// How many entries are off by how many units in the last place, and where the bound lies.
pub(super) fn ulps(report: &Report) -> Result<String, HarnessError> {
    let precisions = ["f32", "f64"];
    let of = |precision: &str, ulps: u64| -> u64 {
        let here = report.ulps.iter().filter(|count| count.precision == precision && count.ulps == ulps);
        here.map(|count| count.count).sum()
    };
    let bound = report.ulps.iter().map(|count| count.bound).fold(1.0, f64::max);
    let most = report.ulps.iter().map(|count| count.ulps).max().unwrap_or(0).min(1000) as f64;
    let top = precisions.iter().flat_map(|p| (0..=most as u64).map(|u| of(p, u))).max().unwrap_or(1).max(1);
    draw("plot of units in the last place", |area| {
        let mut chart = ChartBuilder::on(area)
            .caption("Entries against the correctly rounded number", ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(42)
            .y_label_area_size(70)
            .build_cartesian_2d(-0.5..bound.max(most) + 1.5, (0.5..top as f64 * 2.0).log_scale())?;
        let whole = |x: &f64| if x.fract() == 0.0 { format!("{x:.0}") } else { String::new() };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE.mix(0.0))
            .x_desc("units in the last place")
            .y_desc("entries of maps and gradients")
            .x_label_formatter(&whole)
            .draw()?;
        for (i, precision) in precisions.into_iter().enumerate() {
            let fill = colour(i).mix(0.75).filled();
            let bars =
                (0..=most as u64).map(|ulps| (ulps as f64, of(precision, ulps))).filter(|(_, n)| *n > 0);
            chart
                .draw_series(bars.map(|(ulps, n)| {
                    let left = ulps - 0.4 + 0.4 * i as f64;
                    Rectangle::new([(left, 0.5), (left + 0.38, n as f64)], fill)
                }))?
                .label(precision)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], fill));
        }
        let bounds: BTreeSet<u64> = report.ulps.iter().map(|count| count.bound as u64).collect();
        for bound in bounds {
            let line = BLACK.mix(0.6).stroke_width(1);
            let at = bound as f64 + 0.5;
            chart
                .draw_series(LineSeries::new([(at, 0.5), (at, top as f64 * 2.0)], line))?
                .label(format!("bound {bound}"))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], line));
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })
}

/// Training loss of every run. The scales of two losses differ: each is drawn relative to its first epoch.
pub(super) fn training_loss(training: &Training) -> Result<String, HarnessError> {
    let epochs = training.runs.iter().map(|run| run.losses.len()).max().unwrap_or(1).max(2);
    draw("plot of training losses", |area| {
        let mut chart = ChartBuilder::on(area)
            .caption("Training loss, relative to the first epoch", ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(42)
            .y_label_area_size(58)
            .build_cartesian_2d(1.0..epochs as f64, 0.0..1.25f64)?;
        let whole = |x: &f64| format!("{x:.0}");
        chart
            .configure_mesh()
            .x_desc("epoch")
            .y_desc("loss / first loss")
            .light_line_style(WHITE.mix(0.0))
            .x_label_formatter(&whole)
            .draw()?;
        for (i, loss) in ["plain", "weighted"].into_iter().enumerate() {
            let line = colour(i).stroke_width(2);
            for (number, run) in training.runs_of(loss).enumerate() {
                let first = run.losses.first().copied().unwrap_or(1.0);
                let points = run.losses.iter().enumerate().map(|(e, loss)| ((e + 1) as f64, loss / first));
                let series = chart.draw_series(LineSeries::new(points, line))?;
                if number == 0 {
                    series.label(loss).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], line));
                }
            }
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })
}

/// Recall and IoU of each class: a bar for the mean over the seeds, a dot for each seed.
pub(super) fn training_classes(training: &Training) -> Result<String, HarnessError> {
    let groups = training.classes.len() * 2;
    draw("plot of scores by class", |area| {
        let mut chart = ChartBuilder::on(area)
            .caption("Recall and IoU by class, on images not trained on", ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(42)
            .y_label_area_size(58)
            .build_cartesian_2d(-0.5..groups as f64 - 0.5, 0.0..1.0f64)?;
        let name = |x: &f64| {
            let group = x.round();
            if (x - group).abs() > 1e-9 || group < 0.0 || group as usize >= groups {
                return String::new();
            }
            let what = if (group as usize).is_multiple_of(2) { "recall" } else { "IoU" };
            format!("{}, {what}", training.classes[group as usize / 2])
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE.mix(0.0))
            .x_labels(groups)
            .x_label_formatter(&name)
            .draw()?;
        for (i, loss) in ["plain", "weighted"].into_iter().enumerate() {
            let fill = colour(i).mix(0.75).filled();
            let left = |group: usize| group as f64 - 0.36 + 0.36 * i as f64;
            let value = |group: usize, run: &TrainingRun| match group % 2 {
                0 => run.recall[group / 2],
                _ => run.iou[group / 2],
            };
            chart
                .draw_series((0..groups).map(|group| {
                    let top = training.mean(loss, |run| value(group, run));
                    Rectangle::new([(left(group), 0.0), (left(group) + 0.34, top)], fill)
                }))?
                .label(loss)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], fill));
            chart.draw_series((0..groups).flat_map(|group| {
                let dots = training.runs_of(loss);
                let dots = dots.map(move |run| (left(group) + 0.17, value(group, run)));
                dots.map(|at| Circle::new(at, 3, BLACK.filled())).collect::<Vec<_>>()
            }))?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })
}
