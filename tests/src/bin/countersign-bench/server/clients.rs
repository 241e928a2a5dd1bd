//! Clients that send one request after another over a connection that stays open, and measure each.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign_tests::Trouble;

use super::failed;
use super::slice::Request;

/// Longest reply: a receipt from a log of any size is a few KiB.
const LONGEST: usize = 64 * 1024;

/// What came of a slice.
pub(super) struct Sent {
    /// From the first request to the last reply.
    pub(super) took: Duration,
    /// Of each round trip.
    pub(super) trips: Vec<Duration>,
    /// Replies that are to be checked, and to which request of the slice.
    pub(super) replies: Vec<(usize, Vec<u8>)>,
}

/// Sends them all, by so many clients at once.
pub(super) fn send(address: SocketAddr, requests: &[Request], clients: usize) -> Result<Sent, Trouble> {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let done = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(|| one(address, requests, &next))).collect();
        clients
            .into_iter()
            .map(|client| client.join().map_err(|_| failed("a client died"))?)
            .collect::<Result<Vec<Sent>, Trouble>>()
    })?;
    let mut all = Sent { took: began.elapsed(), trips: Vec::new(), replies: Vec::new() };
    for one in done {
        all.trips.extend(one.trips);
        all.replies.extend(one.replies);
    }
    Ok(all)
}

fn one(address: SocketAddr, requests: &[Request], next: &AtomicUsize) -> Result<Sent, Trouble> {
    let mut line = Line::to(address)?;
    let mut sent = Sent { took: Duration::ZERO, trips: Vec::new(), replies: Vec::new() };
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(number) else { return Ok(sent) };
        let began = Instant::now();
        let reply = line.ask(&request.bytes)?;
        sent.trips.push(began.elapsed());
        if request.check.is_some() {
            sent.replies.push((number, reply.to_vec()));
        }
    }
}

/// One connection of HTTP/1.1.
pub(super) struct Line {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub(super) fn to(address: SocketAddr) -> Result<Self, Trouble> {
        let stream = TcpStream::connect(address).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(failed)?;
        Ok(Self { address, stream, buffer: vec![0; LONGEST] })
    }

    /// The reply's body.
    pub(super) fn ask(&mut self, request: &[u8]) -> Result<&[u8], Trouble> {
        self.stream.write_all(request).map_err(failed)?;
        let mut filled = 0;
        let (body, length, last) = loop {
            let room = self.buffer.get_mut(filled..).unwrap_or_default();
            match self.stream.read(room).map_err(failed)? {
                0 => return Err(failed("the server closed a connection in the middle of a reply")),
                read => filled += read,
            }
            let read = self.buffer.get(..filled).unwrap_or_default();
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(read.get(..end).unwrap_or_default()).to_ascii_lowercase();
                if !head.starts_with("http/1.1 200") {
                    return Err(failed(format!("the server answered:\n{head}")));
                }
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())
                    .ok_or_else(|| failed("a reply without its length"))?;
                break (end + 4, length, head.contains("connection: close"));
            }
        };
        let rest = self.buffer.get_mut(filled..body + length).unwrap_or_default();
        self.stream.read_exact(rest).map_err(failed)?;
        if last {
            self.stream = Self::to(self.address)?.stream;
        }
        self.buffer.get(body..body + length).ok_or_else(|| failed("a reply that is too long"))
    }
}
