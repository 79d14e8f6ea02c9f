//! One loss written as another: where options meet, so must the numbers.

use crate::check::Context;
use crate::compare::{relative, relative_to, relative_to_max};
use crate::error::HarnessError;
use crate::implementation::Precision;
use crate::tally::Tally;
use crate::textbook::counts::{self, Counts};
use crate::textbook::scale;
use crate::tolerance::LAW_F64;
use segloss::kinds::Combined;
use segloss::{
    Absent, Activation, ClassCounts, Classes, Kind, LossSpec, PriorSpec, Reduction, Region, Scheme, Source,
    Term, Threshold, WeightSpec,
};
use segloss_cases::{
    ByKey, Case, Grid, IGNORED, LAYOUTS, Labels, TargetForm, activations, draw, form, forms, has_pairs,
    has_term, is_sigmoid, matrix, set,
};

const CLASSES: usize = 3;

pub(super) fn run(context: &Context<'_>) -> Result<Tally, HarnessError> {
    let mut tally = Tally::default();
    for (i, (law, one, other)) in of_kinds().into_iter().chain(of_options()).enumerate() {
        let forms = forms(&one);
        for (layout, form) in [(LAYOUTS[i % 2], forms[0]), (LAYOUTS[(i + 1) % 2], forms[forms.len() - 1])] {
            let name = format!("{}, {law}/{form:?}", one.kind().name());
            let spec = LossSpec { layout, ..one.clone() };
            let case = draw(context.seed, &name, spec, Grid::new(2, CLASSES, &[4, 2]), form);
            let case = if i % 3 == 0 { case.with_drawn_map(context.seed) } else { case };
            let changed = Case { spec: LossSpec { layout, ..other.clone() }, ..case.clone() };
            same(context, &mut tally, &case, &changed);
        }
    }
    for kind in Kind::ALL {
        one_term(context, &mut tally, kind);
        map_of_ones(context, &mut tally, kind);
        counted_elsewhere(context, &mut tally, kind);
        repeated(context, &mut tally, kind);
    }
    smoothed_by_hand(context, &mut tally);
    two_classes(context, &mut tally);
    equal_sizes(context, &mut tally);
    pooled_channels(context, &mut tally);
    intersection_over_union(context, &mut tally);
    Ok(tally)
}

/// Two cases over the same logits have the same value and gradient.
fn same(context: &Context<'_>, tally: &mut Tally, one: &Case, other: &Case) {
    let Some(mine) = tally.evaluate(context.implementation, one, Precision::F64) else { return };
    let Some(theirs) = tally.evaluate(context.implementation, other, Precision::F64) else { return };
    let value = relative_to(mine.value, theirs.value, scale(other, theirs.value));
    tally.measure(&LAW_F64, value, &one.name);
    let gradient = relative_to_max(&mine.gradient, &theirs.gradient);
    tally.measure(&LAW_F64, gradient, &format!("{}, gradient", one.name));
}

type Pair = (&'static str, LossSpec, LossSpec);

fn plain(kind: Kind) -> LossSpec {
    LossSpec::new(kind)
}

/// Kinds that contain others.
fn of_kinds() -> Vec<Pair> {
    let per_batch = WeightSpec { source: Source::PerBatch, ..WeightSpec::default() };
    let weighted = |kind| LossSpec { weights: per_batch.clone(), ..plain(kind) };
    let cross_entropy = weighted(Kind::CrossEntropy);
    let mut pairs = vec![
        ("γ = 0 is cross-entropy", weighted(Kind::Focal).with("gamma", 0.0), cross_entropy.clone()),
        (
            "sigmoid, γ = 0 is binary cross-entropy",
            weighted(Kind::Focal).with("gamma", 0.0).with("activation", Activation::Sigmoid),
            weighted(Kind::BinaryCrossEntropy),
        ),
        (
            "ε = 0 is cross-entropy",
            weighted(Kind::Poly1CrossEntropy).with("epsilon", 0.0),
            cross_entropy.clone(),
        ),
        (
            "p = q = 0 is cross-entropy",
            weighted(Kind::Seesaw).with("mitigation", 0.0).with("compensation", 0.0),
            cross_entropy.clone(),
        ),
        (
            "keep = 1 is cross-entropy",
            weighted(Kind::TopKCrossEntropy).with("keep", 1.0).with("label_smoothing", 0.2),
            cross_entropy.with("label_smoothing", 0.2),
        ),
        (
            "λ = 1, γ = 0, δ = ½ is half of cross-entropy",
            plain(Kind::UnifiedFocal).with("mix", 1.0).with("gamma", 0.0).with("delta", 0.5),
            Combined::new(vec![Term { factor: 0.5, loss: plain(Kind::CrossEntropy) }]),
        ),
        (
            "λ = 0, γ = 0, δ = ½ is Tversky",
            plain(Kind::UnifiedFocal).with("mix", 0.0).with("gamma", 0.0).with("delta", 0.5),
            plain(Kind::Tversky).with("alpha", 0.5).with("beta", 0.5).with("smooth", 1e-7),
        ),
    ];
    for activation in [Activation::Softmax, Activation::Sigmoid] {
        for (region, classes) in [(Region::Batch, Classes::All), (Region::Image, Classes::Present)] {
            let of = |kind, smooth: f64| {
                let spec = weighted(kind).with("activation", activation).with("region", region);
                spec.with("classes", classes).with("smooth", smooth)
            };
            let tversky =
                |price: f64, smooth| of(Kind::Tversky, smooth).with("alpha", price).with("beta", price);
            pairs.extend([
                ("α = β = ½ is Dice with twice the s", tversky(0.5, 0.5), of(Kind::Dice, 1.0)),
                ("α = β = 1 is Jaccard", tversky(1.0, 0.5), of(Kind::Jaccard, 0.5)),
                ("γ = 1 is Tversky", of(Kind::FocalTversky, 0.5).with("gamma", 1.0), of(Kind::Tversky, 0.5)),
            ]);
        }
    }
    pairs
}

/// Options that change nothing at some value, of every kind that has them.
fn of_options() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.info().takes("prior")) {
        for none in activations(&plain(kind)) {
            shifts(&none, &mut pairs);
            if kind.info().takes("weights") {
                weights(&none, &mut pairs);
            }
        }
    }
    pairs
}

fn shifts(none: &LossSpec, pairs: &mut Vec<Pair>) {
    // The odds of ½ are 1; softmax does not see what all its logits have in common.
    let even = if is_sigmoid(none) { 0.5 } else { 0.2 };
    let prior = PriorSpec { source: Source::Fixed, values: vec![even; CLASSES] };
    let none = LossSpec { prior: Some(prior), ..none.clone() };
    let with = |threshold| LossSpec { threshold: Some(threshold), ..none.clone() };
    pairs.push(("equal thresholds are none", with(Threshold::LogitShift(vec![even; CLASSES])), none.clone()));
    pairs.push(("adjustment to equal priors is none", with(Threshold::LogitAdjustment(1.0)), none.clone()));
}

fn weights(none: &LossSpec, pairs: &mut Vec<Pair>) {
    let columns = if has_pairs(none) { 2 * CLASSES } else { CLASSES };
    let with = |weights| LossSpec { weights, ..none.clone() };
    let fixed =
        |w| with(WeightSpec { source: Source::Fixed, values: vec![w; columns], ..WeightSpec::default() });
    let counted = |scheme| {
        // An absent class is not what is being compared.
        let absent = Absent::LargestPresent;
        with(WeightSpec { source: Source::PerBatch, scheme, absent, ..WeightSpec::default() })
    };
    // Without weights generalised Dice has those of its paper.
    let unweighted = if none.kind().weighs_by_size() { fixed(1.0) } else { none.clone() };
    pairs.extend([
        ("power ½ is the inverse root", counted(Scheme::Power(0.5)), counted(Scheme::InverseSqrt)),
        ("power 1 is the inverse frequency", counted(Scheme::Power(1.0)), counted(Scheme::InverseFrequency)),
        ("weights of 1 are none", fixed(1.0), unweighted.clone()),
        ("power 0 is no weight", counted(Scheme::Power(0.0)), unweighted.clone()),
    ]);
    // Of a sum of means over the pixels, whatever they weigh, equal weights scale a term.
    if none.kind().is_sum() {
        return;
    }
    pairs.extend([
        ("equal weights are none", fixed(2.5), unweighted.clone()),
        ("no effective number but 1 is no weight", counted(Scheme::EffectiveNumber(0.0)), unweighted.clone()),
        ("the document's scalar is no weight", counted(Scheme::DocumentScalar), unweighted),
    ]);
}

/// Drawn specifications of a kind, a case each.
fn drawn(context: &Context<'_>, law: &str, kind: Kind, count: usize) -> Vec<Case> {
    let specs = matrix::specs(context.seed, law, kind, CLASSES, count).into_iter().enumerate();
    let case = |(i, spec): (usize, LossSpec)| {
        let (name, form) = (format!("{}, {law}/{i}", kind.name()), form(&spec, i));
        draw(context.seed, &name, spec, Grid::new(2, CLASSES, &[4, 2]), form)
    };
    specs.map(case).collect()
}

fn one_term(context: &Context<'_>, tally: &mut Tally, kind: Kind) {
    for case in drawn(context, "a sum of one is the one", kind, 6) {
        let mut sum = case.clone();
        let loss = LossSpec { layout: Default::default(), ignore_index: None, ..case.spec.clone() };
        sum.spec = LossSpec {
            layout: case.spec.layout,
            ignore_index: case.spec.ignore_index,
            ..Combined::new(vec![Term { factor: 1.0, loss }])
        };
        same(context, tally, &sum, &case);
    }
}

fn map_of_ones(context: &Context<'_>, tally: &mut Tally, kind: Kind) {
    for mut case in drawn(context, "a map of ones is none", kind, 6) {
        if case.weight_map.is_some() {
            // It cannot do without; but that is all that the source asks for.
            let mut other = case.clone();
            other.spec.weights.source = Source::None;
            if case.spec.kind() != Kind::Combined && case.spec.kind() != Kind::GeneralizedDice {
                same(context, tally, &case, &other);
            }
            continue;
        }
        let none = case.clone();
        case.weight_map = Some(vec![1.0; case.grid.images * case.grid.pixels()]);
        same(context, tally, &case, &none);
    }
}

/// The counts of the batch, whether taken from it, from a data set that is the batch, or from a running average
/// that begins with it.
fn counted_elsewhere(context: &Context<'_>, tally: &mut Tally, kind: Kind) {
    if !kind.info().takes("weights") || !kind.info().takes("prior") {
        return;
    }
    for mut case in drawn(context, "a data set of one batch is the batch", kind, 12) {
        case.spec.weights.source = Source::PerBatch;
        case.spec.weights.values = Vec::new();
        case.spec.prior = None;
        let counts: Counts<f64> = counts::of(&case, Source::PerBatch).swap_remove(0);
        let counts = ClassCounts {
            valid: counts.valid,
            pixels: counts.pixels,
            present_in: counts.present_in,
            others_in: counts.others_in,
        };
        for source in [Source::Dataset, Source::Ema] {
            let mut other = case.clone();
            other.spec.weights.source = source;
            other.spec.prior = Some(PriorSpec { source, values: Vec::new() });
            other.spec.dataset = Some(counts.clone());
            same(context, tally, &other, &case);
        }
    }
}

/// A pixel of weight k counts like k pixels.
fn repeated(context: &Context<'_>, tally: &mut Tally, kind: Kind) {
    // In place, a repeated pixel moves its neighbours; and of k pixels as hard, some may be kept.
    if [Kind::Boundary, Kind::TopKCrossEntropy, Kind::DocumentBinary].contains(&kind) {
        return;
    }
    for mut case in drawn(context, "a pixel of weight k is k pixels", kind, 12) {
        let apart = |kind| matches!(kind, Kind::Boundary | Kind::TopKCrossEntropy);
        if has_term(&case.spec, apart) || matches!(case.target, Labels::Distribution(_)) {
            continue;
        }
        without_counting(&mut case.spec);
        let (images, pixels) = (case.grid.images, case.grid.pixels());
        // As many in every image.
        let counts: Vec<usize> = case.grid.places().map(|(n, p)| (p + 3 * n) % 4).collect();
        let sources: Vec<Vec<usize>> = (0..images)
            .map(|n| (0..pixels).flat_map(|p| std::iter::repeat_n(p, counts[n * pixels + p])).collect())
            .collect();
        case.grid.spatial = vec![pixels];
        let long = Case { weight_map: None, ..case.gathered(&[sources[0].len()], &sources) };
        case.weight_map = Some(counts.iter().map(|&k| k as f64).collect());
        let Some(weighed) = tally.evaluate(context.implementation, &case, Precision::F64) else { continue };
        let Some(written_out) = tally.evaluate(context.implementation, &long, Precision::F64) else {
            continue;
        };
        tally.measure(&LAW_F64, relative(weighed.value, written_out.value), &case.name);
        let mut gradient = vec![0.0; case.logits.len()];
        for (n, p, c) in long.grid.entries() {
            gradient[case.at(n, c, sources[n][p])] += written_out.gradient[long.at(n, c, p)];
        }
        let off = relative_to_max(&weighed.gradient, &gradient);
        tally.measure(&LAW_F64, off, &format!("{}, gradient", case.name));
    }
}

/// Leaves nothing that counts pixels without the map: frequencies, priors, numbers of pixels.
fn without_counting(spec: &mut LossSpec) {
    let fixed = |source: &mut Source| {
        if !matches!(source, Source::None | Source::Fixed | Source::Dataset) {
            *source = Source::Dataset;
        }
    };
    if spec.kind().info().takes("prior") {
        spec.prior.iter_mut().for_each(|prior| fixed(&mut prior.source));
        spec.prior.get_or_insert(PriorSpec { source: Source::Dataset, values: Vec::new() });
        if spec.weights.normalise == segloss::Normalise::ExpectedOne {
            spec.weights.normalise = segloss::Normalise::MeanOne;
        }
        fixed(&mut spec.weights.source);
        spec.dataset = Some(ClassCounts {
            valid: 60.0,
            pixels: vec![40.0, 15.0, 5.0],
            present_in: vec![60.0, 30.0, 10.0],
            others_in: vec![30.0, 60.0, 60.0],
        });
    }
    if !spec.kind().sums_regions() && !spec.kind().is_sum() {
        spec.reduction = Some(Reduction::Mean);
    }
    spec.terms_mut().iter_mut().for_each(|term| without_counting(&mut term.loss));
}

/// Without weights, smoothing a label is smoothing the target.
fn smoothed_by_hand(context: &Context<'_>, tally: &mut Tally) {
    let s = 0.25;
    for kind in [Kind::CrossEntropy, Kind::BinaryCrossEntropy] {
        // A power of two of classes: y' is exact.
        let grid = Grid::new(2, 2, &[5]);
        let spec = LossSpec { reduction: Some(Reduction::MeanAll), ..plain(kind).with("label_smoothing", s) };
        let name = format!("{}, smoothing is a soft target", kind.name());
        let case = draw(context.seed, &name, spec, grid, TargetForm::OneHot);
        let mut by_hand = case.clone();
        set(&mut by_hand.spec, "label_smoothing", 0.0);
        if let Labels::Distribution(y) = &mut by_hand.target {
            y.iter_mut().for_each(|y| *y = (1.0 - s) * *y + s / 2.0);
        }
        same(context, tally, &case, &by_hand);
    }
}

/// Two classes under softmax are one channel under sigmoid, of the difference of their logits.
fn two_classes(context: &Context<'_>, tally: &mut Tally) {
    for (softmax, sigmoid) in [
        (plain(Kind::CrossEntropy), plain(Kind::BinaryCrossEntropy)),
        (plain(Kind::Focal), plain(Kind::Focal).with("activation", Activation::Sigmoid)),
    ] {
        let fixed = WeightSpec { source: Source::Fixed, values: vec![0.5, 3.0], ..WeightSpec::default() };
        let softmax = LossSpec { weights: fixed.clone(), ignore_index: Some(IGNORED), ..softmax };
        let sigmoid = LossSpec { weights: fixed, ignore_index: Some(IGNORED), ..sigmoid };
        let name = format!("{}, two classes are one channel", softmax.kind().name());
        let two = draw(context.seed, &name, softmax, Grid::new(2, 2, &[6]), TargetForm::Indices);
        let grid = Grid::new(2, 1, &[6]);
        let logits = (0..2).flat_map(|n| (0..6).map(move |p| (n, p)));
        let logits = logits.map(|(n, p)| two.logits[two.at(n, 1, p)] - two.logits[two.at(n, 0, p)]);
        let one = Case { spec: sigmoid, grid, logits: logits.collect(), ..two.clone() };
        let Some(of_two) = tally.evaluate(context.implementation, &two, Precision::F64) else { continue };
        let Some(of_one) = tally.evaluate(context.implementation, &one, Precision::F64) else { continue };
        tally.measure(&LAW_F64, relative(of_two.value, of_one.value), &name);
        let mut gradient = vec![0.0; two.logits.len()];
        for (n, p, _) in one.grid.entries() {
            let slope = of_one.gradient[one.at(n, 0, p)];
            (gradient[two.at(n, 0, p)], gradient[two.at(n, 1, p)]) = (-slope, slope);
        }
        tally.measure(&LAW_F64, relative_to_max(&of_two.gradient, &gradient), &name);
    }
}

/// Classes of one size have one weight, which cancels: what is left is Dice of all classes pooled.
fn equal_sizes(context: &Context<'_>, tally: &mut Tally) {
    let name = "generalized_dice, equal sizes have equal weights";
    let own = plain(Kind::GeneralizedDice);
    let mut case = draw(context.seed, name, own, Grid::new(2, 3, &[6]), TargetForm::Indices);
    case.target = Labels::Indices(vec![0, 1, 2, 2, 1, 0, 1, 0, 2, 2, 1, 0]);
    let mut pooled = case.clone();
    pooled.spec.weights = WeightSpec { source: Source::Fixed, values: vec![1.0; 3], ..WeightSpec::default() };
    same(context, tally, &case, &pooled);
}

/// Channels pooled with equal weights are one channel with the pixels of all.
fn pooled_channels(context: &Context<'_>, tally: &mut Tally) {
    let name = "generalized_dice, channels pooled are one channel";
    let of = |kind| plain(kind).with("activation", Activation::Sigmoid).with("smooth", 0.25);
    let fixed = WeightSpec { source: Source::Fixed, values: vec![1.0; 3], ..WeightSpec::default() };
    let pooled = LossSpec { weights: fixed, ..of(Kind::GeneralizedDice) };
    let case = draw(context.seed, name, pooled, Grid::new(1, 3, &[8]), TargetForm::Soft);
    // Channels first: the channels lie one after the other already.
    let mut long = case.clone();
    long.grid = Grid::new(1, 1, &[24]);
    long.spec = of(Kind::Dice);
    same(context, tally, &case, &long);
}

/// Where every pixel is sure, the Lovász losses are the Jaccard loss of what they say: 1 − IoU.
fn intersection_over_union(context: &Context<'_>, tally: &mut Tally) {
    let labels = [0, 0, 1, 2, 2, 0, 1, 1, 0, 2];
    let said = [0, 1, 1, 2, 0, 0, 1, 2, 0, 2];
    let count = |is: &dyn Fn(usize) -> bool| (0..labels.len()).filter(|&p| is(p)).count() as f64;
    let loss = |c: i64| {
        let both = count(&|p| labels[p] == c && said[p] == c);
        1.0 - both / count(&|p| labels[p] == c || said[p] == c)
    };
    let mean = (loss(0) + loss(1) + loss(2)) / 3.0;
    // A hinge's error is 0 where right by 1, and 2 where wrong by 1.
    for (kind, sure, want) in [(Kind::LovaszSoftmax, 1e3, mean), (Kind::LovaszHinge, 1.0, 2.0 * mean)] {
        let grid = Grid::new(1, 3, &[labels.len()]);
        let mut logits = vec![-sure; grid.len()];
        for (p, &c) in said.iter().enumerate() {
            logits[grid.at(LAYOUTS[0], 0, c as usize, p)] = sure;
        }
        let name = format!("{}, sure of everything", kind.name());
        let case = Case::new(name, plain(kind), grid, logits, Labels::Indices(labels.to_vec()));
        let Some(found) = tally.evaluate(context.implementation, &case, Precision::F64) else { continue };
        tally.measure(&LAW_F64, relative(found.value, want), &case.name);
    }
}
