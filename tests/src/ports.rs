//! Ports that no other test uses.
//!
//! Machines share this host's network. A port is claimed by an abstract Unix socket that carries its
//! number: the kernel hands that name to one process at a time and frees it when the process dies.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use crate::trouble::Trouble;

/// Below the range the kernel draws outgoing ports from.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Two neighbouring free ports: a vpcd reader takes the second for its second slot.
#[derive(Debug)]
pub struct PortPair {
    first: u16,
    _claim: UnixListener,
}

impl PortPair {
    /// Claims a pair until it is dropped.
    ///
    /// # Errors
    /// [`Trouble::Machine`] if every pair is taken.
    pub fn claim() -> Result<Self, Trouble> {
        RANGE
            .step_by(2)
            .find_map(|first| {
                let name = SocketAddr::from_abstract_name(format!("countersign-tests-port-{first}")).ok()?;
                let claim = UnixListener::bind_addr(&name).ok()?;
                let free = |port| TcpListener::bind(("0.0.0.0", port)).is_ok();
                (free(first) && free(first + 1)).then_some(Self { first, _claim: claim })
            })
            .ok_or_else(|| Trouble::Machine(format!("no two neighbouring free ports in {RANGE:?}")))
    }

    /// The even port.
    #[must_use]
    pub fn first(&self) -> u16 {
        self.first
    }

    /// The port after it.
    #[must_use]
    pub fn second(&self) -> u16 {
        self.first + 1
    }
}

#[cfg(test)]
mod tests {
    use super::PortPair;

    #[test]
    fn a_claimed_pair_is_nobody_elses() {
        let claimed: Vec<_> = (0..4).map(|_| PortPair::claim().unwrap()).collect();
        let mut ports: Vec<_> = claimed.iter().flat_map(|pair| [pair.first(), pair.second()]).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 8);
    }
}
