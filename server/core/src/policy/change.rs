//! Changing documents: all of it is looked at before anything is written.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Digest, PolicyName};
use countersign_protocol::ledger::{Entry, detail};
use countersign_protocol::message::result::PolicyVersion;

use super::document::Document;
use super::load::PolicySet;
use super::lockout::{self, Asker};
use crate::stop::{Failure, Stop};
use crate::store::Transaction;

/// What shall become of one document.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// Which.
    pub name: &'a PolicyName,
    /// What must be so for it to happen.
    pub over: Over,
    /// The new text; none to take the document out.
    pub text: Option<&'a str>,
}

/// What a change is made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// There must be no such document.
    Nothing,
    /// This must be its newest version: nobody overwrites what they did not see.
    Version(u64),
    /// Anything: on the server's own machine, where nobody else is.
    Whatever,
}

/// Who changes.
#[derive(Clone, Copy)]
pub enum By<'a> {
    /// A person, by a request.
    Account(Asker<'a>),
    /// Whoever has the server's own machine; `true` if they mean to be the only one who can change policies back.
    Console {
        /// Skip the check for whom would be locked out.
        alone: bool,
    },
}

/// What was changed.
pub struct Changed {
    /// The new version of each document, or the newest where nothing changed; whether it did.
    pub versions: Vec<(PolicyVersion, bool)>,
    /// All policies as they are in force from now on.
    pub set: PolicySet,
}

/// Names that mean something else in `policy/NAME`.
const RESERVED: [&str; 2] = ["all", "mine"];

/// Changes documents, all or none of them; `Err` inside is why not, in words for who asked.
///
/// # Errors
/// The store's.
pub fn change(
    tx: &dyn Transaction,
    changes: &[Change<'_>],
    by: By<'_>,
    now: Timestamp,
) -> Result<Result<Changed, String>, Stop> {
    let before = tx.policy_epoch()?;
    let (mut epoch, mut documents, mut versions) = (before, tx.policies_at(before)?, Vec::new());
    let newest = tx.newest_policies()?;
    for change in changes {
        let last = newest.iter().find(|version| version.name == *change.name);
        if let Err(why) = may_follow(change, last) {
            return Ok(Err(why));
        }
        let digest = change.text.map(|text| Digest::of(text.as_bytes()));
        if let Some(last) = last.filter(|last| last.digest == digest) {
            versions.push((last.clone(), false));
            continue;
        }
        epoch += 1;
        let author = match by {
            By::Account(asker) => Some(asker.account.name.clone()),
            By::Console { .. } => None,
        };
        versions.push((version(change, last, digest, epoch, now, author), true));
        documents.retain(|document| document.name != *change.name);
        documents
            .extend(change.text.map(|text| Document { name: change.name.clone(), text: text.to_owned() }));
    }
    documents.sort_by(|one, other| one.name.cmp(&other.name));
    let set = match PolicySet::load(&documents, epoch) {
        Ok(set) => set,
        Err(error) => return Ok(Err(error.in_a_line())),
    };
    if epoch == before {
        return Ok(Ok(Changed { versions, set }));
    }
    if let Some(why) = lockout::check(tx, &set, changes, by)? {
        return Ok(Err(why));
    }
    for ((version, changed), change) in versions.iter().zip(changes) {
        if *changed && !tx.change_policy(version, change.text)? {
            return Ok(Err(
                "Somebody else changed the policies just now. Look at them, and try again.".into()
            ));
        }
    }
    Ok(Ok(Changed { versions, set }))
}

fn may_follow(change: &Change<'_>, last: Option<&PolicyVersion>) -> Result<(), String> {
    let name = change.name;
    if RESERVED.contains(&name.as_str()) {
        return Err(format!("A policy document cannot be called {name}. Choose another name."));
    }
    // One that was taken out may come again: its versions go on.
    let there = last.filter(|last| last.digest.is_some());
    match (change.over, there) {
        (Over::Nothing, Some(there)) => Err(format!(
            "There is a policy document {name} already, at version {0}. To replace it: --over {0}",
            there.version
        )),
        (Over::Version(over), Some(there)) if over != there.version => Err(format!(
            "The policy document {name} is at version {0}, of {1}, and not at {over}: somebody changed it meanwhile. \
             Look at it (countersign policy show {name}), then say --over {0}.",
            there.version, there.since
        )),
        (Over::Version(_), None) => {
            Err(format!("There is no policy document {name}. See: countersign policy list"))
        }
        (Over::Whatever, None) if change.text.is_none() => {
            Err(format!("There is no policy document {name}."))
        }
        _ => Ok(()),
    }
}

fn version(
    change: &Change<'_>,
    last: Option<&PolicyVersion>,
    digest: Option<Digest>,
    epoch: u64,
    since: Timestamp,
    by: Option<AccountName>,
) -> PolicyVersion {
    let version = last.map_or(0, |last| last.version) + 1;
    PolicyVersion { name: change.name.clone(), version, digest, epoch, since, by }
}

/// Writes into an entry which version it brought.
pub fn record(entry: &mut Entry, version: &PolicyVersion) {
    entry.detail.extend(recorded(version).map(|(name, words)| (name.to_owned(), words)));
}

/// What the ledger keeps of a version.
pub(crate) fn recorded(version: &PolicyVersion) -> [(&'static str, String); 4] {
    let digest =
        version.digest.map_or_else(|| detail::POLICY_REMOVED.to_owned(), |digest| digest.to_string());
    [
        (detail::POLICY, version.name.to_string()),
        (detail::POLICY_VERSION, version.version.to_string()),
        (detail::POLICY_DIGEST, digest),
        (detail::POLICY_EPOCH, version.epoch.to_string()),
    ]
}

/// Puts the default policy into a store that has none.
///
/// # Errors
/// The store's.
pub fn first(tx: &dyn Transaction, now: Timestamp) -> Result<Option<PolicyVersion>, Stop> {
    if tx.policy_epoch()? > 0 {
        return Ok(None);
    }
    let failed = |why: String| Stop::from(Failure::Policy(why));
    let name: PolicyName =
        super::DEFAULT_NAME.parse().map_err(|error| failed(format!("{}: {error}", super::DEFAULT_NAME)))?;
    let change = Change { name: &name, over: Over::Nothing, text: Some(super::DEFAULT) };
    // Nobody has a key yet.
    let changed = self::change(tx, &[change], By::Console { alone: true }, now)?.map_err(failed)?;
    Ok(changed.versions.into_iter().next().map(|(version, _)| version))
}
