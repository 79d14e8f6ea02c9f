//! How a data set is read: the one place that finds its files, says what its masks mean, and loads it.
//!
//! `train`, `evaluate`, `weights` and `inspect` all come through here. What is guessed, and what is left out, is
//! kept in words for whoever called.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::catalogue::{Catalogue, Pair};
use crate::classes::{Classes, Coding};
use crate::colour::hex;
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
            if configured.is_none() && classes.ignore_index.is_some() {
                for (split, survey) in &surveys {
                    let pixels = |value: &u16| survey.values.get(value).copied().unwrap_or(0);
                    let labelled: u64 = (1..u16::from(u8::MAX)).map(|value| pixels(&value)).sum();
                    let void = pixels(&u8::MAX.into());
                    if void > 0 && labelled == 0 {
                        let problem = DataProblem::DoubtfulVoid { void, labelled, split: Some(split.name()) };
                        return Err(Error::data(&masks, problem));
                    }
                }
            }
            classes
        } else {
            let coloured = is_coloured(&description, &whole);
            if let (false, Some(conflict)) = (coloured, &whole.conflict) {
                let file = source.root().join(&conflict.second.1);
                return Err(Error::data(file, DataProblem::Palettes(conflict.clone())));
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
    // Shades of grey in RGB files, and the entries of a palette, may be values, too; as colours they must all be known.
    let palettes = survey.indexed.is_some() && survey.grey.is_none();
    let shades = survey.rgb_grey.is_some() || survey.conflict.is_some() || palettes;
    let has_values = description.class.iter().any(|class| class.value.is_some());
    let known = survey.colours.keys().all(|colour| colours.contains(colour));
    survey.rgb.is_some() || shades && !has_values && known
}

/// What all masks hold that can be read.
fn survey_of(source: &Source, catalogue: &Catalogue) -> Result<Survey> {
    let mut whole = Survey::default();
    for split in Split::ALL.into_iter().filter(|&split| catalogue.has(split)) {
        whole.add(&survey(source, &catalogue.pairs(split)?)?);
    }
    Ok(whole)
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
        let fail = |problem| Error::data(source.description_path(), DataProblem::Description(problem));
        let classes = match description.class.is_empty() {
            true => classes.with_ignored(description.ignore_index).map_err(fail)?,
            false => {
                let whole = survey_of(source, &catalogue)?;
                let coloured = is_coloured(&description, &whole);
                let own = Classes::of_description(&description, None, coloured).map_err(fail)?;
                classes.stored_like(own).map_err(fail)?
            }
        };
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
        // What is of no class has a place, which loading names.
        if self.surveys.values().any(|survey| !self.classes.unknown(survey).is_empty()) {
            return Ok(());
        }
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
        if self.classes.coding == Coding::Index {
            self.check_palettes(&survey(&self.source, &pairs)?)?;
        }
        // Weights are for training: a split that has none is judged without.
        let maps = maps && (split == Split::Train || pairs.iter().any(|pair| pair.map.is_some()));
        // Every pair is tried, and the first failure in the order of the names is reported, so that a message
        // does not depend on the threads.
        let loaded: Vec<Result<Sample>> = pairs.par_iter().map(|pair| self.sample(pair, maps)).collect();
        let samples: Vec<Sample> = loaded.into_iter().collect::<Result<_>>()?;
        if maps {
            self.catalogue.check_maps(split)?;
        }
        // Numbers of another range mean other light, so that one set has one.
        if let Some(first) = samples.first()
            && let Some(at) = samples.iter().position(|sample| sample.image.depth() != first.image.depth())
        {
            let path = |at: usize| self.source.root().join(&pairs[at].image);
            let (found, expected) = (samples[at].image.depth().name(), first.image.depth().name());
            return Err(Error::data(path(at), DataProblem::MixedDepth { found, expected, other: path(0) }));
        }
        Ok(samples)
    }

    /// The first image of a split, for messages about all of them.
    pub fn first_image(&self, split: Split) -> Result<PathBuf> {
        let pairs = self.catalogue.pairs(split)?;
        Ok(pairs.first().map_or_else(PathBuf::new, |pair| self.source.root().join(&pair.image)))
    }

    /// Indices mean what the colours of their palettes say: the same in every file, and as in training.
    fn check_palettes(&self, survey: &Survey) -> Result<()> {
        let root = self.source.root();
        if let Some(conflict) = &survey.conflict {
            return Err(Error::data(root.join(&conflict.second.1), DataProblem::Palettes(conflict.clone())));
        }
        for (&index, (colour, file)) in &survey.palette {
            let index = usize::from(index);
            let Some(&expected) = self.classes.colours.get(index) else { continue };
            // The built-in colours say nothing of any palette, and neither do those that only pictures have.
            let trained = self.classes.colours.contains(colour);
            if *colour != expected && trained {
                let (found, expected) = (hex(*colour), hex(expected));
                return Err(Error::data(
                    root.join(file),
                    DataProblem::OtherPalette { index, found, expected },
                ));
            }
        }
        Ok(())
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
