use super::*;
use crate::offline::scene::{NOW, scene};

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::Cert;
use countersign_protocol::roster::{OfflineServices, Roster, RosterAccount};
use sequoia_openpgp as openpgp;

use openpgp::cert::CertBuilder;
use openpgp::types::ReasonForRevocation;

const LATER: Timestamp = NOW.plus(3600);

fn made() -> Cert {
    let builder = CertBuilder::new().add_userid("ana").set_creation_time(NOW.plus(-60).to_system_time());
    builder.add_signing_subkey().add_authentication_subkey().generate().unwrap().0
}

fn account(name: &str, cert: &Cert) -> RosterAccount {
    RosterAccount {
        account: name.parse().unwrap(),
        certificate: Binary(certificate::to_bytes(cert).unwrap()),
        keys: certificate::signing_keys(cert, NOW),
        authentication: certificate::authentication_keys(cert, NOW).pop(),
        offline: OfflineServices::These(vec![SSHD.parse().unwrap()]),
        unasked: OfflineServices::None,
        emergency: None,
    }
}

/// What is told of `ana`, whom these accounts may open.
fn told(
    accounts: Vec<RosterAccount>,
    word: Word,
    change: impl Fn(&mut Roster),
) -> (Vec<SshKey>, Vec<String>) {
    let roster = scene().verified(|roster| {
        roster.services.push(SSHD.parse().unwrap());
        roster.entries[0].accounts = accounts.clone();
        change(roster);
    });
    found(&roster, &"ana".parse().unwrap(), word, LATER)
}

#[test]
fn each_live_card_of_a_login_has_its_own_line() {
    let (one, other) = (made(), made());
    let (keys, why_not) = told(vec![account("ana", &one), account("ben", &other)], Word::Current, |_| {});
    let names: Vec<_> = keys.iter().map(|key| key.account.as_str()).collect();
    assert_eq!((names, why_not), (vec!["ana", "ben"], vec![]));
    assert!(keys[0].key != keys[1].key);
}

#[test]
fn nobody_in_the_roster_is_nobody_told() {
    let (keys, why_not) = told(vec![], Word::Current, |_| {});
    assert!(keys.is_empty() && why_not[0].contains("No account may open ana"), "{why_not:?}");
    let (keys, _) = told(vec![account("ana", &made())], Word::Current, |roster| roster.entries.clear());
    assert!(keys.is_empty());
}

#[test]
fn a_key_that_the_server_does_not_name_is_not_told_although_the_certificate_holds_it() {
    let without = RosterAccount { authentication: None, ..account("ana", &made()) };
    let (keys, why_not) = told(vec![without], Word::Current, |_| {});
    assert!(keys.is_empty() && why_not[0].contains("policy"), "{why_not:?}");
    let another = certificate::authentication_keys(&made(), NOW).pop();
    let wrong = RosterAccount { authentication: another, ..account("ana", &made()) };
    assert!(told(vec![wrong], Word::Current, |_| {}).0.is_empty());
    // A key that signs is none to log in with.
    let signs = account("ana", &made());
    let wrong = RosterAccount { authentication: signs.keys.first().cloned(), ..signs };
    assert!(told(vec![wrong], Word::Current, |_| {}).0.is_empty());
}

#[test]
fn a_silent_server_leaves_only_what_holds_without_it() {
    let ana = account("ana", &made());
    assert_eq!(told(vec![ana.clone()], Word::Old, |_| {}).0.len(), 1);
    let (keys, why_not) = told(vec![ana.clone()], Word::Old, |roster| roster.offline_uses = 0);
    assert!(keys.is_empty() && why_not[0].contains("does not answer"), "{why_not:?}");
    let sudo = OfflineServices::These(vec!["sudo".parse().unwrap()]);
    let only_sudo = RosterAccount { offline: sudo, ..ana };
    assert!(told(vec![only_sudo.clone()], Word::Old, |_| {}).0.is_empty());
    assert_eq!(told(vec![only_sudo], Word::Current, |_| {}).0.len(), 1);
}

#[test]
fn a_subkey_that_was_revoked_or_has_ended_is_not_told() {
    let cert = made();
    let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let [name] = certificate::authentication_keys(&cert, NOW).try_into().unwrap();
    let wanted = certificate::their_fingerprint(&name).unwrap();
    let subkey = cert.keys().subkeys().find(|key| key.key().fingerprint() == wanted).unwrap();
    let revocation = openpgp::cert::SubkeyRevocationBuilder::new()
        .set_reason_for_revocation(ReasonForRevocation::KeyRetired, b"")
        .unwrap()
        .set_signature_creation_time(NOW.to_system_time())
        .unwrap()
        .build(&mut signer, &cert, subkey.key(), None)
        .unwrap();
    let revoked = cert.clone().insert_packets(revocation).unwrap().0;
    let named = RosterAccount { authentication: Some(name), ..account("ana", &revoked) };
    let (keys, why_not) = told(vec![named], Word::Current, |_| {});
    assert!(keys.is_empty() && why_not[0].contains("not valid now"), "{why_not:?}");

    let life = std::time::Duration::from_secs(600);
    let builder = CertBuilder::new().add_userid("ana").set_creation_time(NOW.plus(-60).to_system_time());
    let builder = builder.add_subkey(openpgp::types::KeyFlags::empty().set_authentication(), life, None);
    let ended = account("ana", &builder.generate().unwrap().0);
    assert!(ended.authentication.is_some());
    assert!(told(vec![ended], Word::Current, |_| {}).0.is_empty());
}
