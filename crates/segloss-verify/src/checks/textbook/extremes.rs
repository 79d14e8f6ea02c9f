//! Inputs where something saturates, vanishes, overflows or ties, against the textbook in 320 bits and closed forms.

use crate::check::Context;
use crate::compare::{relative, relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::{Outcome, Precision};
use crate::tally::Tally;
use crate::textbook;
use crate::tolerance::{EDGE_F64, EXTREME, VALUE_F32};
use segloss::kinds::Combined;
use segloss::{Activation, Kind, Layout, LossSpec, PriorSpec, Reach, Reduction, Source, Term, Threshold};
use segloss_cases::{
    ByKey, Case, Grid, LAYOUTS, Labels, TargetForm, activations, draw_within, has_term, is_sigmoid,
};

/// The kind as it is by default, channels last; a sum of these two.
fn plain(kind: Kind, factor: f64, terms: [Kind; 2]) -> LossSpec {
    let spec = match kind {
        Kind::Combined => {
            Combined::new(terms.map(|kind| Term { factor, loss: LossSpec::new(kind) }).to_vec())
        }
        _ => LossSpec::new(kind),
    };
    LossSpec { layout: Layout::ChannelsLast, ..spec }
}

fn is_finite(found: &Outcome) -> bool {
    found.value.is_finite() && found.gradient.iter().all(|g| g.is_finite())
}

/// Logits of the classes of a pixel; as many are taken as there are classes.
const EDGES: [[f64; 3]; 10] = [
    [0.0, 0.0, 0.0],
    [-0.0, 0.0, -0.0],
    [1e-300, -1e-300, 0.0],
    [1e-8, -1e-8, 1e-8],
    [80.0, -80.0, 0.0],
    [-80.0, 80.0, 80.0],
    [17.0, 17.0, -17.0],
    [1e4, -1e4, 0.0],
    [-1e4, 1e4, 1e4],
    [-1e4, -1e4, -1e4],
];

/// One pixel, one class, logits that are 0, next to nothing, tied, large and far too large: against the textbook in
/// 320 bits, which knows no edges.
pub(super) fn edges(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    let specs = |kind| activations(&plain(kind, 0.5, [Kind::Focal, Kind::Tversky]));
    for spec in Kind::ALL.into_iter().flat_map(specs) {
        let fewest = if is_sigmoid(&spec) { 1 } else { 2 };
        for classes in fewest..=3 {
            for (i, logits) in EDGES.iter().enumerate() {
                for label in 0..classes.max(2) {
                    let (kind, activation) = (spec.kind().name(), spec.activation());
                    let name = format!("{kind} {activation:?}, {classes} classes, logits {i}, label {label}");
                    edge(context, &mut tally, name, &spec, &logits[..classes], label);
                }
            }
        }
    }
    Ok(tally)
}

fn edge(
    context: &Context<'_>,
    tally: &mut Tally,
    name: String,
    spec: &LossSpec,
    logits: &[f64],
    label: usize,
) {
    // S1 is not defined where σ rounds to 0 or 1: `document_breakdown` says what it does there.
    if has_term(spec, |kind| kind == Kind::DocumentBinary) && logits.iter().any(|z| z.abs() > 1.0) {
        return;
    }
    // A correlation jumps where the last thing that is wrong rounds to 0: the textbook never rounds.
    if has_term(spec, |kind| kind == Kind::Mcc) && logits.iter().any(|z| z.abs() > 100.0) {
        return;
    }
    let (grid, label) = (Grid::new(1, logits.len(), &[1]), Labels::Indices(vec![label as i64]));
    let case = Case::new(name, spec.clone(), grid, logits.to_vec(), label);
    if let Some(narrow) = tally.evaluate(context.implementation, &case, Precision::F32) {
        tally.require(is_finite(&narrow), &case.name, || {
            format!("in f32: {} and {:?}", narrow.value, narrow.gradient)
        });
    }
    let want = context.exact.of(&case);
    let Some(found) = tally.evaluate(context.implementation, &case, Precision::F64) else { return };
    let value = relative_to(found.value, want.answer.value, want.answer.magnitude);
    tally.measure(&EDGE_F64, value, &case.name);
    let gradient = relative_to_max(&found.gradient, &want.gradient);
    tally.measure(&EDGE_F64, gradient, &format!("{}, gradient", case.name));
}

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

/// Logits up to ±1e4, where every exponential overflows or vanishes, against closed forms.
pub(super) fn extreme_logits(context: &Context<'_>) -> Result<Tally, HarnessError> {
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
        let hinge = at_pixels(LossSpec { reduction: None, ..summed(Kind::LovaszHinge) });
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
        Kind::Ldam => summed(kind).with("margin", 0.5).with("scale", 2.0),
        Kind::TopKCrossEntropy => summed(kind).with("keep", 0.5),
        Kind::UnifiedFocal => LossSpec { reduction: None, ..summed(kind) }.with("mix", 1.0),
        _ => summed(kind),
    };
    let prior = match kind {
        Kind::Ldam | Kind::Seesaw => PriorSpec { source: Source::Fixed, values: vec![0.25; 3] },
        _ => PriorSpec::default(),
    };
    hold(
        context,
        tally,
        &at_pixels(LossSpec { prior: Some(prior), ..options }),
        value,
        Some(&gradient),
        layout,
    );
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
    let spec = summed(kind);
    let mut case =
        at_pixels(activation.map_or(spec.clone(), |activation| spec.with("activation", activation)));
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
    let spec = LossSpec { reduction: None, ..summed(kind) };
    let far = at_pixels(match kind {
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

/// Whatever the options: logits beyond f32's exponentials, beyond f64's, and far beyond both.
fn finite(context: &Context<'_>, tally: &mut Tally) {
    for (kind, i, spec) in context.sampled("extreme", [1, 6, 40, 200]) {
        if has_term(&spec, |kind| kind == Kind::DocumentBinary) {
            continue;
        }
        for far in [60.0, 400.0, FAR] {
            let name = format!("{}/{i} at {far}", kind.name());
            let grid = Grid::new(2, 3, &[5]);
            let case = draw_within(context.seed, &name, spec.clone(), grid, TargetForm::Indices, far);
            for precision in Precision::ALL {
                let Some(found) = tally.evaluate(context.implementation, &case, precision) else { continue };
                tally.require(is_finite(&found), &name, || {
                    format!("{} and {:?}", found.value, found.gradient)
                });
            }
        }
    }
}

/// Summed, as far as the kind can be.
fn summed(kind: Kind) -> LossSpec {
    LossSpec { layout: Layout::ChannelsLast, reduction: Some(Reduction::Sum), ..LossSpec::new(kind) }
}

/// The pixels of [`PIXELS`] in channels-last order.
fn at_pixels(spec: LossSpec) -> Case {
    let logits = PIXELS.iter().flat_map(|(z, _)| *z).collect();
    let labels = Labels::Indices(PIXELS.iter().map(|(_, label)| *label as i64).collect());
    let name = format!("{} at 1e4", spec.kind().name());
    Case::new(name, spec, Grid::new(1, 3, &[PIXELS.len()]), logits, labels)
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

/// How sure the pixels are: logits of ± this, so that σ is 3·10⁻⁴ and 4·10⁻¹⁸, and softmax less.
const SURE: [f64; 2] = [8.0, 40.0];
/// Two pixels of each class; the first of class 1 takes itself for class 0.
const LABELS: [usize; 6] = [1, 0, 0, 1, 2, 2];

/// A pixel that is sure and wrong is what training is for: its gradient must not vanish.
pub(super) fn confidently_wrong(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for spec in Kind::ALL.into_iter().flat_map(in_each_activation) {
        for layout in LAYOUTS {
            for sure in SURE {
                for precision in Precision::ALL {
                    sure_and_wrong(
                        context,
                        &mut tally,
                        &sure_of(&spec, sure).relaid(layout),
                        sure,
                        precision,
                    );
                }
            }
        }
    }
    Ok(tally)
}

/// The kind as it is by default, in each activation.
fn in_each_activation(kind: Kind) -> Vec<LossSpec> {
    let plain = plain(kind, 1.0, [Kind::Dice, Kind::CrossEntropy]);
    match kind {
        Kind::DocumentBinary => vec![LossSpec { threshold: Some(Threshold::Document(0.5)), ..plain }],
        // Of a mean over pixels each gradient is a share; the sum shows it whole. What classes of regions have stays a
        // share.
        _ if kind.info().takes("reduction") && !kind.sums_regions() && kind.reach() != Reach::WithSlope => {
            activations(&LossSpec { reduction: Some(Reduction::Sum), ..plain })
        }
        _ => activations(&plain),
    }
}

/// Every pixel sure of its class but the first, which is as sure of class 0.
fn sure_of(spec: &LossSpec, sure: f64) -> Case {
    let grid = Grid::new(1, 3, &[LABELS.len()]);
    let mut logits = vec![-sure; grid.len()];
    for (p, &label) in LABELS.iter().enumerate() {
        logits[grid.at(spec.layout, 0, if p == 0 { 0 } else { label }, p)] = sure;
    }
    let labels = Labels::Indices(LABELS.iter().map(|&label| label as i64).collect());
    Case::new(format!("{} at {sure}", spec.kind().name()), spec.clone(), grid, logits, labels)
}

fn sure_and_wrong(context: &Context<'_>, tally: &mut Tally, case: &Case, sure: f64, precision: Precision) {
    let Some(found) = tally.evaluate(context.implementation, case, precision) else { return };
    let (own, wrong) = (found.gradient[case.at(0, 1, 0)], found.gradient[case.at(0, 0, 0)]);
    let name = format!("{}, {:?}, {}", case.name, case.spec.activation(), precision.name());
    match case.spec.kind().reach() {
        Reach::Always(least) => {
            tally
                .require(-own >= least, &name, || format!("the class's own gradient is {own}, not −{least}"));
            // S2 knows no negatives.
            let pushed = case.spec.kind() == Kind::DocumentSigmoid || wrong >= 0.1 * least;
            tally.require(pushed, &name, || format!("the wrong class's gradient is {wrong}"));
        }
        Reach::WithSlope => {
            // Of the class alone: a third one, of which the pixel believes as little, may outweigh the wrong
            // one. In f32 nothing may be left of the slope; in f64 it is small, and still there.
            let some = sure < 10.0 || precision == Precision::F64;
            tally.require(own < 0.0 || !some && own == 0.0, &name, || {
                format!("the class's own gradient is {own}")
            });
        }
        Reach::Undefined => return,
    }
    let finite = found.gradient.iter().all(|g| g.is_finite());
    tally.require(finite, &name, || "a gradient is not finite".to_owned());
}
