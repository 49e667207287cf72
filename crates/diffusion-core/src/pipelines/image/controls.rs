//! The ControlNets of an image: loaded nets, their parameters, and the part of a run in which each acts.
//!
//! This module must not depend on what an image starts from. Invariants: a net that does not fit the model is refused before anything runs;
//! so is a window that holds no whole step, which diffusers accepts and never applies. Follows the `controlnet_keep` of diffusers'
//! `StableDiffusionControlNetPipeline.__call__`.

use std::{ops::Range, sync::Arc};

use image::RgbImage;

use super::{ImageParams, StableDiffusion};
use crate::{
    Error, Result,
    guidance::Control,
    models::{ControlNetConfig, ControlNetModel},
    ops::memory::compact_saving,
    pipelines::memory::WeightCounter,
    policy::ExecutionPolicy,
    preprocess,
    weights::{Component, WeightSource},
};

/// The field of a request that an error about its ControlNets names.
const FIELD: &str = "controlnets";

/// A loaded ControlNet, for any number of runs.
#[derive(Debug)]
pub struct ControlNet {
    model: ControlNetModel,
    weight_bytes: u64,
}

impl ControlNet {
    /// Loads a net in the noise predictor's precision.
    ///
    /// # Errors
    /// [`Error::Config`] for an unsupported configuration, [`Error::Weights`] or [`Error::File`] for missing or damaged files.
    pub fn load(source: &dyn WeightSource, policy: &ExecutionPolicy) -> Result<Self> {
        let config = ControlNetConfig::from_json(&source.config(Component::ControlNet)?)?;
        let counter = WeightCounter::default();
        let weights = counter.component(source, Component::ControlNet, policy.unet, &policy.device)?;
        let model = ControlNetModel::load(&config, &weights)?;
        let compact = compact_saving(config.unet.compact_elements().0, policy.unet, policy.device.is_cpu());
        Ok(Self { model, weight_bytes: counter.bytes().saturating_sub(compact) })
    }

    /// The configuration that the net was loaded with.
    pub fn config(&self) -> &ControlNetConfig {
        self.model.config()
    }

    /// The size of its weights in memory, in bytes.
    pub fn weights(&self) -> u64 {
        self.weight_bytes
    }
}

/// The ControlNets of an image.
#[derive(Clone, Debug, Default)]
pub struct ControlsParams {
    /// The nets, whose results are added up.
    pub nets: Vec<ControlParams>,
    /// Whether they act on the prompt's half of the guidance only, and less on finer details, so that an image follows them without a prompt.
    pub guess_mode: bool,
}

/// One ControlNet of an image.
#[derive(Clone, Debug)]
pub struct ControlParams {
    /// The net.
    pub net: Arc<ControlNet>,
    /// The control image; resized if its size differs.
    pub image: RgbImage,
    /// The factor of the net's results.
    pub weight: f64,
    /// The share of the run's steps before the net acts, in [0, 1).
    pub start: f64,
    /// The share of the run's steps after which it no longer acts, in (0, 1].
    pub end: f64,
}

impl ControlsParams {
    /// Checks the limits that hold for every model.
    pub(super) fn check(&self) -> Result<()> {
        for ControlParams { weight, start, end, .. } in &self.nets {
            if !weight.is_finite() {
                return Err(refused(format!("the weight {weight} is not finite")));
            }
            check_window(*start, *end)?;
        }
        Ok(())
    }

    /// The nets as a run of that many calls of the noise predictor uses them.
    pub(super) fn prepared(&self, params: &ImageParams, calls: usize) -> Result<Vec<Control<'_>>> {
        let prepared = self.nets.iter().map(|ControlParams { net, image, weight, start, end }| {
            Ok(Control {
                net: &net.model,
                image: preprocess::control_tensor(image, params.width, params.height)?,
                weight: *weight,
                calls: control_window(calls, *start, *end)?,
            })
        });
        prepared.collect()
    }
}

/// The calls of the noise predictor, of a run's `calls`, that lie within the window from `start` to `end` as a whole.
///
/// # Errors
/// [`Error::Params`] if the window is none, or holds no whole call.
pub fn control_window(calls: usize, start: f64, end: f64) -> Result<Range<usize>> {
    check_window(start, end)?;
    let share = |call: usize| call as f64 / calls as f64;
    let is_within = |call: &usize| share(*call) >= start && share(call + 1) <= end;
    let Some(first) = (0..calls).find(is_within) else {
        let reason = format!(
            "the window from {start} to {end} holds none of the {calls} steps of the run as a whole, so the ControlNet would never act; \
             a step takes {:.4}: widen the window, or run more steps",
            1.0 / calls as f64
        );
        return Err(refused(reason));
    };
    Ok(first..(first..calls).find(|call| !is_within(call)).unwrap_or(calls))
}

fn check_window(start: f64, end: f64) -> Result<()> {
    if (0.0..1.0).contains(&start) && end > start && end <= 1.0 {
        return Ok(());
    }
    Err(refused(format!("the window from {start} to {end} is none: start is 0 or more and below end, which is 1 or less")))
}

fn refused(reason: String) -> Error {
    Error::Params { field: FIELD, reason }
}

impl StableDiffusion {
    /// Refuses a ControlNet that was made for another model's family.
    ///
    /// # Errors
    /// [`Error::Config`] with the net's value and the model's.
    pub fn check_controlnet(&self, config: &ControlNetConfig) -> Result<()> {
        let vae = self.vae().config();
        config.check_fit(self.unet.config(), vae.latent_channels(), vae.factor())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_step_that_lies_in_the_window_only_partly_is_not_controlled() {
        assert_eq!(control_window(10, 0.0, 1.0).unwrap(), 0..10);
        assert_eq!(control_window(10, 0.2, 0.7).unwrap(), 2..7);
        assert_eq!(control_window(10, 0.25, 0.69).unwrap(), 3..6);
        assert_eq!(control_window(1, 0.0, 1.0).unwrap(), 0..1);
        let message = control_window(4, 0.3, 0.7).unwrap_err().to_string();
        assert!(message.starts_with("controlnets: the window from 0.3 to 0.7 holds none of the 4 steps"), "{message}");
        assert!(message.contains("a step takes 0.2500"), "{message}");
        for (start, end) in [(0.5, 0.5), (0.6, 0.5), (-0.1, 1.0), (0.0, 1.1), (1.0, 1.0), (f64::NAN, 1.0), (0.0, f64::NAN)] {
            assert!(control_window(10, start, end).unwrap_err().to_string().contains("is none"), "{start} {end}");
        }
        assert!(control_window(0, 0.0, 1.0).is_err());
    }
}
