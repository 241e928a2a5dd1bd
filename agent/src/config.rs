//! `/etc/countersign/agent.toml`. Every key may be left out; a key that is not known is refused, because it
//! may be a misspelt one that mattered.

mod card_removal;
mod consent;

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use countersign_protocol::{ipc, managed};
use serde::Deserialize;

pub use self::card_removal::{CardRemoval, OnRemoval};
pub use self::consent::Consent;
use crate::seat::{SeatRule, WithoutLogind};

/// Where the file lies unless `--config` says otherwise.
pub const PATH: &str = "/etc/countersign/agent.toml";

/// Larger files are not configuration.
const SIZE: u64 = 64 * 1024;

/// What an administrator may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The socket for root's programs, unless the service manager passes one named `pam`.
    pub pam_socket: PathBuf,
    /// The socket for everybody, unless the service manager passes one named `user`.
    pub user_socket: PathBuf,
    /// What the agent must not forget. Root only.
    pub state_dir: PathBuf,
    /// Who needs a card on this host. The PAM module reads the same file.
    pub managed: PathBuf,
    /// The program that carries sealed bytes to the server.
    pub courier_path: PathBuf,
    /// The user it runs as. Never root.
    pub courier_user: String,
    /// A file in PEM with whoever vouches for the server's TLS certificate, in place of those whom this system believes.
    pub server_ca: Option<PathBuf>,
    /// The user whom sshd runs `countersign ssh-keys` as (`AuthorizedKeysCommandUser`): it may ask about every login.
    pub ssh_keys_user: String,
    /// Seconds between two check-ins with the server, 10 to 86400.
    pub check_in_seconds: u64,
    /// Other programs may stay connected to a card while it signs. One of them could, with luck and many tries, have
    /// something signed with the PIN that was typed for a login.
    pub share_cards: bool,
    /// Where the cards are.
    pub seat: Seat,
    /// What becomes of a session whose card is taken out.
    pub card_removal: CardRemoval,
    /// Which services may go by a login of a moment ago.
    pub consent: Consent,
}

/// The section `[seat]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seat {
    /// logind's name of the seat that the card readers belong to.
    pub name: String,
    /// `refuse` or `console`.
    pub without_logind: WithoutLogind,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pam_socket: ipc::PAM_SOCKET.into(),
            user_socket: ipc::USER_SOCKET.into(),
            state_dir: "/var/lib/countersign".into(),
            managed: managed::PATH.into(),
            courier_path: "/usr/libexec/countersign/countersign-courier".into(),
            courier_user: "countersign-courier".to_owned(),
            server_ca: None,
            ssh_keys_user: "countersign-ssh".to_owned(),
            check_in_seconds: 300,
            share_cards: false,
            seat: Seat::default(),
            card_removal: CardRemoval::default(),
            consent: Consent::default(),
        }
    }
}

impl Default for Seat {
    fn default() -> Self {
        Self { name: "seat0".to_owned(), without_logind: WithoutLogind::default() }
    }
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error(
        "{path}: {why}. Create the file, name another with --config FILE, or start without --config for the defaults"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// The system's reason.
        why: String,
    },
    /// Somebody other than root could have written it.
    #[error("{path}: {what}. Run: chown root:root {path} && chmod 644 {path}")]
    Unsafe {
        /// The file.
        path: String,
        /// Owner or mode.
        what: String,
    },
    /// A line is wrong.
    #[error("{path}, line {line}: {what}. Correct the line, or delete it for the default")]
    Wrong {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// Key and reason.
        what: String,
    },
}

impl Config {
    /// Reads `path`. Without a path the default file is read if there is one.
    ///
    /// # Errors
    /// [`ConfigError`]. A named file must exist.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (path, must_exist) = match path {
            Some(path) => (path, true),
            None => (Path::new(PATH), false),
        };
        let shown = path.display().to_string();
        let unreadable =
            |error: std::io::Error| ConfigError::Unreadable { path: shown.clone(), why: error.to_string() };
        // Not through a link: who may write the link's folder could swap the file after the check.
        let opened = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path);
        let file = match opened {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => {
                return Ok(Self::default());
            }
            other => other.map_err(unreadable)?,
        };
        let metadata = file.metadata().map_err(unreadable)?;
        check_owner(&shown, metadata.uid(), metadata.mode())?;
        let mut text = String::new();
        file.take(SIZE).read_to_string(&mut text).map_err(unreadable)?;
        Self::parse(&shown, &text)
    }

    /// Reads the file's text; `path` is for error messages.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`].
    pub fn parse(path: &str, text: &str) -> Result<Self, ConfigError> {
        let wrong = |line, what: String| ConfigError::Wrong { path: path.to_owned(), line, what };
        let config: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            let key = text.lines().nth(line - 1).unwrap_or("").split('=').next().unwrap_or("").trim();
            wrong(line, format!("`{key}`: {}", error.message().trim_end().replace('\n', ", ")))
        })?;
        config.check().map_err(|(key, what)| {
            let line = text.lines().position(|line| line.trim_start().starts_with(key)).unwrap_or(0) + 1;
            wrong(line, format!("`{key}`: {what}"))
        })?;
        Ok(config)
    }

    /// The seat rule's parameters.
    #[must_use]
    pub fn seat_rule(&self) -> SeatRule {
        SeatRule { seat: self.seat.name.clone(), without_logind: self.seat.without_logind }
    }

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        for (key, path) in [
            ("pam_socket", &self.pam_socket),
            ("user_socket", &self.user_socket),
            ("state_dir", &self.state_dir),
            ("managed", &self.managed),
            ("courier_path", &self.courier_path),
        ] {
            if !path.is_absolute() {
                return Err((key, "the path must begin with /"));
            }
        }
        if self.server_ca.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(("server_ca", "the path must begin with /"));
        }
        if self.pam_socket == self.user_socket {
            return Err(("user_socket", "this is the socket for root's programs already"));
        }
        if !(10..=86_400).contains(&self.check_in_seconds) {
            return Err(("check_in_seconds", "from 10 to 86400"));
        }
        if self.courier_user == "root" || self.courier_user.is_empty() {
            return Err(("courier_user", "an unprivileged user, never root"));
        }
        if self.seat.name.is_empty() {
            return Err(("name", "the name of a seat, such as seat0"));
        }
        self.card_removal.check()?;
        self.consent.check()
    }
}

fn check_owner(path: &str, uid: u32, mode: u32) -> Result<(), ConfigError> {
    let problem = |what: String| Err(ConfigError::Unsafe { path: path.to_owned(), what });
    if uid != 0 {
        return problem(format!("the file belongs to user {uid}, not to root"));
    }
    if mode & 0o022 != 0 {
        return problem(format!("users other than root may write it (mode {:04o})", mode & 0o7777));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse("agent.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(Config::parse("x", "").unwrap(), Config::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_line_and_key() {
        let told = error("check_in_seconds = 60\nstate_dri = \"/x\"\n");
        for part in ["agent.toml, line 2", "`state_dri`", "state_dir", "Correct the line"] {
            assert!(told.contains(part), "{told}");
        }
        assert!(error("[seat]\nnome = \"seat0\"\n").contains("line 2"));
    }

    #[test]
    fn a_wrong_value_is_refused_with_file_line_and_key() {
        for (text, parts) in [
            ("\nstate_dir = 7\n", ["line 2", "`state_dir`"]),
            ("state_dir = \"var\"\n", ["line 1", "must begin with /"]),
            ("check_in_seconds = 1\n", ["line 1", "from 10 to 86400"]),
            ("courier_user = \"root\"\n", ["line 1", "never root"]),
            ("[seat]\nwithout_logind = \"yes\"\n", ["line 2", "without_logind"]),
            ("state_dir = \n", ["line 1", "state_dir"]),
        ] {
            let told = error(text);
            assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        }
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        assert!(check_owner("f", 0, 0o100_644).is_ok());
        assert!(check_owner("f", 1000, 0o100_644).unwrap_err().to_string().contains("chown root"));
        assert!(check_owner("f", 0, 0o100_664).is_err());
        assert!(check_owner("f", 0, 0o100_646).is_err());
    }

    #[test]
    fn a_named_file_must_exist() {
        let told = Config::load(Some(Path::new("/nonexistent/agent.toml"))).unwrap_err().to_string();
        assert!(told.contains("/nonexistent/agent.toml") && told.contains("--config"), "{told}");
    }
}
