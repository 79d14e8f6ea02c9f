//! What both examples train on: pictures of background, a band and one small spot, and the loss for them.

use segloss::{Error, Loss, LossSpec};

/// N, H, W; three colours and three classes.
pub const IMAGES: usize = 4;
pub const SIDE: usize = 32;
pub const CLASSES: usize = 3;

/// Cross-entropy with weights of the batch, so that the spot is not lost, and Dice.
pub fn loss() -> Result<Loss, Error> {
    Loss::new(LossSpec::from_toml(
        "
        kind = 'combined'
        layout = 'channels_first'
        [[terms]]
        [terms.loss]
        kind = 'cross_entropy'
        weights = { source = 'per_batch', scheme = 'inverse_sqrt' }
        [[terms]]
        [terms.loss]
        kind = 'dice'
        ",
    )?)
}

/// The class of each pixel: 2 for the spot, 1 for the band.
pub fn labels() -> Vec<u8> {
    let label = |image: usize, y: usize, x: usize| match () {
        () if y.abs_diff(6 + 5 * image) < 2 && x.abs_diff(24 - 3 * image) < 2 => 2,
        () if y.abs_diff(16) < 5 => 1,
        () => 0,
    };
    pixels().map(|(image, y, x)| label(image, y, x)).collect()
}

/// Colours (N, 3, H, W): one of each class, with what looks like noise.
pub fn pictures() -> Vec<f32> {
    let labels = labels();
    let colours = [[0.2, 0.3, 0.4], [0.5, 0.3, 0.3], [0.6, 0.5, 0.3]];
    let plane = SIDE * SIDE;
    let value = |at: usize| {
        let (image, channel, place) = (at / plane / 3, at / plane % 3, at % plane);
        let noise = (at * 7919 % 1000) as f32 / 1000.0 - 0.5;
        colours[usize::from(labels[image * plane + place])][channel] + 0.3 * noise
    };
    (0..IMAGES * 3 * plane).map(value).collect()
}

/// Class by class, the share of its pixels for which it is the largest logit (N, C, H, W).
pub fn recalls(logits: &[f32]) -> [f32; CLASSES] {
    let plane = SIDE * SIDE;
    let (mut hits, mut all) = ([0.0; CLASSES], [0.0; CLASSES]);
    for (pixel, label) in labels().into_iter().enumerate() {
        let at = |class: usize| logits[(pixel / plane * CLASSES + class) * plane + pixel % plane];
        let largest = (0..CLASSES).max_by(|&a, &b| at(a).total_cmp(&at(b)));
        all[usize::from(label)] += 1.0;
        hits[usize::from(label)] += f32::from(largest == Some(usize::from(label)));
    }
    std::array::from_fn(|class| hits[class] / all[class])
}

fn pixels() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..IMAGES * SIDE * SIDE).map(|i| (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE))
}
