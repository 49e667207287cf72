//! A model, as on the wire and in /openapi.json.

use std::collections::BTreeMap;

use diffusion_core::{schedulers::SchedulerName, weights::VaeChoice};
use generation::{
    ModelInfo, ModelState, ModelView, MotionView,
    validate::{DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS},
};
use serde::Serialize;
use utoipa::ToSchema;

/// The models of this machine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Models {
    /// The default model first.
    pub(crate) models: Vec<Model>,
    /// The adapters that requests may choose in `loras`.
    #[schema(example = json!(["ink"]))]
    pub(crate) adapters: Vec<String>,
    /// The ControlNets that requests may choose in `controlnets`.
    #[schema(example = json!(["canny"]))]
    pub(crate) controlnets: Vec<String>,
    /// The upscalers that requests may choose, in `POST /v1/images/upscale` and for a second pass.
    #[schema(example = json!(["realesr-general-x4v3"]))]
    pub(crate) upscalers: Vec<String>,
    /// The model that sets pictures in motion; null without one, and until the default model's files have been opened.
    pub(crate) motion: Option<MotionModel>,
}

/// The model that sets pictures in motion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MotionModel {
    /// Its name.
    #[schema(example = "nano-svd (embedded)")]
    name: String,
    /// The width of its frames in pixels.
    #[schema(example = 1024)]
    width: u32,
    /// Their height.
    #[schema(example = 576)]
    height: u32,
    /// How many of them it makes at once.
    #[schema(example = 14)]
    frames: usize,
    /// How many of them make a second.
    #[schema(example = 7)]
    fps: u32,
}

impl From<MotionView> for MotionModel {
    fn from(view: MotionView) -> Self {
        let MotionView { name, width, height, frames, fps } = view;
        Self { name, width, height, frames, fps }
    }
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    /// The name by which requests select it in `model`.
    #[schema(example = "turbo")]
    pub(crate) name: String,
    /// "image", or "motion" for a model that only sets pictures in motion.
    #[schema(example = "image")]
    pub(crate) kind: &'static str,
    /// "sd1", "sd2", "sdxl", "sdxl-refiner" or "svd"; null for others, and while unknown.
    #[schema(example = "sd1")]
    pub(crate) family: Option<&'static str>,
    /// The schedulers that requests may name, the one of requests that name none first; empty while unknown.
    #[schema(example = json!(["ddim", "euler", "dpmpp-2m-karras"]))]
    pub(crate) schedulers: Vec<String>,
    /// Whether requests without `model` use it.
    #[schema(example = false)]
    pub(crate) default: bool,
    /// "unloaded", "queued", "loading", "ready" or "failed". An unloaded or failed model is loaded when a request needs it.
    #[schema(example = "ready")]
    pub(crate) state: &'static str,
    /// How much of it is read, in percent, while it is loading; else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100, example = json!(null))]
    pub(crate) progress: Option<u32>,
    /// Why loading failed; absent unless it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(null))]
    pub(crate) reason: Option<String>,
    /// The memory that it takes while loaded, in bytes; null while unknown.
    #[schema(example = 2_132_000_000_u64)]
    pub(crate) memory_bytes: Option<u64>,
    /// How many times it was loaded since the server started.
    #[schema(example = 1)]
    pub(crate) loads: u64,
    /// The precision of its noise predictor: "f32", "bf16" or "f16"; null while unknown.
    #[schema(example = "bf16")]
    pub(crate) precision: Option<String>,
    /// The width in pixels of an image whose request names none; null while unknown.
    #[schema(example = 512)]
    pub(crate) width: Option<u32>,
    /// Its height, likewise.
    #[schema(example = 512)]
    pub(crate) height: Option<u32>,
    /// The denoising steps of an image whose request names none; null while unknown.
    #[schema(example = 1)]
    pub(crate) steps: Option<u32>,
    /// The guidance scale of an image whose request names none; null while unknown.
    #[schema(example = 0.0)]
    pub(crate) guidance_scale: Option<f64>,
    /// The prompt language of requests that name none: "plain", "a1111" or "compel"; null while unknown.
    #[schema(example = "plain")]
    pub(crate) prompt_syntax: Option<&'static str>,
    /// Its autoencoders, "full" and "tiny", the one of requests that name none first; empty while unknown.
    #[schema(example = json!(["full", "tiny"]))]
    pub(crate) vaes: Vec<&'static str>,
    /// Its parts that come from elsewhere ("vae", "text_encoder", "text_encoder_2"), with the names of their files or folders.
    #[schema(example = json!({"text_encoder": "clip_l.safetensors"}))]
    pub(crate) other_parts: BTreeMap<&'static str, String>,
    /// The adapters of requests that choose none, as NAME:WEIGHT:TEXT_WEIGHT; empty while unknown.
    #[schema(example = json!(["ink:0.8:0.8"]))]
    pub(crate) loras: Vec<String>,
}

impl From<ModelView> for Model {
    fn from(view: ModelView) -> Self {
        let ModelView { name, is_default, state, info, bytes, loads, .. } = view;
        let size = info.as_ref().map(|info| info.defaults.size.unwrap_or((info.default_width, info.default_height)));
        let (progress, reason) = match &state {
            ModelState::Loading { share } => (Some((share * 100.0) as u32), None),
            ModelState::Failed { reason } => (None, Some(reason.clone())),
            ModelState::Unloaded | ModelState::Queued | ModelState::Ready => (None, None),
        };
        Self {
            name,
            kind: if info.as_ref().is_some_and(|info| makes_motion(info)) { "motion" } else { "image" },
            family: info.as_ref().and_then(|info| info.family_name),
            schedulers: info.as_ref().map(|info| schedulers(info)).unwrap_or_default(),
            default: is_default,
            state: state.name(),
            progress,
            reason,
            memory_bytes: (bytes > 0).then_some(bytes),
            loads,
            steps: info.as_ref().map(|info| info.defaults.num_inference_steps.unwrap_or(DEFAULT_STEPS)),
            guidance_scale: info.as_ref().map(|info| info.defaults.guidance_scale.unwrap_or(DEFAULT_GUIDANCE_SCALE)),
            prompt_syntax: info.as_ref().map(|info| info.defaults.prompt_syntax.unwrap_or_default().name()),
            vaes: info.as_ref().map(|info| vaes(info)).unwrap_or_default(),
            other_parts: info.as_ref().map(|info| other_parts(info)).unwrap_or_default(),
            loras: info.as_ref().map(|info| info.defaults.loras.iter().map(ToString::to_string).collect()).unwrap_or_default(),
            precision: info.map(|info| info.precision.clone()),
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
        }
    }
}

/// Whether it makes no pictures of its own.
fn makes_motion(info: &ModelInfo) -> bool {
    info.family.is_some_and(|family| !family.makes_images())
}

/// The names of the schedulers, the default one first.
fn schedulers(info: &ModelInfo) -> Vec<String> {
    let own = info.defaults.scheduler.or(info.scheduler);
    let others = SchedulerName::all().into_iter().filter(|name| Some(*name) != own);
    own.into_iter().chain(others).map(|name| name.to_string()).collect()
}

fn other_parts(info: &ModelInfo) -> BTreeMap<&'static str, String> {
    info.other_parts().into_iter().map(|(part, name)| (part, name.to_owned())).collect()
}

/// A model's autoencoders, the default one first.
fn vaes(info: &ModelInfo) -> Vec<&'static str> {
    let mut vaes = info.vaes.clone();
    vaes.sort_by_key(|vae| Some(*vae) != info.defaults.vae);
    vaes.into_iter().map(VaeChoice::name).collect()
}
