//! Colours of classes: how they are written, told apart and chosen.

use std::path::PathBuf;

/// Two palettes that give one index two colours.
#[derive(Debug, Clone, PartialEq)]
pub struct PaletteConflict {
    /// The index.
    pub index: u8,
    /// Its colour, and in which file.
    pub first: ([u8; 3], PathBuf),
    /// Its other colour, and in which file.
    pub second: ([u8; 3], PathBuf),
}

/// A colour as #rrggbb.
pub(crate) fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Twelve colours that are told apart easily, then hues a golden angle apart.
pub(crate) fn colour(class: usize) -> [u8; 3] {
    const FIRST: [[u8; 3]; 12] = [
        [66, 133, 191],
        [170, 68, 68],
        [230, 200, 80],
        [110, 90, 140],
        [235, 150, 190],
        [85, 150, 85],
        [240, 130, 40],
        [140, 100, 60],
        [80, 70, 200],
        [220, 40, 90],
        [60, 200, 190],
        [150, 150, 150],
    ];
    if let Some(&colour) = FIRST.get(class) {
        return colour;
    }
    let hue = class as f64 * 0.381_966 % 1.0;
    [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|shift| {
        let wave = 0.5 + 0.5 * (std::f64::consts::TAU * (hue - shift)).cos();
        (60.0 + 180.0 * wave) as u8
    })
}

/// Whether a colour is a shade of grey.
pub(crate) fn is_grey([r, g, b]: [u8; 3]) -> bool {
    r == g && g == b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_differ() {
        let colours: std::collections::BTreeSet<_> = (0..40).map(colour).collect();
        assert_eq!(colours.len(), 40);
    }
}
