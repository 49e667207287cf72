//! `POST /api/v1/i2v`: accepts an image to animate.
//!
//! The order matters: the request's name first, because a known name gets its answer again whatever has happened to its image; then the
//! image, so that a wrong address is reported at once and not by a callback; then the job, which is on disk before the answer.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderName, HeaderValue},
    web::{Data, Payload},
};
use generation::{
    jobs::{Submitted, Work},
    video::{ClipRequest, ClipRules, FpsRequest, RemoteVideoSpec, VideoSpec},
};
use image::RgbImage;
use remote_providers::VideoRequest;

use crate::{
    access::Caller,
    api::{
        i2v::{
            body::{self, I2v, I2vBody},
            metadata::I2vMetadata,
            wire::Accepted,
        },
        metadata::JobMetadata,
        submission::{Submission, new_id},
    },
    http::{JsonBodyProblems, ModelProblems, Problem, QueueProblems, RequestBody, RequestNotes, ServiceProblems, check_type, idempotency},
    inputs::{Body, Requester, SourceError, input_image, random_seed},
    state::{ApiState, Maker},
};

/// The id of the request's task.
const TASK_ID: HeaderName = HeaderName::from_static("x-task-id");
/// Frames per second of a video made here: the rate that Pika is asked for.
const FPS: f64 = 24.0;

/// Sets an image in motion, and notifies a G.A.M.E agent's requests API when that is done.
///
/// Answers at once. A prompt is read from the image if the operator has set up an interrogator, and the video is made by the service that
/// `routing.i2v` names, or here. The result is posted to `POST {callback address}/{x-request-id}/callback` if the operator has set an
/// address; `GET /api/v1/tasks/{id}` always has it, with the id of the header `x-task-id`. A request whose `x-request-id` was used before
/// makes nothing new; its answer is the first request's task.
#[utoipa::path(
    post,
    path = "/api/v1/i2v",
    operation_id = "create_i2v_video",
    tag = "tasks",
    request_body = I2vBody,
    params(("x-request-id" = String, Header, description = "The request's own name: 1 to 255 visible ASCII characters")),
    responses(
        (
            status = 200,
            description = "The request is accepted",
            body = Accepted,
            headers(
                ("x-task-id" = String, description = "The task's id, for `GET /api/v1/tasks/{id}`"),
                ("Idempotent-Replayed" = String, description = "true if the request was accepted before; else absent"),
            )
        ),
        JsonBodyProblems,
        ModelProblems,
        QueueProblems,
        ServiceProblems,
    )
)]
pub(crate) async fn generate(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = accept(&request, caller, &mut body, &state).await;
    body.held_by(answer)
}

async fn accept(request: &HttpRequest, caller: Caller, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let bytes = body.read(state.body_limit, state.body_timeout).await?;
    let body::Read { name, image: address, body } = body::read(request, &bytes)?;
    let mut submission = Submission::named(caller, body::NAME, &name);
    if let Some(earlier) = submission.before(state).await? {
        return Ok(answer(request, name, earlier));
    }
    RequestNotes::new(body.named.ignored.clone(), Vec::new()).tell(request);
    let base_url = state.access.base_url(request);
    let asker = Requester { owner: &submission.caller.owner, base_url: &base_url };
    let maker = match &body.request.model {
        Some(name) => state.services.named(name)?,
        None => state.services.default_maker(state.services.i2v.as_ref()),
    };
    let given = state.images_for(&maker).image(address, asker).await.map_err(|error| match error {
        SourceError::Refused(reason) => body.fault("image_id", reason),
        SourceError::Failed(error) => *error,
    })?;
    let (spec, remarks) = match maker {
        Maker::Local(name) => (local(&body, name, given.image, state).await?, Vec::new()),
        Maker::Remote(model) => {
            let image = input_image(given).await?;
            let request = VideoRequest { image: Some(image), ..VideoRequest::default() };
            let spec = RemoteVideoSpec { caption_first: state.services.captions, ..RemoteVideoSpec::new(model, request) };
            let (spec, remarks) = state.services.fitted(spec)?;
            (VideoSpec::Remote(spec), remarks)
        }
    };
    submission.callback_url = state.services.callback.as_ref().map(|callback| callback.url(&name));
    let notes = RequestNotes::new(body.named.ignored, remarks);
    let by_service = spec.remote().is_some();
    let seed = (!by_service).then(|| spec.seed());
    let metadata = JobMetadata::I2v(I2vMetadata { base_url, request_id: name.clone(), notes, seed, by_service });
    let submitted = submission.submit(state, new_id("vid"), Work::Video(spec), metadata).await?;
    Ok(answer(request, name, submitted))
}

/// The clip that this machine makes of the image.
async fn local(body: &Body<I2v>, model: Option<String>, image: RgbImage, state: &ApiState) -> Result<VideoSpec, Problem> {
    state.ready_model(model.as_deref()).await?;
    let request = ClipRequest {
        model,
        image: Some(image),
        fps: Some(FpsRequest::Number(FPS)),
        seed: Some(random_seed().into()),
        ..ClipRequest::default()
    };
    Ok(VideoSpec::Clip(body.or_problem(request.validate(&ClipRules::default(), &state.limits))?))
}

/// The same answer for one request, whatever the state of its job.
fn answer(request: &HttpRequest, name: String, Submitted { job, replayed, .. }: Submitted) -> HttpResponse {
    I2vMetadata::of(&job).notes.tell(request);
    let mut answer = HttpResponse::Ok().json(Accepted::new(name));
    if let Ok(id) = HeaderValue::from_str(&job.id) {
        answer.headers_mut().insert(TASK_ID, id);
    }
    idempotency::mark(&mut answer, replayed);
    answer
}
