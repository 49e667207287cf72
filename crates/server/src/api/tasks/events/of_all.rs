//! `GET /api/v1/events`: the events of all the caller's tasks, as they happen.
//!
//! The invariants: a client that resumes misses no event of a stored task; events without a place in that sequence (previews, deletions,
//! tasks whose callers wait) have no `id:`; nothing of another owner is sent.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web::Data};
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream, SelectAll},
};
use generation::{
    Preview,
    jobs::{EventCursor, ForgottenJob, Jobs, OwnerEvent},
};
use serde_json::json;
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

use super::{BATCH, EventsQuery, HEARTBEAT, Renderer, answer, ended, greeting, preview_event, query};
use crate::{
    access::{Caller, OpenStream},
    api::tasks::wire::StreamedEvent,
    http::{ErrorBody, Problem, StoreProblems, ValidationErrorBody},
    state::ApiState,
};

/// The events of all your tasks, as they happen: server-sent events.
///
/// They are those of `GET /api/v1/tasks/{id}/events`, and the stream does not end. Without `Last-Event-ID` it begins with what happens from
/// now on: its first event is "hello", whose data has `last_event_id`. So does a stream that continues after a number that this server has
/// not reached. Deleted tasks are announced by "forgotten" with their `task_id`, without an `id:`; so are the events of requests that wait
/// for their result. With `previews=true` there are events "preview" of all running tasks.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    operation_id = "follow_tasks",
    tag = "tasks",
    params(
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0, description = "The last event that was received: those after it are sent"),
        EventsQuery
    ),
    responses(
        (status = 200, description = "The events", body = StreamedEvent, content_type = "text/event-stream"),
        StoreProblems,
        (status = 422, description = "The number of the last event is invalid", body = ValidationErrorBody),
        (status = 429, description = "You have as many streams as the limit allows", body = ErrorBody, headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn all_events(request: HttpRequest, caller: Caller, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let owner = caller.owner;
    let query = query(&request)?;
    let open_stream = state.streams.open(&owner, state.tasks.streams_per_owner)?;
    let jobs = state.jobs.clone();
    // Subscribe before the first read, so that no event in between is missed.
    let (changes, forgotten, stopping) = (jobs.subscribe_to_all(), jobs.forgotten(), jobs.stopping());
    let now = jobs.last_event().await?;
    let resumed = query.after.filter(|after| *after <= now.stored);
    let mut first = greeting();
    if resumed.is_none() {
        let last = now.stored;
        first.push_str(&format!("id: {last}\nevent: hello\ndata: {}\n\n", json!({ "last_event_id": last })));
    }
    let cursor = now.after(resumed.unwrap_or(now.stored));
    let renderer = Renderer { access: state.access.clone(), jobs, owner, base_url: state.access.base_url(&request) };
    let reader = Reader {
        renderer,
        cursor,
        heartbeat: state.tasks.heartbeat,
        previews: query.previews.then(PreviewSet::default),
        changes,
        forgotten,
        stopping,
        _open_stream: open_stream,
    };
    let events = stream::unfold(reader, |reader| async { reader.more().await.map(|(text, reader)| (Ok(text.into()), reader)) });
    Ok(answer(stream::once(std::future::ready(Ok(first.into()))).chain(events)))
}

/// The reader of a stream, and its position.
struct Reader {
    renderer: Renderer,
    cursor: EventCursor,
    heartbeat: Duration,
    /// Previews of the running tasks, if the client wants them.
    previews: Option<PreviewSet>,
    changes: watch::Receiver<()>,
    forgotten: broadcast::Receiver<ForgottenJob>,
    stopping: watch::Receiver<bool>,
    _open_stream: OpenStream,
}

impl Reader {
    /// The next events, or a heartbeat; `None` when the stream closes.
    async fn more(mut self) -> Option<(String, Self)> {
        // Changes of others' tasks must not delay it.
        let heartbeat = Instant::now() + self.heartbeat;
        loop {
            self.changes.mark_unchanged();
            let Renderer { jobs, owner, .. } = &self.renderer;
            if let Some(previews) = &mut self.previews {
                previews.follow(jobs, owner);
            }
            let (events, cursor) = match jobs.owner_events(owner, self.cursor, BATCH).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(%error, "a stream of events ends early");
                    return None;
                }
            };
            self.cursor = cursor;
            if !events.is_empty() {
                let mut text = String::new();
                for OwnerEvent { job, event, is_held } in &events {
                    text.push_str(&self.renderer.text(job, event, !is_held).await);
                    if let Some(previews) = self.previews.as_mut().filter(|_| ended(event).is_some()) {
                        previews.ids.remove(job);
                    }
                }
                return Some((text, self));
            }
            let text = tokio::select! {
                changed = self.changes.changed() => {
                    changed.ok()?;
                    None
                }
                id = next_forgotten(&mut self.forgotten, &self.renderer.owner) => {
                    Some(format!("event: forgotten\ndata: {}\n\n", json!({ "task_id": id })))
                }
                (id, preview) = next_preview(&mut self.previews) => Some(preview_event(&id, &preview)),
                // The client reconnects by itself once the server has restarted.
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                () = tokio::time::sleep_until(heartbeat) => Some(HEARTBEAT.to_owned()),
            };
            if let Some(text) = text {
                return Some((text, self));
            }
        }
    }
}

/// The id of the owner's next deleted task.
async fn next_forgotten(forgotten: &mut broadcast::Receiver<ForgottenJob>, owner: &str) -> String {
    loop {
        match forgotten.recv().await {
            Ok(job) if job.owner == owner => return job.id,
            // A slow reader misses some.
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The next preview; pending while there is none.
async fn next_preview(previews: &mut Option<PreviewSet>) -> (String, Arc<Preview>) {
    match previews {
        Some(previews) => previews.next().await,
        None => std::future::pending().await,
    }
}

/// The previews of several tasks.
#[derive(Default)]
struct PreviewSet {
    /// The followed tasks.
    ids: HashSet<String>,
    streams: SelectAll<BoxStream<'static, (String, Option<Arc<Preview>>)>>,
}

impl PreviewSet {
    /// Follows the owner's unfinished tasks that are not followed yet.
    fn follow(&mut self, jobs: &Jobs, owner: &str) {
        for (id, previews) in jobs.previews_of(owner, |id| !self.ids.contains(id)) {
            self.ids.insert(id.clone());
            let stream = stream::unfold(Some(previews), move |previews| {
                let id = id.clone();
                async move {
                    let mut previews = previews?;
                    let preview = previews.next().await;
                    let rest = preview.is_some().then_some(previews);
                    Some(((id, preview), rest))
                }
            });
            self.streams.push(stream.boxed());
        }
    }

    /// The next preview; pending while no task makes any.
    async fn next(&mut self) -> (String, Arc<Preview>) {
        loop {
            match self.streams.next().await {
                Some((id, Some(preview))) => return (id, preview),
                // It makes no more; if it runs again, it is followed again.
                Some((id, None)) => drop(self.ids.remove(&id)),
                None => std::future::pending().await,
            }
        }
    }
}
