//! How far a job is that a provider makes, as a store keeps it.
//!
//! It must not know stores. The invariant: what is kept here is known before the provider is asked anything that depends on it.

use async_trait::async_trait;
use remote_providers::{Lost, Outlives, RemoteMemory, RemoteState};
use serde::{Deserialize, Serialize};

/// How far a remote job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteRecord {
    /// The token, whether the provider was asked, and its id.
    #[serde(flatten)]
    pub state: RemoteState,
    /// The prompt that an interrogator read from the first frame: every try asks for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

impl RemoteRecord {
    /// The record of a job that nobody was asked for yet. The token is the job's own id, so that the provider's console names the job.
    pub fn new(job: &str) -> Self {
        Self { state: RemoteState { token: job.to_owned(), ..RemoteState::default() }, prompt: None }
    }

    /// The provider's id; `None` where there is none yet, or the provider has none.
    pub fn id(&self) -> Option<&str> {
        self.state.id.as_deref().filter(|id| !id.is_empty())
    }
}

/// Keeps a job's [`RemoteRecord`].
#[async_trait]
pub trait KeepRemote: Send + Sync {
    /// How far the job is.
    fn record(&self) -> RemoteRecord;

    /// Persists it.
    ///
    /// # Errors
    /// [`Lost`] if it cannot be persisted: the job then stops, and the provider is asked nothing more.
    async fn keep(&self, record: &RemoteRecord, outlives: Outlives) -> Result<(), Lost>;

    /// Persists that the provider knows that the job is cancelled.
    async fn told(&self);
}

/// What the loop of all providers persists, which knows of a record the state alone.
pub(super) struct StateOf<'a>(pub(super) &'a dyn KeepRemote);

#[async_trait]
impl RemoteMemory for StateOf<'_> {
    async fn record(&self, state: &RemoteState, outlives: Outlives) -> Result<(), Lost> {
        self.0.keep(&RemoteRecord { state: state.clone(), ..self.0.record() }, outlives).await
    }
}
