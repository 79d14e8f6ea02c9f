//! What long work shows on standard error.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use segloss_unet::checkpoint::Best;
use segloss_unet::compare::cell::Outcome;
use segloss_unet::curves::LogRow;
use segloss_unet::progress::{EpochReport, Progress, Start, StepReport, Warning};
use segloss_unet::table::percent;

/// Training: a bar where there is a terminal, else one line per epoch; nothing when quiet.
pub struct Display {
    lines: Lines,
    /// Each epoch as a line of JSON on standard output.
    json: bool,
    bar: ProgressBar,
    /// Standard output failed: the run ends, and this is why.
    pub failure: Option<io::Error>,
}

impl Display {
    pub fn new(quiet: bool, json: bool) -> Self {
        let bar = bar(quiet, None);
        Self { lines: Lines { quiet, bar: bar.clone() }, json, bar, failure: None }
    }
}

/// Lines above a bar, or where there is none.
struct Lines {
    quiet: bool,
    bar: ProgressBar,
}

impl Lines {
    /// Progress: nothing when quiet.
    fn line(&self, text: &str) {
        if !self.quiet {
            self.message(text);
        }
    }

    /// What is said even when quiet.
    fn message(&self, text: &str) {
        if self.bar.is_hidden() {
            say(text);
        } else {
            self.bar.println(text);
        }
    }
}

/// A line on standard error. That nobody reads it any more is no reason to end.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says what was guessed or left out, and what is likely to disappoint.
pub fn tell(notes: &[String], warnings: &[String]) {
    notes.iter().for_each(|note| say(&format!("note: {note}")));
    warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
}

/// A bar where there is a terminal, hidden elsewhere and when quiet.
pub fn bar(quiet: bool, length: Option<u64>) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    // The template is a constant; a test draws with it.
    let style = style().unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_style(style)
}

/// Turns while something of unknown length is done; hidden where there is no terminal.
pub fn turning(text: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message(text);
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

fn style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    ProgressStyle::with_template("{prefix} [{bar:24}] {pos}/{len} {msg}")
        .map(|style| style.progress_chars("=> "))
}

impl Progress for Display {
    fn started(&mut self, start: &Start) {
        if start.done == start.epochs {
            let (done, more) = (start.done, start.done + 10);
            self.lines.line(&format!(
                "nothing to do: all {done} epochs are done; --resume --set train.epochs={more} goes on"
            ));
            return;
        }
        let (train, val) = start.images;
        let resumed =
            if start.done > 0 { format!(", going on after epoch {}", start.done) } else { String::new() };
        self.lines.line(&format!(
            "{train} training and {val} validation images, {} classes, {} weights, {} epochs of {} steps{resumed}",
            start.classes, start.parameters, start.epochs, start.steps_per_epoch,
        ));
    }

    fn stepped(&mut self, step: &StepReport) {
        self.bar.set_prefix(format!("epoch {:>3}", step.epoch));
        self.bar.set_length(step.steps as u64);
        self.bar.set_message(format!("loss {:.4}  rate {:.1e}", step.loss, step.rate));
        self.bar.set_position(step.step as u64);
    }

    fn evaluated(&mut self, done: usize, images: usize) {
        self.bar.set_message("validation");
        self.bar.set_length(images as u64);
        self.bar.set_position(done as u64);
    }

    /// Also when quiet, as all notes are.
    fn noted(&mut self, note: &str) {
        self.lines.message(&format!("note: {note}"));
    }

    /// Also when quiet: a warning is no progress.
    fn warned(&mut self, warning: &Warning) {
        self.lines.message(&format!("warning: {warning}"));
    }

    fn stopped_early(&mut self, best: &Best, patience: usize) {
        self.bar.finish_and_clear();
        self.lines.line(&format!(
            "ended early: mean IoU has not been better than in epoch {} for {patience} epochs (train.patience)",
            best.epoch
        ));
    }

    fn finished_epoch(&mut self, epoch: &EpochReport) -> ControlFlow<()> {
        let best = if epoch.is_best { "  best so far" } else { "" };
        self.lines.line(&format!("{}{best}", describe(&epoch.row, epoch.epochs)));
        if epoch.row.epoch == epoch.epochs {
            self.bar.finish_and_clear();
        }
        if self.json {
            let written = serde_json::to_string(&epoch.row)
                .map_err(io::Error::from)
                .and_then(|row| writeln!(io::stdout().lock(), "{row}"));
            if let Err(error) = written {
                self.failure = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

/// Many trainings, one after the other: how far all of them are, and how long the rest will take.
pub struct Grid {
    lines: Lines,
    bar: ProgressBar,
    began: Instant,
    /// Of all epochs that are to be done, those before this process began apart.
    done: usize,
    left: usize,
    cell: String,
    cell_began: Instant,
    score: Option<f64>,
}

impl Grid {
    pub fn new(quiet: bool, epochs: usize) -> Self {
        let (now, bar) = (Instant::now(), bar(quiet, Some(epochs as u64)));
        Self {
            lines: Lines { quiet, bar: bar.clone() },
            bar,
            began: now,
            done: 0,
            left: epochs,
            cell: String::new(),
            cell_began: now,
            score: None,
        }
    }

    pub fn line(&self, text: &str) {
        self.lines.line(text);
    }

    pub fn begin(&mut self, cell: &str, (number, of): (usize, usize)) {
        self.cell = format!("{number}/{of} {cell}");
        (self.cell_began, self.score) = (Instant::now(), None);
        self.bar.set_prefix(self.cell.clone());
    }

    pub fn end(&mut self, outcome: &Outcome) {
        let seconds = self.cell_began.elapsed().as_secs_f64();
        let text = match outcome {
            Outcome::Done => {
                let score = self
                    .score
                    .map_or(String::new(), |iou| format!(", validation mean IoU {} %", percent(Some(iou))));
                format!("{}: done in {}{score}{}", self.cell, duration(seconds), self.rest())
            }
            Outcome::Failed(why) => format!("{}: diverged, and counts as such: {why}", self.cell),
            Outcome::Taken => format!("{}: another process is at it", self.cell),
            Outcome::Stopped => format!("{}: stopped", self.cell),
        };
        match outcome {
            Outcome::Failed(_) => self.lines.message(&format!("warning: {text}")),
            _ => self.lines.line(&text),
        }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn rest(&self) -> String {
        if self.done == 0 || self.left == 0 {
            return String::new();
        }
        let each = self.began.elapsed().as_secs_f64() / self.done as f64;
        format!("; about {} left", duration(each * self.left as f64))
    }
}

/// As people say it.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

impl Progress for Grid {
    fn started(&mut self, start: &Start) {
        self.left = self.left.saturating_sub(start.done);
        self.bar.inc(start.done as u64);
    }

    fn warned(&mut self, warning: &Warning) {
        self.lines.message(&format!("warning: {}: {warning}", self.cell));
    }

    fn noted(&mut self, note: &str) {
        self.lines.message(&format!("note: {}: {note}", self.cell));
    }

    fn stopped_early(&mut self, best: &Best, _: usize) {
        self.lines.line(&format!("{}: ended early, best epoch {}", self.cell, best.epoch));
    }

    fn finished_epoch(&mut self, epoch: &EpochReport) -> ControlFlow<()> {
        (self.done, self.left) = (self.done + 1, self.left.saturating_sub(1));
        if epoch.is_best {
            self.score = epoch.row.mean_iou;
        }
        self.bar.inc(1);
        self.bar.set_message(format!(
            "epoch {}/{}  mean IoU {} %{}",
            epoch.row.epoch,
            epoch.epochs,
            percent(epoch.row.mean_iou),
            self.rest()
        ));
        ControlFlow::Continue(())
    }
}

fn describe(row: &LogRow, epochs: usize) -> String {
    format!(
        "epoch {:>3}/{epochs}  loss {:.4}  val loss {:.4}  mean IoU {:>4} %  class average {:>4} %  accuracy {:>4} %  {:.1} s",
        row.epoch,
        row.train_loss,
        row.val_loss,
        percent(row.mean_iou),
        percent(row.class_average),
        percent(row.accuracy),
        row.train_seconds + row.val_seconds,
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_valid() {
        assert!(super::style().is_ok());
    }
}
