//! Pika's web form as the i2v API uses it: `POST /generate`, then `GET /jobs/{id}`.
//!
//! It must not wait or retry. Reference: pikapikapika.io/docs/web, which describes neither error bodies nor the complete job; so only
//! `job.id`, `videos[0].status` and `videos[0].resultUrl` are relied on.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use guarded_http::HeaderMap;
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::NAME;
use crate::{
    ErrorKind, InputImage, Pace, Provider, ProviderError, Result, Source, Started, Status, VideoRequest,
    endpoint::endpoint,
    fields::{integer, invalid, is_content_filter, job_id, number, only, reason, refuse, text, word},
    http::{Answer, client, send, status_error},
};

/// The supported options.
const OPTIONS: [&str; 7] = ["motion", "guidanceScale", "negativePrompt", "seed", "frameRate", "aspectRatio", "camera"];
const ASPECT_RATIOS: [&str; 6] = ["16:9", "9:16", "1:1", "5:2", "4:5", "4:3"];
/// The i2v API's frameRate, motion and guidanceScale.
const FRAME_RATE: u32 = 24;
const MOTION: u32 = 2;
const GUIDANCE_SCALE: u32 = 16;

/// Settings of Pika's web form.
#[derive(Clone, Debug)]
pub struct PikaWebSettings {
    /// The API's address.
    pub base_url: String,
    /// The key.
    pub key: SecretString,
    /// The default model.
    pub model: String,
    /// How to poll for a video.
    pub pace: Pace,
    /// Timeout of one answer.
    pub timeout: Duration,
}

impl PikaWebSettings {
    /// The i2v API's defaults: the first poll after 300 s, then one every 10 s for 420 s.
    pub fn new(key: SecretString) -> Self {
        let interval = Duration::from_secs(10);
        let pace = Pace { initial_wait: Duration::from_secs(300), interval, max_interval: interval, deadline: Duration::from_secs(420) };
        let base_url = "https://api.pikapikapika.io/web".to_owned();
        Self { base_url, key, model: "1.5".to_owned(), pace, timeout: Duration::from_secs(60) }
    }
}

/// Pika's web form.
pub struct PikaWeb {
    settings: PikaWebSettings,
    client: Client,
}

impl fmt::Debug for PikaWeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PikaWeb").finish_non_exhaustive()
    }
}

impl PikaWeb {
    /// Creates it from the settings, without a request.
    pub fn new(settings: PikaWebSettings) -> Self {
        let client = client(settings.timeout);
        Self { settings, client }
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Answer> {
        let answer = send(NAME, request.bearer_auth(self.settings.key.expose_secret())).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refused(&answer)) }
    }

    /// The status of a job's video. Besides the words that the i2v API knows, accepts those of other services with the same form.
    fn status(&self, video: &Value) -> Status {
        let word = video["status"].as_str().unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            "finished" | "completed" | "succeeded" | "success" | "done" => {
                match video["resultUrl"].as_str().filter(|url| !url.is_empty()) {
                    Some(url) => Status::Finished(Source::Url { url: url.to_owned(), headers: HeaderMap::new() }),
                    None => {
                        Status::Failed(ProviderError::new(NAME, ErrorKind::Protocol, format!("the job is \"{word}\" but has no resultUrl")))
                    }
                }
            }
            "queued" | "pending" | "submitted" | "starting" | "started" | "processing" | "in_progress" | "running" | "generating" => {
                Status::Pending(None)
            }
            "" => Status::Failed(ProviderError::new(NAME, ErrorKind::Protocol, "the job's video has no status")),
            _ => Status::Failed(failed(word, &reason(video, &self.settings.key))),
        }
    }

    /// Maps an answer with an error status.
    fn refused(&self, answer: &Answer) -> ProviderError {
        let why = reason(&answer.json(), &self.settings.key);
        let mut error = status_error(NAME, answer, &why);
        let is_refusal = matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY);
        if is_refusal && is_content_filter(&why) {
            error.kind = ErrorKind::ContentFilter;
        }
        error
    }
}

#[async_trait]
impl Provider for PikaWeb {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self, model: &str, request: &VideoRequest) -> Result<()> {
        body(if model.is_empty() { &self.settings.model } else { model }, request, InputImage::left_out).map(drop)
    }

    fn pace(&self) -> Pace {
        self.settings.pace
    }

    async fn start(&self, model: &str, request: &VideoRequest, _token: &str) -> Result<Started> {
        let body = body(if model.is_empty() { &self.settings.model } else { model }, request, InputImage::url)?;
        let url = endpoint(NAME, &self.settings.base_url, &["generate"])?;
        let answer = self.ask(self.client.post(url).json(&body)).await?;
        let answer = answer.json();
        let id = match &answer["job"]["id"] {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
        };
        let why = reason(&answer, &self.settings.key);
        if id.trim().is_empty() && !why.is_empty() {
            // An error with a success status.
            let kind = if is_content_filter(&why) { ErrorKind::ContentFilter } else { ErrorKind::Failed };
            return Err(ProviderError::new(NAME, kind, why));
        }
        job_id(NAME, id).map(Started::Pending)
    }

    async fn poll(&self, id: &str) -> Result<Status> {
        let url = endpoint(NAME, &self.settings.base_url, &["jobs", id])?;
        let answer = self.ask(self.client.get(url)).await.map_err(ProviderError::about_job)?.json();
        if !answer.is_object() {
            return Err(ProviderError::new(NAME, ErrorKind::Protocol, "the job is no JSON object"));
        }
        // A job has no videos until it is processed.
        Ok(answer["videos"].get(0).map_or(Status::Pending(None), |video| self.status(video)))
    }
}

/// The body of a start; `url` turns the image into an address.
fn body(model: &str, request: &VideoRequest, url: fn(&InputImage) -> String) -> Result<Value> {
    refuse(
        NAME,
        &[
            ("last_image", request.last_image.is_some()),
            ("shots", !request.shots.is_empty()),
            ("seconds", request.seconds.is_some()),
            ("size (set options.aspectRatio)", request.size.is_some()),
        ],
    )?;
    if request.prompt.trim().is_empty() && request.image.is_none() {
        return Err(invalid(NAME, "prompt is empty and there is no image; give at least one of them"));
    }
    let mut body = json!({"promptText": request.prompt, "model": model, "options": options(request)?});
    if let Some(image) = &request.image {
        body["image"] = url(image).into();
    }
    Ok(body)
}

/// `options` of a start. The provider's own names take precedence over the common fields.
fn options(request: &VideoRequest) -> Result<Value> {
    let given = &request.options;
    only(NAME, given, &OPTIONS)?;
    let or = |key: &str, other: Option<Value>| given.get(key).cloned().or(other);

    let mut parameters = Map::new();
    let motion = or("motion", None).unwrap_or(MOTION.into());
    parameters.insert("motion".to_owned(), integer(NAME, "options.motion", &motion, 1, 4)?.into());
    let scale = or("guidanceScale", None).unwrap_or(GUIDANCE_SCALE.into());
    parameters.insert("guidanceScale".to_owned(), number(NAME, "options.guidanceScale", &scale, 5.0, 25.0)?);
    if let Some(negative) = or("negativePrompt", request.negative_prompt.clone().map(Value::from)) {
        parameters.insert("negativePrompt".to_owned(), text(NAME, "options.negativePrompt", &negative)?);
    }
    if let Some(seed) = or("seed", request.seed.map(Value::from)) {
        parameters.insert("seed".to_owned(), integer(NAME, "options.seed", &seed, 0, u64::MAX)?.into());
    }

    let rate = or("frameRate", request.fps.map(Value::from)).unwrap_or(FRAME_RATE.into());
    let mut options = json!({"frameRate": integer(NAME, "options.frameRate (fps)", &rate, 1, 24)?, "parameters": parameters});
    if let Some(ratio) = given.get("aspectRatio") {
        options["aspectRatio"] = word(NAME, "options.aspectRatio", ratio, &ASPECT_RATIOS)?;
    }
    if let Some(camera) = given.get("camera") {
        options["camera"] = camera.clone();
    }
    Ok(options)
}

fn failed(word: &str, why: &str) -> ProviderError {
    let is_filter = is_content_filter(word) || is_content_filter(why);
    let kind = if is_filter { ErrorKind::ContentFilter } else { ErrorKind::Failed };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    ProviderError::new(NAME, kind, format!("the job ended with status \"{word}\"{why}"))
}
