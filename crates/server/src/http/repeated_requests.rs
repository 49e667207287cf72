//! Requests that OpenAI's clients send again by themselves.
//!
//! After a lost connection, a timeout or a busy answer these clients repeat a request, also a POST, and name no `Idempotency-Key`; the header
//! `x-stainless-retry-count` says that it is a repetition. So each first request gets a name here, and its repetition, which has the same
//! contents, gets the same one. The invariants: equal requests that are no repetitions have different names, also if they are sent at once;
//! one first request has one successor of each count; a name is forgotten after an hour, and their number is bounded.
//!
//! It must not know what a request asks for. The names are in memory: after a restart of the server a repetition is a first request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, web::Bytes};
use generation::jobs::Idempotency;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::http::{idempotency, problem::Problem};

/// The header with the number of the repetition; 0 for a first request.
const RETRY_COUNT: &str = "x-stainless-retry-count";
/// How long a repetition is recognised after the request before it: the clients wait ten minutes for an answer unless told otherwise.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// The maximum number of different requests.
const MOST: usize = 4096;
/// The maximum number of equal requests.
const MOST_EQUAL: usize = 64;

/// The named requests; clones share them.
#[derive(Clone, Debug, Default)]
pub struct RepeatedRequests(Arc<Mutex<Named>>);

/// Requests by owner and fingerprint.
type Named = HashMap<(String, String), Vec<Sent>>;

/// A request that was sent once or more.
#[derive(Debug)]
struct Sent {
    name: String,
    /// The number of its last repetition.
    count: u32,
    at: Instant,
}

impl RepeatedRequests {
    /// The name of a request with these contents: its `Idempotency-Key`, or what is known of its repetitions; `None` if it has no name.
    ///
    /// `contents` are equal for equal requests only, so the boundary of a form must not be part of them.
    ///
    /// # Errors
    /// 422 for an invalid `Idempotency-Key`.
    pub(crate) async fn identify(&self, request: &HttpRequest, owner: &str, contents: &Bytes) -> Result<Option<Idempotency>, Problem> {
        if let Some(named) = idempotency::of(request, contents).await? {
            return Ok(Some(named));
        }
        let Some(count) = retry_count(request) else { return Ok(None) };
        let fingerprint = idempotency::fingerprint(request, contents).await?;
        let name = self.name(owner, &fingerprint, count, Instant::now());
        Ok(Some(Idempotency { key: name, fingerprint }))
    }

    fn name(&self, owner: &str, fingerprint: &str, count: u32, now: Instant) -> String {
        // No code panics while it holds the lock.
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() >= MOST {
            forget(&mut requests, now);
        }
        let sent = requests.entry((owner.to_owned(), fingerprint.to_owned())).or_default();
        sent.retain(|sent| now.saturating_duration_since(sent.at) < KEPT);
        // The oldest whose successor this can be.
        if let Some(before) = sent.iter_mut().filter(|sent| sent.count < count).min_by_key(|sent| sent.at) {
            (before.count, before.at) = (count, now);
            return before.name.clone();
        }
        // No value of the header `Idempotency-Key` contains a space.
        let name = format!("repeated {}", Uuid::new_v4());
        if sent.len() >= MOST_EQUAL {
            sent.remove(0);
        }
        sent.push(Sent { name: name.clone(), count, at: now });
        name
    }
}

/// Forgets old requests, or else the older half.
fn forget(requests: &mut HashMap<(String, String), Vec<Sent>>, now: Instant) {
    let newest = |sent: &[Sent]| sent.iter().map(|sent| sent.at).max();
    requests.retain(|_, sent| newest(sent).is_some_and(|at| now.saturating_duration_since(at) < KEPT));
    if requests.len() < MOST {
        return;
    }
    let mut times: Vec<Option<Instant>> = requests.values().map(|sent| newest(sent)).collect();
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().flatten();
    requests.retain(|_, sent| newest(sent) > middle);
}

/// The number of the repetition; `None` for clients that repeat nothing.
pub(crate) fn retry_count(request: &HttpRequest) -> Option<u32> {
    request.headers().get(RETRY_COUNT)?.to_str().ok()?.trim().parse().ok()
}

/// A digest of parts, each of which is told from the next by its length.
pub(crate) fn digest_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    Bytes::copy_from_slice(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_has_the_name_of_its_request_and_equal_requests_have_their_own() {
        let (requests, now) = (RepeatedRequests::default(), Instant::now());
        let at = |seconds: u64| now + Duration::from_secs(seconds);
        let one = requests.name("a", "x", 0, now);
        let other = requests.name("a", "x", 0, at(1));
        assert_ne!(one, other, "two requests that happen to be equal");
        assert_eq!(requests.name("a", "x", 1, at(2)), one);
        assert_eq!(requests.name("a", "x", 1, at(3)), other);
        assert_eq!(requests.name("a", "x", 2, at(4)), one);
        for (owner, fingerprint) in [("b", "x"), ("a", "y")] {
            let foreign = requests.name(owner, fingerprint, 1, at(5));
            assert!(foreign != one && foreign != other);
        }
        let third = requests.name("a", "x", 1, at(6));
        assert!(third != one && third != other, "both have a successor already");
        let late = requests.name("a", "x", 3, at(6) + KEPT);
        assert!(![one, other, third].contains(&late));
    }

    #[test]
    fn no_more_than_some_names_are_kept() {
        let (requests, now) = (RepeatedRequests::default(), Instant::now());
        for number in 0..3 * MOST as u64 {
            requests.name("a", &number.to_string(), 0, now + Duration::from_micros(number));
        }
        let kept = requests.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert!((MOST / 4..=MOST).contains(&kept), "{kept}");
    }

    #[test]
    fn parts_are_told_apart() {
        let of = |parts: &[&str]| digest_of(parts.iter().map(|part| part.as_bytes()));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
    }
}
