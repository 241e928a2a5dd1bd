//! This host changes the key that names it, and loses nothing on the way.
//!
//! ```text
//! rotation-request ────▶ commits to the new certificate
//!                  ◀──── rotation-reply: server nonce
//! rotation-key     ────▶ the new certificate, signed by the old primary key and by the new one
//!                  ◀──── rotation-record: compared field by field, receipt checked
//! ```
//! Until it is on the disk that the key message is about to be sent, nothing has happened, and what was made is erased.
//! From then on both keys are kept, and the agent goes on by itself – also after it was killed – until it knows which of
//! them the server takes. It finds out by either key itself, at any time: the session keys of the change are never kept.

mod unfinished;

use std::time::Instant;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::envelope::{self, Sealed, Verified};
use countersign_protocol::ids::{Fingerprint, MessageId};
use countersign_protocol::ipc::{Enrolled, NoteKind, ProblemKind, RotateKey};
use countersign_protocol::key_words::key_words;
use countersign_protocol::ledger::check_receipt;
use countersign_protocol::limits;
use countersign_protocol::message::{
    InstanceState, Message, RotationKey, RotationRecord, RotationReply, RotationRequest, Transcript,
};
use serde::Serialize;

use self::unfinished::Unfinished;
use crate::agent::Agent;
use crate::enrollment::{self, KeyMaker, Made};
use crate::instance_key::{Primary, SessionKeys};
use crate::keeper::FORKED;
use crate::person::Person;
use crate::reach::Patience;
use crate::server_link::{INSTANCE, Instance, Link};
use crate::server_time::Answers;
use crate::state::StateError;
use crate::trouble::Trouble;
use crate::vault::Slot;
use crate::wire::LinkError;

/// What the journal keeps.
#[derive(Serialize)]
struct Journalled<'a> {
    event: &'static str,
    instance: &'a Fingerprint,
    retired: &'a Fingerprint,
    ledger_index: u64,
}

/// Gives this host a new key.
///
/// # Errors
/// [`Trouble`]; the old key is in force then, unless the words say that it is not known.
pub fn rotate(agent: &Agent, ask: &RotateKey, person: &mut Person) -> Result<Enrolled, Trouble> {
    let place = enrollment::place()?;
    if Unfinished::load(&agent.state)?.is_some() {
        person.note(NoteKind::Info, "Finishing the change of the key that was interrupted.");
        if let Some(done) = in_turn(agent, |agent| Ok(settle(agent)?))? {
            return Ok(done);
        }
        person.note(NoteKind::Info, "It had not come to the server. Beginning anew.");
    }
    let link = agent.ready_link(person.deadline())?;
    if agent.contacts.get().is_some_and(|contact| contact.forked) {
        return Err(Trouble::new(ProblemKind::Refused, FORKED));
    }
    in_turn(agent, sent_everything)?;
    let made = KeyMaker { agent, link: Some(&link) }.make(&ask.key_store, person)?;
    in_turn(agent, move |agent| {
        // Whoever asked may be gone by now; nobody else makes a key until this one's fate is known or on the disk.
        let _place = place;
        let done = change(agent, &made);
        // Here and nowhere else: as long as this waits for its turn, the key is needed.
        if done.is_err() && Unfinished::load(&agent.state)?.is_none() {
            Slot::instance_key(&certificate::fingerprint(&made.base)?).erase(&agent.state)?;
        }
        done
    })
}

/// Finishes a change that was interrupted, if one was. For the keeper, before it says anything else to the server.
/// None if there is none, or if it never came to the server.
///
/// # Errors
/// It is still not known which key is in force.
pub fn settle(agent: &Agent) -> Result<Option<Enrolled>, LinkError> {
    let Some(unfinished) = Unfinished::load(&agent.state)? else { return Ok(None) };
    let link = agent.link().ok_or(LinkError::NotEnrolled)?;
    let change = Change::of(agent, &link, unfinished)?;
    if link.instance.fingerprint != change.unfinished.old {
        // It was all done but for the cleaning up; or the host was given another key meanwhile, and both are nobody's.
        change.clean_up()?;
        return Ok(None);
    }
    change.find_out()
}

/// The same before this host gets a third key, if the server and one of the two keys are there. If not, that is told.
pub(crate) fn settle_if_possible(agent: &Agent, person: &mut Person) {
    let Ok(Some(new)) = Unfinished::load(&agent.state).map(|kept| kept.and_then(|kept| kept.new_name().ok()))
    else {
        return;
    };
    if let Err(trouble) = in_turn(agent, |agent| Ok(settle(agent)?)) {
        person.note(
            NoteKind::Info,
            &format!(
                "A change of this host's key was interrupted, and which key is in force cannot be found out ({}). Going on; afterwards, revoke the other one too: countersign admin host revoke {new}",
                trouble.message
            ),
        );
    }
}

/// Forgets a change that was interrupted: this host has a third key now.
pub(crate) fn forget(agent: &Agent) -> Result<(), StateError> {
    Unfinished::erase(&agent.state)
}

/// Everything that is signed by the old key, or names it, goes to the server under it.
fn sent_everything(agent: &Agent) -> Result<(), Trouble> {
    crate::keeper::send_everything(agent)?;
    // What the server tells nothing about it will tell the new key nothing about either.
    let open = agent.journal.unsettled()?.iter().filter(|row| !agent.untold.has(&row.job.id)).count();
    let waiting = agent.journal.unsent()?.saturating_add(u64::try_from(open).unwrap_or(u64::MAX));
    if waiting == 0 {
        return Ok(());
    }
    Err(Trouble::new(
        ProblemKind::Server,
        format!(
            "{waiting} reports and requests of this host wait for the server, signed with the old key. Nothing was changed. See `countersign status`, and try again when they are sent."
        ),
    ))
}

/// From the request to the new name. On the keeper's thread.
fn change(agent: &Agent, made: &Made) -> Result<Enrolled, Trouble> {
    let link = agent.link().ok_or(LinkError::NotEnrolled)?;
    let now = agent.wire.time.now();
    let session = SessionKeys::generate(&made.base, made.primary.signer(&made.base, &agent.cards)?, now)?;
    let request = RotationRequest { commitment: certificate::commitment(session.certificate())? };
    let begun = link.ask(agent.means(soon()), &request, None)?;
    let heard = Transcript::rotation().then(begun.sealed.literal());
    check_transcript(&begun.reply, heard)?;
    let reply: RotationReply = begun.reply.body()?;
    let transcript = heard.then(begun.reply.literal());

    let body = RotationKey {
        certificate: Binary(certificate::to_bytes(session.certificate())?),
        server_nonce: reply.server_nonce,
        counter: agent.contacts.count()?.counter,
        key_store: made.key_store.clone(),
    };
    let now = agent.wire.time.now();
    let id = MessageId::new(agent.random.as_ref())?;
    let message = Message::new(id, now, link.server.fingerprint.clone(), &body)?;
    let message = message.with_transcript(transcript.digest());
    let signers = vec![
        link.primary().signer(&link.base, &agent.cards)?,
        made.primary.signer(&made.base, &agent.cards)?,
    ];
    let sealed = envelope::seal(&message, signers, &link.server.certificate(), now)?;
    let unfinished = Unfinished::begin(&link, made)?;
    unfinished.keep(&agent.state)?;

    let change = Change::of(agent, &link, unfinished)?;
    match change.send(&sealed, &session) {
        Ok(record) => Ok(change.finish(&record, &sealed, transcript)?),
        Err(LinkError::Refused { correlation, .. }) => match change.find_out()? {
            Some(done) => Ok(done),
            None => Err(Trouble::new(
                ProblemKind::Refused,
                format!(
                    "The server did not take the new key; this host goes on with its old one. The server's administrator finds the reason under {correlation}."
                ),
            )),
        },
        Err(error) => {
            let why = Trouble::from(error);
            Err(Trouble::new(
                why.kind,
                format!(
                    "{} Whether the new key is in force is not known yet; both are kept, and the agent finds out by itself as soon as the server answers: countersign status.",
                    why.message
                ),
            ))
        }
    }
}

/// A key message that is about to be sent, or was; and both keys.
struct Change<'a> {
    agent: &'a Agent,
    link: &'a Link,
    unfinished: Unfinished,
    /// The new name.
    instance: Fingerprint,
}

impl<'a> Change<'a> {
    fn of(agent: &'a Agent, link: &'a Link, unfinished: Unfinished) -> Result<Self, LinkError> {
        let instance = unfinished.new_name()?;
        Ok(Self { agent, link, unfinished, instance })
    }

    fn send(&self, sealed: &Sealed, session: &SessionKeys) -> Result<Verified, LinkError> {
        let decryptors = session.decryptors(self.agent.wire.time.now())?;
        let (wire, server, me) = (&self.agent.wire, &self.link.server, session.certificate());
        wire.exchange(Answers::Fresh, server, sealed, me, decryptors, soon())
    }

    /// The record is compared with what was sent (W6), and the new key is this host's from then on.
    fn finish(&self, reply: &Verified, sealed: &Sealed, heard: Transcript) -> Result<Enrolled, LinkError> {
        let sent = heard.then(sealed.literal());
        check_transcript(reply, sent)?;
        let record: RotationRecord = reply.body()?;
        let proven = check_receipt(&record.receipt, &self.link.instance.ledger_key)?;
        proven.answers(&sealed.id(), None)?;
        for (same, what) in [
            (record.instance == self.instance, "another instance"),
            (record.retired == self.link.instance.fingerprint, "another old key"),
            (record.application == self.link.instance.application, "another application"),
            (record.transcript == sent.digest(), "another handshake"),
            (
                proven.entry().instance.as_ref() == Some(&self.instance),
                "a ledger entry about another instance",
            ),
        ] {
            if !same {
                return Err(LinkError::Untrusted(format!("the rotation record names {what}")));
            }
        }
        self.take_over(proven.index())
    }

    /// The answer to the key message was lost. The server takes session keys from one of the two keys; once it took some
    /// from the old one, with a greater counter, it never takes the key message any more.
    fn find_out(&self) -> Result<Option<Enrolled>, LinkError> {
        let agent = self.agent;
        let new = self.new_link(self.link.instance.ledger_index)?;
        match new.renew_session(agent.means(soon()), &agent.cards, &agent.contacts) {
            Ok(ledger_index) => return self.take_over(ledger_index).map(Some),
            Err(LinkError::Refused { .. }) => {}
            // A key that cannot sign tells nothing about whether it is in force. The old one may.
            Err(error @ (LinkError::Mute(_) | LinkError::Internal(_))) => {
                agent.log.warn("key-change-unfinished", &[("why", &error.to_string())]);
            }
            Err(error) => return Err(error),
        }
        // The old one's session keys may be from before a restart.
        self.link.read_primary_again(&agent.state);
        self.link.renew_session(agent.means(soon()), &agent.cards, &agent.contacts)?;
        self.clean_up()?;
        agent.log.notice("key-change-given-up", &[("what", "it had not come to the server")]);
        Ok(None)
    }

    /// The new name, at once for everything: statements, session keys, roster.
    fn take_over(&self, ledger_index: u64) -> Result<Enrolled, LinkError> {
        let agent = self.agent;
        // It says for whom it is, and that is nobody any more.
        agent.contacts.rosters.forget()?;
        let new = self.new_link(ledger_index)?;
        agent.state.write(INSTANCE, &new.instance)?;
        let done = Enrolled {
            instance: self.instance.clone(),
            key_words: key_words(&self.instance),
            state: InstanceState::Active.as_str().to_owned(),
            key_store: new.primary().in_words(),
            ledger_index,
            replaces: Some(self.link.instance.fingerprint.clone()),
        };
        agent.set_link(new);
        self.clean_up()?;
        let (instance, retired) = (&self.instance, &self.link.instance.fingerprint);
        agent.note(&Journalled { event: "key-changed", instance, retired, ledger_index });
        let fields = [("instance", instance.to_string()), ("retired", retired.to_string())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        agent.log.notice("key-changed", &fields);
        Ok(done)
    }

    /// Without session keys: those on the disk were for one answer, and fresh ones are announced at once.
    fn new_link(&self, ledger_index: u64) -> Result<Link, LinkError> {
        let instance = Instance {
            fingerprint: self.instance.clone(),
            certificate: Binary(certificate::to_bytes(&self.unfinished.base()?)?),
            key_store: self.unfinished.key_store.clone(),
            ledger_index,
            earlier: self.link.instance.names_so_far(),
            ..self.link.instance.clone()
        };
        let primary = Primary::load(&self.agent.state, &instance.fingerprint, &instance.key_store);
        let mut link = Link::new(instance, primary, None)?;
        link.server = self.link.server.clone();
        Ok(link)
    }

    /// What is not this host's key now is nobody's.
    fn clean_up(&self) -> Result<(), LinkError> {
        Unfinished::erase(&self.agent.state)?;
        let now = self.agent.link().map(|link| link.instance.fingerprint.clone());
        Slot::erase_other_instance_keys(&self.agent.state, now.as_slice())?;
        Ok(())
    }
}

/// The keys that must not be erased although they are not this host's now.
pub(crate) fn keys_on_their_way(agent: &Agent) -> Result<Vec<Fingerprint>, Trouble> {
    let unfinished = Unfinished::load(&agent.state)?;
    let both = unfinished.map(|unfinished| {
        let new = unfinished.new_name()?;
        Ok::<_, Trouble>(vec![unfinished.old, new])
    });
    Ok(both.transpose()?.unwrap_or_default())
}

/// One counter, one speaker: what it says to the server is said on the keeper's thread.
fn in_turn<T: Send + 'static>(
    agent: &Agent,
    work: impl FnOnce(&Agent) -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    agent.keeper.in_turn(Instant::now() + TIME, work)?
}

/// Longest wait for the keeper: what it does before may take as long as the network does.
const TIME: std::time::Duration = limits::SERVER_ANSWER.saturating_mul(6);

fn soon() -> Patience {
    Patience::until(Instant::now() + limits::SERVER_ANSWER)
}

fn check_transcript(reply: &Verified, expected: Transcript) -> Result<(), LinkError> {
    if reply.message().transcript == Some(expected.digest()) {
        return Ok(());
    }
    Err(LinkError::Untrusted("it belongs to another handshake".to_owned()))
}
