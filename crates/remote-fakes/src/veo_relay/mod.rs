//! A relay that implements OpenAI's video API, with new-api's answers and a storage on another origin.
//!
//! Operations for [`Faults`]: "upload", "start", "get", "content" and "download". A start's `WrongWord` is the first status; its
//! `ContentFilterAtEnd`, `Failed`, `TooLarge`, `Expired` and `NotAVideo` decide the job's outcome. The storage knows no key and refuses
//! requests that send one. Sources: new-api's source, the Tasks API's client.

mod form;

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    Clock, Fault, Faults, Recorded, Reply, Server,
    links::{Links, expired},
    multipart,
    sample::spoiled_video,
    sample_video,
};

/// How the relay reports a finished video's location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayResult {
    /// `video_url` of the job.
    VideoUrl,
    /// `metadata.url` of the job.
    MetadataUrl,
    /// `/content` redirects with this status.
    Redirect(u16),
    /// `/content` answers with JSON that has this field: "video_url" or "url".
    Json(&'static str),
    /// `/content` answers with the video itself.
    Bytes,
}

/// A relay's settings.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// The required key.
    pub key: String,
    /// The path of its videos.
    pub endpoint: String,
    /// How it reports a video's location.
    pub result: RelayResult,
    /// Whether polls are answered in new-api's unified form.
    pub is_unified: bool,
    /// The number of polls that find the job unfinished.
    pub polls: u32,
    /// The video.
    pub video: Vec<u8>,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            key: "sk-relay-4f1d9c".to_owned(),
            endpoint: "/v1/videos".to_owned(),
            result: RelayResult::VideoUrl,
            is_unified: false,
            polls: 2,
            video: sample_video(0),
        }
    }
}

/// A running relay and its storage.
#[derive(Debug)]
pub struct VeoRelayFake {
    /// The relay.
    pub server: Server,
    /// The storage of the videos.
    pub storage: Server,
    /// The scheduled failures.
    pub faults: Faults,
    /// The clock by which links expire, an hour after their creation.
    pub clock: Clock,
}

impl VeoRelayFake {
    /// Starts both servers.
    ///
    /// # Errors
    /// If no port can be opened.
    pub async fn start(options: RelayOptions) -> io::Result<Self> {
        let (faults, clock) = (Faults::default(), Clock::default());
        let jobs: Arc<Mutex<HashMap<String, Job>>> = Arc::default();
        let storage = {
            let (links, faults, jobs, options) = (Links::new(clock.clone()), faults.clone(), jobs.clone(), options.clone());
            Server::start(move |request| stored(request, &links, &faults, &jobs.lock().unwrap_or_else(PoisonError::into_inner), &options))
                .await?
        };
        let relay = Relay { options, faults: faults.clone(), links: Links::new(clock.clone()), storage: storage.url(), jobs };
        let server = Server::start(move |request| relay.answer(request)).await?;
        Ok(Self { server, storage, faults, clock })
    }
}

#[derive(Clone, Debug)]
struct Job {
    model: String,
    size: String,
    seconds: Option<String>,
    polls: u32,
    fate: Option<Fault>,
}

struct Relay {
    options: RelayOptions,
    faults: Faults,
    links: Links,
    storage: String,
    jobs: Arc<Mutex<HashMap<String, Job>>>,
}

impl Relay {
    fn answer(&self, request: &Recorded) -> Reply {
        if request.bearer() != Some(&self.options.key) {
            return error(401, "new_api_error", "Invalid token");
        }
        if request.method == "POST" && request.path == "/upload-image" {
            return self.faulty("upload", |_| upload(request));
        }
        let below: Vec<_> = request.path.strip_prefix(&self.options.endpoint).unwrap_or("/-/-/-").split('/').collect();
        match (request.method.as_str(), below.as_slice()) {
            ("POST", [""]) => self.faulty("start", |fault| self.start(request, fault)),
            ("GET", ["", id]) => self.faulty("get", |fault| self.get(id, fault)),
            ("GET", ["", id, "content"]) => self.faulty("content", |fault| self.content(id, fault)),
            _ => error(404, "invalid_request_error", &format!("Invalid URL ({} {})", request.method, request.path)),
        }
    }

    /// Carries out an operation under its next fault.
    fn faulty(&self, operation: &'static str, act: impl FnOnce(Option<&Fault>) -> Reply) -> Reply {
        let fault = self.faults.take(operation);
        match &fault {
            Some(Fault::Status(status, code)) => submit_error(*status, code, "the relay cannot do this now"),
            Some(Fault::RetryAfter(status, code, seconds)) => submit_error(*status, code, "slow down").header("retry-after", seconds),
            Some(Fault::StatusAfter(status, code)) => {
                act(None);
                submit_error(*status, code, "the relay lost the answer")
            }
            Some(spoiling) => spoiling.spoil(act(Some(spoiling))),
            None => act(None),
        }
    }

    fn start(&self, request: &Recorded, fault: Option<&Fault>) -> Reply {
        let job = match multipart::parts(request).and_then(|parts| form::read(&parts)) {
            Ok(job) => job,
            Err(why) => return submit_error(400, "invalid_request", &why),
        };
        if fault == Some(&Fault::ContentFilterAtStart) {
            return submit_error(400, "CONTENT_POLICY_VIOLATION", "Content policy violation");
        }
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("video_{:08x}", jobs.len() + 1);
        let job = Job { fate: fault.cloned(), ..job };
        let word = if let Some(Fault::WrongWord(word)) = fault { word } else { "queued" };
        let body = object(&id, &job, word, 0);
        jobs.insert(id, job);
        Reply::json(200, &body)
    }

    fn get(&self, id: &str, fault: Option<&Fault>) -> Reply {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(job) = jobs.get_mut(id) else {
            return submit_error(404, "task_not_exist", "task_not_exist");
        };
        job.polls += 1;
        let is_done = job.polls > self.options.polls;
        let failure = match (fault, &job.fate) {
            (Some(Fault::Failed(message)), _) => Some(("", *message)),
            (None, Some(Fault::Failed(message))) if is_done => Some(("", *message)),
            (None, Some(Fault::ContentFilterAtEnd)) if is_done => {
                Some(("PUBLIC_ERROR_PROMINENT_PEOPLE_FILTER_FAILED", "the video was blocked"))
            }
            _ => None,
        };
        let (running, finished, failed) =
            if self.options.is_unified { ("IN_PROGRESS", "SUCCESS", "FAILURE") } else { ("in_progress", "completed", "failed") };
        let word = match fault {
            Some(Fault::WrongWord(word)) => word,
            _ if failure.is_some() => failed,
            _ if is_done => finished,
            _ => running,
        };
        let percent = if is_done { 100 } else { 100 * job.polls / (self.options.polls + 1) };
        let mut body = object(id, job, word, percent);
        if let Some((code, message)) = failure {
            body["error"] = if code.is_empty() { json!(message) } else { json!({"code": code, "message": message}) };
        } else if is_done || word != running {
            match self.options.result {
                RelayResult::VideoUrl => body["video_url"] = self.link(id).into(),
                RelayResult::MetadataUrl => body["metadata"] = json!({"url": self.link(id)}),
                RelayResult::Redirect(_) | RelayResult::Json(_) | RelayResult::Bytes => {}
            }
        }
        Reply::json(200, &if self.options.is_unified { unified(id, &body) } else { body })
    }

    fn content(&self, id: &str, fault: Option<&Fault>) -> Reply {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(job) = jobs.get(id) else {
            return error(404, "invalid_request_error", "Task not found");
        };
        if job.polls <= self.options.polls {
            return error(400, "invalid_request_error", "Task is not completed yet");
        }
        match self.options.result {
            RelayResult::Redirect(status) => Reply::empty(status).header("location", self.link(id)),
            RelayResult::Json(field) => Reply::json(200, &json!({field: self.link(id)})),
            RelayResult::VideoUrl | RelayResult::MetadataUrl | RelayResult::Bytes => {
                video(job, fault, &self.options).header("cache-control", "public, max-age=86400")
            }
        }
    }

    fn link(&self, id: &str) -> String {
        self.links.sign(&self.storage, &format!("/files/{id}.mp4"))
    }
}

/// The storage's answer.
fn stored(request: &Recorded, links: &Links, faults: &Faults, jobs: &HashMap<String, Job>, options: &RelayOptions) -> Reply {
    let fault = faults.take("download");
    let id = request.path.strip_prefix("/files/").and_then(|name| name.strip_suffix(".mp4")).unwrap_or_default();
    let job = jobs.get(id);
    let reply = match (job, &fault) {
        (_, Some(Fault::Status(status, _) | Fault::StatusAfter(status, _))) => Reply::empty(*status),
        (_, Some(Fault::RetryAfter(status, _, seconds))) => Reply::empty(*status).header("retry-after", seconds),
        _ if request.header("authorization").is_some() => {
            Reply::bytes(400, "application/xml", "<Error><Code>InvalidArgument</Code></Error>")
        }
        (None, _) => Reply::bytes(404, "application/xml", "<Error><Code>NoSuchKey</Code></Error>"),
        (_, Some(Fault::Expired)) => expired(),
        (Some(job), _) if job.fate == Some(Fault::Expired) || !links.is_valid(request) => expired(),
        (Some(job), fault) => video(job, fault.as_ref(), options),
    };
    fault.map_or(reply.clone(), |fault| fault.spoil(reply))
}

fn video(job: &Job, fault: Option<&Fault>, options: &RelayOptions) -> Reply {
    let fault = fault.or(job.fate.as_ref());
    let media_type = if matches!(fault, Some(Fault::NotAVideo(_))) { "text/html" } else { "video/mp4" };
    Reply::bytes(200, media_type, spoiled_video(&options.video, fault))
}

fn upload(request: &Recorded) -> Reply {
    let file = multipart::parts(request).and_then(|parts| match parts.as_slice() {
        [part] if part.name == "file" && part.file_name.is_some() => form::check_image(part),
        _ => Err("file is required".to_owned()),
    });
    match file {
        Ok(()) => Reply::json(200, &json!({"url": "https://images.example/uploads/1.png"})),
        Err(why) => submit_error(400, "invalid_request", &why),
    }
}

/// The job as OpenAI's video object, with new-api's additions.
fn object(id: &str, job: &Job, word: &str, percent: u32) -> Value {
    let mut body = json!({
        "id": id, "task_id": id, "object": "video", "model": job.model, "status": word, "progress": percent,
        "created_at": 1_764_400_000, "size": job.size,
    });
    if let Some(seconds) = &job.seconds {
        body["seconds"] = seconds.as_str().into();
    }
    body
}

/// The same in new-api's unified form. Its `id` is an unrelated number, and a reason is present even when nothing failed.
fn unified(id: &str, body: &Value) -> Value {
    let reason = body["error"]["message"].as_str().or_else(|| body["error"].as_str()).unwrap_or_default();
    let code = body["error"]["code"].as_str().unwrap_or_default();
    let reason = if code.is_empty() { reason.to_owned() } else { format!("{code}: {reason}") };
    let percent = format!("{}%", body["progress"]);
    let mut data = json!({"id": 7, "task_id": id, "status": body["status"], "progress": percent, "fail_reason": reason, "data": null});
    if let Some(url) = body["video_url"].as_str() {
        data["result_url"] = url.into();
    }
    json!({"code": "success", "message": "", "data": data})
}

fn error(status: u16, kind: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"message": message, "type": kind}}))
}

fn submit_error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"code": code, "message": message, "data": null}))
}
