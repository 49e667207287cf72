//! An image that one model begins and another one ends: Stable Diffusion XL's base model and its refiner. Follows diffusers' `denoising_end`
//! of `StableDiffusionXLPipeline` and `StableDiffusionXLImg2ImgPipeline`, and the latter's `denoising_start`.
//!
//! This module must not depend on how a model is loaded. Invariant: both parts draw from one stream of noise, the image's, and the latents
//! pass from one to the other as they are, between two steps.

use std::ops::ControlFlow;

use candle_core::Tensor;
use image::RgbImage;

use super::{ControlsParams, ImageParams, StableDiffusion, Start, XlParams};
use crate::{
    Error, Result,
    denoise::{Denoising, StepMonitor, StepReport},
    noise::SeededNoise,
    pipelines::RunContext,
    schedulers::Scheduler,
    weights::{ModelFamily, StopCheck},
};

/// The state of an image between two models.
#[derive(Clone, Debug)]
pub struct HandedOver {
    pub(super) latents: Tensor,
    pub(super) noise: SeededNoise,
    /// How often the first model was called.
    pub(super) calls: usize,
}

/// Where a model ends its part of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Until {
    /// It makes every step.
    End,
    /// Another one continues after this share of training's timesteps.
    Share(f64),
}

impl Until {
    /// The first step that is not made.
    ///
    /// # Errors
    /// [`Error::Params`] if there is no step before it, or none from it on.
    pub(super) fn step(self, scheduler: &dyn Scheduler, first_step: usize, trained: usize) -> Result<usize> {
        let timesteps = scheduler.timesteps();
        let Self::Share(share) = self else { return Ok(timesteps.len()) };
        let cutoff = cutoff(share, trained);
        let end = timesteps.iter().filter(|timestep| **timestep >= cutoff).count();
        if end <= first_step {
            return Err(refuse(format!("{share} leaves no step to the model before the refiner: raise it, or num_inference_steps")));
        }
        if end >= timesteps.len() {
            return Err(refuse(no_step(share)));
        }
        Ok(end)
    }
}

/// The timestep below which the second model's steps lie.
fn cutoff(share: f64, trained: usize) -> f64 {
    let trained = trained as f64;
    (trained - share * trained).round_ties_even()
}

fn refuse(reason: String) -> Error {
    Error::Params { field: "refiner_switch", reason }
}

fn no_step(share: f64) -> String {
    format!("{share} leaves no step to the refiner: lower it, or raise num_inference_steps")
}

/// Reports the steps of a part of a run as those of the whole.
pub(super) struct PartOfRun<'a> {
    pub(super) monitor: &'a mut dyn StepMonitor,
    /// Steps of other models before and after.
    pub(super) before: usize,
    pub(super) after: usize,
}

impl StepMonitor for PartOfRun<'_> {
    fn on_step(&mut self, report: &StepReport<'_>) -> ControlFlow<()> {
        let StepReport { step, steps, timestep, latents, preview } = *report;
        let (step, steps) = (self.before + step, self.before + steps + self.after);
        self.monitor.on_step(&StepReport { step, steps, timestep, latents, preview })
    }

    fn on_kept(&mut self) {
        self.monitor.on_kept();
    }

    fn stop_check(&self) -> StopCheck {
        self.monitor.stop_check()
    }

    fn on_step_down(&mut self, what: &str) {
        self.monitor.on_step_down(what);
    }
}

impl StableDiffusion {
    /// Begins an image, which [`Self::refine`] of another model ends: makes the steps of the first `share` of training's timesteps. The refiner's
    /// scores in the parameters are left to it.
    ///
    /// # Errors
    /// As [`Self::image`]; [`Error::Params`] of `refiner_switch` if the share is not between 0 and 1, or leaves no step to either model, and of
    /// `mask_image` for an image that is painted inside a mask.
    pub fn begin(&self, params: &ImageParams, share: f64, monitor: &mut dyn StepMonitor) -> Result<HandedOver> {
        check_share(share)?;
        let xl = XlParams { aesthetic_score: None, negative_aesthetic_score: None, ..params.xl.clone() };
        let params = ImageParams { xl, ..params.clone() };
        self.check_params(&params)?;
        match &params.start {
            Start::Noise => self.latents_from_noise(&params, Until::Share(share), monitor),
            Start::Image { init_image, strength } => {
                self.latents_from_image(&params, (init_image, *strength), Until::Share(share), monitor)
            }
            Start::Inpaint { .. } => {
                let reason = "a refiner cannot continue inside a mask: leave out the mask or the refiner";
                Err(Error::Params { field: "mask_image", reason: reason.into() })
            }
        }
    }

    /// Ends an image that another model began: makes the steps after the first `share` of training's timesteps. `None` if the context's journal has
    /// the latents. What the image starts from and its ControlNets concern the model that began it; so do the target sizes if this one is
    /// Stable Diffusion XL's refiner.
    ///
    /// # Errors
    /// As [`Self::begin`]; [`Error::Params`] of `refiner` if the latents are not such as this model makes.
    pub fn refine(&self, params: &ImageParams, from: Option<HandedOver>, share: f64, context: RunContext<'_>) -> Result<RgbImage> {
        check_share(share)?;
        let mut xl = params.xl.clone();
        if self.family == ModelFamily::StableDiffusionXlRefiner {
            (xl.target_size, xl.negative_target_size) = (None, None);
        }
        let params = ImageParams { xl, controls: ControlsParams::default(), start: Start::Noise, ..params.clone() };
        self.check_params(&params)?;
        self.finished(&params, context, |monitor| {
            let from = from.ok_or_else(|| Error::Params { field: "refiner", reason: "there is nothing to continue".into() })?;
            self.continued(&params, from, share, monitor)
        })
    }

    fn continued(&self, params: &ImageParams, from: HandedOver, share: f64, monitor: &mut dyn StepMonitor) -> Result<Tensor> {
        let HandedOver { latents, mut noise, calls } = from;
        let (wanted, takes) = (self.latents_shape(params), self.unet.config().in_channels);
        if latents.dims() != wanted || takes != self.vae().config().latent_channels() {
            let reason = format!("it takes latents of the shape {wanted:?} and {takes} channels, and the model makes {:?}", latents.dims());
            return Err(Error::Params { field: "refiner", reason });
        }
        let mut scheduler = self.scheduler.start(params)?;
        let cutoff = cutoff(share, self.trained_timesteps(params)?);
        let timesteps = scheduler.timesteps();
        let mut left = timesteps.iter().filter(|timestep| **timestep < cutoff).count();
        if left == 0 {
            return Err(refuse(no_step(share)));
        }
        // Heun's second calls belong to the first ones before them.
        if scheduler.order() == 2 && left.is_multiple_of(2) {
            left += 1;
        }
        let first_step = timesteps.len().saturating_sub(left);
        let conditioning = self.conditioning_from_latents(params)?;
        let paint = |latents: &Tensor| self.paint(latents);
        let mut monitor = PartOfRun { monitor, before: calls, after: 0 };
        let run = Denoising { scheduler: scheduler.as_mut(), first_step, noise: &mut noise, paint: &paint, monitor: &mut monitor };
        run.run(latents, |sample, timestep, call| conditioning.predict(sample, timestep, call), |_, _, latents| Ok(latents))
    }
}

fn check_share(share: f64) -> Result<()> {
    if share > 0.0 && share < 1.0 { Ok(()) } else { Err(refuse(format!("{share} is not between 0 and 1"))) }
}
