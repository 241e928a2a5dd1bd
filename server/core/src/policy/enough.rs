//! Whether there are enough people for the approvals that policies ask for: what nobody can approve locks everybody out.

use std::collections::BTreeSet;

use countersign_protocol::approval::Requirement;
use countersign_protocol::ids::AccountName;

use super::load::PolicySet;
use crate::accounts::Account;
use crate::stop::Stop;
use crate::store::Transaction;

/// Why the policies cannot be, if one of them asks for more approvals than there are people. `may_approve` says whether the
/// policies themselves let somebody approve at all.
pub(super) fn check(
    tx: &dyn Transaction,
    set: &PolicySet,
    may_approve: &dyn Fn(&Account) -> bool,
) -> Result<Option<String>, Stop> {
    for (id, needs) in set.approvals() {
        for requirement in needs.requirements() {
            let there = people(tx, requirement)?;
            let (number, of) = (requirement.number(), requirement.of());
            if there.len() < usize::from(number) {
                return Ok(Some(format!(
                    "The policy {id} asks for {number} approvals by {of}, and only {} of them can give one: accounts that are \
                     active, each with a card of its own. Nothing was changed. Put more people there first (countersign admin \
                     user update NAME {} {}), or ask for fewer.",
                    there.len(),
                    of.option(),
                    of.as_str(),
                )));
            }
            if there.iter().filter(|account| may_approve(account)).count() < usize::from(number) {
                return Ok(Some(format!(
                    "The policy {id} asks for {number} approvals by {of}, and the policies do not let them approve. Nothing \
                     was changed. Take up the permit requests-that-wait-for-approvals of the default policy first."
                )));
            }
        }
    }
    Ok(None)
}

/// Nobody who may change policies would find enough others.
pub(super) fn nobody_else(set: &PolicySet) -> String {
    format!(
        "With it nobody could change policies any more: that would take {}, beside whoever asks, and for everybody who may \
         change policies too few others are left. Nothing was changed. Put more people there first (countersign admin user \
         update NAME --group GROUP), or ask for fewer.",
        set.guard()
    )
}

/// Who can be asked for each of the approvals that a change of policies takes.
pub(super) struct Others(Vec<(usize, BTreeSet<AccountName>)>);

impl Others {
    pub(super) fn asked_by(tx: &dyn Transaction, set: &PolicySet) -> Result<Self, Stop> {
        let guard = set.guard();
        let each = guard.requirements().iter().map(|one| {
            let people = people(tx, one)?.into_iter().map(|account| account.name);
            Ok((usize::from(one.number()), people.collect()))
        });
        each.collect::<Result<_, Stop>>().map(Self)
    }

    /// Nobody approves what they ask for themselves.
    pub(super) fn are_enough_beside(&self, account: &Account) -> bool {
        let others =
            |people: &BTreeSet<AccountName>| people.iter().filter(|name| **name != account.name).count();
        self.0.iter().all(|(number, people)| others(people) >= *number)
    }
}

/// Those who can give such an approval. Two accounts with one card between them are one.
fn people(tx: &dyn Transaction, requirement: &Requirement) -> Result<Vec<Account>, Stop> {
    let (mut people, mut cards) = (Vec::new(), BTreeSet::new());
    for account in tx.active_accounts_of(requirement.of())? {
        if account.active_keys().filter_map(|key| key.card).any(|card| cards.insert(card)) {
            people.push(account);
        }
    }
    Ok(people)
}
