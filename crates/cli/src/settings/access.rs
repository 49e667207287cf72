//! Access settings: keys, hosts, origins, limits.
//!
//! Values are checked here as far as they alone allow; that keys differ, and that a public address has one, is checked when the server
//! starts. The invariant: no key appears in an error or a log. Named keys are kept as digests; the single key of `api_key` stays a secret
//! text until [`AccessSettings::resolved`].

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    time::Duration,
};

use diffusion_core::regular_file;
use generation::jobs::Priority;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use server::access::{self, AllowedHosts, AllowedOrigins, ApiKey, KeyLimits, LinkSecret};
use url::Url;

use super::{SettingsError, values};

/// The name of the unnamed key.
const DEFAULT_NAME: &str = "default";

/// The largest key file, in bytes.
const MAX_KEY_FILE: u64 = 4096;

/// Who may use the server.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AccessSettings {
    /// A single API key, 16 to 512 visible ASCII characters; its name is `default`. Never printed.
    #[serde(deserialize_with = "values::api_key")]
    pub api_key: Option<SecretString>,
    /// A file that holds that key, instead of `api_key`.
    pub api_key_file: Option<PathBuf>,
    /// Keys with names; each key sees its own jobs only.
    pub keys: Vec<NamedKey>,
    /// Whether other machines may use the server without a key.
    pub allow_public_without_key: bool,
    /// Host names that requests may use besides the server's own; `*` allows all.
    #[serde(deserialize_with = "values::allowed_hosts")]
    pub allowed_hosts: AllowedHosts,
    /// Origins whose pages may use the server (`https://example.com`); `*` allows all.
    #[serde(deserialize_with = "values::allowed_origins")]
    pub allowed_origins: AllowedOrigins,
    /// Requests that a key may make per minute, 0 to 1000000; 0 is no limit. Absent: 600 with keys, no limit without.
    #[serde(deserialize_with = "values::requests_per_minute")]
    pub requests_per_minute: Option<u32>,
    /// Requests that may arrive at once before that rate counts, 1 to 1000000.
    #[serde(deserialize_with = "values::burst")]
    pub burst: NonZeroU32,
    /// Requests that a key may hold at once, 0 to 65536; 0 is no limit. Absent: 32 with keys, no limit without.
    #[serde(deserialize_with = "values::concurrent_requests")]
    pub concurrent_requests: Option<usize>,
    /// Seconds that signed links are valid, 60 to 31536000.
    #[serde(deserialize_with = "values::link_seconds")]
    pub link_seconds: u64,
    /// The secret that signs links, at least 32 characters. Absent: generated at the first start and kept in the data folder. Never
    /// printed.
    #[serde(deserialize_with = "values::link_secret")]
    pub link_secret: Option<LinkSecret>,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            api_key: None,
            api_key_file: None,
            keys: Vec::new(),
            allow_public_without_key: false,
            allowed_hosts: AllowedHosts::default(),
            allowed_origins: AllowedOrigins::default(),
            requests_per_minute: None,
            burst: access::DEFAULT_BURST,
            concurrent_requests: None,
            link_seconds: access::DEFAULT_LINK_LIFETIME.as_secs(),
            link_secret: None,
        }
    }
}

/// A key with a name. It has one of `key`, `key_file` and `sha256`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "WrittenKey")]
pub(crate) enum NamedKey {
    /// The key itself, or its digest.
    Given(ApiKey),
    /// A file that holds it.
    InFile {
        /// The key's name.
        name: String,
        /// The file.
        path: PathBuf,
        /// How urgent its jobs are.
        priority: Priority,
    },
}

/// A key as written in the settings file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    /// The name: 1 to 64 characters of a-z, 0-9, `-`, `_` and `.`; the first and the last are a letter or a digit.
    name: String,
    /// The key itself, 16 to 512 visible ASCII characters. Never printed.
    #[serde(default, deserialize_with = "values::secret_text")]
    key: Option<SecretString>,
    /// A file that holds the key.
    #[serde(default)]
    key_file: Option<PathBuf>,
    /// The key's SHA-256 digest in hexadecimal: `printf %s KEY | sha256sum`.
    #[serde(default, deserialize_with = "values::secret_text")]
    sha256: Option<SecretString>,
    /// How urgent its jobs are: `low`, `normal` or `high`. Absent: `normal`.
    #[serde(default)]
    priority: Option<String>,
}

impl TryFrom<WrittenKey> for NamedKey {
    type Error = String;

    fn try_from(written: WrittenKey) -> Result<Self, String> {
        let WrittenKey { name, key, key_file, sha256, priority } = written;
        let priority = match priority {
            None => Priority::default(),
            Some(text) => text.parse().map_err(|error| format!("the key {name:?} has {error}"))?,
        };
        let key = match (key, key_file, sha256) {
            (Some(key), None, None) => ApiKey::new(&name, key.expose_secret()),
            (None, Some(path), None) => return Ok(Self::InFile { name, path, priority }),
            (None, None, Some(hex)) => ApiKey::from_sha256(&name, hex.expose_secret()),
            _ => return Err(format!("the key {name:?} wants one of key, key_file and sha256")),
        };
        key.map(|key| Self::Given(key.with_priority(priority))).map_err(|error| error.to_string())
    }
}

impl AccessSettings {
    /// Whether there is more than one key.
    pub(crate) fn several_keys(&self) -> bool {
        self.keys.len() + usize::from(self.api_key.is_some() || self.api_key_file.is_some()) > 1
    }

    /// The names of all keys.
    pub(crate) fn key_names(&self) -> Vec<&str> {
        let unnamed = (self.api_key.is_some() || self.api_key_file.is_some()).then_some(DEFAULT_NAME);
        let named = self.keys.iter().map(|key| match key {
            NamedKey::Given(key) => key.name(),
            NamedKey::InFile { name, .. } => name,
        });
        unnamed.into_iter().chain(named).collect()
    }

    /// Builds the server's access settings; reads the key files now.
    ///
    /// # Errors
    /// [`SettingsError`] if a file cannot be read or holds no valid key, or two settings conflict.
    pub(crate) fn resolved(&self, public_url: Option<&Url>) -> Result<access::AccessSettings, SettingsError> {
        let mut keys = Vec::new();
        match (&self.api_key, &self.api_key_file) {
            (Some(_), Some(_)) => {
                return Err(SettingsError("settings access.api_key and access.api_key_file: one of them, not both".into()));
            }
            (Some(key), None) => keys.push(named("access.api_key", DEFAULT_NAME, key)?),
            (None, Some(path)) => keys.push(named("access.api_key_file", DEFAULT_NAME, &read("access.api_key_file", path)?)?),
            (None, None) => {}
        }
        for key in &self.keys {
            keys.push(match key {
                NamedKey::Given(key) => key.clone(),
                NamedKey::InFile { name, path, priority } => {
                    named("access.keys", name, &read("access.keys", path)?)?.with_priority(*priority)
                }
            });
        }
        let limits = |default: KeyLimits| KeyLimits {
            requests_per_minute: self.requests_per_minute.map_or(default.requests_per_minute, NonZeroU32::new),
            burst: self.burst,
            concurrent_requests: self.concurrent_requests.map_or(default.concurrent_requests, NonZeroUsize::new),
        };
        Ok(access::AccessSettings {
            keys,
            allow_public_without_key: self.allow_public_without_key,
            allowed_hosts: self.allowed_hosts.clone(),
            allowed_origins: self.allowed_origins.clone(),
            public_url: public_url.cloned(),
            key_limits: limits(KeyLimits::default()),
            keyless_limits: limits(KeyLimits::NONE),
            link_lifetime: Duration::from_secs(self.link_seconds),
        })
    }
}

fn named(setting: &str, name: &str, key: &SecretString) -> Result<ApiKey, SettingsError> {
    ApiKey::new(name, key.expose_secret()).map_err(|error| SettingsError(format!("setting {setting}: {error}")))
}

/// Reads a key from its file, without the trailing line break that editors add.
fn read(setting: &str, path: &Path) -> Result<SecretString, SettingsError> {
    let refused = |reason: String| SettingsError(format!("setting {setting}: {}: {reason}", path.display()));
    let bytes = regular_file::read_small(path, MAX_KEY_FILE).map_err(|error| refused(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| refused(error.to_string()))?;
    Ok(text.trim_end().into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;
    use crate::settings::Settings;

    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    /// The keys of a settings file with this text, or the error.
    fn keys(text: &str) -> Result<Vec<ApiKey>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        let key_file = folder.path().join("key");
        fs::write(&key_file, "a-key-in-a-file-of-its-own\n").unwrap();
        fs::write(&file, text.replace("KEY_FILE", key_file.to_str().unwrap())).unwrap();
        let settings = Settings::resolve(Some(&file), []).map_err(|error| error.to_string())?;
        settings.access.resolved(None).map(|access| access.keys).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_is_given_in_one_of_three_ways() {
        let text = format!(
            "[access]\napi_key = \"the-key-of-everybody\"\n[[access.keys]]\nname = \"alice\"\nkey = \"alices-secret-key-1\"\n\
             [[access.keys]]\nname = \"bob\"\nkey_file = \"KEY_FILE\"\n[[access.keys]]\nname = \"carol\"\nsha256 = \"{DIGEST}\"\n"
        );
        let expected = [
            ApiKey::new("default", "the-key-of-everybody"),
            ApiKey::new("alice", "alices-secret-key-1"),
            ApiKey::new("bob", "a-key-in-a-file-of-its-own"),
            ApiKey::from_sha256("carol", DIGEST),
        ];
        assert_eq!(keys(&text).unwrap(), expected.map(Result::unwrap));
        assert_eq!(keys("[access]\napi_key_file = \"KEY_FILE\"\n").unwrap().len(), 1);
    }

    #[test]
    fn keys_have_priorities() {
        let written = |priority: &str| {
            keys(&format!(
                "[access]\napi_key = \"the-key-of-everybody\"\n[[access.keys]]\nname = \"alice\"\nkey = \"alices-secret-key-1\"\n{priority}\n\
                 [[access.keys]]\nname = \"bob\"\nkey_file = \"KEY_FILE\"\n{priority}\n"
            ))
        };
        let priorities = |text| written(text).unwrap().iter().map(ApiKey::priority).collect::<Vec<_>>();
        assert_eq!(priorities(""), [Priority::Normal; 3]);
        assert_eq!(priorities("priority = \"high\""), [Priority::Normal, Priority::High, Priority::High]);
        assert_eq!(priorities("priority = \"low\""), [Priority::Normal, Priority::Low, Priority::Low]);
        let refused = written("priority = \"urgent\"").unwrap_err();
        assert!(refused.contains("the key \"alice\" has no priority: \"urgent\"; there are low, normal and high"), "{refused}");
    }

    #[test]
    fn an_invalid_key_is_refused_and_not_printed() {
        for (text, reason) in [
            ("[access]\napi_key = \"hunter2\"\n", "the key \"default\" has 7 characters, which is outside 16..=512"),
            ("[access]\napi_key = 1234567890123456\n", "expected a text in quotes"),
            ("[[access.keys]]\nname = \"a\"\nkey = 1234567890123456\n", "expected a text in quotes"),
            ("[[access.keys]]\nname = \"a\"\nkey = \"hunter2 hunter2 hunter2\"\n", "no visible ASCII"),
            ("[[access.keys]]\nname = \"A\"\nkey = \"hunter2-hunter2-hunter2\"\n", "a key's name has 1..=64 characters"),
            ("[[access.keys]]\nname = \"a\"\n", "wants one of key, key_file and sha256"),
            ("[[access.keys]]\nname = \"a\"\nkey = \"hunter2-hunter2-hunter2\"\nsha256 = \"00\"\n", "wants one of key"),
            ("[[access.keys]]\nname = \"a\"\nsha256 = \"hunter2\"\n", "is not 64 hexadecimal digits"),
            ("[[access.keys]]\nname = \"a\"\nkey_file = \"/nowhere/key\"\n", "setting access.keys: /nowhere/key: "),
            ("[access]\napi_key = \"hunter2-hunter2-hunter2\"\napi_key_file = \"KEY_FILE\"\n", "one of them, not both"),
            ("[access]\nlink_secret = \"hunter2\"\n", "at least 32 characters"),
            ("[access]\nallowed_hosts = [\"https://a.com\"]\n", "is no host"),
            ("[access]\nallowed_origins = [\"a.com\"]\n", "is no origin"),
            ("[access]\nburst = 0\n", "0 is outside 1..=1000000"),
        ] {
            let refused = keys(text).unwrap_err();
            assert!(refused.contains(reason) && refused.contains("access"), "{text}: {refused}");
            assert!(!refused.contains("hunter2") && !refused.contains("1234567890"), "{refused}");
        }
    }

    #[test]
    fn keyless_clients_have_only_explicit_limits() {
        let limits = |settings: AccessSettings| {
            let access = settings.resolved(None).unwrap();
            (access.key_limits, access.keyless_limits)
        };
        assert_eq!(limits(AccessSettings::default()), (KeyLimits::default(), KeyLimits::NONE));
        let set = AccessSettings { requests_per_minute: Some(5), concurrent_requests: Some(0), ..AccessSettings::default() };
        let expected = KeyLimits { requests_per_minute: NonZeroU32::new(5), concurrent_requests: None, ..KeyLimits::default() };
        assert_eq!(limits(set), (expected, expected));
    }
}
