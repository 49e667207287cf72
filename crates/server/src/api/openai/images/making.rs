//! From a request's body to its answer: the pictures' job, and how its client gets them.
//!
//! The order matters: the request's name first, because a repetition gets the job of its first request whatever has changed since; then the
//! fields; then the pictures that it brings; then the job.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::ContentType,
    web::{self, Bytes},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::{
    ImageSpec, JobOutput, ModelInfo,
    jobs::{HeldOutput, Job, JobState, Submitted, Work},
};
use image::{GrayImage, RgbImage};

use super::{
    body::{self, Given, Pictures, Verb, Wanted, check, field_name, no_image, renamed},
    given::{Sent, given},
    stream::{self, Streamed},
    wire::{OpenAiImage, OpenAiImages},
};
use crate::{
    access::Caller,
    api::{
        metadata::JobMetadata,
        openai::{model_names, models::seconds},
        submission::{Ending, Submission, finished, lingering, new_id},
        tasks::{
            images::Waiting,
            metadata::TaskMetadata,
            problems::{held_up, task_cancelled, task_not_found},
            task_view::Links,
        },
    },
    http::{HeldMemory, Problem, RequestNotes, idempotency, offload, repeated_requests::retry_count},
    inputs::{Body, Requester, SourceError},
    state::ApiState,
};

/// How long a job outlives the connection of a client that sends a lost request again by itself: those clients wait up to 8 seconds.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// A request's body, its pictures, and a digest of both.
pub(super) struct Asked {
    pub(super) body: Body<Pictures>,
    pub(super) image: Option<Sent>,
    pub(super) mask: Option<Sent>,
    pub(super) contents: Bytes,
    /// The memory of the body, until the job has its own.
    pub(super) held: HeldMemory,
}

/// Makes the pictures.
pub(super) async fn make(
    request: &HttpRequest,
    caller: Caller,
    asked: Asked,
    state: &ApiState,
    verb: Verb,
) -> Result<HttpResponse, Problem> {
    let Asked { mut body, image, mask, contents, held } = asked;
    let owner = caller.owner.clone();
    let submission = Submission::identified(caller, state.repeats.identify(request, &owner, &contents).await?);
    let wanted = check(&mut body, verb);
    if wanted.by_url
        && let Some(Submitted { job, .. }) = submission.before(state).await?
    {
        drop(held);
        return by_url(request, job, true, true, &wanted, state).await;
    }
    let mut notes = RequestNotes::new(std::mem::take(&mut body.named.ignored), body.request.remarks());
    notes.tell(request);
    let (name, remark) = model_names::of_this_machine(body.request.model(), &state.services)?;
    notes.remarks.extend(remark);
    notes.tell(request);
    let model = state.ready_model(name.as_deref()).await?;
    body.request.set_model(name);
    let base_url = state.access.base_url(request);
    let asker = Requester { owner: &owner, base_url: &base_url };
    let image = image.or_else(|| body.request.source.take().map(Sent::Text));
    let mask = mask.or_else(|| body.request.mask.take().map(Sent::Text));
    if verb != Verb::Generate && image.is_none() && body.faults.iter().all(|fault| fault.loc.get(1) != Some(&"image".into())) {
        no_image(&mut body);
    }
    let stand_in = || Given {
        image: image.as_ref().map(|_| RgbImage::new(8, 8)),
        mask: mask.as_ref().filter(|_| image.is_some()).map(|_| GrayImage::new(8, 8)),
    };
    // Every fault of the other fields is known before a picture is fetched or decoded.
    let mut spec = spec_of(&body, verb, &wanted, (stand_in(), body.request.controls.without_images()), &model, state)?;
    if image.is_some() || !spec.controls().is_empty() {
        let given = match image {
            None => Given::default(),
            Some(image) => given(image, mask, asker, state).await.map_err(|(field, error)| match error {
                SourceError::Refused(reason) => body.fault(field, reason),
                SourceError::Failed(error) => *error,
            })?,
        };
        let mut controls = std::mem::take(&mut body.request.controls);
        let guess_mode = controls.guess_mode;
        let controlnets = controls.with_images(&body, asker, state).await?;
        body.request.controls.guess_mode = guess_mode;
        let (model, state, wanted) = (model.clone(), state.clone(), wanted.clone());
        // A blocking task, because it resizes the given picture.
        spec = web::block(move || spec_of(&body, verb, &wanted, (given, controlnets), &model, &state)).await??;
    }
    drop(held);
    notes.remarks.extend(spec.remarks_on(&model));
    notes.tell(request);
    let metadata = TaskMetadata {
        base_url,
        native_size: spec.output_size().map(|_| (spec.width(), spec.height())),
        notes: notes.clone(),
        seed: Some(spec.seed()),
        ..TaskMetadata::default()
    };
    let metadata = JobMetadata::Task(metadata);
    if wanted.by_url {
        let is_kept = submission.is_recoverable();
        let Submitted { job, replayed, .. } = submission.submit(state, new_id("img"), Work::Image(spec), metadata).await?;
        return by_url(request, job, replayed, is_kept, &wanted, state).await;
    }
    let size = spec.output_size().unwrap_or((spec.width(), spec.height()));
    let (job, replayed) = submission.hold(state, "img", Work::Image(spec), None, metadata).await?;
    let repeats = retry_count(request).is_some();
    if wanted.stream {
        let (ending, previews) = (Ending::of(state, "Generation", &job), (wanted.partial_images > 0).then(|| job.previews()));
        let result = lingering(job, if repeats { GRACE } else { Duration::ZERO });
        let heartbeat = state.tasks.heartbeat;
        return Ok(stream::answer(Streamed { verb, wanted, size, result, ending, previews, heartbeat }));
    }
    let output = if repeats {
        let ending = Ending::of(state, "Generation", &job);
        let result = lingering(job, GRACE).await.map_err(|_| Problem::internal().of_run())?;
        result.map_err(|error| ending.problem(&error))
    } else {
        finished(state, "Generation", job).await
    };
    let output = output.map_err(of_run)?;
    if let JobOutput::Images(images) = &output.output {
        notes.remarks.extend(images.iter().flat_map(|image| &image.remarks).cloned());
        notes.tell(request);
    }
    let mut response = in_base64(output, &wanted, notes).await?;
    idempotency::mark(&mut response, replayed);
    Ok(response)
}

/// The spec of a body with these pictures, or all its faults.
fn spec_of(
    body: &Body<Pictures>,
    verb: Verb,
    wanted: &Wanted,
    (given, controlnets): (Given, Vec<generation::ControlRequest>),
    model: &ModelInfo,
    state: &ApiState,
) -> Result<ImageSpec, Problem> {
    let request = body.request.image_request(verb, wanted.format, given, model, &state.limits);
    let request = generation::ImageRequest { controlnets, guess_mode: body.request.controls.guess_mode, ..request };
    body.or_problem(request.validate(&state.limits, model).map_err(renamed))
}

/// "WIDTHxHEIGHT".
pub(super) fn size_text((width, height): (u32, u32)) -> String {
    format!("{width}x{height}")
}

/// The end of a job that has run, with this API's names of fields.
fn of_run(problem: Problem) -> Problem {
    let mut problem = problem.of_run();
    for fault in &mut problem.fields {
        if let Some(field) = fault.loc.get_mut(1)
            && let Some(name) = field.as_str().map(|name| field_name(name).to_owned())
        {
            *field = name.into();
        }
    }
    problem
}

/// The answer with the pictures themselves.
async fn in_base64(output: Arc<HeldOutput>, wanted: &Wanted, notes: RequestNotes) -> Result<HttpResponse, Problem> {
    let JobOutput::Images(images) = &output.output else { return Err(Problem::internal()) };
    let bytes = images.iter().map(|image| image.file().1.len()).sum();
    let wanted = wanted.clone();
    let body = offload(bytes, move || {
        let JobOutput::Images(images) = &output.output else { return String::new() };
        let data = images.iter().map(|image| OpenAiImage {
            b64_json: Some(BASE64_STANDARD.encode(image.file().1)),
            url: None,
            seed: image.seed,
            parameters: image.parameters.clone(),
        });
        let size = images.first().map(|image| image.image.dimensions()).unwrap_or_default();
        let answer = answer(data.collect(), SystemTime::now(), size, &wanted, notes);
        // It contains nothing that JSON cannot represent.
        serde_json::to_string(&answer).unwrap_or_default()
    });
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(body.await?))
}

fn answer(data: Vec<OpenAiImage>, created: SystemTime, size: (u32, u32), wanted: &Wanted, notes: RequestNotes) -> OpenAiImages {
    OpenAiImages {
        created: seconds(created),
        data,
        background: "opaque",
        output_format: wanted.format.name(),
        quality: wanted.quality.clone(),
        size: size_text(size),
        remarks: notes.remarks,
        ignored_fields: notes.ignored_fields,
    }
}

/// A stored job that has completed, or why it has not; `what` names it. Hanging up cancels it unless it `is_kept`.
pub(super) async fn stored(what: &str, job: Job, is_kept: bool, state: &ApiState) -> Result<Job, Problem> {
    let owner = job.owner.clone();
    let mut waiting = Waiting { jobs: state.jobs.clone(), owner: owner.clone(), id: job.id.clone(), is_kept };
    let job = state.jobs.finished_or_held_up(&owner, &job.id).await?.ok_or_else(|| task_not_found(&job.id))?;
    if let Some(fault) = job.blocked_by {
        return Err(held_up(fault).of_run());
    }
    waiting.is_kept = true;
    match job.state {
        JobState::Completed => Ok(job),
        JobState::Cancelled => Err(task_cancelled(&job.id)),
        JobState::Failed | JobState::Queued | JobState::Running => {
            let error = job.error.clone().ok_or_else(Problem::internal)?;
            Err(match error.refused_field() {
                Some((field, reason)) => body::refusal(field, reason),
                None => Problem::job_failed(what, &error).of_run(),
            })
        }
    }
}

/// The answer with links to a stored job's pictures, once they are there. Hanging up cancels the job unless it `is_kept`.
async fn by_url(
    request: &HttpRequest,
    job: Job,
    replayed: bool,
    is_kept: bool,
    wanted: &Wanted,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    let job = stored("Generation", job, is_kept, state).await?;
    let outcome = job.outcome.as_ref().ok_or_else(Problem::internal)?;
    let TaskMetadata { notes, .. } = TaskMetadata::of(&job);
    notes.tell(request);
    let base_url = state.access.base_url(request);
    let links = Links { access: &state.access, base_url: &base_url };
    let data = job.artifacts.iter().enumerate().map(|(index, file)| OpenAiImage {
        b64_json: None,
        url: Some(links.file(&job, &file.name)),
        seed: outcome.seed.wrapping_add(index as u64),
        parameters: outcome.parameters.get(index).cloned().unwrap_or_default(),
    });
    let answer = answer(data.collect(), job.created_at, (outcome.width, outcome.height), wanted, notes);
    let mut response = HttpResponse::Ok().json(answer);
    idempotency::mark(&mut response, replayed);
    Ok(response)
}
