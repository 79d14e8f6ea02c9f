//! The answer: every number of a comparison, made of its result files alone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::arm::{differing, loss_text};
use super::bootstrap::{Resampled, resample};
use super::cell;
use super::groups::{self, GroupScores};
use super::plan::{Entry, Place, Plan};
use super::statistics::{ALPHA, holm, interval, mean, smallest_sign_flip_p};
use super::verdict::{Difference, Verdict, decide, difference};
use crate::blocks::Blocks;
use crate::curves::LogRow;
use crate::error::{Error, Result, ResultsProblem};
use crate::folder::{Source, Split};
use crate::metrics::definitions::{self, definition, value};
use crate::metrics::image::ImageResult;
use crate::metrics::overlap::mean as mean_of_some;
use crate::metrics::sums::{ClassSums, Settings, Sums};
use crate::metrics::{Overlap, Report, Results};
use crate::run::Which;

/// Resamples of seeds and images.
pub const RESAMPLES: usize = 2000;
/// An image is better or worse where its mean IoU differs by more.
const POINT: f64 = 0.01;
/// With fewer blocks of images the resamples say little.
const FEW_BLOCKS: usize = 10;

/// A score over the seeds of an arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Value {
    /// The score's name.
    pub metric: &'static str,
    /// Of each seed, in their order.
    pub seeds: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// The 95 % t interval of the mean; none of one seed.
    pub interval: Option<[f64; 2]>,
}

/// An arm against another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contrast {
    /// The other arm's name.
    pub against: String,
    /// The judged seeds that both have: the pairs.
    pub seeds: Vec<u64>,
    /// The score that decides first, if both arms have it.
    pub differences: Vec<Difference>,
    /// None without a pair.
    pub changed: Option<Changed>,
    /// On the score that decides.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
}

impl Contrast {
    /// A score's difference by its name; none where a seed has none, or no seed is done by both.
    pub fn difference(&self, metric: &str) -> Option<&Difference> {
        self.differences.iter().find(|difference| difference.metric == metric)
    }
}

/// How many images changed by more than a point of their mean IoU, averaged over the seeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// By more than a point.
    pub improved: usize,
    /// Within a point.
    pub stable: usize,
    /// By more than a point.
    pub worsened: usize,
}

/// A class of an arm, over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassValue {
    /// Mean IoU of the seeds; none where the class is not in the judged images.
    pub iou: Option<f64>,
    /// The smallest and the largest of the seeds.
    pub iou_range: Option<[f64; 2]>,
    /// Mean recall of the seeds.
    pub recall: Option<f64>,
}

/// What is known of an arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Its name.
    pub name: String,
    /// Its training's name.
    pub training: String,
    /// What is minimised, as keys and values.
    pub loss: String,
    /// Keys of the configuration that differ from the first arm's, the loss apart.
    pub options: Vec<String>,
    /// From logits to classes.
    pub decision: String,
    /// The images by which anything was chosen for it, and what.
    pub chosen_by: String,
    /// The images by which its shift was chosen, if it was.
    pub shift_chosen_by: Option<String>,
    /// Seeds that were judged.
    pub seeds: Vec<u64>,
    /// Seeds that diverged, and why.
    pub failed: Vec<(u64, String)>,
    /// Seeds that are not done.
    pub missing: Vec<u64>,
    /// The score that decides first, if the arm has it.
    pub values: Vec<Value>,
    /// In the order of the comparison's classes.
    pub classes: Vec<ClassValue>,
    /// Pixels by true and predicted class, all seeds together.
    pub confusion: Vec<Vec<u64>>,
    /// Against the first arm, and against that of its `against`; none of the first.
    pub contrasts: Vec<Contrast>,
    /// Validation mean IoU after each epoch, the mean over the seeds.
    pub curve: Vec<f64>,
}

impl Answer {
    /// A score by its name; none where a seed has none, or no seed is done.
    pub fn value(&self, metric: &str) -> Option<&Value> {
        self.values.iter().find(|value| value.metric == metric)
    }
}

/// A class that is judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// Its part of the judged pixels.
    pub share: f64,
    /// Judged images that hold it.
    pub images: usize,
}

/// The answer to the question which arm is better than the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The score that decides.
    pub metric: &'static str,
    /// The data set.
    pub data: String,
    /// The split that was judged.
    pub split: Split,
    /// Which epoch's net was judged.
    pub checkpoint: Which,
    /// The seeds that any arm asks for.
    pub seeds: Vec<u64>,
    /// The fewest seeds that a contrast asks for; none without a contrast.
    pub fewest_pairs: Option<usize>,
    /// Epochs of the first arm.
    pub epochs: usize,
    /// Judged images.
    pub images: usize,
    /// How they are resampled.
    pub blocks: String,
    /// The judged classes.
    pub classes: Vec<Judged>,
    /// What a reader should know before the numbers.
    pub notes: Vec<String>,
    /// The first is what the others are compared with.
    pub arms: Vec<Answer>,
    /// Every arm on each group of the judged images; nothing where there are no two groups.
    pub groups: Vec<GroupScores>,
}

/// What is there of an arm.
struct Found {
    runs: BTreeMap<u64, Results>,
    failed: Vec<(u64, String)>,
    missing: Vec<u64>,
    logs: Vec<Vec<LogRow>>,
}

impl Comparison {
    /// Of what is there: cells that are not done are told, and left out.
    ///
    /// # Errors
    /// If a file is there and cannot be used, or if two cells were judged by other images.
    pub fn of(plan: &Plan, resamples: usize) -> Result<Self> {
        let question = &plan.question;
        let found: Vec<Found> = plan.arm.iter().map(|entry| find(plan, entry)).collect::<Result<_>>()?;
        let mut runs = found.iter().flat_map(|found| &found.runs);
        let any = runs.next().map(|(_, run)| run);
        if let Some(first) = any {
            runs.try_for_each(|(seed, run)| same_images(plan, *seed, first, run))?;
        }
        let names: Vec<&str> =
            any.map_or(Vec::new(), |run| run.images.iter().map(|image| image.name.as_str()).collect());
        let blocks = Blocks::of(&names, &question.grouping);
        // The primary score first.
        let mut metrics: Vec<&'static str> = definitions::names().collect();
        metrics.sort_by_key(|&name| name != question.metric);
        let by_name: BTreeMap<&str, &Found> =
            plan.arm.iter().map(|entry| entry.name.as_str()).zip(&found).collect();
        let mut arms = Vec::new();
        for (entry, own) in plan.arm.iter().zip(&found) {
            let against = |other: &Entry| {
                contrast(&other.name, by_name[other.name.as_str()], own, &metrics, &blocks, resamples)
            };
            let mut contrasts: Vec<Contrast> = plan.partners(entry).map(against).collect();
            correct_secondary(&mut contrasts, metrics[0]);
            arms.push(answer(plan, entry, own, &metrics, contrasts)?);
        }
        judge(&mut arms, metrics[0], question.split.name());
        let arms_and_found = plan.arm.iter().zip(&found);
        let runs: Vec<(&str, Vec<&Results>)> = arms_and_found
            .map(|(entry, found)| (entry.name.as_str(), found.runs.values().collect()))
            .collect();
        let classes = any.map_or(Vec::new(), |run| {
            let sums = Sums::of(run);
            let judged = |class: &ClassSums| Judged {
                name: class.class.name.clone(),
                share: class.overlap.truth() as f64 / sums.valid_pixels.max(1) as f64,
                images: class.ious.len(),
            };
            sums.classes.iter().map(judged).collect()
        });
        let first = &plan.training[&plan.arm[0].training];
        let mut comparison = Self {
            metric: metrics[0],
            data: Source::new(first.data.folder.as_deref()).name(),
            split: question.split,
            checkpoint: question.checkpoint,
            seeds: plan.all_seeds(),
            fewest_pairs: fewest_pairs(plan),
            epochs: first.train.epochs,
            images: names.len(),
            blocks: blocks.description.clone(),
            classes,
            notes: Vec::new(),
            arms,
            groups: groups::scores(&runs, &names, &question.grouping),
        };
        comparison.notes = comparison.notes_on(blocks.blocks.len());
        Ok(comparison)
    }

    fn notes_on(&self, blocks: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(seeds) = self.fewest_pairs.filter(|&seeds| smallest_sign_flip_p(seeds) > ALPHA) {
            notes.push(format!(
                "{seeds} {} can never reach p < {ALPHA} by sign flips ({} at the least): the p-values here assume that seeds \
                 differ as normal numbers do; --seeds 6 needs no such assumption",
                if seeds == 1 { "seed" } else { "seeds" },
                smallest_sign_flip_p(seeds)
            ));
        }
        if self.images > 0 && blocks < FEW_BLOCKS {
            notes.push(format!(
                "{} images ({}): what other images would say is a rough guess",
                self.images, self.blocks
            ));
        }
        if self.split == Split::Val {
            let chose = if self.checkpoint == Which::Best {
                "; they chose the epoch, too: their scores are too good"
            } else {
                ""
            };
            notes.push(format!("the validation images are judged{chose}"));
        }
        let absent: Vec<&str> =
            self.classes.iter().filter(|class| class.images == 0).map(|class| class.name.as_str()).collect();
        if !absent.is_empty() {
            notes.push(format!("no judged image holds `{}`: no score counts it", absent.join("`, `")));
        }
        for arm in &self.arms {
            notes.extend(arm.failed.iter().map(|(seed, why)| format!("`{}`, seed {seed}: {why}", arm.name)));
        }
        let missing: usize = self.arms.iter().map(|arm| arm.missing.len()).sum();
        if missing > 0 {
            notes.push(format!(
                "{missing} of the cells that the arms need are not done yet; run the same command again"
            ));
        }
        notes
    }
}

/// Reads what is there of an arm.
fn find(plan: &Plan, entry: &Entry) -> Result<Found> {
    let mut found =
        Found { runs: BTreeMap::new(), failed: Vec::new(), missing: Vec::new(), logs: Vec::new() };
    for &seed in plan.seeds(entry) {
        let place = Place { training: entry.training.clone(), seed };
        if let Some(why) = cell::failure(plan, &place)? {
            found.failed.push((seed, why));
            continue;
        }
        match cell::result(plan, &place, &entry.decision)? {
            Some(results) => _ = found.runs.insert(seed, results),
            None => found.missing.push(seed),
        }
        found.logs.push(plan.folder(&place).log()?);
    }
    Ok(found)
}

/// Pairs need the same images with the same truth, measured alike.
fn same_images(plan: &Plan, seed: u64, first: &Results, other: &Results) -> Result<()> {
    let truth = |results: &Results| -> Vec<(String, Vec<(u8, u64)>)> {
        let of_image = |image: &ImageResult| {
            let present = image.classes.iter().filter(|class| class.overlap.truth() > 0);
            (image.name.clone(), present.map(|class| (class.label, class.overlap.truth())).collect())
        };
        results.images.iter().map(of_image).collect()
    };
    let same = first.classes == other.classes
        && first.origin.measures == other.origin.measures
        && truth(first) == truth(other);
    if same {
        return Ok(());
    }
    let problem = format!(
        "a cell of seed {seed} was judged by other images, masks or tolerances than the first; remove its results and run again"
    );
    let problem = ResultsProblem::Inconsistent(problem);
    Err(Error::Results { path: plan.out().to_path_buf(), problem })
}

/// The fewest seeds that two arms which are compared are both asked for.
fn fewest_pairs(plan: &Plan) -> Option<usize> {
    let of = |entry| plan.partners(entry).map(move |other| plan.common_seeds(entry, other).len());
    plan.arm.iter().flat_map(of).min()
}

fn answer(
    plan: &Plan,
    entry: &Entry,
    arm: &Found,
    metrics: &[&'static str],
    contrasts: Vec<Contrast>,
) -> Result<Answer> {
    let config = &plan.training[&entry.training];
    let reports: Vec<Report> = arm.runs.values().map(|run| Report::new(run, Settings::default())).collect();
    let of_metric = |&metric: &&'static str| {
        let seeds: Option<Vec<f64>> = reports.iter().map(|report| report.value(metric)).collect();
        let seeds = seeds.filter(|seeds| !seeds.is_empty())?;
        Some(Value { metric, mean: mean(&seeds), interval: interval(&seeds), seeds })
    };
    let first_config = &plan.training[&plan.arm[0].training];
    Ok(Answer {
        name: entry.name.clone(),
        training: entry.training.clone(),
        loss: loss_text(config)?,
        options: differing(config, first_config)?,
        decision: entry.decision.describe(),
        chosen_by: chosen_by(plan, entry),
        shift_chosen_by: entry.decision.is_chosen().then(|| entry.decision.images().to_owned()),
        seeds: arm.runs.keys().copied().collect(),
        failed: arm.failed.clone(),
        missing: arm.missing.clone(),
        values: metrics.iter().filter_map(of_metric).collect(),
        classes: class_values(&reports),
        confusion: confusion(arm),
        contrasts,
        curve: curve(&arm.logs),
    })
}

/// An arm's differences from another; no verdict yet.
fn contrast(
    against: &str,
    other: &Found,
    own: &Found,
    metrics: &[&'static str],
    blocks: &Blocks,
    resamples: usize,
) -> Contrast {
    let seeds: Vec<u64> = own.runs.keys().filter(|seed| other.runs.contains_key(seed)).copied().collect();
    let pairs: Vec<(&Results, &Results)> =
        seeds.iter().map(|seed| (&other.runs[seed], &own.runs[seed])).collect();
    let resampled = match pairs.is_empty() {
        true => vec![None; metrics.len()],
        false => resample(&pairs, blocks, metrics, resamples),
    };
    let sums: Vec<(Sums, Sums)> = pairs.iter().map(|(other, own)| (Sums::of(other), Sums::of(own))).collect();
    let of_metric = |(&metric, resampled): (&&'static str, Option<Resampled>)| {
        let of = |sums: &Sums| value(sums, Settings::default(), metric);
        let differences: Option<Vec<f64>> =
            sums.iter().map(|(other, own)| Some(of(own)? - of(other)?)).collect();
        let differences = differences.filter(|differences| !differences.is_empty())?;
        Some(difference(metric, differences, resampled))
    };
    Contrast {
        against: against.to_owned(),
        differences: metrics.iter().zip(resampled).filter_map(of_metric).collect(),
        changed: (!pairs.is_empty()).then(|| changed(&pairs)),
        seeds,
        verdict: Verdict::Undecided,
        reason: String::new(),
    }
}

/// The scores that do not decide: for as many of them as an arm's contrasts have.
fn correct_secondary(contrasts: &mut [Contrast], primary: &str) {
    let mut secondary: Vec<&mut Difference> = contrasts
        .iter_mut()
        .flat_map(|contrast| &mut contrast.differences)
        .filter(|difference| difference.metric != primary)
        .collect();
    let p: Vec<Option<f64>> = secondary.iter().map(|difference| difference.p).collect();
    let asked = p.iter().flatten().count();
    secondary.iter_mut().zip(holm(&p)).for_each(|(difference, p)| difference.correct(p, asked));
}

fn chosen_by(plan: &Plan, entry: &Entry) -> String {
    let mut chosen = Vec::new();
    if plan.question.checkpoint == Which::Best {
        chosen.push("the epoch by val".to_owned());
    }
    if entry.decision.is_chosen() {
        chosen.push(format!("the shift by {}", entry.decision.images()));
    }
    if chosen.is_empty() { "nothing".to_owned() } else { chosen.join(", ") }
}

/// The verdicts on the primary score: for as many questions as there are contrasts, for other seeds and for other images.
fn judge(arms: &mut [Answer], metric: &str, judged_by: &str) {
    let flaws: BTreeMap<String, String> =
        arms.iter().filter_map(|arm| Some((arm.name.clone(), flaw(arm, judged_by)?))).collect();
    let contrasts = || arms.iter().flat_map(|arm| &arm.contrasts);
    let p: Vec<Option<f64>> = contrasts().map(|contrast| contrast.difference(metric)?.p).collect();
    let asked = p.iter().flatten().count();
    let is_error = definition(metric).is_some_and(|definition| definition.is_error);
    let mut p_holm = holm(&p).into_iter();
    for arm in arms {
        for contrast in &mut arm.contrasts {
            let p_holm = p_holm.next().flatten();
            let difference = contrast.differences.iter_mut().find(|difference| difference.metric == metric);
            (contrast.verdict, contrast.reason) =
                match (flaws.get(&arm.name), flaws.get(&contrast.against), difference) {
                    (Some(flaw), ..) => (Verdict::Undecided, flaw.clone()),
                    (_, Some(flaw), _) => (Verdict::Undecided, format!("`{}`: {flaw}", contrast.against)),
                    (.., None) if arm.seeds.is_empty() => (Verdict::Undecided, "no seed is done".to_owned()),
                    (.., None) => {
                        let why = format!("no seed that `{}` has, too, has this score", contrast.against);
                        (Verdict::Undecided, why)
                    }
                    (.., Some(difference)) => {
                        difference.correct(p_holm, asked);
                        decide(difference, is_error, asked)
                    }
                };
        }
    }
}

/// What makes an arm's scores no evidence, for it or against it.
fn flaw(arm: &Answer, judged_by: &str) -> Option<String> {
    if !arm.failed.is_empty() {
        return Some(format!("{} of its seeds diverged", arm.failed.len()));
    }
    let is_chosen = arm.shift_chosen_by.as_deref() == Some(judged_by);
    is_chosen.then(|| "its shift was chosen by the images that are judged here".to_owned())
}

/// Images by the mean over the seeds of the difference of their mean IoU.
fn changed(pairs: &[(&Results, &Results)]) -> Changed {
    let mut changed = Changed::default();
    let images = pairs.first().map_or(0, |(first, _)| first.images.len());
    for image in 0..images {
        let score = |run: &Results| mean_of_some(run.images[image].classes.iter().map(|c| c.overlap.iou()));
        let differences: Option<Vec<f64>> =
            pairs.iter().map(|(first, own)| Some(score(own)? - score(first)?)).collect();
        // An image of nothing but ignored pixels has no score.
        match differences.map(|differences| mean(&differences)) {
            Some(d) if d > POINT => changed.improved += 1,
            Some(d) if d < -POINT => changed.worsened += 1,
            Some(_) => changed.stable += 1,
            None => {}
        }
    }
    changed
}

fn class_values(reports: &[Report]) -> Vec<ClassValue> {
    let classes = reports.first().map_or(0, |report| report.sums.classes.len());
    let of = |class: usize| {
        let all = |score: fn(&Overlap) -> Option<f64>| -> Option<Vec<f64>> {
            reports.iter().map(|report| score(&report.sums.classes[class].overlap)).collect()
        };
        let ious = all(Overlap::iou);
        let range = |ious: &Vec<f64>| {
            [ious.iter().copied().fold(f64::INFINITY, f64::min), ious.iter().copied().fold(0.0, f64::max)]
        };
        ClassValue {
            iou_range: ious.as_ref().map(range),
            iou: ious.map(|ious| mean(&ious)),
            recall: all(Overlap::recall).map(|recalls| mean(&recalls)),
        }
    };
    (0..classes).map(of).collect()
}

fn confusion(arm: &Found) -> Vec<Vec<u64>> {
    let mut all: Vec<Vec<u64>> = Vec::new();
    for run in arm.runs.values() {
        if all.is_empty() {
            all.clone_from(&run.confusion);
            continue;
        }
        all.iter_mut().flatten().zip(run.confusion.iter().flatten()).for_each(|(all, here)| *all += here);
    }
    all
}

/// The mean over the seeds, as far as each has come.
fn curve(logs: &[Vec<LogRow>]) -> Vec<f64> {
    let epochs = logs.iter().map(Vec::len).max().unwrap_or(0);
    let of_epoch = |epoch: usize| {
        let scores: Vec<f64> = logs.iter().filter_map(|log| log.get(epoch)?.mean_iou).collect();
        mean(&scores)
    };
    (0..epochs).map(of_epoch).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::compare::verdict::tests::with;
    use crate::metrics::Rule;
    use crate::metrics::band::Band;
    use crate::metrics::bins::{BINS, Bin};
    use crate::metrics::image::{ClassResult, Measures};
    use crate::metrics::results::{Origin, ScoredClass};
    use crate::metrics::surface::Surface;

    const PIXELS: f64 = 10_000.0;

    /// Two classes, a rare one and the rest; of each image so many of the rare are found, so many claimed.
    pub(in crate::compare) fn results(found: &[f64], shares: &[f64]) -> Results {
        let image = |(i, (&found, &share)): (usize, (&f64, &f64))| {
            let truth = (share * PIXELS).round() as u64;
            let right = (found.clamp(0.0, 1.0) * truth as f64).round() as u64;
            let overlap = [
                Overlap { found: PIXELS as u64 - truth, claimed: truth - right, missed: 0 },
                Overlap { found: right, claimed: 0, missed: truth - right },
            ];
            let class = |label: u8| ClassResult {
                label,
                overlap: overlap[usize::from(label)],
                surface: Surface::default(),
                band: Band::default(),
                brier: 0.0,
                surprise: 0.0,
            };
            ImageResult { name: i.to_string(), height: 100, width: 100, classes: vec![class(0), class(1)] }
        };
        let class = |label: u8| ScoredClass { label, name: label.to_string() };
        let bins = vec![Bin::default(); BINS];
        Results {
            origin: Origin {
                config: String::new(),
                checkpoint: "best".to_owned(),
                epoch: 1,
                data: String::new(),
                split: "test".to_owned(),
                rule: Rule::default(),
                measures: Measures::default(),
            },
            outputs: 2,
            classes: vec![class(0), class(1)],
            loss: 0.0,
            decided: bins.clone(),
            class_bins: vec![bins; 2],
            confusion: vec![vec![0; 2]; 2],
            images: found.iter().zip(shares).enumerate().map(image).collect(),
        }
    }

    #[test]
    fn images_are_counted_by_a_point() {
        let (a, b) = (results(&[0.5, 0.5, 0.5], &[0.1; 3]), results(&[0.9, 0.501, 0.1], &[0.1; 3]));
        assert_eq!(changed(&[(&a, &b)]), Changed { improved: 1, stable: 1, worsened: 1 });
        assert_eq!(changed(&[(&a, &b), (&b, &a)]), Changed { improved: 0, stable: 3, worsened: 0 });
    }

    /// An arm without scores, for verdicts: its contrasts are against `against`, with these p.
    fn arm(name: &str, contrasts: &[(&str, f64)]) -> Answer {
        let contrast = |&(against, p): &(&str, f64)| Contrast {
            against: against.to_owned(),
            seeds: vec![0, 1, 2],
            differences: vec![with(0.1, p, f64::NAN, [0.05, 0.2])],
            changed: None,
            verdict: Verdict::Undecided,
            reason: String::new(),
        };
        Answer {
            name: name.to_owned(),
            training: name.to_owned(),
            loss: String::new(),
            options: Vec::new(),
            decision: String::new(),
            chosen_by: String::new(),
            shift_chosen_by: None,
            seeds: vec![0, 1, 2],
            failed: Vec::new(),
            missing: Vec::new(),
            values: Vec::new(),
            classes: Vec::new(),
            confusion: Vec::new(),
            contrasts: contrasts.iter().map(contrast).collect(),
            curve: Vec::new(),
        }
    }

    /// Holm of 0.01, 0.02 and 0.03 is 0.03, 0.04 and 0.04; of 0.02, 0.018 and 0.03: 0.054 all.
    #[test]
    fn every_contrast_is_a_question() {
        let verdicts = |p: [f64; 3]| -> Vec<(Verdict, f64)> {
            let mut arms =
                vec![arm("a", &[]), arm("b", &[("a", p[0])]), arm("c", &[("a", p[1]), ("b", p[2])])];
            judge(&mut arms, "mean_iou", "test");
            let of = |contrast: &Contrast| (contrast.verdict, contrast.differences[0].p_holm.unwrap());
            arms.iter().flat_map(|arm| &arm.contrasts).map(of).collect()
        };
        let better = |p| (Verdict::Better, p);
        assert_eq!(verdicts([0.01, 0.02, 0.03]), [better(0.03), better(0.04), better(0.04)]);
        assert!(verdicts([0.02, 0.018, 0.03]).iter().all(|(verdict, _)| *verdict == Verdict::Undecided));
    }

    /// The arm that another is compared with can spoil the verdict as well as the other itself.
    #[test]
    fn a_flaw_of_either_arm_leaves_it_undecided() {
        let p = 0.0001;
        let mut arms = vec![arm("a", &[]), arm("b", &[("a", p)]), arm("c", &[("a", p), ("b", p)])];
        arms[1].shift_chosen_by = Some("val".to_owned());
        judge(&mut arms, "mean_iou", "val");
        let told: Vec<(Verdict, &str)> = arms
            .iter()
            .flat_map(|arm| &arm.contrasts)
            .map(|contrast| (contrast.verdict, contrast.reason.as_str()))
            .collect();
        let flaw = "its shift was chosen by the images that are judged here";
        assert_eq!(told[0], (Verdict::Undecided, flaw));
        assert_eq!(told[1].0, Verdict::Better);
        assert_eq!(told[2], (Verdict::Undecided, &*format!("`b`: {flaw}")));
    }
}
