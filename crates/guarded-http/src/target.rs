//! A URL that passed the checks of its text: the scheme, the port, no credentials, and the address if it contains one.
//!
//! Names are not judged here but when they are resolved. The `url` crate parses by the WHATWG standard, so that `0x7f.1`, `2130706433`,
//! full-width and percent-encoded digits arrive here as the address that they mean; the client connects to the parsed result, because no
//! other program parses the text again.

use std::net::IpAddr;

use url::{Host, Url};

use crate::{Error, ErrorLocation, GuardSettings, InvalidUrl, Result, Rule};

/// Longer than any real address (signed ones have about two thousand bytes).
pub(crate) const MAX_URL_BYTES: usize = 8192;
/// The longest DNS name, without a trailing dot.
const MAX_HOST_BYTES: usize = 253;

/// A URL whose text has passed.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) host: TargetHost,
    pub(crate) port: u16,
}

/// The URL's host.
#[derive(Clone)]
pub(crate) enum TargetHost {
    /// In lower case and punycode as in the URL, with its trailing dot if it has one.
    Name(String),
    /// An address, already judged.
    Address(IpAddr),
}

impl Target {
    /// Parses and judges a caller's text.
    pub(crate) fn read(text: &str, settings: &GuardSettings) -> Result<(Self, ErrorLocation)> {
        if text.len() > MAX_URL_BYTES {
            return Err(Error::BadUrl(InvalidUrl::TooLong));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Error::BadUrl(InvalidUrl::Blank));
        }
        let url = Url::parse(text).map_err(|source| Error::BadUrl(source.into()))?;
        if url.host_str().is_some_and(|host| host.trim_end_matches('.').len() > MAX_HOST_BYTES) {
            return Err(Error::BadUrl(InvalidUrl::LongHost));
        }
        let place = ErrorLocation::of(&url);
        Self::check_address(url, settings).map(|target| (target, place.clone())).map_err(|rule| Error::Refused { place, rule })
    }

    /// The target of a redirect.
    pub(crate) fn redirected(&self, location: &[u8], settings: &GuardSettings) -> Result<Self, Rule> {
        let location = std::str::from_utf8(location).map_err(|_| Rule::Location)?;
        if location.len() > MAX_URL_BYTES || location.chars().any(char::is_control) {
            return Err(Rule::Location);
        }
        let url = self.url.join(location).map_err(|_| Rule::Location)?;
        if self.url.scheme() == "https" && url.scheme() == "http" {
            return Err(Rule::Downgrade);
        }
        Self::check_address(url, settings)
    }

    fn check_address(url: Url, settings: &GuardSettings) -> Result<Self, Rule> {
        if !["http", "https"].contains(&url.scheme()) {
            return Err(Rule::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Rule::Credentials);
        }
        let port = url.port_or_known_default().ok_or_else(|| settings.port_rule())?;
        let address = match url.host().ok_or(Rule::Address)? {
            Host::Domain(name) => {
                if !settings.may_be_open(port) {
                    return Err(settings.port_rule());
                }
                let host = TargetHost::Name(name.to_owned());
                return Ok(Self { host, url, port });
            }
            Host::Ipv4(address) => IpAddr::from(address),
            Host::Ipv6(address) => IpAddr::from(address),
        };
        settings.check_address(None, address, port)?;
        Ok(Self { host: TargetHost::Address(address), url, port })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::Target;
    use crate::{GuardSettings, Rule};

    /// Covers the https redirects, for which the tests with sockets have no certificate.
    #[test]
    fn https_does_not_redirect_to_http() {
        let settings = GuardSettings::default();
        let (from, _) = Target::read("https://pictures.example/a?b=c", &settings).unwrap();
        for location in ["http://pictures.example/a", "HTTP://pictures.example/a", "http://8.8.8.8/", "http:\\\\pictures.example/a"] {
            assert_eq!(from.redirected(location.as_bytes(), &settings).err(), Some(Rule::Downgrade), "{location}");
        }
        for location in ["/next", "//other.example/next", "https://other.example/next", "?d=e", "http:relative"] {
            let expected = location.strip_prefix("http:").map(|_| Rule::Downgrade);
            assert_eq!(from.redirected(location.as_bytes(), &settings).err(), expected, "{location}");
        }
        let (from, _) = Target::read("http://pictures.example/", &settings).unwrap();
        assert!(from.redirected(b"https://pictures.example/", &settings).is_ok());
    }
}
