//! The callback message when a job has ended.

use generation::jobs::Job;
use guarded_http::HeaderMap;
use serde_json::{Value, json};

use crate::{
    access::Access,
    api::tasks::{
        metadata::TaskMetadata,
        task_view::{self, Links},
    },
    webhooks::Message,
};

/// The task as in `GET /api/v1/tasks/{id}`, and the event.
pub(crate) fn message(access: &Access, job: &Job, event: &str) -> Message {
    let metadata = TaskMetadata::of(job);
    let task = task_view::task(job, Links { access, base_url: &metadata.base_url });
    let mut body = json!({"type": format!("task.{event}"), "timestamp": job.finished_at.map(task_view::time)});
    if let (Value::Object(body), Ok(Value::Object(task))) = (&mut body, serde_json::to_value(task)) {
        body.extend(task);
    }
    Message { body: body.to_string().into_bytes(), headers: HeaderMap::new(), guard: None }
}
