//! What makes images and videos: the seam that a device here, a remote provider and another machine all fit.
//!
//! It must not know stores, queues or who waits for a job. The invariants: a backend is handed a job only if it [accepts](Backend::accepts) its
//! work; it stops soon after the job's [`CancelSwitch`](job::CancelSwitch) was used; what it returns is whole, or it returns an error that says
//! whether another try can help.

mod error;
pub mod job;
pub mod local;
pub mod remote;
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

/// Whether a job can begin, as far as its model is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can: its model is loaded, or it is told why that cannot be.
    Ready,
    /// Its model is being loaded.
    Loading,
    /// Its model is next, as soon as the backend has made room.
    Queued,
    /// Its model is not loaded.
    Cold,
}

/// Makes images and videos.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync {
    /// What people call it: "local", "bedrock".
    fn name(&self) -> &str;

    /// How many jobs it works on at once; at least 1.
    fn slots(&self) -> usize {
        1
    }

    /// Whether the work goes on elsewhere while this program is down. Such a job is resumed from its [`RemoteRecord`] and not from its journal,
    /// is always stored, and takes no place from the jobs of this machine.
    fn is_remote(&self) -> bool {
        false
    }

    /// Waits until it can work.
    ///
    /// # Errors
    /// The reason, in one line, if it never will.
    async fn ready(&self) -> Result<(), String>;

    /// Whether it takes this work.
    ///
    /// # Errors
    /// Why it does not, now or ever.
    fn accepts(&self, work: &Work) -> Result<(), Refusal>;

    /// Whether a job that came in at `since` can begin at once, as far as its model is concerned.
    fn readiness(&self, _model: Option<&str>, _since: Instant) -> Readiness {
        Readiness::Ready
    }

    /// Has a job's model loaded: beside the job that runs where there is room for both; in the place of others only if it may swap.
    fn prepare(&self, _model: Option<&str>, _may_swap: bool) {}

    /// How long it will need, from what was measured here; `None` rather than a guess.
    fn estimate(&self, work: &Work) -> Option<Duration>;

    /// What the bytes of its results depend on beside the work: build, model, precision, device. A job that was broken off resumes from its journal
    /// on an equal fingerprint only.
    fn fingerprint(&self, work: &Work) -> String;

    /// Does the work.
    ///
    /// # Errors
    /// [`BackendError::Cancelled`] if the job was cancelled, or the backend is going down; otherwise what kept it from the result.
    ///
    /// Cancel safety: dropping the future cancels the job, at the backend's next step.
    async fn run(&self, work: Arc<Work>, job: JobContext) -> Result<JobOutput, BackendError>;

    /// Tells a remote backend that a job which does not run here is cancelled, by the id that it goes by there. One that cannot be told does
    /// nothing.
    ///
    /// # Errors
    /// [`BackendError::Remote`] if it does not take it: it is told again at the program's next start.
    async fn abandon(&self, _remote_id: &str) -> Result<(), BackendError> {
        Ok(())
    }
}
