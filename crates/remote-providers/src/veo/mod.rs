//! Veo: through a relay that speaks OpenAI's video format ([`VeoRelay`]), or at Google itself ([`VeoGoogle`]).
//!
//! Here is what both share: the key's header, and addresses that answers name. The invariant: a key goes to the origin of
//! the base URL, and to Google's own hosts if it is Google's; never to an address that only an answer names.

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

/// The provider's name, whichever way it is reached.
const NAME: &str = "veo";

fn fault(kind: ErrorKind, reason: impl AsRef<str>) -> ProviderError {
    ProviderError::new(NAME, kind, reason)
}

/// A header that holds a key: `prefix` and the key.
fn key_header(name: &'static str, prefix: &str, key: &SecretString) -> Result<HeaderMap> {
    if key.expose_secret().is_empty() {
        return Err(fault(ErrorKind::Settings, "the key is empty"));
    }
    Ok(HeaderMap::from_iter([(HeaderName::from_static(name), secret_header(NAME, prefix, key)?)]))
}

/// An address that an answer names as the video's.
fn result_url(text: &str) -> Result<Url> {
    let protocol = |reason| fault(ErrorKind::Protocol, reason);
    let url = Url::parse(text).map_err(|_| protocol("the video's address is no URL"))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(protocol("the video's address is neither http nor https"));
    }
    Ok(url)
}
