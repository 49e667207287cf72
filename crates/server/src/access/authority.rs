//! The `host[:port]` of a `Host` header, of a request's target and of an origin, read strictly.
//!
//! It must not know which hosts are ours. The invariant: two texts that name one host compare equal (letter case, a final dot and the
//! spelling of an IPv6 address do not matter), and anything but a host with an optional port (a user name, a path, a space) is refused. The
//! grammar is RFC 3986, section 3.2, without percent-encoding, which no host name needs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest name that DNS allows.
const MAX_NAME: usize = 253;

/// A host, and the port if one is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) host: Host,
    pub(crate) port: Option<u16>,
}

/// A name or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// In lower case, without the final dot.
    Name(String),
    /// An IPv4-mapped IPv6 address is stored as its IPv4 address.
    Address(IpAddr),
}

impl Authority {
    /// Reads `host[:port]`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(parse_port(port)?),
                None if rest.is_empty() => None,
                None => return None,
            };
            return Some(Self { host: Host::Address(IpAddr::V6(address).to_canonical()), port });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (text, None),
        };
        Some(Self { host: parse_host(host)?, port })
    }

    /// The port, or the one that its scheme implies.
    pub(crate) fn port_or(&self, default: u16) -> u16 {
        self.port.unwrap_or(default)
    }
}

impl Host {
    /// Whether it names this machine only.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost",
            Self::Address(address) => address.is_loopback(),
        }
    }
}

fn parse_host(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(Host::Address(address.into()));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let labels = name.split('.').all(|label| !label.is_empty() && label.bytes().all(plain));
    (labels && name.len() <= MAX_NAME).then(|| Host::Name(name.to_ascii_lowercase()))
}

/// Digits only: Rust's own parser also accepts a plus sign.
fn parse_port(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_parse_in_every_spelling() {
        let name = |name: &str, port| Some(Authority { host: Host::Name(name.into()), port });
        let address = |address: &str, port| Some(Authority { host: Host::Address(address.parse().ok()?), port });
        for (text, expected) in [
            ("localhost", name("localhost", None)),
            ("LOCALHOST.:8000", name("localhost", Some(8000))),
            ("a-b.example_1.com", name("a-b.example_1.com", None)),
            ("127.0.0.1:80", address("127.0.0.1", Some(80))),
            ("[::1]", address("::1", None)),
            ("[0:0:0:0:0:0:0:1]:9", address("::1", Some(9))),
            ("[::ffff:127.0.0.1]:9", address("127.0.0.1", Some(9))),
        ] {
            assert_eq!(Authority::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn anything_but_a_host_is_refused() {
        let long = "a.".repeat(127) + "com";
        for text in [
            "",
            ".",
            "a..b",
            ":80",
            "a:",
            "a:+80",
            "a:65536",
            "a:80:80",
            "a b",
            "user@localhost",
            "localhost/",
            "localhost\\",
            "localhost#x",
            "local%68ost",
            "l\u{f6}calhost",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[fe80::1%25eth0]",
            "[127.0.0.1]",
            "a,b",
            &long,
        ] {
            // A lone "a:" has an empty port, which RFC 3986 allows and no browser sends.
            assert_eq!(Authority::parse(text), None, "{text:?}");
        }
    }
}
