//! Handing in a job that outlives its request, for the APIs beside the Tasks API.
//!
//! The invariant: a request with an `Idempotency-Key` makes one job, however often it is sent.

use actix_web::HttpRequest;
use generation::jobs::{Idempotency, Job, NewJob, Priority, Submitted, Work};
use serde_json::Value;

use crate::{app::ApiState, error::ApiError, idempotency};

/// Who hands in, under which name, and who is told of the end.
pub(crate) struct Asked {
    pub(crate) owner: String,
    idempotency: Option<Idempotency>,
    pub(crate) callback_url: Option<String>,
}

impl Asked {
    /// By a request with this body.
    pub(crate) fn by(owner: String, request: &HttpRequest, body: &[u8]) -> Result<Self, ApiError> {
        Ok(Self { owner, idempotency: idempotency::of(request, body)?, callback_url: None })
    }

    /// The job that the same request has made before.
    pub(crate) async fn before(&self, state: &ApiState) -> Result<Option<Submitted>, ApiError> {
        let Some(name) = &self.idempotency else { return Ok(None) };
        let job: Option<Job> = state.jobs.replayed(&self.owner, name).await?;
        Ok(job.map(|job| Submitted { job, replayed: true }))
    }

    /// Hands the job in; `note` is what its later answers repeat.
    pub(crate) async fn submit(self, state: &ApiState, id: String, work: Work, note: Value) -> Result<Submitted, ApiError> {
        let Self { owner, idempotency, callback_url } = self;
        let job = NewJob { id, owner, priority: Priority::Normal, work, note, idempotency, callback_url };
        let submitted = state.jobs.submit(job).await?;
        tracing::info!(job = %submitted.job.id, "job taken");
        Ok(submitted)
    }
}
