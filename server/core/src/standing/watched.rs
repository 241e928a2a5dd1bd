//! Rows before and after a message.

use countersign_protocol::ledger::Entry;
use serde::{Deserialize, Serialize};

use super::{Standing, StandingRead, Subject};
use crate::store::StoreError;

/// Before the name of a row, in an entry's details.
const STANDS: &str = "stands:";

/// What an entry says of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// [`Standing::digest`] of how it stood before; none of a new row.
    pub was: Option<String>,
    /// How it stands now; none if the row is gone.
    pub now: Option<Standing>,
    /// Somebody on the server's own machine said that it is so, whatever was before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
}

/// The rows that a message may change, as they stood before it.
#[derive(Debug, Default)]
pub struct Watched(Vec<(Subject, Option<Standing>)>);

impl Watched {
    /// Looks at them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn of<R: StandingRead + ?Sized>(
        store: &R,
        subjects: impl IntoIterator<Item = Subject>,
    ) -> Result<Self, StoreError> {
        let looked = subjects.into_iter().map(|subject| {
            let standing = store.standing(&subject)?;
            Ok((subject, standing))
        });
        looked.collect::<Result<_, StoreError>>().map(Self)
    }

    /// Has the entry say of those that changed how they stood and how they stand.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn note<R: StandingRead + ?Sized>(&mut self, store: &R, entry: &mut Entry) -> Result<(), StoreError> {
        self.note_those(store, |_| true, entry)
    }

    /// The same of one of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn note_one<R: StandingRead + ?Sized>(
        &mut self,
        store: &R,
        subject: &Subject,
        entry: &mut Entry,
    ) -> Result<(), StoreError> {
        self.note_those(store, |other| other == subject, entry)
    }

    fn note_those<R: StandingRead + ?Sized>(
        &mut self,
        store: &R,
        is_wanted: impl Fn(&Subject) -> bool,
        entry: &mut Entry,
    ) -> Result<(), StoreError> {
        for (subject, before) in self.0.iter_mut().filter(|(subject, _)| is_wanted(subject)) {
            let now = store.standing(subject)?;
            if now == *before {
                continue;
            }
            let was = before.as_ref().map(Standing::digest);
            Stated { was, now: now.clone(), accepted: false }.say(subject, entry)?;
            // Said once: what follows in this transaction begins here.
            *before = now;
        }
        Ok(())
    }
}

impl Stated {
    /// Puts it into an entry.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn say(&self, subject: &Subject, entry: &mut Entry) -> Result<(), StoreError> {
        let json = serde_json::to_string(self).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        entry.detail.insert(format!("{STANDS}{subject}"), json);
        Ok(())
    }
}

/// What an entry says of rows. Nothing, if its bytes hold no such word: most do not, and are not even read.
///
/// # Errors
/// It says it in words that this program does not know.
pub fn stated_in(entry: &[u8]) -> Result<Vec<(Subject, Stated)>, String> {
    let (word, length) = (STANDS.as_bytes(), STANDS.len());
    if !entry.windows(length).any(|part| part == word) {
        return Ok(Vec::new());
    }
    let entry = Entry::from_bytes(entry).map_err(|error| error.to_string())?;
    let stated = entry.detail.iter().filter_map(|(name, json)| Some((name.strip_prefix(STANDS)?, json)));
    stated
        .map(|(name, json)| {
            let subject: Subject = name.parse().map_err(|error| format!("{name}: {error}"))?;
            let stated = serde_json::from_str(json).map_err(|error| format!("{name}: {error}"))?;
            Ok((subject, stated))
        })
        .collect()
}
