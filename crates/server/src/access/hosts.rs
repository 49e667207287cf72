//! Which hosts a request may name: the defence against DNS rebinding.
//!
//! A page on the internet can point its own name at this machine's address, and then talk to this server as to its own origin. Its browser
//! still sends that name in `Host`, so names are checked. An address cannot be faked like this: the page itself was loaded from
//! that address. The first rule is Jupyter's and Ollama's; the others are stricter than theirs:
//!
//! * reachable over loopback only: `localhost`, loopback addresses, and the hosts that the operator allows;
//! * reachable from outside without keys: also every address, and names that cannot be owned on the internet (without a dot, or under
//!   `.local`, `.localhost`, `.internal` and `.home.arpa`);
//! * reachable from outside with keys: every host, because a foreign page has no key and a browser never prompts for one. If the operator
//!   allows hosts by name: those, `localhost` and addresses.
//!
//! `X-Forwarded-Host` and the like are never read: any client can set them. A request without a `Host` (HTTP/1.0) does not come from a
//! browser.

use super::{
    authority::{Authority, Host},
    refusal::Refusal,
};

/// From where the server can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This machine only.
    Loopback,
    /// Other machines too.
    Public,
}

/// The hosts that the operator allows beside the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    any: bool,
    hosts: Vec<Host>,
}

impl AllowedHosts {
    /// Reads names and addresses, each without scheme and port; `*` allows every host.
    ///
    /// # Errors
    /// A sentence about the first entry that is invalid.
    pub fn parse<T: AsRef<str>>(entries: &[T]) -> Result<Self, String> {
        let mut allowed = Self::default();
        for entry in entries {
            let entry = entry.as_ref().trim();
            if entry == "*" {
                allowed.any = true;
                continue;
            }
            // IPv6 addresses are often written without brackets.
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

/// Decides which hosts are accepted.
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

    /// Refuses a host that is not ours.
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

/// Whether the name cannot be owned on the internet (RFC 6761, 6762, 8375, and ICANN's `.internal`).
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
        // Whether each policy accepts it, in the same order.
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
            let accepted: Vec<_> = policies.iter().map(|policy| policy.check(&host).is_ok()).collect();
            assert_eq!(accepted, expected, "{host:?}");
        }
    }

    #[test]
    fn an_allowed_host_has_no_scheme_port_or_path() {
        for entry in ["", "https://a.com", "a.com:80", "a.com/x", "*.a.com", "[::1]:80"] {
            assert!(AllowedHosts::parse(&[entry]).is_err(), "{entry:?}");
        }
        let any = HostPolicy::new(Reach::Loopback, false, AllowedHosts::parse(&["*"]).unwrap(), None);
        assert!(any.check(&Host::Name("evil.com".into())).is_ok());
    }
}
