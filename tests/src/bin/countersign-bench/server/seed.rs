//! Rows straight into the store, by the server's own statements: enrolling a hundred thousand people by messages would take
//! hours, and what they leave in the tables is the same. A tool of the bench, not shipped: nobody signed for these rows. The ledger
//! says how each of them stands, as it does of those that came by messages.

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{ApplicationName, CollectionName, CorrelationId, Role};
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::life::Life;
use countersign_protocol::message::result::Access;
use countersign_protocol::message::{InstanceState, KeyStore};
use countersign_protocol::random::SystemRandom;
use countersign_server_core::accounts::{Account, AccountKey};
use countersign_server_core::collections::Collection;
use countersign_server_core::instances::Instance;
use countersign_server_core::keys::{Owner, claim_all};
use countersign_server_core::ledger::{Ledger, StorageFailure};
use countersign_server_core::standing::{Subject, Watched};
use countersign_server_core::store::{Store, Transaction};
use countersign_tests::Trouble;

use super::failed;
use super::keys::{Host, Person};

/// Rows of one transaction.
const BATCH: usize = 1000;

/// Active accounts, each with one login name: its own.
pub(super) fn people(
    store: &dyn Store,
    ledger: &Ledger,
    people: &[(Person, Cert)],
    now: Timestamp,
) -> Result<(), Trouble> {
    for some in people.chunks(BATCH) {
        let mut tx = store.begin().map_err(failed)?;
        for (person, cert) in some {
            let name = &person.account;
            let mut watched = Watched::of(&*tx, [Subject::account(name)]).map_err(failed)?;
            let login = name.as_str().parse().map_err(failed)?;
            let account = Account::pending(name.clone(), vec![login], vec![Role::User]);
            let primary = certificate::fingerprint(cert).map_err(failed)?;
            let key = AccountKey::pin(cert, primary, None, None, now).map_err(failed)?;
            claim_all(&*tx, cert, &Owner::Account(name.clone()), now).map_err(failed)?;
            let added = tx.add_account(&account, now).map_err(failed)?;
            if !(added && tx.bind_account(name, &key).map_err(failed)?) {
                return Err(failed(format!("{name} is there already")));
            }
            note(&mut *tx, ledger, &mut watched, now)?;
        }
        commit(tx, ledger)?;
    }
    Ok(())
}

/// Active hosts.
pub(super) fn hosts(
    store: &dyn Store,
    ledger: &Ledger,
    hosts: &[Host],
    application: &ApplicationName,
    now: Timestamp,
) -> Result<(), Trouble> {
    let mut tx = store.begin().map_err(failed)?;
    for host in hosts {
        let mut watched = Watched::of(&*tx, [Subject::instance(&host.fingerprint)]).map_err(failed)?;
        let instance = Instance {
            fingerprint: host.fingerprint.clone(),
            application: application.clone(),
            certificate: certificate::to_bytes(&host.cert).map_err(failed)?,
            signing_key: Some(host.session_key.clone()),
            second_key: None,
            second_certificate: None,
            key_words: "bench".to_owned(),
            claimed_hostname: "bench".to_owned(),
            key_place: KeyStore::Sealed,
            state: InstanceState::Active,
            counter: 0,
            counted: None,
            forked: None,
            since: now,
            enrolled: now,
            seen: None,
            successor: None,
            version: None,
        };
        claim_all(&*tx, &host.cert, &Owner::Instance(host.fingerprint.clone()), now).map_err(failed)?;
        if !tx.add_instance(&instance, now).map_err(failed)? {
            return Err(failed("a host is there already"));
        }
        note(&mut *tx, ledger, &mut watched, now)?;
    }
    commit(tx, ledger)
}

/// A collection in which each of these people may do everything. The first one has it.
pub(super) fn collection(
    store: &dyn Store,
    ledger: &Ledger,
    name: &CollectionName,
    people: &[Person],
    now: Timestamp,
) -> Result<(), Trouble> {
    let owner = people.first().ok_or_else(|| failed("nobody to have a collection"))?.account.clone();
    let schema = r#"{"type":"object","required":["ward"],"properties":{"ward":{"type":"string"},
        "beds":{"type":"integer","minimum":0}},"additionalProperties":false}"#;
    let mut tx = store.begin().map_err(failed)?;
    let mut watched = Watched::of(&*tx, [Subject::documents(name)]).map_err(failed)?;
    let (name, schema) = (name.clone(), Some(schema.to_owned()));
    let collection = Collection { name, owner, schema, state: Life::Active, created: now };
    if !tx.add_collection(&collection).map_err(failed)? {
        return Err(failed("the collection is there already"));
    }
    for person in people {
        for access in [Access::Read, Access::Create, Access::Update, Access::Delete] {
            let granted = tx.grant(&collection.name, &person.account, access, &collection.owner, now);
            let _new = granted.map_err(failed)?;
        }
    }
    note(&mut *tx, ledger, &mut watched, now)?;
    commit(tx, ledger)
}

/// The entry that says how a row stands that was just written.
fn note(
    tx: &mut dyn Transaction,
    ledger: &Ledger,
    watched: &mut Watched,
    now: Timestamp,
) -> Result<(), Trouble> {
    let correlation = CorrelationId::new(&SystemRandom).map_err(failed)?;
    let mut entry = Entry::new(EntryKind::Bootstrap, now, correlation, Outcome::Noted, "written by a bench");
    watched.note(&*tx, &mut entry).map_err(failed)?;
    ledger.append(tx, &entry, None).map(drop).map_err(failed)
}

fn commit(mut tx: Box<dyn Transaction + '_>, ledger: &Ledger) -> Result<(), Trouble> {
    let sealed = ledger.seal(&mut *tx).map_err(failed)?;
    let done = sealed.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())));
    done.map(drop).map_err(failed)
}

/// Makes the ledger `size` entries long. They are like those of logins, without evidence.
pub(super) fn entries(store: &dyn Store, ledger: &Ledger, size: u64, now: Timestamp) -> Result<(), Trouble> {
    let mut done = store.view().map_err(failed)?.size().map_err(failed)?;
    while done < size {
        let mut tx = store.begin().map_err(failed)?;
        let upto = size.min(done + BATCH as u64);
        while done < upto {
            let correlation = CorrelationId::new(&SystemRandom).map_err(failed)?;
            let mut entry = Entry::new(
                EntryKind::Job,
                now,
                correlation,
                Outcome::Allowed,
                "This login is bound to your account.",
            );
            entry.account = Some(format!("p{:06}", done % 100_000).parse().map_err(failed)?);
            entry.operation = Some("open-session".parse().map_err(failed)?);
            let _beside = ledger.append(&mut *tx, &entry, None).map_err(failed)?;
            done += 1;
        }
        commit(tx, ledger)?;
    }
    Ok(())
}
