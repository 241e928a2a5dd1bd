//! A body too large for a frame: a sealed memfd beside a frame that says its length.
//!
//! The agent makes the memory in either direction, and takes no descriptor from anybody: whoever closes one of a file
//! system that is somebody's own program (FUSE) waits until that program lets go, and not even SIGKILL ends it. A socket
//! that is read with `read(2)`, as all are here, drops descriptors that come along without opening or closing them.

mod lent;

pub use lent::Lent;

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;

use countersign_protocol::ipc::{FrameError, FrameKind, write_frame};
use countersign_protocol::limits;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

const NEVER_ANOTHER_SIZE: SealFlag = SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW);

/// Sends `body` and the frame that announces it.
///
/// # Errors
/// [`FrameError::Oversize`] before anything is sent, or the socket's error.
pub fn send(socket: &UnixStream, body: &[u8]) -> Result<(), FrameError> {
    if body.len() > limits::IPC_BODY {
        return Err(FrameError::Oversize(body.len()));
    }
    pass(socket, &sealed(body)?, body.len())
}

/// The frame that says the length, and the memory beside it.
fn pass(socket: &UnixStream, memory: &File, length: usize) -> Result<(), FrameError> {
    let mut frame = Vec::new();
    write_frame(&mut frame, FrameKind::Body, &announced(length))?;
    let fds = [memory.as_raw_fd()];
    let beside = [ControlMessage::ScmRights(&fds)];
    let sent =
        sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&frame)], &beside, MsgFlags::MSG_NOSIGNAL, None)
            .map_err(io::Error::from)?;
    // Fourteen bytes into a fresh buffer: in one piece, or something is very wrong.
    if sent == frame.len() { Ok(()) } else { Err(FrameError::Truncated) }
}

/// A length as a frame says it.
fn announced(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes()
}

/// Nobody can change, cut or extend it while the other side reads.
fn sealed(body: &[u8]) -> io::Result<File> {
    let mut file = memory()?;
    file.write_all(body)?;
    let seals = NEVER_ANOTHER_SIZE | SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file)
}

fn memory() -> io::Result<File> {
    let memory = memfd_create(c"countersign-body", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    Ok(File::from(memory))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{IoSliceMut, Read as _, Seek as _};
    use std::os::fd::RawFd;

    use nix::cmsg_space;
    use nix::sys::socket::{ControlMessageOwned, recvmsg};

    use super::*;

    /// One frame that says a length, and the one file beside it.
    pub(crate) fn received(from: &UnixStream) -> (Vec<u8>, File) {
        let (mut frame, mut space) = (vec![0; 14], cmsg_space!(RawFd));
        let mut parts = [IoSliceMut::new(&mut frame)];
        let message =
            recvmsg::<()>(from.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty()).unwrap();
        assert_eq!(message.bytes, 14);
        let beside: Vec<_> = message.cmsgs().unwrap().collect();
        let [ControlMessageOwned::ScmRights(numbers)] = beside.as_slice() else { panic!("{beside:?}") };
        let [number] = numbers.as_slice() else { panic!("{numbers:?}") };
        // The same memory, owned.
        let path = format!("/proc/self/fd/{number}");
        let file = File::options().read(true).write(true).open(path).unwrap();
        nix::unistd::close(*number).unwrap();
        (frame, file)
    }

    #[test]
    fn a_body_cannot_be_changed_once_it_is_sealed() {
        let mut file = sealed(b"result").unwrap();
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(1).is_err());
        file.rewind().unwrap();
        let mut read = String::new();
        file.read_to_string(&mut read).unwrap();
        assert_eq!(read, "result");
    }

    #[test]
    fn a_body_over_the_limit_is_not_sent() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(matches!(send(&ours, &vec![0; limits::IPC_BODY + 1]), Err(FrameError::Oversize(_))));
    }

    #[test]
    fn a_body_of_the_largest_size_is_sent_whole() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let body = vec![b'x'; limits::IPC_BODY];
        send(&ours, &body).unwrap();
        let (frame, mut file) = received(&theirs);
        assert_eq!(frame, [1, 3, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0x10, 0, 0]);
        let mut read = Vec::new();
        file.read_to_end(&mut read).unwrap();
        assert!(read == body);
    }
}
