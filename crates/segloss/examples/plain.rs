//! One loss on one batch: its value, its gradient, what each class has and costs, and what the caller should know.
//!
//! ```text
//! $ cargo run --release -p segloss --example plain
//! ```

use ndarray::{Array4, array};
use segloss::{Input, Loss, Scheme, Target, WeightSpec};

fn main() -> Result<(), segloss::Error> {
    // Of every image, rare classes weigh more; 255 marks pixels that nobody labelled.
    let loss = Loss::cross_entropy()
        .ignore_index(255)
        .weights(WeightSpec::per_sample(Scheme::InverseFrequency))
        .build()?;

    // (N, C, H, W): an image of 2 × 3 pixels and three classes.
    let logits = Array4::from_shape_fn((1, 3, 2, 3), |(_, c, y, x)| ((c * 5 + y * 3 + x) % 4) as f32);
    let labels = array![[[0_u8, 0, 1], [0, 255, 0]]];
    let input = Input::new(logits.view(), Target::indices(labels.view()))?;

    // Keep this buffer from step to step; a framework takes it as the gradient of the logits.
    let mut gradient = vec![0.0; logits.len()];
    let result = loss.value_and_gradient(&input, &mut gradient)?;

    println!("value {:.4} = {:.4} / {:.4}", result.value, result.sums.numerator, result.sums.denominator);
    for (class, sums) in result.sums.per_class.iter().enumerate() {
        let weight = result.effective_weights[[0, class]];
        println!("class {class}: {} pixels, each of weight {weight:.3}, cost {:.4}", sums.pixels, sums.loss);
    }
    println!("gradient of the first row of class 0: {:.4?}", &gradient[..3]);
    result.warnings.iter().for_each(|warning| println!("warning: {warning}"));
    Ok(())
}
