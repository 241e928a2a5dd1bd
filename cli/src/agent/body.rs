//! A body too large for a frame: a memfd of the agent's beside a frame that says its length, in either direction.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;

use countersign_protocol::ipc::{Frame, FrameError, FrameKind, Reply, read_frame, write_frame};
use countersign_protocol::limits;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use zeroize::Zeroizing;

use crate::failure::{Failure, LocalKind};
use crate::sys;

/// Why a body was not taken, or not given.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
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
    #[error("the agent lent {lent} bytes for {needed}")]
    Lent { lent: u64, needed: u64 },
    #[error("its memory failed: {0}")]
    Io(#[from] io::Error),
}

/// Takes the body that follows a reply.
pub(super) fn receive(stream: &UnixStream) -> Result<Zeroizing<Vec<u8>>, Failure> {
    try_receive(stream).map_err(|error| {
        Failure::local(LocalKind::AgentProtocol, format!("the result did not arrive whole: {error}"))
            .then("The request itself was decided and is in the ledger; do not repeat it blindly.")
    })
}

fn try_receive(stream: &UnixStream) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let (frame, files) = frame_with_files(stream)?;
    let announced = announced(&frame)?;
    read_sealed(only(files)?, announced)
}

/// Fills the memory that the agent lends for `body`, and says so. Or the agent says its last word instead: which one.
pub(super) fn give(stream: &UnixStream, body: &[u8]) -> Result<Option<Reply>, BodyError> {
    let (frame, files) = frame_with_files(stream)?;
    if frame.kind == FrameKind::Json {
        let reply = serde_json::from_slice(&frame.body);
        return Ok(Some(reply.map_err(|error| FrameError::Malformed(error.to_string()))?));
    }
    let announced = announced(&frame)?;
    let memory = only(files)?;
    let (lent, needed) = (memory.metadata()?.len(), u64::try_from(body.len()).unwrap_or(u64::MAX));
    if announced != needed || lent != needed {
        return Err(BodyError::Lent { lent, needed });
    }
    memory.write_all_at(body, 0)?;
    drop(memory);
    write_frame(&mut &*stream, FrameKind::Body, &needed.to_be_bytes())?;
    Ok(None)
}

fn frame_with_files(stream: &UnixStream) -> Result<(Frame, Vec<File>), FrameError> {
    let mut from = WithFiles { stream, files: Vec::new() };
    let frame = read_frame(&mut from)?;
    Ok((frame, from.files))
}

fn announced(frame: &Frame) -> Result<u64, BodyError> {
    match (frame.kind, <[u8; 8]>::try_from(frame.body.as_slice())) {
        (FrameKind::Body, Ok(length)) => Ok(u64::from_be_bytes(length)),
        _ => Err(BodyError::NotABody),
    }
}

fn only(files: Vec<File>) -> Result<File, BodyError> {
    match <[File; 1]>::try_from(files) {
        Ok([file]) => Ok(file),
        Err(files) => Err(BodyError::Files(files.len())),
    }
}

/// The stream, and what came beside the bytes that were read of it.
struct WithFiles<'a> {
    stream: &'a UnixStream,
    files: Vec<File>,
}

impl Read for WithFiles<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (got, came) = sys::receive_with_files(self.stream, buffer)?;
        self.files.extend(came);
        Ok(got)
    }
}

fn read_sealed(file: File, announced: u64) -> Result<Zeroizing<Vec<u8>>, BodyError> {
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
    let mut body = Zeroizing::new(vec![0; length]);
    // The agent's offset is shared with ours and may stand at the end.
    file.read_exact_at(&mut body, 0)?;
    Ok(body)
}

#[cfg(test)]
mod tests;
