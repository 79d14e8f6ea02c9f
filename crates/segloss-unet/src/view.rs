//! What of a sample the net sees, and how: which part, how large, how turned, in which colours.
//!
//! A view maps the centre of the pixel (y, x) of its height × width pixels to a place in the sample,
//!
//! ```text
//! (v, u) = ±(y + ½ − height/2), ±(x + ½ − width/2)              − where it is flipped
//! place  = centre + (v·cos θ − u·sin θ, v·sin θ + u·cos θ) / s
//! ```
//!
//! with the magnification s and the rotation θ. For s = 1 and θ = 0 the place is the centre of a pixel, exactly.

use crate::config::{AugmentConfig, DataConfig, Flips};
use crate::error::{ConfigProblem, Result};
use crate::random::{Purpose, Stream};
use crate::sample::Sample;
use segloss::ClassCounts;

/// Which part of which sample, and how it is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Position among the samples.
    pub sample: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// The place in the sample, (row, column), that is seen in the middle; a pixel's centre lies at its number + ½.
    pub centre: (f64, f64),
    /// Left to right.
    pub mirrored: bool,
    /// Top to bottom.
    pub upside_down: bool,
    /// s: above 1, things look larger.
    pub scale: f64,
    /// θ, in radians.
    pub angle: f64,
    /// How the values are changed.
    pub colour: Colour,
}

/// Factors of a view's colours, 1 where nothing changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colour {
    /// Of every value.
    pub brightness: f64,
    /// Of every value's distance from the mean of its channel over the training images.
    pub contrast: f64,
    /// Of every channel's distance from the pixel's grey, 0.299·R + 0.587·G + 0.114·B.
    pub saturation: f64,
}

impl Colour {
    /// As it is stored.
    pub const PLAIN: Self = Self { brightness: 1.0, contrast: 1.0, saturation: 1.0 };
}

impl View {
    /// All of an image of this size, as it is.
    pub fn whole(sample: usize, (height, width): (usize, usize)) -> Self {
        let centre = (height as f64 / 2.0, width as f64 / 2.0);
        let (mirrored, upside_down) = (false, false);
        Self {
            sample,
            height,
            width,
            centre,
            mirrored,
            upside_down,
            scale: 1.0,
            angle: 0.0,
            colour: Colour::PLAIN,
        }
    }

    /// The place in the sample that is seen at (y, x), counted in pixels: a pixel's centre lies at its number.
    pub fn places(&self) -> impl Fn(usize, usize) -> (f64, f64) + use<> {
        let view = *self;
        let (sin, cos) = view.angle.sin_cos();
        move |y, x| {
            let v = y as f64 + 0.5 - view.height as f64 / 2.0;
            let u = x as f64 + 0.5 - view.width as f64 / 2.0;
            let v = if view.upside_down { -v } else { v };
            let u = if view.mirrored { -u } else { u };
            let (dy, dx) = ((v * cos - u * sin) / view.scale, (v * sin + u * cos) / view.scale);
            (view.centre.0 + dy - 0.5, view.centre.1 + dx - 0.5)
        }
    }
}

/// The views of one training epoch, in their random order, `batch_size` at a time. Depends on the seed, the epoch,
/// the sizes of the samples and, for crops on rare classes, on their labels; on nothing else.
pub fn training_views(
    samples: &[Sample],
    data: &DataConfig,
    augment: &AugmentConfig,
    counts: &ClassCounts,
    batch_size: usize,
    seed: u64,
    epoch: usize,
) -> Vec<Vec<View>> {
    let epoch = epoch as u32;
    let mut order: Vec<usize> = (0..samples.len()).collect();
    Stream::new(seed, Purpose::Order, epoch).shuffle(&mut order);
    let stream = |purpose| Stream::new(seed, purpose, epoch);
    let mut drawing = Drawing {
        data,
        augment,
        rare: rare(counts),
        moves: stream(Purpose::Augmentation),
        places: stream(Purpose::Sampling),
        variations: stream(Purpose::Variation),
    };
    let views: Vec<View> = order.into_iter().map(|sample| drawing.view(sample, &samples[sample])).collect();
    views.chunks(batch_size.max(1)).map(<[View]>::to_vec).collect()
}

/// Refuses variations that have nothing to act on.
///
/// # Errors
/// [`ConfigProblem::Contradiction`] for a saturation of grey images, and for crops on rare classes where none is rare.
pub fn check(augment: &AugmentConfig, counts: &ClassCounts, channels: usize) -> Result<()> {
    let AugmentConfig { saturation, rare_share, .. } = augment;
    let text = if *saturation > 0.0 && channels == 1 {
        format!("`augment.saturation` is {saturation}, but the net sees grey images; leave it out")
    } else if *rare_share > 0.0 && !rare(counts).contains(&true) {
        format!(
            "`augment.rare_share` is {rare_share}, but no class has fewer than its share of the pixels; leave it out"
        )
    } else {
        return Ok(());
    };
    Err(ConfigProblem::Contradiction(text).into())
}

/// Refuses crops of which none is smaller than its image.
///
/// # Errors
/// [`ConfigProblem::Contradiction`] for a crop, and for crops on rare classes, that leave every image whole.
pub fn check_crop(data: &DataConfig, augment: &AugmentConfig, train: &[Sample]) -> Result<()> {
    let [height, width] = data.crop[..] else { return Ok(()) };
    // What is magnified is seen in part, wherever that lies.
    let crops = |sample: &Sample| sample.height() > height || sample.width() > width;
    if augment.scale[1] > 1.0 || train.iter().any(crops) {
        return Ok(());
    }
    let besides = match augment.rare_share > 0.0 {
        true => " and `augment.rare_share`",
        false => "",
    };
    let text = format!(
        "`data.crop` is [{height}, {width}], and no training image is larger, so that each is taken whole; leave it{besides} \
         out, or choose a smaller one"
    );
    Err(ConfigProblem::Contradiction(text).into())
}

/// Whether each class is rare: there, and fewer than 1/C of the pixels are its.
fn rare(counts: &ClassCounts) -> Vec<bool> {
    let frequencies = counts.frequencies();
    let even = 1.0 / frequencies.len() as f64;
    frequencies.into_iter().map(|f| f > 0.0 && f < even).collect()
}

/// Draws the views of an epoch. Each kind of choice has a stream of its own, so that one that is switched on leaves the
/// others what they were.
struct Drawing<'a> {
    data: &'a DataConfig,
    augment: &'a AugmentConfig,
    rare: Vec<bool>,
    moves: Stream,
    places: Stream,
    variations: Stream,
}

impl Drawing<'_> {
    fn view(&mut self, number: usize, sample: &Sample) -> View {
        let full = (sample.height(), sample.width());
        let mut view = View::whole(number, full);
        (view.scale, view.angle) = self.variation();
        view.colour = self.colour();
        if let [height, width] = self.data.crop[..] {
            // An image smaller than the crop is taken whole; the batch pads it.
            (view.height, view.width) = (height.min(full.0), width.min(full.1));
            // How much of the image the crop sees of each side, unrotated.
            let seen = |side: usize| side as f64 / view.scale;
            let seen = (seen(view.height), seen(view.width));
            view.centre = (self.middle(seen.0, full.0), self.middle(seen.1, full.1));
            if let Some(pixel) = self.rare_pixel(sample) {
                view.centre = (inside(pixel.0, seen.0, full.0), inside(pixel.1, seen.1, full.1));
            }
        }
        view.mirrored = self.data.flips != Flips::None && self.moves.coin();
        view.upside_down = self.data.flips == Flips::Both && self.moves.coin();
        view
    }

    /// The middle of a window of length `seen` somewhere in 0..`full`, on the grid of the pixels.
    fn middle(&mut self, seen: f64, full: usize) -> f64 {
        let free = (full as f64 - seen).max(0.0);
        let start = self.moves.below(free.floor() as usize + 1) as f64;
        if free > 0.0 { start + seen / 2.0 } else { full as f64 / 2.0 }
    }

    /// A pixel of a rare class, in the stated share of the views whose image has one.
    fn rare_pixel(&mut self, sample: &Sample) -> Option<(f64, f64)> {
        let share = self.augment.rare_share;
        if share == 0.0 || self.places.unit() > share {
            return None;
        }
        let mut pixels = vec![0_usize; self.rare.len()];
        for &label in &sample.labels {
            if let Some(pixels) = pixels.get_mut(usize::from(label)) {
                *pixels += 1;
            }
        }
        let classes: Vec<usize> =
            (0..pixels.len()).filter(|&class| self.rare[class] && pixels[class] > 0).collect();
        let class = *classes.get(self.places.below(classes.len()))?;
        let chosen = self.places.below(pixels[class]);
        let at = |&(_, &label): &(usize, &u8)| usize::from(label) == class;
        let (at, _) = sample.labels.iter().enumerate().filter(at).nth(chosen)?;
        Some(((at / sample.width()) as f64 + 0.5, (at % sample.width()) as f64 + 0.5))
    }

    fn variation(&mut self) -> (f64, f64) {
        let [low, high] = self.augment.scale;
        let scale = if low < high { low * (high / low).powf(self.variations.unit()) } else { low };
        (scale, (self.spread(self.augment.rotation) - 1.0).to_radians())
    }

    fn colour(&mut self) -> Colour {
        let AugmentConfig { brightness, contrast, saturation, .. } = *self.augment;
        Colour {
            brightness: self.spread(brightness),
            contrast: self.spread(contrast),
            saturation: self.spread(saturation),
        }
    }

    /// Uniform from 1 − `half` to 1 + `half`; exactly 1, and nothing drawn, for 0.
    fn spread(&mut self, half: f64) -> f64 {
        if half == 0.0 { 1.0 } else { 1.0 + half * (2.0 * self.variations.unit() - 1.0) }
    }
}

/// The middle nearest to `wanted` whose window of length `seen` lies in 0..`full`, so that no more than need be is
/// outside.
fn inside(wanted: f64, seen: f64, full: usize) -> f64 {
    let full = full as f64;
    if seen >= full { full / 2.0 } else { wanted.clamp(seen / 2.0, full - seen / 2.0) }
}

/// The views of an evaluation: every sample whole and in order, up to `batch_size` neighbours of equal
/// size at a time. (An image is never padded to the size of another one, so its result does not depend on
/// its company.)
pub fn evaluation_views(samples: &[Sample], batch_size: usize) -> Vec<Vec<View>> {
    let mut batches: Vec<Vec<View>> = Vec::new();
    for (number, sample) in samples.iter().enumerate() {
        let view = View::whole(number, (sample.height(), sample.width()));
        match batches.last_mut() {
            Some(batch)
                if batch.len() < batch_size
                    && (batch[0].height, batch[0].width) == (view.height, view.width) =>
            {
                batch.push(view);
            }
            _ => batches.push(vec![view]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Pixels;

    fn sample(height: usize, width: usize) -> Sample {
        Sample {
            name: "s".to_owned(),
            image: Pixels { height, width, channels: 1, data: vec![0; height * width] }.into(),
            labels: vec![0; height * width],
            weights: None,
            origin: "m".into(),
        }
    }

    #[test]
    fn evaluation_never_mixes_sizes() {
        let samples = [sample(2, 2), sample(2, 2), sample(2, 2), sample(4, 2), sample(2, 2)];
        let batches = evaluation_views(&samples, 2);
        let names: Vec<Vec<usize>> = batches.iter().map(|b| b.iter().map(|v| v.sample).collect()).collect();
        assert_eq!(names, [vec![0, 1], vec![2], vec![3], vec![4]]);
    }

    #[test]
    fn epochs_differ_and_repeat() {
        let samples: Vec<Sample> = (0..10).map(|_| sample(4, 4)).collect();
        let (config, augment) = (DataConfig::default(), AugmentConfig::default());
        let counts = ClassCounts::new(3);
        let views = |epoch| training_views(&samples, &config, &augment, &counts, 4, 9, epoch);
        assert_eq!(views(3), views(3));
        assert_ne!(views(3), views(4));
        assert_eq!(views(0).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    }

    /// Switched on one by one, the choices leave the others what they were.
    #[test]
    fn each_choice_has_a_stream_of_its_own() {
        let samples: Vec<Sample> = (0..30).map(|_| sample(40, 50)).collect();
        let data = DataConfig { crop: vec![16, 24], flips: Flips::Both, ..DataConfig::default() };
        let counts = ClassCounts::new(3);
        let views = |augment: AugmentConfig| -> Vec<View> {
            training_views(&samples, &data, &augment, &counts, 4, 9, 2).concat()
        };
        let plain = views(AugmentConfig::default());
        let turned = views(AugmentConfig { rotation: 10.0, brightness: 0.2, ..AugmentConfig::default() });
        for (a, b) in plain.iter().zip(&turned) {
            assert_eq!((a.centre, a.mirrored, a.upside_down), (b.centre, b.mirrored, b.upside_down));
            assert_eq!((a.scale, a.angle, a.colour), (1.0, 0.0, Colour::PLAIN));
            assert!(b.angle.abs() <= 10f64.to_radians() && b.angle != 0.0);
            assert!((0.8..=1.2).contains(&b.colour.brightness) && b.colour.contrast == 1.0);
        }
        let scaled = views(AugmentConfig { scale: [0.5, 2.0], ..AugmentConfig::default() });
        assert!(scaled.iter().all(|view| (0.5..=2.0).contains(&view.scale)));
        let halves = scaled.iter().filter(|view| view.scale < 1.0).count();
        assert!((8..=22).contains(&halves), "{halves} of 30 below 1");
    }

    /// Unless it sees more than there is, a view sees nothing from outside.
    #[test]
    fn a_crop_lies_within_its_image() {
        let samples: Vec<Sample> = (0..50).map(|_| sample(40, 50)).collect();
        let data = DataConfig { crop: vec![16, 23], ..DataConfig::default() };
        let augment = AugmentConfig { scale: [0.5, 2.0], ..AugmentConfig::default() };
        for view in training_views(&samples, &data, &augment, &ClassCounts::new(3), 4, 1, 0).concat() {
            let place = view.places();
            let ((top, left), (bottom, right)) = (place(0, 0), place(15, 22));
            let (left, right) = (left.min(right), left.max(right));
            assert!(top >= -0.5 && left >= -0.5 && bottom <= 39.5 && right <= 49.5, "{view:?}");
        }
    }

    #[test]
    fn a_crop_that_leaves_every_image_whole_is_refused() {
        let samples = [sample(40, 50), sample(30, 60)];
        let refused = |crop: &[usize], scale, rare_share| {
            let data = DataConfig { crop: crop.to_vec(), ..DataConfig::default() };
            let augment = AugmentConfig { scale, rare_share, ..AugmentConfig::default() };
            check_crop(&data, &augment, &samples).err().map(|error| error.to_string())
        };
        for crop in [&[40, 59][..], &[39, 60], &[]] {
            assert_eq!(refused(crop, [1.0; 2], 0.5), None);
        }
        assert_eq!(refused(&[99, 99], [0.5, 1.1], 0.5), None);
        let text = refused(&[40, 60], [0.5, 1.0], 0.0).unwrap();
        assert!(text.starts_with("`data.crop` is [40, 60], and no training image is larger"), "{text}");
        assert!(text.contains("; leave it out, or"), "{text}");
        assert!(refused(&[99, 99], [1.0; 2], 0.5).unwrap().contains("leave it and `augment.rare_share` out"));
    }

    /// One pixel in a thousand is rare, and the stated share of the crops has it in the middle, or as near as may be.
    #[test]
    fn crops_are_centred_on_rare_pixels() {
        let mut one = sample(40, 50);
        one.labels[20 * 50 + 30] = 1;
        one.labels[7] = 200;
        let samples = vec![one; 200];
        let mut counts = ClassCounts::new(2);
        counts.add_image(2000.0, &[1999.0, 1.0]).unwrap();
        let data = DataConfig { crop: vec![9, 9], ..DataConfig::default() };
        let centred = |rare_share| {
            let augment = AugmentConfig { rare_share, ..AugmentConfig::default() };
            let views = training_views(&samples, &data, &augment, &counts, 4, 1, 0).concat();
            views.iter().filter(|view| view.centre == (20.5, 30.5)).count()
        };
        assert_eq!(centred(1.0), 200);
        assert!((80..=120).contains(&centred(0.5)), "{}", centred(0.5));
        assert!(centred(0.0) < 5);
        // A rare pixel in the corner is seen, and nothing from outside the image.
        let mut corner = sample(40, 50);
        corner.labels[39 * 50 + 49] = 1;
        let augment = AugmentConfig { rare_share: 1.0, ..AugmentConfig::default() };
        let views = training_views(&[corner], &data, &augment, &counts, 4, 1, 0).concat();
        assert_eq!(views[0].places()(8, 8), (39.0, if views[0].mirrored { 41.0 } else { 49.0 }));
        // Where the rare class is not, the crop lies anywhere.
        let plain = vec![sample(40, 50); 50];
        let views = training_views(&plain, &data, &augment, &counts, 4, 1, 0).concat();
        assert!(views.iter().any(|view| view.centre != views[0].centre));
    }
}
