//! Handing in a job that outlives its request: its id, the request's own name, and what is remembered of it.
//!
//! The invariant: a request with an `Idempotency-Key` makes one job, however often it is sent, and is answered from what was remembered of
//! the first.

use generation::jobs::{Idempotency, NewJob, Priority, Submitted, Work};
use serde_json::Value;
use uuid::Uuid;

use crate::{app::ApiState, error::ApiError};

/// "vid_" and 12 random hexadecimal digits, say.
pub(crate) fn short_id(prefix: &str) -> String {
    let digits = Uuid::new_v4().simple().to_string();
    format!("{prefix}{}", digits.get(..12).unwrap_or(&digits))
}

/// Who hands in, under which name.
pub(crate) struct Asked {
    pub(crate) owner: String,
    pub(crate) idempotency: Option<Idempotency>,
}

/// Hands a job in; `note` is what its later answers repeat.
pub(crate) async fn submit(state: &ApiState, asked: Asked, id: String, work: Work, note: Value) -> Result<Submitted, ApiError> {
    let Asked { owner, idempotency } = asked;
    let job = NewJob { id, owner, priority: Priority::Normal, work, note, idempotency, callback_url: None };
    let submitted = state.jobs.submit(job).await?;
    tracing::info!(job = %submitted.job.id, replayed = submitted.replayed, "job taken");
    Ok(submitted)
}
