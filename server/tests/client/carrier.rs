//! How bytes travel.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use countersign_server::doors::openpgp::{self, Heard, OpenPgpDoor};

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) head: String,
}

/// Nothing came back: the server died, or never listened.
#[derive(Debug)]
pub(crate) struct Lost;

/// Carries one envelope there and one answer back.
pub(crate) trait Carrier: Send + Sync {
    fn carry(&self, bytes: &[u8]) -> Result<Answer, Lost>;
}

/// Straight to the door.
pub(crate) struct Direct(pub(crate) OpenPgpDoor);

impl Carrier for Direct {
    fn carry(&self, bytes: &[u8]) -> Result<Answer, Lost> {
        let answered = self.0.hear(bytes).and_then(|heard| match heard {
            Heard::Answered(answer) => Ok(answer),
            Heard::TooOften(seconds) => panic!("{seconds} s"),
            // Nobody waits here.
            Heard::Watch(watching) => self.0.look(&watching, true).map(Option::unwrap),
        });
        let (status, body) = match answered {
            Ok(openpgp::Answer::Reply { bytes, .. }) => (200, bytes),
            Ok(openpgp::Answer::Refused { bytes, .. }) => (400, bytes),
            Err(failure) => (503, failure.to_string().into_bytes()),
        };
        Ok(Answer { status, body, head: String::new() })
    }
}

impl<C: Carrier + ?Sized> Carrier for Arc<C> {
    fn carry(&self, bytes: &[u8]) -> Result<Answer, Lost> {
        (**self).carry(bytes)
    }
}

/// `POST /v1/messages`.
pub(crate) struct Http {
    pub(crate) port: u16,
}

impl Carrier for Http {
    fn carry(&self, bytes: &[u8]) -> Result<Answer, Lost> {
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            bytes.len()
        );
        exchange(self.port, &[head.as_bytes(), bytes].concat())
    }
}

/// One request of HTTP/1.1 with `Connection: close`, and its response.
pub(crate) fn exchange(port: u16, request: &[u8]) -> Result<Answer, Lost> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|_| Lost)?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(|_| Lost)?;
    stream.write_all(request).map_err(|_| Lost)?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).map_err(|_| Lost)?;
    let end = response.windows(4).position(|four| four == b"\r\n\r\n").ok_or(Lost)?;
    let head = String::from_utf8(response[..end].to_vec()).map_err(|_| Lost)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(Lost)?;
    let body = response[end + 4..].to_vec();
    let promised = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    if promised.is_some_and(|promised| promised != body.len()) {
        return Err(Lost);
    }
    Ok(Answer { status, body, head })
}
