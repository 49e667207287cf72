//! A video from a text: one of the three things that `POST /generate-video` makes, and `GET /video-status`, which tells how it stands.
//!
//! The API is that of a small service before Amazon's Nova Reel: six seconds at 24 frames a second, 1280x720. The operator decides where
//! they are made ([`TextRoute`]); here they are made of one scene, a picture of the text set in motion.

use std::time::SystemTime;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use generation::{
    Limits,
    jobs::{Job, JobState, Submitted, Work},
    video::{FpsRequest, SceneRequest, SceneSpec, ScenesRequest, ScenesSpec, VideoSpec},
};
use serde_json::Value;

use crate::{
    access::Caller,
    api::{
        metadata::JobMetadata,
        submission::{Submission, new_id},
        tasks::task_view,
        text_video::{metadata::TextVideoMetadata, wire::TextStatus},
        videos::stored_video,
    },
    http::{ErrorBody, Problem, RequestNotes, StoreProblems, ValidationErrorBody, idempotency},
    inputs::{Body, body_table, check_callback, detail, query_values, random_seed},
    state::{ApiState, TextRoute},
};

/// How long a video is, its rate and its size: what Nova Reel makes.
const SECONDS: f64 = 6.0;
const FPS: f64 = 24.0;
const SIZE: (i128, i128) = (1280, 720);

/// The highest seed: one below what a signed 32-bit number holds, as Nova Reel has it.
const MAX_SEED: u64 = 2_147_483_646;
/// The seed when nobody says.
const DEFAULT_SEED: u32 = 42;

/// A request for a video from a text.
#[derive(Default)]
pub(crate) struct Text {
    text: Option<String>,
    seed: Option<i128>,
    callback_url: Option<String>,
}

body_table! {
    /// What `POST /generate-video` takes for a video from a text: six seconds of 1280x720 at 24 frames a second. Keys that no field has are
    /// ignored, and named in the answer.
    pub(crate) TEXT: Text, TextBody as "TextToVideoRequest",
    example {"text": "a peaceful sunrise over mountains with mist", "seed": 42},
    {
        /// What the video shows.
        text: Text(|r| &mut r.text).required().checked().length(1, 512),
        /// The noise's seed; null or -1 draws one at random.
        seed: Seed(MAX_SEED, |r| &mut r.seed).checked().or(|| DEFAULT_SEED.into()),
        /// Where to tell that the job has ended, signed as Standard Webhooks are: an http or https address that is public.
        callback_url: Text(|r| &mut r.callback_url),
    }
}

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
    mut body: Body<Text>,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    if let Some(before) = asked.before(state).await? {
        return Ok(taken(request, before));
    }
    let mut notes = RequestNotes::new(body.named.ignored.clone(), Vec::new());
    notes.tell(request);
    check_callback(&mut body, |text| text.callback_url.as_deref(), &state.guard);
    let spec = scenes(&body, &state.limits)?;
    match state.text_route {
        TextRoute::Bedrock => return Err(no_bedrock()),
        TextRoute::Local => notes.remarks = state.ready_model()?.unread_scripts(spec.scenes().iter().map(SceneSpec::prompt)),
    }
    asked.callback_url = body.request.callback_url;
    let metadata = JobMetadata::TextVideo(TextVideoMetadata { base_url: state.access.base_url(request), seed: Some(spec.seed()), notes });
    Ok(taken(request, asked.submit(state, new_id("vid"), Work::Video(VideoSpec::Scenes(spec)), metadata).await?))
}

/// The same for one request, however its job stands by now.
fn taken(request: &HttpRequest, Submitted { job, replayed, .. }: Submitted) -> HttpResponse {
    let TextVideoMetadata { seed, notes, .. } = TextVideoMetadata::of(&job);
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

/// What is to be made.
fn scenes(body: &Body<Text>, limits: &Limits) -> Result<ScenesSpec, Problem> {
    body.judged(Ok(()))?;
    let scene = SceneRequest { prompt: body.request.text.clone(), source: Some("moving".into()), ..SceneRequest::default() };
    let default_seed = || match body.named.json.get("seed") {
        // Explicit null is no default, nor is -1.
        Some(_) => i128::from(u64::from(random_seed()) % (MAX_SEED + 1)),
        None => DEFAULT_SEED.into(),
    };
    let request = ScenesRequest {
        scenes: Some(vec![scene]),
        duration_per_scene: Some(SECONDS),
        fps: Some(FpsRequest::Number(FPS)),
        width: Some(SIZE.0),
        height: Some(SIZE.1),
        // What the model knows as round stays round.
        proportional: true,
        seed: Some(body.request.seed.unwrap_or_else(default_seed)),
        ..ScenesRequest::default()
    };
    // The limits that the service ships with allow all of this; others may not.
    body.judged(request.validate(limits))
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
    let TextVideoMetadata { seed, notes, .. } = TextVideoMetadata::of(&job);
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
        let body = |json: Value| scenes(&TEXT.read(json.as_object().unwrap().clone()), &Limits::DEFAULT);
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
