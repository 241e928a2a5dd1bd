//! As many connections as the kernel gives descriptors for.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors for everything else: the database, the listener, the runtime.
const OTHERS: u64 = 128;

/// Raises our own limit as far as it goes, and says how many of the `wanted` connections there can be: with more, the
/// listener would fail at random.
pub(super) fn connections(wanted: u16) -> u16 {
    let needed = u64::from(wanted) + OTHERS;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let raised = needed.min(hard).max(soft);
    let granted = if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() { raised } else { soft };
    u16::try_from(granted.saturating_sub(OTHERS)).unwrap_or(wanted).min(wanted).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_connections_as_wanted_and_no_more_than_there_are_descriptors() {
        assert_eq!(connections(100), 100);
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert!(u64::from(connections(u16::MAX)) <= getrlimit(Resource::RLIMIT_NOFILE).unwrap().0);
        assert!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0 >= soft, "never lowered");
    }
}
