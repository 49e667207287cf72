//! How long files are kept, and how many bytes of them.
//!
//! The oldest are removed first. A job without its files still counts as completed, until its own time is over.

use std::time::{Duration, SystemTime};

use super::{
    artifacts::ArtifactStore,
    error::StoreError,
    store::{JobStore, KeptFile},
};

/// What is kept of jobs that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// A job that ended longer ago is removed with its files.
    pub age: Duration,
    /// Above this many bytes the oldest files are removed.
    pub bytes: u64,
}

impl Default for Retention {
    /// A week, and ten gigabytes.
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 24 * 3600), bytes: 10_000_000_000 }
    }
}

/// Removes what has expired, and returns the bytes of the files that are left.
pub(super) async fn sweep(store: &dyn JobStore, files: &dyn ArtifactStore, keep: Retention, now: SystemTime) -> Result<u64, StoreError> {
    let kept = store.kept_files().await?;
    let mut left = kept.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    let mut stuck: Option<StoreError> = None;
    let oldest = now.checked_sub(keep.age).unwrap_or(SystemTime::UNIX_EPOCH);
    for KeptFile { job, name, bytes, finished_at } in kept {
        if finished_at >= oldest && left <= keep.bytes {
            break;
        }
        // The file first: the next sweep repairs an entry without a file, but a file without an entry would stay for ever.
        if let Err(error) = files.remove_file(&job, &name).await {
            stuck.get_or_insert(error);
            continue;
        }
        store.file_removed(&job, &name).await?;
        left = left.saturating_sub(bytes);
        tracing::info!(%job, %name, bytes, "an old file was removed");
    }
    if let Some(error) = stuck {
        tracing::warn!(%error, "old files cannot be removed and are kept; this is the first of them");
    }
    store.forget_before(oldest).await?;
    Ok(left)
}
