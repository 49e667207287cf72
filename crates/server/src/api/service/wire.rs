//! Answers of the routes of the service itself.

use serde::Serialize;
use utoipa::ToSchema;

/// The answer of `GET /`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RootResponse {
    /// "running".
    #[schema(example = "running")]
    pub(crate) status: String,
    /// "cpu", "cuda" or "metal"; "not set" until the model is loaded.
    #[schema(example = "cpu")]
    pub(crate) device: String,
    /// The model's name; null until it is loaded.
    #[schema(example = "nano-sd (embedded)")]
    pub(crate) model: Option<String>,
    /// "framewright".
    #[schema(example = "framewright")]
    pub(crate) name: String,
    /// A sentence that says that it runs.
    #[schema(example = "Framewright is running")]
    pub(crate) message: String,
    /// A sentence that says what it does.
    #[schema(example = "Pictures and videos from text, made on this machine.")]
    pub(crate) description: String,
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub(crate) version: String,
    /// The documentation, to try out.
    #[schema(example = "/docs")]
    pub(crate) docs: String,
    /// The documentation, to read.
    #[schema(example = "/redoc")]
    pub(crate) redoc: String,
    /// The endpoints.
    pub(crate) endpoints: Endpoints,
}

/// The paths of this service.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Endpoints {
    /// Makes a picture.
    #[schema(example = "/generate")]
    pub(crate) generate_image: String,
    /// Makes a video: of scenes, of a character, or from a text.
    #[schema(example = "/generate-video")]
    pub(crate) generate_video: String,
    /// Describes a video of scenes without making it.
    #[schema(example = "/generate-video/info")]
    pub(crate) video_info: String,
    /// The state of a video from a text.
    #[schema(example = "/video-status")]
    pub(crate) video_status: String,
    /// Sets a picture in motion.
    #[schema(example = "/animate")]
    pub(crate) animate: String,
    /// Sets an image in motion, and calls back.
    #[serde(rename = "/api/v1/i2v")]
    #[schema(example = "Sets an image in motion, and tells the callback when it is done")]
    pub(crate) i2v: String,
    /// Uploads the picture of a character.
    #[schema(example = "/upload-character")]
    pub(crate) upload_character: String,
    /// Lists the videos of characters; one of them is at `/generation/{id}`.
    #[schema(example = "/generations")]
    pub(crate) generations: String,
    /// What services have cost.
    #[schema(example = "/api/v1/usage")]
    pub(crate) usage: String,
    /// The prefix of the Tasks API.
    #[schema(example = "/api/v1")]
    pub(crate) rest_api: String,
    /// The prefix of the API that is compatible with OpenAI's.
    #[schema(example = "/v1")]
    pub(crate) openai_compatible: String,
    /// Whether the service is up.
    #[schema(example = "/health")]
    pub(crate) health: String,
    /// Whether the service accepts work.
    #[schema(example = "/ready")]
    pub(crate) ready: String,
    /// Metrics for Prometheus.
    #[schema(example = "/metrics")]
    pub(crate) metrics: String,
    /// The documentation, to try out.
    #[schema(example = "/docs")]
    pub(crate) docs: String,
    /// The documentation, to read.
    #[schema(example = "/redoc")]
    pub(crate) redoc: String,
    /// The documentation, for programs.
    #[schema(example = "/openapi.json")]
    pub(crate) openapi: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            generate_image: "/generate".into(),
            generate_video: "/generate-video".into(),
            video_info: "/generate-video/info".into(),
            video_status: "/video-status".into(),
            animate: "/animate".into(),
            i2v: "Sets an image in motion, and tells the callback when it is done".into(),
            upload_character: "/upload-character".into(),
            generations: "/generations".into(),
            usage: "/api/v1/usage".into(),
            rest_api: "/api/v1".into(),
            openai_compatible: "/v1".into(),
            health: "/health".into(),
            ready: "/ready".into(),
            metrics: "/metrics".into(),
            docs: "/docs".into(),
            redoc: "/redoc".into(),
            openapi: "/openapi.json".into(),
        }
    }
}

/// The answer of `GET /ready`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadyResponse {
    /// Whether the server accepts work.
    #[schema(example = true)]
    pub(crate) ready: bool,
    /// Whether the model is loaded.
    #[schema(example = true)]
    pub(crate) model_loaded: bool,
    /// Whether jobs can be stored.
    #[schema(example = true)]
    pub(crate) store_writable: bool,
    /// Why it is not ready; null if it is.
    #[schema(example = json!(null))]
    pub(crate) detail: Option<String>,
}

/// The answer of `GET /health`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthResponse {
    /// "healthy": the service answers, whether or not its model is loaded yet.
    #[schema(example = "healthy")]
    pub(crate) status: String,
    /// "framewright".
    #[schema(example = "framewright")]
    pub(crate) service: String,
    /// Whether pictures can be requested.
    pub(crate) model_loaded: bool,
    /// "cpu", "cuda" or "metal"; "not set" until the model is loaded.
    #[schema(example = "cpu")]
    pub(crate) device: String,
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub(crate) version: String,
    /// The server's time, RFC 3339 in UTC.
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    pub(crate) timestamp: String,
    /// The number of jobs that are queued or running.
    #[schema(example = 0)]
    pub(crate) jobs: usize,
}
