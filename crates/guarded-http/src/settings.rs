//! The operator's settings for guarded requests.
//!
//! They contain no secrets and may be logged.

use std::{net::IpAddr, time::Duration};

use crate::{
    AllowedHost,
    address::{AddressClass, classify},
    error::Rule,
};

/// The operator's settings for guarded requests. The schemes are always http and https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Hosts that may be private or use other ports. Empty: none.
    pub allow: Vec<AllowedHost>,
    /// Ports that are open for any host. Few, so that callers cannot scan ports or talk to a mail server.
    pub ports: Vec<u16>,
    /// Timeout for opening a connection.
    pub connect_timeout: Duration,
    /// Timeout of a call, from its first lookup to its last byte; a call may set a shorter one.
    pub timeout: Duration,
    /// Number of redirects that a GET follows.
    pub max_redirects: u32,
}

impl Default for GuardSettings {
    /// No private hosts; ports 80, 443, 8080 and 8443; 5 s to connect, 30 s in all, 3 redirects.
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            ports: vec![80, 443, 8080, 8443],
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            max_redirects: 3,
        }
    }
}

impl GuardSettings {
    /// Whether an address may be connected to, given in the URL (no name) or resolved from a name.
    pub(crate) fn check_address(&self, name: Option<&str>, address: IpAddr, port: u16) -> Result<(), Rule> {
        let mut is_open = self.ports.contains(&port);
        let mut may_connect = classify(address) == AddressClass::Public;
        for entry in self.allow.iter().filter(|entry| entry.is_for(name, address, port)) {
            is_open |= entry.port().is_some();
            may_connect |= entry.allows(address);
        }
        // The address comes first: a private host must not reveal anything about its ports.
        if !may_connect {
            Err(Rule::Address)
        } else if !is_open {
            Err(self.port_rule())
        } else {
            Ok(())
        }
    }

    /// Whether the port is open for all hosts, or an entry of the list could open it.
    pub(crate) fn may_be_open(&self, port: u16) -> bool {
        self.ports.contains(&port) || self.allow.iter().any(|entry| entry.port() == Some(port))
    }

    pub(crate) fn port_rule(&self) -> Rule {
        Rule::Port { open: self.ports.clone() }
    }
}
