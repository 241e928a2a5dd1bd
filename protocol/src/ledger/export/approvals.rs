//! Whether a request that other people had to approve has their signatures, each for exactly that request.
//!
//! What a policy asked for, and who was in which group, the server says; that so many distinct people signed for these very
//! bytes before the request was done is checked here, and takes nobody's word.

use std::collections::{BTreeSet, HashMap};

use crate::approval::Needs;
use crate::ids::{AccountName, Digest};
use crate::ledger::entry::{Entry, EntryKind, Outcome, detail};
use crate::statement::Statement;

/// The approvals so far.
#[derive(Default)]
pub(super) struct Approvals {
    /// By the statement that gave each.
    given: HashMap<Digest, Given>,
    /// The requests that were done or denied by them, and where: none is twice.
    spent: HashMap<Digest, u64>,
}

struct Given {
    account: AccountName,
    /// The statement that it is for.
    approves: Digest,
    place: u64,
    /// What its person signed is there.
    signed: bool,
    taken_back: bool,
}

impl Approvals {
    /// Looks at the entry at `place`; `signed` is the statement beside it, if it was not erased and its signature is good.
    /// Whether it is of a request that was done, and what each of those signed who approved it is there.
    ///
    /// # Errors
    /// In words, what does not hold.
    pub(super) fn entry(
        &mut self,
        place: u64,
        entry: &Entry,
        signed: Option<&Statement>,
    ) -> Result<bool, String> {
        if entry.kind != EntryKind::Job {
            return Ok(false);
        }
        let is_request = entry.resource.as_ref().is_some_and(|resource| resource.collection() == "request");
        match (entry.operation.as_ref().map(|word| word.as_str()), entry.decision) {
            (Some("approve"), Outcome::Allowed) if is_request => {
                self.given(place, entry, signed).map(|()| false)
            }
            (Some("withdraw"), Outcome::Allowed) if is_request => {
                self.taken_back(entry);
                Ok(false)
            }
            _ => self.carried_out(place, entry),
        }
    }

    fn given(&mut self, place: u64, entry: &Entry, signed: Option<&Statement>) -> Result<(), String> {
        let said = entry.detail.get(detail::APPROVES).and_then(|digest| digest.parse::<Digest>().ok());
        let approves = match signed {
            Some(statement) => statement.approves,
            None => said,
        };
        let (Some(approves), Some(account), Some(statement)) = (approves, &entry.account, entry.statement)
        else {
            return Ok(());
        };
        if said.is_some_and(|said| said != approves) {
            return Err("the entry names another request than the person approved".to_owned());
        }
        let given =
            Given { account: account.clone(), approves, place, signed: signed.is_some(), taken_back: false };
        self.given.insert(statement, given);
        Ok(())
    }

    fn taken_back(&mut self, entry: &Entry) {
        let of = entry.detail.get(detail::TAKEN_BACK).and_then(|digest| digest.parse::<Digest>().ok());
        let theirs =
            |given: &&mut Given| Some(&given.account) == entry.account.as_ref() && Some(given.approves) == of;
        self.given.values_mut().filter(theirs).for_each(|given| given.taken_back = true);
    }

    fn carried_out(&mut self, place: u64, entry: &Entry) -> Result<bool, String> {
        let Some(by) = entry.detail.get(detail::APPROVED_BY) else {
            return match (entry.decision, entry.detail.get(detail::APPROVALS_NEEDED)) {
                (Outcome::Allowed, Some(_)) => {
                    Err("it says that it took approvals, and names none".to_owned())
                }
                _ => Ok(false),
            };
        };
        let needed = entry.detail.get(detail::APPROVALS_NEEDED).map(|needs| Needs::read(needs));
        let Some(Ok(needed)) = needed else {
            return Err("it does not say which approvals it took".to_owned());
        };
        let before = entry.statement.and_then(|statement| self.spent.insert(statement, place));
        if let Some(before) = before {
            return Err(format!("the same request was decided by its approvals before, in entry {before}"));
        }
        let (mut people, mut all_signed) = (BTreeSet::new(), true);
        for word in by.split_whitespace() {
            let given = self.counts(word, place, entry)?;
            people.insert(&given.account);
            all_signed &= given.signed;
        }
        if u32::try_from(people.len()).unwrap_or(u32::MAX) < needed.people() {
            return Err(format!("it took {needed}, and {} people approved it", people.len()));
        }
        Ok(entry.decision == Outcome::Allowed && all_signed)
    }

    /// The approval `PLACE:DIGEST`, if it is one of this entry's request.
    fn counts(&self, word: &str, place: u64, entry: &Entry) -> Result<&Given, String> {
        let (at, digest) = word.split_once(':').unwrap_or_default();
        let given = digest.parse::<Digest>().ok().and_then(|digest| self.given.get(&digest));
        let Some(given) = given.filter(|given| at == given.place.to_string() && given.place < place) else {
            return Err(format!("no entry before it holds the approval {word}"));
        };
        if Some(given.approves) != entry.statement {
            return Err(format!("the approval in entry {at} is for another request"));
        }
        if given.taken_back {
            return Err(format!("the approval in entry {at} was taken back before it"));
        }
        if Some(&given.account) == entry.account.as_ref() {
            return Err(format!("the approval in entry {at} is by whoever asked for it"));
        }
        Ok(given)
    }
}
