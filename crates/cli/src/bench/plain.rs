//! `framewright bench --plain`: a line for each part, `step SECONDS`, `vae SECONDS` and `text SECONDS`, for comparison with other programs.
//!
//! A step is one UNet call as in a real run: one latent for two texts (one, for a model that by its own marks runs without guidance) with
//! precomputed keys and values, and the parts that do not depend on the text computed once. The autoencoder is the model's TAESD where it
//! has one. The text encoder is timed where there is only one. The invariant: numbers are printed only if the timed outputs agree with the
//! portable f32 execution of the layers, in which the texts share nothing.

use std::time::Duration;

use anyhow::{Result, bail};
use candle_core::{DType, Device, Tensor};
use diffusion_core::{
    models::{ClipTextConfig, ClipTextModel, ImageVae, ImageVaeConfig, UNet2dConditionModel, UNet2dConfig},
    ops::execution,
    pipelines::ImageDefaults,
    policy::ExecutionPolicy,
    weights::{Component, ComponentWeights, ModelFamily, VaeChoice, WeightSource},
};

use super::{Size, Workload, timing::measure, workload::TOKENS};
use crate::{failure::Usage, output};

/// Minimum peak signal-to-noise ratio of the timed outputs against the portable path's: what bf16 reaches on a picture.
const LEAST_DECIBELS: f64 = 36.0;

/// Times one guided step and one decode at a size (None: the model's own), and checks both.
///
/// # Errors
/// [`Usage`] for a video model; otherwise if the model cannot be loaded or run, or an output is further than [`LEAST_DECIBELS`] from the
/// portable path's.
pub(super) fn run(source: &dyn WeightSource, policy: &ExecutionPolicy, size: Option<Size>, repeat: u32) -> Result<()> {
    if !ModelFamily::of(source)?.makes_images() {
        return Err(Usage("--plain: is for models of pictures".into()).into());
    }
    let parts = Parts::load(source, policy)?;
    let size = size.unwrap_or_else(|| parts.own_size());
    let texts = if ImageDefaults::of(source)?.guidance_scale.is_some_and(|scale| scale <= 1.0) { 1 } else { 2 };
    let workload = Workload::new(&parts.unet, &parts.vae, texts, policy, size)?;
    let median = |runs: Vec<Duration>| runs.get(runs.len() / 2).map_or(0.0, Duration::as_secs_f64);
    let (mut step, mut decoded, mut text) = (None, None, None);
    let (runs, _) = measure(repeat, || workload.step().map(|output| step = Some(output)))?;
    let step_seconds = median(runs);
    let (runs, _) = measure(repeat, || workload.decode().map(|output| decoded = Some(output)))?;
    let decode_seconds = median(runs);
    let (runs, _) = measure(repeat, || parts.encode_text().map(|output| text = output))?;
    let text_seconds = text.as_ref().map(|_| median(runs));

    // The fast parts are dropped before the slow ones are loaded: both together may not fit into memory.
    drop(parts);
    let reference_policy = ExecutionPolicy { text_encoder: DType::F32, unet: DType::F32, vae: DType::F32, ..policy.clone() };
    // Loaded and prepared in portable execution, so that no weight is packed and the texts' keys and values are portable too.
    let reference = execution::portable(|| Parts::load(source, &reference_policy))?;
    let workload = execution::portable(|| Workload::new(&reference.unet, &reference.vae, texts, &reference_policy, size))?;
    let expected = execution::portable(|| workload.step_unshared())?;
    compare("unet step", step, &expected)?;
    let expected = execution::portable(|| workload.decode())?;
    compare("vae decode", decoded, &expected)?;
    if let Some(expected) = execution::portable(|| reference.encode_text())? {
        compare("text encoder", text, &expected)?;
    }
    output::result(format_args!("step {step_seconds:.6}"))?;
    output::result(format_args!("vae {decode_seconds:.6}"))?;
    if let Some(seconds) = text_seconds {
        output::result(format_args!("text {seconds:.6}"))?;
    }
    Ok(())
}

/// The parts that are timed.
struct Parts {
    unet: UNet2dConditionModel,
    vae: ImageVae,
    /// The text encoder of a model with one.
    text_encoder: Option<ClipTextModel>,
    device: Device,
}

impl Parts {
    fn load(source: &dyn WeightSource, policy: &ExecutionPolicy) -> diffusion_core::Result<Self> {
        let weights = |component: Component, dtype: DType| {
            source.tensors(component).map(|tensors| ComponentWeights::new(tensors, component, dtype, &policy.device))
        };
        let unet_config = UNet2dConfig::from_json(&source.config(Component::Unet)?)?;
        let vae = if source.vaes().contains(&VaeChoice::Tiny) { Component::TinyVae } else { Component::Vae };
        let vae_config = ImageVaeConfig::from_json(&source.config(vae)?)?;
        // Of two text encoders, none is timed.
        let text_encoder = if unet_config.text_time.is_some() {
            None
        } else {
            let config = ClipTextConfig::from_json(&source.config(Component::TextEncoder)?)?;
            Some(ClipTextModel::load(&config, &weights(Component::TextEncoder, policy.text_encoder)?)?)
        };
        Ok(Self {
            unet: UNet2dConditionModel::load(&unet_config, &weights(Component::Unet, policy.unet)?)?,
            vae: ImageVae::load(&vae_config, &weights(vae, policy.vae)?)?,
            text_encoder,
            device: policy.device.clone(),
        })
    }

    /// One text of the model's full length; `None` for a model with two text encoders.
    fn encode_text(&self) -> Result<Option<Tensor>> {
        let Some(encoder) = &self.text_encoder else { return Ok(None) };
        let ids = Tensor::arange(0, TOKENS as u32, &self.device)?.unsqueeze(0)?;
        let output = encoder.forward(&ids, 0)?;
        self.device.synchronize()?;
        Ok(Some(output))
    }

    fn own_size(&self) -> Size {
        let side = self.unet.config().sample_size.map(|(_, width)| width * self.vae.config().factor());
        let side = side.and_then(|side| side.try_into().ok()).unwrap_or(512);
        (side, side).into()
    }
}

fn compare(what: &str, found: Option<Tensor>, expected: &Tensor) -> Result<()> {
    let Some(found) = found else { bail!("{what}: was not run") };
    let decibels = decibels(&found, expected)?;
    // Written so that NaN, from an output that overflowed or is flat, fails too.
    if decibels >= LEAST_DECIBELS {
        Ok(())
    } else {
        bail!("{what}: is at {decibels:.1} dB of the portable f32 path, which is less than {LEAST_DECIBELS} dB")
    }
}

/// The peak signal-to-noise ratio of `found` against `expected`, whose range is the peak; infinite if they are equal, NaN if a value is not
/// finite or the expected output is flat.
fn decibels(found: &Tensor, expected: &Tensor) -> Result<f64> {
    let values = |tensor: &Tensor| -> Result<Vec<f64>> { Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?) };
    let (found, expected) = (values(found)?, values(expected)?);
    let (least, most) = expected.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| (least.min(*x), most.max(*x)));
    let peak = most - least;
    if found.len() != expected.len() || peak <= 0.0 || found.iter().chain(&expected).any(|value| !value.is_finite()) {
        return Ok(f64::NAN);
    }
    let error = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / found.len() as f64;
    Ok(10.0 * (peak.powi(2) / error).log10())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn decibels_are_relative_to_the_range_and_faults_are_nan() {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let decibels = |a: &[f32], b: &[f32]| decibels(&tensor(a), &tensor(b)).unwrap();
        assert!((decibels(&[0.01, 0.99], &[0.0, 1.0]) - 40.0).abs() < 1e-3);
        assert_eq!(decibels(&[0.0, 1.0], &[0.0, 1.0]), f64::INFINITY);
        assert!(decibels(&[0.0, f32::NAN], &[0.0, 1.0]).is_nan());
        assert!(decibels(&[1.0, 1.0], &[1.0, 1.0]).is_nan());
        assert!(compare("x", Some(tensor(&[0.0, 0.5])), &tensor(&[0.0, 1.0])).is_err());
        assert!(compare("x", Some(tensor(&[1.0, 1.0])), &tensor(&[1.0, 1.0])).is_err());
    }
}
