//! Which options fit together, and in which range they lie.

use super::weights::SOURCES;
use super::{
    Absent, Classes, Denominator, LossSpec, Number, OPERATION, PriorSpec, Region, Scheme, Source, Threshold,
    WeightSpec,
};
use crate::error::{Error, Problem};
use crate::kind::{Family, Kind};

impl LossSpec {
    /// Checks every option against the kind.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        self.validate_keys()?;
        self.validate_numbers()?;
        self.validate_denominator()?;
        self.validate_threshold()?;
        self.validate_weights()?;
        self.validate_prior()?;
        self.validate_dataset()?;
        self.validate_idle()?;
        self.validate_terms()
    }

    /// An option that nothing reads would be ignored in silence.
    fn validate_idle(&self) -> Result<(), Error> {
        let WeightSpec { source, scheme, decay, absent, normalise, .. } = &self.weights;
        let default = WeightSpec::default();
        let counted = source.is_counted();
        let beside = match source {
            Source::Fixed => "beside fixed `values`: each weight stands as it was given".to_owned(),
            Source::Map => "beside `source` = \"map\": every class weighs 1".to_owned(),
            _ => format!("without `weights.source`: {SOURCES}"),
        };
        // Sudre's own weights know an absent class, too.
        let own = self.kind == Kind::GeneralizedDice && *source == Source::None;
        let normalised = counted || *source == Source::Fixed;
        let ema = *source == Source::Ema || self.reads_prior() && self.prior().source == Source::Ema;
        let image = self.region() == Region::Image;
        let all = self.classes.unwrap_or(self.kind.default_classes()) == Classes::All;
        let idle: [(&'static str, bool, &str); 11] = [
            ("weights.scheme", !counted && *scheme != default.scheme, &beside),
            ("weights.absent", !counted && !own && *absent != default.absent, &beside),
            ("weights.normalise", !normalised && *normalise != default.normalise, &beside),
            (
                "weights.decay",
                *decay != default.decay && !ema,
                "without `source` = \"ema\", which has a running average",
            ),
            (
                "prior",
                self.prior.is_some() && !self.reads_prior(),
                "here: only `threshold` = { logit_adjustment = t }, `weights.absent` = \"prior\", seesaw and ldam read \
                 class priors",
            ),
            (
                "dataset",
                self.dataset.is_some() && !self.needs_dataset(),
                "here: nothing asks for the counts of a data set, as `weights.source` = \"dataset\" does",
            ),
            (
                "smoothing_weight",
                self.smoothing_weight.is_some() && self.label_smoothing == 0.0,
                "without `label_smoothing`",
            ),
            (
                "smoothing_weight",
                self.smoothing_weight.is_some() && matches!(source, Source::None | Source::Map),
                "without `weights.source`: every class weighs 1",
            ),
            (
                "average",
                self.average.is_some() && !image,
                "without `region` = \"image\": the batch is one region",
            ),
            (
                "average",
                self.average.is_some() && all && *source != Source::PerSample,
                "where every image counts all classes with the same weights; `classes` = \"present\" or per-sample \
                 weights make them differ",
            ),
            (
                "confidence",
                self.confidence.is_some() && self.number(Number::Keep) >= 1.0,
                "beside `keep` = 1, which keeps every pixel",
            ),
        ];
        match idle.into_iter().find(|(_, idle, _)| *idle) {
            None => Ok(()),
            Some((key, _, because)) => {
                let problem = Problem::NoEffect { key, because: because.to_owned() };
                Err(Error { operation: OPERATION, problem })
            }
        }
    }

    /// A key that the kind does not take would be ignored in silence.
    fn validate_keys(&self) -> Result<(), Error> {
        let info = self.kind.info();
        let numbers = Number::ALL.iter().map(|number| (number.key(), number.of(self).is_some()));
        let others = [
            ("activation", self.activation.is_some()),
            ("region", self.region.is_some()),
            ("classes", self.classes.is_some()),
            ("squared", self.squared.is_some()),
            ("asymmetric", self.asymmetric.is_some()),
            ("background", self.background.is_some()),
            ("label_smoothing", self.label_smoothing != 0.0),
            ("denominator", self.denominator.is_some()),
            ("threshold", self.threshold.is_some()),
            ("smoothing_weight", self.smoothing_weight.is_some()),
            ("average", self.average.is_some()),
            ("weights", self.weights != WeightSpec::default()),
            ("prior", self.prior.is_some()),
            ("terms", !self.terms.is_empty()),
        ];
        for (key, set) in numbers.chain(others) {
            if set && !info.takes(key) {
                let taken: Vec<&str> = info.options.iter().map(|option| option.key).collect();
                let expected = match taken.as_slice() {
                    [] => format!("absent: {} has no options", info.name),
                    taken => format!("absent: {} takes {}", info.name, taken.join(", ")),
                };
                return Err(option(key, &expected, "set"));
            }
        }
        Ok(())
    }

    fn validate_numbers(&self) -> Result<(), Error> {
        let s = self.label_smoothing;
        if !(0.0..1.0).contains(&s) {
            return Err(option("label_smoothing", "at least 0 and below 1", s));
        }
        for number in Number::ALL {
            let Some(x) = number.of(self) else { continue };
            let (fits, expected) = match number {
                Number::Gamma => match self.kind {
                    Kind::Focal => (x >= 0.0, "a finite number ≥ 0"),
                    Kind::UnifiedFocal => ((0.0..1.0).contains(&x), "at least 0 and below 1"),
                    _ => (x > 0.0, "a finite number > 0"),
                },
                Number::Alpha | Number::Beta | Number::Smooth | Number::Mitigation | Number::Compensation => {
                    (x >= 0.0, "a finite number ≥ 0")
                }
                Number::Keep => (x > 0.0 && x <= 1.0, "above 0 and at most 1"),
                Number::Confidence => (x > 0.0 && x < 1.0, "between 0 and 1"),
                // Below −1 a pixel that is almost right costs more than one that is right.
                Number::Epsilon => (x >= -1.0, "a finite number ≥ −1"),
                Number::Margin | Number::Scale => (x > 0.0, "a finite number > 0"),
                Number::Mix | Number::Delta => ((0.0..=1.0).contains(&x), "0 to 1"),
            };
            if !(fits && x.is_finite()) {
                return Err(option(number.key(), expected, x));
            }
        }
        if self.kind == Kind::Tversky || self.kind == Kind::FocalTversky {
            let (alpha, beta) = (self.number(Number::Alpha), self.number(Number::Beta));
            if alpha + beta == 0.0 {
                return Err(option("alpha", "above 0 beside beta = 0: nothing would be an error", alpha));
            }
        }
        if self.confidence.is_some() && s > 0.0 {
            return Err(option("confidence", "absent beside `label_smoothing`", "set"));
        }
        Ok(())
    }

    fn validate_denominator(&self) -> Result<(), Error> {
        match (self.denominator, self.kind.family()) {
            (Some(Denominator::Constant(x)), _) if !(x.is_finite() && x > 0.0) => {
                Err(option("denominator.constant", "a finite number > 0", x))
            }
            (Some(Denominator::ValidPixels | Denominator::Elements), Family::Overlap | Family::Lovasz) => {
                let expected = "weight_sum, images, per_pixel or a constant: this kind is a ratio for each class, not \
                                a sum over pixels";
                Err(option("denominator", expected, "a number of pixels"))
            }
            _ => Ok(()),
        }
    }

    fn validate_threshold(&self) -> Result<(), Error> {
        match &self.threshold {
            None => Ok(()),
            Some(Threshold::Document(th)) => {
                if self.kind != Kind::DocumentBinary {
                    let expected = "absent: only `document_binary` has it; `logit_shift` is the sound form for the others";
                    return Err(option("threshold.document", expected, th));
                }
                if !(*th > 0.0 && *th < 1.0) {
                    return Err(option("threshold.document", "a number between 0 and 1", th));
                }
                Ok(())
            }
            Some(other) if self.kind.owns_its_weight() => {
                let expected = "absent: the document's kinds are kept to the letter";
                let key = match other {
                    Threshold::LogitAdjustment(_) => "threshold.logit_adjustment",
                    _ => "threshold.logit_shift",
                };
                Err(option(key, expected, word(other)))
            }
            Some(Threshold::LogitShift(shifts)) => {
                let sigmoid = self.is_sigmoid();
                let fits = |&x: &f64| x.is_finite() && x > 0.0 && (!sigmoid || x < 1.0);
                if shifts.is_empty() || !shifts.iter().all(fits) {
                    let expected = match sigmoid {
                        true => "one threshold between 0 and 1 per channel",
                        false => "one finite number > 0 per class",
                    };
                    return Err(option("threshold.logit_shift", expected, format!("{shifts:?}")));
                }
                Ok(())
            }
            Some(Threshold::LogitAdjustment(t)) if !t.is_finite() => {
                Err(option("threshold.logit_adjustment", "a finite number", t))
            }
            Some(Threshold::LogitAdjustment(_)) => Ok(()),
        }
    }

    fn validate_weights(&self) -> Result<(), Error> {
        let WeightSpec { source, scheme, values, decay, absent, .. } = &self.weights;
        if self.kind.owns_its_weight() {
            let letter = WeightSpec { source: *source, ..WeightSpec::default() };
            let scoped = self.kind.weight_is_scoped();
            let known =
                *source == Source::None || scoped && matches!(source, Source::PerBatch | Source::PerSample);
            if self.weights != letter || !known {
                let expected = match scoped {
                    true => {
                        "only `source` per_batch (the document's) or per_sample: this kind computes its own weight"
                    }
                    false => "absent: the document gives this kind no weight",
                };
                return Err(option("weights", expected, "other options"));
            }
            return Ok(());
        }
        if *source == Source::PerSample && self.kind.sums_regions() && self.region() == Region::Batch {
            let expected = "another than per_sample, or `region` = \"image\": one region over the whole batch needs one \
                            row of weights";
            return Err(option("weights.source", expected, "per_sample"));
        }
        let usable = |x: &f64| x.is_finite() && *x >= 0.0;
        match (source, values.as_slice()) {
            (Source::Fixed, []) => return Err(option("weights.values", "one weight per class", "empty")),
            (Source::Fixed, values) if !values.iter().all(usable) => {
                return Err(option("weights.values", "finite numbers ≥ 0", format!("{values:?}")));
            }
            (Source::Fixed, _) | (_, []) => {}
            (_, values) => {
                let expected = "absent unless `source` is \"fixed\"";
                return Err(option("weights.values", expected, format!("{values:?}")));
            }
        }
        match scheme {
            Scheme::Power(x) if !x.is_finite() => {
                return Err(option("weights.scheme.power", "a finite number", x));
            }
            Scheme::EffectiveNumber(x) if !(*x >= 0.0 && *x < 1.0) => {
                return Err(option("weights.scheme.effective_number", "at least 0 and below 1", x));
            }
            _ => {}
        }
        if !(0.0..1.0).contains(decay) {
            return Err(option("weights.decay", "at least 0 and below 1", decay));
        }
        match absent {
            Absent::Cap(x) if !(x.is_finite() && *x > 0.0) => {
                Err(option("weights.absent.cap", "a finite number > 0", x))
            }
            Absent::Prior if self.prior().source == Source::PerSample && *source != Source::PerSample => {
                let expected =
                    "per_sample as well, or another prior: one row of weights cannot follow each image's own";
                Err(option("weights.source", expected, word(source)))
            }
            Absent::Prior if self.kind == Kind::GeneralizedDice && *source == Source::None => Err(option(
                "weights.absent",
                "another than prior: the paper's own weight knows none",
                "prior",
            )),
            _ => Ok(()),
        }
    }

    fn validate_prior(&self) -> Result<(), Error> {
        let PriorSpec { source, values } = self.prior();
        match (source, values.as_slice()) {
            (Source::None | Source::Map, _) => {
                Err(option("prior.source", "per_batch, per_sample, dataset, fixed or ema", word(source)))
            }
            (Source::Fixed, []) => Err(option("prior.values", "one number per class", "empty")),
            (Source::Fixed, values) => {
                // LDAM and seesaw see only ratios; where the prior is a probability it must be one.
                let below_one = self.is_sigmoid() || self.weights.absent == Absent::Prior;
                let fits = |&x: &f64| x.is_finite() && x > 0.0 && (!below_one || x < 1.0);
                match values.iter().all(fits) {
                    true => Ok(()),
                    false if below_one => {
                        Err(option("prior.values", "numbers between 0 and 1", format!("{values:?}")))
                    }
                    false => Err(option("prior.values", "finite numbers > 0", format!("{values:?}"))),
                }
            }
            (_, []) => Ok(()),
            (_, values) => {
                Err(option("prior.values", "absent unless `source` is \"fixed\"", format!("{values:?}")))
            }
        }
    }

    fn validate_dataset(&self) -> Result<(), Error> {
        match &self.dataset {
            Some(counts) => counts.validate().map_err(|(expected, found)| option("dataset", expected, found)),
            None => Ok(()),
        }
    }

    fn validate_terms(&self) -> Result<(), Error> {
        if self.kind != Kind::Combined {
            return Ok(());
        }
        if self.terms.is_empty() {
            return Err(option("terms", "at least one [[terms]] with `factor` and [terms.loss]", "empty"));
        }
        for term in &self.terms {
            if !(term.factor.is_finite() && term.factor >= 0.0) {
                return Err(option("terms.factor", "a finite number ≥ 0", term.factor));
            }
            let inherited = Self { layout: Default::default(), ignore_index: None, ..term.loss.clone() };
            if inherited != term.loss {
                let expected =
                    "without `layout` and `ignore_index`: those of the combined loss hold for all its terms";
                return Err(option("terms.loss", expected, "set"));
            }
            term.loss.validate()?;
        }
        Ok(())
    }
}

/// As a specification writes it.
fn word<T: serde::Serialize>(value: &T) -> String {
    // Plain data, which cannot fail.
    serde_json::to_string(value).unwrap_or_default().trim_matches('"').to_owned()
}

fn option(key: &'static str, expected: &str, found: impl std::fmt::Display) -> Error {
    let problem = Problem::Option { key, expected: expected.to_owned(), found: found.to_string() };
    Error { operation: OPERATION, problem }
}
