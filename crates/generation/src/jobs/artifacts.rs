//! The files of jobs: a folder, where each appears whole or not at all.
//!
//! It must not know the job store or what a file holds. The invariants: a file is made in `staging/<job>/` and moved to
//! `artifacts/<job>/<name>` by one rename on the same file system; whoever reads `artifacts/` never sees a part of a file (only a lost
//! machine leaves one, of a job that is not completed and makes it again); both the file and the entry in its folder are on the disk when
//! [`ArtifactStore::commit`] returns. What a job needs to go on lies in
//! `journal/<job>/`, and goes with the job.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{error::StoreError, record::Artifact};

/// Bytes that are read at once for a digest.
const CHUNK: usize = 1 << 16;
/// The file in a journal that says who fills it.
const MAKER: &str = "maker";
/// The folders, by what is in them.
pub(super) const ARTIFACTS: &str = "artifacts";
pub(super) const JOURNALS: &str = "journal";
const STAGING: &str = "staging";
/// How the names of files begin that only find out whether there is room.
const PROBE: &str = ".room-";
/// Bytes for which there must be room: those of a picture.
const ROOM: usize = 1 << 20;
/// The name of a job's video.
pub(super) const VIDEO: &str = "video.mp4";
/// The longest id and file name.
const LONGEST_NAME: usize = 64;

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct ArtifactStore {
    root: PathBuf,
}

/// Whether a name is one that this store gives to files and folders: letters, digits, `_`, `-`, and `.` inside.
pub fn is_plain_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_plain) && !name.starts_with('.')
}

/// The folders in `folder` that are named like a job's and hold a file that `counts`.
fn jobs_in(folder: &Path, counts: impl Fn(&str) -> bool) -> Result<Vec<String>, StoreError> {
    let holds = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().any(|file| file.file_name().to_str().is_some_and(&counts));
    let entries = fs::read_dir(folder).map_err(refused(folder))?.flatten();
    let jobs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && holds(&entry.path()));
    Ok(jobs.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_plain_name(name)).collect())
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Folder { path, source }
}

/// Removes a folder and all that is in it; one that is not there is removed already.
fn remove_folder(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes sure that a file's or folder's bytes are on the disk. (Folders can be synced on Unix only.)
fn sync(path: &Path) -> io::Result<()> {
    if cfg!(unix) || path.is_file() { File::open(path)?.sync_all() } else { Ok(()) }
}

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut chunk)?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else { break };
        hasher.update(part);
        bytes += read as u64;
    }
    let hexadecimal = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, hexadecimal))
}

impl ArtifactStore {
    /// The store in a folder; made if need be, and then for this user alone: prompts and pictures are nobody else's business.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(root).map_err(refused(root))?;
        let store = Self { root: root.to_owned() };
        for folder in [store.artifacts(), store.staging(), store.journals()] {
            fs::create_dir_all(&folder).map_err(refused(&folder))?;
        }
        Ok(store)
    }

    fn artifacts(&self) -> PathBuf {
        self.root.join(ARTIFACTS)
    }

    fn staging(&self) -> PathBuf {
        self.root.join(STAGING)
    }

    fn journals(&self) -> PathBuf {
        self.root.join(JOURNALS)
    }

    /// Where a job's files are made.
    pub(super) fn staging_of(&self, job: &str) -> PathBuf {
        self.staging().join(job)
    }

    /// Where a job keeps what it needs to go on.
    pub(super) fn journal_of(&self, job: &str) -> PathBuf {
        self.journals().join(job)
    }

    /// Says who fills a job's journal from now on. What another filled, such as another model, is of no use to them, and goes.
    pub(super) fn begin_journal(&self, job: &str, maker: &str) -> Result<(), StoreError> {
        let journal = self.journal_of(job);
        let sign = journal.join(MAKER);
        if fs::read_to_string(&sign).is_ok_and(|found| found == maker) {
            return Ok(());
        }
        remove_folder(&journal)?;
        crate::artifact::write(&sign, maker.as_bytes())?;
        Ok(())
    }

    /// Where a job's file lies, or would.
    pub(super) fn path_of(&self, job: &str, name: &str) -> PathBuf {
        self.artifacts().join(job).join(name)
    }

    /// An empty folder for a job's files in the making.
    pub(super) fn begin(&self, job: &str) -> Result<PathBuf, StoreError> {
        let staging = self.staging_of(job);
        remove_folder(&staging)?;
        self.make_staging()?;
        fs::create_dir(&staging).map_err(refused(&staging))?;
        Ok(staging)
    }

    /// Makes the staging folder anew where somebody removed it; never the folder of the store, which may only be away for a time.
    fn make_staging(&self) -> Result<(), StoreError> {
        let folder = self.staging();
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(refused(&folder)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Moves a finished file from the job's staging folder to its place, over one of an earlier attempt.
    pub(super) fn commit(&self, job: &str, name: &str, media_type: &str) -> Result<Artifact, StoreError> {
        let staged = self.staging_of(job).join(name);
        let folder = self.artifacts().join(job);
        let placed = folder.join(name);
        let place = || -> io::Result<(u64, String)> {
            let digest = digest(&staged)?;
            fs::create_dir_all(&folder)?;
            fs::rename(&staged, &placed)?;
            // All of it is there before the first sync, which on common file systems takes all of it along; the others then cost little.
            sync(&placed)?;
            sync(&folder)?;
            sync(&self.artifacts())?;
            Ok(digest)
        };
        let (bytes, sha256) = place().map_err(refused(&placed))?;
        Ok(Artifact { name: name.to_owned(), media_type: media_type.to_owned(), bytes, sha256, expired: false })
    }

    /// Removes what a job made on its way, and its journal.
    pub(super) fn clear(&self, job: &str) -> Result<(), StoreError> {
        remove_folder(&self.staging_of(job))?;
        remove_folder(&self.journal_of(job))
    }

    /// Removes all that there is of a job.
    pub(super) fn remove(&self, job: &str) -> Result<(), StoreError> {
        self.clear(job)?;
        remove_folder(&self.artifacts().join(job))
    }

    /// Removes one file of a job.
    pub(super) fn remove_file(&self, job: &str, name: &str) -> Result<(), StoreError> {
        let path = self.path_of(job, name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(&path)(error)),
            Ok(()) | Err(_) => {}
        }
        // The folder goes with its last file; while there are others it stays.
        let _stays = fs::remove_dir(self.artifacts().join(job));
        Ok(())
    }

    /// The jobs of which there is something that took work: a file, or a piece in a journal.
    pub(super) fn jobs(&self) -> Result<Vec<String>, StoreError> {
        let is_file = |name: &str| name == VIDEO || (name.starts_with("image-") && name.ends_with(".png"));
        let mut found = jobs_in(&self.artifacts(), is_file)?;
        found.extend(jobs_in(&self.journals(), |name| name != MAKER)?);
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Whether there is room for a picture: fails where the next one could not be stored. What is written goes before it reaches the disk.
    pub(super) fn check_room(&self) -> Result<(), StoreError> {
        self.make_staging()?;
        let folder = self.staging();
        let probe = || tempfile::Builder::new().prefix(PROBE).tempfile_in(&folder)?.write_all(&vec![1; ROOM]);
        probe().map_err(refused(&folder))
    }

    /// Removes what jobs left behind: in staging that of those that are not among `open`, journals of `known` jobs that are not open, and files
    /// of `known` jobs that neither are open nor among `kept`, as a job leaves them that was called off between its file's place and its end. What is no job's stays where
    /// it is, with a warning.
    pub(super) fn sweep(&self, open: &HashSet<String>, kept: &HashSet<String>, known: &HashSet<String>) -> Result<(), StoreError> {
        sweep_folder(&self.staging(), |name| !open.contains(name))?;
        sweep_folder(&self.journals(), |name| known.contains(name) && !open.contains(name))?;
        sweep_folder(&self.artifacts(), |name| known.contains(name) && !open.contains(name) && !kept.contains(name))?;
        for folder in [self.artifacts(), self.journals()] {
            let unknown: Vec<String> = jobs_in(&folder, |_| true)?.into_iter().filter(|name| !known.contains(name)).collect();
            if let Some(first) = unknown.first() {
                tracing::warn!(folder = %folder.display(), count = unknown.len(), %first, "files of jobs that the store does not know are left alone");
            }
        }
        Ok(())
    }
}

/// Removes the folders in `folder` that jobs have left behind.
fn sweep_folder(folder: &Path, is_left_behind: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(refused(folder))?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if name.starts_with(PROBE) {
            fs::remove_file(&path)
        } else if !is_folder || !is_plain_name(&name) {
            tracing::warn!(path = %path.display(), "this is no job's and is left alone");
            continue;
        } else if is_left_behind(&name) {
            fs::remove_dir_all(&path)
        } else {
            continue;
        };
        if let Err(error) = removed {
            tracing::warn!(path = %path.display(), %error, "what a job left behind cannot be removed");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_file_appears_whole_and_over_an_older_one() {
        let root = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(root.path()).unwrap();
        for content in ["first", "abc"] {
            let staging = store.begin("vid_1").unwrap();
            fs::write(staging.join("video.mp4"), content).unwrap();
            let artifact = store.commit("vid_1", "video.mp4", "video/mp4").unwrap();
            assert_eq!(artifact.bytes, content.len() as u64);
            assert_eq!(fs::read_to_string(store.path_of("vid_1", "video.mp4")).unwrap(), content);
        }
        // SHA-256's own example of "abc".
        let (_, sha256) = digest(&store.path_of("vid_1", "video.mp4")).unwrap();
        assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        store.remove_file("vid_1", "video.mp4").unwrap();
        assert!(!root.path().join("artifacts/vid_1").exists());
    }

    #[test]
    fn a_journal_is_one_models() {
        let root = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(root.path()).unwrap();
        let kept = store.journal_of("a").join("scene-0.safetensors");
        store.begin_journal("a", "one model").unwrap();
        fs::write(&kept, "latents").unwrap();
        store.begin_journal("a", "one model").unwrap();
        assert!(kept.exists());
        store.begin_journal("a", "another model").unwrap();
        assert!(!kept.exists());
    }

    #[test]
    fn what_no_job_needs_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(root.path()).unwrap();
        store.begin("a").unwrap();
        store.begin("b").unwrap();
        fs::create_dir(store.journal_of("b")).unwrap();
        for job in ["a", "b", "c"] {
            fs::create_dir(root.path().join("artifacts").join(job)).unwrap();
        }
        let known = HashSet::from(["a", "b", "c"].map(String::from));
        store.sweep(&HashSet::from(["a".into()]), &HashSet::from(["c".into()]), &known).unwrap();
        let places = ["a", "b", "c"].map(|job| root.path().join("artifacts").join(job).exists());
        assert_eq!(places, [true, false, true]);
        assert!(store.staging_of("a").exists() && !store.staging_of("b").exists() && !store.journal_of("b").exists());
    }

    #[test]
    fn what_is_no_jobs_stays_where_it_is() {
        let root = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(root.path()).unwrap();
        let artifacts = root.path().join(ARTIFACTS);
        for folder in [ARTIFACTS, JOURNALS, STAGING].map(|folder| root.path().join(folder)) {
            fs::write(folder.join("notes.txt"), "mine").unwrap();
            fs::create_dir(folder.join("lost+found")).unwrap();
        }
        fs::create_dir(artifacts.join("vid_unknown")).unwrap();
        fs::write(artifacts.join("vid_unknown").join(VIDEO), "a video").unwrap();
        fs::create_dir(store.journal_of("vid_unknown")).unwrap();
        fs::write(store.journal_of("vid_unknown").join("scene-0.safetensors"), "latents").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path(), artifacts.join("vid_link")).unwrap();
        store.sweep(&HashSet::new(), &HashSet::new(), &HashSet::from(["vid_link".into()])).unwrap();
        for folder in [ARTIFACTS, JOURNALS, STAGING].map(|folder| root.path().join(folder)) {
            assert!(folder.join("notes.txt").exists() && folder.join("lost+found").exists(), "{}", folder.display());
        }
        assert!(artifacts.join("vid_unknown").join(VIDEO).exists());
        assert!(store.journal_of("vid_unknown").join("scene-0.safetensors").exists());
        assert!(!cfg!(unix) || artifacts.join("vid_link").exists());
    }

    #[test]
    fn what_took_work_is_found_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(root.path()).unwrap();
        assert!(store.jobs().unwrap().is_empty());
        for (folder, job, file) in [
            (ARTIFACTS, "vid_1", VIDEO),
            (ARTIFACTS, "img_1", "image-3.png"),
            (ARTIFACTS, "holidays", "beach.jpg"),
            (JOURNALS, "vid_2", "scene-0.safetensors"),
            (JOURNALS, "vid_3", MAKER),
            (STAGING, "vid_4", VIDEO),
        ] {
            let folder = root.path().join(folder).join(job);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(file), "").unwrap();
        }
        fs::create_dir(root.path().join(ARTIFACTS).join("vid_5")).unwrap();
        assert_eq!(store.jobs().unwrap(), ["img_1", "vid_1", "vid_2"]);
    }

    #[test]
    fn room_is_looked_for_and_nothing_stays_of_it() {
        let root = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(root.path()).unwrap();
        store.check_room().unwrap();
        assert_eq!(fs::read_dir(store.staging()).unwrap().count(), 0);
        fs::remove_dir(store.staging()).unwrap();
        store.check_room().unwrap();
        fs::remove_dir_all(root.path()).unwrap();
        assert_eq!(store.check_room().unwrap_err().fault(), super::super::DiskFault::Gone);
    }

    #[test]
    fn names_are_plain() {
        for name in ["video.mp4", "image-0.png", "vid_0123456789ab"] {
            assert!(is_plain_name(name), "{name}");
        }
        for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "a\0", "ä", "a b", &"x".repeat(65)] {
            assert!(!is_plain_name(name), "{name}");
        }
    }
}
