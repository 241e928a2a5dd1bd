//! The conversation's client alone, over bytes in memory.

use std::io::{self, Read, Write};

use countersign_protocol::ids::Nonce;
use countersign_protocol::ipc::{
    Account, Authenticate, Client, Conversation, FrameKind, LoginReply, LoginRequest, NoteKind, read_frame,
};
use secrecy::SecretString;

use crate::script::{Flow, Said, Script, holds_grant};

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
    let asked = person.asked;
    assert_eq!(frames(&wire.written), 1 + asked, "one request, and one answer to each question");
    reply
}

fn request(flow: Flow, nonce: Nonce) -> LoginRequest {
    // Names that are names: parsed once, so that this cannot fail.
    let (Ok(login), Ok(service)) = ("ana".parse(), "login".parse()) else { std::process::abort() };
    match flow {
        Flow::AccountAlone => LoginRequest::Account(Account { login, service, nonce }),
        Flow::Login | Flow::Twice | Flow::PasswordAllowed => LoginRequest::Authenticate(Authenticate {
            login,
            service,
            tty: None,
            remote_host: None,
            remote_user: None,
            nonce,
        }),
    }
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
