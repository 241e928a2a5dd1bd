//! Job requests of an honest host around statements that nobody should act upon.

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::{Digest, Nonce};
use countersign_protocol::message::JobRequest;
use countersign_protocol::random::SystemRandom;
use countersign_protocol::statement::{SignedStatement, Statement};
use sequoia_openpgp as openpgp;

use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::signature::subpacket::NotationDataFlags;
use openpgp::serialize::SerializeInto as _;
use openpgp::types::{HashAlgorithm, SignatureType};

use super::json::{Change, SAYINGS, changed, fields};
use super::stage::Stage;
use super::{Kind, kind};

const CLASSES: &[&str] = &["Statement"];

fn request(stage: &Stage, signed: SignedStatement, body: Option<&[u8]>) -> Vec<u8> {
    let body = body.map(|body| Binary(body.to_vec()));
    stage.host.seal(&stage.host.message(&JobRequest { signed, body })).bytes().to_vec()
}

fn login(stage: &Stage) -> Statement {
    stage.host.session(&stage.ana, "ana")
}

/// A statement that says something else, signed by ana.
fn saying(stage: &Stage, change: impl FnOnce(&mut Statement)) -> Vec<u8> {
    let mut statement = login(stage);
    change(&mut statement);
    request(stage, stage.ana.sign(&statement), None)
}

/// Ana's signature over exactly these bytes.
fn over(stage: &Stage, bytes: &[u8]) -> SignedStatement {
    over_but(stage, bytes, SignatureType::Binary, HashAlgorithm::SHA512, |builder| builder)
}

fn over_but(
    stage: &Stage,
    bytes: &[u8],
    kind: SignatureType,
    hash: HashAlgorithm,
    change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
) -> SignedStatement {
    let signature = stage.signature(Stage::primary(&stage.ana.cert), kind, hash, bytes, change);
    SignedStatement { statement: Binary(bytes.to_vec()), signature: Binary(signature.to_vec().unwrap()) }
}

pub(super) fn kinds(stage: &Stage) -> Vec<Kind> {
    let mut kinds = said();
    kinds.extend(signed());
    kinds.extend(written(stage));
    kinds
}

fn said() -> Vec<Kind> {
    type Say = fn(&Stage, &mut Statement);
    let all: [(&str, Say); 14] = [
        ("another host", |stage, said| {
            said.instance = stage.ana.cert.fingerprint().to_hex().parse().unwrap()
        }),
        ("another server", |stage, said| said.server = stage.other.fingerprint().to_hex().parse().unwrap()),
        ("its host as server", |stage, said| said.server = stage.host.fingerprint()),
        ("its server as host", |stage, said| said.instance = stage.host.server_fingerprint()),
        ("an account that is none", |_, said| said.account = "nobody".parse().unwrap()),
        ("somebody else's account", |_, said| said.account = "admin".parse().unwrap()),
        ("a time long ago", |_, said| {
            (said.time, said.expires) = (said.time.plus(-1000), said.time.plus(-800));
        }),
        ("an end a second ago", |_, said| {
            (said.time, said.expires) = (said.time.plus(-100), said.time.plus(-1));
        }),
        ("a time to come", |_, said| {
            (said.time, said.expires) = (said.time.plus(500), said.time.plus(600));
        }),
        ("a time too far ahead", |_, said| {
            // The real program's clock goes on meanwhile.
            (said.time, said.expires) = (said.time.plus(200), said.time.plus(210));
        }),
        ("a time a year ahead", |_, said| {
            (said.time, said.expires) = (said.time.plus(365 * 86_400), said.time.plus(365 * 86_400 + 60));
        }),
        ("the beginning of all time", |_, said| {
            let first = countersign_protocol::clock::Timestamp::from_seconds(0);
            (said.time, said.expires) = (first, first.plus(60));
        }),
        ("a handshake and another host", |stage, said| {
            said.transcript = Some(Digest::of(b"x"));
            said.instance = stage.other.fingerprint().to_hex().parse().unwrap();
        }),
        ("the body of nothing and another server", |stage, said| {
            said.body = Some(Digest::of(b""));
            said.server = stage.other.fingerprint().to_hex().parse().unwrap();
        }),
    ];
    let mut kinds = Vec::new();
    for (what, say) in all {
        kinds.push(kind(format!("a statement that names {what}"), CLASSES, move |stage| {
            saying(stage, |statement| say(stage, statement))
        }));
    }
    for (what, named, brought) in [
        ("names a body that does not come", Some(&b"x"[..]), None),
        ("names no body and one comes", None, Some(&b"x"[..])),
        ("names another body", Some(b"y"), Some(b"x")),
        ("names an empty body and none comes", Some(b""), None),
    ] {
        kinds.push(kind(format!("a statement that {what}"), &["BodyDigest"], move |stage| {
            let mut statement = login(stage);
            statement.body = named.map(Digest::of);
            request(stage, stage.ana.sign(&statement), brought)
        }));
    }
    kinds
}

fn signed() -> Vec<Kind> {
    type Sign = fn(&Stage, &[u8]) -> SignedStatement;
    let all: [(&str, Sign); 23] = [
        ("by nobody", |_, bytes| SignedStatement {
            statement: Binary(bytes.to_vec()),
            signature: Binary(vec![]),
        }),
        ("by a stranger", |stage, bytes| by(stage, Stage::primary(&stage.stranger.cert), bytes)),
        ("by the host", |stage, bytes| by(stage, Stage::primary(&stage.host.cert), bytes)),
        ("by the host's session key", |stage, bytes| by(stage, stage.host.session_signer(), bytes)),
        ("by the application", |stage, bytes| by(stage, Stage::primary(&stage.application), bytes)),
        ("by another server", |stage, bytes| by(stage, Stage::primary(&stage.other), bytes)),
        ("twice", |stage, bytes| {
            let mut signed = over(stage, bytes);
            signed.signature.0 = signed.signature.0.repeat(2);
            signed
        }),
        ("three times", |stage, bytes| {
            let mut signed = over(stage, bytes);
            signed.signature.0 = signed.signature.0.repeat(3);
            signed
        }),
        ("by ana and by a stranger", |stage, bytes| {
            let mut signed = over(stage, bytes);
            signed.signature.0.extend(by(stage, Stage::primary(&stage.stranger.cert), bytes).signature.0);
            signed
        }),
        ("with something behind it", |stage, bytes| {
            let mut signed = over(stage, bytes);
            signed.signature.0.extend(b"x");
            signed
        }),
        ("with a literal behind it", |stage, bytes| {
            let mut signed = over(stage, bytes);
            signed.signature.0.extend(super::stage::literal_packet(b'b', b"", 0, bytes));
            signed
        }),
        ("with more bytes than any", |stage, bytes| {
            let mut signed = over(stage, bytes);
            signed.signature.0.resize(3000, 0xCA);
            signed
        }),
        ("by text", |_, bytes| SignedStatement {
            statement: Binary(bytes.to_vec()),
            signature: Binary(b"signed, ana".to_vec()),
        }),
        ("as text", |stage, bytes| over_but(stage, bytes, SignatureType::Text, HashAlgorithm::SHA512, |s| s)),
        ("as nothing but itself", |stage, bytes| {
            over_but(stage, bytes, SignatureType::Standalone, HashAlgorithm::SHA512, |s| s)
        }),
        ("as a certificate", |stage, bytes| {
            over_but(stage, bytes, SignatureType::GenericCertification, HashAlgorithm::SHA512, |s| s)
        }),
        ("with SHA-1", |stage, bytes| {
            over_but(stage, bytes, SignatureType::Binary, HashAlgorithm::SHA1, |s| s)
        }),
        ("with SHA-224", |stage, bytes| {
            over_but(stage, bytes, SignatureType::Binary, HashAlgorithm::SHA224, |s| s)
        }),
        ("for another server", |stage, bytes| to(stage, bytes, vec![stage.other.fingerprint()])),
        ("for nobody", |stage, bytes| to(stage, bytes, vec![])),
        ("for the server and another", |stage, bytes| {
            to(stage, bytes, vec![stage.host.server.fingerprint(), stage.other.fingerprint()])
        }),
        ("before it was written", |stage, bytes| {
            let then = stage.now().plus(-3000).to_system_time();
            over_but(stage, bytes, SignatureType::Binary, HashAlgorithm::SHA512, |builder| {
                builder.set_signature_creation_time(then).unwrap()
            })
        }),
        ("with a critical notation", |stage, bytes| {
            over_but(stage, bytes, SignatureType::Binary, HashAlgorithm::SHA512, |builder| {
                builder.add_notation("x@example.org", b"1", NotationDataFlags::empty(), true).unwrap()
            })
        }),
    ];
    let mut kinds = Vec::new();
    for (how, sign) in all {
        kinds.push(kind(format!("a statement signed {how}"), CLASSES, move |stage| {
            let bytes = login(stage).to_bytes().unwrap();
            request(stage, sign(stage, &bytes), None)
        }));
    }
    // Up to the other subpackets; what comes then is no part of what is signed.
    for at in 0..60 {
        kinds.push(kind(format!("byte {at} of the card's signature changed"), CLASSES, move |stage| {
            let bytes = login(stage).to_bytes().unwrap();
            let mut signed = over(stage, &bytes);
            signed.signature.0[at] ^= 0x15;
            request(stage, signed, None)
        }));
    }
    for at in [0, 1, 20, 100, 200, 300] {
        kinds.push(kind(
            format!("byte {at} of the statement changed after it was signed"),
            CLASSES,
            move |stage| {
                let mut signed = over(stage, &login(stage).to_bytes().unwrap());
                signed.statement.0[at] ^= 1;
                request(stage, signed, None)
            },
        ));
    }
    kinds
}

fn by(stage: &Stage, signer: countersign_protocol::envelope::BoxedSigner, bytes: &[u8]) -> SignedStatement {
    let signature =
        stage.signature(signer, SignatureType::Binary, HashAlgorithm::SHA512, bytes, |builder| builder);
    SignedStatement { statement: Binary(bytes.to_vec()), signature: Binary(signature.to_vec().unwrap()) }
}

fn to(stage: &Stage, bytes: &[u8], whom: Vec<openpgp::Fingerprint>) -> SignedStatement {
    over_but(stage, bytes, SignatureType::Binary, HashAlgorithm::SHA512, |builder| {
        builder.set_intended_recipients(whom).unwrap()
    })
}

/// The statement's own JSON.
fn written(stage: &Stage) -> Vec<Kind> {
    let mut sample = login(stage);
    sample.claimed = Some("sudo -i".into());
    sample.place = Some(countersign_protocol::statement::Place::LOCAL);
    let sample = serde_json::to_value(&sample).unwrap();
    let mut kinds = Vec::new();
    for path in fields(&sample) {
        let name = path.join(".");
        let mut add = |what: String, change: Change<'static>| {
            let path = path.clone();
            kinds.push(kind(format!("a statement {what}"), CLASSES, move |stage| {
                let mut statement = login(stage);
                statement.claimed = Some("sudo -i".into());
                statement.place = Some(countersign_protocol::statement::Place::LOCAL);
                statement.nonce = Nonce::new(&SystemRandom).unwrap();
                let text = changed(&serde_json::to_value(&statement).unwrap(), &path, change);
                request(stage, over(stage, &text), None)
            }));
        };
        let optional = matches!(name.as_str(), "login" | "service" | "claimed" | "place");
        if !optional {
            add(format!("without {name}"), Change::Without);
        }
        add(format!("with {name} twice"), Change::Twice);
        add(format!("with another {name} beside it"), Change::Beside);
        for (what, text) in SAYINGS {
            let fine = match name.as_str() {
                "login" | "service" => matches!(what, "null" | "a word"),
                "claimed" => matches!(what, "null" | "a word" | "no word" | "a control character"),
                "place" => what == "null",
                // Policy's business.
                "operation" => what == "a word",
                _ => false,
            };
            if !fine {
                add(format!("with {name} saying {what}"), Change::Says(text));
            }
        }
    }
    type Made = fn(&[u8]) -> Vec<u8>;
    let texts: [(&str, Made); 8] = [
        ("of no bytes", |_| Vec::new()),
        ("in a list", |text| [b"[", text, b"]"].concat()),
        ("before a word", |text| [text, b"x"].concat()),
        ("after a byte order mark", |text| [b"\xEF\xBB\xBF", text].concat()),
        ("cut in half", |text| text[..text.len() / 2].to_vec()),
        ("larger than a person could read", |text| [text, " ".repeat(9000).as_bytes()].concat()),
        ("that is a list of its values", |text| {
            let value: serde_json::Value = serde_json::from_slice(text).unwrap();
            let all = [
                "countersign",
                "operation",
                "resource",
                "account",
                "login",
                "service",
                "claimed",
                "place",
                "instance",
                "server",
                "time",
                "expires",
                "nonce",
                "body",
                "transcript",
            ];
            let list: Vec<_> = all.iter().map(|name| value.get(name).cloned().unwrap_or_default()).collect();
            serde_json::to_vec(&list).unwrap()
        }),
        ("that is a roster", |text| {
            String::from_utf8_lossy(text).replace("statement-1", "roster-1").into_bytes()
        }),
    ];
    for (what, made) in texts {
        kinds.push(kind(format!("a statement {what}"), CLASSES, move |stage| {
            let text = made(&login(stage).to_bytes().unwrap());
            request(stage, over(stage, &text), None)
        }));
    }
    kinds
}
