//! `rule.json` of a run: how classes follow from the logits of one checkpoint, and what that was chosen by.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::fit::{Fit, Shift};
use super::goal::Goal;
use crate::checkpoint::Meta;
use crate::decode::one_line;
use crate::error::{Error, Result};
use crate::files;
use crate::metrics::Rule;
use crate::run::{RunFolder, Which};

/// The layout of the file.
const FORMAT: u32 = 1;

/// The rule of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// The layout of the file.
    pub format: u32,
    /// As [`Config::fingerprint`](crate::Config::fingerprint) has the run's configuration.
    pub config: String,
    /// Which checkpoint the rule is for: `best` or `last`.
    pub checkpoint: String,
    /// Its epoch.
    pub epoch: usize,
    /// The images that it was chosen by: data set and split, or `held_out`.
    pub chosen_by: String,
    /// Which shift was looked for, or was given.
    pub shift: Shift,
    /// By which score.
    pub goal: Goal,
    /// The rule, its score and its calibration.
    pub fit: Fit,
}

impl RuleFile {
    /// What was chosen for a checkpoint.
    ///
    /// # Errors
    /// If the configuration has no text.
    pub fn new(
        meta: &Meta,
        which: Which,
        chosen_by: String,
        shift: Shift,
        goal: Goal,
        fit: Fit,
    ) -> Result<Self> {
        let config = meta.config.fingerprint()?;
        let checkpoint = which.name().to_owned();
        Ok(Self { format: FORMAT, config, checkpoint, epoch: meta.epoch, chosen_by, shift, goal, fit })
    }

    /// Writes the file: whole, or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|error| malformed(path, &error.to_string()))?;
        files::write_atomic(path, format!("{text}\n").as_bytes())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Run`] if it is no rule.
    pub fn load(path: &Path) -> Result<Self> {
        let file: Self = serde_json::from_slice(&files::read(path)?)
            .map_err(|error| malformed(path, &one_line(&error.to_string())))?;
        if file.format != FORMAT {
            return Err(malformed(path, &format!("format {}; this program reads {FORMAT}", file.format)));
        }
        Ok(file)
    }

    /// The rule that a run's checkpoint is to be used with, and a sentence that says so; arg max where none was chosen.
    ///
    /// # Errors
    /// [`Error::Run`] if the file is of another checkpoint, or of no such net.
    pub fn of(folder: &RunFolder, which: Which, meta: &Meta) -> Result<(Rule, Option<String>)> {
        let path = folder.rule_path();
        if !path.exists() {
            return Ok((Rule::default(), None));
        }
        let file = Self::load(&path)?;
        let refused = |problem: String| {
            let way = "choose it again (segloss tune), or decide by the largest logit (--arg-max)";
            Err(Error::Run { path: path.clone(), problem: format!("{problem}; {way}") })
        };
        if !file.fit.rule.fits(meta.classes.count()) {
            return refused(format!("the rule is not one for {} outputs", meta.classes.count()));
        }
        if file.config != meta.config.fingerprint()? {
            return refused("the rule was chosen for another configuration of the run".to_owned());
        }
        if (file.checkpoint.as_str(), file.epoch) != (which.name(), meta.epoch) {
            return refused(format!(
                "the rule was chosen for the {} epoch, {}; this is the {}, {}",
                file.checkpoint,
                file.epoch,
                which.name(),
                meta.epoch
            ));
        }
        let how = match file.shift {
            Shift::None => format!("for probabilities that can be believed on {}", file.chosen_by),
            Shift::Fixed(t) if file.fit.rule.temperature == 1.0 => format!("t = {t} as given"),
            Shift::Fixed(t) => format!("t = {t} as given, the temperature chosen on {}", file.chosen_by),
            _ => format!("chosen by {} on {}", file.goal, file.chosen_by),
        };
        let note = format!(
            "classes are decided by rule.json ({}, {how}); --arg-max decides by the largest logit",
            file.fit.rule
        );
        Ok((file.fit.rule, Some(note)))
    }
}

fn malformed(path: &Path, problem: &str) -> Error {
    Error::Run { path: path.to_owned(), problem: format!("is no rule of `segloss tune`: {problem}") }
}
