//! Classifies addresses: public Internet, private, and never connectable.
//!
//! Every block of IANA's special-purpose registries is refused, even the globally reachable ones: no pictures are served there. IPv6 is
//! refused except for 2000::/3, the only allocated part. An IPv6 address with an embedded IPv4 address is judged by that address if the
//! scheme is in use (mapped, NAT64, ISATAP), and refused if it is not (compatible, 6to4, Teredo).
//!
//! References: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates), IPv6 Address Space registry, RFC 6052
//! (NAT64), RFC 5214 (ISATAP); the metadata addresses are those that the clouds' own clients use and other guards refuse.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The class of an address, which decides what entry of the operator's list may allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressClass {
    /// On the public Internet.
    Public,
    /// Private, loopback, shared, reserved, for documentation: any matching entry allows it.
    Internal,
    /// Link-local, or a cloud's metadata address, which hands out credentials: only an entry for exactly this address allows it, because a
    /// network or a name could include it by accident.
    Guarded,
    /// Unspecified (which connects to the machine itself), multicast, broadcast: no entry allows it.
    Never,
}

/// The IPv4 blocks that are not public, as network and prefix length; the first match decides.
const IPV4: [(Ipv4Addr, u8, AddressClass); 19] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, AddressClass::Never),          // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8, AddressClass::Internal),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10, AddressClass::Internal),   // shared, behind carriers' translators
    (Ipv4Addr::new(127, 0, 0, 0), 8, AddressClass::Internal),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16, AddressClass::Guarded),   // link-local: most clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12, AddressClass::Internal),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24, AddressClass::Internal),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24, AddressClass::Internal),    // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24, AddressClass::Internal), // AS112
    (Ipv4Addr::new(192, 52, 193, 0), 24, AddressClass::Internal), // automatic multicast tunnels
    (Ipv4Addr::new(192, 88, 99, 0), 24, AddressClass::Internal),  // 6to4 relays, given up
    (Ipv4Addr::new(192, 168, 0, 0), 16, AddressClass::Internal),  // private
    (Ipv4Addr::new(192, 175, 48, 0), 24, AddressClass::Internal), // AS112
    (Ipv4Addr::new(198, 18, 0, 0), 15, AddressClass::Internal),   // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24, AddressClass::Internal), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24, AddressClass::Internal),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4, AddressClass::Never),        // multicast
    (Ipv4Addr::new(255, 255, 255, 255), 32, AddressClass::Never), // broadcast
    (Ipv4Addr::new(240, 0, 0, 0), 4, AddressClass::Internal),     // reserved
];

/// Clouds' metadata addresses outside link-local.
const METADATA_IPV4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(100, 96, 0, 96),     // Volcengine
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba
    Ipv4Addr::new(168, 63, 129, 16),   // Azure; a public address by its number
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle
];

/// The same for IPv6, outside AWS' block.
const METADATA_IPV6: [Ipv6Addr; 5] = [
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),      // Google
    Ipv6Addr::new(0xfd00, 0x00c1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), // Oracle
    Ipv6Addr::new(0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042),      // Scaleway
    Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 0x0001), // Akamai
    Ipv6Addr::new(0xfd00, 0x0100, 0, 0, 0, 0, 0x0100, 0x0200), // Alibaba
];

/// The IPv6 blocks that are not public, in addition to everything outside 2000::/3.
const IPV6: [(Ipv6Addr, u8, AddressClass); 9] = [
    (Ipv6Addr::UNSPECIFIED, 128, AddressClass::Never),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, AddressClass::Never), // multicast
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, AddressClass::Guarded), // link-local
    (Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0), 32, AddressClass::Guarded), // AWS: metadata, credentials of pods, names, time
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, AddressClass::Internal), // protocol assignments, Teredo among them
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32, AddressClass::Internal), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, AddressClass::Internal), // 6to4
    (Ipv6Addr::new(0x2620, 0x004f, 0x8000, 0, 0, 0, 0, 0), 48, AddressClass::Internal), // AS112
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, AddressClass::Internal), // documentation
];

/// The allocated part of IPv6.
const GLOBAL_UNICAST: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// NAT64's well-known prefix, which embeds the address of an IPv4 server in networks without IPv4.
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x0064, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// The class of an address.
pub(crate) fn classify(address: IpAddr) -> AddressClass {
    // A socket to a mapped address connects over IPv4.
    match address.to_canonical() {
        IpAddr::V4(address) => standing_v4(address),
        IpAddr::V6(address) => standing_v6(address),
    }
}

fn standing_v4(address: Ipv4Addr) -> AddressClass {
    if METADATA_IPV4.contains(&address) {
        return AddressClass::Guarded;
    }
    let block = IPV4.iter().find(|(network, bits, _)| shares_v4(address, *network, *bits));
    block.map_or(AddressClass::Public, |(_, _, standing)| *standing)
}

fn standing_v6(address: Ipv6Addr) -> AddressClass {
    if METADATA_IPV6.contains(&address) {
        return AddressClass::Guarded;
    }
    if let Some((_, _, standing)) = IPV6.iter().find(|(network, bits, _)| shares_v6(address, *network, *bits)) {
        return *standing;
    }
    let [.., owner, kind, high, low] = address.segments();
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    let within = Ipv4Addr::new(a, b, c, d);
    if shares_v6(address, NAT64.0, NAT64.1) {
        return standing_v4(within);
    }
    if !shares_v6(address, GLOBAL_UNICAST.0, GLOBAL_UNICAST.1) {
        return AddressClass::Internal;
    }
    // ISATAP: a tunnel to an IPv4 address of the site. Two bits of the owner's part are flags: universal, and group.
    if owner & !0x0300 == 0 && kind == 0x5efe {
        return standing_v4(within);
    }
    AddressClass::Public
}

fn shares_v4(address: Ipv4Addr, network: Ipv4Addr, bits: u8) -> bool {
    let differs = address.to_bits() ^ network.to_bits();
    differs.leading_zeros() >= u32::from(bits)
}

fn shares_v6(address: Ipv6Addr, network: Ipv6Addr, bits: u8) -> bool {
    let differs = address.to_bits() ^ network.to_bits();
    differs.leading_zeros() >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{AddressClass, classify};

    #[test]
    fn each_kind_of_address_has_its_class() {
        let table = [
            (AddressClass::Public, "8.8.8.8 1.1.1.1 223.255.255.255 2606:4700::1111 2a00:1450::8a 64:ff9b::8.8.8.8 ::ffff:8.8.8.8"),
            (AddressClass::Public, "2a00:1450::5efe:808:808"),
            (AddressClass::Internal, "127.0.0.1 10.1.2.3 172.31.0.1 192.168.0.1 100.64.0.1 198.18.0.1 203.0.113.5 240.0.0.1"),
            (
                AddressClass::Internal,
                "::1 fc00::1 fd12::1 fec0::1 ::127.0.0.1 ::8.8.8.8 2001::1 2001:db8::1 2002:808:808:: 64:ff9b:1::808:808",
            ),
            (AddressClass::Internal, "::ffff:127.0.0.1 64:ff9b::10.0.0.1 2a00:1450::5efe:a00:1 2a00:1450::300:5efe:7f00:1 4000::1 5f00::1"),
            (AddressClass::Internal, "::ffff:0:7f00:1 100::1 3fff::1 2620:4f:8000::1"),
            (
                AddressClass::Guarded,
                "169.254.169.254 169.254.0.1 100.100.100.200 168.63.129.16 192.0.0.192 fe80::1 fd00:ec2::254 fd20:ce::254",
            ),
            (
                AddressClass::Guarded,
                "::ffff:169.254.169.254 64:ff9b::169.254.169.254 fd00:c1::a9fe:a9fe fd00:ec2::23 fd00:a9fe:a9fe::1 fd00:100::100:200",
            ),
            (AddressClass::Never, "0.0.0.0 0.1.2.3 224.0.0.1 239.255.255.250 255.255.255.255 :: ff02::1 ::ffff:0.0.0.0 64:ff9b::"),
        ];
        for (expected, addresses) in table {
            for address in addresses.split(' ') {
                assert_eq!(classify(address.parse().unwrap()), expected, "{address}");
            }
        }
    }
}
