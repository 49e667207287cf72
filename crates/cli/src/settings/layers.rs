//! The layers above the settings file: environment variables, then flags.
//!
//! A layer is one value with its key and its origin's name. Values are checked by the settings, not here. The invariant: variables shared
//! with other programs (`PORT`, `HF_TOKEN`, ..) rank below our own `FRAMEWRIGHT__` ones.

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::SettingsError;

/// How the text of an environment variable is parsed.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Whole,
    Number,
    Truth,
    /// Comma-separated texts.
    List,
    /// Numbers by name, `a=1,b=2.5`.
    Amounts,
}

/// Every setting, as `section.key`; provider settings have one more part.
pub(super) const KEYS: [(&str, Kind); 124] = [
    ("model.name", Kind::Text),
    ("model.motion", Kind::Text),
    ("model.vae", Kind::Text),
    ("model.text_encoder", Kind::Text),
    ("model.text_encoder_2", Kind::Text),
    ("model.unknown_fields", Kind::Text),
    ("adapters.folder", Kind::Text),
    ("adapters.embeddings", Kind::Text),
    ("controlnets.folder", Kind::Text),
    ("upscalers.folder", Kind::Text),
    ("pool.budget", Kind::Whole),
    ("pool.idle_seconds", Kind::Whole),
    ("compute.device", Kind::Text),
    ("compute.precision", Kind::Text),
    ("compute.threads", Kind::Whole),
    ("compute.cpu_level", Kind::Text),
    ("compute.memory_limit", Kind::Whole),
    ("server.host", Kind::Text),
    ("server.port", Kind::Whole),
    ("server.queue_capacity", Kind::Whole),
    ("server.body_timeout_seconds", Kind::Whole),
    ("server.public_url", Kind::Text),
    ("server.log", Kind::Text),
    ("access.api_key", Kind::Text),
    ("access.api_key_file", Kind::Text),
    ("access.allow_public_without_key", Kind::Truth),
    ("access.allowed_hosts", Kind::List),
    ("access.allowed_origins", Kind::List),
    ("access.requests_per_minute", Kind::Whole),
    ("access.burst", Kind::Whole),
    ("access.concurrent_requests", Kind::Whole),
    ("access.link_seconds", Kind::Whole),
    ("access.link_secret", Kind::Text),
    ("uploads.max_bytes", Kind::Whole),
    ("uploads.keep_days", Kind::Whole),
    ("uploads.keep_bytes", Kind::Whole),
    ("tasks.repaint_strength", Kind::Number),
    ("webhooks.secret", Kind::Text),
    ("requests.allowed_hosts", Kind::List),
    ("jobs.data_dir", Kind::Text),
    ("jobs.keep_days", Kind::Whole),
    ("jobs.keep_bytes", Kind::Whole),
    ("jobs.parts_bytes", Kind::Whole),
    ("jobs.waiting_per_key", Kind::Whole),
    ("jobs.shutdown_seconds", Kind::Whole),
    ("provenance.c2pa", Kind::Text),
    ("provenance.certificate", Kind::Text),
    ("provenance.private_key", Kind::Text),
    ("hub.token", Kind::Text),
    ("hub.endpoint", Kind::Text),
    ("hub.cache_dir", Kind::Text),
    ("hub.offline", Kind::Truth),
    ("server.log_format", Kind::Text),
    ("characters.repaint_strength", Kind::Number),
    ("routing.text", Kind::Text),
    ("routing.i2v", Kind::Text),
    ("routing.characters", Kind::Text),
    ("routing.tasks", Kind::Text),
    ("routing.overflow_after_seconds", Kind::Whole),
    ("routing.overflow_model", Kind::Text),
    ("providers.bedrock.access_key_id", Kind::Text),
    ("providers.bedrock.secret_access_key", Kind::Text),
    ("providers.bedrock.session_token", Kind::Text),
    ("providers.bedrock.bearer_token", Kind::Text),
    ("providers.bedrock.profile", Kind::Text),
    ("providers.bedrock.region", Kind::Text),
    ("providers.bedrock.bucket", Kind::Text),
    ("providers.bedrock.prefix", Kind::Text),
    ("providers.bedrock.model", Kind::Text),
    ("providers.bedrock.endpoint", Kind::Text),
    ("providers.bedrock.s3_endpoint", Kind::Text),
    ("providers.bedrock.poll_seconds", Kind::Number),
    ("providers.bedrock.deadline_seconds", Kind::Number),
    ("providers.bedrock.max_concurrent", Kind::Whole),
    ("providers.veo.api_key", Kind::Text),
    ("providers.veo.base_url", Kind::Text),
    ("providers.veo.endpoint", Kind::Text),
    ("providers.veo.model", Kind::Text),
    ("providers.veo.skip_upload", Kind::Truth),
    ("providers.veo.google_api_key", Kind::Text),
    ("providers.veo.google_base_url", Kind::Text),
    ("providers.veo.google_model", Kind::Text),
    ("providers.veo.vertex_project", Kind::Text),
    ("providers.veo.vertex_location", Kind::Text),
    ("providers.veo.vertex_token", Kind::Text),
    ("providers.veo.max_retries", Kind::Whole),
    ("providers.veo.retry_delay", Kind::Number),
    ("providers.veo.retry_backoff", Kind::Number),
    ("providers.veo.poll_seconds", Kind::Number),
    ("providers.veo.deadline_seconds", Kind::Number),
    ("providers.veo.max_concurrent", Kind::Whole),
    ("providers.pika.bearer_token", Kind::Text),
    ("providers.pika.base_url", Kind::Text),
    ("providers.pika.model", Kind::Text),
    ("providers.pika.fal_key", Kind::Text),
    ("providers.pika.fal_base_url", Kind::Text),
    ("providers.pika.fal_model", Kind::Text),
    ("providers.pika.initial_wait_time", Kind::Number),
    ("providers.pika.max_check_time", Kind::Number),
    ("providers.pika.poll_seconds", Kind::Number),
    ("providers.pika.max_concurrent", Kind::Whole),
    ("providers.replicate.api_token", Kind::Text),
    ("providers.replicate.base_url", Kind::Text),
    ("providers.replicate.video_model", Kind::Text),
    ("providers.replicate.image_input", Kind::Text),
    ("providers.replicate.poll_seconds", Kind::Number),
    ("providers.replicate.deadline_seconds", Kind::Number),
    ("providers.replicate.max_concurrent", Kind::Whole),
    ("providers.huggingface.token", Kind::Text),
    ("providers.huggingface.base_url", Kind::Text),
    ("providers.huggingface.model", Kind::Text),
    ("providers.huggingface.max_concurrent", Kind::Whole),
    ("interrogator.kind", Kind::Text),
    ("interrogator.replicate_model", Kind::Text),
    ("interrogator.local_model", Kind::Text),
    ("i2v.callback_url", Kind::Text),
    ("i2v.callback_key", Kind::Text),
    ("budget.providers", Kind::Amounts),
    ("budget.keys", Kind::Amounts),
    ("budget.each_key", Kind::Number),
    ("budget.prices", Kind::Amounts),
    ("budget.prices_per_second", Kind::Amounts),
    ("client.server", Kind::Text),
    ("client.api_key", Kind::Text),
];

/// Variables shared with other programs: variable, setting, and a suffix for the value (the cache lies inside `HF_HOME`). Later entries
/// override earlier ones.
const FOREIGN: [(&str, &str, &str); 46] = [
    ("PORT", "server.port", ""),
    ("HUGGING_FACE_TOKEN", "hub.token", ""),
    ("HF_TOKEN", "hub.token", ""),
    ("HOME", "hub.cache_dir", "/.cache/huggingface/hub"),
    ("HOME", "jobs.data_dir", "/.local/share/framewright"),
    ("XDG_DATA_HOME", "jobs.data_dir", "/framewright"),
    ("XDG_CACHE_HOME", "hub.cache_dir", "/huggingface/hub"),
    ("HF_HOME", "hub.cache_dir", "/hub"),
    ("HF_HUB_CACHE", "hub.cache_dir", ""),
    ("HF_ENDPOINT", "hub.endpoint", ""),
    ("HF_HUB_OFFLINE", "hub.offline", ""),
    ("HUGGING_FACE_TOKEN", "providers.huggingface.token", ""),
    ("HF_TOKEN", "providers.huggingface.token", ""),
    ("AWS_ACCESS_KEY_ID", "providers.bedrock.access_key_id", ""),
    ("AWS_SECRET_ACCESS_KEY", "providers.bedrock.secret_access_key", ""),
    ("AWS_SESSION_TOKEN", "providers.bedrock.session_token", ""),
    ("AWS_BEARER_TOKEN_BEDROCK", "providers.bedrock.bearer_token", ""),
    ("AWS_PROFILE", "providers.bedrock.profile", ""),
    ("AWS_DEFAULT_REGION", "providers.bedrock.region", ""),
    ("AWS_REGION", "providers.bedrock.region", ""),
    ("S3_BUCKET_NAME", "providers.bedrock.bucket", ""),
    ("AWS_ENDPOINT_URL", "providers.bedrock.endpoint", ""),
    ("AWS_ENDPOINT_URL", "providers.bedrock.s3_endpoint", ""),
    ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "providers.bedrock.endpoint", ""),
    ("AWS_ENDPOINT_URL_S3", "providers.bedrock.s3_endpoint", ""),
    ("VEO3_API_KEY", "providers.veo.api_key", ""),
    ("VEO3_BASE_URL", "providers.veo.base_url", ""),
    ("VEO3_ENDPOINT", "providers.veo.endpoint", ""),
    ("VEO3_MODEL", "providers.veo.model", ""),
    ("VEO3_SKIP_UPLOAD", "providers.veo.skip_upload", ""),
    ("VIDEO_GENERATION_MAX_RETRIES", "providers.veo.max_retries", ""),
    ("VIDEO_GENERATION_RETRY_DELAY", "providers.veo.retry_delay", ""),
    ("VIDEO_GENERATION_RETRY_BACKOFF", "providers.veo.retry_backoff", ""),
    ("VIDEO_MAX_CONCURRENT", "providers.veo.max_concurrent", ""),
    ("GEMINI_API_KEY", "providers.veo.google_api_key", ""),
    ("GOOGLE_API_KEY", "providers.veo.google_api_key", ""),
    ("PIKAPI_BEARER_TOKEN", "providers.pika.bearer_token", ""),
    ("PIKAPI_BASE_URL", "providers.pika.base_url", ""),
    ("FAL_KEY", "providers.pika.fal_key", ""),
    ("INITIAL_WAIT_TIME", "providers.pika.initial_wait_time", ""),
    ("MAX_CHECK_TIME", "providers.pika.max_check_time", ""),
    ("REPLICATE_API_TOKEN", "providers.replicate.api_token", ""),
    ("REPLICATE_BASE_URL", "providers.replicate.base_url", ""),
    ("REPLICATE_MODEL_ID", "interrogator.replicate_model", ""),
    ("CALLBACK_API_URL", "i2v.callback_url", ""),
    ("GAME_API_KEY", "i2v.callback_key", ""),
];

const PREFIX: &str = "FRAMEWRIGHT__";

/// One value that overrides the layers below it.
pub(crate) struct Layer {
    origin: String,
    key: &'static str,
    value: Value,
}

impl Layer {
    /// The value of a flag, named as typed ("--port").
    pub(crate) fn flag(name: &str, key: &'static str, value: impl Into<Value>) -> Self {
        Self { origin: name.to_owned(), key, value: value.into() }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        (self.key, &self.value).data()
    }
}

/// The layers of a set of environment variables. Empty values count as absent, as in a shell's `PORT= command`.
///
/// # Errors
/// [`SettingsError`] for a `FRAMEWRIGHT__` variable that names no setting.
pub(crate) fn environment_layers(variables: impl IntoIterator<Item = (String, String)>) -> Result<Vec<Layer>, SettingsError> {
    let variables: Vec<_> = variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let mut layers = Vec::new();
    for (name, key, suffix) in FOREIGN {
        let known = KEYS.iter().find(|(known, _)| *known == key);
        let given = variables.iter().find(|(variable, _)| variable == name);
        if let (Some((key, kind)), Some((_, value))) = (known, given) {
            layers.push(Layer { origin: name.into(), key, value: read(*kind, &format!("{value}{suffix}")) });
        }
    }
    for (name, value) in &variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let wanted = rest.to_ascii_lowercase().replace("__", ".");
        // The section `bedrock` was at the top level once.
        let wanted = if wanted.starts_with("bedrock.") { format!("providers.{wanted}") } else { wanted };
        let Some((key, kind)) = KEYS.iter().find(|(key, _)| *key == wanted) else {
            let known: Vec<_> = KEYS.iter().map(|(key, _)| variable_of(key)).collect();
            return Err(SettingsError(format!("{name} names no setting; there are {}", known.join(", "))));
        };
        layers.push(Layer { origin: name.clone(), key, value: read(*kind, value) });
    }
    Ok(layers)
}

/// The variable that sets a key: `FRAMEWRIGHT__SERVER__PORT`.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Parses the value by its kind; unparsable text stays text and fails the later type check.
fn read(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Text => text.into(),
        Kind::Whole => text.trim().parse::<i64>().map_or_else(|_| text.into(), Value::from),
        Kind::Number => text.trim().parse::<f64>().map_or_else(|_| text.into(), Value::from),
        Kind::List => text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect::<Vec<_>>().into(),
        Kind::Amounts => {
            let amount = |pair: &str| pair.split_once('=').map(|(name, number)| (name.trim().to_owned(), read(Kind::Number, number)));
            let amounts: Option<Map<_, _>> = text.split(',').filter(|pair| !pair.trim().is_empty()).map(amount).collect();
            amounts.map_or_else(|| text.into(), Value::from)
        }
        Kind::Truth => match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true.into(),
            "0" | "false" | "no" | "off" => false.into(),
            _ => text.into(),
        },
    }
}

/// Every variable that has an effect.
#[cfg(test)]
pub(super) fn variables() -> impl Iterator<Item = String> {
    FOREIGN.iter().map(|(name, ..)| (*name).to_owned()).chain(KEYS.iter().map(|(key, _)| variable_of(key)))
}

/// The shared variables that set a key, the strongest last: `PORT`, `$HF_HOME/hub`.
#[cfg(test)]
pub(super) fn foreign(key: &str) -> impl Iterator<Item = String> {
    let of_key = FOREIGN.iter().filter(move |(_, other, _)| *other == key);
    of_key.map(|(name, _, suffix)| if suffix.is_empty() { (*name).to_owned() } else { format!("${name}{suffix}") })
}
