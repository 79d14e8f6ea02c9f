//! What an option holds, and the types that it may have.

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
}

impl fmt::Display for Expected {
    /// In serde's words, which [`spelling`](crate::spelling) and others know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("a boolean"),
            Self::Whole => f.write_str("usize"),
            Self::Number => f.write_str("f64"),
            Self::Words(words) => write!(f, "`{}`", words.join("` or `")),
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
        $crate::options::value::words! { $Name { $($Variant = $word),+ }, unset Self::default().value() }
    };
    ($Name:ident { $($Variant:ident = $word:literal),+ }, unset $unset:expr) => {
        impl $crate::options::value::OptionValue for $Name {
            const EXPECTED: $crate::options::value::Expected =
                $crate::options::value::Expected::Words(&[$($word),+]);

            fn value(&self) -> $crate::options::value::Value {
                $crate::options::value::Value::Word(match self { $(Self::$Variant => $word),+ }.into())
            }

            fn of(value: &$crate::options::value::Value) -> Option<Self> {
                match value {
                    $($crate::options::value::Value::Word(word) if word == $word => Some(Self::$Variant),)+
                    _ => None,
                }
            }

            fn unset() -> $crate::options::value::Value {
                $unset
            }
        }

        impl From<$Name> for $crate::options::value::Value {
            fn from(word: $Name) -> Self {
                $crate::options::value::OptionValue::value(&word)
            }
        }
    };
}
pub(crate) use words;
