//! The answer as one page that needs nothing else: no script, no font, no file beside it.

pub mod figures;

use std::fmt::Write;

use figures::letter;

use super::comparison::{Answer, Comparison, Contrast};
use super::plan::{Place, Plan};
use super::tables::{name, range, shown, signed, title};
use super::verdict::Verdict;
use super::{cell, groups, tables};
use crate::error::{Error, Result};
use crate::files;
use crate::html::{self, data_url, escape, table};
use crate::metrics::definitions::definition;

/// Makes the page. Pictures that are not there are left out.
///
/// # Errors
/// If a picture is there and cannot be read.
pub fn page(plan: &Plan, comparison: &Comparison) -> Result<String> {
    let Comparison { data, .. } = comparison;
    let title = format!("Which loss helps on {}?", escape(data));
    let mut body = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        body,
        "<h1>{title}</h1>\n<p class=\"answer\">{}</p>\n{}",
        answer(comparison),
        facts(comparison)
    );
    let _ = write!(body, "<h2>The arms</h2>\n{}", arms(comparison));
    let figure = |heading: &str, figure: String, caption: &str| match figure.is_empty() {
        true => String::new(),
        false => format!(
            "<h2>{heading}</h2>\n<figure><div class=\"scroll\">{figure}</div><figcaption>{caption}</figcaption></figure>\n"
        ),
    };
    body += &figure(
        &format!("How {} differs", name(comparison.metric)),
        figures::differences(comparison),
        "Thick: 95 % for other seeds on the same images (Student's t). Thin: 95 % of resampled seeds and images. Small dots: \
         the seeds. B − A: right of the dashed line B has more than A.",
    );
    body += &figure(
        "What rare classes gain and what it costs",
        figures::frontier(comparison),
        "Means over the seeds; the larger the circle, the larger the mean IoU. Up: the classes are found alike. Right: more pixels \
         are right. The line joins the arms that none beats in both.",
    );
    body += &figure(
        "While training",
        figures::curves(comparison),
        "Mean IoU on the validation images after each epoch, under arg max; means over the seeds.",
    );
    body += &by_groups(comparison);
    body += &classes(comparison);
    body += &pictures(plan, comparison)?;
    body += &secondary(comparison);
    body += &confusions(comparison);
    body += &recipe(plan, comparison);
    Ok(html::page(&title, &body))
}

/// The verdicts in sentences, for each arm that others are compared with.
fn answer(comparison: &Comparison) -> String {
    let metric = comparison.metric;
    let mut parts = Vec::new();
    for (at, other) in comparison.arms.iter().enumerate() {
        let contrasts: Vec<(&Answer, &Contrast)> = comparison
            .arms
            .iter()
            .flat_map(|arm| arm.contrasts.iter().map(move |contrast| (arm, contrast)))
            .filter(|(_, contrast)| contrast.against == other.name)
            .collect();
        if contrasts.is_empty() && at > 0 {
            continue;
        }
        let of = |verdict: Verdict| -> Vec<String> {
            let told = |(arm, contrast): &(&Answer, &Contrast)| {
                let difference = contrast.difference(metric);
                let by = difference.map_or(String::new(), |d| format!(" ({})", signed(metric, d.mean)));
                format!("<b>{}</b>{by}", escape(&arm.name))
            };
            contrasts.iter().filter(|(_, contrast)| contrast.verdict == verdict).map(told).collect()
        };
        let other = escape(&other.name);
        parts.push(match of(Verdict::Better) {
            better if better.is_empty() => {
                format!("No arm is shown to be better than <b>{other}</b> in {}.", title(metric))
            }
            better => format!("Better than <b>{other}</b> in {}: {}.", name(metric), better.join(", ")),
        });
        for (verdict, word) in [(Verdict::Worse, "Worse"), (Verdict::Undecided, "Undecided")] {
            let arms = of(verdict);
            if !arms.is_empty() {
                parts.push(format!("{word}: {}.", arms.join(", ")));
            }
        }
    }
    parts.join(" ")
}

fn facts(comparison: &Comparison) -> String {
    let Comparison { images, split, data, seeds, epochs, blocks, checkpoint, notes, .. } = comparison;
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let notes: String =
        notes.iter().map(|note| format!("<p class=\"note\">{}</p>\n", escape(note))).collect();
    format!(
        "<p class=\"soft\">{images} images of {} of {}; seeds {}; {epochs} epochs; the {} epoch's net. A seed gives every arm the \
         same first weights, order of images and augmentation. Images are resampled as {}.</p>\n{notes}",
        split.name(),
        escape(data),
        seeds.join(", "),
        checkpoint.name(),
        escape(blocks)
    )
}

fn named(at: usize, arm: &Answer) -> String {
    format!("<span class=\"letter\">{}</span> {}", letter(at), escape(&arm.name))
}

/// The letter of the arm that a contrast is against.
fn against(comparison: &Comparison, contrast: &Contrast) -> String {
    let at = comparison.arms.iter().position(|arm| arm.name == contrast.against);
    at.map_or_else(|| escape(&contrast.against), letter)
}

fn arms(comparison: &Comparison) -> String {
    let metric = comparison.metric;
    let head = [
        "arm",
        &title(metric),
        "against",
        "difference",
        "verdict",
        "95 %, other seeds",
        "95 %, resampled seeds and images",
        "P(better)",
        "p",
        "p, sign flips",
        "images + / = / −",
    ]
    .map(str::to_owned);
    let dash = || "–".to_owned();
    let row = |at: usize, arm: &Answer, contrast: Option<&Contrast>| {
        let value = arm.value(metric);
        let d = contrast.and_then(|contrast| contrast.difference(metric));
        let plain = |interval: Option<[f64; 2]>| {
            interval.map_or("–".to_owned(), |[low, high]| {
                format!("{} to {}", shown(metric, low), shown(metric, high))
            })
        };
        let p = |p: Option<f64>| {
            p.map_or("–".to_owned(), |p| if p < 0.001 { "&lt; 0.001".to_owned() } else { format!("{p:.3}") })
        };
        let verdict = contrast.map_or("the first".to_owned(), |Contrast { verdict, reason, .. }| {
            let mark = match verdict {
                Verdict::Better => "▲ ",
                Verdict::Worse => "▼ ",
                Verdict::Undecided => "",
            };
            format!("<span class=\"{0}\" title=\"{1}\">{mark}{0}</span>", verdict.name(), escape(reason))
        });
        vec![
            format!("{}<br><span class=\"soft\">{}</span>", named(at, arm), escape(&arm.decision)),
            value.map_or_else(dash, |value| {
                let n = value.seeds.len();
                format!(
                    "{}<br><span class=\"soft\">{}, n = {n}</span>",
                    shown(metric, value.mean),
                    plain(value.interval)
                )
            }),
            contrast.map_or_else(dash, |contrast| {
                let n = contrast.seeds.len();
                format!("{}<br><span class=\"soft\">n = {n}</span>", against(comparison, contrast))
            }),
            d.map_or_else(dash, |d| signed(metric, d.mean)),
            verdict,
            d.map_or_else(dash, |d| range(metric, d.interval)),
            d.map_or_else(dash, |d| range(metric, d.resampled)),
            d.and_then(|d| d.probability_better).map_or_else(dash, |p| format!("{p:.2}")),
            d.map_or_else(dash, |d| p(d.p_holm)),
            d.map_or_else(dash, |d| p(d.sign_flip_p)),
            contrast
                .and_then(|contrast| contrast.changed)
                .map_or_else(dash, |c| format!("{} / {} / {}", c.improved, c.stable, c.worsened)),
        ]
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut reasons = String::new();
    for (at, arm) in comparison.arms.iter().enumerate() {
        if arm.contrasts.is_empty() {
            rows.push(row(at, arm, None));
        }
        for contrast in &arm.contrasts {
            rows.push(row(at, arm, Some(contrast)));
            let smallest = contrast.difference(metric).and_then(|difference| difference.smallest_detectable);
            let smallest = smallest.map_or(String::new(), |smallest| {
                format!(
                    "; so many seeds find a difference of {} in four of five comparisons",
                    shown(metric, smallest)
                )
            });
            // Writing to a String cannot fail.
            let _ = writeln!(
                reasons,
                "<li>{} against {}: {}; {}{smallest}</li>",
                named(at, arm),
                against(comparison, contrast),
                contrast.verdict.name(),
                escape(&contrast.reason)
            );
        }
    }
    let caption = "Small: how classes are decided, and the 95 % t interval over the seeds. p: Student's paired test for other seeds and other images, of as many comparisons as there are rows (Holm). An image counts \
                   as + or − where its mean IoU moves by more than a point.";
    format!("{}<ul>\n{reasons}</ul>\n", table(caption, &head, &rows))
}

fn by_groups(comparison: &Comparison) -> String {
    let Some(rows) = groups::rows(&comparison.groups) else { return String::new() };
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| escape(cell)).collect()).collect();
    let (head, rows) = rows.split_first().map_or((&[][..], &[][..]), |(head, rows)| (&head[..], rows));
    let caption = "Scores of the judged images of each group alone, over the classes that its truth holds; means over the seeds.";
    format!("<h2>Group by group</h2>\n{}", table(caption, head, rows))
}

fn classes(comparison: &Comparison) -> String {
    let bars = |of: fn(&super::comparison::ClassValue) -> Option<f64>| -> Vec<Vec<String>> {
        let row = |(at, class): (usize, &super::comparison::Judged)| {
            let mut row = vec![format!(
                "{} <span class=\"soft\">{} %, {} images</span>",
                escape(&class.name),
                share(class.share),
                class.images
            )];
            row.extend(comparison.arms.iter().map(|arm| match arm.classes.get(at).and_then(of) {
                Some(score) => format!(
                    "<div class=\"bar\"><i style=\"width:{0:.1}%\"></i><span>{0:.1}</span></div>",
                    100.0 * score
                ),
                None => "–".to_owned(),
            }));
            row
        };
        comparison.classes.iter().enumerate().map(row).collect()
    };
    let mut head = vec!["class, its share of the pixels".to_owned()];
    head.extend(comparison.arms.iter().enumerate().map(|(at, arm)| named(at, arm)));
    format!(
        "<h2>Class by class</h2>\n{}<h3>Recall</h3>\n{}",
        table("IoU in %, mean over the seeds.", &head, &bars(|class| class.iou)),
        table("Recall in %, mean over the seeds.", &head, &bars(|class| class.recall))
    )
}

/// A share as a percentage, with the digits that a rare class needs.
fn share(share: f64) -> String {
    let percent = 100.0 * share;
    if percent > 0.0 && percent < 1.0 { format!("{percent:.2}") } else { format!("{percent:.1}") }
}

fn pictures(plan: &Plan, comparison: &Comparison) -> Result<String> {
    let Some(seed) = plan.drawn_seed() else { return Ok(String::new()) };
    let shared = plan.examples();
    let mut names: Vec<String> = match std::fs::read_dir(&shared) {
        Ok(entries) => entries
            .filter_map(|entry| {
                Some(entry.ok()?.file_name().to_str()?.strip_suffix("-truth.jpg")?.to_owned())
            })
            .collect(),
        Err(_) => return Ok(String::new()),
    };
    names.sort();
    let mut text = String::new();
    for name in names {
        let mut row = String::new();
        let mut add = |path: &std::path::Path, caption: &str| -> Result<()> {
            if path.exists() {
                let url = data_url("image/jpeg", &files::read(path)?);
                let _ = writeln!(
                    row,
                    "<figure><img src=\"{url}\" alt=\"{0}, {caption}\" loading=\"lazy\"><figcaption>{caption}</figcaption></figure>",
                    escape(&name)
                );
            }
            Ok(())
        };
        add(&shared.join(format!("{name}-image.jpg")), "the image")?;
        add(&shared.join(format!("{name}-truth.jpg")), "the truth")?;
        for (at, (entry, arm)) in plan.arm.iter().zip(&comparison.arms).enumerate() {
            let place = Place { training: entry.training.clone(), seed };
            add(
                &cell::picture_path(plan, &place, &entry.decision, &name),
                &named(at, arm).replace('"', "'"),
            )?;
        }
        let _ = write!(text, "<h3>{}</h3>\n<div class=\"pictures\">\n{row}</div>\n", escape(&name));
    }
    if text.is_empty() {
        return Ok(text);
    }
    Ok(format!(
        "<h2>The same validation images under each arm</h2>\n<p class=\"soft\">Seed {seed}. Ignored pixels are dark.</p>\n{text}"
    ))
}

fn secondary(comparison: &Comparison) -> String {
    let mut head = vec!["score".to_owned()];
    head.extend(comparison.arms.iter().enumerate().map(|(at, arm)| named(at, arm)));
    let metrics: Vec<&'static str> = comparison.arms.first().map_or(Vec::new(), |arm| {
        arm.values.iter().map(|value| value.metric).filter(|&other| other != comparison.metric).collect()
    });
    let row = |&metric: &&'static str| {
        let sense = if definition(metric).is_some_and(|definition| definition.is_error) {
            ", less is better"
        } else {
            ""
        };
        let mut row = vec![format!("{}<span class=\"soft\">{sense}</span>", escape(&title(metric)))];
        row.extend(comparison.arms.iter().map(|arm| {
            let Some(value) = arm.value(metric) else { return "–".to_owned() };
            let told = |contrast: &Contrast| {
                let d = contrast.difference(metric)?;
                let sure = d.p_holm.is_some_and(|p| p < super::statistics::ALPHA);
                Some(format!(
                    "<br><span class=\"soft\">{}: {}{}</span>",
                    against(comparison, contrast),
                    signed(metric, d.mean),
                    if sure { " *" } else { "" }
                ))
            };
            let differences: String = arm.contrasts.iter().filter_map(told).collect();
            format!("{}{differences}", shown(metric, value.mean))
        }));
        row
    };
    let rows: Vec<Vec<String>> = metrics.iter().map(row).collect();
    let caption = "Means over the seeds; below, the difference from A, and from the other arm that it is compared with. *: p &lt; 0.05 as one of all an arm's differences here (Holm). Every interval is in \
                   comparison.csv.";
    format!("<h2>Every other score</h2>\n{}", table(caption, &head, &rows))
}

fn confusions(comparison: &Comparison) -> String {
    let names: Vec<String> = comparison.classes.iter().map(|class| escape(&class.name)).collect();
    let mut text = String::from("<h2>What is taken for what</h2>\n");
    for (at, arm) in comparison.arms.iter().enumerate().filter(|(_, arm)| !arm.confusion.is_empty()) {
        let row = |(truth, counts): (usize, &Vec<u64>)| {
            let total: u64 = counts.iter().sum();
            let cell = |(class, &count): (usize, &u64)| {
                let part = count as f64 / total.max(1) as f64;
                let own = if class == truth { " class=\"own\"" } else { "" };
                let shade =
                    format!("background:color-mix(in srgb, var(--bar) {:.0}%, transparent)", 100.0 * part);
                format!(
                    "<td{own} style=\"{shade}\">{}</td>",
                    if total == 0 { "–".to_owned() } else { format!("{:.1}", 100.0 * part) }
                )
            };
            format!(
                "<tr><th scope=\"row\">{}</th>{}</tr>\n",
                names[truth],
                counts.iter().enumerate().map(cell).collect::<String>()
            )
        };
        let head: String = names.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
        let _ = write!(
            text,
            "<details><summary>{}</summary><p class=\"soft\">Of the pixels of each class (row), how many percent are predicted to \
             be what (column); all seeds together.</p><div class=\"scroll\"><table class=\"confusion\">\n<thead><tr><td></td>{head}</tr></thead>\n<tbody>{}</tbody>\
             </table></div></details>\n",
            named(at, arm),
            arm.confusion.iter().enumerate().map(row).collect::<String>()
        );
    }
    text
}

fn recipe(plan: &Plan, comparison: &Comparison) -> String {
    let mut text = String::from("<h2>What was compared, and how</h2>\n");
    for (at, arm) in comparison.arms.iter().enumerate() {
        let options = match arm.options.is_empty() {
            true => String::new(),
            false => format!("\n\n# other than A\n{}", escape(&arm.options.join("\n"))),
        };
        let _ = write!(
            text,
            "<h3>{}</h3>\n<p class=\"soft\">decided by {}; chosen by: {}; training: {}</p>\n<pre>{}{options}</pre>\n",
            named(at, arm),
            escape(&arm.decision),
            escape(&arm.chosen_by),
            escape(&arm.training),
            escape(&arm.loss)
        );
    }
    let commands: Vec<String> = plan.commands.iter().map(|command| escape(command)).collect();
    let _ = write!(
        text,
        "<h3>The commands</h3>\n<pre>{}\nsegloss compare --out {} --report      # this page again, from the result files alone</pre>\n\
         <p>Two things differ between two trainings of one loss: the seed, and the images that happen to be judged. The verdict asks for both: \
         a paired t test whose error adds the variance over resampled images to that over seeds, corrected for the number of comparisons (Holm), and \
         an interval of resampled seeds and images that does not hold 0. A loss that is compared with itself under other seeds is called \
         undecided in at least 95 of 100 comparisons; a test of segloss holds that. Undecided does not mean equal: the smallest difference \
         that so many seeds would find stands beside each arm.</p>\n",
        commands.join("\n"),
        escape(&plan.out().display().to_string())
    );
    text
}

/// Writes the page, `comparison.csv`, `runs.csv`, `comparison.json`, `frontier.svg` and, where there are groups, `groups.csv` into the
/// comparison's folder.
///
/// # Errors
/// [`Error::Io`], or if one of them cannot be made.
pub fn write(plan: &Plan, comparison: &Comparison) -> Result<()> {
    let json = serde_json::to_string_pretty(comparison).map_err(|error| Error::Encoding {
        what: "comparison.json".to_owned(),
        problem: error.to_string(),
    })?;
    let groups = match comparison.groups.is_empty() {
        true => None,
        false => Some(("groups.csv", groups::csv(&comparison.groups)?)),
    };
    for (name, text) in [
        ("comparison.csv", tables::csv(comparison)?),
        ("runs.csv", tables::runs_csv(comparison)?),
        ("comparison.json", format!("{json}\n")),
        ("comparison.html", page(plan, comparison)?),
    ]
    .into_iter()
    .chain(groups)
    .chain(figures::frontier_file(comparison).map(|figure| ("frontier.svg", figure)))
    {
        files::write_atomic(&plan.out().join(name), text.as_bytes())?;
    }
    Ok(())
}
