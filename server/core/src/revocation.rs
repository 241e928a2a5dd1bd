//! A key that says of itself that it is over: its revocation certificate is honoured, whoever brings it.

use countersign_protocol::certificate::{self, RevocationError, Revoked, read_revocations};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CorrelationId, Digest, Fingerprint, Role};
use countersign_protocol::ledger::{EntryKind, Outcome, detail};
use countersign_protocol::message::{Revocation, RevocationReply};

use crate::accounts::AccountKey;
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::keys::Owner;
use crate::outbox::{EndedBy, Purpose};
use crate::recovery;
use crate::replies::Recipient;
use crate::stop::Stop;

/// A key of an account that ends by its own word.
pub(crate) struct Ending {
    pub(crate) account: AccountName,
    pub(crate) key: AccountKey,
    pub(crate) revoked: Revoked,
    /// It is not the account's: it waits in this recovery to become that.
    pub(crate) recovery: Option<CorrelationId>,
}

impl Ending {
    /// For the ledger: what anybody who has the certificate can compare with, and nothing that its owner wrote into it.
    pub(crate) fn detail(&self) -> [(&'static str, String); 3] {
        let kind = if self.revoked.hard { "hard" } else { "soft" };
        [
            ("revocation", format!("{kind}: {}", self.revoked.reason)),
            ("revocation-certificate", Digest::of(&self.revoked.signature).to_string()),
            ("revocation-kept", "beside the key".to_owned()),
        ]
    }
}

/// The key of an account that this certificate ends.
///
/// # Errors
/// The store's; inside, what to tell whoever brought it.
pub(crate) fn ending(ctx: &Context<'_>, bytes: &[u8]) -> Result<Result<Ending, String>, Stop> {
    let revocations = match read_revocations(bytes) {
        Ok(revocations) => revocations,
        Err(error) => return Ok(Err(sentence(&error))),
    };
    let mut why = "It is of no key that an account has.".to_owned();
    for issuer in revocations.issuers() {
        let Some((account, key, recovery)) = key_of(ctx, &issuer)? else { continue };
        let Ok(cert) = certificate::parse(&key.certificate) else { continue };
        match revocations.of(&cert, ctx.now) {
            Ok(revoked) => return Ok(Ok(Ending { account, key, revoked, recovery })),
            Err(error) => why = sentence(&error),
        }
    }
    Ok(Err(why))
}

type Found = (AccountName, AccountKey, Option<CorrelationId>);

fn key_of(ctx: &Context<'_>, issuer: &Fingerprint) -> Result<Option<Found>, Stop> {
    let Some(Owner::Account(owner)) = ctx.tx().owner(issuer)? else { return Ok(None) };
    let Some(account) = ctx.tx().account(&owner)? else { return Ok(None) };
    if let Some(key) = account.keys().find(|key| key.primary == *issuer).cloned() {
        return Ok(Some((owner, key, None)));
    }
    let waiting = account.recovery.map(|id| ctx.tx().recovery(&id, ctx.now)).transpose()?.flatten();
    let waiting = waiting.filter(|recovery| recovery.key.primary == *issuer);
    Ok(waiting.map(|recovery| (owner, recovery.key, Some(recovery.id))))
}

fn sentence(error: &RevocationError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Ends the key, unless it is the last administrator's; `None` then.
///
/// # Errors
/// The store's, or no randomness.
pub(crate) fn end(ctx: &Context<'_>, ending: &Ending, now: Timestamp) -> Result<Option<()>, Stop> {
    let Ending { account, key, revoked, recovery } = ending;
    if let Some(id) = recovery {
        ctx.tx().end_recovery(id, recovery::Ending::Withdrawn, now, now)?;
        ctx.tx().forbid_key(account, key, now)?;
        ctx.tx().keep_revocation(&key.primary, &revoked.signature)?;
        let text = format!(
            "The recovery {id} of your account {account} was ended on {now}, by the revocation certificate of the key that it \
             was for; nothing changed. The recovery code is used up. With your card, make another: countersign recover \
             new-code {account}"
        );
        ctx.post().notify(account, Purpose::Recovery, &text)?;
        return Ok(Some(()));
    }
    if !ctx.tx().revoke_key(account, key, Role::Administrator.as_str(), now)? {
        return Ok(None);
    }
    ctx.tx().keep_revocation(&key.primary, &revoked.signature)?;
    ctx.post().key_ended(account, &key.primary, EndedBy::Itself(revoked.reason))?;
    Ok(Some(()))
}

/// A revocation certificate that somebody brought to a host. No card is asked for: nobody but the key can have made it.
pub(crate) fn revocation(ctx: &Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let brought: Revocation = ctx.body()?;
    let found = ending(ctx, &brought.certificate.0)?;
    let (outcome, reason, ended) = match found {
        Err(why) => (Outcome::Denied, why, None),
        Ok(ending) => match end(ctx, &ending, ctx.now)? {
            Some(()) => (
                Outcome::Allowed,
                "The key is over by its own revocation certificate.".to_owned(),
                Some(ending),
            ),
            None => {
                let why = "It is the last administrator's only key. Make another administrator first, or on the server's \
                           machine: countersign-server invite --replace-key";
                (Outcome::Denied, why.to_owned(), None)
            }
        },
    };
    let mut entry = ctx.entry(EntryKind::Revocation, outcome, reason.clone());
    entry.instance = Some(instance.fingerprint.clone());
    entry.application = Some(instance.application.clone());
    if let Some(ending) = &ended {
        entry.account = Some(ending.account.clone());
        let (key, account) = (ending.key.primary.to_string(), ending.account.to_string());
        entry.detail.extend(ending.detail().map(|(name, words)| (name.to_owned(), words)));
        entry.detail.extend(ending.recovery.as_ref().map(|id| ("withdrawn".to_owned(), id.to_string())));
        entry.detail.insert(detail::REVOKED_KEY.into(), key);
        entry.detail.insert(detail::OF_ACCOUNT.into(), account);
    }
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    let (account, key) = ended.map(|ending| (ending.account, ending.key.primary)).unzip();
    Ok(Draft::recorded(recipient, entry, None, move |receipt| RevocationReply {
        account,
        key,
        reason,
        receipt,
    }))
}
