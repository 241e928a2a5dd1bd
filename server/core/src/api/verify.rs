//! Every signature of a job once more, by whoever is to do it: the auth server's word alone does nothing (W18).

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::statement::{self, StatementRules};
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{EntryKind, LedgerKey, Outcome, check_receipt};
use countersign_protocol::message::{InstanceState, JobRequest};
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
        let Some(instance) =
            view.instance(&job.instance)?.filter(|found| found.state == InstanceState::Active)
        else {
            return Ok(Err("its host is not active".into()));
        };
        let keys = view.active_keys(&job.account)?;
        let Some(key) = keys.iter().find(|key| key.primary == job.key) else {
            return Ok(Err("the key that asked is not active".into()));
        };
        let (host, person) =
            match (pins.sender(&instance.certificate, now), pins.person(&key.certificate, now)) {
                (Ok(host), Ok(person)) => (host, person),
                (Err(error), _) | (_, Err(error)) => return Ok(Err(error.to_string())),
            };
        Ok((|| {
            let message = queued.request.verify(&host, ledger.server(), job.accepted).map_err(in_words)?;
            let request: JobRequest = message.body().map_err(in_words)?;
            let rules =
                StatementRules { server: ledger.server(), instance: &job.instance, now: job.accepted };
            let proof = statement::verify_pinned(&request.signed, &person, rules).map_err(in_words)?;
            if !key.signing.contains(proof.key()) {
                return Err("the statement is signed by a key that was never registered".into());
            }
            let said = proof.statement();
            if message.id != job.id || !is_about(said, job) || said.body != request.body_digest() {
                return Err("it is not what was signed".into());
            }
            let proven = check_receipt(&queued.receipt, ledger).map_err(in_words)?;
            proven.answers(&job.id, Some(&Digest::of(&request.signed.statement.0))).map_err(in_words)?;
            let entry = proven.entry();
            if entry.kind != EntryKind::Job
                || entry.decision != Outcome::Allowed
                || entry.time != job.accepted
                || entry.correlation != job.correlation
            {
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

fn in_words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
