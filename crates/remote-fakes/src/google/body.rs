//! Checks the body of `:predictLongRunning` strictly: unknown names are refused as by Google's JSON reader.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

/// The type of a field.
enum Field {
    Text,
    Flag,
    Image,
    /// A whole number within inclusive bounds.
    Number(u64, u64),
    Words(&'static [&'static str]),
    Durations,
}

const INSTANCE: [(&str, Field, bool); 3] =
    [("prompt", Field::Text, false), ("image", Field::Image, false), ("lastFrame", Field::Image, false)];

/// The parameters, and whether only Vertex has them.
const PARAMETERS: [(&str, Field, bool); 13] = [
    ("sampleCount", Field::Number(1, 4), false),
    ("durationSeconds", Field::Durations, false),
    ("aspectRatio", Field::Words(&["16:9", "9:16"]), false),
    ("resolution", Field::Words(&["720p", "1080p", "4k"]), false),
    ("personGeneration", Field::Words(&["allow_all", "allow_adult", "dont_allow"]), false),
    ("negativePrompt", Field::Text, false),
    ("enhancePrompt", Field::Flag, false),
    ("storageUri", Field::Text, true),
    ("fps", Field::Number(24, 24), true),
    ("seed", Field::Number(0, u32::MAX as u64), true),
    ("generateAudio", Field::Flag, true),
    ("compressionQuality", Field::Words(&["OPTIMIZED", "LOSSLESS"]), true),
    ("resizeMode", Field::Words(&["CROP", "PAD"]), true),
];

/// Checks a body; errors have Google's texts.
pub(super) fn check(body: &Value, is_vertex: bool) -> Result<(), String> {
    let body = body.as_object().ok_or("Invalid JSON payload received.")?;
    if let Some(name) = body.keys().find(|name| !["instances", "parameters"].contains(&name.as_str())) {
        return Err(unknown(name, "Root"));
    }
    let instance = match body.get("instances").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::Object(instance)]) => instance,
        _ => return Err("Exactly one instance is supported.".to_owned()),
    };
    fields(instance, &INSTANCE, is_vertex, "instances[0]")?;
    if !instance.contains_key("prompt") && !instance.contains_key("image") {
        return Err("Input instance with `prompt` or `image` should be provided.".to_owned());
    }
    if instance.contains_key("lastFrame") && !instance.contains_key("image") {
        return Err("`lastFrame` needs `image`.".to_owned());
    }
    let Some(parameters) = body.get("parameters") else { return Ok(()) };
    let parameters = parameters.as_object().ok_or("`parameters` is no object.")?;
    fields(parameters, &PARAMETERS, is_vertex, "parameters")?;
    let is_large = matches!(parameters.get("resolution").and_then(Value::as_str), Some("1080p" | "4k"));
    let seconds = parameters.get("durationSeconds").and_then(Value::as_u64);
    if is_large && !is_vertex && seconds.is_some_and(|seconds| seconds != 8) {
        return Err("The resolution supports a duration of 8 seconds only.".to_owned());
    }
    Ok(())
}

fn fields(object: &Map<String, Value>, known: &[(&str, Field, bool)], is_vertex: bool, place: &str) -> Result<(), String> {
    for (name, value) in object {
        let Some((_, field, only_vertex)) = known.iter().find(|(known, ..)| known == name) else { return Err(unknown(name, place)) };
        if *only_vertex && !is_vertex {
            return Err(format!("`{name}` isn't supported by this model. Please remove it or refer to the Gemini API documentation."));
        }
        let is_good = match field {
            Field::Text => value.as_str().is_some_and(|text| !text.is_empty()),
            Field::Flag => value.is_boolean(),
            Field::Image => {
                image(value)?;
                true
            }
            Field::Number(least, most) => value.as_u64().is_some_and(|number| (*least..=*most).contains(&number)),
            Field::Words(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Field::Durations => value.as_u64().is_some_and(|seconds| [4, 6, 8].contains(&seconds)),
        };
        if !is_good {
            return Err(format!("The value {value} for `{name}` is not supported."));
        }
    }
    Ok(())
}

/// An inline image whose declared type matches its bytes.
fn image(value: &Value) -> Result<(), String> {
    let fields = value.as_object().ok_or("`image` is no object.")?;
    if let Some(name) = fields.keys().find(|name| !["bytesBase64Encoded", "mimeType"].contains(&name.as_str())) {
        return Err(unknown(name, "instances[0].image"));
    }
    let text =
        |name: &str| fields.get(name).and_then(Value::as_str).ok_or("Input instance should have both `bytesBase64Encoded` and `mimeType`.");
    let bytes = STANDARD.decode(text("bytesBase64Encoded")?).map_err(|_| "Base64 decoding failed.")?;
    let format = image::guess_format(&bytes).map_err(|_| "Unable to process input image.")?;
    let declared = text("mimeType")?;
    if declared == format.to_mime_type() { Ok(()) } else { Err(format!("The image is {}, not {declared}.", format.to_mime_type())) }
}

fn unknown(name: &str, place: &str) -> String {
    format!("Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field.")
}
