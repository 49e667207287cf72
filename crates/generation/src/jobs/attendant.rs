//! Follows one job through the engine: writes down that it starts, how far it is and how it ends, and puts its files in place.
//!
//! The invariants: the start is written down before the device does anything, so that a job that takes the program down is counted; the
//! files are in place before the job is called completed; a job that the program's end broke off is put back, not failed; one that finds
//! no room on the disk waits for it, and goes on behind what its journal keeps; an end that cannot be written down is tried again for as
//! long as the program runs.

use std::{
    fs,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::json;

use super::{
    DiskFault,
    artifacts::VIDEO,
    disk_waits::MOST,
    error::StoreError,
    fail_point::FailPoint,
    record::{Artifact, JobError, JobErrorKind, NativeVideo, Outcome},
    service::{Inner, Live},
    store::{Started, Synced, Waiting},
};
use crate::{
    GenerationError, artifact,
    error::SubmitError,
    job::{Begin, JobContext, JobHandle, JobProgress, JobResult, Made, StoredWork},
    model::{EngineStatus, ModelInfo},
    preview::PreviewSlot,
    queue::Place,
    video::VideoOutput,
};

/// How long progress is left alone after it was written down.
const QUIET: Duration = Duration::from_millis(250);

/// Hands a stored job to the engine and looks after it until it has ended.
pub(super) fn queue(inner: &Arc<Inner>, job: Waiting, place: Option<Place>, expected: Option<Duration>) -> Result<(), SubmitError> {
    let begin = {
        let (inner, id) = (Arc::downgrade(inner), job.id.clone());
        Begin(Box::new(move || match inner.upgrade() {
            Some(inner) => begin(&inner, &id),
            None => Err(GenerationError::Cancelled),
        }))
    };
    let previews = PreviewSlot::default();
    let context = JobContext {
        owner: job.owner.clone(),
        priority: job.priority,
        journal: Some(inner.files.journal_of(&job.id)),
        previews: previews.clone(),
        fail_hook: inner.settings.fail_hook.clone(),
    };
    // Locked until the job is known here, for its turn may come at once.
    let mut all = inner.live();
    let handle = inner.engine.submit_stored((job.parts, begin), context, place)?;
    let live = Live {
        engine_id: handle.id(),
        owner: job.owner.clone(),
        cancel: handle.cancel_switch(),
        progress: handle.progress(),
        previews,
        began: None,
        expected,
    };
    all.insert(job.id.clone(), live);
    drop(all);
    tokio::spawn(attend(Arc::clone(inner), job, handle));
    Ok(())
}

/// Fetches a job whose turn has come. Runs on the device's thread, which has nothing else to do until it knows what.
fn begin(inner: &Inner, id: &str) -> JobResult<StoredWork> {
    if !inner.store.is_open(id)? {
        return Err(GenerationError::Cancelled);
    }
    // Before anything else, for where there is no room for files the job has not been begun.
    inner.check_crowd()?;
    inner.disk()?;
    let staging = inner.files.begin(id)?;
    let output = VideoOutput::new(staging.join(VIDEO))?;
    let work = match inner.store.start(id, inner.settings.most_idle_attempts, inner.now())? {
        Started::Work(work) => *work,
        Started::Ended => {
            inner.changed();
            return Err(GenerationError::Cancelled);
        }
    };
    inner.settings.fail_hook.reached(FailPoint::Started);
    let now = inner.now();
    if let Some(live) = inner.live().get_mut(id) {
        live.began = Some((now, 0.0));
    }
    inner.changed();
    if let EngineStatus::Ready(model) = inner.engine.status() {
        let ModelInfo { name, motion, device, precision, .. } = model.as_ref();
        let maker = format!("framewright {}, {name}, {motion}, {precision} on {device}", env!("CARGO_PKG_VERSION"));
        inner.files.begin_journal(id, &maker)?;
    }
    Ok(StoredWork { work, output })
}

/// Looks after a job until its end is written down.
async fn attend(inner: Arc<Inner>, job: Waiting, handle: JobHandle<Made>) {
    let id = job.id.clone();
    let progress = handle.progress();
    let mut finished = std::pin::pin!(handle.finished());
    let result = tokio::select! {
        biased;
        result = &mut finished => result,
        () = follow(Arc::clone(&inner), &id, progress) => finished.await,
    };
    let seconds = let_go(&inner, &id);
    let mut end = End::of(result);
    if matches!(end, End::Made(_)) {
        // The disk took all of a run, so what it refused before is over.
        inner.waits.forget(&id);
    }
    if let End::Refused(fault) = end
        && inner.waits.waited(&id, inner.now()) >= MOST
    {
        end = End::Failed(given_up(fault));
    }
    loop {
        let (disk, name) = (Arc::clone(&inner), id.clone());
        // The end comes back, for it is wanted again where the disk refuses it.
        let written = tokio::task::spawn_blocking(move || {
            let written = write_down(&disk, &name, &end, seconds);
            (written, end)
        });
        // The runtime goes down, or writing panicked: the store still says that the job runs, so the next life makes it again.
        let Ok((written, ended)) = written.await else { return inner.let_go_of(&id) };
        end = ended;
        let Err(error) = written else { break };
        tracing::error!(job = %id, %error, "how a job ended cannot be written down; trying again");
        let again = inner.waits.refused(&id, error.fault(), inner.now());
        if matches!(end, End::Made(_)) {
            inner.waits.is_made(&id);
            if inner.waits.waited(&id, inner.now()) >= MOST {
                end = End::Failed(given_up(error.fault()));
            }
        }
        inner.changed();
        // As above: the next life makes it again, or goes on from its journal.
        if !pause(&inner, &id, again).await {
            return inner.let_go_of(&id);
        }
    }
    let End::Refused(fault) = end else { return inner.let_go_of(&id) };
    // Its place in the queue is free meanwhile.
    let mut again = inner.waits.refused(&id, fault, inner.now());
    inner.live().remove(&id);
    inner.changed();
    while pause(&inner, &id, again).await {
        match look(&inner, &id).await {
            Look::Again => {
                inner.waits.tried_again(&id);
                // Only an engine that goes down refuses, and then the job waits in the store.
                let _waits_in_the_store: Result<(), SubmitError> = queue(&inner, job, None, None);
                return;
            }
            Look::Over => return inner.let_go_of(&id),
            Look::Wait(fault) => again = inner.waits.refused(&id, fault, inner.now()),
        }
    }
}

/// Waits so long, or until the job is called off. False if the program goes down.
async fn pause(inner: &Inner, id: &str, time: Duration) -> bool {
    let (mut changes, mut stopping) = (inner.subscribe(), inner.stopping());
    let is_called_off = async { while inner.waits.of(id).is_some() && changes.changed().await.is_ok() {} };
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = is_called_off => true,
        _ = stopping.wait_for(|is_stopping| *is_stopping) => false,
    }
}

/// What is to be done about a job that the disk refused.
enum Look {
    /// The device should have it: there is room, or it has waited for as long as a job waits.
    Again,
    /// The disk still refuses it.
    Wait(DiskFault),
    /// It was called off, and nothing is left of it.
    Over,
}

async fn look(inner: &Arc<Inner>, id: &str) -> Look {
    let (disk, id) = (Arc::clone(inner), id.to_owned());
    let looked = tokio::task::spawn_blocking(move || match disk.store.is_open(&id) {
        Err(error) => Look::Wait(error.fault()),
        Ok(false) => {
            if let Err(error) = remove(&disk, &id) {
                tracing::warn!(job = %id, %error, "what there is of a job that was called off stays until the next start");
            }
            Look::Over
        }
        Ok(true) if disk.waits.waited(&id, disk.now()) >= MOST => Look::Again,
        Ok(true) => disk.look_for_room().map_or_else(Look::Wait, |()| Look::Again),
    });
    // It only fails where the runtime goes down, or the look panicked.
    looked.await.unwrap_or(Look::Wait(DiskFault::Failing))
}

/// The end of a job that the disk refused for as long as a job waits.
fn given_up(fault: DiskFault) -> JobError {
    let message = format!("its file could not be stored for {} h: {fault}", MOST.as_secs() / 3600);
    JobError { kind: JobErrorKind::Encoder, message, retryable: true }
}

/// Writes progress down until the job has no more of it.
async fn follow(inner: Arc<Inner>, id: &str, mut progress: tokio::sync::watch::Receiver<JobProgress>) {
    let (mut told, mut is_first) = (JobProgress::default(), true);
    while progress.changed().await.is_ok() {
        let now = *progress.borrow_and_update();
        if !now.started {
            continue;
        }
        if !told.started
            && let Some((_, share)) = inner.live().get_mut(id).and_then(|live| live.began.as_mut())
        {
            // Of a job that is gone on with, a part was there already.
            *share = now.share;
        }
        let (percent, kind) = (percent(&now), if now.part > told.part { "part" } else { "progress" });
        let is_news = now.part > told.part || percent > self::percent(&told);
        told = now;
        if !is_news {
            continue;
        }
        let data = json!({
            "progress": percent, "part": now.part, "parts": now.parts, "step": now.step, "steps": now.steps,
            "frame": now.frame, "frames": now.frames,
        });
        let (disk, name) = (Arc::clone(&inner), id.to_owned());
        // What is done in a moment has its end synced at once; what takes longer has its start synced with this.
        let synced = if is_first { Synced::Later } else { Synced::Now };
        is_first = false;
        let written = tokio::task::spawn_blocking(move || {
            disk.store.progress(&name, (percent, kind, &data), synced, disk.now())?;
            disk.settings.fail_hook.reached(FailPoint::Progressed);
            Ok::<_, StoreError>(())
        });
        match written.await {
            Ok(Ok(())) => inner.changed(),
            Ok(Err(error)) => tracing::warn!(job = %id, %error, "progress was not written down"),
            Err(_) => return,
        }
        tokio::time::sleep(QUIET).await;
    }
}

/// Whole percent; never 100 before the end, for the file is still to be put in place.
fn percent(progress: &JobProgress) -> u32 {
    ((progress.share * 100.0) as u32).min(99)
}

/// How a job ended.
enum End {
    Made(Made),
    Failed(JobError),
    /// The disk refused it, before it was begun or while its file was written; its time comes again.
    Refused(DiskFault),
    /// It was called off, or the program goes down.
    BrokenOff,
    /// The device is lost, and the program goes down for it: whether the job had a part in that shows when it is taken again.
    DeviceLost,
}

impl End {
    fn of(result: JobResult<Made>) -> Self {
        let error = match result {
            Ok(made) => return Self::Made(made),
            Err(GenerationError::Store(error)) => return Self::Refused(error.fault()),
            Err(error) => error,
        };
        let is_file = matches!(
            error,
            GenerationError::Encode(_) | GenerationError::Video(_) | GenerationError::Model(diffusion_core::Error::Sink(_))
        );
        if is_file && DiskFault::of(&error) == Some(DiskFault::Full) {
            return Self::Refused(DiskFault::Full);
        }
        let (kind, retryable) = match &error {
            GenerationError::Cancelled => return Self::BrokenOff,
            GenerationError::Model(diffusion_core::Error::Device { .. }) => return Self::DeviceLost,
            GenerationError::Model(diffusion_core::Error::OutOfMemory { .. }) => (JobErrorKind::OutOfMemory, true),
            GenerationError::Model(error) if error.refused_parameter().is_some() => (JobErrorKind::Refused, false),
            GenerationError::Model(_) => (JobErrorKind::Model, false),
            GenerationError::Encode(_) | GenerationError::Video(_) | GenerationError::Store(_) => (JobErrorKind::Encoder, true),
            GenerationError::Internal(_) => (JobErrorKind::Internal, false),
        };
        // What a panic said, and where files lie, is for the log, which has it from the device's thread.
        let message = match kind {
            JobErrorKind::Refused => {
                error.refusal().map_or_else(|| one_line(&error.to_string()), |(field, reason)| format!("{field}: {reason}"))
            }
            JobErrorKind::OutOfMemory | JobErrorKind::Model | JobErrorKind::Crashed => one_line(&error.to_string()),
            JobErrorKind::Encoder => "the file could not be written; the server's log says why".to_owned(),
            JobErrorKind::Internal => "internal error".to_owned(),
        };
        Self::Failed(JobError { kind, message, retryable })
    }
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn write_down(inner: &Inner, id: &str, end: &End, seconds: f64) -> Result<(), StoreError> {
    match end {
        End::Made(made) => {
            inner.settings.fail_hook.reached(FailPoint::Made);
            if !inner.store.is_open(id)? {
                // It was called off while it waited for room.
                return remove(inner, id);
            }
            inner.disk()?;
            let (files, outcome) = placed(inner, id, made, seconds)?;
            inner.settings.fail_hook.reached(FailPoint::Placed);
            if !inner.store.complete(id, &outcome, &files, inner.now())? {
                // It was called off at the last moment, and its owner was told so.
                return remove(inner, id);
            }
            inner.settings.fail_hook.reached(FailPoint::Completed);
            clear(inner, id);
            Ok(())
        }
        End::Failed(error) => {
            inner.store.fail(id, error, inner.now())?;
            remove(inner, id)
        }
        End::Refused(fault) => {
            tracing::error!(job = %id, %fault, "the disk refuses a job; trying again");
            inner.store.requeue(id, &fault.to_string(), inner.now()).map(drop)
        }
        End::BrokenOff => {
            // A job that its owner called off is cancelled already, and goes; one that the program's end broke off goes back.
            let is_back = inner.store.requeue(id, "the server is shutting down", inner.now())?;
            if is_back || inner.store.is_open(id)? { Ok(()) } else { remove(inner, id) }
        }
        End::DeviceLost => Ok(()),
    }
}

/// Removes all that there is of a job that has ended; if it is completed, what it made stays. (A store that refuses may have written down an
/// end all the same.)
fn remove(inner: &Inner, id: &str) -> Result<(), StoreError> {
    if !inner.store.is_completed(id)? {
        return inner.files.remove(id);
    }
    clear(inner, id);
    Ok(())
}

/// Removes what a completed job needed on its way. It has ended however that goes, and the next start removes what is left.
fn clear(inner: &Inner, id: &str) {
    if let Err(error) = inner.files.clear(id) {
        tracing::warn!(job = %id, %error, "what a completed job needed on its way stays until the next start");
    }
}

/// The device has let go of a job: how long it had it, in seconds.
fn let_go(inner: &Inner, id: &str) -> f64 {
    let began = inner.live().get_mut(id).and_then(|live| live.began.take());
    began.map_or(0.0, |(began, _): (SystemTime, f64)| inner.now().duration_since(began).unwrap_or_default().as_secs_f64())
}

/// Puts a job's files in their places. An earlier attempt that did so and was then killed made the same ones.
fn placed(inner: &Inner, id: &str, made: &Made, seconds: f64) -> Result<(Vec<Artifact>, Outcome), StoreError> {
    match made {
        Made::Pictures(pictures) => {
            let staging = inner.files.staging_of(id);
            let mut files = Vec::with_capacity(pictures.len());
            for (index, picture) in pictures.iter().enumerate() {
                let name = format!("image-{index}.png");
                // It is synced in its place.
                artifact::write_unsynced(&staging.join(&name), &picture.png)?;
                files.push(inner.files.commit(id, &name, "image/png")?);
            }
            let first = pictures.first();
            let (width, height) = first.map_or((0, 0), |picture| picture.image.dimensions());
            let outcome = Outcome {
                width,
                height,
                seed: first.map_or(0, |picture| picture.seed),
                frames: 0,
                fps: String::new(),
                native: None,
                parameters: pictures.iter().map(|picture| picture.parameters.clone()).collect(),
                truncated: pictures.iter().any(|picture| !picture.truncated.is_empty()),
                seconds,
            };
            Ok((files, outcome))
        }
        Made::Video(video) => {
            // It is in its place already where the store refused the rest of an earlier try.
            let is_placed = !video.path.exists() && inner.files.path_of(id, VIDEO).exists();
            if is_placed {
                fs::create_dir_all(inner.files.staging_of(id))
                    .and_then(|()| fs::rename(inner.files.path_of(id, VIDEO), &video.path))
                    .map_err(|source| StoreError::Folder { path: video.path.clone(), source })?;
            }
            let file = inner.files.commit(id, VIDEO, "video/mp4")?;
            let outcome = Outcome {
                width: video.shape.width,
                height: video.shape.height,
                seed: video.seed,
                frames: video.shape.frames,
                fps: video.shape.fps.to_string(),
                native: video.shape.native.map(|native| NativeVideo { width: native.width, height: native.height, frames: native.frames }),
                parameters: Vec::new(),
                truncated: !video.truncated.is_empty(),
                seconds,
            };
            Ok((vec![file], outcome))
        }
    }
}
