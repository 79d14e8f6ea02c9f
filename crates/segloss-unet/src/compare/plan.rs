//! The grid of a comparison: `OUT/plan.toml`, and where each cell of it lies.
//!
//! ```text
//! OUT/plan.toml                      what is compared; `segloss compare --out OUT` goes on from it
//! OUT/cells/TRAINING/seed-S/         a run folder, with results/SPLIT-CHECKPOINT[-RULE].json; failed.json if it diverged
//! OUT/cells/…/examples/              validation images as this net sees them
//! OUT/examples/                      the same images, and their truth
//! OUT/comparison.{html,csv,json}     what is made of all of them
//! ```
//!
//! A cell is one training under one seed. Arms that differ in their decision rule alone share it. A training has the seeds of
//! all its arms.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::arm::{self, Arm, Decision};
use super::seeds::{self, Seeds};
use crate::blocks::Grouping;
use crate::config::{Config, Sources};
use crate::dataset::Dataset;
use crate::decode::one_line;
use crate::difference;
use crate::error::{Change, ConfigProblem, Error, Result};
use crate::files;
use crate::folder::Split;
use crate::metrics::definitions::definition;
use crate::run::{RunFolder, Which};
use crate::train::Trainer;

/// The layout of the file.
const FORMAT: u32 = 1;
/// More arms are a slip of the shell.
const MOST_ARMS: usize = 200;

/// What is asked of all arms alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The score that decides.
    pub metric: String,
    /// The images that are judged: not those of train.
    pub split: Split,
    /// Which epoch's net.
    pub checkpoint: Which,
    /// The seeds of every arm that has none of its own.
    pub seeds: Vec<u64>,
    /// Which images belong together.
    pub grouping: Grouping,
    /// As [`Dataset::fingerprint`] has the training and validation images.
    pub images: String,
    /// Where the images are; the embedded tiles if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
}

/// An arm in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// In tables.
    pub name: String,
    /// Its training's name.
    pub training: String,
    /// The arm that it is compared with besides the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// Its seeds, where they are not those of the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Vec<u64>>,
    /// From logits to classes.
    #[serde(default)]
    pub decision: Decision,
}

/// A comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The layout of the file.
    pub format: u32,
    /// The commands that asked for it, in their order.
    #[serde(default)]
    pub commands: Vec<String>,
    /// What is asked of all arms alike.
    pub question: Question,
    /// What all arms' configurations begin with.
    #[serde(default, skip_serializing_if = "Sources::is_empty")]
    pub base: Sources,
    /// The arms; the others are compared with the first.
    pub arm: Vec<Entry>,
    /// Each training as it is used, but for its seed.
    pub training: BTreeMap<String, Config>,
    /// The folder; not in the file.
    #[serde(skip)]
    out: PathBuf,
}

/// One training under one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The training's name.
    pub training: String,
    /// Its seed.
    pub seed: u64,
}

impl Plan {
    /// A comparison without arms.
    pub fn new(out: &Path, question: Question, base: Sources) -> Self {
        Self {
            format: FORMAT,
            question,
            base,
            commands: Vec::new(),
            arm: Vec::new(),
            training: BTreeMap::new(),
            out: out.to_path_buf(),
        }
    }

    /// Whether a folder holds a comparison.
    pub fn exists(out: &Path) -> bool {
        path(out).exists()
    }

    /// Reads the comparison of a folder.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Run`] if the file is malformed.
    pub fn load(out: &Path) -> Result<Self> {
        let path = path(out);
        let refused = |problem: &str| Error::Run {
            path: path.clone(),
            problem: format!("is no plan of `segloss compare`: {problem}"),
        };
        let mut plan: Self =
            toml::from_str(&files::read_text(&path)?).map_err(|error| refused(&one_line(error.message())))?;
        if plan.format != FORMAT {
            return Err(refused(&format!("format {}; this program reads {FORMAT}", plan.format)));
        }
        plan.out = out.to_path_buf();
        for entry in &plan.arm {
            arm::check_name(&entry.name).map_err(|problem| refused(&problem))?;
            if !plan.training.contains_key(&entry.training) {
                return Err(refused(&format!("arm `{}` has no training `{}`", entry.name, entry.training)));
            }
        }
        plan.training
            .keys()
            .try_for_each(|name| arm::check_name(name))
            .map_err(|problem| refused(&problem))?;
        if plan.arm.is_empty() || plan.question.seeds.is_empty() {
            return Err(refused("no arm or no seed"));
        }
        let Question { metric, split, seeds, .. } = &plan.question;
        let names = plan.arm.iter().map(|entry| &entry.name).collect::<BTreeSet<_>>();
        if definition(metric).is_none() {
            return Err(refused(&format!("`question.metric` is `{metric}`")));
        }
        if *split == Split::Train {
            return Err(refused("`question.split` is `train`; nets are judged by `val` or `test`"));
        }
        if seeds.iter().collect::<BTreeSet<_>>().len() < seeds.len() || names.len() < plan.arm.len() {
            return Err(refused("a seed or an arm is there twice"));
        }
        plan.check_pairs().map_err(|problem| refused(&problem))?;
        Ok(plan)
    }

    /// Writes the file: whole, or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self) -> Result<()> {
        files::make_folder(&self.out)?;
        let text = toml::to_string(self)
            .map_err(|error| Error::Encoding { what: "plan.toml".to_owned(), problem: error.to_string() })?;
        let head = "# What `segloss compare` compares; written by it. The other arms are compared with the first.\n\n";
        files::write_atomic(&path(&self.out), format!("{head}{text}").as_bytes())
    }

    /// Adds arms, or finds them there already. Nothing is written; every configuration is tried on the data first.
    ///
    /// # Errors
    /// [`ConfigProblem::Contradiction`] if an arm's name stands for something else already, or its data is not that of the others;
    /// what a configuration or the data refuses.
    pub fn add(
        &mut self,
        arms: &[Arm],
        data: &mut dyn FnMut(&Config) -> Result<std::rc::Rc<Dataset>>,
    ) -> Result<()> {
        let contradiction = |text: String| -> Error { ConfigProblem::Contradiction(text).into() };
        for arm in arms {
            let mut config = arm.config.clone();
            // Each cell has a seed of its own, and the page's pictures are drawn once, at the end.
            (config.train.seed, config.train.overlays) = (0, 0);
            let data = data(&config)?;
            // The first images that are seen are those of all.
            if self.question.images.is_empty() {
                self.question.images = data.fingerprint();
            }
            self.check_images(&data)?;
            let goal = arm.decision.goal;
            if !goal.fits(&data.classes) {
                return Err(contradiction(format!(
                    "`decision.goal` is {goal}; expected a label of the {} classes, and β from 0 to 1000",
                    data.classes.count()
                ))
                .of_arm(&arm.name));
            }
            let config =
                Trainer::new(&config, &data).map_err(|error| error.of_arm(&arm.name))?.config().clone();
            if let Some(first) = self.training.values().next() {
                let (mine, theirs) = (&config.data, &first.data);
                let same = (&mine.folder, mine.ignore_index, mine.channels)
                    == (&theirs.folder, theirs.ignore_index, theirs.channels);
                if !same {
                    return Err(contradiction(format!(
                        "arm `{}` has other data (data.folder, data.ignore_index, data.channels) than the others",
                        arm.name
                    )));
                }
            }
            let first = self.question.seeds.first().copied().unwrap_or(0);
            let seeds = arm.seeds.as_ref().map(|seeds| seeds.from(first));
            if let Some(at) = self.arm.iter().position(|entry| entry.name == arm.name) {
                let entry = &self.arm[at];
                if entry.decision != arm.decision {
                    return Err(contradiction(format!(
                        "arm `{}` is there with another decision rule; give it another name, or another --out",
                        arm.name
                    )));
                }
                let was = &self.training[&entry.training];
                if let Err(Error::Config(ConfigProblem::Changed(changes))) = difference::check(was, &config) {
                    let told = |Change { key, was, asked }: &Change| format!("`{key}` = {was}, not {asked}");
                    let told: Vec<String> = changes.iter().map(told).collect();
                    return Err(contradiction(format!(
                        "arm `{}` is there with {}; give it another name, or another --out",
                        arm.name,
                        told.join(", ")
                    )));
                }
                if was.fingerprint()? != config.fingerprint()? {
                    return Err(contradiction(format!(
                        "arm `{}` is there with other epochs or another schedule; give it another name, or another --out",
                        arm.name
                    )));
                }
                // What it is compared with, and how often, changes no training: its file says it anew.
                (self.arm[at].against, self.arm[at].seeds) = (arm.against.clone(), seeds);
                continue;
            }
            let fingerprint = config.fingerprint()?;
            let mut known = None;
            for (name, other) in &self.training {
                if other.fingerprint()? == fingerprint {
                    known = Some(name.clone());
                }
            }
            let training = known.unwrap_or_else(|| arm.name.replace(' ', "_"));
            if let Some(other) = self.training.get(&training)
                && other.fingerprint()? != fingerprint
            {
                return Err(contradiction(format!("two arms would both be called `{training}`")));
            }
            let same = |entry: &&Entry| entry.training == training && entry.decision == arm.decision;
            if let Some(other) = self.arm.iter().find(same) {
                return Err(contradiction(format!("arms `{}` and `{}` are the same", other.name, arm.name)));
            }
            self.training.entry(training.clone()).or_insert(config);
            let (name, against) = (arm.name.clone(), arm.against.clone());
            self.arm.push(Entry { name, training, against, seeds, decision: arm.decision });
        }
        if self.arm.len() > MOST_ARMS {
            return Err(contradiction(format!("{} arms are too many; {MOST_ARMS} at most", self.arm.len())));
        }
        self.check_pairs().map_err(contradiction)
    }

    /// Checks that every arm has something to be compared with: an arm that is there, is not the first, and shares a seed.
    fn check_pairs(&self) -> std::result::Result<(), String> {
        for entry in &self.arm {
            let name = &entry.name;
            seeds::check(self.seeds(entry)).map_err(|problem| format!("arm `{name}`: {problem}"))?;
            if let Some(against) = &entry.against {
                let refused = |why: &str| Err(format!("arm `{name}` has `against` = \"{against}\": {why}"));
                if against == name {
                    return refused("an arm is not compared with itself");
                }
                if !self.arm.iter().any(|other| other.name == *against) {
                    let names: Vec<&str> = self.arm.iter().map(|other| other.name.as_str()).collect();
                    return refused(&format!("there is no such arm; the arms are `{}`", names.join("`, `")));
                }
                if *name == self.arm[0].name {
                    return refused("it is the first arm, which all others are compared with already");
                }
                if *against == self.arm[0].name {
                    return refused("every arm is compared with the first already; leave `against` out");
                }
            }
            if self.is_in_a_circle(entry) {
                return Err(format!("arm `{name}` is compared with itself: its `against` leads back to it"));
            }
            for other in self.partners(entry) {
                if self.common_seeds(entry, other).is_empty() {
                    return Err(format!("arms `{name}` and `{}` have no seed in common", other.name));
                }
            }
        }
        Ok(())
    }

    /// Whether the arms that `against` names, one after another, come back to the one that they began with.
    fn is_in_a_circle(&self, entry: &Entry) -> bool {
        let next = |entry: &Entry| self.arm.iter().find(|other| Some(&other.name) == entry.against.as_ref());
        // No chain without a circle is longer than there are arms.
        let chain = std::iter::successors(next(entry), |&entry| next(entry)).take(self.arm.len());
        chain.map(|other| &other.name).any(|name| *name == entry.name)
    }

    /// The arms that an arm is compared with: the first, and that of its `against`. None for the first.
    pub fn partners<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a Entry> {
        let first = self.arm.first().filter(|first| first.name != entry.name);
        first.into_iter().chain(self.arm.iter().filter(|other| Some(&other.name) == entry.against.as_ref()))
    }

    /// The seeds that an arm asks for.
    pub fn seeds<'a>(&'a self, entry: &'a Entry) -> &'a [u64] {
        entry.seeds.as_ref().unwrap_or(&self.question.seeds)
    }

    /// The seeds that two arms both ask for: those of their pairs.
    pub fn common_seeds(&self, entry: &Entry, other: &Entry) -> Vec<u64> {
        let theirs = self.seeds(other);
        self.seeds(entry).iter().filter(|seed| theirs.contains(seed)).copied().collect()
    }

    /// Every seed that any arm asks for, in their order.
    pub fn all_seeds(&self) -> Vec<u64> {
        let all: BTreeSet<u64> = self.arm.iter().flat_map(|entry| self.seeds(entry)).copied().collect();
        all.into_iter().collect()
    }

    /// The seed whose nets draw the page's pictures.
    pub fn drawn_seed(&self) -> Option<u64> {
        self.seeds(self.arm.first()?).first().copied()
    }

    /// Checks that images are those that the comparison began with.
    ///
    /// # Errors
    /// [`ConfigProblem::Contradiction`].
    pub fn check_images(&self, data: &Dataset) -> Result<()> {
        if self.question.images == data.fingerprint() {
            return Ok(());
        }
        let text = format!(
            "these are not the training and validation images that the comparison in {} began with; \
             choose another --out for them",
            self.out.display()
        );
        Err(ConfigProblem::Contradiction(text).into())
    }

    /// The arms as they were given, their configurations as used.
    pub fn arms(&self) -> Vec<Arm> {
        let arm = |entry: &Entry| {
            let config = self.training.get(&entry.training)?.clone();
            let (against, seeds) = (entry.against.clone(), entry.seeds.clone().map(Seeds::List));
            Some(Arm { name: entry.name.clone(), config, decision: entry.decision, against, seeds })
        };
        self.arm.iter().filter_map(arm).collect()
    }

    /// Where the images are now.
    pub fn move_data(&mut self, folder: &Path) {
        self.question.data = Some(folder.to_path_buf());
        self.training.values_mut().for_each(|config| config.data.folder = Some(folder.to_path_buf()));
    }

    /// The folder of the comparison.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Every cell that an arm asks for, seed after seed: a comparison that is not finished has whole seeds.
    pub fn places(&self) -> Vec<Place> {
        let of_seed = |seed: u64| {
            let mut trainings: Vec<&String> = Vec::new();
            for entry in self.arm.iter().filter(|entry| self.seeds(entry).contains(&seed)) {
                if !trainings.contains(&&entry.training) {
                    trainings.push(&entry.training);
                }
            }
            trainings.into_iter().map(move |training| Place { training: training.clone(), seed })
        };
        self.all_seeds().into_iter().flat_map(of_seed).collect()
    }

    /// The configuration of a cell.
    ///
    /// # Errors
    /// [`Error::Fault`] for a place that is none of [`Plan::places`].
    pub fn config(&self, place: &Place) -> Result<Config> {
        let config = self.training.get(&place.training).ok_or(Error::Fault("a cell without a training"))?;
        let mut config = config.clone();
        config.train.seed = place.seed;
        Ok(config)
    }

    /// The run folder of a cell.
    pub fn folder(&self, place: &Place) -> RunFolder {
        RunFolder::at(&self.out.join("cells").join(&place.training).join(format!("seed-{}", place.seed)))
    }

    /// Where a cell's net, decided by a rule, was counted.
    pub fn results_path(&self, place: &Place, decision: &Decision) -> PathBuf {
        let mark = decision.mark();
        let marks: Vec<&str> = mark.as_deref().into_iter().collect();
        self.folder(place).results_path(self.question.split, self.question.checkpoint, &marks)
    }

    /// Where a cell says that it diverged.
    pub fn failed_path(&self, place: &Place) -> PathBuf {
        self.folder(place).path().join("failed.json")
    }

    /// Where the pictures of the images themselves are.
    pub fn examples(&self) -> PathBuf {
        self.out.join("examples")
    }

    /// The decision rules under which a cell is counted.
    pub fn decisions(&self, place: &Place) -> Vec<Decision> {
        let mut found: Vec<Decision> = Vec::new();
        let asks =
            |entry: &&Entry| entry.training == place.training && self.seeds(entry).contains(&place.seed);
        for entry in self.arm.iter().filter(asks) {
            if !found.contains(&entry.decision) {
                found.push(entry.decision);
            }
        }
        found
    }
}

fn path(out: &Path) -> PathBuf {
    out.join("plan.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan of these arms: a name, its training's, and more keys. The question's seeds are 0, 1 and 2.
    fn plan(arms: &[(&str, &str, &str)]) -> Result<Plan> {
        let mut text = String::from(
            "format = 1\n[question]\nmetric = 'mean_iou'\nsplit = 'test'\ncheckpoint = 'best'\nseeds = [0, 1, 2]\nimages = ''\n\
             [question.grouping.group]\nbefore_last = '_'\n",
        );
        for (name, training, more) in arms {
            text += &format!("[[arm]]\nname = '{name}'\ntraining = '{training}'\n{more}\n");
        }
        for training in arms.iter().map(|(_, training, _)| training).collect::<BTreeSet<_>>() {
            text += &format!("[training.{training}]\n");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path(folder.path()), text).unwrap();
        Plan::load(folder.path())
    }

    const SHIFT: &str = "decision.shift = { fixed = 0.5 }";

    #[test]
    fn cells_are_those_that_an_arm_asks_for() {
        let plan = plan(&[
            ("plain", "p", "seeds = [0, 1, 2, 3]"),
            ("shift", "p", SHIFT),
            ("mine", "m", "against = 'other'\nseeds = [5, 1]"),
            ("other", "o", "seeds = [0, 1]"),
        ])
        .unwrap();
        let cells: Vec<String> =
            plan.places().iter().map(|Place { training, seed }| format!("{training}{seed}")).collect();
        assert_eq!(cells, ["p0", "o0", "p1", "m1", "o1", "p2", "p3", "m5"]);
        assert_eq!(plan.all_seeds(), [0, 1, 2, 3, 5]);
        // A cell that two arms share is counted under the rules of those that ask for its seed.
        let rules = |seed| plan.decisions(&Place { training: "p".to_owned(), seed }).len();
        assert_eq!((rules(2), rules(3)), (2, 1));

        let partners = |at: usize| -> Vec<&str> {
            plan.partners(&plan.arm[at]).map(|other| other.name.as_str()).collect()
        };
        assert_eq!((partners(0), partners(1), partners(2)), (vec![], vec!["plain"], vec!["plain", "other"]));
        assert_eq!(plan.common_seeds(&plan.arm[2], &plan.arm[3]), [1]);
        assert_eq!(plan.drawn_seed(), Some(0));
    }

    #[test]
    fn pairs_that_make_no_sense_are_refused() {
        let with =
            |mine: &str, other: &str| plan(&[("plain", "p", ""), ("mine", "m", mine), ("other", "o", other)]);
        assert!(with("against = 'other'", "").is_ok());
        for (mine, other, why) in [
            ("against = 'gone'", "", "there is no such arm; the arms are `plain`, `mine`, `other`"),
            ("against = 'mine'", "", "an arm is not compared with itself"),
            ("against = 'plain'", "", "every arm is compared with the first already"),
            ("against = 'other'", "against = 'mine'", "arm `mine` is compared with itself"),
            ("seeds = [7]", "", "arms `mine` and `plain` have no seed in common"),
            (
                "seeds = [0]\nagainst = 'other'",
                "seeds = [1]",
                "arms `mine` and `other` have no seed in common",
            ),
            ("seeds = []", "", "arm `mine`: `seeds` holds 0 seeds"),
            ("seeds = [1, 1]", "", "arm `mine`: `seeds` holds 1 twice"),
        ] {
            let error = with(mine, other).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let first = plan(&[("plain", "p", "against = 'mine'"), ("mine", "m", "")]);
        assert!(first.unwrap_err().to_string().contains("it is the first arm"));
    }

    /// The comparisons that are committed can be read, and lose nothing where they are written again.
    #[test]
    fn committed_plans_are_read() {
        let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reports/compare");
        let mut read = 0;
        for folder in std::fs::read_dir(reports).unwrap().map(|entry| entry.unwrap().path()) {
            if Plan::exists(&folder) {
                let plan = Plan { out: PathBuf::new(), ..Plan::load(&folder).unwrap() };
                assert_eq!(toml::from_str::<Plan>(&toml::to_string(&plan).unwrap()).unwrap(), plan);
                read += 1;
            }
        }
        assert!(read > 0);
    }
}
