//! `segloss compare`.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;

use segloss_unet::blocks::{Grouping, spanning};
use segloss_unet::compare::bootstrap::NOT_RESAMPLED;
use segloss_unet::compare::cell::{self, Outcome, State};
use segloss_unet::compare::comparison::RESAMPLES;
use segloss_unet::compare::{Comparison, Place, Plan, Question, arm, page, slurm, tables};
use segloss_unet::config::{DataConfig, Flips, Sources};
use segloss_unet::files::write_atomic;
use segloss_unet::inspect::inspect;
use segloss_unet::metrics::definitions;
use segloss_unet::run::Which;
use segloss_unet::{Config, Dataset, Reading, RunFolder, Source, Split};

use crate::options::{CheckpointArg, Moved, Threads};
use crate::progress::{Grid, say, tell};

/// Which loss helps on these images? Trains one net under several losses and seeds, and says how sure the answer is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss compare --out cmp                              the embedded tiles, six arms, three seeds
  segloss compare --data DIR --out cmp --epochs 40
  segloss compare --out cmp plain.toml mine.toml         the others are compared with the first
  segloss compare --out cmp --seeds 6                    three more seeds of the same comparison
  segloss compare --out cmp another.toml                 one more arm
  segloss compare --out cmp mine.toml                    it says `seeds = 6` by now: more of them
  segloss compare --data DIR --out cmp --plan            only the grid: for Slurm, GNU parallel
  segloss compare --out cmp --cell 4                     one cell of it, on any machine
  segloss compare --out cmp --report                     the answer from whatever is there

An arm is a file, called like it (a number in front, as in \"02 mine.toml\", is for the order
alone). It holds a loss, as `segloss train --loss` takes it; or sections of a configuration
([loss], [augment], [train], …) that go before those of --config and --set; and it may have a
rule by which its classes are decided:
  [decision]
  shift = \"strength\"   # or per_class: chosen anew for each net, as `segloss tune` does;
                        # or { fixed = 0.5 }, or none
  goal = \"mean_iou\"    # mean_dice, class_average, accuracy, { f_beta = { class = 2, beta = 2.0 } }
  held_out = false      # true: by the images that data.held_out keeps from training
and, above any section, which seeds it has and what it is compared with besides the first arm:
  seeds = 6                      # or [0, 1, 7]; --seeds is for the arms that do not say
  against = \"plain, augmented\"  # another arm: one more verdict, counted in Holm's correction
Give a file again after a change of these two: what is trained stays. Two arms are compared under
the seeds that both have.

Without files: plain cross-entropy; per-sample weights (inverse square root); cross-entropy with
Dice, as nnU-Net; logit adjustment; cross-entropy with Lovasz; and plain with a tuned shift,
which needs no training of its own.

A seed gives every arm the same first weights, order of images and augmentation, so arms are
compared seed by seed. The answer holds both kinds of chance: other seeds (a paired t test) and
other images (a bootstrap over blocks of neighbouring images), for as many comparisons as are
made (Holm). Verdicts: better, worse, undecided.

Where images come in sequences, or from patients, each group's scores stand apart.

DIR/comparison.html has everything, DIR/comparison.csv, runs.csv and groups.csv the numbers,
DIR/frontier.svg class average against accuracy. What is killed goes on where it was: give the
same command again. Cells that another process is at are passed over, so several may share one
--out.")]
pub struct CompareArgs {
    /// The data set; the embedded microscope tiles if left out. Of a comparison that is there: where its images are now.
    #[arg(long, value_name = "DIR", conflicts_with = "report")]
    data: Option<PathBuf>,
    /// The comparison's folder, made if needed.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What is compared, a file each; the first is what the others are compared with.
    #[arg(value_name = "ARM.toml", conflicts_with_all = ["cell", "report"])]
    arms: Vec<PathBuf>,
    /// How many seeds of each arm whose file does not say it; 3 unless the comparison has more.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000), conflicts_with_all = ["cell", "report"])]
    seeds: Option<u64>,
    /// Epochs of every arm that does not say otherwise.
    #[arg(long, value_name = "N", conflicts_with_all = ["cell", "report"])]
    epochs: Option<u64>,
    /// A configuration that all arms share, in TOML or JSON.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cell", "report"])]
    config: Option<PathBuf>,
    /// Set one key for all arms, as in model.width=8; may be given many times.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with_all = ["cell", "report"])]
    set: Vec<String>,
    /// Judge every arm with a tuned shift, too, as an arm of its own.
    #[arg(long, conflicts_with_all = ["cell", "report"])]
    tuned: bool,
    /// The score that decides: mean_iou unless told; `segloss evaluate --explain` names them.
    #[arg(long, value_name = "SCORE", conflicts_with = "cell")]
    metric: Option<String>,
    /// The images that are judged: test, where there are any.
    #[arg(long, value_enum, conflicts_with_all = ["cell", "report"])]
    split: Option<JudgedArg>,
    /// Which epoch's net is judged; best unless told.
    #[arg(long, value_enum, conflicts_with_all = ["cell", "report"])]
    checkpoint: Option<CheckpointArg>,
    /// Write the grid and train nothing.
    #[arg(long, conflicts_with_all = ["cell", "report", "json"])]
    plan: bool,
    /// Carry out one cell of the grid, counted from 0.
    #[arg(long, value_name = "I", conflicts_with_all = ["report", "json"])]
    cell: Option<usize>,
    /// Train nothing; answer from the result files that are there.
    #[arg(long)]
    report: bool,
    #[command(flatten)]
    threads: Threads,
    /// No progress on standard error.
    #[arg(long, short)]
    quiet: bool,
    /// Print the answer as JSON, as DIR/comparison.json has it.
    #[arg(long)]
    json: bool,
}

/// Images that can be judged.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum JudgedArg {
    /// Those the best epoch was chosen by.
    Val,
    /// Those no net has seen.
    Test,
}

impl CompareArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        self.threads.start()?;
        if let Some(metric) = &self.metric
            && (definitions::definition(metric).is_none() || NOT_RESAMPLED.contains(&&**metric))
        {
            let names: Vec<&str> =
                definitions::names().filter(|name| !NOT_RESAMPLED.contains(name)).collect();
            return Err(format!("--metric is `{metric}`; the scores are {}", names.join(", ")).into());
        }
        let mut sets = Sets::default();
        if self.report || self.cell.is_some() {
            let mut plan = Plan::load(&self.out)?;
            if let Some(metric) = &self.metric {
                // For this answer alone.
                plan.question.metric.clone_from(metric);
            }
            if let Some(folder) = &self.data {
                // Elsewhere, perhaps: for this process alone.
                plan.move_data(&std::path::absolute(folder)?);
            }
            return match self.cell {
                Some(number) => self.carry_out_one(&plan, number, &mut sets),
                None => self.answer(&plan),
            };
        }
        let plan = self.planned(&mut sets)?;
        if self.plan {
            return self.tell_the_grid(&plan);
        }
        self.carry_out(&plan, &mut sets)?;
        self.answer(&plan)
    }

    /// The comparison that is there with what is asked for besides, written.
    fn planned(&self, sets: &mut Sets) -> Result<Plan, Box<dyn Error>> {
        let mut given = Sources::default();
        if let Some(path) = &self.config {
            given.file(path)?;
        }
        for assignment in &self.set {
            given.set(assignment)?;
        }
        if let Some(epochs) = self.epochs {
            given.set(&format!("train.epochs={epochs}"))?;
        }
        let folder = self.data.as_ref().map(std::path::absolute).transpose()?;
        let was_there = Plan::exists(&self.out);
        let mut plan = if was_there {
            let mut plan = Plan::load(&self.out)?;
            if !given.is_empty() && given != plan.base {
                return Err(format!(
                    "{} began with other --config, --set or --epochs; leave them out to go on with it, or choose another --out",
                    self.out.display()
                )
                .into());
            }
            if let Some(folder) = &folder {
                plan.move_data(folder);
            }
            plan
        } else {
            let question = Question {
                metric: "mean_iou".to_owned(),
                split: Split::Test,
                checkpoint: Which::Best,
                seeds: Vec::new(),
                grouping: Grouping::none(),
                images: String::new(),
                data: folder.clone(),
            };
            Plan::new(&self.out, question, given)
        };
        let mut base = plan.base.clone();
        if let Some(folder) = &plan.question.data {
            base.data_folder(folder)?;
        }
        let config = base.clone().finish()?;
        self.look(&config, &mut plan, was_there)?;

        if !was_there && RunFolder::open(&self.out).is_ok() {
            return Err(format!("{} is the folder of a run; choose another --out", self.out.display()).into());
        }
        let mut arms = self.arms.iter().map(|path| arm::read(path, &base)).collect::<Result<Vec<_>, _>>()?;
        if arms.is_empty() && !was_there {
            if base.has_loss() {
                return Err("--config or --set names a loss, but the arms say what is compared: give each loss a file".into());
            }
            arms = arm::panel(&base)?;
        }
        if self.tuned {
            let known = plan.arms();
            let shifted = arm::shifted(&known.iter().chain(&arms).cloned().collect::<Vec<_>>());
            let new = |arm: &arm::Arm| !known.iter().chain(&arms).any(|other| other.name == arm.name);
            let shifted: Vec<_> = shifted.into_iter().filter(new).collect();
            arms.extend(shifted);
        }
        let question = &mut plan.question;
        if let Some(metric) = &self.metric {
            question.metric.clone_from(metric);
        }
        if let Some(checkpoint) = self.checkpoint {
            question.checkpoint = checkpoint.into();
        }
        let first = question.seeds.first().copied().unwrap_or(config.train.seed);
        let asked = self.seeds.unwrap_or(if was_there { 0 } else { 3 });
        for seed in first..first.saturating_add(asked) {
            if !question.seeds.contains(&seed) {
                question.seeds.push(seed);
            }
        }
        if let Some(fewer) = self.seeds.filter(|&asked| (asked as usize) < question.seeds.len()) {
            say(&format!(
                "note: the comparison has {} seeds, more than the {fewer} asked for",
                question.seeds.len()
            ));
        }
        if was_there && self.data.is_some() {
            plan.check_images(&*sets.of(&config)?)?;
        }
        plan.add(&arms, &mut |config| sets.of(config))?;
        if plan.arm.len() < 2 {
            return Err("one arm has nothing to be compared with; name two files, or none".into());
        }
        let words: Vec<String> = std::env::args().skip(1).collect();
        let command = format!("segloss {}", words.join(" "));
        if !plan.commands.contains(&command) {
            plan.commands.push(command);
        }
        plan.save()?;
        Ok(plan)
    }

    /// What is odd about the data is said before hours are spent on it.
    fn look(&self, config: &Config, plan: &mut Plan, was_there: bool) -> Result<(), Box<dyn Error>> {
        let source = Source::new(config.data.folder.as_deref());
        let remembered = config.data.folder.as_deref().filter(|_| was_there && self.data.is_none());
        let reading = Reading::open(&source, &[Split::Train, Split::Val], config.data.ignore_index)
            .map_err(|error| Moved::or(error, remembered))?;
        let names = |split: Split| -> Vec<String> {
            let pairs = reading.catalogue.pairs(split).unwrap_or_default();
            pairs.into_iter().map(|pair| pair.name).collect()
        };
        let splits = Split::ALL.map(|split| (split.name(), names(split)));
        if !was_there {
            let said = reading.description.split.as_ref().and_then(|split| split.group.as_ref());
            let all = splits.iter().flat_map(|(_, names)| names).map(String::as_str);
            plan.question.grouping = Grouping::of(all, said);
        }
        let has_test = reading.catalogue.has(Split::Test);
        let wanted = match self.split {
            Some(JudgedArg::Val) => Some(Split::Val),
            Some(JudgedArg::Test) => Some(Split::Test),
            None if !was_there && !has_test => {
                say("note: there are no test images; the validation images are judged");
                Some(Split::Val)
            }
            None => None,
        };
        if let Some(split) = wanted {
            plan.question.split = split;
        }
        if plan.question.split == Split::Test && !has_test {
            return Err("there are no test images; --split val judges the validation images".into());
        }
        if was_there && self.arms.is_empty() {
            // It has been said.
            return Ok(());
        }
        let report = inspect(&source, config.data.ignore_index, &|| ())?;
        let mut warnings = report.warnings;
        warnings.extend(spanning(&splits, &plan.question.grouping));
        tell(&[], &warnings);
        Ok(())
    }

    fn carry_out(&self, plan: &Plan, sets: &mut Sets) -> Result<(), Box<dyn Error>> {
        let mut open = Vec::new();
        for place in plan.places() {
            if cell::state(plan, &place)? == State::Open {
                let epochs = plan.config(&place)?.train.epochs;
                open.push((place, epochs));
            }
        }
        let all = plan.places().len();
        let epochs = open.iter().map(|(_, epochs)| epochs).sum();
        let mut grid = Grid::new(self.quiet, epochs);
        if open.len() < all {
            grid.line(&format!("{} of {all} cells are done", all - open.len()));
        }
        for (number, (place, _)) in open.iter().enumerate() {
            grid.begin(&format!("{}, seed {}", place.training, place.seed), (number + 1, open.len()));
            self.carry_out_at(plan, place, sets, &mut grid)?;
        }
        grid.finish();
        Ok(())
    }

    fn carry_out_at(
        &self,
        plan: &Plan,
        place: &Place,
        sets: &mut Sets,
        grid: &mut Grid,
    ) -> Result<Outcome, Box<dyn Error>> {
        let config = plan.config(place)?;
        let remembered = config.data.folder.as_deref().filter(|_| self.data.is_none());
        let data = sets.of(&config).map_err(|error| Moved::or(error, remembered))?;
        let outcome = cell::carry_out(plan, place, &data, grid)?;
        grid.end(&outcome);
        Ok(outcome)
    }

    fn carry_out_one(&self, plan: &Plan, number: usize, sets: &mut Sets) -> Result<(), Box<dyn Error>> {
        let places = plan.places();
        let Some(place) = places.get(number) else {
            return Err(
                format!("--cell is {number}; the cells are 0 to {}", places.len().saturating_sub(1)).into()
            );
        };
        let mut grid = Grid::new(self.quiet, plan.config(place)?.train.epochs);
        grid.begin(&format!("{}, seed {}", place.training, place.seed), (number + 1, places.len()));
        let outcome = self.carry_out_at(plan, place, sets, &mut grid)?;
        grid.finish();
        match outcome {
            Outcome::Taken => Err(format!("cell {number} is being carried out by another process").into()),
            _ => Ok(()),
        }
    }

    fn tell_the_grid(&self, plan: &Plan) -> Result<(), Box<dyn Error>> {
        let program = std::env::current_exe()?;
        let out = std::path::absolute(&self.out)?;
        let (program, out) = (program.display().to_string(), out.display().to_string());
        let path = self.out.join("slurm.sh");
        write_atomic(&path, slurm::script(plan, &program, &out).as_bytes())?;
        let mut stdout = io::stdout().lock();
        writeln!(
            stdout,
            "{} cells: {} arms, seeds {:?}",
            plan.places().len(),
            plan.arm.len(),
            plan.all_seeds()
        )?;
        for (number, Place { training, seed }) in plan.places().iter().enumerate() {
            writeln!(stdout, "{number:>6}  {training}, seed {seed}")?;
        }
        writeln!(stdout, "on a cluster:          sbatch {}", path.display())?;
        writeln!(stdout, "on two workstations:   {}", slurm::parallel(plan, &program, &out))?;
        writeln!(stdout, "here:                  segloss compare --out {}", self.out.display())?;
        writeln!(stdout, "then:                  segloss compare --out {} --report", self.out.display())?;
        Ok(())
    }

    fn answer(&self, plan: &Plan) -> Result<(), Box<dyn Error>> {
        let comparison = Comparison::of(plan, RESAMPLES)?;
        page::write(plan, &comparison)?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&comparison).map_err(io::Error::from)?)?;
        } else {
            write!(out, "{}", tables::text(&comparison))?;
            writeln!(out, "{}", self.out.join("comparison.html").display())?;
        }
        Ok(())
    }
}

/// Data sets in memory: arms mostly share one.
#[derive(Default)]
struct Sets {
    loaded: Vec<(DataConfig, Rc<Dataset>)>,
}

impl Sets {
    fn of(&mut self, config: &Config) -> Result<Rc<Dataset>, segloss_unet::Error> {
        // How images are varied does not change what is loaded.
        let key = DataConfig { crop: Vec::new(), flips: Flips::default(), ..config.data.clone() };
        if let Some((_, data)) = self.loaded.iter().find(|(other, _)| *other == key) {
            return Ok(data.clone());
        }
        let data = Rc::new(Dataset::load(&key)?);
        if self.loaded.is_empty() {
            tell(&data.notes, &[]);
        }
        self.loaded.push((key, data.clone()));
        Ok(data)
    }
}
