//! The drawn cases with their exact answers: worked out once, for every check that wants them.

use crate::case::Case;
use crate::matrix::{self, Effort};
use crate::number::Number;
use crate::number::big::Big;
use crate::textbook::{self, Answer};
use rayon::prelude::*;
use std::sync::OnceLock;

/// A case, and what the textbook makes of it in 320 bits, rounded once.
#[derive(Clone, Debug)]
pub struct Exact {
    /// The case.
    pub case: Case,
    /// Value, sums, map and weights.
    pub answer: Answer<f64>,
    /// ∂value/∂z.
    pub gradient: Vec<f64>,
}

/// All cases of a seed, worked out when first asked for.
#[derive(Debug)]
pub struct ExactCases {
    seed: u64,
    effort: Effort,
    /// The name of the only case that is wanted.
    only: Option<String>,
    cases: OnceLock<Vec<Exact>>,
}

impl ExactCases {
    /// Of a seed; of all its cases, or of the one with this name.
    pub fn new(seed: u64, effort: Effort, only: Option<String>) -> Self {
        Self { seed, effort, only, cases: OnceLock::new() }
    }

    /// The cases, in the order of the matrix.
    pub fn get(&self) -> &[Exact] {
        self.cases.get_or_init(|| {
            let wanted = |case: &Case| self.only.as_ref().is_none_or(|only| *only == case.name);
            let cases: Vec<Case> = matrix::cases(self.seed, self.effort).filter(wanted).collect();
            cases.into_par_iter().map(exact).collect()
        })
    }
}

fn exact(case: Case) -> Exact {
    let (answer, gradient) = textbook::answer_and_gradient::<Big>(&case);
    let gradient = gradient.iter().map(Big::to_f64).collect();
    Exact { answer: answer.rounded(), gradient, case }
}
