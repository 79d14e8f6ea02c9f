//! The answer as one page: what was found, batch by batch, and pictures of where the gradient goes.

use super::capture::Capture;
use super::heat;
use super::identified::Identified;
use super::judge::Hypothesis;
use super::observation::Observation;
use super::probe::question::question;
use super::report::{Report, Verdict};
use super::symptoms;
use segloss_unet::html::{self, data_url, escape, table};
use segloss_unet::pixels::Pixels;
use segloss_unet::{Classes, picture};
use std::fmt::Write;

/// Batches of which there are pictures.
const PICTURED: usize = 3;
/// Images of a batch of which there are.
const IMAGES: usize = 4;

/// A batch beside what the loss that was found makes of it.
struct Compared<'a> {
    o: &'a Observation,
    /// Value and gradient.
    expected: Option<(f64, Vec<f64>)>,
    /// The largest difference of two entries, relative to the largest entry.
    off: Option<f64>,
}

impl<'a> Compared<'a> {
    fn new(o: &'a Observation, found: Option<&Identified>) -> Self {
        let expected =
            found.and_then(|found| found.predict(o).or_else(|| Hypothesis::from(found).predict(o)));
        let off = o.gradient.as_ref().zip(expected.as_ref()).map(|(g, (_, expected))| {
            let most = g.iter().filter(|g| g.is_finite()).fold(0.0_f64, |most, g| most.max(g.abs()));
            let differences = g.iter().zip(expected).map(|(g, e)| (g - e).abs());
            // NaN is as far off as can be.
            let worst = differences.fold(0.0_f64, |worst, d| if d <= worst { worst } else { d });
            if worst == 0.0 { 0.0 } else { worst / most }
        });
        Self { o, expected, off }
    }

    fn fits(&self) -> Option<bool> {
        self.off.map(|off| off <= self.o.tolerance())
    }
}

/// The page of a report.
///
/// # Errors
/// What the encoder has against a picture.
pub fn page(capture: &Capture, report: &Report) -> Result<String, String> {
    let found = report.identified.as_ref();
    let compared: Vec<Compared<'_>> = capture.observations.iter().map(|o| Compared::new(o, found)).collect();
    let function = capture.about.function.as_deref().unwrap_or("the loss");
    let title = format!("Is {} right?", escape(function));
    let mut body = format!("<h1>{title}</h1>\n{}{}", verdict(report), facts(report));
    body += &findings(report);
    body += &batches(&compared, report);
    body += &pictures(&compared, report)?;
    body += &shares(&compared);
    if let Some(spec) = report.spec.as_ref().filter(|_| report.verdict == Verdict::Right) {
        // Writing to a String cannot fail.
        _ = write!(body, "<h2>The same in segloss</h2>\n<pre>{}</pre>\n", escape(spec.trim_end()));
    }
    Ok(html::page(&title, &body))
}

fn verdict(report: &Report) -> String {
    let (class, words) = match report.verdict {
        Verdict::Right => ("better", format!("Right: it is {}.", report.name.as_deref().unwrap_or_default())),
        Verdict::Wrong => ("worse", format!("Wrong: {}.", report.findings[0].title)),
        Verdict::Unknown => ("soft", format!("No answer: {}.", report.exactness)),
    };
    format!("<p class=\"answer {class}\">{}</p>\n", escape(&words))
}

fn facts(report: &Report) -> String {
    let mut lines = Vec::new();
    if let (Some(name), true) = (&report.name, report.verdict != Verdict::Right) {
        lines.push(format!("It is {name}."));
    }
    lines.extend(report.details.iter().cloned());
    lines.push(report.exactness.clone());
    lines.push(format!("Read as {}.", report.arguments));
    lines.extend(report.known_as.iter().map(|known| format!("Known as {known}.")));
    lines.extend(report.remarks.iter().cloned());
    lines.extend(report.elsewhere().map(|words| format!("But {words}.")));
    lines.extend(report.notes.iter().cloned());
    lines.extend(report.rivals.iter().map(|rival| format!("It may as well be {rival}.")));
    lines.extend(report.next.iter().map(|next| format!("Next: {next}")));
    let items: String = lines.iter().map(|line| format!("<li>{}</li>\n", escape(line))).collect();
    format!("<ul>\n{items}</ul>\n")
}

fn findings(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        _ = write!(text, "<h2 class=\"worse\">{}</h2>\n<ul>\n", escape(finding.title));
        let lines = [("Seen", &*finding.witness), ("So", &*finding.consequence), ("Do", finding.remedy)];
        for (word, line) in lines.into_iter().filter(|(_, line)| !line.is_empty()) {
            _ = writeln!(text, "<li><b>{word}:</b> {}</li>", escape(line));
        }
        text += "</ul>\n";
    }
    text
}

fn batches(compared: &[Compared<'_>], report: &Report) -> String {
    let name = report.name.as_deref().unwrap_or("the nearest");
    let head = ["batch", "value", "of it", "gradient, largest", "off by", ""].map(|cell| match cell {
        "of it" => format!("of {}", escape(name)),
        cell => cell.to_owned(),
    });
    let number = |x: Option<f64>| x.map_or("–".to_owned(), |x| format!("{x:.6}"));
    let row = |compared: &Compared<'_>| {
        let o = compared.o;
        let called = if o.name.is_empty() { "the batch" } else { &o.name };
        let largest = o.gradient.as_ref().map(|g| g.iter().fold(0.0_f64, |most, g| most.max(g.abs())));
        let unexplained = report.identified.as_ref().is_some_and(|found| found.unexplained.contains(&o.name));
        let mark = match (compared.fits(), unexplained) {
            (None, _) => "",
            (Some(true), false) => "explained",
            (Some(true), true) => "<span class=\"worse\">factors of its own</span>",
            (Some(false), _) => "<span class=\"worse\">another</span>",
        };
        vec![
            format!("{} <span class=\"soft\">{}</span>", escape(called), escape(question(&o.name))),
            number(o.total()),
            number(compared.expected.as_ref().map(|(value, _)| *value)),
            largest.map_or("–".to_owned(), |x| format!("{x:.2e}")),
            compared.off.map_or("–".to_owned(), |x| format!("{x:.1e}")),
            mark.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = compared.iter().map(row).collect();
    let caption = "The value; what the loss that was found makes of the same batch; the gradient's largest entry, and how far the two \
                   gradients are apart, relative to it. Batches that the last column leaves empty have no gradient to compare.";
    format!("<h2>Batch by batch</h2>\n{}", table(caption, &head, &rows))
}

/// The first batch that shows something, and those that fit worst.
fn pictured<'a>(compared: &'a [Compared<'a>]) -> Vec<&'a Compared<'a>> {
    let with: Vec<&Compared<'_>> = compared.iter().filter(|c| c.o.gradient.is_some()).collect();
    let mut worst: Vec<&&Compared<'_>> =
        with.iter().filter(|c| c.fits() == Some(false) && c.o.pixels() > 1).collect();
    worst.sort_by(|a, b| {
        let off = |c: &Compared<'_>| c.off.filter(|off| off.is_finite()).unwrap_or(f64::INFINITY);
        off(b).total_cmp(&off(a))
    });
    let first = with.iter().find(|c| c.o.name == "large").or(with.first());
    let mut chosen: Vec<&Compared<'_>> = first.into_iter().copied().collect();
    for c in worst {
        if chosen.len() < PICTURED && !chosen.iter().any(|known| std::ptr::eq(*known, *c)) {
            chosen.push(c);
        }
    }
    chosen
}

fn pictures(compared: &[Compared<'_>], report: &Report) -> Result<String, String> {
    let chosen = pictured(compared);
    if chosen.is_empty() {
        return Ok(String::new());
    }
    let mut text = "<h2>Where the gradient goes</h2>\n<p class=\"soft\">Σ<sub>c</sub> |∂value/∂logit<sub>c</sub>| of each pixel: the darker, \
                    the more (square root); white is exactly none, magenta no number. The scale is that of the first of the two, in both and \
                    in their difference. Grey pixels are ignored.</p>\n"
        .to_owned();
    let name = report.name.as_deref().unwrap_or_default();
    for c in chosen {
        let o = c.o;
        let called = if o.name.is_empty() { "The batch" } else { &o.name };
        _ = writeln!(
            text,
            "<h3>{} <span class=\"soft\">{}</span></h3>",
            escape(called),
            escape(question(&o.name))
        );
        let Some(g) = &o.gradient else { continue };
        let classes = Classes::numbered(o.classes.max(2), None);
        let most = heat::largest(o, g);
        for n in 0..o.images.min(IMAGES) {
            let mut panels: Vec<(String, Pixels)> = Vec::new();
            panels.extend(heat::labels(o, n, &classes).map(|map| ("target".to_owned(), map)));
            panels.push(("arg max".to_owned(), heat::arg_max(o, n, &classes)));
            panels.push(("gradient".to_owned(), heat::gradient(o, n, g, most)));
            if let Some((_, expected)) = &c.expected {
                let difference: Vec<f64> = g.iter().zip(expected).map(|(g, e)| g - e).collect();
                panels.push((format!("of {name}"), heat::gradient(o, n, expected, most)));
                panels.push(("difference".to_owned(), heat::gradient(o, n, &difference, most)));
            }
            text += "<div class=\"pictures\">\n";
            for (caption, pixels) in &panels {
                let url = data_url("image/png", &picture::encode_png(pixels)?);
                _ = writeln!(
                    text,
                    "<figure><img class=\"pixels\" alt=\"{0} of image {n}\" src=\"{url}\"><figcaption>{0}</figcaption></figure>",
                    escape(caption)
                );
            }
            text += "</div>\n";
        }
        if o.images > IMAGES {
            _ = writeln!(text, "<p class=\"soft\">{} more images</p>", o.images - IMAGES);
        }
    }
    Ok(text)
}

/// What each class has of the pixels, and gets of the gradient.
fn shares(compared: &[Compared<'_>]) -> String {
    let first = compared.iter().find(|c| c.o.gradient.is_some()).map(|c| c.o);
    let of = |o: &Observation| Some((symptoms::pixel_shares(o)?, symptoms::gradient_shares(o)?));
    let Some((pixels, gradient)) = first.and_then(of) else { return String::new() };
    let percent = |x: f64| format!("{:.2} %", 100.0 * x);
    let rows: Vec<Vec<String>> = (0..pixels.len())
        .map(|c| {
            let times =
                if pixels[c] > 0.0 { format!("{:.2}", gradient[c] / pixels[c]) } else { "–".to_owned() };
            vec![format!("class {c}"), percent(pixels[c]), percent(gradient[c]), times]
        })
        .collect();
    let head = ["", "pixels", "gradient", "times"].map(str::to_owned);
    let caption = "Of the first batch: the share of the pixels that each class has, the share of the gradient that goes to them, and how \
                   many times as much as their number that is.";
    format!("<h2>Who moves the net</h2>\n{}", table(caption, &head, &rows))
}
