//! `framewright jobs watch`: follows a job's events until it finishes, and reconnects if a connection breaks.
//!
//! The invariant: after a break it continues after the last complete event, so that each event is reported once.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use anyhow::{Result, anyhow};
use indicatif::ProgressBar;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    events::{Event, Events},
    path,
    table::seconds_text,
};
use crate::{
    client::{Client, Refused, text},
    output,
};

/// Reconnect delay, if the server names none.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest reconnect delay.
const LONGEST: Duration = Duration::from_secs(15);
/// Maximum consecutive reconnects without an event.
const TRIES: u32 = 10;

/// How a connection closed.
enum End {
    /// The job has finished.
    Job,
    /// The connection broke or the server closed it; whether an event arrived before, and the server's retry delay.
    Connection { received: bool, retry: Option<Duration> },
}

/// Follows a job.
///
/// # Errors
/// If the server cannot be reached, refuses, or cannot be reached again; or if the job fails or is cancelled.
pub(super) async fn run(client: &Client, id: &str, as_json: bool) -> Result<()> {
    let mut reporter = Reporter { as_json, on_terminal: io::stderr().is_terminal(), bar: output::share_bar() };
    let mut last = None;
    let mut retries = 0;
    let mut was_connected = false;
    loop {
        let mut pause = AGAIN.saturating_mul(1 << retries.min(4));
        match connection(client, id, &mut last, &mut reporter).await {
            Ok(End::Job) => break,
            Ok(End::Connection { received, retry }) => {
                was_connected = true;
                retries = if received { 0 } else { retries + 1 };
                pause = retry.map_or(pause, |retry| retry.max(pause));
            }
            Err(error) if is_final(&error) || !was_connected => return Err(error),
            Err(error) if retries >= TRIES => return Err(error),
            Err(_) => retries += 1,
        }
        if retries > TRIES {
            return Err(anyhow!("the server ends every connection at once"));
        }
        if reporter.on_terminal {
            reporter.bar.set_message("the connection is lost; asking again");
        }
        tokio::time::sleep(pause.min(LONGEST)).await;
    }
    reporter.bar.finish_and_clear();
    ended(&client.get(&path(id), &[]).await?, &reporter)
}

/// Whether a retry is pointless: the server understood the request and refused it.
fn is_final(error: &anyhow::Error) -> bool {
    let passing = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT];
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.status.is_client_error() && !passing.contains(&refused.status))
}

/// Reads one connection until it closes.
async fn connection(client: &Client, id: &str, last: &mut Option<String>, reporter: &mut Reporter) -> Result<End> {
    let mut answer = client.events(&format!("{}/events", path(id)), last.as_deref()).await?;
    if answer.status() == StatusCode::NO_CONTENT {
        // The job has finished, and all of its events were delivered.
        return Ok(End::Job);
    }
    let mut events = Events::default();
    let mut received = false;
    // A broken connection reads like a closed one: only the job's own final event counts.
    while let Ok(Some(bytes)) = answer.chunk().await {
        for event in events.take(&bytes)? {
            received = true;
            if !event.id.is_empty() {
                *last = Some(event.id.clone());
            }
            if reporter.report(&event)? {
                return Ok(End::Job);
            }
        }
    }
    Ok(End::Connection { received, retry: events.retry })
}

/// Reports events to a person or a program.
struct Reporter {
    as_json: bool,
    on_terminal: bool,
    bar: ProgressBar,
}

impl Reporter {
    /// Reports an event. Returns whether it is the job's last.
    fn report(&self, event: &Event) -> Result<bool> {
        let data: Value = serde_json::from_str(&event.data).unwrap_or_else(|_| Value::from(event.data.as_str()));
        let is_last = ["completed", "failed", "cancelled"].contains(&event.kind.as_str());
        if self.as_json {
            output::result(json!({"id": event.id, "event": event.kind, "data": data}))?;
            return Ok(is_last);
        }
        let progress = data.get("progress").and_then(Value::as_u64);
        if let Some(percent) = progress {
            self.bar.set_position(percent.min(100) * output::SHARES / 100);
        }
        if event.kind == "progress" || event.kind == "part" {
            // The bar shows it on a terminal.
            if self.on_terminal {
                self.bar.set_message(format!("{} %{}", progress.unwrap_or_default(), left(&data)));
            } else if let Some(part) = scene_part(&data) {
                output::result(part)?;
            } else if let Some(percent) = progress {
                output::result(format_args!("progress  {percent} %{}", left(&data)))?;
            }
        } else if !is_last && event.kind != "preview" {
            self.bar.set_message(plain(&event.kind));
            self.bar.suspend(|| output::result(plain(&event.kind)))?;
        }
        Ok(is_last)
    }
}

fn plain(kind: &str) -> String {
    kind.chars().filter(|character| !character.is_control()).collect()
}

/// A finished scene or join of a video, in words; `None` for other parts.
fn scene_part(data: &Value) -> Option<String> {
    let (kind, scene) = (data.get("kind")?.as_str()?, data.get("scene")?.as_u64()?);
    let how = if data.get("reused")?.as_bool()? { "reused" } else { "made" };
    // People count scenes from 1.
    Some(format!("{} {}  {how}", plain(kind), scene.saturating_add(1)))
}

fn left(data: &Value) -> String {
    data.get("eta_seconds").and_then(Value::as_f64).map_or_else(String::new, |seconds| format!("  {} left", seconds_text(seconds)))
}

/// Reports how the job finished.
fn ended(job: &Value, reporter: &Reporter) -> Result<()> {
    let status = text(job, "status");
    match status.as_str() {
        "completed" => {
            if !reporter.as_json {
                let result = job.get("result").and_then(|result| result.get("result")).cloned().unwrap_or_default();
                let url = [text(&result, "video_url"), text(&result, "image_url")].into_iter().find(|url| !url.is_empty());
                output::result(format_args!("completed  {}", url.unwrap_or_default()).to_string().trim_end())?;
            }
            Ok(())
        }
        "failed" => {
            let error = job.get("error").cloned().unwrap_or_default();
            let reason = error.as_str().map_or_else(|| text(&error, "message"), str::to_owned);
            Err(anyhow!("job {} failed: {reason}", text(job, "task_id")))
        }
        _ => Err(anyhow!("job {} is {status}", text(job, "task_id"))),
    }
}
