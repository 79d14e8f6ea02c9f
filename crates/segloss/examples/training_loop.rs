//! A training loop in small: the logits themselves are what is trained, by gradient descent, under a sum of losses whose
//! weights follow a running average of the batches.
//!
//! ```text
//! $ cargo run --release -p segloss --example training_loop
//! ```
//!
//! With a network, its output takes the place of `logits`, and the gradient is handed to its backward pass.

use segloss::kinds::{Combined, Dice};
use segloss::{Classes, Input, Loss, Scheme, Term, WeightSpec};

const SHAPE: [usize; 3] = [2, 3, 8];

fn main() -> Result<(), segloss::Error> {
    let weighted = Loss::cross_entropy().weights(WeightSpec::running(Scheme::InverseSqrt, 0.9));
    let overlap = Loss::of(Dice { classes: Classes::Present, ..Dice::default() });
    let terms = vec![Term::new(1.0, weighted), Term::new(0.5, overlap)];
    let mut loss = Loss::of(Combined::new(terms)).build()?;

    let mut logits = vec![0.0_f32; SHAPE.iter().product()];
    let mut gradient = vec![0.0; logits.len()];
    for step in 0..50 {
        // Two images of eight pixels, most of them of class 0.
        let labels: Vec<u8> =
            (0..16).map(|pixel| u8::from(pixel % 8 > 5) + u8::from(pixel % 8 == 7)).collect();
        let input = Input::from_slices(&logits, &SHAPE, &labels)?;
        // Once a step, before the loss: the running counts take in the batch.
        let counts = loss.label_counts(&input)?.counts();
        loss.update_running_counts(&counts)?;
        let result = loss.value_and_gradient(&input, &mut gradient)?;
        if step % 10 == 0 {
            let terms: Vec<String> = result.terms.iter().map(|term| format!("{:.4}", term.value)).collect();
            println!(
                "step {step:2}: {:.4} = cross-entropy and Dice of {}",
                result.value,
                terms.join(" and ")
            );
        }
        logits.iter_mut().zip(&gradient).for_each(|(z, g)| *z -= 4.0 * g);
    }
    // What must be kept with a checkpoint to go on as if never interrupted.
    println!(
        "running counts: {:?}",
        loss.running_counts().iter().map(|counts| &counts.pixels).collect::<Vec<_>>()
    );
    Ok(())
}
