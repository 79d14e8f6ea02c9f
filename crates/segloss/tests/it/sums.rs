//! What comes beside value and gradient: sums by class, parts, warnings, counts.

use ndarray::{Array3, array};
use segloss::{
    ClassCounts, ClassSums, Element, Input, InstructionSet, Kind, Loss, LossSpec, Reduction, Target, Warning,
    WeightSpec,
};

fn spec(text: &str) -> LossSpec {
    LossSpec::from_toml(text).unwrap()
}

fn loss(text: &str) -> Loss {
    Loss::new(spec(text)).unwrap()
}

/// Where both logits of a pixel are equal, a cross-entropy is ln 2 times its weight.
const EVEN: [f64; 8] = [0.0; 8];
const LN_2: f64 = std::f64::consts::LN_2;

#[test]
fn every_class_has_its_sums() {
    let input = Input::from_slices(&EVEN[..6], &[3, 2], &[0_u8, 0, 255]).unwrap();
    let found =
        loss("ignore_index = 255\nweights = { source = 'fixed', values = [2, 3] }").value(&input).unwrap();
    let [seen, unseen] = [(2.0, 4.0, 4.0 * LN_2), (0.0, 0.0, 0.0)].map(|(pixels, weight, loss)| ClassSums {
        pixels,
        weight,
        loss,
    });
    assert_eq!(found.sums.per_class, [seen, unseen]);
    assert_eq!((found.sums.valid_pixels, found.sums.denominator, found.value), (2, 4.0, LN_2));
    assert_eq!(found.sums.class_means(), [Some(LN_2), None]);

    // Of a sum of losses a class's loss is its share of the value, and its weight 1.
    let combined = "kind = 'combined'\nterms = [{ factor = 0.5, loss = { kind = 'cross_entropy' } }]";
    let input = Input::from_slices(&EVEN, &[4, 2], &[0_u8, 0, 0, 1]).unwrap();
    let found = loss(combined).value(&input).unwrap();
    let all = [(3.0, 0.375 * LN_2), (1.0, 0.125 * LN_2)];
    assert_eq!(found.sums.per_class, all.map(|(pixels, loss)| ClassSums { pixels, weight: 1.0, loss }));
    assert_eq!(found.terms[0].sums.per_class[0].loss, 3.0 * LN_2);
    // A term without a pixel to divide by adds nothing.
    let input = Input::from_slices(&EVEN[..2], &[1, 2], &[255_u8]).unwrap();
    let found = loss(&format!("ignore_index = 255\n{combined}")).value(&input).unwrap();
    assert!(found.sums.per_class.iter().all(|class| class.loss == 0.0), "{:?}", found.sums.per_class);
}

#[test]
fn classes_weigh_what_is_kept_of_them() {
    // Four pixels, equally hard: half of each is kept.
    let input = Input::from_slices(&EVEN, &[4, 2], &[0_u8, 0, 0, 1]).unwrap();
    let text = "kind = 'top_k_cross_entropy'\nkeep = 0.5\nweights = { source = 'fixed', values = [1, 2] }";
    let found = loss(text).value(&input).unwrap();
    let kept = [(3.0, 1.5), (1.0, 1.0)];
    assert_eq!(
        found.sums.per_class,
        kept.map(|(pixels, weight)| ClassSums { pixels, weight, loss: weight * LN_2 })
    );
}

#[test]
fn an_image_without_a_valid_pixel_is_no_region() {
    let input = Input::from_slices(&EVEN, &[2, 2, 2], &[0_u8, 1, 255, 255]).unwrap();
    for (kind, regions) in [("generalized_dice", 1.0), ("dice", 2.0)] {
        let text = format!("kind = '{kind}'\nignore_index = 255\nregion = 'image'");
        assert_eq!(loss(&text).value(&input).unwrap().sums.denominator, regions, "{kind}");
    }
}

#[test]
fn of_equal_logits_the_first_wins() {
    let recall = loss("kind = 'recall_cross_entropy'");
    for (label, missed) in [(0_u8, 0.0), (1, 1.0)] {
        let input = Input::from_slices(&EVEN[..2], &[1, 2], std::slice::from_ref(&label)).unwrap();
        assert_eq!(recall.value(&input).unwrap().value, missed * LN_2);
    }
}

#[test]
fn the_sums_of_parts_add_up() {
    let [first, second] = [[0_u8, 1], [1, 255]];
    for (reduction, one, other) in [
        ("'mean'", 5.0, 3.0),
        ("'mean_valid'", 2.0, 1.0),
        ("'mean_all'", 2.0, 2.0),
        ("'mean_images'", 1.0, 1.0),
        ("'sum'", 1.0, 1.0),
        ("{ constant = 9.0 }", 9.0, 9.0),
    ] {
        let loss = loss(&format!(
            "ignore_index = 255\nreduction = {reduction}\nweights = {{ source = 'fixed', values = [2, 3] }}"
        ));
        let part = |labels: &[u8]| {
            let input = Input::from_slices(&EVEN[..4], &[1, 2, 2], labels).unwrap();
            let plan = loss.plan(&loss.label_counts(&input).unwrap()).unwrap();
            loss.part(&input, &plan, None).unwrap()
        };
        let (mut both, second) = (part(&first), part(&second));
        assert_eq!((both.sums().denominator, second.sums().denominator), (one, other), "{reduction}");
        both.combine(second).unwrap();
        let shared = one == other && !["'mean_all'", "'mean_images'"].contains(&reduction);
        let sums = both.sums();
        assert_eq!(sums.denominator, if shared { one } else { one + other }, "{reduction}");
        assert!((sums.numerator - 8.0 * LN_2).abs() <= 1e-15 * sums.numerator && sums.valid_pixels == 3);
        let want = [(1.0, 2.0), (2.0, 6.0)].map(|(pixels, weight)| ClassSums {
            pixels,
            weight,
            loss: weight * LN_2,
        });
        assert_eq!(sums.per_class, want);
    }
}

#[test]
fn broken_entries_of_parts_are_counted_together() {
    let loss = loss("kind = 'document_binary'\nthreshold = { document = 0.2 }");
    let input = |logits| Input::from_slices(logits, &[1, 1, 2], &[0_u8, 0]).unwrap();
    // σ(2) + 0.3 > 1.
    let (one, two, none) = (input(&[0.0, 2.0]), input(&[2.0, 2.0]), input(&[0.0, 0.0]));
    let plan = loss.plan(&loss.label_counts(&one).unwrap()).unwrap();
    let [one, two, none] = [one, two, none].map(|input| loss.part(&input, &plan, None).unwrap());
    let counted = |mine: &segloss::Part, theirs: &segloss::Part| {
        let mut both = mine.clone();
        both.combine(theirs.clone()).unwrap();
        both.sums().non_finite.as_ref().map(|broken| (broken.count, broken.first.clone()))
    };
    assert_eq!(counted(&one, &two), Some((3, vec![0, 1])));
    assert_eq!(counted(&two, &one), Some((3, vec![0, 0])));
    assert_eq!(counted(&none, &one), Some((1, vec![0, 1])));
    assert_eq!(counted(&one, &none), Some((1, vec![0, 1])));
    assert_eq!(counted(&none, &none), None);
}

#[test]
fn classes_that_the_data_set_has_not_are_warned_of() {
    let input = Input::from_slices(&EVEN[..4], &[2, 2], &[0_u8, 1]).unwrap();
    let found = |kind: &str, absent: &str| {
        let text = format!(
            "kind = '{kind}'\nweights = {{ source = 'dataset', scheme = 'inverse_frequency', absent = '{absent}' }}\n\
             dataset = {{ valid = 3, pixels = [3, 0], present_in = [3, 0] }}"
        );
        loss(&text).value(&input).unwrap().warnings
    };
    let uncounted = [Warning::UncountedClasses { classes: vec![1] }];
    for kind in ["cross_entropy", "binary_cross_entropy", "dice"] {
        assert_eq!(found(kind, "zero"), uncounted, "{kind}");
        assert_eq!(found(kind, "largest_present"), [], "{kind}");
    }
}

#[test]
fn pixels_without_weight_are_warned_of() {
    let input = Input::from_slices(&EVEN[..4], &[2, 2], &[0_u8, 0]).unwrap();
    let weighted = |values: &str| loss(&format!("weights = {{ source = 'fixed', values = {values} }}"));
    let one = Warning::OneClass { class: 0 };
    assert_eq!(weighted("[0, 1]").value(&input).unwrap().warnings, [Warning::NoWeight, one.clone()]);
    assert_eq!(weighted("[1, 0]").value(&input).unwrap().warnings, [one]);
    // A sum of losses has no weights of its own; what its terms, or a kind's components, say it says, once.
    let combined = "kind = 'combined'\nterms = [{ loss = { kind = 'cross_entropy' } }]";
    let found = loss(combined).value(&input).unwrap();
    assert_eq!((found.warnings, found.terms[0].warnings.len()), (vec![Warning::OneClass { class: 0 }], 1));
    let counted = Warning::AbsentCounted { classes: vec![1] };
    let found = loss("kind = 'combined'\npreset = 'dice_focal'").value(&input).unwrap();
    assert!(found.warnings.contains(&Warning::OneClass { class: 0 }) && found.warnings.contains(&counted));
    for kind in ["unified_focal", "exponential_logarithmic"] {
        let found = loss(&format!("kind = '{kind}'")).value(&input).unwrap();
        assert!(found.warnings.contains(&Warning::OneClass { class: 0 }), "{kind}: {:?}", found.warnings);
    }
}

#[test]
fn every_pixel_of_every_image_is_counted() {
    // More pixels than one task takes, each image with shares of its own.
    let (images, pixels) = (3, 70_000);
    let logits = Array3::<f32>::zeros((images, 2, pixels));
    let label = |n: usize, p: usize| if p % 10 <= n { 1_u8 } else { u8::from(p == 39_998) * 255 };
    let labels = ndarray::Array2::from_shape_fn((images, pixels), |(n, p)| label(n, p));
    let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
    let loss = loss("ignore_index = 255\nweights = { source = 'per_sample', scheme = 'complement' }");
    let counts = loss.label_counts(&input).unwrap();
    assert_eq!((counts.len(), counts.is_empty(), counts.classes()), (3, false, 2));
    assert_eq!(counts.valid_pixels(), 3 * 69_999);
    assert_eq!(counts.mass(), [62_999.0 + 55_999.0 + 48_999.0, 7_000.0 + 14_000.0 + 21_000.0]);
    let weights = loss.plan(&counts).unwrap().effective_weights();
    for (n, row) in weights.rows().into_iter().enumerate() {
        let rare = 7_000.0 * (n + 1) as f64 / 69_999.0;
        assert!((row[0] - rare).abs() <= 1e-15 && (row[1] - (1.0 - rare)).abs() <= 1e-15, "{row}");
    }
}

#[test]
fn what_a_specification_needs_is_known_beforehand() {
    let mapped = "weights = { source = 'map' }";
    assert!(!spec("").needs_weight_map() && spec(mapped).needs_weight_map());
    let term = |inner: &str| spec(&format!("kind = 'combined'\nterms = [{{ loss = {{ {inner} }} }}]"));
    assert!(!term("kind = 'dice'").needs_weight_map() && term(mapped).needs_weight_map());
    for kind in Kind::ALL {
        let expected = match kind {
            Kind::DocumentBinary | Kind::DocumentSigmoid | Kind::DocumentCategorical => Reduction::MeanAll,
            kind if kind.is_sum() => Reduction::Sum,
            _ => Reduction::Mean,
        };
        assert_eq!((kind.default_reduction(), kind.info().default_reduction), (expected, expected));
    }
}

#[test]
fn weights_follow_counts() {
    let counts = ClassCounts { valid: 8.0, pixels: vec![6.0, 2.0, 0.0], ..ClassCounts::new(3) };
    let absent = |policy| WeightSpec { absent: policy, ..WeightSpec::default() }.of_counts(&counts);
    let [common, rare] = [8.0 / 18.0, 8.0 / 6.0];
    let near = |found: &[f64], want: [f64; 3]| found.iter().zip(want).all(|(f, w)| (f - w).abs() <= 1e-15);
    assert!(near(&absent(segloss::Absent::Zero), [common, rare, 0.0]));
    assert!(near(&absent(segloss::Absent::Prior), [common, rare, 8.0 / 3.0]));
    // The negatives of a channel have what its prior leaves of 1.
    let input = Input::from_slices(&EVEN[..2], &[1, 1, 2], &[1_u8, 1]).unwrap();
    let text = "kind = 'binary_cross_entropy'\nweights = { source = 'per_batch', absent = 'prior' }\n\
                prior = { source = 'fixed', values = [0.75] }";
    assert_eq!(loss(text).value(&input).unwrap().effective_weights, array![[2.0, 0.5]]);
}

#[test]
fn a_batch_of_other_classes_begins_a_new_average() {
    let mut loss = loss("weights = { source = 'ema', decay = 0.5 }");
    let counts = |pixels: &[f64]| {
        let mut counts = ClassCounts::new(pixels.len());
        counts.add_image(pixels.iter().sum(), pixels).unwrap();
        counts
    };
    loss.update_running_counts(&counts(&[4.0, 0.0])).unwrap();
    loss.update_running_counts(&counts(&[0.0, 4.0])).unwrap();
    assert_eq!(loss.running_counts()[0].pixels, [2.0, 2.0]);
    loss.update_running_counts(&counts(&[1.0, 2.0, 3.0])).unwrap();
    assert_eq!(loss.running_counts(), [counts(&[1.0, 2.0, 3.0])]);
}

#[test]
fn a_label_must_suit_every_term() {
    let combined = |first: &str, second: &str| {
        let term = |kind: &str| format!("{{ loss = {{ kind = '{kind}' }} }}");
        loss(&format!("kind = 'combined'\nterms = [{}, {}]", term(first), term(second)))
    };
    let logits = array![[0.0_f64, 1.0]];
    let message = |loss: &Loss, y: [f64; 2]| {
        let y = array![y];
        let input = Input::new(logits.view(), Target::distribution(y.view())).unwrap();
        loss.value(&input).map_or_else(|error| error.to_string(), |_| "fine".to_owned())
    };
    // In whichever order the terms come.
    for (first, second) in
        [("cross_entropy", "binary_cross_entropy"), ("binary_cross_entropy", "cross_entropy")]
    {
        let found = message(&combined(first, second), [0.0, 1.5]);
        assert!(
            found.contains("target holds 1.5 for class 1 at [0]; expected a number from 0 to 1"),
            "{found}"
        );
    }
    // A softmax among the terms wants rows that share a whole, a sigmoid by itself does not.
    for (first, second) in
        [("cross_entropy", "binary_cross_entropy"), ("binary_cross_entropy", "cross_entropy")]
    {
        assert!(
            message(&combined(first, second), [1.0, 1.0]).contains("classes at [0] sum to 2; expected 1")
        );
    }
    assert_eq!(message(&combined("binary_cross_entropy", "lovasz_hinge"), [1.0, 1.0]), "fine");
    for (first, second) in [("cross_entropy", "lovasz_softmax"), ("lovasz_softmax", "cross_entropy")] {
        assert!(message(&combined(first, second), [0.0, 0.5]).contains("one whole class a pixel"));
        assert!(message(&combined(first, second), [1.0, 1.0]).contains("one whole class a pixel"));
        assert_eq!(message(&combined(first, second), [0.0, 1.0]), "fine");
    }
    // Channels of a hinge are problems of their own.
    assert_eq!(message(&loss("kind = 'lovasz_hinge'"), [1.0, 1.0]), "fine");
    assert!(message(&loss("kind = 'lovasz_hinge'"), [0.0, 0.5]).contains("one whole class a pixel"));

    // One channel knows two labels only if each term takes it for a problem of its own.
    let single = Input::from_slices(&[0.5_f64], &[1, 1], &[1_u8]).unwrap();
    assert!(combined("binary_cross_entropy", "lovasz_hinge").value(&single).is_ok());
    assert!(combined("binary_cross_entropy", "cross_entropy").value(&single).is_err());
    assert!(combined("cross_entropy", "binary_cross_entropy").value(&single).is_err());
}

/// Of few classes the loss and its gradient are computed at once where both are asked for, stage by stage where not.
#[test]
fn at_once_and_stage_by_stage_have_the_same_bits() {
    fn check<T: Element>(set: InstructionSet, layout: &str, classes: usize) {
        let text = format!(
            "layout = '{layout}'\nignore_index = 255\nweights = {{ source = 'per_sample', scheme = 'inverse_frequency' }}"
        );
        let loss = loss(&text).with_instructions(set);
        // Whole blocks, and one that is not.
        let pixels = 5 * 64 + 17;
        let shape = if layout == "channels_last" { [2, pixels, classes] } else { [2, classes, pixels] };
        let mut state = 7_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / (1_u64 << 24) as f64
        };
        let logits: Vec<T> = (0..2 * classes * pixels)
            .map(|i| T::of((draw() - 0.5) * if i % 9 == 0 { 400.0 } else { 8.0 }))
            .collect();
        let label = |draw: f64| if draw < 0.1 { 255 } else { (draw * classes as f64) as u8 };
        let labels: Vec<u8> = (0..2 * pixels).map(|_| label(draw())).collect();
        let input = Input::from_slices(&logits, &shape, &labels).unwrap();
        let plan = loss.plan(&loss.label_counts(&input).unwrap()).unwrap();
        let part = loss.part(&input, &plan, None).unwrap();
        let (mut at_once, mut by_stages) = (vec![T::nan(); logits.len()], vec![T::nan(); logits.len()]);
        let value = loss.value_and_gradient(&input, &mut at_once).unwrap();
        loss.part_gradient(&input, &plan, &part, &mut by_stages).unwrap();
        assert_eq!(value, loss.value(&input).unwrap(), "{set:?}, {layout}, {classes} classes");
        assert_eq!(at_once, by_stages, "{set:?}, {layout}, {classes} classes");
    }
    for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
        for layout in ["channels_first", "channels_last"] {
            for classes in 2..=5 {
                check::<f32>(set, layout, classes);
                check::<f64>(set, layout, classes);
            }
        }
    }
}
