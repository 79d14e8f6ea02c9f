//! A U-Net trained on stable Rust: data folders, training, metrics, checkpoints.
//!
//! The modules follow an image on its way, one file each:
//!
//! [`folder`] → [`catalogue`] → [`decode`] → [`survey`] → [`classes`] (or a [`guess`](mod@guess)) → [`reading`] → [`sample`] →
//! [`dataset`] → [`view`] → [`batch`] → [`reader`] → [`unet`] → [`supervision`] → [`objective`] (the loss) → [`gradient`]
//! → [`optimizer`] → [`average`] → [`schedule`], [`loss_schedule`] → [`evaluate`](mod@evaluate) → [`metrics`] → [`picture`].
//!
//! [`train`](mod@train) is the loop around it, [`progress`] what it tells, [`run`] what it leaves on disk, [`checkpoint`] how it goes on, [`replay`] how a
//! step that went wrong is seen again, [`predict`](mod@predict) what it is for, [`exchange`] how it leaves for other programs
//! ([`onnx`], [`torch_weights`]); [`balance`] weighs the classes of a data set; [`config`] holds every choice, [`random`] every
//! random one.
//! [`tune`] chooses how classes are decided after training, [`compare`](mod@compare) trains under several losses and seeds and says which
//! helps; both resample images in [`blocks`].
//! [`unpredicted`] watches for classes that a run never predicts.
//!
//! **Invariants.** The library prints nothing and ends no process. One seed decides a run: with the same
//! data, configuration and machine, every number is the same bit for bit, for any number of threads, and
//! whether or not the run was interrupted and resumed. Files are written whole or not at all.
//!
//! ```
//! use segloss_unet::{Config, Dataset, Trainer};
//!
//! let mut config = Config::default();
//! (config.model.width, config.model.depth) = (4, 2);
//! config.train.epochs = 1;
//! let data = Dataset::load(&config.data)?;         // the embedded tiles
//! let mut trainer = Trainer::new(&config, &data)?;
//! let report = trainer.run_epoch(&mut ())?;
//! assert!(report.row.train_loss > 0.0);
//! # Ok::<(), segloss_unet::Error>(())
//! ```

pub mod average;
pub mod balance;
mod balance_plot;
pub mod batch;
pub mod blocks;
pub mod catalogue;
pub mod checkpoint;
pub mod classes;
mod colour;
pub mod compare;
pub mod config;
pub mod curves;
pub mod dataset;
pub mod decode;
mod degenerate;
pub mod description;
mod difference;
mod embedded;
mod error;
pub mod evaluate;
pub mod exchange;
mod explain;
pub mod files;
mod fingerprint;
pub mod folder;
pub mod gradient;
pub mod guess;
pub mod html;
pub mod inspect;
pub mod loss_schedule;
pub mod metrics;
pub mod npy;
pub mod objective;
pub mod onnx;
pub mod optimizer;
pub mod output;
pub mod picture;
pub mod pixels;
pub mod predict;
pub mod progress;
mod protobuf;
pub mod random;
pub mod reader;
pub mod reading;
mod real;
pub mod replay;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod split;
pub mod supervision;
pub mod survey;
pub mod table;
pub mod torch_weights;
pub mod train;
pub mod tune;
pub mod unet;
pub mod unpredicted;
pub mod view;
mod weight_map;

pub use checkpoint::Checkpoint;
pub use classes::Classes;
pub use config::Config;
pub use dataset::Dataset;
pub use error::{
    Change, CheckpointProblem, ConfigProblem, DataProblem, Error, Met, Result, ResultsProblem, WeightsProblem,
};
pub use folder::{Source, Split};
pub use metrics::{Report, Results, Scores};
pub use predict::Predictor;
pub use progress::Progress;
pub use reading::Reading;
pub use real::Real;
pub use run::RunFolder;
pub use train::{Trainer, restart, resume, train};
pub use unet::UNet;

/// An allocator for programs that train: without it, a quarter of a step goes into fresh memory.
pub use dfdx_conv::KeepLarge;

/// The sixteen tiles that are compiled in: see [`Source::embedded`].
pub fn embedded() -> Source {
    Source::embedded()
}
