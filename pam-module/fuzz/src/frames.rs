//! The conversation's client alone, over bytes in memory.

use std::io::{self, Read, Write};

use countersign_protocol::ids::Nonce;
use countersign_protocol::ipc::{
    Account, Authenticate, Client, Conversation, FrameKind, LoginReply, LoginRequest, NoteKind, PinChange,
    SessionOpened, read_frame,
};
use secrecy::SecretString;
use serde_json::Value;

use crate::script::{Flow, Said, Script, bodies, holds_grant};

/// Plays one script.
///
/// # Panics
/// What must hold did not: a grant that nobody sent, an answer that nobody asked for, a torn frame.
pub fn play(bytes: &[u8]) -> Option<LoginReply> {
    let script = Script::parse(bytes);
    let nonce = Nonce::from_bytes([0xA5; 32]);
    let sent = script.agent_bytes(&nonce);
    let mut person = Person { answers: script.answers(), asked: 0 };
    let mut wire = Wire { sent: &sent, written: Vec::new() };
    let reply = Client::new(&mut wire).ask_login(&request(script.flow, nonce), &mut person).ok();
    assert!(
        !matches!(&reply, Some(LoginReply::Granted(grant)) if grant.nonce == nonce)
            || holds_grant(&sent, &nonce),
        "a grant that nobody sent"
    );
    for body in bodies(&sent) {
        same_as_any_json(body);
    }
    let asked = person.asked;
    assert_eq!(frames(&wire.written), 1 + asked, "one request, and one answer to each question");
    reply
}

fn request(flow: Flow, nonce: Nonce) -> LoginRequest {
    // Names that are names: parsed once, so that this cannot fail.
    let (Ok(login), Ok(service)) = ("ana".parse(), "login".parse()) else { std::process::abort() };
    let (tty, remote_host, remote_user) = (None, None, None);
    match flow {
        Flow::AccountAlone => LoginRequest::Account(Account { login, service, nonce }),
        Flow::Session => LoginRequest::SessionOpened(SessionOpened {
            login,
            service,
            tty,
            remote_host,
            remote_user,
            correlation: None,
        }),
        Flow::Pin => {
            LoginRequest::PinChange(PinChange { login, service, tty, remote_host, remote_user, nonce })
        }
        Flow::Login | Flow::Dialog | Flow::OneField | Flow::Twice | Flow::PasswordAllowed => {
            LoginRequest::Authenticate(Authenticate { login, service, tty, remote_host, remote_user, nonce })
        }
    }
}

/// The module reads JSON by its own, smaller reader: what that takes must mean the same to one that reads all of it.
fn same_as_any_json(body: &[u8]) {
    let Some(reply) = LoginReply::from_json(body) else { return };
    let read = serde_json::from_slice::<Value>(body);
    assert!(read.is_ok(), "read what is not JSON");
    let value = read.unwrap_or_default();
    let is = |field: &str, text: &str| value.get(field).and_then(Value::as_str) == Some(text);
    let same = match &reply {
        LoginReply::Note { text, .. } => is("reply", "note") && is("text", text),
        LoginReply::Prompt(prompt) => is("reply", "prompt") && is("text", &prompt.text),
        LoginReply::Granted(grant) => {
            let index = |field: &str| value.get(field).and_then(Value::as_u64);
            is("reply", "granted")
                && is("nonce", &grant.nonce.to_string())
                && grant.account.as_ref().is_none_or(|account| is("account", account.as_str()))
                && index("ledger_index") == grant.ledger_index
                && index("journal_index") == grant.journal_index
        }
        LoginReply::Denied(denial) => is("reply", "denied") && is("message", &denial.message),
        LoginReply::Noted(noted) => is("reply", "noted") && is("correlation", noted.correlation.as_str()),
        LoginReply::Failed { message, .. } => is("reply", "failed") && is("message", message),
    };
    assert!(same, "another meaning: {reply:?} of {value}");
}

/// How many whole frames these are.
fn frames(mut written: &[u8]) -> usize {
    let mut count = 0;
    while !written.is_empty() {
        let frame = read_frame(&mut written);
        assert!(frame.is_ok_and(|frame| frame.kind != FrameKind::Body), "a torn frame");
        count += 1;
    }
    count
}

struct Wire<'s> {
    sent: &'s [u8],
    written: Vec<u8>,
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.sent.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Person {
    answers: std::vec::IntoIter<Said>,
    asked: usize,
}

impl Person {
    fn answer(&mut self) -> Option<String> {
        self.asked += 1;
        match self.answers.next()? {
            Said::Text(text) => String::from_utf8(text).ok(),
            Said::Nothing | Said::NoResponse | Said::User(_) | Said::Fail => None,
        }
    }
}

impl Conversation for Person {
    fn note(&mut self, _: NoteKind, _: &str) {}

    fn hidden(&mut self, _: &str) -> Option<SecretString> {
        self.answer().map(SecretString::from)
    }

    fn shown(&mut self, _: &str) -> Option<String> {
        self.answer()
    }
}
