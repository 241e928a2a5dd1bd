//! What the log promises whoever writes through it.

use std::collections::BTreeSet;

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, Fingerprint, MessageId};
use countersign_protocol::ledger::{
    Entry, EntryKind, Frontier, LedgerKey, Outcome, check_consistency, check_receipt,
};
use countersign_protocol::message::result::{Evidence, ExportedEntry};
use countersign_protocol::random::{NoRandomness, Random, SystemRandom};
use countersign_protocol::statement::SignedStatement;
use secrecy::{ExposeSecret as _, SecretString};
use tlog_tiles::{Hash, HashReader, Tile, TileHashReader, TileReader, stored_hash_count};

use super::*;

/// A store that keeps the promises of the traits, and can be told to break them. A clone is a transaction.
#[derive(Clone, Default)]
struct Memory {
    entries: Vec<ExportedEntry>,
    hashes: Vec<Digest>,
    checkpoint: Option<(u64, String)>,
    unsealed: u64,
    broken: bool,
}

impl LedgerRead for Memory {
    fn tip(&self) -> Result<Tip, StorageFailure> {
        Ok(Tip { size: self.entries.len() as u64, checkpoint: self.checkpoint.clone() })
    }

    fn hashes(&self, positions: &[u64]) -> Result<Vec<Digest>, StorageFailure> {
        if self.broken {
            return Err(StorageFailure::saying("disk on fire"));
        }
        let at = |position: &u64| self.hashes.get(usize::try_from(*position).unwrap()).copied();
        positions
            .iter()
            .map(|position| at(position).ok_or_else(|| StorageFailure::saying("no such hash")))
            .collect()
    }

    fn entries(&self, from: u64, most: u64) -> Result<Vec<ExportedEntry>, StorageFailure> {
        let (from, most) = (usize::try_from(from).unwrap(), usize::try_from(most).unwrap());
        Ok(self.entries.iter().skip(from).take(most).cloned().collect())
    }
}

impl LedgerTx for Memory {
    fn put_entry(
        &mut self,
        index: u64,
        entry: &[u8],
        evidence: Option<&Evidence>,
    ) -> Result<(), StorageFailure> {
        assert_eq!(index, self.size()?, "entries are only appended");
        self.entries.push(ExportedEntry { entry: Binary(entry.to_vec()), evidence: evidence.cloned() });
        self.unsealed += 1;
        Ok(())
    }

    fn unsealed(&self) -> u64 {
        self.unsealed
    }

    fn put_hashes(&mut self, first: u64, hashes: &[Digest]) -> Result<(), StorageFailure> {
        assert_eq!(first, self.hashes.len() as u64, "hashes are only appended");
        self.hashes.extend(hashes);
        Ok(())
    }

    fn put_checkpoint(&mut self, size: u64, note: &str) -> Result<(), StorageFailure> {
        self.checkpoint = Some((size, note.to_owned()));
        self.unsealed = 0;
        Ok(())
    }
}

impl LedgerSnapshot for Memory {}

fn server() -> Fingerprint {
    "0123456789ABCDEF0123456789ABCDEF01234567".parse().unwrap()
}

fn ledger() -> Ledger {
    let NewLedgerKey { secret, public } = generate_key(&server(), &SystemRandom).unwrap();
    Ledger::open(&secret, public).unwrap()
}

fn entry(n: u8) -> Entry {
    let time = Timestamp::from_seconds(1_795_348_800);
    let mut entry = Entry::new(EntryKind::Job, time, "7K3M-Q2ZD".parse().unwrap(), Outcome::Denied, "No.");
    entry.message = Some(MessageId::from_bytes([n; 16]));
    entry
}

fn evidence() -> Evidence {
    let signed = SignedStatement {
        statement: Binary(b"statement".to_vec()),
        signature: Binary(b"signature".to_vec()),
    };
    Evidence { salt: Binary(vec![1; 32]), signed }
}

/// One transaction with the entries `numbers`, committed.
fn write(ledger: &Ledger, store: &mut Memory, numbers: std::ops::Range<u8>) -> Vec<Recorded> {
    let mut tx = store.clone();
    let appended: Vec<_> = numbers.map(|n| ledger.append(&mut tx, &entry(n), None).unwrap()).collect();
    let sealed = ledger.seal(&mut tx).unwrap();
    let pending: Vec<_> =
        appended.into_iter().map(|appended| ledger.receipt(&tx, appended, &sealed).unwrap()).collect();
    let proof = sealed
        .commit(|| {
            *store = tx;
            Ok(())
        })
        .unwrap();
    pending.into_iter().map(|pending| pending.committed(&proof).unwrap()).collect()
}

#[test]
fn every_receipt_is_one_that_a_client_accepts() {
    let (ledger, mut store) = (ledger(), Memory::default());
    let mut next = 0;
    for batch in [1, 1, 5, 2, 30] {
        for (recorded, n) in write(&ledger, &mut store, next..next + batch).into_iter().zip(next..) {
            let proven = check_receipt(recorded.receipt(), ledger.key()).unwrap();
            assert_eq!((proven.entry(), proven.index()), (&entry(n), u64::from(n)));
            proven.answers(&MessageId::from_bytes([n; 16]), None).unwrap();
        }
        next += batch;
    }
    assert_eq!(store.hashes.len() as u64, stored_hash_count(39), "the storage order of C2SP tiles");
}

#[test]
fn a_commit_that_fails_leaves_nothing_to_reply_with() {
    let (ledger, mut store) = (ledger(), Memory::default());
    write(&ledger, &mut store, 0..3);
    let mut tx = store.clone();
    let appended = ledger.append(&mut tx, &entry(3), None).unwrap();
    let sealed = ledger.seal(&mut tx).unwrap();
    let pending = ledger.receipt(&tx, appended, &sealed).unwrap();
    let failed = sealed.commit(|| Err(StorageFailure::saying("disk full")));
    assert!(matches!(failed, Err(LedgerWriteError::Storage(_))));

    // Another write takes its place: its proof is no proof of the lost one.
    let mut tx = store.clone();
    ledger.append(&mut tx, &entry(77), None).map(drop).unwrap();
    let proof = ledger.seal(&mut tx).unwrap().commit(|| Ok(())).unwrap();
    assert_eq!(proof.checkpoint().size(), 4);
    assert!(matches!(pending.committed(&proof), Err(LedgerWriteError::NotCommitted { index: 3 })));
}

#[test]
fn an_entry_is_recalled_with_the_newest_checkpoint() {
    let (ledger, mut store) = (ledger(), Memory::default());
    let first = write(&ledger, &mut store, 0..1).remove(0);
    write(&ledger, &mut store, 1..9);
    let recalled = ledger.recall(&store, 0).unwrap();
    assert_eq!(recalled.receipt().entry, first.receipt().entry);
    let proven = check_receipt(recalled.receipt(), ledger.key()).unwrap();
    assert_eq!(proven.checkpoint().size(), 9);
    for index in [9, u64::MAX] {
        assert!(matches!(ledger.recall(&store, index), Err(LedgerWriteError::NoSuchEntry { size: 9, .. })));
    }
    assert!(matches!(
        ledger.recall(&Memory::default(), 0),
        Err(LedgerWriteError::NoSuchEntry { size: 0, .. })
    ));
}

#[test]
fn a_store_that_was_changed_behind_our_back_is_not_vouched_for() {
    let ledger = ledger();
    let change: [fn(&mut Memory); 4] = [
        |store| *store.entries[2].entry.0.last_mut().unwrap() = b' ',
        |store| store.hashes[2] = Digest::of(b"x"),
        |store| store.hashes.truncate(3),
        |store| {
            store.checkpoint =
                store.checkpoint.take().map(|(size, note)| (size, note.replace("\n9\n", "\n8\n")))
        },
    ];
    for change in change {
        let mut store = Memory::default();
        write(&ledger, &mut store, 0..9);
        change(&mut store);
        let recalled = ledger.recall(&store, 2);
        assert!(
            matches!(recalled, Err(LedgerWriteError::Damaged(_) | LedgerWriteError::Storage(_))),
            "{recalled:?}"
        );
    }
}

/// Whoever can write the database writes entries of their own behind the last one, or others in the place of old ones, with the
/// hashes that belong to them.
#[test]
fn nothing_is_signed_over_what_others_wrote() {
    let NewLedgerKey { secret, public } = generate_key(&server(), &SystemRandom).unwrap();
    let open = || Ledger::open(&secret, public.clone()).unwrap();
    let (same, mut store) = (open(), Memory::default());
    write(&same, &mut store, 0..9);
    let forged = |numbers: &[u8]| {
        let mut forged = Memory::default();
        write(&open(), &mut forged, 0..9);
        numbers.iter().for_each(|n| drop(open().append(&mut forged, &entry(*n), None).unwrap()));
        (forged.entries, forged.hashes)
    };
    let edits: [&dyn Fn(&mut Memory); 5] = [
        &|store| (store.entries, store.hashes) = forged(&[66]),
        // The size beside the note says so, too.
        &|store| {
            (store.entries, store.hashes) = forged(&[66]);
            store.checkpoint.as_mut().unwrap().0 = 10;
        },
        &|store| store.checkpoint = None,
        &|store| drop(store.entries.pop()),
        // Of another log altogether.
        &|store| {
            let mut other = Memory::default();
            write(&open(), &mut other, 20..29);
            (store.entries, store.hashes) = (other.entries, other.hashes);
        },
    ];
    for (at, edit) in edits.iter().enumerate() {
        let mut edited = store.clone();
        edit(&mut edited);
        // Who began here remembers the end; who just began does not.
        for ledger in [&same, &open()] {
            if at == 4 && std::ptr::eq(ledger, &same) {
                continue;
            }
            let appended = ledger.append(&mut edited.clone(), &entry(9), None).map(|one| one.index());
            assert!(matches!(appended, Err(LedgerWriteError::Damaged(_))), "{at}: {appended:?}");
            if at < 4 {
                let sealed = ledger.seal(&mut edited.clone());
                assert!(matches!(sealed, Err(LedgerWriteError::Damaged(_))), "{at}: {sealed:?}");
                assert!(ledger.head(&edited).is_err());
            }
        }
    }
    assert_eq!(same.head(&store).unwrap().size(), 9);
    write(&same, &mut store, 9..12);
    write(&open(), &mut store, 12..15);
}

#[test]
fn a_failing_store_is_reported_as_what_it_is() {
    let NewLedgerKey { secret, public } = generate_key(&server(), &SystemRandom).unwrap();
    let mut store = Memory::default();
    write(&Ledger::open(&secret, public.clone()).unwrap(), &mut store, 0..3);
    store.broken = true;
    // Another process: it has to read.
    let ledger = Ledger::open(&secret, public).unwrap();
    let error = ledger.append(&mut store, &entry(3), None).map(|appended| appended.index()).unwrap_err();
    assert_eq!(error.to_string(), "the ledger's storage failed: disk on fire");
}

#[test]
fn evidence_goes_with_the_entry_that_names_it_and_no_other() {
    let (ledger, evidence) = (ledger(), evidence());
    let mut store = Memory::default();
    let named = Entry { evidence: Some(evidence.digest()), ..entry(0) };
    for (entry, beside) in [(&named, None), (&entry(0), Some(&evidence))] {
        assert!(matches!(ledger.append(&mut store, entry, beside), Err(LedgerWriteError::Evidence)));
    }
    assert_eq!(store.entries.len(), 0);
    assert_eq!(ledger.append(&mut store, &named, Some(&evidence)).unwrap().index(), 0);
    assert_eq!(store.entries[0].evidence.as_ref(), Some(&evidence));
}

#[test]
fn sealing_twice_signs_once() {
    let (ledger, mut store) = (ledger(), Memory::default());
    let empty = ledger.seal(&mut store).unwrap();
    assert_eq!((empty.checkpoint().size(), empty.checkpoint().root()), (0, Digest::of(b"")));
    write(&ledger, &mut store, 0..3);
    let before = store.checkpoint.clone();
    let again = ledger.seal(&mut store).unwrap();
    assert_eq!(Some((3, again.checkpoint().note().to_owned())), before);
    assert_eq!(store.checkpoint, before);
}

#[test]
fn a_host_can_follow_the_log_from_any_checkpoint_it_saw() {
    let (ledger, mut store) = (ledger(), Memory::default());
    let mut seen = vec![(0, Digest::of(b""))];
    for n in 0..20 {
        write(&ledger, &mut store, n..n + 1);
        let newest = ledger.key().checkpoint(&store.checkpoint.clone().unwrap().1).unwrap();
        seen.push((newest.size(), newest.root()));
        for (size, root) in &seen {
            let proof = ledger.consistency(&store, newest.size(), *size).unwrap();
            check_consistency(*size, *root, &newest, &proof).unwrap();
        }
    }
    // A host that saw more than there is gets no proof, and finds out by itself.
    assert_eq!(ledger.consistency(&store, 20, 21).unwrap(), Vec::new());
}

#[test]
fn pages_hold_what_fits_and_end_at_the_checkpoint() {
    let (ledger, mut store) = (ledger(), Memory::default());
    write(&ledger, &mut store, 0..200);
    // Written in a transaction that is not sealed: not part of any page.
    let unsealed = ledger.append(&mut store, &entry(200), None).unwrap();
    assert_eq!(unsealed.index(), 200);

    let whole = ledger.page(&store, 0, usize::MAX).unwrap();
    assert_eq!((whole.entries.len(), whole.size, whole.from), (200, 200, 0));
    let room = 10_000;
    let mut next = 0;
    while next < 200 {
        let page = ledger.page(&store, next, room).unwrap();
        let json = serde_json::to_vec(&page.entries).unwrap();
        assert!(json.len() <= room && !page.entries.is_empty(), "{} B", json.len());
        assert!(json.len() > room / 2 || next + page.entries.len() as u64 == 200, "half empty");
        next += page.entries.len() as u64;
    }
    assert_eq!(ledger.page(&store, 199, 0).unwrap().entries.len(), 1, "one entry always fits");
    assert!(matches!(ledger.page(&store, 200, room), Err(LedgerWriteError::NoSuchEntry { .. })));
}

/// What a mirror of the tiles sees: files by path, checked by the library's own reader.
struct Mirror(std::collections::BTreeMap<String, Vec<u8>>);

impl TileReader for Mirror {
    fn height(&self) -> u8 {
        TILE_HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles.iter().map(|tile| self.0[&tile.path()].clone()).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[test]
fn published_tiles_hold_the_tree_of_the_checkpoint() {
    let (ledger, mut store) = (ledger(), Memory::default());
    for _ in 0..4 {
        write(&ledger, &mut store, 0..150);
    }
    let checkpoint = ledger.key().checkpoint(&store.checkpoint.clone().unwrap().1).unwrap();
    assert_eq!(checkpoint.size(), 600);
    let tiles = tiles_since(0, 600);
    let mirror = Mirror(tiles.iter().map(|one| (one.path(), tile(&store, one).unwrap())).collect());
    let paths: BTreeSet<&str> = mirror.0.keys().map(String::as_str).collect();
    assert!(paths.contains("tile/8/0/000") && paths.contains("tile/8/0/002.p/88"), "{paths:?}");

    let reader = TileHashReader::new(600, Hash(*checkpoint.root().as_bytes()), &mirror);
    let leaves: Vec<u64> = (0..600).map(|n| tlog_tiles::stored_hash_index(0, n)).collect();
    let mirrored: Vec<Digest> =
        reader.read_hashes(&leaves).unwrap().iter().map(|hash| Digest::from_bytes(hash.0)).collect();
    assert_eq!(mirrored, store.hashes(&leaves).unwrap());
    // What was published does not change when the log grows.
    let before: BTreeSet<String> = tiles_since(0, 512).iter().map(Tile::path).collect();
    assert!(tiles_since(512, 600).iter().all(|tile| !before.contains(&tile.path())));
    assert!(tile(&store, &Tile::new(TILE_HEIGHT, 0, 2, 89, false)).is_err(), "a tile beyond the tree");
}

#[test]
fn the_key_is_made_of_the_given_randomness_and_of_nothing_else() {
    struct Dice(u8);
    impl Random for Dice {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
            buffer.fill(self.0);
            Ok(())
        }
    }
    struct Dry;
    impl Random for Dry {
        fn fill(&self, _: &mut [u8]) -> Result<(), NoRandomness> {
            Err(NoRandomness)
        }
    }
    let made = |dice| generate_key(&server(), &Dice(dice)).unwrap();
    assert_eq!(made(1).public, made(1).public);
    assert_eq!(made(1).secret.expose_secret(), made(1).secret.expose_secret());
    assert_ne!(made(1).public, made(2).public);
    assert_eq!(made(1).public.server(), &server());
    assert!(matches!(generate_key(&server(), &Dry), Err(LedgerWriteError::NoRandomness(_))));
}

#[test]
fn halves_of_two_keys_do_not_open_a_ledger() {
    let other: LedgerKey = generate_key(&server(), &SystemRandom).unwrap().public;
    let secret = generate_key(&server(), &SystemRandom).unwrap().secret;
    assert!(matches!(Ledger::open(&secret, other.clone()), Err(LedgerWriteError::Key(_))));
    assert!(matches!(
        Ledger::open(&SecretString::from("PRIVATE+KEY+x"), other),
        Err(LedgerWriteError::Key(_))
    ));
}

/// Two processes that write one log in turns, and transactions that are given up at every step: what one of them remembers of the
/// log's end never gets into a tree that the other wrote.
#[test]
fn what_a_process_remembers_of_the_end_is_worth_nothing_once_somebody_else_wrote_or_a_write_was_given_up() {
    let NewLedgerKey { secret, public } = generate_key(&server(), &SystemRandom).unwrap();
    let processes = [(); 2].map(|()| Ledger::open(&secret, public.clone()).unwrap());
    let (mut store, mut tree) = (Memory::default(), Frontier::new());
    // Any sequence that has no period; the same each time.
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for _ in 0..3_000 {
        let ledger = &processes[usize::try_from(next(2) * next(2)).unwrap()];
        let mut tx = store.clone();
        let numbers: Vec<u8> = (0..next(3)).map(|_| u8::try_from(next(256)).unwrap()).collect();
        let appended: Vec<_> =
            numbers.iter().map(|n| ledger.append(&mut tx, &entry(*n), None).unwrap()).collect();
        if next(4) == 0 {
            continue;
        }
        let sealed = ledger.seal(&mut tx).unwrap();
        if next(4) == 0 {
            continue;
        }
        let pending: Vec<_> =
            appended.into_iter().map(|appended| ledger.receipt(&tx, appended, &sealed).unwrap()).collect();
        let proof = sealed
            .commit(|| {
                store = tx;
                Ok(())
            })
            .unwrap();
        for number in numbers {
            tree.push(&entry(number).to_bytes().unwrap());
        }
        assert_eq!(proof.checkpoint().root(), tree.root());
        for pending in pending {
            check_receipt(pending.committed(&proof).unwrap().receipt(), ledger.key()).map(drop).unwrap();
        }
    }
    assert!(store.entries.len() > 1_200, "{} entries", store.entries.len());
}
