use countersign_protocol::binary::Binary;
use countersign_protocol::emergency::EmergencyCode;
use countersign_protocol::ipc::DenyReason;
use countersign_protocol::message::HostEventKind;

use super::*;

fn choice(n: u32, touch: bool) -> Choice {
    Choice {
        card: CardIdent::new(6, n),
        name: format!("YubiKey …{n:04X}"),
        account: "ana".parse().unwrap(),
        touch,
    }
}

fn signed() -> SignedStatement {
    SignedStatement { statement: Binary(vec![1]), signature: Binary(vec![2]) }
}

fn pin() -> Pin {
    Pin::new("123456".into()).unwrap()
}

fn ana() -> Vec<AccountName> {
    vec!["ana".parse().unwrap()]
}

/// Every state, reached by the events that lead there.
fn states() -> Vec<(&'static str, Session)> {
    let path = |cards: Vec<Choice>, events: Vec<Event>| {
        let mut session = Session::begin(&ana(), cards).0;
        for event in events {
            session = session.step(event).0;
        }
        session
    };
    let one = || vec![choice(1, false)];
    let with_code = |events: Vec<Event>, codes: &[&str]| {
        let codes = codes.iter().map(|name| name.parse().unwrap()).collect();
        let mut session = Session::begin_with_codes(&ana(), codes, vec![]).0;
        for event in events {
            session = session.step(event).0;
        }
        session
    };
    let asked = || Event::Code(code());
    vec![
        ("waiting", path(vec![], vec![])),
        ("choosing", path(vec![choice(1, false), choice(2, false)], vec![])),
        ("tries", path(one(), vec![])),
        ("last-try", path(one(), vec![Event::Tries(1)])),
        ("pin", path(one(), vec![Event::Tries(3)])),
        ("touch", path(one(), vec![Event::Tries(3), Event::Pin(pin())])),
        ("server", path(one(), vec![Event::Tries(3), Event::Pin(pin()), Event::Signed(signed())])),
        ("host", path(one(), vec![Event::Tries(3), Event::Pin(pin()), Event::Signed(signed()), silence()])),
        ("decided", path(one(), vec![Event::Gone(Gone::Cancelled)])),
        ("code", with_code(vec![], &["ana"])),
        ("entered", with_code(vec![Event::Cards(vec![])], &["ana"])),
        ("whose", with_code(vec![asked()], &["ana", "ben"])),
        ("code at server", with_code(vec![asked()], &["ana"])),
        ("code at host", with_code(vec![asked(), silence()], &["ana"])),
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    vec![
        ("no cards", Event::Cards(vec![])),
        ("a card", Event::Cards(vec![choice(1, false)])),
        ("two cards", Event::Cards(vec![choice(1, false), choice(2, false)])),
        ("typed yes", Event::Typed("yes".to_owned())),
        ("typed 2", Event::Typed("2".to_owned())),
        ("a code", Event::Code(code())),
        ("no code", Event::NotACode),
        ("no tries", Event::Tries(0)),
        ("one try", Event::Tries(1)),
        ("tries", Event::Tries(3)),
        ("pin", Event::Pin(pin())),
        ("not a pin", Event::NotAPin(PinError::TooShort(6))),
        ("signed", Event::Signed(signed())),
        ("wrong pin", Event::Card(CardError::WrongPin { tries: 2 })),
        ("spent", Event::Card(CardError::TriesChanged { shown: 3, now: 2 })),
        ("answered", Event::Answered(Answer::for_tests(true))),
        ("server", Event::Server(LinkError::Unreachable("x".to_owned()))),
        ("silence", silence()),
        ("granted here", Event::DecidedHere(Ok(offline::Granted::for_tests()))),
        ("denied here", Event::DecidedHere(Err(not_here()))),
        ("cancelled", Event::Gone(Gone::Cancelled)),
    ]
}

fn code() -> EmergencyCode {
    EmergencyCode::typed("7K3M-Q2ZD-04XR-9HFT").unwrap()
}

fn silence() -> Event {
    Event::Silence(Box::new(Silence::for_tests(signed())))
}

fn not_here() -> NotHere {
    let error = LinkError::Unreachable("connection refused".to_owned());
    NotHere { error, denial: offline::Denial::Spent(20) }
}

fn name(session: &Session) -> String {
    match session {
        Session::AwaitCard(_) => "card".to_owned(),
        Session::AwaitCode(_) => "code".to_owned(),
        Session::AwaitPin(_) => "pin".to_owned(),
        Session::AwaitTouch(_) => "touch".to_owned(),
        Session::AwaitServer(_) => "server".to_owned(),
        Session::AwaitHost(_) => "host".to_owned(),
        Session::Decided(Decided { verdict: Verdict::Answered(_), .. }) => "answered".to_owned(),
        Session::Decided(Decided { verdict: Verdict::GrantedHere(_), .. }) => "granted".to_owned(),
        Session::Decided(Decided { verdict: Verdict::Refused(refused), .. }) => {
            format!("{:?}", refused.reason)
        }
    }
}

/// Rows: events in their order. What is not listed denies with `Internal`.
#[test]
fn every_event_in_every_state_leads_exactly_here() {
    let expected = |state: &str, event: &str| -> &'static str {
        match (state, event) {
            ("decided", _) => "Cancelled",
            (_, "cancelled") => "Cancelled",
            ("waiting" | "entered" | "code", "a card") => "pin",
            ("waiting" | "entered" | "code", "two cards") => "card",
            ("code", "no cards" | "no code") => "card",
            ("code", "a code") => "code",
            ("entered", "wrong pin" | "spent") => "CardFailed",
            ("whose", "typed yes" | "typed 2") => "code",
            ("code at server", "answered") => "answered",
            ("code at server", "server") => "ServerUnavailable",
            ("code at server", "silence") => "code",
            ("code at host", "granted here") => "granted",
            ("code at host", "denied here") => "ServerUnavailable",
            ("waiting", "wrong pin" | "spent") => "CardFailed",
            ("choosing", "typed 2") => "pin",
            ("choosing", "typed yes") => "card",
            ("tries", "no tries") => "CardBlocked",
            ("tries", "one try" | "tries") => "pin",
            ("tries", "wrong pin") => "WrongPin",
            ("tries", "spent") => "CardFailed",
            ("last-try", "typed yes") => "pin",
            ("last-try", "typed 2") => "LastTryRefused",
            ("pin", "pin") => "touch",
            ("pin", "not a pin") => "pin",
            ("touch", "signed") => "server",
            ("touch", "wrong pin") => "WrongPin",
            ("touch", "spent") => "pin",
            ("server", "answered") => "answered",
            ("server", "server") => "ServerUnavailable",
            ("server", "silence") => "host",
            ("host", "granted here") => "granted",
            ("host", "denied here") => "ServerUnavailable",
            _ => "Internal",
        }
    };
    for at in 0..states().len() {
        for (event_name, event) in events() {
            let (state_name, state) = states().swap_remove(at);
            let (next, _) = state.step(event);
            assert_eq!(name(&next), expected(state_name, event_name), "{state_name} × {event_name}");
        }
    }
}

/// Only the server's proven answer, or the host's own after the server's silence, ends in a yes; each is heard by
/// one state only.
#[test]
fn no_event_but_a_proven_answer_or_a_counted_use_lets_anybody_in() {
    for at in 0..states().len() {
        for (event_name, event) in events() {
            let (state_name, state) = states().swap_remove(at);
            match state.step(event).0 {
                Session::Decided(Decided { verdict: Verdict::Answered(answer), .. }) => {
                    assert!(answer.is_allowed());
                    assert!(matches!(state_name, "server" | "code at server"));
                    assert_eq!(event_name, "answered");
                }
                Session::Decided(Decided { verdict: Verdict::GrantedHere(_), .. }) => {
                    assert!(matches!(state_name, "host" | "code at host"));
                    assert_eq!(event_name, "granted here");
                }
                _ => {}
            }
        }
    }
}

/// A proven answer, whichever, leaves nothing for the host to decide.
#[test]
fn a_denied_or_refused_login_is_never_decided_here() {
    let asked = || states().swap_remove(6).1;
    let refused = LinkError::Refused { correlation: "7K3M-Q2ZD".parse().unwrap(), clock_was_wrong: None };
    let final_words = [
        Event::Answered(Answer::for_tests(false)),
        Event::Server(refused),
        Event::Server(LinkError::Untrusted("a receipt of something else".to_owned())),
    ];
    for event in final_words {
        let (state, actions) = asked().step(event);
        assert!(matches!(state, Session::Decided(_)) && actions.is_empty());
        for (_, event) in events() {
            assert!(!name(&states().swap_remove(8).1.step(event).0).contains("granted"));
        }
    }
    assert_eq!(name(&asked()), "server");
}

#[test]
fn a_denial_here_says_why_the_server_did_not_decide_and_what_to_do() {
    let refused = refused(states().swap_remove(7).1.step(Event::DecidedHere(Err(not_here()))));
    assert_eq!(
        refused.message,
        "The server cannot be reached, and all 20 uses that this account has without it are spent. The next contact with the server brings new ones: see to the network, then try again."
    );
    assert_eq!(refused.event, Some(HostEventKind::NoAnswer));
}

fn refused(step: Step) -> Refused {
    match step.0 {
        Session::Decided(Decided { verdict: Verdict::Refused(refused), .. }) => refused,
        other => panic!("{other:?}"),
    }
}

fn signing() -> Session {
    Session::begin(&ana(), vec![choice(0x1234, false)]).0.step(Event::Tries(3)).0.step(Event::Pin(pin())).0
}

#[test]
fn a_wrong_pin_says_how_many_tries_are_left() {
    let refused = refused(signing().step(Event::Card(CardError::WrongPin { tries: 2 })));
    assert_eq!(refused.message, "Wrong PIN. 2 tries left.");
    assert_eq!(refused.event, Some(HostEventKind::WrongPin));
}

#[test]
fn a_pulled_card_denies_and_says_so() {
    let refused = refused(signing().step(Event::Card(CardError::Gone)));
    assert_eq!(refused.reason, DenyReason::CardGone);
    assert!(refused.message.contains("pulled out"), "{}", refused.message);
    assert_eq!(refused.event, Some(HostEventKind::CardPulled));
}

#[test]
fn what_looks_like_a_thief_at_the_card_is_in_the_ledger() {
    let card = choice(0x1234, false).card;
    for (error, event) in [
        (CardError::PinTaken, HostEventKind::PinTaken),
        (CardError::BadSignature, HostEventKind::BadSignature),
        (CardError::Twice(card), HostEventKind::CardTwice),
    ] {
        let refused = refused(signing().step(Event::Card(error)));
        assert_eq!((refused.reason, refused.event), (DenyReason::CardFailed, Some(event)));
    }
}

#[test]
fn the_last_wrong_pin_is_told_as_a_blocked_card() {
    let refused = refused(signing().step(Event::Card(CardError::WrongPin { tries: 0 })));
    assert_eq!(refused.reason, DenyReason::CardBlocked);
}

fn asked(actions: &[Action]) -> &str {
    match actions.last() {
        Some(Action::AskShown(text) | Action::AskHidden(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn prompts_name_card_tries_and_touch() {
    let (_, actions) = Session::begin(&ana(), vec![choice(0x1234, true)]).0.step(Event::Tries(3));
    assert_eq!(asked(&actions), "PIN for YubiKey …1234 (3 tries left), then touch it: ");
    let (state, actions) = Session::begin(&ana(), vec![choice(0x1234, false)]).0.step(Event::Tries(1));
    assert!(asked(&actions).contains("Only one try is left"));
    let (_, actions) = state.step(Event::Typed("yes".to_owned()));
    assert_eq!(asked(&actions), "PIN for YubiKey …1234 (1 try left): ");
}

#[test]
fn the_last_try_is_sent_only_with_the_persons_word() {
    let last = Session::begin(&ana(), vec![choice(1, false)]).0.step(Event::Tries(1)).0;
    let (_, actions) = last.step(Event::Typed("yes".to_owned())).0.step(Event::Pin(pin()));
    assert!(matches!(actions.last(), Some(Action::Sign(order)) if order.allow_last_try));
    let many = Session::begin(&ana(), vec![choice(1, false)]).0.step(Event::Tries(3)).0;
    let (_, actions) = many.step(Event::Pin(pin()));
    assert!(
        matches!(actions.last(), Some(Action::Sign(order)) if !order.allow_last_try && order.tries_shown == 3)
    );
}

#[test]
fn a_typed_pin_is_sent_once() {
    let (state, actions) = signing().step(Event::Card(CardError::TriesChanged { shown: 3, now: 2 }));
    assert!(matches!(actions.last(), Some(Action::ReadTries(_))));
    let (_, actions) = state.step(Event::Tries(2));
    assert!(asked(&actions).contains("2 tries left"), "the person is asked again");
}

#[test]
fn two_cards_are_named_and_one_is_chosen() {
    let (state, actions) = Session::begin(&ana(), vec![choice(1, false), choice(2, false)]);
    assert_eq!(asked(&actions), "Which card? 1 = YubiKey …0001 of ana, 2 = YubiKey …0002 of ana (number): ");
    let (_, actions) = state.step(Event::Typed(" 2 ".to_owned()));
    assert!(matches!(actions.as_slice(), [Action::ReadTries(card)] if *card == CardIdent::new(6, 2)));
}

#[test]
fn a_code_is_asked_for_only_where_one_would_do_and_never_of_a_card_that_is_in() {
    let asks_for_code =
        |actions: &[Action]| actions.iter().any(|action| matches!(action, Action::AskCode(_)));
    let (_, actions) = Session::begin(&ana(), vec![]);
    assert!(!asks_for_code(&actions));
    let (_, actions) = Session::begin_with_codes(&ana(), ana(), vec![choice(1, false)]);
    assert!(!asks_for_code(&actions));
    let (state, actions) = Session::begin_with_codes(&ana(), ana(), vec![]);
    let [Action::AskCode(question)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(question, "Insert the card of ana and press Enter, or type your emergency code: ");
    // A PIN, say: told what a code looks like, and asked again.
    let (state, actions) = state.step(Event::NotACode);
    assert!(matches!(actions.as_slice(), [Action::Note(NoteKind::Error, _), Action::AskCode(_)]));
    // Enter before the card was seen: from now on it is noticed without, but who gave up is not kept for long.
    let (_, actions) = state.step(Event::Cards(vec![]));
    let [Action::Note(..), Action::WaitForCard(longest)] = actions.as_slice() else { panic!("{actions:?}") };
    assert!(*longest <= Duration::from_secs(10), "{longest:?}");
}

#[test]
fn a_code_goes_to_the_server_for_the_one_account_that_it_was_said_to_be_of() {
    let (_, actions) = states().swap_remove(11).1.step(Event::Typed("2".to_owned()));
    let [Action::SendCode(account, sent)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((account.as_str(), sent), ("ben", &code()));
    assert!(!format!("{actions:?}").contains("Q2ZD"), "no code in any debug output");
    let (_, actions) = states().swap_remove(11).1.step(Event::Typed("7".to_owned()));
    assert!(matches!(actions.as_slice(), [Action::Note(NoteKind::Error, _), Action::AskShown(_)]));
}

#[test]
fn a_wrong_code_without_the_server_is_an_event_of_its_own_and_of_its_account() {
    let error = LinkError::Unreachable("connection refused".to_owned());
    let denied = Event::DecidedHere(Err(NotHere { error, denial: offline::Denial::WrongCode }));
    let Session::Decided(decided) = states().swap_remove(13).1.step(denied).0 else { panic!() };
    assert_eq!(decided.code_of.as_deref().map(AccountName::as_str), Some("ana"));
    let Verdict::Refused(refused) = decided.verdict else { panic!() };
    assert_eq!(refused.event, Some(HostEventKind::WrongEmergencyCode));
}
