//! In whose hands a terminal is, by the kernel's word alone.

use crate::peer::{Peer, Stat};
use crate::seat::{Origin, World};

/// Who asks, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The real user, whom no set-user-id program changes.
    uid: u32,
    /// The controlling terminal's device number.
    terminal: u32,
    /// The process that got that terminal: the login shell, say. Its number may be used again, its start may not.
    leader: (i32, u64),
    /// The session of logind, or what else started it.
    origin: Origin,
    /// The kernel's audit session.
    audit: u32,
}

impl Caller {
    /// Of the program at the other end. None without a terminal, or if anything of it cannot be told.
    #[must_use]
    pub fn of(world: &dyn World, peer: &Peer) -> Option<Self> {
        let stat = Stat::read(peer.pid).filter(|stat| stat.started == peer.started)?;
        let terminal = Some(stat.terminal).filter(|device| *device != 0)?;
        let leader = Stat::read(stat.session).filter(|leader| leader.terminal == terminal)?;
        let audit = std::fs::read_to_string(format!("/proc/{}/sessionid", peer.pid)).ok()?;
        let caller = Self {
            uid: peer.real_uid()?,
            terminal,
            leader: (stat.session, leader.started),
            origin: world.origin(peer.pid)?,
            audit: audit.trim().parse().ok()?,
        };
        peer.is_still_there().then_some(caller)
    }

    pub(super) fn is_of(&self, origin: Option<&Origin>) -> bool {
        Some(&self.origin) == origin
    }

    pub(super) const fn is_of_systemd(&self) -> bool {
        matches!(self.origin, Origin::UserManager(_))
    }

    pub(super) const fn is_led_by(&self, peer: &Peer) -> bool {
        self.leader.0 == peer.pid && self.leader.1 == peer.started
    }

    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        let origin = Origin::Session("c3".to_owned());
        Self { uid: 1000, terminal: 0x8803, leader: (4711, 17), origin, audit: 3 }
    }

    /// As many others, each in another pair of hands.
    #[cfg(test)]
    pub(super) fn others() -> Vec<Self> {
        let same = Self::for_tests;
        vec![
            Self { uid: 1001, ..same() },
            Self { terminal: 0x8804, ..same() },
            Self { leader: (4712, 17), ..same() },
            Self { leader: (4711, 18), ..same() },
            Self { origin: Origin::Session("c4".to_owned()), ..same() },
            Self { origin: Origin::UserManager(1000), ..same() },
            Self { audit: 4, ..same() },
        ]
    }
}
