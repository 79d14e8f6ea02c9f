//! `segloss weights`: how often each class occurs, and what every scheme makes of it.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use segloss::{Absent, Normalise, Scheme, WeightSpec};
use segloss_unet::balance::Balance;
use segloss_unet::output::Output;
use segloss_unet::{Reading, Source, files};
use serde::Serialize;

use crate::options::SplitArg;
use crate::progress::tell;

/// Count the classes of a data set and show what every weight scheme makes of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss weights                                          the embedded tiles
  segloss weights --data DIR --plot weights.svg
  segloss weights --data DIR --ignore 11 --normalise expected_one
  segloss weights --data DIR --toml >> my_loss.toml        for source = \"dataset\"
  segloss weights --data CAMVID --count-void --reference 0.2565,0.1853,4.3963,…

C classes, f the share of a class among the valid pixels, n its pixels:

  inverse_frequency   1/(C·f)    inverse_sqrt  1/√(C·f)        power γ             (C·f)^−γ
  complement          1 − f      enet          1/ln(1.02 + f)  effective_number β  (1 − β)/(1 − β^n)
  median_frequency    median(f')/f', f' counted over the images that contain the class
  document_scalar     the source document's, 1/C for every class: it balances nothing")]
pub struct WeightsArgs {
    /// The data set, as `segloss train --data` takes it; the embedded tiles if left out.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which masks.
    #[arg(long, value_enum, default_value = "train")]
    split: SplitArg,
    /// The label that counts for nothing; that of dataset.toml if left out.
    #[arg(long, value_name = "LABEL")]
    ignore: Option<u8>,
    /// Count the ignored label as a class of its own, as the published weights for CamVid do.
    #[arg(long)]
    count_void: bool,
    /// γ of the scheme `power`.
    #[arg(long, value_name = "γ", default_value_t = 0.25)]
    power: f64,
    /// β of the scheme `effective_number`; of many pixels only a β very near 1 tells classes apart.
    #[arg(long, value_name = "β", default_value_t = 0.999_999)]
    beta: f64,
    /// The scale of the weights.
    #[arg(long, value_enum, default_value = "none")]
    normalise: NormaliseArg,
    /// Weights to compare `median_frequency` with, class by class.
    #[arg(long, value_name = "W,W,…", value_delimiter = ',')]
    reference: Vec<f64>,
    /// Write a plot of shares and weights here.
    #[arg(long, value_name = "SVG")]
    plot: Option<PathBuf>,
    /// Print JSON: {names, counts, images, images_in_total, schemes: [{scheme, weights}], reference}.
    #[arg(long, group = "form")]
    json: bool,
    /// Print CSV, a row per class.
    #[arg(long, group = "form")]
    csv: bool,
    /// Print the table [dataset] of a specification.
    #[arg(long, group = "form")]
    toml: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum NormaliseArg {
    /// As the scheme makes them.
    None,
    /// Their mean over the classes that occur is 1.
    MeanOne,
    /// Σ f·w = 1: the gradient keeps its scale.
    ExpectedOne,
    /// Their sum is 1.
    SumOne,
}

impl From<NormaliseArg> for Normalise {
    fn from(arg: NormaliseArg) -> Self {
        match arg {
            NormaliseArg::None => Self::None,
            NormaliseArg::MeanOne => Self::MeanOne,
            NormaliseArg::ExpectedOne => Self::ExpectedOne,
            NormaliseArg::SumOne => Self::SumOne,
        }
    }
}

/// What cannot be asked.
#[derive(Debug, thiserror::Error)]
enum WeightsError {
    #[error("--reference has {found} weights; the data set has {classes} classes")]
    Reference { found: usize, classes: usize },
    #[error("--{option} is {found}; expected {expected}")]
    Number { option: &'static str, found: f64, expected: &'static str },
    #[error("--count-void needs an ignored label: give one with --ignore, or name one in dataset.toml")]
    NoVoid,
}

/// How far median frequency weights are from given ones.
#[derive(Serialize)]
struct Comparison<'a> {
    reference: &'a [f64],
    /// ours/theirs − 1.
    relative: Vec<f64>,
    /// The largest |relative|, and its mean.
    largest: f64,
    mean: f64,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    balance: &'a Balance,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a Comparison<'a>>,
}

impl WeightsArgs {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        let number = |fits, option, found, expected| match fits {
            true => Ok(()),
            false => Err(WeightsError::Number { option, found, expected }),
        };
        number(self.power.is_finite(), "power", self.power, "a finite number")?;
        number((0.0..1.0).contains(&self.beta), "beta", self.beta, "at least 0 and below 1")?;
        let split = self.split.into();
        let reading = Reading::open(&Source::new(self.data.as_deref()), &[split], self.ignore)?;
        tell(&reading.notes, &reading.warnings);
        let (masks, classes) = (reading.labels(split)?, reading.classes);
        if self.count_void && classes.ignore_index.is_none() {
            return Err(WeightsError::NoVoid.into());
        }
        let spec =
            WeightSpec { normalise: self.normalise.into(), absent: Absent::Zero, ..WeightSpec::default() };
        let schemes = [
            Scheme::InverseFrequency,
            Scheme::InverseSqrt,
            Scheme::Power(self.power),
            Scheme::MedianFrequency,
            Scheme::Enet,
            Scheme::EffectiveNumber(self.beta),
            Scheme::Complement,
            Scheme::DocumentScalar,
        ];
        let balance =
            Balance::new(masks.iter().map(Vec::as_slice), &classes, self.count_void, &spec, &schemes)?;
        if let [only] = balance.present()[..] {
            let warning = format!("every pixel is of class `{only}`: no weight balances a single class");
            tell(&[], &[warning]);
        }
        let comparison = self.compare(&balance, classes.count())?;
        if let Some(path) = &self.plot {
            Output::Svg.check(path)?;
            files::write_atomic(path, balance.draw()?.as_bytes())?;
        }
        let mut out = io::stdout().lock();
        if self.json {
            let report = Report { balance: &balance, reference: comparison.as_ref() };
            writeln!(out, "{}", serde_json::to_string_pretty(&report).map_err(io::Error::from)?)?;
        } else if self.csv {
            write!(out, "{}", balance.csv()?)?;
        } else if self.toml {
            write!(out, "[dataset]\n{}", toml::to_string(&balance.counts)?)?;
        } else {
            write!(out, "{}", balance.markdown())?;
            if let Some(comparison) = comparison {
                writeln!(out, "\nmedian_frequency against the reference, class by class:")?;
                for (class, relative) in comparison.relative.iter().enumerate() {
                    writeln!(out, "  {:<20} {:+.2} %", balance.names[class], 100.0 * relative)?;
                }
                writeln!(
                    out,
                    "off by {:.2} % at most, {:.2} % on average",
                    100.0 * comparison.largest,
                    100.0 * comparison.mean
                )?;
            }
        }
        Ok(())
    }

    fn compare(&self, balance: &Balance, classes: usize) -> Result<Option<Comparison<'_>>, WeightsError> {
        if self.reference.is_empty() {
            return Ok(None);
        }
        // Where the ignored label is counted, published lists may have a weight for it or leave it out.
        let (found, all) = (self.reference.len(), balance.names.len());
        if found != classes && found != all {
            return Err(WeightsError::Reference { found, classes: all });
        }
        if let Some(&found) = self.reference.iter().find(|w| !(w.is_finite() && **w > 0.0)) {
            return Err(WeightsError::Number { option: "reference", found, expected: "finite numbers > 0" });
        }
        let ours = balance.schemes.iter().find(|weights| weights.scheme == "median_frequency");
        let ours = ours.map_or(&[][..], |weights| weights.weights.as_slice());
        let relative: Vec<f64> = ours.iter().zip(&self.reference).map(|(w, r)| w / r - 1.0).collect();
        let largest = relative.iter().fold(0.0_f64, |most, r| most.max(r.abs()));
        let mean = relative.iter().map(|r| r.abs()).sum::<f64>() / found as f64;
        Ok(Some(Comparison { reference: &self.reference, relative, largest, mean }))
    }
}
