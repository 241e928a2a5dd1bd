//! `ssh-keys`: what sshd's `AuthorizedKeysCommand` prints. The server is not asked about each login by key, so that the
//! roster must be as good as its word: fresh, and where the server is silent only for what holds without it.

mod public_key;

use std::time::{Duration, Instant};

use countersign_protocol::certificate;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::VerifiedRoster;
use countersign_protocol::ids::{LoginName, ServiceName};
use countersign_protocol::ipc::{NoteKind, ProblemKind, SshKey, SshKeys, SshKeysFound};
use countersign_protocol::limits;
use countersign_protocol::message::InstanceState;
use countersign_protocol::roster::RosterAccount;
use serde::Serialize;

use self::public_key::public_key;
use crate::agent::Agent;
use crate::check_in::managed_logins;
use crate::flood::{Heed, Source};
use crate::offline;
use crate::peer::Peer;
use crate::permit::Door;
use crate::person::Person;
use crate::trouble::{Trouble, sentence};
use crate::wire::LinkError;

/// A roster of this age is trusted without asking, in seconds: as long as for an account check.
const RECENT: i64 = 60;

/// How long a fresher one is waited for.
const WAIT: Duration = Duration::from_secs(3);

/// What sshd calls itself to PAM.
const SSHD: &str = "sshd";

/// Answers one [`SshKeys`].
///
/// # Errors
/// [`Trouble`]: then no key is to be taken from here, whatever was told before.
pub fn ssh_keys(
    agent: &Agent,
    door: Door,
    peer: &Peer,
    ask: &SshKeys,
    person: &mut Person,
) -> Result<SshKeysFound, Trouble> {
    let login = &ask.login;
    // As things are now: whoever was managed a moment ago may be in the roster still.
    if !managed_logins(&agent.config.managed)?.contains(login) {
        person.note(NoteKind::Info, &format!("{login} needs no card on this host; no key is told here."));
        return Ok(SshKeysFound { keys: Vec::new() });
    }
    if agent.link().is_none() {
        return Err(LinkError::NotEnrolled.into());
    }
    if needs_asking(agent, login) && (door == Door::Pam || agent.floods.may_refresh(Instant::now())) {
        let begun = Instant::now();
        let is_gone = agent.wire.reach.seems_gone(begun);
        let wait = if is_gone { limits::SERVER_PATIENCE_IN_VAIN } else { WAIT };
        // Without an answer the roster that is there says what holds without one.
        let _ = agent.keeper.freshen(begun + wait);
    }
    let contact = agent.contacts.get().filter(|contact| contact.state == InstanceState::Active);
    let contact = contact.ok_or_else(|| {
        Trouble::new(
            ProblemKind::Enrolment,
            "This host may not work now, so no key is told. As root: countersign status",
        )
    })?;
    if contact.refused {
        return Err(untold(&offline::Denial::HostRefused));
    }
    let now = agent.wire.time.now();
    let held = agent.contacts.rosters.get();
    let roster = offline::usable(held.as_ref().map(|held| &held.verified), now);
    let roster = roster.map_err(|denial| untold(&denial))?;
    let word = if contact.is_fresh(now, RECENT) { Word::Current } else { Word::Old };
    let (keys, why_not) = found(roster, login, word, now);
    for why in &why_not {
        person.note(NoteKind::Info, why);
    }
    let source = Source { door, uid: peer.uid, login: Some(login.clone()), what: "ssh-keys" };
    if !keys.is_empty() && matches!(agent.floods.heed(source, Instant::now()), Heed::Record { .. }) {
        let accounts = keys.iter().map(|key| key.account.as_str()).collect();
        agent.note(&Journalled { event: "ssh-keys-told", login, uid: peer.uid, accounts });
    }
    Ok(SshKeysFound { keys })
}

/// What the journal keeps; each login itself is in the system's log, by sshd.
#[derive(Serialize)]
struct Journalled<'a> {
    event: &'static str,
    login: &'a LoginName,
    uid: u32,
    accounts: Vec<&'a str>,
}

fn untold(denial: &offline::Denial) -> Trouble {
    Trouble::new(ProblemKind::Server, sentence(&format!("no key is told: {denial}")))
}

fn needs_asking(agent: &Agent, login: &LoginName) -> bool {
    let now = agent.wire.time.now();
    let held = agent.contacts.rosters.get();
    let names = held.as_ref().and_then(|held| held.verified.entry(login));
    agent.contacts.get().is_none_or(|contact| !contact.is_fresh(now, RECENT))
        || names.is_none_or(|entry| entry.accounts.is_empty())
}

/// How far the roster goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// The server stood by it a moment ago.
    Current,
    /// The server says nothing: only what the roster permits without it.
    Old,
}

/// The keys, and why there is not one of each account.
fn found(
    roster: &VerifiedRoster,
    login: &LoginName,
    word: Word,
    now: Timestamp,
) -> (Vec<SshKey>, Vec<String>) {
    let accounts = roster.entry(login).map(|entry| entry.accounts.as_slice()).unwrap_or_default();
    if accounts.is_empty() {
        return (Vec::new(), vec![format!("No account may open {login} on this host.")]);
    }
    let (mut keys, mut why_not) = (Vec::new(), Vec::new());
    for account in accounts {
        match key_of(roster, login, account, word, now) {
            Ok(key) => keys.push(key),
            Err(why) => why_not.push(format!("No key of {}: {why}.", account.account)),
        }
    }
    (keys, why_not)
}

fn key_of(
    roster: &VerifiedRoster,
    login: &LoginName,
    account: &RosterAccount,
    word: Word,
    now: Timestamp,
) -> Result<SshKey, String> {
    let name = account.authentication.as_ref().ok_or(
        "policy does not let it in by sshd without asking the server, or its card holds no authentication key, or was registered before such keys were kept",
    )?;
    if word == Word::Old && !permits_sshd(roster, login, account, now) {
        return Err("the server does not answer, and without it sshd may let nobody in".to_owned());
    }
    let cert = certificate::parse(&account.certificate.0).map_err(|error| error.to_string())?;
    certificate::check(&cert, now).map_err(|error| error.to_string())?;
    if !certificate::authentication_keys(&cert, now).contains(name) {
        return Err(format!("{name} is not valid now"));
    }
    let key = public_key(&cert, name).map_err(|error| error.to_string())?;
    Ok(SshKey { account: account.account.clone(), key })
}

fn permits_sshd(roster: &VerifiedRoster, login: &LoginName, account: &RosterAccount, now: Timestamp) -> bool {
    SSHD.parse::<ServiceName>().is_ok_and(|sshd| {
        account.keys.iter().any(|key| roster.permits(login, &account.account, key, &sshd, now))
    })
}

#[cfg(test)]
mod tests;
