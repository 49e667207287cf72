//! The parts of videos of scenes, as far as jobs are concerned: where they are kept, and their events.
//!
//! It must not know what a part's key is made of. The invariants: a part of a job has one event, however often the job is resumed; the event
//! is persisted before the job is completed.

use std::{collections::HashSet, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::{
    DiskFault,
    active::ActiveJob,
    error::StoreError,
    fail_point::FailPoint,
    folders::PARTS,
    inner::Inner,
    settings::JobsSettings,
    store::{Lease, ProgressRecord, Synced},
};
use crate::backend::{
    JobProgress,
    parts::{PartReport, store::PartStore},
};

/// More events than a job has.
const MOST_EVENTS: usize = 100_000;

/// Opens the store of parts in a jobs folder.
pub(super) fn open(settings: &JobsSettings) -> PartStore {
    let hook = settings.fail_hook.clone();
    PartStore::open(settings.folder.join(PARTS), settings.parts_bytes, settings.now, move || hook.reached(FailPoint::PartStaged))
}

impl Inner {
    /// Removes all kept parts if the disk is full, because jobs need the space more; returns whether that may have helped.
    pub(super) fn free_parts(&self, fault: DiskFault) -> bool {
        let Some(parts) = self.parts.as_ref().filter(|_| fault == DiskFault::Full) else { return false };
        let had_some = parts.clear();
        if had_some {
            tracing::warn!("the disk is full: kept parts of videos are removed");
        }
        had_some
    }
}

/// The parts that events of earlier attempts report.
pub(super) async fn reported_before(inner: &Inner, job: &ActiveJob, lease: &Lease) -> Result<HashSet<u64>, StoreError> {
    if lease.epoch <= 1 {
        return Ok(HashSet::new());
    }
    let store = inner.store_of(&job.durability);
    let events = store.events(&job.queued.owner, &job.queued.id, 0, MOST_EVENTS).await?.unwrap_or_default();
    let of_parts = events.iter().filter(|event| event.kind == "part" && event.data.get("kind").is_some());
    Ok(of_parts.filter_map(|event| event.data.get("part")?.as_u64()).collect())
}

/// Persists the parts that are finished; false if the lease is lost. Dropping the future loses none.
pub(super) async fn persist(
    inner: &Arc<Inner>,
    job: &ActiveJob,
    lease: &Lease,
    (progress, percent): (JobProgress, u32),
    before: &Arc<HashSet<u64>>,
) -> Result<bool, StoreError> {
    // Another task may still persist what it has taken.
    drop(job.parts.persisting().await);
    if !job.parts.has_some() {
        return Ok(true);
    }
    let (inner, job, lease, before) = (Arc::clone(inner), job.clone(), lease.clone(), Arc::clone(before));
    // A task of its own, because the follower of a job is dropped with the job's end, at any await.
    let persisted = tokio::spawn(async move {
        let _others_wait = job.parts.persisting().await;
        for report in job.parts.take() {
            if before.contains(&(report.part as u64)) {
                continue;
            }
            let record = ProgressRecord { percent, kind: "part", data: data(report, &progress, percent) };
            if !inner.store_of(&job.durability).record_progress(&lease, record, Synced::Later).await? {
                return Ok(false);
            }
            inner.changes.announce(&job.queued.id);
        }
        Ok(true)
    });
    persisted.await.map_err(|_| StoreError::ShuttingDown)?
}

/// The data of a part's event.
fn data(report: PartReport, progress: &JobProgress, percent: u32) -> Value {
    let PartReport { part, parts, kind, scene, reused, still } = report;
    let fields = json!({
        "progress": percent, "part": part, "parts": parts, "step": progress.step, "steps": progress.steps,
        "frame": progress.frame, "frames": progress.frames, "kind": kind.name(), "scene": scene, "reused": reused,
    });
    let mut data = if let Value::Object(fields) = fields { fields } else { Map::new() };
    if let Some(still) = still {
        data.insert("still_url".to_owned(), Value::from(format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(still))));
    }
    Value::Object(data)
}
