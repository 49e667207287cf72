//! `POST /sdapi/v1/txt2img`: pictures from a text.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};

use super::{
    fields::{TXT2IMG, Txt2ImgBody},
    making::{Asked, make},
    wire::WebUiImages,
};
use crate::{
    access::Caller,
    http::{HeldJobProblems, IdempotencyHeader, JsonBodyProblems, ModelProblems, Problem, QueueProblems, RequestBody, check_type, offload},
    state::ApiState,
};

/// Makes pictures from a text, as AUTOMATIC1111's web UI does.
///
/// Waits until they are made. Hanging up cancels them; `POST /sdapi/v1/interrupt` ends them with those that are finished.
#[utoipa::path(
    post,
    path = "/sdapi/v1/txt2img",
    tag = "automatic1111",
    request_body = Txt2ImgBody,
    params(IdempotencyHeader),
    responses(
        (
            status = 200,
            description = "The pictures",
            body = WebUiImages,
            headers(("Idempotent-Replayed" = String, description = "true if this request was answered before, or is being answered; else absent"))
        ),
        JsonBodyProblems,
        ModelProblems,
        QueueProblems,
        HeldJobProblems,
    )
)]
pub(crate) async fn txt2img(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = match read(&request, &caller.owner, &mut body, &state).await {
        Ok(asked) => make(&request, caller, asked, &state).await,
        Err(problem) => Err(problem),
    };
    body.held_by(answer)
}

async fn read(request: &HttpRequest, owner: &str, body: &mut RequestBody, state: &ApiState) -> Result<Asked, Problem> {
    check_type(request)?;
    // The pictures of ControlNets may be large.
    let (bytes, held) = state.read_large(body, request, owner).await?;
    offload(bytes.len(), move || Asked::read(&TXT2IMG, bytes, held)).await?
}
