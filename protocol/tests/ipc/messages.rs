//! One of every message, for the golden folder.

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::contact::Address;
use countersign_protocol::emergency::EmergencyCode;
use countersign_protocol::ids::{Digest, MessageId, Nonce};
use countersign_protocol::ipc::{
    Account, Answer, Authenticate, CardReport, Denial, DenyReason, Enroll, EnrollKeyStore, Enrolled,
    FrameKind, Grant, Job, JobBody, JobDone, JobResultAsk, JobStood, JournalAsk, JournalChecked, JournalPage,
    NoteKind, Noted, OneTimeCode, PinChange, Problem, ProblemKind, Prompt, PromptKind, Register, RegisterKey,
    Registered, ReplaceHost, Reply, Request, RotateKey, SessionClosed, SessionOpened, SshKey, SshKeys,
    SshKeysFound,
};
use countersign_protocol::message::result::ApplicationBundle;
use countersign_protocol::message::{JobStanding, RegistrationMethod};
use serde::Serialize;

use crate::card_messages;
use crate::reports::{status_active, status_not_enrolled};

pub(crate) const FINGERPRINT: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
pub(crate) const CARD: &str = "0006:12345678";
const SSH_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const REFERENCE: &str = "7K3M-Q2ZD";

/// File name, frame kind, body.
pub(crate) fn every_message() -> Vec<(String, FrameKind, Vec<u8>)> {
    let mut all = Vec::new();
    for (name, request) in requests().into_iter().chain(card_messages::requests()) {
        all.push((format!("request.{name}"), FrameKind::Json, json(&request)));
    }
    let typed = Answer::Text { text: "yes, I mean it".into() };
    all.push(("answer.text".into(), FrameKind::Json, json(&typed)));
    all.push(("answer.cancel".into(), FrameKind::Json, json(&Answer::Cancel)));
    all.push(("secret.pin".into(), FrameKind::Secret, b"123456".to_vec()));
    all.push(("secret.longest".into(), FrameKind::Secret, "ä".repeat(63).into_bytes()));
    for (name, reply) in replies().into_iter().chain(card_messages::replies()) {
        all.push((format!("reply.{name}"), FrameKind::Json, json(&reply)));
    }
    all.push(("body.one-mebibyte".into(), FrameKind::Body, (1_u64 << 20).to_be_bytes().to_vec()));
    all
}

fn requests() -> Vec<(&'static str, Request)> {
    let authenticate = Authenticate {
        login: "ana".parse().unwrap(),
        service: "sudo".parse().unwrap(),
        tty: Some("/dev/pts/3".into()),
        remote_host: None,
        remote_user: Some("ana".into()),
        nonce: Nonce::from_bytes([0xA5; 32]),
    };
    let bare = Authenticate { tty: None, remote_user: None, ..authenticate.clone() };
    let remote = Authenticate { remote_host: Some("198.51.100.7".into()), ..authenticate.clone() };
    let account = Account {
        login: "ana".parse().unwrap(),
        service: "cron".parse().unwrap(),
        nonce: Nonce::from_bytes([0xA5; 32]),
    };
    let opened = SessionOpened {
        login: "ana".parse().unwrap(),
        service: "sshd".parse().unwrap(),
        tty: Some("ssh".into()),
        remote_host: Some("198.51.100.7".into()),
        remote_user: Some("olga".into()),
        correlation: Some(REFERENCE.parse().unwrap()),
    };
    let opened_bare = SessionOpened {
        tty: None,
        remote_host: None,
        remote_user: None,
        correlation: None,
        ..opened.clone()
    };
    let closed = SessionClosed {
        login: "ana".parse().unwrap(),
        service: "sshd".parse().unwrap(),
        correlation: Some(REFERENCE.parse().unwrap()),
    };
    let closed_bare = SessionClosed { correlation: None, ..closed.clone() };
    let pin = PinChange {
        login: "ana".parse().unwrap(),
        service: "passwd".parse().unwrap(),
        tty: Some("/dev/pts/3".into()),
        remote_host: None,
        remote_user: Some("ana".into()),
        nonce: Nonce::from_bytes([0xA5; 32]),
    };
    let bundle = ApplicationBundle {
        application: "countersign".parse().unwrap(),
        secret_key: Binary(vec![0xC5; 4]),
        server_certificate: Binary(vec![0xC6; 4]),
        server_url: "https://auth.example:8443".into(),
    };
    let replace = ReplaceHost {
        bundle: Some(bundle.clone()),
        token: Some("K7WQ-PXQ2".into()),
        key_store: EnrollKeyStore::Card(CARD.parse().unwrap()),
    };
    let replace_bare = ReplaceHost { bundle: None, token: None, key_store: EnrollKeyStore::Sealed };
    let enroll = Enroll {
        bundle,
        server: FINGERPRINT.parse().unwrap(),
        url: None,
        token: Some("K7WQ-PXQ2".into()),
        key_store: EnrollKeyStore::Card(CARD.parse().unwrap()),
    };
    let register = Register {
        account: "ana".parse().unwrap(),
        card: Some(CARD.parse().unwrap()),
        key: RegisterKey::Generate { algorithm: "curve25519".into() },
        code: None,
        method: None,
    };
    let alone = |method| Register { method: Some(method), ..register.clone() };
    let by_mail = alone(RegistrationMethod::Message(Address::Email("ana@example.org".parse().unwrap())));
    let by_sms = alone(RegistrationMethod::Message(Address::Sms("+491512345678".parse().unwrap())));
    let by_totp = alone(RegistrationMethod::Totp);
    let second = Register { code: Some(OneTimeCode::new(REFERENCE.to_owned().into())), ..register.clone() };
    let adopt = Register {
        account: "ana".parse().unwrap(),
        card: None,
        key: RegisterKey::Adopt { certificate: Binary(vec![0xC6; 4]) },
        code: None,
        method: None,
    };
    let job = Job {
        operation: "create".parse().unwrap(),
        resource: "account/ana".parse().unwrap(),
        body: Some(JobBody::Here(Binary(b"{}".to_vec()))),
        card: None,
        dry_run: false,
        approves: None,
    };
    let job_beside = Job { body: Some(JobBody::Beside(1 << 20)), ..job.clone() };
    let journal = JournalAsk {
        after: Some(41),
        last: Some(50),
        since: Some(Timestamp::from_seconds(1_790_000_000)),
        login: Some("ana".parse().unwrap()),
        correlation: Some(REFERENCE.parse().unwrap()),
    };
    vec![
        ("authenticate", Request::Authenticate(authenticate)),
        ("authenticate-bare", Request::Authenticate(bare)),
        ("authenticate-remote", Request::Authenticate(remote)),
        ("account", Request::Account(account)),
        ("session-opened", Request::SessionOpened(opened)),
        ("session-opened-bare", Request::SessionOpened(opened_bare)),
        ("session-closed", Request::SessionClosed(closed)),
        ("session-closed-bare", Request::SessionClosed(closed_bare)),
        ("pin-check", Request::PinCheck(pin.clone())),
        ("pin-change", Request::PinChange(pin)),
        ("status", Request::Status),
        ("journal-all", Request::Journal(JournalAsk::default())),
        ("journal", Request::Journal(journal)),
        ("check-journal", Request::CheckJournal),
        ("card-list", Request::CardList),
        ("enroll", Request::Enroll(enroll)),
        ("rotate-key", Request::RotateKey(RotateKey { key_store: EnrollKeyStore::Sealed })),
        ("replace-host", Request::ReplaceHost(replace)),
        ("replace-host-bare", Request::ReplaceHost(replace_bare)),
        ("accept-ledger", Request::AcceptLedger),
        ("register-generate", Request::Register(register)),
        ("register-adopt", Request::Register(adopt)),
        ("register-second", Request::Register(second)),
        ("register-email", Request::Register(by_mail)),
        ("register-sms", Request::Register(by_sms)),
        ("register-totp", Request::Register(by_totp)),
        ("ssh-keys", Request::SshKeys(SshKeys { login: "ana".parse().unwrap() })),
        ("job", Request::Job(job)),
        ("job-result", Request::JobResult(JobResultAsk { correlation: REFERENCE.parse().unwrap() })),
        ("job-beside", Request::Job(job_beside)),
    ]
}

fn replies() -> Vec<(&'static str, Reply)> {
    let prompt = |kind, text: &str| Reply::Prompt(Prompt { kind, text: text.into() });
    let denial = |reason| {
        Reply::Denied(Denial {
            reason,
            message: "The card did not accept this PIN. Two tries are left.".into(),
            correlation: REFERENCE.parse().unwrap(),
        })
    };
    let card = CardReport {
        reader: "Yubico YubiKey OTP+FIDO+CCID 00 00".into(),
        ident: Some(CARD.parse().unwrap()),
        tries: Some(3),
        signing_key: Some(FINGERPRINT.parse().unwrap()),
        role: "user".into(),
        accounts: vec!["ana".parse().unwrap()],
        problem: None,
    };
    vec![
        ("note-info", Reply::Note { kind: NoteKind::Info, text: "Insert your card.".into() }),
        ("note-error", Reply::Note { kind: NoteKind::Error, text: "The card is gone.".into() }),
        (
            "note-authenticator",
            Reply::Note {
                kind: NoteKind::Authenticator,
                text: "otpauth://totp/auth.example:ana?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into(),
            },
        ),
        ("prompt-hidden", prompt(PromptKind::Hidden, "PIN for YubiKey …5678 (3 tries left): ")),
        ("prompt-shown", prompt(PromptKind::Shown, "This is the last try. Type yes to spend it: ")),
        ("granted-login", granted_login()),
        ("granted-offline", granted_offline()),
        (
            "granted-account",
            Reply::Granted(Grant {
                nonce: Nonce::from_bytes([0xA5; 32]),
                account: None,
                ledger_index: None,
                journal_index: None,
                statement: None,
                correlation: REFERENCE.parse().unwrap(),
            }),
        ),
        ("denied-wrong-pin", denial(DenyReason::WrongPin)),
        ("denied-policy", denial(DenyReason::Policy)),
        ("noted", Reply::Noted(Noted { correlation: REFERENCE.parse().unwrap() })),
        ("status-not-enrolled", status_not_enrolled()),
        ("status-active", status_active(card.clone())),
        ("journal", Reply::Journal(JournalPage { upto: 41, more: true })),
        (
            "journal-checked",
            Reply::JournalChecked(JournalChecked {
                entries: 40,
                problem: Some("entry 41 was changed or removed".into()),
            }),
        ),
        ("cards", Reply::Cards { cards: vec![card] }),
        (
            "enrolled",
            Reply::Enrolled(Enrolled {
                instance: FINGERPRINT.parse().unwrap(),
                key_words: "abandon ability able about above absent".into(),
                state: "pending".into(),
                key_store: "card 0006:12345678".into(),
                ledger_index: 7,
                replaces: None,
            }),
        ),
        (
            "enrolled-anew",
            Reply::Enrolled(Enrolled {
                instance: FINGERPRINT.parse().unwrap(),
                key_words: "abandon ability able about above absent".into(),
                state: "active".into(),
                key_store: "card 0006:12345678".into(),
                ledger_index: 9,
                replaces: Some(FINGERPRINT.parse().unwrap()),
            }),
        ),
        (
            "registered",
            Reply::Registered(Registered {
                account: "ana".parse().unwrap(),
                card: CARD.parse().unwrap(),
                certificate: FINGERPRINT.parse().unwrap(),
                key_words: "abandon ability able about above absent".into(),
                ledger_index: 8,
                emergency_code: None,
                recovery_code: None,
                recovery: None,
            }),
        ),
        (
            "registered-with-code",
            Reply::Registered(Registered {
                account: "ana".parse().unwrap(),
                card: CARD.parse().unwrap(),
                certificate: FINGERPRINT.parse().unwrap(),
                key_words: "abandon ability able about above absent".into(),
                ledger_index: 8,
                emergency_code: Some(EmergencyCode::typed("7K3M-Q2ZD-04XR-9HFT").unwrap()),
                recovery_code: None,
                recovery: None,
            }),
        ),
        (
            "ssh-keys",
            Reply::SshKeys(SshKeysFound {
                keys: vec![SshKey { account: "ana".parse().unwrap(), key: SSH_KEY.parse().unwrap() }],
            }),
        ),
        (
            "job-done",
            Reply::JobDone(JobDone {
                allowed: true,
                reason: "administrators may create accounts".into(),
                ledger_index: u64::MAX,
                correlation: REFERENCE.parse().unwrap(),
                has_result: true,
                dry_run: None,
                waiting: None,
                job: None,
            }),
        ),
        (
            "job-done-later",
            Reply::JobDone(JobDone {
                allowed: true,
                reason: "You were granted to read this collection.".into(),
                ledger_index: 41,
                correlation: REFERENCE.parse().unwrap(),
                has_result: false,
                dry_run: None,
                job: Some(JobStood {
                    job: MessageId::from_bytes([7; 16]),
                    standing: JobStanding::Queued,
                    reason: "It waits to be done.".into(),
                }),
                waiting: None,
            }),
        ),
        (
            "failed",
            Reply::Failed(Problem {
                kind: ProblemKind::Server,
                message: "The server did not answer in 10 seconds.".into(),
                correlation: REFERENCE.parse().unwrap(),
            }),
        ),
    ]
}

fn granted_login() -> Reply {
    Reply::Granted(Grant {
        nonce: Nonce::from_bytes([0xA5; 32]),
        account: Some("ana".parse().unwrap()),
        ledger_index: Some(42),
        journal_index: None,
        statement: Some(Digest::of(b"statement")),
        correlation: REFERENCE.parse().unwrap(),
    })
}

fn granted_offline() -> Reply {
    match granted_login() {
        Reply::Granted(grant) => {
            Reply::Granted(Grant { ledger_index: None, journal_index: Some(17), ..grant })
        }
        other => other,
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}
