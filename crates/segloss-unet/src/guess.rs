//! What the masks of a set without named classes seem to mean: said in words, or refused.
//!
//! | the masks hold | taken as |
//! |---|---|
//! | 0 and 255 | background and foreground |
//! | 0 … n and 255 | labels 0 … n, and 255 is ignored, as in Pascal VOC |
//! | 0 … n | labels |
//! | colours | a class for each, in the order of red, green, blue |
//! | a few values far apart, as 0, 45, 171 | nothing: somebody must say what they are |

use crate::classes::{Classes, Coding};
use crate::colour::{hex, is_grey};
use crate::error::DataProblem;
use crate::survey::{MAX_COLOURS, Survey};

/// Pascal VOC's label of pixels that are not annotated, and the usual one since.
const VOID: u16 = 255;
/// So many times all labels but 0, 255 looks like the foreground of masks with a few stray values.
const DOUBTFUL: u64 = 10;
/// More colours than this are no classes but blurred edges.
const MOST_COLOURS: usize = 64;

/// Finds the classes of masks, with `configured` the ignored label that somebody asked for. Each guess is a
/// sentence.
///
/// # Errors
/// Why there is no safe guess, and the way out.
pub fn guess(survey: &Survey, configured: Option<u8>) -> Result<(Classes, Vec<String>), DataProblem> {
    if survey.is_coloured() { by_colour(survey, configured) } else { by_value(survey, configured) }
}

fn by_colour(survey: &Survey, configured: Option<u8>) -> Result<(Classes, Vec<String>), DataProblem> {
    if let Some(label) = configured {
        return Err(DataProblem::IgnoredColour { label });
    }
    if let (Some((_, coloured)), Some((_, other))) =
        (&survey.rgb, survey.grey.as_ref().or(survey.indexed.as_ref()))
    {
        return Err(DataProblem::MixedMasks { coloured: coloured.clone(), other: other.clone() });
    }
    if survey.colours.len() > MOST_COLOURS {
        let many = survey.colours.len() > MAX_COLOURS;
        let found = if many { format!("more than {MAX_COLOURS}") } else { survey.colours.len().to_string() };
        return Err(DataProblem::TooManyColours { found });
    }
    let colours: Vec<[u8; 3]> = survey.colours.keys().copied().collect();
    if colours.len() < 2 {
        return Err(DataProblem::OneClass {
            found: format!("the colour {}", hex(colours[0])),
            ignored: configured,
        });
    }
    let mut notes = Vec::new();
    if let Some(conflict) = &survey.conflict {
        notes.push(format!(
            "the masks' palettes differ (index {} is {} in {} and {} in {}), so classes are told by colour",
            conflict.index,
            hex(conflict.first.0),
            conflict.first.1.display(),
            hex(conflict.second.0),
            conflict.second.1.display(),
        ));
    }
    let list: Vec<String> =
        colours.iter().enumerate().map(|(c, &rgb)| format!("{c} = {}", hex(rgb))).collect();
    notes.push(format!(
        "the masks hold {} colours, each taken as a class: {}",
        colours.len(),
        list.join(", ")
    ));
    let names = colours.iter().map(|&rgb| hex(rgb)).collect();
    let coding = Coding::Colours { ignored: Vec::new() };
    Ok((Classes { names, colours, ignore_index: configured, coding }, notes))
}

fn by_value(survey: &Survey, configured: Option<u8>) -> Result<(Classes, Vec<String>), DataProblem> {
    let mut notes = Vec::new();
    if survey.rgb_grey.is_some() {
        notes.push("the masks are RGB with three equal channels, taken as one grey value".to_owned());
    }
    let mut values: Vec<u16> = survey.values.keys().copied().collect();
    let mut ignore_index = configured;
    values.retain(|&value| Some(value) != configured.map(u16::from));
    if values == [0, VOID] {
        notes.push(
            "the masks hold 0 and 255, taken as background and foreground; if 255 marks pixels that are not \
             annotated, set data.ignore_index=255"
                .to_owned(),
        );
        let names = vec!["background".to_owned(), "foreground".to_owned()];
        let colours = vec![[38, 38, 46], [246, 173, 85]];
        let coding = Coding::Values { values, ignored: Vec::new() };
        return Ok((Classes { names, colours, ignore_index, coding }, notes));
    }
    // Of many classes, no two are nearly everything; of two classes with blurred edges, they are.
    if values.len() > MOST_COLOURS {
        let mut pixels: Vec<u64> = values.iter().map(|value| survey.values[value]).collect();
        pixels.sort_unstable();
        let (all, two) = (pixels.iter().sum::<u64>(), pixels.iter().rev().take(2).sum::<u64>());
        if 4 * two > 3 * all {
            return Err(DataProblem::BlurredValues { found: values.len(), percent: 100 * two / all });
        }
    }
    if configured.is_none() && values.len() > 2 && values.last() == Some(&VOID) {
        let pixels = |value: u16| survey.values.get(&value).copied().unwrap_or(0);
        let labelled: u64 =
            values[..values.len() - 1].iter().filter(|&&value| value > 0).map(|&v| pixels(v)).sum();
        if pixels(VOID) > DOUBTFUL * labelled {
            return Err(DataProblem::DoubtfulVoid { void: pixels(VOID), labelled, split: None });
        }
        values.pop();
        ignore_index = Some(VOID as u8);
        notes.push(
            "label 255 is taken as pixels that are not annotated and ignored, as in Pascal VOC; dataset.toml or \
             data.ignore_index can say otherwise"
                .to_owned(),
        );
    }
    let (Some(&largest), count) = (values.last(), values.len()) else {
        // Every mask has a pixel, so it is the ignored one.
        return Err(DataProblem::NothingLabelled { ignored: configured.unwrap_or_default() });
    };
    if count < 2 {
        return Err(DataProblem::OneClass { found: format!("the value {largest}"), ignored: configured });
    }
    let outputs = usize::from(largest) + 1;
    // The ignored label may lie among the others.
    let within = configured.filter(|&label| u16::from(label) < largest);
    let never = outputs - count - usize::from(within.is_some());
    if outputs > 255 || never > count {
        let shown = 12.min(count);
        let mut list = values[..shown].iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        if count > shown {
            list += &format!(", … {largest} ({count} values)");
        }
        return Err(DataProblem::SparseValues { values: list, outputs });
    }
    if never > 0 {
        let missing: Vec<String> = (0..largest)
            .filter(|value| !values.contains(value) && Some(*value) != within.map(u16::from))
            .map(|value| value.to_string())
            .collect();
        notes.push(format!(
            "no mask holds label {}; the net has an output for it all the same",
            missing.join(", ")
        ));
    }
    let mut classes = Classes::numbered(outputs, ignore_index);
    // A palette's own colours are what the person knows their classes by.
    let palette: Vec<Option<[u8; 3]>> =
        (0..outputs).map(|c| survey.palette.get(&(c as u8)).map(|(colour, _)| *colour)).collect();
    if palette.iter().flatten().any(|&colour| !is_grey(colour)) {
        for (colour, own) in classes.colours.iter_mut().zip(palette) {
            *colour = own.unwrap_or(*colour);
        }
    }
    Ok((classes, notes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Stored, StoredMask};
    use std::path::Path;

    fn survey(values: Stored) -> Survey {
        let width = match &values {
            Stored::Grey(values) => values.len(),
            Stored::Palette(values, _) => values.len(),
            Stored::Rgb(values) => values.len(),
        };
        Survey::of(&StoredMask { height: 1, width, values }, Path::new("m.png"))
    }

    fn grey(values: &[u16], configured: Option<u8>) -> Result<(Classes, Vec<String>), String> {
        guess(&survey(Stored::Grey(values.to_vec())), configured).map_err(|problem| problem.to_string())
    }

    #[test]
    fn labels_are_labels() {
        let (classes, notes) = grey(&[0, 1, 2], None).unwrap();
        assert_eq!((classes, notes), (Classes::numbered(3, None), vec![]));
        let (classes, notes) = grey(&[0, 1, 10, 11, 2, 3, 5, 6, 4], Some(11)).unwrap();
        assert_eq!((classes.count(), classes.ignore_index), (11, Some(11)));
        assert!(notes[0].contains("no mask holds label 7, 8, 9"), "{notes:?}");
        // The ignored label within the range keeps the numbers.
        let (classes, _) = grey(&[0, 5, 1, 2, 3, 4], Some(0)).unwrap();
        assert_eq!((classes.count(), classes.is_scored(0), classes.is_scored(5)), (6, false, true));
        assert!(grey(&[5, 1, 2, 3, 4], Some(0)).unwrap().1.is_empty());
    }

    #[test]
    fn two_tones_are_background_and_foreground() {
        let (classes, notes) = grey(&[255, 0], None).unwrap();
        assert_eq!(classes.coding, Coding::Values { values: vec![0, 255], ignored: vec![] });
        assert_eq!((classes.count(), notes.len()), (2, 1));
        // Asked for, 255 is void, and nothing is left to tell apart.
        let text = grey(&[255, 0], Some(255)).unwrap_err();
        assert!(text.contains("the value 0") && text.contains("255 is ignored"), "{text}");
    }

    #[test]
    fn void_is_ignored_unless_somebody_says_otherwise() {
        let (classes, notes) = grey(&[0, 1, 255], None).unwrap();
        assert_eq!((classes.count(), classes.ignore_index), (2, Some(255)));
        let stray: Vec<u16> = [0, 1].into_iter().chain([255; 11]).collect();
        let text = grey(&stray, None).unwrap_err();
        assert!(text.contains("255 for 11 pixels") && text.contains("data.ignore_index=255"), "{text}");
        assert!(grey(&stray, Some(255)).is_ok() && grey(&stray[..12], None).is_ok());
        assert!(notes[0].contains("Pascal VOC"), "{notes:?}");
        assert!(grey(&[0, 1, 255], Some(7)).unwrap_err().contains("0, 1, 255"));
    }

    #[test]
    fn values_far_apart_are_refused_with_the_way_out() {
        for values in [&[0, 45, 171][..], &[0, 5], &[0, 1, 2, 3, 300], &[1, 500]] {
            let text = grey(values, None).unwrap_err();
            assert!(text.contains("segloss inspect --data DIR --write"), "{text}");
        }
        assert!(grey(&[0, 2], None).is_ok());
    }

    #[test]
    fn blurred_edges_are_no_classes() {
        let blurred: Vec<u16> = (0..1000).map(|i| if i < 100 { i + 20 } else { 255 * (i % 2) }).collect();
        let text = grey(&blurred, None).unwrap_err();
        assert!(text.contains("102 values, and two of them make up 90 %"), "{text}");
        // A hundred classes of which none is nearly everything are a hundred classes.
        let many: Vec<u16> = (0..1000).map(|i| i % 100).collect();
        assert_eq!(grey(&many, None).unwrap().0.count(), 100);
    }

    #[test]
    fn one_class_is_none() {
        assert!(grey(&[0, 0], None).unwrap_err().contains("nothing to tell apart"));
        assert!(grey(&[4, 4], Some(4)).unwrap_err().contains("every pixel"));
    }

    #[test]
    fn colours_are_numbered_and_photographs_refused() {
        let (classes, notes) = guess(&survey(Stored::Rgb(vec![[255, 0, 0], [0; 3]])), None).unwrap();
        assert_eq!(classes.names, ["#000000", "#ff0000"]);
        assert!(notes[0].contains("1 = #ff0000"), "{notes:?}");
        let ignored =
            guess(&survey(Stored::Rgb(vec![[255, 0, 0], [0; 3]])), Some(0)).unwrap_err().to_string();
        assert!(ignored.contains("`ignore = true`"), "{ignored}");
        let blurred = (0..200).map(|i| [i, 255 - i, 0]).collect();
        let text = guess(&survey(Stored::Rgb(blurred)), None).unwrap_err().to_string();
        assert!(text.contains("200 colours") && text.contains("edges"), "{text}");
    }

    #[test]
    fn a_palette_lends_its_colours() {
        let palette = vec![[0; 3], [128, 0, 0]];
        let (classes, _) = guess(&survey(Stored::Palette(vec![0, 1], palette.clone())), None).unwrap();
        assert_eq!((classes.coding, classes.colours), (Coding::Index, palette));
    }

    #[test]
    fn coloured_and_grey_masks_do_not_mix() {
        let mut both = survey(Stored::Rgb(vec![[255, 0, 0], [0; 3]]));
        both.add(&survey(Stored::Grey(vec![0, 1])));
        assert!(guess(&both, None).unwrap_err().to_string().contains("m.png"));
    }
}
