//! The jobs that wait for a backend, and which of them is served next.
//!
//! It must not know backends but by number, nor where jobs are kept. The invariants: it takes at most so many jobs, the running ones
//! included (jobs that were taken in an earlier life of the program come in beyond that); a cancelled job that waits leaves at once; once
//! closed, it takes and hands out nothing more. No owner holds more than their share of the places, so that one who fills theirs again
//! and again leaves room for the others. A provider's jobs have places of their own: a hundred videos that are waited for elsewhere keep nobody
//! from this machine's device.
//!
//! A job whose model is not loaded is passed over by jobs of loaded models, so that models are not swapped for every job, but within a bound
//! ([`PASSED`], [`PASSED_FOR`]): then others' models go for its own, and nobody waits for ever.
//!
//! Who is served next: the most urgent; among those the owner who has had the least of the backends' time; among theirs the oldest. Time
//! is counted from when an owner last had nothing here: who comes back starts level with whoever has had least among those who are
//! here, so that nobody saves up turns while away, and nobody can keep others waiting with many jobs. (This is fair queueing by start
//! times, as networks do it for packets.)

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{backend::Readiness, work::Priority};

/// How many recent jobs the estimate of waiting times looks back on.
const REMEMBERED_JOBS: usize = 8;
/// The estimate while no job has finished yet.
const FIRST_GUESS: Duration = Duration::from_secs(5);

/// How many jobs of loaded models are served in the place of one whose model is not, before a loaded model goes for its own.
const PASSED: u32 = 16;
/// How long such jobs are served in its place; what comes first counts.
const PASSED_FOR: Duration = Duration::from_secs(60);

/// A job that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number in this queue, from 1, given by [`Queue::push`].
    pub(crate) number: u64,
    /// Its id.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) owner: String,
    pub(crate) priority: Priority,
    /// The model of this machine that makes it, where it names one.
    pub(crate) model: Option<String>,
    /// The backends that take it.
    pub(crate) backends: BackendSet,
    /// When it came in.
    pub(crate) handed_in: Instant,
}

/// Some of at most 64 backends, by number.
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

/// What a backend does next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The job that it begins.
    pub(crate) entry: Option<Entry>,
    /// The model that it should load.
    pub(crate) load: Option<Wanted>,
}

/// A model that a job waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) model: Option<String>,
    /// Whether others may go for it.
    pub(crate) may_swap: bool,
}

/// How many jobs a part of the queue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// In all, the running ones included.
    pub(crate) all: usize,
    /// Of one owner.
    pub(crate) per_owner: usize,
}

/// A part of the queue with places of its own: this machine's backends together, or a remote one by its number.
pub(crate) type Part = Option<usize>;

#[derive(Debug)]
pub(crate) struct Queue {
    local: Places,
    /// The places of remote backends.
    remote: BTreeMap<usize, Places>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came.
    waiting: Vec<Entry>,
    /// The owners of jobs on their way in, for whom a place is kept; one entry for each job.
    reserved: Vec<(Part, String)>,
    /// The jobs that run: number, owner, and the backend's number.
    running: Vec<(u64, String, usize)>,
    /// The backends' time that each owner has had who has a job here.
    served: BTreeMap<String, Duration>,
    recent: VecDeque<Duration>,
    last_number: u64,
    /// How many jobs were served in the place of one whose model is not loaded, since a model last went for another, and since when.
    passed: u32,
    passed_since: Option<Instant>,
    /// The backends that will never work again.
    lost: BackendSet,
    /// Nothing is taken in or handed out any more, and the running jobs go on.
    draining: bool,
    closed: bool,
}

/// Why a job is not taken in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    Full {
        retry_after: Duration,
    },
    OwnerFull {
        waiting: usize,
    },
    Closed,
    /// Every backend that takes the job is lost.
    Lost,
}

/// A place that is kept; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    /// None once a job has it.
    queue: Option<Arc<Queue>>,
    part: Part,
    owner: String,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.lock().give_back(self.part, &self.owner);
        }
    }
}

impl Queue {
    /// `remote` are the slots of remote backends, by their numbers. Each has twice as many places as slots, or as many as there are for local
    /// jobs if that is more; an owner has the same share of them.
    pub(crate) fn new(capacity: usize, capacity_per_owner: usize, remote: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let local = Places { all: capacity.max(1), per_owner: capacity_per_owner.max(1) };
        let of_slots = |slots: usize| {
            let all = slots.saturating_mul(2).max(local.all);
            Places { all, per_owner: (local.per_owner.saturating_mul(all) / local.all).max(local.per_owner) }
        };
        let remote = remote.into_iter().map(|(backend, slots)| (backend, of_slots(slots))).collect();
        Self { local, remote, state: Mutex::default() }
    }

    /// The places of a part.
    pub(crate) fn places(&self, part: Part) -> Places {
        part.and_then(|backend| self.remote.get(&backend)).copied().unwrap_or(self.local)
    }

    /// The part that takes the jobs of these backends: jobs of a remote one go to no other.
    pub(crate) fn part_of(&self, backends: BackendSet) -> Part {
        self.remote.keys().copied().find(|remote| backends.contains(*remote))
    }

    /// Keeps a place for a job that cannot come in yet.
    pub(crate) fn reserve(self: &Arc<Self>, part: Part, owner: &str) -> Result<Reservation, PushError> {
        let mut state = self.lock();
        self.check(&state, part, owner)?;
        state.reserved.push((part, owner.to_owned()));
        Ok(Reservation { queue: Some(Arc::clone(self)), part, owner: owner.to_owned() })
    }

    /// Takes in a job that has a place, or was taken before, and returns its number.
    pub(crate) fn push(&self, mut entry: Entry, place: Option<Reservation>) -> Result<u64, PushError> {
        let mut state = self.lock();
        entry.backends.remove(state.lost);
        if state.closed || entry.backends.is_empty() {
            let error = if state.closed { PushError::Closed } else { PushError::Lost };
            // The reservation's own drop wants the lock.
            drop(state);
            return Err(error);
        }
        if let Some(mut place) = place
            && place.queue.take().is_some()
        {
            state.give_back(place.part, &place.owner);
        }
        state.last_number += 1;
        entry.number = state.last_number;
        state.take_in(entry);
        Ok(state.last_number)
    }

    /// The next job for a backend, which runs from now on, and the model that should be loaded for the one whose turn it would be;
    /// `readiness` tells whether a job's model is there. Nothing where no job waits, or none is handed out any more.
    pub(crate) fn take(&self, backend: usize, now: Instant, readiness: impl Fn(&Entry) -> Readiness) -> Taken {
        let mut state = self.lock();
        if state.closed || state.draining {
            return Taken::default();
        }
        let (index, load) =
            if self.remote.contains_key(&backend) { (state.next_of_remote(backend), None) } else { state.next_of(backend, now, readiness) };
        let Some(index) = index else { return Taken { entry: None, load } };
        let entry = state.waiting.remove(index);
        state.running.push((entry.number, entry.owner.clone(), backend));
        Taken { entry: Some(entry), load }
    }

    /// Frees a running job's place. `has_ended` for jobs that ran to their end, whose times the estimate goes by.
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

    /// Takes a waiting job out; false if it runs or is gone.
    pub(crate) fn remove(&self, number: u64) -> bool {
        let mut state = self.lock();
        let Some(index) = state.waiting.iter().position(|entry| entry.number == number) else { return false };
        let removed = state.waiting.remove(index);
        state.forget_if_gone(&removed.owner);
        true
    }

    /// Takes a backend out of the choice of every job, now and later, and returns the jobs that no backend takes any more.
    pub(crate) fn lose(&self, backend: usize) -> Vec<Entry> {
        let mut state = self.lock();
        state.lost.insert(backend);
        let State { waiting, lost, .. } = &mut *state;
        waiting.iter_mut().for_each(|entry| entry.backends.remove(*lost));
        let lost: Vec<Entry> = waiting.extract_if(.., |entry| entry.backends.is_empty()).collect();
        lost.iter().for_each(|entry| state.forget_if_gone(&entry.owner));
        lost
    }

    /// Takes nothing more and hands nothing out, while the running jobs go on.
    pub(crate) fn drain(&self) {
        self.lock().draining = true;
    }

    /// Takes nothing more, and returns the jobs that waited.
    pub(crate) fn close(&self) -> Vec<Entry> {
        let mut state = self.lock();
        state.closed = true;
        std::mem::take(&mut state.waiting)
    }

    /// The jobs that hold a place: those that wait and those that run.
    pub(crate) fn jobs(&self) -> usize {
        self.lock().jobs()
    }

    /// The jobs that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether a job of this owner's would find a place now.
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
        // A place is free when the running job ends: at most one job's time. Without a running one, the first that waits must run first.
        if all >= places.all {
            return Err(PushError::Full { retry_after: state.usual_time() });
        }
        Ok(())
    }

    /// The part and the owner of each job that holds a place, or has one kept.
    fn holders<'a>(&'a self, state: &'a State) -> impl Iterator<Item = (Part, &'a str)> {
        let waiting = state.waiting.iter().map(|entry| (self.part_of(entry.backends), entry.owner.as_str()));
        let is_remote = |backend: usize| Some(backend).filter(|backend| self.remote.contains_key(backend));
        let running = state.running.iter().map(move |(_, owner, backend)| (is_remote(*backend), owner.as_str()));
        waiting.chain(running).chain(state.reserved.iter().map(|(part, owner)| (*part, owner.as_str())))
    }

    /// How many jobs wait for a remote backend, and how many it has.
    pub(crate) fn of_remote(&self, backend: usize) -> (usize, usize) {
        let state = self.lock();
        let waiting = state.waiting.iter().filter(|entry| entry.backends.contains(backend)).count();
        (waiting, state.running.iter().filter(|(.., running)| *running == backend).count())
    }

    /// The running jobs' numbers, and those of their backends.
    pub(crate) fn running(&self) -> Vec<(u64, usize)> {
        self.lock().running.iter().map(|(number, _, backend)| (*number, *backend)).collect()
    }

    /// The waiting jobs in the order in which they would be served if nothing else came in and each took as long as the
    /// recent ones.
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
            // Each owner's jobs in the order in which they came, the next first.
            let mut of: BTreeMap<&str, VecDeque<(usize, &Entry)>> = BTreeMap::new();
            for (place, entry) in state.waiting.iter().enumerate().filter(|(_, entry)| entry.priority == priority) {
                of.entry(entry.owner.as_str()).or_default().push_back((place, entry));
            }
            let had = |served: &BTreeMap<String, Duration>, owner: &str| served.get(owner).copied().unwrap_or_default();
            let first = |jobs: &VecDeque<(usize, &Entry)>| jobs.front().map(|(place, _)| *place);
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

    /// How long a job takes, by the recent ones; `None` if there are none yet.
    pub(crate) fn usual_time(&self) -> Option<Duration> {
        self.lock().measured_time()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and every change to the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn jobs(&self) -> usize {
        self.waiting.len() + self.running.len()
    }

    /// The index of the job that a backend serves next, and the model that should be loaded meanwhile.
    fn next_of(&mut self, backend: usize, now: Instant, readiness: impl Fn(&Entry) -> Readiness) -> (Option<usize>, Option<Wanted>) {
        let had = |entry: &Entry| self.served.get(&entry.owner).copied().unwrap_or_default();
        let turn = |entry: &Entry| (Reverse(entry.priority), had(entry));
        let open = || self.waiting.iter().enumerate().filter(|(_, entry)| entry.backends.contains(backend));
        // Of several that are equal the first is taken, which is the oldest.
        let Some((first, entry)) = open().min_by_key(|(_, entry)| turn(entry)) else { return (None, None) };
        let standing = readiness(entry);
        if standing == Readiness::Ready {
            return (Some(first), None);
        }
        // None that is less urgent begins meanwhile: it might have the backend for long.
        let priority = entry.priority;
        let ready = open().filter(|(_, entry)| entry.priority == priority && readiness(entry) == Readiness::Ready);
        let instead = ready.min_by_key(|(_, entry)| turn(entry)).map(|(index, _)| index);
        match standing {
            Readiness::Ready | Readiness::Loading => (instead, None),
            // A model goes now, and should not be wanted again at this moment.
            Readiness::Queued => (None, None),
            Readiness::Cold => {
                let is_over =
                    self.passed >= PASSED || self.passed_since.is_some_and(|since| now.saturating_duration_since(since) >= PASSED_FOR);
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

    /// The index of the job that a remote backend serves next: no device's time is shared there, so among the most urgent the owner comes first
    /// who has the fewest jobs there.
    fn next_of_remote(&self, backend: usize) -> Option<usize> {
        let mut has: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, owner, _) in self.running.iter().filter(|(.., running)| *running == backend) {
            *has.entry(owner).or_default() += 1;
        }
        let open = self.waiting.iter().enumerate().filter(|(_, entry)| entry.backends.contains(backend));
        let turn = |entry: &Entry| (Reverse(entry.priority), has.get(entry.owner.as_str()).copied().unwrap_or_default());
        open.min_by_key(|(_, entry)| turn(entry)).map(|(index, _)| index)
    }

    fn give_back(&mut self, part: Part, owner: &str) {
        if let Some(index) = self.reserved.iter().position(|(of, reserved)| *of == part && reserved == owner) {
            self.reserved.swap_remove(index);
        }
    }

    fn take_in(&mut self, entry: Entry) {
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
