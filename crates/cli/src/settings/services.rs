//! The settings of what the server offers beside its own models, and of the command that asks another server.

use std::str::FromStr;

use secrecy::SecretString;
use serde::Deserialize;

use super::{Settings, values};

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// An object a line, for programs.
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
    /// How much of a character's picture its script repaints before it moves, 0 (nothing: the script is not used) to 1.
    #[serde(deserialize_with = "values::repaint_strength")]
    pub repaint_strength: f64,
}

impl Default for CharactersSettings {
    fn default() -> Self {
        Self { repaint_strength: server::DEFAULT_REPAINT_STRENGTH }
    }
}

/// Which requests are served by whom.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RoutingSettings {
    /// Videos from texts: auto, local or bedrock.
    #[serde(deserialize_with = "values::parsed")]
    pub text: TextRouting,
}

/// Who makes videos from texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TextRouting {
    /// Amazon Bedrock if all that it needs is set, else this machine.
    #[default]
    Auto,
    /// This machine.
    Local,
    /// Amazon Bedrock.
    Bedrock,
}

impl FromStr for TextRouting {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "local" => Ok(Self::Local),
            "bedrock" => Ok(Self::Bedrock),
            _ => Err(format!("{name:?} is none of auto, local, bedrock")),
        }
    }
}

/// Amazon Bedrock.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BedrockSettings {
    /// Whose requests they are. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub access_key_id: Option<SecretString>,
    /// What they are signed with. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub secret_access_key: Option<SecretString>,
    /// Where they go.
    #[serde(deserialize_with = "values::text")]
    pub region: Option<String>,
    /// The bucket that videos are put into.
    #[serde(deserialize_with = "values::text")]
    pub bucket: Option<String>,
}

impl BedrockSettings {
    fn is_complete(&self) -> bool {
        self.access_key_id.is_some() && self.secret_access_key.is_some() && self.region.is_some() && self.bucket.is_some()
    }
}

impl Settings {
    /// Whether videos from texts are for Amazon Bedrock to make.
    pub(crate) fn text_is_bedrocks(&self) -> bool {
        match self.routing.text {
            TextRouting::Auto => self.bedrock.is_complete(),
            TextRouting::Local => false,
            TextRouting::Bedrock => true,
        }
    }
}

/// The server that `framewright jobs` asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClientSettings {
    /// Its address, http or https, without a final slash.
    #[serde(deserialize_with = "values::server_url")]
    pub server: String,
    /// The API key that it wants, if it wants one. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub api_key: Option<SecretString>,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self { server: "http://127.0.0.1:8000".into(), api_key: None }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::{Settings, environment_layers};

    #[test]
    fn texts_go_to_bedrock_only_where_all_of_it_is_known() {
        let all =
            [("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "s1"), ("AWS_REGION", "eu-west-1"), ("S3_BUCKET_NAME", "videos")];
        let route = |pairs: &[(&str, &str)], text: Option<&str>| {
            let routing = text.map(|text| ("FRAMEWRIGHT__ROUTING__TEXT", text));
            let pairs: Vec<_> = pairs.iter().copied().chain(routing).collect();
            let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Settings::resolve(None, environment_layers(variables).unwrap()).unwrap().text_is_bedrocks()
        };
        assert!(route(&all, None) && route(&all, Some("auto")));
        for missing in 0..all.len() {
            let some: Vec<_> = all.iter().enumerate().filter(|(index, _)| *index != missing).map(|(_, pair)| *pair).collect();
            assert!(!route(&some, None), "{some:?}");
        }
        assert!(!route(&all, Some("local")) && route(&[], Some("bedrock")));
    }
}
