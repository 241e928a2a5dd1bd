//! Several messages in one transaction of the database: what one of them does or lets be is its own, and what was asked ahead
//! for those who wait is not believed any longer than it holds.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use countersign_protocol::ids::{AccountName, Fingerprint, MessageId, Nonce};
use countersign_protocol::message::JobRequest;
use countersign_protocol::random::SystemRandom;
use countersign_server_core::accounts::{Account, AccountState};
use countersign_server_core::audit::Said;
use countersign_server_core::replies::{Recipient, StoredReply};
use countersign_server_core::store::{Expected, Store, Transaction};

use crate::at_once::together;
use crate::database::is_postgres;
use crate::fixture::Server;

/// Work of one turn; whether it keeps what it wrote.
type Turn<'a> = Box<dyn FnOnce(&mut dyn Transaction) -> bool + Send + 'a>;

/// Each takes a turn after the one before, and all but the first wait for theirs at once, expecting these rows. What became of
/// each that kept its writes; nothing of one that did not, or had no turn.
fn in_a_row(store: &Arc<dyn Store>, rows: &[Expected<'_>], turns: Vec<Turn<'_>>) -> Vec<Option<bool>> {
    let begun = Barrier::new(2);
    std::thread::scope(|scope| {
        let holding = scope.spawn(|| {
            let held = store.begin().unwrap();
            begun.wait();
            begun.wait();
            drop(held);
        });
        begun.wait();
        let mut waiting = Vec::new();
        for turn in turns {
            waiting.push(scope.spawn(move || {
                let mut tx = store.begin_expecting(rows).ok()?;
                turn(&mut *tx).then(|| tx.commit().is_ok())
            }));
            // In this order.
            std::thread::sleep(Duration::from_millis(50));
        }
        begun.wait();
        holding.join().unwrap();
        waiting.into_iter().map(|turn| turn.join().unwrap()).collect()
    })
}

fn nothing<'a>() -> Turn<'a> {
    Box::new(|_| true)
}

fn is_suspended(account: &Account) -> bool {
    matches!(account.state, AccountState::Suspended(_))
}

fn reply(id: MessageId, by: &Fingerprint) -> StoredReply {
    let digest = countersign_protocol::ids::Digest::of(b"x");
    let recipient = Recipient::Instance(by.clone());
    StoredReply { id, digest, recipient, sealed: vec![1, 2, 3], passing: false, never: None }
}

#[test]
fn a_nonce_and_a_reply_of_one_turn_are_there_for_the_next_however_early_it_asked() {
    let server = Server::new();
    let (host, _admin, _ana) = server.with_ana();
    let (store, now) = (server.store(), server.clock_now());
    let (nonce, id) = (Nonce::from_bytes([7; 32]), MessageId::new(&SystemRandom).unwrap());
    let by = &host.record.instance;
    let rows = [Expected::Nonce(&nonce), Expected::Reply(&id)];
    let fresh = |keep: bool| -> Turn<'_> {
        Box::new(move |tx| {
            assert!(tx.reply(&id).unwrap().is_none());
            assert!(tx.burn_nonce(&nonce, now).unwrap(), "who burned it before gave up");
            tx.put_reply(&reply(id, by), now).unwrap();
            if keep {
                assert!(!tx.burn_nonce(&nonce, now).unwrap(), "not even by who did it");
                assert_eq!(tx.reply(&id).unwrap().unwrap().sealed, [1, 2, 3]);
            }
            keep
        })
    };
    // Whoever takes the first turn of a transaction has the others' questions asked.
    let again = MessageId::new(&SystemRandom).unwrap();
    let first: Turn<'_> = Box::new(move |tx| {
        tx.put_reply(&reply(again, by), now).unwrap();
        true
    });
    let second: Turn<'_> = Box::new(move |tx| tx.reply(&again).unwrap().is_some());
    assert_eq!(in_a_row(&store, &[Expected::Reply(&again)], vec![first, second]), [Some(true); 2]);
    let late: Turn<'_> = Box::new(|tx| {
        assert_eq!(tx.reply(&id).unwrap().unwrap().sealed, [1, 2, 3]);
        assert!(!tx.burn_nonce(&nonce, now).unwrap());
        true
    });
    let became = in_a_row(&store, &rows, vec![nothing(), fresh(false), fresh(true), late]);
    assert_eq!(became, [Some(true), None, Some(true), Some(true)]);
    let tx = store.begin_expecting(&rows).unwrap();
    assert!(tx.reply(&id).unwrap().is_some() && !tx.burn_nonce(&nonce, now).unwrap());
}

#[test]
fn whoever_waits_sees_an_account_as_the_turn_before_left_it_and_not_as_it_was_when_asked_for() {
    let server = Server::new();
    let _hosts = server.with_ana();
    let (store, now) = (server.store(), server.clock_now());
    let ana: AccountName = "ana".parse().unwrap();
    let is_suspended = |tx: &dyn Transaction| is_suspended(&tx.account(&ana).unwrap().unwrap());
    let suspend = |keep: bool| -> Turn<'_> {
        let ana = &ana;
        Box::new(move |tx| {
            assert!(!is_suspended(tx));
            assert!(tx.suspend_account(ana, "administrator", now).unwrap());
            assert!(is_suspended(tx));
            keep
        })
    };
    let look = |expected: bool| -> Turn<'_> {
        Box::new(move |tx| {
            assert_eq!(is_suspended(tx), expected);
            true
        })
    };
    let row = [Expected::Account(&ana)];
    let given_up = in_a_row(&store, &row, vec![look(false), suspend(false), look(false)]);
    assert_eq!(given_up, [Some(true), None, Some(true)]);
    assert_eq!(in_a_row(&store, &row, vec![suspend(true), look(true), look(true)]), [Some(true); 3]);
    assert!(is_suspended(&*store.begin().unwrap()));
}

#[test]
fn a_turn_whose_statement_fails_takes_nothing_from_the_others() {
    let server = Server::new();
    let (host, _admin, _ana) = server.with_ana();
    let (store, now) = (server.store(), server.clock_now());
    let nonces = [[1; 32], [2; 32], [3; 32]].map(Nonce::from_bytes);
    let by = &host.record.instance;
    let burn = |nonce: usize| -> Turn<'_> {
        Box::new(move |tx| {
            assert!(tx.burn_nonce(&nonces[nonce], now).unwrap());
            tx.put_reply(&reply(MessageId::new(&SystemRandom).unwrap(), by), now).unwrap();
            true
        })
    };
    let failing: Turn<'_> = Box::new(|tx| {
        assert!(tx.burn_nonce(&nonces[1], now).unwrap());
        // One that every database refuses, at the latest when it is looked at.
        let twice = reply(MessageId::from_bytes([9; 16]), by);
        tx.put_reply(&twice, now).unwrap();
        let _refused = tx.put_reply(&twice, now);
        assert!(tx.account(&"nobody-at-all".parse().unwrap()).is_err() || !is_postgres());
        false
    });
    let became = in_a_row(&store, &[], vec![burn(0), failing, burn(2)]);
    assert_eq!(became, [Some(true), None, Some(true)]);
    let tx = store.begin().unwrap();
    let burned = nonces.map(|nonce| !tx.burn_nonce(&nonce, now).unwrap());
    assert_eq!(burned, [true, false, true]);
}

#[test]
fn a_commit_that_is_lost_is_lost_for_all_who_share_it_and_the_next_goes_on() {
    if !is_postgres() {
        return;
    }
    let server = Server::new();
    let (host, _admin, _ana) = server.with_ana();
    let (store, now) = (server.store(), server.clock_now());
    let by = &host.record.instance;
    server.intruder().in_commits("RAISE EXCEPTION 'no'");
    let put = || -> Turn<'_> {
        Box::new(move |tx| {
            tx.put_reply(&reply(MessageId::new(&SystemRandom).unwrap(), by), now).unwrap();
            true
        })
    };
    assert_eq!(in_a_row(&store, &[], vec![put(), put(), put()]), [Some(false); 3]);
    server.intruder().let_commits_be();
    assert_eq!(in_a_row(&store, &[], vec![put(), put(), put()]), [Some(true); 3]);
    assert_eq!(server.intruder().number("SELECT count(*) FROM replies WHERE sealed = '\\x010203'"), 3);
}

#[test]
fn a_statement_that_fails_after_its_turn_was_kept_is_never_told_to_be_kept() {
    if !is_postgres() {
        return;
    }
    let server = Server::new();
    let store = server.store();
    server.intruder().run(
        "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS
         $$BEGIN RAISE EXCEPTION 'no'; END$$;
         CREATE TRIGGER refuses BEFORE DELETE ON audit_said FOR EACH ROW EXECUTE FUNCTION refuses()",
    );
    // Nobody waits for what becomes of it before the next one does, who cannot take back more than their own.
    let fails: Turn<'_> = Box::new(|tx| {
        tx.put_audit_said("x", &Said { standing: None, place: 7 }).unwrap();
        tx.forget_audit_said("x").unwrap();
        true
    });
    assert_eq!(in_a_row(&store, &[], vec![nothing(), fails, nothing()]), [Some(false), Some(false), None]);
    assert_eq!(in_a_row(&store, &[], vec![nothing(), nothing()]), [Some(true); 2]);
}

#[test]
fn a_repeated_message_is_answered_only_when_the_commit_that_it_was_found_in_is_durable() {
    if !is_postgres() {
        return;
    }
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let intruder = server.intruder();
    intruder.in_commits("RAISE EXCEPTION 'no'");
    let request = JobRequest { signed: ana.sign(&host.session(&ana, "ana")), body: None };
    let sealed = host.seal(&host.message(&request));
    let all_at_once = || {
        intruder.take_the_writers_turn();
        std::thread::scope(|scope| {
            let sent: Vec<_> = (0..3).map(|_| scope.spawn(|| host.send(&sealed).status)).collect();
            std::thread::sleep(Duration::from_millis(500));
            intruder.give_back();
            sent.into_iter().map(|sent| sent.join().unwrap()).collect::<Vec<_>>()
        })
    };
    assert_eq!(all_at_once(), [503; 3]);
    intruder.let_commits_be();
    assert_eq!(all_at_once(), [200; 3]);
    assert_eq!(server.entries().iter().filter(|entry| entry.login.is_some()).count(), 1);
}

#[test]
fn a_server_that_hangs_in_its_turn_is_ended_and_the_others_go_on() {
    if !is_postgres() {
        return;
    }
    let server = Server::new();
    let now = server.clock_now();
    let [hung, other] = [server.store(), server.store()];
    let nonce = Nonce::from_bytes([7; 32]);
    let hangs = hung.begin().unwrap();
    assert!(hangs.burn_nonce(&nonce, now).unwrap());
    let next = other.begin_expecting(&[Expected::Nonce(&nonce)]).unwrap();
    assert!(next.burn_nonce(&nonce, now).unwrap(), "what it did is taken back");
    next.commit().unwrap();
    assert!(hangs.commit().is_err());
    assert!(!hung.begin().unwrap().burn_nonce(&nonce, now).unwrap());
}

#[test]
fn two_servers_on_one_database_take_turns_and_neither_sees_less_than_the_other_wrote() {
    let server = Server::new();
    let stores = [server.store(), server.store()];
    let now = server.clock_now();
    let burned = together(8, |worker| {
        let ours = (0..50_u8).filter(|number| {
            let nonce = Nonce::from_bytes([*number; 32]);
            let tx = stores[worker % 2].begin_expecting(&[Expected::Nonce(&nonce)]).unwrap();
            let is_ours = tx.burn_nonce(&nonce, now).unwrap();
            tx.commit().unwrap();
            is_ours
        });
        ours.count()
    });
    assert_eq!(burned.iter().sum::<usize>(), 50, "each of them once");
}
