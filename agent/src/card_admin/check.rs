//! `card adopt`: does this certificate fit this card?

use countersign_protocol::certificate;
use countersign_protocol::ipc::{CardCheck, CardChecked, ProblemKind};

use super::Desk;
use crate::card::examine;
use crate::person::Person;
use crate::trouble::{Trouble, sentence};

pub(super) fn check(desk: &Desk<'_>, ask: &CardCheck, person: &mut Person) -> Result<CardChecked, Trouble> {
    let certificate = certificate::parse(&ask.certificate.0)
        .map_err(|error| Trouble::new(ProblemKind::Usage, sentence(&error.to_string())))?;
    let chosen = desk.choose(ask.card, person)?;
    let details = chosen.details(person)?;
    let findings = examine(&details.keys, &certificate, desk.agent.wire.time.now());
    Ok(CardChecked {
        card: chosen.card,
        certificate: certificate::fingerprint(&certificate)?,
        accepted: findings.iter().all(|finding| !finding.refuses),
        findings,
    })
}
