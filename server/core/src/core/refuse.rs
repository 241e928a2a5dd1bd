//! Recording why, and saying only "no".

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::SignedBy;
use countersign_protocol::ids::{CorrelationId, Digest, MessageId};
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::message::Refusal;

use super::{Core, Settled};
use crate::refusal::{Class, Reason, Source, Verdict, short};
use crate::stop::Failure;
use crate::store::Turn;

/// What is known of a refused message.
pub(crate) struct About {
    pub(crate) digest: Digest,
    pub(crate) message: Option<MessageId>,
    /// Whose signatures were good, if it came that far.
    pub(crate) signers: Vec<SignedBy>,
}

impl Core {
    /// Refuses bytes that no message could be made of.
    ///
    /// # Errors
    /// [`Failure`]: not even that could be recorded.
    pub fn refuse(&self, reason: Reason, bytes: &[u8]) -> Result<Settled, Failure> {
        let about = About { digest: Digest::of(bytes), message: None, signers: Vec::new() };
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
        let mut tx = self.store().begin(Turn::Shared)?;
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
        let appended = ledger.append(&mut *tx, &entry, None)?;
        let sealed = ledger.seal(&mut *tx)?;
        let pending = ledger.receipt(&*tx, appended, &sealed)?;
        let proof =
            sealed.commit(|| tx.commit().map_err(|error| crate::ledger::StorageFailure(error.into())))?;
        let _recorded = pending.committed(&proof)?;
        Ok(())
    }
}
