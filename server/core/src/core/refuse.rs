//! Recording why, and saying only "no".

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::SignedBy;
use countersign_protocol::ids::{CorrelationId, Digest, MessageId};
use countersign_protocol::ledger::{Check, Entry, EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::Refusal;
use countersign_protocol::message::result::Evidence;
use countersign_protocol::random;
use countersign_protocol::statement::SignedStatement;

use super::{Core, Settled};
use crate::refusal::{Class, Reason, Source, Verdict, short};
use crate::sender::Sender;
use crate::stop::{Failure, Stop};

/// What is known of a refused message.
pub(crate) struct About {
    pub(crate) digest: Digest,
    pub(crate) message: Option<MessageId>,
    /// Whose signatures were good, if it came that far.
    pub(crate) signers: Vec<SignedBy>,
    /// What came with it as a person's statement, whoever made it.
    pub(crate) claimed: Option<serde_json::Value>,
}

/// What is kept of a statement that was taken for nobody's: what was claimed, under a salt like any other.
fn claim(core: &Core, claimed: &serde_json::Value) -> Result<Option<Evidence>, Failure> {
    let Ok(signed) = serde_json::from_value::<SignedStatement>(claimed.clone()) else { return Ok(None) };
    let fits = signed.statement.0.len() <= limits::STATEMENT
        && signed.signature.0.len() <= limits::DETACHED_SIGNATURE;
    if !fits {
        return Ok(None);
    }
    let salt = Binary(random::array::<32>(core.random())?.to_vec());
    Ok(Some(Evidence { salt, signed }))
}

impl Core {
    /// Refuses bytes that no message could be made of.
    ///
    /// # Errors
    /// [`Failure`]: not even that could be recorded.
    pub fn refuse(&self, reason: Reason, bytes: &[u8]) -> Result<Settled, Failure> {
        let about = About { digest: Digest::of(bytes), message: None, signers: Vec::new(), claimed: None };
        self.refuse_about(reason, &about, self.now(), CorrelationId::new(self.random())?)
    }

    pub(crate) fn refuse_about(
        &self,
        reason: Reason,
        about: &About,
        now: Timestamp,
        correlation: CorrelationId,
    ) -> Result<Settled, Failure> {
        let verdict = self.refusals().count(now, Source::of(&about.signers), reason.class());
        if let Verdict::Record { unrecorded_before } = verdict {
            self.record(&reason, about, now, &correlation, unrecorded_before)?;
        }
        let refusal = Refusal { correlation, server_time: now, refused: about.digest };
        Ok(Settled::Refused { refusal, reason })
    }

    fn record(
        &self,
        reason: &Reason,
        about: &About,
        now: Timestamp,
        correlation: &CorrelationId,
        unrecorded_before: u64,
    ) -> Result<(), Failure> {
        let ledger = self.ledger();
        let mut tx = self.store().begin()?;
        if unrecorded_before > 0 {
            let text = format!("{unrecorded_before} more messages were refused since the entry before");
            let entry = Entry::new(EntryKind::Refusal, now, correlation.clone(), Outcome::Denied, text);
            let _beside = ledger.append(&mut *tx, &entry, None)?;
        }
        let kind = match reason.class() {
            Class::Refusal => EntryKind::Refusal,
            Class::Alarm | Class::StandingAlarm => EntryKind::Alarm,
        };
        let mut entry =
            Entry::new(kind, now, correlation.clone(), Outcome::Denied, short(&reason.to_string()));
        entry.message = about.message;
        entry.detail.insert("envelope".into(), about.digest.to_string());
        let signers: Vec<String> = about.signers.iter().map(|by| by.certificate.to_string()).collect();
        if !signers.is_empty() {
            entry.detail.insert("signed-by".into(), signers.join(" "));
        }
        let sender = match Sender::of(&*tx, &about.signers) {
            Ok(sender) => Some(sender),
            Err(Stop::Refused(_)) => None,
            Err(Stop::Failed(failure)) => return Err(failure),
        };
        if let Some(sender) = &sender {
            entry.application = Some(sender.application().clone());
            entry.instance = sender.instance().map(|instance| instance.fingerprint.clone());
            entry.checks = sender.signatures();
        }
        entry.checks.push(Check::failed(reason.family()));
        // A claim is kept of who may make one: hosts that were let in. Nobody is accepted as having signed it.
        let evidence = match &about.claimed {
            Some(claimed) if sender.is_some_and(|sender| sender.is_active_instance()) => {
                claim(self, claimed)?
            }
            _ => None,
        };
        if let Some(evidence) = &evidence {
            entry.statement = Some(Digest::of(&evidence.signed.statement.0));
            entry.evidence = Some(evidence.digest());
        }
        let appended = ledger.append(&mut *tx, &entry, evidence.as_ref())?;
        let sealed = ledger.seal(&mut *tx)?;
        let pending = ledger.receipt(&*tx, appended, &sealed)?;
        let proof =
            sealed.commit(|| tx.commit().map_err(|error| crate::ledger::StorageFailure(error.into())))?;
        let _recorded = pending.committed(&proof)?;
        Ok(())
    }
}
