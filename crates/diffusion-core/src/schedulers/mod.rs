//! Schedulers: what turns a model's output at one step into the next step's latents.
//!
//! A scheduler is keyed by step index, never by timestep value: timesteps repeat (Heun) and need not be whole numbers (SVD).
//! Latents stay in f32 and NCHW; only the model runs in a lower precision. One file a scheduler; `sigmas` holds the noise schedules once,
//! `discrete` and `variance_preserving` what a scheduler of either family is but for its step.
//!
//! Reference: the classes of diffusers' `schedulers` folder, followed to the last f32 where they hold f32 (the noise schedule, sigmas and
//! timesteps); coefficients beyond that are f64 on the host, but for the few that diffusers' own f32 rounding visibly shapes.

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

/// The noise levels that a run passes: they answer all of [`Scheduler`]'s questions but how to step from one to the next.
pub trait Run {
    /// See [`Scheduler::timesteps`].
    fn timesteps(&self) -> &[f64];

    /// See [`Scheduler::init_noise_sigma`].
    fn init_noise_sigma(&self) -> f64;

    /// See [`Scheduler::scale_model_input`].
    fn scale_model_input(&self, latents: &Tensor, step_index: usize) -> Result<Tensor>;

    /// See [`Scheduler::add_noise`].
    fn add_noise(&self, original: &Tensor, noise: &Tensor, step_index: usize) -> Result<Tensor>;

    /// The clean latents that the model's output at this step points at, given the latents before the step.
    ///
    /// # Errors
    /// [`crate::Error::Params`] if `step_index` is out of range.
    fn clean(&self, latents: &Tensor, model_output: &Tensor, step_index: usize) -> Result<Tensor>;
}

/// One run of a scheduler over a fixed number of steps; holds the multistep history of that run.
pub trait Scheduler: Send {
    /// The levels of this run.
    fn run(&self) -> &dyn Run;

    /// The timesteps handed to the model, one for each call of it; Heun's and the single-step solver's repeat or interleave.
    fn timesteps(&self) -> &[f64] {
        self.run().timesteps()
    }

    /// The standard deviation of the noise that the first latents are made of.
    fn init_noise_sigma(&self) -> f64 {
        self.run().init_noise_sigma()
    }

    /// Model calls for each step that the user asked for, where `strength` is concerned: 2 for Heun, else 1.
    fn order(&self) -> usize {
        1
    }

    /// Scales latents to what the model expects at this step.
    ///
    /// # Errors
    /// [`crate::Error::Params`] if `step_index` is out of range.
    fn scale_model_input(&self, latents: &Tensor, step_index: usize) -> Result<Tensor> {
        self.run().scale_model_input(latents, step_index)
    }

    /// Noises clean latents to the level at which the model is called at `step_index` (image to image, inpainting).
    ///
    /// # Errors
    /// [`crate::Error::Params`] if `step_index` is out of range.
    fn add_noise(&self, original: &Tensor, noise: &Tensor, step_index: usize) -> Result<Tensor> {
        self.run().add_noise(original, noise, step_index)
    }

    /// One step: from the model's output at `step_index` to the latents of `step_index + 1`. Noise, where the scheduler wants any, is drawn
    /// from `noise` in the shape of the latents, as many draws as diffusers makes.
    /// The first call of a run may have any `step_index` (image to image starts late); later calls go up by one.
    ///
    /// # Errors
    /// [`crate::Error::Params`] if `step_index` is out of range.
    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor>;
}

/// The value of a step, or an error that names the index and its limit.
fn at<T: Copy>(values: &[T], step_index: usize) -> Result<T> {
    values.get(step_index).copied().ok_or_else(|| Error::Params {
        field: "step_index",
        reason: format!("{step_index} is out of range, there are {} steps", values.len()),
    })
}
