//! Replicate's predictions: create, get, cancel, and the prediction object.
//!
//! It must not wait or retry. Reference: replicate.com/docs/reference/http and /docs/topics/predictions/lifecycle.

use std::{fmt, time::Duration};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::NAME;
use crate::{
    ErrorKind, ProviderError, Result,
    endpoint::{endpoint, same_origin},
    fields::{invalid, is_content_filter, job_id, public, reason},
    http::{client, send, status_error},
};

/// The model to run: a version, or the current version of an official model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ModelName<'a> {
    /// A version's id.
    Version(&'a str),
    /// Owner and name.
    Official(&'a str, &'a str),
}

impl<'a> ModelName<'a> {
    /// Parses "owner/name", "owner/name:version" or a version.
    pub(crate) fn read(text: &'a str) -> Result<Self> {
        let is_word = |word: &str| {
            !matches!(word, "" | "." | "..") && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let is_version = |word: &str| (32..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (model, version) = text.split_once(':').map_or((text, None), |(model, version)| (model, Some(version)));
        match (model.split_once('/'), version) {
            (Some((owner, name)), Some(version)) if is_word(owner) && is_word(name) && is_word(version) => Ok(Self::Version(version)),
            (Some((owner, name)), None) if is_word(owner) && is_word(name) => Ok(Self::Official(owner, name)),
            (None, None) if is_version(text) => Ok(Self::Version(text)),
            (_, _) => Err(invalid(
                NAME,
                format!(
                    "the model's name is \"{text}\"; it has to be owner/name, owner/name:version or a version of 32 to 64 hexadecimal digits"
                ),
            )),
        }
    }
}

/// Client of the predictions API.
pub(crate) struct Predictions {
    base_url: String,
    token: SecretString,
    client: Client,
}

impl fmt::Debug for Predictions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictions").finish_non_exhaustive()
    }
}

impl Predictions {
    pub(crate) fn new(base_url: String, token: SecretString, timeout: Duration) -> Self {
        Self { base_url, token, client: client(timeout) }
    }

    /// Creates a prediction. With `wait`, the provider holds the answer until the output is ready, for up to a minute.
    pub(crate) async fn create(&self, model: &ModelName<'_>, input: Map<String, Value>, wait: bool) -> Result<Prediction> {
        let (segments, body) = match model {
            ModelName::Version(version) => (vec!["v1", "predictions"], json!({"version": version, "input": input})),
            ModelName::Official(owner, name) => (vec!["v1", "models", owner, name, "predictions"], json!({"input": input})),
        };
        let request = self.request(Method::POST, &segments)?.json(&body);
        let request = if wait { request.header("prefer", "wait") } else { request };
        let prediction = self.ask(request).await?;
        job_id(NAME, prediction.id()).map(|_| prediction)
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Prediction> {
        self.ask(self.request(Method::GET, &["v1", "predictions", id])?).await.map_err(ProviderError::about_job)
    }

    pub(crate) async fn cancel(&self, id: &str) -> Result<()> {
        self.ask(self.request(Method::POST, &["v1", "predictions", id, "cancel"])?).await.map(drop)
    }

    /// The key, if this address is on the API's own origin: uploaded files are, results are not.
    pub(crate) fn key_for(&self, address: &str) -> Result<Option<&SecretString>> {
        Ok(same_origin(NAME, &self.base_url, address)?.map(|_: Url| &self.token))
    }

    /// The error of a prediction without output.
    pub(crate) fn failure(&self, prediction: &Prediction) -> ProviderError {
        let word = prediction.word();
        let why = prediction.0["error"].as_str().map(|text| public(text, &self.token)).filter(|text| !text.is_empty());
        let kind = match word {
            "failed" if why.as_deref().is_some_and(is_content_filter) => ErrorKind::ContentFilter,
            _ => ErrorKind::Failed,
        };
        let reason = match (word, why) {
            ("failed", Some(why)) => format!("the prediction failed: {why}"),
            ("failed", None) => "the prediction failed without a reason".to_owned(),
            (word, _) => format!("the prediction was {word} at the provider"),
        };
        // "Prediction interrupted; please retry (code: PA)" means that a machine was lost.
        let is_interrupted = kind == ErrorKind::Failed && reason.to_ascii_lowercase().contains("interrupted");
        let error = ProviderError::new(NAME, kind, reason);
        if is_interrupted { error.with_retryable(true) } else { error }
    }

    fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder> {
        let url = endpoint(NAME, &self.base_url, segments)?;
        Ok(self.client.request(method, url).bearer_auth(self.token.expose_secret()))
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Prediction> {
        let answer = send(NAME, request).await?;
        let body = answer.json();
        if answer.status.is_success() {
            // A start with such an answer may have begun.
            let no_object = || ProviderError::new(NAME, ErrorKind::Protocol, "the answer is no JSON object").maybe_started();
            return if body.is_object() { Ok(Prediction(body)) } else { Err(no_object()) };
        }
        let why = reason(&json!({"error": body["detail"], "title": body["title"]}), &self.token);
        let mut error = status_error(NAME, &answer, &why);
        // A nonexistent version is reported as an invalid request.
        let title = body["title"].as_str().unwrap_or_default();
        if answer.status == StatusCode::UNPROCESSABLE_ENTITY && title.to_ascii_lowercase().contains("version") {
            error.kind = ErrorKind::NotFound;
        } else if answer.status.is_client_error() && is_content_filter(&why) {
            error.kind = ErrorKind::ContentFilter;
        }
        if error.retry_after.is_none() && answer.status == StatusCode::TOO_MANY_REQUESTS {
            error = error.retry_after(body["retry_after"].as_u64().map(Duration::from_secs));
        }
        Err(error)
    }
}

/// A prediction object.
#[derive(Debug)]
pub(crate) struct Prediction(Value);

impl Prediction {
    pub(crate) fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or_default()
    }

    /// The status: starting, processing, succeeded, failed, canceled or aborted.
    pub(crate) fn word(&self) -> &str {
        self.0["status"].as_str().unwrap_or_default()
    }

    /// The error for an unknown status.
    pub(crate) fn unknown_word(&self) -> ProviderError {
        let reason = format!("the prediction's status is \"{}\", which is none of Replicate's", self.word());
        ProviderError::new(NAME, ErrorKind::Protocol, reason)
    }

    /// The output; null until there is one. With `wait`, the answer may contain it and still say "processing".
    pub(crate) fn output(&self) -> &Value {
        &self.0["output"]
    }

    /// Whether the output has been deleted: Replicate keeps API outputs for an hour.
    pub(crate) fn is_removed(&self) -> bool {
        self.0["data_removed"] == true
    }

    /// The percentage of the last progress bar in the logs, in tqdm's format: `42%|████  | 21/50 [00:10<00:14]`.
    pub(crate) fn percent(&self) -> Option<u32> {
        let logs = self.0["logs"].as_str()?;
        logs.rsplit(['\n', '\r']).find_map(|line| {
            let before = line.split_once("%|")?.0;
            let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok().filter(|percent| *percent <= 100)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ModelName, Prediction};

    #[test]
    fn model_names_are_parsed() {
        let version = "3f0457e4619daac51203dedb472816fd4af51f3149fa7a9e0b5ffcf1b8172438";
        assert_eq!(ModelName::read("minimax/video-01").ok(), Some(ModelName::Official("minimax", "video-01")));
        assert_eq!(ModelName::read(&format!("a/b:{version}")).ok(), Some(ModelName::Version(version)));
        assert_eq!(ModelName::read(version).ok(), Some(ModelName::Version(version)));
        for wrong in ["", "video-01", "a/b/c", "a/..", "a/b:", "/b", "a/b?x", "a/b:c:d", "a/b:../c", "a/%2e", &version[..31]] {
            assert!(ModelName::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn progress_is_that_of_the_last_bar() {
        let percent = |logs| Prediction(json!({"logs": logs})).percent();
        assert_eq!(percent("seed: 1\n  0%|          | 0/25\n 40%|████      | 10/25 [00:04<00:06]\rdone"), Some(40));
        assert_eq!(percent("Frames: 100%|██████████| 25/25"), Some(100));
        assert_eq!(percent("guidance 7% | more\n%| x\n900%| y"), None);
        assert_eq!(Prediction(json!({"logs": null})).percent(), None);
    }
}
