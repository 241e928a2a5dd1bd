//! This host becomes an instance of a server, or one with another key after its own was lost.
//!
//! Each envelope is on disk before it is sent. An enrolment that was interrupted goes on with the same bytes when
//! the same request comes again while the handshake lives; the server answers them with the same reply.

mod aside;
mod handshake;
mod host_card;
mod host_key;
mod unfinished;

use std::time::Instant;

use countersign_protocol::certificate;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::ipc::{Enroll, Enrolled, NoteKind, ProblemKind, ReplaceHost};
use countersign_protocol::key_words::key_words;
use countersign_protocol::limits;
use countersign_protocol::message::result::ApplicationBundle;

pub(crate) use self::host_key::{KeyMaker, Made};

use self::handshake::{Enrolment, Finished};
use self::unfinished::Unfinished;
use crate::agent::Agent;
use crate::limits::{Alone, OneAtATime};
use crate::person::Person;
use crate::reach::Patience;
use crate::rotation;
use crate::server_link::{INSTANCE, Link};
use crate::trouble::Trouble;
use crate::vault::Slot;
use crate::wire::Server;

/// The application's key, the server's certificate and address, for the day when the host's key is lost.
const BUNDLE: &str = "application.json";

static UNDER_WAY: OneAtATime = OneAtATime::new();

/// The place of the one change of this host's key at a time.
///
/// # Errors
/// Somebody has it.
pub(crate) fn place() -> Result<Alone<'static>, Trouble> {
    UNDER_WAY.enter().ok_or_else(|| {
        Trouble::new(
            ProblemKind::Busy,
            "An enrolment or a change of this host's key is under way. Wait until it has ended, and look: countersign status.",
        )
    })
}

/// Enrols this host.
///
/// # Errors
/// [`Trouble`]. A server other than the one named is refused before anything is sent.
pub fn enroll(agent: &Agent, ask: &Enroll, person: &mut Person) -> Result<Enrolled, Trouble> {
    let _place = place()?;
    if agent.link().is_some() {
        // It was done between the permit and the place.
        return Err(Trouble::new(
            ProblemKind::Enrolment,
            "This host is enrolled already: countersign status.",
        ));
    }
    let enrolled = take_up(agent, run(agent, ask, None, person)?, None)?;
    agent.state.write(BUNDLE, &ask.bundle)?;
    log_enrolled(agent, &enrolled);
    // The roster is a convenience here: the next login fetches it if this fails.
    let _ = agent.keeper.freshen(Instant::now() + limits::SERVER_ANSWER);
    Ok(enrolled)
}

/// Enrols this host with another key, at the same server: its own, or the card that held it, is lost.
///
/// # Errors
/// [`Trouble`]; the old key stays then.
pub fn replace(agent: &Agent, ask: &ReplaceHost, person: &mut Person) -> Result<Enrolled, Trouble> {
    let place = place()?;
    rotation::settle_if_possible(agent, person);
    let old = agent.link().ok_or(crate::wire::LinkError::NotEnrolled)?;
    let ask = Enroll {
        bundle: bundle(agent, ask, &old)?,
        server: old.server.fingerprint.clone(),
        url: Some(old.server.url.clone()),
        token: ask.token.clone(),
        key_store: ask.key_store.clone(),
    };
    let finished = run(agent, &ask, Some(&old), person)?;
    agent.state.write(BUNDLE, &ask.bundle)?;
    // One counter, one speaker.
    let enrolled = agent.keeper.in_turn(Instant::now() + limits::SERVER_ANSWER * 6, move |agent| {
        // Whoever asked may be gone by now.
        let _place = place;
        take_up(agent, finished, agent.link().as_deref())
    })??;
    log_enrolled(agent, &enrolled);
    let _ = agent.keeper.freshen(Instant::now() + limits::SERVER_ANSWER);
    Ok(enrolled)
}

/// Erases what an enrolment or a change of the key left behind that nobody can finish any more. For the start.
///
/// # Errors
/// The state folder.
pub fn clean_up(agent: &Agent) -> Result<(), Trouble> {
    let link = agent.link();
    let now = link.as_ref().map(|link| &link.instance.fingerprint);
    let stale = Unfinished::erase_stale(&agent.state, agent.wire.time.now(), now)?;
    let mut keep: Vec<Fingerprint> = now.into_iter().cloned().collect();
    keep.extend(Unfinished::instance(&agent.state)?);
    keep.extend(rotation::keys_on_their_way(agent)?);
    if Slot::erase_other_instance_keys(&agent.state, &keep)? || stale {
        agent.log.notice("enrolment-given-up", &[("what", "an unfinished enrolment's keys were erased")]);
    }
    Ok(())
}

/// The one given, or the one that was kept; of the server that this host knows.
fn bundle(agent: &Agent, ask: &ReplaceHost, old: &Link) -> Result<ApplicationBundle, Trouble> {
    let kept = || agent.state.read::<ApplicationBundle>(BUNDLE);
    let mut bundle = match &ask.bundle {
        Some(bundle) => bundle.clone(),
        None => kept()?.ok_or_else(|| {
            Trouble::new(
                ProblemKind::Usage,
                "This host kept no application bundle when it was enrolled. Give it the file: countersign host replace --bundle FILE",
            )
        })?,
    };
    let server = certificate::fingerprint(&certificate::parse(&bundle.server_certificate.0)?)?;
    if server != old.server.fingerprint {
        return Err(Trouble::new(
            ProblemKind::Untrusted,
            format!(
                "The bundle is of the server {}, and this host is of {}. Nothing was sent.",
                server.spaced(),
                old.server.fingerprint.spaced()
            ),
        ));
    }
    // As it was pinned.
    bundle.server_certificate = old.instance.server_certificate.clone();
    Ok(bundle)
}

/// The handshake, from where it was interrupted if it was.
fn run(agent: &Agent, ask: &Enroll, old: Option<&Link>, person: &mut Person) -> Result<Finished, Trouble> {
    let url = ask.url.as_deref().unwrap_or(&ask.bundle.server_url);
    check_url(url)?;
    let server = Server::new(&ask.bundle.server_certificate.0, url)?;
    if server.fingerprint != ask.server {
        return Err(Trouble::new(
            ProblemKind::Untrusted,
            format!(
                "The bundle is of the server {}, and you named {}. Nothing was sent. Read the fingerprint again from `countersign-server init`; if it is right, this bundle is not from your server: do not use it.",
                server.fingerprint.spaced(),
                ask.server.spaced()
            ),
        ));
    }
    let application = certificate::parse_secret(&ask.bundle.secret_key.0).map_err(|error| {
        Trouble::new(ProblemKind::Usage, format!("The bundle's application key: {error}."))
    })?;
    // The bundle may have lain for longer than the keys in it live. What comes counts by the fingerprint alone.
    let _news = agent.wire.has_news(&server, Patience::until(Instant::now() + limits::SERVER_ANSWER / 2));
    let enrolment = Enrolment { agent, ask, old, server, application };

    let unfinished = match Unfinished::load(&agent.state, ask, agent.wire.time.now())? {
        Some(unfinished) => {
            person.note(NoteKind::Info, "Going on with the enrolment that was interrupted.");
            Ok(unfinished)
        }
        None => enrolment.prepare(person),
    };
    let finished = unfinished.and_then(|unfinished| enrolment.run(unfinished));
    if matches!(&finished, Err(trouble) if trouble.kind != ProblemKind::Server) {
        // Refused: the same bytes would get the same answer. Unreachable: they may be sent again.
        Unfinished::erase(&agent.state)?;
        let mut keep = rotation::keys_on_their_way(agent)?;
        keep.extend(old.map(|old| old.instance.fingerprint.clone()));
        Slot::erase_other_instance_keys(&agent.state, &keep)?;
    }
    finished
}

/// The new name, at once for everything. What the old one left is set aside, the journal and what waits in it stays.
fn take_up(agent: &Agent, finished: Finished, old: Option<&Link>) -> Result<Enrolled, Trouble> {
    let Finished { link, record, mut contact } = finished;
    if let Some(old) = old {
        aside::set_aside(agent, old)?;
        agent.contacts.rosters.forget()?;
    }
    if let Some(before) = agent.contacts.get() {
        // It only grows, whatever the name: should this break off here, the old key is not taken for a copy of itself.
        contact.counter = before.counter;
        // The same ledger must go on from where it was seen.
        contact.checkpoint = before.checkpoint.clone().or(contact.checkpoint);
    }
    agent.contacts.set(contact)?;
    agent.state.write(INSTANCE, &link.instance)?;
    // Only now: whatever fails until here, the same bytes get the same answer once more.
    rotation::forget(agent)?;
    Unfinished::erase(&agent.state)?;
    Slot::erase_other_instance_keys(&agent.state, std::slice::from_ref(&record.instance))?;
    let enrolled = Enrolled {
        instance: record.instance.clone(),
        key_words: key_words(&record.instance),
        state: record.state.as_str().to_owned(),
        key_store: link.primary().in_words(),
        ledger_index: record.receipt.index,
        replaces: old.map(|old| old.instance.fingerprint.clone()),
    };
    if let Some(why) = link.primary().not_sealed() {
        agent.log.warn("not-sealed", &[("why", why)]);
    }
    agent.set_link(link);
    Ok(enrolled)
}

fn log_enrolled(agent: &Agent, enrolled: &Enrolled) {
    let instance = enrolled.instance.to_string();
    agent.log.notice("enrolled", &[("instance", &instance), ("state", &enrolled.state)]);
}

/// `http://host:port` or `https://…`, nothing else: it becomes an argument of the courier.
fn check_url(url: &str) -> Result<(), Trouble> {
    let plain = url.len() <= 512 && url.chars().all(|c| c.is_ascii_graphic());
    if plain && ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Ok(());
    }
    Err(Trouble::new(
        ProblemKind::Usage,
        format!(
            "{url:?} is not an address of a server. It looks like https://auth.example:8443 – see --url."
        ),
    ))
}
