//! `segloss tune`.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use segloss_unet::batch::Batcher;
use segloss_unet::blocks::{Blocks, Grouping};
use segloss_unet::dataset::{Images, load_split};
use segloss_unet::files::{remove_if_there, write_atomic};
use segloss_unet::run::Which;
use segloss_unet::table::{aligned, percent};
use segloss_unet::tune::fit::{Scored, Wanted};
use segloss_unet::tune::temperature::Calibration;
use segloss_unet::tune::{Goal, RuleFile, Shift, correction, fit, gather, plot};
use segloss_unet::{Checkpoint, Dataset, Reading, RunFolder, Source, Split};

use crate::options::{CheckpointArg, Moved, Threads};
use crate::progress::{self, say, tell};

/// Choose how classes are decided, after training: a shift of the classes, a temperature.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss tune --run run                       one strength t, for the validation mean IoU
  segloss tune --run run --metric class-average --dry-run
  segloss tune --run run --shift per-class     one shift for each class
  segloss tune --run run --strength 0.5        t = ½, whatever the images say
  segloss tune --run run --metric f-beta --class pole --beta 2
  segloss tune --run run --shift none --temperature --undo-weights   believable probabilities
  segloss tune --run run --on held-out         by what data.held_out kept from learning

A net says z_c for each class c; decided is arg max (z_c + s_c). A shift s_c = -ln τ_c is the
threshold τ_c of class c. --shift strength looks for one number t and shifts by -t·ln π_c, π_c
the share of class c of the training pixels: t = 0 is plain arg max, t = 1 decides as if all
classes were equally common. A threshold that is the same for all classes, such as 1/C, is t =
0: it shifts nothing. No training is needed, and none of it changes the weights.

A rule is always best on the images that it was chosen by. Believe the line `cross-fitted`: it
chooses by four fifths of the images and counts on the last, in turn. Images of the validation
split chose the epoch, too, and frames of a sequence that is in train say little;
data.held_out=[\"SEQUENCE\"] in training keeps a sequence for this.

The rule is written to RUN/rule.json and drawn in RUN/rule.svg; `segloss evaluate` and `segloss
predict` decide by it from then on, unless --arg-max is given. Remove the file to be rid of it.")]
pub struct TuneArgs {
    /// The run folder.
    #[arg(long, value_name = "RUN")]
    run: PathBuf,
    /// Where the run's images are now, if they have moved.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The images to choose by.
    #[arg(long, value_enum, default_value = "val")]
    on: OnArg,
    /// Which epoch's net.
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: CheckpointArg,
    /// What is looked for.
    #[arg(long, value_enum, default_value = "strength")]
    shift: ShiftArg,
    /// The t of the shift -t·ln π, instead of looking for one: from -10 to 10.
    #[arg(long, value_name = "T", conflicts_with = "shift", allow_hyphen_values = true)]
    strength: Option<f64>,
    /// What it is to make as large as can be.
    #[arg(long, value_enum, default_value = "mean-iou")]
    metric: MetricArg,
    /// The class of f-beta, by name or label.
    #[arg(long, value_name = "CLASS", required_if_eq("metric", "f-beta"))]
    class: Option<String>,
    /// β of f-beta: recall counts β times as much as precision.
    #[arg(long, value_name = "β")]
    beta: Option<f64>,
    /// Also look for the temperature T of softmax(z/T) with the least cross-entropy.
    #[arg(long)]
    temperature: bool,
    /// Also take the class weights that the net was trained with out of its probabilities.
    #[arg(long)]
    undo_weights: bool,
    /// Write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    threads: Threads,
    /// Print JSON: what RUN/rule.json holds.
    #[arg(long)]
    json: bool,
}

/// The images that a rule is chosen by.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnArg {
    /// Those the best epoch was chosen by.
    Val,
    /// Those of train that data.held_out kept from learning.
    HeldOut,
    /// Those it learned from: its probabilities are too sure there.
    Train,
    /// Those it has never seen: what is chosen by them cannot be judged by them.
    Test,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShiftArg {
    /// No shift.
    None,
    /// One number t: the shift -t·ln π.
    Strength,
    /// One shift for each class.
    PerClass,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MetricArg {
    MeanIou,
    MeanDice,
    /// Mean recall.
    ClassAverage,
    Accuracy,
    /// F_β of --class.
    FBeta,
}

impl TuneArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        self.threads.start()?;
        let shift = match (self.strength, self.shift) {
            (Some(t), _) if !Shift::STRENGTHS.contains(&t) => {
                return Err(format!("--strength is {t}; expected a number from -10 to 10").into());
            }
            (Some(t), _) => Shift::Fixed(t),
            (None, ShiftArg::None) => Shift::None,
            (None, ShiftArg::Strength) => Shift::Strength,
            (None, ShiftArg::PerClass) => Shift::PerClass,
        };
        if shift == Shift::None && !self.temperature && !self.undo_weights {
            return Err("--shift none leaves nothing to choose; add --temperature or --undo-weights".into());
        }
        let is_f_beta = matches!(self.metric, MetricArg::FBeta);
        if !is_f_beta && (self.class.is_some() || self.beta.is_some()) {
            return Err("--class and --beta are for --metric f-beta".into());
        }
        let folder = RunFolder::open(&self.run)?;
        let which = Which::from(self.checkpoint);
        let Checkpoint { net, meta, .. } = Checkpoint::load(&folder.checkpoint_path(which))?;
        let goal = self.goal(&meta.classes.names)?;
        let mut config = meta.config.data.clone();
        if let Some(folder) = &self.data {
            config.folder = Some(folder.clone());
        }
        let remembered = meta.config.data.folder.as_deref().filter(|_| self.data.is_none());
        let data = Dataset::load(&config).map_err(|error| Moved::or(error, remembered))?;
        if data.classes != meta.classes {
            return Err(format!("the classes of {} are not those of the run", self.run.display()).into());
        }
        let source = Source::new(config.folder.as_deref());
        let reading = Reading::with_classes(&source, &meta.classes)?;
        let images = match self.on {
            OnArg::Val => Images::Split(Split::Val),
            OnArg::HeldOut => Images::HeldOut,
            OnArg::Train => Images::Split(Split::Train),
            OnArg::Test => Images::Split(Split::Test),
        };
        let test;
        let samples = match self.on {
            OnArg::Val => &data.val,
            OnArg::Train => &data.train,
            OnArg::HeldOut if data.held_out.is_empty() => {
                return Err(
                    "the run held no image out; train one with --set data.held_out=[\"SEQUENCE\"]".into()
                );
            }
            OnArg::HeldOut => &data.held_out,
            OnArg::Test => {
                if shift.is_looked_for() || self.temperature {
                    say("warning: a rule that is chosen by the test images cannot be judged by them");
                }
                test = load_split(&reading, Split::Test, &meta.normalisation, false)?;
                &test
            }
        };
        let batcher = Batcher {
            samples,
            normalisation: &meta.normalisation,
            classes: &meta.classes,
            multiple: net.multiple(),
        };
        let bar = progress::bar(false, Some(samples.len() as u64));
        let gathered =
            gather(&net, &batcher, meta.config.train.batch_size, &mut |done| bar.set_position(done as u64))?;
        bar.finish_and_clear();
        let names: Vec<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
        let group = reading.description.split.as_ref().and_then(|split| split.group.as_ref());
        let all = data.train.iter().chain(&data.held_out).chain(&data.val).chain(samples);
        let blocks = Blocks::of(&names, &Grouping::of(all.map(|sample| sample.name.as_str()), group));
        let correction = match self.undo_weights {
            true => correction::correction(&meta.config.loss, &data.counts)?,
            false => Vec::new(),
        };
        let prior = data.counts.frequencies();
        let wanted = Wanted { shift, goal, temperature: self.temperature, correction, prior: &prior };
        let fit = fit(&gathered, &blocks, &wanted);
        let chosen_by = format!("{} of {}", images.name(), source.name());
        let pixels = gathered.pixels();
        let file = RuleFile::new(&meta, which, chosen_by, shift, goal, fit)?;
        let mut warnings = Vec::new();
        if gathered.stride > 1 {
            warnings.push(format!("of so many pixels, one in {} was looked at", gathered.stride));
        }
        if file.fit.cross_fitted.is_none() {
            warnings.push("all images are of one block: no estimate for other images".to_owned());
        }
        if shift.is_looked_for()
            && file.fit.cross_fitted.is_some_and(|found| found.value <= file.fit.arg_max.value)
        {
            warnings
                .push("on images that it was not chosen by, the shift is no better than arg max".to_owned());
        }
        if shift == Shift::None && !file.fit.rule.is_arg_max() {
            warnings.push("the weights moved the decisions, and so does taking them out: see both rows; --arg-max keeps them".to_owned());
        }
        if matches!(shift, Shift::Fixed(t) if t > 0.0)
            && !self.undo_weights
            && correction::is_needed(&meta.config.loss)
        {
            warnings.push("weights or a logit adjustment of the net's loss shift its decisions already, and the shift comes on top; with --undo-weights it stands alone".to_owned());
        }
        tell(&[], &warnings);
        if !self.dry_run {
            if shift == Shift::None {
                remove_if_there(&folder.rule_picture_path())?;
            } else {
                let picture = plot::draw(&file.fit, goal, &file.chosen_by)?;
                write_atomic(&folder.rule_picture_path(), picture.as_bytes())?;
            }
            file.save(&folder.rule_path())?;
        }
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&file).map_err(io::Error::from)?)?;
            return Ok(());
        }
        write!(out, "{}", text(&file, &meta.classes.names, samples.len(), pixels, &blocks))?;
        if self.dry_run {
            writeln!(out, "nothing was written (--dry-run)")?;
        } else {
            writeln!(
                out,
                "{}: evaluate and predict decide by it; --arg-max does not",
                folder.rule_path().display()
            )?;
        }
        Ok(())
    }

    fn goal(&self, names: &[String]) -> Result<Goal, Box<dyn Error>> {
        Ok(match self.metric {
            MetricArg::MeanIou => Goal::MeanIou,
            MetricArg::MeanDice => Goal::MeanDice,
            MetricArg::ClassAverage => Goal::ClassAverage,
            MetricArg::Accuracy => Goal::Accuracy,
            MetricArg::FBeta => {
                let beta = self.beta.unwrap_or(2.0);
                if !(0.0..=1000.0).contains(&beta) {
                    return Err(format!("--beta is {beta}; expected a number from 0 to 1000").into());
                }
                let wanted = self.class.as_deref().unwrap_or_default();
                let named = names.iter().position(|name| name == wanted);
                let class = named.or_else(|| wanted.parse().ok().filter(|&label| label < names.len()));
                // At most 255 classes.
                let Some(class) = class else {
                    return Err(format!("--class is `{wanted}`; the classes are {}", names.join(", ")).into());
                };
                Goal::FBeta { class: class as u8, beta }
            }
        })
    }
}

fn text(file: &RuleFile, names: &[String], images: usize, pixels: usize, blocks: &Blocks) -> String {
    let RuleFile { fit, goal, chosen_by, .. } = file;
    let scored = |what: String, scored: &Scored| {
        let interval = scored.interval.map_or("–".to_owned(), |[low, high]| {
            format!("{} to {}", percent(Some(low)), percent(Some(high)))
        });
        vec![percent(Some(scored.value)), what, interval]
    };
    let mut rows =
        vec![vec![format!("{goal} %"), "decided by".to_owned(), "95 % of resampled images".to_owned()]];
    rows.push(scored("arg max; any equal threshold, 1/C too".to_owned(), &fit.arg_max));
    let rule = match (file.shift, fit.strength) {
        (Shift::Fixed(t), _) => format!("the shift −t·ln π, t = {t}, as given"),
        (_, Some(t)) => format!("the shift −t·ln π, t = {t}: best of −1 to 2"),
        (Shift::PerClass, _) => "a shift for each class".to_owned(),
        _ => fit.rule.to_string(),
    };
    // A temperature alone moves no decision.
    if !fit.rule.is_arg_max() {
        rows.push(scored(rule, &fit.fitted));
        // Of a shift that was given no image had a say in anything but the temperature.
        let is_given = matches!(file.shift, Shift::Fixed(_)) && fit.rule.temperature == 1.0;
        let crossed = fit.cross_fitted.iter().filter(|_| !is_given);
        rows.extend(crossed.map(|found| scored("the same, cross-fitted".to_owned(), found)));
    }
    let calibrated = |what: &str, c: &Calibration| {
        vec![format!("{:.4}", c.nll), percent(Some(c.calibration_error)), what.to_owned()]
    };
    let mut calibration = vec![["NLL", "ECE %", "probabilities"].map(str::to_owned).to_vec()];
    calibration.push(calibrated("softmax(z)", &fit.calibration[0]));
    let corrected = !fit.rule.correction.is_empty();
    if fit.rule.temperature != 1.0 || corrected {
        let weights = if corrected { " + b), without the training's weights" } else { ")" };
        calibration
            .push(calibrated(&format!("softmax(z/{}{weights}", fit.rule.temperature), &fit.calibration[1]));
        calibration.extend(fit.cross_calibration.iter().map(|c| calibrated("the same, cross-fitted", c)));
    }
    let mut shift = String::new();
    if !fit.rule.shift.is_empty() {
        let each = names.iter().zip(&fit.rule.shift).map(|(name, shift)| format!("{name} {shift:.2}"));
        shift = format!("\nshift: {}\n", each.collect::<Vec<_>>().join(", "));
    }
    format!(
        "{chosen_by}: {images} images, {pixels} pixels; {}\n\n{}\n{}{shift}",
        blocks.description,
        aligned(&rows),
        aligned(&calibration)
    )
}
