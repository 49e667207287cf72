//! `POST /generate-video`: one route that three services have, each with its own body.
//!
//! The keys tell the bodies apart: each requires keys that the others do not have. The invariant: an ambiguous body is refused with an
//! error that names the three; there is no guessing.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use generation::{
    field_error::shortened,
    video::{ScenesRequest, VideoSpec},
};
use serde_json::{Map, Value};

use crate::{
    access::Caller,
    api::{
        characters::{
            self,
            body::{CHARACTER, Character, CharacterBody},
            wire::Generation,
        },
        submission::Submission,
        tasks::async_video::{self, TaskAccepted},
        text_video::{
            self,
            handlers::{TEXT, Text, TextBody},
            wire::TextStatus,
        },
        videos::{
            scenes,
            scenes_body::{SCENES, ScenesBody},
        },
    },
    files::Mp4File,
    http::{
        ErrorBody, HeldJobProblems, IdempotencyHeader, JsonBodyProblems, ModelProblems, PreferHeader, Problem, QueueProblems, RequestBody,
        ServiceProblems, ValidationErrorBody, check_type, offload, respond_async,
    },
    inputs::{Body, echo, field_names::is_same_name, fields::parse_object, value_fault},
    state::ApiState,
};

/// The three bodies, in words.
const SHAPES: &str = "{\"scenes\": [..]} is a video of scenes, {\"characterImageUrl\": .., \"script\": ..} a character in motion, \
                      {\"text\": ..} a video from a text";

/// The kind of video that a body requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Scenes,
    Character,
    Text,
}

impl Shape {
    const ALL: [Self; 3] = [Self::Scenes, Self::Character, Self::Text];

    /// The keys that identify it.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Scenes => &["scenes"],
            Self::Character => &["characterImageUrl", "script"],
            Self::Text => &["text"],
        }
    }

    /// The shape of a body. A null key counts only if no other does.
    fn of(json: &Map<String, Value>) -> Result<Self, Problem> {
        let with = |counts: &dyn Fn(&Value) -> bool| -> Vec<Self> {
            let is_there = |key: &str| json.iter().any(|(name, value)| is_same_name(name, key) && counts(value));
            let has = |shape: &Self| shape.keys().iter().any(|key| is_there(key));
            Self::ALL.into_iter().filter(has).collect()
        };
        let mut found = with(&|value| !value.is_null());
        if found.is_empty() {
            found = with(&|_| true);
        }
        let sentence = match found.as_slice() {
            [shape] => return Ok(*shape),
            [] => format!("the body is none of the three that this route takes: {SHAPES}"),
            several => {
                let sent = |key: &&str| json.keys().find(|name| is_same_name(name, key)).map(|name| shortened(name));
                let keys: Vec<_> = several.iter().flat_map(|shape| shape.keys()).filter_map(sent).collect();
                format!("{} do not go together; this route takes one of three bodies: {SHAPES}", keys.join(" and "))
            }
        };
        Err(Problem::invalid(vec![value_fault(vec!["body".into()], &sentence, echo(&Value::Object(json.clone())))]))
    }
}

/// A body of one of the shapes.
enum AnyBody {
    Scenes(Box<Body<ScenesRequest>>),
    Character(Body<Character>),
    Text(Body<Text>),
}

impl AnyBody {
    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let json = parse_object(bytes)?;
        Ok(match Shape::of(&json)? {
            Shape::Scenes => Self::Scenes(Box::new(SCENES.read(json))),
            Shape::Character => Self::Character(CHARACTER.read(json)),
            Shape::Text => Self::Text(TEXT.read(json)),
        })
    }
}

/// The body of `POST /generate-video`: the keys tell which of the three it is.
#[derive(utoipa::ToSchema)]
#[schema(as = AnyVideoRequest)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only documents a body")]
pub(crate) enum VideoBody {
    /// A video of scenes, in the answer itself.
    Scenes(ScenesBody),
    /// A character in motion, as a job.
    Character(CharacterBody),
    /// A video from a text, as a job.
    Text(TextBody),
}

/// The answer of `POST /generate-video` for a job.
#[derive(utoipa::ToSchema)]
#[schema(as = VideoJob)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only documents answers")]
pub(crate) enum VideoJobAnswer {
    /// A character in motion.
    Character(Generation),
    /// A video from a text.
    Text(TextStatus),
}

/// Makes a video: of scenes, of a character, or from a text.
///
/// The keys of the body tell which. With `scenes` the answer is the video itself; hanging up cancels it, and with `Prefer: respond-async`
/// it becomes a job instead: poll `GET /api/v1/tasks/{id}`. `characterImageUrl` and `script` make a job: poll `GET /generation/{id}`.
/// `text` makes a job: poll `GET /video-status`. A body with keys of two kinds, or of none, is refused. All of them honour
/// `Idempotency-Key`.
///
/// Scenes and joins are kept for a while, each under everything that decides what the model makes of it. A video that repeats some of them,
/// because one scene was edited, only makes the others; its bytes are those of a video made from nothing.
#[utoipa::path(
    post,
    path = "/generate-video",
    tag = "generation",
    request_body = VideoBody,
    params(IdempotencyHeader, PreferHeader),
    responses(
        (
            status = 200,
            description = "The video of scenes, H.264 in MP4, which plays in every browser; or the job",
            content((Mp4File = "video/mp4"), (VideoJobAnswer = "application/json")),
            headers(
                ("Content-Disposition" = String, description = "attachment, with a unique file name; with a video of scenes only"),
                ("X-Video-Scenes" = u64, description = "The number of scenes"),
                ("X-Video-Duration" = f64, description = "Its length in seconds"),
                ("X-Video-FPS" = String, description = "Frames per second: a number or a fraction"),
                ("X-Hero-Used" = bool, description = "Whether a hero's description is prepended to the prompts"),
                ("X-Seed" = u64, description = "The seed that it was made with"),
                ("X-Parts-Made" = u64, description = "How many scenes and joins were made for it; with a video of scenes only"),
                ("X-Parts-Reused" = u64, description = "How many are from earlier videos of yours"),
                ("X-Prompt-Truncated" = bool, description = "true if a text was longer than the model reads, and was cut; else absent"),
                ("Idempotent-Replayed" = String, description = "true if this request was answered before, or is being answered; else absent"),
            )
        ),
        TaskAccepted,
        JsonBodyProblems,
        ModelProblems,
        QueueProblems,
        ServiceProblems,
        HeldJobProblems,
        (status = 400, description = "The body is not JSON, or there are fewer than two scenes", body = ErrorBody),
        (status = 422, description = "Fields of the body are wrong, or it matches none of the three bodies, or two of them", body = ValidationErrorBody),
    )
)]
pub(crate) async fn generate_video(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = answer(&request, caller, &mut body, &state).await;
    body.held_by(answer)
}

async fn answer(request: &HttpRequest, caller: Caller, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let bytes = body.read(state.body_limit, state.body_timeout).await?;
    let body = offload(bytes.len(), {
        let bytes = bytes.clone();
        move || AnyBody::read(&bytes)
    });
    match body.await?? {
        AnyBody::Scenes(body) if respond_async::is_wanted(request) => {
            let submission = Submission::by(caller, request, &bytes).await?;
            let spec = async { scenes::scenes(request, *body, state).await.map(|(spec, notes)| (VideoSpec::Scenes(spec), notes)) };
            async_video::answer(request, submission, state, spec).await
        }
        AnyBody::Scenes(body) => scenes::video(request, Submission::by(caller, request, &bytes).await?, *body, state).await,
        AnyBody::Character(body) => {
            characters::handlers::generate(request, Submission::by(caller, request, &bytes).await?, body, state).await
        }
        AnyBody::Text(body) => text_video::handlers::generate(request, Submission::by(caller, request, &bytes).await?, body, state).await,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    #[test]
    fn the_required_keys_identify_the_shape() {
        let shape = |json: Value| Shape::of(json.as_object().unwrap()).ok();
        for (body, expected) in [
            (json!({"scenes": []}), Some(Shape::Scenes)),
            (json!({"scenes": null}), Some(Shape::Scenes)),
            (json!({"scenes": ["a"], "text": null}), Some(Shape::Scenes)),
            (json!({"characterImageUrl": "/uploads/a.png", "script": "a"}), Some(Shape::Character)),
            (json!({"script": "a", "duration": 5}), Some(Shape::Character)),
            (json!({"character_image_url": "/uploads/a.png", "prompt": "a"}), Some(Shape::Character)),
            (json!({"text": "a", "seed": 1, "fps": 24}), Some(Shape::Text)),
            (json!({"text": ""}), Some(Shape::Text)),
            (json!({}), None),
            (json!({"prompt": "a boat"}), None),
            (json!({"scenes": ["a"], "text": "b"}), None),
            (json!({"script": "a", "text": "b"}), None),
            (json!({"scenes": [], "script": "a", "text": "b"}), None),
            (json!({"text": null, "scenes": null}), None),
        ] {
            assert_eq!(shape(body.clone()), expected, "{body}");
        }
    }
}
