//! Characters in motion: `POST /upload-character`, the videos that `POST /generate-video` makes of them, `GET /generation/{id}`, `GET
//! /generations` and `GET /uploads/{name}`.
//!
//! The API is that of a small front end to a hosted Stable Video Diffusion. What that one documented but did not do works here: `duration`
//! and `quality` take effect, and the script guides how the picture is repainted before it moves (with the operator's strength; at 0 it
//! does not, and the answer says so). The invariants: a generation is visible to its owner only, and its description was stored when it was
//! accepted.

use std::time::SystemTime;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Path, Payload},
};
use generation::{
    jobs::{ArtifactReader, Job, JobState, Page, Submitted, Work},
    sandbox::SandboxError,
};
use jiff::{Timestamp, Unit};
use uuid::Uuid;

use crate::{
    access::Caller,
    api::{
        characters::{
            body::Character,
            wire::{Generation, UploadForm, Uploaded, VideoFacts},
        },
        metadata::JobMetadata,
        overflow,
        submission::Submission,
        tasks::task_view,
        videos::stored_video,
    },
    files::PngFile,
    http::{
        ErrorBody, FileAnswer, FileAnswers, Problem, RequestNotes, StoreProblems, ValidationErrorBody, idempotency,
        multipart_file::{FileLimits, MultipartBody},
    },
    inputs::{Body, Fields, Requester, entries, fields::MAX_LISTED, query_values},
    state::{ApiState, Maker},
};

/// Jobs per page while listing; some may belong to another API.
const PAGE: usize = 200;

/// Uploads the picture of a character.
///
/// It is decoded and written again as a PNG file, under a new name.
#[utoipa::path(
    post,
    path = "/upload-character",
    tag = "characters",
    request_body(
        content = UploadForm,
        content_type = "multipart/form-data",
        encoding(("character" = (content_type = "image/png, image/jpeg, image/webp")))
    ),
    responses(
        (status = 200, description = "Where the picture is", body = Uploaded),
        (status = 400, description = "The form cannot be read, or the file is not a picture", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time", body = ErrorBody),
        (status = 413, description = "The file is too large, or takes more space as a PNG file than one key may use", body = ErrorBody),
        (status = 415, description = "The body is not multipart/form-data", body = ErrorBody),
        (status = 422, description = "The form has no file named character", body = ValidationErrorBody),
        (status = 503, description = "The server is busy with other large requests, or its disk cannot be used: `detail` says why", body = ErrorBody),
    )
)]
pub(crate) async fn upload_character(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = MultipartBody::new(payload);
    let answer = upload(&request, &caller, &mut body, &state).await;
    body.held_by(answer)
}

async fn upload(request: &HttpRequest, caller: &Caller, body: &mut MultipartBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    let limits = FileLimits { bytes: state.uploads.limits().bytes, timeout: state.body_timeout };
    let _held = state.memory_for(request, limits.bytes).await?;
    let file = body.read(request, "character", &limits).await?;
    let upload = state.uploads.save(&caller.owner, "character", file).await?;
    let image_url = state.access.link(caller, &format!("/uploads/{}", upload.name), SystemTime::now());
    Ok(HttpResponse::Ok().json(Uploaded { image_url }))
}

/// A character's picture.
///
/// Requires the key that uploaded it, or a signed link.
#[utoipa::path(
    get,
    path = "/uploads/{name}",
    tag = "characters",
    params(("name" = String, Path, description = "The name in `imageUrl`", example = "character_5f0c6f5e-3f4b-4d0e-9d3c-0a5f9c1b2d3e.png")),
    responses(
        (status = 200, description = "The picture", body = PngFile, content_type = "image/png"),
        (status = 206, description = "A part of it", body = PngFile, content_type = "image/png"),
        FileAnswers,
        StoreProblems,
        (status = 404, description = "There is no such picture, or it belongs to another key", body = ErrorBody),
    )
)]
pub(crate) async fn uploaded(
    request: HttpRequest,
    caller: Caller,
    name: Path<String>,
    state: Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let (uploads, name) = (state.uploads.clone(), name.into_inner());
    let tag = name.clone();
    let opened =
        web::block(move || -> Result<ArtifactReader, SandboxError> { Ok(ArtifactReader::file(uploads.open(&caller.owner, &name)?.file)?) });
    let file = opened.await??;
    // The name is unique and the file never changes, so the name identifies the contents as well as a digest would.
    Ok(FileAnswer { file, name: tag.clone(), media_type: "image/png".into(), tag }.to(&request))
}

/// Accepts a character video.
pub(crate) async fn generate(
    request: &HttpRequest,
    mut submission: Submission,
    body: Body<Character>,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    let caller = submission.caller.clone();
    if let Some(earlier) = submission.before(state).await? {
        return accepted(request, earlier, &caller, state);
    }
    let maker = match &body.request.model {
        Some(name) => state.services.named(name)?,
        None => state.services.default_maker(state.services.characters.as_ref()),
    };
    if let Maker::Local(name) = &maker {
        state.ready_model(name.as_deref()).await?;
    }
    let base_url = state.access.base_url(request);
    submission.callback_url.clone_from(&body.request.callback_url);
    let (spec, metadata) = body.into_spec(request, Requester { owner: &caller.owner, base_url: &base_url }, maker, state).await?;
    let metadata = JobMetadata::Character(metadata);
    let submitted = submission.submit(state, Uuid::new_v4().to_string(), Work::Video(spec), metadata).await?;
    accepted(request, submitted, &caller, state)
}

fn accepted(
    request: &HttpRequest,
    Submitted { job, replayed, .. }: Submitted,
    caller: &Caller,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    let generation = generation_of(&job, caller, state).ok_or_else(Problem::internal)?;
    RequestNotes::new(generation.ignored_fields.clone(), Vec::new()).tell(request);
    let mut answer = HttpResponse::Ok().json(generation);
    idempotency::mark(&mut answer, replayed);
    Ok(answer)
}

/// The generation's current state; `None` if the job belongs to another API.
fn generation_of(job: &Job, caller: &Caller, state: &ApiState) -> Option<Generation> {
    let Some(JobMetadata::Character(metadata)) = JobMetadata::of(job) else { return None };
    let (status, error) = match job.state {
        JobState::Queued => ("pending", None),
        JobState::Running => ("processing", None),
        JobState::Completed => ("completed", None),
        JobState::Failed => ("failed", job.error.as_ref().map(|error| error.message.clone())),
        // This API has no word for it, and its clients poll forever while they read an unknown status.
        JobState::Cancelled => ("failed", Some("cancelled".to_owned())),
    };
    let link = |path: &str| state.access.link(caller, path, SystemTime::now());
    let is_upload = metadata.character_image_url.starts_with('/');
    let path = stored_video::path(job);
    let mut notes = metadata.notes;
    overflow::tell(job, metadata.by_service, &mut notes);
    if job.state == JobState::Completed && path.is_none() {
        notes.push("The video is no longer kept: it was removed for its age or to make room".into());
    }
    if job.outcome.as_ref().is_some_and(|outcome| outcome.truncated) {
        notes.push("The end of the script was left out: it is longer than the model reads".into());
    }
    Some(Generation {
        id: job.id.clone(),
        character_image_url: match is_upload {
            true => link(&metadata.character_image_url),
            false => metadata.character_image_url,
        },
        script: metadata.script,
        duration: metadata.duration,
        quality: metadata.quality,
        video_url: path.map(|path| link(&path)),
        status: status.into(),
        created_at: timestamp(job.created_at),
        progress: task_view::progress(job),
        error,
        queue_position: job.position,
        eta_seconds: job.eta.map(|eta| (eta.as_secs_f64() * 10.0).ceil() / 10.0),
        script_used: metadata.script_used,
        notes,
        ignored_fields: metadata.ignored_fields,
        seed: metadata.seed,
        video: job.outcome.as_ref().map(|outcome| VideoFacts {
            width: outcome.width,
            height: outcome.height,
            frames: outcome.frames,
            fps: outcome.fps.clone(),
            native_width: outcome.native.map(|native| native.width),
            native_height: outcome.native.map(|native| native.height),
            native_frames: outcome.native.map(|native| native.frames),
        }),
    })
}

/// RFC 3339 in UTC with milliseconds, as browsers write it.
fn timestamp(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).and_then(|time| time.round(Unit::Millisecond)).unwrap_or_default();
    format!("{time:.3}")
}

/// One generation, in its current state.
#[utoipa::path(
    get,
    path = "/generation/{id}",
    operation_id = "show_generation",
    tag = "characters",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "How it stands", body = Generation),
        StoreProblems,
        (status = 404, description = "There is no such generation, or it belongs to another key", body = ErrorBody),
    )
)]
pub(crate) async fn generation(caller: Caller, id: Path<String>, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let job = state.jobs.get(&caller.owner, &id).await?;
    let found = job.and_then(|job| generation_of(&job, &caller, &state)).ok_or(Problem::missing("Generation not found"))?;
    Ok(HttpResponse::Ok().json(found))
}

/// All generations of the caller, newest first.
///
/// All that are kept, up to 1000; `limit` asks for fewer.
#[utoipa::path(
    get,
    path = "/generations",
    operation_id = "list_generations",
    tag = "characters",
    params(("limit" = Option<u32>, Query, description = "How many at most: 1 to 1000", minimum = 1, maximum = 1000)),
    responses(
        (status = 200, description = "The generations", body = Vec<Generation>),
        StoreProblems,
        (status = 422, description = "The limit is invalid", body = ValidationErrorBody),
    )
)]
pub(crate) async fn generations(request: HttpRequest, caller: Caller, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let limit = limit(request.query_string())?;
    let mut found = Vec::new();
    let mut beyond = None;
    while found.len() < limit {
        let page = state
            .jobs
            .list(
                &caller.owner,
                Page { beyond, limit: PAGE, kind: Some(JobMetadata::CHARACTER.to_owned()), newest_first: true, ..Page::default() },
            )
            .await?;
        let Some(last) = page.last() else { break };
        beyond = Some(last.number);
        found.extend(page.iter().filter_map(|job| generation_of(job, &caller, &state)));
        if page.len() < PAGE {
            break;
        }
    }
    found.truncate(limit);
    Ok(HttpResponse::Ok().json(found))
}

/// The `limit` of a query.
fn limit(query: &str) -> Result<usize, Problem> {
    let query = query_values(query);
    let mut fields = Fields::of(&query, "query");
    let limit = fields.read("limit", entries);
    if fields.faults.is_empty() { Ok(limit.unwrap_or(MAX_LISTED)) } else { Err(Problem::invalid(fields.faults)) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::time::Duration;

    use super::*;

    #[test]
    fn times_have_milliseconds_and_a_z() {
        let at = |millis| timestamp(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(at(1_795_262_400_000), "2026-11-21T12:00:00.000Z");
        assert_eq!(at(1_795_262_400_120), "2026-11-21T12:00:00.120Z");
    }

    #[test]
    fn a_limit_is_a_number_of_entries() {
        assert_eq!((limit("").unwrap(), limit("limit=1").unwrap(), limit("a=b&limit=10.0").unwrap()), (1000, 1, 10));
        for refused in ["limit=0", "limit=1001", "limit=", "limit=x", "limit=-1"] {
            assert!(matches!(limit(refused), Err(problem) if !problem.fields.is_empty()), "{refused}");
        }
    }
}
