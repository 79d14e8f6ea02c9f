//! Which values a key may have, and that a key that was set acts.

use toml::Value;

use super::sections::{AddedLoss, Config, OptimizerKind, ScheduleKind};
use crate::error::{ConfigProblem, Result};

/// The largest net, in weights: 1 GiB of f32, and the optimizer's state is twice that.
const MAX_NUMBERS: u128 = 1 << 28;

impl Config {
    /// Checks every range, and that every key that was set away from its default acts. [`Sources::finish`](super::Sources::finish)
    /// has done so; a configuration built in code has not been checked until the trainer does.
    ///
    /// # Errors
    /// [`ConfigProblem::OutOfRange`] or [`ConfigProblem::Idle`] with the first key at fault, or an error of
    /// the loss.
    pub fn validate(&self) -> Result<()> {
        self.check_ranges()?;
        let (Self { optimizer: o, schedule: s, .. }, default) = (self, Self::default());
        let (sgd, adam) = (o.kind == OptimizerKind::Sgd, "adam and adamw");
        let [step, cosine, one_cycle] =
            [ScheduleKind::Step, ScheduleKind::Cosine, ScheduleKind::OneCycle].map(|kind| s.kind == kind);
        let (from, then) = (&default.optimizer, &default.schedule);
        let kinds = (("optimizer.kind", o.kind.name()), ("schedule.kind", s.kind.name()));
        // Whether the kind reads the key, which kind, the key, its value, its default, and who reads it.
        let number = |x: f64| Value::Float(x);
        let whole = |n: usize| Value::Integer(n as i64);
        for (acts, kind, key, value, default, readers) in [
            (!sgd, kinds.0, "optimizer.beta1", number(o.beta1), number(from.beta1), adam),
            (!sgd, kinds.0, "optimizer.beta2", number(o.beta2), number(from.beta2), adam),
            (!sgd, kinds.0, "optimizer.epsilon", number(o.epsilon), number(from.epsilon), adam),
            (sgd, kinds.0, "optimizer.momentum", number(o.momentum), number(from.momentum), "sgd"),
            (sgd, kinds.0, "optimizer.nesterov", o.nesterov.into(), from.nesterov.into(), "sgd"),
            (
                cosine || one_cycle,
                kinds.1,
                "schedule.warmup",
                number(s.warmup),
                number(then.warmup),
                "cosine and one_cycle",
            ),
            (
                one_cycle,
                kinds.1,
                "schedule.start_divisor",
                number(s.start_divisor),
                number(then.start_divisor),
                "one_cycle",
            ),
            (
                cosine || one_cycle,
                kinds.1,
                "schedule.final_factor",
                number(s.final_factor),
                number(then.final_factor),
                "cosine and one_cycle",
            ),
            (step, kinds.1, "schedule.every", whole(s.every), whole(then.every), "step"),
            (step, kinds.1, "schedule.factor", number(s.factor), number(then.factor), "step"),
            (
                !self.data.crop.is_empty(),
                ("data.crop", "[]"),
                "augment.rare_share",
                number(self.augment.rare_share),
                number(0.0),
                "a crop",
            ),
            (
                self.model.depth > 2,
                ("model.depth", if self.model.depth == 1 { "1" } else { "2" }),
                "model.deep_supervision",
                self.model.deep_supervision.into(),
                false.into(),
                "a net of depth 3 or more",
            ),
        ] {
            if !acts && value != default {
                return Err(ConfigProblem::Idle { key, value: value.to_string(), kind, readers }.into());
            }
        }
        if self.train.fresh_head && self.train.weights.is_none() {
            let text = "`train.fresh_head` is true, but without `train.weights` (--weights) every layer is fresh; leave \
                        the key out";
            return Err(ConfigProblem::Contradiction(text.to_owned()).into());
        }
        Ok(())
    }

    /// Checks every range. What an older program wrote into a checkpoint may hold keys that do not act.
    pub(crate) fn check_ranges(&self) -> Result<()> {
        let Self { data, augment, model, optimizer, schedule, train, loss, added_loss } = self;
        let in_range = |ok: bool, key: &'static str, value: &dyn std::fmt::Debug, expected: &'static str| {
            if ok {
                Ok(())
            } else {
                Err(ConfigProblem::OutOfRange { key, value: format!("{value:?}"), expected })
            }
        };
        let crop_ok = data.crop.is_empty() || data.crop.len() == 2 && data.crop.iter().all(|&n| n > 0);
        in_range(crop_ok, "data.crop", &data.crop, "[] or [height, width], both above 0")?;
        in_range((1..=1024).contains(&model.width), "model.width", &model.width, "1 to 1024")?;
        in_range((1..=8).contains(&model.depth), "model.depth", &model.depth, "1 to 8")?;
        let numbers = model.kernel_numbers(3, 255);
        in_range(
            numbers <= MAX_NUMBERS,
            "model.width",
            &model.width,
            "a net of at most 2^28 weights at this depth",
        )?;

        let positive = |x: f64| x > 0.0 && x.is_finite();
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        let a = augment;
        let [low, high] = a.scale;
        in_range(
            (0.1..=10.0).contains(&low) && low <= high && high <= 10.0,
            "augment.scale",
            &a.scale,
            "[smallest, largest], between 0.1 and 10",
        )?;
        in_range((0.0..=180.0).contains(&a.rotation), "augment.rotation", &a.rotation, "0 to 180 degrees")?;
        let below_one = 0.0..1.0;
        for (key, value) in [
            ("augment.brightness", &a.brightness),
            ("augment.contrast", &a.contrast),
            ("augment.saturation", &a.saturation),
        ] {
            in_range(below_one.contains(value), key, value, "at least 0 and below 1")?;
        }
        in_range((0.0..=1.0).contains(&a.rare_share), "augment.rare_share", &a.rare_share, "0 to 1")?;
        let o = optimizer;
        in_range(positive(o.learning_rate), "optimizer.learning_rate", &o.learning_rate, "a number above 0")?;
        in_range((0.0..1.0).contains(&o.beta1), "optimizer.beta1", &o.beta1, "at least 0 and below 1")?;
        in_range((0.0..1.0).contains(&o.beta2), "optimizer.beta2", &o.beta2, "at least 0 and below 1")?;
        in_range(positive(o.epsilon), "optimizer.epsilon", &o.epsilon, "a number above 0")?;
        in_range(
            (0.0..1.0).contains(&o.momentum),
            "optimizer.momentum",
            &o.momentum,
            "at least 0 and below 1",
        )?;
        let ahead = !o.nesterov || o.momentum > 0.0;
        in_range(ahead, "optimizer.momentum", &o.momentum, "above 0 with `optimizer.nesterov`")?;
        in_range(not_negative(o.weight_decay), "optimizer.weight_decay", &o.weight_decay, "at least 0")?;
        in_range(not_negative(o.clip_norm), "optimizer.clip_norm", &o.clip_norm, "at least 0 (0: no limit)")?;

        let s = schedule;
        in_range((0.0..=1.0).contains(&s.warmup), "schedule.warmup", &s.warmup, "0 to 1")?;
        in_range(positive(s.start_divisor), "schedule.start_divisor", &s.start_divisor, "a number above 0")?;
        in_range(not_negative(s.final_factor), "schedule.final_factor", &s.final_factor, "at least 0")?;
        in_range(s.every > 0, "schedule.every", &s.every, "at least 1")?;
        in_range(positive(s.factor), "schedule.factor", &s.factor, "a number above 0")?;

        let epochs = 1..=1_000_000;
        in_range(epochs.contains(&train.epochs), "train.epochs", &train.epochs, "1 to 1000000")?;
        in_range(train.batch_size > 0, "train.batch_size", &train.batch_size, "at least 1")?;
        in_range(
            train.micro_batch <= train.batch_size,
            "train.micro_batch",
            &train.micro_batch,
            "at most `train.batch_size` (0: all of it)",
        )?;
        in_range((0.0..1.0).contains(&train.ema), "train.ema", &train.ema, "at least 0 and below 1")?;
        // TOML integers end there; a larger seed could not be written to config.toml.
        in_range(i64::try_from(train.seed).is_ok(), "train.seed", &train.seed, "0 to 2^63 - 1")?;
        segloss::Loss::new(loss.clone())?;
        if let Some(added) = added_loss {
            let AddedLoss { from_epoch, weight, loss } = added;
            in_range(*from_epoch > 0, "added_loss.from_epoch", from_epoch, "at least 1")?;
            in_range(positive(*weight), "added_loss.weight", weight, "a number above 0")?;
            segloss::Loss::new(loss.clone())?;
        }
        Ok(())
    }
}
