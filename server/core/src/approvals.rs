//! Requests that other people must approve before they are done.
//!
//! ```text
//! a permit with @approvals("2:operators") ─▶ the request waits, as it was signed
//!   ─▶ operators sign, each with their own card, for exactly these bytes
//!   ─▶ with the last one that is needed policy decides anew, and the request is done in the same transaction
//! ```
//!
//! What counts is looked at again at that moment: who approved must still be in the group, active, and have that card.

mod letters;
mod quorum;
mod vouched;

pub(crate) use letters::{tell_approvers, tell_requester};
pub(crate) use quorum::{Approved, Tally};
pub(crate) use vouched::{check, sealed, signed};

use std::str::FromStr;

use countersign_protocol::approval::{Approvers, Needs};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Countersigned;
use countersign_protocol::ids::{
    AccountName, CardIdent, CorrelationId, Digest, Fingerprint, InvalidId, MessageId,
};
use countersign_protocol::message::result::RequestState;
use countersign_protocol::statement::SignedStatement;

use crate::accounts::Account;
use crate::codes::Mac;
use crate::store::StoreError;

/// A request that waits, or waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRequest {
    /// The message that it came by.
    pub id: MessageId,
    /// What people quote.
    pub correlation: CorrelationId,
    /// Who asks.
    pub account: AccountName,
    /// By which key, its primary fingerprint.
    pub key: Fingerprint,
    /// Through which host.
    pub instance: Fingerprint,
    /// What they signed.
    pub signed: SignedStatement,
    /// The body that it names, as long as it waits.
    pub body: Option<Vec<u8>>,
    /// Of one that becomes a job, as long as it waits: the message, as its host signed it.
    pub carried: Option<Countersigned>,
    /// How many of whom must approve it, as policy said when it was made: any of these.
    pub needs: Vec<Needs>,
    /// When.
    pub made: Timestamp,
    /// Until when it waits.
    pub deadline: Timestamp,
    /// Where it stands, as it was written down: [`WaitingRequest::state_at`] knows the time.
    pub state: RequestState,
    /// Of one that is over: why.
    pub reason: Option<String>,
    /// What it yielded, sealed, until it is told.
    pub result: Option<Vec<u8>>,
    /// Over all that an approval is for, while it waits.
    pub mac: Option<Mac>,
}

/// Somebody's approval of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Whose.
    pub account: AccountName,
    /// By which key, its primary fingerprint.
    pub key: Fingerprint,
    /// On which card, as the host said at which it was registered.
    pub card: CardIdent,
    /// What they signed: it names the request's statement by its digest.
    pub signed: SignedStatement,
    /// Where it stands in the ledger.
    pub place: u64,
    /// When.
    pub at: Timestamp,
    /// What they said to it.
    pub comment: Option<String>,
    /// Over all of it and the request.
    pub mac: Option<Mac>,
}

/// How a request is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestName {
    /// By the message that it came by.
    Id(MessageId),
    /// By what people quote.
    Correlation(CorrelationId),
}

impl FromStr for RequestName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Correlation),
        }
    }
}

impl WaitingRequest {
    /// Where it stands at this time.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> RequestState {
        if self.state == RequestState::Waiting && self.deadline < now {
            RequestState::Expired
        } else {
            self.state
        }
    }

    /// What an approval names.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.signed.statement.0)
    }

    /// Whether this account was among those who are asked when it was made.
    #[must_use]
    pub fn asks(&self, account: &Account) -> bool {
        asks(&self.needs, account)
    }
}

/// Whether any of these asks this account.
pub(crate) fn asks(needs: &[Needs], account: &Account) -> bool {
    needs.iter().flat_map(Needs::requirements).any(|one| is_of(one.of(), account))
}

/// Whether an account is one of these.
pub(crate) fn is_of(approvers: &Approvers, account: &Account) -> bool {
    match approvers {
        Approvers::Role(role) => account.roles.contains(role),
        Approvers::Group(group) => account.groups.contains(group),
    }
}

/// Waiting requests in a store.
pub trait RequestStore {
    /// Adds a request, if fewer than `most` of its account wait.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_waiting_request(&self, request: &WaitingRequest, most: u64) -> Result<bool, StoreError>;

    /// The one of this name, whether it waits or is over.
    ///
    /// # Errors
    /// [`StoreError`].
    fn waiting_request(&self, name: &RequestName) -> Result<Option<WaitingRequest>, StoreError>;

    /// The newest requests of an account, whether they wait or are over, without bodies and results.
    ///
    /// # Errors
    /// [`StoreError`].
    fn requests_of(&self, account: &AccountName, most: u64) -> Result<Vec<WaitingRequest>, StoreError>;

    /// The newest that wait, without bodies.
    ///
    /// # Errors
    /// [`StoreError`].
    fn requests_that_wait(&self, now: Timestamp, most: u64) -> Result<Vec<WaitingRequest>, StoreError>;

    /// Adds an approval, if the request waits, and neither this account nor this key nor this card approved it before. By
    /// another key than before, it takes the place of the account's own.
    ///
    /// # Errors
    /// [`StoreError`].
    fn approve_request(
        &self,
        id: &MessageId,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The approvals of a request, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn approvals_of_request(&self, id: &MessageId) -> Result<Vec<Approval>, StoreError>;

    /// Takes an account's approval back, if the request waits.
    ///
    /// # Errors
    /// [`StoreError`].
    fn take_approval_back(
        &self,
        id: &MessageId,
        account: &AccountName,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Ends a request, if it waits. Its body goes with that.
    ///
    /// # Errors
    /// [`StoreError`].
    fn end_request(&self, id: &MessageId, how: RequestState, now: Timestamp) -> Result<bool, StoreError>;

    /// Keeps what came of a request that was ended just now, and what it yielded.
    ///
    /// # Errors
    /// [`StoreError`].
    fn keep_outcome(
        &self,
        id: &MessageId,
        how: RequestState,
        reason: &str,
        result: Option<&[u8]>,
    ) -> Result<(), StoreError>;

    /// What a request yielded was told: it is gone. Whether it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    fn drop_outcome(&self, id: &MessageId) -> Result<bool, StoreError>;
}
