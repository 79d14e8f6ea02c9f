//! How a specification is read and written: the keys that all kinds share, and the options of the kind beside them.

use super::{LossSpec, Term};
use crate::kind::Shared;
use crate::kinds::Kind;
use crate::options::value::Expected;
use crate::options::{OptionValue, Value};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

/// The keys that are no options of a kind. `denominator` is the older name of `reduction`.
const SHARED: [&str; 9] = [
    "kind",
    "layout",
    "ignore_index",
    "reduction",
    "denominator",
    "threshold",
    "weights",
    "prior",
    "dataset",
];

/// The losses that a specification is a sum of: a key that stands among the options of the kinds.
const TERMS: &str = "terms";

/// The options of all kinds, each with what it takes.
static OWN: LazyLock<BTreeMap<&'static str, Expected>> = LazyLock::new(|| {
    let infos = Kind::ALL.into_iter().flat_map(|kind| kind.options().infos());
    infos.filter_map(|info| Some((info.key, info.expected?))).collect()
});

/// Every key.
static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let own: BTreeSet<&'static str> = OWN.keys().copied().chain([TERMS]).collect();
    SHARED.into_iter().chain(own).collect()
});

impl<'de> Deserialize<'de> for LossSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OfSpec { kind: None }.deserialize(deserializer)
    }
}

/// The kind alone: whoever knows it beforehand can say at once where an option stands that it does not take. None where
/// the text cannot be read, which is told when all of it is.
pub(super) fn kind_of<'de, D: Deserializer<'de>>(deserializer: D) -> Option<Kind> {
    #[derive(serde::Deserialize)]
    struct Head {
        #[serde(default)]
        kind: Kind,
    }
    Head::deserialize(deserializer).ok().map(|head| head.kind)
}

/// A specification; of this kind, if it is known already.
pub(super) struct OfSpec {
    pub kind: Option<Kind>,
}

impl<'de> DeserializeSeed<'de> for OfSpec {
    type Value = LossSpec;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<LossSpec, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OfSpec {
    type Value = LossSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LossSpec, A::Error> {
        let mut spec = LossSpec::default();
        let mut kind = self.kind;
        let mut own: BTreeMap<&'static str, Read> = BTreeMap::new();
        let mut seen: Vec<&'static str> = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            if seen.contains(&key) {
                return Err(A::Error::duplicate_field(key));
            }
            seen.push(key);
            match key {
                "kind" => kind = Some(map.next_value()?),
                "layout" => spec.layout = map.next_value()?,
                "ignore_index" => spec.ignore_index = map.next_value()?,
                "reduction" | "denominator" => spec.reduction = map.next_value()?,
                "threshold" => spec.threshold = map.next_value()?,
                "weights" => spec.weights = map.next_value()?,
                "prior" => spec.prior = map.next_value()?,
                "dataset" => spec.dataset = map.next_value()?,
                _ => _ = own.insert(key, map.next_value_seed(OfKey { key, kind })?),
            }
        }
        if seen.contains(&"reduction") && seen.contains(&"denominator") {
            return Err(A::Error::custom(
                "`denominator` is the older name of `reduction`: one of the two is enough",
            ));
        }
        let kind = kind.unwrap_or_default();
        spec.options = kind.options();
        for (key, read) in own {
            match read {
                Read::Option(value) => {
                    check(key, kind, &value)?;
                    spec.options.table_mut().set(key, &value);
                }
                Read::Terms(terms) => {
                    check_terms(kind, &terms)?;
                    spec.terms = terms;
                }
            }
        }
        Ok(spec.expanded())
    }
}

/// Refuses an option that the kind does not take, unless it says that nothing is wanted: older programs wrote that for
/// every kind.
fn check<E: Error>(key: &'static str, kind: Kind, value: &Value) -> Result<(), E> {
    let is_idle = match value {
        Value::None => true,
        Value::Whole(_) | Value::Number(_) => key == "label_smoothing" && f64::of(value) == Some(0.0),
        Value::Bool(_) | Value::Word(_) => false,
    };
    match is_idle || kind.options().get(key).is_some() {
        true => Ok(()),
        false => Err(E::custom(kind.does_not_take(key).problem)),
    }
}

/// The same of terms.
fn check_terms<E: Error>(kind: Kind, terms: &[Term]) -> Result<(), E> {
    match terms.is_empty() || kind.takes(Shared::Terms) {
        true => Ok(()),
        false => Err(E::custom(kind.does_not_take(TERMS).problem)),
    }
}

/// A key, refused where it is none.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<&'static str, E> {
        let known = KEYS.iter().find(|known| **known == key).copied();
        known.ok_or_else(|| E::unknown_field(key, KEYS.as_slice()))
    }
}

/// What stands at a key that not all kinds share.
enum Read {
    Option(Value),
    Terms(Vec<Term>),
}

/// The value of an option of some kind, or the terms; of this kind, if it is known already.
struct OfKey {
    key: &'static str,
    kind: Option<Kind>,
}

impl OfKey {
    /// What the option takes; none of the terms, which are no option.
    fn expected(&self) -> Option<Expected> {
        OWN.get(self.key).copied()
    }

    /// Whether a kind with this option takes the value.
    fn checked<E: Error>(self, value: Value) -> Result<Read, E> {
        let takes = |kind: Kind| kind.options().table_mut().set(self.key, &value);
        if value != Value::None && !Kind::ALL.into_iter().any(takes) {
            let found = match &value {
                Value::Bool(x) => Unexpected::Bool(*x),
                Value::Whole(x) => Unexpected::Signed(*x),
                Value::Number(x) => Unexpected::Float(*x),
                Value::Word(word) => match self.expected() {
                    Some(Expected::Words(words)) => return Err(E::unknown_variant(word, words)),
                    _ => Unexpected::Str(word),
                },
                Value::None => Unexpected::Unit,
            };
            return Err(match (&value, self.expected()) {
                (Value::Whole(_), Some(Expected::Whole)) => E::invalid_value(found, &self),
                _ => E::invalid_type(found, &self),
            });
        }
        if let Some(kind) = self.kind {
            check(self.key, kind, &value)?;
        }
        Ok(Read::Option(value))
    }
}

impl<'de> DeserializeSeed<'de> for OfKey {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OfKey {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected() {
            Some(expected) => write!(f, "{expected}"),
            None => f.write_str("a sequence"),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Read, E> {
        self.checked(Value::None)
    }

    fn visit_none<E: Error>(self) -> Result<Read, E> {
        self.checked(Value::None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, x: bool) -> Result<Read, E> {
        self.checked(Value::Bool(x))
    }

    fn visit_i64<E: Error>(self, x: i64) -> Result<Read, E> {
        self.checked(Value::Whole(x))
    }

    fn visit_u64<E: Error>(self, x: u64) -> Result<Read, E> {
        self.checked(i64::try_from(x).map_or(Value::Number(x as f64), Value::Whole))
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<Read, E> {
        self.checked(Value::Number(x))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Read, E> {
        self.checked(Value::Word(word.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Read, A::Error> {
        if self.key != TERMS {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        let terms = Vec::<Term>::deserialize(SeqAccessDeserializer::new(seq))?;
        if let Some(kind) = self.kind {
            check_terms(kind, &terms)?;
        }
        Ok(Read::Terms(terms))
    }
}

impl Serialize for LossSpec {
    /// All options with their values, but for those that are not set. Tables come last.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", &self.kind())?;
        map.serialize_entry("layout", &self.layout)?;
        put(&mut map, "ignore_index", self.ignore_index.as_ref())?;
        for info in self.options.infos() {
            match self.options.get(info.key) {
                None | Some(Value::None) => {}
                Some(value) => map.serialize_entry(info.key, &value)?,
            }
        }
        put(&mut map, "reduction", self.reduction.as_ref())?;
        put(&mut map, "threshold", self.threshold.as_ref())?;
        map.serialize_entry("weights", &self.weights)?;
        put(&mut map, "prior", self.prior.as_ref())?;
        put(&mut map, "dataset", self.dataset.as_ref())?;
        if self.kind().takes(Shared::Terms) {
            map.serialize_entry(TERMS, &self.terms)?;
        }
        map.end()
    }
}

fn put<M: SerializeMap>(map: &mut M, key: &str, value: Option<&impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, value))
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Bool(x) => serializer.serialize_bool(*x),
            Self::Whole(x) => serializer.serialize_i64(*x),
            Self::Number(x) => serializer.serialize_f64(*x),
            Self::Word(word) => serializer.serialize_str(word),
        }
    }
}
