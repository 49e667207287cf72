//! Understanding the body of `POST /generate`: its type, then JSON, then fields, each with its own error.

use actix_web::{HttpRequest, http::header::CONTENT_TYPE};
use generation::{ImageRequest, Limits, ModelInfo, field_error::shortened, spec::ImageSpec};

use crate::{
    error::ApiError,
    field_names::{NamedBody, Shape, one_picture},
    fields::{Fields, boolean, float, integer, judged, parse_named, string},
    request_fields::{scheduler, seed},
    request_notes::IgnoredField,
    wire::{GenerateRequest, ValidationErrorDetail},
};

/// The order in which faults are told.
const FIELDS: [&str; 11] = [
    "prompt",
    "num_inference_steps",
    "return_base64",
    "seed",
    "negative_prompt",
    "guidance_scale",
    "width",
    "height",
    "scheduler",
    "sampler",
    "n",
];
static SHAPE: Shape = Shape::new(&FIELDS, &[]);

/// A body that is JSON, and its fields so far.
#[derive(Debug)]
pub(crate) struct GenerateBody {
    named: NamedBody,
    request: GenerateRequest,
    faults: Vec<ValidationErrorDetail>,
}

/// Refuses a body that is announced as something other than JSON. One without a type is taken for JSON; another type is refused, or any
/// web page could send one without the browser asking us.
pub(crate) fn check_type(request: &HttpRequest) -> Result<(), ApiError> {
    let Some(content_type) = request.headers().get(CONTENT_TYPE) else { return Ok(()) };
    let text = content_type.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        Ok(())
    } else {
        Err(ApiError::UnsupportedMediaType(shortened(text).into_owned()))
    }
}

/// Reads the fields that are there; faults are kept for [`GenerateBody::into_spec`].
pub(crate) fn parse(body: &[u8]) -> Result<GenerateBody, ApiError> {
    let named = parse_named(body, &SHAPE)?;
    let mut fields = Fields::new(&named.json);
    let request = GenerateRequest {
        prompt: fields.required("prompt", string),
        num_inference_steps: fields.read("num_inference_steps", integer),
        return_base64: fields.read("return_base64", boolean),
        seed: fields.read("seed", seed),
        negative_prompt: fields.read("negative_prompt", string),
        guidance_scale: fields.read("guidance_scale", float),
        width: fields.read("width", integer),
        height: fields.read("height", integer),
        scheduler: scheduler(&mut fields),
    };
    let mut faults = fields.faults;
    faults.extend(named.json.get("n").and_then(one_picture));
    Ok(GenerateBody { named, request, faults })
}

impl GenerateBody {
    /// Whether the answer is to be JSON.
    pub(crate) fn return_base64(&self) -> bool {
        self.request.return_base64.unwrap_or(false)
    }

    /// The keys that nobody reads.
    pub(crate) fn ignored(&self) -> Vec<IgnoredField> {
        self.named.ignored.clone()
    }

    /// Validates the request, with `random_seed` if it names none.
    pub(crate) fn into_spec(self, random_seed: u32, limits: &Limits, model: &ModelInfo) -> Result<ImageSpec, ApiError> {
        let Self { named, request, faults } = self;
        let raw = ImageRequest {
            prompt: request.prompt,
            negative_prompt: request.negative_prompt,
            num_inference_steps: request.num_inference_steps,
            guidance_scale: request.guidance_scale,
            width: request.width,
            height: request.height,
            seed: Some(request.seed.unwrap_or(random_seed.into())),
            scheduler: request.scheduler,
            ..ImageRequest::default()
        };
        judged(raw.validate(limits, model), faults, &named, &FIELDS)
    }
}
