//! What the masks of a data set hold: values, colours and palettes, counted.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::colour::is_grey;
use crate::decode::{Stored, StoredMask};

pub use crate::colour::PaletteConflict;

/// How many different colours are counted. A set that has more is no set of masks.
pub const MAX_COLOURS: usize = 1024;

/// The counts of any number of masks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// Pixels of each grey value or palette index.
    pub values: BTreeMap<u16, u64>,
    /// Pixels of each colour, of RGB and palette masks alike; at most [`MAX_COLOURS`] + 1 of them.
    pub colours: BTreeMap<[u8; 3], u64>,
    /// The colour of each palette index in use, and the first file that says so.
    pub palette: BTreeMap<u8, ([u8; 3], PathBuf)>,
    /// Two files whose palettes disagree.
    pub conflict: Option<PaletteConflict>,
    /// Masks of each form, with the first file.
    pub grey: Option<(usize, PathBuf)>,
    /// See `grey`.
    pub indexed: Option<(usize, PathBuf)>,
    /// RGB masks with nothing but shades of grey.
    pub rgb_grey: Option<(usize, PathBuf)>,
    /// RGB masks with colours.
    pub rgb: Option<(usize, PathBuf)>,
}

impl Survey {
    /// Counts one mask.
    pub fn of(mask: &StoredMask, path: &Path) -> Self {
        let mut survey = Self::default();
        let one = Some((1, path.to_path_buf()));
        match &mask.values {
            Stored::Grey(values) => {
                survey.grey = one;
                let mut counts = vec![0_u64; 1 << 16];
                values.iter().for_each(|&value| counts[usize::from(value)] += 1);
                survey.values = (0..=u16::MAX).zip(counts).filter(|(_, count)| *count > 0).collect();
            }
            Stored::Palette(indices, palette) => {
                survey.indexed = one;
                let mut counts = [0_u64; 256];
                indices.iter().for_each(|&index| counts[usize::from(index)] += 1);
                for (index, count) in (0..=u8::MAX).zip(counts).filter(|(_, count)| *count > 0) {
                    // An index beyond the palette has no colour; decoders show black.
                    let colour = palette.get(usize::from(index)).copied().unwrap_or_default();
                    survey.values.insert(index.into(), count);
                    *survey.colours.entry(colour).or_default() += count;
                    survey.palette.insert(index, (colour, path.to_path_buf()));
                }
            }
            Stored::Rgb(colours) => {
                let mut counts: HashMap<[u8; 3], u64> = HashMap::new();
                for run in colours.chunk_by(|a, b| a == b) {
                    *counts.entry(run[0]).or_default() += run.len() as u64;
                    if counts.len() > MAX_COLOURS {
                        break;
                    }
                }
                if counts.keys().all(|&colour| is_grey(colour)) {
                    survey.rgb_grey = one;
                    survey.values = counts.iter().map(|(colour, &count)| (colour[0].into(), count)).collect();
                } else {
                    survey.rgb = one;
                }
                survey.colours = counts.into_iter().collect();
            }
        }
        survey
    }

    /// Adds the counts of masks that come later.
    pub fn add(&mut self, other: &Self) {
        for (&value, count) in &other.values {
            *self.values.entry(value).or_default() += count;
        }
        for (&colour, count) in &other.colours {
            if self.colours.len() <= MAX_COLOURS || self.colours.contains_key(&colour) {
                *self.colours.entry(colour).or_default() += count;
            }
        }
        for (&index, second) in &other.palette {
            let first = self.palette.entry(index).or_insert_with(|| second.clone());
            if first.0 != second.0 && self.conflict.is_none() {
                self.conflict = Some(PaletteConflict { index, first: first.clone(), second: second.clone() });
            }
        }
        if self.conflict.is_none() {
            self.conflict.clone_from(&other.conflict);
        }
        for (mine, theirs) in [
            (&mut self.grey, &other.grey),
            (&mut self.indexed, &other.indexed),
            (&mut self.rgb_grey, &other.rgb_grey),
            (&mut self.rgb, &other.rgb),
        ] {
            match (&mut *mine, theirs) {
                (Some((count, _)), Some((more, _))) => *count += more,
                (None, Some(_)) => mine.clone_from(theirs),
                (_, None) => {}
            }
        }
    }

    /// Whether the masks tell their classes by colour: RGB masks with colours, or palettes that disagree.
    pub fn is_coloured(&self) -> bool {
        self.rgb.is_some() || self.conflict.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(values: Stored) -> StoredMask {
        StoredMask { height: 1, width: 4, values }
    }

    const RED: [u8; 3] = [255, 0, 0];
    const BLUE: [u8; 3] = [0, 0, 255];

    #[test]
    fn values_and_colours_add_up() {
        let mut survey = Survey::of(&mask(Stored::Grey(vec![0, 7, 7, 300])), Path::new("a"));
        survey.add(&Survey::of(&mask(Stored::Rgb(vec![[7; 3], [7; 3], [9; 3], [9; 3]])), Path::new("b")));
        survey.add(&Survey::of(&mask(Stored::Rgb(vec![RED, RED, BLUE, [7; 3]])), Path::new("c")));
        assert_eq!(survey.values, BTreeMap::from([(0, 1), (7, 4), (9, 2), (300, 1)]));
        assert_eq!(survey.colours, BTreeMap::from([(BLUE, 1), ([7; 3], 3), ([9; 3], 2), (RED, 2)]));
        assert_eq!(
            (survey.grey, survey.rgb_grey, survey.rgb),
            (Some((1, "a".into())), Some((1, "b".into())), Some((1, "c".into())))
        );
    }

    #[test]
    fn palettes_are_compared_where_they_are_used() {
        let palette = |colours: Vec<[u8; 3]>| mask(Stored::Palette(vec![0, 1, 1, 0], colours));
        let mut survey = Survey::of(&palette(vec![[0; 3], RED, BLUE]), Path::new("a"));
        // Entry 2 differs, but no pixel has it.
        survey.add(&Survey::of(&palette(vec![[0; 3], RED, RED]), Path::new("b")));
        assert_eq!(survey.conflict, None);
        survey.add(&Survey::of(&palette(vec![[0; 3], BLUE]), Path::new("c")));
        let conflict = survey.conflict.clone().unwrap();
        assert_eq!(
            (conflict.index, conflict.first, conflict.second),
            (1, (RED, "a".into()), (BLUE, "c".into()))
        );
        assert!(survey.is_coloured());
    }

    #[test]
    fn a_photograph_is_given_up_on() {
        let noise: Vec<[u8; 3]> = (0..5000_u32).map(|i| [i as u8, (i >> 8) as u8, 1]).collect();
        let survey = Survey::of(&mask(Stored::Rgb(noise)), Path::new("a"));
        assert_eq!(survey.colours.len(), MAX_COLOURS + 1);
    }
}
