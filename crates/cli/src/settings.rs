//! The operator's settings, merged once: defaults, then a TOML file, then the environment, then flags.
//!
//! This is the only place in the project that reads the environment. It does not know what the settings are used for. The invariant: a
//! [`Settings`] value is always valid, and every error names the setting, the origin of its value, and the limit.

mod access;
mod layers;
mod models;
mod provenance;
mod providers;
mod routing;
mod services;
mod tasks;
mod vae;
mod values;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use cpu_kernels::Level;
use diffusion_core::{
    policy::{DeviceChoice, Precision},
    regular_file,
};
use figment::{
    Figment,
    providers::{Format, Toml},
};
use generation::jobs::DEFAULT_PARTS_BYTES;
use secrecy::SecretString;
use serde::Deserialize;
use server::uploads::{DEFAULT_UPLOAD_BYTES, DEFAULT_UPLOADS_BYTES};
use url::Url;

use self::providers::BedrockKeys;
use crate::unknown_fields::UnknownFields;

pub(crate) use access::AccessSettings;
pub(crate) use layers::{Layer, environment_layers};
pub(crate) use models::{AdaptersSettings, ChosenModel, ControlNetsSettings, PoolModelSettings, PoolSettings, UpscalersSettings};
pub(crate) use provenance::{C2pa, ProvenanceSettings};
pub(crate) use providers::ProvidersSettings;
pub(crate) use routing::{
    BudgetSettings, I2vSettings, InterrogatorKind, InterrogatorSettings, Route, RoutingSettings, SERVICES, service_of,
};
pub(crate) use services::{CharactersSettings, ClientSettings, LogFormat};
pub(crate) use tasks::{RequestsSettings, TasksSettings, WebhookSettings};
pub(crate) use vae::VaeSetting;

/// The default settings file, read if it exists in the working directory.
pub(crate) const DEFAULT_FILE: &str = "framewright.toml";
/// The largest settings file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Everything that an operator can set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Which models the program runs.
    pub model: ModelSettings,
    /// More models, which requests ask for by name.
    pub models: Vec<PoolModelSettings>,
    /// Files that change models.
    pub adapters: AdaptersSettings,
    /// ControlNets, by which pictures lead a model.
    pub controlnets: ControlNetsSettings,
    /// Upscalers, which enlarge pictures.
    pub upscalers: UpscalersSettings,
    /// How models share the device.
    pub pool: PoolSettings,
    /// Where and how the models run.
    pub compute: ComputeSettings,
    /// The HTTP server.
    pub server: ServerSettings,
    /// Who may use the server.
    pub access: AccessSettings,
    /// Images that callers upload.
    pub uploads: UploadSettings,
    /// The Tasks API.
    pub tasks: TasksSettings,
    /// Callbacks of tasks.
    pub webhooks: WebhookSettings,
    /// Requests to addresses that callers name.
    pub requests: RequestsSettings,
    /// Stored jobs and their files.
    pub jobs: JobsSettings,
    /// Signed manifests (C2PA) in images and videos.
    pub provenance: ProvenanceSettings,
    /// The hub that models are fetched from.
    pub hub: HubSettings,
    /// Videos of characters.
    pub characters: CharactersSettings,
    /// Which service or machine serves which requests.
    pub routing: RoutingSettings,
    /// Other services.
    pub providers: ProvidersSettings,
    /// The older name of `[providers.bedrock]`; [`Self::resolve`] moves its values there.
    bedrock: BedrockKeys,
    /// Captions of images, for `POST /api/v1/i2v`.
    pub interrogator: InterrogatorSettings,
    /// Callbacks of `POST /api/v1/i2v`.
    pub i2v: I2vSettings,
    /// What services may cost.
    pub budget: BudgetSettings,
    /// The server that `framewright jobs` and `framewright models list --server` ask.
    pub client: ClientSettings,
}

/// Which models the program runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ModelSettings {
    /// The image model: a name of `[[models]]`, a diffusers folder, a single-file checkpoint, a hub id (`owner/name`,
    /// `owner/name@revision`), or `nano-sd`, the model inside the program.
    pub name: String,
    /// The video model, which sets images in motion: a diffusers folder of Stable Video Diffusion, a hub id, `nano-svd`, the model inside
    /// the program, or a name of `[[models]]`, whose `motion` it is then.
    pub motion: String,
    /// The image model's autoencoder: `full` (its own), `tiny` (a TAESD in its folder `vae_tiny`), or another one, as a folder or a file. An
    /// AutoencoderKL replaces its own; an AutoencoderTiny (TAESD) becomes its `tiny` one, and the default. Absent: `full`.
    #[serde(deserialize_with = "values::parsed_option")]
    pub vae: Option<VaeSetting>,
    /// The image model's text encoder, as a folder or a file: it replaces its own. Absent: its own.
    pub text_encoder: Option<PathBuf>,
    /// The second text encoder of a Stable Diffusion XL model, likewise. Absent: its own.
    pub text_encoder_2: Option<PathBuf>,
    /// Fields in a model's files that its classes do not know: `warn` ignores them with a warning, `refuse` refuses the model.
    #[serde(deserialize_with = "values::parsed")]
    pub unknown_fields: UnknownFields,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            name: "nano-sd".into(),
            motion: "nano-svd".into(),
            vae: None,
            text_encoder: None,
            text_encoder_2: None,
            unknown_fields: UnknownFields::default(),
        }
    }
}

/// Where and how the models run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ComputeSettings {
    /// `auto` (CUDA, then Metal, then the CPU), `cpu`, `cuda` or `metal`.
    #[serde(deserialize_with = "values::parsed")]
    pub device: DeviceChoice,
    /// `auto`, `f32`, `bf16` or `f16`. `auto` is bf16 on CPUs where that is faster, f32 on other CPUs, and f16 on GPUs. `bf16` halves the memory
    /// that weights take where the processor can multiply it; on Intel processors without AMX it then takes some 1.5 times as long.
    #[serde(deserialize_with = "values::parsed")]
    pub precision: Precision,
    /// Threads of the CPU kernels, 1 to 1024. Absent: one for each core.
    #[serde(deserialize_with = "values::thread_count")]
    pub threads: Option<usize>,
    /// Instructions of the CPU kernels: `auto` (the fastest on this machine; where a model's precision is `bf16`, the fastest that multiplies
    /// it), `portable`, `avx2`, `avx512`, `avx512bf16` or `amx`. A level that this machine lacks is refused.
    #[serde(deserialize_with = "values::cpu_level")]
    pub cpu_level: Option<Level>,
    /// Memory that the program may use on the models' device, in bytes; work that needs more is refused. Absent: nine tenths of the
    /// machine's or the container's memory on a CPU, no limit on GPUs.
    #[serde(deserialize_with = "values::memory_limit")]
    pub memory_limit: Option<u64>,
}

/// The HTTP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerSettings {
    /// The address to listen on.
    #[serde(deserialize_with = "values::parsed")]
    pub host: IpAddr,
    /// The port to listen on, 0 to 65535; 0 lets the system choose one.
    #[serde(deserialize_with = "values::port")]
    pub port: u16,
    /// Jobs held at once, the running one included, 1 to 1024. More are answered 429.
    #[serde(deserialize_with = "values::queue_capacity")]
    pub queue_capacity: usize,
    /// Seconds until a request body must have arrived, 1 to 3600; after that the answer is 408.
    #[serde(deserialize_with = "values::body_timeout_seconds")]
    pub body_timeout_seconds: u64,
    /// Where clients reach the server if it is behind a proxy. Absent: at the address that they ask.
    #[serde(deserialize_with = "values::public_url")]
    pub public_url: Option<Url>,
    /// What is logged: `error`, `warn`, `info`, `debug` or `trace`, or a level for each part (`info,actix_server=debug`).
    pub log: String,
    /// The format of the log: `text` for people, or `json`, one object per line.
    #[serde(deserialize_with = "values::parsed")]
    pub log_format: LogFormat,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 8000,
            queue_capacity: 16,
            body_timeout_seconds: 30,
            public_url: None,
            log: "warn".into(),
            log_format: LogFormat::default(),
        }
    }
}

/// Stored jobs and their files.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JobsSettings {
    /// The folder for jobs and their files; one server at a time uses it. Absent: the user's data folder.
    pub data_dir: Option<PathBuf>,
    /// Days that an ended job and its files are kept, 1 to 36500.
    #[serde(deserialize_with = "values::days")]
    pub keep_days: u64,
    /// Bytes of files that are kept; beyond that the oldest are removed.
    #[serde(deserialize_with = "values::bytes")]
    pub keep_bytes: u64,
    /// Bytes of scenes and joins of videos that are kept, so that a video in which one scene was changed does not make the others again;
    /// beyond that those used least recently are removed. 0 keeps none.
    #[serde(deserialize_with = "values::bytes")]
    pub parts_bytes: u64,
    /// Places of the queue that one key may hold, 1 to 1024. Absent: half of them if there are several keys, else all.
    #[serde(deserialize_with = "values::waiting_per_key")]
    pub waiting_per_key: Option<usize>,
    /// Seconds that the running job may take to end when the server stops, 0 to 3600; after that it goes back into the queue.
    #[serde(deserialize_with = "values::shutdown_seconds")]
    pub shutdown_seconds: u64,
}

impl Default for JobsSettings {
    fn default() -> Self {
        Self {
            data_dir: None,
            keep_days: 7,
            keep_bytes: 10_000_000_000,
            parts_bytes: DEFAULT_PARTS_BYTES,
            waiting_per_key: None,
            shutdown_seconds: 10,
        }
    }
}

/// Images that callers upload.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UploadSettings {
    /// The largest file, in bytes, 1 to 1073741824.
    #[serde(deserialize_with = "values::upload_bytes")]
    pub max_bytes: usize,
    /// Days that an upload is kept, 1 to 36500.
    #[serde(deserialize_with = "values::days")]
    pub keep_days: u64,
    /// Bytes of uploads that are kept; beyond that the oldest are removed.
    #[serde(deserialize_with = "values::bytes")]
    pub keep_bytes: u64,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self { max_bytes: DEFAULT_UPLOAD_BYTES, keep_days: 7, keep_bytes: DEFAULT_UPLOADS_BYTES }
    }
}

/// The hub that models are fetched from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HubSettings {
    /// The access token, for models that need one. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub token: Option<SecretString>,
    /// The hub's address, http or https. Absent: the public hub.
    #[serde(deserialize_with = "values::endpoint")]
    pub endpoint: Option<String>,
    /// The folder for fetched models. Absent: the user's cache folder that Python's hub client uses too.
    pub cache_dir: Option<PathBuf>,
    /// Whether to use only what is in the cache.
    pub offline: bool,
}

/// Why the settings cannot be used, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SettingsError(String);

impl Settings {
    /// Merges a settings file and the layers above it; later layers override earlier ones.
    ///
    /// # Errors
    /// [`SettingsError`] if the file cannot be read or is not TOML, or a value is unknown, of the wrong type, or outside its limits.
    pub(crate) fn resolve(file: Option<&Path>, layers: impl IntoIterator<Item = Layer>) -> Result<Self, SettingsError> {
        let mut figment = Figment::new();
        if let Some(path) = file {
            let refused = |reason: &dyn std::fmt::Display| SettingsError(format!("settings file {}: {reason}", path.display()));
            let bytes = regular_file::read_small(path, MAX_FILE_BYTES).map_err(|error| refused(&error))?;
            let text = str::from_utf8(&bytes).map_err(|error| refused(&error))?;
            figment = figment.merge(Toml::string(text));
        }
        for layer in layers {
            figment = figment.merge(layer);
        }
        let mut settings: Self = figment.extract().map_err(|error| SettingsError(one_line(&error, file)))?;
        let is_flag = |key: &str| figment.find_metadata(key).is_some_and(|origin| origin.name.starts_with("--"));
        settings.check_models(is_flag).map_err(SettingsError)?;
        settings.providers.bedrock = settings.providers.bedrock.or(std::mem::take(&mut settings.bedrock));
        Ok(settings)
    }
}

/// The setting, what is wrong with it, and the origin of its value.
fn one_line(error: &figment::Error, file: Option<&Path>) -> String {
    let key = if error.path.is_empty() { String::new() } else { format!("{}: ", error.path.join(".")) };
    let origin = match error.metadata.as_ref().map(|metadata| metadata.name.as_ref()) {
        Some(name) if name.starts_with("TOML") => file.map(|path| path.display().to_string()),
        Some(name) => Some(name.to_owned()),
        // Syntax errors have neither path nor origin.
        None => file.map(|path| path.display().to_string()),
    };
    let origin = origin.map(|origin| format!(" (from {origin})")).unwrap_or_default();
    // A syntax error quotes the source over several lines; its message is enough.
    let kind = error.kind.to_string();
    let message: Vec<_> = kind.lines().filter(|line| !line.contains(" |")).map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("setting {key}{}{origin}", message.join(", "))
}

#[cfg(test)]
mod documented;
#[cfg(test)]
mod provider_variables;
#[cfg(test)]
mod tests;
