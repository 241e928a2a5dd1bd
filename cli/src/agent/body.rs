//! A body too large for a frame: a sealed memfd beside a frame that says its length.

use std::fs::File;
use std::io::{Cursor, Read as _};
use std::os::unix::net::UnixStream;

use countersign_protocol::ipc::{FrameError, FrameKind, read_frame};
use countersign_protocol::limits;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use zeroize::Zeroizing;

use crate::failure::{Failure, LocalKind};
use crate::sys;

/// Version, kind, length and an eight-byte number.
const FRAME: usize = 14;

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a frame of another kind came where a body was announced")]
    NotABody,
    #[error("{0} files came where one was announced")]
    Files(usize),
    #[error("its memory is not sealed, so it could change while it is read")]
    Unsealed,
    #[error("it has {got} bytes and was announced with {announced}; at most {max} are allowed", max = limits::IPC_BODY)]
    Size { announced: u64, got: u64 },
    #[error("it could not be read: {0}")]
    Io(#[from] std::io::Error),
}

/// Takes the body that follows a reply.
pub(super) fn receive(stream: &UnixStream) -> Result<Zeroizing<Vec<u8>>, Failure> {
    try_receive(stream).map_err(|error| {
        Failure::local(LocalKind::AgentProtocol, format!("the result did not arrive whole: {error}"))
            .then("The request itself was decided and is in the ledger; do not repeat it blindly.")
    })
}

fn try_receive(stream: &UnixStream) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let mut frame = [0; FRAME];
    let mut files = Vec::new();
    let mut rest = frame.as_mut_slice();
    while !rest.is_empty() {
        let (got, came) = sys::receive_with_files(stream, rest)?;
        if got == 0 {
            return Err(FrameError::Truncated.into());
        }
        files.extend(came);
        rest = rest.get_mut(got..).unwrap_or_default();
    }
    let frame = read_frame(&mut Cursor::new(frame))?;
    let announced = match (frame.kind, <[u8; 8]>::try_from(frame.body.as_slice())) {
        (FrameKind::Body, Ok(length)) => u64::from_be_bytes(length),
        _ => return Err(BodyError::NotABody),
    };
    match <[File; 1]>::try_from(files) {
        Ok([file]) => read_sealed(file, announced),
        Err(files) => Err(BodyError::Files(files.len())),
    }
}

fn read_sealed(mut file: File, announced: u64) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let needed = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
    let seals = fcntl(&file, FcntlArg::F_GET_SEALS).map_err(|_| BodyError::Unsealed)?;
    if !SealFlag::from_bits_retain(seals).contains(needed) {
        return Err(BodyError::Unsealed);
    }
    let got = file.metadata()?.len();
    let length = usize::try_from(got).unwrap_or(usize::MAX);
    if got != announced || length > limits::IPC_BODY {
        return Err(BodyError::Size { announced, got });
    }
    // The agent's offset is shared with ours and may stand at the end.
    std::io::Seek::rewind(&mut file)?;
    let mut body = Zeroizing::new(vec![0; length]);
    file.read_exact(&mut body)?;
    Ok(body)
}

#[cfg(test)]
mod tests;
