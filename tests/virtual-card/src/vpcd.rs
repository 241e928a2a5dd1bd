//! The wire between vpcd (the driver inside pcscd, which listens) and a card (which connects).
//!
//! Each frame is a big-endian `u16` length and that many bytes. From the driver, a frame of one byte
//! is an order to the reader and anything longer a command APDU. From the card, a frame is an answer;
//! only ATR requests and APDUs get one.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::linux::net::TcpStreamExt as _;

/// What the driver asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    PowerOff,
    PowerOn,
    Reset,
    /// Wants the answer to reset.
    Atr,
    Apdu(Vec<u8>),
    /// An order this card does not know; it gets no answer.
    Unknown(u8),
}

/// Reads one frame; `None` when the driver closed the connection between frames.
pub(crate) fn read_frame(wire: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut length = [0; 2];
    if wire.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    wire.read_exact(&mut length[1..])?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    wire.read_exact(&mut bytes)?;
    Ok(Some(match bytes.as_slice() {
        [0] => Frame::PowerOff,
        [1] => Frame::PowerOn,
        [2] => Frame::Reset,
        [4] => Frame::Atr,
        [other] => Frame::Unknown(*other),
        _ => Frame::Apdu(bytes),
    }))
}

/// Writes one answer, in one segment.
pub(crate) fn write_frame(wire: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u16::try_from(bytes.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "answer longer than a vpcd frame"))?;
    wire.write_all(&[&length.to_be_bytes(), bytes].concat())
}

/// A connection that acknowledges at once.
///
/// The driver sends length and body as two segments; with delayed acknowledgements the second waits
/// 40 ms for the first one's. Linux forgets the flag, so it is set around every read.
pub(crate) struct QuickAck<'a>(pub(crate) &'a TcpStream);

impl Read for QuickAck<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.set_quickack(true)?;
        let got = self.0.read(buffer)?;
        self.0.set_quickack(true)?;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(mut bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = read_frame(&mut bytes).unwrap() {
            frames.push(frame);
        }
        frames
    }

    #[test]
    fn one_byte_is_an_order_and_more_is_a_command() {
        assert_eq!(
            frames(&[0, 1, 0, 0, 1, 1, 0, 1, 2, 0, 1, 4, 0, 1, 3, 0, 4, 0, 0xA4, 4, 0]),
            [
                Frame::PowerOff,
                Frame::PowerOn,
                Frame::Reset,
                Frame::Atr,
                Frame::Unknown(3),
                Frame::Apdu(vec![0, 0xA4, 4, 0]),
            ]
        );
    }

    #[test]
    fn an_empty_frame_is_an_empty_command() {
        assert_eq!(frames(&[0, 0]), [Frame::Apdu(Vec::new())]);
    }

    #[test]
    fn a_cut_frame_is_an_error_and_a_closed_wire_is_not() {
        assert_eq!(read_frame(&mut [].as_slice()).unwrap(), None);
        for cut in [&[0_u8][..], &[0, 4, 1], &[0, 1]] {
            let mut wire = cut;
            assert_eq!(read_frame(&mut wire).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn an_answer_carries_its_length_and_must_fit() {
        let mut wire = Vec::new();
        write_frame(&mut wire, &[0x90, 0]).unwrap();
        assert_eq!(wire, [0, 2, 0x90, 0]);
        assert!(write_frame(&mut wire, &vec![0; 65_536]).is_err());
    }
}
