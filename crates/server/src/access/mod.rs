//! Who may ask what: API keys, hosts and origins, signed links, rates.
//!
//! A server is safe when it is first started: it listens to this machine alone, and refuses to listen to others without a key unless it
//! is told to in so many words. This module tells the callers apart and turns away who may not ask; that a job answers to its owner alone
//! is the handlers' part, who take a [`Caller`]. The invariant: [`gate()`] stands before every route ([`crate::routes::configure`] puts it
//! there), and nothing that it turns away has any effect.

mod answer_head;
mod authority;
mod caller;
mod cors;
mod gate;
mod hosts;
mod keys;
mod limits;
mod links;
mod open_streams;
mod origins;
mod refusal;

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use actix_web::HttpRequest;
use url::Url;

pub use caller::Caller;
pub use gate::gate;
pub(crate) use gate::is_open;
pub use hosts::AllowedHosts;
pub use keys::{ApiKey, ApiKeyError, MAX_KEY_CHARS, MIN_KEY_CHARS};
pub use limits::{DEFAULT_BURST, DEFAULT_CONCURRENT_REQUESTS, DEFAULT_REQUESTS_PER_MINUTE, KeyLimits};
pub use links::{LinkError, LinkSecret, SignedLinks};
pub(crate) use open_streams::OpenStream;
pub use open_streams::OpenStreams;
pub use origins::AllowedOrigins;
pub use refusal::Refusal;

use hosts::{HostPolicy, Reach};
use keys::ApiKeys;
use limits::Meters;
use origins::OriginPolicy;

/// The most keys: a signed link is tried with each.
pub const MAX_KEYS: usize = 256;

/// How long a signed link is good unless the operator says otherwise.
pub const DEFAULT_LINK_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Who may ask what; the operator's choice.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// The API keys; with none, whoever reaches the server may ask everything.
    pub keys: Vec<ApiKey>,
    /// Whether others than this machine may ask without a key.
    pub allow_public_without_key: bool,
    /// Hosts that requests may name, beside those that are ours anyway.
    pub allowed_hosts: AllowedHosts,
    /// Origins whose pages may ask, beside our own.
    pub allowed_origins: AllowedOrigins,
    /// Where clients find the server, if that is not where it listens: its host and its origin are ours.
    pub public_url: Option<Url>,
    /// The limits of each key.
    pub key_limits: KeyLimits,
    /// The limits of all who ask without a key together, where no keys are configured.
    pub keyless_limits: KeyLimits,
    /// How long signed links are good.
    pub link_lifetime: Duration,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            allow_public_without_key: false,
            allowed_hosts: AllowedHosts::default(),
            allowed_origins: AllowedOrigins::default(),
            public_url: None,
            key_limits: KeyLimits::default(),
            // On loopback they are one person, whom the queue's bound stops soon enough.
            keyless_limits: KeyLimits::NONE,
            link_lifetime: DEFAULT_LINK_LIFETIME,
        }
    }
}

/// Why a server with such settings is not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Anybody could use it.
    #[error(
        "others can reach {address}, and there is no API key: set one (access.api_key, FRAMEWRIGHT__ACCESS__API_KEY), \
         or say --allow-public-without-key (access.allow_public_without_key = true)"
    )]
    PublicWithoutKey {
        /// The address that it would listen on.
        address: IpAddr,
    },
    /// Two keys have one name, so that each would see what is the other's.
    #[error("two API keys have the name {0:?}")]
    SameName(String),
    /// One key has two names.
    #[error("the API keys {0:?} and {1:?} are the same key")]
    SameKey(String, String),
    /// More keys than are tried in a moment.
    #[error("there are {0} API keys, and {MAX_KEYS} is the limit")]
    TooManyKeys(usize),
}

impl AccessSettings {
    /// Whether a server with these settings may listen on these addresses.
    ///
    /// # Errors
    /// [`AccessError`] if not.
    pub fn check(&self, addresses: &[IpAddr]) -> Result<(), AccessError> {
        if self.keys.len() > MAX_KEYS {
            return Err(AccessError::TooManyKeys(self.keys.len()));
        }
        for (place, key) in self.keys.iter().enumerate() {
            let before = self.keys.iter().take(place);
            if before.clone().any(|other| other.name() == key.name()) {
                return Err(AccessError::SameName(key.name().to_owned()));
            }
            if let Some(other) = before.clone().find(|other| other.same_key(key)) {
                return Err(AccessError::SameKey(other.name().to_owned(), key.name().to_owned()));
            }
        }
        let public = addresses.iter().find(|address| !address.to_canonical().is_loopback());
        match public {
            Some(address) if self.keys.is_empty() && !self.allow_public_without_key => {
                Err(AccessError::PublicWithoutKey { address: *address })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The judge of requests; one a server.
#[derive(Debug)]
pub struct Access {
    keys: ApiKeys,
    hosts: HostPolicy,
    origins: OriginPolicy,
    meters: Meters,
    links: SignedLinks,
    link_lifetime: Duration,
    public_url: Option<Url>,
}

impl Access {
    /// For a server that listens on these addresses.
    ///
    /// # Errors
    /// As [`AccessSettings::check`].
    pub fn new(settings: AccessSettings, addresses: &[IpAddr], link_secret: LinkSecret) -> Result<Self, AccessError> {
        settings.check(addresses)?;
        let AccessSettings {
            keys,
            allow_public_without_key: _,
            allowed_hosts,
            allowed_origins,
            public_url,
            key_limits,
            keyless_limits,
            link_lifetime,
        } = settings;
        let keys = ApiKeys::new(keys);
        let loopback = addresses.iter().all(|address| address.to_canonical().is_loopback());
        let reach = if loopback { Reach::Loopback } else { Reach::Public };
        let meters = if keys.is_empty() { Meters::new([""], &keyless_limits) } else { Meters::new(keys.names(), &key_limits) };
        Ok(Self {
            hosts: HostPolicy::new(reach, !keys.is_empty(), allowed_hosts, public_url.as_ref().and_then(origins::host_of)),
            origins: OriginPolicy::new(allowed_origins, public_url.as_ref()),
            meters,
            keys,
            links: SignedLinks::new(link_secret),
            link_lifetime,
            public_url,
        })
    }

    /// The access of a server as it is first started: this machine alone, without keys.
    pub fn loopback() -> Self {
        let keys = ApiKeys::default();
        Self {
            hosts: HostPolicy::new(Reach::Loopback, false, AllowedHosts::default(), None),
            origins: OriginPolicy::new(AllowedOrigins::default(), None),
            meters: Meters::new([""], &KeyLimits::NONE),
            keys,
            links: SignedLinks::new(LinkSecret::random()),
            link_lifetime: DEFAULT_LINK_LIFETIME,
            public_url: None,
        }
    }

    /// The path under which anybody who is given it can fetch `caller`'s file: signed where keys are configured, else as it is.
    ///
    /// `path` is ours and canonical: plain names between single slashes.
    pub fn link(&self, caller: &Caller, path: &str, now: SystemTime) -> String {
        if self.keys.is_empty() {
            return path.to_owned();
        }
        // A lifetime is bounded where settings are read, so that this is no further than the clock goes.
        let expires_at = now.checked_add(self.link_lifetime).unwrap_or(now);
        format!("{path}{}", self.links.sign(&caller.owner, path, expires_at))
    }

    /// Where the client of this request finds the server, without a final slash: `server.public_url` if it is set, else as the client
    /// itself calls it.
    pub fn base_url(&self, request: &HttpRequest) -> String {
        gate::base_url(self, request.head(), request.app_config().host())
    }
}

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Forged => Self::LinkForged,
            LinkError::Expired => Self::LinkExpired,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn key(name: &str, key: &str) -> ApiKey {
        ApiKey::new(name, key).unwrap()
    }

    #[test]
    fn a_public_address_wants_a_key_or_plain_words() {
        let addresses = |text: &str| -> Vec<IpAddr> { text.split(' ').map(|address| address.parse().unwrap()).collect() };
        let open = AccessSettings::default();
        let with_key = AccessSettings { keys: vec![key("a", "0123456789abcdef")], ..AccessSettings::default() };
        let told = AccessSettings { allow_public_without_key: true, ..AccessSettings::default() };
        for (listens, refused) in [
            ("127.0.0.1", None),
            ("127.0.0.1 ::1", None),
            ("::ffff:127.0.0.1", None),
            ("0.0.0.0", Some("0.0.0.0")),
            ("::", Some("::")),
            ("127.0.0.1 192.168.1.5", Some("192.168.1.5")),
            ("::ffff:0.0.0.0", Some("::ffff:0.0.0.0")),
        ] {
            let listens = addresses(listens);
            let refused = refused.map(|address| AccessError::PublicWithoutKey { address: address.parse().unwrap() });
            assert_eq!(open.check(&listens).err(), refused);
            assert_eq!((with_key.check(&listens), told.check(&listens)), (Ok(()), Ok(())));
        }
        let error = open.check(&addresses("0.0.0.0")).unwrap_err().to_string();
        let named =
            ["access.api_key", "FRAMEWRIGHT__ACCESS__API_KEY", "--allow-public-without-key", "access.allow_public_without_key = true"];
        assert!(named.iter().all(|way| error.contains(way)) && !error.contains('\n'), "{error}");
    }

    #[test]
    fn keys_are_told_apart() {
        let check = |keys: Vec<ApiKey>| AccessSettings { keys, ..AccessSettings::default() }.check(&[]).map_err(|error| error.to_string());
        let (one, other) = ("0123456789abcdef", "0123456789abcdeg");
        assert_eq!(check(vec![key("a", one), key("b", other)]), Ok(()));
        assert_eq!(check(vec![key("a", one), key("a", other)]), Err("two API keys have the name \"a\"".into()));
        assert_eq!(check(vec![key("a", one), key("b", one)]), Err("the API keys \"a\" and \"b\" are the same key".into()));
    }
}
