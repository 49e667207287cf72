//! Parsing the bodies of `POST /api/v1/images/generate` and `/generate-i2i`.
//!
//! The invariant: the model makes a picture of about its own number of pixels, in the requested proportions; the rest is resizing.

use diffusion_core::imaging::{Part, resized_mask, resized_part};
use generation::{
    ControlRequest, FieldError, FieldErrorKind, ImageRequest, ImageSpec, Limits, MaskRequest, ModelInfo, Priority,
    limits::{MASK_BLUR, MASK_PADDING, SHARE, SIDE_MULTIPLE},
    spec::image::MaskContent,
    validate::{DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS},
};
use guarded_http::Guard;
use image::{GrayImage, Luma, RgbImage};

use crate::{
    api::{
        images::{
            controls_body::{Controls, control_rows},
            generate_body::{image_rows, one_image_row},
        },
        tasks::{
            clip_body::{DEFAULT_SIZE, NO_OPTIMIZER},
            priority,
        },
    },
    http::{Problem, RequestNotes},
    inputs::{Body, EXAMPLE_IMAGE, Holds, Row, TypeFault, body_table, check_callback, random_seed, rows},
};

const LIMITS: Limits = Limits::DEFAULT;
/// The bounds of a picture's sides.
const SIDE: (u32, u32) = (64, 4096);
/// The services that a request can name; this machine makes the picture in any case.
const SERVICES: [&str; 4] = ["local", "doubao", "nano_banana", "midjourney"];
const SERVICE_FAULT: TypeFault = ("enum", "Input should be 'local', 'doubao', 'nano_banana' or 'midjourney'");
/// The qualities with their steps. Without one, a picture has the model's own.
const QUALITIES: [(&str, u32); 4] = [("low", 10), ("medium", 20), ("high", 30), ("ultra", 50)];
const QUALITY_FAULT: TypeFault = ("enum", "Input should be 'low', 'medium', 'high' or 'ultra'");
/// The default padding of a part that alone is made.
const DEFAULT_MASK_PADDING: i128 = 32;
/// The default weight of a given picture.
const DEFAULT_REFERENCE_WEIGHT: f64 = 0.7;
/// Models have not been trained on proportions beyond 4:1.
const LONGEST: f64 = 4.0;

/// A request for a picture, in this API's format.
#[derive(Default)]
pub(crate) struct Image {
    /// All fields except the size and those derived from others.
    image: ImageRequest,
    pub(crate) controls: Controls,
    service: Option<String>,
    quality: Option<String>,
    style: Option<String>,
    width: Option<i128>,
    height: Option<i128>,
    /// The share of the given picture that stays.
    reference_weight: Option<f64>,
    /// The share of it that is repainted.
    strength: Option<f64>,
    /// The given picture, as the caller names or sends it.
    pub(crate) source: Option<String>,
    /// The mask, likewise.
    pub(crate) mask: Option<String>,
    /// How it is applied.
    masking: MaskRequest,
    optimize_prompt: Option<bool>,
    priority: Option<String>,
    /// The task's priority among the caller's tasks.
    pub(crate) own_priority: Priority,
    pub(crate) callback_url: Option<String>,
}

impl Image {
    /// The model that the request names.
    pub(crate) fn model(&self) -> Option<&str> {
        self.image.model.as_deref()
    }

    /// The refiner that the request names.
    pub(crate) fn refiner(&self) -> Option<&str> {
        self.image.refiner.as_deref()
    }

    /// Sets the model by its name on this machine.
    pub(crate) fn set_model(&mut self, model: Option<String>) {
        self.image.model = model;
    }
}

impl Holds<ImageRequest> for Image {
    fn held(&mut self) -> &mut ImageRequest {
        &mut self.image
    }
}

impl Holds<Controls> for Image {
    fn held(&mut self) -> &mut Controls {
        &mut self.controls
    }
}

body_table! {
    /// The body of `POST /api/v1/images/generate`. Other programs' names of the fields are accepted; unknown keys are ignored, and named in
    /// the answer's `ignored_fields`.
    IMAGE: Image, ImageTaskBody as "PictureTaskRequest",
    example {"prompt": "a peaceful sunrise over mountains with mist", "width": 1920, "height": 1080, "quality": "high"},
    [&PROMPT, &SIZE, &SETTINGS, &image_rows(), &one_image_row(), &control_rows(), &TASK]
}

body_table! {
    /// The body of `POST /api/v1/images/generate-i2i`: that of `POST /api/v1/images/generate`, and a picture, perhaps with a mask.
    IMAGE_FROM_IMAGE: Image, ImageFromImageBody as "PictureFromPictureRequest",
    example {
        "image": EXAMPLE_IMAGE, "prompt": "the sea at night with boats and a moon", "reference_weight": 0.5, "width": 1024, "height": 1024
    },
    [
        &PROMPT,
        &rows! { Image;
            /// The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL. It is cropped to the requested
            /// proportions about its middle.
            image: Text(|r| &mut r.source).required().checked(),
        },
        &MASKING,
        &SIZE,
        &rows! { Image;
            /// How much of it stays: 1 - `reference_weight` of the steps run on it, and at least one.
            reference_weight: Number(SHARE, |r| &mut r.reference_weight).or(|| DEFAULT_REFERENCE_WEIGHT.into()),
            /// The same from the other end, as in diffusers: the share of the steps.
            strength: Number(SHARE, |r| &mut r.strength),
        },
        &SETTINGS,
        &image_rows(),
        &one_image_row(),
        &control_rows(),
        &TASK,
    ]
}

const PROMPT: [Row<Image>; 1] = rows! { Image;
    /// What the picture shows.
    prompt: Text(|r| &mut r.image.prompt).required().length(1, LIMITS.max_prompt_chars),
};

const MASKING: [Row<Image>; 6] = rows! { Image;
    /// Where the picture is repainted, given as `image` is: a picture that is white there and black elsewhere, or, if it is transparent
    /// anywhere, opaque there. It is resized to the picture's size. What is black of it is there again in the result, pixel for pixel where
    /// `width` and `height` are the picture's.
    mask: Text(|r| &mut r.mask).checked(),
    /// The blur of the mask's edge, in pixels: the picture is repainted a little beyond it.
    mask_blur: Number(MASK_BLUR, |r| &mut r.masking.blur).checked().or(|| 0.into()),
    /// What the masked part starts from: the colours around it (`fill`), the picture, noise, or nothing.
    mask_fill: Text(|r| &mut r.masking.fill).one_of(|| MaskContent::ALL.map(|(name, _)| name).to_vec()).or(|| "original".into()),
    /// Whether the part about the mask alone is made, at the model's full size, and put back.
    mask_only: Truth(|r| &mut r.masking.only_masked),
    /// The pixels about the mask that belong to that part.
    mask_padding: Whole(MASK_PADDING, |r| &mut r.masking.padding).checked().or(|| 32.into()),
    /// Whether everything but the mask is repainted.
    mask_invert: Truth(|r| &mut r.masking.invert),
};

const SIZE: [Row<Image>; 3] = rows! { Image;
    /// The service that should make it. This machine makes it in any case, and the answer says so.
    service: Text(|r| &mut r.service).one_of(|| SERVICES.to_vec()).or(|| "local".into()),
    /// Width in pixels. The model makes the picture at about its own number of pixels in these proportions, then it is resized; the answer
    /// has both sizes.
    width: Whole(SIDE, |r| &mut r.width).checked().or(|| DEFAULT_SIZE.0.into()),
    /// Height in pixels.
    height: Whole(SIDE, |r| &mut r.height).checked().or(|| DEFAULT_SIZE.1.into()),
};

const SETTINGS: [Row<Image>; 6] = rows! { Image;
    /// The number of denoising steps: 10, 20, 30 or 50. Without `quality` and `steps`, as many as `GET /models` reports for the model.
    quality: Text(|r| &mut r.quality).one_of(|| QUALITIES.map(|(name, _)| name).to_vec()),
    /// Appended to the prompt after a comma: "watercolour".
    style: Text(|r| &mut r.style).length(0, LIMITS.max_prompt_chars),
    /// What the picture should not show.
    negative_prompt: Text(|r| &mut r.image.negative_prompt).length(0, LIMITS.max_prompt_chars),
    /// The noise's seed. Drawn at random if absent or -1; the answer tells which.
    seed: Seed(LIMITS.max_seed, |r| &mut r.image.seed),
    /// How closely the picture follows the prompt; 1 or less turns guidance off.
    cfg_scale: Number(LIMITS.guidance_scale, |r| &mut r.image.guidance_scale).or(|| DEFAULT_GUIDANCE_SCALE.into()),
    /// Denoising steps; takes precedence over `quality`.
    steps: Whole(LIMITS.steps, |r| &mut r.image.num_inference_steps),
};

const TASK: [Row<Image>; 3] = rows! { Image;
    /// true is refused: this server does not rewrite prompts.
    optimize_prompt: Truth(|r| &mut r.optimize_prompt),
    /// Its priority among your waiting tasks: a higher one is served first. It does not pass the tasks of other keys.
    priority: Text(|r| &mut r.priority).one_of(priority::names).or(|| "normal".into()),
    /// Where to post the job's result, signed as Standard Webhooks: a public http or https address.
    callback_url: Text(|r| &mut r.callback_url),
};

/// Parses the fields; faults are kept for [`Body::check_image`]. With `wants_image` the body needs a picture to start from; without it,
/// fields about one are ignored.
pub(crate) fn parse(body: &[u8], wants_image: bool, guard: &Guard) -> Result<Body<Image>, Problem> {
    let mut body = if wants_image { &IMAGE_FROM_IMAGE } else { &IMAGE }.parse(body)?;
    check_callback(&mut body, |image| image.callback_url.as_deref(), guard);
    check_weight(&mut body);
    check_masking(&mut body);
    if body.request.service.as_deref().is_some_and(|name| !SERVICES.contains(&name)) {
        body.look(|fields| fields.value_fault("service", SERVICE_FAULT));
    }
    if body.request.optimize_prompt == Some(true) {
        body.look(|fields| fields.value_fault("optimize_prompt", NO_OPTIMIZER));
    }
    body.request.own_priority = priority::of(&mut body, |image| image.priority.as_deref());
    let quality = body.request.quality.take();
    let steps = quality.as_deref().and_then(|quality| QUALITIES.into_iter().find(|(name, _)| *name == quality));
    if quality.is_some() && steps.is_none() {
        body.look(|fields| fields.value_fault("quality", QUALITY_FAULT));
    }
    let Image { image, style, .. } = &mut body.request;
    image.num_inference_steps = image.num_inference_steps.or(steps.map(|(_, steps)| steps.into()));
    image.seed.get_or_insert_with(|| random_seed().into());
    // A blank prompt stays blank, so that it is refused.
    if let (Some(prompt), Some(style)) = (&mut image.prompt, style)
        && !prompt.trim().is_empty()
        && !style.trim().is_empty()
    {
        *prompt = format!("{prompt}, {style}");
    }
    Ok(body)
}

/// Reads the weight of a given picture from `reference_weight`, or from its complement `strength`, as in diffusers and AUTOMATIC1111.
fn check_weight(body: &mut Body<Image>) {
    let Image { reference_weight, strength, .. } = body.request;
    let value = |error: String| FieldErrorKind::Value { error };
    let fault = match (reference_weight, strength) {
        (None, Some(strength)) if (0.0..=1.0).contains(&strength) => {
            body.request.reference_weight = Some(1.0 - strength);
            return;
        }
        (None, Some(_)) => Some(("strength", value("a strength is 0 to 1".into()))),
        // Rounded to six digits, so that 0.3 and 0.7 make 1.
        (Some(weight), Some(strength)) if ((weight + strength - 1.0) * 1e6).round() != 0.0 => {
            let error = format!("it says the same as reference_weight, which would be {}: give one of them", 1.0 - strength);
            Some(("strength", value(error)))
        }
        (weight, _) => weight.and_then(|weight| Some(("reference_weight", FieldErrorKind::of_float(weight, SHARE)?))),
    };
    if let Some((field, kind)) = fault {
        body.look(|fields| fields.rule_fault(field, kind));
        body.request.reference_weight = None;
    }
}

/// Refuses fields about a mask without one.
fn check_masking(body: &mut Body<Image>) {
    body.request.mask = body.request.mask.take().filter(|mask| !mask.trim().is_empty());
    if body.request.mask.is_some() {
        return;
    }
    let MaskRequest { blur, fill, only_masked, padding, invert } = std::mem::take(&mut body.request.masking);
    for (field, is_given) in [
        ("mask_blur", blur.is_some()),
        ("mask_fill", fill.is_some()),
        ("mask_only", only_masked.is_some()),
        ("mask_padding", padding.is_some()),
        ("mask_invert", invert.is_some()),
    ] {
        if is_given {
            let error = "it says how a mask is applied, and there is none (mask)".to_owned();
            body.look(|fields| fields.rule_fault(field, FieldErrorKind::Value { error }));
        }
    }
}

/// The picture to start from, and where it is repainted; both of one size.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) image: Option<RgbImage>,
    pub(crate) mask: Option<GrayImage>,
}

impl Given {
    /// Cut to the wanted proportions, and resized. What a mask keeps must not go through the model's size, so then both get the wanted one.
    fn fitted(self, wanted: (u32, u32), native: (u32, u32)) -> Self {
        let Some(image) = self.image else { return Self::default() };
        let part = Part::covering(image.dimensions(), wanted);
        let (width, height) = if self.mask.is_some() { wanted } else { native };
        if self.mask.is_some() && image.dimensions() == wanted {
            return Self { image: Some(image), mask: self.mask };
        }
        let mask = self.mask.and_then(|mask| resized_mask(&mask, part, width, height).ok());
        Self { image: resized_part(&image, part, width, height).ok(), mask }
    }

    /// Stand-ins for pictures that are not there yet: the mask is white somewhere and black elsewhere.
    fn stand_in(has_mask: bool) -> Self {
        let mask = GrayImage::from_fn(8, 8, |x, _| Luma([if x < 4 { 255 } else { 0 }]));
        Self { image: Some(RgbImage::new(8, 8)), mask: has_mask.then_some(mask) }
    }
}

impl Body<Image> {
    /// The notes on the body before it is validated.
    pub(crate) fn notes(&self, model: &ModelInfo) -> RequestNotes {
        let image = &self.request.image;
        let texts = [&image.prompt, &image.negative_prompt].into_iter().flatten();
        RequestNotes::new(self.named.ignored.clone(), model.unread_scripts(texts.map(String::as_str)))
    }

    /// Validates all fields but the given pictures.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn check_image(&self, limits: &Limits, model: &ModelInfo) -> Result<(), Problem> {
        let given = self.request.source.as_ref().map_or_else(Given::default, |_| Given::stand_in(self.request.mask.is_some()));
        self.fitted_spec((given, self.request.controls.without_images()), limits, model).map(drop)
    }

    /// The spec of the picture, from the given picture and the ControlNets with theirs. Resizes the given picture, if any, which takes a
    /// moment.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn image_spec(
        &self,
        (given, controlnets): (Given, Vec<ControlRequest>),
        limits: &Limits,
        model: &ModelInfo,
    ) -> Result<ImageSpec, Problem> {
        let wanted = self.wanted_size();
        self.fitted_spec((given.fitted(wanted, native_size(wanted, limits, model)), controlnets), limits, model)
    }

    fn wanted_size(&self) -> (u32, u32) {
        let side = |given: Option<i128>, default| given.and_then(|given| u32::try_from(given).ok()).unwrap_or(default);
        (side(self.request.width, DEFAULT_SIZE.0), side(self.request.height, DEFAULT_SIZE.1))
    }

    fn fitted_spec(
        &self,
        (given, controlnets): (Given, Vec<ControlRequest>),
        limits: &Limits,
        model: &ModelInfo,
    ) -> Result<ImageSpec, Problem> {
        let request = &self.request.image;
        let wanted = self.wanted_size();
        let (native_width, native_height) = native_size(wanted, limits, model);
        let steps = request.num_inference_steps.unwrap_or_else(|| model.defaults.num_inference_steps.unwrap_or(DEFAULT_STEPS).into());
        let mask = given
            .mask
            .is_some()
            .then(|| MaskRequest { padding: self.request.masking.padding.or(Some(DEFAULT_MASK_PADDING)), ..self.request.masking.clone() });
        let request = ImageRequest {
            num_inference_steps: Some(steps),
            width: Some(native_width.into()),
            height: Some(native_height.into()),
            output_size: Some(wanted),
            strength: given.image.is_some().then(|| self.strength(steps)),
            init_image: given.image,
            mask_image: given.mask,
            mask,
            controlnets,
            guess_mode: self.request.controls.guess_mode,
            ..request.clone()
        };
        self.or_problem(request.validate(limits, model).map_err(|errors| errors.into_iter().map(renamed).collect()))
    }

    /// The share of the steps that run on the given picture: at least one step.
    fn strength(&self, steps: i128) -> f64 {
        let weight = self.request.reference_weight.unwrap_or(DEFAULT_REFERENCE_WEIGHT);
        let steps = steps.max(1) as f64;
        // Rounded to six digits, so that 1 - 0.7 is 0.3. The minimum is slightly above one step's share, which may have been rounded down.
        let strength = ((1.0 - weight) * 1e6).round() / 1e6;
        strength.max((1.0 / steps).next_up()).min(1.0)
    }
}

/// This API's name for a field of an [`ImageRequest`].
pub(crate) fn image_field(field: &str) -> &str {
    match field {
        "num_inference_steps" => "steps",
        "guidance_scale" => "cfg_scale",
        "strength" => "reference_weight",
        "init_image" => "image",
        "mask_image" => "mask",
        same => same,
    }
}

/// The fault under this API's field name.
fn renamed(error: FieldError) -> FieldError {
    match (error.group, error.field) {
        (Some("mask"), field) => FieldError { field: mask_field(field), group: None, ..error },
        (Some(_), _) => error,
        (None, field) => FieldError { field: image_field(field), ..error },
    }
}

/// This API's name for a field of a [`MaskRequest`].
fn mask_field(field: &'static str) -> &'static str {
    match field {
        "blur" => "mask_blur",
        "fill" => "mask_fill",
        "padding" => "mask_padding",
        same => same,
    }
}

/// The size at which the model makes a picture of these proportions: about its own number of pixels, in multiples of eight.
pub(crate) fn native_size(wanted: (u32, u32), limits: &Limits, model: &ModelInfo) -> (u32, u32) {
    let (width, height) = model.defaults.size.unwrap_or((model.default_width, model.default_height));
    let pixels = f64::from(width) * f64::from(height);
    let ratio = (f64::from(wanted.0.max(1)) / f64::from(wanted.1.max(1))).clamp(1.0 / LONGEST, LONGEST);
    let side = |pixels: f64| {
        let multiples = (pixels.sqrt() / f64::from(SIDE_MULTIPLE)).round() as u32;
        multiples.saturating_mul(SIDE_MULTIPLE).clamp(limits.side.0, limits.side.1)
    };
    (side(pixels * ratio), side(pixels / ratio))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use diffusion_core::schedulers::SchedulerKind;

    use super::*;

    fn model(width: u32, height: u32) -> Arc<ModelInfo> {
        Arc::new(ModelInfo {
            name: "a".into(),
            family: None,
            family_name: None,
            motion: "b".into(),
            device: "cpu".into(),
            precision: "f32".into(),
            device_reason: "c".into(),
            default_width: width,
            default_height: height,
            scheduler: Some(SchedulerKind::Ddim.into()),
            scheduler_reason: String::new(),
            scripts: diffusion_core::tokenizer::Scripts::default(),
            vaes: vec![diffusion_core::weights::VaeChoice::Full],
            other_vae: None,
            other_text_encoders: Vec::new(),
            defaults: generation::ModelDefaults::default(),
            adapters: None,
            controlnets: None,
            upscalers: None,
            remarks: Vec::new(),
            identity: None,
        })
    }

    #[test]
    fn the_native_size_has_about_the_models_own_number_of_pixels() {
        let native = |own: (u32, u32), wanted| native_size(wanted, &Limits::DEFAULT, &model(own.0, own.1));
        assert_eq!(native((512, 512), (1920, 1080)), (680, 384));
        assert_eq!(native((512, 512), (4096, 4096)), (512, 512));
        assert_eq!(native((128, 128), (1920, 1080)), (168, 96));
        assert_eq!(native((128, 128), (1080, 1920)), (96, 168));
        assert_eq!(native((128, 128), (4096, 64)), (256, 64));
    }
}
