//! Understanding the bodies of `POST /api/v1/images/generate` and `/generate-i2i`.
//!
//! The invariant: the model makes a picture at about its own number of pixels, in the proportions that are asked for; what is asked for
//! beyond that is resizing.

use diffusion_core::preprocess::{self, Part};
use generation::{FieldError, FieldErrorKind, ImageRequest, ImageSpec, Limits, ModelInfo, field_error::Bound, limits::SIDE_MULTIPLE};
use guarded_http::Guard;
use image::RgbImage;
use serde_json::Value;

use crate::{
    api::tasks::{
        clip_body::not_optimized,
        request_wire::{DEFAULT_SIZE, SIDES},
    },
    http::{Problem, RequestNotes, ValidationErrorDetail},
    inputs::{
        Fields, NamedBody, Shape, TypeFault, callback_fault, field_names::one_picture, float, integer, judged, parse_named, random_seed,
        scheduler, seed, string, value_error,
    },
};

/// The order in which faults are told.
const FIELDS: [&str; 18] = [
    "prompt",
    "image",
    "service",
    "width",
    "height",
    "reference_weight",
    "strength",
    "quality",
    "style",
    "negative_prompt",
    "seed",
    "cfg_scale",
    "steps",
    "scheduler",
    "sampler",
    "n",
    "optimize_prompt",
    "callback_url",
];
static SHAPE: Shape = Shape::new(&FIELDS, &[]);
/// Without a picture to start from, what is said of one is ignored.
static SHAPE_WITHOUT_PICTURE: Shape = Shape::new(&FIELDS_WITHOUT_PICTURE, &[]);
const FIELDS_WITHOUT_PICTURE: [&str; 15] = [
    "prompt",
    "service",
    "width",
    "height",
    "quality",
    "style",
    "negative_prompt",
    "seed",
    "cfg_scale",
    "steps",
    "scheduler",
    "sampler",
    "n",
    "optimize_prompt",
    "callback_url",
];

/// The services that clients name; whichever it is, this machine makes the picture.
const SERVICES: [&str; 4] = ["local", "doubao", "nano_banana", "midjourney"];
/// The steps of each quality, and the quality when nobody says.
const QUALITIES: [(&str, u32); 4] = [("low", 10), ("medium", 20), ("high", 30), ("ultra", 50)];
const DEFAULT_STEPS: u32 = 30;
/// How much of a given picture stays when nobody says.
const DEFAULT_REFERENCE_WEIGHT: f64 = 0.7;
/// Proportions beyond 4:1 are none that a model has seen.
const LONGEST: f64 = 4.0;

/// A body that is JSON, and its fields so far.
#[derive(Debug)]
pub(crate) struct PictureBody {
    named: NamedBody,
    request: ImageRequest,
    size: [Option<i128>; 2],
    /// How much of the given picture stays; only where there is one.
    reference_weight: Option<f64>,
    /// The given picture, as the caller names or sends it.
    pub(crate) source: Option<String>,
    wants_picture: bool,
    /// Where to tell of the end.
    pub(crate) callback_url: Option<String>,
    faults: Vec<ValidationErrorDetail>,
}

/// Reads the fields that are there; faults are kept for [`PictureBody::check`]. `wants_picture` where one is to start from.
pub(crate) fn parse(body: &[u8], wants_picture: bool, guard: &Guard) -> Result<PictureBody, Problem> {
    let named = parse_named(body, if wants_picture { &SHAPE } else { &SHAPE_WITHOUT_PICTURE })?;
    let mut fields = Fields::new(&named.json);
    let source = if wants_picture { fields.required("image", string) } else { None };
    let reference_weight = if wants_picture { weight(&mut fields) } else { None };
    let prompt = fields.required("prompt", string);
    let style = fields.read("style", string).filter(|style| !style.trim().is_empty());
    fields.read("service", |value| known(value, &SERVICES, SERVICE_FAULT));
    let quality = fields.read("quality", |value| known(value, &QUALITIES.map(|(name, _)| name), QUALITY_FAULT));
    let steps = quality.and_then(|name| QUALITIES.into_iter().find(|(known, _)| *known == name)).map_or(DEFAULT_STEPS, |(_, steps)| steps);
    let size = [fields.read("width", integer), fields.read("height", integer)];
    let request = ImageRequest {
        // A prompt of blanks stays one, and is told so.
        prompt: prompt.map(|prompt| match style {
            Some(style) if !prompt.trim().is_empty() => format!("{prompt}, {style}"),
            Some(_) | None => prompt,
        }),
        negative_prompt: fields.read("negative_prompt", string),
        num_inference_steps: Some(fields.read("steps", integer).unwrap_or(steps.into())),
        guidance_scale: fields.read("cfg_scale", float),
        seed: Some(fields.read("seed", seed).unwrap_or(random_seed().into())),
        scheduler: scheduler(&mut fields),
        ..ImageRequest::default()
    };
    fields.read("optimize_prompt", not_optimized);
    let callback_url = fields.read("callback_url", string);
    let mut faults = fields.faults;
    faults.extend(callback_url.as_deref().and_then(|url| callback_fault(url, guard)));
    faults.extend(named.json.get("n").and_then(one_picture));
    Ok(PictureBody { named, request, size, reference_weight, source, wants_picture, callback_url, faults })
}

const SERVICE_FAULT: TypeFault = ("enum", "Input should be 'local', 'doubao', 'nano_banana' or 'midjourney'");
const QUALITY_FAULT: TypeFault = ("enum", "Input should be 'low', 'medium', 'high' or 'ultra'");

/// How much of a given picture stays: as it is said here, or as the share that is painted anew, as diffusers and AUTOMATIC1111 say it.
fn weight(fields: &mut Fields<'_>) -> Option<f64> {
    let (weight, strength) = (fields.read("reference_weight", float), fields.read("strength", float));
    match (weight, strength) {
        (None, Some(strength)) if (0.0..=1.0).contains(&strength) => Some(1.0 - strength),
        (None, Some(_)) => {
            fields.rule_fault("strength", FieldErrorKind::Value { error: "a strength is 0 to 1".into() });
            None
        }
        // Six digits, so that 0.3 and 0.7 make one.
        (Some(weight), Some(strength)) if ((weight + strength - 1.0) * 1e6).round() != 0.0 => {
            let error = format!("it says the same as reference_weight, which would be {}: give one of them", 1.0 - strength);
            fields.rule_fault("strength", FieldErrorKind::Value { error });
            None
        }
        (weight, _) => weight,
    }
}

fn known(value: &Value, names: &[&str], fault: TypeFault) -> Result<String, TypeFault> {
    let name = string(value)?;
    if names.contains(&name.as_str()) { Ok(name) } else { Err(fault) }
}

impl PictureBody {
    /// What is to be said of the body.
    pub(crate) fn notes(&self, model: &ModelInfo) -> RequestNotes {
        let texts = [&self.request.prompt, &self.request.negative_prompt].into_iter().flatten();
        RequestNotes::new(self.named.ignored.clone(), model.unread_scripts(texts.map(String::as_str)))
    }

    /// Checks all but the given picture.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn check(&self, limits: &Limits, model: &ModelInfo) -> Result<(), Problem> {
        let image = self.source.as_ref().map(|_| RgbImage::new(1, 1));
        judged(self.validated(image, limits, model), self.faults.clone(), &self.named, &FIELDS).map(drop)
    }

    /// The fault of the given picture.
    pub(crate) fn picture_fault(&self, error: String) -> Problem {
        let faults = vec![value_error("image", error, self.named.json.get("image").unwrap_or(&Value::Null))];
        Problem::invalid(self.named.at_sent_keys(faults))
    }

    /// The spec of what is to be made, of the given picture where there is one. Resizes that, which takes a moment.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn into_spec(self, image: Option<RgbImage>, limits: &Limits, model: &ModelInfo) -> Result<ImageSpec, Problem> {
        judged(self.validated(image, limits, model), self.faults, &self.named, &FIELDS)
    }

    fn validated(&self, image: Option<RgbImage>, limits: &Limits, model: &ModelInfo) -> Result<ImageSpec, Vec<FieldError>> {
        let mut errors = Vec::new();
        let [width, height] = [("width", self.size[0], DEFAULT_SIZE.0), ("height", self.size[1], DEFAULT_SIZE.1)]
            .map(|(field, given, default)| side(field, given, default, &mut errors));
        let wanted = (width, height);
        let (native_width, native_height) = native_size(wanted, limits, model);
        let (init_image, strength) = if self.wants_picture {
            let weight = self.weight(&mut errors);
            if image.is_none() {
                errors.push(FieldError::new("image", "", FieldErrorKind::Missing));
            }
            let image = image.and_then(|image| {
                let part = Part::covering(image.dimensions(), wanted);
                preprocess::resized_part(&image, part, native_width, native_height).ok()
            });
            let strength = image.is_some().then(|| self.strength(weight));
            (image, strength)
        } else {
            (None, None)
        };
        let request = ImageRequest {
            width: Some(native_width.into()),
            height: Some(native_height.into()),
            output_size: Some(wanted),
            init_image,
            strength,
            ..self.request.clone()
        };
        match request.validate(limits, model) {
            Ok(spec) if errors.is_empty() => Ok(spec),
            Ok(_) => Err(errors),
            Err(more) => {
                errors.extend(more.into_iter().map(renamed));
                Err(errors)
            }
        }
    }

    fn weight(&self, errors: &mut Vec<FieldError>) -> f64 {
        let weight = self.reference_weight.unwrap_or(DEFAULT_REFERENCE_WEIGHT);
        if !(0.0..=1.0).contains(&weight) {
            let kind = if weight < 0.0 {
                FieldErrorKind::GreaterThanEqual { ge: Bound::Float(0.0) }
            } else {
                FieldErrorKind::LessThanEqual { le: Bound::Float(1.0) }
            };
            errors.push(FieldError::new("reference_weight", weight, kind));
        }
        weight.clamp(0.0, 1.0)
    }

    /// The share of the steps that are run on a picture of which so much is to stay: at least one step's.
    fn strength(&self, weight: f64) -> f64 {
        let steps = self.request.num_inference_steps.unwrap_or(DEFAULT_STEPS.into()).max(1) as f64;
        // Six digits, so that 1 - 0.7 is 0.3; and a little more than a step's share, which may have been rounded down.
        let strength = ((1.0 - weight) * 1e6).round() / 1e6;
        strength.max((1.0 / steps).next_up()).min(1.0)
    }
}

/// The name that a field of an [`ImageRequest`] has here.
pub(crate) fn picture_field(field: &str) -> &str {
    match field {
        "num_inference_steps" => "steps",
        "guidance_scale" => "cfg_scale",
        "strength" => "reference_weight",
        "init_image" => "image",
        same => same,
    }
}

/// A field under the name that it has here.
fn renamed(error: FieldError) -> FieldError {
    let field = picture_field(error.field);
    FieldError { field, ..error }
}

/// A wanted side; the default's stands in for one that is wrong, which leaves an error behind.
fn side(field: &'static str, given: Option<i128>, default: u32, errors: &mut Vec<FieldError>) -> u32 {
    let (least, most) = SIDES;
    let Some(given) = given else { return default };
    match u32::try_from(given) {
        Ok(side) if (least..=most).contains(&side) => return side,
        Ok(_) | Err(_) => {}
    }
    let kind = if given < i128::from(least) {
        FieldErrorKind::GreaterThanEqual { ge: Bound::Integer(least.into()) }
    } else {
        FieldErrorKind::LessThanEqual { le: Bound::Integer(most.into()) }
    };
    errors.push(FieldError::new(field, given, kind));
    default
}

/// The size at which the model makes a picture of these proportions: about its own number of pixels, in multiples of eight.
pub(crate) fn native_size(wanted: (u32, u32), limits: &Limits, model: &ModelInfo) -> (u32, u32) {
    let pixels = f64::from(model.default_width) * f64::from(model.default_height);
    let ratio = (f64::from(wanted.0.max(1)) / f64::from(wanted.1.max(1))).clamp(1.0 / LONGEST, LONGEST);
    let side = |pixels: f64| {
        let multiples = (pixels.sqrt() / f64::from(SIDE_MULTIPLE)).round() as u32;
        multiples.saturating_mul(SIDE_MULTIPLE).clamp(limits.min_side, limits.max_side)
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
            motion: "b".into(),
            device: "cpu".into(),
            precision: "f32".into(),
            device_reason: "c".into(),
            default_width: width,
            default_height: height,
            scheduler: Some(SchedulerKind::Ddim.into()),
            scheduler_reason: String::new(),
            memory: generation::MemoryPlan::default(),
            scripts: diffusion_core::tokenizer::Scripts::default(),
            remarks: Vec::new(),
        })
    }

    #[test]
    fn a_model_makes_about_as_many_pixels_as_it_was_made_for() {
        let native = |own: (u32, u32), wanted| native_size(wanted, &Limits::DEFAULT, &model(own.0, own.1));
        assert_eq!(native((512, 512), (1920, 1080)), (680, 384));
        assert_eq!(native((512, 512), (4096, 4096)), (512, 512));
        assert_eq!(native((128, 128), (1920, 1080)), (168, 96));
        assert_eq!(native((128, 128), (1080, 1920)), (96, 168));
        assert_eq!(native((128, 128), (4096, 64)), (256, 64));
    }
}
