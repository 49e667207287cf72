//! Follows a running job: persists how far it is, and prolongs the lease of the worker that has it.
//!
//! The invariant: a worker that has lost its lease stops.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    active::ActiveJob,
    fail_point::FailPoint,
    inner::Inner,
    record::Durability,
    state::JobState,
    store::{LEASE, Lease, ProgressRecord, Synced},
};
use crate::backend::JobProgress;

/// Minimum interval between progress writes.
const QUIET: Duration = Duration::from_millis(250);

/// Persists progress and prolongs the lease, for as long as it is asked to. Cancels the job once the lease is lost.
pub(super) async fn follow(inner: &Arc<Inner>, job: &ActiveJob, lease: &Lease) -> std::convert::Infallible {
    let (id, store) = (&job.queued.id, inner.store_of(&job.durability));
    let mut progress = job.progress.subscribe();
    let (mut seen, mut persisted, mut is_first) = (JobProgress::default(), 0, true);
    let mut renewed = Instant::now();
    loop {
        let is_over = tokio::time::timeout(LEASE / 3, progress.changed()).await.is_err();
        let now = *progress.borrow_and_update();
        if !seen.started
            && now.started
            && let Some((_, share)) = inner.active.lock().get_mut(id).and_then(|active| active.began.as_mut())
        {
            // Of a job that is resumed, a part was there already.
            *share = now.share;
        }
        // A backend may begin anew; what was persisted stays.
        let (percent, kind) = (percent(&now).max(persisted), if now.part > seen.part { "part" } else { "progress" });
        let is_news = now.started && (now.part > seen.part || percent > persisted);
        if now.started {
            (seen, persisted) = (now, percent);
        }
        let written = if is_news {
            let data = json!({
                "progress": percent, "part": now.part, "parts": now.parts, "step": now.step, "steps": now.steps,
                "frame": now.frame, "frames": now.frames,
            });
            // What is done in a moment has its end synced at once; what takes longer has its start synced with this.
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
        tokio::time::sleep(QUIET).await;
    }
}

/// Stops a job that this worker does not hold any more: it was cancelled, or another worker has it and goes on.
async fn stop_lost(inner: &Inner, job: &ActiveJob) {
    match inner.store_of(&job.durability).state(&job.queued.id).await {
        Ok(Some(JobState::Queued | JobState::Running)) | Err(_) => job.cancel.break_off(),
        Ok(Some(JobState::Completed | JobState::Failed | JobState::Cancelled) | None) => job.cancel.cancel(),
    }
}

/// Whole percent; never 100 before the end, for the file is still to be put in place.
fn percent(progress: &JobProgress) -> u32 {
    ((progress.share * 100.0) as u32).min(99)
}
