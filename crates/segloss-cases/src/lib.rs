//! Drawn inputs of every loss: what the laws of `segloss` and the harness that proves it are tried on.
//!
//! ```text
//! sampler ─► options, weighting ─► matrix ─► Case (spec, logits, target, map) ─► segloss::Input
//!                                  draw, oddity ─┘
//! ```
//!
//! Everything is drawn from a seed and a name, by a generator that is named, too: a case is the same bits on every machine and
//! in every version. No check and no bound is here, and nothing that is compared.

mod case;
mod draw;
mod effort;
mod grid;
mod input;
pub mod matrix;
mod oddity;
mod options;
mod random;
mod sampler;
pub mod samples;
mod settled;
mod spec;
mod weighting;

pub use case::{Case, Labels, TargetForm};
pub use draw::{distribution, draw, draw_within, needs_map};
pub use effort::Effort;
pub use grid::Grid;
pub use input::in_words;
pub use random::generator;
pub use settled::settled;
pub use spec::{
    ByKey, IGNORED, LAYOUTS, activations, form, forms, has_pairs, has_sigmoid, has_term, is_sigmoid, set,
};
