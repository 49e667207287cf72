//! Access control: API keys, hosts and origins, signed links, rate limits.
//!
//! A server is safe as first started: it listens on loopback only, and refuses to listen elsewhere without a key unless a setting says so
//! explicitly. This module identifies callers and refuses requests; handlers take a [`Caller`] and show a job to its owner only. The
//! invariant: [`gate()`] stands before every route ([`crate::routes::configure`] puts it there), and a refused request has no effect.

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

/// The maximum number of keys: a signed link is tried with each.
pub const MAX_KEYS: usize = 256;

/// The default lifetime of a signed link.
pub const DEFAULT_LINK_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a stable link stays the same.
const STABLE_FOR: Duration = Duration::from_secs(60 * 60);

/// The operator's access settings.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// The API keys; without any, everyone who reaches the server may make every request.
    pub keys: Vec<ApiKey>,
    /// Whether other machines may make requests without a key.
    pub allow_public_without_key: bool,
    /// Hosts that requests may name, beside our own.
    pub allowed_hosts: AllowedHosts,
    /// Origins whose pages may make requests, beside our own.
    pub allowed_origins: AllowedOrigins,
    /// The URL by which clients find the server, if it is not where it listens: its host and its origin are ours.
    pub public_url: Option<Url>,
    /// The limits of each key.
    pub key_limits: KeyLimits,
    /// The limits of all keyless requests together, if no keys are configured.
    pub keyless_limits: KeyLimits,
    /// The lifetime of signed links.
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
            // On loopback all callers are one person, and the queue's limit is enough.
            keyless_limits: KeyLimits::NONE,
            link_lifetime: DEFAULT_LINK_LIFETIME,
        }
    }
}

/// Why a server with these settings does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Anyone could use it.
    #[error(
        "others can reach {address}, and there is no API key: set one (access.api_key, FRAMEWRIGHT__ACCESS__API_KEY), \
         or say --allow-public-without-key (access.allow_public_without_key = true)"
    )]
    PublicWithoutKey {
        /// The address to listen on.
        address: IpAddr,
    },
    /// Two keys share a name, so each would see the other's jobs.
    #[error("two API keys have the name {0:?}")]
    SameName(String),
    /// The same key has two names.
    #[error("the API keys {0:?} and {1:?} are the same key")]
    SameKey(String, String),
    /// More keys than can be tried quickly.
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

/// Decides which requests are admitted; one per server.
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
    /// The access control of a server that listens on these addresses.
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

    /// The access of a server as first started: this machine only, without keys.
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

    /// The path by which anyone who is given it can fetch `caller`'s file: signed if keys are configured, otherwise as it is.
    ///
    /// `path` is canonical: plain names between single slashes.
    pub fn link(&self, caller: &Caller, path: &str, now: SystemTime) -> String {
        if self.keys.is_empty() {
            return path.to_owned();
        }
        // The settings bound the lifetime, so this never overflows the clock.
        let expires_at = now.checked_add(self.link_lifetime).unwrap_or(now);
        format!("{path}{}", self.links.sign(&caller.owner, path, expires_at))
    }

    /// As [`Self::link`], but the same link for about an hour: its expiry is rounded up, so that a browser's cache finds its contents again.
    pub fn stable_link(&self, caller: &Caller, path: &str, now: SystemTime) -> String {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let step = STABLE_FOR.min(self.link_lifetime).as_secs().max(1);
        let rounded = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(since.next_multiple_of(step)));
        self.link(caller, path, rounded.unwrap_or(now))
    }

    /// The URL by which this request's client finds the server, without a final slash: `server.public_url` if it is set, otherwise the host
    /// that the request names.
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
    fn a_public_address_needs_a_key_or_an_explicit_setting() {
        let addresses = |text: &str| -> Vec<IpAddr> { text.split(' ').map(|address| address.parse().unwrap()).collect() };
        let open = AccessSettings::default();
        let with_key = AccessSettings { keys: vec![key("a", "0123456789abcdef")], ..AccessSettings::default() };
        let confirmed = AccessSettings { allow_public_without_key: true, ..AccessSettings::default() };
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
            assert_eq!((with_key.check(&listens), confirmed.check(&listens)), (Ok(()), Ok(())));
        }
        let error = open.check(&addresses("0.0.0.0")).unwrap_err().to_string();
        let named =
            ["access.api_key", "FRAMEWRIGHT__ACCESS__API_KEY", "--allow-public-without-key", "access.allow_public_without_key = true"];
        assert!(named.iter().all(|way| error.contains(way)) && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_stable_link_is_the_same_for_an_hour_and_lives_at_least_as_long_as_another() {
        let settings = AccessSettings { keys: vec![key("a", "0123456789abcdef")], ..AccessSettings::default() };
        let access = Access::new(settings, &[], LinkSecret::from_text("secret")).unwrap();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let link = |seconds| access.stable_link(&Caller::named("a"), "/files/x/a.png", at(seconds));
        assert_eq!(link(7201), link(10_800));
        assert_ne!(link(7200), link(7201));
        assert_eq!(link(7201), access.link(&Caller::named("a"), "/files/x/a.png", at(10_800)));
        assert_eq!(Access::loopback().stable_link(&Caller::default(), "/files/x/a.png", at(1)), "/files/x/a.png");
    }

    #[test]
    fn keys_and_their_names_are_unique() {
        let check = |keys: Vec<ApiKey>| AccessSettings { keys, ..AccessSettings::default() }.check(&[]).map_err(|error| error.to_string());
        let (one, other) = ("0123456789abcdef", "0123456789abcdeg");
        assert_eq!(check(vec![key("a", one), key("b", other)]), Ok(()));
        assert_eq!(check(vec![key("a", one), key("a", other)]), Err("two API keys have the name \"a\"".into()));
        assert_eq!(check(vec![key("a", one), key("b", one)]), Err("the API keys \"a\" and \"b\" are the same key".into()));
    }
}
