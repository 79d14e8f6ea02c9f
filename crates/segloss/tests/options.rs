//! Where an option's range ends: what stands on the border, and what lies just outside.
#![allow(clippy::unwrap_used)]

use segloss::{Loss, LossSpec, Problem};

/// The key that is refused, if one is.
fn refused(text: &str) -> Option<&'static str> {
    let spec = LossSpec::from_toml(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    match Loss::new(spec).err()?.problem {
        Problem::Option { key, .. } => Some(key),
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
        ("cross_entropy", "denominator.constant", "0.1 5.0", "0.0 -1.0 inf nan"),
        ("document_binary", "threshold.document", "0.1 0.9", "0.0 1.0 nan"),
        ("cross_entropy", "threshold.logit_adjustment", "-1.0 0.0 2.0", "inf nan"),
        ("cross_entropy", "weights.decay", "0.0 0.9", "-0.1 1.0 nan"),
        ("cross_entropy", "weights.scheme.power", "-1.0 0.0 2.0", "inf nan"),
        ("cross_entropy", "weights.scheme.effective_number", "0.0 0.9", "-0.1 1.0 nan"),
        ("cross_entropy", "weights.absent.cap", "0.1 5.0", "0.0 -1.0 inf nan"),
    ] {
        let with = |number: &str| refused(&format!("kind = '{kind}'\n{key} = {number}"));
        good.split(' ').for_each(|number| assert_eq!(with(number), None, "{kind} {key} {number}"));
        bad.split(' ').for_each(|number| assert_eq!(with(number), Some(key), "{kind} {key} {number}"));
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
            "kind = 'ldam'\nprior.source = 'fixed'\nweights.absent = 'prior'",
            "prior.values",
            "[0.1, 0.9]",
            "[]; [0.1, 1.0]; [0.0]; [nan]",
        ),
        (
            "kind = 'binary_cross_entropy'\nprior.source = 'fixed'",
            "prior.values",
            "[0.1, 0.9]",
            "[]; [1.0]; [0.0]; [nan]",
        ),
        ("kind = 'ldam'\nprior.source = 'per_batch'", "prior.values", "[]", "[1.0]"),
    ] {
        let with = |list: &str| refused(&format!("{text}\n{key} = {list}"));
        assert_eq!(with(good), None, "{text} {key} {good}");
        bad.split("; ").for_each(|list| assert_eq!(with(list), Some(key), "{text} {key} {list}"));
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
        ("kind = 'dice'\ndenominator = 'valid_pixels'", Some("denominator")),
        ("kind = 'lovasz_softmax'\ndenominator = 'elements'", Some("denominator")),
        ("kind = 'dice'\ndenominator = 'images'", None),
        ("threshold.document = 0.5", Some("threshold.document")),
        ("kind = 'document_binary'\nthreshold.logit_shift = [0.5]", Some("threshold.logit_shift")),
        ("kind = 'document_binary'\nthreshold.logit_adjustment = 1.0", Some("threshold.logit_adjustment")),
        // The document's kinds own their weight; S2 has none.
        ("kind = 'document_binary'\nweights.source = 'per_batch'", None),
        ("kind = 'document_categorical'\nweights.source = 'per_sample'", None),
        ("kind = 'document_categorical'\nweights.source = 'ema'", Some("weights")),
        ("kind = 'document_categorical'\nweights.source = 'dataset'", Some("weights")),
        ("kind = 'document_categorical'\nweights.scheme = 'enet'", Some("weights")),
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
        ("weights = { source = 'per_batch' }\nprior.source = 'per_sample'", None),
        ("kind = 'generalized_dice'\nweights.absent = 'prior'", Some("weights.absent")),
        ("kind = 'generalized_dice'\nweights = { source = 'per_batch', absent = 'prior' }", None),
        ("kind = 'dice'\nweights.absent = 'prior'", None),
        ("prior.source = 'none'", Some("prior.source")),
        ("prior.source = 'map'", Some("prior.source")),
    ] {
        assert_eq!(refused(text), key, "{text}");
    }
}

#[test]
fn terms_are_checked_like_losses() {
    let combined = |term: &str| refused(&format!("kind = 'combined'\nterms = [{term}]"));
    assert_eq!(combined(""), Some("terms"));
    for (factor, key) in
        [("0.0", None), ("2.0", None), ("-0.1", Some("terms.factor")), ("inf", Some("terms.factor"))]
    {
        assert_eq!(
            combined(&format!("{{ factor = {factor}, loss = {{ kind = 'dice' }} }}")),
            key,
            "{factor}"
        );
    }
    for set in ["layout = 'channels_last'", "ignore_index = 3"] {
        assert_eq!(combined(&format!("{{ loss = {{ {set} }} }}")), Some("terms.loss"), "{set}");
    }
    assert_eq!(combined("{ loss = { kind = 'focal', gamma = -1.0 } }"), Some("gamma"));
    assert_eq!(refused("terms = [{ loss = { kind = 'dice' } }]"), Some("terms"));
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
        ("combined", "denominator", "'images'"),
        ("combined", "threshold", "{ logit_adjustment = 1.0 }"),
        ("combined", "weights", "{ source = 'per_batch' }"),
        ("combined", "prior", "{ source = 'per_sample' }"),
    ] {
        assert_eq!(refused(&format!("kind = '{kind}'\n{key} = {value}")), Some(key), "{kind}");
    }
}
