//! A worker's own folders: `staging/<job>` for files in the making, and `journal/<job>` for what a job needs to resume.
//!
//! It must not know the job store or what a journal contains. Invariants: a job's staging folder is empty when the job starts; a journal
//! holds pieces of one fingerprint (program, model, precision, device), so a job never resumes from another model's pieces; both folders
//! are removed with the job.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    error::StoreError,
    folders::{self, JOURNALS, STAGING},
    journal::{FINGERPRINT, FolderJournal},
};

/// The folders of one worker's jobs.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    staging: PathBuf,
    journals: PathBuf,
}

impl Scratch {
    /// The folders in a root; created if needed.
    ///
    /// # Errors
    /// For all of these methods: [`StoreError::Folder`] with the path and the operating system's reason.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        folders::make(root, &[STAGING, JOURNALS])?;
        Ok(Self { staging: root.join(STAGING), journals: root.join(JOURNALS) })
    }

    /// Creates an empty folder for a job's files.
    pub(super) fn begin(&self, job: &str) -> Result<PathBuf, StoreError> {
        let staging = self.staging.join(job);
        folders::remove(&staging)?;
        folders::make_again(&self.staging)?;
        fs::create_dir(&staging).map_err(folders::refused(&staging))?;
        Ok(staging)
    }

    /// A job's journal for this fingerprint; pieces of another one are removed.
    pub(super) fn journal(&self, job: &str, fingerprint: &str) -> Result<FolderJournal, StoreError> {
        let folder = self.journals.join(job);
        let journal = FolderJournal::new(&folder);
        if fs::read_to_string(folder.join(FINGERPRINT)).is_ok_and(|found| found == fingerprint) {
            return Ok(journal);
        }
        folders::remove(&folder)?;
        Ok(journal.signed(fingerprint))
    }

    /// Removes a job's folders.
    pub(super) fn clear(&self, job: &str) -> Result<(), StoreError> {
        folders::remove(&self.staging.join(job))?;
        folders::remove(&self.journals.join(job))
    }

    /// Removes staging folders of jobs that are not `open`, and journals of `known` jobs that are not open. Journals of unknown jobs and
    /// other files stay, with a warning.
    pub(super) fn sweep(&self, open: &HashSet<String>, known: &HashSet<String>) -> Result<(), StoreError> {
        folders::sweep(&self.staging, |name| !open.contains(name))?;
        folders::sweep(&self.journals, |name| known.contains(name) && !open.contains(name))?;
        folders::warn_of_unknown(&self.journals, |name| known.contains(name))
    }

    /// The names of the jobs whose journals have a piece.
    pub(super) fn jobs_with_journals(&self) -> Result<Vec<String>, StoreError> {
        folders::jobs_in(&self.journals, |name| name != FINGERPRINT)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use diffusion_core::journal::{Journal as _, Run};
    use image::RgbImage;

    use super::*;
    use crate::artifact;

    const RUN: Run = Run::Scene { scene: 0 };

    fn scratch() -> (tempfile::TempDir, Scratch) {
        let root = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(root.path()).unwrap();
        (root, scratch)
    }

    #[test]
    fn a_job_begins_with_an_empty_folder_even_after_all_of_them_were_removed() {
        let (root, scratch) = scratch();
        fs::write(scratch.begin("a").unwrap().join("video.mp4"), "half").unwrap();
        assert_eq!(fs::read_dir(scratch.begin("a").unwrap()).unwrap().count(), 0);
        fs::remove_dir_all(root.path().join(STAGING)).unwrap();
        assert!(scratch.begin("a").unwrap().is_dir());
        fs::remove_dir_all(root.path()).unwrap();
        assert_eq!(scratch.begin("a").unwrap_err().fault(), crate::jobs::DiskFault::Gone, "the root may only be away for a time");
    }

    #[test]
    fn a_journal_has_one_fingerprint() {
        let (_root, scratch) = scratch();
        let image = RgbImage::new(2, 2);
        let mut journal = scratch.journal("a", "one model").unwrap();
        assert!(!scratch.journals.join("a").exists(), "a job that keeps nothing does not wait for the disk");
        // A journal without a piece holds no work.
        artifact::write(&scratch.journals.join("b").join(FINGERPRINT), b"one model").unwrap();
        assert!(scratch.jobs_with_journals().unwrap().is_empty());
        journal.keep_image(RUN, 0, &image);
        assert_eq!(fs::read_to_string(scratch.journals.join("a").join(FINGERPRINT)).unwrap(), "one model");
        assert_eq!(scratch.jobs_with_journals().unwrap(), ["a"]);
        let mut again = scratch.journal("a", "one model").unwrap();
        assert_eq!(again.image(RUN, 0), Some(image.clone()));
        let mut others = scratch.journal("a", "another model").unwrap();
        assert_eq!(others.image(RUN, 0), None);
        others.keep_image(RUN, 1, &image);
        assert_eq!(fs::read_to_string(scratch.journals.join("a").join(FINGERPRINT)).unwrap(), "another model");
        assert_eq!(scratch.journal("a", "another model").unwrap().image(RUN, 1), Some(image));
    }

    #[test]
    fn only_folders_that_no_job_needs_are_swept() {
        let (root, scratch) = scratch();
        for job in ["open", "ended", "unknown"] {
            scratch.begin(job).unwrap();
            scratch.journal(job, "a model").unwrap().keep_image(RUN, 0, &RgbImage::new(2, 2));
        }
        for folder in [&scratch.staging, &scratch.journals] {
            fs::write(folder.join("notes.txt"), "mine").unwrap();
            fs::create_dir(folder.join("lost+found")).unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink(root.path(), folder.join("link")).unwrap();
        }
        let known = HashSet::from(["open", "ended", "link"].map(String::from));
        scratch.sweep(&HashSet::from(["open".into()]), &known).unwrap();
        let found = |folder: &Path| ["open", "ended", "unknown"].map(|job| folder.join(job).exists());
        assert_eq!((found(&scratch.staging), found(&scratch.journals)), ([true, false, false], [true, false, true]));
        for folder in [&scratch.staging, &scratch.journals] {
            assert!(folder.join("notes.txt").exists() && folder.join("lost+found").exists());
            assert!(!cfg!(unix) || folder.join("link").exists());
        }
        scratch.clear("open").unwrap();
        assert_eq!((found(&scratch.staging), found(&scratch.journals)), ([false; 3], [false, false, true]));
    }
}
