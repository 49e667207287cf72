//! Understanding the body of `POST /generate`: its type, then JSON, then fields, each with its own error.

use generation::{ImageRequest, Limits, ModelInfo, spec::ImageSpec};

use crate::{
    api::images::wire::GenerateRequest,
    http::{IgnoredField, Problem, ValidationErrorDetail},
    inputs::{Fields, NamedBody, Shape, boolean, field_names::one_picture, float, integer, judged, parse_named, scheduler, seed, string},
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

/// Reads the fields that are there; faults are kept for [`GenerateBody::into_spec`].
pub(crate) fn parse(body: &[u8]) -> Result<GenerateBody, Problem> {
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
    pub(crate) fn into_spec(self, random_seed: u32, limits: &Limits, model: &ModelInfo) -> Result<ImageSpec, Problem> {
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
