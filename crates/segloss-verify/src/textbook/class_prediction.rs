//! The document's S4: y_pred where the class is the arg max, 0 elsewhere, then the slice of one class.

use segloss::Layout;
use segloss_cases::Grid;

/// One score for each pixel: (N, P).
pub fn class_prediction(scores: &[f64], grid: &Grid, layout: Layout, class: usize) -> Vec<f64> {
    let mut out = Vec::new();
    for n in 0..grid.images {
        for p in 0..grid.pixels() {
            let score = |c| scores[grid.at(layout, n, c, p)];
            // tf.argmax: the first of the largest.
            let mut winner = 0;
            for c in 1..grid.classes {
                if score(c) > score(winner) {
                    winner = c;
                }
            }
            out.push(if winner == class { score(class) } else { 0.0 });
        }
    }
    out
}
