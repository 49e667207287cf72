//! Which `Host` a request may name: the answer to DNS rebinding.
//!
//! A page on the internet can have its own name point to this machine's address, and then talks to us as to its own origin. Its browser
//! still says that name in `Host`, so that names are what is judged; an address says nothing about its page's name, because then the
//! address *is* the page's name. The rules, of which the first is Jupyter's and Ollama's and the others are stricter than theirs:
//!
//! * reached over loopback alone: `localhost`, loopback addresses, and what the operator allows;
//! * reached from outside without keys: also every address, and names that nobody on the internet can own (without a dot, or under
//!   `.local`, `.localhost`, `.internal` and `.home.arpa`);
//! * reached from outside with keys: every host, for a strange page has no key, and a browser is never asked for one. Where the operator
//!   allows hosts by name, those, `localhost` and addresses.
//!
//! `X-Forwarded-Host` and its like are never read: whoever asks can write them. A request without a `Host` (HTTP/1.0) is no browser's.

use super::{
    authority::{Authority, Host},
    refusal::Refusal,
};

/// Who can reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This machine alone.
    Loopback,
    /// Others too.
    Public,
}

/// What the operator allows beside the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    any: bool,
    hosts: Vec<Host>,
}

impl AllowedHosts {
    /// Reads names and addresses, each without scheme and port; `*` allows every host.
    ///
    /// # Errors
    /// A sentence about the first that is none.
    pub fn parse<T: AsRef<str>>(entries: &[T]) -> Result<Self, String> {
        let mut allowed = Self::default();
        for entry in entries {
            let entry = entry.as_ref().trim();
            if entry == "*" {
                allowed.any = true;
                continue;
            }
            // An IPv6 address is written without its brackets as often as with them.
            let host = match entry.parse::<std::net::Ipv6Addr>() {
                Ok(address) => Some(Host::Address(std::net::IpAddr::V6(address).to_canonical())),
                Err(_) => Authority::parse(entry).filter(|authority| authority.port.is_none()).map(|authority| authority.host),
            };
            let host = host.ok_or_else(|| format!("{entry:?} is no host: a name or an address is, without scheme and port"))?;
            allowed.hosts.push(host);
        }
        Ok(allowed)
    }
}

/// The judge of hosts.
#[derive(Clone, Debug)]
pub(crate) struct HostPolicy {
    reach: Reach,
    with_keys: bool,
    allowed: AllowedHosts,
    /// The host of the server's public URL.
    own: Option<Host>,
}

impl HostPolicy {
    pub(crate) fn new(reach: Reach, with_keys: bool, allowed: AllowedHosts, own: Option<Host>) -> Self {
        Self { reach, with_keys, allowed, own }
    }

    /// Refuses a host that is none of ours.
    pub(crate) fn check(&self, host: &Host) -> Result<(), Refusal> {
        if self.accepts(host) { Ok(()) } else { Err(Refusal::foreign_host(host)) }
    }

    fn accepts(&self, host: &Host) -> bool {
        if host.is_loopback() || self.allowed.any || self.allowed.hosts.contains(host) || self.own.as_ref() == Some(host) {
            return true;
        }
        match self.reach {
            Reach::Loopback => false,
            Reach::Public => match host {
                Host::Address(_) => true,
                Host::Name(name) if self.with_keys => self.allowed.hosts.is_empty() || is_private(name),
                Host::Name(name) => is_private(name),
            },
        }
    }
}

/// Whether nobody on the internet can own the name (RFC 6761, 6762, 8375, and ICANN's `.internal`).
fn is_private(name: &str) -> bool {
    let under = |zone: &str| name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'));
    !name.contains('.') || ["local", "localhost", "internal", "home.arpa"].into_iter().any(under)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn each_reach_has_its_hosts() {
        let allowed = AllowedHosts::parse(&["studio.example.com", "10.1.2.3", "fd00::1"]).unwrap();
        let none = AllowedHosts::default();
        let policies = [
            HostPolicy::new(Reach::Loopback, false, none.clone(), None),
            HostPolicy::new(Reach::Loopback, true, allowed.clone(), None),
            HostPolicy::new(Reach::Public, false, none.clone(), None),
            HostPolicy::new(Reach::Public, false, allowed.clone(), None),
            HostPolicy::new(Reach::Public, true, none, None),
            HostPolicy::new(Reach::Public, true, allowed, None),
        ];
        // Whether each of the policies takes it, in their order.
        for (host, expected) in [
            ("localhost", [true; 6]),
            ("127.9.9.9", [true; 6]),
            ("[::1]", [true; 6]),
            ("evil.com", [false, false, false, false, true, false]),
            ("localhost.evil.com", [false, false, false, false, true, false]),
            ("nas", [false, false, true, true, true, true]),
            ("nas.local", [false, false, true, true, true, true]),
            ("evillocal", [false, false, true, true, true, true]),
            ("local.com", [false, false, false, false, true, false]),
            ("192.168.1.5", [false, false, true, true, true, true]),
            ("studio.example.com", [false, true, false, true, true, true]),
            ("10.1.2.3", [false, true, true, true, true, true]),
            ("[fd00::1]", [false, true, true, true, true, true]),
        ] {
            let host = Authority::parse(host).unwrap().host;
            let taken: Vec<_> = policies.iter().map(|policy| policy.check(&host).is_ok()).collect();
            assert_eq!(taken, expected, "{host:?}");
        }
    }

    #[test]
    fn an_allowed_host_is_a_host_alone() {
        for entry in ["", "https://a.com", "a.com:80", "a.com/x", "*.a.com", "[::1]:80"] {
            assert!(AllowedHosts::parse(&[entry]).is_err(), "{entry:?}");
        }
        let any = HostPolicy::new(Reach::Loopback, false, AllowedHosts::parse(&["*"]).unwrap(), None);
        assert!(any.check(&Host::Name("evil.com".into())).is_ok());
    }
}
