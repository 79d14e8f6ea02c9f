//! `segloss border-map`: the U-Net's weight map of every mask of a folder.

use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indicatif::ProgressBar;
use ndarray::{Array2, ArrayD, Zip};
use segloss::border::{self, BorderMap, Connectivity};
use segloss_unet::catalogue::is_picture;
use segloss_unet::decode::decode_mask;
use segloss_unet::npy::{self, NpyError};
use segloss_unet::output::Output;
use segloss_unet::picture;
use segloss_unet::pixels::Pixels;
use serde::Serialize;

use crate::progress;

/// Make the U-Net's border weight map of every mask: more weight between cells.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  segloss border-map --masks DIR/train/masks --out maps --cells 1 --pictures
  segloss border-map --masks cells16 --instances --out maps --class-weights balanced --json

For every mask NAME.png this writes NAME.npy, float32 (H, W), the weights

  w(x) = w_c(x) + w0 · exp(−(d1(x) + d2(x))² / (2 · sigma²))

of Ronneberger, Fischer & Brox, U-Net, MICCAI 2015, equation 2. w_c is the class weight of
background or cell, d1 and d2 are the distances in pixels to the nearest and the second-nearest
cell. The second term is added in the background alone, and is 0 with fewer than two cells.
Ignored pixels weigh 0.

A cell is a connected region of the labels in --cells. Where a class marks the outlines of cells
that touch, leave it out: an outline is then background between cells, as in the paper.

To train with them, write them into the folder `maps` beside `images` and `masks`:

  segloss border-map --masks DIR/train/masks --out DIR/train/maps
  segloss train --data DIR --out run --set loss.weights.source=map

`segloss eval` takes one map for all images, (N, H, W), in the order of the target's images:

  python3 -c \"import glob, numpy as np
  np.save('maps.npy', np.stack([np.load(f) for f in sorted(glob.glob('maps/*.npy'))]))\"
  segloss eval --weight-map maps.npy --spec my.toml --logits z.npy --target y.npy")]
pub struct BorderMapArgs {
    /// A folder of masks: PNG, TIFF or BMP files whose grey value (or palette index) is the class.
    #[arg(long, value_name = "DIR")]
    masks: PathBuf,
    /// Where to write, made if needed.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The labels that are cells, as in 1,2; all but 0 if left out.
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    cells: Vec<u8>,
    /// The value of a pixel is the number of its cell, up to 16 bits; 0 is background.
    #[arg(long, conflicts_with_all = ["cells", "connectivity"])]
    instances: bool,
    /// Which pixels are neighbours: those that share an edge, or also those that share a corner.
    #[arg(long, value_enum, default_value = "4")]
    connectivity: ConnectivityArg,
    /// The weight that is added where two cells are closest.
    #[arg(long, value_name = "WEIGHT", default_value_t = BorderMap::default().w0)]
    w0: f64,
    /// How wide a gap between two cells may be and still matter.
    #[arg(long, value_name = "PIXELS", default_value_t = BorderMap::default().sigma)]
    sigma: f64,
    /// The class weights w_c.
    #[arg(long, value_enum, default_value = "none")]
    class_weights: ClassWeights,
    /// Pixels of this label (or, with --instances, this number) weigh 0 and count for nothing.
    #[arg(long, value_name = "LABEL")]
    ignore: Option<u16>,
    /// Write NAME.png, too: from black, weight 0, over red and yellow to white, the largest possible one.
    #[arg(long)]
    pictures: bool,
    /// No progress on standard error.
    #[arg(long, short)]
    quiet: bool,
    /// Print JSON: {w0, sigma, background, cell, masks: [{mask, map, cells, min, mean, max}]}.
    #[arg(long)]
    json: bool,
}

/// So many labels are listed in a message.
const LISTED: usize = 20;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ConnectivityArg {
    /// Pixels that share an edge.
    #[value(name = "4")]
    Four,
    /// Pixels that share an edge or a corner.
    #[value(name = "8")]
    Eight,
}

impl From<ConnectivityArg> for Connectivity {
    fn from(arg: ConnectivityArg) -> Self {
        match arg {
            ConnectivityArg::Four => Self::Faces,
            ConnectivityArg::Eight => Self::Full,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum ClassWeights {
    /// 1 everywhere.
    None,
    /// 1 / (2 · the share of the class, cell or background, in all masks together): their mean is 1.
    Balanced,
}

/// Why there are no maps, or not all of them.
#[derive(Debug, thiserror::Error)]
pub enum BorderMapError {
    #[error("{}: no such folder", path.display())]
    MissingFolder { path: PathBuf },
    #[error("{}: holds no PNG, TIFF or BMP", path.display())]
    Empty { path: PathBuf },
    #[error("{}: has the same name as {}; one map would overwrite the other", path.display(), other.display())]
    SameName { path: PathBuf, other: PathBuf },
    #[error("{}: holds the masks, and their pictures would overwrite them; choose another --out", path.display())]
    Overwriting { path: PathBuf },
    #[error("label {0} is both in --cells and ignored")]
    CellIgnored(u16),
    #[error("--ignore {0} is no label of a mask: these go up to 255, and only --instances goes further")]
    NoSuchLabel(u16),
    #[error("{}: no pixel of any mask is of a cell; the labels are {labels}", path.display())]
    NoCells { path: PathBuf, labels: String },
    #[error(
        "{}: has the colour {colour} at x={x}, y={y}; cells are told by grey values or palette indices: save the \
         mask as such", path.display()
    )]
    Coloured { path: PathBuf, colour: String, x: usize, y: usize },
    #[error(
        "{}: holds {value} at x={x}, y={y}, and labels go up to 255; if it numbers the cells, ask for --instances",
        path.display()
    )]
    Deep { path: PathBuf, value: u16, x: usize, y: usize },
    #[error("{}: {option} {label}: no mask has that label; the labels are {labels}", path.display())]
    AbsentLabel { path: PathBuf, option: &'static str, label: u16, labels: String },
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Mask(#[from] segloss_unet::Error),
    #[error(transparent)]
    Map(#[from] segloss::Error),
    #[error(transparent)]
    Npy(#[from] NpyError),
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

/// What was made.
#[derive(Serialize)]
struct Report {
    w0: f64,
    sigma: f64,
    background: f64,
    cell: f64,
    masks: Vec<Row>,
}

/// One mask and the weights of its pixels, those aside that are ignored.
#[derive(Serialize)]
struct Row {
    mask: String,
    map: PathBuf,
    cells: usize,
    min: Option<f32>,
    mean: Option<f64>,
    max: Option<f32>,
}

impl BorderMapArgs {
    pub fn run(&self) -> Result<(), BorderMapError> {
        self.check()?;
        let masks = self.list()?;
        // Every mask is read and checked before anything is written.
        let map = self.map(&masks)?;
        masks.iter().try_for_each(|path| self.check_outputs(path))?;
        let bar = progress::bar(self.quiet, Some(masks.len() as u64));
        let report = Report {
            w0: map.w0,
            sigma: map.sigma,
            background: map.background,
            cell: map.cell,
            masks: masks.iter().map(|path| self.write(path, &map, &bar)).collect::<Result<_, _>>()?,
        };
        bar.finish_and_clear();
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report).map_err(io::Error::from)?)?;
        } else {
            print(&mut out, &report)?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), BorderMapError> {
        match self.ignore {
            Some(label) if self.cells.iter().any(|&cell| u16::from(cell) == label) => {
                Err(BorderMapError::CellIgnored(label))
            }
            Some(label) if !self.instances && label > u16::from(u8::MAX) => {
                Err(BorderMapError::NoSuchLabel(label))
            }
            _ => Ok(()),
        }
    }

    /// What is written of a mask must replace nothing but earlier maps and pictures.
    fn check_outputs(&self, mask: &Path) -> Result<(), segloss_unet::Error> {
        let stem = mask.file_stem().unwrap_or_default();
        Output::Npy.check(&self.out.join(named(stem, ".npy")))?;
        if self.pictures { Output::Png.check(&self.out.join(named(stem, ".png"))) } else { Ok(()) }
    }

    /// The masks in the order of their names.
    fn list(&self) -> Result<Vec<PathBuf>, BorderMapError> {
        let folder = &self.masks;
        if !folder.is_dir() {
            return Err(BorderMapError::MissingFolder { path: folder.clone() });
        }
        // A folder that does not exist yet is another one.
        if self.pictures && fs::canonicalize(&self.out).ok() == fs::canonicalize(folder).ok() {
            return Err(BorderMapError::Overwriting { path: self.out.clone() });
        }
        let failed = |source| BorderMapError::Io { action: "list", path: folder.clone(), source };
        let (mut masks, mut left_out) = (Vec::new(), 0);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            if !hidden && is_picture(&extension) {
                masks.push(path);
            } else {
                left_out += 1;
            }
        }
        masks.sort();
        if left_out > 0 {
            progress::say(&format!(
                "note: left out: {left_out} files that are hidden, or no PNG, TIFF or BMP"
            ));
        }
        if masks.is_empty() {
            return Err(BorderMapError::Empty { path: folder.clone() });
        }
        let mut stems = HashSet::new();
        if let Some(path) = masks.iter().find(|path| !stems.insert(path.file_stem())) {
            let same = |other: &&PathBuf| other.file_stem() == path.file_stem();
            let other = masks.iter().find(same).unwrap_or(path).clone();
            return Err(BorderMapError::SameName { path: path.clone(), other });
        }
        Ok(masks)
    }

    fn read(&self, path: &Path) -> Result<Array2<u16>, BorderMapError> {
        let failed = |source| BorderMapError::Io { action: "read", path: path.to_owned(), source };
        let bytes = fs::read(path).map_err(failed)?;
        let mask = decode_mask(&bytes, path)?;
        let width = mask.width;
        let Pixels { height, width, data, .. } = mask.numbers().map_err(|(at, [r, g, b])| {
            let (path, x, y) = (path.to_owned(), at % width, at / width);
            BorderMapError::Coloured { path, colour: format!("#{r:02x}{g:02x}{b:02x}"), x, y }
        })?;
        let deep = data.iter().position(|&value| value > u16::from(u8::MAX));
        if let (Some(at), false) = (deep, self.instances) {
            let (path, value, x, y) = (path.to_owned(), data[at], at % width, at / width);
            return Err(BorderMapError::Deep { path, value, x, y });
        }
        Ok(Array2::from_shape_vec((height, width), data)
            .unwrap_or_else(|_| unreachable!("as many values as pixels")))
    }

    fn is_ignored(&self, label: u16) -> bool {
        self.ignore == Some(label)
    }

    fn is_cell(&self, label: u16) -> bool {
        if self.cells.is_empty() {
            label != 0 && !self.is_ignored(label)
        } else {
            self.cells.iter().any(|&cell| u16::from(cell) == label)
        }
    }

    /// The map's parameters; balanced class weights count all masks.
    fn map(&self, masks: &[PathBuf]) -> Result<BorderMap, BorderMapError> {
        let (mut background, mut cell) = (0, 0);
        let mut labels = BTreeSet::new();
        for path in masks {
            for &label in &self.read(path)? {
                labels.insert(label);
                if !self.is_ignored(label) {
                    *if self.is_cell(label) { &mut cell } else { &mut background } += 1;
                }
            }
        }
        let path = self.masks.clone();
        // Cells may be thousands of numbers.
        let first: Vec<String> = labels.iter().take(LISTED).map(u16::to_string).collect();
        let more =
            if labels.len() > LISTED { format!(", … ({} of them)", labels.len()) } else { String::new() };
        let listed = first.join(", ") + &more;
        let cells = self.cells.iter().map(|&label| ("--cells", u16::from(label)));
        let mut asked = cells.chain(self.ignore.map(|label| ("--ignore", label)));
        if let Some((option, label)) = asked.find(|(_, label)| !labels.contains(label)) {
            return Err(BorderMapError::AbsentLabel { path, option, label, labels: listed });
        }
        let others = labels.range(1..u16::from(u8::MAX)).next().is_some();
        let guessed = self.cells.is_empty() && self.ignore.is_none() && !self.instances;
        if guessed && others && labels.contains(&u8::MAX.into()) {
            progress::say("note: label 255 is taken as cells; --ignore 255 leaves out what is not annotated");
        }
        if cell == 0 {
            return Err(BorderMapError::NoCells { path, labels: listed });
        }
        let map = BorderMap { w0: self.w0, sigma: self.sigma, ..BorderMap::default() };
        Ok(match self.class_weights {
            ClassWeights::None => map,
            ClassWeights::Balanced => map.balanced(background, cell),
        })
    }

    /// Makes and writes the map of one mask.
    fn write(&self, path: &Path, map: &BorderMap, bar: &ProgressBar) -> Result<Row, BorderMapError> {
        let stem = path.file_stem().unwrap_or_default();
        bar.set_prefix(stem.to_string_lossy().into_owned());
        let labels = self.read(path)?;
        let cells = if self.instances {
            labels.mapv(|number| if self.is_cell(number) { number.into() } else { 0 }).into_dyn()
        } else {
            border::cells(labels.view(), |&label| self.is_cell(label), self.connectivity.into())
        };
        let mut weights = map.weights(cells.view())?;
        let labels = labels.into_dyn();
        Zip::from(&mut weights).and(&labels).for_each(|weight, &label| {
            if self.is_ignored(label) {
                *weight = 0.0;
            }
        });
        segloss_unet::files::make_folder(&self.out)?;
        let file = self.out.join(named(stem, ".npy"));
        npy::write(&file, &weights)?;
        if self.pictures {
            let largest = (map.background + map.w0).max(map.cell);
            picture::write_png(&self.out.join(named(stem, ".png")), &heat(&weights, largest))?;
        }
        bar.inc(1);

        let valid = || weights.iter().zip(&labels).filter(|(_, label)| !self.is_ignored(**label));
        let weights = || valid().map(|(&weight, _)| weight);
        let pixels = valid().count();
        let sum: f64 = weights().map(f64::from).sum();
        Ok(Row {
            mask: stem.to_string_lossy().into_owned(),
            map: file,
            cells: cells.iter().filter(|&&cell| cell != 0).collect::<HashSet<_>>().len(),
            min: weights().min_by(f32::total_cmp),
            mean: (pixels > 0).then(|| sum / pixels as f64),
            max: weights().max_by(f32::total_cmp),
        })
    }
}

fn named(stem: &OsStr, extension: &str) -> OsString {
    let mut name = stem.to_owned();
    name.push(extension);
    name
}

/// Black for 0, then red, yellow, and white for `largest`.
fn heat(weights: &ArrayD<f32>, largest: f64) -> Pixels {
    let level = |weight: f32| if largest > 0.0 { 3.0 * f64::from(weight) / largest } else { 0.0 };
    let channels =
        |weight| [0.0, 1.0, 2.0].map(|from| ((level(weight) - from).clamp(0.0, 1.0) * 255.0).round() as u8);
    let data = weights.iter().flat_map(|&weight| channels(weight)).collect();
    Pixels { height: weights.shape()[0], width: weights.shape()[1], channels: 3, data }
}

fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let widest = report.masks.iter().map(|row| row.mask.chars().count()).max().unwrap_or(0).max(4);
    let shown = |weight: Option<f64>| weight.map_or_else(|| "–".to_owned(), |weight| format!("{weight:.4}"));
    writeln!(out, "{:<widest$}  cells         min        mean         max", "mask")?;
    for row in &report.masks {
        let [min, mean, max] = [row.min.map(f64::from), row.mean, row.max.map(f64::from)].map(shown);
        writeln!(out, "{:<widest$} {:>6} {min:>11} {mean:>11} {max:>11}", row.mask, row.cells)?;
    }
    let cells: usize = report.masks.iter().map(|row| row.cells).sum();
    let (background, cell) = (report.background, report.cell);
    writeln!(
        out,
        "\n{} masks, {cells} cells; class weights: background {background:.4}, cell {cell:.4}",
        report.masks.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_goes_from_black_to_white() {
        let weights = ndarray::array![[0.0_f32, 1.0, 2.0, 3.0, 1.5]].into_dyn();
        let picture = heat(&weights, 3.0);
        assert_eq!((picture.height, picture.width, picture.channels), (1, 5, 3));
        assert_eq!(picture.data[..12], [0, 0, 0, 255, 0, 0, 255, 255, 0, 255, 255, 255]);
        assert_eq!(picture.data[12..], [255, 128, 0]);
        assert_eq!(heat(&weights, 0.0).data, [0; 15]);
    }
}
