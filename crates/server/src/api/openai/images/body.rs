//! The bodies of `/v1/images/generations`, `/edits` and `/variations`: their fields, and the request that they make.
//!
//! It must not know where a picture comes from. The invariants: a value that this server cannot honour is a fault, and one that has no
//! effect here is named in the answer; the model makes a picture of about its own number of pixels, in the requested proportions, and the
//! rest is resizing.

use generation::{
    FieldError, ImageFormat, ImageRequest, Limits, ModelInfo,
    limits::SHARE,
    validate::{DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS},
};
use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};

use crate::{
    api::{
        images::{
            controls_body::{Controls, control_rows},
            generate_body::image_rows,
        },
        tasks::image_body::native_size,
    },
    http::Problem,
    inputs::{Body, EXAMPLE_IMAGE, Fields, Holds, Row, Table, TypeFault, body_table, random_seed, rows, string},
};

const LIMITS: Limits = Limits::DEFAULT;
/// The bounds of a picture's sides.
const SIDE: (u32, u32) = (16, 4096);
/// The number of pictures of a request.
const COUNT: (u32, u32) = (1, 10);
const QUALITIES: [&str; 8] = ["auto", "low", "medium", "standard", "high", "hd", "xhigh", "max"];
const QUALITY_FAULT: TypeFault = ("enum", "Input should be 'auto', 'low', 'medium', 'standard', 'high', 'hd', 'xhigh' or 'max'");
pub(super) const FORMAT_FAULT: TypeFault = ("enum", "Input should be 'png', 'jpeg' or 'webp'");
pub(super) const RESPONSE_FAULT: TypeFault = ("enum", "Input should be 'b64_json' or 'url'");
const BACKGROUND_FAULT: TypeFault = ("enum", "Input should be 'auto' or 'opaque': the models of this server make no transparent pictures");
const MODERATION_FAULT: TypeFault = ("enum", "Input should be 'auto' or 'low'");
const STYLE_FAULT: TypeFault = ("enum", "Input should be 'vivid' or 'natural'");
const FIDELITY_FAULT: TypeFault = ("enum", "Input should be 'high' or 'low'");
const SIZE_FAULT: TypeFault =
    ("value_error", "Value error, a size is \"auto\" or WIDTHxHEIGHT with sides of 16 to 4096 pixels, such as \"1024x1024\"");
const STREAM_URL_FAULT: TypeFault = ("value_error", "Value error, a stream sends pictures in base64: leave response_format out, or stream");
const PARTIAL_FAULT: TypeFault = ("value_error", "Value error, partial pictures are sent in a stream only: set stream to true");
const NO_STREAM: TypeFault = ("value_error", "Value error, variations are not streamed");
pub(super) const COMPRESSION_FAULT: TypeFault =
    ("value_error", "Value error, only JPEG files are compressed with loss here: leave it out, or choose the output_format jpeg");

/// How much of a picture is repainted: all of the masked part; of a whole picture more or less, by its fidelity; little for a variation.
const MASKED_STRENGTH: f64 = 1.0;
const EDIT_STRENGTH: f64 = 0.75;
const FAITHFUL_STRENGTH: f64 = 0.5;
const VARIATION_STRENGTH: f64 = 0.6;

/// What a request wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Generate,
    Edit,
    Vary,
}

/// A request for pictures.
#[derive(Default)]
pub(crate) struct Pictures {
    image: ImageRequest,
    pub(crate) controls: Controls,
    size: Option<String>,
    quality: Option<String>,
    response_format: Option<String>,
    output_format: Option<String>,
    output_compression: Option<i128>,
    background: Option<String>,
    moderation: Option<String>,
    style: Option<String>,
    input_fidelity: Option<String>,
    stream: Option<bool>,
    partial_images: Option<i128>,
    user: Option<String>,
    /// The given picture and its mask, as texts.
    pub(crate) source: Option<String>,
    pub(crate) mask: Option<String>,
}

impl Holds<ImageRequest> for Pictures {
    fn held(&mut self) -> &mut ImageRequest {
        &mut self.image
    }
}

impl Holds<Controls> for Pictures {
    fn held(&mut self) -> &mut Controls {
        &mut self.controls
    }
}

body_table! {
    /// The body of `POST /v1/images/generations`: OpenAI's fields, and beside them those of `POST /generate` (`seed`, `negative_prompt`,
    /// `loras`, ..). Unknown keys are ignored, and named in the answer's `ignored_fields`.
    GENERATIONS: Pictures, GenerationsBody as "OpenAiImageRequest",
    example {"prompt": "a peaceful sunrise over mountains with mist", "size": "256x256", "seed": 4},
    [&PROMPT, &ANSWER, &STREAM, &SETTINGS, &image_rows(), &control_rows(), &REFUSED]
}

body_table! {
    /// The body of `POST /v1/images/edits` as JSON: that of `POST /v1/images/generations`, a picture, and where it is edited.
    EDITS: Pictures, EditsBody as "OpenAiImageEditRequest",
    example {"image": EXAMPLE_IMAGE, "prompt": "the sea at night with boats and a moon", "seed": 4},
    [&PROMPT, &IMAGE, &MASK, &ANSWER, &STREAM, &SETTINGS, &STRENGTH, &image_rows(), &control_rows(), &REFUSED]
}

body_table! {
    /// The body of `POST /v1/images/variations` as JSON: a picture, and the fields of `POST /v1/images/edits` without a mask.
    VARIATIONS: Pictures, VariationsBody as "OpenAiImageVariationRequest",
    example {"image": EXAMPLE_IMAGE, "n": 2, "seed": 4},
    [&FREE_PROMPT, &IMAGE, &ANSWER, &STREAM, &SETTINGS, &STRENGTH, &image_rows(), &control_rows(), &REFUSED]
}

const PROMPT: [Row<Pictures>; 1] = rows! { Pictures;
    /// What the picture shows.
    prompt: Text(|r| &mut r.image.prompt).required().length(1, LIMITS.max_prompt_chars),
};

const FREE_PROMPT: [Row<Pictures>; 1] = rows! { Pictures;
    /// What the variation shows. Without it the variation follows the picture alone.
    prompt: Text(|r| &mut r.image.prompt).length(0, LIMITS.max_prompt_chars),
};

const IMAGE: [Row<Pictures>; 1] = rows! { Pictures;
    /// The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL; in a form, one file.
    image: Other(|| json!({"type": ["string", "null"]}), |r, fields, name| r.source = source(fields, name)),
};

const MASK: [Row<Pictures>; 1] = rows! { Pictures;
    /// Where the picture is edited: a PNG or WebP of the picture's size, whose fully transparent parts are repainted; base64, a data URL, or in
    /// a form a file. Without it, the fully transparent parts of the picture itself; if it has none, all of it.
    mask: Text(|r| &mut r.mask),
};

const ANSWER: [Row<Pictures>; 8] = rows! { Pictures;
    /// The number of pictures, with consecutive seeds.
    n: Whole(COUNT, |r| &mut r.image.count).checked().or(|| 1.into()),
    /// "WIDTHxHEIGHT" in pixels, or "auto": the given picture's size, or else the model's own. The model makes the picture at about its own
    /// number of pixels in these proportions, then it is resized.
    size: Text(|r| &mut r.size).or(|| "auto".into()),
    /// Denoising steps relative to the model's own: "low" half as many, "high" and "hd" one and a half times, "xhigh" and "max" twice as
    /// many. "auto", "medium" and "standard" change nothing. `num_inference_steps` takes precedence.
    quality: Text(|r| &mut r.quality).one_of(|| QUALITIES.to_vec()).or(|| "auto".into()),
    /// Whether the answer has the pictures ("b64_json"), or links to them on this server ("url").
    response_format: Text(|r| &mut r.response_format).one_of(|| vec!["b64_json", "url"]).or(|| "b64_json".into()),
    /// The format of the files. WebP is lossless here.
    output_format: Text(|r| &mut r.output_format).one_of(|| vec!["png", "jpeg", "webp"]).or(|| "png".into()),
    /// The quality of JPEG files, in percent.
    output_compression: Whole((0, 100), |r| &mut r.output_compression).checked().or(|| 100.into()),
    /// "auto" or "opaque"; "transparent" is refused.
    background: Text(|r| &mut r.background).one_of(|| vec!["auto", "opaque"]).or(|| "auto".into()),
    /// Accepted for OpenAI's clients: this server moderates nothing.
    moderation: Text(|r| &mut r.moderation).one_of(|| vec!["auto", "low"]).or(|| "auto".into()),
};

const STREAM: [Row<Pictures>; 2] = rows! { Pictures;
    /// Whether the answer is a stream of server-sent events: partial pictures, then the finished ones.
    stream: Truth(|r| &mut r.stream),
    /// The maximum number of partial pictures in a stream: small previews of the first picture's progress.
    partial_images: Whole((0, 3), |r| &mut r.partial_images).checked().or(|| 0.into()),
};

const STRENGTH: [Row<Pictures>; 2] = rows! { Pictures;
    /// The share of the steps that repaint the picture: 1 with a mask, 0.75 without one, 0.6 for a variation.
    strength: Number(SHARE, |r| &mut r.image.strength),
    /// "high" keeps more of an unmasked picture: a `strength` of 0.5.
    input_fidelity: Text(|r| &mut r.input_fidelity).one_of(|| vec!["high", "low"]).or(|| "low".into()),
};

const SETTINGS: [Row<Pictures>; 7] = rows! { Pictures;
    /// Denoising steps: more steps are better and slower. If absent, as many as suit the model, else 25; see `quality`.
    num_inference_steps: Whole(LIMITS.steps, |r| &mut r.image.num_inference_steps).or(|| DEFAULT_STEPS.into()),
    /// The noise's seed: the same request with the same seed gives the same pictures. Drawn at random if absent or -1; the answer tells which.
    seed: Seed(LIMITS.max_seed, |r| &mut r.image.seed),
    /// What the picture should not show.
    negative_prompt: Text(|r| &mut r.image.negative_prompt).length(0, LIMITS.max_prompt_chars),
    /// Classifier-free guidance: how closely the picture follows the prompt; 1 or less turns it off. If absent, what suits the model, else
    /// 7.5.
    guidance_scale: Number(LIMITS.guidance_scale, |r| &mut r.image.guidance_scale).or(|| DEFAULT_GUIDANCE_SCALE.into()),
    /// Accepted for clients of older models; it has no effect here.
    style: Text(|r| &mut r.style).one_of(|| vec!["vivid", "natural"]),
    /// Accepted for OpenAI's clients, and not stored.
    user: Text(|r| &mut r.user),
    safety_identifier: Silent(|_, fields, name| drop(fields.read(name, string))),
};

/// Fields of OpenAI's API for what no model here makes.
const REFUSED: [Row<Pictures>; 5] = rows! { Pictures;
    complexity: Silent(|_, fields, name| refuse(fields, name, NO_DRAWINGS)),
    svg: Silent(|_, fields, name| refuse(fields, name, NO_DRAWINGS)),
    frame_count: Silent(|_, fields, name| refuse(fields, name, NO_ANIMATIONS)),
    frame_duration_ms: Silent(|_, fields, name| refuse(fields, name, NO_ANIMATIONS)),
    markup: Silent(|_, fields, name| refuse(fields, name, NO_MARKUP)),
};

const NO_DRAWINGS: TypeFault = ("value_error", "Value error, this server makes pictures of pixels, and no drawings: leave it out");
const NO_ANIMATIONS: TypeFault =
    ("value_error", "Value error, this server makes still pictures here: leave it out, or see POST /generate-video");
const NO_MARKUP: TypeFault = ("value_error", "Value error, the models of this server read no marks: leave it out, or send a mask");

/// The fault of several pictures.
pub(super) const ONE_IMAGE: TypeFault = ("value_error", "Value error, the models of this server start from one picture: send one");

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

fn refuse(fields: &mut Fields<'_>, name: &'static str, fault: TypeFault) {
    if fields.get(name).is_some_and(|value| !value.is_null()) {
        fields.value_fault(name, fault);
    }
}

/// The schema of a form: that of the same body as JSON, with files.
pub(super) fn form_schema<R>(table: &Table<R>, files: &[&str]) -> RefOr<Schema> {
    let mut schema = table.facts().schema.clone();
    schema.as_object_mut().map(|schema| schema.remove("example"));
    if let Some(properties) = schema["properties"].as_object_mut() {
        for name in files {
            if let Some(property) = properties.get_mut(*name) {
                *property = json!({"type": "string", "format": "binary", "description": property["description"]});
            }
        }
        properties.insert("image[]".into(), json!({"type": "string", "format": "binary", "description": "Another name of `image`."}));
    }
    serde_json::from_value(schema).unwrap_or_default()
}

/// A form of `POST /v1/images/edits` in /openapi.json.
pub(crate) enum EditsForm {}

impl utoipa::PartialSchema for EditsForm {
    fn schema() -> RefOr<Schema> {
        form_schema(&EDITS, &["image", "mask"])
    }
}

impl utoipa::ToSchema for EditsForm {
    fn name() -> std::borrow::Cow<'static, str> {
        "OpenAiImageEditForm".into()
    }
}

/// A form of `POST /v1/images/variations` in /openapi.json.
pub(crate) enum VariationsForm {}

impl utoipa::PartialSchema for VariationsForm {
    fn schema() -> RefOr<Schema> {
        form_schema(&VARIATIONS, &["image", "mask"])
    }
}

impl utoipa::ToSchema for VariationsForm {
    fn name() -> std::borrow::Cow<'static, str> {
        "OpenAiImageVariationForm".into()
    }
}

/// The table of a request's body.
pub(crate) fn table(verb: Verb) -> &'static Table<Pictures> {
    match verb {
        Verb::Generate => &GENERATIONS,
        Verb::Edit => &EDITS,
        Verb::Vary => &VARIATIONS,
    }
}

/// How a request wants its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// A link instead of the picture.
    pub(crate) by_url: bool,
    pub(crate) stream: bool,
    pub(crate) partial_images: u32,
    pub(crate) quality: String,
    pub(crate) format: ImageFormat,
}

/// The picture that a request starts from, and where it is repainted.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) image: Option<image::RgbImage>,
    /// White where it is repainted; of the picture's size.
    pub(crate) mask: Option<image::GrayImage>,
}

/// Checks what the table does not; faults are kept for [`Body::request`].
pub(crate) fn check(body: &mut Body<Pictures>, verb: Verb) -> Wanted {
    let Pictures { size, quality, response_format, output_format, background, moderation, style, input_fidelity, .. } = &body.request;
    let is_of = |value: &Option<String>, known: &[&str]| value.as_deref().is_none_or(|value| known.contains(&value));
    let Pictures { stream, partial_images, output_compression, .. } = body.request;
    let (stream, partial_images) = (stream.unwrap_or(false), partial_images.unwrap_or(0));
    let by_url = response_format.as_deref() == Some("url");
    let format = match output_format.as_deref() {
        Some("jpeg" | "jpg") => {
            ImageFormat::Jpeg { quality: output_compression.and_then(|quality| u8::try_from(quality).ok()).unwrap_or(100) }
        }
        Some("webp") => ImageFormat::WebP,
        _ => ImageFormat::Png,
    };
    let is_lossy = matches!(format, ImageFormat::Jpeg { .. });
    let faults = [
        ("size", size.as_deref().is_some_and(|size| size != "auto" && sides(size).is_none()), SIZE_FAULT),
        ("quality", !is_of(quality, &QUALITIES), QUALITY_FAULT),
        ("response_format", !is_of(response_format, &["b64_json", "url"]), RESPONSE_FAULT),
        ("output_format", !is_of(output_format, &["png", "jpeg", "jpg", "webp"]), FORMAT_FAULT),
        ("output_compression", !is_lossy && output_compression.is_some_and(|percent| percent != 100), COMPRESSION_FAULT),
        ("background", !is_of(background, &["auto", "opaque"]), BACKGROUND_FAULT),
        ("moderation", !is_of(moderation, &["auto", "low"]), MODERATION_FAULT),
        ("style", !is_of(style, &["vivid", "natural"]), STYLE_FAULT),
        ("input_fidelity", !is_of(input_fidelity, &["high", "low"]), FIDELITY_FAULT),
        ("stream", stream && verb == Verb::Vary, NO_STREAM),
        ("response_format", stream && by_url, STREAM_URL_FAULT),
        ("partial_images", partial_images > 0 && !stream, PARTIAL_FAULT),
    ];
    let wanted = Wanted {
        by_url,
        stream,
        partial_images: u32::try_from(partial_images).unwrap_or(0),
        quality: quality.clone().unwrap_or_else(|| "auto".into()),
        format,
    };
    body.request.image.seed.get_or_insert_with(|| random_seed().into());
    for (field, is_fault, fault) in faults {
        if is_fault {
            body.look(|fields| fields.value_fault(field, fault));
        }
    }
    wanted
}

/// The two sides of a size.
fn sides(size: &str) -> Option<(u32, u32)> {
    let (width, height) = size.trim().split_once(['x', 'X', '\u{d7}'])?;
    let side = |text: &str| text.trim().parse().ok().filter(|side| (SIDE.0..=SIDE.1).contains(side));
    Some((side(width)?, side(height)?))
}

impl Pictures {
    /// The model that the request names.
    pub(crate) fn model(&self) -> Option<&str> {
        self.image.model.as_deref()
    }

    /// Sets the model by its name on this machine.
    pub(crate) fn set_model(&mut self, model: Option<String>) {
        self.image.model = model;
    }

    /// Remarks on fields that have no effect here.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let style = self.style.as_ref().map(|style| format!("style {style:?} has no effect here: say it in the prompt"));
        style.into_iter().collect()
    }

    /// The request for the pictures, with the given one cut to the requested proportions. Resizes it, which takes a moment.
    pub(crate) fn image_request(&self, verb: Verb, format: ImageFormat, given: Given, model: &ModelInfo, limits: &Limits) -> ImageRequest {
        let size = self.size.as_deref().and_then(sides).or_else(|| given.image.as_ref().map(image::RgbImage::dimensions));
        let native = size.map(|size| native_size(size, limits, model));
        let is_masked = given.mask.is_some();
        let Given { image, mask } = given.fitted(size, native);
        let default_strength = match (verb, is_masked, self.input_fidelity.as_deref()) {
            (Verb::Vary, ..) => VARIATION_STRENGTH,
            (_, true, _) => MASKED_STRENGTH,
            (_, false, Some("high")) => FAITHFUL_STRENGTH,
            (_, false, _) => EDIT_STRENGTH,
        };
        let strength = image.is_some().then(|| self.image.strength.unwrap_or(default_strength));
        let is_wordless = self.image.prompt.as_ref().is_none_or(|prompt| prompt.trim().is_empty());
        ImageRequest {
            num_inference_steps: self.image.num_inference_steps.or_else(|| self.steps(model)),
            // Without a text there is nothing to be guided to.
            guidance_scale: self.image.guidance_scale.or((verb == Verb::Vary && is_wordless).then_some(1.0)),
            wordless: verb == Verb::Vary,
            width: native.map(|(width, _)| width.into()),
            height: native.map(|(_, height)| height.into()),
            output_size: size,
            file_format: format,
            init_image: image,
            mask_image: mask,
            strength,
            ..self.image.clone()
        }
    }

    /// The steps of a quality, relative to the model's own; `None` for the model's.
    fn steps(&self, model: &ModelInfo) -> Option<i128> {
        let own = i128::from(model.defaults.num_inference_steps.unwrap_or(DEFAULT_STEPS));
        let steps = match self.quality.as_deref()? {
            "low" => (own + 1) / 2,
            "high" | "hd" => (own * 3 + 1) / 2,
            "xhigh" | "max" => own * 2,
            _ => return None,
        };
        Some(steps.clamp(LIMITS.steps.0.into(), LIMITS.steps.1.into()))
    }
}

/// The fault of a request whose picture is missing.
pub(crate) fn no_image(body: &mut Body<Pictures>) {
    body.look(|fields| fields.rule_fault("image", generation::FieldErrorKind::Missing));
}

/// Validation faults under this API's field names.
pub(crate) fn renamed(errors: Vec<FieldError>) -> Vec<FieldError> {
    let of = |error: FieldError| FieldError { field: if error.group.is_none() { field_name(error.field) } else { error.field }, ..error };
    errors.into_iter().map(of).collect()
}

/// This API's name for a field of an [`ImageRequest`].
pub(crate) fn field_name(field: &str) -> &str {
    match field {
        "count" => "n",
        "width" | "height" | "output_size" => "size",
        "init_image" => "image",
        "mask_image" => "mask",
        same => same,
    }
}

/// The fault of a field in which a model finds a fault while it runs.
pub(crate) fn refusal(field: &str, reason: &str) -> Problem {
    Problem::invalid(vec![crate::inputs::value_error(field_name(field), reason.to_owned(), &Value::Null)])
}
