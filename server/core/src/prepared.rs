//! What takes time and needs no transaction: done before it, so that nobody waits for it.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Opened;
use countersign_protocol::envelope::statement::VerifiedStatement;
use countersign_protocol::ids::{AccountName, Fingerprint};
use countersign_protocol::limits;
use countersign_protocol::message::{
    JobOutcome, JobReply, JobRequest, MessageKind, OfflineEmergency, OfflineUse, OfflineUseReply, Receipt,
};

use countersign_protocol::statement::Statement;

use crate::core::Core;
use crate::emergency;
use crate::erasure;
use crate::instances::Instance;
use crate::job_outcome;
use crate::jobs::{self, Looked};
use crate::offline_use::Examined;
use crate::policy::{Facts, PolicyDecision};
use crate::refusal::Reason;
use crate::sender::Sender;
use crate::signatory::Signatory;
use crate::stop::{Failure, Stop};
use crate::store::{Expected, View};

/// What could be checked beforehand.
pub(crate) enum Prepared {
    /// Nothing to check for this type of message.
    Nothing,
    /// A job request's statement. Whether the result counts is known once the message is known to be new.
    Job(Result<Box<SignedByPerson>, Reason>),
    /// What the ledger says of a request so old that its reply may have been deleted.
    Recalled(Option<Box<JobReply>>),
    /// What was said of a request that never came, when it was asked about before.
    NeverHappened(Receipt),
    /// An offline use's signatures, and what was said of it before.
    OfflineUse(Result<Box<Examined>, Reason>),
    /// What was said of an offline use of an emergency code before.
    OfflineEmergency(Option<OfflineUseReply>),
}

/// A statement whose signature is good.
pub(crate) struct SignedByPerson {
    /// The request, which is [`Verified`](countersign_protocol::envelope::Verified) only later.
    pub(crate) request: JobRequest,
    /// The proof.
    pub(crate) statement: VerifiedStatement,
    /// The certificate that made it good, binary: the account must still have it in the transaction.
    pub(crate) certificate: Vec<u8>,
    /// What it looks for in the ledger, found beside all writers.
    pub(crate) looked: Option<Looked>,
    /// The entries beside which lies what somebody signed who is to be erased, and how far they were looked for.
    pub(crate) signed: Option<(Vec<u64>, u64)>,
}

impl Prepared {
    /// The rows that whoever acts on the message will ask for.
    pub(crate) fn expected<'a>(&'a self, opened: &'a Opened) -> Vec<Expected<'a>> {
        let mut rows = vec![Expected::Reply(&opened.message().id)];
        if let [by] = opened.signers()
            && opened.message().kind != MessageKind::Hello
        {
            rows.push(Expected::Instance(&by.certificate));
        }
        if let Self::Job(Ok(signed)) = self {
            let statement = signed.statement.statement();
            rows.extend([Expected::Account(&statement.account), Expected::Nonce(&statement.nonce)]);
        }
        rows
    }

    /// For a sender that may send it: the application's key is public, and an instance that is not active has
    /// nobody's signatures checked, nor learns from it who has an account.
    pub(crate) fn of(core: &Core, view: &dyn View, opened: &Opened, now: Timestamp) -> Result<Self, Failure> {
        let kind = opened.message().kind;
        if !matches!(
            kind,
            MessageKind::JobRequest
                | MessageKind::JobOutcome
                | MessageKind::OfflineUse
                | MessageKind::OfflineEmergency
        ) {
            return Ok(Self::Nothing);
        }
        let request = (kind == MessageKind::JobRequest).then(|| opened.message().body::<JobRequest>());
        if let ([by], Some(Ok(request))) = (opened.signers(), &request)
            && let Ok(claimed) = Statement::from_bytes(&request.signed.statement.0)
        {
            view.expect(&[Expected::Instance(&by.certificate), Expected::Account(&claimed.account)])?;
        }
        let sender = Sender::of(view, opened.signers());
        let sender = match sender.and_then(|sender| Ok(sender.may_send(kind).map(|()| sender)?)) {
            Ok(sender) => sender,
            // The transaction will see for itself, and say why.
            Err(Stop::Refused(_)) => return Ok(Self::Nothing),
            Err(Stop::Failed(failure)) => return Err(failure),
        };
        match (kind, sender) {
            (MessageKind::JobOutcome, Sender::Instance(instance)) => {
                Self::outcome(core, view, &instance.fingerprint, opened, now)
            }
            (MessageKind::OfflineUse, Sender::Instance(instance)) => {
                Self::offline_use(core, view, &instance, opened)
            }
            (MessageKind::OfflineEmergency, Sender::Instance(instance)) => {
                let Ok(told) = opened.message().body::<OfflineEmergency>() else { return Ok(Self::Nothing) };
                emergency::said_before(core, view, &instance, &told).map(Self::OfflineEmergency)
            }
            (_, Sender::Instance(instance)) => Ok(match request {
                Some(Ok(request)) => Self::Job(check(core, view, opened, request, &instance, now)?),
                Some(Err(error)) => Self::Job(Err(Reason::Body(error.to_string()))),
                None => Self::Nothing,
            }),
            _ => Ok(Self::Nothing),
        }
    }

    fn offline_use(
        core: &Core,
        view: &dyn View,
        instance: &Instance,
        opened: &Opened,
    ) -> Result<Self, Failure> {
        let examined = match opened.message().body::<OfflineUse>() {
            Ok(told) => Ok(Box::new(Examined::of(core, view, instance, told)?)),
            Err(error) => Err(Reason::Body(error.to_string())),
        };
        Ok(Self::OfflineUse(examined))
    }

    /// What was said before is said again. The ledger is searched only for what is old enough to have been forgotten.
    fn outcome(
        core: &Core,
        view: &dyn View,
        instance: &Fingerprint,
        opened: &Opened,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let Ok(asked) = opened.message().body::<JobOutcome>() else { return Ok(Self::Nothing) };
        if let Some(place) = view.never_happened(&asked.id)? {
            return Ok(Self::NeverHappened(core.ledger().recall(view, place)?.receipt().clone()));
        }
        if now.seconds_since(asked.time) < limits::REPLAY_MEMORY - limits::CLOCK_SKEW {
            return Ok(Self::Nothing);
        }
        job_outcome::recall(view, core.ledger(), &view.names(instance)?, &asked).map(Self::Recalled)
    }
}

/// Whose statements are worth a look, because they are to be erased.
fn may_erase(
    core: &Core,
    view: &dyn View,
    instance: &Instance,
    statement: &Statement,
    now: Timestamp,
) -> Result<Option<AccountName>, Failure> {
    if statement.operation.as_str() != "erase" || statement.resource.collection() != "account" {
        return Ok(None);
    }
    let is_allowed = allowed(core, view, instance, statement, now)?;
    Ok(if is_allowed { statement.resource.name().parse().ok() } else { None })
}

/// Whether the ledger is worth a look: who may not read it has nothing looked up. What is decided is decided later.
fn may(
    core: &Core,
    view: &dyn View,
    instance: &Instance,
    statement: &Statement,
    now: Timestamp,
) -> Result<bool, Failure> {
    if !matches!(statement.resource.collection(), "ledger" | "policy") {
        return Ok(false);
    }
    allowed(core, view, instance, statement, now)
}

fn allowed(
    core: &Core,
    view: &dyn View,
    instance: &Instance,
    statement: &Statement,
    now: Timestamp,
) -> Result<bool, Failure> {
    let Some(account) = view.account(&statement.account)? else { return Ok(false) };
    let facts = Facts::of_request(&account, instance, statement, None, now);
    Ok(matches!(core.policy_of(view)?.decide(&facts), PolicyDecision::Allowed { .. }))
}

fn check(
    core: &Core,
    view: &dyn View,
    opened: &Opened,
    request: JobRequest,
    instance: &Instance,
    now: Timestamp,
) -> Result<Result<Box<SignedByPerson>, Reason>, Failure> {
    let [signer] = opened.signers() else { return Ok(Err(Reason::UnknownSender)) };
    Ok(match Signatory::of(core, view, &request.signed, &signer.certificate, now)? {
        Signatory::Account(signatory) => {
            let (statement, key) = *signatory;
            let body = request.body.as_ref().map(|body| body.0.as_slice());
            let looked = match may(core, view, instance, statement.statement(), now)? {
                true => jobs::look_in_the_ledger(core, view, statement.statement(), body)?,
                false => None,
            };
            let signed = match may_erase(core, view, instance, statement.statement(), now)? {
                Some(account) => Some(erasure::signed_by(view, &account, 0)?),
                None => None,
            };
            Ok(Box::new(SignedByPerson { request, statement, certificate: key.certificate, looked, signed }))
        }
        // Worth an alarm of its own.
        Signatory::Revoked(signatory) => {
            let (statement, gone) = *signatory;
            let account = statement.statement().account.clone();
            Err(Reason::KeyRevoked { account, key: gone.key.primary })
        }
        Signatory::Nobody(why) => Err(Reason::Statement(why)),
    })
}
