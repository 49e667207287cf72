//! Builds a request for fal: the body of a submit to one of Pika's models.
//!
//! It sends nothing. Reference: fal.ai/models/fal-ai/pika/v2.2/image-to-video and /text-to-video.

use serde_json::{Value, json};

use super::NAME;
use crate::{
    InputImage, Result, VideoRequest,
    fields::{integer, invalid, refuse, text, word},
};

const RESOLUTIONS: [&str; 2] = ["720p", "1080p"];
const DURATIONS: [u64; 2] = [5, 10];
/// Aspect ratios of the text-to-video model, with their numbers.
const ASPECT_RATIOS: [(&str, u32, u32); 7] =
    [("16:9", 16, 9), ("9:16", 9, 16), ("1:1", 1, 1), ("4:5", 4, 5), ("5:4", 5, 4), ("3:2", 3, 2), ("2:3", 2, 3)];

/// The body of a start; `url` turns the image into an address. Options are passed under fal's names; those that all of Pika's models share
/// are checked here.
pub(super) fn body(request: &VideoRequest, url: fn(&InputImage) -> String) -> Result<Value> {
    let fields = [
        ("last_image", request.last_image.is_some()),
        ("shots", !request.shots.is_empty()),
        ("fps", request.fps.is_some()),
        ("options.prompt", request.options.contains_key("prompt")),
        ("options.image_url", request.options.contains_key("image_url")),
    ];
    refuse(NAME, &fields)?;
    if request.prompt.trim().is_empty() {
        return Err(invalid(NAME, "prompt is empty; this model needs one"));
    }
    let mut body = json!({"prompt": request.prompt});
    if let Some(image) = &request.image {
        body["image_url"] = url(image).into();
    }
    if let Some(negative) = &request.negative_prompt {
        body["negative_prompt"] = negative.as_str().into();
    }
    if let Some(seed) = request.seed {
        body["seed"] = seed.into();
    }
    if let Some(seconds) = request.seconds {
        body["duration"] = seconds.into();
    }
    if let Some((width, height)) = request.size {
        let (ratio, resolution) = shape(width, height)?;
        body["resolution"] = resolution.into();
        // With an image, the video has the image's aspect ratio.
        if request.image.is_none() {
            body["aspect_ratio"] = ratio.into();
        }
    }
    for (name, value) in &request.options {
        body[name] = match name.as_str() {
            "negative_prompt" => text(NAME, "options.negative_prompt", value)?,
            "resolution" => word(NAME, "options.resolution", value, &RESOLUTIONS)?,
            "aspect_ratio" => word(NAME, "options.aspect_ratio", value, &ASPECT_RATIOS.map(|(name, ..)| name))?,
            "seed" => integer(NAME, "options.seed", value, 0, u64::MAX)?.into(),
            _ => value.clone(),
        };
    }
    if let Some(duration) = body.get("duration").filter(|value| !value.as_u64().is_some_and(|seconds| DURATIONS.contains(&seconds))) {
        return Err(invalid(NAME, format!("duration (seconds) is {duration}; it has to be 5 or 10")));
    }
    Ok(body)
}

/// The aspect ratio and the resolution of a size.
fn shape(width: u32, height: u32) -> Result<(&'static str, String)> {
    let resolution = format!("{}p", width.min(height));
    let ratio = ASPECT_RATIOS.iter().find(|(_, w, h)| u64::from(width) * u64::from(*h) == u64::from(height) * u64::from(*w));
    match ratio.filter(|_| RESOLUTIONS.contains(&resolution.as_str())) {
        Some((name, ..)) => Ok((*name, resolution)),
        None => {
            let names = ASPECT_RATIOS.map(|(name, ..)| name).join(", ");
            Err(invalid(NAME, format!("size is {width}x{height}; its shorter side has to be 720 or 1080, its ratio one of {names}")))
        }
    }
}
