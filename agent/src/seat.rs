//! A card answers only to the person who sits at its seat.
//!
//! Where the caller sits is told by the kernel (the control group of the process that connected) and by
//! logind, never by the caller. `PAM_RHOST` can only make somebody remote, never local. Decided before any
//! command goes to a card; what cannot be told is refused.

mod cgroup;
mod host;

pub use cgroup::{Origin, origin};
pub use host::HostWorld;

use crate::peer::Peer;
use crate::permit::Door;

/// What is known about sessions on this host.
pub trait World {
    /// Whether logind keeps sessions here at all.
    fn has_logind(&self) -> bool;
    /// Where the process was started.
    fn origin(&self, pid: i32) -> Option<Origin>;
    /// One session.
    fn session(&self, id: &str) -> Option<LoginSession>;
    /// Every session of a user.
    fn sessions_of(&self, uid: u32) -> Vec<LoginSession>;
    /// The sessions in which display managers show their login screens.
    fn greeters(&self) -> Vec<LoginSession>;
    /// Every seat of this host.
    fn seats(&self) -> Vec<String>;
    /// The process's controlling terminal, as a device number.
    fn terminal(&self, pid: i32) -> Option<u32>;
}

/// A session as logind writes it down (`/run/systemd/sessions/ID`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoginSession {
    /// Whose.
    pub uid: Option<u32>,
    /// `REMOTE=1`.
    pub remote: bool,
    /// `ACTIVE=1`, and not closing.
    pub active: bool,
    /// `SEAT=`.
    pub seat: Option<String>,
    /// `CLASS=greeter`.
    pub greeter: bool,
    /// `LEADER=`, the process that opened it.
    pub leader: Option<i32>,
}

/// What to do on a host where logind keeps no sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WithoutLogind {
    /// Nobody can be told to be local.
    #[default]
    Refuse,
    /// Whoever has a virtual console (`/dev/tty1` …) as controlling terminal is local.
    Console,
}

/// The rule's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatRule {
    /// The seat that the card readers belong to.
    pub seat: String,
    /// On hosts without logind.
    pub without_logind: WithoutLogind,
}

/// Where the caller sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Place {
    /// At the card's seat.
    Here,
    /// Not there, or it cannot be told.
    Away(Away),
}

/// Why a caller does not sit at the card's seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Away {
    /// The program named a remote host.
    #[error("the program says that you come from another machine")]
    RemoteHost,
    /// logind says so.
    #[error("your session comes from another machine")]
    RemoteSession,
    /// Another seat, or none.
    #[error("your session is at another seat")]
    OtherSeat,
    /// Somebody else's session is in front.
    #[error("your session is not the active one at this seat")]
    Inactive,
    /// A system service other than a console login.
    #[error("you were started by a system service, not by a console login")]
    Service,
    /// The process is gone or became another.
    #[error("the program that asked has ended")]
    Gone,
    /// Neither kernel nor logind tells.
    #[error("it cannot be told where you sit")]
    Unknown,
}

impl Away {
    /// What a person is told who is refused for it, and what they can do.
    #[must_use]
    pub fn told(self) -> String {
        let rule = "A card answers only to the person at its seat";
        let instead = match self {
            Self::RemoteHost => ": log in there, or from elsewhere with the ssh key of your card.",
            Self::RemoteSession => ": do this there, in a session that began there.",
            Self::OtherSeat => ": log in at that one.",
            Self::Inactive => ": bring your session to the front and try again.",
            Self::Service | Self::Gone | Self::Unknown => ".",
        };
        format!("No card is asked: {self}. {rule}{instead}")
    }
}

/// Decides where `peer` sits.
pub fn judge(
    world: &dyn World,
    rule: &SeatRule,
    peer: &Peer,
    door: Door,
    remote_host: Option<&str>,
) -> Place {
    if remote_host.is_some_and(|host| !host.is_empty()) {
        return Place::Away(Away::RemoteHost);
    }
    if !world.has_logind() {
        let console = rule.without_logind == WithoutLogind::Console
            && rule.seat == CONSOLES_SEAT
            && world.terminal(peer.pid).is_some_and(is_virtual_console);
        return if console { Place::Here } else { Place::Away(Away::Unknown) };
    }
    match world.origin(peer.pid) {
        Some(Origin::Session(id)) => match world.session(&id) {
            Some(session) => session.place(&rule.seat),
            None => Place::Away(Away::Unknown),
        },
        Some(Origin::UserManager(uid)) => best(&world.sessions_of(uid), &rule.seat),
        Some(Origin::Service(unit)) => {
            let here = (at_a_console(&unit) && rule.seat == CONSOLES_SEAT)
                || (is_display_manager(&unit) && shows_one_seat(world, &rule.seat));
            let may = door == Door::Pam && peer.uid == 0 && here;
            if may { Place::Here } else { Place::Away(Away::Service) }
        }
        Some(Origin::Init) => {
            let may = door == Door::Pam
                && peer.uid == 0
                && rule.seat == CONSOLES_SEAT
                && world
                    .terminal(peer.pid)
                    .is_some_and(|device| is_virtual_console(device) || device == CONSOLE);
            if may { Place::Here } else { Place::Away(Away::Service) }
        }
        None => Place::Away(Away::Unknown),
    }
}

impl LoginSession {
    fn place(&self, seat: &str) -> Place {
        if self.remote {
            Place::Away(Away::RemoteSession)
        } else if self.seat.as_deref() != Some(seat) {
            Place::Away(Away::OtherSeat)
        } else if !self.active {
            Place::Away(Away::Inactive)
        } else {
            Place::Here
        }
    }
}

/// A process of the user's own service manager belongs to no session: the user must have one at the seat.
fn best(sessions: &[LoginSession], seat: &str) -> Place {
    let places: Vec<Place> = sessions.iter().map(|session| session.place(seat)).collect();
    if places.contains(&Place::Here) {
        return Place::Here;
    }
    places.first().copied().unwrap_or(Place::Away(Away::Unknown))
}

/// logind's seat of the virtual consoles; no other has any.
const CONSOLES_SEAT: &str = "seat0";

/// Units that ask for a password at a virtual console before a session exists. Not those of serial lines:
/// whoever is at the other end of one may be anywhere.
fn at_a_console(unit: &str) -> bool {
    const UNITS: [&str; 3] = ["console-getty.service", "emergency.service", "rescue.service"];
    let terminal = ["getty@tty", "autovt@tty"].into_iter().find_map(|template| unit.strip_prefix(template));
    let number = terminal.and_then(|rest| rest.strip_suffix(".service"));
    UNITS.contains(&unit)
        || number.is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

fn is_display_manager(unit: &str) -> bool {
    const UNITS: [&str; 10] = [
        "display-manager.service",
        "gdm.service",
        "gdm3.service",
        "greetd.service",
        "lightdm.service",
        "lxdm.service",
        "ly.service",
        "sddm.service",
        "slim.service",
        "xdm.service",
    ];
    UNITS.contains(&unit)
}

/// A display manager serves every seat from one service, and some serve remote screens: which of its login
/// screens asks can be told only where there is one seat and no login screen elsewhere.
fn shows_one_seat(world: &dyn World, seat: &str) -> bool {
    let elsewhere = |greeter: &LoginSession| greeter.remote || greeter.seat.as_deref() != Some(seat);
    world.seats() == [seat] && !world.greeters().iter().any(elsewhere)
}

/// `/dev/console` (5:1).
const CONSOLE: u32 = 0x501;

/// `/dev/tty1` to `/dev/tty63`: major 4, minor below 64 (Linux's devices.txt).
const fn is_virtual_console(device: u32) -> bool {
    let (major, minor) = ((device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xFFF00));
    major == 4 && minor >= 1 && minor <= 63
}

#[cfg(test)]
mod tests;
