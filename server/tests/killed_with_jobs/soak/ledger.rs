//! What the ledger and the tables say afterwards, held to what everybody was told.

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::ids::MessageId;
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::message::JobStanding;
use countersign_server::data::DataFolder;
use countersign_server::store::CrashPoint;
use countersign_server::{open, proof};
use countersign_server_core::store::View;
use serde_json::json;

use super::client::{Came, Told};
use crate::database;

/// What is worth telling of it.
#[derive(Default)]
pub(super) struct Said {
    pub(super) entries: usize,
    pub(super) versions: usize,
    pub(super) failed: usize,
    /// Increments of shared documents.
    pub(super) shared: usize,
}

/// Holds them to it. So many jobs were to be asked for.
pub(super) fn check(folder: &DataFolder, told: &[Told], jobs: u64) -> Said {
    let keys = open::keys(folder).unwrap();
    let store = database::of(folder).open(CrashPoint::never()).unwrap();
    // Every entry and statement, the root under the signed checkpoint, and every row that decides something.
    let proven = proof::whole(&*store, &keys).unwrap().of_all().unwrap();
    assert_eq!(proven.unattributed, 0);

    let view = store.view().unwrap();
    let entries = entries(&*view);
    let came: BTreeMap<&MessageId, &Came> = told.iter().flat_map(|one| &one.came).collect();
    assert_eq!(came.len() as u64, jobs, "not all were asked for");
    let (mut done, mut served, mut alarms) = (BTreeMap::new(), BTreeSet::new(), 0);
    for entry in &entries {
        let job = || entry.detail["job"].parse::<MessageId>().unwrap();
        match (entry.kind, entry.decision) {
            (EntryKind::JobDone, _) => assert!(done.insert(job(), entry).is_none(), "done twice"),
            (EntryKind::JobResult, Outcome::Allowed) => assert!(served.insert(job()), "served twice"),
            (EntryKind::Alarm, _) => alarms += 1,
            (EntryKind::Refusal | EntryKind::JobResult, _) => panic!("{}", entry.reason),
            _ => {}
        }
    }
    assert!(done.keys().eq(came.keys().copied()), "the jobs that were accepted are not those that were done");
    assert!(
        served.iter().eq(came.keys().copied()),
        "the jobs that were accepted are not those that were served"
    );
    // Each fetch that came beside another one was told, and nobody else fetched.
    assert_eq!(alarms, told.iter().map(|one| one.turned_away).sum::<u64>());

    let mut said = Said { entries: entries.len(), ..Said::default() };
    let mut versions: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for (job, Came { resource, standing, version }) in came {
        let entry = done[job];
        let decided = if *standing == JobStanding::Done { Outcome::Allowed } else { Outcome::Denied };
        let in_ledger = entry.detail.get("version").map(|version| version.parse().unwrap());
        assert_eq!((entry.decision, in_ledger), (decided, *version), "{resource}");
        assert_eq!(entry.resource.as_ref().unwrap().as_str(), resource);
        assert_eq!(view.job(job).unwrap().unwrap().standing, JobStanding::Served, "{resource}");
        said.failed += usize::from(decided == Outcome::Denied);
        if let Some(version) = version {
            assert!(versions.entry(resource).or_default().insert(*version), "{resource}: one version twice");
            said.versions += 1;
            said.shared += usize::from(resource.contains("shared") && *version > 1);
        }
    }
    for (resource, versions) in versions {
        is_counted(&*view, resource, &versions);
    }
    said
}

/// As many versions as jobs made, and nothing is counted twice or lost.
fn is_counted(view: &dyn View, resource: &str, versions: &BTreeSet<u64>) {
    let (collection, name) = resource.split_once('/').unwrap();
    let document = view.document(&collection.parse().unwrap(), &name.parse().unwrap()).unwrap().unwrap();
    let last = versions.len() as u64;
    assert!(versions.iter().copied().eq(1..=last), "{resource}: {versions:?}");
    assert_eq!(document.version, last, "{resource}");
    let body: serde_json::Value = serde_json::from_str(&document.body.unwrap()).unwrap();
    assert_eq!(body, json!({"count": last - 1}), "{resource}");
}

fn entries(view: &dyn View) -> Vec<Entry> {
    let (size, mut entries) = (view.size().unwrap(), Vec::new());
    while (entries.len() as u64) < size {
        for exported in view.entries(entries.len() as u64, 1000).unwrap() {
            entries.push(Entry::from_bytes(&exported.entry.0).unwrap());
        }
    }
    entries
}
