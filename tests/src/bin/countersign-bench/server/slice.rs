//! Requests made beforehand, each another one: the library remembers signatures that it has verified, and a server that saw one
//! twice would look faster than it is. A message is good for two minutes, so they are made in slices shortly before they are sent.

use countersign_protocol::certificate::Pinned;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::envelope::{self, Opening, Sealed, statement};
use countersign_protocol::ids::{Digest, MessageId, Nonce};
use countersign_protocol::ledger::check_receipt;
use countersign_protocol::message::{Decision, JobReply, JobRequest, Message};
use countersign_protocol::random::SystemRandom;
use countersign_protocol::statement::{Place, Purpose, Statement};
use countersign_tests::Trouble;

use super::keys::Host;
use super::site::Site;
use super::{failed, on_all_cores};

/// One reply of so many is opened, and everything in it checked.
const CHECKED: usize = 50;

/// A login, as it goes over the wire, head and body in one.
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    /// What it takes to check the reply.
    pub(super) check: Option<Check>,
}

/// What is known of a request whose reply is checked.
pub(super) struct Check {
    sealed: Sealed,
    statement: Digest,
    host: usize,
}

/// So many logins by a crowd of the people of the site in turn, from the `first`th on, by its hosts in turn.
pub(super) fn make(site: &Site, crowd: usize, first: usize, many: usize) -> Result<Vec<Request>, Trouble> {
    on_all_cores(many, &|number| request(site, crowd, first + number))
}

fn request(site: &Site, crowd: usize, number: usize) -> Result<Request, Trouble> {
    let none = || failed("nobody to log in");
    // From all over the tables, with a step that has no factor in common with any number of people here: neighbours in time are none
    // in the tables.
    let crowd = crowd.clamp(1, site.people.len().max(1));
    let person = site.people.get(number * 7919 % crowd * (site.people.len() / crowd)).ok_or_else(none)?;
    let host_number = number % site.hosts.len().max(1);
    let host = site.hosts.get(host_number).ok_or_else(none)?;
    let now = SystemClock.now();
    let statement = Statement {
        countersign: Purpose::Statement,
        dry_run: false,
        operation: "open-session".parse().map_err(failed)?,
        resource: format!("session/{}", host.fingerprint).parse().map_err(failed)?,
        account: person.account.clone(),
        login: Some(person.account.as_str().parse().map_err(failed)?),
        service: Some("sshd".parse().map_err(failed)?),
        claimed: None,
        place: Some(Place::REMOTE),
        instance: host.fingerprint.clone(),
        server: site.fingerprint.clone(),
        time: now,
        expires: now.plus(120),
        nonce: Nonce::new(&SystemRandom).map_err(failed)?,
        body: None,
        approves: None,
        transcript: None,
    };
    let signed = statement::sign(&statement, person.signer()).map_err(failed)?;
    let digest = Digest::of(&signed.statement.0);
    let id = MessageId::new(&SystemRandom).map_err(failed)?;
    let body = JobRequest { signed, body: None };
    let message = Message::new(id, now, site.fingerprint.clone(), &body).map_err(failed)?;
    let sealed = envelope::seal(&message, vec![host.signer()], &site.server, now).map_err(failed)?;
    let bytes = over_the_wire(&sealed);
    let check =
        number.is_multiple_of(CHECKED).then_some(Check { sealed, statement: digest, host: host_number });
    Ok(Request { bytes, check })
}

/// A message with the head of HTTP before it.
pub(super) fn over_the_wire(sealed: &Sealed) -> Vec<u8> {
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        sealed.bytes().len()
    );
    [head.as_bytes(), sealed.bytes()].concat()
}

impl Check {
    /// The reply as an honest host takes it: opened, the answer to this request, allowed, and proven to be in the ledger.
    pub(super) fn reply(&self, site: &Site, bytes: &[u8]) -> Result<(), Trouble> {
        let none = || failed("the host is gone");
        let Host { cert, decryptors, .. } = site.hosts.get(self.host).ok_or_else(none)?;
        let now = SystemClock.now();
        let me = Pinned::of(cert, now).map_err(failed)?;
        let opening = Opening { me: &me, decryptors, keyring: &site.server, now };
        let verified = envelope::open(bytes, opening)
            .and_then(|opened| opened.answering(&self.sealed, &site.fingerprint));
        let reply: JobReply = verified.map_err(failed)?.body().map_err(failed)?;
        if reply.decision != Decision::Allowed {
            return Err(failed(format!("a login was denied: {}", reply.reason)));
        }
        let proven = check_receipt(&reply.receipt, &site.ledger_key).map_err(failed)?;
        proven.answers(&self.sealed.id(), Some(&self.statement)).map_err(failed)
    }
}
