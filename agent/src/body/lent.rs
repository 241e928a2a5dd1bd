//! Memory for a body that somebody else has.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;

use countersign_protocol::ipc::{Frame, FrameError, FrameKind};
use countersign_protocol::limits;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};

use super::{NEVER_ANOTHER_SIZE, announced, memory, pass};

/// Memory of one size, which nobody can cut or extend. Others may write into it until it is taken back.
#[derive(Debug)]
pub struct Lent {
    file: File,
    length: usize,
}

impl Lent {
    /// Makes it and passes it to the other side, which says with a frame of its own that it has filled it.
    ///
    /// # Errors
    /// [`FrameError::Oversize`] before anything is made, or the socket's error.
    pub fn to(socket: &UnixStream, length: usize) -> Result<Self, FrameError> {
        if length > limits::IPC_BODY {
            return Err(FrameError::Oversize(length));
        }
        let file = memory()?;
        file.set_len(u64::try_from(length).unwrap_or(u64::MAX))?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(NEVER_ANOTHER_SIZE)).map_err(io::Error::from)?;
        pass(socket, &file, length)?;
        Ok(Self { file, length })
    }

    /// Ends all writing and reads it, if `answer` says that it is filled.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] for another answer, and if somebody goes on writing.
    pub fn take_back(self, answer: &Frame) -> Result<Vec<u8>, FrameError> {
        if answer.kind != FrameKind::Body || *answer.body != announced(self.length) {
            return Err(FrameError::Malformed("a body was not filled as it was announced".to_owned()));
        }
        fcntl(&self.file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SEAL))
            .map_err(|_| FrameError::Malformed("a body is still mapped to be written to".to_owned()))?;
        let mut body = vec![0; self.length];
        // By its place: the offset is shared with whoever filled it.
        self.file.read_exact_at(&mut body, 0)?;
        Ok(body)
    }
}

#[cfg(test)]
mod tests;
