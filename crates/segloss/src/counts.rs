//! How often each class occurs in a scope: what weights and priors are made of.

use crate::error::{Error, Problem};

/// The pixels of each class in an image, a batch or a data set.
///
/// In a specification it is the table `[dataset]`; `segloss weights --toml` prints it for a folder of masks,
/// and a trainer fills it in by itself.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct ClassCounts {
    /// Valid pixels.
    pub valid: f64,
    /// Those of each class: n_c.
    pub pixels: Vec<f64>,
    /// The valid pixels of the images that contain the class; for `median_frequency`.
    pub present_in: Vec<f64>,
    /// The valid pixels of the images that contain a pixel of another class; for `median_frequency` of the
    /// negatives of sigmoid channels.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub others_in: Vec<f64>,
}

impl ClassCounts {
    /// Of no image yet.
    pub fn new(classes: usize) -> Self {
        let zeros = || vec![0.0; classes];
        Self { valid: 0.0, pixels: zeros(), present_in: zeros(), others_in: zeros() }
    }

    /// Adds an image with this many pixels of each class, Σ y_c, among its valid ones.
    ///
    /// ```
    /// let mut counts = segloss::ClassCounts::new(2);
    /// counts.add_image(4.0, &[4.0, 0.0])?;
    /// counts.add_image(4.0, &[3.0, 1.0])?;
    /// assert_eq!((counts.pixels, counts.present_in), (vec![7.0, 1.0], vec![8.0, 4.0]));
    /// # Ok::<(), segloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Problem::Mismatch`] for an image of another number of classes; the counts are left as they were.
    pub fn add_image(&mut self, valid: f64, pixels: &[f64]) -> Result<(), Error> {
        Self::demand("the image", self.classes(), pixels.len())?;
        self.add(valid, pixels);
        Ok(())
    }

    /// The same of an image that has the same classes.
    fn add(&mut self, valid: f64, pixels: &[f64]) {
        self.valid += valid;
        for (class, &here) in pixels.iter().enumerate() {
            self.pixels[class] += here;
            self.present_in[class] += if here > 0.0 { valid } else { 0.0 };
            // Counts may come without.
            if let Some(others_in) = self.others_in.get_mut(class) {
                *others_in += if valid - here > 0.0 { valid } else { 0.0 };
            }
        }
    }

    pub(crate) fn of(images: &[ImageCounts], classes: usize) -> Self {
        let mut counts = Self::new(classes);
        images.iter().for_each(|image| counts.add(image.valid as f64, &image.mass));
        counts
    }

    /// How many classes are counted.
    pub fn classes(&self) -> usize {
        self.pixels.len()
    }

    /// f_c = n_c/n, 0 where there is no pixel at all.
    pub fn frequencies(&self) -> Vec<f64> {
        self.pixels.iter().map(|&pixels| share(pixels, self.valid)).collect()
    }

    /// π_c = max(n_c, 1)/n: a class that was not seen counts as one pixel.
    pub fn prior(&self) -> Vec<f64> {
        let valid = self.valid.max(1.0);
        self.pixels.iter().map(|&pixels| pixels.max(1.0) / valid).collect()
    }

    /// The same for channels that are problems of their own: their negatives count as one pixel at least,
    /// so that π stays below 1.
    pub(crate) fn prior_of_channels(&self) -> Vec<f64> {
        let valid = self.valid.max(2.0);
        self.pixels.iter().map(|&pixels| pixels.clamp(1.0, valid - 1.0) / valid).collect()
    }

    /// decay·self + (1 − decay)·batch, the running average of the counts of batches.
    ///
    /// # Errors
    /// [`Problem::Mismatch`] if the two count other classes.
    pub fn decayed(&self, decay: f64, batch: &Self) -> Result<Self, Error> {
        Self::demand("the batch", self.classes(), batch.classes())?;
        let mix = |old: f64, new: f64| decay * old + (1.0 - decay) * new;
        let all = |old: &[f64], new: &[f64]| old.iter().zip(new).map(|(&old, &new)| mix(old, new)).collect();
        Ok(Self {
            valid: mix(self.valid, batch.valid),
            pixels: all(&self.pixels, &batch.pixels),
            present_in: all(&self.present_in, &batch.present_in),
            others_in: all(&self.others_in, &batch.others_in),
        })
    }

    fn demand(operand: &'static str, expected: usize, found: usize) -> Result<(), Error> {
        let error = |problem| Error { operation: "class counts", problem };
        Problem::unless_equal(operand, "classes", expected, found).map_err(error)
    }

    /// (what is expected, what came) of counts that cannot be.
    pub(crate) fn validate(&self) -> Result<(), (&'static str, String)> {
        let lists = [&self.pixels, &self.present_in, &self.others_in];
        let number = |x: &f64| x.is_finite() && *x >= 0.0;
        if !(number(&self.valid) && lists.iter().all(|list| list.iter().all(number))) {
            return Err(("counts that are finite and not negative", format!("{self:?}")));
        }
        let classes = self.classes();
        if classes == 0 || self.present_in.len() != classes || ![0, classes].contains(&self.others_in.len()) {
            let lengths = lists.map(Vec::len);
            return Err((
                "`pixels`, `present_in` and `others_in` with a number per class",
                format!("{lengths:?} numbers"),
            ));
        }
        // Sums in another order, or running averages, may differ by their rounding.
        let slack = self.valid * 1e-9;
        for class in 0..classes {
            let (pixels, present_in) = (self.pixels[class], self.present_in[class]);
            if !(pixels <= present_in + slack && present_in <= self.valid + slack) {
                let found = format!("{pixels} of {present_in} of {} for class {class}", self.valid);
                return Err(("pixels ≤ present_in ≤ valid", found));
            }
        }
        Ok(())
    }
}

/// The counts of one image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ImageCounts {
    /// Σ y_c over the valid pixels, per class.
    pub mass: Vec<f64>,
    /// Pixels that are not ignored.
    pub valid: u64,
    /// All pixels.
    pub pixels: u64,
    /// Σ m·y_c and Σ m, with the weight m of each pixel: the same as above where no map is given.
    pub mapped_mass: Vec<f64>,
    pub mapped_valid: f64,
}

impl ImageCounts {
    /// Of no pixel yet.
    pub fn empty(classes: usize) -> Self {
        let zeros = vec![0.0; classes];
        Self { mass: zeros.clone(), valid: 0, pixels: 0, mapped_mass: zeros, mapped_valid: 0.0 }
    }

    /// Adds another tile of the same image.
    pub fn add(&mut self, other: &Self) {
        let add = |sums: &mut [f64], terms: &[f64]| sums.iter_mut().zip(terms).for_each(|(sum, x)| *sum += x);
        add(&mut self.mass, &other.mass);
        add(&mut self.mapped_mass, &other.mapped_mass);
        self.valid += other.valid;
        self.pixels += other.pixels;
        self.mapped_valid += other.mapped_valid;
    }
}

/// part/whole; of nothing, nothing.
pub(crate) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(mass: [f64; 2]) -> ImageCounts {
        let valid = mass.iter().sum::<f64>();
        ImageCounts { mass: mass.to_vec(), valid: valid as u64, ..ImageCounts::empty(2) }
    }

    #[test]
    fn a_class_is_counted_where_it_occurs() {
        let counts = ClassCounts::of(&[image([4.0, 0.0]), image([1.0, 1.0])], 2);
        assert_eq!((counts.valid, counts.pixels.as_slice()), (6.0, [5.0, 1.0].as_slice()));
        assert_eq!((counts.present_in, counts.others_in), (vec![6.0, 2.0], vec![2.0, 6.0]));
    }

    #[test]
    fn an_unseen_class_counts_as_one_pixel() {
        let counts = ClassCounts::of(&[image([4.0, 0.0])], 2);
        assert_eq!(counts.prior(), [1.0, 0.25]);
        assert_eq!(counts.frequencies(), [1.0, 0.0]);
    }

    #[test]
    fn the_running_average_forgets() {
        let (old, new) = (ClassCounts::of(&[image([4.0, 0.0])], 2), ClassCounts::of(&[image([0.0, 8.0])], 2));
        assert_eq!(old.decayed(0.75, &new).unwrap().pixels, [3.0, 2.0]);
        assert_eq!(old.decayed(0.0, &new), Ok(new));
    }

    #[test]
    fn impossible_counts_are_refused() {
        let good = ClassCounts::of(&[image([4.0, 1.0])], 2);
        assert!(good.validate().is_ok());
        assert!(ClassCounts { valid: f64::NAN, ..good.clone() }.validate().is_err());
        assert!(ClassCounts { pixels: vec![9.0, 1.0], ..good.clone() }.validate().is_err());
        assert!(ClassCounts { present_in: vec![5.0], ..good }.validate().is_err());
    }
}
