//! The events of all of an owner's jobs, stored and held ones, in one sequence.
//!
//! It must not know who follows them. Invariants: events of stored jobs are complete and in order, across restarts, after any of their
//! numbers; those of held jobs, which end with their callers, have no place in that sequence; no other owner's events are among them.

use tokio::sync::{broadcast, watch};

use super::{
    deletions::ForgottenJob,
    error::StoreError,
    record::JobEvent,
    service::Jobs,
    store::{JobStore as _, OwnerEvents},
};
use crate::preview::Previews;

/// A position among the events of all jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCursor {
    /// The last event of a stored job that was seen.
    pub stored: i64,
    held: i64,
}

impl EventCursor {
    /// The same, after this event of stored jobs.
    #[must_use]
    pub fn after(self, stored: i64) -> Self {
        Self { stored, ..self }
    }
}

/// An event of one of an owner's jobs.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerEvent {
    /// The job's id.
    pub job: String,
    /// The event.
    pub event: JobEvent,
    /// Whether the job is held: then the event's number means nothing to a later reader.
    pub is_held: bool,
}

impl Jobs {
    /// The position after the last event so far.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn last_event(&self) -> Result<EventCursor, StoreError> {
        Ok(EventCursor { stored: self.inner.stored.last_event().await?, held: self.inner.held.last_event().await? })
    }

    /// An owner's events after a position, the oldest first, at most `limit` of stored jobs and as many of held ones; and the position after
    /// them.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn owner_events(&self, owner: &str, after: EventCursor, limit: usize) -> Result<(Vec<OwnerEvent>, EventCursor), StoreError> {
        let OwnerEvents { events: stored, until } = self.inner.stored.owner_events(owner, after.stored, limit).await?;
        let held = self.inner.held.owner_events(owner, after.held, limit).await?;
        let of = |is_held| move |(job, event)| OwnerEvent { job, event, is_held };
        let events = stored.into_iter().map(of(false)).chain(held.events.into_iter().map(of(true))).collect();
        Ok((events, EventCursor { stored: until, held: held.until }))
    }

    /// A receiver that changes with every change of any job.
    pub fn subscribe_to_all(&self) -> watch::Receiver<()> {
        self.inner.changes.subscribe_to_all()
    }

    /// Jobs that are deleted from now on, of all owners.
    pub fn forgotten(&self) -> broadcast::Receiver<ForgottenJob> {
        self.inner.forgotten.subscribe()
    }

    /// Previews of those of an owner's unfinished jobs that `is_wanted` selects, made while the returned values are alive.
    pub fn previews_of(&self, owner: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, Previews)> {
        let active = self.inner.active.lock();
        let wanted = active.values().filter(|job| job.queued.owner == owner && is_wanted(&job.queued.id));
        wanted.map(|job| (job.queued.id.clone(), job.previews.want())).collect()
    }
}
