//! Where an option's range ends: what stands on the border, and what lies just outside.

use segloss::{Input, Loss, LossSpec, Problem};

/// The key that is refused, if one is: as it is read, where the kind has no such option, or as it is checked.
fn refused(text: &str) -> Option<String> {
    match LossSpec::from_toml(text).and_then(Loss::new).err()?.problem {
        Problem::Option { key, .. } | Problem::NoEffect { key, .. } => Some(key.to_owned()),
        Problem::Syntax { message } if message.contains("` is set; expected absent: ") => {
            message.split('`').nth(1).map(str::to_owned)
        }
        other => panic!("{text}\n{other:?}"),
    }
}

#[test]
fn numbers_end_where_their_options_say() {
    for (kind, key, good, bad) in [
        ("cross_entropy", "label_smoothing", "0.0 0.99", "-0.1 1.0 nan"),
        ("focal", "gamma", "0.0 5.0", "-0.1 inf nan"),
        ("unified_focal", "gamma", "0.0 0.99", "-0.1 1.0 nan"),
        ("focal_tversky", "gamma", "0.1 5.0", "0.0 inf nan"),
        ("tversky", "alpha", "0.0 2.0", "-0.1 inf nan"),
        ("tversky", "beta", "0.0 2.0", "-0.1 inf nan"),
        ("dice", "smooth", "0.0 2.0", "-0.1 inf nan"),
        ("seesaw", "mitigation", "0.0 2.0", "-0.1 inf nan"),
        ("seesaw", "compensation", "0.0 2.0", "-0.1 inf nan"),
        ("top_k_cross_entropy", "keep", "0.1 1.0", "0.0 1.1 nan"),
        ("top_k_cross_entropy", "confidence", "0.1 0.9", "0.0 1.0 nan"),
        ("poly1_cross_entropy", "epsilon", "-1.0 5.0", "-1.1 inf nan"),
        ("ldam", "margin", "0.1 5.0", "0.0 inf nan"),
        ("ldam", "scale", "0.1 5.0", "0.0 inf nan"),
        ("unified_focal", "mix", "0.0 1.0", "-0.1 1.1 nan"),
        ("unified_focal", "delta", "0.0 1.0", "-0.1 1.1 nan"),
        ("cross_entropy", "reduction.constant", "0.1 5.0", "0.0 -1.0 inf nan"),
        ("document_binary", "threshold.document", "0.1 0.9", "0.0 1.0 nan"),
        ("cross_entropy", "threshold.logit_adjustment", "-1.0 0.0 2.0", "inf nan"),
        ("cross_entropy", "weights.decay", "0.0 0.9", "-0.1 1.0 nan"),
        ("cross_entropy", "weights.scheme.power", "-1.0 0.0 2.0", "inf nan"),
        ("cross_entropy", "weights.scheme.effective_number", "0.0 0.9", "-0.1 1.0 nan"),
        ("cross_entropy", "weights.absent.cap", "0.1 5.0", "0.0 -1.0 inf nan"),
    ] {
        // What acts on counts needs some.
        let source = if key.starts_with("weights") { "weights.source = 'ema'" } else { "" };
        let with = |number: &str| refused(&format!("kind = '{kind}'\n{source}\n{key} = {number}"));
        good.split(' ').for_each(|number| assert_eq!(with(number), None, "{kind} {key} {number}"));
        bad.split(' ')
            .for_each(|number| assert_eq!(with(number).as_deref(), Some(key), "{kind} {key} {number}"));
    }
}

#[test]
fn lists_end_where_their_options_say() {
    for (text, key, good, bad) in [
        ("", "threshold.logit_shift", "[0.5, 2.0]", "[]; [0.5, 0.0]; [inf]; [nan]"),
        ("kind = 'binary_cross_entropy'", "threshold.logit_shift", "[0.1, 0.9]", "[]; [1.0]; [0.0]; [nan]"),
        ("weights.source = 'fixed'", "weights.values", "[0.0, 2.0]", "[]; [1.0, -0.1]; [inf]; [nan]"),
        ("weights.source = 'per_batch'", "weights.values", "[]", "[1.0]"),
        (
            "kind = 'ldam'\nprior.source = 'fixed'",
            "prior.values",
            "[0.1, 2.0]",
            "[]; [0.1, 0.0]; [inf]; [nan]",
        ),
        (
            "kind = 'ldam'\nprior.source = 'fixed'\nweights = { source = 'per_batch', absent = 'prior' }",
            "prior.values",
            "[0.1, 0.9]",
            "[]; [0.1, 1.0]; [0.0]; [nan]",
        ),
        (
            "kind = 'binary_cross_entropy'\nthreshold.logit_adjustment = 1.0\nprior.source = 'fixed'",
            "prior.values",
            "[0.1, 0.9]",
            "[]; [1.0]; [0.0]; [nan]",
        ),
        ("kind = 'ldam'\nprior.source = 'per_batch'", "prior.values", "[]", "[1.0]"),
    ] {
        let with = |list: &str| refused(&format!("{text}\n{key} = {list}"));
        assert_eq!(with(good), None, "{text} {key} {good}");
        bad.split("; ").for_each(|list| assert_eq!(with(list).as_deref(), Some(key), "{text} {key} {list}"));
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for (text, key) in [
        ("kind = 'tversky'\nalpha = 0.0\nbeta = 0.0", Some("alpha")),
        ("kind = 'focal_tversky'\nalpha = 0.0\nbeta = 0.0", Some("alpha")),
        ("kind = 'tversky'\nalpha = 0.0\nbeta = 0.1", None),
        ("kind = 'tversky'\nalpha = 0.1\nbeta = 0.0", None),
        ("kind = 'top_k_cross_entropy'\nconfidence = 0.5\nlabel_smoothing = 0.1", Some("confidence")),
        ("kind = 'top_k_cross_entropy'\nlabel_smoothing = 0.1", None),
        ("kind = 'dice'\nreduction = 'mean_valid'", Some("reduction")),
        ("kind = 'lovasz_softmax'\nreduction = 'mean_all'", Some("reduction")),
        ("kind = 'dice'\nreduction = 'mean_images'", None),
        ("threshold.document = 0.5", Some("threshold.document")),
        ("kind = 'document_binary'\nthreshold.logit_shift = [0.5]", Some("threshold.logit_shift")),
        ("kind = 'document_binary'\nthreshold.logit_adjustment = 1.0", Some("threshold.logit_adjustment")),
        // The document's kinds own their weight; S2 has none.
        ("kind = 'document_binary'\nweights.source = 'per_batch'", None),
        ("kind = 'document_categorical'\nweights.source = 'per_sample'", None),
        ("kind = 'document_categorical'\nweights.source = 'ema'", Some("weights")),
        ("kind = 'document_categorical'\nweights.source = 'dataset'", Some("weights")),
        (
            "kind = 'document_categorical'\nweights = { source = 'per_batch', scheme = 'enet' }",
            Some("weights"),
        ),
        ("kind = 'document_sigmoid'\nweights.source = 'per_batch'", Some("weights")),
        ("kind = 'dice'\nweights.source = 'per_sample'", Some("weights.source")),
        ("kind = 'dice'\nweights.source = 'per_sample'\nregion = 'image'", None),
        ("kind = 'recall_cross_entropy'\nweights.source = 'per_sample'", None),
        ("weights = { source = 'fixed', values = [1], scheme = 'enet' }", Some("weights.scheme")),
        (
            "weights = { source = 'per_batch', absent = 'prior' }\nprior.source = 'per_sample'",
            Some("weights.source"),
        ),
        ("weights = { source = 'per_sample', absent = 'prior' }\nprior.source = 'per_sample'", None),
        ("weights = { source = 'per_batch' }\nprior.source = 'per_sample'", Some("prior")),
        ("kind = 'generalized_dice'\nweights.absent = 'prior'", Some("weights.absent")),
        ("kind = 'generalized_dice'\nweights = { source = 'per_batch', absent = 'prior' }", None),
        ("kind = 'dice'\nweights = { source = 'per_batch', absent = 'prior' }", None),
        ("prior.source = 'none'", Some("prior.source")),
        ("prior.source = 'map'", Some("prior.source")),
    ] {
        assert_eq!(refused(text).as_deref(), key, "{text}");
    }
}

#[test]
fn terms_are_checked_like_losses() {
    let combined = |term: &str| refused(&format!("kind = 'combined'\nterms = [{term}]"));
    assert_eq!(combined("").as_deref(), Some("terms"));
    for (factor, key) in
        [("0.0", None), ("2.0", None), ("-0.1", Some("terms.factor")), ("inf", Some("terms.factor"))]
    {
        assert_eq!(
            combined(&format!("{{ factor = {factor}, loss = {{ kind = 'dice' }} }}")).as_deref(),
            key,
            "{factor}"
        );
    }
    for set in ["layout = 'channels_last'", "ignore_index = 3"] {
        assert_eq!(combined(&format!("{{ loss = {{ {set} }} }}")).as_deref(), Some("terms.loss"), "{set}");
    }
    assert_eq!(combined("{ loss = { kind = 'focal', gamma = -1.0 } }").as_deref(), Some("gamma"));
    assert_eq!(refused("terms = [{ loss = { kind = 'dice' } }]").as_deref(), Some("terms"));
}

#[test]
fn keys_that_a_kind_does_not_take_are_refused() {
    for (kind, key, value) in [
        ("cross_entropy", "activation", "'sigmoid'"),
        ("cross_entropy", "region", "'image'"),
        ("cross_entropy", "classes", "'all'"),
        ("cross_entropy", "squared", "true"),
        ("cross_entropy", "asymmetric", "true"),
        ("cross_entropy", "background", "0"),
        ("cross_entropy", "gamma", "1.0"),
        ("dice", "label_smoothing", "0.1"),
        ("combined", "reduction", "'mean_images'"),
        ("combined", "threshold", "{ logit_adjustment = 1.0 }"),
        ("combined", "weights", "{ source = 'per_batch' }"),
        ("combined", "prior", "{ source = 'per_sample' }"),
    ] {
        assert_eq!(refused(&format!("kind = '{kind}'\n{key} = {value}")).as_deref(), Some(key), "{kind}");
    }
}

/// A key that nothing reads would be plain cross-entropy, bit for bit, and unsaid.
#[test]
fn what_is_written_acts_or_is_refused() {
    let counts = "[dataset]\nvalid = 4.0\npixels = [3.0, 1.0]\npresent_in = [4.0, 4.0]";
    for (text, key) in [
        ("weights.absent = 'largest_present'", Some("weights.absent")),
        ("weights.absent = { cap = 2.0 }", Some("weights.absent")),
        ("weights.decay = 0.5", Some("weights.decay")),
        ("weights = { source = 'per_batch', decay = 0.5 }", Some("weights.decay")),
        ("weights = { source = 'ema', decay = 0.5 }", None),
        ("weights.decay = 0.5\nthreshold.logit_adjustment = 1.0\nprior.source = 'ema'", None),
        ("weights = { source = 'none', scheme = 'enet' }", Some("weights.scheme")),
        ("weights = { source = 'none', normalise = 'mean_one' }", Some("weights.normalise")),
        ("weights = { source = 'map', scheme = 'enet' }", Some("weights.scheme")),
        ("weights = { source = 'map', normalise = 'mean_one' }", Some("weights.normalise")),
        (
            "weights = { source = 'fixed', values = [1.0, 2.0], absent = 'largest_present' }",
            Some("weights.absent"),
        ),
        ("weights = { source = 'fixed', values = [1.0, 2.0], normalise = 'mean_one' }", None),
        // What older programs wrote, with every default spelled out.
        (
            "weights = { source = 'none', scheme = 'inverse_frequency', decay = 0.99, absent = 'zero', normalise = 'none' }",
            None,
        ),
        ("prior.source = 'per_batch'", Some("prior")),
        ("[prior]", Some("prior")),
        ("kind = 'seesaw'\nprior.source = 'per_sample'", None),
        ("kind = 'ldam'\nprior.source = 'per_sample'", None),
        ("threshold.logit_adjustment = 1.0\nprior.source = 'per_sample'", None),
        ("threshold.logit_shift = [0.5, 0.5]\nprior.source = 'per_sample'", Some("prior")),
        (counts, Some("dataset")),
        (&format!("weights.source = 'dataset'\n{counts}"), None),
        (&format!("kind = 'ldam'\nprior.source = 'dataset'\n{counts}"), None),
        (&format!("weights.source = 'per_batch'\n{counts}"), Some("dataset")),
        (
            &format!("kind = 'combined'\nterms = [{{ loss = {{ kind = 'dice' }} }}]\n{counts}"),
            Some("dataset"),
        ),
        ("smoothing_weight = 'class'", Some("smoothing_weight")),
        ("label_smoothing = 0.1\nsmoothing_weight = 'class'", Some("smoothing_weight")),
        ("label_smoothing = 0.1\nsmoothing_weight = 'class'\nweights.source = 'per_batch'", None),
        ("kind = 'dice'\naverage = 'images'", Some("average")),
        ("kind = 'dice'\nregion = 'image'\naverage = 'images'", Some("average")),
        ("kind = 'dice'\nregion = 'image'\nclasses = 'present'\naverage = 'images'", None),
        ("kind = 'dice'\nregion = 'image'\nweights.source = 'per_sample'\naverage = 'images'", None),
        ("kind = 'lovasz_softmax'\nregion = 'image'\naverage = 'images'", None),
        ("kind = 'top_k_cross_entropy'\nkeep = 1.0\nconfidence = 0.5", Some("confidence")),
        ("kind = 'unified_focal'\nasymmetric = false\nbackground = 1", None),
        ("kind = 'generalized_dice'\nregion = 'image'\naverage = 'images'", Some("average")),
    ] {
        assert_eq!(refused(text).as_deref(), key, "{text}");
    }
    for key in [
        "scheme = 'inverse_frequency'",
        "scheme = 'enet'",
        "normalise = 'none'",
        "normalise = 'expected_one'",
    ] {
        for text in [
            format!("weights.{key}"),
            format!("kind = 'combined'\nterms = [{{ loss = {{ weights = {{ {key} }} }} }}]"),
        ] {
            let error = LossSpec::from_toml(&text).unwrap_err().to_string();
            assert!(
                error.contains("has no effect without `weights.source`") && error.contains("per_sample"),
                "{error}"
            );
        }
    }
}

/// The counts of a data set beside a sum of losses are for the terms that ask for some.
#[test]
fn counts_reach_the_terms() {
    let counts = "[dataset]\nvalid = 4.0\npixels = [3.0, 1.0]\npresent_in = [4.0, 4.0]";
    let terms = "kind = 'combined'\nterms = [{ loss = { weights = { source = 'dataset' } } }, { loss = { kind = 'dice' } }]";
    let input = Input::from_slices(&[0.0_f64, 1.0, 0.5, -1.0], &[2, 2], &[0_u8, 1]).unwrap();
    let value = |text: &str| Loss::new(LossSpec::from_toml(text).unwrap()).unwrap().value(&input);
    assert!(matches!(value(terms).unwrap_err().problem, Problem::NoDataset { .. }));
    let sum = value(&format!("{terms}\n{counts}")).unwrap();
    let alone = value(&format!("weights.source = 'dataset'\n{counts}")).unwrap();
    assert_eq!(sum.terms[0].value, alone.value);
    assert_eq!(sum.terms[0].effective_weights, alone.effective_weights);
    // Those of a trainer's data do not replace what is written.
    let mut spec = LossSpec::from_toml(&format!("{terms}\n{counts}")).unwrap();
    let written = spec.dataset.clone();
    let others = segloss::ClassCounts {
        valid: 9.0,
        pixels: vec![1.0, 8.0],
        present_in: vec![9.0; 2],
        ..Default::default()
    };
    spec.fill_dataset(&others);
    assert_eq!(spec.terms()[0].loss.dataset, written);
    // A scheme that gives all classes one weight says so.
    for scheme in ["'document_scalar'", "{ power = 0.0 }", "{ effective_number = 0.0 }"] {
        let result = value(&format!("weights = {{ source = 'per_batch', scheme = {scheme} }}")).unwrap();
        assert_eq!(result.warnings, [segloss::Warning::ConstantScheme], "{scheme}");
    }
}

/// What a specification says is written again, and nothing that does not act.
#[test]
fn what_is_written_is_read_again() {
    for text in [
        "",
        "weights.source = 'per_sample'",
        "weights = { source = 'ema', decay = 0.5, scheme = { power = 0.5 }, absent = { cap = 3.0 } }",
        "weights = { source = 'fixed', values = [1.0, 2.0], normalise = 'sum_one' }",
        "kind = 'generalized_dice'\nweights.absent = 'largest_present'",
        "kind = 'ldam'\nprior.source = 'per_sample'",
    ] {
        let spec = LossSpec::from_toml(text).unwrap();
        Loss::new(spec.clone()).unwrap();
        assert_eq!(LossSpec::from_toml(&spec.to_toml()).unwrap(), spec, "{text}");
        assert_eq!(LossSpec::from_json(&spec.to_json()).unwrap(), spec, "{text}");
    }
    assert!(!LossSpec::default().to_toml().contains("scheme"), "{}", LossSpec::default().to_toml());
}

#[test]
fn files_are_read_as_they_come() {
    let dice = LossSpec::new(segloss::Kind::Dice);
    for text in [
        "kind = \"dice\"",
        "\u{feff}kind = \"dice\"\n",
        "{\"kind\": \"dice\"}",
        "\u{feff}\n {\"kind\": \"dice\"}",
    ] {
        assert_eq!(LossSpec::from_text(text).unwrap(), dice, "{text}");
    }
    for text in ["", "\n# nothing\n", "{}", "\u{feff}{ }\n"] {
        let error = LossSpec::from_text(text).unwrap_err().to_string();
        assert!(error.contains("holds no key; the smallest specification is"), "{error}");
    }
    for (text, words) in [
        ("kind = \"cross_entropie\"", "line 1: unknown name `cross_entropie`; did you mean `cross_entropy`?"),
        ("\ngamma = 'two'", "line 2: expected a number, found the text \"two\""),
        ("{\"gama\": 2}", "line 1, column 7: unknown key `gama`; did you mean `gamma`?"),
        ("weights = 3", "line 1: expected a table such as { source = \"per_sample\" }, found the number 3"),
        ("terms = 3", "line 1: expected a list, found the number 3"),
    ] {
        let error = LossSpec::from_text(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// What the papers recommend, and what every framework does: said here once more, since a changed default changes what
/// every specification without the key means.
#[test]
fn defaults_stay_what_they_are() {
    let shared =
        |reduction: &str| format!("threshold=none weights=none prior=per_batch reduction={reduction}");
    let plain = shared("mean");
    let overlap = format!("smooth=1e-5 region=batch average=pairs classes=all {plain}");
    for (kind, defaults) in [
        ("cross_entropy", format!("label_smoothing=0 smoothing_weight=label {plain}")),
        ("binary_cross_entropy", format!("label_smoothing=0 {plain}")),
        ("document_binary", "threshold={ document = 1/C } weights=per_batch reduction=mean_all".to_owned()),
        ("document_sigmoid", "reduction=mean_all".to_owned()),
        ("document_categorical", "weights=per_batch reduction=mean_all".to_owned()),
        ("focal", format!("activation=softmax gamma=2 {plain}")),
        ("poly1_cross_entropy", format!("epsilon=1 {plain}")),
        ("seesaw", format!("mitigation=0.8 compensation=2 {plain}")),
        ("ldam", format!("margin=0.5 scale=30 {plain}")),
        ("recall_cross_entropy", format!("label_smoothing=0 region=batch {plain}")),
        (
            "top_k_cross_entropy",
            format!("keep=0.1 confidence=none label_smoothing=0 region=batch {plain}"),
        ),
        ("dice", format!("activation=softmax squared=false {overlap}")),
        ("jaccard", format!("activation=softmax squared=false {overlap}")),
        ("generalized_dice", format!("activation=softmax smooth=0 region=batch {plain}")),
        ("tversky", format!("activation=softmax alpha=0.3 beta=0.7 {overlap}")),
        (
            "focal_tversky",
            format!("activation=softmax alpha=0.3 beta=0.7 gamma=1.3333333333333333 {overlap}"),
        ),
        (
            "unified_focal",
            "mix=0.5 delta=0.6 gamma=0.5 asymmetric=true background=0 smooth=1e-7 region=batch threshold=none \
             prior=per_batch"
                .to_owned(),
        ),
        ("lovasz_softmax", format!("region=batch average=pairs classes=present {plain}")),
        ("lovasz_hinge", format!("region=batch average=pairs classes=all {plain}")),
        ("boundary", plain.clone()),
        (
            "exponential_logarithmic",
            "dice_weight=0.8 cross_weight=0.2 gamma_dice=0.3 gamma_cross=0.3 smooth=1 region=batch classes=all \
             threshold=none weights=none prior=per_batch"
                .to_owned(),
        ),
        ("jaccard_metric", format!("activation=softmax {overlap}")),
        ("dice_semimetric", format!("activation=softmax {overlap}")),
        (
            "mcc",
            format!("activation=softmax smooth=0 region=batch average=pairs classes=all {plain}"),
        ),
        ("combined", "preset=none terms=none".to_owned()),
    ] {
        let info = segloss::Kind::named(kind).unwrap().info();
        let found: Vec<String> =
            info.options.iter().map(|option| format!("{}={}", option.key, option.default)).collect();
        assert_eq!(found.join(" "), defaults, "{kind}");
    }
}

/// `denominator` is what `reduction` was called, and its words were others.
#[test]
fn older_words_for_the_reduction_mean_the_same() {
    for (old, new) in [
        ("'weight_sum'", "'mean'"),
        ("'valid_pixels'", "'mean_valid'"),
        ("'elements'", "'mean_all'"),
        ("'images'", "'mean_images'"),
        ("'per_pixel'", "'sum'"),
        ("{ constant = 3.0 }", "{ constant = 3.0 }"),
    ] {
        let read = |key: &str, word: &str| LossSpec::from_toml(&format!("{key} = {word}")).unwrap();
        let spec = read("reduction", new);
        assert!(spec.reduction.is_some());
        for (key, word) in [("denominator", old), ("denominator", new), ("reduction", old)] {
            assert_eq!(read(key, word), spec, "{key} = {word}");
        }
        assert!(spec.to_toml().contains("reduction") && !spec.to_toml().contains("denominator"));
    }
    let both = LossSpec::from_toml("reduction = 'sum'\ndenominator = 'sum'").unwrap_err().to_string();
    assert!(both.contains("`denominator` is the older name of `reduction`"), "{both}");
    let unknown = LossSpec::from_toml("reduction = 'meen'").unwrap_err().to_string();
    assert!(unknown.contains("unknown name `meen`; did you mean `mean`?"), "{unknown}");
}

/// The kind may stand anywhere among its options, and each error has its place.
#[test]
fn options_are_read_wherever_they_stand() {
    let spec = LossSpec::from_toml("gamma = 3\nkind = 'focal'\nactivation = 'sigmoid'").unwrap();
    let focal = segloss::kinds::Focal { gamma: 3.0, activation: segloss::Activation::Sigmoid };
    assert_eq!(spec, focal.into());
    // Every option is written, unless it is not set.
    let top_k = LossSpec::from_toml("kind = 'top_k_cross_entropy'").unwrap().to_toml();
    assert!(top_k.contains("keep = 0.1\n") && !top_k.contains("confidence"), "{top_k}");
    for (text, words) in [
        (
            "kind = 'dice'\n\ngamma = 2.0",
            "line 3: `gamma` is set; expected absent: dice takes activation, squared, ",
        ),
        ("gamma = 2.0\nkind = 'dice'", "line 1: `gamma` is set; expected absent: dice takes "),
        ("kind = 'dice'\nsmooth = 'much'", "line 2: expected a number, found the text \"much\""),
        ("kind = 'dice'\nsmooth = [1]", "line 2: expected a number, found a list"),
        ("kind = 'dice'\nsmooth = { a = 1 }", "line 2: expected a number, found a table"),
        ("kind = 'dice'\nsquared = 1", "line 2: expected a boolean, found the number 1"),
        ("kind = 'dice'\nregion = 3", "line 2: expected `batch` or `image`, found the number 3"),
        ("kind = 'dice'\nregion = 'imag'", "line 2: unknown name `imag`; did you mean `image`?"),
        (
            "kind = 'unified_focal'\nbackground = 0.5",
            "line 2: expected a whole number ≥ 0, found the number 0.5",
        ),
        ("kind = 'unified_focal'\nbackground = -1", "line 2: invalid value: integer `-1`, expected usize"),
        ("kind = 'combined'\nterms = [{ loss = { kind = 'dice', gama = 1 } }]", "line 2: unknown key `gama`"),
        ("[[terms]]\nfactor = 2.0", "line 1: missing field `loss`"),
        ("{\"kind\": \"dice\", \"smooth\": 1, \"smooth\": 2}", "duplicate field `smooth`"),
        (
            "{\"kind\": \"dice\", \"gamma\": 1}",
            "line 1, column 27: `gamma` is set; expected absent: dice takes",
        ),
    ] {
        let error = LossSpec::from_text(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}\n{error}");
    }
}

/// Older programs wrote these for every kind.
#[test]
fn what_says_nothing_passes_for_every_kind() {
    let nothing = "label_smoothing = 0.0\nterms = []\nweights.source = 'none'";
    for kind in segloss::Kind::ALL {
        let text = format!("{nothing}\nkind = '{}'", kind.name());
        assert_eq!(LossSpec::from_toml(&text).unwrap(), LossSpec::new(kind), "{text}");
        let json = format!("{{\"kind\": \"{}\", \"label_smoothing\": 0, \"gamma\": null}}", kind.name());
        assert_eq!(LossSpec::from_json(&json).unwrap(), LossSpec::new(kind), "{json}");
    }
}

#[test]
fn presets_are_sums_by_name() {
    let spec = |text: &str| LossSpec::from_toml(text).unwrap();
    let value = |text: &str| {
        let loss = Loss::new(spec(text)).unwrap();
        let logits: Vec<f64> = (0..36).map(|i| f64::from(i * 7 % 13) / 4.0).collect();
        let labels: Vec<u8> = (0..12).map(|i| i * i % 3).collect();
        let mut gradient = vec![0.0; logits.len()];
        let input = Input::from_slices(&logits, &[2, 3, 6], &labels).unwrap();
        let value = loss.value_and_gradient(&input, &mut gradient).unwrap().value;
        (value, gradient)
    };
    let foreground = "weights = { source = 'fixed', values = [0.0, 1.0, 1.0] }";
    for (preset, terms) in [
        (
            "nnunet_ce_dice",
            format!(
                "{{ loss = {{ kind = 'cross_entropy' }} }}, {{ loss = {{ kind = 'dice', {foreground} }} }}"
            ),
        ),
        (
            "nnunet_top_k_dice",
            format!(
                "{{ loss = {{ kind = 'top_k_cross_entropy', keep = 0.1 }} }}, {{ loss = {{ kind = 'dice', {foreground} }} }}"
            ),
        ),
        (
            "dice_focal",
            "{ loss = { kind = 'dice', region = 'image' } }, \
             { loss = { kind = 'focal', activation = 'sigmoid', reduction = 'mean_all' } }"
                .to_owned(),
        ),
    ] {
        let by_name = value(&format!("kind = 'combined'\npreset = '{preset}'"));
        assert_eq!(by_name, value(&format!("kind = 'combined'\nterms = [{terms}]")), "{preset}");
    }
    let both = "kind = 'combined'\npreset = 'dice_focal'\nterms = [{ loss = { kind = 'dice' } }]";
    assert!(LossSpec::from_toml(both).and_then(Loss::new).unwrap_err().to_string().contains("`preset`"));
    // What is written out are the terms.
    assert!(spec("kind = 'combined'\npreset = 'dice_focal'").to_toml().contains("kind = \"focal\""));
}
