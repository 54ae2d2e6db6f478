//! Where a request came from: the peer, or what a trusted proxy says of it.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// The proxies whose `X-Forwarded-For` counts.
pub(crate) struct Trusted(Vec<IpNet>);

impl Trusted {
    /// These networks.
    pub(crate) fn new(networks: &[IpNet]) -> Self {
        Self(networks.to_vec())
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }

    /// The right-most address that is not a trusted proxy; the peer where it is none.
    pub(crate) fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.holds(peer) {
            return peer;
        }
        let named: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .map(str::trim)
            .collect();
        let mut nearest = peer;
        for text in named.iter().rev() {
            let Ok(address) = text.parse::<IpAddr>() else { break };
            nearest = address.to_canonical();
            if !self.holds(nearest) {
                break;
            }
        }
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted = Trusted(trusted.iter().map(|net| net.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        trusted.source(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        assert_eq!(source(&[], "203.0.113.9", &["10.0.0.1"]), "203.0.113.9");
        assert_eq!(source(&["10.0.0.0/8"], "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
    }

    #[test]
    fn the_right_most_untrusted_address_counts() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(source(&trusted, "10.0.0.1", &["1.2.3.4, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(source(&trusted, "10.0.0.1", &["1.2.3.4", "198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(source(&trusted, "10.0.0.1", &["198.51.100.1, nonsense"]), "10.0.0.1");
        assert_eq!(source(&trusted, "::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    }
}
