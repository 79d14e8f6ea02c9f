//! `segloss check`.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use segloss::Layout;
use segloss_verify::identify;
use segloss_verify::identify::probe::{Framework, Probe, TargetForm};
use segloss_verify::identify::{About, Verdict};

use crate::exit::FoundWrong;
use crate::options::{Threads, loss};
use crate::progress::{say, turning};

/// Is the loss that you wrote right, and if not, what is it?
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Three commands, from a function to a verdict:
  segloss check --emit torch losses:my_loss > probe.py    losses.py has a function my_loss
  python probe.py                                         asks it about small batches
  segloss check answers.npz --html check.html             the page has pictures; it is not needed

Or one batch of your own training, saved with numpy.savez:
  np.savez('capture.npz', logits=z, target=y, value=loss, gradient=grad)
  segloss check capture.npz

A capture holds logits (or probabilities), target, and value, gradient and class_weights as far
as you have them; of several batches as NAME/logits, NAME/target, ... A gradient says far more
than a value: save it if you can. Layout, form of the target and ignored label are found out
where nothing says them, and what is guessed is said.

Exit codes: 0 the loss is right, and named; 1 something is wrong with it; 2 no answer: the file
cannot be read, or nothing that is known explains it.")]
pub struct CheckArgs {
    /// What your function answered: answers.npz of a probe, or one batch.
    #[arg(value_name = "CAPTURE.npz", required_unless_present = "emit")]
    capture: Option<PathBuf>,
    /// Print a script that asks a function about small batches; named as MODULE:FUNCTION.
    #[arg(long, value_names = ["FRAMEWORK", "MODULE:FUNCTION"], num_args = 2, conflicts_with_all = ["capture", "json", "expect", "threads"])]
    emit: Option<Vec<String>>,
    /// What the loss is meant to be: a kind as in `dice`, a sum as in `cross_entropy + dice` or
    /// `0.3*cross_entropy + 0.7*dice`, or a specification, in a file or as it is.
    #[arg(long, value_name = "KIND|SPEC")]
    expect: Option<String>,
    /// Where the classes lie.
    #[arg(long, value_enum)]
    layout: Option<LayoutArg>,
    /// The label of pixels that do not count.
    #[arg(long, value_name = "LABEL", allow_negative_numbers = true)]
    ignore_index: Option<i64>,
    /// The function takes probabilities, not logits.
    #[arg(long)]
    probabilities: bool,
    /// Channels of the prediction; a probe makes 3 unless told.
    #[arg(long, value_name = "C")]
    classes: Option<usize>,
    /// How the function takes the target that a probe makes; all forms are tried unless told.
    #[arg(long, value_enum, requires = "emit")]
    target: Option<TargetArg>,
    #[command(flatten)]
    threads: Threads,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write a page, too: batch by batch, with pictures of where the gradient goes.
    #[arg(long, value_name = "FILE", conflicts_with = "emit")]
    html: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum LayoutArg {
    /// (N, C, ...).
    ChannelsFirst,
    /// (N, ..., C).
    ChannelsLast,
    /// (N, ...): one channel that has no axis.
    NoChannels,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum TargetArg {
    /// Class indices, (N, H, W).
    Indices,
    /// One-hot, in the shape of the prediction.
    OneHot,
    /// Class indices with an axis of one channel, as MONAI takes them.
    Channel,
}

impl CheckArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        match (&self.emit, &self.capture) {
            (Some(emit), _) => self.emit(emit),
            (None, Some(path)) => self.judge(path),
            (None, None) => unreachable!("clap asks for one of them"),
        }
    }

    fn layout(&self) -> Option<Layout> {
        match self.layout? {
            LayoutArg::ChannelsFirst => Some(Layout::ChannelsFirst),
            LayoutArg::ChannelsLast => Some(Layout::ChannelsLast),
            LayoutArg::NoChannels => None,
        }
    }

    /// The channels as they were told.
    fn classes(&self) -> Result<Option<usize>, String> {
        match (self.layout, self.classes) {
            (_, Some(0)) => Err("--classes 0: a prediction has one channel at least".to_owned()),
            (_, Some(classes)) if classes > 1024 && self.emit.is_some() => Err(format!(
                "--classes {classes}: a probe has 1024 channels at most; a loss is the same with fewer"
            )),
            (Some(LayoutArg::NoChannels), Some(classes)) if classes != 1 => Err(format!(
                "--classes {classes} and --layout no_channels: without an axis there is one channel"
            )),
            (Some(LayoutArg::NoChannels), _) => Ok(Some(1)),
            (_, classes) => Ok(classes),
        }
    }

    fn emit(&self, emit: &[String]) -> Result<(), Box<dyn Error>> {
        let names = || Framework::ALL.map(Framework::name).join(", ");
        let framework = Framework::ALL
            .into_iter()
            .find(|framework| framework.name() == emit[0])
            .ok_or_else(|| format!("no template for `{}`; there are {}", emit[0], names()))?;
        let probe = Probe {
            function: emit[1].clone(),
            framework,
            classes: self.classes()?.unwrap_or(3),
            layout: self.layout(),
            no_channels: matches!(self.layout, Some(LayoutArg::NoChannels)),
            probabilities: self.probabilities,
            ignore_index: self.ignore_index,
            target: self.target.map(|target| match target {
                TargetArg::Indices => TargetForm::Indices,
                TargetArg::OneHot => TargetForm::OneHot,
                TargetArg::Channel => TargetForm::Channel,
            }),
        };
        Ok(io::stdout().lock().write_all(probe.script()?.as_bytes())?)
    }

    fn judge(&self, path: &std::path::Path) -> Result<(), Box<dyn Error>> {
        self.threads.start()?;
        let about = About {
            layout: self.layout(),
            classes: self.classes()?,
            ignore_index: self.ignore_index,
            probabilities: self.probabilities.then_some(true),
            ..About::default()
        };
        let expected = self.expect.as_deref().map(loss).transpose()?;
        let searching = turning("comparing with every loss that is known");
        let judged = identify::judge(path, about, expected.as_ref());
        searching.finish_and_clear();
        let (capture, report) = judged?;
        if let Some(html) = &self.html {
            let page = identify::page(&capture, &report)?;
            segloss_unet::files::write_atomic(html, page.as_bytes())?;
        }
        let mut out = io::stdout().lock();
        match self.json {
            true => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
            false => {
                write!(out, "{report}")?;
                report.notes.iter().for_each(|note| say(&format!("note: {note}")));
            }
        }
        match report.verdict {
            Verdict::Right => Ok(()),
            Verdict::Wrong => {
                let titles: Vec<&str> = report.findings.iter().map(|finding| finding.title).collect();
                Err(FoundWrong(titles.join("; ")).into())
            }
            Verdict::Unknown => Err(match &report.name {
                Some(name) => format!("it is {name} in part only: look at what is said of the rest").into(),
                None => "the loss has no name here, and nothing shows that it is wrong".into(),
            }),
        }
    }
}
