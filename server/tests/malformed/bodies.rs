//! Well sealed, and not what the protocol knows: each body with each of its fields left out, doubled, or saying something
//! else; in a handshake that is none; as an answer to nothing.

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

pub(super) type Signers = fn(&Stage) -> Vec<BoxedSigner>;

/// A body as an honest sender would write it.
#[derive(Clone)]
struct Sample {
    kind: MessageKind,
    signers: Signers,
    body: Arc<Value>,
}

pub(super) fn word(kind: MessageKind) -> String {
    serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned()
}

/// A message around a body, as JSON.
pub(super) fn message(stage: &Stage, kind: MessageKind, body: &Value) -> Value {
    let mut message = serde_json::to_value(stage.message()).unwrap();
    message["type"] = word(kind).into();
    message["body"] = body.clone();
    message
}

pub(super) fn session(stage: &Stage) -> Vec<BoxedSigner> {
    vec![stage.host.session_signer()]
}

pub(super) fn primary(stage: &Stage) -> Vec<BoxedSigner> {
    vec![Stage::primary(&stage.host.cert)]
}

pub(super) fn application(stage: &Stage) -> Vec<BoxedSigner> {
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
        sample!(
            Hello,
            application,
            Hello { ephemeral: public(&stage.other), commitment: digest, nonce, version: None }
        ),
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
            CheckIn {
                server_certificate: None,
                counter: 1 << 40,
                ledger_size: 0,
                logins: vec![login()],
                services: vec![service()],
                version: None
            }
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
        sample!(
            RegistrationCode,
            session,
            RegistrationCode { registration: id, code: "x".into(), totp: None }
        ),
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

/// Each sample as a message.
pub(super) fn honest(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let text = |sample: &Sample| serde_json::to_vec(&message(stage, sample.kind, &sample.body)).unwrap();
    samples(stage).iter().map(|sample| (word(sample.kind), text(sample))).collect()
}

pub(super) fn kinds(stage: &Stage) -> Vec<Kind> {
    let samples = samples(stage);
    let mut kinds: Vec<Kind> = samples.iter().flat_map(fields_of).collect();
    kinds.extend(samples.iter().flat_map(out_of_place));
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
