//! The small batches on which two losses are compared, each with a question that parts losses.

use rand::RngExt;
use segloss::{Layout, LossSpec};
use segloss_cases::{Case, Grid, Labels, generator, needs_map};

/// A batch, and what it asks.
pub struct Example {
    /// What.
    pub question: &'static str,
    /// The batch, for the loss that it is made for.
    pub case: Case,
}

/// Rows and columns of an image.
pub const IMAGE: [usize; 2] = [6, 8];
const PIXELS: usize = IMAGE[0] * IMAGE[1];

/// The examples for losses of `classes` classes, of which one may ignore a label.
pub fn examples(spec: &LossSpec, classes: usize, ignored: Option<i64>) -> Vec<Example> {
    let base = base(spec, classes);
    let last = classes.max(2) as i64 - 1;
    let without_last =
        |of: std::ops::Range<usize>| relabelled(&base, of, |label| if label == last { 0 } else { label });
    let mut all = vec![
        ("two images of different balance", base.clone()),
        ("the second image alone", base.images(1..2)),
        ("no pixel of the last class", without_last(0..2 * PIXELS)),
        ("the last class in one image only", without_last(PIXELS..2 * PIXELS)),
        ("sure, right and wrong: all logits five times as large", moved(&base, |z, _| 5.0 * z)),
        ("all logits of a pixel raised by one number", moved(&base, |z, p| z + (p % 3) as f64 - 1.0)),
    ];
    if let Some(ignored) = ignored {
        let every = |at: usize, label: i64| if at % 5 == 2 { ignored } else { label };
        let mut case = base.clone();
        if let Labels::Indices(labels) = &mut case.target {
            labels.iter_mut().enumerate().for_each(|(at, label)| *label = every(at, *label));
        }
        all.push(("a fifth of the pixels ignored", case));
    }
    all.into_iter().map(|(question, case)| Example { question, case }).collect()
}

/// Two images: in the first nearly all is of the first class, in the second the classes are nearer to each other. Most pixels are
/// predicted as they should be.
fn base(spec: &LossSpec, classes: usize) -> Case {
    let mut rng = generator(1, "contrast");
    let grid = Grid::new(2, classes, &IMAGE);
    // The share of each class is this times that of the one before. Every class occurs; the first has what is left.
    let labels: Vec<i64> =
        [0.2_f64, 0.5].into_iter().flat_map(|fall| of_image(fall, classes.max(2))).collect();
    let logits = vec![0.0; grid.len()];
    let spec = LossSpec { layout: Layout::ChannelsFirst, ..spec.clone() };
    let mut case = Case::new("contrast", spec, grid, logits, Labels::Indices(labels.clone()));
    for (n, p, c) in case.grid.entries().collect::<Vec<_>>() {
        let label = labels[n * PIXELS + p];
        let is = if classes == 1 { label == 1 } else { label == c as i64 };
        let toward = match (is, classes) {
            (true, _) => 1.2,
            (false, 1) => -1.2,
            (false, _) => 0.0,
        };
        let at = case.at(n, c, p);
        case.logits[at] = f64::from((toward + 3.0 * rng.random::<f64>() - 1.5) as f32);
    }
    if needs_map(&case.spec) { case.with_drawn_map(1) } else { case }
}

/// The labels of an image.
fn of_image(fall: f64, classes: usize) -> impl Iterator<Item = i64> {
    let share = move |class: usize| fall.powi(class as i32);
    let total: f64 = (0..classes).map(share).sum();
    let count = move |class: usize| ((share(class) / total * PIXELS as f64).round() as usize).max(1);
    let rest = PIXELS.saturating_sub((1..classes).map(count).sum()).max(1);
    let counts = std::iter::once(rest).chain((1..classes).map(count));
    counts.enumerate().flat_map(|(c, count)| std::iter::repeat_n(c as i64, count)).take(PIXELS)
}

fn moved(case: &Case, change: impl Fn(f64, usize) -> f64) -> Case {
    let mut moved = case.clone();
    for (n, p, c) in case.grid.entries() {
        let at = case.at(n, c, p);
        moved.logits[at] = change(case.logits[at], p);
    }
    moved
}

fn relabelled(case: &Case, of: std::ops::Range<usize>, change: impl Fn(i64) -> i64) -> Case {
    let mut relabelled = case.clone();
    if let Labels::Indices(labels) = &mut relabelled.target {
        labels[of].iter_mut().for_each(|label| *label = change(*label));
    }
    relabelled
}
