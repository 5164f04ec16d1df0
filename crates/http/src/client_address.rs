//! Where a request came from, when proxies stand between.
//!
//! Anybody can send `X-Forwarded-For`, so it is believed only from proxies that the configuration names: each adds the
//! address of its peer at the end, so the list is read from there, for as long as those who wrote it are trusted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use actix_web::HttpRequest;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The networks whose word is taken, separated by commas: `10.0.0.0/8, 192.0.2.7, 2001:db8::/32`.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// A part of the list is neither a network nor an address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither a network like 10.0.0.0/8 nor an address")]
pub struct NotANetwork(String);

impl FromStr for TrustedProxies {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| {
            let address = || part.parse::<IpAddr>().map(IpNet::from);
            part.parse().or_else(|_| address()).map_err(|_neither| NotANetwork(part.to_owned()))
        };
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// The other end of a connection. One over a socket in the file system is from this machine.
#[must_use]
pub fn peer(request: &HttpRequest) -> IpAddr {
    let this_machine = IpAddr::V4(Ipv4Addr::LOCALHOST);
    request.peer_addr().map_or(this_machine, |peer| SocketAddr::ip(&peer).to_canonical())
}

impl TrustedProxies {
    /// Those on the same machine: where the gateway is unless it is told otherwise.
    #[must_use]
    pub fn loopback() -> Self {
        Self([IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])].map(IpNet::from).into())
    }

    /// Whether a connection from there comes from a proxy of ours.
    #[must_use]
    pub fn contain(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&peer.to_canonical()))
    }

    /// The address of the client: the last one that a trusted proxy has seen and that is none itself.
    #[must_use]
    pub fn client(&self, request: &HttpRequest) -> IpAddr {
        let peer = peer(request);
        let lines: Vec<&str> =
            request.headers().get_all(FORWARDED_FOR).filter_map(|line| line.to_str().ok()).collect();
        let mut client = peer;
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            // Who wrote this hop is the client so far; what follows a stranger or nonsense is nobody's word.
            let (true, Ok(address)) = (self.contain(client), hop.trim().parse::<IpAddr>()) else { break };
            client = address.to_canonical();
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client(peer: &str, trusted: &str, forwarded_for: &[&str]) -> String {
        let mut request = TestRequest::get().peer_addr(peer.parse().unwrap());
        for line in forwarded_for {
            request = request.append_header((FORWARDED_FOR, *line));
        }
        let trusted: TrustedProxies = trusted.parse().unwrap();
        trusted.client(&request.to_http_request()).to_string()
    }

    #[test]
    fn a_strangers_word_is_not_taken() {
        assert_eq!(client("203.0.113.9:5000", "10.0.0.0/8", &["1.2.3.4"]), "203.0.113.9");
        assert_eq!(client("203.0.113.9:5000", "", &[]), "203.0.113.9");
    }

    #[test]
    fn a_proxy_of_ours_says_who_asked_it() {
        assert_eq!(client("10.0.0.1:5000", "10.0.0.0/8", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("[::ffff:10.0.0.1]:5000", "10.0.0.0/8", &["::ffff:203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1:5000", "10.0.0.0/8", &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_made_up_stands_before_what_was_seen() {
        assert_eq!(client("10.0.0.1:5000", "10.0.0.0/8", &["1.2.3.4, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            client("10.0.0.1:5000", "10.0.0.0/8", &["1.2.3.4", "203.0.113.9, 10.0.0.2"]),
            "203.0.113.9"
        );
        assert_eq!(client("10.0.0.1:5000", "10.0.0.0/8", &["1.2.3.4, unknown, 10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn where_everybody_is_trusted_the_first_is_the_client() {
        assert_eq!(client("127.0.0.1:5000", "127.0.0.0/8", &["127.0.0.1"]), "127.0.0.1");
        assert_eq!(client("10.0.0.1:5000", "10.0.0.0/8", &["10.9.9.9, 10.0.0.2"]), "10.9.9.9");
        let request = TestRequest::get().peer_addr("127.0.0.1:1".parse().unwrap());
        let request = request.append_header((FORWARDED_FOR, "192.0.2.1")).to_http_request();
        assert_eq!(TrustedProxies::loopback().client(&request).to_string(), "192.0.2.1");
    }

    #[test]
    fn a_neighbour_without_an_address_is_a_proxy_on_this_machine() {
        let request = TestRequest::get().append_header((FORWARDED_FOR, "192.0.2.1")).to_http_request();
        assert_eq!(TrustedProxies::loopback().client(&request).to_string(), "192.0.2.1");
        assert_eq!(TrustedProxies::default().client(&request).to_string(), "127.0.0.1");
    }

    #[test]
    fn a_list_with_anything_else_in_it_is_refused() {
        let error = "10.0.0.0/8, ten".parse::<TrustedProxies>().unwrap_err();
        assert!(error.to_string().contains("`ten`"));
        assert!("10.0.0.0/33".parse::<TrustedProxies>().is_err());
    }
}
