//! Caches the last check of the job store, for `/ready`: anyone may ask, and a check writes to the disk.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

/// The time for which a check is valid.
const STORE_CHECK_TTL: Duration = Duration::from_secs(2);

/// Whether jobs can be stored, or the reason why not, in a sentence.
pub(crate) type Found = Result<(), String>;

/// The last check of the store; clones share it. Concurrent requests wait for one check.
#[derive(Clone, Debug, Default)]
pub struct StoreCheck(Arc<Mutex<Option<(Instant, Found)>>>);

impl StoreCheck {
    pub(crate) async fn result(&self, now: fn() -> Instant, check: impl Future<Output = Found>) -> Found {
        let mut found = self.0.lock().await;
        if let Some((at, result)) = &*found
            && now().duration_since(*at) < STORE_CHECK_TTL
        {
            return result.clone();
        }
        let result = check.await;
        *found = Some((now(), result.clone()));
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn concurrent_requests_write_to_the_disk_once() {
        let (store, checks) = (StoreCheck::default(), AtomicUsize::new(0));
        // A stopped clock.
        fn noon() -> Instant {
            static NOON: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
            *NOON.get_or_init(Instant::now)
        }
        fn later() -> Instant {
            noon() + STORE_CHECK_TTL
        }
        let check = |result| {
            let checks = &checks;
            async move {
                checks.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                result
            }
        };
        let results = futures_util::future::join_all((0..100).map(|_| store.result(noon, check(Ok(()))))).await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(checks.load(Ordering::Relaxed), 1);
        assert_eq!(store.result(noon, check(Err("broken".into()))).await, Ok(()), "the check is still valid");
        assert_eq!(store.result(later, check(Err("broken".into()))).await, Err("broken".into()));
        assert_eq!(store.result(later, check(Ok(()))).await, Err("broken".into()));
        assert_eq!(checks.load(Ordering::Relaxed), 2);
    }
}
