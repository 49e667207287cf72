//! Denoising diffusion implicit models. Keeps no history; draws noise at every step unless eta is 0. Reference: diffusers'
//! `scheduling_ddim.py`; Song et al. 2020, equations 12 and 16.

use candle_core::Tensor;

use super::{
    Run, Scheduler, at,
    config::SchedulerConfig,
    latents::{Bound, combine, randn_like},
    sigmas::{NoiseSchedule, spaced_timesteps},
    variance_preserving::VariancePreserving,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct DdimScheduler {
    run: VariancePreserving,
    steps: Vec<Step>,
    bound: Bound,
}

#[derive(Clone, Copy)]
struct Step {
    original: f64,
    epsilon: f64,
    /// The fresh noise's standard deviation; `None` if none is drawn.
    noise: Option<f64>,
}

impl DdimScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let schedule = NoiseSchedule::new(config);
        let timesteps = spaced_timesteps(config, steps, true);
        let ratio = (config.num_train_timesteps / steps) as i64;
        let step = |t: &f64| {
            let prev = *t as i64 - ratio;
            let prev = if prev < 0 { final_alpha_cumprod(config, &schedule)? } else { schedule.at(prev)? };
            Ok(Step::new(schedule.at(*t as i64)?, prev, config.eta))
        };
        let steps = timesteps.iter().map(step).collect::<Result<_>>()?;
        let run = VariancePreserving::from_schedule(config, &schedule, timesteps)?;
        Ok(Self { run, steps, bound: config.bound })
    }
}

impl Step {
    fn new(alpha_cumprod: f32, prev: f32, eta: f64) -> Self {
        let noise = (eta > 0.0).then(|| {
            // In f32, as in diffusers: the ratio's complement is small and keeps the ratio's rounding.
            let variance = (1.0 - prev) / (1.0 - alpha_cumprod) * (1.0 - alpha_cumprod / prev);
            eta * f64::from(variance).sqrt()
        });
        let rest = f64::from(1.0 - prev) - noise.unwrap_or(0.0).powi(2);
        // If all of it is fresh noise, rounding may make the rest negative.
        Self { original: f64::from(prev).sqrt(), epsilon: rest.max(0.0).sqrt(), noise }
    }
}

/// The value of alphas_cumprod before timestep 0.
pub(super) fn final_alpha_cumprod(config: &SchedulerConfig, schedule: &NoiseSchedule) -> Result<f32> {
    if config.set_alpha_to_one { Ok(1.0) } else { schedule.at(0) }
}

impl Scheduler for DdimScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let (level, step) = (self.run.level(step_index)?, at(&self.steps, step_index)?);
        // diffusers derives the noise from the unbounded prediction.
        let epsilon = level.predict_epsilon(self.run.prediction, latents, model_output)?;
        let original = self.bound.apply(level.predict_original(self.run.prediction, latents, model_output)?)?;
        let mean = [(step.original, &original), (step.epsilon, &epsilon)];
        match step.noise {
            Some(deviation) => combine(&[mean.as_slice(), &[(deviation, &randn_like(latents, noise)?)]].concat()),
            None => combine(&mean),
        }
    }
}
