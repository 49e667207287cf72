//! Timings of a model that animates pictures: a guided step, the image encoder, the autoencoder in both directions, and whole videos on
//! request.
//!
//! A step is one guided UNet call as in a real run: the latents of all frames, with the picture and without it. The picture's conditioning
//! is computed beforehand, once for all steps. Whole videos are timed only if steps are given: at real shapes they take hours on a CPU.

use std::time::Instant;

use anyhow::Result;
use candle_core::{Device, Tensor};
use diffusion_core::{
    error::BoxError,
    frames::FrameSink,
    guidance::{VideoConditioning, VideoConditions},
    noise::SeededNoise,
    pipelines::{ImageToVideoParams, MotionParams, StableVideoDiffusion, VideoContext},
    policy::ExecutionPolicy,
    weights::WeightSource,
};
use image::RgbImage;

use super::{
    BenchRequest, ModelTimings, SEED, Size, encoder,
    timing::{STEP, Timing},
};
use crate::{failure::Usage, output};

/// A timestep in the middle of the noise range: a quarter of the logarithm of a sigma of 4.
const TIMESTEP: f64 = 0.346_573_590_279_972_64;
/// Default fps minus one, motion bucket and noise augmentation of a request.
const ADDED_TIME_IDS: [f32; 3] = [6.0, 127.0, 0.02];
/// Default guidance scales of the first and the last frame of a request.
const GUIDANCE: (f64, f64) = (1.0, 3.0);

/// Loads the model and times it.
///
/// # Errors
/// [`Usage`] if a scheduler is named; otherwise if the model cannot be loaded or run.
pub(super) fn run(source: &dyn WeightSource, policy: &ExecutionPolicy, wanted: &BenchRequest) -> Result<ModelTimings> {
    if let Some(name) = wanted.schedulers.first() {
        return Err(Usage(format!("--scheduler {name}: a model of videos has its own and no other")).into());
    }
    let started = Instant::now();
    let model = StableVideoDiffusion::load(source, policy)?;
    let mut measured = ModelTimings::new(model.name(), model.policy(), started.elapsed());
    let sizes = wanted.sizes_or(model.default_size());
    let frames = wanted.frames.unwrap_or_else(|| model.default_num_frames());
    let chunk = wanted.decode_chunk_size.unwrap_or(frames).min(frames);

    let bar = output::task_bar((sizes.len() * (5 + wanted.steps.len())) as u64);
    for size in sizes {
        let workload = Workload::new(&model, size, frames, chunk)?;
        let mut time = |what: &'static str, size: Size, frames: Option<usize>, run: &mut dyn FnMut() -> Result<()>| -> Result<()> {
            bar.set_message(format!("{what}, {size}"));
            measured.timings.push(Timing { frames, ..Timing::of(what, size, wanted.repeat, run)? });
            bar.inc(1);
            Ok(())
        };
        // In the order of a request, except that the step, which takes most of the time, comes first.
        time(STEP, size, Some(frames), &mut || workload.step())?;
        time("image encoder", workload.pixels_size(), None, &mut || workload.image_embeds())?;
        time("vae encode", size, None, &mut || workload.encode())?;
        time("vae decode", size, Some(chunk), &mut || workload.decode())?;
        for steps in &wanted.steps {
            bar.set_message(format!("video, {size}, {steps} steps"));
            let motion = MotionParams {
                size: Some((size.width, size.height)),
                num_frames: Some(frames),
                num_inference_steps: *steps as usize,
                decode_chunk_size: Some(chunk),
                ..MotionParams::default()
            };
            let params = ImageToVideoParams { motion, ..ImageToVideoParams::new(encoder::frame(size, 0)) };
            let timing =
                Timing::of("video", size, wanted.repeat, || Ok(model.image_to_video(&params, VideoContext::new(&mut (), &mut Nowhere))?))?;
            measured.timings.push(timing.with_frames(frames).with_steps(*steps, model.scheduler_name().to_string()));
            bar.inc(1);
        }
        bar.set_message(format!("video encoder, {size}"));
        measured.encoder(encoder::time(size, wanted.repeat));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(measured)
}

/// A sink that discards frames.
struct Nowhere;

impl FrameSink for Nowhere {
    fn push(&mut self, _: RgbImage) -> Result<(), BoxError> {
        Ok(())
    }
}

/// The model, and inputs that are the same for every run.
struct Workload<'a> {
    model: &'a StableVideoDiffusion,
    device: Device,
    conditioning: VideoConditioning<'a>,
    /// [frames, channels, h, w], as scaled by the scheduler.
    latents: Tensor,
    /// [1, 3, side, side], the image encoder's input.
    pixels: Tensor,
    /// [1, 3, height, width].
    image: Tensor,
    /// [frames of a chunk, channels, h, w].
    chunk: Tensor,
}

impl<'a> Workload<'a> {
    fn new(model: &'a StableVideoDiffusion, size: Size, frames: usize, chunk: usize) -> diffusion_core::Result<Self> {
        let (unet, vae, vision) = (model.unet(), model.vae(), model.image_encoder().config());
        let latent_side = |pixels: u32| pixels as usize / vae.config().factor().max(1);
        let (width, height) = (latent_side(size.width), latent_side(size.height));
        let channels = vae.config().latent_channels;
        let mut noise = SeededNoise::new(SEED);
        let conditions = VideoConditions {
            image_embeds: noise.randn(&[1, unet.config().cross_attention_dim])?,
            image_latents: noise.randn(&[1, channels, height, width])?,
            added_time_ids: ADDED_TIME_IDS,
        };
        Ok(Self {
            model,
            device: model.policy().device.clone(),
            conditioning: VideoConditioning::new(unet, &conditions, frames, Some(GUIDANCE))?,
            latents: noise.randn(&[frames, channels, height, width])?,
            pixels: noise.randn(&[1, vision.num_channels, vision.image_size, vision.image_size])?,
            image: noise.randn(&[1, vae.config().in_channels, size.height as usize, size.width as usize])?,
            chunk: noise.randn(&[chunk, channels, height, width])?,
        })
    }

    /// The size of the image encoder's input, for a picture of any size.
    fn pixels_size(&self) -> Size {
        let side = self.model.image_encoder().config().image_size as u32;
        Size { width: side, height: side }
    }

    /// One guided UNet call: all frames with the picture and without it.
    fn step(&self) -> Result<()> {
        self.conditioning.predict(&self.latents, TIMESTEP)?;
        Ok(self.device.synchronize()?)
    }

    fn image_embeds(&self) -> Result<()> {
        self.model.image_encoder().forward(&self.pixels)?;
        Ok(self.device.synchronize()?)
    }

    fn encode(&self) -> Result<()> {
        self.model.vae().encode(&self.image)?.mode();
        Ok(self.device.synchronize()?)
    }

    fn decode(&self) -> Result<()> {
        self.model.vae().decode(&self.chunk)?;
        Ok(self.device.synchronize()?)
    }
}
