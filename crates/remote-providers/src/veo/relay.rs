//! Veo through a relay that speaks OpenAI's video format, as the Tasks API does: `POST /v1/videos` as multipart, `GET /v1/videos/{id}`,
//! `/content`.
//!
//! Deliberate differences to the original client: the image is declared with its real type, the requested size is sent, any status word
//! that means "not yet" is waited for, and `/content` may answer with the video itself, JSON or a redirect. A start has no idempotency
//! token. It must not know Google's own format. Formats: new-api's source, OpenAI's Python client, the Tasks API's original client.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use guarded_http::HeaderMap;
use reqwest::{
    Client, StatusCode,
    multipart::{Form, Part},
};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::{
    NAME, fault, key_header,
    relay_answer::{Job, State, content_address, refusal},
    result_url,
};
use crate::{
    ErrorKind, ImageFormat, InputImage, Pace, Provider, ProviderError, Result, Source, Started, Status, VideoRequest,
    endpoint::{base, below, is_same_origin},
    fields::data_url_bytes,
    http,
};

/// Form fields that the request itself fills.
const OWN_FIELDS: [&str; 5] = ["model", "prompt", "size", "seconds", "input_reference"];
/// The Tasks API's default size.
const SIZE: (u32, u32) = (1920, 1080);
/// Maximum number of unknown status words that are remembered and logged.
const MAX_UNKNOWN: usize = 16;

/// Settings of a relay.
#[derive(Clone, Debug)]
pub struct VeoRelaySettings {
    /// The relay's address: `VEO3_BASE_URL`.
    pub base_url: String,
    /// The path of its videos: `VEO3_ENDPOINT`.
    pub endpoint: String,
    /// The default model: `VEO3_MODEL`.
    pub model: String,
    /// `VEO3_API_KEY`.
    pub key: SecretString,
    /// Whether the request contains the image; otherwise it is uploaded to `/upload-image` first, and the request contains its address:
    /// `VEO3_SKIP_UPLOAD`.
    pub skip_upload: bool,
    /// Timeout of one request.
    pub timeout: Duration,
    /// How to poll for a video.
    pub pace: Pace,
}

impl VeoRelaySettings {
    /// The Tasks API's defaults: kuai's relay, Veo 3.1, a poll every 5 s for at most 600 s.
    pub fn new(key: SecretString) -> Self {
        let interval = Duration::from_secs(5);
        Self {
            base_url: "https://api.kuai.host".to_owned(),
            endpoint: "/v1/videos".to_owned(),
            model: "veo_3_1".to_owned(),
            key,
            skip_upload: true,
            timeout: Duration::from_secs(120),
            pace: Pace { initial_wait: interval, interval, max_interval: interval, deadline: Duration::from_secs(600) },
        }
    }
}

/// A relay that speaks OpenAI's video format.
#[derive(Debug)]
pub struct VeoRelay {
    client: Client,
    base: Url,
    videos: Url,
    /// The header with the key.
    key: HeaderMap,
    secret: SecretString,
    model: String,
    skip_upload: bool,
    pace: Pace,
    /// Unknown status words that were logged.
    unknown: Mutex<Vec<String>>,
}

impl VeoRelay {
    /// Creates it from the settings, without a request.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if the base URL or the key is invalid.
    pub fn new(settings: VeoRelaySettings) -> Result<Self> {
        let base = base(NAME, &settings.base_url)?;
        let path = settings.endpoint.split('/').filter(|segment| !segment.is_empty());
        Ok(Self {
            client: http::client(settings.timeout),
            videos: below(NAME, &base, path).map_err(|_| fault(ErrorKind::Settings, "the endpoint is no path"))?,
            base,
            key: key_header("authorization", "Bearer ", &settings.key)?,
            secret: settings.key,
            model: settings.model,
            skip_upload: settings.skip_upload,
            pace: settings.pace,
            unknown: Mutex::default(),
        })
    }

    /// The request as a form.
    async fn form(&self, model: &str, request: &VideoRequest) -> Result<Form> {
        let (width, height) = request.size.unwrap_or(SIZE);
        let mut form = Form::new()
            .text("model", if model.is_empty() { self.model.clone() } else { model.to_owned() })
            .text("prompt", request.prompt.clone())
            .text("size", format!("{width}x{height}"));
        if !request.options.contains_key("watermark") {
            form = form.text("watermark", "false");
        }
        if let Some(seconds) = request.seconds {
            form = form.text("seconds", seconds.to_string());
        }
        for (name, value) in &request.options {
            form = form.text(name.clone(), option_text(name, value)?);
        }
        Ok(match &request.image {
            None => form,
            Some(image) if self.skip_upload => form.part("input_reference", file(image)?),
            Some(image) => form.text("input_reference", self.upload(image).await?),
        })
    }

    /// Uploads an image; returns its address.
    async fn upload(&self, image: &InputImage) -> Result<String> {
        let request = self.client.post(below(NAME, &self.base, ["upload-image"])?).headers(self.key.clone());
        let answer = http::send(NAME, request.multipart(Form::new().part("file", file(image)?))).await;
        // Whatever the upload's outcome, no video was started.
        let answer = answer.map_err(ProviderError::not_started)?;
        let body = answer.json();
        if !answer.status.is_success() {
            return Err(refusal(&answer, &body, &self.secret).not_started());
        }
        let url = body.get("url").and_then(Value::as_str).filter(|url| !url.is_empty());
        url.map(str::to_owned).ok_or_else(|| fault(ErrorKind::Protocol, "the answer to the image's upload has no url"))
    }

    async fn begin(&self, model: &str, request: &VideoRequest) -> Result<Started> {
        let form = self.form(model, request).await?;
        let answer = http::send(NAME, self.client.post(self.videos.clone()).headers(self.key.clone()).multipart(form)).await?;
        let job = Job::read(&answer, &self.secret)?;
        match (job.state, job.id, job.url) {
            (State::Failed, ..) => Err(job.failure),
            (State::Finished, id, Some(url)) => Ok(Started::Finished(id.unwrap_or_default(), self.source(&url)?)),
            // If it is finished but has no address, the first poll finds the video.
            (_, Some(id), _) => Ok(Started::Pending(id)),
            (_, None, _) => Err(fault(ErrorKind::Protocol, "the answer to the start has no id that can be used").maybe_started()),
        }
    }

    async fn ask(&self, id: &str) -> Result<Status> {
        let answer = http::send(NAME, self.client.get(below(NAME, &self.videos, [id])?).headers(self.key.clone())).await?;
        let job = Job::read(&answer, &self.secret)?;
        match (job.state, job.url) {
            (State::Finished, Some(url)) => self.source(&url).map(Status::Finished),
            (State::Finished, None) => self.content(id).await.map(Status::Finished),
            (State::Failed, _) => Ok(Status::Failed(job.failure)),
            (State::Pending, _) => Ok(Status::Pending(job.progress)),
            (State::Unknown(word), _) => {
                self.note_unknown(&word);
                Ok(Status::Pending(job.progress))
            }
        }
    }

    /// Determines what kind of answer `/content` gives, without reading a video.
    async fn content(&self, id: &str) -> Result<Source> {
        let url = below(NAME, &self.videos, [id, "content"])?;
        let request = self.client.get(url.clone()).headers(self.key.clone());
        let answer = http::send_wanting(NAME, request, |status, media_type| !status.is_success() || is_json(media_type)).await;
        let answer = answer?;
        match answer.status {
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => {
                let location = answer.location.and_then(|location| url.join(&location).ok());
                self.source(location.ok_or_else(|| fault(ErrorKind::Protocol, "/content redirects to no address"))?.as_str())
            }
            StatusCode::OK | StatusCode::PARTIAL_CONTENT if is_json(&answer.media_type) => {
                let found = content_address(&answer);
                self.source(&found.ok_or_else(|| fault(ErrorKind::Protocol, "the JSON of /content has no video_url and no url"))?)
            }
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(Source::Url { url: url.into(), headers: self.key.clone() }),
            // The job is finished, so only the result is missing.
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::GONE => {
                let reason = format!("the video is finished, but /content answers with {}", answer.status.as_u16());
                Err(fault(ErrorKind::Result, reason))
            }
            _ => Err(refusal(&answer, &answer.json(), &self.secret)),
        }
    }

    /// The video at an address from an answer; the key is sent only to the relay's own origin.
    fn source(&self, text: &str) -> Result<Source> {
        if let Some(data) = text.strip_prefix("data:") {
            return data_url_bytes(data).map(Source::Bytes).ok_or_else(|| fault(ErrorKind::Protocol, "the video's data URL is no base64"));
        }
        let is_path = text.starts_with('/') && !text.starts_with("//");
        let url = if is_path { self.base.join(text).ok() } else { None };
        let url = url.map_or_else(|| result_url(text), Ok)?;
        let headers = if is_same_origin(&self.base, &url) { self.key.clone() } else { HeaderMap::new() };
        Ok(Source::Url { url: url.into(), headers })
    }

    /// Logs each unknown status word once.
    fn note_unknown(&self, word: &str) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() < MAX_UNKNOWN && !unknown.iter().any(|known| known == word) {
            let shown: String = word.chars().filter(|c| !c.is_control()).take(64).collect();
            tracing::warn!(provider = NAME, status = shown, "unknown status word; the video counts as pending");
            unknown.push(word.to_owned());
        }
    }
}

#[async_trait]
impl Provider for VeoRelay {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Refuses what the form has no field for and what would change the video: shots, a last frame, a negative prompt, a seed. Frames per
    /// second are ignored: Veo makes 24.
    fn check(&self, _model: &str, request: &VideoRequest) -> Result<()> {
        let invalid = |reason: &str| Err(fault(ErrorKind::InvalidRequest, reason));
        if request.prompt.trim().is_empty() && request.image.is_none() {
            return invalid("prompt: is empty, and there is no image");
        }
        if !request.shots.is_empty() {
            return invalid("shots: a relay makes videos of one prompt");
        }
        if request.last_image.is_some() {
            return invalid("last_image: a relay takes a first frame only");
        }
        if request.negative_prompt.as_ref().is_some_and(|text| !text.trim().is_empty()) {
            return invalid("negative_prompt: a relay has no field for it; describe what the video shows");
        }
        if request.seed.is_some() {
            return invalid("seed: a relay has no field for it; leave it out");
        }
        if request.seconds == Some(0) {
            return invalid("seconds: is 0, must be at least 1");
        }
        if let Some((width, height)) = request.size.filter(|(width, height)| *width == 0 || *height == 0) {
            return invalid(&format!("size: is {width}x{height}, must be at least 1x1"));
        }
        request.options.iter().try_for_each(|(name, value)| option_text(name, value).map(|_| ()))
    }

    fn pace(&self) -> Pace {
        self.pace
    }

    async fn start(&self, model: &str, request: &VideoRequest, _token: &str) -> Result<Started> {
        self.begin(model, request).await
    }

    async fn poll(&self, id: &str) -> Result<Status> {
        self.ask(id).await.map_err(ProviderError::about_job)
    }
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

/// The image as a form part with its real type.
fn file(image: &InputImage) -> Result<Part> {
    let name = match image.format {
        ImageFormat::Png => "image.png",
        ImageFormat::Jpeg => "image.jpg",
    };
    let part = Part::bytes(image.bytes.clone()).file_name(name).mime_str(image.format.media_type());
    part.map_err(|_| fault(ErrorKind::InvalidRequest, "image: cannot be sent"))
}

/// A provider-specific parameter as a form field.
fn option_text(name: &str, value: &Value) -> Result<String> {
    let invalid = |why| fault(ErrorKind::InvalidRequest, format!("options.{name}: {why}"));
    if name.is_empty() || OWN_FIELDS.contains(&name) {
        return Err(invalid("is set by the request's own field of that meaning"));
    }
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(invalid("must be a text, a number, true or false")),
    }
}
