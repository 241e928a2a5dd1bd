//! One frame: version, kind, length, body. The length is checked before memory is taken for it.

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use crate::limits;

/// The protocol version in every frame.
pub(super) const VERSION: u8 = 1;

/// What a frame's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// JSON of a request, an answer or a reply.
    Json,
    /// A secret as the person typed it, UTF-8, never passed through a parser that would copy it.
    Secret,
    /// Length of a body in a memfd (8 bytes, big-endian): from the agent with the descriptor beside this frame, from a client
    /// when it has filled what the agent lent.
    Body,
}

impl FrameKind {
    const fn number(self) -> u8 {
        match self {
            Self::Json => 1,
            Self::Secret => 2,
            Self::Body => 3,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Json),
            2 => Some(Self::Secret),
            3 => Some(Self::Body),
            _ => None,
        }
    }
}

/// A frame that came in. The body is wiped when it goes.
pub struct Frame {
    /// What the body is.
    pub kind: FrameKind,
    /// The body, at most [`limits::FRAME_BODY`] bytes.
    pub body: Zeroizing<Vec<u8>>,
}

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side closed before a frame began.
    #[error("the other side closed the connection")]
    Closed,
    /// The other side closed in the middle of a frame.
    #[error("the connection broke in the middle of a frame")]
    Truncated,
    /// A version this program does not speak.
    #[error(
        "the other side speaks protocol version {0}, this program speaks {VERSION}; install agent and module of one release"
    )]
    Version(u8),
    /// A kind of frame this program does not know.
    #[error("unknown frame kind {0}")]
    Kind(u8),
    /// A length over [`limits::FRAME_BODY`].
    #[error("a frame of {0} bytes; at most {max} are allowed", max = limits::FRAME_BODY)]
    Oversize(usize),
    /// A secret over [`limits::PIN`], which no card would take.
    #[error("a secret of {0} bytes; at most {max} are allowed", max = limits::PIN)]
    OversizeSecret(usize),
    /// The body is not what its kind says.
    #[error("a frame that cannot be understood: {0}")]
    Malformed(String),
    /// The overall deadline passed.
    #[error("no answer in time")]
    TimedOut,
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

/// Reads one frame.
///
/// # Errors
/// [`FrameError`]; after any of them the connection must be dropped.
pub fn read_frame(from: &mut impl Read) -> Result<Frame, FrameError> {
    let mut version = [0; 1];
    if read_some(from, &mut version)? == 0 {
        return Err(FrameError::Closed);
    }
    let [version] = version;
    if version != VERSION {
        return Err(FrameError::Version(version));
    }
    let mut header = [0; 5];
    from.read_exact(&mut header)?;
    let [kind, a, b, c, d] = header;
    let kind = FrameKind::from_number(kind).ok_or(FrameError::Kind(kind))?;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    check_length(kind, length)?;
    let mut body = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut body)?;
    Ok(Frame { kind, body })
}

/// Writes one frame in one piece.
///
/// # Errors
/// [`FrameError::Oversize`] before anything is written, or the socket's error.
pub fn write_frame(to: &mut impl Write, kind: FrameKind, body: &[u8]) -> Result<(), FrameError> {
    check_length(kind, body.len())?;
    let length = u32::try_from(body.len()).map_err(|_| FrameError::Oversize(body.len()))?;
    let mut frame = Zeroizing::new(Vec::with_capacity(6 + body.len()));
    frame.push(VERSION);
    frame.push(kind.number());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(body);
    to.write_all(&frame)?;
    to.flush()?;
    Ok(())
}

fn check_length(kind: FrameKind, length: usize) -> Result<(), FrameError> {
    match kind {
        FrameKind::Json if length > limits::FRAME_BODY => Err(FrameError::Oversize(length)),
        FrameKind::Secret if length > limits::PIN => Err(FrameError::OversizeSecret(length)),
        FrameKind::Body if length != 8 => Err(FrameError::Oversize(length)),
        _ => Ok(()),
    }
}

/// `read(2)`, once more when a signal came between.
fn read_some(from: &mut impl Read, buffer: &mut [u8]) -> Result<usize, FrameError> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return Ok(other?),
        }
    }
}
