//! A body too large for a frame: a sealed memfd beside a frame that says its length.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use countersign_protocol::ipc::{FrameError, FrameKind, write_frame};
use countersign_protocol::limits;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

/// Sends `body` and the frame that announces it.
///
/// # Errors
/// [`FrameError::Oversize`] before anything is sent, or the socket's error.
pub fn send(socket: &UnixStream, body: &[u8]) -> Result<(), FrameError> {
    if body.len() > limits::IPC_BODY {
        return Err(FrameError::Oversize(body.len()));
    }
    let memory = sealed(body)?;
    let mut frame = Vec::new();
    let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
    write_frame(&mut frame, FrameKind::Body, &length.to_be_bytes())?;
    let fds = [memory.as_raw_fd()];
    let beside = [ControlMessage::ScmRights(&fds)];
    let sent =
        sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&frame)], &beside, MsgFlags::MSG_NOSIGNAL, None)
            .map_err(io::Error::from)?;
    // Fourteen bytes into a fresh buffer: in one piece, or something is very wrong.
    if sent == frame.len() { Ok(()) } else { Err(FrameError::Truncated) }
}

/// Nobody can change, cut or extend it while the other side reads.
fn sealed(body: &[u8]) -> io::Result<OwnedFd> {
    let memory = memfd_create(c"countersign-body", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = File::from(memory);
    file.write_all(body)?;
    let seals =
        SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(OwnedFd::from(file))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;

    #[test]
    fn a_body_cannot_be_changed_once_it_is_sealed() {
        let mut file = File::from(sealed(b"result").unwrap());
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
}
