//! Veo: through a relay that speaks OpenAI's video format ([`VeoRelay`]), or at Google itself ([`VeoGoogle`]).
//!
//! Contains what both share: the key's header, and the addresses in answers. The invariant: a key goes to the origin of the base URL, and a
//! key of Google's also to Google's own hosts; never to an address that only an answer names.

mod google;
mod google_answer;
mod google_request;
mod relay;
mod relay_answer;

use guarded_http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use google::{GoogleAccess, VeoGoogle, VeoGoogleSettings};
pub use relay::{VeoRelay, VeoRelaySettings};

use crate::{ErrorKind, ProviderError, Result, http::secret_header};

/// The provider's name, for both.
const NAME: &str = "veo";

fn fault(kind: ErrorKind, reason: impl AsRef<str>) -> ProviderError {
    ProviderError::new(NAME, kind, reason)
}

/// A header with a key after `prefix`.
fn key_header(name: &'static str, prefix: &str, key: &SecretString) -> Result<HeaderMap> {
    if key.expose_secret().is_empty() {
        return Err(fault(ErrorKind::Settings, "the key is empty"));
    }
    Ok(HeaderMap::from_iter([(HeaderName::from_static(name), secret_header(NAME, prefix, key)?)]))
}

/// Parses the video's address from an answer.
fn result_url(text: &str) -> Result<Url> {
    let protocol = |reason| fault(ErrorKind::Protocol, reason);
    let url = Url::parse(text).map_err(|_| protocol("the video's address is no URL"))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(protocol("the video's address is neither http nor https"));
    }
    Ok(url)
}
