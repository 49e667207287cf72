//! Pika's web form, as pikapikapika.io/docs/web describes it. Operations: "generate", "job", "download".
//!
//! The documentation shows neither error bodies nor a complete job; this fake uses `{"error": text}` and the fields that the i2v API reads.
//! A job has no videos at the first poll, a pending one at the second, and then a finished one.

use std::io;

use serde_json::{Map, Value, json};

use crate::{
    Fault, Faults, Recorded, Reply, Server,
    job::{Jobs, LOOKS, answer, download},
};

/// A running fake.
#[derive(Debug)]
pub struct PikaWebFake {
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
}

impl PikaWebFake {
    /// Starts a fake that accepts this key.
    ///
    /// # Errors
    /// If no port can be opened.
    pub async fn start(key: &str) -> io::Result<Self> {
        let state = State { key: key.to_owned(), faults: Faults::default(), jobs: Jobs::default() };
        let serving = state.clone();
        let faults = state.faults.clone();
        Ok(Self { server: Server::start(move |request| serving.serve(request)).await?, faults, state })
    }

    /// The base URL, which ends in "/web".
    pub fn base_url(&self) -> String {
        format!("{}/web", self.server.url())
    }

    /// The number of started jobs.
    pub fn jobs(&self) -> usize {
        self.state.jobs.len()
    }
}

impl State {
    fn serve(&self, request: &Recorded) -> Reply {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        if let ("GET", ["videos", _]) = (request.method.as_str(), segments.as_slice()) {
            return download(&self.faults, error);
        }
        if request.bearer() != Some(&self.key) {
            return error(401, "Unauthorized");
        }
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["web", "generate"]) => answer(self.faults.take("generate"), error, |fault| self.generate(request, fault)),
            ("GET", ["web", "jobs", id]) => answer(self.faults.take("job"), error, |fault| self.job(request, id, fault)),
            (_, ["web", "generate"] | ["web", "jobs", _]) => error(405, "Method not allowed"),
            (_, _) => error(404, "Not found"),
        }
    }

    fn generate(&self, request: &Recorded, fault: Option<&Fault>) -> Reply {
        if request.media_type() != "application/json" {
            return error(415, "the body has to be application/json");
        }
        let body = request.json();
        if let Err(why) = check(&body) {
            return error(400, &why);
        }
        if fault == Some(&Fault::ContentFilterAtStart) {
            return error(400, "the prompt was blocked by moderation");
        }
        let id = self.jobs.add("job-", body, fault.cloned());
        Reply::json(200, &json!({"job": {"id": id}}))
    }

    fn job(&self, request: &Recorded, id: &str, fault: Option<&Fault>) -> Reply {
        let Some(job) = self.jobs.look(id) else { return error(404, "Job not found") };
        let video = match fault.or(job.fault.as_ref()) {
            Some(Fault::WrongWord(word)) => json!({"status": word}),
            Some(Fault::ContentFilterAtEnd) => json!({"status": "error", "error": "the video was blocked by moderation"}),
            Some(Fault::Failed(why)) => json!({"status": "error", "error": why}),
            _ if job.looks == 1 => return Reply::json(200, &json!({"id": id, "videos": []})),
            _ if job.looks <= LOOKS => json!({"id": "v-1", "status": "pending"}),
            _ => {
                let host = request.header("host").unwrap_or_default();
                let name = "9b1c0a4e/a_red_fox_in_the_snow_seed42.mp4";
                let url = format!("http://{host}/videos/{}?token=signed-by-pika", name.replace('/', "%2F"));
                json!({"id": "v-1", "status": "finished", "resultUrl": url})
            }
        };
        Reply::json(200, &json!({"id": id, "videos": [video]}))
    }
}

fn error(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({"error": text}))
}

/// Checks the documented rules for a request.
fn check(body: &Value) -> Result<(), String> {
    let body = object("the body", body, &["promptText", "model", "image", "video", "options", "pikaffect", "sfx"])?;
    let text = |key: &str| body.get(key).map(|value| value.as_str().ok_or_else(|| format!("{key} has to be a string"))).transpose();
    text("promptText")?.ok_or("promptText is required")?;
    text("model")?.filter(|model| !model.is_empty()).ok_or("model is required")?;
    if text("image")?.is_some_and(|url| !["http://", "https://", "data:image/"].iter().any(|start| url.starts_with(start))) {
        return Err("image has to be a URL".to_owned());
    }
    let options = body.get("options").ok_or("options is required")?;
    let options = object("options", options, &["parameters", "frameRate", "aspectRatio", "camera", "extend"])?;
    whole("options.frameRate", options.get("frameRate"), 1, 24)?;
    if let Some(ratio) = options.get("aspectRatio")
        && !["16:9", "9:16", "1:1", "5:2", "4:5", "4:3"].iter().any(|known| ratio == known)
    {
        return Err("options.aspectRatio is unknown".to_owned());
    }
    if let Some(camera) = options.get("camera") {
        object("options.camera", camera, &["zoom", "pan", "tilt", "rotate"])?;
    }
    let parameters = options.get("parameters").ok_or("options.parameters is required")?;
    let parameters = object("options.parameters", parameters, &["motion", "guidanceScale", "negativePrompt", "seed"])?;
    whole("options.parameters.motion", parameters.get("motion"), 1, 4)?;
    let scale = parameters.get("guidanceScale").and_then(Value::as_f64);
    scale.filter(|scale| (5.0..=25.0).contains(scale)).ok_or("options.parameters.guidanceScale has to be from 5 to 25")?;
    if parameters.get("negativePrompt").is_some_and(|text| !text.is_string()) {
        return Err("options.parameters.negativePrompt has to be a string".to_owned());
    }
    if parameters.get("seed").is_some_and(|seed| !seed.is_u64()) {
        return Err("options.parameters.seed has to be a whole number".to_owned());
    }
    Ok(())
}

fn object<'a>(name: &str, value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let object = value.as_object().ok_or_else(|| format!("{name} has to be an object"))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("{name} has the unknown field {key}")),
        None => Ok(object),
    }
}

fn whole(name: &str, value: Option<&Value>, low: u64, high: u64) -> Result<(), String> {
    let is_within = value.and_then(Value::as_u64).is_some_and(|number| (low..=high).contains(&number));
    if is_within { Ok(()) } else { Err(format!("{name} has to be a whole number from {low} to {high}")) }
}
