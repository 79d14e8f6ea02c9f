//! `compare` as a user meets it: an answer, a grid that goes on after anything, errors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use crate::reports::copy_results;
use crate::trainer::{one_line, segloss, stderr, stdout};

const SMALL: [&str; 8] =
    ["--set", "model.width=4", "--set", "model.depth=2", "--epochs", "2", "--seeds", "2"];

/// Two arms: plain, and with weights, crops and a shift.
fn write_arms(folder: &Path) {
    fs::write(folder.join("plain.toml"), "kind = 'cross_entropy'").unwrap();
    let weighted = "[loss]\nweights = { source = 'per_sample' }\n[data]\ncrop = [64, 64]\n[decision]\nshift = 'strength'\n";
    fs::write(folder.join("weighted.toml"), weighted).unwrap();
}

fn small<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["compare", "--out", out, "plain.toml", "weighted.toml"][..], &SMALL, more].concat()
}

#[track_caller]
fn done(folder: &Path, args: &[&str]) -> String {
    let output = segloss(folder, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

/// What the answer rests on: every file below `cells` that holds results or weights, and the tables.
fn content(out: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            // What a kill interrupts in the writing stays beside, under a name that nothing reads.
            if name.starts_with(".writing-") {
                continue;
            }
            // Seconds, and commands, differ.
            if path.is_dir() {
                folders.push(path);
            } else if !["log.csv", "plan.toml", "comparison.html", "slurm.sh"].contains(&&*name) {
                files.push((path.strip_prefix(out).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[track_caller]
fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (content(a), content(b));
    let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for (a, b) in a.iter().zip(&b) {
        assert!(a.1 == b.1, "{} differs", a.0.display());
    }
}

#[test]
fn two_arms_two_seeds() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    write_arms(dir);
    let text = done(dir, &small("cmp", &[]));
    assert!(text.contains("weighted: undecided; "), "{text}");
    assert!(text.contains("2 seeds can never reach p < 0.05 by sign flips (0.5 at the least)"), "{text}");
    assert!(text.ends_with("cmp/comparison.html\n"), "{text}");
    let page = fs::read_to_string(dir.join("cmp/comparison.html")).unwrap();
    for part in [
        "<svg",
        "data:image/jpeg;base64,",
        "weights.source = &quot;per_sample&quot;",
        "data.crop = [64, 64]",
        "shift −t·ln π",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let frontier = fs::read_to_string(dir.join("cmp/frontier.svg")).unwrap();
    for part in ["<svg xmlns=", ">plain</text>", ">weighted</text>"] {
        assert!(frontier.contains(part), "{part}");
    }
    // Nothing is fetched from anywhere.
    for outside in ["http:", "https:", "<script", "<link", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }

    // The answer again, from the result files alone.
    let before = fs::read(dir.join("cmp/comparison.json")).unwrap();
    for seed in ["cmp/cells/plain/seed-0", "cmp/cells/weighted/seed-1"] {
        fs::remove_file(dir.join(seed).join("best.safetensors")).unwrap();
        fs::remove_file(dir.join(seed).join("last.safetensors")).unwrap();
    }
    let json = done(dir, &["compare", "--out", "cmp", "--report", "--json"]);
    assert_eq!(json.as_bytes(), before);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["arms"][1]["values"][0]["metric"], "mean_iou");
    assert_eq!(json["arms"][1]["seeds"], serde_json::json!([0, 1]));

    // Another score decides; more seeds and arms add to what is there.
    fs::write(dir.join("third.toml"), "kind = 'focal'").unwrap();
    let text = done(dir, &["compare", "--out", "cmp", "third.toml", "--seeds", "3", "--metric", "nll"]);
    assert!(text.contains(" NLL |"), "{text}");
    assert!(text.contains("third: ") && text.contains("seeds 0, 1, 2"), "{text}");
    let rows = fs::read_to_string(dir.join("cmp/comparison.csv")).unwrap();
    let focal = rows.lines().find(|row| row.starts_with("third,") && row.contains(",nll,")).unwrap();
    assert_eq!(focal.split(',').nth(4), Some("3"), "{focal}");
    // What was asked for once is not asked for in vain.
    let text = one_line(dir, &["compare", "--out", "cmp", "--epochs", "5"]);
    assert!(text.contains("began with other --config, --set or --epochs"), "{text}");
    fs::write(dir.join("third.toml"), "kind = 'dice'").unwrap();
    let text = one_line(dir, &["compare", "--out", "cmp", "third.toml"]);
    assert!(text.contains("arm `third` is there with `loss.kind` = \"focal\", not \"dice\""), "{text}");

    // A score that is not there decides nothing; every class is in every image here.
    let text = done(dir, &["compare", "--out", "cmp", "--report", "--metric", "mean_claimed_where_absent"]);
    assert!(
        text.contains("third: undecided; no seed that `plain` has") && !text.contains("better;"),
        "{text}"
    );
    // A cell whose checkpoints are gone is done again, and comes to the same.
    let results = dir.join("cmp/cells/plain/seed-0/results/test-best.json");
    let before = fs::read(&results).unwrap();
    fs::remove_file(&results).unwrap();
    done(dir, &["compare", "--out", "cmp", "--quiet"]);
    assert!(fs::read(&results).unwrap() == before);

    // A new rule needs the nets; where results and logs alone were kept, they are trained again.
    fs::write(
        dir.join("shifted.toml"),
        "[loss]\nkind = 'cross_entropy'\n[decision]\nshift = { fixed = 0.5 }\n",
    )
    .unwrap();
    copy_results(&dir.join("cmp"), &dir.join("kept"));
    let [with, without] = ["cmp", "kept"].map(|out| {
        done(dir, &["compare", "--out", out, "shifted.toml", "--quiet"]);
        fs::read(dir.join(out).join("cells/plain/seed-1/results/test-best-strength_0.5.json")).unwrap()
    });
    assert!(with == without);
}

/// What is chosen by the images that are judged is not judged by them.
#[test]
fn a_shift_is_not_judged_by_the_images_that_it_was_chosen_by() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    write_arms(dir);
    let text = done(dir, &small("cmp", &["--split", "val", "--checkpoint", "last"]));
    assert!(
        text.contains("weighted: undecided; its shift was chosen by the images that are judged here"),
        "{text}"
    );
    assert!(text.contains("note: the validation images are judged\n"), "{text}");
}

/// Other images than those that it began with would be averaged with them in silence.
#[test]
#[cfg(unix)]
fn other_images_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    write_arms(dir);
    let args = [&["compare", "--out", "cmp", "plain.toml", "weighted.toml", "--plan"][..], &SMALL].concat();
    done(dir, &args);
    let tiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist");
    for split in ["train", "val", "test"] {
        for kind in ["images", "masks"] {
            let (from, to) = (tiles.join(split).join(kind), dir.join("fewer").join(split).join(kind));
            fs::create_dir_all(&to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let path = entry.unwrap().path();
                if split != "train" || path.file_stem().unwrap() != "r1c3" {
                    fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
                }
            }
        }
    }
    fs::copy(tiles.join("dataset.toml"), dir.join("fewer/dataset.toml")).unwrap();
    let plan = fs::read(dir.join("cmp/plan.toml")).unwrap();
    for args in [&["--seeds", "3"][..], &["--cell", "0"], &[]] {
        let args: Vec<&str> =
            ["compare", "--out", "cmp", "--data", "fewer"].into_iter().chain(args.iter().copied()).collect();
        let text = one_line(dir, &args);
        assert!(text.contains("these are not the training and validation images"), "{text}");
        assert!(fs::read(dir.join("cmp/plan.toml")).unwrap() == plan);
    }
    // A data set that has its splits may still say which images belong together.
    let said = fs::read_to_string(tiles.join("dataset.toml")).unwrap();
    fs::write(dir.join("fewer/dataset.toml"), format!("{said}\n[split]\ngroup = {{ characters = 2 }}\n"))
        .unwrap();
    let args =
        [&["compare", "--out", "two", "--data", "fewer", "plain.toml", "weighted.toml"][..], &SMALL].concat();
    let text = done(dir, &args);
    assert!(
        text.contains("blocks of neighbouring images within 1 group by the first 2 characters"),
        "{text}"
    );
    fs::write(dir.join("fewer/dataset.toml"), format!("{said}\n[split]\nval = 0.2\n")).unwrap();
    assert!(
        one_line(dir, &["compare", "--out", "three", "--data", "fewer"]).contains("take out all but `group`")
    );
}

/// One process, four processes of a cell each, and processes that are killed: the same bits.
#[test]
fn cells_and_kills_give_the_bits_of_one_process() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    write_arms(dir);
    let began = Instant::now();
    done(dir, &small("whole", &["--quiet"]));
    let length = began.elapsed();

    let text = done(dir, &small("grid", &["--plan"]));
    assert!(text.starts_with("4 cells: 2 arms, seeds [0, 1]"), "{text}");
    let script = fs::read_to_string(dir.join("grid/slurm.sh")).unwrap();
    assert!(script.contains("--array=0-3") && script.contains("--cell \"$SLURM_ARRAY_TASK_ID\""), "{script}");
    for cell in ["2", "0", "3", "1", "2"] {
        done(dir, &["compare", "--out", "grid", "--cell", cell, "--threads", "1"]);
    }
    done(dir, &["compare", "--out", "grid", "--report"]);
    assert_same(&dir.join("whole"), &dir.join("grid"));
    assert!(one_line(dir, &["compare", "--out", "grid", "--cell", "4"]).contains("the cells are 0 to 3"));

    let start = |args: &[&str]| -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_segloss"));
        command.current_dir(dir).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut number = 0;
    loop {
        let mut child = start(&small("killed", &["--quiet"]));
        // A little longer each time, so that the end is reached.
        sleep(length.mul_f64(0.13 + 0.1 * f64::from(number)));
        let _ = child.kill();
        number += 1;
        if child.wait().unwrap().code() == Some(0) {
            break;
        }
    }
    assert!(number > 1, "nothing was killed");
    assert_same(&dir.join("whole"), &dir.join("killed"));
}

#[test]
fn an_arm_that_diverges_is_told_and_stays() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    write_arms(dir);
    fs::write(
        dir.join("wild.toml"),
        "[optimizer]\nkind = 'sgd'\nlearning_rate = 1e30\n[model]\nnorm = 'none'\n",
    )
    .unwrap();
    let args = [&["compare", "--out", "cmp", "plain.toml", "wild.toml"][..], &SMALL].concat();
    let output = segloss(dir, &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("wild: undecided; 2 of its seeds diverged"), "{text}");
    assert!(text.contains("note: `wild`, seed 0: epoch 1, step "), "{text}");
    assert!(stderr(&output).contains("warning: 2/4 wild, seed 0: diverged"), "{}", stderr(&output));
    // And is not tried in vain again.
    assert!(stderr(&segloss(dir, &["compare", "--out", "cmp"])).contains("4 of 4 cells are done"));
}

#[test]
fn what_cannot_be_compared_is_refused_before_anything_is_written() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    write_arms(dir);
    fs::write(dir.join("bad.toml"), "kind = 'cross_entropie'").unwrap();
    fs::write(dir.join("held.toml"), "[decision]\nshift = 'strength'\nheld_out = true").unwrap();
    fs::write(dir.join("far.toml"), "[data]\nheld_out = ['nothing']").unwrap();
    fs::write(dir.join("same.toml"), "[loss]\nkind = 'cross_entropy'").unwrap();
    fs::write(
        dir.join("class.toml"),
        "[decision]\nshift = 'strength'\ngoal = { f_beta = { class = 7, beta = 2.0 } }",
    )
    .unwrap();
    fs::write(
        dir.join("beta.toml"),
        "[decision]\nshift = 'strength'\ngoal = { f_beta = { class = 1, beta = nan } }",
    )
    .unwrap();
    fs::write(dir.join("idle.toml"), "[decision]\ngoal = 'accuracy'").unwrap();
    fs::write(dir.join("steep.toml"), "[decision]\nshift = { fixed = 1e300 }").unwrap();
    fs::write(dir.join("seed.toml"), "[train]\nseed = 4").unwrap();
    fs::write(dir.join("word.toml"), "[decision]\nshift = 'strong'").unwrap();
    fs::write(dir.join("none.toml"), "seeds = 0\nkind = 'dice'").unwrap();
    fs::write(dir.join("apart.toml"), "seeds = [7]\nkind = 'dice'").unwrap();
    fs::write(dir.join("number.toml"), "against = 3\nkind = 'dice'").unwrap();
    fs::write(dir.join("lost.toml"), "against = 'gone'\nkind = 'dice'").unwrap();
    fs::write(dir.join("left.toml"), "against = 'right'\nkind = 'dice'").unwrap();
    fs::write(dir.join("right.toml"), "against = 'left'\nkind = 'jaccard'").unwrap();
    for (args, expected) in [
        (&["plain.toml"][..], "one arm has nothing to be compared with"),
        (&["plain.toml", "gone.toml"], "cannot read gone.toml"),
        (&["plain.toml", "bad.toml"], "did you mean `cross_entropy`"),
        (&["plain.toml", "held.toml"], "`data.held_out` holds no image out"),
        (&["plain.toml", "far.toml"], "`data.held_out` has \"nothing\""),
        (&["plain.toml", "same.toml"], "arms `plain` and `same` are the same"),
        (
            &["plain.toml", "class.toml"],
            "`decision.goal` is F_2 of label 7; expected a label of the 3 classes",
        ),
        (&["plain.toml", "beta.toml"], "`decision.goal` is F_NaN"),
        (&["plain.toml", "idle.toml"], "act where a shift is looked for"),
        (&["plain.toml", "steep.toml"], "expected a number from −10 to 10"),
        (&["--metric", "calibration_error"], "--metric is `calibration_error`; the scores are"),
        (&["plain.toml", "seed.toml"], "`train.seed` does not act in an arm"),
        (&["plain.toml", "word.toml"], "`decision.shift` is \"strong\""),
        (&["plain.toml", "plain.toml"], "one arm"),
        (&["plain.toml", "none.toml"], "`seeds` is 0; expected a number from 1 to 1000"),
        (&["plain.toml", "apart.toml"], "arms `apart` and `plain` have no seed in common"),
        (&["plain.toml", "number.toml"], "`against` is 3; expected the name of another arm"),
        (&["plain.toml", "lost.toml"], "there is no such arm; the arms are `plain`, `lost`"),
        (&["plain.toml", "left.toml", "right.toml"], "arm `left` is compared with itself"),
        (&["left.toml", "plain.toml"], "there is no such arm"),
        (&["--metric", "miou"], "--metric is `miou`; the scores are mean_iou"),
        (&["--set", "loss.kind=dice"], "the arms say what is compared"),
        (&["--data", "gone"], "gone: no such folder"),
        (&["--report"], "cannot read cmp/plan.toml"),
        (&["--cell", "0"], "cannot read cmp/plan.toml"),
    ] {
        let args: Vec<&str> = ["compare", "--out", "cmp"].into_iter().chain(args.iter().copied()).collect();
        let text = one_line(dir, &args);
        assert!(text.contains(expected), "{args:?}: {text}");
        assert!(!dir.join("cmp").exists(), "{args:?}");
    }
    fs::create_dir(dir.join("cmp")).unwrap();
    fs::write(dir.join("cmp/plan.toml"), "format = 1\n").unwrap();
    assert!(one_line(dir, &["compare", "--out", "cmp"]).contains("is no plan of `segloss compare`"));
}

/// An arm may have seeds of its own, and another arm besides the first that it is compared with.
#[test]
fn seeds_and_partners_of_each_arm() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let tiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist");
    copy(&tiles, &dir.join("data"));
    let said = fs::read_to_string(tiles.join("dataset.toml")).unwrap();
    fs::write(dir.join("data/dataset.toml"), format!("{said}\n[split]\ngroup = {{ characters = 4 }}\n"))
        .unwrap();
    let third = |seeds: &str| format!("against = 'weighted'\nseeds = {seeds}\nkind = 'focal'");
    for (name, text) in [
        ("plain", "seeds = 3\nkind = 'cross_entropy'"),
        ("shifted", "[decision]\nshift = { fixed = 0.5 }"),
        ("weighted", "weights = { source = 'per_sample' }"),
        ("third", &third("[5, 1]")),
    ] {
        fs::write(dir.join(format!("{name}.toml")), text).unwrap();
    }
    let arms = ["plain.toml", "shifted.toml", "weighted.toml", "third.toml"];
    let args = [&["compare", "--out", "cmp", "--data", "data", "--plan"][..], &arms, &SMALL].concat();
    let text = done(dir, &args);
    let grid = "7 cells: 4 arms, seeds [0, 1, 2, 5]\n     0  plain, seed 0\n     1  weighted, seed 0\n     2  plain, seed 1\n     \
                3  weighted, seed 1\n     4  third, seed 1\n     5  plain, seed 2\n     6  third, seed 5\n";
    assert!(text.starts_with(grid), "{text}");
    assert!(fs::read_to_string(dir.join("cmp/slurm.sh")).unwrap().contains("--array=0-6"));
    done(dir, &["compare", "--out", "cmp", "--cell", "5"]);
    let results =
        |cell: &str| fs::read_dir(dir.join("cmp/cells").join(cell).join("results")).unwrap().count();
    assert_eq!(results("plain/seed-2"), 1, "the shift has not asked for this seed");

    // An arm's file says anew how often and with what; everything else goes on.
    fs::write(dir.join("third.toml"), third("2")).unwrap();
    let text = done(dir, &["compare", "--out", "cmp", "third.toml", "--quiet"]);
    assert_eq!(results("plain/seed-1"), 2);
    for line in ["third: undecided; ", "third against weighted: undecided; "] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    let of_third = |line: &str| line.starts_with("| r3c0, 1, 3 ") && line.contains("| third ");
    assert!(text.lines().any(of_third), "{text}");
    let cells = |training: &str| fs::read_dir(dir.join("cmp/cells").join(training)).unwrap().count();
    assert_eq!(["plain", "weighted", "third"].map(cells), [3, 2, 2]);

    // What is paired is what both have, and the other arm is the one that was named.
    let table = fs::read_to_string(dir.join("cmp/comparison.csv")).unwrap();
    let of = |arm: &str| -> Vec<Vec<String>> {
        let rows = table.lines().map(|row| row.split(',').map(str::to_owned).collect::<Vec<_>>());
        rows.filter(|row| row[0] == arm && row[3] == "mean_iou").collect()
    };
    let columns = |rows: &[Vec<String>]| rows.iter().map(|row| row[8..10].join(" ")).collect::<Vec<_>>();
    assert_eq!(columns(&of("plain")), [" "]);
    assert_eq!(columns(&of("third")), ["plain 2", "weighted 2"]);
    let number = |rows: &[Vec<String>], row: usize, column: usize| rows[row][column].parse::<f64>().unwrap();
    let (third, weighted) = (of("third"), of("weighted"));
    let gap = number(&third, 1, 10) - (number(&third, 0, 5) - number(&weighted, 0, 5));
    assert!(gap.abs() < 1e-12, "{gap}");
    // Four questions, not three: Holm's factor of the smallest p.
    let json: serde_json::Value =
        serde_json::from_str(&done(dir, &["compare", "--out", "cmp", "--report", "--json"])).unwrap();
    let arms = json["arms"].as_array().unwrap();
    let contrasts = arms.iter().flat_map(|arm| arm["contrasts"].as_array().unwrap());
    let p = |contrast: &serde_json::Value, key: &str| contrast["differences"][0][key].as_f64().unwrap();
    let p: Vec<[f64; 2]> = contrasts.map(|contrast| ["p", "p_holm"].map(|key| p(contrast, key))).collect();
    let least = p.iter().copied().fold([1.0; 2], |least, p| if p[0] < least[0] { p } else { least });
    assert_eq!(p.len(), 4);
    assert!((least[1] - (4.0 * least[0]).min(1.0)).abs() < 1e-12, "{p:?}");
    // Four arms on four groups of one image each.
    let groups = fs::read_to_string(dir.join("cmp/groups.csv")).unwrap();
    assert_eq!(groups.lines().count(), 17, "{groups}");
    let page = fs::read_to_string(dir.join("cmp/comparison.html")).unwrap();
    for part in ["<h2>Group by group</h2>", "D − C", "against C: undecided"] {
        assert!(page.contains(part), "{part}");
    }
}

/// A folder with everything in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// A grid that was planned on one machine is carried out on another, where the images lie elsewhere.
#[test]
#[cfg(unix)]
fn images_may_lie_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    write_arms(dir);
    let tiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny_stardist");
    let tiles = fs::canonicalize(tiles).unwrap();
    std::os::unix::fs::symlink(&tiles, dir.join("here")).unwrap();
    done(dir, &small("cmp", &["--data", "here", "--plan"]));
    fs::rename(dir.join("here"), dir.join("there")).unwrap();
    let text = one_line(dir, &["compare", "--out", "cmp", "--cell", "0"]);
    assert!(text.contains("--data DIR says where they are now"), "{text}");
    assert!(one_line(dir, &["compare", "--out", "cmp"]).contains("--data DIR says where they are now"));
    done(dir, &["compare", "--out", "cmp", "--cell", "0", "--data", "there"]);
    assert!(dir.join("cmp/cells/plain/seed-0/results/test-best.json").exists());
    // The plan is as it was; a whole run with --data moves it.
    assert!(one_line(dir, &["compare", "--out", "cmp", "--cell", "1"]).contains("--data DIR"));
    done(dir, &["compare", "--out", "cmp", "--data", "there", "--quiet"]);
    done(dir, &["compare", "--out", "cmp", "--quiet"]);
}

/// Results that do not belong together are no comparison.
#[test]
fn other_images_and_other_trainings_are_noticed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    write_arms(dir);
    let args = [
        &["compare", "--out", "cmp", "plain.toml", "weighted.toml", "--epochs", "1", "--seeds", "1"][..],
        &SMALL[..4],
    ]
    .concat();
    let text = done(dir, &args);
    assert!(text.contains("weighted: undecided; one seed"), "{text}");
    let results = dir.join("cmp/cells/plain/seed-0/results/test-best.json");
    let good = fs::read_to_string(&results).unwrap();
    fs::write(&results, good.replacen("\"name\":\"r3c0\"", "\"name\":\"r3c9\"", 1)).unwrap();
    assert!(one_line(dir, &["compare", "--out", "cmp", "--report"]).contains("was judged by other images"));
    let config = good.split("\"config\":\"").nth(1).unwrap()[..16].to_owned();
    fs::write(&results, good.replacen(&config, "0123456789abcdef", 1)).unwrap();
    assert!(
        one_line(dir, &["compare", "--out", "cmp", "--report"]).contains("another configuration of this arm")
    );
    fs::write(&results, &good[..good.len() / 2]).unwrap();
    assert!(
        one_line(dir, &["compare", "--out", "cmp", "--report"])
            .contains("is no result of `segloss evaluate`")
    );
}
