//! `GET /api/v1/tasks`, `GET` and `DELETE /api/v1/tasks/{id}`: listing, reading and cancelling tasks.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LINK,
    web::{Data, Json, Path},
};
use generation::jobs::{Cancelled, Page};
use url::form_urlencoded;

use crate::{
    access::Caller,
    api::tasks::{
        problems::{task_ended, task_not_found},
        task_view::{self, Links},
        wire::{CancelResponse, PAGE, Task, TaskStatus, TaskSummary},
    },
    http::{ErrorBody, Problem, StoreProblems, ValidationErrorBody},
    inputs::{Fields, entries, query_values, string},
    state::ApiState,
};

/// The filter and the order of a list.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only documents parameters, which are read one by one")]
pub(crate) struct ListQuery {
    /// The maximum number of tasks.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
    /// Only tasks after the one with this id: the last of the previous page.
    after: Option<String>,
    /// Only tasks with this status.
    #[param(inline)]
    status: Option<TaskStatus>,
    /// Whether the newest come first.
    #[param(inline)]
    order: Option<Order>,
}

/// The task that comes first.
#[derive(utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "desc")]
#[expect(dead_code, reason = "it only documents a parameter")]
pub(crate) enum Order {
    /// The oldest.
    Asc,
    /// The newest.
    Desc,
}

/// Your tasks, newest first.
///
/// A full page has a `Link` header with `rel="next"`.
#[utoipa::path(
    get,
    path = "/api/v1/tasks",
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
    let Query { limit, after, status, newest_first } = query(request.query_string())?;
    let beyond = match after {
        None => None,
        Some(id) => Some(state.jobs.get(&owner, &id).await?.ok_or_else(|| task_not_found(&id))?.number),
    };
    let page = Page { beyond, limit, state: status.as_deref().and_then(TaskStatus::state_named), kind: None, newest_first };
    let jobs = state.jobs.list(&owner, page).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = jobs.last().filter(|_| jobs.len() == limit) {
        let mut next = form_urlencoded::Serializer::new(String::new());
        next.append_pair("limit", &limit.to_string()).append_pair("order", if newest_first { "desc" } else { "asc" });
        if let Some(status) = &status {
            next.append_pair("status", status);
        }
        next.append_pair("after", &last.id);
        let base_url = state.access.base_url(&request);
        response.insert_header((LINK, format!("<{base_url}/api/v1/tasks?{}>; rel=\"next\"", next.finish())));
    }
    Ok(response.json(jobs.iter().map(task_view::summary).collect::<Vec<_>>()))
}

/// A task in its current state.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}",
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
#[utoipa::path(
    delete,
    path = "/api/v1/tasks/{id}",
    tag = "tasks",
    params(("id" = String, Path, description = "The task's id", example = "vid_abc123def456")),
    responses(
        (status = 200, description = "It is cancelled", body = CancelResponse),
        StoreProblems,
        (status = 404, description = "There is no such task", body = ErrorBody),
        (status = 409, description = "It has already ended, and is unchanged", body = ErrorBody),
    )
)]
pub(crate) async fn cancel(caller: Caller, id: Path<String>, state: Data<ApiState>) -> Result<Json<CancelResponse>, Problem> {
    let id = id.into_inner();
    match state.jobs.cancel(&caller.owner, &id).await? {
        Cancelled::Unknown => Err(task_not_found(&id)),
        Cancelled::Finished(job) => Err(task_ended(&id, job.state)),
        Cancelled::Done(_) => Ok(Json(CancelResponse { success: true, message: format!("Task {id} has been cancelled"), task_id: id })),
    }
}

struct Query {
    limit: usize,
    after: Option<String>,
    /// A known status name.
    status: Option<String>,
    newest_first: bool,
}

fn query(text: &str) -> Result<Query, Problem> {
    let values = query_values(text);
    let mut fields = Fields::of(&values, "query");
    let limit = fields.read("limit", entries);
    let after = fields.read("after", string);
    let status = fields.read("status", |value| {
        let name = string(value)?;
        let known = TaskStatus::state_named(&name).is_some();
        if known { Ok(name) } else { Err(("enum", "Input should be 'pending', 'processing', 'completed', 'failed' or 'cancelled'")) }
    });
    let newest_first = fields.read("order", |value| match string(value)?.as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err(("enum", "Input should be 'asc' or 'desc'")),
    });
    if fields.faults.is_empty() {
        Ok(Query { limit: limit.unwrap_or(PAGE), after, status, newest_first: newest_first.unwrap_or(true) })
    } else {
        Err(Problem::invalid(fields.faults))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_query_is_bounded() {
        let read = |text: &str| query(text).map(|query| (query.limit, query.after, query.status, query.newest_first)).ok();
        assert_eq!(read("").unwrap(), (100, None, None, true));
        assert_eq!(read("limit=+1_0.0").unwrap().0, 10, "as pydantic reads it");
        let all = (1000, Some("a b".into()), Some("failed".into()), false);
        assert_eq!(read("limit=1000&after=a+b&status=failed&order=asc&more=1").unwrap(), all);
        for refused in ["limit=0", "limit=1001", "limit=x", "limit=", "status=queued", "order=up", "status=Failed"] {
            assert_eq!(read(refused), None, "{refused}");
        }
    }

    #[test]
    fn the_sentence_names_the_statuses() {
        let faults = query("status=x").err().unwrap().fields;
        assert!(TaskStatus::ALL.iter().all(|(_, _, name)| faults[0].msg.contains(&format!("'{name}'"))), "{faults:?}");
    }
}
