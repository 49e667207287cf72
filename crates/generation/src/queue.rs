//! The bounded queue between the callers and the one device thread.
//!
//! The invariants: it holds at most `places` jobs, the running one included, so that a job is refused for the same reasons whether or not
//! the device thread has woken up yet; a cancelled job that waits leaves at once; once closed, it takes and hands out nothing more.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::job::Job;

/// How many recent jobs the estimate of waiting times looks back on.
const REMEMBERED_JOBS: usize = 8;
/// The estimate while no job has finished yet.
const FIRST_GUESS: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Queue {
    places: usize,
    state: Mutex<State>,
    /// Signalled when a job comes in or the queue closes.
    changed: Condvar,
    /// Tells the callers that the queue is closed.
    closed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    /// The running job's number and the flag that stops it.
    running: Option<(u64, Arc<AtomicBool>)>,
    recent: VecDeque<Duration>,
    closed: bool,
}

/// Why a job is not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    Full { retry_after: Duration },
    Closed,
}

impl Queue {
    pub(crate) fn new(places: usize) -> Self {
        Self { places, state: Mutex::default(), changed: Condvar::new(), closed: watch::Sender::new(false) }
    }

    pub(crate) fn places(&self) -> usize {
        self.places
    }

    pub(crate) fn push(&self, job: Job) -> Result<(), PushError> {
        let mut state = self.lock();
        if state.closed {
            return Err(PushError::Closed);
        }
        if state.jobs() >= self.places {
            return Err(PushError::Full { retry_after: state.time_until_a_place_is_free() });
        }
        state.waiting.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for the next job and marks it as running; `None` once the queue is closed.
    pub(crate) fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.waiting.pop_front() {
                state.running = Some((job.id, Arc::clone(&job.cancelled)));
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Frees the running job's place. The time is given for jobs that ran to their end, for the estimate.
    pub(crate) fn done(&self, took: Option<Duration>) {
        let mut state = self.lock();
        state.running = None;
        if let Some(took) = took {
            state.recent.push_back(took);
            if state.recent.len() > REMEMBERED_JOBS {
                state.recent.pop_front();
            }
        }
    }

    /// Takes a waiting job out; nothing happens if it runs or is gone.
    pub(crate) fn remove(&self, id: u64) {
        // Dropped outside the lock: a job's sender wakes whoever waits for it.
        let removed = {
            let mut state = self.lock();
            let index = state.waiting.iter().position(|job| job.id == id);
            index.and_then(|index| state.waiting.remove(index))
        };
        drop(removed);
    }

    /// Lets the waiting jobs go, stops the running one at its next step, and takes nothing more.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut state = self.lock();
            state.closed = true;
            if let Some((_, cancelled)) = &state.running {
                cancelled.store(true, Ordering::Relaxed);
            }
            std::mem::take(&mut state.waiting)
        };
        self.changed.notify_all();
        self.closed.send_replace(true);
        drop(waiting);
    }

    /// Waits until the queue is closed.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as this future's borrow of it, so there is no other end to this.
        let _closed = self.closed.subscribe().wait_for(|closed| *closed).await.is_ok();
    }

    /// The jobs that hold a place: those that wait and the one that runs.
    pub(crate) fn jobs(&self) -> usize {
        self.lock().jobs()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and every change to the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn jobs(&self) -> usize {
        self.waiting.len() + usize::from(self.running.is_some())
    }

    /// A place is free when the running job ends: at most one job's time. Without a running one, the first that waits must run first.
    fn time_until_a_place_is_free(&self) -> Duration {
        let Some(count) = u32::try_from(self.recent.len()).ok().filter(|count| *count > 0) else { return FIRST_GUESS };
        self.recent.iter().sum::<Duration>() / count
    }
}
