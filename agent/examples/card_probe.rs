//! The agent's cards at the end of a pipe, for tests: pcscd's socket lies in a test machine's own mount
//! namespace, so the code under test must run inside.
//!
//! One JSON object a line in, each answered by one with the same `id`, in any order.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the answers")]

#[path = "card_probe/desk.rs"]
mod desk;

use std::error::Error;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use countersign_agent::card::{
    AdminError, Algorithm, Ask, Asker, CardError, Cards, ChangePin, Details, Entered, FactoryReset, Generate,
    GenerateHost, HostPins, KeptPin, Personal, Pin, PinKind, SetResetCode, SetTouch, Standing, Timing,
    Unblock, UnblockBy, Waiting,
};
use countersign_agent::holder::Holders;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::envelope::statement;
use countersign_protocol::ids::{CardIdent, Fingerprint, Nonce};
use countersign_protocol::ipc::{CardSlot, TouchPolicy};
use countersign_protocol::random::SystemRandom;
use countersign_protocol::statement::{Purpose, Statement};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Line {
    id: u64,
    #[serde(flatten)]
    order: Order,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Order {
    List,
    WaitFor {
        card: CardIdent,
        ms: u64,
    },
    WaitForProblem {
        ms: u64,
    },
    WaitUntilGone {
        card: CardIdent,
        ms: u64,
    },
    Tries {
        card: CardIdent,
        /// Between the beginning of the turn and the question.
        #[serde(default)]
        pause_ms: u64,
    },
    Sign {
        card: CardIdent,
        cert: PathBuf,
        key: Option<Fingerprint>,
        pin: String,
        shown: u8,
        last: bool,
        out: PathBuf,
        /// Between the beginning of the turn and the signature.
        #[serde(default)]
        pause_ms: u64,
    },
    SignStored {
        card: CardIdent,
        cert: PathBuf,
        pin: String,
    },
    Open {
        card: CardIdent,
        sealed: PathBuf,
        pin: String,
        #[serde(flatten)]
        told: Told,
        out: PathBuf,
    },
    /// As a job does it: by one PIN that is typed once.
    SignAndOpen {
        card: CardIdent,
        cert: PathBuf,
        sealed: PathBuf,
        pin: String,
        out: PathBuf,
    },
    /// As the agent does it, with somebody at the other end.
    OpenForPerson {
        sealed: PathBuf,
        /// The card that signed, and the PIN that was typed for it.
        kept: Option<(CardIdent, String)>,
        /// What the person types, one after the other.
        answers: Vec<String>,
        out: PathBuf,
    },
    Generate {
        card: CardIdent,
        algorithm: String,
        pins: [String; 4],
        replace: bool,
        out: PathBuf,
    },
    GenerateHost {
        card: CardIdent,
        replace: bool,
        out: PathBuf,
    },
    Adopt {
        card: CardIdent,
        cert: PathBuf,
    },
    Details {
        card: CardIdent,
    },
    ChangePin {
        card: CardIdent,
        admin: bool,
        old: String,
        new: String,
        #[serde(flatten)]
        told: Told,
    },
    SetResetCode {
        card: CardIdent,
        admin: String,
        new: Option<String>,
    },
    Unblock {
        card: CardIdent,
        code: Option<String>,
        admin: Option<String>,
        new: String,
        #[serde(flatten)]
        told: Told,
    },
    SetTouch {
        card: CardIdent,
        admin: String,
        keys: Vec<CardSlot>,
        policy: TouchPolicy,
    },
    FactoryReset {
        card: CardIdent,
        admin: Option<String>,
    },
    FinishReset {
        reader: String,
    },
}

/// What the prompt said, and what the person answered.
#[derive(Deserialize)]
struct Told {
    #[serde(default = "three")]
    shown: u8,
    #[serde(default)]
    last: bool,
}

const fn three() -> u8 {
    3
}

impl Told {
    fn entered(&self, pin: Pin) -> Entered {
        Entered::typed(pin, self.shown, self.last)
    }
}

/// Waits for a card, and says nothing.
struct Patient(Instant);

impl Waiting for Patient {
    fn deadline(&self) -> Instant {
        self.0
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn note(&mut self, _text: &str) {}
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut milliseconds = std::env::args().skip(1).map(|text| text.parse().map(Duration::from_millis));
    let mut timing = Timing::default();
    if let (Some(answer), Some(warm)) = (milliseconds.next(), milliseconds.next()) {
        (timing.answer, timing.warm) = (answer?, warm?);
    }
    let cards = Cards::start(timing, Holders::new(None))?;
    for line in std::io::stdin().lock().lines() {
        let Line { id, order } = serde_json::from_str(&line?)?;
        let cards = cards.clone();
        std::thread::spawn(move || {
            let begun = Instant::now();
            let mut answer = obey(&cards, order).unwrap_or_else(|error| {
                // Debug names the variant, Display is the sentence.
                json!({ "error": format!("{error:?}"), "text": error.to_string() })
            });
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("id".to_owned(), id.into());
                let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                answer.insert("ms".to_owned(), took.into());
            }
            println!("{answer}");
        });
    }
    Ok(())
}

fn obey(cards: &Cards, order: Order) -> Result<Value, Box<dyn Error>> {
    Ok(match order {
        Order::List => {
            let list: Vec<Value> = cards.list().iter().map(seen).collect();
            json!({ "cards": list, "service": cards.service_problem().map(|problem| format!("{problem:?}")) })
        }
        Order::WaitFor { card, ms } => {
            let deadline = Instant::now() + Duration::from_millis(ms);
            seen(&cards.wait_for(&|seen| seen.ident == Some(card), deadline, &|| false)?)
        }
        Order::WaitForProblem { ms } => {
            let deadline = Instant::now() + Duration::from_millis(ms);
            seen(&cards.wait_for(&|seen| seen.problem.is_some(), deadline, &|| false)?)
        }
        Order::WaitUntilGone { card, ms } => {
            let deadline = Instant::now() + Duration::from_millis(ms);
            let here = || cards.list().iter().any(|seen| seen.ident == Some(card));
            while here() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
            json!({ "gone": !here() })
        }
        Order::Tries { card, pause_ms } => {
            let mut patient = Patient(Instant::now() + Duration::from_secs(60));
            let turn = cards.turn(card, &Asker::host(), &mut patient)?;
            std::thread::sleep(Duration::from_millis(pause_ms));
            json!({ "tries": turn.cards().tries(card)? })
        }
        Order::Sign { card, cert, key, pin, shown, last, out, pause_ms } => {
            let cert = read(&cert)?;
            let key = match key {
                Some(key) => key,
                None => certificate::fingerprint(&cert)?,
            };
            let ask = Ask { card, certificate: &cert, key: &key, tries_shown: shown, allow_last_try: last };
            let statement = a_statement(&key)?;
            let mut patient = Patient(Instant::now() + Duration::from_secs(60));
            let turn = cards.turn(card, &Asker::host(), &mut patient)?;
            std::thread::sleep(Duration::from_millis(pause_ms));
            let signed = turn.cards().sign_statement(&ask, Pin::new(pin.into())?, &statement)?;
            std::fs::write(out.with_extension("json"), &signed.statement.0)?;
            std::fs::write(out.with_extension("sig"), &signed.signature.0)?;
            json!({ "signed": true })
        }
        Order::SignStored { card, cert, pin } => {
            let cert = read(&cert)?;
            let key = certificate::fingerprint(&cert)?;
            let signer = cards.signer(card, &cert, &key, Box::new(move || Pin::new(pin.clone().into())))?;
            let failure = signer.failure();
            let signed = statement::sign(&a_statement(&key)?, Box::new(signer));
            match failure.take() {
                Some(error) => return Err(error.into()),
                None => json!({ "signed": signed.is_ok() }),
            }
        }
        Order::Open { card, sealed, pin, told, out } => {
            opened(cards, card, &sealed, told.entered(Pin::new(pin.into())?), &out)?
        }
        Order::SignAndOpen { card, cert, sealed, pin, out } => {
            let cert = read(&cert)?;
            let key = certificate::fingerprint(&cert)?;
            let ask =
                Ask { card, certificate: &cert, key: &key, tries_shown: three(), allow_last_try: false };
            let kept = KeptPin::default();
            let pin = Pin::new(pin.into())?;
            let mut patient = Patient(Instant::now() + Duration::from_secs(60));
            let turn = cards.turn(card, &Asker::host(), &mut patient)?;
            turn.cards().sign_statement(&ask, pin.clone(), &a_statement(&key)?)?;
            kept.keep(card, pin, three());
            drop(turn);
            let entered = kept.take(card).ok_or("no PIN was kept")?;
            opened(cards, card, &sealed, entered, &out)?
        }
        Order::OpenForPerson { sealed, kept, answers, out } => {
            let keeper = KeptPin::default();
            if let Some((card, pin)) = kept {
                keeper.keep(card, Pin::new(pin.into())?, three());
            }
            desk::open(cards, &std::fs::read(sealed)?, &keeper, answers, &out)?
        }
        Order::Generate { card, algorithm, pins: [user, admin, new_user, new_admin], replace, out } => {
            let algorithm: Algorithm = algorithm.parse()?;
            let plan = Generate {
                algorithm,
                user_pin: Entered::stored(Pin::new(user.into())?),
                admin_pin: Entered::stored(Pin::admin(admin.into())?),
                new_pins: Some([Pin::new(new_user.into())?, Pin::admin(new_admin.into())?]),
                same_pins: false,
                personal: Personal::default(),
                user_id: "ana".to_owned(),
                now: SystemClock.now(),
                replace,
            };
            let mut steps = Vec::new();
            match cards.generate(card, plan, &mut |step| steps.push(step.to_string())) {
                Ok(cert) => write(&cert, &out, &steps)?,
                Err(failed) => {
                    json!({ "error": format!("{:?}", failed.cause), "state": format!("{:?}", failed.state), "text": failed.to_string() })
                }
            }
        }
        Order::GenerateHost { card, replace, out } => {
            let pins = HostPins::unguessable(&SystemRandom)?;
            let plan = GenerateHost {
                algorithm: Algorithm::Curve25519,
                user_pin: Entered::stored(Pin::factory_user()),
                admin_pin: Entered::stored(Pin::factory_admin()),
                new_pins: pins.clone(),
                hostname: "gate".to_owned(),
                now: SystemClock.now(),
                replace,
                keep: None,
            };
            let cert = cards.generate_host_key(card, plan, &mut |_| {})?;
            let mut answer = write(&cert, &out, &[])?;
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("pin".to_owned(), pins.user.expose().into());
            }
            answer
        }
        Order::Adopt { card, cert } => {
            let key = cards.check_adoptable(card, &read(&cert)?, SystemClock.now())?;
            json!({ "key": key.signing })
        }
        Order::Details { card } => details(&cards.details(card)?),
        Order::ChangePin { card, admin, old, new, told } => {
            let kind = if admin { PinKind::Admin } else { PinKind::User };
            let current = told.entered(Pin::of(kind, old.into())?);
            changed(cards.change_pin(card, ChangePin { admin, current, new: Pin::of(kind, new.into())? }))
        }
        Order::SetResetCode { card, admin, new } => {
            let new = new.map(|code| Pin::of(PinKind::ResetCode, code.into())).transpose()?;
            let admin = Entered::typed(Pin::admin(admin.into())?, 3, false);
            changed(cards.set_reset_code(card, SetResetCode { admin, new }))
        }
        Order::Unblock { card, code, admin, new, told } => {
            let by = match (code, admin) {
                (Some(code), _) => {
                    UnblockBy::ResetCode(told.entered(Pin::of(PinKind::ResetCode, code.into())?))
                }
                (None, admin) => {
                    UnblockBy::Admin(told.entered(Pin::admin(admin.unwrap_or_default().into())?))
                }
            };
            changed(cards.unblock(card, Unblock { by, new: Pin::new(new.into())? }))
        }
        Order::SetTouch { card, admin, keys, policy } => {
            let admin = Entered::typed(Pin::admin(admin.into())?, 3, false);
            changed(cards.set_touch(card, SetTouch { admin, keys, policy }))
        }
        Order::FactoryReset { card, admin } => {
            let admin = admin.map(|pin| Pin::admin(pin.into())).transpose()?;
            let admin = admin.map(|pin| Entered::typed(pin, 3, false));
            let mut steps = Vec::new();
            let plan = FactoryReset { admin, wrong: Pin::unguessable(&SystemRandom)? };
            let mut note = |step: Standing| steps.push(format!("{step:?}"));
            let mut answer = changed(cards.factory_reset(card, plan, &mut note));
            answer.as_object_mut().map(|fields| fields.insert("steps".to_owned(), json!(steps)));
            answer
        }
        Order::FinishReset { reader } => changed(cards.finish_reset(&reader)),
    })
}

fn opened(
    cards: &Cards,
    card: CardIdent,
    sealed: &std::path::Path,
    entered: Entered,
    out: &std::path::Path,
) -> Result<Value, Box<dyn Error>> {
    let sealed = std::fs::read(sealed)?;
    let mut patient = Patient(Instant::now() + Duration::from_secs(60));
    let turn = cards.turn(card, &Asker::host(), &mut patient)?;
    std::fs::write(out, turn.cards().open_sealed(card, &sealed, entered)?)?;
    Ok(json!({ "opened": true }))
}

fn changed(done: Result<(), AdminError>) -> Value {
    match done {
        Ok(()) => json!({ "done": true }),
        Err(failed) => {
            json!({ "error": format!("{:?}", failed.cause), "standing": format!("{:?}", failed.standing), "text": failed.to_string() })
        }
    }
}

fn details(details: &Details) -> Value {
    json!({
        "card": details.card,
        "specification": details.specification,
        "firmware": details.firmware,
        "keys": details.keys,
        "tries": details.tries,
        "forced": details.forced,
        "hashed": details.hashed,
        "cardholder": details.cardholder,
        "url": details.url,
        "signatures": details.signatures,
        "erasable": details.erasable,
    })
}

fn seen(seen: &countersign_agent::card::CardSeen) -> Value {
    json!({
        "reader": seen.reader,
        "ident": seen.ident,
        "signing_key": seen.signing_key,
        "has_keys": seen.has_keys,
        "tries": seen.tries,
        "touch": seen.touch,
        "decryption_key": seen.decryption_key,
        "decryption_touch": seen.decryption_touch,
        "problem": seen.problem.as_ref().map(|problem| format!("{problem:?}")),
        "problem_text": seen.problem_text(),
    })
}

fn read(path: &std::path::Path) -> Result<Cert, Box<dyn Error>> {
    Ok(certificate::parse(&std::fs::read(path)?)?)
}

fn write(cert: &Cert, path: &std::path::Path, steps: &[String]) -> Result<Value, Box<dyn Error>> {
    std::fs::write(path, certificate::to_bytes(cert)?)?;
    Ok(json!({ "fingerprint": certificate::fingerprint(cert)?, "steps": steps }))
}

fn a_statement(server: &Fingerprint) -> Result<Statement, Box<dyn Error>> {
    let now = SystemClock.now();
    Ok(Statement {
        countersign: Purpose::Statement,
        dry_run: false,
        operation: "open-session".parse()?,
        resource: format!("session/{}", server.to_string().to_lowercase()).parse()?,
        account: "ana".parse()?,
        login: Some("ana".parse()?),
        service: Some("sudo".parse()?),
        claimed: None,
        place: None,
        instance: server.clone(),
        server: server.clone(),
        time: now,
        expires: now.plus(120),
        nonce: Nonce::new(&SystemRandom).map_err(|_| CardError::OpenPgp("no randomness".to_owned()))?,
        body: None,
        approves: None,
        transcript: None,
    })
}
