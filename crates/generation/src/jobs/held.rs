//! Held jobs: a caller waits for the result, and nobody else needs the job.
//!
//! The invariants: a held job is cancelled when the last [`HeldJob`] of it is dropped; a request that is sent again under its own name while
//! its job runs, or for [`KEPT`] after it was done, gets the same result; a job that failed or was cancelled gives its name back, so that another try
//! can do better.

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

/// How long the result of a named request is kept.
const KEPT: Duration = Duration::from_secs(600);
/// Beyond so many bytes of images and videos the oldest results go first.
const KEPT_BYTES: usize = 64 << 20;

/// What a held job ends with. Two requests of the same name share it.
pub type HeldResult = Result<Arc<HeldOutput>, Arc<BackendError>>;

/// What came of a held job.
#[derive(Clone, Debug)]
pub struct HeldOutput {
    /// Its images or its video.
    pub output: JobOutput,
    /// The folder that the video lies in, if it goes with this.
    pub folder: Option<Arc<TempDir>>,
}

/// The caller's end of a held job. Dropping the last one cancels the job.
#[derive(Debug)]
pub struct HeldJob {
    result: watch::Receiver<Option<HeldResult>>,
    waiters: Arc<Waiters>,
    kept: KeepAlive,
}

/// Keeps jobs going while a caller waits, and says when they are closed.
#[derive(Debug)]
pub(super) struct KeepAlive {
    pub(super) closed: watch::Receiver<bool>,
    pub(super) _jobs: Arc<dyn Any + Send + Sync>,
}

/// What those who wait for a job share.
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

    /// How far the job is, now and at every change.
    pub fn progress(&self) -> watch::Receiver<JobProgress> {
        self.waiters.progress.clone()
    }

    /// Previews, made for as long as what this returns is held.
    pub fn previews(&self) -> Previews {
        self.waiters.previews.want()
    }

    /// Stops the job from elsewhere, while its end is waited for.
    pub fn cancel_switch(&self) -> CancelSwitch {
        self.waiters.cancel.clone()
    }

    /// Waits for the job's end. Dropping the future cancels the job, unless another request of the same name waits for it.
    ///
    /// # Errors
    /// [`BackendError::Cancelled`] if the job was cancelled or the program goes down first; else whatever the backend answered.
    pub async fn finished(mut self) -> HeldResult {
        tokio::select! {
            // A result that is there counts, even if the program goes down.
            biased;
            result = self.result.wait_for(Option::is_some) => match result.as_deref() {
                Ok(Some(result)) => result.clone(),
                Ok(None) | Err(_) => Err(Arc::new(BackendError::Cancelled)),
            },
            // A running job's step may take long; nobody needs to wait for its end.
            _ = self.kept.closed.wait_for(|closed| *closed) => Err(Arc::new(BackendError::Cancelled)),
        }
    }
}

/// The results of held jobs, and the names of their requests.
#[derive(Debug, Default)]
pub(super) struct HeldJobs(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    jobs: HashMap<String, Held>,
    /// The ids of jobs by their requests' owner and name, with the request's fingerprint.
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

    /// The caller's end of a job that is active; `name` is its request's own, with its owner. `abandon` is called when nobody waits any more.
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

    /// The job that was taken under this name, if it runs or its result is kept.
    pub(super) fn join(&self, owner: &str, name: &Idempotency, kept: KeepAlive, now: SystemTime) -> Result<Option<HeldJob>, SubmitError> {
        // Dropped behind the lock: the last of the waiters wants it.
        let waiters;
        let mut state = self.lock();
        state.forget_old(now);
        let Some((id, fingerprint)) = state.names.get(&(owner.to_owned(), name.key.clone())) else { return Ok(None) };
        if *fingerprint != name.fingerprint {
            return Err(SubmitError::IdempotencyConflict { key: name.key.clone() });
        }
        let Some(held) = state.jobs.get(id) else { return Ok(None) };
        waiters = held.waiters.upgrade().or_else(|| {
            // Nobody waits any more: either it is done, or it is being cancelled.
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

    /// Whether a job runs, or its result is kept, that was taken under this name.
    pub(super) fn has_name(&self, owner: &str, key: &str, now: SystemTime) -> bool {
        let mut state = self.lock();
        state.forget_old(now);
        state.names.contains_key(&(owner.to_owned(), key.to_owned()))
    }

    /// Forgets results that are too old.
    pub(super) fn forget_old(&self, now: SystemTime) {
        self.lock().forget_old(now);
    }

    /// Hands a job's result to those who wait for it.
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

    /// Forgets results that are too old, and the oldest of those that are too many.
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
            if bytes <= KEPT_BYTES && now.duration_since(done_at).is_ok_and(|age| age < KEPT) {
                break;
            }
            bytes = bytes.saturating_sub(size);
            self.forget(&id);
        }
    }
}

impl Held {
    /// What its result takes of memory or disk, in bytes.
    fn bytes(&self) -> usize {
        match self.result.borrow().as_ref() {
            Some(Ok(held)) => match &held.output {
                JobOutput::Images(images) => images.iter().map(|image| image.png.len() + image.image.as_raw().len()).sum(),
                JobOutput::Video(video) => usize::try_from(video.bytes).unwrap_or(usize::MAX),
            },
            Some(Err(_)) | None => 0,
        }
    }
}
