//! The options of a kind: a plain struct in the kind's file, and beside it a table of them by key, with which
//! specifications are read and written, options are listed and cases are drawn.

use super::Term;
use std::borrow::Cow;
use std::fmt;

/// What an option holds, whatever its type: see [`Options::get`](crate::Options::get).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not set.
    None,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
    /// One of some words.
    Word(Cow<'static, str>),
    /// The parts of a combined loss.
    Terms(Vec<Term>),
}

impl fmt::Display for Value {
    /// As a specification would write it, without quotation marks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Bool(x) => x.fmt(f),
            Self::Whole(x) => x.fmt(f),
            Self::Number(x) => {
                let text = format!("{x:?}");
                f.write_str(text.strip_suffix(".0").unwrap_or(&text))
            }
            Self::Word(word) => f.write_str(word),
            Self::Terms(terms) if terms.is_empty() => f.write_str("none"),
            Self::Terms(terms) => write!(f, "{} terms", terms.len()),
        }
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Number(x)
    }
}

impl From<bool> for Value {
    fn from(x: bool) -> Self {
        Self::Bool(x)
    }
}

impl From<usize> for Value {
    fn from(x: usize) -> Self {
        x.value()
    }
}

/// What values an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Bool,
    Whole,
    Number,
    Words(&'static [&'static str]),
    Terms,
}

impl fmt::Display for Expected {
    /// In serde's words, which [`spelling`](crate::spelling) and others know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("a boolean"),
            Self::Whole => f.write_str("usize"),
            Self::Number => f.write_str("f64"),
            Self::Words(words) => write!(f, "`{}`", words.join("` or `")),
            Self::Terms => f.write_str("a sequence"),
        }
    }
}

/// A type that an option may have.
pub(crate) trait OptionValue: Sized {
    /// What is read as it.
    const EXPECTED: Expected;

    /// From the option to its value.
    fn value(&self) -> Value;

    /// From a value to the option, if it fits.
    fn of(value: &Value) -> Option<Self>;

    /// What stands for an option of this type that is not set.
    fn unset() -> Value {
        Value::None
    }
}

impl OptionValue for bool {
    const EXPECTED: Expected = Expected::Bool;

    fn value(&self) -> Value {
        Value::Bool(*self)
    }

    fn of(value: &Value) -> Option<Self> {
        if let Value::Bool(x) = value { Some(*x) } else { None }
    }
}

impl OptionValue for usize {
    const EXPECTED: Expected = Expected::Whole;

    fn value(&self) -> Value {
        Value::Whole(i64::try_from(*self).unwrap_or(i64::MAX))
    }

    fn of(value: &Value) -> Option<Self> {
        if let Value::Whole(x) = value { Self::try_from(*x).ok() } else { None }
    }
}

impl OptionValue for f64 {
    const EXPECTED: Expected = Expected::Number;

    fn value(&self) -> Value {
        Value::Number(*self)
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(x) => Some(*x),
            Value::Whole(x) => Some(*x as Self),
            _ => None,
        }
    }
}

impl OptionValue for Vec<Term> {
    const EXPECTED: Expected = Expected::Terms;

    fn value(&self) -> Value {
        Value::Terms(self.clone())
    }

    fn of(value: &Value) -> Option<Self> {
        if let Value::Terms(terms) = value { Some(terms.clone()) } else { None }
    }
}

impl<T: OptionValue> OptionValue for Option<T> {
    const EXPECTED: Expected = T::EXPECTED;

    fn value(&self) -> Value {
        self.as_ref().map_or(Value::None, T::value)
    }

    fn of(value: &Value) -> Option<Self> {
        if *value == Value::None { Some(None) } else { T::of(value).map(Some) }
    }

    fn unset() -> Value {
        T::unset()
    }
}

/// Makes an option of an enum: each variant with its word in specifications.
macro_rules! words {
    ($Name:ident { $($Variant:ident = $word:literal),+ $(,)? }) => {
        $crate::spec::options::words! { $Name { $($Variant = $word),+ }, unset Self::default().value() }
    };
    ($Name:ident { $($Variant:ident = $word:literal),+ }, unset $unset:expr) => {
        impl $crate::spec::options::OptionValue for $Name {
            const EXPECTED: $crate::spec::options::Expected =
                $crate::spec::options::Expected::Words(&[$($word),+]);

            fn value(&self) -> $crate::spec::options::Value {
                $crate::spec::options::Value::Word(match self { $(Self::$Variant => $word),+ }.into())
            }

            fn of(value: &$crate::spec::options::Value) -> Option<Self> {
                match value {
                    $($crate::spec::options::Value::Word(word) if word == $word => Some(Self::$Variant),)+
                    _ => None,
                }
            }

            fn unset() -> $crate::spec::options::Value {
                $unset
            }
        }

        impl From<$Name> for $crate::spec::options::Value {
            fn from(word: $Name) -> Self {
                $crate::spec::options::OptionValue::value(&word)
            }
        }
    };
}
pub(crate) use words;

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
        impl $crate::spec::options::OptionTable for $Name {
            fn infos(&self) -> Vec<$crate::OptionInfo> {
                let default = Self::default();
                vec![$($crate::OptionInfo::own::<$T>(
                    stringify!($key),
                    &default.$key,
                    concat!($($meaning),+),
                    vec![$($($sample.into()),*)?],
                ),)*]
            }

            fn get(&self, key: &str) -> Option<$crate::Value> {
                match key {
                    $(stringify!($key) => Some($crate::spec::options::OptionValue::value(&self.$key)),)*
                    _ => None,
                }
            }

            fn set(&mut self, key: &str, value: &$crate::Value) -> bool {
                match key {
                    $(stringify!($key) => match $crate::spec::options::OptionValue::of(value) {
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
