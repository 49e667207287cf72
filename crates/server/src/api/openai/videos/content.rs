//! `GET /v1/videos/{id}/content`: the video, its thumbnail, or a sheet of its frames.
//!
//! The thumbnail is the first frame, and the sheet has evenly spaced ones; both are made from the file when they are asked for. The
//! invariant: every variant has an entity tag of its own, and is served in ranges.

use std::ops::ControlFlow;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Path},
};
use generation::{
    ImageFormat,
    jobs::{Artifact, ArtifactReader, Job, JobState},
    video::{ContactSheet, decode},
};
use image::RgbImage;
use sha2::{Digest as _, Sha256};

use super::reading::{found, not_ready};
use crate::{
    access::Caller,
    files::{
        JpegFile, Mp4File, WebPFile, artifacts, decoding,
        first_frame::{copy, first_of, of_video},
    },
    http::{ErrorBody, FileAnswer, FileAnswers, Problem, StoreProblems},
    inputs::{Fields, query_values, string},
    state::ApiState,
};

/// The name of a job's video among its files.
const FILE: &str = "video.mp4";
/// The number of frames on a sheet, the number in a row, and their width in pixels.
const SHEET: (u32, u32, u32) = (16, 4, 320);
/// The JPEG quality of a sheet.
const SHEET_FORMAT: ImageFormat = ImageFormat::Jpeg { quality: 90 };

/// What of a video is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Video,
    Thumbnail,
    Spritesheet,
}

/// A video's file: the video itself, its first frame, or a sheet of its frames.
#[utoipa::path(
    get,
    path = "/v1/videos/{id}/content",
    tag = "openai",
    params(
        ("id" = String, Path, description = "The video's id", example = "video_abc123def456"),
        ("variant" = Option<String>, Query, description = "\"video\" (MP4), \"thumbnail\" (WebP) or \"spritesheet\" (JPEG)"),
    ),
    responses(
        (status = 200, description = "The file", content((Mp4File = "video/mp4"), (WebPFile = "image/webp"), (JpegFile = "image/jpeg"))),
        (status = 206, description = "The requested part", content((Mp4File = "video/mp4"), (WebPFile = "image/webp"), (JpegFile = "image/jpeg"))),
        FileAnswers,
        StoreProblems,
        (status = 400, description = "The video is not ready, or has failed; or there is no such variant", body = ErrorBody),
        (status = 404, description = "There is no such video, or it belongs to another key", body = ErrorBody),
        (status = 410, description = "It was removed, for its age or to make room", body = ErrorBody),
        (status = 500, description = "The frames of the video cannot be read", body = ErrorBody),
    )
)]
pub(crate) async fn content(
    request: HttpRequest,
    caller: Caller,
    id: Path<String>,
    state: Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let variant = variant(request.query_string())?;
    let job = found(&caller.owner, &id, &state).await?;
    let file = video_of(&job)?;
    if variant == Variant::Video || file.expired {
        return artifacts::answer(&request, &state.jobs, &job.id, file).await;
    }
    let name = if variant == Variant::Thumbnail { "thumbnail.webp" } else { "spritesheet.jpeg" };
    let digest = Sha256::new().chain_update(&file.sha256).chain_update(name).finalize();
    let tag = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let frames = job.outcome.as_ref().map_or(0, |outcome| outcome.frames) as u64;
    let _turn = decoding::turn().await.map_err(|_| Problem::internal())?;
    let path = copy(&state.jobs, &state.scratch, &job.id, FILE).await?;
    let image = web::block(move || {
        let path = path.path();
        match variant {
            Variant::Video | Variant::Thumbnail => ImageFormat::WebP.encode(&first_of(path)?, "").ok(),
            Variant::Spritesheet => {
                // Without a known number, as many as there are.
                let count = if frames > 0 { frames } else { counted(path)? };
                let mut sheet = ContactSheet::new(count, SHEET.0, SHEET.1, SHEET.2);
                let push = |frame: RgbImage| {
                    sheet.push(&frame);
                    ControlFlow::Continue(())
                };
                decode(path, push).ok()?;
                SHEET_FORMAT.encode(&sheet.finish()?, "").ok()
            }
        }
    });
    let image = image.await?.ok_or_else(unreadable)?;
    let media_type = if variant == Variant::Thumbnail { ImageFormat::WebP } else { SHEET_FORMAT }.media_type();
    let file = ArtifactReader::bytes_of(image);
    Ok(FileAnswer { file, name: name.to_owned(), media_type: media_type.to_owned(), tag }.to(&request))
}

/// The first frame of a completed video.
pub(super) async fn first_frame(job: &Job, state: &ApiState) -> Result<RgbImage, Problem> {
    let file = video_of(job)?;
    if file.expired {
        let message = format!("The video {} is no longer kept: it was removed for its age or to make room", job.id);
        return Err(Problem::new(actix_web::http::StatusCode::GONE, "file_expired", message));
    }
    let _turn = decoding::turn().await.map_err(|_| Problem::internal())?;
    of_video(&state.jobs, &state.scratch, &job.id, FILE).await?.ok_or_else(unreadable)
}

fn counted(path: &std::path::Path) -> Option<u64> {
    let mut count = 0;
    let push = |_| {
        count += 1;
        ControlFlow::Continue(())
    };
    decode(path, push).ok()?;
    Some(count)
}

fn unreadable() -> Problem {
    tracing::error!("the frames of a stored video cannot be decoded");
    Problem::internal().of_run()
}

/// A completed job's video.
fn video_of(job: &Job) -> Result<Artifact, Problem> {
    let file = job.artifacts.iter().find(|file| file.name == FILE).filter(|_| job.state == JobState::Completed);
    file.cloned().ok_or_else(|| not_ready(job))
}

fn variant(query: &str) -> Result<Variant, Problem> {
    let values = query_values(query);
    let mut fields = Fields::of(&values, "query");
    let variant = fields.read("variant", |value| match string(value)?.as_str() {
        "video" => Ok(Variant::Video),
        "thumbnail" => Ok(Variant::Thumbnail),
        "spritesheet" => Ok(Variant::Spritesheet),
        _ => Err(("enum", "Input should be 'video', 'thumbnail' or 'spritesheet'")),
    });
    if fields.faults.is_empty() { Ok(variant.unwrap_or(Variant::Video)) } else { Err(Problem::invalid(fields.faults)) }
}
