//! Which job is served next, and by which backend.
//!
//! It must not know where jobs are kept or who waits for them. The invariants: a backend works on no more jobs than it has slots, and on none before it
//! is ready; a job goes to a backend that accepts its work.

pub(crate) mod metrics;
mod queue;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use self::queue::{Entry, Queue, Taken, Wanted};
pub(crate) use self::{
    metrics::{Ending, JobMetrics},
    queue::{BackendSet, Places, PushError, Reservation},
};
use crate::{
    backend::{Backend, Refusal},
    work::{Priority, Work},
};

/// Of each waiting job, by its number: how many are served before it, and the time until it is done, where that is known.
pub(crate) type Forecast = HashMap<u64, (usize, Option<Duration>)>;
/// A backend's number, and when one of its slots is free.
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

/// What a backend can take.
#[derive(Clone, Copy, Debug, Default)]
struct Slots {
    is_ready: bool,
    busy: usize,
}

/// A job whose turn it is. Its slot and its place are free again when this is [ended](Self::end) or dropped.
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

    /// When the job came in.
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
        // A provider's time is nobody's share of this machine's.
        let served = if self.backend.is_remote() { Duration::ZERO } else { took };
        self.dispatcher.queue.done(self.number, served, is_measured);
        if let Some(slots) = self.dispatcher.slots().get_mut(self.index) {
            slots.busy -= 1;
        }
    }
}

impl Dispatcher {
    /// Hands out nothing until a backend is [ready](Self::is_ready).
    pub(crate) fn new(capacity: usize, capacity_per_owner: usize, backends: Vec<Arc<dyn Backend>>, now: fn() -> Instant) -> Self {
        let slots = Mutex::new(vec![Slots::default(); backends.len()]);
        let remote = backends.iter().enumerate().filter(|(_, backend)| backend.is_remote());
        let queue = Arc::new(Queue::new(capacity, capacity_per_owner, remote.map(|(index, backend)| (index, backend.slots()))));
        Self { queue, backends, slots, metrics: Mutex::default(), now }
    }

    pub(crate) fn backends(&self) -> &[Arc<dyn Backend>] {
        &self.backends
    }

    /// The backends that take this work, for a job that is held or stored.
    ///
    /// # Errors
    /// Why none does: of several reasons the one that a person can do most about.
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
            Refusal::TooLarge(_) | Refusal::UnknownModel { .. } => 0,
            Refusal::Loading => 1,
            Refusal::Failed(_) => 2,
            Refusal::OtherKind { .. } | Refusal::Provider(_) | Refusal::UnknownProvider { .. } | Refusal::StoredOnly { .. } => 3,
        };
        Err(refusals.into_iter().min_by_key(rank).unwrap_or(Refusal::Loading))
    }

    /// The backend of the provider that is asked for.
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

    /// The backends that may have a stored job whose work is not known yet: those of this machine, or its provider's, which may be none.
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

    /// Each provider's backend, with the numbers of jobs that wait for it and that it works on.
    pub(crate) fn providers(&self) -> Vec<(String, (usize, usize))> {
        self.remote().map(|(index, backend)| (backend.name().to_owned(), self.queue.of_remote(index))).collect()
    }

    /// The backends that may take work of a kind that this one does not make; `None` if there are none.
    pub(crate) fn others(&self, work: &Work, backend: usize) -> Option<BackendSet> {
        let those = |is_one: fn(Result<(), Refusal>) -> bool| -> BackendSet {
            let others = self.backends.iter().enumerate().filter(|(index, _)| *index != backend);
            others.filter(|(_, other)| is_one(other.accepts(work))).map(|(index, _)| index).collect()
        };
        // One that is not ready yet may take it once it is.
        let sets = [those(|accepts| accepts.is_ok()), those(|accepts| !matches!(accepts, Err(Refusal::OtherKind { .. })))];
        sets.into_iter().find(|set| !set.is_empty())
    }

    /// How long the chosen backends will need at best, where something like it was measured.
    pub(crate) fn estimate(&self, work: &Work, chosen: BackendSet) -> Option<Duration> {
        let estimates = self.backends.iter().enumerate().filter(|(index, _)| chosen.contains(*index));
        estimates.filter_map(|(_, backend)| backend.estimate(work)).min()
    }

    /// Keeps a place for a job that is still to be persisted.
    pub(crate) fn reserve(&self, backends: BackendSet, owner: &str) -> Result<Reservation, PushError> {
        self.queue.reserve(self.queue.part_of(backends), owner)
    }

    /// Whether a job of this owner's would find a place now, with this machine or with a provider.
    pub(crate) fn check_room(&self, provider: Option<&str>, owner: &str) -> Result<(), PushError> {
        self.queue.check_room(self.queue.part_of(self.all(provider)), owner)
    }

    /// Takes a job in, and returns its number; it has its turn by [`Self::next`].
    pub(crate) fn push(
        &self,
        (id, owner, priority, model): (&str, &str, Priority, Option<&str>),
        backends: BackendSet,
        place: Option<Reservation>,
    ) -> Result<u64, PushError> {
        let (id, owner, model) = (id.to_owned(), owner.to_owned(), model.map(str::to_owned));
        let entry = Entry { number: 0, id, owner, priority, model, backends, handed_in: (self.now)() };
        self.queue.push(entry, place)
    }

    /// The next job that a free slot can take.
    pub(crate) fn next(self: &Arc<Self>) -> Option<Turn> {
        let mut slots = self.slots();
        for (index, backend) in self.backends.iter().enumerate() {
            let Some(of) = slots.get_mut(index).filter(|of| of.is_ready && of.busy < backend.slots().max(1)) else { continue };
            let started = (self.now)();
            let Taken { entry, load } = self.queue.take(index, started, |entry| backend.readiness(entry.model.as_deref(), entry.handed_in));
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

    /// A backend can work from now on.
    pub(crate) fn is_ready(&self, backend: usize) {
        if let Some(slots) = self.slots().get_mut(backend) {
            slots.is_ready = true;
        }
    }

    /// A backend will never work (again); returns the ids of the jobs that no other takes.
    pub(crate) fn lose(&self, backend: usize) -> Vec<String> {
        if let Some(slots) = self.slots().get_mut(backend) {
            slots.is_ready = false;
        }
        self.queue.lose(backend).into_iter().map(|entry| entry.id).collect()
    }

    /// When each job that is known by its number will be done, as things stand: how many are served before it, and the time until then, `None`
    /// where that is not known; and when each slot is free behind all of them. `left` is what a running job still takes, `needed` what a waiting
    /// one will.
    pub(crate) fn forecast(
        &self,
        left: impl Fn(u64) -> Option<Duration>,
        needed: impl Fn(u64) -> Option<Duration>,
    ) -> (Forecast, Vec<FreeSlot>) {
        // When each slot is free. Which running job has which slot does not matter, for the next that is free is taken.
        let mut free: Vec<FreeSlot> = Vec::new();
        for (index, (backend, slots)) in self.backends.iter().zip(self.slots().iter()).enumerate() {
            // When one that is not ready will be is not known.
            free.extend((slots.busy..backend.slots().max(1)).map(|_| (index, slots.is_ready.then_some(Duration::ZERO))));
        }
        free.extend(self.queue.running().into_iter().map(|(number, backend)| (backend, left(number))));
        let mut forecast = HashMap::new();
        for (position, (number, backends)) in self.queue.order().into_iter().enumerate() {
            // A time that is not known is later than every one that is.
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

    /// How many jobs these backends take, and how many of them one owner may have.
    pub(crate) fn capacity(&self, backends: BackendSet) -> Places {
        self.queue.places(self.queue.part_of(backends))
    }

    /// The jobs that hold a place: those that wait and those that run.
    pub(crate) fn jobs(&self) -> usize {
        self.queue.jobs()
    }

    /// The jobs that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    pub(crate) fn metrics(&self) -> JobMetrics {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a waiting job out; false if it runs or is gone.
    pub(crate) fn remove(&self, number: u64) -> bool {
        self.queue.remove(number)
    }

    /// Takes nothing more and hands nothing out, while the running jobs go on.
    pub(crate) fn drain(&self) {
        self.queue.drain();
    }

    /// Takes nothing more, and returns the ids of the jobs that waited.
    pub(crate) fn close(&self) -> Vec<String> {
        self.queue.close().into_iter().map(|entry| entry.id).collect()
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slots>> {
        // No code panics while it holds the lock.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
