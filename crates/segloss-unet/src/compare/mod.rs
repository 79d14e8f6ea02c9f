//! Which loss helps on these images: several losses, several seeds, one table that a reviewer believes.
//!
//! | file | what |
//! |---|---|
//! | [`arm`] | what is compared: a training and a decision rule |
//! | [`seeds`] | the seeds of an arm that does not take the comparison's |
//! | [`plan`] | all arms and seeds, and where each cell of the grid lies |
//! | [`cell`] | one training under one seed, and what is counted of it |
//! | [`bootstrap`], [`statistics`] | is a difference real, and how large is it? |
//! | [`comparison`] | every number of the answer, made of the result files alone |
//! | [`verdict`] | is one arm better than another in a score? |
//! | [`groups`] | the scores of each sequence or patient apart |
//! | [`tables`] | the answer as text, CSV |
//! | [`page`] | the answer as one page that needs nothing else |
//! | [`slurm`] | the grid on a cluster |
//! | [`thumbnail`] | small pictures for the page |
//!
//! **Pairs.** A seed gives every arm the same first weights, the same order of the images and the same augmentation; so arms
//! are compared seed by seed, on the same images.

pub mod arm;
pub mod bootstrap;
pub mod cell;
pub mod comparison;
pub mod groups;
pub mod page;
pub mod plan;
pub mod seeds;
pub mod slurm;
pub mod statistics;
pub mod tables;
pub mod thumbnail;
pub mod verdict;

pub use arm::{Arm, Decision};
pub use comparison::Comparison;
pub use plan::{Place, Plan, Question};
pub use verdict::Verdict;
