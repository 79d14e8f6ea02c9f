//! The source document's formulas: what they give, and where they break.

use ndarray::array;
use segloss::{Input, Loss, LossSpec, Target, Warning};

fn loss(text: &str) -> Loss {
    Loss::new(LossSpec::from_toml(text).unwrap()).unwrap()
}

#[test]
fn s3_on_the_worked_example() {
    let logits = array![[[[0.5_f32, 0.3, 0.7], [0.6, 0.3, 0.2]], [[0.7, 0.9, 0.6], [0.3, 0.9, 0.3]]]];
    let labels = array![[[1_u8, 0], [0, 1]]];
    let input = Input::new(logits.view(), Target::indices(labels.view())).unwrap();
    let (result, map) = loss("kind = 'document_categorical'\nlayout = 'channels_last'").map(&input).unwrap();
    assert_eq!(result.value as f32, 0.339_386_37);
    let expected = array![[[0.437_300_5_f32, 0.293_366_3], [0.379_943_7, 0.246_935]]].into_dyn();
    for (ours, theirs) in map.iter().zip(&expected) {
        assert!((ours - theirs).abs() <= 2.0 * f32::EPSILON * theirs, "{map} {expected}");
    }
    assert!(result.effective_weights.iter().all(|&w| w as f32 == 0.333_333_34));
    assert!(matches!(result.warnings[..], [Warning::ConstantWeight { classes: 3, .. }]));
}

#[test]
fn s1_breaks_where_a_pixel_saturates_and_says_so() {
    let s1 = |th: f64, z: [f64; 2], y: [u8; 2]| {
        let spec = format!("kind = 'document_binary'\nthreshold = {{ document = {th:?} }}");
        let input = Input::from_slices(&z, &[1, 1, 2], &y).unwrap();
        loss(&spec).map(&input).unwrap()
    };
    // σ(2) + 1/6 > 1: the logarithm of a negative number, and 0·NaN poisons a positive.
    for z in [2.0, 3.0] {
        let (result, map) = s1(1.0 / 3.0, [z, 0.0], [1, 0]);
        assert!(result.value.is_nan() && map[[0, 0, 0]].is_nan() && map[[0, 0, 1]].is_finite());
        let broken = result.sums.non_finite.as_ref().unwrap();
        assert_eq!((broken.count, broken.first.as_slice()), (1, [0, 0].as_slice()));
        assert!(result.warnings.contains(&Warning::NonFinite(broken.clone())));
    }
    // σ(−4) − 0.2 < 0: an infinite loss for the positive; 0·∞ = NaN for a negative.
    let (result, map) = s1(0.7, [0.5, -4.0], [0, 1]);
    assert_eq!((map[[0, 0, 1]], result.value), (f64::INFINITY, f64::INFINITY));
    let (result, map) = s1(0.7, [0.5, -4.0], [1, 0]);
    assert!(map[[0, 0, 1]].is_nan() && result.value.is_nan());
    // Without a shift nothing breaks before σ rounds to 1.
    let (result, _) = s1(0.5, [3.0, -3.0], [1, 0]);
    assert!(result.value.is_finite() && result.sums.non_finite.is_none());
}

#[test]
fn s1_without_its_threshold_is_weighted_cross_entropy() {
    let z = [0.3_f64, -1.2, 0.8, 2.0, -0.4, 0.0];
    let y = [1_u8, 0, 0, 1, 0, 0];
    let input = Input::from_slices(&z, &[2, 1, 3], &y).unwrap();
    for source in ["per_batch", "per_sample"] {
        let s1 = loss(&format!(
            "kind = 'document_binary'\nthreshold = {{ document = 0.5 }}\n[weights]\nsource = '{source}'"
        ));
        let sound = loss(&format!(
            "kind = 'binary_cross_entropy'\nreduction = 'mean_all'\n\
             [weights]\nsource = '{source}'\nscheme = 'complement'"
        ));
        let (mut g1, mut g2) = ([0.0; 6], [0.0; 6]);
        let a = s1.value_and_gradient(&input, &mut g1).unwrap();
        let b = sound.value_and_gradient(&input, &mut g2).unwrap();
        assert!((a.value - b.value).abs() <= 1e-15);
        assert!(g1.iter().zip(&g2).all(|(a, b)| (a - b).abs() <= 1e-15));
        let differences = &a.effective_weights - &b.effective_weights;
        assert!(differences.iter().all(|d| d.abs() <= 1e-15));
    }
}

#[test]
fn a_logit_shift_moves_the_decision_to_the_threshold() {
    // At σ(z) = th the shifted loss sees z' = 0: as undecided as an unshifted one at σ = ½.
    let th = 0.2_f64;
    let z = [(th / (1.0 - th)).ln()];
    let shifted = loss(&format!("kind = 'binary_cross_entropy'\nthreshold = {{ logit_shift = [{th}] }}"));
    let input = Input::from_slices(&z, &[1, 1], &[1_u8]).unwrap();
    let mut gradient = [0.0];
    let result = shifted.value_and_gradient(&input, &mut gradient).unwrap();
    assert!((result.value - 2.0_f64.ln()).abs() <= 1e-15 && (gradient[0] + 0.5).abs() <= 1e-15);

    // Two classes with τ = (1 − th, th) are the same binary problem.
    let two =
        loss(&format!("layout = 'channels_last'\nthreshold = {{ logit_shift = [{}, {th}] }}", 1.0 - th));
    let logits = [0.0, z[0]];
    let same = two.value(&Input::from_slices(&logits, &[1, 2], &[1_u8]).unwrap()).unwrap();
    assert!((same.value - result.value).abs() <= 1e-15);
}

/// Every file that the page on the document names is there.
#[test]
fn the_page_on_the_document_names_what_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = include_str!("../../../../docs/source-document.md");
    let quoted = page.split('`').skip(1).step_by(2);
    let files: Vec<&str> = quoted
        .filter(|text| ["crates/", "fixtures/", "reports/"].iter().any(|top| text.starts_with(top)))
        .collect();
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        assert!(root.join(file).exists(), "{file}");
    }
}

/// Every file that a page links to is there.
#[test]
fn the_links_of_the_pages_lead_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("ARCHITECTURE.md")];
    let mut folders = vec![root.join("docs"), root.join("reports")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_page = path.extension().is_some_and(|extension| extension == "md");
            if path.is_dir() {
                folders.push(path);
            } else if is_page && (folder.ends_with("docs") || path.ends_with("README.md")) {
                pages.push(path);
            }
        }
    }
    let mut links = 0;
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            links += 1;
            assert!(page.parent().unwrap().join(file).exists(), "{}: {link}", page.display());
        }
    }
    assert!(pages.len() > 8 && links > 100, "{} pages, {links} links", pages.len());
}
