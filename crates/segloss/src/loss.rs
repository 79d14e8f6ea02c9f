//! A loss that can be computed: its specification, checked, what it has counted so far, and what it makes of labels.

use crate::counts::ClassCounts;
use crate::description::Description;
use crate::error::{Error, Problem};
use crate::kind::{Component, Structure};
use crate::kinds::Options;
use crate::label_counts::LabelCounts;
use crate::options::Source;
use crate::plan::Plan;
use crate::simd::InstructionSet;
use crate::spec::{LossSpec, Term};
use std::sync::Arc;

/// A loss, ready to be computed: a [`LossSpec`] whose options have been checked.
///
/// ```
/// use ndarray::array;
/// use segloss::{Input, Loss, Scheme, Target, WeightSpec};
///
/// let loss = Loss::cross_entropy()
///     .ignore_index(255)
///     .weights(WeightSpec::per_sample(Scheme::InverseFrequency))
///     .build()?;
/// let logits = array![[[2.0_f32, -1.0, 0.0, 1.0], [0.5, 0.0, 3.0, 1.0]]]; // (N, C, pixels)
/// let labels = array![[0_u8, 0, 1, 255]];                                 // (N, pixels)
/// let input = Input::new(logits.view(), Target::indices(labels.view()))?;
///
/// let mut gradient = vec![0.0_f32; logits.len()]; // reuse it from step to step
/// let result = loss.value_and_gradient(&input, &mut gradient)?;
/// assert_eq!(result.sums.valid_pixels, 3);
/// assert_eq!(result.effective_weights, array![[0.75, 1.5]]); // 1/(2·⅔), 1/(2·⅓)
/// assert_eq!(gradient[3], 0.0);                              // the ignored pixel
/// # Ok::<(), segloss::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// Shared with the plans and parts of this loss, which so know whose they are.
    description: Arc<Description>,
    /// (factor, loss) of a sum of losses.
    terms: Vec<(f64, Self)>,
    /// For `source = "ema"`.
    running: Option<ClassCounts>,
    instructions: InstructionSet,
}

impl Loss {
    /// Checks a specification.
    ///
    /// # Errors
    /// [`Problem::Option`](crate::Problem::Option) with the key, what it may be and what it is.
    pub fn new(spec: LossSpec) -> Result<Self, Error> {
        let spec = spec.expanded();
        spec.validate()?;
        Ok(Self::checked(spec))
    }

    /// A loss whose specification has been checked, its terms included.
    fn checked(spec: LossSpec) -> Self {
        let plain = |spec, component| Self {
            description: Arc::new(Description { spec, component }),
            terms: Vec::new(),
            running: None,
            instructions: InstructionSet::best(),
        };
        let terms = match &spec.options {
            Options::Combined(_) => {
                // No term is asked for its layout: arrays are read as the combined loss lays them out.
                let outer = |loss: &LossSpec| {
                    let mut loss = LossSpec { ignore_index: spec.ignore_index, ..loss.clone() };
                    // Counts beside the terms are for those that ask for some.
                    spec.dataset.iter().for_each(|counts| loss.fill_dataset(counts));
                    loss
                };
                let term = |term: &Term| (term.factor, Self::checked(outer(&term.loss)));
                spec.terms.iter().map(term).collect()
            }
            options => {
                let component = |(i, of): (usize, Component)| (of.factor, plain(spec.clone(), Some((i, of))));
                options.components().into_iter().enumerate().map(component).collect()
            }
        };
        Self { terms, ..plain(spec, None) }
    }

    /// The same loss, computed with these instructions instead of the best that the machine has: to compare them.
    /// Where the machine lacks them, with the portable ones.
    #[must_use]
    pub fn with_instructions(mut self, instructions: InstructionSet) -> Self {
        self.instructions = instructions;
        self.terms =
            self.terms.into_iter().map(|(f, term)| (f, term.with_instructions(instructions))).collect();
        self
    }

    /// What the loss is computed with.
    pub fn instructions(&self) -> InstructionSet {
        self.instructions
    }

    /// The specification.
    pub fn spec(&self) -> &LossSpec {
        &self.description.spec
    }

    /// Adds a batch to the running class counts of `source = "ema"`, for weights and priors: once a training
    /// step, before its loss. Everything else leaves a loss as it is, so that values can be computed again. A batch
    /// of another number of classes begins the average anew.
    ///
    /// ```
    /// # use segloss::{Input, Loss, Scheme, WeightSpec};
    /// let weights = WeightSpec::running(Scheme::InverseFrequency, 0.99);
    /// let mut loss = Loss::cross_entropy().weights(weights).build()?;
    /// let input = Input::from_slices(&[0.0_f32, 1.0, 0.5, 0.0], &[2, 2], &[0_u8, 1])?;
    /// loss.update_running_counts(&loss.label_counts(&input)?.counts())?;
    /// # Ok::<(), segloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Problem::Option`](crate::Problem::Option) for counts that cannot be; the loss is left as it was.
    pub fn update_running_counts(&mut self, batch: &ClassCounts) -> Result<(), Error> {
        self.check_counts(batch)?;
        self.update_running(batch);
        Ok(())
    }

    fn update_running(&mut self, batch: &ClassCounts) {
        self.terms.iter_mut().for_each(|(_, term)| term.update_running(batch));
        let decay = self.description.spec.weights.decay;
        let running = self.running.as_ref().and_then(|running| running.decayed(decay, batch).ok());
        self.running = Some(running.unwrap_or_else(|| batch.clone()));
    }

    fn check_counts(&self, counts: &ClassCounts) -> Result<(), Error> {
        let problem = |(expected, found): (&str, String)| {
            let key = "running counts";
            self.description.error(Problem::Option { key, expected: expected.to_owned(), found })
        };
        counts.validate().map_err(problem)
    }

    /// Whether the loss depends on the batches so far: see [`Loss::update_running_counts`].
    pub fn needs_running_counts(&self) -> bool {
        [self.description.spec.weights.source, self.description.spec.prior().source].contains(&Source::Ema)
            || self.terms.iter().any(|(_, term)| term.needs_running_counts())
    }

    /// The running counts, those of terms included, to be kept with a model; empty before the first batch.
    pub fn running_counts(&self) -> Vec<ClassCounts> {
        let terms = self.terms.iter().flat_map(|(_, term)| term.running_counts());
        self.running.clone().into_iter().chain(terms).collect()
    }

    /// Goes on from the running counts of a loss with the same specification; with none, from where it is.
    ///
    /// # Errors
    /// [`Problem::RunningCounts`] if it is that of another loss, [`Problem::Option`] for counts that cannot be; this one is
    /// left as it was.
    pub fn restore_running_counts(&mut self, counts: &[ClassCounts]) -> Result<(), Error> {
        let (expected, found) = (self.number(), counts.len());
        if ![0, expected].contains(&found) {
            return Err(self.description.error(Problem::RunningCounts { expected, found }));
        }
        counts.iter().try_for_each(|counts| self.check_counts(counts))?;
        self.restore_from(&mut counts.iter());
        Ok(())
    }

    /// How many losses it is: itself and its terms.
    fn number(&self) -> usize {
        1 + self.terms.iter().map(|(_, term)| term.number()).sum::<usize>()
    }

    /// Takes one entry for each loss, as long as there are some.
    fn restore_from(&mut self, left: &mut std::slice::Iter<'_, ClassCounts>) {
        if let Some(counts) = left.next() {
            self.running = Some(counts.clone());
        }
        self.terms.iter_mut().for_each(|(_, term)| term.restore_from(left));
    }

    /// Makes weights and denominator from the label counts of the whole scope: the second of the three
    /// steps to the value of pixels that do not come all at once: see [`Loss::part`].
    ///
    /// # Errors
    /// [`Problem::PerClass`] for fixed weights of another number of classes, [`Problem::NoDataset`].
    pub fn plan(&self, labels: &LabelCounts) -> Result<Plan, Error> {
        let plan = self.plan_of(labels)?;
        Ok(plan.remembering(labels.clone()))
    }

    /// The same, which does not remember the labels.
    pub(crate) fn plan_of(&self, labels: &LabelCounts) -> Result<Plan, Error> {
        let terms = self.terms.iter().map(|(_, term)| term.plan_of(labels)).collect::<Result<_, _>>()?;
        Plan::new(&self.description, self.running.as_ref(), labels, terms)
    }

    /// The specification, and which part of its kind it is.
    pub(crate) fn description(&self) -> &Arc<Description> {
        &self.description
    }

    pub(crate) fn terms(&self) -> &[(f64, Self)] {
        &self.terms
    }

    /// Whether the value is a sum over pixels, so that [`Loss::part`] gives its gradient at once; for every other loss
    /// [`Loss::part_gradient`] does, once all parts are combined.
    pub fn is_additive(&self) -> bool {
        match self.terms.is_empty() {
            true => self.description.structure() == Structure::Pixels,
            false => self.terms.iter().all(|(_, term)| term.is_additive()),
        }
    }
}
