//! Follows a running job: persists its progress, and renews its worker's lease.
//!
//! Invariant: a worker that has lost its lease stops.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    active::ActiveJob,
    fail_point::FailPoint,
    inner::Inner,
    parts,
    record::Durability,
    state::JobState,
    store::{LEASE, Lease, ProgressRecord, Synced},
};
use crate::backend::JobProgress;

/// Minimum interval between progress writes.
const MIN_WRITE_INTERVAL: Duration = Duration::from_millis(250);

/// Persists progress and renews the lease until it is dropped. Stops the job once the lease is lost.
pub(super) async fn follow(inner: &Arc<Inner>, job: &ActiveJob, lease: &Lease) -> std::convert::Infallible {
    let (id, store) = (&job.queued.id, inner.store_of(&job.durability));
    let mut progress = job.progress.subscribe();
    let (mut seen, mut persisted, mut is_first) = (JobProgress::default(), 0, true);
    let mut renewed = Instant::now();
    let before = Arc::new(reported_before(inner, job, lease).await);
    loop {
        let is_over = tokio::time::timeout(LEASE / 3, progress.changed()).await.is_err();
        let now = *progress.borrow_and_update();
        if !seen.started
            && now.started
            && let Some((_, share)) = inner.active.lock().get_mut(id).and_then(|active| active.began.as_mut())
        {
            // A resumed job starts with a part done already.
            *share = now.share;
        }
        // A backend may start over; persisted progress never decreases.
        let percent = percent(&now).max(persisted);
        let parts = parts::persist(inner, job, lease, (now, percent), &before).await;
        // A video of scenes has events of its own for its parts.
        let is_part = now.part > seen.part && !job.parts.is_reporting();
        let is_news = now.started && (now.part > seen.part || percent > persisted);
        if now.started {
            (seen, persisted) = (now, percent);
        }
        let written = if !matches!(parts, Ok(true)) {
            parts
        } else if is_news {
            let kind = if is_part { "part" } else { "progress" };
            let data = json!({
                "progress": percent, "part": now.part, "parts": now.parts, "step": now.step, "steps": now.steps,
                "frame": now.frame, "frames": now.frames,
            });
            // A short job needs no sync before its end, which is synced at once; a longer one has its start synced with its second write.
            let synced = if is_first { Synced::Later } else { Synced::Now };
            is_first = false;
            store.record_progress(lease, ProgressRecord { percent, kind, data }, synced).await
        } else if is_over || renewed.elapsed() > LEASE / 3 {
            store.renew(lease).await
        } else {
            continue;
        };
        match written {
            Ok(true) => {
                renewed = Instant::now();
                if is_news {
                    if matches!(job.durability, Durability::Stored) {
                        inner.settings.fail_hook.reached(FailPoint::Progressed);
                    }
                    inner.changes.announce(id);
                }
            }
            Ok(false) => stop_lost(inner, job).await,
            Err(error) => tracing::warn!(job = %id, %error, "progress was not persisted"),
        }
        tokio::time::sleep(MIN_WRITE_INTERVAL).await;
    }
}

/// Persists the parts that were finished since the last look, of a job that has just ended well.
pub(super) async fn flush(inner: &Arc<Inner>, job: &ActiveJob, lease: &Lease) {
    if !job.parts.is_reporting() {
        return;
    }
    let now = *job.progress.borrow();
    let before = Arc::new(reported_before(inner, job, lease).await);
    if let Err(error) = parts::persist(inner, job, lease, (now, percent(&now)), &before).await {
        tracing::warn!(job = %job.queued.id, %error, "the parts of a video were not persisted");
    }
}

/// The parts that an earlier attempt reported; if that cannot be read, some are reported twice.
async fn reported_before(inner: &Inner, job: &ActiveJob, lease: &Lease) -> HashSet<u64> {
    parts::reported_before(inner, job, lease).await.unwrap_or_else(|error| {
        tracing::warn!(job = %job.queued.id, %error, "events of a job cannot be read");
        HashSet::new()
    })
}

/// Stops a job whose lease this worker has lost: it was cancelled, or another worker has taken it over.
async fn stop_lost(inner: &Inner, job: &ActiveJob) {
    match inner.store_of(&job.durability).state(&job.queued.id).await {
        Ok(Some(JobState::Queued | JobState::Running)) | Err(_) => job.cancel.interrupt(),
        Ok(Some(JobState::Completed | JobState::Failed | JobState::Cancelled) | None) => job.cancel.cancel(),
    }
}

/// Whole percent; at most 99, because the file is still to be put in place at the end.
fn percent(progress: &JobProgress) -> u32 {
    ((progress.share * 100.0) as u32).min(99)
}
