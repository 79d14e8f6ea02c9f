//! What a file that is written may replace: none of a run, and only one of its own kind.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::run::RunFolder;
use crate::{files, torch_weights};

/// What is written to a file of the caller's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// What an evaluation counted.
    Results,
    /// A table of scores, as CSV.
    Scores,
    /// A drawing.
    Svg,
    /// An array.
    Npy,
    /// A picture.
    Png,
    /// A net.
    Onnx,
    /// Weights.
    Safetensors,
}

impl Output {
    /// Checks that the file is not there yet, or was written for the same purpose, and is none of a run.
    ///
    /// # Errors
    /// [`Error::Overwriting`]; [`Error::Io`] if the file that is there cannot be read.
    pub fn check(self, path: &Path) -> Result<()> {
        let refused = |problem: String| Err(Error::Overwriting { path: path.to_path_buf(), problem });
        if let Some(run) = RunFolder::of_file(path) {
            return refused(format!("is a file of the run in {}", run.path().display()));
        }
        // What is no file holds nothing that could be lost.
        if !fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0) {
            return Ok(());
        }
        let bytes = files::read(path)?;
        if torch_weights::is_checkpoint(&bytes) {
            return refused("is a checkpoint of a run".to_owned());
        }
        if self.is_like(&bytes) {
            return Ok(());
        }
        refused(format!("is a file, and no {}", self.name()))
    }

    /// Whether a file begins as one of the kind does.
    fn is_like(self, bytes: &[u8]) -> bool {
        let head = &bytes[..bytes.len().min(64)];
        let text = String::from_utf8_lossy(head);
        match self {
            Self::Results => text.starts_with("{\"format\":") && text.contains("\n\"origin\":"),
            Self::Scores => text.starts_with("label,name,"),
            Self::Svg => text.starts_with("<svg") || text.starts_with("<?xml"),
            Self::Npy => head.starts_with(b"\x93NUMPY"),
            Self::Png => head.starts_with(b"\x89PNG"),
            // The first field of a model is its version, a small number.
            Self::Onnx => matches!(head, [0x08, 1..=0x7F, ..]),
            Self::Safetensors => safetensors::SafeTensors::read_metadata(bytes).is_ok(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Results => "result of an evaluation",
            Self::Scores => "table of scores",
            Self::Svg => "SVG",
            Self::Npy => ".npy",
            Self::Png => "PNG",
            Self::Onnx => "ONNX model",
            Self::Safetensors => "safetensors",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn only_the_same_kind_is_replaced_and_nothing_of_a_run() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("run");
        RunFolder::at(&run).write_config(&Config::default()).unwrap();
        let all = [
            (Output::Results, "{\"format\":2,\n\"origin\":{}}"),
            (Output::Scores, "label,name,tp\n"),
            (Output::Svg, "<svg/>"),
            (Output::Npy, "\u{93}NUMPY"),
            (Output::Png, "\u{89}PNG"),
            (Output::Onnx, "\u{8}\u{8}"),
            (Output::Safetensors, "\u{2}\0\0\0\0\0\0\0{}"),
        ];
        for (at, (output, _)) in all.into_iter().enumerate() {
            let file = root.path().join("x");
            let problem = || output.check(&file).unwrap_err().to_string();
            let _ = fs::remove_file(&file);
            output.check(&file).unwrap();
            fs::write(&file, "").unwrap();
            output.check(&file).unwrap();
            for (other, (_, text)) in all.into_iter().enumerate() {
                // One byte a character.
                fs::write(&file, text.chars().map(|c| c as u8).collect::<Vec<_>>()).unwrap();
                assert_eq!(output.check(&file).is_ok(), at == other, "{output:?} over {text:?}");
            }
            fs::write(&file, "mine").unwrap();
            assert!(
                problem().contains("x: is a file, and no ") && problem().contains("would be lost"),
                "{}",
                problem()
            );
            for name in [
                "config.toml",
                "log.csv",
                "last.safetensors",
                "rule.svg",
                "overlays/a.png",
                "overlays/b/a.png",
            ] {
                let text = output.check(&run.join(name)).unwrap_err().to_string();
                assert!(text.contains(&format!("{name}: is a file of the run in ")), "{text}");
            }
            output.check(&run.join("results/mine.json")).unwrap();
            output.check(&run.join("mine.csv")).unwrap();
            // Without a run beside it, a name says nothing.
            output.check(&root.path().join("log.csv")).unwrap();
        }
    }
}
