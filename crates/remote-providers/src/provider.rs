//! The interface of every provider: builds its requests, and interprets its answers.
//!
//! A provider must not wait, retry, count or keep state: [`crate::run()`] does that for all of them.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use guarded_http::HeaderMap;
use url::Url;

use crate::{Result, VideoRequest};

/// A remote service that makes videos.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync {
    /// Its name, and the prefix of its model names: "bedrock".
    fn name(&self) -> &'static str;

    /// Checks a request against the provider's limits, without a network call.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest), with the field, its value and the limit.
    fn check(&self, model: &str, request: &VideoRequest) -> Result<()>;

    /// Checks a model name without a network call; used for the operator's settings when the program starts.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest), with the name and the expected form.
    fn check_model(&self, _model: &str) -> Result<()> {
        Ok(())
    }

    /// How to poll for a video.
    fn pace(&self) -> Pace;

    /// Whether two starts with the same token make one job.
    fn honours_token(&self) -> bool {
        false
    }

    /// Starts a video. `model` is the name without the provider's prefix: "nova-reel", or empty for the operator's default. The token
    /// belongs to the job and is the same for every attempt.
    ///
    /// # Errors
    /// [`ProviderError`](crate::ProviderError); `may_have_started` is set unless certainly nothing was started.
    async fn start(&self, model: &str, request: &VideoRequest, token: &str) -> Result<Started>;

    /// Queries the status of a video.
    ///
    /// # Errors
    /// [`ProviderError`](crate::ProviderError) if the query fails; a failed job is [`Status::Failed`].
    async fn poll(&self, id: &str) -> Result<Status>;

    /// Cancels a video at the provider. Does nothing for providers that cannot cancel.
    ///
    /// # Errors
    /// [`ProviderError`](crate::ProviderError) if the request fails.
    async fn cancel(&self, _id: &str) -> Result<()> {
        Ok(())
    }

    /// Creates a new link to the finished video that works without credentials; `None` if the provider has no such links.
    ///
    /// # Errors
    /// [`ProviderError`](crate::ProviderError) if it cannot be created.
    async fn link(&self, _id: &str) -> Result<Option<Url>> {
        Ok(None)
    }
}

/// Polling intervals and deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Time until the first poll.
    pub initial_wait: Duration,
    /// Time between the first polls.
    pub interval: Duration,
    /// The longest time between polls; each interval is 1.5 times the previous one up to this.
    pub max_interval: Duration,
    /// The time limit of polling, counted from the first poll.
    pub deadline: Duration,
}

/// The result of a start.
#[derive(Debug)]
pub enum Started {
    /// The provider works on it, under this id, which is all that [`Provider::poll`] needs: at most 2048 bytes, without secrets.
    Pending(String),
    /// It is already finished. The id is empty if the provider has none.
    Finished(String, Source),
}

/// The status of a video.
#[derive(Debug)]
pub enum Status {
    /// In progress; in percent if the provider reports it.
    Pending(Option<u32>),
    /// It is finished.
    Finished(Source),
    /// It failed.
    Failed(crate::ProviderError),
}

/// The location of a finished video.
pub enum Source {
    /// At a URL. The headers are sent to this address's origin only, not beyond a redirect.
    Url {
        /// The URL.
        url: String,
        /// Headers that the provider requires, such as its key.
        headers: HeaderMap,
    },
    /// In memory.
    Bytes(Vec<u8>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Links are signed.
        match self {
            Self::Url { .. } => f.write_str("Url"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
        }
    }
}
