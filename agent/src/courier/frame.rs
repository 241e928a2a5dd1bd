//! What passes between agent and courier: numbered envelopes out, numbered answers back.
//!
//! ```text
//! out   number u32 │ timeout in ms u32 │ length u32 │ sealed bytes
//! back  number u32 │ HTTP status u16   │ length u32 │ body          status 0: no answer, body says why
//!                                                                      503: body is its Retry-After, if any
//! ```
//! All big-endian. Both sides refuse a length over the largest envelope before taking memory for it.

use std::io::{self, Read, Write};

use countersign_protocol::limits;

/// One envelope to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// Comes back with the answer.
    pub number: u32,
    /// How long the server may take.
    pub timeout_ms: u32,
    /// Sealed.
    pub envelope: Vec<u8>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Of the errand.
    pub number: u32,
    /// HTTP status, or 0 if there was no answer.
    pub status: u16,
    /// The answer's body, or why there is none.
    pub body: Vec<u8>,
}

impl Errand {
    /// Reads one errand; `None` at the end.
    ///
    /// # Errors
    /// The stream breaks, or the length is beyond any envelope.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some(number) = read_number(from)? else { return Ok(None) };
        let timeout_ms = u32::from_be_bytes(read_array(from)?);
        let envelope = read_body(from)?;
        Ok(Some(Self { number, timeout_ms, envelope }))
    }

    /// Writes it in one piece.
    ///
    /// # Errors
    /// The stream breaks.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(12 + self.envelope.len());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.timeout_ms.to_be_bytes());
        push_body(&mut bytes, &self.envelope)?;
        to.write_all(&bytes)
    }
}

impl Outcome {
    /// Reads one answer; `None` at the end.
    ///
    /// # Errors
    /// The stream breaks, or the length is beyond any envelope.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some(number) = read_number(from)? else { return Ok(None) };
        let status = u16::from_be_bytes(read_array(from)?);
        Ok(Some(Self { number, status, body: read_body(from)? }))
    }

    /// Writes it in one piece.
    ///
    /// # Errors
    /// The stream breaks.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(10 + self.body.len());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.status.to_be_bytes());
        push_body(&mut bytes, &self.body)?;
        to.write_all(&bytes)
    }
}

fn push_body(bytes: &mut Vec<u8>, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).map_err(|_| too_long())?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body);
    Ok(())
}

fn read_body(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = u32::from_be_bytes(read_array(from)?);
    let length = usize::try_from(length).map_err(|_| too_long())?;
    if length > limits::ENVELOPE {
        return Err(too_long());
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn read_array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The first field, or `None` if the stream ended before it.
fn read_number(from: &mut impl Read) -> io::Result<Option<u32>> {
    let mut bytes = Vec::with_capacity(4);
    from.take(4).read_to_end(&mut bytes)?;
    match <[u8; 4]>::try_from(bytes) {
        Ok(number) => Ok(Some(u32::from_be_bytes(number))),
        Err(bytes) if bytes.is_empty() => Ok(None),
        Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "longer than any envelope")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errands_and_outcomes_read_back() {
        let errand = Errand { number: 7, timeout_ms: 10_000, envelope: vec![1, 2, 3] };
        let mut bytes = Vec::new();
        errand.write(&mut bytes).unwrap();
        assert_eq!(Errand::read(&mut bytes.as_slice()).unwrap(), Some(errand));
        let outcome = Outcome { number: 7, status: 200, body: vec![] };
        let mut bytes = Vec::new();
        outcome.write(&mut bytes).unwrap();
        assert_eq!(Outcome::read(&mut bytes.as_slice()).unwrap(), Some(outcome));
        assert_eq!(Outcome::read(&mut [].as_slice()).unwrap(), None);
    }

    #[test]
    fn a_courier_that_lies_about_lengths_gets_no_memory() {
        let mut bytes = vec![0, 0, 0, 1, 0, 200];
        bytes.extend_from_slice(&u32::MAX.to_be_bytes());
        assert!(Outcome::read(&mut bytes.as_slice()).is_err());
        assert!(Outcome::read(&mut [0, 0].as_slice()).is_err());
    }
}
