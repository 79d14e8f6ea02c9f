//! What the judges know of the drawn cases, whoever is judged: worked out once, for every check that asks and for
//! every implementation after the first.

use crate::finite_difference::Derivative;
use crate::implementation::Implementation;
use crate::number::Number;
use crate::number::big::Big;
use crate::textbook::{self, Answer};
use rayon::prelude::*;
use segloss_cases::{Case, Effort, matrix};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A case, and what the textbook makes of it in 320 bits, rounded once.
#[derive(Clone, Debug)]
pub struct Exact {
    /// The case.
    pub case: Case,
    /// Value, sums, map and weights.
    pub answer: Answer<f64>,
    /// ∂value/∂z.
    pub gradient: Vec<f64>,
    /// Map and gradient as `f32`, rounded once as well.
    pub narrow: (Vec<f32>, Vec<f32>),
}

/// All that is known of a seed's cases.
#[derive(Debug)]
pub struct ExactCases {
    seed: u64,
    effort: Effort,
    /// The name of the only case that is wanted.
    only: Option<String>,
    /// How the textbook misreads a case, and a gradient, where a planted bug has it so.
    misreading: Option<fn(&mut Case)>,
    false_rule: Option<fn(&Case, &mut [f64])>,
    cases: OnceLock<Vec<Exact>>,
    differences: OnceLock<Vec<(Case, Vec<Derivative>)>>,
    /// Cases that are not of the matrix, by name.
    others: Mutex<HashMap<String, Arc<Exact>>>,
}

impl ExactCases {
    /// Of a seed; of all its cases, or of the one with this name.
    pub fn new(seed: u64, effort: Effort, only: Option<String>) -> Self {
        let (cases, differences) = (OnceLock::new(), OnceLock::new());
        let (misreading, false_rule) = (None, None);
        Self { seed, effort, only, misreading, false_rule, cases, differences, others: Mutex::default() }
    }

    /// For an implementation that the textbook may share a misreading with.
    pub fn shared_with(self, implementation: &dyn Implementation) -> Self {
        Self { misreading: implementation.misreading(), false_rule: implementation.false_rule(), ..self }
    }

    /// The case as the textbook reads it: as it stands, unless a planted bug has it otherwise.
    pub fn read(&self, case: &Case) -> Case {
        let mut case = case.clone();
        if let Some(misread) = self.misreading {
            misread(&mut case);
        }
        case
    }

    /// The cases of the matrix, in its order.
    pub fn get(&self) -> &[Exact] {
        self.cases.get_or_init(|| self.matrix().into_par_iter().map(|case| self.exact(case)).collect())
    }

    /// The same cases with their finite differences.
    pub fn differences(&self, of: impl Fn(&Case) -> Vec<Derivative> + Sync) -> &[(Case, Vec<Derivative>)] {
        self.differences.get_or_init(|| {
            let with = |case: Case| {
                let derivatives = of(&self.read(&case));
                (case, derivatives)
            };
            self.matrix().into_par_iter().map(with).collect()
        })
    }

    /// Any other case; its name must say all about it.
    pub fn of(&self, case: &Case) -> Arc<Exact> {
        let known = |others: &HashMap<String, Arc<Exact>>| others.get(&case.name).cloned();
        // A panic elsewhere leaves the map whole: entries are put in whole.
        let lock = || self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(exact) = known(&lock()) {
            return exact;
        }
        let exact = Arc::new(self.exact(case.clone()));
        lock().entry(case.name.clone()).or_insert(exact).clone()
    }

    fn matrix(&self) -> Vec<Case> {
        let wanted = |case: &Case| self.only.as_ref().is_none_or(|only| *only == case.name);
        matrix::cases(self.seed, self.effort).filter(wanted).collect()
    }

    fn exact(&self, case: Case) -> Exact {
        let (answer, gradient) = textbook::answer_and_gradient::<Big>(&self.read(&case));
        let map = answer.map.as_deref().unwrap_or_default();
        let narrow = (
            map.iter().map(|entry| entry.value.to_f32()).collect(),
            gradient.iter().map(Big::to_f32).collect(),
        );
        let mut gradient: Vec<f64> = gradient.iter().map(Big::to_f64).collect();
        if let Some(rule) = self.false_rule {
            rule(&case, &mut gradient);
        }
        Exact { answer: answer.rounded(), gradient, narrow, case }
    }
}
