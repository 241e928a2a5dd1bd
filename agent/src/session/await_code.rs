//! An emergency code was typed: whose it is, then what the server says, then what this host says if the server says
//! nothing. The same answers as for a card, and no other way to a yes.

use countersign_protocol::emergency::EmergencyCode;
use countersign_protocol::ids::AccountName;

use super::await_card::{again, numbered};
use super::{Action, Decided, Event, Session, Step};

/// There is a code.
#[derive(Debug)]
pub struct AwaitCode {
    asked: Asked,
}

#[derive(Debug)]
enum Asked {
    /// The person: whose code is it?
    Whose { codes: Vec<AccountName>, code: EmergencyCode },
    /// The server.
    Server(AccountName),
    /// This host.
    Host(AccountName),
}

impl AwaitCode {
    /// A code says nothing about whose it is. Nobody is asked where only one account could have it.
    pub(super) fn begin(mut codes: Vec<AccountName>, code: EmergencyCode) -> Step {
        if codes.len() > 1 {
            let question = question(&codes);
            return (state(Asked::Whose { codes, code }), vec![Action::AskShown(question)]);
        }
        match codes.pop() {
            Some(account) => send(account, code),
            None => Decided::unexpected("await-code", &Event::Code(code), None),
        }
    }

    pub(super) fn step(self, event: Event) -> Step {
        match (self.asked, event) {
            (Asked::Whose { codes, code }, Event::Typed(typed)) => {
                if let Some(account) = numbered(&typed, &codes).cloned() {
                    return send(account, code);
                }
                let actions = again(question(&codes));
                (state(Asked::Whose { codes, code }), actions)
            }
            (Asked::Server(account), Event::Answered(answer)) => Decided::answered_code(answer, account),
            (Asked::Server(_), Event::Server(error)) => Decided::server(error, None),
            (Asked::Server(account), Event::Silence(silence)) => {
                (state(Asked::Host(account)), vec![Action::DecideHere(silence, None)])
            }
            (Asked::Host(account), Event::DecidedHere(Ok(granted))) => {
                Decided::granted_here_by_code(granted, account)
            }
            (Asked::Host(account), Event::DecidedHere(Err(not_here))) => {
                Decided::not_here_by_code(&not_here, account)
            }
            (_, other) => Decided::unexpected("await-code", &other, None),
        }
    }
}

const fn state(asked: Asked) -> Session {
    Session::AwaitCode(AwaitCode { asked })
}

fn send(account: AccountName, code: EmergencyCode) -> Step {
    (state(Asked::Server(account.clone())), vec![Action::SendCode(account, code)])
}

fn question(codes: &[AccountName]) -> String {
    let list: Vec<String> =
        codes.iter().enumerate().map(|(at, account)| format!("{} = {account}", at + 1)).collect();
    format!("Whose emergency code is it? {} (number): ", list.join(", "))
}
