//! The cases that every kind goes through.
//!
//! The options of a kind have far more combinations than there is time for. Each option is dealt from a deck
//! of its values of its own, shuffled again whenever it runs out: every value comes up equally often, beside
//! ever other values of the others. Source and scheme of the weights are one deck of pairs.

use crate::case::{Case, Grid, Labels, TargetForm, draw, generator};
use crate::textbook::{has_pairs, is_sigmoid};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use segloss::kinds::Combined;
use segloss::{
    Absent, Activation, ClassCounts, Classes, Kind, Layout, LossSpec, Normalise, OptionInfo, Options,
    PriorSpec, Reduction, Region, Scheme, Source, Term, Threshold, Value, WeightSpec,
};
use std::collections::BTreeMap;

/// How much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// A second or two: one of many seeds.
    Sweep,
    /// Seconds: a self-test, or a look before a commit.
    Quick,
    /// What is worth a minute or two.
    Default,
    /// All that there is time for.
    Full,
}

impl Effort {
    /// As reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Full => "full",
        }
    }

    /// What asks for it on the command line, behind a space.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Sweep => " --seeds 1",
            Self::Quick => " --quick",
            Self::Default => "",
            Self::Full => " --full",
        }
    }

    /// How many, in the order of the efforts.
    pub fn of<T>(self, [sweep, quick, default, full]: [T; 4]) -> T {
        match self {
            Self::Sweep => sweep,
            Self::Quick => quick,
            Self::Default => default,
            Self::Full => full,
        }
    }

    /// The kinds for a check that costs much for each: all, and of a sweep those whose turn it is.
    pub fn kinds(self, seed: u64) -> impl Iterator<Item = Kind> {
        let is_next = move |i: u64| self != Self::Sweep || (i + seed).is_multiple_of(7);
        (0..).zip(Kind::ALL).filter(move |&(i, _)| is_next(i)).map(|(_, kind)| kind)
    }
}

/// Both layouts.
pub const LAYOUTS: [Layout; 2] = [Layout::ChannelsFirst, Layout::ChannelsLast];

/// The label of ignored pixels in drawn cases.
pub const IGNORED: i64 = 255;

/// Logits of drawn cases lie in ± this. The document's S1 gets less, where a larger logit breaks it; and LDAM, which
/// multiplies them: s = 30 is meant for cosines.
pub fn spread(spec: &LossSpec) -> f64 {
    let own = match &spec.options {
        Options::DocumentBinary(_) => 1.2,
        Options::Ldam(options) => f64::min(4.0, 20.0 / options.scale),
        _ => 4.0,
    };
    spec.terms().iter().map(|term| spread(&term.loss)).fold(own, f64::min)
}

/// Whether the loss, or a term of it, is of such a kind.
pub fn has_term(spec: &LossSpec, is: impl Fn(Kind) -> bool + Copy) -> bool {
    is(spec.kind()) || spec.terms().iter().any(|term| has_term(&term.loss, is))
}

/// The forms of target that a loss takes.
pub fn forms(spec: &LossSpec) -> &'static [TargetForm] {
    if has_term(spec, Kind::needs_hard_labels) {
        &[TargetForm::Indices, TargetForm::OneHot]
    } else {
        &TargetForm::ALL
    }
}

/// Every kind's cases, kind by kind.
pub fn cases(seed: u64, effort: Effort) -> impl Iterator<Item = Case> {
    Kind::ALL.into_iter().flat_map(move |kind| of_kind(seed, effort, kind))
}

/// The cases of one kind.
pub fn of_kind(seed: u64, effort: Effort, kind: Kind) -> Vec<Case> {
    let few_options = kind.info().options.len() < 4;
    let count = effort.of(if few_options { [2, 8, 48, 240] } else { [4, 20, 120, 600] });
    let mut deal = Deal::new(seed, kind.name());
    (0..count).map(|i| one(&mut deal, seed, kind, i)).collect()
}

/// Specifications of a kind for some number of classes, dealt for a purpose of its own.
pub fn specs(seed: u64, purpose: &str, kind: Kind, classes: usize, count: usize) -> Vec<LossSpec> {
    let mut deal = Deal::new(seed, &format!("{} for {purpose}", kind.name()));
    let mut one = || {
        let layout = deal.of("layout", &LAYOUTS);
        let activation = deal.of("activation", &[None, Some(Activation::Sigmoid)]);
        let activation = activation.filter(|_| kind.info().takes("activation"));
        let spec = match kind {
            Kind::Combined => combined(&mut deal, classes),
            _ => options(&mut deal, kind, activation, classes),
        };
        LossSpec { layout, ignore_index: Some(IGNORED), ..spec }
    };
    (0..count).map(|_| one()).collect()
}

fn one(deal: &mut Deal, seed: u64, kind: Kind, i: usize) -> Case {
    let layout = deal.of("layout", &LAYOUTS);
    let ignore_index = deal.of("ignore_index", &[None, Some(IGNORED)]);
    let activation = deal.of("activation", &[None, Some(Activation::Softmax), Some(Activation::Sigmoid)]);
    let activation = activation.filter(|_| kind.info().takes("activation"));
    let sigmoid = is_sigmoid(&with_activation(kind, activation));
    let (images, classes, spatial) = match sigmoid {
        true => deal
            .of::<Sizes>("channels", &[(2, 1, &[3, 2]), (2, 3, &[3, 2]), (1, 2, &[7]), (2, 2, &[2, 1, 3])]),
        false => {
            deal.of::<Sizes>("classes", &[(2, 3, &[3, 2]), (1, 2, &[7]), (3, 4, &[2, 2]), (2, 3, &[2, 1, 3])])
        }
    };
    let spec = match kind {
        Kind::Combined => combined(deal, classes),
        _ => options(deal, kind, activation, classes),
    };
    let spec = LossSpec { layout, ignore_index, ..spec };
    let form = match forms(&spec) {
        hard @ [_, _] => deal.of("hard form", hard),
        all => deal.of("form", all),
    };
    let name = format!("{}/{i}/{layout:?}/{form:?}", kind.name()).to_lowercase();
    let spread = spread(&spec);
    let mut case = draw(seed, &name, spec, Grid::new(images, classes, spatial), form, spread);
    if case.weight_map.is_none() && deal.of("map", &[false, false, true]) {
        case = case.with_drawn_map(seed);
    }
    match deal.of("oddity", &Oddity::DECK) {
        Oddity::None => {}
        Oddity::AbsentClass => case.absent(),
        Oddity::Twins => case.twins(),
        Oddity::Mirrored => case.mirror(),
        Oddity::Void => case.void(),
    }
    case
}

/// (images, classes, spatial).
type Sizes = (usize, usize, &'static [usize]);

/// What rarely comes of drawing labels pixel by pixel.
#[derive(Clone, Copy)]
enum Oddity {
    None,
    AbsentClass,
    Twins,
    Mirrored,
    Void,
}

impl Oddity {
    /// A third of the cases stay as they were drawn.
    const DECK: [Self; 6] =
        [Self::None, Self::None, Self::AbsentClass, Self::Twins, Self::Mirrored, Self::Void];
}

impl Case {
    /// Hands the last class's pixels, and shares of pixels, to the first.
    fn absent(&mut self) {
        let last = self.grid.classes.max(2) - 1;
        let places: Vec<(usize, Option<usize>)> = (0..self.grid.images)
            .flat_map(|n| (0..self.grid.pixels()).map(move |p| (n, p)))
            .map(|(n, p)| match self.grid.classes {
                1 => (self.at(n, 0, p), None),
                _ => (self.at(n, last, p), Some(self.at(n, 0, p))),
            })
            .collect();
        match &mut self.target {
            Labels::Indices(labels) => {
                labels.iter_mut().filter(|label| **label == last as i64).for_each(|label| *label = 0);
            }
            Labels::Distribution(y) => {
                for (from, to) in places {
                    let share = std::mem::take(&mut y[from]);
                    if let Some(to) = to {
                        y[to] = (y[to] + share).min(1.0);
                    }
                }
            }
        }
    }

    /// Makes pixels equal, two by two, logits and label: ties for whatever sorts.
    fn twins(&mut self) {
        let pixels = self.grid.pixels();
        for (n, p, c) in self.grid.entries().filter(|&(_, p, _)| p % 2 == 1) {
            let (to, from) = (self.at(n, c, p), self.at(n, c, p - 1));
            self.logits[to] = self.logits[from];
            match &mut self.target {
                Labels::Indices(labels) => labels[n * pixels + p] = labels[n * pixels + p - 1],
                Labels::Distribution(y) => y[to] = y[from],
            }
        }
    }

    /// Turns every other pixel of a hinge into its neighbour's opposite, its logits with the other sign and the
    /// next class: what is positive for one is negative for the other, and as wrong. The first errors are 0.
    /// (Under softmax such ties are none: 1 − p and another pixel's p may differ in the last place.)
    fn mirror(&mut self) {
        if self.spec.kind() != Kind::LovaszHinge {
            return;
        }
        let (classes, pixels) = (self.grid.classes, self.grid.pixels());
        let first = self.at(0, 0, 0);
        self.logits[first] = if self.target(0, 0, 0) > 0.0 { 1.0 } else { -1.0 };
        for (n, p, c) in self.grid.entries().filter(|&(_, p, _)| p % 2 == 1) {
            let (from, to) = (self.at(n, c, p - 1), self.at(n, c, p));
            self.logits[to] = -self.logits[from];
            let next = |class: usize| if classes > 1 { (class + 1) % classes } else { 1 - class };
            let of_next = self.at(n, (c + 1) % classes, p);
            match &mut self.target {
                Labels::Indices(labels) => {
                    let label = labels[n * pixels + p - 1];
                    let class = usize::try_from(label).ok().filter(|&class| class < classes.max(2));
                    labels[n * pixels + p] = class.map_or(label, |class| next(class) as i64);
                }
                Labels::Distribution(y) => y[of_next] = if classes > 1 { y[from] } else { 1.0 - y[from] },
            }
        }
    }

    /// Ignores the last image, where there is another and labels can say so.
    fn void(&mut self) {
        let pixels = self.grid.pixels();
        if let (Labels::Indices(labels), Some(ignored), 2..) =
            (&mut self.target, self.spec.ignore_index, self.grid.images)
        {
            let last = labels.len() - pixels;
            labels[last..].fill(ignored);
        }
    }
}

/// A sum of two or three losses, one of them nested now and then.
fn combined(deal: &mut Deal, classes: usize) -> LossSpec {
    // S1 is defined for small logits only, which would leave the others little to do.
    let others: Vec<Kind> =
        Kind::ALL.into_iter().filter(|kind| ![Kind::Combined, Kind::DocumentBinary].contains(kind)).collect();
    let count = deal.of("terms", &[2, 2, 3]);
    let terms = (0..count)
        .map(|_| {
            let kind = deal.of("term", &others);
            let activation = deal.of("activation", &[None, Some(Activation::Sigmoid)]);
            let activation = activation.filter(|_| kind.info().takes("activation"));
            let loss = options(deal, kind, activation, classes);
            let nested = Combined::new(vec![Term { factor: 0.75, loss: loss.clone() }]);
            let loss = if deal.of("nested", &[false, false, false, true]) { nested } else { loss };
            Term { factor: deal.of("factor", &[1.0, 0.25, 2.0]), loss }
        })
        .collect();
    Combined::new(terms)
}

/// The kind as it is by default, with this activation where one is named.
fn with_activation(kind: Kind, activation: Option<Activation>) -> LossSpec {
    let mut spec = LossSpec::new(kind);
    if let Some(activation) = activation {
        set(&mut spec, "activation", activation);
    }
    spec
}

/// Options by key, of kinds that are known to have them.
pub trait ByKey {
    /// The same with another value of an option.
    fn with(self, key: &'static str, value: impl Into<Value>) -> Self;

    /// The number that an option holds.
    fn number(&self, key: &str) -> Option<f64>;
}

impl ByKey for LossSpec {
    fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        set(&mut self, key, value);
        self
    }

    fn number(&self, key: &str) -> Option<f64> {
        if let Some(Value::Number(x)) = self.options.get(key) { Some(x) } else { None }
    }
}

/// Sets an option that the kind is known to take.
pub fn set(spec: &mut LossSpec, key: &'static str, value: impl Into<Value>) {
    spec.options.set(key, value).unwrap_or_else(|error| panic!("{error}"));
}

/// The specification with each activation that it may have.
pub fn activations(plain: &LossSpec) -> Vec<LossSpec> {
    match plain.kind().activation() {
        None => [Activation::Softmax, Activation::Sigmoid]
            .map(|activation| plain.clone().with("activation", activation))
            .to_vec(),
        Some(_) => vec![plain.clone()],
    }
}

/// A specification of this kind with all its options dealt.
fn options(deal: &mut Deal, kind: Kind, activation: Option<Activation>, classes: usize) -> LossSpec {
    let mut spec = with_activation(kind, activation);
    own_options(deal, &mut spec, classes);
    let info = kind.info();
    let takes = |key: &str| info.takes(key);
    spec.reduction = takes("reduction").then(|| reduction(deal, kind)).flatten();
    spec.threshold = takes("threshold").then(|| threshold(deal, &spec, classes)).flatten();
    if takes("prior") {
        spec.prior = Some(prior(deal, classes));
    }
    if takes("weights") {
        spec.weights = weights(deal, &spec, classes);
    }
    let sources = [spec.weights.source, spec.prior().source];
    spec.dataset = sources.contains(&Source::Dataset).then(|| dataset(deal, &spec, classes));
    settled(&spec)
}

/// Deals the options that are the kind's own from the values that its registry entry names.
fn own_options(deal: &mut Deal, spec: &mut LossSpec, classes: usize) {
    let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let mut infos = spec.options.infos();
    infos.sort_by_key(|info| place(info.key));
    for OptionInfo { key, samples, .. } in infos {
        let dealt = match key {
            // Dealt beforehand, and the prices in pairs.
            "activation" | "beta" => None,
            "alpha" => {
                let prices = [None, Some((0.5, 0.5)), Some((1.0, 0.0)), Some((0.0, 1.0)), Some((2.0, 0.25))];
                if let Some((alpha, beta)) = deal.of("prices", &prices) {
                    set(spec, "alpha", alpha);
                    set(spec, "beta", beta);
                }
                None
            }
            "background" => deal.option(key, &(0..classes).map(Value::from).collect::<Vec<_>>()),
            // The two do not go together.
            "confidence" if spec.options.get("label_smoothing") != Some(0.0.into()) => None,
            _ => deal.option(key, &samples),
        };
        if let Some(value) = dealt {
            set(spec, key, value);
        }
    }
}

/// The same loss without options that nothing reads, which a specification must not have: a law that changes one
/// option may leave another without effect.
pub fn settled(spec: &LossSpec) -> LossSpec {
    let mut spec = spec.clone();
    let default = WeightSpec::default();
    let counted = is_counted(spec.weights.source);
    let sudre = spec.kind().weighs_by_size() && spec.weights.source == Source::None;
    if !counted {
        spec.weights.scheme = default.scheme;
    }
    if !counted && !sudre {
        spec.weights.absent = default.absent;
    }
    if !counted && spec.weights.source != Source::Fixed {
        spec.weights.normalise = default.normalise;
    }
    if !spec.reads_prior() {
        spec.prior = None;
    }
    if ![spec.weights.source, spec.prior().source].contains(&Source::Ema) {
        spec.weights.decay = default.decay;
    }
    if spec.kind() != Kind::Combined && ![spec.weights.source, spec.prior().source].contains(&Source::Dataset)
    {
        spec.dataset = None;
    }
    let source = spec.weights.source;
    let holds = |key: &str, x: f64| spec.options.get(key) == Some(x.into());
    let unsmoothed = holds("label_smoothing", 0.0) || matches!(source, Source::None | Source::Map);
    let alike = spec.classes() != Classes::Present && source != Source::PerSample;
    let idle = [
        ("smoothing_weight", unsmoothed),
        ("average", alike || spec.region() != Region::Image),
        ("confidence", holds("keep", 1.0)),
    ];
    for (key, idle) in idle {
        if idle && spec.options.get(key).is_some() {
            set(&mut spec, key, Value::None);
        }
    }
    spec.terms_mut().iter_mut().for_each(|term| term.loss = settled(&term.loss));
    spec
}

/// Whether weights are made of class counts.
fn is_counted(source: Source) -> bool {
    matches!(source, Source::Dataset | Source::PerBatch | Source::PerSample | Source::Ema)
}

fn reduction(deal: &mut Deal, kind: Kind) -> Option<Reduction> {
    use Reduction::{Constant, Mean, MeanAll, MeanImages, MeanValid, Sum};
    match kind.sums_regions() {
        true => deal.maybe("reduction of regions", &[Mean, MeanImages, Sum, Constant(1.5)]),
        false => {
            let all = [Mean, MeanValid, MeanAll, MeanImages, Sum, Constant(37.5)];
            deal.maybe("reduction", &all)
        }
    }
}

fn threshold(deal: &mut Deal, spec: &LossSpec, classes: usize) -> Option<Threshold> {
    if spec.kind() == Kind::DocumentBinary {
        return deal.maybe("document threshold", &[0.45, 0.5, 0.6]).map(Threshold::Document);
    }
    match deal.of("threshold", &["none", "shift", "adjustment"]) {
        "shift" => {
            let tenths = || deal.any(1..10) as f64 / 10.0;
            Some(Threshold::LogitShift(std::iter::repeat_with(tenths).take(classes).collect()))
        }
        "adjustment" => Some(Threshold::LogitAdjustment(deal.of("adjustment", &[1.0, 0.5, -0.25]))),
        _ => None,
    }
}

fn prior(deal: &mut Deal, classes: usize) -> PriorSpec {
    use Source::{Dataset, Ema, Fixed, PerBatch, PerSample};
    let source = deal.of("prior", &[PerBatch, PerSample, Dataset, Fixed, Ema]);
    let values = match source {
        Fixed => (0..classes).map(|_| deal.any(1..10) as f64 / 10.0).collect(),
        _ => Vec::new(),
    };
    PriorSpec { source, values }
}

/// Source and scheme of the weights, as far as a kind takes them.
pub fn weightings(kind: Kind) -> Vec<(Source, Scheme)> {
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
pub const SCHEMES: [Scheme; 8] = [
    Scheme::InverseFrequency,
    Scheme::Complement,
    Scheme::InverseSqrt,
    Scheme::Power(1.5),
    Scheme::MedianFrequency,
    Scheme::Enet,
    Scheme::EffectiveNumber(0.9),
    Scheme::DocumentScalar,
];

fn weights(deal: &mut Deal, spec: &LossSpec, classes: usize) -> WeightSpec {
    let (mut source, scheme) = deal.of("weights", &weightings(spec.kind()));
    if !spec.kind().info().takes("prior") {
        return WeightSpec { source, ..WeightSpec::default() };
    }
    if source == Source::PerSample && spec.kind().sums_regions() && spec.region() != Region::Image {
        // One region over the batch takes one row of weights.
        source = Source::PerBatch;
    }
    let columns = if has_pairs(spec) { 2 * classes } else { classes };
    let values = match source {
        Source::Fixed => (0..columns).map(|_| deal.any(1..13) as f64 / 4.0).collect(),
        _ => Vec::new(),
    };
    let own = spec.kind().weighs_by_size() && source == Source::None;
    let mut absent =
        deal.of("absent", &[Absent::Zero, Absent::LargestPresent, Absent::Cap(1.5), Absent::Prior]);
    // A prior of each image is none of the batch, and Sudre's own weight knows of no prior at all.
    let one_for_all = spec.prior().source == Source::PerSample && source != Source::PerSample;
    if absent == Absent::Prior && (own || one_for_all) {
        absent = Absent::LargestPresent;
    }
    let rules = [Normalise::None, Normalise::MeanOne, Normalise::ExpectedOne, Normalise::SumOne];
    let normalise = deal.of("normalise", &rules);
    WeightSpec { source, scheme, values, absent, normalise, ..WeightSpec::default() }
}

/// Counts as of a data set: some hundred pixels, now and then none of the last class.
fn dataset(deal: &mut Deal, spec: &LossSpec, classes: usize) -> ClassCounts {
    let mut pixels: Vec<f64> = (0..classes).map(|_| deal.any(1..200) as f64).collect();
    if classes > 1 && deal.of("dataset", &[false, true]) {
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

/// The options of kinds in the order in which they are dealt. Whatever is not among them comes after them.
const FIRST: [&str; 20] = [
    "region",
    "classes",
    "squared",
    "asymmetric",
    "background",
    "gamma",
    "smooth",
    "keep",
    "epsilon",
    "margin",
    "scale",
    "mitigation",
    "compensation",
    "mix",
    "delta",
    "alpha",
    "label_smoothing",
    "smoothing_weight",
    "average",
    "confidence",
];

/// Those of them that draw from [`Deal::rng_of_later`], as all do that are not among the first.
const LATER: [&str; 2] = ["smoothing_weight", "average"];

/// The name of a deck.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deck {
    /// Of the options that are a kind's own, by key.
    Option(&'static str),
    /// Of everything else.
    Choice(&'static str),
}

/// The values, and none before them.
fn or_none<T: Clone>(values: &[T]) -> Vec<Option<T>> {
    std::iter::once(None).chain(values.iter().cloned().map(Some)).collect()
}

/// Deals the values of options.
struct Deal {
    rng: ChaCha8Rng,
    /// For options that came later: so they change no other option's values, and hard seeds stay hard.
    rng_of_later: ChaCha8Rng,
    /// For each choice the places of the values that are left of its deck.
    decks: BTreeMap<Deck, Vec<usize>>,
}

impl Deal {
    fn new(seed: u64, kind: &str) -> Self {
        Self {
            rng: generator(seed, &format!("options of {kind}")),
            rng_of_later: generator(seed, &format!("later options of {kind}")),
            decks: BTreeMap::new(),
        }
    }

    /// The next value of a choice.
    fn of<T: Clone>(&mut self, choice: &'static str, values: &[T]) -> T {
        self.next(Deck::Choice(choice), values)
    }

    /// Nothing, or the next value of an option that is a kind's own.
    fn option(&mut self, key: &'static str, values: &[Value]) -> Option<Value> {
        self.next(Deck::Option(key), &or_none(values))
    }

    fn next<T: Clone>(&mut self, name: Deck, values: &[T]) -> T {
        let is_later = matches!(name, Deck::Option(key) if LATER.contains(&key) || !FIRST.contains(&key));
        let deck = self.decks.entry(name).or_default();
        // A deck may serve lists of several lengths: a term has other choices than the next.
        deck.retain(|&place| place < values.len());
        if deck.is_empty() {
            deck.extend(0..values.len());
            let rng = if is_later { &mut self.rng_of_later } else { &mut self.rng };
            for i in (1..deck.len()).rev() {
                deck.swap(i, rng.random_range(0..=i));
            }
        }
        values[deck.pop().unwrap_or(0)].clone()
    }

    /// Nothing, or one of the values.
    fn maybe<T: Clone>(&mut self, choice: &'static str, values: &[T]) -> Option<T> {
        self.of(choice, &or_none(values))
    }

    /// Any number of a range.
    fn any(&mut self, range: std::ops::Range<usize>) -> usize {
        self.rng.random_range(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_cases_that_its_specification_allows() {
        for kind in Kind::ALL {
            for case in of_kind(1, Effort::Default, kind) {
                segloss::Loss::new(case.spec.clone())
                    .unwrap_or_else(|error| panic!("{}: {error}", case.name));
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: Vec<String> = cases(1, Effort::Default).map(|case| case.name).collect();
        let unique: BTreeSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }

    /// The name of an enum's variant.
    fn variant(value: impl std::fmt::Debug) -> String {
        let text = format!("{value:?}");
        text.split(['(', ' ']).next().unwrap_or_default().to_owned()
    }

    /// Whatever the seed: a value that no case has is a value that nobody checks.
    #[test]
    fn every_value_of_every_option_occurs() {
        for seed in [1, 2] {
            for kind in Kind::ALL.into_iter().filter(|kind| kind.info().takes("prior")) {
                let cases = of_kind(seed, Effort::Default, kind);
                let seen = |of: &dyn Fn(&LossSpec) -> String| -> BTreeSet<String> {
                    cases.iter().map(|case| of(&case.spec)).collect()
                };
                let takes = |key: &str| usize::from(kind.info().takes(key));
                let infos = kind.options().infos();
                let values = |key: &str| {
                    infos.iter().find(|info| info.key == key).map_or(1, |info| info.samples.len())
                };
                for (option, wanted, found) in [
                    ("weights.source", 7, seen(&|spec| variant(spec.weights.source))),
                    ("weights.scheme", 8, seen(&|spec| variant(spec.weights.scheme))),
                    ("weights.absent", 4, seen(&|spec| variant(spec.weights.absent))),
                    ("weights.normalise", 4, seen(&|spec| variant(spec.weights.normalise))),
                    ("prior.source", 5, seen(&|spec| variant(spec.prior().source))),
                    ("threshold", 3, seen(&|spec| spec.threshold.as_ref().map_or(String::new(), variant))),
                    (
                        "activation",
                        1 + takes("activation"),
                        seen(&|spec| format!("{:?}", spec.options.get("activation"))),
                    ),
                    ("region", 1 + takes("region"), seen(&|spec| format!("{:?}", spec.region()))),
                    ("classes", values("classes"), seen(&|spec| format!("{:?}", spec.classes()))),
                    (
                        "reduction",
                        1 + takes("reduction") * if kind.sums_regions() { 4 } else { 6 },
                        seen(&|spec| format!("{:?}", spec.reduction)),
                    ),
                ] {
                    let wanted = if option.starts_with("weights") {
                        takes("weights") * (wanted - 1) + 1
                    } else {
                        wanted
                    };
                    assert_eq!(found.len(), wanted, "{} {option} with seed {seed}: {found:?}", kind.name());
                }
                let maps = cases.iter().filter(|case| case.weight_map.is_some()).count();
                assert!(maps * 5 > cases.len(), "{}: {maps} maps", kind.name());
            }
        }
    }
}
