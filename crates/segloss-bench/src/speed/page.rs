//! The page to read, and the files around it.

use super::bars::{self, Bar, Sense, Verdict};
use super::growth::{self, LINEAR};
use super::history::{Change, changes};
use super::plan::{
    self, BURN, CANDLE, COMPILED, GROWING, NETS, OURS, STEPS, TORCH, UNET, of_shape, thread_counts,
    with_instructions, with_threads,
};
use super::plots;
use super::results::Results;
use super::workload::{
    COPY, LARGE, LAYOUTS, SMALL, Shape, WEIGHTED, WEIGHTED_FULL, logits, name, pretty, spoken,
};
use crate::error::Error;
use segloss::InstructionSet;
use segloss_verify::report::write_all;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A run, with an earlier one to compare it with.
#[derive(Debug)]
pub struct Page<'a> {
    results: &'a Results,
    before: Option<&'a Results>,
    bars: Vec<Bar>,
    changes: Vec<Change>,
}

impl<'a> Page<'a> {
    /// Of a run, and one before it.
    pub fn new(results: &'a Results, before: Option<&'a Results>) -> Self {
        let changes = before.map_or_else(Vec::new, |before| changes(before, results));
        Self { results, before, bars: bars::all(results), changes }
    }

    /// The promises.
    pub fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// Losses whose cost grows faster than linearly: along what, what, layout, the power of n. The copy is not judged:
    /// it tells where the caches end.
    pub fn steep(&self) -> Vec<(&'static str, &'static str, &'static str, f64)> {
        let all = ["pixels", "classes"].into_iter().flat_map(|along| {
            let of = move |what| LAYOUTS.map(|layout| (along, what, layout));
            GROWING.into_iter().filter(|&what| what != COPY).flat_map(of)
        });
        all.filter_map(|(along, what, layout)| {
            let points = growth::points(self.results, along, what, layout);
            (!points.is_empty()).then(|| (along, what, layout, growth::exponent(&points)))
        })
        .filter(|(.., exponent)| !(*exponent <= LINEAR))
        .collect()
    }

    /// Whether no promise is broken and all cost is linear. What was not measured breaks nothing.
    pub fn held(&self) -> bool {
        self.bars.iter().all(|bar| bar.verdict() != Verdict::Missed) && self.steep().is_empty()
    }

    /// Writes everything into a folder; each file appears whole or not at all. Returns the page to read.
    ///
    /// # Errors
    /// [`HarnessError::Report`](segloss_verify::HarnessError::Report) or [`HarnessError::File`](segloss_verify::HarnessError::File).
    pub fn write(&self, folder: &Path) -> Result<PathBuf, Error> {
        let results = self.results;
        let mut files = vec![
            ("results.json", results.json()?),
            ("times.csv", results.times_csv()?),
            ("bars.csv", results.bars_csv()?),
            ("growth.csv", results.growth_csv()?),
            ("criterion.csv", results.criterion_csv()?),
            ("peers.svg", plots::peers(results)?),
            ("roofline.svg", plots::roofline(results)?),
            ("pixels.svg", plots::growth(results, "pixels")?),
            ("classes.svg", plots::growth(results, "classes")?),
            ("threads.svg", plots::threads(results)?),
        ];
        if !self.shown().is_empty() {
            files.push(("before_after.svg", plots::history(&self.shown())?));
        }
        files.push(("README.md", self.text()));
        write_all(folder, files.into_iter().map(|(name, text)| (name, text.into_bytes())))?;
        Ok(folder.join("README.md"))
    }

    /// The changes that have room in a picture: every kind, weighted cross-entropy at every shape, the U-Net.
    fn shown(&self) -> Vec<Change> {
        let weighted = format!("{WEIGHTED}/");
        let shown = |change: &&Change| {
            change.contest.starts_with("kind ")
                || change.contest == UNET
                || change.contest.starts_with("shape ")
                    && change.contestant == OURS
                    && change.workload.starts_with(&weighted)
                    && change.workload.contains("/f32/")
        };
        self.changes.iter().filter(shown).cloned().collect()
    }

    /// The page.
    pub fn text(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        _ = self.write_text(&mut page);
        page
    }

    fn write_text(&self, page: &mut String) -> std::fmt::Result {
        self.head(page)?;
        self.bar_table(page)?;
        self.times(page)?;
        self.instruction_sets(page)?;
        self.cliffs(page)?;
        self.roofline(page)?;
        self.growth(page)?;
        self.threads(page)?;
        self.unet(page)?;
        self.operations(page)?;
        self.before_after(page)?;
        self.method(page)
    }

    fn head(&self, page: &mut String) -> std::fmt::Result {
        let (results, machine) = (self.results, &self.results.machine);
        writeln!(page, "# Speed\n")?;
        let count = |verdict| self.bars.iter().filter(|bar| bar.verdict() == verdict).count();
        writeln!(
            page,
            "**{} bars met, {} missed, {} not measured.** Made by `cargo xtask bench-report` from `results.json`; \
             what travels are the ratios.{}\n",
            count(Verdict::Met),
            count(Verdict::Missed),
            count(Verdict::NotMeasured),
            if results.quick { " A quick run: a few rounds each, to see that all works." } else { "" }
        )?;
        writeln!(page, "| | |\n|---|---|")?;
        writeln!(page, "| machine | {}, {} cores, {} |", machine.cpu, machine.cores, machine.system)?;
        let features = machine.features.join(" ");
        writeln!(page, "| features | {features}; `{}` is chosen |", machine.instructions)?;
        let versions: Vec<String> =
            machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        writeln!(page, "| versions | {}; {} |", machine.compiler, versions.join(", "))?;
        writeln!(page, "| revision | {} |", machine.revision)?;
        for (name, why) in &results.absent {
            writeln!(page, "| absent | {name}: {} |", cell(why))?;
        }
        Ok(())
    }

    fn bar_table(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "\n## Bars\n")?;
        writeln!(
            page,
            "Weighted cross-entropy with its gradient, f32, gradient buffer reused, all cores; channels first / \
             channels last. Below it kinds against PyTorch's usual code for them, and against a simpler kind.\n"
        )?;
        let shapes: Vec<String> = LARGE.into_iter().map(pretty).collect();
        writeln!(page, "| | bar | {} | |\n|---|---|---|---|---|---|", shapes.join(" | "))?;
        for bar in &self.bars {
            let sign = match bar.sense {
                Sense::AtLeast => "≥",
                Sense::AtMost => "≤",
            };
            let mut bounds: Vec<String> =
                bar.marks.iter().take(2).map(|mark| format!("{}", mark.bound)).collect();
            bounds.dedup();
            let cells: Vec<String> = bar
                .marks
                .chunks(2)
                .map(|pair| {
                    let ratio = |mark: &bars::Mark| match mark.ratio {
                        // What misses stands out.
                        Some(ratio) if !bar.sense.holds(ratio, mark.bound) => format!("**{ratio:.2}**"),
                        Some(ratio) => format!("{ratio:.2}"),
                        None => "–".to_owned(),
                    };
                    pair.iter().map(ratio).collect::<Vec<_>>().join(" / ")
                })
                .collect();
            // A shape of its own is no column: what it makes stands in the first, named.
            let cells = match (cells.as_slice(), bar.marks.first()) {
                ([alone], Some(mark)) => format!("{}: {alone} | |", mark.shape.replace('x', "×")),
                (cells, _) => cells.join(" | "),
            };
            let (claim, bounds, verdict) = (bar.claim, bounds.join(" / "), bar.verdict().name());
            writeln!(page, "| {claim} | {sign} {bounds} | {cells} | {verdict} |")?;
        }
        let fresh = self.row(|shape, layout| {
            let of = |what| name(what, layout, "f32", shape);
            self.results.ratio(&of_shape(shape), (OURS, &of("cross_entropy+fixed+fresh")), (OURS, &of(COPY)))
        });
        writeln!(page, "| ours with a fresh gradient buffer for each call / a copy | | {fresh} | |")?;
        writeln!(
            page,
            "\nA copy reads the logits and writes as many bytes, with all threads. The rows of f64 and of one thread \
             divide ours / copy of that setting by the median of ours / copy of the three shapes in f32 with all \
             threads, same layout. The small image's row divides its time by the one that copies predict: that median, \
             times the seconds a byte of the large shapes' copies on one thread, times its bytes; one thread, because \
             to wake another takes longer than to copy so little."
        )
    }

    /// A number of each large shape, both layouts.
    fn row(&self, of: impl Fn(Shape, &'static str) -> Option<f64>) -> String {
        let number = |x: Option<f64>| x.map_or("–".to_owned(), |x| format!("{x:.2}"));
        let cell = |shape| LAYOUTS.map(|layout| number(of(shape, layout))).join(" / ");
        LARGE.map(cell).join(" | ")
    }

    fn times(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "\n![the time of each contender in copies of the logits](peers.svg)\n")?;
        writeln!(page, "Milliseconds, channels first / channels last:\n")?;
        let shapes = [LARGE[0], LARGE[1], LARGE[2], SMALL];
        writeln!(page, "| | {} |\n|---|---:|---:|---:|---:|", shapes.map(pretty).join(" | "))?;
        let rows = [
            ("a copy of the logits", OURS, COPY),
            ("segloss", OURS, WEIGHTED),
            ("segloss, fresh gradient buffer", OURS, "cross_entropy+fixed+fresh"),
            ("segloss, no weights", OURS, "cross_entropy"),
            ("segloss, weights per sample", OURS, "cross_entropy+per_sample"),
            ("PyTorch compiled", COMPILED, WEIGHTED),
            ("PyTorch", TORCH, WEIGHTED),
            ("burn, no pixel ignored", BURN, WEIGHTED_FULL),
            ("candle", CANDLE, WEIGHTED),
        ];
        for (title, who, what) in rows {
            let cell = |shape| {
                LAYOUTS
                    .map(|layout| self.milliseconds(&of_shape(shape), who, &name(what, layout, "f32", shape)))
            };
            let cells = shapes.map(|shape| cell(shape).join(" / "));
            let note = if self.results.absent.contains_key(who) { " (absent)" } else { "" };
            writeln!(page, "| {title}{note} | {} |", cells.join(" | "))?;
        }
        if !self.results.values.is_empty() {
            writeln!(page, "\nAll compute the same loss of the same drawn input:\n")?;
            writeln!(page, "| | input | theirs | ours |\n|---|---|---:|---:|")?;
            for value in &self.results.values {
                let (who, what) = (&value.contestant, &value.workload);
                writeln!(page, "| {who} | `{what}` | {:.7} | {:.7} |", value.theirs, value.ours)?;
            }
        }
        Ok(())
    }

    fn milliseconds(&self, contest: &str, who: &str, what: &str) -> String {
        let timing = self.results.find(contest, who, what);
        timing.map_or("–".to_owned(), |timing| three_digits(timing.seconds() * 1e3))
    }

    fn instruction_sets(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "\n## Instruction sets\n")?;
        writeln!(page, "Weighted cross-entropy in copies of the logits, channels first / channels last:\n")?;
        writeln!(page, "| | {} |\n|---|---|---|---|", LARGE.map(pretty).join(" | "))?;
        for set in InstructionSet::ALL {
            let row = self.row(|shape, layout| {
                let of = |what| name(what, layout, "f32", shape);
                let contest = of_shape(shape);
                self.results.ratio(&contest, (&with_instructions(set), &of(WEIGHTED)), (OURS, &of(COPY)))
            });
            writeln!(page, "| {} | {row} |", set.name())?;
        }
        Ok(())
    }

    fn cliffs(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "\n## Precision, one thread, a small image\n")?;
        writeln!(
            page,
            "Weighted cross-entropy in copies of the same setting, and picoseconds a logit (in f32), channels first / \
             channels last:\n"
        )?;
        let shapes = [LARGE[0], LARGE[1], LARGE[2], SMALL];
        writeln!(page, "| | {} |\n|---|---|---|---|---|", shapes.map(pretty).join(" | "))?;
        let one = with_threads(1);
        for (title, who, real) in [
            ("f32, all threads", OURS, "f32"),
            ("f64, all threads", OURS, "f64"),
            ("f32, one thread", one.as_str(), "f32"),
        ] {
            let cells = shapes.map(|shape| {
                let copies = |layout| {
                    bars::copies(self.results, who, real, shape, layout)
                        .map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
                };
                LAYOUTS.map(copies).join(" / ")
            });
            writeln!(page, "| copies, {title} | {} |", cells.join(" | "))?;
        }
        for (title, who) in [("all threads", OURS), ("one thread", one.as_str())] {
            let cells = shapes.map(|shape| {
                let per_logit = |layout| {
                    let timing =
                        self.results.find(&of_shape(shape), who, &name(WEIGHTED, layout, "f32", shape));
                    let picoseconds = timing.map(|timing| timing.seconds() * 1e12 / logits(shape) as f64);
                    picoseconds.map_or("–".to_owned(), three_digits)
                };
                LAYOUTS.map(per_logit).join(" / ")
            });
            writeln!(page, "| ps a logit, {title} | {} |", cells.join(" | "))?;
        }
        let predicted = LAYOUTS.map(|layout| {
            let seconds = bars::predicted_small(self.results, layout);
            seconds.map_or("–".to_owned(), |seconds| three_digits(seconds * 1e6))
        });
        let taken = LAYOUTS.map(|layout| {
            let timing = self.results.find(&of_shape(SMALL), OURS, &name(WEIGHTED, layout, "f32", SMALL));
            timing.map_or("–".to_owned(), |timing| three_digits(timing.seconds() * 1e6))
        });
        writeln!(
            page,
            "\nThe small image takes {} µs; copies predict {} µs. It has two classes: what a pixel costs once, a \
             logarithm and a division, is shared by fewer logits than in the large shapes.",
            taken.join(" / "),
            predicted.join(" / ")
        )
    }

    fn roofline(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "\n## Every kind against the memory\n")?;
        writeln!(page, "![bytes moved by each kind against a copy](roofline.svg)\n")?;
        writeln!(
            page,
            "{} in f32: the bytes of logits and gradient by the time. What reads the logits twice (an overlap is known \
             only at the end) takes one and a half copies at least.\n",
            pretty(plan::KINDS)
        )?;
        writeln!(page, "| kind | {} | {} |\n|---|---:|---:|", spoken(LAYOUTS[0]), spoken(LAYOUTS[1]))?;
        for (kind, _) in plots::rates(self.results).into_iter().rev() {
            let copies = |layout| {
                let workload = name(kind, layout, "f32", plan::KINDS);
                let timing = self.results.find(&plan::of_kind(kind), OURS, &workload);
                let copies = timing.and_then(|timing| self.results.copies(timing));
                copies.map_or("–".to_owned(), |copies| format!("{copies:.2}"))
            };
            writeln!(page, "| `{kind}` | {} |", LAYOUTS.map(copies).join(" | "))?;
        }
        let rates = LAYOUTS.map(|layout| {
            let rate = plots::copy_rate(self.results, layout).map(|rate| rate / 1e9);
            rate.map_or("–".to_owned(), |rate| format!("{rate:.1}"))
        });
        writeln!(page, "\nTimes in copies; a copy moves {} GB/s.", rates.join(" / "))
    }

    fn growth(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "\n## As pixels and classes grow\n")?;
        writeln!(
            page,
            "![time of a logit as pixels grow](pixels.svg)\n![time of a logit as classes grow](classes.svg)\n"
        )?;
        writeln!(
            page,
            "Cost grows like n to the power of (from 65 536 logits on, channels first / channels last; at most {LINEAR} \
             is linear):\n"
        )?;
        writeln!(page, "| | pixels | classes | |\n|---|---:|---:|---|")?;
        let steep = self.steep();
        for what in GROWING {
            let powers = |along| {
                let power = |layout| growth::exponent(&growth::points(self.results, along, what, layout));
                LAYOUTS.map(|layout| format!("{:.2}", power(layout))).join(" / ")
            };
            let verdict = match steep.iter().any(|(_, of, ..)| *of == what) {
                _ if what == COPY => "",
                true => "**missed**",
                false => "met",
            };
            writeln!(page, "| `{what}` | {} | {} | {verdict} |", powers("pixels"), powers("classes"))?;
        }
        Ok(())
    }

    fn threads(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "\n## Threads\n")?;
        writeln!(page, "![speed-up by threads](threads.svg)\n")?;
        let counts = thread_counts(self.results.machine.cores);
        let head: Vec<String> = counts.iter().map(|n| format!("{n}")).collect();
        writeln!(
            page,
            "| times as fast with | {} |\n|---|{}",
            head.join(" | "),
            "---:|".repeat(counts.len())
        )?;
        for what in GROWING {
            let cell = |&threads: &usize| {
                let speed = |layout| growth::speed_up(self.results, what, layout, threads);
                LAYOUTS.map(|layout| speed(layout).map_or("–".to_owned(), |x| format!("{x:.2}"))).join(" / ")
            };
            let cells: Vec<String> = counts.iter().map(cell).collect();
            writeln!(page, "| `{what}` | {} |", cells.join(" | "))?;
        }
        Ok(())
    }

    fn unet(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "\n## A U-Net's training step\n")?;
        writeln!(
            page,
            "Batch 4, 3×128×128, width 16, depth 4, nearest up-sampling followed by a 3×3 convolution, no norm, no \
             bias, a 1×1 head to 4 classes: 2 157 040 weights. Loss: mean of the squares of the output; f32, all cores. \
             In `dfdx-conv` the up-sampling and the convolution after it are one operation, `upsample_conv2d`: 4/9 of \
             their arithmetic, the same numbers but for rounding; below it with the two apart, as in PyTorch. dfdx \
             itself cannot take this step on stable Rust: its convolutions do not compile.\n"
        )?;
        writeln!(page, "| | forward, ms | forward + backward, ms | ours / theirs |\n|---|---:|---:|---:|")?;
        for (who, what, layout) in NETS {
            let of = |what: &str, step: &str, layout: &str| format!("{what}/{step}/{layout}");
            let cells = STEPS.map(|step| self.milliseconds(UNET, who, &of(what, step, layout)));
            let ours = |step: &str| {
                let (ours, theirs) = (of("unet", step, "channels_last"), of(what, step, layout));
                self.results.ratio(UNET, (plan::OPERATIONS, &ours), (who, &theirs))
            };
            let ratios = STEPS.map(|step| ours(step).map_or("–".to_owned(), |ratio| format!("{ratio:.2}")));
            let apart = if what == "unet+plain" { ", apart" } else { "" };
            let (layout, cells, ratios) = (spoken(layout), cells.join(" | "), ratios.join(" / "));
            writeln!(page, "| {who}{apart}, {layout} | {cells} | {ratios} |")?;
        }
        Ok(())
    }

    fn operations(&self, page: &mut String) -> std::fmt::Result {
        let estimates = &self.results.estimates;
        if estimates.is_empty() {
            return Ok(());
        }
        writeln!(page, "\n## Single operations\n")?;
        writeln!(
            page,
            "criterion's medians with their 95 % intervals, one benchmark after the other: for a look at one operation, \
             not for comparisons. `criterion.csv` has all {}; these are dfdx-conv's.\n",
            estimates.len()
        )?;
        writeln!(page, "| benchmark | ms | 95 % |\n|---|---:|---|")?;
        let ours = estimates.iter().filter(|estimate| {
            !["kinds/", "pixels/", "classes/"].iter().any(|group| estimate.name.starts_with(group))
        });
        for estimate in ours {
            let ms = |seconds: f64| three_digits(seconds * 1e3);
            let (name, median) = (&estimate.name, ms(estimate.median));
            writeln!(page, "| {name} | {median} | {} – {} |", ms(estimate.low), ms(estimate.high))?;
        }
        Ok(())
    }

    fn before_after(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "\n## Before and after\n")?;
        let Some(before) = self.before else {
            return writeln!(page, "No earlier run of this version of `results.json` to compare with.");
        };
        let old = &before.machine;
        writeln!(
            page,
            "Against revision {}, each time by the copy of its own run.{}",
            old.revision,
            match old.is_like(&self.results.machine) {
                true => String::new(),
                false =>
                    format!(" It ran on another machine: {}, {} cores, {}.", old.cpu, old.cores, old.system),
            }
        )?;
        if self.shown().is_empty() {
            return writeln!(page, "\nNothing that both runs timed.");
        }
        writeln!(page, "\n![after by before](before_after.svg)\n")?;
        writeln!(page, "| weighted cross-entropy | before | after | after / before |\n|---|---:|---:|---:|")?;
        for change in self.shown().iter().filter(|change| change.contest.starts_with("shape ")) {
            let (what, before, after, ratio) =
                (&change.workload, change.before, change.after, change.ratio());
            writeln!(page, "| `{what}` | {before:.2} | {after:.2} | {ratio:.2} |")?;
        }
        Ok(())
    }

    fn method(&self, page: &mut String) -> std::fmt::Result {
        writeln!(
            page,
            "\n## How it is measured\n\n\
             Every contestant is a program of its own that computes on request. A round asks each of them in turn, with \
             50 ms between two, so that threads that wait by spinning go to sleep; the order turns from round to round; \
             the first call of a turn is not counted, unless a call takes a quarter of a second. A time is the median \
             over the rounds of each round's median, a ratio the median of each round's ratio. Logits, labels (in \
             blocks, one class half as frequent as the one before; one row of blocks in sixteen ignored) and weights are \
             drawn from one formula that all share, and each contender's value is compared with ours before anything is timed.\n\n\
             - PyTorch: `F.cross_entropy(weight=…, ignore_index=255)` and `backward()` to the logits; contiguous, and \
             `torch.channels_last`; compiled with `torch.compile(dynamic=False)`. The old gradient is freed outside the \
             time.\n\
             - PyTorch's other losses, one operation after the other: `F.cross_entropy` + Dice of `softmax` and \
             `one_hot`; focal from `F.cross_entropy(reduction=\"none\")`; Tversky as Dice; Lovász-softmax as its authors \
             published it, a sort for each class that is there.\n\
             - burn, backend flex: its `CrossEntropyLoss` with weights, on (pixels, classes) rows. It cannot ignore a \
             label outside the classes, so its input has none.\n\
             - candle: `log_softmax`, `gather`, a product with a weight per pixel made beforehand, `sum_all`; its own \
             `cross_entropy` has no weights.\n\n\
             ```sh\n\
             cargo xtask bench-report                      # the Rust toolchain and nothing else\n\
             cargo xtask bench-report --peers              # burn and candle are built, PyTorch is used if found\n\
             cargo xtask bench-report --peers --record     # into reports/bench\n\
             cargo bench -p segloss --bench losses dice    # one kind alone\n\
             ```\n\n\
             `times.csv` has every time of every contest, `bars.csv` the table of bars, `growth.csv` the curves, \
             `criterion.csv` criterion's estimates, `results.json` all of it with every round."
        )
    }
}

/// 0.0123, 1.23, 12.3, 123.
fn three_digits(x: f64) -> String {
    let digits = 2 - (x.abs().max(1e-9).log10().floor() as i32);
    format!("{x:.*}", digits.clamp(0, 6) as usize)
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::results;
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let cases =
            [(0.012_34, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (1234.0, "1234")];
        for (x, expected) in cases {
            assert_eq!(three_digits(x), expected);
        }
    }

    #[test]
    fn absent_peers_are_named_and_have_no_time() {
        let copy = name(COPY, LAYOUTS[0], "f32", LARGE[0]);
        let mut results = results(&[(&of_shape(LARGE[0]), OURS, &copy, 1e-3)]);
        results.absent.insert(CANDLE.to_owned(), "does not\nbuild".to_owned());
        let page = Page::new(&results, None);
        let text = page.text();
        assert!(text.contains("| absent | candle: does not build |"), "{text}");
        assert!(text.contains("| candle (absent) | – / – |"), "{text}");
        assert!(text.contains("not measured |"));
        assert!(page.held());
    }

    #[test]
    fn an_earlier_run_is_compared_with() {
        let folder = tempfile::tempdir().unwrap();
        let of = |what| name(what, LAYOUTS[0], "f32", plan::KINDS);
        let (contest, copy, dice) = (plan::of_kind("dice"), of(COPY), of("dice"));
        let run = |seconds| results(&[(&contest, OURS, &copy, 1.0), (&contest, OURS, &dice, seconds)]);
        let (mut before, after) = (run(6.0), run(3.0));
        before.machine.cores = 64;
        let page = Page::new(&after, Some(&before));
        page.write(folder.path()).unwrap();
        let picture = std::fs::read_to_string(folder.path().join("before_after.svg")).unwrap();
        assert!(picture.contains("dice, first"), "{picture}");
        assert!(page.text().contains("It ran on another machine"));
    }

    #[test]
    fn pages_are_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let results = results(&[]);
        Page::new(&results, Some(&results)).write(folder.path()).unwrap();
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 11, "no temporary file is left, and no picture of changes drawn");
    }
}
