//! Agents that break off, stammer or talk in tongues. All of them deny, at once, and harm nobody.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::libpam::{AUTH_ERR, PERM_DENIED};
use crate::peer::{self, Peer};

/// A name, and what the peer does with a call.
type Fault = (&'static str, fn(UnixStream));

/// Every way of being wrong that ends by itself.
pub(crate) const FAULTS: &[Fault] = &[
    ("closes at once", drop),
    ("closes after the request", |mut stream| drop(peer::request(&mut stream))),
    ("cut in the header", |stream| after_request(stream, &[1, 1, 0])),
    ("cut in the body", |stream| after_request(stream, &[1, 1, 0, 0, 0, 9, b'{'])),
    ("another version", |stream| after_request(stream, &frame(2, 1, b"{}"))),
    ("an unknown kind", |stream| after_request(stream, &frame(1, 9, b"{}"))),
    ("a secret", |stream| after_request(stream, &frame(1, 2, b"123456"))),
    ("oversize", |stream| after_request(stream, &[1, 1, 0, 1, 0, 1])),
    ("oversize by far", |stream| after_request(stream, &[1, 1, 0xFF, 0xFF, 0xFF, 0xFF])),
    ("an empty body", |stream| after_request(stream, &frame(1, 1, b""))),
    ("not JSON", |stream| after_request(stream, &frame(1, 1, b"granted"))),
    ("not UTF-8", |stream| after_request(stream, &frame(1, 1, b"{\"reply\":\"\xff\"}"))),
    ("an unknown reply", |stream| after_request(stream, &frame(1, 1, b"{\"reply\":\"welcome\"}"))),
    ("a grant of nothing", |stream| after_request(stream, &frame(1, 1, b"{\"reply\":\"granted\"}"))),
    ("trailing garbage", |mut stream| {
        let grant = serde_json::to_vec(&peer::grant(peer::nonce(&peer::request(&mut stream)))).unwrap();
        peer::raw(&mut stream, &frame(1, 1, &[grant.as_slice(), b" x"].concat()));
    }),
    ("a field too many", |mut stream| {
        let nonce = peer::nonce(&peer::request(&mut stream));
        let mut grant = serde_json::to_value(peer::grant(nonce)).unwrap();
        grant["reason"] = "policy".into();
        peer::raw(&mut stream, &frame(1, 1, &serde_json::to_vec(&grant).unwrap()));
    }),
    ("noise", |stream| after_request(stream, &[0x5A; 4096])),
];

#[test]
fn every_fault_is_answered_at_once() {
    for (name, fault) in FAULTS {
        let bench = Bench::new();
        let _peer = Peer::listen(&bench.socket(), *fault);
        let begun = Instant::now();
        let mut pam = bench.start("test", "ana");
        assert_eq!([pam.authenticate(0), pam.account()], [AUTH_ERR, PERM_DENIED], "{name}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{name} took {:?}", begun.elapsed());
    }
}

fn after_request(mut stream: UnixStream, bytes: &[u8]) {
    peer::request(&mut stream);
    peer::raw(&mut stream, bytes);
}

fn frame(version: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[version, kind], length.as_slice(), body].concat()
}
