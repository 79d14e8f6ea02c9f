//! Bad input gives a typed error that says where, never a panic and never a silent NaN.

use ndarray::{Array2, array};
use segloss::kinds::Combined;
use segloss::{Activation, Input, Kind, Loss, LossSpec, Problem, Target, Term};

fn loss(text: &str) -> Loss {
    Loss::new(LossSpec::from_toml(text).unwrap()).unwrap()
}

fn refusal(text: &str, logits: &[f32], shape: &[usize], labels: &[i32]) -> segloss::Error {
    Input::from_slices(logits, shape, labels).and_then(|input| loss(text).value(&input)).unwrap_err()
}

#[test]
fn labels_out_of_range_are_located() {
    let error = refusal("ignore_index = 255", &[0.0; 12], &[1, 3, 2, 2], &[0, 1, 2, 3]);
    let Problem::Label { label, classes, index, .. } = &error.problem else { panic!("{error}") };
    assert_eq!((*label, *classes, index.as_slice()), (3, 3, [0, 1, 1].as_slice()));
    assert_eq!(
        error.to_string(),
        "cross_entropy: target label 3 at [0, 1, 1] is no class: expected 0..=2 or the ignored 255"
    );
    let error = refusal("", &[0.0; 4], &[1, 2, 2], &[0, -1]);
    assert!(error.to_string().contains("label -1 at [0, 1]"), "{error}");
    let error = refusal("kind = 'binary_cross_entropy'", &[0.0; 2], &[1, 1, 2], &[1, 2]);
    assert!(error.to_string().contains("0..=1"), "{error}");
}

/// A softmax over one channel is always 1: no value, no gradient, and no word.
#[test]
fn a_softmax_of_one_channel_is_refused_in_every_way() {
    let input = Input::from_slices(&[3.0_f32, -80.0], &[1, 1, 2], &[0_u8, 1]).unwrap();
    let mut kinds: Vec<(LossSpec, bool)> = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|&kind| kind != Kind::Combined) {
        for activation in [Activation::Softmax, Activation::Sigmoid] {
            let mut spec = LossSpec::new(kind);
            if spec.options.set("activation", activation).is_ok() || spec.activation() == activation {
                kinds.push((spec, activation == Activation::Sigmoid));
            }
        }
    }
    assert!(kinds.len() > 24, "{}", kinds.len());
    for (spec, is_sigmoid) in kinds {
        let kind = spec.kind();
        let both = Combined::new(vec![Term { factor: 1.0, loss: spec.clone() }]);
        for loss in [Loss::new(spec).unwrap(), Loss::new(both).unwrap()] {
            let refusals = [
                loss.value(&input).err(),
                loss.value_and_gradient(&input, &mut [0.0; 2]).err(),
                loss.label_counts(&input).err(),
            ];
            for refusal in refusals {
                let refused =
                    refusal.is_some_and(|error| matches!(error.problem, Problem::OneChannel { .. }));
                assert_eq!(refused, !is_sigmoid, "{kind:?}");
            }
        }
    }
    let text = |text| loss(text).value(&input).unwrap_err().to_string();
    assert!(
        text("").ends_with("use `kind = \"binary_cross_entropy\"`, or logits of two channels"),
        "{}",
        text("")
    );
    let dice = text("kind = 'dice'");
    assert!(dice.starts_with("dice: ") && dice.contains("or `activation = \"sigmoid\"`"), "{dice}");
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    assert!(matches!(refusal("", &[0.0; 4], &[4], &[0]).problem, Problem::Rank { .. }));
    assert!(matches!(refusal("", &[], &[0, 3], &[]).problem, Problem::Empty { .. }));
    assert!(matches!(refusal("", &[0.0; 5], &[2, 3], &[0, 0]).problem, Problem::Length { .. }));
    assert!(matches!(refusal("", &[0.0; 6], &[2, 3], &[0]).problem, Problem::Length { .. }));

    let logits = array![[[0.0_f32, 1.0], [1.0, 0.0]]];
    let labels = array![[0_u8, 1, 1]];
    let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
    let error = loss("").value(&input).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cross_entropy: target has shape [1, 3]; expected [1, 2] beside these logits"
    );
    // Channels last, and nobody said so.
    let last = ndarray::Array4::<f32>::zeros((1, 4, 5, 3));
    let labels = ndarray::Array3::<u8>::zeros((1, 4, 5));
    let input = Input::new(last.view(), Target::indices(labels.view())).unwrap();
    let text = loss("").value(&input).unwrap_err().to_string();
    assert!(text.ends_with("these logits; it would fit `layout = \"channels_last\"`"), "{text}");
    assert!(loss("layout = 'channels_last'").value(&input).is_ok());
    let short = array![[true]];
    let labels = array![[0_u8, 1]];
    let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
    let error = loss("").value(&input.clone().with_mask(short.view()).unwrap()).unwrap_err();
    assert!(error.to_string().contains("mask has shape [1, 1]"), "{error}");
    let error = loss("").value_and_gradient(&input, &mut [0.0; 3]).unwrap_err();
    assert!(error.to_string().contains("gradient holds 3 elements; expected 4"), "{error}");
}

#[test]
fn permuted_views_are_refused_with_the_repair() {
    let logits = array![[[0.0_f32, 1.0, 2.0], [1.0, 0.0, 2.0]]];
    let labels: Array2<u8> = array![[0, 1]];
    let permuted = logits.view().permuted_axes([0, 2, 1]);
    let error = Input::new(permuted, Target::indices(labels.view())).unwrap_err();
    assert!(error.to_string().contains("as_standard_layout"), "{error}");
    let error = Input::new(logits.view(), Target::indices(array![[0_u8, 1], [1, 0]].t())).unwrap_err();
    assert!(error.to_string().contains("target"), "{error}");
}

/// Every kind takes the same targets for distributions: a Dice of −0.9 came of a mask stored as 0 and 255.
#[test]
fn targets_are_distributions_to_every_kind() {
    let logits = array![[0.0_f64, 1.0], [0.5, 0.0]];
    let refused = |kind: Kind, y: [f64; 2]| {
        let y = array![[1.0, 0.0], y];
        let input = Input::new(logits.view(), Target::distribution(y.view())).unwrap();
        let terms = "terms = [{ loss = { kind = 'dice' } }]";
        let terms = if kind == Kind::Combined { terms } else { "" };
        loss(&format!("kind = '{}'\n{terms}", kind.name())).value(&input).err().map(|error| error.problem)
    };
    for kind in Kind::ALL {
        for bad in [f64::NAN, -0.1, 1.5, 255.0, f64::INFINITY] {
            let problem = refused(kind, [0.0, bad]);
            let Some(Problem::Distribution { class: 1, index, .. }) = problem else {
                panic!("{kind:?} {bad}: {problem:?}")
            };
            assert_eq!(index, [1]);
        }
        let sigmoid = LossSpec::new(kind).activation() == Activation::Sigmoid;
        for (row, sum) in [([0.0, 0.0], 0.0), ([1.0, 1.0], 2.0)] {
            match refused(kind, row) {
                // Classes that may overlap need not share a whole.
                None => assert!(sigmoid, "{kind:?}"),
                Some(Problem::RowSum { sum: found, index }) => {
                    assert_eq!((found, index, sigmoid), (sum, vec![1], false), "{kind:?}");
                }
                // Kinds that sort find two whole classes in one pixel first.
                Some(Problem::SoftTarget { .. }) => assert!(!sigmoid && sum == 2.0, "{kind:?}"),
                Some(other) => panic!("{kind:?}: {other}"),
            }
        }
        assert_eq!(refused(kind, [0.0, 1.0]), None, "{kind:?}");
    }
    let text = |y| refused(Kind::Dice, y).unwrap().to_string();
    assert!(text([0.0, 255.0]).contains("is to be divided by 255"), "{}", text([0.0, 255.0]));
    assert!(text([0.0, 0.0]).contains("left out with a mask"), "{}", text([0.0, 0.0]));
    // Rounded to 8 bits or to 16-bit floats they are still distributions.
    assert_eq!(refused(Kind::CrossEntropy, [0.333, 0.663]), None);
    assert!(refused(Kind::CrossEntropy, [0.333, 0.633]).is_some());
}

#[test]
fn logits_of_valid_pixels_must_be_numbers() {
    for kind in ["cross_entropy", "binary_cross_entropy", "document_binary", "document_categorical"] {
        for bad in [f32::NAN, f32::INFINITY] {
            let text = format!("kind = '{kind}'\nlayout = 'channels_last'");
            let error = refusal(&text, &[0.5, 0.1, 0.2, bad], &[1, 2, 2], &[0, 1]);
            let Problem::Logit { class, index, .. } = &error.problem else { panic!("{error}") };
            assert_eq!((*class, index.as_slice()), (1, [0, 1].as_slice()), "{kind}");
        }
    }
}

#[test]
fn options_for_another_number_of_classes_are_refused() {
    for text in
        ["threshold = { logit_shift = [0.5, 0.5] }", "weights = { source = 'fixed', values = [1, 2] }"]
    {
        let error = refusal(text, &[0.0; 3], &[1, 3], &[0]);
        assert!(matches!(error.problem, Problem::PerClass { expected: 3, found: 2, .. }), "{error}");
    }
}

#[test]
fn a_plan_for_other_images_is_refused() {
    let loss = loss("");
    let two = Input::from_slices(&[0.0_f32; 4], &[2, 2], &[0_u8, 1]).unwrap();
    let one = Input::from_slices(&[0.0_f32; 2], &[1, 2], &[0_u8]).unwrap();
    let plan = loss.plan(&loss.label_counts(&two).unwrap()).unwrap();
    assert!(matches!(loss.part(&one, &plan, None).unwrap_err().problem, Problem::Plan { .. }));
    assert!(loss.part(&one, &plan.images(1..2).unwrap(), None).is_ok());
}

/// What does not belong together is refused with its place, and leaves what it was to join as it was.
#[test]
fn parts_of_another_loss_are_refused() {
    fn problem<T: std::fmt::Debug>(refused: Result<T, segloss::Error>) -> Problem {
        refused.unwrap_err().problem
    }
    let two = Input::from_slices(&[0.5_f32; 4], &[2, 2], &[0_u8, 1]).unwrap();
    let four = Input::from_slices(&[0.5_f32; 4], &[1, 4], &[0_u8]).unwrap();
    let part = |loss: &Loss, input: &Input<'_, f32>| {
        let plan = loss.plan(&loss.label_counts(input).unwrap()).unwrap();
        loss.part(input, &plan, None).unwrap()
    };
    let [dice, lovasz, sum] = ["dice", "lovasz_softmax", "dice_focal"].map(|name| match name {
        "dice_focal" => loss("kind = 'combined'\npreset = 'dice_focal'"),
        kind => loss(&format!("kind = '{kind}'")),
    });
    let (whole, before) = (part(&dice, &two), part(&dice, &two));
    let classes = Problem::Mismatch { operand: "the other part", of: "classes", expected: 2, found: 4 };
    let other_loss = Problem::OtherLoss { operand: "the other part" };
    for (other, want) in [
        (part(&dice, &four), classes),
        (part(&sum, &two), other_loss.clone()),
        (part(&lovasz, &two), other_loss),
    ] {
        let mut all = whole.clone();
        assert_eq!(problem(all.combine(other)), want);
        assert_eq!(all, before);
    }
    let sums = |part: &segloss::Part| part.sums().clone();
    let want =
        Problem::Mismatch { operand: "the sums of the other part", of: "classes", expected: 2, found: 4 };
    assert_eq!(problem(sums(&whole).combine(sums(&part(&dice, &four)))), want);

    // The plan, and what is made of it.
    let plan = dice.plan(&dice.label_counts(&two).unwrap()).unwrap();
    assert_eq!(problem(plan.images(1..3)), Problem::NoSuchImages { start: 1, end: 3, images: 2 });
    assert_eq!(
        problem(plan.images(0..2).unwrap().images(std::ops::Range { start: 2, end: 1 })),
        Problem::NoSuchImages { start: 2, end: 1, images: 2 }
    );
    let by_image = loss("kind = 'dice'\nregion = 'image'");
    let (other_plan, other_part) =
        (Problem::OtherLoss { operand: "the plan" }, Problem::OtherLoss { operand: "the combined part" });
    for other in [&lovasz, &sum, &by_image] {
        assert_eq!(problem(dice.finish(&plan, &part(other, &two))), other_part);
        assert_eq!(problem(other.finish(&plan, &whole)), other_plan);
        assert_eq!(problem(other.part(&two, &plan, None)), other_plan);
        let refused = dice.part_gradient(&two, &plan, &part(other, &two), &mut [0.0_f32; 4]);
        assert_eq!(problem(refused), other_part);
    }
    // Of the same loss, but of other images or classes than were counted.
    for kind in ["dice", "lovasz_softmax", "cross_entropy"] {
        let loss = loss(&format!(
            "kind = '{kind}'\n{}",
            if kind == "cross_entropy" { "" } else { "region = 'image'" }
        ));
        let one = Input::from_slices(&[0.5_f32; 2], &[1, 2], &[0_u8]).unwrap();
        let plan = loss.plan(&loss.label_counts(&one).unwrap()).unwrap();
        let refused = |input| problem(loss.finish(&plan, &part(&loss, input)));
        let want =
            |of, expected, found| Problem::Mismatch { operand: "the combined part", of, expected, found };
        assert_eq!(refused(&two), want("images", 1, 2), "{kind}");
        assert_eq!(refused(&four), want("classes", 2, 4), "{kind}");
    }
    // A loss of the same specification is no other.
    assert!(loss("kind = 'dice'").finish(&plan, &whole).is_ok());

    // The labels' counts.
    let mut counts = dice.label_counts(&two).unwrap();
    let want = |of, expected, found| Problem::Mismatch { operand: "the other part", of, expected, found };
    assert_eq!(problem(counts.join_images(dice.label_counts(&four).unwrap())), want("classes", 2, 4));
    let one = Input::from_slices(&[0.5_f32; 2], &[1, 2], &[0_u8]).unwrap();
    assert_eq!(problem(counts.join_tiles(dice.label_counts(&one).unwrap())), want("images", 2, 1));
    assert_eq!(counts, dice.label_counts(&two).unwrap());
    let mut class_counts = counts.counts();
    let want = Problem::Mismatch { operand: "the image", of: "classes", expected: 2, found: 3 };
    assert_eq!(problem(class_counts.add_image(1.0, &[1.0, 0.0, 0.0])), want);
    let want = Problem::Mismatch { operand: "the batch", of: "classes", expected: 2, found: 3 };
    assert_eq!(problem(class_counts.decayed(0.5, &segloss::ClassCounts::new(3))), want);
}

/// Of every kind: a plan that was made for another computes nothing, whether or not it has the same shape.
#[test]
fn the_plan_of_every_other_kind_is_refused() {
    let input = Input::from_slices(&[0.5_f32, 0.25, -0.5, 0.0], &[2, 2], &[0_u8, 1]).unwrap();
    let losses: Vec<Loss> =
        segloss_cases::samples::all().into_iter().map(|spec| Loss::new(spec).unwrap()).collect();
    for mine in &losses {
        let counts = mine.label_counts(&input).unwrap();
        for theirs in losses.iter().filter(|theirs| theirs.spec() != mine.spec()) {
            let plan = theirs.plan(&counts).unwrap();
            let refused = mine.part(&input, &plan, None).unwrap_err();
            assert_eq!(refused.problem, Problem::OtherLoss { operand: "the plan" }, "{refused}");
        }
    }
}

/// The parts together are what was counted: each pixel once, with its label and its weight.
#[test]
fn parts_that_are_not_what_was_counted_are_refused() {
    let logits = [1.0_f64, -0.5, 0.25, 2.0, 0.0, 1.0];
    let whole = Input::from_slices(&logits, &[3, 2], &[0_u8, 1, 1]).unwrap();
    let one = |image: usize, label: &'static [u8]| {
        Input::from_slices(&logits[2 * image..2 * image + 2], &[1, 2], label).unwrap()
    };
    for kind in ["cross_entropy", "dice", "lovasz_softmax", "top_k_cross_entropy", "boundary"] {
        let loss = loss(&format!("kind = '{kind}'"));
        let plan = loss.plan(&loss.label_counts(&whole).unwrap()).unwrap();
        let part = |image: usize, label| {
            loss.part(&one(image, label), &plan.images(image..image + 1).unwrap(), None).unwrap()
        };
        let join = |parts: Vec<segloss::Part>| {
            let mut all = parts[0].clone();
            parts[1..].iter().for_each(|part| all.combine(part.clone()).unwrap());
            loss.finish(&plan, &all)
        };
        let parts = || vec![part(2, &[1]), part(0, &[0]), part(1, &[1])];
        let (joined, at_once) = (join(parts()).unwrap().value, loss.value(&whole).unwrap().value);
        assert!((joined - at_once).abs() <= 1e-15, "{kind}: {joined} {at_once}");
        let refused = |parts: Vec<segloss::Part>| join(parts).unwrap_err().problem;
        let incomplete = |image, expected, found| Problem::Incomplete { image, expected, found };
        assert_eq!(refused(parts()[..2].to_vec()), incomplete(1, 1, 0), "{kind}");
        assert_eq!(refused([parts(), parts()[..1].to_vec()].concat()), incomplete(2, 1, 2), "{kind}");
        let other = vec![part(0, &[0]), part(1, &[1]), part(2, &[0])];
        assert_eq!(refused(other), Problem::OtherLabels { image: 2 }, "{kind}");
    }
}

/// What a tile cannot know of its image's borders is asked for.
#[test]
fn a_tile_without_the_distances_of_its_image_is_refused() {
    let loss = loss("kind = 'boundary'");
    let logits = [1.0_f64, -0.5, 0.25, 2.0];
    let whole = Input::from_slices(&logits, &[1, 2, 2], &[0_u8, 1]).unwrap();
    let plan = loss.plan(&loss.label_counts(&whole).unwrap()).unwrap();
    let tile = Input::from_slices(&logits[..2], &[1, 2, 1], &[0_u8]).unwrap();
    let want = Problem::NeedsDistances { tile: 1, image: 2 };
    assert_eq!(loss.part(&tile, &plan, None).unwrap_err().problem, want);
    let distances = ndarray::ArrayD::<f64>::zeros(ndarray::IxDyn(&[1, 2, 1]));
    assert!(loss.part(&tile.with_distances(distances.view()).unwrap(), &plan, None).is_ok());
}

/// Counts that cannot be are refused where they come in, and leave the loss as it was.
#[test]
fn running_counts_that_cannot_be_are_refused() {
    let mut loss = loss("weights = { source = 'ema', scheme = 'median_frequency' }");
    let good = segloss::ClassCounts {
        valid: 4.0,
        pixels: vec![1.0, 3.0],
        present_in: vec![4.0; 2],
        ..segloss::ClassCounts::default()
    };
    loss.update_running_counts(&good).unwrap();
    let before = loss.running_counts();
    for bad in [
        segloss::ClassCounts { present_in: vec![4.0], ..good.clone() },
        segloss::ClassCounts { pixels: vec![-1.0, 3.0], ..good.clone() },
        segloss::ClassCounts { valid: f64::NAN, ..good.clone() },
    ] {
        let refused = loss.update_running_counts(&bad).unwrap_err().problem;
        assert!(matches!(refused, Problem::Option { key: "running counts", .. }), "{refused}");
        assert!(loss.restore_running_counts(&[bad]).is_err());
    }
    assert_eq!(loss.running_counts(), before);
    // Counts may come without those of the others.
    let mut counts = good;
    counts.add_image(4.0, &[2.0, 2.0]).unwrap();
    assert_eq!((counts.pixels, counts.others_in), (vec![3.0, 5.0], vec![]));
}

#[test]
fn a_shape_of_more_elements_than_there_can_be_is_refused() {
    let shape = [1_usize << 32, 1 << 32];
    let refused = Input::from_slices::<u8>(&[] as &[f32], &shape, &[]).unwrap_err().problem;
    assert!(matches!(refused, Problem::Length { operand: "logits", found: 0, .. }), "{refused}");
}

/// A value or gradient that is no number is an error: of finite logits only the document's S1 makes one, and says where.
#[test]
fn what_is_no_number_is_refused() {
    let labels = [0_u8, 1, 1, 0];
    let logits = [1.0_f64, -0.5, 0.25, 2.0, 0.0, 1.0, -3.0, 0.5];
    let of = |text: &str, map: f64| {
        let mut gradient = [0.0; 8];
        let map = ndarray::arr1(&[map; 4]);
        let input = Input::from_slices(&logits, &[4, 2], &labels).unwrap();
        let input = if map[0] == 1.0 { input } else { input.with_weight_map(map.view()).unwrap() };
        loss(text).value_and_gradient(&input, &mut gradient).map(|found| (found.value, gradient))
    };
    let power = "kind = 'lovasz_softmax'\nweights = { source = 'per_batch', scheme = { power = 1e4 } }";
    let nested = "kind = 'combined'\nterms = [{ factor = 1e308, loss = { kind = 'combined', \
                  terms = [{ factor = 1e308, loss = { kind = 'dice' } }] } }]";
    for (text, map) in [
        (power, 1.0),
        (nested, 1.0),
        ("kind = 'dice'", 1e308),
        ("kind = 'lovasz_softmax'", 1e308),
        ("kind = 'lovasz_softmax'", 5e-324),
        ("kind = 'mcc'", 1e308),
        ("kind = 'unified_focal'", 1e308),
        ("kind = 'focal_tversky'\ngamma = 1e-320", 1.0),
    ] {
        match of(text, map) {
            Ok((value, gradient)) => {
                assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()), "{text} {map}");
            }
            Err(error) => assert!(
                matches!(error.problem, Problem::NotFinite { .. } | Problem::Overflow { .. }),
                "{text} {map}: {error}"
            ),
        }
    }
    assert!(matches!(of(nested, 1.0).unwrap_err().problem, Problem::NotFinite { .. }));
    assert!(matches!(of("kind = 'dice'", 1e308).unwrap_err().problem, Problem::NotFinite { .. }));
}

#[test]
fn weights_beyond_the_number_type_are_refused() {
    let text = "weights = { source = 'fixed', values = [1e300, 1e300] }\nreduction = 'mean_images'";
    let error = refusal(text, &[0.0; 2], &[1, 2], &[0]);
    assert!(matches!(error.problem, Problem::Overflow { element: "f32", .. }), "{error}");
}

/// The same loss in either number type, with its gradient.
fn in_both(text: &str) -> [Result<(f64, f64), Problem>; 2] {
    let labels = [0_u8, 1, 1, 0];
    let logits = [1.0_f64, -0.5, 0.25, 2.0, 0.0, 1.0, -3.0, 0.5];
    let narrow = logits.map(|z| z as f32);
    let mut gradient = [0.0; 8];
    let input = Input::from_slices(&logits, &[4, 2], &labels).unwrap();
    let wide = loss(text).value_and_gradient(&input, &mut gradient);
    let wide = wide.map(|found| (found.value, gradient[0])).map_err(|error| error.problem);
    let mut gradient = [0.0; 8];
    let input = Input::from_slices(&narrow, &[4, 2], &labels).unwrap();
    let narrow = loss(text).value_and_gradient(&input, &mut gradient);
    [narrow.map(|found| (found.value, gradient[0].into())).map_err(|error| error.problem), wide]
}

#[test]
fn factors_beyond_the_number_type_are_refused() {
    let of = |kind: &str, factor: f64| {
        format!("kind = 'combined'\nterms = [{{ factor = {factor:e}, loss = {{ kind = '{kind}' }} }}]")
    };
    let nested = "kind = 'combined'\nterms = [{ factor = 1e25, loss = { kind = 'combined', \
                  terms = [{ factor = 1e25, loss = { kind = 'dice' } }] } }]";
    for kind in ["dice", "cross_entropy", "lovasz_softmax", "recall_cross_entropy", "binary_cross_entropy"] {
        let [_, Ok(one)] = in_both(&of(kind, 1.0)) else { panic!("{kind}") };
        // As long as there is no error, value and gradient are those of the factor.
        for exponent in [10, 20, 25, 28, 30, 35, 38, 39, 50, 100, 290, 300, 308] {
            let factor = 10_f64.powi(exponent);
            for (found, bound) in in_both(&of(kind, factor)).into_iter().zip([1e-5, 1e-12]) {
                match found {
                    Ok(found) => {
                        let off = |found: f64, one: f64| (found / factor / one - 1.0).abs();
                        assert!(
                            off(found.0, one.0) <= bound && off(found.1, one.1) <= bound,
                            "{kind} {factor:e}"
                        );
                        assert!(exponent < 39 || bound < 1e-5, "{kind} {factor:e} in f32");
                    }
                    Err(problem) => {
                        assert!(exponent > 25, "{kind} {factor:e}: {problem}");
                        let text = problem.to_string();
                        assert!(text.contains("overflows") || text.contains("too large"), "{text}");
                    }
                }
            }
        }
    }
    let [narrow, wide] = in_both(&of("dice", 1e300));
    let what = "the value is ";
    let text = narrow.unwrap_err().to_string();
    assert!(
        text.starts_with(what) && text.contains("e299, which overflows f32: weights or factors"),
        "{text}"
    );
    let scale = Problem::TooLarge { what: "the gradient's scale", found: 5e299, element: "f64" };
    assert_eq!(wide.unwrap_err(), scale);
    let [narrow, wide] = in_both(nested);
    assert!(matches!(narrow, Err(Problem::TooLarge { element: "f32", .. })), "{narrow:?}");
    assert!(wide.is_ok());
    // The value alone, and the gradient of a part.
    let labels = [0_u8, 1];
    let logits = [0.0_f32, 1.0, 2.0, 0.5];
    let input = Input::from_slices(&logits, &[2, 2], &labels).unwrap();
    let large = loss(&of("dice", 1e300));
    assert!(matches!(large.value(&input).unwrap_err().problem, Problem::TooLarge { what: "the value", .. }));
    let plan = large.plan(&large.label_counts(&input).unwrap()).unwrap();
    let part = large.part(&input, &plan, None).unwrap();
    let problem = large.part_gradient(&input, &plan, &part, &mut [0.0; 4]).unwrap_err().problem;
    assert!(matches!(problem, Problem::TooLarge { what: "the gradient's scale", .. }), "{problem}");
}

/// Value and gradient are those of the same weights, or there is neither.
#[test]
fn weights_below_the_number_type_are_refused() {
    for kind in ["cross_entropy", "focal", "binary_cross_entropy", "recall_cross_entropy", "dice"] {
        let of = |w: f64| {
            let values = if kind == "binary_cross_entropy" { vec![w; 4] } else { vec![w; 2] };
            format!("kind = '{kind}'\nweights = {{ source = 'fixed', values = {values:?} }}")
        };
        let [_, Ok(one)] = in_both(&of(1.0)) else { panic!("{kind}") };
        for w in [1e-30, 1e-37, 1e-39, 1e-46, 1e-300, 1e-310] {
            for (found, (smallest, bound)) in
                in_both(&of(w)).into_iter().zip([(1e-38, 1e-5), (1e-308, 1e-12)])
            {
                match found {
                    // The same weight for every class is none.
                    Ok(found) => {
                        let off = |found: f64, one: f64| (found / one - 1.0).abs();
                        assert!(off(found.0, one.0) <= bound && off(found.1, one.1) <= bound, "{kind} {w:e}");
                        assert!(w > smallest || kind == "dice", "{kind} {w:e}");
                    }
                    Err(problem) => {
                        assert!(w < smallest, "{kind} {w:e}: {problem}");
                        assert!(matches!(problem, Problem::TooSmall { .. }), "{kind} {w:e}: {problem}");
                    }
                }
            }
        }
    }
    // A weight that is nothing beside the others is rounded like any number.
    let beside = "weights = { source = 'fixed', values = [1e-46, 1.0] }";
    let [narrow, wide] = in_both(beside).map(Result::unwrap);
    assert!((narrow.0 / wide.0 - 1.0).abs() <= 1e-6, "{narrow:?} {wide:?}");
    let text = refusal("weights = { source = 'fixed', values = [1e-300, 0.0] }", &[0.5, 1.0], &[1, 2], &[0]);
    assert!(text.to_string().contains("weigh 1e-300 on average, which underflows f32"), "{text}");
}

#[test]
fn kinds_that_sort_or_measure_need_one_class_a_pixel() {
    let logits = array![[[0.0_f64, 1.0], [1.0, 0.0]]];
    let shared = array![[[1.0, 0.3], [0.0, 0.7]]];
    let input = Input::new(logits.view(), Target::distribution(shared.view())).unwrap();
    for kind in ["lovasz_softmax", "lovasz_hinge", "top_k_cross_entropy", "boundary"] {
        let error = loss(&format!("kind = '{kind}'")).value(&input).unwrap_err();
        let Problem::SoftTarget { value, class, index } = &error.problem else { panic!("{error}") };
        assert_eq!((*value, *class, index.as_slice()), (0.3, 0, [0, 1].as_slice()), "{kind}");
    }
    // Of a combined loss every term must accept the target.
    let combined = "kind = 'combined'\nterms = [{ loss = { kind = 'lovasz_softmax' } }]";
    assert!(matches!(loss(combined).value(&input).unwrap_err().problem, Problem::SoftTarget { .. }));
}

#[test]
fn weight_maps_must_be_there_and_be_weights() {
    let logits = array![[[0.0_f64, 1.0], [1.0, 0.0]]];
    let labels = array![[0_u8, 1]];
    let input = || Input::new(logits.view(), Target::indices(labels.view())).unwrap();
    let mapped = loss("weights = { source = 'map' }");
    assert_eq!(mapped.value(&input()).unwrap_err().problem, Problem::NoWeightMap);
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let map = array![[1.0, bad]];
        let error = mapped.value(&input().with_weight_map(map.view()).unwrap()).unwrap_err();
        assert!(matches!(&error.problem, Problem::WeightMap { index, .. } if *index == [0, 1]), "{error}");
    }
    let map = array![[1.0, 1.0, 1.0]];
    let error = mapped.value(&input().with_weight_map(map.view()).unwrap()).unwrap_err();
    assert!(error.to_string().contains("weight map has shape [1, 3]; expected [1, 2]"), "{error}");
    // What is ignored may weigh anything.
    let map = array![[1.0, f64::NAN]];
    let ignored = array![[0_u8, 255]];
    let input = Input::new(logits.view(), Target::indices(ignored.view())).unwrap();
    let spec = "ignore_index = 255\nweights = { source = 'map' }";
    assert!(loss(spec).value(&input.with_weight_map(map.view()).unwrap()).is_ok());
}

#[test]
fn a_data_set_s_weights_need_its_counts() {
    let labels = [0_u8, 1, 1];
    let input = Input::from_slices(&[0.0_f64; 6], &[3, 2], &labels).unwrap();
    let error = loss("weights = { source = 'dataset' }").value(&input).unwrap_err();
    assert!(matches!(error.problem, Problem::NoDataset { key: "weights.source" }), "{error}");
    let error = loss("kind = 'ldam'\nprior = { source = 'dataset' }").value(&input).unwrap_err();
    assert!(matches!(error.problem, Problem::NoDataset { key: "prior.source" }), "{error}");

    let counts = "[dataset]\nvalid = 8.0\npixels = [6.0, 2.0]\npresent_in = [8.0, 8.0]";
    let known = loss(&format!("weights = {{ source = 'dataset' }}\n{counts}")).value(&input).unwrap();
    assert_eq!(known.effective_weights, array![[1.0 / 1.5, 2.0]]);
    let three = "[dataset]\nvalid = 8.0\npixels = [6.0, 1.0, 1.0]\npresent_in = [8.0, 8.0, 8.0]";
    let error = loss(&format!("weights = {{ source = 'dataset' }}\n{three}")).value(&input).unwrap_err();
    assert!(matches!(error.problem, Problem::PerClass { key: "dataset", expected: 2, found: 3 }), "{error}");
}

#[test]
fn what_a_kind_cannot_give_is_said() {
    let input = Input::from_slices(&[0.0_f64; 6], &[3, 2], &[0_u8, 1, 1]).unwrap();
    let dice = loss("kind = 'dice'");
    assert_eq!(dice.map(&input).unwrap_err().problem, Problem::NoMap);
    let plan = dice.plan(&dice.label_counts(&input).unwrap()).unwrap();
    let mut gradient = [0.0; 6];
    assert_eq!(dice.part(&input, &plan, Some(&mut gradient)).unwrap_err().problem, Problem::NeedsTotals);
    let error = loss("kind = 'unified_focal'\nbackground = 2").value(&input).unwrap_err();
    assert!(error.to_string().contains("`background` is 2; expected one of 0..=1"), "{error}");
}

#[test]
fn an_absent_class_that_counts_is_warned_of() {
    let logits = [0.0_f64, 1.0, 0.5, 2.0, 0.0, -1.0];
    let input = Input::from_slices(&logits, &[2, 3], &[0_u8, 1]).unwrap();
    let warned = |text: &str| loss(text).value(&input).unwrap().warnings;
    assert_eq!(warned("kind = 'dice'"), [segloss::Warning::AbsentCounted { classes: vec![2] }]);
    assert!(warned("kind = 'dice'")[0].to_string().contains("no pixel of the batch is of class 2"));
    for quiet in
        ["kind = 'dice'\nclasses = 'present'", "kind = 'dice'\nsmooth = 1.0", "kind = 'generalized_dice'"]
    {
        assert_eq!(warned(quiet), [], "{quiet}");
    }
}

#[test]
fn sorted_kinds_see_a_bad_logit() {
    for kind in
        ["dice", "lovasz_softmax", "lovasz_hinge", "top_k_cross_entropy", "recall_cross_entropy", "boundary"]
    {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let logits = [0.0, 1.0, bad, 0.0];
            let input = Input::from_slices(&logits, &[2, 2], &[0_u8, 1]).unwrap();
            let error = loss(&format!("kind = '{kind}'")).value(&input).unwrap_err();
            assert!(matches!(error.problem, Problem::Logit { class: 0, .. }), "{kind} {bad}: {error}");
        }
    }
}
