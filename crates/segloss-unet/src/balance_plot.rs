//! Drawn class balances: how often each class occurs, and what every scheme makes of that.

use plotters::prelude::*;

use crate::balance::{Balance, Weights, short};
use crate::error::{Error, Result};

impl Balance {
    /// Draws the shares of the classes, and the schemes' weights over them, as SVG. Each scheme is scaled to
    /// Σ f·w = 1, so that schemes of any size can be compared. Both axes are logarithmic: a scheme that is a
    /// power of the frequency is a straight line.
    ///
    /// # Errors
    /// If the drawing fails.
    pub fn draw(&self) -> Result<String> {
        let shares = self.counts.frequencies();
        let classes = self.names.len();
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (1080, 460)).into_drawing_area();
            root.fill(&WHITE).map_err(failed)?;
            let (left, right) = root.split_horizontally(540);
            let smallest = shares.iter().copied().filter(|&f| f > 0.0).fold(1.0, f64::min);
            let floor = 10f64.powf(smallest.log10().floor());

            let mut bars = ChartBuilder::on(&left)
                .caption("share of the valid pixels", ("sans-serif", 18))
                .margin(12)
                .x_label_area_size(36)
                .y_label_area_size(110)
                .build_cartesian_2d((floor..1.0).log_scale(), 0.0..classes as f64)
                .map_err(failed)?;
            bars.configure_mesh()
                .disable_y_mesh()
                .y_labels(0)
                .x_label_formatter(&|f| format!("{} %", short(100.0 * f)))
                .light_line_style(TRANSPARENT)
                .label_style(("sans-serif", 13))
                .draw()
                .map_err(failed)?;
            // The first class on top.
            let row = |class: usize| (classes - 1 - class) as f64;
            bars.draw_series(shares.iter().enumerate().filter(|(_, f)| **f > 0.0).map(|(class, &f)| {
                let low = row(class) + 0.15;
                Rectangle::new([(floor, low), (f, low + 0.7)], RGBColor(66, 133, 191).filled())
            }))
            .map_err(failed)?;
            let style = ("sans-serif", 13).into_font().color(&BLACK);
            for (class, name) in self.names.iter().enumerate() {
                let (x, y) = bars.backend_coord(&(floor, row(class) + 0.5));
                let anchor = plotters::style::text_anchor::Pos::new(
                    plotters::style::text_anchor::HPos::Right,
                    plotters::style::text_anchor::VPos::Center,
                );
                let (dx, dy) = left.get_base_pixel();
                left.draw(&Text::new(name.clone(), (x - dx - 8, y - dy), style.clone().pos(anchor)))
                    .map_err(failed)?;
            }
            self.draw_schemes(&right, &shares, floor)?;
            root.present().map_err(failed)?;
        }
        Ok(svg)
    }

    fn draw_schemes(
        &self,
        area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
        shares: &[f64],
        floor: f64,
    ) -> Result<()> {
        let usable = |w: &f64| *w > 0.0 && w.is_finite();
        let scaled = |scheme: &Weights| -> Vec<f64> {
            let expected: f64 = scheme.weights.iter().zip(shares).map(|(w, f)| w * f).sum();
            scheme.weights.iter().map(|w| w / expected).collect()
        };
        let weights = || self.schemes.iter().flat_map(scaled).filter(usable);
        let (low, high) = (weights().fold(f64::INFINITY, f64::min), weights().fold(0.0, f64::max));
        // Schemes of one weight for all still need an axis of some length.
        let (low, high) = if low < high { (low * 0.8, high * 1.25) } else { (0.1, 10.0) };
        let mut chart = ChartBuilder::on(area)
            .caption("weight against share, each scheme scaled to Σ f·w = 1", ("sans-serif", 18))
            .margin(12)
            .margin_right(30)
            .x_label_area_size(36)
            .y_label_area_size(60)
            .build_cartesian_2d((floor..1.0).log_scale(), (low..high).log_scale())
            .map_err(failed)?;
        chart
            .configure_mesh()
            .x_label_formatter(&|f| format!("{} %", short(100.0 * f)))
            .y_label_formatter(&|w| short(*w))
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(failed)?;
        for (number, scheme) in self.schemes.iter().enumerate() {
            let colour = Palette99::pick(number).to_rgba();
            let mut points: Vec<(f64, f64)> = shares.iter().copied().zip(scaled(scheme)).collect();
            points.retain(|(f, w)| *f > 0.0 && usable(w));
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))
                .map_err(failed)?
                .label(scheme.scheme.clone())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 13))
            .draw()
            .map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Encoding { what: "the plot of weights".to_owned(), problem: error.to_string() }
}
