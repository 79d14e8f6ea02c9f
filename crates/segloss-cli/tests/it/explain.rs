//! `segloss explain`: why two losses differ.

use std::process::{Command, Output};

fn explain(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_segloss")).arg("explain").args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text_of(arguments: &[&str]) -> String {
    text(&explain(arguments))
}

#[test]
fn it_says_what_differs_and_for_whom() {
    let found = explain(&[
        "cross_entropy",
        "kind = 'cross_entropy'\n[weights]\nsource = 'per_sample'\nscheme = 'inverse_frequency'",
    ]);
    let said = text(&found);
    assert!(found.status.success(), "{said}");
    assert!(said.contains("they differ on every batch: class 2"), "{said}");
    assert!(said.contains("weights.source"), "{said}");
    let same = text(&explain(&[
        "kind = 'dice'\nsmooth = 0.0",
        "kind = 'tversky'\nalpha = 0.5\nbeta = 0.5\nsmooth = 0.0",
    ]));
    assert!(same.contains("the same loss: values and gradients agree on every batch"), "{same}");
}

#[test]
fn json_holds_the_relation() {
    let found = text(&explain(&["cross_entropy", "kind = 'cross_entropy'\nreduction = 'sum'", "--json"]));
    let found: serde_json::Value = serde_json::from_str(&found).unwrap_or_default();
    let most = found["relation"]["multiple_of_each"][1].as_f64().unwrap_or_default();
    // Two images of 6×8 pixels.
    assert!((most - 96.0).abs() < 1e-9, "{found}");
}

#[test]
fn what_is_no_loss_is_refused() {
    for (args, words) in [
        (["nowhere.toml", "dice"], "cannot read nowhere.toml"),
        (["cros_entropy", "dice"], "did you mean `cross_entropy`?"),
        (["kind = 'dice'\nsmooth = -1.0", "dice"], "the first"),
        (
            [
                "kind = 'cross_entropy'\n[weights]\nsource = 'fixed'\nvalues = [1.0, 2.0]",
                "kind = 'cross_entropy'\n[weights]\nsource = 'fixed'\nvalues = [1.0, 2.0, 3.0]",
            ],
            "classes",
        ),
    ] {
        let found = explain(&args);
        let said = String::from_utf8_lossy(&found.stderr);
        assert_eq!(found.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// An arm of a comparison is explained by its loss; what it has beside that is said. Counts come from the data set.
#[test]
fn an_arm_is_explained_by_its_loss() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let arm = |name: &str| format!("{root}/reports/compare/camvid/arms/{name}.toml");
    let [root_and_lovasz, augmented, shifted] =
        ["04 CE root + Lovasz", "10 CE root + Lovasz, augmented", "01 plain + shift 0.5"].map(arm);
    let tiles = format!("{root}/fixtures/tiny_stardist");
    let found = explain(&[&root_and_lovasz, &augmented, "--data", &tiles]);
    let (said, notes) = (text(&found), String::from_utf8_lossy(&found.stderr).into_owned());
    assert!(said.contains("weights inverse_sqrt of the data set, expected_one"), "{said}{notes}");
    // Counts are named, not listed.
    let counted = text_of(&[&arm("13 CE root"), "dice", "--data", &tiles]);
    assert!(counted.contains("others_in, pixels, present_in, valid"), "{counted}");
    assert!(counted.lines().all(|line| line.chars().count() < 120), "{counted}");
    assert!(said.contains("the same loss: values and gradients agree on every batch"), "{said}");
    assert!(notes.contains("its loss alone is looked at, not `seeds`"), "{notes}");
    assert!(notes.contains("not `against`, `augment`, `data`"), "{notes}");
    // Images are read in vain, or there is nothing to read.
    let refused = |args: &[&str]| {
        let found = explain(args);
        assert_eq!(found.status.code(), Some(2));
        String::from_utf8_lossy(&found.stderr).into_owned()
    };
    assert!(refused(&[&shifted, "dice", "--data", &tiles]).contains("--data has nothing to do"));
    assert!(refused(&[&root_and_lovasz, "dice"]).contains("prints them; or give --data DIR"));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> String {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // A section, or JSON, is read as `compare` reads it.
    for (name, text) in
        [("a.toml", "[loss]\nkind = 'dice'"), ("b.json", r#"{"seeds": 6, "loss": {"kind": "dice"}}"#)]
    {
        let found = text_of(&[&file(name, text), "dice"]);
        assert!(found.contains("the same loss"), "{found}");
    }
    // Counts that the loss has go before the data set's.
    let own = "kind = 'cross_entropy'\nweights = { source = 'dataset' }\n[dataset]\nvalid = 3.0\npixels = [1.0, 1.0, 1.0]\npresent_in = [3.0, 3.0, 3.0]";
    let own = file("own.toml", own);
    assert!(refused(&[&own, "dice", "--data", &tiles]).contains("--data has nothing to do"));
    for (text, words) in [
        ("kind = 'dice'\n[loss]\nkind = 'focal'", "`kind` is beside the sections"),
        ("loss = 3\n[train]\nepochs = 2", "`loss` is 3; expected a table"),
        ("# nothing", "there is no loss in it"),
        (
            "epoch,loss,of,a,long,table,that,has,no,end,at,all\n1,2,3",
            "but `epoch,loss,of,a,long,table,that,has,no,e…`",
        ),
    ] {
        let said = refused(&[&file("odd.toml", text), "dice"]);
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
    }
    assert!(refused(&[folder.path().to_str().unwrap(), "dice"]).contains("is a folder"));
    let decision = folder.path().join("decision.toml");
    std::fs::write(&decision, "seeds = 6\n[decision]\nshift = { fixed = 0.5 }").unwrap();
    let said = refused(&[decision.to_str().unwrap(), "dice"]);
    assert!(said.contains("decision.toml: there is no loss in it"), "{said}");
}
