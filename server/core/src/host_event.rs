//! What a host saw and no card signed.

use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::message::{HostEvent, HostEventKind, HostEventReply};

use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::stop::Stop;

/// Longest sentence that goes into the ledger.
const TOLD: usize = 500;

/// Records the event under the correlation id that the person was told.
pub(crate) fn host_event(ctx: &Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let event: HostEvent = ctx.body()?;
    if event.told.len() > TOLD || event.told.chars().any(char::is_control) {
        return Err(Reason::Body(format!("a sentence over {TOLD} bytes or with control characters")).into());
    }
    // As loud as where the server is asked: somebody tries codes.
    let kind = match event.event {
        HostEventKind::WrongEmergencyCode => EntryKind::Alarm,
        _ => EntryKind::HostEvent,
    };
    let mut entry = ctx.entry(kind, Outcome::Noted, event.told);
    entry.correlation = event.correlation;
    entry.instance = Some(instance.fingerprint.clone());
    entry.account = event.account;
    entry.login = event.login;
    entry.service = event.service;
    let word = serde_json::to_value(event.event).ok().and_then(|word| word.as_str().map(str::to_owned));
    entry.detail.insert("event".into(), word.unwrap_or_default());
    entry.detail.insert("at".into(), event.at.to_string());
    if let Some(card) = event.card {
        // A card's number leads to a person: the server can recognise it again, and nobody can read it here.
        let mac = ctx.pepper().mac(&[b"card", card.to_string().as_bytes()]);
        entry.detail.insert("card".into(), Digest::from_bytes(mac).to_string());
    }
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    Ok(Draft::recorded(recipient, entry, None, |receipt| HostEventReply { receipt }).quietly(true))
}
