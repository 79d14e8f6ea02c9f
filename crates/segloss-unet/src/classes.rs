//! What the labels mean: names, colours, and the one that is ignored.
//!
//! **Labels keep their numbers.** The net has one output per label from 0 to the largest label that is not
//! ignored. So when label 11 is "void" over classes 0..=10, the net has 11 outputs. When the ignored label
//! lies *within* the range, say 0 of 0..=5, the net has 6 outputs: output 0 is never a target, it is never
//! predicted either, and tables leave it out.

use serde::{Deserialize, Serialize};

use crate::error::{ConfigProblem, DataProblem, Error, Result};
use crate::folder::Description;
use crate::sample::Sample;

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
}

impl Classes {
    /// Puts together what the configuration, `dataset.toml` and the training masks say. A configured
    /// ignored label goes before that of `dataset.toml`; classes that are not named there are counted from
    /// the largest label of the training masks.
    ///
    /// # Errors
    /// [`DataProblem::NothingLabelled`] if nothing but the ignored label occurs; [`ConfigProblem`] if
    /// there are more than 255 classes.
    pub fn resolve(description: &Description, configured: Option<u8>, train: &[Sample]) -> Result<Self> {
        let ignore_index = configured.or(description.ignore_index);
        let kept = |label: &u8| Some(*label) != ignore_index;
        let largest = if description.class.is_empty() {
            let mut occurs = [false; 256];
            for &label in train.iter().flat_map(|sample| &sample.labels) {
                occurs[usize::from(label)] = true;
            }
            (0..=255).rev().find(|label| occurs[usize::from(*label)] && kept(label))
        } else {
            // The last class, or the one before it where the last is the ignored one.
            let last = u8::try_from(description.class.len() - 1).map_err(|_| too_many())?;
            (0..=last).rev().find(kept)
        };
        let Some(largest) = largest else {
            let path = train.first().map_or_else(Default::default, |sample| sample.origin.clone());
            let problem = DataProblem::NothingLabelled { ignored: ignore_index.unwrap_or_default() };
            return Err(Error::data(path, problem));
        };
        if largest == 255 {
            return Err(too_many());
        }
        let described = |label: u8| description.class.get(usize::from(label));
        Ok(Self {
            names: (0..=largest)
                .map(|c| described(c).map_or_else(|| format!("class {c}"), |class| class.name.clone()))
                .collect(),
            colours: (0..=largest)
                .map(|c| described(c).and_then(|class| class.colour).unwrap_or_else(|| colour(c)))
                .collect(),
            ignore_index,
        })
    }

    /// The number of outputs of the net.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Whether the output can be predicted and is scored: all but an ignored label within the range.
    pub fn is_scored(&self, class: usize) -> bool {
        self.ignore_index.map(usize::from) != Some(class)
    }

    /// The label given to pixels that are not part of an image: the ignored one, or 255 if there is none
    /// (there are at most 255 classes, so 255 is free).
    pub fn padding_label(&self) -> u8 {
        self.ignore_index.unwrap_or(u8::MAX)
    }

    /// Checks every label of a sample.
    ///
    /// # Errors
    /// [`DataProblem::LabelOutOfRange`] with the first pixel that is neither a class nor ignored.
    pub fn check(&self, sample: &Sample) -> Result<()> {
        let allowed = |label: u8| usize::from(label) < self.count() || Some(label) == self.ignore_index;
        let Some(index) = sample.labels.iter().position(|&label| !allowed(label)) else { return Ok(()) };
        let last = self.count() - 1;
        let allowed = match self.ignore_index {
            Some(ignored) => format!("labels are 0 to {last}, and {ignored} is ignored"),
            None => format!("labels are 0 to {last}; to ignore one, set data.ignore_index"),
        };
        let (x, y) = (index % sample.width(), index / sample.width());
        Err(Error::data(
            &sample.origin,
            DataProblem::LabelOutOfRange { label: sample.labels[index], x, y, allowed },
        ))
    }
}

fn too_many() -> Error {
    ConfigProblem::Contradiction("a mask can hold at most 255 classes".to_owned()).into()
}

/// Twelve colours that are told apart easily, then hues a golden angle apart.
fn colour(class: u8) -> [u8; 3] {
    const FIRST: [[u8; 3]; 12] = [
        [66, 133, 191],
        [170, 68, 68],
        [230, 200, 80],
        [110, 90, 140],
        [235, 150, 190],
        [85, 150, 85],
        [240, 130, 40],
        [140, 100, 60],
        [80, 70, 200],
        [220, 40, 90],
        [60, 200, 190],
        [150, 150, 150],
    ];
    if let Some(&colour) = FIRST.get(usize::from(class)) {
        return colour;
    }
    let hue = f64::from(class) * 0.381_966 % 1.0;
    [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|shift| {
        let wave = 0.5 + 0.5 * (std::f64::consts::TAU * (hue - shift)).cos();
        (60.0 + 180.0 * wave) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::ClassDescription;
    use crate::sample::Pixels;

    fn sample(labels: &[u8]) -> Sample {
        let image = Pixels { height: 1, width: labels.len(), channels: 1, data: vec![0; labels.len()] };
        Sample { name: "a".into(), image, labels: labels.to_vec(), origin: "train/masks/a.png".into() }
    }

    fn named(names: &[&str], ignore_index: Option<u8>) -> Description {
        let class = names.iter().map(|&name| ClassDescription { name: name.into(), colour: None }).collect();
        Description { ignore_index, class }
    }

    #[test]
    fn the_ignored_label_above_the_range_adds_no_output() {
        let classes = Classes::resolve(&Description::default(), Some(11), &[sample(&[0, 10, 11])]).unwrap();
        assert_eq!(classes.count(), 11);
        assert!((0..11).all(|c| classes.is_scored(c)));
    }

    #[test]
    fn the_ignored_label_within_the_range_keeps_the_numbers() {
        let classes = Classes::resolve(&Description::default(), Some(0), &[sample(&[0, 5, 1])]).unwrap();
        assert_eq!(classes.count(), 6);
        assert!(!classes.is_scored(0) && (1..6).all(|c| classes.is_scored(c)));
    }

    #[test]
    fn a_named_last_class_that_is_ignored_has_no_output() {
        let classes = Classes::resolve(&named(&["a", "b", "void"], Some(2)), None, &[]).unwrap();
        assert_eq!(classes.names, ["a", "b"]);
        assert_eq!(classes.padding_label(), 2);
        assert_eq!(Classes::resolve(&named(&["a", "b"], None), None, &[]).unwrap().padding_label(), 255);
    }

    #[test]
    fn the_configuration_goes_before_the_file() {
        let classes = Classes::resolve(&named(&["a", "b", "c"], Some(2)), Some(0), &[]).unwrap();
        assert_eq!((classes.count(), classes.ignore_index), (3, Some(0)));
    }

    #[test]
    fn a_stray_label_is_named_with_its_pixel() {
        let classes = Classes::resolve(&named(&["a", "b"], None), Some(9), &[]).unwrap();
        assert!(classes.check(&sample(&[0, 1, 9])).is_ok());
        assert_eq!(
            classes.check(&sample(&[0, 9, 2])).unwrap_err().to_string(),
            "train/masks/a.png: label 2 at x=2, y=0; labels are 0 to 1, and 9 is ignored"
        );
    }

    #[test]
    fn nothing_labelled_and_too_many_classes_are_errors() {
        let nothing = Classes::resolve(&Description::default(), Some(4), &[sample(&[4, 4])]).unwrap_err();
        assert!(nothing.to_string().contains("every pixel"), "{nothing}");
        assert!(Classes::resolve(&Description::default(), None, &[sample(&[255])]).is_err());
        assert!(Classes::resolve(&Description::default(), Some(255), &[sample(&[254])]).is_ok());
    }

    #[test]
    fn colours_differ() {
        let colours: std::collections::BTreeSet<_> = (0..40).map(colour).collect();
        assert_eq!(colours.len(), 40);
    }
}
