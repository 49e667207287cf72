//! Nova Reel's `modelInput`: a request's task, the limits of each task, and its JSON.
//!
//! A request is refused if the model cannot fulfil any part of it. Text lengths are counted in characters.

use std::collections::HashMap;

use aws_smithy_types::{Document, Number};
use serde_json::{Map, Value, json};

use super::{image, invalid};
use crate::{InputImage, Result, Shot, VideoRequest};

/// The only size, in pixels.
pub(super) const FRAME: (u32, u32) = (1280, 720);
/// The only rate, in frames per second.
const FPS: u32 = 24;
/// A shot's length, in seconds; every video consists of shots.
const SHOT: u32 = 6;
/// The longest text of a shot and of a whole automated video, in characters.
const SHOT_TEXT: usize = 512;
const LONG_TEXT: usize = 4000;
/// The largest seed.
const MAX_SEED: u64 = 2_147_483_646;

/// The model's task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// One shot of six seconds, from a text and perhaps an image.
    TextVideo,
    /// Several shots that the model plans from one text.
    Automated {
        /// The whole length, in seconds.
        seconds: u32,
    },
    /// Several shots, each with a text and perhaps an image.
    Manual,
}

impl Task {
    /// The task of a request: shots make it manual; more than six seconds or 512 characters make it automated; `taskType` among the options
    /// overrides both.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) with the field, its value and the limit.
    pub(super) fn of(model: &str, request: &VideoRequest) -> Result<Self> {
        check_common(request)?;
        let task = match task_type(&request.options)? {
            Some(name) => name,
            None if !request.shots.is_empty() => "MULTI_SHOT_MANUAL",
            None if request.seconds.is_some_and(|seconds| seconds > SHOT) || length(&request.prompt) > SHOT_TEXT => "MULTI_SHOT_AUTOMATED",
            None => "TEXT_VIDEO",
        };
        if task != "TEXT_VIDEO" && model.ends_with("nova-reel-v1:0") {
            return Err(invalid(format!(
                "{task} is not a task of {model}, which makes one shot of 6 seconds; amazon.nova-reel-v1:1 makes more"
            )));
        }
        match task {
            "TEXT_VIDEO" => text_video(request),
            "MULTI_SHOT_AUTOMATED" => automated(request),
            _ => manual(request),
        }
    }
}

/// Checks the limits that all tasks share.
fn check_common(request: &VideoRequest) -> Result<()> {
    if request.negative_prompt.as_deref().is_some_and(|text| !text.is_empty()) {
        return Err(invalid("negative_prompt is given; Nova Reel has none"));
    }
    if request.last_image.is_some() {
        return Err(invalid("last_image is given; Nova Reel takes a first frame only"));
    }
    if let Some((width, height)) = request.size.filter(|size| *size != FRAME) {
        return Err(invalid(format!("size is {width}x{height}; Nova Reel makes 1280x720 only")));
    }
    if let Some(fps) = request.fps.filter(|fps| *fps != FPS) {
        return Err(invalid(format!("fps is {fps}; Nova Reel makes 24 only")));
    }
    if let Some(seed) = request.seed.filter(|seed| *seed > MAX_SEED) {
        return Err(invalid(format!("seed is {seed}; it is at most {MAX_SEED}")));
    }
    if let Some(name) = request.options.keys().find(|name| *name != "taskType") {
        return Err(invalid(format!("the option {name:?} is not known; there is taskType")));
    }
    Ok(())
}

fn task_type(options: &Map<String, Value>) -> Result<Option<&str>> {
    let Some(given) = options.get("taskType") else { return Ok(None) };
    match given.as_str() {
        Some(name @ ("TEXT_VIDEO" | "MULTI_SHOT_AUTOMATED" | "MULTI_SHOT_MANUAL")) => Ok(Some(name)),
        Some(_) | None => Err(invalid(format!("taskType is {given}; it is TEXT_VIDEO, MULTI_SHOT_AUTOMATED or MULTI_SHOT_MANUAL"))),
    }
}

fn text_video(request: &VideoRequest) -> Result<Task> {
    no_shots(request, "TEXT_VIDEO")?;
    check_text("prompt", &request.prompt, SHOT_TEXT)?;
    if let Some(seconds) = request.seconds.filter(|seconds| *seconds != SHOT) {
        return Err(invalid(format!("seconds is {seconds}; one shot has 6, several have a multiple of 6 from 12 to 120")));
    }
    request.image.as_ref().map_or(Ok(()), |image| image::check(image, "image")).map(|()| Task::TextVideo)
}

fn automated(request: &VideoRequest) -> Result<Task> {
    no_shots(request, "MULTI_SHOT_AUTOMATED")?;
    check_text("prompt", &request.prompt, LONG_TEXT)?;
    if request.image.is_some() {
        return Err(invalid("image is given; MULTI_SHOT_AUTOMATED, which more than 6 seconds or 512 characters ask for, takes none"));
    }
    let seconds = request.seconds.unwrap_or(2 * SHOT);
    if !(12..=120).contains(&seconds) || !seconds.is_multiple_of(SHOT) {
        return Err(invalid(format!("seconds is {seconds}; MULTI_SHOT_AUTOMATED makes a multiple of 6 from 12 to 120")));
    }
    Ok(Task::Automated { seconds })
}

fn manual(request: &VideoRequest) -> Result<Task> {
    let shots = request.shots.len();
    if !(2..=20).contains(&shots) {
        return Err(invalid(format!("shots has {shots}; MULTI_SHOT_MANUAL takes 2 to 20")));
    }
    if !request.prompt.is_empty() {
        return Err(invalid("prompt is given beside shots; MULTI_SHOT_MANUAL takes a text for each shot and none for all"));
    }
    if request.image.is_some() {
        return Err(invalid("image is given beside shots; MULTI_SHOT_MANUAL takes an image for each shot"));
    }
    let whole = u32::try_from(shots).unwrap_or(u32::MAX).saturating_mul(SHOT);
    if let Some(seconds) = request.seconds.filter(|seconds| *seconds != whole) {
        return Err(invalid(format!("seconds is {seconds}; {shots} shots of 6 seconds make {whole}")));
    }
    for (index, shot) in request.shots.iter().enumerate() {
        check_text(&format!("shots[{index}].text"), &shot.text, SHOT_TEXT)?;
        if let Some(image) = &shot.image {
            image::check(image, &format!("shots[{index}].image"))?;
        }
    }
    Ok(Task::Manual)
}

fn no_shots(request: &VideoRequest, task: &str) -> Result<()> {
    if request.shots.is_empty() { Ok(()) } else { Err(invalid(format!("shots are given; {task} takes none"))) }
}

fn check_text(field: &str, text: &str, longest: usize) -> Result<()> {
    match length(text) {
        0 => Err(invalid(format!("{field} is empty; it has 1 to {longest} characters"))),
        length if length > longest => Err(invalid(format!("{field} has {length} characters; it has at most {longest}"))),
        _ => Ok(()),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The input of a task returned by [`Task::of`], with fitted images.
pub(super) async fn model_input(task: Task, request: &VideoRequest) -> Result<Document> {
    let mut config = json!({"fps": FPS, "dimension": format!("{}x{}", FRAME.0, FRAME.1)});
    if let Some(seed) = request.seed {
        set(&mut config, "seed", seed.into());
    }
    let input = match task {
        Task::TextVideo => {
            set(&mut config, "durationSeconds", SHOT.into());
            let mut params = json!({"text": request.prompt});
            if let Some(image) = &request.image {
                set(&mut params, "images", json!([image_input(image, "image").await?]));
            }
            json!({"taskType": "TEXT_VIDEO", "textToVideoParams": params, "videoGenerationConfig": config})
        }
        Task::Automated { seconds } => {
            set(&mut config, "durationSeconds", seconds.into());
            let params = json!({"text": request.prompt});
            json!({"taskType": "MULTI_SHOT_AUTOMATED", "multiShotAutomatedParams": params, "videoGenerationConfig": config})
        }
        Task::Manual => {
            let mut shots = Vec::with_capacity(request.shots.len());
            for (index, shot) in request.shots.iter().enumerate() {
                shots.push(shot_input(shot, index).await?);
            }
            json!({"taskType": "MULTI_SHOT_MANUAL", "multiShotManualParams": {"shots": shots}, "videoGenerationConfig": config})
        }
    };
    Ok(document(input))
}

async fn shot_input(shot: &Shot, index: usize) -> Result<Value> {
    let mut input = json!({"text": shot.text});
    if let Some(image) = &shot.image {
        set(&mut input, "image", image_input(image, &format!("shots[{index}].image")).await?);
    }
    Ok(input)
}

async fn image_input(image: &InputImage, field: &str) -> Result<Value> {
    let (given, named) = (image.clone(), field.to_owned());
    let fitted = tokio::task::spawn_blocking(move || image::fit(&given, &named)).await;
    let bytes = fitted.map_err(|_| invalid(format!("{field} cannot be read")))??;
    Ok(json!({"format": image.format.name(), "source": {"bytes": bytes}}))
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// Converts to the SDK's own type.
fn document(value: Value) -> Document {
    match value {
        Value::Null => Document::Null,
        Value::Bool(value) => Document::Bool(value),
        Value::Number(value) => Document::Number(match (value.as_u64(), value.as_i64()) {
            (Some(value), _) => Number::PosInt(value),
            (None, Some(value)) => Number::NegInt(value),
            (None, None) => Number::Float(value.as_f64().unwrap_or_default()),
        }),
        Value::String(value) => Document::String(value),
        Value::Array(values) => Document::Array(values.into_iter().map(document).collect()),
        Value::Object(fields) => {
            Document::Object(fields.into_iter().map(|(name, value)| (name, document(value))).collect::<HashMap<_, _>>())
        }
    }
}
