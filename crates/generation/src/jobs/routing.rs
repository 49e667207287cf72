//! Which local work is routed to a provider.
//!
//! It must not know queues or stores.

use std::time::Duration;

use crate::{
    spec::video::{VideoSpec, provider_of},
    work::Work,
};

/// Where work runs if its caller names no provider; the operator's choice. By default it stays local.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// When local videos overflow to a provider.
    pub overflow: Option<Overflow>,
}

/// Local videos that would take too long go to a provider, within the budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// A video stays local if its estimate, waiting included, is within this time, or if there is no estimate.
    pub after: Duration,
    /// The model that makes it otherwise, such as "bedrock/nova-reel".
    pub model: String,
}

impl Overflow {
    /// The provider of that model.
    pub(super) fn provider(&self) -> &str {
        provider_of(&self.model)
    }

    /// Whether this kind of work may overflow. A picture animated by motion buckets alone may not: no provider has such a parameter.
    pub(super) fn is_for(&self, work: &Work) -> bool {
        matches!(work, Work::Video(VideoSpec::Scenes(_) | VideoSpec::Clip(_)))
    }
}
