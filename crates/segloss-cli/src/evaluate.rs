//! `segloss evaluate`.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ArgGroup;
use segloss_unet::dataset::load_split;
use segloss_unet::evaluate::Examination;
use segloss_unet::files::{make_folder, write_atomic};
use segloss_unet::metrics::definitions::{CLASS_METRICS, Definition, RUN_METRICS};
use segloss_unet::metrics::image::Measures;
use segloss_unet::metrics::sums::Settings;
use segloss_unet::metrics::{Report, Results, Rule};
use segloss_unet::output::Output;
use segloss_unet::run::Which;
use segloss_unet::tune::RuleFile;
use segloss_unet::{Checkpoint, Reading, RunFolder, Source, Split, table};

use crate::options::{CheckpointArg, Moved, SplitArg, Threads};
use crate::progress::{self, tell};

/// Score a trained net class by class.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("every").args(["all", "csv", "json"]).multiple(true))]
#[command(after_help = "\
Examples:
  segloss evaluate --run run                          the test images of the run's own data set
  segloss evaluate --run run --split val --checkpoint last
  segloss evaluate --run run --data OTHER --json | jq .mean_iou
  segloss evaluate --run run --all --csv scores.csv   every score of every class
  segloss evaluate --from run/results/test-best.json  the tables again, without the net
  segloss evaluate --explain                          what every score is, and who defined it

What was counted, image by image, is written to RUN/results/SPLIT-CHECKPOINT.json
(SPLIT-CHECKPOINT-NAME.json for another data set of that name, …-rule.json where `segloss tune`
chose how classes are decided), or to --out. Every score is made of that file alone.

A class that does not occur in the masks is shown as –, and no mean counts it; below the table
stands where it was predicted all the same. Of one image the same holds: a class that is not in
its truth does not count in its scores (mIoU^I, mIoU^C, NSD, HD95), one that is and was missed
counts 0, and in HD95, which it does not have, not at all: see missed_images in --all.")]
pub struct EvaluateArgs {
    /// The run folder.
    #[arg(long, value_name = "RUN", required_unless_present_any = ["from", "explain"])]
    run: Option<PathBuf>,
    /// A file that an evaluation left, instead of a run.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["run", "data", "split", "checkpoint", "arg_max", "tolerance", "band", "out", "threads"]
    )]
    from: Option<PathBuf>,
    /// Another data set than the one it was trained on.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which images.
    #[arg(long, value_enum, default_value = "test")]
    split: SplitArg,
    /// Which epoch's net.
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: CheckpointArg,
    /// Decide by the largest logit, whatever `segloss tune` chose.
    #[arg(long)]
    arg_max: bool,
    /// How far apart outlines may be to be the same for NSD, in pixels.
    #[arg(long, value_name = "PIXELS", default_value = "2", value_parser = tolerance, allow_negative_numbers = true)]
    tolerance: f64,
    /// Width of the boundary IoU's band, as a part of the image's diagonal; 1 pixel at least.
    #[arg(long, value_name = "RATIO", default_value = "0.02", value_parser = band, allow_negative_numbers = true)]
    band: f64,
    /// β of F_β, in --all, --csv and --json: recall counts β times as much as precision.
    #[arg(long, value_name = "β", default_value = "2", value_parser = not_negative, allow_negative_numbers = true, requires = "every")]
    beta: f64,
    /// Where to write what was counted; by default in the run folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
    /// Show every score of the classes, not only the usual ones.
    #[arg(long, conflicts_with = "json")]
    all: bool,
    /// Write every score of the classes as CSV, too.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Print JSON: {epoch, split, loss, accuracy, class_average, mean_iou, …, classes: [{label, name, iou, …}]}, every score.
    #[arg(long)]
    json: bool,
    /// Say what the scores are, and evaluate nothing.
    #[arg(long, exclusive = true)]
    explain: bool,
}

/// The run folder cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("what was counted cannot be kept in the run; --out FILE writes it elsewhere")]
struct NotKept(#[source] segloss_unet::Error);

fn not_negative(text: &str) -> Result<f64, String> {
    number(text, |x| x >= 0.0, "a number of at least 0")
}

fn tolerance(text: &str) -> Result<f64, String> {
    number(text, |x| (0.0..=1e4).contains(&x), "a number of at least 0, and at most 10000")
}

fn band(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x <= 1.0, "a number above 0, and at most 1")
}

fn number(text: &str, accepted: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|&x: &f64| x.is_finite() && accepted(x));
    number.ok_or_else(|| format!("expected {expected}"))
}

impl EvaluateArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        let mut out = io::stdout().lock();
        if self.explain {
            return Ok(write!(out, "{}", explanation())?);
        }
        self.check_outputs()?;
        let results = match (&self.from, &self.run) {
            (Some(file), _) => Results::load(file)?,
            // The command line has one of the two.
            (None, run) => self.examined(run.as_deref().unwrap_or(Path::new("")))?,
        };
        let report = Report::new(&results, Settings { beta: self.beta });
        let mut present = report.sums.classes.iter().filter(|class| class.overlap.truth() > 0);
        if let (Some(only), None) = (present.next(), present.next()) {
            let (split, name) = (&report.origin.split, &only.class.name);
            let warning =
                format!("every pixel of {split} is of class `{name}`: these scores say little about the net");
            tell(&[], &[warning]);
        }
        if let Some(path) = &self.csv {
            write_atomic(path, table::report_csv(&report)?.as_bytes())?;
        }
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report).map_err(io::Error::from)?)?;
        } else {
            write!(out, "{}", table::report(&report, self.all))?;
        }
        Ok(())
    }

    /// What is written must not replace anything else: known before the net is evaluated.
    fn check_outputs(&self) -> Result<(), Box<dyn Error>> {
        if let (Some(out), Some(csv)) = (&self.out, &self.csv)
            && out == csv
        {
            return Err(format!("{}: --out and --csv would overwrite each other", out.display()).into());
        }
        self.out.as_deref().map_or(Ok(()), |path| Output::Results.check(path))?;
        Ok(self.csv.as_deref().map_or(Ok(()), |path| Output::Scores.check(path))?)
    }

    /// Evaluates the net, and keeps what was counted.
    fn examined(&self, run: &Path) -> Result<Results, Box<dyn Error>> {
        self.threads.start()?;
        let folder = RunFolder::open(run)?;
        let which = Which::from(self.checkpoint);
        let checkpoint = Checkpoint::load(&folder.checkpoint_path(which))?;
        let meta = &checkpoint.meta;
        let source = Source::new(self.data.as_deref().or(meta.config.data.folder.as_deref()));
        let split = Split::from(self.split);
        let remembered = meta.config.data.folder.as_deref().filter(|_| self.data.is_none());
        let reading =
            Reading::with_classes(&source, &meta.classes).map_err(|error| Moved::or(error, remembered))?;
        tell(&reading.notes, &[]);
        let samples = load_split(&reading, split, &meta.normalisation, meta.config.data.maps)?;
        let (rule, note) = match self.arg_max {
            true => (Rule::default(), None),
            false => RuleFile::of(&folder, which, meta)?,
        };
        tell(&note.into_iter().collect::<Vec<_>>(), &[]);
        let examination = Examination {
            checkpoint: &checkpoint,
            which,
            source: &source,
            split,
            classes: &reading.classes,
            samples: &samples,
            measures: Measures { tolerance: self.tolerance, band_ratio: self.band },
        };
        let bar = progress::bar(false, Some(samples.len() as u64));
        let results = examination.under(rule, &mut |images| bar.set_position(images as u64))?;
        bar.finish_and_clear();
        let own = self.data.is_none();
        let path = self.out.clone().unwrap_or_else(|| {
            let data = (!own).then_some(results.origin.data.as_str());
            let rule = (!results.origin.rule.is_arg_max()).then_some("rule");
            folder.results_path(split, which, &data.into_iter().chain(rule).collect::<Vec<_>>())
        });
        let made = match self.out {
            None => make_folder(&folder.path().join("results")),
            Some(_) => Ok(()),
        };
        match made.and_then(|()| results.save(&path)) {
            Err(error @ segloss_unet::Error::Io { .. }) if self.out.is_none() => Err(NotKept(error).into()),
            kept => Ok(kept.map(|()| results)?),
        }
    }
}

/// Every score, in words.
fn explanation() -> String {
    let one = |definition: &Definition, mean: &str| {
        let Definition { name, title, formula, absent, source, .. } = definition;
        format!("{name}{mean} ({title})\n  {formula}\n  absent class: {absent}\n  {source}\n")
    };
    let of_classes =
        CLASS_METRICS.iter().map(|metric| one(&metric.definition, &format!(", {}", metric.mean)));
    let of_run = RUN_METRICS.iter().map(|metric| one(&metric.definition, ""));
    format!(
        "Of each class, and the mean over the classes that have it:\n\n{}\nOf all images:\n\n{}",
        of_classes.collect::<Vec<_>>().join("\n"),
        of_run.collect::<Vec<_>>().join("\n")
    )
}
