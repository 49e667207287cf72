//! Amazon Bedrock's asynchronous invocations with Nova Reel: `POST /async-invoke` and `GET /async-invoke/{arn}`.
//!
//! Operations for [`Faults`]: "start" and "get". It refuses the requests that Amazon refuses, with the same statuses, `x-amzn-ErrorType`
//! and messages; the bearer token or the signature is checked first, then the request's own fields, then the model's input. A finished
//! video is stored in the given [`S3`].

mod model_input;
mod refusal;
mod start;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use serde_json::{Value, json};

use crate::{
    Clock, Fault, Faults, Recorded, Reply, Server,
    aws::{Account, Refusal, check_header, iso},
    s3::{Objects, S3},
    sample_video,
};
use refusal::{ErrorReply, filtered};

/// The account number in every ARN.
pub const OWNER: &str = "123456789012";

/// A running Bedrock fake.
#[derive(Debug)]
pub struct Bedrock {
    server: Server,
    service: Arc<Service>,
    /// The fake's clock.
    pub clock: Clock,
    /// The scheduled failures.
    pub faults: Faults,
}

impl Bedrock {
    /// Starts a fake that knows one account and stores videos in this S3.
    ///
    /// # Errors
    /// If no port can be opened.
    pub async fn start(account: Account, s3: &S3) -> io::Result<Self> {
        let (clock, faults) = (Clock::default(), Faults::default());
        let state = Mutex::new(State { account, polls: 1, video: sample_video(0), ..State::default() });
        let service = Arc::new(Service { state, objects: s3.objects(), clock: clock.clone(), faults: faults.clone() });
        let served = service.clone();
        let server = Server::start(move |request| served.answer(request)).await?;
        Ok(Self { server, service, clock, faults })
    }

    /// The base URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.requests()
    }

    /// The number of videos started, which an account would pay for.
    pub fn begun(&self) -> usize {
        self.service.lock().jobs.len()
    }

    /// Sets how often each new job answers InProgress before it finishes; the default is 1.
    pub fn set_polls(&self, polls: u32) {
        self.service.lock().polls = polls;
    }

    /// Sets the video of every job that finishes from now on; the default is [`sample_video`].
    pub fn set_video(&self, video: impl Into<Vec<u8>>) {
        self.service.lock().video = video.into();
    }

    /// Replaces the known account.
    pub fn set_account(&self, account: Account) {
        self.service.lock().account = account;
    }
}

#[derive(Debug, Default)]
struct State {
    account: Account,
    jobs: BTreeMap<String, Job>,
    polls: u32,
    video: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Job {
    body: Value,
    token: String,
    model: String,
    bucket: String,
    folder: String,
    submitted: SystemTime,
    ended: Option<SystemTime>,
    polls: u32,
    failure: Option<String>,
}

#[derive(Debug)]
struct Service {
    state: Mutex<State>,
    objects: Objects,
    clock: Clock,
    faults: Faults,
}

impl Service {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Recorded) -> Reply {
        let segments: Vec<_> = request.path.trim_start_matches('/').split('/').collect();
        let operation = match (request.method.as_str(), &segments[..]) {
            ("POST", ["async-invoke"]) => "start",
            // The ARN is one segment; its colons and its slash are percent-encoded.
            ("GET", ["async-invoke", arn]) if !arn.is_empty() && !arn.contains(':') => "get",
            _ => return ErrorReply::new("UnknownOperationException", "The requested operation is not recognized by the service.").reply(),
        };
        let fault = self.faults.take(operation);
        match &fault {
            Some(Fault::Status(status, code)) => return refusal::with_status(*status, code),
            Some(Fault::RetryAfter(status, code, seconds)) => return refusal::with_status(*status, code).header("retry-after", seconds),
            Some(Fault::Expired) => return ErrorReply::expired_token().reply(),
            Some(_) | None => {}
        }
        let answered = self.authorize(request).and_then(|()| match operation {
            "start" => self.start(request, fault.as_ref()),
            _ => self.get(request, fault.as_ref()),
        });
        let reply = answered.map_or_else(ErrorReply::reply, |body| Reply::json(200, &body));
        match fault {
            Some(Fault::StatusAfter(status, code)) => refusal::with_status(status, code),
            Some(fault) => fault.spoil(reply),
            None => reply,
        }
    }

    /// Accepts a bearer token, or a signature for the service `bedrock`.
    fn authorize(&self, request: &Recorded) -> Result<(), ErrorReply> {
        let account = self.lock().account.clone();
        if let Some(token) = request.bearer() {
            let known = account.bearer.as_deref() == Some(token);
            return if known {
                Ok(())
            } else {
                Err(ErrorReply::new("AccessDeniedException", "Authentication failed: Please make sure your API Key is valid."))
            };
        }
        check_header(request, &account, "bedrock", self.clock.now()).map_err(ErrorReply::from)
    }

    fn get(&self, request: &Recorded, fault: Option<&Fault>) -> Result<Value, ErrorReply> {
        let arn = request.segments().pop().unwrap_or_default();
        let now = self.clock.now();
        let mut state = self.lock();
        let (polls, video, region) = (state.polls, state.video.clone(), state.account.region.clone());
        let Some(job) = state.jobs.get_mut(&arn) else {
            return Err(ErrorReply::validation("The provided invocation ARN is invalid."));
        };
        job.polls += 1;
        if job.polls > polls && job.ended.is_none() {
            job.ended = Some(now);
            if job.failure.is_none() {
                for (name, bytes) in
                    [("output.mp4", video), ("manifest.json", b"{}".to_vec()), ("video-generation-status.json", b"{}".to_vec())]
                {
                    self.objects.put(&job.bucket, &format!("{}/{name}", job.folder), bytes);
                }
            }
        }
        let mut status = match (&job.ended, &job.failure) {
            (None, _) => "InProgress",
            (Some(_), None) => "Completed",
            (Some(_), Some(_)) => "Failed",
        };
        if let Some(Fault::WrongWord(word)) = fault {
            status = word;
        }
        let mut body = json!({
            "invocationArn": arn,
            "modelArn": format!("arn:aws:bedrock:{region}::foundation-model/{}", job.model),
            "clientRequestToken": job.token,
            "status": status,
            "submitTime": iso(job.submitted),
            "lastModifiedTime": iso(job.ended.unwrap_or(job.submitted)),
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": format!("s3://{}/{}", job.bucket, job.folder)}},
        });
        if let (Some(ended), Some(fields)) = (job.ended, body.as_object_mut()) {
            fields.insert("endTime".to_owned(), iso(ended).into());
            if let Some(failure) = &job.failure {
                fields.insert("failureMessage".to_owned(), failure.as_str().into());
            }
        }
        Ok(body)
    }
}

impl From<Refusal> for ErrorReply {
    fn from(refusal: Refusal) -> Self {
        let mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and \
                        signing method. Consult the service documentation for details.";
        match refusal {
            Refusal::Missing => Self::new("MissingAuthenticationTokenException", "Missing Authentication Token"),
            Refusal::Incomplete(why) => Self::new("IncompleteSignatureException", why),
            Refusal::UnknownKey => Self::new("UnrecognizedClientException", "The security token included in the request is invalid."),
            Refusal::ExpiredToken => Self::expired_token(),
            Refusal::Scope(why) | Refusal::Time(why) => Self::new("InvalidSignatureException", why),
            Refusal::Mismatch | Refusal::Payload | Refusal::ExpiredUrl(_) => Self::new("InvalidSignatureException", mismatch),
        }
    }
}
