//! Changes the order of an owner's waiting jobs: in the store first, then in the queue.
//!
//! The invariant: the queue has no other order than the one that a restart would read from the store.

use super::{
    error::StoreError,
    fail_point::FailPoint,
    record::{Durability, Reordered},
    service::Jobs,
    supervisor::pump,
};
use crate::work::Priority;

impl Jobs {
    /// Sets a waiting job's priority among its owner's jobs.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub async fn set_own_priority(&self, owner: &str, id: &str, priority: Priority) -> Result<Reordered, StoreError> {
        let (jobs, owner, id) = (self.clone(), owner.to_owned(), id.to_owned());
        // A task of its own, as in `cancel`: the steps from the store to the queue must not be interrupted.
        let outcome = tokio::spawn(async move { jobs.store_and_reorder(&owner, &id, priority).await });
        outcome.await.map_err(|_| StoreError::ShuttingDown)?
    }

    async fn store_and_reorder(&self, owner: &str, id: &str, priority: Priority) -> Result<Reordered, StoreError> {
        let inner = &self.inner;
        let Some((store, _)) = self.find(owner, id).await? else { return Ok(Reordered::Unknown) };
        let outcome = store.set_own_priority(owner, id, priority).await?;
        let Reordered::Done(job) = outcome else { return Ok(outcome) };
        let number = {
            let mut active = inner.active.lock();
            active.get_mut(id).map(|active| {
                active.queued.own_priority = priority;
                (active.number, matches!(active.durability, Durability::Stored))
            })
        };
        if let Some((number, is_stored)) = number {
            if is_stored {
                inner.settings.fail_hook.reached(FailPoint::Reordered);
            }
            inner.dispatcher.set_own_priority(number, priority);
            pump(inner);
        }
        inner.changes.announce(id);
        Ok(Reordered::Done(inner.seen(job)))
    }
}
