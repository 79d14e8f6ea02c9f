//! Every number of pixels: what is computed in blocks and tiles has edges, and a mistake there is one of a few sizes.

use ndarray::ArrayView2;
use segloss::{Element, Input, InstructionSet, Kind, Layout, Loss, LossSpec, Threshold};
use segloss_cases::{IGNORED, samples};

/// A logit of class `c` of a pixel, and its label: any numbers will do.
fn drawn_logit(pixel: usize, c: usize) -> f32 {
    ((pixel * 7 + c * 13) % 31) as f32 / 40.0 - 0.4
}

fn drawn_label(pixel: usize, classes: usize) -> u8 {
    if pixel % 11 == 5 { IGNORED as u8 } else { (pixel * pixel / 3 % classes.max(2)) as u8 }
}

/// The value, and the gradient class by class, of two images; `None` where the kind is not for so many classes. Whatever
/// stood in the gradient's buffer, all of it is written.
fn run_sized(spec: &LossSpec, layout: Layout, pixels: usize, classes: usize) -> Option<(u64, Vec<u32>)> {
    let loss = Loss::new(LossSpec { layout, ..spec.clone() }).unwrap();
    let at = |image: usize, pixel: usize, c: usize| match layout {
        Layout::ChannelsFirst => (image * classes + c) * pixels + pixel,
        Layout::ChannelsLast => (image * pixels + pixel) * classes + c,
    };
    let places: Vec<(usize, usize, usize)> = (0..2)
        .flat_map(|image| (0..classes).flat_map(move |c| (0..pixels).map(move |pixel| (image, pixel, c))))
        .collect();
    let mut logits = vec![f32::NAN; places.len()];
    for &(image, pixel, c) in &places {
        logits[at(image, pixel, c)] = drawn_logit(image * pixels + pixel, c);
    }
    let labels: Vec<u8> = (0..2 * pixels).map(|pixel| drawn_label(pixel, classes)).collect();
    let shape = match layout {
        Layout::ChannelsFirst => [2, classes, pixels],
        Layout::ChannelsLast => [2, pixels, classes],
    };
    let mut gradient = vec![f32::NAN; logits.len()];
    let input = Input::from_slices(&logits, &shape, &labels).ok()?;
    let result = loss.value_and_gradient(&input, &mut gradient).ok()?;
    let by_class =
        places.iter().map(|&(image, pixel, c)| gradient[at(image, pixel, c)]).collect::<Vec<f32>>();
    assert!(
        by_class.iter().all(|g| g.is_finite()),
        "{:?}, {layout:?}, {pixels} pixels, {classes} classes",
        spec.kind()
    );
    Some((result.value.to_bits(), by_class.into_iter().map(f32::to_bits).collect()))
}

#[test]
fn the_layouts_agree_to_the_bit_for_every_number_of_pixels() {
    let mut compared = 0;
    for spec in samples::all() {
        for classes in 1..=5 {
            for pixels in (1..=9).chain(60..=68).chain(124..=132) {
                let first = run_sized(&spec, Layout::ChannelsFirst, pixels, classes);
                let last = run_sized(&spec, Layout::ChannelsLast, pixels, classes);
                assert!(first == last, "{:?}: {pixels} pixels, {classes} classes", spec.kind());
                compared += usize::from(first.is_some());
            }
        }
    }
    // Most kinds are for any number of classes but one.
    assert!(compared > 4000, "{compared} comparisons");
}

/// The value, and the gradient, of one image computed with some instructions, its pixels weighed by a map; `None` where the
/// kind is not for so many classes.
fn run_with<T: Element>(
    spec: &LossSpec,
    instructions: InstructionSet,
    layout: Layout,
    [pixels, classes]: [usize; 2],
) -> Option<(u64, Vec<u64>)> {
    let loss = Loss::new(LossSpec { layout, ..spec.clone() }).unwrap().with_instructions(instructions);
    let number = |pixel: usize, c: usize| match layout {
        Layout::ChannelsFirst => c * pixels + pixel,
        Layout::ChannelsLast => pixel * classes + c,
    };
    let labels: Vec<u8> = (0..pixels).map(|pixel| drawn_label(pixel, classes)).collect();
    let mut logits = vec![T::nan(); pixels * classes];
    let mut map = vec![T::nan(); pixels];
    for (pixel, _) in labels.iter().enumerate().filter(|(_, label)| i64::from(**label) != IGNORED) {
        map[pixel] = T::of((pixel % 5) as f64 / 2.0);
        (0..classes).for_each(|c| logits[number(pixel, c)] = T::of(f64::from(drawn_logit(pixel, c))));
    }
    let shape = match layout {
        Layout::ChannelsFirst => [1, classes, pixels],
        Layout::ChannelsLast => [1, pixels, classes],
    };
    let mut gradient = vec![T::nan(); logits.len()];
    let input = Input::from_slices(&logits, &shape, &labels).ok()?;
    let map = ArrayView2::from_shape((1, pixels), &map).unwrap();
    let input = if pixels % 2 == 0 { input } else { input.with_weight_map(map).unwrap() };
    let result = loss.value_and_gradient(&input, &mut gradient).ok()?;
    Some((result.value.to_bits(), gradient.into_iter().map(|g| g.wide().to_bits()).collect()))
}

/// Both round a product and a sum once, and no sum depends on how many numbers a register holds.
#[test]
fn avx2_and_avx512_agree_to_the_bit() {
    if !InstructionSet::Avx512.is_available() || !InstructionSet::Avx2.is_available() {
        return;
    }
    let mut compared = 0;
    for spec in samples::all() {
        for classes in 1..=5 {
            // About a register, a block and a run; and some tiles.
            for pixels in [1, 16, 17, 63, 64, 511, 512, 513, 1100, 1101, 17_001] {
                for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
                    let same = |results: [Option<(u64, Vec<u64>)>; 2]| {
                        let name = spec.kind().name();
                        assert!(
                            results[0] == results[1],
                            "{name}, {layout:?}: {pixels} pixels, {classes} classes"
                        );
                        usize::from(results[0].is_some())
                    };
                    let sets = [InstructionSet::Avx2, InstructionSet::Avx512];
                    compared += same(sets.map(|set| run_with::<f32>(&spec, set, layout, [pixels, classes])));
                    compared += same(sets.map(|set| run_with::<f64>(&spec, set, layout, [pixels, classes])));
                }
            }
        }
    }
    assert!(compared > 4000, "{compared} comparisons");
}

/// A threshold that takes nothing off is a reason to go block by block, where the same arithmetic is written once more.
#[test]
fn few_classes_have_the_same_bits_in_registers_and_in_blocks() {
    let plain = LossSpec { ignore_index: Some(IGNORED), ..LossSpec::default() };
    assert_eq!(plain.kind(), Kind::CrossEntropy);
    for classes in 2..=4 {
        let in_blocks =
            LossSpec { threshold: Some(Threshold::LogitShift(vec![1.0; classes])), ..plain.clone() };
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            for pixels in [1, 16, 17, 63, 64, 511, 512, 513, 1100, 1101, 17_001] {
                for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
                    let sizes = [pixels, classes];
                    let name = format!("{set:?}, {layout:?}: {pixels} pixels, {classes} classes");
                    let [a, b] = [&plain, &in_blocks].map(|spec| run_with::<f32>(spec, set, layout, sizes));
                    assert!(a.is_some() && a == b, "f32, {name}");
                    let [a, b] = [&plain, &in_blocks].map(|spec| run_with::<f64>(spec, set, layout, sizes));
                    assert!(a.is_some() && a == b, "f64, {name}");
                }
            }
        }
    }
}

/// In laws.rs images are smaller than a block: here a pixel comes from another block, and another place of it.
#[test]
fn a_pixel_has_the_gradient_that_it_has_in_another_block() {
    const PIXELS: usize = 200;
    let mut compared = 0;
    for spec in samples::all() {
        for classes in [1, 2, 3, 5] {
            let gradient = |backwards: bool| {
                let pixels: Vec<usize> =
                    (0..PIXELS).map(|at| if backwards { PIXELS - 1 - at } else { at }).collect();
                // No two are the same: tied errors share a slope by their order.
                let logit =
                    |pixel: usize, c: usize| ((pixel * 5 + c + 1) as f64 * std::f64::consts::SQRT_2).fract();
                let logits: Vec<f64> =
                    (0..classes).flat_map(|c| pixels.iter().map(move |&pixel| logit(pixel, c))).collect();
                let labels: Vec<u8> = pixels.iter().map(|&pixel| drawn_label(pixel, classes)).collect();
                let mut gradient = vec![f64::NAN; logits.len()];
                let loss = Loss::new(spec.clone()).unwrap();
                let input = Input::from_slices(&logits, &[1, classes, PIXELS], &labels).ok()?;
                loss.value_and_gradient(&input, &mut gradient).ok()?;
                if backwards {
                    gradient.chunks_mut(PIXELS).for_each(|plane| plane.reverse());
                }
                Some(gradient)
            };
            let Some(here) = gradient(false) else { continue };
            let largest = here.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
            for (at, (here, there)) in here.iter().zip(gradient(true).unwrap()).enumerate() {
                let off = (here - there).abs();
                assert!(
                    off <= 1e-12 * largest,
                    "{:?}, {classes} classes: {here} of number {at}, {there} elsewhere",
                    spec.kind()
                );
            }
            compared += 1;
        }
    }
    // Most kinds are for any number of classes but one.
    assert!(compared > 200, "{compared} comparisons");
}

/// What is large is written another way: its pixels must not notice.
#[test]
fn pixels_of_a_large_image_have_the_gradient_that_they_have_in_a_small_one() {
    const PERIOD: usize = 1000;
    // Over 16 MiB, and no whole number of blocks.
    let large = |classes: usize| (1 << 22) / classes + 77;
    for classes in [1, 2, 4, 9] {
        let kind = if classes == 1 { "binary_cross_entropy" } else { "cross_entropy" };
        let toml = format!("kind = '{kind}'\nreduction = 'sum'\nignore_index = {IGNORED}");
        let spec = LossSpec::from_toml(&toml).unwrap();
        for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
            let loss = Loss::new(LossSpec { layout, ..spec.clone() }).unwrap();
            let number = |pixels: usize, pixel: usize, c: usize| match layout {
                Layout::ChannelsFirst => c * pixels + pixel,
                Layout::ChannelsLast => pixel * classes + c,
            };
            let gradient = |pixels: usize| {
                let mut logits = vec![f32::NAN; pixels * classes];
                for pixel in 0..pixels {
                    for c in 0..classes {
                        logits[number(pixels, pixel, c)] = drawn_logit(pixel % PERIOD, c);
                    }
                }
                let labels: Vec<u8> = (0..pixels).map(|pixel| drawn_label(pixel % PERIOD, classes)).collect();
                let shape = match layout {
                    Layout::ChannelsFirst => [1, classes, pixels],
                    Layout::ChannelsLast => [1, pixels, classes],
                };
                let input = Input::from_slices(&logits, &shape, &labels).unwrap();
                let mut gradient = vec![f32::NAN; logits.len()];
                loss.value_and_gradient(&input, &mut gradient).unwrap();
                gradient
            };
            let (small, pixels) = (gradient(PERIOD), large(classes));
            let gradient = gradient(pixels);
            for pixel in 0..pixels {
                for c in 0..classes {
                    let here = gradient[number(pixels, pixel, c)];
                    let there = small[number(PERIOD, pixel % PERIOD, c)];
                    assert!(
                        here.to_bits() == there.to_bits(),
                        "{layout:?}, {classes} classes: class {c} of pixel {pixel}: {here}, not {there}"
                    );
                }
            }
        }
    }
}
