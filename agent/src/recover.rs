//! The last step of a recovery, by the new card; and revocation certificates, which need none.

use std::time::Instant;

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::Nonce;
use countersign_protocol::ipc::{
    KeyRevoked, NoteKind, ProblemKind, Recover, Recovered, RecoveryWaits, RevokeKey,
};
use countersign_protocol::limits;
use countersign_protocol::message::{
    RecoveryStanding, RecoveryStep, RecoveryStepReply, Revocation, RevocationReply,
};

use crate::agent::Agent;
use crate::card::CardError;
use crate::card_choice;
use crate::known::KnownKey;
use crate::peer::Peer;
use crate::person::Person;
use crate::reach::Patience;
use crate::register::{NewKey, sign_by};
use crate::session::Choice;
use crate::trouble::Trouble;
use crate::wire::LinkError;

/// Answers one [`Recover`]: looks first, and asks for a PIN only when it completes something.
///
/// # Errors
/// [`Trouble`].
pub fn recover(agent: &Agent, peer: &Peer, ask: &Recover, person: &mut Person) -> Result<Recovered, Trouble> {
    let link = agent.ready_link(person.deadline())?;
    let step = RecoveryStep { id: ask.id.clone(), proof: None };
    let means = agent.means(Patience::until(Instant::now() + limits::SERVER_ANSWER));
    let looked: RecoveryStepReply = link.ask(means, &step, None)?.reply.body()?;
    let waiting = |waits| Recovered {
        account: looked.account.clone(),
        waits: Some(waits),
        ledger_index: None,
        emergency_code: None,
        recovery_code: None,
    };
    match looked.standing {
        RecoveryStanding::Ready => {}
        RecoveryStanding::Waiting { not_before, expires, approvals, needed } => {
            return Ok(waiting(RecoveryWaits { not_before, expires, approvals, needed }));
        }
        RecoveryStanding::Over | RecoveryStanding::Completed { .. } => return Err(over()),
    }

    let insert = format!("Insert the new card of {}.", looked.account);
    let seen = card_choice::choose(agent, ask.card, &insert, person)?;
    let card = seen.ident.ok_or(CardError::NoCard)?;
    let card = Choice { card, name: seen.name(), account: looked.account.clone(), touch: seen.touch };
    let key = NewKey::adopt(agent, &peer.asker(), &card, &looked.certificate.0, person)?;
    let (nonce, resource) = (Nonce::new(agent.random.as_ref())?, format!("recovery/{}", ask.id));
    let proof = sign_by(agent, &link, &card, &key, &peer.asker(), person, |statement| {
        statement.operation = "complete".parse()?;
        statement.resource = resource.parse()?;
        statement.nonce = nonce;
        Ok(())
    })?;
    let proof_digest = countersign_protocol::ids::Digest::of(&proof.statement.0);
    let step = RecoveryStep { id: ask.id.clone(), proof: Some(proof) };
    let means = agent.means(Patience::until(Instant::now() + limits::SERVER_ANSWER));
    let exchange = link.ask_once(means, &step, None)?;
    let reply: RecoveryStepReply = exchange.reply.body()?;
    let RecoveryStanding::Completed { key: bound, receipt, emergency_code, recovery_code } = reply.standing
    else {
        return Err(over());
    };
    let proven = link.prove(&receipt)?;
    proven.answers(&exchange.sealed.id(), Some(&proof_digest))?;
    if bound != key.fingerprint()? || proven.entry().key.as_ref() != Some(&bound) {
        return Err(LinkError::Untrusted("it completes the recovery of another key".to_owned()).into());
    }
    agent.known.add(KnownKey {
        account: looked.account.clone(),
        certificate: Binary(looked.certificate.0),
        key: key.signing_key.clone(),
    })?;
    agent.log.notice("recovered", &[("account", looked.account.as_str()), ("card", &card.card.to_string())]);
    let _ = agent.keeper.freshen(Instant::now() + limits::SERVER_ANSWER);
    Ok(Recovered {
        account: looked.account,
        waits: None,
        ledger_index: Some(proven.index()),
        emergency_code,
        recovery_code: Some(recovery_code),
    })
}

fn over() -> Trouble {
    Trouble::new(
        ProblemKind::Refused,
        "This recovery is over: it was withdrawn, took too long, or was completed before. Ask an administrator.",
    )
}

/// Answers one [`RevokeKey`]: carries the certificate to the server, which checks it.
///
/// # Errors
/// [`Trouble`].
pub fn revoke_key(agent: &Agent, ask: &RevokeKey, person: &mut Person) -> Result<KeyRevoked, Trouble> {
    let link = agent.ready_link(person.deadline())?;
    person.note(NoteKind::Info, "Sending the revocation certificate to the server.");
    let means = agent.means(Patience::until(Instant::now() + limits::SERVER_ANSWER));
    let exchange = link.ask(means, &Revocation { certificate: ask.certificate.clone() }, None)?;
    let reply: RevocationReply = exchange.reply.body()?;
    let proven = link.prove(&reply.receipt)?;
    proven.answers(&exchange.sealed.id(), None)?;
    let RevocationReply { account, key, reason, .. } = reply;
    Ok(KeyRevoked { account, key, reason, ledger_index: proven.index() })
}
