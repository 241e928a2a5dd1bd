//! The module's arguments. They come from `/etc/pam.d`, which only root writes.

use std::ffi::CStr;
use std::path::PathBuf;

use countersign_protocol::{ipc, managed, rescue};

/// What the line in `/etc/pam.d` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    /// `socket=PATH`: where root's programs reach the agent.
    pub(crate) socket: PathBuf,
    /// `user-socket=PATH`: where programs of other users do, a screen locker for one.
    pub(crate) user_socket: PathBuf,
    /// `managed=PATH`: the file that says who needs a card.
    pub(crate) managed: PathBuf,
    /// `rescue=PATH`: the file that ends all asking.
    pub(crate) rescue: PathBuf,
    /// `debug`: more lines in the log.
    pub(crate) debug: bool,
}

/// An argument that is not one of ours. A misspelt option must not pass for its default.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgsError {
    /// Not a word we know.
    #[error(
        "unknown argument {0:?}; the module takes socket=PATH, user-socket=PATH, managed=PATH, rescue=PATH and debug. \
         Correct its line in /etc/pam.d"
    )]
    Unknown(String),
    /// The same word twice.
    #[error("argument {0:?} is given twice; remove one from the line in /etc/pam.d")]
    Twice(&'static str),
    /// A relative path would depend on where the calling program stands.
    #[error("argument {0:?} needs an absolute path; correct the line in /etc/pam.d")]
    NotAbsolute(&'static str),
}

impl Args {
    /// Reads the words of the line.
    pub(crate) fn parse(words: &[&CStr]) -> Result<Self, ArgsError> {
        let mut socket = None;
        let mut user_socket = None;
        let mut managed = None;
        let mut rescue = None;
        let mut debug = None;
        for word in words {
            let unknown = || ArgsError::Unknown(word.to_string_lossy().into_owned());
            match word.to_str().map_err(|_| unknown())?.split_once('=') {
                Some(("socket", path)) => set(&mut socket, "socket", absolute("socket", path)?)?,
                Some(("user-socket", path)) => {
                    set(&mut user_socket, "user-socket", absolute("user-socket", path)?)?;
                }
                Some(("managed", path)) => set(&mut managed, "managed", absolute("managed", path)?)?,
                Some(("rescue", path)) => set(&mut rescue, "rescue", absolute("rescue", path)?)?,
                None if *word == c"debug" => set(&mut debug, "debug", ())?,
                _ => return Err(unknown()),
            }
        }
        Ok(Self {
            socket: socket.unwrap_or_else(|| ipc::PAM_SOCKET.into()),
            user_socket: user_socket.unwrap_or_else(|| ipc::USER_SOCKET.into()),
            managed: managed.unwrap_or_else(|| managed::PATH.into()),
            rescue: rescue.unwrap_or_else(|| rescue::PATH.into()),
            debug: debug.is_some(),
        })
    }
}

fn absolute(name: &'static str, path: &str) -> Result<PathBuf, ArgsError> {
    if path.starts_with('/') { Ok(path.into()) } else { Err(ArgsError::NotAbsolute(name)) }
}

fn set<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), ArgsError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ArgsError::Twice(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_arguments_the_well_known_places_are_used() {
        let args = Args::parse(&[]).unwrap();
        assert_eq!(args.socket.to_str(), Some(ipc::PAM_SOCKET));
        assert_eq!(args.user_socket.to_str(), Some(ipc::USER_SOCKET));
        assert_eq!(args.managed.to_str(), Some(managed::PATH));
        assert_eq!(args.rescue.to_str(), Some(rescue::PATH));
        assert!(!args.debug);
    }

    #[test]
    fn every_argument_is_read() {
        let args =
            Args::parse(&[c"debug", c"managed=/m", c"socket=/s", c"user-socket=/u", c"rescue=/r"]).unwrap();
        assert_eq!(
            args,
            Args {
                socket: "/s".into(),
                user_socket: "/u".into(),
                managed: "/m".into(),
                rescue: "/r".into(),
                debug: true
            }
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (word, error) in [
            (c"use_first_pass", ArgsError::Unknown("use_first_pass".into())),
            (c"Debug", ArgsError::Unknown("Debug".into())),
            (c"debug=1", ArgsError::Unknown("debug=1".into())),
            (c"", ArgsError::Unknown(String::new())),
            (c"socket", ArgsError::Unknown("socket".into())),
            (c"socket=", ArgsError::NotAbsolute("socket")),
            (c"managed=etc/managed", ArgsError::NotAbsolute("managed")),
            (c"managed=/x\xff", ArgsError::Unknown("managed=/x\u{FFFD}".into())),
        ] {
            assert_eq!(Args::parse(&[word]).unwrap_err(), error);
        }
        assert_eq!(Args::parse(&[c"debug", c"debug"]).unwrap_err(), ArgsError::Twice("debug"));
        assert_eq!(Args::parse(&[c"socket=/a", c"socket=/a"]).unwrap_err(), ArgsError::Twice("socket"));
    }
}
