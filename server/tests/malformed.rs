//! More than a thousand kinds of malformed envelopes: one answer outside, its own reason inside, and the server goes on.

mod bodies;
mod inside;
mod json;
mod outside;
mod signatures;
mod stage;
mod statements;

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::certificate;
use countersign_protocol::ids::Digest;
use countersign_protocol::message::Refusal;
use countersign_server::doors::openpgp::{Answer, Heard};
use countersign_server_core::refusal::Reason;

use self::stage::Stage;
use crate::client::person::Person;
use crate::fixture::Server;

/// One way to be malformed.
pub(crate) struct Kind {
    name: String,
    /// The reasons that may be found for it, by the names of [`Reason`] and of what is in `Reason::Envelope`.
    classes: &'static [&'static str],
    make: Box<dyn Fn(&Stage) -> Vec<u8>>,
}

fn kind(name: String, classes: &'static [&'static str], make: impl Fn(&Stage) -> Vec<u8> + 'static) -> Kind {
    Kind { name, classes, make: Box::new(make) }
}

/// All of them, each with a name of its own.
fn catalogue(stage: &Stage) -> Vec<Kind> {
    let mut kinds = outside::kinds();
    kinds.extend(inside::kinds());
    kinds.extend(signatures::kinds());
    kinds.extend(bodies::kinds(stage));
    kinds.extend(statements::kinds(stage));
    let names: BTreeSet<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(names.len(), kinds.len(), "two kinds have one name");
    kinds
}

/// The name of a reason.
fn class(reason: &Reason) -> String {
    let name = |debug: String| debug.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
    match reason {
        Reason::Envelope(error) => name(format!("{error:?}")),
        other => name(format!("{other:?}")),
    }
}

fn stage(server: &Server) -> Stage {
    let (host, _admin, ana) = server.with_ana();
    let now = server.clock_now();
    Stage {
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

    let door = server.openpgp_door();
    let mut sizes = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut told: BTreeMap<String, (usize, BTreeSet<String>)> = BTreeMap::new();
    let mut given_out = Vec::new();
    let mut checked_in = 0;
    for (n, kind) in kinds.iter().enumerate() {
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
