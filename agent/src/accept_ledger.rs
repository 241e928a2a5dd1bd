//! Root has this host take a ledger that does not continue the one it knew: the server was restored from a backup.
//!
//! Nothing else does. Until then every check-in is an alarm, for nobody can tell a restored server from one that forgets
//! on purpose – but whoever runs it.

use std::time::Instant;

use countersign_protocol::ids::Digest;
use countersign_protocol::ipc::{NoteKind, ProblemKind};
use countersign_protocol::ledger::Checkpoint;
use countersign_protocol::limits;
use countersign_protocol::message::{HostEvent, HostEventKind};
use serde::Serialize;

use crate::agent::Agent;
use crate::card_pins::is_yes;
use crate::keeper;
use crate::person::Person;
use crate::trouble::Trouble;
use crate::wire::LinkError;

/// What the journal keeps.
#[derive(Serialize)]
struct Journalled<'a> {
    event: &'static str,
    known_size: u64,
    known_root: Digest,
    size: u64,
    root: Digest,
    told: &'a str,
}

/// Shows what was known and what there is, asks, and takes it.
///
/// # Errors
/// [`Trouble`]; nothing was changed then.
pub fn accept(agent: &Agent, person: &mut Person) -> Result<(), Trouble> {
    let link = agent.link().ok_or(LinkError::NotEnrolled)?;
    let contact = agent.contacts.get();
    let known = contact.and_then(|contact| Some((contact.alarm.clone()?, contact.checkpoint.clone()?)));
    let Some((alarm, known)) = known else {
        return Err(Trouble::new(
            ProblemKind::Usage,
            "The server's ledger continues the one that this host knows, as far as it has seen: there is nothing to accept.",
        ));
    };
    let known = link.instance.ledger_key.checkpoint(&known)?;
    let soon = || Instant::now() + limits::SERVER_ANSWER * 6;
    let now = agent.keeper.in_turn(soon(), keeper::look_at_ledger)??;
    person.note(NoteKind::Info, &format!("This host knows the ledger with {}.", in_words(&known)));
    person
        .note(NoteKind::Info, &format!("The server shows one with {}. The alarm: {alarm}.", in_words(&now)));
    person.note(
        NoteKind::Info,
        "What was written between is lost, or was removed on purpose. Go on only if you know that the server was restored from a backup.",
    );
    if !is_yes(&person.ask_shown("Type yes to take this ledger from now on: ")?) {
        return Err(Trouble::new(ProblemKind::Cancelled, "The alarm stays."));
    }
    let told = format!(
        "As root of this host, somebody accepted a ledger with {} in place of the one with {} ({alarm}).",
        in_words(&now),
        in_words(&known)
    );
    agent.note(&Journalled {
        event: "ledger-accepted",
        known_size: known.size(),
        known_root: known.root(),
        size: now.size(),
        root: now.root(),
        told: &told,
    });
    agent.log.warn("ledger-accepted", &[("told", &told)]);
    let note = now.note().to_owned();
    agent.keeper.in_turn(soon(), move |agent| agent.contacts.accept_ledger(note))??;
    agent.report(&HostEvent {
        event: HostEventKind::LedgerAccepted,
        at: agent.wire.time.now(),
        correlation: agent.correlation()?,
        login: None,
        account: None,
        service: None,
        card: None,
        told,
    });
    agent.keeper.freshen(Instant::now() + limits::SERVER_ANSWER)?;
    Ok(())
}

fn in_words(ledger: &Checkpoint) -> String {
    format!("{} entries and the root hash {}", ledger.size(), ledger.root())
}
