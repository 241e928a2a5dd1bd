//! `[limits]`: how much at once.

use serde::{Deserialize, Serialize};

use super::Unfit;

/// How much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Messages a minute from one address that has not shown an enrolled host lately.
    pub strangers_per_minute: u32,
    /// Messages a second from one address that has; and of one enrolled host, wherever it sends from.
    pub hosts_per_second: u32,
    /// Messages that wait for a worker; more are asked to come again.
    pub queue: u16,
    /// Open connections; more wait to be taken. Hosts that wait to hear of a change take up to half of them.
    pub connections: u16,
    /// Open connections of one address (of IPv6, one /64); more are closed at once.
    pub connections_per_address: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            strangers_per_minute: 60,
            hosts_per_second: 200,
            queue: 1024,
            connections: 2048,
            connections_per_address: 32,
        }
    }
}

impl Limits {
    /// None of them is nothing.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        let Self { strangers_per_minute, hosts_per_second, queue, connections, connections_per_address } =
            *self;
        for (key, zero) in [
            ("limits.strangers_per_minute", strangers_per_minute == 0),
            ("limits.hosts_per_second", hosts_per_second == 0),
            ("limits.queue", queue == 0),
            ("limits.connections", connections == 0),
            ("limits.connections_per_address", connections_per_address == 0),
        ] {
            if zero {
                return Err(Unfit::new(
                    key,
                    "is 0, and nobody would be served; leave it out for the default",
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_with;

    #[test]
    fn a_limit_of_nothing_is_refused() {
        assert!(read_with("[limits]\nqueue = 0\n").unwrap_err().to_string().contains("limits.queue is 0"));
    }
}
