//! `segloss eval`: one loss on arrays from files.

use crate::progress::say;
use ndarray::{ArrayD, Dimension, IxDyn};
use ndarray_npy::WritableElement;
use segloss::{Element, Evaluation, Input, Loss, LossSpec, Sums, Target, Warning};
use segloss_unet::npy::{self, Array, NpyError, NpyFile};
use segloss_unet::output::Output;
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

  segloss eval --spec my.toml --logits batch.npz:z --target batch.npz:y

Arrays are NumPy's .npy, in any byte order, or FILE.npz:NAME. The specification says which axis
holds the classes (`layout`). `segloss losses` lists the kinds.")]
pub struct EvalArgs {
    /// The loss: a TOML or JSON file.
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// Logits, (N, C, spatial…) or (N, spatial…, C): float32, float64, or float16, computed as float32.
    #[arg(long, value_name = "NPY")]
    logits: PathBuf,
    /// Labels (N, spatial…) in any integer type; or a distribution over the classes, shaped like the logits.
    #[arg(long, value_name = "NPY")]
    target: PathBuf,
    /// Valid pixels, (N, spatial…), bool or 0 and 1; besides the specification's `ignore_index`.
    #[arg(long, value_name = "NPY")]
    mask: Option<PathBuf>,
    /// A weight for each pixel, (N, spatial…), that multiplies its loss.
    #[arg(long, value_name = "NPY")]
    weight_map: Option<PathBuf>,
    /// Write the gradient here, with the logits' shape and precision.
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
    #[error("{}: is read here, and would be overwritten; write elsewhere", path.display())]
    Overwriting { path: PathBuf },
    #[error("{}: --grad and --map would overwrite each other", path.display())]
    SameOutput { path: PathBuf },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}", path.display())]
    Spec { path: PathBuf, source: segloss::Error },
    #[error(transparent)]
    Lost(#[from] segloss_unet::Error),
    #[error(transparent)]
    Npy(#[from] NpyError),
    #[error(transparent)]
    Loss(#[from] segloss::Error),
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

impl EvalArgs {
    pub fn run(&self) -> Result<(), EvalError> {
        self.check_outputs()?;
        let loss = self.loss()?;
        let file = NpyFile::open(&self.logits)?;
        match &file.array {
            Array::F32(logits) => self.evaluate(&loss, logits),
            Array::F64(logits) => self.evaluate(&loss, logits),
            _ => Err(file.unexpected_type("float16, float32 or float64: these are logits").into()),
        }
    }

    /// What is written must not replace what is read, or what else is written.
    fn check_outputs(&self) -> Result<(), EvalError> {
        let place = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let inputs = [
            Some(&self.spec),
            Some(&self.logits),
            Some(&self.target),
            self.mask.as_ref(),
            self.weight_map.as_ref(),
        ];
        let inputs = || inputs.into_iter().flatten().map(|path| place(path));
        for output in [&self.grad, &self.map].into_iter().flatten() {
            if inputs().any(|input| input == place(output)) {
                return Err(EvalError::Overwriting { path: output.clone() });
            }
            Output::Npy.check(output)?;
        }
        match (&self.grad, &self.map) {
            (Some(grad), Some(map)) if place(grad) == place(map) => {
                Err(EvalError::SameOutput { path: grad.clone() })
            }
            _ => Ok(()),
        }
    }

    fn loss(&self) -> Result<Loss, EvalError> {
        let path = || self.spec.clone();
        let text =
            std::fs::read_to_string(&self.spec).map_err(|source| EvalError::Read { path: path(), source })?;
        LossSpec::from_text(&text)
            .and_then(Loss::new)
            .map_err(|source| EvalError::Spec { path: path(), source })
    }

    fn evaluate<T: Number>(&self, loss: &Loss, logits: &ArrayD<T>) -> Result<(), EvalError> {
        let target = TargetArray::<T>::read(&self.target, logits.shape())?;
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
            evaluation.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
        }
        Ok(())
    }
}

fn print<T: Number>(out: &mut impl Write, evaluation: &Evaluation) -> io::Result<()> {
    writeln!(out, "value         {}", T::of(evaluation.value))?;
    writeln!(out, "numerator     {}", evaluation.sums.numerator)?;
    writeln!(out, "denominator   {}", evaluation.sums.denominator)?;
    writeln!(out, "valid pixels  {}", evaluation.sums.valid_pixels)?;
    writeln!(out, "\nclass      pixels        weight          loss   mean loss")?;
    for (class, (sums, mean)) in
        evaluation.sums.per_class.iter().zip(evaluation.sums.class_means()).enumerate()
    {
        let mean = mean.map_or_else(|| "–".to_owned(), |mean| format!("{mean:.6}"));
        writeln!(out, "{class:>5} {:>11} {:>13.6} {:>13.6} {mean:>11}", sums.pixels, sums.weight, sums.loss)?;
    }
    for (number, term) in evaluation.terms.iter().enumerate() {
        let (n, value) = (number + 1, T::of(term.value));
        let gap = if number == 0 { "\n" } else { "" };
        writeln!(out, "{gap}term {n}  {value} = {} / {}", term.sums.numerator, term.sums.denominator)?;
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
trait Number: Element + WritableElement {
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

/// A target as the loss takes it.
enum TargetArray<T> {
    Bytes(ArrayD<u8>),
    Labels(ArrayD<i64>),
    Distribution(ArrayD<T>),
}

impl<T: Number> TargetArray<T> {
    /// Floats are a distribution over the classes, and so are integers in the shape of the logits: one-hot rows.
    /// Other integers are labels.
    fn read(path: &Path, logits: &[usize]) -> Result<Self, NpyError> {
        let file = NpyFile::open(path)?;
        // With one axis too few they cannot be meant as rows, whatever their sizes.
        let rows = file.shape() == logits;
        Ok(match file.array {
            Array::Bool(rows_of) if rows => {
                Self::Distribution(rows_of.mapv(|y| T::of(f64::from(u8::from(y)))))
            }
            Array::U8(rows_of) if rows => Self::Distribution(rows_of.mapv(|y| T::of(y.into()))),
            Array::Int(rows_of) if rows => Self::Distribution(rows_of.mapv(|y| T::of(y as f64))),
            Array::Bool(labels) => Self::Bytes(labels.mapv(u8::from)),
            Array::U8(labels) => Self::Bytes(labels),
            Array::Int(labels) => Self::Labels(labels),
            // Targets are often saved in another precision than the logits.
            Array::F32(rows) => Self::Distribution(rows.mapv(|y| T::of(y.into()))),
            Array::F64(rows) => Self::Distribution(rows.mapv(T::of)),
        })
    }

    fn view(&self) -> Target<'_, T> {
        match self {
            Self::Bytes(labels) => Target::indices(labels.view()),
            Self::Labels(labels) => Target::indices(labels.view()),
            Self::Distribution(rows) => Target::distribution(rows.view()),
        }
    }
}

/// bool, or 0 and 1 as a picture's mask has them.
fn read_mask(path: &Path) -> Result<ArrayD<bool>, NpyError> {
    let file = NpyFile::open(path)?;
    let bit = |value: i64, at: IxDyn| match value {
        0 | 1 => Ok(value == 1),
        _ => {
            let at = at.slice().to_vec();
            Err(file.problem(format!(
                "holds {value} at {at:?}; a mask is 1 where a pixel counts, and 0 elsewhere"
            )))
        }
    };
    let bits = |values: ArrayD<i64>| -> Result<ArrayD<bool>, NpyError> {
        let shape = values.raw_dim();
        let bits: Vec<bool> =
            values.indexed_iter().map(|(at, &value)| bit(value, at)).collect::<Result<_, _>>()?;
        Ok(ArrayD::from_shape_vec(shape, bits).unwrap_or_else(|_| unreachable!("as many as before")))
    };
    match &file.array {
        Array::Bool(mask) => Ok(mask.clone()),
        Array::U8(mask) => bits(mask.mapv(i64::from)),
        Array::Int(mask) => bits(mask.clone()),
        _ => Err(file.unexpected_type("bool, or integers that are 0 or 1: this is a mask")),
    }
}

/// Weights are often saved in another precision than the logits.
fn read_weights<T: Number>(path: &Path) -> Result<ArrayD<T>, NpyError> {
    let file = NpyFile::open(path)?;
    match &file.array {
        Array::F32(map) => Ok(map.mapv(|w| T::of(w.into()))),
        Array::F64(map) => Ok(map.mapv(T::of)),
        Array::U8(map) => Ok(map.mapv(|w| T::of(w.into()))),
        Array::Int(map) => Ok(map.mapv(|w| T::of(w as f64))),
        Array::Bool(_) => Err(file.unexpected_type("numbers: these are weights; --mask takes bool")),
    }
}
