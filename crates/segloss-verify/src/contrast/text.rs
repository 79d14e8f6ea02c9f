//! Two losses side by side, for a terminal.

use super::{Batch, Contrast, IMAGE, Relation, SAME, Share, Witness};
use std::fmt;

fn percent(x: f64) -> String {
    match 100.0 * x {
        x if x < 0.05 => format!("{x:.2} %"),
        x => format!("{x:.1} %"),
    }
}

/// Four figures, without zeros at the end.
fn short(x: f64) -> String {
    let text = match x.abs() {
        0.0 => return "0".to_owned(),
        size if (1e-3..1e4).contains(&size) => {
            format!("{x:.*}", (3 - size.log10().floor() as i32).max(0) as usize)
        }
        _ => return format!("{x:.3e}"),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

impl Contrast {
    /// What it comes to, in a sentence or two.
    pub fn in_short(&self) -> String {
        let broken = |i: usize| self.batches.iter().filter(|batch| !batch.values[i].is_finite()).count();
        let broken: Vec<String> = ["A", "B"]
            .into_iter()
            .zip([broken(0), broken(1)])
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| {
                format!("{name} is NaN or infinite on {count} of {} batches; ", self.batches.len())
            })
            .collect();
        broken.concat() + &self.relation_in_words()
    }

    fn relation_in_words(&self) -> String {
        match self.relation {
            Relation::Same if self.ignored_by_one.is_some() => {
                "the same loss where no pixel is ignored: values and gradients agree on every batch"
                    .to_owned()
            }
            Relation::Same => "the same loss: values and gradients agree on every batch".to_owned(),
            Relation::SameGradient => {
                "the same training: the gradients agree on every batch, the values are other numbers"
                    .to_owned()
            }
            Relation::Multiple(k) if k < 0.0 => {
                format!("B is {} times A on every batch: what one lowers, the other raises", short(k))
            }
            Relation::Multiple(k) => format!(
                "B is {} times A on every batch: the same training with the learning rate of plain gradient descent scaled by it; Adam \
                 hardly sees it",
                short(k)
            ),
            Relation::MultipleOfEach(least, most) => format!(
                "the gradients point the same way on every batch, and B's is {} to {} times as long: batches weigh differently against each \
                 other",
                short(least),
                short(most)
            ),
            Relation::Different => self.where_they_differ(),
        }
    }

    fn where_they_differ(&self) -> String {
        let differ: Vec<&Batch> = self.batches.iter().filter(|batch| !(batch.difference <= SAME)).collect();
        let alike = self.batches.len() - differ.len();
        let questions: Vec<&str> = differ.iter().map(|batch| batch.question).collect();
        let place = match alike {
            0 => "they differ on every batch".to_owned(),
            _ => format!(
                "they differ on {} of {} batches ({})",
                differ.len(),
                self.batches.len(),
                questions.join("; ")
            ),
        };
        let parted = |share: &&Share| share.gradient[0] > 0.0 && share.gradient[1] > 0.0;
        let by = |share: &Share| (share.gradient[1] / share.gradient[0]).ln().abs();
        let most = self.shares.iter().filter(parted).max_by(|a, b| by(a).total_cmp(&by(b)));
        match most.filter(|share| by(share) > 0.05) {
            Some(share) => format!(
                "{place}: class {}, {} of the pixels, gets {} of the gradient from A and {} from B",
                share.class,
                percent(share.pixels),
                percent(share.gradient[0]),
                percent(share.gradient[1])
            ),
            None => format!("{place}; each class gets about the same share of both gradients"),
        }
    }
}

impl fmt::Display for Contrast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "A  {}\nB  {}\n\n{}", self.names[0], self.names[1], self.in_short())?;
        self.keys_as_table(f)?;
        let wide = self.batches.iter().map(|batch| batch.question.len()).max().unwrap_or(0);
        let [rows, columns] = IMAGE;
        let classes = self.shares.len();
        if let Some(ignored) = self.ignored_by_one {
            writeln!(
                f,
                "\nonly one leaves out pixels of label {ignored}; here they are compared as if both did"
            )?;
        }
        writeln!(f, "\nsmall batches, two images of {rows}×{columns} pixels, {classes} classes")?;
        writeln!(f, "  {:<wide$}  {:>10}  {:>10}  gradients", "", "value of A", "value of B")?;
        for Batch { question, values, multiple, difference } in &self.batches {
            let relation = match (*difference <= SAME, (multiple - 1.0).abs() <= SAME) {
                (true, true) => "the same".to_owned(),
                (true, false) => format!("B = {}·A", short(*multiple)),
                (false, _) => format!("B = {}·A but for {}", short(*multiple), percent(*difference)),
            };
            writeln!(
                f,
                "  {question:<wide$}  {:>10}  {:>10}  {relation}",
                short(values[0]),
                short(values[1])
            )?;
        }
        if self.relation == Relation::Same {
            return Ok(());
        }
        writeln!(f, "\nwho gets the gradient, in the first batch")?;
        writeln!(f, "  class   pixels  of A's   of B's")?;
        for share in &self.shares {
            let [a, b] = share.gradient.map(percent);
            writeln!(f, "  {:<6} {:>7} {a:>8} {b:>8}", share.class, percent(share.pixels))?;
        }
        self.witness.as_ref().map_or(Ok(()), |witness| witness.fmt(f))
    }
}

impl Contrast {
    fn keys_as_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keys.is_empty() {
            return Ok(());
        }
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
        let rows: Vec<[String; 4]> = self
            .keys
            .iter()
            .map(|key| {
                let alone = match key.alone {
                    Some(moved) if moved <= SAME => "changes nothing here".to_owned(),
                    Some(moved) => format!("moves A's gradient by {}", percent(moved)),
                    None if key.key == "kind" => "another loss".to_owned(),
                    None => "acts only beside others".to_owned(),
                };
                [key.key.clone(), shown(&key.a), shown(&key.b), alone]
            })
            .collect();
        let head = ["key", "A", "B", "alone"].map(str::to_owned);
        let wide = |column: usize| {
            rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let [key, a, b] = [wide(0), wide(1), wide(2)];
        writeln!(f)?;
        for row in [&head].into_iter().chain(&rows) {
            writeln!(f, "  {:<key$}  {:<a$}  {:<b$}  {}", row[0], row[1], row[2], row[3])?;
        }
        Ok(())
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = |numbers: &[f64]| numbers.iter().map(|&x| short(x)).collect::<Vec<_>>().join(", ");
        let [image, row, column] = self.place;
        writeln!(f, "\nthe pixel on which they differ most ({})", self.question)?;
        writeln!(
            f,
            "  image {image}, row {row}, column {column}: class {}, logits z = ({})",
            self.label,
            numbers(&self.logits)
        )?;
        writeln!(f, "  ∂A/∂z = ({})", numbers(&self.gradients[0]))?;
        writeln!(f, "  ∂B/∂z = ({})", numbers(&self.gradients[1]))
    }
}
