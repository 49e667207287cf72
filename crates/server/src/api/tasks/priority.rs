//! `PATCH /api/v1/tasks/{id}`: the order of the caller's waiting tasks; and the field of bodies that sets it.
//!
//! The invariant: a priority orders its owner's tasks only, whatever the operator's priority of the owner is.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Payload},
};
use generation::{Priority, jobs::Reordered};

use crate::{
    access::Caller,
    api::tasks::{
        problems::{task_not_found, task_not_waiting},
        task_view::{self, Links},
        wire::Task,
    },
    http::{ErrorBody, JsonBodyProblems, Problem, RequestBody, RequestNotes, StoreProblems, check_type},
    inputs::{Body, TypeFault, body_table},
    state::ApiState,
};

const FAULT: TypeFault = ("enum", "Input should be 'low', 'normal' or 'high'");

/// The changes of a task.
#[derive(Default)]
pub(crate) struct Changes {
    priority: Option<String>,
}

body_table! {
    /// The body of `PATCH /api/v1/tasks/{id}`.
    CHANGES: Changes, ChangesBody as "TaskChanges",
    example {"priority": "high"},
    {
        /// Its priority among your waiting tasks: a higher one is served first. It does not pass the tasks of other keys.
        priority: Text(|r| &mut r.priority).required().checked().one_of(names),
    }
}

/// The names of the priorities.
pub(super) fn names() -> Vec<&'static str> {
    Priority::ALL.map(Priority::name).to_vec()
}

/// The priority in a body's field `priority`; a fault of an unknown one is kept in the body.
pub(super) fn of<R>(body: &mut Body<R>, field: fn(&R) -> Option<&str>) -> Priority {
    let Some(name) = field(&body.request) else { return Priority::Normal };
    name.parse().unwrap_or_else(|_| {
        body.look(|fields| fields.value_fault("priority", FAULT));
        Priority::Normal
    })
}

/// Changes the priority of a waiting task.
///
/// It orders your own tasks: a key's turn among the others stays as it is. It survives a restart, and is announced by an event "priority".
#[utoipa::path(
    patch,
    path = "/api/v1/tasks/{id}",
    operation_id = "change_task",
    tag = "tasks",
    params(("id" = String, Path, description = "The task's id", example = "vid_abc123def456")),
    request_body = ChangesBody,
    responses(
        (status = 200, description = "The task with its new priority", body = Task),
        JsonBodyProblems,
        StoreProblems,
        (status = 404, description = "There is no such task", body = ErrorBody),
        (status = 409, description = "It no longer waits, and is unchanged", body = ErrorBody),
    )
)]
pub(crate) async fn change(
    request: HttpRequest,
    caller: Caller,
    id: Path<String>,
    payload: Payload,
    state: Data<ApiState>,
) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = answer(&request, &caller, &id, &mut body, &state).await;
    body.held_by(answer)
}

async fn answer(
    request: &HttpRequest,
    caller: &Caller,
    id: &str,
    body: &mut RequestBody,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let bytes = body.read(state.body_limit, state.body_timeout).await?;
    let mut changes = CHANGES.parse(&bytes)?;
    let priority = of(&mut changes, |changes| changes.priority.as_deref());
    changes.or_problem(Ok(()))?;
    RequestNotes::new(std::mem::take(&mut changes.named.ignored), Vec::new()).tell(request);
    match state.jobs.set_own_priority(&caller.owner, id, priority).await? {
        Reordered::Unknown => Err(task_not_found(id)),
        Reordered::NotWaiting(job) => Err(task_not_waiting(id, job.state)),
        Reordered::Done(job) => {
            let base_url = state.access.base_url(request);
            Ok(HttpResponse::Ok().json(task_view::task(&job, Links { access: &state.access, base_url: &base_url })))
        }
    }
}
