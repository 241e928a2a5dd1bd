//! Signatures that are no proof: damaged, of another kind, for somebody else, at another time, by somebody else.

use std::time::Duration;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::envelope::BoxedSigner;
use sequoia_openpgp as openpgp;

use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::signature::subpacket::{NotationDataFlags, Subpacket, SubpacketTag, SubpacketValue};
use openpgp::types::{HashAlgorithm, SignatureType};

use super::stage::{Stage, framed, literal_packet, one_pass};
use super::{Kind, kind};
use crate::client::keys;

/// An envelope around one signature.
fn around(stage: &Stage, literal: &[u8], signature: openpgp::Packet) -> Vec<u8> {
    let announced = one_pass(&signature, true);
    stage.encrypted(&[announced, literal_packet(b'b', b"", 0, literal), framed(signature)].concat())
}

/// One by the session key that is honest but for `change`.
fn but(
    stage: &Stage,
    kind: SignatureType,
    hash: HashAlgorithm,
    change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
) -> Vec<u8> {
    let literal = stage.literal();
    let signature = stage.signature(stage.host.session_signer(), kind, hash, &literal, change);
    around(stage, &literal, signature)
}

fn binary(stage: &Stage, change: impl FnOnce(SignatureBuilder) -> SignatureBuilder) -> Vec<u8> {
    but(stage, SignatureType::Binary, HashAlgorithm::SHA512, change)
}

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = types_and_hashes();
    kinds.extend(damaged());
    kinds.extend(recipients());
    kinds.extend(times());
    kinds.extend(subpackets());
    kinds.extend(signers());
    kinds
}

fn types_and_hashes() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for number in
        [0x01, 0x02, 0x10, 0x11, 0x12, 0x13, 0x18, 0x19, 0x1F, 0x20, 0x28, 0x30, 0x40, 0x50, 0x60, 0xFF]
    {
        kinds.push(kind(
            format!("a signature of type {number:#04x}"),
            &["Signature", "Structure"],
            move |stage| but(stage, number.into(), HashAlgorithm::SHA512, |builder| builder),
        ));
    }
    for hash in [
        HashAlgorithm::MD5,
        HashAlgorithm::SHA1,
        HashAlgorithm::RipeMD,
        HashAlgorithm::SHA224,
        HashAlgorithm::SHA3_256,
    ] {
        if hash.is_supported() {
            kinds.push(kind(format!("a signature with {hash}"), &["Signature", "Structure"], move |stage| {
                but(stage, SignatureType::Binary, hash, |builder| builder)
            }));
        }
    }
    kinds
}

fn damaged() -> Vec<Kind> {
    let mut kinds = Vec::new();
    // Version, type, algorithms, hashed and other subpackets, the digest's first bytes, the numbers.
    for at in 2..180_usize {
        // What is not hashed, and the first bytes of the digest, prove nothing either way; the numbers' lengths may be
        // spelt wrongly.
        kinds.push(kind(
            format!("byte {at} of the signature changed"),
            &["Signature", "Structure", "NotDecrypted", "IntendedRecipient", "Skew"],
            move |stage| {
                let literal = stage.literal();
                let whole = stage.signature(
                    stage.host.session_signer(),
                    SignatureType::Binary,
                    HashAlgorithm::SHA512,
                    &literal,
                    |builder| builder,
                );
                let announced = one_pass(&whole, true);
                let mut signature = framed(whole);
                let at = at % (signature.len() - 2) + 2;
                signature[at] ^= 0x15;
                // And the literal as well where that byte is not signed.
                let other = [&literal[..literal.len() - 1], b" }"].concat();
                stage.encrypted(&[announced, literal_packet(b'b', b"", 0, &other), signature].concat())
            },
        ));
    }
    kinds
}

fn recipients() -> Vec<Kind> {
    type Whom = fn(&Stage) -> Vec<openpgp::Fingerprint>;
    let all: [(&str, Whom); 9] = [
        ("nobody", |_| vec![]),
        ("another server", |stage| vec![stage.other.fingerprint()]),
        ("the host itself", |stage| vec![stage.host.cert.fingerprint()]),
        ("the application", |stage| vec![stage.application.fingerprint()]),
        ("the server and another", |stage| vec![stage.host.server.fingerprint(), stage.other.fingerprint()]),
        ("another and the server", |stage| vec![stage.other.fingerprint(), stage.host.server.fingerprint()]),
        ("the server twice", |stage| vec![stage.host.server.fingerprint(); 2]),
        ("the server's encryption key", |stage| {
            stage.host.server.keys().subkeys().map(|key| key.key().fingerprint()).collect()
        }),
        ("a key that is none", |_| vec![openpgp::Fingerprint::from_bytes(4, &[0; 20]).unwrap()]),
    ];
    let mut kinds = Vec::new();
    for (who, whom) in all {
        kinds.push(kind(format!("meant for {who}"), &["IntendedRecipient", "Signature"], move |stage| {
            binary(stage, |builder| {
                let builder = builder.modify_hashed_area(|mut area| {
                    area.remove_all(SubpacketTag::IntendedRecipient);
                    Ok(area)
                });
                builder.unwrap().set_intended_recipients(whom(stage)).unwrap()
            })
        }));
    }
    kinds.push(kind(
        "meant for the server, where nothing signs it".into(),
        &["IntendedRecipient"],
        |stage| {
            let recipient = stage.host.server.fingerprint();
            binary(stage, |builder| {
                builder
                    .modify_hashed_area(|mut area| {
                        area.remove_all(SubpacketTag::IntendedRecipient);
                        Ok(area)
                    })
                    .unwrap()
                    .modify_unhashed_area(|mut area| {
                        area.add(Subpacket::new(SubpacketValue::IntendedRecipient(recipient), false)?)?;
                        Ok(area)
                    })
                    .unwrap()
            })
        },
    ));
    kinds
}

fn times() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for skew in
        [-86_400 * 400, -86_400, -3600, -1000, -300, -121, 200, 300, 1000, 3600, 86_000, 90_000, 86_400 * 400]
    {
        kinds.push(kind(
            format!("signed {skew} s from now"),
            &["Skew", "Signature", "KeyNotAlive"],
            move |stage| {
                let then = stage.now().plus(skew).to_system_time();
                binary(stage, |builder| builder.set_signature_creation_time(then).unwrap())
            },
        ));
        kinds.push(kind(format!("dated {skew} s from now"), &["Skew"], move |stage| {
            let mut message = stage.message();
            message.time = stage.now().plus(skew);
            stage.carrying(&message.to_bytes().unwrap())
        }));
    }
    for seconds in [1, 60, 3600] {
        kinds.push(kind(
            format!("a signature that ends {seconds} s after it was made"),
            &["Signature"],
            move |stage| {
                binary(stage, |builder| {
                    builder.set_signature_validity_period(Duration::from_secs(seconds)).unwrap()
                })
            },
        ));
    }
    kinds
}

/// Whatever is critical and not known, or says something else of who signed.
fn subpackets() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for number in (0..128_u8)
        .filter(|number| matches!(number, 1 | 8 | 13..=15 | 17..=19 | 36 | 38 | 41..=60 | 100..=127))
    {
        kinds.push(kind(
            format!("subpacket {number}, critical and unknown"),
            &["Signature", "Structure"],
            move |stage| {
                binary(stage, |builder| {
                    let add = |mut area: openpgp::packet::signature::subpacket::SubpacketArea| {
                        let value =
                            SubpacketValue::Unknown { tag: SubpacketTag::from(number), body: vec![1] };
                        area.add(Subpacket::new(value, true)?)?;
                        Ok(area)
                    };
                    builder.modify_hashed_area(add).unwrap()
                })
            },
        ));
    }
    for name in ["x@example.org", "countersign@example.org", "preferred-email-encoding@pgp.com"] {
        kinds.push(kind(format!("the notation {name}, critical"), &["Signature"], move |stage| {
            binary(stage, |builder| {
                builder
                    .add_notation(name, b"1", NotationDataFlags::empty().set_human_readable(), true)
                    .unwrap()
            })
        }));
    }
    kinds.push(kind("a signature that names no key".into(), &["Signature"], |stage| {
        let literal = stage.literal();
        let openpgp::Packet::Signature(mut signature) = stage.signature(
            stage.host.session_signer(),
            SignatureType::Binary,
            HashAlgorithm::SHA512,
            &literal,
            |builder| builder,
        ) else {
            panic!("not a signature")
        };
        let announced = one_pass(&signature.clone().into(), true);
        signature.unhashed_area_mut().clear();
        let wrong = stage.other.fingerprint();
        let value = SubpacketValue::IssuerFingerprint(wrong);
        let _added = signature.unhashed_area_mut().add(Subpacket::new(value, false).unwrap());
        // What was signed is another literal, or else the hashed name of the key would do.
        let other = literal_packet(b'b', b"", 0, b"{}");
        stage.encrypted(&[announced, other, framed(signature.into())].concat())
    }));
    kinds
}

/// Good signatures by the wrong keys.
fn signers() -> Vec<Kind> {
    type Who = fn(&Stage) -> Vec<BoxedSigner>;
    let all: [(&str, &[&str], Who); 14] = [
        ("a stranger", &["Signature"], |stage| vec![Stage::primary(&stage.stranger.cert)]),
        ("another server", &["Signature"], |stage| vec![Stage::primary(&stage.other)]),
        ("a person with an account", &["Signature"], |stage| vec![Stage::primary(&stage.ana.cert)]),
        ("the host's primary key", &["NotPermitted"], |stage| vec![Stage::primary(&stage.host.cert)]),
        ("the application", &["NotPermitted"], |stage| vec![Stage::primary(&stage.application)]),
        ("the session key twice", &["Signature"], |stage| {
            vec![stage.host.session_signer(), stage.host.session_signer()]
        }),
        ("the session key three times", &["Signature", "Structure"], |stage| {
            (0..3).map(|_| stage.host.session_signer()).collect()
        }),
        ("the session key a hundred times", &["Signature", "Structure"], |stage| {
            (0..100).map(|_| stage.host.session_signer()).collect()
        }),
        ("session and primary key", &["UnknownSender", "NotTheAnnouncedKey"], |stage| {
            vec![stage.host.session_signer(), Stage::primary(&stage.host.cert)]
        }),
        ("the host and the application", &["NotPermitted", "NotTheAnnouncedKey", "UnknownSender"], |stage| {
            vec![stage.host.session_signer(), Stage::primary(&stage.application)]
        }),
        ("the host and a stranger", &["Signature"], |stage| {
            vec![stage.host.session_signer(), Stage::primary(&stage.stranger.cert)]
        }),
        ("a stranger and the host", &["Signature"], |stage| {
            vec![Stage::primary(&stage.stranger.cert), stage.host.session_signer()]
        }),
        ("the host and a person with an account", &["Signature"], |stage| {
            vec![stage.host.session_signer(), Stage::primary(&stage.ana.cert)]
        }),
        ("two strangers", &["Signature"], |stage| {
            vec![Stage::primary(&stage.stranger.cert), Stage::primary(&stage.other)]
        }),
    ];
    let mut kinds = Vec::new();
    for (who, classes, signers) in all {
        kinds.push(kind(format!("signed by {who}"), classes, move |stage| {
            stage.by_all(signers(stage), &stage.literal())
        }));
    }
    for (life, what) in
        [(Some(3600), "for an hour"), (None, "for ever"), (Some(8 * 3600), "for a working day")]
    {
        kinds.push(kind(
            format!("signed by a key {what} that was appended to the host's certificate"),
            &["Signature"],
            move |stage| {
                let (appended, key) = keys::with_session_key(&stage.host.cert, stage.now(), life);
                stage.by(keys::signer(&appended, &key), &stage.literal())
            },
        ));
    }
    kinds.push(kind("signed by a key of the stranger, in the host's name".into(), &["Signature"], |stage| {
        // The stranger's certificate has the host's name on it.
        let name: Cert = certificate::generate_software("host", stage.now(), None).unwrap();
        stage.by(Stage::primary(&name), &stage.literal())
    }));
    kinds
}
