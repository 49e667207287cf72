//! Timings of an image model: a step, a decode, whole pictures, as the model runs.
//!
//! A step is one UNet call as in a real run: one latent, two texts with precomputed keys and values, or one text for a model that runs without
//! guidance. The autoencoder is the chosen one, else the model's TAESD where it has one.

use std::time::Instant;

use anyhow::Result;
use diffusion_core::{
    pipelines::{ImageDefaults, ImageParams, RunContext, StableDiffusion, available_vaes},
    policy::ExecutionPolicy,
    weights::{VaeChoice, WeightSource},
};

use super::{
    BenchRequest, ModelTimings, encoder,
    timing::{STEP, Timing},
    workload::Workload,
};
use crate::output;

/// Default number of steps of a whole picture.
const STEPS: u32 = 25;

/// Loads the model and times it.
///
/// # Errors
/// If it cannot be loaded or run.
pub(super) fn run(source: &dyn WeightSource, policy: &ExecutionPolicy, wanted: &BenchRequest) -> Result<ModelTimings> {
    let started = Instant::now();
    let model = StableDiffusion::load(source, policy)?;
    let mut measured = ModelTimings::new(model.name(), model.policy(), started.elapsed());
    let sizes = wanted.sizes_or(model.default_size());
    let schedulers = if wanted.schedulers.is_empty() { vec![model.scheduler_name()?] } else { wanted.schedulers.clone() };
    let own = ImageDefaults::of(source)?;
    let steps = if wanted.steps.is_empty() { vec![own.num_inference_steps.unwrap_or(STEPS)] } else { wanted.steps.clone() };
    let guidance_scale = wanted.guidance_scale.or(own.guidance_scale);
    let texts = if guidance_scale.is_some_and(|scale| scale <= 1.0) { 1 } else { 2 };
    let tiny = || available_vaes(source).is_ok_and(|vaes| vaes.contains(&VaeChoice::Tiny));
    let choice = wanted.vae.unwrap_or_else(|| if tiny() { VaeChoice::Tiny } else { VaeChoice::Full });
    let vae = model.chosen_vae(choice)?;
    // The full one may be wider than asked for.
    let of_vae = if std::ptr::eq(vae, model.vae()) { model.policy().vae } else { policy.vae };
    let policy = &ExecutionPolicy { vae: of_vae, ..policy.clone() };

    let bar = output::task_bar((sizes.len() * (3 + steps.len() * schedulers.len())) as u64);
    for size in sizes {
        let workload = Workload::new(model.unet(), vae, texts, policy, size)?;
        bar.set_message(format!("unet step, {size}"));
        measured.timings.push(Timing::of(STEP, size, wanted.repeat, || workload.step().map(drop))?.with_texts(texts));
        bar.inc(1);
        bar.set_message(format!("vae decode, {size}"));
        measured.timings.push(Timing::of("vae decode", size, wanted.repeat, || workload.decode().map(drop))?.with_vae(choice));
        bar.inc(1);
        for steps in &steps {
            for scheduler in &schedulers {
                bar.set_message(format!("picture, {size}, {steps} steps, {scheduler}"));
                let usual = ImageParams::new("a red circle on a blue background", (size.width, size.height));
                let params = ImageParams {
                    num_inference_steps: *steps as usize,
                    guidance_scale: guidance_scale.unwrap_or(usual.guidance_scale),
                    vae: choice,
                    scheduler: Some(*scheduler),
                    ..usual
                };
                let timing =
                    Timing::of("picture", size, wanted.repeat, || Ok(model.image(&params, RunContext::new(&mut ())).map(drop)?))?;
                measured.timings.push(timing.with_vae(choice).with_steps(*steps, scheduler.to_string()));
                bar.inc(1);
            }
        }
        bar.set_message(format!("video encoder, {size}"));
        measured.encoder(encoder::time(size, wanted.repeat));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(measured)
}
