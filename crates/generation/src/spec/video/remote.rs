//! Videos that a provider makes: what it is asked for.
//!
//! It must not know any provider. The invariant: a provider's own [`check`](remote_providers::Provider::check) judges the request; nothing
//! here does.

use remote_providers::{Provider, ProviderError, VideoRequest};
use serde::{Deserialize, Serialize};

/// The provider of a model: its name up to the first slash.
pub(crate) fn provider_of(model: &str) -> &str {
    model.split('/').next().unwrap_or_default()
}

/// A video that a provider makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoteVideoSpec {
    /// The provider's name, a slash, and the provider's own name of the model: "bedrock/nova-reel", "replicate/owner/name". The provider's
    /// name alone stands for the model that the operator has set.
    pub model: String,
    /// What the provider is asked for.
    pub request: VideoRequest,
    /// Whether the prompt is taken from the first frame, by an interrogator, before the provider is asked.
    #[serde(default)]
    pub caption_first: bool,
}

impl RemoteVideoSpec {
    /// A request to a model as it is.
    pub fn new(model: impl Into<String>, request: VideoRequest) -> Self {
        Self { model: model.into(), request, caption_first: false }
    }

    /// The provider: the model's name up to the first slash.
    pub fn provider(&self) -> &str {
        provider_of(&self.model)
    }

    /// The provider's own name of the model; empty for the one that the operator has set.
    pub fn provider_model(&self) -> &str {
        self.model.split_once('/').map_or("", |(_, model)| model)
    }

    /// Asks the provider whether it makes this.
    ///
    /// # Errors
    /// The provider's refusal.
    pub fn check(&self, provider: &dyn Provider) -> Result<(), ProviderError> {
        if !self.caption_first {
            return provider.check(self.provider_model(), &self.request);
        }
        // The prompt is not known yet; any will do for the rest.
        let request = VideoRequest { prompt: "a prompt".to_owned(), ..self.request.clone() };
        provider.check(self.provider_model(), &request)
    }

    /// Leaves out what matters least of what is asked for, so that a provider that makes no such thing makes what it can. `false` when
    /// nothing is left to leave out: the prompts and the first frame stay.
    ///
    /// Least matters the seed, which gives another model's picture anyway; then the rate, the size and the length, in this order; then the
    /// division into shots, whose texts become one.
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
