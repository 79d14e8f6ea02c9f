//! The tables, for whoever computes on.

use super::data::Report;
use crate::artifact::Training;
use crate::error::HarnessError;
use serde::Serialize;

pub(super) fn checks(report: &Report) -> Result<String, HarnessError> {
    let rows = report.checks.iter().map(|check| {
        let kinds = check.kinds.join(" ");
        let differences = (check.worst, check.p99, check.bound, check.headroom);
        (check.name, check.held, check.cases, check.failed, differences, kinds)
    });
    table(&["check", "held", "cases", "failed", "worst", "p99", "bound", "headroom", "kinds"], rows)
}

pub(super) fn hardest(report: &Report) -> Result<String, HarnessError> {
    let rows =
        report.hardest.iter().map(|hard| (hard.check, &hard.case, hard.bound, hard.difference, &hard.replay));
    table(&["check", "case", "bound", "difference", "replay"], rows)
}

pub(super) fn ulps(report: &Report) -> Result<String, HarnessError> {
    let rows =
        report.ulps.iter().map(|count| (&count.loss, count.precision, count.ulps, count.count, count.bound));
    table(&["loss", "precision", "ulps", "entries", "bound"], rows)
}

pub(super) fn step_errors(report: &Report) -> Result<String, HarnessError> {
    let rows = report.step_errors.iter().map(|point| (&point.kind, point.step, point.error));
    table(&["kind", "step", "error"], rows)
}

pub(super) fn training(training: &Training) -> Result<String, HarnessError> {
    let rows = training.runs.iter().flat_map(|run| {
        let of_epoch = |(epoch, loss)| (run.loss, run.seed, "loss", format!("epoch {}", epoch + 1), loss);
        let of_class = |what: &'static str, values: &Vec<f64>| {
            let named = training.classes.clone().into_iter().zip(values.clone());
            named.map(move |(class, value)| (run.loss, run.seed, what, class, value)).collect::<Vec<_>>()
        };
        let epochs = run.losses.iter().copied().enumerate().map(of_epoch);
        epochs.chain(of_class("recall", &run.recall)).chain(of_class("iou", &run.iou)).collect::<Vec<_>>()
    });
    table(&["loss", "seed", "quantity", "of", "value"], rows)
}

/// A table under its header.
pub fn table(header: &[&str], rows: impl Iterator<Item = impl Serialize>) -> Result<String, HarnessError> {
    let failed = |what: String| HarnessError::Report { part: "CSV", what };
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record(header).map_err(|error| failed(error.to_string()))?;
    for row in rows {
        writer.serialize(row).map_err(|error| failed(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
}
