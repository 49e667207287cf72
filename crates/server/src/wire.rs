//! The bodies of the API, as they stand on the wire and in /openapi.json.
//!
//! Names and shapes are those of the service that this API is compatible with; keys that it lacks are additions, never replacements.
//! The bounds in the schema are those of [`generation::Limits::DEFAULT`]; a test holds the two together.

use diffusion_core::schedulers::SchedulerName;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, Object, ObjectBuilder, RefOr, Schema, SchemaFormat, Type, schema::SchemaType},
};

use crate::request_notes::IgnoredField;

/// What `POST /generate` takes. What other programs call a field is understood too (`steps`, `cfg_scale`, `sampler_name`, ..); keys that no
/// field has are ignored, and named in the answer's `X-Ignored-Fields`.
#[derive(Debug, Default, PartialEq, ToSchema)]
#[schema(example = json!({"prompt": "a red circle on a blue background", "num_inference_steps": 25, "return_base64": false}))]
pub struct GenerateRequest {
    /// What the picture shows. The model reads its first 75 tokens; the answer's `X-Prompt-Truncated` tells if there are more.
    #[schema(required = true, nullable = false, min_length = 1, max_length = 2000, example = "a red circle on a blue background")]
    pub prompt: Option<String>,
    /// Denoising steps: more is better and slower.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 150, default = 25, example = 25)]
    pub num_inference_steps: Option<i128>,
    /// Answer with JSON that holds the picture as base64, instead of with the PNG itself.
    #[schema(default = false, example = false)]
    pub return_base64: Option<bool>,
    /// The noise's seed: the same request with the same seed gives the same bytes. Drawn at random if absent or -1, and told in the answer.
    #[schema(value_type = Option<i64>, minimum = -1, maximum = 9223372036854775807i64, example = 42)]
    pub seed: Option<i128>,
    /// What the picture should not show.
    #[schema(max_length = 2000, example = "")]
    pub negative_prompt: Option<String>,
    /// Classifier-free guidance: how closely the picture follows the prompt; 1 or less turns it off.
    #[schema(minimum = 0, maximum = 50, default = 7.5, example = 7.5)]
    pub guidance_scale: Option<f64>,
    /// Width in pixels, a multiple of 8; the model's own if absent. Width x height is at most 2097152.
    #[schema(value_type = Option<i64>, minimum = 64, maximum = 2048, multiple_of = 8)]
    pub width: Option<i128>,
    /// Height in pixels, a multiple of 8; the model's own if absent. Width x height is at most 2097152.
    #[schema(value_type = Option<i64>, minimum = 64, maximum = 2048, multiple_of = 8)]
    pub height: Option<i128>,
    /// The scheduler; the model's own if absent. The names of AUTOMATIC1111, ComfyUI and diffusers are understood too.
    #[schema(schema_with = scheduler_schema)]
    pub scheduler: Option<String>,
}

/// The known names, so that the documentation lists them and a client's form offers them.
fn scheduler_schema() -> Object {
    let names = SchedulerName::all().into_iter().map(|name| Some(name.to_string()));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some(
            "The scheduler; the model's own if absent. The names of AUTOMATIC1111 (\"DPM++ 2M Karras\"), ComfyUI and diffusers are understood \
             too.",
        ))
        .enum_values(Some(names.chain([None])))
        .build()
}

/// What `POST /generate` answers if `return_base64` is true.
#[derive(Debug, Serialize, ToSchema)]
pub struct GenerateResponse {
    /// True.
    #[schema(example = true)]
    pub success: bool,
    /// The prompt.
    #[schema(example = "a red circle on a blue background")]
    pub prompt: String,
    /// The denoising steps.
    #[schema(example = 25)]
    pub steps: u32,
    /// The PNG file, base64 with padding.
    #[schema(content_encoding = "base64", content_media_type = "image/png", example = "iVBORw0KGgoAAAANSUhEUgAA...")]
    pub image_base64: String,
    /// "png".
    #[schema(example = "png")]
    pub format: String,
    /// The seed that the picture was made with.
    #[schema(example = 42)]
    pub seed: u64,
    /// The picture's width in pixels.
    #[schema(example = 128)]
    pub width: u32,
    /// The picture's height in pixels.
    #[schema(example = 128)]
    pub height: u32,
    /// The model that made it.
    #[schema(example = "nano-sd (embedded)")]
    pub model: String,
    /// How it was made, as it stands in the PNG's `parameters` text chunk.
    #[schema(example = "a red circle on a blue background\nSteps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 42, Size: 128x128")]
    pub parameters: String,
    /// Whether the prompt or the negative prompt is longer than the model reads, so that its end was left out.
    #[schema(example = false)]
    pub prompt_truncated: bool,
    /// The keys of the body that no field has; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored_fields: Vec<IgnoredField>,
    /// What the request may not do as it seems to, in sentences; absent if there is nothing to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// A PNG file, for the description alone: bytes would be described as an array of numbers.
pub(crate) struct PngFile;

impl PartialSchema for PngFile {
    fn schema() -> RefOr<Schema> {
        let binary = Some(SchemaFormat::KnownFormat(KnownFormat::Binary));
        ObjectBuilder::new().schema_type(Type::String).format(binary).content_media_type("image/png").into()
    }
}

impl ToSchema for PngFile {}

/// What `GET /` answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct RootResponse {
    /// "running".
    #[schema(example = "running")]
    pub status: String,
    /// "cpu", "cuda" or "metal"; "not set" until the model is loaded.
    #[schema(example = "cpu")]
    pub device: String,
    /// The model's name; null until it is loaded.
    #[schema(example = "nano-sd (embedded)")]
    pub model: Option<String>,
    /// "framewright".
    #[schema(example = "framewright")]
    pub name: String,
    /// That it runs, in words.
    #[schema(example = "Framewright is running")]
    pub message: String,
    /// What it does, in a sentence.
    #[schema(example = "Pictures and videos from text, made on this machine.")]
    pub description: String,
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// The documentation, to try out.
    #[schema(example = "/docs")]
    pub docs: String,
    /// The documentation, to read.
    #[schema(example = "/redoc")]
    pub redoc: String,
    /// Where to find what.
    pub endpoints: Endpoints,
}

/// The paths of this service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Endpoints {
    /// Makes a picture.
    #[schema(example = "/generate")]
    pub generate_image: String,
    /// Makes a video: of scenes, of a character, or from a text.
    #[schema(example = "/generate-video")]
    pub generate_video: String,
    /// Tells what a video of scenes will be.
    #[schema(example = "/generate-video/info")]
    pub video_info: String,
    /// Tells how a video from a text stands.
    #[schema(example = "/video-status")]
    pub video_status: String,
    /// Sets a picture in motion.
    #[schema(example = "/animate")]
    pub animate: String,
    /// Takes the picture of a character.
    #[schema(example = "/upload-character")]
    pub upload_character: String,
    /// Lists the videos of characters; one of them is at `/generation/{id}`.
    #[schema(example = "/generations")]
    pub generations: String,
    /// Where the paths of the Tasks API begin.
    #[schema(example = "/api/v1")]
    pub rest_api: String,
    /// Where the paths of OpenAI's API would begin: null, for they are not served.
    #[schema(example = json!(null))]
    pub openai_compatible: Option<String>,
    /// Tells whether the service is up.
    #[schema(example = "/health")]
    pub health: String,
    /// Tells whether work can be handed in.
    #[schema(example = "/ready")]
    pub ready: String,
    /// Numbers for Prometheus.
    #[schema(example = "/metrics")]
    pub metrics: String,
    /// The documentation, to try out.
    #[schema(example = "/docs")]
    pub docs: String,
    /// The documentation, to read.
    #[schema(example = "/redoc")]
    pub redoc: String,
    /// The documentation, for programs.
    #[schema(example = "/openapi.json")]
    pub openapi: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            generate_image: "/generate".into(),
            generate_video: "/generate-video".into(),
            video_info: "/generate-video/info".into(),
            video_status: "/video-status".into(),
            animate: "/animate".into(),
            upload_character: "/upload-character".into(),
            generations: "/generations".into(),
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
pub struct ReadyResponse {
    /// Whether work can be handed in.
    #[schema(example = true)]
    pub ready: bool,
    /// Whether the model is loaded.
    #[schema(example = true)]
    pub model_loaded: bool,
    /// Whether jobs can be written down.
    #[schema(example = true)]
    pub store_writable: bool,
    /// Why it is not ready; null where it is.
    #[schema(example = json!(null))]
    pub detail: Option<String>,
}

/// What `GET /health` answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    /// "healthy": the service answers, whether or not its model is loaded yet.
    #[schema(example = "healthy")]
    pub status: String,
    /// "framewright".
    #[schema(example = "framewright")]
    pub service: String,
    /// Whether pictures can be asked for.
    pub model_loaded: bool,
    /// "cpu", "cuda" or "metal"; "not set" until the model is loaded.
    #[schema(example = "cpu")]
    pub device: String,
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// The server's time, RFC 3339 in UTC.
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    pub timestamp: String,
    /// The pictures that wait or are being made.
    #[schema(example = 0)]
    pub jobs: usize,
}

/// An error in one sentence.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The sentence.
    #[schema(example = "Not Found")]
    pub detail: String,
}

/// Everything that is wrong with a body's fields.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidationErrorBody {
    /// One entry for each fault.
    pub detail: Vec<ValidationErrorDetail>,
}

/// One fault of a field.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ValidationErrorDetail {
    /// The rule that is broken, in pydantic's vocabulary.
    #[serde(rename = "type")]
    #[schema(example = "less_than_equal")]
    pub kind: String,
    /// Where: "body", then the field's name; inside of lists also an index.
    #[schema(example = json!(["body", "num_inference_steps"]))]
    pub loc: Vec<Value>,
    /// A sentence that names the limit.
    #[schema(example = "Input should be less than or equal to 150")]
    pub msg: String,
    /// The value that was sent, long texts cut.
    #[schema(example = 151)]
    pub input: Value,
    /// The rule's limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({"le": 150}))]
    pub ctx: Option<Map<String, Value>>,
}
