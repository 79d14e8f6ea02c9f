//! One pixel, one class, logits that are 0, next to nothing, tied, large and far too large: against the textbook in
//! 320 bits, which knows no edges.

use crate::check::{Check, Context, Judged};
use crate::compare::{relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::tolerance::EDGE_F64;
use segloss::kinds::Combined;
use segloss::{InstructionSet, Kind, Layout, LossSpec, Term};
use segloss_cases::{Case, Grid, Labels, activations, has_term, is_sigmoid};

pub(super) const CHECK: Check = Check {
    name: "edges",
    claim: "a single pixel of one, two or three classes, |z| = 0, 1e-300, 80 or 1e4, tied or not, has the textbook's value and gradient",
    judged: Judged::Losses,
    drawn: false,
    run,
};

/// Logits of the classes of a pixel; as many are taken as there are classes.
const LOGITS: [[f64; 3]; 10] = [
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

fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for spec in Kind::ALL.into_iter().flat_map(specs) {
        let fewest = if is_sigmoid(&spec) { 1 } else { 2 };
        for classes in fewest..=3 {
            for (i, logits) in LOGITS.iter().enumerate() {
                for label in 0..classes.max(2) {
                    let name = format!(
                        "{} {:?}, {classes} classes, logits {i}, label {label}",
                        spec.kind().name(),
                        spec.activation()
                    );
                    one(context, &mut tally, name, &spec, &logits[..classes], label);
                }
            }
        }
    }
    Ok(tally)
}

/// Every kind as it is by default, with each activation.
fn specs(kind: Kind) -> Vec<LossSpec> {
    let plain = LossSpec { layout: Layout::ChannelsLast, ..LossSpec::new(kind) };
    if kind == Kind::Combined {
        let term = |kind| Term { factor: 0.5, loss: LossSpec::new(kind) };
        let terms = vec![term(Kind::Focal), term(Kind::Tversky)];
        return vec![LossSpec { layout: plain.layout, ..Combined::new(terms) }];
    }
    activations(&plain)
}

fn one(
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
    let case = Case {
        name,
        spec: spec.clone(),
        grid: Grid::new(1, logits.len(), &[1]),
        logits: logits.to_vec(),
        target: Labels::Indices(vec![label as i64]),
        weight_map: None,
        instructions: InstructionSet::best(),
    };
    if let Some(narrow) = tally.evaluate(context.implementation, &case, Precision::F32) {
        let finite = narrow.value.is_finite() && narrow.gradient.iter().all(|g| g.is_finite());
        tally.require(finite, &case.name, || format!("in f32: {} and {:?}", narrow.value, narrow.gradient));
    }
    let want = context.exact.of(&case);
    let Some(found) = tally.evaluate(context.implementation, &case, Precision::F64) else { return };
    let value = relative_to(found.value, want.answer.value, want.answer.magnitude);
    tally.measure(&EDGE_F64, value, &case.name);
    let gradient = relative_to_max(&found.gradient, &want.gradient);
    tally.measure(&EDGE_F64, gradient, &format!("{}, gradient", case.name));
}
