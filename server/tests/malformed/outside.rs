//! What can be done to an envelope without any key: cut, flipped, reframed, added to.

use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::packet::{Literal, Marker};
use openpgp::serialize::SerializeInto as _;

use super::stage::{Stage, packet};
use super::{Kind, kind};

/// An honest envelope: where its packets begin and what they are.
struct Parts {
    session_key: Vec<u8>,
    data: Vec<u8>,
}

impl Parts {
    fn of(envelope: &[u8]) -> Self {
        assert_eq!(envelope[0], 0xC1, "a session key packet comes first");
        let first = 2 + usize::from(envelope[1]);
        let header = match envelope[first + 1] {
            0..192 => 2,
            192..224 => 3,
            255 => 6,
            partial => panic!("a partial length {partial}"),
        };
        assert_eq!(envelope[first], 0xD2);
        Self { session_key: envelope[2..first].to_vec(), data: envelope[first + header..].to_vec() }
    }

    fn joined(&self) -> Vec<u8> {
        [packet(1, &self.session_key), packet(18, &self.data)].concat()
    }
}

fn parts(stage: &Stage) -> Parts {
    Parts::of(&stage.sealed())
}

const DAMAGED: &[&str] = &["Structure", "NotDecrypted"];

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = cuts_and_flips();
    kinds.extend(packets());
    kinds.extend(headers());
    kinds.extend(no_envelopes());
    kinds
}

fn cuts_and_flips() -> Vec<Kind> {
    let mut kinds = Vec::new();
    // The headers end well before the 200th byte.
    for at in (0..200).chain((200..4200).step_by(440)) {
        kinds.push(kind(format!("cut to {at} bytes"), DAMAGED, move |stage| {
            let mut bytes = stage.sealed();
            bytes.truncate(at);
            bytes
        }));
    }
    for at in 1..40 {
        kinds.push(kind(format!("cut {at} bytes before its end"), DAMAGED, move |stage| {
            let mut bytes = stage.sealed();
            bytes.truncate(bytes.len() - at);
            bytes
        }));
    }
    for at in (0..180).chain((180..4200).step_by(440)) {
        kinds.push(kind(format!("byte {at} flipped"), DAMAGED, move |stage| {
            let mut bytes = stage.sealed();
            bytes[at] ^= 0xFF;
            bytes
        }));
    }
    for at in 1..17 {
        kinds.push(kind(format!("byte {at} of the last tag flipped"), DAMAGED, move |stage| {
            let mut bytes = stage.sealed();
            let at = bytes.len() - at;
            bytes[at] ^= 1;
            bytes
        }));
    }
    for (what, tail) in
        [("a byte", &b"x"[..]), ("a zero", b"\0"), ("text", b"trailing"), ("half a packet", &[0xD2, 20, 2])]
    {
        kinds.push(kind(format!("{what} behind it"), DAMAGED, move |stage| [&stage.sealed(), tail].concat()));
    }
    kinds
}

fn packets() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for tag in 0..64_u8 {
        if tag != 1 {
            kinds.push(kind(format!("session key under tag {tag}"), DAMAGED, move |stage| {
                let parts = parts(stage);
                [packet(tag, &parts.session_key), packet(18, &parts.data)].concat()
            }));
        }
        if tag != 18 {
            kinds.push(kind(format!("encrypted data under tag {tag}"), DAMAGED, move |stage| {
                let parts = parts(stage);
                [packet(1, &parts.session_key), packet(tag, &parts.data)].concat()
            }));
        }
        // A marker and padding are to be passed over.
        if tag != 10 && tag != 21 {
            kinds.push(kind(format!("a packet of tag {tag} in front"), DAMAGED, move |stage| {
                [packet(tag, &[4, 0, 0, 0]), stage.sealed()].concat()
            }));
            kinds.push(kind(format!("a packet of tag {tag} between"), DAMAGED, move |stage| {
                let parts = parts(stage);
                [packet(1, &parts.session_key), packet(tag, &[4, 0]), packet(18, &parts.data)].concat()
            }));
            kinds.push(kind(format!("a packet of tag {tag} behind"), DAMAGED, move |stage| {
                [stage.sealed(), packet(tag, &[4, 0, 0, 0])].concat()
            }));
        }
    }
    type Put = fn(&Parts) -> Vec<Vec<u8>>;
    let twice: [(&str, Put); 8] = [
        ("no session key", |parts| vec![packet(18, &parts.data)]),
        ("no data", |parts| vec![packet(1, &parts.session_key)]),
        ("the other way round", |parts| vec![packet(18, &parts.data), packet(1, &parts.session_key)]),
        ("three session keys", |parts| {
            let mut all = vec![packet(1, &parts.session_key); 3];
            all.push(packet(18, &parts.data));
            all
        }),
        ("a hundred session keys", |parts| {
            let mut all = vec![packet(1, &parts.session_key); 100];
            all.push(packet(18, &parts.data));
            all
        }),
        ("data twice", |parts| {
            vec![packet(1, &parts.session_key), packet(18, &parts.data), packet(18, &parts.data)]
        }),
        ("all of it twice", |parts| vec![parts.joined(), parts.joined()]),
        ("twelve markers in front", |parts| vec![packet(10, b"PGP").repeat(12), parts.joined()]),
    ];
    for (what, made) in twice {
        kinds.push(kind(what.into(), DAMAGED, move |stage| made(&parts(stage)).concat()));
    }
    kinds
}

/// Bytes of the two headers, each with many values.
fn headers() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for version in (0..16).filter(|version| *version != 6) {
        kinds.push(kind(format!("session key packet of version {version}"), DAMAGED, move |stage| {
            let mut parts = parts(stage);
            parts.session_key[0] = version;
            parts.joined()
        }));
    }
    for algorithm in 0..32 {
        kinds.push(kind(format!("session key by algorithm {algorithm}"), DAMAGED, move |stage| {
            let mut parts = parts(stage);
            // Version, no recipient, algorithm.
            assert_eq!(parts.session_key[..2], [6, 0]);
            let before = std::mem::replace(&mut parts.session_key[2], algorithm);
            // The true one is cut instead.
            if before == algorithm {
                parts.session_key.pop();
            }
            parts.joined()
        }));
    }
    for (field, name, all) in
        [(0, "version", 0..8_u8), (1, "cipher", 0..14), (2, "mode", 0..6), (3, "chunk size", 0..24)]
    {
        for value in all {
            kinds.push(kind(format!("encrypted data with {name} {value}"), DAMAGED, move |stage| {
                let mut parts = parts(stage);
                let before = std::mem::replace(&mut parts.data[field], value);
                // The true one is given to other data.
                if before == value {
                    parts.data[40] ^= 1;
                }
                parts.joined()
            }));
        }
    }
    for (what, length) in [
        ("none", &[0][..]),
        ("one too few", &[13]),
        ("of four gigabytes", &[255, 255, 255, 255, 255]),
        ("of two gigabytes", &[255, 127, 255, 255, 255]),
        ("partial and then nothing", &[224]),
        ("partial of a gigabyte", &[254]),
    ] {
        kinds.push(kind(format!("encrypted data whose length is {what}"), DAMAGED, move |stage| {
            let parts = parts(stage);
            [packet(1, &parts.session_key), [&[0xD2][..], length, &parts.data].concat()].concat()
        }));
    }
    for depth in [2, 5, 20] {
        kinds.push(kind(format!("{depth} partial lengths of one byte, and no end"), DAMAGED, move |stage| {
            let parts = parts(stage);
            let partial = [224, 2].repeat(depth);
            [packet(1, &parts.session_key), [&[0xD2][..], &partial].concat()].concat()
        }));
    }
    kinds
}

fn no_envelopes() -> Vec<Kind> {
    let mut kinds = vec![
        kind("nothing".into(), DAMAGED, |_| Vec::new()),
        kind("text".into(), DAMAGED, |_| b"hello".to_vec()),
        kind("JSON".into(), DAMAGED, Stage::literal),
        kind("armoured".into(), DAMAGED, |stage| {
            let mut writer =
                openpgp::armor::Writer::new(Vec::new(), openpgp::armor::Kind::Signature).unwrap();
            std::io::Write::write_all(&mut writer, &stage.sealed()).unwrap();
            writer.finalize().unwrap()
        }),
        kind("a request for a page".into(), DAMAGED, |_| b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        kind("a certificate".into(), DAMAGED, |stage| stage.host.server.to_vec().unwrap()),
        kind("a secret key".into(), DAMAGED, |stage| stage.host.cert.as_tsk().to_vec().unwrap()),
        kind("a literal alone".into(), DAMAGED, |stage| {
            let mut literal = Literal::new(openpgp::types::DataFormat::Binary);
            literal.set_body(stage.literal());
            Packet::from(literal).to_vec().unwrap()
        }),
        kind("a marker alone".into(), DAMAGED, |_| Packet::from(Marker::default()).to_vec().unwrap()),
        kind("a thousand markers".into(), DAMAGED, |_| packet(10, b"PGP").repeat(1000)),
        kind("signed and not encrypted".into(), &["Structure"], |stage| {
            let literal = stage.literal();
            let signature = stage.signature(
                stage.host.session_signer(),
                openpgp::types::SignatureType::Binary,
                openpgp::types::HashAlgorithm::SHA512,
                &literal,
                |builder| builder,
            );
            let announced = super::stage::one_pass(&signature, true);
            [announced, super::stage::literal_packet(b'b', b"", 0, &literal), super::stage::framed(signature)]
                .concat()
        }),
        kind("to another server".into(), &["NotDecrypted"], Stage::for_another),
        kind("as large as may be".into(), DAMAGED, |stage| {
            let mut bytes = stage.sealed();
            bytes.resize(countersign_protocol::limits::ENVELOPE, 0);
            bytes
        }),
    ];
    for byte in (0..=255).step_by(5) {
        kinds.push(kind(format!("one byte, {byte}"), DAMAGED, move |_| vec![byte]));
    }
    kinds
}
