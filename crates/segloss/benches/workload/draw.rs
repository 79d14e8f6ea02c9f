//! Logits and labels that look like segmentation, from their position alone: whoever computes them gets the same.

/// The label of pixels that do not count: one block in eight, on the diagonals.
pub const IGNORED: u8 = 255;

/// Side of the square blocks that are of one class: of 16 neighbours in a row three in four times all are alike, as in
/// street scenes and aerial images. A small image is cut into smaller ones, so that it has several classes, too.
fn block(width: usize) -> usize {
    if width < 144 { 12 } else { 36 }
}

/// Numbers that look drawn (splitmix64, Steele et al. 2014): a generator of seven lines needs no crate.
fn noise(at: u64) -> u64 {
    let mut z = at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The logit at a place in memory: the sum of four uniform numbers, nearly normal, within ±2.
pub fn logit(at: usize) -> f64 {
    let sum: u64 = (0..4).map(|k| noise(4 * at as u64 + k) >> 40).sum();
    sum as f64 / f64::from(1 << 24) - 2.0
}

/// The label of a pixel of images of a height and width: each class half as frequent as the one before; the last few
/// share what is left.
pub fn label(pixel: usize, classes: usize, [height, width]: [usize; 2], ignoring: bool) -> u8 {
    let block = block(width);
    let (x, y, image) = (pixel % width / block, pixel / width % height / block, pixel / width / height);
    let draw = noise((image << 40 | y << 20 | x) as u64);
    let class = (draw.trailing_zeros() as usize).min(classes - 1);
    if ignoring && (x + y) % 8 == 1 { IGNORED } else { class as u8 }
}

/// The share of a class in the soft target of a pixel: three quarters of the label's, one quarter drawn.
pub fn share(pixel: usize, class: usize, classes: usize, label: u8) -> f64 {
    let drawn = |class| (noise((pixel as u64) << 20 | class as u64) >> 40) + 1;
    let total: u64 = (0..classes).map(drawn).sum();
    let own = if class == usize::from(label) { 0.75 } else { 0.0 };
    own + 0.25 * drawn(class) as f64 / total as f64
}

/// The weight of a class where weights are fixed.
pub fn weight(class: usize) -> f64 {
    (class % 3) as f64 + 0.5
}
