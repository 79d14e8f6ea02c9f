//! What all pictures of the reports have in common: size, colours, legend.

use crate::error::HarnessError;
use plotters::coord::Shift;
use plotters::prelude::*;

/// What is drawn on.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Whether it could be drawn.
pub type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Of a picture, in pixels.
pub const SIZE: (u32, u32) = (760, 440);
/// Told apart by the colour-blind as well (Okabe & Ito 2008), and dark enough for white paper.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 86, 86),
];

/// A picture of the usual size.
pub fn draw(part: &'static str, paint: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String, HarnessError> {
    draw_sized(part, SIZE, paint)
}

/// A picture, as SVG.
pub fn draw_sized(
    part: &'static str,
    size: (u32, u32),
    paint: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String, HarnessError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let drawn = area.fill(&WHITE).map_err(Into::into).and_then(|()| paint(&area));
        let shown = drawn.and_then(|()| area.present().map_err(Into::into));
        shown.map_err(|error| HarnessError::Report { part, what: error.to_string() })?;
    }
    Ok(svg)
}

/// The colour of a series.
pub fn colour(i: usize) -> RGBColor {
    COLOURS[i % COLOURS.len()]
}

/// Which series is which.
pub fn legend<'a, X: Ranged<ValueType = f64>, Y: Ranged<ValueType = f64>>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    position: SeriesLabelPosition,
) -> Drawn {
    chart
        .configure_series_labels()
        .position(position)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

/// 1e-6 for 0.000001.
pub fn power(x: &f64) -> String {
    format!("{x:.0e}")
}
