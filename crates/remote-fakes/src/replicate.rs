//! Replicate's predictions, with an interrogator, Stable Video Diffusion and an official model behind them. Operations: "create", "get",
//! "cancel", "download".
//!
//! A prediction is starting at the first poll, processing at the second, and has succeeded at the third. With `Prefer: wait` the answer to
//! the creation already has the output but still says "processing", as recorded answers do; after [`ReplicateFake::time_out_waits`] it
//! has none. [`Fault::WrongWord`] at "create" is an output of another kind. Reference: replicate.com/docs/reference/http.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Map, Value, json};

use crate::{
    Fault, Faults, Recorded, Reply, Server,
    job::{Job, Jobs, LOOKS, answer, download},
};

/// The interrogator's version.
pub const INTERROGATOR: &str = "8151e1c9f47e696fa316146a2e35812ccf79cfc9eba05b11c7f450155102af70";
/// Stable Video Diffusion's version.
pub const STABLE_VIDEO_DIFFUSION: &str = "3f0457e4619daac51203dedb472816fd4af51f3149fa7a9e0b5ffcf1b8172438";
/// The official model, which has no version in requests.
const OFFICIAL: &str = "minimax/video-01";

const CAPTION: &str = "a red fox in the snow, a photorealistic painting, trending on artstation";
const CREATE_FIELDS: [&str; 6] = ["version", "input", "webhook", "webhook_completed", "webhook_events_filter", "stream"];

/// A running fake.
#[derive(Debug)]
pub struct ReplicateFake {
    /// The server and its recorded requests.
    pub server: Server,
    /// The scheduled failures.
    pub faults: Faults,
    state: State,
}

#[derive(Clone, Debug)]
struct State {
    token: String,
    faults: Faults,
    jobs: Jobs,
    holds_time_out: Arc<AtomicBool>,
}

impl ReplicateFake {
    /// Starts a fake that accepts this token.
    ///
    /// # Errors
    /// If no port can be opened.
    pub async fn start(token: &str) -> io::Result<Self> {
        let state = State { token: token.to_owned(), faults: Faults::default(), jobs: Jobs::default(), holds_time_out: Arc::default() };
        let serving = state.clone();
        let faults = state.faults.clone();
        Ok(Self { server: Server::start(move |request| serving.serve(request)).await?, faults, state })
    }

    /// The number of created predictions.
    pub fn predictions(&self) -> usize {
        self.state.jobs.len()
    }

    /// From now on no output is ready in time for a request that waits for it.
    pub fn time_out_waits(&self) {
        self.state.holds_time_out.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn serve(&self, request: &Recorded) -> Reply {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        let method = request.method.as_str();
        if let ("GET", ["delivery", ..]) = (method, segments.as_slice()) {
            return download(&self.faults, error);
        }
        if request.bearer() != Some(&self.token) {
            return error(401, "You did not pass a valid authentication token");
        }
        match (method, segments.as_slice()) {
            ("POST", ["v1", "predictions"]) => {
                answer(self.faults.take("create"), error, |fault| self.create(request, request.json()["version"].as_str(), fault))
            }
            ("POST", ["v1", "models", owner, name, "predictions"]) if format!("{owner}/{name}") == OFFICIAL => {
                answer(self.faults.take("create"), error, |fault| self.create(request, Some(OFFICIAL), fault))
            }
            ("GET", ["v1", "predictions", id]) => answer(self.faults.take("get"), error, |fault| self.get(request, id, fault)),
            ("POST", ["v1", "predictions", id, "cancel"]) => answer(self.faults.take("cancel"), error, |_| self.cancel(request, id)),
            (_, _) => error(404, "The requested resource could not be found."),
        }
    }

    fn create(&self, request: &Recorded, model: Option<&str>, fault: Option<&Fault>) -> Reply {
        let body = request.json();
        if request.media_type() != "application/json" || !body.is_object() {
            return error(400, "The request body is not a JSON object");
        }
        if body.as_object().is_some_and(|body| body.keys().any(|key| !CREATE_FIELDS.contains(&key.as_str()))) {
            return invalid("Input validation failed", "- Additional property is not allowed");
        }
        let Some(model) = model else { return invalid("Input validation failed", "- version is required") };
        let is_wrong = body.get("version").is_some() == (model == OFFICIAL);
        if is_wrong || ![INTERROGATOR, STABLE_VIDEO_DIFFUSION, OFFICIAL].contains(&model) {
            let detail = "The specified version does not exist (or perhaps you don't have permission to use it?)";
            return invalid("Invalid version or not permitted", detail);
        }
        if let Err(why) = body["input"].as_object().ok_or("- input is required".to_owned()).and_then(|input| check(model, input)) {
            return invalid("Input validation failed", &why);
        }
        let waits = match request.header("prefer").map(|value| value.split_once('=').map_or((value, None), |(name, n)| (name, Some(n)))) {
            None => false,
            Some(("wait", None)) => true,
            Some(("wait", Some(seconds))) if seconds.parse().is_ok_and(|seconds: u32| (1..=60).contains(&seconds)) => true,
            Some(_) => return error(400, "The Prefer header has to be wait or wait=n, n from 1 to 60"),
        };
        let id = self.jobs.add("gm3qorzdhgbfurvjtvhg6d", json!({"model": model, "input": body["input"]}), fault.cloned());
        let Some(job) = self.jobs.get(&id) else { return error(500, "the prediction is lost") };
        if !waits {
            return Reply::json(201, &prediction(request, &id, &job, None));
        }
        if self.holds_time_out.load(Ordering::SeqCst) {
            return Reply::json(202, &prediction(request, &id, &job, None)).header("location", format!("/v1/predictions/{id}"));
        }
        let done = Job { looks: LOOKS + 1, ..job };
        let mut answer = prediction(request, &id, &done, None);
        if answer["status"] == "succeeded" {
            answer["status"] = "processing".into();
        }
        Reply::json(201, &answer).header("preference-applied", "wait")
    }

    fn get(&self, request: &Recorded, id: &str, fault: Option<&Fault>) -> Reply {
        match self.jobs.look(id) {
            Some(job) => Reply::json(200, &prediction(request, id, &job, fault)),
            None => error(404, "The requested resource could not be found."),
        }
    }

    fn cancel(&self, request: &Recorded, id: &str) -> Reply {
        self.jobs.cancel(id);
        match self.jobs.get(id) {
            Some(job) => Reply::json(200, &prediction(request, id, &job, None)),
            None => error(404, "The requested resource could not be found."),
        }
    }
}

/// Replicate's error form; the title is HTTP's own phrase, or Replicate's if it has one.
fn error(status: u16, detail: &str) -> Reply {
    let title = match status {
        401 => "Unauthenticated",
        402 => "Insufficient credit",
        404 => "Not Found",
        429 => "Too many requests",
        _ => "Error",
    };
    Reply::json(status, &json!({"title": title, "detail": detail, "status": status}))
}

fn invalid(title: &str, detail: &str) -> Reply {
    Reply::json(422, &json!({"title": title, "detail": detail, "status": 422}))
}

/// A prediction's object.
fn prediction(request: &Recorded, id: &str, job: &Job, fault: Option<&Fault>) -> Value {
    let is_caption = job.request["model"] == INTERROGATOR;
    let is_official = job.request["model"] == OFFICIAL;
    let host = request.header("host").unwrap_or_default();
    let file = format!("http://{host}/delivery/xezq/{id}/out.mp4");
    let fault = fault.or(job.fault.as_ref());
    let failed = |why: &str| ("failed", Value::Null, json!(why));
    let is_over = job.looks > LOOKS;
    let (status, output, why) = match fault {
        Some(Fault::WrongWord(word)) => (*word, Value::Null, Value::Null),
        Some(Fault::ContentFilterAtStart | Fault::ContentFilterAtEnd) if is_over => {
            failed("The input or output was flagged as sensitive. Please try again with different inputs. (E005)")
        }
        Some(Fault::Failed(why)) if is_over => failed(why),
        _ if job.cancelled => ("canceled", Value::Null, Value::Null),
        _ if job.looks < LOOKS => ("starting", Value::Null, Value::Null),
        _ if !is_over => ("processing", Value::Null, Value::Null),
        Some(Fault::NotAVideo(bytes)) => ("succeeded", json!(String::from_utf8_lossy(bytes)), Value::Null),
        _ if is_caption => ("succeeded", json!(CAPTION), Value::Null),
        _ if is_official => ("succeeded", json!([file]), Value::Null),
        _ => ("succeeded", json!(file), Value::Null),
    };
    let logs = if status == "processing" {
        "Using seed: 7\n  0%|          | 0/25 [00:00<?]\n 40%|████      | 10/25 [00:04<00:06]"
    } else {
        ""
    };
    let url = format!("http://{host}/v1/predictions/{id}");
    json!({
        "id": id,
        "model": if is_official { OFFICIAL } else { "owner/name" },
        "version": job.request["model"],
        "input": job.request["input"],
        "logs": logs,
        "output": output,
        "error": why,
        "status": status,
        "data_removed": false,
        "created_at": "2026-11-20T10:00:00.123Z",
        "urls": {"get": url, "cancel": format!("{url}/cancel"), "web": format!("https://replicate.com/p/{id}")},
    })
}

/// Checks the inputs against the model's schema.
fn check(model: &str, input: &Map<String, Value>) -> Result<(), String> {
    let known: &[&str] = match model {
        INTERROGATOR => &["image", "clip_model_name", "mode"],
        STABLE_VIDEO_DIFFUSION => {
            &["input_image", "video_length", "sizing_strategy", "frames_per_second", "motion_bucket_id", "cond_aug", "decoding_t", "seed"]
        }
        _ => &["prompt", "prompt_optimizer", "first_frame_image", "subject_reference"],
    };
    if let Some(key) = input.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(format!("- Additional property {key} is not allowed"));
    }
    let is_uri =
        |value: &Value| value.as_str().is_some_and(|url| ["http://", "https://", "data:"].iter().any(|start| url.starts_with(start)));
    let one_of = |key: &str, words: &[&str]| match input.get(key) {
        Some(value) if !words.iter().any(|word| value == word) => Err(format!("- input.{key} must be one of {}", words.join(", "))),
        Some(_) | None => Ok(()),
    };
    let range = |key: &str, low: i64, high: i64| match input.get(key) {
        Some(value) if !value.as_i64().is_some_and(|number| (low..=high).contains(&number)) => {
            Err(format!("- input.{key} must be an integer from {low} to {high}"))
        }
        Some(_) | None => Ok(()),
    };
    let image = |key: &str| match input.get(key) {
        Some(url) if is_uri(url) => Ok(()),
        Some(_) => Err(format!("- input.{key} does not match format uri")),
        None => Err(format!("- input.{key} is required")),
    };
    match model {
        INTERROGATOR => {
            image("image")?;
            one_of("clip_model_name", &["ViT-L-14/openai", "ViT-H-14/laion2b_s32b_b79k", "ViT-bigG-14/laion2b_s39b_b160k"])?;
            one_of("mode", &["best", "classic", "fast", "negative"])
        }
        STABLE_VIDEO_DIFFUSION => {
            image("input_image")?;
            one_of("video_length", &["14_frames_with_svd", "25_frames_with_svd_xt"])?;
            one_of("sizing_strategy", &["maintain_aspect_ratio", "crop_to_16_9", "use_image_dimensions"])?;
            range("frames_per_second", 5, 30)?;
            range("motion_bucket_id", 1, 255)?;
            range("decoding_t", 1, i64::MAX)?;
            range("seed", i64::MIN, i64::MAX)
        }
        _ => match input.get("prompt").and_then(Value::as_str) {
            Some(_) => input.get("first_frame_image").map_or(Ok(()), |_| image("first_frame_image")),
            None => Err("- input.prompt is required".to_owned()),
        },
    }
}
