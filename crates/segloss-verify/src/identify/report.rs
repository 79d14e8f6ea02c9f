//! The answer: what the loss is, whether it is right, and if not, what is wrong with it.

use super::about::About;
use super::capture::Capture;
use super::cause::Cause;
use super::diagnosis::diagnose;
use super::dialect::{Dialect, known_as};
use super::expected::Expected;
use super::explain::{Explanation, Extra};
use super::finding::{Evidence, Finding};
use super::identified::{Identified, Term as IdentifiedTerm, ValueFit, name};
use super::observation::{Form, Observation};
use super::probe::question::question;
use super::reading::{Reading, Step};
use super::remarks::{elsewhere, is_doubtful, remarks};
use super::search::{Found, Nearest, confirmed, search, search_values};
use super::symptoms::{self, Slope};
use segloss::kinds::Combined;
use segloss::{Layout, LossSpec, Term};
use serde::Serialize;
use std::fmt;

/// Whether a loss is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It has a name, and nothing is wrong with it.
    Right,
    /// Something is wrong with it.
    Wrong,
    /// Nothing is known to be wrong with it, and it has no name.
    Unknown,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether it is right.
    pub verdict: Verdict,
    /// What it is, in a line.
    pub name: Option<String>,
    /// What it is divided by, and its weights, term by term.
    pub details: Vec<String>,
    /// The same loss as a specification of segloss; none where a specification cannot say it.
    pub spec: Option<String>,
    /// What is wrong, the gravest first.
    pub findings: Vec<Finding>,
    /// Whose function it may be.
    pub known_as: Vec<Dialect>,
    /// What is worth knowing and not wrong.
    pub remarks: Vec<String>,
    /// Other losses that these batches cannot tell from it.
    pub rivals: Vec<String>,
    /// How the arguments were read.
    pub arguments: String,
    /// How exactly the loss explains gradient and value.
    pub exactness: String,
    /// The largest relative deviation of a gradient.
    pub misfit: Option<f64>,
    /// What was guessed.
    pub notes: Vec<String>,
    /// Batches on which the function is another loss than the one that is named, and what it has there.
    pub elsewhere: Vec<(String, String)>,
    /// What to do next, where the answer leaves doubt.
    pub next: Option<String>,
    /// What was found.
    #[serde(skip)]
    pub identified: Option<Identified>,
}

impl Report {
    /// Identifies and judges a capture. `expected`: what the user says that it is.
    pub fn new(capture: &Capture, expected: Option<&Expected>) -> Self {
        let all = &capture.observations;
        if symptoms::two_answers(all).is_some() {
            return Self::unknown(capture);
        }
        let slope = symptoms::slope(all);
        let found = if slope == Slope::Some { search(all) } else { Found::Nothing(Nearest::default()) };
        let derives = capture.about.framework.as_deref().is_some_and(|name| name != "numpy");
        let by_value = by_value(all, slope, derives, &found);
        let but_silent = match found {
            Found::Nothing(_) if slope == Slope::Some => but_silent(all),
            _ => None,
        };
        // A capture of values alone, whose gradient nobody saved, is named by its values.
        let derived = derives && all.len() > 1;
        let (found, by_value) = match (slope, by_value, derived) {
            (Slope::None, Some(by_value), false) => (Found::Loss(Box::new(by_value)), None),
            // It is looked for where no loss has both, and may be one that the search of the gradients missed.
            (Slope::Some, Some(by_value), _) => match confirmed(all, &by_value) {
                Some(both) => (Found::Loss(Box::new(both)), None),
                None => (found, Some(by_value)),
            },
            (_, by_value, _) => (found, by_value),
        };
        let evidence = Evidence {
            capture,
            found: &found,
            by_value: by_value.as_ref(),
            but_silent: but_silent.as_ref(),
            expected,
        };
        let findings = diagnose(&evidence);
        let named = match &found {
            // What is found of them is another loss by chance.
            _ if findings.iter().any(|finding| finding.cause == Cause::ArgumentsSwapped) => None,
            Found::Loss(found) => Some(&**found),
            Found::Nothing(_) => but_silent.as_ref().or(by_value.as_ref()),
        };
        let elsewhere = named.map(|found| elsewhere(found, all)).unwrap_or_default();
        let by_silence = matches!(found, Found::Nothing(_)) && but_silent.is_some();
        let verdict = match (findings.is_empty(), named) {
            (false, _) => Verdict::Wrong,
            // All but the pixels without a gradient was explained, and these are not.
            (true, Some(found)) if by_silence || is_doubtful(found, &elsewhere) => Verdict::Unknown,
            (true, Some(_)) => Verdict::Right,
            (true, None) => Verdict::Unknown,
        };
        let has_gradient = all.iter().any(|o| o.gradient.is_some());
        let compared = has_gradient && !named.zip(by_value.as_ref()).is_some_and(|(a, b)| std::ptr::eq(a, b));
        // What else is wrong is none of the library's.
        let as_it_is = findings.iter().all(|finding| finding.cause == Cause::ClippedGradient);
        let framework = capture.about.framework.as_deref();
        Self {
            known_as: named
                .filter(|_| as_it_is && verdict != Verdict::Unknown)
                .map(|found| known_as(found, &all[0], framework))
                .unwrap_or_default(),
            verdict,
            name: named.map(Identified::name),
            details: named.map(details).unwrap_or_default(),
            spec: named.and_then(|found| specification(found, &all[0])),
            remarks: named.map(|found| remarks(found, &all[0], all.len(), framework)).unwrap_or_default(),
            rivals: named.map(|found| found.rivals.clone()).unwrap_or_default(),
            arguments: arguments(&all[0], &capture.about),
            exactness: named.map_or_else(
                || nearest(&found),
                |found| exactness(found, all.len(), elsewhere.len(), compared),
            ),
            misfit: named.map(|found| found.misfit),
            notes: notes(capture),
            next: next(capture, verdict, named),
            elsewhere,
            identified: named.cloned(),
            findings,
        }
    }

    /// Of a function that answers the same batch in two ways.
    fn unknown(capture: &Capture) -> Self {
        let all = &capture.observations;
        Self {
            verdict: Verdict::Unknown,
            name: None,
            details: Vec::new(),
            spec: None,
            findings: Vec::new(),
            known_as: Vec::new(),
            remarks: Vec::new(),
            elsewhere: Vec::new(),
            rivals: Vec::new(),
            arguments: arguments(&all[0], &capture.about),
            exactness: "it answers the same batch in two ways".to_owned(),
            misfit: None,
            notes: notes(capture),
            next: None,
            identified: None,
        }
    }

    /// Where it is another loss, in words.
    pub fn elsewhere(&self) -> impl Iterator<Item = String> {
        let of = |(batch, words): &(String, String)| format!("on {batch} ({}): {words}", question(batch));
        self.elsewhere.iter().map(of)
    }

    /// Whether weights and denominators are known, too.
    fn is_explained(&self) -> bool {
        self.identified.as_ref().is_none_or(Identified::is_explained)
    }

    /// The causes that were found.
    pub fn causes(&self) -> Vec<Cause> {
        self.findings.iter().map(|finding| finding.cause).collect()
    }
}

/// What the values say, where the gradients say nothing or something else.
fn by_value(all: &[Observation], slope: Slope, derives: bool, found: &Found) -> Option<Identified> {
    let steps = [Step::AsGiven, Step::ArgMax];
    match found {
        Found::Nothing(_) if slope == Slope::Some => search_values(all, &steps[..1]),
        // Without a gradient hard predictions are likely.
        Found::Nothing(_) if slope == Slope::Zero || all.len() > 1 || derives => {
            search_values(all, &[Step::ArgMax, Step::AsGiven])
        }
        Found::Nothing(_) => search_values(all, &steps),
        Found::Loss(found) if matches!(found.value, ValueFit::Other { .. }) => {
            search_values(all, &steps[..1]).or_else(|| {
                let rest = found.residual(all)?;
                search_values(&rest, &steps[1..])
            })
        }
        Found::Loss(_) => None,
    }
}

/// What explains all but the pixels that get no gradient.
fn but_silent(all: &[Observation]) -> Option<Identified> {
    let hidden: Vec<Observation> = all.iter().map(Observation::hiding_silent).collect();
    let hides = hidden.iter().zip(all).any(|(hidden, o)| {
        hidden.gradient.as_ref().map(|g| g.iter().filter(|g| g.is_nan()).count())
            != o.gradient.as_ref().map(|g| g.iter().filter(|g| g.is_nan()).count())
    });
    if !hides {
        return None;
    }
    match search(&hidden) {
        // The pixels that are hidden may have made the value another one.
        Found::Loss(found) if found.is_explained() && (found.has_its_value() || found.is_exact()) => {
            Some(*found)
        }
        _ => None,
    }
}

/// Weights, denominator and factor of each term.
fn details(found: &Identified) -> Vec<String> {
    let of = |explanation: &Explanation| {
        let words = explanation.words();
        match (explanation.constant == 1.0, words.is_empty()) {
            (true, _) => words,
            (false, true) => format!("times {}", short(explanation.constant)),
            (false, false) => format!("{words}, times {}", short(explanation.constant)),
        }
    };
    let terms = found.terms.iter().map(|term| match &term.explanation {
        Some(explanation) => of(explanation),
        None => "weights and denominator not explained".to_owned(),
    });
    terms.filter(|words| !words.is_empty()).collect()
}

pub fn short(x: f64) -> String {
    // Zero has no sign.
    let text = format!("{:.6}", x + 0.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The loss as a specification; none where one cannot say it.
fn specification(found: &Identified, o: &Observation) -> Option<String> {
    if found.reading() != Reading::PLAIN {
        return None;
    }
    let one = |term: &IdentifiedTerm| {
        let explanation = term.explanation.as_ref().filter(|found| found.extra == Extra::None)?;
        Some((explanation.constant, explanation.spec.clone()))
    };
    let terms: Vec<(f64, LossSpec)> = found.terms.iter().map(one).collect::<Option<_>>()?;
    let mut spec = match terms.as_slice() {
        [(factor, spec)] if *factor == 1.0 => spec.clone(),
        _ => Combined::new(terms.into_iter().map(|(factor, loss)| Term { factor, loss }).collect()),
    };
    spec.layout = o.layout;
    spec.ignore_index = o.ignored.filter(|&label| label >= 0);
    Some(spec.to_toml())
}

fn arguments(o: &Observation, about: &About) -> String {
    let layout = if o.layout == Layout::ChannelsFirst { "channels first" } else { "channels last" };
    let form = match o.form {
        Form::Indices => "class indices",
        Form::OneHot => "one-hot rows",
        Form::MultiHot => "several classes a pixel",
        Form::Soft => "soft labels",
    };
    let given = if o.from_probabilities { "probabilities" } else { "logits" };
    let ignored = match o.ignored {
        Some(-1) => ", pixels without a class are ignored".to_owned(),
        Some(label) => format!(", label {label} is ignored"),
        None => String::new(),
    };
    let of = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    let (images, channels) = (of(o.images, "image", "images"), of(o.classes, "channel", "channels"));
    let pixels = of(o.pixels(), "pixel", "pixels");
    let order = about.order.as_ref().map_or_else(String::new, |order| format!("; asked as ({order})"));
    format!("{given}, {layout}, {images} of {channels} and {pixels}; the target is {form}{ignored}{order}")
}

fn exactness(found: &Identified, all: usize, others: usize, compared: bool) -> String {
    let batches = match (all, others) {
        (1, _) => "this batch".to_owned(),
        (all, 0) => format!("{all} batches"),
        _ => format!("{} of {all} batches", all - others),
    };
    let value = match found.value {
        ValueFit::Absent => "there is no value to compare".to_owned(),
        ValueFit::Same(difference) => format!("the value within {difference:.1e}"),
        ValueFit::Offset(offset) => format!("the value but for {}", short(offset)),
        ValueFit::Other { found, expected } => {
            format!("not the value, which is {found:.6} and would be {expected:.6}")
        }
    };
    match (found.misfit, compared) {
        (_, false) => format!("explains {batches}: {value}"),
        (0.0, true) => format!("explains {batches}: every entry of the gradient exactly; {value}"),
        (misfit, true) => format!(
            "explains {batches}: every entry of the gradient within {misfit:.1e} of the largest; {value}"
        ),
    }
}

fn nearest(found: &Found) -> String {
    // A loss that is found and not believed says nothing.
    let Found::Nothing(Nearest { loss, up_to_a_factor }) = found else { return String::new() };
    if let Some(spec) = up_to_a_factor {
        return format!(
            "nothing that is known explains it; its gradient is that of {} times a number that changes from batch to batch",
            name(spec)
        );
    }
    match loss {
        Some((name, misfit)) if *misfit <= 1e-6 => {
            format!(
                "nothing that is known explains it; {name} has such a gradient in one batch, and not its value or other batches"
            )
        }
        Some((name, misfit)) => {
            format!(
                "nothing that is known explains it; the nearest is {name}, whose gradient is off by {misfit:.1e} of the largest entry"
            )
        }
        None => "nothing that is known explains it".to_owned(),
    }
}

fn notes(capture: &Capture) -> Vec<String> {
    let raised = capture
        .raised
        .iter()
        .map(|(batch, error)| format!("the function raised an error on batch `{batch}`: {error}"));
    let keras = capture.about.framework.as_deref() == Some("keras");
    let other = keras && capture.about.order.as_deref() == Some("prediction, target");
    let order = other.then(|| {
        "the function takes (y_pred, y_true), as its parameters are called, and Keras hands over (y_true, y_pred): in compile(loss=...) \
         they would be swapped"
            .to_owned()
    });
    capture.notes.iter().cloned().chain(raised).chain(order).collect()
}

/// Where one batch leaves doubt, probes decide.
fn next(capture: &Capture, verdict: Verdict, named: Option<&Identified>) -> Option<String> {
    let single = capture.observations.len() == 1;
    let doubt = verdict == Verdict::Unknown || named.is_some_and(|found| !found.rivals.is_empty());
    let framework = capture.about.framework.as_deref().unwrap_or("torch");
    if !single && verdict == Verdict::Right && capture.about.ignore_index.is_none() {
        return Some("where masks hold pixels that do not count, --emit with --ignore-index LABEL asks about them, too".to_owned());
    }
    (single && doubt).then(|| {
        format!("segloss check --emit {framework} MODULE:FUNCTION > probe.py asks the function about batches that tell these apart")
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("not identified");
        match self.verdict {
            Verdict::Right if self.is_explained() => writeln!(f, "right: {name}")?,
            Verdict::Right => writeln!(f, "right but for its weights, which nothing explains: {name}")?,
            Verdict::Wrong => writeln!(f, "WRONG: {}", self.findings[0].title)?,
            Verdict::Unknown => match &self.name {
                Some(name) => writeln!(f, "no answer: it is {name} in part only")?,
                None => writeln!(f, "no answer: {}", self.exactness)?,
            },
        }
        writeln!(f)?;
        if self.verdict != Verdict::Unknown || self.name.is_some() {
            writeln!(f, "  it is      {name}")?;
        }
        for detail in &self.details {
            writeln!(f, "             {detail}")?;
        }
        if !self.exactness.is_empty() && (self.verdict != Verdict::Unknown || self.name.is_some()) {
            writeln!(f, "  how sure   {}", self.exactness)?;
        }
        writeln!(f, "  read as    {}", self.arguments)?;
        for known in &self.known_as {
            writeln!(f, "  known as   {known}")?;
        }
        for remark in &self.remarks {
            writeln!(f, "  remark     {remark}")?;
        }
        for words in self.elsewhere() {
            writeln!(f, "  but        {words}")?;
        }
        if !self.rivals.is_empty() {
            writeln!(f, "  or         {}", self.rivals.join("\n             "))?;
        }
        for finding in &self.findings {
            writeln!(f, "\n{}", finding.title)?;
            writeln!(f, "  seen       {}", finding.witness)?;
            if !finding.consequence.is_empty() {
                writeln!(f, "  so         {}", finding.consequence)?;
            }
            writeln!(f, "  do         {}", finding.remedy)?;
        }
        if let Some(spec) = &self.spec
            && self.verdict == Verdict::Right
        {
            writeln!(f, "\nthe same in segloss:")?;
            spec.lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        if let Some(next) = &self.next {
            writeln!(f, "\nnext: {next}")?;
        }
        Ok(())
    }
}
