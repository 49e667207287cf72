//! Jobs as lines for people.

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    client::text,
    output::{self, size},
};

/// The longest message in a list, in characters.
const MAX_MESSAGE: usize = 60;

/// The clock.
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// A list: a header line, then one line per job.
pub(super) fn list(jobs: &[Value], now: Timestamp) -> Vec<String> {
    let mut rows = vec![["JOB", "STATUS", "DONE", "AGE", ""].map(str::to_owned)];
    rows.extend(jobs.iter().map(|job| {
        let message: String = text(job, "message").chars().take(MAX_MESSAGE).collect();
        // The columns before the message already say this.
        let is_news = !["completed", "cancelled"].contains(&text(job, "status").as_str()) && !message.ends_with("% done");
        let message = if is_news { message } else { String::new() };
        [text(job, "task_id"), text(job, "status"), percent(job), age(&text(job, "created_at"), now), message]
    }));
    output::table(&rows, &[2, 3])
}

/// One job: one line per fact.
pub(super) fn one(job: &Value, now: Timestamp) -> Vec<String> {
    let mut facts = vec![("job", text(job, "task_id")), ("status", text(job, "status")), ("done", percent(job))];
    if let Some(before) = job.get("queue_position").and_then(Value::as_u64) {
        facts.push(("before it", format!("{before} in the queue")));
    }
    if let Some(seconds) = job.get("eta_seconds").and_then(Value::as_f64) {
        facts.push(("left", seconds_text(seconds)));
    }
    for (name, key) in [("created", "created_at"), ("updated", "updated_at"), ("ended", "completed_at")] {
        let at = text(job, key);
        if !at.is_empty() {
            facts.push((name, format!("{at} ({} ago)", age(&at, now))));
        }
    }
    if let Some(result) = job.get("result").filter(|result| result.is_object()) {
        if let Some(seconds) = result.get("duration").and_then(Value::as_f64) {
            facts.push(("took", seconds_text(seconds)));
        }
        facts.extend(result.get("result").map(result_facts).unwrap_or_default());
    }
    if let Some(error) = job.get("error").filter(|error| !error.is_null()) {
        facts.push(("error", error.as_str().map_or_else(|| text(error, "message"), str::to_owned)));
    }
    facts.retain(|(_, value)| !value.is_empty());
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect()
}

/// The facts about a job's result.
fn result_facts(result: &Value) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let number = |of: &Value, key: &str| of.get(key).and_then(Value::as_u64);
    if let (Some(width), Some(height)) = (number(result, "width"), number(result, "height")) {
        let mut shape = format!("{width}x{height}");
        if let Some(frames) = number(result, "frames") {
            shape = format!("{shape}, {frames} frames at {} a second", text(result, "fps"));
        }
        facts.push(("made", shape));
    }
    if let Some(seed) = number(result, "seed") {
        facts.push(("seed", seed.to_string()));
    }
    for file in result.get("files").and_then(Value::as_array).into_iter().flatten() {
        let kept = if file.get("expired").and_then(Value::as_bool) == Some(true) { ", no longer kept" } else { "" };
        facts.push(("file", format!("{} ({}{kept})", text(file, "url"), size(number(file, "bytes").unwrap_or_default()))));
    }
    if !facts.iter().any(|(name, _)| *name == "file") {
        facts.push(("file", text(result, "video_url")));
    }
    for remark in result.get("remarks").and_then(Value::as_array).into_iter().flatten() {
        facts.push(("remark", remark.as_str().unwrap_or_default().to_owned()));
    }
    facts
}

fn percent(job: &Value) -> String {
    job.get("progress").and_then(Value::as_u64).map_or_else(String::new, |percent| format!("{percent} %"))
}

/// The age of a timestamp in its largest unit; empty if it does not parse.
fn age(at: &str, now: Timestamp) -> String {
    let Ok(at) = at.parse::<Timestamp>() else { return String::new() };
    let seconds = (now.as_second() - at.as_second()).max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A duration in seconds.
pub(super) fn seconds_text(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.1} s") } else { crate::output::clock(std::time::Duration::from_secs_f64(seconds.min(1e9))) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_list_has_columns() {
        let jobs = [
            json!({"task_id": "vid_0123456789ab", "status": "pending", "progress": 0, "created_at": "2026-11-21T11:59:30.5Z",
                   "message": "2 before it in the queue"}),
            json!({"task_id": "img_1", "status": "processing", "progress": 45, "created_at": "2026-11-21T11:10:00Z", "message": "45 % done"}),
            json!({"task_id": "b", "status": "failed", "progress": 7, "created_at": "2026-11-19T11:00:00Z",
                   "message": "out of\u{1b}[31m memory"}),
            json!({"task_id": "c", "status": "completed", "progress": 100, "created_at": "never", "message": "Completed"}),
        ];
        let expected = [
            "JOB               STATUS       DONE     AGE",
            "vid_0123456789ab  pending       0 %    30 s  2 before it in the queue",
            "img_1             processing   45 %  50 min",
            "b                 failed        7 %     2 d  out of[31m memory",
            "c                 completed   100 %",
        ];
        assert_eq!(list(&jobs, now()), expected);
    }

    #[test]
    fn one_job_is_a_line_a_fact() {
        let file = json!({"url": "http://127.0.0.1:8000/files/vid_1/video.mp4", "bytes": 123_456, "expired": false});
        let job = json!({
            "task_id": "vid_1", "status": "completed", "progress": 100, "created_at": "2026-11-21T11:00:00Z", "error": null,
            "completed_at": "2026-11-21T11:59:00Z", "queue_position": null,
            "result": {"service": "local", "duration": 75.5, "result": {"width": 640, "height": 360, "frames": 120, "fps": "24",
                       "seed": 7, "files": [file], "remarks": ["The prompt was not used"]}}
        });
        let expected = [
            "job      vid_1",
            "status   completed",
            "done     100 %",
            "created  2026-11-21T11:00:00Z (1 h ago)",
            "ended    2026-11-21T11:59:00Z (1 min ago)",
            "took     1:16",
            "made     640x360, 120 frames at 24 a second",
            "seed     7",
            "file     http://127.0.0.1:8000/files/vid_1/video.mp4 (123.5 kB)",
            "remark   The prompt was not used",
        ];
        assert_eq!(one(&job, now()), expected);
        let failed = json!({"task_id": "a", "status": "failed", "progress": 3, "error": {"type": "X", "message": "no memory"}});
        assert_eq!(one(&failed, now()), ["job     a", "status  failed", "done    3 %", "error   no memory"]);
    }
}
