//! A weighted sum of losses.
//!
//! ```text
//! value     L = Σ_t factor_t·L_t
//! gradient  ∂L/∂z = Σ_t factor_t·∂L_t/∂z
//! ```
//!
//! ```toml
//! kind = "combined"
//! [[terms]]
//! loss = { kind = "cross_entropy" }
//! [[terms]]
//! factor = 0.5
//! loss = { kind = "dice", region = "image" }
//! ```
//!
//! - Each term has options, weights and a denominator of its own; `layout` and `ignore_index` are those of the
//!   combined loss. Terms may be combined losses.
//! - The result has the terms' results in `terms`; numerator and value are the same.
//!
//! Reference: for its terms, see their pages. Dice with cross-entropy: Isensee et al. 2021, "nnU-Net".
