//! What OpenAI's API does with videos and no model here can: characters, edits and extensions, each refused with a reason.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Path, Payload},
};

use crate::{
    http::{ErrorBody, Problem, RequestBody},
    state::ApiState,
};

const NO_CHARACTERS: &str =
    "This server keeps no characters: describe one in the prompt, or give its picture in input_reference of POST /v1/videos";
const NO_EDITS: &str = "The models of this server edit no videos: make another one with POST /v1/videos, or the same with another prompt with POST /v1/videos/{id}/remix";
const NO_EXTENSIONS: &str = "The models of this server extend no videos: make a longer one with POST /v1/videos, or another one from the last frame with input_reference";

/// Refused: this server keeps no characters.
#[utoipa::path(
    post,
    path = "/v1/videos/characters",
    tag = "openai",
    responses((status = 400, description = "Always: the message says what to do instead", body = ErrorBody))
)]
pub(crate) async fn create_character(payload: Payload, state: Data<ApiState>) -> HttpResponse {
    refuse(payload, &state, NO_CHARACTERS).await
}

/// There are none.
#[utoipa::path(
    get,
    path = "/v1/videos/characters/{id}",
    tag = "openai",
    params(("id" = String, Path, description = "A character's id")),
    responses((status = 404, description = "Always: this server keeps no characters", body = ErrorBody))
)]
pub(crate) async fn character(_id: Path<String>) -> Result<HttpResponse, Problem> {
    std::future::ready(Err(Problem::missing(NO_CHARACTERS))).await
}

/// Refused: no model here edits videos.
#[utoipa::path(
    post,
    path = "/v1/videos/edits",
    tag = "openai",
    responses((status = 400, description = "Always: the message says what to do instead", body = ErrorBody))
)]
pub(crate) async fn edit(payload: Payload, state: Data<ApiState>) -> HttpResponse {
    refuse(payload, &state, NO_EDITS).await
}

/// Refused: no model here extends videos.
#[utoipa::path(
    post,
    path = "/v1/videos/extensions",
    tag = "openai",
    responses((status = 400, description = "Always: the message says what to do instead", body = ErrorBody))
)]
pub(crate) async fn extend(payload: Payload, state: Data<ApiState>) -> HttpResponse {
    refuse(payload, &state, NO_EXTENSIONS).await
}

/// Refuses a request once its body has arrived: a client whose upload is cut off reads no answer, and sends it again.
async fn refuse(payload: Payload, state: &ApiState, reason: &str) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let read = body.discard(state.image_body_limit, state.body_timeout).await;
    let refused = read.and_then(|()| Err(Problem::new(StatusCode::BAD_REQUEST, "unsupported_operation", reason)));
    body.held_by(refused)
}
