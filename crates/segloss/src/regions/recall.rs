//! What the recall loss counts in a region.

use crate::counts::share;

/// The sums of a region by class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recalls {
    /// Σ m·y_c.
    pub mass: Vec<f64>,
    /// Σ m·y_c where another class has the first largest logit.
    pub missed: Vec<f64>,
    /// Σ m·w_c·y_c·(−ln p_c).
    pub loss: Vec<f64>,
}

impl Recalls {
    pub fn add(&mut self, other: Self) {
        let add =
            |sums: &mut [f64], terms: Vec<f64>| sums.iter_mut().zip(terms).for_each(|(sum, x)| *sum += x);
        add(&mut self.mass, other.mass);
        add(&mut self.missed, other.missed);
        add(&mut self.loss, other.loss);
    }

    /// 1 − R_c; of a class without a pixel, 0.
    pub fn missed_share(&self, class: usize) -> f64 {
        share(self.missed[class], self.mass[class])
    }
}
