//! What a reader should know of a loss that was found: what its name does not say, and where it is another one.

use super::explain::{Extra, weights_in_words};
use super::fit::{Parts, misfit_of};
use super::identified::{Identified, Term, ValueFit};
use super::observation::Observation;
use super::reading::Step;
use super::report::short;
use super::shapes::number;
use segloss::{Kind, LossSpec, Reduction, Scheme, Source};

/// What a reader should know of a loss that was found.
pub fn remarks(found: &Identified, o: &Observation, batches: usize, framework: Option<&str>) -> Vec<String> {
    let mut remarks = Vec::new();
    if o.target_scale != 1.0 {
        remarks.push(format!(
            "the target holds 0 and {}, and the loss makes 0 and 1 of it, if nothing else is said here",
            o.target_scale
        ));
    }
    // NumPy's gradient is a difference.
    if o.epsilon < 1e-12 && framework != Some("numpy") && found.misfit > 1e-9 {
        remarks.push(format!(
            "in double precision it is off by {:.1e}, which is more than rounding: some ε or smoothing is another than here",
            found.misfit
        ));
    }
    if let ValueFit::Offset(offset) = found.value {
        remarks.push(format!(
            "the value is {} {} than that of {}: the same training, another number",
            short(offset.abs()),
            if offset < 0.0 { "lower" } else { "higher" },
            found.name()
        ));
    }
    if found.terms[0].reading.floor {
        remarks.push("the share of hard pixels is rounded down; segloss rounds it up".to_owned());
    }
    if o.gradient.is_none() && batches == 1 {
        remarks.push(
            "one number was compared, and another loss may have it, too: save the gradient beside it"
                .to_owned(),
        );
    }
    remarks.extend(other_weights(found, o));
    if found.reading().step == Step::ChannelsOfSoftmax {
        remarks.push("each channel of a softmax is scored as a problem of its own".to_owned());
    }
    found.terms.iter().for_each(|term| remarks_of_term(found, term, o, &mut remarks));
    remarks
}

/// Where a loss that explains the others is not that of the function, in words.
pub fn elsewhere(found: &Identified, all: &[Observation]) -> Vec<(String, String)> {
    let offset = if let ValueFit::Offset(offset) = found.value { offset } else { 0.0 };
    let of = |o: &Observation| {
        let words = match (o.total(), found.predict(o)) {
            (Some(value), Some((expected, gradient))) => {
                let expected = expected + offset;
                let same = (value - expected).abs() <= 1e-4 * value.abs().max(expected.abs());
                match (same, misfit_of(o, Some(gradient)) <= o.tolerance()) {
                    (true, true) => return None,
                    (true, false) => "another gradient".to_owned(),
                    (false, _) => format!("{}, not {}", short(value), short(expected)),
                }
            }
            _ => "another gradient".to_owned(),
        };
        Some((o.name.clone(), words))
    };
    all.iter().filter(|o| found.unexplained.contains(&o.name)).filter_map(of).collect()
}

/// Whether batches that say much of a loss say that it is another one: of a sum over pixels without weights of the labels no loss
/// disagrees about a class that is absent.
pub fn is_doubtful(found: &Identified, elsewhere: &[(String, String)]) -> bool {
    use Kind::{BinaryCrossEntropy, CrossEntropy, Focal};
    let is_plain = |term: &Term| {
        let spec = term.explanation.as_ref().map(|found| &found.spec);
        spec.is_some_and(|spec| {
            [BinaryCrossEntropy, CrossEntropy, Focal].contains(&spec.kind())
                && [Source::None, Source::Fixed].contains(&spec.weights.source)
                && spec.threshold.is_none()
        })
    };
    let asks = |name: &String| ["image", "absent", "absent_in_one"].contains(&name.as_str());
    found.terms.iter().all(is_plain) && elsewhere.iter().any(|(name, _)| asks(name))
}

/// Class weights that were saved beside a batch, where they are none of the loss's.
fn other_weights(found: &Identified, o: &Observation) -> Option<String> {
    let given = o.class_weights.as_ref().filter(|given| o.classes > 1 && given.len() == o.classes)?;
    let all: Vec<&LossSpec> =
        found.terms.iter().filter_map(|term| Some(&term.explanation.as_ref()?.spec)).collect();
    let has_them = |spec: &&LossSpec| {
        let own = &spec.weights.values;
        let ratio = |c: usize| own[c] / given[c];
        // Pairs, and what a specification does not say as weights, are not compared.
        own.len() != given.len() && spec.weights.source == Source::Fixed
            || own.len() == given.len()
                && (1..own.len()).all(|c| own[c] == given[c] || (ratio(c) / ratio(0) - 1.0).abs() <= 1e-3)
    };
    let takes_them = all.iter().all(|spec| spec.kind().info().takes("weights"));
    (takes_them && !all.is_empty() && !all.iter().any(has_them)).then(|| {
        let given: Vec<String> = given.iter().map(|&w| short(w)).collect();
        let own = weights_in_words(all[0]);
        let own = if own.is_empty() { "no weights" } else { &own };
        format!("the class weights {} that were saved are not the loss's: it has {own}", given.join(" "))
    })
}

/// Of one of its terms.
fn remarks_of_term(found: &Identified, term: &Term, o: &Observation, remarks: &mut Vec<String>) {
    let Some(explanation) = &term.explanation else { return };
    if explanation.constant != 1.0 && explanation.constant > 0.0 && found.terms.len() == 1 {
        remarks.push(format!(
            "the factor {} scales the learning rate, and changes nothing else",
            short(explanation.constant)
        ));
    }
    let half = matches!(found.value, ValueFit::Offset(offset) if (offset - 0.5).abs() < 1e-3);
    if term.shape.kind() == Kind::Dice && half && (explanation.constant - 0.5).abs() < 1e-3 {
        remarks.push(
            "the overlap is counted once, where Dice counts it twice: a perfect prediction scores ½, and the gradient is half of Dice's"
                .to_owned(),
        );
    }
    if term.shape.kind().weighs_by_size() && explanation.spec.weights.scheme == Scheme::Power(0.0) {
        remarks.push(
            "every class weighs the same: of one class a pixel it is 1 − the mean probability of the right class, which frequent \
             classes own"
                .to_owned(),
        );
    }
    for (key, what) in [("alpha", "a class where it is not"), ("beta", "a class that is missed")] {
        let over_regions = !term.shape.kind().is_additive();
        if over_regions && number(&term.shape, key) == Some(0.0) {
            remarks.push(format!("{key} is 0: {what} costs nothing by itself"));
        }
    }
    let weights = &explanation.spec.weights;
    if weights.source == Source::Fixed && o.classes > 1 && weights.values.len() == o.classes {
        let left_out: Vec<String> =
            (0..o.classes).filter(|&c| weights.values[c] == 0.0).map(|c| c.to_string()).collect();
        if !left_out.is_empty() {
            let (word, verb) = if left_out.len() == 1 { ("class", "weighs") } else { ("classes", "weigh") };
            remarks.push(format!("{word} {} {verb} 0: only the others are scored", left_out.join(", ")));
        }
    }
    let by_pixels = [Reduction::MeanValid, Reduction::MeanAll].contains(&explanation.spec.reduction());
    if term.shape.kind().is_additive()
        && weights.source == Source::Fixed
        && by_pixels
        && term.parts != Parts::All
    {
        remarks.push(
            "the weighted sum is divided by the number of pixels, not by the sum of the weights: the size of a step changes with the \
             classes that a batch holds"
                .to_owned(),
        );
    }
    if explanation.extra == Extra::AbsentAsZero {
        remarks.push("classes without a pixel count as solved: they lower the mean".to_owned());
    }
}
