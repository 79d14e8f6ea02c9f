//! Weights, priors and the counts of a data set, sampled.

use crate::sampler::OptionSampler;
use crate::spec::{has_pairs, is_sigmoid};
use segloss::{
    Absent, ClassCounts, Kind, LossSpec, Normalise, PriorSpec, Region, Scheme, Source, WeightSpec,
};

pub(crate) fn prior(sampler: &mut OptionSampler, classes: usize) -> PriorSpec {
    use Source::{Dataset, Ema, Fixed, PerBatch, PerSample};
    let source = sampler.sample("prior", &[PerBatch, PerSample, Dataset, Fixed, Ema]);
    let values = match source {
        Fixed => (0..classes).map(|_| sampler.number(1..10) as f64 / 10.0).collect(),
        _ => Vec::new(),
    };
    PriorSpec { source, values }
}

/// Source and scheme of the weights, as far as a kind takes them.
fn weightings(kind: Kind) -> Vec<(Source, Scheme)> {
    let plain = |source| (source, Scheme::default());
    match kind {
        Kind::DocumentBinary | Kind::DocumentCategorical => {
            [Source::None, Source::PerBatch, Source::PerSample].map(plain).to_vec()
        }
        _ if !kind.info().takes("weights") => vec![plain(Source::None)],
        _ => {
            let counted = [Source::Dataset, Source::PerBatch, Source::PerSample, Source::Ema];
            let pairs = counted.into_iter().flat_map(|source| SCHEMES.map(|scheme| (source, scheme)));
            let plain = [Source::None, Source::Fixed, Source::Map].map(plain);
            // Without a source generalised Dice has the weights of its paper, which are half of it.
            let own = if kind.weighs_by_size() { 16 } else { 0 };
            plain.into_iter().chain(std::iter::repeat_n(plain[0], own)).chain(pairs).collect()
        }
    }
}

/// Every scheme.
const SCHEMES: [Scheme; 8] = [
    Scheme::InverseFrequency,
    Scheme::Complement,
    Scheme::InverseSqrt,
    Scheme::Power(1.5),
    Scheme::MedianFrequency,
    Scheme::Enet,
    Scheme::EffectiveNumber(0.9),
    Scheme::DocumentScalar,
];

pub(crate) fn weights(sampler: &mut OptionSampler, spec: &LossSpec, classes: usize) -> WeightSpec {
    let (mut source, scheme) = sampler.sample("weights", &weightings(spec.kind()));
    if !spec.kind().info().takes("prior") {
        return WeightSpec { source, ..WeightSpec::default() };
    }
    if source == Source::PerSample && spec.kind().sums_regions() && spec.region() != Region::Image {
        // One region over the batch takes one row of weights.
        source = Source::PerBatch;
    }
    let columns = if has_pairs(spec) { 2 * classes } else { classes };
    let values = match source {
        Source::Fixed => (0..columns).map(|_| sampler.number(1..13) as f64 / 4.0).collect(),
        _ => Vec::new(),
    };
    let own = spec.kind().weighs_by_size() && source == Source::None;
    let mut absent =
        sampler.sample("absent", &[Absent::Zero, Absent::LargestPresent, Absent::Cap(1.5), Absent::Prior]);
    // A prior of each image is none of the batch, and Sudre's own weight knows of no prior at all.
    let one_for_all = spec.prior().source == Source::PerSample && source != Source::PerSample;
    if absent == Absent::Prior && (own || one_for_all) {
        absent = Absent::LargestPresent;
    }
    let rules = [Normalise::None, Normalise::MeanOne, Normalise::ExpectedOne, Normalise::SumOne];
    let normalise = sampler.sample("normalise", &rules);
    WeightSpec { source, scheme, values, absent, normalise, ..WeightSpec::default() }
}

/// Counts as of a data set: some hundred pixels, now and then none of the last class.
pub(crate) fn dataset(sampler: &mut OptionSampler, spec: &LossSpec, classes: usize) -> ClassCounts {
    let mut pixels: Vec<f64> = (0..classes).map(|_| sampler.number(1..200) as f64).collect();
    if classes > 1 && sampler.sample("dataset", &[false, true]) {
        pixels[classes - 1] = 0.0;
    }
    let valid = match is_sigmoid(spec) {
        true => 400.0,
        false => pixels.iter().sum(),
    };
    // Between all pixels of the class and all there are.
    let among = |pixels: f64| if pixels > 0.0 { (pixels + valid) / 2.0 } else { 0.0 };
    ClassCounts {
        valid,
        present_in: pixels.iter().map(|&pixels| among(pixels)).collect(),
        others_in: pixels.iter().map(|&pixels| among(valid - pixels)).collect(),
        pixels,
    }
}
