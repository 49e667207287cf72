//! `framewright bench --plain`: two lines, `step SECONDS` and `vae SECONDS`, for comparison with other programs.
//!
//! A step is one guided UNet call as in a real run: one latent for two texts with precomputed keys and values, and the parts that do not
//! depend on the text computed once. The invariant: numbers are printed only if the timed outputs agree with the portable f32 execution of
//! the layers, in which the two texts share nothing.

use std::time::Duration;

use anyhow::{Result, bail};
use candle_core::{DType, Tensor};
use diffusion_core::{
    models::{ImageVae, ImageVaeConfig, UNet2dConditionModel, UNet2dConfig},
    ops::execution,
    policy::ExecutionPolicy,
    weights::{Component, ComponentWeights, ModelFamily, WeightSource},
};

use super::{Size, Workload, timing::measure};
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
    let workload = Workload::new(&parts.unet, &parts.vae, policy, size)?;
    let median = |runs: Vec<Duration>| runs.get(runs.len() / 2).map_or(0.0, Duration::as_secs_f64);
    let (mut step, mut decoded) = (None, None);
    let (runs, _) = measure(repeat, || workload.step().map(|output| step = Some(output)))?;
    let step_seconds = median(runs);
    let (runs, _) = measure(repeat, || workload.decode().map(|output| decoded = Some(output)))?;
    let decode_seconds = median(runs);

    // The fast parts are dropped before the slow ones are loaded: both together may not fit into memory.
    drop(parts);
    let reference_policy = ExecutionPolicy { text_encoder: DType::F32, unet: DType::F32, vae: DType::F32, ..policy.clone() };
    // Loaded and prepared in portable execution, so that no weight is packed and the texts' keys and values are portable too.
    let reference = execution::portable(|| Parts::load(source, &reference_policy))?;
    let workload = execution::portable(|| Workload::new(&reference.unet, &reference.vae, &reference_policy, size))?;
    let expected = execution::portable(|| workload.step_unshared())?;
    compare("unet step", step, &expected)?;
    let expected = execution::portable(|| workload.decode())?;
    compare("vae decode", decoded, &expected)?;
    output::result(format_args!("step {step_seconds:.6}"))?;
    output::result(format_args!("vae {decode_seconds:.6}"))?;
    Ok(())
}

/// The two parts that are timed; the text encoder is not.
struct Parts {
    unet: UNet2dConditionModel,
    vae: ImageVae,
}

impl Parts {
    fn load(source: &dyn WeightSource, policy: &ExecutionPolicy) -> diffusion_core::Result<Self> {
        let weights = |component: Component, dtype: DType| {
            source.tensors(component).map(|tensors| ComponentWeights::new(tensors, component, dtype, &policy.device))
        };
        let unet_config = UNet2dConfig::from_json(&source.config(Component::Unet)?)?;
        let vae_config = ImageVaeConfig::from_json(&source.config(Component::Vae)?)?;
        Ok(Self {
            unet: UNet2dConditionModel::load(&unet_config, &weights(Component::Unet, policy.unet)?)?,
            vae: ImageVae::load(&vae_config, &weights(Component::Vae, policy.vae)?)?,
        })
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

    use candle_core::Device;

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
