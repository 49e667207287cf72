//! Pseudo numerical methods for diffusion models: four-step Adams-Bashforth (PLMS), after three Runge-Kutta steps of four model calls each
//! (PRK) unless `skip_prk_steps`. History: four model outputs, the latents of a step's first call, and a count of calls from the start of
//! the run. Reference: diffusers' `scheduling_pndm.py`; Liu et al. 2022, algorithm 2.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::{
    Run, Scheduler, at,
    config::SchedulerConfig,
    ddim::final_alpha_cumprod,
    latents::{Level, combine},
    sigmas::{NoiseSchedule, spaced_timesteps},
    variance_preserving::VariancePreserving,
};
use crate::{Error, Result, noise::SeededNoise};

pub(super) struct PndmScheduler {
    run: VariancePreserving,
    schedule: NoiseSchedule,
    final_alpha_cumprod: f32,
    /// Training timesteps from one timestep of a run to the next.
    ratio: i64,
    /// Number of model calls in the Runge-Kutta steps.
    prk_calls: usize,
    calls: usize,
    /// Newest first.
    outputs: VecDeque<Tensor>,
    /// The weighted sum of a Runge-Kutta step's outputs so far.
    sum: Option<Tensor>,
    current: Option<Tensor>,
}

impl PndmScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let schedule = NoiseSchedule::new(config);
        let falling = spaced_timesteps(config, steps, true);
        let ratio = config.num_train_timesteps / steps;
        let mut timesteps = Vec::with_capacity(falling.len() + 9);
        let prk_calls = if config.skip_prk_steps {
            // The second timestep is visited twice: an Euler step there and back gives the second derivative.
            timesteps.extend(falling.iter().take(2));
            timesteps.extend(falling.iter().skip(1));
            0
        } else {
            let [first, second, third, fourth, ..] = falling.as_slice() else {
                let reason = format!("{steps} steps, but pndm with skip_prk_steps false takes 4 or more");
                return Err(Error::Params { field: "num_inference_steps", reason });
            };
            let half = (ratio / 2) as f64;
            for (start, end) in [(first, second), (second, third), (third, fourth)] {
                timesteps.extend([*start, end + half, end + half, *end]);
            }
            timesteps.extend(falling.iter().skip(3));
            12
        };
        Ok(Self {
            run: VariancePreserving::from_schedule(config, &schedule, timesteps)?,
            final_alpha_cumprod: final_alpha_cumprod(config, &schedule)?,
            schedule,
            ratio: ratio as i64,
            prk_calls,
            calls: 0,
            outputs: VecDeque::new(),
            sum: None,
            current: None,
        })
    }

    /// Equation 9: moves from one timestep to an earlier one along a predicted noise.
    fn transfer(&self, latents: &Tensor, timestep: i64, prev_timestep: i64, model_output: &Tensor) -> Result<Tensor> {
        let alpha_cumprod = self.schedule.at(timestep)?;
        let prev = if prev_timestep < 0 { self.final_alpha_cumprod } else { self.schedule.at(prev_timestep)? };
        let epsilon = Level::from_alpha_cumprod(alpha_cumprod).predict_epsilon(self.run.prediction, latents, model_output)?;
        let (rest, prev_rest) = (f64::from(1.0 - alpha_cumprod), f64::from(1.0 - prev));
        let (alpha_cumprod, prev) = (f64::from(alpha_cumprod), f64::from(prev));
        let denominator = alpha_cumprod * prev_rest.sqrt() + (alpha_cumprod * rest * prev).sqrt();
        combine(&[((prev / alpha_cumprod).sqrt(), latents), (-(prev - alpha_cumprod) / denominator, &epsilon)])
    }

    fn step_prk(&mut self, model_output: &Tensor, timestep: i64, latents: &Tensor) -> Result<Tensor> {
        let phase = self.calls % 4;
        let back = if self.calls % 2 == 1 { 0 } else { self.ratio / 2 };
        let start = at(&self.run.timesteps, self.calls - phase)? as i64;
        let weight = if phase == 0 || phase == 3 { 1.0 / 6.0 } else { 1.0 / 3.0 };
        let sum = match self.sum.take() {
            Some(sum) => combine(&[(1.0, &sum), (weight, model_output)])?,
            None => combine(&[(weight, model_output)])?,
        };
        if phase == 0 {
            self.outputs.push_front(model_output.clone());
            self.current = Some(latents.clone());
        }
        let current = self.current.clone().unwrap_or_else(|| latents.clone());
        if phase == 3 {
            return self.transfer(&current, start, timestep - back, &sum);
        }
        self.sum = Some(sum);
        self.transfer(&current, start, timestep - back, model_output)
    }

    fn step_plms(&mut self, model_output: &Tensor, timestep: i64, latents: &Tensor) -> Result<Tensor> {
        let (mut timestep, mut prev_timestep) = (timestep, timestep - self.ratio);
        if self.calls == 1 {
            (timestep, prev_timestep) = (timestep + self.ratio, timestep);
        } else {
            self.outputs.truncate(3);
            self.outputs.push_front(model_output.clone());
        }
        let outputs: Vec<&Tensor> = self.outputs.iter().collect();
        let mut from = latents.clone();
        let output = match outputs.as_slice() {
            [last] if self.calls == 1 => {
                from = self.current.take().unwrap_or(from);
                combine(&[(0.5, model_output), (0.5, last)])?
            }
            [last] => {
                self.current = Some(latents.clone());
                (*last).clone()
            }
            [last, second] => combine(&[(3.0 / 2.0, last), (-1.0 / 2.0, second)])?,
            [last, second, third] => combine(&[(23.0 / 12.0, last), (-16.0 / 12.0, second), (5.0 / 12.0, third)])?,
            [last, second, third, fourth, ..] => {
                combine(&[(55.0 / 24.0, last), (-59.0 / 24.0, second), (37.0 / 24.0, third), (-9.0 / 24.0, fourth)])?
            }
            [] => model_output.clone(),
        };
        self.transfer(&from, timestep, prev_timestep, &output)
    }
}

impl Scheduler for PndmScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, _: &mut SeededNoise) -> Result<Tensor> {
        let timestep = at(&self.run.timesteps, step_index)? as i64;
        let prev = if self.calls < self.prk_calls {
            self.step_prk(model_output, timestep, latents)?
        } else {
            self.step_plms(model_output, timestep, latents)?
        };
        self.calls += 1;
        Ok(prev)
    }
}
