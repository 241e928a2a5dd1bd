//! The key, and the proof that the card holds it (W12).

use countersign_protocol::binary::Binary;
use countersign_protocol::envelope::statement::{self, StatementRules, VerifiedStatement};
use countersign_protocol::ids::{Digest, Role};
use countersign_protocol::ledger::{EntryKind, Outcome, detail};
use countersign_protocol::message::result::Evidence;
use countersign_protocol::message::{RegistrationRecord, Transcript, UserKey};
use countersign_protocol::random;

use super::alone::{Alone, Means};
use super::{Registration, accepted};
use crate::accounts::{Account, AccountKey};
use crate::contacts::SealedContact;
use crate::context::Context;
use crate::draft::Draft;
use crate::emergency;
use crate::instances::Instance;
use crate::keys::{self, Owner};
use crate::outbox::Bound;
use crate::recovery;
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::standing::Subject;
use crate::stop::Stop;

/// Makes the committed key the account's, if the card signed this very handshake.
pub(crate) fn user_key(ctx: &Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    let body: UserKey = ctx.body()?;
    let registration = ctx
        .tx()
        .registration(&body.registration, ctx.now)?
        .filter(|found| found.instance == instance.fingerprint)
        .ok_or(Reason::HandshakeOver)?;
    if ctx.message().transcript != Some(registration.transcript) {
        return Err(Reason::Transcript.into());
    }
    accepted::check(ctx, &registration)?;
    let rows = [Subject::account(&registration.account), Subject::instance(&instance.fingerprint)];
    if let Some(row) = rows.iter().find(|row| ctx.distrusts(row)) {
        return Err(Reason::DatabaseEdited(row.to_string()).into());
    }
    let cert = keys::receive_user(&body.certificate.0, ctx.now)?;
    // Of the very bytes that came: written anew, a certificate may be in another order.
    if Digest::of(&body.certificate.0) != registration.commitment {
        return Err(Reason::Commitment.into());
    }
    let rules = StatementRules { server: ctx.server(), instance: &instance.fingerprint, now: ctx.now };
    let proof =
        statement::verify(&body.proof, &cert, rules).map_err(|error| Reason::Proof(error.to_string()))?;
    binds(&proof, &registration)?;

    if !ctx.tx().end_registration(&registration.id, ctx.now)? {
        return Err(Reason::HandshakeOver.into());
    }
    let alone = ctx.tx().alone(&registration.id)?;
    let account = match (&alone, ctx.tx().account(&registration.account)?) {
        (None, Some(account)) => account,
        (Some(alone), None) => new_account(ctx, &registration, alone)?,
        // Nobody takes what an administrator made meanwhile, or what never was.
        (None, None) | (Some(_), Some(_)) => return Err(Reason::AccountNotInvited.into()),
    };
    if account.has_any_of(&cert) {
        return Err(Reason::KeyIsTheAccounts(account.name).into());
    }
    let key = AccountKey::pin(&cert, proof.key().clone(), body.authentication, body.card, ctx.now)?;
    keys::claim_all(ctx.tx(), &cert, &Owner::Account(account.name.clone()), ctx.now)?;
    if ctx.tx().is_recovery(&registration.id)? {
        return recovery::begin(ctx, instance, &registration, key, &proof, body.proof);
    }
    let replaced = replaced(ctx, &account)?;
    let mut recovery_code = None;
    let emergency_code = if let Some(old) = &replaced {
        // Its own card had the code made. What is on paper stays as it is.
        if !ctx.tx().replace_key(&account.name, old, &key, ctx.now)? {
            return Err(Reason::AccountNotInvited.into());
        }
        None
    } else if account.active_key().is_some() {
        // Its own card had the code made. What is on paper stays as it is.
        if !ctx.tx().bind_second_key(&account.name, &key)? {
            return Err(Reason::AccountNotInvited.into());
        }
        None
    } else {
        let account = account.clone().bind(key.clone())?;
        if !ctx.tx().bind_account(&account.name, &key)? {
            return Err(Reason::AccountNotInvited.into());
        }
        let code = recovery::new_code(ctx.tx(), ctx.random(), ctx.pepper(), &account.name, false, ctx.now)?;
        recovery_code = Some(code);
        // Whoever is without a card one day has this in a drawer.
        let code = || emergency::new_code(ctx.tx(), ctx.random(), &account.name, ctx.now);
        ctx.rules().emergency_codes.then(code).transpose()?
    };

    let bound = match (&replaced, account.active_key()) {
        (Some(old), _) => Bound::InPlaceOf(&old.primary),
        (None, Some(_)) => Bound::Beside,
        (None, None) => Bound::Alone,
    };
    let told = ctx.post().key_bound(&account, &key, bound)?;
    let contact = alone.map(|alone| new_contact(ctx, &account, &alone)).transpose()?.flatten();
    let transcript = Transcript::resume(registration.transcript).then(ctx.literal()).digest();
    let evidence = Evidence { salt: Binary(random::array::<32>(ctx.random())?.to_vec()), signed: body.proof };
    let mut entry =
        ctx.entry(EntryKind::Registration, Outcome::Allowed, "the key is the account's from now on");
    entry.instance = Some(instance.fingerprint.clone());
    entry.account = Some(account.name.clone());
    entry.key = Some(key.primary.clone());
    entry.operation = Some(proof.statement().operation.clone());
    entry.resource = Some(proof.statement().resource.clone());
    entry.statement = Some(proof.digest());
    entry.evidence = Some(evidence.digest());
    entry.detail.insert("signing-key".into(), proof.key().to_string());
    entry.detail.insert("transcript".into(), transcript.to_string());
    if let Some(old) = &replaced {
        entry.detail.insert(detail::REVOKED_KEY.into(), old.primary.to_string());
        entry.detail.insert(detail::OF_ACCOUNT.into(), account.name.to_string());
        entry.detail.insert("rotation".into(), "it took the place of a key that vouched for it".into());
    }
    if told > 0 {
        entry.detail.insert("contacts-told".into(), told.to_string());
    }
    entry.detail.extend(contact.map(|reference| ("contact".to_owned(), reference.to_string())));
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    let draft = Draft::recorded(recipient, entry, Some(evidence), move |receipt| RegistrationRecord {
        account: account.name,
        certificate: key.primary,
        transcript,
        receipt,
        emergency_code,
        recovery_code,
        recovery: None,
    });
    Ok(draft.with_transcript(transcript))
}

/// The key whose place this one takes, if the code was made for that.
fn replaced(ctx: &Context<'_>, account: &Account) -> Result<Option<AccountKey>, Stop> {
    let Some(wanted) = ctx.tx().replacement(&account.name)? else { return Ok(None) };
    let old = account.active_keys().find(|key| key.primary == wanted).cloned();
    // Whoever ended it ended the code, too.
    old.map(Some).ok_or_else(|| Reason::AccountNotInvited.into())
}

/// The account of somebody who came alone. Who showed an address is a user; who showed nothing is nobody until an
/// administrator says who they are (W8). Neither opens any login.
fn new_account(ctx: &Context<'_>, registration: &Registration, alone: &Alone) -> Result<Account, Stop> {
    let roles = match alone.means(ctx.store_key())? {
        Means::Address(_) => vec![Role::User],
        Means::Totp(_) => Vec::new(),
    };
    let account = Account::pending(registration.account.clone(), Vec::new(), roles);
    if ctx.tx().add_account(&account, ctx.now)? { Ok(account) } else { Err(Reason::AccountNotInvited.into()) }
}

/// The address that the code went to is the account's; what the ledger calls it.
fn new_contact(ctx: &Context<'_>, account: &Account, alone: &Alone) -> Result<Option<Digest>, Stop> {
    let Means::Address(address) = alone.means(ctx.store_key())? else { return Ok(None) };
    let contact = SealedContact::seal(ctx.store_key(), ctx.pepper(), ctx.random(), &address, ctx.now)?;
    if !ctx.tx().add_contact(&account.name, &contact)? {
        return Err(Reason::AddressTaken.into());
    }
    Ok(Some(contact.open(ctx.store_key())?.reference))
}

/// Is this the `bind-key` statement of this registration, and nothing else?
fn binds(proof: &VerifiedStatement, registration: &Registration) -> Result<(), Reason> {
    let signed = proof.statement();
    let wrong = |what: &str| Err(Reason::Proof(format!("it signs another {what}")));
    if signed.operation.as_str() != "bind-key" {
        return wrong("operation");
    }
    if signed.account != registration.account
        || signed.resource.collection() != "account"
        || signed.resource.name() != registration.account.as_str()
    {
        return wrong("account");
    }
    if signed.transcript != Some(registration.transcript) {
        return wrong("handshake");
    }
    // Before the code was right there is no nonce, and nothing equals it.
    if registration.server_nonce != Some(signed.nonce) {
        return wrong("nonce");
    }
    if signed.dry_run || signed.body.is_some() || signed.login.is_some() || signed.service.is_some() {
        return wrong("purpose");
    }
    Ok(())
}
