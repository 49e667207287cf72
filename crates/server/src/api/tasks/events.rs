//! `GET /api/v1/tasks/{id}/events`: the events of a task as server-sent events, as they happen.
//!
//! It follows the HTML standard's chapter on them. An event's `id:` is its number in the store, so a client that reconnects with
//! `Last-Event-ID` misses nothing, even across a restart of the server. The invariants: the stream is produced as it is read, one batch at
//! a time, so a slow reader holds no memory; it closes after the event that ends the task, and a client that reconnects after that gets
//! 204, which stops a browser from retrying; an owner has a bounded number of streams.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderName, HeaderValue},
    web::{Bytes, Data, Path},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::stream;
use generation::{
    Preview, PreviewOf, Previews,
    jobs::{JobEvent, JobState, Jobs},
};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::{
    access::{Access, Caller, OpenStream},
    api::tasks::{
        problems::task_not_found,
        task_view::{self, Links},
        wire::{PreviewData, StreamedEvent, TaskStatus},
    },
    http::{ErrorBody, Problem, StoreProblems, ValidationErrorBody, ValidationErrorDetail},
    inputs::{Fields, boolean, integer, query_values},
    state::ApiState,
};

/// Events read from the store at once.
const BATCH: usize = 64;
/// The time after which a browser reconnects.
const RETRY: Duration = Duration::from_secs(2);

const LAST_EVENT_ID: &str = "Last-Event-ID";
/// A compressing proxy holds events back until it has enough of them, unless it may not transform them; a caching proxy does the same.
const CACHING: &str = "no-store, no-cache, no-transform";
/// Makes buffering proxies (nginx) pass each event on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A reader's position.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only documents parameters, which are read one by one")]
pub(crate) struct EventsQuery {
    /// Like the header `Last-Event-ID`, for clients that cannot send it; the header takes precedence.
    #[param(minimum = 0)]
    last_event_id: Option<i64>,
    /// Whether to send small previews of the work in progress, as events "preview" without an `id:`.
    #[param(default = false)]
    previews: Option<bool>,
}

/// The events of a task, as they happen: server-sent events.
///
/// `event:` is "queued", "started", "progress", "part", "requeued" (the server went down, and runs the task again), "completed", "failed"
/// or "cancelled"; `data:` is JSON with `task_id`, `status` and `at`, and `progress` in percent when it has changed; the last event has the
/// whole `task`, and the stream closes after it. With `previews=true` there are events "preview" in between, at most two a second, whose
/// data has `task_id`, `width`, `height` and `image`, a data URL: roughly the image that a step leads to (with `part`, `step` and `steps`),
/// or a finished frame of the video (with `frame`). They have no `id:` and are not repeated.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/events",
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
    let open_stream = state.streams.open(&owner, state.tasks.streams_per_owner)?;
    let jobs = state.jobs.clone();
    // Subscribe before the first read, so that no event in between is missed.
    let (changes, stopping) = (jobs.subscribe(&id), jobs.stopping());
    let job = jobs.get(&owner, &id).await?.ok_or_else(|| task_not_found(&id))?;
    if job.state.is_final() && jobs.events(&owner, &id, query.after, 1).await?.is_none_or(|events| events.is_empty()) {
        return Ok(HttpResponse::NoContent().finish());
    }
    let base_url = state.access.base_url(&request);
    let heartbeat = state.tasks.heartbeat;
    let reader = Reader {
        access: state.access.clone(),
        jobs,
        owner,
        id,
        base_url,
        after: query.after,
        heartbeat,
        wants_previews: query.previews,
        previews: None,
        changes,
        stopping,
        _open_stream: open_stream,
    };
    let greeting = format!("retry: {}\n\n", RETRY.as_millis());
    let stream = stream::unfold(Next::Greeting(reader, greeting), step);
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .insert_header((CACHE_CONTROL, CACHING))
        .insert_header((ACCEL_BUFFERING, HeaderValue::from_static("no")))
        .streaming(stream))
}

/// The parameters of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    /// The last event that the client received; 0 if none.
    after: i64,
    previews: bool,
}

fn query(request: &HttpRequest) -> Result<Query, Problem> {
    let number = |value: &Value| match integer(value)? {
        ..0 => Err(("greater_than_equal", "Input should be greater than or equal to 0")),
        // A number beyond the last event is treated like the last one.
        number => Ok(i64::try_from(number).unwrap_or(i64::MAX)),
    };
    let header: Map<String, Value> = request
        .headers()
        .get(LAST_EVENT_ID)
        .into_iter()
        .map(|seen| (LAST_EVENT_ID.to_owned(), Value::from(seen.to_str().unwrap_or_default())))
        .collect();
    let mut headers = Fields::of(&header, "header");
    let from_header = headers.read(LAST_EVENT_ID, number);
    let values = query_values(request.query_string());
    let mut fields = Fields::of(&values, "query");
    let from_query = fields.read("last_event_id", number);
    let previews = fields.read("previews", boolean).unwrap_or(false);
    let faults: Vec<ValidationErrorDetail> = headers.faults.into_iter().chain(fields.faults).collect();
    if faults.is_empty() { Ok(Query { after: from_header.or(from_query).unwrap_or(0), previews }) } else { Err(Problem::invalid(faults)) }
}

/// The reader of a stream, and its position.
struct Reader {
    access: Arc<Access>,
    jobs: Jobs,
    owner: String,
    id: String,
    base_url: String,
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
    /// The next events, or a heartbeat; `None` when the stream closes.
    async fn more(mut self) -> Option<(String, Next)> {
        loop {
            self.changes.mark_unchanged();
            if self.wants_previews && self.previews.is_none() {
                self.previews = self.jobs.previews(&self.owner, &self.id);
            }
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
                    text.push_str(&self.event_text(event).await);
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
                () = tokio::time::sleep(self.heartbeat) => Some(": still here\n\n".to_owned()),
            };
            if let Some(text) = text {
                return Some((text, Next::More(self)));
            }
        }
    }

    /// An event in the stream's format.
    async fn event_text(&self, event: &JobEvent) -> String {
        let mut data = Map::new();
        data.insert("task_id".to_owned(), Value::from(self.id.as_str()));
        data.insert("status".to_owned(), json!(status(event)));
        data.insert("at".to_owned(), Value::from(task_view::time(event.at)));
        if let Value::Object(more) = &event.data {
            data.extend(more.clone());
        }
        if ended(event).is_some()
            && let Ok(Some(job)) = self.jobs.get(&self.owner, &self.id).await
        {
            let links = Links { access: &self.access, base_url: &self.base_url };
            data.insert("progress".to_owned(), Value::from(task_view::progress(&job)));
            data.insert("task".to_owned(), serde_json::to_value(task_view::task(&job, links)).unwrap_or_default());
        }
        // Serialized JSON contains no line break.
        format!("id: {}\nevent: {}\ndata: {}\n\n", event.id, event.kind, Value::Object(data))
    }
}

/// A preview in the stream's format: without an id, because it is not repeated.
fn preview_event(id: &str, preview: &Preview) -> String {
    let Preview { of, width, height, png } = preview;
    let (frame, part, step, steps) = match *of {
        PreviewOf::Step { part, step, steps } => (None, Some(part), Some(step), Some(steps)),
        PreviewOf::Frame { frame } => (Some(frame), None, None, None),
    };
    let image = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png));
    let data = PreviewData { frame, height: *height, image, part, step, steps, task_id: id.to_owned(), width: *width };
    // It contains nothing that JSON cannot represent.
    format!("event: preview\ndata: {}\n\n", serde_json::to_string(&data).unwrap_or_default())
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

/// The final state, if this is the task's last event.
fn ended(event: &JobEvent) -> Option<JobState> {
    event.kind.parse().ok().filter(|state: &JobState| state.is_final())
}

/// The state of the task after an event.
fn status(event: &JobEvent) -> TaskStatus {
    match event.kind.as_str() {
        "queued" | "requeued" => TaskStatus::Pending,
        _ => task_view::status(ended(event).unwrap_or(JobState::Running)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_last_event_comes_from_the_header_or_the_query() {
        let read = |uri: &str, header: Option<&str>| {
            let mut request = TestRequest::get().uri(uri);
            if let Some(header) = header {
                request = request.insert_header((LAST_EVENT_ID, header));
            }
            query(&request.to_http_request()).ok().map(|query| (query.after, query.previews))
        };
        assert_eq!(read("/", None), Some((0, false)));
        assert_eq!(read("/?last_event_id=7&previews=true", None), Some((7, true)));
        assert_eq!(read("/?last_event_id=7", Some("9")), Some((9, false)));
        for (uri, header) in [("/?last_event_id=x", None), ("/?last_event_id=-1", None), ("/", Some("")), ("/?previews=x", None)] {
            assert_eq!(read(uri, header), None, "{uri} {header:?}");
        }
    }

    #[test]
    fn a_preview_matches_its_schema() {
        let schema = serde_json::to_value(<PreviewData as utoipa::PartialSchema>::schema()).unwrap();
        for of in [PreviewOf::Step { part: 0, step: 1, steps: 2 }, PreviewOf::Frame { frame: 3 }] {
            let event = preview_event("vid_a", &Preview { of, width: 96, height: 64, png: vec![1] });
            let data: Value = serde_json::from_str(event.trim_end().strip_prefix("event: preview\ndata: ").unwrap()).unwrap();
            assert_eq!((&data["image"], &data["task_id"]), (&json!("data:image/png;base64,AQ=="), &json!("vid_a")));
            assert!(data.as_object().unwrap().keys().all(|key| schema["properties"].get(key).is_some()), "{data} {schema}");
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
