//! What the judges know of the drawn cases, whoever is judged: worked out once, for every check that asks and for
//! every implementation after the first.

use crate::compare::largest;
use crate::finite_difference::{Derivative, by_one, ridders};
use crate::implementation::{Implementation, Misreading};
use crate::number::Number;
use crate::number::big::Big;
use crate::textbook::{self, Answer, Textbook};
use crate::tolerance::GRADIENT_F64;
use rayon::prelude::*;
use segloss::{LossSpec, Options};
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
    misreading: Option<Misreading>,
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
        self.misreading.map_or_else(|| case.clone(), |misreading| misreading.of(case))
    }

    /// The cases of the matrix, in its order.
    pub fn get(&self) -> &[Exact] {
        self.cases.get_or_init(|| self.matrix().into_par_iter().map(|case| self.exact(case)).collect())
    }

    /// The same cases with their finite differences.
    pub fn differences(&self) -> &[(Case, Vec<Derivative>)] {
        self.differences.get_or_init(|| {
            let with = |case: Case| {
                let derivatives = differentiate(&self.read(&case));
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

/// ∂value/∂z for every logit, by finite differences.
fn differentiate(case: &Case) -> Vec<Derivative> {
    let (textbook, h) = (Textbook::of(case), step(&case.spec));
    let slope = |i: usize| {
        let mut z = case.logits.clone();
        ridders(by_one(&mut z, |z| &mut z[i], |z| textbook.at(z).value), case.logits[i], h)
    };
    (0..case.logits.len()).map(slope).collect()
}

/// Half-width of the largest step. S1 must stay where it is defined; LDAM looks at the logits through its scale.
fn step(spec: &LossSpec) -> f64 {
    let own = match &spec.options {
        Options::DocumentBinary(_) => 0.2,
        Options::Ldam(options) => 1.0 / options.scale,
        _ => 0.5,
    };
    spec.terms().iter().map(|term| step(&term.loss)).fold(own, f64::min)
}

/// Whether the derivatives, by their own estimate, may be off by as much as is being looked for. An estimate is no
/// bound: it is trusted to a factor of three.
pub fn are_unsure(derivatives: &[Derivative]) -> bool {
    let error = largest(derivatives.iter().map(|d| d.error));
    // Where all slopes are 0 nothing is known of them: 0/0 is unsure.
    !(3.0 * error / largest(derivatives.iter().map(|d| d.value.abs())) <= GRADIENT_F64.bound)
}
