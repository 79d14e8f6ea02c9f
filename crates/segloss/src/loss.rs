//! From logits and labels to value and gradient.
//!
//! One way for data: labels → [`Census`] → [`Plan`] (weights, denominator) → with the logits, tile by tile
//! → [`Sums`] and gradient → [`Evaluation`].

use crate::census::{self, Census, positive_class};
use crate::element::Element;
use crate::error::{Error, Problem};
use crate::input::{Input, PixelLabel};
use crate::kind::Kind;
use crate::kinds::binary_cross_entropy::BinaryCrossEntropy;
use crate::kinds::cross_entropy::CrossEntropy;
use crate::kinds::document_binary::DocumentBinary;
use crate::kinds::document_sigmoid::DocumentSigmoid;
use crate::kinds::{Pixel, PixelLoss, PixelTarget, PixelWeights};
use crate::layout::Geometry;
use crate::plan::Plan;
use crate::spec::{LossSpec, Threshold};
use crate::sums::{Broken, ClassSums, Sums};
use crate::tiles::{self, Tile, TileMut};
use crate::warning::Warning;
use ndarray::{Array2, ArrayD, IxDyn};
use rayon::prelude::*;
use serde::Serialize;

/// A loss, ready to be computed: a [`LossSpec`] whose options have been checked.
///
/// ```
/// use ndarray::array;
/// use segloss::{Input, Loss, LossSpec, Target};
///
/// let spec = LossSpec::from_toml(r#"
///     kind = "cross_entropy"
///     ignore_index = 255
///     weights = { source = "per_sample", scheme = "inverse_frequency" }
/// "#)?;
/// let loss = Loss::new(spec)?;
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
}

/// The result of a loss over the whole of its scope.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// numerator / denominator; 0 where there is nothing to divide by. NaN or ∞ only from
    /// `document_binary`, and then [`Warning::Broken`] says where.
    pub value: f64,
    /// The sums behind it, in total and class by class.
    #[serde(flatten)]
    pub sums: Sums,
    /// The weights in force, one row per scope: see [`Plan::effective_weights`].
    #[serde(serialize_with = "rows")]
    pub effective_weights: Array2<f64>,
    /// What the caller should know.
    pub warnings: Vec<Warning>,
}

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
        spec.validate()?;
        Ok(Self { spec })
    }

    /// The specification.
    pub fn spec(&self) -> &LossSpec {
        &self.spec
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

    /// The value and the map of weighted losses before any sum: (N, spatial…), or the shape of the
    /// logits for the binary kinds, whose every channel has its own. Ignored pixels hold 0.
    ///
    /// # Errors
    /// As [`Loss::value`].
    pub fn map<T: Element>(&self, input: &Input<'_, T>) -> Result<(Evaluation, ArrayD<T>), Error> {
        let geometry = input.geometry(self.operation(), self.spec.layout)?;
        let shape = self.map_geometry(&geometry).map_or_else(|| geometry.pixel_shape(), |g| g.full_shape());
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
        let geometry = input.geometry(self.operation(), self.spec.layout)?;
        census::take(input, &geometry, &self.spec)
    }

    /// Makes weights and denominator from the census of the whole scope: the second step.
    ///
    /// # Errors
    /// [`Problem::PerClass`] for fixed weights of another number of classes.
    pub fn plan(&self, census: &Census) -> Result<Plan, Error> {
        Plan::new(&self.spec, census)
    }

    /// Computes one part, the last step. The gradient is that of the *whole* value: parts need no
    /// rescaling, and put side by side they have the same bits as if computed at once.
    ///
    /// ```
    /// # use segloss::{Input, Loss, LossSpec};
    /// let loss = Loss::new(LossSpec::from_toml("weights = { source = 'per_batch' }")?)?;
    /// let logits = [1.0_f64, -0.5, 0.25, 2.0, 0.0, 1.0, -3.0, 0.5]; // (N, C) = (4, 2)
    /// let labels = [0_u8, 1, 1, 0];
    /// let whole = loss.value(&Input::from_slices(&logits, &[4, 2], &labels)?)?;
    ///
    /// let first = Input::from_slices(&logits[..6], &[3, 2], &labels[..3])?;
    /// let last = Input::from_slices(&logits[6..], &[1, 2], &labels[3..])?;
    /// let plan = loss.plan(&loss.census(&first)?.join_images(&loss.census(&last)?))?;
    /// let sums = loss.part(&first, &plan.images(0..3), None)?;
    /// let sums = sums.combine(&loss.part(&last, &plan.images(3..4), None)?);
    /// assert!((loss.finish(&plan, sums).value - whole.value).abs() <= 1e-15);
    /// # Ok::<(), segloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Loss::value_and_gradient`], and [`Problem::Plan`] if the plan is for other images.
    pub fn part<T: Element>(
        &self,
        input: &Input<'_, T>,
        plan: &Plan,
        gradient: Option<&mut [T]>,
    ) -> Result<Sums, Error> {
        let geometry = input.geometry(self.operation(), self.spec.layout)?;
        let census = census::take(input, &geometry, &self.spec)?;
        self.sums(input, &geometry, &census, plan, gradient, None)
    }

    /// The value of all parts together.
    pub fn finish(&self, plan: &Plan, sums: Sums) -> Evaluation {
        let denominator = plan.denominator();
        // 0/0 is not an error: a batch of ignored pixels has no loss, and says so.
        let value = if denominator > 0.0 { sums.numerator / denominator } else { 0.0 };
        let effective_weights = plan.effective_weights();
        let mut warnings = Vec::new();
        if sums.valid_pixels == 0 {
            warnings.push(Warning::AllIgnored);
        } else if sums.per_class.iter().all(|class| class.weight == 0.0) {
            warnings.push(Warning::NoWeight);
        }
        if let Some(broken) = &sums.broken {
            warnings.push(Warning::Broken(broken.clone()));
        }
        let classes = sums.per_class.len();
        if self.spec.kind == Kind::DocumentCategorical && sums.valid_pixels > 0 {
            warnings.push(Warning::ConstantWeight { weight: effective_weights[[0, 0]], classes });
        }
        let sums = Sums { denominator, ..sums };
        Evaluation { value, sums, effective_weights, warnings }
    }

    fn operation(&self) -> &'static str {
        self.spec.kind.name()
    }

    /// The geometry of the loss map where it has a channel axis.
    fn map_geometry(&self, geometry: &Geometry) -> Option<Geometry> {
        self.spec.kind.is_binary().then(|| geometry.clone())
    }

    fn whole<T: Element>(
        &self,
        input: &Input<'_, T>,
        gradient: Option<&mut [T]>,
        map: Option<&mut [T]>,
    ) -> Result<Evaluation, Error> {
        let geometry = input.geometry(self.operation(), self.spec.layout)?;
        let census = census::take(input, &geometry, &self.spec)?;
        let plan = self.plan(&census)?;
        let sums = self.sums(input, &geometry, &census, &plan, gradient, map)?;
        Ok(self.finish(&plan, sums))
    }

    fn sums<T: Element>(
        &self,
        input: &Input<'_, T>,
        geometry: &Geometry,
        census: &Census,
        plan: &Plan,
        gradient: Option<&mut [T]>,
        map: Option<&mut [T]>,
    ) -> Result<Sums, Error> {
        plan.fit(self.operation(), geometry.images, geometry.classes)?;
        if let Some(gradient) = &gradient
            && gradient.len() != input.logits.len()
        {
            let (expected, found) = (input.logits.len(), gradient.len());
            let problem = Problem::Length { operand: "gradient", expected, found };
            return Err(Error { operation: self.operation(), problem });
        }
        let shift = self.shift(geometry.classes)?;
        let pass = Pass { loss: self, input, geometry, plan, shift };
        let single = Geometry { classes: 1, ..geometry.clone() };
        let map = tiles::split(map, self.map_geometry(geometry).as_ref().unwrap_or(&single));
        let gradient = tiles::split(gradient, geometry);
        let work: Vec<_> = tiles::tiles(geometry).into_iter().zip(gradient).zip(map).collect();
        let parts: Vec<_> = match self.spec.kind {
            Kind::CrossEntropy | Kind::DocumentCategorical => pass.run(&CrossEntropy, work),
            Kind::BinaryCrossEntropy => pass.run(&BinaryCrossEntropy, work),
            Kind::DocumentBinary => {
                let threshold = match self.spec.threshold {
                    Some(Threshold::Document(th)) => th,
                    // The document: "default 1/nClasses"; a single channel tells two classes apart.
                    _ => 1.0 / geometry.classes.max(2) as f64,
                };
                pass.run(&DocumentBinary { threshold }, work)
            }
            Kind::DocumentSigmoid => pass.run(&DocumentSigmoid, work),
        };
        let mut sums = Sums::zero(geometry.classes, self.spec.denominator());
        for part in parts {
            sums = sums.combine(&part?);
        }
        sums.denominator = plan.share(&self.spec, census);
        sums.valid_pixels = census.valid_pixels();
        let weights = plan.class_weights(&self.spec, census);
        for (class, (mass, weight)) in census.mass().into_iter().zip(weights).enumerate() {
            (sums.per_class[class].pixels, sums.per_class[class].weight) = (mass, weight);
        }
        Ok(sums)
    }

    /// What is taken from every logit of a class: ln τ_c, or ln(th/(1 − th)).
    fn shift(&self, classes: usize) -> Result<Option<Vec<f64>>, Error> {
        let Some(Threshold::LogitShift(thresholds)) = &self.spec.threshold else { return Ok(None) };
        if thresholds.len() != classes {
            let problem = Problem::PerClass {
                key: "threshold.logit_shift",
                expected: classes,
                found: thresholds.len(),
            };
            return Err(Error { operation: self.operation(), problem });
        }
        let shift = |&t: &f64| match self.spec.kind.is_binary() {
            // ln(th/(1 − th)) as a difference: 1 − th is exact near th = 1, and ln1p keeps small th.
            true => t.ln() - (-t).ln_1p(),
            false => t.ln(),
        };
        Ok(Some(thresholds.iter().map(shift).collect()))
    }
}

/// One walk over the pixels.
struct Pass<'a, T> {
    loss: &'a Loss,
    input: &'a Input<'a, T>,
    geometry: &'a Geometry,
    plan: &'a Plan,
    shift: Option<Vec<f64>>,
}

type Work<'a, T> = ((Tile, TileMut<'a, T>), TileMut<'a, T>);

impl<T: Element> Pass<'_, T> {
    /// Computes every tile; the results come in the order of the tiles, whoever computed them.
    fn run(&self, kind: &impl PixelLoss<T>, work: Vec<Work<'_, T>>) -> Vec<Result<Sums, Error>> {
        work.into_par_iter().map(|((tile, gradient), map)| self.tile(kind, &tile, gradient, map)).collect()
    }

    fn tile(
        &self,
        kind: &impl PixelLoss<T>,
        tile: &Tile,
        mut gradient_out: TileMut<'_, T>,
        mut map_out: TileMut<'_, T>,
    ) -> Result<Sums, Error> {
        let classes = self.geometry.classes;
        let binary = self.loss.spec.kind.is_binary();
        let (class_stride, _) = self.geometry.strides();
        let (weights, scaled) = self.weights(tile.image);
        let w = PixelWeights { loss: &weights, gradient: &scaled };
        let shift: Vec<T> = self.shift.iter().flatten().map(|&s| T::of(s)).collect();

        let mut sums = Sums::zero(classes, self.loss.spec.denominator());
        let zeros = vec![T::zero(); classes];
        let (mut z, mut y) = (zeros.clone(), zeros.clone());
        let (mut loss, mut gradient) = (zeros.clone(), zeros.clone());
        for (at, pixel) in tile.pixels.clone().enumerate() {
            let offset = self.geometry.offset(tile.image, pixel);
            let gather = |from: &[T], to: &mut [T]| {
                to.iter_mut().enumerate().for_each(|(c, to)| *to = from[offset + c * class_stride]);
            };
            let flat = tile.image * self.geometry.pixels + pixel;
            let target = match self.input.label(flat, self.loss.spec.ignore_index) {
                PixelLabel::Ignored => {
                    // Written, not left: the caller's buffer may hold the last step's gradient.
                    gradient_out.put(at, &zeros);
                    map_out.put(at, if binary { &zeros } else { &zeros[..1] });
                    continue;
                }
                // The census has refused labels that name no class.
                PixelLabel::Index(label) => {
                    PixelTarget::Index(positive_class(label, classes, binary).flatten())
                }
                PixelLabel::Distribution(rows) => {
                    gather(rows, &mut y);
                    PixelTarget::Distribution(&y)
                }
            };
            gather(self.input.logits, &mut z);
            z.iter_mut().zip(&shift).for_each(|(z, &s)| *z = *z - s);

            kind.pixel(Pixel { z: &z, y: target, w, loss: &mut loss, gradient: &mut gradient });
            self.check(tile.image, pixel, &z, &loss, &gradient, &mut sums)?;
            gradient_out.put(at, &gradient);
            let total = loss.iter().fold(T::zero(), |sum, &l| sum + l);
            map_out.put(at, if binary { &loss } else { std::slice::from_ref(&total) });
            for (sum, &l) in sums.per_class.iter_mut().zip(&loss) {
                sum.loss += l.wide();
                sums.numerator += l.wide();
            }
        }
        Ok(sums)
    }

    /// The weight row of an image in the loss's number type, and divided by the denominator.
    fn weights(&self, image: usize) -> (Vec<T>, Vec<T>) {
        let denominator = self.plan.denominator();
        let scale = |w: f64| if denominator > 0.0 { w / denominator } else { 0.0 };
        let row = self.plan.row(image);
        (row.iter().map(|&w| T::of(w)).collect(), row.iter().map(|&w| T::of(scale(w))).collect())
    }

    /// Lets no NaN or ∞ pass in silence: bad logits are an error, S1's own failures are counted.
    fn check(
        &self,
        image: usize,
        pixel: usize,
        z: &[T],
        loss: &[T],
        gradient: &[T],
        sums: &mut Sums,
    ) -> Result<(), Error> {
        let bad = loss.iter().zip(gradient).filter(|(l, g)| !(l.is_finite() && g.is_finite())).count();
        if bad == 0 {
            return Ok(());
        }
        let operation = self.loss.operation();
        let index = self.geometry.locate(image, pixel);
        if let Some(class) = z.iter().position(|z| !z.is_finite()) {
            let problem = Problem::Logit { value: z[class].wide(), class, index };
            return Err(Error { operation, problem });
        }
        if self.loss.spec.kind != Kind::DocumentBinary {
            return Err(Error { operation, problem: Problem::Overflow { element: T::NAME, index } });
        }
        let broken = sums.broken.get_or_insert(Broken { count: 0, first: index });
        broken.count += bad as u64;
        Ok(())
    }
}

impl Sums {
    /// The mean loss of each class: loss / weight, `None` for a class without weight.
    pub fn class_means(&self) -> Vec<Option<f64>> {
        let mean = |c: &ClassSums| (c.weight > 0.0).then(|| c.loss / c.weight);
        self.per_class.iter().map(mean).collect()
    }
}
