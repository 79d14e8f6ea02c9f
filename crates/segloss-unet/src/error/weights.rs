//! What can be wrong with weights from elsewhere.

/// What is wrong with a file of weights for a net to begin with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsProblem {
    /// Not safetensors, truncated, or its header lies.
    #[error(
        "not a whole safetensors file: {0} (in PyTorch, safetensors.torch.save_file(net.state_dict(), path) writes one)"
    )]
    Malformed(String),
    /// A checkpoint of this trainer, whose tensors have other names.
    #[error(
        "is a checkpoint of `segloss train`; `segloss export --run RUN --out FILE.safetensors` writes its weights"
    )]
    Checkpoint,
    /// Not the tensors of the net at hand.
    #[error("{}{hint}", names(missing, unexpected))]
    Names {
        /// What the net needs and the file lacks.
        missing: Vec<String>,
        /// What the file holds and the net has no place for.
        unexpected: Vec<String>,
        /// How the file's net differs; empty if that cannot be told.
        hint: String,
    },
    /// A tensor of another shape.
    #[error("tensor `{name}` is {found:?}, expected {expected:?}{hint}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// Its shape in the net.
        expected: Vec<usize>,
        /// How the file's net differs; empty if that cannot be told.
        hint: String,
    },
    /// A tensor of numbers that are no weights.
    #[error("tensor `{name}` is of type {found}; expected F32, F16, BF16 or F64")]
    ElementType {
        /// The tensor's name.
        name: String,
        /// Its type in the file.
        found: String,
    },
    /// A tensor holds NaN or an infinity, or a number that float32 does not hold.
    #[error("tensor `{name}` holds {value} at position {index}, in float32")]
    NotFinite {
        /// The tensor's name.
        name: String,
        /// Position in the flat tensor.
        index: usize,
        /// The number, as f32.
        value: f64,
    },
    /// A running variance below 0.
    #[error("tensor `{name}` holds {value} at position {index}; a variance is at least 0")]
    Variance {
        /// The tensor's name.
        name: String,
        /// Position in the flat tensor.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A bias where the net has none.
    #[error(
        "tensor `{name}` holds {value} at position {index}, and this net has no such bias; use --set model.bias=true"
    )]
    Bias {
        /// The tensor's name.
        name: String,
        /// Position in the flat tensor.
        index: usize,
        /// The number.
        value: f64,
    },
}

fn names(missing: &[String], unexpected: &[String]) -> String {
    let some = |names: &[String]| {
        let first = names.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if names.len() > 3 { format!("{first} and {} more", names.len() - 3) } else { first }
    };
    match (missing, unexpected) {
        (missing, []) => format!("lacks {}", some(missing)),
        ([], unexpected) => format!("holds {}, for which this net has no place", some(unexpected)),
        _ => format!(
            "lacks {}, and holds {}, for which this net has no place",
            some(missing),
            some(unexpected)
        ),
    }
}
