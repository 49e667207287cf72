//! The operator's list of hosts that may be private or use other ports.
//!
//! An entry is a name, all names below one, or an IP network, each with or without a port. Entries are parsed like hosts of URLs, so that
//! `127.1` and `Bücher.example` have the same meaning in both.
//!
//! The invariant: an entry allows only what it names. See [`crate::address`] for addresses that no entry allows.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Net};
use url::{Host, Url};

use crate::address::{AddressClass, classify};

/// A host that the operator allows: `nas.example`, `*.example.com` (not `example.com` itself), `10.0.0.5`, `10.0.0.0/8`, `fd00::/8`. With a
/// port (`nas.example:9000`, `10.0.0.0/8:9000`, `[fd00::5]:9000`) the host is allowed on that port only, and that port is opened for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    pattern: Pattern,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// In lower case, punycode, without a trailing dot.
    Name(String),
    /// Names that end in a dot and this.
    Below(String),
    Network(IpNet),
}

/// A text is not a valid entry.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no host: give a name, *.name, an IP address or an IP network, and :port if it is for one port")]
pub struct InvalidAllowedHost {
    /// The invalid text.
    pub text: String,
}

impl AllowedHost {
    /// The entry's port; None if it applies to the ports that are open for all hosts.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The entries that allow an address of the operator's own, on its port alone: the name, or for `localhost` the loopback addresses.
    /// Empty if the URL has no host.
    pub fn of_url(url: &Url) -> Vec<Self> {
        let port = url.port_or_known_default();
        let at = |pattern| Self { pattern, port };
        let network = |address: IpAddr| at(Pattern::Network(address.into()));
        match url.host() {
            Some(Host::Domain(name)) if name.eq_ignore_ascii_case("localhost") => {
                vec![network(Ipv4Addr::LOCALHOST.into()), network(Ipv6Addr::LOCALHOST.into())]
            }
            Some(Host::Domain(name)) => vec![at(Pattern::Name(name.strip_suffix('.').unwrap_or(name).to_owned()))],
            Some(Host::Ipv4(address)) => vec![network(address.into())],
            Some(Host::Ipv6(address)) => vec![network(IpAddr::from(address).to_canonical())],
            None => Vec::new(),
        }
    }

    /// Whether the entry matches this address under this name and port. The name is spelled as in the URL, without a trailing dot; None if
    /// the URL contains an address.
    pub(crate) fn is_for(&self, name: Option<&str>, address: IpAddr, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
            && match &self.pattern {
                Pattern::Name(own) => name == Some(own),
                Pattern::Below(own) => {
                    name.and_then(|name| name.strip_suffix(own.as_str())).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
                }
                Pattern::Network(network) => network.contains(&address.to_canonical()),
            }
    }

    /// Whether a matching entry allows connecting to this address.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        match classify(address) {
            AddressClass::Public | AddressClass::Internal => true,
            AddressClass::Guarded => match &self.pattern {
                Pattern::Network(network) => network.prefix_len() == network.max_prefix_len(),
                Pattern::Name(_) | Pattern::Below(_) => false,
            },
            AddressClass::Never => false,
        }
    }
}

impl FromStr for AllowedHost {
    type Err = InvalidAllowedHost;

    fn from_str(text: &str) -> Result<Self, InvalidAllowedHost> {
        let invalid = || InvalidAllowedHost { text: text.to_owned() };
        let (host, port) = split_port(text).ok_or_else(invalid)?;
        let pattern = if let Some(network) = network(host) {
            Pattern::Network(network)
        } else {
            let (below, name) = host.strip_prefix("*.").map_or((false, host), |name| (true, name));
            match Host::parse(name).map_err(|_| invalid())? {
                Host::Domain(name) => {
                    let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
                    if name.is_empty() || name.contains('*') {
                        return Err(invalid());
                    }
                    if below { Pattern::Below(name) } else { Pattern::Name(name) }
                }
                Host::Ipv4(address) if !below => Pattern::Network(IpAddr::from(address).into()),
                Host::Ipv4(_) | Host::Ipv6(_) => return Err(invalid()),
            }
        };
        Ok(Self { pattern, port })
    }
}

/// The host and the port of an entry; an IPv6 address or network with a port is in brackets.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let number = |port: &str| port.parse().ok().filter(|port| *port > 0);
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(number(port)?))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    if network(text).is_some() {
        return Some((text, None));
    }
    match text.rsplit_once(':') {
        Some((host, port)) => Some((host, Some(number(port)?))),
        None => Some((text, None)),
    }
}

/// A network or an address; mapped IPv6 becomes IPv4, because addresses are compared in that form.
fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let mapped: Option<(Ipv4Addr, u8)> = match network {
        IpNet::V4(_) => None,
        IpNet::V6(network) => network.addr().to_ipv4_mapped().zip(network.prefix_len().checked_sub(96)),
    };
    match mapped {
        Some((address, bits)) => Ipv4Net::new(address, bits).ok().map(IpNet::V4),
        None => Some(network.trunc()),
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.pattern, self.port) {
            (Pattern::Name(name), _) => formatter.write_str(name)?,
            (Pattern::Below(name), _) => write!(formatter, "*.{name}")?,
            (Pattern::Network(network @ IpNet::V6(_)), Some(_)) => write!(formatter, "[{network}]")?,
            (Pattern::Network(network), _) => write!(formatter, "{network}")?,
        }
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::AllowedHost;

    #[test]
    fn entries_are_parsed_like_hosts_of_urls() {
        let table = [
            ("nas.example", "nas.example"),
            ("NAS.Example.", "nas.example"),
            ("nas.example:9000", "nas.example:9000"),
            ("*.Example.com", "*.example.com"),
            ("*.example.com:8443", "*.example.com:8443"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("127.1", "127.0.0.1/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.0.0.0/8:9000", "10.0.0.0/8:9000"),
            ("fd00::/8", "fd00::/8"),
            ("::1", "::1/128"),
            ("[::1]:9000", "[::1/128]:9000"),
            ("[fd00::/8]", "fd00::/8"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ];
        for (text, shown) in table {
            assert_eq!(text.parse::<AllowedHost>().unwrap().to_string(), shown, "{text}");
            assert_eq!(shown.parse::<AllowedHost>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn invalid_hosts_are_refused() {
        let texts = "|*|*.|.|http://nas.example|nas.example/x|nas.example:0|nas.example:70000|nas.example:|a b|*.*.example|*.127.0.0.1|\
                     *.10.0.0.0/8|10.0.0.0/33|[::1|[::1]9000|user@nas.example|na*s.example";
        for text in texts.split('|') {
            let error = text.parse::<AllowedHost>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{text:?} is no host")), "{error}");
        }
    }

    #[test]
    fn an_entry_matches_only_what_it_names() {
        let table = [
            ("nas.example", "nas.example", true),
            ("nas.example", "xnas.example", false),
            ("nas.example", "a.nas.example", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "badexample.com", false),
            ("*.example.com", "a.example.com.attacker.example", false),
            ("nas.example:443", "nas.example", true),
            ("nas.example:444", "nas.example", false),
            ("10.0.0.0/8", "whatever.example", true),
            ("11.0.0.0/8", "whatever.example", false),
            ("10.0.0.5", "whatever.example", true),
        ];
        for (entry, name, expected) in table {
            let entry: AllowedHost = entry.parse().unwrap();
            assert_eq!(entry.is_for(Some(name), "10.0.0.5".parse().unwrap(), 443), expected, "{entry} {name}");
        }
        let network: AllowedHost = "10.0.0.0/8".parse().unwrap();
        assert!(network.is_for(None, "::ffff:10.0.0.5".parse().unwrap(), 443));
    }

    #[test]
    fn metadata_needs_its_own_entry_and_nothing_allows_the_unspecified() {
        let allows = |entry: &str, address: &str| entry.parse::<AllowedHost>().unwrap().allows(address.parse().unwrap());
        assert!(allows("100.64.0.0/10", "100.64.0.1"));
        assert!(!allows("100.64.0.0/10", "100.100.100.200"));
        assert!(allows("100.100.100.200", "100.100.100.200"));
        assert!(!allows("*.internal", "169.254.169.254"));
        assert!(!allows("169.254.0.0/16", "169.254.169.254"));
        assert!(allows("nas.example", "127.0.0.1"));
        for address in ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255"] {
            assert!(!allows(address, address), "{address}");
        }
    }
}
