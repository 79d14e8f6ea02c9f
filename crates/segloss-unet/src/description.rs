//! `dataset.toml`: what a person says about a data set.

use serde::{Deserialize, Serialize};

use segloss::spelling::explain;

/// What `dataset.toml` may say; every key may be left out. `segloss inspect --data DIR --write` writes one.
///
/// ```toml
/// ignore_index = 255         # this label counts for nothing
/// mask_suffix = "_mask"      # images/a.png belongs to masks/a_mask.png
///
/// [split]                    # for a folder that is not divided into train, val and test
/// val = 0.15                 # shares of the images
/// test = 0.15
/// seed = 0
/// group = "folder"           # images of one group stay together: "none", "folder",
///                            # { before_last = "_" } or { characters = 6 } of the name
///
/// [[class]]                  # the first class is label 0, the next label 1, …
/// name = "background"
/// value = 0                  # what masks store for it, where that is not the label itself
/// colour = [38, 38, 46]      # for pictures; in RGB masks, what they store for it
///
/// [[class]]
/// name = "nucleus"
/// value = 128
///
/// [[class]]
/// name = "not annotated"
/// value = 255
/// ignore = true              # no class of the net: its pixels count for nothing
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Description {
    /// The label that counts for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_index: Option<u8>,
    /// What stands between the name of an image and the extension of its mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_suffix: Option<String>,
    /// How a folder without splits is divided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitDescription>,
    /// The classes in the order of their labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub class: Vec<ClassDescription>,
}

/// One class in `dataset.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClassDescription {
    /// For tables and legends.
    pub name: String,
    /// What grey masks store for it; the label itself if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u16>,
    /// For pictures, and what RGB masks store for it; a built-in colour if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<[u8; 3]>,
    /// Its pixels count for nothing, and it has no label.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore: bool,
}

/// `[split]` in `dataset.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitDescription {
    /// The share of the images to choose the best epoch by.
    pub val: f64,
    /// The share of the images to report on.
    pub test: f64,
    /// Decides which.
    pub seed: u64,
    /// Which images stay together; found from the names if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
}

impl Default for SplitDescription {
    fn default() -> Self {
        Self { val: 0.15, test: 0.15, seed: 0, group: None }
    }
}

/// Which images of a data set stay together when it is divided: frames of one sequence, slices of one patient.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Each image is a group of its own.
    None,
    /// Those of the same folder below `images`.
    Folder,
    /// Those whose names are the same before the last of these separators: `patient12_003` with `_` is of
    /// `patient12`.
    BeforeLast(String),
    /// Those whose names begin with the same so many characters.
    Characters(usize),
}

impl Group {
    /// The group of an image called `name`, as in `folder/frame_001`.
    pub fn of(&self, name: &str) -> String {
        match self {
            Self::None => name.to_owned(),
            Self::Folder => name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned(),
            Self::BeforeLast(separator) => {
                name.rsplit_once(separator.as_str()).map_or(name, |(group, _)| group).to_owned()
            }
            Self::Characters(count) => {
                // The folder belongs to the name: the same stem may stand in several.
                let stem = name.rfind('/').map_or(0, |slash| slash + 1);
                let end = name[stem..].char_indices().nth(*count).map_or(name.len(), |(at, _)| stem + at);
                name[..end].to_owned()
            }
        }
    }

    /// In words, for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::None => "each image by itself".to_owned(),
            Self::Folder => "by folder".to_owned(),
            Self::BeforeLast(separator) => format!("by the name before the last `{separator}`"),
            Self::Characters(count) => format!("by the first {count} characters of the name"),
        }
    }
}

impl Description {
    /// Reads the text of a `dataset.toml` and checks what it says by itself.
    ///
    /// # Errors
    /// What is wrong, on one line.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let description: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!("line {line}: {}", explain(error.message()))
        })?;
        description.check()?;
        Ok(description)
    }

    fn check(&self) -> Result<(), String> {
        let kept = self.kept().count();
        let with_value = self.class.iter().filter(|class| class.value.is_some()).count();
        if with_value != 0 && with_value != self.class.len() {
            let without = self.class.iter().find(|class| class.value.is_none());
            let name = without.map_or("", |class| class.name.as_str());
            return Err(format!("class `{name}` has no `value` and others have one; give it to all or none"));
        }
        if let Some(class) = self.class.iter().find(|class| class.name.contains(char::is_control)) {
            return Err(format!(
                "class {:?} has a control character in its name, which breaks tables",
                class.name
            ));
        }
        for (i, class) in self.class.iter().enumerate() {
            let before = &self.class[..i];
            if let Some(other) =
                before.iter().find(|other| other.value.is_some() && other.value == class.value)
            {
                return Err(format!("classes `{}` and `{}` have the same `value`", other.name, class.name));
            }
            if class.ignore && class.value.is_none() && class.colour.is_none() {
                let name = &class.name;
                return Err(format!(
                    "class `{name}` is ignored but has neither `value` nor `colour`, by which masks tell it; \
                     `ignore_index` ignores a label"
                ));
            }
        }
        if with_value > 0
            && let Some(ignored) = self.ignore_index
        {
            return Err(format!(
                "`ignore_index` is {ignored}, a label, and classes have a `value` of their own: give the class that is \
                 not to count `ignore = true` instead"
            ));
        }
        if !self.class.is_empty() && !(1..=255).contains(&kept) {
            return Err(format!("{kept} classes that are not ignored; there may be 1 to 255"));
        }
        if let Some(split) = &self.split {
            let share = |x: f64| (0.0..1.0).contains(&x);
            if !(share(split.val) && share(split.test) && split.val > 0.0 && split.val + split.test < 1.0) {
                let SplitDescription { val, test, .. } = split;
                return Err(format!(
                    "`split.val` is {val} and `split.test` is {test}; expected shares of 1 that leave something \
                     to train on, and some for `val`"
                ));
            }
            match &split.group {
                Some(Group::BeforeLast(separator)) if separator.is_empty() => {
                    return Err(
                        "`split.group.before_last` is empty; expected a separator such as \"_\"".to_owned()
                    );
                }
                Some(Group::Characters(0)) => {
                    return Err("`split.group.characters` is 0; expected at least 1".to_owned());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The classes that have a label, in the order of their labels.
    pub fn kept(&self) -> impl Iterator<Item = &ClassDescription> + Clone {
        self.class.iter().filter(|class| !class.ignore)
    }

    /// The classes that count for nothing.
    pub fn ignored(&self) -> impl Iterator<Item = &ClassDescription> + Clone {
        self.class.iter().filter(|class| class.ignore)
    }

    /// As the text of a `dataset.toml`.
    pub fn to_toml(&self) -> String {
        // Plain data without maps, which cannot fail.
        toml::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Description::read(text).unwrap_err()
    }

    #[test]
    fn what_is_written_is_read() {
        let text = "\u{feff}mask_suffix = \"_mask\"\n[split]\ngroup = { before_last = \"_\" }\n\
                    [[class]]\nname = \"a\"\nvalue = 0\n[[class]]\nname = \"void\"\nvalue = 300\nignore = true\n";
        let description = Description::read(text).unwrap();
        assert_eq!(description.split.as_ref().unwrap().group, Some(Group::BeforeLast("_".into())));
        assert_eq!((description.kept().count(), description.ignored().count()), (1, 1));
        assert_eq!(Description::read(&description.to_toml()).unwrap(), description);
        assert_eq!(Description::read("").unwrap(), Description::default());
    }

    #[test]
    fn contradictions_are_named() {
        assert_eq!(
            problem("[[class]]\nname = \"a\"\nvalue = 1\n[[class]]\nname = \"b\""),
            "class `b` has no `value` and others have one; give it to all or none"
        );
        let same = "[[class]]\nname = \"a\"\nvalue = 1\n[[class]]\nname = \"b\"\nvalue = 1";
        assert_eq!(problem(same), "classes `a` and `b` have the same `value`");
        assert_eq!(
            problem("[[class]]\nname = \"a\\tb\""),
            "class \"a\\tb\" has a control character in its name, which breaks tables"
        );
        assert!(problem("[[class]]\nname = \"\\u001b[31m\"").contains("control character"));
        assert!(problem("[[class]]\nname = \"a\"\nignore = true").contains("neither `value` nor `colour`"));
        let all = "[[class]]\nname = \"a\"\nvalue = 1\nignore = true";
        assert_eq!(problem(all), "0 classes that are not ignored; there may be 1 to 255");
        for shares in ["val = 0.0", "val = 0.6\ntest = 0.4", "val = nan", "test = -0.1"] {
            assert!(problem(&format!("[split]\n{shares}")).starts_with("`split.val` is "), "{shares}");
        }
        assert!(problem("[split]\ngroup = { before_last = \"\" }").contains("separator"));
        assert!(
            problem("\n\nclasses = 3").starts_with("line 3: unknown key `classes`; did you mean `class`?")
        );
        assert!(
            problem("ignore_index = \"x\"").contains("expected a whole number ≥ 0, found the text \"x\"")
        );
        let both = "ignore_index = 255\n[[class]]\nname = \"a\"\nvalue = 1";
        assert!(problem(both).contains("give the class that is not to count `ignore = true` instead"));
    }

    #[test]
    fn names_fall_into_groups() {
        let name = "site/patient12_003";
        for (group, of) in [
            (Group::None, name),
            (Group::Folder, "site"),
            (Group::BeforeLast("_".into()), "site/patient12"),
            (Group::Characters(7), "site/patient"),
            (Group::Characters(99), name),
        ] {
            assert_eq!(group.of(name), of);
        }
        assert_eq!(Group::BeforeLast("-".into()).of("a_b"), "a_b");
        assert_eq!(Group::Folder.of("a"), "");
    }
}
