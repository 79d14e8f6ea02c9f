//! Pictures of a batch: labels, the net's answer, and how large the gradient is where.

use super::observation::Observation;
use segloss_unet::Classes;
use segloss_unet::pixels::Pixels;

/// No wider or higher than this.
const SIDE: usize = 240;
const IGNORED: [u8; 3] = [128, 128, 128];
const NO_NUMBER: [u8; 3] = [255, 0, 200];

/// Height and width of the last two axes, what lies before the middle of the others, and every how many pixels one is shown.
fn frame(o: &Observation) -> (usize, usize, usize, usize) {
    let (height, width) = match o.spatial[..] {
        [] => (1, 1),
        [width] => (1, width),
        [.., height, width] => (height, width),
    };
    let slices = o.pixels() / (height * width);
    (height, width, slices / 2 * height * width, height.max(width).div_ceil(SIDE))
}

fn painted(o: &Observation, n: usize, colour: impl Fn(usize) -> [u8; 3]) -> Pixels {
    let (height, width, before, step) = frame(o);
    let mut data = Vec::new();
    for y in (0..height).step_by(step) {
        for x in (0..width).step_by(step) {
            let p = before + y * width + x;
            data.extend(if o.is_valid(n, p) { colour(p) } else { IGNORED });
        }
    }
    Pixels { height: height.div_ceil(step), width: width.div_ceil(step), channels: 3, data }
}

/// The target, where each pixel has one class at most.
pub fn labels(o: &Observation, n: usize, classes: &Classes) -> Option<Pixels> {
    let labels = o.labels()?;
    let colour =
        |p: usize| classes.colours.get(labels[n * o.pixels() + p] as usize).copied().unwrap_or(IGNORED);
    Some(painted(o, n, colour))
}

/// The class of the largest logit; of one channel whether it is positive.
pub fn arg_max(o: &Observation, n: usize, classes: &Classes) -> Pixels {
    let z = |c: usize, p: usize| o.logits[o.at(n, c, p)];
    let class = |p: usize| match o.classes {
        1 => usize::from(z(0, p) > 0.0),
        classes => (0..classes).max_by(|&a, &b| z(a, p).total_cmp(&z(b, p))).unwrap_or(0),
    };
    painted(o, n, |p| classes.colours[class(p)])
}

/// Σ_c |g_c| of a pixel.
fn size(o: &Observation, n: usize, g: &[f64], p: usize) -> f64 {
    (0..o.classes).map(|c| g[o.at(n, c, p)].abs()).sum()
}

/// That of the pixel that has most of it.
pub fn largest(o: &Observation, g: &[f64]) -> f64 {
    let places = (0..o.images).flat_map(|n| (0..o.pixels()).map(move |p| (n, p)));
    places.map(|(n, p)| size(o, n, g, p)).filter(|size| size.is_finite()).fold(0.0, f64::max)
}

/// Dark where it is large: white of none to blue of `most`.
pub fn gradient(o: &Observation, n: usize, g: &[f64], most: f64) -> Pixels {
    painted(o, n, |p| {
        let size = size(o, n, g, p);
        if !size.is_finite() {
            return NO_NUMBER;
        }
        // What is not exactly nothing is told from it.
        let share = if size == 0.0 || most == 0.0 { 0.0 } else { (size / most).sqrt().clamp(0.02, 1.0) };
        [[255.0, 12.0], [255.0, 44.0], [255.0, 110.0]].map(|[none, all]| (none + share * (all - none)) as u8)
    })
}
