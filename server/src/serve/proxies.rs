//! Where a message comes from, when one of our own proxies stands before us.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::config::Proxy;

/// Proxies whose word counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    trusted: Vec<IpAddr>,
}

impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        Self { trusted: proxy.trusted.into_iter().map(|address| address.to_canonical()).collect() }
    }
}

impl Proxies {
    /// Whether many senders stand behind this address.
    pub(super) fn is_one(&self, address: IpAddr) -> bool {
        self.trusted.contains(&address.to_canonical())
    }

    /// The address that a message counts for: the last one in `X-Forwarded-For` that is no proxy of ours, since what
    /// stands before it was written by whoever likes. What cannot be read counts for the proxy.
    pub(super) fn sender(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.ip().to_canonical();
        if !self.is_one(peer) {
            return peer;
        }
        let lines: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        for hop in hops {
            match hop.trim().parse::<IpAddr>() {
                Ok(address) if self.is_one(address) => {}
                Ok(address) => return address.to_canonical(),
                Err(_) => return peer,
            }
        }
        peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(peer: &str, lines: &[&str]) -> String {
        let proxies =
            Proxies::from(Proxy { trusted: vec!["127.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()] });
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        proxies.sender(format!("{peer}:1").parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed_and_only_what_it_wrote_itself() {
        assert_eq!(sender("192.0.2.9", &["198.51.100.1"]), "192.0.2.9", "a stranger says what it likes");
        assert_eq!(sender("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(sender("[::ffff:127.0.0.1]", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            sender("127.0.0.1", &["203.0.113.5, 198.51.100.1"]),
            "198.51.100.1",
            "the first is the sender's word"
        );
        assert_eq!(sender("127.0.0.1", &["203.0.113.5", "198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        for unreadable in [&[][..], &["unknown"], &["198.51.100.1, x"], &["198.51.100.1:80"]] {
            assert_eq!(sender("127.0.0.1", unreadable), "127.0.0.1", "{unreadable:?}");
        }
    }
}
