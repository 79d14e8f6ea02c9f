//! The configuration of a run: TOML or JSON, every key with a default, unknown keys refused.

mod ranges;
mod sections;
mod sources;

pub use sections::{
    AddedLoss, AugmentConfig, Channels, Config, DataConfig, Flips, ModelConfig, Norm, OptimizerConfig,
    OptimizerKind, ScheduleConfig, ScheduleKind, TrainConfig, Up,
};
pub use sources::Sources;
pub(crate) use sources::{parse, read, section};
