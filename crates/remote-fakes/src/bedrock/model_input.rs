//! Nova Reel's checks of its input: the three tasks, their texts, lengths and images. Images in S3 (`s3Location`) are not implemented.
//!
//! Reference: "Video generation access and usage" in the Amazon Nova user guide; the messages about lengths and durations are from users'
//! reports (boto3's issue 4523, amazon-bedrock-workshop's issue 370).

use std::{io::Cursor, ops::RangeInclusive};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{ImageFormat, ImageReader};
use serde_json::{Map, Value};

/// The maximum size of an image file, in bytes.
const MAX_IMAGE: usize = 10 << 20;

/// Returns whether the input has an image.
///
/// # Errors
/// The model's message about the first mistake.
pub(super) fn check(model: &str, input: &Value) -> Result<bool, String> {
    let fields = object(input, "#")?;
    let task = input.get("taskType").and_then(Value::as_str).unwrap_or_default();
    let (params, seconds) = match task {
        "TEXT_VIDEO" => ("textToVideoParams", Some(6..=6)),
        "MULTI_SHOT_AUTOMATED" => ("multiShotAutomatedParams", Some(12..=120)),
        "MULTI_SHOT_MANUAL" => ("multiShotManualParams", None),
        _ => return Err(malformed("#/taskType", &format!("{task} is not a valid enum value"))),
    };
    if task != "TEXT_VIDEO" && model.ends_with("v1:0") {
        return Err(malformed("#/taskType", &format!("{task} is not a valid enum value")));
    }
    only(fields, &["taskType", params, "videoGenerationConfig"], "#")?;
    check_config(input.get("videoGenerationConfig").unwrap_or(&Value::Null), seconds)?;
    let place = format!("#/{params}");
    let given = object(input.get(params).unwrap_or(&Value::Null), &place)?;
    match task {
        "TEXT_VIDEO" => {
            only(given, &["text", "images"], &place)?;
            check_text(given, 512, &place)?;
            let Some(images) = given.get("images") else { return Ok(false) };
            let place = format!("{place}/images");
            let [image] = images.as_array().map(Vec::as_slice).unwrap_or_default() else {
                return Err(malformed(&place, "expected exactly 1 item"));
            };
            check_image(image, &place).map(|()| true)
        }
        "MULTI_SHOT_AUTOMATED" => {
            only(given, &["text"], &place)?;
            check_text(given, 4000, &place).map(|()| false)
        }
        _ => {
            only(given, &["shots"], &place)?;
            let shots = given.get("shots").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            check_shots(shots, &format!("{place}/shots"))
        }
    }
}

fn check_shots(shots: &[Value], place: &str) -> Result<bool, String> {
    if shots.len() < 2 {
        return Err(malformed(place, &format!("expected minimum item count: 2, found: {}", shots.len())));
    }
    if shots.len() > 20 {
        return Err(malformed(place, &format!("expected maximum item count: 20, found: {}", shots.len())));
    }
    let mut has_image = false;
    for (index, shot) in shots.iter().enumerate() {
        let place = format!("{place}/{index}");
        let shot = object(shot, &place)?;
        only(shot, &["text", "image"], &place)?;
        check_text(shot, 512, &place)?;
        if let Some(image) = shot.get("image") {
            check_image(image, &format!("{place}/image"))?;
            has_image = true;
        }
    }
    Ok(has_image)
}

fn check_config(config: &Value, seconds: Option<RangeInclusive<u64>>) -> Result<(), String> {
    let place = "#/videoGenerationConfig";
    let fields = object(config, place)?;
    only(fields, &["durationSeconds", "fps", "dimension", "seed"], place)?;
    let duration = fields.get("durationSeconds");
    match (seconds, duration) {
        (None, None) => {}
        (None, Some(_)) => return Err(malformed(place, "extraneous key [durationSeconds] is not permitted")),
        (Some(allowed), Some(given)) if given.as_u64().is_some_and(|given| allowed.contains(&given) && given % 6 == 0) => {}
        (Some(allowed), Some(_) | None) => {
            let rule =
                format!("must be an integer evenly divisible by 6 and within the range of {} through {}", allowed.start(), allowed.end());
            return Err(format!("Malformed input request: {place}/durationSeconds {rule}. Provide a valid duration and try again."));
        }
    }
    if fields.get("fps").and_then(Value::as_u64) != Some(24) {
        return Err(malformed(&format!("{place}/fps"), "only 24 is supported"));
    }
    if fields.get("dimension").and_then(Value::as_str) != Some("1280x720") {
        return Err(malformed(&format!("{place}/dimension"), "only 1280x720 is supported"));
    }
    let seed = fields.get("seed");
    if seed.is_some_and(|seed| seed.as_u64().is_none_or(|seed| seed > 2_147_483_646)) {
        let seed = seed.unwrap_or(&Value::Null);
        return Err(malformed(&format!("{place}/seed"), &format!("{seed} is not less or equal to 2147483646")));
    }
    Ok(())
}

fn check_text(fields: &Map<String, Value>, longest: usize, place: &str) -> Result<(), String> {
    let place = format!("{place}/text");
    let text = fields.get("text").and_then(Value::as_str).ok_or_else(|| malformed(&place, "required key [text] not found"))?;
    match text.chars().count() {
        0 => Err(malformed(&place, "expected minLength: 1, actual: 0")),
        length if length > longest => Err(malformed(&place, &format!("expected maxLength: {longest}, actual: {length}"))),
        _ => Ok(()),
    }
}

/// `{format, source: {bytes}}`: exactly 1280x720, without transparency.
fn check_image(image: &Value, place: &str) -> Result<(), String> {
    let fields = object(image, place)?;
    only(fields, &["format", "source"], place)?;
    let format = match fields.get("format").and_then(Value::as_str) {
        Some("png") => ImageFormat::Png,
        Some("jpeg") => ImageFormat::Jpeg,
        Some(_) | None => return Err(malformed(&format!("{place}/format"), "expected png or jpeg")),
    };
    let source = object(fields.get("source").unwrap_or(&Value::Null), &format!("{place}/source"))?;
    only(source, &["bytes"], &format!("{place}/source"))?;
    let text = source.get("bytes").and_then(Value::as_str).unwrap_or_default();
    let bytes = STANDARD.decode(text).map_err(|_| malformed(&format!("{place}/source/bytes"), "not valid base64"))?;
    if bytes.len() > MAX_IMAGE {
        return Err("The input image must have at most 10 MB.".to_owned());
    }
    let decoded = ImageReader::with_format(Cursor::new(bytes), format).decode();
    let decoded = decoded.map_err(|_| format!("The input image is not a valid {format:?} image."))?;
    let (width, height) = (decoded.width(), decoded.height());
    if (width, height) != (1280, 720) {
        return Err(format!("Invalid input image dimensions: {width}x{height}. The image must be 1280x720."));
    }
    if decoded.color().has_alpha() && decoded.to_rgba8().pixels().any(|pixel| pixel.0[3] != u8::MAX) {
        return Err("The input image must not contain transparent or translucent pixels.".to_owned());
    }
    Ok(())
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| malformed(place, "expected type: JSONObject"))
}

fn only(fields: &Map<String, Value>, known: &[&str], place: &str) -> Result<(), String> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(malformed(place, &format!("extraneous key [{name}] is not permitted"))),
        None => Ok(()),
    }
}

fn malformed(place: &str, why: &str) -> String {
    format!("Malformed input request: {place}: {why}, reformat your input and try again.")
}
