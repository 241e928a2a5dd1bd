//! Which rows a message may change.

use countersign_protocol::certificate::read_revocations;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, ApplicationName, CollectionName, CorrelationId, Fingerprint};
use countersign_protocol::key_words;
use countersign_protocol::message::{
    EmergencyUse, Message, MessageKind, OfflineEmergency, RecoveryStep, Revocation, UserKey,
};
use countersign_protocol::statement::Statement;

use super::Subject;
use crate::approvals::RequestName;
use crate::jobs;
use crate::keys::Owner;
use crate::prepared::Prepared;
use crate::sender::Sender;
use crate::stop::Stop;
use crate::store::Transaction;

/// All that it may change. What changes a row that is not among them is found by the next audit, as an edit.
pub(crate) fn subjects(
    tx: &dyn Transaction,
    sender: &Sender,
    message: &Message,
    prepared: &Prepared,
    now: Timestamp,
) -> Result<Vec<Subject>, Stop> {
    Ok(match (message.kind, sender) {
        (MessageKind::JobRequest, Sender::Instance(_)) => match prepared {
            Prepared::Job(Ok(signed)) => of_statement(tx, signed.statement.statement(), now)?,
            _ => Vec::new(),
        },
        (MessageKind::InstanceKey, Sender::Newcomer { key, .. }) => vec![Subject::instance(key)],
        (MessageKind::RotationKey, Sender::Successor { instance, key }) => {
            vec![Subject::instance(&instance.fingerprint), Subject::instance(key)]
        }
        (MessageKind::KeyUpdate, Sender::InstancePrimary(instance))
        | (MessageKind::InstanceCheckIn, Sender::Instance(instance)) => {
            vec![Subject::instance(&instance.fingerprint)]
        }
        (MessageKind::UserKey, _) => {
            let of = message.body::<UserKey>().ok().map(|body| body.registration);
            account(of.map(|id| tx.registration(&id, now)).transpose()?.flatten().map(|found| found.account))
        }
        (MessageKind::RecoveryStep, _) => {
            let of = message.body::<RecoveryStep>().ok().map(|body| body.id);
            account(of.map(|id| tx.recovery(&id, now)).transpose()?.flatten().map(|found| found.account))
        }
        (MessageKind::Revocation, _) => {
            let brought = message.body::<Revocation>().ok();
            let read = brought.and_then(|brought| read_revocations(&brought.certificate.0).ok());
            let mut owners = Vec::new();
            for issuer in read.map(|read| read.issuers()).unwrap_or_default() {
                if let Some(Owner::Account(name)) = tx.owner(&issuer)? {
                    owners.push(Subject::account(&name));
                }
            }
            owners
        }
        (MessageKind::EmergencyUse, _) => {
            let statement = message.body::<EmergencyUse>().ok().map(|body| body.statement);
            account(statement.and_then(|bytes| Some(Statement::from_bytes(&bytes.0).ok()?.account)))
        }
        (MessageKind::OfflineEmergency, _) => {
            account(message.body::<OfflineEmergency>().ok().map(|body| body.account))
        }
        // Requests for an account, and codes, change none: a row that is looked at only if it is there would tell that by
        // time (W13).
        _ => Vec::new(),
    })
}

fn account(name: Option<AccountName>) -> Vec<Subject> {
    name.iter().map(Subject::account).collect()
}

/// What a job is on.
fn of_statement(tx: &dyn Transaction, statement: &Statement, now: Timestamp) -> Result<Vec<Subject>, Stop> {
    if jobs::is_harmless(statement) {
        return Ok(Vec::new());
    }
    let name = statement.resource.name();
    Ok(match statement.resource.collection() {
        "account" => account(name.parse().ok()),
        "application" => name.parse::<ApplicationName>().ok().iter().map(Subject::application).collect(),
        "collection" => name.parse::<CollectionName>().ok().iter().map(Subject::documents).collect(),
        "instance" => match name.parse::<Fingerprint>() {
            Ok(fingerprint) => vec![Subject::instance(&fingerprint)],
            Err(_) => {
                let waiting = tx.pending_instances(&key_words::normalise(name))?;
                waiting.iter().map(|instance| Subject::instance(&instance.fingerprint)).collect()
            }
        },
        "policy" => vec![Subject::policy(name)],
        // With its last approval it is done.
        "request" if statement.operation.as_str() == "approve" => {
            let request = name.parse::<RequestName>().ok().map(|name| tx.waiting_request(&name));
            match request.transpose()?.flatten().map(|one| Statement::from_bytes(&one.signed.statement.0)) {
                Some(Ok(asked)) if asked.resource.collection() != "request" => of_statement(tx, &asked, now)?,
                _ => Vec::new(),
            }
        }
        "recovery" => {
            let id = name.parse::<CorrelationId>().ok();
            account(id.map(|id| tx.recovery(&id, now)).transpose()?.flatten().map(|found| found.account))
        }
        "key" => match name.parse::<Fingerprint>().ok().map(|key| tx.owner(&key)).transpose()?.flatten() {
            Some(Owner::Account(owner)) => account(Some(owner)),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    })
}
