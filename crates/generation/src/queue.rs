//! The bounded queue between the callers and the one device thread.
//!
//! The invariants: it takes at most `places` jobs, the running one included, so that a job is refused for the same reasons whether or not
//! the device thread has woken up yet (jobs that were taken in an earlier life of the program come in beyond that); a cancelled job that
//! waits leaves at once; once closed, it takes and hands out nothing more. No owner holds more than `places_per_owner` of the places, so
//! that one who fills theirs again and again leaves room for the others.
//!
//! Who is served next: the most urgent; among those the owner who has had the least of the device's time; among theirs the oldest. Time
//! is counted from when an owner last had nothing here: who comes back starts level with whoever has had least among those who are
//! here, so that nobody saves up turns while away, and nobody can keep others waiting with many jobs. (This is fair queueing by start
//! times, as networks do it for packets.)

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::{job::Job, jobs::Priority};

/// How many recent jobs the estimate of waiting times looks back on.
const REMEMBERED_JOBS: usize = 8;
/// The estimate while no job has finished yet.
const FIRST_GUESS: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Queue {
    places: usize,
    places_per_owner: usize,
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
    /// The owners of jobs on their way in, for whom a place is kept; one entry for each job.
    reserved: Vec<String>,
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
    OwnerFull { waiting: usize },
    Closed,
}

/// A place that is kept; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// None once a job has it.
    queue: Option<Arc<Queue>>,
    owner: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.lock().give_back(&self.owner);
        }
    }
}

impl Queue {
    pub(crate) fn new(places: usize, places_per_owner: usize) -> Self {
        Self { places, places_per_owner, state: Mutex::default(), changed: Condvar::new(), closed: watch::Sender::new(false) }
    }

    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// The most places that an owner has.
    pub(crate) fn places_per_owner(&self) -> usize {
        self.places_per_owner
    }

    /// Keeps a place for a job that cannot be handed in yet.
    pub(crate) fn reserve(self: &Arc<Self>, owner: &str) -> Result<Place, PushError> {
        let mut state = self.lock();
        self.check(&state, owner)?;
        state.reserved.push(owner.to_owned());
        Ok(Place { queue: Some(Arc::clone(self)), owner: owner.to_owned() })
    }

    pub(crate) fn push(&self, job: Job) -> Result<(), PushError> {
        let mut state = self.lock();
        self.check(&state, &job.context.owner)?;
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
        if let Some(mut place) = place
            && place.queue.take().is_some()
        {
            state.give_back(&place.owner);
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

    /// Whether a job of this owner's would find a place now.
    pub(crate) fn check_room(&self, owner: &str) -> Result<(), PushError> {
        self.check(&self.lock(), owner)
    }

    fn check(&self, state: &State, owner: &str) -> Result<(), PushError> {
        if state.closed || state.draining {
            return Err(PushError::Closed);
        }
        let waiting = state.jobs_of(owner);
        if waiting >= self.places_per_owner {
            return Err(PushError::OwnerFull { waiting });
        }
        // A place is free when the running job ends: at most one job's time. Without a running one, the first that waits must run first.
        if state.jobs() + state.reserved.len() >= self.places {
            return Err(PushError::Full { retry_after: state.usual_time() });
        }
        Ok(())
    }

    /// The running job's number.
    pub(crate) fn running(&self) -> Option<u64> {
        self.lock().running.as_ref().map(|(id, _, _)| *id)
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
        let mut order = Vec::with_capacity(state.waiting.len());
        for priority in Priority::ALL.into_iter().rev() {
            // Each owner's jobs in the order in which they came, the next first.
            let mut of: BTreeMap<&str, VecDeque<(usize, u64)>> = BTreeMap::new();
            for (place, job) in state.waiting.iter().enumerate().filter(|(_, job)| job.context.priority == priority) {
                of.entry(job.context.owner.as_str()).or_default().push_back((place, job.id));
            }
            let had = |served: &BTreeMap<String, Duration>, owner: &str| served.get(owner).copied().unwrap_or_default();
            let first = |jobs: &VecDeque<(usize, u64)>| jobs.front().map(|(place, _)| *place);
            let mut turns: BinaryHeap<_> =
                of.iter().filter_map(|(owner, jobs)| Some(Reverse((had(&served, owner), first(jobs)?, *owner)))).collect();
            while let Some(Reverse((_, _, owner))) = turns.pop() {
                let Some(jobs) = of.get_mut(owner) else { continue };
                order.extend(jobs.pop_front().map(|(_, id)| id));
                if let Some(served) = served.get_mut(owner) {
                    *served += each;
                }
                turns.extend(first(jobs).map(|place| Reverse((had(&served, owner), place, owner))));
            }
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
fn next_of(waiting: &[Job], served: &BTreeMap<String, Duration>) -> Option<usize> {
    let had = |job: &Job| served.get(&job.context.owner).copied().unwrap_or_default();
    // Of several that are equal the first is taken, which is the oldest.
    waiting.iter().enumerate().min_by_key(|(_, job)| (Reverse(job.context.priority), had(job))).map(|(index, _)| index)
}

impl State {
    fn jobs(&self) -> usize {
        self.waiting.len() + usize::from(self.running.is_some())
    }

    fn give_back(&mut self, owner: &str) {
        if let Some(index) = self.reserved.iter().position(|reserved| reserved == owner) {
            self.reserved.swap_remove(index);
        }
    }

    /// The places that an owner holds.
    fn jobs_of(&self, owner: &str) -> usize {
        let waiting = self.waiting.iter().filter(|job| job.context.owner == owner).count();
        let running = self.running.as_ref().is_some_and(|(_, running, _)| running == owner);
        let reserved = self.reserved.iter().filter(|reserved| *reserved == owner).count();
        waiting + usize::from(running) + reserved
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
