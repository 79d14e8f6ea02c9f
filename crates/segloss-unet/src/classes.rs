//! What the labels mean: names, colours, the one that is ignored, and how masks store them.
//!
//! **Labels keep their numbers.** The net has one output per label from 0 to the largest label that is not
//! ignored. So when label 11 is "void" over classes 0..=10, the net has 11 outputs. When the ignored label
//! lies *within* the range, say 0 of 0..=5, the net has 6 outputs: output 0 is never a target, it is never
//! predicted either, and tables leave it out.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::colour::{colour, hex};
use crate::decode::{Stored, StoredMask};
use crate::description::{ClassDescription, Description};
use crate::error::{DataProblem, Error, Result};
use crate::survey::Survey;

/// The classes of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// One name per output of the net, in the order of the labels.
    pub names: Vec<String>,
    /// One colour per output, for pictures.
    pub colours: Vec<[u8; 3]>,
    /// The label whose pixels count for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_index: Option<u8>,
    /// How masks store the labels.
    #[serde(default, skip_serializing_if = "Coding::is_default")]
    pub coding: Coding,
}

/// How masks store the labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coding {
    /// The grey value, or the palette index, is the label.
    #[default]
    Index,
    /// Each label has a grey value.
    Values {
        /// In the order of the labels.
        values: Vec<u16>,
        /// Those of pixels that count for nothing.
        ignored: Vec<u16>,
    },
    /// Each label has a colour: that of [`Classes::colours`].
    Colours {
        /// Those of pixels that count for nothing.
        ignored: Vec<[u8; 3]>,
    },
}

impl Coding {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Classes {
    /// So many classes without a name of their own, for masks that store labels.
    pub fn numbered(count: usize, ignore_index: Option<u8>) -> Self {
        Self {
            names: (0..count).map(|c| format!("class {c}")).collect(),
            colours: (0..count).map(colour).collect(),
            ignore_index,
            coding: Coding::Index,
        }
    }

    /// The classes that `dataset.toml` names; a configured ignored label goes before its own. `coloured` says
    /// whether the masks tell classes by colour.
    ///
    /// # Errors
    /// Why the description does not fit, in words.
    pub fn of_description(
        description: &Description,
        configured: Option<u8>,
        coloured: bool,
    ) -> std::result::Result<Self, String> {
        let ignores = description.ignored().next().is_some();
        // The label of ignored entries: there are at most 255 classes, so 255 is free.
        let ignore_index = configured.or(description.ignore_index).or(ignores.then_some(u8::MAX));
        let kept: Vec<&ClassDescription> = description.kept().collect();
        let coding = if coloured {
            if let Some(class) = description.class.iter().find(|class| class.colour.is_none()) {
                let name = &class.name;
                return Err(format!("the masks are coded by colour, and class `{name}` has no `colour`"));
            }
            for (i, class) in description.class.iter().enumerate() {
                if let Some(other) = description.class[..i].iter().find(|other| other.colour == class.colour)
                {
                    let (a, b) = (&other.name, &class.name);
                    return Err(format!(
                        "classes `{a}` and `{b}` have the same `colour`, which codes the masks"
                    ));
                }
            }
            Coding::Colours { ignored: description.ignored().filter_map(|class| class.colour).collect() }
        } else if description.class.iter().any(|class| class.value.is_some()) {
            let values = |classes: &mut dyn Iterator<Item = &ClassDescription>| {
                classes.filter_map(|class| class.value).collect()
            };
            Coding::Values {
                values: values(&mut description.kept()),
                ignored: values(&mut description.ignored()),
            }
        } else {
            // Without it the labels of all classes behind it would move.
            if let Some(class) = description.ignored().next() {
                let name = &class.name;
                return Err(format!(
                    "class `{name}` is ignored by its `colour`, and the masks hold grey values: give every class its \
                     `value`, or ignore a label by `ignore_index`"
                ));
            }
            Coding::Index
        };
        // A last label that is ignored needs no output.
        if let Some(label) =
            configured.filter(|&label| coding != Coding::Index && Some(label) != description.ignore_index)
            && !(ignores && label == u8::MAX)
        {
            return Err(format!(
                "label {label} is to be ignored (data.ignore_index, --ignore), and masks store classes by value or \
                 colour: give the class that is not to count `ignore = true` here"
            ));
        }
        let last_is_ignored = ignore_index.map(usize::from) == Some(kept.len() - 1);
        let outputs = if coding == Coding::Index && last_is_ignored { kept.len() - 1 } else { kept.len() };
        if outputs == 0 {
            return Err("its only class is the ignored one".to_owned());
        }
        let kept = &kept[..outputs];
        Ok(Self {
            names: kept.iter().map(|class| class.name.clone()).collect(),
            colours: kept.iter().enumerate().map(|(c, class)| class.colour.unwrap_or(colour(c))).collect(),
            ignore_index,
            coding,
        })
    }

    /// Whether there are 1 to 255 classes, each with all that belongs to it: what comes from a file need not.
    pub(crate) fn is_consistent(&self) -> bool {
        let values = match &self.coding {
            Coding::Values { values, .. } => values.len() == self.count(),
            _ => true,
        };
        (1..=255).contains(&self.count()) && self.colours.len() == self.count() && values
    }

    /// These classes for masks of another data set, which ignores a label of its own.
    ///
    /// # Errors
    /// If that label is a class of the net.
    pub(crate) fn with_ignored(&self, ignored: Option<u8>) -> std::result::Result<Self, String> {
        let Some(label) = ignored.filter(|_| ignored != self.ignore_index) else { return Ok(self.clone()) };
        if usize::from(label) < self.count() {
            let name = &self.names[usize::from(label)];
            return Err(format!(
                "`ignore_index` is {label}, which is the net's class `{name}`: it was trained to find it"
            ));
        }
        let coding = match &self.coding {
            Coding::Index => {
                Coding::Values { values: (0..self.count() as u16).collect(), ignored: vec![label.into()] }
            }
            Coding::Values { values, ignored } => Coding::Values {
                values: values.clone(),
                ignored: [ignored.as_slice(), &[label.into()]].concat(),
            },
            Coding::Colours { .. } => {
                return Err(format!("`ignore_index` is {label}, and the net's masks are coded by colour"));
            }
        };
        Ok(Self { coding, ..self.clone() })
    }

    /// These classes, a net's, as the masks of another data set store them, whose own classes are `own`: alike by
    /// what is stored, or by name.
    ///
    /// # Errors
    /// If neither tells which is which.
    pub(crate) fn stored_like(&self, own: Self) -> std::result::Result<Self, String> {
        let net = self.names.join(", ");
        if own.count() != self.count() {
            return Err(format!("it names {} classes, and the net has {}: {net}", own.count(), self.count()));
        }
        let same_storage = match (&self.coding, &own.coding) {
            (Coding::Index, Coding::Index) => true,
            (Coding::Values { values: a, .. }, Coding::Values { values: b, .. }) => a == b,
            (Coding::Colours { .. }, Coding::Colours { .. }) => self.colours == own.colours,
            _ => false,
        };
        let (mut a, mut b) = (self.names.clone(), own.names.clone());
        a.sort();
        b.sort();
        // The same names in another order contradict what is stored.
        let contradicted = self.names != own.names && a == b;
        if self.names != own.names && (!same_storage || contradicted) {
            return Err(format!(
                "its classes are {}, and the net's are {net}: give [[class]] the net's names in the net's order",
                own.names.join(", ")
            ));
        }
        let ignored = own.ignore_index;
        let colours =
            if matches!(own.coding, Coding::Colours { .. }) { own.colours } else { self.colours.clone() };
        let classes = Self { coding: own.coding, colours, ..self.clone() };
        // An ignored entry is stored as such; a label is the net's own, or one beyond its classes.
        match (&classes.coding, ignored) {
            (Coding::Index, _) => classes.with_ignored(ignored),
            _ => Ok(classes),
        }
    }

    /// The number of outputs of the net.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Whether the output can be predicted and is scored: all but an ignored label within the range.
    pub fn is_scored(&self, class: usize) -> bool {
        self.ignore_index.map(usize::from) != Some(class)
    }

    /// For each output, whether it can be predicted.
    pub fn scored(&self) -> Vec<bool> {
        (0..self.count()).map(|class| self.is_scored(class)).collect()
    }

    /// The label given to pixels that are not part of an image: the ignored one, or 255 if there is none
    /// (there are at most 255 classes, so 255 is free).
    pub fn padding_label(&self) -> u8 {
        self.ignore_index.unwrap_or(u8::MAX)
    }

    /// From a mask to the label of each pixel.
    ///
    /// # Errors
    /// [`DataProblem::UnknownValue`] with the first pixel that is neither of a class nor ignored.
    pub fn labels(&self, mask: StoredMask, path: &Path) -> Result<Vec<u8>> {
        let width = mask.width;
        let unknown = |at: usize, found: String| {
            let (x, y, known) = (at % width, at / width, self.known());
            Error::data(path, DataProblem::UnknownValue { found, x, y, known })
        };
        if let Coding::Colours { .. } = &self.coding {
            let table = self.colour_table();
            let label = |(at, colour): (usize, [u8; 3])| {
                table.get(&colour).copied().ok_or_else(|| unknown(at, format!("colour {}", hex(colour))))
            };
            return match mask.values {
                Stored::Rgb(colours) => colours.into_iter().enumerate().map(label).collect(),
                Stored::Palette(indices, palette) => {
                    let colour = |index: u8| palette.get(usize::from(index)).copied().unwrap_or_default();
                    indices.into_iter().map(colour).enumerate().map(label).collect()
                }
                // A grey file among coloured ones: each value is a shade.
                Stored::Grey(values) => values
                    .into_iter()
                    .map(|value| u8::try_from(value).map_or([0; 3], |value| [value; 3]))
                    .enumerate()
                    .map(label)
                    .collect(),
            };
        }
        let numbers = mask.numbers().map_err(|(at, colour)| {
            let (x, y) = (at % width, at / width);
            Error::data(path, DataProblem::ColouredMask { colour: hex(colour), x, y })
        })?;
        let table = self.table();
        let labels = numbers.data.into_iter().enumerate();
        labels
            .map(|(at, value)| table[usize::from(value)].ok_or_else(|| unknown(at, format!("value {value}"))))
            .collect()
    }

    /// Pixels of each class.
    pub fn pixels(&self, survey: &Survey) -> Vec<u64> {
        let mut pixels = vec![0; self.count()];
        let mut add = |label: Option<u8>, count: u64| {
            let class = label.map(usize::from).filter(|&class| self.is_scored(class));
            if let Some(pixels) = class.and_then(|class| pixels.get_mut(class)) {
                *pixels += count;
            }
        };
        if let Coding::Colours { .. } = self.coding {
            let table = self.colour_table();
            survey.colours.iter().for_each(|(colour, &count)| add(table.get(colour).copied(), count));
        } else {
            let table = self.table();
            survey.values.iter().for_each(|(&value, &count)| add(table[usize::from(value)], count));
        }
        pixels
    }

    /// The values or colours of a survey that are of no class, with their pixels.
    pub fn unknown(&self, survey: &Survey) -> Vec<(String, u64)> {
        if let Coding::Colours { .. } = self.coding {
            let table = self.colour_table();
            let unknown = survey.colours.iter().filter(|(colour, _)| !table.contains_key(*colour));
            unknown.map(|(&colour, &count)| (format!("colour {}", hex(colour)), count)).collect()
        } else {
            let table = self.table();
            let unknown = survey.values.iter().filter(|(value, _)| table[usize::from(**value)].is_none());
            unknown.map(|(value, &count)| (format!("value {value}"), count)).collect()
        }
    }

    /// What masks store for a class, in words.
    pub fn stored_as(&self, class: usize) -> String {
        match &self.coding {
            Coding::Index => class.to_string(),
            Coding::Values { values, .. } => values[class].to_string(),
            Coding::Colours { .. } => hex(self.colours[class]),
        }
    }

    /// As `dataset.toml` would say it. Colours are left out where they are the built-in ones.
    pub fn described(&self) -> Description {
        let class = |(c, name): (usize, &String)| ClassDescription {
            name: name.clone(),
            value: match &self.coding {
                Coding::Values { values, .. } => Some(values[c]),
                _ => None,
            },
            colour: Some(self.colours[c]).filter(|&own| own != colour(c)),
            ignore: false,
        };
        let ignored =
            |value, colour| ClassDescription { name: "ignored".to_owned(), value, colour, ignore: true };
        let mut classes: Vec<ClassDescription> = self.names.iter().enumerate().map(class).collect();
        match &self.coding {
            Coding::Index => {}
            Coding::Values { ignored: values, .. } => {
                classes.extend(values.iter().map(|&value| ignored(Some(value), None)));
            }
            Coding::Colours { ignored: colours } => {
                for (c, class) in classes.iter_mut().enumerate() {
                    class.colour = Some(self.colours[c]);
                }
                classes.extend(colours.iter().map(|&colour| ignored(None, Some(colour))));
            }
        }
        // Where classes have values or colours of their own, those that are ignored stand among them.
        let ignore_index = self.ignore_index.filter(|_| self.coding == Coding::Index);
        Description { ignore_index, class: classes, ..Description::default() }
    }

    /// The label of each colour that has one, where masks are coded by colour.
    fn colour_table(&self) -> HashMap<[u8; 3], u8> {
        let mut table = HashMap::new();
        if let Coding::Colours { ignored } = &self.coding {
            table.extend(ignored.iter().map(|&colour| (colour, self.padding_label())));
            table.extend(self.colours.iter().enumerate().map(|(c, &colour)| (colour, c as u8)));
        }
        table
    }

    /// The label of each grey value, if it has one.
    fn table(&self) -> Vec<Option<u8>> {
        let mut table = vec![None; 1 << 16];
        // Where classes have values of their own, the label of a class says nothing of what is stored.
        let verbatim = |label: &u8| self.coding == Coding::Index || usize::from(*label) >= self.count();
        if let Some(ignored) = self.ignore_index.filter(verbatim) {
            table[usize::from(ignored)] = Some(ignored);
        }
        match &self.coding {
            Coding::Values { values, ignored } => {
                ignored.iter().for_each(|&value| table[usize::from(value)] = Some(self.padding_label()));
                for (c, &value) in values.iter().enumerate() {
                    table[usize::from(value)] = Some(c as u8);
                }
            }
            _ => (0..self.count()).for_each(|c| table[c] = Some(c as u8)),
        }
        table
    }

    /// From a label of each pixel to a mask of the data set's own kind. Labels must be classes.
    pub fn stored(&self, labels: &[u8], width: usize) -> StoredMask {
        let values = match &self.coding {
            Coding::Index => Stored::Grey(labels.iter().map(|&label| label.into()).collect()),
            Coding::Values { values, .. } => {
                Stored::Grey(labels.iter().map(|&label| values[usize::from(label)]).collect())
            }
            Coding::Colours { .. } => {
                Stored::Rgb(labels.iter().map(|&label| self.colours[usize::from(label)]).collect())
            }
        };
        StoredMask { height: labels.len() / width.max(1), width, values }
    }

    /// What masks may hold, in words.
    fn known(&self) -> String {
        let list = |items: Vec<String>| match items.len() {
            0..=12 => items.join(", "),
            n => format!("{} and {} more", items[..12].join(", "), n - 12),
        };
        match &self.coding {
            Coding::Index => {
                let last = self.count() - 1;
                match self.ignore_index {
                    Some(ignored) => format!("labels are 0 to {last}, and {ignored} is ignored"),
                    None => format!("labels are 0 to {last}"),
                }
            }
            Coding::Values { values, ignored } => {
                let values = list(values.iter().map(u16::to_string).collect());
                match ignored.as_slice() {
                    [] => format!("the classes' values are {values}"),
                    ignored => {
                        let ignored = list(ignored.iter().map(u16::to_string).collect());
                        format!("the classes' values are {values}, and {ignored} ignored")
                    }
                }
            }
            Coding::Colours { ignored } => {
                let colours = self.colours.iter().chain(ignored).map(|&colour| hex(colour));
                format!("the classes' colours are {}", list(colours.collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(values: &[u16]) -> StoredMask {
        StoredMask { height: 1, width: values.len(), values: Stored::Grey(values.to_vec()) }
    }

    fn rgb(colours: &[[u8; 3]]) -> StoredMask {
        StoredMask { height: 1, width: colours.len(), values: Stored::Rgb(colours.to_vec()) }
    }

    fn read(text: &str, coloured: bool) -> Classes {
        Classes::of_description(&Description::read(text).unwrap(), None, coloured).unwrap()
    }

    fn named(names: &[&str], ignore_index: Option<u8>) -> Description {
        let class =
            |&name: &&str| ClassDescription { name: name.into(), value: None, colour: None, ignore: false };
        Description { ignore_index, class: names.iter().map(class).collect(), ..Description::default() }
    }

    fn labels(classes: &Classes, mask: StoredMask) -> Vec<u8> {
        classes.labels(mask, Path::new("m.png")).unwrap()
    }

    fn problem(classes: &Classes, mask: StoredMask) -> String {
        classes.labels(mask, Path::new("m.png")).unwrap_err().to_string()
    }

    #[test]
    fn the_ignored_label_within_the_range_keeps_the_numbers() {
        let classes = Classes::of_description(&named(&["void", "a", "b"], Some(0)), None, false).unwrap();
        assert_eq!(classes.count(), 3);
        assert!(!classes.is_scored(0) && (1..3).all(|c| classes.is_scored(c)));
    }

    #[test]
    fn a_named_last_class_that_is_ignored_has_no_output() {
        let classes = Classes::of_description(&named(&["a", "b", "void"], Some(2)), None, false).unwrap();
        assert_eq!(classes.names, ["a", "b"]);
        assert_eq!(classes.padding_label(), 2);
        let none = Classes::of_description(&named(&["a", "b"], None), None, false).unwrap();
        assert_eq!(none.padding_label(), 255);
        assert!(Classes::of_description(&named(&["void"], Some(0)), None, false).is_err());
    }

    #[test]
    fn the_configuration_goes_before_the_file() {
        let classes = Classes::of_description(&named(&["a", "b", "c"], Some(2)), Some(0), false).unwrap();
        assert_eq!((classes.count(), classes.ignore_index), (3, Some(0)));
    }

    #[test]
    fn values_become_labels_and_back() {
        let classes = read(
            "[[class]]\nname = \"a\"\nvalue = 0\n[[class]]\nname = \"void\"\nvalue = 9\nignore = true\n\
             [[class]]\nname = \"b\"\nvalue = 300",
            false,
        );
        assert_eq!((classes.count(), classes.ignore_index), (2, Some(255)));
        assert_eq!(labels(&classes, grey(&[300, 0, 9, 300])), [1, 0, 255, 1]);
        assert_eq!(classes.stored(&[1, 0, 0, 1], 2).values, Stored::Grey(vec![300, 0, 0, 300]));
        // Shades of grey in an RGB file are values.
        assert_eq!(labels(&classes, rgb(&[[0; 3], [9; 3]])), [0, 255]);
        assert_eq!(
            problem(&classes, grey(&[0, 1])),
            "m.png: value 1 at x=1, y=0 is of no class: the classes' values are 0, 300, and 9 ignored; name it in \
             dataset.toml (`segloss inspect --data DIR` lists what the masks hold)"
        );
    }

    #[test]
    fn an_ignored_class_moves_no_other() {
        let text = "[[class]]\nname = \"a\"\ncolour = [0, 0, 0]\n[[class]]\nname = \"void\"\ncolour = [9, 9, 9]\n\
                    ignore = true\n[[class]]\nname = \"b\"\ncolour = [255, 0, 0]";
        let error = Classes::of_description(&Description::read(text).unwrap(), None, false).unwrap_err();
        assert!(error.starts_with("class `void` is ignored by its `colour`, and the masks hold grey values"));
        // A label that is ignored by the command line says nothing beside values.
        let text = "[[class]]\nname = \"a\"\nvalue = 0\n[[class]]\nname = \"b\"\nvalue = 255";
        let described = Description::read(text).unwrap();
        for label in [1, 255] {
            let error = Classes::of_description(&described, Some(label), false).unwrap_err();
            assert!(error.contains("give the class that is not to count `ignore = true`"), "{error}");
        }
        // What a run has noted of ignored entries is no contradiction when it goes on.
        let text = format!("{text}\n[[class]]\nname = \"void\"\nvalue = 9\nignore = true");
        assert!(Classes::of_description(&Description::read(&text).unwrap(), Some(255), false).is_ok());
    }

    #[test]
    fn colours_become_labels_and_back() {
        let text = "[[class]]\nname = \"a\"\ncolour = [0, 0, 0]\n[[class]]\nname = \"b\"\ncolour = [255, 0, 0]\n\
                    [[class]]\nname = \"void\"\ncolour = [255, 255, 255]\nignore = true";
        let classes = read(text, true);
        let mask = rgb(&[[255, 0, 0], [0; 3], [255; 3]]);
        assert_eq!(labels(&classes, mask), [1, 0, 255]);
        // Two palettes in another order are the same by their colours.
        for palette in [vec![[0; 3], [255, 0, 0]], vec![[255, 0, 0], [0; 3]]] {
            let red = u8::from(palette[1][0] == 255);
            let values = Stored::Palette(vec![red, 1 - red], palette);
            assert_eq!(labels(&classes, StoredMask { height: 1, width: 2, values }), [1, 0]);
        }
        assert_eq!(classes.stored(&[1, 0], 1).values, Stored::Rgb(vec![[255, 0, 0], [0; 3]]));
        let text = problem(&classes, rgb(&[[0; 3], [1, 2, 3]]));
        assert!(text.starts_with("m.png: colour #010203 at x=1, y=0 is of no class"), "{text}");
        let index = read("[[class]]\nname = \"a\"\n[[class]]\nname = \"b\"", false);
        assert!(problem(&index, rgb(&[[0; 3], [1, 2, 3]])).contains("colour #010203 at x=1, y=0"));
        let bare = Classes::of_description(&named(&["a"], None), None, true).unwrap_err();
        assert!(bare.contains("class `a` has no `colour`"), "{bare}");
    }

    #[test]
    fn a_stray_label_is_named_with_its_pixel() {
        let classes = Classes::of_description(&named(&["a", "b"], None), Some(9), false).unwrap();
        assert_eq!(labels(&classes, grey(&[0, 1, 9])), [0, 1, 9]);
        let text = problem(&classes, grey(&[0, 9, 2]));
        assert!(
            text.starts_with(
                "m.png: value 2 at x=2, y=0 is of no class: labels are 0 to 1, and 9 is ignored"
            )
        );
    }

    #[test]
    fn another_data_set_is_matched_by_what_is_stored_or_by_name() {
        let net = |names: &[&str], coding: Coding| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            Classes { coding, ..Classes { names, ..Classes::numbered(3, None) } }
        };
        let values = |values: [u16; 3]| Coding::Values { values: values.to_vec(), ignored: vec![] };
        let red_blue = net(&["bg", "red", "blue"], Coding::Index);
        let error = |own: Classes| red_blue.stored_like(own).unwrap_err();
        // The same files, and both say that red is stored as 1: but the second numbers blue before it.
        assert!(error(net(&["bg", "blue", "red"], values([0, 2, 1]))).contains("in the net's order"));
        assert!(error(net(&["bg", "blue", "red"], Coding::Index)).contains("the net's are bg, red, blue"));
        assert!(error(net(&["a", "b", "c"], values([0, 2, 1]))).contains("in the net's order"));
        assert!(error(Classes::numbered(2, None)).contains("it names 2 classes, and the net has 3"));
        // Renamed, but stored alike; named alike, but stored otherwise.
        let renamed = red_blue.stored_like(net(&["a", "b", "c"], Coding::Index)).unwrap();
        assert_eq!(renamed, red_blue);
        let stored = red_blue.stored_like(net(&["bg", "red", "blue"], values([0, 128, 255]))).unwrap();
        assert_eq!(labels(&stored, grey(&[255, 0, 128])), [2, 0, 1]);

        // A label of its own that counts for nothing.
        let more = red_blue.with_ignored(Some(11)).unwrap();
        assert_eq!(labels(&more, grey(&[2, 11, 0])), [2, 255, 0]);
        assert!(red_blue.with_ignored(Some(2)).unwrap_err().contains("the net's class `blue`"));
        assert_eq!(red_blue.with_ignored(None).unwrap(), red_blue);
    }

    #[test]
    fn a_class_lacks_nothing() {
        assert!(Classes::numbered(255, None).is_consistent());
        assert!(!Classes::numbered(0, None).is_consistent() && !Classes::numbered(256, None).is_consistent());
        let coding = Coding::Values { values: vec![0], ignored: vec![] };
        assert!(!Classes { coding, ..Classes::numbered(2, None) }.is_consistent());
        assert!(!Classes { colours: vec![], ..Classes::numbered(2, None) }.is_consistent());
    }
}
