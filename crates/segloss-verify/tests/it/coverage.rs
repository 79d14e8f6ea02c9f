//! Every operation of `dfdx-conv` is judged: its source is the list that nobody can forget to extend.

use segloss_verify::operation::Operation;
use std::collections::BTreeSet;
use std::path::Path;

/// The public functions of a file that pass a tape on.
fn operations(source: &str) -> impl Iterator<Item = &str> {
    source.split("\npub fn ").skip(1).filter_map(|rest| {
        let signature = rest.split('{').next()?;
        let name = signature.split(['<', '(']).next()?;
        signature.contains("Tape<E, Cpu>").then_some(name)
    })
}

fn add_all(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the source of dfdx-conv lies beside") {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            add_all(&path, found);
        } else {
            let source = std::fs::read_to_string(&path).expect("a source file is text");
            found.extend(operations(&source).map(str::to_owned));
        }
    }
}

#[test]
fn every_operation_on_the_tape_is_judged() {
    let mut found = BTreeSet::new();
    add_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../dfdx-conv/src"), &mut found);
    let judged: BTreeSet<String> =
        Operation::ALL.iter().map(|operation| operation.function().to_owned()).collect();
    assert!(found.len() >= 10, "the source was not understood: {found:?}");
    assert_eq!(found, judged);
}
