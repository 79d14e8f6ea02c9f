//! What a data folder holds, what is odd about it, and the `dataset.toml` that it needs.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use rayon::prelude::*;
use serde::Serialize;

use crate::catalogue::{Pair, extension};
use crate::classes::Classes;
use crate::colour::hex;
use crate::decode::{Stored, decode_image, decode_mask};
use crate::description::{ClassDescription, Description};
use crate::error::{DataProblem, Error, Result};
use crate::folder::{Source, Split};
use crate::reading::{Looked, Reading};
use crate::survey::Survey;
use crate::table::{aligned, percent};

/// Shares of a class that differ by more than this factor between two splits are warned of.
const PRIOR_FACTOR: f64 = 3.0;
/// So many values, files or colours are listed; the others are counted.
const LISTED: usize = 20;

/// What a data folder holds.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The folder.
    pub folder: PathBuf,
    /// Split by split.
    pub splits: Vec<SplitReport>,
    /// Class by class, if their meaning is known or safely guessed.
    pub classes: Vec<ClassReport>,
    /// What the masks store, value by value or colour by colour.
    pub stored: Vec<StoredReport>,
    /// What was guessed and what was left out.
    pub notes: Vec<String>,
    /// What is likely to disappoint.
    pub warnings: Vec<String>,
    /// What must be mended before anything can be trained.
    pub problems: Vec<String>,
    /// What `dataset.toml` would have to say; none if the masks cannot be understood.
    #[serde(skip)]
    pub description: Option<Description>,
}

/// One split.
#[derive(Debug, Clone, Serialize)]
pub struct SplitReport {
    /// Its name.
    pub split: &'static str,
    /// Its images.
    pub images: usize,
    /// `[width, height, images]`, the commonest first.
    pub sizes: Vec<[usize; 3]>,
    /// As "8-bit RGB .jpg", with their number.
    pub image_kinds: BTreeMap<String, usize>,
    /// As "grey .png", with their number.
    pub mask_kinds: BTreeMap<String, usize>,
}

/// One class.
#[derive(Debug, Clone, Serialize)]
pub struct ClassReport {
    /// Its label.
    pub label: usize,
    /// Its name.
    pub name: String,
    /// What masks store for it.
    pub stored: String,
    /// Its pixels, by split.
    pub pixels: BTreeMap<&'static str, u64>,
    /// Its part of the pixels that are not ignored, by split.
    pub share: BTreeMap<&'static str, f64>,
}

/// One value or colour.
#[derive(Debug, Clone, Serialize)]
pub struct StoredReport {
    /// In words.
    pub stored: String,
    /// Its pixels, by split.
    pub pixels: BTreeMap<&'static str, u64>,
}

/// What was found out about one pair of files.
struct Seen {
    size: (usize, usize),
    image: String,
    mask: String,
    /// Of the image's bytes.
    hash: u64,
    problem: Option<String>,
}

/// Looks at every file of a data set. `progress` is told when a pair is done, from any thread.
///
/// # Errors
/// If there is no data set at all: no folder, no image, a `dataset.toml` that cannot be read.
pub fn inspect(
    source: &Source,
    ignore_index: Option<u8>,
    progress: &(dyn Fn() + Sync),
) -> Result<Inspection> {
    let looked = Looked::through(source, &[])?;
    let mut report = Inspection {
        folder: source.root().to_path_buf(),
        splits: Vec::new(),
        classes: Vec::new(),
        stored: stored(&looked),
        notes: Vec::new(),
        warnings: Vec::new(),
        problems: Vec::new(),
        description: None,
    };
    let mut twins: HashMap<u64, Vec<(Split, PathBuf)>> = HashMap::new();
    for split in Split::ALL.into_iter().filter(|&split| looked.catalogue.has(split)) {
        let pairs = match looked.catalogue.pairs(split) {
            Ok(pairs) => pairs,
            Err(error) => {
                report.problems.push(error.to_string());
                continue;
            }
        };
        let seen: Vec<Seen> = pairs
            .par_iter()
            .map(|pair| {
                let seen = look(source, pair);
                progress();
                seen
            })
            .collect();
        report.problems.extend(seen.iter().filter_map(|seen| seen.problem.clone()));
        for (pair, seen) in pairs.iter().zip(&seen) {
            twins.entry(seen.hash).or_default().push((split, pair.image.clone()));
        }
        report.splits.push(split_report(split, &seen));
    }
    report.depths();
    report.twins(source, twins);
    match looked.clone().understand(ignore_index) {
        // Nothing could be read, and why has been said.
        _ if looked.surveys.is_empty() => report.notes.clone_from(&looked.catalogue.notes),
        Ok(reading) => report.understood(&reading),
        Err(error) => {
            report.description = value_per_class(&looked, &error);
            match &report.description {
                // The way out that the error names is the one that is proposed.
                Some(_) => report.warnings.push(error.to_string()),
                None => report.problems.push(error.to_string()),
            }
            report.notes.clone_from(&looked.catalogue.notes);
        }
    }
    // What could not be read is among the problems, file by file.
    report.notes.retain(|note| !looked.unread.contains(note));
    if let Some(description) = &mut report.description {
        complete(description, &looked);
    }
    Ok(report)
}

fn look(source: &Source, pair: &Pair) -> Seen {
    let mut seen = Seen { size: (0, 0), image: String::new(), mask: String::new(), hash: 0, problem: None };
    let root = source.root();
    let outcome = (|| -> Result<()> {
        let bytes = source.read(&pair.image)?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        seen.hash = hasher.finish();
        let image = decode_image(&bytes, &root.join(&pair.image))?;
        let colour = if image.channels == 3 { "RGB" } else { "grey" };
        seen.image = format!("{} {colour} .{}", image.depth().name(), extension(&pair.image));
        seen.size = (image.width, image.height);
        let path = root.join(&pair.mask);
        let mask = decode_mask(&source.read(&pair.mask)?, &path)?;
        let kind = match mask.values {
            Stored::Grey(_) => "grey",
            Stored::Palette(..) => "palette",
            Stored::Rgb(_) => "RGB",
        };
        seen.mask = format!("{kind} .{}", extension(&pair.mask));
        if (mask.width, mask.height) != seen.size {
            let ((mask_width, mask_height), (image_width, image_height)) =
                ((mask.width, mask.height), seen.size);
            let problem = DataProblem::SizeMismatch { mask_width, mask_height, image_width, image_height };
            return Err(Error::data(path, problem));
        }
        Ok(())
    })();
    seen.problem = outcome.err().map(|error| error.to_string());
    seen
}

fn split_report(split: Split, seen: &[Seen]) -> SplitReport {
    let mut sizes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let (mut image_kinds, mut mask_kinds) = (BTreeMap::new(), BTreeMap::new());
    for seen in seen.iter().filter(|seen| !seen.mask.is_empty()) {
        *sizes.entry(seen.size).or_default() += 1;
        *image_kinds.entry(seen.image.clone()).or_default() += 1;
        *mask_kinds.entry(seen.mask.clone()).or_default() += 1;
    }
    let mut sizes: Vec<[usize; 3]> = sizes.into_iter().map(|((w, h), n)| [w, h, n]).collect();
    sizes.sort_by_key(|&[.., n]| std::cmp::Reverse(n));
    SplitReport { split: split.name(), images: seen.len(), sizes, image_kinds, mask_kinds }
}

/// What the masks store, the commonest of colours first.
fn stored(looked: &Looked) -> Vec<StoredReport> {
    let whole = looked.whole();
    let by_split = |of: &dyn Fn(&Survey) -> Option<u64>| {
        looked.surveys.iter().map(|(split, survey)| (split.name(), of(survey).unwrap_or(0))).collect()
    };
    if whole.is_coloured() {
        let mut colours: Vec<([u8; 3], u64)> = whole.colours.iter().map(|(&rgb, &n)| (rgb, n)).collect();
        colours.sort_by_key(|&(rgb, n)| (std::cmp::Reverse(n), rgb));
        let row = |(rgb, _)| StoredReport {
            stored: hex(rgb),
            pixels: by_split(&|survey: &Survey| survey.colours.get(&rgb).copied()),
        };
        return colours.into_iter().map(row).collect();
    }
    let row = |&value: &u16| StoredReport {
        stored: value.to_string(),
        pixels: by_split(&|survey: &Survey| survey.values.get(&value).copied()),
    };
    whole.values.keys().map(row).collect()
}

/// A class for each value, where values are too far apart to be labels.
fn value_per_class(looked: &Looked, error: &Error) -> Option<Description> {
    let Error::Data { problem: DataProblem::SparseValues { .. }, .. } = error else { return None };
    let values = looked.whole().values;
    if values.len() > 255 {
        return None;
    }
    let class = |&value: &u16| ClassDescription {
        name: format!("value {value}"),
        value: Some(value),
        colour: None,
        ignore: false,
    };
    Some(Description { class: values.keys().map(class).collect(), ..Description::default() })
}

/// Adds what concerns files: what was said already, or what was found.
fn complete(description: &mut Description, looked: &Looked) {
    let suffix = looked.catalogue.suffix();
    description.mask_suffix = (!suffix.is_empty()).then(|| suffix.to_owned());
    description.split = looked.catalogue.division().map(crate::split::Division::described);
}

impl Inspection {
    fn depths(&mut self) {
        let kinds = self.splits.iter().flat_map(|split| split.image_kinds.keys());
        let mut depths: Vec<&str> = kinds.filter_map(|kind| kind.split(' ').next()).collect();
        depths.sort_unstable();
        depths.dedup();
        if depths.len() > 1 {
            let depths = depths.join(" and ");
            self.problems.push(format!("{depths} images are mixed: convert them to one range"));
        }
    }

    /// Warns of images that stand in several splits.
    fn twins(&mut self, source: &Source, twins: HashMap<u64, Vec<(Split, PathBuf)>>) {
        let mut found: Vec<[PathBuf; 2]> = Vec::new();
        for files in twins.into_values() {
            for (i, (split, path)) in files.iter().enumerate() {
                let other = files[..i].iter().find(|(other, _)| other != split);
                // Equal hashes are no proof.
                let same = |other: &PathBuf| matches!((source.read(other), source.read(path)), (Ok(a), Ok(b)) if a == b);
                if let Some((_, other)) = other.filter(|(_, other)| same(other)) {
                    found.push([other.clone(), path.clone()]);
                }
            }
        }
        found.sort();
        if let Some([first, second]) = found.first() {
            let more =
                if found.len() > 1 { format!(", and {} more", found.len() - 1) } else { String::new() };
            self.warnings.push(format!(
                "{} and {} are the same image in two splits{more}: scores on them are too good",
                first.display(),
                second.display()
            ));
        }
    }

    fn understood(&mut self, reading: &Reading) {
        let classes = &reading.classes;
        self.notes.clone_from(&reading.notes);
        self.warnings.extend(reading.warnings.iter().cloned());
        self.description = Some(match reading.description.class.is_empty() {
            true => classes.described(),
            false => reading.description.clone(),
        });
        for (split, survey) in &reading.surveys {
            let unknown = classes.unknown(survey);
            let pixels: u64 = unknown.iter().map(|(_, count)| count).sum();
            if let Some((first, _)) = unknown.first() {
                let more = if unknown.len() > 1 {
                    format!(" and {} others", unknown.len() - 1)
                } else {
                    String::new()
                };
                self.problems.push(format!(
                    "{}: {pixels} pixels of {first}{more} are of no class; name it in dataset.toml",
                    split.name()
                ));
            }
        }
        self.classes = (0..classes.count())
            .filter(|&class| classes.is_scored(class))
            .map(|class| class_report(class, classes, reading))
            .collect();
        self.priors();
    }

    /// Warns of classes that a split lacks, or whose share differs much between splits.
    fn priors(&mut self) {
        for class in &self.classes {
            let Some(&train) = class.share.get(Split::Train.name()) else { continue };
            for (split, &share) in class.share.iter().filter(|(split, _)| **split != Split::Train.name()) {
                let name = &class.name;
                // What training lacks has been said.
                if train > 0.0 && share == 0.0 {
                    self.warnings
                        .push(format!("{split} has no pixel of class `{name}`: it is not scored there"));
                } else if train > 0.0 && (share / train > PRIOR_FACTOR || train / share > PRIOR_FACTOR) {
                    self.warnings.push(format!(
                        "class `{name}` is {} % of train and {} % of {split}: the splits differ, and so will scores",
                        shown(train),
                        shown(share)
                    ));
                }
            }
        }
    }

    /// As text, for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let listed = |kinds: &BTreeMap<String, usize>, all: usize| {
            let parts =
                kinds.iter().map(|(kind, &n)| if n == all { kind.clone() } else { format!("{n} {kind}") });
            parts.collect::<Vec<_>>().join(", ")
        };
        let mut rows = vec![
            ["images", "split", "width x height", "images are", "masks are"].map(str::to_owned).to_vec(),
        ];
        for split in &self.splits {
            let sizes = match split.sizes.as_slice() {
                [] => "–".to_owned(),
                [[w, h, _]] => format!("{w}x{h}"),
                [[w, h, n], rest @ ..] => format!("{n} of {w}x{h}, {} other sizes", rest.len()),
            };
            rows.push(vec![
                split.images.to_string(),
                split.split.to_owned(),
                sizes,
                listed(&split.image_kinds, split.images),
                listed(&split.mask_kinds, split.images),
            ]);
        }
        text += &aligned(&rows);
        let splits: Vec<&str> = self.splits.iter().map(|split| split.split).collect();
        text.push('\n');
        if self.classes.is_empty() {
            self.stored_table(&mut text, &splits)
        } else {
            self.class_table(&mut text, &splits)
        }
        text
    }

    fn class_table(&self, text: &mut String, splits: &[&str]) {
        let mut title = ["label", "class", "stored as", "pixels"].map(str::to_owned).to_vec();
        title.extend(splits.iter().map(|split| format!("{split} %")));
        let mut rows = vec![title];
        for class in &self.classes {
            let pixels: u64 = class.pixels.values().sum();
            let name = class.name.replace('|', "\\|");
            let mut row = vec![class.label.to_string(), name, class.stored.clone(), pixels.to_string()];
            row.extend(
                splits
                    .iter()
                    .map(|split| class.share.get(split).map_or("–".to_owned(), |&share| shown(share))),
            );
            rows.push(row);
        }
        *text += &aligned(&rows);
    }

    fn stored_table(&self, text: &mut String, splits: &[&str]) {
        let mut title = vec!["pixels %".to_owned(), "masks hold".to_owned()];
        title.extend(splits.iter().map(|split| format!("{split} pixels")));
        let all: u64 = self.stored.iter().flat_map(|row| row.pixels.values()).sum();
        let mut rows = vec![title];
        for stored in self.stored.iter().take(LISTED) {
            let pixels: u64 = stored.pixels.values().sum();
            let mut row = vec![shown(pixels as f64 / all.max(1) as f64), stored.stored.clone()];
            row.extend(splits.iter().map(|split| stored.pixels.get(split).copied().unwrap_or(0).to_string()));
            rows.push(row);
        }
        *text += &aligned(&rows);
        if self.stored.len() > LISTED {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "… and {} more", self.stored.len() - LISTED);
        }
    }
}

fn class_report(class: usize, classes: &Classes, reading: &Reading) -> ClassReport {
    let (mut pixels, mut share) = (BTreeMap::new(), BTreeMap::new());
    for (split, survey) in &reading.surveys {
        let counts = classes.pixels(survey);
        let valid: u64 = counts.iter().sum();
        pixels.insert(split.name(), counts[class]);
        share.insert(split.name(), counts[class] as f64 / valid.max(1) as f64);
    }
    let stored = classes.stored_as(class);
    ClassReport { label: class, name: classes.names[class].clone(), stored, pixels, share }
}

/// A share as a percentage, with the digits that a rare class needs.
fn shown(share: f64) -> String {
    match share {
        0.0 => "0".to_owned(),
        share if share < 0.0005 => format!("{:.4}", 100.0 * share),
        share if share < 0.01 => format!("{:.2}", 100.0 * share),
        share => percent(Some(share)),
    }
}

/// The text of a `dataset.toml`, with a word on what may be edited.
pub fn dataset_toml(description: &Description) -> String {
    let coding = match description.class.first() {
        Some(class) if class.value.is_some() => {
            "`value` is what masks store for a class; `colour` is for pictures."
        }
        Some(class) if class.colour.is_some() => {
            "`colour` is what RGB masks store for a class, and for pictures."
        }
        _ => {
            "The first class is label 0, the next one label 1, and so on; `colour = [r, g, b]` is for pictures."
        }
    };
    format!(
        "# What the masks mean, as `segloss inspect` found it. Give the classes their names.\n\
         # {coding}\n\
         # A class with `ignore = true` counts for nothing.\n\n{}",
        description.to_toml()
    )
}
