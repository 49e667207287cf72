//! The bodies of `POST /generate`, as they stand on the wire and in /openapi.json.
//!
//! Names and shapes are those of the service that this API is compatible with; keys that it lacks are additions, never replacements.
//! The bounds in the schema are those of [`generation::Limits::DEFAULT`]; a test holds the two together.

use diffusion_core::schedulers::SchedulerName;
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, Type, schema::SchemaType},
};

use crate::http::IgnoredField;

/// What `POST /generate` takes. What other programs call a field is understood too (`steps`, `cfg_scale`, `sampler_name`, ..); keys that no
/// field has are ignored, and named in the answer's `X-Ignored-Fields`.
#[derive(Debug, Default, PartialEq, ToSchema)]
#[schema(example = json!({"prompt": "a red circle on a blue background", "num_inference_steps": 25, "return_base64": false}))]
pub(crate) struct GenerateRequest {
    /// What the picture shows. The model reads its first 75 tokens; the answer's `X-Prompt-Truncated` tells if there are more.
    #[schema(required = true, nullable = false, min_length = 1, max_length = 2000, example = "a red circle on a blue background")]
    pub(crate) prompt: Option<String>,
    /// Denoising steps: more is better and slower.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 150, default = 25, example = 25)]
    pub(crate) num_inference_steps: Option<i128>,
    /// Answer with JSON that holds the picture as base64, instead of with the PNG itself.
    #[schema(default = false, example = false)]
    pub(crate) return_base64: Option<bool>,
    /// The noise's seed: the same request with the same seed gives the same bytes. Drawn at random if absent or -1, and told in the answer.
    #[schema(value_type = Option<i64>, minimum = -1, maximum = 9223372036854775807i64, example = 42)]
    pub(crate) seed: Option<i128>,
    /// What the picture should not show.
    #[schema(max_length = 2000, example = "")]
    pub(crate) negative_prompt: Option<String>,
    /// Classifier-free guidance: how closely the picture follows the prompt; 1 or less turns it off.
    #[schema(minimum = 0, maximum = 50, default = 7.5, example = 7.5)]
    pub(crate) guidance_scale: Option<f64>,
    /// Width in pixels, a multiple of 8; the model's own if absent. Width x height is at most 2097152.
    #[schema(value_type = Option<i64>, minimum = 64, maximum = 2048, multiple_of = 8)]
    pub(crate) width: Option<i128>,
    /// Height in pixels, a multiple of 8; the model's own if absent. Width x height is at most 2097152.
    #[schema(value_type = Option<i64>, minimum = 64, maximum = 2048, multiple_of = 8)]
    pub(crate) height: Option<i128>,
    /// The scheduler; the model's own if absent. The names of AUTOMATIC1111, ComfyUI and diffusers are understood too.
    #[schema(schema_with = scheduler_schema)]
    pub(crate) scheduler: Option<String>,
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
pub(crate) struct GenerateResponse {
    /// True.
    #[schema(example = true)]
    pub(crate) success: bool,
    /// The prompt.
    #[schema(example = "a red circle on a blue background")]
    pub(crate) prompt: String,
    /// The denoising steps.
    #[schema(example = 25)]
    pub(crate) steps: u32,
    /// The PNG file, base64 with padding.
    #[schema(content_encoding = "base64", content_media_type = "image/png", example = "iVBORw0KGgoAAAANSUhEUgAA...")]
    pub(crate) image_base64: String,
    /// "png".
    #[schema(example = "png")]
    pub(crate) format: String,
    /// The seed that the picture was made with.
    #[schema(example = 42)]
    pub(crate) seed: u64,
    /// The picture's width in pixels.
    #[schema(example = 128)]
    pub(crate) width: u32,
    /// The picture's height in pixels.
    #[schema(example = 128)]
    pub(crate) height: u32,
    /// The model that made it.
    #[schema(example = "nano-sd (embedded)")]
    pub(crate) model: String,
    /// How it was made, as it stands in the PNG's `parameters` text chunk.
    #[schema(example = "a red circle on a blue background\nSteps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 42, Size: 128x128")]
    pub(crate) parameters: String,
    /// Whether the prompt or the negative prompt is longer than the model reads, so that its end was left out.
    #[schema(example = false)]
    pub(crate) prompt_truncated: bool,
    /// The keys of the body that no field has; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
    /// What the request may not do as it seems to, in sentences; absent if there is nothing to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
}
