//! How a data set is read: the one place that finds its files, says what its masks mean, and loads it.
//!
//! `train`, `evaluate`, `weights` and `inspect` all come through here. What is guessed, and what is left out, is
//! kept in words for whoever called.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::catalogue::{Catalogue, Pair};
use crate::classes::{Classes, Coding};
use crate::decode::{StoredMask, decode_image, decode_mask};
use crate::description::Description;
use crate::error::{DataProblem, Error, Result};
use crate::folder::{Source, Split};
use crate::guess::guess;
use crate::sample::Sample;
use crate::survey::Survey;
use crate::weight_map;

/// A data set that has been looked through.
#[derive(Debug, Clone)]
pub struct Reading {
    source: Source,
    /// Its files.
    pub catalogue: Catalogue,
    /// What `dataset.toml` says.
    pub description: Description,
    /// What the masks hold, split by split.
    pub surveys: BTreeMap<Split, Survey>,
    /// What the labels mean.
    pub classes: Classes,
    /// What was guessed and what was left out, a sentence each.
    pub notes: Vec<String>,
    /// What is likely to disappoint, a sentence each.
    pub warnings: Vec<String>,
}

/// The files of a data set and what its masks hold, before anybody says what that means.
#[derive(Debug, Clone)]
pub struct Looked {
    source: Source,
    /// Its files.
    pub catalogue: Catalogue,
    /// What `dataset.toml` says.
    pub description: Description,
    /// What the masks hold, split by split.
    pub surveys: BTreeMap<Split, Survey>,
    /// The splits that could not be read, and why: a sentence each.
    pub unread: Vec<String>,
}

impl Looked {
    /// Looks through all masks of a data set. Those of a split that is not `needed` are passed over with a note
    /// where they cannot be read.
    ///
    /// # Errors
    /// [`Error::Data`] naming the first file at fault.
    pub fn through(source: &Source, needed: &[Split]) -> Result<Self> {
        let description = source.description()?;
        let catalogue = Catalogue::of(source, &description)?;
        let mut unread = Vec::new();
        let mut surveys = BTreeMap::new();
        for split in Split::ALL {
            if !needed.contains(&split) && !catalogue.has(split) {
                continue;
            }
            let surveyed = catalogue.pairs(split).and_then(|pairs| survey(source, &pairs));
            match surveyed {
                Ok(survey) => _ = surveys.insert(split, survey),
                Err(error) if needed.contains(&split) => return Err(error),
                Err(error) => unread.push(format!("{} is not looked at: {error}", split.name())),
            }
        }
        Ok(Self { source: source.clone(), catalogue, description, surveys, unread })
    }

    /// All splits together.
    pub fn whole(&self) -> Survey {
        let mut whole = Survey::default();
        self.surveys.values().for_each(|survey| whole.add(survey));
        whole
    }

    /// Says what the labels mean: as `dataset.toml` does, or by a guess. A configured ignored label goes before
    /// both.
    ///
    /// # Errors
    /// [`Error::Data`] where the description does not fit the masks, no guess is safe, or a single class is left.
    pub fn understand(self, ignore_index: Option<u8>) -> Result<Reading> {
        let whole = self.whole();
        let Self { source, catalogue, description, surveys, unread } = self;
        let mut notes: Vec<String> = catalogue.notes.iter().cloned().chain(unread).collect();
        let masks = source.root().to_path_buf();
        let classes = if description.class.is_empty() {
            let configured = ignore_index.or(description.ignore_index);
            let (classes, guesses) =
                guess(&whole, configured).map_err(|problem| Error::data(&masks, problem))?;
            notes.extend(guesses);
            classes
        } else {
            let coloured = is_coloured(&description, &whole);
            if let (false, Some(conflict)) = (coloured, &whole.conflict) {
                let root = source.root();
                let files = [&conflict.first.1, &conflict.second.1].map(|file| root.join(file));
                return Err(Error::data(&files[1], DataProblem::Palettes(conflict.clone())));
            }
            Classes::of_description(&description, ignore_index, coloured).map_err(|problem| {
                Error::data(source.description_path(), DataProblem::Description(problem))
            })?
        };
        notes.extend(idle_ignored_label(&classes, &whole));
        let mut reading =
            Reading { source, catalogue, description, surveys, classes, notes, warnings: Vec::new() };
        reading.judge()?;
        Ok(reading)
    }
}

/// Says where the ignored label ignores nothing.
fn idle_ignored_label(classes: &Classes, survey: &Survey) -> Option<String> {
    let ignored = classes.ignore_index?;
    let acts = match &classes.coding {
        Coding::Index => survey.values.contains_key(&ignored.into()),
        Coding::Values { ignored: values, .. } => {
            let stored =
                values.iter().chain([&u16::from(ignored)]).any(|value| survey.values.contains_key(value));
            stored || usize::from(ignored) < classes.count()
        }
        Coding::Colours { ignored: colours } => !colours.is_empty() || usize::from(ignored) < classes.count(),
    };
    (!acts).then(|| format!("no mask has a pixel of the ignored label {ignored}"))
}

/// Whether described classes are told by their colours.
fn is_coloured(description: &Description, survey: &Survey) -> bool {
    let colours: Option<Vec<[u8; 3]>> = description.class.iter().map(|class| class.colour).collect();
    let Some(colours) = colours else { return survey.rgb.is_some() };
    // Shades of grey in RGB files may be values, too; as colours they must all be known.
    let shades = survey.rgb_grey.is_some() || survey.conflict.is_some();
    let has_values = description.class.iter().any(|class| class.value.is_some());
    let known = survey.colours.keys().all(|colour| colours.contains(colour));
    survey.rgb.is_some() || shades && !has_values && known
}

fn survey(source: &Source, pairs: &[Pair]) -> Result<Survey> {
    let surveys: Vec<Result<Survey>> =
        pairs.par_iter().map(|pair| mask(source, pair).map(|mask| Survey::of(&mask, &pair.mask))).collect();
    let mut whole = Survey::default();
    for survey in surveys {
        whole.add(&survey?);
    }
    Ok(whole)
}

fn mask(source: &Source, pair: &Pair) -> Result<StoredMask> {
    decode_mask(&source.read(&pair.mask)?, &source.root().join(&pair.mask))
}

impl Reading {
    /// Looks through a data set and says what it means: [`Looked::through`], then [`Looked::understand`].
    ///
    /// # Errors
    /// Of the two.
    pub fn open(source: &Source, needed: &[Split], ignore_index: Option<u8>) -> Result<Self> {
        Looked::through(source, needed)?.understand(ignore_index)
    }

    /// A data set whose classes are known, as those of a net: those that its `dataset.toml` names must be as
    /// many, and say how its masks store them.
    ///
    /// # Errors
    /// [`Error::Data`] naming the first file at fault.
    pub fn with_classes(source: &Source, classes: &Classes) -> Result<Self> {
        let description = source.description()?;
        let catalogue = Catalogue::of(source, &description)?;
        let mut classes = classes.clone();
        if !description.class.is_empty() {
            let fail = |problem| Error::data(source.description_path(), DataProblem::Description(problem));
            let coloured =
                description.class.iter().all(|class| class.colour.is_some() && class.value.is_none())
                    && matches!(classes.coding, Coding::Colours { .. });
            let own = Classes::of_description(&description, classes.ignore_index, coloured).map_err(fail)?;
            if own.count() != classes.count() {
                let (own, net) = (own.count(), classes.count());
                return Err(fail(format!("it names {own} classes, and the net has {net}")));
            }
            if coloured {
                classes.colours = own.colours;
            }
            (classes.coding, classes.ignore_index) = (own.coding, own.ignore_index);
        }
        let notes = catalogue.notes.clone();
        let (surveys, warnings) = (BTreeMap::new(), Vec::new());
        Ok(Self { source: source.clone(), catalogue, description, surveys, classes, notes, warnings })
    }

    /// Pixels of each class in the masks of a split.
    pub fn pixels(&self, split: Split) -> Option<Vec<u64>> {
        self.surveys.get(&split).map(|survey| self.classes.pixels(survey))
    }

    /// Warns of classes that cannot be learned, and refuses a set with a single one.
    fn judge(&mut self) -> Result<()> {
        let Some(train) = self.pixels(Split::Train) else { return Ok(()) };
        let elsewhere: Vec<(Split, Vec<u64>)> = [Split::Val, Split::Test]
            .into_iter()
            .filter_map(|split| Some((split, self.pixels(split)?)))
            .collect();
        let scored = |class: &usize| self.classes.is_scored(*class);
        let present: Vec<usize> = (0..train.len()).filter(scored).filter(|&class| train[class] > 0).collect();
        if present.len() < 2 {
            let path = self.source.root().join(Split::Train.name());
            let problem = match present.first() {
                Some(&class) => DataProblem::OneClass {
                    found: format!("the class `{}`", self.classes.names[class]),
                    ignored: self.classes.ignore_index,
                },
                None => DataProblem::NothingLabelled { ignored: self.classes.padding_label() },
            };
            return Err(Error::data(path, problem));
        }
        for class in (0..train.len()).filter(scored).filter(|&class| train[class] == 0) {
            let found: Vec<String> = elsewhere
                .iter()
                .filter(|(_, pixels)| pixels[class] > 0)
                .map(|(split, pixels)| format!("{} in {}", pixels[class], split.name()))
                .collect();
            let name = &self.classes.names[class];
            if !found.is_empty() {
                self.warnings.push(format!(
                    "no training mask has a pixel of class `{name}` ({}): the net cannot learn it; move images that \
                     show it to train",
                    found.join(", ")
                ));
            } else if !self.description.class.is_empty() {
                self.notes.push(format!("no mask has a pixel of class `{name}`"));
            }
        }
        Ok(())
    }

    /// Reads and decodes one split, in the order of the names; files are decoded in parallel. With `maps`, every
    /// training image has its weights; those of another split have theirs, or none has.
    ///
    /// # Errors
    /// [`Error::Data`] naming the first file (by name) that is missing, broken, of the wrong size, or holds what is
    /// no class.
    pub fn load(&self, split: Split, maps: bool) -> Result<Vec<Sample>> {
        let pairs = self.catalogue.pairs(split)?;
        // Weights are for training: a split that has none is judged without.
        let maps = maps && (split == Split::Train || pairs.iter().any(|pair| pair.map.is_some()));
        // Every pair is tried, and the first failure in the order of the names is reported, so that a message
        // does not depend on the threads.
        let loaded: Vec<Result<Sample>> = pairs.par_iter().map(|pair| self.sample(pair, maps)).collect();
        loaded.into_iter().collect()
    }

    fn sample(&self, pair: &Pair, maps: bool) -> Result<Sample> {
        let root = self.source.root();
        let (image_path, mask_path) = (root.join(&pair.image), root.join(&pair.mask));
        let image = decode_image(&self.source.read(&pair.image)?, &image_path)?;
        let mask = decode_mask(&self.source.read(&pair.mask)?, &mask_path)?;
        if (mask.width, mask.height) != (image.width, image.height) {
            let problem = DataProblem::SizeMismatch {
                mask_width: mask.width,
                mask_height: mask.height,
                image_width: image.width,
                image_height: image.height,
            };
            return Err(Error::data(mask_path, problem));
        }
        let labels = self.classes.labels(mask, &mask_path)?;
        let weights = match &pair.map {
            _ if !maps => None,
            Some(map) => {
                let bytes = self.source.read(map)?;
                Some(weight_map::decode(&bytes, &root.join(map), (image.height, image.width))?)
            }
            None => {
                let expected = self.catalogue.map_path(pair);
                return Err(Error::data(image_path, DataProblem::MissingMap { expected }));
            }
        };
        Ok(Sample { name: pair.name.clone(), image, labels, weights, origin: mask_path })
    }

    /// The labels alone of every mask of a split.
    ///
    /// # Errors
    /// As [`Reading::load`], as far as masks go.
    pub fn labels(&self, split: Split) -> Result<Vec<Vec<u8>>> {
        let pairs = self.catalogue.pairs(split)?;
        let read = |pair: &Pair| {
            self.classes.labels(mask(&self.source, pair)?, &self.source.root().join(&pair.mask))
        };
        let labels: Vec<Result<Vec<u8>>> = pairs.par_iter().map(read).collect();
        labels.into_iter().collect()
    }

    /// Where the data set comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }
}
