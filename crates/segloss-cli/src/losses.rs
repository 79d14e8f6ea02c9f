//! `segloss losses`: the registry, for reading and for scripts.

use segloss::{Kind, KindInfo, OptionInfo, spelling};
use std::io::{self, Write};

/// List every kind of loss with its formula, options and reference.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Symbols: z logits, y target, p softmax, σ sigmoid, w weight, C classes; s smoothing, TP, FP, FN
sums of right and wrong probability over a region; th, τ thresholds; π class priors.

The name is the `kind` of a specification, a TOML or JSON file such as

  kind = \"cross_entropy\"
  ignore_index = 255
  [weights]
  source = \"per_sample\"            # none | fixed | dataset | per_batch | per_sample | ema | map
  scheme = \"inverse_frequency\"     # complement | inverse_sqrt | { power = 0.5 } |
                                   # median_frequency | enet
                                   # | { effective_number = 0.999 } | document_scalar
  absent = \"zero\"                  # largest_present | { cap = 10.0 } | prior
  normalise = \"none\"               # mean_one | expected_one | sum_one

A scheme acts on the class counts of a source, and is refused without one. Every key that cannot
act is refused.

Examples:
  segloss losses --short             a line for each kind
  segloss losses dice tversky        all about some of them
  segloss losses --json | jq '.[].name'")]
pub struct LossesArgs {
    /// Which kinds; all of them if left out.
    #[arg(value_name = "KIND")]
    kinds: Vec<String>,
    /// A line for each.
    #[arg(long, conflicts_with = "json")]
    short: bool,
    /// Print JSON: a list of {name, summary, formula, reference, options: [{key, default, meaning}],
    /// default_reduction}.
    #[arg(long)]
    json: bool,
}

/// Why nothing was listed.
#[derive(Debug, thiserror::Error)]
pub enum LossesError {
    #[error("no kind of loss is called `{name}`{}", spelling::suggestion(name, &Kind::ALL.map(Kind::name)))]
    Unknown { name: String },
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

impl LossesArgs {
    pub fn run(&self) -> Result<(), LossesError> {
        let named = |name: &String| {
            let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
            found.map(Kind::info).ok_or_else(|| LossesError::Unknown { name: name.clone() })
        };
        let infos: Vec<KindInfo> = match self.kinds.as_slice() {
            [] => Kind::ALL.into_iter().map(Kind::info).collect(),
            kinds => kinds.iter().map(named).collect::<Result<_, _>>()?,
        };
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&infos).map_err(io::Error::from)?)?;
        } else if self.short {
            infos.iter().try_for_each(|info| writeln!(out, "{:<22} {}", info.name, info.summary))?;
        } else {
            infos.iter().try_for_each(|info| describe(&mut out, info))?;
        }
        Ok(())
    }
}

fn describe(out: &mut impl Write, info: &KindInfo) -> io::Result<()> {
    writeln!(out, "{}\n  {}\n", info.name, info.summary)?;
    writeln!(out, "  {}\n", info.formula)?;
    for OptionInfo { key, default, meaning, .. } in &info.options {
        writeln!(out, "  {key:<16} {default:<14} {meaning}")?;
    }
    writeln!(out, "\n  {}\n", info.reference)
}
