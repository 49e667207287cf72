//! The progress of a job at its provider, as a store keeps it.
//!
//! It must not know stores. Invariant: the record is persisted before any request to the provider that depends on it.

use async_trait::async_trait;
use remote_providers::{Durability, Lost, RemoteState, RemoteStateStore};
use serde::{Deserialize, Serialize};

/// The progress of a remote job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteRecord {
    /// The token, whether the provider has been asked, and its id.
    #[serde(flatten)]
    pub state: RemoteState,
    /// The prompt that an interrogator read from the first frame: every attempt sends the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

impl RemoteRecord {
    /// The record of a job before its first request. The token is the job's own id, so the provider's console shows it.
    pub fn new(job: &str) -> Self {
        Self { state: RemoteState { token: job.to_owned(), ..RemoteState::default() }, prompt: None }
    }

    /// The provider's id; `None` if there is none yet, or if the provider has no ids.
    pub fn id(&self) -> Option<&str> {
        self.state.id.as_deref().filter(|id| !id.is_empty())
    }
}

/// Keeps a job's [`RemoteRecord`].
#[async_trait]
pub trait KeepRemote: Send + Sync {
    /// The current record.
    fn record(&self) -> RemoteRecord;

    /// Persists it.
    ///
    /// # Errors
    /// [`Lost`] if it cannot be persisted: the job then stops, and sends the provider nothing more.
    async fn keep(&self, record: &RemoteRecord, outlives: Durability) -> Result<(), Lost>;

    /// Persists that the provider has been told of the cancellation.
    async fn told(&self);
}

/// What the providers' common loop persists: the state only, the rest of the record stays.
pub(super) struct StateOf<'a>(pub(super) &'a dyn KeepRemote);

#[async_trait]
impl RemoteStateStore for StateOf<'_> {
    async fn record(&self, state: &RemoteState, outlives: Durability) -> Result<(), Lost> {
        self.0.keep(&RemoteRecord { state: state.clone(), ..self.0.record() }, outlives).await
    }
}
