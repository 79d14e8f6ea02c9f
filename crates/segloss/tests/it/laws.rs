//! Laws that hold for every kind in the registry, over random and extreme inputs.

use ndarray::{Array2, Array3, ArrayD, Axis, IxDyn};
use proptest::prelude::*;
use segloss::{
    Average, Classes, Input, Kind, Layout, Loss, LossSpec, Options, PriorSpec, Reduction, Source, Target,
    Threshold, Warning, WeightSpec,
};
use segloss_cases::{IGNORED, has_sigmoid, samples};

/// A batch of random size: logits (N, C, P) and labels (N, P), some of them ignored.
#[derive(Clone, Debug)]
struct Batch {
    logits: Array3<f64>,
    labels: Array2<u8>,
}

fn batches() -> impl Strategy<Value = Batch> {
    (1..4_usize, 2..5_usize, 1..7_usize).prop_flat_map(|(n, c, p)| {
        // Within ±1, σ + ½ − th stays inside (0, 1) for every th = 1/C: S1 is defined.
        let logits = prop::collection::vec(-1.0..1.0_f64, n * c * p);
        let labels = prop::collection::vec(prop_oneof![4 => 0..c as u8, 1 => Just(IGNORED as u8)], n * p);
        (logits, labels).prop_map(move |(logits, labels)| Batch {
            logits: Array3::from_shape_vec((n, c, p), logits).unwrap(),
            labels: Array2::from_shape_vec((n, p), labels).unwrap(),
        })
    })
}

fn reductions() -> impl Strategy<Value = Reduction> {
    prop::sample::select(vec![
        Reduction::Mean,
        Reduction::MeanValid,
        Reduction::MeanAll,
        Reduction::MeanImages,
        Reduction::Sum,
        Reduction::Constant(7.5),
    ])
}

/// Value and gradient of `spec` on logits of `length` elements; what stood in the buffer must not matter.
fn run(spec: &LossSpec, input: &Input<'_, f64>, length: usize) -> (segloss::Evaluation, Vec<f64>) {
    let mut gradient = vec![f64::NAN; length];
    let loss = Loss::new(spec.clone()).unwrap();
    let evaluation = loss.value_and_gradient(input, &mut gradient).unwrap();
    (evaluation, gradient)
}

fn input(batch: &Batch) -> Input<'_, f64> {
    Input::new(batch.logits.view(), Target::indices(batch.labels.view())).unwrap()
}

fn one_hot(batch: &Batch) -> Array3<f64> {
    let mut y = Array3::zeros(batch.logits.raw_dim());
    for ((n, p), &label) in batch.labels.indexed_iter() {
        if i64::from(label) != IGNORED {
            y[[n, usize::from(label), p]] = 1.0;
        }
    }
    y
}

fn near(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-13 * scale.abs().max(a.abs())
}

/// 64 batches a law, or as many as `PROPTEST_CASES` asks for: fewer to look for mutants, more in doubt.
fn config() -> ProptestConfig {
    let cases =
        if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { 64 };
    // Nothing beside the source remembers a failure: it is reproduced by its shrunk batch, written out as a test.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_layouts_agree(batch in batches()) {
        let last = batch.logits.clone().permuted_axes([0, 2, 1]).as_standard_layout().to_owned();
        for spec in samples::all() {
            let (first_value, first_gradient) = run(&spec, &input(&batch), batch.logits.len());
            let spec = LossSpec { layout: Layout::ChannelsLast, ..spec };
            let target = Target::indices(batch.labels.view());
            let (last_value, last_gradient) = run(&spec, &Input::new(last.view(), target).unwrap(), last.len());
            prop_assert_eq!(&first_value, &last_value);
            let (n, c, p) = batch.logits.dim();
            let first = Array3::from_shape_vec((n, c, p), first_gradient).unwrap();
            let last = Array3::from_shape_vec((n, p, c), last_gradient).unwrap();
            prop_assert_eq!(first, last.permuted_axes([0, 2, 1]));
        }
    }

    #[test]
    fn a_one_hot_target_is_its_indices(batch in batches()) {
        let y = one_hot(&batch);
        let mask = batch.labels.mapv(|label| i64::from(label) != IGNORED);
        for spec in samples::all() {
            let (by_index, gradient) = run(&spec, &input(&batch), batch.logits.len());
            let soft = Input::new(batch.logits.view(), Target::distribution(y.view())).unwrap();
            let (by_row, row_gradient) = run(&spec, &soft.with_mask(mask.view()).unwrap(), y.len());
            prop_assert_eq!(by_index, by_row);
            prop_assert_eq!(gradient, row_gradient);
        }
    }

    #[test]
    fn ignoring_is_removing(batch in batches(), poison in prop_oneof![
        Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e300)
    ]) {
        // Whole images cannot be removed from a per-sample scope without shifting its rows, so pixels are:
        // the ignored ones of the last column are cut away.
        let (_, classes, pixels) = batch.logits.dim();
        prop_assume!(pixels > 1);
        let mut batch = batch;
        batch.labels.index_axis_mut(Axis(1), pixels - 1).fill(IGNORED as u8);
        batch.logits.index_axis_mut(Axis(2), pixels - 1).fill(poison);
        let cut = Batch {
            logits: batch.logits.slice(ndarray::s![.., .., ..pixels - 1]).to_owned(),
            labels: batch.labels.slice(ndarray::s![.., ..pixels - 1]).to_owned(),
        };
        // A boundary keeps the places of the pixels around an ignored one.
        for spec in samples::all().into_iter().filter(|spec| spec.kind() != Kind::Boundary) {
            // `MeanAll` counts ignored entries by its definition.
            let elements = spec.reduction() == Reduction::MeanAll;
            let spec = LossSpec { reduction: elements.then_some(Reduction::MeanValid), ..spec };
            let ignored = batch.labels.mapv(|label| i64::from(label) != IGNORED);
            prop_assume!(ignored.iter().any(|&valid| valid));
            let mut logits = batch.logits.clone();
            for ((n, p), valid) in ignored.indexed_iter() {
                if !valid {
                    logits.slice_mut(ndarray::s![n, .., p]).fill(poison);
                }
            }
            let poisoned = Batch { logits, labels: batch.labels.clone() };
            let (with, gradient) = run(&spec, &input(&poisoned), poisoned.logits.len());
            let (without, cut_gradient) = run(&spec, &input(&cut), cut.logits.len());
            prop_assert!(with.value.is_finite());
            prop_assert_eq!(with.value, without.value);
            prop_assert_eq!(&with.effective_weights, &without.effective_weights);
            let gradient = Array3::from_shape_vec((batch.logits.dim().0, classes, pixels), gradient).unwrap();
            let kept: Vec<f64> = gradient.slice(ndarray::s![.., .., ..pixels - 1]).iter().copied().collect();
            prop_assert_eq!(kept, cut_gradient);
            prop_assert!(gradient.slice(ndarray::s![.., .., pixels - 1]).iter().all(|&g| g == 0.0));
        }
    }

    #[test]
    fn parts_combine_to_the_whole(batch in batches(), cut in 0..6_usize, reduction in reductions()) {
        let (images, classes, pixels) = batch.logits.dim();
        for spec in samples::all() {
            // Not every kind divides by everything.
            let spec = match Loss::new(LossSpec { reduction: Some(reduction), ..spec.clone() }) {
                Ok(loss) => loss.spec().clone(),
                Err(_) => spec,
            };
            let loss = Loss::new(spec.clone()).unwrap();
            let (whole, gradient) = run(&spec, &input(&batch), batch.logits.len());
            let largest = gradient.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
            let gradient = Array3::from_shape_vec((images, classes, pixels), gradient).unwrap();

            // Micro-batches: an image each.
            let parts: Vec<Batch> = (0..images).map(|n| Batch {
                logits: batch.logits.slice(ndarray::s![n..=n, .., ..]).to_owned(),
                labels: batch.labels.slice(ndarray::s![n..=n, ..]).to_owned(),
            }).collect();
            let counts = |n: usize| loss.label_counts(&input(&parts[n])).unwrap();
            let mut all = counts(0);
            (1..images).for_each(|n| all.join_images(counts(n)).unwrap());
            let plan = loss.plan(&all).unwrap();
            let part = |n: usize| {
                loss.part(&input(&parts[n]), &plan.images(n..n + 1).unwrap(), None).unwrap()
            };
            let mut all = part(0);
            (1..images).for_each(|n| all.combine(part(n)).unwrap());
            let joined = loss.finish(&plan, &all).unwrap();
            prop_assert!(near(joined.sums.denominator, whole.sums.denominator, 0.0), "{reduction:?}");
            // A boundary's sum has both signs.
            prop_assert!(near(joined.value, whole.value, 1.0), "{spec:?}: {} {}", joined.value, whole.value);
            prop_assert_eq!(joined.sums.valid_pixels, whole.sums.valid_pixels);
            prop_assert_eq!(&joined.effective_weights, &whole.effective_weights);
            for (n, part) in parts.iter().enumerate() {
                let mut piece = vec![f64::NAN; classes * pixels];
                let plan = plan.images(n..n + 1).unwrap();
                loss.part_gradient(&input(part), &plan, &all, &mut piece).unwrap();
                let want: Vec<f64> = gradient.index_axis(Axis(0), n).iter().copied().collect();
                prop_assert!(piece.iter().zip(&want).all(|(g, w)| (g - w).abs() <= 1e-13 * largest), "{spec:?}");
                if spec.kind().is_additive() {
                    let mut at_once = vec![f64::NAN; classes * pixels];
                    loss.part(&input(part), &plan, Some(&mut at_once)).unwrap();
                    prop_assert_eq!(&at_once, &want);
                }
            }

            // A part of a part is a part.
            if images > 1 {
                prop_assert_eq!(plan.images(1..images).unwrap().images(0..1), plan.images(1..2));
            }

            // Tiles: every image cut in two. A tile knows no distances beyond its edge.
            let cut = cut % pixels;
            if cut > 0 && spec.kind() != Kind::Boundary {
                let tile = |range: std::ops::Range<usize>| Batch {
                    logits: batch.logits.slice(ndarray::s![.., .., range.clone()]).to_owned(),
                    labels: batch.labels.slice(ndarray::s![.., range]).to_owned(),
                };
                let tiles = [tile(0..cut), tile(cut..pixels)];
                let [mut left, right] = [0, 1].map(|at| loss.label_counts(&input(&tiles[at])).unwrap());
                left.join_tiles(right).unwrap();
                let plan = loss.plan(&left).unwrap();
                let mut all = loss.part(&input(&tiles[0]), &plan, None).unwrap();
                all.combine(loss.part(&input(&tiles[1]), &plan, None).unwrap()).unwrap();
                prop_assert!(near(loss.finish(&plan, &all).unwrap().value, whole.value, 0.0), "{spec:?}");
                let mut piece = vec![f64::NAN; images * classes * cut];
                loss.part_gradient(&input(&tiles[0]), &plan, &all, &mut piece).unwrap();
                let want = gradient.slice(ndarray::s![.., .., ..cut]);
                prop_assert!(piece.iter().zip(&want).all(|(g, w)| (g - w).abs() <= 1e-13 * largest), "{spec:?}");
            }
        }
    }

    #[test]
    fn the_order_of_pixels_does_not_matter(batch in batches()) {
        let turned = Batch {
            logits: batch.logits.slice(ndarray::s![.., .., ..;-1]).as_standard_layout().to_owned(),
            labels: batch.labels.slice(ndarray::s![.., ..;-1]).as_standard_layout().to_owned(),
        };
        for spec in samples::all() {
            let (value, gradient) = run(&spec, &input(&batch), batch.logits.len());
            let (other, turned_gradient) = run(&spec, &input(&turned), batch.logits.len());
            prop_assert!(near(value.value, other.value, 1.0), "{spec:?}");
            let back = Array3::from_shape_vec(batch.logits.dim(), turned_gradient).unwrap();
            let back = back.slice(ndarray::s![.., .., ..;-1]);
            let largest = gradient.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
            prop_assert!(back.iter().zip(&gradient).all(|(a, b)| (a - b).abs() <= 1e-13 * largest), "{spec:?}");
        }
    }

    #[test]
    fn the_names_of_classes_do_not_matter(batch in batches()) {
        let classes = batch.logits.dim().1;
        let turn = |c: usize| (c + 1) % classes;
        let mut turned = batch.clone();
        for c in 0..classes {
            turned.logits.index_axis_mut(Axis(1), turn(c)).assign(&batch.logits.index_axis(Axis(1), c));
        }
        turned.labels.mapv_inplace(|l| if i64::from(l) == IGNORED { l } else { turn(usize::from(l)) as u8 });
        // Recall takes the first of the largest, by name; drawn logits do not tie.
        for spec in samples::all() {
            let mut renamed = spec.clone();
            // The background of a foreground keeps its name.
            if spec.classes() == Classes::Foreground {
                continue;
            }
            if let Options::UnifiedFocal(options) = &mut renamed.options {
                options.background = turn(options.background);
            }
            // Inside a combined loss the background keeps its name.
            if spec.kind() == Kind::Combined && spec.terms().iter().any(|term| term.loss.kind() == Kind::UnifiedFocal) {
                continue;
            }
            let (value, gradient) = run(&spec, &input(&batch), batch.logits.len());
            let (other, turned_gradient) = run(&renamed, &input(&turned), batch.logits.len());
            prop_assert!(near(value.value, other.value, 1.0), "{spec:?}");
            let gradient = Array3::from_shape_vec(batch.logits.dim(), gradient).unwrap();
            let there = Array3::from_shape_vec(batch.logits.dim(), turned_gradient).unwrap();
            let largest = gradient.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
            for c in 0..classes {
                let (a, b) = (gradient.index_axis(Axis(1), c), there.index_axis(Axis(1), turn(c)));
                prop_assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-13 * largest), "{spec:?}");
            }
        }
    }

    #[test]
    fn a_softmax_sees_only_differences(batch in batches()) {
        // On a coarse grid, so that adding the constant rounds nothing.
        let mut batch = batch;
        batch.logits.mapv_inplace(|z| (z * 256.0).round() / 256.0);
        let moved = Batch { logits: batch.logits.mapv(|z| z + 512.0), labels: batch.labels.clone() };
        let untouched = |spec: &LossSpec| !has_sigmoid(spec) && spec.threshold.is_none();
        for spec in samples::all().into_iter().filter(untouched) {
            let here = run(&spec, &input(&batch), batch.logits.len());
            prop_assert_eq!(here, run(&spec, &input(&moved), batch.logits.len()));
        }
    }

    #[test]
    fn a_pixel_of_weight_k_is_k_pixels(batch in batches(), k in 1..4_usize) {
        // Frequencies are counted without the map, a sort by places counts pixels, and a boundary has places
        // of its own: what is left is every other kind, with weights and priors that do not follow the labels.
        let (images, classes, pixels) = batch.logits.dim();
        let independent = |spec: &LossSpec| {
            spec.weights.source == Source::None
                && spec.threshold.is_none()
                && !matches!(spec.kind(), Kind::TopKCrossEntropy | Kind::Boundary | Kind::Combined)
                && !matches!(spec.kind(), Kind::DocumentBinary | Kind::DocumentCategorical)
        };
        let mut map = Array2::<f64>::ones((images, pixels));
        map.column_mut(0).fill(k as f64);
        let copies = |p: usize| if p == 0 { k } else { 1 };
        let order: Vec<usize> = (0..pixels).flat_map(|p| vec![p; copies(p)]).collect();
        let repeated = Batch {
            logits: batch.logits.select(Axis(2), &order).as_standard_layout().to_owned(),
            labels: batch.labels.select(Axis(1), &order).as_standard_layout().to_owned(),
        };
        for mut spec in samples::all().into_iter().filter(independent) {
            if matches!(spec.kind(), Kind::Seesaw | Kind::Ldam) {
                let values = (1..=classes).map(|c| 1.0 / (1.0 + c as f64)).collect();
                spec.prior = Some(PriorSpec { source: Source::Fixed, values });
            }
            if spec.kind() == Kind::DocumentSigmoid {
                spec.reduction = Some(Reduction::Mean);
            }
            let mapped = input(&batch).with_weight_map(map.view()).unwrap();
            let (value, gradient) = run(&spec, &mapped, batch.logits.len());
            let (other, repeated_gradient) = run(&spec, &input(&repeated), repeated.logits.len());
            prop_assert!(near(value.value, other.value, 0.0), "{spec:?}: {} {}", value.value, other.value);
            let there = Array3::from_shape_vec(repeated.logits.dim(), repeated_gradient).unwrap();
            let mut back = Array3::<f64>::zeros(batch.logits.dim());
            for (at, &p) in order.iter().enumerate() {
                let mut sum = back.index_axis_mut(Axis(2), p);
                sum += &there.index_axis(Axis(2), at);
            }
            let largest = gradient.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
            prop_assert!(back.iter().zip(&gradient).all(|(a, b)| (a - b).abs() <= 1e-13 * largest), "{spec:?}");
        }
    }

    #[test]
    fn the_scale_of_weights_follows_the_reduction(batch in batches(), scale in 0.25..4.0_f64) {
        let classes = batch.logits.dim().1;
        for spec in samples::all() {
            let fixed = |factor: f64, reduction| {
                let pairs = spec.kind().is_additive() && has_sigmoid(&spec);
                let columns = if pairs { 2 * classes } else { classes };
                let values = (0..columns).map(|c| factor * (1.0 + c as f64)).collect();
                let weights = WeightSpec { source: Source::Fixed, values, ..WeightSpec::default() };
                Loss::new(LossSpec { weights, reduction, ..spec.clone() })
            };
            // Each image's weights are scaled to 1 anyway.
            if spec.options.get("average") == Some(Average::Images.into()) {
                continue;
            }
            // By its own weights a mean knows no scale; divided by anything else it is proportional.
            for (reduction, power) in [(Some(Reduction::Mean), 0), (Some(Reduction::MeanImages), 1)] {
                let (Ok(one), Ok(other)) = (fixed(1.0, reduction), fixed(scale, reduction)) else { continue };
                let (one, gradient) = run(one.spec(), &input(&batch), batch.logits.len());
                let (other, scaled) = run(other.spec(), &input(&batch), batch.logits.len());
                // Generalised Dice is a ratio of weighted sums: with s = 0 no scale is left in it.
                let power = match &spec.options {
                    Options::GeneralizedDice(options) if options.smooth > 0.0 => continue,
                    Options::GeneralizedDice(_) => 0,
                    _ => power,
                };
                let factor = scale.powi(power);
                prop_assert!(near(other.value, factor * one.value, 1.0), "{spec:?}");
                let largest = gradient.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
                let agree = |(a, b): (&f64, &f64)| (a - factor * b).abs() <= 1e-13 * largest * factor.max(1.0);
                prop_assert!(scaled.iter().zip(&gradient).all(agree), "{spec:?}");
            }
        }
    }

    #[test]
    fn a_class_that_fades_is_a_class_that_is_gone(batch in batches()) {
        // Soft targets whose last class has hardly any mass, against none. Weights that follow the labels do
        // not fade: an inverse frequency grows as the class shrinks, and so do generalised Dice's own.
        let classes = batch.logits.dim().1;
        let continuous = |spec: &LossSpec| {
            spec.weights.source == Source::None
                && spec.threshold.is_none()
                && spec.options.get("classes") == spec.kind().options().get("classes")
                && !matches!(spec.kind(), Kind::GeneralizedDice | Kind::Ldam | Kind::Combined)
        };
        let sorted = |kind: Kind| {
            matches!(kind, Kind::LovaszSoftmax | Kind::LovaszHinge | Kind::TopKCrossEntropy | Kind::Boundary)
        };
        let mask = batch.labels.mapv(|label| i64::from(label) != IGNORED);
        // What was of the last class is of the first.
        let fade = |left: f64| {
            let mut y = one_hot(&batch);
            for ((n, p), _) in mask.indexed_iter().filter(|(_, valid)| **valid) {
                let (last, first) = (y[[n, classes - 1, p]], y[[n, 0, p]]);
                (y[[n, classes - 1, p]], y[[n, 0, p]]) = (left * (last + first), (1.0 - left) * (last + first));
            }
            y
        };
        let (gone, faded) = (fade(0.0), fade(1e-12));
        for spec in samples::all().into_iter().filter(continuous) {
            let value = |y: &Array3<f64>| {
                let input = Input::new(batch.logits.view(), Target::distribution(y.view())).unwrap();
                let input = input.with_mask(mask.view()).unwrap();
                Loss::new(spec.clone()).unwrap().value(&input).map(|result| result.value)
            };
            // Kinds that need one whole class a pixel refuse.
            let (gone, faded) = match (value(&gone), value(&faded)) {
                (Ok(gone), Ok(faded)) => (gone, faded),
                (Ok(_), Err(error)) if sorted(spec.kind()) => {
                    let is_soft = matches!(error.problem, segloss::Problem::SoftTarget { .. });
                    prop_assert!(is_soft, "{:?}: {error}", spec);
                    continue;
                }
                (_, error) => panic!("{spec:?}: {error:?}"),
            };
            prop_assert!((gone - faded).abs() <= 1e-6, "{spec:?}: {gone} {faded}");
        }
    }

    #[test]
    fn one_pixel_repeated_is_one_pixel_weighted(weight in 1..5_usize, logits in prop::collection::vec(-1.0..1.0_f64, 6)) {
        // Two pixels of three classes; the second one k times ≡ its class weighted by k.
        let spec = |text: &str| LossSpec::from_toml(text).unwrap();
        let labels = [0_u8, 2];
        let weighted = spec(&format!("layout = 'channels_last'\n[weights]\nsource = 'fixed'\nvalues = [1, 1, {weight}]"));
        let weighted = Loss::new(weighted).unwrap()
            .value(&Input::from_slices(&logits, &[1, 2, 3], &labels).unwrap()).unwrap();
        let mut repeated = logits.clone();
        (1..weight).for_each(|_| repeated.extend_from_slice(&logits[3..]));
        let mut many = vec![0_u8];
        many.extend(vec![2; weight]);
        let repeated = Loss::new(spec("layout = 'channels_last'")).unwrap()
            .value(&Input::from_slices(&repeated, &[1, weight + 1, 3], &many).unwrap()).unwrap();
        prop_assert!(near(weighted.value, repeated.value, 0.0));
    }

    #[test]
    fn the_document_s_scalar_weight_is_one_over_c(batch in batches()) {
        for source in ["per_batch", "per_sample"] {
            let text = format!("kind = 'document_categorical'\nignore_index = 255\n[weights]\nsource = '{source}'");
            let loss = Loss::new(LossSpec::from_toml(&text).unwrap()).unwrap();
            let result = loss.value(&input(&batch)).unwrap();
            let share = 1.0 / batch.logits.dim().1 as f64;
            for (row, labels) in result.effective_weights.rows().into_iter().zip(batch.labels.rows()) {
                let scope: Vec<u8> = match source {
                    "per_batch" => batch.labels.iter().copied().collect(),
                    _ => labels.to_vec(),
                };
                let expected = if scope.iter().all(|&l| i64::from(l) == IGNORED) { 0.0 } else { share };
                prop_assert!(row.iter().all(|&w| w == expected));
            }
        }
    }
}

/// Central differences, on every sample, of a batch away from any kink. What a definition holds constant by
/// choice and not because it is flat, seesaw's compensation, is switched off.
#[test]
fn gradients_are_derivatives() {
    let logits =
        ArrayD::from_shape_fn(IxDyn(&[2, 3, 5]), |at| ((at[0] * 15 + at[1] * 5 + at[2]) as f64 * 0.73).sin());
    let labels = ndarray::array![[0_u8, 1, 2, 2, 255], [1, 1, 255, 0, 1]];
    for mut spec in samples::all() {
        if let Options::Seesaw(options) = &mut spec.options {
            options.compensation = 0.0;
        }
        let loss = Loss::new(spec.clone()).unwrap();
        let mut gradient = vec![f64::NAN; logits.len()];
        let target = || Target::indices(labels.view());
        loss.value_and_gradient(&Input::new(logits.view(), target()).unwrap(), &mut gradient).unwrap();
        let largest = gradient.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
        assert!(largest > 0.0);
        for (at, &g) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut logits = logits.clone();
                logits.as_slice_mut().unwrap()[at] += by;
                loss.value(&Input::new(logits.view(), target()).unwrap()).unwrap().value
            };
            // Fourth order: error h⁴ and ε/h meet near h = 1e-3; sorted errors must not change places.
            let h = 3e-4;
            let numeric = (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h))) / (12.0 * h);
            assert!((numeric - g).abs() <= 1e-9 * largest, "{spec:?} at {at}: {numeric} against {g}");
        }
    }
}

/// The map has one entry a pixel, or one per logit for the binary kinds; ignored pixels hold 0, and its
/// sum is the numerator.
#[test]
fn the_map_holds_every_pixel_s_loss() {
    let first = Array3::from_shape_fn((2, 3, 4), |(n, c, p)| ((n * 12 + c * 4 + p) as f64 * 0.61).cos());
    let last = first.view().permuted_axes([0, 2, 1]).as_standard_layout().to_owned();
    let labels = ndarray::array![[0_u8, 255, 1, 2], [1, 1, 255, 0]];
    for (layout, logits) in [(Layout::ChannelsFirst, &first), (Layout::ChannelsLast, &last)] {
        for spec in samples::all().into_iter().filter(|spec| spec.kind().is_additive()) {
            let loss = Loss::new(LossSpec { layout, ..spec }).unwrap();
            let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
            let (result, map) = loss.map(&input).unwrap();
            assert!(near(map.sum(), result.sums.numerator, 0.0));
            let per_pixel = map.shape() == [2, 4];
            assert!(per_pixel || map.shape() == logits.shape());
            for (n, p) in [(0, 1), (1, 2)] {
                let ignored: Vec<f64> = match (per_pixel, layout) {
                    (true, _) => vec![map[[n, p]]],
                    (false, Layout::ChannelsFirst) => (0..3).map(|c| map[[n, c, p]]).collect(),
                    (false, Layout::ChannelsLast) => (0..3).map(|c| map[[n, p, c]]).collect(),
                };
                assert!(ignored.iter().all(|&l| l == 0.0));
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let (n, c, p) = (3, 5, 5000);
    let logits = Array3::from_shape_fn((n, c, p), |(i, j, k)| ((i * 31 + j * 17 + k) as f32 * 0.37).sin());
    let labels = Array2::from_shape_fn((n, p), |(i, k)| ((i + k * k) % c) as u8);
    for spec in samples::all() {
        let loss = Loss::new(spec).unwrap();
        let results = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
                let mut gradient = vec![f32::NAN; logits.len()];
                let evaluation = loss.value_and_gradient(&input, &mut gradient).unwrap();
                // As text, which is exact and lets S1's NaN equal itself.
                (format!("{evaluation:?}"), gradient.into_iter().map(f32::to_bits).collect::<Vec<_>>())
            })
        });
        assert!(results.iter().all(|other| *other == results[0]));
    }
}

#[test]
fn nothing_valid_is_zero_and_says_so() {
    let logits = Array3::from_elem((2, 3, 4), f64::NAN);
    let labels = Array2::from_elem((2, 4), IGNORED as u8);
    for spec in samples::all() {
        let loss = Loss::new(spec).unwrap();
        let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
        let mut gradient = vec![f64::NAN; logits.len()];
        let result = loss.value_and_gradient(&input, &mut gradient).unwrap();
        assert_eq!(result.value, 0.0);
        assert!(gradient.iter().all(|&g| g == 0.0));
        assert!(result.warnings.contains(&Warning::AllIgnored));
    }
}

/// Where every exponential overflows or vanishes, nothing does.
#[test]
fn extreme_logits_stay_finite() {
    let logits = ArrayD::from_shape_fn(IxDyn(&[2, 3, 4]), |at| {
        [1e4_f32, -1e4, 0.0, 88.0, -104.0, 1e4, 17.0][(at[0] * 12 + at[1] * 4 + at[2]) % 7]
    });
    let labels = ndarray::array![[0_u8, 1, 2, 2], [1, 1, 255, 0]];
    // S1 is not finite there, and says so.
    for spec in samples::all().into_iter().filter(|spec| spec.kind() != Kind::DocumentBinary) {
        let mut gradient = vec![f32::NAN; logits.len()];
        let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
        let result = Loss::new(spec.clone()).unwrap().value_and_gradient(&input, &mut gradient).unwrap();
        assert!(result.value.is_finite() && gradient.iter().all(|g| g.is_finite()), "{spec:?}");
    }
}

/// A pixel that is wrong with p = 1 to the last bit of f32 is still pulled back, but by the kinds that depend
/// on p alone: their slope p·(1 − p) is zero there by the definition, and their pages say so.
#[test]
fn a_confident_mistake_has_a_gradient() {
    let logits = [-40.0_f32, 40.0, 30.0, -30.0, 20.0, -20.0, 25.0, -25.0];
    for spec in samples::all() {
        // S1 is NaN or flat there; S2 knows no negatives, but this pixel is a missed positive.
        let by_definition = !matches!(spec.kind().reach(), segloss::Reach::Always(_));
        let spec = LossSpec { layout: Layout::ChannelsLast, ..spec };
        let mut gradient = [f32::NAN; 8];
        // Pixel 0 is confidently wrong, the others right.
        let input = Input::from_slices(&logits, &[1, 4, 2], &[0_u8, 0, 0, 0]).unwrap();
        Loss::new(spec.clone()).unwrap().value_and_gradient(&input, &mut gradient).unwrap();
        let pulled = gradient[0] < 0.0;
        // With one class alone in the image `complement` weighs it 0, by its formula.
        let weightless = spec.weights.scheme == segloss::Scheme::Complement;
        assert!(pulled || by_definition || weightless, "{spec:?}: {gradient:?}");
    }
}

#[test]
fn extreme_logits_are_exact() {
    for kind in [
        Kind::CrossEntropy,
        Kind::DocumentCategorical,
        Kind::BinaryCrossEntropy,
        Kind::DocumentSigmoid,
        Kind::Focal,
    ] {
        let spec = LossSpec { layout: Layout::ChannelsLast, ..LossSpec::new(kind) };
        let logits = [1e4_f32, -1e4, -1e4, 1e4];
        let loss = Loss::new(spec).unwrap();
        let mut gradient = [f32::NAN; 4];
        // Pixel 0 is right, pixel 1 confidently wrong.
        let input = Input::from_slices(&logits, &[1, 2, 2], &[0_u8, 0]).unwrap();
        let result = loss.value_and_gradient(&input, &mut gradient).unwrap();
        let wrong = match kind {
            Kind::CrossEntropy | Kind::Focal => 2e4 / 2.0,
            Kind::DocumentCategorical => 2e4 / 2.0 / 2.0,
            Kind::BinaryCrossEntropy => (1e4 + 1e4) / 4.0,
            _ => 1e4 / 4.0,
        };
        assert_eq!(result.value, wrong, "{kind:?}");
        assert!(gradient[2] < 0.0 && gradient[0] == 0.0, "{kind:?}: {gradient:?}");
    }
}

/// A running average of one batch is that batch; of more it remembers.
#[test]
fn the_running_average_is_observed_not_guessed() {
    let ema = "[weights]\nsource = 'ema'\ndecay = 0.5";
    let mut loss = Loss::new(LossSpec::from_toml(ema).unwrap()).unwrap();
    let per_batch = Loss::new(LossSpec::from_toml("[weights]\nsource = 'per_batch'").unwrap()).unwrap();
    let logits = [0.5_f64, -0.5, 1.0, 0.0];
    let (even, odd) = ([0_u8, 1], [0_u8, 0]);
    let even = Input::from_slices(&logits, &[2, 2], &even).unwrap();
    let odd = Input::from_slices(&logits, &[2, 2], &odd).unwrap();
    assert!(loss.needs_running_counts() && !per_batch.needs_running_counts());
    assert_eq!(loss.value(&odd).unwrap(), per_batch.value(&odd).unwrap());
    loss.update_running_counts(&loss.label_counts(&even).unwrap().counts()).unwrap();
    loss.update_running_counts(&loss.label_counts(&odd).unwrap().counts()).unwrap();
    // f = (0.75, 0.25).
    assert_eq!(loss.value(&odd).unwrap().effective_weights, ndarray::array![[1.0 / 1.5, 2.0]]);
    let mut restored = Loss::new(loss.spec().clone()).unwrap();
    restored.restore_running_counts(&loss.running_counts()).unwrap();
    let error = restored
        .restore_running_counts(&[loss.running_counts(), loss.running_counts()].concat())
        .unwrap_err();
    assert_eq!(error.problem, segloss::Problem::RunningCounts { expected: 1, found: 2 });
    assert_eq!(restored, loss);
}

#[test]
fn a_shift_of_all_classes_alike_is_none() {
    let logits = [0.5_f64, -0.5, 1.0, 0.0, 0.25, -2.0];
    let labels = [0_u8, 1, 1];
    let input = Input::from_slices(&logits, &[3, 2], &labels).unwrap();
    let value = |threshold| {
        Loss::new(LossSpec { threshold, ..LossSpec::default() }).unwrap().value(&input).unwrap().value
    };
    assert!(near(value(Some(Threshold::LogitShift(vec![0.3; 2]))), value(None), 0.0));
}

/// A specification written out, defaults and all, is the same one.
#[test]
fn specifications_survive_their_files() {
    for spec in samples::all() {
        assert_eq!(LossSpec::from_toml(&spec.to_toml()).unwrap(), spec, "{}", spec.to_toml());
        assert_eq!(LossSpec::from_json(&spec.to_json()).unwrap(), spec);
    }
}
