//! What is computed, by the names that `crates/segloss/benches/workload` gives it.

/// The layouts of logits.
pub const LAYOUTS: [&str; 2] = ["channels_first", "channels_last"];

/// N, C, H, W.
pub type Shape = [usize; 4];

/// The shapes of the bars: a street scene of twelve classes, few classes and many.
pub const LARGE: [Shape; 3] = [[4, 12, 360, 480], [8, 4, 512, 512], [2, 21, 512, 512]];

/// One small image of two classes: what a call costs beside its pixels.
pub const SMALL: Shape = [1, 2, 64, 64];

/// An image of which some pixels are ignored: whose value every contender is asked for.
pub const AGREED: Shape = [1, 5, 208, 40];

/// A copy of the logits by all threads: the bytes that must move.
pub const COPY: &str = "copy";

/// Cross-entropy weighted by class: what all frameworks have.
pub const WEIGHTED: &str = "cross_entropy+fixed";

/// The same with no pixel ignored, for a framework that cannot ignore any.
pub const WEIGHTED_FULL: &str = "cross_entropy+fixed+full";

/// Cross-entropy of smoothed labels, and of a distribution as target.
pub const SOFTENED: [&str; 2] = ["cross_entropy+smoothing", "cross_entropy+soft"];

/// `KIND[+VARIANT]/LAYOUT/TYPE/NxCxHxW`.
pub fn name(what: &str, layout: &str, real: &str, shape: Shape) -> String {
    format!("{what}/{layout}/{real}/{}", sizes(shape))
}

/// `NxCxHxW`.
pub fn sizes([n, c, h, w]: Shape) -> String {
    format!("{n}x{c}x{h}x{w}")
}

/// For people: 4×12×360×480.
pub fn pretty(shape: Shape) -> String {
    sizes(shape).replace('x', "×")
}

/// For people: channels first.
pub fn spoken(layout: &str) -> String {
    layout.replace('_', " ")
}

/// How many logits there are.
pub fn logits(shape: Shape) -> usize {
    shape.iter().product()
}

/// Bytes that must move: logits in, gradient out. Labels, a byte a pixel, are not counted.
pub fn bytes(real: &str, shape: Shape) -> usize {
    2 * logits(shape) * if real == "f64" { 8 } else { 4 }
}

/// The bytes of a workload, from its name; nothing for one that moves no logits.
pub fn bytes_of(name: &str) -> Option<usize> {
    let mut parts = name.split('/').skip(2);
    let (real, shape) = (parts.next()?, parts.next()?);
    let sizes: Option<Vec<usize>> = shape.split('x').map(|size| size.parse().ok()).collect();
    Some(bytes(real, sizes?.try_into().ok()?))
}

/// The copy beside a workload: its layout, precision and shape.
pub fn copy_beside(name: &str) -> Option<String> {
    let (_, rest) = name.split_once('/')?;
    Some(format!("{COPY}/{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_together_and_read() {
        let name = name(WEIGHTED, "channels_last", "f64", [4, 12, 360, 480]);
        assert_eq!(name, "cross_entropy+fixed/channels_last/f64/4x12x360x480");
        assert_eq!(bytes_of(&name), Some(2 * 8 * 4 * 12 * 360 * 480));
        assert_eq!(copy_beside(&name).as_deref(), Some("copy/channels_last/f64/4x12x360x480"));
        assert_eq!(bytes_of("unet/forward/channels_last"), None);
        assert_eq!(bytes_of("dice/channels_last/f32/4x12x360"), None);
    }
}
