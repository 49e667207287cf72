//! `GET /api/v1/tasks/{id}/events`: the events of a task, as they happen.
//!
//! The invariant: the stream closes after the event that ends the task, and a client that reconnects after that gets 204, which stops a
//! browser from retrying.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use futures_util::stream;
use generation::{Preview, Previews};
use tokio::sync::watch;

use super::{BATCH, EventsQuery, HEARTBEAT, Renderer, answer, ended, greeting, preview_event, query};
use crate::{
    access::{Caller, OpenStream},
    api::tasks::{problems::task_not_found, wire::StreamedEvent},
    http::{ErrorBody, Problem, StoreProblems, ValidationErrorBody},
    state::ApiState,
};

/// The events of a task, as they happen: server-sent events.
///
/// `event:` is "queued", "started", "progress", "part", "requeued" (the server went down, and runs the task again), "completed", "failed"
/// or "cancelled"; `data:` is JSON with `task_id`, `status` and `at`, and `progress` in percent when it has changed; the last event has the
/// whole `task`, and the stream closes after it. A "part" of a video of scenes is a scene or a join, and says whether it was made or is from an
/// earlier video, with a small picture of the scene. With `previews=true` there are events "preview" in between, at most two a second, whose
/// data has `task_id`, `width`, `height` and `image`, a data URL: roughly the image that a step leads to (with `part`, `step` and `steps`),
/// or a finished frame of the video (with `frame`). They have no `id:` and are not repeated.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/events",
    operation_id = "follow_task",
    tag = "tasks",
    params(
        ("id" = String, Path, description = "The task's id", example = "vid_abc123def456"),
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0, description = "The last event that was received: those after it are sent"),
        EventsQuery
    ),
    responses(
        (status = 200, description = "The events", body = StreamedEvent, content_type = "text/event-stream"),
        (status = 204, description = "The task has ended, and its last event was received"),
        StoreProblems,
        (status = 404, description = "There is no such task", body = ErrorBody),
        (status = 422, description = "The number of the last event is invalid", body = ValidationErrorBody),
        (status = 429, description = "You follow as many tasks as the limit allows", body = ErrorBody, headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn events(request: HttpRequest, caller: Caller, id: Path<String>, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let (id, owner) = (id.into_inner(), caller.owner);
    let query = query(&request)?;
    let after = query.after.unwrap_or(0);
    let open_stream = state.streams.open(&owner, state.tasks.streams_per_owner)?;
    let jobs = state.jobs.clone();
    // Subscribe before the first read, so that no event in between is missed.
    let (changes, stopping) = (jobs.subscribe(&id), jobs.stopping());
    let job = jobs.get(&owner, &id).await?.ok_or_else(|| task_not_found(&id))?;
    if job.state.is_final() && jobs.events(&owner, &id, after, 1).await?.is_none_or(|events| events.is_empty()) {
        return Ok(HttpResponse::NoContent().finish());
    }
    let renderer = Renderer { access: state.access.clone(), jobs, owner, base_url: state.access.base_url(&request) };
    let reader = Reader {
        renderer,
        id,
        after,
        heartbeat: state.tasks.heartbeat,
        wants_previews: query.previews,
        previews: None,
        changes,
        stopping,
        _open_stream: open_stream,
    };
    Ok(answer(stream::unfold(Next::Greeting(reader), step)))
}

/// The reader of a stream, and its position.
struct Reader {
    renderer: Renderer,
    id: String,
    after: i64,
    heartbeat: Duration,
    wants_previews: bool,
    /// Previews of the running job, if the client wants them.
    previews: Option<Previews>,
    changes: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
    _open_stream: OpenStream,
}

/// The next step of a stream.
enum Next {
    Greeting(Reader),
    More(Reader),
    End,
}

async fn step(next: Next) -> Option<(Result<actix_web::web::Bytes, actix_web::Error>, Next)> {
    match next {
        Next::Greeting(reader) => Some((Ok(greeting().into()), Next::More(reader))),
        Next::More(reader) => reader.more().await.map(|(text, next)| (Ok(text.into()), next)),
        Next::End => None,
    }
}

impl Reader {
    /// The next events, or a heartbeat; `None` when the stream closes.
    async fn more(mut self) -> Option<(String, Next)> {
        loop {
            self.changes.mark_unchanged();
            if self.wants_previews && self.previews.is_none() {
                self.previews = self.renderer.jobs.previews(&self.renderer.owner, &self.id);
            }
            let events = match self.renderer.jobs.events(&self.renderer.owner, &self.id, self.after, BATCH).await {
                Ok(events) => events?,
                Err(error) => {
                    tracing::warn!(%error, "a stream of events ends early");
                    return None;
                }
            };
            if let Some(last) = events.last() {
                self.after = last.id;
                let is_end = ended(last).is_some();
                let mut text = String::new();
                for event in &events {
                    text.push_str(&self.renderer.text(&self.id, event, true).await);
                }
                return Some((text, if is_end { Next::End } else { Next::More(self) }));
            }
            let text = tokio::select! {
                changed = self.changes.changed() => {
                    changed.ok()?;
                    None
                }
                preview = next_preview(&mut self.previews) => Some(preview_event(&self.id, &preview)),
                // The client reconnects by itself once the server has restarted.
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                () = tokio::time::sleep(self.heartbeat) => Some(HEARTBEAT.to_owned()),
            };
            if let Some(text) = text {
                return Some((text, Next::More(self)));
            }
        }
    }
}

/// The next preview; pending forever if there will be none.
async fn next_preview(previews: &mut Option<Previews>) -> Arc<Preview> {
    if let Some(wanted) = previews
        && let Some(preview) = wanted.next().await
    {
        return preview;
    }
    *previews = None;
    std::future::pending().await
}
