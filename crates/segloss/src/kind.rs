//! The registry: every kind of loss with its formula, options and reference.

use crate::spec::{Activation, Classes, Denominator, Number};
use serde::{Deserialize, Serialize};

/// A kind of loss. Each has a file of its own under [`kinds`](crate::kinds), with value, gradient and source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Softmax cross-entropy: [`cross_entropy`](crate::kinds::cross_entropy).
    #[default]
    CrossEntropy,
    /// Sigmoid cross-entropy, binary or multi-label: [`binary_cross_entropy`](crate::kinds::binary_cross_entropy).
    BinaryCrossEntropy,
    /// The source document's binary loss S1, to the letter: [`document_binary`](crate::kinds::document_binary).
    DocumentBinary,
    /// The source document's S2, −y·ln σ(z): [`document_sigmoid`](crate::kinds::document_sigmoid).
    DocumentSigmoid,
    /// The source document's S3, w·softmax cross-entropy with one scalar w: [`document_categorical`](crate::kinds::document_categorical).
    DocumentCategorical,
    /// Cross-entropy that fades where the prediction is right: [`focal`](crate::kinds::focal).
    Focal,
    /// Cross-entropy plus ε·(1 − p): [`poly1_cross_entropy`](crate::kinds::poly1_cross_entropy).
    Poly1CrossEntropy,
    /// Cross-entropy that spares rare classes the push from frequent ones: [`seesaw`](crate::kinds::seesaw).
    Seesaw,
    /// Cross-entropy with a margin that grows with rarity: [`ldam`](crate::kinds::ldam).
    Ldam,
    /// Cross-entropy weighted by each class's misses: [`recall_cross_entropy`](crate::kinds::recall_cross_entropy).
    RecallCrossEntropy,
    /// Cross-entropy over the hardest pixels: [`top_k_cross_entropy`](crate::kinds::top_k_cross_entropy).
    TopKCrossEntropy,
    /// 1 − the Dice coefficient of each class: [`dice`](crate::kinds::dice).
    Dice,
    /// 1 − intersection over union of each class: [`jaccard`](crate::kinds::jaccard).
    Jaccard,
    /// Dice pooled over the classes, each weighted by the inverse square of its size: [`generalized_dice`](crate::kinds::generalized_dice).
    GeneralizedDice,
    /// Overlap with separate prices for false positives and false negatives: [`tversky`](crate::kinds::tversky).
    Tversky,
    /// The Tversky loss of each class to the power 1/γ: [`focal_tversky`](crate::kinds::focal_tversky).
    FocalTversky,
    /// A focal and a focal Tversky term with shared δ and γ: [`unified_focal`](crate::kinds::unified_focal).
    UnifiedFocal,
    /// The Lovász extension of each class's Jaccard loss: [`lovasz_softmax`](crate::kinds::lovasz_softmax).
    LovaszSoftmax,
    /// The Lovász extension of the binary Jaccard loss on hinge errors: [`lovasz_hinge`](crate::kinds::lovasz_hinge).
    LovaszHinge,
    /// Probability times signed distance from the boundary: [`boundary`](crate::kinds::boundary).
    Boundary,
    /// A weighted sum of losses: [`combined`](crate::kinds::combined).
    Combined,
}

/// What the registry knows about a kind, for people and for `segloss losses --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindInfo {
    /// The name in specifications.
    pub name: &'static str,
    /// One line on what it is and when to use it.
    pub summary: &'static str,
    /// The formula: of a pixel, or of the whole where it is no sum over pixels. Symbols as in the crate's
    /// documentation.
    pub formula: &'static str,
    /// Where it is defined.
    pub reference: &'static str,
    /// The options that it takes besides `layout` and `ignore_index`.
    pub options: Vec<OptionInfo>,
    /// What the sum is divided by unless the specification says otherwise.
    pub default_denominator: Denominator,
}

/// One option of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OptionInfo {
    /// The key in specifications.
    pub key: &'static str,
    /// Its value if the specification does not name it.
    pub default: &'static str,
    /// What it is, and what it may be.
    pub meaning: &'static str,
}

impl KindInfo {
    /// Whether the kind has an option of this name.
    pub fn takes(&self, key: &str) -> bool {
        self.options.iter().any(|option| option.key == key)
    }
}

/// How a kind is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// A sum over pixels: value and gradient in one pass.
    Pixels,
    /// Sums per class over a region first, then a ratio of them.
    Overlap,
    /// All errors of a class in a region are sorted.
    Lovasz,
    /// All pixels of a region are sorted, and the hardest kept.
    TopK,
    /// A sum over pixels whose class weights depend on the predictions of the region.
    Recall,
    /// A sum of other losses.
    Terms,
}

/// (key, default, meaning).
type Row = (&'static str, &'static str, &'static str);
type Options = &'static [Row];

// Options that several kinds share.
const SMOOTHING_WEIGHT: Options = &[(
    "smoothing_weight",
    "label",
    "label: a pixel keeps its label's weight; class: PyTorch's, each class's share has that class's weight",
)];
const AVERAGE: Options = &[(
    "average",
    "pairs",
    "beside region = image: over all (image, class) pairs, or over images, of the means over their classes",
)];
const SMOOTHING: Options = &[("label_smoothing", "0", "share of each label that goes to all classes alike")];
const THRESHOLD: Row = ("threshold", "none", "{ logit_shift = [τ…] } or { logit_adjustment = t }");
const WEIGHTS: Row = ("weights", "none", "source, scheme, values, decay, absent, normalise");
const PRIOR: Row = ("prior", "per_batch", "source and values of the class priors");
const DENOMINATORS: &str = "weight_sum | valid_pixels | elements | images | per_pixel | { constant = x }";
const WEIGHING: Options = &[THRESHOLD, WEIGHTS, PRIOR, ("denominator", "weight_sum", DENOMINATORS)];
const WEIGHING_CLASSES: Options = &[
    THRESHOLD,
    WEIGHTS,
    PRIOR,
    ("denominator", "weight_sum", "weight_sum | images | per_pixel | { constant = x }"),
];
const ELEMENTS: Options = &[("denominator", "elements", DENOMINATORS)];
const ACTIVATION: Options = &[("activation", "softmax", "softmax, or sigmoid for classes that may overlap")];
const REGION: Options = &[("region", "batch", "batch or image: over which pixels the loss sums or sorts")];
const ALL_CLASSES: Options = &[("classes", "all", "all, or present: which classes of a region count")];
const SMOOTH: Options = &[("smooth", "1e-5", "s ≥ 0")];
const DOCUMENT_WEIGHT: Options = &[("weights", "per_batch", "source: per_batch or per_sample")];
const PRICES: Options =
    &[("alpha", "0.3", "price α of false positives"), ("beta", "0.7", "price β of false negatives")];

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 21] = [
        Self::CrossEntropy,
        Self::BinaryCrossEntropy,
        Self::DocumentBinary,
        Self::DocumentSigmoid,
        Self::DocumentCategorical,
        Self::Focal,
        Self::Poly1CrossEntropy,
        Self::Seesaw,
        Self::Ldam,
        Self::RecallCrossEntropy,
        Self::TopKCrossEntropy,
        Self::Dice,
        Self::Jaccard,
        Self::GeneralizedDice,
        Self::Tversky,
        Self::FocalTversky,
        Self::UnifiedFocal,
        Self::LovaszSoftmax,
        Self::LovaszHinge,
        Self::Boundary,
        Self::Combined,
    ];

    /// The name in specifications.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// What [`LossSpec`](crate::LossSpec) divides by when it names no denominator: the weighted mean, and
    /// the plain mean for the document's kinds, as Keras takes it.
    pub fn default_denominator(self) -> Denominator {
        match self {
            Self::DocumentBinary | Self::DocumentSigmoid | Self::DocumentCategorical => Denominator::Elements,
            // The terms have divided already.
            Self::Combined | Self::UnifiedFocal => Denominator::PerPixel,
            _ => Denominator::WeightSum,
        }
    }

    /// The kind's entry in the registry.
    pub fn info(self) -> KindInfo {
        let (name, summary, formula, reference, options) = self.entry();
        let options = options.iter().copied().flatten().map(|&(key, default, meaning)| OptionInfo {
            key,
            default,
            meaning,
        });
        KindInfo {
            name,
            summary,
            formula,
            reference,
            options: options.collect(),
            default_denominator: self.default_denominator(),
        }
    }

    fn entry(self) -> (&'static str, &'static str, &'static str, &'static str, &'static [Options]) {
        match self {
            Self::CrossEntropy => (
                "cross_entropy",
                "Softmax cross-entropy with class weights: the default for exclusive classes.",
                "Σ_c w_c·y_c·(ln Σ_j exp z_j − z_c)",
                "Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.108; per-sample weights: the source document, S5",
                &[SMOOTHING, SMOOTHING_WEIGHT, WEIGHING],
            ),
            Self::BinaryCrossEntropy => (
                "binary_cross_entropy",
                "Sigmoid cross-entropy, one problem per channel: one class, or classes that may overlap.",
                "Σ_c w⁺_c·y_c·softplus(−z_c) + w⁻_c·(1 − y_c)·softplus(z_c)",
                "Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.90",
                &[SMOOTHING, WEIGHING],
            ),
            Self::DocumentBinary => (
                "document_binary",
                "The document's S1 to the letter, to reproduce and to see fail: NaN once a pixel saturates.",
                "(1 − w)·y·(−ln u) + (1 − y)·w·(−ln(1 − u)),  u = max(0, σ(z) + 0.5 − th),  w = Σy/size(y)",
                "the source document, S1",
                &[
                    &[("threshold", "{ document = 1/C }", "the document's activation threshold")],
                    DOCUMENT_WEIGHT,
                    ELEMENTS,
                ],
            ),
            Self::DocumentSigmoid => (
                "document_sigmoid",
                "The document's S2, without its overflow. Channels without a target are never pushed down.",
                "Σ_c y_c·softplus(−z_c)",
                "the source document, S2",
                &[ELEMENTS],
            ),
            Self::DocumentCategorical => (
                "document_categorical",
                "The document's S3: its scalar weight is exactly 1/C for one-hot labels and balances nothing.",
                "w·Σ_c y_c·(ln Σ_j exp z_j − z_c),  w = Σy/size(y)",
                "the source document, S3",
                &[DOCUMENT_WEIGHT, ELEMENTS],
            ),
            Self::Focal => (
                "focal",
                "Focal loss, softmax or sigmoid: cross-entropy that fades where the prediction is right already.",
                "Σ_c w_c·y_c·(1 − p_c)^γ·(−ln p_c);  sigmoid: w⁺·y·σ(−z)^γ·softplus(−z) + w⁻·(1 − y)·σ(z)^γ·softplus(z)",
                "Lin et al. 2017, Focal loss for dense object detection, eq. 5",
                &[ACTIVATION, &[("gamma", "2", "focusing exponent γ ≥ 0; 0 is cross-entropy")], WEIGHING],
            ),
            Self::Poly1CrossEntropy => (
                "poly1_cross_entropy",
                "Poly-1: cross-entropy with its first polynomial coefficient moved by ε.",
                "Σ_c w_c·y_c·(−ln p_c + ε·(1 − p_c))",
                "Leng et al. 2022, PolyLoss, eq. 5 (Poly-1)",
                &[&[("epsilon", "1", "ε ≥ −1; 0 is cross-entropy")], WEIGHING],
            ),
            Self::Seesaw => (
                "seesaw",
                "Seesaw loss: rare classes are pushed down less by pixels of frequent ones, unless they win wrongly.",
                "Σ_i w_i·y_i·(ln Σ_j S_ij·exp z_j − z_i),  S_ij = min(1, (π_j/π_i)^p)·max(1, (p_j/p_i)^q), constant for the gradient",
                "Wang et al. 2021, Seesaw loss for long-tailed instance segmentation, eqs. 3-6",
                &[
                    &[
                        ("mitigation", "0.8", "exponent p ≥ 0 of the mitigation factor"),
                        ("compensation", "2", "exponent q ≥ 0 of the compensation factor"),
                    ],
                    WEIGHING,
                ],
            ),
            Self::Ldam => (
                "ldam",
                "LDAM: cross-entropy of scaled logits, with a larger margin for rarer classes.",
                "cross-entropy of s·(z_c − y_c·Δ_c),  Δ_c = Δ·(n_min/n_c)^(1/4)",
                "Cao et al. 2019, Learning imbalanced datasets with label-distribution-aware margin loss, eqs. 12 and 13",
                &[
                    &[
                        ("margin", "0.5", "Δ > 0, the margin of the rarest class"),
                        ("scale", "30", "s > 0, the factor of logits and margins"),
                    ],
                    WEIGHING,
                ],
            ),
            Self::RecallCrossEntropy => (
                "recall_cross_entropy",
                "Recall loss: each class weighs what it misses at the moment, 1 − recall.",
                "Σ_c w_c·(1 − R_c)·y_c·(−ln p_c),  R_c the recall of class c in the region, constant for the gradient",
                "Tian et al. 2022, Striking the right balance: recall loss for semantic segmentation, eq. 4",
                &[SMOOTHING, REGION, WEIGHING],
            ),
            Self::TopKCrossEntropy => (
                "top_k_cross_entropy",
                "Top-k cross-entropy, or online hard example mining: only the hardest pixels count.",
                "Σ over the ⌈keep·P⌉ valid pixels with the largest −ln p_y of w_y·(−ln p_y)",
                "Wu et al. 2016, Bridging category-level and instance-level semantic image segmentation, section 2.3; Shrivastava et al. 2016 (OHEM)",
                &[
                    &[
                        ("keep", "0.1", "share of the valid pixels that is kept"),
                        ("confidence", "none", "keep every pixel with p_y below this as well"),
                    ],
                    SMOOTHING,
                    REGION,
                    WEIGHING,
                ],
            ),
            Self::Dice => (
                "dice",
                "Soft Dice: one minus the overlap of each class, averaged over the classes.",
                "mean_c w_c·(1 − (2·Σpy + s)/(Σp + Σy + s))",
                "Milletari et al. 2016, V-Net, section 3 (squared); Drozdzal et al. 2016",
                &[
                    ACTIVATION,
                    &[("squared", "false", "sums of p² and y² in the denominator, as in V-Net")],
                    SMOOTH,
                    REGION,
                    AVERAGE,
                    ALL_CLASSES,
                    WEIGHING_CLASSES,
                ],
            ),
            Self::Jaccard => (
                "jaccard",
                "Soft Jaccard (IoU): one minus intersection over union of each class.",
                "mean_c w_c·(1 − (Σpy + s)/(Σp + Σy − Σpy + s))",
                "Rahman & Wang 2016, Optimizing intersection-over-union in deep neural networks, eq. 3",
                &[
                    ACTIVATION,
                    &[("squared", "false", "sums of p² and y² in the union")],
                    SMOOTH,
                    REGION,
                    AVERAGE,
                    ALL_CLASSES,
                    WEIGHING_CLASSES,
                ],
            ),
            Self::GeneralizedDice => (
                "generalized_dice",
                "Generalised Dice: the overlaps of all classes pooled, each weighted by 1/(pixels of the class)².",
                "1 − (2·Σ_c w_c·Σpy + s)/(Σ_c w_c·(Σp + Σy) + s),  w_c = 1/(Σy)² unless [weights] says otherwise",
                "Sudre et al. 2017, Generalised Dice overlap as a deep learning loss function, section 2.1",
                &[ACTIVATION, &[("smooth", "0", "s ≥ 0")], REGION, WEIGHING_CLASSES],
            ),
            Self::Tversky => (
                "tversky",
                "Tversky: an overlap in which false positives and false negatives have prices of their own.",
                "mean_c w_c·(1 − (TP + s)/(TP + α·FP + β·FN + s))",
                "Salehi et al. 2017, Tversky loss function for image segmentation using 3D fully convolutional deep networks, eq. 2",
                &[ACTIVATION, PRICES, SMOOTH, REGION, AVERAGE, ALL_CLASSES, WEIGHING_CLASSES],
            ),
            Self::FocalTversky => (
                "focal_tversky",
                "Focal Tversky: the Tversky loss of each class to the power 1/γ.",
                "mean_c w_c·(1 − TI_c)^(1/γ),  TI_c = (TP + s)/(TP + α·FP + β·FN + s)",
                "Abraham & Khan 2019, A novel focal Tversky loss function with improved attention U-Net for lesion segmentation, eq. 4",
                &[
                    ACTIVATION,
                    PRICES,
                    &[("gamma", "1.3333333333333333", "focusing exponent γ > 0; 1 is tversky")],
                    SMOOTH,
                    REGION,
                    AVERAGE,
                    ALL_CLASSES,
                    WEIGHING_CLASSES,
                ],
            ),
            Self::UnifiedFocal => (
                "unified_focal",
                "Unified focal: a focal and a focal Tversky term with one δ and one γ, enhancing rare classes.",
                "λ·mean Σ_c a_c·y_c·(1 − p_c)^γ_c·(−ln p_c) + (1 − λ)·mean_c (1 − TI_c)^e_c,  a = δ or 1 − δ, TI with δ·FN and (1 − δ)·FP",
                "Yeung et al. 2022, Unified focal loss, eqs. 15-20",
                &[
                    &[
                        ("mix", "0.5", "share λ of the focal term"),
                        ("delta", "0.6", "weight δ of rare classes and false negatives"),
                        ("gamma", "0.5", "focusing exponent γ, at least 0 and below 1"),
                        ("asymmetric", "true", "enhance the rare classes only"),
                        ("background", "0", "the class that is not rare"),
                        ("smooth", "1e-7", "s ≥ 0"),
                    ],
                    REGION,
                    &[THRESHOLD, PRIOR],
                ],
            ),
            Self::LovaszSoftmax => (
                "lovasz_softmax",
                "Lovász-softmax: the convex surrogate of IoU, by sorting the errors of each class.",
                "mean_c w_c·Σ_i e_(i)·(J_i − J_(i−1)),  e = |y − p| in falling order, J the Jaccard loss of the first i as mistakes",
                "Berman et al. 2018, The Lovász-Softmax loss, eqs. 8 and 9, algorithm 1",
                &[
                    REGION,
                    AVERAGE,
                    &[("classes", "present", "present, or all: which classes of a region count")],
                    WEIGHING_CLASSES,
                ],
            ),
            Self::LovaszHinge => (
                "lovasz_hinge",
                "Lovász hinge: the convex surrogate of IoU for one class, or classes that may overlap.",
                "mean_c w_c·Σ_i max(0, e_(i))·(J_i − J_(i−1)),  e = 1 − z where y = 1, 1 + z where y = 0",
                "Berman et al. 2018, The Lovász-Softmax loss, eqs. 6 and 7; Yu & Blaschko 2015",
                &[REGION, AVERAGE, ALL_CLASSES, WEIGHING_CLASSES],
            ),
            Self::Boundary => (
                "boundary",
                "Boundary loss: what is predicted far outside of a class's true region costs its distance.",
                "Σ_c w_c·φ_c·p_c,  φ_c the signed Euclidean distance to the boundary of class c, negative inside",
                "Kervadec et al. 2019, Boundary loss for highly unbalanced segmentation, eq. 5",
                &[WEIGHING],
            ),
            Self::Combined => (
                "combined",
                "A weighted sum of any of the other losses.",
                "Σ_t factor_t·L_t",
                "the losses' own",
                &[&[(
                    "terms",
                    "none",
                    "[[terms]] with `factor` (1) and [terms.loss], a specification of its own",
                )]],
            ),
        }
    }

    /// The activation, where the kind leaves no choice.
    pub(crate) fn activation(self) -> Option<Activation> {
        match self {
            Self::Focal
            | Self::Dice
            | Self::Jaccard
            | Self::GeneralizedDice
            | Self::Tversky
            | Self::FocalTversky => None,
            Self::BinaryCrossEntropy | Self::DocumentBinary | Self::DocumentSigmoid | Self::LovaszHinge => {
                Some(Activation::Sigmoid)
            }
            _ => Some(Activation::Softmax),
        }
    }

    pub(crate) fn family(self) -> Family {
        match self {
            Self::Dice | Self::Jaccard | Self::GeneralizedDice | Self::Tversky | Self::FocalTversky => {
                Family::Overlap
            }
            Self::LovaszSoftmax | Self::LovaszHinge => Family::Lovasz,
            Self::TopKCrossEntropy => Family::TopK,
            Self::RecallCrossEntropy => Family::Recall,
            Self::Combined | Self::UnifiedFocal => Family::Terms,
            _ => Family::Pixels,
        }
    }

    /// Whether the loss is a sum over pixels, so that a part's gradient needs nothing but the part, and
    /// [`Loss::map`](crate::Loss::map) has something to show.
    pub fn is_additive(self) -> bool {
        self.family() == Family::Pixels
    }

    /// Whether there is one loss per class and region, weighted by the class.
    pub(crate) fn sums_regions(self) -> bool {
        matches!(self.family(), Family::Overlap | Family::Lovasz)
    }

    /// Whether a pixel must have one class: a sort knows no shares, and a region no fractional inside.
    pub(crate) fn needs_hard_labels(self) -> bool {
        matches!(self.family(), Family::Lovasz | Family::TopK) || self == Self::Boundary
    }

    pub(crate) fn default_classes(self) -> Classes {
        if self == Self::LovaszSoftmax { Classes::Present } else { Classes::All }
    }

    /// The default of an option, as [`Kind::info`] states it.
    pub(crate) fn default_number(self, option: Number) -> f64 {
        let found = self.entry().4.iter().copied().flatten().find(|(key, ..)| *key == option.key());
        found.and_then(|(_, default, _)| default.parse().ok()).unwrap_or(f64::NAN)
    }

    /// Whether the document fixes the weight, so that `weights` cannot.
    pub(crate) fn owns_its_weight(self) -> bool {
        matches!(self, Self::DocumentBinary | Self::DocumentSigmoid | Self::DocumentCategorical)
    }

    /// Whether the document's own weight is Σy/size(y) over a scope (S1, S3).
    pub(crate) fn weight_is_scoped(self) -> bool {
        matches!(self, Self::DocumentBinary | Self::DocumentCategorical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_specifications() {
        for kind in Kind::ALL {
            let quoted = serde_json::to_string(&kind).unwrap();
            assert_eq!(quoted, format!("\"{}\"", kind.name()));
        }
    }

    #[test]
    fn every_number_of_a_kind_has_a_default_that_is_a_number() {
        for kind in Kind::ALL {
            for option in Number::ALL.into_iter().filter(|option| kind.info().takes(option.key())) {
                let none = option == Number::Confidence;
                assert_eq!(kind.default_number(option).is_nan(), none, "{kind:?} {}", option.key());
            }
        }
    }

    /// A kind without a page of its own is not documented.
    #[test]
    fn every_kind_has_its_file() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kinds");
        let index = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
        let overview = std::fs::read_to_string(folder.join("../lib.rs")).unwrap();
        for kind in Kind::ALL {
            let name = kind.name();
            let page = std::fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
            for part in ["Reference: ", "```text"] {
                assert!(page.contains(part), "{name}.rs has no {part}");
            }
            assert!(index.contains(&format!("pub mod {name};")), "{name} is not listed");
            assert!(overview.contains(&format!("(kinds::{name})")), "{name} is not in the overview");
        }
    }
}
