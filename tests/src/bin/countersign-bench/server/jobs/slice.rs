//! Requests about documents, made beforehand: each another one. Of every three of a client, the first makes a document, the second
//! changes it, and the third reads it.

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::envelope::{self, Sealed, statement};
use countersign_protocol::ids::{Digest, MessageId, Nonce};
use countersign_protocol::message::{JobRequest, Message};
use countersign_protocol::random::SystemRandom;
use countersign_protocol::statement::{Purpose, Statement};
use countersign_tests::Trouble;

use super::super::site::Site;
use super::super::{failed, on_all_cores};

/// Where the documents are.
pub(super) const COLLECTION: &str = "wards";

/// One of them, sealed by its host.
pub(super) struct Request {
    pub(super) sealed: Sealed,
    pub(super) person: usize,
    pub(super) host: usize,
    /// Whether its result is sealed to the card.
    pub(super) is_read: bool,
}

/// So many for so many clients; `before` were made for the same server before.
pub(super) fn make(
    site: &Site,
    before: usize,
    many: usize,
    clients: usize,
) -> Result<Vec<Vec<Request>>, Trouble> {
    // Whole documents for each.
    let each = many.div_ceil(clients * 3) * 3;
    let all = on_all_cores(each * clients, &|number| {
        let (client, step) = (number / each, number % each);
        request(site, client, &format!("d-{before}-{client}-{}", step / 3), step % 3)
    })?;
    let (mut all, mut slices) = (all.into_iter(), Vec::new());
    for _ in 0..clients {
        slices.push(all.by_ref().take(each).collect());
    }
    Ok(slices)
}

fn request(site: &Site, client: usize, name: &str, step: usize) -> Result<Request, Trouble> {
    let none = || failed("nobody to ask");
    let (person_number, host_number) = (client % site.people.len().max(1), client % site.hosts.len().max(1));
    let person = site.people.get(person_number).ok_or_else(none)?;
    let host = site.hosts.get(host_number).ok_or_else(none)?;
    let (operation, body) = match step {
        0 => ("create", Some(r#"{"ward":"North","beds":12}"#)),
        1 => ("update", Some(r#"{"merge":{"beds":13},"over":1}"#)),
        _ => ("read", None),
    };
    let now = SystemClock.now();
    let statement = Statement {
        countersign: Purpose::Statement,
        dry_run: false,
        operation: operation.parse().map_err(failed)?,
        resource: format!("{COLLECTION}/{name}").parse().map_err(failed)?,
        account: person.account.clone(),
        login: None,
        service: None,
        claimed: None,
        place: None,
        instance: host.fingerprint.clone(),
        server: site.fingerprint.clone(),
        time: now,
        expires: now.plus(120),
        nonce: Nonce::new(&SystemRandom).map_err(failed)?,
        body: body.map(|body| Digest::of(body.as_bytes())),
        transcript: None,
        approves: None,
    };
    let signed = statement::sign(&statement, person.signer()).map_err(failed)?;
    let id = MessageId::new(&SystemRandom).map_err(failed)?;
    let body = JobRequest { signed, body: body.map(|body| Binary(body.as_bytes().to_vec())) };
    let message = Message::new(id, now, site.fingerprint.clone(), &body).map_err(failed)?;
    let sealed = envelope::seal(&message, vec![host.signer()], &site.server, now).map_err(failed)?;
    Ok(Request { sealed, person: person_number, host: host_number, is_read: body.body.is_none() })
}
