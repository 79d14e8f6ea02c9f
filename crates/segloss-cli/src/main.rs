//! The command line of segloss.
fn main() {}
