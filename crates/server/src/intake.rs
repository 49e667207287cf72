//! Handing in a job that outlives its request: its id, the request's own name, and what is remembered of it.
//!
//! The invariant: a request with an `Idempotency-Key` makes one job, however often it is sent, and is answered from what was remembered of
//! the first.

use actix_web::HttpRequest;
use generation::{
    field_error::shortened,
    jobs::{Idempotency, NewJob, Priority, Submitted, Work},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{app::ApiState, error::ApiError, fields::value_fault};

/// The longest name of a request, in characters.
const MAX_KEY_CHARS: usize = 255;

/// "vid_" and 12 random hexadecimal digits, say.
pub(crate) fn short_id(prefix: &str) -> String {
    let digits = Uuid::new_v4().simple().to_string();
    format!("{prefix}{}", digits.get(..12).unwrap_or(&digits))
}

/// The name that a request gives itself, with a digest of the request.
pub(crate) fn idempotency(request: &HttpRequest, body: &[u8]) -> Result<Option<Idempotency>, ApiError> {
    let Some(header) = request.headers().get("idempotency-key") else { return Ok(None) };
    let key = header.to_str().ok().filter(|key| !key.trim().is_empty() && key.len() <= MAX_KEY_CHARS);
    let Some(key) = key else {
        let sentence = format!("an Idempotency-Key has 1 to {MAX_KEY_CHARS} characters of visible ASCII");
        let input = Value::from(shortened(&String::from_utf8_lossy(header.as_bytes())));
        return Err(ApiError::Invalid(vec![value_fault(vec!["header".into(), "idempotency-key".into()], &sentence, input)]));
    };
    let mut digest = Sha256::new();
    for part in [request.method().as_str().as_bytes(), b" ", request.path().as_bytes(), b"\n", body] {
        digest.update(part);
    }
    let fingerprint = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(Idempotency { key: key.to_owned(), fingerprint }))
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
