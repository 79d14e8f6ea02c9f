//! Classes that are there and are never predicted: what a loss that drowns its rare classes looks like.

use serde::{Deserialize, Serialize};

use crate::metrics::Scores;

/// So many epochs in a row without a pixel of the class are no accident.
pub const PATIENCE: usize = 3;

/// For each scored class that occurs in the validation masks, the epochs in a row in which no validation
/// pixel was predicted to be of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unpredicted {
    /// In the order of [`Scores::classes`]; empty before the first epoch.
    pub epochs: Vec<usize>,
    /// A run is warned once.
    pub warned: bool,
}

impl Unpredicted {
    /// Counts an epoch in. The first time that a class has been missing for [`PATIENCE`] epochs, these are
    /// the names of all such classes; before and after, nothing.
    pub fn observe(&mut self, scores: &Scores) -> Vec<String> {
        self.epochs.resize(scores.classes.len(), 0);
        for (epochs, class) in self.epochs.iter_mut().zip(&scores.classes) {
            *epochs = if class.pixels > 0 && class.predicted == 0 { *epochs + 1 } else { 0 };
        }
        if self.warned {
            return Vec::new();
        }
        let missing = self.epochs.iter().zip(&scores.classes).filter(|(epochs, _)| **epochs >= PATIENCE);
        let names: Vec<String> = missing.map(|(_, class)| class.name.clone()).collect();
        self.warned = !names.is_empty();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Classes;
    use crate::metrics::{Decision, Tally};

    /// Scores of three classes, the third of which does not occur; `predicted` says what class 1 is taken for.
    fn scores(predicted: usize) -> Scores {
        let mut tally = Tally::new(3);
        tally.add(0, Decision { class: 0, confidence: 1.0 });
        tally.add(1, Decision { class: predicted, confidence: 1.0 });
        let names = ["a", "b", "absent"].map(str::to_owned).to_vec();
        tally.scores(&Classes { names, ..Classes::numbered(3, None) })
    }

    #[test]
    fn three_epochs_in_a_row_are_reported_once() {
        let mut unpredicted = Unpredicted::default();
        let reports = [0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0].map(|class| unpredicted.observe(&scores(class)));
        let said: Vec<usize> = (0..reports.len()).filter(|&i| !reports[i].is_empty()).collect();
        assert_eq!((said, &reports[5]), (vec![5], &vec!["b".to_owned()]));
    }
}
