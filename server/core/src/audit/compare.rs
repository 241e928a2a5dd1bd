//! The tables beside what the ledger says.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::report::{DATABASE, Finding};
use super::state::{Said, State};
use crate::standing::{Collection, Standing, Subject, stated_in};
use crate::stop::Failure;
use crate::store::{StoreError, View};

/// Rows read at once.
const STEP: u64 = 500;

/// The same where one of them cannot be read.
const ONE_BY_ONE: usize = 500;

/// Every row of every collection, and every row that the ledger says there is.
pub(super) fn compare(view: &dyn View, state: &State) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for collection in Collection::ALL {
        let mut rows = Rows { view, collection, after: String::new(), names: None };
        let mut there = BTreeSet::new();
        while let Some(some) = rows.some()? {
            for (name, standing) in some {
                let row = Subject { collection, name }.to_string();
                let what = match standing {
                    Ok(standing) => difference(view, state.said.get(&row), &standing, collection)?,
                    Err(why) => Some(format!("it cannot be read: {why}")),
                };
                findings.extend(what.map(|what| Finding { row: row.clone(), what }));
                there.insert(row);
            }
        }
        if let Some((_, illegible @ 1..)) = rows.names {
            let what = format!("{illegible} rows of {} have names that cannot be read", collection.as_str());
            findings.push(Finding { row: DATABASE.into(), what });
        }
        let prefix = format!("{}/", collection.as_str());
        let said = state.said.range(prefix.clone()..).take_while(|(row, _)| row.starts_with(&prefix));
        for (row, _) in said.filter(|(row, said)| said.standing.is_some() && !there.contains(*row)) {
            findings.push(Finding { row: row.clone(), what: "the row is gone".into() });
        }
    }
    Ok(findings)
}

/// How a row stands, or why that cannot be read.
type Read = (String, Result<Standing, String>);

/// The rows of a collection by name, many at once. Where one of those cannot be read, one by one: so it hides no other.
struct Rows<'a> {
    view: &'a dyn View,
    collection: Collection,
    after: String,
    /// All names and how many there are beside, once they were needed.
    names: Option<(BTreeSet<String>, usize)>,
}

impl Rows<'_> {
    /// The next ones; none at the end.
    fn some(&mut self) -> Result<Option<Vec<Read>>, StoreError> {
        let rows = match self.view.standings_after(self.collection, &self.after, STEP) {
            Ok(rows) => rows.into_iter().map(|(name, standing)| (name, Ok(standing))).collect(),
            Err(StoreError::Corrupt(_)) => self.one_by_one()?,
            Err(error) => return Err(error),
        };
        let Some((last, _)) = rows.last() else { return Ok(None) };
        self.after.clone_from(last);
        Ok(Some(rows))
    }

    fn one_by_one(&mut self) -> Result<Vec<Read>, StoreError> {
        let names = match self.names.take() {
            Some(names) => names,
            None => self.view.row_names(self.collection)?,
        };
        let (names, _) = self.names.insert(names);
        let next = names.range::<str, _>((Bound::Excluded(self.after.as_str()), Bound::Unbounded));
        let mut rows = Vec::new();
        for name in next.take(ONE_BY_ONE) {
            let subject = Subject { collection: self.collection, name: name.clone() };
            let standing = match self.view.standing(&subject) {
                Ok(standing) => Ok(standing.unwrap_or_default()),
                Err(StoreError::Corrupt(why)) => Err(why),
                Err(error) => return Err(error),
            };
            rows.push((subject.name, standing));
        }
        Ok(rows)
    }
}

fn difference(
    view: &dyn View,
    said: Option<&Said>,
    is: &Standing,
    collection: Collection,
) -> Result<Option<String>, Failure> {
    let Some(Said { standing, place }) = said else {
        return Ok(Some("no entry of the ledger speaks of it".into()));
    };
    if standing.as_ref() == Some(&is.digest()) {
        return Ok(None);
    }
    let entry = match view.entries(*place, 1).map_err(Failure::from) {
        Err(failure) if failure.is_damage() => Vec::new(),
        entry => entry?,
    };
    let stated = entry.first().and_then(|exported| stated_in(&exported.entry.0).ok()).unwrap_or_default();
    let by_digest = |digest: &String| {
        stated.iter().filter_map(|(_, stated)| stated.now.clone()).find(|now| now.digest() == *digest)
    };
    let Some(should) = standing.as_ref().and_then(by_digest) else {
        return Ok(Some(format!("entry {place} says something else of it")));
    };
    // Who waited too long for an administrator is turned away without an entry of its own.
    let gave_up = collection == Collection::Instance
        && should.get("state") == Some("pending")
        && is.get("state") == Some("revoked")
        && should.unlike(is).len() == 1;
    if gave_up {
        return Ok(None);
    }
    let columns: Vec<String> = should
        .unlike(is)
        .into_iter()
        .map(|(column, should, is)| {
            let value =
                |value: Option<&str>| value.map_or_else(|| "nothing".to_owned(), |text| format!("{text:?}"));
            format!("{column} is {} and by entry {place} should be {}", value(is), value(should))
        })
        .collect();
    Ok(Some(columns.join("; ")))
}
