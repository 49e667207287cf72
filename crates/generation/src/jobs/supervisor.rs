//! Supervises one job through a backend: claims it, persists its start, progress and end, and puts its files in place.
//!
//! Invariants: the start is persisted before the backend does anything, so that a job which crashes the program is counted; files are in
//! place before the job is completed; a job interrupted by a shutdown returns to the queue and does not fail; a job that meets a full disk
//! waits for space, and resumes from its journal; an end that cannot be persisted is retried as long as the program runs; a worker that has
//! lost its lease stops, and changes nothing.

use std::{panic::AssertUnwindSafe, path::PathBuf, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tempfile::TempDir;

use super::{
    DiskFault,
    active::ActiveJob,
    disk_waits::MOST,
    error::{StoreError, SubmitError},
    fail_point::FailPoint,
    following::{flush, follow},
    held::HeldOutput,
    inner::Inner,
    placing::{self, VIDEO},
    record::{Durability, JobError, JobErrorKind},
    remote::StoredRemote,
    spend::Charge,
    state::JobState,
    store::{Claimed, JobStore, Lease},
};
use crate::{
    backend::{
        Backend, BackendError, JobContext, JobOutput, KeepRemote, Refusal, RemoteRecord, job::Stop, parts::JobParts,
        video_file::VideoOutput,
    },
    dispatch::{BackendSet, Ending, PushError, Reservation, Turn},
    work::Work,
};

/// Queues a job; its supervision starts with its turn. If the program shuts down and no backend will take it, the job is set aside.
pub(super) fn enqueue(inner: &Arc<Inner>, mut job: ActiveJob, backends: BackendSet, place: Option<Reservation>) -> Result<(), SubmitError> {
    let id = job.queued.id.clone();
    // Locked until the job is registered, because its turn may come at once.
    let mut active = inner.active.lock();
    let priorities = (job.queued.priority, job.queued.own_priority);
    let queued = (id.as_str(), job.queued.owner.as_str(), priorities, job.queued.model.as_deref());
    match inner.dispatcher.push(queued, backends, place) {
        Ok(number) => job.number = number,
        Err(PushError::Closed | PushError::Lost | PushError::Full { .. } | PushError::OwnerFull { .. }) => {
            drop(active);
            inner.set_aside(&job);
            return Err(SubmitError::ShuttingDown);
        }
    }
    active.insert(id, job);
    drop(active);
    pump(inner);
    Ok(())
}

/// Gives each free slot of a backend its next job.
pub(super) fn pump(inner: &Arc<Inner>) {
    while let Some(turn) = inner.dispatcher.next() {
        tokio::spawn(supervise(Arc::clone(inner), turn));
    }
}

/// How an attempt ended.
enum JobEnd {
    Done(JobOutput),
    /// It has no result; the last field settles its reserved amount.
    Failed(Arc<BackendError>, JobError, Charge),
    /// The disk refused it, before its start or while its file was written; it is retried later.
    Refused(DiskFault),
    /// It was cancelled, or the program shuts down.
    Interrupted,
    /// The device is lost, and the program exits because of it; whether the job caused it shows when it is started again.
    DeviceLost(Arc<BackendError>),
}

/// Supervises a job from its turn until its end is persisted.
async fn supervise(inner: Arc<Inner>, turn: Turn) {
    let id = turn.id.clone();
    let Some(job) = inner.active.get(&id) else {
        drop(turn);
        return pump(&inner);
    };
    let started = {
        // The semaphore is never closed.
        let _permit = inner.starts.acquire().await;
        start(&inner, &job, turn.backend.as_ref()).await
    };
    let (lease, end) = match started {
        Ok(Some(started)) => {
            let lease = started.lease.clone();
            // A job of an earlier run of the program may need another backend, because its work is only known now. A provider's job is
            // known by its row.
            let accepted = if turn.backend.is_remote() { Ok(()) } else { turn.backend.accepts(&started.work) };
            let end = match accepted {
                Err(refusal @ Refusal::OtherKind { .. }) => match inner.dispatcher.others(&started.work, turn.backend_number()) {
                    Some(others) => return pass_on(&inner, job, &lease, others, turn, &refusal).await,
                    None => unserved(&refusal),
                },
                // The model was set up in an earlier run of the program.
                Err(refusal @ (Refusal::UnknownModel { .. } | Refusal::Unfit { .. })) => unserved(&refusal),
                Ok(())
                | Err(
                    Refusal::Loading
                    | Refusal::Failed(_)
                    | Refusal::TooLarge(_)
                    | Refusal::Provider(_)
                    | Refusal::UnknownProvider { .. }
                    | Refusal::StoredOnly { .. },
                ) => attempt(&inner, &job, started, &turn).await,
            };
            (Some(lease), end)
        }
        Ok(None) => (None, JobEnd::Interrupted),
        Err(error) => (None, JobEnd::Refused(error.fault())),
    };
    let seconds = seconds_run(&inner, &id);
    if matches!(end, JobEnd::DeviceLost(_)) {
        inner.lose_backend(turn.backend_number());
    }
    let ending = match &end {
        JobEnd::Done(_) => Ending::Completed,
        JobEnd::Failed(..) | JobEnd::Refused(_) | JobEnd::DeviceLost(_) => Ending::Failed,
        JobEnd::Interrupted => Ending::Cancelled,
    };
    let is_remote = turn.backend.is_remote();
    if is_remote {
        let error = if let JobEnd::Failed(error, ..) = &end { Some(error.as_ref()) } else { None };
        inner.provider_counts.ended(turn.backend.name(), ending, error);
    }
    // The place is free before the caller gets the answer, so that the caller can submit again at once.
    turn.end(ending);
    inner.endings.send_replace(());
    pump(&inner);
    match &job.durability {
        Durability::Held { video } => {
            let folder = video.as_ref().and_then(|video| video.folder.clone());
            end_held(&inner, &job, lease.as_ref(), end, (seconds, folder)).await;
        }
        Durability::Stored => {
            let cancel = job.cancel.clone();
            end_stored(&inner, job, lease, end, seconds).await;
            if is_remote && cancel.why() == Some(Stop::Cancelled) {
                // The run may have been over before, or the provider may have refused the cancellation.
                inner.tell_providers().await;
            }
        }
    }
}

/// The end of a job that no backend accepts.
fn unserved(refusal: &Refusal) -> JobEnd {
    let error = JobError { kind: JobErrorKind::Model, message: refusal.to_string(), retryable: false };
    JobEnd::Failed(Arc::new(BackendError::Internal(error.message.clone())), error, Charge::IfAsked)
}

/// Passes a job that its backend does not accept on to those that do.
async fn pass_on(inner: &Arc<Inner>, job: ActiveJob, lease: &Lease, others: BackendSet, turn: Turn, refusal: &Refusal) {
    let released = inner.store_of(&job.durability).release(lease, &refusal.to_string()).await;
    drop(turn);
    inner.endings.send_replace(());
    match released {
        // A job that was cancelled meanwhile ends at its next turn.
        Ok(_) => {
            // Only a shutdown can refuse the job, and then it waits in the store.
            let _waits_in_the_store: Result<(), SubmitError> = enqueue(inner, job, others, None);
        }
        Err(error) => {
            tracing::error!(job = %job.queued.id, %error, "a job that its backend does not accept cannot be passed on; the next start tries again");
            inner.set_aside(&job);
        }
    }
    pump(inner);
}

/// A claimed job.
struct Started {
    lease: Lease,
    work: Arc<Work>,
    /// The staging folder of a stored job.
    staging: Option<PathBuf>,
    /// The record of a remote job, if there is one.
    record: Option<RemoteRecord>,
}

/// Claims a job at its turn. `None` if it was cancelled meanwhile, or has failed for good.
async fn start(inner: &Arc<Inner>, job: &ActiveJob, backend: &dyn Backend) -> Result<Option<Started>, StoreError> {
    let id = &job.queued.id;
    let mut staging = None;
    if let Durability::Stored = job.durability {
        // Before the claim, because a job without space for its files must not count as started.
        inner.check_crowd()?;
        inner.check_disk()?;
        let name = id.clone();
        staging = Some(inner.off_thread(move |inner| inner.scratch()?.begin(&name)).await?);
    }
    let claimed = inner.store_of(&job.durability).claim(id, backend.name(), inner.settings.most_idle_attempts).await?;
    let Claimed::Work(lease, work, record) = claimed else { return Ok(None) };
    if staging.is_some() {
        tracing::info!(job = %id, backend = backend.name(), "job started");
        inner.settings.fail_hook.reached(FailPoint::Started);
    }
    let now = inner.now();
    if let Some(active) = inner.active.lock().get_mut(id) {
        active.began = Some((now, 0.0));
    }
    inner.changes.announce(id);
    Ok(Some(Started { lease, work, staging, record }))
}

/// Runs the job on the backend.
async fn attempt(inner: &Arc<Inner>, job: &ActiveJob, started: Started, turn: &Turn) -> JobEnd {
    let backend = turn.backend.as_ref();
    let Started { lease, work, staging, record } = started;
    let id = &job.queued.id;
    let output = match &job.durability {
        Durability::Held { video } => video.as_ref().map(|video| video.output.clone()),
        Durability::Stored => staging.and_then(|staging| VideoOutput::new(staging.join(VIDEO)).ok()),
    };
    let mut context = JobContext {
        id: id.clone(),
        cancel: job.cancel.clone(),
        progress: job.progress.clone(),
        previews: job.previews.clone(),
        output,
        since: Some(turn.handed_in()),
        parts: JobParts { store: inner.parts.clone(), owner: job.queued.owner.clone(), job: id.clone(), reports: job.parts.clone() },
        ..JobContext::default()
    };
    let remote = backend.is_remote().then(|| {
        let record = record.unwrap_or_else(|| RemoteRecord::new(id));
        Arc::new(StoredRemote::new(inner, &lease, &job.cancel, record))
    });
    if let Some(keep) = &remote {
        context.remote = Some(Arc::clone(keep) as Arc<dyn KeepRemote>);
    } else if let Durability::Stored = job.durability {
        // Only after the backend has accepted the work: opening the journal removes pieces of another fingerprint.
        let (name, fingerprint) = (id.clone(), backend.fingerprint(&work));
        match inner.off_thread(move |inner| inner.scratch()?.journal(&name, &fingerprint)).await {
            Ok(journal) => context.journal = Box::new(journal.watched(inner.settings.fail_hook.clone())),
            Err(error) => return JobEnd::Refused(error.fault()),
        }
    }
    // A panic in a backend is this job's error only.
    let run = AssertUnwindSafe(backend.run(work, context)).catch_unwind();
    let run = run.map(|result| result.unwrap_or_else(|_| Err(BackendError::Internal(format!("{} panicked", backend.name())))));
    let result = tokio::select! {
        biased;
        result = run => result,
        never = follow(inner, job, &lease) => match never {},
    };
    let error = match result {
        Ok(output) => {
            flush(inner, job, &lease).await;
            if remote.is_some() {
                inner.settings.fail_hook.reached(FailPoint::RemoteFetched);
            }
            return JobEnd::Done(output);
        }
        // Nothing is requested from a provider unless the disk has recorded it first.
        Err(BackendError::Cancelled) => return remote.and_then(|keep| keep.fault()).map_or(JobEnd::Interrupted, JobEnd::Refused),
        Err(error) => Arc::new(error),
    };
    if error.is_device_lost() {
        return JobEnd::DeviceLost(error);
    }
    let is_stored = matches!(job.durability, Durability::Stored);
    if is_stored && error.is_of_output() && DiskFault::of(error.as_ref()) == Some(DiskFault::Full) {
        return JobEnd::Refused(DiskFault::Full);
    }
    let failure = JobError::from(error.as_ref());
    let charge = match (error.as_ref(), &remote) {
        (BackendError::Remote(error), Some(keep)) => Charge::after(error, &keep.record(), inner.settings.spend.failures_are_free),
        _ => Charge::IfAsked,
    };
    JobEnd::Failed(error, failure, charge)
}

/// How long the backend had the job, in seconds; called once, after it has returned.
fn seconds_run(inner: &Inner, id: &str) -> f64 {
    let began = inner.active.lock().get_mut(id).and_then(|active| active.began.take());
    began.map_or(0.0, |(began, _)| inner.now().duration_since(began).unwrap_or_default().as_secs_f64())
}

/// Ends a held job: its row first, so that the caller finds it there with the answer.
async fn end_held(inner: &Arc<Inner>, job: &ActiveJob, lease: Option<&Lease>, end: JobEnd, (seconds, folder): (f64, Option<Arc<TempDir>>)) {
    let id = &job.queued.id;
    let store = &inner.held;
    let (is_written, result) = match (end, lease) {
        (JobEnd::Done(output), Some(lease)) => {
            let outcome = placing::outcome(&output, seconds);
            (store.complete(lease, &outcome, &[]).await, Ok(Arc::new(HeldOutput { output, folder })))
        }
        (JobEnd::Failed(error, failure, charge), Some(lease)) => (store.fail(lease, &failure, charge).await, Err(error)),
        (JobEnd::DeviceLost(error), Some(lease)) => (store.fail(lease, &JobError::from(error.as_ref()), Charge::IfAsked).await, Err(error)),
        (JobEnd::Done(_) | JobEnd::Failed(..) | JobEnd::DeviceLost(_) | JobEnd::Interrupted | JobEnd::Refused(_), _) => {
            (Ok(false), Err(Arc::new(BackendError::Cancelled)))
        }
    };
    if !matches!(is_written, Ok(true)) {
        // The job was cancelled, if only at the last moment, or the program shuts down: the answer is what the row says.
        return inner.set_aside(job);
    }
    inner.held_jobs.end(id, result, inner.now());
    inner.forget(id);
}

/// Ends a stored job, or makes it wait for the disk.
async fn end_stored(inner: &Arc<Inner>, job: ActiveJob, lease: Option<Lease>, mut end: JobEnd, seconds: f64) {
    let id = job.queued.id.clone();
    if matches!(end, JobEnd::Done(_)) {
        // The disk accepted a whole run, so its earlier refusal is over.
        inner.waits.forget(&id);
    }
    if let JobEnd::Refused(fault) = end
        && inner.waits.waited(&id, inner.now()) >= MOST
    {
        end = give_up(fault);
    }
    if let JobEnd::Refused(fault) = end {
        inner.free_parts(fault);
    }
    while let Err(error) = persist(inner, &id, lease.as_ref(), &end, seconds).await {
        inner.free_parts(error.fault());
        tracing::error!(job = %id, %error, "a job's end cannot be persisted; trying again");
        let again = inner.waits.refused(&id, error.fault(), inner.now());
        if matches!(end, JobEnd::Done(_)) {
            inner.waits.is_made(&id);
            if inner.waits.waited(&id, inner.now()) >= MOST {
                end = give_up(error.fault());
            }
        }
        inner.changes.announce(&id);
        // The runtime or the program shuts down: in the store the job is still running, so the next start runs it again, or resumes it from
        // its journal.
        if matches!(error, StoreError::ShuttingDown) || !pause(inner, &id, again).await {
            return inner.forget(&id);
        }
    }
    let JobEnd::Refused(fault) = end else { return inner.forget(&id) };
    // Meanwhile it holds no place in the queue.
    let mut again = inner.waits.refused(&id, fault, inner.now());
    inner.active.lock().remove(&id);
    inner.changes.announce(&id);
    inner.endings.send_replace(());
    while pause(inner, &id, again).await {
        match recheck(inner, &id).await {
            Recheck::Again => {
                inner.waits.tried_again(&id);
                // Only a shutdown can refuse the job, and then it waits in the store.
                let backends = inner.dispatcher.all(job.queued.provider.as_deref());
                let job = ActiveJob::new(job.queued, Durability::Stored, None);
                let _waits_in_the_store: Result<(), SubmitError> = enqueue(inner, job, backends, None);
                return;
            }
            Recheck::Over => {
                inner.forget(&id);
                return Arc::clone(inner).tell_providers().await;
            }
            Recheck::Wait(fault) => again = inner.waits.refused(&id, fault, inner.now()),
        }
    }
}

/// The end of a job that the disk has refused for the maximum time.
fn give_up(fault: DiskFault) -> JobEnd {
    let message = format!("its file could not be stored for {} h: {fault}", MOST.as_secs() / 3600);
    let error = JobError { kind: JobErrorKind::Encoder, message, retryable: true };
    JobEnd::Failed(Arc::new(BackendError::Internal(error.message.clone())), error, Charge::IfAsked)
}

/// Waits for this time, or until the job is cancelled. False if the program shuts down.
async fn pause(inner: &Inner, id: &str, time: Duration) -> bool {
    let (mut changes, mut stopping) = (inner.changes.subscribe(id), inner.stopping.subscribe());
    let is_cancelled = async { while inner.waits.of(id).is_some() && changes.changed().await.is_ok() {} };
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = is_cancelled => true,
        _ = stopping.wait_for(|is_stopping| *is_stopping) => false,
    }
}

/// What to do about a job that the disk refused.
enum Recheck {
    /// Queue it again: there is space, or it has waited for the maximum time.
    Again,
    /// The disk still refuses it.
    Wait(DiskFault),
    /// It was cancelled, and its files are removed.
    Over,
}

async fn recheck(inner: &Arc<Inner>, id: &str) -> Recheck {
    match inner.stored.state(id).await {
        Err(error) => Recheck::Wait(error.fault()),
        Ok(Some(JobState::Queued | JobState::Running)) if inner.waits.waited(id, inner.now()) >= MOST => Recheck::Again,
        Ok(Some(JobState::Queued | JobState::Running)) => inner.look_for_room().await.map_or_else(Recheck::Wait, |()| Recheck::Again),
        Ok(Some(JobState::Completed | JobState::Failed | JobState::Cancelled) | None) => {
            if let Err(error) = placing::remove(inner, id).await {
                tracing::warn!(job = %id, %error, "files of a cancelled job could not be removed; the next start removes them");
            }
            Recheck::Over
        }
    }
}

/// Persists how an attempt ended. A job without a lease was not started.
async fn persist(inner: &Arc<Inner>, id: &str, lease: Option<&Lease>, end: &JobEnd, seconds: f64) -> Result<(), StoreError> {
    let store = &inner.stored;
    match (end, lease) {
        (JobEnd::Done(output), Some(lease)) => {
            inner.settings.fail_hook.reached(FailPoint::Made);
            // Renewed, so that no other worker claims the job before its files are in place.
            if !store.renew(lease).await? {
                return remove_if_ended(inner, id).await;
            }
            inner.check_disk()?;
            let (files, outcome) = placing::place(inner, id, output, seconds).await?;
            inner.settings.fail_hook.reached(FailPoint::Placed);
            if !store.complete(lease, &outcome, &files).await? {
                return remove_if_ended(inner, id).await;
            }
            inner.settings.fail_hook.reached(FailPoint::Completed);
            placing::clear(inner, id).await;
            Ok(())
        }
        (JobEnd::Failed(_, error, charge), Some(lease)) => {
            store.fail(lease, error, *charge).await?;
            remove_if_ended(inner, id).await
        }
        (JobEnd::Refused(fault), Some(lease)) => {
            tracing::error!(job = %id, %fault, "the disk refuses a job; trying again");
            store.release(lease, &fault.to_string()).await.map(drop)
        }
        (JobEnd::Interrupted, Some(lease)) => {
            // A cancelled job has ended already and is removed; one that the shutdown interrupted returns to the queue.
            store.release(lease, "the server is shutting down").await?;
            remove_if_ended(inner, id).await
        }
        (JobEnd::Refused(fault), None) => {
            tracing::error!(job = %id, %fault, "the disk refuses a job; trying again");
            Ok(())
        }
        (JobEnd::Interrupted | JobEnd::Done(_) | JobEnd::Failed(..), None) => remove_if_ended(inner, id).await,
        (JobEnd::DeviceLost(_), _) => Ok(()),
    }
}

/// Removes what is left of a job that has ended; a job that waits or that another worker has is left alone.
async fn remove_if_ended(inner: &Arc<Inner>, id: &str) -> Result<(), StoreError> {
    if inner.stored.state(id).await?.is_none_or(JobState::is_final) { placing::remove(inner, id).await } else { Ok(()) }
}
