//! The one description of a loss, as it stands in configuration files, on the command line and in reports.

use crate::error::{Error, Problem};
use crate::kind::Kind;
use crate::layout::Layout;
use serde::{Deserialize, Serialize};

const OPERATION: &str = "loss specification";

/// A loss with all its options. Every key has a default; an unknown key is an error.
///
/// ```
/// use segloss::{LossSpec, Source};
///
/// let spec = LossSpec::from_toml(r#"
///     kind = "cross_entropy"
///     ignore_index = 255
///     [weights]
///     source = "per_sample"
///     scheme = "inverse_frequency"
/// "#)?;
/// assert_eq!(spec.weights.source, Source::PerSample);
/// assert_eq!(LossSpec::from_json(&spec.to_json())?, spec);
/// # Ok::<(), segloss::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossSpec {
    /// Which loss.
    pub kind: Kind,
    /// Where the class axis of the logits lies.
    pub layout: Layout,
    /// The label of pixels that take no part. Absent: every pixel is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_index: Option<i64>,
    /// What the sum over pixels is divided by. Absent: [`Kind::default_denominator`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denominator: Option<Denominator>,
    /// The activation threshold, or a shift of the logits that acts as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
    /// The weight of each class.
    pub weights: WeightSpec,
}

/// What the sum over pixels is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denominator {
    /// Σ of the weights that multiply the pixels' targets: the weighted mean, as PyTorch's
    /// `reduction="mean"` for class indices. (For soft targets PyTorch divides by the pixels.)
    WeightSum,
    /// The number of pixels that are not ignored.
    ValidPixels,
    /// Every entry of the loss map, ignored ones too: Keras' `sum_over_batch_size` (which, given an
    /// `ignore_class`, divides by the valid pixels instead). A map has one entry a pixel, or one per pixel
    /// and channel for the binary kinds.
    Elements,
    /// The number of images N.
    Images,
    /// Nothing: the value is the sum, the gradient that of each pixel's own loss.
    PerPixel,
    /// A number that stays the same for every batch.
    Constant(f64),
}

/// The threshold of the source document (S1), or its sound form in logit space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// S1 to the letter: u = max(0, σ(z) + 0.5 − th). Not a loss once u ≥ 1; only for `document_binary`.
    Document(f64),
    /// z'_c = z_c − ln τ_c, so that arg max z' = arg max p/τ. For the binary kinds each channel has a
    /// threshold th in (0, 1) and z' = z − ln(th/(1 − th)), so that z' > 0 is σ(z) > th exactly.
    LogitShift(Vec<f64>),
}

/// Class weights: source × scheme × absent-class policy × normalisation. Weights are constants for the
/// gradient.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightSpec {
    /// Where the class frequencies come from.
    pub source: Source,
    /// How a frequency becomes a weight.
    pub scheme: Scheme,
    /// The weights themselves, for [`Source::Fixed`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
    /// The weight of a class that the scope does not contain.
    pub absent: Absent,
    /// How the weights of a scope are scaled.
    pub normalise: Normalise,
}

/// The scope over which class frequencies are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Every weight is 1.
    #[default]
    None,
    /// `values`, as given: C numbers, or a (negative, positive) pair per channel for the binary kinds.
    Fixed,
    /// The valid pixels of the batch together.
    PerBatch,
    /// The valid pixels of each image by itself (S5): dynamic weights without prior knowledge.
    PerSample,
}

/// From the frequency f of a class among C classes to its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// 1/(C·f): every class contributes alike.
    #[default]
    InverseFrequency,
    /// 1 − f, the rule of S1 for any number of classes.
    Complement,
    /// median(f)/f, with f counted only over the images that contain the class, and the median over the
    /// classes present (Eigen & Fergus 2015, section 6.2, "median frequency balancing").
    MedianFrequency,
}

/// The weight of a class without a valid pixel in its scope. It meets no pixel of that scope unless the
/// target is soft.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// 0.
    #[default]
    Zero,
    /// The largest weight of a class that is present.
    LargestPresent,
    /// This number; weights of present classes are limited to it as well.
    Cap(f64),
}

/// The scale of a scope's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// As the scheme makes them.
    #[default]
    None,
    /// The mean over the present classes is 1.
    MeanOne,
    /// Σ f_c·w_c = 1: the gradient keeps the scale of the unweighted loss, and every image of a
    /// per-sample source weighs alike.
    ExpectedOne,
    /// The sum is 1.
    SumOne,
}

impl LossSpec {
    /// Reads a specification in TOML. Options are checked by [`Loss::new`](crate::Loss::new).
    ///
    /// # Errors
    /// [`Problem::Syntax`] with the line and the keys that are known there.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| syntax(error.to_string()))
    }

    /// Reads a specification in JSON.
    ///
    /// # Errors
    /// [`Problem::Syntax`] with line and column.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| syntax(error.to_string()))
    }

    /// The specification as TOML, defaults written out.
    pub fn to_toml(&self) -> String {
        // Only maps with non-string keys or failing writers make these serialisers fail; a
        // specification has neither.
        toml::to_string(self).expect("a specification is plain data")
    }

    /// The specification as JSON, defaults written out.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a specification is plain data")
    }

    /// The denominator in force.
    pub fn denominator(&self) -> Denominator {
        self.denominator.unwrap_or(self.kind.default_denominator())
    }

    /// Checks every option against the kind.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        self.validate_threshold()?;
        self.validate_weights()?;
        match self.denominator {
            Some(Denominator::Constant(x)) if !(x.is_finite() && x > 0.0) => {
                Err(option("denominator.constant", "a finite number > 0", x))
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
            Some(Threshold::LogitShift(shifts)) => {
                let binary = match self.kind {
                    Kind::CrossEntropy => false,
                    Kind::BinaryCrossEntropy => true,
                    _ => {
                        let expected = "absent: the document's kinds are kept to the letter";
                        return Err(option("threshold.logit_shift", expected, format!("{shifts:?}")));
                    }
                };
                let fits = |&x: &f64| x.is_finite() && x > 0.0 && (!binary || x < 1.0);
                if shifts.is_empty() || !shifts.iter().all(fits) {
                    let expected = match binary {
                        true => "one threshold between 0 and 1 per channel",
                        false => "one finite number > 0 per class",
                    };
                    return Err(option("threshold.logit_shift", expected, format!("{shifts:?}")));
                }
                Ok(())
            }
        }
    }

    fn validate_weights(&self) -> Result<(), Error> {
        let WeightSpec { source, scheme, values, absent, .. } = &self.weights;
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
        let usable = |x: &f64| x.is_finite() && *x >= 0.0;
        match (source, values.as_slice()) {
            (Source::Fixed, []) => return Err(option("weights.values", "one weight per class", "empty")),
            (Source::Fixed, values) if !values.iter().all(usable) => {
                return Err(option("weights.values", "finite numbers ≥ 0", format!("{values:?}")));
            }
            (Source::Fixed, _) if *scheme != Scheme::default() => {
                return Err(option("weights.scheme", "absent beside fixed `values`", format!("{scheme:?}")));
            }
            (Source::Fixed, _) | (_, []) => {}
            (_, values) => {
                let expected = "absent unless `source` is \"fixed\"";
                return Err(option("weights.values", expected, format!("{values:?}")));
            }
        }
        match absent {
            Absent::Cap(x) if !(x.is_finite() && *x > 0.0) => {
                Err(option("weights.absent.cap", "a finite number > 0", x))
            }
            _ => Ok(()),
        }
    }
}

fn syntax(message: String) -> Error {
    Error { operation: OPERATION, problem: Problem::Syntax { message: message.trim_end().to_owned() } }
}

fn option(key: &'static str, expected: &str, found: impl std::fmt::Display) -> Error {
    let problem = Problem::Option { key, expected: expected.to_owned(), found: found.to_string() };
    Error { operation: OPERATION, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        LossSpec::from_toml(text).and_then(|spec| spec.validate()).unwrap_err().to_string()
    }

    #[test]
    fn every_key_has_a_default() {
        assert_eq!(LossSpec::from_toml("").unwrap(), LossSpec::default());
        assert_eq!(LossSpec::from_json("{}").unwrap(), LossSpec::default());
        assert_eq!(LossSpec::default().kind, Kind::CrossEntropy);
    }

    #[test]
    fn the_design_s_example_is_read() {
        let spec = LossSpec::from_toml(
            "kind = \"cross_entropy\"\nlayout = \"channels_last\"\nignore_index = 255\n\
             denominator = { constant = 1000.0 }\nthreshold = { logit_shift = [0.2, 0.3, 0.5] }\n\
             [weights]\nsource = \"fixed\"\nvalues = [1.0, 2.0, 3.0]\nabsent = \"zero\"\nnormalise = \"mean_one\"",
        )
        .unwrap();
        spec.validate().unwrap();
        assert_eq!(spec.denominator(), Denominator::Constant(1000.0));
        assert_eq!(LossSpec::from_toml(&spec.to_toml()).unwrap(), spec);
        assert_eq!(LossSpec::from_json(&spec.to_json()).unwrap(), spec);
    }

    #[test]
    fn unknown_keys_and_values_are_named() {
        assert!(refused("gamma = 2.0").contains("unknown field `gamma`"));
        assert!(refused("kind = \"cross_entropie\"").contains("cross_entropie"));
        assert!(refused("[weights]\nsource = \"fixd\"").contains("fixd"));
    }

    #[test]
    fn options_that_a_kind_cannot_use_are_refused() {
        for (text, key) in [
            ("threshold = { document = 0.5 }", "threshold.document"),
            ("kind = \"document_binary\"\nthreshold = { document = 1.0 }", "threshold.document"),
            ("kind = \"document_binary\"\nthreshold = { document = nan }", "threshold.document"),
            ("kind = \"document_categorical\"\nthreshold = { logit_shift = [0.5] }", "threshold.logit_shift"),
            ("kind = \"binary_cross_entropy\"\nthreshold = { logit_shift = [1.5] }", "threshold.logit_shift"),
            ("threshold = { logit_shift = [0.0, 1.0] }", "threshold.logit_shift"),
            ("denominator = { constant = 0.0 }", "denominator.constant"),
            ("denominator = { constant = nan }", "denominator.constant"),
            ("[weights]\nsource = \"fixed\"", "weights.values"),
            ("[weights]\nsource = \"fixed\"\nvalues = [1.0, -1.0]", "weights.values"),
            ("[weights]\nsource = \"fixed\"\nvalues = [1.0, inf]", "weights.values"),
            ("[weights]\nvalues = [1.0, 1.0]", "weights.values"),
            ("[weights]\nsource = \"per_batch\"\nabsent = { cap = 0.0 }", "weights.absent.cap"),
            ("kind = \"document_categorical\"\n[weights]\nscheme = \"complement\"", "weights"),
            ("kind = \"document_sigmoid\"\n[weights]\nsource = \"per_sample\"", "weights"),
        ] {
            assert!(refused(text).contains(&format!("`{key}`")), "{text}: {}", refused(text));
        }
    }
}
