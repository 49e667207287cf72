//! Asking the server: one request, and an answer or a sentence about why there is none.

use std::{error::Error as _, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::ACCEPT};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::{failure::Usage, settings::ClientSettings};

/// How long the server may take to be reached.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may come of an answer that has begun. A stream of events says every 15 seconds that it is alive.
const SILENCE: Duration = Duration::from_secs(60);
/// So much of what a server says is repeated.
const MAX_SAID: usize = 300;

/// The server, and the key that it is shown.
pub(super) struct Client {
    http: reqwest::Client,
    settings: ClientSettings,
}

/// The server has answered, and not with success.
#[derive(Debug, thiserror::Error)]
#[error("{said}")]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    said: String,
}

impl Client {
    pub(super) fn new(settings: &ClientSettings) -> Result<Self> {
        // The environment's proxies are for the world; a server of one's own is nearby, and is named in so many words.
        let http = reqwest::Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).no_proxy().build();
        Ok(Self { http: http.context("no client for requests")?, settings: settings.clone() })
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value> {
        self.json(self.request(Method::DELETE, path)).await
    }

    /// A stream of events, behind the one of this number.
    pub(super) async fn events(&self, path: &str, after: Option<&str>) -> Result<Response> {
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
        answer.map_err(|_| anyhow!("{} does not answer as a framewright server does", self.settings.server))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let said = answer.json().await.ok().and_then(|body: Value| sentence(&body));
        let said = said.unwrap_or_else(|| format!("{} answered with status {status}", self.settings.server));
        let said = if status == StatusCode::UNAUTHORIZED {
            format!("{said} (the setting client.api_key, FRAMEWRIGHT__CLIENT__API_KEY)")
        } else {
            said
        };
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            // A wrong flag: the person's to mend.
            return Err(Usage(said).into());
        }
        Err(Refused { status, said }.into())
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let server = &self.settings.server;
        if error.is_builder() {
            return Usage(format!("{server:?} is no address of a server")).into();
        }
        // The system's own reason stands at the bottom.
        let mut reason = error.source();
        while let Some(deeper) = reason.and_then(|reason| reason.source()) {
            reason = Some(deeper);
        }
        let reason = reason.map_or_else(|| "no answer".to_owned(), ToString::to_string);
        anyhow!("cannot reach {server} (--server, client.server): {reason}")
    }
}

/// What a body says is wrong, in one line.
fn sentence(body: &Value) -> Option<String> {
    let said = match body.get("detail").or_else(|| body.get("error")?.get("message"))? {
        Value::String(said) => said.clone(),
        Value::Array(faults) => {
            let said: Vec<_> = faults.iter().filter_map(|fault| fault.get("msg")?.as_str()).collect();
            said.join("; ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    let mut said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = said.char_indices().nth(MAX_SAID) {
        said.truncate(end);
    }
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::sentence;

    #[test]
    fn what_is_wrong_is_one_line() {
        assert_eq!(sentence(&json!({"detail": "Task not found: a"})).as_deref(), Some("Task not found: a"));
        let faults = json!({"detail": [{"msg": "Input should be\n smaller"}, {"msg": "Field required"}]});
        assert_eq!(sentence(&faults).as_deref(), Some("Input should be smaller; Field required"));
        assert_eq!(sentence(&json!({"error": {"code": "X", "message": "no"}})).as_deref(), Some("no"));
        for nothing in [json!({}), json!([1]), json!({"detail": ""}), json!({"detail": {"a": 1}})] {
            assert_eq!(sentence(&nothing), None, "{nothing}");
        }
        assert_eq!(sentence(&json!({"detail": "x".repeat(1000)})).map(|said| said.len()), Some(300));
    }
}
