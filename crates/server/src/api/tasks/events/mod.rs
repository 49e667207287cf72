//! Server-sent events: of one task ([`of_task`]), and of all the caller's tasks ([`of_all`]).
//!
//! They follow the HTML standard's chapter on them. An event's `id:` is its number in the store, so a client that reconnects with
//! `Last-Event-ID` misses nothing, even across a restart of the server. The invariants: a stream is produced as it is read, one batch at a
//! time, so a slow reader holds no memory; an owner has a bounded number of streams.

pub(crate) mod of_all;
pub(crate) mod of_task;

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderName, HeaderValue},
    web::Bytes,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::Stream;
use generation::{
    Preview, PreviewOf,
    jobs::{JobEvent, JobState, Jobs},
};
use serde_json::{Map, Value, json};

use crate::{
    access::Access,
    api::tasks::{
        task_view::{self, Links},
        wire::{PreviewData, TaskStatus},
    },
    http::{Problem, ValidationErrorDetail},
    inputs::{Fields, boolean, integer, query_values},
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
/// What a quiet stream sends.
const HEARTBEAT: &str = ": still here\n\n";

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

/// The parameters of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    /// The last event that the client received.
    after: Option<i64>,
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
    if faults.is_empty() { Ok(Query { after: from_header.or(from_query), previews }) } else { Err(Problem::invalid(faults)) }
}

/// The answer with a stream.
fn answer(stream: impl Stream<Item = Result<Bytes, actix_web::Error>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .insert_header((CACHE_CONTROL, CACHING))
        .insert_header((ACCEL_BUFFERING, HeaderValue::from_static("no")))
        .streaming(stream)
}

/// The first lines of a stream.
fn greeting() -> String {
    format!("retry: {}\n\n", RETRY.as_millis())
}

/// Renders the events of an owner's tasks.
struct Renderer {
    access: Arc<Access>,
    jobs: Jobs,
    owner: String,
    base_url: String,
}

impl Renderer {
    /// An event in the stream's format; without its number if a later reader could not continue there.
    async fn text(&self, id: &str, event: &JobEvent, has_number: bool) -> String {
        let mut data = Map::new();
        data.insert("task_id".to_owned(), Value::from(id));
        data.insert("status".to_owned(), json!(status(event)));
        data.insert("at".to_owned(), Value::from(task_view::time(event.at)));
        if let Value::Object(more) = &event.data {
            data.extend(more.clone());
        }
        if ended(event).is_some()
            && let Ok(Some(job)) = self.jobs.get(&self.owner, id).await
        {
            let links = Links { access: &self.access, base_url: &self.base_url };
            data.insert("progress".to_owned(), Value::from(task_view::progress(&job)));
            data.insert("task".to_owned(), serde_json::to_value(task_view::task(&job, links)).unwrap_or_default());
        }
        let number = if has_number { format!("id: {}\n", event.id) } else { String::new() };
        // Serialized JSON contains no line break.
        format!("{number}event: {}\ndata: {}\n\n", event.kind, Value::Object(data))
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

/// The final state, if this is the task's last event.
fn ended(event: &JobEvent) -> Option<JobState> {
    event.kind.parse().ok().filter(|state: &JobState| state.is_final())
}

/// The state of the task after an event.
fn status(event: &JobEvent) -> TaskStatus {
    match event.kind.as_str() {
        "queued" | "requeued" | "routed" | "priority" => TaskStatus::Pending,
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
        assert_eq!(read("/", None), Some((None, false)));
        assert_eq!(read("/?last_event_id=7&previews=true", None), Some((Some(7), true)));
        assert_eq!(read("/?last_event_id=7", Some("9")), Some((Some(9), false)));
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
            ("routed", TaskStatus::Pending),
            ("priority", TaskStatus::Pending),
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
