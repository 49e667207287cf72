//! Persists the progress of a provider's job, under its worker's lease.
//!
//! It must not know providers. Invariants: nothing is requested from a provider before it is persisted; an id from a provider is persisted
//! however long the disk refuses, because without it a paid video would be lost; a job that is cancelled while its provider starts it is
//! cancelled there too.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use remote_providers::{Durability, Lost};

use super::{
    DiskFault,
    fail_point::FailPoint,
    inner::Inner,
    state::JobState,
    store::{Lease, Synced},
};
use crate::backend::{KeepRemote, RemoteRecord, job::CancelSwitch};

/// The pause before another attempt to persist an id.
const PAUSE: Duration = Duration::from_secs(1);

/// A remote job's record, kept by its supervisor.
pub(super) struct StoredRemote {
    inner: Arc<Inner>,
    lease: Lease,
    cancel: CancelSwitch,
    state: Mutex<State>,
}

struct State {
    record: RemoteRecord,
    fault: Option<DiskFault>,
}

impl StoredRemote {
    pub(super) fn new(inner: &Arc<Inner>, lease: &Lease, cancel: &CancelSwitch, record: RemoteRecord) -> Self {
        let state = Mutex::new(State { record, fault: None });
        Self { inner: Arc::clone(inner), lease: lease.clone(), cancel: cancel.clone(), state }
    }

    /// Why the disk refused to persist the record, if it did.
    pub(super) fn fault(&self) -> Option<DiskFault> {
        self.state().fault
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn is_cancelled(&self) -> bool {
        matches!(self.inner.stored.state(&self.lease.job).await, Ok(Some(JobState::Cancelled)))
    }

    fn reached(&self, point: FailPoint) {
        self.inner.settings.fail_hook.reached(point);
    }
}

#[async_trait]
impl KeepRemote for StoredRemote {
    fn record(&self) -> RemoteRecord {
        self.state().record.clone()
    }

    async fn keep(&self, record: &RemoteRecord, outlives: Durability) -> Result<(), Lost> {
        let has_begun = record.state.id.is_some();
        // A provider's answer must not be lost.
        let is_news = has_begun || (self.record().state.asked && !record.state.asked);
        if has_begun {
            self.reached(FailPoint::RemoteAsked);
        }
        let synced = match outlives {
            Durability::Program => Synced::Later,
            Durability::Machine => Synced::Now,
        };
        loop {
            match self.inner.stored.record_remote(&self.lease, record, synced).await {
                Ok(true) => break,
                // The provider has just started a job that was cancelled: the run continues to the point where it cancels it there.
                Ok(false) if has_begun && self.is_cancelled().await => {
                    self.state().record = record.clone();
                    self.cancel.cancel();
                    return Ok(());
                }
                // The job was cancelled, or another worker has it.
                Ok(false) => return Err(Lost),
                Err(error) => {
                    tracing::error!(job = %self.lease.job, %error, "the progress of a provider's job cannot be persisted");
                    if !is_news || self.inner.is_closed() {
                        self.state().fault = Some(error.fault());
                        return Err(Lost);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        self.state().record = record.clone();
        self.inner.changes.announce(&self.lease.job);
        match (has_begun, record.state.asked) {
            (true, _) => self.reached(FailPoint::RemoteStarted),
            (false, true) => self.reached(FailPoint::RemoteAsking),
            (false, false) => {}
        }
        Ok(())
    }

    async fn told(&self) {
        self.inner.told(&self.lease.job).await;
    }
}
