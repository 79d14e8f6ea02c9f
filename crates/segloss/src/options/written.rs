//! The keys of `[weights]`: a scheme without a source is refused, and what does not act is not written.

use super::weights::{Absent, Normalise, SOURCES, Scheme, Source, WeightSpec};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

/// The keys that somebody wrote.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table such as { source = \"per_sample\" }")]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<Scheme>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decay: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<Absent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalise: Option<Normalise>,
}

impl<'de> Deserialize<'de> for WeightSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl Serialize for WeightSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written::from(self.clone()).serialize(serializer)
    }
}

impl TryFrom<Written> for WeightSpec {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let idle = [("scheme", written.scheme.is_some()), ("normalise", written.normalise.is_some())];
        if let (None, Some((key, _))) = (written.source, idle.iter().find(|(_, written)| *written)) {
            return Err(format!("`weights.{key}` has no effect without `weights.source`: {SOURCES}"));
        }
        let default = Self::default();
        Ok(Self {
            source: written.source.unwrap_or(default.source),
            scheme: written.scheme.unwrap_or(default.scheme),
            values: written.values,
            decay: written.decay.unwrap_or(default.decay),
            absent: written.absent.unwrap_or(default.absent),
            normalise: written.normalise.unwrap_or(default.normalise),
        })
    }
}

impl From<WeightSpec> for Written {
    fn from(spec: WeightSpec) -> Self {
        let WeightSpec { source, scheme, values, decay, absent, normalise } = spec;
        let default = WeightSpec::default();
        let counted = source.is_counted();
        Self {
            source: Some(source),
            scheme: (counted || scheme != default.scheme).then_some(scheme),
            values,
            decay: (source == Source::Ema || decay != default.decay).then_some(decay),
            absent: (counted || absent != default.absent).then_some(absent),
            normalise: (counted || normalise != default.normalise).then_some(normalise),
        }
    }
}
