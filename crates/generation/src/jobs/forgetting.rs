//! Deletes a job at its owner's request: its files first, then everything that the store knows of it.
//!
//! The invariants: an unfinished job is cancelled and has stopped before anything of it is removed; an interrupted deletion leaves a job
//! that another call deletes, and never a file that no job names.

use std::sync::Arc;

use super::{deletions::ForgottenJob, error::StoreError, record::Cancelled, service::Jobs, store::JobStore as _};

impl Jobs {
    /// Removes a job with its files and everything known of it; an unfinished one is cancelled first. False if there is no such job, or it
    /// belongs to another owner.
    ///
    /// # Errors
    /// [`StoreError`] if the store or a file cannot be changed, or the program shuts down first. What is left is removed by another call.
    pub async fn forget(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let (jobs, owner, id) = (self.clone(), owner.to_owned(), id.to_owned());
        // A task of its own, as in `cancel`: a caller who hangs up while the job stops has asked for its deletion all the same.
        let outcome = tokio::spawn(async move { jobs.cancel_and_forget(&owner, &id).await });
        outcome.await.map_err(|_| StoreError::ShuttingDown)?
    }

    async fn cancel_and_forget(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let inner = &self.inner;
        let mut endings = inner.endings.subscribe();
        let mut stopping = inner.stopping.subscribe();
        if matches!(self.cancel(owner, id).await?, Cancelled::Unknown) {
            return Ok(false);
        }
        // A running job stops at its next step, and removes what it has written.
        while inner.active.get(id).is_some() {
            tokio::select! {
                ended = endings.changed() => ended.map_err(|_| StoreError::ShuttingDown)?,
                stopped = stopping.wait_for(|stopping| *stopping) => {
                    drop(stopped);
                    return Err(StoreError::ShuttingDown);
                }
            }
        }
        inner.held.forget(owner, id).await?;
        if let Some(parts) = &inner.parts {
            parts.forget(id);
        }
        if let Some(job) = inner.stored.get(owner, id).await? {
            for file in job.artifacts.iter().filter(|file| !file.expired) {
                // The file first: an entry without a file is repaired, but a file without an entry would stay.
                inner.files.remove_file(id, &file.name).await?;
                inner.stored.file_removed(id, &file.name).await?;
            }
            if !inner.stored.forget(owner, id).await? {
                // A provider has not been told of the cancellation.
                Arc::clone(inner).tell_providers().await;
                inner.stored.forget(owner, id).await?;
            }
        }
        inner.changes.announce(id);
        // Nobody may listen.
        let _listeners = inner.forgotten.send(ForgottenJob { owner: owner.to_owned(), id: id.to_owned() });
        Ok(true)
    }
}
