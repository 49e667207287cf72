//! `POST /v1/videos` and `POST /v1/videos/{id}/remix`: reading their bodies.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data, Path, Payload},
};
use generation::jobs::JobState;

use super::{
    accepting::{Asked, Picture, accept, earlier, identified},
    body::{MOVIE, MovieBody, MovieForm},
    content::first_frame,
    metadata::OpenAiVideoMetadata,
    reading::{found, not_ready},
    wire::VideoAccepted,
};
use crate::{
    access::Caller,
    api::openai::form::Form,
    http::{
        ErrorBody, HeldMemory, IdempotencyHeader, JsonBodyProblems, ModelProblems, Problem, QueueProblems, RequestBody, ServiceProblems,
        check_type,
        multipart_file::{FileLimits, MultipartBody, is_form},
        offload,
        repeated_requests::digest_of,
    },
    inputs::{Body, body_table},
    state::ApiState,
};

/// Makes a video, as OpenAI's API does.
///
/// Answers at once; poll `GET /v1/videos/{id}`, which says when to ask again in `openai-poll-after-ms`. A client that says by
/// `x-stainless-retry-count` that it sends a lost request again gets the video of its first one.
#[utoipa::path(
    post,
    path = "/v1/videos",
    tag = "openai",
    request_body(content((MovieForm = "multipart/form-data"), (MovieBody = "application/json"))),
    params(IdempotencyHeader),
    responses(
        VideoAccepted,
        JsonBodyProblems,
        ModelProblems,
        QueueProblems,
        ServiceProblems,
    )
)]
pub(crate) async fn create(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    if is_form(&request) {
        let mut body = MultipartBody::new(payload);
        let answer = match from_form(&request, &mut body, &state).await {
            Ok((contents, asked)) => accept_new(&request, caller, &contents, asked, &state).await,
            Err(problem) => Err(problem),
        };
        return body.held_by(answer);
    }
    let mut body = RequestBody::new(payload);
    let answer = match from_json(&request, &caller, &mut body, &state).await {
        Ok((contents, asked)) => accept_new(&request, caller, &contents, asked, &state).await,
        Err(problem) => Err(problem),
    };
    body.held_by(answer)
}

/// The body of a remix.
#[derive(Default)]
struct Remix {
    prompt: Option<String>,
}

body_table! {
    /// The body of `POST /v1/videos/{id}/remix`.
    REMIX: Remix, RemixBody as "OpenAiRemixRequest",
    example {"prompt": "the same at night"},
    {
        /// What the remix shows.
        prompt: Text(|r| &mut r.prompt).required().checked().length(1, generation::Limits::DEFAULT.max_prompt_chars),
    }
}

/// Makes a video anew with another prompt.
///
/// Size, length, seed and everything else stay. A video that began with a picture is made from its own first frame, which the prompt
/// repaints.
#[utoipa::path(
    post,
    path = "/v1/videos/{id}/remix",
    tag = "openai",
    request_body = RemixBody,
    params(("id" = String, Path, description = "The video's id", example = "video_abc123def456"), IdempotencyHeader),
    responses(
        VideoAccepted,
        JsonBodyProblems,
        (status = 404, description = "There is no such video, or it belongs to another key", body = ErrorBody),
        QueueProblems,
        ServiceProblems,
    )
)]
pub(crate) async fn remix(request: HttpRequest, caller: Caller, id: Path<String>, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = accept_remix(&request, caller, &id, &mut body, &state).await;
    body.held_by(answer)
}

/// The request of a form, and a digest of its contents.
async fn from_form(request: &HttpRequest, body: &mut MultipartBody, state: &ApiState) -> Result<(Bytes, Asked), Problem> {
    let limits = FileLimits { bytes: state.image_body_limit, timeout: state.body_timeout };
    let mut held = state.memory_for(request, limits.bytes).await?;
    let parts = body.read_form(request, &limits).await?;
    let bytes = parts.iter().map(|part| part.sent.bytes.len()).sum();
    held.shrink_to(bytes);
    offload(bytes, move || {
        let contents = digest_of(parts.iter().flat_map(|part| [part.name.as_bytes(), part.sent.bytes.as_slice()]));
        let mut form = Form::of(parts, &["input_reference"])?;
        let image = form.file("input_reference")?.map(|file| Picture::File(file.bytes));
        Ok((contents, Asked { body: MOVIE.read(form.fields), image, held, remixed_from: None }))
    })
    .await?
}

async fn from_json(request: &HttpRequest, caller: &Caller, body: &mut RequestBody, state: &ApiState) -> Result<(Bytes, Asked), Problem> {
    check_type(request)?;
    let (bytes, held) = state.read_large(body, request, &caller.owner).await?;
    offload(bytes.len(), move || {
        let body = MOVIE.parse(&bytes)?;
        Ok((bytes, Asked { body, image: None, held, remixed_from: None }))
    })
    .await?
}

/// Accepts a video of a new request.
async fn accept_new(
    request: &HttpRequest,
    caller: Caller,
    contents: &Bytes,
    asked: Asked,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    let submission = identified(request, caller, contents, state).await?;
    match earlier(request, &submission, state).await? {
        Some(answer) => Ok(answer),
        None => accept(request, submission, asked, state).await,
    }
}

/// Accepts a remix. Its repetition needs the earlier video no more.
async fn accept_remix(
    request: &HttpRequest,
    caller: Caller,
    id: &str,
    body: &mut RequestBody,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let bytes = body.read(state.body_limit, state.body_timeout).await?;
    let remix = REMIX.parse(&bytes)?;
    remix.or_problem(Ok(()))?;
    let submission = identified(request, caller, &digest_of([id.as_bytes(), bytes.as_ref()]), state).await?;
    match earlier(request, &submission, state).await? {
        Some(answer) => Ok(answer),
        None => {
            let asked = remixed(&submission.caller, id, remix, state).await?;
            accept(request, submission, asked, state).await
        }
    }
}

/// The request of a remix: the earlier one with another prompt, and perhaps the first frame of its video.
async fn remixed(caller: &Caller, id: &str, remix: Body<Remix>, state: &ApiState) -> Result<Asked, Problem> {
    let job = found(&caller.owner, id, state).await?;
    if job.state != JobState::Completed {
        return Err(not_ready(&job));
    }
    let OpenAiVideoMetadata { mut fields, has_image, seed, .. } = OpenAiVideoMetadata::of(&job);
    fields.insert("prompt".into(), remix.request.prompt.into());
    if let Some(seed) = seed {
        fields.insert("seed".into(), seed.into());
    }
    let mut body = MOVIE.read(fields);
    body.named.ignored = remix.named.ignored;
    let image = match has_image {
        true => Some(Picture::Decoded(first_frame(&job, state).await?)),
        false => None,
    };
    Ok(Asked { body, image, held: HeldMemory::default(), remixed_from: Some(job.id) })
}
