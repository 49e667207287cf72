//! Hugging Face inference as the characters API uses it: one request, whose answer is the video.
//!
//! It must not wait or retry. The form is the characters API's: the file `inputs` and the text `parameters`; it has no field for the
//! prompt, because Stable Video Diffusion takes none.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Client, StatusCode,
    header::{ACCEPT, HeaderValue},
    multipart::{Form, Part},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use crate::{
    ErrorKind, ImageFormat, Pace, Provider, ProviderError, Result, Source, Started, Status, VideoRequest,
    endpoint::endpoint,
    fields::{integer, invalid, is_content_filter, reason, refuse},
    http::{Answer, client, send, status_error},
};

const NAME: &str = "huggingface";

/// The characters API's frames per second, maximum number of frames, and default length.
const FRAMES_PER_SECOND: u32 = 8;
const MAX_FRAMES: u32 = 25;
const SECONDS: u32 = 5;

/// The longest retry delay that is accepted from an answer.
const MAX_WAIT: Duration = Duration::from_secs(600);
/// The characters API's retry delay if the answer gives none.
const WAIT: Duration = Duration::from_secs(20);

/// Settings of Hugging Face inference.
#[derive(Clone, Debug)]
pub struct HuggingFaceSettings {
    /// The API's address, without "/models".
    pub base_url: String,
    /// The token.
    pub token: SecretString,
    /// The default model.
    pub model: String,
    /// Timeout of the answer, which is the video.
    pub timeout: Duration,
    /// Minimum retry delay, if the answer gives none or there is no answer.
    pub wait: Duration,
}

impl HuggingFaceSettings {
    /// The characters API's defaults.
    pub fn new(token: SecretString) -> Self {
        Self {
            base_url: "https://api-inference.huggingface.co".to_owned(),
            token,
            model: "stabilityai/stable-video-diffusion-img2vid-xt".to_owned(),
            timeout: Duration::from_secs(300),
            wait: WAIT,
        }
    }
}

/// Hugging Face inference. A model's name is its id on the hub: "owner/name".
pub struct HuggingFace {
    settings: HuggingFaceSettings,
    client: Client,
}

impl fmt::Debug for HuggingFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HuggingFace").finish_non_exhaustive()
    }
}

impl HuggingFace {
    /// Creates it from the settings, without a request.
    pub fn new(settings: HuggingFaceSettings) -> Self {
        let client = client(settings.timeout);
        Self { settings, client }
    }

    fn model<'a>(&'a self, model: &'a str) -> Result<Vec<&'a str>> {
        let model = if model.is_empty() { &self.settings.model } else { model };
        let parts: Vec<_> = model.split('/').collect();
        let is_id = parts.len() <= 2 && parts.iter().all(|part| !matches!(*part, "" | "." | ".."));
        if is_id { Ok(parts) } else { Err(invalid(NAME, format!("the model's name is \"{model}\"; it has to be the hub's owner/name"))) }
    }

    /// The error of an answer whose status is not 200. Only a loading model and a rate limit are worth a retry.
    fn refused(&self, answer: &Answer) -> ProviderError {
        let body = answer.json();
        let why = reason(&body, &self.settings.token);
        // A video that the answer does not deliver is not kept anywhere.
        let mut error = status_error(NAME, answer, &why).not_started();
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            let estimated = body["estimated_time"].as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let asked = estimated.map(|time| time.min(MAX_WAIT)).or(error.retry_after);
            return error.retry_after(asked.or(Some(self.settings.wait)));
        }
        if error.kind == ErrorKind::RateLimited {
            let asked = error.retry_after;
            return error.retry_after(asked.or(Some(self.settings.wait)));
        }
        if answer.status.is_client_error() && is_content_filter(&why) {
            error.kind = ErrorKind::ContentFilter;
        }
        error.with_retryable(false)
    }
}

#[async_trait]
impl Provider for HuggingFace {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self, model: &str, request: &VideoRequest) -> Result<()> {
        self.model(model)?;
        if request.image.is_none() {
            return Err(invalid(NAME, "image is missing; this model animates one"));
        }
        parameters(request).map(drop)
    }

    fn check_model(&self, model: &str) -> Result<()> {
        self.model(model).map(drop)
    }

    /// There is no polling.
    fn pace(&self) -> Pace {
        let interval = Duration::from_secs(1);
        Pace { initial_wait: Duration::ZERO, interval, max_interval: interval, deadline: self.settings.timeout }
    }

    async fn start(&self, model: &str, request: &VideoRequest, _token: &str) -> Result<Started> {
        let mut segments = vec!["models"];
        segments.extend(self.model(model)?);
        let url = endpoint(NAME, &self.settings.base_url, &segments)?;
        let image = request.image.as_ref().ok_or_else(|| invalid(NAME, "image is missing; this model animates one"))?;
        let name = match image.format {
            ImageFormat::Png => "character.png",
            ImageFormat::Jpeg => "character.jpg",
        };
        let file = Part::bytes(image.bytes.clone()).file_name(name).mime_str(image.format.media_type());
        let file = file.map_err(|_| invalid(NAME, "the image's media type is malformed"))?;
        let form = Form::new().part("inputs", file).text("parameters", Value::Object(parameters(request)?).to_string());
        let asked = self.client.post(url).bearer_auth(self.settings.token.expose_secret());
        let answer = send(NAME, asked.header(ACCEPT, HeaderValue::from_static("video/mp4")).multipart(form)).await;
        // A video whose answer is cut off is lost and not stored at the provider: a retry makes a new one.
        let answer = answer.map_err(|error| error.not_started().retry_after(Some(self.settings.wait)))?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(&answer));
        }
        let is_file = answer.media_type.starts_with("video/") || answer.media_type == "application/octet-stream";
        if is_file && is_video(&answer.bytes) {
            return Ok(Started::Finished(String::new(), Source::Bytes(answer.bytes)));
        }
        let why = reason(&answer.json(), &self.settings.token);
        Err(match (is_file, why.is_empty()) {
            (_, false) if is_content_filter(&why) => ProviderError::new(NAME, ErrorKind::ContentFilter, why),
            (_, false) => ProviderError::new(NAME, ErrorKind::Failed, why),
            (true, true) => ProviderError::new(NAME, ErrorKind::Result, format!("the answer's {} bytes are no video", answer.bytes.len())),
            (false, true) => {
                let reason = format!("the answer's type is \"{}\", not video/*", answer.media_type);
                ProviderError::new(NAME, ErrorKind::Protocol, reason)
            }
        })
    }

    async fn poll(&self, _id: &str) -> Result<Status> {
        Err(ProviderError::new(NAME, ErrorKind::NotFound, "this API keeps no jobs; its answer is the video"))
    }
}

/// The model's parameters: the supported common fields, overridden by the options under the model's own names.
fn parameters(request: &VideoRequest) -> Result<Map<String, Value>> {
    let fields = [
        ("last_image", request.last_image.is_some()),
        ("shots", !request.shots.is_empty()),
        ("size", request.size.is_some()),
        ("fps", request.fps.is_some()),
    ];
    refuse(NAME, &fields)?;
    let seconds = request.seconds.unwrap_or(SECONDS);
    if seconds == 0 {
        return Err(invalid(NAME, "seconds is 0; it has to be at least 1"));
    }
    let frames = seconds.saturating_mul(FRAMES_PER_SECOND).min(MAX_FRAMES).into();
    let frames = integer(NAME, "options.num_frames", request.options.get("num_frames").unwrap_or(&frames), 1, MAX_FRAMES.into())?;
    let mut parameters = request.options.clone();
    parameters.insert("num_frames".to_owned(), frames.into());
    if let Some(seed) = request.seed {
        parameters.entry("seed").or_insert_with(|| seed.into());
    }
    Ok(parameters)
}

/// Whether a file starts like MP4 and related formats, WebM and related formats, or AVI.
fn is_video(bytes: &[u8]) -> bool {
    let has = |at: usize, magic: &[u8]| bytes.get(at..at + magic.len()) == Some(magic);
    has(4, b"ftyp") || has(0, &[0x1a, 0x45, 0xdf, 0xa3]) || (has(0, b"RIFF") && has(8, b"AVI "))
}
