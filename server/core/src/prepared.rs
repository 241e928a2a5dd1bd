//! What takes time and needs no transaction: done before it, so that nobody waits for it.

use countersign_protocol::certificate;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Opened;
use countersign_protocol::envelope::statement::{self, StatementRules, VerifiedStatement};
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::limits;
use countersign_protocol::message::{JobOutcome, JobReply, JobRequest, MessageKind};
use countersign_protocol::statement::Statement;

use crate::core::Core;
use crate::job_outcome;
use crate::refusal::Reason;
use crate::sender::Sender;
use crate::stop::{Failure, Stop};
use crate::store::View;

/// What could be checked beforehand.
pub(crate) enum Prepared {
    /// Nothing to check for this type of message.
    Nothing,
    /// A job request's statement. Whether the result counts is known once the message is known to be new.
    Job(Result<Box<SignedByPerson>, Reason>),
    /// What the ledger says of a request so old that its reply may have been deleted.
    Recalled(Option<Box<JobReply>>),
}

/// A statement whose signature is good.
pub(crate) struct SignedByPerson {
    /// The request, which is [`Verified`](countersign_protocol::envelope::Verified) only later.
    pub(crate) request: JobRequest,
    /// The proof.
    pub(crate) statement: VerifiedStatement,
    /// The certificate that made it good, binary: the account must still have it in the transaction.
    pub(crate) certificate: Vec<u8>,
}

impl Prepared {
    /// For a sender that may send it: the application's key is public, and an instance that is not active has
    /// nobody's signatures checked, nor learns from it who has an account.
    pub(crate) fn of(core: &Core, opened: &Opened, now: Timestamp) -> Result<Self, Failure> {
        let kind = opened.message().kind;
        if !matches!(kind, MessageKind::JobRequest | MessageKind::JobOutcome) {
            return Ok(Self::Nothing);
        }
        let view = core.view()?;
        let sender = Sender::of(&*view, opened.signers());
        let sender = match sender.and_then(|sender| Ok(sender.may_send(kind).map(|()| sender)?)) {
            Ok(sender) => sender,
            // The transaction will see for itself, and say why.
            Err(Stop::Refused(_)) => return Ok(Self::Nothing),
            Err(Stop::Failed(failure)) => return Err(failure),
        };
        match (kind, sender) {
            (MessageKind::JobOutcome, Sender::Instance(instance)) => {
                Self::outcome(core, &*view, &instance.fingerprint, opened, now)
            }
            _ => Self::job(core, &*view, opened, now),
        }
    }

    fn job(core: &Core, view: &dyn View, opened: &Opened, now: Timestamp) -> Result<Self, Failure> {
        let checked = match opened.message().body::<JobRequest>() {
            Ok(request) => check(core, view, opened, request, now)?,
            Err(error) => Err(Reason::Body(error.to_string())),
        };
        Ok(Self::Job(checked))
    }

    /// The ledger is searched only for what is old enough to have been forgotten.
    fn outcome(
        core: &Core,
        view: &dyn View,
        instance: &Fingerprint,
        opened: &Opened,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let Ok(asked) = opened.message().body::<JobOutcome>() else { return Ok(Self::Nothing) };
        if now.seconds_since(asked.time) < limits::REPLAY_MEMORY - limits::CLOCK_SKEW {
            return Ok(Self::Nothing);
        }
        job_outcome::recall(view, core.ledger(), instance, &asked).map(Self::Recalled)
    }
}

fn check(
    core: &Core,
    view: &dyn View,
    opened: &Opened,
    request: JobRequest,
    now: Timestamp,
) -> Result<Result<Box<SignedByPerson>, Reason>, Failure> {
    let bad = |what: String| Ok(Err(Reason::Statement(what)));
    let claimed = match Statement::from_bytes(&request.signed.statement.0) {
        Ok(statement) => statement,
        Err(error) => return bad(error.to_string()),
    };
    let [signer] = opened.signers() else { return Ok(Err(Reason::UnknownSender)) };
    let account = view.account(&claimed.account)?;
    let key = account.as_ref().and_then(|account| account.key());
    // For nobody, the same work with a certificate that nobody signs with: time does not tell who has an account.
    let certificate = match key {
        Some(key) => Ok(key.certificate.clone()),
        None => certificate::to_bytes(core.identity().certificate()),
    };
    let cert = match certificate.and_then(|bytes| certificate::parse(&bytes)) {
        Ok(cert) => cert,
        Err(error) => return bad(error.to_string()),
    };
    let rules = StatementRules { server: core.identity().fingerprint(), instance: &signer.certificate, now };
    let verified = statement::verify(&request.signed, &cert, rules);
    let why = match (key, verified) {
        // Exactly the keys that were enrolled, whatever the certificate says (W26).
        (Some(key), Ok(statement)) if key.signing.contains(statement.key()) => {
            let certificate = key.certificate.clone();
            return Ok(Ok(Box::new(SignedByPerson { request, statement, certificate })));
        }
        (Some(_), Ok(statement)) => format!("signed by {}, which was never registered", statement.key()),
        (Some(_), Err(error)) => error.to_string(),
        (None, _) => format!("the account {} has no key", claimed.account),
    };
    // Somebody with a lost card and its PIN is worth an alarm of its own.
    for gone in view.revoked_keys(&claimed.account)?.into_iter().take(REVOKED_TRIED) {
        let cert = certificate::parse(&gone.key.certificate);
        if cert.is_ok_and(|cert| statement::verify(&request.signed, &cert, rules).is_ok()) {
            return Ok(Err(Reason::KeyRevoked { account: claimed.account, key: gone.key.primary }));
        }
    }
    bad(why)
}

/// Of an account's revoked keys, this many are tried, the newest first.
const REVOKED_TRIED: usize = 2;
