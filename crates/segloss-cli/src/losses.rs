//! `segloss losses`: the registry, for reading and for scripts.

use segloss::Kind;
use std::io::{self, Write};

/// List every kind of loss with its formula, options and reference.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Symbols: z logits, y target, p softmax, σ sigmoid, w weight, C classes; th, τ thresholds.

The name is the `kind` of a specification, a TOML or JSON file such as

  kind = \"cross_entropy\"
  ignore_index = 255
  [weights]
  source = \"per_sample\"            # none | fixed | per_batch | per_sample
  scheme = \"inverse_frequency\"     # complement | inverse_frequency | median_frequency")]
pub struct LossesArgs {
    /// Print JSON: a list of {name, summary, formula, reference, options, default_denominator}.
    #[arg(long)]
    json: bool,
}

impl LossesArgs {
    pub fn run(&self) -> io::Result<()> {
        let infos: Vec<_> = Kind::ALL.into_iter().map(Kind::info).collect();
        let mut out = io::stdout().lock();
        if self.json {
            return writeln!(out, "{}", serde_json::to_string_pretty(&infos)?);
        }
        for info in infos {
            let denominator = serde_json::to_string(&info.default_denominator)?;
            let options = match info.options {
                [] => "none".to_owned(),
                options => options.join(", "),
            };
            writeln!(out, "{}\n  {}", info.name, info.summary)?;
            writeln!(out, "  formula      {}", info.formula)?;
            writeln!(out, "  denominator  {} unless set", denominator.trim_matches('"'))?;
            writeln!(out, "  options      {options}")?;
            writeln!(out, "  reference    {}\n", info.reference)?;
        }
        Ok(())
    }
}
