//! The models of this machine's device: an image model and a motion model that animates images, each loaded from its source.
//!
//! Each variant of a spec calls one pipeline method. A prompt that is longer than the model reads is truncated as in diffusers, and both
//! the image's metadata and the log report it. The motion model is loaded when it is first needed.

mod adapted;
mod adapter_hash;
mod clip;
mod controlled;
mod defaults;
mod family;
mod image_params;
mod other_parts;
mod scenes;
mod two_passes;

use std::sync::Arc;

use diffusion_core::{
    Error, Result,
    adapters::AdapterChoice,
    denoise::StepMonitor,
    pipelines::{
        ControlsParams, HandedOver, ImageDefaults, ImageFacts, ImageMemory, ImageParams, ImageToVideoParams, MotionMemory, MotionParams,
        RunContext, StableDiffusion, StableVideoDiffusion, VideoContext, available_vaes,
    },
    policy::ExecutionPolicy,
    prompt::PromptSyntax,
    weights::{ModelFamily, StopCheck, TextEncoder, VaeChoice, WeightSource},
};

use image::RgbImage;

pub use self::adapted::Adapters;
use self::{
    adapted::AdaptedImages,
    controlled::{ControlNets, of_run},
    image_params::params,
    other_parts::of_other_part,
};
use crate::{
    backend::{
        local::{
            memory::MemoryPlan,
            model::{BegunImage, DeviceModel, ImageOutput, LoadedModel},
            upscalers::Upscalers,
        },
        video_file::VideoShape,
    },
    model_identity::ModelIdentity,
    model_info::{ModelDefaults, ModelInfo, TruncatedText},
    spec::{
        image::{ControlsSpec, ImageSpec},
        video::{AnimationSpec, MotionSpec, RemoteVideoSpec, VideoSpec},
    },
};

impl LoadedModel {
    /// Loads an image model; to be called on the thread that will own it, which is the device's. The weights of the motion model are read
    /// from `motion` when it is first needed. `memory_limit` is the total that the process may hold on the models' device, in bytes: jobs
    /// are checked against it, and it bounds the frames that are decoded together.
    ///
    /// # Errors
    /// Any fault in the model's files, by name.
    pub fn load(
        source: &dyn WeightSource,
        policy: &ExecutionPolicy,
        motion: Box<dyn WeightSource>,
        memory_limit: Option<u64>,
    ) -> Result<Self> {
        let identity = ModelIdentity::of(source, motion.as_ref(), policy);
        let images = AdaptedImages::fixed(StableDiffusion::load(source, policy).map_err(|error| of_other_part(error, source))?);
        Self::of(images, (OfFiles::read(source)?, identity), motion, memory_limit)
    }

    /// As [`Self::load`], but requests may choose adapters for the model.
    ///
    /// # Errors
    /// Any fault in the files of the model or of its usual adapters, by name.
    pub fn load_adapted(
        source: Box<dyn WeightSource>,
        policy: &ExecutionPolicy,
        motion: Box<dyn WeightSource>,
        memory_limit: Option<u64>,
        adapters: Adapters,
    ) -> Result<Self> {
        let (of_files, identity) = (OfFiles::read(source.as_ref())?, ModelIdentity::of(source.as_ref(), motion.as_ref(), policy));
        let (images, remarks) = AdaptedImages::load(source, policy, adapters)?;
        Self::of(images, (OfFiles { remarks, ..of_files }, identity), motion, memory_limit)
    }

    fn of(
        images: AdaptedImages,
        (of_files, identity): (OfFiles, ModelIdentity),
        motion: Box<dyn WeightSource>,
        memory_limit: Option<u64>,
    ) -> Result<Self> {
        let OfFiles { family, family_name, vaes, other_vae, other_text_encoders, defaults, remarks } = of_files;
        // Files that changed while they were read may be a part of both versions.
        let identity = identity.with_additions(images.words(), images.usual());
        let identity = Some(identity).filter(ModelIdentity::is_current).map(Arc::new);
        let policy = images.policy().clone();
        let (adapters, controlnets) = (images.folder().cloned(), images.controlnets().cloned());
        let loaded = images.model().ok_or_else(no_images)?;
        // A motion model that cannot be read is reported when a job needs it.
        let of_motion = MotionMemory::of(motion.as_ref(), &policy).ok();
        let memory = MemoryPlan::new(Some(loaded.memory()), loaded.default_size(), of_motion, memory_limit);
        let facts = ImageFacts {
            name: loaded.name().to_owned(),
            default_size: loaded.default_size(),
            scheduler: loaded.scheduler_name(),
            scripts: loaded.scripts(),
            vaes,
            defaults,
        };
        if let Err(error) = &facts.scheduler {
            tracing::warn!(%error, "the model's own scheduler cannot be run: every request must name one");
        }
        let controls = ControlNets::new(controlnets.clone(), memory.clone());
        let info = ModelInfo {
            family,
            family_name,
            adapters,
            controlnets,
            other_vae,
            other_text_encoders,
            identity,
            ..info(facts, motion.name(), remarks, loaded.policy())?
        };
        let motion = Motion::Closed(motion, policy);
        Ok(Self {
            info,
            memory: memory.clone(),
            model: Box::new(LocalModel { images: Some(images), controls, motion, memory, upscalers: Upscalers::default() }),
        })
    }

    /// The facts that [`Self::load`] would report, from the model's configurations and its tokenizer; no tensor is read.
    ///
    /// # Errors
    /// Any fault in these files, by name.
    pub fn facts(
        source: &dyn WeightSource,
        policy: &ExecutionPolicy,
        motion: &dyn WeightSource,
        memory_limit: Option<u64>,
    ) -> Result<(ModelInfo, MemoryPlan)> {
        let facts = ImageFacts::of(source).map_err(|error| of_other_part(error, source))?;
        let images = ImageMemory::of(source, policy).map_err(|error| of_other_part(error, source))?;
        let of_motion = MotionMemory::of(motion, policy).ok();
        let memory = MemoryPlan::new(Some(images), facts.default_size, of_motion, memory_limit);
        let (other_vae, other_text_encoders) = (source.other_vae(), source.other_text_encoders());
        let (family, family_name) = family::of_images(source)?;
        let info =
            ModelInfo { family, family_name, other_vae, other_text_encoders, ..info(facts, motion.name(), source.remarks(), policy)? };
        Ok((info, memory))
    }

    /// Loads a motion model without an image model. `memory_limit` is as for [`Self::load`].
    ///
    /// # Errors
    /// Any fault in the model's files, by name.
    pub fn load_motion(source: &dyn WeightSource, policy: &ExecutionPolicy, memory_limit: Option<u64>) -> Result<Self> {
        let motion = StableVideoDiffusion::load(source, policy)?;
        let (default_width, default_height) = motion.default_size();
        let memory = MemoryPlan::new(None, (default_width, default_height), Some(motion.memory()), memory_limit);
        let info = ModelInfo {
            name: motion.name().to_owned(),
            motion: motion.name().to_owned(),
            default_width,
            default_height,
            scheduler: Some(motion.scheduler_name()),
            remarks: source.remarks(),
            ..of_policy(motion.policy())
        };
        let controls = ControlNets::new(None, memory.clone());
        let (motion, upscalers) = (Motion::Open(Box::new(motion)), Upscalers::default());
        let model = Box::new(LocalModel { images: None, controls, motion, memory: memory.clone(), upscalers });
        Ok(Self { info, memory, model })
    }
}

/// What a model's files say beside what the loaded model knows.
struct OfFiles {
    family: Option<ModelFamily>,
    family_name: Option<&'static str>,
    vaes: Vec<VaeChoice>,
    other_vae: Option<(VaeChoice, String)>,
    other_text_encoders: Vec<(TextEncoder, String)>,
    defaults: ImageDefaults,
    remarks: Vec<String>,
}

impl OfFiles {
    fn read(source: &dyn WeightSource) -> Result<Self> {
        let (family, family_name) = family::of_images(source)?;
        Ok(Self {
            family,
            family_name,
            vaes: available_vaes(source)?,
            other_vae: source.other_vae(),
            other_text_encoders: source.other_text_encoders(),
            defaults: ImageDefaults::of(source)?,
            remarks: source.remarks(),
        })
    }
}

fn info(facts: ImageFacts, motion: String, remarks: Vec<String>, policy: &ExecutionPolicy) -> Result<ModelInfo> {
    let ImageFacts { name, default_size: (default_width, default_height), scheduler, scripts, vaes, defaults } = facts;
    let of_files = defaults::checked(defaults, &name)?;
    Ok(ModelInfo {
        name,
        motion,
        default_width,
        default_height,
        scheduler_reason: scheduler.as_ref().err().map(ToString::to_string).unwrap_or_default(),
        scheduler: scheduler.ok(),
        scripts,
        defaults: ModelDefaults { vae: vaes.first().copied(), ..of_files },
        vaes,
        remarks,
        ..of_policy(policy)
    })
}

fn of_policy(policy: &ExecutionPolicy) -> ModelInfo {
    ModelInfo {
        name: String::new(),
        family: None,
        family_name: None,
        motion: String::new(),
        device: policy.device_name().to_owned(),
        precision: policy.unet.as_str().to_owned(),
        device_reason: policy.reason.clone(),
        default_width: 0,
        default_height: 0,
        scheduler: None,
        scheduler_reason: String::new(),
        scripts: diffusion_core::tokenizer::Scripts::default(),
        vaes: Vec::new(),
        other_vae: None,
        other_text_encoders: Vec::new(),
        defaults: ModelDefaults::default(),
        adapters: None,
        controlnets: None,
        upscalers: None,
        remarks: Vec::new(),
        identity: None,
    }
}

struct LocalModel {
    images: Option<AdaptedImages>,
    controls: ControlNets,
    motion: Motion,
    memory: MemoryPlan,
    upscalers: Upscalers,
}

enum Motion {
    Closed(Box<dyn WeightSource>, ExecutionPolicy),
    Open(Box<StableVideoDiffusion>),
}

impl Motion {
    fn open(&mut self, memory: &MemoryPlan) -> Result<&StableVideoDiffusion> {
        if let Self::Closed(source, policy) = self {
            *self = Self::Open(Box::new(StableVideoDiffusion::load(source.as_ref(), policy)?));
            memory.motion_is_loaded();
        }
        match self {
            Self::Open(motion) => Ok(motion),
            Self::Closed(..) => Err(no_model("it could not be loaded")),
        }
    }
}

fn no_model(reason: &str) -> Error {
    Error::Params { field: "model", reason: reason.to_owned() }
}

fn no_images() -> Error {
    no_model("this model sets pictures in motion, and makes none")
}

/// The error for a provider's video; the dispatcher sends none to a local model.
fn elsewhere(spec: &RemoteVideoSpec) -> Error {
    Error::Params { field: "model", reason: format!("{} is a provider's", spec.model) }
}

impl LocalModel {
    /// The image model, if there is one; with the adapters of the last call of [`Self::adapt`].
    fn painter(&self) -> Option<&StableDiffusion> {
        self.images.as_ref().and_then(AdaptedImages::model)
    }

    /// Gives the image model these adapters, or its usual ones, if there is such a model.
    fn adapt(&mut self, loras: Option<&[AdapterChoice]>, stop: &StopCheck) -> Result<()> {
        let Some(images) = &mut self.images else { return Ok(()) };
        match loras {
            Some(loras) => images.adapt(loras, stop),
            None => images.adapt_as_usual(stop),
        }
    }
}

impl DeviceModel for LocalModel {
    fn set_upscalers(&mut self, upscalers: Upscalers) {
        self.upscalers = upscalers;
    }

    fn image(&mut self, spec: &ImageSpec, seed: u64, context: RunContext<'_>) -> Result<ImageOutput> {
        if let Some(hires) = spec.hires() {
            return self.image_in_two_passes(spec, hires, seed, context);
        }
        let Prepared { params, truncated, remarks, loras, embeddings } = self.prepare(spec, seed, &context.monitor.stop_check())?;
        let images = self.images.as_ref().ok_or_else(no_images)?;
        let image = images.model().ok_or_else(no_images)?.image(&params, context);
        let image = image.map_err(|error| of_run(images.of_run(error, spec.loras()), spec.controls()))?;
        Ok(ImageOutput { image, truncated, remarks, loras, embeddings })
    }

    fn begin(&mut self, spec: &ImageSpec, seed: u64, (switch, is_kept): (f64, bool), monitor: &mut dyn StepMonitor) -> Result<BegunImage> {
        let Prepared { params, truncated, remarks, loras, embeddings } = self.prepare(spec, seed, &monitor.stop_check())?;
        if is_kept {
            monitor.on_kept();
            return Ok(BegunImage { handed: None, truncated, remarks, loras, embeddings });
        }
        let images = self.images.as_ref().ok_or_else(no_images)?;
        let handed = images.model().ok_or_else(no_images)?.begin(&params, switch, monitor);
        let handed = handed.map_err(|error| of_run(images.of_run(error, spec.loras()), spec.controls()))?;
        Ok(BegunImage { handed: Some(handed), truncated, remarks, loras, embeddings })
    }

    fn refine(&mut self, spec: &ImageSpec, from: Option<HandedOver>, switch: f64, context: RunContext<'_>) -> Result<RgbImage> {
        self.controls.make_room(self.memory.images(spec), spec.controls());
        self.adapt(None, &context.monitor.stop_check())?;
        let model = self.painter().ok_or_else(no_images)?;
        model.refine(&params(spec, spec.seed(), ControlsParams::default())?, from, switch, context)
    }

    fn video_shape(&mut self, spec: &VideoSpec, stop: &StopCheck) -> Result<VideoShape> {
        self.controls.make_room(self.memory.video(spec), &ControlsSpec::default());
        match spec {
            VideoSpec::Scenes(spec) => {
                self.adapt(spec.loras(), stop)?;
                self.painter().ok_or_else(no_images)?;
                if spec.moves() {
                    self.motion.open(&self.memory)?;
                }
                Ok(VideoShape {
                    width: spec.width(),
                    height: spec.height(),
                    fps: spec.fps(),
                    frames: spec.timeline().frames(),
                    native: None,
                })
            }
            VideoSpec::Animation(spec) => {
                let model = self.motion.open(&self.memory)?;
                let (width, height) = spec.size().unwrap_or_else(|| model.default_size());
                let frames = spec.motion().num_frames().map_or_else(|| model.default_num_frames(), count);
                Ok(VideoShape { width, height, fps: spec.fps(), frames, native: None })
            }
            VideoSpec::Clip(spec) => self.clip_shape(spec, stop),
            VideoSpec::Remote(spec) => Err(elsewhere(spec)),
        }
    }

    fn video(&mut self, spec: &VideoSpec, first_frame: usize, context: VideoContext<'_>) -> Result<Vec<TruncatedText>> {
        match spec {
            VideoSpec::Scenes(spec) => self.scenes(spec, first_frame, context),
            VideoSpec::Animation(spec) => self.animate(spec, context),
            VideoSpec::Clip(spec) => self.clip(spec, first_frame, context),
            VideoSpec::Remote(spec) => Err(elsewhere(spec)),
        }
    }
}

/// A model with what a job needs, and its parameters.
struct Prepared {
    params: ImageParams,
    truncated: Vec<TruncatedText>,
    remarks: Vec<String>,
    loras: Vec<(String, String)>,
    embeddings: Vec<(String, String)>,
}

impl LocalModel {
    /// Gives the model the adapters and ControlNets of a job.
    fn prepare(&mut self, spec: &ImageSpec, seed: u64, stop: &StopCheck) -> Result<Prepared> {
        let images = self.images.as_mut().ok_or_else(no_images)?;
        self.controls.make_room(self.memory.images(spec), spec.controls());
        images.adapt(spec.loras(), stop)?;
        let (model, loras, remarks) = (images.model().ok_or_else(no_images)?, images.hashes().to_vec(), images.remarks().to_vec());
        let controls = self.controls.of_job(spec, model, stop)?;
        let prompts = [("prompt", spec.prompt()), ("prompt_2", spec.sdxl().prompt_2())];
        let negatives = [("negative_prompt", spec.negative_prompt()), ("negative_prompt_2", spec.sdxl().negative_prompt_2())];
        let truncated = truncated(model, prompts, negatives, spec.prompt_syntax(), spec.guidance_scale())?;
        let params = params(spec, seed, controls)?;
        let embeddings = images.embeddings_of(&params);
        Ok(Prepared { params, truncated, remarks, loras, embeddings })
    }

    fn animate(&mut self, spec: &AnimationSpec, context: VideoContext<'_>) -> Result<Vec<TruncatedText>> {
        let model = self.motion.open(&self.memory)?;
        let motion = motion_params(spec.motion(), spec.size(), &self.memory);
        model.image_to_video(&ImageToVideoParams { image: spec.image().clone(), motion, seed: spec.seed() }, context)?;
        Ok(Vec::new())
    }
}

/// A check that never stops.
fn never() -> StopCheck {
    Arc::new(|| false)
}

/// The parameters of a motion run. The number of frames decoded together is the request's, or else as many as memory allows.
fn motion_params(spec: &MotionSpec, size: Option<(u32, u32)>, memory: &MemoryPlan) -> MotionParams {
    MotionParams {
        size,
        num_frames: spec.num_frames().map(count),
        num_inference_steps: count(spec.num_inference_steps()),
        conditioning_fps: spec.conditioning_fps(),
        motion_bucket_id: spec.motion_bucket_id(),
        noise_aug_strength: spec.noise_aug_strength(),
        min_guidance_scale: spec.min_guidance_scale(),
        max_guidance_scale: spec.max_guidance_scale(),
        decode_chunk_size: spec.decode_chunk_size().map(count).or_else(|| memory.decode_chunk_of(spec, size)),
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The texts that the model truncates, by their fields: none in a syntax that allows any length. Without guidance it reads no negative
/// prompt at all, so none is truncated.
fn truncated<'a>(
    model: &StableDiffusion,
    prompts: impl IntoIterator<Item = (&'static str, &'a str)>,
    negative_prompts: impl IntoIterator<Item = (&'static str, &'a str)>,
    syntax: PromptSyntax,
    guidance_scale: f64,
) -> Result<Vec<TruncatedText>> {
    if !syntax.truncates() {
        return Ok(Vec::new());
    }
    let negatives = negative_prompts.into_iter().filter(|_| guidance_scale > 1.0);
    let mut truncated = Vec::new();
    for (field, text) in prompts.into_iter().chain(negatives) {
        let (tokens, limit) = model.text_length(text)?;
        if tokens > limit {
            truncated.push(TruncatedText { field, tokens, limit });
        }
    }
    truncated.dedup();
    for text in &truncated {
        tracing::warn!("{text}");
    }
    Ok(truncated)
}
