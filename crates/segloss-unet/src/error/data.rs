//! What can be wrong with a data set.

use std::path::PathBuf;

use crate::colour::{PaletteConflict, hex};

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
