//! Change notifications per job, so that a follower of one job is not woken by all the others; and of all jobs together.
//!
//! Invariant: a subscriber sees every change after its subscription.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// The followed jobs, by id, and the followers of all.
#[derive(Debug)]
pub(super) struct Changes {
    followed: Mutex<HashMap<String, watch::Sender<()>>>,
    all: watch::Sender<()>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { followed: Mutex::default(), all: watch::Sender::new(()) }
    }
}

impl Changes {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        // No code panics while it holds the lock.
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receiver that changes with every change of this job, whether or not the job exists.
    pub(super) fn subscribe(&self, job: &str) -> watch::Receiver<()> {
        let mut followed = self.lock();
        if let Some(sender) = followed.get(job) {
            return sender.subscribe();
        }
        followed.retain(|_, sender| sender.receiver_count() > 0);
        let (sender, receiver) = watch::channel(());
        followed.insert(job.to_owned(), sender);
        receiver
    }

    /// A receiver that changes with every change of any job.
    pub(super) fn subscribe_to_all(&self) -> watch::Receiver<()> {
        self.all.subscribe()
    }

    /// Wakes the followers of a job, and those of all.
    pub(super) fn announce(&self, job: &str) {
        self.all.send_replace(());
        if let Some(sender) = self.lock().get(job) {
            sender.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_wakes_those_who_follow_that_job_alone() {
        let changes = Changes::default();
        let all = changes.subscribe_to_all();
        let (mut first, mut again, other) = (changes.subscribe("a"), changes.subscribe("a"), changes.subscribe("b"));
        changes.announce("a");
        changes.announce("nobody follows this one");
        assert!(first.changed().await.is_ok() && again.changed().await.is_ok());
        assert!(matches!((other.has_changed(), all.has_changed()), (Ok(false), Ok(true))));
        drop((first, again, other));
        let _later = changes.subscribe("c");
        assert_eq!(changes.lock().len(), 1, "those that nobody follows any more are forgotten");
    }
}
