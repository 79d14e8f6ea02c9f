//! Registers of every machine: short arrays, of which the compiler makes what vectors there are.

use super::vector::Vector;
use crate::element::Element;
use std::array::from_fn;
use std::ops::{Add, Div, Mul, Sub};

/// Four numbers: a register of the least x86-64, or of NEON, for f32.
#[derive(Clone, Copy, Debug)]
pub struct Array<T>([T; 4]);

macro_rules! operators {
    ($($name:ident $function:ident),*) => { $(
        impl<T: Element> $name for Array<T> {
            type Output = Self;

            #[inline(always)]
            fn $function(self, other: Self) -> Self {
                Self(from_fn(|i| self.0[i].$function(other.0[i])))
            }
        }
    )* };
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl<T: Element> Vector for Array<T> {
    type Real = T;
    type Mask = [bool; 4];
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(x: T) -> Self {
        Self([x; 4])
    }

    #[inline(always)]
    fn load(from: &[T]) -> Self {
        Self(from_fn(|i| from[i]))
    }

    #[inline(always)]
    fn store(self, to: &mut [T]) {
        to[..4].copy_from_slice(&self.0);
    }

    /// As a product and a sum: without an instruction for both, a fused one would be a call for every number.
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self * b + c
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.map(T::sqrt))
    }

    #[inline(always)]
    fn add_to(self, sums: &mut [f64]) {
        let sums = &mut sums[..4];
        sums.iter_mut().zip(self.0).for_each(|(sum, x)| *sum += x.wide());
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self::select(self.less(other), other, self)
    }

    #[inline(always)]
    fn less(self, other: Self) -> [bool; 4] {
        from_fn(|i| self.0[i] < other.0[i])
    }

    #[inline(always)]
    fn equal(self, other: Self) -> [bool; 4] {
        from_fn(|i| self.0[i] == other.0[i])
    }

    #[inline(always)]
    fn differs(self, other: Self) -> [bool; 4] {
        self.equal(other).map(|equal| !equal)
    }

    #[inline(always)]
    fn any(mask: [bool; 4]) -> bool {
        mask.into_iter().fold(false, |any, lane| any | lane)
    }

    #[inline(always)]
    fn select(mask: [bool; 4], yes: Self, no: Self) -> Self {
        Self(from_fn(|i| if mask[i] { yes.0[i] } else { no.0[i] }))
    }

    #[inline(always)]
    fn scale(self, n: Self) -> Self {
        Self(from_fn(|i| self.0[i].scale(n.0[i])))
    }

    #[inline(always)]
    fn split(self) -> (Self, Self, Self) {
        let parts: [(T, T, T); 4] = from_fn(|i| self.0[i].split());
        (Self(parts.map(|(k, ..)| k)), Self(parts.map(|(_, m, _)| m)), Self(parts.map(|(.., scale)| scale)))
    }
}
