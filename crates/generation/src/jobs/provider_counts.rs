//! Counts of each provider's jobs and how they ended since the program started, for monitoring.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use remote_providers::ErrorKind;

use crate::{backend::BackendError, dispatch::Ending};

/// A provider's jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderMetrics {
    /// The provider.
    pub provider: String,
    /// Jobs that it works on now.
    pub running: usize,
    /// Jobs that wait for a free slot.
    pub waiting: usize,
    /// Jobs that were completed.
    pub completed: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Jobs that were cancelled while it worked on them, or put back because the program shut down.
    pub cancelled: u64,
    /// The number of failures by the name of their kind ("rate_limited", "content_filter").
    pub errors: BTreeMap<&'static str, u64>,
}

/// The counts, by provider.
#[derive(Debug, Default)]
pub(super) struct ProviderCounts(Mutex<BTreeMap<String, ProviderMetrics>>);

impl ProviderCounts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ProviderMetrics>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a job that has left its provider.
    pub(super) fn ended(&self, provider: &str, ending: Ending, error: Option<&BackendError>) {
        let mut counts = self.lock();
        let of = counts.entry(provider.to_owned()).or_default();
        match ending {
            Ending::Completed => of.completed += 1,
            Ending::Failed => of.failed += 1,
            Ending::Cancelled => of.cancelled += 1,
        }
        if let Some(error) = error {
            *of.errors.entry(name_of(error)).or_default() += 1;
        }
    }

    /// A provider's counts.
    pub(super) fn of(&self, provider: &str) -> ProviderMetrics {
        let counted = self.lock().get(provider).cloned().unwrap_or_default();
        ProviderMetrics { provider: provider.to_owned(), ..counted }
    }
}

fn name_of(error: &BackendError) -> &'static str {
    let BackendError::Remote(error) = error else { return "internal" };
    match error.kind {
        ErrorKind::InvalidRequest => "invalid_request",
        ErrorKind::ContentFilter => "content_filter",
        ErrorKind::Credentials => "credentials",
        ErrorKind::Forbidden => "forbidden",
        ErrorKind::NotFound => "not_found",
        ErrorKind::RateLimited => "rate_limited",
        ErrorKind::Quota => "quota",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Deadline => "deadline",
        ErrorKind::Failed => "failed",
        ErrorKind::Protocol => "protocol",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::Result => "result",
        ErrorKind::Uncertain => "uncertain",
        ErrorKind::Settings => "settings",
    }
}
