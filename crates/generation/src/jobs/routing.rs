//! Which local work goes to a provider instead.
//!
//! It must not know queues or stores.

use std::time::Duration;

use crate::{
    spec::video::{VideoSpec, provider_of},
    work::Work,
};

/// Where work goes that its caller left to the server; the operator's choice. By default it stays here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// When local videos go to a provider.
    pub overflow: Option<Overflow>,
}

/// Local videos that would take too long go to a provider, as far as the budget allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// A video stays here that is expected to be done within this time, waiting included; so does one of which nothing is known.
    pub after: Duration,
    /// The model that makes it otherwise: "bedrock/nova-reel".
    pub model: String,
}

impl Overflow {
    /// The provider that makes it otherwise.
    pub(super) fn provider(&self) -> &str {
        provider_of(&self.model)
    }

    /// Whether work of this kind goes there. A picture that moves by motion buckets alone does not: no provider has words for it.
    pub(super) fn is_for(&self, work: &Work) -> bool {
        matches!(work, Work::Video(VideoSpec::Scenes(_) | VideoSpec::Clip(_)))
    }
}
