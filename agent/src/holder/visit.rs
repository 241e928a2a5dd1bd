//! The visitor: a process of one user, which looks among that user's processes and asks that user's scdaemon.
//! It begins as root and becomes that user first of all. It has no privilege, no secret and no descriptor but its standard output, where it says what it found.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;
use serde::{Deserialize, Serialize};

use super::scdaemon::Scdaemon;
use super::sockets::socket_inode;

/// The kernel ends a visitor after this long, whatever it waits for.
pub(super) const LIFE: Duration = Duration::from_secs(25);

/// How long scdaemon may take to end what it does with the card: a touch is waited for 15 s.
const RESET: Duration = Duration::from_secs(20);

/// How long it looks through processes.
const LOOK: Duration = Duration::from_secs(1);

/// What a visitor is sent for, as its one argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    /// Whose process it is to be.
    pub(super) uid: u32,
    /// Their group.
    pub(super) gid: u32,
    /// The card that is wanted, if it was ever read.
    pub(super) card: Option<CardIdent>,
    /// Inodes of sockets that are connected to pcscd.
    pub(super) connections: Vec<u32>,
    /// Where the user's scdaemons listen.
    pub(super) scdaemons: Vec<String>,
}

/// What it says, a line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Word {
    /// This process talks to pcscd.
    Program {
        /// Its number.
        pid: i32,
        /// What it calls itself.
        name: String,
    },
    /// This scdaemon has the card, and is asked to let go.
    Has {
        /// Its number.
        pid: i32,
    },
    /// It did.
    LetGo,
}

/// Does one errand. `argument` is the one that the agent gave.
///
/// # Errors
/// It is not one.
pub fn visit(argument: &str) -> Result<(), String> {
    let _ = nix::unistd::alarm::set(u32::try_from(LIFE.as_secs()).unwrap_or(1));
    let task: Task = serde_json::from_str(argument).map_err(|error| error.to_string())?;
    crate::harden::become_user(task.uid, task.gid).map_err(|error| error.to_string())?;
    // Whose processes can read the memory of whom they like: there is nothing in it, and no lie can be put there.
    let _ = nix::sys::prctl::set_dumpable(false);
    let programs = programs(Path::new("/proc"), &task.connections);
    for (_, pid, name) in &programs {
        say(&Word::Program { pid: *pid, name: name.clone() });
    }
    // scdaemon hides its descriptors on some systems: it may own any connection that nobody is seen to own.
    let any_unseen = task.connections.iter().any(|inode| !programs.iter().any(|(seen, ..)| seen == inode));
    for path in &task.scdaemons {
        let Ok(mut scdaemon) = Scdaemon::connect(path) else { continue };
        if any_unseen || programs.iter().any(|(_, pid, _)| *pid == scdaemon.pid) {
            ask(&mut scdaemon, path, task.card);
        }
    }
    Ok(())
}

fn ask(scdaemon: &mut Scdaemon, path: &str, card: Option<CardIdent>) {
    for serial in scdaemon.cards(card).unwrap_or_default() {
        say(&Word::Has { pid: scdaemon.pid });
        // A session names one card: each has one of its own.
        let Ok(mut session) = Scdaemon::connect(path) else { return };
        if session.reset(&serial, Instant::now() + RESET).is_ok() {
            say(&Word::LetGo);
        }
    }
}

/// The agent may have what it wanted, and hear no more.
fn say(word: &Word) {
    if let Ok(line) = serde_json::to_string(word) {
        let mut out = std::io::stdout();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// Which of this user's processes own these sockets: inode, number, name. The kernel shows those that may be
/// looked into.
fn programs(proc: &Path, inodes: &[u32]) -> Vec<(u32, i32, String)> {
    let begun = Instant::now();
    let mut found = Vec::new();
    let processes = std::fs::read_dir(proc).into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for pid in numbers.take_while(|_| begun.elapsed() < LOOK) {
        let process = proc.join(pid.to_string());
        let open = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        for inode in open.filter_map(|entry| socket_inode(&std::fs::read_link(entry.path()).ok()?)) {
            if inodes.contains(&inode) && !found.iter().any(|(_, seen, _)| *seen == pid) {
                let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
                found.push((inode, pid, name.trim_end().to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_socket_leads_to_the_program_that_owns_it() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", ours.as_raw_fd())).unwrap();
        let inode = socket_inode(&link).unwrap();
        let found = programs(Path::new("/proc"), &[inode]);
        let [(seen, pid, name)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((*seen, pid.cast_unsigned()), (inode, std::process::id()));
        assert!(!name.is_empty());
    }

    #[test]
    fn a_task_and_a_word_are_read_as_they_were_written_and_nothing_else() {
        let task = Task {
            uid: 1000,
            gid: 100,
            card: None,
            connections: vec![7],
            scdaemons: vec!["/x/S.scdaemon".to_owned()],
        };
        let text = serde_json::to_string(&task).unwrap();
        assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task);
        assert_eq!(serde_json::from_str::<Word>(r#"{"word":"let-go"}"#).unwrap(), Word::LetGo);
        for nonsense in [r#"{"word":"kill"}"#, r#"{"word":"has","pid":1,"more":2}"#, "", "7"] {
            assert!(serde_json::from_str::<Word>(nonsense).is_err(), "{nonsense}");
        }
    }
}
