//! What is compared: a training and a decision rule, with a name.

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::seeds::Seeds;
use crate::config::{self, Config, Sources};
use crate::difference::leaves;
use crate::error::{ConfigProblem, Error, Result};
use crate::tune::{Goal, Shift};

/// How an arm's classes are decided; chosen anew for each seed's net, on images that were neither learned from nor are judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decision {
    /// Which shift.
    pub shift: Shift,
    /// The score that it is chosen by.
    pub goal: Goal,
    /// By the held-out training images (`data.held_out`), instead of the validation images.
    pub held_out: bool,
}

impl Default for Decision {
    /// arg max.
    fn default() -> Self {
        Self { shift: Shift::None, goal: Goal::MeanIou, held_out: false }
    }
}

impl Decision {
    /// Whether any image has a say in it.
    pub fn is_chosen(&self) -> bool {
        self.shift.is_looked_for()
    }

    /// In the names of files; none for arg max.
    pub fn mark(&self) -> Option<String> {
        let shift = match self.shift {
            Shift::None => return None,
            Shift::Strength => "strength",
            Shift::PerClass => "per_class",
            Shift::Fixed(t) => return Some(format!("strength_{t}")),
        };
        let class = match self.goal {
            Goal::FBeta { class, beta } => format!("_{class}_{beta}"),
            _ => String::new(),
        };
        Some(format!("{shift}-{}{class}-{}", self.goal.name(), self.images()))
    }

    /// The images that it is chosen by.
    pub fn images(&self) -> &'static str {
        if self.held_out { "held_out" } else { "val" }
    }

    /// In words.
    pub fn describe(&self) -> String {
        match self.shift {
            Shift::None => "arg max".to_owned(),
            Shift::Strength => format!("shift −t·ln π, t by {} on {}", self.goal, self.images()),
            Shift::Fixed(t) => format!("shift −t·ln π, t = {t}"),
            Shift::PerClass => format!("a shift per class by {} on {}", self.goal, self.images()),
        }
    }
}

/// A training and a decision rule, with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// In tables.
    pub name: String,
    /// Everything that decides the training but its seed.
    pub config: Config,
    /// From logits to classes.
    pub decision: Decision,
    /// The arm that it is compared with besides the first.
    pub against: Option<String>,
    /// Its seeds, where they are not the comparison's.
    pub seeds: Option<Seeds>,
}

impl Arm {
    /// An arm that is compared with the first alone, under the comparison's seeds.
    fn new(name: &str, config: Config, decision: Decision) -> Self {
        Self { name: name.to_owned(), config, decision, against: None, seeds: None }
    }
}

/// The sections of a configuration.
const SECTIONS: [&str; 8] =
    ["data", "augment", "model", "optimizer", "schedule", "train", "loss", "added_loss"];
/// The keys of an arm's file that are not of a configuration.
const ARM: [&str; 3] = ["against", "seeds", "decision"];

/// Reads an arm's file: a loss (as `segloss train --loss`), or a configuration (as `--config`) of which every key that it names
/// goes before that of `base`, with `against`, `seeds` and a `[decision]` of its own. The file's name, without its extension, is
/// the arm's.
///
/// # Errors
/// As a configuration's; [`Error::Config`] if the file's name says nothing.
pub fn read(path: &Path, base: &Sources) -> Result<Arm> {
    let origin = path.display().to_string();
    let malformed = |problem: &str| -> Error {
        ConfigProblem::Malformed { origin: origin.clone(), problem: problem.to_owned() }.into()
    };
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = unnumbered(stem).to_owned();
    check_name(&name).map_err(|problem| malformed(&problem))?;
    let mut table = config::read(path)?;
    for (key, why) in [
        ("seed", "`seeds = N`, above the sections, says how many an arm has"),
        ("overlays", "the page has its own pictures"),
    ] {
        if table.get("train").and_then(|train| train.get(key)).is_some() {
            return Err(malformed(&format!("`train.{key}` does not act in an arm: {why}")));
        }
    }
    let against = match table.remove("against") {
        Some(Value::String(other)) => Some(other),
        Some(other) => {
            return Err(malformed(&format!("`against` is {other}; expected the name of another arm")));
        }
        None => None,
    };
    let seeds = table.remove("seeds").map(|value| Seeds::read(&value)).transpose();
    let seeds = seeds.map_err(|problem| malformed(&problem))?;
    let mut sources = base.clone();
    let decision = match table.remove("decision") {
        Some(decision) => config::section::<Decision>("decision", decision).map_err(|e| e.of_arm(&name))?,
        None => Decision::default(),
    };
    if is_loss(&table) {
        sources.replace_loss(table);
    } else {
        sources.add(table);
    }
    let config = sources.finish().map_err(|error| error.of_arm(&name))?;
    if let Shift::Fixed(t) = decision.shift
        && !Shift::STRENGTHS.contains(&t)
    {
        return Err(malformed(&format!("`decision.shift.fixed` is {t}; expected a number from −10 to 10")));
    }
    if !decision.is_chosen() && decision != (Decision { shift: decision.shift, ..Decision::default() }) {
        return Err(malformed("`decision.goal` and `decision.held_out` act where a shift is looked for"));
    }
    if decision.held_out && config.data.held_out.is_empty() {
        return Err(malformed("`decision.held_out` is true, but `data.held_out` holds no image out"));
    }
    Ok(Arm { against, seeds, ..Arm::new(&name, config, decision) })
}

/// The loss that an arm's file or a configuration has, and the keys beside it.
///
/// # Errors
/// In words, where there is none, or something else stands beside it.
pub fn loss_of(mut table: Table) -> std::result::Result<(Table, Vec<String>), String> {
    let mut beside: Vec<String> =
        ARM.into_iter().filter(|&key| table.remove(key).is_some()).map(str::to_owned).collect();
    if is_loss(&table) {
        return Ok((table, beside));
    }
    if let Some(key) = table.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
        return Err(format!("`{key}` is beside the sections; what is of the loss goes into [loss]"));
    }
    let loss = table.remove("loss");
    beside.extend(table.keys().cloned());
    match loss {
        Some(Value::Table(loss)) => Ok((loss, beside)),
        Some(other) => Err(format!("`loss` is {other}; expected a table, [loss]")),
        None => Err("there is no loss in it".to_owned()),
    }
}

/// Whether a file's keys are those of a loss, and not sections of a configuration.
fn is_loss(table: &Table) -> bool {
    !table.is_empty() && !table.keys().any(|key| SECTIONS.contains(&key.as_str()))
}

/// A file's name without a number and a space in front, which are for the order of the files.
fn unnumbered(stem: &str) -> &str {
    let rest = stem.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix(' ').filter(|name| !name.is_empty() && rest.len() < stem.len()).unwrap_or(stem)
}

/// A name becomes a folder.
pub(super) fn check_name(name: &str) -> std::result::Result<(), String> {
    let good = |c: char| c.is_alphanumeric() || "-_.,+ ".contains(c);
    if name.is_empty() || name.starts_with('.') || name.len() > 80 || !name.chars().all(good) {
        return Err(format!(
            "`{name}` is no name for an arm: letters, digits, spaces, `-`, `_`, `,`, `+` and `.`"
        ));
    }
    Ok(())
}

/// What is compared where nobody says what: plain cross-entropy, the usual remedies, and the one that needs no training.
const PANEL: [(&str, &str); 5] = [
    ("plain", "kind = 'cross_entropy'"),
    (
        "per-sample weights",
        "weights = { source = 'per_sample', scheme = 'inverse_sqrt', normalise = 'expected_one' }",
    ),
    ("CE + Dice", "preset = 'nnunet_ce_dice'\nkind = 'combined'"),
    ("logit adjustment", "threshold = { logit_adjustment = 1.0 }\nprior = { source = 'dataset' }"),
    (
        "CE + Lovasz",
        "kind = 'combined'\n[[terms]]\nfactor = 0.5\nloss = { kind = 'cross_entropy' }\n\
         [[terms]]\nfactor = 0.5\nloss = { kind = 'lovasz_softmax' }",
    ),
];

/// The panel's arms, on top of `base`.
///
/// # Errors
/// As a configuration's.
pub fn panel(base: &Sources) -> Result<Vec<Arm>> {
    let arm = |(name, loss): (&str, &str)| -> Result<Arm> {
        let mut sources = base.clone();
        sources.replace_loss(config::parse(loss, name)?);
        Ok(Arm::new(name, sources.finish()?, Decision::default()))
    };
    let mut arms: Vec<Arm> = PANEL.into_iter().map(arm).collect::<Result<_>>()?;
    arms.extend(shifted(&arms[..1]));
    Ok(arms)
}

/// The same trainings with a tuned shift, each an arm of its own.
pub fn shifted(arms: &[Arm]) -> Vec<Arm> {
    let plain = arms.iter().filter(|arm| arm.decision.shift == Shift::None);
    plain
        .map(|arm| {
            let held_out = !arm.config.data.held_out.is_empty();
            let decision = Decision { shift: Shift::Strength, held_out, ..Decision::default() };
            Arm { name: format!("{} + shift", arm.name), decision, ..arm.clone() }
        })
        .collect()
}

/// Keys of a configuration that differ from another's, the loss, the seed and the folder apart.
pub(super) fn differing(config: &Config, first: &Config) -> Result<Vec<String>> {
    let (mine, theirs) = (leaves(config)?, leaves(first)?);
    let is_told = |key: &str| !key.starts_with("loss.") && !["train.seed", "data.folder"].contains(&key);
    let differing = mine.iter().filter(|(key, value)| is_told(key) && theirs.get(*key) != Some(value));
    Ok(differing.map(|(key, value)| format!("{key} = {value}")).collect())
}

/// What is minimised: the kind, and every key that is not as in plain cross-entropy.
pub(super) fn loss_text(config: &Config) -> Result<String> {
    let (mine, plain) = (leaves(config)?, leaves(&Config::default())?);
    let is_told = |key: &str, value: &String| {
        let decided = ["loss.layout", "loss.ignore_index", "loss.kind"].contains(&key)
            || key.starts_with("loss.dataset");
        key.starts_with("loss.") && !decided && plain.get(key) != Some(value)
    };
    let kind = mine.get("loss.kind").cloned().unwrap_or_default();
    let told = mine.iter().filter(|(key, value)| is_told(key, value));
    let told = told.map(|(key, value)| format!("{} = {value}", key.trim_start_matches("loss.")));
    Ok(std::iter::once(format!("kind = {kind}")).chain(told).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_order_files_and_are_no_names() {
        for (stem, name) in [
            ("00 plain", "plain"),
            ("2 b c", "b c"),
            ("12", "12"),
            ("3d net", "3d net"),
            ("a 1", "a 1"),
            ("7 ", "7 "),
        ] {
            assert_eq!(unnumbered(stem), name);
        }
        for bad in ["", ".a", "a/b", "a\nb", "..", "a<b"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name("CE + Lovász 0.5").is_ok());
    }

    #[test]
    fn the_panel_is_six_arms_of_five_trainings() {
        let arms = panel(&Sources::default()).unwrap();
        assert_eq!(arms.len(), 6);
        assert_eq!((&arms[0].config, arms[0].name.as_str()), (&arms[5].config, "plain"));
        assert_eq!(arms[5].decision.mark().unwrap(), "strength-mean_iou-val");
        let text = loss_text(&arms[1].config).unwrap();
        assert_eq!(
            text,
            "kind = \"cross_entropy\"\nweights.absent = \"zero\"\nweights.normalise = \"expected_one\"\nweights.scheme = \"inverse_sqrt\"\nweights.source = \"per_sample\""
        );
    }
}
