//! Well sealed, and not what the protocol knows: words that are none, fields that are none, messages that are not theirs
//! to send.

use std::sync::Arc;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::envelope::BoxedSigner;
use countersign_protocol::ids::{Digest, MessageId, Nonce};
use countersign_protocol::message::{
    CheckIn, EmergencyUse, Hello, HostEvent, HostEventKind, InReplyTo, InstanceKey, JobOutcome, JobRequest,
    KeyStore, KeyUpdate, MessageKind, OfflineEmergency, OfflineUse, RegistrationCode, RotationKey,
    RotationRequest, UserKey, Watch,
};
use countersign_protocol::random::SystemRandom;
use countersign_protocol::roster::SignedRoster;
use serde_json::Value;

use super::json::{Change, SAYINGS, changed, fields};
use super::stage::Stage;
use super::{Kind, kind};

type Signers = fn(&Stage) -> Vec<BoxedSigner>;

/// A body as an honest sender would write it.
#[derive(Clone)]
struct Sample {
    kind: MessageKind,
    signers: Signers,
    body: Arc<Value>,
}

fn word(kind: MessageKind) -> String {
    serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned()
}

/// A message around a body, as JSON.
fn message(stage: &Stage, kind: MessageKind, body: &Value) -> Value {
    let mut message = serde_json::to_value(stage.message()).unwrap();
    message["type"] = word(kind).into();
    message["body"] = body.clone();
    message
}

fn session(stage: &Stage) -> Vec<BoxedSigner> {
    vec![stage.host.session_signer()]
}

fn primary(stage: &Stage) -> Vec<BoxedSigner> {
    vec![Stage::primary(&stage.host.cert)]
}

fn application(stage: &Stage) -> Vec<BoxedSigner> {
    vec![Stage::primary(&stage.application)]
}

fn samples(stage: &Stage) -> Vec<Sample> {
    let nonce = Nonce::new(&SystemRandom).unwrap();
    let id = MessageId::new(&SystemRandom).unwrap();
    let digest = Digest::of(b"x");
    let now = stage.now();
    let public = |cert| Binary(certificate::to_bytes(cert).unwrap());
    let host = public(&stage.host.cert);
    let signed = stage.ana.sign(&stage.host.session(&stage.ana, "ana"));
    let roster = SignedRoster { roster: Binary(b"{}".to_vec()), signature: Binary(vec![1]) };
    let account = || stage.ana.account.clone();
    let login = || "ana".parse().unwrap();
    let service = || "login".parse().unwrap();
    let sample = |kind, signers: Signers, body: Result<Value, serde_json::Error>| Sample {
        kind,
        signers,
        body: Arc::new(body.unwrap()),
    };
    macro_rules! sample {
        ($kind:ident, $signers:expr, $body:expr) => {
            sample(MessageKind::$kind, $signers, serde_json::to_value($body))
        };
    }
    vec![
        sample!(Hello, application, Hello { ephemeral: public(&stage.other), commitment: digest, nonce }),
        sample!(
            InstanceKey,
            |stage| vec![Stage::primary(&stage.application), Stage::primary(&stage.other)],
            InstanceKey {
                certificate: public(&stage.other),
                server_nonce: nonce,
                token: Some("x".into()),
                claimed_hostname: "x".into(),
                key_store: KeyStore::Sealed,
            }
        ),
        sample!(
            InstanceCheckIn,
            session,
            CheckIn { counter: 1 << 40, ledger_size: 0, logins: vec![login()], services: vec![service()] }
        ),
        sample!(KeyUpdate, primary, KeyUpdate { certificate: host.clone(), counter: 1 << 40 }),
        sample!(RotationRequest, session, RotationRequest { commitment: digest }),
        sample!(
            RotationKey,
            |stage| vec![Stage::primary(&stage.host.cert), Stage::primary(&stage.other)],
            RotationKey {
                certificate: public(&stage.other),
                server_nonce: nonce,
                counter: 1 << 40,
                key_store: KeyStore::Sealed,
            }
        ),
        sample!(RegistrationRequest, session, serde_json::json!({"account": "ana", "commitment": digest})),
        sample!(RegistrationCode, session, RegistrationCode { registration: id, code: "x".into() }),
        sample!(
            UserKey,
            session,
            UserKey {
                registration: id,
                certificate: public(&stage.ana.cert),
                proof: signed.clone(),
                authentication: Some(stage.host.fingerprint()),
                card: Some("FFFE:0000AAAA".parse().unwrap()),
            }
        ),
        sample!(JobRequest, session, JobRequest { signed: signed.clone(), body: Some(Binary(vec![1])) }),
        sample!(JobOutcome, session, JobOutcome { id, digest, time: now }),
        sample!(
            HostEvent,
            session,
            HostEvent {
                event: HostEventKind::CardPulled,
                at: now,
                correlation: "7K3M-Q2ZD".parse().unwrap(),
                login: Some(login()),
                account: Some(account()),
                service: Some(service()),
                card: Some("FFFE:0000AAAA".parse().unwrap()),
                told: "x".into(),
            }
        ),
        sample!(Watch, session, Watch { revision: digest, logins: vec![login()], services: vec![service()] }),
        sample!(
            OfflineUse,
            session,
            OfflineUse {
                statement: signed.clone(),
                roster: roster.clone(),
                use_number: 1,
                at: now,
                correlation: "7K3M-Q2ZD".parse().unwrap(),
                account: account(),
                login: login(),
                service: service(),
                card: "FFFE:0000AAAA".parse().unwrap(),
            }
        ),
        sample!(
            EmergencyUse,
            session,
            EmergencyUse {
                statement: signed.statement.clone(),
                code: serde_json::from_value("0123-4567-89AB-CDEF".into()).unwrap(),
            }
        ),
        sample!(
            OfflineEmergency,
            session,
            OfflineEmergency {
                statement: signed.statement,
                roster,
                at: now,
                correlation: "7K3M-Q2ZD".parse().unwrap(),
                account: account(),
                login: login(),
                service: service(),
            }
        ),
    ]
}

pub(super) fn kinds(stage: &Stage) -> Vec<Kind> {
    let samples = samples(stage);
    let mut kinds: Vec<Kind> = samples.iter().flat_map(fields_of).collect();
    kinds.extend(samples.iter().flat_map(out_of_place));
    kinds.extend(whole_messages());
    kinds.extend(words());
    kinds.extend(not_theirs());
    kinds
}

/// Fields that may be left out.
fn optional(kind: MessageKind, name: &str) -> bool {
    matches!(
        (kind, name),
        (MessageKind::InstanceKey, "token")
            | (MessageKind::UserKey, "authentication" | "card")
            | (MessageKind::JobRequest, "body")
            | (MessageKind::HostEvent, "login" | "account" | "service" | "card")
    )
}

/// What is well formed although it is another thing.
fn well_formed(kind: MessageKind, name: &str, said: &str) -> bool {
    match name {
        "counter" | "ledger_size" | "use_number" => said == "0",
        "logins" | "services" => said == "an empty list",
        "account" | "login" | "service" => said == "a word" || said == "null" && optional(kind, name),
        "token" | "code" | "claimed_hostname" | "told" => {
            kind != MessageKind::EmergencyUse && matches!(said, "a word" | "no word" | "a control character")
                || said == "null" && optional(kind, name)
        }
        "authentication" | "card" | "body" => {
            said == "null" && optional(kind, name) || said == "no word" && name == "body"
        }
        // No bytes at all, and what they are is another question.
        "statement" | "signature" | "roster" | "certificate" | "ephemeral" => said == "no word",
        _ => false,
    }
}

/// Each field of a body without its place, twice, and with each saying.
fn fields_of(sample: &Sample) -> Vec<Kind> {
    let classes: &[&str] = match sample.kind {
        // Nobody can know the second signer of a body that cannot be read.
        MessageKind::InstanceKey | MessageKind::RotationKey => &["Signature"],
        _ => &["Body"],
    };
    let mut kinds = Vec::new();
    for path in fields(&sample.body) {
        let name = path.join(".");
        let last = path.last().unwrap().clone();
        let mut add = |what: String, classes: &'static [&'static str], change: Change<'static>| {
            let (sample, path) = (sample.clone(), [vec!["body".to_owned()], path.clone()].concat());
            kinds.push(kind(format!("{} {what}", word(sample.kind)), classes, move |stage| {
                let literal = changed(&message(stage, sample.kind, &sample.body), &path, change);
                stage.by_all((sample.signers)(stage), &literal)
            }));
        };
        let body: &'static [&'static str] = if classes == ["Signature"] { &["Signature"] } else { &["Body"] };
        if !optional(sample.kind, &last) {
            add(format!("without {name}"), body, Change::Without);
        }
        add(format!("with {name} twice"), &["Malformed", "Signature"], Change::Twice);
        add(format!("with another {name} beside it"), body, Change::Beside);
        for (what, text) in SAYINGS {
            // What is no JSON at all is told once for every kind of message.
            let is_json = serde_json::from_slice::<Value>(text).is_ok();
            if !well_formed(sample.kind, &last, what) && (is_json || last == "counter" || last == "account") {
                let classes = if is_json { body } else { &["Malformed", "Signature"] };
                add(format!("with {name} saying {what}"), classes, Change::Says(text));
            }
        }
    }
    kinds
}

/// In a handshake that is none, and as an answer.
fn out_of_place(sample: &Sample) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let outside = !matches!(
        sample.kind,
        MessageKind::InstanceKey
            | MessageKind::RotationKey
            | MessageKind::RegistrationCode
            | MessageKind::UserKey
    );
    let own = sample.clone();
    if outside {
        kinds.push(kind(format!("{} in a handshake", word(own.kind)), &["Transcript"], move |stage| {
            let mut message = message(stage, own.kind, &own.body);
            message["transcript"] = Digest::of(b"x").to_string().into();
            stage.by_all((own.signers)(stage), &serde_json::to_vec(&message).unwrap())
        }));
    }
    let own = sample.clone();
    kinds.push(kind(format!("{} as an answer", word(own.kind)), &["Body"], move |stage| {
        let mut message = message(stage, own.kind, &own.body);
        let answered = InReplyTo { id: MessageId::new(&SystemRandom).unwrap(), digest: Digest::of(b"x") };
        message["in_reply_to"] = serde_json::to_value(answered).unwrap();
        stage.by_all((own.signers)(stage), &serde_json::to_vec(&message).unwrap())
    }));
    kinds
}

/// The message around the body.
fn whole_messages() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for name in ["v", "type", "id", "time", "audience", "body"] {
        let path = || vec![name.to_owned()];
        let mut add = |what: String, classes: &'static [&'static str], change: Change<'static>| {
            let path = path();
            kinds.push(kind(format!("a message {what}"), classes, move |stage| {
                let message = serde_json::to_value(stage.message()).unwrap();
                stage.carrying(&changed(&message, &path, change))
            }));
        };
        add(format!("without {name}"), &["Malformed"], Change::Without);
        add(format!("with {name} twice"), &["Malformed"], Change::Twice);
        add(format!("with {name} twice, once escaped"), &["Malformed"], Change::TwiceEscaped);
        add(format!("with another {name} beside it"), &["Malformed"], Change::Beside);
        for (what, text) in SAYINGS {
            let class: &'static [&'static str] = match name {
                "body" if serde_json::from_slice::<Value>(text).is_ok() => &["Body"],
                _ => &["Malformed"],
            };
            add(format!("with {name} saying {what}"), class, Change::Says(text));
        }
    }
    type Made = fn(&[u8]) -> Vec<u8>;
    let texts: [(&str, Made); 22] = [
        ("after a byte order mark", |text| [b"\xEF\xBB\xBF", text].concat()),
        ("after a space", |text| [b" ", text].concat()),
        ("before a zero", |text| [text, b"\0"].concat()),
        ("before another", |text| [text, text].concat()),
        ("before a word", |text| [text, b" x"].concat()),
        ("in a list", |text| [b"[", text, b"]"].concat()),
        ("in a string", |text| serde_json::to_vec(&String::from_utf8_lossy(text)).unwrap()),
        ("without its end", |text| text[..text.len() - 1].to_vec()),
        ("without its beginning", |text| text[1..].to_vec()),
        ("half of it", |text| text[..text.len() / 2].to_vec()),
        ("with a comma too many", |text| [&text[..text.len() - 1], b",}"].concat()),
        ("with a comment", |text| [&text[..text.len() - 1], b"/**/}"].concat()),
        ("in single quotes", |text| String::from_utf8_lossy(text).replace('"', "'").into_bytes()),
        ("in UTF-16", |text| text.iter().flat_map(|byte| [*byte, 0]).collect()),
        ("as a list of its values", |text| {
            let value: Value = serde_json::from_slice(text).unwrap();
            let in_order = ["v", "type", "id", "time", "audience"];
            let mut list: Vec<Value> = in_order.iter().map(|name| value[name].clone()).collect();
            list.extend([Value::Null, Value::Null, value["body"].clone()]);
            serde_json::to_vec(&list).unwrap()
        }),
        ("nothing at all", |_| Vec::new()),
        ("null", |_| b"null".to_vec()),
        ("a number", |_| b"1".to_vec()),
        ("an empty object", |_| b"{}".to_vec()),
        ("an empty list", |_| b"[]".to_vec()),
        ("deep lists", |_| [b"[".repeat(100_000), b"]".repeat(100_000)].concat()),
        ("deep objects", |_| [b"{\"a\":".repeat(50_000), b"1".to_vec(), b"}".repeat(50_000)].concat()),
    ];
    for (what, made) in texts {
        kinds.push(kind(format!("a message {what}"), &["Malformed"], move |stage| {
            stage.carrying(&made(&stage.literal()))
        }));
    }
    for depth in [14, 16, 17, 100, 127, 128, 1000] {
        kinds.push(kind(format!("a body {depth} lists deep"), &["Malformed", "Body"], move |stage| {
            let mut text = stage.literal();
            let deep = format!(",\"body\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            let body = String::from_utf8(text.clone()).unwrap().find(",\"body\"").unwrap();
            text.truncate(body);
            stage.carrying(&[text, deep.into_bytes()].concat())
        }));
    }
    kinds.push(kind("a body as a list of its values".into(), &["Body"], |stage| {
        let mut message = serde_json::to_value(stage.message()).unwrap();
        message["body"] = serde_json::json!([1_u64 << 40, 0, [], []]);
        stage.carrying(&serde_json::to_vec(&message).unwrap())
    }));
    kinds
}

/// Times, ids and names in a spelling that is not theirs.
fn words() -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut add = |name: &'static str, text: String, classes: &'static [&'static str]| {
        kinds.push(kind(format!("{name} as {text:?}"), classes, move |stage| {
            let mut message = serde_json::to_value(stage.message()).unwrap();
            message[name] = text.clone().into();
            stage.carrying(&serde_json::to_vec(&message).unwrap())
        }));
    };
    for time in [
        "2026-11-22T17:30:00",
        "2026-11-22T17:30:00.0Z",
        "2026-11-22T17:30:00+00:00",
        "2026-11-22T17:30:00z",
        "2026-11-22t17:30:00Z",
        "2026-11-22 17:30:00Z",
        "2026-11-22T17:30:60Z",
        "2026-11-22T24:00:00Z",
        "2026-13-22T17:30:00Z",
        "2026-11-31T17:30:00Z",
        "2026-02-29T00:00:00Z",
        "+2026-11-22T17:30:00Z",
        "99999-11-22T17:30:00Z",
        "2026-11-22T17:30Z",
        "2026-1-2T17:30:00Z",
        "1795000000",
        "now",
        "2026-W47-7T17:30:00Z",
    ] {
        add("time", time.into(), &["Malformed"]);
    }
    for time in
        ["0000-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2106-02-07T06:28:15Z", "9999-12-31T23:59:59Z"]
    {
        add("time", time.into(), &["Malformed", "Skew"]);
    }
    for id in [
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
        "0123456789ABCDEF0123456789ABCDEF",
        "0x23456789abcdef0123456789abcdef",
        "01234567-89ab-cdef-0123-456789abcdef",
        "0123456789abcdef 123456789abcdef",
        "\u{0660}123456789abcdef0123456789abcde",
        "g123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdeF",
    ] {
        add("id", id.into(), &["Malformed"]);
    }
    for audience in ["0", "0123", "0123456789ABCDEF0123456789ABCDEF0123456G", "XYZ"] {
        add("audience", audience.into(), &["Malformed"]);
    }
    for length in [40, 64] {
        add("audience", "0".repeat(length), &["Audience"]);
        add("audience", "F".repeat(length), &["Audience"]);
    }
    for length in [39, 41, 42, 62, 63, 65, 66, 128, 5000] {
        add("audience", "A".repeat(length), &["Malformed"]);
    }
    for word in [
        "",
        "hello ",
        "Hello",
        "HELLO",
        "check-in",
        "instance_check_in",
        "InstanceCheckIn",
        "job",
        "refusal-reply",
        "\u{0}",
    ] {
        add("type", word.into(), &["Malformed"]);
    }
    for version in ["0", "2", "3", "255", "256", "1.0", "\"1\"", "[1]", "1e0", "-1"] {
        kinds.push(kind(format!("version {version}"), &["Malformed"], move |stage| {
            let message = serde_json::to_value(stage.message()).unwrap();
            stage.carrying(&changed(&message, &["v".to_owned()], Change::Says(version.as_bytes())))
        }));
    }
    kinds
}

/// Every type, by each that may not send it.
fn not_theirs() -> Vec<Kind> {
    const ALL: [MessageKind; 31] = {
        use MessageKind::*;
        [
            Hello,
            HelloReply,
            InstanceKey,
            EnrolmentRecord,
            InstanceCheckIn,
            CheckInReply,
            KeyUpdate,
            KeyUpdateReply,
            RotationRequest,
            RotationReply,
            RotationKey,
            RotationRecord,
            RegistrationRequest,
            RegistrationReply,
            RegistrationCode,
            RegistrationCodeReply,
            UserKey,
            RegistrationRecord,
            JobRequest,
            JobReply,
            JobOutcome,
            JobOutcomeReply,
            HostEvent,
            HostEventReply,
            Watch,
            WatchReply,
            OfflineUse,
            OfflineUseReply,
            EmergencyUse,
            OfflineEmergency,
            Refusal,
        ]
    };
    let senders: [(&str, Signers, &[MessageKind]); 3] = [
        ("the host", session, {
            use MessageKind::*;
            &[
                InstanceCheckIn,
                RotationRequest,
                RegistrationRequest,
                RegistrationCode,
                UserKey,
                JobRequest,
                JobOutcome,
                HostEvent,
                Watch,
                OfflineUse,
                EmergencyUse,
                OfflineEmergency,
            ]
        }),
        ("the host's primary key", primary, &[MessageKind::KeyUpdate]),
        ("the application", application, &[MessageKind::Hello]),
    ];
    let mut kinds = Vec::new();
    for (who, signers, theirs) in senders {
        for sent in ALL {
            let classes: &[&str] = if theirs.contains(&sent) { &["Body"] } else { &["NotPermitted"] };
            kinds.push(kind(format!("an empty {} by {who}", word(sent)), classes, move |stage| {
                let message = message(stage, sent, &serde_json::json!({}));
                stage.by_all(signers(stage), &serde_json::to_vec(&message).unwrap())
            }));
        }
    }
    kinds
}
