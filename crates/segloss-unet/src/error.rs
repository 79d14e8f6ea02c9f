//! What can go wrong, in one place: every variant names the file or the setting at fault.

use std::path::{Path, PathBuf};

use crate::difference::Change;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the trainer. Its text is one line; [`std::error::Error::source`] leads to the causes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as in "cannot *read* FILE".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A file or folder of a data set is not what it should be.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file or folder at fault.
        path: PathBuf,
        /// What is wrong with it.
        problem: DataProblem,
    },
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigProblem),
    /// A checkpoint cannot be used.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        problem: CheckpointProblem,
    },
    /// A run folder cannot be used.
    #[error("{}: {problem}", path.display())]
    Run {
        /// The run folder, or the file in it.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Training met an output of the net, a loss or a gradient that is not a finite number.
    #[error("epoch {epoch}, step {step}, learning rate {rate:e}: the {what} is {value}; {}", after_divergence(*epoch, *taken))]
    Diverged {
        /// "net's output", "loss" or "gradient norm".
        what: &'static str,
        /// The offending number.
        value: f64,
        /// Epochs count from 1.
        epoch: usize,
        /// Steps count from 1, over the whole run; in a validation, the last step before it.
        step: u64,
        /// The learning rate of that step.
        rate: f64,
        /// Steps that had been taken when it was met: one less, or in a validation all of them.
        taken: u64,
    },
    /// The loss refused its options or its input.
    #[error("the loss cannot be computed")]
    Loss(#[from] segloss::Error),
    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Operation(#[from] dfdx_conv::Error),
    /// A picture could not be encoded or drawn.
    #[error("cannot draw {what}: {problem}")]
    Picture {
        /// Which picture.
        what: String,
        /// Why not.
        problem: String,
    },
}

impl Error {
    /// For `map_err` after a call to the file system.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }

    pub(crate) fn data(path: impl Into<PathBuf>, problem: DataProblem) -> Self {
        Self::Data { path: path.into(), problem }
    }

    pub(crate) fn checkpoint(path: impl Into<PathBuf>, problem: CheckpointProblem) -> Self {
        Self::Checkpoint { path: path.into(), problem }
    }
}

/// What to try when training has diverged.
fn after_divergence(epoch: usize, taken: u64) -> String {
    if taken == 0 {
        return "no step was taken before, so no learning rate is to blame: look at the loss and at the images"
            .to_owned();
    }
    let how = match epoch - 1 {
        0 => "no epoch was completed, so the same command begins anew in the same folder".to_owned(),
        done => format!("`--resume --set optimizer.learning_rate=…` goes on after epoch {done}"),
    };
    format!(
        "training diverged: try a smaller `optimizer.learning_rate`, or limit the gradient (`optimizer.clip_norm=1`); {how}"
    )
}

/// What is wrong with a file or a folder of a data set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DataProblem {
    /// The folder is not there.
    #[error("no such folder; a data set is DIR/{{train,val,test}}/{{images,masks}}")]
    MissingFolder,
    /// The folder holds no image.
    #[error("holds no PNG or JPEG image")]
    Empty,
    /// An image without its mask.
    #[error("has no mask: expected {}", expected.display())]
    MissingMask {
        /// Where the mask should be.
        expected: PathBuf,
    },
    /// A mask without its image.
    #[error("has no image of the same stem in {}", folder.display())]
    MissingImage {
        /// Where the image should be.
        folder: PathBuf,
    },
    /// Two files of one folder share their stem.
    #[error("has the same stem as {other}; images and masks are paired by stem")]
    SameStem {
        /// The other file's name.
        other: String,
    },
    /// The bytes are not a whole PNG or JPEG.
    #[error("cannot be decoded: {0}")]
    Decode(String),
    /// The header promises more pixels than are allowed.
    #[error("is {width}x{height} pixels; at most {limit} pixels are read")]
    TooLarge {
        /// Width in the header.
        width: u32,
        /// Height in the header.
        height: u32,
        /// The allowed number of pixels.
        limit: u64,
    },
    /// A mask that is not an index picture.
    #[error(
        "a mask must be an 8-bit grey or palette PNG whose value is the class index, this one is {colour}; \
         convert it: one index per class, saved as grey"
    )]
    NotAnIndexPicture {
        /// The colour type that came.
        colour: String,
    },
    /// A picture of cells that is not an index picture.
    #[error(
        "a picture of cells must be a grey or palette PNG whose value is the number of its cell, \
         this one is {colour}"
    )]
    NotACellPicture {
        /// The colour type that came.
        colour: String,
    },
    /// Image and mask differ in size.
    #[error("is {mask_width}x{mask_height} pixels, its image {image_width}x{image_height}")]
    SizeMismatch {
        /// Width of the mask.
        mask_width: usize,
        /// Height of the mask.
        mask_height: usize,
        /// Width of the image.
        image_width: usize,
        /// Height of the image.
        image_height: usize,
    },
    /// A label that is neither a class nor the ignored index.
    #[error("label {label} at x={x}, y={y}; {allowed}")]
    LabelOutOfRange {
        /// The label.
        label: u8,
        /// Column of the first such pixel.
        x: usize,
        /// Row of the first such pixel.
        y: usize,
        /// What is allowed, in words.
        allowed: String,
    },
    /// Every pixel of every training mask is ignored, so there is nothing to learn.
    #[error("every pixel of the training masks carries the ignored label {ignored}")]
    NothingLabelled {
        /// The ignored label.
        ignored: u8,
    },
    /// `dataset.toml` cannot be read.
    #[error("{0}")]
    Description(String),
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// A key that does not exist.
    #[error("unknown key `{key}`{}", nearest(.suggestions))]
    UnknownKey {
        /// The full key, as in `train.epoch`.
        key: String,
        /// Known keys that look like it, nearest first.
        suggestions: Vec<String>,
    },
    /// `--set` without `=`, or with an empty key.
    #[error("`{0}` is not of the form key=value, as in train.epochs=5")]
    NotAnAssignment(String),
    /// A value that is none of the names a key may have.
    #[error("`{key}` is \"{value}\"{} It may be `{}`", nearest(&suggestions[..suggestions.len().min(1)]), known.join("`, `"))]
    UnknownValue {
        /// The full key, as in `optimizer.kind`.
        key: String,
        /// What came.
        value: String,
        /// Names that look like it, nearest first.
        suggestions: Vec<String>,
        /// Every name that would do.
        known: Vec<String>,
    },
    /// A value of another type than the key's.
    #[error("`{key}` is {value}; expected {expected}")]
    WrongType {
        /// The full key.
        key: String,
        /// What came, as TOML.
        value: String,
        /// What would do.
        expected: String,
    },
    /// A key that was set although the chosen kind does not read it.
    #[error("`{key}` is {value}, but `{}` is {}, which does not read it ({readers} would); leave the key out", kind.0, kind.1)]
    Idle {
        /// The full key.
        key: &'static str,
        /// What came.
        value: String,
        /// The key of the choice, and what was chosen.
        kind: (&'static str, &'static str),
        /// What reads the key.
        readers: &'static str,
    },
    /// A run that goes on was asked for another configuration than it was begun with.
    #[error(
        "{}: a run goes on with what it was begun with, but for train.epochs, train.overlays, data.folder, \
         optimizer.learning_rate, optimizer.clip_norm and [schedule]; begin another run (--out), or this one anew (--restart)",
        changes(.0)
    )]
    Changed(Vec<Change>),
    /// The text is neither TOML nor JSON.
    #[error("{origin}: {problem}")]
    Malformed {
        /// The file or the assignment.
        origin: String,
        /// The parser's words, on one line.
        problem: String,
    },
    /// A value outside of its range.
    #[error("`{key}` is {value}, expected {expected}")]
    OutOfRange {
        /// The full key.
        key: &'static str,
        /// What came.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

fn nearest(suggestions: &[String]) -> String {
    match suggestions {
        [] => String::new(),
        list => format!("; did you mean `{}`?", list.join("` or `")),
    }
}

fn changes(changes: &[Change]) -> String {
    let one = |Change { key, was, asked }: &Change| format!("`{key}` is {asked}, was {was}");
    changes.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What is wrong with a checkpoint.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointProblem {
    /// Not safetensors, truncated, or its header lies.
    #[error("not a whole safetensors file: {0}")]
    Malformed(String),
    /// Safetensors, but not written by this trainer.
    #[error("has no `segloss` metadata; it was not written by `segloss train`")]
    Foreign,
    /// Written by another version.
    #[error("has format version {found}, this program reads version {expected}")]
    Version {
        /// In the file.
        found: u32,
        /// Of this program.
        expected: u32,
    },
    /// The metadata is not what it should be.
    #[error("its metadata cannot be read: {0}")]
    Metadata(String),
    /// A tensor is missing.
    #[error("lacks the tensor `{0}`")]
    MissingTensor(String),
    /// A tensor has the wrong element type or shape.
    #[error("tensor `{name}` is {found}, expected {expected}")]
    TensorMismatch {
        /// The tensor's name.
        name: String,
        /// Type and shape in the file.
        found: String,
        /// Type and shape of the model.
        expected: String,
    },
    /// A tensor holds NaN or an infinity.
    #[error("tensor `{name}` holds {value} at position {index}")]
    NotFinite {
        /// The tensor's name.
        name: String,
        /// Position in the flat tensor.
        index: usize,
        /// The number.
        value: f64,
    },
}
