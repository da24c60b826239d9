//! Addresses and names that are not of the public network: the IANA special-purpose registries.
//!
//! A stranger who names a host must not have this server reach what only this server can reach. So
//! every block of the registries is refused, the few that are globally reachable too: none of them
//! holds a directory. Of IPv6 only global unicast (2000::/3) is left at all; addresses that carry an
//! IPv4 address (mapped, NAT64, 6to4, Teredo) are refused whatever they carry.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

/// The first three groups are all that any entry needs.
const fn v6(a: u16, b: u16, c: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits)
}

/// IANA IPv4 Special-Purpose Address Registry, multicast, and what is reserved.
#[rustfmt::skip]
const V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),         // "this network", RFC 791
    v4(10, 0, 0, 0, 8),        // private use, RFC 1918
    v4(100, 64, 0, 0, 10),     // shared address space, RFC 6598
    v4(127, 0, 0, 0, 8),       // loopback, RFC 1122
    v4(169, 254, 0, 0, 16),    // link local, RFC 3927; metadata services of clouds
    v4(172, 16, 0, 0, 12),     // private use, RFC 1918
    v4(192, 0, 0, 0, 24),      // IETF protocol assignments, RFC 6890
    v4(192, 0, 2, 0, 24),      // documentation, RFC 5737
    v4(192, 31, 196, 0, 24),   // AS112-v4, RFC 7535
    v4(192, 52, 193, 0, 24),   // AMT, RFC 7450
    v4(192, 88, 99, 0, 24),    // deprecated 6to4 relay anycast, RFC 7526
    v4(192, 168, 0, 0, 16),    // private use, RFC 1918
    v4(192, 175, 48, 0, 24),   // direct delegation AS112 service, RFC 7534
    v4(198, 18, 0, 0, 15),     // benchmarking, RFC 2544
    v4(198, 51, 100, 0, 24),   // documentation, RFC 5737
    v4(203, 0, 113, 0, 24),    // documentation, RFC 5737
    v4(224, 0, 0, 0, 4),       // multicast, RFC 5771
    v4(240, 0, 0, 0, 4),       // reserved, RFC 1112; limited broadcast, RFC 8190
];

/// Global unicast, RFC 4291: everything else is special.
const V6_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Blocks of the IANA IPv6 Special-Purpose Address Registry within global unicast.
#[rustfmt::skip]
const V6: &[Ipv6Net] = &[
    v6(0x2001, 0, 0, 23),           // IETF protocol assignments, RFC 2928: Teredo, ORCHID, DET, …
    v6(0x2001, 0xdb8, 0, 32),       // documentation, RFC 3849
    v6(0x2002, 0, 0, 16),           // 6to4, RFC 3056
    v6(0x2620, 0x4f, 0x8000, 48),   // direct delegation AS112 service, RFC 7534
    v6(0x3fff, 0, 0, 20),           // documentation, RFC 9637
];

/// IANA Special-Use Domain Names, and those that resolvers answer from a local network.
const NAMES: &[&str] = &[
    "alt",
    "arpa",
    "internal",
    "invalid",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "test",
];

/// Whether an address is of a special-purpose block.
pub(crate) fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => V4.iter().any(|net| net.contains(&v4)),
        IpAddr::V6(v6) => !V6_UNICAST.contains(&v6) || V6.iter().any(|net| net.contains(&v6)),
    }
}

/// Whether a host's last label says that it is not in the public DNS.
pub(crate) fn is_special_name(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    NAMES.contains(&last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn special(text: &str) -> bool {
        is_special(text.parse().unwrap())
    }

    #[test]
    fn both_ends_of_every_block_are_special_and_their_neighbours_are_not() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "255.255.255.255"),
        ] {
            assert!(special(first) && special(last), "{first}");
            let (first, last): (Ipv4Addr, Ipv4Addr) =
                (first.parse().unwrap(), last.parse().unwrap());
            let before = u32::from(first).checked_sub(1).map(Ipv4Addr::from);
            let after = u32::from(last).checked_add(1).map(Ipv4Addr::from);
            for neighbour in [before, after].into_iter().flatten() {
                assert!(!is_special(neighbour.into()), "{neighbour}");
            }
        }
    }

    #[test]
    fn nothing_but_global_unicast_is_left_of_ipv6() {
        for address in [
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:20::1",
            "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2620:4f:8000::1",
            "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(special(address), "{address}");
        }
        for address in [
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2620:4f:8001::1",
            "2a00::1",
            "3fff:1000::1",
        ] {
            assert!(!special(address), "{address}");
        }
    }

    #[test]
    fn names_outside_the_public_dns_are_known() {
        for name in [
            "a.localhost",
            "printer.local",
            "x.onion",
            "db.internal",
            "1.0.0.127.in-addr.arpa",
        ] {
            assert!(is_special_name(name), "{name}");
        }
        for name in ["example.org", "localhost.example.org", "local.example"] {
            assert!(!is_special_name(name), "{name}");
        }
    }
}
