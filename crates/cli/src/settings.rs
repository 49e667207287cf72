//! The operator's settings, gathered once: defaults, then a TOML file, then the environment, then flags.
//!
//! This is the only place in the project that reads the environment. It knows nothing of what the settings are used for. The
//! invariant: a [`Settings`] that exists is valid, and every refusal names the setting, where its value came from, and the limit.

mod access;
mod layers;
mod providers;
mod routing;
mod services;
mod tasks;
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
use secrecy::SecretString;
use serde::Deserialize;
use server::uploads::{DEFAULT_UPLOAD_BYTES, DEFAULT_UPLOADS_BYTES};
use url::Url;

use self::providers::BedrockKeys;
use crate::unknown_fields::UnknownFields;

pub(crate) use access::AccessSettings;
pub(crate) use layers::{Layer, environment_layers};
pub(crate) use providers::ProvidersSettings;
pub(crate) use routing::{
    BudgetSettings, I2vSettings, InterrogatorKind, InterrogatorSettings, Route, RoutingSettings, SERVICES, service_of,
};
pub(crate) use services::{CharactersSettings, ClientSettings, LogFormat};
pub(crate) use tasks::{RequestsSettings, TasksSettings, WebhookSettings};

/// The file that is read when no other is named and it exists in the working directory.
pub(crate) const DEFAULT_FILE: &str = "framewright.toml";
/// The longest settings file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Everything that an operator can set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Which model.
    pub model: ModelSettings,
    /// Where and how it computes.
    pub compute: ComputeSettings,
    /// The HTTP server.
    pub server: ServerSettings,
    /// Who may ask it what.
    pub access: AccessSettings,
    /// The pictures that callers send.
    pub uploads: UploadSettings,
    /// Videos and pictures as tasks.
    pub tasks: TasksSettings,
    /// Telling callbacks that their tasks have ended.
    pub webhooks: WebhookSettings,
    /// Requests to the addresses that callers name.
    pub requests: RequestsSettings,
    /// The jobs that the server keeps.
    pub jobs: JobsSettings,
    /// The hub that models are fetched from.
    pub hub: HubSettings,
    /// Videos of characters.
    pub characters: CharactersSettings,
    /// Which requests are served by whom.
    pub routing: RoutingSettings,
    /// Other people's services.
    pub providers: ProvidersSettings,
    /// What `[providers.bedrock]` was called before; [`Self::resolve`] puts it there.
    bedrock: BedrockKeys,
    /// What tells what an image shows.
    pub interrogator: InterrogatorSettings,
    /// Images in motion that are called back for.
    pub i2v: I2vSettings,
    /// What services may cost.
    pub budget: BudgetSettings,
    /// The server that `framewright jobs` asks.
    pub client: ClientSettings,
}

/// Which model.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ModelSettings {
    /// A diffusers folder, a `.safetensors` file, a hub id (`owner/name`, `owner/name@revision`), or `nano-sd`, the embedded model.
    pub name: String,
    /// What sets pictures in motion: a diffusers folder of Stable Video Diffusion, a hub id, or `nano-svd`, the embedded model.
    pub motion: String,
    /// What becomes of fields in a model's configuration files that its classes do not know.
    #[serde(deserialize_with = "values::parsed")]
    pub unknown_fields: UnknownFields,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self { name: "nano-sd".into(), motion: "nano-svd".into(), unknown_fields: UnknownFields::default() }
    }
}

/// Where and how the model computes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ComputeSettings {
    /// auto, cpu, cuda or metal.
    #[serde(deserialize_with = "values::parsed")]
    pub device: DeviceChoice,
    /// auto, f32, bf16 or f16.
    #[serde(deserialize_with = "values::parsed")]
    pub precision: Precision,
    /// Threads of the CPU's tensor operations, 1..=1024; absent: one for each core.
    #[serde(deserialize_with = "values::thread_count")]
    pub threads: Option<usize>,
    /// The instructions of the CPU's kernels, which this machine has; absent (`auto`): the best that it has.
    #[serde(deserialize_with = "values::cpu_level")]
    pub cpu_level: Option<Level>,
    /// The memory that the program may take, in bytes, on the device that the models are on; what would take more is refused. Absent: nine
    /// tenths of the machine's on a CPU, unbounded elsewhere.
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
    /// The port to listen on, 0..=65535; 0 lets the system choose one.
    #[serde(deserialize_with = "values::port")]
    pub port: u16,
    /// Requests held at once, the one being served included, 1..=1024; more are answered 429.
    #[serde(deserialize_with = "values::queue_capacity")]
    pub queue_capacity: usize,
    /// How long a request's body may take to arrive, in seconds, 1..=3600; after that it is answered 408.
    #[serde(deserialize_with = "values::body_timeout_seconds")]
    pub body_timeout_seconds: u64,
    /// Where clients find the server, if a proxy stands before it; absent: where their requests say.
    #[serde(deserialize_with = "values::public_url")]
    pub public_url: Option<Url>,
    /// What is logged: error, warn, info, debug or trace, or such a level for each part (`info,actix_server=debug`).
    pub log: String,
    /// How it is logged: text, for people, or json, an object a line, for programs.
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

/// The jobs that the server keeps.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JobsSettings {
    /// The folder for jobs and their files; absent: the user's own folder for such things. One server at a time uses it.
    pub data_dir: Option<PathBuf>,
    /// How many days an ended job and its files are kept, 1..=36500.
    #[serde(deserialize_with = "values::days")]
    pub keep_days: u64,
    /// How many bytes of files are kept; beyond that the oldest are removed.
    #[serde(deserialize_with = "values::bytes")]
    pub keep_bytes: u64,
    /// How many of the queue's places a key may hold, 1..=1024; absent: half of them where there are several keys, else all.
    #[serde(deserialize_with = "values::waiting_per_key")]
    pub waiting_per_key: Option<usize>,
    /// How long the running job may take to end when the server is told to stop, in seconds, 0..=3600; then it is put back.
    #[serde(deserialize_with = "values::shutdown_seconds")]
    pub shutdown_seconds: u64,
}

impl Default for JobsSettings {
    fn default() -> Self {
        Self { data_dir: None, keep_days: 7, keep_bytes: 10_000_000_000, waiting_per_key: None, shutdown_seconds: 10 }
    }
}

/// The pictures that callers send.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UploadSettings {
    /// The longest file, in bytes, 1..=1073741824.
    #[serde(deserialize_with = "values::upload_bytes")]
    pub max_bytes: usize,
    /// How many days an upload is kept, 1..=36500.
    #[serde(deserialize_with = "values::days")]
    pub keep_days: u64,
    /// How many bytes of uploads are kept; beyond that the oldest are removed.
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
    /// The hub's address, http or https; absent: the public hub.
    #[serde(deserialize_with = "values::endpoint")]
    pub endpoint: Option<String>,
    /// The folder that fetched models are kept in; absent: the user's own cache, the one that Python's hub client uses.
    pub cache_dir: Option<PathBuf>,
    /// Whether to use only what is in the cache.
    pub offline: bool,
}

/// Why the settings cannot be used, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SettingsError(String);

impl Settings {
    /// Gathers the settings from a file and from layers that go over it, later ones over earlier ones.
    ///
    /// # Errors
    /// [`SettingsError`] if the file cannot be read or is no TOML, or a value is unknown, of the wrong type, or outside its limits.
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
        settings.providers.bedrock = settings.providers.bedrock.or(std::mem::take(&mut settings.bedrock));
        Ok(settings)
    }
}

/// The setting, what is wrong with it, and where it came from.
fn one_line(error: &figment::Error, file: Option<&Path>) -> String {
    let key = if error.path.is_empty() { String::new() } else { format!("{}: ", error.path.join(".")) };
    let origin = match error.metadata.as_ref().map(|metadata| metadata.name.as_ref()) {
        Some(name) if name.starts_with("TOML") => file.map(|path| path.display().to_string()),
        Some(name) => Some(name.to_owned()),
        // Syntax errors of the file have neither path nor origin.
        None => file.map(|path| path.display().to_string()),
    };
    let origin = origin.map(|origin| format!(" (from {origin})")).unwrap_or_default();
    // A syntax error draws the place over several lines; its words are enough.
    let kind = error.kind.to_string();
    let said: Vec<_> = kind.lines().filter(|line| !line.contains(" |")).map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("setting {key}{}{origin}", said.join(", "))
}

#[cfg(test)]
mod provider_variables;
#[cfg(test)]
mod tests;
