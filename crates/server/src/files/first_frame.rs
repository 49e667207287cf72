//! The first frame of a job's video.
//!
//! It must not know what the video is for. The file is copied to where FFmpeg can open it: files of the store have no path here.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    path::Path,
};

use actix_web::web;
use generation::{
    jobs::{DiskFault, Jobs},
    video::decode,
};
use image::RgbImage;
use tempfile::NamedTempFile;

use super::artifacts;
use crate::http::Problem;

/// Bytes copied at once.
const PIECE: usize = 1 << 20;

/// The first frame of a video; `None` if it cannot be decoded.
///
/// # Errors
/// As [`copy`].
pub(crate) async fn of_video(jobs: &Jobs, scratch: &Path, job: &str, name: &str) -> Result<Option<RgbImage>, Problem> {
    let copy = copy(jobs, scratch, job, name).await?;
    Ok(web::block(move || first_of(copy.path())).await?)
}

/// A copy of a job's video in the folder `scratch`.
///
/// # Errors
/// 404 if the file is missing; 503 if it cannot be read or copied.
pub(crate) async fn copy(jobs: &Jobs, scratch: &Path, job: &str, name: &str) -> Result<NamedTempFile, Problem> {
    let reader = artifacts::open(jobs, job, name).await?;
    let folder = scratch.to_owned();
    let mut copy =
        web::block(move || tempfile::Builder::new().suffix(".mp4").tempfile_in(folder)).await?.map_err(|error| unusable(&error))?;
    let mut at = 0;
    while at < reader.bytes() {
        let piece = reader.read_at(at, PIECE).await.map_err(|error| unusable(&error))?;
        at += piece.len() as u64;
        copy = web::block(move || append(copy, &piece)).await?.map_err(|error| unusable(&error))?;
    }
    Ok(copy)
}

fn append(mut copy: NamedTempFile, piece: &[u8]) -> io::Result<NamedTempFile> {
    copy.write_all(piece)?;
    Ok(copy)
}

/// The first frame of an MP4 file; `None` if it cannot be decoded. Blocking.
pub(crate) fn first_of(path: &Path) -> Option<RgbImage> {
    let mut first = None;
    let take = |frame| {
        first = Some(frame);
        ControlFlow::Break(())
    };
    decode(path, take).ok()?;
    first
}

fn unusable(error: &io::Error) -> Problem {
    tracing::error!(%error, "a video cannot be copied to read its first frame");
    let fault = DiskFault::of_io(error);
    Problem::disk(fault, format!("The file cannot be read: {fault}"))
}
