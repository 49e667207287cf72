//! The bounded queue between the callers and the one device thread.
//!
//! The invariants: it takes at most `places` jobs, the running one included, so that a job is refused for the same reasons whether or not
//! the device thread has woken up yet (jobs that were taken in an earlier life of the program come in beyond that); a cancelled job that
//! waits leaves at once; once closed, it takes and hands out nothing more.
//!
//! Who is served next: the most urgent; among those the owner who has had the least of the device's time; among theirs the oldest. Time
//! is counted from when an owner last had nothing here: who comes back starts level with whoever has had least among those who are
//! here, so that nobody saves up turns while away, and nobody can keep others waiting with many jobs. (This is fair queueing by start
//! times, as networks do it for packets.)

use std::{
    collections::{BTreeMap, VecDeque},
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
    /// In the order in which they came.
    waiting: Vec<Job>,
    /// Places that are kept for jobs on their way in.
    reserved: usize,
    /// The running job's number, its owner, and the flag that stops it.
    running: Option<(u64, String, Arc<AtomicBool>)>,
    /// The device's time that each owner has had who has a job here.
    served: BTreeMap<String, Duration>,
    recent: VecDeque<Duration>,
    /// Nothing is taken in or handed out any more, and the running job goes on.
    draining: bool,
    closed: bool,
}

/// Why a job is not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    Full { retry_after: Duration },
    Closed,
}

/// A place that is kept; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place(Option<Arc<Queue>>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(queue) = &self.0 {
            queue.lock().reserved -= 1;
        }
    }
}

impl Queue {
    pub(crate) fn new(places: usize) -> Self {
        Self { places, state: Mutex::default(), changed: Condvar::new(), closed: watch::Sender::new(false) }
    }

    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Keeps a place for a job that cannot be handed in yet.
    pub(crate) fn reserve(self: &Arc<Self>) -> Result<Place, PushError> {
        let mut state = self.lock();
        state.check(self.places)?;
        state.reserved += 1;
        Ok(Place(Some(Arc::clone(self))))
    }

    pub(crate) fn push(&self, job: Job) -> Result<(), PushError> {
        let mut state = self.lock();
        state.check(self.places)?;
        state.take_in(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes in a job that has a place, or was taken before.
    pub(crate) fn push_taken(&self, job: Job, place: Option<Place>) -> Result<(), PushError> {
        let mut state = self.lock();
        if state.closed {
            // The place's own drop wants the lock.
            drop(state);
            return Err(PushError::Closed);
        }
        if place.and_then(|mut place| place.0.take()).is_some() {
            state.reserved -= 1;
        }
        state.take_in(job);
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
            if state.draining {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            if let Some(index) = next_of(&state.waiting, &state.served) {
                let job = state.waiting.remove(index);
                state.running = Some((job.id, job.context.owner.clone(), Arc::clone(&job.cancelled)));
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Frees the running job's place. `has_ended` for jobs that ran to their end, whose times the estimate goes by.
    pub(crate) fn done(&self, took: Duration, has_ended: bool) {
        let mut state = self.lock();
        if let Some((_, owner, _)) = state.running.take() {
            if let Some(served) = state.served.get_mut(&owner) {
                *served += took;
            }
            state.forget_if_gone(&owner);
        }
        if has_ended {
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
            let removed = index.map(|index| state.waiting.remove(index));
            if let Some(job) = &removed {
                state.forget_if_gone(&job.context.owner);
            }
            removed
        };
        drop(removed);
    }

    /// Takes nothing more and hands nothing out, while the running job goes on.
    pub(crate) fn drain(&self) {
        self.lock().draining = true;
    }

    /// Lets the waiting jobs go, stops the running one at its next step, and takes nothing more.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut state = self.lock();
            state.closed = true;
            if let Some((_, _, cancelled)) = &state.running {
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

    /// The jobs that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// The numbers of the waiting jobs in the order in which they would be served if nothing else came in and each took as long as the
    /// recent ones.
    pub(crate) fn order(&self) -> Vec<u64> {
        let state = self.lock();
        let each = state.usual_time();
        let mut served = state.served.clone();
        if let Some(served) = state.running.as_ref().and_then(|(_, owner, _)| served.get_mut(owner)) {
            *served += each;
        }
        let mut waiting: Vec<&Job> = state.waiting.iter().collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some(index) = next_of(&waiting, &served) {
            let job = waiting.remove(index);
            if let Some(served) = served.get_mut(&job.context.owner) {
                *served += each;
            }
            order.push(job.id);
        }
        order
    }

    /// How long a job takes, by the recent ones; `None` if there are none yet.
    pub(crate) fn usual_time(&self) -> Option<Duration> {
        self.lock().measured_time()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and every change to the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index of the job that is served next.
fn next_of<J: std::borrow::Borrow<Job>>(waiting: &[J], served: &BTreeMap<String, Duration>) -> Option<usize> {
    let had = |job: &Job| served.get(&job.context.owner).copied().unwrap_or_default();
    // Of several that are equal the first is taken, which is the oldest.
    let rank = |job: &Job| (std::cmp::Reverse(job.context.priority), had(job));
    waiting.iter().enumerate().min_by_key(|(_, job)| rank((*job).borrow())).map(|(index, _)| index)
}

impl State {
    fn jobs(&self) -> usize {
        self.waiting.len() + usize::from(self.running.is_some())
    }

    fn check(&self, places: usize) -> Result<(), PushError> {
        if self.closed || self.draining {
            return Err(PushError::Closed);
        }
        // A place is free when the running job ends: at most one job's time. Without a running one, the first that waits must run first.
        if self.jobs() + self.reserved >= places {
            return Err(PushError::Full { retry_after: self.usual_time() });
        }
        Ok(())
    }

    fn take_in(&mut self, job: Job) {
        if !self.served.contains_key(&job.context.owner) {
            let least = self.served.values().min().copied().unwrap_or_default();
            self.served.insert(job.context.owner.clone(), least);
        }
        self.waiting.push(job);
    }

    fn forget_if_gone(&mut self, owner: &str) {
        let runs = self.running.as_ref().is_some_and(|(_, running, _)| running == owner);
        if !runs && self.waiting.iter().all(|job| job.context.owner != owner) {
            self.served.remove(owner);
        }
    }

    fn usual_time(&self) -> Duration {
        self.measured_time().unwrap_or(FIRST_GUESS)
    }

    fn measured_time(&self) -> Option<Duration> {
        let count = u32::try_from(self.recent.len()).ok().filter(|count| *count > 0)?;
        Some(self.recent.iter().sum::<Duration>() / count)
    }
}
