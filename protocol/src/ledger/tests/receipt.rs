//! Receipts, keys, checkpoints and consistency.

use super::log::{Log, Person, SERVER, anas_log, plain, plain_log};
use crate::binary::Binary;
use crate::ids::{Digest, MessageId};
use crate::ledger::{Entry, Frontier, LedgerError, LedgerKey, check_consistency, check_receipt};
use crate::message::Receipt;

#[test]
fn every_entry_of_every_small_log_proves_itself() {
    for size in 1..20 {
        let log = plain_log(size);
        for index in 0..size {
            let proven = check_receipt(&log.receipt(index.into()), &log.key).unwrap();
            assert_eq!(proven.entry(), &plain(index));
            assert_eq!(proven.index(), u64::from(index));
            assert_eq!(proven.checkpoint().size(), u64::from(size));
            assert_eq!(proven.checkpoint().root(), log.root(size.into()));
        }
    }
}

#[test]
fn receipt_of_another_request_is_refused() {
    let log = anas_log(&Person::new());
    let proven = check_receipt(&log.receipt(2), &log.key).unwrap();
    let mine = MessageId::from_bytes([1; 16]);
    let statement = proven.entry().statement.unwrap();
    proven.answers(&mine, Some(&statement)).unwrap();

    let other = MessageId::from_bytes([2; 16]);
    let refused = [
        proven.answers(&other, Some(&statement)),
        proven.answers(&mine, Some(&Digest::of(b"another statement"))),
        proven.answers(&mine, None),
    ];
    for answer in refused {
        assert!(matches!(answer, Err(LedgerError::AnotherRequest(_))), "{answer:?}");
    }
    // A request without a statement is not answered by an entry about one, and the other way round.
    let plain = check_receipt(&log.receipt(3), &log.key).unwrap();
    plain.answers(&MessageId::from_bytes([3; 16]), None).unwrap();
    assert!(plain.answers(&MessageId::from_bytes([3; 16]), Some(&statement)).is_err());
}

#[test]
fn an_entry_that_answers_no_message_answers_none() {
    let mut log = Log::new();
    log.add(&Entry { message: None, ..plain(0) }, None);
    let proven = check_receipt(&log.receipt(0), &log.key).unwrap();
    assert!(proven.answers(&MessageId::from_bytes([0; 16]), None).is_err());
}

#[test]
fn a_receipt_changed_anywhere_is_refused() {
    type Change = fn(&mut Receipt);
    let log = plain_log(11);
    let good = log.receipt(5);
    let altered: [(&str, Change); 8] = [
        ("entry", |receipt| *receipt.entry.0.last_mut().unwrap() = b' '),
        ("entry, by a space", |receipt| receipt.entry.0.push(b' ')),
        ("place", |receipt| receipt.index = 6),
        ("place beyond the tree", |receipt| receipt.index = u64::MAX),
        ("path", |receipt| receipt.proof[0] = Digest::of(b"x")),
        ("path cut", |receipt| receipt.proof.truncate(1)),
        ("path longer", |receipt| receipt.proof.push(Digest::of(b"x"))),
        ("signed size", |receipt| receipt.checkpoint = receipt.checkpoint.replacen("11", "12", 1)),
    ];
    for (what, alter) in altered {
        let mut receipt = good.clone();
        alter(&mut receipt);
        assert_ne!(receipt, good, "{what}");
        assert!(check_receipt(&receipt, &log.key).is_err(), "{what}");
    }
}

#[test]
fn a_true_leaf_that_is_no_entry_is_refused() {
    for not_an_entry in [&b"{}"[..], b"", br#"{"v":2}"#] {
        // The tree of one leaf: its root is the leaf's hash.
        let log = Log::new();
        let hash = tlog_tiles::record_hash(not_an_entry);
        let checkpoint = log.note(&format!("{}\n1\n{hash}\n", LedgerKey::name_of(log.key.server())));
        let receipt =
            Receipt { index: 0, entry: Binary(not_an_entry.to_vec()), checkpoint, proof: Vec::new() };
        assert!(matches!(check_receipt(&receipt, &log.key), Err(LedgerError::Entry(_))));
    }
}

#[test]
fn a_checkpoint_of_another_key_or_log_is_refused() {
    let (mine, other) = (plain_log(3), plain_log(3));
    assert!(matches!(check_receipt(&other.receipt(1), &mine.key), Err(LedgerError::Checkpoint(_))));

    let name = LedgerKey::name_of(mine.key.server());
    let hash = tlog_tiles::record_hash(b"x");
    let refused = [
        ("another origin", mine.note(&format!("{name}0\n3\n{hash}\n"))),
        ("an unknown line", mine.note(&format!("{name}\n3\n{hash}\nsurprise\n"))),
        ("a size beyond any ledger", mine.note(&format!("{name}\n{}\n{hash}\n", u64::MAX))),
        ("a size with a second spelling", mine.note(&format!("{name}\n03\n{hash}\n"))),
        ("no signature", format!("{name}\n3\n{hash}\n\n")),
        ("nothing", String::new()),
    ];
    for (what, note) in refused {
        assert!(matches!(mine.key.checkpoint(&note), Err(LedgerError::Checkpoint(_))), "{what}");
    }
}

#[test]
fn a_witness_may_sign_beside_the_server_but_not_in_its_place() {
    let (log, witness) = (plain_log(3), Log::of("FFFF456789ABCDEF0123456789ABCDEF01234567"));
    let note = log.checkpoint(3);
    let (text, signatures) = note.rsplit_once("\n\n").unwrap();
    let cosigned = witness.note(&format!("{text}\n"));
    let (_, witnessed) = cosigned.rsplit_once("\n\n").unwrap();
    assert!(log.key.checkpoint(&cosigned).is_err());
    assert_eq!(log.key.checkpoint(&format!("{text}\n\n{signatures}{witnessed}")).unwrap().size(), 3);
}

#[test]
fn a_ledger_key_has_one_spelling() {
    let key = Log::new().key;
    assert_eq!(key.as_str().parse::<LedgerKey>().unwrap(), key);
    assert_eq!(key.server().to_string(), SERVER);
    for bad in [
        "",
        "countersign/",
        SERVER,
        &key.as_str()[..key.as_str().len() - 2],
        &key.as_str().replacen("countersign/", "example.com/", 1),
        &key.as_str().replacen('A', "a", 1),
        &format!("{key}\n"),
        &format!(" {key}"),
    ] {
        assert!(bad.parse::<LedgerKey>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_longer_log_continues_a_shorter_one() {
    let log = plain_log(20);
    for size in 1..=20 {
        let new = log.key.checkpoint(&log.checkpoint(size)).unwrap();
        for seen in 1..=size {
            check_consistency(seen, log.root(seen), &new, &log.consistency(size, seen)).unwrap();
        }
        check_consistency(0, Digest::of(b"whatever"), &new, &[]).unwrap();
    }
}

#[test]
fn a_rewritten_or_shortened_log_is_noticed() {
    let log = plain_log(20);
    let mut rewritten = plain_log(5);
    rewritten.add(&plain(99), None);
    let new = log.key.checkpoint(&log.checkpoint(20)).unwrap();
    let proof = log.consistency(20, 6);
    let check = |size, root, proof: &[Digest]| check_consistency(size, root, &new, proof);

    assert!(matches!(check(6, rewritten.root(6), &proof), Err(LedgerError::Rewritten { seen: 6, now: 20 })));
    assert!(matches!(check(7, log.root(7), &proof), Err(LedgerError::Rewritten { .. })));
    assert!(matches!(check(6, log.root(6), &[]), Err(LedgerError::Rewritten { .. })));
    assert!(matches!(check(20, rewritten.root(6), &[]), Err(LedgerError::Rewritten { .. })));
    assert!(matches!(check(0, log.root(6), &proof), Err(LedgerError::Rewritten { .. })));
    assert!(matches!(check(21, log.root(20), &[]), Err(LedgerError::RolledBack { seen: 21, now: 20 })));
}

#[test]
fn the_streamed_root_is_the_tree_root() {
    let log = plain_log(70);
    let mut tree = Frontier::new();
    assert_eq!(tree.root(), Digest::of(b""));
    for (entry, size) in log.entries.iter().zip(1..) {
        tree.push(&entry.entry.0);
        assert_eq!((tree.size(), tree.root()), (size, log.root(size)));
    }
}

#[test]
fn an_entry_with_an_unknown_field_or_beyond_its_limit_is_refused() {
    let bytes = plain(0).to_bytes().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(Entry::from_bytes(text.as_bytes()).unwrap(), plain(0));
    assert!(Entry::from_bytes(text.replacen("\"v\"", "\"mail\":\"a@b\",\"v\"", 1).as_bytes()).is_err());
    assert!(Entry::from_bytes(format!("{text} x").as_bytes()).is_err());
    let long = Entry { reason: "x".repeat(crate::limits::LEDGER_ENTRY), ..plain(0) };
    assert!(matches!(long.to_bytes(), Err(LedgerError::Entry(_))));
}
