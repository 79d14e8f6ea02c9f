//! The score against t, with its interval, as SVG.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::fit::Fit;
use super::goal::Goal;
use crate::error::{Error, Result};

const SIZE: (u32, u32) = (720, 420);
const CURVE: RGBColor = RGBColor(31, 119, 180);
const CHOSEN: RGBColor = RGBColor(214, 90, 30);

/// Draws the curve of a fit.
///
/// # Errors
/// If the drawing fails.
pub fn draw(fit: &Fit, goal: Goal, chosen_by: &str) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let ends = |&(_, scored): &(f64, super::fit::Scored)| scored.interval.unwrap_or([scored.value; 2]);
        let marked = [fit.arg_max.value, fit.fitted.value];
        let low = fit.curve.iter().map(|point| ends(point)[0]).chain(marked).fold(1.0, f64::min);
        let high = fit.curve.iter().map(|point| ends(point)[1]).chain(marked).fold(0.0, f64::max);
        let (low, high) = ((low - 0.02).max(0.0), (high + 0.02).min(1.0));
        // A strength that was given may lie beyond what was looked at: the axis reaches it, the curve does not.
        let given = fit.strength.unwrap_or(0.0);
        let first = fit.curve.first().map_or(0.0, |point| point.0).min(given);
        let last = fit.curve.last().map_or(1.0, |point| point.0).max(given);
        let mut chart = ChartBuilder::on(&root)
            .caption(format!("{goal} on {chosen_by}, 95 % of resampled images"), ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(first..last, low..high)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .x_desc("strength t of the shift −t·ln π;  0: arg max, and any equal threshold such as 1/C;  1: balanced priors")
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(failed)?;
        let upper = fit.curve.iter().map(|point| (point.0, ends(point)[1]));
        let lower = fit.curve.iter().rev().map(|point| (point.0, ends(point)[0]));
        chart
            .draw_series(std::iter::once(Polygon::new(
                upper.chain(lower).collect::<Vec<_>>(),
                CURVE.mix(0.15),
            )))
            .map_err(failed)?;
        let line = fit.curve.iter().map(|&(t, scored)| (t, scored.value));
        chart.draw_series(LineSeries::new(line, CURVE.stroke_width(2))).map_err(failed)?;
        let mut mark = |t: f64, value: f64, what: &str, colour: RGBColor| -> Result<()> {
            let text = format!("{what}: {:.1} %", 100.0 * value);
            // On the right half the words end at the mark, or they would leave the picture.
            let (from, side) = if t > (first + last) / 2.0 { (HPos::Right, -8) } else { (HPos::Left, 8) };
            let style = ("sans-serif", 13).into_font().color(&colour).pos(Pos::new(from, VPos::Top));
            let marked = EmptyElement::at((t, value))
                + Circle::new((0, 0), 5, colour.filled())
                + Text::new(text, (side, -18), style);
            chart.draw_series(std::iter::once(marked)).map(|_| ()).map_err(failed)
        };
        mark(0.0, fit.arg_max.value, "1/C, arg max", BLACK)?;
        if let Some(t) = fit.strength.filter(|&t| t != 0.0) {
            mark(t, fit.fitted.value, &format!("t = {t}"), CHOSEN)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Encoding { what: "rule.svg".to_owned(), problem: error.to_string() }
}
