//! fal's queue with Pika's models behind it. Operations: "submit", "status", "result", "cancel", "download".
//!
//! Like the real one, it accepts any JSON object and reports a model's refusal only in the result. A request is queued at the first poll,
//! in progress at the second, and then completed. Reference: fal.ai/docs, "Queue", "Model errors", "Request errors".

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    Fault, Faults, Recorded, Reply, Server,
    job::{Job, Jobs, LOOKS, answer, download},
};

const MODELS: [&str; 4] = [
    "fal-ai/pika/v2.2/image-to-video",
    "fal-ai/pika/v2.2/text-to-video",
    "fal-ai/pika/v2.1/image-to-video",
    "fal-ai/pika/turbo/image-to-video",
];

/// A running fake.
#[derive(Debug)]
pub struct FalFake {
    /// The server and its recorded requests.
    pub server: Server,
    /// The scheduled failures.
    pub faults: Faults,
    state: State,
}

#[derive(Clone, Debug)]
struct State {
    key: String,
    faults: Faults,
    jobs: Jobs,
    origin: Arc<Mutex<Option<String>>>,
}

impl FalFake {
    /// Starts a fake that accepts this key.
    ///
    /// # Errors
    /// If no port can be opened.
    pub async fn start(key: &str) -> io::Result<Self> {
        let state = State { key: key.to_owned(), faults: Faults::default(), jobs: Jobs::default(), origin: Arc::default() };
        let serving = state.clone();
        let faults = state.faults.clone();
        Ok(Self { server: Server::start(move |request| serving.serve(request)).await?, faults, state })
    }

    /// The number of queued requests.
    pub fn jobs(&self) -> usize {
        self.state.jobs.len()
    }

    /// From now on the URLs in answers have this origin instead of the fake's own.
    pub fn name_origin(&self, origin: &str) {
        *self.state.origin.lock().unwrap_or_else(PoisonError::into_inner) = Some(origin.to_owned());
    }
}

impl State {
    fn serve(&self, request: &Recorded) -> Reply {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        let method = request.method.as_str();
        if let ("GET", ["files", _]) = (method, segments.as_slice()) {
            return download(&self.faults, error);
        }
        if request.header("authorization").and_then(|value| value.strip_prefix("Key ")) != Some(&self.key) {
            return error(401, "Cannot access application: authentication is required");
        }
        match (method, segments.as_slice()) {
            ("GET", ["fal-ai", "pika", "requests", id, "status"]) => {
                answer(self.faults.take("status"), error, |fault| self.status(request, id, fault))
            }
            ("GET", ["fal-ai", "pika", "requests", id]) => {
                answer(self.faults.take("result"), error, |fault| self.result(request, id, fault))
            }
            ("PUT", ["fal-ai", "pika", "requests", id, "cancel"]) => answer(self.faults.take("cancel"), error, |_| self.cancel(id)),
            (_, ["fal-ai", "pika", "requests", ..]) => error(405, "Method Not Allowed"),
            ("POST", _) => answer(self.faults.take("submit"), error, |fault| self.submit(request, &segments.join("/"), fault)),
            (_, _) => error(404, "Path not found"),
        }
    }

    fn submit(&self, request: &Recorded, model: &str, fault: Option<&Fault>) -> Reply {
        if !MODELS.contains(&model) {
            return error(404, &format!("Application '{model}' not found"));
        }
        if request.media_type() != "application/json" || !request.json().is_object() {
            return error(400, "the body has to be a JSON object");
        }
        let asked = json!({"model": model, "input": request.json()});
        let id = self.jobs.add("764cabcf-b745-4b3e-ae38-", asked, fault.cloned());
        let mut answer = self.addresses(request, &id);
        answer["status"] = "IN_QUEUE".into();
        answer["queue_position"] = 0.into();
        Reply::json(200, &answer)
    }

    fn status(&self, request: &Recorded, id: &str, fault: Option<&Fault>) -> Reply {
        let Some(job) = self.jobs.look(id) else { return error(404, "Request not found") };
        let mut answer = self.addresses(request, id);
        if let Some(Fault::WrongWord(word)) = fault {
            answer["status"] = (*word).into();
            return Reply::json(200, &answer);
        }
        if !is_over(&job) {
            let is_queued = job.looks < LOOKS;
            answer["status"] = if is_queued { "IN_QUEUE" } else { "IN_PROGRESS" }.into();
            if is_queued {
                answer["queue_position"] = 0.into();
            }
            answer["logs"] = Value::Null;
            return Reply::json(202, &answer);
        }
        answer["status"] = "COMPLETED".into();
        answer["logs"] = Value::Null;
        answer["metrics"] = json!({"inference_time": 12.5});
        if let Some((_, failure)) = outcome(&job) {
            answer["error"] = failure["detail"].as_str().unwrap_or("Unprocessable Entity").into();
            answer["error_type"] = failure["error_type"].clone();
        }
        Reply::json(200, &answer)
    }

    fn result(&self, request: &Recorded, id: &str, fault: Option<&Fault>) -> Reply {
        let Some(job) = self.jobs.get(id) else { return error(404, "Request not found") };
        if !is_over(&job) {
            return error(400, "Request is still in progress");
        }
        if fault == Some(&Fault::WrongWord("")) {
            return Reply::json(200, &json!({"images": []}));
        }
        match outcome(&job) {
            Some((status, failure)) => Reply::json(status, &failure),
            None => {
                let url = format!("http://{}/files/output.mp4?signature=signed-by-fal", request.header("host").unwrap_or_default());
                Reply::json(200, &json!({"video": {"url": url, "content_type": "video/mp4", "file_name": "output.mp4", "file_size": 2096}}))
            }
        }
    }

    fn cancel(&self, id: &str) -> Reply {
        let Some(job) = self.jobs.get(id) else { return Reply::json(404, &json!({"status": "NOT_FOUND"})) };
        if is_over(&job) {
            return Reply::json(400, &json!({"status": "ALREADY_COMPLETED"}));
        }
        self.jobs.cancel(id);
        Reply::json(202, &json!({"status": "CANCELLATION_REQUESTED"}))
    }

    fn addresses(&self, request: &Recorded, id: &str) -> Value {
        let own = || format!("http://{}", request.header("host").unwrap_or_default());
        let origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_else(own);
        let url = format!("{origin}/fal-ai/pika/requests/{id}");
        json!({
            "request_id": id,
            "gateway_request_id": id,
            "response_url": url,
            "status_url": format!("{url}/status"),
            "cancel_url": format!("{url}/cancel"),
        })
    }
}

fn is_over(job: &Job) -> bool {
    job.cancelled || job.looks > LOOKS
}

fn error(status: u16, text: &str) -> Reply {
    // fal adds a category to the text when its own infrastructure failed.
    let category = matches!(status, 500..).then_some("runner_server_error");
    let reply = json!({"detail": text});
    match category.filter(|_| text == "Runner server error") {
        Some(category) => Reply::json(status, &json!({"detail": text, "error_type": category})).header("x-fal-error-type", category),
        None => Reply::json(status, &reply),
    }
}

/// The status and the body of a result without a video.
fn outcome(job: &Job) -> Option<(u16, Value)> {
    if job.cancelled {
        return Some((499, json!({"detail": "Request was cancelled by the client", "error_type": "client_cancelled"})));
    }
    let problem = |place: &str, text: &str, kind: &str| json!({"loc": ["body", place], "msg": text, "type": kind});
    match &job.fault {
        Some(Fault::ContentFilterAtStart) => {
            let problem = problem("prompt", "The content could not be processed because it was flagged.", "content_policy_violation");
            return Some((422, json!({"detail": [problem]})));
        }
        Some(Fault::ContentFilterAtEnd) => {
            let problem = problem("video", "The generated video was flagged.", "content_policy_violation");
            return Some((422, json!({"detail": [problem]})));
        }
        Some(Fault::Failed(why)) => return Some((504, json!({"detail": why, "error_type": "request_timeout"}))),
        Some(_) | None => {}
    }
    let problems = problems(&job.request);
    let problems: Vec<_> = problems.iter().map(|(place, text, kind)| problem(place, text, kind)).collect();
    if problems.is_empty() { None } else { Some((422, json!({"detail": problems}))) }
}

/// The inputs that the model refuses: location, text, type.
fn problems(request: &Value) -> Vec<(&'static str, &'static str, &'static str)> {
    let input = &request["input"];
    let needs_image = request["model"].as_str().is_some_and(|model| model.ends_with("image-to-video"));
    let mut problems = Vec::new();
    let is_one_of = |key: &str, known: &[Value]| input.get(key).is_none_or(|value| known.contains(value));
    if !input["prompt"].is_string() {
        problems.push(("prompt", "Field required", "missing"));
    }
    if needs_image && !input["image_url"].is_string() {
        problems.push(("image_url", "Field required", "missing"));
    }
    if !is_one_of("resolution", &["720p".into(), "1080p".into()]) {
        problems.push(("resolution", "Input should be '720p' or '1080p'", "literal_error"));
    }
    if !is_one_of("duration", &[5.into(), 10.into()]) {
        problems.push(("duration", "Input should be 5 or 10", "literal_error"));
    }
    let ratios = ["16:9", "9:16", "1:1", "4:5", "5:4", "3:2", "2:3"].map(Value::from);
    if !is_one_of("aspect_ratio", &ratios) {
        problems.push(("aspect_ratio", "Input should be one of the listed ratios", "literal_error"));
    }
    if input.get("negative_prompt").is_some_and(|text| !text.is_string()) {
        problems.push(("negative_prompt", "Input should be a valid string", "string_type"));
    }
    if input.get("seed").is_some_and(|seed| !seed.is_i64() && !seed.is_u64()) {
        problems.push(("seed", "Input should be a valid integer", "int_type"));
    }
    problems
}
