//! Settings of the log, of character videos, and of the `jobs` client.

use std::str::FromStr;

use secrecy::SecretString;
use serde::Deserialize;

use super::values;

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("{name:?} is none of text, json")),
        }
    }
}

/// Videos of characters.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CharactersSettings {
    /// How much of a character's image its script repaints before it moves: 0 (nothing: the script has no effect), or 0.04 to 1.
    #[serde(deserialize_with = "values::repaint_strength")]
    pub repaint_strength: f64,
}

impl Default for CharactersSettings {
    fn default() -> Self {
        Self { repaint_strength: server::DEFAULT_REPAINT_STRENGTH }
    }
}

/// The server that `framewright jobs` and `framewright models list --server` ask.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClientSettings {
    /// Its address, http or https.
    #[serde(deserialize_with = "values::address")]
    pub server: String,
    /// Its API key, if it needs one. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub api_key: Option<SecretString>,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self { server: "http://127.0.0.1:8000".into(), api_key: None }
    }
}
