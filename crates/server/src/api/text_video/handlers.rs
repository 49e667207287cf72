//! A video from a text: one of the three things that `POST /generate-video` makes, and `GET /video-status`, which tells how it stands.
//!
//! The API is that of a small service before Amazon's Nova Reel: six seconds at 24 frames a second, 1280x720. The operator decides where
//! they are made ([`TextRoute`]); here they are made of one scene, a picture of the text set in motion.

use std::time::SystemTime;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use generation::{
    Limits,
    field_error::{Bound, FieldError, FieldErrorKind},
    jobs::{Job, JobState, Submitted, Work},
    video::{FpsRequest, SceneRequest, SceneSpec, ScenesRequest, ScenesSpec, VideoSpec},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    access::Caller,
    api::{
        submission::{Submission, new_id},
        tasks::task_view,
        text_video::wire::{DEFAULT_TEXT_SEED, MAX_TEXT_CHARS, MAX_TEXT_SEED, TextStatus},
        videos::stored_video,
    },
    http::{ErrorBody, Problem, RequestNotes, StoreProblems, ValidationErrorBody, ValidationErrorDetail, idempotency},
    inputs::{Fields, NamedBody, Shape, callback_fault, detail, integer, judged, query_values, random_seed, string},
    state::{ApiState, TextRoute},
};

/// How long a video is, its rate and its size: what Nova Reel makes.
const SECONDS: f64 = 6.0;
const FPS: f64 = 24.0;
const SIZE: (i128, i128) = (1280, 720);

/// The order in which faults are told.
const FIELDS: [&str; 3] = ["text", "seed", "callback_url"];
/// The body's names.
pub(crate) static SHAPE: Shape = Shape::new(&FIELDS, &[]);

/// What is asked of Bedrock.
const NO_BEDROCK: &str = "Videos from texts go to Amazon Bedrock here (routing.text), which this version cannot ask yet; \
                          the operator can set routing.text to \"local\"";

fn no_bedrock() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_served", NO_BEDROCK)
}

/// Takes a video from a text.
pub(crate) async fn generate(
    request: &HttpRequest,
    mut asked: Submission,
    named: NamedBody,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    if let Some(before) = asked.before(state).await? {
        return Ok(taken(request, before));
    }
    let mut notes = RequestNotes::new(named.ignored.clone(), Vec::new());
    notes.tell(request);
    let (spec, callback_url) = spec(&named, state)?;
    match state.text_route {
        TextRoute::Bedrock => return Err(no_bedrock()),
        TextRoute::Local => notes.remarks = state.ready_model()?.unread_scripts(spec.scenes().iter().map(SceneSpec::prompt)),
    }
    asked.callback_url = callback_url;
    let note = Note { api: "text".into(), base_url: state.access.base_url(request), seed: Some(spec.seed()), notes };
    // It holds nothing that JSON cannot.
    let note = serde_json::to_value(note).map_err(|_| Problem::internal())?;
    Ok(taken(request, asked.submit(state, new_id("vid"), Work::Video(VideoSpec::Scenes(spec)), note).await?))
}

/// What is noted with a job, for its answers later on.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    /// Which API's job it is.
    api: String,
    /// What the caller called this server: messages to a callback have no request of their own to tell it by.
    base_url: String,
    seed: Option<u64>,
    #[serde(flatten)]
    notes: RequestNotes,
}

impl Note {
    fn of(job: &Job) -> Self {
        serde_json::from_value(job.note.clone()).unwrap_or_default()
    }
}

/// The same for one request, however its job stands by now.
fn taken(request: &HttpRequest, Submitted { job, replayed }: Submitted) -> HttpResponse {
    let Note { seed, notes, .. } = Note::of(&job);
    notes.tell(request);
    let mut answer = HttpResponse::Ok().json(TextStatus {
        job_id: job.id,
        status: "processing".into(),
        message: "Video generation started successfully".into(),
        video_url: None,
        progress: 0,
        queue_position: job.position,
        seed,
        remarks: notes.remarks,
        ignored_fields: notes.ignored_fields,
    });
    idempotency::mark(&mut answer, replayed);
    answer
}

/// What is to be made, and who is told of its end.
fn spec(named: &NamedBody, state: &ApiState) -> Result<(ScenesSpec, Option<String>), Problem> {
    let callback_url = Fields::new(&named.json).read("callback_url", string);
    let fault = callback_url.as_deref().and_then(|url| callback_fault(url, &state.guard));
    Ok((scenes(named, fault, &state.limits)?, callback_url))
}

fn scenes(named: &NamedBody, fault: Option<ValidationErrorDetail>, limits: &Limits) -> Result<ScenesSpec, Problem> {
    let mut fields = Fields::new(&named.json);
    let text = fields.required("text", string);
    let drawn = || i128::from(random_seed()) % (MAX_TEXT_SEED + 1);
    let seed = match named.json.get("seed") {
        // Explicit null is no default.
        Some(Value::Null) => Some(drawn()),
        None => Some(DEFAULT_TEXT_SEED.into()),
        Some(_) => fields.read("seed", integer).map(|seed| if seed == -1 { drawn() } else { seed }),
    };
    let _checked_already = fields.read("callback_url", string);
    let mut faults = fields.faults;
    faults.extend(fault);
    let checked = check_text(text).and_then(|text| check_seed(seed).map(|seed| (text, seed)));
    let (text, seed) = judged(checked, faults, named, &FIELDS)?;
    let scene = SceneRequest { prompt: Some(text), source: Some("moving".into()), ..SceneRequest::default() };
    let request = ScenesRequest {
        scenes: Some(vec![scene]),
        duration_per_scene: Some(SECONDS),
        fps: Some(FpsRequest::Number(FPS)),
        width: Some(SIZE.0),
        height: Some(SIZE.1),
        // What the model knows as round stays round.
        proportional: true,
        seed: Some(seed),
        ..ScenesRequest::default()
    };
    // The limits that the service ships with allow all of this; others may not.
    judged(request.validate(limits), Vec::new(), named, &FIELDS)
}

fn check_text(text: Option<String>) -> Result<String, Vec<FieldError>> {
    let fault = |value: &str, kind| Err(vec![FieldError::new("text", value, kind)]);
    match text {
        None => fault("", FieldErrorKind::Missing),
        Some(text) if text.trim().is_empty() => fault(&text, FieldErrorKind::StringTooShort { min_length: 1 }),
        Some(text) if text.chars().nth(MAX_TEXT_CHARS).is_some() => {
            fault(&text, FieldErrorKind::StringTooLong { max_length: MAX_TEXT_CHARS })
        }
        Some(text) => Ok(text),
    }
}

fn check_seed(seed: Option<i128>) -> Result<i128, Vec<FieldError>> {
    let fault = |value: i128, kind| Err(vec![FieldError::new("seed", value, kind)]);
    match seed {
        // Its type was wrong, which is told already.
        None => Ok(0),
        Some(seed) if seed < 0 => fault(seed, FieldErrorKind::GreaterThanEqual { ge: Bound::Integer(-1) }),
        Some(seed) if seed > MAX_TEXT_SEED => fault(seed, FieldErrorKind::LessThanEqual { le: Bound::Integer(MAX_TEXT_SEED) }),
        Some(seed) => Ok(seed),
    }
}

/// Tells how a video from a text stands.
#[utoipa::path(
    get,
    path = "/video-status",
    tag = "generation",
    params(("job_id" = String, Query, description = "The id that `POST /generate-video` gave")),
    responses(
        (status = 200, description = "How it stands", body = TextStatus),
        StoreProblems,
        (status = 404, description = "There is no such job, or it is another's", body = ErrorBody),
        (status = 422, description = "No id was given", body = ValidationErrorBody),
        (status = 503, description = "The id is Amazon's, and this version cannot ask there; or the server is shutting down, or its disk or its store of jobs cannot be used: `detail` says why", body = ErrorBody),
    )
)]
pub(crate) async fn video_status(request: HttpRequest, caller: Caller, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let query = query_values(request.query_string());
    let Some(id) = query.get("job_id").and_then(Value::as_str) else {
        let place = vec!["query".into(), "job_id".into()];
        return Err(Problem::invalid(vec![detail("missing", place, "Field required".into(), Value::Null)]));
    };
    if id.starts_with("arn:") {
        return Err(no_bedrock());
    }
    let job = state.jobs.get(&caller.owner, id).await?.ok_or(Problem::missing("Job not found"))?;
    let link = stored_video::path(&job).map(|path| state.access.base_url(&request) + &state.access.link(&caller, &path, SystemTime::now()));
    Ok(HttpResponse::Ok().json(status(job, link)))
}

fn status(job: Job, video_url: Option<String>) -> TextStatus {
    let (status, message) = match job.state {
        // The upstream's word, in lower case, is what this API's clients know.
        JobState::Queued | JobState::Running => ("inprogress", "Video generation inprogress".to_owned()),
        JobState::Completed => ("completed", "Video generation completed successfully".to_owned()),
        JobState::Failed => {
            let reason = job.error.as_ref().map_or("no reason is known", |error| error.message.as_str());
            ("failed", format!("Video generation failed: {reason}"))
        }
        JobState::Cancelled => ("failed", "Video generation failed: it was cancelled".to_owned()),
    };
    let Note { seed, notes, .. } = Note::of(&job);
    TextStatus {
        video_url,
        progress: task_view::progress(&job),
        queue_position: job.position,
        seed,
        remarks: notes.remarks,
        ignored_fields: notes.ignored_fields,
        job_id: job.id,
        status: status.into(),
        message,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_six_seconds_of_one_moving_scene() {
        let body = |json: Value| scenes(&NamedBody::new(json.as_object().unwrap().clone(), &SHAPE), None, &Limits::DEFAULT);
        let made = body(json!({"text": "a boat"})).unwrap();
        assert_eq!((made.timeline().frames(), made.fps().to_string(), made.seed()), (144, "24".into(), 42));
        assert_eq!((made.width(), made.height(), made.moves()), (1280, 720, true));
        assert_eq!(made.scenes()[0].prompt(), "a boat");
        assert_eq!(body(json!({"text": "a boat", "seed": 2_147_483_646})).unwrap().seed(), 2_147_483_646);
        for drawn in [json!(null), json!(-1)] {
            let seeds: Vec<u64> = (0..4).map(|_| body(json!({"text": "a boat", "seed": drawn})).unwrap().seed()).collect();
            assert!(seeds.iter().any(|seed| *seed != seeds[0]), "{seeds:?}");
        }
        assert!(body(json!({"text": "ä".repeat(512)})).is_ok());
        for (wrong, kind) in [
            (json!({"text": ""}), "string_too_short"),
            (json!({"text": "x".repeat(513)}), "string_too_long"),
            (json!({"text": 5}), "string_type"),
            (json!({"text": null}), "string_type"),
            (json!({"text": "a", "seed": -2}), "greater_than_equal"),
            (json!({"text": "a", "seed": 2_147_483_647_i64}), "less_than_equal"),
            (json!({"text": "a", "seed": "x"}), "int_parsing"),
        ] {
            match body(wrong.clone()) {
                Err(problem) => assert_eq!((problem.fields.len(), problem.fields[0].kind.as_str()), (1, kind), "{wrong}"),
                other => panic!("{wrong}: {other:?}"),
            }
        }
    }
}
