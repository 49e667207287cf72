//! What is kept of a job, and what a caller hands in to make one.
//!
//! It must not know SQL or HTTP. [`Metadata`] is the roof's own: it is kept and returned, and its data is never read here.

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
    backend::{BackendError, JobProgress, local::model::ModelState, video_file::VideoOutput},
    work::{Priority, Work},
};

/// A job that is to be.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id, which no other job has or had: letters, digits, `_` and `-`, at most 64, for it names folders.
    pub id: String,
    /// Whose it is: the name of an API key; empty where there are none.
    pub owner: String,
    /// How urgent it is.
    pub priority: Priority,
    /// What it makes.
    pub work: Work,
    /// Whether it outlives its caller.
    pub durability: Durability,
    /// What the roof keeps with the job.
    pub metadata: Metadata,
    /// The caller's own name for the request, so that it makes one job however often it is sent.
    pub idempotency: Option<Idempotency>,
    /// Where to tell that the job has ended.
    pub callback_url: Option<String>,
}

/// Whether a job outlives its caller.
#[derive(Clone, Debug)]
pub enum Durability {
    /// It is kept in memory, and cancelled when its caller stops waiting.
    Held {
        /// Where a video is written; none for images.
        video: Option<HeldVideo>,
    },
    /// It is persisted with its files, and ends however often the program is killed meanwhile.
    Stored,
}

/// Where a held job writes its video.
#[derive(Clone, Debug)]
pub struct HeldVideo {
    /// The file, and how it is encoded.
    pub output: VideoOutput,
    /// A folder that is removed when nobody needs the video any more.
    pub folder: Option<Arc<TempDir>>,
}

/// What the roof keeps with a job, for later answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Which of the roof's APIs the job belongs to; lists can be filtered by it. Empty if none is known.
    pub kind: String,
    /// Data of that kind.
    pub data: Value,
}

/// A request's own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The name; each owner has their own.
    pub key: String,
    /// A digest of the request: the same name with another request is refused.
    pub fingerprint: String,
}

/// A job as a store took it.
#[derive(Clone, Debug)]
pub struct Inserted {
    /// The job.
    pub job: Job,
    /// Whether it had been taken before, under the same [`Idempotency`].
    pub replayed: bool,
}

/// A job as it stands.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its place among all jobs that were ever taken.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Where it stands.
    pub state: JobState,
    /// When it was taken.
    pub created_at: SystemTime,
    /// When something last happened to it.
    pub updated_at: SystemTime,
    /// When the device first took it.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub finished_at: Option<SystemTime>,
    /// How often the device took it.
    pub attempts: u32,
    /// How far it is.
    pub progress: JobProgress,
    /// How many jobs are served before it; `None` unless it waits.
    pub position: Option<usize>,
    /// How long until it is done, by what was measured; `None` if nothing was yet, or it has ended.
    pub eta: Option<Duration>,
    /// What the roof keeps with the job.
    pub metadata: Metadata,
    /// Why it failed.
    pub error: Option<JobError>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// Its files.
    pub artifacts: Vec<Artifact>,
    /// How it stands at the provider that makes it; none for local work.
    pub remote: Option<RemoteJob>,
    /// The model that it waits for, and where that stands; `None` unless it waits for one.
    pub waits_for: Option<(String, ModelState)>,
    /// Why the disk does not let it go on, while it does not; it goes on by itself.
    pub held_up_by: Option<DiskFault>,
    /// What of it cannot be read any more, in words; the rest is as it was stored.
    pub damage: Option<String>,
}

impl Job {
    /// The provider's id of the job, once it is known.
    pub fn remote_id(&self) -> Option<&str> {
        self.remote.as_ref()?.id.as_deref()
    }
}

/// How a job stands at the provider that makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteJob {
    /// The provider's name.
    pub provider: String,
    /// The provider's own id of it, once it is known.
    pub id: Option<String>,
    /// The prompt that an interrogator read from the first frame, once it has.
    pub prompt: Option<String>,
}

/// What kind of thing made a job fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobErrorKind {
    /// The device or the machine ran out of memory.
    OutOfMemory,
    /// The model cannot make what was asked for.
    Model,
    /// The model does not take what was asked for: another request can do better.
    Refused,
    /// The file could not be made.
    Encoder,
    /// The provider could not make it, or could not be asked.
    Provider,
    /// The provider's content filter blocked it: another prompt or image can do better.
    ContentFilter,
    /// The provider was not done within the time that the operator allows.
    Deadline,
    /// The provider may or may not have made it, and may bill it; it is not asked twice.
    Uncertain,
    /// A fault of ours.
    Internal,
    /// The program went down again and again while it worked on this job.
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

/// Why a job failed, in words for its owner: where files lie and what a panic said is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    /// The kind.
    pub kind: JobErrorKind,
    /// One line for a person; of a refusal, the field of the request, a colon and the reason.
    pub message: String,
    /// Whether the same request may well succeed at another time.
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
    /// Of a refusal, the field of the request, under its name in [`crate::ImageRequest`], and the reason.
    pub fn refused_field(&self) -> Option<(&str, &str)> {
        if self.kind == JobErrorKind::Refused { self.message.split_once(": ") } else { None }
    }
}

/// What came of a job, beside its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The seed that it was made with.
    pub seed: u64,
    /// Frames; 0 for pictures.
    pub frames: usize,
    /// Frames in a second, as a number or a fraction; empty for pictures.
    pub fps: String,
    /// What the motion model itself made, where frames were mixed and resized afterwards.
    pub native: Option<NativeVideo>,
    /// How the pictures were made, one line each as it stands in the PNG; empty for videos.
    pub parameters: Vec<String>,
    /// Whether a text was cut, for the model reads no more.
    pub truncated: bool,
    /// How long the device worked on it in the attempt that ended it, in seconds.
    pub seconds: f64,
}

/// What a motion model made before its frames were brought to the video's rate and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeVideo {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Frames.
    pub frames: usize,
}

/// A file of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its name in the job's folder.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 digest, in hexadecimal.
    pub sha256: String,
    /// Whether it was removed since, to make room or for its age.
    pub expired: bool,
}

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobEvent {
    /// Its number; later events of any job have greater ones.
    pub id: i64,
    /// When.
    pub at: SystemTime,
    /// "queued", "routed" (with the provider's model that makes it instead of a local one), "started", "remote" (with the provider and its
    /// id of the job), "progress", "part", "requeued", "completed", "failed" or "cancelled".
    pub kind: String,
    /// More about it.
    pub data: Value,
}

/// Which jobs of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only jobs with a smaller number, or with a greater one where the oldest come first.
    pub beyond: Option<i64>,
    /// How many at most.
    pub limit: usize,
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// Only jobs of this kind ([`Metadata::kind`]).
    pub kind: Option<String>,
    /// Whether the newest come first.
    pub newest_first: bool,
}

/// What became of a wish to cancel.
#[derive(Clone, Debug)]
pub enum Cancelled {
    /// There is no such job, or it is another's.
    Unknown,
    /// It had ended.
    Finished(Job),
    /// It is off.
    Done(Job),
}

/// A message to a callback that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub id: i64,
    /// The job that it is about.
    pub job: String,
    /// Whose job that is.
    pub owner: String,
    /// Where it goes.
    pub url: String,
    /// The job's state that it tells of.
    pub event: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When the job ended.
    pub created_at: SystemTime,
}
