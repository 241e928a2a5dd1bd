use super::*;
use crate::offline::scene::{NOW, card, scene};
use crate::seat::LoginSession;

use countersign_protocol::roster::{OfflineServices, Roster};

const LIFE: Duration = Duration::from_secs(300);
const UP: Duration = Duration::from_secs(10_000);
const LATER: Timestamp = NOW.plus(60);

fn sudo() -> ServiceName {
    "sudo".parse().unwrap()
}

fn ana() -> LoginName {
    "ana".parse().unwrap()
}

fn unasked(roster: &mut Roster) {
    roster.entries[0].accounts[0].unasked = OfflineServices::These(vec![sudo()]);
}

fn roster(change: impl FnOnce(&mut Roster)) -> VerifiedRoster {
    scene().verified(|roster| {
        unasked(roster);
        change(roster);
    })
}

fn given() -> Consent {
    let roster = roster(|_| {});
    Consent {
        login: ana(),
        service: sudo(),
        caller: Caller::for_tests(),
        card: card(),
        insertion: 3,
        account: roster.roster().entries[0].accounts[0].clone(),
        epoch: roster.roster().policy_epoch,
        ledger_index: 42,
        statement: Digest::of(b"statement"),
        correlation: "7K3M-Q2ZD".parse().unwrap(),
        up: UP,
        at: NOW,
    }
}

fn found(
    consents: &Consents,
    login: &LoginName,
    service: &ServiceName,
    caller: &Caller,
    up: Duration,
) -> bool {
    consents.find(&Asked { login, service, caller, up, life: LIFE }).is_some()
}

fn with_one() -> Consents {
    let consents = Consents::default();
    consents.given(given());
    consents
}

fn is_there(consents: &Consents) -> bool {
    found(consents, &ana(), &sudo(), &Caller::for_tests(), UP)
}

#[test]
fn a_consent_stands_for_its_own_login_service_and_hands_alone() {
    let consents = with_one();
    assert!(is_there(&consents));
    assert!(!found(&consents, &"root".parse().unwrap(), &sudo(), &Caller::for_tests(), UP));
    assert!(!found(&consents, &ana(), &"su".parse().unwrap(), &Caller::for_tests(), UP));
    for other in Caller::others() {
        assert!(!found(&consents, &ana(), &sudo(), &other, UP), "{other:?}");
    }
    assert!(is_there(&consents), "asking in vain takes nothing away");
}

/// R24: there is no other clock in it than the one that nobody sets.
#[test]
fn a_consent_ends_by_the_time_since_the_machine_was_started_and_is_not_prolonged() {
    let just = LIFE - Duration::from_millis(1);
    let consents = with_one();
    for _ in 0..3 {
        assert!(found(&consents, &ana(), &sudo(), &Caller::for_tests(), UP + just));
    }
    assert!(!found(&consents, &ana(), &sudo(), &Caller::for_tests(), UP + LIFE));
    assert!(!found(&consents, &ana(), &sudo(), &Caller::for_tests(), UP + just), "it is gone for good");
    // The machine was started anew, or so it seems.
    assert!(!found(&with_one(), &ana(), &sudo(), &Caller::for_tests(), UP - Duration::from_secs(1)));
}

#[test]
fn a_consent_stands_while_card_policy_and_account_are_as_they_were() {
    let stands = |insertion, time, change: &dyn Fn(&mut Roster)| {
        let roster = roster(change);
        given().stands(&Now { roster: &roster, time, insertion })
    };
    assert!(stands(Some(3), LATER, &|_| {}));
    // Another roster that says the same: they are signed anew all day.
    assert!(stands(Some(3), LATER, &|roster| roster.issued = NOW.plus(30)));
    assert!(!stands(None, LATER, &|_| {}), "the card is gone");
    assert!(!stands(Some(4), LATER, &|_| {}), "it was taken out and put in again");
    assert!(!stands(Some(3), LATER, &|roster| roster.policy_epoch += 1), "another policy");
    assert!(!stands(Some(3), LATER, &|roster| roster.entries[0].accounts.clear()), "suspended or revoked");
    assert!(!stands(Some(3), LATER, &|roster| roster.entries.clear()), "not managed any more");
    assert!(!stands(Some(3), LATER, &|roster| roster.entries[0].accounts[0].keys.clear()), "another key");
    let needs_asking = |roster: &mut Roster| roster.entries[0].accounts[0].unasked = OfflineServices::None;
    assert!(!stands(Some(3), LATER, &needs_asking), "the policy depends on the time");
    let login = |roster: &mut Roster| {
        let login = OfflineServices::These(vec!["login".parse().unwrap()]);
        roster.entries[0].accounts[0].unasked = login;
    };
    assert!(!stands(Some(3), LATER, &login), "for another service");
    assert!(!stands(Some(3), NOW.plus(25 * 3600), &|_| {}), "the roster has ended");
}

struct Host;

impl World for Host {
    fn has_logind(&self) -> bool {
        true
    }

    fn origin(&self, pid: i32) -> Option<Origin> {
        Some(Origin::Session(format!("c{pid}")))
    }

    fn session(&self, _id: &str) -> Option<LoginSession> {
        None
    }

    fn sessions_of(&self, _uid: u32) -> Vec<LoginSession> {
        Vec::new()
    }

    fn greeters(&self) -> Vec<LoginSession> {
        Vec::new()
    }

    fn seats(&self) -> Vec<String> {
        Vec::new()
    }

    fn terminal(&self, _pid: i32) -> Option<u32> {
        None
    }
}

#[test]
fn a_consent_ends_with_its_session_and_with_a_denial_and_not_with_one_command_of_sudo() {
    let peer = |pid, started| Peer { uid: 0, gid: 0, pid, started };
    for (closes, by_covered, stays) in [
        (peer(3, 1), false, false),
        (peer(3, 1), true, true),
        (peer(4, 1), false, true),
        // The shell that leads the terminal, wherever it is.
        (peer(4711, 17), false, false),
        (peer(4711, 18), false, true),
    ] {
        let consents = with_one();
        let ended = Ended { login: &ana(), service: &"sshd".parse().unwrap(), by_covered };
        consents.session_closed(&Host, &closes, &ended);
        assert_eq!(is_there(&consents), stays, "{closes:?} {by_covered}");
    }
    // A terminal of a desktop belongs to no session of logind: the end of any of ana's ends it.
    for (login, service, by_covered, stays) in [
        ("ana", "login", false, false),
        ("ana", "systemd-user", false, false),
        ("ana", "cron", false, true),
        ("ana", "sudo", true, true),
        ("olga", "login", false, true),
    ] {
        let consents = Consents::default();
        let caller = Caller::others().into_iter().find(Caller::is_of_systemd).unwrap();
        consents.given(Consent { caller, ..given() });
        let ended = Ended { login: &login.parse().unwrap(), service: &service.parse().unwrap(), by_covered };
        consents.session_closed(&Host, &peer(9, 1), &ended);
        assert_eq!(consents.lock().len(), usize::from(stays), "{login} {service}");
    }
    let consents = with_one();
    consents.forget(&"olga".parse().unwrap());
    consents.forget_one(&"8K3M-Q2ZD".parse().unwrap());
    assert!(is_there(&consents));
    consents.forget(&ana());
    assert!(!is_there(&consents));
    let consents = with_one();
    consents.forget_one(&"7K3M-Q2ZD".parse().unwrap());
    assert!(!is_there(&consents));
}

#[test]
fn no_program_fills_the_agent_with_consents() {
    let consents = Consents::default();
    for n in 0..1000 {
        consents.given(Consent { login: format!("ana{n}").parse().unwrap(), ..given() });
    }
    assert_eq!(consents.lock().len(), MOST);
    for _ in 0..1000 {
        consents.given(given());
    }
    assert_eq!(consents.lock().iter().filter(|one| one.login == ana()).count(), 1);
}
