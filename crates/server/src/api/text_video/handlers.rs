//! A video from a text: one of the three bodies of `POST /generate-video`, and `GET /video-status`, which reports its state.
//!
//! The API is that of a small front end to Amazon's Nova Reel: six seconds of 1280x720 at 24 frames per second. The operator or the request
//! decides where the video is made; on this machine it is one scene, a picture of the text set in motion. The invariant: a video that
//! Bedrock makes has Bedrock's ARN as its id, if the ARN is known in time; the server's own id also stays valid for it.

use std::time::{Duration, SystemTime};

use actix_web::{HttpRequest, HttpResponse, web::Data};
use generation::{
    Limits, ModelInfo,
    jobs::{Job, JobState, Submitted, Work},
    video::{FpsRequest, RemoteVideoSpec, SceneRequest, SceneSpec, ScenesRequest, ScenesSpec, VideoSpec},
};
use remote_providers::VideoRequest;
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
    state::{ApiState, Maker, Services},
};

/// Length, frame rate and size of a video: those of Nova Reel.
const SECONDS: u32 = 6;
const FPS: u32 = 24;
const SIZE: (u32, u32) = (1280, 720);

/// The time that a service has to start or to refuse; after that the answer has the server's own id.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The prefix of Bedrock's job ids.
const ARN: &str = "arn:";

/// The server only looks up jobs that it started itself, never others at Amazon.
const UNKNOWN_ARN: &str = "Job not found: no video of this ARN was asked for through this server with this key";

/// The highest seed: one below the largest signed 32-bit number, as in Nova Reel.
const MAX_SEED: u64 = 2_147_483_646;
/// The default seed.
const DEFAULT_SEED: u32 = 42;

/// A request for a video from a text.
#[derive(Default)]
pub(crate) struct Text {
    text: Option<String>,
    seed: Option<i128>,
    model: Option<String>,
    callback_url: Option<String>,
}

body_table! {
    /// The body of `POST /generate-video` for a video from a text: six seconds of 1280x720 at 24 frames per second. Unknown keys are
    /// ignored, and named in the answer.
    pub(crate) TEXT: Text, TextBody as "TextToVideoRequest",
    example {"text": "a peaceful sunrise over mountains with mist", "seed": 42},
    {
        /// What the video shows.
        text: Text(|r| &mut r.text).required().checked().length(1, 512),
        /// The noise's seed; null or -1 draws one at random.
        seed: Seed(MAX_SEED, |r| &mut r.seed).checked().or(|| DEFAULT_SEED.into()),
        /// What makes it: "local", a name that `GET /models` lists, a service's name ("bedrock"), or a service's and a model's
        /// ("bedrock/nova-reel"); an unknown name is 404 with the known ones. Absent: as the operator has set it.
        model: Text(|r| &mut r.model),
        /// Where to post the job's result, signed as Standard Webhooks: a public http or https address.
        callback_url: Text(|r| &mut r.callback_url),
    }
}

/// Accepts a video from a text.
pub(crate) async fn generate(
    request: &HttpRequest,
    mut submission: Submission,
    mut body: Body<Text>,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    if let Some(earlier) = submission.before(state).await? {
        return Ok(accepted(request, earlier));
    }
    let mut notes = RequestNotes::new(body.named.ignored.clone(), Vec::new());
    notes.tell(request);
    check_callback(&mut body, |text| text.callback_url.as_deref(), &state.guard);
    let maker = maker(&body, &state.services)?;
    submission.stays_here = matches!(maker, Maker::Local(_)) && body.request.model.is_some();
    let (name, model) = match &maker {
        Maker::Local(name) => (name.clone(), state.ready_model(name.as_deref()).await),
        Maker::Remote(_) => (None, state.local().model_named(None).map_err(Problem::from)),
    };
    // A service reads tags of adapters as text.
    let adapters = |model: &ModelInfo| model.adapters.clone().filter(|_| matches!(maker, Maker::Local(_)));
    let info = model.as_ref().ok().map(|model| ModelInfo { adapters: adapters(model), ..model.as_ref().clone() });
    let spec = scenes(&body, name, info.as_ref(), &state.limits)?;
    let seed = Some(spec.seed());
    let spec = match maker {
        Maker::Remote(model) => {
            let (spec, remarks) = state.services.fitted(RemoteVideoSpec::new(model, remote_request(&spec)))?;
            notes.remarks = remarks;
            VideoSpec::Remote(spec)
        }
        Maker::Local(_) => {
            notes.remarks = model?.remarks_on_texts(spec.scenes().iter().map(SceneSpec::prompt));
            VideoSpec::Scenes(spec)
        }
    };
    submission.callback_url = body.request.callback_url;
    let by_service = spec.remote().is_some();
    let metadata = JobMetadata::TextVideo(TextVideoMetadata { base_url: state.access.base_url(request), seed, notes, by_service });
    let mut submitted = submission.submit(state, new_id("vid"), Work::Video(spec), metadata).await?;
    if submitted.job.remote.is_some() {
        submitted.job = wait_for_start(submitted.job, state).await?;
    }
    Ok(accepted(request, submitted))
}

/// The maker; an unknown name is 404.
fn maker(body: &Body<Text>, services: &Services) -> Result<Maker, Problem> {
    match &body.request.model {
        Some(name) => services.named(name),
        None => Ok(services.default_maker(services.text.as_ref())),
    }
}

/// The request to a provider.
fn remote_request(spec: &ScenesSpec) -> VideoRequest {
    VideoRequest {
        prompt: spec.scenes().first().map(|scene| scene.prompt().to_owned()).unwrap_or_default(),
        seconds: Some(SECONDS),
        size: Some(SIZE),
        fps: Some(FPS),
        seed: Some(spec.seed()),
        ..VideoRequest::default()
    }
}

/// The job once its provider has started it, or as it is if that takes longer than a caller should wait.
///
/// # Errors
/// The provider's reason for not starting it.
async fn wait_for_start(job: Job, state: &ApiState) -> Result<Job, Problem> {
    let is_decided = |job: &Job| job.remote_id().is_some() || job.state.is_final();
    let waited = tokio::time::timeout(START_TIMEOUT, state.jobs.until(&job.owner, &job.id, is_decided)).await;
    let Ok(Ok(Some(now))) = waited else { return Ok(job) };
    match (&now.state, &now.error) {
        (JobState::Failed, Some(error)) => Err(Problem::start_failed(error)),
        (JobState::Queued | JobState::Running | JobState::Completed | JobState::Cancelled | JobState::Failed, _) => Ok(now),
    }
}

/// The id by which callers of this API know a job: the ARN if Bedrock makes it.
fn job_id(job: &Job) -> String {
    job.remote_id().filter(|id| id.starts_with(ARN)).unwrap_or(&job.id).to_owned()
}

/// The same answer for one request, whatever the state of its job.
fn accepted(request: &HttpRequest, Submitted { job, replayed, .. }: Submitted) -> HttpResponse {
    let TextVideoMetadata { seed, notes, .. } = TextVideoMetadata::of(&job);
    notes.tell(request);
    let mut answer = HttpResponse::Ok().json(TextStatus {
        job_id: job_id(&job),
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

/// The spec of the video.
fn scenes(body: &Body<Text>, name: Option<String>, model: Option<&ModelInfo>, limits: &Limits) -> Result<ScenesSpec, Problem> {
    body.or_problem(Ok(()))?;
    let scene = SceneRequest { prompt: body.request.text.clone(), source: Some("moving".into()), ..SceneRequest::default() };
    let default_seed = || match body.named.json.get("seed") {
        // An explicit null does not mean the default seed, nor does -1.
        Some(_) => i128::from(u64::from(random_seed()) % (MAX_SEED + 1)),
        None => DEFAULT_SEED.into(),
    };
    let mut request = ScenesRequest {
        model: name,
        scenes: Some(vec![scene]),
        duration_per_scene: Some(SECONDS.into()),
        fps: Some(FpsRequest::Number(FPS.into())),
        width: Some(SIZE.0.into()),
        height: Some(SIZE.1.into()),
        // Keeps circles round when frames are resized.
        proportional: true,
        seed: Some(body.request.seed.unwrap_or_else(default_seed)),
        ..ScenesRequest::default()
    };
    if let Some(model) = model {
        request.fill_in(model);
    }
    // The default limits allow all of this; an operator's may not.
    body.or_problem(request.validate(limits))
}

/// The state of a video from a text.
#[utoipa::path(
    get,
    path = "/video-status",
    tag = "generation",
    params(("job_id" = String, Query, description = "The id that `POST /generate-video` gave: the server's own, or Amazon's ARN")),
    responses(
        (status = 200, description = "The state of the video", body = TextStatus),
        StoreProblems,
        (status = 404, description = "There is no such job, or it belongs to another key", body = ErrorBody),
        (status = 422, description = "The id is missing", body = ValidationErrorBody),
    )
)]
pub(crate) async fn video_status(request: HttpRequest, caller: Caller, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let query = query_values(request.query_string());
    let Some(id) = query.get("job_id").and_then(Value::as_str) else {
        let place = vec!["query".into(), "job_id".into()];
        return Err(Problem::invalid(vec![detail("missing", place, "Field required".into(), Value::Null)]));
    };
    let owner = &caller.owner;
    let job = match id.starts_with(ARN) {
        true => state.jobs.find_by_remote_id(owner, id).await?.ok_or(Problem::missing(UNKNOWN_ARN))?,
        false => state.jobs.get(owner, id).await?.ok_or(Problem::missing("Job not found"))?,
    };
    let link = link(&request, &caller, &job, &state).await;
    Ok(HttpResponse::Ok().json(status(job, id, link)))
}

/// The URL of a finished video: its service's link, valid for an hour, if the service gives links; else this server's.
async fn link(request: &HttpRequest, caller: &Caller, job: &Job, state: &ApiState) -> Option<String> {
    if let (JobState::Completed, Some(remote)) = (job.state, &job.remote)
        && let Some(id) = &remote.id
        && let Some(url) = state.services.link(&remote.provider, id).await
    {
        return Some(url.into());
    }
    stored_video::path(job).map(|path| state.access.base_url(request) + &state.access.link(caller, &path, SystemTime::now()))
}

fn status(job: Job, id: &str, video_url: Option<String>) -> TextStatus {
    let (status, message) = match job.state {
        // This API's clients expect the upstream's word in lower case.
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
        job_id: id.to_owned(),
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
        let body = |json: Value| scenes(&TEXT.read(json.as_object().unwrap().clone()), None, None, &Limits::DEFAULT);
        let spec = body(json!({"text": "a boat"})).unwrap();
        assert_eq!((spec.timeline().frames(), spec.fps().to_string(), spec.seed()), (144, "24".into(), 42));
        assert_eq!((spec.width(), spec.height(), spec.moves()), (1280, 720, true));
        assert_eq!(spec.scenes()[0].prompt(), "a boat");
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
