//! Which options fit together, and in which range they lie.

use super::{LossSpec, Term};
use crate::error::Error;
use crate::kind::Shared;
use crate::options::{
    Absent, OptionValue, PriorSpec, Reduction, Region, SOURCES, Scheme, Source, Threshold, WeightSpec, acts,
    number, option,
};

impl LossSpec {
    /// Checks every option against the kind.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        self.validate_shared()?;
        self.validate_reduction()?;
        self.validate_threshold()?;
        self.validate_weights()?;
        self.validate_prior()?;
        self.validate_dataset()?;
        self.validate_idle()?;
        self.options.validate(&self.shared_keys())?;
        self.terms.iter().try_for_each(Self::validate_term)
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
        // Weights by size know an absent class, too.
        let own = self.kind().weighs_by_size() && *source == Source::None;
        let normalised = counted || *source == Source::Fixed;
        let ema = *source == Source::Ema || self.reads_prior() && self.prior().source == Source::Ema;
        let idle: [(&'static str, bool, &str); 6] = [
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
        ];
        idle.into_iter().try_for_each(|(key, idle, because)| acts(key, !idle, because))
    }

    /// A key that the kind does not take would be ignored in silence.
    fn validate_shared(&self) -> Result<(), Error> {
        let takes = |keys: &[Shared]| keys.iter().any(|&key| self.kind().takes(key));
        let stray = [
            ("reduction", self.reduction.is_some() && !takes(&[Shared::Reduction])),
            (
                "threshold",
                self.threshold.is_some() && !takes(&[Shared::Threshold, Shared::DocumentThreshold]),
            ),
            (
                "weights",
                self.weights != WeightSpec::default() && !takes(&[Shared::Weights, Shared::DocumentWeights]),
            ),
            ("prior", self.prior.is_some() && !takes(&[Shared::Prior])),
            ("terms", !self.terms.is_empty() && !takes(&[Shared::Terms])),
        ];
        match stray.into_iter().find(|(_, stray)| *stray) {
            None => Ok(()),
            Some((key, _)) => Err(self.kind().does_not_take(key)),
        }
    }

    fn validate_reduction(&self) -> Result<(), Error> {
        match self.reduction {
            Some(Reduction::Constant(x)) => number("reduction.constant", x, x > 0.0, "a finite number > 0"),
            Some(pixels @ (Reduction::MeanValid | Reduction::MeanAll)) if self.kind().sums_regions() => {
                let expected = "mean, mean_images, sum or a constant: this kind is a ratio for each class, not a sum over pixels";
                Err(option("reduction", expected, pixels))
            }
            _ => Ok(()),
        }
    }

    fn validate_threshold(&self) -> Result<(), Error> {
        match &self.threshold {
            None => Ok(()),
            Some(Threshold::Document(th)) => {
                if !self.kind().takes(Shared::DocumentThreshold) {
                    let expected = "absent: only `document_binary` has it; `logit_shift` is the sound form for the others";
                    return Err(option("threshold.document", expected, th));
                }
                if !(*th > 0.0 && *th < 1.0) {
                    return Err(option("threshold.document", "a number between 0 and 1", th));
                }
                Ok(())
            }
            Some(other) if self.kind().owns_its_weight() => {
                let expected = "absent: the document's kinds are kept to the letter";
                Err(match other {
                    Threshold::LogitAdjustment(t) => option("threshold.logit_adjustment", expected, t),
                    Threshold::LogitShift(shifts) => {
                        option("threshold.logit_shift", expected, format!("{shifts:?}"))
                    }
                    Threshold::Document(th) => option("threshold.document", expected, th),
                })
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
        if self.kind().owns_its_weight() {
            let letter = WeightSpec { source: *source, ..WeightSpec::default() };
            let scoped = self.kind().weight_is_scoped();
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
        if *source == Source::PerSample && self.kind().sums_regions() && self.region() == Region::Batch {
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
            Absent::Prior if self.kind().weighs_by_size() && *source == Source::None => Err(option(
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

    fn validate_term(term: &Term) -> Result<(), Error> {
        number("terms.factor", term.factor, term.factor >= 0.0, "a finite number ≥ 0")?;
        let inherited = Self { layout: Default::default(), ignore_index: None, ..term.loss.clone() };
        if inherited != term.loss {
            let expected =
                "without `layout` and `ignore_index`: those of the combined loss hold for all its terms";
            return Err(option("terms.loss", expected, "set"));
        }
        term.loss.validate()
    }

    fn validate_dataset(&self) -> Result<(), Error> {
        match &self.dataset {
            Some(counts) => counts.validate().map_err(|(expected, found)| option("dataset", expected, found)),
            None => Ok(()),
        }
    }
}

/// As a specification writes it.
fn word(source: &Source) -> String {
    source.value().to_string()
}
