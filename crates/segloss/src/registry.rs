//! The registry: what is asked of a kind, by whoever computes it and by people.

use crate::error::Error;
use crate::kind::{Info, OwnWeights, Reach, Shared, Structure};
use crate::kinds::{Kind, Options};
use crate::options::{Activation, OptionInfo, Reduction, Value, option};

/// What the registry knows about a kind, for people and for `segloss losses --json`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct KindInfo {
    /// The name in specifications.
    pub name: &'static str,
    /// One line on what it is and when to use it.
    pub summary: &'static str,
    /// The formula: of a pixel, or of the whole where it is no sum over pixels. Symbols as in the crate's
    /// documentation.
    pub formula: &'static str,
    /// Where it is defined.
    pub reference: &'static str,
    /// The options that it takes besides `layout` and `ignore_index`.
    pub options: Vec<OptionInfo>,
    /// What the sum is divided by unless the specification says otherwise.
    pub default_reduction: Reduction,
}

impl KindInfo {
    /// Whether the kind has an option of this name.
    pub fn takes(&self, key: &str) -> bool {
        self.options.iter().any(|option| option.key == key)
    }
}

impl Kind {
    /// The kind of this name in specifications.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind's entry in the registry.
    pub fn info(self) -> KindInfo {
        let Info { summary, formula, reference, shared, .. } = *self.entry();
        let mut options = self.options().infos();
        let default = self.default_reduction();
        options.extend(shared.iter().map(|key| match (key, key.info(self.sums_regions())) {
            (Shared::Reduction, info) => OptionInfo { default: default.to_string(), ..info },
            (_, info) => info,
        }));
        KindInfo { name: self.name(), summary, formula, reference, options, default_reduction: default }
    }

    /// What [`LossSpec`](crate::LossSpec) divides by when it names no reduction: the weighted mean, and the plain mean
    /// for the document's kinds, as Keras takes it.
    pub fn default_reduction(self) -> Reduction {
        self.entry().reduction
    }

    /// The activation, where the kind leaves no choice.
    pub fn activation(self) -> Option<Activation> {
        self.entry().activation
    }

    pub(crate) fn structure(self) -> Structure {
        self.entry().structure
    }

    /// Whether the loss is a sum over pixels, so that a part's gradient needs nothing but the part, and
    /// [`Loss::map`](crate::Loss::map) has something to show.
    pub fn is_additive(self) -> bool {
        self.structure() == Structure::Pixels
    }

    /// Whether there is one loss per class and region, weighted by the class, and no sum over pixels.
    pub fn sums_regions(self) -> bool {
        matches!(self.structure(), Structure::Overlap | Structure::Lovasz)
    }

    /// Whether a pixel must have one class: a sort knows no shares, and a region no fractional inside.
    pub fn needs_hard_labels(self) -> bool {
        self.entry().hard_labels
    }

    /// Whether the loss reads the class priors, whatever its options.
    pub fn reads_prior(self) -> bool {
        self.entry().reads_prior
    }

    /// Whether the kind has class weights of its own where no source is named, on which `weights.absent` acts.
    pub fn weighs_by_size(self) -> bool {
        self.entry().own_weights == OwnWeights::BySize
    }

    /// Whether the document fixes the weight, so that `weights` cannot.
    pub fn owns_its_weight(self) -> bool {
        matches!(self.entry().own_weights, OwnWeights::Document { .. })
    }

    /// Whether the document's own weight is Σy/size(y) over a scope (S1, S3).
    pub(crate) fn weight_is_scoped(self) -> bool {
        self.entry().own_weights == OwnWeights::Document { scoped: true }
    }

    pub(crate) fn takes(self, key: Shared) -> bool {
        self.entry().shared.contains(&key)
    }

    /// Whether all classes of a region make one ratio.
    pub(crate) fn is_pooled(self) -> bool {
        self.entry().is_pooled
    }

    /// Whether it reads signed distances.
    pub(crate) fn has_distances(self) -> bool {
        self.entry().has_distances
    }

    /// Whether it is a sum of losses, each with a denominator of its own.
    pub fn is_sum(self) -> bool {
        self.structure() == Structure::Terms
    }

    /// How far the gradient of a confidently wrong pixel reaches.
    #[doc(hidden)]
    pub fn reach(self) -> Reach {
        self.entry().reach
    }
}

impl Kind {
    /// That an option is none of this kind.
    pub(crate) fn does_not_take(self, key: &'static str) -> Error {
        let info = self.info();
        let taken: Vec<&str> = info.options.iter().map(|option| option.key).collect();
        let expected = match taken.as_slice() {
            [] => format!("absent: {} has no options", info.name),
            taken => format!("absent: {} takes {}", info.name, taken.join(", ")),
        };
        option(key, &expected, "set")
    }
}

impl Options {
    /// The options by key, in the order of their declaration.
    pub fn infos(&self) -> Vec<OptionInfo> {
        self.table().infos()
    }

    /// The value of the option with this key; none where the kind has no such option.
    ///
    /// ```
    /// # use segloss::{Kind, Value};
    /// let mut options = Kind::Focal.options();
    /// assert_eq!(options.get("gamma"), Some(Value::Number(2.0)));
    /// options.set("gamma", 0.5)?;
    /// assert!(options.set("epsilon", 0.5).is_err());
    /// # Ok::<(), segloss::Error>(())
    /// ```
    pub fn get(&self, key: &str) -> Option<Value> {
        self.table().get(key)
    }

    /// Sets the option with this key.
    ///
    /// # Errors
    /// [`Problem::Option`](crate::Problem::Option) for a key that the kind does not take, and for a value of another
    /// type. Whether the value lies in its range is checked by [`Loss::new`](crate::Loss::new).
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) -> Result<(), Error> {
        let value = value.into();
        if self.table_mut().set(key, &value) {
            return Ok(());
        }
        let expected = match self.infos().iter().find(|info| info.key == key).and_then(|info| info.expected) {
            Some(expected) => expected.to_string(),
            None => return Err(self.kind().does_not_take(key)),
        };
        Err(option(key, &expected, value))
    }
}

#[cfg(feature = "serde")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_specifications() {
        for kind in Kind::ALL {
            let quoted = serde_json::to_string(&kind).unwrap();
            assert_eq!(quoted, format!("\"{}\"", kind.name()));
            assert_eq!((Kind::named(kind.name()), kind.options().kind()), (Some(kind), kind));
        }
    }

    /// Every option is one that is read and written by its key, of one type wherever it occurs.
    #[test]
    fn options_are_read_by_key() {
        let mut types = std::collections::BTreeMap::new();
        for kind in Kind::ALL {
            for info in kind.options().infos() {
                let mut options = kind.options();
                let value = options.get(info.key).unwrap();
                options.set(info.key, value.clone()).unwrap();
                assert_eq!(options, kind.options(), "{kind:?} {}", info.key);
                for sample in info.samples {
                    options.set(info.key, sample.clone()).unwrap();
                    assert_eq!(options.get(info.key), Some(sample), "{kind:?} {}", info.key);
                }
                assert!(info.expected.is_some() && !info.meaning.is_empty(), "{kind:?} {}", info.key);
                let first = *types.entry(info.key).or_insert(info.expected);
                assert_eq!(first, info.expected, "{} of {kind:?} has another type elsewhere", info.key);
            }
        }
    }

    /// A kind without a page of its own is not documented.
    #[test]
    fn every_kind_has_its_page() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kinds");
        for kind in Kind::ALL {
            let name = kind.name();
            let page = std::fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
            for part in ["Reference: ", "```text"] {
                assert!(page.contains(part), "{name}.rs has no {part}");
            }
            let Info { summary, formula, reference, .. } = *kind.entry();
            assert!([summary, formula, reference].iter().all(|text| !text.is_empty()), "{name}");
        }
    }
}
