//! `GET /sdapi/v1/progress`, and `POST /interrupt` and `/skip`: the caller's oldest job of this API.

use std::future::{Ready, ready};

use actix_web::{
    HttpRequest,
    web::{Data, Json},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    info::timestamp,
    wire::{WebUiProgress, WebUiState},
};
use crate::{
    access::Caller,
    http::{Problem, StoreProblems, ValidationErrorBody},
    inputs::{Fields, boolean, query_values},
    state::{ApiState, Seen},
};

/// How far your oldest job of this API is.
///
/// Previews are made from the first request that does not skip them, so that one has none yet.
#[utoipa::path(
    get,
    path = "/sdapi/v1/progress",
    tag = "automatic1111",
    params(("skip_current_image" = Option<bool>, Query, description = "Whether the answer has no picture", example = false)),
    responses(
        (status = 200, description = "The progress; 0 and a `job_count` of 0 without a job", body = WebUiProgress),
        (status = 422, description = "The query is wrong", body = ValidationErrorBody),
    )
)]
pub(crate) fn progress(request: HttpRequest, caller: Caller, state: Data<ApiState>) -> Ready<Result<Json<WebUiProgress>, Problem>> {
    let query = query_values(request.query_string());
    let mut fields = Fields::of(&query, "query");
    let skips = fields.read("skip_current_image", boolean).unwrap_or(false);
    if !fields.faults.is_empty() {
        return ready(Err(Problem::invalid(fields.faults)));
    }
    let subscribe = (!skips).then_some(|id: &str| state.jobs.previews(&caller.owner, id));
    ready(Ok(Json(state.web_ui.look(&caller.owner, subscribe).map_or_else(idle, |seen| shown(seen, skips)))))
}

fn idle() -> WebUiProgress {
    let state = WebUiState { job_timestamp: "0".to_owned(), ..WebUiState::default() };
    WebUiProgress { progress: 0.0, eta_relative: 0.0, state, current_image: None, textinfo: None, current_task: None }
}

fn shown(seen: Seen, skips: bool) -> WebUiProgress {
    let Seen { id, progress, preview, batch, began, started, skipped, interrupted } = seen;
    let batch = batch.max(1);
    let (job_count, job_no) = (progress.parts.max(1).div_ceil(batch), progress.part.min(progress.parts.saturating_sub(1)) / batch);
    let eta_relative = started.map_or(0.0, |(since, share)| {
        let (elapsed, done) = (since.elapsed().as_secs_f64(), progress.share - share);
        if done > 0.0 { elapsed / done * (1.0 - progress.share) } else { 0.0 }
    });
    let state = WebUiState {
        skipped,
        interrupted,
        stopping_generation: interrupted,
        job: format!("Batch {} out of {job_count}", job_no + 1),
        job_count,
        job_timestamp: timestamp(began),
        job_no,
        sampling_step: progress.step,
        sampling_steps: progress.steps,
    };
    WebUiProgress {
        // A job that runs is never 0: clients take that for the end.
        progress: if progress.started { progress.share.clamp(0.01, 1.0) } else { 0.01 },
        eta_relative,
        state,
        current_image: preview.filter(|_| !skips).map(|preview| BASE64_STANDARD.encode(&preview.png)),
        textinfo: (!progress.started).then_some("Waiting in the queue"),
        current_task: Some(id),
    }
}

/// Ends your oldest job of this API at its next step. Its request is answered with the pictures that are finished.
#[utoipa::path(
    post,
    path = "/sdapi/v1/interrupt",
    tag = "automatic1111",
    responses((status = 200, description = "An empty object, also without a job", body = Object), StoreProblems)
)]
pub(crate) async fn interrupt(caller: Caller, state: Data<ApiState>) -> Result<Json<Value>, Problem> {
    if let Some(id) = state.web_ui.interrupt(&caller.owner) {
        state.jobs.cancel(&caller.owner, &id).await?;
    }
    Ok(Json(Value::Object(Map::new())))
}

/// Leaves out the picture that your oldest job of this API makes; the next one follows.
#[utoipa::path(
    post,
    path = "/sdapi/v1/skip",
    tag = "automatic1111",
    responses((status = 200, description = "null, also without a job", body = Option<bool>), StoreProblems)
)]
pub(crate) async fn skip(caller: Caller, state: Data<ApiState>) -> Result<Json<Value>, Problem> {
    if let Some(id) = state.web_ui.skip(&caller.owner) {
        state.jobs.cancel(&caller.owner, &id).await?;
    }
    Ok(Json(Value::Null))
}
