//! The proof of segloss: oracles, finite differences, fixtures, planted bugs, reports.
