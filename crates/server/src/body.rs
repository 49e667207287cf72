//! Understanding the body of `POST /generate`: its type, then JSON, then fields, each with its own error.
//!
//! Fields are read one by one from the JSON value, so that all faults are told at once and by name. The leniency is pydantic's: whole
//! numbers may come as 25.0 or "25", truth values as "true" or 1. An optional field may be null. Names of rules and sentences are pydantic's.

use actix_web::{HttpRequest, http::header::CONTENT_TYPE};
use generation::{FieldError, ImageRequest, Limits, ModelInfo, field_error::shortened, spec::ImageSpec};
use serde_json::{Map, Value};

use crate::{
    error::{ApiError, context_value},
    non_finite,
    wire::{GenerateRequest, ValidationErrorDetail},
};

/// The order in which faults are told.
const FIELDS: [&str; 9] =
    ["prompt", "num_inference_steps", "return_base64", "seed", "negative_prompt", "guidance_scale", "width", "height", "scheduler"];

/// A body that is JSON, and its fields so far.
#[derive(Debug)]
pub(crate) struct GenerateBody {
    json: Value,
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
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::Invalid(vec![detail("missing", None, "Field required".into(), Value::Null)]));
    }
    let json = match serde_json::from_slice(body) {
        Ok(json) => json,
        Err(error) => non_finite::parse_with_markers(body).ok_or_else(|| ApiError::MalformedJson(error.to_string()))?,
    };
    let Value::Object(object) = &json else {
        let sentence = "Input should be a valid dictionary or object to extract fields from";
        return Err(ApiError::Invalid(vec![detail("model_attributes_type", None, sentence.into(), echo(&json))]));
    };
    let mut fields = Fields { object, faults: Vec::new() };
    let request = GenerateRequest {
        prompt: fields.read("prompt", string),
        num_inference_steps: fields.read("num_inference_steps", integer),
        return_base64: fields.read("return_base64", boolean),
        seed: fields.read("seed", integer),
        negative_prompt: fields.read("negative_prompt", string),
        guidance_scale: fields.read("guidance_scale", float),
        width: fields.read("width", integer),
        height: fields.read("height", integer),
        scheduler: fields.read("scheduler", string),
    };
    let faults = fields.faults;
    Ok(GenerateBody { json, request, faults })
}

impl GenerateBody {
    /// Whether the answer is to be JSON.
    pub(crate) fn return_base64(&self) -> bool {
        self.request.return_base64.unwrap_or(false)
    }

    /// Validates the request, with `random_seed` if it names none.
    pub(crate) fn into_spec(self, random_seed: u32, limits: &Limits, model: &ModelInfo) -> Result<ImageSpec, ApiError> {
        let Self { json, request, mut faults } = self;
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
        let validated = raw.validate(limits, model);
        match validated {
            Ok(spec) if faults.is_empty() => Ok(spec),
            Ok(_) => Err(ApiError::Invalid(faults)),
            Err(errors) => {
                // A field whose type was wrong reached the validation as absent, which is no second fault of it.
                let wrong_type = |error: &FieldError| faults.iter().any(|fault| fault.loc.get(1).is_some_and(|name| name == error.field));
                let more: Vec<_> = errors.iter().filter(|error| !wrong_type(error)).map(|error| field_detail(error, &json)).collect();
                faults.extend(more);
                faults.sort_by_key(|fault| FIELDS.iter().position(|field| fault.loc.get(1).is_some_and(|name| name == field)));
                Err(ApiError::Invalid(faults))
            }
        }
    }
}

/// A fault that the validation found, with the value as it was sent.
fn field_detail(error: &FieldError, json: &Value) -> ValidationErrorDetail {
    let context: Map<String, Value> =
        error.kind.context().into_iter().map(|(name, value)| (name.to_owned(), context_value(value))).collect();
    ValidationErrorDetail {
        // As pydantic does for an absent field: the object that lacks it.
        input: echo(json.get(error.field).unwrap_or(json)),
        ctx: (!context.is_empty()).then_some(context),
        ..detail(error.kind.type_name(), Some(error.field), error.message.clone(), Value::Null)
    }
}

fn detail(kind: &str, field: Option<&str>, msg: String, input: Value) -> ValidationErrorDetail {
    let loc = std::iter::once("body").chain(field).map(str::to_owned).collect();
    ValidationErrorDetail { kind: kind.to_owned(), loc, msg, input, ctx: None }
}

/// A value of the caller's, small enough to send back.
fn echo(value: &Value) -> Value {
    if let Some(literal) = non_finite::literal(value) {
        return Value::from(literal);
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => Value::from(shortened(text)),
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            match shortened(&text) {
                short if short.len() == text.len() => value.clone(),
                cut => Value::from(cut),
            }
        }
    }
}

/// Pydantic's name of a rule and its sentence.
type TypeFault = (&'static str, &'static str);

struct Fields<'a> {
    object: &'a Map<String, Value>,
    faults: Vec<ValidationErrorDetail>,
}

impl Fields<'_> {
    fn read<T>(&mut self, field: &'static str, convert: impl Fn(&Value) -> Result<T, TypeFault>) -> Option<T> {
        let value = self.object.get(field)?;
        // Null stands for "not given", except where something must be given.
        if value.is_null() && field != "prompt" {
            return None;
        }
        let converted = match non_finite::literal(value) {
            Some(_) => Err(("finite_number", "Input should be a finite number")),
            None => convert(value),
        };
        match converted {
            Ok(converted) => Some(converted),
            Err((kind, sentence)) => {
                self.faults.push(detail(kind, Some(field), sentence.to_owned(), echo(value)));
                None
            }
        }
    }
}

fn string(value: &Value) -> Result<String, TypeFault> {
    value.as_str().map(str::to_owned).ok_or(("string_type", "Input should be a valid string"))
}

fn integer(value: &Value) -> Result<i128, TypeFault> {
    match value {
        Value::Number(number) => match (number.as_i128(), number.as_f64()) {
            (Some(integer), _) => Ok(integer),
            // A cast from float saturates, and the ends of the range are beyond every limit.
            (None, Some(float)) if float.fract() == 0.0 => Ok(float as i128),
            (None, _) => Err(("int_from_float", "Input should be a valid integer, got a number with a fractional part")),
        },
        Value::String(text) => {
            text.trim().parse().map_err(|_| ("int_parsing", "Input should be a valid integer, unable to parse string as an integer"))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(("int_type", "Input should be a valid integer")),
    }
}

fn float(value: &Value) -> Result<f64, TypeFault> {
    match value {
        Value::Number(number) => number.as_f64().ok_or(("float_type", "Input should be a valid number")),
        Value::String(text) => {
            text.trim().parse().map_err(|_| ("float_parsing", "Input should be a valid number, unable to parse string as a number"))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(("float_type", "Input should be a valid number")),
    }
}

fn boolean(value: &Value) -> Result<bool, TypeFault> {
    let unreadable = Err(("bool_parsing", "Input should be a valid boolean, unable to interpret input"));
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Ok(true),
            Some(0.0) => Ok(false),
            Some(_) | None => unreadable,
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" | "t" | "y" => Ok(true),
            "false" | "0" | "off" | "no" | "f" | "n" => Ok(false),
            _ => unreadable,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => Err(("bool_type", "Input should be a valid boolean")),
    }
}
