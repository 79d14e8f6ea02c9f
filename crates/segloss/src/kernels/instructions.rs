//! Which instructions the kernels may use: chosen at run time, so that one build is fast everywhere.

use super::vector::Vector;
#[cfg(target_arch = "x86_64")]
use super::x86::{F32x8, F32x16, F64x4, F64x8};
use crate::element::Element;

/// The instructions that the vectorised part of a loss is computed with.
///
/// A [`Loss`](crate::Loss) takes the [best](Self::best) that the machine has. Within a set all bits of a result are the same, for
/// any number of threads. [`Avx2`](Self::Avx2) and [`Avx512`](Self::Avx512) give the same bits, too: both fuse a product and a sum into one
/// rounding, and no sum depends on how many numbers a register holds. [`Portable`](Self::Portable) may differ in the last places:
/// on x86-64 it rounds twice there, and everywhere it computes exponentials of f32 without a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum InstructionSet {
    /// What every machine has that the build is for.
    Portable,
    /// AVX2 and FMA: x86-64 since 2013.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: x86-64 servers since 2017, Zen since 2022.
    Avx512,
}

impl InstructionSet {
    /// All of them, the plainest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("fma")
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The best that this machine has.
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|set| set.is_available()).unwrap_or(Self::Portable)
    }

    /// As options and reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Runs a kernel with these instructions; with the portable ones where the machine lacks them.
    pub(crate) fn run<T: Element, K: Kernel<T>>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `is_available` has just found every feature that the function is compiled for.
            Self::Avx2 if self.is_available() => unsafe { avx2(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 if self.is_available() => unsafe { avx512(kernel) },
            _ => kernel.run::<T::Portable>(),
        }
    }
}

/// A loop that is compiled for every instruction set. What it calls must be inlined into it, or be compiled for the
/// portable one: hence `#[inline(always)]` on `run` and on all below it.
pub(crate) trait Kernel<T> {
    type Output;

    fn run<V: Vector<Real = T>>(self) -> Self::Output;
}

/// The registers that a number type lies in.
pub trait Registers: Sized {
    /// Of every machine.
    type Portable: Vector<Real = Self>;
    /// Of AVX2.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Real = Self>;
    /// Of AVX-512.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Real = Self>;
}

impl Registers for f32 {
    type Portable = wide::f32x4;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = F32x8;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = F32x16;
}

impl Registers for f64 {
    type Portable = wide::f64x2;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = F64x4;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = F64x8;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<T: Element, K: Kernel<T>>(kernel: K) -> K::Output {
    kernel.run::<T::Avx2>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn avx512<T: Element, K: Kernel<T>>(kernel: K) -> K::Output {
    kernel.run::<T::Avx512>()
}

#[cfg(test)]
mod tests {
    use super::super::block::PLACES;
    use super::*;

    fn available() -> impl Iterator<Item = InstructionSet> {
        InstructionSet::ALL.into_iter().filter(|set| set.is_available())
    }

    /// Rows of C numbers on their way to a register of each column and back, all of them numbered.
    struct Split<const C: usize>;

    impl<T: Element, const C: usize> Kernel<T> for Split<C> {
        type Output = Vec<(f64, f64)>;

        #[inline(always)]
        fn run<V: Vector<Real = T>>(self) -> Self::Output {
            let numbers: Vec<T> = (0..C * V::LANES).map(|number| T::of(number as f64)).collect();
            let mut rows = [V::splat(T::zero()); C];
            for (x, numbers) in rows.iter_mut().zip(numbers.chunks_exact(V::LANES)) {
                *x = V::load(numbers);
            }
            let columns = V::split_rows(rows);
            let back = V::join_rows(columns);
            let mut all = Vec::new();
            for (column, back) in columns.into_iter().zip(back) {
                let (mut c, mut b) = ([T::zero(); 16], [T::zero(); 16]);
                column.store(&mut c);
                back.store(&mut b);
                all.extend(c.into_iter().zip(b).map(|(c, b)| (c.wide(), b.wide())).take(V::LANES));
            }
            all
        }
    }

    fn splits<T: Element, const C: usize>() {
        for set in available() {
            let all = set.run::<T, _>(Split::<C>);
            let lanes = all.len() / C;
            for (at, (column, back)) in all.into_iter().enumerate() {
                let right = (at % lanes * C + at / lanes) as f64;
                assert!(
                    (column, back) == (right, at as f64),
                    "{set:?}, {C} classes: {column} and {back} at {at}"
                );
            }
        }
    }

    /// What a few classes need: which numbers a table has at 0, 1, 2 and beyond, and the sums of some lanes of two registers.
    struct FewClasses;

    impl<T: Element> Kernel<T> for FewClasses {
        type Output = (Vec<f64>, Vec<f64>);

        #[inline(always)]
        fn run<V: Vector<Real = T>>(self) -> Self::Output {
            let number = |at: usize| T::of(at as f64);
            let lanes: Vec<T> = (0..V::LANES).map(number).collect();
            let (label, x) = (V::load(&lanes), V::load(&lanes) + V::splat(T::one()));
            let mut found = [T::zero(); 16];
            label.lookup_few([number(10), number(20), number(30)]).store(&mut found);
            let mut places = [0.0; PLACES];
            let mut sums = V::no_sums();
            x.add_where_to(label.less(V::splat(number(3))), &mut sums, 0);
            x.add_where_to(label.differs(V::splat(number(1))), &mut sums, V::LANES);
            V::store_sums(sums, &mut places);
            (found[..V::LANES].iter().map(|x| x.wide()).collect(), places.to_vec())
        }
    }

    fn looks_up_and_adds<T: Element>() {
        for set in available() {
            let (found, sums) = set.run::<T, _>(FewClasses);
            let mut right = [0.0; PLACES];
            let lanes = found.len();
            for (lane, found) in found.into_iter().enumerate() {
                assert!(found == [10.0, 20.0, 30.0].get(lane).copied().unwrap_or(0.0), "{set:?}: {found}");
                right[lane % PLACES] += if lane < 3 { (lane + 1) as f64 } else { 0.0 };
                right[(lanes + lane) % PLACES] += if lane != 1 { (lane + 1) as f64 } else { 0.0 };
            }
            assert!(sums == right, "{set:?}: {sums:?}, not {right:?}");
        }
    }

    #[test]
    fn few_numbers_are_looked_up_and_lanes_are_added_to_their_places() {
        looks_up_and_adds::<f32>();
        looks_up_and_adds::<f64>();
    }

    #[test]
    fn rows_become_registers_of_columns_and_rows_again() {
        splits::<f32, 2>();
        splits::<f32, 3>();
        splits::<f32, 4>();
        splits::<f64, 2>();
        splits::<f64, 3>();
        splits::<f64, 4>();
    }

    /// Rows on their way to columns and back, `width` numbers apart.
    struct Transposed<'a, T> {
        rows: &'a [T],
        width: usize,
    }

    impl<T: Element> Kernel<T> for Transposed<'_, T> {
        type Output = (Vec<Vec<T>>, Vec<T>);

        #[inline(always)]
        fn run<V: Vector<Real = T>>(self) -> Self::Output {
            let columns = V::columns(self.rows, self.width);
            let mut back = vec![T::one(); self.rows.len()];
            V::put_columns(columns, &mut back, self.width);
            let lanes = columns.map(|column| {
                let mut lanes = vec![T::zero(); V::LANES];
                column.store(&mut lanes);
                lanes
            });
            (lanes.into(), back)
        }
    }

    fn transposes<T: Element>(set: InstructionSet) {
        for width in [1, 2, 3, 4, 5, 21] {
            let rows: Vec<T> = (0..15 * width + 4).map(|i| T::of(i as f64 + 0.5)).collect();
            let (columns, back) = set.run(Transposed { rows: &rows, width });
            for (c, column) in columns.iter().enumerate() {
                for (row, &x) in column.iter().enumerate() {
                    assert!(x == rows[row * width + c], "{set:?}, width {width}: column {c} of row {row}");
                    assert!(
                        x == back[row * width + c],
                        "{set:?}, width {width}: back, column {c} of row {row}"
                    );
                }
            }
            let written =
                |at: usize| (0..columns[0].len()).any(|row| (row * width..row * width + 4).contains(&at));
            assert!((0..rows.len()).all(|at| written(at) || back[at] == T::one()), "{set:?}, width {width}");
        }
    }

    #[test]
    fn columns_are_those_of_the_rows_and_rows_those_of_the_columns() {
        for set in available() {
            transposes::<f32>(set);
            transposes::<f64>(set);
        }
    }

    /// A register of the numbers from 0 on behind one of those from 100 on, by as many lanes as there may be.
    struct Behind;

    impl<T: Element> Kernel<T> for Behind {
        type Output = Vec<Vec<T>>;

        #[inline(always)]
        fn run<V: Vector<Real = T>>(self) -> Self::Output {
            let from = |first: usize| (first..first + V::LANES).map(|i| T::of(i as f64)).collect::<Vec<T>>();
            let (before, after) = (V::load(&from(100)), V::load(&from(0)));
            let mut all = Vec::new();
            for lanes in 0..V::LANES {
                let mut both = vec![T::zero(); V::LANES];
                after.behind(before, lanes).store(&mut both);
                all.push(both);
            }
            all
        }
    }

    fn is_behind<T: Element>(set: InstructionSet) {
        let all: Vec<Vec<T>> = set.run(Behind);
        let count = all.len();
        for (lanes, both) in all.into_iter().enumerate() {
            let right = (100 + count - lanes..100 + count).chain(0..count - lanes);
            assert!(both.into_iter().eq(right.map(|i| T::of(i as f64))), "{set:?}, {lanes} of {count} lanes");
        }
    }

    #[test]
    fn a_register_is_put_behind_another_one() {
        for set in available() {
            is_behind::<f32>(set);
            is_behind::<f64>(set);
        }
    }
}
