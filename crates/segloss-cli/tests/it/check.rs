//! `segloss check`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

fn segloss(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_segloss")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A losses' answers that the benchmark keeps.
fn kept(name: &str) -> String {
    format!("{}/../../reports/check/{name}.npz", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_right_loss_is_named() {
    let found = segloss(&["check", &kept("answers/torch_cross_entropy_weight_ignore")]);
    let out = text(&found.stdout);
    assert_eq!(found.status.code(), Some(0), "{out}{}", text(&found.stderr));
    assert!(
        out.starts_with("right: cross_entropy\n") && out.contains("divided by the sum of the weights"),
        "{out}"
    );
    assert!(out.contains("ignore_index = ") && out.contains("source = \"fixed\""), "{out}");
}

#[test]
fn the_source_document_s_functions_are_diagnosed() {
    let found = segloss(&["check", &kept("answers/categorical_sum_over_size")]);
    let out = text(&found.stdout);
    assert_eq!(found.status.code(), Some(1), "{out}");
    assert!(out.contains("the weight is the same for every class") && out.contains("1/3"), "{out}");
    let found = segloss(&["check", &kept("answers/forum_threshold")]);
    let out = text(&found.stdout);
    assert_eq!(found.status.code(), Some(1), "{out}");
    assert!(
        out.contains("NaN") && out.contains("σ(z) > 0.5 + th") && out.contains("document_binary"),
        "{out}"
    );
}

/// README shows what is printed today.
#[test]
fn the_dialogue_of_the_readme_is_what_is_printed() {
    let readme = std::fs::read_to_string(format!("{}/../../README.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let found = segloss(&["check", &kept("answers/categorical_sum_over_size")]);
    let out = text(&found.stdout);
    assert!(readme.contains(&format!("```text\n{}\n```", out.trim_end())), "README differs from:\n{out}");
}

#[test]
fn one_batch_says_as_much_as_it_can() {
    let found = segloss(&["check", &kept("captures/softmax_then_cross_entropy"), "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&json["verdict"], &json["findings"][0]["cause"]), (&"wrong".into(), &"softmax_twice".into()));
}

#[test]
fn what_is_expected_is_compared() {
    let found = segloss(&["check", &kept("answers/torch_cross_entropy"), "--expect", "dice"]);
    assert_eq!(found.status.code(), Some(1));
    assert!(
        text(&found.stdout).contains("it is cross_entropy, and dice was expected"),
        "{}",
        text(&found.stdout)
    );
    let found = segloss(&["check", &kept("answers/torch_cross_entropy"), "--expect", "dise"]);
    assert_eq!(found.status.code(), Some(2));
    assert!(text(&found.stderr).contains("did you mean `dice`?"), "{}", text(&found.stderr));
}

#[test]
fn a_probe_names_the_function_it_asks() {
    let found = segloss(&[
        "check",
        "--emit",
        "torch",
        "losses.mine:my_loss",
        "--classes",
        "5",
        "--ignore-index",
        "255",
    ]);
    let out = text(&found.stdout);
    assert_eq!(found.status.code(), Some(0));
    assert!(
        out.contains("import_module(\"losses.mine\"), \"my_loss\"") && out.contains("IGNORED = 255"),
        "{out}"
    );
    // Every placeholder is filled in.
    for key in [
        "{MODULE}",
        "{FUNCTION}",
        "{FRAMEWORK}",
        "{CLASSES}",
        "{LAYOUT}",
        "{INPUT}",
        "{IGNORED}",
        "{FORMS}",
        "{ORDER}",
        "{IMPORTS}",
    ] {
        assert!(!out.contains(key), "{key}");
    }
    for bad in [&["torch", "my_loss"][..], &["torch", "a:b;c"], &["caffe", "a:b"]] {
        let found = segloss(&["check", "--emit", bad[0], bad[1]]);
        assert_eq!(found.status.code(), Some(2), "{bad:?}");
    }
}

/// An `.npz` of arrays as they are given, each with its header.
fn npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

fn npy(code: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
}

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn logarithms_of_probabilities_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.npz");
    let p = [0.7_f64, 0.2, 0.25, 0.35, 0.05, 0.45]; // (1, 3, 2)
    let double = |array: &[f64]| array.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let z = p.map(f64::ln);
    let arrays = vec![
        ("logits", npy("<f8", "(1, 3, 2)", &double(&z))),
        ("target", npy("|u1", "(1, 2)", &[0, 2])),
        ("value", npy("<f8", "()", &double(&[-(z[0] + z[5]) / 2.0]))),
        ("gradient", npy("<f8", "(1, 3, 2)", &double(&[-0.5, 0.0, 0.0, 0.0, 0.0, -0.5]))),
    ];
    npz(&path, &arrays);
    let found = segloss(&["check", path.to_str().unwrap()]);
    assert!(text(&found.stdout).starts_with("right: cross_entropy"), "{}", text(&found.stdout));
    assert!(text(&found.stderr).contains("logarithms of probabilities"), "{}", text(&found.stderr));
}

#[test]
fn what_cannot_be_judged_is_refused_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.npz");
    let logits = || npy("<f4", "(1, 2, 2)", &floats(&[0.5, -0.5, 1.0, 0.0]));
    let target = || npy("|u1", "(1, 2)", &[0, 1]);
    let value = || npy("<f4", "()", &floats(&[0.7]));
    for (arrays, words) in [
        (vec![("target", target()), ("value", value())], "holds no prediction"),
        (vec![("logits", logits()), ("value", value())], "holds no target; it holds logits, value"),
        (vec![("logits", logits()), ("target", target())], "holds no value or gradient"),
        (
            vec![
                ("logits", logits()),
                ("target", npy("|u1", "(1, 2)", &[0, 7])),
                ("value", value()),
                ("extra", value()),
            ],
            "",
        ),
        (
            vec![("logits", logits()), ("target", npy("|u1", "(1, 2)", &[9, 7])), ("value", value())],
            "the label 9 at element 0",
        ),
        (
            vec![("logits", logits()), ("target", npy("|u1", "(1, 3)", &[0, 1, 1])), ("value", value())],
            "goes with no reading",
        ),
        (
            vec![
                ("logits", logits()),
                ("target", target()),
                ("gradient", npy("<f2", "(1, 2, 2)", &[0, 56, 0, 184, 0, 60, 0, 188])),
            ],
            "the gradient is float16",
        ),
        (
            vec![("logits", logits()), ("target", target()), ("value", npy("<f2", "()", &[0, 56]))],
            "the value is float16",
        ),
        (
            vec![
                ("logits", npy("<f4", "(1, 2, 2)", &floats(&[f32::NAN; 4]))),
                ("target", target()),
                ("value", value()),
            ],
            "holds NaN at element 0",
        ),
        (
            vec![("logits", npy("|O", "(1, 2, 2)", &[0; 32])), ("target", target()), ("value", value())],
            "holds elements of type `|O`",
        ),
        (vec![("logits", npy("<f4", "(1, 1152921504606846976, 2)", &[0; 8])), ("target", target())], ""),
        (
            vec![
                ("logits", logits()),
                ("target", target()),
                ("gradient", npy("<f4", "(2, 2)", &floats(&[0.0; 4]))),
            ],
            "the gradient has the shape [2, 2]",
        ),
        (vec![("a/error", npy("|u1", "(4,)", b"oops"))], "raised an error on every batch; the first: oops"),
    ] {
        npz(&path, &arrays);
        let found = segloss(&["check", path.to_str().unwrap()]);
        let said = text(&found.stderr);
        assert!(said.contains(words) && !said.contains("panicked"), "{words}: {said}");
        assert_eq!(found.status.code(), Some(2), "{words}: {said}");
        let errors = said.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{said}");
    }
    std::fs::write(&path, b"PK\x03\x04 and no more").unwrap();
    assert_eq!(segloss(&["check", path.to_str().unwrap()]).status.code(), Some(2));
    std::fs::write(&path, b"no archive").unwrap();
    assert!(text(&segloss(&["check", path.to_str().unwrap()]).stderr).contains("numpy.savez"));
    assert_eq!(segloss(&["check"]).status.code(), Some(2));
}

/// A small file that unpacks to a gigabyte of zeros.
#[test]
fn a_zip_bomb_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.npz");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    archive.start_file("logits.npy", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(&npy("<f4", "(1, 2, 134217728)", &[])).unwrap();
    let zeros = vec![0_u8; 1 << 20];
    (0..600).for_each(|_| archive.write_all(&zeros).unwrap());
    archive.finish().unwrap();
    let found = segloss(&["check", path.to_str().unwrap()]);
    assert_eq!(found.status.code(), Some(2));
    assert!(text(&found.stderr).contains("take more than 512 MiB"), "{}", text(&found.stderr));
}

/// The page shows the batch that gives the fault away, needs nothing beside it, and is not left half-written.
#[test]
fn the_page_shows_where_the_two_differ() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("check.html");
    let found =
        segloss(&["check", &kept("answers/keras_weighted_clipped"), "--html", page.to_str().unwrap()]);
    assert_eq!(found.status.code(), Some(1), "{}", text(&found.stderr));
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("<h2>Batch by batch</h2>") && html.contains("data:image/png;base64,"), "{html}");
    let saturated = html.lines().find(|line| line.contains(">saturated ")).unwrap_or_default();
    assert!(saturated.contains("another"), "{saturated}");
    assert!(html.contains("<h3>saturated ") && !html.contains("<script") && !html.contains("http"));
    let refused = segloss(&[
        "check",
        &kept("answers/torch_cross_entropy_weight_ignore"),
        "--html",
        folder.path().join("none/check.html").to_str().unwrap(),
    ]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("check.html"), "{}", text(&refused.stderr));
}

/// Half a loss may have class weights, as nnU-Net's.
#[test]
fn a_sum_whose_first_loss_is_weighted_is_named() {
    let found = segloss(&["check", &kept("answers/nnunet_dice_ce_weighted")]);
    let out = text(&found.stdout);
    assert_eq!(found.status.code(), Some(0), "{out}{}", text(&found.stderr));
    assert!(
        out.starts_with("right: cross_entropy + dice")
            && out.contains("weights 1.0000 2.5000 6.2500 12.5000"),
        "{out}"
    );
}

/// With the version that was asked, and what its documentation does not say.
#[test]
fn a_function_of_a_library_is_named() {
    let found = segloss(&["check", &kept("answers/keras_categorical_focal_probabilities")]);
    let out = text(&found.stdout);
    assert!(out.contains("  known as   Keras 3.15.1 CategoricalFocalCrossentropy(): alpha = 0.25 multiplies every class alike"), "{out}");
}

/// What the author says is compared, and what he does not say is not.
#[test]
fn options_that_are_expected_are_compared() {
    let of = |expect: &str| {
        segloss(&["check", &kept("answers/keras_tversky_of_swapped_prices"), "--expect", expect])
    };
    let other = of("kind = 'tversky'\nalpha = 0.3\nbeta = 0.7");
    assert_eq!(other.status.code(), Some(1));
    assert!(text(&other.stdout).contains("alpha is 0.7, and 0.3 was expected"), "{}", text(&other.stdout));
    for same in ["tversky", "kind = 'tversky'\nalpha = 0.7"] {
        assert_eq!(of(same).status.code(), Some(0), "{same}: {}", text(&of(same).stdout));
    }
}

/// Sums by their terms, weights by their ratios.
#[test]
fn sums_and_weights_that_are_expected_are_compared() {
    let of = |case: &str, expect: &str| {
        segloss(&["check", &kept(&format!("answers/{case}")), "--expect", expect]).status.code()
    };
    for (case, expect, code) in [
        ("torch_cross_entropy", "cross_entropy + dice", 1),
        ("monai_dice_ce", "cross_entropy + dice", 0),
        ("monai_dice_ce", "dice", 1),
        ("monai_dice_ce", "cross_entropy + jaccard", 1),
        ("torch_cross_entropy", "kind = 'combined'", 2),
        (
            "torch_cross_entropy_weight",
            "kind = 'cross_entropy'\nweights = { source = 'fixed', values = [9.0, 1.0, 3.0] }",
            1,
        ),
        // What a data set holds, no batch says.
        ("torch_cross_entropy_weight", "kind = 'cross_entropy'\nweights = { source = 'dataset' }", 0),
    ] {
        assert_eq!(of(case, expect), Some(code), "{case} {expect}");
    }
}

/// Of one small batch many sums with numbers of one's choice come near the gradient. One whose value is another is no answer.
#[test]
fn a_right_loss_without_a_name_is_not_called_wrong() {
    let found = segloss(&["check", &kept("captures/smp_focal_tversky_binary")]);
    assert_eq!(found.status.code(), Some(2), "{}", text(&found.stdout));
}

/// One term of a sum misreads the arguments; numbers that one batch does not determine; sums of bare logits; ln(p + ε).
#[test]
fn what_was_held_out_once_is_found() {
    for (case, code, words) in [
        ("tf_cross_entropy_and_dice_of_softmax_output", 1, "the activation is applied twice"),
        ("cross_entropy_of_filled_target", 1, "ignored pixels are trained as a class"),
        ("dice_of_logits", 1, "without an activation"),
        ("jax_log_of_p_and_epsilon", 1, "cross_entropy of ln(p + 1e-7)"),
        ("dice_of_softmax_over_positions", 1, "a softmax over all pixels of a channel"),
        (
            "smp_focal_tversky_binary",
            0,
            "right: focal_tversky (activation sigmoid, alpha 0.4, beta 0.6, gamma 0.66",
        ),
        ("hard_pixels_of_each_image", 0, "right: top_k_cross_entropy (keep 0.4, region image)"),
        ("hard_pixels_of_log_sigmoid", 1, "of σ(z) of the right class alone"),
        ("boundary_of_scores", 1, "without an activation"),
        ("bce_of_sigmoid", 1, "their probability is clipped"),
        ("logarithm_with_epsilon_and_dice", 1, "ln(p + 1e-8)"),
        ("tversky_of_shifted_one_hot", 1, "labels that are one higher"),
        ("keras_mean_divided_by_area", 1, "divided by the number of pixels of an image"),
        ("bce_of_threshold_two_tenths", 0, "right: binary_cross_entropy (logit_shift)"),
        ("generalized_dice_and_boundary", 0, "right: generalized_dice + boundary"),
        ("monai_dice_ce_weight", 0, "right: cross_entropy + dice (region image)"),
        ("bce_dice_lovasz", 0, "dice (activation sigmoid, smooth 0.001) + lovasz_hinge"),
        ("jax_poly1_of_valid", 0, "right: poly1_cross_entropy (epsilon 3)"),
        ("numpy_focal_channels_last", 0, "right: focal (gamma 1)"),
        ("logarithm_of_the_target", 1, "16.118096, which is −ln 1e-7"),
        ("bce_of_swapped_arguments", 1, "−ln 0 as PyTorch bounds it"),
        ("optax_of_channels_first", 1, "cross_entropy of a softmax along the second spatial axis"),
        ("bce_of_masks_without_an_axis", 1, "targets averaged over the images"),
        ("focal_of_p_squared", 1, "−p^2·ln p of the right class"),
        ("cross_entropy_and_score_of_images", 1, "those of dice times -1"),
        ("root_of_cross_entropy", 1, "a power below 1, has an infinite slope"),
        ("keras_bce_map_and_dice", 0, "added to the loss of each pixel"),
        ("tversky_of_false_positives", 0, "a class that is missed costs nothing"),
        ("log_dice_of_each_image", 0, "smooth 1e-5, region image"),
    ] {
        let found = segloss(&["check", &kept(&format!("answers/{case}"))]);
        let out = text(&found.stdout);
        assert_eq!(found.status.code(), Some(code), "{case}: {out}");
        assert!(out.contains(words), "{case}: {out}");
    }
}

/// What was expected is judged even where a number of each batch hides what the loss is.
#[test]
fn a_number_of_each_batch_is_no_loss_of_pixels() {
    for (case, expected, words) in [
        ("focal_of_mean_cross_entropy", "focal", "every batch has the gradient of cross_entropy"),
        (
            "jax_effective_number_of_all_pixels",
            "kind = 'cross_entropy'\nweights = { source = 'per_batch' }",
            "all pixels of a batch have the same factor",
        ),
        ("monai_dice_ce_weight", "cross_entropy + dice", "right: "),
    ] {
        let found = segloss(&["check", &kept(&format!("answers/{case}")), "--expect", expected]);
        assert!(text(&found.stdout).contains(words), "{case}: {}", text(&found.stdout));
    }
    let factors = |text: &str| segloss(&["check", &kept("answers/bce_dice"), "--expect", text]).status.code();
    assert_eq!(factors("binary_cross_entropy + dice"), Some(0));
    assert_eq!(factors("binary_cross_entropy + 3*dice"), Some(1));
}

#[test]
fn one_channel_needs_no_axis() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.npz");
    let (z, y) = ([0.7_f64, -1.2, 0.25, -0.35, 1.5, 0.1], [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]); // (1, 2, 3)
    let double = |array: &[f64]| array.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let value = z.iter().zip(y).map(|(z, y)| z.exp().ln_1p() - y * z).sum::<f64>() / 6.0;
    let gradient: Vec<f64> = z.iter().zip(y).map(|(z, y)| (1.0 / (1.0 + (-z).exp()) - y) / 6.0).collect();
    let arrays = vec![
        ("logits", npy("<f8", "(1, 2, 3)", &double(&z))),
        ("target", npy("<f8", "(1, 2, 3)", &double(&y))),
        ("value", npy("<f8", "()", &double(&[value]))),
        ("gradient", npy("<f8", "(1, 2, 3)", &double(&gradient))),
    ];
    npz(&path, &arrays);
    for options in [&["--layout", "no_channels"][..], &[]] {
        let found = segloss(&[&["check", path.to_str().unwrap()], options].concat());
        let out = text(&found.stdout);
        assert!(
            out.starts_with("right: binary_cross_entropy") && out.contains("of 1 channel and 6 pixels"),
            "{out}"
        );
        let guessed = text(&found.stderr).contains("taken for no_channels");
        assert_eq!(guessed, options.is_empty(), "{}", text(&found.stderr));
    }
    let found = segloss(&["check", path.to_str().unwrap(), "--layout", "no_channels", "--classes", "2"]);
    assert_eq!(found.status.code(), Some(2));
    let script = segloss(&["check", "--emit", "jax", "losses:mine", "--layout", "no_channels"]);
    let script = text(&script.stdout);
    assert!(script.contains("CLASSES = 1 ") && script.contains("LAYOUT = \"no_channels\""), "{script}");
    // What is saved is the order that was asked in, not the usual one.
    assert!(script.contains("about += f\"order = '{ORDER:}'"), "{script}");
}

/// Weights of another number of classes are refused; a class that does not count is said.
#[test]
fn what_goes_with_nothing_is_refused_or_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.npz");
    let save = |weights: &[f32]| {
        let shape = format!("({},)", weights.len());
        let arrays = vec![
            ("logits", npy("<f4", "(1, 3, 2)", &floats(&[0.5, -0.5, 1.0, 0.0, 0.25, 0.75]))),
            ("target", npy("|u1", "(1, 2)", &[0, 1])),
            ("value", npy("<f4", "()", &floats(&[1.2345]))),
            ("class_weights", npy("<f4", &shape, &floats(weights))),
        ];
        npz(&path, &arrays);
    };
    let check = |options: &[&str]| segloss(&[&["check", path.to_str().unwrap()], options].concat());
    save(&[1.0, 2.0]);
    let found = check(&[]);
    assert_eq!(found.status.code(), Some(2));
    assert!(
        text(&found.stderr).contains("expected 3 numbers, one for each channel"),
        "{}",
        text(&found.stderr)
    );
    save(&[1.0, 2.0, f32::NAN]);
    assert!(text(&check(&[]).stderr).contains("class weight 2 is NaN"));
    save(&[1.0, 2.0, 3.0]);
    let found = check(&["--ignore-index", "1"]);
    assert!(text(&found.stderr).contains("--ignore-index 1 is a class of the 3"), "{}", text(&found.stderr));
    let found = segloss(&["check", "--emit", "torch", "losses:mine", "--classes", "5000"]);
    assert_eq!(found.status.code(), Some(2));
}

/// A function that draws random numbers has no value that could be explained.
#[test]
fn two_answers_to_one_question_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.npz");
    let logits = || npy("<f4", "(1, 2, 2)", &floats(&[0.5, -0.5, 1.0, 0.0]));
    let target = || npy("|u1", "(1, 2)", &[0, 1]);
    let value = |x: f32| npy("<f4", "()", &floats(&[x]));
    npz(
        &path,
        &[
            ("base/logits", logits()),
            ("base/target", target()),
            ("base/value", value(0.7)),
            ("again/logits", logits()),
            ("again/target", target()),
            ("again/value", value(0.71)),
        ],
    );
    let found = segloss(&["check", path.to_str().unwrap()]);
    assert_eq!(found.status.code(), Some(2));
    assert!(text(&found.stderr).contains("answers 0.700000 and 0.710000"), "{}", text(&found.stderr));
    npz(&path, &[("logits", logits()), ("z", logits()), ("target", target()), ("value", value(0.7))]);
    let found = segloss(&["check", path.to_str().unwrap()]);
    assert!(text(&found.stderr).contains("holds `logits` and `z`"), "{}", text(&found.stderr));
}

/// Where the arrays go with two layouts, the one in which the loss is right; a scaled gradient is told from another loss.
#[test]
fn what_is_guessed_is_guessed_in_favour_of_the_loss() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.npz");
    let double = |array: &[f64]| array.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    // (1, 3, 3, 3), channels last.
    let z: Vec<f64> = (0..27).map(|i| f64::from(i * i % 23) / 7.0 - 1.5).collect();
    let y: Vec<u8> = (0..9).map(|i| i * i % 7 % 3).collect();
    let (mut value, mut gradient) = (0.0, Vec::new());
    for (pixel, &y) in z.chunks(3).zip(&y) {
        let sum: f64 = pixel.iter().map(|z| z.exp()).sum();
        value -= (pixel[y as usize].exp() / sum).ln() / 9.0;
        let slope = |(c, z): (usize, &f64)| (z.exp() / sum - f64::from(u8::from(c == y as usize))) / 9.0;
        gradient.extend(pixel.iter().enumerate().map(slope));
    }
    let write = |scale: f64| {
        let gradient: Vec<f64> = gradient.iter().map(|g| scale * g).collect();
        let arrays = vec![
            ("logits", npy("<f8", "(1, 3, 3, 3)", &double(&z))),
            ("target", npy("|u1", "(1, 3, 3)", &y)),
            ("value", npy("<f8", "()", &double(&[value]))),
            ("gradient", npy("<f8", "(1, 3, 3, 3)", &double(&gradient))),
        ];
        npz(&path, &arrays);
    };
    write(1.0);
    let found = segloss(&["check", path.to_str().unwrap()]);
    assert!(text(&found.stdout).starts_with("right: cross_entropy"), "{}", text(&found.stdout));
    assert!(text(&found.stderr).contains("the loss is right with channels last"), "{}", text(&found.stderr));
    write(1024.0);
    let found = segloss(&["check", path.to_str().unwrap(), "--layout", "channels_last"]);
    assert!(text(&found.stdout).contains("the gradient is 1024 times its"), "{}", text(&found.stdout));
}
