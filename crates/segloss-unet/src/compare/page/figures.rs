//! The figures of the page, as SVG that takes its colours from the page. Arms are told by letters, never by colour alone.

use std::fmt::Write;

use crate::compare::comparison::{Answer, Comparison, Contrast};
use crate::compare::tables::{name, shown, signed};
use crate::compare::verdict::Difference;
use crate::html::escape;

const WIDTH: f64 = 720.0;

/// The letter of an arm: A is the first.
pub fn letter(arm: usize) -> String {
    let letter = char::from(b'A' + (arm % 26) as u8);
    if arm < 26 { letter.to_string() } else { format!("{letter}{}", arm / 26) }
}

/// A straight axis of round numbers.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
    /// Where `low` and `high` are drawn.
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        values
            .filter(|value| value.is_finite())
            .for_each(|value| (low, high) = (low.min(value), high.max(value)));
        if !(low < high) {
            let middle = if low.is_finite() { low } else { 0.0 };
            (low, high) = (middle - 0.01, middle + 0.01);
        }
        let rough = (high - low) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&step| step >= rough).unwrap_or(rough);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|i| self.low + i as f64 * self.step)
    }
}

fn svg(height: f64, label: &str, body: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" role=\"img\" aria-label=\"{}\">{body}</svg>\n",
        escape(label)
    )
}

/// For each arm: its differences from those that it is compared with in the primary score, thick the interval over seeds, thin that over resampled
/// seeds and images, small dots the seeds.
pub fn differences(comparison: &Comparison) -> String {
    let metric = comparison.metric;
    let other = |contrast: &Contrast| comparison.arms.iter().position(|arm| arm.name == contrast.against);
    let mut known: Vec<(String, &Answer, &Difference)> = Vec::new();
    for (at, arm) in comparison.arms.iter().enumerate() {
        for contrast in &arm.contrasts {
            if let Some((other, difference)) = other(contrast).zip(contrast.difference(metric)) {
                known.push((format!("{} − {}", letter(at), letter(other)), arm, difference));
            }
        }
    }
    if known.is_empty() {
        return String::new();
    }
    let ends = known.iter().flat_map(|(.., d)| {
        [Some([d.mean, 0.0]), d.interval, d.resampled]
            .into_iter()
            .flatten()
            .flatten()
            .chain(d.seeds.iter().copied())
    });
    // An interval of two seeds may be wider than any picture.
    let widest = known.iter().map(|(.., d)| d.mean.abs()).fold(0.02, f64::max) * 4.0;
    let x = Axis::over(ends.map(|end| end.clamp(-widest, widest)), 210.0, WIDTH - 70.0);
    let bottom = 20.0 + 34.0 * known.len() as f64;
    let mut body = String::new();
    for tick in x.ticks() {
        let _ = write!(
            body,
            "<line class=\"axis\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"8\" y2=\"{bottom:.1}\"/><text class=\"soft\" x=\"{0:.1}\" y=\"{1:.1}\" \
             text-anchor=\"middle\">{2}</text>",
            x.at(tick),
            bottom + 18.0,
            if tick.abs() < x.step / 2.0 { "0".to_owned() } else { signed(metric, tick) }
        );
    }
    let zero = x.at(0.0);
    let _ =
        write!(body, "<line class=\"zero\" x1=\"{zero:.1}\" x2=\"{zero:.1}\" y1=\"4\" y2=\"{bottom:.1}\"/>");
    for (row, (letters, arm, d)) in known.iter().enumerate() {
        let y = 30.0 + 34.0 * row as f64;
        let place = |value: f64| x.at(value.clamp(x.low, x.high));
        let mut line = |class: &str, interval: Option<[f64; 2]>| {
            if let Some([low, high]) = interval {
                let _ = write!(
                    body,
                    "<line class=\"{class}\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\"/>",
                    place(low),
                    place(high)
                );
            }
        };
        line("seeds", d.interval);
        line("images", d.resampled);
        for seed in &d.seeds {
            let _ = write!(
                body,
                "<circle class=\"seed\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\"/>",
                place(*seed),
                y + 9.0
            );
        }
        let _ = write!(
            body,
            "<circle class=\"point\" cx=\"{:.1}\" cy=\"{y}\" r=\"5\"/><text x=\"4\" y=\"{:.1}\">{} {}</text>\
             <text x=\"{WIDTH}\" y=\"{1:.1}\" text-anchor=\"end\">{}</text>",
            place(d.mean),
            y + 4.0,
            letters,
            escape(&short(&arm.name, 22)),
            signed(metric, d.mean)
        );
    }
    svg(bottom + 28.0, &format!("differences of {}", name(metric)), &body)
}

/// Class average against global accuracy, mean IoU as the size of the circle. The line joins the arms that none beats in both.
pub fn frontier(comparison: &Comparison) -> String {
    let body = frontier_body(comparison);
    if body.is_empty() { body } else { svg(FRONTIER, FRONTIER_LABEL, &body) }
}

/// [`frontier`] as a file of its own, with the arms' names; none without an arm that is judged.
pub fn frontier_file(comparison: &Comparison) -> Option<String> {
    let mut body = frontier_body(comparison);
    if body.is_empty() {
        return None;
    }
    let rows = comparison.arms.len().div_ceil(2);
    for (at, arm) in comparison.arms.iter().enumerate() {
        let (x, y) = (60.0 + 330.0 * (at / rows) as f64, FRONTIER + 18.0 * (at % rows) as f64 + 12.0);
        let _ = write!(
            body,
            "<text class=\"letter\" x=\"{x}\" y=\"{y}\">{}</text><text x=\"{}\" y=\"{y}\">{}</text>",
            letter(at),
            x + 24.0,
            escape(&short(&arm.name, 44))
        );
    }
    let height = FRONTIER + 18.0 * rows as f64 + 12.0;
    let body = format!("<style>{ALONE}</style>{body}");
    let alone = svg(height, FRONTIER_LABEL, &body);
    Some(alone.replacen("<svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"", 1))
}

const FRONTIER: f64 = 380.0;
const FRONTIER_LABEL: &str = "class average against global accuracy";
/// What `html.css` says of these figures, in numbers: not every reader of SVG knows variables.
const ALONE: &str = "svg{background:#fff}text{fill:#1b1f24;font:13px system-ui,sans-serif}.soft{fill:#59636e}.letter{fill:#1f5f99;font-weight:600}\
    .axis{stroke:#d4d9df;fill:none}.frontier{stroke:#1f5f99;fill:none;stroke-dasharray:5 4}.bubble{fill:#9db8d2;stroke:#1f5f99;fill-opacity:.55}";

/// The points that no other is to the right of and above, from left to right.
fn undominated(points: impl Iterator<Item = [f64; 2]>) -> Vec<[f64; 2]> {
    let mut points: Vec<[f64; 2]> = points.collect();
    points.sort_by(|a, b| b[0].total_cmp(&a[0]).then(b[1].total_cmp(&a[1])));
    let mut best = f64::NEG_INFINITY;
    points.retain(|point| {
        let is_higher = point[1] > best;
        best = best.max(point[1]);
        is_higher
    });
    points.reverse();
    points
}

fn frontier_body(comparison: &Comparison) -> String {
    let of = |arm: &Answer, metric: &str| arm.value(metric).map(|value| value.mean);
    let points: Vec<(usize, [f64; 3])> = comparison
        .arms
        .iter()
        .enumerate()
        .filter_map(|(at, arm)| {
            Some((at, [of(arm, "accuracy")?, of(arm, "class_average")?, of(arm, "mean_iou")?]))
        })
        .collect();
    if points.is_empty() {
        return String::new();
    }
    let (height, size) = (FRONTIER, |iou: f64| 5.0 + 25.0 * iou);
    let margin = |values: Vec<f64>| {
        let spread = values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            - values.iter().copied().fold(f64::INFINITY, f64::min);
        let extra = 0.15 * spread.max(0.01);
        values.into_iter().flat_map(move |value| [value - extra, value + extra]).collect::<Vec<_>>()
    };
    let x = Axis::over(margin(points.iter().map(|p| p.1[0]).collect()).into_iter(), 60.0, WIDTH - 20.0);
    let y = Axis::over(margin(points.iter().map(|p| p.1[1]).collect()).into_iter(), height - 48.0, 14.0);
    let mut body = String::new();
    for tick in x.ticks() {
        let _ = write!(
            body,
            "<line class=\"axis\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"14\" y2=\"{1:.1}\"/><text class=\"soft\" x=\"{0:.1}\" y=\"{2:.1}\" \
             text-anchor=\"middle\">{3}</text>",
            x.at(tick),
            height - 48.0,
            height - 32.0,
            shown("accuracy", tick)
        );
    }
    for tick in y.ticks() {
        let _ = write!(
            body,
            "<line class=\"axis\" y1=\"{0:.1}\" y2=\"{0:.1}\" x1=\"60\" x2=\"{1:.1}\"/><text class=\"soft\" x=\"54\" y=\"{2:.1}\" \
             text-anchor=\"end\">{3}</text>",
            y.at(tick),
            WIDTH - 20.0,
            y.at(tick) + 4.0,
            shown("class_average", tick)
        );
    }
    let _ = write!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">global accuracy %</text>\
         <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">class average %</text>",
        (60.0 + WIDTH - 20.0) / 2.0,
        height - 10.0,
        height / 2.0 - 16.0
    );
    let line: Vec<String> =
        undominated(points.iter().map(|(_, [accuracy, average, _])| [*accuracy, *average]))
            .iter()
            .map(|[accuracy, average]| format!("{:.1},{:.1}", x.at(*accuracy), y.at(*average)))
            .collect();
    let _ = write!(body, "<polyline class=\"frontier\" points=\"{}\"/>", line.join(" "));
    for (at, [accuracy, average, iou]) in &points {
        let (cx, cy) = (x.at(*accuracy), y.at(*average));
        let _ = write!(
            body,
            "<circle class=\"bubble\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"{:.1}\"/><text x=\"{cx:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            size(*iou),
            cy + 4.5,
            letter(*at)
        );
    }
    body
}

/// Validation mean IoU after each epoch.
pub fn curves(comparison: &Comparison) -> String {
    // Arms that share a training share its curve.
    let mut known: Vec<(Vec<usize>, &Answer)> = Vec::new();
    for (at, arm) in comparison.arms.iter().enumerate().filter(|(_, arm)| !arm.curve.is_empty()) {
        match known.iter_mut().find(|(_, other)| other.training == arm.training) {
            Some((letters, _)) => letters.push(at),
            None => known.push((vec![at], arm)),
        }
    }
    let epochs = known.iter().map(|(_, arm)| arm.curve.len()).max().unwrap_or(0);
    if epochs < 2 {
        return String::new();
    }
    let height = 340.0;
    let y = Axis::over(known.iter().flat_map(|(_, arm)| arm.curve.iter().copied()), height - 44.0, 12.0);
    let x = |epoch: usize| 56.0 + (WIDTH - 56.0 - 90.0) * epoch as f64 / (epochs - 1) as f64;
    let mut body = String::new();
    for tick in y.ticks() {
        let _ = write!(
            body,
            "<line class=\"axis\" y1=\"{0:.1}\" y2=\"{0:.1}\" x1=\"56\" x2=\"{1:.1}\"/><text class=\"soft\" x=\"50\" y=\"{2:.1}\" \
             text-anchor=\"end\">{3}</text>",
            y.at(tick),
            x(epochs - 1),
            y.at(tick) + 4.0,
            shown("mean_iou", tick)
        );
    }
    let every = epochs.div_ceil(10);
    for epoch in (0..epochs).filter(|epoch| epoch % every == 0 || epoch + 1 == epochs) {
        let _ = write!(
            body,
            "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(epoch),
            height - 26.0,
            epoch + 1
        );
    }
    let _ = write!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">epoch</text>",
        x(0) / 2.0 + x(epochs - 1) / 2.0,
        height - 6.0
    );
    // Labels at the right end, pushed apart where they would overlap.
    let mut labels: Vec<(f64, String, f64)> = Vec::new();
    for (letters, arm) in &known {
        let points: Vec<String> = arm
            .curve
            .iter()
            .enumerate()
            .map(|(epoch, score)| format!("{:.1},{:.1}", x(epoch), y.at(*score)))
            .collect();
        let _ = write!(body, "<polyline class=\"curve\" points=\"{}\"/>", points.join(" "));
        let letters: Vec<String> = letters.iter().map(|&at| letter(at)).collect();
        let end = y.at(arm.curve[arm.curve.len() - 1]);
        labels.push((end, letters.join(", "), x(arm.curve.len() - 1)));
    }
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut above = f64::NEG_INFINITY;
    for (end, text, from) in labels {
        let at = end.max(above + 15.0);
        above = at;
        let _ = write!(
            body,
            "<line class=\"axis\" x1=\"{from:.1}\" y1=\"{end:.1}\" x2=\"{0:.1}\" y2=\"{at:.1}\"/><text x=\"{1:.1}\" y=\"{2:.1}\">{text}</text>",
            from + 22.0,
            from + 26.0,
            at + 4.0
        );
    }
    svg(height, "validation mean IoU after each epoch", &body)
}

/// A name that fits.
fn short(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        name.to_owned()
    } else {
        format!("{}…", name.chars().take(most - 1).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_round_and_hold_everything() {
        for (values, step) in
            [(vec![0.0, 0.047], 0.01), (vec![-3.0, 11.0], 5.0), (vec![0.5], 0.005), (vec![], 0.005)]
        {
            let axis = Axis::over(values.iter().copied(), 0.0, 100.0);
            assert!((axis.step - step).abs() < 1e-12, "{}", axis.step);
            assert!(values.iter().all(|&value| (0.0..=100.0).contains(&axis.at(value))));
            assert!(axis.ticks().count() <= 7);
        }
        assert_eq!((letter(0), letter(25), letter(27)), ("A".into(), "Z".into(), "B1".into()));
    }

    #[test]
    fn the_frontier_holds_what_no_other_beats_in_both() {
        let points = [[1.0, 5.0], [2.0, 4.0], [2.0, 3.0], [1.5, 3.5], [3.0, 1.0], [0.5, 5.0]];
        assert_eq!(undominated(points.into_iter()), [[1.0, 5.0], [2.0, 4.0], [3.0, 1.0]]);
    }
}
