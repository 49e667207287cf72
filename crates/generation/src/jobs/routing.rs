//! Which local work goes to a provider instead.
//!
//! It must not know queues or stores.

use std::time::Duration;

use crate::{
    spec::video::{RemoteVideoSpec, VideoSpec},
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
    /// Whether videos of scenes go there.
    pub scenes: bool,
    /// Whether clips, pictures set in motion, go there.
    pub clips: bool,
}

impl Overflow {
    /// What the provider is asked for instead of this work; `None` where that is not to be.
    pub(super) fn instead_of(&self, work: &Work) -> Option<RemoteVideoSpec> {
        let Work::Video(spec) = work else { return None };
        let is_wanted = match spec {
            VideoSpec::Scenes(_) => self.scenes,
            VideoSpec::Clip(_) => self.clips,
            VideoSpec::Animation(_) | VideoSpec::Remote(_) => false,
        };
        if is_wanted { RemoteVideoSpec::from_local(spec, &self.model) } else { None }
    }
}
