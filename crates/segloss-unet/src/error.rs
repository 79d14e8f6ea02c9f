//! What can go wrong, in one place: every variant names the file or the setting at fault.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::colour::{PaletteConflict, hex};

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
    /// A file of weights for a net to begin with cannot be used.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: WeightsProblem,
    },
    /// A net cannot be written in the format that was asked for.
    #[error("{}: {problem}", path.display())]
    Export {
        /// The file that was not written.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A run folder cannot be used.
    #[error("{}: {problem}", path.display())]
    Run {
        /// The run folder, or the file in it.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of an evaluation cannot be used.
    #[error("{}: {problem}", path.display())]
    Results {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: ResultsProblem,
    },
    /// Training met an output of the net, a loss or a gradient that is not a finite number.
    #[error(
        "epoch {epoch}, step {step}, learning rate {rate:e}: the {what} is {value}{met}; {}",
        after_divergence(*epoch, *taken)
    )]
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
        /// Where it was met, as far as that is known.
        met: Box<Met>,
    },
    /// The loss refused its options or its input.
    #[error("the loss cannot be computed")]
    Loss(#[from] segloss::Error),
    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Operation(#[from] dfdx_conv::Error),
    /// A picture or a table could not be made.
    #[error("cannot make {what}: {problem}")]
    Encoding {
        /// What it is of.
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

    pub(crate) fn weights(path: impl Into<PathBuf>, problem: WeightsProblem) -> Self {
        Self::Weights { path: path.into(), problem }
    }
}

/// What to try when training has diverged.
/// Where a number that is not finite was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Met {
    /// The first tensor that held one, in words.
    pub first: Option<String>,
    /// The images of the batch, by name.
    pub images: Vec<String>,
    /// The file that replays the step.
    pub replay: Option<PathBuf>,
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = &self.first {
            write!(f, ", first in {first}")?;
        }
        if !self.images.is_empty() {
            write!(f, ", of the images {}", self.images.join(", "))?;
        }
        if let Some(replay) = &self.replay {
            write!(f, " (`segloss replay {}` computes the step again)", replay.display())?;
        }
        Ok(())
    }
}

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
    #[error("no such folder; a data set is DIR/{{train,val,test}}/{{images,masks}}, or DIR/{{images,masks}}")]
    MissingFolder,
    /// There is no image.
    #[error(
        "holds no image; images are PNG, JPEG, TIFF or BMP files in DIR/{{train,val,test}}/images, or in DIR/images{}",
        inside.as_ref().map_or(String::new(), |inside| format!("; did you mean {}?", inside.display()))
    )]
    NoImages {
        /// A folder in it that does hold some.
        inside: Option<PathBuf>,
    },
    /// An image without its mask.
    #[error("{}", missing_mask(expected, example.as_deref(), *missing, *images))]
    MissingMask {
        /// What the mask should be called, without its extension.
        expected: String,
        /// What some mask is called.
        example: Option<String>,
        /// How many images have none.
        missing: usize,
        /// How many images there are.
        images: usize,
    },
    /// A mask or a map without its image.
    #[error("has no image: expected one called {expected}")]
    MissingImage {
        /// What the image should be called, without its extension.
        expected: String,
    },
    /// Two files of one kind share their name.
    #[error("has the same name as {}, and images and masks are paired by name: leave one of them", other.display())]
    SameName {
        /// The other file.
        other: PathBuf,
    },
    /// A set without splits is too small to be divided.
    #[error("{0}")]
    CannotDivide(String),
    /// The bytes are not a whole picture.
    #[error("cannot be decoded: {0}")]
    Decode(String),
    /// A picture of a kind that is not read.
    #[error("is {0}")]
    Unsupported(String),
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
    /// An image of floats holds NaN or an infinity.
    #[error("holds {value} at x={x}, y={y}; an image holds finite numbers")]
    NotFinite {
        /// The number.
        value: f64,
        /// Column of the first such pixel.
        x: usize,
        /// Row of the first such pixel.
        y: usize,
    },
    /// Images of different ranges in one set.
    #[error("is a {found} image, and {} is {expected}: convert one of them, so that equal numbers mean equal light", other.display())]
    MixedDepth {
        /// This one's range.
        found: &'static str,
        /// The other's.
        expected: &'static str,
        /// The other image.
        other: PathBuf,
    },
    /// An image of another range than those that the net learned from.
    #[error("is a {found} image; the net was trained on {expected} ones: convert it to the same range")]
    OtherDepth {
        /// This one's range.
        found: &'static str,
        /// That of the training images.
        expected: &'static str,
    },
    /// A mask in a format that changes labels.
    #[error(
        "a mask must not be a {format}, whose compression blurs labels into each other; make it a PNG from the original"
    )]
    LossyMask {
        /// The format.
        format: &'static str,
    },
    /// A picture that cannot be a mask.
    #[error(
        "a mask is a PNG, TIFF or BMP of grey values, palette indices or RGB colours of 8 bits; this one is {found}"
    )]
    NotAMask {
        /// What came.
        found: String,
    },
    /// A number in a mask that is no label.
    #[error("holds {value} at x={x}, y={y}; a mask holds whole numbers from 0 to 65535")]
    NotALabel {
        /// The number.
        value: f64,
        /// Column of the first such pixel.
        x: usize,
        /// Row of the first such pixel.
        y: usize,
    },
    /// A coloured mask where grey values are expected.
    #[error(
        "has the colour {colour} at x={x}, y={y}, where masks are expected to hold grey values or palette indices; \
         for masks coded by colour, give each [[class]] of dataset.toml its `colour`"
    )]
    ColouredMask {
        /// The colour.
        colour: String,
        /// Column of the first such pixel.
        x: usize,
        /// Row of the first such pixel.
        y: usize,
    },
    /// A value or colour of no class.
    #[error(
        "{found} at x={x}, y={y} is of no class: {known}; name it in dataset.toml (`segloss inspect --data DIR` lists \
         what the masks hold)"
    )]
    UnknownValue {
        /// The value or colour.
        found: String,
        /// Column of the first such pixel.
        x: usize,
        /// Row of the first such pixel.
        y: usize,
        /// What is known, in words.
        known: String,
    },
    /// Palettes that disagree, and classes that have no colours to be told by.
    #[error(
        "its palette says index {} is {}, that of {} says {}: give each [[class]] of dataset.toml its `colour`, so that \
         masks are told by colour",
        .0.index, hex(.0.second.0), .0.first.1.display(), hex(.0.first.0)
    )]
    Palettes(PaletteConflict),
    /// Some masks tell classes by colour and others by value.
    #[error(
        "{} is coded by colour and {} by grey value or palette: save all masks alike",
        coloured.display(), other.display()
    )]
    MixedMasks {
        /// A mask with colours.
        coloured: PathBuf,
        /// One without.
        other: PathBuf,
    },
    /// Too many colours for classes.
    #[error(
        "the masks hold {found} colours, more than classes have: their edges may be blurred by resizing or by lossy \
         compression; give each [[class]] of dataset.toml its `colour`, and the first pixel of another one is named"
    )]
    TooManyColours {
        /// How many.
        found: String,
    },
    /// Many values, of which two are nearly everything.
    #[error(
        "the masks hold {found} values, and two of them make up {percent} % of the pixels: their edges look blurred by \
         resizing or by lossy compression; make the masks anew with nearest neighbours, or name each [[class]] in \
         dataset.toml if these are classes"
    )]
    BlurredValues {
        /// How many.
        found: usize,
        /// The share of the two, rounded down.
        percent: u64,
    },
    /// A few values far apart, which are no labels.
    #[error(
        "the masks hold the values {values}: as labels they would make a net of {outputs} outputs, most of them \
         without a pixel; `segloss inspect --data DIR --write` writes a dataset.toml that makes each value a class, \
         with `value`, to be edited"
    )]
    SparseValues {
        /// The values.
        values: String,
        /// How many outputs the net would have.
        outputs: usize,
    },
    /// 255 may be void or a class.
    #[error("{}", doubtful_void(*void, *labelled, *split))]
    DoubtfulVoid {
        /// Pixels of 255.
        void: u64,
        /// Pixels of labels from 1 to 254.
        labelled: u64,
        /// The split that shows it, if it is one.
        split: Option<&'static str>,
    },
    /// A label to ignore, in masks that hold colours.
    #[error(
        "label {label} is to be ignored, and the masks hold colours: `segloss inspect --data DIR --write` writes a \
         dataset.toml with a class for each, where the one that is not to count gets `ignore = true`"
    )]
    IgnoredColour {
        /// The label.
        label: u8,
    },
    /// A palette that contradicts the colours of a net's classes.
    #[error(
        "its palette says index {index} is {found}, and the net's class {index} has the colour {expected}: the palettes \
         of this data set are not those of the training masks; a dataset.toml with the `colour` of each [[class]], in \
         the order of the net's classes, tells them apart"
    )]
    OtherPalette {
        /// The index.
        index: usize,
        /// Its colour here.
        found: String,
        /// Its colour in training.
        expected: String,
    },
    /// A single class.
    #[error("{}", one_class(found, *ignored))]
    OneClass {
        /// The only value or class.
        found: String,
        /// The ignored label.
        ignored: Option<u8>,
    },
    /// A weight map of another shape than its image.
    #[error(
        "is an array of shape {found:?}; the weights of this image are (height, width) = ({height}, {width})"
    )]
    MapShape {
        /// The shape that came.
        found: Vec<usize>,
        /// Rows of the image.
        height: usize,
        /// Columns of the image.
        width: usize,
    },
    /// A number in a weight map that is no weight.
    #[error("holds {value} at x={x}, y={y}; a weight is a finite number of at least 0")]
    NotAWeight {
        /// The number.
        value: f64,
        /// Column of the first such pixel.
        x: usize,
        /// Row of the first such pixel.
        y: usize,
    },
    /// An image without its weight map.
    #[error("has no weight map: expected {expected}; `segloss border-map` makes maps of the masks")]
    MissingMap {
        /// Where the map should be.
        expected: PathBuf,
    },
    /// Image and mask differ in size.
    #[error("{}", size_mismatch((*mask_width, *mask_height), (*image_width, *image_height)))]
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

fn missing_mask(expected: &str, example: Option<&str>, missing: usize, images: usize) -> String {
    let mut text = format!("has no mask called {expected}");
    if let Some(example) = example {
        text += &format!("; masks are called, for example, {example}");
    } else {
        text += "; there is no mask at all: they belong in a folder called masks, labels or annotations, beside images";
    }
    if missing > 1 {
        text += &format!(" ({missing} of {images} images have none)");
    }
    if example.is_some_and(|example| example.contains(expected)) {
        text += "; `mask_suffix` in dataset.toml says what their names add";
    }
    text
}

fn doubtful_void(void: u64, labelled: u64, split: Option<&str>) -> String {
    let place = split.map_or_else(String::new, |split| format!(" of {split}"));
    format!(
        "the masks{place} hold 255 for {void} pixels and labels from 1 to 254 for {labelled}: that looks like black and \
         white masks with stray values, or like two codings; if 255 is not annotated, say data.ignore_index=255, if it is \
         a class, give it `value = 255` in dataset.toml"
    )
}

fn one_class(found: &str, ignored: Option<u8>) -> String {
    let ignored = ignored.map_or_else(String::new, |label| {
        format!(" (label {label} is ignored; if it is a class, it must not be)")
    });
    format!(
        "the training masks hold {found} and nothing else{ignored}: there is nothing to tell apart, and any net would \
         seem perfect; are these the right masks?"
    )
}

fn size_mismatch(mask: (usize, usize), image: (usize, usize)) -> String {
    let mut text = format!("is {}x{} pixels, its image {}x{}", mask.0, mask.1, image.0, image.1);
    if mask == (image.1, image.0) {
        text += "; it would fit the image turned by a quarter: an EXIF orientation is applied to images, and this \
                 mask may have been drawn without";
    }
    text
}

/// A key whose value is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As in `train.batch_size`.
    pub key: String,
    /// What the run was begun with; `absent` if nothing.
    pub was: String,
    /// What is asked for.
    pub asked: String,
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
        "{}: a run goes on with what it was begun with, but for train.epochs, train.patience, train.overlays, data.folder, \
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
    /// Loss and gradient of a whole epoch are exactly 0.
    #[error(
        "epoch {epoch}: loss and gradient are 0 in every step, so that nothing is learned; are all weights 0 \
         (loss.weights, maps/), or all pixels of the training masks ignored?"
    )]
    NothingToLearn {
        /// Counted from 1.
        epoch: usize,
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

/// What is wrong with the file of an evaluation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsProblem {
    /// More than any evaluation leaves.
    #[error("is larger than {megabytes} MB; it was not written by `segloss evaluate`")]
    TooLarge {
        /// The largest file that is read.
        megabytes: u64,
    },
    /// Not JSON, truncated, or of other keys.
    #[error("is no result of `segloss evaluate`: {0}")]
    Malformed(String),
    /// Written by another version.
    #[error(
        "has format version {found}, this program reads version {expected}; `segloss evaluate --run RUN` writes it again"
    )]
    Version {
        /// In the file.
        found: u32,
        /// Of this program.
        expected: u32,
    },
    /// Numbers that no evaluation gives.
    #[error("its numbers contradict each other: {0}")]
    Inconsistent(String),
}

/// What is wrong with a file of weights for a net to begin with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsProblem {
    /// Not safetensors, truncated, or its header lies.
    #[error(
        "not a whole safetensors file: {0} (in PyTorch, safetensors.torch.save_file(net.state_dict(), path) writes one)"
    )]
    Malformed(String),
    /// A checkpoint of this trainer, whose tensors have other names.
    #[error(
        "is a checkpoint of `segloss train`; `segloss export --run RUN --out FILE.safetensors` writes its weights"
    )]
    Checkpoint,
    /// Not the tensors of the net at hand.
    #[error("{}{hint}", names(missing, unexpected))]
    Names {
        /// What the net needs and the file lacks.
        missing: Vec<String>,
        /// What the file holds and the net has no place for.
        unexpected: Vec<String>,
        /// How the file's net differs; empty if that cannot be told.
        hint: String,
    },
    /// A tensor of another shape.
    #[error("tensor `{name}` is {found:?}, expected {expected:?}{hint}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// Its shape in the net.
        expected: Vec<usize>,
        /// How the file's net differs; empty if that cannot be told.
        hint: String,
    },
    /// A tensor of numbers that are no weights.
    #[error("tensor `{name}` is of type {found}; expected F32, F16, BF16 or F64")]
    ElementType {
        /// The tensor's name.
        name: String,
        /// Its type in the file.
        found: String,
    },
    /// A tensor holds NaN or an infinity, or a number that float32 does not hold.
    #[error("tensor `{name}` holds {value} at position {index}, in float32")]
    NotFinite {
        /// The tensor's name.
        name: String,
        /// Position in the flat tensor.
        index: usize,
        /// The number, as f32.
        value: f64,
    },
    /// A running variance below 0.
    #[error("tensor `{name}` holds {value} at position {index}; a variance is at least 0")]
    Variance {
        /// The tensor's name.
        name: String,
        /// Position in the flat tensor.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A bias where the net has none.
    #[error(
        "tensor `{name}` holds {value} at position {index}, and this net has no such bias; use --set model.bias=true"
    )]
    Bias {
        /// The tensor's name.
        name: String,
        /// Position in the flat tensor.
        index: usize,
        /// The number.
        value: f64,
    },
}

fn names(missing: &[String], unexpected: &[String]) -> String {
    let some = |names: &[String]| {
        let first = names.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if names.len() > 3 { format!("{first} and {} more", names.len() - 3) } else { first }
    };
    match (missing, unexpected) {
        (missing, []) => format!("lacks {}", some(missing)),
        ([], unexpected) => format!("holds {}, for which this net has no place", some(unexpected)),
        _ => format!(
            "lacks {}, and holds {}, for which this net has no place",
            some(missing),
            some(unexpected)
        ),
    }
}
