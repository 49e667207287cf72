//! Handing in a job that outlives its request, whichever API asks for it.
//!
//! The invariant: a request with an `Idempotency-Key` makes one job, however often it is sent.

use actix_web::{HttpRequest, web::Bytes};
use generation::jobs::{Idempotency, Job, NewJob, Submitted, Work};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    access::Caller,
    http::{Problem, idempotency},
    state::ApiState,
};

/// Who hands in, under which name, and who is told of the end.
pub(crate) struct Submission {
    pub(crate) caller: Caller,
    idempotency: Option<Idempotency>,
    pub(crate) callback_url: Option<String>,
}

impl Submission {
    /// By a request with this body.
    pub(crate) async fn by(caller: Caller, request: &HttpRequest, body: &Bytes) -> Result<Self, Problem> {
        Ok(Self { caller, idempotency: idempotency::of(request, body).await?, callback_url: None })
    }

    /// The job that the same request has made before.
    pub(crate) async fn before(&self, state: &ApiState) -> Result<Option<Submitted>, Problem> {
        let Some(name) = &self.idempotency else { return Ok(None) };
        let job: Option<Job> = state.jobs.replayed(&self.caller.owner, name).await?;
        Ok(job.map(|job| Submitted { job, replayed: true }))
    }

    /// Hands the job in; `note` is what its later answers repeat.
    pub(crate) async fn submit(self, state: &ApiState, id: String, work: Work, note: Value) -> Result<Submitted, Problem> {
        let Self { caller: Caller { owner, priority }, idempotency, callback_url } = self;
        let job = NewJob { id, owner, priority, work, note, idempotency, callback_url };
        let submitted = state.jobs.submit(job).await?;
        tracing::info!(job = %submitted.job.id, "job taken");
        Ok(submitted)
    }
}

/// A new task's id: a word and twelve hexadecimal digits.
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
