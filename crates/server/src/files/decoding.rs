//! How many pictures are decoded at once, however they came: each takes up to 256 MiB, however short its file is.

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

static DECODING: Semaphore = Semaphore::const_new(2);

/// The right to decode a picture, when it is one's turn. The semaphore is never closed.
pub(crate) async fn turn() -> Result<SemaphorePermit<'static>, AcquireError> {
    DECODING.acquire().await
}
