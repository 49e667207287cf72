//! The seam that every provider fits: how its requests look, and what its answers mean.
//!
//! A provider must not wait, retry, count or remember: [`crate::run()`] does that for all of them.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use guarded_http::HeaderMap;
use url::Url;

use crate::{Result, VideoRequest};

/// Makes videos, somewhere else.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync {
    /// Its name, the first part of its models' names: "bedrock".
    fn name(&self) -> &'static str;

    /// Whether it takes this request, as far as that is known without asking.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest), with the field, its value and the limit.
    fn check(&self, model: &str, request: &VideoRequest) -> Result<()>;

    /// Whether this can be the name of one of its models, as far as that is known without asking: what the operator sets is looked at when
    /// the program starts.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest), with the name and what it has to be.
    fn check_model(&self, _model: &str) -> Result<()> {
        Ok(())
    }

    /// How it is waited for.
    fn pace(&self) -> Pace;

    /// Whether two starts with one token make one job.
    fn honours_token(&self) -> bool {
        false
    }

    /// Asks for a video. `model` is the name without the provider's: "nova-reel", or empty for the one that the operator has set. The token
    /// is the job's own, the same for every try.
    ///
    /// # Errors
    /// [`ProviderError`](crate::ProviderError); `may_have_started` is set unless it is certain that nothing was begun.
    async fn start(&self, model: &str, request: &VideoRequest, token: &str) -> Result<Started>;

    /// How a video stands.
    ///
    /// # Errors
    /// [`ProviderError`](crate::ProviderError) if the provider cannot be asked; a job that failed is [`Status::Failed`].
    async fn poll(&self, id: &str) -> Result<Status>;

    /// Tells the provider that the video is not wanted any more. Providers that cannot be told do nothing.
    ///
    /// # Errors
    /// [`ProviderError`](crate::ProviderError) if the provider cannot be asked.
    async fn cancel(&self, _id: &str) -> Result<()> {
        Ok(())
    }

    /// A link to the finished video that works without a key, made anew; `None` where the provider has no such thing.
    ///
    /// # Errors
    /// [`ProviderError`](crate::ProviderError) if it cannot be made.
    async fn link(&self, _id: &str) -> Result<Option<Url>> {
        Ok(None)
    }
}

/// How a provider is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Time until the first poll.
    pub initial_wait: Duration,
    /// Time between the first polls.
    pub interval: Duration,
    /// The longest time between polls; each is 1.5 times the one before until then.
    pub max_interval: Duration,
    /// How long polls go on, from the first one.
    pub deadline: Duration,
}

/// What came of a start.
#[derive(Debug)]
pub enum Started {
    /// The provider works on it, under this id: all that [`Provider::poll`] needs, in at most 2048 bytes, without secrets.
    Pending(String),
    /// It is finished already. The id is empty where the provider has none.
    Finished(String, Source),
}

/// How a video stands.
#[derive(Debug)]
pub enum Status {
    /// It is being made; percent where the provider says.
    Pending(Option<u32>),
    /// It is finished.
    Finished(Source),
    /// There will be none.
    Failed(crate::ProviderError),
}

/// Where a finished video is.
pub enum Source {
    /// To be fetched. The headers are sent to this address's origin only, not beyond a redirect.
    Url {
        /// Where.
        url: String,
        /// What the provider wants with it: its key.
        headers: HeaderMap,
    },
    /// Here.
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
