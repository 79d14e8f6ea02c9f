//! The decision rule after training: a shift of the classes, a temperature, the weights of the training taken out.
//!
//! | file | what |
//! |---|---|
//! | [`gather`](mod@gather) | logits and truth of the images that the rule is chosen by |
//! | [`goal`] | the score that is made as large as can be |
//! | [`strength`] | one number t: the shift −t·ln π_c, π the class priors of the training images |
//! | [`per_class`] | one shift for each class, class after class |
//! | [`temperature`](mod@temperature) | T of the least cross-entropy; calibration before and after |
//! | [`correction`] | the class weights that a net was trained with, taken out of its probabilities |
//! | [`fit`](mod@fit) | any of them, with intervals and a cross-fitted estimate |
//! | [`rule_file`] | the rule that a run keeps, and what it was chosen by |
//! | [`plot`] | the score against t |
//!
//! A shift moves the decision and nothing else: arg max (z_c + s_c), s_c = −ln τ_c, is arg max p_c/τ_c, the threshold τ_c of class
//! c. With τ = πᵗ one number goes from plain decisions (t = 0) to those of balanced priors (t = 1), which is logit adjustment after
//! training (Menon et al. 2021, *Long-tail learning via logit adjustment*, eq. 9). A threshold that is the same for all classes, as
//! 1/C is, shifts nothing: it is t = 0.
//!
//! **The largest score on the images that a rule was chosen by is too good.** The cross-fitted estimate is not: the images are cut
//! into five folds of neighbours, each is counted under the rule that the other four choose, and the counts are added.

pub mod correction;
pub mod fit;
pub mod gather;
pub mod goal;
pub mod per_class;
pub mod plot;
pub mod rule_file;
pub mod strength;
pub mod temperature;

pub use fit::{Fit, Shift, choose, fit};
pub use gather::{Gathered, gather};
pub use goal::Goal;
pub use rule_file::RuleFile;
