//! The kernel's list of Unix sockets (`sock_diag(7)`): who talks to pcscd. Asking needs no privilege, and no
//! look into anybody's process.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use nix::sys::stat::{major, minor};
use nix::sys::time::TimeVal;

/// Users looked at: a host has more people at once only if somebody makes them up.
const USERS: usize = 8;

/// Of one user.
const SOCKETS: usize = 16;

/// How GnuPG names scdaemon's own socket.
const SCDAEMON: &str = "/S.scdaemon";

/// A user with connections to pcscd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suspect {
    pub(super) uid: u32,
    /// Their ends of these connections, by inode.
    pub(super) connections: Vec<u32>,
    /// Where their scdaemons listen.
    pub(super) scdaemons: Vec<String>,
}

/// Everybody with a connection to the pcscd that listens at `pcscd`, but for this process.
///
/// # Errors
/// The kernel does not say.
pub(super) fn suspects(pcscd: &Path) -> io::Result<Vec<Suspect>> {
    let place = std::fs::metadata(pcscd)?;
    let device = place.dev();
    // The kernel tells the lower half of the inode, and the device as it counts itself: 12 bits and 20.
    let vfs = ((place.ino() & 0xFFFF_FFFF) as u32, ((major(device) << 20) | minor(device)) as u32);
    Ok(among(&dump()?, vfs, &own_sockets()?))
}

fn among(all: &[Socket], pcscd: (u32, u32), own: &BTreeSet<u32>) -> Vec<Suspect> {
    let clients: BTreeSet<u32> =
        all.iter().filter(|socket| socket.vfs == Some(pcscd)).filter_map(|socket| socket.peer).collect();
    let mut users: BTreeMap<u32, Suspect> = BTreeMap::new();
    for socket in all.iter().filter(|socket| clients.contains(&socket.inode) && !own.contains(&socket.inode))
    {
        // Kernels before 5.3 do not tell the user.
        let Some(uid) = socket.uid else { continue };
        if users.len() >= USERS && !users.contains_key(&uid) {
            continue;
        }
        let new = || Suspect { uid, connections: Vec::new(), scdaemons: Vec::new() };
        let suspect = users.entry(uid).or_insert_with(new);
        if suspect.connections.len() < SOCKETS {
            suspect.connections.push(socket.inode);
        }
    }
    for socket in all.iter().filter(|socket| socket.listens) {
        if let (Some(name), Some(suspect)) = (&socket.name, socket.uid.and_then(|uid| users.get_mut(&uid)))
            && name.ends_with(SCDAEMON)
            && suspect.scdaemons.len() < SOCKETS
            // One that was left behind, or lies in a container, may have the same place.
            && !suspect.scdaemons.contains(name)
        {
            suspect.scdaemons.push(name.clone());
        }
    }
    users.into_values().collect()
}

fn own_sockets() -> io::Result<BTreeSet<u32>> {
    let mut own = BTreeSet::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        if let Ok(target) = std::fs::read_link(entry?.path()) {
            own.extend(socket_inode(&target));
        }
    }
    Ok(own)
}

/// Of what a descriptor in `/proc` points to: `socket:[4711]`.
pub(super) fn socket_inode(target: &Path) -> Option<u32> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Socket {
    inode: u32,
    listens: bool,
    name: Option<String>,
    /// Inode and device of the file it is bound to, or was accepted at.
    vfs: Option<(u32, u32)>,
    peer: Option<u32>,
    uid: Option<u32>,
}

/// Numbers of `linux/netlink.h`, `linux/sock_diag.h` and `linux/unix_diag.h`.
mod number {
    pub(super) const SOCK_DIAG_BY_FAMILY: u16 = 20;
    pub(super) const NLMSG_ERROR: u16 = 2;
    pub(super) const NLMSG_DONE: u16 = 3;
    /// Request, dump.
    pub(super) const FLAGS: u16 = 0x301;
    pub(super) const AF_UNIX: u8 = 1;
    pub(super) const ESTABLISHED: u8 = 1;
    pub(super) const LISTEN: u8 = 10;
    /// Name, file, peer, user.
    pub(super) const SHOW: u32 = 0x01 | 0x02 | 0x04 | 0x40;
    pub(super) const NAME: u16 = 0;
    pub(super) const VFS: u16 = 1;
    pub(super) const PEER: u16 = 2;
    pub(super) const UID: u16 = 7;
    /// `struct nlmsghdr`, `struct unix_diag_msg`.
    pub(super) const HEADER: usize = 16;
    pub(super) const MESSAGE: usize = 16;
}

/// More sockets than this are not looked through.
const MOST: usize = 1 << 16;

fn dump() -> io::Result<Vec<Socket>> {
    let netlink =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    nix::sys::socket::setsockopt(&netlink, nix::sys::socket::sockopt::ReceiveTimeout, &TimeVal::new(1, 0))?;
    send(netlink.as_raw_fd(), &request(), MsgFlags::empty())?;
    let mut sockets = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let got = recv(netlink.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        if !collect(buffer.get(..got).unwrap_or_default(), &mut sockets)? || sockets.len() > MOST {
            return Ok(sockets);
        }
    }
}

fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(number::HEADER + 24);
    bytes.extend((number::HEADER as u32 + 24).to_ne_bytes());
    bytes.extend(number::SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(number::FLAGS.to_ne_bytes());
    // Sequence and port: one request, answered to this socket.
    bytes.extend([0; 8]);
    bytes.extend([number::AF_UNIX, 0, 0, 0]);
    bytes.extend(((1_u32 << number::ESTABLISHED) | (1 << number::LISTEN)).to_ne_bytes());
    // Inode and cookie: all.
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(number::SHOW.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes
}

/// Takes the sockets out of one datagram; says whether more will come.
fn collect(mut rest: &[u8], sockets: &mut Vec<Socket>) -> io::Result<bool> {
    while let (Some(length), Some(kind)) = (word(rest, 0), half(rest, 4)) {
        let length = usize::try_from(length).unwrap_or(0);
        match kind {
            number::NLMSG_DONE => return Ok(false),
            number::NLMSG_ERROR => return Err(io::ErrorKind::Unsupported.into()),
            _ => {}
        }
        let Some(message) = rest.get(number::HEADER..length) else { break };
        sockets.extend(parse(message));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(true)
}

fn parse(message: &[u8]) -> Option<Socket> {
    let listens = *message.get(2)? == number::LISTEN;
    let mut socket = Socket { inode: word(message, 4)?, listens, ..Socket::default() };
    let mut rest = message.get(number::MESSAGE..)?;
    while let (Some(length), Some(kind)) = (half(rest, 0), half(rest, 2)) {
        let length = usize::from(length);
        let Some(value) = rest.get(4..length) else { break };
        match kind {
            // An abstract name begins with a NUL, and is no path.
            number::NAME if value.first() == Some(&b'/') => {
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                socket.name = String::from_utf8(name.to_vec()).ok();
            }
            number::VFS => socket.vfs = word(value, 0).zip(word(value, 4)),
            number::PEER => socket.peer = word(value, 0),
            number::UID => socket.uid = word(value, 0),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(socket)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn the_kernel_tells_who_is_connected_to_a_socket_and_whose_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("pcscd.comm");
        let listener = UnixListener::bind(&place).unwrap();
        let _scdaemon = UnixListener::bind(folder.path().join("S.scdaemon")).unwrap();
        let ours = UnixStream::connect(&place).unwrap();
        let _accepted = listener.accept().unwrap();
        assert_eq!(suspects(&place).unwrap(), [], "this process is not among them");

        let metadata = std::fs::metadata(&place).unwrap();
        let vfs = (metadata.ino() as u32, ((major(metadata.dev()) << 20) | minor(metadata.dev())) as u32);
        let found = among(&dump().unwrap(), vfs, &BTreeSet::new());
        let [suspect] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(suspect.uid, nix::unistd::geteuid().as_raw());
        let fd = format!("/proc/self/fd/{}", ours.as_raw_fd());
        assert_eq!(suspect.connections, [socket_inode(&std::fs::read_link(fd).unwrap()).unwrap()]);
        let here = folder.path().join("S.scdaemon").to_str().unwrap().to_owned();
        assert!(suspect.scdaemons.contains(&here), "{suspect:?}");
    }

    #[test]
    fn an_answer_cut_anywhere_is_read_as_far_as_it_goes() {
        let mut message = vec![1, 1, 10, 0];
        message.extend(77_u32.to_ne_bytes());
        message.extend([0; 8]);
        for (kind, value) in [(number::UID, 1000_u32), (number::PEER, 78)] {
            message.extend([8_u16.to_ne_bytes(), kind.to_ne_bytes()].concat());
            message.extend(value.to_ne_bytes());
        }
        let whole = Socket { inode: 77, listens: true, uid: Some(1000), peer: Some(78), ..Socket::default() };
        assert_eq!(parse(&message), Some(whole));
        for length in 0..message.len() {
            if let Some(socket) = parse(&message[..length]) {
                assert_eq!(socket.inode, 77);
            }
        }
    }
}
