//! A person's keys: replaced by themselves, and ended by their own revocation certificate.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::ids::{Digest, Fingerprint, Role};
use countersign_protocol::ledger::{EntryKind, ExportWriter, Outcome, Trust, verify_export};
use countersign_protocol::message::result::{AccountCreated, AccountList, KeyRevoked, LedgerPage, RevokedBy};
use countersign_protocol::message::{Decision, JobRequest, Revocation, RevocationReply};
use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::cert::CertRevocationBuilder;
use openpgp::parse::Parse as _;
use openpgp::serialize::SerializeInto as _;
use openpgp::types::ReasonForRevocation;

use crate::client::host::{Host, Registered};
use crate::client::person::Person;
use crate::client::{keys, refusal};
use crate::fixture::{Server, denied, done};

fn key_of(person: &Person) -> Fingerprint {
    certificate::fingerprint(&person.cert).unwrap()
}

fn logs_in(host: &Host, who: &Person) -> bool {
    let statement = host.session(who, who.account.as_str());
    let sealed = host.seal(&host.message(&JobRequest { signed: who.sign(&statement), body: None }));
    host.send(&sealed).status == 200
}

fn code(host: &Host, who: &Person, operation: &str) -> String {
    let reply = host.job(who, operation, &format!("account/{}", who.account), None);
    done::<AccountCreated>(reply).code
}

fn registers(host: &Host, new: &Person, code: &str) {
    let Registered::Done(record) = host.register(new, code).unwrap() else { panic!("not registered") };
    assert!(record.emergency_code.is_none() && record.recovery_code.is_none(), "what is on paper stays");
}

/// So many statements in it were refused for their key; the ledger has what they claimed.
fn export_holds(host: &Host, admin: &Person, refused: u64) {
    let page: LedgerPage = done(host.job(admin, "read", "ledger/entries", Some(br#"{"from":0}"#)));
    let export = ExportWriter::begin(Vec::new(), &page).unwrap().finish().unwrap();
    assert_eq!(verify_export(export.as_slice(), &Trust::default()).unwrap().unattributed, refused);
}

fn account(host: &Host, admin: &Person, name: &str) -> countersign_protocol::message::result::AccountShown {
    done::<AccountList>(host.job(admin, "read", &format!("account/{name}"), None)).accounts.remove(0)
}

/// A revocation signature over `of` by the primary key of `by`.
pub(crate) fn revocation(by: &Person, of: &Person, why: ReasonForRevocation) -> Vec<u8> {
    let mut signer = keys::primary(&by.cert);
    let signature = CertRevocationBuilder::new()
        .set_reason_for_revocation(why, b"lost in the train to Linz")
        .unwrap()
        .build(&mut signer, &of.cert, None)
        .unwrap();
    Packet::from(signature).to_vec().unwrap()
}

pub(crate) fn revoke_by(host: &Host, certificate: Vec<u8>) -> RevocationReply {
    host.ask(&Revocation { certificate: Binary(certificate) }).body().unwrap()
}

#[test]
fn a_key_is_replaced_by_one_that_it_vouched_for() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let new = Person::new("ana", server.clock_now());
    registers(&host, &new, &code(&host, &ana, "rotate-key"));
    let entry = server.newest(EntryKind::Registration);
    assert_eq!(entry.detail["revoked-key"], key_of(&ana).to_string());
    assert!(logs_in(&host, &new) && !logs_in(&host, &ana));
    assert!(server.newest(EntryKind::Alarm).reason.contains("was revoked"));
    let shown = account(&host, &admin, "ana");
    assert_eq!((shown.key.unwrap().key, shown.second), (key_of(&new), None));
    assert_eq!(shown.revoked[0].key, key_of(&ana));
    // It never comes back, not even with a code.
    let again = code(&host, &new, "rotate-key");
    assert!(matches!(host.register(&ana, &again).unwrap(), Registered::Refused(_)));
    // Of two cards each replaces its own key, and a code for a second card replaces none.
    let spare = Person::new("ana", server.clock_now());
    registers(&host, &spare, &code(&host, &new, "add-key"));
    let newer = Person::new("ana", server.clock_now());
    registers(&host, &newer, &code(&host, &spare, "rotate-key"));
    assert!(logs_in(&host, &new) && logs_in(&host, &newer) && !logs_in(&host, &spare));
    export_holds(&host, &admin, 2);
}

#[test]
fn a_key_that_the_account_has_takes_no_other_place_and_is_revoked_all_the_same() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    for operation in ["rotate-key", "add-key"] {
        let again = host.register(&ana, &code(&host, &ana, operation)).unwrap();
        assert!(matches!(again, Registered::Refused(_)), "{operation}");
        let refused = server.newest(EntryKind::Refusal);
        assert!(refused.reason.contains("that the account ana has already"), "{}", refused.reason);
    }
    // Nor does the key of either of two cards take the other's place.
    let spare = Person::new("ana", server.clock_now());
    registers(&host, &spare, &code(&host, &ana, "add-key"));
    let again = host.register(&spare, &code(&host, &ana, "rotate-key")).unwrap();
    assert!(matches!(again, Registered::Refused(_)));
    for (who, left) in [(&ana, Some(key_of(&spare))), (&spare, None)] {
        let revoked: KeyRevoked = done(host.job(&admin, "revoke", &format!("key/{}", key_of(who)), None));
        assert_eq!((revoked.changed, revoked.left.map(|left| left.key)), (true, left));
        assert!(!logs_in(&host, who));
    }
}

#[test]
fn nobody_replaces_somebody_elses_key_and_a_code_ends_with_the_key_that_had_it_made() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    denied(&host.job(&admin, "rotate-key", "account/ana", None), "No policy");
    denied(&host.job(&ana, "rotate-key", "account/admin", None), "No policy");
    // The thief has a code made; the administrator is told of the theft, and is quicker than the thief's card.
    let stolen = code(&host, &ana, "rotate-key");
    let _: KeyRevoked = done(host.job(&admin, "revoke", &format!("key/{}", key_of(&ana)), None));
    let thiefs = Person::new("ana", server.clock_now());
    assert!(matches!(host.register(&thiefs, &stolen).unwrap(), Registered::WrongCode));
    // An administrator's code after that replaces nothing.
    let invited = server.invite(&host, &admin, "ana", &["ana"]).code;
    let new = Person::new("ana", server.clock_now());
    let Registered::Done(record) = host.register(&new, &invited).unwrap() else { panic!("not registered") };
    assert!(record.recovery_code.is_some());
    assert!(!server.newest(EntryKind::Registration).detail.contains_key("revoked-key"));
}

#[test]
fn revocation_certificate_ends_its_own_key_whoever_brings_it() {
    for (why, kind) in [
        (ReasonForRevocation::KeyCompromised, "hard: compromised"),
        (ReasonForRevocation::KeyRetired, "soft: retired"),
        (ReasonForRevocation::KeySuperseded, "soft: superseded"),
        (ReasonForRevocation::Unspecified, "hard: unspecified"),
    ] {
        let server = Server::new();
        let (host, admin, ana) = server.with_ana();
        let certificate = revocation(&ana, &ana, why);
        // No card is asked for: nobody but the key can have made it.
        let reply = revoke_by(&host, certificate.clone());
        assert_eq!((reply.account.as_ref(), reply.key.as_ref()), (Some(&ana.account), Some(&key_of(&ana))));
        let entry = server.newest(EntryKind::Revocation);
        assert_eq!((entry.decision, entry.detail["revocation"].as_str()), (Outcome::Allowed, kind));
        assert_eq!(entry.detail["revocation-certificate"], Digest::of(&certificate).to_string());
        assert!(!serde_json::to_string(&entry).unwrap().contains("Linz"), "what its owner wrote is theirs");
        assert!(server.everything_stored().windows(certificate.len()).any(|part| part == certificate));
        assert!(!logs_in(&host, &ana));
        assert!(host.entries(1, &["ana"])[0].accounts.is_empty());
        let shown = account(&host, &admin, "ana");
        assert_eq!((shown.state.as_str(), shown.revoked.len()), ("pending", 1));
        // A second time it ends nothing.
        assert_eq!(revoke_by(&host, certificate).account, None);
        export_holds(&host, &admin, 1);
    }
}

#[test]
fn an_administrator_brings_a_revocation_certificate_in_a_whole_certificate() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let signature = revocation(&ana, &ana, ReasonForRevocation::KeyCompromised);
    let packets = openpgp::PacketPile::from_bytes(&signature).unwrap().into_children();
    let revoked = ana.cert.clone().insert_packets(packets).unwrap().0.strip_secret_key_material();
    let body = RevokedBy { certificate: Binary(certificate::to_bytes(&revoked).unwrap()) };
    let body = serde_json::to_vec(&body).unwrap();
    denied(&host.job(&admin, "revoke", &format!("key/{}", key_of(&admin)), Some(&body)), "not of the one");
    denied(&host.job(&ana, "revoke", &format!("key/{}", key_of(&ana)), Some(&body)), "No policy");
    let ended: KeyRevoked = done(host.job(&admin, "revoke", &format!("key/{}", key_of(&ana)), Some(&body)));
    assert_eq!((ended.account.as_str(), ended.changed), ("ana", true));
    assert_eq!(server.newest(EntryKind::Job).detail["revocation"], "hard: compromised");
    assert!(!logs_in(&host, &ana));
}

#[test]
fn a_revocation_that_is_not_the_keys_own_ends_nothing() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let stranger = Person::new("ana", server.clock_now());
    let mut broken = revocation(&ana, &ana, ReasonForRevocation::KeyCompromised);
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let key_alone = certificate::to_bytes(&ana.cert.clone().strip_secret_key_material()).unwrap();
    for certificate in [
        revocation(&admin, &ana, ReasonForRevocation::KeyCompromised),
        revocation(&stranger, &stranger, ReasonForRevocation::KeyCompromised),
        broken,
        key_alone,
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----".to_vec(),
        Vec::new(),
        vec![0xff; 100_000],
    ] {
        let reply = revoke_by(&host, certificate);
        assert_eq!((reply.account, reply.key), (None, None), "{}", reply.reason);
        assert_eq!(server.newest(EntryKind::Revocation).decision, Outcome::Denied);
    }
    assert!(logs_in(&host, &ana));
    // The last administrator's own certificate ends nobody's administration.
    let reply = revoke_by(&host, revocation(&admin, &admin, ReasonForRevocation::KeyRetired));
    assert_eq!(reply.account, None);
    assert!(reply.reason.contains("last administrator"), "{}", reply.reason);
    assert_eq!(host.log_in(&admin, "root").decision, Decision::Allowed);
    let olga = server.person(&host, &admin, "olga", &[Role::Administrator]);
    assert!(revoke_by(&host, revocation(&admin, &admin, ReasonForRevocation::KeyRetired)).account.is_some());
    assert!(logs_in(&host, &olga));
    // A waiting host carries none.
    let waiting = server.newcomer().enrol(None);
    let body = Revocation { certificate: Binary(revocation(&ana, &ana, ReasonForRevocation::KeyRetired)) };
    let sealed = waiting.seal(&waiting.message(&body));
    refusal(&waiting.send(&sealed), &waiting.server, &sealed);
    assert!(logs_in(&host, &ana));
}
