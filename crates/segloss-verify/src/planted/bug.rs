//! A mistake: its name, what it stands for, and where it is made.

use crate::check::Judged;
use crate::implementation::{Implementation, Outcome, Precision};
use crate::network::Step;
use crate::operation::{Applied, Task};
use segloss::{Layout, LossSpec};
use segloss_cases::Case;
use segloss_unet::Config;

/// A mistake.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// Its name.
    pub name: &'static str,
    /// The real-world mistake that it stands for.
    pub stands_for: &'static str,
    /// The check that is meant to notice it; others may, too.
    pub killer: &'static str,
    /// What it does.
    pub wrong: Wrong,
}

/// Where a mistake is made.
#[derive(Clone, Copy, Debug)]
pub enum Wrong {
    /// The case is misread before the loss is computed.
    Misread(fn(&mut Case)),
    /// Its specification is, and that of every term.
    MisreadSpec(fn(&mut LossSpec)),
    /// An answer that was right is spoilt.
    Spoil(fn(&Case, Precision, &mut Outcome)),
    /// The same, by what the loss would be of other cases.
    Derive(fn(&dyn Implementation, &Case, &mut Outcome) -> Result<(), String>),
    /// All is computed in f32.
    Narrow,
    /// A batch in parts: every part estimates weights and denominator for itself.
    PartByPart,
    /// S4's scores are misread.
    Scores(fn(&mut [f64], &[usize], Layout)),
    /// The case is misread by the textbook, too.
    Shared(fn(&mut Case)),
    /// Its specification is, and that of every term.
    SharedSpec(fn(&mut LossSpec)),
    /// The gradient is wrong, and the textbook's rules of differentiation are wrong in the same way.
    SharedGradient(fn(&Case, &mut [f64])),
    /// An operation misreads its task.
    MisreadTask(fn(&mut Task)),
    /// What comes of an operation is spoilt.
    SpoilTask(fn(&Task, &mut Applied)),
    /// An operation computes in f32.
    NarrowTask,
    /// What comes of a training step is spoilt.
    SpoilStep(fn(&mut Step)),
    /// The configuration does not reach the trainer as it was meant.
    Configure(fn(&mut Config)),
}

impl Bug {
    /// What is judged where the bug is: no other check can notice it.
    pub fn judged(&self) -> Judged {
        match self.wrong {
            Wrong::MisreadTask(_) | Wrong::SpoilTask(_) | Wrong::NarrowTask => Judged::Operations,
            Wrong::SpoilStep(_) => Judged::Networks,
            Wrong::Configure(_) => Judged::Training,
            _ => Judged::Losses,
        }
    }
}
