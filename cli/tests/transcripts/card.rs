//! Looking after a card: what is asked of the agent, and what is shown.

use std::fs;
use std::path::Path;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::ipc::{
    CardChange, CardChanged, CardChecked, CardDetails, CardFinding, CardKey, CardMade, CardSlot, CardTries,
    Prompt, PromptKind, Registered, Reply, TouchPolicy,
};
use countersign_tests::WebServer;
use sequoia_openpgp::serialize::SerializeInto as _;
use serde_json::{Value, json};

use crate::program::{Ended, countersign, countersign_at};
use crate::scripted_agent::{ScriptedAgent, hear, say};

const CARD: &str = "0006:12345678";

fn changed() -> Reply {
    Reply::CardChanged(CardChanged {
        card: CARD.parse().unwrap(),
        change: CardChange::Pin,
        message: "The PIN of YubiKey …5678 (0006:12345678) is changed.".to_owned(),
    })
}

fn ana() -> (Fingerprint, Cert) {
    let then = Timestamp::from_seconds(1_750_000_000);
    let cert = certificate::generate_software("ana", then, None).unwrap().strip_secret_key_material();
    (certificate::fingerprint(&cert).unwrap(), cert)
}

fn details(signing: &Fingerprint, url: Option<&str>) -> CardDetails {
    let key = |slot, fingerprint: Option<&Fingerprint>, touch| CardKey {
        slot,
        fingerprint: fingerprint.cloned(),
        algorithm: "Ed25519".to_owned(),
        created: fingerprint.map(|_| Timestamp::from_seconds(1_790_000_000)),
        made_on_card: fingerprint.map(|_| true),
        touch,
    };
    CardDetails {
        reader: "Reader 00 00".to_owned(),
        card: CARD.parse().unwrap(),
        name: "YubiKey …5678".to_owned(),
        maker: "Yubico AB".to_owned(),
        specification: "3.4".to_owned(),
        firmware: Some("5.4.3".to_owned()),
        role: "user".to_owned(),
        accounts: vec!["ana".parse().unwrap()],
        keys: vec![
            key(CardSlot::Signature, Some(signing), Some(TouchPolicy::On)),
            key(CardSlot::Decryption, None, None),
        ],
        tries: CardTries { user: 3, reset_code: 0, admin: 2 },
        pin_for_each_signature: true,
        hashed_pins: true,
        cardholder: Some("Ana Muster".to_owned()),
        url: url.map(str::to_owned),
        signatures: Some(7),
        warnings: vec!["RSA-4096 is slow.".to_owned()],
    }
}

/// Runs `countersign card …` against an agent that answers with `reply`: what was asked, and how it ended.
fn asked(words: &[&str], reply: Reply) -> (Value, Ended) {
    let agent = ScriptedAgent::new(move |stream| {
        let request = hear(stream).1;
        say(stream, &reply);
        request
    });
    let ended = countersign_at(&agent.socket(), words, "");
    (serde_json::from_str(&agent.end()).unwrap(), ended)
}

#[test]
fn each_command_asks_for_what_it_says() {
    for (words, request) in [
        (&["change-pin"][..], json!({"request": "card-change-pin", "pin": "user"})),
        (&["change-pin", "--admin"], json!({"request": "card-change-pin", "pin": "admin"})),
        (&["change-pin", "--reset-code"], json!({"request": "card-change-pin", "pin": "reset-code"})),
        (&["change-pin", "--no-reset-code"], json!({"request": "card-change-pin", "pin": "no-reset-code"})),
        (&["unblock", "--card", CARD], json!({"request": "card-unblock", "card": CARD})),
        (&["unblock", "--reset-code"], json!({"request": "card-unblock", "with": "reset-code"})),
        (&["unblock", "--admin-pin"], json!({"request": "card-unblock", "with": "admin-pin"})),
        (&["set-touch", "on"], json!({"request": "card-set-touch", "keys": ["signature"], "policy": "on"})),
        (
            &["set-touch", "cached-fixed", "--key", "decryption", "--key", "attestation"],
            json!({"request": "card-set-touch", "keys": ["decryption", "attestation"], "policy": "cached-fixed"}),
        ),
        (&["factory-reset"], json!({"request": "card-factory-reset"})),
    ] {
        let (heard, ended) = asked(&[&["card"], words].concat(), changed());
        assert_eq!(heard, request, "{words:?}");
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
        assert_eq!(ended.out, "The PIN of YubiKey …5678 (0006:12345678) is changed.\n");
    }
}

#[test]
fn one_right_or_one_pin_is_named_at_a_time() {
    countersign(&["card", "change-pin", "--admin", "--reset-code"]).refused(2, &["cannot be used with"]);
    countersign(&["card", "unblock", "--admin-pin", "--reset-code"]).refused(2, &["cannot be used with"]);
    countersign(&["card", "set-touch", "sometimes"]).refused(2, &["cached-fixed"]);
    countersign(&["card", "set-touch"]).refused(2, &["<POLICY>"]);
    countersign(&["card", "adopt"]).refused(2, &["FILE"]);
    countersign(&["card", "adopt", "ana.asc", "--url"]).refused(2, &["cannot be used with"]);
    countersign(&["register", "ana", "--adopt", "a", "--adopt-url"]).refused(2, &["cannot be used with"]);
}

#[test]
fn a_card_is_shown_to_people_and_to_programs() {
    let (signing, _) = ana();
    let reply = Reply::CardDetails(details(&signing, Some("https://example.org/ana.asc")));
    let (heard, ended) = asked(&["card", "show", "--card", CARD], reply.clone());
    assert_eq!(heard, json!({"request": "card-show", "card": CARD}));
    for line in [
        "YubiKey …5678\n",
        "  number      0006:12345678\n",
        "  maker       Yubico AB, OpenPGP card 3.4, firmware 5.4.3\n",
        "  holder      Ana Muster\n",
        "  certificate https://example.org/ana.asc\n",
        "  opens here  ana\n",
        &format!("  signature      {}\n", signing.spaced()),
        "Ed25519, of 2026-09-21T14:13:20Z, made on the card, touch on\n",
        "  decryption     none\n",
        "  signatures made so far: 7\n",
        "  tries left  PIN 3, admin PIN 2; no resetting code\n",
        "  asked       for each signature\n",
        "  sent as     hashes (KDF)\n",
        "Warnings\n  RSA-4096 is slow.\n",
    ] {
        assert!(ended.out.contains(line), "{line:?} is missing:\n{}", ended.out);
    }
    let (_, ended) = asked(&["card", "show", "--json"], reply);
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&value["keys"][0]["touch"], &value["tries"]["admin"]), (&"on".into(), &2.into()), "{value}");
}

fn made(cert: &Cert) -> Reply {
    Reply::CardMade(CardMade {
        card: CARD.parse().unwrap(),
        fingerprint: certificate::fingerprint(cert).unwrap(),
        key_words: "abandon-ability-able".to_owned(),
        certificate: Binary(certificate::to_bytes(cert).unwrap()),
    })
}

#[test]
fn the_certificate_of_new_keys_is_saved_or_shown_and_the_next_step_told() {
    let (fingerprint, cert) = ana();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ana.asc");
    let path_text = path.to_str().unwrap();
    let words = [
        "card",
        "init",
        "--name",
        "Ana Muster",
        "--touch",
        "on",
        "--certificate-out",
        path_text,
        "--algorithm",
    ];
    let (heard, ended) = asked(&[&words[..], &["nist-p256"]].concat(), made(&cert));
    let request = json!({
        "request": "card-init", "algorithm": "nist-p256", "user_id": "Ana Muster", "cardholder": "Ana Muster",
        "touch": "on",
    });
    assert_eq!(heard, request);
    assert!(ended.out.contains("countersign register ACCOUNT") && ended.out.contains(path_text), "{ended:?}");
    let saved = certificate::parse(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(certificate::fingerprint(&saved).unwrap(), fingerprint);

    let (heard, ended) = asked(&["card", "generate", "--user-id", "ana"], made(&cert));
    assert_eq!(heard, json!({"request": "card-generate", "algorithm": "curve25519", "user_id": "ana"}));
    assert!(ended.out.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{}", ended.out);
}

#[test]
fn a_certificate_never_replaces_a_file_and_no_key_is_made_for_it() {
    let agent = ScriptedAgent::new(|_stream| ());
    let path = agent.folder().join("ana.asc");
    fs::write(&path, "precious").unwrap();
    let words = ["card", "generate", "--certificate-out", path.to_str().unwrap()];
    countersign_at(&agent.socket(), &words, "").refused(1, &["never replaced"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_certificate_that_does_not_fit_ends_with_4_and_says_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let (fingerprint, cert) = ana();
    let path = folder.path().join("ana.asc");
    fs::write(&path, cert.armored().to_vec().unwrap()).unwrap();
    let checked = |accepted: bool| {
        let refusal = CardFinding {
            refuses: !accepted,
            text: "It ended on 2026-01-01.".to_owned(),
            fix: Some("Renew it.".to_owned()),
        };
        Reply::CardChecked(CardChecked {
            card: CARD.parse().unwrap(),
            certificate: fingerprint.clone(),
            accepted,
            findings: vec![refusal],
        })
    };
    let words = ["card", "adopt", path.to_str().unwrap()];
    let (heard, ended) = asked(&words, checked(false));
    assert_eq!(heard["request"], "card-check");
    assert_eq!((ended.code, ended.err.as_str()), (Some(4), ""), "{ended:?}");
    for words in ["does not fit", "no:   It ended on 2026-01-01.", "Renew it."] {
        assert!(ended.out.contains(words), "{words:?} is missing: {}", ended.out);
    }
    let (_, ended) = asked(&[&["--json"], &words[..]].concat(), checked(false));
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, &value["findings"][0]["fix"]), (Some(4), &"Renew it.".into()));
    let (_, ended) = asked(&words, checked(true));
    assert!(ended.code == Some(0) && ended.out.contains("note: It ended"), "{ended:?}");
}

/// An agent whose card names `url`, and what the program says, having been given `input`; with what was asked last.
fn adopting(signing: &Fingerprint, url: &str, authority: &Path, input: &str) -> (Ended, Vec<String>) {
    let shown = Reply::CardDetails(details(signing, Some(url)));
    let signing = signing.clone();
    let agent = ScriptedAgent::taking(2, move |call, stream| {
        // The program may end after the first call; then the test calls.
        let Ok(frame) = countersign_protocol::ipc::read_frame(stream) else { return String::new() };
        let registered = Reply::Registered(Registered {
            account: "ana".parse().unwrap(),
            card: CARD.parse().unwrap(),
            certificate: signing.clone(),
            key_words: "abandon-ability-able".to_owned(),
            ledger_index: 7,
            emergency_code: None,
            recovery_code: None,
            recovery: None,
        });
        say(stream, if call == 0 { &shown } else { &registered });
        String::from_utf8(frame.body.to_vec()).unwrap()
    });
    let words =
        ["register", "ana", "--adopt-url", "--ca-file", authority.to_str().unwrap(), "--answers-from-stdin"];
    let ended = countersign_at(&agent.socket(), &words, input);
    drop(std::os::unix::net::UnixStream::connect(agent.socket()));
    (ended, agent.end())
}

#[test]
fn the_certificate_is_fetched_from_the_address_on_the_card_when_the_person_agrees() {
    let web = WebServer::start().unwrap();
    let (signing, cert) = ana();
    let url = web.serve("ana.asc", &cert.armored().to_vec().unwrap()).unwrap();
    let (ended, heard) = adopting(&signing, &url, &web.authority(), "yes\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains(&format!("its certificate is at {url}. Fetch it?")), "{ended:?}");
    let request: Value = serde_json::from_str(&heard[1]).unwrap();
    let sent: Binary = serde_json::from_value(request["key"]["adopt"]["certificate"].clone()).unwrap();
    assert_eq!((sent.0, &request["card"]), (certificate::to_bytes(&cert).unwrap(), &CARD.into()));
    // One redirect is followed.
    let moved = web.redirect("moved", &url).unwrap();
    let (ended, _) = adopting(&signing, &moved, &web.authority(), "yes\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn nothing_is_fetched_without_a_yes_or_but_by_https() {
    let web = WebServer::start().unwrap();
    let (signing, _) = ana();
    // Nobody is there to be called: the refusal comes first.
    let url = web.url("nothing");
    let (ended, _) = adopting(&signing, &url, &web.authority(), "no\n");
    ended.refused(130, &["nothing was fetched"]);
    for url in ["http://example.org/ana.asc", "ldap://keys.example.org", "https://ana@example.org/"] {
        let (ended, heard) = adopting(&signing, url, &web.authority(), "yes\n");
        ended.refused(1, &["only https addresses", "--adopt FILE"]);
        assert!(!ended.err.contains("Fetch it?") && heard[1].is_empty(), "{ended:?}");
    }
}

#[test]
fn what_the_web_sends_instead_of_the_certificate_is_never_registered() {
    let web = WebServer::start().unwrap();
    let (signing, cert) = ana();
    let (_, other) = ana();
    let armoured = |cert: &Cert| cert.armored().to_vec().unwrap();
    let good = web.serve("good", &armoured(&cert)).unwrap();
    let mut loops = web.redirect("r4", &good).unwrap();
    for name in ["r3", "r2", "r1"] {
        loops = web.redirect(name, &loops).unwrap();
    }
    for (url, code, told) in [
        (web.serve("other", &armoured(&other)).unwrap(), 4, "does not hold the key"),
        (web.serve("large", &vec![b'x'; 70_000]).unwrap(), 1, "over 65536 bytes"),
        (web.serve("garbage", b"<html>sign in</html>").unwrap(), 1, "is not a certificate"),
        (web.redirect("down", "http://localhost/ana.asc").unwrap(), 1, "cannot be fetched"),
        (loops, 1, "cannot be fetched"),
        (web.answer("gone", b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap(), 1, "404"),
    ] {
        let (ended, heard) = adopting(&signing, &url, &web.authority(), "yes\n");
        ended.refused(code, &[told]);
        assert!(heard[1].is_empty(), "{url}: something was registered");
    }
    // A server whose name nobody vouches for.
    let folder = tempfile::tempdir().unwrap();
    let stranger = WebServer::start().unwrap();
    fs::copy(stranger.authority(), folder.path().join("ca.pem")).unwrap();
    let (ended, _) = adopting(&signing, &good, &folder.path().join("ca.pem"), "yes\n");
    ended.refused(1, &["cannot be fetched"]);
}

#[test]
fn a_card_that_names_no_address_says_so() {
    let (signing, _) = ana();
    let reply = Reply::CardDetails(details(&signing, None));
    let (_, ended) = asked(&["card", "adopt", "--url"], reply);
    ended.refused(4, &["names no address", "--adopt FILE"]);
}

#[test]
fn a_question_of_the_agent_is_asked_and_a_no_is_a_no() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        let text = "Type the card's number, 0006:12345678, to erase it now: ".to_owned();
        say(stream, &Reply::Prompt(Prompt { kind: PromptKind::Shown, text }));
        hear(stream).1
    });
    countersign_at(&agent.socket(), &["card", "factory-reset", "--answers-from-stdin"], "no\n");
    assert_eq!(agent.end(), r#"{"answer":"text","text":"no"}"#);
}
