//! Trajectory consistency distillation: each step jumps below the next level and, except for the last, returns to it with fresh noise.
//! Keeps no history. Reference: diffusers' `scheduling_tcd.py`; Zheng et al. 2024.

use candle_core::Tensor;

use super::{
    Run, Scheduler, at,
    config::SchedulerConfig,
    latents::{Level, combine, randn_like},
    lcm::distilled_timesteps,
    sigmas::NoiseSchedule,
    variance_preserving::VariancePreserving,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct TcdScheduler {
    run: VariancePreserving,
    steps: Vec<Step>,
}

#[derive(Clone, Copy)]
struct Step {
    /// The level below the next one, where the jump lands.
    landing: Level,
    /// Scales of the landed latents and of the fresh noise on the way up; `None` after the last step, or without noise.
    rise: Option<(f64, f64)>,
}

impl TcdScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let schedule = NoiseSchedule::new(config);
        let timesteps = distilled_timesteps(config, steps);
        let step = |index: usize| {
            let next = timesteps.get(index + 1).copied();
            let prev = next.unwrap_or(0.0);
            // diffusers multiplies an integer timestep by a number in f32.
            let landing = schedule.at((((1.0 - config.eta) as f32) * prev as f32).floor() as i64)?;
            let ratio = schedule.at(prev as i64)? / landing;
            Ok(Step {
                landing: Level::from_alpha_cumprod(landing),
                rise: next.filter(|_| config.eta > 0.0).map(|_| (f64::from(ratio).sqrt(), f64::from(1.0 - ratio).sqrt())),
            })
        };
        let steps = (0..timesteps.len()).map(step).collect::<Result<_>>()?;
        Ok(Self { run: VariancePreserving::from_schedule(config, &schedule, timesteps)?, steps })
    }
}

impl Scheduler for TcdScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let (level, step) = (self.run.level(step_index)?, at(&self.steps, step_index)?);
        let original = level.predict_original(self.run.prediction, latents, model_output)?;
        let epsilon = level.predict_epsilon(self.run.prediction, latents, model_output)?;
        match step.rise {
            Some((scale, deviation)) => {
                let noise = randn_like(latents, noise)?;
                combine(&[(scale * step.landing.alpha, &original), (scale * step.landing.sigma, &epsilon), (deviation, &noise)])
            }
            None => combine(&[(step.landing.alpha, &original), (step.landing.sigma, &epsilon)]),
        }
    }
}
