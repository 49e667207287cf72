//! Image to video: a loaded Stable Video Diffusion model and its one method. Follows diffusers' `StableVideoDiffusionPipeline.__call__`.
//!
//! This module must not depend on where frames go: they are pushed to a sink as soon as they are decoded. Invariants: the noise is drawn in
//! diffusers' order, first the noise added to the image, then the frames' own; latents are f32 on the CPU between steps, because they
//! start at 700 times their deviation; and frames are decoded in diffusers' chunks, which are independent of one another.

mod frame_emitter;
mod params;
mod windows;

use std::sync::OnceLock;

use candle_core::{DType, Tensor};
use image::RgbImage;

pub use params::{ImageToVideoParams, MotionParams};
pub(super) use windows::Windows;

use self::frame_emitter::{FrameEmitter, RunOutput};
use super::{
    Activity, VideoContext,
    decode_split::DecodeSplit,
    latent_colours::LatentColours,
    memory::WeightCounter,
    progress::{FrameProgress, VideoRun, VideoSize},
};
use crate::{
    Error, Result,
    denoise::{Denoising, StepMonitor},
    guidance::{VideoConditioning, VideoConditions},
    imaging::sizes,
    journal::{Run, RunJournal},
    models::{
        AutoencoderKlTemporalDecoder, AutoencoderKlTemporalDecoderConfig, ClipVisionConfig, ClipVisionModelWithProjection,
        UNetSpatioTemporalConditionModel, UNetSpatioTemporalConfig,
    },
    noise::SeededNoise,
    policy::ExecutionPolicy,
    preprocess::{self, ClipImageProcessorConfig},
    schedulers::{SchedulerConfig, SchedulerFile, SchedulerName},
    weights::{Component, ModelFamily, WeightSource},
};

/// The side to which diffusers' pipeline resizes every image for the image encoder.
const CLIP_SIDE: usize = 224;

/// Exclusive bound on a tensor's elements: kernels index with 32 bits.
pub(super) const MOST_ELEMENTS: usize = 1 << 31;

/// The size that Stable Video Diffusion was trained at, (width, height); its `sample_size` of 96 does not state it.
const TRAINED_SIZE: (u32, u32) = (1024, 576);
const SAMPLE_SIZE: (usize, usize) = (96, 96);

/// A Stable Video Diffusion model, loaded.
pub struct StableVideoDiffusion {
    name: String,
    pub(super) policy: ExecutionPolicy,
    image_processor: ClipImageProcessorConfig,
    image_encoder: ClipVisionModelWithProjection,
    pub(super) unet: UNetSpatioTemporalConditionModel,
    pub(super) vae: AutoencoderKlTemporalDecoder,
    /// The size of the weights in memory, in bytes.
    pub(super) weight_bytes: u64,
    scheduler: SchedulerConfig,
    /// Fitted on first use.
    colours: OnceLock<LatentColours>,
}

impl StableVideoDiffusion {
    /// Loads every component from `source` onto the policy's device in the policy's precision; the image encoder uses the text encoder's
    /// precision.
    ///
    /// # Errors
    /// [`Error::Config`] for an unsupported configuration, naming file and field; [`Error::Weights`] or [`Error::File`] for missing or
    /// damaged files.
    pub fn load(source: &dyn WeightSource, policy: &ExecutionPolicy) -> Result<Self> {
        // Every configuration is read before the first tensor, so that an unsupported model fails at once.
        ModelFamily::StableVideoDiffusion.require(source)?;
        let scheduler = SchedulerFile::of(source)?.scheduler(None)?;
        let image_processor = ClipImageProcessorConfig::from_json(&source.config(Component::FeatureExtractor)?)?;
        let vision_config = ClipVisionConfig::from_json(&source.config(Component::ImageEncoder)?)?;
        let unet_config = UNetSpatioTemporalConfig::from_json(&source.config(Component::Unet)?)?;
        let vae_config = AutoencoderKlTemporalDecoderConfig::from_json(&source.config(Component::Vae)?)?;
        check_fit(&vision_config, &unet_config, &vae_config)?;

        let counter = WeightCounter::default();
        let weights = |component: Component, dtype: DType| counter.component(source, component, dtype, &policy.device);
        let image_encoder = ClipVisionModelWithProjection::load(&vision_config, &weights(Component::ImageEncoder, policy.text_encoder)?)?;
        let unet = UNetSpatioTemporalConditionModel::load(&unet_config, &weights(Component::Unet, policy.unet)?)?;
        let vae = AutoencoderKlTemporalDecoder::load(&vae_config, &weights(Component::Vae, policy.vae)?)?;
        let (name, policy, weight_bytes) = (source.name(), policy.clone(), counter.bytes());
        Ok(Self { name, policy, image_processor, image_encoder, unet, vae, weight_bytes, scheduler, colours: OnceLock::new() })
    }

    /// The model's display name: the folder's path, the hub id, "nano-svd (embedded)".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device, and the precision of each component.
    pub fn policy(&self) -> &ExecutionPolicy {
        &self.policy
    }

    /// The noise predictor, for benchmarks and checks.
    pub fn unet(&self) -> &UNetSpatioTemporalConditionModel {
        &self.unet
    }

    /// The autoencoder, for benchmarks and checks.
    pub fn vae(&self) -> &AutoencoderKlTemporalDecoder {
        &self.vae
    }

    /// The image encoder, for benchmarks and checks.
    pub fn image_encoder(&self) -> &ClipVisionModelWithProjection {
        &self.image_encoder
    }

    /// The scheduler in the model's own file, which every call uses.
    pub fn scheduler_name(&self) -> SchedulerName {
        self.scheduler.name()
    }

    /// The model's native frame size, (width, height) in pixels: 1024 x 576 for Stable Video Diffusion, else the noise predictor's
    /// `sample_size`.
    pub fn default_size(&self) -> (u32, u32) {
        default_size(self.unet.config(), self.vae.config().factor())
    }

    /// The frame size for the aspect ratio `aspect`: about the model's native number of pixels, or a longer side of `longer` pixels, with
    /// sides that every level of the model can halve evenly. Aspect ratios beyond 4:1 are clamped.
    ///
    /// The size has no more pixels than a square of the model's native longer side (1024 x 1024 for Stable Video Diffusion), and
    /// proportionally fewer where `num_frames` exceeds the number of frames that the model was trained on.
    pub fn size_for(&self, aspect: (u32, u32), longer: Option<u32>, num_frames: Option<usize>) -> (u32, u32) {
        size_for(self.unet.config(), self.vae.config().factor(), aspect, longer, num_frames)
    }

    /// The number of frames that the model was trained on: 14, or 25 for the extended model.
    pub fn default_num_frames(&self) -> usize {
        self.unet.config().num_frames
    }

    /// Generates one video from an image and pushes its frames to the context's sink, in order, each as soon as it is decoded. Parts that
    /// the context's journal has are reused.
    ///
    /// # Errors
    /// [`Error::Params`] naming the parameter that is out of range; [`Error::Cancelled`] if the monitor breaks, at a step or at a frame;
    /// [`Error::Sink`] with the sink's error; [`Error::NonFinite`] if the model's numbers overflow; [`Error::Candle`] from the device.
    pub fn image_to_video(&self, params: &ImageToVideoParams, context: VideoContext<'_>) -> Result<()> {
        let work = params.motion.num_inference_steps as f64;
        let size = VideoSize { scenes: 1, frames: self.num_frames(&params.motion), work };
        let VideoRun { mut progress, journal } = VideoRun::new(context, 0, size);
        progress.set_activity(0, Activity::Motion);
        progress.begin_run(work);
        self.run(params, &mut progress, RunJournal::new(journal, Run::Motion { scene: 0, run: 0 }))
    }

    /// Runs the model once: its steps and its frames go to `output`, and parts that the journal has are reused.
    fn run<'a>(&self, params: &ImageToVideoParams, output: &'a mut dyn RunOutput, journal: RunJournal<'a>) -> Result<()> {
        params.check(self.pixels_per_latent())?;
        let motion = &params.motion;
        let num_frames = self.num_frames(motion);
        let chunk = self.decode_chunk(motion, num_frames)?;
        let (width, height) = motion.size.unwrap_or_else(|| self.default_size());
        let mut emitter = FrameEmitter::new(num_frames, output, journal);
        if emitter.push_kept((width, height))? {
            return Ok(());
        }
        let side = |pixels: u32| (pixels / self.pixels_per_latent()) as usize;
        let shape = [num_frames, self.vae.config().latent_channels, side(height), side(width)];
        let latents = emitter.latents_or(&shape, |monitor| self.latents(params, &shape, monitor))?;
        emitter.decode(DecodeSplit::new(chunk, (width, height), self.vae.tiling()), |frames, split| {
            let together = latents.narrow(0, frames.start, frames.len())?;
            let scaled = (together * (1.0 / self.vae.config().scaling_factor))?;
            self.vae.decode_tiled(&scaled, split.tiling(self.vae.tiling()))
        })
    }

    /// The number of frames in a run.
    fn num_frames(&self, motion: &MotionParams) -> usize {
        motion.num_frames.unwrap_or_else(|| self.default_num_frames())
    }

    /// The denoised latents of a call's frames, of this shape.
    fn latents(&self, params: &ImageToVideoParams, shape: &[usize; 4], monitor: &mut dyn StepMonitor) -> Result<Tensor> {
        let motion = &params.motion;
        let mut scheduler = self.scheduler.start(motion.num_inference_steps)?;
        let mut noise = SeededNoise::new(params.seed);
        let conditions = self.conditions(params, &mut noise)?;
        let [num_frames, ..] = *shape;
        let conditioning = VideoConditioning::new(&self.unet, &conditions, num_frames, motion.guidance())?;
        let latents = (noise.randn(shape)? * scheduler.init_noise_sigma())?;
        let paint = |latents: &Tensor| self.paint(latents);
        let run = Denoising { scheduler: scheduler.as_mut(), first_step: 0, noise: &mut noise, paint: &paint, monitor };
        run.run(latents, |sample, timestep, _| conditioning.predict(sample, timestep), |_, _, latents| Ok(latents))
    }

    /// Renders a small image of a frame's clean latents, [1, channels, height, width].
    fn paint(&self, latents: &Tensor) -> Result<RgbImage> {
        let config = self.vae.config();
        let colours = LatentColours::known(&self.colours, config.latent_channels, |latents| {
            self.vae.decode(&(latents * (1.0 / config.scaling_factor))?)
        })?;
        colours.paint(latents, self.pixels_per_latent())
    }

    /// Checks the parameters of a call, apart from its image.
    pub(super) fn check(&self, motion: &MotionParams) -> Result<()> {
        motion.check(self.pixels_per_latent())
    }

    /// The conditions that the noise predictor derives from the given image; draws one tensor of noise.
    fn conditions(&self, params: &ImageToVideoParams, noise: &mut SeededNoise) -> Result<VideoConditions> {
        let pixels = preprocess::clip_pixels(&params.image, CLIP_SIDE, &self.image_processor)?;
        let image_embeds = self.image_encoder.forward(&pixels)?;
        let motion = &params.motion;
        let (width, height) = motion.size.unwrap_or_else(|| self.default_size());
        let image = preprocess::image_tensor(&params.image, width, height)?;
        let added = (noise.randn(image.dims())? * motion.noise_aug_strength)?;
        Ok(VideoConditions {
            image_embeds,
            image_latents: self.vae.encode(&(image + added)?)?.mode(),
            added_time_ids: [
                motion.conditioning_fps.saturating_sub(1) as f32,
                motion.motion_bucket_id as f32,
                motion.noise_aug_strength as f32,
            ],
        })
    }

    /// The number of frames to decode together: the requested number, or all, unless a tensor would be larger than every device can index.
    fn decode_chunk(&self, motion: &MotionParams, num_frames: usize) -> Result<usize> {
        let (width, height) = motion.size.unwrap_or_else(|| self.default_size());
        let latents = |side: u32| (side / self.pixels_per_latent()) as usize;
        let wanted = motion.decode_chunk_size.unwrap_or(num_frames).min(num_frames);
        let mut largest = wanted;
        while largest > 1 && self.vae.planned_decode(largest, latents(height), latents(width))?.largest_elements >= MOST_ELEMENTS {
            largest -= 1;
        }
        match motion.decode_chunk_size {
            Some(_) if largest < wanted => {
                let reason =
                    format!("{wanted} frames of {width}x{height} pixels are too many to decode at once; at most {largest} are not");
                Err(Error::Params { field: "decode_chunk_size", reason })
            }
            Some(_) | None => Ok(largest),
        }
    }

    /// Pixels per latent along each side: 8 in Stable Video Diffusion.
    fn pixels_per_latent(&self) -> u32 {
        u32::try_from(self.vae.config().factor()).unwrap_or(8)
    }
}

impl RunOutput for FrameProgress<'_> {
    fn push_frame(&mut self, frame: RgbImage) -> Result<()> {
        self.push(|| frame)
    }
}

/// See [`StableVideoDiffusion::size_for`].
pub(super) fn size_for(
    unet: &UNetSpatioTemporalConfig,
    factor: usize,
    aspect: (u32, u32),
    longer: Option<u32>,
    num_frames: Option<usize>,
) -> (u32, u32) {
    let (width, height) = default_size(unet, factor);
    let own_frames = unet.num_frames.max(1) as f64;
    let most = f64::from(width.max(height)).powi(2) * own_frames / (num_frames.unwrap_or(0) as f64).max(own_frames);
    let wanted = longer.map_or_else(|| f64::from(width) * f64::from(height), |longer| sizes::pixels_of(longer, aspect));
    let multiple = sizes::multiple(u32::try_from(factor).unwrap_or(8), unet.levels.len());
    sizes::of_pixels(wanted.min(most), aspect, multiple)
}

/// See [`StableVideoDiffusion::default_size`]; `factor` is the autoencoder's.
pub(super) fn default_size(config: &UNetSpatioTemporalConfig, factor: usize) -> (u32, u32) {
    match config.sample_size {
        None | Some(SAMPLE_SIZE) => TRAINED_SIZE,
        Some((height, width)) => {
            let side = |latents: usize| u32::try_from(latents.saturating_mul(factor)).unwrap_or(u32::MAX);
            (side(width), side(height))
        }
    }
}

/// Checks that the components' configurations match.
pub(super) fn check_fit(
    vision: &ClipVisionConfig,
    unet: &UNetSpatioTemporalConfig,
    vae: &AutoencoderKlTemporalDecoderConfig,
) -> Result<()> {
    let expect = |file: &str, field: &str, found: usize, expected: usize, why: &str| {
        let reason = || format!("unsupported value {found}, expected {expected}, {why}");
        if found == expected { Ok(()) } else { Err(Error::config(file, field, reason())) }
    };
    let (vision_file, unet_file) = ("image_encoder/config.json", "unet/config.json");
    expect(vision_file, "image_size", vision.image_size, CLIP_SIDE, "the side to which the pipeline resizes every picture")?;
    expect(vision_file, "num_channels", vision.num_channels, 3, "a picture's")?;
    expect("vae/config.json", "in_channels", vae.in_channels, 3, "a picture's")?;
    expect("vae/config.json", "out_channels", vae.out_channels, 3, "a picture's")?;
    expect(unet_file, "cross_attention_dim", unet.cross_attention_dim, vision.projection_dim, "the image encoder's projection_dim")?;
    expect(unet_file, "in_channels", unet.in_channels, 2 * vae.latent_channels, "the latents of a frame and of the picture")?;
    expect(unet_file, "out_channels", unet.out_channels, vae.latent_channels, "the latents of a frame")?;
    let ids = "three times addition_time_embed_dim";
    let dims = (unet.projection_class_embeddings_input_dim, 3 * unet.addition_time_embed_dim);
    expect(unet_file, "projection_class_embeddings_input_dim", dims.0, dims.1, ids)
}
