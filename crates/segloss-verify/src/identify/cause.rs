//! What can be wrong with a loss, in words that somebody acts on.

use serde::Serialize;

/// Makes the list of causes: a name for programs, what it is, and what to do.
macro_rules! causes {
    ($($Cause:ident: $title:literal, $remedy:literal;)+) => {
        /// What is wrong with a loss.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Cause {
            $(
                #[doc = $title]
                $Cause,
            )+
        }

        impl Cause {
            /// All of them.
            pub const ALL: [Self; [$(Self::$Cause),+].len()] = [$(Self::$Cause),+];

            /// What it is.
            pub fn title(self) -> &'static str {
                match self { $(Self::$Cause => $title,)+ }
            }

            /// What to do.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$Cause => $remedy,)+ }
            }
        }
    };
}

causes! {
    SoftmaxTwice: "the activation is applied twice",
        "hand the loss logits, or use its form for probabilities (from_logits=False, NLLLoss after log_softmax)";
    SigmoidForSoftmax: "each class is scored by a sigmoid of its own, and nothing pushes the other classes down",
        "use softmax cross-entropy for classes that exclude one another; for overlapping ones add the negatives: binary cross-entropy";
    NoActivation: "the prediction enters without an activation: logits are taken for probabilities",
        "apply softmax or sigmoid first, or tell the loss that it gets logits (from_logits=True in Keras); or its arguments are swapped";
    NoLogarithm: "it sums the probabilities of the right classes, and not their logarithms",
        "take log_softmax before nll_loss, or cross_entropy of the logits";
    ArgumentsSwapped: "prediction and target stand in each other's place",
        "look up the order: (input, target) in PyTorch, (y_true, y_pred) in Keras; or give them by name";
    WrongAxis: "the softmax runs along an axis that is not the classes'",
        "give the class axis: dim=1 for (N, C, H, W), axis=-1 for (N, H, W, C)";
    OneChannelSoftmax: "a softmax over one channel is 1 everywhere: the loss does not depend on the net",
        "use a sigmoid for one channel, or two channels with a softmax";
    ConstantWeight: "the weight is the same for every class: it scales the loss and balances nothing",
        "weigh each class by its own frequency: weights = { source = \"per_sample\", scheme = \"inverse_frequency\" }";
    FavoursFrequent: "the more pixels a class has, the more each of them weighs: rare classes are drowned",
        "weigh by the inverse: weights = { source = \"per_sample\", scheme = \"inverse_frequency\" }";
    MeanOverPixels: "a weighted sum is divided by the number of pixels, not by the sum of the weights",
        "divide by the sum of the weights, as PyTorch's reduction='mean' does";
    IgnoredInDenominator: "ignored pixels are counted in the denominator: the more of them, the smaller the loss",
        "divide by the pixels that count";
    IgnoredBeforeActivation: "ignored pixels are set to 0 before the activation, and still add to the loss",
        "multiply the loss of each pixel by the mask, after the activation, and divide by the mask's sum";
    IgnoredAsClass: "ignored pixels are trained as a class",
        "leave them out: ignore_index, or a mask on the loss of each pixel";
    AbsentClassOwns: "a class that no pixel has owns the loss",
        "give absent classes no weight: weights.absent = \"zero\", or classes = \"present\"";
    ClippedGradient: "pixels that are confidently wrong get no gradient: their probability is clipped",
        "compute from logits with log-sum-exp; no clip is needed then";
    SilentPixels: "wrong pixels get no gradient at all",
        "look for relu, clamp, where, argmax, an index or a mask that is made of the prediction: every pixel should count";
    NotTheDerivative: "the gradient is not the derivative of the value",
        "let the framework derive the value; look for detach, stop_gradient, numpy calls and custom backward functions";
    Detached: "there is no gradient: the value does not depend on the net as the framework sees it",
        "compute the loss with the framework's own operations on the logits; look for detach, .numpy(), round, argmax";
    NotFinite: "the loss is NaN or infinite for logits that are legal",
        "compute from logits: log_softmax, logsigmoid, softplus; a threshold is a shift of the logits, z − ln(th/(1 − th))";
    Argmax: "it scores hard predictions (arg max or rounding), which have no gradient",
        "use the probabilities themselves in the loss; keep arg max for metrics";
    MaskScale: "the target holds 0 and a number that is not 1, as a mask of 0 and 255 does",
        "divide the target by its maximum, or compare it with 0, before the loss";
    ClassesSwapped: "prediction and target number the classes in opposite order",
        "use one order of classes for masks and channels";
    AxesSwapped: "height and width of the target are swapped",
        "load image and mask the same way; PIL's size is (width, height), an array's shape (height, width)";
    BroadcastOverImages: "each image is compared with the targets of all images",
        "give both one shape, as (N, 1, H, W): with (N, H, W) beside it broadcasting makes (N, N, H, W)";
    LabelsOffByOne: "the labels are one off: each pixel is trained as the class beside its own",
        "let labels run from 0 to C − 1";
    PosWeightAxis: "the class weights lie along an axis that is not the classes'",
        "shape them for broadcasting: (C, 1, 1) beside (N, C, H, W)";
    FocalOfWeighted: "the focal factor is taken from the weighted cross-entropy: a class weight changes the probability",
        "take (1 − p)^γ from the plain cross-entropy, then multiply by the weight";
    FocalInverted: "the focal factor is p^γ, and fades hard pixels where (1 − p)^γ fades easy ones",
        "take (1 − p)^γ, p the probability of the right class";
    WeightsCancel: "the class weights stand in numerator and denominator of the same class, and cancel",
        "sum numerators and denominators over the classes first: 1 − 2·Σ w·I / Σ w·(P + Y)";
    DoubleReduction: "a mean is divided once more by the number of images or pixels",
        "reduce once";
    Sign: "it falls when the prediction gets worse",
        "return 1 − score, or the negative score";
    NotWhatItsNameSays: "it is not the loss that it was said to be",
        "compare it with the named one: segloss explain";
}

impl Cause {
    /// As in JSON.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page lists every cause as it is printed.
    #[test]
    fn the_page_has_every_cause() {
        let page = include_str!("../../../../docs/check.md");
        for cause in Cause::ALL {
            let row = format!("| `{}` | {} | {} |", cause.name(), cause.title(), cause.remedy());
            assert!(page.contains(&row), "docs/check.md lacks\n{row}");
        }
    }
}
