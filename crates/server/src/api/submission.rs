//! Submitting a job, held or stored, for any API.
//!
//! The invariant: a request with an `Idempotency-Key` makes one job, however often it is sent.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, web::Bytes};
use generation::{
    BackendError, CancelSwitch, Priority,
    jobs::{Durability, HeldJob, HeldOutput, HeldResult, HeldVideo, Idempotency, Metadata, NewJob, Submitted, Work},
};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::{
    access::Caller,
    api::{metadata::JobMetadata, remake, tasks::problems::task_cancelled},
    http::{Problem, idempotency},
    state::ApiState,
};

/// A job's caller, idempotency key and callback.
pub(crate) struct Submission {
    pub(crate) caller: Caller,
    idempotency: Option<Idempotency>,
    pub(crate) callback_url: Option<String>,
    /// The job's priority among the caller's jobs.
    pub(crate) own_priority: Priority,
    /// Whether the request names this machine as the maker: then the job never overflows to a service.
    pub(crate) stays_here: bool,
}

impl Submission {
    /// A submission by a request with this body.
    pub(crate) async fn by(caller: Caller, request: &HttpRequest, body: &Bytes) -> Result<Self, Problem> {
        Ok(Self {
            caller,
            idempotency: idempotency::of(request, body).await?,
            callback_url: None,
            own_priority: Priority::Normal,
            stays_here: false,
        })
    }

    /// A submission by a request that is identified otherwise than by its body as sent.
    pub(crate) fn identified(caller: Caller, idempotency: Option<Idempotency>) -> Self {
        Self { caller, idempotency, callback_url: None, own_priority: Priority::Normal, stays_here: false }
    }

    /// A submission by a request whose name is not in `Idempotency-Key`: requests with one name make one job, whatever else they say. No
    /// value of that header contains a space, so the two kinds of names never collide.
    pub(crate) fn named(caller: Caller, kind: &str, name: &str) -> Self {
        let idempotency = Some(Idempotency { key: format!("{kind} {name}"), fingerprint: kind.to_owned() });
        Self { caller, idempotency, callback_url: None, own_priority: Priority::Normal, stays_here: false }
    }

    /// The stored job of an earlier identical request.
    pub(crate) async fn before(&self, state: &ApiState) -> Result<Option<Submitted>, Problem> {
        let Some(name) = &self.idempotency else { return Ok(None) };
        let job = state.jobs.replayed(&self.caller.owner, name).await?;
        Ok(job.map(|job| Submitted { job, replayed: true, held: None, routed_to: None }))
    }

    /// Whether anyone except this connection can learn the job's result.
    pub(crate) fn is_recoverable(&self) -> bool {
        self.idempotency.is_some() || self.callback_url.is_some()
    }

    /// Submits a job that outlives the request.
    pub(crate) async fn submit(self, state: &ApiState, id: String, work: Work, metadata: JobMetadata) -> Result<Submitted, Problem> {
        let stays_here = self.stays_here;
        let job = self.job(id, work, Durability::Stored, metadata);
        let submitted = if stays_here { state.jobs.submit_here(job).await? } else { state.jobs.submit(job).await? };
        tracing::info!(job = %submitted.job.id, "job accepted");
        Ok(submitted)
    }

    /// Submits a job that this request waits for. The flag says whether an identical request was accepted before.
    pub(crate) async fn hold(
        self,
        state: &ApiState,
        word: &str,
        work: Work,
        video: Option<HeldVideo>,
        metadata: JobMetadata,
    ) -> Result<(HeldJob, bool), Problem> {
        let Submitted { held, replayed, .. } =
            state.jobs.submit(self.job(new_id(word), work, Durability::Held { video }, metadata)).await?;
        Ok((held.ok_or_else(Problem::internal)?, replayed))
    }

    fn job(self, id: String, work: Work, durability: Durability, metadata: JobMetadata) -> NewJob {
        let Self { caller: Caller { owner, priority }, idempotency, callback_url, own_priority, stays_here: _ } = self;
        let metadata = Metadata { request: remake::request(&work), ..metadata.into() };
        NewJob { id, owner, priority, own_priority, work, durability, metadata, idempotency, callback_url }
    }
}

/// Waits for a held job; `what` names it in the answer to a failure.
pub(crate) async fn finished(state: &ApiState, what: &str, job: HeldJob) -> Result<Arc<HeldOutput>, Problem> {
    let ending = Ending::of(state, what, &job);
    job.finished().await.map_err(|error| ending.problem(&error))
}

/// A held job as its answer to a failure needs it.
pub(crate) struct Ending {
    id: String,
    what: String,
    cancel: CancelSwitch,
    stopping: watch::Receiver<bool>,
}

impl Ending {
    pub(crate) fn of(state: &ApiState, what: &str, job: &HeldJob) -> Self {
        Self { id: job.id().to_owned(), what: what.to_owned(), cancel: job.cancel_switch(), stopping: state.jobs.stopping() }
    }

    /// Why there is no result.
    pub(crate) fn problem(&self, error: &BackendError) -> Problem {
        // A shutdown cancels jobs too, and has another answer.
        let is_by_caller = matches!(error, BackendError::Cancelled) && self.cancel.is_cancelled() && !*self.stopping.borrow();
        if is_by_caller { task_cancelled(&self.id) } else { Problem::held_job_failed(&self.what, error) }
    }
}

/// The result of a held job that outlives its request by `grace`, so that a client that lost the connection finds it when it asks again.
/// Without a grace the job is cancelled as soon as the receiver is dropped.
pub(crate) fn lingering(job: HeldJob, grace: Duration) -> oneshot::Receiver<HeldResult> {
    let (mut answer, result) = oneshot::channel();
    tokio::spawn(async move {
        let left = async {
            answer.closed().await;
            tokio::time::sleep(grace).await;
        };
        let result = tokio::select! {
            result = job.finished() => result,
            () = left => return,
        };
        // Nobody waits any more: the result is kept for a while under the request's name.
        let _unread: Result<(), HeldResult> = answer.send(result);
    });
    result
}

/// A new task id: a word and twelve hexadecimal digits.
pub(crate) fn new_id(word: &str) -> String {
    let mut digits = Uuid::new_v4().simple().to_string();
    digits.truncate(12);
    format!("{word}_{digits}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn ids_are_a_word_and_twelve_digits() {
        let id = new_id("vid");
        let digits = id.strip_prefix("vid_").unwrap();
        assert!(digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_ne!(id, new_id("vid"));
    }
}
