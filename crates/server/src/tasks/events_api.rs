//! `GET /api/v1/tasks/{id}/events`: what happens to a task, as it happens, as server-sent events.
//!
//! It follows the HTML standard's chapter on them. An event's `id:` is its number in the store, so a client that comes back with
//! `Last-Event-ID` misses nothing, even over a restart of the server. The invariants: the stream is made as it is taken, a batch at a time,
//! so a slow reader holds no memory; it ends behind the event that ends the task, and who comes back after that is told so by 204, which
//! keeps a browser from asking again; an owner has a bounded number of them.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderName, HeaderValue},
    web::{Bytes, Data, Path},
};
use futures_util::stream;
use generation::jobs::{JobEvent, JobState, Jobs};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use url::form_urlencoded;

use super::{
    OpenStream,
    document::{self, Links},
    wire::{TaskErrorBody, TaskStatus, TaskValidationErrorBody},
};
use crate::{access::Caller, app::ApiState, error::ApiError, wire::ValidationErrorDetail};

/// Events that are read from the store at once.
const BATCH: usize = 64;
/// What a browser waits before it asks again, in milliseconds.
const RETRY: Duration = Duration::from_secs(2);

const LAST_EVENT_ID: &str = "Last-Event-ID";
/// Tells proxies (nginx) to pass each event on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Where a reader is.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) struct EventsQuery {
    /// As the header `Last-Event-ID`, for clients that cannot send one; the header counts before it.
    #[param(minimum = 0)]
    last_event_id: Option<i64>,
}

/// What happens to a task, as it happens: server-sent events.
///
/// `event:` is "queued", "started", "progress", "part", "requeued" (the server went down and takes it up again), "completed", "failed" or
/// "cancelled"; `data:` is JSON with `task_id`, `status` and `at`, and `progress` in percent where it has changed; the last event has the
/// whole `task`. The stream ends behind it.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/events",
    tag = "tasks",
    params(
        ("id" = String, Path, description = "The task's id", example = "vid_abc123def456"),
        ("Last-Event-ID" = Option<i64>, Header, description = "The last event that was seen: those behind it are sent"),
        EventsQuery
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 204, description = "The task has ended, and its last event was seen"),
        (status = 404, description = "There is no such task", body = TaskErrorBody),
        (status = 422, description = "The number of the last event is none", body = TaskValidationErrorBody),
        (
            status = 429,
            description = "You follow as many tasks as you may",
            body = TaskErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until one may be closed"))
        ),
        (status = 500, description = "The task cannot be read", body = TaskErrorBody),
        (status = 503, description = "The server is shutting down", body = TaskErrorBody),
    )
)]
pub(crate) async fn events(
    request: HttpRequest,
    caller: Caller,
    id: Path<String>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let (id, owner) = (id.into_inner(), caller.owner);
    let after = last_event_id(&request)?;
    let place = state.streams.open(&owner, state.tasks.streams_per_owner)?;
    let jobs = state.jobs.clone();
    // Before the first look, so that nothing that happens in between is missed.
    let (changes, stopping) = (jobs.changes(), jobs.stopping());
    let job = jobs.get(&owner, &id).await?.ok_or_else(|| ApiError::TaskNotFound(id.clone()))?;
    if job.state.is_final() && jobs.events(&owner, &id, after, 1).await?.is_none_or(|events| events.is_empty()) {
        return Ok(HttpResponse::NoContent().finish());
    }
    let base_url = state.access.base_url(&request);
    let heartbeat = state.tasks.heartbeat;
    let reader = Reader {
        state: state.into_inner().as_ref().clone(),
        jobs,
        owner,
        id,
        base_url,
        after,
        heartbeat,
        changes,
        stopping,
        _place: place,
    };
    let greeting = format!("retry: {}\n\n", RETRY.as_millis());
    let stream = stream::unfold(Next::Greeting(reader, greeting), step);
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ACCEL_BUFFERING, HeaderValue::from_static("no")))
        .streaming(stream))
}

/// The event that a client saw last; 0 if it saw none.
fn last_event_id(request: &HttpRequest) -> Result<i64, ApiError> {
    let fault = |place: &str, name: &str, value: &str| {
        ApiError::Invalid(vec![ValidationErrorDetail {
            kind: "int_parsing".into(),
            loc: vec![place.into(), name.into()],
            msg: "Input should be a valid integer, unable to parse string as an integer".into(),
            input: Value::from(generation::field_error::shortened(value)),
            ctx: None,
        }])
    };
    let number = |text: &str| text.trim().parse::<i64>().ok().filter(|number| *number >= 0);
    if let Some(header) = request.headers().get(LAST_EVENT_ID) {
        let text = header.to_str().unwrap_or_default();
        return number(text).ok_or_else(|| fault("header", LAST_EVENT_ID, text));
    }
    let mut query = form_urlencoded::parse(request.query_string().as_bytes());
    match query.find(|(key, _)| key == "last_event_id") {
        None => Ok(0),
        Some((_, text)) => number(&text).ok_or_else(|| fault("query", "last_event_id", &text)),
    }
}

/// A stream's reader and what it has seen.
struct Reader {
    state: ApiState,
    jobs: Jobs,
    owner: String,
    id: String,
    base_url: String,
    after: i64,
    heartbeat: Duration,
    changes: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    _place: OpenStream,
}

/// What a stream does next.
enum Next {
    Greeting(Reader, String),
    More(Reader),
    End,
}

async fn step(next: Next) -> Option<(Result<Bytes, actix_web::Error>, Next)> {
    match next {
        Next::Greeting(reader, greeting) => Some((Ok(greeting.into()), Next::More(reader))),
        Next::More(reader) => reader.more().await.map(|(text, next)| (Ok(text.into()), next)),
        Next::End => None,
    }
}

impl Reader {
    /// The next events, or a sign of life; `None` at the end.
    async fn more(mut self) -> Option<(String, Next)> {
        loop {
            self.changes.mark_unchanged();
            let events = match self.jobs.events(&self.owner, &self.id, self.after, BATCH).await {
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
                    text.push_str(&self.written(event).await);
                }
                return Some((text, if is_end { Next::End } else { Next::More(self) }));
            }
            let is_quiet = tokio::select! {
                changed = self.changes.changed() => {
                    changed.ok()?;
                    false
                }
                // The client comes back by itself, to the server's next life.
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                () = tokio::time::sleep(self.heartbeat) => true,
            };
            if is_quiet {
                return Some((": still here\n\n".to_owned(), Next::More(self)));
            }
        }
    }

    /// An event as it stands in the stream.
    async fn written(&self, event: &JobEvent) -> String {
        let mut data = Map::new();
        data.insert("task_id".to_owned(), Value::from(self.id.as_str()));
        data.insert("status".to_owned(), json!(status(event)));
        data.insert("at".to_owned(), Value::from(document::time(event.at)));
        if let Value::Object(more) = &event.data {
            data.extend(more.clone());
        }
        if ended(event).is_some()
            && let Ok(Some(job)) = self.jobs.get(&self.owner, &self.id).await
        {
            let links = Links { state: &self.state, base_url: &self.base_url };
            data.insert("progress".to_owned(), Value::from(document::progress(&job)));
            data.insert("task".to_owned(), serde_json::to_value(document::task(&job, links)).unwrap_or_default());
        }
        // JSON has no line's end inside.
        format!("id: {}\nevent: {}\ndata: {}\n\n", event.id, event.kind, Value::Object(data))
    }
}

/// How the task ended, if this is its last event.
fn ended(event: &JobEvent) -> Option<JobState> {
    event.kind.parse().ok().filter(|state: &JobState| state.is_final())
}

/// Where the task stood after an event.
fn status(event: &JobEvent) -> TaskStatus {
    match event.kind.as_str() {
        "queued" | "requeued" => TaskStatus::Pending,
        _ => document::status(ended(event).unwrap_or(JobState::Running)),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_last_event_is_told_by_header_or_query() {
        let read = |uri: &str, header: Option<&str>| {
            let mut request = TestRequest::get().uri(uri);
            if let Some(header) = header {
                request = request.insert_header((LAST_EVENT_ID, header));
            }
            last_event_id(&request.to_http_request()).ok()
        };
        assert_eq!(read("/", None), Some(0));
        assert_eq!(read("/?last_event_id=7", None), Some(7));
        assert_eq!(read("/?last_event_id=7", Some("9")), Some(9));
        for (uri, header) in [("/?last_event_id=x", None), ("/?last_event_id=-1", None), ("/", Some("")), ("/", Some("9e99"))] {
            assert_eq!(read(uri, header), None, "{uri} {header:?}");
        }
    }

    #[test]
    fn an_event_has_the_status_that_it_leaves_the_task_in() {
        let event = |kind: &str| JobEvent { id: 1, at: std::time::SystemTime::UNIX_EPOCH, kind: kind.into(), data: json!({}) };
        let table = [
            ("queued", TaskStatus::Pending),
            ("started", TaskStatus::Processing),
            ("progress", TaskStatus::Processing),
            ("part", TaskStatus::Processing),
            ("requeued", TaskStatus::Pending),
            ("completed", TaskStatus::Completed),
            ("failed", TaskStatus::Failed),
            ("cancelled", TaskStatus::Cancelled),
        ];
        for (kind, expected) in table {
            assert_eq!(status(&event(kind)), expected, "{kind}");
            assert_eq!(ended(&event(kind)).is_some(), ["completed", "failed", "cancelled"].contains(&kind));
        }
    }
}
