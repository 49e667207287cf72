//! Latent consistency models: each step jumps to the clean latents, then back to the next level with fresh noise, but for the last.
//! Holds no history. Reference: diffusers' `scheduling_lcm.py`; Luo et al. 2023.

use candle_core::Tensor;

use super::{
    Scheduler, at,
    config::{PredictionType, SchedulerConfig},
    latents::{Level, clip, combine, randn_like},
    sigmas::NoiseSchedule,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct LcmScheduler {
    timesteps: Vec<f64>,
    levels: Vec<Level>,
    prediction: PredictionType,
    clip_sample_range: Option<f64>,
    timestep_scaling: f64,
}

/// The standard deviation of the clean latents that the boundary condition assumes.
const SIGMA_DATA: f64 = 0.5;

impl LcmScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let schedule = NoiseSchedule::new(config);
        let timesteps = distilled_timesteps(config, steps);
        let level = |&t: &f64| Ok(Level::from_alpha_cumprod(schedule.at(t as i64)?));
        Ok(Self {
            levels: timesteps.iter().map(level).collect::<Result<_>>()?,
            timesteps,
            prediction: config.prediction_type,
            clip_sample_range: config.clip_sample_range,
            timestep_scaling: config.timestep_scaling,
        })
    }
}

/// `steps` of the `original_inference_steps` timesteps that a consistency model was distilled on, evenly and falling from the last.
pub(super) fn distilled_timesteps(config: &SchedulerConfig, steps: usize) -> Vec<f64> {
    let original = config.original_inference_steps;
    let ratio = config.num_train_timesteps / original;
    let stride = original as f64 / steps as f64;
    (0..steps).map(|index| ((original - (index as f64 * stride).floor() as usize) * ratio) as f64 - 1.0).collect()
}

impl Scheduler for LcmScheduler {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, step_index: usize) -> Result<Tensor> {
        at(&self.levels, step_index)?.add_noise(original, noise)
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let level = at(&self.levels, step_index)?;
        let original = clip(level.predict_original(self.prediction, latents, model_output)?, self.clip_sample_range)?;
        let scaled = at(&self.timesteps, step_index)? * self.timestep_scaling;
        let power = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
        let (skip, out) = (SIGMA_DATA * SIGMA_DATA / power, scaled / power.sqrt());
        match self.levels.get(step_index + 1) {
            Some(next) => {
                let noise = randn_like(latents, noise)?;
                combine(&[(next.alpha * out, &original), (next.alpha * skip, latents), (next.sigma, &noise)])
            }
            None => combine(&[(out, &original), (skip, latents)]),
        }
    }
}
