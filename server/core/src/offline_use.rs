//! A host tells of a login that it let in by its roster while it could not reach us.
//!
//! It happened, whatever we think of it: every one is recorded, and one that we would not have let in is an alarm.

mod examine;
mod judge;

pub(crate) use examine::Examined;

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Digest, Fingerprint};
use countersign_protocol::ledger::{Check, Entry, EntryKind, Outcome, detail};
use countersign_protocol::limits;
use countersign_protocol::message::result::Evidence;
use countersign_protocol::message::{OfflineUse, OfflineUseReply, OfflineVerdict};
use countersign_protocol::random;

use self::judge::Judgement;
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::keys::Owner;
use crate::prepared::Prepared;
use crate::refusal::{Reason, short};
use crate::replies::Recipient;
use crate::stop::{Failure, Stop};
use crate::store::StoreError;

/// Records the use, as one that we would have let in or as an alarm.
pub(crate) fn offline_use(
    ctx: &mut Context<'_>,
    instance: &Instance,
    prepared: Prepared,
) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let Prepared::OfflineUse(examined) = prepared else { return Err(Reason::UnknownSender.into()) };
    let mut examined = *examined?;
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    // Told before, in another envelope.
    if let Some(reply) = examined.again.take() {
        return Ok(Draft::unrecorded(recipient, &reply)?.quietly(true));
    }
    // The entry is the next one: nothing else is appended here.
    let place = ctx.tx().size()?;
    if !ctx.tx().note_offline_use(&examined.made_on.fingerprint, &examined.digest, place)? {
        let meanwhile = "the same offline use was recorded a moment ago; it can be asked for now";
        return Err(Failure::Store(StoreError::Unavailable(meanwhile.into())).into());
    }
    let judgement = Judgement::of(ctx, &examined)?;
    let evidence = evidence(ctx, &examined.told)?;
    let entry = entry(ctx, instance, &examined, &judgement, evidence.as_ref())?;
    let (verdict, reason) = (judgement.verdict(), entry.reason.clone());
    let answer = move |receipt| OfflineUseReply { receipt, verdict, reason };
    Ok(Draft::recorded(recipient, entry, evidence, answer).quietly(true))
}

/// What was signed, unless it is larger than anything that a card was ever asked to sign.
fn evidence(ctx: &Context<'_>, told: &OfflineUse) -> Result<Option<Evidence>, Stop> {
    let signed = &told.statement;
    let fits = signed.statement.0.len() <= limits::STATEMENT
        && signed.signature.0.len() <= limits::DETACHED_SIGNATURE;
    if !fits {
        return Ok(None);
    }
    let salt = Binary(random::array::<32>(ctx.random())?.to_vec());
    Ok(Some(Evidence { salt, signed: signed.clone() }))
}

fn entry(
    ctx: &Context<'_>,
    instance: &Instance,
    examined: &Examined,
    judgement: &Judgement,
    evidence: Option<&Evidence>,
) -> Result<Entry, Stop> {
    let told = &examined.told;
    let (kind, outcome) = match judgement.verdict() {
        OfflineVerdict::Accepted => (EntryKind::OfflineUse, Outcome::Allowed),
        OfflineVerdict::Disputed => (EntryKind::Alarm, Outcome::Noted),
    };
    let mut entry = ctx.entry(kind, outcome, short(&judgement.reason));
    entry.correlation = told.correlation.clone();
    entry.instance = Some(examined.made_on.fingerprint.clone());
    entry.application = Some(instance.application.clone());
    entry.checks.clone_from(&judgement.checks);
    entry.policy_epoch = ctx.policy()?.epoch();
    entry.policies.clone_from(&judgement.policies);
    // What the person signed, where that is certain; else what the host says.
    if let Some((statement, primary)) = examined.proven() {
        entry.key = Some(primary.clone());
        entry.account = Some(statement.account.clone());
        entry.operation = Some(statement.operation.clone());
        entry.resource = Some(statement.resource.clone());
        entry.login.clone_from(&statement.login);
        entry.service.clone_from(&statement.service);
    } else {
        entry.account = Some(told.account.clone());
        entry.login = Some(told.login.clone());
        entry.service = Some(told.service.clone());
    }
    if let Some(evidence) = evidence {
        entry.statement = Some(examined.digest);
        entry.evidence = Some(evidence.digest());
    }
    let mut add = |name: &str, what: String| entry.detail.insert(name.to_owned(), what);
    add("offline-use", told.use_number.to_string());
    add(detail::AT, told.at.to_string());
    add("roster", Digest::of(&told.roster.roster.0).to_string());
    if let Ok(roster) = &examined.roster {
        add("roster-issued", roster.roster().issued.to_string());
        add("roster-uses", roster.roster().offline_uses.to_string());
    }
    if examined.made_on.fingerprint != instance.fingerprint {
        add("told-by", instance.fingerprint.to_string());
    }
    if let Some(place) = judgement.decided {
        add("decided-online", place.to_string());
    }
    // A card's number leads to a person: the server can recognise it again, and nobody can read it here.
    let card = ctx.pepper().mac(&[b"card", told.card.to_string().as_bytes()]);
    add("card", Digest::from_bytes(card).to_string());
    Ok(entry)
}

impl Judgement {
    fn verdict(&self) -> OfflineVerdict {
        if self.checks.iter().all(|check| check.passed) {
            OfflineVerdict::Accepted
        } else {
            OfflineVerdict::Disputed
        }
    }
}

/// What the ledger says of a use that was told before.
fn verdict_of(entry: &Entry) -> OfflineVerdict {
    match entry.kind {
        EntryKind::OfflineUse if entry.checks.iter().all(|check: &Check| check.passed) => {
            OfflineVerdict::Accepted
        }
        _ => OfflineVerdict::Disputed,
    }
}

/// Offline uses in a store.
pub trait OfflineStore: OfflineRead {
    /// Notes that this instance's statement is told of in the entry at `place`. `false` if it was told of before.
    ///
    /// # Errors
    /// [`StoreError`].
    fn note_offline_use(
        &self,
        instance: &Fingerprint,
        statement: &Digest,
        place: u64,
    ) -> Result<bool, StoreError>;

    /// Counts one of an account's uses of a roster. `false` if that number was counted before.
    ///
    /// # Errors
    /// [`StoreError`].
    fn count_offline_use(
        &self,
        roster: &Digest,
        account: &AccountName,
        number: u32,
    ) -> Result<bool, StoreError>;
}

/// Looking for offline uses, and for what an offline use may be about.
pub trait OfflineRead {
    /// Where the ledger tells of this use.
    ///
    /// # Errors
    /// [`StoreError`].
    fn offline_use(&self, instance: &Fingerprint, statement: &Digest) -> Result<Option<u64>, StoreError>;

    /// The entries that this statement lies beside, the first few: it is decided at most once.
    ///
    /// # Errors
    /// [`StoreError`].
    fn entries_of_statement(&self, statement: &Digest) -> Result<Vec<u64>, StoreError>;

    /// Since when an account is barred, if it is.
    ///
    /// # Errors
    /// [`StoreError`].
    fn suspended_since(&self, account: &AccountName) -> Result<Option<Timestamp>, StoreError>;

    /// A bar on this account or instance that was lifted since, but stood at `at`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn lifted_bar(&self, on: &Owner, at: Timestamp) -> Result<Option<LiftedBar>, StoreError>;
}

/// When an account or an instance was suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiftedBar {
    /// From then on …
    pub from: Timestamp,
    /// … and until it was lifted, or became a revocation.
    pub until: Timestamp,
}
