//! Downloads a finished video into a file.
//!
//! The address comes from a provider's answer, so it is fetched through [`Guard`]; the body is streamed to the file, whatever its length.
//! The invariant: an incomplete file is removed.

use std::{io, path::Path, time::Duration};

use guarded_http::{Error as HttpError, Guard, HeaderMap, Limits};
use tokio::{fs, io::AsyncWriteExt as _};

use crate::{ErrorKind, ProviderError, Source};

/// Accepted media types of a video.
const VIDEOS: &[&str] = &["video/mp4", "application/octet-stream"];

/// Limits of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownloadLimits {
    /// Maximum size in bytes.
    pub max_bytes: u64,
    /// Timeout.
    pub timeout: Duration,
}

impl Default for DownloadLimits {
    /// A gigabyte, ten minutes: Nova Reel's longest video, two minutes of 720p, has under 200 MB.
    fn default() -> Self {
        Self { max_bytes: 1 << 30, timeout: Duration::from_secs(600) }
    }
}

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// [`ErrorKind::TooLarge`]; [`ErrorKind::Settings`] if the guard forbids the address; [`ErrorKind::Result`] if the video cannot be
    /// fetched.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The file cannot be written, which is not the provider's fault.
    #[error("the video cannot be written")]
    Disk(#[source] io::Error),
}

type Result<T> = std::result::Result<T, DownloadError>;

/// Writes a finished video to a file and returns its length.
///
/// # Errors
/// [`DownloadError`]. No file is left behind.
pub async fn download(provider: &'static str, source: Source, guard: &Guard, limits: &DownloadLimits, file: &Path) -> Result<u64> {
    let written = write(provider, source, guard, limits, file).await;
    if written.is_err() {
        // The file may not exist.
        let _ = fs::remove_file(file).await;
    }
    written
}

async fn write(provider: &'static str, source: Source, guard: &Guard, limits: &DownloadLimits, file: &Path) -> Result<u64> {
    match source {
        Source::Bytes(bytes) => {
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if length > limits.max_bytes {
                return Err(too_large(provider, limits.max_bytes).into());
            }
            fs::write(file, &bytes).await.map_err(DownloadError::Disk)?;
            Ok(length)
        }
        Source::Url { url, headers } => fetch(provider, (&url, headers), guard, limits, file).await,
    }
}

async fn fetch(
    provider: &'static str,
    (url, headers): (&str, HeaderMap),
    guard: &Guard,
    limits: &DownloadLimits,
    file: &Path,
) -> Result<u64> {
    let broken = |error: HttpError| fetch_error(provider, &error, limits);
    let limits = Limits { max_bytes: limits.max_bytes, media_types: VIDEOS, timeout: limits.timeout };
    let mut body = guard.open(url, headers, &limits).await.map_err(broken)?;
    let mut out = fs::File::create(file).await.map_err(DownloadError::Disk)?;
    let mut length = 0_u64;
    while let Some(chunk) = body.chunk().await.map_err(broken)? {
        length += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        out.write_all(&chunk).await.map_err(DownloadError::Disk)?;
    }
    out.flush().await.map_err(DownloadError::Disk)?;
    Ok(length)
}

fn too_large(provider: &'static str, limit: u64) -> ProviderError {
    ProviderError::new(provider, ErrorKind::TooLarge, format!("the video has more than {limit} bytes"))
}

/// Maps a fetch error. The address is left out, because it is signed.
fn fetch_error(provider: &'static str, error: &HttpError, limits: &DownloadLimits) -> ProviderError {
    match error {
        HttpError::TooLarge { .. } => too_large(provider, limits.max_bytes),
        HttpError::Status { status: status @ (401 | 403 | 404 | 410), .. } => {
            let reason = format!("the link to the video has expired or is refused (status {status})");
            ProviderError::new(provider, ErrorKind::Result, reason).with_retryable(false)
        }
        // A retry would fail the same way.
        HttpError::Refused { .. } => {
            ProviderError::new(provider, ErrorKind::Settings, format!("the video may not be fetched from {error}"))
        }
        HttpError::Status { .. }
        | HttpError::BadUrl(_)
        | HttpError::Unresolved { .. }
        | HttpError::Unreachable { .. }
        | HttpError::TimedOut { .. }
        | HttpError::WrongType { .. }
        | HttpError::Encoded { .. } => {
            let reason = format!("the video cannot be fetched from {error}");
            ProviderError::new(provider, ErrorKind::Result, reason).with_retryable(error.is_transient())
        }
    }
}
