//! Which instructions the kernels may use: chosen at run time, so that one build is fast everywhere.

use super::{Real, Simd};

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

    /// The right to use it; to use the portable one where the machine lacks it.
    pub(crate) fn available(self) -> Available {
        Available(if self.is_available() { self } else { Self::Portable })
    }
}

/// An instruction set that the machine has been found to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Available(InstructionSet);

impl Available {
    /// Runs a kernel with these instructions.
    #[inline]
    pub fn run<T: InstructionSets, K: Kernel<T>>(self, kernel: K) -> K::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => {
                // SAFETY: `available` has found every feature that the function is compiled for, and that the token stands
                // for.
                unsafe { run_avx2(kernel) }
            }
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => {
                // SAFETY: as above.
                unsafe { run_avx512(kernel) }
            }
            _ => run_portable(kernel),
        }
    }
}

/// A loop that is compiled for every instruction set.
pub(crate) trait Kernel<T> {
    /// What it computes.
    type Output;

    /// Computes it. `#[inline(always)]`, with all that it calls.
    fn run<S: Simd<Real = T>>(self, simd: S) -> Self::Output;
}

/// A number type with the tokens of its instruction sets.
pub trait InstructionSets: Real {
    /// Of every machine.
    type Portable: Simd<Real = Self>;
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Simd<Real = Self>;
    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Simd<Real = Self>;
}

/// A function of its own, like those of the other sets: inlined, its registers would be saved for theirs.
#[inline(never)]
fn run_portable<T: InstructionSets, K: Kernel<T>>(kernel: K) -> K::Output {
    // SAFETY: every machine that the build is for has what the portable registers need.
    kernel.run(unsafe { T::Portable::new() })
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<T: InstructionSets, K: Kernel<T>>(kernel: K) -> K::Output {
    // SAFETY: this function is only called where the machine has the features that it is compiled for.
    kernel.run(unsafe { T::Avx2::new() })
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn run_avx512<T: InstructionSets, K: Kernel<T>>(kernel: K) -> K::Output {
    // SAFETY: as above.
    kernel.run(unsafe { T::Avx512::new() })
}

impl InstructionSets for f32 {
    type Portable = super::portable::Portable<f32>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = super::avx2::Avx2<f32>;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = super::avx512::Avx512<f32>;
}

impl InstructionSets for f64 {
    type Portable = super::portable::Portable<f64>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = super::avx2::Avx2<f64>;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = super::avx512::Avx512<f64>;
}

#[cfg(test)]
mod tests {
    use super::super::{COLUMNS, Vector};
    use super::*;

    /// Rows on their way to columns and back, `width` numbers apart.
    struct Transposed<'a, T> {
        rows: &'a [T],
        width: usize,
    }

    impl<T: InstructionSets> Kernel<T> for Transposed<'_, T> {
        type Output = (Vec<Vec<T>>, Vec<T>);

        #[inline(always)]
        fn run<S: Simd<Real = T>>(self, simd: S) -> Self::Output {
            let columns = simd.columns(self.rows, self.width);
            let mut back = vec![T::one(); self.rows.len()];
            S::Vector::put_columns(columns, &mut back, self.width);
            let lanes = columns.map(|column| {
                let mut lanes = vec![T::zero(); S::LANES];
                column.store(&mut lanes);
                lanes
            });
            (lanes.into(), back)
        }
    }

    fn transposes<T: InstructionSets>(set: InstructionSet) {
        for width in [1, 2, 3, 4, 5, 21] {
            let rows: Vec<T> = (0..15 * width + COLUMNS).map(|i| T::of(i as f64 + 0.5)).collect();
            let (columns, back) = set.available().run(Transposed { rows: &rows, width });
            for (c, column) in columns.iter().enumerate() {
                for (row, &x) in column.iter().enumerate() {
                    let at = row * width + c;
                    assert!(
                        x == rows[at] && x == back[at],
                        "{set:?}, width {width}: column {c} of row {row}"
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
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            transposes::<f32>(set);
            transposes::<f64>(set);
        }
    }
}
