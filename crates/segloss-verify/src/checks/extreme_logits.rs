//! Logits up to ±1e4, where every exponential overflows or vanishes, against closed forms.

use crate::check::{Check, Context, Judged};
use crate::compare::{relative, relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::textbook;
use crate::tolerance::{EXTREME, VALUE_F32};
use segloss::{Activation, InstructionSet, Kind, Layout, LossSpec, PriorSpec, Reduction, Source};
use segloss_cases::{ByKey, Case, Grid, LAYOUTS, Labels, TargetForm, draw, has_term, matrix};

pub(super) const CHECK: Check = Check {
    name: "extreme_logits",
    claim: "|z| = 1e4 gives the closed form's value and gradient where there is one, and never NaN or infinity",
    judged: Judged::Losses,
    drawn: true,
    run,
};

const FAR: f64 = 1e4;

/// (logits of a pixel, its label): the classes are either tied or 1e3 and more apart.
const PIXELS: [([f64; 3], usize); 6] = [
    ([FAR, -FAR, 0.0], 1),
    ([FAR, -FAR, 0.0], 0),
    ([FAR, FAR, -FAR], 0),
    ([FAR, FAR, FAR], 2),
    ([-FAR, -FAR, -FAR], 1),
    ([-1e3, 0.0, 1e3], 0),
];

/// Logits and targets of two channels that are problems of their own: softplus(±1e4) is 1e4 or 0, and
/// exp(−750) is no longer a number.
const CHANNELS: ([f64; 6], [f64; 6]) =
    ([FAR, -FAR, FAR, -FAR, 750.0, -750.0], [0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for layout in LAYOUTS {
        for kind in SOFTMAX {
            softmax(context, &mut tally, kind, layout);
        }
        for (kind, activation) in SIGMOID {
            sigmoid(context, &mut tally, kind, activation, layout);
        }
        for kind in OF_PROBABILITIES {
            let activations: &[_] = match kind.info().takes("activation") {
                true => &[Activation::Softmax, Activation::Sigmoid],
                false => &[Activation::Softmax],
            };
            for &activation in activations {
                of_probabilities(context, &mut tally, kind, activation, layout);
            }
        }
        let hinge = spec(Kind::LovaszHinge);
        let hinge = case(LossSpec { reduction: None, ..hinge });
        // No exponential: the definition holds at any logit.
        let value = textbook::evaluate::<f64>(&hinge).value;
        hold(context, &mut tally, &hinge, value, None, layout);
    }
    finite(context, &mut tally);
    Ok(tally)
}

/// Softmax kinds that are sums over pixels, or nearly.
const SOFTMAX: [Kind; 9] = [
    Kind::CrossEntropy,
    Kind::DocumentCategorical,
    Kind::Focal,
    Kind::Poly1CrossEntropy,
    Kind::Seesaw,
    Kind::Ldam,
    Kind::RecallCrossEntropy,
    Kind::TopKCrossEntropy,
    Kind::UnifiedFocal,
];

/// Each pixel's loss by what its logits come to: p, and u = −ln p_y.
fn softmax(context: &Context<'_>, tally: &mut Tally, kind: Kind, layout: Layout) {
    let (mut value, mut gradient) = (0.0, Vec::new());
    for (z, y) in PIXELS {
        let z = match kind {
            // S = (p_j/p_y)² where j wins: held, and another softmax then.
            Kind::Seesaw => z.map(|other| other + 2.0 * f64::max(0.0, other - z[y])),
            // s = 2, and half a logit of margin.
            Kind::Ldam => std::array::from_fn(|c| 2.0 * z[c] - if c == y { 1.0 } else { 0.0 }),
            _ => z,
        };
        let (p, u) = log_sum_exp(z, y);
        let q = 1.0 - p[y];
        // Cross-entropy times a factor; beside it the slope of the rest by p_y, times p_y.
        let (loss, factor, slope) = match kind {
            Kind::DocumentCategorical => (u / 3.0, 1.0 / 3.0, 0.0),
            Kind::Focal => (q * q * u, q * q, -2.0 * q * p[y] * u),
            Kind::Poly1CrossEntropy => (u + q, 1.0, -p[y]),
            // Two of the three pixels of class 0 are found, and none of the others.
            Kind::RecallCrossEntropy => {
                let missed = [1.0 / 3.0, 1.0, 1.0][y];
                (missed * u, missed, 0.0)
            }
            // The largest, the second, and two that tie for the third place.
            Kind::TopKCrossEntropy => {
                let share = if u > 2.0 { 1.0 } else { f64::from(u8::from(u > 1.0)) / 2.0 };
                (share * u, share, 0.0)
            }
            // The mean of 0.6·u for the rare and of 0.4·q^½·u for the background.
            Kind::UnifiedFocal if y > 0 => (0.1 * u, 0.1, 0.0),
            Kind::UnifiedFocal if q == 0.0 => (0.0, 0.0, 0.0),
            Kind::UnifiedFocal => {
                let share = 0.4 / 6.0;
                (share * q.sqrt() * u, share * q.sqrt(), -share * 0.5 * p[y] / q.sqrt() * u)
            }
            Kind::Ldam => (u, 2.0, 0.0),
            _ => (u, 1.0, 0.0),
        };
        value += loss;
        // ∂u/∂z_k = p_k − y_k, and ∂p_y/∂z_k = −p_y·(p_k − y_k).
        gradient.extend((0..3).map(|k| {
            let towards = if k == y { -q } else { p[k] };
            (factor - slope) * towards
        }));
    }
    let options = match kind {
        Kind::Ldam => spec(kind).with("margin", 0.5).with("scale", 2.0),
        Kind::TopKCrossEntropy => spec(kind).with("keep", 0.5),
        Kind::UnifiedFocal => LossSpec { reduction: None, ..spec(kind) }.with("mix", 1.0),
        _ => spec(kind),
    };
    let prior = match kind {
        Kind::Ldam | Kind::Seesaw => PriorSpec { source: Source::Fixed, values: vec![0.25; 3] },
        _ => PriorSpec::default(),
    };
    hold(context, tally, &case(LossSpec { prior: Some(prior), ..options }), value, Some(&gradient), layout);
}

/// p, and −ln p_y, of logits that are tied, a margin or 1e3 and more apart.
fn log_sum_exp(z: [f64; 3], y: usize) -> ([f64; 3], f64) {
    let top = z.into_iter().fold(f64::MIN, f64::max);
    let total: f64 = z.iter().map(|z| (z - top).exp()).sum();
    (z.map(|z| (z - top).exp() / total), top - z[y] + total.ln())
}

/// Sigmoid kinds that are sums over entries.
const SIGMOID: [(Kind, Option<Activation>); 3] = [
    (Kind::BinaryCrossEntropy, None),
    (Kind::DocumentSigmoid, None),
    (Kind::Focal, Some(Activation::Sigmoid)),
];

fn sigmoid(
    context: &Context<'_>,
    tally: &mut Tally,
    kind: Kind,
    activation: Option<Activation>,
    layout: Layout,
) {
    let (z, y) = CHANNELS;
    // S2 knows no negatives: only y = 1 counts. Where all is wrong, focal's factor is 1.
    let counts = |i: usize| (z[i] > 0.0) != (y[i] > 0.0) && (kind != Kind::DocumentSigmoid || y[i] > 0.0);
    let value = (0..6).filter(|&i| counts(i)).map(|i| z[i].abs()).sum();
    let gradient: Vec<f64> = (0..6).map(|i| if counts(i) { f64::signum(z[i]) } else { 0.0 }).collect();
    let spec = spec(kind);
    let mut case = case(activation.map_or(spec.clone(), |activation| spec.with("activation", activation)));
    case.grid = Grid::new(1, 2, &[3]);
    (case.logits, case.target) = (z.to_vec(), Labels::Distribution(y.to_vec()));
    hold(context, tally, &case, value, Some(&gradient), layout);
}

/// Kinds that see the logits through p alone.
const OF_PROBABILITIES: [Kind; 8] = [
    Kind::Dice,
    Kind::Jaccard,
    Kind::Tversky,
    Kind::FocalTversky,
    Kind::GeneralizedDice,
    Kind::LovaszSoftmax,
    Kind::Boundary,
    Kind::UnifiedFocal,
];

/// At ±300 every p is what it is at ±1e4, 0, 1 or a tie's share, and the book's exponentials do not overflow.
fn of_probabilities(
    context: &Context<'_>,
    tally: &mut Tally,
    kind: Kind,
    activation: Activation,
    layout: Layout,
) {
    let spec = LossSpec { reduction: None, ..spec(kind) };
    let far = case(match kind {
        // Without its focal term.
        Kind::UnifiedFocal => spec.with("mix", 0.0),
        _ if kind.activation().is_none() => spec.with("activation", activation),
        _ => spec,
    });
    let mut near = far.clone();
    near.logits.iter_mut().for_each(|z| *z = z.clamp(-300.0, 300.0));
    let Some(there) = tally.evaluate(context.implementation, &near, Precision::F64) else { return };
    let want = textbook::evaluate::<f64>(&context.exact.read(&near));
    tally.measure(&EXTREME, relative_to(there.value, want.value, want.magnitude), &near.name);
    hold(context, tally, &far, want.value, Some(&there.gradient), layout);
}

/// Whatever the options.
fn finite(context: &Context<'_>, tally: &mut Tally) {
    let count = context.effort.of([1, 6, 40, 200]);
    for kind in Kind::ALL {
        for (i, spec) in matrix::specs(context.seed, "extreme", kind, 3, count).into_iter().enumerate() {
            if has_term(&spec, |kind| kind == Kind::DocumentBinary) {
                continue;
            }
            // Beyond f32's exponentials, beyond f64's, and far beyond both.
            for far in [60.0, 400.0, FAR] {
                let name = format!("{}/{i} at {far}", kind.name());
                let grid = Grid::new(2, 3, &[5]);
                let case = draw(context.seed, &name, spec.clone(), grid, TargetForm::Indices, far);
                for precision in Precision::ALL {
                    let Some(found) = tally.evaluate(context.implementation, &case, precision) else {
                        continue;
                    };
                    let finite = found.value.is_finite() && found.gradient.iter().all(|g| g.is_finite());
                    tally.require(finite, &name, || format!("{} and {:?}", found.value, found.gradient));
                }
            }
        }
    }
}

/// Summed, as far as the kind can be.
fn spec(kind: Kind) -> LossSpec {
    LossSpec { layout: Layout::ChannelsLast, reduction: Some(Reduction::Sum), ..LossSpec::new(kind) }
}

/// The pixels of [`PIXELS`] in channels-last order.
fn case(spec: LossSpec) -> Case {
    Case {
        name: format!("{} at 1e4", spec.kind().name()),
        spec,
        grid: Grid::new(1, 3, &[PIXELS.len()]),
        logits: PIXELS.iter().flat_map(|(z, _)| *z).collect(),
        target: Labels::Indices(PIXELS.iter().map(|(_, label)| *label as i64).collect()),
        weight_map: None,
        instructions: InstructionSet::best(),
    }
}

fn hold(
    context: &Context<'_>,
    tally: &mut Tally,
    case: &Case,
    value: f64,
    gradient: Option<&[f64]>,
    layout: Layout,
) {
    let relaid = case.relaid(layout);
    for precision in Precision::ALL {
        let Some(found) = tally.evaluate(context.implementation, &relaid, precision) else { continue };
        let bound = if precision == Precision::F64 { &EXTREME } else { &VALUE_F32 };
        let name = format!("{}, {:?}, {layout:?}, {}", case.name, case.spec.activation(), precision.name());
        tally.measure(bound, relative(found.value, value), &name);
        if let Some(gradient) = gradient {
            let gradient = case.grid.relaid(gradient, case.spec.layout, layout);
            let off = relative_to_max(&found.gradient, &gradient);
            tally.measure(bound, off, &format!("{name}, gradient"));
        }
        let finite = found.gradient.iter().all(|g| g.is_finite());
        tally.require(finite, &name, || "a gradient is not finite".to_owned());
    }
}
