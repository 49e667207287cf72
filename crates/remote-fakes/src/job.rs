//! The common part of fakes with jobs: the effect of faults on requests, job progress, and a video.
//!
//! It must not know any provider.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use crate::{Fault, Faults, Reply, sample::spoiled_video, sample_video};

/// Carries out a request, or what its fault prescribes. `error` builds the provider's error answer from a status and a text.
pub(crate) fn answer(fault: Option<Fault>, error: impl Fn(u16, &str) -> Reply, carry_out: impl FnOnce(Option<&Fault>) -> Reply) -> Reply {
    match fault {
        Some(Fault::Status(status, text)) => error(status, text),
        Some(Fault::RetryAfter(status, text, seconds)) => error(status, text).header("retry-after", seconds),
        Some(Fault::StatusAfter(status, text)) => {
            carry_out(None);
            error(status, text)
        }
        Some(fault) => fault.spoil(carry_out(Some(&fault))),
        None => carry_out(None),
    }
}

/// The answer to a download, changed by its fault if it has one.
pub(crate) fn download(faults: &Faults, error: impl Fn(u16, &str) -> Reply) -> Reply {
    let expired = error(403, "the link has expired");
    answer(faults.take("download"), error, |fault| match fault {
        Some(Fault::Expired) => expired,
        fault => Reply::bytes(200, "video/mp4", spoiled_video(&sample_video(0), fault)),
    })
}

/// One job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The request that created it.
    pub request: Value,
    /// The number of polls so far.
    pub looks: u32,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// The scheduled failure.
    pub fault: Option<Fault>,
}

/// All jobs by their id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs(Arc<Mutex<HashMap<String, Job>>>);

impl Jobs {
    /// Adds a job. Its id is the prefix and a number.
    pub(crate) fn add(&self, prefix: &str, request: Value, fault: Option<Fault>) -> String {
        let mut jobs = self.lock();
        let id = format!("{prefix}{:04}", jobs.len() + 1);
        jobs.insert(id.clone(), Job { request, looks: 0, cancelled: false, fault });
        id
    }

    /// Polls a job, which counts.
    pub(crate) fn look(&self, id: &str) -> Option<Job> {
        let mut jobs = self.lock();
        let job = jobs.get_mut(id)?;
        job.looks += 1;
        Some(job.clone())
    }

    /// A job, without counting a poll.
    pub(crate) fn get(&self, id: &str) -> Option<Job> {
        self.lock().get(id).cloned()
    }

    /// Cancels a job.
    pub(crate) fn cancel(&self, id: &str) {
        if let Some(job) = self.lock().get_mut(id) {
            job.cancelled = true;
        }
    }

    /// The number of jobs.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of polls before a job's result is available.
pub(crate) const LOOKS: u32 = 2;
