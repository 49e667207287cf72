//! What the routes of the service itself answer.

use serde::Serialize;
use utoipa::ToSchema;

/// What `GET /` answers.
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
    /// That it runs, in words.
    #[schema(example = "Framewright is running")]
    pub(crate) message: String,
    /// What it does, in a sentence.
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
    /// Where to find what.
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
    /// Tells what a video of scenes will be.
    #[schema(example = "/generate-video/info")]
    pub(crate) video_info: String,
    /// Tells how a video from a text stands.
    #[schema(example = "/video-status")]
    pub(crate) video_status: String,
    /// Sets a picture in motion.
    #[schema(example = "/animate")]
    pub(crate) animate: String,
    /// Sets an image in motion, and calls back.
    #[serde(rename = "/api/v1/i2v")]
    #[schema(example = "Sets an image in motion, and tells the callback when it is done")]
    pub(crate) i2v: String,
    /// Takes the picture of a character.
    #[schema(example = "/upload-character")]
    pub(crate) upload_character: String,
    /// Lists the videos of characters; one of them is at `/generation/{id}`.
    #[schema(example = "/generations")]
    pub(crate) generations: String,
    /// Tells what services have cost.
    #[schema(example = "/api/v1/usage")]
    pub(crate) usage: String,
    /// Where the paths of the Tasks API begin.
    #[schema(example = "/api/v1")]
    pub(crate) rest_api: String,
    /// Where the paths of OpenAI's API would begin: null, for they are not served.
    #[schema(example = json!(null))]
    pub(crate) openai_compatible: Option<String>,
    /// Tells whether the service is up.
    #[schema(example = "/health")]
    pub(crate) health: String,
    /// Tells whether work can be handed in.
    #[schema(example = "/ready")]
    pub(crate) ready: String,
    /// Numbers for Prometheus.
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
            openai_compatible: None,
            health: "/health".into(),
            ready: "/ready".into(),
            metrics: "/metrics".into(),
            docs: "/docs".into(),
            redoc: "/redoc".into(),
            openapi: "/openapi.json".into(),
        }
    }
}

/// What `GET /ready` answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadyResponse {
    /// Whether work can be handed in.
    #[schema(example = true)]
    pub(crate) ready: bool,
    /// Whether the model is loaded.
    #[schema(example = true)]
    pub(crate) model_loaded: bool,
    /// Whether jobs can be written down.
    #[schema(example = true)]
    pub(crate) store_writable: bool,
    /// Why it is not ready; null where it is.
    #[schema(example = json!(null))]
    pub(crate) detail: Option<String>,
}

/// What `GET /health` answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthResponse {
    /// "healthy": the service answers, whether or not its model is loaded yet.
    #[schema(example = "healthy")]
    pub(crate) status: String,
    /// "framewright".
    #[schema(example = "framewright")]
    pub(crate) service: String,
    /// Whether pictures can be asked for.
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
    /// The pictures that wait or are being made.
    #[schema(example = 0)]
    pub(crate) jobs: usize,
}
