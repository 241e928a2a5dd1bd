//! The code was right, and the new card proved its key: from now on everybody is told.

use countersign_protocol::binary::Binary;
use countersign_protocol::envelope::statement::VerifiedStatement;
use countersign_protocol::key_words::key_words;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::result::Evidence;
use countersign_protocol::message::{RecoveryBegun, RegistrationRecord, Transcript};
use countersign_protocol::random;
use countersign_protocol::statement::SignedStatement;

use super::{Recovery, sealed};
use crate::accounts::{AccountKey, AccountState};
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::outbox::Purpose;
use crate::refusal::Reason;
use crate::registration::Registration;
use crate::replies::Recipient;
use crate::stop::Stop;

/// Remembers the key. Nothing is the account's yet, and nothing of it ends.
pub(crate) fn begin(
    ctx: &Context<'_>,
    instance: &Instance,
    registration: &Registration,
    key: AccountKey,
    proof: &VerifiedStatement,
    signed: SignedStatement,
) -> Result<Draft, Stop> {
    let account = ctx.tx().account(&registration.account)?.ok_or(Reason::AccountNotInvited)?;
    if !matches!(account.state, AccountState::Active(_) | AccountState::Pending) {
        return Err(Reason::AccountNotInvited.into());
    }
    // A newer code ends what an older one opened: it is the one that was compared.
    let by_card = ctx.tx().use_recovery_code(&account.name, ctx.now)?.ok_or(Reason::HandshakeOver)?;
    let recovery = Recovery {
        id: ctx.correlation.clone(),
        account: account.name.clone(),
        key,
        claimed_hostname: instance.claimed_hostname.clone(),
        begun: ctx.now,
        by_card,
        mac: None,
    };
    let recovery = sealed(ctx.pepper(), recovery);
    if !ctx.tx().add_recovery(&recovery)? {
        return Err(Reason::RecoveryUnderWay.into());
    }
    let begun = RecoveryBegun {
        id: recovery.id.clone(),
        not_before: recovery.not_before(),
        expires: recovery.expires(),
        approvals: limits::RECOVERY_APPROVALS,
    };
    let text = format!(
        "Somebody with the recovery code of your account {0} asked on {1}, at a host that calls itself {2}, that a new card \
         become its only one. Its key words: {3}. Unless somebody ends it, that happens after {4}, once {5} administrators \
         have signed for it.\n\nIf that was not you, end it now with your card: countersign recover withdraw {6}\nWithout a \
         card, tell an administrator the reference {6}.",
        account.name,
        ctx.now,
        instance.claimed_hostname,
        key_words(&recovery.key.primary),
        begun.not_before,
        limits::RECOVERY_APPROVALS,
        recovery.id
    );
    let told = ctx.post().notify(&account.name, Purpose::Recovery, &text)?;

    let transcript = Transcript::resume(registration.transcript).then(ctx.literal()).digest();
    let evidence = Evidence { salt: Binary(random::array::<32>(ctx.random())?.to_vec()), signed };
    let mut entry = ctx.entry(
        EntryKind::Recovery,
        Outcome::Noted,
        "a recovery began: the code on paper was right; nothing changes before administrators sign and a day has passed",
    );
    entry.instance = Some(instance.fingerprint.clone());
    entry.application = Some(instance.application.clone());
    entry.account = Some(account.name.clone());
    entry.key = Some(recovery.key.primary.clone());
    entry.operation = Some(proof.statement().operation.clone());
    entry.resource = Some(proof.statement().resource.clone());
    entry.statement = Some(proof.digest());
    entry.evidence = Some(evidence.digest());
    entry.detail.insert("recovery".into(), recovery.id.to_string());
    entry.detail.insert("recovery-code".into(), "used".into());
    entry.detail.insert("not-before".into(), begun.not_before.to_string());
    entry.detail.insert("contacts-told".into(), told.to_string());
    entry.detail.insert("transcript".into(), transcript.to_string());
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    let certificate = recovery.key.primary;
    let draft = Draft::recorded(recipient, entry, Some(evidence), move |receipt| RegistrationRecord {
        account: account.name,
        certificate,
        transcript,
        receipt,
        emergency_code: None,
        recovery_code: None,
        recovery: Some(begun),
    });
    Ok(draft.quietly(true).with_transcript(transcript))
}
