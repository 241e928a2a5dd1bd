//! The server's answer to a statement, once it is proven to be that. Without one of these nobody gets in.

use std::time::Instant;

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::{CorrelationId, Digest};
use countersign_protocol::ledger::Outcome;
use countersign_protocol::limits;
use countersign_protocol::message::{Decision, JobReply, JobRequest};
use countersign_protocol::statement::{SignedStatement, Statement};

use crate::agent::Agent;
use crate::server_link::Link;
use crate::wire::LinkError;

/// What the server decided, and the ledger vouches for. Made only by [`ask`].
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    allowed: bool,
    reason: String,
    correlation: CorrelationId,
    ledger_index: u64,
    statement: Digest,
    result: Option<serde_json::Value>,
}

impl Answer {
    /// Whether policy permits it, and it was done.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Why, in words for the person.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// To be quoted to an administrator.
    #[must_use]
    pub const fn correlation(&self) -> &CorrelationId {
        &self.correlation
    }

    /// Where it lies in the ledger.
    #[must_use]
    pub const fn ledger_index(&self) -> u64 {
        self.ledger_index
    }

    /// SHA-256 of the statement that was decided.
    #[must_use]
    pub const fn statement(&self) -> Digest {
        self.statement
    }

    /// What the job yields.
    #[must_use]
    pub const fn result(&self) -> Option<&serde_json::Value> {
        self.result.as_ref()
    }

    #[cfg(test)]
    pub(crate) fn for_tests(allowed: bool) -> Self {
        Self {
            allowed,
            reason: "said so".to_owned(),
            correlation: "7K3M-Q2ZD".parse().unwrap(),
            ledger_index: 7,
            statement: Digest::of(b"statement"),
            result: None,
        }
    }
}

/// Has the instance carry a signed statement to the server, and proves what comes back: signed by the server,
/// to this very envelope, in the ledger under the pinned key, about this very statement, and saying the same.
///
/// # Errors
/// [`LinkError`]; none of them is a yes.
pub fn ask(
    agent: &Agent,
    link: &Link,
    signed: SignedStatement,
    body: Option<Binary>,
    deadline: Instant,
) -> Result<Answer, LinkError> {
    let deadline = deadline.min(Instant::now() + limits::SERVER_ANSWER);
    let now = agent.wire.time.now();
    if link.session().is_none_or(|session| session.until() <= now) {
        agent.keeper.freshen(deadline)?;
    }
    let statement =
        Statement::from_bytes(&signed.statement.0).map_err(|error| LinkError::Internal(error.to_string()))?;
    let digest = Digest::of(&signed.statement.0);
    let exchange = link.ask_once(agent.means(deadline), &JobRequest { signed, body }, None)?;
    let reply: JobReply = exchange.reply.body()?;

    let proven = link.prove(&reply.receipt)?;
    proven.answers(&exchange.sealed.id(), Some(&digest))?;
    let entry = proven.entry();
    let recorded = match reply.decision {
        Decision::Allowed => Outcome::Allowed,
        Decision::Denied => Outcome::Denied,
    };
    for (same, what) in [
        (entry.decision == recorded, "decision"),
        (entry.correlation == reply.correlation, "correlation id"),
        (entry.instance.as_ref() == Some(&link.instance.fingerprint), "instance"),
    ] {
        if !same {
            return Err(LinkError::Untrusted(format!("reply and ledger entry name another {what} each")));
        }
    }
    // What was allowed must be what was asked, in the ledger's own words.
    let asked = entry.operation.as_ref() == Some(&statement.operation)
        && entry.resource.as_ref() == Some(&statement.resource)
        && entry.account.as_ref() == Some(&statement.account)
        && entry.login == statement.login;
    if reply.decision == Decision::Allowed && !asked {
        return Err(LinkError::Untrusted("the ledger entry is about another request".to_owned()));
    }
    Ok(Answer {
        allowed: reply.decision == Decision::Allowed,
        reason: reply.reason,
        correlation: reply.correlation,
        ledger_index: proven.index(),
        statement: digest,
        result: reply.result,
    })
}
