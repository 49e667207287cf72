//! The times that users notice: a noise predictor's step and a decode at tiny-sd's size, and a whole image of the embedded model.
//!
//! `cargo bench -p benches --bench pictures`. Weights are seeded random numbers; on a GPU the result is copied to the host before the clock
//! is read, which waits for the device. Results are in `results/`.

use std::{hint::black_box, time::Duration};

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use criterion::Criterion;
use diffusion_core::{
    models::{AutoencoderKl, AutoencoderKlConfig, UNet2dConditionModel, UNet2dConfig},
    noise::SeededNoise,
    pipelines::{ImageParams, RunContext, StableDiffusion, nano_sd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::{Component, ComponentWeights, RandomWeights, WeightSource},
};

/// Side of the random model's image, in pixels.
const SIDE: usize = 256;

fn main() -> Result<()> {
    let mut criterion = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(20)).configure_from_args();
    let policy = ExecutionPolicy::resolve(DeviceChoice::Auto, Precision::F32)?;
    for dtype in [DType::F32, DType::BF16] {
        parts(&mut criterion, &policy, dtype)?;
    }
    image(&mut criterion, &policy)?;
    criterion.final_summary();
    Ok(())
}

/// One step with classifier-free guidance as in an image's denoising loop (two texts, encoded in advance), and one decode.
fn parts(criterion: &mut Criterion, policy: &ExecutionPolicy, dtype: DType) -> Result<()> {
    let source = RandomWeights::new("tiny-sd", 1)?;
    let weights = |component: Component| -> Result<ComponentWeights> {
        Ok(ComponentWeights::new(source.tensors(component)?, component, dtype, &policy.device))
    };
    let unet = UNet2dConditionModel::load(&UNet2dConfig::from_json(&source.config(Component::Unet)?)?, &weights(Component::Unet)?)?;
    let vae = AutoencoderKl::load(&AutoencoderKlConfig::from_json(&source.config(Component::Vae)?)?, &weights(Component::Vae)?)?;
    let mut noise = SeededNoise::new(2);
    let latents = noise.randn(&[1, 4, SIDE / 8, SIDE / 8])?;
    let text = unet.text_context(&noise.randn(&[2, 77, 768])?)?;
    let name = |part: &str| format!("tiny-sd {SIDE} {part} {} {dtype:?}", policy.device_name());
    let wait = |tensor: Result<Tensor, diffusion_core::Error>| tensor.ok().and_then(|tensor| tensor.to_device(&Device::Cpu).ok());
    criterion.bench_function(&name("unet step"), |bencher| {
        bencher.iter(|| black_box(wait(unet.forward(&latents, 500.0, &text, None))));
    });
    criterion.bench_function(&name("vae decode"), |bencher| bencher.iter(|| black_box(wait(vae.decode(&latents)))));
    Ok(())
}

/// A whole image of the embedded model: 25 steps with guidance at its own size.
fn image(criterion: &mut Criterion, policy: &ExecutionPolicy) -> Result<()> {
    let model = StableDiffusion::load(&nano_sd(), policy)?;
    let params = ImageParams::new("a red circle on a blue background", model.default_size());
    criterion.bench_function(&format!("nano-sd picture {}", policy.device_name()), |bencher| {
        bencher.iter(|| black_box(model.image(&params, RunContext::new(&mut ())).ok()));
    });
    Ok(())
}
