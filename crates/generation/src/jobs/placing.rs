//! Puts the output of a stored job in place, and removes what is left of a job.

use std::sync::Arc;

use super::{
    artifacts::Content,
    error::StoreError,
    inner::Inner,
    record::{Artifact, NativeVideo, Outcome},
    state::JobState,
};
use crate::backend::JobOutput;

/// The name of a job's video file.
pub(super) const VIDEO: &str = "video.mp4";

/// Puts a job's files in place. If an earlier attempt was killed after this, its files are the same.
pub(super) async fn place(inner: &Inner, id: &str, output: &JobOutput, seconds: f64) -> Result<(Vec<Artifact>, Outcome), StoreError> {
    let mut files = Vec::new();
    match output {
        JobOutput::Images(images) => {
            for (index, image) in images.iter().enumerate() {
                let (format, file) = image.file();
                files.push(inner.files.put(id, &format.file_name(index), format.media_type(), Content::Bytes(file)).await?);
            }
        }
        JobOutput::Video(video) => files.push(inner.files.put(id, VIDEO, "video/mp4", Content::File(video.path.clone())).await?),
    }
    Ok((files, outcome(output, seconds)))
}

/// A job's result, without its files.
pub(super) fn outcome(output: &JobOutput, seconds: f64) -> Outcome {
    match output {
        JobOutput::Images(images) => {
            let first = images.first();
            let (width, height) = first.map_or((0, 0), |image| image.image.dimensions());
            Outcome {
                width,
                height,
                seed: first.map_or(0, |image| image.seed),
                frames: 0,
                fps: String::new(),
                native: None,
                parameters: images.iter().map(|image| image.parameters.clone()).collect(),
                truncated: images.iter().any(|image| !image.truncated.is_empty()),
                remarks: first.map(|image| image.remarks.clone()).unwrap_or_default(),
                parts: None,
                seconds,
            }
        }
        JobOutput::Video(video) => Outcome {
            width: video.shape.width,
            height: video.shape.height,
            seed: video.seed,
            frames: video.shape.frames,
            fps: video.shape.fps.to_string(),
            native: video.shape.native.map(|native| NativeVideo { width: native.width, height: native.height, frames: native.frames }),
            parameters: Vec::new(),
            truncated: !video.truncated.is_empty(),
            remarks: Vec::new(),
            parts: video.parts,
            seconds,
        },
    }
}

/// Removes everything of a job that has ended, except the files of a completed one. (A store that returns an error may have persisted an
/// end all the same.)
pub(super) async fn remove(inner: &Arc<Inner>, id: &str) -> Result<(), StoreError> {
    if inner.stored.state(id).await? != Some(JobState::Completed) {
        inner.files.remove(id).await?;
    }
    clear(inner, id).await;
    Ok(())
}

/// Removes a job's temporary files. A failure does not matter to the job: the next start removes what is left.
pub(super) async fn clear(inner: &Arc<Inner>, id: &str) {
    let name = id.to_owned();
    if let Err(error) = inner.off_thread(move |inner| inner.scratch()?.clear(&name)).await {
        tracing::warn!(job = %id, %error, "temporary files of a job could not be removed; the next start removes them");
    }
}
