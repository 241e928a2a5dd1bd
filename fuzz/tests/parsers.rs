//! What the fuzzers begin with is taken and refused as its name says: in `fuzz/seeds/TARGET`, a file `taken.NAME` or
//! `refused.NAME`; and so are the golden folders.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use countersign_fuzz::{TARGETS, target};
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{BoxedSigner, refuse, sign_roster, statement};
use countersign_protocol::ids::{CorrelationId, Digest, Nonce};
use countersign_protocol::message::Refusal;
use countersign_protocol::random::SystemRandom;
use countersign_protocol::roster::{Roster, RosterPurpose};
use countersign_protocol::statement::{Purpose, Statement};
use sequoia_openpgp as openpgp;

use openpgp::cert::CertBuilder;
use openpgp::serialize::stream::{LiteralWriter, Message as Stream, Signer};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn golden() -> PathBuf {
    here().join("../protocol/tests/messages")
}

/// The files of a folder, with their names.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    read.map(|file| file.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn seeds_of_every_parser_are_taken_and_refused_as_their_names_say() {
    for (name, play) in TARGETS {
        if name == "envelope" || name == "ipc" {
            // Theirs are the golden folders.
            continue;
        }
        let seeds = files(&here().join("seeds").join(name));
        assert!(seeds.iter().any(|(name, _)| name.starts_with("taken.")), "{name}: nothing is taken");
        assert!(seeds.iter().any(|(name, _)| name.starts_with("refused.")), "{name}: nothing is refused");
        for (seed, bytes) in seeds {
            let taken = seed.starts_with("taken.");
            assert!(taken || seed.starts_with("refused."), "{name}/{seed}");
            assert_eq!(play(&bytes), taken, "{name}/{seed}");
        }
    }
}

#[test]
fn golden_files_are_taken_and_refused_by_what_the_fuzzer_plays() {
    let envelope = target("envelope").unwrap();
    for (folder, taken) in [("envelope/good", true), ("envelope/bad", false)] {
        for (name, bytes) in files(&golden().join(folder)) {
            if name.ends_with(".pgp") {
                assert_eq!(envelope(&bytes), taken, "{folder}/{name}");
            }
        }
    }
    let ipc = target("ipc").unwrap();
    for (name, bytes) in files(&golden().join("ipc/good")) {
        assert!(ipc(&bytes), "ipc/good/{name}");
    }
    for (_, bytes) in files(&golden().join("ipc/bad")) {
        // Some are bad only where they come.
        let _either = ipc(&bytes);
    }
}

const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

fn party(name: &str) -> Cert {
    let key = std::fs::read(golden().join("envelope/keys").join(format!("{name}.pgp"))).unwrap();
    certificate::parse_secret(&key).unwrap()
}

fn signer(cert: &Cert) -> BoxedSigner {
    let key = certificate::fingerprint(cert).unwrap();
    Box::new(certificate::signer_of(cert, &key).unwrap())
}

fn write(path: &str, bytes: &[u8]) {
    let path = here().join("seeds").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A signature and what it is under, as one input.
fn together(signature: &[u8], signed: &[u8]) -> Vec<u8> {
    [&u16::try_from(signature.len()).unwrap().to_be_bytes()[..], signature, signed].concat()
}

/// What is inside an envelope of the host to the server.
fn inside(host: &Cert, server: &Cert, literal: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let stream = Signer::new(Stream::new(&mut bytes), signer(host))
        .unwrap()
        .creation_time(NOW.to_system_time())
        .add_intended_recipient(server)
        .build()
        .unwrap();
    let mut stream = LiteralWriter::new(stream).build().unwrap();
    stream.write_all(literal).unwrap();
    stream.finalize().unwrap();
    bytes
}

#[test]
#[ignore = "writes the seeds that the golden keys sign anew; `write_the_seeds_of_the_fuzzers` of the server writes the others"]
fn write_the_seeds() {
    let (host, server, other) = (party("host"), party("server"), party("other"));
    let name = |cert: &Cert| certificate::fingerprint(cert).unwrap();
    let said = std::fs::read(golden().join("envelope/good/check-in.json")).unwrap();
    let good = inside(&host, &server, &said);
    write("inside/taken.check-in", &good);
    write("inside/refused.by-another", &inside(&other, &server, &said));
    write("inside/refused.for-another", &inside(&host, &other, &said));
    write("inside/refused.twice", &good.repeat(2));
    write("inside/refused.cut", &good[..good.len() - 9]);

    let refusal = Refusal {
        correlation: CorrelationId::new(&SystemRandom).unwrap(),
        server_time: NOW,
        refused: Digest::of(b"x"),
    };
    write("refusal/taken.of-another", &refuse(&refusal, signer(&server), NOW).unwrap());
    write("refusal/taken.by-another", &refuse(&refusal, signer(&other), NOW).unwrap());
    write("refusal/refused.text", b"no");

    write("message/refused.twice", br#"{"v":1,"v":1}"#);
    write(
        "message/refused.body-twice",
        &String::from_utf8(said).unwrap().replace("\"counter\"", "\"counter\":1,\"counter\"").into_bytes(),
    );

    let statement = Statement {
        countersign: Purpose::Statement,
        dry_run: false,
        operation: "open-session".parse().unwrap(),
        resource: format!("session/{}", name(&host)).parse().unwrap(),
        account: "ana".parse().unwrap(),
        login: Some("ana".parse().unwrap()),
        service: Some("login".parse().unwrap()),
        claimed: None,
        place: None,
        instance: name(&host),
        server: name(&server),
        time: NOW,
        expires: NOW.plus(60),
        nonce: Nonce::new(&SystemRandom).unwrap(),
        body: None,
        approves: None,
        transcript: None,
    };
    let signed = statement::sign(&statement, signer(&host)).unwrap();
    write("statement.json", &signed.statement.0);
    write("statement/taken.login", &together(&signed.signature.0, &signed.statement.0));
    let others = statement::sign(&statement, signer(&other)).unwrap();
    write("statement/refused.by-another", &together(&others.signature.0, &others.statement.0));
    write("statement/refused.unsigned", &together(b"", &signed.statement.0));

    let roster = Roster {
        countersign: RosterPurpose::Roster,
        instance: name(&host),
        server: name(&server),
        issued: NOW,
        expires: NOW.plus(86_400),
        policy_epoch: 1,
        services: vec!["login".parse().unwrap()],
        offline_uses: 20,
        entries: Vec::new(),
    };
    let signed = sign_roster(&roster, signer(&server)).unwrap();
    write("roster.json", &signed.roster.0);
    write("roster/taken.empty", &together(&signed.signature.0, &signed.roster.0));
    write(
        "roster/refused.by-another",
        &together(&sign_roster(&roster, signer(&other)).unwrap().signature.0, &signed.roster.0),
    );
    let golden_roster = std::fs::read(golden().join("envelope/bodies/roster.json")).unwrap();
    write("roster/refused.with-people", &together(&signed.signature.0, &golden_roster));

    write("certificate/taken.host", &certificate::to_bytes(&host).unwrap());
    write("certificate/refused.secret", &certificate::to_secret_bytes(&host).unwrap());
    write(
        "certificate/refused.two",
        &[certificate::to_bytes(&host).unwrap(), certificate::to_bytes(&other).unwrap()].concat(),
    );
    let (many, revocation) = CertBuilder::new()
        .set_creation_time(NOW.plus(-1000).to_system_time())
        .add_userid("Ana Muster <ana@example.org>")
        .add_userid("Ana")
        .add_signing_subkey()
        .add_authentication_subkey()
        .add_transport_encryption_subkey()
        .generate()
        .unwrap();
    write("certificate/taken.person", &certificate::to_bytes(&many).unwrap());
    let revoked = many.insert_packets(revocation).unwrap().0;
    write("certificate/refused.revoked", &certificate::to_bytes(&revoked).unwrap());

    write("entry/refused.empty", br#"{"x":1}"#);
    write("receipt/refused.without-proof", br#"{"index":0,"entry":"","checkpoint":""}"#);
    write("bundle/refused.empty", b"{}");
    write("settings/taken.agent", b"share_cards = true\n");
    let listen = "127.0.0.1:8443".parse().unwrap();
    let template = countersign_server::config::template(
        listen,
        &"http://127.0.0.1:8443".parse().unwrap(),
        Path::new("/var/lib/countersign-server"),
        &countersign_server::config::Store::default(),
    );
    write("settings/taken.server", template.as_bytes());
    write("settings/taken.managed", b"user ana card\n");
    write("settings/refused.text", b"hello = [\n");
}
