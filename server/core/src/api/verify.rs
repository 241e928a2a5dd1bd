//! Every signature of a job once more, by whoever is to do it: the auth server's word alone does nothing (W18).

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::statement::{self, StatementRules};
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{Entry, EntryKind, LedgerKey, Outcome, check_receipt, detail};
use countersign_protocol::limits;
use countersign_protocol::message::{InstanceState, JobRequest, Message};
use countersign_protocol::statement::Statement;

use crate::pins::Pins;
use crate::queue::{Job, QueuedJob};
use crate::stop::Failure;
use crate::store::View;

/// A job that is proven. Made only by [`VerifiedJob::of`].
pub(super) struct VerifiedJob {
    pub(super) job: Job,
    pub(super) body: Option<Vec<u8>>,
    /// The certificate whose card signed, binary.
    pub(super) certificate: Vec<u8>,
}

impl VerifiedJob {
    /// Holds a job to the ledger's word, to the certificates of its host and its person as they are now, and to what these signed.
    ///
    /// # Errors
    /// The store's. What does not hold is told inside, for the ledger.
    pub(super) fn of(
        view: &dyn View,
        queued: &QueuedJob,
        ledger: &LedgerKey,
        pins: &Pins,
        now: Timestamp,
    ) -> Result<Result<Self, String>, Failure> {
        let job = &queued.job;
        let instance = view.instance(&job.instance)?;
        if instance.is_none_or(|found| found.state != InstanceState::Active) {
            return Ok(Err("its host is not active".into()));
        }
        let keys = view.active_keys(&job.account)?;
        let Some(key) = keys.iter().find(|key| key.primary == job.key) else {
            return Ok(Err("the key that asked is not active".into()));
        };
        let person = match pins.person(&key.certificate, now) {
            Ok(person) => person,
            Err(error) => return Ok(Err(error.to_string())),
        };
        Ok((|| {
            let message = queued.request.verify(&job.instance, ledger.server()).map_err(in_words)?;
            let request: JobRequest = message.body().map_err(in_words)?;
            let rules =
                StatementRules { server: ledger.server(), instance: &job.instance, now: message.time };
            let proof = statement::verify_pinned(&request.signed, &person, rules).map_err(in_words)?;
            if !key.signing.contains(proof.key()) {
                return Err("the statement is signed by a key that was never registered".into());
            }
            let said = proof.statement();
            if message.id != job.id || !is_about(said, job) || said.body != request.body_digest() {
                return Err("it is not what was signed".into());
            }
            let proven = check_receipt(&queued.receipt, ledger).map_err(in_words)?;
            if !is_accepted(proven.entry(), job, &message, proof.digest()) {
                return Err("the ledger does not say that it was accepted".into());
            }
            let body = request.body.map(|body| body.0);
            Ok(Self { job: job.clone(), body, certificate: key.certificate.clone() })
        })())
    }
}

fn is_about(said: &Statement, job: &Job) -> bool {
    said.account == job.account
        && said.operation == job.operation
        && said.resource == job.resource
        && !said.dry_run
}

/// Whether the ledger's word is about this job. One that waited for approvals came long before it was accepted, and its entry
/// names it by what it had waited as.
fn is_accepted(entry: &Entry, job: &Job, message: &Message, statement: Digest) -> bool {
    let waited = entry.detail.get(detail::REQUEST) == Some(&job.id.to_string());
    let longest = if waited { limits::APPROVAL_LIFE } else { 0 } + limits::CLOCK_SKEW;
    entry.kind == EntryKind::Job
        && entry.decision == Outcome::Allowed
        && (waited || entry.message == Some(job.id))
        && entry.statement == Some(statement)
        && entry.time == job.accepted
        // Nor does anybody have it done anew once its time is over.
        && job.expires == job.accepted.plus(limits::JOB_LIFE)
        && entry.correlation == job.correlation
        && (-limits::CLOCK_SKEW..=longest).contains(&job.accepted.seconds_since(message.time))
}

fn in_words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
