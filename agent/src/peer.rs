//! Who is at the other end of a connection: what the kernel says, never what the message says.

use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt};

use crate::card::Asker;
use crate::queue::Party;

/// A connected process, as it was when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Process.
    pub pid: i32,
    /// When the process started, in clock ticks since boot: a process number alone can be used again.
    pub started: u64,
}

/// The peer cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The kernel gave no credentials.
    #[error("the kernel does not say who connected: {0}")]
    Credentials(#[from] nix::Error),
    /// The process is gone, or `/proc` hides it.
    #[error("process {0} is gone, or /proc does not show it")]
    Gone(i32),
    /// `/proc` hides other people's processes from the agent.
    #[error("{HIDDEN}")]
    Hidden,
}

/// For the log, at the start and at every caller who cannot be judged.
pub const HIDDEN: &str = "/proc hides processes from countersignd (hidepid), so nobody can be told to sit at the card's seat and every login is refused. Mount /proc with hidepid=2,gid=0 or without hidepid, or add the group of its gid= option as SupplementaryGroups= to countersignd.service";

/// Whether `/proc` hides processes from this one, which has no CAP_SYS_PTRACE: then it hides those that have
/// more capabilities, such as PID 1, as it does other people's.
#[must_use]
pub fn are_hidden() -> bool {
    let readable = |file: &str| std::fs::read(format!("/proc/1/{file}")).is_ok();
    !(readable("stat") && readable("cgroup"))
}

impl Peer {
    /// The process at the other end of `socket`.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn of(socket: &impl AsFd) -> Result<Self, PeerError> {
        let credentials = getsockopt(socket, sockopt::PeerCredentials)?;
        let pid = credentials.pid();
        let gone = || if are_hidden() { PeerError::Hidden } else { PeerError::Gone(pid) };
        let started = Stat::read(pid).ok_or_else(gone)?.started;
        Ok(Self { uid: credentials.uid(), gid: credentials.gid(), pid, started })
    }

    /// Whether the process number still means the same process.
    #[must_use]
    pub fn is_still_there(&self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.started == self.started)
    }

    /// The real user: for su, sudo and others that take root's power by their file's mode, whoever called them.
    /// `None` if the process is gone.
    #[must_use]
    pub fn real_uid(&self) -> Option<u32> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        let real = line.split_whitespace().next()?.parse().ok()?;
        self.is_still_there().then_some(real)
    }

    /// The peer's own login name, as this host's databases know it.
    #[must_use]
    pub fn login(&self) -> Option<String> {
        nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(self.uid)).ok().flatten().map(|user| user.name)
    }

    /// The peer's controlling terminal, as people name it: `pts/3`, `tty1`.
    #[must_use]
    pub fn terminal(&self) -> Option<String> {
        Stat::read(self.pid).filter(|stat| stat.started == self.started).and_then(Stat::terminal_name)
    }

    /// What this program does for somebody, for others who want the same card: `sudo of olga (terminal pts/3)`.
    #[must_use]
    pub fn in_words(&self, program: &str, login: &str) -> String {
        let terminal = self.terminal().map(|name| format!(" (terminal {name})")).unwrap_or_default();
        format!("{program} of {login}{terminal}")
    }

    /// On whose behalf a card is used by a request of the command line.
    #[must_use]
    pub fn asker(&self) -> Asker {
        let login = self.login().unwrap_or_else(|| format!("user {}", self.uid));
        Asker { party: Party::Uid(self.uid), what: self.in_words("countersign", &login) }
    }

    /// The peer's command line as it stands in its own memory, where it may have written anything:
    /// arguments joined by spaces, control characters replaced, at most [`CLAIM`] characters.
    #[must_use]
    pub fn claimed_command(&self) -> Option<String> {
        use std::io::Read as _;

        let mut bytes = Vec::new();
        let file = std::fs::File::open(format!("/proc/{}/cmdline", self.pid)).ok()?;
        file.take(4 * CLAIM as u64).read_to_end(&mut bytes).ok()?;
        self.is_still_there().then(|| readable(&bytes))
    }
}

/// Longest claimed command line that goes into a statement, in characters.
pub const CLAIM: usize = 1024;

fn readable(cmdline: &[u8]) -> String {
    let text = String::from_utf8_lossy(cmdline);
    let text = text.trim_end_matches('\0');
    text.chars()
        .map(|c| match c {
            '\0' => ' ',
            c if c.is_control() || is_invisible(c) => '\u{FFFD}',
            c => c,
        })
        .take(CLAIM)
        .collect()
}

/// Marks that change the order or the look of what stands around them (Unicode `Bidi_Control` and kin).
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// The numbers of `/proc/PID/stat` (proc_pid_stat(5)) that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Field 6: the leader of its session, a process number.
    pub session: i32,
    /// Field 7: device number of the controlling terminal, 0 for none.
    pub terminal: u32,
    /// Field 22: start, in clock ticks since boot.
    pub started: u64,
}

impl Stat {
    /// Of a living process.
    #[must_use]
    pub fn read(pid: i32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Linux's devices.txt: 136 is the pseudo terminals', 4 the consoles' and, from 64 on, the serial lines'.
    fn terminal_name(self) -> Option<String> {
        let device = self.terminal;
        match ((device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xF_FF00)) {
            (136, number) => Some(format!("pts/{number}")),
            (4, number @ 1..64) => Some(format!("tty{number}")),
            (4, number @ 64..) => Some(format!("ttyS{}", number - 64)),
            (5, 1) => Some("console".to_owned()),
            _ => None,
        }
    }

    /// Field 2 is the program's name in brackets and may hold brackets and spaces: count from the last `)`.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let terminal: i32 = fields.get(4)?.parse().ok()?;
        let (session, started) = (fields.get(3)?.parse().ok()?, fields.get(19)?.parse().ok()?);
        Some(Self { session, terminal: terminal.cast_unsigned(), started })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_cannot_shift_the_fields_by_its_name() {
        let line = "7 (a) 1 2 (b) S 1 7 7 1025 7 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1";
        assert_eq!(Stat::parse(line), Some(Stat { session: 7, terminal: 1025, started: 4242 }));
        assert_eq!(Stat::parse("nonsense"), None);
    }

    #[test]
    fn a_terminal_is_named_as_people_name_it() {
        let name = |terminal| Stat { session: 1, terminal, started: 0 }.terminal_name();
        let names = [
            (0x8803, "pts/3"),
            (0x0010_8801, "pts/257"),
            (0x401, "tty1"),
            (0x440, "ttyS0"),
            (0x501, "console"),
        ];
        for (device, expected) in names {
            assert_eq!(name(device).as_deref(), Some(expected), "{device:x}");
        }
        assert_eq!(name(0), None);
    }

    #[test]
    fn a_claimed_command_carries_no_control_characters() {
        assert_eq!(readable(b"sudo\0-s\0\x1b[2Jx\n\0"), "sudo -s \u{FFFD}[2Jx\u{FFFD}");
        assert_eq!(readable("sudo\0rm\0a\u{202e}b\u{200b}".as_bytes()), "sudo rm a\u{FFFD}b\u{FFFD}");
        assert_eq!(readable(b"sudo\0\xFF\xFE"), "sudo \u{FFFD}\u{FFFD}");
        assert_eq!(readable(&[b'a'; 9000]).len(), CLAIM);
    }

    #[test]
    fn the_peer_of_a_socketpair_is_this_process() {
        let (a, _b) = std::os::unix::net::UnixStream::pair().unwrap();
        let peer = Peer::of(&a).unwrap();
        assert_eq!(peer.pid.cast_unsigned(), std::process::id());
        assert!(peer.is_still_there());
        let another = Peer { started: peer.started + 1, ..peer };
        assert!(!another.is_still_there());
        assert_eq!((peer.real_uid(), another.real_uid()), (Some(nix::unistd::getuid().as_raw()), None));
    }
}
