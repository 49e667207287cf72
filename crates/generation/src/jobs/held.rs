//! Held jobs: a caller waits for the result, and nobody else needs the job.
//!
//! Invariants: a held job is cancelled when its last [`HeldJob`] is dropped; a request that is repeated with its idempotency key while its
//! job runs, or within [`RESULT_TTL`] after it was done, gets the same result; a job that failed or was cancelled frees its key, so that a
//! retry can succeed.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use tokio::sync::watch;

use super::{error::SubmitError, record::Idempotency};
use crate::{
    backend::{BackendError, JobOutput, JobProgress, job::CancelSwitch},
    preview::{PreviewSlot, Previews},
};

/// How long the result of a request with an idempotency key is kept.
const RESULT_TTL: Duration = Duration::from_secs(600);
/// Above this many bytes of kept images and videos the oldest results are dropped.
const MAX_RESULT_BYTES: usize = 64 << 20;

/// A held job's result. Requests with the same idempotency key share it.
pub type HeldResult = Result<Arc<HeldOutput>, Arc<BackendError>>;

/// A held job's output.
#[derive(Clone, Debug)]
pub struct HeldOutput {
    /// The images or the video.
    pub output: JobOutput,
    /// The temporary folder of the video, if it is removed with this.
    pub folder: Option<Arc<TempDir>>,
}

/// The caller's handle of a held job. Dropping the last one cancels the job.
#[derive(Debug)]
pub struct HeldJob {
    result: watch::Receiver<Option<HeldResult>>,
    waiters: Arc<Waiters>,
    kept: KeepAlive,
}

/// Keeps [`Jobs`](super::Jobs) alive while a caller waits, and tells when they are closed.
#[derive(Debug)]
pub(super) struct KeepAlive {
    pub(super) closed: watch::Receiver<bool>,
    pub(super) _jobs: Arc<dyn Any + Send + Sync>,
}

/// Shared by all callers who wait for a job.
struct Waiters {
    id: String,
    cancel: CancelSwitch,
    progress: watch::Receiver<JobProgress>,
    previews: PreviewSlot,
    abandon: Box<dyn Fn(&str) + Send + Sync>,
}

impl Drop for Waiters {
    fn drop(&mut self) {
        (self.abandon)(&self.id);
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiters").field("id", &self.id).finish_non_exhaustive()
    }
}

impl HeldJob {
    /// The job's id.
    pub fn id(&self) -> &str {
        &self.waiters.id
    }

    /// A receiver of the job's progress.
    pub fn progress(&self) -> watch::Receiver<JobProgress> {
        self.waiters.progress.clone()
    }

    /// Previews, made while the returned value is alive.
    pub fn previews(&self) -> Previews {
        self.waiters.previews.want()
    }

    /// A switch that stops the job from elsewhere, while its result is awaited.
    pub fn cancel_switch(&self) -> CancelSwitch {
        self.waiters.cancel.clone()
    }

    /// Waits for the result. Dropping the future cancels the job, unless another request with the same key waits for it.
    ///
    /// # Errors
    /// [`BackendError::Cancelled`] if the job was cancelled or the program shuts down first; otherwise the backend's error.
    pub async fn finished(mut self) -> HeldResult {
        tokio::select! {
            // A result that is ready counts, even during a shutdown.
            biased;
            result = self.result.wait_for(Option::is_some) => match result.as_deref() {
                Ok(Some(result)) => result.clone(),
                Ok(None) | Err(_) => Err(Arc::new(BackendError::Cancelled)),
            },
            // A running job's step may take long; a shutdown does not wait for it.
            _ = self.kept.closed.wait_for(|closed| *closed) => Err(Arc::new(BackendError::Cancelled)),
        }
    }
}

/// The results of held jobs, and the idempotency keys of their requests.
#[derive(Debug, Default)]
pub(super) struct HeldJobs(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    jobs: HashMap<String, Held>,
    /// Job ids with the request's fingerprint, by owner and idempotency key.
    names: HashMap<(String, String), (String, String)>,
}

#[derive(Debug)]
struct Held {
    result: watch::Sender<Option<HeldResult>>,
    waiters: Weak<Waiters>,
    name: Option<(String, String)>,
    done_at: Option<SystemTime>,
}

impl HeldJobs {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the caller's handle of an active job; `name` is the owner and key of its request. `abandon` is called when no caller waits
    /// any more.
    pub(super) fn open(
        &self,
        id: &str,
        (cancel, progress, previews): (CancelSwitch, watch::Receiver<JobProgress>, PreviewSlot),
        name: Option<(&str, &Idempotency)>,
        kept: KeepAlive,
        abandon: impl Fn(&str) + Send + Sync + 'static,
    ) -> HeldJob {
        let waiters = Arc::new(Waiters { id: id.to_owned(), cancel, progress, previews, abandon: Box::new(abandon) });
        let (sender, result) = watch::channel(None);
        let mut state = self.lock();
        let key = name.map(|(owner, name)| (owner.to_owned(), name.key.clone()));
        if let (Some(key), Some((_, name))) = (&key, name) {
            state.names.insert(key.clone(), (id.to_owned(), name.fingerprint.clone()));
        }
        state.jobs.insert(id.to_owned(), Held { result: sender, waiters: Arc::downgrade(&waiters), name: key, done_at: None });
        HeldJob { result, waiters, kept }
    }

    /// The job that was submitted with this key, if it runs or its result is kept.
    pub(super) fn join(&self, owner: &str, name: &Idempotency, kept: KeepAlive, now: SystemTime) -> Result<Option<HeldJob>, SubmitError> {
        // Dropped after the lock is released, because dropping the last waiter takes the lock.
        let waiters;
        let mut state = self.lock();
        state.forget_old(now);
        let Some((id, fingerprint)) = state.names.get(&(owner.to_owned(), name.key.clone())) else { return Ok(None) };
        if *fingerprint != name.fingerprint {
            return Err(SubmitError::IdempotencyConflict { key: name.key.clone() });
        }
        let Some(held) = state.jobs.get(id) else { return Ok(None) };
        waiters = held.waiters.upgrade().or_else(|| {
            // No caller waits: the job is either done or being cancelled.
            held.done_at?;
            Some(Arc::new(Waiters {
                id: id.clone(),
                cancel: CancelSwitch::default(),
                progress: watch::channel(JobProgress::default()).1,
                previews: PreviewSlot::default(),
                abandon: Box::new(|_| {}),
            }))
        });
        let Some(waiters) = waiters.as_ref().filter(|waiters| held.done_at.is_some() || !waiters.cancel.is_cancelled()) else {
            return Ok(None);
        };
        Ok(Some(HeldJob { result: held.result.subscribe(), waiters: Arc::clone(waiters), kept }))
    }

    /// Whether this key belongs to a running job or a kept result.
    pub(super) fn has_name(&self, owner: &str, key: &str, now: SystemTime) -> bool {
        let mut state = self.lock();
        state.forget_old(now);
        state.names.contains_key(&(owner.to_owned(), key.to_owned()))
    }

    /// Drops results that are too old.
    pub(super) fn forget_old(&self, now: SystemTime) {
        self.lock().forget_old(now);
    }

    /// Delivers a job's result to its callers.
    pub(super) fn end(&self, id: &str, result: HeldResult, now: SystemTime) {
        let mut state = self.lock();
        let Some(held) = state.jobs.get_mut(id) else { return };
        let is_kept = held.name.is_some() && result.is_ok();
        if is_kept {
            held.done_at = Some(now);
            held.result.send_replace(Some(result));
        } else if let Some(held) = state.forget(id) {
            held.result.send_replace(Some(result));
        }
        state.forget_old(now);
    }
}

impl State {
    fn forget(&mut self, id: &str) -> Option<Held> {
        let held = self.jobs.remove(id)?;
        if let Some(name) = &held.name
            && self.names.get(name).is_some_and(|(named, _)| named == id)
        {
            self.names.remove(name);
        }
        Some(held)
    }

    /// Drops results that are too old, and the oldest ones above the size limit.
    fn forget_old(&mut self, now: SystemTime) {
        let mut kept: Vec<(SystemTime, usize, String)> = Vec::new();
        for (id, held) in &self.jobs {
            if let Some(done_at) = held.done_at {
                kept.push((done_at, held.bytes(), id.clone()));
            }
        }
        kept.sort_unstable();
        let mut bytes: usize = kept.iter().fold(0, |sum, (_, bytes, _)| sum.saturating_add(*bytes));
        for (done_at, size, id) in kept {
            if bytes <= MAX_RESULT_BYTES && now.duration_since(done_at).is_ok_and(|age| age < RESULT_TTL) {
                break;
            }
            bytes = bytes.saturating_sub(size);
            self.forget(&id);
        }
    }
}

impl Held {
    /// The bytes of memory or disk that its result uses.
    fn bytes(&self) -> usize {
        match self.result.borrow().as_ref() {
            Some(Ok(held)) => match &held.output {
                JobOutput::Images(images) => {
                    images.iter().map(|image| image.png.len() + image.file().1.len() + image.image.as_raw().len()).sum()
                }
                JobOutput::Video(video) => usize::try_from(video.bytes).unwrap_or(usize::MAX),
            },
            Some(Err(_)) | None => 0,
        }
    }
}
