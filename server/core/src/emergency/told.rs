//! A host tells of a login by an emergency code that it decided while it could not reach us.

use countersign_protocol::binary::Binary;
use countersign_protocol::emergency::is_console_service;
use countersign_protocol::envelope::open_roster;
use countersign_protocol::envelope::statement::{self, StatementRules};
use countersign_protocol::ids::{Digest, Fingerprint};
use countersign_protocol::ledger::{Check, Entry, EntryKind, Outcome, detail};
use countersign_protocol::limits;
use countersign_protocol::message::result::EmergencyUsed;
use countersign_protocol::message::{OfflineEmergency, OfflineUseReply, OfflineVerdict};
use countersign_protocol::statement::Statement;

use super::wrong_field;
use crate::context::{AS_RECORDED, Context};
use crate::core::Core;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::keys::Owner;
use crate::prepared::Prepared;
use crate::refusal::{Reason, short};
use crate::replies::Recipient;
use crate::stop::{Failure, Stop};
use crate::store::{StoreError, View};

/// What we said of it when it was told before, in another envelope.
///
/// # Errors
/// The store's.
pub(crate) fn said_before(
    core: &Core,
    view: &dyn View,
    instance: &Instance,
    told: &OfflineEmergency,
) -> Result<Option<OfflineUseReply>, Failure> {
    let name = as_named_then(&view.names(&instance.fingerprint)?, instance, told);
    let Some(place) = view.offline_use(&name, &Digest::of(&told.statement.0))? else { return Ok(None) };
    let receipt = core.ledger().recall(view, place)?.receipt().clone();
    let entry = Entry::from_bytes(&receipt.entry.0).map_err(|error| Failure::Reply(error.to_string()))?;
    let good = entry.checks.iter().all(|check| check.passed);
    let verdict = if good { OfflineVerdict::Accepted } else { OfflineVerdict::Disputed };
    Ok(Some(OfflineUseReply { verdict, reason: entry.reason, receipt }))
}

/// The host's key may have changed since.
fn as_named_then(names: &[Fingerprint], instance: &Instance, told: &OfflineEmergency) -> Fingerprint {
    let then = Statement::from_bytes(&told.statement.0).ok().map(|statement| statement.instance);
    then.filter(|then| names.contains(then)).unwrap_or_else(|| instance.fingerprint.clone())
}

/// Records the use, as one that we would have let in or as one that must not have been. Either is an alarm.
pub(crate) fn offline_emergency(
    ctx: &Context<'_>,
    instance: &Instance,
    prepared: Prepared,
) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let told: OfflineEmergency = ctx.body()?;
    let Prepared::OfflineEmergency(before) = prepared else { return Err(Reason::UnknownSender.into()) };
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    let digest = Digest::of(&told.statement.0);
    if let Some(reply) = before {
        return Ok(Draft::unrecorded(recipient, &reply)?.quietly(true));
    }
    let name = as_named_then(&ctx.tx().names(&instance.fingerprint)?, instance, &told);
    // The entry is the next one: nothing else is appended here.
    let place = ctx.tx().size()?;
    if !ctx.tx().note_offline_use(&name, &digest, place)? {
        let meanwhile = "the same offline use was recorded a moment ago; it can be asked for now";
        return Err(Failure::Store(StoreError::Unavailable(meanwhile.into())).into());
    }

    let (salt, judged) = judge(ctx, &name, &told, &digest)?;
    let (verdict, reason, check) = match judged {
        Ok(()) => {
            let words = format!(
                "The emergency code of {} was used on {}, without the server.",
                told.account, told.at
            );
            (OfflineVerdict::Accepted, words, Check::passed("emergency-code"))
        }
        Err((check, why)) => (OfflineVerdict::Disputed, short(&why), Check::failed(check)),
    };
    // Whatever we hold of it, somebody was let in: the person hears of it, if this host had their code from us. Else any
    // host could say anything to anybody.
    if let Some(salt) = salt {
        let used = EmergencyUsed {
            at: told.at,
            claimed_hostname: instance.claimed_hostname.clone(),
            login: told.login.clone(),
        };
        ctx.tx().note_emergency_use(&told.account, &salt, &name, &used)?;
    }

    let mut entry = ctx.entry(EntryKind::Alarm, Outcome::Noted, reason.clone());
    entry.correlation = told.correlation;
    entry.instance = Some(name);
    entry.application = Some(instance.application.clone());
    entry.account = Some(told.account);
    entry.login = Some(told.login);
    entry.service = Some(told.service);
    entry.checks = vec![check];
    entry.statement = Some(digest);
    let word = if verdict == OfflineVerdict::Accepted { "used-offline" } else { "disputed" };
    entry.detail.insert(detail::EMERGENCY_CODE.into(), word.into());
    entry.detail.insert(detail::AT.into(), told.at.to_string());
    entry.detail.insert("roster".into(), Digest::of(&told.roster.roster.0).to_string());
    // Rosters must not have the code any more.
    Ok(Draft::recorded(recipient, entry, None, move |receipt| OfflineUseReply { receipt, verdict, reason }))
}

/// The first thing that is wrong with it: the name of the check, and a sentence.
type Wrong = (&'static str, String);

/// Which code it was, if this host had it from us; and what is wrong.
fn judge(
    ctx: &Context<'_>,
    name: &Fingerprint,
    told: &OfflineEmergency,
    digest: &Digest,
) -> Result<(Option<Binary>, Result<(), Wrong>), Stop> {
    let (salt, wrong) = match permitted(ctx, name, told) {
        Ok(salt) => (Some(salt), None),
        Err((salt, wrong)) => (salt, Some(wrong)),
    };
    // Whatever else is wrong, the request and the code are worth nothing from now on.
    if let Ok(statement) = Statement::from_bytes(&told.statement.0) {
        let _burned = ctx.tx().burn_nonce(&statement.nonce, ctx.now)?;
    }
    let used = match &salt {
        Some(salt) => {
            ctx.tx().use_emergency_code(&told.account, salt, digest, ctx.now)?
                || ctx.tx().is_used_for(&told.account, salt, digest)?
        }
        None => false,
    };
    if let Some(wrong) = wrong {
        return Ok((salt, Err(wrong)));
    }
    if let Err(why) = ctx.as_recorded(&told.account, name) {
        return Ok((salt, Err((AS_RECORDED, why))));
    }
    if !used {
        let why = format!(
            "The emergency code of {} was used without the server on {}, and had been used, ended or replaced before we \
             were told.",
            told.account, told.at
        );
        return Ok((salt, Err(("emergency-code", why))));
    }
    if let Some(since) = ctx.tx().suspended_since(&told.account)?
        && since <= told.at
    {
        let why = format!("The account {} is suspended since {since}.", told.account);
        return Ok((salt, Err(("account-active", why))));
    }
    if ctx.tx().lifted_bar(&Owner::Account(told.account.clone()), told.at)?.is_some() {
        let why = format!("The account {} was suspended then.", told.account);
        return Ok((salt, Err(("account-active", why))));
    }
    Ok((salt, Ok(())))
}

/// Whether the roster let the host decide so; and which code it was, as far as our own signature says.
fn permitted(
    ctx: &Context<'_>,
    name: &Fingerprint,
    told: &OfflineEmergency,
) -> Result<Binary, (Option<Binary>, Wrong)> {
    let server = ctx.identity().archive();
    let roster = open_roster(&told.roster, server, name, told.at)
        .map_err(|error| (None, ("roster-signature", format!("The roster is not good: {error}."))))?;
    let held = roster
        .entry(&told.login)
        .and_then(|entry| entry.accounts.iter().find(|one| one.account == told.account)?.emergency.clone());
    let Some(verifier) = held else {
        let why =
            format!("The roster has no emergency code of {} for the login {}.", told.account, told.login);
        return Err((None, ("roster-permits", why)));
    };
    let salt = verifier.salt;
    let wrong = |check, why: String| Err((Some(salt.clone()), (check, why)));
    let rules = StatementRules { server: ctx.server(), instance: name, now: told.at };
    let statement = match statement::read(&told.statement.0, rules) {
        Ok(statement) => statement,
        Err(error) => return wrong("statement", format!("The request is not good: {error}.")),
    };
    let agrees = wrong_field(&statement, name).is_none()
        && statement.account == told.account
        && statement.login.as_ref() == Some(&told.login)
        && statement.service.as_ref() == Some(&told.service);
    if !agrees {
        return wrong("names", "The request is another one than the host tells of.".to_owned());
    }
    if told.at.seconds_since(ctx.now) > limits::CLOCK_SKEW {
        return wrong("time", format!("It is told before it happened, on {}.", told.at));
    }
    if !roster.permits_emergency(&told.login, &told.account, &told.service, told.at)
        || !is_console_service(&told.service)
    {
        return wrong(
            "roster-permits",
            format!(
                "The roster does not let the emergency code of {} open the login {} by {} without the server on {}.",
                told.account, told.login, told.service, told.at
            ),
        );
    }
    Ok(salt)
}
