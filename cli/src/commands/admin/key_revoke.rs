//! `countersign admin key revoke`: end the keys of lost cards, or of people who leave.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use countersign_protocol::ids::{AccountName, CardIdent, Fingerprint};
use countersign_protocol::message::result::{AccountShown, KeyRevoked, KeyShown};
use serde::Serialize;

use super::{user_list, user_show};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;
use crate::terminal;

/// Revoke keys for good: of lost cards, or of people who leave.
///
/// From then on nothing they sign is accepted, no host lets them in, and they can never be registered again. The
/// account stays; `countersign admin user add` makes a code for its next card. Each key costs your PIN once; one that
/// is named by its account or card costs it once more, to look it up first: the server says whose it is, not the card.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// A key's fingerprint, a card's number such as FFFE:0000AAAA, or an account's name.
    #[arg(value_name = "FINGERPRINT|CARD|ACCOUNT", required = true)]
    targets: Vec<Target>,

    #[command(flatten)]
    card: CardChoice,
}

/// What somebody may call a key. No two of these look alike.
#[derive(Debug, Clone)]
enum Target {
    Key(Fingerprint),
    Card(CardIdent),
    Account(AccountName),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(key) = text.to_ascii_uppercase().parse() {
            return Ok(Self::Key(key));
        }
        if let Ok(card) = text.to_ascii_uppercase().parse() {
            return Ok(Self::Card(card));
        }
        text.parse().map(Self::Account).map_err(|_| {
            "neither a key's fingerprint (40 or 64 hexadecimal digits), nor a card's number (FFFE:0000AAAA), nor an \
             account's name"
                .to_owned()
        })
    }
}

/// One key to be revoked, and what is known of it.
#[derive(Debug, Clone)]
struct Found {
    key: Fingerprint,
    about: String,
}

impl Revoke {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let found = self.targets.iter().map(|target| self.find(global, target));
        let found = found.collect::<Result<Vec<_>, _>>()?.concat();
        terminal::tell("To be revoked, for good:");
        for one in &found {
            terminal::tell(&format!("  key {}\n    {}", one.key.spaced(), one.about));
        }
        let mut revoked = Vec::new();
        for one in found {
            match self.revoke(global, &one.key) {
                Ok(done) => revoked.push(done),
                Err(failure) => return Err(after(&revoked, failure)),
            }
        }
        Report::of(&Shown { revoked })
    }

    fn revoke(&self, global: &Global, key: &Fingerprint) -> Result<Done, Failure> {
        let done = Job::new("revoke", "key", &key.to_string(), &self.card)?.run(global)?;
        Ok(Done { revoked: done.result, recorded: done.recorded })
    }

    /// An account is named for all of its keys.
    fn find(&self, global: &Global, target: &Target) -> Result<Vec<Found>, Failure> {
        match target {
            Target::Key(key) => {
                Ok(vec![Found { key: key.clone(), about: "of whichever account it belongs to".to_owned() }])
            }
            Target::Account(name) => {
                terminal::tell(&format!("Looking up the keys of account {name}."));
                of(&user_show::account(global, &self.card, name)?)
            }
            // Also if it is in a reader here: a card could claim any number and anybody's key.
            Target::Card(card) => Ok(vec![self.by_card(global, *card)?]),
        }
    }

    /// Asks the server whose card it is. A number is what a host said when the key was registered, and two may have said
    /// the same: which of them is meant is not ours to guess.
    fn by_card(&self, global: &Global, card: CardIdent) -> Result<Found, Failure> {
        terminal::tell(&format!("Looking up whose card {card} is."));
        let (mut after, mut matches) = (None, Vec::new());
        loop {
            let list = user_list::page(global, &self.card, after)?;
            after = list.accounts.last().map(|last| last.account.to_string()).filter(|_| list.more);
            matches.extend(list.accounts.iter().flat_map(|one| of_card(one, card)));
            if after.is_none() {
                return only(matches, card);
            }
        }
    }
}

fn of_card(account: &AccountShown, card: CardIdent) -> impl Iterator<Item = Found> {
    keys(account).filter(move |key| key.card == Some(card)).map(|key| found(account, key))
}

fn only(mut matches: Vec<Found>, card: CardIdent) -> Result<Found, Failure> {
    match (matches.pop(), matches.is_empty()) {
        (Some(found), true) => Ok(found),
        (None, _) => Err(Failure::usage(format!("no account's key was registered from the card {card}"))
            .then("Name the key by its account or fingerprint: countersign admin user list")),
        (Some(last), false) => {
            matches.push(last);
            let each = matches.iter().map(|one| format!("\n  key {}\n    {}", one.key, one.about));
            let message = format!(
                "{} keys were registered from a card that called itself {card}, so the number does not say which one \
                 is lost:{}",
                matches.len(),
                each.collect::<String>()
            );
            Err(Failure::usage(message)
                .then("Name the key by its fingerprint: countersign admin key revoke KEY"))
        }
    }
}

fn of(account: &AccountShown) -> Result<Vec<Found>, Failure> {
    let found: Vec<Found> = keys(account).map(|key| found(account, key)).collect();
    if found.is_empty() {
        let name = &account.account;
        return Err(Failure::usage(format!("the account {name} has no key; it is {}", account.state))
            .then(format!("What it had before: countersign admin user show {name}")));
    }
    Ok(found)
}

fn keys(account: &AccountShown) -> impl Iterator<Item = &KeyShown> {
    account.key.iter().chain(&account.second)
}

fn found(account: &AccountShown, key: &KeyShown) -> Found {
    let card = key.card.map_or_else(|| "a card".to_owned(), |card| format!("card {card}"));
    let logins: Vec<&str> = account.logins.iter().map(|login| login.as_str()).collect();
    let about = format!(
        "of account {} (logins {}), on {card}, registered {}",
        account.account,
        logins.join(", "),
        key.registered
    );
    Found { key: key.key.clone(), about }
}

/// Nothing that was done may go unsaid because the next one failed.
fn after(revoked: &[Done], failure: Failure) -> Failure {
    if revoked.is_empty() {
        return failure;
    }
    let done: Vec<String> = revoked.iter().map(|one| one.revoked.account.to_string()).collect();
    let message = format!("{}\nRevoked before that: the keys of {}.", failure.message, done.join(", "));
    Failure { message, ..failure }
}

#[derive(Serialize)]
struct Done {
    #[serde(flatten)]
    revoked: KeyRevoked,
    #[serde(flatten)]
    recorded: Recorded,
}

#[derive(Serialize)]
struct Shown {
    revoked: Vec<Done>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Done { revoked, recorded } in &self.revoked {
            let when = if revoked.changed { "is revoked" } else { "was revoked before" };
            writeln!(f, "The key of account {} {when}.", revoked.account)?;
            writeln!(f, "  key         {}", revoked.key.spaced())?;
            writeln!(f, "  recorded    entry {} of the ledger", recorded.ledger_index)?;
        }
        // Of the last key of each account only: those before it were asked to end as well.
        let last = |at: usize, one: &Done| {
            self.revoked.iter().skip(at + 1).all(|later| later.revoked.account != one.revoked.account)
        };
        let lasting = self.revoked.iter().enumerate().filter(|(at, one)| last(*at, one));
        for (account, left) in
            lasting.filter_map(|(_, one)| Some((&one.revoked.account, one.revoked.left.as_ref()?)))
        {
            let card = left.card.map_or_else(|| "another card".to_owned(), |card| format!("card {card}"));
            writeln!(
                f,
                "The account {account} goes on with {card}, registered {}. If its person does not know that card, \
                 whoever had the other one registered it. End it as well:\n  countersign admin key revoke {account}",
                left.registered
            )?;
        }
        writeln!(
            f,
            "Next: for a new card, with the logins and roles the account has\n  \
             countersign admin user add ACCOUNT …"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_two_cards_claim_names_neither() {
        let card: CardIdent = "FFFE:0000AAAA".parse().unwrap();
        let one = |n: u8, about: &str| Found {
            key: Fingerprint::from_bytes(&[n; 20]).unwrap(),
            about: about.to_owned(),
        };
        let (first, other) = (one(1, "of account ana"), one(2, "of account olga"));
        assert_eq!(only(vec![first.clone()], card).unwrap().key, first.key);
        assert!(only(Vec::new(), card).unwrap_err().message.contains("no account's key"));
        let refused = only(vec![first.clone(), other.clone()], card).unwrap_err().message;
        for said in [first, other].iter().flat_map(|found| [found.key.to_string(), found.about.clone()]) {
            assert!(refused.contains(&said), "{refused}");
        }
    }

    #[test]
    fn a_key_is_named_in_three_ways_that_never_mix() {
        let key = "AB".repeat(20);
        assert!(matches!(key.parse(), Ok(Target::Key(_))));
        assert!(matches!(key.to_lowercase().parse(), Ok(Target::Key(_))));
        assert!(matches!("fffe:0000aaaa".parse(), Ok(Target::Card(_))));
        assert!(matches!("ana".parse(), Ok(Target::Account(_))));
        for bad in ["", "Ana", "FFFE:AAAA", "a b"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
