//! Google's Veo: the Gemini developer API and Vertex AI, with Google's own error texts.
//!
//! Operations for [`Faults`]: "start", "get", "file" (the URL that requires the key), "download" (the target of that URL's redirect, and
//! Cloud Storage). A start's `ContentFilterAtEnd`, `Failed`, `TooLarge`, `Expired` and `NotAVideo` decide the job's outcome. A `WrongWord`
//! replaces `done`. Sources: google-genai, ai.google.dev's video guide, google/rpc.

mod body;
mod storage;

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{Clock, Fault, Faults, Recorded, Reply, Server, job::answer, links::Links};

/// How Google delivers a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoogleResult {
    /// By URL, as the developer API does; on Vertex in the bucket that the request names.
    Address,
    /// Inside the answer.
    Bytes,
}

/// Which of Google's APIs, and its settings.
#[derive(Clone, Debug)]
pub struct GoogleOptions {
    /// The API key, or the access token on Vertex.
    pub key: String,
    /// On Vertex, the project and the location.
    pub vertex: Option<(String, String)>,
    /// The available models.
    pub models: Vec<String>,
    /// How videos are delivered.
    pub result: GoogleResult,
    /// The number of polls that find the operation unfinished.
    pub polls: u32,
}

impl GoogleOptions {
    /// The developer API.
    pub fn developer() -> Self {
        let models = vec!["veo-3.1-generate-preview".to_owned()];
        Self { key: "AIza-google-7c2e".to_owned(), vertex: None, models, result: GoogleResult::Address, polls: 2 }
    }

    /// Vertex AI, which delivers bytes unless the request names a bucket.
    pub fn vertex() -> Self {
        let (models, vertex) = (vec!["veo-3.1-generate-001".to_owned()], Some(("my-project".to_owned(), "us-central1".to_owned())));
        Self { key: "ya29.google-91ab".to_owned(), vertex, models, result: GoogleResult::Bytes, ..Self::developer() }
    }
}

/// A running Google API and its storage.
#[derive(Debug)]
pub struct VeoGoogleFake {
    /// The API.
    pub server: Server,
    /// The storage of videos: behind a redirect on the developer API, Cloud Storage on Vertex.
    pub storage: Server,
    /// The scheduled failures.
    pub faults: Faults,
    /// The clock by which links expire.
    pub clock: Clock,
}

impl VeoGoogleFake {
    /// Starts both servers.
    ///
    /// # Errors
    /// If no port can be opened.
    pub async fn start(options: GoogleOptions) -> io::Result<Self> {
        let (faults, clock) = (Faults::default(), Clock::default());
        let google = Google { options, faults: faults.clone(), links: Links::new(clock.clone()), operations: Arc::default() };
        let storage = Server::start({
            let google = google.clone();
            move |request| google.stored(request)
        });
        let storage = storage.await?;
        let at = storage.url();
        // The storage's own address must be known first; the API's is in its requests.
        let server = Server::start(move |request| google.answer(request, &at)).await?;
        Ok(Self { server, storage, faults, clock })
    }
}

#[derive(Clone, Debug)]
struct Operation {
    polls: u32,
    fate: Option<Fault>,
    /// The request's `gs://` target.
    storage_uri: Option<String>,
}

#[derive(Clone)]
struct Google {
    options: GoogleOptions,
    faults: Faults,
    links: Links,
    operations: Arc<Mutex<HashMap<String, Operation>>>,
}

impl Google {
    fn answer(&self, request: &Recorded, storage: &str) -> Reply {
        if let Some(reply) = self.check_key(request) {
            return reply;
        }
        let version = if self.options.vertex.is_some() { "/v1beta1/" } else { "/v1beta/" };
        let Some(path) = request.path.strip_prefix(version) else { return unknown(request) };
        let verb = path.rsplit_once(':').map(|(resource, verb)| (request.method.as_str(), resource, verb));
        match verb {
            Some(("POST", model, "predictLongRunning")) => self.faulty("start", |fault| self.start(request, model, fault)),
            Some(("POST", model, "fetchPredictOperation")) if self.options.vertex.is_some() => self.faulty("get", |fault| {
                let body = request.json();
                let name = body.get("operationName").and_then(Value::as_str).unwrap_or_default();
                if name.rsplit_once("/operations/").is_none_or(|(owner, _)| owner != model) {
                    return error(400, "INVALID_ARGUMENT", "The operation name does not belong to this model.");
                }
                self.get(name, fault, "")
            }),
            Some(("GET", file, "download")) if self.options.vertex.is_none() => {
                self.faulty("file", |fault| self.file(request, file.trim_start_matches("files/"), fault, storage))
            }
            None if request.method == "GET" && self.options.vertex.is_none() => {
                let host = request.header("host").unwrap_or_default();
                self.faulty("get", |fault| self.get(path, fault, host))
            }
            _ => unknown(request),
        }
    }

    /// Google's refusal of a request without a valid key.
    fn check_key(&self, request: &Recorded) -> Option<Reply> {
        if self.options.vertex.is_some() {
            let why =
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid credential.";
            return (request.bearer() != Some(&self.options.key)).then(|| error(401, "UNAUTHENTICATED", why));
        }
        match request.header("x-goog-api-key") {
            Some(key) if key == self.options.key => None,
            Some(_) => {
                let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
                let message = "API key not valid. Please pass a valid API key.";
                Some(Reply::json(
                    400,
                    &json!({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": details}}),
                ))
            }
            None => Some(error(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers.")),
        }
    }

    /// Carries out an operation under its next fault.
    fn faulty(&self, operation: &'static str, act: impl FnOnce(Option<&Fault>) -> Reply) -> Reply {
        answer(self.faults.take(operation), |status, word| error(status, word, "Google cannot do this now."), act)
    }

    fn start(&self, request: &Recorded, model: &str, fault: Option<&Fault>) -> Reply {
        let parent = match &self.options.vertex {
            Some((project, location)) => format!("projects/{project}/locations/{location}/publishers/google/models/"),
            None => "models/".to_owned(),
        };
        if !model.strip_prefix(&parent).is_some_and(|model| self.options.models.iter().any(|known| known == model)) {
            return error(404, "NOT_FOUND", &format!("{model} is not found, or is not supported for predictLongRunning."));
        }
        if request.media_type() != "application/json" {
            return error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.");
        }
        let body = request.json();
        if let Err(why) = body::check(&body, self.options.vertex.is_some()) {
            return error(400, "INVALID_ARGUMENT", &why);
        }
        if fault == Some(&Fault::ContentFilterAtStart) {
            let why = "The prompt could not be submitted. It contains words that violate Google's Responsible AI practices.";
            return error(400, "INVALID_ARGUMENT", why);
        }
        let mut operations = self.operations();
        let name = format!("{model}/operations/op{:08x}", operations.len() + 1);
        let storage_uri = body.pointer("/parameters/storageUri").and_then(Value::as_str).map(str::to_owned);
        operations.insert(name.clone(), Operation { polls: 0, fate: fault.cloned(), storage_uri });
        Reply::json(200, &json!({"name": name}))
    }

    fn get(&self, name: &str, fault: Option<&Fault>, host: &str) -> Reply {
        let mut operations = self.operations();
        let Some(operation) = operations.get_mut(name) else {
            return error(404, "NOT_FOUND", "Operation not found.");
        };
        operation.polls += 1;
        if let Some(Fault::WrongWord(word)) = fault {
            return Reply::json(200, &json!({"name": name, "done": word}));
        }
        if operation.polls <= self.options.polls {
            return Reply::json(200, &json!({"name": name}));
        }
        let done = |key: &str, value: Value| Reply::json(200, &json!({"name": name, "done": true, key: value}));
        let response = |inner: Value| {
            // On Vertex the fields are in the response itself, on the developer API one level below.
            done("response", if self.options.vertex.is_some() { inner } else { json!({"generateVideoResponse": inner}) })
        };
        match fault.or(operation.fate.as_ref()) {
            Some(Fault::Failed(message)) => return done("error", json!({"code": 13, "message": message})),
            Some(Fault::ContentFilterAtEnd) => {
                let reason = "We encountered an issue with the audio for your prompt. You will not be charged for this attempt.";
                return response(json!({"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [reason]}));
            }
            _ => {}
        }
        let id = name.rsplit('/').next().unwrap_or_default();
        let encoded = || STANDARD.encode(self.video(operation.fate.as_ref()));
        response(match (&self.options.vertex, self.options.result, &operation.storage_uri) {
            (Some(_), _, Some(uri)) => json!({"videos": [{"gcsUri": format!("{uri}{id}/sample 0.mp4"), "mimeType": "video/mp4"}]}),
            (Some(_), ..) => json!({"videos": [{"bytesBase64Encoded": encoded(), "mimeType": "video/mp4"}]}),
            (None, GoogleResult::Bytes, _) => {
                json!({"generatedSamples": [{"video": {"encodedVideo": encoded(), "encoding": "video/mp4"}}]})
            }
            (None, GoogleResult::Address, _) => {
                json!({"generatedSamples": [{"video": {"uri": format!("http://{host}/v1beta/files/{id}:download?alt=media")}}]})
            }
        })
    }

    fn operations(&self) -> MutexGuard<'_, HashMap<String, Operation>> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(request: &Recorded) -> Reply {
    Reply::bytes(404, "text/html", format!("The requested URL {} was not found on this server.", request.path))
}

fn error(code: u16, status: &str, message: &str) -> Reply {
    Reply::json(code, &json!({"error": {"code": code, "message": message, "status": status}}))
}
