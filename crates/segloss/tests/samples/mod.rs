//! Every kind of the registry with options that reach all of its branches. The match is exhaustive: a kind
//! without samples does not compile, and one that the laws never saw fails them.
#![allow(dead_code, reason = "each file of tests takes what it needs")]

use segloss::{Kind, LossSpec};

/// The label of ignored pixels in all samples.
pub const IGNORED: i64 = 255;

/// What a kind is tested with, as far as the number of classes leaves it free: no option has an entry per
/// class.
pub fn of(kind: Kind) -> Vec<LossSpec> {
    let options: &[&str] = match kind {
        Kind::CrossEntropy => &[
            "",
            "label_smoothing = 0.1",
            "label_smoothing = 0.1\nsmoothing_weight = 'class'\n[weights]\nsource = 'per_sample'",
            "threshold = { logit_adjustment = 1.0 }",
            "[weights]\nsource = 'per_batch'",
            "[weights]\nsource = 'per_sample'\nscheme = 'complement'",
            "[weights]\nsource = 'ema'\nscheme = 'enet'\nabsent = 'prior'",
            "label_smoothing = 0.2\n[weights]\nsource = 'per_sample'\nscheme = 'median_frequency'\nnormalise = 'expected_one'",
        ],
        Kind::BinaryCrossEntropy => &[
            "",
            "label_smoothing = 0.1",
            "threshold = { logit_adjustment = 0.5 }",
            "[weights]\nsource = 'per_batch'\nscheme = 'inverse_sqrt'\nabsent = 'prior'",
            "label_smoothing = 0.2\n[weights]\nsource = 'per_sample'\nscheme = { effective_number = 0.9 }",
        ],
        Kind::DocumentBinary => &["", "[weights]\nsource = 'per_sample'"],
        Kind::DocumentSigmoid => &[""],
        Kind::DocumentCategorical => &["", "[weights]\nsource = 'per_sample'"],
        Kind::Focal => &[
            "",
            "gamma = 0.5",
            "gamma = 0.0\n[weights]\nsource = 'per_sample'",
            "activation = 'sigmoid'",
            "activation = 'sigmoid'\ngamma = 0.5\n[weights]\nsource = 'per_batch'",
        ],
        Kind::Poly1CrossEntropy => &["", "epsilon = -0.5\n[weights]\nsource = 'per_sample'"],
        Kind::Seesaw => &["", "mitigation = 1.5\ncompensation = 0.5\n[prior]\nsource = 'per_sample'"],
        Kind::Ldam => &["", "scale = 2.0\n[prior]\nsource = 'per_sample'\n[weights]\nsource = 'per_batch'"],
        Kind::RecallCrossEntropy => {
            &["", "region = 'image'\nlabel_smoothing = 0.1\n[weights]\nsource = 'per_sample'"]
        }
        Kind::TopKCrossEntropy => &[
            "",
            "keep = 0.5\nregion = 'image'\n[weights]\nsource = 'per_batch'",
            "keep = 0.3\nconfidence = 0.3",
            "keep = 0.4\nlabel_smoothing = 0.1",
        ],
        Kind::Dice | Kind::Jaccard => &[
            "",
            "squared = true\nsmooth = 1.0",
            "activation = 'sigmoid'\nregion = 'image'",
            "classes = 'present'\nregion = 'image'\n[weights]\nsource = 'per_sample'",
            "classes = 'present'\nregion = 'image'\naverage = 'images'",
            "threshold = { logit_adjustment = 1.0 }",
        ],
        Kind::GeneralizedDice => &[
            "",
            "region = 'image'\nsmooth = 0.5\n[weights]\nabsent = 'largest_present'",
            "activation = 'sigmoid'\n[weights]\nabsent = { cap = 0.5 }",
            "[weights]\nsource = 'per_batch'",
        ],
        Kind::Tversky => {
            &["", "alpha = 0.8\nbeta = 0.0\nclasses = 'present'", "activation = 'sigmoid'\nregion = 'image'"]
        }
        Kind::FocalTversky => &["", "gamma = 0.75\nregion = 'image'", "activation = 'sigmoid'\nsmooth = 1.0"],
        Kind::UnifiedFocal => {
            &["", "asymmetric = false\nregion = 'image'", "mix = 0.2\nbackground = 1\nsmooth = 1.0"]
        }
        Kind::LovaszSoftmax => &[
            "",
            "classes = 'all'",
            "region = 'image'\n[weights]\nsource = 'per_sample'",
            "region = 'image'\naverage = 'images'",
        ],
        Kind::LovaszHinge => {
            &["", "classes = 'present'\nregion = 'image'", "[weights]\nsource = 'per_batch'"]
        }
        Kind::Boundary => &["", "[weights]\nsource = 'per_sample'"],
        Kind::Combined => &[
            "[[terms]]\nloss = { kind = 'cross_entropy', weights = { source = 'per_sample' } }\n\
             [[terms]]\nfactor = 0.5\nloss = { kind = 'dice' }",
            "[[terms]]\nfactor = 2.0\nloss = { kind = 'lovasz_softmax' }\n[[terms]]\nloss = { kind = 'unified_focal' }\n\
             [[terms]]\nloss = { kind = 'combined', terms = [{ factor = 0.5, loss = { kind = 'top_k_cross_entropy' } }] }",
        ],
    };
    let spec = |options: &&str| {
        let text = format!("kind = '{}'\nignore_index = {IGNORED}\n{options}", kind.name());
        LossSpec::from_toml(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
    };
    options.iter().map(spec).collect()
}

/// The samples of every kind.
pub fn all() -> Vec<LossSpec> {
    Kind::ALL.into_iter().flat_map(of).collect()
}

/// Whether each channel is a problem of its own, so that adding a number to all logits of a pixel matters.
pub fn is_sigmoid(spec: &LossSpec) -> bool {
    spec.activation() == segloss::Activation::Sigmoid || spec.terms.iter().any(|term| is_sigmoid(&term.loss))
}
