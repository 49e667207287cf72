//! A folder that keeps a job's finished pieces, so that the job resumes after them when it was interrupted.
//!
//! It must not know what the pieces are for. Invariants: the folder belongs to one job; a piece is complete or absent, because it is staged
//! and renamed; an unreadable piece counts as absent, and a failed write is skipped with a log line: neither costs more than time. The
//! folder names the fingerprint of its pieces before it holds one.
//!
//! Latents are safetensors files that survive a power loss, because denoising steps are expensive. Images are PNG files without a sync, so
//! that nothing waits for the disk; their checksums reveal torn ones. After a power loss the last images are decoded again.

use std::{
    borrow::Cow,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use diffusion_core::journal::{Journal, KeptLatents, Run};
use image::{ImageFormat, RgbImage};

use crate::{
    artifact::{self, ArtifactError},
    jobs::{FailHook, FailPoint},
    png,
};

/// The file in a journal that holds its fingerprint.
pub(super) const FINGERPRINT: &str = "maker";

/// A job's journal folder.
#[derive(Debug)]
pub struct FolderJournal {
    folder: PathBuf,
    /// The fingerprint, until it is written before the first piece.
    fingerprint: Option<String>,
    fail_hook: FailHook,
}

impl FolderJournal {
    /// The journal in this folder, which is created with the first piece.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), fingerprint: None, fail_hook: FailHook::default() }
    }

    /// Adds a fingerprint, written with the first piece: a job that keeps nothing does not wait for the disk.
    pub(super) fn signed(self, fingerprint: impl Into<String>) -> Self {
        Self { fingerprint: Some(fingerprint.into()), ..self }
    }

    /// Adds a hook, called after each kept piece.
    pub fn watched(self, fail_hook: FailHook) -> Self {
        Self { fail_hook, ..self }
    }

    /// Keeps a piece.
    fn keep(&mut self, file: &Path, bytes: Result<Vec<u8>, String>, write: fn(&Path, &[u8]) -> Result<(), ArtifactError>) {
        let written = bytes.and_then(|bytes| {
            if let Some(fingerprint) = &self.fingerprint {
                artifact::write(&self.folder.join(FINGERPRINT), fingerprint.as_bytes()).map_err(|error| error.to_string())?;
                self.fingerprint = None;
            }
            write(file, &bytes).map_err(|error| error.to_string())
        });
        if let Err(reason) = written {
            tracing::warn!(file = %file.display(), %reason, "not journaled; after a crash this piece would be made again");
        }
    }

    fn latents_file(&self, run: Run) -> PathBuf {
        self.folder.join(format!("{run}.safetensors"))
    }

    fn image_file(&self, run: Run, frame: usize) -> PathBuf {
        self.folder.join(format!("{run}.{frame}.png"))
    }
}

impl Journal for FolderJournal {
    fn latents(&mut self, run: Run) -> Option<KeptLatents> {
        read(&self.latents_file(run), |bytes| KeptLatents::from_bytes(bytes).map_err(|error| error.to_string()))
    }

    fn keep_latents(&mut self, run: Run, latents: &KeptLatents) {
        let file = self.latents_file(run);
        self.keep(&file, latents.to_bytes().map_err(|error| error.to_string()), artifact::write);
        self.fail_hook.reached(FailPoint::LatentsKept);
    }

    fn image(&mut self, run: Run, frame: usize) -> Option<RgbImage> {
        read(&self.image_file(run, frame), |bytes| {
            image::load_from_memory_with_format(bytes, ImageFormat::Png).map(|image| image.into_rgb8()).map_err(|error| error.to_string())
        })
    }

    fn keep_image(&mut self, run: Run, frame: usize, image: &RgbImage) {
        let file = self.image_file(run, frame);
        self.keep(&file, png::encode_fast(image).map_err(|error| error.to_string()), artifact::write_unsynced);
        self.fail_hook.reached(FailPoint::ImagesKept);
    }
}

fn read<T>(file: &Path, decode: impl FnOnce(&[u8]) -> Result<T, String>) -> Option<T> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "a journaled piece cannot be read and is made again");
            return None;
        }
    };
    decode(&bytes)
        .map_err(|reason| {
            let reason = reason.lines().next().map_or(Cow::Borrowed(""), Cow::Borrowed);
            tracing::warn!(file = %file.display(), %reason, "a journaled piece is torn and is made again");
        })
        .ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const RUN: Run = Run::Motion { scene: 1, run: 2 };

    fn image() -> RgbImage {
        RgbImage::from_fn(33, 21, |x, y| image::Rgb([(x * 7) as u8, (y * 11) as u8, (x * y) as u8]))
    }

    #[test]
    fn a_kept_image_is_read_back_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = FolderJournal::new(folder.path().join("made/when/needed"));
        assert!(journal.image(RUN, 3).is_none());
        journal.keep_image(RUN, 3, &image());
        assert_eq!(journal.image(RUN, 3), Some(image()));
        assert!(journal.image(RUN, 2).is_none() && journal.image(Run::Scene { scene: 1 }, 3).is_none());
        let names: Vec<_> = fs::read_dir(&journal.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["scene-1-motion-2.3.png"]);
    }

    #[test]
    fn a_torn_piece_counts_as_absent_wherever_it_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = FolderJournal::new(folder.path());
        journal.keep_image(RUN, 0, &image());
        let file = journal.image_file(RUN, 0);
        let whole = fs::read(&file).unwrap();
        for end in (0..whole.len()).step_by(5) {
            fs::write(&file, &whole[..end]).unwrap();
            assert!(journal.image(RUN, 0).is_none_or(|found| found == image()), "torn at {end} of {}", whole.len());
            // As a power loss leaves a file whose blocks were not all written.
            let blank: Vec<u8> = whole.iter().enumerate().map(|(index, byte)| if index < end { *byte } else { 0 }).collect();
            fs::write(&file, &blank).unwrap();
            assert!(journal.image(RUN, 0).is_none_or(|found| found == image()), "blank from {end} of {}", whole.len());
        }
        fs::write(journal.latents_file(RUN), b"torn").unwrap();
        assert!(journal.latents(RUN).is_none());
    }

    #[test]
    fn a_failed_write_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let mut journal = FolderJournal::new(folder.path().join("file/journal"));
        journal.keep_image(RUN, 0, &image());
        assert!(journal.image(RUN, 0).is_none());
    }
}
