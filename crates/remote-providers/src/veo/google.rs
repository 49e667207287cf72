//! Veo at Google: `:predictLongRunning` of the Gemini developer API, or of Vertex AI.
//!
//! Neither has an idempotency token. The invariant: the key or token goes only to the operator's base URL and to Google's own hosts. It
//! must not know the relays' format. Sources: google-genai 2.34 (developer API) and 3.6 (Vertex AI).

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use guarded_http::HeaderMap;
use reqwest::{Client, RequestBuilder};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::{
    NAME, fault,
    google_answer::{Operation, is_operation, operation, operation_name},
    google_request::{GoogleApi, body},
    key_header, result_url,
};
use crate::{
    ErrorKind, InputImage, Pace, Provider, ProviderError, Result, Source, Started, Status, VideoRequest,
    endpoint::{base, below, is_same_origin},
    http,
};

/// The domain of Google's own hosts.
const GOOGLE: &str = ".googleapis.com";

/// Settings of Veo at Google.
#[derive(Clone, Debug)]
pub struct VeoGoogleSettings {
    /// The API and its credentials.
    pub access: GoogleAccess,
    /// The default model.
    pub model: String,
    /// Timeout of one request.
    pub timeout: Duration,
    /// How to poll for a video.
    pub pace: Pace,
}

/// One of Google's two APIs, with its credentials.
#[derive(Clone, Debug)]
pub enum GoogleAccess {
    /// The Gemini developer API.
    Developer {
        /// `https://generativelanguage.googleapis.com`.
        base_url: String,
        /// The API key.
        key: SecretString,
    },
    /// Vertex AI.
    Vertex {
        /// `None` means the location's own: `https://us-central1-aiplatform.googleapis.com`.
        base_url: Option<String>,
        /// The address of Cloud Storage: `https://storage.googleapis.com`.
        storage_url: String,
        /// The project's id.
        project: String,
        /// The location: "us-central1", or "global".
        location: String,
        /// An OAuth access token. Google's expire after an hour; with a new token, the caller creates a new provider.
        token: SecretString,
        /// The Cloud Storage folder for videos: `gs://bucket/folder/`. Without it, the answer contains them.
        storage_uri: Option<String>,
    },
}

impl VeoGoogleSettings {
    /// The Gemini developer API at its usual address, Veo 3.1, and a poll every 10 s for at most 600 s, as in Google's examples.
    pub fn developer(key: SecretString) -> Self {
        Self::new(
            GoogleAccess::Developer { base_url: "https://generativelanguage.googleapis.com".to_owned(), key },
            "veo-3.1-generate-preview",
        )
    }

    /// Vertex AI at its usual addresses, Veo 3.1, and the same pace.
    pub fn vertex(project: impl Into<String>, location: impl Into<String>, token: SecretString) -> Self {
        let access = GoogleAccess::Vertex {
            base_url: None,
            storage_url: "https://storage.googleapis.com".to_owned(),
            project: project.into(),
            location: location.into(),
            token,
            storage_uri: None,
        };
        Self::new(access, "veo-3.1-generate-001")
    }

    fn new(access: GoogleAccess, model: &str) -> Self {
        let interval = Duration::from_secs(10);
        let pace = Pace { initial_wait: interval, interval, max_interval: interval, deadline: Duration::from_secs(600) };
        Self { access, model: model.to_owned(), timeout: Duration::from_secs(120), pace }
    }
}

/// Veo at Google.
#[derive(Debug)]
pub struct VeoGoogle {
    client: Client,
    base: Url,
    /// The header with the key or token.
    headers: HeaderMap,
    secret: SecretString,
    vertex: Option<Vertex>,
    model: String,
    pace: Pace,
}

#[derive(Debug)]
struct Vertex {
    /// `projects/../locations/..`.
    parent: String,
    storage: Url,
    storage_uri: Option<String>,
}

impl VeoGoogle {
    /// Creates it from the settings, without a request.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if an address, a name or the key is invalid.
    pub fn new(settings: VeoGoogleSettings) -> Result<Self> {
        let (base_url, headers, secret, vertex) = match settings.access {
            GoogleAccess::Developer { base_url, key } => (base(NAME, &base_url)?, key_header("x-goog-api-key", "", &key)?, key, None),
            GoogleAccess::Vertex { base_url, storage_url, project, location, token, storage_uri } => {
                if ![&project, &location].into_iter().all(|name| is_name(name)) {
                    return Err(fault(
                        ErrorKind::Settings,
                        "the project and the location must be names such as my-project and us-central1",
                    ));
                }
                if storage_uri.as_ref().is_some_and(|uri| !uri.starts_with("gs://")) {
                    return Err(fault(ErrorKind::Settings, "the storage URI must start with gs://"));
                }
                let own = if location == "global" { String::new() } else { format!("{location}-") };
                let base_url = base(NAME, &base_url.unwrap_or_else(|| format!("https://{own}aiplatform{GOOGLE}")))?;
                let parent = format!("projects/{project}/locations/{location}");
                let vertex = Vertex { parent, storage: base(NAME, &storage_url)?, storage_uri };
                (base_url, key_header("authorization", "Bearer ", &token)?, token, Some(vertex))
            }
        };
        Ok(Self {
            client: http::client(settings.timeout),
            base: base_url,
            headers,
            secret,
            vertex,
            model: settings.model,
            pace: settings.pace,
        })
    }

    fn door(&self) -> GoogleApi {
        if self.vertex.is_some() { GoogleApi::Vertex } else { GoogleApi::Developer }
    }

    fn body(&self, request: &VideoRequest, encode: fn(&InputImage) -> String) -> Result<Value> {
        body(request, self.door(), self.vertex.as_ref().and_then(|vertex| vertex.storage_uri.as_deref()), encode)
    }

    /// The model's path: `models/veo`, or on Vertex `projects/../locations/../publishers/google/models/veo`.
    fn model_path(&self, model: &str) -> Result<String> {
        let model = if model.is_empty() { &self.model } else { model };
        let model = model.strip_prefix("models/").unwrap_or(model);
        if !is_name(model) {
            return Err(fault(ErrorKind::InvalidRequest, "model: must be a name such as veo-3.1-generate-preview"));
        }
        Ok(match &self.vertex {
            Some(vertex) => format!("{}/publishers/google/models/{model}", vertex.parent),
            None => format!("models/{model}"),
        })
    }

    /// The address of a resource path.
    fn resource(&self, path: &str) -> Result<Url> {
        let version = if self.vertex.is_some() { "v1beta1" } else { "v1beta" };
        below(NAME, &self.base, [version].into_iter().chain(path.split('/')))
    }

    /// The status request of an operation.
    fn status_request(&self, name: &str) -> Result<RequestBuilder> {
        if !is_operation(name) {
            return Err(fault(ErrorKind::Protocol, "the id is no operation's name"));
        }
        let request = match (&self.vertex, name.rsplit_once("/operations/")) {
            (Some(_), Some((model, _))) => {
                self.client.post(self.resource(&format!("{model}:fetchPredictOperation"))?).json(&json!({"operationName": name}))
            }
            _ => self.client.get(self.resource(name)?),
        };
        Ok(request.headers(self.headers.clone()))
    }

    /// The location of a finished video: `{uri}` or `{encodedVideo}`, on Vertex `{gcsUri}` or `{bytesBase64Encoded}`.
    fn source(&self, video: &Value) -> Result<Source> {
        let text = |name: &str| video.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(encoded) = text("encodedVideo").or_else(|| text("bytesBase64Encoded")) {
            let bytes = STANDARD.decode(encoded).map_err(|_| fault(ErrorKind::Protocol, "the video in the answer is no base64"))?;
            return Ok(Source::Bytes(bytes));
        }
        let Some(uri) = text("gcsUri").or_else(|| text("uri")) else {
            return Err(fault(ErrorKind::Protocol, "the finished operation has a video without an address and without bytes"));
        };
        let url = if uri.starts_with("gs://") { self.object(uri)? } else { result_url(uri)? };
        let is_google = url.scheme() == "https" && url.host_str().is_some_and(|host| host.ends_with(GOOGLE));
        let is_ours = is_same_origin(&self.base, &url) || self.vertex.as_ref().is_some_and(|vertex| is_same_origin(&vertex.storage, &url));
        let headers = if is_google || is_ours { self.headers.clone() } else { HeaderMap::new() };
        Ok(Source::Url { url: url.into(), headers })
    }

    /// The address of an object in Cloud Storage's JSON API.
    fn object(&self, uri: &str) -> Result<Url> {
        let wrong = || fault(ErrorKind::Protocol, "the video's gs:// address is malformed");
        let vertex = self.vertex.as_ref().ok_or_else(wrong)?;
        let (bucket, object) = uri.strip_prefix("gs://").and_then(|path| path.split_once('/')).ok_or_else(wrong)?;
        let mut url = below(NAME, &vertex.storage, ["storage", "v1", "b", bucket, "o", object]).map_err(|_| wrong())?;
        url.set_query(Some("alt=media"));
        Ok(url)
    }
}

#[async_trait]
impl Provider for VeoGoogle {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Refuses what Veo does not support: shots, a last frame without a first, aspect ratios other than 16:9 and 9:16, more than 10
    /// seconds, and on the developer API a seed. That API also ignores frames per second: Veo makes 24.
    fn check(&self, model: &str, request: &VideoRequest) -> Result<()> {
        self.model_path(model)?;
        self.body(request, InputImage::left_out).map(|_| ())
    }

    fn check_model(&self, model: &str) -> Result<()> {
        self.model_path(model).map(drop)
    }

    fn pace(&self) -> Pace {
        self.pace
    }

    async fn start(&self, model: &str, request: &VideoRequest, _token: &str) -> Result<Started> {
        let url = self.resource(&format!("{}:predictLongRunning", self.model_path(model)?))?;
        let request = self.client.post(url).headers(self.headers.clone()).json(&self.body(request, InputImage::base64)?);
        operation_name(&http::send(NAME, request).await?, &self.secret).map(Started::Pending)
    }

    async fn poll(&self, id: &str) -> Result<Status> {
        let asked = async { operation(&http::send(NAME, self.status_request(id)?).await?, &self.secret) };
        match asked.await.map_err(ProviderError::about_job)? {
            Operation::Running => Ok(Status::Pending(None)),
            Operation::Failed(error) => Ok(Status::Failed(error)),
            Operation::Finished(video) => self.source(&video).map(Status::Finished),
        }
    }
}

/// Whether this is a single plain path segment.
fn is_name(name: &str) -> bool {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    is_plain && name != "." && name != ".."
}
