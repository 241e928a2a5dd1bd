//! HTTP messages with a length, as bytes.

use std::io::Read;

/// Longest head of a message.
const HEAD: usize = 16 * 1024;

/// One request or answer.
#[derive(Debug, Clone)]
pub(super) struct Message {
    head: Vec<u8>,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn bytes(&self) -> Vec<u8> {
        [self.head.as_slice(), self.body.as_slice()].concat()
    }
}

/// Reads one message; `None` at the end of the connection, or if it is no HTTP with a length.
pub(super) fn read(from: &mut impl Read) -> Option<Message> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte).ok()?;
        head.extend(byte);
        if head.len() > HEAD {
            return None;
        }
    }
    let mut body = vec![0; length(&head)?];
    from.read_exact(&mut body).ok()?;
    Some(Message { head, body })
}

/// An answer with this status.
pub(super) fn answer(status: u16, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} As Told\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn length(head: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(head).to_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_to_its_length_and_no_further() {
        let wire = [answer(400, b"no").as_slice(), b"rest"].concat();
        let mut wire = wire.as_slice();
        let message = read(&mut wire).unwrap();
        assert_eq!((message.body.as_slice(), wire), (b"no".as_slice(), b"rest".as_slice()));
        assert_eq!(message.bytes(), answer(400, b"no"));
        assert!(read(&mut b"HTTP/1.1 200 OK\r\n\r\n".as_slice()).is_none());
    }
}
