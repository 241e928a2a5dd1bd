//! Whether enough people approved exactly this request: the one place that says so.

use std::collections::BTreeSet;

use countersign_protocol::approval::{Needs, Requirement};
use countersign_protocol::certificate;
use countersign_protocol::envelope::statement::verify_later;
use countersign_protocol::ids::Digest;

use super::{Approval, WaitingRequest, asks, is_of, vouched};
use crate::accounts::Account;
use crate::context::Context;
use crate::standing::Subject;
use crate::stop::Stop;

/// The approvals of a request that count as things are now.
pub(crate) struct Tally {
    request: Digest,
    counting: Vec<(Approval, Account)>,
}

/// The proof that enough distinct people, with a card each, signed for exactly this request: made by
/// [`Tally::approved`] and nowhere else.
#[derive(Debug)]
pub(crate) struct Approved {
    request: Digest,
    /// What was asked for when it was looked at: any of these.
    demand: Vec<Needs>,
    /// The one that is fulfilled.
    fulfilled: Needs,
    by: Vec<Approval>,
}

impl Tally {
    /// Looks at each approval anew. One whose person is not active any more, or has that card no more, does not count; nor
    /// one that this server did not take, that is for another request, or that is its requester's own.
    pub(crate) fn of(
        ctx: &Context<'_>,
        request: &WaitingRequest,
        approvals: Vec<Approval>,
    ) -> Result<Self, Stop> {
        let mut counting: Vec<(Approval, Account)> = Vec::new();
        let (mut people, mut cards) = (BTreeSet::new(), BTreeSet::new());
        for approval in approvals {
            if approval.account == request.account || !vouched::is_ours(ctx.pepper(), &request.id, &approval)
            {
                continue;
            }
            let Some(account) = ctx.tx().account(&approval.account)? else { continue };
            if ctx.distrusts(&Subject::account(&account.name))
                || !is_signed(ctx, request, &approval, &account)
            {
                continue;
            }
            // The store keeps them apart, too.
            if people.insert(account.name.clone()) && cards.insert(approval.card) {
                counting.push((approval, account));
            }
        }
        Ok(Self { request: request.digest(), counting })
    }

    /// Whether an approval counts.
    pub(crate) fn counts(&self, approval: &Approval) -> bool {
        self.counting.iter().any(|(one, _)| one.account == approval.account)
    }

    /// So many more people must approve it at least, if any must.
    pub(crate) fn missing(&self, demand: &[Needs]) -> u32 {
        demand.iter().map(|needs| self.lacking(needs)).min().unwrap_or(0)
    }

    /// Whether any of these is fulfilled: each requirement by as many people as it asks for. Somebody whom two requirements
    /// ask counts for both.
    pub(crate) fn approved(self, demand: &[Needs]) -> Result<Approved, u32> {
        let fulfilled = match demand.iter().find(|needs| self.lacking(needs) == 0) {
            Some(needs) => needs.clone(),
            // Policy asks nobody any more.
            None if demand.is_empty() => Needs::default(),
            None => return Err(self.missing(demand)),
        };
        let asked = std::slice::from_ref(&fulfilled);
        let counts = |(_, account): &(Approval, Account)| demand.is_empty() || asks(asked, account);
        let by = self.counting.into_iter().filter(counts).map(|(approval, _)| approval).collect();
        Ok(Approved { request: self.request, demand: demand.to_vec(), fulfilled, by })
    }

    fn lacking(&self, needs: &Needs) -> u32 {
        needs
            .requirements()
            .iter()
            .map(|one| u32::from(one.number()).saturating_sub(self.given(one)))
            .max()
            .unwrap_or(0)
    }

    fn given(&self, requirement: &Requirement) -> u32 {
        let given = self.counting.iter().filter(|(_, account)| is_of(requirement.of(), account)).count();
        u32::try_from(given).unwrap_or(u32::MAX)
    }
}

/// Where each approval stands in the ledger, and SHA-256 of what was signed.
pub(crate) struct Proof {
    places: Vec<(u64, Digest)>,
    last: Digest,
}

impl Proof {
    /// In words, once it is known where the last one stands.
    pub(crate) fn at(&self, place: u64) -> String {
        let words = self
            .places
            .iter()
            .map(|(known, digest)| format!("{}:{digest}", if *digest == self.last { place } else { *known }));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Whether a key that the account has now signed for exactly this request.
fn is_signed(ctx: &Context<'_>, request: &WaitingRequest, approval: &Approval, account: &Account) -> bool {
    let key =
        account.active_keys().find(|key| key.primary == approval.key && key.card == Some(approval.card));
    let Some(key) = key else { return false };
    let Ok(cert) = certificate::parse(&key.certificate) else { return false };
    let Ok(verified) = verify_later(&approval.signed, &cert) else { return false };
    let statement = verified.statement();
    key.signing.contains(verified.key())
        && statement.account == account.name
        && statement.approves == Some(request.digest())
        && statement.server == *ctx.server()
        && !statement.dry_run
}

impl Approved {
    /// Whether it is for this request, and for what is demanded of it now.
    pub(crate) fn is_for(&self, request: &Digest, demand: &[Needs]) -> bool {
        self.request == *request && self.demand == demand
    }

    /// What was asked for, and fulfilled.
    pub(crate) const fn fulfilled(&self) -> &Needs {
        &self.fulfilled
    }

    /// What the ledger says of it, when the entry of the statement `last` is only being written.
    pub(crate) fn proof(&self, last: Digest) -> Proof {
        let places = self.by.iter().map(|one| (one.place, Digest::of(&one.signed.statement.0)));
        Proof { places: places.collect(), last }
    }
}
