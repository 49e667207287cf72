//! An artifact store in memory.
//!
//! It keeps every file until it is removed; the caller must bound them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{
    artifact_store::{ArtifactStore, Content, check_names},
    reader::ArtifactReader,
};
use crate::{
    artifact,
    jobs::{error::StoreError, folders::refused, record::Artifact},
};

type Files = BTreeMap<String, Arc<[u8]>>;

/// The store; clones share the files.
#[derive(Clone, Debug, Default)]
pub struct MemoryArtifacts {
    jobs: Arc<Mutex<HashMap<String, Files>>>,
}

impl MemoryArtifacts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Files>> {
        // No code panics while it holds the lock.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, job: &str, name: &str) -> Option<Arc<[u8]>> {
        self.lock().get(job)?.get(name).cloned()
    }
}

#[async_trait]
impl ArtifactStore for MemoryArtifacts {
    async fn put(&self, job: &str, name: &str, media_type: &str, content: Content<'_>) -> Result<Artifact, StoreError> {
        check_names(job, name)?;
        let bytes: Arc<[u8]> = match content {
            Content::Bytes(bytes) => bytes.into(),
            Content::File(path) => {
                let staged = path.clone();
                let read_and_remove = move || fs::read(&staged).and_then(|bytes| fs::remove_file(&staged).map(|()| bytes));
                let read = tokio::task::spawn_blocking(read_and_remove).await.map_err(|_| StoreError::ShuttingDown)?;
                match (read, self.find(job, name)) {
                    (Ok(bytes), _) => bytes.into(),
                    (Err(error), Some(placed)) if error.kind() == io::ErrorKind::NotFound => placed,
                    (Err(error), _) => return Err(refused(&path)(error)),
                }
            }
        };
        let artifact = Artifact {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            bytes: bytes.len() as u64,
            sha256: artifact::sha256(&bytes),
            expired: false,
        };
        self.lock().entry(job.to_owned()).or_default().insert(name.to_owned(), bytes);
        Ok(artifact)
    }

    async fn open(&self, job: &str, name: &str) -> Result<Option<ArtifactReader>, StoreError> {
        Ok(self.find(job, name).map(ArtifactReader::memory))
    }

    async fn remove(&self, job: &str) -> Result<(), StoreError> {
        self.lock().remove(job);
        Ok(())
    }

    async fn remove_file(&self, job: &str, name: &str) -> Result<(), StoreError> {
        let mut jobs = self.lock();
        if let Some(files) = jobs.get_mut(job) {
            files.remove(name);
            if files.is_empty() {
                jobs.remove(job);
            }
        }
        Ok(())
    }

    async fn check_room(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn jobs_with_files(&self) -> Result<Vec<String>, StoreError> {
        let mut jobs: Vec<String> = self.lock().keys().cloned().collect();
        jobs.sort();
        Ok(jobs)
    }

    async fn sweep(&self, kept: &HashSet<String>, known: &HashSet<String>) -> Result<(), StoreError> {
        self.lock().retain(|job, _| kept.contains(job) || !known.contains(job));
        Ok(())
    }
}
