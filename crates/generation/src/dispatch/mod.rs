//! Decides which job is next, and which backend gets it.
//!
//! It must not know where jobs are kept or who waits for them. Invariants: a backend has at most as many jobs as slots, and none before it
//! is ready; a job goes to a backend that accepts its work.

pub(crate) mod metrics;
mod queue;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use self::queue::{Entry, NextJob, Queue, Wanted};
pub(crate) use self::{
    metrics::{Ending, JobMetrics},
    queue::{BackendSet, Capacity, PushError, Reservation},
};
use crate::{
    backend::{Backend, Refusal},
    work::{Priority, Work},
};

/// For each waiting job, by number: the jobs ahead of it, and the time until it is done, if known.
pub(crate) type Forecast = HashMap<u64, (usize, Option<Duration>)>;
/// A backend's number, and the time until one of its slots is free.
pub(crate) type FreeSlot = (usize, Option<Duration>);

/// Hands jobs to backends.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    queue: Arc<Queue>,
    backends: Vec<Arc<dyn Backend>>,
    slots: Mutex<Vec<Slots>>,
    metrics: Mutex<JobMetrics>,
    now: fn() -> Instant,
}

/// A backend's capacity in use.
#[derive(Clone, Copy, Debug, Default)]
struct Slots {
    is_ready: bool,
    busy: usize,
}

/// A job that has been handed to a backend. Its slot and its place in the queue are free again when this is [ended](Self::end) or dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) id: String,
    pub(crate) backend: Arc<dyn Backend>,
    dispatcher: Arc<Dispatcher>,
    number: u64,
    index: usize,
    handed_in: Instant,
    started: Instant,
    ending: Option<Ending>,
}

impl Turn {
    /// Frees the slot and the place.
    pub(crate) fn end(mut self, ending: Ending) {
        self.ending = Some(ending);
    }

    /// When the job arrived.
    pub(crate) fn handed_in(&self) -> Instant {
        self.handed_in
    }

    /// The number of this turn's backend.
    pub(crate) fn backend_number(&self) -> usize {
        self.index
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let took = (self.dispatcher.now)().saturating_duration_since(self.started);
        if let Some(ending) = self.ending {
            self.dispatcher.metrics.lock().unwrap_or_else(PoisonError::into_inner).ended(ending, took);
        }
        let is_measured = self.ending == Some(Ending::Completed) && !self.backend.is_remote();
        // A provider's time takes nothing from this machine's, so no owner is charged for it.
        let served = if self.backend.is_remote() { Duration::ZERO } else { took };
        self.dispatcher.queue.done(self.number, served, is_measured);
        if let Some(slots) = self.dispatcher.slots().get_mut(self.index) {
            slots.busy -= 1;
        }
    }
}

impl Dispatcher {
    /// Hands out nothing until a backend [is ready](Self::is_ready).
    pub(crate) fn new(capacity: usize, capacity_per_owner: usize, backends: Vec<Arc<dyn Backend>>, now: fn() -> Instant) -> Self {
        let slots = Mutex::new(vec![Slots::default(); backends.len()]);
        let remote = backends.iter().enumerate().filter(|(_, backend)| backend.is_remote());
        let queue = Arc::new(Queue::new(capacity, capacity_per_owner, remote.map(|(index, backend)| (index, backend.slots()))));
        Self { queue, backends, slots, metrics: Mutex::default(), now }
    }

    pub(crate) fn backends(&self) -> &[Arc<dyn Backend>] {
        &self.backends
    }

    /// The backends that accept this work, as a held or a stored job.
    ///
    /// # Errors
    /// Why none does: of several reasons, the one that the caller can act on best.
    pub(crate) fn choose(&self, work: &Work, is_stored: bool) -> Result<BackendSet, Refusal> {
        if let Some(spec) = work.remote() {
            return self.choose_provider(work, spec.provider(), is_stored);
        }
        let mut chosen = BackendSet::default();
        let mut refusals = Vec::new();
        for (index, backend) in self.backends.iter().enumerate() {
            match backend.accepts(work) {
                Ok(()) => chosen.insert(index),
                Err(refusal) => refusals.push(refusal),
            }
        }
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        let rank = |refusal: &Refusal| match refusal {
            Refusal::TooLarge(_) | Refusal::UnknownModel { .. } | Refusal::Unfit { .. } => 0,
            Refusal::Loading => 1,
            Refusal::Failed(_) => 2,
            Refusal::OtherKind { .. } | Refusal::Provider(_) | Refusal::UnknownProvider { .. } | Refusal::StoredOnly { .. } => 3,
        };
        Err(refusals.into_iter().min_by_key(rank).unwrap_or(Refusal::Loading))
    }

    /// The backend of the requested provider.
    fn choose_provider(&self, work: &Work, provider: &str, is_stored: bool) -> Result<BackendSet, Refusal> {
        let Some((index, backend)) = self.provider(provider) else {
            let known = self.remote().map(|(_, backend)| backend.name().to_owned()).collect();
            return Err(Refusal::UnknownProvider { provider: provider.to_owned(), known });
        };
        if !is_stored {
            return Err(Refusal::StoredOnly { provider: provider.to_owned() });
        }
        backend.accepts(work).map(|()| BackendSet::from_iter([index]))
    }

    /// The backends that may run a stored job whose work is not read yet: this machine's, or its provider's, which may be missing.
    pub(crate) fn all(&self, provider: Option<&str>) -> BackendSet {
        match provider {
            Some(provider) => self.provider(provider).map(|(index, _)| index).into_iter().collect(),
            None => self.backends.iter().enumerate().filter(|(_, backend)| !backend.is_remote()).map(|(index, _)| index).collect(),
        }
    }

    fn remote(&self) -> impl Iterator<Item = (usize, &Arc<dyn Backend>)> {
        self.backends.iter().enumerate().filter(|(_, backend)| backend.is_remote())
    }

    /// A provider's backend and its number, if it is set up.
    pub(crate) fn provider(&self, name: &str) -> Option<(usize, &Arc<dyn Backend>)> {
        self.remote().find(|(_, backend)| backend.name() == name)
    }

    /// Each provider's name, with the numbers of its waiting and its running jobs.
    pub(crate) fn providers(&self) -> Vec<(String, (usize, usize))> {
        self.remote().map(|(index, backend)| (backend.name().to_owned(), self.queue.remote_counts(index))).collect()
    }

    /// The other backends that may take work which this one refuses as another kind; `None` if there are none.
    pub(crate) fn others(&self, work: &Work, backend: usize) -> Option<BackendSet> {
        let those = |is_one: fn(Result<(), Refusal>) -> bool| -> BackendSet {
            let others = self.backends.iter().enumerate().filter(|(index, _)| *index != backend);
            others.filter(|(_, other)| is_one(other.accepts(work))).map(|(index, _)| index).collect()
        };
        // One that is not ready yet may accept it later.
        let sets = [those(|accepts| accepts.is_ok()), those(|accepts| !matches!(accepts, Err(Refusal::OtherKind { .. })))];
        sets.into_iter().find(|set| !set.is_empty())
    }

    /// The shortest estimate of the chosen backends; `None` if none has timings of similar work.
    pub(crate) fn estimate(&self, work: &Work, chosen: BackendSet) -> Option<Duration> {
        let estimates = self.backends.iter().enumerate().filter(|(index, _)| chosen.contains(*index));
        estimates.filter_map(|(_, backend)| backend.estimate(work)).min()
    }

    /// Reserves a place for a job that is still to be persisted.
    pub(crate) fn reserve(&self, backends: BackendSet, owner: &str) -> Result<Reservation, PushError> {
        self.queue.reserve(self.queue.part_of(backends), owner)
    }

    /// Whether the queue has a place for a job of this owner now, on this machine or at a provider.
    pub(crate) fn check_room(&self, provider: Option<&str>, owner: &str) -> Result<(), PushError> {
        self.queue.check_room(self.queue.part_of(self.all(provider)), owner)
    }

    /// Queues a job, and returns its number; [`Self::next`] hands it out.
    pub(crate) fn push(
        &self,
        (id, owner, (priority, own_priority), model): (&str, &str, (Priority, Priority), Option<&str>),
        backends: BackendSet,
        place: Option<Reservation>,
    ) -> Result<u64, PushError> {
        let (id, owner, model) = (id.to_owned(), owner.to_owned(), model.map(str::to_owned));
        let entry = Entry { number: 0, id, owner, priority, own_priority, model, backends, handed_in: (self.now)() };
        self.queue.push(entry, place)
    }

    /// The next job that a free slot can take.
    pub(crate) fn next(self: &Arc<Self>) -> Option<Turn> {
        let mut slots = self.slots();
        for (index, backend) in self.backends.iter().enumerate() {
            let Some(of) = slots.get_mut(index).filter(|of| of.is_ready && of.busy < backend.slots().max(1)) else { continue };
            let started = (self.now)();
            let NextJob { entry, load } =
                self.queue.take(index, started, |entry| backend.readiness(entry.model.as_deref(), entry.handed_in));
            if let Some(Wanted { model, may_swap }) = load {
                backend.prepare(model.as_deref(), may_swap);
            }
            let Some(entry) = entry else { continue };
            of.busy += 1;
            let waited = started.saturating_duration_since(entry.handed_in);
            self.metrics.lock().unwrap_or_else(PoisonError::into_inner).waits.add(waited);
            let (dispatcher, backend) = (Arc::clone(self), Arc::clone(backend));
            let Entry { id, number, handed_in, .. } = entry;
            return Some(Turn { id, backend, dispatcher, number, index, handed_in, started, ending: None });
        }
        None
    }

    /// Marks a backend as ready.
    pub(crate) fn is_ready(&self, backend: usize) {
        if let Some(slots) = self.slots().get_mut(backend) {
            slots.is_ready = true;
        }
    }

    /// Marks a backend as lost for good; returns the ids of the jobs that no other backend takes.
    pub(crate) fn lose(&self, backend: usize) -> Vec<String> {
        if let Some(slots) = self.slots().get_mut(backend) {
            slots.is_ready = false;
        }
        self.queue.lose(backend).into_iter().map(|entry| entry.id).collect()
    }

    /// For every waiting job, by number: the jobs ahead of it, and the time until it is done (`None` if unknown); also when each slot is
    /// free after all of them. `left` returns the remaining time of a running job, `needed` the duration of a waiting one.
    pub(crate) fn forecast(
        &self,
        left: impl Fn(u64) -> Option<Duration>,
        needed: impl Fn(u64) -> Option<Duration>,
    ) -> (Forecast, Vec<FreeSlot>) {
        // When each slot is free. It does not matter which running job has which slot, because jobs go to the first free slot.
        let mut free: Vec<FreeSlot> = Vec::new();
        for (index, (backend, slots)) in self.backends.iter().zip(self.slots().iter()).enumerate() {
            // It is unknown when a backend that is not ready will be.
            free.extend((slots.busy..backend.slots().max(1)).map(|_| (index, slots.is_ready.then_some(Duration::ZERO))));
        }
        free.extend(self.queue.running().into_iter().map(|(number, backend)| (backend, left(number))));
        let mut forecast = HashMap::new();
        for (position, (number, backends)) in self.queue.order().into_iter().enumerate() {
            // An unknown time sorts after every known one.
            let open = free.iter_mut().filter(|(backend, _)| backends.contains(*backend));
            let slot = open.min_by_key(|(_, free)| free.unwrap_or(Duration::MAX));
            let until = slot.and_then(|(_, free)| {
                *free = free.zip(needed(number)).map(|(free, needed)| free + needed);
                *free
            });
            forecast.insert(number, (position, until));
        }
        (forecast, free)
    }

    /// Mean duration of recent jobs; `None` if there are none yet.
    pub(crate) fn usual_time(&self) -> Option<Duration> {
        self.queue.usual_time()
    }

    /// How many jobs these backends take, in total and per owner.
    pub(crate) fn capacity(&self, backends: BackendSet) -> Capacity {
        self.queue.places(self.queue.part_of(backends))
    }

    /// The number of jobs that hold a place: waiting and running.
    pub(crate) fn jobs(&self) -> usize {
        self.queue.jobs()
    }

    /// The number of waiting jobs.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    pub(crate) fn metrics(&self) -> JobMetrics {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets a waiting job's priority among its owner's jobs.
    pub(crate) fn set_own_priority(&self, number: u64, priority: Priority) {
        self.queue.set_own_priority(number, priority);
    }

    /// Removes a waiting job; false if it runs or is gone.
    pub(crate) fn remove(&self, number: u64) -> bool {
        self.queue.remove(number)
    }

    /// Accepts nothing more and hands nothing out; running jobs continue.
    pub(crate) fn drain(&self) {
        self.queue.drain();
    }

    /// Accepts nothing more, and returns the ids of the waiting jobs.
    pub(crate) fn close(&self) -> Vec<String> {
        self.queue.close().into_iter().map(|entry| entry.id).collect()
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slots>> {
        // No code panics while it holds the lock.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
