//! The HTTP client: one request, and an answer or a sentence about the failure.

use std::{error::Error as _, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::ACCEPT};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::{failure::Usage, settings::ClientSettings};

/// Connect timeout.
const CONNECT: Duration = Duration::from_secs(10);
/// Read timeout between chunks. An event stream sends a keep-alive every 15 seconds.
const SILENCE: Duration = Duration::from_secs(60);
/// At most this many characters of a server's error message are shown.
const MAX_SAID: usize = 300;

/// The server's address, and the API key for it.
pub(crate) struct Client {
    http: reqwest::Client,
    settings: ClientSettings,
}

/// The server answered with an error status.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    message: String,
}

impl Client {
    pub(crate) fn new(settings: &ClientSettings) -> Result<Self> {
        // The environment's proxies are meant for the internet; the user's own server is nearby and named explicitly.
        let http = reqwest::Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).no_proxy().build();
        Ok(Self { http: http.context("no client for requests")?, settings: settings.clone() })
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        self.json(self.request(Method::DELETE, path)).await
    }

    /// Opens an event stream, after the event with this number.
    pub(crate) async fn events(&self, path: &str, after: Option<&str>) -> Result<Response> {
        let mut request = self.request(Method::GET, path).header(ACCEPT, "text/event-stream");
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after);
        }
        self.send(request).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.settings.server));
        match &self.settings.api_key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        }
    }

    async fn json(&self, request: RequestBuilder) -> Result<Value> {
        let answer = self.send(request).await?.json().await;
        answer.map_err(|_| self.not_understood())
    }

    /// The error for an answer that is none of this API.
    pub(crate) fn not_understood(&self) -> anyhow::Error {
        anyhow!("{} does not answer as a framewright server does", self.settings.server)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let message = answer.json().await.ok().and_then(|body: Value| sentence(&body));
        let message = message.unwrap_or_else(|| format!("{} answered with status {status}", self.settings.server));
        let message = if status == StatusCode::UNAUTHORIZED {
            format!("{message} (the setting client.api_key, FRAMEWRIGHT__CLIENT__API_KEY)")
        } else {
            message
        };
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            // A wrong flag, which the user must fix.
            return Err(Usage(message).into());
        }
        Err(Refused { status, message }.into())
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let server = &self.settings.server;
        if error.is_builder() {
            return Usage(format!("{server:?} is no address of a server")).into();
        }
        // The operating system's own reason is the innermost source.
        let mut reason = error.source();
        while let Some(deeper) = reason.and_then(|reason| reason.source()) {
            reason = Some(deeper);
        }
        let reason = reason.map_or_else(|| "no answer".to_owned(), ToString::to_string);
        anyhow!("cannot reach {server} (--server, client.server): {reason}")
    }
}

/// A string field of an object; empty if it is missing. Control characters, which a terminal would interpret, are removed.
pub(crate) fn text(object: &Value, key: &str) -> String {
    let text = object.get(key).and_then(Value::as_str).unwrap_or_default();
    text.chars().filter(|character| !character.is_control()).collect()
}

/// The error message of a body, in one line.
fn sentence(body: &Value) -> Option<String> {
    let message = match body.get("detail").or_else(|| body.get("error")?.get("message"))? {
        Value::String(message) => message.clone(),
        Value::Array(faults) => {
            let message: Vec<_> = faults.iter().filter_map(|fault| fault.get("msg")?.as_str()).collect();
            message.join("; ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    let mut message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = message.char_indices().nth(MAX_SAID) {
        message.truncate(end);
    }
    (!message.is_empty()).then_some(message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::sentence;

    #[test]
    fn an_error_message_is_one_line() {
        assert_eq!(sentence(&json!({"detail": "Task not found: a"})).as_deref(), Some("Task not found: a"));
        let faults = json!({"detail": [{"msg": "Input should be\n smaller"}, {"msg": "Field required"}]});
        assert_eq!(sentence(&faults).as_deref(), Some("Input should be smaller; Field required"));
        assert_eq!(sentence(&json!({"error": {"code": "X", "message": "no"}})).as_deref(), Some("no"));
        for nothing in [json!({}), json!([1]), json!({"detail": ""}), json!({"detail": {"a": 1}})] {
            assert_eq!(sentence(&nothing), None, "{nothing}");
        }
        assert_eq!(sentence(&json!({"detail": "x".repeat(1000)})).map(|message| message.len()), Some(300));
    }
}
