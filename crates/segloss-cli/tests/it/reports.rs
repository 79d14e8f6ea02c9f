//! The comparisons in `reports/compare`: their files are what the code makes of the results, and the pages say what the files say.
//!
//! With `SEGLOSS_WRITE_REPORTS=1` both are written instead; of a new row in a page, write its name, `| name |`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::trainer::{segloss, stderr};

type Row = HashMap<String, String>;

/// Each comparison, and what pages call its arms.
const COMPARISONS: [(&str, &[(&str, &str)]); 3] = [
    (
        "camvid",
        &[
            ("plain cross-entropy", "plain"),
            ("plain, shift −¼·ln π", "plain + shift 0.25"),
            ("plain, shift −½·ln π", "plain + shift 0.5"),
            ("plain, shift −¾·ln π", "plain + shift 0.75"),
            ("plain, shift −ln π", "plain + shift 1"),
            ("plain, shift chosen on validation", "plain + shift by val"),
            ("per-sample inverse frequency", "per-sample inverse frequency"),
            ("½ CE (root weights) + ½ Lovász", "CE root + Lovasz"),
            ("½ CE + ½ Lovász, shift +¼·ln π", "CE root + Lovasz + shift -0.25"),
            ("½ CE + ½ Lovász, shift −¼·ln π", "CE root + Lovasz + shift 0.25"),
            ("¼ CE (logits + ½·ln π) + ¾ Jaccard", "CE adjusted + Jaccard"),
            ("¼ CE (root weights) + ¾ Dice", "CE root + Dice 1 to 3"),
            ("¼ CE (no weights) + ¾ Dice", "CE + Dice 1 to 3"),
            ("CE (root weights) alone", "CE root"),
            ("plain, Lovász added from epoch 16", "plain, Lovasz from 16"),
            ("CE of the worst 10 % + Dice", "top-k + Dice"),
            ("plain, batches of 4", "plain, batch 4"),
            ("½ CE + ½ Lovász, batches of 4", "CE root + Lovasz, batch 4"),
            ("plain, crops, scale, colour", "plain, augmented"),
            ("the same, shift −¼·ln π", "plain, augmented + shift 0.25"),
            ("½ CE + ½ Lovász, crops, scale, colour", "CE root + Lovasz, augmented"),
            ("½ CE + ½ Lovász, the same, shift −¼·ln π", "CE root + Lovasz, augmented + shift 0.25"),
        ],
    ),
    (
        "camvid-held-out",
        &[
            ("plain without `0006R0`", "plain"),
            ("shift chosen on validation", "shift by val"),
            ("shift chosen on `0006R0`", "shift by 0006R0"),
        ],
    ),
    (
        "dubai",
        &[
            ("plain, Dubai", "plain"),
            ("plain, shift −½·ln π, Dubai", "plain + shift 0.5"),
            ("plain, shift −ln π, Dubai", "plain + shift 1"),
            ("½ CE (root weights) + ½ Lovász, Dubai", "CE root + Lovasz"),
            ("¼ CE (root weights) + ¾ Dice, Dubai", "CE root + Dice 1 to 3"),
        ],
    ),
];

/// What is added, to what, and the arms of CamVid whose difference that is.
const PARTS: [(&str, &str, &str, &str); 13] = [
    ("root weights + ½ Lovász", "plain", "CE root + Lovasz", "plain"),
    ("¼ CE + ¾ Dice instead", "½ CE + ½ Lovász", "CE root + Dice 1 to 3", "CE root + Lovasz"),
    ("without ¾ Dice", "¼ CE + ¾ Dice", "CE root", "CE root + Dice 1 to 3"),
    ("without root weights", "¼ CE + ¾ Dice", "CE + Dice 1 to 3", "CE root + Dice 1 to 3"),
    ("shift −½·ln π", "plain", "plain + shift 0.5", "plain"),
    ("shift −¼·ln π", "½ CE + ½ Lovász", "CE root + Lovasz + shift 0.25", "CE root + Lovasz"),
    ("shift +¼·ln π", "½ CE + ½ Lovász", "CE root + Lovasz + shift -0.25", "CE root + Lovasz"),
    ("batches of 4 instead of 8", "plain", "plain, batch 4", "plain"),
    ("root weights + ½ Lovász", "plain with batches of 4", "CE root + Lovasz, batch 4", "plain, batch 4"),
    ("crops, scale, colour", "plain", "plain, augmented", "plain"),
    ("root weights + ½ Lovász", "plain with these", "CE root + Lovasz, augmented", "plain, augmented"),
    ("these and shift −¼·ln π", "plain", "plain, augmented + shift 0.25", "plain"),
    (
        "root weights + ½ Lovász",
        "plain with these and the shift",
        "CE root + Lovasz, augmented + shift 0.25",
        "plain, augmented + shift 0.25",
    ),
];

/// Rare classes of CamVid, and the arms whose recall and IoU of them a page shows.
const RARE: [&str; 4] = ["pole", "sign", "pedestrian", "bicyclist"];
const RARE_ARMS: [&str; 5] = [
    "plain",
    "plain + shift 0.5",
    "CE root + Lovasz",
    "CE root + Dice 1 to 3",
    "per-sample inverse frequency",
];

fn is_written() -> bool {
    std::env::var_os("SEGLOSS_WRITE_REPORTS").is_some()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rows(name: &str) -> Vec<Row> {
    let path = root().join("reports/compare").join(name);
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

/// What a report is made of: plan, results and logs.
pub fn copy_results(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy_results(&from, &to);
        } else if from.ends_with("plan.toml")
            || from.ends_with("log.csv")
            || from.extension().is_some_and(|end| end == "json")
        {
            fs::copy(from, to).unwrap();
        }
    }
}

/// The same text, but for the last digits of numbers: another system's logarithm may round in another way.
#[track_caller]
fn assert_close(kept: &str, made: &str, what: &str) {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| ",:[]{}\"<>= \n".contains(c)).map(str::to_owned).collect()
    };
    let (kept, made) = (words(kept), words(made));
    assert_eq!(kept.len(), made.len(), "{what}");
    for (kept, made) in kept.iter().zip(&made) {
        let is_close = match (kept.parse::<f64>(), made.parse::<f64>()) {
            (Ok(kept), Ok(made)) => (kept - made).abs() <= 1e-9 * kept.abs().max(made.abs()),
            _ => false,
        };
        assert!(is_close || kept == made, "{what} says {kept}, the code makes {made}");
    }
}

/// A report needs nothing but the files that are kept here, and no number of it is of older code.
#[test]
fn reports_are_what_the_code_makes_of_the_results() {
    let dir = tempfile::tempdir().unwrap();
    for (name, _) in COMPARISONS {
        let (kept, made) = (root().join("reports/compare").join(name), dir.path().join(name));
        copy_results(&kept, &made);
        fs::remove_file(made.join("comparison.json")).unwrap();
        let output = segloss(dir.path(), &["compare", "--out", name, "--report", "-q"]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        for file in ["comparison.csv", "comparison.json", "frontier.svg", "groups.csv", "runs.csv"] {
            let [kept, made] = [&kept, &made].map(|folder| folder.join(file));
            if is_written() {
                fs::copy(made, kept).unwrap();
            } else {
                let [kept, made] = [kept, made].map(|path| fs::read_to_string(path).unwrap());
                assert_close(&kept, &made, &format!("{name}/{file}"));
            }
        }
    }
}

const SCORES: [&str; 3] = ["mean_iou", "class_average", "accuracy"];

/// A score of an arm, beside its difference from another; from none for the first arm.
fn of<'a>(rows: &'a [Row], arm: &str, against: &str, metric: &str) -> &'a Row {
    let is = |row: &&Row| row["arm"] == arm && row["against"] == against && row["metric"] == metric;
    rows.iter().find(is).unwrap()
}

fn percent(text: &str) -> f64 {
    100.0 * text.parse::<f64>().unwrap()
}

/// As in "+1.1 (+0.7 to +1.5)"; nothing of the first arm.
fn difference(row: &Row) -> String {
    let signed = |column: &str| match format!("{:+.1}", percent(&row[column])).as_str() {
        "+0.0" | "-0.0" => "±0.0".to_owned(),
        text => text.replace('-', "−"),
    };
    match row["difference"].as_str() {
        "" => String::new(),
        _ => format!(
            "{} ({} to {})",
            signed("difference"),
            signed("difference_low"),
            signed("difference_high")
        ),
    }
}

fn verdict(row: &Row) -> String {
    let Ok(p) = row["p_holm"].parse::<f64>() else { return String::new() };
    let is_sure = p < 0.05 && percent(&row["resampled_low"]) * percent(&row["resampled_high"]) > 0.0;
    let direction = if percent(&row["difference"]) > 0.0 { "better" } else { "worse" };
    // Of 0.0496 three digits would say the bound itself.
    let digits = if format!("{p:.3}") == "0.050" { 4 } else { 3 };
    format!("{}, p {p:.digits$}", if is_sure { direction } else { "undecided" })
}

/// The cells of an arm's row, after its name: n, then score and difference of three scores, then the verdict.
fn arm_cells(rows: &[Row], arm: &str) -> Vec<String> {
    let first = &rows[0]["arm"];
    let [iou, average, accuracy] =
        SCORES.map(|score| of(rows, arm, if arm == first { "" } else { first }, score));
    let mut cells = vec![iou["seeds"].clone()];
    for row in [iou, average, accuracy] {
        cells.extend([format!("{:.1}", percent(&row["mean"])), difference(row)]);
    }
    cells.push(verdict(iou));
    cells
}

/// The cells of a part's row, after what it is and what it is added to: pairs, three differences, the verdict.
fn part_cells(rows: &[Row], arm: &str, against: &str) -> Vec<String> {
    let [iou, average, accuracy] = SCORES.map(|score| of(rows, arm, against, score));
    let differences = [iou, average, accuracy].map(difference);
    [&[iou["pairs"].clone()], &differences[..], &[verdict(iou)]].concat()
}

/// The cells of a rare class's row, after its name: recall and IoU of each arm.
fn class_cells(name: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("reports/compare/camvid/comparison.json")).unwrap();
    let comparison: serde_json::Value = serde_json::from_str(&text).unwrap();
    let of = |list: &str, name: &str| {
        comparison[list].as_array().unwrap().iter().position(|item| item["name"] == name).unwrap()
    };
    let cell = |arm: &str| {
        let class = &comparison["arms"][of("arms", arm)]["classes"][of("classes", name)];
        let shown = |value: &serde_json::Value| format!("{:.1}", 100.0 * value.as_f64().unwrap());
        let [recall, iou] = ["recall", "iou"].map(|score| shown(&class[score]));
        let [low, high] = [0, 1].map(|end| shown(&class["iou_range"][end]));
        format!("{recall} / {iou} ({low} to {high})")
    };
    RARE_ARMS.map(cell).to_vec()
}

/// The tables of the pages, by what they call the arms: every number is the CSV's, rounded.
#[test]
fn pages_say_what_the_result_files_say() {
    let expected: Vec<(&str, Vec<&str>, Vec<String>)> = COMPARISONS
        .iter()
        .flat_map(|(name, arms)| {
            let rows = rows(&format!("{name}/comparison.csv"));
            arms.iter().map(move |(shown, arm)| (*name, vec![*shown], arm_cells(&rows, arm)))
        })
        .chain(PARTS.iter().map(|(what, to, arm, against)| {
            ("parts", vec![*what, *to], part_cells(&rows("camvid/comparison.csv"), arm, against))
        }))
        .chain(RARE.iter().map(|class| ("rare classes", vec![*class], class_cells(class))))
        .collect();
    for (page, tables) in [
        ("docs/which-loss.md", &["camvid", "dubai", "parts", "rare classes"][..]),
        ("reports/compare/README.md", &["camvid", "camvid-held-out", "dubai"]),
        ("README.md", &[]),
    ] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let (mut seen, mut lines) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let Some((table, names, rest)) = expected.iter().find(|row| cells.starts_with(&row.1)) else {
                lines.push(line.to_owned());
                continue;
            };
            let row = names.iter().copied().chain(rest.iter().map(String::as_str));
            let row = row.fold("|".to_owned(), |row, cell| row + format!(" {cell}").trim_end() + " |");
            assert!(is_written() || row == line, "{page} says\n{line}\nthe result files\n{row}");
            seen.push((table, names));
            lines.push(row);
        }
        if is_written() {
            fs::write(root().join(page), lines.join("\n") + "\n").unwrap();
        }
        let mut whole: Vec<_> =
            expected.iter().filter(|row| tables.contains(&row.0)).map(|row| (&row.0, &row.1)).collect();
        seen.sort();
        whole.sort();
        match tables {
            // A choice of them.
            [] => assert_eq!(seen.len(), 6, "{page}"),
            _ => assert_eq!(seen, whole, "{page}"),
        }
    }
}

/// What PyTorch reached is what its file says, and lies where one more of our seeds would.
#[test]
fn pytorch_ends_where_one_more_seed_would() {
    let (ours, theirs) = (rows("camvid/runs.csv"), rows("camvid/pytorch.csv"));
    let page = fs::read_to_string(root().join("reports/compare/README.md")).unwrap();
    // Student's t, 97.5 %, of 2 and of 5 degrees of freedom.
    let t = HashMap::from([(3, 4.303), (6, 2.571)]);
    for (arm, short) in [("plain", "plain"), ("per-sample inverse frequency", "per-sample")] {
        let (mut said, mut ranges) = (Vec::new(), Vec::new());
        for metric in ["mean_iou", "class_average", "accuracy"] {
            let seeds = ours.iter().filter(|row| row["arm"] == arm && row["metric"] == metric);
            let seeds: Vec<f64> = seeds.map(|row| 100.0 * row["value"].parse::<f64>().unwrap()).collect();
            let n = seeds.len() as f64;
            let mean = seeds.iter().sum::<f64>() / n;
            let s = (seeds.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            let by = t[&seeds.len()] * s * (1.0 + 1.0 / n).sqrt();
            ranges.push(format!("{:.1} to {:.1}", mean - by, mean + by));
            for row in theirs.iter().filter(|row| row["arm"] == arm) {
                let found = 100.0 * row[metric].parse::<f64>().unwrap();
                assert!((found - mean).abs() <= by, "{arm}, {metric}: {found} and {mean} ± {by}");
                said.push(format!("{found:.1}"));
            }
        }
        assert_eq!(said.len(), 3, "{arm}");
        for (who, cells) in [("in PyTorch", said), ("one more of ours", ranges)] {
            let row = format!("| {short}, {who} | {} |", cells.join(" | "));
            assert!(page.contains(&row), "{row}");
        }
    }
}
