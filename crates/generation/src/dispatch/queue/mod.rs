//! The queue of jobs that wait for a backend, and the order in which they are served.
//!
//! It must not know backends except by number, nor where jobs are kept. Invariants:
//!
//! * The queue holds a bounded number of jobs, running ones included. (Jobs of an earlier run of the program are added beyond the bound.)
//! * A waiting job that is cancelled leaves at once. A closed queue takes and hands out nothing.
//! * No owner holds more than their share of the places, so an owner who refills theirs again and again leaves places for the others.
//! * A provider's jobs have places of their own: a hundred videos that are made elsewhere block none of this machine's work.
//!
//! A job whose model is not loaded is passed over by jobs of loaded models, so that models are not swapped for every job. This is bounded
//! ([`MAX_PASSED`], [`MAX_PASSED_FOR`]): then a loaded model is evicted for it, so no job starves.
//!
//! Order: the highest priority first; then the owner who has had the least backend time, and among equals the one whose oldest job is older;
//! then, of that owner's jobs, the highest own priority, and the oldest. So an owner's priorities order their own jobs and no others'. An
//! owner's time counts from when they last had no job here. An owner who returns starts level with the present owner who has had least, so
//! turns cannot be saved up while away, and nobody can keep others waiting with many jobs. (This is start-time fair queueing, as networks use
//! it for packets.)

#[cfg(test)]
mod tests;
mod turns;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use self::turns::Oldest;
use crate::{backend::Readiness, work::Priority};

/// How many recent jobs the estimate of waiting times averages.
const REMEMBERED_JOBS: usize = 8;
/// The estimate while no job has finished yet.
const FIRST_GUESS: Duration = Duration::from_secs(5);

/// How many jobs of loaded models may pass a job whose model is not loaded, before a loaded model is evicted for it.
const MAX_PASSED: u32 = 16;
/// How long such jobs may pass it; whichever bound is reached first applies.
const MAX_PASSED_FOR: Duration = Duration::from_secs(60);

/// A waiting job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number in this queue, from 1, given by [`Queue::push`].
    pub(crate) number: u64,
    /// Its id.
    pub(crate) id: String,
    /// Its owner.
    pub(crate) owner: String,
    /// The priority of its owner's jobs among those of all owners.
    pub(crate) priority: Priority,
    /// Its priority among its owner's jobs.
    pub(crate) own_priority: Priority,
    /// The local model that makes it, if it names one.
    pub(crate) model: Option<String>,
    /// The backends that accept it.
    pub(crate) backends: BackendSet,
    /// When it arrived.
    pub(crate) handed_in: Instant,
}

/// A set of backends by number; at most 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BackendSet(u64);

impl FromIterator<usize> for BackendSet {
    fn from_iter<T: IntoIterator<Item = usize>>(backends: T) -> Self {
        Self(backends.into_iter().fold(0, |set, backend| set | 1 << backend))
    }
}

impl BackendSet {
    pub(crate) fn insert(&mut self, backend: usize) {
        self.0 |= 1 << backend;
    }

    fn remove(&mut self, others: Self) {
        self.0 &= !others.0;
    }

    pub(crate) fn contains(self, backend: usize) -> bool {
        self.0 >> backend & 1 == 1
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A backend's next steps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NextJob {
    /// The job to start.
    pub(crate) entry: Option<Entry>,
    /// The model to load.
    pub(crate) load: Option<Wanted>,
}

/// A model that a job waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) model: Option<String>,
    /// Whether others may be evicted for it.
    pub(crate) may_swap: bool,
}

/// The capacity of a part of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// In total, the running ones included.
    pub(crate) all: usize,
    /// For one owner.
    pub(crate) per_owner: usize,
}

/// A part of the queue with places of its own: this machine's backends together, or one remote backend by its number.
pub(crate) type Part = Option<usize>;

#[derive(Debug)]
pub(crate) struct Queue {
    local: Capacity,
    /// The capacity of each remote backend.
    remote: BTreeMap<usize, Capacity>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In order of arrival.
    waiting: Vec<Entry>,
    /// The owners of jobs for which a place is reserved; one entry per job.
    reserved: Vec<(Part, String)>,
    /// The running jobs: number, owner, and the backend's number.
    running: Vec<(u64, String, usize)>,
    /// The backend time used by each owner who has a job here.
    served: BTreeMap<String, Duration>,
    recent: VecDeque<Duration>,
    last_number: u64,
    /// How many jobs have passed one whose model is not loaded since the last eviction, and since when.
    passed: u32,
    passed_since: Option<Instant>,
    /// The backends that are lost for good.
    lost: BackendSet,
    /// Nothing is accepted or handed out any more; running jobs continue.
    draining: bool,
    closed: bool,
}

/// Why a job is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    Full {
        retry_after: Duration,
    },
    OwnerFull {
        waiting: usize,
    },
    Closed,
    /// Every backend that accepts the job is lost.
    Lost,
}

/// A reserved place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    /// `None` once a job has used it.
    queue: Option<Arc<Queue>>,
    part: Part,
    owner: String,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.lock().release(self.part, &self.owner);
        }
    }
}

impl Queue {
    /// `remote` are the slots of remote backends, by number. Each has twice as many places as slots, but at least as many as there are for
    /// local jobs; an owner's share is in proportion.
    pub(crate) fn new(capacity: usize, capacity_per_owner: usize, remote: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let local = Capacity { all: capacity.max(1), per_owner: capacity_per_owner.max(1) };
        let of_slots = |slots: usize| {
            let all = slots.saturating_mul(2).max(local.all);
            Capacity { all, per_owner: (local.per_owner.saturating_mul(all) / local.all).max(local.per_owner) }
        };
        let remote = remote.into_iter().map(|(backend, slots)| (backend, of_slots(slots))).collect();
        Self { local, remote, state: Mutex::default() }
    }

    /// The capacity of a part.
    pub(crate) fn places(&self, part: Part) -> Capacity {
        part.and_then(|backend| self.remote.get(&backend)).copied().unwrap_or(self.local)
    }

    /// The part that the jobs of these backends belong to: a remote backend's jobs go to no other.
    pub(crate) fn part_of(&self, backends: BackendSet) -> Part {
        self.remote.keys().copied().find(|remote| backends.contains(*remote))
    }

    /// Reserves a place for a job that cannot be queued yet.
    pub(crate) fn reserve(self: &Arc<Self>, part: Part, owner: &str) -> Result<Reservation, PushError> {
        let mut state = self.lock();
        self.check(&state, part, owner)?;
        state.reserved.push((part, owner.to_owned()));
        Ok(Reservation { queue: Some(Arc::clone(self)), part, owner: owner.to_owned() })
    }

    /// Queues a job that has a reservation or was accepted before, and returns its number.
    pub(crate) fn push(&self, mut entry: Entry, place: Option<Reservation>) -> Result<u64, PushError> {
        let mut state = self.lock();
        entry.backends.remove(state.lost);
        if state.closed || entry.backends.is_empty() {
            let error = if state.closed { PushError::Closed } else { PushError::Lost };
            // Dropping the reservation takes the lock.
            drop(state);
            return Err(error);
        }
        if let Some(mut place) = place
            && place.queue.take().is_some()
        {
            state.release(place.part, &place.owner);
        }
        state.last_number += 1;
        entry.number = state.last_number;
        state.add(entry);
        Ok(state.last_number)
    }

    /// A backend's next job, which counts as running from now on, and the model to load for the job whose turn it is. `readiness` tells
    /// whether a job's model is loaded. Empty if no job waits, or the queue hands out nothing any more.
    pub(crate) fn take(&self, backend: usize, now: Instant, readiness: impl Fn(&Entry) -> Readiness) -> NextJob {
        let mut state = self.lock();
        if state.closed || state.draining {
            return NextJob::default();
        }
        let (index, load) =
            if self.remote.contains_key(&backend) { (state.next_of_remote(backend), None) } else { state.next_of(backend, now, readiness) };
        let Some(index) = index else { return NextJob { entry: None, load } };
        let entry = state.waiting.remove(index);
        state.running.push((entry.number, entry.owner.clone(), backend));
        NextJob { entry: Some(entry), load }
    }

    /// Frees a running job's place. `has_ended` if the job was completed, so that its time counts in the estimate.
    pub(crate) fn done(&self, number: u64, took: Duration, has_ended: bool) {
        let mut state = self.lock();
        if let Some(index) = state.running.iter().position(|(running, ..)| *running == number) {
            let (_, owner, _) = state.running.swap_remove(index);
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

    /// Sets a waiting job's priority among its owner's jobs; one that runs or is gone has none.
    pub(crate) fn set_own_priority(&self, number: u64, priority: Priority) {
        if let Some(entry) = self.lock().waiting.iter_mut().find(|entry| entry.number == number) {
            entry.own_priority = priority;
        }
    }

    /// Removes a waiting job; false if it runs or is gone.
    pub(crate) fn remove(&self, number: u64) -> bool {
        let mut state = self.lock();
        let Some(index) = state.waiting.iter().position(|entry| entry.number == number) else { return false };
        let removed = state.waiting.remove(index);
        state.forget_if_gone(&removed.owner);
        true
    }

    /// Removes a backend from the choice of every present and future job, and returns the jobs that no backend accepts any more.
    pub(crate) fn lose(&self, backend: usize) -> Vec<Entry> {
        let mut state = self.lock();
        state.lost.insert(backend);
        let State { waiting, lost, .. } = &mut *state;
        waiting.iter_mut().for_each(|entry| entry.backends.remove(*lost));
        let lost: Vec<Entry> = waiting.extract_if(.., |entry| entry.backends.is_empty()).collect();
        lost.iter().for_each(|entry| state.forget_if_gone(&entry.owner));
        lost
    }

    /// Accepts nothing more and hands nothing out; running jobs continue.
    pub(crate) fn drain(&self) {
        self.lock().draining = true;
    }

    /// Accepts nothing more, and returns the waiting jobs.
    pub(crate) fn close(&self) -> Vec<Entry> {
        let mut state = self.lock();
        state.closed = true;
        std::mem::take(&mut state.waiting)
    }

    /// The number of jobs that hold a place: waiting and running.
    pub(crate) fn jobs(&self) -> usize {
        self.lock().jobs()
    }

    /// The number of waiting jobs.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether there is a place for a job of this owner now.
    pub(crate) fn check_room(&self, part: Part, owner: &str) -> Result<(), PushError> {
        self.check(&self.lock(), part, owner)
    }

    fn check(&self, state: &State, part: Part, owner: &str) -> Result<(), PushError> {
        if state.closed || state.draining {
            return Err(PushError::Closed);
        }
        let (mut all, mut theirs) = (0, 0);
        for (_, owned) in self.holders(state).filter(|(of, _)| *of == part) {
            all += 1;
            theirs += usize::from(owned == owner);
        }
        let places = self.places(part);
        if theirs >= places.per_owner {
            return Err(PushError::OwnerFull { waiting: theirs });
        }
        // A place is free when a running job ends: after one job's time at most. If none runs, the first that waits must run first.
        if all >= places.all {
            return Err(PushError::Full { retry_after: state.usual_time() });
        }
        Ok(())
    }

    /// The part and the owner of each job that holds or has reserved a place.
    fn holders<'a>(&'a self, state: &'a State) -> impl Iterator<Item = (Part, &'a str)> {
        let waiting = state.waiting.iter().map(|entry| (self.part_of(entry.backends), entry.owner.as_str()));
        let is_remote = |backend: usize| Some(backend).filter(|backend| self.remote.contains_key(backend));
        let running = state.running.iter().map(move |(_, owner, backend)| (is_remote(*backend), owner.as_str()));
        waiting.chain(running).chain(state.reserved.iter().map(|(part, owner)| (*part, owner.as_str())))
    }

    /// The numbers of jobs that wait for a remote backend and that run there.
    pub(crate) fn remote_counts(&self, backend: usize) -> (usize, usize) {
        let state = self.lock();
        let waiting = state.waiting.iter().filter(|entry| entry.backends.contains(backend)).count();
        (waiting, state.running.iter().filter(|(.., running)| *running == backend).count())
    }

    /// The running jobs' numbers, with their backends' numbers.
    pub(crate) fn running(&self) -> Vec<(u64, usize)> {
        self.lock().running.iter().map(|(number, _, backend)| (*number, *backend)).collect()
    }

    /// The waiting jobs in the order in which they would be served if no other job came and each took as long as the recent ones.
    pub(crate) fn order(&self) -> Vec<(u64, BackendSet)> {
        let state = self.lock();
        let each = state.usual_time();
        let mut served = state.served.clone();
        for (_, owner, _) in state.running.iter().filter(|(.., backend)| !self.remote.contains_key(backend)) {
            if let Some(served) = served.get_mut(owner) {
                *served += each;
            }
        }
        let mut order = Vec::with_capacity(state.waiting.len());
        for priority in Priority::ALL.into_iter().rev() {
            // Each owner's jobs in the order in which they are served.
            let mut of: BTreeMap<&str, VecDeque<(usize, &Entry)>> = BTreeMap::new();
            for (place, entry) in state.waiting.iter().enumerate().filter(|(_, entry)| entry.priority == priority) {
                of.entry(entry.owner.as_str()).or_default().push_back((place, entry));
            }
            for jobs in of.values_mut() {
                // A stable sort keeps the oldest of equals first.
                jobs.make_contiguous().sort_by_key(|(_, entry)| Reverse(entry.own_priority));
            }
            let had = |served: &BTreeMap<String, Duration>, owner: &str| served.get(owner).copied().unwrap_or_default();
            let first = |jobs: &VecDeque<(usize, &Entry)>| jobs.iter().map(|(place, _)| *place).min();
            let mut turns: BinaryHeap<_> =
                of.iter().filter_map(|(owner, jobs)| Some(Reverse((had(&served, owner), first(jobs)?, *owner)))).collect();
            while let Some(Reverse((_, _, owner))) = turns.pop() {
                let Some(jobs) = of.get_mut(owner) else { continue };
                order.extend(jobs.pop_front().map(|(_, entry)| (entry.number, entry.backends)));
                if let Some(served) = served.get_mut(owner) {
                    *served += each;
                }
                turns.extend(first(jobs).map(|place| Reverse((had(&served, owner), place, owner))));
            }
        }
        order
    }

    /// The mean duration of recent jobs; `None` if there are none yet.
    pub(crate) fn usual_time(&self) -> Option<Duration> {
        self.lock().measured_time()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and every change leaves the state consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn jobs(&self) -> usize {
        self.waiting.len() + self.running.len()
    }

    /// The index of a local backend's next job, and the model to load meanwhile.
    fn next_of(&mut self, backend: usize, now: Instant, readiness: impl Fn(&Entry) -> Readiness) -> (Option<usize>, Option<Wanted>) {
        let had = |entry: &Entry| self.served.get(&entry.owner).copied().unwrap_or_default();
        let open = || self.waiting.iter().enumerate().filter(|(_, entry)| entry.backends.contains(backend));
        let oldest = Oldest::of(open());
        let turn = |entry: &Entry| (Reverse(entry.priority), had(entry), oldest.place(entry), Reverse(entry.own_priority));
        // `min_by_key` returns the first of equal elements, which is the oldest.
        let Some((first, entry)) = open().min_by_key(|(_, entry)| turn(entry)) else { return (None, None) };
        let standing = readiness(entry);
        if standing == Readiness::Ready {
            return (Some(first), None);
        }
        // No job of lower priority starts meanwhile: it might occupy the backend for long.
        let is_as_urgent =
            |other: &Entry| other.priority == entry.priority && (other.owner != entry.owner || other.own_priority >= entry.own_priority);
        let ready = open().filter(|(_, other)| is_as_urgent(other) && readiness(other) == Readiness::Ready);
        let instead = ready.min_by_key(|(_, entry)| turn(entry)).map(|(index, _)| index);
        match standing {
            Readiness::Ready | Readiness::Loading => (instead, None),
            // A model is being evicted; a job of it must not start now and need it again.
            Readiness::Queued => (None, None),
            Readiness::Cold => {
                let is_over = self.passed >= MAX_PASSED
                    || self.passed_since.is_some_and(|since| now.saturating_duration_since(since) >= MAX_PASSED_FOR);
                let model = entry.model.clone();
                if instead.is_none() || is_over {
                    (self.passed, self.passed_since) = (0, None);
                    return (None, Some(Wanted { model, may_swap: true }));
                }
                self.passed += 1;
                self.passed_since.get_or_insert(now);
                (instead, Some(Wanted { model, may_swap: false }))
            }
        }
    }

    /// The index of a remote backend's next job. Remote jobs share no device time, so among the highest priority the owner with the fewest
    /// jobs there comes first.
    fn next_of_remote(&self, backend: usize) -> Option<usize> {
        let mut has: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, owner, _) in self.running.iter().filter(|(.., running)| *running == backend) {
            *has.entry(owner).or_default() += 1;
        }
        let open = || self.waiting.iter().enumerate().filter(|(_, entry)| entry.backends.contains(backend));
        let oldest = Oldest::of(open());
        let has = |entry: &Entry| has.get(entry.owner.as_str()).copied().unwrap_or_default();
        let turn = |entry: &Entry| (Reverse(entry.priority), has(entry), oldest.place(entry), Reverse(entry.own_priority));
        open().min_by_key(|(_, entry)| turn(entry)).map(|(index, _)| index)
    }

    fn release(&mut self, part: Part, owner: &str) {
        if let Some(index) = self.reserved.iter().position(|(of, reserved)| *of == part && reserved == owner) {
            self.reserved.swap_remove(index);
        }
    }

    fn add(&mut self, entry: Entry) {
        if !self.served.contains_key(&entry.owner) {
            let least = self.served.values().min().copied().unwrap_or_default();
            self.served.insert(entry.owner.clone(), least);
        }
        self.waiting.push(entry);
    }

    fn forget_if_gone(&mut self, owner: &str) {
        let runs = self.running.iter().any(|(_, running, _)| running == owner);
        if !runs && self.waiting.iter().all(|entry| entry.owner != owner) {
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
