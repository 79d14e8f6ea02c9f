//! How often each class occurs in a data set, and what every scheme makes of it.

use std::fmt::Write;

use segloss::{ClassCounts, Scheme, WeightSpec};
use serde::Serialize;

use crate::classes::Classes;
use crate::error::Result;
use crate::table::{aligned, csv_text};

/// The classes of a data set, counted and weighed.
#[derive(Debug, Clone, Serialize)]
pub struct Balance {
    /// Names, in the order of the labels.
    pub names: Vec<String>,
    /// What was counted.
    pub counts: ClassCounts,
    /// Images that contain the class.
    pub images: Vec<usize>,
    /// All images.
    pub images_in_total: usize,
    /// What each scheme makes of the counts.
    pub schemes: Vec<Weights>,
}

/// One scheme's weights.
#[derive(Debug, Clone, Serialize)]
pub struct Weights {
    /// The scheme as a specification names it.
    pub scheme: String,
    /// A weight per class.
    pub weights: Vec<f64>,
}

impl Balance {
    /// Counts the masks of a data set and weighs its classes by each of `schemes`; absent classes and
    /// normalisation as in `spec`. With `void` the ignored label is a class of its own, the last.
    ///
    /// # Errors
    /// [`Error::Loss`](crate::Error::Loss) as [`ClassCounts::add_image`].
    pub fn new<'a>(
        masks: impl IntoIterator<Item = &'a [u8]>,
        classes: &Classes,
        void: bool,
        spec: &WeightSpec,
        schemes: &[Scheme],
    ) -> Result<Self> {
        let mut names = classes.names.clone();
        // The ignored label may lie above the classes or among them, where it has a name already.
        let ignored = classes.ignore_index.map(usize::from);
        let extra = void && ignored.is_some_and(|label| label >= names.len());
        if extra {
            names.push("void".to_owned());
        }
        let mut counts = ClassCounts::new(names.len());
        let (mut images, mut images_in_total) = (vec![0; names.len()], 0);
        for labels in masks {
            let mut pixels = vec![0.0; names.len()];
            for &label in labels {
                match usize::from(label) {
                    label if Some(label) == ignored && !void => {}
                    label if Some(label) == ignored && extra => pixels[names.len() - 1] += 1.0,
                    label => pixels[label] += 1.0,
                }
            }
            counts.add_image(pixels.iter().sum(), &pixels)?;
            images.iter_mut().zip(&pixels).for_each(|(images, &here)| *images += usize::from(here > 0.0));
            images_in_total += 1;
        }
        let weigh = |&scheme: &Scheme| Weights {
            scheme: name(scheme),
            weights: WeightSpec { scheme, ..spec.clone() }.of_counts(&counts),
        };
        let schemes = schemes.iter().map(weigh).collect();
        Ok(Self { names, counts, images, images_in_total, schemes })
    }

    /// The names of the classes that have a pixel.
    pub fn present(&self) -> Vec<&str> {
        let counted = self.names.iter().zip(&self.counts.pixels);
        counted.filter(|(_, pixels)| **pixels > 0.0).map(|(name, _)| name.as_str()).collect()
    }

    /// As Markdown that also reads well as plain text.
    pub fn markdown(&self) -> String {
        let mut title =
            vec!["label".to_owned(), "class".to_owned(), "pixels %".to_owned(), "images".to_owned()];
        title.extend(self.schemes.iter().map(|weights| weights.scheme.clone()));
        let mut rows = vec![title];
        for (class, f) in self.counts.frequencies().into_iter().enumerate() {
            let mut row = vec![
                class.to_string(),
                self.names[class].replace('|', "\\|"),
                format!("{:.3}", 100.0 * f),
                self.images[class].to_string(),
            ];
            row.extend(self.schemes.iter().map(|weights| short(weights.weights[class])));
            rows.push(row);
        }
        let mut text = aligned(&rows);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{} valid pixels in {} images; the rarest class has 1 pixel in {:.0}\n",
            self.counts.valid,
            self.images_in_total,
            self.counts.valid
                / self.counts.pixels.iter().copied().filter(|&n| n > 0.0).fold(f64::INFINITY, f64::min),
        );
        text
    }

    /// As CSV: a row per class in full precision.
    ///
    /// # Errors
    /// If the table cannot be encoded.
    pub fn csv(&self) -> Result<String> {
        csv_text("the table of weights", |writer| {
            let mut title = ["label", "class", "pixels", "share", "images"].map(str::to_owned).to_vec();
            title.extend(self.schemes.iter().map(|weights| weights.scheme.clone()));
            writer.write_record(&title)?;
            for (class, f) in self.counts.frequencies().into_iter().enumerate() {
                let mut row = vec![
                    class.to_string(),
                    self.names[class].clone(),
                    self.counts.pixels[class].to_string(),
                    f.to_string(),
                    self.images[class].to_string(),
                ];
                row.extend(self.schemes.iter().map(|weights| weights.weights[class].to_string()));
                writer.write_record(&row)?;
            }
            Ok(())
        })
    }
}

/// The scheme as a specification names it, with its number.
fn name(scheme: Scheme) -> String {
    match scheme {
        Scheme::InverseFrequency => "inverse_frequency".to_owned(),
        Scheme::Complement => "complement".to_owned(),
        Scheme::InverseSqrt => "inverse_sqrt".to_owned(),
        Scheme::Power(gamma) => format!("power {gamma}"),
        Scheme::MedianFrequency => "median_frequency".to_owned(),
        Scheme::Enet => "enet".to_owned(),
        Scheme::EffectiveNumber(beta) => format!("effective_number {beta}"),
        Scheme::DocumentScalar => "document_scalar".to_owned(),
    }
}

/// Four significant digits, without an exponent where that reads well.
pub(crate) fn short(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        size if (1e-4..1e6).contains(&size) => {
            let digits = 3 - size.log10().floor() as i32;
            let text = format!("{x:.*}", digits.clamp(0, 8) as usize);
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
        _ => format!("{x:.3e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(void: bool) -> Balance {
        let names = vec!["road".into(), "pole".into(), "never".into()];
        let classes = Classes { names, ..Classes::numbered(3, Some(11)) };
        let masks: [&[u8]; 2] = [&[0, 0, 0, 1, 11, 11], &[0, 0, 0, 0, 0, 11]];
        let schemes = [Scheme::InverseFrequency, Scheme::MedianFrequency, Scheme::Power(0.25)];
        Balance::new(masks, &classes, void, &WeightSpec::default(), &schemes).unwrap()
    }

    #[test]
    fn void_counts_only_when_asked() {
        let (without, with) = (balance(false), balance(true));
        assert_eq!((without.counts.valid, with.counts.valid), (9.0, 12.0));
        assert_eq!((without.names.len(), with.names.len()), (3, 4));
        assert_eq!((without.images, with.images), (vec![2, 1, 0], vec![2, 1, 0, 2]));
        // f = 8/9, 1/4: the median of two is their mean.
        assert!((without.schemes[1].weights[1] - (8.0 / 9.0 + 0.25) / 2.0 / 0.25).abs() < 1e-15);
    }

    #[test]
    fn the_table_is_aligned_and_the_plot_is_drawn() {
        let balance = balance(false);
        let text = balance.markdown();
        let widths: Vec<usize> = text.lines().take(5).map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|&width| width == widths[0]), "{text}");
        assert!(text.contains("power 0.25") && text.contains("1 pixel in 9"), "{text}");
        let svg = balance.draw().unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("pole") && !svg.contains("NaN"), "{svg}");
        assert!(balance.csv().unwrap().starts_with("label,class,pixels,share,images,inverse_frequency"));
    }

    #[test]
    fn numbers_are_short() {
        for (x, want) in
            [(0.0, "0"), (1.0, "1"), (0.256512, "0.2565"), (12345.6, "12346"), (1e-7, "1.000e-7")]
        {
            assert_eq!(short(x), want);
        }
    }
}
