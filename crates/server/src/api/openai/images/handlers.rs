//! The three image routes: reading their bodies.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::CONTENT_TYPE,
    web::{Data, Payload},
};
use generation::field_error::shortened;

use super::{
    body::{self, EditsBody, EditsForm, GenerationsBody, ONE_IMAGE, VariationsBody, VariationsForm, Verb},
    given::Sent,
    making::{Asked, make},
    wire::{Pictures, PicturesOrEvents},
};
use crate::{
    access::Caller,
    api::openai::form::Form,
    http::{
        HeldJobProblems, HeldMemory, IdempotencyHeader, JsonBodyProblems, ModelProblems, Problem, QueueProblems, RequestBody, check_type,
        multipart_file::{FileLimits, MultipartBody, is_form},
        offload,
        repeated_requests::digest_of,
    },
    state::ApiState,
};

/// Makes pictures from a text, as OpenAI's API does.
///
/// Waits until they are made. Hanging up cancels them; a client that says by `x-stainless-retry-count` that it sends a lost request again
/// gets the pictures of its first one.
#[utoipa::path(
    post,
    path = "/v1/images/generations",
    operation_id = "openai_create_image",
    tag = "openai",
    request_body = GenerationsBody,
    params(IdempotencyHeader),
    responses(PicturesOrEvents, JsonBodyProblems, ModelProblems, QueueProblems, HeldJobProblems)
)]
pub(crate) async fn generations(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    respond(&request, caller, payload, &state, Verb::Generate).await
}

/// Edits a picture: all of it, or its masked part.
///
/// Waits, as `POST /v1/images/generations` does.
#[utoipa::path(
    post,
    path = "/v1/images/edits",
    tag = "openai",
    request_body(content((EditsForm = "multipart/form-data"), (EditsBody = "application/json"))),
    params(IdempotencyHeader),
    responses(PicturesOrEvents, JsonBodyProblems, ModelProblems, QueueProblems, HeldJobProblems)
)]
pub(crate) async fn edits(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    respond(&request, caller, payload, &state, Verb::Edit).await
}

/// Makes variations of a picture.
///
/// Waits, as `POST /v1/images/generations` does.
#[utoipa::path(
    post,
    path = "/v1/images/variations",
    tag = "openai",
    request_body(content((VariationsForm = "multipart/form-data"), (VariationsBody = "application/json"))),
    params(IdempotencyHeader),
    responses(Pictures, JsonBodyProblems, ModelProblems, QueueProblems, HeldJobProblems)
)]
pub(crate) async fn variations(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    respond(&request, caller, payload, &state, Verb::Vary).await
}

async fn respond(request: &HttpRequest, caller: Caller, payload: Payload, state: &ApiState, verb: Verb) -> HttpResponse {
    if verb != Verb::Generate && is_form(request) {
        let mut body = MultipartBody::new(payload);
        let answer = match from_form(request, &mut body, state, verb).await {
            Ok(asked) => make(request, caller, asked, state, verb).await,
            Err(problem) => Err(problem),
        };
        return body.held_by(answer);
    }
    let mut body = RequestBody::new(payload);
    let answer = match from_json(request, &caller.owner, &mut body, state, verb).await {
        Ok(asked) => make(request, caller, asked, state, verb).await,
        Err(problem) => Err(problem),
    };
    body.held_by(answer)
}

async fn from_form(request: &HttpRequest, body: &mut MultipartBody, state: &ApiState, verb: Verb) -> Result<Asked, Problem> {
    let limits = FileLimits { bytes: state.image_body_limit, timeout: state.body_timeout };
    let mut held = state.memory_for(request, limits.bytes).await?;
    let parts = body.read_form(request, &limits).await?;
    let bytes = parts.iter().map(|part| part.sent.bytes.len()).sum();
    held.shrink_to(bytes);
    offload(bytes, move || {
        let contents = digest_of(parts.iter().flat_map(|part| [part.name.as_bytes(), part.sent.bytes.as_slice()]));
        // A variation has no mask: it is named in the answer as ignored.
        let mut form = Form::of(parts, if verb == Verb::Edit { &["image", "mask"] } else { &["image"] })?;
        let (mut images, mask) = (form.files("image"), form.file("mask")?);
        let mut body = body::table(verb).read(form.fields);
        if images.len() > 1 {
            body.look(|fields| fields.value_fault("image", ONE_IMAGE));
        }
        Ok(Asked { body, image: images.pop().map(Sent::File), mask: mask.map(Sent::File), contents, held })
    })
    .await?
}

async fn from_json(request: &HttpRequest, owner: &str, body: &mut RequestBody, state: &ApiState, verb: Verb) -> Result<Asked, Problem> {
    if verb != Verb::Generate && check_type(request).is_err() {
        let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let sentence = "Unsupported Media Type: send the picture as multipart/form-data, or in application/json";
        return Err(Problem::unsupported_media_type(format!("{sentence}, not {}", shortened(declared))));
    }
    check_type(request)?;
    let (bytes, held) = match verb != Verb::Generate || state.takes_control_images() {
        true => state.read_large(body, request, owner).await?,
        false => (body.read(state.body_limit, state.body_timeout).await?, HeldMemory::default()),
    };
    offload(bytes.len(), move || {
        let body = body::table(verb).parse(&bytes)?;
        Ok(Asked { body, image: None, mask: None, contents: bytes, held })
    })
    .await?
}
