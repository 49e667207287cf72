//! What the operator sets about requests to others.
//!
//! It holds no secrets and may be logged.

use std::{net::IpAddr, time::Duration};

use crate::{
    AllowedHost,
    address::{Standing, standing},
    error::Rule,
};

/// What the operator sets about requests to others. The schemes are http and https always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Hosts that may be private, or asked on a port of their own. Empty: none.
    pub allow: Vec<AllowedHost>,
    /// Ports that any host may be asked on. Few, so that nobody uses the server to look for open ports or to speak with a mail server.
    pub ports: Vec<u16>,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long a call may take from its first lookup to its last byte; a call may ask for less.
    pub timeout: Duration,
    /// How many redirects a GET follows.
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
    /// Whether an address may be connected to, for a URL that gives it (no name) or a name that stands for it.
    pub(crate) fn judge(&self, name: Option<&str>, address: IpAddr, port: u16) -> Result<(), Rule> {
        let mut is_open = self.ports.contains(&port);
        let mut may_connect = standing(address) == Standing::Public;
        for entry in self.allow.iter().filter(|entry| entry.is_for(name, address, port)) {
            is_open |= entry.port().is_some();
            may_connect |= entry.lifts(address);
        }
        // The address first: what is private tells nothing about its ports.
        if !may_connect {
            Err(Rule::Address)
        } else if !is_open {
            Err(self.port_rule())
        } else {
            Ok(())
        }
    }

    /// Whether the port is open to everybody, or an entry of the list could open it.
    pub(crate) fn may_be_open(&self, port: u16) -> bool {
        self.ports.contains(&port) || self.allow.iter().any(|entry| entry.port() == Some(port))
    }

    pub(crate) fn port_rule(&self) -> Rule {
        Rule::Port { open: self.ports.clone() }
    }
}
