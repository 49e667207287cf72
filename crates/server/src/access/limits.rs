//! Limits of each key: requests per minute, and concurrent requests.
//!
//! It must not know what the requests are; queued jobs have their own limit in the queue. A request counts until its answer is sent,
//! because a slow reader or an event stream occupies a connection as much as a picture in progress does. Rates use the generic cell rate
//! algorithm (governor): after a burst, one more request is allowed whenever its share of the minute has passed.

use std::{
    collections::HashMap,
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;

/// Default requests per minute of a key: enough for a dozen clients that poll every second.
pub const DEFAULT_REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();
/// Default burst: requests that a key may make at once before the rate applies.
pub const DEFAULT_BURST: NonZeroU32 = NonZeroU32::new(120).unwrap();
/// Default concurrent requests of a key: more than the default queue length.
pub const DEFAULT_CONCURRENT_REQUESTS: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// The limits of each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLimits {
    /// Requests per minute; absent: unlimited.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Requests that may come at once before the rate applies.
    pub burst: NonZeroU32,
    /// Concurrent requests; absent: unlimited.
    pub concurrent_requests: Option<NonZeroUsize>,
}

impl KeyLimits {
    /// No limits.
    pub const NONE: Self = Self { requests_per_minute: None, burst: DEFAULT_BURST, concurrent_requests: None };
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self {
            requests_per_minute: Some(DEFAULT_REQUESTS_PER_MINUTE),
            burst: DEFAULT_BURST,
            concurrent_requests: Some(DEFAULT_CONCURRENT_REQUESTS),
        }
    }
}

/// A request's permit among those of its key, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _place: Option<OwnedSemaphorePermit>,
}

struct Meter {
    rate: Option<DefaultDirectRateLimiter>,
    places: Option<(Arc<Semaphore>, usize)>,
}

/// The rate and the concurrent requests of each key.
pub(crate) struct Meters {
    clock: DefaultClock,
    meters: HashMap<String, Meter>,
}

impl Meters {
    /// The same limits for each of these owners; others are unlimited.
    pub(crate) fn new<'a>(owners: impl IntoIterator<Item = &'a str>, limits: &KeyLimits) -> Self {
        let meter = || Meter {
            rate: limits.requests_per_minute.map(|rate| RateLimiter::direct(Quota::per_minute(rate).allow_burst(limits.burst))),
            places: limits
                .concurrent_requests
                .map(|places| (Arc::new(Semaphore::new(places.get().min(Semaphore::MAX_PERMITS))), places.get())),
        };
        Self { clock: DefaultClock::default(), meters: owners.into_iter().map(|owner| (owner.to_owned(), meter())).collect() }
    }

    /// Counts a request, and acquires its permit.
    pub(crate) fn take(&self, owner: &str) -> Result<Held, Refusal> {
        let Some(meter) = self.meters.get(owner) else { return Ok(Held { _place: None }) };
        // A request that gets no permit does not count against the rate.
        let place = match &meter.places {
            None => None,
            Some((places, limit)) => Some(Arc::clone(places).try_acquire_owned().map_err(|_| Refusal::TooManyAtOnce { limit: *limit })?),
        };
        if let Some(Err(not_until)) = meter.rate.as_ref().map(RateLimiter::check) {
            return Err(Refusal::TooManyRequests { retry_after: not_until.wait_time_from(self.clock.now()) });
        }
        Ok(Held { _place: place })
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").field("owners", &self.meters.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::http::problem::Problem;

    #[test]
    fn each_key_has_its_own_places_and_its_own_rate() {
        let one = NonZeroU32::new(1);
        let limits = KeyLimits { requests_per_minute: one, burst: NonZeroU32::new(3).unwrap(), concurrent_requests: NonZeroUsize::new(2) };
        let meters = Meters::new(["alice", "bob"], &limits);
        let held = [meters.take("alice").unwrap(), meters.take("alice").unwrap()];
        assert_eq!(meters.take("alice").unwrap_err(), Refusal::TooManyAtOnce { limit: 2 });
        assert!(meters.take("bob").is_ok());
        drop(held);
        assert!(meters.take("alice").is_ok(), "the refused one did not count");
        let refusal = meters.take("alice").unwrap_err();
        let seconds = Problem::from(refusal.clone()).retry_after.unwrap();
        assert!(matches!(refusal, Refusal::TooManyRequests { .. }) && (1..=60).contains(&seconds), "{refusal:?}");
        assert_eq!(refusal.to_string(), format!("Too many requests with this key; try again in {seconds} s"));
        assert!((0..1000).all(|_| meters.take("").is_ok()), "an owner without a meter has no limit");
    }
}
