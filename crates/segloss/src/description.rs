//! What a loss is, whatever its pixels: a specification, and which part of its kind.

use crate::element::Element;
use crate::error::{Error, Problem};
use crate::families::Family;
use crate::kind::{Component, Structure};
use crate::options::Reduction;
use crate::spec::LossSpec;
use std::sync::Arc;

/// A specification whose options have been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Description {
    pub spec: LossSpec,
    /// Which part of its kind it is, of a kind that is a sum of parts.
    pub component: Option<(usize, Component)>,
}

/// Whether two plans or parts are of the same loss. Mostly they share their description.
pub(crate) fn is_same(a: &Arc<Description>, b: &Arc<Description>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

impl Description {
    /// For messages.
    pub fn operation(&self) -> &'static str {
        self.spec.kind().name()
    }

    pub fn error(&self, problem: Problem) -> Error {
        Error { operation: self.operation(), problem }
    }

    /// How it is computed.
    pub fn structure(&self) -> Structure {
        self.component.as_ref().map_or(self.spec.kind().structure(), |(_, component)| component.structure)
    }

    /// The reduction in force.
    pub fn reduction(&self) -> Reduction {
        // Of a kind that is a sum of parts, each is a mean.
        if self.component.is_some() { Reduction::Mean } else { self.spec.reduction() }
    }

    /// Whether all classes of a region make one ratio.
    pub fn is_pooled(&self) -> bool {
        self.spec.kind().is_pooled()
    }

    /// What computes it; none of a sum of losses.
    pub fn family<T: Element>(&self, classes: usize) -> Option<Box<dyn Family<T>>> {
        let component = self.component.map_or(0, |(component, _)| component);
        self.spec.options.family(&self.spec.shared_keys(), component, classes)
    }
}
