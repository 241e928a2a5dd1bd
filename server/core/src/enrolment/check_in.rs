//! "I am here; what is new?"

use std::collections::BTreeSet;

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::{InvalidId, LoginName, Operation, ResourceName};
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::message::{CheckIn, CheckInReply, InstanceState, RosterAccount, RosterEntry};

use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::jobs::OPEN_SESSION;
use crate::policy::{Facts, PolicyDecision};
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::stop::{Failure, Stop};

/// Most login names one host may ask for.
const LOGINS: usize = 500;

/// Counts the check-in and tells the host where it stands.
///
/// Only an alarm is recorded: hosts check in every few minutes, for years.
pub(crate) fn check_in(ctx: &mut Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let body: CheckIn = ctx.body()?;
    if body.logins.len() > LOGINS {
        return Err(Reason::Body(format!("{} login names; at most {LOGINS}", body.logins.len())).into());
    }
    // The counter is saved before it is sent: the same one twice means two hosts with one key (W25).
    if !ctx.tx().count_check_in(&instance.fingerprint, body.counter, ctx.now)? {
        alarm(ctx, instance, body.counter)?;
    }

    // Whoever is not let in yet, or no more, need not know who may log in.
    let logins = if instance.state == InstanceState::Active { body.logins } else { Vec::new() };
    let mut once = BTreeSet::new();
    let roster = logins
        .iter()
        .filter(|login| once.insert(login.as_str()))
        .map(|login| roster_entry(ctx, instance, login))
        .collect::<Result<Vec<_>, Stop>>()?;
    let (checkpoint, consistency) = ctx.newest_checkpoint(body.ledger_size)?;
    let reply = CheckInReply {
        state: instance.state,
        policy_epoch: ctx.policy().epoch(),
        roster,
        checkpoint,
        consistency,
    };
    Ok(Draft::unrecorded(Recipient::Instance(instance.fingerprint.clone()), &reply)?)
}

fn alarm(ctx: &mut Context<'_>, instance: &Instance, counter: u64) -> Result<(), Stop> {
    if !ctx.tx().mark_forked(&instance.fingerprint, ctx.now)? {
        // It is in the ledger already, and the same again would only bury it.
        return Ok(());
    }
    let mut entry = ctx.entry(
        EntryKind::Alarm,
        Outcome::Noted,
        "a check-in counter came again: the host was cloned or set back. Logins go on; key updates and \
         administration from it stop until an administrator decides",
    );
    entry.instance = Some(instance.fingerprint.clone());
    entry.detail.insert("counter".into(), counter.to_string());
    entry.detail.insert("counter-before".into(), instance.counter.to_string());
    ctx.append(&entry)
}

/// Whose cards may open this login name here, as far as policy knows before anyone asks.
fn roster_entry(ctx: &Context<'_>, instance: &Instance, login: &LoginName) -> Result<RosterEntry, Stop> {
    let (operation, resource) = session_on(instance)?;
    let mut accounts = Vec::new();
    for account in ctx.tx().accounts_of_login(login)? {
        let Some(key) = account.active_key() else { continue };
        let facts = Facts {
            account: account.facts(),
            instance: instance.facts(),
            operation: &operation,
            resource: &resource,
            login: Some(login),
            service: None,
        };
        if let PolicyDecision::Allowed { .. } = ctx.policy().decide(&facts) {
            accounts.push(RosterAccount {
                account: account.name.clone(),
                certificate: Binary(key.certificate.clone()),
                keys: key.signing.clone(),
            });
        }
    }
    Ok(RosterEntry { login: login.clone(), accounts })
}

fn session_on(instance: &Instance) -> Result<(Operation, ResourceName), Failure> {
    let invalid = |error: InvalidId| Failure::Policy(error.to_string());
    let operation = OPEN_SESSION.parse().map_err(invalid)?;
    let resource = format!("session/{}", instance.fingerprint).parse().map_err(invalid)?;
    Ok((operation, resource))
}
