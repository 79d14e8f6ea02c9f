//! What the harness asks of a specification, and changes in it.

use crate::case::TargetForm;
use segloss::{Activation, Kind, Layout, LossSpec, Options, Value};

/// Both layouts.
pub const LAYOUTS: [Layout; 2] = [Layout::ChannelsFirst, Layout::ChannelsLast];

/// The label of ignored pixels.
pub const IGNORED: i64 = 255;

/// Logits of drawn cases lie in ± this. The document's S1 gets less, where a larger logit breaks it; and LDAM, which
/// multiplies them: s = 30 is meant for cosines.
pub(crate) fn spread(spec: &LossSpec) -> f64 {
    let own = match &spec.options {
        Options::DocumentBinary(_) => 1.2,
        Options::Ldam(options) => f64::min(4.0, 20.0 / options.scale),
        _ => 4.0,
    };
    spec.terms().iter().map(|term| spread(&term.loss)).fold(own, f64::min)
}

/// Whether the loss, or a term of it, is of such a kind.
pub fn has_term(spec: &LossSpec, is: impl Fn(Kind) -> bool + Copy) -> bool {
    is(spec.kind()) || spec.terms().iter().any(|term| has_term(&term.loss, is))
}

/// The forms of target that a loss takes.
pub fn forms(spec: &LossSpec) -> &'static [TargetForm] {
    if has_term(spec, Kind::needs_hard_labels) {
        &[TargetForm::Indices, TargetForm::OneHot]
    } else {
        &TargetForm::ALL
    }
}

/// The form of the i-th case of many: the forms that a loss takes, in turn.
pub fn form(spec: &LossSpec, i: usize) -> TargetForm {
    let forms = forms(spec);
    forms[i % forms.len()]
}

/// Whether every channel is a problem of its own.
pub fn is_sigmoid(spec: &LossSpec) -> bool {
    spec.activation() == Activation::Sigmoid
}

/// Whether every channel of the loss, or of a term of it, is a problem of its own: a constant added to all logits of a
/// pixel then matters.
pub fn has_sigmoid(spec: &LossSpec) -> bool {
    is_sigmoid(spec) || spec.terms().iter().any(|term| has_sigmoid(&term.loss))
}

/// Whether weights come in (negative, positive) pairs and the map has an entry for each channel: where
/// channels are problems of their own, and their losses a sum over pixels.
pub fn has_pairs(spec: &LossSpec) -> bool {
    is_sigmoid(spec) && spec.kind().is_additive()
}

/// Options by key, of kinds that are known to have them.
pub trait ByKey {
    /// The same with another value of an option.
    fn with(self, key: &'static str, value: impl Into<Value>) -> Self;

    /// The number that an option holds.
    fn number(&self, key: &str) -> Option<f64>;
}

impl ByKey for LossSpec {
    fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        set(&mut self, key, value);
        self
    }

    fn number(&self, key: &str) -> Option<f64> {
        if let Some(Value::Number(x)) = self.options.get(key) { Some(x) } else { None }
    }
}

/// Sets an option that the kind is known to take.
pub fn set(spec: &mut LossSpec, key: &'static str, value: impl Into<Value>) {
    spec.options.set(key, value).unwrap_or_else(|error| panic!("{error}"));
}

/// The specification with each activation that it may have.
pub fn activations(plain: &LossSpec) -> Vec<LossSpec> {
    match plain.kind().activation() {
        None => [Activation::Softmax, Activation::Sigmoid]
            .map(|activation| plain.clone().with("activation", activation))
            .to_vec(),
        Some(_) => vec![plain.clone()],
    }
}
