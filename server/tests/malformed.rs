//! More than a thousand kinds of malformed envelopes: one answer outside, its own reason inside, and the server goes on.

mod bodies;
mod inside;
mod json;
mod messages;
mod outside;
mod senders;
mod signatures;
mod stage;
mod statements;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::Arc;

use countersign_protocol::certificate;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::Digest;
use countersign_protocol::message::Refusal;
use countersign_server::doors::openpgp::{Answer, Heard};
use countersign_server_core::refusal::Reason;

use self::stage::Stage;
use crate::client::carrier::{Carrier as _, Http};
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::database::is_postgres;
use crate::fixture::{Server, register};
use crate::program;

/// Makes one.
type Make = Box<dyn Fn(&Stage) -> Vec<u8>>;

/// One way to be malformed.
pub(crate) struct Kind {
    name: String,
    /// The reasons that may be found for it, by the names of [`Reason`] and of what is in `Reason::Envelope`.
    classes: &'static [&'static str],
    make: Make,
}

fn kind(name: String, classes: &'static [&'static str], make: impl Fn(&Stage) -> Vec<u8> + 'static) -> Kind {
    Kind { name, classes, make: Box::new(make) }
}

/// All of them, each with a name of its own.
fn catalogue(stage: &Stage) -> Vec<Kind> {
    let mut kinds = outside::kinds();
    kinds.extend(inside::kinds());
    kinds.extend(signatures::kinds());
    kinds.extend(messages::kinds());
    kinds.extend(bodies::kinds(stage));
    kinds.extend(senders::kinds());
    kinds.extend(statements::kinds(stage));
    let names: BTreeSet<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(names.len(), kinds.len(), "two kinds have one name");
    kinds
}

/// One honest message of each type that a host or a program sends, by the type's name.
pub(crate) fn honest(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    bodies::honest(stage)
}

/// The name of a reason.
fn class(reason: &Reason) -> String {
    let name = |debug: String| debug.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
    match reason {
        Reason::Envelope(error) => name(format!("{error:?}")),
        other => name(format!("{other:?}")),
    }
}

pub(crate) fn stage(server: &Server) -> Stage {
    let (host, admin, ana) = server.with_ana();
    let now = server.clock_now();
    Stage {
        admin,
        application: certificate::parse_secret(&server.bundle.secret_key.0).unwrap(),
        stranger: Person::new("stranger", now),
        other: certificate::generate_software("other", now, None).unwrap(),
        host,
        ana,
    }
}

/// The refusal in these bytes, which must be one of exactly `sent`.
fn refusal(bytes: &[u8], sent: &[u8]) -> Refusal {
    let text = String::from_utf8_lossy(bytes);
    let text = &text[text.find("{\"correlation\"").unwrap()..];
    let refusal: Refusal = serde_json::from_str(&text[..=text.find('}').unwrap()]).unwrap();
    assert_eq!(refusal.refused, Digest::of(sent));
    refusal
}

#[test]
fn a_thousand_kinds_of_malformed_envelopes_get_one_answer_and_each_its_own_reason() {
    let server = Server::new();
    let stage = stage(&server);
    let kinds = catalogue(&stage);
    assert!(kinds.len() >= 1000, "{} kinds", kinds.len());

    // All of them on SQLite; on PostgreSQL, where each of them is two flushes of a disk, every third.
    let part = if is_postgres() { 3 } else { 1 };
    let door = server.openpgp_door();
    let mut sizes = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut told: BTreeMap<String, (usize, BTreeSet<String>)> = BTreeMap::new();
    let mut given_out = Vec::new();
    let mut checked_in = 0;
    for (n, kind) in kinds.iter().step_by(part).enumerate() {
        if n % 50 == 0 {
            // Sixty of a minute are written down one by one.
            server.clock.turn(60);
        }
        let bytes = (kind.make)(&stage);
        match door.hear(&bytes).unwrap() {
            Heard::Answered(Answer::Refused { bytes: answer, correlation, reason }) => {
                let refusal = refusal(&answer, &bytes);
                assert_eq!((refusal.server_time, &refusal.correlation), (server.clock_now(), &correlation));
                sizes.insert(answer.len());
                let class = class(&reason);
                if !kind.classes.contains(&class.as_str()) {
                    wrong.push(format!("{}: {class} ({reason}), not one of {:?}", kind.name, kind.classes));
                }
                let (count, words) = told.entry(class).or_default();
                *count += 1;
                words.insert(reason.to_string());
                given_out.push((correlation, reason));
            }
            other => wrong.push(format!("{}: taken: {other:?}", kind.name)),
        }
        if n % 100 == 0 {
            // Honest words get through at once, whatever came before.
            checked_in += 1;
            let _state = stage.host.check_in(checked_in, 0, &["ana"]);
        }
    }
    for (class, (count, words)) in &told {
        println!("{count:5} {class}, in {} ways", words.len());
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), kinds.len(), wrong.join("\n"));

    // Ed25519 numbers lose a leading zero now and then; there is no other difference.
    let (least, most) = (sizes.first().unwrap(), sizes.last().unwrap());
    assert!(most - least <= 4, "{sizes:?}");
    // Inside, each is written down as what it was.
    let written: BTreeMap<_, _> =
        server.entries().into_iter().map(|entry| (entry.correlation.clone(), entry.reason)).collect();
    for (correlation, reason) in &given_out {
        let expected = countersign_server_core::refusal::short(&reason.to_string());
        assert_eq!(written.get(correlation), Some(&expected));
    }
    for class in
        ["Structure", "NotDecrypted", "Suite", "Signature", "IntendedRecipient", "Audience", "Malformed"]
    {
        assert!(told.contains_key(class), "nothing was refused as {class}");
    }
    let ways: usize = told.values().map(|(_, words)| words.len()).sum();
    assert!(ways >= 100, "{ways} different reasons");
}

/// Against the real program: a sixth of them in each of four rounds.
#[test]
fn malformed_envelopes_cost_the_program_no_memory_and_no_worker() {
    let made = program::init();
    made.configure("[limits]\nstrangers_per_minute = 1000000\nhosts_per_second = 100000\n");
    // One arena: a thread that allocates for the first time is no leak.
    let mut command = Command::new(program::BINARY);
    command.env("MALLOC_ARENA_MAX", "1").args(["serve", "--config"]).arg(&made.config).stderr(Stdio::null());
    let program = program::Program::spawn(&mut command);
    let carrier = Arc::new(Http { port: program.port });
    let host = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).enrol(Some(&made.token));
    let ana = Person::new("admin", SystemClock.now());
    register(&host, &ana, &made.code);
    let stage = Stage {
        application: certificate::parse_secret(&made.bundle.secret_key.0).unwrap(),
        admin: Person::new("admin", SystemClock.now()),
        ana,
        stranger: Person::new("stranger", SystemClock.now()),
        other: certificate::generate_software("other", SystemClock.now(), None).unwrap(),
        host,
    };
    let kinds = catalogue(&stage);

    let mut resident = Vec::new();
    let mut sizes = BTreeSet::new();
    let mut heads = BTreeSet::new();
    for round in 0..4 {
        for kind in kinds.iter().skip(round % 2).step_by(6) {
            let bytes = (kind.make)(&stage);
            let answer = stage.host.carrier.carry(&bytes).unwrap();
            assert_eq!(answer.status, 400, "{}", kind.name);
            sizes.insert(refusal(&answer.body, &bytes).refused.to_string().len() + answer.body.len());
            heads.insert(
                answer
                    .head
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, _)| name.to_owned())
                    .collect::<Vec<_>>(),
            );
        }
        let counter = u64::try_from(round).unwrap() + 1;
        let _state = stage.host.check_in(counter, 0, &[]);
        resident.push(program.status("VmRSS:"));
    }
    assert_eq!(heads.len(), 1, "{heads:?}");
    let (least, most) = (sizes.first().unwrap(), sizes.last().unwrap());
    assert!(most - least <= 4, "{sizes:?}");
    // In kilobytes. The first two rounds fill what is kept once.
    println!("resident after each round: {resident:?} kB");
    assert!(resident[3] < resident[1] + 2048, "{resident:?}");
}
