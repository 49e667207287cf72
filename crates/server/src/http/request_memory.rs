//! A budget for the memory of large request bodies.
//!
//! Each body is bounded, but a few hundred at once would exceed the machine's memory. So a body longer than an ordinary one takes its bytes
//! from a shared budget before it is read or fetched, waits for a while if there are none, and gives them back once its contents are part
//! of a job. It must not know what the bytes are. The budget counts raw bodies; parsing takes up to three times as much, and decoded
//! pictures are bounded separately, by the number of concurrent decodes.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The default budget of all large bodies, in bytes: eight of the longest.
pub const DEFAULT_REQUEST_MEMORY: usize = 256 << 20;

/// The unit of the budget, in bytes: a semaphore counts with 32 bits.
const PAGE: usize = 4 << 10;

/// The budget; clones share it.
#[derive(Clone, Debug)]
pub struct RequestMemory {
    pages: Arc<Semaphore>,
    total: u32,
}

/// Other large requests use the whole budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The server is busy with other large requests; try again in {BUSY_SECONDS} s")]
pub struct Busy;

/// `Retry-After` of a large request, in seconds.
pub(crate) const BUSY_SECONDS: u64 = 5;

/// A part of the budget, until it is dropped.
#[derive(Debug, Default)]
pub struct HeldMemory(Option<OwnedSemaphorePermit>);

fn pages(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PAGE)).unwrap_or(u32::MAX)
}

impl RequestMemory {
    /// A budget of this many bytes.
    pub fn new(bytes: usize) -> Self {
        let total = pages(bytes).max(1);
        let places = usize::try_from(total).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Self { pages: Arc::new(Semaphore::new(places)), total }
    }

    /// Takes this many bytes, or the whole budget if that is less. Callers are served in their order.
    ///
    /// # Errors
    /// [`Busy`] if they do not become free within `timeout`.
    pub async fn take(&self, bytes: usize, timeout: Duration) -> Result<HeldMemory, Busy> {
        let wanted = Arc::clone(&self.pages).acquire_many_owned(pages(bytes).min(self.total));
        match tokio::time::timeout(timeout, wanted).await {
            Ok(Ok(held)) => Ok(HeldMemory(Some(held))),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

impl Default for RequestMemory {
    fn default() -> Self {
        Self::new(DEFAULT_REQUEST_MEMORY)
    }
}

impl HeldMemory {
    /// Gives back the bytes beyond `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        if let Some(held) = &mut self.0 {
            let more = held.num_permits().saturating_sub(bytes.div_ceil(PAGE));
            drop(held.split(more));
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[tokio::test]
    async fn the_budget_is_shared_and_given_back() {
        let memory = RequestMemory::new(10 * PAGE);
        let mut first = memory.take(6 * PAGE, NOW).await.unwrap();
        assert!(matches!(memory.clone().take(5 * PAGE, NOW).await, Err(Busy)));
        first.shrink_to(2 * PAGE + 1);
        let second = memory.take(7 * PAGE, NOW).await.unwrap();
        assert!(memory.take(1, NOW).await.is_err());
        drop((first, second));
        let all = memory.take(usize::MAX, NOW).await.unwrap();
        assert!(memory.take(1, NOW).await.is_err(), "a request beyond the budget takes all of it");
        let waiting = tokio::spawn({
            let memory = memory.clone();
            async move { memory.take(PAGE, Duration::from_secs(60)).await.is_ok() }
        });
        drop(all);
        assert!(waiting.await.unwrap());
    }
}
