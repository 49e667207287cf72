//! Submitting a job: the only way in, held or stored.
//!
//! Invariants: a stored job that is persisted is queued even if its caller hangs up in between; a refused job leaves nothing behind; a
//! request with an idempotency key makes one job, however often it is sent.

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    active::ActiveJob,
    artifacts::is_plain_name,
    error::{StoreError, SubmitError},
    fail_point::FailPoint,
    forecast::QueueForecast,
    held::HeldJob,
    inner::Inner,
    record::{Durability, Inserted, Job, NewJob},
    service::Jobs,
    spend::Booking,
    store::{JobStore as _, PATIENCE, QueuedJob},
    supervisor::enqueue,
};
use crate::{
    backend::Refusal,
    dispatch::{BackendSet, Capacity, PushError, Reservation},
    spec::video::{RemoteVideoSpec, VideoSpec},
    work::Work,
};

/// A job that was accepted.
#[derive(Debug)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// Whether it had been accepted before, under the same [`Idempotency`](super::record::Idempotency).
    pub replayed: bool,
    /// The caller's handle of a held job; `None` for a stored one.
    pub held: Option<HeldJob>,
    /// The provider's model that makes it because local work would take too long ([`super::Overflow`]).
    pub routed_to: Option<String>,
}

impl Jobs {
    /// Submits a job. A stored job is on the disk when this returns, and will end, even if the caller hangs up before that; a held one is
    /// cancelled when its caller drops [`Submitted::held`].
    ///
    /// # Errors
    /// [`SubmitError`] if it cannot be accepted now, or the idempotency key was used with another request. If another program holds the
    /// store's file, this returns after some seconds, however many callers wait.
    pub async fn submit(&self, new: NewJob) -> Result<Submitted, SubmitError> {
        self.submit_with(new, true).await
    }

    /// The same for work that must stay on this machine, however long it takes: no [`super::Overflow`] sends it to a provider.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_here(&self, new: NewJob) -> Result<Submitted, SubmitError> {
        self.submit_with(new, false).await
    }

    async fn submit_with(&self, new: NewJob, may_overflow: bool) -> Result<Submitted, SubmitError> {
        if !is_plain_name(&new.id) {
            return Err(SubmitError::BadId(new.id));
        }
        let until = Instant::now() + PATIENCE;
        if matches!(new.durability, Durability::Held { .. }) {
            return self.hold(new, until).await;
        }
        self.inner.scratch()?;
        let jobs = self.clone();
        // A task of its own, because a caller that hangs up drops this future: the steps from the store to the queue must not be
        // interrupted.
        let submitted = tokio::spawn(async move { jobs.store(new, may_overflow, until).await });
        submitted.await.map_err(|_| StoreError::ShuttingDown)?
    }

    async fn store(&self, new: NewJob, may_overflow: bool, until: Instant) -> Result<Submitted, SubmitError> {
        let inner = &self.inner;
        // An earlier holder of this lock also gives up earlier.
        let _alone = match &new.idempotency {
            Some(_) => Some(inner.naming.lock().await),
            None => None,
        };
        if let Some(name) = &new.idempotency
            && let Some(job) = self.replayed(&new.owner, name).await?
        {
            return Ok(Submitted { job, replayed: true, held: None, routed_to: None });
        }
        if let Some(name) = &new.idempotency
            && inner.held_jobs.has_name(&new.owner, &name.key, inner.now())
        {
            // A held job's key belongs to another request.
            return Err(SubmitError::IdempotencyConflict { key: name.key.clone() });
        }
        if inner.waits.are_any() {
            // While finished jobs wait for disk space, more of them would only wait too, and fill the memory.
            inner.check_room().await?;
        }
        let new = match may_overflow {
            true => match self.overflow(new, until).await? {
                ControlFlow::Break(submitted) => return Ok(submitted),
                ControlFlow::Continue(new) => new,
            },
            false => new,
        };
        self.insert(new, None, until).await
    }

    /// Routes local work to a provider if it would take too long here. Hands the job back if it stays local: it does not take that long,
    /// the provider refuses it or has no place, or the budget is used up.
    async fn overflow(&self, new: NewJob, until: Instant) -> Result<ControlFlow<Submitted, NewJob>, SubmitError> {
        let Some(overflow) = &self.inner.settings.routing.overflow else { return Ok(ControlFlow::Continue(new)) };
        if !overflow.is_for(&new.work) || !self.is_longer(&new.work, overflow.after) {
            return Ok(ControlFlow::Continue(new));
        }
        let stay_local = |new: NewJob, error: &SubmitError| {
            tracing::info!(job = %new.id, model = overflow.model, %error, "a video that should overflow to a provider stays local");
            Ok(ControlFlow::Continue(new))
        };
        // Checked before images are encoded for the provider.
        if let Err(error) = self.check_provider_room(overflow.provider(), &new.owner) {
            return stay_local(new, &error);
        }
        let (work, model) = (new.work, overflow.model.clone());
        let converted = self.inner.off_thread(move |_| {
            let Work::Video(spec) = &work else { return Ok((None, work)) };
            Ok((RemoteVideoSpec::from_local(spec, &model), work))
        });
        let (converted, work) = converted.await?;
        let new = NewJob { work, ..new };
        let Some(work) = converted.and_then(|spec| self.relaxed(spec)) else { return Ok(ControlFlow::Continue(new)) };
        let NewJob { id, owner, priority, own_priority, work: _, durability, metadata, idempotency, callback_url } = &new;
        let remote_job = NewJob {
            id: id.clone(),
            owner: owner.clone(),
            priority: *priority,
            own_priority: *own_priority,
            work,
            durability: durability.clone(),
            metadata: metadata.clone(),
            idempotency: idempotency.clone(),
            callback_url: callback_url.clone(),
        };
        match self.insert(remote_job, Some(&overflow.model), until).await {
            Ok(submitted) => Ok(ControlFlow::Break(submitted)),
            Err(
                error @ (SubmitError::OverBudget(_)
                | SubmitError::NoPrice(_)
                | SubmitError::QueueFull { .. }
                | SubmitError::TooManyWaiting { .. }
                | SubmitError::Refused(_)),
            ) => stay_local(new, &error),
            Err(error) => Err(error),
        }
    }

    /// The spec, relaxed until the provider accepts it; `None` if it never does.
    fn relaxed(&self, mut spec: RemoteVideoSpec) -> Option<Work> {
        loop {
            let work = Work::Video(VideoSpec::Remote(spec));
            let Err(error) = self.inner.dispatcher.choose(&work, true) else { return Some(work) };
            let (Work::Video(VideoSpec::Remote(refused)), Refusal::Provider(_)) = (work, &error) else { return None };
            spec = refused;
            if !spec.relax() {
                tracing::info!(model = spec.model, %error, "a video stays local because the provider does not accept it");
                return None;
            }
        }
    }

    /// Whether this machine is expected to take longer than `after` until this work is done, by timings.
    fn is_longer(&self, work: &Work, after: Duration) -> bool {
        let dispatcher = &self.inner.dispatcher;
        let Ok(backends) = dispatcher.choose(work, true) else { return false };
        let expected = dispatcher.estimate(work, backends).or_else(|| dispatcher.usual_time());
        expected.and_then(|takes| QueueForecast::of(&self.inner).next(backends, takes)).is_some_and(|until| until > after)
    }

    async fn insert(&self, new: NewJob, routed_to: Option<&str>, until: Instant) -> Result<Submitted, SubmitError> {
        let inner = &self.inner;
        let (backends, place) = self.admit(&new.owner, &new.work, true)?;
        let active = self.active_job(&new, backends);
        let routed_to = routed_to.map(str::to_owned);
        let booking = match new.work.remote() {
            Some(spec) => Some(Booking { routed_to: routed_to.clone(), ..inner.settings.spend.booking(&new.owner, spec)? }),
            None => None,
        };
        let Inserted { job, replayed } = inner.stored.insert(new, booking, until).await?;
        if !replayed {
            inner.settings.fail_hook.reached(FailPoint::Inserted);
            // Only a shutdown can refuse the job now; it is in the store, and the next start runs it.
            let _waits_in_the_store: Result<(), SubmitError> = enqueue(inner, active, backends, Some(place));
            inner.changes.announce(&job.id);
        }
        Ok(Submitted { job: inner.seen(job), replayed, held: None, routed_to })
    }

    async fn hold(&self, mut new: NewJob, until: Instant) -> Result<Submitted, SubmitError> {
        let inner = &self.inner;
        let _alone = match &new.idempotency {
            Some(_) => Some(inner.naming.lock().await),
            None => None,
        };
        // A held job's result is kept beside its row, and so is its key.
        let name = new.idempotency.take();
        if let Some(name) = &name {
            // A stored job's key belongs to another request.
            if inner.stored.find_replay(&new.owner, name).await?.is_some() {
                return Err(SubmitError::IdempotencyConflict { key: name.key.clone() });
            }
            if let Some(held) = inner.held_jobs.join(&new.owner, name, self.keep_alive(), inner.now())?
                && let Some(job) = inner.held.get(&new.owner, held.id()).await?
            {
                return Ok(Submitted { job: inner.seen(job), replayed: true, held: Some(held), routed_to: None });
            }
        }
        let (backends, place) = self.admit(&new.owner, &new.work, false)?;
        let active = self.active_job(&new, backends);
        let (id, owner) = (new.id.clone(), new.owner.clone());
        let Inserted { job, .. } = inner.held.insert(new, None, until).await?;
        let weak = Arc::downgrade(inner);
        let held = inner.held_jobs.open(
            &id,
            (active.cancel.clone(), active.progress.subscribe(), active.previews.clone()),
            name.as_ref().map(|name| (owner.as_str(), name)),
            self.keep_alive(),
            move |id| Inner::abandon(&weak, id),
        );
        enqueue(inner, active, backends, Some(place))?;
        inner.changes.announce(&id);
        Ok(Submitted { job, replayed: false, held: Some(held), routed_to: None })
    }

    /// The backends that accept this work, and a place in the queue.
    fn admit(&self, owner: &str, work: &Work, is_stored: bool) -> Result<(BackendSet, Reservation), SubmitError> {
        if self.inner.is_stopping() {
            return Err(SubmitError::ShuttingDown);
        }
        let backends = self.inner.dispatcher.choose(work, is_stored)?;
        Ok((backends, self.inner.dispatcher.reserve(backends, owner).map_err(|error| self.refusal(error, backends))?))
    }

    fn active_job(&self, new: &NewJob, backends: BackendSet) -> ActiveJob {
        let (id, owner) = (new.id.clone(), new.owner.clone());
        let provider = new.work.remote().map(|spec| spec.provider().to_owned());
        let model = new.work.model().map(str::to_owned);
        let (priority, own_priority) = (new.priority, new.own_priority);
        let queued = QueuedJob { id, owner, priority, own_priority, parts: new.work.parts(), provider, model };
        ActiveJob::new(queued, new.durability.clone(), self.inner.dispatcher.estimate(&new.work, backends))
    }

    fn refusal(&self, error: PushError, backends: BackendSet) -> SubmitError {
        let Capacity { all: places, per_owner: limit } = self.inner.dispatcher.capacity(backends);
        match error {
            PushError::Full { retry_after } => SubmitError::QueueFull { places, retry_after },
            PushError::OwnerFull { waiting } => SubmitError::TooManyWaiting { waiting, limit },
            PushError::Closed | PushError::Lost => SubmitError::ShuttingDown,
        }
    }

    /// Whether a job of this owner would be accepted now, for callers who would otherwise read or fetch a lot for a job that is refused.
    ///
    /// # Errors
    /// As [`Self::submit`], except for errors that depend on the job.
    pub fn check_room(&self, owner: &str) -> Result<(), SubmitError> {
        self.inner.local.model()?;
        self.check_place(None, owner)
    }

    /// How many jobs this machine's part of the queue takes, the running ones included.
    pub fn capacity(&self) -> usize {
        self.inner.dispatcher.capacity(self.inner.dispatcher.all(None)).all
    }

    /// The same for a job that a provider makes.
    ///
    /// # Errors
    /// As [`Self::submit`], except for errors that depend on the job.
    pub fn check_provider_room(&self, provider: &str, owner: &str) -> Result<(), SubmitError> {
        self.check_place(Some(provider), owner)
    }

    fn check_place(&self, provider: Option<&str>, owner: &str) -> Result<(), SubmitError> {
        let dispatcher = &self.inner.dispatcher;
        dispatcher.check_room(provider, owner).map_err(|error| self.refusal(error, dispatcher.all(provider)))
    }
}
