//! What AUTOMATIC1111's API keeps between requests: each caller's options, and the jobs that callers wait for.
//!
//! It must not know what an option means. The invariants: a caller sees and changes their own options and jobs only; a job is forgotten when
//! its request ends, however it ends. Options are in memory: after a restart of the server they have their defaults.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use generation::{CancelSwitch, JobProgress, Preview, Previews, jobs::HeldJob};
use serde_json::{Map, Value};
use tokio::sync::watch;

/// All callers' options and jobs; clones share them.
#[derive(Clone, Debug, Default)]
pub struct WebUiSessions(Arc<Mutex<HashMap<String, Session>>>);

#[derive(Debug, Default)]
struct Session {
    options: Map<String, Value>,
    /// The oldest first.
    running: Vec<Entry>,
}

struct Entry {
    id: String,
    cancel: CancelSwitch,
    progress: watch::Receiver<JobProgress>,
    /// Whether single images can end early.
    ends_early: bool,
    /// Previews, once a client has asked for one.
    previews: Option<Previews>,
    /// The number of images that are made at once in the client's view.
    batch: u32,
    began: SystemTime,
    /// When a client first saw it run, and the share that was done then.
    started: Option<(Instant, f64)>,
    seen: Marks,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a client asked for while the job ran.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    skipped: bool,
    interrupted: bool,
}

/// The caller's oldest job as a client sees it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) progress: JobProgress,
    pub(crate) preview: Option<Arc<Preview>>,
    /// The number of images that are made at once in the client's view.
    pub(crate) batch: u32,
    /// When its request arrived.
    pub(crate) began: SystemTime,
    /// When a client first saw it run, and the share that was done then.
    pub(crate) started: Option<(Instant, f64)>,
    pub(crate) skipped: bool,
    pub(crate) interrupted: bool,
}

/// A job that a request waits for; dropping it ends the entry.
#[derive(Debug)]
pub(crate) struct Running {
    sessions: WebUiSessions,
    owner: String,
    id: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(session) = self.sessions.lock().get_mut(&self.owner)
            && let Some(place) = session.running.iter().position(|entry| entry.id == self.id)
        {
            session.running.remove(place);
        }
    }
}

impl WebUiSessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The options that a caller has set.
    pub(crate) fn options(&self, owner: &str) -> Map<String, Value> {
        self.lock().get(owner).map(|session| session.options.clone()).unwrap_or_default()
    }

    /// Sets options; the caller of this has checked them, so their number is bounded.
    pub(crate) fn set_options(&self, owner: &str, options: Map<String, Value>) {
        self.lock().entry(owner.to_owned()).or_default().options.extend(options);
    }

    /// Records a job that a request waits for.
    pub(crate) fn begin(&self, owner: &str, job: &HeldJob, batch: u32, ends_early: bool) -> Running {
        let entry = Entry {
            id: job.id().to_owned(),
            cancel: job.cancel_switch(),
            progress: job.progress(),
            ends_early,
            previews: None,
            batch,
            began: SystemTime::now(),
            started: None,
            seen: Marks::default(),
        };
        self.lock().entry(owner.to_owned()).or_default().running.push(entry);
        Running { sessions: self.clone(), owner: owner.to_owned(), id: job.id().to_owned() }
    }

    /// The caller's oldest job. `previews` subscribes to a job's previews, which are made from then on.
    pub(crate) fn look(&self, owner: &str, previews: Option<impl FnOnce(&str) -> Option<Previews>>) -> Option<Seen> {
        let mut sessions = self.lock();
        let entry = sessions.get_mut(owner)?.running.first_mut()?;
        let progress = *entry.progress.borrow();
        if progress.started {
            entry.started.get_or_insert_with(|| (Instant::now(), progress.share));
        }
        if let Some(subscribe) = previews
            && entry.previews.is_none()
        {
            entry.previews = subscribe(&entry.id);
        }
        Some(Seen {
            id: entry.id.clone(),
            progress,
            preview: entry.previews.as_ref().and_then(Previews::newest),
            batch: entry.batch,
            began: entry.began,
            started: entry.started,
            skipped: entry.seen.skipped,
            interrupted: entry.seen.interrupted,
        })
    }

    /// Ends the caller's oldest job with the images that are finished. Returns the id of a job that has to be cancelled instead, because it
    /// has not started or cannot end early.
    pub(crate) fn interrupt(&self, owner: &str) -> Option<String> {
        self.end_early(owner, true)
    }

    /// Leaves out the image that the caller's oldest job makes; otherwise as [`Self::interrupt`].
    pub(crate) fn skip(&self, owner: &str) -> Option<String> {
        self.end_early(owner, false)
    }

    fn end_early(&self, owner: &str, all: bool) -> Option<String> {
        let mut sessions = self.lock();
        let entry = sessions.get_mut(owner)?.running.first_mut()?;
        let (ends_early, started) = (entry.ends_early, entry.progress.borrow().started);
        entry.seen = Marks { skipped: entry.seen.skipped || !all, interrupted: entry.seen.interrupted || all };
        match (ends_early && started, all) {
            (true, true) => entry.cancel.finish(),
            (true, false) => entry.cancel.skip_image(),
            // A job that waits has no image to skip.
            (false, false) if !started => {}
            (false, _) => return Some(entry.id.clone()),
        }
        None
    }
}
