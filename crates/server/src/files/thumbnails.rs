//! Small pictures of jobs' files, made when they are first asked for and kept in memory.
//!
//! It must not know who asks. The invariants: the memory is bounded, and the least recently used leave it first; a file is known by the digest
//! of its bytes, so a kept picture is never another file's.

use std::{
    collections::HashMap,
    fmt,
    io::Cursor,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::web::{self, Bytes};
use generation::{
    ImageFormat,
    jobs::{Artifact, Jobs},
};
use image::{DynamicImage, ImageReader, RgbImage};

use super::{artifacts, decoding, first_frame};
use crate::http::Problem;

/// The length of the longer side, in pixels.
const LONGER_SIDE: u32 = 320;
/// The files' format: small, and known to every browser.
const FORMAT: ImageFormat = ImageFormat::Jpeg { quality: 82 };
/// The maximum size of all kept pictures, in bytes: a few thousand of them.
const MAX_BYTES: usize = 32 << 20;
/// The maximum side of a picture that a job makes, and the memory that decoding one may take.
const MAX_SIDE: u32 = 16_384;
const MAX_DECODED: u64 = 512 << 20;

/// The kept pictures; clones share them.
#[derive(Clone, Default)]
pub struct Thumbnails(Arc<Mutex<Kept>>);

impl fmt::Debug for Thumbnails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thumbnails").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Kept {
    /// By digest, with the time of their last use.
    pictures: HashMap<String, (Bytes, u64)>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

impl Thumbnails {
    /// The media type of the pictures.
    pub(crate) const MEDIA_TYPE: &str = FORMAT.media_type();

    /// A small picture of a job's image or of its video's first frame; `None` if the file cannot be decoded.
    ///
    /// # Errors
    /// 404 if the file is missing; 503 if it cannot be read.
    pub(crate) async fn of(&self, jobs: &Jobs, scratch: &Path, job: &str, file: &Artifact) -> Result<Option<Bytes>, Problem> {
        if let Some(kept) = self.lock().get(&file.sha256) {
            return Ok(Some(kept));
        }
        let _turn = decoding::turn().await.map_err(|_| Problem::internal())?;
        // Another request may have made it meanwhile.
        if let Some(kept) = self.lock().get(&file.sha256) {
            return Ok(Some(kept));
        }
        let made = if file.media_type.starts_with("video/") {
            match first_frame::of_video(jobs, scratch, job, &file.name).await? {
                Some(frame) => web::block(move || small(frame.into())).await?,
                None => None,
            }
        } else {
            let bytes = artifacts::read(jobs, job, &file.name).await?;
            web::block(move || small(decoded(bytes)?)).await?
        };
        let Some(picture) = made.map(Bytes::from) else {
            tracing::error!(job, file = file.name, "a file of a job cannot be decoded to show it small");
            return Ok(None);
        };
        self.lock().keep(&file.sha256, &picture, MAX_BYTES);
        Ok(Some(picture))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&mut self, digest: &str) -> Option<Bytes> {
        self.clock += 1;
        let (picture, used) = self.pictures.get_mut(digest)?;
        *used = self.clock;
        Some(picture.clone())
    }

    fn keep(&mut self, digest: &str, picture: &Bytes, most: usize) {
        self.clock += 1;
        if let Some((before, _)) = self.pictures.insert(digest.to_owned(), (picture.clone(), self.clock)) {
            self.bytes -= before.len();
        }
        self.bytes += picture.len();
        if self.bytes <= most {
            return;
        }
        // An eighth leaves at once, so that the order is not looked up for every picture.
        let mut by_use: Vec<(u64, String)> = self.pictures.iter().map(|(digest, (_, used))| (*used, digest.clone())).collect();
        by_use.sort_unstable();
        for (_, digest) in by_use {
            if self.bytes <= most - most / 8 {
                break;
            }
            if let Some((gone, _)) = self.pictures.remove(&digest) {
                self.bytes -= gone.len();
            }
        }
    }
}

fn decoded(bytes: Vec<u8>) -> Option<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height, limits.max_alloc) = (Some(MAX_SIDE), Some(MAX_SIDE), Some(MAX_DECODED));
    reader.limits(limits);
    reader.decode().ok()
}

/// The file of the picture, smaller unless it is small.
fn small(image: DynamicImage) -> Option<Vec<u8>> {
    let is_large = image.width().max(image.height()) > LONGER_SIDE;
    let small: RgbImage = if is_large { image.thumbnail(LONGER_SIDE, LONGER_SIDE).into_rgb8() } else { image.into_rgb8() };
    FORMAT.encode(&small, "").ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_least_recently_used_leave_first() {
        let mut kept = Kept::default();
        let picture = Bytes::from_static(&[0; 10]);
        for digest in ["a", "b", "c", "d"] {
            kept.keep(digest, &picture, 40);
        }
        assert!(kept.get("a").is_some(), "it is used again");
        kept.keep("e", &picture, 40);
        let left: Vec<bool> = ["a", "b", "c", "d", "e"].map(|digest| kept.get(digest).is_some()).to_vec();
        assert_eq!(left, [true, false, false, true, true]);
        assert_eq!(kept.bytes, 30);
        kept.keep("a", &picture, 40);
        assert_eq!(kept.bytes, 30, "one file is counted once");
    }

    #[test]
    fn a_picture_fits_into_its_square_and_is_never_enlarged() {
        for ((width, height), expected) in [((1000, 500), (320, 160)), ((40, 30), (40, 30)), ((320, 1280), (80, 320))] {
            let file = small(DynamicImage::from(RgbImage::new(width, height))).unwrap();
            let read = decoded(file).unwrap();
            assert_eq!((read.width(), read.height()), expected);
        }
        assert!(decoded(b"no picture".to_vec()).is_none());
    }
}
