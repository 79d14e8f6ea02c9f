//! x
use segloss_verify::{Effort, matrix, subject::*, textbook};
fn main() {
    let arg: Vec<String> = std::env::args().collect();
    let seed: u64 = arg[1].parse().unwrap();
    let effort = if arg[2] == "quick" { Effort::Quick } else { Effort::Default };
    for case in matrix::cases(seed, effort).filter(|c| c.name.starts_with(&arg[3])) {
        println!(
            "{} {:?}\n{}{:?}\n{:?}\n{:?}",
            case.name,
            case.grid,
            case.spec.to_toml(),
            case.target,
            case.logits,
            case.weight_map
        );
        let f = Library.evaluate(&case, Precision::F64).unwrap();
        println!("{:?}\n{:?}", f.gradient, textbook::gradient::<f64>(&case));
        let f = Library.evaluate(&case, Precision::F32).unwrap();
        println!("{:?}", f.gradient);
    }
}
