//! Which image belongs to which mask, and to which part of the data set.
//!
//! A folder may be laid out in three ways; folders below `images` and `masks` may nest, alike:
//!
//! ```text
//! DIR/train/images/a.png   DIR/images/train/a.png   DIR/images/a.png      no split yet
//! DIR/train/masks/a.png    DIR/masks/train/a.png    DIR/masks/a.png
//! ```
//!
//! `train` may be called `training`, `val` `valid` or `validation`, `test` `testing`; `images` `image`, `img`,
//! `imgs` or `JPEGImages`; `masks` `mask`, `label`, `labels`, `annotations` or `SegmentationClass`. An image and
//! its mask have the same name but for the extension, and a suffix of all masks: `a.jpg` and `a_mask.png`.
//! `maps` may hold a weight for each pixel, as `a.npy`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::description::{Description, SplitDescription};
use crate::error::{DataProblem, Error, Result};
use crate::folder::{Source, Split, is_hidden};
use crate::split::{self, Division};

/// Suffixes that masks are found by without being told.
const SUFFIXES: [&str; 12] = [
    "_mask",
    "_masks",
    "_label",
    "_labels",
    "_seg",
    "_segmentation",
    "_gt",
    "_annotation",
    "_L",
    "-mask",
    "-label",
    "-seg",
];

/// The files of one sample, found but not read; paths are relative to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The image's path below its folder, without the extension.
    pub name: String,
    /// The image.
    pub image: PathBuf,
    /// Its mask.
    pub mask: PathBuf,
    /// Its weights, if the set has some.
    pub map: Option<PathBuf>,
}

/// The files of a data set, sorted.
#[derive(Debug, Clone)]
pub struct Catalogue {
    root: PathBuf,
    /// Nothing is in `None` once the set is divided.
    parts: BTreeMap<Option<Split>, Part>,
    suffix: String,
    division: Option<Division>,
    /// One sentence for each guess, and for what was left out.
    pub notes: Vec<String>,
}

/// The files of a part by name.
#[derive(Debug, Clone, Default, PartialEq)]
struct Part {
    images: BTreeMap<String, PathBuf>,
    masks: BTreeMap<String, PathBuf>,
    maps: BTreeMap<String, PathBuf>,
    /// Two files of one kind and name.
    clash: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Image,
    Mask,
    Map,
}

impl Role {
    fn of(folder: &str) -> Option<Self> {
        match folder.to_ascii_lowercase().as_str() {
            "images" | "image" | "img" | "imgs" | "jpegimages" => Some(Self::Image),
            "masks" | "mask" | "labels" | "label" | "annotations" | "segmentationclass" => Some(Self::Mask),
            "maps" => Some(Self::Map),
            _ => None,
        }
    }

    fn reads(self, extension: &str) -> bool {
        match self {
            Self::Map => extension == "npy",
            // A JPEG mask is found, so that it can be refused by name.
            Self::Image | Self::Mask => is_picture(extension),
        }
    }
}

/// Whether files of this extension, in small letters, are read.
pub fn is_picture(extension: &str) -> bool {
    matches!(extension, "png" | "jpg" | "jpeg" | "tif" | "tiff" | "bmp")
}

fn split_of(folder: &str) -> Option<Split> {
    match folder.to_ascii_lowercase().as_str() {
        "train" | "training" => Some(Split::Train),
        "val" | "valid" | "validation" => Some(Split::Val),
        "test" | "testing" => Some(Split::Test),
        _ => None,
    }
}

/// A path's extension in small letters; empty if it has none.
pub(crate) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// Whether a data set says how it is to be divided, and not only which of its images belong together.
fn shares_are_told(description: &Description) -> bool {
    let group = |split: &SplitDescription| split.group.clone();
    description.split.as_ref().is_some_and(|split| {
        *split != SplitDescription { group: group(split), ..SplitDescription::default() }
            || split.group.is_none()
    })
}

/// Files that are left out, by why.
#[derive(Default)]
struct LeftOut {
    hidden: usize,
    outside: usize,
    foreign: BTreeMap<String, usize>,
}

impl LeftOut {
    fn sentence(self) -> Option<String> {
        let mut parts = Vec::new();
        let files = |n: usize| if n == 1 { "1 file".to_owned() } else { format!("{n} files") };
        let foreign: usize = self.foreign.values().sum();
        if foreign > 0 {
            let kinds = self.foreign.iter().map(|(kind, n)| format!("{n} {kind}")).collect::<Vec<_>>();
            parts.push(format!("{} of a kind that is not read ({})", files(foreign), kinds.join(", ")));
        }
        if self.outside > 0 {
            parts.push(format!("{} in neither images/ nor masks/", files(self.outside)));
        }
        if self.hidden > 0 {
            parts.push(format!("{} whose name begins with a dot", files(self.hidden)));
        }
        (!parts.is_empty()).then(|| format!("left out: {}", parts.join("; ")))
    }
}

impl Catalogue {
    /// Sorts the files of a data set.
    ///
    /// # Errors
    /// [`Error::Data`] if there is no image, or if the set cannot be divided as `description` says.
    pub fn of(source: &Source, description: &Description) -> Result<Self> {
        let mut parts: BTreeMap<Option<Split>, Part> = BTreeMap::new();
        let mut left_out = LeftOut::default();
        for path in source.files()? {
            if is_hidden(&path) {
                left_out.hidden += 1;
                continue;
            }
            let extension = extension(&path);
            let Some((split, role, name)) = place(&path) else {
                match path.to_str() {
                    Some("dataset.toml") => {}
                    _ if is_picture(&extension) => left_out.outside += 1,
                    _ => *left_out.foreign.entry(kind(&extension)).or_default() += 1,
                }
                continue;
            };
            if !role.reads(&extension) {
                *left_out.foreign.entry(kind(&extension)).or_default() += 1;
                continue;
            }
            let part = parts.entry(split).or_default();
            let files = match role {
                Role::Image => &mut part.images,
                Role::Mask => &mut part.masks,
                Role::Map => &mut part.maps,
            };
            if let Some(other) = files.insert(name, path.clone()) {
                part.clash.get_or_insert((other, path));
            }
        }
        let root = source.root().to_path_buf();
        let mut catalogue = Self { root, parts, suffix: String::new(), division: None, notes: Vec::new() };
        catalogue.notes.extend(left_out.sentence());
        if catalogue.parts.values().all(|part| part.images.is_empty()) {
            return Err(Error::data(source.root(), DataProblem::NoImages { inside: set_inside(source)? }));
        }
        catalogue.find_suffix(description)?;
        catalogue.divide(description)?;
        Ok(catalogue)
    }

    /// Takes the suffix of the masks off their names, where it stands.
    fn find_suffix(&mut self, description: &Description) -> Result<()> {
        let fits = |suffix: &str, part: &Part| {
            let stem =
                |name: &String| name.strip_suffix(suffix).is_some_and(|name| part.images.contains_key(name));
            part.masks.keys().all(stem)
        };
        let filled = || self.parts.values().filter(|part| !part.masks.is_empty());
        if let Some(suffix) = &description.mask_suffix {
            self.suffix.clone_from(suffix);
            let ends = |part: &Part| part.masks.keys().any(|name| name.ends_with(suffix.as_str()));
            if !filled().any(ends) {
                let problem = DataProblem::Description(format!(
                    "`mask_suffix` is `{suffix}`, but no mask's name ends so"
                ));
                return Err(Error::data(self.root.join("dataset.toml"), problem));
            }
        } else if !filled().all(|part| fits("", part))
            && let Some(suffix) = SUFFIXES.into_iter().find(|suffix| filled().all(|part| fits(suffix, part)))
        {
            suffix.clone_into(&mut self.suffix);
            self.notes.push(format!("masks are found by the suffix `{suffix}` of their names"));
        }
        if !self.suffix.is_empty() {
            // A mask without the suffix keeps its name, and is missed or left over below. Maps that were made of
            // masks are called like them.
            let short = |name: &str| name.strip_suffix(&self.suffix).unwrap_or(name).to_owned();
            for part in self.parts.values_mut() {
                for files in [&mut part.masks, &mut part.maps] {
                    *files =
                        std::mem::take(files).into_iter().map(|(name, path)| (short(&name), path)).collect();
                }
            }
        }
        Ok(())
    }

    /// Divides what has no split: the whole set, or `train` where nothing is there to validate on.
    fn divide(&mut self, description: &Description) -> Result<()> {
        let whole = self.parts.remove(&None);
        let divided = self.parts.values().any(|part| !part.images.is_empty());
        let shares = description.split.clone().unwrap_or_default();
        match whole.filter(|part| !part.images.is_empty() || !part.masks.is_empty()) {
            Some(whole) if divided => {
                let files = whole.images.len() + whole.masks.len();
                self.notes.push(format!(
                    "left out: {files} files that stand beside the folders train, val and test"
                ));
            }
            Some(whole) => {
                let names = whole.images.keys().map(String::as_str);
                let division = split::divide(names, &shares)
                    .map_err(|problem| Error::data(&self.root, DataProblem::CannotDivide(problem)))?;
                self.notes.push(division.sentence(description.split.is_some()));
                self.deal(whole, division);
                return Ok(());
            }
            None => {}
        }
        let empty = |parts: &BTreeMap<_, Part>, split| {
            parts.get(&Some(split)).is_none_or(|part| part.images.is_empty())
        };
        let lacks_val = empty(&self.parts, Split::Val) && !empty(&self.parts, Split::Train);
        if lacks_val {
            // The test images are there already, or nobody wants any.
            let shares = SplitDescription { test: 0.0, ..shares };
            let train = self.parts.remove(&Some(Split::Train)).unwrap_or_default();
            let division =
                split::divide(train.images.keys().map(String::as_str), &shares).map_err(|problem| {
                    Error::data(self.root.join("train"), DataProblem::CannotDivide(problem))
                })?;
            self.notes
                .push(format!("there is no val, so {}", division.sentence(description.split.is_some())));
            self.deal(train, division);
        } else if shares_are_told(description) {
            let problem = "`[split]` divides a folder that has no val, and this one has; take out all but `group`, or the folder val";
            let problem = DataProblem::Description(problem.to_owned());
            return Err(Error::data(self.root.join("dataset.toml"), problem));
        }
        Ok(())
    }

    /// Gives the files of a part to the splits. A mask or map without an image stays where it is missed.
    fn deal(&mut self, part: Part, division: Division) {
        let Part { images, masks, maps, clash } = part;
        let of = |name: &String| Some(division.split_of(name).unwrap_or(Split::Train));
        for (name, path) in images {
            self.parts.entry(of(&name)).or_default().images.insert(name, path);
        }
        for (name, path) in masks {
            self.parts.entry(of(&name)).or_default().masks.insert(name, path);
        }
        for (name, path) in maps {
            self.parts.entry(of(&name)).or_default().maps.insert(name, path);
        }
        self.parts.entry(Some(Split::Train)).or_default().clash = clash;
        self.division = Some(division);
    }

    /// Where the weights of a sample should be, beside its image's folder.
    pub fn map_path(&self, pair: &Pair) -> PathBuf {
        let below = format!("{}.npy", pair.name);
        let folders = pair.image.components().count() - Path::new(&below).components().count();
        let parts = pair.image.components().take(folders).map(|part| {
            let part = part.as_os_str();
            if Role::of(&part.to_string_lossy()) == Some(Role::Image) { "maps".as_ref() } else { part }
        });
        self.root.join(parts.collect::<PathBuf>()).join(below)
    }

    /// How many weight maps there are.
    pub fn maps(&self) -> usize {
        self.parts.values().map(|part| part.maps.len()).sum()
    }

    /// Whether a split has any file.
    pub fn has(&self, split: Split) -> bool {
        self.parts.get(&Some(split)).is_some_and(|part| !part.images.is_empty() || !part.masks.is_empty())
    }

    /// How a set without splits, or without val, was divided.
    pub fn division(&self) -> Option<&Division> {
        self.division.as_ref()
    }

    /// The suffix of the masks' names; empty if they have none.
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// The samples of one split in the order of their names.
    ///
    /// # Errors
    /// [`Error::Data`] naming the first file without its partner, or the split if it is empty.
    pub fn pairs(&self, split: Split) -> Result<Vec<Pair>> {
        let full = |path: &Path| self.root.join(path);
        let Some(part) = self.parts.get(&Some(split)) else {
            return Err(Error::data(full(Path::new(split.name())), DataProblem::MissingFolder));
        };
        if let Some((first, second)) = &part.clash {
            return Err(Error::data(full(second), DataProblem::SameName { other: full(first) }));
        }
        if part.images.is_empty() {
            let problem = DataProblem::NoImages { inside: None };
            return Err(Error::data(full(Path::new(split.name())), problem));
        }
        let missing = part.images.keys().filter(|name| !part.masks.contains_key(*name)).count();
        let mut masks = part.masks.clone();
        let mut pairs = Vec::with_capacity(part.images.len());
        for (name, image) in &part.images {
            let Some(mask) = masks.remove(name) else {
                let names: BTreeSet<&str> = part.masks.keys().map(String::as_str).collect();
                let example = names.first().map(|name| (*name).to_owned());
                let expected = format!("{name}{}", self.suffix);
                let problem =
                    DataProblem::MissingMask { expected, example, missing, images: part.images.len() };
                return Err(Error::data(full(image), problem));
            };
            let (name, image, map) = (name.clone(), image.clone(), part.maps.get(name).cloned());
            pairs.push(Pair { name, image, mask, map });
        }
        if let Some((name, mask)) = masks.pop_first() {
            return Err(Error::data(full(&mask), DataProblem::MissingImage { expected: name }));
        }
        Ok(pairs)
    }

    /// Checks that every weight map of a split has an image: one that has none would weigh nothing.
    ///
    /// # Errors
    /// [`DataProblem::MissingImage`] naming the map.
    pub fn check_maps(&self, split: Split) -> Result<()> {
        let Some(part) = self.parts.get(&Some(split)) else { return Ok(()) };
        match part.maps.iter().find(|(name, _)| !part.images.contains_key(*name)) {
            None => Ok(()),
            Some((name, map)) => {
                let problem = DataProblem::MissingImage { expected: name.clone() };
                Err(Error::data(self.root.join(map), problem))
            }
        }
    }
}

/// A folder inside that looks like the data set that somebody meant.
fn set_inside(source: &Source) -> Result<Option<PathBuf>> {
    let is_image = |path: &Path| place(path).is_some_and(|(_, role, _)| role == Role::Image);
    let inside = |path: &PathBuf| {
        let folder = PathBuf::from(path.components().next()?.as_os_str());
        let below = path.strip_prefix(&folder).ok()?;
        is_image(below).then(|| source.root().join(folder))
    };
    Ok(source.files()?.iter().find_map(inside))
}

/// What a path says of its file: split, role, and name below the two.
fn place(path: &Path) -> Option<(Option<Split>, Role, String)> {
    let parts: Vec<String> = path
        .components()
        .map(|part| match part {
            Component::Normal(part) => part.to_string_lossy().into_owned(),
            _ => String::new(),
        })
        .collect();
    let (file, folders) = parts.split_last()?;
    let (split, role, below) = match folders {
        [split, role, below @ ..] if split_of(split).is_some() && Role::of(role).is_some() => {
            (split_of(split), Role::of(role)?, below)
        }
        [role, split, below @ ..] if Role::of(role).is_some() && split_of(split).is_some() => {
            (split_of(split), Role::of(role)?, below)
        }
        [role, below @ ..] => (None, Role::of(role)?, below),
        [] => return None,
    };
    let stem = Path::new(file).file_stem()?.to_string_lossy().into_owned();
    let name = below.iter().map(String::as_str).chain([stem.as_str()]).collect::<Vec<_>>().join("/");
    Some((split, role, name))
}

fn kind(extension: &str) -> String {
    if extension.is_empty() { "without extension".to_owned() } else { format!(".{extension}") }
}
