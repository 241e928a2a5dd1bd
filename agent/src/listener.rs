//! The two sockets: accepts, asks the kernel who is there, and gives each connection a thread of its own.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use countersign_protocol::ipc::Request;
use countersign_protocol::limits as ceilings;

use crate::limits::Gate;
use crate::peer::Peer;
use crate::permit::Door;
use crate::person::Person;

/// How long a connection may be silent before its request is there.
pub const FIRST_WORD: Duration = Duration::from_secs(5);

/// How long one that gets no place may take to say what it wants, so that it is told "busy" in its own words.
const TURNED_AWAY: Duration = Duration::from_millis(300);

/// Those beyond this number are closed without a word.
const TURNED_AWAY_AT_ONCE: usize = 32;

/// Stack of a connection's thread: signing and sealing included.
const STACK: usize = 2 * 1024 * 1024;

/// What the sockets lead to.
pub trait Service: Send + Sync + 'static {
    /// Serves one request to its last word.
    fn serve(&self, door: Door, peer: &Peer, request: Request, person: &mut Person);
    /// Says "too much at once" to one request.
    fn turn_away(&self, request: &Request, person: &mut Person);
    /// Something that no client is told: a connection closed for cause.
    fn closed(&self, door: Door, peer: Option<&Peer>, why: &str);
}

/// Opens a socket at `path` with exactly this mode.
///
/// # Errors
/// Another agent serves it, or the folder cannot be written.
pub fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        std::fs::create_dir_all(folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    }
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another countersignd serves it; stop that one first (systemctl stop countersignd)",
        ));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The umask of `harden` keeps it closed between these two lines.
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Serves one socket for ever, on this thread.
pub fn run(listener: &UnixListener, door: Door, service: &Arc<dyn Service>) {
    let gate = Gate::new(ceilings::CONNECTIONS_PER_UID, roots(door), ceilings::CONNECTIONS);
    let turn_away = start_turning_away(door, Arc::clone(service));
    loop {
        match listener.accept() {
            Ok((stream, _)) => admit(stream, door, service, &gate, turn_away.as_ref()),
            // Out of descriptors or memory for a moment: those inside finish, then it goes on.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// How many root may have. On `pam.sock` root's programs serve everybody.
const fn roots(door: Door) -> usize {
    match door {
        Door::Pam => ceilings::CONNECTIONS,
        Door::User => ceilings::CONNECTIONS_PER_UID,
    }
}

/// To whom a connection is counted. On `pam.sock` everybody has root's power, but anybody may start su.
fn counted(door: Door, peer: &Peer) -> u32 {
    /// Nobody's number (user_namespaces(7)): all who cannot be told share its places.
    const UNKNOWN: u32 = u32::MAX;
    match door {
        Door::Pam => peer.real_uid().unwrap_or(UNKNOWN),
        Door::User => peer.uid,
    }
}

fn admit(
    stream: UnixStream,
    door: Door,
    service: &Arc<dyn Service>,
    gate: &Arc<Gate>,
    turn_away: Option<&SyncSender<UnixStream>>,
) {
    let peer = match Peer::of(&stream) {
        Ok(peer) => peer,
        Err(error) => return service.closed(door, None, &error.to_string()),
    };
    let Some(place) = gate.enter(counted(door, &peer)) else {
        if let Some(turn_away) = turn_away {
            let _ = turn_away.try_send(stream);
        }
        return;
    };
    let service = Arc::clone(service);
    let started =
        std::thread::Builder::new().name("connection".to_owned()).stack_size(STACK).spawn(move || {
            let _place = place;
            let conversation = AssertUnwindSafe(|| converse(stream, door, &peer, service.as_ref()));
            // A bug met by one connection ends that connection: the client sees it close and denies.
            if std::panic::catch_unwind(conversation).is_err() {
                service.closed(door, Some(&peer), "internal error: the connection's thread panicked");
            }
        });
    // No thread to be had: the stream went with the closure and is closed, which denies.
    drop(started);
}

/// Reads the one request and hands it on. Whatever is not a request closes the connection.
pub fn converse(stream: UnixStream, door: Door, peer: &Peer, service: &dyn Service) {
    let mut person = Person::new(stream, Instant::now() + FIRST_WORD);
    match person.request() {
        Ok(request) => service.serve(door, peer, request, &mut person),
        Err(error) => service.closed(door, Some(peer), &error.to_string()),
    }
}

fn start_turning_away(door: Door, service: Arc<dyn Service>) -> Option<SyncSender<UnixStream>> {
    let (sender, waiting) = sync_channel::<UnixStream>(TURNED_AWAY_AT_ONCE);
    let thread = std::thread::Builder::new().name("busy".to_owned()).stack_size(STACK).spawn(move || {
        for stream in waiting {
            let mut person = Person::new(stream, Instant::now() + TURNED_AWAY);
            match person.request() {
                Ok(request) => service.turn_away(&request, &mut person),
                Err(error) => service.closed(door, None, &error.to_string()),
            }
        }
    });
    thread.is_ok().then_some(sender)
}

#[cfg(test)]
mod tests;
