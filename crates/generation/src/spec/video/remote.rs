//! Videos that a provider makes, and their requests.
//!
//! It must not know any provider. Invariant: the provider's own [`check`](remote_providers::Provider::check) validates the request; nothing
//! here does.

use remote_providers::{Provider, ProviderError, VideoRequest};
use serde::{Deserialize, Serialize};

/// The provider of a model: the part of its name before the first slash.
pub(crate) fn provider_of(model: &str) -> &str {
    model.split('/').next().unwrap_or_default()
}

/// A video that a provider makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoteVideoSpec {
    /// The provider's name, a slash, and the provider's own name of the model: "bedrock/nova-reel", "replicate/owner/name". The provider's
    /// name alone means the model that the operator has set.
    pub model: String,
    /// The request to the provider.
    pub request: VideoRequest,
    /// Whether an interrogator reads the prompt from the first frame before the provider is asked.
    #[serde(default)]
    pub caption_first: bool,
}

impl RemoteVideoSpec {
    /// A plain request to a model.
    pub fn new(model: impl Into<String>, request: VideoRequest) -> Self {
        Self { model: model.into(), request, caption_first: false }
    }

    /// The provider: the part of the model's name before the first slash.
    pub fn provider(&self) -> &str {
        provider_of(&self.model)
    }

    /// The provider's own name of the model; empty for the one that the operator has set.
    pub fn provider_model(&self) -> &str {
        self.model.split_once('/').map_or("", |(_, model)| model)
    }

    /// Checks with the provider whether it makes this.
    ///
    /// # Errors
    /// The provider's refusal.
    pub fn check(&self, provider: &dyn Provider) -> Result<(), ProviderError> {
        if !self.caption_first {
            return provider.check(self.provider_model(), &self.request);
        }
        // The prompt is not known yet; any text will do to check the rest.
        let request = VideoRequest { prompt: "a prompt".to_owned(), ..self.request.clone() };
        provider.check(self.provider_model(), &request)
    }

    /// Drops the least important part of the request, so that a provider which does not support it can make the rest. `false` if nothing is
    /// left to drop: the prompts and the first frame stay.
    ///
    /// First the seed, which gives a different picture with another model anyway; then the rate, the size, the length and the negative
    /// prompt, in this order; then the division into shots, whose texts are joined.
    pub fn relax(&mut self) -> bool {
        let request = &mut self.request;
        if request.seed.take().is_some() || request.fps.take().is_some() {
            return true;
        }
        if request.size.take().is_some() || request.seconds.take().is_some() || request.negative_prompt.take().is_some() {
            return true;
        }
        if request.shots.is_empty() {
            return false;
        }
        let texts: Vec<String> = std::mem::take(&mut request.shots).into_iter().map(|shot| shot.text).collect();
        request.prompt = texts.join(". Then: ");
        true
    }
}
