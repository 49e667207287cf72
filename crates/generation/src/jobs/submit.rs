//! Submitting a job: the one way in, held or stored.
//!
//! The invariants: a stored job that is persisted is queued even if its caller hangs up in between; what is refused leaves nothing behind; a
//! request with a name of its own makes one job, however often it is sent.

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
    dispatch::{BackendSet, Places, PushError, Reservation},
    spec::video::{RemoteVideoSpec, VideoSpec},
    work::Work,
};

/// A job that was taken.
#[derive(Debug)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// Whether it had been taken before, under the same [`Idempotency`](super::record::Idempotency).
    pub replayed: bool,
    /// The caller's end of a held job; none for a stored one.
    pub held: Option<HeldJob>,
    /// The provider's model that makes it instead of a local one, because that would take too long ([`super::Overflow`]).
    pub routed_to: Option<String>,
}

impl Jobs {
    /// Takes a job. A stored one is on the disk when this returns, and will end, even if the caller hangs up before that; a held one is
    /// cancelled when its caller drops [`Submitted::held`].
    ///
    /// # Errors
    /// [`SubmitError`] if it cannot be taken now, or the same idempotency key was used with another request. While another program holds
    /// the store's file, that is known after some seconds, however many callers wait.
    pub async fn submit(&self, new: NewJob) -> Result<Submitted, SubmitError> {
        self.take(new, true).await
    }

    /// The same for work that is to stay on this machine, however long it takes: no [`super::Overflow`] sends it to a provider.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_here(&self, new: NewJob) -> Result<Submitted, SubmitError> {
        self.take(new, false).await
    }

    async fn take(&self, new: NewJob, may_overflow: bool) -> Result<Submitted, SubmitError> {
        if !is_plain_name(&new.id) {
            return Err(SubmitError::BadId(new.id));
        }
        let until = Instant::now() + PATIENCE;
        if matches!(new.durability, Durability::Held { .. }) {
            return self.hold(new, until).await;
        }
        self.inner.scratch()?;
        let jobs = self.clone();
        // A task of its own, for a caller that hangs up drops this future: between the store and the queue nothing may break off.
        let taken = tokio::spawn(async move { jobs.store(new, may_overflow, until).await });
        taken.await.map_err(|_| StoreError::ShuttingDown)?
    }

    async fn store(&self, new: NewJob, may_overflow: bool, until: Instant) -> Result<Submitted, SubmitError> {
        let inner = &self.inner;
        // Whoever holds this came earlier, and gives up earlier.
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
            // A name of a held job is another request's.
            return Err(SubmitError::IdempotencyConflict { key: name.key.clone() });
        }
        if inner.waits.are_any() {
            // Where finished jobs wait for room, more of them would only wait too, and fill the memory.
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

    /// Gives local work to a provider, if it would take too long here. The job is handed back if it stays here: it does not take that long,
    /// the provider does not take it or has no place, or the budget has no room.
    async fn overflow(&self, new: NewJob, until: Instant) -> Result<ControlFlow<Submitted, NewJob>, SubmitError> {
        let Some(overflow) = &self.inner.settings.routing.overflow else { return Ok(ControlFlow::Continue(new)) };
        if !overflow.is_for(&new.work) || !self.is_longer(&new.work, overflow.after) {
            return Ok(ControlFlow::Continue(new));
        }
        let stays = |new: NewJob, error: &SubmitError| {
            tracing::info!(job = %new.id, model = overflow.model, %error, "a video stays here that would have gone to a provider");
            Ok(ControlFlow::Continue(new))
        };
        // Before a picture is encoded for it.
        if let Err(error) = self.check_provider_room(overflow.provider(), &new.owner) {
            return stays(new, &error);
        }
        let (work, model) = (new.work, overflow.model.clone());
        let converted = self.inner.off_thread(move |_| {
            let Work::Video(spec) = &work else { return Ok((None, work)) };
            Ok((RemoteVideoSpec::from_local(spec, &model), work))
        });
        let (converted, work) = converted.await?;
        let new = NewJob { work, ..new };
        let Some(work) = converted.and_then(|spec| self.fitted(spec)) else { return Ok(ControlFlow::Continue(new)) };
        let NewJob { id, owner, priority, work: _, durability, metadata, idempotency, callback_url } = &new;
        let away = NewJob {
            id: id.clone(),
            owner: owner.clone(),
            priority: *priority,
            work,
            durability: durability.clone(),
            metadata: metadata.clone(),
            idempotency: idempotency.clone(),
            callback_url: callback_url.clone(),
        };
        match self.insert(away, Some(&overflow.model), until).await {
            Ok(submitted) => Ok(ControlFlow::Break(submitted)),
            Err(
                error @ (SubmitError::OverBudget(_)
                | SubmitError::NoPrice(_)
                | SubmitError::QueueFull { .. }
                | SubmitError::TooManyWaiting { .. }
                | SubmitError::Refused(_)),
            ) => stays(new, &error),
            Err(error) => Err(error),
        }
    }

    /// As much of what a provider is asked for as it takes.
    fn fitted(&self, mut spec: RemoteVideoSpec) -> Option<Work> {
        loop {
            let work = Work::Video(VideoSpec::Remote(spec));
            let Err(error) = self.inner.dispatcher.choose(&work, true) else { return Some(work) };
            let (Work::Video(VideoSpec::Remote(refused)), Refusal::Provider(_)) = (work, &error) else { return None };
            spec = refused;
            if !spec.relax() {
                tracing::info!(model = spec.model, %error, "a video stays here that its provider does not take");
                return None;
            }
        }
    }

    /// Whether this machine is expected to be done with this work later than that, by what was measured.
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
            // Only a program that goes down refuses now; the job is in the store, and the program's next life makes it.
            let _waits_in_the_store: Result<(), SubmitError> = enqueue(inner, active, backends, Some(place));
        }
        Ok(Submitted { job: inner.seen(job), replayed, held: None, routed_to })
    }

    async fn hold(&self, mut new: NewJob, until: Instant) -> Result<Submitted, SubmitError> {
        let inner = &self.inner;
        let _alone = match &new.idempotency {
            Some(_) => Some(inner.naming.lock().await),
            None => None,
        };
        // A held job's result is kept beside its row, and so is its name.
        let name = new.idempotency.take();
        if let Some(name) = &name {
            // A name of a stored job is another request's.
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
        Ok(Submitted { job, replayed: false, held: Some(held), routed_to: None })
    }

    /// The backends that take this work, and a place in the queue.
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
        let queued = QueuedJob { id, owner, priority: new.priority, parts: new.work.parts(), provider, model };
        ActiveJob::new(queued, new.durability.clone(), self.inner.dispatcher.estimate(&new.work, backends))
    }

    fn refusal(&self, error: PushError, backends: BackendSet) -> SubmitError {
        let Places { all: places, per_owner: limit } = self.inner.dispatcher.capacity(backends);
        match error {
            PushError::Full { retry_after } => SubmitError::QueueFull { places, retry_after },
            PushError::OwnerFull { waiting } => SubmitError::TooManyWaiting { waiting, limit },
            PushError::Closed | PushError::Lost => SubmitError::ShuttingDown,
        }
    }

    /// Whether a job of this owner's would be taken now, for those who would otherwise read or fetch much for one that is not.
    ///
    /// # Errors
    /// As [`Self::submit`], but for what depends on the job.
    pub fn check_room(&self, owner: &str) -> Result<(), SubmitError> {
        self.inner.local.model()?;
        self.check_place(None, owner)
    }

    /// The same of a job that a provider makes.
    ///
    /// # Errors
    /// As [`Self::submit`], but for what depends on the job.
    pub fn check_provider_room(&self, provider: &str, owner: &str) -> Result<(), SubmitError> {
        self.check_place(Some(provider), owner)
    }

    fn check_place(&self, provider: Option<&str>, owner: &str) -> Result<(), SubmitError> {
        let dispatcher = &self.inner.dispatcher;
        dispatcher.check_room(provider, owner).map_err(|error| self.refusal(error, dispatcher.all(provider)))
    }
}
