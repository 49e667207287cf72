//! Schedulers: compute the next step's latents from a model's output.
//!
//! A scheduler is indexed by step, never by timestep value: timesteps repeat (Heun) and may be fractional (SVD). Latents stay in f32 and
//! NCHW; only the model runs in a lower precision. Each scheduler has its own file; `sigmas` has the noise schedules of all, `discrete` and
//! `variance_preserving` the common part of either family.
//!
//! Reference: the classes of diffusers' `schedulers` folder, matched to the last f32 where they hold f32 (the noise schedule, sigmas and
//! timesteps); coefficients beyond that are f64 on the host, except for the few that diffusers' own f32 rounding visibly affects.

mod aliases;
mod beta_quantile;
mod classes;
mod config;
mod ddim;
mod ddpm;
mod deis;
mod discrete;
mod dpm_coefficients;
mod dpm_multistep;
mod dpm_singlestep;
mod euler;
mod euler_ancestral;
mod fields;
mod file;
mod heun;
mod latents;
mod lcm;
mod lms;
mod names;
mod numpy;
mod pndm;
mod sigmas;
mod tcd;
mod unipc;
mod variance_preserving;

use candle_core::Tensor;

pub use config::{PredictionType, SchedulerConfig};
pub use file::SchedulerFile;
pub use names::{SchedulerKind, SchedulerName, SigmaSchedule};

use crate::{Error, Result, noise::SeededNoise};

/// The noise levels of a run: all of [`Scheduler`] except the step from one level to the next.
pub trait Run {
    /// See [`Scheduler::timesteps`].
    fn timesteps(&self) -> &[f64];

    /// See [`Scheduler::init_noise_sigma`].
    fn init_noise_sigma(&self) -> f64;

    /// See [`Scheduler::scale_model_input`].
    fn scale_model_input(&self, latents: &Tensor, step_index: usize) -> Result<Tensor>;

    /// See [`Scheduler::add_noise`].
    fn add_noise(&self, original: &Tensor, noise: &Tensor, step_index: usize) -> Result<Tensor>;

    /// The clean latents that the model's output at this step predicts, given the latents before the step.
    ///
    /// # Errors
    /// [`crate::Error::Params`] if `step_index` is out of range.
    fn clean(&self, latents: &Tensor, model_output: &Tensor, step_index: usize) -> Result<Tensor>;
}

/// One run of a scheduler with a fixed number of steps; holds the multistep history of that run.
pub trait Scheduler: Send {
    /// The levels of this run.
    fn run(&self) -> &dyn Run;

    /// The timesteps for the model, one for each model call; Heun's and PNDM's repeat.
    fn timesteps(&self) -> &[f64] {
        self.run().timesteps()
    }

    /// The standard deviation of the noise in the initial latents.
    fn init_noise_sigma(&self) -> f64 {
        self.run().init_noise_sigma()
    }

    /// Model calls for each requested step, as far as `strength` is concerned: 2 for Heun, else 1.
    fn order(&self) -> usize {
        1
    }

    /// Scales latents to the model's expected input at this step.
    ///
    /// # Errors
    /// [`crate::Error::Params`] if `step_index` is out of range.
    fn scale_model_input(&self, latents: &Tensor, step_index: usize) -> Result<Tensor> {
        self.run().scale_model_input(latents, step_index)
    }

    /// Adds noise to clean latents up to the level of the model call at `step_index` (image to image, inpainting).
    ///
    /// # Errors
    /// [`crate::Error::Params`] if `step_index` is out of range.
    fn add_noise(&self, original: &Tensor, noise: &Tensor, step_index: usize) -> Result<Tensor> {
        self.run().add_noise(original, noise, step_index)
    }

    /// Makes one step: from the model's output at `step_index` to the latents of `step_index + 1`. A scheduler that needs noise draws it
    /// from `noise` in the shape of the latents, with as many draws as in diffusers. The first call of a run may have any `step_index`
    /// (image to image starts late); later calls count up by one.
    ///
    /// # Errors
    /// [`crate::Error::Params`] if `step_index` is out of range.
    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor>;
}

/// The value at a step, or an error with the index and its limit.
fn at<T: Copy>(values: &[T], step_index: usize) -> Result<T> {
    values.get(step_index).copied().ok_or_else(|| Error::Params {
        field: "step_index",
        reason: format!("{step_index} is out of range, there are {} steps", values.len()),
    })
}
