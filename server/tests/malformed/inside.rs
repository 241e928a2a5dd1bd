//! What somebody with the server's certificate can put inside the encryption.

use countersign_protocol::certificate::Cert;
use sequoia_openpgp as openpgp;

use openpgp::types::{HashAlgorithm, SignatureType, SymmetricAlgorithm};

use super::stage::{Around, Stage, framed, literal_packet, one_pass, one_pass_but, packet};
use super::{Kind, kind};

const NOT_SIGNED: &[&str] = &["Structure", "Signature", "NotDecrypted"];

/// The three packets of an honest inside.
struct Inside {
    announced: Vec<u8>,
    literal: Vec<u8>,
    signature: Vec<u8>,
}

fn inside(stage: &Stage) -> Inside {
    let literal = stage.literal();
    let signature = honest(stage, &literal);
    Inside {
        announced: one_pass(&signature, true),
        literal: literal_packet(b'b', b"", 0, &literal),
        signature: framed(signature),
    }
}

fn honest(stage: &Stage, literal: &[u8]) -> openpgp::Packet {
    stage.signature(
        stage.host.session_signer(),
        SignatureType::Binary,
        HashAlgorithm::SHA512,
        literal,
        |builder| builder,
    )
}

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = orders();
    kinds.extend(foreign_packets());
    kinds.extend(literals());
    kinds.extend(announcements());
    kinds.extend(encryptions());
    kinds
}

/// The packets left out, doubled, exchanged.
fn orders() -> Vec<Kind> {
    // a: announcement, l: literal, s: signature.
    let mut kinds = Vec::new();
    for order in [
        "", "a", "l", "s", "al", "as", "ls", "aa", "ll", "ss", "sa", "la", "las", "asl", "lsa", "sla",
        "aals", "alls", "alss", "aalss", "alas", "alsals", "aalsls", "lals", "salss", "sals", "aaals",
        "aaalsss", "alsl", "alsa", "lls", "sls", "ssl", "sss", "aaa", "lll",
    ] {
        kinds.push(kind(format!("the packets {order:?} inside"), NOT_SIGNED, move |stage| {
            let inside = inside(stage);
            let mut bytes = Vec::new();
            for one in order.chars() {
                bytes.extend_from_slice(match one {
                    'a' => &inside.announced,
                    'l' => &inside.literal,
                    _ => &inside.signature,
                });
            }
            stage.encrypted(&bytes)
        }));
    }
    for end in 1..12 {
        kinds.push(kind(format!("the inside cut {end} twelfths before its end"), NOT_SIGNED, move |stage| {
            let inside = inside(stage);
            let whole = [inside.announced, inside.literal, inside.signature].concat();
            stage.encrypted(&whole[..whole.len() - whole.len() * end / 12])
        }));
    }
    for (what, bytes) in
        [("text", &b"hello"[..]), ("JSON", b"{}"), ("zeros", &[0; 64]), ("a marker", b"\xCA\x03PGP")]
    {
        kinds.push(kind(format!("{what} inside"), NOT_SIGNED, move |stage| stage.encrypted(bytes)));
    }
    kinds
}

/// Packets that have no business inside, in each place.
fn foreign_packets() -> Vec<Kind> {
    let mut kinds = Vec::new();
    // Markers and padding are to be passed over.
    for tag in (0..64).filter(|tag| ![10, 21].contains(tag)) {
        kinds.push(kind(format!("a packet of tag {tag} inside, before"), NOT_SIGNED, move |stage| {
            let inside = inside(stage);
            stage.encrypted(
                &[packet(tag, &[4, 0]), inside.announced, inside.literal, inside.signature].concat(),
            )
        }));
        kinds.push(kind(format!("a packet of tag {tag} inside, after"), NOT_SIGNED, move |stage| {
            let inside = inside(stage);
            stage.encrypted(
                &[inside.announced, inside.literal, inside.signature, packet(tag, &[4, 0])].concat(),
            )
        }));
    }
    for algorithm in 0..5_u8 {
        kinds.push(kind(format!("compressed by algorithm {algorithm}"), NOT_SIGNED, move |stage| {
            let inside = inside(stage);
            let mut body = vec![algorithm];
            body.extend([inside.announced, inside.literal, inside.signature].concat());
            stage.encrypted(&packet(8, &body))
        }));
    }
    for depth in 1..=5 {
        kinds.push(kind(format!("encrypted {depth} times more"), &["Structure"], move |stage| {
            (0..depth).fold(stage.sealed(), |inside, _| stage.encrypted(&inside))
        }));
    }
    kinds
}

fn literals() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for format in [b't', b'u', b'l', b'1', b'm', 0, 255, b'B'] {
        kinds.push(kind(format!("a literal of format {format}"), NOT_SIGNED, move |stage| {
            let literal = stage.literal();
            let signature = honest(stage, &literal);
            let announced = one_pass(&signature, true);
            stage
                .encrypted(&[announced, literal_packet(format, b"", 0, &literal), framed(signature)].concat())
        }));
    }
    for (what, name, date) in
        [("name", &b"x"[..], 0), ("reserved name", b"_CONSOLE", 0), ("date", b"", 1_700_000_000)]
    {
        kinds.push(kind(format!("a literal with a {what}"), &["Structure"], move |stage| {
            let literal = stage.literal();
            let signature = honest(stage, &literal);
            let announced = one_pass(&signature, true);
            stage.encrypted(
                &[announced, literal_packet(b'b', name, date, &literal), framed(signature)].concat(),
            )
        }));
    }
    kinds.push(kind("another literal than was signed".into(), &["Signature"], |stage| {
        let inside = inside(stage);
        let other = literal_packet(b'b', b"", 0, &stage.literal());
        stage.encrypted(&[inside.announced, other, inside.signature].concat())
    }));
    kinds
}

/// One-pass packets that do not fit what they announce.
fn announcements() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for hash in [HashAlgorithm::SHA1, HashAlgorithm::SHA256, HashAlgorithm::SHA384, HashAlgorithm::SHA224] {
        kinds.push(kind(format!("announced with {hash}"), NOT_SIGNED, move |stage| {
            let inside = inside(stage);
            let signature = honest(stage, b"");
            let announced = one_pass_but(&signature, |mut announced| {
                announced.set_hash_algo(hash);
                announced.set_last(true);
                announced
            });
            stage.encrypted(&[announced, inside.literal, inside.signature].concat())
        }));
    }
    for at in 0..13 {
        kinds.push(kind(format!("byte {at} of the announcement changed"), NOT_SIGNED, move |stage| {
            let mut inside = inside(stage);
            // Version, type, hash, algorithm, eight of the key, last.
            let header = 2;
            inside.announced[header + at] = match at {
                12 => 0,
                _ => inside.announced[header + at] ^ 0x55,
            };
            // What the announcement says of the key is a hint: whoever is announced, the signature says.
            let literal = literal_packet(b'b', b"", 0, b"{}");
            stage.encrypted(&[inside.announced, literal, inside.signature].concat())
        }));
    }
    kinds
}

/// Weaker than the suite, or for others.
fn encryptions() -> Vec<Kind> {
    let mut kinds = Vec::new();
    let whole = |stage: &Stage| {
        let inside = inside(stage);
        [inside.announced, inside.literal, inside.signature].concat()
    };
    for cipher in [
        SymmetricAlgorithm::AES128,
        SymmetricAlgorithm::AES192,
        SymmetricAlgorithm::Camellia256,
        // IDEA, three times DES, CAST5, Blowfish, Twofish.
        SymmetricAlgorithm::from(1),
        SymmetricAlgorithm::from(2),
        SymmetricAlgorithm::from(3),
        SymmetricAlgorithm::from(4),
        SymmetricAlgorithm::from(10),
    ] {
        if !cipher.is_supported() {
            continue;
        }
        kinds.push(kind(
            format!("without authentication by {cipher}"),
            &["Suite", "NotDecrypted"],
            move |stage| {
                let to = [&stage.host.server];
                stage.around(Around { to: &to, cipher, seipdv1: true }, &whole(stage))
            },
        ));
        if matches!(cipher, SymmetricAlgorithm::AES128 | SymmetricAlgorithm::AES192) {
            kinds.push(kind(format!("encrypted by {cipher}"), &["Suite", "NotDecrypted"], move |stage| {
                let to = [&stage.host.server];
                stage.around(Around { to: &to, cipher, seipdv1: false }, &whole(stage))
            }));
        }
    }
    kinds.push(kind("version 1 where version 2 is asked for".into(), &["Suite"], move |stage| {
        let to = [&stage.host.server];
        stage.around(Around { to: &to, cipher: SymmetricAlgorithm::AES256, seipdv1: true }, &whole(stage))
    }));
    for at in [1, 10, 20, 21, 22, 60, 200] {
        kinds.push(kind(
            format!("version 1, damaged {at} bytes before its end"),
            &["NotDecrypted", "Structure"],
            move |stage| {
                let to = [&stage.host.server];
                let around = Around { to: &to, cipher: SymmetricAlgorithm::AES256, seipdv1: true };
                let mut bytes = stage.around(around, &whole(stage));
                let at = bytes.len() - at;
                bytes[at] ^= 4;
                bytes
            },
        ));
    }
    type Whom = fn(&Stage) -> Vec<&Cert>;
    let others: [(&str, Whom); 4] = [
        ("another server", |stage| vec![&stage.other]),
        ("its own host", |stage| vec![&stage.host.cert]),
        ("the application", |stage| vec![&stage.application]),
        ("the server and two more", |stage| vec![&stage.other, &stage.host.server, &stage.application]),
    ];
    for (who, to) in others {
        kinds.push(kind(format!("encrypted to {who}"), &["NotDecrypted", "Structure"], move |stage| {
            let around = Around { to: &to(stage), cipher: SymmetricAlgorithm::AES256, seipdv1: false };
            stage.around(around, &whole(stage))
        }));
    }
    kinds
}
