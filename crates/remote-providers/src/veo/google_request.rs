//! Builds the body of `:predictLongRunning`.
//!
//! It sends nothing. The invariant: Google's own Python client would send the same; fields that it refuses for the developer API (`fps`,
//! `seed`, `generateAudio`, `storageUri`, `compressionQuality`, `resizeMode`) are not sent there. Source: google-genai 2.34.

use serde_json::{Map, Value, json};

use super::fault;
use crate::{ErrorKind, InputImage, ProviderError, VideoRequest};

type Result<T> = std::result::Result<T, ProviderError>;

/// Seeds are 32-bit unsigned numbers.
const MAX_SEED: u64 = u32::MAX as u64;
/// The longest duration that is shortened instead of refused, as in the Tasks API.
const MAX_SECONDS: u32 = 10;
/// Tolerance of a size's aspect ratio against 16:9: OpenAI's 1792x1024 is 1.6 percent off.
const SHAPE_TOLERANCE: f64 = 0.02;

/// One of Google's two APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoogleApi {
    Developer,
    Vertex,
}

/// The type of an option's value.
#[derive(Clone, Copy)]
enum Kind {
    Flag,
    OneOf(&'static [&'static str]),
}

impl Kind {
    /// The value to send, with words in Google's case.
    fn read(self, value: &Value) -> Option<Value> {
        match self {
            Self::Flag => value.as_bool().map(Value::Bool),
            Self::OneOf(words) => {
                let given = value.as_str()?;
                words.iter().find(|word| word.eq_ignore_ascii_case(given)).map(|word| Value::from(*word))
            }
        }
    }

    fn words(self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
        }
    }
}

/// The parameters that a caller may set under Google's own names, and whether only Vertex has them.
const OPTIONS: [(&str, Kind, bool); 7] = [
    ("aspectRatio", Kind::OneOf(&["16:9", "9:16"]), false),
    ("resolution", Kind::OneOf(&["720p", "1080p", "4k"]), false),
    ("personGeneration", Kind::OneOf(&["allow_all", "allow_adult", "dont_allow"]), false),
    ("enhancePrompt", Kind::Flag, false),
    ("generateAudio", Kind::Flag, true),
    ("compressionQuality", Kind::OneOf(&["OPTIMIZED", "LOSSLESS"]), true),
    ("resizeMode", Kind::OneOf(&["CROP", "PAD"]), true),
];

/// The body of a start; `encode` turns an image into base64.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for anything that Veo does not support, with the field, its value and the limit.
pub(super) fn body(request: &VideoRequest, door: GoogleApi, storage_uri: Option<&str>, encode: fn(&InputImage) -> String) -> Result<Value> {
    if !request.shots.is_empty() {
        return Err(invalid("shots", "Veo makes videos of one prompt"));
    }
    if request.prompt.trim().is_empty() && request.image.is_none() {
        return Err(invalid("prompt", "is empty, and there is no image"));
    }
    if request.last_image.is_some() && request.image.is_none() {
        return Err(invalid("last_image", "needs a first image too"));
    }
    let mut instance = Map::new();
    if !request.prompt.is_empty() {
        instance.insert("prompt".to_owned(), request.prompt.as_str().into());
    }
    for (name, image) in [("image", &request.image), ("lastFrame", &request.last_image)] {
        if let Some(image) = image {
            let image = json!({"bytesBase64Encoded": encode(image), "mimeType": image.format.media_type()});
            instance.insert(name.to_owned(), image);
        }
    }
    Ok(json!({"instances": [instance], "parameters": parameters(request, door, storage_uri)?}))
}

fn parameters(request: &VideoRequest, door: GoogleApi, storage_uri: Option<&str>) -> Result<Map<String, Value>> {
    let mut parameters = Map::new();
    let mut set = |name: &str, value: Value| parameters.insert(name.to_owned(), value);
    // Each video is billed, and the default number depends on the model.
    set("sampleCount", 1.into());
    if let Some((width, height)) = request.size {
        let (aspect_ratio, resolution) = shape(width, height)?;
        set("aspectRatio", aspect_ratio.into());
        set("resolution", resolution.into());
    }
    if let Some(text) = request.negative_prompt.as_deref().filter(|text| !text.trim().is_empty()) {
        set("negativePrompt", text.into());
    }
    match (door, request.seed) {
        (GoogleApi::Developer, Some(_)) => return Err(invalid("seed", "Veo takes seeds on Vertex AI only; leave it out")),
        (GoogleApi::Vertex, Some(seed)) if seed > MAX_SEED => {
            return Err(invalid("seed", &format!("is {seed}, must be at most {MAX_SEED}")));
        }
        (GoogleApi::Vertex, Some(seed)) => _ = set("seed", seed.into()),
        (_, None) => {}
    }
    if door == GoogleApi::Vertex {
        request.fps.map(|fps| set("fps", fps.into()));
        storage_uri.map(|uri| set("storageUri", uri.into()));
    }
    for (name, value) in &request.options {
        let known = OPTIONS.iter().filter(|(_, _, is_vertex)| door == GoogleApi::Vertex || !is_vertex);
        let Some((_, kind, _)) = known.clone().find(|(known, ..)| known == name) else {
            let known: Vec<_> = known.map(|(name, ..)| *name).collect();
            return Err(invalid(&format!("options.{name}"), &format!("is not known here; known are {}", known.join(", "))));
        };
        let read = kind.read(value).ok_or_else(|| invalid(&format!("options.{name}"), &format!("must be {}", kind.words())));
        set(name, read?);
    }
    if let Some(seconds) = request.seconds {
        let is_large = matches!(parameters.get("resolution").and_then(Value::as_str), Some("1080p" | "4k"));
        parameters.insert("durationSeconds".to_owned(), duration(seconds, door, is_large)?.into());
    }
    Ok(parameters)
}

/// Veo 3.1 makes 4, 6 or 8 seconds and refuses all else, while callers of the Tasks API may ask for 1 to 10: they get the next supported
/// length, at most 8. The developer API makes 1080p and 4k in 8 seconds only.
fn duration(seconds: u32, door: GoogleApi, is_large: bool) -> Result<u32> {
    match seconds {
        0 => Err(invalid("seconds", "is 0, must be at least 1")),
        1..=MAX_SECONDS if is_large && door == GoogleApi::Developer => Ok(8),
        1..=4 => Ok(4),
        5..=6 => Ok(6),
        7..=MAX_SECONDS => Ok(8),
        _ => Err(invalid("seconds", &format!("is {seconds}, must be at most {MAX_SECONDS}; Veo makes 4, 6 or 8"))),
    }
}

/// The (aspect ratio, resolution) of a size. Veo chooses the pixels itself: the smallest resolution that is at least the size.
fn shape(width: u32, height: u32) -> Result<(&'static str, &'static str)> {
    let (long, short, aspect_ratio) = if width >= height { (width, height, "16:9") } else { (height, width, "9:16") };
    let is_wide = (f64::from(long) / f64::from(short.max(1)) / (16.0 / 9.0) - 1.0).abs() <= SHAPE_TOLERANCE;
    let resolution = match short {
        0 => None,
        1..=720 => Some("720p"),
        721..=1080 => Some("1080p"),
        1081..=2160 => Some("4k"),
        _ => None,
    };
    let resolution = resolution.filter(|_| is_wide).ok_or_else(|| {
        invalid("size", &format!("is {width}x{height}; Veo makes 16:9 and 9:16 of at most 3840x2160, such as 1280x720 or 720x1280"))
    })?;
    Ok((aspect_ratio, resolution))
}

fn invalid(field: &str, why: &str) -> ProviderError {
    fault(ErrorKind::InvalidRequest, format!("{field}: {why}"))
}
