//! What is compared with itself: the same input written otherwise, or computed otherwise.

mod computed;
mod ignored;
mod limits;

use crate::check::{Check, Context, DRAWN};
use crate::compare::{relative, relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::{Outcome, Precision};
use crate::tally::Tally;
use crate::textbook::scale;
use crate::tolerance::{EXACT, LAW_F64, Tolerance};
use segloss::{Classes, Layout, LossSpec, Options, PriorSpec, Source, Threshold};
use segloss_cases::{Case, Labels, distribution, has_pairs, has_sigmoid, matrix};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "limits",
        claim: "where one loss is another by definition (γ = 0, α = β, equal weights, a map of whole numbers, …) it gives the other's value and gradient",
        run: limits::run,
        ..DRAWN
    },
    Check {
        name: "layouts",
        claim: "transposing the input transposes the gradient and leaves value, denominator and weights alone",
        run: |context| {
            each_rewritten(context, transposed, |tally, name, there, here| {
                tally.measure(&EXACT, relative(there.denominator, here.denominator), name);
                same_weights(tally, name, there, here);
            })
        },
        ..DRAWN
    },
    Check {
        name: "instruction_sets",
        claim: "AVX2 and AVX-512 give the same bits, where the machine has them, and portable instructions the same but for rounding",
        run: computed::instruction_sets,
        ..DRAWN
    },
    Check {
        name: "one_hot",
        claim: "index targets and the same targets written as one-hot give the same result",
        run: |context| each_rewritten(context, written_out, same_weights),
        ..DRAWN
    },
    Check {
        name: "symmetry",
        claim: "reordering pixels or classes reorders the gradient; a constant added to a pixel's logits changes no softmax loss",
        run: |context| each_rewritten(context, reordered_or_shifted, |_, _, _, _| ()),
        ..DRAWN
    },
    Check {
        name: "ignored",
        claim: "ignoring pixels is removing them, whatever their logits hold: NaN and ±∞ too; their gradient is 0",
        run: ignored::ignored,
        ..DRAWN
    },
    Check {
        name: "all_ignored",
        claim: "with every pixel ignored the value and the gradient are 0, never NaN, and the result says why",
        run: ignored::all_ignored,
        ..DRAWN
    },
    Check {
        name: "partition",
        claim: "a batch computed in parts has the value and gradient of the whole; bit for bit the gradient of a sum over pixels",
        run: computed::partition,
        ..DRAWN
    },
    Check {
        name: "threads",
        claim: "1, 2 and 3 threads give the same bits: value, gradient, map and weights",
        run: computed::threads,
        ..DRAWN
    },
];

/// A case, and the same case written in another way.
struct Rewritten {
    name: String,
    plain: Case,
    other: Case,
    /// Where each entry of the one's gradient lies in the other's.
    places: Vec<usize>,
    bound: &'static Tolerance,
}

impl Rewritten {
    /// Each entry where it was.
    fn in_place(name: String, plain: Case, other: Case) -> Self {
        let places = (0..plain.logits.len()).collect();
        Self { name, plain, other, places, bound: &EXACT }
    }
}

/// Every drawn case in the ways that `rewrite` knows of: value and gradient are the same, and what `also` speaks of.
fn each_rewritten(
    context: &Context<'_>,
    rewrite: fn(Case) -> Vec<Rewritten>,
    also: fn(&mut Tally, &str, &Outcome, &Outcome),
) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for Rewritten { name, plain, other, places, bound } in
        matrix::cases(context.seed, context.effort).flat_map(rewrite)
    {
        let Some(here) = tally.evaluate(context.implementation, &plain, Precision::F64) else { continue };
        let Some(there) = tally.evaluate(context.implementation, &other, Precision::F64) else { continue };
        let back: Vec<f64> = places.iter().map(|&at| there.gradient[at]).collect();
        tally.measure(bound, relative_to(there.value, here.value, scale(&plain, here.value)), &name);
        tally.measure(bound, relative_to_max(&back, &here.gradient), &name);
        also(&mut tally, &name, &there, &here);
    }
    Ok(tally)
}

fn same_weights(tally: &mut Tally, name: &str, there: &Outcome, here: &Outcome) {
    tally.require(there.weights == here.weights, name, || {
        format!("weights are {:?} and {:?}", there.weights, here.weights)
    });
}

/// Channels-first and channels-last are two ways to write one input.
fn transposed(case: Case) -> Vec<Rewritten> {
    if case.spec.layout != Layout::ChannelsFirst {
        return Vec::new();
    }
    let other = case.relaid(Layout::ChannelsLast);
    let places: Vec<usize> = (0..case.logits.len()).collect();
    let places = case.grid.relaid(&places, Layout::ChannelsLast, Layout::ChannelsFirst);
    vec![Rewritten { name: case.name.clone(), plain: case, other, places, bound: &EXACT }]
}

/// A label and its one-hot vector are the same target.
fn written_out(mut case: Case) -> Vec<Rewritten> {
    let Labels::Indices(labels) = &mut case.target else { return Vec::new() };
    // A distribution has no way to say "ignored": give those pixels a class.
    if let Some(ignored) = case.spec.ignore_index {
        labels.iter_mut().filter(|label| **label == ignored).for_each(|label| *label = 1);
    }
    let other = Case { target: Labels::Distribution(distribution(&case)), ..case.clone() };
    vec![Rewritten::in_place(case.name.clone(), case, other)]
}

/// What the mathematics does not see: the order of pixels and of classes, and softmax a constant.
fn reordered_or_shifted(case: Case) -> Vec<Rewritten> {
    let (pixels, classes) = (case.grid.pixels(), case.grid.classes);
    let name = |law: &str| format!("{}, {law}", case.name);
    let reordered = |law: &str, other: Case, place: &dyn Fn(usize, usize, usize) -> usize| {
        let mut places = vec![0; case.logits.len()];
        case.grid.entries().for_each(|(n, p, c)| places[case.at(n, c, p)] = place(n, p, c));
        Rewritten { name: name(law), plain: case.clone(), other, places, bound: &LAW_F64 }
    };
    let backwards: Vec<usize> = (0..pixels).rev().collect();
    let reversed = case.gathered(&case.grid.spatial, &vec![backwards.clone(); case.grid.images]);
    let mut laws = vec![reordered("pixels reversed", reversed, &|n, p, c| case.at(n, c, backwards[p]))];
    if classes > 1 {
        // The background keeps its name.
        let first = usize::from(has_foreground(&case.spec));
        let turn = |c: usize| if c < first { c } else { first + (c - first + 1) % (classes - first) };
        laws.push(reordered("classes turned", turned(&case, turn), &|n, p, c| case.at(n, turn(c), p)));
    }
    if !has_sigmoid(&case.spec) {
        // On a coarse grid, so that adding the constant rounds nothing: the differences between logits,
        // which are all that softmax sees, stay the same bits.
        let mut coarse = Case { spec: coarsened(&case.spec, classes), ..case.clone() };
        coarse.logits.iter_mut().for_each(|z| *z = (*z * 256.0).round() / 256.0);
        let mut shifted = coarse.clone();
        shifted.logits.iter_mut().for_each(|z| *z += 1024.0);
        laws.push(Rewritten::in_place(name("all + 1024"), coarse, shifted));
    }
    laws
}

/// The case with class c at `class(c)`, its options along with it.
fn turned(case: &Case, class: impl Fn(usize) -> usize) -> Case {
    let mut out = case.clone();
    for (n, p, c) in case.grid.entries() {
        let (from, to) = (case.at(n, c, p), case.at(n, class(c), p));
        out.logits[to] = case.logits[from];
        if let (Labels::Distribution(y), Labels::Distribution(turned)) = (&case.target, &mut out.target) {
            turned[to] = y[from];
        }
    }
    if let Labels::Indices(labels) = &mut out.target {
        for label in labels {
            if let Some(c) = usize::try_from(*label).ok().filter(|&c| c < case.grid.classes) {
                *label = class(c) as i64;
            }
        }
    }
    turn_options(&mut out.spec, &class);
    out
}

/// Moves every option of class c to `class(c)`.
fn turn_options(spec: &mut LossSpec, class: &impl Fn(usize) -> usize) {
    let width = if has_pairs(spec) { 2 } else { 1 };
    let turn = |values: &mut Vec<f64>, width: usize| {
        let from = values.clone();
        for (c, values_of_class) in from.chunks(width).enumerate() {
            values[class(c) * width..][..width].copy_from_slice(values_of_class);
        }
    };
    turn(&mut spec.weights.values, width);
    spec.prior.iter_mut().for_each(|prior| turn(&mut prior.values, 1));
    if let Some(Threshold::LogitShift(thresholds)) = &mut spec.threshold {
        turn(thresholds, 1);
    }
    if let Some(counts) = &mut spec.dataset {
        turn(&mut counts.pixels, 1);
        turn(&mut counts.present_in, 1);
        turn(&mut counts.others_in, 1);
    }
    if let Options::UnifiedFocal(options) = &mut spec.options {
        options.background = class(options.background);
    }
    spec.terms_mut().iter_mut().for_each(|term| turn_options(&mut term.loss, class));
}

fn has_foreground(spec: &LossSpec) -> bool {
    spec.classes() == Classes::Foreground || spec.terms().iter().any(|term| has_foreground(&term.loss))
}

/// The loss without what would shift the logits off their grid: thresholds, and margins and logarithms of
/// priors that do not lie on it.
fn coarsened(spec: &LossSpec, classes: usize) -> LossSpec {
    let mut coarse = LossSpec { threshold: None, ..spec.clone() };
    match &mut coarse.options {
        Options::Ldam(options) => {
            options.margin = 0.5;
            coarse.prior = Some(PriorSpec { source: Source::Fixed, values: vec![0.5; classes] });
        }
        Options::Seesaw(options) => options.mitigation = 0.0,
        _ => {}
    }
    for term in coarse.terms_mut() {
        term.loss = coarsened(&term.loss, classes);
    }
    coarse
}
