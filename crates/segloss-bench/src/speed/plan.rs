//! Which contests are run: who computes what beside whom.

use super::contest::{Contest, Entry, Limits};
use super::workload::{COPY, LARGE, LAYOUTS, SMALL, SOFTENED, Shape, WEIGHTED, WEIGHTED_FULL, name, sizes};
use segloss::{InstructionSet, Kind};
use std::time::Duration;

/// This library, with all threads and the machine's best instruction set.
pub const OURS: &str = "segloss";
/// This library's operations on dfdx's tape.
pub const OPERATIONS: &str = "dfdx-conv";
/// burn, with its CPU backend `flex`.
pub const BURN: &str = "burn";
/// candle.
pub const CANDLE: &str = "candle";
/// PyTorch, one operation after the other.
pub const TORCH: &str = "PyTorch";
/// PyTorch, compiled by `torch.compile`.
pub const COMPILED: &str = "PyTorch compiled";

/// All who are not ours.
pub const PEERS: [&str; 4] = [TORCH, COMPILED, BURN, CANDLE];

/// This library with so many threads.
pub fn with_threads(threads: usize) -> String {
    format!("{OURS}, {threads} thread{}", if threads == 1 { "" } else { "s" })
}

/// This library with an instruction set that is not the machine's best.
pub fn with_instructions(set: InstructionSet) -> String {
    format!("{OURS}, {}", set.name())
}

/// The numbers of threads that are compared.
pub fn thread_counts(cores: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(1), |n| Some(2 * n)).take_while(|&n| n < cores);
    doubled.chain([cores.max(1)]).collect()
}

/// The contest of one of the [`LARGE`] shapes, or of [`SMALL`].
pub fn of_shape(shape: Shape) -> String {
    format!("shape {}", sizes(shape))
}

/// The contest of a kind.
pub fn of_kind(kind: &str) -> String {
    format!("kind {kind}")
}

/// The contest of growing sizes of a loss.
pub fn of_growth(along: &str, what: &str) -> String {
    format!("{along} {what}")
}

/// The contest of our kinds among themselves, in a layout.
pub fn of_kinds(layout: &str) -> String {
    format!("kinds {layout}")
}

/// The contest of numbers of threads.
pub fn of_threads(what: &str) -> String {
    format!("threads {what}")
}

/// The contest of U-Net steps.
pub const UNET: &str = "unet";

/// Every kind is timed at this shape: one image of the first, since a sort takes its time.
pub const KINDS: Shape = [1, 12, 360, 480];

/// What is timed at that shape: every kind, and cross-entropy of soft labels.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    Kind::ALL.into_iter().map(Kind::name).chain(SOFTENED)
}

/// Kinds that PyTorch computes, too, by the code that is usual for them.
pub const TORCH_KINDS: [&str; 4] = ["combined", "focal", "tversky", "lovasz_softmax"];

/// The shape at which our kinds are compared with one another.
pub const AMONG: Shape = LARGE[0];

/// Losses that are compared with one another: as many as a worker keeps, in one layout.
pub const COMPARED: [&str; 13] = [
    "cross_entropy",
    SOFTENED[0],
    SOFTENED[1],
    "focal",
    "poly1_cross_entropy",
    "ldam",
    "seesaw",
    "recall_cross_entropy",
    "top_k_cross_entropy",
    "dice",
    "combined",
    "tversky",
    "unified_focal",
];

/// Losses whose growth is shown: a pass, a pass with a second one, a sort; and the copy.
pub const GROWING: [&str; 4] = [COPY, WEIGHTED, "dice", "lovasz_softmax"];

/// Shapes of growing numbers of pixels and of classes.
pub fn growth(along: &str) -> Vec<Shape> {
    match along {
        "pixels" => (5..=9).map(|power| [1, 12, 1 << power, 1 << power]).collect(),
        _ => (1..=6).map(|power| [1, 1 << power, 128, 128]).collect(),
    }
}

/// How much time is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Of the contests that bars are judged by.
    pub rounds: usize,
    /// Of the other contests.
    pub other_rounds: usize,
    /// Of a turn and of a contest.
    pub limits: Limits,
}

impl Effort {
    /// Some minutes.
    pub const DEFAULT: Self = Self {
        rounds: 15,
        other_rounds: 9,
        limits: Limits { turn: Duration::from_millis(40), contest: Duration::from_secs(90) },
    };
    /// A minute or two: to see that all works.
    pub const QUICK: Self = Self {
        rounds: 3,
        other_rounds: 3,
        limits: Limits { turn: Duration::from_millis(8), contest: Duration::from_secs(10) },
    };
}

/// Every contest, those of the bars first.
pub fn contests(cores: usize, effort: Effort) -> Vec<Contest> {
    let mut contests: Vec<Contest> =
        LARGE.into_iter().chain([SMALL]).map(|shape| shape_contest(shape, effort.rounds)).collect();
    contests.push(unet(effort.rounds));
    contests.extend(LAYOUTS.map(|layout| {
        let of = |what| Entry::new(OURS, name(what, layout, "f32", AMONG));
        let entries = [COPY].into_iter().chain(COMPARED).map(of).collect();
        Contest { name: of_kinds(layout), entries, rounds: effort.rounds }
    }));
    contests.extend(kinds().map(|kind| {
        let judged = TORCH_KINDS.contains(&kind);
        // By contestant, so that each has its turn in one go.
        let mut entries = both(|layout| {
            let of = |what: &str| Entry::new(OURS, name(what, layout, "f32", KINDS));
            vec![of(COPY), of(kind)]
        });
        if judged {
            entries.extend(LAYOUTS.map(|layout| Entry::new(TORCH, name(kind, layout, "f32", KINDS))));
        }
        let rounds = if judged { effort.rounds } else { effort.other_rounds };
        Contest { name: of_kind(kind), entries, rounds }
    }));
    let mut add =
        |name: String, entries| contests.push(Contest { name, entries, rounds: effort.other_rounds });
    for along in ["pixels", "classes"] {
        for what in GROWING {
            let of = |layout| growth(along).into_iter().map(move |shape| name(what, layout, "f32", shape));
            add(
                of_growth(along, what),
                both(|layout| of(layout).map(|name| Entry::new(OURS, name)).collect()),
            );
        }
    }
    for what in GROWING {
        let entries = both(|layout| {
            let of = |threads| Entry::new(&with_threads(threads), name(what, layout, "f32", KINDS));
            thread_counts(cores).into_iter().map(of).collect()
        });
        add(of_threads(what), entries);
    }
    contests
}

/// Entries of both layouts.
fn both(of: impl Fn(&'static str) -> Vec<Entry>) -> Vec<Entry> {
    LAYOUTS.into_iter().flat_map(of).collect()
}

fn shape_contest(shape: Shape, rounds: usize) -> Contest {
    // By contestant, so that each has its turn in one go.
    let mut entries = Vec::new();
    let mut add = |contestant: &str, what: &str, real: &str| {
        entries.extend(LAYOUTS.map(|layout| Entry::new(contestant, name(what, layout, real, shape))));
    };
    for what in [COPY, "cross_entropy", WEIGHTED, "cross_entropy+per_sample", "cross_entropy+fixed+fresh"] {
        add(OURS, what, "f32");
    }
    add(OURS, COPY, "f64");
    add(OURS, WEIGHTED, "f64");
    for what in [COPY, WEIGHTED] {
        add(&with_threads(1), what, "f32");
    }
    for set in InstructionSet::ALL {
        add(&with_instructions(set), WEIGHTED, "f32");
    }
    for peer in [TORCH, COMPILED, CANDLE] {
        add(peer, WEIGHTED, "f32");
    }
    // Its cross-entropy cannot ignore a label.
    add(BURN, WEIGHTED_FULL, "f32");
    Contest { name: of_shape(shape), entries, rounds }
}

/// The steps of a U-Net.
pub const STEPS: [&str; 2] = ["forward", "forward_backward"];

/// The U-Nets, as pages call them: who, what, its layout.
pub const NETS: [(&str, &str, &str); 6] = [
    (OPERATIONS, "unet", "channels_last"),
    (OPERATIONS, "unet+plain", "channels_last"),
    (TORCH, "unet", "channels_last"),
    (TORCH, "unet", "channels_first"),
    (COMPILED, "unet", "channels_last"),
    (COMPILED, "unet", "channels_first"),
];

fn unet(rounds: usize) -> Contest {
    let copy = Entry::new(OURS, name(COPY, "channels_last", "f32", KINDS));
    let of = |(who, what, layout)| STEPS.map(|step| Entry::new(who, format!("{what}/{step}/{layout}")));
    let entries = [copy].into_iter().chain(NETS.into_iter().flat_map(of)).collect();
    Contest { name: UNET.to_owned(), entries, rounds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn threads_double_up_to_the_cores() {
        assert_eq!(thread_counts(1), [1]);
        assert_eq!(thread_counts(2), [1, 2]);
        assert_eq!(thread_counts(6), [1, 2, 4, 6]);
        assert_eq!(thread_counts(8), [1, 2, 4, 8]);
    }

    #[test]
    fn contests_have_names_of_their_own_and_no_entry_twice() {
        let contests = contests(2, Effort::QUICK);
        let names: BTreeSet<&String> = contests.iter().map(|contest| &contest.name).collect();
        assert_eq!(names.len(), contests.len());
        for contest in &contests {
            let entries: BTreeSet<(&String, &String)> =
                contest.entries.iter().map(|entry| (&entry.contestant, &entry.workload)).collect();
            assert_eq!(entries.len(), contest.entries.len(), "{}", contest.name);
        }
    }

    #[test]
    fn no_kind_is_missing() {
        let contests = contests(2, Effort::QUICK);
        let entries = |name: &str| {
            let contest = contests.iter().find(|contest| contest.name == name);
            contest.map_or(0, |contest| contest.entries.len())
        };
        for kind in kinds() {
            let expected = if TORCH_KINDS.contains(&kind) { 6 } else { 4 };
            assert_eq!(entries(&of_kind(kind)), expected, "{kind}");
        }
        assert!(Kind::ALL.into_iter().all(|kind| entries(&of_kind(kind.name())) > 0));
    }

    #[test]
    fn a_contest_among_our_kinds_has_what_a_worker_keeps() {
        let known: BTreeSet<&str> = kinds().collect();
        for layout in LAYOUTS {
            let contests = contests(2, Effort::QUICK);
            let contest = contests.iter().find(|contest| contest.name == of_kinds(layout)).unwrap();
            // As examples/worker.rs has it: a workload that is drawn anew for each turn takes longer than the turn.
            assert!(contest.entries.len() <= 16);
        }
        assert!(COMPARED.into_iter().chain(TORCH_KINDS).all(|what| known.contains(what)));
    }
}
