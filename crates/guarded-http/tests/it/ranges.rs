//! The edges of all blocks of IANA's special-purpose registries, against a second, independent list of first and last addresses: each edge
//! and its neighbours. And many addresses against the standard library's classification.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use guarded_http::{Error, Guard, GuardSettings, Rule};

/// The registry's blocks, the multicast space, and the metadata address outside all of them.
const IPV4: [(&str, &str); 19] = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("168.63.129.16", "168.63.129.16"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.31.196.0", "192.31.196.255"),
    ("192.52.193.0", "192.52.193.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("192.175.48.0", "192.175.48.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
];

/// Everything outside 2000::/3, in the registries' blocks (NAT64's is judged by the embedded address), and the blocks within.
const IPV6: [(&str, &str); 22] = [
    ("::", "::"),
    ("::1", "::1"),
    // IPv4-compatible.
    ("::2", "::ffff:ffff"),
    // IPv4-translated (RFC 2765).
    ("::ffff:0:0:0", "::ffff:0:ffff:ffff"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("64:ff9b:0:0:0:1::", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),
    ("200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
    ("2001:10::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

fn is_refused(guard: &Guard, address: IpAddr) -> bool {
    let url = match address {
        IpAddr::V4(address) => format!("http://{address}/"),
        IpAddr::V6(address) => format!("https://[{address}]/"),
    };
    match guard.check(&url) {
        Ok(_) => false,
        Err(Error::Refused { rule: Rule::Address, .. }) => true,
        Err(other) => panic!("{url}: {other}"),
    }
}

fn guard() -> Guard {
    Guard::new(GuardSettings::default())
}

fn blocks<A: std::str::FromStr, N: From<A>>(blocks: &[(&str, &str)]) -> Vec<(N, N)> {
    let number = |text: &str| text.parse::<A>().map(N::from).unwrap_or_else(|_| panic!("{text}"));
    blocks.iter().map(|(first, last)| (number(first), number(last))).collect()
}

#[test]
fn the_edges_of_ipv4_blocks_match_the_registry() {
    let guard = guard();
    let blocks: Vec<(u32, u32)> = blocks::<Ipv4Addr, u32>(&IPV4);
    let mut open = 0;
    for (first, last) in &blocks {
        let middle = first + (last - first) / 2;
        for address in [first.wrapping_sub(1), *first, first.saturating_add(1), middle, last.saturating_sub(1), *last, last.wrapping_add(1)]
        {
            let expected = blocks.iter().any(|(first, last)| (*first..=*last).contains(&address));
            open += usize::from(!expected);
            let address = Ipv4Addr::from_bits(address);
            assert_eq!(is_refused(&guard, address.into()), expected, "{address}");
            // Embedding schemes in use are judged by the IPv4 address, the others are refused.
            let [a, b, c, d] = address.octets().map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            for (carrier, judged) in [
                (address.to_ipv6_mapped(), expected),
                (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low), expected),
                (Ipv6Addr::new(0x2a00, 1, 2, 3, 0, 0x5efe, high, low), expected),
                (Ipv6Addr::new(0x2a00, 1, 2, 3, 0x200, 0x5efe, high, low), expected),
                (Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low), true),
                (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low), true),
                (Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1), true),
                (Ipv6Addr::new(0x2001, 0, 0x0808, 0x0808, 0, 0, !high, !low), true),
            ] {
                assert_eq!(is_refused(&guard, carrier.into()), judged, "{carrier} carries {address}");
            }
        }
    }
    assert!(open > 25, "{open} neighbours are open");
}

#[test]
fn the_edges_of_ipv6_blocks_match_the_registry() {
    let guard = guard();
    let blocks: Vec<(u128, u128)> = blocks::<Ipv6Addr, u128>(&IPV6);
    let global = 0x2000_u128 << 112..0x4000_u128 << 112;
    let mut open = 0;
    for (first, last) in &blocks {
        let middle = first + (last - first) / 2;
        for bits in [first.wrapping_sub(1), *first, first.saturating_add(1), middle, last.saturating_sub(1), *last, last.wrapping_add(1)] {
            let address = Ipv6Addr::from_bits(bits);
            // Embedded IPv4 is covered by the other test.
            if address.to_ipv4_mapped().is_some() || address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
                continue;
            }
            let expected = !global.contains(&bits) || blocks.iter().any(|(first, last)| (*first..=*last).contains(&bits));
            open += usize::from(!expected);
            assert_eq!(is_refused(&guard, address.into()), expected, "{address}");
        }
    }
    assert!(open > 8, "{open} neighbours are open");
    for address in ["fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fd00:c1::a9fe:a9fe"] {
        assert!(is_refused(&guard, address.parse().unwrap()), "{address}");
    }
}

#[test]
fn special_addresses_of_the_standard_library_are_refused() {
    let guard = guard();
    let mut state = 1_u64;
    let mut next = || {
        // Knuth's multiplier; the upper half is more random.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    let mut open = [0, 0];
    for _ in 0..50_000 {
        let address = Ipv4Addr::from_bits(next());
        let special = [
            address.is_private(),
            address.is_loopback(),
            address.is_link_local(),
            address.is_multicast(),
            address.is_broadcast(),
            address.is_documentation(),
            address.is_unspecified(),
        ];
        let refused = is_refused(&guard, address.into());
        assert!(refused || !special.contains(&true), "{address}");
        open[0] += u32::from(!refused);
        // Three of four are in the allocated part.
        let high = if next() % 4 == 0 { next() } else { next() % 0x2000_0000 + 0x2000_0000 };
        let bits = u128::from(high) << 96 | u128::from(next()) << 64 | u128::from(next()) << 32 | u128::from(next());
        let address = Ipv6Addr::from_bits(bits);
        let special = [
            address.is_loopback(),
            address.is_multicast(),
            address.is_unspecified(),
            address.is_unique_local(),
            address.is_unicast_link_local(),
        ];
        let refused = is_refused(&guard, address.into());
        assert!(refused || !special.contains(&true), "{address}");
        open[1] += u32::from(!refused);
    }
    // 86 % of IPv4 is open (3.7 of 4.3 billion addresses), and about three quarters of these IPv6 addresses.
    assert!((42_000..44_500).contains(&open[0]) && (37_000..40_500).contains(&open[1]), "{open:?}");
}
