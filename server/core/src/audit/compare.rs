//! The tables beside what the ledger says.

use super::report::Finding;
use super::state::{Said, State};
use crate::standing::{Collection, Standing, Subject, stated_in};
use crate::stop::Failure;
use crate::store::View;

/// Rows read at once.
const STEP: u64 = 500;

/// Every row of every collection, and every row that the ledger says there is.
pub(super) fn compare(view: &dyn View, state: &State) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for collection in Collection::ALL {
        let mut there = std::collections::BTreeSet::new();
        let mut after = String::new();
        loop {
            let rows = view.standings_after(collection, &after, STEP)?;
            let Some((last, _)) = rows.last() else { break };
            after.clone_from(last);
            for (name, standing) in rows {
                let subject = Subject { collection, name };
                let row = subject.to_string();
                if let Some(what) = difference(view, state.said.get(&row), &standing, collection)? {
                    findings.push(Finding { row: row.clone(), what });
                }
                there.insert(row);
            }
        }
        let prefix = format!("{}/", collection.as_str());
        let said = state.said.range(prefix.clone()..).take_while(|(row, _)| row.starts_with(&prefix));
        for (row, _) in said.filter(|(row, said)| said.standing.is_some() && !there.contains(*row)) {
            findings.push(Finding { row: row.clone(), what: "the row is gone".into() });
        }
    }
    Ok(findings)
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
    let entry = view.entries(*place, 1)?;
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
