//! Laws that hold for every kind in the registry, over random and extreme inputs.
#![allow(clippy::unwrap_used)]

use ndarray::{Array3, ArrayD, Axis, IxDyn};
use proptest::prelude::*;
use segloss::{Denominator, Input, Kind, Layout, Loss, LossSpec, Source, Target, Warning, WeightSpec};

const IGNORED: i64 = 255;

/// A batch of random size: logits (N, C, P) and labels (N, P), some of them ignored.
#[derive(Clone, Debug)]
struct Batch {
    logits: Array3<f64>,
    labels: ndarray::Array2<u8>,
}

fn batches() -> impl Strategy<Value = Batch> {
    (1..4_usize, 2..5_usize, 1..7_usize).prop_flat_map(|(n, c, p)| {
        // Within ±1, σ + ½ − th stays inside (0, 1) for every th = 1/C: S1 is defined.
        let logits = prop::collection::vec(-1.0..1.0_f64, n * c * p);
        let labels = prop::collection::vec(prop_oneof![4 => 0..c as u8, 1 => Just(IGNORED as u8)], n * p);
        (logits, labels).prop_map(move |(logits, labels)| Batch {
            logits: Array3::from_shape_vec((n, c, p), logits).unwrap(),
            labels: ndarray::Array2::from_shape_vec((n, p), labels).unwrap(),
        })
    })
}

fn denominators() -> impl Strategy<Value = Denominator> {
    prop::sample::select(vec![
        Denominator::WeightSum,
        Denominator::ValidPixels,
        Denominator::Elements,
        Denominator::Images,
        Denominator::PerPixel,
        Denominator::Constant(7.5),
    ])
}

/// Every kind with every weight source that it takes.
fn specs() -> Vec<LossSpec> {
    let mut specs = Vec::new();
    for kind in Kind::ALL {
        for source in [Source::None, Source::PerBatch, Source::PerSample] {
            let weights = WeightSpec { source, ..WeightSpec::default() };
            let spec = LossSpec { kind, weights, ignore_index: Some(IGNORED), ..LossSpec::default() };
            specs.extend(Loss::new(spec.clone()).is_ok().then_some(spec));
        }
    }
    specs
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_layouts_agree(batch in batches()) {
        let last = batch.logits.clone().permuted_axes([0, 2, 1]).as_standard_layout().to_owned();
        for spec in specs() {
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
        for spec in specs() {
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
        for spec in specs() {
            // `Elements` counts ignored entries by its definition.
            let spec = LossSpec { denominator: Some(Denominator::ValidPixels), ..spec };
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
    fn parts_combine_to_the_whole(batch in batches(), cut in 0..6_usize, denominator in denominators()) {
        let (images, classes, pixels) = batch.logits.dim();
        for spec in specs() {
            let spec = LossSpec { denominator: Some(denominator), ..spec };
            let loss = Loss::new(spec.clone()).unwrap();
            let (whole, gradient) = run(&spec, &input(&batch), batch.logits.len());
            let gradient = Array3::from_shape_vec((images, classes, pixels), gradient).unwrap();

            // Micro-batches: an image each.
            let parts: Vec<Batch> = (0..images).map(|n| Batch {
                logits: batch.logits.slice(ndarray::s![n..=n, .., ..]).to_owned(),
                labels: batch.labels.slice(ndarray::s![n..=n, ..]).to_owned(),
            }).collect();
            let censuses: Vec<_> = parts.iter().map(|part| loss.census(&input(part)).unwrap()).collect();
            let census = censuses[1..].iter().fold(censuses[0].clone(), |all, one| all.join_images(one));
            let plan = loss.plan(&census).unwrap();
            let mut sums: Option<segloss::Part> = None;
            for (n, part) in parts.iter().enumerate() {
                let mut piece = vec![f64::NAN; classes * pixels];
                let part = loss.part(&input(part), &plan.images(n..n + 1), Some(&mut piece)).unwrap();
                prop_assert_eq!(&piece, &gradient.index_axis(Axis(0), n).iter().copied().collect::<Vec<_>>());
                sums = Some(match sums { None => part, Some(sums) => sums.combine(part) });
            }
            let sums = sums.unwrap();

            let joined = loss.finish(&plan, &sums);
            prop_assert!(near(joined.value, whole.value, 0.0), "{} {}", joined.value, whole.value);
            prop_assert_eq!(joined.valid_pixels, whole.valid_pixels);
            prop_assert_eq!(&joined.effective_weights, &whole.effective_weights);

            // A part of a part is a part.
            if images > 1 {
                prop_assert_eq!(plan.images(1..images).images(0..1), plan.images(1..2));
            }

            // Tiles: every image cut in two.
            let cut = cut % pixels;
            if cut > 0 {
                let tile = |range: std::ops::Range<usize>| Batch {
                    logits: batch.logits.slice(ndarray::s![.., .., range.clone()]).to_owned(),
                    labels: batch.labels.slice(ndarray::s![.., range]).to_owned(),
                };
                let (left, right) = (tile(0..cut), tile(cut..pixels));
                let census = loss.census(&input(&left)).unwrap();
                let plan = loss.plan(&census.join_tiles(&loss.census(&input(&right)).unwrap())).unwrap();
                let sums = loss.part(&input(&left), &plan, None).unwrap();
                let sums = sums.combine(loss.part(&input(&right), &plan, None).unwrap());
                prop_assert!(near(loss.finish(&plan, &sums).value, whole.value, 0.0));
            }
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

/// Central differences, on every kind with every weight source, of a batch away from any kink.
#[test]
fn gradients_are_derivatives() {
    let logits =
        ArrayD::from_shape_fn(IxDyn(&[2, 3, 5]), |at| ((at[0] * 15 + at[1] * 5 + at[2]) as f64 * 0.73).sin());
    let labels = ndarray::array![[0_u8, 1, 2, 2, 255], [1, 1, 255, 0, 1]];
    for spec in specs() {
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
            // Fourth order: error h⁴ and ε/h meet near h = 1e-3.
            let h = 1e-3;
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
        for spec in specs() {
            let loss = Loss::new(LossSpec { layout, ..spec }).unwrap();
            let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
            let (result, map) = loss.map(&input).unwrap();
            assert!(near(map.sum(), result.numerator, 0.0));
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
    let labels = ndarray::Array2::from_shape_fn((n, p), |(i, k)| ((i + k * k) % c) as u8);
    for spec in specs() {
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
    let labels = ndarray::Array2::from_elem((2, 4), IGNORED as u8);
    for spec in specs() {
        let loss = Loss::new(spec).unwrap();
        let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
        let mut gradient = vec![f64::NAN; logits.len()];
        let result = loss.value_and_gradient(&input, &mut gradient).unwrap();
        assert_eq!(result.value, 0.0);
        assert!(gradient.iter().all(|&g| g == 0.0));
        assert!(result.warnings.contains(&Warning::AllIgnored));
    }
}

#[test]
fn extreme_logits_are_exact() {
    for kind in
        [Kind::CrossEntropy, Kind::DocumentCategorical, Kind::BinaryCrossEntropy, Kind::DocumentSigmoid]
    {
        let spec = LossSpec { kind, layout: Layout::ChannelsLast, ..LossSpec::default() };
        let logits = [1e4_f32, -1e4, -1e4, 1e4];
        let loss = Loss::new(spec).unwrap();
        let mut gradient = [f32::NAN; 4];
        // Pixel 0 is right, pixel 1 confidently wrong.
        let input = Input::from_slices(&logits, &[1, 2, 2], &[0_u8, 0]).unwrap();
        let result = loss.value_and_gradient(&input, &mut gradient).unwrap();
        let wrong = match kind {
            Kind::CrossEntropy => 2e4 / 2.0,
            Kind::DocumentCategorical => 2e4 / 2.0 / 2.0,
            Kind::BinaryCrossEntropy => (1e4 + 1e4) / 4.0,
            _ => 1e4 / 4.0,
        };
        assert_eq!(result.value, wrong, "{kind:?}");
        assert!(gradient[2] < 0.0 && gradient[0] == 0.0, "{kind:?}: {gradient:?}");
    }
}
