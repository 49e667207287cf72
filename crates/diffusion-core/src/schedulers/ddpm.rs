//! Denoising diffusion probabilistic models: the posterior mean, and noise at every step except at timestep 0. Keeps no history. Reference:
//! diffusers' `scheduling_ddpm.py`; Ho et al. 2020, equations 6 and 7.

use candle_core::Tensor;

use super::{
    Run, Scheduler, at,
    config::{DdpmVariance, SchedulerConfig},
    latents::{Bound, combine, randn_like},
    sigmas::{NoiseSchedule, spaced_timesteps},
    variance_preserving::VariancePreserving,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct DdpmScheduler {
    run: VariancePreserving,
    steps: Vec<Step>,
    bound: Bound,
}

#[derive(Clone, Copy)]
struct Step {
    original: f64,
    latents: f64,
    /// The noise's standard deviation; `None` if none is drawn.
    noise: Option<f64>,
}

impl DdpmScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let schedule = NoiseSchedule::new(config);
        let timesteps = spaced_timesteps(config, steps, true);
        let following = timesteps.iter().skip(1).map(|&t| t as i64).chain(std::iter::once(-1));
        let step = |(t, prev): (&f64, i64)| {
            let alpha_cumprod = schedule.at(*t as i64)?;
            let prev = if prev < 0 { 1.0 } else { schedule.at(prev)? };
            Ok(Step::new(alpha_cumprod, prev, config.variance, *t > 0.0))
        };
        let steps = timesteps.iter().zip(following).map(step).collect::<Result<_>>()?;
        let run = VariancePreserving::from_schedule(config, &schedule, timesteps)?;
        Ok(Self { run, steps, bound: config.bound })
    }
}

impl Step {
    fn new(alpha_cumprod: f32, prev: f32, variance: DdpmVariance, draws: bool) -> Self {
        // The ratio's complement is small and keeps the ratio's rounding: in f32, as in diffusers.
        let alpha = alpha_cumprod / prev;
        let beta = f64::from(1.0 - alpha);
        let (rest, prev_rest) = (f64::from(1.0 - alpha_cumprod), f64::from(1.0 - prev));
        let small = (prev_rest / rest * beta).max(1e-20);
        let deviation = match variance {
            DdpmVariance::Small | DdpmVariance::SmallLog => small.sqrt(),
            DdpmVariance::Large => beta.sqrt(),
        };
        Self {
            original: f64::from(prev).sqrt() * beta / rest,
            latents: f64::from(alpha).sqrt() * prev_rest / rest,
            noise: draws.then_some(deviation),
        }
    }
}

impl Scheduler for DdpmScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let (level, step) = (self.run.level(step_index)?, at(&self.steps, step_index)?);
        let original = self.bound.apply(level.predict_original(self.run.prediction, latents, model_output)?)?;
        let mean = [(step.original, &original), (step.latents, latents)];
        match step.noise {
            Some(deviation) => combine(&[mean.as_slice(), &[(deviation, &randn_like(latents, noise)?)]].concat()),
            None => combine(&mean),
        }
    }
}
