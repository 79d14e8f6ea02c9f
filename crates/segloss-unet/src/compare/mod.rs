//! Which loss helps on these images.
pub mod bootstrap;
pub mod statistics;
