//! A code was typed at a host that can ask us.

use countersign_protocol::emergency::is_console_service;
use countersign_protocol::envelope::is_code_of;
use countersign_protocol::envelope::statement::{self, StatementRules};
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{Check, EntryKind, Outcome, detail};
use countersign_protocol::limits;
use countersign_protocol::message::result::EmergencyUsed;
use countersign_protocol::message::{Decision, EmergencyUse, JobReply};
use countersign_protocol::statement::Statement;

use super::wrong_field;
use crate::context::{AS_RECORDED, Context};
use crate::draft::Draft;
use crate::instances::Instance;
use crate::policy::{Facts, PolicyDecision};
use crate::refusal::{Reason, short};
use crate::replies::Recipient;
use crate::stop::Stop;

/// What became of a try.
struct Ruling {
    decision: Decision,
    reason: String,
    policies: Vec<String>,
    check: Check,
    /// For the ledger.
    word: &'static str,
}

impl Ruling {
    fn denied(word: &'static str, reason: impl Into<String>, policies: Vec<String>, check: &str) -> Self {
        let (decision, check) = (Decision::Denied, Check::failed(check));
        // It may quote a name of any length.
        Self { decision, reason: short(&reason.into()), policies, check, word }
    }
}

/// Decides a login by an emergency code, and records it as an alarm either way.
pub(crate) fn emergency_use(ctx: &Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let asked: EmergencyUse = ctx.body()?;
    let rules = StatementRules { server: ctx.server(), instance: &instance.fingerprint, now: ctx.now };
    let statement = statement::read(&asked.statement.0, rules)
        .map_err(|error| Stop::from(Reason::Statement(error.to_string())))?;
    if let Some(field) = wrong_field(&statement, &instance.fingerprint) {
        return Err(Reason::Statement(format!("it asks for something else than a login: its {field}")).into());
    }
    if !ctx.tx().burn_nonce(&statement.nonce, ctx.now)? {
        return Err(Reason::StatementUsed.into());
    }
    let digest = Digest::of(&asked.statement.0);
    let ruling = rule(ctx, instance, &statement, &asked, &digest)?;

    let outcome = match ruling.decision {
        Decision::Allowed => Outcome::Allowed,
        Decision::Denied => Outcome::Denied,
    };
    let mut entry = ctx.entry(EntryKind::Alarm, outcome, ruling.reason.clone());
    entry.instance = Some(instance.fingerprint.clone());
    entry.application = Some(instance.application.clone());
    entry.account = Some(statement.account.clone());
    entry.operation = Some(statement.operation.clone());
    entry.resource = Some(statement.resource.clone());
    entry.login.clone_from(&statement.login);
    entry.service.clone_from(&statement.service);
    entry.checks = vec![
        Check::passed("instance-signature"),
        Check::passed("instance-active"),
        Check::passed("statement-unused"),
        ruling.check,
    ];
    entry.policy_epoch = ctx.policy()?.epoch();
    entry.policies = ruling.policies;
    entry.statement = Some(digest);
    entry.detail.insert(detail::EMERGENCY_CODE.into(), ruling.word.into());
    let (decision, reason, correlation) = (ruling.decision, ruling.reason, ctx.correlation.clone());
    let answer = move |receipt| JobReply {
        decision,
        reason,
        correlation,
        receipt,
        dry_run: None,
        job: None,
        waiting: None,
        result: None,
    };
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    // Whether it was used up or tried too often, rosters may not have it any more.
    Ok(Draft::recorded(recipient, entry, None, answer))
}

fn rule(
    ctx: &Context<'_>,
    instance: &Instance,
    statement: &Statement,
    asked: &EmergencyUse,
    digest: &Digest,
) -> Result<Ruling, Stop> {
    if !ctx.rules().emergency_codes {
        let why = "This server has no emergency codes.";
        return Ok(Ruling::denied("refused", why, Vec::new(), "emergency-codes-allowed"));
    }
    let service = statement.service.as_ref();
    if !service.is_some_and(is_console_service) {
        let why =
            "An emergency code is for the console: login, su, and the login screens of display managers.";
        return Ok(Ruling::denied("not-at-a-console", why, Vec::new(), "console-service"));
    }
    if let Err(why) = ctx.as_recorded(&statement.account, &instance.fingerprint) {
        return Ok(Ruling::denied("refused", why, Vec::new(), AS_RECORDED));
    }
    let account = ctx.tx().account(&statement.account)?;
    let Some(account) = account.filter(|account| account.active_key().is_some()) else {
        return Ok(Ruling::denied("refused", NOT_ACCEPTED, Vec::new(), "account-active"));
    };
    let (policies, reason) =
        match ctx.policy()?.decide(&Facts::of_request(&account, instance, statement, None, ctx.now)) {
            PolicyDecision::Allowed { policies, reason, .. } => (policies, reason),
            PolicyDecision::Denied { policies, reason } => {
                return Ok(Ruling::denied("refused", reason, policies, "policy"));
            }
        };
    let Some(verifier) = ctx.tx().try_emergency_code(&account.name)? else {
        return Ok(Ruling::denied("none-left", NOT_ACCEPTED, policies, "emergency-code"));
    };
    if !is_code_of(&asked.code, &verifier) {
        return Ok(Ruling::denied("wrong", NOT_ACCEPTED, policies, "emergency-code"));
    }
    if !ctx.tx().use_emergency_code(&account.name, &verifier.salt, digest, ctx.now)? {
        return Ok(Ruling::denied("none-left", NOT_ACCEPTED, policies, "emergency-code"));
    }
    if let Some(login) = &statement.login {
        let claimed_hostname = instance.claimed_hostname.clone();
        let used = EmergencyUsed { at: ctx.now, claimed_hostname, login: login.clone() };
        ctx.tx().note_emergency_use(&account.name, &verifier.salt, &instance.fingerprint, &used)?;
    }
    let reason = format!("The emergency code of {} was used. {reason}", account.name);
    let check = Check::passed("emergency-code");
    Ok(Ruling { decision: Decision::Allowed, reason, policies, check, word: "used" })
}

/// The same for a code that is wrong, was used, was ended, or never was.
const NOT_ACCEPTED: &str = "The emergency code was not accepted: it is wrong, or was used or ended. After 5 wrong tries \
                            it ends; its owner makes another with the card: countersign emergency-code ACCOUNT";

const _: () = assert!(limits::EMERGENCY_TRIES == 5, "the sentence above says 5");
