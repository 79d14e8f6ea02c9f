//! Softmax cross-entropy with class weights.
//!
//! ```text
//! value     L = Σ_c w_c·y_c·(−ln p_c),    −ln p_c = ln Σ_j exp z_j − z_c
//! gradient  ∂L/∂z_k = p_k·Σ_{c≠k} w_c·y_c − w_k·y_k·(1 − p_k)
//! ```
//!
//! The gradient is the textbook's p_k·Σ_c w_c·y_c − w_k·y_k with the class k taken out of the sum: the
//! two terms of the textbook cancel where p_k → 1, these do not.
//!
//! With `label_smoothing` s every label gives s of its mass to all classes alike, and **the pixel keeps the
//! weight of its own label**:
//!
//! ```text
//! value     L = (1 − s)·Σ_c w_c·y_c·(−ln p_c) + s/C·W·Σ_c −ln p_c,    W = Σ_c w_c·y_c
//! gradient  … + s·W·(p_k − 1/C)
//! ```
//!
//! With `smoothing_weight = "class"` it is PyTorch's `F.cross_entropy(weight=, label_smoothing=)`, which weighs the
//! smoothing term class by class, so that a rare class's large weight pulls at every pixel:
//!
//! ```text
//! value     L = Σ_c w_c·y'_c·(−ln p_c),    y' = (1 − s)·y + s/C
//! ```
//!
//! Both are divided by Σ W. A smoothed distribution y' given as a soft target is divided by Σ w_c·y'_c instead.
//! Without weights all three are the same.
//!
//! - Shapes: logits (N, C, spatial…) or (N, spatial…, C); targets are indices or distributions.
//! - Reduction: [`Mean`](crate::Reduction::Mean), divided by Σ w_c·y_c over the valid pixels.
//! - Confidently wrong pixels: L grows like z_max − z_y, the gradient tends to ±w; never zero.
//! - Saturated logits: exact for |z| up to 1e4 and beyond; no exponential overflows.
//! - One channel is refused: p = 1 whatever its logit is. Two classes in one channel are
//!   [`binary_cross_entropy`](super::binary_cross_entropy).
//! - An absent class appears in no y; its weight is not used, whatever the policy makes of it.
//!
//! Reference: Bishop 2006, *Pattern Recognition and Machine Learning*, eq. 4.108 and 4.109.

use crate::element::Element;
use crate::error::Error;
use crate::families::Family;
use crate::families::pointwise::Pointwise;
use crate::kernels::pointwise::{Plain, Smoothing};
use crate::kind::{Info, LossKind};
use crate::options::{SharedKeys, SmoothingWeight, options, smoothing, smoothing_acts};

options! {
    /// The options of [`cross_entropy`](self).
    pub struct CrossEntropy {
        /// share of each label that goes to all classes alike.
        pub label_smoothing: f64 = 0.0, samples [0.0, 0.1, 0.4],
        /// label: a pixel keeps its label's weight; class: PyTorch's, each class's share has that class's weight.
        pub smoothing_weight: Option<SmoothingWeight> = None,
        samples [SmoothingWeight::Label, SmoothingWeight::Class],
    }
}

impl LossKind for CrossEntropy {
    const INFO: Info = Info {
        summary: "Softmax cross-entropy with class weights: the default for exclusive classes.",
        formula: "Σ_c w_c·y_c·(ln Σ_j exp z_j − z_c)",
        reference: "Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.108; per-sample weights: the source document, S5",
        ..Info::PLAIN
    };

    const SAMPLES: &'static [&'static str] = &[
        "",
        "label_smoothing = 0.1",
        "label_smoothing = 0.1\nsmoothing_weight = 'class'\n[weights]\nsource = 'per_sample'",
        "threshold = { logit_adjustment = 1.0 }",
        "[weights]\nsource = 'per_batch'",
        "[weights]\nsource = 'per_sample'\nscheme = 'complement'",
        "[weights]\nsource = 'ema'\nscheme = 'enet'\nabsent = 'prior'",
        "label_smoothing = 0.2\n[weights]\nsource = 'per_sample'\nscheme = 'median_frequency'\nnormalise = 'expected_one'",
    ];

    fn validate(&self, shared: &SharedKeys<'_>) -> Result<(), Error> {
        smoothing(self.label_smoothing)?;
        smoothing_acts(self.smoothing_weight, self.label_smoothing, shared.weights)
    }

    fn family<T: Element>(&self, _: &SharedKeys<'_>, _: usize, _: usize) -> Option<Box<dyn Family<T>>> {
        Some(Box::new(Pointwise { smoothing: self.smoothing(), ..Pointwise::new(Plain) }))
    }
}

impl CrossEntropy {
    fn smoothing(&self) -> Smoothing {
        match (self.label_smoothing, self.smoothing_weight.unwrap_or_default()) {
            (0.0, _) => Smoothing::None,
            (share, SmoothingWeight::Label) => Smoothing::Label(share),
            (share, SmoothingWeight::Class) => Smoothing::Class(share),
        }
    }
}
