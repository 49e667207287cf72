//! Pika through fal's queue: submit, status, result, cancel.
//!
//! It must not wait or retry. The invariant: the key goes to the configured origin only, even if an answer or a stored id names another.
//! Reference: fal.ai/docs, "Queue", "Model errors" and "Request errors"; fal.ai/models/fal-ai/pika/v2.2.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use guarded_http::HeaderMap;
use reqwest::{Client, RequestBuilder, StatusCode, header::AUTHORIZATION};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{NAME, fal_request::body};
use crate::{
    ErrorKind, InputImage, Pace, Provider, ProviderError, Result, Source, Started, Status, VideoRequest,
    endpoint::{endpoint, same_origin},
    fields::{invalid, is_content_filter, job_id, public, reason},
    http::{Answer, client, secret_header, send, status_error},
};

/// Settings of Pika through fal.
#[derive(Clone, Debug)]
pub struct PikaFalSettings {
    /// The queue's address.
    pub base_url: String,
    /// The key.
    pub key: SecretString,
    /// The default version: "v2.2".
    pub model: String,
    /// How to poll for a video.
    pub pace: Pace,
    /// Timeout of one answer.
    pub timeout: Duration,
}

impl PikaFalSettings {
    /// fal's own address, Pika 2.2, the first poll after 10 s, and a deadline of half an hour.
    pub fn new(key: SecretString) -> Self {
        let pace = Pace {
            initial_wait: Duration::from_secs(10),
            interval: Duration::from_secs(3),
            max_interval: Duration::from_secs(15),
            deadline: Duration::from_secs(1800),
        };
        let base_url = "https://queue.fal.run".to_owned();
        Self { base_url, key, model: "v2.2".to_owned(), pace, timeout: Duration::from_secs(60) }
    }
}

/// Pika through fal's queue. A model's name is a version ("v2.2", "turbo" and the like) or one of fal's own ids
/// ("fal-ai/pika/v2.1/image-to-video").
pub struct PikaFal {
    settings: PikaFalSettings,
    client: Client,
}

/// The addresses of one request as fal named them, stored as its id.
#[derive(Serialize, Deserialize)]
struct Addresses {
    status: String,
    response: String,
    cancel: String,
}

impl fmt::Debug for PikaFal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PikaFal").finish_non_exhaustive()
    }
}

impl PikaFal {
    /// Creates it from the settings, without a request.
    pub fn new(settings: PikaFalSettings) -> Self {
        let client = client(settings.timeout);
        Self { settings, client }
    }

    /// Sends a request with the key, and returns the answer with any status.
    async fn ask(&self, request: RequestBuilder) -> Result<Answer> {
        send(NAME, request.header(AUTHORIZATION, secret_header(NAME, "Key ", &self.settings.key)?)).await
    }

    /// fal's id of the model.
    fn endpoint_id(&self, model: &str, request: &VideoRequest) -> Result<String> {
        let model = if model.is_empty() { &self.settings.model } else { model };
        let is_name = |part: &str| !matches!(part, "" | "." | "..");
        if !model.split('/').all(is_name) {
            return Err(invalid(NAME, format!("the model's name is \"{model}\"; it has to be a version or fal's id of a model")));
        }
        let task = if request.image.is_some() { "image-to-video" } else { "text-to-video" };
        Ok(if model.contains('/') { model.to_owned() } else { format!("fal-ai/pika/{model}/{task}") })
    }

    /// The addresses that the answer names, or the documented ones if it names none of our origin.
    fn addresses(&self, endpoint_id: &str, answer: &Value) -> Result<Addresses> {
        let base = &self.settings.base_url;
        let lost = |why| ProviderError::new(NAME, ErrorKind::Protocol, why).maybe_started();
        let id = answer["request_id"].as_str().ok_or_else(|| lost("the answer to the start has no request_id"))?;
        let address = |key: &str, last: &[&str]| {
            let named = answer[key].as_str().map_or(Ok(None), |named| same_origin(NAME, base, named))?;
            // Requests belong to owner and app; the rest of a model's id is left out.
            let app = endpoint_id.split('/').take(2);
            let segments: Vec<_> = app.chain(["requests", id]).chain(last.iter().copied()).collect();
            named.map_or_else(|| endpoint(NAME, base, &segments), Ok).map(String::from).map_err(ProviderError::maybe_started)
        };
        Ok(Addresses {
            status: address("status_url", &["status"])?,
            response: address("response_url", &[])?,
            cancel: address("cancel_url", &["cancel"])?,
        })
    }

    /// One of the stored addresses. If the base URL has changed since, the key does not go to the old server.
    fn stored(&self, id: &str, which: impl Fn(Addresses) -> String) -> Result<Url> {
        let addresses: Option<Addresses> = serde_json::from_str(id).ok();
        let url = addresses.map_or(Ok(None), |addresses| same_origin(NAME, &self.settings.base_url, &which(addresses)))?;
        url.ok_or_else(|| ProviderError::new(NAME, ErrorKind::Settings, "the job was begun at another base URL"))
    }

    /// Queries a request's status, and its result once it is completed.
    async fn query(&self, id: &str) -> Result<Status> {
        let status = self.client.get(self.stored(id, |addresses| addresses.status)?).query(&[("logs", "false")]);
        let answer = self.ask(status).await?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer));
        }
        let standing = answer.json();
        match standing["status"].as_str().unwrap_or_default() {
            "IN_QUEUE" | "IN_PROGRESS" => return Ok(Status::Pending(None)),
            "COMPLETED" => {}
            word => {
                let reason = format!("the request's status is \"{word}\", which is none of fal's");
                return Ok(Status::Failed(ProviderError::new(NAME, ErrorKind::Protocol, reason)));
            }
        }
        let answer = self.ask(self.client.get(self.stored(id, |addresses| addresses.response)?)).await?;
        self.result(&answer, &public(standing["error"].as_str().unwrap_or_default(), &self.settings.key))
    }

    /// The result of a completed request: the video or the error. `ended` is the error from the status.
    fn result(&self, answer: &Answer, ended: &str) -> Result<Status> {
        let body = answer.json();
        if let Some(error) = validation(&body) {
            return Ok(Status::Failed(error));
        }
        if let Some(error_type) = body["error_type"].as_str() {
            // By then the queue has retried up to ten times; its infrastructure failed, not the request.
            let error =
                ProviderError::new(NAME, ErrorKind::Failed, reason(&body, &self.settings.key)).with_code(error_type).with_retryable(true);
            return Ok(Status::Failed(error));
        }
        if !answer.status.is_success() {
            let error = self.refused(answer);
            // The model's own failure: fetching the result again returns it again.
            return if ended.is_empty() { Err(error) } else { Ok(Status::Failed(failed(ended))) };
        }
        match body["video"]["url"].as_str().filter(|url| !url.is_empty()) {
            Some(url) => Ok(Status::Finished(Source::Url { url: url.to_owned(), headers: HeaderMap::new() })),
            None => Ok(Status::Failed(ProviderError::new(NAME, ErrorKind::Protocol, "the result has no video.url"))),
        }
    }

    /// Maps an answer with an error status.
    fn refused(&self, answer: &Answer) -> ProviderError {
        let body = answer.json();
        if let Some(error) = validation(&body) {
            return error;
        }
        let why = reason(&body, &self.settings.key);
        let mut error = status_error(NAME, answer, &why);
        // "User is locked. Reason: Exhausted balance."
        if answer.status == StatusCode::FORBIDDEN && why.to_ascii_lowercase().contains("balance") {
            error.kind = ErrorKind::Quota;
        }
        error
    }
}

#[async_trait]
impl Provider for PikaFal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self, model: &str, request: &VideoRequest) -> Result<()> {
        self.endpoint_id(model, request)?;
        body(request, InputImage::left_out).map(drop)
    }

    fn check_model(&self, model: &str) -> Result<()> {
        self.endpoint_id(model, &VideoRequest::default()).map(drop)
    }

    fn pace(&self) -> Pace {
        self.settings.pace
    }

    async fn start(&self, model: &str, request: &VideoRequest, _token: &str) -> Result<Started> {
        let endpoint_id = self.endpoint_id(model, request)?;
        let segments: Vec<_> = endpoint_id.split('/').collect();
        let url = endpoint(NAME, &self.settings.base_url, &segments)?;
        let answer = self.ask(self.client.post(url).json(&body(request, InputImage::url)?)).await?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer));
        }
        let addresses = serde_json::to_string(&self.addresses(&endpoint_id, &answer.json())?).unwrap_or_default();
        job_id(NAME, addresses).map(Started::Pending)
    }

    async fn poll(&self, id: &str) -> Result<Status> {
        self.query(id).await.map_err(ProviderError::about_job)
    }

    async fn cancel(&self, id: &str) -> Result<()> {
        let answer = self.ask(self.client.put(self.stored(id, |addresses| addresses.cancel)?)).await?;
        // 400 means that it is already finished, 404 that it no longer exists.
        let is_over = matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND);
        if answer.status.is_success() || is_over { Ok(()) } else { Err(self.refused(&answer)) }
    }
}

/// The error of a request that failed without a list of problems.
fn failed(why: &str) -> ProviderError {
    let kind = if is_content_filter(why) { ErrorKind::ContentFilter } else { ErrorKind::Failed };
    ProviderError::new(NAME, kind, format!("the request failed: {why}"))
}

/// fal's list of problems with a request, which comes with any status.
fn validation(body: &Value) -> Option<ProviderError> {
    let problems = body["detail"].as_array().filter(|problems| !problems.is_empty())?;
    let code = |problem: &Value| problem["type"].as_str().unwrap_or_default().to_owned();
    let is_filter = problems.iter().any(|problem| code(problem) == "content_policy_violation");
    let kind = if is_filter { ErrorKind::ContentFilter } else { ErrorKind::InvalidRequest };
    let lines: Vec<_> = problems.iter().map(problem).collect();
    let error = ProviderError::new(NAME, kind, lines.join("; "));
    Some(match problems.first().map(code).filter(|code| !code.is_empty()) {
        Some(code) => error.with_code(code),
        None => error,
    })
}

/// One problem as a line: "prompt: field required".
fn problem(problem: &Value) -> String {
    let text = problem["msg"].as_str().unwrap_or("invalid");
    let parts = problem["loc"].as_array().map(Vec::as_slice).unwrap_or_default();
    let parts = parts.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).filter(|part| part != "body");
    let place = parts.collect::<Vec<_>>().join(".");
    if place.is_empty() { text.to_owned() } else { format!("{place}: {text}") }
}
