//! From logits and labels to value and gradient: at once, or in three steps.
//!
//! One way for data: labels → [`LabelCounts`] → [`Plan`] (weights, denominator) → with the logits, tile by tile
//! → [`Part`]s → combined → [`Evaluation`], and back over the tiles → gradient.

use crate::element::{Element, SliceMut};
use crate::error::{Error, Problem};
use crate::evaluation::Evaluation;
use crate::geometry::Geometry;
use crate::input::{Input, TypedInput};
use crate::kind::Structure;
use crate::kinds::Options;
use crate::label_counts::{self, LabelCounts, Rules};
use crate::loss::Loss;
use crate::part::Part;
use crate::plan::Plan;
use ndarray::{ArrayD, IxDyn};

impl Loss {
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
        if self.description().structure() != Structure::Pixels {
            return Err(self.description().error(Problem::NoMap));
        }
        let geometry = self.geometry(input)?;
        let shape = if self.spec().has_pairs() { geometry.full_shape() } else { geometry.pixel_shape() };
        let mut map = ArrayD::from_elem(IxDyn(&shape), T::zero());
        let evaluation = self.whole(input, None, map.as_slice_mut())?;
        Ok((evaluation, map))
    }

    /// Counts the labels of a part: the first of three steps for a loss whose pixels do not come all at
    /// once. The counts of tiles and of images join; see [`Loss::part`].
    ///
    /// # Errors
    /// As [`Loss::value`], as far as shapes and labels go.
    pub fn label_counts<T: Element>(&self, input: &Input<'_, T>) -> Result<LabelCounts, Error> {
        self.label_counts_of(input.typed())
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
    /// let mut counts = loss.label_counts(&first)?;
    /// counts.join_images(loss.label_counts(&last)?)?;
    /// let plan = loss.plan(&counts)?;
    /// let mut all = loss.part(&first, &plan.images(0..3)?, None)?;
    /// all.combine(loss.part(&last, &plan.images(3..4)?, None)?)?;
    /// assert!((loss.finish(&plan, &all)?.value - whole.value).abs() <= 1e-15);
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
            return Err(self.description().error(Problem::NeedsTotals));
        }
        self.part_of(input.typed(), plan, gradient.map(T::slice_mut))
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
    /// let mut counts = loss.label_counts(&first)?;
    /// counts.join_images(loss.label_counts(&last)?)?;
    /// let plan = loss.plan(&counts)?;
    /// let mut all = loss.part(&first, &plan.images(0..3)?, None)?;
    /// all.combine(loss.part(&last, &plan.images(3..4)?, None)?)?;
    ///
    /// let mut gradient = [0.0; 6];
    /// loss.part_gradient(&first, &plan.images(0..3)?, &all, &mut gradient)?;
    /// # Ok::<(), segloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Loss::part`] and [`Loss::finish`].
    pub fn part_gradient<T: Element>(
        &self,
        input: &Input<'_, T>,
        plan: &Plan,
        all: &Part,
        gradient: &mut [T],
    ) -> Result<(), Error> {
        self.part_gradient_of(input.typed(), plan, all, T::slice_mut(gradient))
    }

    /// The value of all parts together.
    ///
    /// # Errors
    /// [`Problem::OtherLoss`] for parts, or a plan, of another loss; [`Problem::Incomplete`] or [`Problem::OtherLabels`]
    /// unless the parts together hold each pixel that the plan has counted, once; [`Problem::Mismatch`] for more images, or
    /// other classes.
    pub fn finish(&self, plan: &Plan, all: &Part) -> Result<Evaluation, Error> {
        self.check_part(plan, all)?;
        self.checked_evaluation(plan, self.resolve(plan, all))
    }

    /// Fits the arrays of an input to each other and to the loss.
    fn geometry<T: Element>(&self, input: &Input<'_, T>) -> Result<Geometry, Error> {
        let geometry = input.geometry(self.description().operation(), self.spec().layout)?;
        if geometry.classes == 1 {
            self.check_one_channel()?;
        }
        Ok(geometry)
    }

    fn check_one_channel(&self) -> Result<(), Error> {
        if matches!(self.spec().options, Options::Combined(_)) {
            return self.terms().iter().try_for_each(|(_, term)| term.check_one_channel());
        }
        if self.spec().is_sigmoid() {
            return Ok(());
        }
        Err(self
            .description()
            .error(Problem::OneChannel { sigmoid: self.spec().kind().activation().is_none() }))
    }

    fn rules(&self) -> Rules {
        let own = self.spec().is_sigmoid();
        let hard = self.spec().kind().needs_hard_labels();
        let mut rules = Rules {
            operation: self.description().operation(),
            ignore_index: self.spec().ignore_index,
            softmax: !own,
            sigmoid: own,
            hard,
            exclusive: hard && !own,
            instructions: self.instructions(),
        };
        if matches!(self.spec().options, Options::Combined(_)) {
            // A label must suit every term.
            (rules.softmax, rules.sigmoid) = (false, true);
            for (_, term) in self.terms() {
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
        self.whole_of(input.typed(), gradient.map(T::slice_mut), map.map(T::slice_mut))
    }
}

/// Not generic, so that all behind it is compiled here, once, and not by every crate that computes a loss.
impl Loss {
    fn whole_of(
        &self,
        input: TypedInput<'_>,
        gradient: Option<SliceMut<'_>>,
        map: Option<SliceMut<'_>>,
    ) -> Result<Evaluation, Error> {
        match input {
            TypedInput::F32(input) => self.evaluate(&input, in_f32(gradient), in_f32(map)),
            TypedInput::F64(input) => self.evaluate(&input, in_f64(gradient), in_f64(map)),
        }
    }

    fn label_counts_of(&self, input: TypedInput<'_>) -> Result<LabelCounts, Error> {
        match input {
            TypedInput::F32(input) => self.count_labels(&input, &self.geometry(&input)?),
            TypedInput::F64(input) => self.count_labels(&input, &self.geometry(&input)?),
        }
    }

    fn part_of(
        &self,
        input: TypedInput<'_>,
        plan: &Plan,
        gradient: Option<SliceMut<'_>>,
    ) -> Result<Part, Error> {
        match input {
            TypedInput::F32(input) => self.evaluate_part(&input, plan, in_f32(gradient)),
            TypedInput::F64(input) => self.evaluate_part(&input, plan, in_f64(gradient)),
        }
    }

    fn part_gradient_of(
        &self,
        input: TypedInput<'_>,
        plan: &Plan,
        all: &Part,
        gradient: SliceMut<'_>,
    ) -> Result<(), Error> {
        match input {
            TypedInput::F32(input) => self.differentiate_part(&input, plan, all, in_f32(Some(gradient))),
            TypedInput::F64(input) => self.differentiate_part(&input, plan, all, in_f64(Some(gradient))),
        }
    }
}

impl Loss {
    fn count_labels<T: Element>(
        &self,
        input: &Input<'_, T>,
        geometry: &Geometry,
    ) -> Result<LabelCounts, Error> {
        label_counts::of_input(input, geometry, &self.rules())
    }

    fn evaluate<T: Element>(
        &self,
        input: &Input<'_, T>,
        gradient: Option<&mut [T]>,
        map: Option<&mut [T]>,
    ) -> Result<Evaluation, Error> {
        let geometry = self.geometry(input)?;
        let labels = self.count_labels(input, &geometry)?;
        self.compute(input, &geometry, &labels, gradient, map)
    }

    fn evaluate_part<T: Element>(
        &self,
        input: &Input<'_, T>,
        plan: &Plan,
        gradient: Option<&mut [T]>,
    ) -> Result<Part, Error> {
        let geometry = self.geometry(input)?;
        let labels = self.count_labels(input, &geometry)?;
        self.demand_distances(input, &geometry, plan)?;
        let mut part = self.compute_part(input, &geometry, &labels, plan, gradient)?;
        part.images = (plan.first_image()..).zip(labels.into_images()).collect();
        Ok(part)
    }

    /// Of a tile alone the distances to borders are those to the tile's.
    fn demand_distances<T: Element>(
        &self,
        input: &Input<'_, T>,
        geometry: &Geometry,
        plan: &Plan,
    ) -> Result<(), Error> {
        if input.distances.is_some() || !self.has_distances() {
            return Ok(());
        }
        let images = plan.labels().map(LabelCounts::images).unwrap_or_default();
        let tile = geometry.pixels;
        match images.iter().skip(plan.first_image()).find(|image| image.pixels != tile as u64) {
            None => Ok(()),
            Some(image) => {
                Err(self.description().error(Problem::NeedsDistances { tile, image: image.pixels }))
            }
        }
    }

    fn has_distances(&self) -> bool {
        self.spec().kind().has_distances() || self.terms().iter().any(|(_, term)| term.has_distances())
    }

    fn differentiate_part<T: Element>(
        &self,
        input: &Input<'_, T>,
        plan: &Plan,
        all: &Part,
        gradient: Option<&mut [T]>,
    ) -> Result<(), Error> {
        let geometry = self.geometry(input)?;
        // Refuses labels that the pass would trip over.
        self.count_labels(input, &geometry)?;
        self.demand_distances(input, &geometry, plan)?;
        self.compute_part_gradient(input, &geometry, plan, all, gradient.unwrap_or_default())
    }
}

/// Numbers that are known to be f32.
fn in_f32(out: Option<SliceMut<'_>>) -> Option<&mut [f32]> {
    match out? {
        SliceMut::F32(out) => Some(out),
        SliceMut::F64(_) => None,
    }
}

/// Numbers that are known to be f64.
fn in_f64(out: Option<SliceMut<'_>>) -> Option<&mut [f64]> {
    match out? {
        SliceMut::F64(out) => Some(out),
        SliceMut::F32(_) => None,
    }
}
