//! How a recovery stands, and its end by the new card.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::envelope::statement::{self, StatementRules, VerifiedStatement};
use countersign_protocol::ids::Role;
use countersign_protocol::ledger::{EntryKind, Outcome, detail};
use countersign_protocol::limits;
use countersign_protocol::message::result::Evidence;
use countersign_protocol::message::{RecoveryStanding, RecoveryStep, RecoveryStepReply};
use countersign_protocol::random;

use super::vouched::check_approval;
use super::{Approval, Ending, Recovery, check};
use crate::accounts::{Account, AccountKey};
use crate::context::Context;
use crate::draft::Draft;
use crate::emergency;
use crate::instances::Instance;
use crate::outbox::Purpose;
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::standing::Subject;
use crate::stop::Stop;

/// What the new card signs.
const COMPLETE: &str = "complete";

/// Tells how it stands; with the new card's signature, completes it if it is time.
pub(crate) fn step(ctx: &Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let asked: RecoveryStep = ctx.body()?;
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    if asked.proof.is_some() {
        if instance.forked.is_some() {
            return Err(Reason::Forked.into());
        }
        ctx.may_bind()?;
    }
    let Some(recovery) = ctx.tx().recovery(&asked.id, ctx.now)? else {
        let past = ctx.tx().past_recovery(&asked.id)?.ok_or(Reason::NoRecovery)?;
        let certificate = Binary(past.key.certificate);
        let over = RecoveryStepReply { account: past.account, certificate, standing: RecoveryStanding::Over };
        return Ok(Draft::unrecorded(recipient, &over)?.quietly(true));
    };
    check(ctx, &recovery)?;
    let host = Subject::instance(&instance.fingerprint);
    if ctx.distrusts(&host) {
        return Err(Reason::DatabaseEdited(host.to_string()).into());
    }
    let counted = counted(ctx, &recovery)?;
    let certificate = Binary(recovery.key.certificate.clone());
    let early = ctx.now < recovery.not_before();
    let ready = !early && counted >= limits::RECOVERY_APPROVALS;
    let (true, Some(proof)) = (ready, asked.proof) else {
        let standing = match ready {
            true => RecoveryStanding::Ready,
            false => RecoveryStanding::Waiting {
                not_before: recovery.not_before(),
                expires: recovery.expires(),
                approvals: counted,
                needed: limits::RECOVERY_APPROVALS,
            },
        };
        let reply = RecoveryStepReply { account: recovery.account, certificate, standing };
        return Ok(Draft::unrecorded(recipient, &reply)?.quietly(true));
    };

    let cert = certificate::parse(&recovery.key.certificate).map_err(Reason::certificate)?;
    let rules = StatementRules { server: ctx.server(), instance: &instance.fingerprint, now: ctx.now };
    let verified =
        statement::verify(&proof, &cert, rules).map_err(|error| Reason::Proof(error.to_string()))?;
    binds(&verified, &recovery)?;
    if !ctx.tx().burn_nonce(&verified.statement().nonce, ctx.now)? {
        return Err(Reason::StatementUsed.into());
    }
    complete(ctx, instance, recovery, &verified, Evidence { salt: salt(ctx)?, signed: proof })
}

fn salt(ctx: &Context<'_>) -> Result<Binary, Stop> {
    Ok(Binary(random::array::<32>(ctx.random())?.to_vec()))
}

/// Is this the statement that completes this recovery, by the key that began it?
fn binds(proof: &VerifiedStatement, recovery: &Recovery) -> Result<(), Reason> {
    let signed = proof.statement();
    let wrong = |what: &str| Err(Reason::Proof(format!("it signs another {what}")));
    if !recovery.key.signing.contains(proof.key()) {
        return wrong("key");
    }
    if signed.operation.as_str() != COMPLETE {
        return wrong("operation");
    }
    if signed.account != recovery.account
        || signed.resource.collection() != "recovery"
        || signed.resource.name() != recovery.id.as_str()
    {
        return wrong("recovery");
    }
    if signed.dry_run || signed.body.is_some() || signed.login.is_some() || signed.transcript.is_some() {
        return wrong("purpose");
    }
    Ok(())
}

/// Approvals that count now: of administrators who are that still, by a key that is theirs still.
fn counted(ctx: &Context<'_>, recovery: &Recovery) -> Result<u32, Stop> {
    let mut counted = 0;
    for approval in ctx.tx().approvals(&recovery.id)? {
        check_approval(ctx, &recovery.id, &approval)?;
        let Approval { administrator, key, .. } = approval;
        let trusted = !ctx.distrusts(&Subject::account(&administrator));
        let counts = trusted
            && ctx.tx().account(&administrator)?.is_some_and(|account| {
                account.name != recovery.account
                    && account.roles.contains(&Role::Administrator)
                    && account.active_keys().any(|has| has.primary == key)
            });
        counted += u32::from(counts);
    }
    Ok(counted)
}

fn complete(
    ctx: &Context<'_>,
    instance: &Instance,
    recovery: Recovery,
    proof: &VerifiedStatement,
    evidence: Evidence,
) -> Result<Draft, Stop> {
    let (tx, name) = (ctx.tx(), &recovery.account);
    let begun_by = ctx.now.plus(-limits::RECOVERY_DELAY);
    if !tx.end_recovery(&recovery.id, Ending::Completed, begun_by, ctx.now)? {
        return Err(Reason::NoRecovery.into());
    }
    let account = tx.account(name)?.ok_or(Reason::NoRecovery)?;
    // The card was found again, or vouched for with another one, since it began.
    let cert = certificate::parse(&recovery.key.certificate).map_err(Reason::certificate)?;
    if account.has_any_of(&cert) {
        return Err(Reason::KeyIsTheAccounts(account.name).into());
    }
    let old: Vec<AccountKey> = account.keys().cloned().collect();
    let key = AccountKey { registered: ctx.now, ..recovery.key.clone() };
    if !tx.recover_account(name, &old, &key, ctx.now)? {
        return Err(Reason::AccountNotInvited.into());
    }
    let emergency_code = ctx
        .rules()
        .emergency_codes
        .then(|| emergency::new_code(tx, ctx.random(), name, ctx.now))
        .transpose()?;
    let recovery_code = super::new_code(tx, ctx.random(), ctx.pepper(), name, false, ctx.now)?;
    let told = tell(ctx, &account, &recovery)?;

    let ended: Vec<String> = old.iter().map(|key| key.primary.to_string()).collect();
    let mut entry = ctx.entry(
        EntryKind::Registration,
        Outcome::Allowed,
        "a recovery was completed: the key is the account's only one from now on",
    );
    entry.instance = Some(instance.fingerprint.clone());
    entry.application = Some(instance.application.clone());
    entry.account = Some(name.clone());
    entry.key = Some(key.primary.clone());
    entry.operation = Some(proof.statement().operation.clone());
    entry.resource = Some(proof.statement().resource.clone());
    entry.statement = Some(proof.digest());
    entry.evidence = Some(evidence.digest());
    entry.detail.insert("recovery".into(), recovery.id.to_string());
    entry.detail.insert("signing-key".into(), proof.key().to_string());
    entry.detail.insert("contacts-told".into(), told.to_string());
    if !ended.is_empty() {
        entry.detail.insert(detail::REVOKED_KEY.into(), ended.join(" "));
        entry.detail.insert(detail::OF_ACCOUNT.into(), name.to_string());
    }
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    let certificate = Binary(key.certificate);
    Ok(Draft::recorded(recipient, entry, Some(evidence), move |receipt| RecoveryStepReply {
        account: recovery.account,
        certificate,
        standing: RecoveryStanding::Completed { key: key.primary, receipt, emergency_code, recovery_code },
    }))
}

fn tell(ctx: &Context<'_>, account: &Account, recovery: &Recovery) -> Result<usize, Stop> {
    let text = format!(
        "The recovery {} of your account {} was completed on {}: a new card is its only one, and all cards it had before are \
         worth nothing. If that was not you, tell an administrator now.",
        recovery.id, account.name, ctx.now
    );
    ctx.post().notify(&account.name, Purpose::Recovery, &text)
}
