//! The answers of the web UI's API, as on the wire and in /openapi.json.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema},
};

/// Pictures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiImages {
    /// The files, base64 without a data URL's head: PNG with a `parameters` chunk, or what `samples_format` says.
    #[schema(example = json!(["iVBORw0KGgoAAAANSUhEUgAA..."]))]
    pub(crate) images: Vec<String>,
    /// The request as it was sent, without its pictures.
    #[schema(value_type = Object, example = json!({"prompt": "a boat", "steps": 4}))]
    pub(crate) parameters: Map<String, Value>,
    /// How they were made: JSON as text, with the web UI's keys (`seed`, `all_seeds`, `infotexts`, ..), and `ignored_fields` and `remarks`.
    #[schema(content_media_type = "application/json", example = "{\"prompt\": \"a boat\", \"seed\": 4}")]
    pub(crate) info: String,
}

/// How far the caller's oldest job of this API is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiProgress {
    /// The share that is done, 0 to 1; 0 if there is no job.
    #[schema(example = 0.4)]
    pub(crate) progress: f64,
    /// The estimated seconds until it ends; 0 while unknown.
    #[schema(example = 2.5)]
    pub(crate) eta_relative: f64,
    /// Its state.
    pub(crate) state: WebUiState,
    /// A small picture of its newest step, base64 of a PNG; null if there is none, or none is wanted.
    #[schema(content_encoding = "base64", example = json!(null))]
    pub(crate) current_image: Option<String>,
    /// What it waits for; null if it runs.
    #[schema(example = "Waiting in the queue")]
    pub(crate) textinfo: Option<&'static str>,
    /// The job's id; null if there is none.
    #[schema(example = "img_abc123def456")]
    pub(crate) current_task: Option<String>,
}

/// The state of the caller's oldest job.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct WebUiState {
    /// Whether a picture was skipped.
    pub(crate) skipped: bool,
    /// Whether it was interrupted.
    pub(crate) interrupted: bool,
    /// The same: it ends at its next step.
    pub(crate) stopping_generation: bool,
    /// "Batch 1 out of 2"; empty if there is none.
    #[schema(example = "Batch 1 out of 2")]
    pub(crate) job: String,
    /// The number of batches; 0 if there is no job.
    #[schema(example = 2)]
    pub(crate) job_count: u32,
    /// When its request arrived, as YYYYMMDDhhmmss in UTC; "0" if there is none.
    #[schema(example = "20260111103000")]
    pub(crate) job_timestamp: String,
    /// The batch that is made, from 0.
    #[schema(example = 0)]
    pub(crate) job_no: u32,
    /// The steps of the current picture that are done.
    #[schema(example = 8)]
    pub(crate) sampling_step: usize,
    /// Its steps.
    #[schema(example = 20)]
    pub(crate) sampling_steps: usize,
}

/// Your options, by the web UI's names.
#[derive(Debug, Serialize)]
pub(crate) struct WebUiOptions(pub(crate) Map<String, Value>);

// Written out because the derive drops the example of such an object.
impl PartialSchema for WebUiOptions {
    fn schema() -> RefOr<Schema> {
        let example =
            json!({"sd_model_checkpoint": "local", "sd_vae": "Automatic", "CLIP_stop_at_last_layers": 1, "samples_format": "png"});
        ObjectBuilder::new().description(Some("Your options, by the web UI's names.")).examples([example]).into()
    }
}

impl ToSchema for WebUiOptions {}

/// A sampler.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiSampler {
    /// Its name.
    #[schema(example = "DPM++ 2M")]
    pub(crate) name: &'static str,
    /// Other names of it.
    #[schema(example = json!(["dpmpp-2m"]))]
    pub(crate) aliases: Vec<String>,
    /// Empty.
    #[schema(value_type = Object)]
    pub(crate) options: Map<String, Value>,
}

/// A schedule of noise levels.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiScheduler {
    /// Its name in requests.
    #[schema(example = "karras")]
    pub(crate) name: &'static str,
    /// Its name for people.
    #[schema(example = "Karras")]
    pub(crate) label: &'static str,
    /// Null.
    pub(crate) aliases: Option<Vec<&'static str>>,
    /// Rho, where it has one; else -1.
    #[schema(example = 7.0)]
    pub(crate) default_rho: f64,
    /// False.
    pub(crate) need_inner_model: bool,
}

/// A model that makes pictures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiModel {
    /// The name that `sd_model_checkpoint` takes.
    #[schema(example = "turbo")]
    pub(crate) title: String,
    /// The same.
    #[schema(example = "turbo")]
    pub(crate) model_name: String,
    /// Null: models here are folders as well as files.
    pub(crate) hash: Option<String>,
    /// Null.
    pub(crate) sha256: Option<String>,
    /// The same as `title`: no answer has a path of this machine.
    #[schema(example = "turbo")]
    pub(crate) filename: String,
    /// Null.
    pub(crate) config: Option<String>,
}

/// An autoencoder.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiVae {
    /// The name that `sd_vae` takes.
    #[schema(example = "full")]
    pub(crate) model_name: &'static str,
    /// The same.
    #[schema(example = "full")]
    pub(crate) filename: &'static str,
}

/// A LoRA or another adapter.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiLora {
    /// Its name in `<lora:NAME:1>`.
    #[schema(example = "ink")]
    pub(crate) name: String,
    /// The same.
    #[schema(example = "ink")]
    pub(crate) alias: String,
    /// The same: no answer has a path of this machine.
    #[schema(example = "ink")]
    pub(crate) path: String,
    /// Empty.
    #[schema(value_type = Object)]
    pub(crate) metadata: Map<String, Value>,
}

/// The embeddings that are words of prompts.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct WebUiEmbeddings {
    /// Empty: embeddings are words of prompts here, and not listed.
    #[schema(value_type = Object)]
    pub(crate) loaded: BTreeMap<String, Value>,
    /// Empty.
    #[schema(value_type = Object)]
    pub(crate) skipped: BTreeMap<String, Value>,
}

/// What enlarges a picture.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiUpscaler {
    /// Its name.
    #[schema(example = "Lanczos")]
    pub(crate) name: String,
    /// The architecture of a network; null for a built-in one.
    #[schema(example = json!(null))]
    pub(crate) model_name: Option<String>,
    /// Null.
    pub(crate) model_path: Option<String>,
    /// Null.
    pub(crate) model_url: Option<String>,
    /// The factor that it is made for.
    #[schema(example = 4.0)]
    pub(crate) scale: f64,
}

/// A Real-ESRGAN network.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiRealEsrgan {
    /// Its name.
    #[schema(example = "RealESRGAN_x4plus")]
    pub(crate) name: String,
    /// The name again: where its file is concerns the operator only.
    #[schema(example = "RealESRGAN_x4plus")]
    pub(crate) path: String,
    /// The factor that it is made for.
    #[schema(example = 4)]
    pub(crate) scale: u64,
}

/// A name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiName {
    /// The name.
    #[schema(example = "Latent")]
    pub(crate) name: &'static str,
}

/// The scripts of the web UI's page.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct WebUiScripts {
    /// Empty.
    pub(crate) txt2img: Vec<String>,
    /// Empty.
    pub(crate) img2img: Vec<String>,
}

/// Memory in bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiMemory {
    /// This machine's: `used` by this server, and of that `models` by loaded models; `error` if the system does not tell.
    #[schema(value_type = Object, example = json!({"used": 512_000_000, "models": 400_000_000}))]
    pub(crate) ram: Value,
    /// `error` says that the web UI's numbers of CUDA's allocator do not exist here.
    #[schema(value_type = Object, example = json!({"error": "this server does not use CUDA's caching allocator"}))]
    pub(crate) cuda: Value,
}

/// A resized picture.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiExtraImage {
    /// What was done, as text.
    #[schema(example = "Resized to 256x256 by Lanczos")]
    pub(crate) html_info: String,
    /// The picture, base64 of a PNG.
    #[schema(content_encoding = "base64", example = "iVBORw0KGgoAAAANSUhEUgAA...")]
    pub(crate) image: String,
}

/// Resized pictures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiExtraImages {
    /// What was done, as text.
    #[schema(example = "Resized to 256x256 by Lanczos")]
    pub(crate) html_info: String,
    /// The pictures in order, base64 of PNGs.
    #[schema(example = json!(["iVBORw0KGgoAAAANSUhEUgAA..."]))]
    pub(crate) images: Vec<String>,
}

/// How a picture was made, as its file says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiPngInfo {
    /// The text; empty if the file has none.
    #[schema(example = "a boat\nSteps: 4, Sampler: Euler, Seed: 4")]
    pub(crate) info: String,
    /// The file's texts by their names.
    #[schema(value_type = Object, example = json!({"parameters": "a boat\nSteps: 4"}))]
    pub(crate) items: BTreeMap<String, String>,
    /// The text's parts by their names.
    #[schema(value_type = Object, example = json!({"Prompt": "a boat", "Steps": "4"}))]
    pub(crate) parameters: BTreeMap<String, String>,
}

impl WebUiMemory {
    /// The memory of this process and of the models in it.
    pub(crate) fn of(used: Option<u64>, models: u64) -> Self {
        let ram = match used {
            Some(used) => json!({"used": used, "models": models}),
            None => json!({"error": "this system does not tell", "models": models}),
        };
        Self { ram, cuda: json!({"error": "this server does not use CUDA's caching allocator"}) }
    }
}
