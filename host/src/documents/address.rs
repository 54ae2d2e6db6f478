//! Which addresses may be connected to. A name that anybody may put into a URL must not lead into the network
//! that this program stands in (RFC 6890 and the IANA registries of special-purpose addresses).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// How far an address is from the open internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// On the open internet.
    Public,
    /// In a network of one's own: only where the operator says so.
    Private,
    /// For nobody: link-local (cloud metadata), multicast, documentation and the like.
    Never,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

const V4: &[(Ipv4Net, Reach)] = &[
    (v4(0, 0, 0, 0, 8), Reach::Never),
    (v4(10, 0, 0, 0, 8), Reach::Private),
    (v4(100, 64, 0, 0, 10), Reach::Private),
    (v4(127, 0, 0, 0, 8), Reach::Private),
    (v4(169, 254, 0, 0, 16), Reach::Never),
    (v4(172, 16, 0, 0, 12), Reach::Private),
    (v4(192, 0, 0, 0, 24), Reach::Never),
    (v4(192, 0, 2, 0, 24), Reach::Never),
    (v4(192, 88, 99, 0, 24), Reach::Never),
    (v4(192, 168, 0, 0, 16), Reach::Private),
    (v4(198, 18, 0, 0, 15), Reach::Never),
    (v4(198, 51, 100, 0, 24), Reach::Never),
    (v4(203, 0, 113, 0, 24), Reach::Never),
    (v4(224, 0, 0, 0, 4), Reach::Never),
    (v4(240, 0, 0, 0, 4), Reach::Never),
];

/// Checked in order; what is in none of them is for nobody. Addresses that embed others are judged before.
const V6: &[(Ipv6Net, Reach)] = &[
    (v6(0xfc00, 0, 0, 7), Reach::Private),
    (v6(0x2001, 0, 0, 23), Reach::Never),
    (v6(0x2001, 0x0db8, 0, 32), Reach::Never),
    (v6(0x3fff, 0, 0, 20), Reach::Never),
    (v6(0x2000, 0, 0, 3), Reach::Public),
];

/// How far an address is, judged by the IPv4 address inside where it carries one.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) if address.is_loopback() => Reach::Private,
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => reach_v4(inner),
            None => {
                V6.iter().find(|(net, _)| net.contains(&address)).map_or(Reach::Never, |(_, reach)| *reach)
            }
        },
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    V4.iter().find(|(net, _)| net.contains(&address)).map_or(Reach::Public, |(_, reach)| *reach)
}

/// The IPv4 address that is reached through an IPv6 one: mapped (RFC 4291), 6to4 (RFC 3056), NAT64 (RFC 6052).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(join(g, h)),
        (0x2002, ..) => Some(join(b, c)),
        _ => None,
    }
}
