//! The body of `/v1/images/upscale`: its fields, and how its answer is wanted.
//!
//! It must not know where the picture comes from. The invariant: a value that this server cannot honour is a fault.

use generation::{ImageFormat, UpscaleRequest, UpscaledSize, upscale::SCALE};
use image::DynamicImage;
use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};

use super::body::{COMPRESSION_FAULT, FORMAT_FAULT, ONE_IMAGE, RESPONSE_FAULT};
use crate::inputs::{Body, EXAMPLE_IMAGE, Fields, body_table, string};

/// A request to enlarge a picture.
#[derive(Default)]
pub(crate) struct Enlargement {
    pub(super) source: Option<String>,
    model: Option<String>,
    upscaler: Option<String>,
    scale: Option<f64>,
    response_format: Option<String>,
    output_format: Option<String>,
    output_compression: Option<i128>,
    user: Option<String>,
}

body_table! {
    /// The body of `POST /v1/images/upscale` as JSON: a picture and an upscaler, with the words of `POST /v1/images/edits`.
    pub(super) UPSCALES: Enlargement, UpscalesBody as "OpenAiImageUpscaleRequest",
    example {"image": EXAMPLE_IMAGE, "model": "RealESRGAN_x4plus", "scale": 2},
    {
        /// The picture, up to 8192 pixels a side: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL; in a form, one
        /// file. Its transparency is enlarged too.
        image: Other(|| json!({"type": ["string", "null"], "example": EXAMPLE_IMAGE}), |r, fields, name| r.source = source(fields, name)),
        /// The upscaler: a model of `GET /v1/models` with the capability `images.upscale`.
        model: Text(|r| &mut r.model),
        /// Another name of `model`.
        upscaler: Text(|r| &mut r.upscaler),
        /// How many times larger the picture becomes; the upscaler's own factor if absent.
        scale: Number(SCALE, |r| &mut r.scale).checked(),
        /// Whether the answer has the picture ("b64_json"), or a link to it on this server ("url").
        response_format: Text(|r| &mut r.response_format).one_of(|| vec!["b64_json", "url"]).or(|| "b64_json".into()),
        /// The format of the file. WebP is lossless here.
        output_format: Text(|r| &mut r.output_format).one_of(|| vec!["png", "jpeg", "webp"]).or(|| "png".into()),
        /// The quality of a JPEG file, in percent.
        output_compression: Whole((0, 100), |r| &mut r.output_compression).checked().or(|| 100.into()),
        /// Accepted for OpenAI's clients, and not stored.
        user: Text(|r| &mut r.user),
    }
}

/// A form of `POST /v1/images/upscale` in /openapi.json.
pub(crate) enum UpscalesForm {}

impl utoipa::PartialSchema for UpscalesForm {
    fn schema() -> RefOr<Schema> {
        super::body::form_schema(&UPSCALES, &["image"])
    }
}

impl utoipa::ToSchema for UpscalesForm {
    fn name() -> std::borrow::Cow<'static, str> {
        "OpenAiImageUpscaleForm".into()
    }
}

/// A picture as a text, alone or in a list.
fn source(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    match fields.get(name) {
        Some(Value::Array(list)) => match list.as_slice() {
            [Value::String(source)] => Some(source.clone()),
            _ => {
                fields.value_fault(name, ONE_IMAGE);
                None
            }
        },
        _ => fields.read(name, string),
    }
}

/// How a request wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// A link instead of the picture.
    pub(super) by_url: bool,
    pub(super) format: ImageFormat,
}

/// Checks what the table does not; faults are kept in the body.
pub(super) fn check(body: &mut Body<Enlargement>) -> Wanted {
    let Enlargement { model, upscaler, response_format, output_format, output_compression, .. } = &body.request;
    let is_of = |value: &Option<String>, known: &[&str]| value.as_deref().is_none_or(|value| known.contains(&value));
    let format = match output_format.as_deref() {
        Some("jpeg" | "jpg") => {
            ImageFormat::Jpeg { quality: output_compression.and_then(|quality| u8::try_from(quality).ok()).unwrap_or(100) }
        }
        Some("webp") => ImageFormat::WebP,
        _ => ImageFormat::Png,
    };
    let is_lossy = matches!(format, ImageFormat::Jpeg { .. });
    let differ = model.as_ref().zip(upscaler.as_ref()).is_some_and(|(model, upscaler)| model != upscaler);
    let faults = [
        ("upscaler", differ, ("value_error", "Value error, it is another one than model: leave one of the two out")),
        ("response_format", !is_of(response_format, &["b64_json", "url"]), RESPONSE_FAULT),
        ("output_format", !is_of(output_format, &["png", "jpeg", "jpg", "webp"]), FORMAT_FAULT),
        ("output_compression", !is_lossy && output_compression.is_some_and(|percent| percent != 100), COMPRESSION_FAULT),
    ];
    let wanted = Wanted { by_url: response_format.as_deref() == Some("url"), format };
    for (field, is_fault, fault) in faults {
        if is_fault {
            body.look(|fields| fields.value_fault(field, fault));
        }
    }
    wanted
}

impl Enlargement {
    /// The field that names the upscaler, as this request sends it.
    pub(super) fn upscaler_field(&self) -> &'static str {
        if self.model.is_none() && self.upscaler.is_some() { "upscaler" } else { "model" }
    }

    /// The upscaler's name.
    pub(super) fn upscaler_name(&self) -> Option<String> {
        let name = self.model.as_deref().or(self.upscaler.as_deref()).map(str::trim);
        name.filter(|name| !name.is_empty()).map(str::to_owned)
    }

    /// The request for the picture.
    pub(super) fn request(&self, image: Option<DynamicImage>, format: ImageFormat) -> UpscaleRequest {
        UpscaleRequest {
            image,
            upscaler: self.model.clone().or_else(|| self.upscaler.clone()),
            size: self.scale.map_or(UpscaledSize::Own, UpscaledSize::Scale),
            file_format: format,
        }
    }
}
