//! Tells of deleted jobs.
//!
//! It must not know who follows them.

use tokio::sync::broadcast;

/// How many deletions a slow follower may miss.
const REMEMBERED: usize = 256;

/// A job that was deleted at its owner's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenJob {
    /// Its owner.
    pub owner: String,
    /// Its id.
    pub id: String,
}

/// Tells of deleted jobs.
pub(super) fn forgotten_jobs() -> broadcast::Sender<ForgottenJob> {
    broadcast::Sender::new(REMEMBERED)
}
