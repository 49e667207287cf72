//! A folder in which a job's finished pieces are kept, so that the job goes on behind them after a crash or a restart.
//!
//! It must not know what the pieces are for. The invariants: the folder is one job's; a piece is there whole or not at all, for each is
//! staged and renamed; one that cannot be read counts as absent, and one that cannot be written is left out, with a line in the log:
//! neither costs more than time. The folder says whose pieces it holds before it holds one.
//!
//! Latents are safetensors files and survive even a power cut, for steps are dear. Pictures are PNG files, whose checksums tell a torn one
//! from a whole one, so that nothing waits for the disk: after a power cut the last ones are decoded again.

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

/// The file in a journal that names its fingerprint.
pub(super) const FINGERPRINT: &str = "maker";

/// A job's folder.
#[derive(Debug)]
pub struct FolderJournal {
    folder: PathBuf,
    /// What is still to be written before the first piece.
    fingerprint: Option<String>,
    fail_hook: FailHook,
}

impl FolderJournal {
    /// The journal in this folder, which is made when something is first kept.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), fingerprint: None, fail_hook: FailHook::default() }
    }

    /// The same, which names the fingerprint of its pieces with the first of them: a job that keeps nothing does not wait for the disk.
    pub(super) fn signed(self, fingerprint: impl Into<String>) -> Self {
        Self { fingerprint: Some(fingerprint.into()), ..self }
    }

    /// The same, which calls a hook at what it keeps.
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
            tracing::warn!(file = %file.display(), %reason, "could not be kept: after a crash it would be made again");
        }
    }

    fn latents_file(&self, run: Run) -> PathBuf {
        self.folder.join(format!("{run}.safetensors"))
    }

    fn picture_file(&self, run: Run, frame: usize) -> PathBuf {
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

    fn picture(&mut self, run: Run, frame: usize) -> Option<RgbImage> {
        read(&self.picture_file(run, frame), |bytes| {
            image::load_from_memory_with_format(bytes, ImageFormat::Png)
                .map(|picture| picture.into_rgb8())
                .map_err(|error| error.to_string())
        })
    }

    fn keep_picture(&mut self, run: Run, frame: usize, picture: &RgbImage) {
        let file = self.picture_file(run, frame);
        self.keep(&file, png::encode_fast(picture).map_err(|error| error.to_string()), artifact::write_unsynced);
        self.fail_hook.reached(FailPoint::PicturesKept);
    }
}

fn read<T>(file: &Path, decode: impl FnOnce(&[u8]) -> Result<T, String>) -> Option<T> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "what was kept cannot be read and is made again");
            return None;
        }
    };
    decode(&bytes)
        .map_err(|reason| {
            let reason = reason.lines().next().map_or(Cow::Borrowed(""), Cow::Borrowed);
            tracing::warn!(file = %file.display(), %reason, "what was kept is torn and is made again");
        })
        .ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const RUN: Run = Run::Motion { scene: 1, run: 2 };

    fn picture() -> RgbImage {
        RgbImage::from_fn(33, 21, |x, y| image::Rgb([(x * 7) as u8, (y * 11) as u8, (x * y) as u8]))
    }

    #[test]
    fn a_picture_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = FolderJournal::new(folder.path().join("made/when/needed"));
        assert!(journal.picture(RUN, 3).is_none());
        journal.keep_picture(RUN, 3, &picture());
        assert_eq!(journal.picture(RUN, 3), Some(picture()));
        assert!(journal.picture(RUN, 2).is_none() && journal.picture(Run::Scene { scene: 1 }, 3).is_none());
        let names: Vec<_> = fs::read_dir(&journal.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["scene-1-motion-2.3.png"]);
    }

    #[test]
    fn a_torn_piece_counts_as_absent_wherever_it_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = FolderJournal::new(folder.path());
        journal.keep_picture(RUN, 0, &picture());
        let file = journal.picture_file(RUN, 0);
        let whole = fs::read(&file).unwrap();
        for end in (0..whole.len()).step_by(5) {
            fs::write(&file, &whole[..end]).unwrap();
            assert!(journal.picture(RUN, 0).is_none_or(|found| found == picture()), "torn at {end} of {}", whole.len());
            // As a power cut leaves a file whose blocks were not all written.
            let blank: Vec<u8> = whole.iter().enumerate().map(|(index, byte)| if index < end { *byte } else { 0 }).collect();
            fs::write(&file, &blank).unwrap();
            assert!(journal.picture(RUN, 0).is_none_or(|found| found == picture()), "blank from {end} of {}", whole.len());
        }
        fs::write(journal.latents_file(RUN), b"torn").unwrap();
        assert!(journal.latents(RUN).is_none());
    }

    #[test]
    fn what_cannot_be_kept_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let mut journal = FolderJournal::new(folder.path().join("file/journal"));
        journal.keep_picture(RUN, 0, &picture());
        assert!(journal.picture(RUN, 0).is_none());
    }
}
