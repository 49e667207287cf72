//! The layers that go over the settings file: variables of the environment, then flags.
//!
//! A layer is one value with its key and the name that a person knows it by. Nothing here judges a value; that is the settings' own
//! business. The invariant: variables that other programs define too (`PORT`, `HF_TOKEN`, ..) lie below our own `FRAMEWRIGHT__` ones.

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::SettingsError;

/// What a setting's text in the environment stands for.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Whole,
    Number,
    Truth,
    /// Texts with commas between them.
    List,
}

/// Every setting, as `section.key`.
const KEYS: [(&str, Kind); 48] = [
    ("model.name", Kind::Text),
    ("model.motion", Kind::Text),
    ("model.unknown_fields", Kind::Text),
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
    ("jobs.waiting_per_key", Kind::Whole),
    ("jobs.shutdown_seconds", Kind::Whole),
    ("hub.token", Kind::Text),
    ("hub.endpoint", Kind::Text),
    ("hub.cache_dir", Kind::Text),
    ("hub.offline", Kind::Truth),
    ("server.log_format", Kind::Text),
    ("characters.repaint_strength", Kind::Number),
    ("routing.text", Kind::Text),
    ("bedrock.access_key_id", Kind::Text),
    ("bedrock.secret_access_key", Kind::Text),
    ("bedrock.region", Kind::Text),
    ("bedrock.bucket", Kind::Text),
    ("client.server", Kind::Text),
    ("client.api_key", Kind::Text),
];

/// Variables that other programs define, which act here too: the later in this list, the stronger.
/// The second word is the setting, the third what is appended to the value (the cache lies inside `HF_HOME`).
const FOREIGN: [(&str, &str, &str); 15] = [
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
    ("AWS_ACCESS_KEY_ID", "bedrock.access_key_id", ""),
    ("AWS_SECRET_ACCESS_KEY", "bedrock.secret_access_key", ""),
    ("AWS_REGION", "bedrock.region", ""),
    ("S3_BUCKET_NAME", "bedrock.bucket", ""),
];

const PREFIX: &str = "FRAMEWRIGHT__";

/// One value over what lies below it.
pub(crate) struct Layer {
    origin: String,
    key: &'static str,
    value: Value,
}

impl Layer {
    /// The value of a flag, by the flag's name ("--port").
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

/// The layers that a set of environment variables makes. Empty values count as absent, as a shell's `PORT= command` means.
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
        let wanted = rest.to_ascii_lowercase().replacen("__", ".", 1);
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
    format!("{PREFIX}{}", key.replacen('.', "__", 1).to_ascii_uppercase())
}

/// The value in its own type; text that is none stays text, and is then refused where types are checked.
fn read(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Text => text.into(),
        Kind::Whole => text.trim().parse::<i64>().map_or_else(|_| text.into(), Value::from),
        Kind::Number => text.trim().parse::<f64>().map_or_else(|_| text.into(), Value::from),
        Kind::List => text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect::<Vec<_>>().into(),
        Kind::Truth => match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true.into(),
            "0" | "false" | "no" | "off" => false.into(),
            _ => text.into(),
        },
    }
}
