//! `segloss eval`: one loss on arrays from files.

use crate::npy::{self, NpyError, NpyFile};
use ndarray::{ArrayD, IxDyn};
use ndarray_npy::{ViewElement, WritableElement};
use segloss::{Element, Evaluation, Input, Loss, LossSpec, Sums, Target, Warning};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Compute a loss on logits and targets from NumPy files.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples (the document's worked example lies in the repository):
  segloss eval --spec fixtures/worked_example/s3.toml \\
      --logits fixtures/worked_example/logits.npy --target fixtures/worked_example/target.npy
  segloss eval --spec my.toml --logits z.npy --target y.npy --grad g.npy --json

The specification says which axis holds the classes (`layout`). `segloss losses` lists the kinds.")]
pub struct EvalArgs {
    /// The loss: a TOML file, or JSON if it ends in .json.
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// Logits, float32 or float64, (N, C, spatial…) or (N, spatial…, C).
    #[arg(long, value_name = "NPY")]
    logits: PathBuf,
    /// Class indices (N, spatial…) as uint8, uint16, int32 or int64; or a distribution like the logits.
    #[arg(long, value_name = "NPY")]
    target: PathBuf,
    /// Valid pixels, bool, (N, spatial…); besides the specification's `ignore_index`.
    #[arg(long, value_name = "NPY")]
    mask: Option<PathBuf>,
    /// A weight for each pixel, float32 or float64, (N, spatial…), that multiplies its loss.
    #[arg(long, value_name = "NPY")]
    weight_map: Option<PathBuf>,
    /// Write the gradient here, with the logits' shape and type.
    #[arg(long, value_name = "NPY")]
    grad: Option<PathBuf>,
    /// Write the map of weighted losses here: one entry a pixel, or per pixel and channel for sigmoid kinds.
    /// Kinds that are no sum over pixels have none.
    #[arg(long, value_name = "NPY")]
    map: Option<PathBuf>,
    /// Print JSON: {value, numerator, denominator, valid_pixels, per_class, effective_weights, warnings,
    /// terms (of a combined loss)}.
    #[arg(long)]
    json: bool,
}

/// Why nothing was computed.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}", path.display())]
    Spec { path: PathBuf, source: segloss::Error },
    #[error(transparent)]
    Npy(#[from] NpyError),
    #[error(transparent)]
    Loss(#[from] segloss::Error),
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

impl EvalArgs {
    pub fn run(&self) -> Result<(), EvalError> {
        let loss = self.loss()?;
        let logits = NpyFile::open(&self.logits)?;
        if let Some(logits) = logits.array::<f32>()? {
            self.evaluate(&loss, &logits)
        } else if let Some(logits) = logits.array::<f64>()? {
            self.evaluate(&loss, &logits)
        } else {
            Err(logits.unexpected_type("float32 or float64").into())
        }
    }

    fn loss(&self) -> Result<Loss, EvalError> {
        let path = || self.spec.clone();
        let text =
            std::fs::read_to_string(&self.spec).map_err(|source| EvalError::Read { path: path(), source })?;
        let json = self.spec.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let spec = if json { LossSpec::from_json(&text) } else { LossSpec::from_toml(&text) };
        spec.and_then(Loss::new).map_err(|source| EvalError::Spec { path: path(), source })
    }

    fn evaluate<T: Number>(&self, loss: &Loss, logits: &ArrayD<T>) -> Result<(), EvalError> {
        let target = TargetArray::<T>::read(&self.target)?;
        let mut input = Input::new(logits.view(), target.view())?;
        let mask = self.mask.as_deref().map(read_mask).transpose()?;
        if let Some(mask) = &mask {
            input = input.with_mask(mask.view())?;
        }
        let map = self.weight_map.as_deref().map(read_weights::<T>).transpose()?;
        if let Some(map) = &map {
            input = input.with_weight_map(map.view())?;
        }
        let mut gradient = vec![T::zero(); logits.len()];
        let evaluation = loss.value_and_gradient(&input, &mut gradient)?;
        // All is computed before anything is written.
        let loss_map = self.map.as_ref().map(|_| loss.map(&input)).transpose()?;
        if let Some(path) = &self.grad {
            // The gradient has as many elements as the logits, so that their shape always fits.
            let gradient = ArrayD::from_shape_vec(IxDyn(logits.shape()), gradient)
                .unwrap_or_else(|_| unreachable!("as long as the logits"));
            npy::write(path, &gradient)?;
        }
        if let (Some(path), Some((_, map))) = (&self.map, &loss_map) {
            npy::write(path, map)?;
        }
        let mut out = io::stdout().lock();
        if self.json {
            let report = Report::new::<T>(&evaluation);
            writeln!(out, "{}", serde_json::to_string_pretty(&report).map_err(io::Error::from)?)?;
        } else {
            print::<T>(&mut out, &evaluation)?;
            for warning in evaluation.terms.iter().chain([&evaluation]).flat_map(|of| &of.warnings) {
                crate::progress::say(&format!("warning: {warning}"));
            }
        }
        Ok(())
    }
}

fn print<T: Number>(out: &mut impl Write, evaluation: &Evaluation) -> io::Result<()> {
    writeln!(out, "value         {}", T::of(evaluation.value))?;
    writeln!(out, "numerator     {}", evaluation.numerator)?;
    writeln!(out, "denominator   {}", evaluation.denominator)?;
    writeln!(out, "valid pixels  {}", evaluation.valid_pixels)?;
    writeln!(out, "\nclass      pixels        weight          loss   mean loss")?;
    for (class, (sums, mean)) in evaluation.per_class.iter().zip(evaluation.class_means()).enumerate() {
        let mean = mean.map_or_else(|| "–".to_owned(), |mean| format!("{mean:.6}"));
        writeln!(out, "{class:>5} {:>11} {:>13.6} {:>13.6} {mean:>11}", sums.pixels, sums.weight, sums.loss)?;
    }
    for (number, term) in evaluation.terms.iter().enumerate() {
        let (n, value) = (number + 1, T::of(term.value));
        let gap = if number == 0 { "\n" } else { "" };
        writeln!(out, "{gap}term {n}  {value} = {} / {}", term.numerator, term.denominator)?;
    }
    if evaluation.effective_weights.is_empty() {
        return Ok(());
    }
    let scope = if evaluation.effective_weights.nrows() == 1 { "batch" } else { "image" };
    writeln!(out, "\neffective weights, a row per {scope}")?;
    for row in evaluation.effective_weights.rows() {
        let row: Vec<_> = row.iter().map(|w| format!("{w:.6}")).collect();
        writeln!(out, "  {}", row.join("  "))?;
    }
    Ok(())
}

/// The evaluation with its value in the logits' own precision.
#[derive(Serialize)]
struct Report<'a> {
    value: Shown,
    #[serde(flatten)]
    sums: &'a Sums,
    effective_weights: Vec<Vec<f64>>,
    warnings: &'a [Warning],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    terms: Vec<Self>,
}

impl<'a> Report<'a> {
    fn new<T: Number>(evaluation: &'a Evaluation) -> Self {
        Self {
            value: T::of(evaluation.value).shown(),
            sums: &evaluation.sums,
            effective_weights: evaluation
                .effective_weights
                .rows()
                .into_iter()
                .map(|row| row.to_vec())
                .collect(),
            warnings: &evaluation.warnings,
            terms: evaluation.terms.iter().map(Self::new::<T>).collect(),
        }
    }
}

/// A number that prints with the digits of its type: 0.33938637, not 0.3393863737583160.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    F32(f32),
    F64(f64),
}

/// An element type of logits that has a place in NumPy files.
trait Number: Element + ViewElement + WritableElement {
    fn shown(self) -> Shown;
}

impl Number for f32 {
    fn shown(self) -> Shown {
        Shown::F32(self)
    }
}

impl Number for f64 {
    fn shown(self) -> Shown {
        Shown::F64(self)
    }
}

/// A target in the type that its file holds.
enum TargetArray<T> {
    U8(ArrayD<u8>),
    U16(ArrayD<u16>),
    I32(ArrayD<i32>),
    I64(ArrayD<i64>),
    Distribution(ArrayD<T>),
}

impl<T: Number> TargetArray<T> {
    fn read(path: &Path) -> Result<Self, NpyError> {
        let file = NpyFile::open(path)?;
        if let Some(labels) = file.array::<u8>()? {
            return Ok(Self::U8(labels));
        }
        if let Some(labels) = file.array::<bool>()? {
            return Ok(Self::U8(labels.mapv(u8::from)));
        }
        if let Some(labels) = file.array::<u16>()? {
            return Ok(Self::U16(labels));
        }
        if let Some(labels) = file.array::<i32>()? {
            return Ok(Self::I32(labels));
        }
        if let Some(labels) = file.array::<i64>()? {
            return Ok(Self::I64(labels));
        }
        // Targets are often saved in another precision than the logits.
        if let Some(rows) = file.array::<f32>()? {
            return Ok(Self::Distribution(rows.mapv(|y| T::of(y.wide()))));
        }
        if let Some(rows) = file.array::<f64>()? {
            return Ok(Self::Distribution(rows.mapv(T::of)));
        }
        Err(file.unexpected_type(
            "uint8, uint16, int32, int64, bool (indices), float32 or float64 (distributions)",
        ))
    }

    fn view(&self) -> Target<'_, T> {
        match self {
            Self::U8(labels) => Target::indices(labels.view()),
            Self::U16(labels) => Target::indices(labels.view()),
            Self::I32(labels) => Target::indices(labels.view()),
            Self::I64(labels) => Target::indices(labels.view()),
            Self::Distribution(rows) => Target::distribution(rows.view()),
        }
    }
}

fn read_mask(path: &Path) -> Result<ArrayD<bool>, NpyError> {
    let file = NpyFile::open(path)?;
    file.array::<bool>()?.ok_or_else(|| file.unexpected_type("bool"))
}

/// Weights are often saved in another precision than the logits.
fn read_weights<T: Number>(path: &Path) -> Result<ArrayD<T>, NpyError> {
    let file = NpyFile::open(path)?;
    if let Some(map) = file.array::<f32>()? {
        return Ok(map.mapv(|w| T::of(w.wide())));
    }
    if let Some(map) = file.array::<f64>()? {
        return Ok(map.mapv(T::of));
    }
    Err(file.unexpected_type("float32 or float64"))
}
