//! A batch in one form, whatever form it came in: logits with the classes first, labels where the target has some, the value's
//! entries, and the gradient by the logits.

use super::about::About;
use super::whole::Whole;
use segloss::Layout;
use segloss_cases::Labels;
use segloss_unet::npy::{Array, NpyFile};
use std::sync::Arc;

/// The arrays of a batch as they were saved.
pub struct Given<'a> {
    pub name: &'a str,
    pub prediction: &'a NpyFile,
    /// `None` where the name does not say.
    pub is_probabilities: Option<bool>,
    pub target: &'a NpyFile,
    pub value: Option<&'a NpyFile>,
    pub gradient: Option<&'a NpyFile>,
    pub class_weights: Option<&'a NpyFile>,
}

/// How the target is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A class index for each pixel.
    Indices,
    /// 0 and 1 for each class, one class a pixel.
    OneHot,
    /// 0 and 1 for each class, any number of classes a pixel.
    MultiHot,
    /// Numbers between 0 and 1.
    Soft,
}

/// A batch, and what the loss made of it.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The probe's name; empty of a single capture.
    pub name: String,
    /// N.
    pub images: usize,
    /// C.
    pub classes: usize,
    /// The spatial axes.
    pub spatial: Vec<usize>,
    /// As it was saved.
    pub layout: Layout,
    /// Whether the loss was given probabilities; the logits are then their logarithms.
    pub from_probabilities: bool,
    /// (N, C, spatial…).
    pub logits: Vec<f64>,
    /// How the target is written.
    pub form: Form,
    /// Indices (N, spatial…) where each pixel has one class at most, else y (N, C, spatial…).
    pub target: Labels,
    /// The label of pixels that do not count; −1 stands for pixels that a one-hot target leaves empty.
    pub ignored: Option<i64>,
    /// What a target of 0 and some other number than 1 has for 1: a mask of 0 and 255.
    pub target_scale: f64,
    /// The loss: one number, or one for each image, pixel or entry (N, C, spatial…).
    pub value: Option<Vec<f64>>,
    /// ∂(sum of the value)/∂logits, (N, C, spatial…).
    pub gradient: Option<Vec<f64>>,
    /// Weights that were saved beside it.
    pub class_weights: Option<Vec<f64>>,
    /// The rounding of one number, relative to it.
    pub epsilon: f64,
    /// What this is a sample of.
    pub whole: Option<Arc<Whole>>,
}

impl Observation {
    /// Puts what was saved into one form, and says what was guessed.
    pub fn new(given: &Given<'_>, about: &About) -> Result<(Self, Vec<String>), String> {
        let mut notes = Vec::new();
        let shape = given.prediction.shape();
        if shape.len() < 2 {
            return Err(format!("the prediction has the shape {shape:?}; expected (N, C, …) or (N, …, C)"));
        }
        if shape.iter().product::<usize>() == 0 {
            return Err(format!("the prediction has the shape {shape:?}, and so no number"));
        }
        if matches!(given.prediction.array, Array::Bool(_) | Array::U8(_) | Array::Int(_)) {
            return Err(format!("the prediction holds {}; expected floats", given.prediction.dtype));
        }
        let numbers = given.prediction.numbers();
        if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
            return Err(format!(
                "the prediction holds {} at element {at}; save a batch of finite numbers",
                numbers[at]
            ));
        }
        let axis = class_axis(shape, &numbers, given.target, about, &mut notes)?;
        let layout = if axis == 1 { Layout::ChannelsFirst } else { Layout::ChannelsLast };
        let (images, classes) = (shape[0], shape[axis]);
        let spatial: Vec<usize> = (1..shape.len()).filter(|&a| a != axis).map(|a| shape[a]).collect();
        if about.classes.is_some_and(|told| told != classes) {
            return Err(format!(
                "the prediction {shape:?} has {classes} channels, not {}",
                about.classes.unwrap_or_default()
            ));
        }
        if let Some(file) = given.class_weights {
            check_weights(file, classes)?;
        }
        if let Some(label) = about.ignore_index
            && (0..classes.max(2) as i64).contains(&label)
        {
            notes.push(format!(
                "--ignore-index {label} is a class of the {}: its pixels do not count",
                classes.max(2)
            ));
        }
        let pixels: usize = spatial.iter().product();
        let first = |array: Vec<f64>| channels_first(array, layout, images, classes, pixels);
        let raw = first(numbers);
        let looks = looks_like_probabilities(&raw, images, classes, pixels);
        let from_probabilities = given.is_probabilities.unwrap_or(looks);
        match given.is_probabilities {
            None => notes.push(format!(
                "the prediction is taken for {}: {}",
                if looks { "probabilities" } else { "logits" },
                if looks { "its classes sum to 1" } else { "its classes do not sum to 1" }
            )),
            Some(false) if looks && classes > 1 => notes.push(
                "what is called logits are probabilities: the classes of every pixel sum to 1; --probabilities says that the loss takes them".to_owned(),
            ),
            _ => {}
        }
        let gradient = match given.gradient {
            None => None,
            Some(file) if file.shape() == shape => Some(first(file.numbers())),
            Some(file) => {
                return Err(format!(
                    "the gradient has the shape {:?}; the prediction has {shape:?}",
                    file.shape()
                ));
            }
        };
        let mut observation = Self {
            name: given.name.to_owned(),
            images,
            classes,
            spatial,
            layout,
            from_probabilities,
            logits: Vec::new(),
            form: Form::Indices,
            target: Labels::Indices(Vec::new()),
            ignored: None,
            target_scale: 1.0,
            value: None,
            gradient: None,
            class_weights: given.class_weights.map(NpyFile::numbers),
            epsilon: epsilon(given)?,
            whole: None,
        };
        observation.read_target(given.target, axis, shape, about, &mut notes)?;
        observation.value = given.value.map(|file| observation.read_value(file)).transpose()?;
        (observation.logits, observation.gradient) = match from_probabilities {
            false if observation.holds_logarithms(&raw) => {
                notes.push(
                    "the prediction is logarithms of probabilities: the loss is one of logits that log_softmax made them of".to_owned(),
                );
                let p: Vec<f64> = raw.iter().map(|z| z.exp()).collect();
                let gradient = gradient.map(|g| log_softmax_pull(&observation, &p, &g));
                (raw, gradient)
            }
            false => (raw, gradient),
            true => observation.by_logits(raw, gradient)?,
        };
        Ok((observation, notes))
    }

    /// Pixels of one image.
    pub fn pixels(&self) -> usize {
        self.spatial.iter().product()
    }

    /// The shape of the logits, classes first.
    pub fn shape(&self) -> Vec<usize> {
        [&[self.images, self.classes], self.spatial.as_slice()].concat()
    }

    /// The shape of labels.
    pub fn pixel_shape(&self) -> Vec<usize> {
        [&[self.images], self.spatial.as_slice()].concat()
    }

    /// Where class `c` of pixel `p` of image `n` lies.
    pub fn at(&self, n: usize, c: usize, p: usize) -> usize {
        (n * self.classes + c) * self.pixels() + p
    }

    /// The labels, where each pixel has one class at most.
    pub fn labels(&self) -> Option<&[i64]> {
        match &self.target {
            Labels::Indices(labels) => Some(labels),
            Labels::Distribution(_) => None,
        }
    }

    /// Whether a pixel counts.
    pub fn is_valid(&self, n: usize, p: usize) -> bool {
        self.labels().is_none_or(|labels| Some(labels[n * self.pixels() + p]) != self.ignored)
    }

    /// Pixels that count.
    pub fn valid(&self) -> usize {
        (0..self.images).map(|n| self.valid_in(n)).sum()
    }

    /// Those of the whole that this may be a sample of.
    pub fn counted(&self) -> usize {
        self.whole.as_ref().map_or_else(|| self.valid(), |whole| whole.valid)
    }

    /// Those of one image.
    pub fn valid_in(&self, n: usize) -> usize {
        (0..self.pixels()).filter(|&p| self.is_valid(n, p)).count()
    }

    /// y of a class at a pixel. A single channel has the label 1.
    pub fn y(&self, n: usize, c: usize, p: usize) -> f64 {
        match &self.target {
            Labels::Distribution(y) => y[self.at(n, c, p)],
            Labels::Indices(labels) => {
                let class = if self.classes == 1 { 1 } else { c as i64 };
                f64::from(u8::from(labels[n * self.pixels() + p] == class))
            }
        }
    }

    /// The value as one number: the sum of its entries.
    pub fn total(&self) -> Option<f64> {
        self.value.as_ref().map(|value| value.iter().sum())
    }

    /// What two computations of the same loss may differ by, relative to the largest number.
    pub fn tolerance(&self) -> f64 {
        // Sums over pixels, exponentials and their quotients lose a few digits; so do constants of 1e-8 against zero.
        (400.0 * self.epsilon).max(1e-6)
    }

    /// What is rounding beyond doubt.
    pub fn floor(&self) -> f64 {
        60.0 * self.epsilon.max(2e-14)
    }

    /// The same with nothing known of the gradient of pixels that have exactly none.
    pub fn hiding_silent(&self) -> Self {
        let mut hidden = self.clone();
        let Some(g) = &mut hidden.gradient else { return hidden };
        for n in 0..self.images {
            for p in (0..self.pixels()).filter(|&p| self.is_valid(n, p) && self.has_no_slope(n, p)) {
                (0..self.classes).for_each(|c| g[self.at(n, c, p)] = f64::NAN);
            }
        }
        hidden
    }

    /// Whether the gradient of a pixel is exactly 0.
    pub fn has_no_slope(&self, n: usize, p: usize) -> bool {
        self.gradient.as_ref().is_some_and(|g| (0..self.classes).all(|c| g[self.at(n, c, p)] == 0.0))
    }

    /// The same without its gradient.
    pub fn without_gradient(&self) -> Self {
        Self { gradient: None, ..self.clone() }
    }

    /// From the gradient by the probabilities to that by the logits, of which softmax or σ makes them.
    fn by_logits(
        &self,
        p: Vec<f64>,
        gradient: Option<Vec<f64>>,
    ) -> Result<(Vec<f64>, Option<Vec<f64>>), String> {
        if let Some(at) = p.iter().position(|p| !(0.0..=1.0).contains(p)) {
            return Err(format!("a probability is {} at element {at}", p[at]));
        }
        let least = 1e-300;
        let exclusive =
            looks_like_probabilities(&p, self.images, self.classes, self.pixels()) && self.classes > 1;
        let logits = match exclusive {
            true => p.iter().map(|p| p.max(least).ln()).collect(),
            false => p.iter().map(|p| p.max(least).ln() - (1.0 - p).max(least).ln()).collect(),
        };
        let gradient = gradient.map(|g| match exclusive {
            true => softmax_pull(self, &p, &g),
            false => g.iter().zip(&p).map(|(g, p)| times(p * (1.0 - p), *g)).collect(),
        });
        Ok((logits, gradient))
    }

    /// Whether the logits are ln p of classes that exclude one another.
    fn holds_logarithms(&self, z: &[f64]) -> bool {
        if self.classes == 1 || z.iter().any(|z| *z > 1e-3) {
            return false;
        }
        let p: Vec<f64> = z.iter().map(|z| z.exp().min(1.0)).collect();
        looks_like_probabilities(&p, self.images, self.classes, self.pixels())
    }

    fn read_target(
        &mut self,
        file: &NpyFile,
        axis: usize,
        shape: &[usize],
        about: &About,
        notes: &mut Vec<String>,
    ) -> Result<(), String> {
        let numbers = file.numbers();
        if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
            return Err(format!("the target holds {} at element {at}", numbers[at]));
        }
        let dense = file.shape() == shape;
        let whole = numbers.iter().all(|x| x.fract() == 0.0);
        if dense && self.classes > 1 {
            return self.read_dense(numbers, axis, whole, notes);
        }
        if !whole {
            // Of one channel: numbers between 0 and 1, or a mask of 0 and 1 that was scaled.
            if self.classes == 1 && numbers.iter().all(|x| (0.0..=1.0).contains(x)) {
                self.form = Form::Soft;
                self.target = Labels::Distribution(numbers);
                return Ok(());
            }
            let at = numbers.iter().position(|x| x.fract() != 0.0).unwrap_or_default();
            return Err(format!("the target holds {} at element {at}; expected class indices", numbers[at]));
        }
        let labels: Vec<i64> = numbers.iter().map(|&x| x as i64).collect();
        let classes = self.classes.max(2) as i64;
        let mut odd: Vec<i64> =
            labels.iter().copied().filter(|&label| !(0..classes).contains(&label)).collect();
        odd.sort_unstable();
        odd.dedup();
        if self.classes == 1 && about.ignore_index != Some(255) && odd == [255] && !labels.contains(&1) {
            self.target_scale = 255.0;
            self.target = Labels::Indices(labels.iter().map(|&label| i64::from(label == 255)).collect());
            return Ok(());
        }
        match (odd.as_slice(), about.ignore_index) {
            ([], told) => self.ignored = told,
            ([one], told) if told.is_none_or(|told| told == *one) => {
                if told.is_none() {
                    notes.push(format!(
                        "the label {one} is taken for the ignored one; --ignore-index says another"
                    ));
                }
                self.ignored = Some(*one);
            }
            (odd, _) => {
                let at = labels.iter().position(|label| odd.contains(label)).unwrap_or_default();
                return Err(format!(
                    "the target holds the label {} at element {at}, and the prediction has {} channels: labels are 0 \
                     to {}; --ignore-index N names one that does not count",
                    labels[at],
                    self.classes,
                    classes - 1
                ));
            }
        }
        self.form = if self.classes == 1 && dense { Form::OneHot } else { Form::Indices };
        self.target = Labels::Indices(labels);
        Ok(())
    }

    /// A target in the shape of the prediction.
    fn read_dense(
        &mut self,
        numbers: Vec<f64>,
        axis: usize,
        whole: bool,
        notes: &mut Vec<String>,
    ) -> Result<(), String> {
        let layout = if axis == 1 { Layout::ChannelsFirst } else { Layout::ChannelsLast };
        let mut y = channels_first(numbers, layout, self.images, self.classes, self.pixels());
        let most = y.iter().copied().fold(0.0, f64::max);
        if whole && most > 1.0 && y.iter().all(|&y| y == 0.0 || y == most) {
            self.target_scale = most;
            y.iter_mut().for_each(|y| *y /= most);
        }
        if let Some(at) = y.iter().position(|y| !(0.0..=1.0).contains(y)) {
            return Err(format!("the target holds {} at element {at}; expected numbers from 0 to 1", y[at]));
        }
        let pixels = self.pixels();
        let sum = |n: usize, p: usize| (0..self.classes).map(|c| y[self.at(n, c, p)]).sum::<f64>();
        let places = || (0..self.images).flat_map(|n| (0..pixels).map(move |p| (n, p)));
        let hard = y.iter().all(|&y| y == 0.0 || y == 1.0);
        if !hard || places().any(|(n, p)| sum(n, p) > 1.0) {
            self.form = if hard { Form::MultiHot } else { Form::Soft };
            self.target = Labels::Distribution(y);
            return Ok(());
        }
        let class = |(n, p): (usize, usize)| {
            (0..self.classes).find(|&c| y[self.at(n, c, p)] == 1.0).map_or(-1, |c| c as i64)
        };
        let labels: Vec<i64> = places().map(class).collect();
        if labels.contains(&-1) {
            notes.push("pixels without a class in the one-hot target are taken for ignored ones".to_owned());
            self.ignored = Some(-1);
        }
        self.form = Form::OneHot;
        self.target = Labels::Indices(labels);
        Ok(())
    }

    fn read_value(&self, file: &NpyFile) -> Result<Vec<f64>, String> {
        let (value, pixels) = (file.numbers(), self.pixels());
        let entries = self.images * self.classes * pixels;
        match value.len() {
            n if n == entries && self.classes > 1 => {
                Ok(channels_first(value, self.layout, self.images, self.classes, pixels))
            }
            n if n == 1 || n == self.images || n == self.images * pixels => Ok(value),
            _ => Err(format!(
                "the value has the shape {:?}; expected one number, or one for each image, pixel or entry",
                file.shape()
            )),
        }
    }
}

/// One number for each channel, for all of them, or a pair for each.
fn check_weights(file: &NpyFile, classes: usize) -> Result<(), String> {
    let weights = file.numbers();
    if ![1, classes, 2 * classes].contains(&weights.len()) {
        return Err(format!(
            "the class weights have the shape {:?}; expected {classes} numbers, one for each channel",
            file.shape()
        ));
    }
    match weights.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
        Some(at) => Err(format!("class weight {at} is {}; expected a number of 0 or more", weights[at])),
        None => Ok(()),
    }
}

/// How a note begins that says which layout was guessed.
pub const GUESSED: &str = "the layout is taken for";

/// Where the classes lie in the prediction.
fn class_axis(
    shape: &[usize],
    numbers: &[f64],
    target: &NpyFile,
    about: &About,
    notes: &mut Vec<String>,
) -> Result<usize, String> {
    let last = shape.len() - 1;
    if last == 1 {
        return Ok(1);
    }
    let mut axes = vec![1, last];
    let y = target.shape();
    let without =
        |a: usize| shape.iter().enumerate().filter(|&(i, _)| i != a).map(|(_, &n)| n).collect::<Vec<_>>();
    let singleton = |a: usize| {
        let mut shape = shape.to_vec();
        shape[a] = 1;
        shape
    };
    if y == shape {
        // Where classes exclude one another, they sum to one along their axis.
        let sums = |a: usize, all: &[f64]| sums_to_one(all, shape, a);
        let y = target.numbers();
        match (sums(1, &y), sums(last, &y)) {
            (true, false) => axes = vec![1],
            (false, true) => axes = vec![last],
            _ => match (sums(1, numbers), sums(last, numbers)) {
                (true, false) => axes = vec![1],
                (false, true) => axes = vec![last],
                _ => {}
            },
        }
    } else {
        axes.retain(|&a| y == without(a) || y == singleton(a));
    }
    let told = about.layout.map(|layout| if layout == Layout::ChannelsFirst { 1 } else { last });
    match (axes.as_slice(), told) {
        ([], _) => Err(format!(
            "the target has the shape {y:?}, which goes with no reading of the prediction's {shape:?}"
        )),
        (axes, Some(told)) if axes.contains(&told) => Ok(told),
        // One-hot rows along an axis that is not the one that was told: said, and the user is believed.
        (_, Some(told)) if y == shape => Ok(told),
        (axes, Some(_)) => Err(format!(
            "the target {y:?} goes with the classes of the prediction {shape:?} in axis {}, not where --layout says",
            axes[0]
        )),
        ([one], None) => Ok(*one),
        (_, None) => {
            let axis = if shape[last] < shape[1] { last } else { 1 };
            let word = if axis == 1 { "channels_first" } else { "channels_last" };
            notes.push(format!(
                "{GUESSED} {word}; --layout says another, no_channels that there is no axis of channels"
            ));
            Ok(axis)
        }
    }
}

/// Whether the numbers along an axis sum to 1 everywhere.
pub fn sums_to_one(numbers: &[f64], shape: &[usize], axis: usize) -> bool {
    let inner: usize = shape[axis + 1..].iter().product();
    let (length, outer) = (shape[axis], shape[..axis].iter().product::<usize>());
    (0..outer).all(|o| {
        (0..inner).all(|i| {
            let sum: f64 = (0..length).map(|k| numbers[(o * length + k) * inner + i]).sum();
            (sum - 1.0).abs() <= 1e-3
        })
    })
}

/// In [0, 1], and the classes of every pixel sum to 1; of one channel, in [0, 1] with nothing outside.
fn looks_like_probabilities(z: &[f64], images: usize, classes: usize, pixels: usize) -> bool {
    z.iter().all(|z| (0.0..=1.0).contains(z))
        && (classes == 1 || sums_to_one(z, &[images, classes, pixels], 1))
}

/// An array of (N, …, C) or (N, C, …) as (N, C, …).
fn channels_first(array: Vec<f64>, layout: Layout, images: usize, classes: usize, pixels: usize) -> Vec<f64> {
    if layout == Layout::ChannelsFirst || classes == 1 {
        return array;
    }
    let mut out = vec![0.0; array.len()];
    for n in 0..images {
        for p in 0..pixels {
            for c in 0..classes {
                out[(n * classes + c) * pixels + p] = array[(n * pixels + p) * classes + c];
            }
        }
    }
    out
}

/// p_c·(g_c − Σ_j p_j·g_j), pixel by pixel: the gradient by the logits of the softmax p, from that by p.
pub fn softmax_pull(o: &Observation, p: &[f64], g: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; p.len()];
    for n in 0..o.images {
        for x in 0..o.pixels() {
            let at = |c: usize| o.at(n, c, x);
            let of = |c: usize| times(p[at(c)], g[at(c)]);
            let mean: f64 = (0..o.classes).map(of).sum();
            (0..o.classes).for_each(|c| out[at(c)] = of(c) - p[at(c)] * mean);
        }
    }
    out
}

/// g_c − p_c·Σ_j g_j, pixel by pixel: the gradient by the logits of ln softmax, from that by the logarithms.
fn log_softmax_pull(o: &Observation, p: &[f64], g: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; p.len()];
    for (n, x) in (0..o.images).flat_map(|n| (0..o.pixels()).map(move |x| (n, x))) {
        let total: f64 = (0..o.classes).map(|c| g[o.at(n, c, x)]).sum();
        (0..o.classes).map(|c| o.at(n, c, x)).for_each(|at| out[at] = g[at] - p[at] * total);
    }
    out
}

/// p·g. What is certain has no slope: 0·∞, of a logarithm at its end, and 1·NaN count for nothing.
fn times(p: f64, g: f64) -> f64 {
    if (p == 0.0 || p == 1.0) && !g.is_finite() { 0.0 } else { p * g }
}

/// The coarsest of the floats that were saved.
fn epsilon(given: &Given<'_>) -> Result<f64, String> {
    for (what, file) in [("value", given.value), ("gradient", given.gradient)] {
        if file.is_some_and(|file| file.dtype == "float16") {
            return Err(format!(
                "the {what} is float16, and many losses have the same three digits; hand the loss float32 logits, as in \
                 logits.float(), and save what it returns as float32"
            ));
        }
    }
    let single = |file: &NpyFile| matches!(file.dtype, "float16" | "float32");
    let files = [Some(given.prediction), given.value, given.gradient];
    Ok(if files.into_iter().flatten().any(single) { 6e-8 } else { 1.1e-16 })
}

#[cfg(test)]
impl Observation {
    /// Logits and labels of some shape, (N, C, spatial…).
    pub fn sample(shape: &[usize]) -> Self {
        let length: usize = shape.iter().product();
        let pixels = length / shape[1];
        Self {
            name: String::new(),
            images: shape[0],
            classes: shape[1],
            spatial: shape[2..].to_vec(),
            layout: Layout::ChannelsFirst,
            from_probabilities: false,
            logits: (0..length).map(|i| ((i * 5 % 13) as f64) / 4.0 - 1.5).collect(),
            form: Form::Indices,
            target: Labels::Indices((0..pixels).map(|i| (i * i % shape[1]) as i64).collect()),
            ignored: None,
            target_scale: 1.0,
            value: None,
            gradient: None,
            class_weights: None,
            epsilon: 1.1e-16,
            whole: None,
        }
    }
}
