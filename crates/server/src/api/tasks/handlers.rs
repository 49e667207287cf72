//! `GET /api/v1/tasks`, `GET` and `DELETE /api/v1/tasks/{id}`: listing, reading and cancelling tasks.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LINK,
    web::{Data, Json, Path},
};
use generation::jobs::Cancelled;

use crate::{
    access::Caller,
    api::tasks::{
        list_query::{ListQuery, Query},
        problems::{task_ended, task_not_found},
        summary_wire::TaskSummary,
        task_summary,
        task_view::{self, Links},
        wire::{CancelResponse, Task},
    },
    http::{ErrorBody, Problem, StoreProblems, ValidationErrorBody},
    inputs::{Fields, boolean, query_values},
    state::ApiState,
};

/// Your tasks, newest first.
///
/// A full page has a `Link` header with `rel="next"`, which keeps the filter and the order.
#[utoipa::path(
    get,
    path = "/api/v1/tasks",
    operation_id = "list_tasks",
    tag = "tasks",
    params(ListQuery),
    responses(
        (
            status = 200,
            description = "The tasks",
            body = Vec<TaskSummary>,
            headers(("Link" = String, description = "The next page, if this one is full"))
        ),
        StoreProblems,
        (status = 404, description = "There is no task with the id in `after`", body = ErrorBody),
        (status = 422, description = "The query is wrong", body = ValidationErrorBody),
    )
)]
pub(crate) async fn list(request: HttpRequest, caller: Caller, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let owner = caller.owner;
    let query = Query::parse(request.query_string())?;
    let beyond = match &query.after {
        None => None,
        Some(id) => Some(state.jobs.get(&owner, id).await?.ok_or_else(|| task_not_found(id))?.number),
    };
    let jobs = state.jobs.list(&owner, query.page(beyond)).await?;
    let base_url = state.access.base_url(&request);
    let mut response = HttpResponse::Ok();
    if let Some(last) = jobs.last().filter(|_| jobs.len() == query.limit) {
        response.insert_header((LINK, format!("<{base_url}/api/v1/tasks?{}>; rel=\"next\"", query.next(&last.id))));
    }
    let links = Links { access: &state.access, base_url: &base_url };
    Ok(response.json(jobs.iter().map(|job| task_summary::summary(job, links)).collect::<Vec<_>>()))
}

/// A task in its current state.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}",
    operation_id = "show_task",
    tag = "tasks",
    params(("id" = String, Path, description = "The task's id", example = "vid_abc123def456")),
    responses(
        (status = 200, description = "The task, also if it failed or was cancelled", body = Task),
        StoreProblems,
        (status = 404, description = "There is no such task", body = ErrorBody),
    )
)]
pub(crate) async fn show(request: HttpRequest, caller: Caller, id: Path<String>, state: Data<ApiState>) -> Result<Json<Task>, Problem> {
    let id = id.into_inner();
    let job = state.jobs.get(&caller.owner, &id).await?.ok_or_else(|| task_not_found(&id))?;
    let base_url = state.access.base_url(&request);
    Ok(Json(task_view::task(&job, Links { access: &state.access, base_url: &base_url })))
}

/// Cancels a task: a queued one at once, a running one at its next step.
///
/// With `forget=true` it is also deleted, with its files and everything known of it, whether or not it has ended.
#[utoipa::path(
    delete,
    path = "/api/v1/tasks/{id}",
    operation_id = "cancel_task",
    tag = "tasks",
    params(
        ("id" = String, Path, description = "The task's id", example = "vid_abc123def456"),
        ("forget" = Option<bool>, Query, description = "Whether to delete the task, too; false if absent")
    ),
    responses(
        (status = 200, description = "It is cancelled, or deleted", body = CancelResponse),
        StoreProblems,
        (status = 404, description = "There is no such task", body = ErrorBody),
        (status = 409, description = "It has already ended, and is unchanged; not with `forget=true`", body = ErrorBody),
        (status = 422, description = "The query is wrong", body = ValidationErrorBody),
    )
)]
pub(crate) async fn cancel(
    request: HttpRequest,
    caller: Caller,
    id: Path<String>,
    state: Data<ApiState>,
) -> Result<Json<CancelResponse>, Problem> {
    let id = id.into_inner();
    if forgets(request.query_string())? {
        return match state.jobs.forget(&caller.owner, &id).await? {
            true => Ok(Json(CancelResponse { success: true, message: format!("Task {id} has been deleted"), task_id: id })),
            false => Err(task_not_found(&id)),
        };
    }
    match state.jobs.cancel(&caller.owner, &id).await? {
        Cancelled::Unknown => Err(task_not_found(&id)),
        Cancelled::Finished(job) => Err(task_ended(&id, job.state)),
        Cancelled::Done(_) => Ok(Json(CancelResponse { success: true, message: format!("Task {id} has been cancelled"), task_id: id })),
    }
}

/// Whether the query asks to delete the task.
fn forgets(query: &str) -> Result<bool, Problem> {
    let values = query_values(query);
    let mut fields = Fields::of(&values, "query");
    let forgets = fields.read("forget", boolean);
    if fields.faults.is_empty() { Ok(forgets.unwrap_or(false)) } else { Err(Problem::invalid(fields.faults)) }
}
