//! A job's parts: where they are kept, and the way of its reports from the device's thread to its supervisor.
//!
//! It must not know models or stores of jobs. The invariant: a report is taken once.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{part::PartReport, store::PartStore};

/// The finished parts of a job that are still to be persisted; clones share them.
#[derive(Clone, Debug, Default)]
pub struct PartReports(Arc<Reports>);

#[derive(Debug, Default)]
struct Reports {
    is_reporting: AtomicBool,
    waiting: Mutex<Vec<PartReport>>,
    persisting: tokio::sync::Mutex<()>,
}

impl PartReports {
    /// Whether the job's parts are reported, from now on or before.
    pub(crate) fn is_reporting(&self) -> bool {
        self.0.is_reporting.load(Ordering::Acquire)
    }

    pub(crate) fn begin(&self) {
        self.0.is_reporting.store(true, Ordering::Release);
    }

    pub(crate) fn add(&self, report: PartReport) {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }

    /// Whether reports wait.
    pub(crate) fn has_some(&self) -> bool {
        !self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes the reports that have arrived.
    pub(crate) fn take(&self) -> Vec<PartReport> {
        std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until no other task persists reports, and keeps others from it.
    pub(crate) async fn persisting(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.persisting.lock().await
    }
}

/// What a job's parts are kept under, and where.
#[derive(Clone, Default)]
pub struct JobParts {
    /// The store; `None` for none.
    pub(crate) store: Option<Arc<PartStore>>,
    /// The job's owner.
    pub(crate) owner: String,
    /// The job's id.
    pub(crate) job: String,
    /// Takes the finished parts.
    pub(crate) reports: PartReports,
}

impl fmt::Debug for JobParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobParts").field("job", &self.job).field("has_store", &self.store.is_some()).finish_non_exhaustive()
    }
}
