//! What a user saved: one batch, or the answers to many, as arrays by name.

use super::about::About;
use super::error::CheckError;
use super::observation::{GUESSED, Given, Observation, sums_to_one};
use super::symptoms;
use segloss::{Layout, spelling};
use segloss_unet::npy::{self, Array, NpyFile};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// Names that are read, the first being ours.
const LOGITS: [&str; 3] = ["logits", "logit", "z"];
const PROBABILITIES: [&str; 4] = ["probabilities", "probs", "prob", "p"];
const PREDICTION: [&str; 7] = ["prediction", "predictions", "pred", "y_pred", "output", "outputs", "input"];
const TARGET: [&str; 8] = ["target", "targets", "y_true", "labels", "label", "mask", "masks", "y"];
const VALUE: [&str; 3] = ["value", "loss", "losses"];
const GRADIENT: [&str; 4] = ["gradient", "grad", "gradients", "dlogits"];
const WEIGHTS: [&str; 4] = ["class_weights", "weights", "weight", "pos_weight"];

const ARRAYS: [&[&str]; 7] = [&LOGITS, &PROBABILITIES, &PREDICTION, &TARGET, &VALUE, &GRADIENT, &WEIGHTS];

/// The most that an axis has which is tried as that of the channels.
const MOST_CHANNELS: usize = 64;

/// One batch, or the answers to probes.
#[derive(Clone, Debug)]
pub struct Capture {
    /// What is known beside the numbers.
    pub about: About,
    /// The batches, in the file's order.
    pub observations: Vec<Observation>,
    /// Batches on which the function raised an error, with what it said.
    pub raised: Vec<(String, String)>,
    /// What was guessed.
    pub notes: Vec<String>,
}

impl Capture {
    /// Reads an `.npz`: `logits` (or `probabilities`), `target`, and `value`, `gradient`, `class_weights` as far as they
    /// are there; of several batches `NAME/logits` and so on.
    ///
    /// # Errors
    /// [`CheckError`] naming the file, the batch and the array.
    pub fn open(path: &Path, told: About) -> Result<Self, CheckError> {
        let mut batches: Vec<(String, BTreeMap<String, NpyFile>)> = Vec::new();
        let mut about = About::default();
        for (name, array) in npy::open_all(path)? {
            if name == "about" {
                about = toml::from_str(&text(&array)).map_err(|error| CheckError::Content {
                    path: path.to_owned(),
                    batch: "about: ".to_owned(),
                    problem: error.message().to_owned(),
                })?;
                continue;
            }
            let (batch, key) = name.rsplit_once('/').unwrap_or(("", &name));
            match batches.iter_mut().find(|(known, _)| known == batch) {
                Some((_, arrays)) => {
                    if arrays.insert(key.to_lowercase(), array).is_some() {
                        return Err(CheckError::Content {
                            path: path.to_owned(),
                            batch: if batch.is_empty() { String::new() } else { format!("batch {batch}: ") },
                            problem: format!("holds `{key}` twice"),
                        });
                    }
                }
                None => batches.push((batch.to_owned(), BTreeMap::from([(key.to_lowercase(), array)]))),
            }
        }
        let about = told.or(about);
        let changes = |what: &String| {
            format!(
                "the function changes its {what} in place: whatever reads that afterwards, a metric or another loss, sees something else"
            )
        };
        let notes = about.changes.iter().map(changes).collect();
        let mut capture = Self { about, observations: Vec::new(), raised: Vec::new(), notes };
        for (batch, arrays) in &batches {
            match arrays.get("error") {
                Some(error) => capture.raised.push((batch.clone(), text(error))),
                None => capture.add(path, batch, arrays)?,
            }
        }
        capture.notes.extend(differs(&capture.observations));
        match (capture.observations.is_empty(), capture.raised.first()) {
            (true, Some((_, first))) => {
                Err(CheckError::AllRaised { path: path.to_owned(), first: first.clone() })
            }
            (true, None) => Err(CheckError::Missing {
                path: path.to_owned(),
                batch: String::new(),
                wanted: "array",
                held: "it is empty".to_owned(),
            }),
            _ => Ok(capture),
        }
    }

    /// What else the arrays go with, where the layout was guessed.
    pub fn other_layouts(&self) -> Vec<About> {
        if !self.notes.iter().any(|note| note.starts_with(GUESSED)) {
            return Vec::new();
        }
        let first = &self.observations[0];
        let is_guess = |layout: Layout| first.classes > 1 && layout == first.layout;
        // An axis of hundreds is one of the image.
        let channels = |layout: Layout| match layout {
            Layout::ChannelsFirst => first.spatial.first(),
            Layout::ChannelsLast => first.spatial.last(),
        };
        let may_be = |layout: &Layout| {
            !is_guess(*layout) && channels(*layout).is_some_and(|&channels| channels <= MOST_CHANNELS)
        };
        let all = [Layout::ChannelsFirst, Layout::ChannelsLast].into_iter().filter(may_be);
        all.map(|layout| About { layout: Some(layout), ..self.about.clone() }).collect()
    }

    /// Where the classes lie.
    pub fn layout_in_words(&self) -> &'static str {
        match (self.observations[0].classes, self.observations[0].layout) {
            (1, _) => "one channel",
            (_, Layout::ChannelsFirst) => "channels first",
            (_, Layout::ChannelsLast) => "channels last",
        }
    }

    fn add(
        &mut self,
        path: &Path,
        batch: &str,
        arrays: &BTreeMap<String, NpyFile>,
    ) -> Result<(), CheckError> {
        let named = if batch.is_empty() { String::new() } else { format!("batch {batch}: ") };
        let any = |names: &[&str]| names.iter().find_map(|&name| arrays.get(name));
        for names in ARRAYS {
            let held: Vec<&str> = names.iter().copied().filter(|name| arrays.contains_key(*name)).collect();
            if let [first, second, ..] = held[..] {
                return Err(CheckError::Content {
                    path: path.to_owned(),
                    batch: named,
                    problem: format!(
                        "holds `{first}` and `{second}`, two names of one thing: save one of them"
                    ),
                });
            }
        }
        let known = ARRAYS.concat();
        for other in arrays.keys().filter(|key| !known.contains(&key.as_str())) {
            let meant = spelling::nearest(other, &known)
                .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            let note = format!("`{other}` is not read{meant}");
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        let need = |names: &[&str], wanted: &'static str| {
            any(names).ok_or_else(|| CheckError::Missing {
                path: path.to_owned(),
                batch: named.clone(),
                wanted,
                held: format!("it holds {}", arrays.keys().cloned().collect::<Vec<_>>().join(", ")),
            })
        };
        let (logits, probabilities) = (any(&LOGITS), any(&PROBABILITIES));
        let (prediction, is_probabilities) = match (logits, probabilities) {
            (Some(logits), _) => (logits, Some(false)),
            (None, Some(probabilities)) => (probabilities, Some(true)),
            (None, None) => (need(&PREDICTION, "prediction (logits, probabilities or prediction)")?, None),
        };
        let target = need(&TARGET, "target")?;
        if logits.is_some() && probabilities.is_some() {
            self.notes.push(
                "it holds logits and probabilities: the gradient is taken for one by the logits".to_owned(),
            );
        }
        // One channel without an axis gets one.
        let bare = match self.about.classes {
            Some(1) => may_lack_channels(prediction, target),
            None if self.about.layout.is_none() => self.looks_bare(prediction, target),
            _ => false,
        };
        let (prediction, target) = (with_axis(prediction, bare), with_axis(target, bare));
        let (value, gradient) = (any(&VALUE), any(&GRADIENT).map(|file| with_axis(file, bare)));
        if value.is_none() && gradient.is_none() {
            need(&VALUE, "value or gradient")?;
        }
        let given = Given {
            name: batch,
            prediction: &prediction,
            is_probabilities: self.about.probabilities.or(is_probabilities),
            target: &target,
            value,
            gradient: gradient.as_deref(),
            class_weights: any(&WEIGHTS),
        };
        // The axis that was put in is the second.
        let layout = if bare { Some(Layout::ChannelsFirst) } else { self.about.layout };
        let about = About { layout, ..self.about.clone() };
        let (observation, notes) = Observation::new(&given, &about).map_err(|problem| {
            CheckError::Content { path: path.to_owned(), batch: named.clone(), problem }
        })?;
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        self.observations.push(observation);
        Ok(())
    }

    /// Whether masks of 0 and 1, (N, H, W), lie beside a prediction in their shape: several classes would sum to one.
    fn looks_bare(&mut self, prediction: &NpyFile, target: &NpyFile) -> bool {
        let shape = prediction.shape();
        if shape.len() != 3 || !may_lack_channels(prediction, target) {
            return false;
        }
        let y = target.numbers();
        let most = y.iter().copied().fold(0.0, f64::max);
        let is_mask = most > 0.0 && y.iter().all(|&y| y == 0.0 || y == most);
        let sums = |numbers: &[f64]| [1, 2].iter().any(|&axis| sums_to_one(numbers, shape, axis));
        let bare = is_mask && !sums(&y) && !sums(&prediction.numbers());
        if bare {
            let note =
                format!("{GUESSED} no_channels, (N, H, W); --layout says where an axis of channels is");
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        bare
    }
}

/// Whether both may be of one channel that has no axis.
fn may_lack_channels(prediction: &NpyFile, target: &NpyFile) -> bool {
    let axes = prediction.shape();
    axes == target.shape() && axes.len() > 1 && axes[1] != 1 && axes[axes.len() - 1] != 1
}

fn with_axis(file: &NpyFile, bare: bool) -> Cow<'_, NpyFile> {
    if bare { Cow::Owned(file.insert_axis(1)) } else { Cow::Borrowed(file) }
}

/// Says that the same batch has two answers.
fn differs(observations: &[Observation]) -> Option<String> {
    let (value, other) = symptoms::two_answers(observations)?;
    Some(format!(
        "asked twice about the same batch, the function answers {value:.6} and {other:.6}: it draws random numbers, as dropout does, or \
         keeps a state, and nothing can be said of it; ask it without (model.eval(), a seed that is set inside it)"
    ))
}

/// UTF-8 in an array of bytes.
fn text(array: &NpyFile) -> String {
    match &array.array {
        Array::U8(bytes) => String::from_utf8_lossy(&bytes.iter().copied().collect::<Vec<_>>()).into_owned(),
        _ => String::new(),
    }
}
