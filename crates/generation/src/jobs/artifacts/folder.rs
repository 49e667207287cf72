//! An artifact store in a folder, where each file appears complete or not at all.
//!
//! Invariants: a file is staged in `staging/<job>/` and moved to `artifacts/<job>/<name>` by one rename on the same file system; a reader
//! of `artifacts` never sees a partial file (only a power loss can leave one, of a job that is not completed and makes it again); the file
//! and its directory entry are on the disk when [`ArtifactStore::put`] returns; no symbolic link leads a reader out of the folder.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::{
    artifact_store::{ArtifactStore, Content, check_names},
    reader::ArtifactReader,
};
use crate::{
    artifact,
    image_file::ImageFormat,
    jobs::{
        error::StoreError,
        folders::{self, ARTIFACTS, PROBE, STAGING, refused, sync},
        record::Artifact,
    },
    sandbox::{self, SandboxError, SandboxedFile},
};

/// Bytes per read while computing a digest.
const CHUNK: usize = 1 << 16;
/// Free bytes that `check_room` asks for: the size of an image.
const PROBE_BYTES: usize = 1 << 20;

/// The store; clones share the folder.
#[derive(Clone, Debug)]
pub struct FolderArtifacts {
    root: Arc<Root>,
}

#[derive(Debug)]
struct Root {
    artifacts: PathBuf,
    staging: PathBuf,
}

impl FolderArtifacts {
    /// The store in a folder, which is created if needed, accessible to this user only.
    ///
    /// # Errors
    /// [`StoreError::Folder`] if a folder cannot be created.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        folders::make(root, &[ARTIFACTS, STAGING])?;
        Ok(Self { root: Arc::new(Root { artifacts: root.join(ARTIFACTS), staging: root.join(STAGING) }) })
    }

    /// Runs blocking work off the async threads.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Root) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let root = Arc::clone(&self.root);
        // Joining fails only if the runtime shuts down or the work panicked.
        tokio::task::spawn_blocking(move || work(&root)).await.map_err(|_| StoreError::ShuttingDown)?
    }
}

#[async_trait]
impl ArtifactStore for FolderArtifacts {
    async fn put(&self, job: &str, name: &str, media_type: &str, content: Content<'_>) -> Result<Artifact, StoreError> {
        check_names(job, name)?;
        let (job, name) = (job.to_owned(), name.to_owned());
        let staged = match content {
            Content::File(path) => Staged::File(path),
            Content::Bytes(bytes) => Staged::Bytes(bytes.to_vec()),
        };
        let kept = name.clone();
        let (bytes, sha256) = self.off_thread(move |root| root.put(&job, &name, staged)).await?;
        Ok(Artifact { name: kept, media_type: media_type.to_owned(), bytes, sha256, expired: false })
    }

    async fn open(&self, job: &str, name: &str) -> Result<Option<ArtifactReader>, StoreError> {
        if check_names(job, name).is_err() {
            return Ok(None);
        }
        let (job, name) = (job.to_owned(), name.to_owned());
        self.off_thread(move |root| root.open(&job, &name)).await
    }

    async fn remove(&self, job: &str) -> Result<(), StoreError> {
        check_names(job, job)?;
        let job = job.to_owned();
        self.off_thread(move |root| folders::remove(&root.artifacts.join(job))).await
    }

    async fn remove_file(&self, job: &str, name: &str) -> Result<(), StoreError> {
        check_names(job, name)?;
        let (job, name) = (job.to_owned(), name.to_owned());
        self.off_thread(move |root| root.remove_file(&job, &name)).await
    }

    async fn check_room(&self) -> Result<(), StoreError> {
        self.off_thread(Root::check_room).await
    }

    async fn jobs_with_files(&self) -> Result<Vec<String>, StoreError> {
        // Counts only files that jobs write; others are not results of ours.
        let is_file = |name: &str| name == "video.mp4" || ImageFormat::is_file_name(name);
        self.off_thread(move |root| folders::jobs_in(&root.artifacts, is_file)).await
    }

    async fn sweep(&self, kept: &HashSet<String>, known: &HashSet<String>) -> Result<(), StoreError> {
        let (kept, known) = (kept.clone(), known.clone());
        self.off_thread(move |root| {
            folders::sweep(&root.artifacts, |name| known.contains(name) && !kept.contains(name))?;
            folders::warn_of_unknown(&root.artifacts, |name| known.contains(name))
        })
        .await
    }
}

/// An owned [`Content`].
enum Staged {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Root {
    /// Puts a file in place, replacing that of an earlier attempt; returns its length and digest.
    fn put(&self, job: &str, name: &str, staged: Staged) -> Result<(u64, String), StoreError> {
        let folder = self.artifacts.join(job);
        let placed = folder.join(name);
        let (staged, digest) = match staged {
            Staged::Bytes(bytes) => {
                let staged = self.staging.join(job).join(name);
                folders::make_again(&self.staging)?;
                // Synced once it is in place.
                artifact::write_unsynced(&staged, &bytes)?;
                (staged, (bytes.len() as u64, artifact::sha256(&bytes)))
            }
            Staged::File(path) => match digest(&path) {
                Ok(digest) => (path, digest),
                // It is already in place if the job's row could not be written after an earlier put.
                Err(error) if error.kind() == io::ErrorKind::NotFound && placed.is_file() => {
                    return digest_of_placed(&placed).map_err(refused(&placed));
                }
                Err(error) => return Err(refused(&path)(error)),
            },
        };
        let place = || {
            fs::create_dir_all(&folder)?;
            fs::rename(&staged, &placed)?;
            // Everything is written before the first sync, which on common file systems flushes all of it; the other syncs then cost
            // little.
            sync(&placed)?;
            sync(&folder)?;
            sync(&self.artifacts)
        };
        place().map_err(refused(&placed))?;
        Ok(digest)
    }

    fn open(&self, job: &str, name: &str) -> Result<Option<ArtifactReader>, StoreError> {
        match sandbox::open(&self.artifacts, &format!("{job}/{name}")) {
            Ok(SandboxedFile { file, path }) => ArtifactReader::file(file).map(Some).map_err(refused(&path)),
            Err(SandboxError::Name | SandboxError::Missing | SandboxError::NotAFile) => Ok(None),
            Err(SandboxError::Io(error)) => Err(refused(&self.artifacts.join(job).join(name))(error)),
        }
    }

    fn remove_file(&self, job: &str, name: &str) -> Result<(), StoreError> {
        let folder = self.artifacts.join(job);
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(&path)(error)),
            Ok(()) | Err(_) => {}
        }
        // The folder is removed with its last file; while it has others, this fails and it stays.
        let _stays = fs::remove_dir(folder);
        Ok(())
    }

    /// Fails if another image could not be stored. The probe file is removed before its bytes reach the disk.
    fn check_room(&self) -> Result<(), StoreError> {
        folders::make_again(&self.staging)?;
        let probe = || tempfile::Builder::new().prefix(PROBE).tempfile_in(&self.staging)?.write_all(&vec![1; PROBE_BYTES]);
        probe().map_err(refused(&self.staging))
    }
}

fn digest_of_placed(placed: &Path) -> io::Result<(u64, String)> {
    let digest = digest(placed)?;
    // The earlier put may have failed after the rename.
    sync(placed)?;
    placed.ancestors().skip(1).take(2).try_for_each(sync)?;
    Ok(digest)
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
    Ok((bytes, artifact::hexadecimal(&hasher.finalize())))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn store() -> (tempfile::TempDir, FolderArtifacts) {
        let root = tempfile::tempdir().unwrap();
        let store = FolderArtifacts::open(root.path()).unwrap();
        (root, store)
    }

    #[tokio::test]
    async fn no_link_leads_a_reader_out_of_the_folder() {
        let (root, store) = store();
        store.put("a", "image-0.png", "image/png", Content::Bytes(b"abc")).await.unwrap();
        let artifacts = root.path().join(ARTIFACTS);
        fs::write(root.path().join("secret"), "secret").unwrap();
        fs::create_dir(artifacts.join("b")).unwrap();
        fs::create_dir(artifacts.join("a").join("folder")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::symlink;
            symlink(root.path().join("secret"), artifacts.join("b").join("image-0.png")).unwrap();
            symlink(artifacts.join("a"), artifacts.join("c")).unwrap();
            symlink(artifacts.join("d"), artifacts.join("d")).unwrap();
        }
        for (job, name) in [("b", "image-0.png"), ("c", "image-0.png"), ("d", "image-0.png"), ("a", "folder"), ("..", "secret")] {
            assert!(store.open(job, name).await.unwrap().is_none(), "{job}/{name}");
        }
        assert!(store.open("a", "image-0.png").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn files_of_no_job_are_left_alone() {
        let (root, store) = store();
        let artifacts = root.path().join(ARTIFACTS);
        fs::write(artifacts.join("notes.txt"), "mine").unwrap();
        fs::create_dir(artifacts.join("lost+found")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path(), artifacts.join("link")).unwrap();
        store.sweep(&HashSet::new(), &HashSet::from(["link".into()])).await.unwrap();
        assert!(artifacts.join("notes.txt").exists() && artifacts.join("lost+found").exists());
        assert!(!cfg!(unix) || artifacts.join("link").exists());
        fs::create_dir(artifacts.join("holidays")).unwrap();
        fs::write(artifacts.join("holidays/beach.jpg"), "").unwrap();
        fs::create_dir(artifacts.join("empty")).unwrap();
        assert!(store.jobs_with_files().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_probe_for_free_space_leaves_nothing_behind() {
        let (root, store) = store();
        let staging = root.path().join(STAGING);
        store.check_room().await.unwrap();
        assert_eq!(fs::read_dir(&staging).unwrap().count(), 0);
        fs::remove_dir(&staging).unwrap();
        store.check_room().await.unwrap();
        fs::remove_dir_all(root.path()).unwrap();
        assert_eq!(store.check_room().await.unwrap_err().fault(), crate::jobs::DiskFault::Gone);
    }
}
