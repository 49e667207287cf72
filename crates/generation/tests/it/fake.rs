//! Requests and held jobs for the fake model.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use generation::{
    BackendError, GeneratedImage, ImageRequest, ImageSpec, JobContext, JobOutput, Limits, LocalBackend,
    jobs::{Durability, HeldJob, HeldVideo, Jobs, JobsSettings, NewJob, Priority, SubmitError, Work},
    video::{GeneratedVideo, VideoOutput, VideoSpec},
};
use generation_test::{Checked, eventually, info};

pub(crate) fn spec(prompt: &str) -> ImageSpec {
    request(prompt).validate(&Limits::default(), &info()).unwrap()
}

pub(crate) fn request(prompt: &str) -> ImageRequest {
    ImageRequest { prompt: Some(prompt.into()), seed: Some(7), num_inference_steps: Some(3), ..ImageRequest::default() }
}

/// Held jobs only, with this queue capacity.
pub(crate) fn held_only(places: usize, local: LocalBackend) -> Checked {
    Checked::held_only(JobsSettings { queue_capacity: places, ..JobsSettings::new("", SystemTime::now) }, local)
}

/// Submits a held job, and returns the caller's handle.
pub(crate) async fn hold(jobs: &Jobs, work: Work, output: Option<VideoOutput>) -> Result<HeldJob, SubmitError> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let new = NewJob {
        id: format!("held_{}", LAST.fetch_add(1, Ordering::Relaxed)),
        owner: String::new(),
        priority: Priority::Normal,
        own_priority: Priority::Normal,
        work,
        durability: Durability::Held { video: output.map(|output| HeldVideo { output, folder: None }) },
        metadata: generation::jobs::Metadata::default(),
        idempotency: None,
        callback_url: None,
    };
    Ok(jobs.submit(new).await?.held.unwrap())
}

/// As [`hold`], for an image.
pub(crate) async fn hold_image(jobs: &Jobs, prompt: &str) -> Result<HeldJob, SubmitError> {
    hold(jobs, Work::Image(spec(prompt)), None).await
}

/// The images of a finished held job.
pub(crate) async fn images(job: HeldJob) -> Result<Vec<GeneratedImage>, Arc<BackendError>> {
    match Arc::unwrap_or_clone(job.finished().await?).output {
        JobOutput::Images(images) => Ok(images),
        JobOutput::Video(video) => panic!("{video:?}"),
    }
}

/// Runs a video on the device.
pub(crate) async fn video(local: &LocalBackend, spec: VideoSpec, file: &Path, context: JobContext) -> Result<GeneratedVideo, BackendError> {
    use generation::Backend as _;
    local.loaded().await.unwrap();
    let context = JobContext { output: Some(VideoOutput::new(file).unwrap()), ..context };
    match local.run(Arc::new(Work::Video(spec)), context).await? {
        JobOutput::Video(video) => Ok(video),
        JobOutput::Images(images) => panic!("{images:?}"),
    }
}

/// Waits until the last thread of an earlier program has released its folder.
pub(crate) async fn until_free(folder: &Path) {
    let lock = std::fs::OpenOptions::new().write(true).open(folder.join("lock")).unwrap();
    eventually("the folder is free", || lock.try_lock().is_ok()).await;
}
