//! The pictures of the page, as SVG.

use super::contest::Timing;
use super::growth::{points, speed_up};
use super::history::Change;
use super::plan::{
    BURN, CANDLE, COMPILED, GROWING, KINDS, OURS, TORCH, kinds, of_kind, of_shape, thread_counts,
};
use super::results::Results;
use super::worker::median;
use super::workload::{COPY, LARGE, LAYOUTS, WEIGHTED, WEIGHTED_FULL, bytes, name, pretty, spoken};
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;
use segloss_verify::HarnessError;
use segloss_verify::drawing::{Area, Drawn, colour, draw, draw_sized, legend};

/// Who is shown beside whom, and what they compute.
const SHOWN: [(&str, &str); 5] =
    [(OURS, WEIGHTED), (COMPILED, WEIGHTED), (TORCH, WEIGHTED), (BURN, WEIGHTED_FULL), (CANDLE, WEIGHTED)];

/// Names at whole numbers, and nothing between them.
fn named(names: &[String]) -> impl Fn(&f64) -> String + '_ {
    |x| {
        let whole = x.round();
        let near = (x - whole).abs() < 1e-9 && whole >= 0.0;
        near.then(|| names.get(whole as usize).cloned()).flatten().unwrap_or_default()
    }
}

/// 0.3, 12, 400: as many digits as say something.
fn short(x: &f64) -> String {
    if *x < 1.0 { format!("{x:.2}") } else { format!("{x:.0}") }
}

/// How many copies of the logits each contender takes for weighted cross-entropy.
pub(super) fn peers(results: &Results) -> Result<String, HarnessError> {
    let taken = |who: &str, what: &str, shape, layout: &str| {
        let timing = results.find(&of_shape(shape), who, &name(what, layout, "f32", shape))?;
        let copy = results.find(&of_shape(shape), OURS, &name(COPY, layout, "f32", shape))?;
        Some(timing.ratio(copy)).filter(|ratio| ratio.is_finite())
    };
    let present: Vec<(&str, &str)> = SHOWN
        .into_iter()
        .filter(|&(who, what)| {
            let anywhere = |shape| LAYOUTS.iter().any(|layout| taken(who, what, shape, layout).is_some());
            LARGE.into_iter().any(anywhere)
        })
        .collect();
    let names: Vec<String> = LARGE.into_iter().map(pretty).collect();
    draw_sized("plot of peers", (960, 420), |area| {
        let halves = area.split_evenly((1, 2));
        for (half, layout) in halves.iter().zip(LAYOUTS) {
            let caption = format!("Weighted cross-entropy with its gradient, {}", spoken(layout));
            let mut chart = ChartBuilder::on(half)
                .caption(caption, ("sans-serif", 16))
                .margin(12)
                .x_label_area_size(30)
                .y_label_area_size(52)
                .build_cartesian_2d(-0.5..LARGE.len() as f64 - 0.5, (0.7..10_000.0f64).log_scale())?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(WHITE.mix(0.0))
                .x_labels(LARGE.len())
                .x_label_formatter(&named(&names))
                .y_label_formatter(&short)
                .y_desc("time, in copies of the logits")
                .draw()?;
            let width = 0.8 / present.len().max(1) as f64;
            for (i, (who, what)) in present.iter().enumerate() {
                let fill = colour(i).mix(0.8).filled();
                let bars = LARGE.into_iter().enumerate().filter_map(|(group, shape)| {
                    let left = group as f64 - 0.4 + width * i as f64;
                    Some((left, taken(who, what, shape, layout)?))
                });
                chart
                    .draw_series(
                        bars.clone().map(|(left, top)| {
                            Rectangle::new([(left, 0.7), (left + 0.92 * width, top)], fill)
                        }),
                    )?
                    .label(*who)
                    .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], fill));
                chart.draw_series(bars.map(|(left, top)| {
                    let text = if top < 10.0 { format!("{top:.1}") } else { format!("{top:.0}") };
                    Text::new(text, (left, top * 1.32), ("sans-serif", 11))
                }))?;
            }
            let line = BLACK.mix(0.6).stroke_width(1);
            chart.draw_series(LineSeries::new([(-0.5, 1.0), (LARGE.len() as f64 - 0.5, 1.0)], line))?;
            if layout == LAYOUTS[0] {
                legend(&mut chart, SeriesLabelPosition::UpperLeft)?;
            }
        }
        Ok(())
    })
}

/// Bytes a second.
fn rate(timing: &Timing) -> f64 {
    bytes("f32", KINDS) as f64 / timing.seconds()
}

/// The rate at which the logits are copied: the median of the contests of all kinds.
pub(super) fn copy_rate(results: &Results, layout: &str) -> Option<f64> {
    let copy = name(COPY, layout, "f32", KINDS);
    let rates: Vec<f64> =
        kinds().filter_map(|kind| results.find(&of_kind(kind), OURS, &copy).map(rate)).collect();
    (!rates.is_empty()).then(|| median(&rates))
}

/// The rate at which each kind moves its bytes, the fastest last: kind, then one of each layout.
pub(super) fn rates(results: &Results) -> Vec<(&'static str, [Option<f64>; 2])> {
    let of = |kind: &'static str| {
        let rate = |layout| results.find(&of_kind(kind), OURS, &name(kind, layout, "f32", KINDS)).map(rate);
        (kind, LAYOUTS.map(rate))
    };
    let best = |rates: &[Option<f64>; 2]| rates.iter().flatten().copied().fold(0.0, f64::max);
    let mut rates: Vec<_> = kinds().map(of).collect();
    rates.sort_by(|a, b| best(&a.1).total_cmp(&best(&b.1)));
    rates
}

/// Bytes moved by each kind, against the rate at which a copy moves them.
pub(super) fn roofline(results: &Results) -> Result<String, HarnessError> {
    let rates = rates(results);
    let names: Vec<String> = rates.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let giga = 1e9;
    let all = || rates.iter().flat_map(|(_, rates)| rates.iter().flatten()).map(|rate| rate / giga);
    let copies = LAYOUTS.map(|layout| copy_rate(results, layout).map(|rate| rate / giga));
    let low = 0.7 * all().fold(1.0, f64::min).max(1e-6);
    let high = 1.6 * copies.iter().flatten().copied().chain(all()).fold(1.0, f64::max);
    draw_sized("roofline", (760, 640), |area| {
        let mut chart = ChartBuilder::on(area)
            .caption(
                format!("Logits in and gradients out, {} in f32, against a copy", pretty(KINDS)),
                ("sans-serif", 18),
            )
            .margin(14)
            .x_label_area_size(42)
            .y_label_area_size(150)
            .build_cartesian_2d((low..high).log_scale(), -0.5..rates.len() as f64 - 0.5)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(WHITE.mix(0.0))
            .y_labels(rates.len())
            .y_label_formatter(&named(&names))
            .x_label_formatter(&short)
            .x_desc("gigabytes a second")
            .draw()?;
        for (i, layout) in LAYOUTS.into_iter().enumerate() {
            let fill = colour(i).mix(0.8).filled();
            let bars = rates.iter().enumerate().filter_map(|(row, (_, rates))| Some((row, rates[i]? / giga)));
            chart
                .draw_series(bars.map(|(row, rate)| {
                    let top = row as f64 + 0.4 - 0.4 * i as f64;
                    Rectangle::new([(low, top - 0.38), (rate, top)], fill)
                }))?
                .label(spoken(layout))
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], fill));
            if let Some(copy) = copies[i] {
                let line = colour(i).stroke_width(2);
                let ends = [(copy, -0.5), (copy, rates.len() as f64 - 0.5)];
                chart
                    .draw_series(LineSeries::new(ends, line))?
                    .label(format!("a copy, {}", spoken(layout)))
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], line));
            }
        }
        // Where the slowest kinds leave room.
        legend(&mut chart, SeriesLabelPosition::LowerMiddle)
    })
}

/// Time of a logit against how many there are: flat where cost grows linearly.
pub(super) fn growth(results: &Results, along: &'static str) -> Result<String, HarnessError> {
    let series = |what, layout| -> Vec<(f64, f64)> {
        points(results, along, what, layout).into_iter().map(|(n, seconds)| (n, seconds / n * 1e9)).collect()
    };
    let all = || {
        GROWING.into_iter().flat_map(|what| LAYOUTS.into_iter().flat_map(move |layout| series(what, layout)))
    };
    let extent = |of: fn(&(f64, f64)) -> f64, start: f64| {
        all()
            .map(|point| of(&point))
            .fold((start, 0.0), |(low, high): (f64, f64), x| (low.min(x), high.max(x)))
    };
    let ((left, right), (low, high)) = (extent(|p| p.0, 1e12), extent(|p| p.1, 1e12));
    draw("plot of growth", |area| {
        let mut chart = ChartBuilder::on(area)
            .caption(format!("Time of a logit as {along} grow: flat is linear"), ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(42)
            .y_label_area_size(64)
            .build_cartesian_2d(
                (0.8 * left..9.0 * right.max(1.0)).log_scale(),
                (0.7 * low..1.5 * high.max(1e-6)).log_scale(),
            )?;
        chart
            .configure_mesh()
            .light_line_style(WHITE.mix(0.0))
            .x_desc("logits")
            .y_desc("nanoseconds a logit")
            .x_label_formatter(&|x| format!("{x:.0e}"))
            .y_label_formatter(&short)
            .draw()?;
        lines(&mut chart, &series)?;
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })
}

/// The losses of [`GROWING`], a line for each layout: whole for channels last, broken for channels first.
fn lines<'a, X: Ranged<ValueType = f64>, Y: Ranged<ValueType = f64>>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    series: &dyn Fn(&'static str, &'static str) -> Vec<(f64, f64)>,
) -> Drawn {
    let [first, last] = LAYOUTS;
    for (i, what) in GROWING.into_iter().enumerate() {
        let (thick, thin) = (colour(i).stroke_width(2), colour(i).stroke_width(1));
        chart
            .draw_series(LineSeries::new(series(what, last), thick))?
            .label(what)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], thick));
        chart.draw_series(DashedLineSeries::new(series(what, first), 5, 4, thin))?;
        chart.draw_series(series(what, last).into_iter().map(|at| Circle::new(at, 3, colour(i).filled())))?;
    }
    let none = TRANSPARENT.stroke_width(0);
    chart
        .draw_series(LineSeries::new([], none))?
        .label(format!("broken: {}", spoken(first)))
        .legend(move |(x, y)| PathElement::new([(x, y), (x, y)], none));
    Ok(())
}

/// How many times as fast more threads are.
pub(super) fn threads(results: &Results) -> Result<String, HarnessError> {
    let counts = thread_counts(results.machine.cores);
    let most = *counts.last().unwrap_or(&1) as f64;
    let series = |what, layout| -> Vec<(f64, f64)> {
        let of = |&threads: &usize| Some((threads as f64, speed_up(results, what, layout, threads)?));
        counts.iter().filter_map(of).collect()
    };
    draw("plot of threads", |area: &Area<'_>| {
        let mut chart = ChartBuilder::on(area)
            .caption("How many times as fast as one thread", ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(42)
            .y_label_area_size(58)
            .build_cartesian_2d(0.9..1.45 * most + 0.1, 0.0..1.25 * most)?;
        let whole = |x: &f64| match x.fract() == 0.0 && *x <= most {
            true => format!("{x:.0}"),
            false => String::new(),
        };
        chart
            .configure_mesh()
            .light_line_style(WHITE.mix(0.0))
            .x_desc("threads")
            .y_desc("speed-up")
            .x_labels(most as usize + 1)
            .x_label_formatter(&whole)
            .draw()?;
        let guide = BLACK.mix(0.45).stroke_width(1);
        chart
            .draw_series(LineSeries::new([(1.0, 1.0), (most, most)], guide))?
            .label("all threads at work")
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], guide));
        lines(&mut chart, &series)?;
        legend(&mut chart, SeriesLabelPosition::LowerRight)
    })
}

/// Copies that everything takes, by those that it took before.
pub(super) fn history(changes: &[Change]) -> Result<String, HarnessError> {
    let names: Vec<String> = changes
        .iter()
        .map(|change| {
            let mut parts = change.workload.split('/');
            let (what, layout) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let shape = parts.nth(1).filter(|_| change.contest.starts_with("shape"));
            let shape = shape.map_or_else(String::new, |shape| format!(" {}", shape.replace('x', "×")));
            format!("{what}{shape}, {}", layout.trim_start_matches("channels_"))
        })
        .collect();
    let rows = changes.len().max(1);
    let far = changes.iter().map(|change| change.ratio().ln().abs()).fold(0.5f64.ln().abs(), f64::max).exp();
    draw_sized("plot of before and after", (760, 110 + 15 * rows as u32), |area| {
        let mut chart = ChartBuilder::on(area)
            .caption("Time in copies of the logits: after / before", ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(42)
            .y_label_area_size(270)
            .build_cartesian_2d((1.0 / (1.1 * far)..1.1 * far).log_scale(), -0.5..rows as f64 - 0.5)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE.mix(0.0))
            .y_labels(rows)
            .y_label_formatter(&named(&names))
            .x_label_formatter(&|x| format!("{x:.2}"))
            .x_desc("below 1: faster than before")
            .draw()?;
        let line = BLACK.mix(0.6).stroke_width(1);
        chart.draw_series(LineSeries::new([(1.0, -0.5), (1.0, rows as f64 - 0.5)], line))?;
        let faster = |change: &Change| if change.ratio() <= 1.0 { colour(2) } else { colour(1) };
        let bars = changes.iter().enumerate().filter(|(_, change)| change.ratio().is_finite());
        chart.draw_series(bars.map(|(row, change)| {
            let ends = [(1.0, row as f64 - 0.3), (change.ratio(), row as f64 + 0.3)];
            Rectangle::new(ends, faster(change).mix(0.8).filled())
        }))?;
        Ok(())
    })
}
