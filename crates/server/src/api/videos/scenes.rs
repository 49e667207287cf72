//! A video of scenes as an MP4 file, one of the three bodies of `POST /generate-video` ([`crate::api::videos::generate_video`]); and `POST
//! /generate-video/info`, which describes it.
//!
//! It is a held job, like that of `POST /generate`: a client that hangs up cancels it. The video is in a temporary folder, which is removed
//! when nothing needs the job's result any more; the answer streams from the open file, which may already be unlinked.

use std::{fs::File, io, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, ContentDisposition, DispositionParam, DispositionType},
    },
    web::{self, Data, Payload},
};
use generation::{
    JobOutput, ModelInfo, Work,
    jobs::{ArtifactReader, DiskFault, HeldOutput, HeldVideo},
    video::{GeneratedVideo, PartCounts, PartKind, ScenePart, ScenesRequest, ScenesSpec, VideoOutput, VideoSpec},
};
use uuid::Uuid;

use crate::{
    access::Caller,
    api::{
        metadata::JobMetadata,
        submission::{Submission, finished},
        tasks::metadata::TaskMetadata,
        videos::{
            scenes_body::{SCENES, ScenesBody},
            wire::{TimelinePart, VideoInfo},
        },
    },
    http::{
        JsonBodyProblems, ModelProblems, Problem, RequestBody, RequestNotes, check_type,
        file_answer::{self, AS_MADE},
        idempotency, insert, offload,
    },
    inputs::{Body, random_seed},
    state::ApiState,
};

/// The operation that failure messages name.
const WHAT: &str = "Video generation";

/// Describes a video: its frames, its length, its parts, and the time to make it here.
///
/// `timeline` has every scene with its seed, and every join. The server keeps the scenes and joins of earlier videos for a while: `cached` says
/// which of these it will not make again. A scene that is inserted shifts the seeds of those after it, unless they have their own: give each
/// scene its `seed` of the timeline to keep its picture.
#[utoipa::path(
    post,
    path = "/generate-video/info",
    tag = "generation",
    request_body = ScenesBody,
    responses(
        (status = 200, description = "What the video will be", body = VideoInfo),
        JsonBodyProblems,
        ModelProblems,
    )
)]
pub(crate) async fn video_info(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = info(&request, caller, &mut body, &state).await;
    body.held_by(answer)
}

/// The spec of a body with scenes, and the notes on the body.
pub(crate) async fn scenes(
    request: &HttpRequest,
    body: Body<ScenesRequest>,
    state: &ApiState,
) -> Result<(ScenesSpec, RequestNotes), Problem> {
    let mut notes = RequestNotes::new(body.named.ignored.clone(), Vec::new());
    notes.tell(request);
    if body.request.scenes.as_ref().is_some_and(|scenes| scenes.len() < 2) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "too_few_scenes", "At least 2 scenes required"));
    }
    let (spec, model) = spec(body, state).await?;
    let model = model?;
    notes.remarks = model.remarks_on_texts(spec.scenes().iter().flat_map(|scene| [scene.prompt(), scene.negative_prompt()]));
    notes.tell(request);
    Ok((spec, notes))
}

/// The spec, and its model or the reason why that is unavailable.
async fn spec(mut body: Body<ScenesRequest>, state: &ApiState) -> Result<(ScenesSpec, Result<Arc<ModelInfo>, Problem>), Problem> {
    let mut request = std::mem::take(&mut body.request);
    request.seed.get_or_insert_with(|| random_seed().into());
    request.model = state.services.local_model(request.model.as_deref())?;
    let model = state.ready_model(request.model.as_deref()).await;
    if let Ok(model) = &model {
        request.fill_in(model);
    }
    Ok((body.or_problem(request.validate(&state.limits))?, model))
}

/// Makes the video and answers with it.
pub(crate) async fn video(
    request: &HttpRequest,
    submission: Submission,
    body: Body<ScenesRequest>,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    let (spec, notes) = scenes(request, body, state).await?;
    let made = make(state, request, submission, VideoSpec::Scenes(spec.clone()), notes).await?;
    Ok(made.answer(|response| {
        for (name, value) in [
            ("X-Video-Scenes", spec.scenes().len().to_string()),
            // As Python prints it: always with a decimal point.
            ("X-Video-Duration", format!("{:?}", spec.seconds())),
            ("X-Video-FPS", spec.fps().to_string()),
            ("X-Hero-Used", spec.has_hero().to_string()),
        ] {
            insert(response, name, &value);
        }
    }))
}

async fn info(request: &HttpRequest, caller: Caller, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let bytes = body.read(state.body_limit, state.body_timeout).await?;
    let body = offload(bytes.len(), move || SCENES.parse(&bytes)).await??;
    let ignored_fields = body.named.ignored.clone();
    RequestNotes::new(ignored_fields.clone(), Vec::new()).tell(request);
    let (spec, _) = spec(body, state).await?;
    let (jobs, asked) = (state.jobs.clone(), spec.clone());
    let kept = web::block(move || jobs.kept_parts(&caller.owner, &asked)).await?;
    let estimate = state.local().estimate_scenes(&spec, &kept);
    Ok(HttpResponse::Ok().json(VideoInfo {
        scenes_count: spec.scenes().len(),
        frames_per_scene: spec.frames_per_scene(),
        transition_frames: spec.transition_frames(),
        total_frames: spec.timeline().frames(),
        total_duration_seconds: spec.seconds(),
        fps: fps_number(&spec),
        resolution: format!("{}x{}", spec.width(), spec.height()),
        // A forecast is accurate to tenths of a second at best.
        estimated_generation_time_seconds: estimate.map(|time| (time.as_secs_f64() * 10.0).ceil() / 10.0),
        timeline: timeline(&spec, &kept),
        ignored_fields,
    }))
}

/// The scenes and the joins of a video; those in `kept` need not be made.
fn timeline(spec: &ScenesSpec, kept: &[bool]) -> Vec<TimelinePart> {
    let seconds = |frames: usize| frames as f64 / spec.fps().as_f64();
    let parts = ScenePart::all(spec).into_iter().enumerate();
    let described = parts.map(|(index, part)| TimelinePart {
        kind: part.kind.name(),
        scene: part.scene,
        start_frame: part.span.start,
        frames: part.span.frames,
        start_seconds: seconds(part.span.start),
        seconds: seconds(part.span.frames),
        seed: (part.kind == PartKind::Scene).then_some(part.seed),
        join: part.join.map(|join| join.name()),
        cached: kept.get(index).copied().unwrap_or_default(),
    });
    described.collect()
}

/// The frame rate, as an integer if it is whole.
fn fps_number(spec: &ScenesSpec) -> serde_json::Number {
    let fps = spec.fps();
    let float = || serde_json::Number::from_f64(fps.as_f64()).unwrap_or_else(|| fps.numerator.into());
    if fps.denominator == 1 { fps.numerator.into() } else { float() }
}

/// The folder for videos in progress is unusable.
pub(crate) fn scratch(error: io::Error) -> Problem {
    tracing::error!(%error, "the folder for videos in the making cannot be used");
    let fault = DiskFault::of_io(&error);
    Problem::disk(fault, format!("Video generation failed: the folder for videos in the making cannot be used: {fault}"))
}

/// A finished video with its open file.
pub(crate) struct MadeVideo {
    file: ArtifactReader,
    /// The job's output; dropping it removes the video's folder.
    output: Arc<HeldOutput>,
    replayed: bool,
}

/// Makes a video for a waiting caller, and opens its file.
pub(crate) async fn make(
    state: &ApiState,
    request: &HttpRequest,
    submission: Submission,
    spec: VideoSpec,
    notes: RequestNotes,
) -> Result<MadeVideo, Problem> {
    let folder = tempfile::Builder::new().prefix("framewright-").tempdir_in(&state.scratch).map_err(scratch)?;
    let output = VideoOutput::new(folder.path().join("video.mp4")).map_err(|error| Problem::held_job_failed(WHAT, &error.into()))?;
    let video = HeldVideo { output, folder: Some(Arc::new(folder)) };
    let (base_url, seed) = (state.access.base_url(request), Some(spec.seed()));
    let metadata = TaskMetadata { base_url, notes, seed, ..TaskMetadata::default() };
    let (job, replayed) = submission.hold(state, "vid", Work::Video(spec), Some(video), JobMetadata::Task(metadata)).await?;
    let output = finished(state, WHAT, job).await?;
    let JobOutput::Video(GeneratedVideo { path, .. }) = &output.output else { return Err(Problem::internal()) };
    let path = path.clone();
    let file = web::block(move || ArtifactReader::file(File::open(path)?)).await?.map_err(scratch)?;
    Ok(MadeVideo { file, output, replayed })
}

impl MadeVideo {
    /// The file as an attachment, with the headers that `add` sets. It answers a POST, so conditions and ranges do not apply.
    pub(crate) fn answer(self, add: impl FnOnce(&mut HttpResponse)) -> HttpResponse {
        let name = DispositionParam::Filename(format!("video_{}.mp4", Uuid::new_v4()));
        let disposition = ContentDisposition { disposition: DispositionType::Attachment, parameters: vec![name] };
        let mut head = HttpResponse::Ok();
        head.content_type("video/mp4").insert_header((CONTENT_DISPOSITION, disposition)).insert_header((CACHE_CONTROL, AS_MADE));
        let length = self.file.bytes();
        let mut response = file_answer::body(&mut head, self.file, 0, length);
        if let JobOutput::Video(video) = &self.output.output {
            insert(&mut response, "X-Seed", &video.seed.to_string());
            if !video.truncated.is_empty() {
                insert(&mut response, "X-Prompt-Truncated", "true");
            }
            if let Some(PartCounts { made, reused }) = video.parts {
                insert(&mut response, "X-Parts-Made", &made.to_string());
                insert(&mut response, "X-Parts-Reused", &reused.to_string());
            }
        }
        add(&mut response);
        idempotency::mark(&mut response, self.replayed);
        response
    }
}
