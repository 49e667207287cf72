//! What was last found of the store of jobs, for `/ready`: anybody may ask, and finding out makes the disk write.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

/// How long what was found of the store counts: anybody may ask, and finding it out makes the disk write.
const STORE_CHECK_COUNTS: Duration = Duration::from_secs(2);

/// Whether jobs can be written down, or in a sentence why not.
pub(crate) type Found = Result<(), String>;

/// What was last found of the store; clones share it. One request finds it out, and those that come meanwhile wait for that.
#[derive(Clone, Debug, Default)]
pub struct StoreCheck(Arc<Mutex<Option<(Instant, Found)>>>);

impl StoreCheck {
    pub(crate) async fn result(&self, now: fn() -> Instant, check: impl Future<Output = Found>) -> Found {
        let mut found = self.0.lock().await;
        if let Some((at, result)) = &*found
            && now().duration_since(*at) < STORE_CHECK_COUNTS
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
    async fn many_who_ask_at_once_make_the_disk_write_once() {
        let (store, checks) = (StoreCheck::default(), AtomicUsize::new(0));
        // A clock that stands still.
        fn noon() -> Instant {
            static NOON: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
            *NOON.get_or_init(Instant::now)
        }
        fn later() -> Instant {
            noon() + STORE_CHECK_COUNTS
        }
        let check = |result| {
            let checks = &checks;
            async move {
                checks.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                result
            }
        };
        let asked = futures_util::future::join_all((0..100).map(|_| store.result(noon, check(Ok(()))))).await;
        assert!(asked.iter().all(Result::is_ok));
        assert_eq!(checks.load(Ordering::Relaxed), 1);
        assert_eq!(store.result(noon, check(Err("broken".into()))).await, Ok(()), "what was found still counts");
        assert_eq!(store.result(later, check(Err("broken".into()))).await, Err("broken".into()));
        assert_eq!(store.result(later, check(Ok(()))).await, Err("broken".into()));
        assert_eq!(checks.load(Ordering::Relaxed), 2);
    }
}
