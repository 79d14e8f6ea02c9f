//! The hardest pixels of a region: all losses ranked, and the largest kept.
//!
//! The pixels are ranked by what they cost before weights, u = −ln p_y: how hard a pixel is is the
//! prediction's matter, what it costs the weights'. The k-th largest u is the threshold; pixels above it are
//! kept, and those that tie with it share the places that are left evenly, which is a sub-gradient that
//! depends on no order of the pixels.

/// A pixel with its place in the ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scored {
    /// u, before weights.
    pub hardness: f64,
    pub class: usize,
    /// m·w_y.
    pub weight: f64,
}

/// The pixels of a region, in the order in which they came: tile by tile, so that none is moved.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ranking(Vec<Vec<Scored>>);

impl Ranking {
    /// Those of a tile.
    pub fn new(of_tile: Vec<Scored>) -> Self {
        Self(vec![of_tile])
    }

    pub fn pixels(&self) -> impl Iterator<Item = &Scored> {
        self.0.iter().flatten()
    }

    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

/// Which pixels of a region are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Threshold {
    /// The k-th largest u.
    hardness: f64,
    /// What each pixel at the threshold counts.
    share: f64,
    /// Pixels harder than this are kept anyway (OHEM's confidence).
    limit: f64,
}

impl Threshold {
    /// Keeps the k hardest pixels, and all that are harder than `limit`.
    pub fn new(ranking: &Ranking, k: usize, limit: f64) -> Self {
        let mut hardness: Vec<f64> = ranking.pixels().map(|pixel| pixel.hardness).collect();
        let last = k.saturating_sub(1);
        if last >= hardness.len() {
            return Self { hardness: f64::NEG_INFINITY, share: 1.0, limit };
        }
        // The k-th largest; a full sort would order what nobody asks for.
        let (_, &mut threshold, _) = hardness.select_nth_unstable_by(last, |a, b| b.total_cmp(a));
        let count = |is: fn(f64, f64) -> bool| hardness.iter().filter(|&&u| is(u, threshold)).count();
        let (above, tied) = (count(|u, t| u > t), count(|u, t| u == t));
        Self { hardness: threshold, share: (k - above) as f64 / tied as f64, limit }
    }

    /// How much of a pixel counts: 0, 1, or its share of the last places.
    pub fn share(&self, hardness: f64) -> f64 {
        if hardness > self.hardness || hardness > self.limit {
            1.0
        } else if hardness == self.hardness {
            self.share
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(of: &[f64]) -> Ranking {
        Ranking::new(of.iter().map(|&hardness| Scored { hardness, class: 0, weight: 1.0 }).collect())
    }

    #[test]
    fn the_hardest_are_kept_and_ties_share() {
        let threshold = Threshold::new(&ranking(&[0.1, 3.0, 2.0, 2.0, 2.0]), 2, f64::INFINITY);
        assert_eq!([3.0, 2.0, 0.1].map(|u| threshold.share(u)), [1.0, 1.0 / 3.0, 0.0]);
        let confident = Threshold::new(&ranking(&[0.1, 3.0, 2.0, 1.0]), 1, 1.5);
        assert_eq!([3.0, 2.0, 1.0].map(|u| confident.share(u)), [1.0, 1.0, 0.0]);
    }
}
