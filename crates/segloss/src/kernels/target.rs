//! Targets that are distributions: read, checked and added up by registers.

use super::block::{Block, no_class, reserve};
use super::plane::{Plane, SumsByClass, steps};
use super::staging::Place;
use crate::simd::{InstructionSets, Kernel, Simd, Vector};

/// What the shares of a pixel must satisfy besides lying in [0, 1].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShareRules {
    /// How far from 1 they may sum; none if each is a problem of its own.
    pub sum: Option<f64>,
    /// Each is 0 or 1.
    pub hard: bool,
    /// Of hard ones at most one is 1.
    pub exclusive: bool,
}

impl<T: InstructionSets> Block<T> {
    /// Reads the share of each class, 0 where the label says that a pixel does not count.
    pub fn load_shares(&mut self, rows: &[T], place: Place<'_>) {
        let mut y = std::mem::take(&mut self.y);
        reserve(&mut y, self.z.len());
        self.load_planes(rows, place, &mut y);
        self.y = y;
    }

    /// Makes labels of shares if each pixel is wholly of one class: a one-hot target is its indices, to the bit.
    pub fn label_whole_shares(&mut self) {
        let Self { set, y, label, .. } = self;
        self.is_soft = !set.run(LabelWholeShares { y, label });
    }

    /// Adds the shares to the sums of their classes; false if one breaks a rule.
    pub fn add_shares(&self, rules: ShareRules, sums: &mut SumsByClass) -> bool {
        let Self { set, y, label, .. } = self;
        set.run(AddShares { y, label, rules, sums })
    }
}

/// See [`Block::label_whole_shares`].
struct LabelWholeShares<'a, T> {
    y: &'a [Plane<T>],
    label: &'a mut Plane<T>,
}

impl<T: InstructionSets> Kernel<T> for LabelWholeShares<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) -> bool {
        let Self { y, label } = self;
        let none = simd.splat(T::of_class(no_class(y.len())));
        let (zero, one) = (simd.constant(0.0), simd.constant(1.0));
        let mut found = *label;
        let mut violation = zero;
        for at in steps::<S, 1>() {
            let counts = simd.load(&label[at..]).differs(none);
            // The only class that is raised, how many are, and by how much.
            let (mut class, mut raised, mut sum) = (zero, zero, zero);
            for (c, y) in y.iter().enumerate() {
                let y = simd.load(&y[at..]);
                let is_raised = y.differs(zero);
                class = Vector::select(is_raised, simd.splat(T::of_class(c)), class);
                raised = raised.add_where(is_raised, one);
                sum = sum + y;
            }
            if y.len() == 1 {
                // A single channel tells two labels apart, and its share of 1 is label 1.
                (class, raised, sum) = (sum, one, Vector::select(sum.equal(zero), one, sum));
            }
            let is_whole = Vector::select(raised.equal(one), sum, zero);
            violation =
                Vector::select(counts, Vector::select(is_whole.equal(one), violation, one), violation);
            Vector::select(counts, class, none).store(&mut found[at..]);
        }
        let is_whole = !simd.any(violation.differs(zero));
        if is_whole {
            *label = found;
        }
        is_whole
    }
}

/// See [`Block::add_shares`].
struct AddShares<'a, T> {
    y: &'a [Plane<T>],
    label: &'a Plane<T>,
    rules: ShareRules,
    sums: &'a mut SumsByClass,
}

impl<T: InstructionSets> Kernel<T> for AddShares<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd<Real = T>>(self, simd: S) -> bool {
        let Self { y, label, rules, sums } = self;
        let none = simd.splat(T::of_class(no_class(y.len())));
        let (zero, one) = (simd.constant(0.0), simd.constant(1.0));
        let mut total = Plane::of(T::zero());
        // Above 0, or NaN, as soon as something is wrong.
        let mut violation = zero;
        for (c, y) in y.iter().enumerate() {
            let sums = sums.of(c);
            for at in steps::<S, 1>() {
                let y = simd.load(&y[at..]);
                // At most 0 in [0, 1] alone, and 0 at its ends alone.
                let outside = y * (y - one);
                violation = violation
                    + match rules.hard {
                        true => Vector::select(outside.equal(zero), zero, one),
                        false => outside.max(zero),
                    };
                (simd.load(&total[at..]) + y).store(&mut total[at..]);
                y.add_to(sums, at);
            }
        }
        for at in steps::<S, 1>() {
            let counts = simd.load(&label[at..]).differs(none);
            let excess = Vector::select(counts, simd.load(&total[at..]) - one, zero);
            if let Some(tolerance) = rules.sum {
                violation = violation + (excess.max(excess.neg()) - simd.constant(tolerance)).max(zero);
            }
            if rules.exclusive {
                violation = violation + excess.max(zero);
            }
        }
        !simd.any(violation.differs(zero))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Geometry;
    use crate::layout::Layout;
    use crate::simd::{InstructionSet, Real};

    /// The shares of a pixel, of `classes` classes, without a mask, as a block.
    fn block(set: InstructionSet, row: &[f32]) -> Block<f32> {
        let geometry = Geometry::new("test", &[1, 1, row.len()], Layout::ChannelsLast).unwrap();
        let place = Place { geometry: &geometry, image: 0, first: 0, offset: 0, pixels: 1 };
        let mut block = Block::new(set.available(), row.len());
        block.label = Plane::of(f32::of_class(no_class(row.len())));
        block.label[0] = 0.0;
        block.load_shares(row, place);
        block
    }

    #[test]
    fn a_row_with_a_single_one_is_a_label() {
        let rows: [(&[f32], Option<f32>); 9] = [
            (&[0.0, 0.0, 1.0], Some(2.0)),
            (&[1.0, 0.0, 0.0], Some(0.0)),
            (&[0.0, 1.0, 1.0], None),
            (&[0.0, 0.0, 0.0], None),
            (&[0.5, 0.5, 0.0], None),
            (&[0.0, 0.999, 0.0], None),
            (&[1.0], Some(1.0)),
            (&[0.0], Some(0.0)),
            (&[0.5], None),
        ];
        for (row, label) in rows {
            for set in InstructionSet::ALL {
                let mut block = block(set, row);
                block.label_whole_shares();
                assert_eq!((!block.is_soft).then_some(block.label[0]), label, "{row:?} {set:?}");
                assert_eq!(block.label[1], f32::of_class(no_class(row.len())));
            }
        }
    }

    #[test]
    fn what_breaks_a_rule_is_seen() {
        let free = ShareRules { sum: None, hard: false, exclusive: false };
        let softmax = ShareRules { sum: Some(0.01), ..free };
        let hard = ShareRules { hard: true, ..free };
        let exclusive = ShareRules { exclusive: true, ..hard };
        let rows: [(&[f32], ShareRules, bool); 16] = [
            (&[0.25, 0.75, 0.0], softmax, true),
            (&[0.25, 0.745, 0.0], softmax, true),
            (&[0.25, 0.7, 0.0], softmax, false),
            (&[0.25, 0.8, 0.0], softmax, false),
            (&[0.25, 0.8, 0.0], free, true),
            (&[-0.25, 0.75, 0.5], softmax, false),
            (&[-1e-38, 1.0, 0.0], free, false),
            (&[1.0, 1.0000001, 0.0], free, false),
            (&[f32::NAN, 0.0, 0.0], free, false),
            (&[f32::NAN, 0.0, 0.0], hard, false),
            (&[0.0, f32::INFINITY, 0.0], free, false),
            (&[f32::NEG_INFINITY, f32::INFINITY, 0.0], softmax, false),
            (&[1.0, 1.0, 0.0], hard, true),
            (&[1.0, 1.0, 0.0], exclusive, false),
            (&[1.0, 1e-40, 0.0], hard, false),
            (&[0.0, 0.0, 0.0], exclusive, true),
        ];
        for (row, rules, fits) in rows {
            for set in InstructionSet::ALL {
                let mut sums = SumsByClass::zeros(row.len());
                assert_eq!(block(set, row).add_shares(rules, &mut sums), fits, "{row:?} {rules:?} {set:?}");
                if fits {
                    let sums: Vec<f64> = sums.totals().collect();
                    assert_eq!(sums, row.iter().map(|&y| f64::from(y)).collect::<Vec<_>>());
                }
            }
        }
    }
}
