//! What a run of the loop needs of this job: a provider that lets go of its request, and a memory that keeps the job's record.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use remote_providers::{Lost, Pace, Provider, ProviderError, RemoteMemory, RemoteState, Started, Status, VideoRequest};
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

use super::slot::{KeepRemote, RemoteRecord};

type Result<T> = std::result::Result<T, ProviderError>;

/// A provider for one job. It holds the request, with its pictures, and drops it as soon as the provider has taken it: a job that is waited
/// for takes little memory.
pub(super) struct Asking<'a> {
    provider: &'a dyn Provider,
    request: Mutex<Option<Arc<VideoRequest>>>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(provider: &'a dyn Provider, request: Option<VideoRequest>) -> Self {
        Self { provider, request: Mutex::new(request.map(Arc::new)) }
    }
}

impl fmt::Debug for Asking<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("provider", &self.provider).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for Asking<'_> {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn check(&self, model: &str, request: &VideoRequest) -> Result<()> {
        self.provider.check(model, request)
    }

    fn pace(&self) -> Pace {
        self.provider.pace()
    }

    fn honours_token(&self) -> bool {
        self.provider.honours_token()
    }

    /// Asks for the video of this job, whatever the loop hands in.
    async fn start(&self, model: &str, request: &VideoRequest, token: &str) -> Result<Started> {
        // No code panics while it holds the lock.
        let own = self.request.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let started = self.provider.start(model, own.as_deref().unwrap_or(request), token).await?;
        self.request.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(started)
    }

    async fn poll(&self, id: &str) -> Result<Status> {
        self.provider.poll(id).await
    }

    async fn cancel(&self, id: &str) -> Result<()> {
        self.provider.cancel(id).await
    }

    async fn link(&self, id: &str) -> Result<Option<Url>> {
        self.provider.link(id).await
    }
}

/// Keeps a job's record, of which the loop knows the state alone.
pub(super) struct Memory {
    keep: Arc<dyn KeepRemote>,
    record: AsyncMutex<RemoteRecord>,
}

impl Memory {
    pub(super) fn new(keep: Arc<dyn KeepRemote>, record: RemoteRecord) -> Self {
        Self { keep, record: AsyncMutex::new(record) }
    }

    /// How far the job is.
    pub(super) async fn state(&self) -> RemoteState {
        self.record.lock().await.state.clone()
    }

    /// Persists the prompt, before the provider is asked with it.
    pub(super) async fn record_prompt(&self, prompt: &str) -> std::result::Result<(), Lost> {
        let mut record = self.record.lock().await;
        record.prompt = Some(prompt.to_owned());
        self.keep.keep(&record).await
    }
}

#[async_trait]
impl RemoteMemory for Memory {
    async fn record(&self, state: &RemoteState) -> std::result::Result<(), Lost> {
        let mut record = self.record.lock().await;
        record.state = state.clone();
        self.keep.keep(&record).await
    }
}
