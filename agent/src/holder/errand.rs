//! Sends a visitor to a user: a process of theirs, that can do nothing which they cannot.
//!
//! It begins as root with CAP_SETUID and CAP_SETGID, as the courier does, and becomes theirs by itself: a copy of the
//! agent is never theirs, not even for the moment before the program is loaded. The visitor gets their group and no
//! other, the agent's `no_new_privs` and empty bounding set, an empty environment, and no descriptor but a pipe to
//! talk into. A user may stop or end their own visitor, and gains a pipe that nobody believes; there is one at a time
//! of each user. Only a thread of its own waits for it, and for the database of users, which may be far away.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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

/// Of the thread that waits for one. Databases of users come with code of their own.
const STACK: usize = 1024 * 1024;

/// Longest name of a program (the kernel's own limit).
const NAME: usize = 15;

/// What became of sending a visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(super) enum Sent {
    /// It is on its way, or at least the user's name is.
    Now,
    /// Another one is with this user, whose name may be known: when that has left.
    Later(Option<String>),
    /// There can be none.
    Never,
}

/// What is heard of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// What this host's databases call them.
    Login(String),
    /// What their visitor says.
    Word(Word),
}

/// Visitors under way.
#[derive(Debug)]
pub(super) struct Errands {
    program: Option<PathBuf>,
    under_way: Arc<Mutex<UnderWay>>,
}

/// By user, with their name once it is found.
type UnderWay = BTreeMap<u32, Option<String>>;

impl Errands {
    pub(super) fn new(program: Option<PathBuf>) -> Self {
        Self { program, under_way: Arc::default() }
    }

    /// Finds out this user's name, and sends them a visitor. Waits for neither.
    pub(super) fn start(&self, to: &Suspect, card: Option<CardIdent>, say: &Sender<(u32, News)>) -> Sent {
        let place = match Place::enter(&self.under_way, to.uid) {
            Ok(place) => place,
            Err(name) => return Sent::Later(name),
        };
        let (program, to, say) = (self.program.clone(), to.clone(), say.clone());
        let run = move || {
            // Given back when the visitor is gone for good.
            let place = place;
            let Ok(Some(user)) = User::from_uid(Uid::from_raw(to.uid)) else { return };
            place.is_of(&user.name);
            let _ = say.send((to.uid, News::Login(user.name.clone())));
            let Some(program) = program.filter(|_| is_person(to.uid)) else { return };
            let Ok((mut child, said)) = send(&program, &user, &to, card) else { return };
            listen(to.uid, said, &say);
            drop(say);
            let _ = child.wait();
        };
        match std::thread::Builder::new().name("visitor".to_owned()).stack_size(STACK).spawn(run) {
            Ok(_) => Sent::Now,
            Err(_) => Sent::Never,
        }
    }
}

/// People and root. A service's programs are named, and not visited.
const fn is_person(uid: u32) -> bool {
    const NOBODY: u32 = 65_534;
    uid == 0 || (uid >= 1000 && uid != NOBODY)
}

fn send(
    program: &PathBuf,
    user: &User,
    to: &Suspect,
    card: Option<CardIdent>,
) -> io::Result<(Child, ChildStdout)> {
    let task = Task {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        card,
        connections: to.connections.clone(),
        scdaemons: to.scdaemons.clone(),
    };
    let mut command = Command::new(program);
    command.arg("--visit").arg(serde_json::to_string(&task)?).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // In no terminal's reach, and nobody's group.
    command.process_group(0);
    crate::harden::pass_on_nothing(&mut command);
    let mut child = command.spawn()?;
    let said = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    Ok((child, said))
}

/// Reads words until the visitor ends, says too much, or says what is none.
fn listen(uid: u32, said: ChildStdout, say: &Sender<(u32, News)>) {
    for line in BufReader::new(said.take(SPEECH)).lines().map_while(Result::ok) {
        let Ok(word) = serde_json::from_str::<Word>(&line) else { return };
        let word = match word {
            Word::Program { pid, name } => Word::Program { pid, name: printable(&name) },
            other => other,
        };
        if say.send((uid, News::Word(word))).is_err() {
            return;
        }
    }
}

/// A program calls itself what it likes.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).take(NAME).collect()
}

struct Place {
    under_way: Arc<Mutex<UnderWay>>,
    uid: u32,
}

impl Place {
    /// The place, or the user's name if one is with them.
    fn enter(under_way: &Arc<Mutex<UnderWay>>, uid: u32) -> Result<Self, Option<String>> {
        match lock(under_way).entry(uid) {
            Entry::Occupied(taken) => Err(taken.get().clone()),
            Entry::Vacant(free) => {
                free.insert(None);
                Ok(Self { under_way: Arc::clone(under_way), uid })
            }
        }
    }

    fn is_of(&self, name: &str) {
        lock(&self.under_way).insert(self.uid, Some(name.to_owned()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.uid);
    }
}

fn lock(under_way: &Mutex<UnderWay>) -> MutexGuard<'_, UnderWay> {
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
        assert!(matches!(words.recv_timeout(LONG), Ok((_, News::Login(_)))));
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
        let first = words.recv_timeout(LONG).unwrap().1;
        let News::Login(name) = first else { panic!("{first:?}") };
        assert_eq!(errands.start(&me(), None, &say), Sent::Later(Some(name)));
        drop(say);
        let said: Vec<(u32, News)> = words.iter().collect();
        assert!(said.len() < 100, "{}", said.len());
        let word = Word::Program { pid: 7, name: "a?[2Jvery-long-".to_owned() };
        assert_eq!(said[0].1, News::Word(word));
        let begun = Instant::now();
        while !lock(&errands.under_way).is_empty() {
            assert!(begun.elapsed() < LONG, "its place is given back");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn only_people_are_visited() {
        assert!(!is_person(1) && !is_person(65_534));
        assert!(is_person(0) && is_person(1000));
    }

    #[test]
    fn the_program_is_loaded_before_it_is_its_users() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let seen = folder.path().join("seen");
        let errands = errands(&folder, &format!("grep Uid /proc/$$/status > {}", seen.display()));
        let (say, words) = channel();
        // Somebody that every host has.
        let nobody = User::from_name("nobody").unwrap().unwrap();
        let to = Suspect { uid: nobody.uid.as_raw(), ..me() };
        let (_, said) = send(errands.program.as_ref().unwrap(), &nobody, &to, None).unwrap();
        listen(to.uid, said, &say);
        drop(say);
        assert!(words.iter().next().is_none());
        let seen = std::fs::read_to_string(seen).unwrap();
        assert_eq!(seen.split_whitespace().collect::<Vec<_>>(), ["Uid:", "0", "0", "0", "0"]);
    }
}
