//! A folder of envelopes that must go on being read, and refused, as on the day they were made.
//!
//! `tests/messages/envelope/good/NAME.pgp` opens, and holds what `NAME.json` says. `bad/REASON.NAME.pgp` is
//! refused for that reason. Drop a file in and it is tested. The keys beside them guard nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_protocol::certificate;
use countersign_protocol::envelope::OpenError;
use countersign_protocol::message::Message;
use sequoia_openpgp::types::SymmetricAlgorithm;

use crate::parties::{Handmade, NOW, Party, check_in, sealed};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages/envelope")
}

pub(crate) fn party(name: &str) -> Party {
    let bytes = std::fs::read(folder().join("keys").join(format!("{name}.pgp"))).unwrap();
    Party { cert: certificate::parse_secret(&bytes).unwrap() }
}

fn envelopes(kind: &str) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder().join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pgp"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()))
        .collect()
}

fn reason(error: &OpenError) -> &'static str {
    match error {
        OpenError::Oversize(_) => "oversize",
        OpenError::Structure(_) => "structure",
        OpenError::NotDecrypted(_) => "not-decrypted",
        OpenError::Suite(_) => "suite",
        OpenError::Signature(_) => "signature",
        OpenError::KeyNotAlive(_) => "key-not-alive",
        OpenError::IntendedRecipient(_) => "intended-recipient",
        OpenError::Audience(_) => "audience",
        OpenError::Malformed(_) => "malformed",
        OpenError::Skew(_) => "skew",
        OpenError::Replay => "replay",
        OpenError::IdReused => "id-reused",
        OpenError::NotOurAnswer(_) => "not-our-answer",
    }
}

#[test]
fn golden_good_envelopes_open_and_say_what_they_said() {
    let (host, server) = (party("host"), party("server"));
    let good = envelopes("good");
    assert!(!good.is_empty());
    for (name, bytes) in good {
        let opened = server.open(&bytes, &[&host]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = std::fs::read(folder().join("good").join(format!("{name}.json"))).unwrap();
        assert_eq!(*opened.message(), Message::from_bytes(&expected).unwrap(), "{name}");
    }
}

#[test]
fn golden_bad_envelopes_are_refused_for_the_reason_in_their_name() {
    let (host, server) = (party("host"), party("server"));
    let bad = envelopes("bad");
    assert!(bad.len() >= 10);
    for (name, bytes) in bad {
        let error = server.open(&bytes, &[&host]).map(|_| ()).unwrap_err();
        assert_eq!(Some(reason(&error)), name.split('.').next(), "{name}: {error}");
    }
}

#[test]
#[ignore = "writes the folder anew; run it when the format changes, and say so in the change log"]
fn write_the_golden_folder() {
    let (host, server, other) = (Party::new("host"), Party::new("server"), Party::new("other"));
    let write = |path: &str, bytes: &[u8]| {
        let path = folder().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    for (name, party) in [("host", &host), ("server", &server), ("other", &other)] {
        write(&format!("keys/{name}.pgp"), &certificate::to_secret_bytes(&party.cert).unwrap());
    }
    let sent = sealed(&host, &server);
    write("good/check-in.pgp", sent.bytes());
    write("good/check-in.json", sent.literal());

    let message = check_in(&server);
    let literal = message.to_bytes().unwrap();
    let make = |change: &dyn Fn(&mut Handmade<'_>)| {
        let mut envelope = Handmade::new(&host, &server);
        change(&mut envelope);
        envelope.bytes(&literal)
    };
    write("good/handmade.pgp", &make(&|_| ()));
    write("good/handmade.json", &literal);
    write("bad/intended-recipient.none.pgp", &make(&|envelope| envelope.intended.clear()));
    write("bad/suite.aes128.pgp", &make(&|envelope| envelope.cipher = SymmetricAlgorithm::AES128));
    write("bad/not-decrypted.compressed.pgp", &make(&|envelope| envelope.compress = true));
    write("bad/structure.unsigned.pgp", &make(&|envelope| envelope.signers.clear()));
    write("bad/signature.stranger.pgp", &make(&|envelope| envelope.signers = vec![other.signer()]));
    write("bad/signature.twice.pgp", &make(&|envelope| envelope.signers.push(host.signer())));
    write("bad/skew.old.pgp", &make(&|envelope| envelope.signed_at = NOW.plus(-500)));
    write("bad/skew.future.pgp", &make(&|envelope| envelope.signed_at = NOW.plus(500)));

    let mut several = Handmade::new(&host, &server);
    several.intended.push(&other.cert);
    write("bad/intended-recipient.several.pgp", &several.bytes(&literal));
    let mut elsewhere = Handmade::new(&host, &server);
    elsewhere.to = vec![&other.cert];
    write("bad/not-decrypted.for-another.pgp", &elsewhere.bytes(&literal));
    let audience = check_in(&other).to_bytes().unwrap();
    write("bad/audience.another.pgp", &Handmade::new(&host, &server).bytes(&audience));
    write("bad/malformed.not-json.pgp", &Handmade::new(&host, &server).bytes(b"hello"));
    let mut trailing = literal.clone();
    trailing.extend_from_slice(b" {}");
    write("bad/malformed.trailing.pgp", &Handmade::new(&host, &server).bytes(&trailing));
    let unknown = String::from_utf8(literal.clone()).unwrap().replacen("{", "{\"extra\":1,", 1);
    write("bad/malformed.unknown-field.pgp", &Handmade::new(&host, &server).bytes(unknown.as_bytes()));
    let version = String::from_utf8(literal).unwrap().replacen("\"v\":1", "\"v\":2", 1);
    write("bad/malformed.version.pgp", &Handmade::new(&host, &server).bytes(version.as_bytes()));
    write("bad/not-decrypted.truncated.pgp", &sent.bytes()[..sent.bytes().len() / 2]);
    write("bad/structure.empty.pgp", b"");
}
