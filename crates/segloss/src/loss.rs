//! From logits and labels to value and gradient.
//!
//! One way for data: labels → [`Census`] → [`Plan`] (weights, denominator) → with the logits, tile by tile
//! → [`Part`]s → combined → [`Evaluation`], and back over the tiles → gradient.

use crate::census::{self, Census, Rules};
use crate::counts::ClassCounts;
use crate::element::{Element, SliceMut};
use crate::error::{Error, Problem};
use crate::geometry::Geometry;
use crate::input::{Input, TypedInput};
use crate::kind::{Component, Structure};
use crate::kinds::Options;
use crate::options::{Reduction, Source};
use crate::part::Part;
use crate::plan::Plan;
use crate::simd::InstructionSet;
use crate::spec::{LossSpec, Term};
use crate::sums::{ClassSums, Sums};
use crate::warning::Warning;
use ndarray::{Array2, ArrayD, IxDyn};

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
    spec: LossSpec,
    /// Which part of its kind it is, of a kind that is a sum of parts.
    component: Option<(usize, Component)>,
    /// (factor, loss) of a sum of losses.
    terms: Vec<(f64, Self)>,
    /// For `source = "ema"`.
    running: Option<ClassCounts>,
    instructions: InstructionSet,
}

/// The result of a loss over the whole of its scope.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Evaluation {
    /// numerator / denominator; 0 where there is nothing to divide by. NaN or ∞ only from
    /// `document_binary`, and then [`Warning::NonFinite`] says where.
    pub value: f64,
    /// The sums behind it, in total and class by class.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub sums: Sums,
    /// The weights in force, one row per scope: see [`Plan::effective_weights`].
    #[cfg_attr(feature = "serde", serde(serialize_with = "rows"))]
    pub effective_weights: Array2<f64>,
    /// What the caller should know.
    pub warnings: Vec<Warning>,
    /// The terms of a combined loss, before their factors.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub terms: Vec<Self>,
}

#[cfg(feature = "serde")]
fn rows<S: serde::Serializer>(table: &Array2<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(table.rows().into_iter().map(|row| row.to_vec()))
}

impl std::ops::Deref for Evaluation {
    type Target = Sums;

    fn deref(&self) -> &Sums {
        &self.sums
    }
}

impl Loss {
    /// Checks a specification.
    ///
    /// # Errors
    /// [`Problem::Option`] with the key, what it may be and what it is.
    pub fn new(spec: LossSpec) -> Result<Self, Error> {
        let spec = spec.expanded();
        spec.validate()?;
        Ok(Self::checked(spec))
    }

    /// A loss whose specification has been checked, its terms included.
    fn checked(spec: LossSpec) -> Self {
        let plain = |spec, component| Self {
            spec,
            component,
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
        &self.spec
    }

    /// Adds a batch to the running class counts of `source = "ema"`, for weights and priors: once a training
    /// step, before its loss. Everything else leaves a loss as it is, so that values can be computed again.
    ///
    /// ```
    /// # use segloss::{Input, Loss, Scheme, WeightSpec};
    /// let weights = WeightSpec::running(Scheme::InverseFrequency, 0.99);
    /// let mut loss = Loss::cross_entropy().weights(weights).build()?;
    /// let input = Input::from_slices(&[0.0_f32, 1.0, 0.5, 0.0], &[2, 2], &[0_u8, 1])?;
    /// loss.observe(&loss.census(&input)?.counts());
    /// # Ok::<(), segloss::Error>(())
    /// ```
    pub fn observe(&mut self, batch: &ClassCounts) {
        self.terms.iter_mut().for_each(|(_, term)| term.observe(batch));
        self.running = Some(match &self.running {
            Some(running) if running.classes() == batch.classes() => {
                running.decayed(self.spec.weights.decay, batch)
            }
            _ => batch.clone(),
        });
    }

    /// Whether the loss depends on what it has [observed](Self::observe).
    pub fn needs_history(&self) -> bool {
        [self.spec.weights.source, self.spec.prior().source].contains(&Source::Ema)
            || self.terms.iter().any(|(_, term)| term.needs_history())
    }

    /// The running counts, those of terms included, to be kept with a model; empty before the first batch.
    pub fn history(&self) -> Vec<ClassCounts> {
        let terms = self.terms.iter().flat_map(|(_, term)| term.history());
        self.running.clone().into_iter().chain(terms).collect()
    }

    /// Goes on from the history of a loss with the same specification. Returns whether it is one.
    #[must_use]
    pub fn restore(&mut self, history: &[ClassCounts]) -> bool {
        let mut left = history.iter();
        let fits = history.is_empty() || self.restore_from(&mut left);
        fits && left.next().is_none()
    }

    fn restore_from(&mut self, history: &mut std::slice::Iter<'_, ClassCounts>) -> bool {
        self.running = history.next().cloned();
        self.running.is_some() && self.terms.iter_mut().all(|(_, term)| term.restore_from(history))
    }

    /// The value alone.
    ///
    /// # Errors
    /// Shapes that do not fit, a label out of range, a distribution entry or the logit of a valid pixel
    /// that is not a number, weights for another number of classes: each with its first position.
    pub fn value<T: Element>(&self, input: &Input<'_, T>) -> Result<Evaluation, Error> {
        self.whole(input, None, None)
    }

    /// The value, and its derivative by every logit written into `gradient` (overwritten; the logits'
    /// length and layout; 0 at ignored pixels).
    ///
    /// # Errors
    /// As [`Loss::value`], and [`Problem::Length`] for a gradient buffer of another size. After an error
    /// the buffer's contents are unspecified.
    pub fn value_and_gradient<T: Element>(
        &self,
        input: &Input<'_, T>,
        gradient: &mut [T],
    ) -> Result<Evaluation, Error> {
        self.whole(input, Some(gradient), None)
    }

    /// The value and the map of weighted losses before any sum: (N, spatial…), or the shape of the logits
    /// for the sigmoid kinds, whose every channel has its own. Ignored pixels hold 0.
    ///
    /// # Errors
    /// As [`Loss::value`]; [`Problem::NoMap`] for a kind that is no sum over pixels
    /// ([`Kind::is_additive`](crate::Kind::is_additive)).
    pub fn map<T: Element>(&self, input: &Input<'_, T>) -> Result<(Evaluation, ArrayD<T>), Error> {
        if self.structure() != Structure::Pixels {
            return Err(self.error(Problem::NoMap));
        }
        let geometry = self.geometry(input)?;
        let shape = if self.spec.has_pairs() { geometry.full_shape() } else { geometry.pixel_shape() };
        let mut map = ArrayD::from_elem(IxDyn(&shape), T::zero());
        let evaluation = self.whole(input, None, map.as_slice_mut())?;
        Ok((evaluation, map))
    }

    /// Counts the labels of a part: the first of three steps for a loss whose pixels do not come all at
    /// once. Censuses of tiles and of images join; see [`Loss::part`].
    ///
    /// # Errors
    /// As [`Loss::value`], as far as shapes and labels go.
    pub fn census<T: Element>(&self, input: &Input<'_, T>) -> Result<Census, Error> {
        match input.typed() {
            TypedInput::F32(input) => self.census_of(&input),
            TypedInput::F64(input) => self.census_of(&input),
        }
    }

    /// Makes weights and denominator from the census of the whole scope: the second step.
    ///
    /// # Errors
    /// [`Problem::PerClass`] for fixed weights of another number of classes, [`Problem::NoDataset`].
    pub fn plan(&self, census: &Census) -> Result<Plan, Error> {
        Plan::new(self, census)
    }

    /// Computes one part, the last step: its value, and the gradient of a kind that is a sum over pixels.
    /// That gradient is of the *whole* value: parts need no rescaling, and put side by side they have the
    /// same bits as if computed at once. For every other kind see [`Loss::part_gradient`].
    ///
    /// ```
    /// # use segloss::{Input, Loss, Scheme, WeightSpec};
    /// let weights = WeightSpec::per_batch(Scheme::InverseFrequency);
    /// let loss = Loss::cross_entropy().weights(weights).build()?;
    /// let logits = [1.0_f64, -0.5, 0.25, 2.0, 0.0, 1.0, -3.0, 0.5]; // (N, C) = (4, 2)
    /// let labels = [0_u8, 1, 1, 0];
    /// let whole = loss.value(&Input::from_slices(&logits, &[4, 2], &labels)?)?;
    ///
    /// let first = Input::from_slices(&logits[..6], &[3, 2], &labels[..3])?;
    /// let last = Input::from_slices(&logits[6..], &[1, 2], &labels[3..])?;
    /// let plan = loss.plan(&loss.census(&first)?.join_images(&loss.census(&last)?))?;
    /// let part = loss.part(&first, &plan.images(0..3), None)?;
    /// let all = part.combine(loss.part(&last, &plan.images(3..4), None)?);
    /// assert!((loss.finish(&plan, &all).value - whole.value).abs() <= 1e-15);
    /// # Ok::<(), segloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Loss::value_and_gradient`]; [`Problem::Plan`] if the plan is for other images;
    /// [`Problem::NeedsTotals`] for the gradient of a kind that is no sum over pixels.
    pub fn part<T: Element>(
        &self,
        input: &Input<'_, T>,
        plan: &Plan,
        gradient: Option<&mut [T]>,
    ) -> Result<Part, Error> {
        if gradient.is_some() && !self.is_additive() {
            return Err(self.error(Problem::NeedsTotals));
        }
        match input.typed() {
            TypedInput::F32(input) => self.part_of(&input, plan, in_f32(gradient)),
            TypedInput::F64(input) => self.part_of(&input, plan, in_f64(gradient)),
        }
    }

    /// The gradient of one part, once all parts are combined: of every kind. The pixels are read a second
    /// time, because an overlap, or the place of an error in a sort, is known only at the end.
    ///
    /// ```
    /// # use segloss::{Input, Loss};
    /// let loss = Loss::dice().build()?;
    /// let logits = [1.0_f64, -0.5, 0.25, 2.0, 0.0, 1.0, -3.0, 0.5]; // (N, C) = (4, 2)
    /// let labels = [0_u8, 1, 1, 0];
    /// let first = Input::from_slices(&logits[..6], &[3, 2], &labels[..3])?;
    /// let last = Input::from_slices(&logits[6..], &[1, 2], &labels[3..])?;
    /// let plan = loss.plan(&loss.census(&first)?.join_images(&loss.census(&last)?))?;
    /// let all = loss.part(&first, &plan.images(0..3), None)?;
    /// let all = all.combine(loss.part(&last, &plan.images(3..4), None)?);
    ///
    /// let mut gradient = [0.0; 6];
    /// loss.part_gradient(&first, &plan.images(0..3), &all, &mut gradient)?;
    /// # Ok::<(), segloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Loss::part`].
    pub fn part_gradient<T: Element>(
        &self,
        input: &Input<'_, T>,
        plan: &Plan,
        all: &Part,
        gradient: &mut [T],
    ) -> Result<(), Error> {
        match input.typed() {
            TypedInput::F32(input) => self.part_gradient_of(&input, plan, all, in_f32(Some(gradient))),
            TypedInput::F64(input) => self.part_gradient_of(&input, plan, all, in_f64(Some(gradient))),
        }
    }

    /// The value of all parts together.
    pub fn finish(&self, plan: &Plan, all: &Part) -> Evaluation {
        self.evaluation(plan, self.resolve(plan, all))
    }

    pub(crate) fn operation(&self) -> &'static str {
        self.spec.kind().name()
    }

    /// Which part of its kind it is; none if it is the whole.
    pub(crate) fn component(&self) -> Option<&(usize, Component)> {
        self.component.as_ref()
    }

    pub(crate) fn terms(&self) -> &[(f64, Self)] {
        &self.terms
    }

    pub(crate) fn running(&self) -> Option<&ClassCounts> {
        self.running.as_ref()
    }

    /// How it is computed.
    pub(crate) fn structure(&self) -> Structure {
        self.component.as_ref().map_or(self.spec.kind().structure(), |(_, component)| component.structure)
    }

    /// Whether the gradient of every pixel is known once it has been seen.
    pub(crate) fn is_additive(&self) -> bool {
        match self.terms.is_empty() {
            true => self.structure() == Structure::Pixels,
            false => self.terms.iter().all(|(_, term)| term.is_additive()),
        }
    }

    /// The reduction in force.
    pub(crate) fn reduction(&self) -> Reduction {
        // Of a kind that is a sum of parts, each is a mean.
        if self.component.is_some() { Reduction::Mean } else { self.spec.reduction() }
    }

    /// Whether all classes of a region make one ratio.
    pub(crate) fn is_pooled(&self) -> bool {
        self.spec.kind().is_pooled()
    }

    pub(crate) fn error(&self, problem: Problem) -> Error {
        Error { operation: self.operation(), problem }
    }

    /// Fits the arrays of an input to each other and to the loss.
    fn geometry<T: Element>(&self, input: &Input<'_, T>) -> Result<Geometry, Error> {
        let geometry = input.geometry(self.operation(), self.spec.layout)?;
        if geometry.classes == 1 {
            self.check_one_channel()?;
        }
        Ok(geometry)
    }

    fn check_one_channel(&self) -> Result<(), Error> {
        if matches!(self.spec.options, Options::Combined(_)) {
            return self.terms.iter().try_for_each(|(_, term)| term.check_one_channel());
        }
        if self.spec.is_sigmoid() {
            return Ok(());
        }
        Err(self.error(Problem::OneChannel { sigmoid: self.spec.kind().activation().is_none() }))
    }

    fn rules(&self) -> Rules {
        let own = self.spec.is_sigmoid();
        let hard = self.spec.kind().needs_hard_labels();
        let mut rules = Rules {
            operation: self.operation(),
            ignore_index: self.spec.ignore_index,
            softmax: !own,
            sigmoid: own,
            hard,
            exclusive: hard && !own,
            instructions: self.instructions,
        };
        if matches!(self.spec.options, Options::Combined(_)) {
            // A label must suit every term.
            (rules.softmax, rules.sigmoid) = (false, true);
            for (_, term) in &self.terms {
                let term = term.rules();
                rules.softmax |= term.softmax;
                rules.sigmoid &= term.sigmoid;
                rules.hard |= term.hard;
                rules.exclusive |= term.exclusive;
            }
        }
        rules
    }

    fn whole<T: Element>(
        &self,
        input: &Input<'_, T>,
        gradient: Option<&mut [T]>,
        map: Option<&mut [T]>,
    ) -> Result<Evaluation, Error> {
        match input.typed() {
            TypedInput::F32(input) => self.whole_of(&input, in_f32(gradient), in_f32(map)),
            TypedInput::F64(input) => self.whole_of(&input, in_f64(gradient), in_f64(map)),
        }
    }

    fn whole_of<T: Element>(
        &self,
        input: &Input<'_, T>,
        gradient: Option<&mut [T]>,
        map: Option<&mut [T]>,
    ) -> Result<Evaluation, Error> {
        let geometry = self.geometry(input)?;
        let census = census::take(input, &geometry, &self.rules())?;
        self.compute(input, &geometry, &census, gradient, map)
    }

    fn census_of<T: Element>(&self, input: &Input<'_, T>) -> Result<Census, Error> {
        let geometry = self.geometry(input)?;
        census::take(input, &geometry, &self.rules())
    }

    fn part_of<T: Element>(
        &self,
        input: &Input<'_, T>,
        plan: &Plan,
        gradient: Option<&mut [T]>,
    ) -> Result<Part, Error> {
        let geometry = self.geometry(input)?;
        let census = census::take(input, &geometry, &self.rules())?;
        self.compute_part(input, &geometry, &census, plan, gradient)
    }

    fn part_gradient_of<T: Element>(
        &self,
        input: &Input<'_, T>,
        plan: &Plan,
        all: &Part,
        gradient: Option<&mut [T]>,
    ) -> Result<(), Error> {
        let geometry = self.geometry(input)?;
        // Refuses labels that the pass would trip over.
        census::take(input, &geometry, &self.rules())?;
        self.compute_part_gradient(input, &geometry, plan, all, gradient.unwrap_or_default())
    }
}

/// Numbers that are known to be f32.
fn in_f32<T: Element>(out: Option<&mut [T]>) -> Option<&mut [f32]> {
    match T::slice_mut(out?) {
        SliceMut::F32(out) => Some(out),
        SliceMut::F64(_) => None,
    }
}

/// Numbers that are known to be f64.
fn in_f64<T: Element>(out: Option<&mut [T]>) -> Option<&mut [f64]> {
    match T::slice_mut(out?) {
        SliceMut::F64(out) => Some(out),
        SliceMut::F32(_) => None,
    }
}

impl Sums {
    /// The mean loss of each class: loss / weight, `None` for a class without weight.
    pub fn class_means(&self) -> Vec<Option<f64>> {
        let mean = |c: &ClassSums| (c.weight > 0.0).then(|| c.loss / c.weight);
        self.per_class.iter().map(mean).collect()
    }
}
