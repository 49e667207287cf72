//! A bound on concurrent decodes of pictures from any source: each takes up to 256 MiB, however short its file is.

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

static DECODING: Semaphore = Semaphore::const_new(2);

/// Waits for a permit to decode a picture. The semaphore is never closed.
pub(crate) async fn turn() -> Result<SemaphorePermit<'static>, AcquireError> {
    DECODING.acquire().await
}
