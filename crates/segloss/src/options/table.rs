//! The options of a kind: a plain struct in the kind's file, and beside it a table of them by key, with which
//! specifications are read and written, options are listed and cases are drawn.

use super::value::{Expected, OptionValue, Value};

/// One option of a kind.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OptionInfo {
    /// The key in specifications.
    pub key: &'static str,
    /// Its value if the specification does not name it.
    pub default: String,
    /// What it is, and what it may be.
    pub meaning: &'static str,
    /// What tests set it to, besides its default.
    #[doc(hidden)]
    #[cfg_attr(feature = "serde", serde(skip))]
    pub samples: Vec<Value>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) expected: Option<Expected>,
}

impl OptionInfo {
    /// An option that many kinds share, and that [`LossSpec`](crate::LossSpec) holds.
    pub(crate) fn shared(key: &'static str, default: &str, meaning: &'static str) -> Self {
        Self { key, default: default.to_owned(), meaning, samples: Vec::new(), expected: None }
    }

    /// Every value that it may have, where these are few: `true` and `false`, or some words.
    pub fn choices(&self) -> Vec<Value> {
        match self.expected {
            Some(Expected::Bool) => vec![Value::Bool(false), Value::Bool(true)],
            Some(Expected::Words(words)) => words.iter().map(|&word| Value::Word(word.into())).collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn own<T: OptionValue>(
        key: &'static str,
        default: &T,
        meaning: &'static str,
        samples: Vec<T>,
    ) -> Self {
        let default = match default.value() {
            Value::None => T::unset(),
            value => value,
        };
        Self {
            key,
            default: default.to_string(),
            meaning: meaning.trim().trim_end_matches('.'),
            samples: samples.iter().map(T::value).collect(),
            expected: Some(T::EXPECTED),
        }
    }
}

/// The options of a kind by key: what [`options!`] makes of their struct.
pub(crate) trait OptionTable {
    /// All of them, in the order of their declaration.
    fn infos(&self) -> Vec<OptionInfo>;

    /// The value of an option; none where there is no such option.
    fn get(&self, key: &str) -> Option<Value>;

    /// Sets an option, and returns whether there is one of this name and it takes the value.
    fn set(&mut self, key: &str, value: &Value) -> bool;
}

/// Declares the options of a kind: a struct, its default, and the table of them. The first paragraph of a field's
/// documentation is what `segloss losses` prints, and `samples` are the values that tests set it to.
macro_rules! options {
    ($(#[$attribute:meta])* pub struct $Name:ident {
        $(
            $(#[doc = $meaning:literal])+
            pub $key:ident: $T:ty = $default:expr, $(samples [$($sample:expr),* $(,)?],)?
        )*
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Name {
            $($(#[doc = $meaning])+ pub $key: $T,)*
        }

        impl Default for $Name {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        #[allow(unused_variables, reason = "a kind may have no option")]
        impl $crate::options::table::OptionTable for $Name {
            fn infos(&self) -> Vec<$crate::options::table::OptionInfo> {
                let default = Self::default();
                vec![$($crate::options::table::OptionInfo::own::<$T>(
                    stringify!($key),
                    &default.$key,
                    concat!($($meaning),+),
                    vec![$($($sample.into()),*)?],
                ),)*]
            }

            fn get(&self, key: &str) -> Option<$crate::options::value::Value> {
                match key {
                    $(stringify!($key) => Some($crate::options::value::OptionValue::value(&self.$key)),)*
                    _ => None,
                }
            }

            fn set(&mut self, key: &str, value: &$crate::options::value::Value) -> bool {
                match key {
                    $(stringify!($key) => match $crate::options::value::OptionValue::of(value) {
                        Some(x) => { self.$key = x; true }
                        None => false,
                    },)*
                    _ => false,
                }
            }
        }
    };
}
pub(crate) use options;
