//! The learning rate at every step.
//!
//! The rate is a function of the step and of the length of the run, and of nothing before. So a run that goes on
//! with another number of epochs follows the schedule of the new length from its next step on, as if it had had
//! that length from the beginning; the rates of the steps that were taken are not made up for.

use crate::config::{ScheduleConfig, ScheduleKind};

/// The learning rate as a function of the step.
#[derive(Debug, Clone)]
pub struct Schedule {
    config: ScheduleConfig,
    peak: f64,
    steps_per_epoch: usize,
    steps: usize,
}

impl Schedule {
    /// `peak` is the configured learning rate η; the run has `epochs · steps_per_epoch` steps.
    pub fn new(config: &ScheduleConfig, peak: f64, epochs: usize, steps_per_epoch: usize) -> Self {
        Self { config: config.clone(), peak, steps_per_epoch, steps: epochs * steps_per_epoch }
    }

    /// The learning rate of a step, counted from 0 over the whole run.
    ///
    /// With S steps and a warm-up of W = `warmup` · S steps: one-cycle starts at η / `start_divisor` in step
    /// 0, reaches η in step W − 1 and `final_factor` · η in step S − 1; cosine reaches η in step W − 1
    /// (its step 0 is η / W, since a rate of 0 would waste it) and `final_factor` · η in step S − 1.
    pub fn rate(&self, step: usize) -> f64 {
        let Self { config, peak, .. } = self;
        let (t, last) = (step as f64, self.steps.saturating_sub(1) as f64);
        let warmup = config.warmup * self.steps as f64;
        let top = (warmup - 1.0).max(0.0);
        let down = || cosine(*peak, peak * config.final_factor, (t - top) / (last - top).max(1.0));
        match config.kind {
            ScheduleKind::Constant => *peak,
            ScheduleKind::Step => {
                let epoch = step / self.steps_per_epoch.max(1);
                peak * config.factor.powi((epoch / config.every) as i32)
            }
            ScheduleKind::Cosine if t < top => peak * (t + 1.0) / warmup,
            ScheduleKind::OneCycle if t < top => cosine(peak / config.start_divisor, *peak, t / top),
            ScheduleKind::Cosine | ScheduleKind::OneCycle => down(),
        }
    }
}

/// Half a cosine from `a` (at t = 0) to `b` (at t = 1 and after).
fn cosine(a: f64, b: f64, t: f64) -> f64 {
    b + (a - b) * 0.5 * (1.0 + (std::f64::consts::PI * t.clamp(0.0, 1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(kind: ScheduleKind) -> Schedule {
        let config = ScheduleConfig { kind, warmup: 0.3, every: 2, factor: 0.1, ..ScheduleConfig::default() };
        Schedule::new(&config, 2.0, 10, 10)
    }

    #[track_caller]
    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1e-3), "{a} is not {b}");
    }

    #[test]
    fn constant_and_step() {
        close(schedule(ScheduleKind::Constant).rate(99), 2.0);
        let step = schedule(ScheduleKind::Step);
        close(step.rate(0), 2.0);
        close(step.rate(19), 2.0);
        close(step.rate(20), 0.2);
        close(step.rate(99), 2e-4);
    }

    #[test]
    fn one_cycle_starts_peaks_and_ends_where_it_says() {
        let schedule = schedule(ScheduleKind::OneCycle);
        close(schedule.rate(0), 2.0 / 25.0);
        close(schedule.rate(29), 2.0);
        close(schedule.rate(64), 1.0 + 0.5 * 2.0 / 250_000.0);
        close(schedule.rate(99), 2.0 / 250_000.0);
        let rates: Vec<f64> = (0..100).map(|step| schedule.rate(step)).collect();
        assert!(rates[..30].is_sorted() && rates[29..].iter().rev().is_sorted());
    }

    #[test]
    fn cosine_warms_up_linearly() {
        let schedule = schedule(ScheduleKind::Cosine);
        close(schedule.rate(0), 2.0 / 30.0);
        close(schedule.rate(14), 1.0);
        close(schedule.rate(29), 2.0);
        close(schedule.rate(99), 2.0 / 250_000.0);
    }

    #[test]
    fn one_step_and_no_warmup_are_fine() {
        for kind in [ScheduleKind::Cosine, ScheduleKind::OneCycle, ScheduleKind::Step] {
            for warmup in [0.0, 1.0] {
                let config = ScheduleConfig { kind, warmup, ..ScheduleConfig::default() };
                let schedule = Schedule::new(&config, 1.0, 1, 1);
                assert!(schedule.rate(0).is_finite());
                assert_eq!(schedule.rate(0), 1.0);
            }
        }
    }
}
