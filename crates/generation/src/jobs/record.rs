//! Records of jobs and their parts, and the input that creates a job.
//!
//! It must not know SQL or HTTP. [`Metadata`] belongs to the crate above: it is kept and returned, and its data is never read here.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use remote_providers::ErrorKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

use super::{DiskFault, JobState};
use crate::{
    backend::{BackendError, JobProgress, local::model::ModelState, parts::PartCounts, video_file::VideoOutput},
    work::{Priority, Work, WorkKind, WorkSummary},
};

/// A job to submit.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id, which must be unique for ever: letters, digits, `_` and `-`, at most 64, because it names folders.
    pub id: String,
    /// The owner: the name of an API key; empty if there are no keys.
    pub owner: String,
    /// The priority of its owner's jobs among those of all owners.
    pub priority: Priority,
    /// Its priority among its owner's jobs.
    pub own_priority: Priority,
    /// The work.
    pub work: Work,
    /// Whether it outlives its caller.
    pub durability: Durability,
    /// Data that the caller's crate keeps with the job.
    pub metadata: Metadata,
    /// The request's idempotency key, so that it makes one job however often it is sent.
    pub idempotency: Option<Idempotency>,
    /// The URL that is notified when the job has ended.
    pub callback_url: Option<String>,
}

/// Whether a job outlives its caller.
#[derive(Clone, Debug)]
pub enum Durability {
    /// Kept in memory, and cancelled when its caller stops waiting.
    Held {
        /// Where to write a video; `None` for images.
        video: Option<HeldVideo>,
    },
    /// Persisted with its files; it runs to its end however often the program is killed.
    Stored,
}

/// Where a held job writes its video.
#[derive(Clone, Debug)]
pub struct HeldVideo {
    /// The file, and how it is encoded.
    pub output: VideoOutput,
    /// A temporary folder that is removed with the last reference to the video.
    pub folder: Option<Arc<TempDir>>,
}

/// Data that the crate above keeps with a job, for later answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// The API that the job belongs to; lists can be filtered by it. Empty if unknown.
    pub kind: String,
    /// Data of that API.
    pub data: Value,
    /// How the same work is asked for again, in the crate above's own words; null if it does not know.
    pub request: Value,
}

/// A request's idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key; each owner has their own namespace.
    pub key: String,
    /// A digest of the request: the same key with another request is refused.
    pub fingerprint: String,
}

/// A job that a store has accepted.
#[derive(Clone, Debug)]
pub struct Inserted {
    /// The job.
    pub job: Job,
    /// Whether it had been accepted before, under the same [`Idempotency`].
    pub replayed: bool,
}

/// A job's current state.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its sequence number among all jobs that were ever accepted.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// The owner.
    pub owner: String,
    /// The priority of its owner's jobs among those of all owners.
    pub priority: Priority,
    /// Its priority among its owner's jobs.
    pub own_priority: Priority,
    /// The state.
    pub state: JobState,
    /// When it was accepted.
    pub created_at: SystemTime,
    /// When it last changed.
    pub updated_at: SystemTime,
    /// When a backend first started it.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub finished_at: Option<SystemTime>,
    /// How often a backend started it.
    pub attempts: u32,
    /// The progress.
    pub progress: JobProgress,
    /// How many jobs are ahead of it; `None` unless it waits.
    pub position: Option<usize>,
    /// How long until it is done, by timings; `None` if there are none yet, or it has ended.
    pub eta: Option<Duration>,
    /// Data that the crate above keeps with the job.
    pub metadata: Metadata,
    /// What it makes.
    pub about: WorkSummary,
    /// Why it failed.
    pub error: Option<JobError>,
    /// Its result.
    pub outcome: Option<Outcome>,
    /// Its files.
    pub artifacts: Vec<Artifact>,
    /// Its state at the provider that makes it; `None` for local work.
    pub remote: Option<RemoteJob>,
    /// The model that it waits for, and that model's state; `None` unless it waits for one.
    pub waits_for: Option<(String, ModelState)>,
    /// Why the disk holds it up, while it does; it continues by itself.
    pub blocked_by: Option<DiskFault>,
    /// Which parts of it cannot be read any more, in words; the rest is as stored.
    pub damage: Option<String>,
}

impl Job {
    /// The provider's id of the job, once it is known.
    pub fn remote_id(&self) -> Option<&str> {
        self.remote.as_ref()?.id.as_deref()
    }
}

/// A job's state at the provider that makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteJob {
    /// The provider's name.
    pub provider: String,
    /// The provider's own id of the job, once it is known.
    pub id: Option<String>,
    /// The prompt that an interrogator read from the first frame, once it has.
    pub prompt: Option<String>,
}

/// What made a job fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobErrorKind {
    /// The device or the machine ran out of memory.
    OutOfMemory,
    /// The model failed.
    Model,
    /// The model does not accept the request: a changed request may succeed.
    Refused,
    /// The file could not be written.
    Encoder,
    /// The provider failed, or could not be reached.
    Provider,
    /// The provider's content filter blocked it: another prompt or image may succeed.
    ContentFilter,
    /// The provider did not finish within the time that the operator allows.
    Deadline,
    /// The provider may or may not have started it, and may bill it; the request is not repeated.
    Uncertain,
    /// A bug.
    Internal,
    /// The program crashed again and again while it worked on this job.
    Crashed,
}

impl JobErrorKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::OutOfMemory,
        Self::Model,
        Self::Refused,
        Self::Encoder,
        Self::Provider,
        Self::ContentFilter,
        Self::Deadline,
        Self::Uncertain,
        Self::Internal,
        Self::Crashed,
    ];

    /// Its name: "out_of_memory", "model", "refused", "encoder", "provider", "content_filter", "deadline", "uncertain", "internal" or "crashed".
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutOfMemory => "out_of_memory",
            Self::Model => "model",
            Self::Refused => "refused",
            Self::Encoder => "encoder",
            Self::Provider => "provider",
            Self::ContentFilter => "content_filter",
            Self::Deadline => "deadline",
            Self::Uncertain => "uncertain",
            Self::Internal => "internal",
            Self::Crashed => "crashed",
        }
    }
}

/// Why a job failed, in words for its owner: file paths and panic messages go to the log only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    /// The kind.
    pub kind: JobErrorKind,
    /// One line for users; for a refusal, the request field, a colon and the reason.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl From<&BackendError> for JobError {
    fn from(error: &BackendError) -> Self {
        let one_line = || error.to_string().lines().next().unwrap_or_default().to_owned();
        let because = || DiskFault::of(error).map(|fault| format!(": {fault}")).unwrap_or_default();
        let (kind, message) = match error {
            BackendError::Model(diffusion_core::Error::OutOfMemory { .. }) => (JobErrorKind::OutOfMemory, one_line()),
            BackendError::Model(_) => match error.refusal() {
                Some((field, reason)) => (JobErrorKind::Refused, format!("{field}: {reason}")),
                None => (JobErrorKind::Model, one_line()),
            },
            BackendError::Encode(_) => (JobErrorKind::Encoder, format!("the image could not be written{}", because())),
            BackendError::Video(_) => (JobErrorKind::Encoder, format!("the video could not be written{}", because())),
            BackendError::NotLoaded { .. } => (JobErrorKind::Model, one_line()),
            BackendError::Remote(error) => (of_provider(error.kind), one_line()),
            BackendError::Cancelled | BackendError::Internal(_) => (JobErrorKind::Internal, "internal error".to_owned()),
        };
        Self { kind, message, retryable: error.is_retryable() }
    }
}

fn of_provider(kind: ErrorKind) -> JobErrorKind {
    match kind {
        ErrorKind::ContentFilter => JobErrorKind::ContentFilter,
        ErrorKind::Deadline => JobErrorKind::Deadline,
        ErrorKind::Uncertain => JobErrorKind::Uncertain,
        ErrorKind::InvalidRequest
        | ErrorKind::Credentials
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::RateLimited
        | ErrorKind::Quota
        | ErrorKind::Unavailable
        | ErrorKind::Failed
        | ErrorKind::Protocol
        | ErrorKind::TooLarge
        | ErrorKind::Result
        | ErrorKind::Settings => JobErrorKind::Provider,
    }
}

impl JobError {
    /// For a refusal, the request field, named as in [`crate::ImageRequest`], and the reason.
    pub fn refused_field(&self) -> Option<(&str, &str)> {
        if self.kind == JobErrorKind::Refused { self.message.split_once(": ") } else { None }
    }
}

/// A job's result, without its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The seed.
    pub seed: u64,
    /// The number of frames; 0 for pictures.
    pub frames: usize,
    /// Frames per second, as a number or a fraction; empty for pictures.
    pub fps: String,
    /// The motion model's own frames, if they were interpolated and resized afterwards.
    pub native: Option<NativeVideo>,
    /// The generation parameters, one line per picture as in the PNG; empty for videos.
    pub parameters: Vec<String>,
    /// Whether a text was truncated because the model reads only so many tokens.
    pub truncated: bool,
    /// Remarks that were found while it ran, one sentence each. Absent in jobs stored by older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// How many parts of a local video of scenes were made, and how many taken from earlier ones. Absent in jobs stored by older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<PartCounts>,
    /// How long the backend worked on it in the last attempt, in seconds.
    pub seconds: f64,
}

/// A motion model's frames before conversion to the video's rate and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeVideo {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The number of frames.
    pub frames: usize,
}

/// A file of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its name in the job's folder.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256 digest, in hexadecimal.
    pub sha256: String,
    /// Whether it has been removed since, for its age or to free space.
    pub expired: bool,
}

/// An event of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobEvent {
    /// Its number; later events, of any job, have greater ones.
    pub id: i64,
    /// When.
    pub at: SystemTime,
    /// "queued", "priority" (with the new one), "routed" (with the provider's model that makes it instead of a local one), "started", "remote"
    /// (with the provider and its id of the job), "progress", "part" (of a video of scenes: with its kind, its scene, and whether it was
    /// reused), "requeued", "completed", "failed" or "cancelled".
    pub kind: String,
    /// Details.
    pub data: Value,
}

/// A page of a list of jobs, and their filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Only jobs with a smaller number, or a greater one if the oldest come first.
    pub beyond: Option<i64>,
    /// The maximum number of jobs.
    pub limit: usize,
    /// Only jobs in one of these states; empty for all.
    pub states: Vec<JobState>,
    /// Only jobs of this kind ([`Metadata::kind`]).
    pub kind: Option<String>,
    /// Only jobs that make this.
    pub work_kind: Option<WorkKind>,
    /// Only jobs whose prompts have all of these texts, in any case of letters.
    pub words: Vec<String>,
    /// Whether the newest come first.
    pub newest_first: bool,
}

/// The result of a request to cancel.
#[derive(Clone, Debug)]
pub enum Cancelled {
    /// There is no such job, or it belongs to another owner.
    Unknown,
    /// It had already ended.
    Finished(Job),
    /// It is cancelled now.
    Done(Job),
}

/// The result of a request to change a job's own priority.
#[derive(Clone, Debug)]
pub enum Reordered {
    /// There is no such job, or it belongs to another owner.
    Unknown,
    /// It no longer waits.
    NotWaiting(Job),
    /// It has that priority now.
    Done(Job),
}

/// A callback message that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub id: i64,
    /// The job that it is about.
    pub job: String,
    /// The owner of that job.
    pub owner: String,
    /// The URL.
    pub url: String,
    /// The job's state that it reports.
    pub event: String,
    /// How often it has been tried.
    pub attempts: u32,
    /// When the job ended.
    pub created_at: SystemTime,
}
