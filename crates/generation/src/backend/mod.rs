//! What makes images and videos: one trait for a device here, a remote provider and another machine.
//!
//! It must not know stores, queues or who waits for a job. Invariants: a backend gets a job only if it [accepts](Backend::accepts) its
//! work; it stops soon after the job's [`CancelSwitch`](job::CancelSwitch) is used; it returns a complete result, or an error that tells
//! whether a retry can help.

mod error;
pub mod job;
pub mod local;
pub mod parts;
pub mod remote;
pub mod seal;
pub mod too_large;
pub mod video_file;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;

pub use self::{
    error::{BackendError, Refusal},
    job::{GeneratedImage, JobContext, JobOutput, JobProgress},
    remote::record::{KeepRemote, RemoteRecord},
};
use crate::work::Work;

/// Whether a job can start, as far as its model is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can: its model is loaded, or has failed to load, which the job then reports.
    Ready,
    /// Its model is being loaded.
    Loading,
    /// Its model loads as soon as the backend has freed memory for it.
    Queued,
    /// Its model is not loaded.
    Cold,
}

/// Makes images and videos.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync {
    /// Its name for users: "local", "bedrock".
    fn name(&self) -> &str;

    /// The number of jobs that it works on at once; at least 1.
    fn slots(&self) -> usize {
        1
    }

    /// Whether the work continues elsewhere while this program is down. Such a job resumes from its [`RemoteRecord`] instead of its
    /// journal, is always stored, and uses none of this machine's queue capacity.
    fn is_remote(&self) -> bool {
        false
    }

    /// Waits until it can work.
    ///
    /// # Errors
    /// The reason, in one line, if it never will.
    async fn ready(&self) -> Result<(), String>;

    /// Whether it accepts this work.
    ///
    /// # Errors
    /// Why it does not, now or ever.
    fn accepts(&self, work: &Work) -> Result<(), Refusal>;

    /// Whether a job that arrived at `since` can start at once, as far as its model is concerned.
    fn readiness(&self, _model: Option<&str>, _since: Instant) -> Readiness {
        Readiness::Ready
    }

    /// Loads a job's model: beside the running job if there is memory for both; in place of other models only if `may_swap`.
    fn prepare(&self, _model: Option<&str>, _may_swap: bool) {}

    /// How long the work will take, estimated from timings on this machine; `None` rather than a guess.
    fn estimate(&self, work: &Work) -> Option<Duration>;

    /// What the bytes of its results depend on in addition to the work: build, model, precision, device. An interrupted job resumes from
    /// its journal only if the fingerprint is the same.
    fn fingerprint(&self, work: &Work) -> String;

    /// Does the work.
    ///
    /// # Errors
    /// [`BackendError::Cancelled`] if the job was cancelled or the backend shuts down; otherwise the cause.
    ///
    /// Cancel safety: dropping the future cancels the job at the backend's next step.
    async fn run(&self, work: Arc<Work>, job: JobContext) -> Result<JobOutput, BackendError>;

    /// Tells a remote backend, by its own id of the job, that a job which does not run here is cancelled. A backend without cancellation
    /// does nothing.
    ///
    /// # Errors
    /// [`BackendError::Remote`] if the provider does not accept it: the next start of the program tries again.
    async fn abandon(&self, _remote_id: &str) -> Result<(), BackendError> {
        Ok(())
    }
}
