//! Sums of losses that are known by name.

use super::{LossSpec, Term};
use crate::kinds::combined::Preset;
use crate::kinds::{Combined, CrossEntropy, Dice, Focal, Options, TopKCrossEntropy};
use crate::options::{Activation, Classes, Reduction, Region};

impl LossSpec {
    /// The same with the terms of presets written out.
    pub(crate) fn expanded(mut self) -> Self {
        if let (Options::Combined(Combined { preset }), true) = (&mut self.options, self.terms.is_empty()) {
            self.terms = preset.take().map(Preset::terms).unwrap_or_default();
        }
        for term in &mut self.terms {
            term.loss = std::mem::take(&mut term.loss).expanded();
        }
        self
    }
}

impl Preset {
    /// Its terms.
    pub fn terms(self) -> Vec<Term> {
        let term = |loss: LossSpec| Term { factor: 1.0, loss };
        let dice = Dice { classes: Classes::Foreground, ..Dice::default() };
        match self {
            Self::NnunetCeDice => vec![term(CrossEntropy::default().into()), term(dice.into())],
            Self::NnunetTopKDice => vec![term(TopKCrossEntropy::default().into()), term(dice.into())],
            Self::DiceFocal => {
                let dice = Dice { region: Region::Image, ..Dice::default() };
                let focal = Focal { activation: Activation::Sigmoid, ..Focal::default() };
                let focal = LossSpec { reduction: Some(Reduction::MeanAll), ..focal.into() };
                vec![term(dice.into()), term(focal)]
            }
        }
    }
}
