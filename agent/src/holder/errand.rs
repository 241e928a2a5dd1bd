//! Sends a visitor to a user: a process of theirs, that can do nothing which they cannot.
//!
//! To change to their user the agent has CAP_SETUID and CAP_SETGID, as for the courier. The visitor gets their
//! group and no other, the agent's `no_new_privs` and empty bounding set, an empty environment, and no descriptor
//! but a pipe to talk into. A user may stop or end their own visitor, and gains a pipe that nobody believes; there
//! is one at a time of each user, and the agent waits for none.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_protocol::ids::CardIdent;
use nix::unistd::{Uid, User};

use super::sockets::Suspect;
use super::visit::{Task, Word};

/// Everything one visitor may say, in bytes.
const SPEECH: u64 = 4096;

/// Longest name of a program (the kernel's own limit).
const NAME: usize = 15;

/// What became of sending a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Sent {
    /// It is on its way.
    Now,
    /// Another one is with this user: when that has left.
    Later,
    /// This is nobody to be visited, or there can be none.
    Never,
}

/// Visitors under way.
#[derive(Debug)]
pub(super) struct Errands {
    program: Option<PathBuf>,
    under_way: Arc<Mutex<BTreeSet<u32>>>,
}

impl Errands {
    pub(super) fn new(program: Option<PathBuf>) -> Self {
        Self { program, under_way: Arc::default() }
    }

    /// Sends a visitor to this user.
    pub(super) fn start(&self, to: &Suspect, card: Option<CardIdent>, say: &Sender<(u32, Word)>) -> Sent {
        let Some(program) = &self.program else { return Sent::Never };
        let Some(user) = person(to.uid) else { return Sent::Never };
        let Some(place) = Place::enter(&self.under_way, to.uid) else { return Sent::Later };
        let task = Task { card, connections: to.connections.clone(), scdaemons: to.scdaemons.clone() };
        let Ok((child, said)) = send(program, &user, &task) else { return Sent::Never };
        let (uid, say) = (to.uid, say.clone());
        let hear = move || {
            // Given back when the visitor is gone for good.
            let _place = place;
            listen(uid, said, &say);
            drop(say);
            let mut child = child;
            let _ = child.wait();
        };
        match std::thread::Builder::new().name("visitor".to_owned()).stack_size(256 * 1024).spawn(hear) {
            Ok(_) => Sent::Now,
            Err(_) => Sent::Never,
        }
    }
}

/// People and root. A service's programs are named, and not visited.
fn person(uid: u32) -> Option<User> {
    const NOBODY: u32 = 65_534;
    if uid != 0 && (uid < 1000 || uid == NOBODY) {
        return None;
    }
    User::from_uid(Uid::from_raw(uid)).ok().flatten()
}

fn send(program: &PathBuf, user: &User, task: &Task) -> io::Result<(Child, ChildStdout)> {
    let mut command = Command::new(program);
    command.arg("--visit").arg(serde_json::to_string(task)?).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        // The standard library's child clears its other groups first.
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    // In no terminal's reach, and nobody's group.
    command.process_group(0);
    crate::harden::pass_on_nothing(&mut command);
    let mut child = command.spawn()?;
    let said = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    Ok((child, said))
}

/// Reads words until the visitor ends, says too much, or says what is none.
fn listen(uid: u32, said: ChildStdout, say: &Sender<(u32, Word)>) {
    for line in BufReader::new(said.take(SPEECH)).lines().map_while(Result::ok) {
        let Ok(word) = serde_json::from_str::<Word>(&line) else { return };
        let word = match word {
            Word::Program { pid, name } => Word::Program { pid, name: printable(&name) },
            other => other,
        };
        if say.send((uid, word)).is_err() {
            return;
        }
    }
}

/// A program calls itself what it likes.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).take(NAME).collect()
}

struct Place {
    under_way: Arc<Mutex<BTreeSet<u32>>>,
    uid: u32,
}

impl Place {
    fn enter(under_way: &Arc<Mutex<BTreeSet<u32>>>, uid: u32) -> Option<Self> {
        lock(under_way).insert(uid).then(|| Self { under_way: Arc::clone(under_way), uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.uid);
    }
}

fn lock(under_way: &Mutex<BTreeSet<u32>>) -> MutexGuard<'_, BTreeSet<u32>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn errands(folder: &tempfile::TempDir, script: &str) -> Errands {
        let path = folder.path().join("visitor");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Errands::new(Some(path))
    }

    fn me() -> Suspect {
        Suspect { uid: nix::unistd::geteuid().as_raw(), connections: vec![1], scdaemons: Vec::new() }
    }

    #[test]
    fn a_visitor_has_no_environment_and_no_descriptor_but_its_voice() {
        let folder = tempfile::tempdir().unwrap();
        let [secret, seen] = ["secret", "seen"].map(|name| folder.path().join(name));
        std::fs::write(&secret, "").unwrap();
        // Without the mark that closes it at exec.
        let _leak = nix::unistd::dup(std::fs::File::open(&secret).unwrap()).unwrap();
        let script = format!("{{ ls -l /proc/$$/fd; env -0 -u PWD -u _ -u SHLVL; }} > {}", seen.display());
        let errands = errands(&folder, &script);
        let (say, words) = channel();
        assert_eq!(errands.start(&me(), None, &say), Sent::Now);
        drop(say);
        assert!(words.recv_timeout(LONG).is_err(), "it says nothing and ends");
        let seen = std::fs::read_to_string(seen).unwrap();
        assert!(seen.contains("pipe:") && !seen.contains("secret") && !seen.contains("socket:"), "{seen}");
        assert!(!seen.contains('='), "{seen}");
    }

    #[test]
    fn there_is_one_visitor_at_a_time_and_its_speech_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let script =
            r#"while echo '{"word":"program","pid":7,"name":"a\u001b[2Jvery-long-name"}'; do :; done"#;
        let errands = errands(&folder, script);
        let (say, words) = channel();
        assert_eq!(errands.start(&me(), None, &say), Sent::Now);
        assert_eq!(errands.start(&me(), None, &say), Sent::Later);
        drop(say);
        let said: Vec<(u32, Word)> = words.iter().collect();
        assert!(said.len() < 100, "{}", said.len());
        assert_eq!(said[0].1, Word::Program { pid: 7, name: "a?[2Jvery-long-".to_owned() });
        let begun = Instant::now();
        while !lock(&errands.under_way).is_empty() {
            assert!(begun.elapsed() < LONG, "its place is given back");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn only_people_are_visited() {
        assert!(person(1).is_none() && person(65_534).is_none() && person(4_000_000_000).is_none());
        assert!(person(0).is_some());
    }
}
