//! The person's signature, checked before the transaction so that nobody waits for it.

use countersign_protocol::certificate;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Opened;
use countersign_protocol::envelope::statement::{self, StatementRules, VerifiedStatement};
use countersign_protocol::message::{JobRequest, MessageKind};
use countersign_protocol::statement::Statement;

use crate::core::Core;
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
    /// Checks the statement of a job request, for a sender that may make one: the application's key is public, and
    /// an instance that is not active has nobody's signatures checked, nor learns from it who has an account.
    pub(crate) fn of(core: &Core, opened: &Opened, now: Timestamp) -> Result<Self, Failure> {
        if opened.message().kind != MessageKind::JobRequest {
            return Ok(Self::Nothing);
        }
        let view = core.view()?;
        let sender = Sender::of(&*view, opened.signers());
        match sender.and_then(|sender| Ok(sender.may_send(MessageKind::JobRequest)?)) {
            Ok(()) => {}
            // The transaction will see for itself, and say why.
            Err(Stop::Refused(_)) => return Ok(Self::Nothing),
            Err(Stop::Failed(failure)) => return Err(failure),
        }
        let checked = match opened.message().body::<JobRequest>() {
            Ok(request) => check(core, &*view, opened, request, now)?,
            Err(error) => Err(Reason::Body(error.to_string())),
        };
        Ok(Self::Job(checked))
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
    let Some(key) = key else { return bad(format!("the account {} has no key", claimed.account)) };
    match verified {
        // Exactly the keys that were enrolled, whatever the certificate says (W26).
        Ok(statement) if key.signing.contains(statement.key()) => {
            let certificate = key.certificate.clone();
            Ok(Ok(Box::new(SignedByPerson { request, statement, certificate })))
        }
        Ok(statement) => bad(format!("signed by {}, which was never registered", statement.key())),
        Err(error) => bad(error.to_string()),
    }
}
