//! Trajectory consistency distillation: each step jumps below the next level and comes up to it with fresh noise, but for the last.
//! Holds no history. Reference: diffusers' `scheduling_tcd.py`; Zheng et al. 2024.

use candle_core::Tensor;

use super::{
    Scheduler, at,
    config::{PredictionType, SchedulerConfig},
    latents::{Level, combine, randn_like},
    lcm::distilled_timesteps,
    sigmas::NoiseSchedule,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct TcdScheduler {
    timesteps: Vec<f64>,
    steps: Vec<Step>,
    prediction: PredictionType,
}

#[derive(Clone, Copy)]
struct Step {
    level: Level,
    /// The level below the next one that the jump lands on.
    landing: Level,
    /// Scale of the landed latents and of fresh noise on the way up; none after the last step, nor without noise.
    rise: Option<(f64, f64)>,
}

impl TcdScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let schedule = NoiseSchedule::new(config);
        let timesteps = distilled_timesteps(config, steps);
        let step = |(index, &t): (usize, &f64)| {
            let next = timesteps.get(index + 1).copied();
            let prev = next.unwrap_or(0.0);
            // Diffusers multiplies a whole timestep by a number in f32.
            let landing = schedule.at((((1.0 - config.tcd_eta) as f32) * prev as f32).floor() as i64)?;
            let ratio = schedule.at(prev as i64)? / landing;
            Ok(Step {
                level: Level::from_alpha_cumprod(schedule.at(t as i64)?),
                landing: Level::from_alpha_cumprod(landing),
                rise: next.filter(|_| config.tcd_eta > 0.0).map(|_| (f64::from(ratio).sqrt(), f64::from(1.0 - ratio).sqrt())),
            })
        };
        let steps = timesteps.iter().enumerate().map(step).collect::<Result<_>>()?;
        Ok(Self { timesteps, steps, prediction: config.prediction_type })
    }
}

impl Scheduler for TcdScheduler {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, step_index: usize) -> Result<Tensor> {
        at(&self.steps, step_index)?.level.add_noise(original, noise)
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let step = at(&self.steps, step_index)?;
        let original = step.level.predict_original(self.prediction, latents, model_output)?;
        let epsilon = step.level.predict_epsilon(self.prediction, latents, model_output)?;
        match step.rise {
            Some((scale, deviation)) => {
                let noise = randn_like(latents, noise)?;
                combine(&[(scale * step.landing.alpha, &original), (scale * step.landing.sigma, &epsilon), (deviation, &noise)])
            }
            None => combine(&[(step.landing.alpha, &original), (step.landing.sigma, &epsilon)]),
        }
    }
}
